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
#include "lib/fault.h"
#include "lib/log.h"
#include "lib/util.h"

static int again(struct cni_error *e, int r, const struct err *err)
{
	return cni_fail(e, r == -EAGAIN || r == -EBUSY ? CNI_TRY_AGAIN : CNI_INTERNAL, "%s", err->text);
}

static int fetch_devices(struct attach *a, const struct record *r, int netns, struct cni_error *e)
{
	uint64_t begin = boot_ns();
	struct err err;
	int done = 0;

	if (r->has_rdma || r->softroce)
		done = node_rdma_fetch(r, netns, &err);
	begin = timing_note(a, TIMING_DEL_RDMA, begin);
	if (!done && r->has_netdev)
		done = node_netdev_fetch(r, netns, &err);
	begin = timing_note(a, TIMING_DEL_NETDEV, begin);
	if (!done && r->has_vf)
		done = node_vf_restore(r, &err);
	begin = timing_note(a, TIMING_DEL_VF, begin);
	if (!done && r->has_netdev)
		done = node_netdev_finish(r, &err);
	timing_note(a, TIMING_DEL_FINISH, begin);
	return done ? again(e, done, &err) : 0;
}

/* IPAM knows the attachment by container and interface, and is told even where the pod is long gone. */
static int give_back(const struct attach *a, const struct record *r, struct cni_error *e)
{
	const struct cni_variables variables = { .command = "DEL",
						 .container_id = r->container_id,
						 .netns = r->netns_path,
						 .ifname = r->ifname,
						 .args = r->cni_args,
						 .path = r->cni_path };
	_cleanup_(netconf_free) struct netconf conf = {};
	struct cni_env env;
	struct ipam_call call = { .conf = &conf, .env = &env, .deadline_ns = attach_ipam_deadline(a) };
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

	if (!r->has_rdma || a->options.hooks.clean(r->pci, r->has_netdev, why, sizeof(why), a->options.hooks.ctx))
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
	uint64_t begin = boot_ns();
	int done = 0;

	if (r->has_rdma || r->softroce)
		done = fault_around("attach.release",
				    (a->options.hooks.release(node_claim_name(r), a->options.hooks.ctx), 0));
	timing_note(a, TIMING_DEL_RELEASE, begin);
	if (done)
		return cni_fail(e, CNI_INTERNAL, "the claim on %s: %s", r->pci, strerror(-done));
	done = fetch_devices(a, r, netns, e);
	if (done)
		return done;
	begin = boot_ns();
	done = is_clean(a, r, e) ? 0 : -EBUSY;
	timing_note(a, TIMING_DEL_PROOF, begin);
	return done;
}

/*
 * From here on nothing turns it round. A journal that cannot be written to (a full disk) is no reason to leave a VF where it
 * is: what is found again after a crash is then an attachment whose devices are home, and its DEL comes again.
 */
static void begin_way_back(struct attach *a, struct record *r)
{
	struct err err;

	if (r->step >= STEP_DELETE)
		return;
	r->has_ipam &= r->step >= STEP_IPAM; /* what had not come to IPAM does not go there on the way back either */
	if (!record_advance(a->folder, r, STEP_DELETE, NULL, true, &err))
		return;
	pr_warn("%s; it is brought home all the same", err.text);
	r->step = STEP_DELETE;
}

/* Said once, however often it is tried. */
static void note_trouble(struct attach *a, struct record *r, const char *why)
{
	char text[sizeof(r->trouble) + CNI_ID_LEN + 128];

	if (!strncmp(r->trouble, why, sizeof(r->trouble) - 1))
		return;
	pthread_mutex_lock(&a->lock);
	snprintf(r->trouble, sizeof(r->trouble), "%s", why);
	pthread_mutex_unlock(&a->lock);
	snprintf(text, sizeof(text), "%s of container %s: %s", r->pci, r->container_id, why);
	a->options.hooks.fault(text, a->options.hooks.ctx);
}

static int bring_home(struct attach *a, struct record *r, struct cni_error *e)
{
	uint64_t begin;
	struct err err;
	int done = 0;

	begin_way_back(a, r);
	/* The devices first: an IPAM that does not answer is no reason to keep them from others. */
	if (r->step == STEP_DELETE) {
		done = is_of_this_boot(a, r) ? undo(a, r, e) : 0;
		if (done)
			return done;
		/* One that does not say so on the disk must not find another's devices after a restart: it ends here, or stays. */
		if (record_advance(a->folder, r, STEP_HOME, NULL, false, &err))
			pr_warn("%s; it is home all the same", err.text);
	}
	begin = boot_ns();
	done = give_back(a, r, e);
	timing_note(a, TIMING_DEL_IPAM, begin);
	if (done)
		return done;
	if (record_remove(a->folder, r, &err))
		return cni_fail(e, CNI_IO, "%s", err.text);
	records_remove(a, r);
	record_free(r);
	return 0;
}

int attach_home(struct attach *a, struct record *r, struct cni_error *e)
{
	int done = bring_home(a, r, e);

	if (done)
		note_trouble(a, r, e->msg);
	return done;
}
