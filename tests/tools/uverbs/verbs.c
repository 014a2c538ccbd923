// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "verbs.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* Bits and states of enum ib_qp_attr_mask and enum ib_qp_state, which the UAPI headers leave out. */
enum {
	QP_STATE = 1 << 0,
	QP_ACCESS_FLAGS = 1 << 3,
	QP_PKEY_INDEX = 1 << 4,
	QP_PORT = 1 << 5,
	QP_AV = 1 << 7,
	QP_PATH_MTU = 1 << 8,
	QP_RQ_PSN = 1 << 12,
	QP_ALT_PATH = 1 << 14,
	QP_MIN_RNR_TIMER = 1 << 15,
	QP_MAX_DEST_RD_ATOMIC = 1 << 17,
	QP_DEST_QPN = 1 << 20,
};
enum { QPS_INIT = 1, QPS_RTR = 2 };
enum { MTU_1024 = 3, CQ_DEPTH = 16, GIDS_MAX = 256 };

#define UHW_OUT_SIZE 256 /* room for a driver's own answer; rxe refuses to create queues without it */
#define DRIVER_IDS_MAX 64
#define NO_METHOD 0xfff
#define UNKNOWN_ATTR 0x0800
#define PAGEMAP_PRESENT (1ULL << 63)

struct mapping {
	void *addr;
	size_t len;
};

static void unmap(struct mapping *m)
{
	if (m->addr)
		munmap(m->addr, m->len);
}
/* ---- the two ABIs ---- */

static bool is_present(const void *addr)
{
	__cleanup(close_fd) int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t offset = (off_t)((uintptr_t)addr / (uintptr_t)getpagesize() * sizeof(uint64_t));
	uint64_t entry = PAGEMAP_PRESENT;

	if (pread(fd, &entry, sizeof(entry), offset) != sizeof(entry))
		return true;
	return entry & PAGEMAP_PRESENT;
}

/*
 * A copy of data in a file mapping that nobody has touched yet: no page table entry, so a read that may not fault
 * fails, while the kernel's copy_from_user() brings the page in.
 */
static int map_untouched(struct mapping *m, const void *data, size_t len)
{
	__cleanup(close_fd) int fd = memfd_create("uverbs", MFD_CLOEXEC);
	void *addr;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		return -errno;
	addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (addr == MAP_FAILED)
		return -errno;
	*m = (struct mapping){ addr, len };
	/* A test with a page that is there would prove nothing. */
	return is_present(addr) ? -EADDRINUSE : 0;
}

static void set_attr(struct ib_uverbs_attr *attr, uint16_t id, uint16_t len, uint64_t data)
{
	*attr = (struct ib_uverbs_attr){ .attr_id = id, .len = len, .flags = UVERBS_ATTR_F_MANDATORY, .data = data };
}

static void add_attr(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, size_t len, const void *data)
{
	set_attr(&hdr->attrs[hdr->num_attrs++], id, (uint16_t)len, (uintptr_t)data);
}

/* Data of at most eight bytes stands in the attribute itself. */
static void add_const_attr(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, uint64_t value)
{
	set_attr(&hdr->attrs[hdr->num_attrs++], id, sizeof(value), value);
}

/* Attributes that no method knows; without the mandatory flag the kernel passes over them. */
static void add_padding(struct ib_uverbs_ioctl_hdr *hdr, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		hdr->attrs[hdr->num_attrs++] = (struct ib_uverbs_attr){ .attr_id = (uint16_t)(UNKNOWN_ATTR + i) };
}

static struct ib_uverbs_ioctl_hdr *new_header(const struct client *c, uint16_t object, uint16_t method)
{
	struct ib_uverbs_ioctl_hdr *hdr = calloc(1, sizeof(*hdr) + ATTRS_MAX * sizeof(hdr->attrs[0]));

	if (!hdr)
		abort();
	hdr->object_id = object;
	hdr->method_id = method;
	hdr->driver_id = c->driver_id;
	return hdr;
}

static void free_header(struct ib_uverbs_ioctl_hdr **hdr)
{
	free(*hdr);
}

