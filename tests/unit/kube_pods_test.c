// SPDX-License-Identifier: Apache-2.0
/* What is taken from a pod's object, and the table of pods. */
#include "kube/pods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/json.h"
#include "lib/util.h"

static struct kube_pod *try_read(const char *text)
{
	_cleanup_(json_free) cJSON *json = cJSON_Parse(text);
	struct err err;

	assert_non_null(json);
	return kube_pod_read(json, &err);
}

static struct kube_pod *read_pod(const char *text)
{
	struct kube_pod *pod = try_read(text);

	if (!pod)
		test_fail("not read: %s", text);
	return pod;
}

static void free_pod(struct kube_pod **pod)
{
	kube_pod_free(*pod);
}

#define BEGIN "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p\",\"uid\":\"u\""
#define BARE BEGIN "}}"

static void assert_pair(const struct kube_pairs *pairs, unsigned int i, const char *name, const char *value)
{
	assert_true(i < pairs->count);
	assert_string_equal(pairs->list[i].name, name);
	assert_string_equal(pairs->list[i].value, value);
}

static void a_whole_pod(void **state)
{
	_cleanup_(free_pod) struct kube_pod *pod = read_pod(
		BEGIN
		",\"labels\":{\"app\":\"x\",\"e.org/y\":\"\"},\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
		"\"annotations\":{\"k8s.v1.cni.cncf.io/network-status\":\"[{}]\"},\"ownerReferences\":["
		"{\"kind\":\"Other\",\"name\":\"o\"},{\"kind\":\"ReplicaSet\",\"name\":\"rs\",\"controller\":true}]},"
		"\"spec\":{\"hostNetwork\":true},\"status\":{\"phase\":\"Running\","
		"\"initContainerStatuses\":[{\"name\":\"i\",\"containerID\":\"containerd://11\"}],"
		"\"containerStatuses\":[{\"name\":\"c\",\"containerID\":\"cri-o://22\"},{\"name\":\"none\"}],"
		"\"ephemeralContainerStatuses\":[{\"name\":\"e\",\"containerID\":\"containerd://33\"}]}}");

	(void)state;
	assert_string_equal(pod->namespace, "ns");
	assert_string_equal(pod->name, "p");
	assert_string_equal(pod->uid, "u");
	assert_string_equal(pod->static_uid, "");
	assert_string_equal(pod->owner_kind, "ReplicaSet");
	assert_string_equal(pod->owner_name, "rs");
	assert_string_equal(pod->phase, "Running");
	assert_string_equal(pod->networks, "[{}]");
	assert_true(pod->host_network && pod->deleting);
	assert_false(pod->labels.cut || pod->containers.cut || pod->networks_cut);
	assert_int_equal(pod->labels.count, 2);
	assert_pair(&pod->labels, 0, "app", "x");
	assert_pair(&pod->labels, 1, "e.org/y", "");
	assert_int_equal(pod->containers.count, 3);
	assert_pair(&pod->containers, 0, "i", "11");
	assert_pair(&pod->containers, 1, "c", "22");
	assert_pair(&pod->containers, 2, "e", "33");
}

static void a_bare_pod(void **state)
{
	_cleanup_(free_pod) struct kube_pod *pod = read_pod(BARE);

	(void)state;
	assert_false(pod->host_network || pod->deleting || pod->networks || pod->phase[0] || pod->owner_kind[0]);
	assert_int_equal(pod->labels.count + pod->containers.count, 0);
}

static void an_owner_that_controls_nothing(void **state)
{
	_cleanup_(free_pod) struct kube_pod *pod = read_pod(
		BEGIN ",\"ownerReferences\":[{\"kind\":\"A\",\"name\":\"a\"},{\"kind\":\"B\",\"name\":\"b\"}]}}");

	(void)state;
	assert_string_equal(pod->owner_kind, "A");
}

/* What a pod's maker may write, and the API server does not look at, does not hide the pod. */
static void an_owner_and_an_annotation_that_make_no_sense(void **state)
{
	char text[1024], much[200];
	struct kube_pod *pod;

	(void)state;
	memset(much, 'k', sizeof(much));
	much[sizeof(much) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "%s,\"ownerReferences\":[{\"kind\":\"%s\",\"name\":\"a\\u0007\"}],\"annotations\":"
		 "{\"kubernetes.io/config.mirror\":\"%s\"}}}",
		 BEGIN, much, much);
	pod = read_pod(text);
	assert_string_equal(pod->owner_kind, "");
	assert_string_equal(pod->owner_name, "");
	assert_string_equal(pod->static_uid, "");
	kube_pod_free(pod);
}

