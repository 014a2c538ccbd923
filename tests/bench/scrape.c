// SPDX-License-Identifier: Apache-2.0
/*
 * What one reading of the node's counters takes, with so many netns of which each has a dummy netdev: known ones, as wardend has them,
 * over a reading of the own netns alone. RDMA devices are as many as the machine has; what they add is counted in the lab.
 *   scrape [NETNS]     default 64; root
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"
#include "stats/stats.h"

#define ROUNDS 50
#define FOLDER "/run/netns"

static double round_ms(const struct stats_known *known)
{
	uint64_t begin = boot_ns();
	struct stats *s = NULL;
	struct err err;
	int r = stats_read_known(known, &s, &err);

	stats_free(s);
	if (r && r != -EPROTONOSUPPORT) {
		fprintf(stderr, "scrape: %s\n", err.text);
		exit(EXIT_FAILURE);
	}
	return (double)(boot_ns() - begin) / 1e6;
}

/* The quickest: whatever disturbs makes a round slower. */
static double best_ms(const struct stats_known *known)
{
	double best = 1e9, ms;

	for (int i = 0; i < ROUNDS; i++) {
		ms = round_ms(known);
		best = ms < best ? ms : best;
	}
	return best;
}

/* A netns that a name in a /run/netns of this process alone keeps. */
static int make_netns(int home, unsigned int i, struct stats_place *place)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), FOLDER "/scrape%u", i);
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0400);
	if (fd < 0 || unshare(CLONE_NEWNET) || mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL))
		return -errno;
	util_close(&fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || netns_identify(fd, &place->id, NULL) || setns(home, CLONE_NEWNET))
		return -errno;
	return 0;
}

static int private_run(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) || mkdir(FOLDER, 0755))
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 64;
	struct stats_place *places = calloc(count + 1, sizeof(*places));
	struct stats_known known = { .places = places };
	_cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	double own, all, first;

	if (!places || home < 0 || private_run()) {
		printf("scrape: no netns can be made here: %s\n", strerror(errno));
		return 0;
	}
	for (unsigned int i = 0; i < count; i++)
		if (make_netns(home, i, &places[i])) {
			printf("scrape: no netns can be made here: %s\n", strerror(errno));
			return 0;
		}
	own = best_ms(&known);
	known.place_count = count;
	first = round_ms(&known);
	all = best_ms(&known);
	printf("scrape: the own netns %.3f ms; %u more %.3f ms, found anew %.3f ms; %.1f us each%s\n", own, count, all,
	       first, count ? (all - own) * 1000 / count : 0,
	       rdma_module_loaded("ib_core") ? "" : " (no ib_core here: they are looked for, and not read)");
	free(places);
	return 0;
}
