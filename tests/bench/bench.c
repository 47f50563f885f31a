/*
 * bench: how fast the lessons are beside the tools that they stand in for, see
 * measure.h. Peers that are not installed are left out; CINF=path names a cinf.
 * tests/bench/README.md tells what each line compares.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "containers.h"
#include "die.h"
#include "measure.h"

enum { ROUNDS = 40 };

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
	measure_finish(filled->pid, "fill");
}

/* What one process more costs: without the start of the program, and without
 * the processes of the machine itself. */
static double
cost(char *const argv[], double idle, int processes)
{
	return (measure_run(argv) - idle) / processes;
}

static char *list[] = {"./lesson07", "--list", NULL};
static char *quick[] = {"./lesson07", "--list", "--quick", NULL};
static char *commands[] = {"./lesson07", "--list", "--quick", "--output",
	"NAMESPACE,TYPE,NPROCS,PID,USER,COMMAND", NULL};

/* Is one process of many dearer than one of few? */
static void
growth(char *processes, char *sets)
{
	enum { MANY = 5000 };
	struct line line = {.goal = 1.1, .unit = "times", .of = "us a process"};
	double few[ROUNDS], idle[ROUNDS];

	if (asprintf(&line.what,
		    "lesson07 --list --quick: time per process"
		    " at 5,000 over that at %s",
		    processes) == -1)
		die("malloc");
	for (int i = 0; i < ROUNDS; i++)
		idle[i] = measure_run(quick);
	struct filled some = fill(processes, sets);
	for (int i = 0; i < ROUNDS; i++)
		few[i] = cost(quick, idle[i], (int)strtol(processes, NULL, 10));
	empty(&some);
	struct filled many = fill("5000", "1000");
	for (int i = 0; i < ROUNDS; i++) {
		double a = cost(quick, idle[i], MANY);

		line_add(&line, a / few[i], a * 1e6, few[i] * 1e6);
	}
	empty(&many);
	line_tell(&line);
	free(line.what);
}

/* How many times as long a peer takes. lsns and cinf tell what we do: all
 * types, and a command for each namespace; ps tells one type. The whole list,
 * with what keeps namespaces alive, is more than a peer tells. */
static void
compare_listing(char *const peer[], double goal, double whole)
{
	struct line line = {
		.goal = goal, .at_least = true, .unit = "times", .of = "ms"};
	struct line more = line;

	if (!measure_installed(peer[0]))
		return;
	if (asprintf(&line.what,
		    "lesson07, all types with commands, against %s",
		    peer[0]) == -1 ||
		asprintf(&more.what, "lesson07 --list, against %s", peer[0]) ==
			-1)
		die("malloc");
	more.goal = whole;
	for (int i = 0; i < ROUNDS; i++) {
		double a = measure_run(commands), b = measure_run(peer);

		line_add(&line, b / a, a * 1e3, b * 1e3);
		if (whole > 0) {
			a = measure_run(list);
			line_add(&more, b / a, a * 1e3, b * 1e3);
		}
	}
	line_tell(&line);
	if (whole > 0)
		line_tell(&more);
	free(line.what);
	free(more.what);
}

static void
listing(void)
{
	enum { FEW = 8 };
	struct line memory = {.what = "lesson07 --list: memory at its most",
		.goal = 8192,
		.unit = "KiB"};

	struct filled many = fill("5000", "1000");
	line_head("5,000 processes in 1,000 sets of five new namespaces:");
	compare_listing((char *[]){"lsns", NULL}, 12, 6);
	compare_listing((char *[]){"ps", "-eo", "pid,pidns", NULL}, 4, 0);
	compare_listing((char *[]){"build/tests/bench/opens", NULL}, 10, 0);
	if (getenv("CINF") != NULL)
		compare_listing((char *[]){getenv("CINF"), NULL}, 20, 10);
	for (int i = 0; i < FEW; i++)
		line_add(&memory,
			(double)measure_finish(
				measure_start(list, "/dev/null"), list[0])
				.memory,
			0, 0);
	line_tell(&memory);
	empty(&many);
}

/* --- lesson06 ------------------------------------------------------------ */

static char *load[] = {
	"build/tests/bench/load", "8", "4000", "build/tests/bench/tiny", NULL};

