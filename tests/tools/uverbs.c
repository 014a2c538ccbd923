// SPDX-License-Identifier: Apache-2.0
/*
 * A raw client of the uverbs ABI for tests: it speaks to any RDMA device, also one without a libibverbs provider, in
 * the ways that a guard has to see: ioctl and write(2), plain and extended commands, descriptors opened elsewhere.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define __cleanup(f) __attribute__((cleanup(f)))

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
enum { MTU_1024 = 3, PORT = 1, CQ_DEPTH = 16, GIDS_MAX = 256, HOP_LIMIT = 64 };

#define UHW_OUT_SIZE 256 /* room for a driver's own answer; rxe refuses to create queues without it */
#define DRIVER_IDS_MAX 64
#define ATTRS_MAX 254 /* the kernel takes a header of one page at most */
#define NO_METHOD 0xfff
#define UNKNOWN_ATTR 0x0800
#define STATUS_USAGE 2
#define STATUS_EPERM 3
#define STATUS_EACCES 4
#define PAGEMAP_PRESENT (1ULL << 63)
#define CONNECT_TRIES 100
#define CONNECT_PAUSE_US 50000

enum unmapped { UNMAPPED_NONE, UNMAPPED_INPUT, UNMAPPED_HEADER };

struct options {
	uint32_t tclass;
	uint32_t sl;
	uint32_t alt_tclass;
	bool alt_path;
	bool extended;
	bool by_write;
	bool dgid_given;
	uint8_t dgid[16];
	uint32_t sgid_index;
	bool sgid_given;
	uint32_t pad_attrs;
	enum unmapped unmapped;
	uint32_t qps;
	uint32_t mrs;
	const char *netns;
};

struct client {
	int fd;
	uint32_t driver_id;
	uint32_t pd;
	uint32_t cq;
	const char *step; /* what was tried last, for the message */
	struct options opt;
};

struct command {
	uint32_t number; /* IB_USER_VERBS_CMD_… or, with the flag, IB_USER_VERBS_EX_CMD_… */
	void *in;
	size_t in_len;
	void *out;
	size_t out_len;
	uint32_t pad_attrs;
	enum unmapped unmapped;
};

struct mapping {
	void *addr;
	size_t len;
};

struct qp {
	uint32_t handle;
	uint32_t number;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

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
	*m = (struct mapping){addr, len};
	/* A test with a page that is there would prove nothing. */
	return is_present(addr) ? -EADDRINUSE : 0;
}

static void set_attr(struct ib_uverbs_attr *attr, uint16_t id, uint16_t len, uint64_t data)
{
	*attr = (struct ib_uverbs_attr){.attr_id = id, .len = len, .flags = UVERBS_ATTR_F_MANDATORY, .data = data};
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
		hdr->attrs[hdr->num_attrs++] = (struct ib_uverbs_attr){.attr_id = (uint16_t)(UNKNOWN_ATTR + i)};
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
	__cleanup(unmap) struct mapping map = {0};
	int err;

	hdr->length = (uint16_t)(sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]));
	if (untouched) {
		err = map_untouched(&map, hdr, hdr->length);
		if (err)
			return err;
	}
	return ioctl(c->fd, RDMA_VERBS_IOCTL, untouched ? map.addr : hdr) ? -errno : 0;
}

static int invoke_ioctl(const struct client *c, const struct command *cmd)
{
	__cleanup(free_header) struct ib_uverbs_ioctl_hdr *hdr =
		new_header(c, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE);
	__cleanup(unmap) struct mapping map = {0};
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
	__cleanup(unmap) struct mapping map = {0};
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
	} buf = {0};
	uint8_t out[512] = {0};
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
	} buf = {0};

	buf.hdr.command = cmd->number;
	buf.hdr.in_words = (uint16_t)(cmd->in_len / 8);
	buf.hdr.out_words = (uint16_t)(cmd->out_len / 8);
	buf.ex.response = (uintptr_t)cmd->out;
	memcpy(buf.in, cmd->in, cmd->in_len);
	return write_buffer(c, cmd, &buf, sizeof(buf.hdr) + sizeof(buf.ex) + cmd->in_len);
}

static int invoke(struct client *c, const char *step, const struct command *cmd)
{
	c->step = step;
	if (!c->opt.by_write)
		return invoke_ioctl(c, cmd);
	return cmd->number & IB_USER_VERBS_CMD_FLAG_EXTENDED ? invoke_extended_write(c, cmd)
							     : invoke_plain_write(c, cmd);
}

