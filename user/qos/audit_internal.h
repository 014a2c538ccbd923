/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the audit. */
#ifndef WARDEN_AUDIT_INTERNAL_H
#define WARDEN_AUDIT_INTERNAL_H

#include "qos/audit.h"

struct audit {
	const struct qos_profile *profile;
	void (*tell)(const struct qos_finding *finding, void *ctx);
	void *ctx;
};

#define ADD(array, ...) qos_add(array, sizeof(array), __VA_ARGS__)

struct qos_finding audit_about(const char *rule, const char *subject);
/* One more change that the finding needs, to be filled in; what passes needs none, whatever was filled in. */
struct qos_action *audit_action(struct qos_finding *finding, enum qos_setting setting);
void audit_tell(const struct audit *a, struct qos_finding *finding, bool right);
void audit_unknown(const struct audit *a, struct qos_finding *finding, const char *why);
/* The reason in words: what is common gets its own. */
void audit_unread(const struct audit *a, struct qos_finding *finding, const char *what, int error);

/* The rules on DCB: trust, PFC, map, ETS, buffers. */
void audit_dcb(const struct audit *a, const struct qos_port *port);

#endif
