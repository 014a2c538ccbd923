// SPDX-License-Identifier: Apache-2.0
#include "loader/probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/util.h"

/* How each mechanism hooks the open of a file, and what its program answers. */
static const struct kind {
	const char *what;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *hook; /* a function of vmlinux, or NULL: the root of cgroup v2 */
	int pass, refuse;
	const char *not_called; /* what it means when the open is not refused */
} kinds[] = {
	[GUARD_LSM] = { "LSM programs", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_file_open", 0, -EPERM,
			"load but are not called: bpf is not in the kernel's lsm= list" },
	[GUARD_FMOD_RET] = { "fmod_ret programs", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "security_file_open", 0,
			     -EPERM, "load but do not refuse" },
	[GUARD_DEVICE_CGROUP] = { "device cgroup programs", BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, NULL, 1, 0,
				  "load but do not refuse" },
	[GUARD_KILL] = { "fentry programs", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "security_file_open", 0, 0, "" },
};

/* return tgid == prober ? refuse : pass; */
static int load(const struct kind *k, int btf_id)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid },
		{ .code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32 },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = getpid() },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = k->pass },
		{ .code = BPF_JMP | BPF_EXIT },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = k->refuse },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = k->attach, .attach_btf_id = (uint32_t)btf_id);

	return bpf_prog_load(k->type, "warden_probe", "Dual BSD/GPL", insns, ARRAY_SIZE(insns), &opts);
}

static int attach(const struct kind *k, int prog)
{
	_cleanup_close_ int root = -1;

	if (k->hook)
		return bpf_raw_tracepoint_open(NULL, prog);
	root = open(CGROUP_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : bpf_link_create(prog, root, k->attach, NULL);
}

static bool open_is_refused(void)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 && errno == EPERM;
}

bool probe_mechanism(enum guard_mechanism mechanism, const struct btf *vmlinux, char *reason, size_t size)
{
	const struct kind *k = &kinds[mechanism];
	int btf_id = k->hook ? btf__find_by_name_kind(vmlinux, k->hook, BTF_KIND_FUNC) : 0;
	_cleanup_close_ int prog = -1, link = -1;

	reason[0] = '\0';
	if (btf_id < 0) {
		snprintf(reason, size, "%s: the kernel has no function %s", k->what, k->hook);
		return false;
	}
	prog = load(k, btf_id);
	if (prog < 0) {
		snprintf(reason, size, "%s do not load: %s", k->what, strerror(-prog));
		return false;
	}
	link = attach(k, prog);
	if (link < 0) {
		snprintf(reason, size, "%s do not attach: %s", k->what, strerror(-link));
		return false;
	}
	if (mechanism == GUARD_KILL || open_is_refused())
		return true;
	snprintf(reason, size, "%s %s", k->what, k->not_called);
	return false;
}
