// SPDX-License-Identifier: Apache-2.0
#include "sriov/policy_perform.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"
#include "sriov/sriov.h"

#define WAIT_MS 10000 /* for a driver, until it has made its netdev */
#define POLL_MS 20
#define FAILED_PFS 64

/* ---- sysfs ---- */

/* The whole text by one write, as an attribute wants it. */
static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(text);

	if (fd < 0)
		return -errno;
	errno = EIO;
	return write(fd, text, (size_t)len) == len ? 0 : -errno;
}

static int write_attribute(const char *sysfs, const char *pci, const char *name, const char *text)
{
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, pci, name);

	return r ? r : write_file(path, text);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* ---- the number of VFs ---- */

static int write_num_vfs(const char *sysfs, const char *pci, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return write_attribute(sysfs, pci, "sriov_numvfs", text);
}

/* Their drivers may make the netdevs later, or be modules that are only coming. True: they are all there. */
static bool vfs_ready(const char *sysfs, const char *pci, unsigned int n)
{
	char link[PATH_MAX], target[PATH_MAX], netdev[IF_NAMESIZE];

	for (unsigned int i = 0; i < n; i++) {
		ssize_t len = -1;

		if (!try_snprintf(link, sizeof(link), "%s/bus/pci/devices/%s/virtfn%u", sysfs, pci, i))
			len = readlink(link, target, sizeof(target) - 1);
		if (len < 0)
			return false;
		target[len] = '\0';
		policy_netdev(sysfs, basename(target), netdev, sizeof(netdev));
		if (!netdev[0])
			return false;
	}
	return true;
}

static void wait_for_vfs(const char *sysfs, const char *pci, unsigned int n)
{
	char path[PATH_MAX], autoprobe[8];

	if (try_snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/sriov_drivers_autoprobe", sysfs, pci) ||
	    (!read_line(path, autoprobe, sizeof(autoprobe)) && autoprobe[0] == '0'))
		return; /* the next pass binds them */
	for (int waited = 0; waited < WAIT_MS && !vfs_ready(sysfs, pci, n); waited += POLL_MS)
		pause_ms(POLL_MS);
}

/* The kernel takes no other way than by 0. */
static int set_num_vfs(const char *sysfs, const struct policy_pf *pf, unsigned int n, struct err *err)
{
	int r = pf->num_vfs ? write_num_vfs(sysfs, pf->pci, 0) : 0, back;

	if (r)
		return fail(err, r, "%s: its %u VFs cannot be removed: %s", pf->netdev, pf->num_vfs, strerror(-r));
	r = n ? write_num_vfs(sysfs, pf->pci, n) : 0;
	if (!r)
		wait_for_vfs(sysfs, pf->pci, n);
	if (!r)
		return 0;
	back = pf->num_vfs ? write_num_vfs(sysfs, pf->pci, pf->num_vfs) : 0;
	return fail(err, r, "%s: %u VFs cannot be made: %s; %s %u VFs%s", pf->netdev, n, strerror(-r),
		    back ? "nor can its former" : "it has its former", pf->num_vfs, back ? ": it has none" : "");
}

/* ---- drivers ---- */

/* drivers_probe succeeds also where no driver wanted the function. */
static int probe(const char *sysfs, const char *pci, bool netdev)
{
	char path[PATH_MAX], name[64];
	int r = try_snprintf(path, sizeof(path), "%s/bus/pci/drivers_probe", sysfs);

	if (!r)
		r = write_file(path, pci);
	policy_driver(sysfs, pci, name, sizeof(name));
	if (!name[0])
		return r ? r : -ENODEV;
	for (int waited = 0; netdev && waited < WAIT_MS; waited += POLL_MS) {
		policy_netdev(sysfs, pci, name, sizeof(name));
		if (name[0])
			return 0;
		pause_ms(POLL_MS);
	}
	return netdev ? -ETIMEDOUT : 0;
}

