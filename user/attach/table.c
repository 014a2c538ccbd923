// SPDX-License-Identifier: Apache-2.0
/* What is attached, and who works on what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/internal.h"
#include "lib/util.h"

/* ---- who works on what ---- */

static bool is_held(const struct attach *a, const char *name)
{
	for (const struct hold *h = a->holds; h; h = h->next)
		if (!strcmp(h->name, name))
			return true;
	return false;
}

void hold_take(struct attach *a, struct hold *hold, const char *name)
{
	snprintf(hold->name, sizeof(hold->name), "%s", name);
	pthread_mutex_lock(&a->lock);
	while (is_held(a, hold->name))
		pthread_cond_wait(&a->changed, &a->lock);
	hold->next = a->holds;
	a->holds = hold;
	pthread_mutex_unlock(&a->lock);
}

/* A blank is in no device's name, so it is not taken for one. */
void hold_attachment(struct attach *a, struct hold *hold, const struct call *call)
{
	char name[sizeof(hold->name)];

	snprintf(name, sizeof(name), "attachment %s:%s%s", call->env.container_id, call->env.ifname,
		 call->conf.role == NETCONF_RDMA ? ":rdma" : "");
	hold_take(a, hold, name);
}

void hold_give(struct attach *a, struct hold *hold)
{
	struct hold **p = &a->holds;

	pthread_mutex_lock(&a->lock);
	while (*p != hold)
		p = &(*p)->next;
	*p = hold->next;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* ---- the table ---- */

int records_add(struct attach *a, struct record *record)
{
	struct record **grown;

	pthread_mutex_lock(&a->lock);
	grown = reallocarray(a->records, a->count + 1, sizeof(*grown));
	if (grown) {
		a->records = grown;
		a->records[a->count++] = record;
	}
	pthread_mutex_unlock(&a->lock);
	return grown ? 0 : -ENOMEM;
}

void records_remove(struct attach *a, struct record *record)
{
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->count; i++) {
		if (a->records[i] != record)
			continue;
		a->records[i] = a->records[--a->count];
		break;
	}
	pthread_mutex_unlock(&a->lock);
}

static struct record *find_locked(const struct attach *a, const char *container_id, const char *ifname,
				  enum netconf_role role)
{
	for (size_t i = 0; i < a->count; i++) {
		struct record *r = a->records[i];

		if (!strcmp(r->container_id, container_id) && !strcmp(r->ifname, ifname) &&
		    (r->role == NETCONF_RDMA) == (role == NETCONF_RDMA))
			return r;
	}
	return NULL;
}

struct record *records_find(struct attach *a, const char *container_id, const char *ifname, enum netconf_role role)
{
	struct record *found;

	pthread_mutex_lock(&a->lock);
	found = find_locked(a, container_id, ifname, role);
	pthread_mutex_unlock(&a->lock);
	return found;
}

static bool device_of(struct attach *a, const char *container_id, const char *ifname, enum netconf_role role,
		      char pci[WARDEN_PARENT_LEN])
{
	const struct record *found;

	pthread_mutex_lock(&a->lock);
	found = find_locked(a, container_id, ifname, role);
	if (found)
		memcpy(pci, found->pci, WARDEN_PARENT_LEN);
	pthread_mutex_unlock(&a->lock);
	return found;
}

struct record *records_hold(struct attach *a, const char *container_id, const char *ifname, enum netconf_role role,
			    struct hold *hold)
{
	for (;;) {
		char pci[WARDEN_PARENT_LEN];
		struct record *r;

		if (!device_of(a, container_id, ifname, role, pci))
			return NULL;
		hold_take(a, hold, pci);
		r = records_find(a, container_id, ifname, role);
		if (r && !strcmp(r->pci, pci))
			return r;
		hold_give(a, hold);
	}
}

struct record *records_by_device(struct attach *a, const char *pci, enum netconf_role role, const struct record *except)
{
	struct record *found = NULL;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; !found && i < a->count; i++) {
		struct record *r = a->records[i];

		if (r != except && r->step != STEP_HOME && !strcmp(r->pci, pci) &&
		    (r->role == NETCONF_RDMA) == (role == NETCONF_RDMA))
			found = r;
	}
	pthread_mutex_unlock(&a->lock);
	return found;
}

/* ---- time ---- */

uint64_t attach_ipam_deadline(const struct attach *a)
{
	return boot_ns() + a->options.ipam_ms * 1000000ull;
}
