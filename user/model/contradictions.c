// SPDX-License-Identifier: Apache-2.0
/* What two sources say that cannot both be right. Where one of them does not know, there is none. */
#include <string.h>

#include "lib/hash.h"
#include "lib/util.h"
#include "model/internal.h"

static const char *const rule_names[] = {
#define X(id, name) [CONTRADICTION_##id] = name,
	CONTRADICTIONS(X)
#undef X
};

const char *contradiction_name(enum contradiction_rule rule)
{
	return rule < CONTRADICTION_COUNT ? rule_names[rule] : "";
}

/* ---- telling ---- */

struct telling {
	struct join *j;
	struct index told; /* by device */
	size_t room;
};

static bool is_told(const struct telling *t, enum contradiction_rule rule, const char *device)
{
	const struct contradiction *list = t->j->model->contradictions;

	INDEX_EACH(&t->told, hash_text(device), i)
	if (list[i].rule == rule && !strcmp(list[i].device, device))
		return true;
	return false;
}

static bool grow(struct telling *t)
{
	size_t room = t->room ? 2 * t->room : 8;
	struct contradiction *longer = reallocarray(t->j->model->contradictions, room, sizeof(*longer));

	if (!longer)
		return false;
	t->j->model->contradictions = longer;
	t->room = room;
	return true;
}

/* Its place: NULL when there is one of that rule and device, or no memory. The text and the cure are the caller's. */
static struct contradiction *tell(struct telling *t, enum contradiction_rule rule, const char *device)
{
	struct model *m = t->j->model;
	struct contradiction *c;

	if (t->j->failed || is_told(t, rule, device))
		return NULL;
	if ((m->contradiction_count == t->room && !grow(t)) ||
	    !index_put(&t->told, hash_text(device), m->contradiction_count)) {
		t->j->failed = true;
		return NULL;
	}
	c = &m->contradictions[m->contradiction_count++];
	*c = (struct contradiction){ .rule = rule, .pods = { MODEL_NONE, MODEL_NONE } };
	try_snprintf(c->device, sizeof(c->device), "%s", device);
	return c;
}

/* Names are up to 317 characters, and a text has place for two of them: a long one keeps its ends. */
#define BRIEF 144
struct brief {
	char text[BRIEF];
};

static struct brief brief(const char *name)
{
	size_t len = strlen(name), half = (BRIEF - sizeof("...")) / 2;
	struct brief b;

	if (try_snprintf(b.text, sizeof(b.text), "%s", name))
		try_snprintf(b.text, sizeof(b.text), "%.*s...%s", (int)half, name, name + len - half);
	return b;
}

static struct brief pod_brief(const struct telling *t, size_t pod)
{
	return brief(t->j->model->pods[pod].owner);
}

static const char *device_name(const struct model_device *d)
{
	return d->tracked.device.parent[0] ? d->tracked.device.parent : d->tracked.device.name;
}

static const char *kubelet(const struct join *j)
{
	return j->in->by_checkpoint ? "the kubelet's checkpoint" : "the kubelet";
}

/* ---- one device, two pods ---- */

/* Before the pod's name. */
static const char *const says[POD_SOURCE_COUNT] = {
	[POD_SOURCE_ATTACH] = "the journal of attachments has it with ",
	[POD_SOURCE_CLAIM] = "a claim by request has it as that of ",
	[POD_SOURCE_KUBELET] = "the kubelet has given it to ",
	[POD_SOURCE_CHECKPOINT] = "the kubelet's checkpoint has it as given to ",
	[POD_SOURCE_PROC] = "by its processes, the netns that it is in is that of ",
	[POD_SOURCE_NETNS] = "by its name or unit, the netns that it is in is that of ",
};

