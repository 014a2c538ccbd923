/* Test code: stands for an SR-IOV RDMA function (a RoCE VF) as mlx5 shows it to the kernel. No data path. */
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef HCASIM_H
#define HCASIM_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>

#define HCASIM_GID_TABLE_LEN 64

struct hcasim_dev {
	struct ib_device ib;
	struct list_head node; /* in the list of control.c */
	struct pci_dev *pdev;
	struct net_device *ndev;
	struct dentry *dir; /* debugfs, named by the PCI address */
	u64 *counters; /* hcasim_num_counters of them, set through debugfs */
	spinlock_t lock; /* of the lists below and of what is in them; also taken where nothing may sleep */
	struct list_head qps;
	struct list_head ahs;
	struct list_head mrs;
};

struct hcasim_object {
	struct list_head node;
	pid_t pid; /* 0: the kernel's own */
};

struct hcasim_qp {
	struct ib_qp ib;
	struct hcasim_object object;
	struct ib_qp_attr attr;
	int given; /* mask of all attributes that came so far */
	struct ib_qp_init_attr init;
};

struct hcasim_ah {
	struct ib_ah ib;
	struct hcasim_object object;
	struct rdma_ah_attr attr;
};

struct hcasim_mr {
	struct ib_mr ib;
	struct hcasim_object object;
	u64 start;
	int access;
};

extern const struct rdma_stat_desc hcasim_counter_descs[];
extern const unsigned int hcasim_num_counters;
extern const struct ib_device_ops hcasim_verbs;
extern bool hcasim_issm;
extern bool hcasim_counters_fail;

/* The files of the object lists, in sim->dir. */
void hcasim_create_lists(struct hcasim_dev *sim);

static inline struct hcasim_dev *to_hcasim(struct ib_device *ib)
{
	return container_of(ib, struct hcasim_dev, ib);
}

#endif
