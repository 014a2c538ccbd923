// SPDX-License-Identifier: Apache-2.0
/* What processes have of a device: the kernel's tables of objects (restrack), by RDMA netlink. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/util.h"
#include "rdma/internal.h"

#define CM_CONNECT 5 /* enum rdma_cm_state, drivers/infiniband/core/cma_priv.h */
#define ENDLESS (1ull << 56) /* a length from which on it is none: memory that is registered on demand, all of it */

/* ---- one table, entry by entry ---- */

/* What an entry has of what is asked for. */
struct entry {
	bool kernel; /* has a name instead of a process */
	uint32_t pid, lqpn, rqpn;
	uint8_t type, state;
	uint64_t length;
	const struct nlattr *peer;
};

struct table {
	uint16_t attr; /* the nest of entries in the answer to the dump */
	void (*visit)(const struct entry *entry, void *ctx);
	void *ctx;
};

static void take_number(struct entry *e, uint16_t type, const struct nlattr *attr)
{
	switch (type) {
	case RDMA_NLDEV_ATTR_RES_PID:
		e->pid = mnl_attr_get_u32(attr);
		break;
	case RDMA_NLDEV_ATTR_RES_LQPN:
		e->lqpn = mnl_attr_get_u32(attr);
		break;
	case RDMA_NLDEV_ATTR_RES_RQPN:
		e->rqpn = mnl_attr_get_u32(attr);
		break;
	}
}

static int take_attr(const struct nlattr *attr, void *data)
{
	uint16_t type = mnl_attr_get_type(attr);
	struct entry *e = data;

	if (type == RDMA_NLDEV_ATTR_RES_KERN_NAME)
		e->kernel = true;
	else if (type == RDMA_NLDEV_ATTR_RES_TYPE && mnl_attr_validate(attr, MNL_TYPE_U8) >= 0)
		e->type = mnl_attr_get_u8(attr);
	else if (type == RDMA_NLDEV_ATTR_RES_STATE && mnl_attr_validate(attr, MNL_TYPE_U8) >= 0)
		e->state = mnl_attr_get_u8(attr);
	else if (type == RDMA_NLDEV_ATTR_RES_MRLEN && mnl_attr_validate(attr, MNL_TYPE_U64) >= 0)
		e->length = mnl_attr_get_u64(attr);
	else if (type == RDMA_NLDEV_ATTR_RES_DST_ADDR)
		e->peer = attr;
	else if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		take_number(e, type, attr);
	return MNL_CB_OK;
}

static int parse_table(const struct nlmsghdr *h, void *data)
{
	const struct table *t = data;
	const struct nlattr *nest = rdma_attr(h, t->attr, MNL_TYPE_NESTED), *item;

	if (!nest)
		return MNL_CB_OK;
	mnl_attr_for_each_nested (item, nest) {
		struct entry e = {};

		if (mnl_attr_validate(item, MNL_TYPE_NESTED) >= 0 && mnl_attr_parse_nested(item, take_attr, &e) >= 0)
			t->visit(&e, t->ctx);
	}
	return MNL_CB_OK;
}

static int dump(struct rdma_nl *nl, uint32_t index, int command, struct table *table)
{
	struct nlmsghdr *h;
	char buf[256];

	h = rdma_request(nl, buf, command, NLM_F_DUMP);
	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	return rdma_talk(nl, h, parse_table, table);
}

/* ---- how many ---- */

static void count_entry(const struct entry *entry, void *count)
{
	*(uint32_t *)count += !entry->kernel;
}

struct kind {
	int command;
	uint16_t attr;
	uint32_t *count;
};

static int count_objects(struct rdma_nl *nl, uint32_t index, const struct kind *kind)
{
	struct table t = { .attr = kind->attr, .visit = count_entry, .ctx = kind->count };

	*kind->count = 0;
	return dump(nl, index, kind->command, &t);
}

