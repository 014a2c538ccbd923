/* SPDX-License-Identifier: Apache-2.0 */
/* The items of wardend's answers, for people. */
#ifndef WARDENCTL_PRINT_H
#define WARDENCTL_PRINT_H

#include <cjson/cJSON.h>

/* The text under that key, "" where it is none. */
const char *print_text(const cJSON *item, const char *key);

void print_json(const cJSON *item, void *ctx);
void print_status(const cJSON *item, void *ctx);
void print_capability(const cJSON *item, void *ctx);
void print_device(const cJSON *item, void *ctx);
void print_inventory(const cJSON *item, void *ctx); /* of resources */
void print_attachment(const cJSON *item, void *ctx);
void print_timing(const cJSON *item, void *ctx);
void print_claim(const cJSON *item, void *ctx);
void print_event(const cJSON *item, void *ctx);
void print_packets(const cJSON *item, void *ctx);
void print_finding(const cJSON *item, void *ctx);
/* A PF and its policy, or an action that was performed. */
void print_policy(const cJSON *item, void *ctx);
/* A change of a setting: planned, left alone, done or failed; or the end of a plan. */
void print_change(const cJSON *item, void *ctx);

#endif
