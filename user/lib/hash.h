/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FNV-1a of 64 bits (Fowler, Noll, Vo). The same in every process and every build, so that what is made of it may be written down:
 * MACs of VFs, digests of plans, names of Events. Nothing that an enemy must not guess.
 */
#ifndef WARDEN_HASH_H
#define WARDEN_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN 0xcbf29ce484222325u

/* `hash` is HASH_BEGIN, or that of what stands before. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);

/* Of a text without its end. */
uint64_t hash_text(const char *text);

/* With its end, so that texts behind each other do not run into each other. */
uint64_t hash_part(uint64_t hash, const char *text);

#endif
