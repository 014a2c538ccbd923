// SPDX-License-Identifier: Apache-2.0
#include "rdma/exclusive.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

#include "lib/log.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "rdma/rdma.h"

#define CMDLINE "/proc/cmdline"
#define PARAMETER "/sys/module/ib_core/parameters/netns_mode"
#define NAMED 6 /* netns in a message */

int exclusive_next_boot(struct exclusive *x, struct err *err)
{
	int r = x->wanted ? rdma_boot_install(x->modprobe_dir, CMDLINE, &x->boot, err)
			  : rdma_boot_read(x->modprobe_dir, CMDLINE, &x->boot, err);

	x->boot_problem[0] = '\0';
	if (r < 0)
		snprintf(x->boot_problem, sizeof(x->boot_problem), "%s", err->text);
	if (r > 0)
		pr_info("set_exclusive: %s makes the next boot exclusive; where ib_core is loaded from the initramfs, "
			"rebuild "
			"that (update-initramfs -u, or dracut -f)",
			x->boot.by);
	return r < 0 ? r : 0;
}

struct in_the_way {
	uint32_t own;
	char *to;
	size_t size;
	unsigned int count;
};

static int name_one(int fd, const struct netns_id *id, void *ctx)
{
	struct in_the_way *w = ctx;
	size_t len = strlen(w->to);

	(void)fd;
	if (id->inum == w->own || w->count++ >= NAMED)
		return 0;
	len += (size_t)snprintf(w->to + len, w->size - len, "%s", len ? ", " : "");
	netns_describe(id->inum, w->to + len, w->size - len);
	return 0;
}

/* The initial netns is wardend's own. */
static void name_netns(char *to, size_t size)
{
	struct in_the_way w = { .to = to, .size = size };
	struct netns_id own;
	size_t len;

	to[0] = '\0';
	if (netns_self(&own, NULL))
		return;
	w.own = own.inum;
	netns_for_each(name_one, &w);
	len = strlen(to);
	if (w.count > NAMED)
		snprintf(to + len, size - len, " and %u more", w.count - NAMED);
	else if (!w.count)
		snprintf(to, size,
			 "none with a name or a process: one that is just ending, or that an open descriptor keeps");
}

static int busy(const struct exclusive *x, struct err *err)
{
	char names[260];

	name_netns(names, sizeof(names));
	if (x->boot.mode == RDMA_BOOT_EXCLUSIVE)
		return fail(err, -EBUSY,
			    "set_exclusive: the kernel refuses while other network namespaces exist (%s); end them, or "
			    "reboot: the "
			    "next boot is exclusive by %.80s",
			    names, x->boot.by);
	return fail(err, -EBUSY,
		    "set_exclusive: the kernel refuses while other network namespaces exist (%s); end them, or set "
		    "ib_core's "
		    "option netns_mode=0 and reboot",
		    names);
}

/* Where netlink does not tell: the option's variable is the one that a switch changes. */
static int mode_of_parameter(enum rdma_netns_mode *mode)
{
	char line[8];
	int r = read_line(PARAMETER, line, sizeof(line));

	if (!r)
		*mode = line[0] == 'N' ? RDMA_NETNS_EXCLUSIVE : RDMA_NETNS_SHARED;
	return r;
}

static int settle(struct exclusive *x, struct err *err)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	_cleanup_close_ int self = netns_open("/proc/thread-self/ns/net", 0, err);
	enum rdma_netns_mode mode = RDMA_NETNS_SHARED;
	int r;

	if (self < 0)
		return self;
	r = rdma_open(&nl, self);
	if (!r)
		r = rdma_netns_mode_get(nl, &mode);
	if (r && mode_of_parameter(&mode))
		return fail(err, r, "the RDMA netns mode cannot be read: %s", strerror(-r));
	if (!r && x->wanted && mode == RDMA_NETNS_SHARED) {
		r = rdma_netns_mode_set(nl, RDMA_NETNS_EXCLUSIVE);
		mode = r ? mode : RDMA_NETNS_EXCLUSIVE;
	}
	x->now = mode == RDMA_NETNS_EXCLUSIVE ? EXCLUSIVE_YES : EXCLUSIVE_NO;
	if (r == -EBUSY)
		return busy(x, err);
	return r && x->wanted && mode == RDMA_NETNS_SHARED ? fail(err, r, "set_exclusive: %s", strerror(-r)) : 0;
}

int exclusive_settle(struct exclusive *x, struct err *err)
{
	int r;

	x->now = EXCLUSIVE_UNKNOWN;
	r = settle(x, err);
	snprintf(x->problem, sizeof(x->problem), "%s", r ? err->text : "");
	return r;
}

void exclusive_text(const struct exclusive *x, char *to, size_t size)
{
	const struct rdma_boot *b = &x->boot;

	if (x->boot_problem[0] && !b->by[0] && !b->against[0])
		snprintf(to, size, "at the next boot: unknown (%s)", x->boot_problem);
	else
		snprintf(to, size, "at the next boot: %s, %s%s%s%s",
			 b->mode == RDMA_BOOT_EXCLUSIVE ? "exclusive" : "shared",
			 b->by[0] ? "by " : "as nothing says otherwise", b->by,
			 b->against[0] && strcmp(b->against, b->by) ? ", against " : "",
			 b->against[0] && strcmp(b->against, b->by) ? b->against : "");
}
