/* Runs all suites. CK_RUN_SUITE=lessons runs one, see Check's manual. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

int
main(void)
{
	const char *fork_mode = getenv("CK_FORK");

	/* A test that calls unshare(2) would change all that follow. */
	if (fork_mode != NULL && strcmp(fork_mode, "no") == 0) {
		fprintf(stderr,
			"CK_FORK=no: each test needs its own process\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* The width of a line is counted in characters, not in bytes. */
	if (setlocale(LC_ALL, "C.UTF-8") == NULL)
		return 2;
	SRunner *runner = srunner_create(suite_modules());
	srunner_add_suite(runner, suite_lessons());
	srunner_add_suite(runner, suite_bundle());
	srunner_add_suite(runner, suite_scripts());
	srunner_add_suite(runner, suite_doctor());
	srunner_add_suite(runner, suite_documents());
	srunner_add_suite(runner, suite_watch());
	srunner_add_suite(runner, suite_scan());
	srunner_add_suite(runner, suite_listing());
	srunner_add_suite(runner, suite_cgroup());
	srunner_add_suite(runner, suite_terminal());
	srunner_add_suite(runner, suite_state());
	srunner_add_suite(runner, suite_exec());
	srunner_add_suite(runner, suite_share());
	srunner_add_suite(runner, suite_agree());
	srunner_add_suite(runner, suite_attacks());
	srunner_add_suite(runner, suite_faults());
	srunner_add_suite(runner, suite_crash());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 && support_missing() == 0 ? 0 : 1;
}