static int send_header(const struct client *c, struct ib_uverbs_ioctl_hdr *hdr, bool untouched)
{
	__cleanup(unmap) struct mapping map = { 0 };
	int err;

	hdr->length = (uint16_t)(sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]));
	if (untouched) {
		err = map_untouched(&map, hdr, hdr->length);
		if (err)
			return err;
	}
	if (c->opt.send)
		return c->opt.send(c->fd, hdr, hdr->length);
	return ioctl(c->fd, RDMA_VERBS_IOCTL, untouched ? map.addr : hdr) ? -errno : 0;
}

static int invoke_ioctl(const struct client *c, const struct command *cmd)
{
	__cleanup(free_header) struct ib_uverbs_ioctl_hdr *hdr =
		new_header(c, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE);
	__cleanup(unmap) struct mapping map = { 0 };
	uint8_t uhw_out[UHW_OUT_SIZE];
	int err;

	if (cmd->unmapped == UNMAPPED_INPUT) {
		err = map_untouched(&map, cmd->in, cmd->in_len);
		if (err)
			return err;
	}
	add_padding(hdr, cmd->pad_attrs);
	add_attr(hdr, UVERBS_ATTR_CORE_IN, cmd->in_len, map.addr ? map.addr : cmd->in);
	if (cmd->out) {
		add_attr(hdr, UVERBS_ATTR_CORE_OUT, cmd->out_len, cmd->out);
		add_attr(hdr, UVERBS_ATTR_UHW_OUT, sizeof(uhw_out), uhw_out);
	}
	add_const_attr(hdr, UVERBS_ATTR_WRITE_CMD, cmd->number);
	return send_header(c, hdr, cmd->unmapped == UNMAPPED_HEADER);
}

static int write_buffer(const struct client *c, const struct command *cmd, const void *buf, size_t len)
{
	__cleanup(unmap) struct mapping map = { 0 };
	int err;

	if (cmd->unmapped) {
		err = map_untouched(&map, buf, len);
		if (err)
			return err;
	}
	return write(c->fd, map.addr ? map.addr : buf, len) == (ssize_t)len ? 0 : -errno;
}

/* The answer's address is the first word of a plain command that has one. The driver's answer follows the core's. */
static int invoke_plain_write(const struct client *c, const struct command *cmd)
{
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		uint8_t in[256];
	} buf = { 0 };
	uint8_t out[512] = { 0 };
	size_t len = sizeof(buf.hdr) + cmd->in_len;
	uint64_t response = (uintptr_t)out;
	int err;

	buf.hdr.command = cmd->number;
	buf.hdr.in_words = (uint16_t)(len / 4);
	memcpy(buf.in, cmd->in, cmd->in_len);
	if (cmd->out) {
		buf.hdr.out_words = (uint16_t)((cmd->out_len + UHW_OUT_SIZE) / 4);
		memcpy(buf.in, &response, sizeof(response));
	}
	err = write_buffer(c, cmd, &buf, len);
	if (!err && cmd->out)
		memcpy(cmd->out, out, cmd->out_len);
	return err;
}

static int invoke_extended_write(const struct client *c, const struct command *cmd)
{
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		struct ib_uverbs_ex_cmd_hdr ex;
		uint8_t in[256];
	} buf = { 0 };

	buf.hdr.command = cmd->number;
	buf.hdr.in_words = (uint16_t)(cmd->in_len / 8);
	buf.hdr.out_words = (uint16_t)(cmd->out_len / 8);
	buf.ex.response = (uintptr_t)cmd->out;
	memcpy(buf.in, cmd->in, cmd->in_len);
	return write_buffer(c, cmd, &buf, sizeof(buf.hdr) + sizeof(buf.ex) + cmd->in_len);
}

int invoke(struct client *c, const char *step, const struct command *cmd)
{
	c->step = step;
	if (!c->opt.by_write)
		return invoke_ioctl(c, cmd);
	return cmd->number & IB_USER_VERBS_CMD_FLAG_EXTENDED ? invoke_extended_write(c, cmd)
							     : invoke_plain_write(c, cmd);
}

