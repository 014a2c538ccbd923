// SPDX-License-Identifier: Apache-2.0
/*
 * The way back. It asks the node, not the journal, what there is to be undone, so it is right from wherever an attachment
 * stopped, and may be done as often as one likes. The RDMA device goes first: its driver may not let the netdev go alone.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach/internal.h"
#include "attach/node.h"
#include "lib/log.h"
#include "lib/util.h"

static int again(struct cni_error *e, int r, const struct err *err)
{
	return cni_fail(e, r == -EAGAIN || r == -EBUSY ? CNI_TRY_AGAIN : CNI_INTERNAL, "%s", err->text);
}

static int fetch_devices(const struct record *r, int netns, struct cni_error *e)
{
	struct err err;
	int done = 0;

	if (r->has_rdma || r->softroce)
		done = node_rdma_fetch(r, netns, &err);
	if (!done && r->has_netdev)
		done = node_netdev_fetch(r, netns, &err);
	if (!done && r->has_vf)
		done = node_vf_restore(r, &err);
	if (!done && r->has_netdev)
		done = node_netdev_finish(r, &err);
	return done ? again(e, done, &err) : 0;
}

/* IPAM knows the attachment by container and interface, and is told even where the pod is long gone. */
static int give_back(const struct record *r, struct cni_error *e)
{
	const struct cni_variables variables = { .command = "DEL",
						 .container_id = r->container_id,
						 .netns = r->netns_path,
						 .ifname = r->ifname,
						 .args = r->cni_args,
						 .path = r->cni_path };
	_cleanup_(netconf_free) struct netconf conf = {};
	struct cni_env env;
	struct ipam_call call = { .conf = &conf, .env = &env, .deadline_ns = boot_ns() + ATTACH_IPAM_MS * 1000000ull };
	int done;

	if (!r->has_ipam)
		return 0;
	done = cni_env_read(&variables, &env, e);
	if (!done)
		done = netconf_read(r->config, strlen(r->config), &env, &conf, e);
	return done ? done : ipam_del(&call, e);
}

static bool is_clean(struct attach *a, const struct record *r, struct cni_error *e)
{
	char why[256];

	if (!r->has_rdma || a->options.hooks.clean(r->pci, why, sizeof(why), a->options.hooks.ctx))
		return true;
	cni_fail(e, CNI_TRY_AGAIN, "device %s is back and not clean: %s", r->pci, why);
	return false;
}

/* Of another boot: nothing on this node is its own any more, and what has its names now is somebody else's. */
static bool is_of_this_boot(const struct attach *a, const struct record *r)
{
	return !strcmp(a->boot_id, r->boot_id);
}

/*
 * The claim goes first: from then on the pod cannot use the device any more (an unclaimed one is no pod's), and who enters
 * the pod's netns to fetch it is not taken for the pod. That it is not another's before it is clean is the record's doing.
 */
static int undo(struct attach *a, struct record *r, struct cni_error *e)
{
	_cleanup_close_ int netns = node_netns_open(r->netns_path, &r->netns);
	int done;

	if (r->has_rdma || r->softroce)
		a->options.hooks.release(node_claim_name(r), a->options.hooks.ctx);
	done = fetch_devices(r, netns, e);
	if (done)
		return done;
	return is_clean(a, r, e) ? 0 : -EBUSY;
}

int attach_home(struct attach *a, struct record *r, struct cni_error *e)
{
	struct err err;
	int done = 0;

	/* From here on nothing turns it round. What had not come to IPAM does not go there on the way back either. */
	if (r->step < STEP_DELETE) {
		r->has_ipam &= r->step >= STEP_IPAM;
		if (record_advance(a->folder, r, STEP_DELETE, NULL, true, &err))
			return cni_fail(e, CNI_IO, "%s", err.text);
	}
	/* The devices first: an IPAM that does not answer is no reason to keep them from others. */
	if (r->step == STEP_DELETE && is_of_this_boot(a, r))
		done = undo(a, r, e);
	if (!done && r->step == STEP_DELETE && record_advance(a->folder, r, STEP_HOME, NULL, false, &err))
		done = cni_fail(e, CNI_IO, "%s", err.text);
	if (!done)
		done = give_back(r, e);
	if (done)
		return done;
	if (record_remove(a->folder, r, &err))
		return cni_fail(e, CNI_IO, "%s", err.text);
	records_remove(a, r);
	record_free(r);
	return 0;
}
