// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/util.h"
#include "stats/internal.h"

/* ---- its counters ---- */

struct counting {
	struct reading *r;
	struct stats_counters *to;
};

static void take_rdma(const char *name, uint64_t value, void *ctx)
{
	struct counting *c = ctx;

	reading_count(c->r, c->to, name, value);
}

/* rx_prio5_pause and tx_prio5_discards: what of a priority is counted at all ends so. */
static bool is_of_priority(const char *name)
{
	size_t len = strlen(name);

	if ((strncmp(name, "rx_prio", 7) && strncmp(name, "tx_prio", 7)) || name[7] < '0' || name[7] > '7')
		return false;
	return (len == 14 && !strcmp(name + 8, "_pause")) || (len == 17 && !strcmp(name + 8, "_discards"));
}

static void take_ethtool(const char *name, uint64_t value, void *ctx)
{
	struct counting *c = ctx;

	if (strstr(name, "vport") || is_of_priority(name))
		reading_count(c->r, c->to, name, value);
}

/* Whether there is one of that name, which is added to *sum. */
static bool add(const struct stats_counters *list, const char *name, uint64_t *sum)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->counter[i].name, name))
			continue;
		*sum += list->counter[i].value;
		return true;
	}
	return false;
}

/* ---- its traffic: by who counts it best ---- */

static bool by_vport(struct stats_device *d)
{
	const struct stats_counters *e = &d->ethtool;
	struct stats_traffic t = { .source = STATS_TRAFFIC_VPORT, .has_bytes = true };

	if (!add(e, "rx_vport_rdma_unicast_bytes", &t.rx_bytes) || !add(e, "tx_vport_rdma_unicast_bytes", &t.tx_bytes))
		return false;
	add(e, "rx_vport_rdma_multicast_bytes", &t.rx_bytes);
	add(e, "tx_vport_rdma_multicast_bytes", &t.tx_bytes);
	add(e, "rx_vport_rdma_unicast_packets", &t.rx_packets);
	add(e, "rx_vport_rdma_multicast_packets", &t.rx_packets);
	add(e, "tx_vport_rdma_unicast_packets", &t.tx_packets);
	add(e, "tx_vport_rdma_multicast_packets", &t.tx_packets);
	d->traffic = t;
	return true;
}

/*
 * bnxt_re has bytes and packets among the counters of RDMA netlink, soft RoCE has packets alone (rxe_hw_counters.c): true
 * where there are bytes.
 */
static bool by_hw(struct stats_device *d)
{
	struct stats_traffic t = { .source = STATS_TRAFFIC_HW };

	if (add(&d->rdma, "rx_bytes", &t.rx_bytes) && add(&d->rdma, "tx_bytes", &t.tx_bytes)) {
		t.has_bytes = true;
		add(&d->rdma, "rx_pkts", &t.rx_packets);
		add(&d->rdma, "tx_pkts", &t.tx_packets);
	} else if (!add(&d->rdma, "rcvd_pkts", &t.rx_packets) || !add(&d->rdma, "sent_pkts", &t.tx_packets)) {
		return false;
	}
	d->traffic = t;
	return t.has_bytes;
}

static int port_counter(int folder, const char *name, uint64_t unit, uint64_t *value)
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return len ? -errno : -ENODATA;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (parse_u64(text, 10, 0, UINT64_MAX / unit, value))
		return -EINVAL;
	*value *= unit;
	return 0;
}

/* The class infiniband shows the devices of its own netns alone. */
static int counters_folder(struct reading *r, const char *device)
{
	char path[160];
	int fd;

	if (strchr(device, '/') || try_snprintf(path, sizeof(path), "%sclass/infiniband/%s/ports/1/counters",
						r->netns.cookie == r->home ? "/sys/" : "", device))
		return -EINVAL;
	if (r->netns.cookie != r->home && r->sysfs == -1) {
		r->sysfs = rdma_sysfs(r->fd);
		if (r->sysfs < 0)
			r->sysfs = -2;
	}
	if (r->sysfs == -2)
		return -ENODEV;
	fd = openat(r->sysfs, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* In units of four bytes (IBTA, PortCounters). */
static void by_port(struct reading *r, struct stats_device *d)
{
	struct stats_traffic t = { .source = STATS_TRAFFIC_PORT, .has_bytes = true };
	_cleanup_close_ int folder = counters_folder(r, d->name);

	if (folder < 0 || port_counter(folder, "port_rcv_data", 4, &t.rx_bytes) ||
	    port_counter(folder, "port_xmit_data", 4, &t.tx_bytes))
		return;
	port_counter(folder, "port_rcv_packets", 1, &t.rx_packets);
	port_counter(folder, "port_xmit_packets", 1, &t.tx_packets);
	d->traffic = t;
}

/* Requests by the names of mlx5 (which does not count those that it sends), of bnxt_re and of soft RoCE. */
static void messages(struct stats_device *d)
{
	static const char *const received[] = { "rx_write_requests", "rx_read_requests", "rx_atomic_requests",
						"rx_write_req",      "rx_read_req",      "rx_atomic_req",
						"rx_send_req",       "rdma_recvs" };
	static const char *const sent[] = { "tx_write_req", "tx_read_req", "tx_atomic_req", "tx_send_req",
					    "rdma_sends" };

	for (size_t i = 0; i < ARRAY_SIZE(received); i++)
		d->has_rx_messages |= add(&d->rdma, received[i], &d->rx_messages);
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
		d->has_tx_messages |= add(&d->rdma, sent[i], &d->tx_messages);
}

/* ---- the device ---- */

static int compare_index(const void *key, const void *item)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct rdma_totals *)item)->index;

	return (a > b) - (a < b);
}

