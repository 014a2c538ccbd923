// SPDX-License-Identifier: Apache-2.0
#include "config/policy.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/util.h"

struct reader {
	const char *file;
	struct node_policy *policy;
	struct err *err;
};

struct key {
	const char *name;
	int (*read)(struct reader *r, const char *name, const cJSON *value);
};

/* Keys of the operator's that would be taken for served if they were only unknown. */
static const char *const not_served[] = {
	"nodeSelector",    "needVhostNet", "eSwitchMode",   "vdpaType",
	"excludeTopology", "bridge",       "eSwitchParams", "netFilter",
};

/* ---- values ---- */

static int read_number(struct reader *r, const char *name, const cJSON *value, unsigned int min, unsigned int max,
		       unsigned int *to)
{
	double v = cJSON_IsNumber(value) ? value->valuedouble : -1;

	if (!(v >= min && v <= max) || v != (double)(unsigned int)v)
		return fail(r->err, -ERANGE, "%s: \"%s\" must be a whole number from %u to %u", r->file, name, min,
			    max);
	*to = (unsigned int)v;
	return 0;
}

static int read_bool(struct reader *r, const char *name, const cJSON *value, bool *to)
{
	if (!cJSON_IsBool(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be true or false", r->file, name);
	*to = cJSON_IsTrue(value);
	return 0;
}

/* Four hexadecimal digits, as lspci -n shows them. */
static int read_id(struct reader *r, const char *name, const cJSON *value, int *to)
{
	uint64_t id;

	if (!cJSON_IsString(value) || strlen(value->valuestring) != 4 ||
	    parse_u64(value->valuestring, 16, 0, 0xffff, &id))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be four hexadecimal digits, like \"15b3\"", r->file,
			    name);
	*to = (int)id;
	return 0;
}

static bool unknown(const char *key, const struct key *keys, size_t count, size_t *k)
{
	for (*k = 0; *k < count && strcmp(keys[*k].name, key); (*k)++)
		;
	return *k == count;
}

static int refuse_key(struct reader *r, const char *name, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(not_served); i++)
		if (!strcmp(not_served[i], key))
			return fail(r->err, -EINVAL, "%s: \"%s\" is the SR-IOV operator's, and not served here",
				    r->file, name);
	return fail(r->err, -EINVAL, "%s: unknown key \"%s\"", r->file, name);
}

static int read_object(struct reader *r, const char *section, const cJSON *object, const struct key *keys, size_t count)
{
	const cJSON *member, *twin;
	char name[160];
	size_t k;
	int e;

	if (!cJSON_IsObject(object))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object", r->file, section);
	cJSON_ArrayForEach (member, object) {
		snprintf(name, sizeof(name), "%.80s.%.64s", section, member->string);
		for (twin = object->child; twin != member; twin = twin->next)
			if (!strcmp(twin->string, member->string))
				return fail(r->err, -EINVAL, "%s: the key \"%s\" stands twice", r->file, name);
		if (unknown(member->string, keys, count, &k))
			return refuse_key(r, name, member->string);
		e = keys[k].read(r, name, member);
		if (e)
			return e;
	}
	return 0;
}

/* ---- nicSelector ---- */

static int read_vendor(struct reader *r, const char *name, const cJSON *value)
{
	return read_id(r, name, value, &r->policy->vendor);
}

static int read_device(struct reader *r, const char *name, const cJSON *value)
{
	return read_id(r, name, value, &r->policy->device);
}

static int check_list(struct reader *r, const char *name, const cJSON *value)
{
	int n = cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 0;

	if (n < 1 || n > POLICY_SELECTORS)
		return fail(r->err, -EINVAL, "%s: \"%s\" must be a list of 1 to %d", r->file, name, POLICY_SELECTORS);
	return 0;
}

static int read_pf_names(struct reader *r, const char *name, const cJSON *value)
{
	struct policy_pf_name *names = r->policy->pf_names;
	const cJSON *one;
	size_t n = 0;
	int e = check_list(r, name, value);

	if (e)
		return e;
	cJSON_ArrayForEach (one, value) {
		if (!cJSON_IsString(one) || policy_parse_pf_name(one->valuestring, &names[n]))
			return fail(
				r->err, -EINVAL,
				"%s: \"%s[%zu]\" must be the name of a PF's netdev, or one with a range of VFs, like "
				"\"ens1f0#0-3\"",
				r->file, name, n);
		for (size_t i = 0; i < n; i++)
			if (!strcmp(names[i].name, names[n].name))
				return fail(
					r->err, -EINVAL,
					"%s: \"%s[%zu]\" names %s a second time: a policy has one range for each PF",
					r->file, name, n, names[n].name);
		n++;
	}
	return 0;
}

static int read_root_devices(struct reader *r, const char *name, const cJSON *value)
{
	const cJSON *one;
	size_t n = 0;
	int e = check_list(r, name, value);

	if (e)
		return e;
	cJSON_ArrayForEach (one, value) {
		if (!cJSON_IsString(one) || !policy_is_pci(one->valuestring))
			return fail(r->err, -EINVAL, "%s: \"%s[%zu]\" must be a PCI address, like \"0000:3b:00.0\"",
				    r->file, name, n);
		snprintf(r->policy->root_devices[n++], POLICY_PCI_LEN, "%s", one->valuestring);
	}
	return 0;
}

