# shellcheck shell=sh disable=SC2002,SC2012
# What a container looks like from inside, one fact a line, each line with the
# name of its fact in front. Run by the container's busybox sh; test_agree.c
# compares what two runtimes let it see.
say() {
	while read -r line; do
		echo "$1 $line"
	done
}

# Programs say the same of an error whoever has caused it.
try() {
	"$@" 2>&1 | head -n 1
}

cd /proc/self/ns && ls | while read -r link; do
	echo "ns $link $(readlink "$link")"
done
cd "$OLDPWD" || echo "pwd lost: $OLDPWD"
echo "pwd $(pwd) $(readlink /proc/self/cwd)"
say mount </proc/self/mountinfo
for folder in / /dev /dev/pts /dev/shm /dev/mqueue; do
	ls -lan "$folder" 2>&1 | awk -v folder="$folder" '
		NF > 8 && $NF != ".." {
			print "file", folder, $1, $3, $4,
				/^[bc]/ ? $5 $6 " " $10 : $9 " " $10 " " $11
		}'
done
echo "id $(id)"
grep -E '^(Cap|NoNewPrivs|Groups|Umask|Seccomp:|Sig(Blk|Ign))' \
	/proc/self/status | tr '\t' ' ' | say status
sed 's/  */ /g' /proc/self/limits | say rlimit
awk '{ print "parent " $4, "group " $5, "session " $6, "tty " $7 }' \
	/proc/1/stat | say init
for name in oom_score_adj timens_offsets uid_map gid_map setgroups cgroup; do
	cat "/proc/self/$name" 2>&1 | say "$name"
done
for path in /proc/acpi /proc/asound /proc/kcore /proc/keys \
	/proc/latency_stats /proc/timer_list /proc/timer_stats \
	/proc/sched_debug /sys/firmware /proc/scsi /etc/passwd /home; do
	if [ -d "$path" ]; then
		echo "read $path $(try ls -A "$path" | wc -l) $(try ls -A "$path")"
	else
		echo "read $path $(try head -c 1 "$path" | wc -c)" \
			"$(head -c 1 "$path" 2>&1 >/dev/null)"
	fi
done
# A new time is as much a change as a new byte, and does no harm.
for path in / /bin/busybox /proc/bus /proc/fs /proc/irq /proc/sys \
	/proc/sys/kernel/hostname /proc/sysrq-trigger /sys /sys/kernel \
	/sys/fs/cgroup /dev /dev/shm /dev/pts /tmp /home /etc/group \
	/mnt /mnt/*; do
	echo "touch $path $(try touch -c "$path")"
done
(: >/made) 2>/dev/null && ls -ln /made | awk '{ print "made", $1, $3, $4 }'
mkdir -p /tmp/made 2>/dev/null && ls -ldn /tmp/made |
	awk '{ print "made", $1, $3, $4 }'
for path in /dev/*; do
	[ -c "$path" ] || [ -b "$path" ] || continue
	case $path in
	*/console | */tty | */ptmx | */std*) ;;
	*) echo "open $path $( (: <"$path") 2>&1)" ;;
	esac
done
env | sort | say env
echo "hostname $(hostname)"
for name in kernel/domainname kernel/shmmax kernel/msgmax \
	net/ipv4/ip_forward net/ipv4/ip_unprivileged_port_start; do
	echo "sysctl $name $(try cat "/proc/sys/$name")"
done
ip -o link show lo 2>&1 | grep -o '<.*>' | say lo
echo "fd $(ls /proc/self/fd | tr '\n' ' ')"
tty | say tty
ls -lnL /proc/self/fd/1 | awk '{ print "output", $3 }'
find /mnt -type f -exec grep -H . {} + 2>/dev/null | say content
for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
	for name in pids.max memory.max memory.limit_in_bytes \
		memory.soft_limit_in_bytes memory.low cpu.max cpu.shares \
		cpu.weight cpu.cfs_quota_us cpuset.cpus; do
		[ ! -e "$folder/$name" ] ||
			echo "limit $name $(try cat "$folder/$name")"
	done
done
exit 42
