// SPDX-License-Identifier: Apache-2.0
#include "kube/pods.h"

#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "lib/util.h"

#define NETWORKS "k8s.v1.cni.cncf.io/network-status"
/* Of the API object that the kubelet makes for a static pod: the pod's own UID, which the object's is not. */
#define STATIC_UID "kubernetes.io/config.mirror"

/* ---- reading ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* NULL for what is no text. */
static const char *text_of(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(member(object, name));
}

static bool is_clean(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return json_is_utf8(text, strlen(text));
}

/* What is absent, or no text, is "" in `to`: 0, or -EBADMSG for a text that cannot be right. */
static int copy(char *to, size_t size, const cJSON *object, const char *name)
{
	const char *text = text_of(object, name);

	if (!text)
		return 0;
	if (strlen(text) >= size || !is_clean(text))
		return -EBADMSG;
	strcpy(to, text);
	return 0;
}

#define COPY(field, object, name) copy(field, sizeof(field), object, name)

static void pairs_free(struct kube_pairs *pairs)
{
	for (unsigned int i = 0; i < pairs->count; i++) {
		free(pairs->list[i].name);
		free(pairs->list[i].value);
	}
	free(pairs->list);
}

static int add_pair(struct kube_pairs *pairs, unsigned int most, const char *name, const char *value)
{
	struct kube_pair pair, *longer;

	if (pairs->count == most || !is_clean(name) || !is_clean(value)) {
		pairs->cut = true;
		return 0;
	}
	longer = realloc(pairs->list, (pairs->count + 1) * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	pairs->list = longer;
	pair = (struct kube_pair){ strdup(name), strdup(value) };
	longer[pairs->count++] = pair;
	return pair.name && pair.value ? 0 : -ENOMEM;
}

/* The API server has neither a longer name (253 of a domain, '/', 63) nor a longer value. */
static int read_labels(struct kube_pod *pod, const cJSON *labels)
{
	const cJSON *one;
	int r = 0;

	cJSON_ArrayForEach (one, labels) {
		const char *value = cJSON_GetStringValue(one);

		if (!one->string || !value || strlen(one->string) > 317 || strlen(value) > 63)
			pod->labels.cut = true;
		else if (!r)
			r = add_pair(&pod->labels, KUBE_LABELS_MAX, one->string, value);
	}
	return r;
}

static int read_containers(struct kube_pod *pod, const cJSON *list)
{
	const cJSON *one;
	int r = 0;

	cJSON_ArrayForEach (one, list) {
		const char *name = text_of(one, "name"), *id = text_of(one, "containerID");
		const char *scheme = id ? strstr(id, "://") : NULL;

		id = scheme ? scheme + 3 : id;
		if (!name || !id || !*id)
			continue;
		if (strlen(name) > 63 || strlen(id) > 128)
			pod->containers.cut = true;
		else if (!r)
			r = add_pair(&pod->containers, KUBE_CONTAINERS_MAX, name, id);
	}
	return r;
}

static int read_networks(struct kube_pod *pod, const char *text)
{
	if (!text)
		return 0;
	pod->networks_cut = strlen(text) > KUBE_NETWORKS_MAX;
	pod->networks = pod->networks_cut ? NULL : strdup(text);
	return pod->networks || pod->networks_cut ? 0 : -ENOMEM;
}

/* Whoever makes a pod writes its owners and annotations: one that makes no sense is no reason to lose sight of the pod. */
static void copy_claim(char *to, size_t size, const cJSON *object, const char *name)
{
	if (copy(to, size, object, name))
		to[0] = '\0';
}

static void read_owner(struct kube_pod *pod, const cJSON *owners)
{
	const cJSON *one, *owner = cJSON_IsArray(owners) ? owners->child : NULL;

	cJSON_ArrayForEach (one, owners)
		if (cJSON_IsTrue(member(one, "controller")))
			owner = one;
	copy_claim(pod->owner_api_version, sizeof(pod->owner_api_version), owner, "apiVersion");
	copy_claim(pod->owner_kind, sizeof(pod->owner_kind), owner, "kind");
	copy_claim(pod->owner_name, sizeof(pod->owner_name), owner, "name");
}

/*
 * The ReplicaSets of a Deployment are called DEPLOYMENT-HASH, and their pods have the hash as a label, which the Deployment's
 * controller alone gives (Kubernetes, "Deployments", pod-template-hash): so nobody need be asked whose a ReplicaSet is.
 */
static void name_deployment(struct kube_pod *pod, const cJSON *labels)
{
	const char *hash = text_of(labels, "pod-template-hash");
	size_t len = strlen(pod->owner_name), tail = hash ? strlen(hash) : 0;

	if (!tail || strcmp(pod->owner_kind, "ReplicaSet") || strncmp(pod->owner_api_version, "apps/", 5) ||
	    len < tail + 2 || strcmp(pod->owner_name + len - tail, hash) || pod->owner_name[len - tail - 1] != '-')
		return;
	pod->owner_name[len - tail - 1] = '\0';
	strcpy(pod->owner_kind, "Deployment");
}

static int read_metadata(struct kube_pod *pod, const cJSON *metadata)
{
	const cJSON *annotations = member(metadata, "annotations");
	int r;

	if (COPY(pod->namespace, metadata, "namespace") || COPY(pod->name, metadata, "name") ||
	    COPY(pod->uid, metadata, "uid") || !pod->namespace[0] || !pod->name[0] || !pod->uid[0])
		return -EBADMSG;
	copy_claim(pod->static_uid, sizeof(pod->static_uid), annotations, STATIC_UID);
	pod->deleting = cJSON_IsString(member(metadata, "deletionTimestamp"));
	read_owner(pod, member(metadata, "ownerReferences"));
	name_deployment(pod, member(metadata, "labels"));
	r = read_labels(pod, member(metadata, "labels"));
	return r ? r : read_networks(pod, text_of(annotations, NETWORKS));
}

static int read_status(struct kube_pod *pod, const cJSON *status)
{
	static const char *const lists[] = { "initContainerStatuses", "containerStatuses",
					     "ephemeralContainerStatuses" };
	int r = COPY(pod->phase, status, "phase");

	for (size_t i = 0; !r && i < ARRAY_SIZE(lists); i++)
		r = read_containers(pod, member(status, lists[i]));
	return r;
}

struct kube_pod *kube_pod_read(const cJSON *json, struct err *err)
{
	struct kube_pod *pod = calloc(1, sizeof(*pod));
	int r = pod ? read_metadata(pod, member(json, "metadata")) : -ENOMEM;

	if (!r)
		r = read_status(pod, member(json, "status"));
	if (r) {
		fail(err, r, "%s", r == -ENOMEM ? "out of memory" : "a pod's object cannot be read");
		kube_pod_free(pod);
		return NULL;
	}
	pod->host_network = cJSON_IsTrue(member(member(json, "spec"), "hostNetwork"));
	return pod;
}

void kube_pod_free(struct kube_pod *pod)
{
	if (!pod)
		return;
	pairs_free(&pod->labels);
	pairs_free(&pod->containers);
	free(pod->networks);
	free(pod);
}

/* ---- the table: a node has some hundred pods, and a search through them costs less than a tree ---- */

static struct kube_pod **place_of(const struct kube_pods *pods, const char *uid)
{
	for (size_t i = 0; i < pods->count; i++)
		if (!strcmp(pods->list[i]->uid, uid))
			return &pods->list[i];
	return NULL;
}

static int grow(struct kube_pods *pods)
{
	size_t size = pods->size ? pods->size * 2 : 32;
	struct kube_pod **longer;

	if (pods->count < pods->size)
		return 0;
	if (pods->count >= KUBE_PODS_MAX)
		return -E2BIG;
	longer = realloc(pods->list, size * sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	pods->list = longer;
	pods->size = size;
	return 0;
}

int kube_pods_put(struct kube_pods *pods, struct kube_pod *pod, struct err *err)
{
	struct kube_pod **place = place_of(pods, pod->uid);
	int r = place ? 0 : grow(pods);

	if (r) {
		kube_pod_free(pod);
		return fail(err, r, r == -E2BIG ? "more than %d pods" : "out of memory (%d pods)", KUBE_PODS_MAX);
	}
	if (place)
		kube_pod_free(*place);
	else
		place = &pods->list[pods->count++];
	*place = pod;
	return 0;
}

void kube_pods_remove(struct kube_pods *pods, const char *uid)
{
	struct kube_pod **place = place_of(pods, uid);

	if (!place)
		return;
	kube_pod_free(*place);
	*place = pods->list[--pods->count];
}

/* Who makes a pod could give it the annotation of another one: it counts behind a UID, and only where it is the only one. */
const struct kube_pod *kube_pods_find(const struct kube_pods *pods, const char *uid)
{
	struct kube_pod **place = place_of(pods, uid);
	const struct kube_pod *found = NULL;

	if (place || !*uid)
		return place ? *place : NULL;
	for (size_t i = 0; i < pods->count; i++) {
		if (strcmp(pods->list[i]->static_uid, uid))
			continue;
		if (found)
			return NULL;
		found = pods->list[i];
	}
	return found;
}

void kube_pods_replace(struct kube_pods *pods, struct kube_pods *with)
{
	kube_pods_free(pods);
	*pods = *with;
	*with = (struct kube_pods){};
}

void kube_pods_free(struct kube_pods *pods)
{
	for (size_t i = 0; i < pods->count; i++)
		kube_pod_free(pods->list[i]);
	free(pods->list);
	*pods = (struct kube_pods){};
}
