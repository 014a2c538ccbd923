// SPDX-License-Identifier: Apache-2.0
/* What modprobe's files say of ib_core's netns_mode, and the warden's own file. */
#include "rdma/boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

static enum rdma_boot_mode said(const char *text)
{
	return rdma_boot_parse(text, strlen(text));
}

static void one_file(void **state)
{
	static const struct {
		const char *text;
		enum rdma_boot_mode mode;
	} table[] = {
		{ "", RDMA_BOOT_UNSET },
		{ "options ib_core netns_mode=0\n", RDMA_BOOT_EXCLUSIVE },
		{ "options ib_core netns_mode=0", RDMA_BOOT_EXCLUSIVE },
		{ "\toptions  ib-core\tfoo=1 netns_mode=N bar\r\n", RDMA_BOOT_EXCLUSIVE },
		{ "options ib_core netns-mode=off\n", RDMA_BOOT_EXCLUSIVE },
		{ "options ib_core netns_mode=1\n", RDMA_BOOT_SHARED },
		{ "options ib_core netns_mode\n", RDMA_BOOT_SHARED },
		{ "options ib_core netns_mode=on\n", RDMA_BOOT_SHARED },
		{ "options ib_core netns_mode=Y\n", RDMA_BOOT_SHARED },
		{ "options ib_core netns_mode=\n", RDMA_BOOT_UNSET },
		{ "options ib_core netns_mode=o\n", RDMA_BOOT_UNSET },
		{ "options ib_core netns_mode=2\n", RDMA_BOOT_UNSET },
		{ "options ib_core netns_modes=0\n", RDMA_BOOT_UNSET },
		{ "options ib_core2 netns_mode=0\n", RDMA_BOOT_UNSET },
		{ "options ib_cor netns_mode=0\n", RDMA_BOOT_UNSET },
		{ "options ib_core\n", RDMA_BOOT_UNSET },
		{ "options\n", RDMA_BOOT_UNSET },
		{ "softdep ib_core pre: netns_mode=0\n", RDMA_BOOT_UNSET },
		{ "#options ib_core netns_mode=0\n# options ib_core netns_mode=0\n", RDMA_BOOT_UNSET },
		{ "options ib_core \\\n netns_mode=0\n", RDMA_BOOT_EXCLUSIVE },
		{ "# a comment \\\noptions ib_core netns_mode=0\n", RDMA_BOOT_UNSET },
		{ "options ib_core netns_mode=0 netns_mode=1\n", RDMA_BOOT_SHARED },
		{ "options ib_core netns_mode=1\noptions ib_core netns_mode=0\n", RDMA_BOOT_EXCLUSIVE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (said(table[i].text) != table[i].mode)
			test_fail("%s: %d instead of %d", table[i].text, said(table[i].text), table[i].mode);
}

/* Longer than a line may be: cut, not overrun. */
static void long_line(void **state)
{
	static char text[20000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "options ib_core ", 16);
	assert_int_equal(said(text), RDMA_BOOT_UNSET);
	memcpy(text + 10000, "\noptions ib_core netns_mode=0\n", 30);
	assert_int_equal(said(text), RDMA_BOOT_EXCLUSIVE);
}

/* ---- folders ---- */

static char root[64]; /* name of the case's tree */

static const char *put(const char *name, const char *text)
{
	char whole[256], dir[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, name);
	snprintf(dir, sizeof(dir), "%s", temp_path(whole));
	*strrchr(dir, '/') = '\0';
	assert_int_equal(make_dirs(dir), 0);
	file = fopen(temp_path(whole), "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return temp_path(whole);
}

static const char *in(const char *name)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", root, name);
	return temp_path(whole);
}

static struct rdma_boot read_tree(void)
{
	struct rdma_boot boot;
	struct err err = {};

	if (rdma_boot_read(in("etc/modprobe.d"), in("cmdline"), &boot, &err))
		test_fail("%s", err.text);
	return boot;
}

/* Who decides: the last by name, whichever folder; one of a name in /etc hides that in /usr/lib; the command line wins. */
static void precedence(void **state)
{
	struct rdma_boot boot;

	(void)state;
	snprintf(root, sizeof(root), "precedence");
	put("cmdline", "quiet\n");
	boot = read_tree();
	assert_int_equal(boot.mode, RDMA_BOOT_UNSET);
	assert_string_equal(boot.by, "");
	put("usr/lib/modprobe.d/vendor.conf", "options ib_core netns_mode=1\n");
	boot = read_tree();
	assert_int_equal(boot.mode, RDMA_BOOT_SHARED);
	assert_string_equal(boot.by, in("usr/lib/modprobe.d/vendor.conf"));
	assert_string_equal(boot.against, boot.by);
	put("etc/modprobe.d/zz.conf", "options ib_core netns_mode=0\n");
	put("etc/modprobe.d/ignored.conf.bak", "options ib_core netns_mode=1\n");
	put("etc/modprobe.d/.hidden.conf", "options ib_core netns_mode=1\n");
	boot = read_tree();
	assert_int_equal(boot.mode, RDMA_BOOT_EXCLUSIVE);
	assert_string_equal(boot.by, in("etc/modprobe.d/zz.conf"));
	assert_string_equal(boot.against, in("usr/lib/modprobe.d/vendor.conf"));
	put("etc/modprobe.d/vendor.conf", "# nothing\n");
	boot = read_tree();
	assert_string_equal(boot.against, "");
	put("cmdline", "quiet ib_core.netns_mode=1 ib_cm.netns_mode=0\n");
	boot = read_tree();
	assert_int_equal(boot.mode, RDMA_BOOT_SHARED);
	assert_string_equal(boot.by, "the kernel command line");
}

static void installed(void **state)
{
	struct rdma_boot boot;
	struct err err;
	struct stat st;

	(void)state;
	snprintf(root, sizeof(root), "installed");
	put("cmdline", "quiet\n");
	put("etc/modprobe.d/.rdma-warden.conf.new", "left by one that was killed");
	assert_int_equal(rdma_boot_install(in("etc/modprobe.d"), in("cmdline"), &boot, &err), 1);
	assert_int_equal(boot.mode, RDMA_BOOT_EXCLUSIVE);
	assert_string_equal(boot.by, in("etc/modprobe.d/rdma-warden.conf"));
	assert_int_equal(stat(boot.by, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(access(in("etc/modprobe.d/.rdma-warden.conf.new"), F_OK), -1);
	assert_int_equal(rdma_boot_install(in("etc/modprobe.d"), in("cmdline"), &boot, &err), 0);
}

/* Somebody else says so already: no file of the warden's. */
static void said_already(void **state)
{
	struct rdma_boot boot;
	struct err err;

	(void)state;
	snprintf(root, sizeof(root), "already");
	put("cmdline", "quiet\n");
	put("etc/modprobe.d/operator.conf", "options ib_core netns_mode=0\n");
	assert_int_equal(rdma_boot_install(in("etc/modprobe.d"), in("cmdline"), &boot, &err), 0);
	assert_string_equal(boot.by, in("etc/modprobe.d/operator.conf"));
	assert_int_equal(access(in("etc/modprobe.d/rdma-warden.conf"), F_OK), -1);
}

/* Somebody says the contrary: he is named, whether or not the warden's file would win, and nothing is written. */
static void contradicted(void **state)
{
	static const char *const names[] = { "etc/modprobe.d/aa.conf", "etc/modprobe.d/zz.conf" };
	struct rdma_boot boot;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(root, sizeof(root), "contradicted%zu", i);
		put("cmdline", "quiet\n");
		put(names[i], "options ib_core netns_mode=1\n");
		assert_int_equal(rdma_boot_install(in("etc/modprobe.d"), in("cmdline"), &boot, &err), -EEXIST);
		assert_contains(err.text, in(names[i]));
		assert_int_equal(access(in("etc/modprobe.d/rdma-warden.conf"), F_OK), -1);
	}
	snprintf(root, sizeof(root), "contradicted-cmdline");
	put("cmdline", "ib_core.netns_mode=Y\n");
	put("etc/modprobe.d/other.conf", "\n");
	assert_int_equal(rdma_boot_install(in("etc/modprobe.d"), in("cmdline"), &boot, &err), -EEXIST);
	assert_contains(err.text, "command line");
}

static void no_folder(void **state)
{
	struct rdma_boot boot;
	struct err err;

	(void)state;
	snprintf(root, sizeof(root), "none");
	put("cmdline", "quiet\n");
	assert_int_equal(rdma_boot_install(in("etc/modprobe.d"), in("cmdline"), &boot, &err), -ENOENT);
	assert_contains(err.text, "etc/modprobe.d/rdma-warden.conf cannot be written");
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(one_file),  cmocka_unit_test(long_line),    cmocka_unit_test(precedence),
		cmocka_unit_test(installed), cmocka_unit_test(said_already), cmocka_unit_test(contradicted),
		cmocka_unit_test(no_folder),
	};

	return RUN_CASES("boot", cases);
}
