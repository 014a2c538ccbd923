// SPDX-License-Identifier: Apache-2.0
/* What the kubelet advertises, beside what the node's policy says and what there is. */
#include <string.h>

#include "lib/util.h"
#include "verify/internal.h"

static bool is_source_on(const struct judge *j, const char *name)
{
	for (size_t i = 0; i < j->node->source_count; i++)
		if (!strcmp(j->node->sources[i].name, name))
			return j->node->sources[i].on;
	return false;
}

/* Policies leave out the domain, which is the device plugin's. */
static bool is_named(const char *resource, const char *name)
{
	const char *slash = strrchr(resource, '/');

	return !strcmp(slash ? slash + 1 : resource, name);
}

static unsigned int count_of(const struct model *model, const char *name)
{
	unsigned int count = 0;

	for (size_t i = 0; i < model->allocatable_count; i++)
		count += is_named(model->allocatable[i].resource, name);
	return count;
}

static void resource_name(const struct judge *j, const struct verify_resource *r, unsigned int count)
{
	struct verify_check c = check_begin(j, "resource.name", r->name);

	check_expected(&c, "the kubelet advertises it");
	check_found(&c, !j->model->has_allocatable ? "the kubelet does not say what it advertises"
			: count                    ? "it is advertised"
						   : "it is not advertised");
	check_cure(&c,
		   "give the device plugin's configuration a resource %s, and restart its pod on this node: it reads "
		   "both only at "
		   "its start",
		   r->name);
	check_tell(j, &c, j->model->has_allocatable ? pass_if(count) : VERIFY_UNKNOWN);
}

static void resource_count(const struct judge *j, const struct verify_resource *r, unsigned int count)
{
	struct verify_check c = check_begin(j, "resource.count", r->name);

	check_expected(&c, "%u devices, by the node's policy", r->vfs);
	check_found(&c, "%u devices", count);
	check_cure(&c, "wardenctl policy says whether the VFs are there; then restart the device plugin's pod on this "
		       "node, whose "
		       "selectors must match them");
	check_tell(j, &c, pass_if(count == r->vfs));
}

/* ---- devices that are gone ---- */

/* domain:bus:device.function, as sysfs has it. */
static bool is_pci(const char *device)
{
	static const char form[] = "xxxx:xx:xx.x";
	size_t i;

	for (i = 0; form[i]; i++)
		if (form[i] == 'x' ? !device[i] || !strchr("0123456789abcdef", device[i]) : device[i] != form[i])
			return false;
	return !device[i];
}

/* Other plugins advertise PCI functions, too, that never had an RDMA device. */
static bool is_of_rdma(const struct judge *j, const char *resource)
{
	for (size_t i = 0; i < j->model->allocatable_count; i++)
		if (j->model->allocatable[i].index != MODEL_NONE &&
		    !strcmp(j->model->allocatable[i].resource, resource))
			return true;
	for (size_t i = 0; i < j->node->resource_count; i++)
		if (j->node->resources[i].rdma && is_named(resource, j->node->resources[i].name))
			return true;
	return false;
}

static bool is_first_of(const struct model *model, size_t grant)
{
	for (size_t i = 0; i < grant; i++)
		if (!strcmp(model->allocatable[i].resource, model->allocatable[grant].resource))
			return false;
	return true;
}

/* How many of the resource's devices there are not; each is told. */
static unsigned int tell_gone(const struct judge *j, const char *resource)
{
	unsigned int gone = 0;

	for (size_t i = 0; i < j->model->allocatable_count; i++) {
		const struct model_grant *g = &j->model->allocatable[i];
		struct verify_check c = check_begin(j, "resource.device", g->device);

		if (strcmp(g->resource, resource) || g->index != MODEL_NONE || !is_pci(g->device))
			continue;
		check_expected(&c, "an RDMA device of this node");
		check_found(&c, "advertised as %s, and no RDMA device of this node", resource);
		check_cure(&c, "wardenctl policy says whether the VF is there and has its driver; else restart the "
			       "device plugin's pod "
			       "on this node");
		check_tell(j, &c, VERIFY_FAIL);
		gone++;
	}
	return gone;
}

static void resource_devices(const struct judge *j)
{
	for (size_t i = 0; i < j->model->allocatable_count; i++) {
		const char *resource = j->model->allocatable[i].resource;
		struct verify_check c = check_begin(j, "resource.device", resource);

		if (!is_first_of(j->model, i) || !is_of_rdma(j, resource) || tell_gone(j, resource))
			continue;
		check_expected(&c, "RDMA devices of this node");
		check_found(&c, "each device is one");
		check_tell(j, &c, VERIFY_PASS);
	}
}

/* ---- the plugin for shared devices ---- */

static void shared_plugin(const struct judge *j)
{
	static const char id[] = "resource.shared-plugin", right[] = "no plugin shares devices beside the VFs";
	struct verify_check none = check_begin(j, id, "resources");
	bool told = false;

	for (size_t i = 0; i < j->model->contradiction_count; i++) {
		const struct contradiction *x = &j->model->contradictions[i];
		struct verify_check c = check_begin(j, id, x->device);

		if (x->rule != CONTRADICTION_SHARED_PLUGIN)
			continue;
		check_expected(&c, right);
		check_found(&c, "%s", x->text);
		check_cure(&c, "%s", x->cure);
		check_tell(j, &c, VERIFY_FAIL);
		told = true;
	}
	if (told || (!j->model->has_allocatable && !is_source_on(j, "kubelet")))
		return;
	check_expected(&none, right);
	check_found(&none, j->model->has_allocatable ? "none does" : "the kubelet does not say what it advertises");
	check_tell(j, &none, j->model->has_allocatable ? VERIFY_PASS : VERIFY_UNKNOWN);
}

/* Without a kubelet that could be asked nobody promised that a resource is advertised. */
void judge_resources(struct judge *j)
{
	bool asked = j->model->has_allocatable || is_source_on(j, "kubelet");

	for (size_t i = 0; asked && i < j->node->resource_count; i++) {
		const struct verify_resource *r = &j->node->resources[i];
		unsigned int count = count_of(j->model, r->name);

		resource_name(j, r, count);
		if (count)
			resource_count(j, r, count);
	}
	resource_devices(j);
	shared_plugin(j);
}