static const struct key selector_keys[] = {
	{ "vendor", read_vendor },
	{ "deviceID", read_device },
	{ "pfNames", read_pf_names },
	{ "rootDevices", read_root_devices },
};

static int read_selector(struct reader *r, const char *name, const cJSON *value)
{
	int e = read_object(r, name, value, selector_keys, ARRAY_SIZE(selector_keys));

	if (!e && !value->child) /* the operator takes it for "no NIC", which nobody means */
		return fail(r->err, -EINVAL, "%s: \"%s\" must say which PFs: vendor, deviceID, pfNames or rootDevices",
			    r->file, name);
	return e;
}

/* ---- a policy ---- */

static int read_resource(struct reader *r, const char *name, const cJSON *value)
{
	const char *text = cJSON_IsString(value) ? value->valuestring : "";

	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			text = "";
	if (!text[0] || try_snprintf(r->policy->resource, sizeof(r->policy->resource), "%s", text))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be of letters, digits and _, at most %d", r->file, name,
			    POLICY_RESOURCE_LEN - 1);
	return 0;
}

static int read_num_vfs(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 0, POLICY_VFS, &r->policy->num_vfs);
}

static int read_mtu(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, POLICY_MTU_MIN, POLICY_MTU_MAX, &r->policy->mtu);
}

static int read_priority(struct reader *r, const char *name, const cJSON *value)
{
	return read_number(r, name, value, 0, 99, &r->policy->priority);
}

static int read_link_type(struct reader *r, const char *name, const cJSON *value)
{
	if (cJSON_IsString(value) && (!strcmp(value->valuestring, "eth") || !strcmp(value->valuestring, "ETH")))
		return 0;
	return fail(r->err, -EINVAL, "%s: \"%s\" must be \"eth\": the warden serves RoCE alone", r->file, name);
}

static int read_device_type(struct reader *r, const char *name, const cJSON *value)
{
	for (enum policy_device_type t = POLICY_NETDEVICE; t <= POLICY_VFIO_PCI; t++) {
		if (!cJSON_IsString(value) || strcmp(value->valuestring, policy_type_name(t)))
			continue;
		r->policy->type = t;
		return 0;
	}
	return fail(r->err, -EINVAL, "%s: \"%s\" must be one of \"netdevice\", \"vfio-pci\"", r->file, name);
}

static int read_is_rdma(struct reader *r, const char *name, const cJSON *value)
{
	return read_bool(r, name, value, &r->policy->is_rdma);
}

static int read_externally_managed(struct reader *r, const char *name, const cJSON *value)
{
	return read_bool(r, name, value, &r->policy->externally_managed);
}

static const struct key policy_keys[] = {
	{ "resourceName", read_resource },
	{ "nicSelector", read_selector },
	{ "numVfs", read_num_vfs },
	{ "mtu", read_mtu },
	{ "linkType", read_link_type },
	{ "isRdma", read_is_rdma },
	{ "deviceType", read_device_type },
	{ "priority", read_priority },
	{ "externallyManaged", read_externally_managed },
};

static int check_ranges(struct reader *r, const char *name)
{
	const struct node_policy *p = r->policy;

	for (size_t i = 0; i < POLICY_SELECTORS && p->pf_names[i].name[0]; i++)
		if (p->pf_names[i].last >= (int)p->num_vfs)
			return fail(r->err, -EINVAL,
				    "%s: \"%s.nicSelector.pfNames[%zu]\" goes to VF %d, but \"numVfs\" is %u", r->file,
				    name, i, p->pf_names[i].last, p->num_vfs);
	return 0;
}

static int read_policy(struct reader *r, const char *name, const cJSON *value)
{
	static const char *const needed[] = { "resourceName", "nicSelector", "numVfs" };
	int e;

	*r->policy = (struct node_policy){ .vendor = -1, .device = -1 };
	e = read_object(r, name, value, policy_keys, ARRAY_SIZE(policy_keys));
	if (e)
		return e;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!cJSON_GetObjectItemCaseSensitive(value, needed[i]))
			return fail(r->err, -EINVAL, "%s: \"%s\" lacks the key \"%s\"", r->file, name, needed[i]);
	if (r->policy->type == POLICY_VFIO_PCI && r->policy->is_rdma)
		return fail(r->err, -EINVAL,
			    "%s: \"%s.isRdma\" contradicts \"deviceType\": with vfio-pci the kernel has no RDMA device",
			    r->file, name);
	return check_ranges(r, name);
}

int config_policies(const char *file, const char *name, const cJSON *list, struct node_policy *policies, size_t *count,
		    struct err *err)
{
	struct reader r = { .file = file, .err = err };
	const cJSON *one;
	char section[96];
	size_t n = 0;
	int e;

	memset(policies, 0, POLICY_COUNT * sizeof(*policies));
	*count = 0;
	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > POLICY_COUNT)
		return fail(err, -EINVAL, "%s: \"%s\" must be a list of at most %d policies", file, name, POLICY_COUNT);
	cJSON_ArrayForEach (one, list) {
		snprintf(section, sizeof(section), "%.64s[%zu]", name, n);
		r.policy = &policies[n++];
		e = read_policy(&r, section, one);
		if (e)
			return e;
	}
	*count = n;
	return 0;
}
