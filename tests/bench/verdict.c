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

/* One command as libibverbs lays it out. */
struct command {
	struct ib_uverbs_ioctl_hdr hdr;
	struct ib_uverbs_attr attrs[4];
	struct ib_uverbs_modify_qp cmd;
};

static struct command modify, query;

static void add_attr(struct command *c, __u16 id, __u16 len, __u64 data)
{
	c->attrs[c->hdr.num_attrs++] = (struct ib_uverbs_attr){ .attr_id = id, .len = len, .data = data };
}

static void fill(struct command *c, __u64 number)
{
	c->hdr.object_id = UVERBS_OBJECT_DEVICE;
	c->hdr.method_id = UVERBS_METHOD_INVOKE_WRITE;
	add_attr(c, UVERBS_ATTR_CORE_IN, sizeof(c->cmd), (__u64)(uintptr_t)&c->cmd);
	add_attr(c, UVERBS_ATTR_WRITE_CMD, sizeof(number), number);
	c->cmd.attr_mask = AV;
	c->cmd.dest.traffic_class = 40 << 2;
}

/* A query has an answer too. */
static void fill_commands(void)
{
	fill(&modify, IB_USER_VERBS_CMD_MODIFY_QP);
	fill(&query, IB_USER_VERBS_CMD_QUERY_QP);
	add_attr(&query, UVERBS_ATTR_CORE_OUT, sizeof(struct ib_uverbs_query_qp_resp), 0);
	add_attr(&query, UVERBS_ATTR_UHW_OUT, 0, 0);
}

static int run_once(const struct bpf_program *prog, const struct command *command, struct verdict_run *run)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = run, .ctx_size_in = sizeof(*run));

	*run = (struct verdict_run){ .arg = (__u64)(uintptr_t)command };
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	return opts.retval || run->wrong ? -EPROTO : 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct verdict {
	const char *name;
	const struct bpf_program *prog, *base;
	const struct command *command;
};

/* The median of what a call takes over one of the program `base`, which runs just before. */
static int median(const struct verdict *v, double *ns)
{
	struct verdict_run run, empty;
	double over[RUNS];
	int err = 0;

	for (int i = 0; !err && i < RUNS; i++) {
		err = run_once(v->base, NULL, &empty);
		if (!err)
			err = run_once(v->prog, v->command, &run);
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
	return verdict_bpf__load(skel) ?: run_once(skel->progs.prepare, NULL, &run);
}

static int measure(const struct verdict_bpf *skel)
{
	const struct verdict verdicts[] = {
		{ "regular file", skel->progs.regular, skel->progs.file, NULL },
		{ "owner", skel->progs.owner, skel->progs.nothing, NULL },
		{ "QUERY_QP, lsm", skel->progs.query_lsm, skel->progs.nothing, &query },
		{ "QUERY_QP, fmod_ret", skel->progs.query_fmod_ret, skel->progs.nothing, &query },
		{ "MODIFY_QP, lsm", skel->progs.modify_lsm, skel->progs.nothing, &modify },
		{ "MODIFY_QP, fmod_ret", skel->progs.modify_fmod_ret, skel->progs.nothing, &modify },
	};
	double ns;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(verdicts); i++) {
		err = median(&verdicts[i], &ns);
		if (!err)
			printf("%s\t%.1f\n", verdicts[i].name, ns);
	}
	return err;
}

int main(void)
{
	struct verdict_bpf *skel = verdict_bpf__open();
	int err;

	fill_commands();
	err = skel ? load(skel) : -errno;
	if (!err)
		err = measure(skel);
	if (err)
		fprintf(stderr, "verdict: %s\n", strerror(-err));
	verdict_bpf__destroy(skel);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
