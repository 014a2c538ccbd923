// SPDX-License-Identifier: Apache-2.0
/* The ns of each verdict of the guard on the running kernel, over an empty call in the same run. */
#include "verdict.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "verdict.skel.h"

#define RUNS 501
#define AV (1 << 7) /* IB_QP_AV */

/* One MODIFY_QP with an address vector, as libibverbs lays it out. */
static struct {
	struct ib_uverbs_ioctl_hdr hdr;
	struct ib_uverbs_attr attrs[2];
	struct ib_uverbs_modify_qp cmd;
} command;

static void fill_command(void)
{
	command.hdr.object_id = UVERBS_OBJECT_DEVICE;
	command.hdr.method_id = UVERBS_METHOD_INVOKE_WRITE;
	command.hdr.num_attrs = 2;
	command.attrs[0] = (struct ib_uverbs_attr){ .attr_id = UVERBS_ATTR_CORE_IN,
						    .len = sizeof(command.cmd),
						    .data = (__u64)(uintptr_t)&command.cmd };
	command.attrs[1] = (struct ib_uverbs_attr){ .attr_id = UVERBS_ATTR_WRITE_CMD,
						    .len = sizeof(__u64),
						    .data = IB_USER_VERBS_CMD_MODIFY_QP };
	command.cmd.attr_mask = AV;
	command.cmd.dest.traffic_class = 40 << 2;
}

static int run_once(const struct bpf_program *prog, struct verdict_run *run)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = run, .ctx_size_in = sizeof(*run));

	*run = (struct verdict_run){ .arg = (__u64)(uintptr_t)&command };
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	return opts.retval || run->wrong ? -EPROTO : 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median of what a call takes over one of the program `base`, which runs just before. */
static int median(const struct bpf_program *prog, const struct bpf_program *base, double *ns)
{
	struct verdict_run run, empty;
	double over[RUNS];
	int err = 0;

	for (int i = 0; !err && i < RUNS; i++) {
		err = run_once(base, &empty);
		if (!err)
			err = run_once(prog, &run);
		over[i] = ((double)run.ns - (double)empty.ns) / VERDICT_CALLS;
	}
	qsort(over, RUNS, sizeof(over[0]), compare);
	*ns = over[RUNS / 2];
	return err;
}

/* The maps are this process' own: what a wardend has pinned is not touched. */
static int load(struct verdict_bpf *skel)
{
	struct verdict_run run;
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) bpf_map__set_pin_path(map, NULL);
	return verdict_bpf__load(skel) ?: run_once(skel->progs.prepare, &run);
}

static int measure(const struct verdict_bpf *skel)
{
	const struct {
		const char *name;
		const struct bpf_program *prog, *base;
	} verdicts[] = {
		{ "regular", skel->progs.regular, skel->progs.file },
		{ "owner", skel->progs.owner, skel->progs.nothing },
		{ "marking-lsm", skel->progs.marking_lsm, skel->progs.nothing },
		{ "marking-fmod_ret", skel->progs.marking_fmod_ret, skel->progs.nothing },
	};
	double ns;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(verdicts); i++) {
		err = median(verdicts[i].prog, verdicts[i].base, &ns);
		if (!err)
			printf("%s\t%.1f\n", verdicts[i].name, ns);
	}
	return err;
}

int main(void)
{
	struct verdict_bpf *skel = verdict_bpf__open();
	int err;

	fill_command();
	err = skel ? load(skel) : -errno;
	if (!err)
		err = measure(skel);
	if (err)
		fprintf(stderr, "verdict: %s\n", strerror(-err));
	verdict_bpf__destroy(skel);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