static void tell_pods(struct telling *t, const struct model_device *d, enum pod_source a, enum pod_source b)
{
	struct contradiction *c = tell(t, CONTRADICTION_POD, device_name(d));

	if (!c)
		return;
	c->sources[0] = a;
	c->sources[1] = b;
	c->pods[0] = d->by[a];
	c->pods[1] = d->by[b];
	try_snprintf(c->text, sizeof(c->text), "%s: %s%s, but %s%s", c->device, says[a], pod_brief(t, d->by[a]).text,
		     says[b], pod_brief(t, d->by[b]).text);
	if (a == POD_SOURCE_CLAIM || b == POD_SOURCE_CLAIM)
		try_snprintf(c->cure, sizeof(c->cure),
			     "If the claim is wrong, end it: wardenctl release --device %s. Else delete the other pod",
			     c->device);
	else
		try_snprintf(c->cure, sizeof(c->cure),
			     "Delete the pod that should not have it. If that comes again, see that each network of "
			     "the pods names the resource it takes its device from (k8s.v1.cni.cncf.io/resourceName)");
}

/* The first two by trust. */
static void judge_pods(struct telling *t, const struct model_device *d)
{
	const struct model_pod *pods = t->j->model->pods;

	for (size_t a = 0; a < TRUSTED; a++)
		for (size_t b = a + 1; d->by[trusted[a]] != MODEL_NONE && b < TRUSTED; b++) {
			size_t one = d->by[trusted[a]], other = d->by[trusted[b]];

			if (other == MODEL_NONE || !pods_differ(&pods[one], &pods[other]))
				continue;
			tell_pods(t, d, trusted[a], trusted[b]);
			return;
		}
}

/* ---- in a pod, and nobody allocated it ---- */

static void judge_stray(struct telling *t, size_t index)
{
	const struct model_device *d = &t->j->model->devices[index];
	const unsigned int gives = 1u << POD_SOURCE_ATTACH | 1u << POD_SOURCE_CLAIM | 1u << POD_SOURCE_KUBELET |
				   1u << POD_SOURCE_CHECKPOINT;
	size_t pod = d->by[POD_SOURCE_PROC];
	struct contradiction *c;

	if (!t->j->model->has_granted || pod == MODEL_NONE || t->j->said[index] & gives || !d->tracked.device.parent[0])
		return;
	c = tell(t, CONTRADICTION_STRAY, device_name(d));
	if (!c)
		return;
	c->sources[0] = POD_SOURCE_PROC;
	c->sources[1] = grant_source(t->j);
	c->pods[0] = pod;
	try_snprintf(c->text, sizeof(c->text), "%s: %s%s, but %s has given it to nobody", c->device,
		     says[POD_SOURCE_PROC], pod_brief(t, pod).text, kubelet(t->j));
	try_snprintf(c->cure, sizeof(c->cure),
		     "Let the pod ask for the device as a resource, which is how the kubelet knows that it is taken; "
		     "or take "
		     "it out: rdma dev set %.40s netns 1",
		     d->tracked.device.name);
}

/* ---- allocated, and not in the pod ---- */

/* Where the kernel has a function's device: cookie 0 not known. */
struct place {
	struct netns_id netns;
	const char *what;
};

static bool is_home(const struct join *j, size_t pod, uint64_t cookie)
{
	return !cookie || cookie == j->model->pods[pod].netns.cookie || join_pod_by_netns(j, cookie) == pod;
}

/* The first RDMA device of the function that is elsewhere. */
static struct place find_rdma(const struct join *j, const char *parent, size_t pod, bool *any)
{
	struct place away = {};

	INDEX_EACH(&j->devices, hash_text(parent), d)
	{
		const struct warden_device *one = &j->in->devices[d].device;

		if (strcmp(one->parent, parent))
			continue;
		*any = true;
		if (!is_home(j, pod, one->netns_cookie))
			away = (struct place){ { one->netns_cookie, one->netns_inum }, "its RDMA device" };
	}
	return away;
}

/* Its netdevs, where none of them is in the pod. */
static struct place find_netdev(const struct join *j, const char *parent, size_t pod)
{
	struct place away = {};

	INDEX_EACH(&j->netdevs, hash_text(parent), n)
	{
		const struct model_netdev *one = &j->in->netdevs[n];

		if (strcmp(one->parent, parent))
			continue;
		if (is_home(j, pod, one->netns.cookie))
			return (struct place){};
		away = (struct place){ one->netns, "its netdev" };
	}
	return away;
}

