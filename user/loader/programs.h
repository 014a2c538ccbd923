/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF objects and programs, what each needs of the kernel, and what it gives. */
#ifndef WARDEN_PROGRAMS_H
#define WARDEN_PROGRAMS_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "loader/loader.h"

/* In the order of loading: the guard first, what needs the RDMA modules last (from OBJECT_NETNS). */
enum object_id {
	OBJECT_GUARD,
	OBJECT_DEVCG,
	OBJECT_SELF,
	OBJECT_PODS,
	OBJECT_NETNS,
	OBJECT_VERBS,
	OBJECT_CM,
	OBJECT_UMAD,
	OBJECT_IDS
};

/* What is loaded at one time: several objects linked into one, as the Makefile does. */
enum file_id { FILE_GUARD, FILE_RDMA, FILE_VF, FILE_IDS };

struct file_info {
	const char *name;
	const void *(*bytes)(size_t *size);
};
extern const struct file_info files[FILE_IDS];

struct object_info {
	const char *name;
	const char *modules[3]; /* whose BTF it needs; the list ends with NULL */
};
extern const struct object_info objects[OBJECT_IDS];

/* A feature of two programs is active when both are. */
struct program {
	enum object_id object;
	const char *name;
	const char *feature;
	unsigned int mechanisms; /* of the guard, to which it belongs: bits 1 << enum guard_mechanism */
	bool optional; /* a kernel without the hook calls another one of the table instead */
	const char *limit; /* what it does less than the feature promises, or NULL */
};
extern const struct program programs[];
extern const size_t program_count;

const struct program *program_find(enum object_id id, const char *name);
/* Whether any program of the object belongs to the mechanism. */
bool object_wanted(enum object_id id, enum guard_mechanism mechanism);
bool program_wanted(const struct program *program, enum guard_mechanism mechanism);

/* Whether the running kernel has the function that the program hooks, in vmlinux or in a module of the object. */
bool program_hook_exists(enum object_id id, const struct bpf_program *prog, const struct btf *vmlinux);

#endif
