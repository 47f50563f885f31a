#include "measure.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"

static bool as_json;
static json_t *document;
static int missed;

double
measure_seconds(void)
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

pid_t
measure_start(char *const argv[], const char *output)
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
	int silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (silent == -1)
		die("open /dev/null");
	if (dup2(out, STDOUT_FILENO) == -1 || dup2(silent, STDERR_FILENO) == -1)
		die("dup2");
	execvp(argv[0], argv);
	_exit(127);
}

struct used
measure_finish(pid_t pid, const char *program)
{
	struct rusage usage;
	int status;

	if (wait4(pid, &status, 0, &usage) == -1)
		die("wait4 %d", pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		die_plain(DIE_FAILED, "%s has failed", program);
	return (struct used){
		cpu_seconds(&usage), usage.ru_maxrss, WEXITSTATUS(status)};
}

double
measure_run(char *const argv[])
{
	double begin = measure_seconds();

	measure_finish(measure_start(argv, "/dev/null"), argv[0]);
	return measure_seconds() - begin;
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

void
line_add(struct line *line, double value, double first, double second)
{
	line->values[line->rounds++] = value;
	line->first += first;
	line->second += second;
}

void
line_tell(struct line *line)
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

bool
measure_installed(const char *program)
{
	char *command;

	if (asprintf(&command, "command -v %s >/dev/null", program) == -1)
		die("malloc");
	pid_t pid = measure_start(
		(char *[]){"sh", "-c", command, NULL}, "/dev/null");
	int status;
	if (waitpid(pid, &status, 0) == -1)
		die("waitpid %d", pid);
	free(command);
	if (status != 0)
		fprintf(stderr, "left out: %s is not installed\n", program);
	return status == 0;
}

void
line_head(const char *text)
{
	if (!as_json)
		puts(text);
}

void
measure_begin(bool json)
{
	as_json = json;
	document = json_array();
	if (document == NULL)
		die("malloc");
}

int
measure_end(void)
{
	if (as_json && json_dumpf(document, stdout, JSON_INDENT(1)) == -1)
		die("write standard output");
	if (!as_json)
		printf("%d goals not met\n", missed);
	json_decref(document);
	return missed;
}
