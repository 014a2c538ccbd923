// Test code: stands for an SR-IOV RDMA function (a RoCE VF) as mlx5 shows it to the kernel. No data path.
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Verbs that keep what they are told, so that a query returns it, and move no data: posting to a kernel QP fails and a
 * completion queue stays empty. The kernel's own users matter: ib_mad makes its QP1 here, and so umad nodes appear.
 */
#include <linux/atomic.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_verbs.h>
#include "hcasim.h"

#define FULL_PKEY 0xffff

/* The core's objects suffice for these; the wrappers exist because it allocates by the size of a driver's type. */
struct sim_ucontext {
	struct ib_ucontext ib;
};
struct sim_pd {
	struct ib_pd ib;
};
struct sim_cq {
	struct ib_cq ib;
};

static atomic_t last_qpn = ATOMIC_INIT(16); /* 0 and 1 are the management QPs; the others are left as a margin */
static atomic_t last_key = ATOMIC_INIT(0);

/*
 * Whether devices added from now on have an issm node (hcasim/issm in debugfs). 6.1 makes one for every port with MADs,
 * whatever this says; 6.12 and 7.3 only for a port with an SMI and its QP0, which no RoCE hardware has. So it is off by
 * default; on, it lets a test have an issm node on every kernel.
 */
bool hcasim_issm;
bool hcasim_counters_fail;

/* Names as mlx5 has them, in its order. */
const struct rdma_stat_desc hcasim_counter_descs[] = {
	{ .name = "rx_write_requests" },
	{ .name = "rx_read_requests" },
	{ .name = "rx_atomic_requests" },
	{ .name = "out_of_buffer" },
	{ .name = "out_of_sequence" },
	{ .name = "duplicate_request" },
	{ .name = "rnr_nak_retry_err" },
	{ .name = "packet_seq_err" },
	{ .name = "implied_nak_seq_err" },
	{ .name = "local_ack_timeout_err" },
	{ .name = "resp_local_length_error" },
	{ .name = "resp_cqe_error" },
	{ .name = "req_cqe_error" },
	{ .name = "req_remote_invalid_request" },
	{ .name = "req_remote_access_errors" },
	{ .name = "resp_remote_access_errors" },
	{ .name = "resp_cqe_flush_error" },
	{ .name = "req_cqe_flush_error" },
	{ .name = "roce_adp_retrans" },
	{ .name = "roce_adp_retrans_to" },
	{ .name = "roce_slow_restart" },
	{ .name = "roce_slow_restart_cnps" },
	{ .name = "roce_slow_restart_trans" },
	{ .name = "rp_cnp_ignored" },
	{ .name = "rp_cnp_handled" },
	{ .name = "np_ecn_marked_roce_packets" },
	{ .name = "np_cnp_sent" },
	{ .name = "rx_icrc_encapsulated" },
};
const unsigned int hcasim_num_counters = ARRAY_SIZE(hcasim_counter_descs);

static int query_device(struct ib_device *ib, struct ib_device_attr *attr, struct ib_udata *udata)
{
	const struct pci_dev *pdev = to_hcasim(ib)->pdev;

	memset(attr, 0, sizeof(*attr));
	attr->sys_image_guid = ib->node_guid;
	attr->vendor_id = pdev->vendor;
	attr->vendor_part_id = pdev->device;
	attr->hw_ver = pdev->revision;
	attr->max_mr_size = U64_MAX;
	attr->page_size_cap = PAGE_SIZE;
	attr->max_qp = 1 << 14;
	attr->max_qp_wr = 1 << 13;
	attr->max_send_sge = 16;
	attr->max_recv_sge = 16;
	attr->max_cq = 1 << 14;
	attr->max_cqe = 1 << 16;
	attr->max_mr = 1 << 14;
	attr->max_pd = 1 << 14;
	attr->max_ah = 1 << 14;
	attr->max_qp_rd_atom = 16;
	attr->max_qp_init_rd_atom = 16;
	attr->max_pkeys = 1;
	return 0;
}

static int query_port(struct ib_device *ib, u32 port, struct ib_port_attr *attr)
{
	const struct net_device *ndev = to_hcasim(ib)->ndev;
	bool up = netif_running(ndev) && netif_carrier_ok(ndev);

	attr->state = up ? IB_PORT_ACTIVE : IB_PORT_DOWN;
	attr->phys_state = up ? IB_PORT_PHYS_STATE_LINK_UP : IB_PORT_PHYS_STATE_DISABLED;
	attr->max_mtu = IB_MTU_4096;
	attr->active_mtu = ib_mtu_int_to_enum(ndev->mtu);
	attr->gid_tbl_len = HCASIM_GID_TABLE_LEN;
	attr->pkey_tbl_len = 1;
	attr->max_msg_sz = 1 << 30;
	attr->max_vl_num = 1;
	attr->active_width = IB_WIDTH_4X;
	attr->active_speed = IB_SPEED_EDR;
	return 0;
}

