/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: one JSON object. Unknown or repeated keys, wrong types, values out of range and
 * contradictions are errors that name the file and the key; nothing is guessed.
 */
#ifndef WARDEN_CONFIG_H
#define WARDEN_CONFIG_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>

#include "lib/err.h"
#include "qos/profile.h"
#include "warden.h"

#define CONFIG_CGROUP_LEN 256
#define CONFIG_HOST_CGROUPS (WARDEN_HOST_CGROUPS - 1) /* one is kept for wardend's own */
#define CONFIG_QOS_NETDEVS 64

struct config {
	enum warden_mode mode;
	char run_dir[PATH_MAX];
	char state_dir[PATH_MAX];
	char bpffs[PATH_MAX];
	char metrics[64]; /* ADDRESS:PORT */
	bool set_exclusive;
	bool umad_for_host; /* "umad": "host"; else umad and issm nodes belong to nobody */
	char pod_cgroups[WARDEN_POD_CGROUPS][CONFIG_CGROUP_LEN]; /* below the root of cgroup v2; "": none */
	char host_cgroups[CONFIG_HOST_CGROUPS][CONFIG_CGROUP_LEN]; /* below those, and yet the host's */
	enum warden_reaction reactions[RULE_COUNT]; /* of mode enforce, by rule; of the marking rules: on_violation */
	struct qos_profile profile;
	char qos_netdevs[CONFIG_QOS_NETDEVS][IF_NAMESIZE]; /* judged beside the PFs of the RDMA devices; "": none */
};

/* What is done about a violation: the rule's reaction in mode enforce, nothing but to tell in mode audit. */
enum warden_reaction config_reaction(const struct config *config, enum warden_rule rule);

void config_defaults(struct config *config);

/* Reads the file into `config`, which holds the defaults before. 0 or -errno; unchanged on an error. */
int config_read(const char *path, struct config *config, struct err *err);

/* The same from text; `name` stands for the file in messages. */
int config_parse(const char *text, size_t len, const char *name, struct config *config, struct err *err);

const char *config_mode_name(enum warden_mode mode);
const char *config_reaction_name(enum warden_reaction reaction);

#endif
