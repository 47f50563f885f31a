/*
 * bench: how fast the lessons are beside the tools that they stand in for.
 * Both run in turn, A B A B; each round gives one ratio, and what is told is
 * the median of the ratios, with the tenth and the ninetieth percentile.
 * Absolute times stand beside them. Peers that are not installed are left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"

enum { MOST_ROUNDS = 100 };

/* One line of the table. */
struct line {
	char *what;
	double goal;
	bool at_least; /* the goal: else at most */
	const char *unit;
	double values[MOST_ROUNDS];
	int rounds;
	double first, second; /* sums of A's and B's figures */
	const char *of;	      /* what these are: "ms" */
};

static bool as_json;
static json_t *document;
static int missed;

static double
seconds(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time) == -1)
		die("clock_gettime");
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double
cpu_seconds(const struct rusage *usage)
{
	return (double)usage->ru_utime.tv_sec + (double)usage->ru_stime.tv_sec +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) /
		       1e6;
}

/* Start a program with its output going to this file, which is empty then. */
static pid_t
start(char *const argv[], const char *output)
{
	int out = open(output, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (out == -1)
		die("open %s", output);
	pid_t pid = fork();
	if (pid == -1)
		die("fork");
	if (pid > 0) {
		close(out);
		return pid;
	}
	/* What it says of the machine, it says in each round. */
	int silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (silent == -1)
		die("open /dev/null");
	if (dup2(out, STDOUT_FILENO) == -1 || dup2(silent, STDERR_FILENO) == -1)
		die("dup2");
	execvp(argv[0], argv);
	_exit(127);
}

/* Wait for its end. Returns the CPU time that it has used, in seconds. */
static double
finish(pid_t pid, const char *program)
{
	struct rusage usage;
	int status;

	if (wait4(pid, &status, 0, &usage) == -1)
		die("wait4 %d", pid);
	/* lsns ends with 1 when a process vanishes while it looks. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		die_plain(DIE_FAILED, "%s has failed", program);
	return cpu_seconds(&usage);
}

/* The time from start to exit, in seconds. */
static double
run(char *const argv[])
{
	double begin = seconds();

	finish(start(argv, "/dev/null"), argv[0]);
	return seconds() - begin;
}

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double
percentile(const struct line *line, int percent)
{
	return line->values[(line->rounds - 1) * percent / 100];
}

static void
add(struct line *line, double value, double first, double second)
{
	line->values[line->rounds++] = value;
	line->first += first;
	line->second += second;
}

static void
tell(struct line *line)
{
	qsort(line->values, line->rounds, sizeof(double), compare);
	double median = percentile(line, 50);
	bool met = line->at_least ? median >= line->goal : median <= line->goal;

	missed += !met;
	json_array_append_new(document,
		json_pack("{s:s, s:f, s:f, s:f, s:s, s:f, s:b, s:i, s:f, s:f}",
			"line", line->what, "median", median, "p10",
			percentile(line, 10), "p90", percentile(line, 90),
			"unit", line->unit, "goal", line->goal, "met", met,
			"rounds", line->rounds, "mean_a",
			line->first / line->rounds, "mean_b",
			line->second / line->rounds));
	if (as_json)
		return;
	printf("%s\n  %.3g %s (%.3g to %.3g)   goal %s %.3g: %s", line->what,
		median, line->unit, percentile(line, 10), percentile(line, 90),
		line->at_least ? ">=" : "<=", line->goal,
		met ? "met" : "NOT met");
	if (line->of != NULL)
		printf("   [%.4g, %.4g %s]", line->first / line->rounds,
			line->second / line->rounds, line->of);
	putchar('\n');
	fflush(stdout);
}

static bool
installed(const char *program)
{
	char *command;

	if (asprintf(&command, "command -v %s >/dev/null", program) == -1)
		die("malloc");
	pid_t pid = start((char *[]){"sh", "-c", command, NULL}, "/dev/null");
	int status;
	if (waitpid(pid, &status, 0) == -1)
		die("waitpid %d", pid);
	free(command);
	if (status != 0)
		fprintf(stderr, "left out: %s is not installed\n", program);
	return status == 0;
}

/* --- lesson07 ----------------------------------------------------------- */

/* A machine that is filled with processes, until its input is closed. */
struct filled {
	pid_t pid;
	int input;
};

static struct filled
fill(char *processes, char *sets)
{
	struct filled filled;
	int input[2], output[2];
	char text[16];

	if (pipe2(input, O_CLOEXEC) == -1 || pipe2(output, O_CLOEXEC) == -1)
		die("pipe2");
	filled.pid = fork();
	if (filled.pid == -1)
		die("fork");
	if (filled.pid == 0) {
		if (dup2(input[0], STDIN_FILENO) == -1 ||
			dup2(output[1], STDOUT_FILENO) == -1)
			die("dup2");
		execl("build/tests/bench/fill", "fill", processes, sets, NULL);
		die("exec build/tests/bench/fill");
	}
	close(input[0]);
	close(output[1]);
	if (read(output[0], text, sizeof(text)) <= 0)
		die_plain(DIE_FAILED, "the machine could not be filled");
	close(output[0]);
	filled.input = input[1];
	return filled;
}

static void
empty(struct filled *filled)
{
	close(filled->input);
	finish(filled->pid, "fill");
}

/* How many times as long as lesson07 a peer takes, with and without a look for
 * what has no process. */
struct peer {
	char *argv[4];
	struct line list, quick;
};

static void
begin_peer(struct peer *peer, double list, double quick)
{
	peer->list = (struct line){
		.goal = list, .at_least = true, .unit = "times", .of = "ms"};
	peer->quick = peer->list;
	peer->quick.goal = quick;
	if (asprintf(&peer->list.what, "lesson07 --list, against %s",
		    peer->argv[0]) == -1 ||
		asprintf(&peer->quick.what,
			"lesson07 --list --quick, against %s",
			peer->argv[0]) == -1)
		die("malloc");
}

static void
end_peer(struct peer *peer)
{
	if (peer->list.goal > 0)
		tell(&peer->list);
	tell(&peer->quick);
	free(peer->list.what);
	free(peer->quick.what);
}

/* What one process more costs: without the start of the program, and without
 * the processes of the machine itself. */
static double
cost(char *const argv[], double idle, int processes)
{
	return (run(argv) - idle) / processes;
}

static char *list[] = {"./lesson07", "--list", NULL};
static char *quick[] = {"./lesson07", "--list", "--quick", NULL};

/* Is one process of many dearer than one of few? */
static void
growth(char *processes, char *sets)
{
	enum { ROUNDS = 10, MANY = 5000 };
	struct line line = {.goal = 1.1, .unit = "times", .of = "us a process"};
	double few[ROUNDS], idle[ROUNDS];

	if (asprintf(&line.what,
		    "lesson07 --list --quick: time per process"
		    " at 5,000 over that at %s",
		    processes) == -1)
		die("malloc");
	for (int i = 0; i < ROUNDS; i++)
		idle[i] = run(quick);
	struct filled some = fill(processes, sets);
	for (int i = 0; i < ROUNDS; i++)
		few[i] = cost(quick, idle[i], (int)strtol(processes, NULL, 10));
	empty(&some);
	struct filled many = fill("5000", "1000");
	for (int i = 0; i < ROUNDS; i++) {
		double a = cost(quick, idle[i], MANY);

		add(&line, a / few[i], a * 1e6, few[i] * 1e6);
	}
	empty(&many);
	tell(&line);
	free(line.what);
}

/* Where ps is the peer, it tells one type; so only the quick way is beside. */
static void
listing(void)
{
	enum { ROUNDS = 12, PEERS = 3 };
	struct peer peers[PEERS] = {{.argv = {"lsns"}},
		{.argv = {"ps", "-eo", "pid,pidns"}},
		{.argv = {getenv("CINF")}}};
	int count = getenv("CINF") == NULL ? PEERS - 1 : PEERS;

	begin_peer(&peers[0], 6, 6);
	begin_peer(&peers[1], 0, 2);
	if (count == PEERS)
		begin_peer(&peers[2], 10, 10);
	struct filled many = fill("5000", "1000");
	for (int i = 0; i < ROUNDS; i++)
		for (int k = 0; k < count; k++) {
			double a = run(list), b = run(quick);
			double peer = run(peers[k].argv);

			add(&peers[k].list, peer / a, a * 1e3, peer * 1e3);
			add(&peers[k].quick, peer / b, b * 1e3, peer * 1e3);
		}
	empty(&many);
	if (!as_json)
		puts("5,000 processes in 1,000 sets of five new namespaces:");
	for (int k = 0; k < count; k++)
		end_peer(&peers[k]);
}

/* --- lesson06 ------------------------------------------------------------ */

static char *load[] = {
	"build/tests/bench/load", "8", "16000", "build/tests/bench/tiny", NULL};

enum { EXECS = 16000 };

/* Wait until a watcher has printed the heads of its columns. */
static void
await_heads(const char *path)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	char text[4] = "";

	for (int i = 0; i < 500 && strncmp(text, "Time", 4) != 0; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd != -1 && read(fd, text, sizeof(text)) == -1)
			die("read %s", path);
		close(fd);
		nanosleep(&moment, NULL);
	}
}

