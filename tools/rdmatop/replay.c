// SPDX-License-Identifier: Apache-2.0
/* A recording: a line of JSON an item, {"kind":"end"} after each sample. A sample that was cut off at the end is left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/util.h"
#include "rdmatop/source.h"

#define LONGEST_LINE (4 << 20)

struct replay {
	struct source source; /* first */
	FILE *file;
	char *line;
	size_t room;
	uint64_t time_ns; /* of the sample before */
};

static int replay_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	struct replay *r = (struct replay *)source;
	ssize_t len;

	(void)device;
	(void)err;
	while ((len = getline(&r->line, &r->room, r->file)) > 0) {
		_cleanup_(json_free) cJSON *item = len < LONGEST_LINE ? cJSON_ParseWithLength(r->line, (size_t)len)
								      : NULL;
		const cJSON *kind = cJSON_GetObjectItemCaseSensitive(item, "kind");

		if (!cJSON_IsString(kind) || strcmp(kind->valuestring, "end")) {
			feed_item(feed, item);
			continue;
		}
		if (r->time_ns && feed->sample->time_ns > r->time_ns)
			feed->sample->wait_ns = feed->sample->time_ns - r->time_ns;
		r->time_ns = feed->sample->time_ns;
		return 0;
	}
	return SOURCE_END;
}

static void replay_close(struct source *source)
{
	struct replay *r = (struct replay *)source;

	if (r->file)
		fclose(r->file);
	free(r->line);
	free(r);
}

static const struct source_kind replay_kind = { replay_read, replay_close };

/* The first line says what it is. */
static int check_head(struct replay *r, const char *path, struct err *err)
{
	ssize_t len = getline(&r->line, &r->room, r->file);
	cJSON *head = len > 0 ? cJSON_ParseWithLength(r->line, (size_t)len) : NULL;
	const cJSON *kind = cJSON_GetObjectItemCaseSensitive(head, "kind");
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(head, "format");
	bool is_one = cJSON_IsString(kind) && !strcmp(kind->valuestring, "rdmatop");
	bool is_known = cJSON_IsNumber(format) && format->valueint == 1;

	cJSON_Delete(head);
	if (!is_one)
		return fail(err, -EBADMSG, "%s: it is no recording of rdmatop", path);
	return is_known ? 0 : fail(err, -EBADMSG, "%s: its format is of another version of rdmatop", path);
}

struct source *replay_open(const char *path, struct err *err)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return fail(err, -ENOMEM, "out of memory"), NULL;
	r->source.kind = &replay_kind;
	r->file = fopen(path, "re");
	if (!r->file)
		fail(err, -errno, "%s: %s", path, strerror(errno));
	if (!r->file || check_head(r, path, err)) {
		replay_close(&r->source);
		return NULL;
	}
	return &r->source;
}
