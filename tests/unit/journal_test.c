// SPDX-License-Identifier: Apache-2.0
#include "track/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

static struct known_claim example(uint32_t index)
{
	struct known_claim k = { .index = index,
				 .node_guid = 0xfedcba9876543210ull, /* more than a double holds */
				 .parent = "0000:01:00.3",
				 .claim = { .id = UINT64_MAX,
					    .netns_cookie = (1ull << 53) + 1,
					    .cgroup_id = 77,
					    .cgroup_level = 3,
					    .netns_inum = 4026532000u,
					    .since_ns = 123456789,
					    .discovered = true,
					    .source = "manual",
					    .owner = "team/trainer-0" } };

	return k;
}

static const char *dir(void)
{
	return temp_path("state/journal");
}

static const char *file(void)
{
	return temp_path("state/journal/claims.json");
}

static void rewrite(const char *from, const char *to)
{
	_cleanup_fclose_ FILE *f = fopen(file(), "r+e");
	static char text[8192], fresh[8192];
	char *at;

	assert_non_null(f);
	memset(text, 0, sizeof(text));
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	at = strstr(text, from);
	assert_non_null(at);
	snprintf(fresh, sizeof(fresh), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	rewind(f);
	assert_int_equal(ftruncate(fileno(f), 0), 0);
	fputs(fresh, f);
}

/* Not the bytes: what lies between the members is anything. */
static void same_claim(const struct known_claim *a, const struct known_claim *b)
{
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->node_guid, b->node_guid);
	assert_string_equal(a->parent, b->parent);
	assert_memory_equal(&a->claim, &b->claim, sizeof(a->claim)); /* which has no holes */
}

static void what_is_written_is_read(void **state)
{
	struct known_claim written[2] = { example(5), example(WARDEN_NO_INDEX) }, read[4] = {};
	struct stat st;
	struct err err;

	(void)state;
	assert_int_equal(journal_write(dir(), written, 2, &err), 0);
	assert_int_equal(journal_read(dir(), read, 4, &err), 2);
	same_claim(&read[0], &written[0]);
	same_claim(&read[1], &written[1]);
	assert_int_equal(stat(file(), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(temp_path("state/journal/claims.json.new"), F_OK), -1);
}

static void no_claims(void **state)
{
	struct known_claim read[1];
	struct err err;

	(void)state;
	assert_int_equal(journal_write(dir(), NULL, 0, &err), 0);
	assert_int_equal(journal_read(dir(), read, 1, &err), 0);
}

static void no_file(void **state)
{
	struct known_claim read[1];
	struct err err;

	(void)state;
	assert_int_equal(journal_remove(dir(), &err), 0);
	assert_int_equal(journal_remove(dir(), &err), 0);
	assert_int_equal(journal_read(dir(), read, 1, &err), 0);
	assert_int_equal(journal_read(temp_path("never"), read, 1, &err), 0);
}

static void another_boot(void **state)
{
	struct known_claim written = example(5), read[1];
	struct err err;

	(void)state;
	assert_int_equal(journal_write(dir(), &written, 1, &err), 0);
	rewrite("\"boot_id\":\"", "\"boot_id\":\"x");
	assert_int_equal(journal_read(dir(), read, 1, &err), 0);
}

static void damaged(const char *from, const char *to)
{
	struct known_claim written[2] = { example(5), example(6) }, read[2];
	struct err err = {};

	assert_int_equal(journal_write(dir(), written, 2, &err), 0);
	rewrite(from, to);
	assert_int_equal(journal_read(dir(), read, 2, &err), -EINVAL);
	assert_contains(err.text, "claims.json: damaged");
}

static void damages(void **state)
{
	static char long_owner[400] = "\"owner\":\"";

	(void)state;
	memset(long_owner + 9, 'x', 330);
	damaged("\"format\":1", "\"format\":2");
	damaged("\"format\":1", "\"format\":\"1\"");
	damaged("\"claims\":[", "\"claims\":[7,");
	damaged("\"boot_id\"", "\"boot\"");
	damaged("\"owner\":\"team", long_owner);
	damaged("\"source\":\"manual\"", "\"source\":\"a name of sixteen\"");
	damaged("\"index\":\"5\"", "\"index\":\"4294967296\"");
	damaged("\"index\":\"5\"", "\"index\":5");
	damaged("\"netns_cookie\":\"", "\"netns_cookie\":\"-");
	damaged("\"cgroup_level\":\"3\"", "\"cgroup_level\":\"\"");
	damaged("\"id\":\"", "\"id\":\"9");
	damaged("\"owner\":\"team", "\"owner\":\"te\\u0000am");
	damaged("}", "");
}

static void too_many(void **state)
{
	struct known_claim written[2] = { example(5), example(6) }, read[1];
	struct err err = {};

	(void)state;
	assert_int_equal(journal_write(dir(), written, 2, &err), 0);
	assert_int_equal(journal_read(dir(), read, 1, &err), -EINVAL);
}

/* The file before stays as it was. */
static void a_write_that_fails(void **state)
{
	struct known_claim written = example(5), other = example(6), read[1];
	struct err err = {};

	(void)state;
	assert_int_equal(journal_write(dir(), &written, 1, &err), 0);
	assert_int_equal(mkdir(temp_path("state/journal/claims.json.new"), 0700), 0);
	assert_int_equal(journal_write(dir(), &other, 1, &err), -EISDIR);
	assert_contains(err.text, "claims.json");
	assert_int_equal(rmdir(temp_path("state/journal/claims.json.new")), 0);
	assert_int_equal(journal_read(dir(), read, 1, &err), 1);
	assert_int_equal(read[0].index, 5);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(no_claims),
		cmocka_unit_test(no_file),
		cmocka_unit_test(another_boot),
		cmocka_unit_test(damages),
		cmocka_unit_test(too_many),
		cmocka_unit_test(a_write_that_fails),
	};

	return RUN_CASES("journal", cases);
}