static int get_port_immutable(struct ib_device *ib, u32 port, struct ib_port_immutable *immutable)
{
	immutable->gid_tbl_len = HCASIM_GID_TABLE_LEN;
	immutable->pkey_tbl_len = 1;
	immutable->core_cap_flags = RDMA_CORE_PORT_IBA_ROCE | RDMA_CORE_PORT_IBA_ROCE_UDP_ENCAP;
	if (hcasim_issm)
		immutable->core_cap_flags |= RDMA_CORE_CAP_IB_SMI;
	immutable->max_mad_size = IB_MGMT_MAD_SIZE;
	return 0;
}

static int query_pkey(struct ib_device *ib, u32 port, u16 index, u16 *pkey)
{
	if (index)
		return -EINVAL;
	*pkey = FULL_PKEY;
	return 0;
}

static enum rdma_link_layer get_link_layer(struct ib_device *ib, u32 port)
{
	return IB_LINK_LAYER_ETHERNET;
}

static void get_dev_fw_str(struct ib_device *ib, char *str)
{
	strscpy(str, "0.0.0", IB_FW_VERSION_NAME_MAX);
}

/* The core keeps the GID table; hardware would only be told of it. */
static int add_gid(const struct ib_gid_attr *attr, void **context)
{
	return 0;
}

static int del_gid(const struct ib_gid_attr *attr, void **context)
{
	return 0;
}

static int alloc_ucontext(struct ib_ucontext *context, struct ib_udata *udata)
{
	return 0;
}

static void dealloc_ucontext(struct ib_ucontext *context)
{
}

/* Having this operation is what lets the core move the device between network namespaces; nothing is mapped. */
static void disassociate_ucontext(struct ib_ucontext *context)
{
}

static int alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int dealloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

/* ---- objects that are listed in debugfs ---- */

/* An object without udata is the kernel's own, whoever the current process is. */
static void list_object(struct hcasim_dev *sim, struct list_head *list, struct hcasim_object *object,
			const struct ib_udata *udata)
{
	unsigned long flags;

	object->pid = udata ? task_tgid_nr(current) : 0;
	spin_lock_irqsave(&sim->lock, flags);
	list_add_tail(&object->node, list);
	spin_unlock_irqrestore(&sim->lock, flags);
}

static void unlist_object(struct hcasim_dev *sim, struct hcasim_object *object)
{
	unsigned long flags;

	spin_lock_irqsave(&sim->lock, flags);
	list_del(&object->node);
	spin_unlock_irqrestore(&sim->lock, flags);
}

/* The attribute's address goes with the caller's reference to it, so it is not kept. */
static void keep_ah_attr(struct rdma_ah_attr *kept, const struct rdma_ah_attr *given)
{
	*kept = *given;
	kept->grh.sgid_attr = NULL;
}

static int create_ah(struct ib_ah *ah, struct rdma_ah_init_attr *init, struct ib_udata *udata)
{
	struct hcasim_ah *sim = container_of(ah, struct hcasim_ah, ib);
	struct hcasim_dev *dev = to_hcasim(ah->device);

	keep_ah_attr(&sim->attr, init->ah_attr);
	list_object(dev, &dev->ahs, &sim->object, udata);
	return 0;
}

static int query_ah(struct ib_ah *ah, struct rdma_ah_attr *attr)
{
	*attr = container_of(ah, struct hcasim_ah, ib)->attr;
	return 0;
}

static int destroy_ah(struct ib_ah *ah, u32 flags)
{
	unlist_object(to_hcasim(ah->device), &container_of(ah, struct hcasim_ah, ib)->object);
	return 0;
}