int rdma_usage_get(struct rdma_nl *nl, uint32_t index, struct rdma_usage *usage)
{
	const struct kind kinds[] = {
		{ RDMA_NLDEV_CMD_RES_PD_GET, RDMA_NLDEV_ATTR_RES_PD, &usage->pd },
		{ RDMA_NLDEV_CMD_RES_CQ_GET, RDMA_NLDEV_ATTR_RES_CQ, &usage->cq },
		{ RDMA_NLDEV_CMD_RES_QP_GET, RDMA_NLDEV_ATTR_RES_QP, &usage->qp },
		{ RDMA_NLDEV_CMD_RES_MR_GET, RDMA_NLDEV_ATTR_RES_MR, &usage->mr },
		{ RDMA_NLDEV_CMD_RES_CTX_GET, RDMA_NLDEV_ATTR_RES_CTX, &usage->ctx },
	};
	int r = 0;

	*usage = (struct rdma_usage){};
	for (size_t i = 0; !r && i < ARRAY_SIZE(kinds); i++)
		r = count_objects(nl, index, &kinds[i]);
	return r;
}

struct totals_walk {
	void (*visit)(const struct rdma_totals *totals, void *ctx);
	void *ctx;
};

static void take_total(struct rdma_totals *totals, const char *name, uint32_t count)
{
	const struct {
		const char *name;
		uint32_t *to;
	} places[] = { { "pd", &totals->pd },       { "cq", &totals->cq }, { "qp", &totals->qp },
		       { "cm_id", &totals->cm_id }, { "mr", &totals->mr }, { "ctx", &totals->ctx } };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!strcmp(name, places[i].name))
			*places[i].to = count;
}

static void total_entry(const struct nlattr *entry, struct rdma_totals *totals)
{
	const struct nlattr *attr;
	const char *name = NULL;
	uint64_t count = 0;

	mnl_attr_for_each_nested (attr, entry) {
		if (mnl_attr_get_type(attr) == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR &&
		    mnl_attr_validate(attr, MNL_TYPE_U64) >= 0)
			count = mnl_attr_get_u64(attr);
	}
	if (name)
		take_total(totals, name, (uint32_t)count);
}

static int parse_totals(const struct nlmsghdr *h, void *data)
{
	const struct nlattr *table = rdma_attr(h, RDMA_NLDEV_ATTR_RES_SUMMARY, MNL_TYPE_NESTED), *entry;
	const struct nlattr *index = rdma_attr(h, RDMA_NLDEV_ATTR_DEV_INDEX, MNL_TYPE_U32);
	struct rdma_totals totals = {};
	const struct totals_walk *w = data;

	if (!table || !index)
		return MNL_CB_OK;
	totals.index = mnl_attr_get_u32(index);
	mnl_attr_for_each_nested (entry, table)
		if (mnl_attr_validate(entry, MNL_TYPE_NESTED) >= 0)
			total_entry(entry, &totals);
	w->visit(&totals, w->ctx);
	return MNL_CB_OK;
}

int rdma_totals_each(struct rdma_nl *nl, void (*visit)(const struct rdma_totals *totals, void *ctx), void *ctx)
{
	struct totals_walk w = { .visit = visit, .ctx = ctx };
	char buf[256];

	return rdma_talk(nl, rdma_request(nl, buf, RDMA_NLDEV_CMD_RES_GET, NLM_F_DUMP), parse_totals, &w);
}

/* ---- what they come to ---- */

static void add_region(const struct entry *entry, void *ctx)
{
	struct rdma_objects *o = ctx;

	if (entry->kernel)
		return;
	o->usage.mr++;
	o->mr_bytes += entry->length < ENDLESS ? entry->length : 0;
}

static void add_connection(const struct entry *entry, void *connections)
{
	*(uint32_t *)connections += entry->state == CM_CONNECT;
}

