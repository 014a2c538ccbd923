// SPDX-License-Identifier: Apache-2.0
/* The fault points as a build with FAULTS=1 has them, whatever this build is. */
#define _GNU_SOURCE
#undef WARDEN_FAULTS
#define WARDEN_FAULTS
#include "lib/fault.c"

#include <sys/wait.h>

#include "common/test.h"

static int calls;

static int work(int answer)
{
	calls++;
	return answer;
}

static int operation(int answer)
{
	return fault_around("test.operation", work(answer));
}

static int wished(const char *wish, int answer)
{
	int r;

	setenv("WARDEN_FAULT", wish, 1);
	calls = 0;
	r = operation(answer);
	unsetenv("WARDEN_FAULT");
	return r;
}

static void nothing_without_a_wish(void **state)
{
	(void)state;
	calls = 0;
	assert_int_equal(operation(7), 7);
	assert_int_equal(operation(-EPERM), -EPERM);
	assert_int_equal(calls, 2);
	assert_int_equal(wished("test.other.before:EIO", 0), 0);
	assert_int_equal(wished("test.operation.befor:EIO", 0), 0);
	assert_int_equal(wished("test.operation.before.more:EIO", 0), 0);
}

static int wait_for(int pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Counted in a process of its own: the passes are the whole program's. */
static int in_child(const char *wish, int times)
{
	int pid = test_fork(), status;

	if (!pid) {
		setenv("WARDEN_FAULT", wish, 1);
		calls = 0;
		for (int i = 1; i <= times; i++)
			if (operation(0))
				_exit(i * 16 + calls);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void fails_before_and_after(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(in_child("test.operation.before:EIO", 2)), 1 * 16 + 0);
	assert_int_equal(WEXITSTATUS(in_child("test.operation.after:EIO", 2)), 1 * 16 + 1);
	assert_int_equal(WEXITSTATUS(in_child("test.operation.before:ENOSPC:3", 4)), 3 * 16 + 2);
	assert_int_equal(in_child("test.operation.before:EIO:3", 2), 0);
}

static void the_errno_once(void **state)
{
	int pid = test_fork(), status;

	(void)state;
	if (!pid)
		_exit(wished("test.operation.before:ENOMEM", 0) == -ENOMEM && !wished("test.operation.before:ENOMEM", 0)
			      ? 0
			      : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void dies(void **state)
{
	int status = in_child("test.operation.after:KILL", 1);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	status = in_child("test.operation.after:KILL:2", 1);
	assert_int_equal(status, 0);
}

static void a_wrong_wish_does_not_pass(void **state)
{
	static const char *const wishes[] = {
		"test.operation.before:EWHAT", "test.operation.before:EIO:0", "test.operation.before:EIO:x",
		"test.operation.before:",      "test.operation.before:KIL",   "test.operation.before:KILLED",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		int status = in_child(wishes[i], 1);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

static int note(const char *name, void *ctx)
{
	unsigned int *seen = ctx;

	if (!strcmp(name, "test.operation.before"))
		*seen |= 1;
	if (!strcmp(name, "test.operation.after"))
		*seen |= 2;
	return 0;
}

static int stop(const char *name, void *ctx)
{
	(void)name;
	(*(int *)ctx)++;
	return 5;
}

static void all_are_listed(void **state)
{
	unsigned int seen = 0;
	int times = 0;

	(void)state;
	assert_int_equal(fault_for_each(note, &seen), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(fault_for_each(stop, &times), 5);
	assert_int_equal(times, 1);
}

/* A wish of another kind counts its passes from the beginning, and none is none. */
static void the_wish_of_a_file(void **state)
{
	const char *path = temp_path("wish");
	char at[PATH_MAX];
	int pid;

	(void)state;
	snprintf(at, sizeof(at), "@%s", path);
	pid = test_fork();
	if (!pid) {
		int wrong = 0;

		setenv("WARDEN_FAULT", at, 1);
		wrong |= operation(0) != 0;
		temp_file("wish", "test.operation.before:EIO:2\n", 28);
		wrong |= (operation(0) != 0) << 1 | (operation(0) != -EIO) << 2 | (operation(0) != 0) << 3;
		temp_file("wish", "test.operation.before:EIO:1\n", 28);
		wrong |= (operation(0) != -EIO) << 4;
		unlink(path);
		wrong |= (operation(0) != 0) << 5;
		_exit(wrong);
	}
	assert_int_equal(wait_for(pid), 0);
}

static void what_is_passed_is_told(void **state)
{
	char text[256] = "";
	FILE *file;

	(void)state;
	setenv("WARDEN_FAULT_TRACE", temp_path("trace"), 1);
	operation(0);
	operation(0);
	unsetenv("WARDEN_FAULT_TRACE");
	file = fopen(temp_path("trace"), "re");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, "test.operation.before\ntest.operation.after\n"
				  "test.operation.before\ntest.operation.after\n");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(nothing_without_a_wish),     cmocka_unit_test(the_errno_once),
		cmocka_unit_test(fails_before_and_after),     cmocka_unit_test(dies),
		cmocka_unit_test(a_wrong_wish_does_not_pass), cmocka_unit_test(all_are_listed),
		cmocka_unit_test(the_wish_of_a_file),         cmocka_unit_test(what_is_passed_is_told),
	};

	return RUN_CASES("fault", cases);
}
