// SPDX-License-Identifier: Apache-2.0
#include "kube/podresources.h"

#include <errno.h>
#include <string.h>

#include "kube/grpc.h"
#include "kube/podresources.pb-c.h"
#include "lib/util.h"

#define SERVICE "v1.PodResourcesLister/"
#define UNPACKED_MAX (64u << 20) /* bytes; two in a message can become a hundred */

/* ---- the call ---- */

/* The kubelet has no status of its own for these two: they are GRPC_UNKNOWN, and told by their words. */
static bool says(const struct grpc_reply *reply, const char *words)
{
	return reply->status == GRPC_UNKNOWN && strstr(reply->text, words);
}

static int refused(const struct grpc_call *call, const struct grpc_reply *reply, struct err *err)
{
	int r = -EREMOTEIO;

	if (reply->status == GRPC_UNIMPLEMENTED || says(reply, "disabled"))
		r = -EOPNOTSUPP;
	else if (says(reply, "not found"))
		r = -ESRCH;
	else if (reply->status == GRPC_RESOURCE_EXHAUSTED)
		r = -EAGAIN;
	else if (reply->status == GRPC_DEADLINE_EXCEEDED)
		r = -ETIMEDOUT;
	return fail(err, r, "%s: %s is refused with status %d: %s", call->socket, call->method, reply->status,
		    reply->text);
}

/* Memory for a message that is unpacked, up to a limit. */
struct budget {
	size_t left;
};

static void *budget_alloc(void *ctx, size_t size)
{
	struct budget *budget = ctx;

	if (size > budget->left)
		return NULL;
	budget->left -= size;
	return malloc(size);
}

static void budget_free(void *ctx, void *at)
{
	(void)ctx;
	free(at);
}

struct unpacked {
	ProtobufCMessage *message;
};

static void unpacked_free(struct unpacked *unpacked)
{
	if (unpacked->message)
		protobuf_c_message_free_unpacked(unpacked->message, NULL);
}

/* Calls, and unpacks the answer. */
static int ask(const struct grpc_call *call, const ProtobufCMessageDescriptor *type, struct unpacked *unpacked,
	       struct err *err)
{
	struct budget budget = { UNPACKED_MAX };
	ProtobufCAllocator allocator = { budget_alloc, budget_free, &budget };
	_cleanup_(grpc_reply_free) struct grpc_reply reply = {};
	int r = grpc_call(call, &reply, err);

	if (r)
		return r;
	if (reply.status != GRPC_OK)
		return refused(call, &reply, err);
	unpacked->message = protobuf_c_message_unpack(type, &allocator, reply.len, reply.message);
	return unpacked->message
		       ? 0
		       : fail(err, -EBADMSG, "%s: the answer to %s cannot be read", call->socket, call->method);
}

static struct grpc_call call_of(const char *socket, const char *method, unsigned int ms)
{
	return (struct grpc_call){ .socket = socket, .method = method, .ms = ms, .max = PODRESOURCES_MAX };
}

/* ---- what it answers ---- */

/* A field that is there, for the names that must be. */
static struct kube_text text_of(const ProtobufCBinaryData *bytes)
{
	return bytes->len ? (struct kube_text){ (const char *)bytes->data, bytes->len } : (struct kube_text){ "", 0 };
}

static int add_devices(struct kube_grants *grants, struct kube_draft draft, const Kube__Devices *devices,
		       struct err *err)
{
	const Kube__Topology *topology = devices->topology;
	int r = 0;

	draft.resource = text_of(&devices->resource);
	for (size_t i = 0; !r && topology && i < topology->n_nodes; i++)
		r = kube_numa_add(&draft.numa_nodes, topology->nodes[i]->id, err);
	for (size_t i = 0; !r && i < devices->n_ids; i++) {
		draft.device = text_of(&devices->ids[i]);
		r = kube_grants_add(grants, &draft, err);
	}
	return r;
}

