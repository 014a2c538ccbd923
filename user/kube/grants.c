// SPDX-License-Identifier: Apache-2.0
#include "kube/grants.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/names.h"
#include "lib/util.h"

static bool label_valid(const char *s, size_t len)
{
	return name_valid(s, len, NAME_LABEL_MAX);
}

static bool subdomain_valid(const char *s, size_t len)
{
	return name_valid(s, len, NAME_SUBDOMAIN_MAX);
}

static bool device_valid(const char *s, size_t len)
{
	if (!len || len > KUBE_DEVICE_MAX || !json_is_utf8(s, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return true;
}

#define FIELD(name) offsetof(struct kube_draft, name), offsetof(struct kube_grant, name)

static const struct field {
	const char *what;
	size_t draft, grant;
	bool (*valid)(const char *s, size_t len);
} fields[] = {
	{ "pod's namespace", FIELD(pod_namespace), label_valid },
	{ "pod's name", FIELD(pod_name), subdomain_valid },
	{ "pod's UID", FIELD(pod_uid), label_valid },
	{ "container's name", FIELD(container), label_valid },
	{ "resource's name", FIELD(resource), name_resource_valid },
	{ "claim's namespace", FIELD(claim_namespace), label_valid },
	{ "claim's name", FIELD(claim_name), subdomain_valid },
	{ "device's ID", FIELD(device), device_valid },
};

static char **text_of(struct kube_grant *grant, const struct field *field)
{
	return (char **)((char *)grant + field->grant);
}

static void grant_free(struct kube_grant *grant)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		free(*text_of(grant, &fields[i]));
}

void kube_grants_free(struct kube_grants *grants)
{
	for (size_t i = 0; i < grants->count; i++)
		grant_free(&grants->list[i]);
	free(grants->list);
	*grants = (struct kube_grants){};
}

static int make_room(struct kube_grants *grants, struct err *err)
{
	size_t room = grants->room ? 2 * grants->room : 64;
	struct kube_grant *bigger;

	if (grants->count < grants->room)
		return 0;
	if (grants->count == KUBE_GRANTS_MAX)
		return fail(err, -E2BIG, "more than %d devices", KUBE_GRANTS_MAX);
	bigger = realloc(grants->list, room * sizeof(*bigger));
	if (!bigger)
		return fail(err, -ENOMEM, "out of memory");
	grants->list = bigger;
	grants->room = room;
	return 0;
}

/* The text itself is not shown: it may be anything. */
static int copy_text(const struct field *field, const struct kube_text *text, char **to, struct err *err)
{
	if (!text->at)
		return 0;
	if (!field->valid(text->at, text->len))
		return fail(err, -EBADMSG, "a %s is not legal", field->what);
	*to = strndup(text->at, text->len);
	return *to ? 0 : fail(err, -ENOMEM, "out of memory");
}

int kube_grants_add(struct kube_grants *grants, const struct kube_draft *draft, struct err *err)
{
	struct kube_grant grant = { .numa_nodes = draft->numa_nodes };
	int r = make_room(grants, err);

	for (size_t i = 0; !r && i < ARRAY_SIZE(fields); i++)
		r = copy_text(&fields[i], (const void *)((const char *)draft + fields[i].draft),
			      text_of(&grant, &fields[i]), err);
	if (r) {
		grant_free(&grant);
		return r;
	}
	grants->list[grants->count++] = grant;
	return 0;
}

int kube_numa_add(uint64_t *nodes, int64_t id, struct err *err)
{
	if (id < -1 || id > 63)
		return fail(err, -EBADMSG, "NUMA node %lld is none", (long long)id);
	if (id >= 0)
		*nodes |= 1ull << id;
	return 0;
}
