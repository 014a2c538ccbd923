/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node's pods by the Kubernetes API: a list, and then a watch of what changes (Kubernetes API concepts, "Efficient
 * detection of changes"). A thread of its own asks and reads, as a page of a list is up to 4 MiB of JSON, which would hold up
 * the loop, and looking up a name blocks; what it has read is put into the table in the loop's thread, so that the table
 * has no lock. Its rights: "list" and "watch" of pods.
 *
 * A server that is away leaves the last table, whose age the health tells.
 */
#ifndef WARDEN_KUBE_API_H
#define WARDEN_KUBE_API_H

#include <limits.h>
#include <stdint.h>

#include "kube/pods.h"
#include "lib/err.h"
#include "lib/loop.h"

/* Of one page of a list, and of one event of a watch. */
#define KUBE_TEXT_MAX (4 << 20)

struct kube_config {
	char server[300]; /* "https://10.96.0.1:443" */
	char node[254];
	char token[PATH_MAX], ca[PATH_MAX]; /* files, read anew as they change */
	unsigned int answer_ms; /* for an answer to begin, and for a page of a list to end */
	unsigned int watch_s; /* the server ends a watch after that, or up to twice that */
	unsigned int retry_min_ms, retry_max_ms;
};

struct kube_health {
	bool listed; /* the table has been whole once */
	uint64_t success_ns; /* when the server last said something of use, of boot_ns(); 0: never */
	uint64_t error_ns; /* the last error, as above; it is over when success_ns is later */
	unsigned int failures; /* since the last success */
	uint64_t all_failures;
	struct err error;
};

/* All but the server and the node: the service account's files, and the times of client-go. */
void kube_config_defaults(struct kube_config *config);

/*
 * What a pod knows of its server: KUBERNETES_SERVICE_HOST and _PORT, and the service account's folder. -ENOENT: this is no
 * pod; -EINVAL: `node` or one of them is not what it should be.
 */
int kube_config_in_cluster(struct kube_config *config, const char *node, struct err *err);

struct kube_api;

/*
 * Begins. `changed` is called in the loop's thread, which is this one, after each change of the table or of the health.
 * 0 or -errno (-ENOENT without libcurl). The loop must outlive it.
 */
int kube_api_open(struct kube_api **api, const struct kube_config *config, struct loop *loop,
		  void (*changed)(void *ctx), void *ctx, struct err *err);
/* In the loop's thread, not from within `changed`: ends a request that waits. */
void kube_api_close(struct kube_api *api);

/* In the loop's thread; valid until it goes on. */
const struct kube_pods *kube_api_pods(const struct kube_api *api);
const struct kube_health *kube_api_health(const struct kube_api *api);

#endif