/* A claim's devices that have no CDI name cannot be told by the kubelet: there is nothing to say of them. */
static int add_claim(struct kube_grants *grants, struct kube_draft draft, const Kube__Claim *claim, struct err *err)
{
	int r = 0;

	draft.claim_namespace = text_of(&claim->namespace_);
	draft.claim_name = text_of(&claim->name);
	for (size_t i = 0; !r && i < claim->n_resources; i++) {
		const Kube__ClaimResource *resource = claim->resources[i];

		for (size_t k = 0; !r && k < resource->n_cdi_devices; k++) {
			draft.device = text_of(&resource->cdi_devices[k]->name);
			r = kube_grants_add(grants, &draft, err);
		}
	}
	return r;
}

static int add_pod(struct kube_grants *grants, const Kube__Pod *pod, struct err *err)
{
	struct kube_draft draft = { .pod_namespace = text_of(&pod->namespace_), .pod_name = text_of(&pod->name) };
	int r = 0;

	for (size_t i = 0; !r && i < pod->n_containers; i++) {
		const Kube__Container *container = pod->containers[i];

		draft.container = text_of(&container->name);
		for (size_t k = 0; !r && k < container->n_devices; k++)
			r = add_devices(grants, draft, container->devices[k], err);
		for (size_t k = 0; !r && k < container->n_claims; k++)
			r = add_claim(grants, draft, container->claims[k], err);
	}
	return r;
}

/* The result of a call: handed over, or freed. `why` says which text was not good. */
static int finish(const struct grpc_call *call, int r, struct kube_grants *draft, struct kube_grants *grants,
		  const struct err *why, struct err *err)
{
	if (!r) {
		*grants = *draft;
		return 0;
	}
	kube_grants_free(draft);
	return fail(err, r, "%s: the answer to %s: %s", call->socket, call->method, why->text);
}

int podresources_list(const char *socket, unsigned int ms, struct kube_grants *grants, struct err *err)
{
	struct grpc_call call = call_of(socket, SERVICE "List", ms);
	_cleanup_(unpacked_free) struct unpacked unpacked = {};
	struct kube_grants draft = {};
	const Kube__ListReply *list;
	struct err why = {};
	int r = ask(&call, &kube__list_reply__descriptor, &unpacked, err);

	if (r)
		return r;
	list = (const Kube__ListReply *)unpacked.message;
	for (size_t i = 0; !r && i < list->n_pods; i++)
		r = add_pod(&draft, list->pods[i], &why);
	return finish(&call, r, &draft, grants, &why, err);
}

int podresources_allocatable(const char *socket, unsigned int ms, struct kube_grants *grants, struct err *err)
{
	struct grpc_call call = call_of(socket, SERVICE "GetAllocatableResources", ms);
	_cleanup_(unpacked_free) struct unpacked unpacked = {};
	const Kube__AllocatableReply *all;
	struct kube_grants draft = {};
	struct err why = {};
	int r = ask(&call, &kube__allocatable_reply__descriptor, &unpacked, err);

	if (r)
		return r;
	all = (const Kube__AllocatableReply *)unpacked.message;
	for (size_t i = 0; !r && i < all->n_devices; i++)
		r = add_devices(&draft, (struct kube_draft){}, all->devices[i], &why);
	return finish(&call, r, &draft, grants, &why, err);
}

static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

int podresources_get(const char *socket, unsigned int ms, const char *pod_namespace, const char *pod_name,
		     struct kube_grants *grants, struct err *err)
{
	struct grpc_call call = call_of(socket, SERVICE "Get", ms);
	_cleanup_(unpacked_free) struct unpacked unpacked = {};
	Kube__GetRequest request = KUBE__GET_REQUEST__INIT;
	_cleanup_free_ uint8_t *packed = NULL;
	struct kube_grants draft = {};
	const Kube__GetReply *reply;
	struct err why = {};
	int r;

	request.pod_namespace = bytes_of(pod_namespace);
	request.pod_name = bytes_of(pod_name);
	packed = malloc(kube__get_request__get_packed_size(&request) + 1);
	if (!packed)
		return fail(err, -ENOMEM, "%s: out of memory", socket);
	call.request = packed;
	call.len = kube__get_request__pack(&request, packed);
	r = ask(&call, &kube__get_reply__descriptor, &unpacked, err);
	if (r)
		return r;
	reply = (const Kube__GetReply *)unpacked.message;
	if (reply->pod)
		r = add_pod(&draft, reply->pod, &why);
	return finish(&call, r, &draft, grants, &why, err);
}