enum { EXECS = 4000 };

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
	pid_t pid = measure_start(argv, path);
	const struct timespec pause = {.tv_sec = (time_t)stall};
	char *text = NULL;
	size_t size = 0;

	await_heads(path);
	double begin = measure_seconds();
	pid_t loader = measure_start(load, "/dev/null");
	if (stall > 0) {
		if (kill(pid, SIGSTOP) == -1)
			die("kill %d", pid);
		nanosleep(&pause, NULL);
		if (kill(pid, SIGCONT) == -1)
			die("kill %d", pid);
	}
	measure_finish(loader, load[0]);
	watched.load = EXECS / (measure_seconds() - begin);
	if (kill(pid, SIGTERM) == -1)
		die("kill %d", pid);
	watched.cpu = measure_finish(pid, argv[0]).cpu * 1e6 / EXECS;
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
	struct line lost = {
		.what = "lesson06: events lost, 8 workers", .unit = "events"};
	struct line rate = {.what = "lesson06: execs while it watches",
		.goal = 16000,
		.at_least = true,
		.unit = "a second",
		.of = "a second (ours, unwatched)"};
	struct line named = {.what = "lesson06: right names of processes that"
				     " live for 50 us",
		.goal = 0.999,
		.at_least = true,
		.unit = "of all",
		.of = "(ours, forkstat)"};
	struct line cpu = {.what = "lesson06: CPU an exec",
		.goal = 5,
		.unit = "us",
		.of = "us (ours, forkstat)"};
	struct line slower = {.what = "lesson06: time that a watched exec takes"
				      " longer, against forkstat",
		.goal = 0.2,
		.unit = "times",
		.of = "us (ours, forkstat)"};
	struct line stalled = {
		.what = "lesson06: events lost in a stall of 2 s",
		.unit = "events"};
	bool forkstat = measure_installed("forkstat");

	for (int i = 0; i < ROUNDS; i++) {
		double alone = EXECS / measure_run(load);
		struct watched a = watch(ours, path, 0), b = {0};

		line_add(&lost, (double)a.lost, 0, 0);
		line_add(&rate, a.load, a.load, alone);
		if (forkstat) {
			b = watch(peer, path, 0);
			double our = 1e6 / a.load - 1e6 / alone;
			double its = 1e6 / b.load - 1e6 / alone;
			line_add(&slower, our / its, our, its);
		}
		line_add(&named, a.named, a.named, b.named);
		line_add(&cpu, a.cpu, a.cpu, b.cpu);
	}
	for (int i = 0; i < 3; i++)
		line_add(&stalled, (double)watch(ours, path, 2).lost, 0, 0);
	line_tell(&lost);
	line_tell(&rate);
	line_tell(&named);
	line_tell(&cpu);
	if (forkstat)
		line_tell(&slower);
	line_tell(&stalled);
}

/* --- all of it ------------------------------------------------------------ */

static void
whole(char *what, double goal, char *const argv[])
{
	struct line line = {.what = what, .goal = goal, .unit = "s"};

	for (int i = 0; i < 3; i++)
		line_add(&line, measure_run(argv), 0, 0);
	line_tell(&line);
}

/* From the files as they are; a copy is built, so nothing is built anew. */
static char build[] =
	"copy=$(mktemp -d) && trap 'rm -rf \"$copy\"' EXIT &&"
	" cp -r Makefile bundle common lessons scripts tests \"$copy\" &&"
	" make -s -j2 -C \"$copy\" all";

/* Nothing on standard input: a runtime might make it its container's. */
static void
close_input(void)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) == -1)
		die("pipe2");
	if (dup2(fd[0], STDIN_FILENO) == -1)
		die("dup2");
	close(fd[0]);
	close(fd[1]);
}

int
main(int argc, char **argv)
{
	char path[] = "/tmp/nslessons-bench-XXXXXX";
	bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;

	if (argc > 2 || (argc == 2 && !as_json))
		die_plain(DIE_USAGE, "usage: bench [--json]");
	if (geteuid() != 0)
		die_plain(DIE_CANNOT, "namespaces by the thousand need root");
	close_input();
	measure_begin(as_json);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd == -1)
		die("mkostemp %s", path);
	close(fd);
	whole("make tour, without the build", 10,
		(char *[]){"scripts/tour", NULL});
	whole("make -j2 from nothing", 15, (char *[]){"sh", "-c", build, NULL});
	growth("500", "100");
	listing();
	watching(path);
	if (unlink(path) == -1)
		die("unlink %s", path);
	containers_start();
	containers_exec();
	return measure_end() == 0 ? 0 : DIE_FAILED;
}
