// SPDX-License-Identifier: Apache-2.0
#include "qos/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/ethtool.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "rdma/rdma.h"

/* In shared mode each netns shows all devices, but only one of them the device's netdev. */
struct seen {
	uint32_t index;
	struct effect_subject *subject;
	bool netdev; /* was read, too */
	char port[IF_NAMESIZE];
};

struct round {
	struct effects *effects;
	const struct sample_options *options;
	struct seen *seen;
	size_t count;
	uint64_t home; /* cookie of the own netns, which has the ports */
	/* of the netns that is being read */
	struct rdma_nl *nl;
	int socket;
	bool at_home;
};

static void rdma_counter(const char *name, uint64_t value, void *subject)
{
	effects_counter(subject, EFFECT_RDMA, name, value);
}

static void ethtool_counter(const char *name, uint64_t value, void *subject)
{
	effects_counter(subject, EFFECT_ETHTOOL, name, value);
}

static int sample_port(struct effects *e, int socket, const char *netdev)
{
	struct effect_subject *s = effects_subject(e, EFFECT_PORT, 0, netdev);

	if (!s)
		return -ENOMEM;
	effects_read(s, ethtool_stats(socket, netdev, ethtool_counter, s));
	return 0;
}

static struct seen *find_seen(struct round *w, uint32_t index)
{
	struct seen *grown;

	for (size_t i = 0; i < w->count; i++)
		if (w->seen[i].index == index)
			return &w->seen[i];
	grown = reallocarray(w->seen, w->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	w->seen = grown;
	grown[w->count] = (struct seen){ .index = index };
	return &grown[w->count++];
}

/* As the audit has it: the port of a VF is its PF's netdev, that of another device its own, where that is at home. */
static void join_port(struct round *w, struct seen *seen, const char *netdev)
{
	char pf[IF_NAMESIZE] = "";

	w->options->pf(seen->index, pf, sizeof(pf), w->options->ctx);
	if (!pf[0] && !w->at_home)
		return;
	snprintf(seen->port, sizeof(seen->port), "%.*s", IF_NAMESIZE - 1, pf[0] ? pf : netdev);
	effects_join(seen->subject, seen->port);
}

static int sample_device(const struct rdma_device *device, void *ctx)
{
	struct round *w = ctx;
	struct seen *seen = find_seen(w, device->index);
	char netdev[IF_NAMESIZE];

	if (!seen)
		return -ENOMEM;
	if (!seen->subject) {
		seen->subject = effects_subject(w->effects, EFFECT_DEVICE, device->index, device->name);
		if (!seen->subject)
			return -ENOMEM;
		effects_read(seen->subject, rdma_counters(w->nl, device->index, 1, rdma_counter, seen->subject));
	}
	if (seen->netdev)
		return 0;
	rdma_port_netdev(w->nl, device->index, netdev, sizeof(netdev));
	join_port(w, seen, netdev);
	seen->netdev = netdev[0] && !ethtool_stats(w->socket, netdev, ethtool_counter, seen->subject);
	return 0;
}

static int sample_netns(int fd, const struct netns_id *id, void *ctx)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int socket = -1;
	struct round *w = ctx;

	if (rdma_open(&nl, fd))
		return 0;
	socket = netns_socket(fd, AF_INET, SOCK_DGRAM, 0);
	w->nl = nl;
	w->socket = socket;
	w->at_home = id->cookie == w->home;
	/* One that is gone in the middle of it is no reason to leave out the others. */
	return rdma_for_each(nl, sample_device, w) == -ENOMEM ? -ENOMEM : 0;
}

static bool is_sampled(const struct round *w, size_t devices, const char *netdev)
{
	for (size_t i = 0; i < devices; i++)
		if (!strcmp(w->seen[i].port, netdev))
			return true;
	return false;
}

/* Each once, those of the devices and those of the configuration. */
static int sample_ports(struct round *w)
{
	_cleanup_close_ int home = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sample_options *o = w->options;
	int r = home < 0 ? -errno : 0;

	for (size_t i = 0; !r && i < w->count; i++)
		if (w->seen[i].port[0] && !is_sampled(w, i, w->seen[i].port))
			r = sample_port(w->effects, home, w->seen[i].port);
	for (size_t i = 0; !r && i < o->netdev_count && o->netdevs[i][0]; i++)
		if (!is_sampled(w, w->count, o->netdevs[i]))
			r = sample_port(w->effects, home, o->netdevs[i]);
	return r;
}

int effects_sample(struct effects *effects, const struct sample_options *options)
{
	struct round w = { .effects = effects, .options = options };
	struct netns_id self;
	int r = netns_self(&self, NULL);

	if (r)
		return r;
	w.home = self.cookie;
	r = netns_for_each(sample_netns, &w);
	if (!r)
		r = sample_ports(&w);
	free(w.seen);
	return r;
}
