// SPDX-License-Identifier: Apache-2.0
/* The kernel alone, where no wardend answers: what is counted, in the items that wardend would have. Whose a device is, is not known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/util.h"
#include "rdmatop/source.h"
#include "report/text.h"
#include "stats/items.h"

struct kernel_source {
	struct source source; /* first */
	struct err reason; /* why it is not wardend that answers; "" where that was not asked for */
};

static void put(cJSON *json, const char *key, uint64_t value)
{
	cJSON_AddNumberToObject(json, key, (double)value);
}

static void feed_node(struct feed *feed, const struct stats *stats, const struct err *reason)
{
	static const char *const unknown[] = {
		"the owners, pods, claims and marking of devices, and violations: only wardend knows them",
		"which priority carries RDMA traffic: the profile of wardend's configuration says it"
	};
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *missing;
	struct utsname host = {};
	char text[600];

	uname(&host);
	cJSON_AddStringToObject(json, "kind", "node");
	text_time(stats->unix_ns, text, sizeof(text));
	cJSON_AddStringToObject(json, "time", text);
	put(json, "time_ns", stats->time_ns);
	cJSON_AddStringToObject(json, "node", host.nodename);
	cJSON_AddBoolToObject(json, "daemon", false);
	cJSON_AddStringToObject(json, "netns_mode", stats->shared ? "shared" : "exclusive");
	missing = cJSON_AddArrayToObject(json, "missing");
	if (reason->text[0])
		cJSON_AddItemToArray(missing, cJSON_CreateString(reason->text));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		cJSON_AddItemToArray(missing, cJSON_CreateString(unknown[i]));
	if (geteuid())
		cJSON_AddItemToArray(
			missing,
			cJSON_CreateString("devices in other network namespaces: only root may look into them"));
	if (stats->unread) {
		snprintf(text, sizeof(text), "a part of %u devices or ports: the kernel did not tell it",
			 stats->unread);
		cJSON_AddItemToArray(missing, cJSON_CreateString(text));
	}
	feed_item(feed, json);
}

/* Takes the item apart. */
static void hand_over(struct feed *feed, cJSON *json)
{
	feed_item(feed, json);
	cJSON_Delete(json);
}

static int feed_qp(const struct stats_qp *qp, void *ctx)
{
	cJSON *json = stats_qp_item(qp);

	cJSON_AddStringToObject(json, "kind", "qp");
	hand_over(ctx, json);
	return 0;
}

static bool is_called(const struct stats_device *d, const char *device)
{
	return device && (!strcmp(device, d->pci) || !strcmp(device, d->name));
}

static int kernel_read(struct source *source, const char *device, struct feed *feed, struct err *err)
{
	struct kernel_source *k = (struct kernel_source *)source;
	struct stats *stats = NULL;
	struct err why = k->reason;
	int r = stats_read(&stats, err);

	if (r == -EPROTONOSUPPORT)
		fail(&why, r, "RDMA devices: %s", err->text);
	if (!stats)
		return r;
	feed_node(feed, stats, &why);
	for (size_t i = 0; i < stats->pf_count; i++)
		hand_over(feed, stats_pf_item(&stats->pfs[i]));
	for (size_t i = 0; i < stats->device_count; i++)
		hand_over(feed, stats_device_item(&stats->devices[i], &stats->devices[i].traffic));
	/* A device that has just gone has no queue pairs. */
	for (size_t i = 0; i < stats->device_count; i++)
		if (is_called(&stats->devices[i], device))
			stats_qps(&stats->devices[i].netns, stats->devices[i].index, feed_qp, feed);
	stats_free(stats);
	return 0;
}

static void kernel_close(struct source *source)
{
	free(source);
}

void kernel_because(struct source *source, const struct err *reason)
{
	((struct kernel_source *)source)->reason = *reason;
}

static const struct source_kind kernel_kind = { kernel_read, kernel_close };

struct source *kernel_open(struct err *err)
{
	struct kernel_source *k = calloc(1, sizeof(*k));

	if (!k)
		return fail(err, -ENOMEM, "out of memory"), NULL;
	k->source.kind = &kernel_kind;
	return &k->source;
}
