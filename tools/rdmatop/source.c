// SPDX-License-Identifier: Apache-2.0
#include "rdmatop/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

void feed_item(struct feed *feed, const cJSON *item)
{
	_cleanup_free_ char *line = feed->record ? cJSON_PrintUnformatted(item) : NULL;

	sample_item(feed->sample, item);
	if (line)
		fprintf(feed->record, "%s\n", line);
}

void feed_line(struct feed *feed, const char *line, size_t len)
{
	cJSON *item = cJSON_ParseWithLength(line, len);

	feed_item(feed, item);
	cJSON_Delete(item);
}

int source_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	int r;

	sample_begin(feed->sample);
	r = source->kind->read(source, device, feed, err);
	if (!r && feed->record) {
		fputs("{\"kind\":\"end\"}\n", feed->record);
		if (fflush(feed->record))
			return fail(err, -errno, "the recording cannot be written: %s", strerror(errno));
	}
	return r;
}

void source_close(struct source *source)
{
	if (source)
		source->kind->close(source);
}

/* Names of pods and processes are in it: for its owner alone. */
FILE *record_open(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file) {
		fail(err, -errno, "%s: %s", path, strerror(errno));
		return NULL;
	}
	take_fd(&fd);
	fputs("{\"kind\":\"rdmatop\",\"format\":1}\n", file);
	return file;
}
