// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "pods/sources.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kube/checkpoint.h"
#include "kube/podresources.h"
#include "lib/list.h"
#include "lib/names.h"
#include "lib/util.h"
#include "net/netops.h"
#include "net/rtnl.h"

/* ---- health ---- */

void source_asked(struct source_health *health, int r, const struct err *err)
{
	if (!r) {
		health->success_ns = boot_ns();
		health->failures = 0;
		health->absent = false;
		return;
	}
	health->absent = r == -ENOENT && !health->success_ns;
	health->error_ns = boot_ns();
	health->error = *err;
	health->failures++;
	health->all_failures++;
}

bool source_is_well(const struct source_health *health)
{
	return health->on && health->success_ns && health->success_ns >= health->error_ns;
}

const char *source_state(const struct source_health *health)
{
	if (!health->on)
		return "off";
	if (source_is_well(health))
		return "ok";
	return health->absent || !health->error_ns ? "waiting" : "failed";
}

uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the kernel ---- */

struct netdev_walk {
	struct node_pass *pass;
	struct netns_id netns;
};

static void take_netdev(const struct netdev_link *link, void *ctx)
{
	struct netdev_walk *walk = ctx;
	struct node_pass *pass = walk->pass;
	struct model_netdev *to;

	if (!link->parent[0])
		return;
	to = list_place(&pass->netdevs, &pass->netdev_room, pass->netdev_count, sizeof(*to));
	if (!to)
		return;
	*to = (struct model_netdev){ .netns = walk->netns };
	memcpy(to->parent, link->parent, sizeof(link->parent));
	memcpy(to->name, link->name, sizeof(link->name));
	pass->netdev_count++;
}

static int list_netns(int fd, const struct netns_id *id, void *ctx)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	struct netdev_walk walk = { .pass = ctx, .netns = *id };

	if (!rtnl_open(&nl, fd))
		netdev_link_each(nl, take_netdev, &walk);
	return 0;
}

void node_pass(struct node_pass *pass)
{
	const struct scan_options options = {};
	uint64_t cpu = thread_cpu_ns();

	*pass = (struct node_pass){ .begun_ns = boot_ns() };
	pass->error = scan_node(&options, &pass->scan, &pass->err);
	pass->has_scan = !pass->error;
	netns_for_each(list_netns, pass);
	pass->cpu_ns = thread_cpu_ns() - cpu;
}

void node_pass_free(struct node_pass *pass)
{
	scan_free(&pass->scan);
	free(pass->netdevs);
	*pass = (struct node_pass){};
}

/* Into what an owner's name may be: lower case, and what is not legal becomes a '-'. */
static bool name_from(const char *text, char *to, size_t size)
{
	size_t len = 0;

	for (const char *c = text; *c && len + 1 < size && len < NAME_SUBDOMAIN_MAX; c++)
		to[len++] = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : *c == '.' ? '.' : '-';
	while (len && !isalnum((unsigned char)to[len - 1]))
		len--;
	to[len] = '\0';
	while (*to && !isalnum((unsigned char)*to))
		memmove(to, to + 1, strlen(to));
	return name_valid(to, strlen(to), NAME_SUBDOMAIN_MAX);
}

/* The last part of a process's cgroup that is a unit of systemd's. */
static bool unit_of(const char *process, char *to, size_t size)
{
	char path[64], text[PATH_MAX], *part, *rest, *unit = NULL;

	if (try_snprintf(path, sizeof(path), "/proc/%.16s/cgroup", process) || read_line(path, text, sizeof(text)))
		return false;
	rest = text;
	while ((part = strsep(&rest, "/"))) {
		size_t len = strlen(part);

		if ((len > 8 && !strcmp(part + len - 8, ".service")) || (len > 6 && !strcmp(part + len - 6, ".scope")))
			unit = part;
	}
	return unit && name_from(unit, to, size);
}

bool netns_keeper(uint32_t inum, char *to, size_t size, bool *unit)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char name[NAME_MAX + 1], path[64];
	struct stat st;

	*unit = false;
	netns_name(inum, name, sizeof(name));
	if (name[0])
		return name_from(name, to, size);
	*unit = true;
	dir = opendir("/proc");
	while (dir && (entry = readdir(dir))) {
		if (strspn(entry->d_name, "0123456789") == 0 ||
		    try_snprintf(path, sizeof(path), "/proc/%.16s/ns/net", entry->d_name) || stat(path, &st) ||
		    st.st_ino != inum)
			continue;
		if (unit_of(entry->d_name, to, size))
			return true;
	}
	return false;
}

/* ---- the kubelet ---- */

static void ask_socket(const struct config_kubernetes *config, unsigned int ms, struct kubelet_answer *a)
{
	struct err ignored;

	a->socket = 1;
	if (!config->podresources[0])
		return;
	a->socket = podresources_list(config->podresources, ms, &a->granted, &a->socket_err);
	a->has_granted = !a->socket;
	a->has_allocatable = !a->socket &&
			     !podresources_allocatable(config->podresources, ms, &a->allocatable, &ignored);
}

static void read_checkpoint(const struct config_kubernetes *config, struct kubelet_answer *a)
{
	a->checkpoint = 1;
	if (!config->checkpoint[0] || a->has_granted)
		return;
	a->checkpoint = checkpoint_read(config->checkpoint, &a->granted, &a->checkpoint_err);
	a->has_granted = a->by_checkpoint = !a->checkpoint;
}

static void read_devinfo(const struct config_kubernetes *config, struct kubelet_answer *a)
{
	char dir[PATH_MAX];

	a->devinfo_read = 1;
	if (!config->devinfo[0] || try_snprintf(dir, sizeof(dir), "%s/cni", config->devinfo))
		return;
	a->devinfo_read = devinfo_list(dir, &a->devinfo, &a->devinfo_err);
	a->has_devinfo = !a->devinfo_read;
}

void kubelet_ask(const struct config_kubernetes *config, unsigned int ms, struct kubelet_answer *answer)
{
	uint64_t cpu = thread_cpu_ns();

	*answer = (struct kubelet_answer){ .begun_ns = boot_ns() };
	ask_socket(config, ms, answer);
	read_checkpoint(config, answer);
	read_devinfo(config, answer);
	answer->cpu_ns = thread_cpu_ns() - cpu;
}

void kubelet_answer_free(struct kubelet_answer *answer)
{
	kube_grants_free(&answer->granted);
	kube_grants_free(&answer->allocatable);
	devinfo_free(&answer->devinfo);
	*answer = (struct kubelet_answer){};
}
