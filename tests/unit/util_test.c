// SPDX-License-Identifier: Apache-2.0
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/err.h"

static int parse(const char *text, int base, uint64_t min, uint64_t max, uint64_t *value)
{
	*value = 4711;
	return parse_u64(text, base, min, max, value);
}

static void numbers(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(parse("0", 10, 0, 0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse("18446744073709551615", 10, 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse("ffffffffffffffff", 16, 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse("007", 10, 0, 10, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(parse("10", 16, 0, 16, &v), 0);
	assert_int_equal(v, 16);
}

static void numbers_out_of_range(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(parse("18446744073709551616", 10, 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(parse("10000000000000000", 16, 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(parse("4", 10, 5, 9, &v), -ERANGE);
	assert_int_equal(parse("10", 10, 5, 9, &v), -ERANGE);
	assert_int_equal(v, 4711);
	assert_int_equal(parse("5", 10, 5, 9, &v), 0);
	assert_int_equal(parse("9", 10, 5, 9, &v), 0);
}

static void not_numbers(void **state)
{
	static const char *const wrong[] = { "",   " ",  " 1", "1 ", "\t1", "\n1", "1\n", "+1",
					     "-1", "-0", "x",  "1x", "0x1", "1.0", "1e3", "٣" };
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (parse(wrong[i], 10, 0, UINT64_MAX, &v) != -EINVAL)
			test_fail("\"%s\" is taken for a number", wrong[i]);
		assert_int_equal(v, 4711);
	}
	assert_int_equal(parse(NULL, 10, 0, 1, &v), -EINVAL);
	/* White space that isspace() knows and people forget. */
	assert_int_equal(parse("\v1", 10, 0, 1, &v), -EINVAL);
	assert_int_equal(parse("\r1", 10, 0, 1, &v), -EINVAL);
	assert_int_equal(parse("\f-1", 10, 0, UINT64_MAX, &v), -EINVAL);
}

static void snprintf_that_tells(void **state)
{
	char to[4];

	(void)state;
	assert_int_equal(try_snprintf(to, sizeof(to), "%s", "abc"), 0);
	assert_string_equal(to, "abc");
	assert_int_equal(try_snprintf(to, sizeof(to), "%s", "abcd"), -ENAMETOOLONG);
	assert_string_equal(to, "abc");
	assert_int_equal(try_snprintf(to, sizeof(to), "%s", ""), 0);
	assert_int_equal(try_snprintf(to, 0, "%s", ""), -ENAMETOOLONG);
}

static void device_numbers(void **state)
{
	static const struct {
		unsigned int major, minor;
		uint32_t kernel;
	} known[] = {
		{ 0, 0, 0 },
		{ 231, 192, 231u << 20 | 192 },
		{ 511, 255, 511u << 20 | 255 },
		{ 231, 256, 231u << 20 | 256 }, /* from here on user space keeps the minor in two pieces */
		{ 4095, 0xfffff, 0xffffffffu },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		dev_t dev = makedev(known[i].major, known[i].minor);

		assert_int_equal(dev_to_kernel(dev), known[i].kernel);
		assert_true(dev_from_kernel(known[i].kernel) == dev);
	}
	for (uint32_t k = 0; k < 0xfff00000u; k += 65521)
		assert_int_equal(dev_to_kernel(dev_from_kernel(k)), k);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	return st.st_mode & 07777;
}

static void folders(void **state)
{
	mode_t mask = umask(022);

	(void)state;
	assert_int_equal(make_dirs(temp_path("a/b/c")), 0);
	assert_int_equal(mode_of(temp_path("a")), 0755);
	assert_int_equal(mode_of(temp_path("a/b")), 0755);
	assert_int_equal(mode_of(temp_path("a/b/c")), 0700);
	assert_int_equal(make_dirs(temp_path("a/b/c")), 0);
	assert_int_equal(make_dirs(temp_path("a/b/c/d/")), 0);
	assert_int_equal(make_dirs(temp_dir()), 0);
	umask(mask);
}

static void folders_that_cannot_be(void **state)
{
	char path[4096];

	(void)state;
	temp_file("file", "", 0);
	assert_int_equal(make_dirs(temp_path("file/below")), -ENOTDIR);
	assert_int_equal(make_dirs(temp_path("file/below/it")), -ENOTDIR);
	/* A file where the folder should be is no folder. */
	assert_int_equal(make_dirs(temp_path("file")), -ENOTDIR);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(make_dirs(path), -ENAMETOOLONG);
}

static void first_lines(void **state)
{
	char line[8];

	(void)state;
	assert_int_equal(read_line(temp_file("two", "one\ntwo\n", 8), line, sizeof(line)), 0);
	assert_string_equal(line, "one");
	assert_int_equal(read_line(temp_file("bare", "one", 3), line, sizeof(line)), 0);
	assert_string_equal(line, "one");
	assert_int_equal(read_line(temp_file("empty", "", 0), line, sizeof(line)), -ENODATA);
	assert_int_equal(read_line(temp_file("newline", "\n", 1), line, sizeof(line)), 0);
	assert_string_equal(line, "");
	assert_int_equal(read_line(temp_path("none"), line, sizeof(line)), -ENOENT);
	assert_int_equal(read_line(temp_dir(), line, sizeof(line)), -EIO);
	assert_int_equal(read_line(temp_file("long", "0123456789\n", 11), line, sizeof(line)), 0);
	assert_string_equal(line, "0123456");
}

static void cleanup(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), taken;
	char *text = malloc(1), *kept;

	(void)state;
	taken = take_fd(&fd);
	assert_int_equal(fd, -1);
	util_close(&fd);
	assert_true(fcntl(taken, F_GETFD) >= 0);
	fd = taken;
	util_close(&taken);
	assert_int_equal(taken, -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	kept = take_ptr(text);
	assert_null(text);
	util_free(&text);
	util_free(&kept);
}

static void clock_goes_on(void **state)
{
	uint64_t before = boot_ns();

	(void)state;
	usleep(1000);
	assert_in_range(boot_ns() - before, 1000000, 10000000000ull);
}

static void errors(void **state)
{
	char text[1024];
	struct err err;

	(void)state;
	assert_int_equal(fail(&err, -EBUSY, "%s is %d", "it", 7), -EBUSY);
	assert_string_equal(err.text, "it is 7");
	assert_int_equal(fail(NULL, -EIO, "%s", "nobody listens"), -EIO);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(fail(&err, -E2BIG, "%s", text), -E2BIG);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	/* Runtime text is never a format. */
	fail(&err, -EINVAL, "%s", "%n%s");
	assert_string_equal(err.text, "%n%s");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(numbers_out_of_range),
		cmocka_unit_test(not_numbers),
		cmocka_unit_test(snprintf_that_tells),
		cmocka_unit_test(device_numbers),
		cmocka_unit_test(folders),
		cmocka_unit_test(folders_that_cannot_be),
		cmocka_unit_test(first_lines),
		cmocka_unit_test(cleanup),
		cmocka_unit_test(clock_goes_on),
		cmocka_unit_test(errors),
	};

	return RUN_CASES("util", cases);
}
