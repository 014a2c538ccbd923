/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this part share. */
#ifndef WARDEN_ATTACH_INTERNAL_H
#define WARDEN_ATTACH_INTERNAL_H

#include <pthread.h>

#include "attach/attach.h"
#include "attach/record.h"
#include "attach/timing.h"
#include "cni/netconf.h"
#include "ipam/ipam.h"

struct call;

struct attach {
	struct attach_options options;
	char folder[PATH_MAX]; /* of the journal */
	char boot_id[40];
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct record **records;
	size_t count;
	struct hold *holds; /* who works on what */
	struct histogram timings[TIMING_COUNT];
	uint64_t asked_ns; /* when the last call ended; at first, when it was opened */
};

/* A name that one thread at a time may work on: a VF's PCI address, or an attachment's file. On the stack of who holds it. */
struct hold {
	struct hold *next;
	char name[CNI_ID_LEN + 64];
};

/* Waits until nobody else has the name. Who holds both takes the attachment's before the VF's. */
void hold_take(struct attach *attach, struct hold *hold, const char *name);
void hold_attachment(struct attach *attach, struct hold *hold, const struct call *call);
void hold_give(struct attach *attach, struct hold *hold);

/* The table (table.c). A record that is in it is changed only by who holds its VF. */
int records_add(struct attach *attach, struct record *record);
void records_remove(struct attach *attach, struct record *record); /* and does not free it */
struct record *records_find(struct attach *attach, const char *container_id, const char *ifname,
			    enum netconf_role role);
/*
 * The same, with its VF held: until then it may have gone, and the pointer with it. NULL: there is none, and nothing is held.
 */
struct record *records_hold(struct attach *attach, const char *container_id, const char *ifname, enum netconf_role role,
			    struct hold *hold);
/*
 * Whose the device is, but for `except`; a chain's second part (the role rdma) is beside its first. NULL: nobody's, or of one
 * that has given it back.
 */
struct record *records_by_device(struct attach *attach, const char *pci, enum netconf_role role,
				 const struct record *except);

/* Until when IPAM must have answered what is asked now. */
uint64_t attach_ipam_deadline(const struct attach *attach);

/* One call. */
struct call {
	struct attach *attach;
	struct cni_env env;
	struct netconf conf;
	uint64_t deadline_ns;
	struct cni_result result; /* of ADD: what it has made itself */
	char *answer; /* of ADD, as it is printed */
};

/* Each 0, or a negative errno with the error filled in. */
int attach_add(struct call *call, struct cni_error *e);
int attach_del(struct call *call, struct cni_error *e);
int attach_check(struct call *call, struct cni_error *e);
int attach_gc(struct call *call, struct cni_error *e);
int attach_status(struct call *call, struct cni_error *e);

/*
 * The way back, from wherever the attachment is, judged by what the node looks like: RDMA device, netdev, VF, IPAM, claim.
 * With success the record is out of the table, its file gone, and it is freed. Whoever calls it holds the VF.
 */
int attach_home(struct attach *attach, struct record *record, struct cni_error *e);

#endif
