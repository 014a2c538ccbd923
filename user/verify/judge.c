// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lib/util.h"
#include "report/text.h"
#include "verify/internal.h"

const char *verify_result_name(enum verify_result result)
{
	static const char *const names[] = { "pass", "fail", "unknown" };

	return result < ARRAY_SIZE(names) ? names[result] : "unknown";
}

/* ---- a check ---- */

struct verify_check check_begin(const struct judge *j, const char *id, const char *subject)
{
	struct verify_check check = { .id = id };

	snprintf(check.owner, sizeof(check.owner), "%s", j->pod ? j->pod->owner : "");
	snprintf(check.subject, sizeof(check.subject), "%s", subject);
	return check;
}

#define FILL(to, fmt)                                  \
	do {                                           \
		va_list args_;                         \
		va_start(args_, fmt);                  \
		vsnprintf(to, sizeof(to), fmt, args_); \
		va_end(args_);                         \
	} while (0)

void check_expected(struct verify_check *check, const char *fmt, ...)
{
	FILL(check->expected, fmt);
}

void check_found(struct verify_check *check, const char *fmt, ...)
{
	FILL(check->found, fmt);
}

void check_cure(struct verify_check *check, const char *fmt, ...)
{
	FILL(check->cure, fmt);
}

void check_cure_vf(struct verify_check *check, const struct model_device *device, const char *what, const char *value)
{
	const char *pf = text_word(device->tracked.pf);

	check_cure(check,
		   "ip link set %s vf N %s %s, N being that of the link virtfnN to %s in /sys/class/net/%s/device", pf,
		   what, value, text_word(device->tracked.device.parent), pf);
}

/* Pods choose names of netdevs and nodes; nothing of them reaches a terminal or JSON but printable ASCII. */
void check_tell(const struct judge *j, struct verify_check *check, enum verify_result result)
{
	check->result = result;
	if (result != VERIFY_FAIL)
		check->cure[0] = '\0';
	text_from_bytes(check->owner, sizeof(check->owner), check->owner, sizeof(check->owner));
	text_from_bytes(check->subject, sizeof(check->subject), check->subject, sizeof(check->subject));
	text_from_bytes(check->expected, sizeof(check->expected), check->expected, sizeof(check->expected));
	text_from_bytes(check->found, sizeof(check->found), check->found, sizeof(check->found));
	text_from_bytes(check->cure, sizeof(check->cure), check->cure, sizeof(check->cure));
	j->tell(check, j->ctx);
}

/* ---- texts ---- */

void text_list(char *list, size_t size, const char *item)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", item);
}

const char *text_word(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/+-";

	return name[0] && name[0] != '-' && !name[strspn(name, plain)] ? name : "NAME";
}

/* Its name in /run/netns, where a device in it or its owner tells, or "". */
static const char *netns_of(const struct judge *j)
{
	static const char named[] = "netns/";

	for (size_t i = 0; i < j->model->device_count; i++)
		if (j->model->devices[i].tracked.netns[0] &&
		    j->model->devices[i].tracked.device.netns_cookie == j->pod->netns.cookie)
			return j->model->devices[i].tracked.netns;
	return strncmp(j->pod->owner, named, sizeof(named) - 1) ? "" : j->pod->owner + sizeof(named) - 1;
}

void text_inside(const struct judge *j, char *to, size_t size)
{
	const char *name = netns_of(j);

	if (j->pod->pid > 0)
		snprintf(to, size, "nsenter -t %d -n ", j->pod->pid);
	else if (name[0] && strlen(name) + sizeof("ip netns exec  ") <= size)
		snprintf(to, size, "ip netns exec %s ", text_word(name));
	else
		snprintf(to, size, "in the netns %u: ", j->pod->netns.inum);
}

