// SPDX-License-Identifier: Apache-2.0
/* What the node itself promises: the exclusive mode, the guard, VFs, sources that answer, devices that have an owner. */
#include <string.h>

#include "lib/util.h"
#include "verify/internal.h"

/* ---- exclusive ---- */

static void exclusive_now(const struct judge *j)
{
	struct verify_check c = check_begin(j, "exclusive.now", "RDMA subsystem");
	int now = j->node->exclusive_now;

	check_expected(&c, "exclusive netns mode");
	check_found(&c, now > 0 ? "exclusive" : now ? "ib_core is not loaded, or does not say" : "shared");
	check_cure(&c, "rdma system set netns exclusive, which works only while no other netns exists; or "
		       "set_exclusive in the "
		       "configuration, and a reboot");
	check_tell(j, &c, now < 0 ? VERIFY_UNKNOWN : pass_if(now));
}

static void exclusive_next_boot(const struct judge *j)
{
	struct verify_check c = check_begin(j, "exclusive.next-boot", "RDMA subsystem");
	const struct verify_node *n = j->node;

	check_expected(&c, "exclusive netns mode");
	if (n->exclusive_next_boot < 0)
		check_found(&c, "it cannot be read how ib_core will start");
	else if (n->exclusive_next_boot)
		check_found(&c, "exclusive, by %s", n->exclusive_by[0] ? n->exclusive_by : "what is set");
	else if (n->exclusive_against[0])
		check_found(&c, "shared, by %s", n->exclusive_against);
	else
		check_found(&c, "shared: nothing says otherwise, and that is the kernel's default");
	if (n->exclusive_against[0])
		check_cure(&c, "take netns_mode=1 of ib_core out of %s", n->exclusive_against);
	else
		check_cure(
			&c,
			"echo options ib_core netns_mode=0 >/etc/modprobe.d/rdma-warden.conf; or set_exclusive in the "
			"configuration");
	check_tell(j, &c, n->exclusive_next_boot < 0 ? VERIFY_UNKNOWN : pass_if(n->exclusive_next_boot));
}

/* ---- guard ---- */

static void guard_programs(const struct judge *j)
{
	const char *guard = j->node->guard && j->node->guard[0] ? j->node->guard : NULL;
	struct verify_check c = check_begin(j, "guard.programs", "guard");
	bool missing = j->node->programs_missing[0];

	check_expected(&c, "each program is attached");
	if (missing)
		check_found(&c, "not attached: %s", j->node->programs_missing);
	else
		check_found(&c, "%s%s%s", guard ? "by " : "there is no guard", guard ? guard : "",
			    guard && !j->node->enforce ? "; in audit mode nothing is refused" : "");
	check_cure(&c, "systemctl restart wardend; wardenctl capabilities says what the kernel does not give");
	check_tell(j, &c, pass_if(guard && !missing));
}

static void guard_lost(const struct judge *j)
{
	struct verify_check c = check_begin(j, "guard.lost", "counters");

	check_expected(&c, "nothing was lost");
	if (j->node->lost)
		check_found(&c, "%llu lost: %s", (unsigned long long)j->node->lost, j->node->lost_names);
	else
		check_found(&c, "nothing was lost");
	check_cure(&c,
		   "look at what grew by wardenctl status; the counters begin anew after wardend --unload and a start");
	check_tell(j, &c, pass_if(!j->node->lost));
}

static void attach_quarantine(const struct judge *j)
{
	struct verify_check c = check_begin(j, "attach.quarantine", "attachments");

	check_expected(&c, "none in quarantine");
	check_found(&c, "%u in quarantine", j->node->quarantined);
	check_cure(&c, "wardenctl attachments says what does not come home, and why");
	check_tell(j, &c, pass_if(!j->node->quarantined));
}

/* ---- VFs ---- */

static void sriov_enabled(const struct judge *j)
{
	struct verify_check c = check_begin(j, "sriov.enabled", "PFs");

	check_expected(&c, "a PF with VFs");
	check_found(&c, "%u with VFs", j->node->pfs_with_vfs);
	check_cure(&c, "wardenctl policy --apply, with a node_policy in the configuration; or "
		       "echo NUMBER >/sys/class/net/PF/device/sriov_numvfs");
	check_tell(j, &c, pass_if(j->node->pfs_with_vfs));
}

