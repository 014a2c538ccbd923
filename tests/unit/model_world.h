/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be included once in a test program: what sources say, written as text, and a model printed as text. A line of a text is a fact;
 * a netns is a number (1: the host's, 0: not known), '-' is what a source does not say.
 *
 *   proc UID NETNS                     a pod's processes         box ID PID NETNS       a container of it
 *   api NS/NAME UID [WORD…]            words: host, deleting, static=UID, phase=PHASE
 *   name NAME ID                       a container of it         networks JSON          its annotation, up to the line's end
 *   kubelet NS/NAME UID RESOURCE ID    a grant                   kubelet                it answers, and has given nothing
 *   checkpoint UID RESOURCE ID         a grant by that           dra NS/NAME UID ID     one of a claim
 *   offer RESOURCE ID                  what there is to give
 *   attach OWNER UID PCI NETNS         an attachment             result JSON            its result
 *   device PARENT NETNS [NETDEV]       an RDMA device            claim SOURCE OWNER NETNS, orphan: of it
 *   shared                             the netns mode of the RDMA subsystem
 *   netdev PARENT NAME NETNS           netns NAME NETNS          unit NAME NETNS
 */
#ifndef WARDEN_MODEL_WORLD_H
#define WARDEN_MODEL_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"
#include "model/model.h"

#define HOST 1
#define VF2 "0000:3b:00.2"
#define VF3 "0000:3b:00.3"
#define VF4 "0000:3b:00.4"

struct world {
	struct model_input in;
	struct tracked_device *devices;
	struct model_netdev *netdevs;
	struct model_netns *netns;
	struct model_attachment *attachments;
	struct scan scan;
	struct kube_grants granted, allocatable;
	struct kube_pods api;
	struct model *model;
};

/* A zeroed one more at the list's end. */
#define MORE(list, count)                                                    \
	({                                                                   \
		(list) = reallocarray((list), (count) + 1, sizeof(*(list))); \
		assert_non_null(list);                                       \
		memset(&(list)[count], 0, sizeof(*(list)));                  \
		&(list)[(count)++];                                          \
	})

#define SET(field, text) snprintf(field, sizeof(field), "%s", text)

static void world_free(struct world *w)
{
	model_free(w->model);
	for (size_t i = 0; i < w->in.attachment_count; i++)
		free(w->attachments[i].result);
	kube_grants_free(&w->granted);
	kube_grants_free(&w->allocatable);
	kube_pods_free(&w->api);
	free(w->devices);
	free(w->netdevs);
	free(w->netns);
	free(w->attachments);
	free(w->scan.pods);
	free(w->scan.containers);
	*w = (struct world){};
}

static struct netns_id netns_of(const char *word)
{
	struct netns_id id = { .cookie = strtoull(word, NULL, 10), .inum = 4026530000 };

	id.inum += (uint32_t)id.cookie;
	return id;
}

static const char *said(const char *word)
{
	return strcmp(word, "-") ? word : "";
}

/* ---- facts ---- */

static void add_proc(struct world *w, char *const *word)
{
	struct scan_pod *pod = MORE(w->scan.pods, w->scan.pod_count);

	SET(pod->uid, word[0]);
	pod->netns = netns_of(word[1]);
	pod->host_network = pod->netns.cookie == HOST;
	pod->pid = (pid_t)(100 * w->scan.pod_count);
}

static void add_box(struct world *w, char *const *word)
{
	struct scan_container *c = MORE(w->scan.containers, w->scan.container_count);

	SET(c->id, word[0]);
	c->pid = atoi(word[1]);
	c->netns = netns_of(word[2]);
	c->pod = w->scan.pod_count - 1;
}

static void split(const char *owner, char *namespace, size_t namespace_size, char *name, size_t name_size)
{
	const char *slash = strchr(owner, '/');

	assert_non_null(slash);
	snprintf(namespace, namespace_size, "%.*s", (int)(slash - owner), owner);
	snprintf(name, name_size, "%s", slash + 1);
}

static void add_api(struct world *w, char *const *word)
{
	struct kube_pod *pod = calloc(1, sizeof(*pod));
	struct err err;

	assert_non_null(pod);
	split(word[0], pod->namespace, sizeof(pod->namespace), pod->name, sizeof(pod->name));
	SET(pod->uid, word[1]);
	SET(pod->phase, "Running");
	for (word += 2; *word; word++) {
		if (!strcmp(*word, "host"))
			pod->host_network = true;
		else if (!strcmp(*word, "deleting"))
			pod->deleting = true;
		else if (!strncmp(*word, "static=", 7))
			SET(pod->static_uid, *word + 7);
		else if (!strncmp(*word, "phase=", 6))
			SET(pod->phase, *word + 6);
		else
			test_fail("what is %s?", *word);
	}
	assert_int_equal(kube_pods_put(&w->api, pod, &err), 0);
	w->in.api = &w->api;
}

static void add_name(struct world *w, char *const *word)
{
	struct kube_pairs *pairs = &w->api.list[w->api.count - 1]->containers;
	struct kube_pair *pair = MORE(pairs->list, pairs->count);

	pair->name = strdup(word[0]);
	pair->value = strdup(word[1]);
}

static struct kube_text text_of(const char *word)
{
	return strcmp(word, "-") ? (struct kube_text){ word, strlen(word) } : (struct kube_text){};
}

static void add_draft(struct kube_grants *grants, const char *owner, struct kube_draft draft)
{
	char namespace[64], name[254];
	struct err err;

	if (*said(owner)) {
		split(owner, namespace, sizeof(namespace), name, sizeof(name));
		draft.pod_namespace = text_of(namespace);
		draft.pod_name = text_of(name);
	}
	if (kube_grants_add(grants, &draft, &err))
		test_fail("%s", err.text);
}

static void add_kubelet(struct world *w, char *const *word)
{
	w->in.granted = &w->granted;
	if (word[0])
		add_draft(&w->granted, word[0],
			  (struct kube_draft){ .pod_uid = text_of(word[1]),
					       .container = text_of("c"),
					       .resource = text_of(word[2]),
					       .device = text_of(word[3]) });
}

static void add_checkpoint(struct world *w, char *const *word)
{
	w->in.granted = &w->granted;
	w->in.by_checkpoint = true;
	add_draft(&w->granted, "-",
		  (struct kube_draft){ .pod_uid = text_of(word[0]),
				       .container = text_of("c"),
				       .resource = text_of(word[1]),
				       .device = text_of(word[2]) });
}

static void add_dra(struct world *w, char *const *word)
{
	w->in.granted = &w->granted;
	add_draft(&w->granted, word[0],
		  (struct kube_draft){ .pod_uid = text_of(word[1]),
				       .claim_namespace = text_of("ml"),
				       .claim_name = text_of("nic"),
				       .device = text_of(word[2]) });
}

static void add_offer(struct world *w, char *const *word)
{
	w->in.allocatable = &w->allocatable;
	add_draft(&w->allocatable, "-",
		  (struct kube_draft){ .resource = text_of(word[0]), .device = text_of(word[1]) });
}

static void add_attach(struct world *w, char *const *word)
{
	struct model_attachment *a = MORE(w->attachments, w->in.attachment_count);

	SET(a->container_id, "abc");
	SET(a->ifname, "net1");
	SET(a->owner, word[0]);
	SET(a->uid, said(word[1]));
	SET(a->pci, word[2]);
	a->netns = netns_of(word[3]);
}

static void add_device(struct world *w, char *const *word)
{
	struct tracked_device *d = MORE(w->devices, w->in.device_count);
	struct netns_id netns = netns_of(word[1]);

	d->index = (uint32_t)w->in.device_count;
	snprintf(d->device.name, sizeof(d->device.name), "rdma%u", d->index);
	SET(d->device.parent, said(word[0]));
	d->device.netns_cookie = netns.cookie;
	d->device.netns_inum = netns.inum;
	if (word[2])
		SET(d->netdev, word[2]);
}

static struct tracked_device *last_device(struct world *w)
{
	assert_true(w->in.device_count > 0);
	return &w->devices[w->in.device_count - 1];
}

static void add_claim(struct world *w, char *const *word)
{
	struct tracked_device *d = last_device(w);

	d->claimed = true;
	SET(d->claim.source, word[0]);
	SET(d->claim.owner, word[1]);
	SET(d->claim.resource, "claimed.org/r");
	d->claim.netns_cookie = netns_of(word[2]).cookie;
	d->claim.netns_inum = netns_of(word[2]).inum;
}

static void add_orphan(struct world *w, char *const *word)
{
	(void)word;
	last_device(w)->orphan = true;
}

static void set_shared(struct world *w, char *const *word)
{
	(void)word;
	w->in.shared = true;
}

static void add_netdev(struct world *w, char *const *word)
{
	struct model_netdev *n = MORE(w->netdevs, w->in.netdev_count);

	SET(n->parent, said(word[0]));
	SET(n->name, word[1]);
	n->netns = netns_of(word[2]);
}

static void add_netns(struct world *w, char *const *word)
{
	struct model_netns *n = MORE(w->netns, w->in.netns_count);

	SET(n->name, word[0]);
	n->id = netns_of(word[1]);
}

static void add_unit(struct world *w, char *const *word)
{
	add_netns(w, word);
	w->netns[w->in.netns_count - 1].unit = true;
}

/* ---- reading them ---- */

static const struct {
	const char *word;
	void (*add)(struct world *w, char *const *word);
	int least; /* words behind it */
} facts[] = {
	{ "proc", add_proc, 2 },     { "box", add_box, 3 },         { "api", add_api, 2 },
	{ "name", add_name, 2 },     { "kubelet", add_kubelet, 0 }, { "checkpoint", add_checkpoint, 3 },
	{ "dra", add_dra, 3 },       { "offer", add_offer, 2 },     { "attach", add_attach, 4 },
	{ "device", add_device, 2 }, { "claim", add_claim, 3 },     { "orphan", add_orphan, 0 },
	{ "shared", set_shared, 0 }, { "netdev", add_netdev, 3 },   { "netns", add_netns, 2 },
	{ "unit", add_unit, 2 },
};

/* Whose argument is the rest of the line. */
static bool read_json(struct world *w, const char *line)
{
	if (!strncmp(line, "networks ", 9))
		w->api.list[w->api.count - 1]->networks = strdup(line + 9);
	else if (!strncmp(line, "result ", 7))
		w->attachments[w->in.attachment_count - 1].result = strdup(line + 7);
	else
		return false;
	return true;
}

static void read_fact(struct world *w, char *line)
{
	char *words[12] = {}, *rest;
	int count = 0;

	if (read_json(w, line))
		return;
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < 11);
		words[count++] = word;
	}
	for (size_t i = 0; count && i < ARRAY_SIZE(facts); i++)
		if (!strcmp(words[0], facts[i].word)) {
			assert_true(count > facts[i].least);
			facts[i].add(w, words + 1);
			return;
		}
	if (count)
		test_fail("what is %s?", words[0]);
}

static void world_add(struct world *w, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest;

	assert_non_null(copy);
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_fact(w, line);
}

static const struct model *world_make(struct world *w)
{
	w->in.host = netns_of("1");
	w->in.devices = w->devices;
	w->in.netdevs = w->netdevs;
	w->in.netns = w->netns;
	w->in.attachments = w->attachments;
	w->in.scan = &w->scan;
	model_free(w->model);
	w->model = model_make(&w->in);
	assert_non_null(w->model);
	return w->model;
}

/* ---- printing ---- */

#define PRINTED 8192

static void print(char to[PRINTED], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void print(char to[PRINTED], const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, fmt);
	vsnprintf(to + len, PRINTED - len, fmt, args);
	va_end(args);
}

static const char *owner_at(const struct model *m, size_t pod)
{
	return pod == MODEL_NONE ? "-" : m->pods[pod].owner;
}

#endif
