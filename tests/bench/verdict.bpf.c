// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The guard's verdicts in a loop, as syscall programs: they load on kernels that refuse LSM and fmod_ret programs too, and
 * so tell what the code costs without an emulator. The way into a hook's program is not in it.
 */
#include "verbs_command.bpf.h"
#include "touch.bpf.h"
#include "verdict.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NODE (231u << 20 | 192) /* uverbs0 */
#define DSCP 40

static struct warden_claim claim; /* larger than a program's stack */

/* The node is claimed by whoever runs this; every check of a claim is made. */
SEC("syscall")
int prepare(struct verdict_run *run)
{
	struct warden_cdev cdev = { .kind = CDEV_UVERBS };
	__u32 zero = 0, node = NODE;
	struct warden_settings *s = bpf_map_lookup_elem(&settings, &zero);
	struct warden_majors *m = bpf_map_lookup_elem(&majors, &zero);

	if (!s || !m)
		return 1;
	claim.netns_cookie = caller_netns_cookie();
	claim.marking = 1;
	claim.dscp_allowed = 1ull << DSCP;
	claim.cgroup_id = bpf_get_current_ancestor_cgroup_id(0);
	m->bits[(NODE >> 20) / 64] = 1ull << (NODE >> 20) % 64;
	return bpf_map_update_elem(&cdevs, &node, &cdev, BPF_ANY) ||
	       bpf_map_update_elem(&claims, &zero, &claim, BPF_ANY);
}

/* Only the file of the running program is at hand in every process. */
struct mm_struct {
	struct file *exe_file;
} __attribute__((preserve_access_index));

struct task_struct___of_mm {
	struct mm_struct *mm;
} __attribute__((preserve_access_index));

static __always_inline struct file *some_file(void)
{
	return ((struct task_struct___of_mm *)bpf_get_current_task_btf())->mm->exe_file;
}

static long call_nothing(__u32 i, struct verdict_run *run)
{
	return 0;
}

static long call_regular(__u32 i, struct verdict_run *run)
{
	run->wrong += guard_touch(some_file(), RULE_EXCLUSIVE_OPEN, HOOK_REFUSES_AND_KILLS) != 0;
	return 0;
}

/* What the call above does to come to its file. */
static long call_file(__u32 i, struct verdict_run *run)
{
	run->wrong += some_file() == NULL;
	return 0;
}

/* Behind is_rdma_node(): a syscall program has no file of a device at hand. */
static __always_inline const struct warden_settings *touch_as_owner(struct touch *t, struct verdict_run *run)
{
	const struct warden_settings *s = settings_get();

	t->dev = NODE;
	if (!s || !is_rdma_major(t->dev >> 20))
		return NULL;
	run->wrong += judge_touch(t, s, RULE_EXCLUSIVE_INHERITED_FD, HOOK_REFUSES_AND_KILLS) != 0;
	return s;
}

static long call_owner(__u32 i, struct verdict_run *run)
{
	struct touch t = {};

	run->wrong += !touch_as_owner(&t, run);
	return 0;
}

/* With a command that is, or is not, the MODIFY_QP of a class that is allowed. */
static __always_inline long owner_marking(struct verdict_run *run, enum parsed expected, bool sleepable)
{
	struct verbs_command cmd;
	struct touch t = {};

	if (!touch_as_owner(&t, run) || !t.claim || !t.claim->marking ||
	    parse_command(run->arg, &cmd, sleepable) != expected)
		run->wrong++;
	else if (expected == CLASS_READ)
		run->wrong += command_wrong_class(&cmd, t.claim->dscp_allowed) >= 0;
	return 0;
}

static long call_query_lsm(__u32 i, struct verdict_run *run)
{
	return owner_marking(run, NO_CLASS, true);
}

static long call_query_fmod_ret(__u32 i, struct verdict_run *run)
{
	return owner_marking(run, NO_CLASS, false);
}

static long call_modify_lsm(__u32 i, struct verdict_run *run)
{
	return owner_marking(run, CLASS_READ, true);
}

static long call_modify_fmod_ret(__u32 i, struct verdict_run *run)
{
	return owner_marking(run, CLASS_READ, false);
}

/* bpf_loop() takes no pointer to a context, so the callback works on a copy. */
static __always_inline int timed(struct verdict_run *run, void *call)
{
	struct verdict_run own = { .arg = run->arg };
	__u64 begin = bpf_ktime_get_ns();

	bpf_loop(VERDICT_CALLS, call, &own, 0);
	run->ns = bpf_ktime_get_ns() - begin;
	run->wrong = own.wrong;
	return 0;
}

#define LOOP(what)                              \
	SEC("syscall")                          \
	int what(struct verdict_run *run)       \
	{                                       \
		return timed(run, call_##what); \
	}

LOOP(nothing)
LOOP(file)
LOOP(regular)
LOOP(owner)
LOOP(query_lsm)
LOOP(query_fmod_ret)
LOOP(modify_lsm)
LOOP(modify_fmod_ret)