/* What a watcher has done during a load. */
struct watched {
	double cpu;   /* microseconds of CPU an exec */
	double load;  /* execs a second */
	double named; /* of the load's execs, with the right name: a share */
	long lost;    /* as lesson06 says; forkstat says nothing */
};

static struct watched
watch(char *const argv[], const char *path, double stall)
{
	struct watched watched = {.lost = -1};
	pid_t pid = start(argv, path);
	const struct timespec pause = {.tv_sec = (time_t)stall};
	char *text = NULL;
	size_t size = 0;

	await_heads(path);
	double begin = seconds();
	pid_t loader = start(load, "/dev/null");
	if (stall > 0) {
		if (kill(pid, SIGSTOP) == -1)
			die("kill %d", pid);
		nanosleep(&pause, NULL);
		if (kill(pid, SIGCONT) == -1)
			die("kill %d", pid);
	}
	finish(loader, load[0]);
	watched.load = EXECS / (seconds() - begin);
	if (kill(pid, SIGTERM) == -1)
		die("kill %d", pid);
	watched.cpu = finish(pid, argv[0]) * 1e6 / EXECS;
	FILE *in = fopen(path, "re");
	if (in == NULL)
		die("open %s", path);
	while (getline(&text, &size, in) != -1) {
		watched.named += strstr(text, " exec ") != NULL &&
				 strstr(text, "tiny") != NULL;
		const char *told = strstr(text, " events, ");
		if (told != NULL)
			watched.lost = strtol(told + 9, NULL, 10);
	}
	watched.named /= EXECS;
	free(text);
	if (fclose(in) == EOF)
		die("close %s", path);
	return watched;
}

