/*
 * support: what the suites share. A lesson is run in a mount namespace whose
 * / is shared, as on a machine with systemd, and a guard takes the host's
 * fingerprint around it.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ns.h"

/* The suites; tests/main.c runs them all. */
Suite *suite_modules(void);
Suite *suite_bundle(void);
Suite *suite_scripts(void);
Suite *suite_lessons(void);
Suite *suite_doctor(void);
Suite *suite_documents(void);
Suite *suite_scan(void);
Suite *suite_listing(void);
Suite *suite_watch(void);
Suite *suite_cgroup(void);
Suite *suite_terminal(void);
Suite *suite_state(void);
Suite *suite_exec(void);
Suite *suite_share(void);
Suite *suite_agree(void);
Suite *suite_attacks(void);
Suite *suite_faults(void);
Suite *suite_crash(void);

/* Where Debian has the JSON schemas of the OCI runtime specification. */
#define SUPPORT_SCHEMA                                     \
	"/usr/share/gocode/src/github.com/opencontainers/" \
	"runtime-spec/schema"

/*
 * Does the machine have what a test needs: "root" (uid 0 with CAP_SYS_ADMIN),
 * "userns", "namespaces" (one of the two), "cgroup" (may be made), or the name
 * of a program? If not, print "SKIP test: reason", and remember a failure when
 * REQUIRE names it.
 */
bool support_have(const char *need, const char *test);

/* How often REQUIRE has named a need that was missing. */
int support_missing(void);

/* What became of a program. */
struct run {
	int code;      /* as a shell tells it */
	char *out;     /* standard output */
	char *err;     /* standard error */
	char *changes; /* what the guard found: NULL when nothing */
};

/*
 * Run a program to its end under the guard: at most 60 seconds, then it is
 * killed and its code is 124. The array ends with NULL. When `stdout_path` is
 * not NULL, standard output goes there.
 */
struct run support_run_to(const char *stdout_path, char *const argv[]);
struct run support_run(char *const argv[]);

/* The same with the words given one by one. */
#define RUN(...) support_run((char *const[]){__VA_ARGS__, NULL})

void support_run_free(struct run *run);

/* The same in two parts, so that several can run at once. */
struct started {
	pid_t guard;
	int report, out, err;
};

struct started support_begin(const char *stdout_path, char *const argv[]);
struct run support_end(struct started *started);

/* Fail the test unless the run ended with this code and left the host as it
 * was. Of what was printed, as much is told as libcheck has room for. */
#define ck_run(run, expected)                                                 \
	do {                                                                  \
		ck_assert_msg((run).changes == NULL, "host changed: %.3000s", \
			(run).changes);                                       \
		ck_assert_msg((run).code == (expected),                       \
			"exit code %d, expected %d\nstdout: %.1500s\n"        \
			"stderr: %.1500s",                                    \
			(run).code, (expected), (run).out, (run).err);        \
	} while (0)

/* Text as printf(3) makes it, to be freed. */
char *
support_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* FOLDER/NAME, to be freed. */
char *support_path(const char *folder, const char *name);

/* A new folder NAME.XXXXXX below $TMPDIR, as a path without links, because a
 * bundle's may have none. To be freed; support_remove removes it with all that
 * is in it. */
char *support_folder(const char *name);
void support_remove(const char *folder);

/* The namespace that a link of a process leads to. */
struct ns_id support_look(pid_t pid, const char *link);

/* support_have for each of some needs: SUPPORT_HAVE("test", "root", "runc") */
bool support_have_all(const char *test, const char *const needs[]);
#define SUPPORT_HAVE(test, ...) \
	support_have_all(test, (const char *const[]){__VA_ARGS__, NULL})

/*
 * A program on a terminal of its own (a pty), for what needs Enter, Ctrl-C, or
 * a look from outside while it lives.
 */
struct session {
	pid_t pid;   /* the guard's child: the program itself */
	pid_t guard; /* the process that takes the fingerprints */
	int terminal;
	int report; /* the guard writes its findings here */
	char *seen; /* all that has been printed so far, or NULL */
};

/* Start it. Ends the test on failure. */
struct session support_start(char *const argv[]);

/* Read until the text has been printed. Fails the test when the program ends
 * or 30 seconds pass before that. */
void support_expect(struct session *session, const char *text);

/* Type on its terminal. */
void support_type(struct session *session, const char *text);

/* Wait for its end. Returns as support_run does; err is "". */
struct run support_finish(struct session *session);

#endif
