/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vector is. An intruder in one of the roles below does one thing that should be the owner's alone; the control
 * is the same thing done by the owner. Out of scope: making the owner's own process do it (ptrace, process_vm_writev,
 * a request to an io_uring whose kernel thread is the owner's), since what the owner's process does is the owner's doing.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <stdbool.h>
#include <sys/types.h>

#include "uring.h"
#include "uverbs/verbs.h"

enum role {
	OWNER, /* the claim's cgroup and netns */
	NESTED, /* a cgroup below the owner's: a container of the pod */
	SIBLING, /* another one: its second container */
	HOST, /* root of the node */
	POD, /* another pod, which has a device too; the capabilities of a plain container */
	PRIVILEGED, /* the same with all capabilities */
	IDLE, /* a privileged pod without a device */
	HOST_NETWORK, /* the same in the host's netns */
	IN_NETNS, /* the host in the owner's netns, in the host's cgroup */
	IN_CGROUP, /* the owner's cgroup, but in the host's netns */
	ROLE_COUNT
};

#define R(role) (1u << (role))

enum need { NEED_UVERBS, NEED_UMAD, NEED_ISSM, NEED_CM, NEED_SECOND, NEED_FREE, NEED_COUNT };

/* Shared with the runner; it survives the actor's death. */
struct result {
	pid_t pid;
	int err;
	bool done;
	char step[32];
	char skipped[64]; /* why */
};

struct scene {
	const char *node; /* what the vector is about */
	unsigned index; /* of the owner's RDMA device */
	const char *device; /* its name */
	bool exclusive; /* the netns mode */
	struct client c; /* of this process */
	pid_t owner; /* the process of the vector's `owner` */
	int sock; /* between that process and the actor */
	struct uring ring; /* made before either */
	struct result *result;
	int result_fd; /* of that, for a program that is executed */
};

struct vector {
	const char *name;
	const char *what;
	const char *feature; /* of `wardenctl capabilities` */
	const char *rule; /* of the event; NULL: it is allowed, and nothing may refuse it */
	unsigned roles;
	unsigned control; /* one role, for which it must work; 0: nobody's */
	int (*owner)(struct scene *s); /* in a process of the owner's, beside the actor */
	int (*before)(struct scene *s); /* by the actor, while he is the owner still */
	int (*act)(struct scene *s); /* by the actor in his role: 0 when he got what he wanted, or -errno */
	enum need need;
	bool deviceless; /* the event cannot name the device */
	bool early; /* `before` is done in the actor's role, when the device belongs to nobody yet */
};

/* load.c: the owner at work, and opens in a loop. */
int run_work(const char *node, unsigned long rounds);
int run_flood(const char *node, unsigned long opens);

extern const struct vector open_vectors[], descriptor_vectors[], node_vectors[], netlink_vectors[];

/* The vector does not apply here. */
int skip(struct scene *s, const char *why);

/* Between the owner's process and the actor: a number, or the -errno that ended one side. */
int say(struct scene *s, int number);
int hear(struct scene *s);
void wait_for_end(struct scene *s);

/* What an opened node is good for: a context. `fd` as open(2) returns it. */
int use_fd(struct scene *s, int fd);

/* Owner's halves and beginnings that several tables use. */
int owner_holds(struct scene *s);
int before_open(struct scene *s);
int act_ioctl(struct scene *s);

/* 32-bit system calls of a 64-bit process. Pointers must lie in the lowest 4 GiB. */
enum { COMPAT_OPEN = 5, COMPAT_IOCTL = 54 };
int compat_call(int number, unsigned long a, unsigned long b, unsigned long c);
void *low_memory(void);
#define LOW_SIZE 8192

#endif