static void
watching(const char *path)
{
	char *ours[] = {"./lesson06", "-e", "exec,exit", NULL};
	char *peer[] = {"forkstat", "-l", "-e", "exec,exit", NULL};
	struct line lost = {.what = "lesson06: events lost, 8 workers",
		.unit = "events",
		.of = "execs/s (ours, unwatched)"};
	struct line named = {.what = "lesson06: right names of processes that"
				     " live for 50 us",
		.goal = 0.999,
		.at_least = true,
		.unit = "of all",
		.of = "(ours, forkstat)"};
	struct line cpu = {.what = "lesson06: CPU an exec",
		.goal = 10,
		.unit = "us",
		.of = "us (ours, forkstat)"};
	struct line stalled = {
		.what = "lesson06: events lost in a stall of 2 s",
		.unit = "events"};
	bool forkstat = installed("forkstat");

	for (int i = 0; i < 10; i++) {
		double alone = EXECS / run(load);
		struct watched a = watch(ours, path, 0), b = {0};

		if (forkstat)
			b = watch(peer, path, 0);
		add(&lost, (double)a.lost, a.load, alone);
		add(&named, a.named, a.named, b.named);
		add(&cpu, a.cpu, a.cpu, b.cpu);
	}
	for (int i = 0; i < 3; i++)
		add(&stalled, (double)watch(ours, path, 2).lost, 0, 0);
	tell(&lost);
	tell(&named);
	tell(&cpu);
	tell(&stalled);
}

int
main(int argc, char **argv)
{
	char path[] = "/tmp/nslessons-bench-XXXXXX";

	as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	if (argc > 2 || (argc == 2 && !as_json))
		die_plain(DIE_USAGE, "usage: bench [--json]");
	if (geteuid() != 0)
		die_plain(DIE_CANNOT, "namespaces by the thousand need root");
	document = json_array();
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd == -1)
		die("mkostemp %s", path);
	close(fd);
	growth("100", "20");
	growth("500", "100");
	listing();
	watching(path);
	if (unlink(path) == -1)
		die("unlink %s", path);
	if (as_json && json_dumpf(document, stdout, JSON_INDENT(1)) == -1)
		die("write standard output");
	if (!as_json)
		printf("%d goals not met\n", missed);
	json_decref(document);
	return missed == 0 ? 0 : DIE_FAILED;
}
