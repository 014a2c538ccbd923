/* SPDX-License-Identifier: Apache-2.0 */
/* The request of the CNI plugin, which is answered when it is done; its ctx is a struct services. */
#ifndef WARDEN_CNI_REQUESTS_H
#define WARDEN_CNI_REQUESTS_H

#include <cjson/cJSON.h>

#include "attach/attach.h"
#include "control/server.h"

struct services;

int handle_cni(void *ctx, const cJSON *args, struct reply *reply, struct err *err);
int handle_attachments(void *ctx, const cJSON *args, struct reply *reply, struct err *err);
int handle_timings(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

/* The hooks of attach_open(): each does what it has to do in the loop's thread. `services` must outlive it. */
struct attach_hooks cni_hooks(struct services *services);

#endif
