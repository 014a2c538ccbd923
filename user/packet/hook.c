// SPDX-License-Identifier: Apache-2.0
#include "packet/hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "lib/netns.h"
#include "lib/util.h"
#include "loader/held.h"

/* A filter of the warden's is known by its handle. */
#define HANDLE 0x57415244u

/*
 * The first priority, so that a filter which ends the packet's way through the others does not hide it from the counts;
 * the next ones where another kind of filter has it already.
 */
#define PRIORITIES 4

static const char *const direction_names[] = { [DIRECTION_INGRESS] = "ingress", [DIRECTION_EGRESS] = "egress" };

void hook_pin_name(const struct warden_vf_key *vf, enum warden_direction direction, char to[static 64])
{
	snprintf(to, 64, HOOK_PIN_PREFIX "%llx_%u_%s", (unsigned long long)vf->netns_cookie, vf->ifindex,
		 direction_names[direction]);
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

struct hook_call {
	uint32_t ifindex;
	enum warden_direction direction;
	int program;
};

/* ---- tcx ---- */

static int call_link_create(void *ctx)
{
	const struct hook_call *c = ctx;
	int fd = bpf_link_create(c->program, (int)c->ifindex,
				 c->direction == DIRECTION_INGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, NULL);

	return fd < 0 ? -errno : fd;
}

/* A link whose netdev has gone, or was moved and came to another index, is no link to it. */
static bool is_on(int link, uint32_t ifindex, uint32_t *program)
{
	struct bpf_link_info info;

	if (link < 0 || link_info(link, &info) || info.type != BPF_LINK_TYPE_TCX || info.tcx.ifindex != ifindex)
		return false;
	*program = info.prog_id;
	return true;
}

static int tcx_set(struct loader *loader, int netns_fd, const struct warden_vf_key *vf, const struct hook_call *call,
		   struct err *err)
{
	_cleanup_close_ int fresh = -1;
	uint32_t program;
	char name[64];
	int pinned, r;

	hook_pin_name(vf, call->direction, name);
	pinned = loader_pinned_link(loader, name);
	if (is_on(pinned, vf->ifindex, &program)) {
		if (program == program_id(call->program) || !bpf_link_update(pinned, call->program, NULL))
			return 0;
		return fail(err, -errno, "link %s does not take the new program: %s", name, strerror(errno));
	}
	fresh = netns_call(netns_fd, call_link_create, (void *)call);
	if (fresh < 0)
		return fail(err, fresh, "tcx %s: %s", direction_names[call->direction], strerror(-fresh));
	r = loader_pin_link(loader, name, fresh, err);
	return r ? r : 1;
}

/* ---- clsact ---- */

static struct bpf_tc_hook hook_of(uint32_t ifindex, enum warden_direction direction)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = (int)ifindex,
				     .attach_point = direction == DIRECTION_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS };
}

static struct bpf_tc_opts filter_of(uint32_t priority)
{
	return (struct bpf_tc_opts){ .sz = sizeof(struct bpf_tc_opts), .handle = HANDLE, .priority = priority };
}

/* The warden's filter: its priority and its program's id, or false. */
static bool filter_find(const struct bpf_tc_hook *hook, struct bpf_tc_opts *found)
{
	for (uint32_t priority = 1; priority <= PRIORITIES; priority++) {
		*found = filter_of(priority);
		if (!bpf_tc_query(hook, found))
			return true;
	}
	return false;
}

static int filter_attach(const struct bpf_tc_hook *hook, int program)
{
	int r = -EEXIST;

	for (uint32_t priority = 1; r && priority <= PRIORITIES; priority++) {
		struct bpf_tc_opts opts = filter_of(priority);

		opts.prog_fd = program;
		r = bpf_tc_attach(hook, &opts);
	}
	return r;
}

static int call_filter_set(void *ctx)
{
	const struct hook_call *c = ctx;
	struct bpf_tc_hook hook = hook_of(c->ifindex, c->direction);
	struct bpf_tc_opts found, replacement;
	int r;

	if (filter_find(&hook, &found)) {
		if (found.prog_id == program_id(c->program))
			return 0;
		replacement = filter_of(found.priority);
		replacement.prog_fd = c->program;
		replacement.flags = BPF_TC_F_REPLACE;
		return bpf_tc_attach(&hook, &replacement);
	}
	r = bpf_tc_hook_create(&hook);
	if (r && r != -EEXIST)
		return r;
	r = filter_attach(&hook, c->program);
	return r ? r : 1;
}

/* The qdisc stays: it may be others', without filters it does nothing, and it ends when the VF leaves the netns. */
static int call_filter_clear(void *ctx)
{
	const struct hook_call *c = ctx;
	struct bpf_tc_hook hook = hook_of(c->ifindex, c->direction);
	struct bpf_tc_opts found, gone;

	if (!filter_find(&hook, &found))
		return 0;
	gone = filter_of(found.priority);
	return bpf_tc_detach(&hook, &gone);
}

static int call_clear_netns(void *ctx)
{
	struct if_nameindex *all = if_nameindex();

	(void)ctx;
	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
			struct hook_call call = { .ifindex = i->if_index, .direction = d };

			call_filter_clear(&call);
		}
	}
	if_freenameindex(all);
	return 0;
}

static int clear_netns(int fd, const struct netns_id *id, void *ctx)
{
	(void)id;
	netns_call(fd, call_clear_netns, ctx);
	return 0;
}

void hook_clear_filters(void)
{
	netns_for_each(clear_netns, NULL);
}

/* ---- either ---- */

int hook_set(struct loader *loader, const struct loader_packets *packets, int netns_fd, const struct warden_vf_key *vf,
	     struct err *err)
{
	int fresh = 0;

	for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
		struct hook_call call = { .ifindex = vf->ifindex, .direction = d, .program = packets->program[d] };
		int r;

		if (packets->tcx) {
			r = tcx_set(loader, netns_fd, vf, &call, err);
		} else {
			r = netns_call(netns_fd, call_filter_set, &call);
			if (r < 0)
				fail(err, r, "clsact %s: %s", direction_names[d], strerror(-r));
		}
		if (r < 0)
			return r;
		fresh |= r;
	}
	return fresh;
}

void hook_clear(struct loader *loader, const struct loader_packets *packets, int netns_fd,
		const struct warden_vf_key *vf)
{
	char name[64];

	for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
		struct hook_call call = { .ifindex = vf->ifindex, .direction = d };

		hook_pin_name(vf, d, name);
		if (packets->tcx)
			loader_unpin_link(loader, name);
		else if (netns_fd >= 0)
			netns_call(netns_fd, call_filter_clear, &call);
	}
}
