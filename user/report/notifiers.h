/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of events far away, as the configuration says: the Kubernetes API and Alertmanagers. In the loop's thread. */
#ifndef WARDEN_NOTIFIERS_H
#define WARDEN_NOTIFIERS_H

#include <cjson/cJSON.h>

#include "lib/err.h"

struct config;
struct events;
struct loop;
struct notifiers;
struct slots;

/* All of them must outlive it. A server that cannot be told is a fault that is said, and no error of this. 0 or -errno. */
int notifiers_open(struct notifiers **notifiers, const struct config *config, struct loop *loop, struct events *events,
		   const struct slots *slots, struct err *err);
/* The loop has ended. What waits is not told any more. */
void notifiers_close(struct notifiers *notifiers);

/* Adds an object for each of them: name, state ("off", "waiting", "ok" or "failed"), sent, failed, dropped, waiting, error. */
void notifiers_json(const struct notifiers *notifiers, cJSON *array);

#endif
