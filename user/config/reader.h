/* SPDX-License-Identifier: Apache-2.0 */
/* What reads the keys of the configuration file, whose they are: each error names the file and the key. */
#ifndef WARDEN_READER_H
#define WARDEN_READER_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "config/config.h"

/* What the readers of single keys share. */
struct reader {
	const char *file;
	struct config *config;
	struct qos_profile *profile; /* the one that is read */
	struct err *err;
};

struct key {
	const char *name;
	/* `name` is with the section, as in messages: "qos.profile". */
	int (*read)(struct reader *r, const char *name, const cJSON *value);
};

/* Runs each member of the object through its reader: -EINVAL for one that has none, or stands twice. `section` is before its name. */
int read_object(struct reader *r, const char *section, const cJSON *object, const struct key *keys, size_t count);

/* One of the names, as its position. */
int read_choice(struct reader *r, const char *name, const cJSON *value, const char *const *choices, size_t count);
/* An absolute path; `to` has PATH_MAX bytes. */
int read_path(struct reader *r, const char *name, const cJSON *value, char *to);
int read_number(struct reader *r, const char *name, const cJSON *value, unsigned int max, unsigned int *to);

#endif
