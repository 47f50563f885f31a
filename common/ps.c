#include "ps.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "display.h"
#include "proc.h"
#include "user.h"

static long long
number(const char *stat, int field)
{
	const char *at = proc_stat_field(stat, field);

	return at == NULL ? 0 : strtoll(at, NULL, 10);
}

/* Seconds since 1970, or 0. */
static time_t
boot_time(void)
{
	FILE *in = fopen("/proc/stat", "re");
	long long seconds = 0;
	char *line = NULL;
	size_t size = 0;

	if (in == NULL)
		return 0;
	while (getline(&line, &size, in) != -1)
		if (strncmp(line, "btime ", 6) == 0)
			seconds = strtoll(line + 6, NULL, 10);
	free(line);
	(void)fclose(in);
	return (time_t)seconds;
}

/* The effective user's name, or number when it has none. */
static void
print_user(FILE *out, pid_t pid)
{
	char *uids = proc_status(pid, "Uid"), *end = NULL;
	uid_t uid = 0;

	if (uids != NULL) {
		strtoul(uids, &end, 10);
		uid = (uid_t)strtoul(end, NULL, 10);
	}
	free(uids);
	char *name = user_name(uid);
	display_column(out, name, 8);
	free(name);
}

/* The hour today, the day in this year, else the year. */
static void
print_start(FILE *out, time_t start)
{
	time_t now = time(NULL);
	struct tm then, today;
	char text[16];

	if (localtime_r(&start, &then) == NULL ||
		localtime_r(&now, &today) == NULL)
		die("localtime");
	const char *format = then.tm_year != today.tm_year   ? "%Y"
			     : then.tm_yday != today.tm_yday ? "%b%d"
							     : "%H:%M";
	if (strftime(text, sizeof(text), format, &then) == 0)
		die("strftime");
	fprintf(out, " %-5s", text);
}

/* The numbers of terminals stand in Documentation/admin-guide/devices.txt of
 * the kernel. */
static void
print_terminal(FILE *out, unsigned device)
{
	char text[32] = "?";

	if (major(device) >= 136 && major(device) <= 143)
		snprintf(text, sizeof(text), "pts/%u",
			(major(device) - 136) * 256 + minor(device));
	else if (major(device) == 4)
		snprintf(text, sizeof(text), "tty%s%u",
			minor(device) < 64 ? "" : "S", minor(device) % 64);
	fprintf(out, " %-8s", text);
}

static void
print_command(FILE *out, pid_t pid)
{
	char *name = proc_name(pid);
	char command[4096];
	ssize_t n = proc_peek(pid, "cmdline", command, sizeof(command));

	/* The arguments end in a zero byte each. */
	for (ssize_t i = 0; i < n - 1; i++)
		if (command[i] == '\0')
			command[i] = ' ';
	char *clean = display_clean(n > 0 ? command : name == NULL ? "" : name);
	fprintf(out, n > 0 ? " %s\n" : " [%s]\n", clean);
	free(clean);
	free(name);
}

static void
print_process(FILE *out, pid_t pid, const char *stat, time_t boot)
{
	long ticks = sysconf(_SC_CLK_TCK);
	long long used = (number(stat, 14) + number(stat, 15)) / ticks;
	time_t start = boot + (time_t)(number(stat, 22) / ticks);
	long long age = (long long)(time(NULL) - start);

	print_user(out, pid);
	fprintf(out, " %7d %7lld %2lld", pid, number(stat, 4),
		age > 0 ? used * 100 / age : 0);
	print_start(out, start);
	print_terminal(out, (unsigned)number(stat, 7));
	fprintf(out, " %02lld:%02lld:%02lld", used / 3600, used / 60 % 60,
		used % 60);
	print_command(out, pid);
}

void
ps_print(FILE *out, const pid_t *pids, int count)
{
	time_t boot = boot_time();

	fprintf(out, "%-8s %7s %7s %2s %-5s %-8s %8s %s\n", "UID", "PID",
		"PPID", "C", "STIME", "TTY", "TIME", "CMD");
	for (int i = 0; i < count; i++) {
		char *stat = proc_read(pids[i], "stat");

		if (stat != NULL)
			print_process(out, pids[i], stat, boot);
		free(stat);
	}
}
