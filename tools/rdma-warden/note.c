// SPDX-License-Identifier: Apache-2.0
#include "rdma-warden/note.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

#define HEADERS_MAX 64 /* program headers, and notes' bytes, that are looked at: ours are far fewer */
#define NOTES_MAX 4096

/* This program's own. The assembler, as gcc makes no note of a section of that name; sizes are a multiple of 4. */
__asm__(".pushsection .note.rdma-warden, \"a\", @note\n"
	".balign 4\n"
	".long 2f - 1f, 4f - 3f, 1\n"
	"1: .asciz \"" NOTE_NAME "\"\n"
	"2: .balign 4\n"
	"3: .asciz \"" WARDEN_VERSION "\"\n"
	"4: .balign 4\n"
	".popsection\n");

/* 0, -ENOENT where the file ends before, or -errno. Another process may cut the file meanwhile: it is not mapped. */
static int read_at(int fd, void *to, size_t size, uint64_t offset)
{
	ssize_t n;

	if (offset > INT64_MAX - size)
		return -ENOENT;
	do
		n = pread(fd, to, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOENT;
}

static size_t aligned(uint32_t size)
{
	return ((size_t)size + 3) & ~(size_t)3;
}

/* Ours among the notes: 0 or -ENOENT. */
static int find_note(const char *notes, size_t len, char version[SEMVER_MAX])
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t name, size;

		memcpy(&note, notes, sizeof(note)); /* which lies as the file wants it */
		name = sizeof(note);
		size = name + aligned(note.n_namesz) + aligned(note.n_descsz);
		if (size > len)
			return -ENOENT;
		if (note.n_type == NOTE_TYPE && note.n_namesz == sizeof(NOTE_NAME) && note.n_descsz <= SEMVER_MAX &&
		    !memcmp(notes + name, NOTE_NAME, sizeof(NOTE_NAME))) {
			memset(version, 0, SEMVER_MAX);
			memcpy(version, notes + name + aligned(note.n_namesz), note.n_descsz);
			return version[SEMVER_MAX - 1] || !semver_valid(version) ? -ENOENT : 0;
		}
		notes += size;
		len -= size;
	}
	return -ENOENT;
}

int note_read(int fd, char version[SEMVER_MAX])
{
	char notes[NOTES_MAX];
	Elf64_Ehdr header;
	Elf64_Phdr part;
	int r = read_at(fd, &header, sizeof(header), 0);

	if (r)
		return r;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_phentsize != sizeof(part))
		return -ENOENT;
	for (unsigned int i = 0; i < header.e_phnum && i < HEADERS_MAX; i++) {
		if (header.e_phoff > INT64_MAX - HEADERS_MAX * sizeof(part))
			return -ENOENT;
		r = read_at(fd, &part, sizeof(part), header.e_phoff + i * sizeof(part));
		if (r)
			return r;
		if (part.p_type != PT_NOTE || part.p_filesz > sizeof(notes))
			continue;
		r = read_at(fd, notes, part.p_filesz, part.p_offset);
		if (!r)
			r = find_note(notes, part.p_filesz, version);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}