/* ---- set-up ---- */

static int path_of_device(char *path, size_t size, const char *device)
{
	char name[64], file[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (strchr(device, '/'))
		return snprintf(path, size, "%s", device) < (int)size ? 0 : -ENAMETOOLONG;
	dir = opendir("/sys/class/infiniband_verbs");
	while (dir && !found && (entry = readdir(dir))) {
		FILE *f;

		snprintf(file, sizeof(file), "/sys/class/infiniband_verbs/%s/ibdev", entry->d_name);
		f = fopen(file, "re");
		if (!f)
			continue;
		found = fscanf(f, "%63s", name) == 1 && (!strcmp(name, device) || !strcmp(entry->d_name, device));
		if (found)
			snprintf(path, size, "/dev/infiniband/%s", entry->d_name);
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return found ? 0 : -ENODEV;
}

int open_device(struct client *c, const char *device)
{
	char path[PATH_MAX];
	int err;

	c->step = "open";
	err = path_of_device(path, sizeof(path), device);
	if (err)
		return err;
	c->fd = open(path, O_RDWR | O_CLOEXEC);
	return c->fd < 0 ? -errno : 0;
}

/*
 * The header must name the driver by a number that only netlink tells. A wrong one is EINVAL; the right one gets as far
 * as the method that does not exist.
 */
static int find_driver_id(struct client *c)
{
	int err;

	c->step = "find-driver";
	for (c->driver_id = 0; c->driver_id < DRIVER_IDS_MAX; c->driver_id++) {
		__cleanup(free_header) struct ib_uverbs_ioctl_hdr *hdr = new_header(c, UVERBS_OBJECT_DEVICE, NO_METHOD);

		err = send_header(c, hdr, false);
		if (err != -EINVAL)
			return err == -EPROTONOSUPPORT ? 0 : err;
	}
	return -ENODEV;
}

static int get_context_by_ioctl(struct client *c)
{
	__cleanup(free_header) struct ib_uverbs_ioctl_hdr *hdr = NULL;
	uint8_t uhw_out[UHW_OUT_SIZE];
	uint32_t vectors;
	uint64_t support;
	int err;

	err = find_driver_id(c);
	if (err)
		return err;
	hdr = new_header(c, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_GET_CONTEXT);
	add_attr(hdr, UVERBS_ATTR_GET_CONTEXT_NUM_COMP_VECTORS, sizeof(vectors), &vectors);
	add_attr(hdr, UVERBS_ATTR_GET_CONTEXT_CORE_SUPPORT, sizeof(support), &support);
	add_attr(hdr, UVERBS_ATTR_UHW_OUT, sizeof(uhw_out), uhw_out);
	c->step = "get-context";
	return send_header(c, hdr, false);
}

int get_context(struct client *c)
{
	struct ib_uverbs_get_context request = { 0 };
	struct ib_uverbs_get_context_resp answer;
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_GET_CONTEXT, request, answer);

	return c->opt.by_write ? invoke(c, "get-context", &cmd) : get_context_by_ioctl(c);
}

int open_context(struct client *c, const char *device)
{
	int err = open_device(c, device);

	return err ? err : get_context(c);
}

int alloc_pd(struct client *c)
{
	struct ib_uverbs_alloc_pd request = { 0 };
	struct ib_uverbs_alloc_pd_resp answer = { 0 };
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_ALLOC_PD, request, answer);
	int err = invoke(c, "alloc-pd", &cmd);

	c->pd = answer.pd_handle;
	return err;
}

static int create_cq(struct client *c)
{
	struct ib_uverbs_create_cq request = { .cqe = CQ_DEPTH, .comp_channel = -1 };
	struct ib_uverbs_create_cq_resp answer = { 0 };
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_CREATE_CQ, request, answer);
	int err = invoke(c, "create-cq", &cmd);

	c->cq = answer.cq_handle;
	return err;
}