/* 6.11 gave create_cq the whole attribute bundle. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static int create_cq(struct ib_cq *cq, const struct ib_cq_init_attr *attr, struct uverbs_attr_bundle *attrs)
#else
static int create_cq(struct ib_cq *cq, const struct ib_cq_init_attr *attr, struct ib_udata *udata)
#endif
{
	cq->cqe = attr->cqe;
	return 0;
}

static int destroy_cq(struct ib_cq *cq, struct ib_udata *udata)
{
	return 0;
}

static int poll_cq(struct ib_cq *cq, int num_entries, struct ib_wc *wc)
{
	return 0;
}

static int req_notify_cq(struct ib_cq *cq, enum ib_cq_notify_flags flags)
{
	return 0;
}

static int create_qp(struct ib_qp *qp, struct ib_qp_init_attr *init, struct ib_udata *udata)
{
	struct hcasim_qp *sim = container_of(qp, struct hcasim_qp, ib);
	struct hcasim_dev *dev = to_hcasim(qp->device);

	switch (init->qp_type) {
	case IB_QPT_SMI:
		qp->qp_num = 0;
		break;
	case IB_QPT_GSI:
		qp->qp_num = 1;
		break;
	case IB_QPT_RC:
	case IB_QPT_UC:
	case IB_QPT_UD:
		qp->qp_num = atomic_inc_return(&last_qpn);
		break;
	default:
		return -EOPNOTSUPP;
	}
	sim->init = *init;
	sim->attr.cap = init->cap;
	sim->attr.qp_state = IB_QPS_RESET;
	list_object(dev, &dev->qps, &sim->object, udata);
	return 0;
}

#define KEPT(bit, field)                                                                        \
	{                                                                                       \
		bit, offsetof(struct ib_qp_attr, field), sizeof_field(struct ib_qp_attr, field) \
	}

static const struct {
	int bit;
	size_t offset;
	size_t size;
} kept_attrs[] = {
	KEPT(IB_QP_STATE, qp_state),
	KEPT(IB_QP_EN_SQD_ASYNC_NOTIFY, en_sqd_async_notify),
	KEPT(IB_QP_ACCESS_FLAGS, qp_access_flags),
	KEPT(IB_QP_PKEY_INDEX, pkey_index),
	KEPT(IB_QP_PORT, port_num),
	KEPT(IB_QP_QKEY, qkey),
	KEPT(IB_QP_AV, ah_attr),
	KEPT(IB_QP_PATH_MTU, path_mtu),
	KEPT(IB_QP_TIMEOUT, timeout),
	KEPT(IB_QP_RETRY_CNT, retry_cnt),
	KEPT(IB_QP_RNR_RETRY, rnr_retry),
	KEPT(IB_QP_RQ_PSN, rq_psn),
	KEPT(IB_QP_MAX_QP_RD_ATOMIC, max_rd_atomic),
	KEPT(IB_QP_ALT_PATH, alt_ah_attr),
	KEPT(IB_QP_ALT_PATH, alt_pkey_index),
	KEPT(IB_QP_ALT_PATH, alt_port_num),
	KEPT(IB_QP_ALT_PATH, alt_timeout),
	KEPT(IB_QP_MIN_RNR_TIMER, min_rnr_timer),
	KEPT(IB_QP_SQ_PSN, sq_psn),
	KEPT(IB_QP_MAX_DEST_RD_ATOMIC, max_dest_rd_atomic),
	KEPT(IB_QP_PATH_MIG_STATE, path_mig_state),
	KEPT(IB_QP_DEST_QPN, dest_qp_num),
	KEPT(IB_QP_RATE_LIMIT, rate_limit),
};

static void keep_qp_attrs(struct hcasim_qp *sim, const struct ib_qp_attr *attr, int mask)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kept_attrs); i++)
		if (mask & kept_attrs[i].bit)
			memcpy((char *)&sim->attr + kept_attrs[i].offset, (const char *)attr + kept_attrs[i].offset,
			       kept_attrs[i].size);
	sim->attr.ah_attr.grh.sgid_attr = NULL;
	sim->attr.alt_ah_attr.grh.sgid_attr = NULL;
	sim->given |= mask;
}

static int modify_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata)
{
	struct hcasim_qp *sim = container_of(qp, struct hcasim_qp, ib);
	struct hcasim_dev *dev = to_hcasim(qp->device);
	enum ib_qp_state from = mask & IB_QP_CUR_STATE ? attr->cur_qp_state : sim->attr.qp_state;
	enum ib_qp_state to = mask & IB_QP_STATE ? attr->qp_state : from;

	if (!ib_modify_qp_is_ok(from, to, qp->qp_type, mask))
		return -EINVAL;
	spin_lock_irq(&dev->lock);
	keep_qp_attrs(sim, attr, mask);
	spin_unlock_irq(&dev->lock);
	return 0;
}

static int query_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask, struct ib_qp_init_attr *init)
{
	struct hcasim_qp *sim = container_of(qp, struct hcasim_qp, ib);

	*attr = sim->attr;
	attr->cur_qp_state = attr->qp_state;
	*init = sim->init;
	return 0;
}

static int destroy_qp(struct ib_qp *qp, struct ib_udata *udata)
{
	unlist_object(to_hcasim(qp->device), &container_of(qp, struct hcasim_qp, ib)->object);
	return 0;
}

/* A send that was taken and never completed would block the end of a MAD agent: refuse it. */
static int post_send(struct ib_qp *qp, const struct ib_send_wr *wr, const struct ib_send_wr **bad)
{
	*bad = wr;
	return -EOPNOTSUPP;
}