#define COMMAND(num, request, answer)                                                           \
	{                                                                                       \
		.number = (num), .in = &(request), .in_len = sizeof(request), .out = &(answer), \
		.out_len = sizeof(answer)                                                       \
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

static int open_device(struct client *c, const char *device)
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

static int get_context(struct client *c)
{
	struct ib_uverbs_get_context request = {0};
	struct ib_uverbs_get_context_resp answer;
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_GET_CONTEXT, request, answer);

	return c->opt.by_write ? invoke(c, "get-context", &cmd) : get_context_by_ioctl(c);
}

static int open_context(struct client *c, const char *device)
{
	int err = open_device(c, device);

	return err ? err : get_context(c);
}

static int alloc_pd(struct client *c)
{
	struct ib_uverbs_alloc_pd request = {0};
	struct ib_uverbs_alloc_pd_resp answer = {0};
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_ALLOC_PD, request, answer);
	int err = invoke(c, "alloc-pd", &cmd);

	c->pd = answer.pd_handle;
	return err;
}

static int create_cq(struct client *c)
{
	struct ib_uverbs_create_cq request = {.cqe = CQ_DEPTH, .comp_channel = -1};
	struct ib_uverbs_create_cq_resp answer = {0};
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_CREATE_CQ, request, answer);
	int err = invoke(c, "create-cq", &cmd);

	c->cq = answer.cq_handle;
	return err;
}

static int create_qp(struct client *c, struct qp *qp)
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
	struct ib_uverbs_create_qp_resp answer = {0};
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_CREATE_QP, request, answer);
	int err = invoke(c, "create-qp", &cmd);

	*qp = (struct qp){answer.qp_handle, answer.qpn};
	return err;
}

static int reg_mr(struct client *c, void *start, size_t length)
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

static int open_queues(struct client *c, const char *device)
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
static int fill_addresses(struct client *c)
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

/* ---- the states of a queue pair ---- */

static int modify_to_init(struct client *c, const struct qp *qp)
{
	struct ib_uverbs_modify_qp request = {
		.qp_handle = qp->handle,
		.attr_mask = QP_STATE | QP_ACCESS_FLAGS | QP_PKEY_INDEX | QP_PORT,
		.qp_state = QPS_INIT,
		.port_num = PORT,
	};
	struct command cmd = {.number = IB_USER_VERBS_CMD_MODIFY_QP, .in = &request, .in_len = sizeof(request)};

	return invoke(c, "modify-init", &cmd);
}

static struct ib_uverbs_modify_qp rtr_request(const struct options *opt, const struct qp *qp)
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
	struct ib_uverbs_ex_modify_qp request = {.base = rtr_request(opt, qp)};
	struct ib_uverbs_ex_modify_qp_resp answer;
	struct command plain = {
		.number = IB_USER_VERBS_CMD_MODIFY_QP, .in = &request.base, .in_len = sizeof(request.base)};
	struct command extended =
		COMMAND(IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_MODIFY_QP, request, answer);
	struct command cmd = opt->extended ? extended : plain;

	cmd.pad_attrs = opt->pad_attrs;
	cmd.unmapped = opt->unmapped;
	return invoke(c, "modify-rtr", &cmd);
}

static int query_qp(struct client *c, const struct qp *qp, struct ib_uverbs_query_qp_resp *answer)
{
	struct ib_uverbs_query_qp request = {.qp_handle = qp->handle, .attr_mask = QP_STATE | QP_AV};
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_QUERY_QP, request, *answer);

	return invoke(c, "query-qp", &cmd);
}

/* ---- subcommands: they get their arguments without the options, and print their one line when all went well ---- */

static int run_open(struct client *c, char **args)
{
	int err = open_device(c, args[0]);

	if (!err)
		printf("opened\n");
	return err;
}

static int run_context(struct client *c, char **args)
{
	int err = open_context(c, args[0]);

	if (!err)
		printf("context\n");
	return err;
}

static int run_modify(struct client *c, char **args)
{
	struct ib_uverbs_query_qp_resp state = {0};
	struct qp qp = {0};
	int err;

	err = open_queues(c, args[0]);
	if (!err)
		err = fill_addresses(c);
	if (!err)
		err = create_qp(c, &qp);
	if (!err)
		err = modify_to_init(c, &qp);
	if (!err)
		err = modify_to_rtr(c, &qp);
	if (!err)
		err = query_qp(c, &qp, &state);
	if (!err)
		printf("qpn %u state %u tclass %u sl %u sgid_index %u\n", qp.number, state.qp_state,
		       state.dest.traffic_class, state.dest.sl, c->opt.sgid_index);
	return err;
}

