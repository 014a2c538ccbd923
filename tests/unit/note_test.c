// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* memfd_create() */
#include "rdma-warden/note.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "lib/version.h"

/* The smallest file that holds our note. */
struct file {
	Elf64_Ehdr header;
	Elf64_Phdr parts[2];
	Elf64_Nhdr other;
	char other_name[4], other_text[4];
	Elf64_Nhdr note;
	char name[12], version[12]; /* no room is left behind it */
};

static struct file good(void)
{
	struct file f = {
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
			    .e_phoff = offsetof(struct file, parts),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.parts = { { .p_type = PT_LOAD },
			   { .p_type = PT_NOTE,
			     .p_offset = offsetof(struct file, other),
			     .p_filesz = sizeof(struct file) - offsetof(struct file, other) } },
		.other = { .n_namesz = 4, .n_descsz = 3, .n_type = 1 },
		.other_name = "GNU",
		.other_text = "abc",
		.note = { .n_namesz = 12, .n_descsz = 7, .n_type = NOTE_TYPE },
		.name = NOTE_NAME,
		.version = "10.2.3",
	};

	return f;
}

static int read_bytes(const void *bytes, size_t len, char version[SEMVER_MAX])
{
	_cleanup_close_ int fd = memfd_create("note", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, bytes, len), 0);
	return note_read(fd, version);
}

static void refused(const struct file *f)
{
	char version[SEMVER_MAX];

	assert_int_equal(read_bytes(f, sizeof(*f), version), -ENOENT);
}

static void own_version(void **state)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char version[SEMVER_MAX];

	(void)state;
	assert_int_equal(note_read(fd, version), 0);
	assert_string_equal(version, warden_version);
}

static void among_others(void **state)
{
	struct file f = good();
	char version[SEMVER_MAX];

	(void)state;
	assert_int_equal(read_bytes(&f, sizeof(f), version), 0);
	assert_string_equal(version, "10.2.3");
}

static void cut_anywhere(void **state)
{
	struct file f = good();
	char version[SEMVER_MAX];

	(void)state;
	for (size_t len = 0; len < sizeof(f); len++)
		assert_int_equal(read_bytes(&f, len, version), -ENOENT);
}

static void of_others(void **state)
{
	_cleanup_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    bin = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	char version[SEMVER_MAX];

	(void)state;
	assert_int_equal(read_bytes("#!/bin/sh\n", 10, version), -ENOENT);
	assert_int_equal(note_read(bin, version), -ENOENT);
	assert_int_equal(note_read(dir, version), -EISDIR);
}

#define REFUSED(change)                 \
	do {                            \
		struct file f = good(); \
		change;                 \
		refused(&f);            \
	} while (0)

static void not_quite_ours(void **state)
{
	(void)state;
	REFUSED(f.header.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(f.header.e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSED(f.header.e_phentsize = 1);
	REFUSED(f.header.e_phnum = 1);
	REFUSED(f.name[0] = 'R');
	REFUSED(f.note.n_type = 2);
	REFUSED(f.note.n_namesz = 11);
	REFUSED(strcpy(f.version, "10.2"));
	REFUSED(f.note.n_descsz = 0);
}

static void sizes_that_lie(void **state)
{
	static const uint64_t sizes[] = { 0x7fffffff, 0xfffffffd, 0xffffffff,    4097,
					  INT64_MAX,  UINT64_MAX, UINT64_MAX - 8 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		REFUSED(f.header.e_phoff = sizes[i]);
		REFUSED(f.parts[1].p_offset = sizes[i]);
		REFUSED(f.parts[1].p_filesz = sizes[i]);
		REFUSED(f.other.n_namesz = (uint32_t)sizes[i]);
		REFUSED(f.other.n_descsz = (uint32_t)sizes[i]);
		REFUSED(f.note.n_namesz = (uint32_t)sizes[i]);
		REFUSED(f.note.n_descsz = (uint32_t)sizes[i]);
	}
}

/* A version without its NUL, and one that fills all the room that there is. */
static void long_versions(void **state)
{
	struct {
		struct file f;
		char more[128];
	} big = { .f = good() };
	char version[SEMVER_MAX];

	(void)state;
	big.f.parts[1].p_filesz += sizeof(big.more);
	memcpy(big.f.version, "1.2.3-abcdef", 12);
	memset(big.more, 'c', sizeof(big.more));
	for (uint32_t len = 12; len < 128; len++) {
		big.f.note.n_descsz = len;
		assert_int_equal(read_bytes(&big, sizeof(big), version), len < SEMVER_MAX ? 0 : -ENOENT);
	}
	big.f.note.n_descsz = SEMVER_MAX;
	big.more[SEMVER_MAX - 13] = '\0';
	assert_int_equal(read_bytes(&big, sizeof(big), version), 0);
	assert_int_equal(strlen(version), SEMVER_MAX - 1);
}

/* Whatever is in it: an answer, and with a sanitizer no byte read that is not there. */
static void random_bytes(void **state)
{
	char version[SEMVER_MAX];

	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct file f = good();
		int changes = 1 + rand() % 4, r;

		while (changes--)
			((char *)&f)[rand() % (int)sizeof(f)] = (char)(rand() % 2 ? rand() : 0xff);
		r = read_bytes(&f, sizeof(f), version);
		assert_true(r == -ENOENT || (!r && semver_valid(version)));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_version),   cmocka_unit_test(among_others),   cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(of_others),     cmocka_unit_test(not_quite_ours), cmocka_unit_test(sizes_that_lie),
		cmocka_unit_test(long_versions), cmocka_unit_test(random_bytes),
	};

	return RUN_CASES("note", tests);
}