static void sriov_policy(const struct judge *j)
{
	for (size_t i = 0; i < j->node->policy_count; i++) {
		const struct verify_policy_vfs *p = &j->node->policy[i];
		struct verify_check c = check_begin(j, "sriov.policy", p->pf);

		check_expected(&c, "%s", p->expected);
		check_found(&c, "%s", p->found);
		check_cure(&c, "%s", p->cure[0] ? p->cure : "wardenctl policy --apply");
		check_tell(j, &c, pass_if(p->fits));
	}
}

/* ---- sources ---- */

static void judge_sources(const struct judge *j)
{
	static const char *const ids[] = {
#define X(id, name) "source." name,
		POD_SOURCES(X)
#undef X
	};
	const size_t head = sizeof("source.") - 1;

	for (size_t i = 0; i < j->node->source_count; i++) {
		const struct verify_source *s = &j->node->sources[i];

		for (size_t k = 0; s->on && k < ARRAY_SIZE(ids); k++) {
			struct verify_check c = check_begin(j, ids[k], s->name);

			if (strcmp(ids[k] + head, s->name))
				continue;
			check_expected(&c, "it answers");
			check_found(&c, "%s", s->ok ? "it answers" : s->why[0] ? s->why : "it does not answer");
			check_tell(j, &c, s->ok ? VERIFY_PASS : VERIFY_UNKNOWN);
		}
	}
}

/* ---- devices without an owner ---- */

static bool tell_orphan(const struct judge *j, const struct model_device *d)
{
	struct verify_check c = check_begin(j, "device.orphan", device_subject(j->model, d));
	const char *unclean = d->tracked.unclean;

	if (!d->tracked.orphan)
		return false;
	check_expected(&c, "the owner of its claim lives");
	check_found(&c, "%s is gone, and %s %s%s%s", d->tracked.claim.owner, d->tracked.device.name,
		    unclean[0] ? "is not clean (" : "is not released yet", unclean, unclean[0] ? ")" : "");
	check_cure(&c, "wardenctl release --device %s%s", text_word(device_subject(j->model, d)),
		   unclean[0] ? ", once it is clean, or with --force" : "");
	check_tell(j, &c, VERIFY_FAIL);
	return true;
}

static bool tell_unclaimed(const struct judge *j, const struct model_device *d)
{
	struct verify_check c = check_begin(j, "device.unclaimed", device_subject(j->model, d));
	size_t pod = d->by[POD_SOURCE_PROC] != MODEL_NONE ? d->by[POD_SOURCE_PROC] : d->by[POD_SOURCE_NETNS];
	const struct model_pod *p = pod != MODEL_NONE ? &j->model->pods[pod] : NULL;

	if (!p || d->tracked.claimed)
		return false;
	check_expected(&c, "claimed by the pod that it is in");
	check_found(&c, "%s is in the netns of %s and claimed by nobody", d->tracked.device.name, p->owner);
	if (d->tracked.netns[0])
		check_cure(&c, "wardenctl claim --device %s --netns %s --owner %s",
			   text_word(device_subject(j->model, d)), text_word(d->tracked.netns), text_word(p->owner));
	else
		check_cure(&c, "wardenctl claim --device %s --pid %d --owner %s",
			   text_word(device_subject(j->model, d)), p->pid, text_word(p->owner));
	check_tell(j, &c, VERIFY_FAIL);
	return true;
}

/* One line for all where none is wrong. */
static void each_device(const struct judge *j, const char *id, const char *right,
			bool (*tell)(const struct judge *j, const struct model_device *d))
{
	struct verify_check c = check_begin(j, id, "devices");
	bool told = false;

	for (size_t i = 0; i < j->model->device_count; i++)
		told = tell(j, &j->model->devices[i]) || told;
	if (told || !j->model->device_count)
		return;
	check_expected(&c, "%s", right);
	check_found(&c, "%s", right);
	check_tell(j, &c, VERIFY_PASS);
}

void judge_node(struct judge *j)
{
	exclusive_now(j);
	exclusive_next_boot(j);
	guard_programs(j);
	guard_lost(j);
	attach_quarantine(j);
	sriov_enabled(j);
	sriov_policy(j);
	judge_sources(j);
	each_device(j, "device.orphan", "the owner of each claim lives", tell_orphan);
	each_device(j, "device.unclaimed", "what is in a pod is claimed", tell_unclaimed);
}
