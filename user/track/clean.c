// SPDX-License-Identifier: Apache-2.0
#include "track/clean.h"

#include <inttypes.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/mac.h"
#include "sriov/sriov.h"

struct findings {
	char *text;
	size_t size, len;
};

static void find(struct findings *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void find(struct findings *f, const char *fmt, ...)
{
	char one[128];
	va_list args;
	int n;

	va_start(args, fmt);
	vsnprintf(one, sizeof(one), fmt, args);
	va_end(args);
	n = snprintf(f->text + f->len, f->size - f->len, "%s%s", f->len ? "; " : "", one);
	/* A text that is cut still says that something is unclean. */
	f->len = n < 0 || f->len + (size_t)n >= f->size ? f->size - 1 : f->len + (size_t)n;
}

static void check_objects(const struct warden_device *d, struct findings *f)
{
	static const char *const names[OBJECT_COUNT] = {
		[OBJECT_PD] = "protection domains", [OBJECT_CQ] = "completion queues", [OBJECT_QP] = "queue pairs",
		[OBJECT_CM_ID] = "connections",     [OBJECT_MR] = "memory regions",    [OBJECT_CTX] = "contexts",
	};

	for (int i = 0; i < OBJECT_COUNT; i++)
		if (d->objects[i] > 0)
			find(f, "%d %s", d->objects[i], names[i]);
}

static void check_vf(const struct sriov_vf *vf, struct findings *f)
{
	if (vf->vlan > 0)
		find(f, "VLAN %" PRId64, vf->vlan);
	if (vf->vlan_qos > 0)
		find(f, "VLAN priority %" PRId64, vf->vlan_qos);
	if (vf->min_rate > 0 || vf->max_rate > 0)
		find(f, "transmit rate %" PRId64 " to %" PRId64 " Mb/s", vf->min_rate, vf->max_rate);
	if (vf->spoofchk == 0)
		find(f, "spoof check off");
	if (vf->trust > 0)
		find(f, "trusted");
	if (vf->link_state > IFLA_VF_LINK_STATE_AUTO)
		find(f, "link state %s", vf->link_state == IFLA_VF_LINK_STATE_ENABLE ? "enable" : "disable");
}

static void check_mac(const struct sriov_vf *vf, const struct sriov_netdev *n, struct findings *f)
{
	static const uint8_t none[sizeof(vf->mac)];
	char mac[MAC_TEXT_LEN];

	if (!memcmp(vf->mac, none, sizeof(none)) || !memcmp(vf->mac, n->mac, sizeof(n->mac)))
		return;
	mac_print(n->mac, mac);
	find(f, "MAC %s, the PF has another one for it", mac);
}

static void check_listening(const struct sriov_netdev *n, struct findings *f)
{
	if (n->promiscuity)
		find(f, "promiscuous");
	if (n->allmulti)
		find(f, "all multicast");
}

static void check_netdev(const struct sriov_netdev *n, const struct sriov_netdev *pf, struct findings *f)
{
	if (n->mtu != pf->mtu)
		find(f, "MTU %u, the PF's is %u", n->mtu, pf->mtu);
	check_listening(n, f);
}

static void check_use(const struct warden_device *d, const struct netns_id *host, struct findings *f)
{
	check_objects(d, f);
	if (d->netns_cookie != host->cookie)
		find(f, "still in netns %u", d->netns_inum);
}

bool device_is_idle(const struct warden_device *d, const struct netns_id *host, bool with_netdev, char *why,
		    size_t size)
{
	struct findings f = { .text = why, .size = size };
	struct sriov_netdev netdev, pf;

	why[0] = '\0';
	check_use(d, host, &f);
	if (!with_netdev)
		return f.len == 0;
	if (!sriov_netdev_get(d->parent, &netdev))
		check_listening(&netdev, &f);
	else if (!sriov_pf_netdev_get(d->parent, &pf))
		find(&f, "its netdev is not in the host's netns");
	return f.len == 0;
}

bool device_is_clean(const struct warden_device *d, const struct netns_id *host, char *unclean, size_t size)
{
	struct findings f = { .text = unclean, .size = size };
	struct sriov_netdev netdev, pf;
	struct sriov_vf vf;

	unclean[0] = '\0';
	check_use(d, host, &f);
	if (sriov_pf_netdev_get(d->parent, &pf) || sriov_vf_get(d->parent, &vf))
		return f.len == 0; /* no VF */
	check_vf(&vf, &f);
	if (sriov_netdev_get(d->parent, &netdev)) {
		find(&f, "its netdev is not in the host's netns");
		return false;
	}
	check_mac(&vf, &netdev, &f);
	check_netdev(&netdev, &pf, &f);
	return f.len == 0;
}
