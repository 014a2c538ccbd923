/* Test code: stands for an SR-IOV RDMA function (a RoCE VF) as mlx5 shows it to the kernel. No data path. */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HCASIM_H
#define HCASIM_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <rdma/ib_verbs.h>

#define HCASIM_GID_TABLE_LEN 64

struct hcasim_dev {
	struct ib_device ib;
	struct list_head node; /* in the list of control.c */
	struct pci_dev *pdev;
	struct net_device *ndev;
	struct dentry *dir; /* debugfs, named by the PCI address */
	u64 *counters; /* hcasim_num_counters of them, set through debugfs */
};

extern const struct rdma_stat_desc hcasim_counter_descs[];
extern const unsigned int hcasim_num_counters;
extern const struct ib_device_ops hcasim_verbs;

static inline struct hcasim_dev *to_hcasim(struct ib_device *ib)
{
	return container_of(ib, struct hcasim_dev, ib);
}

#endif