static void what_is_no_pod(void **state)
{
	static const char *const texts[] = {
		"7",
		"[]",
		"{}",
		"{\"metadata\":[]}",
		"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p\"}}",
		"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p\",\"uid\":\"\"}}",
		"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p\",\"uid\":7}}",
		"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p\\u0007\",\"uid\":\"u\"}}",
		"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"p\",\"uid\":"
		"\"u2345678901234567890123456789012345678901234567890"
		"123456789012345\"}}",
		BEGIN "},\"status\":{\"phase\":\"much too long for a phase\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (try_read(texts[i]))
			test_fail("read: %s", texts[i]);
}

/* 70 labels, one that is too long, and a list of networks that is. */
static void what_is_too_much_is_left_out(void **state)
{
	_cleanup_(json_free) cJSON *json = cJSON_Parse(BARE);
	cJSON *metadata = cJSON_GetObjectItem(json, "metadata"), *labels, *annotations;
	char name[400], *networks = calloc(1, KUBE_NETWORKS_MAX + 2);
	struct kube_pod *pod;
	struct err err;

	(void)state;
	labels = cJSON_AddObjectToObject(metadata, "labels");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cJSON_AddStringToObject(labels, name, "v");
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		cJSON_AddStringToObject(labels, name, "v");
	}
	memset(networks, ' ', KUBE_NETWORKS_MAX + 1);
	annotations = cJSON_AddObjectToObject(metadata, "annotations");
	cJSON_AddStringToObject(annotations, "k8s.v1.cni.cncf.io/network-status", networks);
	free(networks);
	pod = kube_pod_read(json, &err);
	assert_non_null(pod);
	assert_int_equal(pod->labels.count, KUBE_LABELS_MAX);
	assert_pair(&pod->labels, 0, "l0", "v");
	assert_true(pod->labels.cut && pod->networks_cut && !pod->networks);
	kube_pod_free(pod);
}

/* ---- the table ---- */

static int put(struct kube_pods *pods, const char *uid, const char *static_uid, const char *name)
{
	char text[512];
	struct err err;

	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"%s\",\"uid\":\"%s\",\"annotations\":"
		 "{\"kubernetes.io/config.mirror\":\"%s\"}}}",
		 name, uid, static_uid);
	return kube_pods_put(pods, read_pod(text), &err);
}

static void assert_name(const struct kube_pods *pods, const char *uid, const char *name)
{
	const struct kube_pod *pod = kube_pods_find(pods, uid);

	if (!name)
		assert_null(pod);
	else if (!pod || strcmp(pod->name, name))
		test_fail("%s is %s and not %s", uid, pod ? pod->name : "nobody", name);
}

static void the_table(void **state)
{
	_cleanup_(kube_pods_free) struct kube_pods pods = {};
	struct kube_pods with = {};

	(void)state;
	put(&pods, "u1", "", "one");
	put(&pods, "u2", "", "two");
	put(&pods, "u1", "", "one-again");
	assert_int_equal(pods.count, 2);
	assert_name(&pods, "u1", "one-again");
	assert_name(&pods, "u2", "two");
	assert_name(&pods, "", NULL);
	kube_pods_remove(&pods, "u1");
	kube_pods_remove(&pods, "u1");
	assert_int_equal(pods.count, 1);
	assert_name(&pods, "u1", NULL);
	assert_name(&pods, "u2", "two");
	put(&with, "u3", "", "three");
	kube_pods_replace(&pods, &with);
	assert_int_equal(with.count, 0);
	assert_name(&pods, "u2", NULL);
	assert_name(&pods, "u3", "three");
}

/* Its UID in the cgroups is not that of its object. Who says to be another pod, or the same one, is not believed. */
static void a_static_pod(void **state)
{
	_cleanup_(kube_pods_free) struct kube_pods pods = {};

	(void)state;
	put(&pods, "evil", "u2", "evil");
	put(&pods, "u1", "hash", "static");
	put(&pods, "u2", "", "victim");
	assert_name(&pods, "hash", "static");
	assert_name(&pods, "u2", "victim");
	put(&pods, "u3", "hash", "too");
	assert_name(&pods, "hash", NULL);
}

static void the_table_has_an_end(void **state)
{
	_cleanup_(kube_pods_free) struct kube_pods pods = {};
	char uid[16];

	(void)state;
	for (int i = 0; i < KUBE_PODS_MAX; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		assert_int_equal(put(&pods, uid, "", "p"), 0);
	}
	assert_int_equal(put(&pods, "more", "", "p"), -E2BIG);
	assert_int_equal(put(&pods, "u7", "", "again"), 0);
	assert_int_equal(pods.count, KUBE_PODS_MAX);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_whole_pod),
		cmocka_unit_test(a_bare_pod),
		cmocka_unit_test(an_owner_that_controls_nothing),
		cmocka_unit_test(an_owner_and_an_annotation_that_make_no_sense),
		cmocka_unit_test(what_is_no_pod),
		cmocka_unit_test(what_is_too_much_is_left_out),
		cmocka_unit_test(the_table),
		cmocka_unit_test(a_static_pod),
		cmocka_unit_test(the_table_has_an_end),
	};

	return RUN_CASES("kube_pods", cases);
}