/* Of a function that a userspace driver has nothing is seen, and nothing is said. */
static struct place find_away(const struct join *j, const char *parent, size_t pod)
{
	bool any = false;
	struct place away = {};

	if (!j->in->shared)
		away = find_rdma(j, parent, pod, &any);
	return any ? away : find_netdev(j, parent, pod);
}

static void say_place(const struct telling *t, const struct netns_id *netns, size_t pod, char *to, size_t size)
{
	if (netns->cookie == t->j->in->host.cookie)
		try_snprintf(to, size, "in the host's netns");
	else if (pod != MODEL_NONE)
		try_snprintf(to, size, "in the netns of %s", pod_brief(t, pod).text);
	else
		try_snprintf(to, size, "in a netns (%u) of no pod that is known", netns->inum);
}

static enum pod_source source_of(const struct join *j, size_t pod)
{
	enum pod_source source = pod == MODEL_NONE ? POD_SOURCE_COUNT : netns_source(&j->model->pods[pod]);

	return source == POD_SOURCE_COUNT ? POD_SOURCE_PROC : source;
}

static void tell_missing(struct telling *t, const char *parent, const struct model_grant *g, const struct place *place)
{
	struct contradiction *c = tell(t, CONTRADICTION_MISSING, parent);
	size_t there = join_pod_by_netns(t->j, place->netns.cookie);
	char where[256];

	if (!c)
		return;
	c->sources[0] = grant_source(t->j);
	c->sources[1] = source_of(t->j, there);
	c->pods[0] = g->pod;
	c->pods[1] = there;
	say_place(t, &place->netns, there, where, sizeof(where));
	try_snprintf(c->text, sizeof(c->text), "%s: %s%s, but by the kernel %s is %s", c->device,
		     says[grant_source(t->j)], pod_brief(t, g->pod).text, place->what, where);
	try_snprintf(
		c->cure, sizeof(c->cure),
		"See that a network of the pod names %s%s (k8s.v1.cni.cncf.io/resourceName), then make the pod anew",
		g->resource[0] ? "the resource " : "its resource", brief(g->resource).text);
}

/* A pod that no process is seen of has nothing yet, or nothing any more; one of the host has nothing of its own. */
static void judge_missing(struct telling *t, size_t grant)
{
	const struct model *m = t->j->model;
	const struct model_grant *g = &m->granted[grant];
	const char *parent = grant_parent(&t->j->in->granted->list[grant]);
	const struct model_pod *pod;
	struct place away;

	if (!grant_counts(m, g))
		return;
	pod = &m->pods[g->pod];
	if (pod->host_network || !pod->netns.cookie || !(pod->sources & 1u << POD_SOURCE_PROC))
		return;
	away = find_away(t->j, parent, g->pod);
	if (away.netns.cookie)
		tell_missing(t, parent, g, &away);
}

/* ---- netdev and RDMA device ---- */

/* Of a soft device no netdev's netns is known. Both with one pod, of which a container may have a netns of its own, is no matter. */
static void judge_split(struct telling *t, const struct model_device *d)
{
	const struct warden_device *rdma = &d->tracked.device;
	struct netns_id netns = { rdma->netns_cookie, rdma->netns_inum };
	char rdma_at[200], netdev_at[200];
	size_t pods[2] = { join_pod_by_netns(t->j, netns.cookie), join_pod_by_netns(t->j, d->netdev_netns.cookie) };
	struct contradiction *c;

	if (t->j->in->shared || !netns.cookie || !d->netdev_netns.cookie || netns.cookie == d->netdev_netns.cookie)
		return;
	if (pods[0] != MODEL_NONE && pods[0] == pods[1])
		return;
	c = tell(t, CONTRADICTION_SPLIT, rdma->parent);
	if (!c)
		return;
	for (size_t i = 0; i < 2; i++) {
		c->pods[i] = pods[i];
		c->sources[i] = source_of(t->j, pods[i]);
	}
	say_place(t, &netns, pods[0], rdma_at, sizeof(rdma_at));
	say_place(t, &d->netdev_netns, pods[1], netdev_at, sizeof(netdev_at));
	try_snprintf(c->text, sizeof(c->text), "%s: by the kernel its RDMA device is %s, but its netdev %s", c->device,
		     rdma_at, netdev_at);
	try_snprintf(
		c->cure, sizeof(c->cure),
		"Delete the pod that has the one of them, and see that its network moves both (rdma-warden, or sriov "
		"with rdma-cni behind it)");
}

