/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_NOTIFY_H
#define WARDEN_NOTIFY_H

/* Tells systemd that the service is ready (sd_notify(3): "READY=1" to $NOTIFY_SOCKET). Silent without one. */
void notify_ready(void);
/* … that a start which is not done takes so many seconds longer, from now. */
void notify_extend(unsigned int seconds);

#endif
