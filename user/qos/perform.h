/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out one change, in the caller's netns, through the kernel's interfaces; and reads back what a setting has.
 * Owns no state. `root` is "/sys", or a copy of it in a test.
 */
#ifndef WARDEN_PERFORM_H
#define WARDEN_PERFORM_H

#include "lib/err.h"
#include "qos/action.h"

/* What the setting of the action has at present: 0 or -errno. Of an app table the DSCPs of `action->to` are asked. */
int qos_setting_read(const char *root, const struct qos_action *action, struct qos_value *value);

/*
 * Sets action->to, and looks whether it is there then: a driver may take a value and keep another. 0, or -errno with
 * the reason.
 */
int qos_action_perform(const char *root, const struct qos_action *action, struct err *err);

#endif