/* Only processes have contexts, and without one they have none of the others but ids of rdma_cm. */
int rdma_objects_get(struct rdma_nl *nl, const struct rdma_totals *totals, struct rdma_objects *o)
{
	const struct kind kinds[] = {
		{ RDMA_NLDEV_CMD_RES_PD_GET, RDMA_NLDEV_ATTR_RES_PD, &o->usage.pd },
		{ RDMA_NLDEV_CMD_RES_CQ_GET, RDMA_NLDEV_ATTR_RES_CQ, &o->usage.cq },
		{ RDMA_NLDEV_CMD_RES_QP_GET, RDMA_NLDEV_ATTR_RES_QP, &o->usage.qp },
	};
	const uint32_t there[] = { totals->pd, totals->cq, totals->qp };
	struct table regions = { .attr = RDMA_NLDEV_ATTR_RES_MR, .visit = add_region, .ctx = o };
	struct table ids = { .attr = RDMA_NLDEV_ATTR_RES_CM_ID, .visit = add_connection, .ctx = &o->connections };
	int r = 0;

	*o = (struct rdma_objects){ .usage.ctx = totals->ctx };
	for (size_t i = 0; !r && totals->ctx && i < ARRAY_SIZE(kinds); i++)
		if (there[i])
			r = count_objects(nl, totals->index, &kinds[i]);
	if (!r && totals->ctx && totals->mr)
		r = dump(nl, totals->index, RDMA_NLDEV_CMD_RES_MR_GET, &regions);
	if (!r && totals->cm_id)
		r = dump(nl, totals->index, RDMA_NLDEV_CMD_RES_CM_ID_GET, &ids);
	return r;
}

/* ---- each of them ---- */

struct qp_walk {
	void (*visit)(const struct rdma_qp *qp, void *ctx);
	void *ctx;
};

static void visit_qp(const struct entry *e, void *ctx)
{
	const struct qp_walk *w = ctx;
	const struct rdma_qp qp = {
		.qpn = e->lqpn, .remote_qpn = e->rqpn, .type = e->type, .state = e->state, .pid = e->kernel ? 0 : e->pid
	};

	w->visit(&qp, w->ctx);
}

int rdma_qp_each(struct rdma_nl *nl, uint32_t index, void (*visit)(const struct rdma_qp *qp, void *ctx), void *ctx)
{
	struct qp_walk w = { .visit = visit, .ctx = ctx };
	struct table t = { .attr = RDMA_NLDEV_ATTR_RES_QP, .visit = visit_qp, .ctx = &w };

	return dump(nl, index, RDMA_NLDEV_CMD_RES_QP_GET, &t);
}

/* The payload is a struct sockaddr of its family's size, at an address that need not be aligned. */
static void address_text(const struct nlattr *attr, char *to, size_t size)
{
	size_t len = mnl_attr_get_payload_len(attr);
	char address[INET6_ADDRSTRLEN];
	struct sockaddr_in6 six = {};
	struct sockaddr_in four = {};

	to[0] = '\0';
	if (len >= sizeof(four))
		memcpy(&four, mnl_attr_get_payload(attr), sizeof(four));
	if (len >= sizeof(six))
		memcpy(&six, mnl_attr_get_payload(attr), sizeof(six));
	if (four.sin_family == AF_INET && inet_ntop(AF_INET, &four.sin_addr, address, sizeof(address)))
		snprintf(to, size, "%s:%u", address, ntohs(four.sin_port));
	else if (six.sin6_family == AF_INET6 && inet_ntop(AF_INET6, &six.sin6_addr, address, sizeof(address)))
		snprintf(to, size, "[%s]:%u", address, ntohs(six.sin6_port));
}

struct connection_walk {
	void (*visit)(const struct rdma_connection *connection, void *ctx);
	void *ctx;
};

static void visit_connection(const struct entry *e, void *ctx)
{
	const struct connection_walk *w = ctx;
	struct rdma_connection c = { .qpn = e->lqpn, .pid = e->kernel ? 0 : e->pid };

	if (e->state != CM_CONNECT)
		return;
	if (e->peer)
		address_text(e->peer, c.peer, sizeof(c.peer));
	w->visit(&c, w->ctx);
}

int rdma_connection_each(struct rdma_nl *nl, uint32_t index,
			 void (*visit)(const struct rdma_connection *connection, void *ctx), void *ctx)
{
	struct connection_walk w = { .visit = visit, .ctx = ctx };
	struct table t = { .attr = RDMA_NLDEV_ATTR_RES_CM_ID, .visit = visit_connection, .ctx = &w };

	return dump(nl, index, RDMA_NLDEV_CMD_RES_CM_ID_GET, &t);
}