int create_qp(struct client *c, struct qp *qp)
{
	struct ib_uverbs_create_qp request = {
		.pd_handle = c->pd,
		.send_cq_handle = c->cq,
		.recv_cq_handle = c->cq,
		.max_send_wr = 1,
		.max_recv_wr = 1,
		.max_send_sge = 1,
		.max_recv_sge = 1,
		.qp_type = IB_UVERBS_QPT_RC,
	};
	struct ib_uverbs_create_qp_resp answer = { 0 };
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_CREATE_QP, request, answer);
	int err = invoke(c, "create-qp", &cmd);

	*qp = (struct qp){ answer.qp_handle, answer.qpn };
	return err;
}

int reg_mr(struct client *c, void *start, size_t length)
{
	struct ib_uverbs_reg_mr request = {
		.start = (uintptr_t)start,
		.length = length,
		.hca_va = (uintptr_t)start,
		.pd_handle = c->pd,
		.access_flags = IB_UVERBS_ACCESS_LOCAL_WRITE,
	};
	struct ib_uverbs_reg_mr_resp answer;
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_REG_MR, request, answer);

	return invoke(c, "reg-mr", &cmd);
}

int open_queues(struct client *c, const char *device)
{
	int err;

	err = open_context(c, device);
	if (!err)
		err = alloc_pd(c);
	if (!err)
		err = create_cq(c);
	return err;
}

/* ---- addresses ---- */

static int query_gids(struct client *c, struct ib_uverbs_gid_entry *entries, uint64_t *count)
{
	__cleanup(free_header) struct ib_uverbs_ioctl_hdr *hdr =
		new_header(c, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_GID_TABLE);

	c->step = "query-gids";
	add_const_attr(hdr, UVERBS_ATTR_QUERY_GID_TABLE_ENTRY_SIZE, sizeof(*entries));
	add_attr(hdr, UVERBS_ATTR_QUERY_GID_TABLE_RESP_ENTRIES, GIDS_MAX * sizeof(*entries), entries);
	add_attr(hdr, UVERBS_ATTR_QUERY_GID_TABLE_RESP_NUM_ENTRIES, sizeof(*count), count);
	return send_header(c, hdr, false);
}

static bool is_ipv4_mapped(const struct ib_uverbs_gid_entry *e)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)e->gid);
}

/* The index asked for, else a RoCEv2 entry, of IPv4 when there is one: the usual choice of applications. */
static const struct ib_uverbs_gid_entry *choose_gid(const struct options *opt, const struct ib_uverbs_gid_entry *e,
						    uint64_t count)
{
	const struct ib_uverbs_gid_entry *best = NULL;

	for (uint64_t i = 0; i < count; i++) {
		if (opt->sgid_given ? e[i].gid_index == opt->sgid_index : e[i].gid_type == IB_UVERBS_GID_TYPE_ROCE_V2)
			if (!best || is_ipv4_mapped(&e[i]))
				best = &e[i];
	}
	return best;
}

/* Own address as destination unless another is given: it resolves without a peer. */
int fill_addresses(struct client *c)
{
	struct ib_uverbs_gid_entry entries[GIDS_MAX];
	const struct ib_uverbs_gid_entry *entry;
	struct options *opt = &c->opt;
	uint64_t count = 0;
	int err;

	if (opt->sgid_given && opt->dgid_given)
		return 0;
	/* A driver of a device opened by write(2) only has not been looked for yet. */
	err = opt->by_write ? find_driver_id(c) : 0;
	if (!err)
		err = query_gids(c, entries, &count);
	if (err)
		return err;
	entry = choose_gid(opt, entries, count);
	if (!entry)
		return -EADDRNOTAVAIL;
	opt->sgid_index = entry->gid_index;
	if (!opt->dgid_given)
		memcpy(opt->dgid, entry->gid, sizeof(opt->dgid));
	return 0;
}

static struct ib_uverbs_qp_dest path_to(const struct options *opt, uint32_t tclass)
{
	struct ib_uverbs_qp_dest dest = {
		.sgid_index = (uint8_t)opt->sgid_index,
		.hop_limit = HOP_LIMIT,
		.traffic_class = (uint8_t)tclass,
		.sl = (uint8_t)opt->sl,
		.is_global = 1,
		.port_num = PORT,
	};