static int run_ah(struct client *c, char **args)
{
	struct ib_uverbs_create_ah request = {0};
	struct ib_uverbs_create_ah_resp answer;
	struct command cmd = COMMAND(IB_USER_VERBS_CMD_CREATE_AH, request, answer);
	int err;

	err = open_context(c, args[0]);
	if (!err)
		err = alloc_pd(c);
	if (!err)
		err = fill_addresses(c);
	if (err)
		return err;
	request.pd_handle = c->pd;
	request.attr.is_global = 1;
	request.attr.port_num = PORT;
	request.attr.sl = (uint8_t)c->opt.sl;
	request.attr.grh.sgid_index = (uint8_t)c->opt.sgid_index;
	request.attr.grh.hop_limit = HOP_LIMIT;
	request.attr.grh.traffic_class = (uint8_t)c->opt.tclass;
	memcpy(request.attr.grh.dgid, c->opt.dgid, sizeof(request.attr.grh.dgid));
	err = invoke(c, "create-ah", &cmd);
	if (!err)
		printf("ah %u tclass %u\n", answer.ah_handle, c->opt.tclass);
	return err;
}

static void wait_for_eof(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static int run_hold(struct client *c, char **args)
{
	static uint8_t memory[4096];
	struct qp qp;
	int err;

	err = open_queues(c, args[0]);
	for (uint32_t i = 0; !err && i < c->opt.qps; i++)
		err = create_qp(c, &qp);
	for (uint32_t i = 0; !err && i < c->opt.mrs; i++)
		err = reg_mr(c, memory, sizeof(memory));
	if (err)
		return err;
	printf("ready\n");
	fflush(stdout);
	wait_for_eof();
	return 0;
}

static int enter_netns(struct client *c, const char *path)
{
	__cleanup(close_fd) int fd = -1;

	c->step = "setns";
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return -errno;
	return 0;
}

static int run_reuse(struct client *c, char **args)
{
	int err;

	c->step = "--netns";
	if (!c->opt.netns)
		return -EINVAL;
	err = open_device(c, args[0]);
	if (!err)
		err = enter_netns(c, c->opt.netns);
	if (!err)
		err = get_context(c);
	if (!err)
		printf("context after setns\n");
	return err;
}

static int set_address(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

/* The receiver may start a little later. */
static int connect_to(const char *path)
{
	struct sockaddr_un addr;
	int fd, err;

	err = set_address(&addr, path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		usleep(CONNECT_PAUSE_US);
	}
	err = -errno;
	close(fd);
	return err;
}

static int send_fd(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

/* A descriptor that a security module withholds is missing from the message: no errno tells of it. */
static int receive_fd(int sock)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *head;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&msg);
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len < CMSG_LEN(sizeof(fd)))
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static int run_pass(struct client *c, char **args)
{
	__cleanup(close_fd) int sock = -1;
	int err;

	err = open_device(c, args[0]);
	if (err)
		return err;
	c->step = "connect";
	sock = connect_to(args[1]);
	if (sock < 0)
		return sock;
	c->step = "send";
	err = send_fd(sock, c->fd);
	if (!err)
		printf("passed\n");
	return err;
}

static int accept_on(const char *path)
{
	__cleanup(close_fd) int sock = -1;
	struct sockaddr_un addr;
	int err, fd;

	err = set_address(&addr, path);
	if (err)
		return err;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || listen(sock, 1))
		return -errno;
	fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	err = -errno;
	unlink(path);
	return fd < 0 ? err : fd;
}

static int run_receive(struct client *c, char **args)
{
	__cleanup(close_fd) int sock = -1;
	int err;

	c->step = "accept";
	sock = accept_on(args[0]);
	if (sock < 0)
		return sock;
	c->step = "receive";
	c->fd = receive_fd(sock);
	if (c->fd < 0)
		return c->fd;
	err = get_context(c);
	if (!err)
		printf("context on a received descriptor\n");
	return err;
}

static const struct subcommand {
	const char *name;
	const char *usage;
	int args;
	int (*run)(struct client *c, char **args);
} subcommands[] = {
	{"open", "DEV", 1, run_open},
	{"context", "DEV", 1, run_context},
	{"modify", "DEV [--tclass N] [--sl N] [--alt-tclass N] [--extended] [--dgid ADDR|auto]", 1, run_modify},
	{"ah", "DEV [--tclass N] [--sl N] [--dgid ADDR|auto]", 1, run_ah},
	{"hold", "DEV [--qps N] [--mrs N]", 1, run_hold},
	{"reuse", "DEV --netns FILE", 1, run_reuse},
	{"pass", "DEV SOCKET", 2, run_pass},
	{"receive", "SOCKET", 1, run_receive},
};

/* ---- command line ---- */

