/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text, the same in events, answers and tables. */
#ifndef WARDEN_TEXT_H
#define WARDEN_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of unknown origin (a process may call itself anything) as printable ASCII, others as '?'. */
void text_from_bytes(const char *bytes, size_t len, char *to, size_t size);

/* Nanoseconds since the epoch as RFC 3339 in UTC with microseconds. */
void text_time(uint64_t ns, char *to, size_t size);

/* A node GUID, big endian, as rdma(8) prints it. */
void text_guid(uint64_t guid, char *to, size_t size);

#endif
