# shellcheck shell=sh disable=SC2012
# What a container looks like from inside, one fact a line, each line with the
# name of its fact in front. Run by the container's busybox sh; test_agree.c
# compares what two runtimes let it see. Loops of the shell are used where they
# save a process: this runs some hundred times.
say() {
	while read -r line; do
		echo "$1 $line"
	done
}

# A file of one line.
show() {
	value='cannot be read'
	{ read -r value <"$3"; } 2>/dev/null
	echo "$1 $2 $value"
}

ls -l /proc/self/ns | awk '/->/ { print "ns", $9, $11 }'
echo "pwd $(pwd) $(readlink /proc/self/cwd)"
say mount </proc/self/mountinfo
# Without sizes, times and counts of links.
ls -lan / /dev /dev/pts /dev/shm /dev/mqueue 2>&1 | awk '
	/:$/ { folder = substr($0, 1, length($0) - 1) }
	NF > 8 && $NF != ".." {
		print "file", folder, $1, $3, $4,
			/^[bc]/ ? $5 $6 " " $10 : $9 " " $10 " " $11
	}
	/^ls/ { print "file", $0 }'
echo "id $(id)"
grep -E '^(Cap|NoNewPrivs|Groups|Umask|Seccomp:|Sig(Blk|Ign))' \
	/proc/self/status | tr '\t' ' ' | say status
sed 's/  */ /g' /proc/self/limits | say rlimit
awk '{ print "init parent " $4 " group " $5 " session " $6 " tty " $7 }' \
	/proc/1/stat
for name in oom_score_adj timens_offsets uid_map gid_map setgroups cgroup; do
	[ ! -e "/proc/self/$name" ] || say "$name" <"/proc/self/$name"
done

# What is masked, in many bundles or in one.
ls -A /proc/acpi /proc/asound /sys/firmware /proc/scsi /home /var 2>&1 | awk '
	/:$/ { folder = $0; print "list", folder; next }
	NF { print "list", folder, $0 }'
head -c 1 /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list \
	/proc/timer_stats /proc/sched_debug /etc/passwd 2>&1 | awk '
	/^(==>|head:)/ { name = $2; print "read", $0; next }
	NF { print "read", name, "has data" }'

# A new time is as much a change as a new byte, and does no harm. Only what
# must not be changed is told.
touch -c / /bin/busybox /proc/bus /proc/fs /proc/irq /proc/sys \
	/proc/sys/kernel/hostname /proc/sysrq-trigger /sys /sys/kernel \
	/sys/fs/cgroup /dev /dev/shm /dev/pts /tmp /home /etc/group /mnt \
	/mnt/* 2>&1 | say touch
(: >/made) 2>/dev/null
mkdir -p /tmp/made 2>/dev/null
ls -ldn /made /tmp/made 2>&1 | awk '{ print "made", $1, $3, $4, $NF }'
for path in /dev/*; do
	[ -c "$path" ] || [ -b "$path" ] || continue
	case $path in
	*/console | */tty | */ptmx | */std*) ;;
	*) echo "open $path $( (: <"$path") 2>&1)" ;;
	esac
done
find /mnt -type f -exec grep -H . {} + 2>/dev/null | say content

env | sort | say env
echo "hostname $(hostname)"
for name in kernel/domainname kernel/shmmax kernel/msgmax \
	net/ipv4/ip_forward net/ipv4/ip_unprivileged_port_start; do
	show sysctl "$name" "/proc/sys/$name"
done
for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
	for name in pids.max memory.max memory.limit_in_bytes \
		memory.soft_limit_in_bytes memory.low cpu.max cpu.shares \
		cpu.weight cpu.cfs_quota_us cpuset.cpus; do
		[ ! -e "$folder/$name" ] ||
			show limit "$name" "$folder/$name"
	done
done
ip -o link show lo 2>&1 | grep -o '<.*>' | say lo
echo "fd $(ls /proc/self/fd | tr '\n' ' ')"
tty | say tty
ls -lnL /proc/self/fd/1 | awk '{ print "output", $3 }'
exit 42
