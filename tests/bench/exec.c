// SPDX-License-Identifier: Apache-2.0
/*
 * What pods.bpf.c costs an exec, on this machine itself: fork, exec and end of a process without the programs, with them
 * outside of pods, and with them in a pod that has been told. The rounds alternate, the medians are compared; beside that
 * the time that the kernel counts for the program itself (BPF_ENABLE_STATS).
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.skel.h"
#include "warden.h"

#define ROUNDS 100
#define EXECS 10

enum arm { WITHOUT, OUTSIDE, POD, ARMS };
static const char *const names[ARMS] = { "without", "outside of pods", "in a pod" };

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static int exec_one(void)
{
	static char program[] = "/bin/true";
	char *const argv[] = { program, NULL };
	int status;
	pid_t pid;

	return posix_spawn(&pid, argv[0], NULL, NULL, argv, NULL) || waitpid(pid, &status, 0) != pid || status;
}

/* The ns of one exec. */
static int measure(double *ns)
{
	double begin = now_ns();

	for (int i = 0; i < EXECS; i++)
		if (exec_one())
			return -1;
	*ns = (now_ns() - begin) / EXECS;
	return 0;
}

/* Two cgroups of pods are configured, as by default; that of level 0 is the root, in which everybody is. */
static int configure(const struct exec_bpf *skel, enum arm arm)
{
	const struct warden_settings settings = {
		.pods = { { .id = 1ull << 40, .level = 1 }, { .id = arm == POD ? 1 : 1ull << 41, .level = arm != POD } }
	};
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(skel->maps.settings), &zero, &settings, BPF_ANY);
}

struct run {
	uint64_t ns, calls;
};

static struct run run_of(const struct exec_bpf *skel)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	bpf_obj_get_info_by_fd(bpf_program__fd(skel->progs.process_executed), &info, &len);
	return (struct run){ info.run_time_ns, info.run_cnt };
}

static int round_of(struct exec_bpf *skel, enum arm arm, double *ns, struct run *sum)
{
	struct bpf_link *link = NULL;
	struct run before, after;
	int r;

	if (configure(skel, arm))
		return -1;
	if (arm != WITHOUT && !(link = bpf_program__attach(skel->progs.process_executed)))
		return -1;
	r = exec_one(); /* which is told */
	before = run_of(skel);
	if (!r)
		r = measure(ns);
	after = run_of(skel);
	sum->ns += after.ns - before.ns;
	sum->calls += after.calls - before.calls;
	bpf_link__destroy(link);
	return r;
}

static void print(double ns[ARMS][ROUNDS], const struct run sums[ARMS])
{
	double without = median(ns[WITHOUT]);

	for (enum arm arm = 0; arm < ARMS; arm++) {
		printf("exec %-16s %9.0f ns", names[arm], median(ns[arm]));
		if (arm != WITHOUT && sums[arm].calls)
			printf("  ratio %.3f, the program %.0f ns", median(ns[arm]) / without,
			       (double)sums[arm].ns / (double)sums[arm].calls);
		printf("\n");
	}
}

static struct exec_bpf *load(void)
{
	struct exec_bpf *skel = exec_bpf__open();
	struct bpf_map *map;

	if (!skel)
		return NULL;
	/* The maps are this process' own: what a wardend has pinned is not touched. */
	bpf_object__for_each_map(map, skel->obj) bpf_map__set_pin_path(map, NULL);
	if (!exec_bpf__load(skel))
		return skel;
	exec_bpf__destroy(skel);
	return NULL;
}

int main(void)
{
	static double ns[ARMS][ROUNDS];
	struct run sums[ARMS] = {};
	struct exec_bpf *skel;
	int stats, r = 0;

	libbpf_set_print(NULL);
	skel = load();
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (!skel || stats < 0)
		r = 1;
	for (int round = 0; !r && round < ROUNDS; round++)
		for (enum arm arm = 0; !r && arm < ARMS; arm++)
			r = round_of(skel, arm, &ns[arm][round], &sums[arm]);
	if (!r)
		print(ns, sums);
	if (stats >= 0)
		close(stats);
	exec_bpf__destroy(skel);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