	memcpy(dest.dgid, opt->dgid, sizeof(dest.dgid));
	return dest;
}

int create_ah(struct client *c, uint32_t *handle)
{
	struct ib_uverbs_create_ah request = {
		.pd_handle = c->pd,
		.attr = {
			.grh = {
				.sgid_index = (uint8_t)c->opt.sgid_index,
				.hop_limit = HOP_LIMIT,
				.traffic_class = (uint8_t)c->opt.tclass,
			},
			.sl = (uint8_t)c->opt.sl,
			.is_global = 1,
			.port_num = PORT,
		},
	};
	struct ib_uverbs_create_ah_resp answer = { 0 };
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_CREATE_AH, request, answer);
	int err;

	memcpy(request.attr.grh.dgid, c->opt.dgid, sizeof(request.attr.grh.dgid));
	err = invoke(c, "create-ah", &cmd);
	*handle = answer.ah_handle;
	return err;
}

/* ---- the states of a queue pair ---- */

int modify_to_init(struct client *c, const struct qp *qp)
{
	struct ib_uverbs_modify_qp request = {
		.qp_handle = qp->handle,
		.attr_mask = QP_STATE | QP_ACCESS_FLAGS | QP_PKEY_INDEX | QP_PORT,
		.qp_state = QPS_INIT,
		.port_num = PORT,
	};
	struct command cmd = { .number = IB_USER_VERBS_CMD_MODIFY_QP, .in = &request, .in_len = sizeof(request) };

	return invoke(c, "modify-init", &cmd);
}

struct ib_uverbs_modify_qp rtr_request(const struct options *opt, const struct qp *qp)
{
	struct ib_uverbs_modify_qp request = {
		.dest = path_to(opt, opt->tclass),
		.qp_handle = qp->handle,
		.attr_mask = QP_STATE | QP_AV | QP_PATH_MTU | QP_RQ_PSN | QP_MIN_RNR_TIMER | QP_MAX_DEST_RD_ATOMIC |
			     QP_DEST_QPN,
		.dest_qp_num = qp->number,
		.qp_state = QPS_RTR,
		.path_mtu = MTU_1024,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 1,
	};

	if (opt->alt_path) {
		request.attr_mask |= QP_ALT_PATH;
		request.alt_dest = path_to(opt, opt->alt_tclass);
		request.alt_port_num = PORT;
	}
	return request;
}

static int modify_to_rtr(struct client *c, const struct qp *qp)
{
	const struct options *opt = &c->opt;
	struct ib_uverbs_ex_modify_qp request = { .base = rtr_request(opt, qp) };
	struct ib_uverbs_ex_modify_qp_resp answer;
	struct command plain = { .number = IB_USER_VERBS_CMD_MODIFY_QP,
				 .in = &request.base,
				 .in_len = sizeof(request.base) };
	struct command extended =
		COMMAND(IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_MODIFY_QP, request, answer);
	struct command cmd = opt->extended ? extended : plain;

	cmd.pad_attrs = opt->pad_attrs;
	cmd.unmapped = opt->unmapped;
	return invoke(c, "modify-rtr", &cmd);
}

int devx_create(struct client *c)
{
	__cleanup(free_header) struct ib_uverbs_ioctl_hdr *hdr =
		new_header(c, MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_CREATE);

	c->step = "devx-create";
	hdr->driver_id = RDMA_DRIVER_MLX5;
	return send_header(c, hdr, false);
}

int connect_qp(struct client *c, const struct qp *qp)
{
	int err = modify_to_init(c, qp);

	return err ? err : modify_to_rtr(c, qp);
}

int query_qp(struct client *c, const struct qp *qp, struct ib_uverbs_query_qp_resp *answer)
{
	struct ib_uverbs_query_qp request = { .qp_handle = qp->handle, .attr_mask = QP_STATE | QP_AV };
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_QUERY_QP, request, *answer);

	return invoke(c, "query-qp", &cmd);
}
