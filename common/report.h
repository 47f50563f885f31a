/*
 * report: what a lesson says. The same calls make the text and the JSON, so
 * the two cannot disagree: a step is one JSON object, and the text is drawn
 * from that object when the step ends.
 *
 * A line that is printed as a fact is a check. What stands in the two views
 * has been read from the kernel, or printed by the container's own busybox.
 *
 * Only the process that called report_begin may call these functions.
 */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ns.h"
#include "options.h"

/* Begin: what the machine can do is settled, the host's fingerprint is taken.
 */
void report_begin(const struct lesson *lesson);

/*
 * Begin a step, and end the one before it.
 * facts: the numbers of the article's facts that it shows, "A05 A06".
 * title: what we do or ask, one line.
 */
void report_step(const char *facts, const char *title);

/* The system call, as it stands in the source: one line. */
void report_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line of the left view (the host) or of the right one (the container). In
 * a line that is too long for its half, the end is cut off; with nothing
 * beside it, it may take both. A text with many lines gives many. */
void report_host(const char *format, ...) __attribute__((format(printf, 1, 2)));
void
report_container(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line for --explain only. */
void
report_explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Checks. The claim comes last and is a format. Each returns whether it held.
 * equal: two numbers are equal; text: two words are. same: two namespaces are
 * one. other: they are two. error: a call that had to fail has failed so; 0
 * means that it did not.
 */
bool report_equal(long long expected, long long found, const char *claim, ...)
	__attribute__((format(printf, 3, 4)));
bool report_text(const char *expected, const char *found, const char *claim,
	...) __attribute__((format(printf, 3, 4)));
bool report_same(struct ns_id expected, struct ns_id found, const char *claim,
	...) __attribute__((format(printf, 3, 4)));
bool report_other(struct ns_id not_this, struct ns_id found, const char *claim,
	...) __attribute__((format(printf, 3, 4)));
bool report_error(int expected, int found, const char *claim, ...)
	__attribute__((format(printf, 3, 4)));

/* A claim that cannot be checked on this machine, and why. */
void report_skip(const char *claim, const char *reason);

/* With --hold: show commands for a second terminal, wait for Enter. */
void report_hold(pid_t pid);

/* A line on standard error that is neither fact nor failure. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print a JSON document of a tool on standard output, and free it. Ends by die
 * when it cannot be written. */
void report_document(json_t *document);

/* The machine cannot run this lesson: say why and the cure, exit 77. */
void
report_cannot(const char *reason, const char *cure) __attribute__((noreturn));

/*
 * End: the last step, the fingerprint again, the summary.
 * Returns the exit code: 0, or 1 when a check failed, when the host has
 * changed, or when the report could not be written.
 */
int report_end(void);

#endif
