// SPDX-License-Identifier: Apache-2.0
/*
 * What pods were promised: by the annotation that Multus writes (Network Plumbing Working Group, "Kubernetes Network Custom
 * Resource Definition De-facto Standard", 4.1.2), which whoever may change the pod can write, too, and by the attachments' results.
 */
#include <string.h>

#include "cni/result.h"
#include "lib/json.h"
#include "lib/util.h"
#include "model/internal.h"

#define NETWORKS_MAX 64 /* of a pod; it has no more interfaces than that by any plugin's result, either */

/* Its place, zeroed; NULL: there are too many, or no memory. */
static struct model_network *add_network(struct join *j, struct model_pod *pod, enum pod_source source)
{
	struct model_network *longer;

	if (pod->network_count == NETWORKS_MAX)
		return NULL;
	longer = reallocarray(pod->networks, pod->network_count + 1, sizeof(*longer));
	if (!longer) {
		j->failed = true;
		return NULL;
	}
	pod->networks = longer;
	longer[pod->network_count] = (struct model_network){ .source = source };
	return &longer[pod->network_count++];
}

/* What does not fit is left out. */
static void add_address(struct model_network *n, const struct cni_addr *addr)
{
	_Static_assert(sizeof(n->address[0]) == CNI_ADDR_LEN, "an address as it is printed");

	if (n->addresses < MODEL_ADDRESSES)
		cni_addr_print(addr, false, n->address[n->addresses++]);
}

/* ---- the annotation: one thing in it that is not as it should be, and all of it is nobody's word ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool read_text(const cJSON *object, const char *name, char *to, size_t size)
{
	const cJSON *value = member(object, name);

	if (!value)
		return true;
	if (!cJSON_IsString(value) || try_snprintf(to, size, "%s", value->valuestring))
		return false;
	for (const char *c = to; *c; c++)
		if (*c <= ' ' || *c == 0x7f) /* also what is not ASCII, as none of these texts has it */
			return false;
	return true;
}

static bool read_mtu(const cJSON *object, uint32_t *mtu)
{
	const cJSON *value = member(object, "mtu");
	double v = value ? cJSON_GetNumberValue(value) : 0;

	if (!(v >= 0 && v <= UINT32_MAX) || v != (double)(uint32_t)v)
		return false;
	*mtu = (uint32_t)v;
	return true;
}

static bool read_addresses(const cJSON *object, struct model_network *n)
{
	const cJSON *list = member(object, "ips"), *one;
	struct cni_addr addr;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		return false;
	cJSON_ArrayForEach (one, list) {
		if (!cJSON_IsString(one) || cni_addr_parse(one->valuestring, false, &addr))
			return false;
		add_address(n, &addr);
	}
	return true;
}

static bool read_network(const cJSON *json, struct model_network *n)
{
	const cJSON *pci = member(member(json, "device-info"), "pci");

	return cJSON_IsObject(json) && read_text(json, "name", n->name, sizeof(n->name)) &&
	       read_text(json, "interface", n->ifname, sizeof(n->ifname)) &&
	       read_text(json, "mac", n->mac, sizeof(n->mac)) && read_mtu(json, &n->mtu) &&
	       read_text(pci, "pci-address", n->pci, sizeof(n->pci)) && read_addresses(json, n);
}

/* The strict parser takes objects alone. What would end this one early, for another member, is no list. */
static cJSON *parse_list(struct join *j, const char *text)
{
	_cleanup_(json_free) cJSON *json = NULL;
	_cleanup_free_ char *object = join_array(j, strlen(text) + sizeof("{\"list\":}"), 1);
	struct err err;

	if (!object)
		return NULL;
	sprintf(object, "{\"list\":%s}", text);
	json = json_parse_strict(object, strlen(object), &err);
	if (!json || !cJSON_IsArray(member(json, "list")) || json->child->next)
		return NULL;
	return cJSON_DetachItemFromObjectCaseSensitive(json, "list");
}

static void read_annotation(struct join *j, struct model_pod *pod, const char *text)
{
	_cleanup_(json_free) cJSON *list = parse_list(j, text);
	size_t before = pod->network_count;
	const cJSON *one;

	cJSON_ArrayForEach (one, list) {
		struct model_network *n = add_network(j, pod, POD_SOURCE_API);

		if (!n || !read_network(one, n)) {
			pod->network_count = before;
			return;
		}
	}
}

static void add_annotations(struct join *j, const struct kube_pods *api)
{
	for (size_t i = 0; !j->failed && i < api->count; i++)
		if (api->list[i]->networks && j->api_pod[i] != MODEL_NONE)
			read_annotation(j, &j->model->pods[j->api_pod[i]], api->list[i]->networks);
}

/* ---- the attachments ---- */

static void take_result(struct model_network *n, const struct cni_result *result)
{
	for (size_t i = 0; i < result->interface_count; i++) {
		const struct cni_interface *one = &result->interfaces[i];

		if (!one->sandbox || !one->sandbox[0] || strcmp(one->name, n->ifname))
			continue;
		n->mtu = one->mtu;
		if (try_snprintf(n->mac, sizeof(n->mac), "%s", one->mac))
			n->mac[0] = '\0';
	}
	for (size_t i = 0; i < result->ip_count; i++)
		if (cni_ip_is_of(result, &result->ips[i], n->ifname))
			add_address(n, &result->ips[i].address);
}

static void read_result(struct join *j, struct model_pod *pod, const struct model_attachment *a)
{
	_cleanup_(cni_result_free) struct cni_result result = {};
	_cleanup_(json_free) cJSON *json = NULL;
	struct model_network *n;
	struct cni_error e;
	struct err err;

	json = json_parse_strict(a->result, strlen(a->result), &err);
	if (!json || cni_result_read(json, CNI_0_3_1, &result, &e))
		return;
	n = add_network(j, pod, POD_SOURCE_ATTACH);
	if (!n)
		return;
	memcpy(n->ifname, a->ifname, sizeof(n->ifname));
	memcpy(n->pci, a->pci, sizeof(n->pci));
	take_result(n, &result);
}

void join_networks(struct join *j)
{
	if (j->in->api)
		add_annotations(j, j->in->api);
	for (size_t i = 0; !j->failed && i < j->in->attachment_count; i++)
		if (j->in->attachments[i].result && j->attached_to[i] != MODEL_NONE)
			read_result(j, &j->model->pods[j->attached_to[i]], &j->in->attachments[i]);
}
