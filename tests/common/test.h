/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests written in C share. A test program is one cmocka group; tests/check reads its TAP. */
#ifndef WARDEN_TEST_H
#define WARDEN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those above */

/* cmocka's would hide the project's fail(). */
#undef fail
#undef fail_msg
#define test_fail(...)                     \
	do {                               \
		print_error(__VA_ARGS__);  \
		print_error("\n");         \
		_fail(__FILE__, __LINE__); \
	} while (0)

/* To be called first in main(): with stdout in a pipe the order of lines would else be lost. */
void test_begin(void);

/* Ends the case as skipped; the reason stands in a line of its own, as cmocka's TAP has no place for it. */
void skip_because(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An empty folder of this process, removed when it exits. The same one each time. */
const char *temp_dir(void);

/* PATH in that folder. Valid until the sixteenth next call. */
const char *temp_path(const char *name);

/* A file with that content in that folder; its path. */
const char *temp_file(const char *name, const void *bytes, size_t len);

/* Gives this process mounts of its own that the machine does not see: 0 or -errno, the same answer each time. */
int private_mounts(void);

/* fork(), but the child does not outlive the test: it would hold the pipe on which tests/check waits for the end. */
int test_fork(void);

void assert_contains(const char *text, const char *piece);

/* Runs a whole program of cases. */
#define RUN_CASES(name, cases) (test_begin(), cmocka_run_group_tests_name(name, cases, NULL, NULL))

#endif
