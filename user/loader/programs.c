// SPDX-License-Identifier: Apache-2.0
#include "loader/programs.h"

#include <string.h>

#include "guard.skel.h"
#include "lib/util.h"
#include "rdma.skel.h"
#include "vf.skel.h"

const struct file_info files[FILE_IDS] = {
	[FILE_GUARD] = { "guard", guard_bpf__elf_bytes },
	[FILE_RDMA] = { "rdma", rdma_bpf__elf_bytes },
	[FILE_VF] = { "vf", vf_bpf__elf_bytes },
};

const struct object_info objects[OBJECT_IDS] = {
	[OBJECT_GUARD] = { "guard", { NULL } },
	[OBJECT_DEVCG] = { "devcg", { NULL } },
	[OBJECT_SELF] = { "self", { NULL } },
	[OBJECT_PODS] = { "pods", { NULL } },
	[OBJECT_NETNS] = { "netns", { "ib_core", "ib_uverbs", NULL } },
	[OBJECT_VERBS] = { "verbs", { "ib_core", "ib_uverbs", NULL } },
	[OBJECT_CM] = { "cm", { "rdma_ucm", "rdma_cm", NULL } },
	[OBJECT_UMAD] = { "umad", { "ib_umad", NULL } },
};

#define LSM (1u << GUARD_LSM)
#define FMOD_RET (1u << GUARD_FMOD_RET)
#define DEVCG (1u << GUARD_DEVICE_CGROUP)
#define KILL (1u << GUARD_KILL)
#define ALL (LSM | FMOD_RET | DEVCG | KILL)
#define SKIPPED (ALL & ~LSM) /* what the kernel may not give each call to */

#define KILLED "the call is carried out, and its caller killed before he sees the result"
#define LATE "a call that the kernel did not give to the program before is carried out, and its caller killed"
#define FIRST "the first command is carried out, and its caller killed before he can send another"

