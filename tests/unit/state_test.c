// SPDX-License-Identifier: Apache-2.0
#include "config/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "lib/version.h"

static const char *dir(void)
{
	return temp_path("state/format-test");
}

static const char *file(void)
{
	return temp_path("state/format-test/format");
}

static void assert_file(const char *expected)
{
	char line[96];

	assert_int_equal(read_line(file(), line, sizeof(line)), 0);
	assert_string_equal(line, expected);
}

static void write_file(const char *text)
{
	_cleanup_close_ int fd = open(file(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static int refused(const char *text, const char *why)
{
	struct err err = {};
	int r;

	write_file(text);
	r = state_open(dir(), &err);
	assert_non_null(strstr(err.text, why));
	assert_file(text);
	return r;
}

static void its_own(void **state)
{
	struct err err;
	char expected[96];

	(void)state;
	snprintf(expected, sizeof(expected), "%d %s", STATE_FORMAT, WARDEN_VERSION);
	assert_int_equal(state_open("", &err), 0);
	assert_int_equal(state_open(dir(), &err), 0);
	assert_file(expected);
	write_file("1 0.0.1\n");
	assert_int_equal(state_open(dir(), &err), 0);
	assert_file(expected);
}

static void a_later_one(void **state)
{
	(void)state;
	assert_int_equal(refused("2147483647 9.9.9", "wardend 9.9.9 wrote it in format 2147483647"), -EPROTO);
	assert_int_equal(refused("2147483647", "of a later version"), -EPROTO);
}

static void what_is_no_format(void **state)
{
	static const char *const texts[] = { "x", "0 0.1.0", "-1", "1x 0.1.0", " 1", "99999999999999999999 1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(refused(texts[i], "not a format of a wardend"), -EBADMSG);
}

static void an_empty_file(void **state)
{
	struct err err;

	(void)state;
	write_file("");
	assert_int_equal(state_open(dir(), &err), -EBADMSG);
}

static void nothing_is_left(void **state)
{
	struct stat status;
	struct err err;

	(void)state;
	write_file("1 0.1.0\n");
	assert_int_equal(state_remove(dir(), &err), 0);
	assert_int_equal(stat(dir(), &status), -1);
	assert_int_equal(state_remove(dir(), &err), 0);
}

/* What others have there stays. */
static void what_is_attached_is_left(void **state)
{
	struct stat status;
	struct err err;

	(void)state;
	assert_int_equal(make_dirs(temp_path("state/format-test/attach/one")), 0);
	write_file("1 0.1.0\n");
	assert_int_equal(state_remove(dir(), &err), 0);
	assert_int_equal(stat(temp_path("state/format-test/attach/one"), &status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own),           cmocka_unit_test(a_later_one),
		cmocka_unit_test(what_is_no_format), cmocka_unit_test(an_empty_file),
		cmocka_unit_test(nothing_is_left),   cmocka_unit_test(what_is_attached_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
