/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a JSON object by a table of its keys, into a struct. A key that is not in the table is an error that names
 * what was probably meant: a mistyped "spoofcheck" must not become "spoofchk is off". A null is a key left out, as it is
 * for the Go plugins.
 */
#ifndef WARDEN_CNI_KEYS_H
#define WARDEN_CNI_KEYS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni/error.h"

struct key {
	const char *name;
	/* Reads the value to `to`, base + offset. `name` is with its section, for messages. */
	int (*read)(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e);
	size_t offset;
	uint64_t min, max; /* of a number; `max` is the room of a text */
	unsigned int roles; /* who knows the key, 0: all */
};

/* A number that may be left out. */
struct key_number {
	bool set;
	uint32_t value;
};

/* Reads each member of the object. `section` is "" or what stands before the key in messages, with its dot. */
int keys_read(const cJSON *object, const char *section, const struct key *keys, size_t count, unsigned int role,
	      void *base, struct cni_error *e);

/* Readers. */
int key_skip(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e);
int key_bool(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e); /* bool */
int key_number(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e);
int key_text(void *to, const struct key *key, const char *name, const cJSON *value,
	     struct cni_error *e); /* char[max] */
int key_path(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e); /* likewise */
int key_object(void *to, const struct key *key, const char *name, const cJSON *value,
	       struct cni_error *e); /* cJSON * */
int key_texts(void *to, const struct key *key, const char *name, const cJSON *value,
	      struct cni_error *e); /* cJSON *, a list of texts */

/* What both the environment and the configuration name. */
bool cni_is_name(const char *text, size_t max); /* letters, digits, _ . -, the first a letter or digit */
bool cni_is_ifname(const char *text);
/* A unicast address in one of the forms that Go reads, to aa:bb:cc:dd:ee:ff: 0 or -EINVAL. */
int cni_mac(const char *text, char to[18]);

#endif
