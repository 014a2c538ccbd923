// SPDX-License-Identifier: Apache-2.0
#include "model/model.h"

#include <string.h>

#include "lib/util.h"
#include "model/internal.h"

static const char *const source_names[] = {
#define X(id, name) [POD_SOURCE_##id] = name,
	POD_SOURCES(X)
#undef X
};

const char *pod_source_name(enum pod_source source)
{
	return source < POD_SOURCE_COUNT ? source_names[source] : "";
}

void *join_array(struct join *j, size_t count, size_t size)
{
	void *array = calloc(count + !count, size);

	if (!array)
		j->failed = true;
	return array;
}

static bool start(struct join *j)
{
	const struct model_input *in = j->in;

	j->model = join_array(j, 1, sizeof(*j->model));
	j->api_pod = join_array(j, in->api ? in->api->count : 0, sizeof(*j->api_pod));
	j->granted_to = join_array(j, in->granted ? in->granted->count : 0, sizeof(*j->granted_to));
	j->attached_to = join_array(j, in->attachment_count, sizeof(*j->attached_to));
	j->claimed_for = join_array(j, in->device_count, sizeof(*j->claimed_for));
	j->said = join_array(j, in->device_count, sizeof(*j->said));
	return !j->failed;
}

static void finish(struct join *j)
{
	struct index *const indexes[] = { &j->by_uid,  &j->by_owner, &j->by_netns, &j->by_container_netns,
					  &j->devices, &j->netdevs };

	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
		index_free(indexes[i]);
	free(j->alias);
	free(j->api_pod);
	free(j->granted_to);
	free(j->attached_to);
	free(j->claimed_for);
	free(j->said);
}

struct model *model_make(const struct model_input *input)
{
	static void (*const parts[])(struct join *j) = { join_pods, join_devices, join_networks, join_contradictions };
	struct join j = { .in = input };

	if (start(&j)) {
		j.model->host = input->host;
		j.model->has_granted = input->granted;
		j.model->has_allocatable = input->allocatable;
	}
	for (size_t i = 0; !j.failed && i < ARRAY_SIZE(parts); i++)
		parts[i](&j);
	finish(&j);
	if (j.failed) {
		model_free(j.model);
		return NULL;
	}
	return j.model;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->pod_count; i++) {
		free(model->pods[i].containers);
		free(model->pods[i].networks);
	}
	free(model->pods);
	free(model->devices);
	free(model->granted);
	free(model->allocatable);
	free(model->contradictions);
	free(model);
}

/* ---- look-ups ---- */

size_t model_pod_by_uid(const struct model *model, const char *uid)
{
	for (size_t i = 0; *uid && i < model->pod_count; i++)
		if (!strcmp(model->pods[i].uid, uid))
			return i;
	return MODEL_NONE;
}

/* Of several the one that lives longest. */
size_t model_pod_by_owner(const struct model *model, const char *owner)
{
	size_t best = MODEL_NONE;

	for (size_t i = 0; i < model->pod_count; i++)
		if (!strcmp(model->pods[i].owner, owner) &&
		    (best == MODEL_NONE || pod_rank(&model->pods[i]) > pod_rank(&model->pods[best])))
			best = i;
	return best;
}

size_t model_pod_by_netns(const struct model *model, uint64_t cookie)
{
	size_t found = MODEL_NONE;

	for (size_t i = 0; cookie && cookie != model->host.cookie && i < model->pod_count; i++) {
		if (model->pods[i].netns.cookie != cookie)
			continue;
		if (found != MODEL_NONE)
			return MODEL_NONE;
		found = i;
	}
	return found;
}

const char *model_owner(const struct model *model, size_t pod)
{
	return pod == MODEL_NONE ? "" : model->pods[pod].owner;
}
