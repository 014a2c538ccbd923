/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces: found, named and entered for the length of one call. The cookie is what
 * identifies one (never reused, since 5.14 readable as SO_NETNS_COOKIE); the inode number is for people.
 */
#ifndef WARDEN_NETNS_H
#define WARDEN_NETNS_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

struct netns_id {
	uint64_t cookie;
	uint32_t inum;
};

/*
 * Opens a netns by name (under /run/netns), absolute path or, with `spec` NULL, by a process of it.
 * Returns a descriptor, or -errno: -ENOENT when it is gone, -EINVAL when the file is no netns.
 */
int netns_open(const char *spec, pid_t pid, struct err *err);

/* 0 or -errno. */
int netns_identify(int fd, struct netns_id *id, struct err *err);

/* The caller's own. */
int netns_self(struct netns_id *id, struct err *err);

/*
 * Calls `call` in that netns and comes back: what it answers (0 or more, or -errno), or -errno when the netns cannot be
 * entered. Only the calling thread moves.
 */
int netns_call(int fd, int (*call)(void *ctx), void *ctx);

/* socket(2) as if called in that netns: a descriptor or -errno. */
int netns_socket(int fd, int domain, int type, int protocol);

/*
 * Calls `visit` once for each netns that has a name in /run/netns or a process. Its fd is closed
 * afterwards: a descriptor that is kept would keep the netns alive. Stops at the first nonzero answer
 * and returns it.
 */
int netns_for_each(int (*visit)(int fd, const struct netns_id *id, void *ctx), void *ctx);

/* A short-lived descriptor of the netns with that cookie: -ENOENT when no name and no process has it. */
int netns_open_cookie(uint64_t cookie);

/* Its name in /run/netns, or "" (which includes one that only processes keep). */
void netns_name(uint32_t inum, char *to, size_t size);

/* What keeps it, for people: its name, or a process of it as "process 12 (pause)", or its number. */
void netns_describe(uint32_t inum, char *to, size_t size);

#endif