static void read_objects(struct reading *r, struct stats_device *d)
{
	const struct rdma_totals *totals =
		r->total_count ? bsearch(&d->index, r->totals, r->total_count, sizeof(*r->totals), compare_index)
			       : NULL;
	struct rdma_objects objects;

	if (!totals)
		return; /* one that has come after the dump of them, and is read again soon */
	if (rdma_objects_get(r->nl, totals, &objects)) {
		r->stats->unread++;
		return;
	}
	d->usage = objects.usage;
	d->mr_bytes = objects.mr_bytes;
	d->connections = objects.connections;
}

static void read_netdev(struct reading *r, struct stats_device *d)
{
	struct counting ethtool = { .r = r, .to = &d->ethtool };
	struct ifreq request = {};
	int error;

	memcpy(request.ifr_name, d->netdev, sizeof(request.ifr_name));
	if (!ioctl(r->socket, SIOCGIFMTU, &request))
		d->mtu = (uint32_t)request.ifr_mtu;
	d->speed_mbps = ethtool_speed(&r->ethtool, r->socket, d->netdev);
	error = ethtool_read(&r->ethtool, r->socket, d->netdev, take_ethtool, &ethtool);
	r->stats->unread += error && error != -EOPNOTSUPP && error != -ENODEV;
}

static const char *link_name(uint8_t state)
{
	static const char *const names[] = { "", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER" };

	return state < ARRAY_SIZE(names) ? names[state] : "";
}

/* In shared mode each netns shows all devices, but only one of them the device's netdev. */
static int read_port_of(struct reading *r, struct stats_device *d)
{
	struct rdma_port port;
	int error = rdma_port_get(r->nl, d->index, &port);

	if (error)
		return error;
	snprintf(d->link, sizeof(d->link), "%s", link_name(port.state));
	if (port.netdev[0] && !try_snprintf(d->netdev, sizeof(d->netdev), "%s", port.netdev))
		read_netdev(r, d);
	return 0;
}

static struct stats_device *find_device(struct stats *s, uint32_t index)
{
	for (size_t i = 0; i < s->device_count; i++)
		if (s->devices[i].index == index)
			return &s->devices[i];
	return NULL;
}

static void read_counters(struct reading *r, struct stats_device *d)
{
	struct counting rdma = { .r = r, .to = &d->rdma };
	int error = rdma_counters(r->nl, d->index, 1, take_rdma, &rdma);

	r->stats->unread += error && error != -EOPNOTSUPP && error != -ENODEV;
	messages(d);
}

static void read_traffic(struct reading *r, struct stats_device *d)
{
	if (!by_vport(d) && !by_hw(d))
		by_port(r, d);
}

static void read_pf(struct reading *r, struct stats_device *d)
{
	char pci[WARDEN_PARENT_LEN];

	read_parent(r, d, pci);
	if (d->pf[0])
		read_port(r, pci, d->pf);
	else if (!pci[0] && d->pci[0] && d->netdev[0] && r->netns.cookie == r->home)
		read_port(r, d->pci, d->netdev);
}

int read_device(const struct rdma_device *device, void *ctx)
{
	struct reading *r = ctx;
	struct stats *s = r->stats;
	struct stats_device *d = find_device(s, device->index);

	if (d && d->netdev[0])
		return 0;
	if (d) {
		if (!read_port_of(r, d) && d->netdev[0])
			read_traffic(r, d);
		return r->error;
	}
	d = reading_place(r, &s->devices, &r->device_room, s->device_count, sizeof(*d));
	if (!d)
		return r->error;
	*d = (struct stats_device){ .index = device->index,
				    .node_guid = device->node_guid,
				    .sys_image_guid = device->sys_image_guid,
				    .netns = r->netns };
	memcpy(d->name, device->name, sizeof(d->name));
	read_counters(r, d);
	read_objects(r, d);
	if (read_port_of(r, d)) { /* it has gone meanwhile */
		free(d->rdma.counter);
		free(d->ethtool.counter);
		return r->error;
	}
	s->device_count++;
	read_traffic(r, d);
	read_pf(r, d);
	return r->error;
}