void text_anew(const struct judge *j, char *to, size_t size)
{
	if (j->pod->namespace[0])
		snprintf(to, size, "kubectl -n %s delete pod %s: its next one is attached anew",
			 text_word(j->pod->namespace), text_word(j->pod->name));
	else
		snprintf(to, size, "attach it anew");
}

/* ---- what is asked ---- */

const char *device_subject(const struct model *model, const struct model_device *device)
{
	const char *parent = device->tracked.device.parent;
	unsigned int same = 0;

	for (size_t i = 0; i < model->device_count; i++)
		same += !strcmp(model->devices[i].tracked.device.parent, parent);
	return parent[0] && same < 2 ? parent : device->tracked.device.name;
}

bool device_is_of(const struct model *model, const struct model_device *device, size_t pod)
{
	const struct tracked_device *t = &device->tracked;
	bool vf = t->pf[0], whole = !vf && strchr(t->device.parent, ':');

	if (device->pod != pod)
		return false;
	return device->source != POD_SOURCE_PROC || (!whole && !(vf && model->has_granted));
}

const struct verify_device *node_device(const struct verify_node *node, uint32_t index)
{
	for (size_t i = 0; i < node->device_count; i++)
		if (node->devices[i].index == index)
			return &node->devices[i];
	return NULL;
}

const struct inside_rdma *inside_rdma_get(const struct inside_pod *in, uint32_t index)
{
	for (size_t i = 0; i < in->rdma_count; i++)
		if (in->rdma[i].index == index)
			return &in->rdma[i];
	return NULL;
}

const struct inside_netdev *inside_netdev_get(const struct inside_pod *in, const char *name)
{
	for (size_t i = 0; i < in->netdev_count; i++)
		if (!strcmp(in->netdevs[i].name, name))
			return &in->netdevs[i];
	return NULL;
}

/* ---- pods ---- */

static bool has_contradiction(const struct model *model, size_t pod)
{
	for (size_t i = 0; i < model->contradiction_count; i++)
		if (model->contradictions[i].pods[0] == pod || model->contradictions[i].pods[1] == pod)
			return true;
	return false;
}

/* One that has nothing and was promised nothing has nothing to be judged by. */
static bool is_concerned(const struct model *model, size_t pod)
{
	if (has_contradiction(model, pod))
		return true;
	if (model->pods[pod].ended)
		return false;
	for (size_t i = 0; i < model->granted_count; i++)
		if (model->granted[i].pod == pod)
			return true;
	for (size_t i = 0; i < model->device_count; i++)
		if (model->devices[i].pod == pod)
			return true;
	return model->pods[pod].network_count > 0;
}

static const struct inside_pod *inside_of(const struct verify_inside *inside, size_t pod)
{
	for (size_t i = 0; i < inside->count; i++)
		if (inside->pods[i].pod == pod)
			return &inside->pods[i];
	return NULL;
}

static void judge_pod(struct judge *j, size_t pod)
{
	j->index = pod;
	j->pod = &j->model->pods[pod];
	j->in = inside_of(j->inside, pod);
	judge_tracking(j);
	if (j->pod->ended)
		return;
	judge_devices(j);
	judge_nodes(j);
	judge_interfaces(j);
}

int verify_judge(const struct model *model, const struct verify_inside *inside, const struct verify_node *node,
		 const char *owner, void (*tell)(const struct verify_check *check, void *ctx), void *ctx,
		 struct err *err)
{
	struct judge j = {
		.model = model, .inside = inside, .node = node, .tell = tell, .ctx = ctx, .index = MODEL_NONE
	};
	bool found = false;

	if (!owner) {
		judge_node(&j);
		judge_resources(&j);
		judge_tracking(&j);
	}
	for (size_t i = 0; i < model->pod_count; i++) {
		if (owner ? strcmp(model->pods[i].owner, owner) != 0 : !is_concerned(model, i))
			continue;
		judge_pod(&j, i);
		found = true;
	}
	return owner && !found ? fail(err, -ENOENT, "there is no pod %s on this node", owner) : 0;
}