/* ib_mad opens its port only when its receive buffers are taken. They stay with ib_mad, which frees them. */
static int post_recv(struct ib_qp *qp, const struct ib_recv_wr *wr, const struct ib_recv_wr **bad)
{
	return 0;
}

static struct ib_mr *new_mr(struct ib_pd *pd, u64 start, u64 length, int access, const struct ib_udata *udata)
{
	struct hcasim_dev *dev = to_hcasim(pd->device);
	struct hcasim_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);

	if (!mr)
		return ERR_PTR(-ENOMEM);
	mr->ib.lkey = atomic_inc_return(&last_key) << 8;
	mr->ib.rkey = mr->ib.lkey;
	mr->ib.length = length;
	mr->start = start;
	mr->access = access;
	list_object(dev, &dev->mrs, &mr->object, udata);
	return &mr->ib;
}

static struct ib_mr *get_dma_mr(struct ib_pd *pd, int access)
{
	return new_mr(pd, 0, U64_MAX, access, NULL);
}

/* No page is pinned: only the accounting of memory regions is simulated. 6.17 added DMA hints. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
static struct ib_mr *reg_user_mr(struct ib_pd *pd, u64 start, u64 length, u64 virt_addr, int access,
				 struct ib_dmah *dmah, struct ib_udata *udata)
#else
static struct ib_mr *reg_user_mr(struct ib_pd *pd, u64 start, u64 length, u64 virt_addr, int access,
				 struct ib_udata *udata)
#endif
{
	return new_mr(pd, start, length, access, udata);
}

static int dereg_mr(struct ib_mr *mr, struct ib_udata *udata)
{
	struct hcasim_mr *sim = container_of(mr, struct hcasim_mr, ib);

	unlist_object(to_hcasim(mr->device), &sim->object);
	kfree(sim);
	return 0;
}

static struct rdma_hw_stats *alloc_hw_port_stats(struct ib_device *ib, u32 port)
{
	return rdma_alloc_hw_stats_struct(hcasim_counter_descs, hcasim_num_counters, RDMA_HW_STATS_DEFAULT_LIFESPAN);
}

static int get_hw_stats(struct ib_device *ib, struct rdma_hw_stats *stats, u32 port, int index)
{
	unsigned int i;

	if (READ_ONCE(hcasim_counters_fail))
		return -EIO;
	for (i = 0; i < hcasim_num_counters; i++)
		stats->value[i] = READ_ONCE(to_hcasim(ib)->counters[i]);
	return hcasim_num_counters;
}

const struct ib_device_ops hcasim_verbs = {
	.query_device = query_device,
	.query_port = query_port,
	.get_port_immutable = get_port_immutable,
	.query_pkey = query_pkey,
	.get_link_layer = get_link_layer,
	.get_dev_fw_str = get_dev_fw_str,
	.add_gid = add_gid,
	.del_gid = del_gid,
	.alloc_ucontext = alloc_ucontext,
	.dealloc_ucontext = dealloc_ucontext,
	.disassociate_ucontext = disassociate_ucontext,
	.alloc_pd = alloc_pd,
	.dealloc_pd = dealloc_pd,
	.create_ah = create_ah,
	.create_user_ah = create_ah,
	.query_ah = query_ah,
	.destroy_ah = destroy_ah,
	.create_cq = create_cq,
	.destroy_cq = destroy_cq,
	.poll_cq = poll_cq,
	.req_notify_cq = req_notify_cq,
	.create_qp = create_qp,
	.modify_qp = modify_qp,
	.query_qp = query_qp,
	.destroy_qp = destroy_qp,
	.post_send = post_send,
	.post_recv = post_recv,
	.get_dma_mr = get_dma_mr,
	.reg_user_mr = reg_user_mr,
	.dereg_mr = dereg_mr,
	.alloc_hw_port_stats = alloc_hw_port_stats,
	.get_hw_stats = get_hw_stats,
	INIT_RDMA_OBJ_SIZE(ib_ucontext, sim_ucontext, ib),
	INIT_RDMA_OBJ_SIZE(ib_pd, sim_pd, ib),
	INIT_RDMA_OBJ_SIZE(ib_ah, hcasim_ah, ib),
	INIT_RDMA_OBJ_SIZE(ib_cq, sim_cq, ib),
	INIT_RDMA_OBJ_SIZE(ib_qp, hcasim_qp, ib),
};
