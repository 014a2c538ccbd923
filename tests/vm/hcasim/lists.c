// Test code: stands for an SR-IOV RDMA function (a RoCE VF) as mlx5 shows it to the kernel. No data path.
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The objects of a device with what the kernel passed for them, one a line, as "name value" pairs: what a test compares
 * with what it asked for. A value that never came is 0.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "hcasim.h"

static void show_address(struct seq_file *seq, const struct rdma_ah_attr *attr)
{
	const struct ib_global_route *grh = &attr->grh;

	seq_printf(seq, " port %u sl %u static_rate %u tclass %u flow_label %u hop_limit %u sgid_index %u",
		   attr->port_num, attr->sl, attr->static_rate, grh->traffic_class, grh->flow_label, grh->hop_limit,
		   grh->sgid_index);
	seq_printf(seq, " dgid %pI6 dmac %pM\n", grh->dgid.raw, attr->roce.dmac);
}

static void show_qp(struct seq_file *seq, const struct hcasim_qp *qp)
{
	const struct ib_qp_attr *attr = &qp->attr;

	seq_printf(seq, "qpn %u type %u pid %d state %u given %#x", qp->ib.qp_num, qp->ib.qp_type, qp->object.pid,
		   attr->qp_state, qp->given);
	seq_printf(seq, " pkey_index %u qkey %#x access %#x path_mtu %u dest_qpn %u rq_psn %u sq_psn %u",
		   attr->pkey_index, attr->qkey, attr->qp_access_flags, attr->path_mtu, attr->dest_qp_num, attr->rq_psn,
		   attr->sq_psn);
	seq_printf(
		seq,
		" timeout %u retry_cnt %u rnr_retry %u min_rnr_timer %u rd_atomic %u dest_rd_atomic %u rate_limit %u",
		attr->timeout, attr->retry_cnt, attr->rnr_retry, attr->min_rnr_timer, attr->max_rd_atomic,
		attr->max_dest_rd_atomic, attr->rate_limit);
	show_address(seq, &attr->ah_attr);
}

static int qps_show(struct seq_file *seq, void *unused)
{
	struct hcasim_dev *sim = seq->private;
	struct hcasim_qp *qp;

	spin_lock_irq(&sim->lock);
	list_for_each_entry(qp, &sim->qps, object.node) show_qp(seq, qp);
	spin_unlock_irq(&sim->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(qps);

static int ahs_show(struct seq_file *seq, void *unused)
{
	struct hcasim_dev *sim = seq->private;
	struct hcasim_ah *ah;

	spin_lock_irq(&sim->lock);
	list_for_each_entry(ah, &sim->ahs, object.node)
	{
		seq_printf(seq, "pid %d", ah->object.pid);
		show_address(seq, &ah->attr);
	}
	spin_unlock_irq(&sim->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ahs);

static int mrs_show(struct seq_file *seq, void *unused)
{
	struct hcasim_dev *sim = seq->private;
	struct hcasim_mr *mr;

	spin_lock_irq(&sim->lock);
	list_for_each_entry(mr, &sim->mrs, object.node)
		seq_printf(seq, "lkey %#x pid %d start %#llx length %llu access %#x\n", mr->ib.lkey, mr->object.pid,
			   mr->start, mr->ib.length, mr->access);
	spin_unlock_irq(&sim->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mrs);

void hcasim_create_lists(struct hcasim_dev *sim)
{
	debugfs_create_file("qps", 0400, sim->dir, sim, &qps_fops);
	debugfs_create_file("ahs", 0400, sim->dir, sim, &ahs_fops);
	debugfs_create_file("mrs", 0400, sim->dir, sim, &mrs_fops);
}
