/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VFs and their RDMA devices go into pods and come back: the six commands of the CNI specification, each as one
 * transaction over the VF's attributes, its netdev, IPAM, its RDMA device and its claim. What is attached, and what has
 * been half done when wardend or the machine stopped, stands in a journal (record.h); attach_open() brings the latter home.
 *
 * Whoever calls attach_call() waits, as long as IPAM and the kernel take: it is for threads beside the loop (lib/work.h).
 * Calls for one VF, and for one interface of one container, are done one after the other; all others at once.
 */
#ifndef WARDEN_ATTACH_H
#define WARDEN_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "cni/env.h"
#include "lib/err.h"
#include "lib/histogram.h"
#include "lib/netns.h"
#include "warden.h"

struct attach;

struct attach_claim {
	const char *device; /* PCI function, or the RDMA device's name where it has none */
	const char *netns_path;
	const char *owner, *resource;
	const char *pod_uid; /* "": the runtime did not tell */
};

/* What belongs to others. Called from any thread, several at once; each must see to it that this is right. */
struct attach_hooks {
	/* The device is the owner's from now on; that it is so already is no error. 0 or -errno. */
	int (*claim)(const struct attach_claim *claim, struct err *err, void *ctx);
	/* It is nobody's. That it was nobody's is no error. */
	void (*release)(const char *device, void *ctx);
	/*
	 * Whether nothing of an owner is left on the RDMA device, and on the function where `netdev` says that its netdev is
	 * to be home, too; `why` says what.
	 */
	bool (*clean)(const char *device, bool netdev, char *why, size_t size, void *ctx);
	/* Something that an operator has to know. */
	void (*fault)(const char *text, void *ctx);
	void *ctx;
};

struct attach_options {
	const char *state_dir;
	unsigned int ipam_ms; /* that IPAM has for one call */
	bool draining; /* nothing more is attached: ADD and STATUS are refused, and the plugin's caller tries again */
	struct attach_hooks hooks;
};

/* Reads the journal; attach_recover() is to be called next. 0 or -errno. */
int attach_open(struct attach **attach, const struct attach_options *options, struct err *err);
void attach_close(struct attach *attach);

/*
 * Ends what was half done, in whatever way it had gone: an ADD that was not answered is undone, a DEL finished. What cannot
 * be ended now is tried again by the next call that concerns it, and by attach_retry(). It waits, as attach_call() does, and may run beside it.
 */
void attach_recover(struct attach *attach);

/* For how long nothing has been attached, half done or asked, in ns of boot_ns(); 0 while something is attached. */
uint64_t attach_idle_ns(struct attach *attach);

/* How many attachments could not be brought home, and tries each of them again, as attach_recover() does. */
size_t attach_troubled(struct attach *attach);
void attach_retry(struct attach *attach);

/*
 * Does what a CNI plugin is asked to do. The answer is what the plugin has to print, to be freed; NULL: nothing, or no
 * memory. True: success.
 */
bool attach_call(struct attach *attach, const struct cni_variables *variables, const char *config, size_t len,
		 char **answer);

/*
 * One attachment, for who lists them. `trouble` is why it could not be brought home, or "": in the step "delete" its VF is
 * kept from others until it is proved clean (quarantine), in the step "home" only IPAM is still to be told.
 */
struct attach_view {
	const char *container_id, *ifname, *network, *owner, *pci, *step, *trouble;
	const char *pod_uid; /* "": not known */
	struct netns_id netns;
	bool has_rdma; /* an RDMA device went with it, or was made for it */
	const char *result; /* what ADD answered, NULL before that */
	bool quarantined;
};
/* Calls `visit` for each. 0, or the nonzero answer of `visit`. */
int attach_for_each(struct attach *attach, int (*visit)(const struct attach_view *view, void *ctx), void *ctx);

/* How long a command, or a step of it, has taken since wardend's start, for each that there is; none may have been done. */
struct attach_timing {
	const char *command, *step; /* step "": the whole of it */
	struct histogram times;
};
int attach_timing_for_each(struct attach *attach, int (*visit)(const struct attach_timing *timing, void *ctx),
			   void *ctx);

#endif
