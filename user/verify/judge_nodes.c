// SPDX-License-Identifier: Apache-2.0
/* Of a pod: the character devices of the RDMA stack that its containers have. */
#include <string.h>

#include "lib/util.h"
#include "verify/internal.h"

static bool has_own_device(const struct judge *j)
{
	for (size_t i = 0; i < j->model->device_count; i++)
		if (device_is_of(j->model, &j->model->devices[i], j->index))
			return true;
	return false;
}

/* Names, separated by blanks. */
static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; len && (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static bool is_uverbs_of(const struct model_device *d, const struct inside_node *node)
{
	return d->tracked.device.uverbs && node->dev == dev_from_kernel(d->tracked.device.uverbs);
}

/* Also its umad and issm nodes, which only their names tell. */
static bool is_own(const struct judge *j, const struct inside_node *node)
{
	for (size_t i = 0; i < j->model->device_count; i++) {
		const struct model_device *d = &j->model->devices[i];

		if (device_is_of(j->model, d, j->index) &&
		    (is_uverbs_of(d, node) || has_word(d->tracked.cdevs, node->cdev)))
			return true;
	}
	return false;
}

static bool is_cm(const struct inside_node *node)
{
	return !strcmp(node->cdev, "rdma_cm");
}

/* The only process that is seen of a pod may be that of its sandbox, which is given no device. */
static bool may_be_sandbox(const struct model_pod *pod)
{
	size_t running = 0;

	for (size_t i = 0; i < pod->container_count; i++)
		if (pod->containers[i].pid > 0 && (pod->containers[i].name[0] || running++))
			return false;
	return true;
}

/* Why it is not known that a node is missing, or NULL. */
static const char *why_unknown(const struct judge *j)
{
	if (!j->in->nodes_seen)
		return "no container of it could be looked into";
	if (j->in->nodes_cut)
		return "/dev/infiniband has more entries than are looked at";
	if (!j->in->node_count && may_be_sandbox(j->pod))
		return "no container of it is seen that is not perhaps its sandbox";
	return NULL;
}

static void tell_wanted(const struct judge *j, const char *subject, const char *node, bool there)
{
	struct verify_check c = check_begin(j, "pod.nodes", subject);
	const char *why = there ? NULL : why_unknown(j);

	check_expected(&c, "a container has %s", node);
	check_found(&c, "%s", why ? why : there ? "it has" : "no container has it in /dev/infiniband");
	check_cure(&c, "have the device plugin give the containers the nodes (its resource with \"isRdma\": true), and "
		       "make the pod anew");
	check_tell(j, &c, why ? VERIFY_UNKNOWN : pass_if(there));
}

static void own_uverbs(const struct judge *j, const struct model_device *d)
{
	char node[64];
	bool there = false;

	for (size_t i = 0; i < j->in->node_count; i++)
		there = there || is_uverbs_of(d, &j->in->nodes[i]);
	snprintf(node, sizeof(node), "the uverbs node of %.40s", d->tracked.device.name);
	if (d->tracked.device.uverbs)
		tell_wanted(j, device_subject(j->model, d), node, there);
}

static void own_nodes(const struct judge *j)
{
	bool cm = false;

	for (size_t i = 0; i < j->model->device_count; i++)
		if (device_is_of(j->model, &j->model->devices[i], j->index))
			own_uverbs(j, &j->model->devices[i]);
	for (size_t i = 0; i < j->in->node_count; i++)
		cm = cm || is_cm(&j->in->nodes[i]);
	tell_wanted(j, "rdma_cm", "rdma_cm", cm);
}

static void foreign_nodes(const struct judge *j)
{
	struct verify_check c = check_begin(j, "pod.nodes", "others");
	char list[384] = "";

	for (size_t i = 0; i < j->in->node_count; i++) {
		const struct inside_node *node = &j->in->nodes[i];
		char item[128];

		if (!node->cdev[0] || is_cm(node) || is_own(j, node))
			continue;
		snprintf(item, sizeof(item), "%s (as %s in container %.12s)", node->cdev, node->name, node->container);
		text_list(list, sizeof(list), item);
	}
	check_expected(&c, "no container has a node of a device that is not the pod's");
	if (list[0])
		check_found(&c, "%s", list);
	else
		check_found(&c, "%s",
			    j->in->nodes_cut ? "/dev/infiniband has more entries than are looked at" : "none has");
	check_cure(
		&c,
		"take volumes of /dev and \"privileged\" out of the pod; have the device plugin alone give it nodes");
	check_tell(j, &c, list[0] ? VERIFY_FAIL : j->in->nodes_cut ? VERIFY_UNKNOWN : VERIFY_PASS);
}

/* What is no pod of Kubernetes has no containers that are known. */
void judge_nodes(struct judge *j)
{
	if (!j->in || (!j->pod->uid[0] && !j->pod->container_count))
		return;
	if (has_own_device(j))
		own_nodes(j);
	if (j->in->nodes_seen)
		foreign_nodes(j);
}