const struct program programs[] = {
	{ OBJECT_GUARD, "cdev_added", "exclusive.identity", ALL, false, NULL },
	{ OBJECT_GUARD, "cdev_deleted", "exclusive.identity", ALL, false, NULL },
	{ OBJECT_GUARD, "misc_added", "exclusive.identity", ALL, false, NULL },
	{ OBJECT_GUARD, "misc_deleted", "exclusive.identity", ALL, false, NULL },
	{ OBJECT_GUARD, "open_lsm", "exclusive.open", LSM, false, NULL },
	{ OBJECT_GUARD, "open_fmod_ret", "exclusive.open", FMOD_RET, false, NULL },
	{ OBJECT_GUARD, "open_kill", "exclusive.open", KILL, false, KILLED },
	{ OBJECT_GUARD, "ioctl_lsm", "exclusive.ioctl", LSM, false, NULL },
	{ OBJECT_GUARD, "ioctl_fmod_ret", "exclusive.ioctl", FMOD_RET, false, NULL },
	{ OBJECT_GUARD, "ioctl_kill", "exclusive.ioctl", DEVCG | KILL, false, KILLED },
	{ OBJECT_GUARD, "compat_lsm", "exclusive.ioctl-compat", LSM, true, NULL },
	{ OBJECT_GUARD, "compat_fmod_ret", "exclusive.ioctl-compat", FMOD_RET, true, NULL },
	{ OBJECT_GUARD, "compat_kill", "exclusive.ioctl-compat", DEVCG | KILL, true, KILLED },
	{ OBJECT_GUARD, "receive_lsm", "exclusive.fd-pass", LSM, false, NULL },
	{ OBJECT_GUARD, "receive_fmod_ret", "exclusive.fd-pass", FMOD_RET, false, NULL },
	{ OBJECT_GUARD, "receive_kill", "exclusive.fd-pass", DEVCG | KILL, false, KILLED },
	{ OBJECT_GUARD, "mmap_lsm", "exclusive.mmap", LSM, false, NULL },
	{ OBJECT_GUARD, "mmap_fmod_ret", "exclusive.mmap", FMOD_RET, false, NULL },
	{ OBJECT_GUARD, "mmap_kill", "exclusive.mmap", DEVCG | KILL, false, KILLED },
	{ OBJECT_GUARD, "netlink_lsm", "exclusive.netlink", LSM, false, NULL },
	{ OBJECT_GUARD, "netlink_fmod_ret", "exclusive.netlink", FMOD_RET, false, NULL },
	{ OBJECT_GUARD, "netlink_kill", "exclusive.netlink", DEVCG | KILL, false, KILLED },
	{ OBJECT_DEVCG, "open_devcg", "exclusive.open", DEVCG, false,
	  "the device cgroup refuses the open; what comes after it is answered by killing" },
	{ OBJECT_SELF, "map_lsm", "warden.self", LSM, false, NULL },
	{ OBJECT_SELF, "map_fmod_ret", "warden.self", FMOD_RET, false, NULL },
	{ OBJECT_SELF, "program_lsm", "warden.self", LSM, false, NULL },
	{ OBJECT_SELF, "program_fmod_ret", "warden.self", FMOD_RET, false, NULL },
	{ OBJECT_SELF, "bpf_lsm", "warden.self", LSM, false, NULL },
	{ OBJECT_SELF, "bpf_fmod_ret", "warden.self", FMOD_RET, false, NULL },
	{ OBJECT_SELF, "unlink_lsm", "warden.self", LSM, false, NULL },
	{ OBJECT_SELF, "unlink_fmod_ret", "warden.self", FMOD_RET, false, NULL },
	{ OBJECT_SELF, "rmdir_lsm", "warden.self", LSM, false, NULL },
	{ OBJECT_SELF, "rmdir_fmod_ret", "warden.self", FMOD_RET, false, NULL },
	{ OBJECT_SELF, "rename_lsm", "warden.self", LSM, false, NULL },
	{ OBJECT_SELF, "rename_fmod_ret", "warden.self", FMOD_RET, false, NULL },
	{ OBJECT_PODS, "process_executed", "track.pods", ALL, false, NULL },
	{ OBJECT_PODS, "cgroup_removed", "track.pods", ALL, false, NULL },
	{ OBJECT_NETNS, "device_enabled", "devices.register", ALL, false, NULL },
	{ OBJECT_NETNS, "uverbs_added", "devices.register", ALL, false, NULL },
	{ OBJECT_NETNS, "device_gone", "devices.register", ALL, false, NULL },
	{ OBJECT_NETNS, "device_renamed", "devices.rename", ALL, false, NULL },
	{ OBJECT_NETNS, "netdev_moved", "devices.netdev-move", ALL, false, NULL },
	{ OBJECT_NETNS, "netns_ended", "devices.netns-end", ALL, false, NULL },
	{ OBJECT_VERBS, "object_added", "inventory.objects", ALL, false, NULL },
	{ OBJECT_VERBS, "object_deleted", "inventory.objects", ALL, false, NULL },
	{ OBJECT_VERBS, "object_committed", "inventory.objects", ALL, true, NULL },
	{ OBJECT_VERBS, "write_last", "exclusive.write-abi", ALL, false, FIRST },
	{ OBJECT_VERBS, "open_last", "every-call.verbs", SKIPPED, false, LATE },
	{ OBJECT_VERBS, "ioctl_last", "every-call.verbs", SKIPPED, false, LATE },
	{ OBJECT_VERBS, "mmap_last", "every-call.verbs", SKIPPED, false, LATE },
	{ OBJECT_VERBS, "netlink_last", "every-call.netlink", SKIPPED, false, LATE },
	{ OBJECT_VERBS, "modify_qp_audited", "marking.audit", ALL, false, NULL },
	{ OBJECT_VERBS, "create_ah_audited", "marking.audit", ALL, false, NULL },
	{ OBJECT_CM, "cm_class_given", "marking.origin", ALL, false, NULL },
	{ OBJECT_CM, "cm_held", "exclusive.rdma-cm-write", ALL, false, FIRST },
	{ OBJECT_CM, "cm_write_last", "exclusive.rdma-cm-write", ALL, false, FIRST },
	{ OBJECT_CM, "cm_open_last", "every-call.rdma-cm", SKIPPED, false, LATE },
	{ OBJECT_UMAD, "umad_held", "exclusive.umad-write", ALL, false, FIRST },
	{ OBJECT_UMAD, "umad_write_last", "exclusive.umad-write", ALL, false, FIRST },
	{ OBJECT_UMAD, "umad_open_last", "every-call.umad", SKIPPED, false, LATE },
	{ OBJECT_UMAD, "issm_open_last", "every-call.umad", SKIPPED, false, LATE },
	{ OBJECT_UMAD, "umad_ioctl_last", "every-call.umad", SKIPPED, false, LATE },
};
const size_t program_count = ARRAY_SIZE(programs);

const struct program *program_find(enum object_id id, const char *name)
{
	for (size_t i = 0; i < program_count; i++)
		if (programs[i].object == id && !strcmp(programs[i].name, name))
			return &programs[i];
	return NULL;
}

bool program_wanted(const struct program *p, enum guard_mechanism mechanism)
{
	return p->mechanisms >> mechanism & 1;
}

bool object_wanted(enum object_id id, enum guard_mechanism mechanism)
{
	for (size_t i = 0; i < program_count; i++)
		if (programs[i].object == id && program_wanted(&programs[i], mechanism))
			return true;
	return false;
}

static void btf_close(struct btf **btf)
{
	btf__free(*btf);
}

bool program_hook_exists(enum object_id id, const struct bpf_program *prog, const struct btf *vmlinux)
{
	const char *section = bpf_program__section_name(prog), *hook = strchr(section, '/') + 1;
	char name[128];

	snprintf(name, sizeof(name), "%s%s", strncmp(section, "lsm", 3) ? "" : "bpf_lsm_", hook);
	if (btf__find_by_name_kind(vmlinux, name, BTF_KIND_FUNC) > 0)
		return true;
	for (const char *const *m = objects[id].modules; *m; m++) {
		/* libbpf takes the base without const and does not change it. */
		_cleanup_(btf_close) struct btf *module = btf__load_module_btf(*m, (struct btf *)vmlinux);

		if (module && btf__find_by_name_kind(module, name, BTF_KIND_FUNC) > 0)
			return true;
	}
	return false;
}
