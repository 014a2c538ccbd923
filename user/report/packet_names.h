/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what vf.bpf.c knows by numbers, and the detail of its events. */
#ifndef WARDEN_PACKET_NAMES_H
#define WARDEN_PACKET_NAMES_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "warden.h"

/* "rc", "uc", "ud", "cnp", "cm", "other"; "any" for what is no class. */
const char *packet_class_name(unsigned int class);
/* As the VF sees it: "ingress", "egress". */
const char *packet_direction_name(unsigned int direction);

/* Of marking.packet and spoof.source: for programs into `detail`, for people into `message`. */
void packet_detail(const struct warden_event *event, cJSON *detail, char *message, size_t size);

#endif
