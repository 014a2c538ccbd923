/* SPDX-License-Identifier: Apache-2.0 */
/* MAC addresses as text, six octets of two hexadecimal digits with colons between, as sysfs, iproute2 and CNI results have them. */
#ifndef WARDEN_MAC_H
#define WARDEN_MAC_H

#include <stdint.h>

#define MAC_LEN 6
#define MAC_TEXT_LEN 18 /* with its end */

/* In lower case. */
void mac_print(const uint8_t mac[MAC_LEN], char to[static MAC_TEXT_LEN]);

/* The whole text, in either case: 0, or -EINVAL and `mac` is as it was. */
int mac_parse(const char *text, uint8_t mac[MAC_LEN]);

#endif