static int unbind(const char *sysfs, const char *pci)
{
	char driver[32];

	policy_driver(sysfs, pci, driver, sizeof(driver));
	return driver[0] ? write_attribute(sysfs, pci, "driver/unbind", pci) : 0;
}

/* Which driver it is to be: "": the one that fits. */
static int set_override(const char *sysfs, const char *pci, const char *driver)
{
	return write_attribute(sysfs, pci, "driver_override", driver[0] ? driver : "\n");
}

static const char *probe_error(int r)
{
	return r == -ENODEV      ? "no driver took it (the kernel's log may say why)"
	       : r == -ETIMEDOUT ? "its driver has made no netdev within ten seconds"
				 : strerror(-r);
}

/* After a failure: the driver that it had, so that it is not left without one. */
static int bind_back(const char *sysfs, const struct policy_vf *vf, const char *what, int why, struct err *err)
{
	bool userspace = policy_userspace_driver(vf->driver);
	int r = vf->driver[0] ? set_override(sysfs, vf->pci, userspace ? vf->driver : "")
			      : set_override(sysfs, vf->pci, "");

	if (!vf->driver[0])
		return fail(err, why, "%s: %s; it had no driver before either", what, probe_error(why));
	if (!r)
		r = unbind(sysfs, vf->pci);
	if (!r)
		r = probe(sysfs, vf->pci, !userspace);
	if (r)
		return fail(err, why, "%s: %s; and %s does not take it back: %s: it has to be bound by hand", what,
			    probe_error(why), vf->driver, probe_error(r));
	return fail(err, why, "%s: %s; it is with %s again", what, probe_error(why), vf->driver);
}

static int bind_vf(const char *sysfs, const struct policy_vf *vf, enum policy_device_type type, struct err *err)
{
	bool vfio = type == POLICY_VFIO_PCI;
	char what[96];
	int r;

	snprintf(what, sizeof(what), "%s cannot be bound to %s", vf->pci, vfio ? "vfio-pci" : "its kernel driver");
	r = set_override(sysfs, vf->pci, vfio ? "vfio-pci" : "");
	if (r)
		return fail(err, r, "%s: driver_override: %s", what, strerror(-r));
	r = unbind(sysfs, vf->pci);
	if (!r)
		r = probe(sysfs, vf->pci, !vfio);
	return r ? bind_back(sysfs, vf, what, r, err) : 0;
}

/* ---- actions ---- */

/* Looked at once more: since the plan was made others may have taken it. */
static int still_free(const struct policy_source *s, const struct policy_vf *vf, struct err *err)
{
	char netdev[IF_NAMESIZE], busy[sizeof(vf->busy)] = "";

	if (s->busy)
		s->busy(vf->pci, busy, sizeof(busy), s->ctx);
	policy_netdev(s->sysfs, vf->pci, netdev, sizeof(netdev));
	if (busy[0])
		return fail(err, -EBUSY, "%s: %s", vf->pci, busy);
	if (strcmp(netdev, vf->netdev))
		return fail(err, -EBUSY, "%s: its netdev %s is gone since the plan was made", vf->pci, vf->netdev);
	return 0;
}

static int all_free(const struct policy_source *s, const struct policy_pf *pf, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < pf->num_vfs; i++)
		if (pf->vfs[i].pci[0])
			r = still_free(s, &pf->vfs[i], err);
	return r;
}

static int set_mac(const struct policy_vf *vf, const uint8_t mac[6], struct err *err)
{
	struct sriov_vf to = {};

	memcpy(to.mac, mac, sizeof(to.mac));
	return sriov_vf_set(vf->pci, SRIOV_MAC, &to, NULL, err);
}

static int perform_vf(const struct policy_source *s, const struct policy_pf *pf, const struct policy_action *a,
		      struct err *err)
{
	const struct policy_vf *vf = &pf->vfs[a->vf];
	char netdev[IF_NAMESIZE];
	int r;

