/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's own types, as far as the BPF programs read them, kept by hand.
 *
 * A generated vmlinux.h has 127,000 lines for each kernel, of which the warden reads thirty; CO-RE
 * needs only names and the rough shape of what is read, and relocates the rest at load time. A short
 * header can be reviewed, and says at a glance what the warden depends on.
 *
 * Written from the BTF of these Debian packages, and checked against the kernels by loading:
 *   linux-image-6.1.0-50-amd64 6.1.176-1, linux-image-6.12.117+deb13-amd64 6.12.117-1,
 *   linux-binary-7.3.4+deb13-amd64 7.3.4-1~bpo13+1
 * `make btf` writes the full headers of the lab's kernels to build/btf/ for comparison.
 */
#ifndef VMLINUX_H
#define VMLINUX_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/netlink.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct task_struct;

struct pid_namespace {
	struct task_struct *child_reaper;
};

struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
};

struct kernfs_node {
	const char *name;
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup *ancestors[];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct pid {
	unsigned int level;
};

struct file;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigpending {
	sigset_t signal;
};

struct task_struct {
	unsigned int flags;
	struct sigpending pending;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

struct linux_binprm;

struct super_block {
	unsigned long s_magic;
};

struct inode {
	__u16 i_mode;
	__u32 i_rdev;
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct dentry;

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct kobject {
	const char *name;
};

struct class
{
	const char *name;
};

struct device {
	struct kobject kobj;
	struct device *parent;
	__u32 devt;
	const struct class *class;
};

struct net_device {
	char name[16];
	possible_net_t nd_net;
	struct device dev;
};

struct bpf_map {
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	__u32 id;
};

struct cdev;

struct miscdevice {
	int minor;
	const char *name;
};

struct sock {
	__u16 sk_protocol;
};

struct sk_buff {
	struct net_device *dev;
	unsigned int len;
	unsigned char *data;
};

#pragma clang attribute pop

#define S_IFMT 0170000
#define S_IFCHR 0020000
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

#endif
