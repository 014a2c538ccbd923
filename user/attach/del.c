// SPDX-License-Identifier: Apache-2.0
/* DEL, CHECK, GC and STATUS. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach/internal.h"
#include "attach/node.h"
#include "lib/log.h"
#include "lib/util.h"

/* ---- DEL ---- */

/*
 * The journal knows nothing of it: it was never attached, or is gone already, or its journal is lost. The configuration says
 * what IPAM is to be told. Devices are touched only where they are certainly the caller's: a late DEL of a container that is
 * gone must not take the device of the next one.
 */
static int del_unknown(struct call *call, struct cni_error *e)
{
	const struct ipam_call ipam = { .conf = &call->conf, .env = &call->env, .deadline_ns = call->deadline_ns };

	return call->conf.ipam && call->conf.role != NETCONF_RDMA ? ipam_del(&ipam, e) : 0;
}

int attach_del(struct call *call, struct cni_error *e)
{
	struct attach *a = call->attach;
	struct hold attachment, hold;
	struct record *r;
	int done;

	/* An ADD that its runtime gave up, and that is not over here, is waited for: it would stay for ever. */
	hold_attachment(a, &attachment, call);
	r = records_hold(a, call->env.container_id, call->env.ifname, call->conf.role, &hold);
	done = r ? attach_home(a, r, e) : del_unknown(call, e);
	if (r)
		hold_give(a, &hold);
	hold_give(a, &attachment);
	return done;
}

/* ---- CHECK ---- */

#define CHECK_GID_MS 1000 /* it may come right after ADD */

static int check_node(struct call *call, const struct record *r, struct cni_error *e)
{
	_cleanup_close_ int netns = node_netns_open(r->netns_path, &r->netns);
	struct netdev_link link;
	struct err err;
	int done = 0;

	if (netns < 0)
		return cni_fail(e, CNI_INVALID_NETNS, "the netns of container %s is gone", r->container_id);
	if (r->has_netdev) {
		done = node_netdev_find(netns, r->pci, &link, &err);
		if (!done && strcmp(link.name, r->ifname))
			done = fail(&err, -ESTALE, "the netdev of %s is called %s and not %s", r->pci, link.name,
				    r->ifname);
		if (!done)
			done = node_addresses_check(netns, link.ifindex, &call->conf.prev, &err);
		if (!done)
			done = node_routes_check(netns, &call->conf.prev, &err);
	}
	if (!done && (r->has_rdma || r->softroce))
		done = node_rdma_check(r, netns, &err);
	if (!done && (r->has_rdma || r->softroce))
		done = node_gids_check(r, netns, &call->conf.prev, CHECK_GID_MS, &err);
	if (!done && r->has_vf)
		done = node_vf_check(r->pci, &call->conf, &err);
	return done ? cni_fail(e, CNI_INTERNAL, "%s", err.text) : 0;
}

int attach_check(struct call *call, struct cni_error *e)
{
	const struct ipam_call ipam = { .conf = &call->conf, .env = &call->env, .deadline_ns = call->deadline_ns };
	struct attach *a = call->attach;
	struct hold hold;
	struct record *r = records_hold(a, call->env.container_id, call->env.ifname, call->conf.role, &hold);
	int done;

	if (!r)
		return cni_fail(e, CNI_UNKNOWN_CONTAINER, "container %s has no interface %s", call->env.container_id,
				call->env.ifname);
	if (r->step != STEP_ATTACHED)
		done = cni_fail(e, CNI_UNKNOWN_CONTAINER, "container %s has no interface %s (any more)",
				call->env.container_id, call->env.ifname);
	else
		done = check_node(call, r, e);
	hold_give(a, &hold);
	return done || !call->conf.ipam || call->conf.role == NETCONF_RDMA ? done : ipam_check(&ipam, e);
}

/* ---- GC ---- */

static bool is_valid(const struct netconf *conf, const struct record *r)
{
	for (size_t i = 0; i < conf->attachment_count; i++)
		if (!strcmp(conf->attachments[i].container_id, r->container_id) &&
		    !strcmp(conf->attachments[i].ifname, r->ifname))
			return true;
	return false;
}

/* The names of one that nobody has any use for; false: there is none that was not tried. */
static bool next_garbage(struct call *call, size_t skip, struct record *names)
{
	struct attach *a = call->attach;
	bool found = false;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; !found && i < a->count; i++) {
		const struct record *r = a->records[i];

		if (strcmp(r->network, call->conf.name) ||
		    (r->role == NETCONF_RDMA) != (call->conf.role == NETCONF_RDMA) || is_valid(&call->conf, r) ||
		    skip-- > 0)
			continue;
		memcpy(names->container_id, r->container_id, sizeof(names->container_id));
		memcpy(names->ifname, r->ifname, sizeof(names->ifname));
		found = true;
	}
	pthread_mutex_unlock(&a->lock);
	return found;
}

int attach_gc(struct call *call, struct cni_error *e)
{
	const struct ipam_call ipam = { .conf = &call->conf, .env = &call->env, .deadline_ns = call->deadline_ns };
	struct attach *a = call->attach;
	struct record names = {};
	struct cni_error why = {};
	size_t failed = 0;
	int done = 0;

	while (next_garbage(call, failed, &names)) {
		struct hold hold;
		struct record *r = records_hold(a, names.container_id, names.ifname, call->conf.role, &hold);

		if (!r)
			continue;
		if (attach_home(a, r, &why)) {
			failed++;
			done = cni_fail(e, CNI_TRY_AGAIN, "container %s: %s", names.container_id, why.msg);
		}
		hold_give(a, &hold);
	}
	if (call->conf.ipam && call->conf.role != NETCONF_RDMA &&
	    ipam_gc(&ipam, call->conf.attachments, call->conf.attachment_count, done ? &why : e) && !done)
		done = -EIO;
	return done;
}

/* ---- STATUS ---- */

int attach_status(struct call *call, struct cni_error *e)
{
	const struct ipam_call ipam = { .conf = &call->conf, .env = &call->env, .deadline_ns = call->deadline_ns };

	if (access(call->attach->folder, W_OK))
		return cni_fail(e, CNI_NOT_AVAILABLE, "the journal's folder %s cannot be written to: %s",
				call->attach->folder, strerror(errno));
	return call->conf.ipam && call->conf.role != NETCONF_RDMA ? ipam_status(&ipam, e) : 0;
}
