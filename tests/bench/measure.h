/*
 * measure: two programs in turn, A B A B; each round gives one ratio, and what
 * is told is the median of the ratios, with the tenth and the ninetieth
 * percentile. Absolute times stand beside them. Ends by die where a program
 * fails.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <sys/types.h>

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

/* What a program has used: seconds of CPU, and KiB of memory at its most. Its
 * exit code is 0 or 1. */
struct used {
	double cpu;
	long memory;
	int code;
};

double measure_seconds(void);

/* Start a program with its output going to this file, which is empty then.
 * What it says on standard error, it says in each round: nobody hears it. */
pid_t measure_start(char *const argv[], const char *output);

/* Wait for its end. An exit code of 1 is no failure: lsns ends so when a
 * process vanishes while it looks. */
struct used measure_finish(pid_t pid, const char *program);

/* The time from start to exit, in seconds. */
double measure_run(char *const argv[]);

/* Is there such a program? If not, say that its lines are left out. */
bool measure_installed(const char *program);

/* Add a round: the ratio, and what A and B have in its place. */
void line_add(struct line *line, double value, double first, double second);

/* Print a line; as JSON, keep it for the end. */
void line_tell(struct line *line);

/* Print what the next lines are about. */
void line_head(const char *text);

/* Begin and end the table. Returns how many goals are not met. */
void measure_begin(bool as_json);
int measure_end(void);

#endif
