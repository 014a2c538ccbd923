/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked about pods: the kernel (a pass over processes and netns), and the kubelet. Both block, and are for threads; each gives
 * all that it has found, to be joined by the model.
 */
#ifndef WARDEN_SOURCES_H
#define WARDEN_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "kube/devinfo.h"
#include "kube/grants.h"
#include "kube/scan.h"
#include "lib/err.h"
#include "model/model.h"

/* Of one source, by the clock of boot_ns(). */
struct source_health {
	bool on; /* it is to be asked */
	bool absent; /* it is not there, and never was: a node without Kubernetes, or one that does not need this source */
	uint64_t success_ns; /* 0: never */
	uint64_t error_ns; /* over when success_ns is later */
	unsigned int failures; /* since the last success */
	uint64_t all_failures;
	struct err error;
};

/* `r` is 0 or -errno of having asked it now. */
void source_asked(struct source_health *health, int r, const struct err *err);
bool source_is_well(const struct source_health *health);
/* "off", "waiting" (not there yet), "ok" or "failed". */
const char *source_state(const struct source_health *health);

uint64_t thread_cpu_ns(void); /* CPU time of the caller */

/* ---- the kernel ---- */

struct node_pass {
	struct scan scan;
	bool has_scan;
	struct model_netdev *netdevs;
	size_t netdev_count, netdev_room;
	uint64_t begun_ns;
	uint64_t cpu_ns; /* of this thread */
	int error; /* of the pass over processes */
	struct err err;
};

void node_pass(struct node_pass *pass);
void node_pass_free(struct node_pass *pass);

/* What keeps a netns, as the name of an owner: its name in /run/netns or the unit of a process in it. False: neither is known. */
bool netns_keeper(uint32_t inum, char *to, size_t size, bool *unit);

/* ---- the kubelet ---- */

struct kubelet_answer {
	struct kube_grants granted, allocatable;
	struct devinfos devinfo;
	bool has_granted, by_checkpoint, has_allocatable, has_devinfo;
	uint64_t begun_ns;
	uint64_t cpu_ns;
	/* By source: 1 when it was not asked, 0 or -errno. */
	int socket, checkpoint, devinfo_read;
	struct err socket_err, checkpoint_err, devinfo_err;
};

/* Asks the socket for up to `ms` a call, and reads the checkpoint file where the socket does not answer. */
void kubelet_ask(const struct config_kubernetes *config, unsigned int ms, struct kubelet_answer *answer);
void kubelet_answer_free(struct kubelet_answer *answer);

#endif
