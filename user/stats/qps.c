// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "stats/internal.h"

struct list {
	struct rdma_qp *qps;
	struct rdma_connection *connections;
	size_t qp_count, qp_room, connection_count, connection_room;
	struct reading reading; /* for its error alone */
};

static void take_qp(const struct rdma_qp *qp, void *ctx)
{
	struct list *l = ctx;
	struct rdma_qp *to;

	if (!qp->pid)
		return;
	to = reading_place(&l->reading, &l->qps, &l->qp_room, l->qp_count, sizeof(*to));
	if (!to)
		return;
	*to = *qp;
	l->qp_count++;
}

static void take_connection(const struct rdma_connection *connection, void *ctx)
{
	struct list *l = ctx;
	struct rdma_connection *to =
		reading_place(&l->reading, &l->connections, &l->connection_room, l->connection_count, sizeof(*to));

	if (!to)
		return;
	*to = *connection;
	l->connection_count++;
}

/* enum ib_qp_type and enum ib_qp_state of ib_verbs.h. */
static void describe(const struct rdma_qp *qp, struct stats_qp *to)
{
	static const char *const types[] = { "SMI", "GSI", "RC", "UC", "UD", "", "", "", "RAW", "XRC_INI", "XRC_TGT" };
	static const char *const states[] = { "RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR" };

	*to = (struct stats_qp){ .qpn = qp->qpn, .remote_qpn = qp->remote_qpn, .pid = qp->pid };
	snprintf(to->type, sizeof(to->type), "%s",
		 qp->type == 0xff               ? "DRIVER"
		 : qp->type < ARRAY_SIZE(types) ? types[qp->type]
						: "");
	snprintf(to->state, sizeof(to->state), "%s", qp->state < ARRAY_SIZE(states) ? states[qp->state] : "");
}

/* One process has many of them, one after the other. */
static void name_process(struct stats_qp *to, const struct stats_qp *last)
{
	char path[64];

	if (to->pid == last->pid) {
		memcpy(to->comm, last->comm, sizeof(to->comm));
		return;
	}
	snprintf(path, sizeof(path), "/proc/%u/comm", to->pid);
	if (read_line(path, to->comm, sizeof(to->comm)))
		to->comm[0] = '\0'; /* it has just ended */
}

static void name_peer(const struct list *l, struct stats_qp *to)
{
	for (size_t i = 0; i < l->connection_count; i++)
		if (l->connections[i].qpn == to->qpn && l->connections[i].pid == to->pid)
			memcpy(to->peer, l->connections[i].peer, sizeof(to->peer));
}

static int visit_all(const struct list *l, int (*visit)(const struct stats_qp *qp, void *ctx), void *ctx)
{
	struct stats_qp last = {}, qp;
	int r = 0;

	for (size_t i = 0; !r && i < l->qp_count; i++) {
		describe(&l->qps[i], &qp);
		name_process(&qp, &last);
		name_peer(l, &qp);
		last = qp;
		r = visit(&qp, ctx);
	}
	return r;
}

static int open_netns(const struct netns_id *netns)
{
	struct stats_place place = { .id = *netns };
	struct netns_id self;

	if (!netns_self(&self, NULL) && self.cookie == netns->cookie)
		return netns_open("/proc/thread-self/ns/net", 0, NULL);
	find_places(&place, 1);
	return place.path[0] ? netns_open(place.path, 0, NULL) : -ENOENT;
}

int stats_qps(const struct netns_id *netns, uint32_t index, int (*visit)(const struct stats_qp *qp, void *ctx),
	      void *ctx)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int fd = open_netns(netns);
	struct netns_id there;
	struct list l = {};
	int r = fd < 0 ? fd : netns_identify(fd, &there, NULL);

	if (!r && there.cookie != netns->cookie)
		r = -ENOENT; /* another one by now */
	if (!r)
		r = rdma_open(&nl, fd);
	if (!r)
		r = rdma_qp_each(nl, index, take_qp, &l);
	if (!r)
		r = rdma_connection_each(nl, index, take_connection, &l);
	if (!r)
		r = l.reading.error;
	if (!r)
		r = visit_all(&l, visit, ctx);
	free(l.qps);
	free(l.connections);
	return r;
}