static void usage(FILE *to)
{
	fprintf(to, "usage:\n");
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		fprintf(to, "  uverbs %s %s\n", subcommands[i].name, subcommands[i].usage);
	fprintf(to, "DEV: a path, uverbsN or the name of an RDMA device\n"
		    "with any: --via ioctl|write\n"
		    "with modify and ah: --sgid-index N (default: a RoCEv2 one)\n"
		    "with modify: --pad-attrs N (unknown attributes first), --unmapped[=input|header] (the last "
		    "command, or the\n"
		    "  ioctl's header, lies in a page that is not mapped in yet)\n"
		    "exit status: 1 failed, 2 usage, 3 EPERM, 4 EACCES\n");
}

static _Noreturn void bad_usage(const char *what)
{
	fprintf(stderr, "uverbs: bad %s\n", what);
	usage(stderr);
	exit(STATUS_USAGE);
}

static uint32_t number(const char *option, const char *text, uint32_t max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value > max)
		bad_usage(option);
	return (uint32_t)value;
}

/* A GID is written as an IPv6 address; an IPv4 address stands for its mapped form. */
static void set_dgid(struct options *opt, const char *text)
{
	struct in_addr v4;

	opt->dgid_given = strcmp(text, "auto") != 0;
	if (!opt->dgid_given || inet_pton(AF_INET6, text, opt->dgid) == 1)
		return;
	if (inet_pton(AF_INET, text, &v4) != 1)
		bad_usage("--dgid");
	memset(opt->dgid, 0, 10);
	memset(opt->dgid + 10, 0xff, 2);
	memcpy(opt->dgid + 12, &v4, 4);
}

static bool choice(const char *option, const char *text, const char *no, const char *yes)
{
	if (strcmp(text, no) && strcmp(text, yes))
		bad_usage(option);
	return !strcmp(text, yes);
}

static const struct option long_options[] = {
	{"tclass", required_argument, NULL, 't'},
	{"sl", required_argument, NULL, 's'},
	{"alt-tclass", required_argument, NULL, 'a'},
	{"extended", no_argument, NULL, 'e'},
	{"via", required_argument, NULL, 'v'},
	{"dgid", required_argument, NULL, 'd'},
	{"sgid-index", required_argument, NULL, 'i'},
	{"pad-attrs", required_argument, NULL, 'p'},
	{"unmapped", optional_argument, NULL, 'u'},
	{"qps", required_argument, NULL, 'q'},
	{"mrs", required_argument, NULL, 'm'},
	{"netns", required_argument, NULL, 'n'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void set_option(struct options *opt, int key, const char *value)
{
	switch (key) {
	case 't':
		opt->tclass = number("--tclass", value, UINT8_MAX);
		break;
	case 's':
		opt->sl = number("--sl", value, UINT8_MAX);
		break;
	case 'a':
		opt->alt_tclass = number("--alt-tclass", value, UINT8_MAX);
		opt->alt_path = true;
		break;
	case 'e':
		opt->extended = true;
		break;
	case 'v':
		opt->by_write = choice("--via", value, "ioctl", "write");
		break;
	case 'd':
		set_dgid(opt, value);
		break;
	case 'i':
		opt->sgid_index = number("--sgid-index", value, UINT8_MAX);
		opt->sgid_given = true;
		break;
	/* Four real attributes follow. */
	case 'p':
		opt->pad_attrs = number("--pad-attrs", value, ATTRS_MAX - 4);
		break;
	case 'u':
		opt->unmapped = value && choice("--unmapped", value, "input", "header") ? UNMAPPED_HEADER
											: UNMAPPED_INPUT;
		break;
	case 'q':
		opt->qps = number("--qps", value, UINT16_MAX);
		break;
	case 'm':
		opt->mrs = number("--mrs", value, UINT16_MAX);
		break;
	case 'n':
		opt->netns = value;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		bad_usage("option");
	}
}

static const struct subcommand *find_subcommand(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(subcommands); i++)
		if (!strcmp(subcommands[i].name, name))
			return &subcommands[i];
	bad_usage("subcommand");
}

static int exit_status(int err)
{
	switch (err) {
	case 0:
		return EXIT_SUCCESS;
	case -EPERM:
		return STATUS_EPERM;
	case -EACCES:
		return STATUS_EACCES;
	default:
		return EXIT_FAILURE;
	}
}

int main(int argc, char **argv)
{
	struct client c = {.fd = -1, .step = "start", .opt = {.qps = 1}};
	const struct subcommand *sub;
	int key, err;

	while ((key = getopt_long(argc, argv, "h", long_options, NULL)) >= 0)
		set_option(&c.opt, key, optarg);
	sub = find_subcommand(argv[optind]);
	if (argc - optind - 1 != sub->args)
		bad_usage("number of arguments");
	err = sub->run(&c, argv + optind + 1);
	close_fd(&c.fd);
	if (err)
		printf("failed %s %s\n", c.step, strerrorname_np(-err));
	return exit_status(err);
}
