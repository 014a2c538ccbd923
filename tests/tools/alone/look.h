/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test code: what an attachment touches, as somebody else sees it: sysfs, rtnetlink's own messages and the folders' names, with
 * nothing of the code that is judged by it. Each line says one thing of one subject, which is its first word: a VF, another
 * netdev of the host, a pod, or "journal" and "lease".
 *
 *   0000:01:10.0 netdev eth2 up 1500 52:54:…      0000:01:10.0 pf 2=0700…     0000:01:10.0 rdma hcasim0
 *   0000:01:10.0 claim ml/p1     journal p1:net1      lease p1 net1      p1 netdev net1 up 1400 …
 */
#ifndef WARDEN_LOOK_H
#define WARDEN_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#define LOOK_VFS 32
#define LOOK_PCI 32

/* The VFs of all PFs. */
struct look_vfs {
	struct {
		char pci[LOOK_PCI], pf[LOOK_PCI];
		unsigned int number; /* of the PF's */
	} vf[LOOK_VFS];
	size_t count;
};

struct look {
	char **line; /* sorted */
	size_t count;
};

/* 0 or -errno. */
int look_find_vfs(struct look_vfs *vfs);

/* The node, with what lies below the folder of an alone (alone.h). Aborts when it cannot see. */
void look_take(struct look *look, const struct look_vfs *vfs, const char *folder);
/* Adds what a pod's netns has, from inside. */
void look_add_pod(struct look *look, const char *pod);
void look_add(struct look *look, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void look_free(struct look *look);

bool look_same(const struct look *one, const struct look *other);
/* The lines that only one of them has, on stdout. */
void look_differ(const struct look *wanted, const struct look *found);
bool look_has(const struct look *look, const char *line);

#endif
