/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about pods and what they have: resources; and what status and devices say of them. Their ctx is a struct services. */
#ifndef WARDEN_POD_REQUESTS_H
#define WARDEN_POD_REQUESTS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "control/server.h"
#include "model/model.h"

struct services;

/* PFs, and what is allocatable and allocated of each resource, to whom. */
int handle_resources(void *ctx, const cJSON *args, struct reply *reply, struct err *err);

/* Whose the device with that index is: an object, or null. */
cJSON *pod_of_device_json(const struct model *model, uint32_t index);

/* The sources of what is known of pods, with their freshness. */
void sources_json(struct services *services, cJSON *array);

#endif
