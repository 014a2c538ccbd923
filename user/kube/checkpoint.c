// SPDX-License-Identifier: Apache-2.0
#include "kube/checkpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/json.h"
#include "lib/util.h"

#define BYTES_MAX (16 << 20)

static int bad(struct err *err, const char *what)
{
	return fail(err, -EBADMSG, "%s is missing or of a wrong type", what);
}

/* Else it has no text, which is not legal. */
static struct kube_text text_of(const cJSON *json)
{
	const char *text = cJSON_IsString(json) ? json->valuestring : "";

	return (struct kube_text){ text, strlen(text) };
}

static struct kube_text member(const cJSON *object, const char *name)
{
	return text_of(cJSON_GetObjectItemCaseSensitive(object, name));
}

static int add_list(struct kube_grants *grants, struct kube_draft draft, const cJSON *ids, struct err *err)
{
	const cJSON *id;
	int r = 0;

	if (cJSON_IsNull(ids)) /* Go's empty list */
		return 0;
	if (!cJSON_IsArray(ids))
		return bad(err, "DeviceIDs");
	cJSON_ArrayForEach (id, ids) {
		draft.device = text_of(id);
		r = kube_grants_add(grants, &draft, err);
		if (r)
			return r;
	}
	return 0;
}

/* "-1" is the key of those that have no node. */
static int read_node(const char *key, uint64_t *nodes, struct err *err)
{
	uint64_t id;

	if (!strcmp(key, "-1"))
		return 0;
	if (parse_u64(key, 10, 0, INT64_MAX, &id))
		return bad(err, "DeviceIDs");
	return kube_numa_add(nodes, (int64_t)id, err);
}

/* A list up to Kubernetes 1.19, since then an object: NUMA node to list. */
static int add_devices(struct kube_grants *grants, struct kube_draft draft, const cJSON *ids, struct err *err)
{
	const cJSON *list;
	int r = 0;

	if (!cJSON_IsObject(ids))
		return add_list(grants, draft, ids, err);
	cJSON_ArrayForEach (list, ids) {
		draft.numa_nodes = 0;
		r = read_node(list->string, &draft.numa_nodes, err);
		if (!r)
			r = add_list(grants, draft, list, err);
		if (r)
			return r;
	}
	return 0;
}

static int add_entry(struct kube_grants *grants, const cJSON *entry, struct err *err)
{
	struct kube_draft draft = {
		.pod_uid = member(entry, "PodUID"),
		.container = member(entry, "ContainerName"),
		.resource = member(entry, "ResourceName"),
	};
	const cJSON *ids = cJSON_GetObjectItemCaseSensitive(entry, "DeviceIDs");

	return ids ? add_devices(grants, draft, ids, err) : bad(err, "DeviceIDs");
}

static int read_entries(const cJSON *json, struct kube_grants *grants, struct err *err)
{
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "Data");
	const cJSON *entries = cJSON_GetObjectItemCaseSensitive(data, "PodDeviceEntries"), *entry;
	int r = 0;

	if (!cJSON_IsArray(entries) && !cJSON_IsNull(entries))
		return bad(err, "Data.PodDeviceEntries");
	cJSON_ArrayForEach (entry, entries) {
		r = add_entry(grants, entry, err);
		if (r)
			return r;
	}
	return 0;
}

static int read_text(const char *text, size_t len, struct kube_grants *grants, struct err *err)
{
	_cleanup_(json_free) cJSON *json = json_parse_strict(text, len, err);

	return json ? read_entries(json, grants, err) : -EBADMSG;
}

int checkpoint_read(const char *path, struct kube_grants *grants, struct err *err)
{
	struct kube_grants draft = {};
	_cleanup_free_ char *text = NULL;
	struct err why = {};
	size_t len;
	int r = read_regular(path, BYTES_MAX, &text, &len);

	if (r)
		return fail(err, r, "%s: %s", path,
			    r == -EBADMSG ? "it is no file that the kubelet has written" : strerror(-r));
	r = read_text(text, len, &draft, &why);
	if (r) {
		kube_grants_free(&draft);
		return fail(err, r, "%s: %s", path, why.text);
	}
	*grants = draft;
	return 0;
}