	if (a->step == POLICY_VF_BIND)
		return bind_vf(s->sysfs, vf, a->type, err);
	if (a->step == POLICY_VF_MAC)
		return set_mac(vf, a->mac, err);
	policy_netdev(s->sysfs, vf->pci, netdev, sizeof(netdev)); /* bound again, it may have got another name */
	r = netdev[0] ? sriov_set_mtu(netdev, a->value) : -ENODEV;
	return r ? fail(err, r, "VF %u (%s): MTU %u: %s", a->vf, vf->pci, a->value, strerror(-r)) : 0;
}

static int perform(const struct policy_source *s, const struct policy_item *item, const struct policy_action *a,
		   bool first_of_vf, struct err *err)
{
	const struct policy_pf *pf = item->pf;
	int r;

	switch (a->step) {
	case POLICY_PF_UP:
		r = sriov_set_up(pf->netdev);
		return r ? fail(err, r, "%s: cannot be set up: %s", pf->netdev, strerror(-r)) : 0;
	case POLICY_PF_MTU:
		r = all_free(s, pf, err);
		if (r)
			return r;
		r = sriov_set_mtu(pf->netdev, a->value);
		return r ? fail(err, r, "%s: MTU %u: %s", pf->netdev, a->value, strerror(-r)) : 0;
	case POLICY_NUM_VFS:
		r = all_free(s, pf, err);
		return r ? r : set_num_vfs(s->sysfs, pf, a->value, err);
	default:
		r = first_of_vf ? still_free(s, &pf->vfs[a->vf], err) : 0;
		return r ? r : perform_vf(s, pf, a, err);
	}
}

/* ---- passes ---- */

struct applying {
	const struct policy_source *source;
	void (*told)(const struct policy_done *done, void *ctx);
	void *ctx;
	char failed[FAILED_PFS][POLICY_PCI_LEN]; /* PFs that are left alone from now on */
	size_t failed_count;
};

static bool has_failed(const struct applying *a, const char *pci)
{
	for (size_t i = 0; i < a->failed_count; i++)
		if (!strcmp(a->failed[i], pci))
			return true;
	return a->failed_count == FAILED_PFS;
}

static size_t perform_item(struct applying *a, const struct policy_item *item)
{
	struct err err;
	size_t i;

	for (i = 0; i < item->action_count; i++) {
		const struct policy_action *action = &item->actions[i];
		bool first = !i || item->actions[i - 1].vf != action->vf || item->actions[i - 1].step <= POLICY_NUM_VFS;
		int r = perform(a->source, item, action, first, &err);

		a->told(&(struct policy_done){ .item = item, .action = action, .error = r ? err.text : "" }, a->ctx);
		if (!r)
			continue;
		snprintf(a->failed[a->failed_count++], POLICY_PCI_LEN, "%s", item->pf->pci);
		break;
	}
	return i;
}

static int one_pass(struct applying *a, const struct node_policy *policies, size_t count, size_t *done, struct err *err)
{
	struct policy_plan plan = {};
	struct policy_node node;
	int r = policy_node_read(a->source, &node, err);

	*done = 0;
	if (r)
		return r;
	if (policy_plan_make(&node, policies, count, &plan))
		r = fail(err, -ENOMEM, "node_policy: out of memory");
	for (size_t i = 0; !r && i < plan.count; i++)
		if (!has_failed(a, plan.items[i].pf->pci))
			*done += perform_item(a, &plan.items[i]);
	policy_plan_free(&plan);
	policy_node_free(&node);
	return r;
}

int policy_apply(const struct policy_source *source, const struct node_policy *policies, size_t count,
		 void (*told)(const struct policy_done *done, void *ctx), void *ctx, struct err *err)
{
	struct applying a = { .source = source, .told = told, .ctx = ctx };
	size_t done = 1;
	int r = 0;

	for (int pass = 0; !r && done && pass < POLICY_PASSES; pass++)
		r = one_pass(&a, policies, count, &done, err);
	return r;
}
