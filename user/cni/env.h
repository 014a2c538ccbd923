/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a CNI call, checked. It may come from a process of its own, or from a request that carries it. */
#ifndef WARDEN_CNI_ENV_H
#define WARDEN_CNI_ENV_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>

#include "cni/error.h"

enum cni_command { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_GC, CNI_STATUS, CNI_VERSION, CNI_COMMANDS };

#define CNI_ID_LEN 256 /* of a container ID or a network's name, which become names of files */

/* The variables as they are. NULL and "" are alike: not set. */
struct cni_variables {
	const char *command, *container_id, *netns, *ifname, *args, *path;
};

/* CNI_ARGS, as far as it concerns us. "" where it says nothing. */
struct cni_args {
	char pod_namespace[254];
	char pod_name[254];
	char pod_uid[128];
	char sandbox_id[CNI_ID_LEN]; /* K8S_POD_INFRA_CONTAINER_ID */
	char mac[18];
};

struct cni_env {
	enum cni_command command;
	char container_id[CNI_ID_LEN];
	char netns[PATH_MAX]; /* may be "" for DEL */
	char ifname[IF_NAMESIZE];
	char path[PATH_MAX]; /* CNI_PATH: absolute folders between colons; may be "", but for GC */
	char raw_args[PATH_MAX]; /* CNI_ARGS word for word, for IPAM plugins */
	struct cni_args args;
};

/* From this process's own environment. */
void cni_variables_get(struct cni_variables *variables);

/* All that the command needs must be there and right; what it does not need is checked where it is there. */
int cni_env_read(const struct cni_variables *variables, struct cni_env *env, struct cni_error *e);

/* CNI_ARGS alone, into empty ones. */
int cni_args_read(const char *text, struct cni_args *args, struct cni_error *e);

const char *cni_command_name(enum cni_command command);

#endif
