/* SPDX-License-Identifier: Apache-2.0 */
/* Names as Kubernetes has them, in text that others wrote. */
#ifndef WARDEN_NAMES_H
#define WARDEN_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_LABEL_MAX 63 /* a namespace, a container, what follows a resource's domain */
#define NAME_SUBDOMAIN_MAX 253 /* a pod, a resource's domain */

/* Lower-case letters, digits, '-' and '.', the first and the last one a letter or a digit; 1 to `max` characters. */
bool name_valid(const char *s, size_t len, size_t max);

/* A resource: DOMAIN/NAME. */
bool name_resource_valid(const char *s, size_t len);

#endif
