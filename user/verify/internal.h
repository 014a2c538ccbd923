/* SPDX-License-Identifier: Apache-2.0 */
/* How the judges tell a check, and what more than one of them asks. */
#ifndef WARDEN_VERIFY_INTERNAL_H
#define WARDEN_VERIFY_INTERNAL_H

#include "verify/verify.h"

struct judge {
	const struct model *model;
	const struct verify_inside *inside;
	const struct verify_node *node;
	void (*tell)(const struct verify_check *check, void *ctx);
	void *ctx;
	/* The pod that is judged: MODEL_NONE and NULL where it is the node. */
	size_t index;
	const struct model_pod *pod;
	const struct inside_pod *in; /* NULL: not looked into, as a hostNetwork pod */
};

/* A check that is being made: its texts are filled in, in any order, and then it is told. */
struct verify_check check_begin(const struct judge *j, const char *id, const char *subject);
void check_expected(struct verify_check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check_found(struct verify_check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check_cure(struct verify_check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What the PF is to have for a VF; its number is not known here. */
void check_cure_vf(struct verify_check *check, const struct model_device *device, const char *what, const char *value);
void check_tell(const struct judge *j, struct verify_check *check, enum verify_result result);

static inline enum verify_result pass_if(bool right)
{
	return right ? VERIFY_PASS : VERIFY_FAIL;
}

/* Appends to a list in a text of that size, which is cut where it is full. */
void text_list(char *list, size_t size, const char *item);

/* A name as part of a command that somebody will type: where it has what a shell obeys, a word in capitals stands for it. */
const char *text_word(const char *name);

/* "nsenter -t 12 -n " and so on: how a command is run in the pod's netns. */
void text_inside(const struct judge *j, char *to, size_t size);
/* What makes the pod anew, with all that belongs to it. */
void text_anew(const struct judge *j, char *to, size_t size);

/* What a check calls a device: its PCI address as contradictions have it, or its name where that is not enough. */
const char *device_subject(const struct model *model, const struct model_device *device);

/*
 * Whether the device is the pod's by right. To be in its netns is not enough where the kubelet says what it allocated, or where it
 * is no VF but a whole NIC.
 */
bool device_is_of(const struct model *model, const struct model_device *device, size_t pod);

/* NULL: there is none. */
const struct verify_device *node_device(const struct verify_node *node, uint32_t index);
const struct inside_rdma *inside_rdma_get(const struct inside_pod *in, uint32_t index);
const struct inside_netdev *inside_netdev_get(const struct inside_pod *in, const char *name);

/* ---- the judges ---- */

void judge_node(struct judge *j);
void judge_resources(struct judge *j);
/* Contradictions that concern the pod, or, of the node, no pod. */
void judge_tracking(struct judge *j);
void judge_devices(struct judge *j);
void judge_nodes(struct judge *j);
void judge_interfaces(struct judge *j);

#endif
