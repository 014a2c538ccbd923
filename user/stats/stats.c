// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "stats/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/list.h"
#include "lib/util.h"
#include "stats/internal.h"

static const char *const traffic_names[] = {
#define X(id, name) [STATS_TRAFFIC_##id] = name,
	STATS_TRAFFIC(X)
#undef X
};

const char *stats_traffic_name(enum stats_traffic_source source)
{
	return traffic_names[source];
}

void *reading_place(struct reading *r, void *list, size_t *room, size_t count, size_t size)
{
	void *place = list_place(list, room, count, size);

	if (!place)
		r->error = -ENOMEM;
	return place;
}

/* The room is what the count comes to when it is doubled from 16 on, and need not be kept. */
void reading_count(struct reading *r, struct stats_counters *list, const char *name, uint64_t value)
{
	size_t room = list->count < 16 ? 16 : list->count * 2;
	struct stats_counter *grown;

	if (!list->count || (list->count >= 16 && !(list->count & (list->count - 1)))) {
		grown = realloc(list->counter, room * sizeof(*grown));
		if (!grown) {
			r->error = -ENOMEM;
			return;
		}
		list->counter = grown;
	}
	if (!try_snprintf(list->counter[list->count].name, sizeof(list->counter[0].name), "%s", name))
		list->counter[list->count++].value = value;
}

/* ---- one netns ---- */

struct sockets {
	int rdma, inet;
	uint64_t cookie;
};

static int open_sockets(void *ctx)
{
	struct sockets *s = ctx;
	socklen_t len = sizeof(s->cookie);

	s->inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->inet < 0 || getsockopt(s->inet, SOL_SOCKET, SO_NETNS_COOKIE, &s->cookie, &len))
		return -errno;
	s->rdma = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	return s->rdma < 0 ? -errno : 0;
}

static void take_totals(const struct rdma_totals *totals, void *ctx)
{
	struct reading *r = ctx;
	struct rdma_totals *to = reading_place(r, &r->totals, &r->total_room, r->total_count, sizeof(*r->totals));

	if (!to)
		return;
	*to = *totals;
	r->total_count++;
}

static int by_index(const void *a, const void *b)
{
	const struct rdma_totals *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

/* One that is gone in the middle of it is no reason to leave out the others. */
static void read_devices(struct reading *r)
{
	enum rdma_netns_mode mode;

	r->total_count = 0;
	if (rdma_totals_each(r->nl, take_totals, r))
		r->stats->unread++;
	if (r->total_count)
		qsort(r->totals, r->total_count, sizeof(*r->totals), by_index);
	if (r->netns.cookie == r->home && !rdma_netns_mode_get(r->nl, &mode))
		r->stats->shared = mode == RDMA_NETNS_SHARED;
	rdma_for_each(r->nl, read_device, r);
}

/* `id` is whom `fd` is to be: another netns may have the same path, and even the same inode number, by now. */
static int read_netns(int fd, const struct netns_id *id, void *ctx)
{
	struct sockets sockets = { .rdma = -1, .inet = -1 };
	struct reading *r = ctx;
	int error = netns_call(fd, open_sockets, &sockets);

	if (!error && sockets.cookie == id->cookie && !rdma_open_on(&r->nl, take_fd(&sockets.rdma))) {
		r->netns = *id;
		r->fd = fd;
		r->socket = sockets.inet;
		r->sysfs = -1;
		read_devices(r);
		if (r->sysfs >= 0)
			close(r->sysfs);
		rdma_close(&r->nl);
	} else {
		r->stats->unread++;
	}
	util_close(&sockets.rdma);
	util_close(&sockets.inet);
	return r->error;
}

/* ---- all of them ---- */

static void read_place(struct reading *r, struct stats_place *place)
{
	_cleanup_close_ int fd = place->path[0] ? netns_open(place->path, 0, NULL) : -1;

	if (fd >= 0)
		read_netns(fd, &place->id, r);
}

static int read_places(struct reading *r, const struct stats_known *known, const struct netns_id *self)
{
	_cleanup_close_ int own = netns_open("/proc/thread-self/ns/net", 0, NULL);

	if (own < 0)
		return own;
	read_netns(own, self, r);
	find_places(known->places, known->place_count);
	for (size_t i = 0; !r->error && i < known->place_count; i++)
		if (known->places[i].id.cookie != self->cookie)
			read_place(r, &known->places[i]);
	return r->error;
}

static int read_all(struct reading *r, struct err *err)
{
	struct netns_id self;
	int error = netns_self(&self, err);

	if (error)
		return error;
	r->home = self.cookie;
	if (!rdma_module_loaded("ib_core"))
		error = -EPROTONOSUPPORT;
	else
		error = r->known ? read_places(r, r->known, &self) : netns_for_each(read_netns, r);
	if (!error || error == -EPROTONOSUPPORT) {
		read_other_ports(r);
		read_named_ports(r);
	}
	if (r->error)
		error = r->error;
	if (error)
		fail(err, error, "%s",
		     error == -EPROTONOSUPPORT ? "the kernel has no RDMA subsystem (ib_core is not loaded)"
					       : strerror(-error));
	return error;
}

static int by_place(const void *a, const void *b)
{
	const struct stats_device *x = a, *y = b;
	int r = strcmp(x->pf, y->pf);

	if (!r)
		r = strcmp(x->pci, y->pci);
	return r ? r : strcmp(x->name, y->name);
}

static int by_netdev(const void *a, const void *b)
{
	return strcmp(((const struct stats_pf *)a)->netdev, ((const struct stats_pf *)b)->netdev);
}

static void finish(struct stats *s, uint64_t begin_ns)
{
	uint64_t now = boot_ns();

	s->time_ns = begin_ns + (now - begin_ns) / 2;
	s->unix_ns = wall_ns() - (now - s->time_ns);
	if (s->device_count)
		qsort(s->devices, s->device_count, sizeof(*s->devices), by_place);
	if (s->pf_count)
		qsort(s->pfs, s->pf_count, sizeof(*s->pfs), by_netdev);
}

int stats_read_known(const struct stats_known *known, struct stats **stats, struct err *err)
{
	struct reading r = { .known = known, .stats = calloc(1, sizeof(*r.stats)) };
	uint64_t begin = boot_ns();
	int error;

	if (!r.stats)
		return fail(err, -ENOMEM, "out of memory");
	error = read_all(&r, err);
	finish(r.stats, begin);
	ethtool_reader_close(&r.ethtool);
	free(r.names);
	free(r.totals);
	if (error && error != -EPROTONOSUPPORT)
		stats_free(take_ptr(r.stats));
	*stats = r.stats;
	return error;
}

int stats_read(struct stats **stats, struct err *err)
{
	return stats_read_known(NULL, stats, err);
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->device_count; i++) {
		free(s->devices[i].rdma.counter);
		free(s->devices[i].ethtool.counter);
	}
	free(s->devices);
	free(s->pfs);
	free(s);
}