/* ---- the shared plugin ---- */

/*
 * It gives out every device that it has under each of its IDs, which are the numbers "0", "1" and so on up to rdmaHcaMax; its
 * resources' domain is "rdma" where no resourcePrefix is configured (k8s-rdma-shared-dev-plugin, pkg/resources/server.go,
 * newResourceServer(); pkg/resources/resources_manager.go). Other plugins have numbers for IDs, too: the name must fit.
 */
struct resource {
	const char *name;
	bool numbers, functions; /* all of its IDs are; one of them is an RDMA device's PCI function */
};

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_shared(const struct resource *r)
{
	return r->numbers && (!strncmp(r->name, "rdma/", 5) || strstr(strchr(r->name, '/') + 1, "rdma") ||
			      strstr(strchr(r->name, '/') + 1, "hca"));
}

static struct resource *find_resource(struct telling *t, struct index *index, struct resource *list, size_t *count,
				      const char *name)
{
	INDEX_EACH(index, hash_text(name), r)
	if (!strcmp(list[r].name, name))
		return &list[r];
	if (!index_put(index, hash_text(name), *count)) {
		t->j->failed = true;
		return NULL;
	}
	list[*count] = (struct resource){ .name = name, .numbers = true };
	return &list[(*count)++];
}

/* By name; how many there are. `list` has room for as many as there are devices. */
static size_t list_resources(struct telling *t, struct resource *list)
{
	const struct model *m = t->j->model;
	struct index index = {};
	size_t count = 0;

	for (size_t i = 0; !t->j->failed && i < m->allocatable_count; i++) {
		const struct model_grant *g = &m->allocatable[i];
		struct resource *r = strchr(g->resource, '/') ? find_resource(t, &index, list, &count, g->resource)
							      : NULL;

		if (!r)
			continue;
		r->numbers &= is_number(g->device);
		r->functions |= g->index != MODEL_NONE;
	}
	index_free(&index);
	return count;
}

static void tell_shared(struct telling *t, const struct resource *shared, const struct resource *exclusive)
{
	char device[128];
	struct contradiction *c;

	try_snprintf(device, sizeof(device), "%s", brief(shared->name).text);
	c = tell(t, CONTRADICTION_SHARED_PLUGIN, device);
	if (!c)
		return;
	c->sources[0] = c->sources[1] = POD_SOURCE_KUBELET;
	try_snprintf(
		c->text, sizeof(c->text),
		"the kubelet has %s to give, whose devices are numbers and stand for RDMA devices that all pods share, "
		"but also %s, whose devices are each one pod's alone",
		brief(shared->name).text, brief(exclusive->name).text);
	try_snprintf(c->cure, sizeof(c->cure),
		     "Take the shared RDMA device plugin (rdmaSharedDevicePlugin of the NIC operator) off this node, "
		     "or have it "
		     "on nodes without exclusive devices");
}

static void judge_plugins(struct telling *t)
{
	_cleanup_free_ struct resource *list = join_array(t->j, t->j->model->allocatable_count, sizeof(*list));
	size_t count = list ? list_resources(t, list) : 0;
	const struct resource *exclusive = NULL;

	for (size_t r = 0; !exclusive && r < count; r++)
		if (list[r].functions)
			exclusive = &list[r];
	for (size_t r = 0; exclusive && r < count; r++)
		if (is_shared(&list[r]))
			tell_shared(t, &list[r], exclusive);
}

void join_contradictions(struct join *j)
{
	struct telling t = { .j = j };

	for (size_t d = 0; d < j->model->device_count; d++) {
		judge_pods(&t, &j->model->devices[d]);
		judge_stray(&t, d);
		judge_split(&t, &j->model->devices[d]);
	}
	for (size_t i = 0; i < j->model->granted_count; i++)
		judge_missing(&t, i);
	judge_plugins(&t);
	index_free(&t.told);
}
