// SPDX-License-Identifier: Apache-2.0
/*
 * ADD: each step is written down before it is taken, and attach_home() undoes what there is, from wherever it stopped.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/internal.h"
#include "attach/node.h"
#include "lib/fault.h"
#include "lib/log.h"
#include "lib/mac.h"
#include "lib/util.h"

#define CARRIER_MS 200 /* before the addresses are announced; as sriov-cni waits */
#define GID_MS 2000

/* What one ADD works on. */
struct add {
	struct call *call;
	struct record *record; /* the table's, once it is there */
	struct node_device device; /* as it was found */
	int netns; /* the pod's */
	struct netns_id netns_id;
	uint32_t ifindex; /* in the pod */
	struct ipam_hints hints;
};

static const struct netconf *conf_of(const struct add *add)
{
	return &add->call->conf;
}

/* ---- what it is to be ---- */

/* An owner as claims have them: the pod, or for callers that are no kubelet, the container. */
static void name_owner(const struct cni_env *env, char *to, size_t size)
{
	char id[64];
	size_t n = 0;

	if (env->args.pod_namespace[0] && env->args.pod_name[0]) {
		snprintf(to, size, "%.63s/%.253s", env->args.pod_namespace, env->args.pod_name);
		return;
	}
	for (const char *c = env->container_id; *c && n < sizeof(id) - 1; c++)
		if (isalnum((unsigned char)*c) || (n && (*c == '-' || *c == '.')))
			id[n++] = (char)tolower((unsigned char)*c);
	while (n && !isalnum((unsigned char)id[n - 1]))
		n--;
	snprintf(to, size, "cni/%.*s", n ? (int)n : 1, n ? id : "x");
}

static bool wants_netdev(const struct netconf *conf)
{
	return conf->role != NETCONF_RDMA;
}

/* Whether the RDMA device goes too: 0, 1, or an error where it must and is not there. */
static int wants_rdma(const struct add *add, struct cni_error *e)
{
	const struct netconf *conf = conf_of(add);

	if (conf->rdma == NETCONF_RDMA_NO || conf->softroce)
		return 0;
	if (add->device.rdma_count > 1)
		return cni_fail(e, CNI_INVALID_NETCONF, "device %s has %zu RDMA devices; one is what can be attached",
				conf->device_id, add->device.rdma_count);
	if (add->device.rdma_count == 1)
		return 1;
	if (conf->rdma == NETCONF_RDMA_YES)
		return cni_fail(e, CNI_TRY_AGAIN, "device %s has no RDMA device in the host's netns", conf->device_id);
	return 0;
}

static struct record *new_record(const struct add *add, bool rdma)
{
	const struct netconf *conf = conf_of(add);
	const struct cni_env *env = &add->call->env;
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	snprintf(r->container_id, sizeof(r->container_id), "%s", env->container_id);
	snprintf(r->ifname, sizeof(r->ifname), "%s", env->ifname);
	snprintf(r->network, sizeof(r->network), "%s", conf->name);
	snprintf(r->netns_path, sizeof(r->netns_path), "%s", env->netns);
	snprintf(r->pci, sizeof(r->pci), "%.31s", conf->device_id); /* begin() has seen that it fits */
	snprintf(r->boot_id, sizeof(r->boot_id), "%s", add->call->attach->boot_id);
	snprintf(r->cni_path, sizeof(r->cni_path), "%s", env->path);
	snprintf(r->cni_args, sizeof(r->cni_args), "%s", env->raw_args);
	memcpy(r->pod_uid, env->args.pod_uid, sizeof(r->pod_uid));
	name_owner(env, r->owner, sizeof(r->owner));
	r->role = conf->role;
	r->has_ipam = conf->ipam != NULL && wants_netdev(conf);
	r->softroce = conf->softroce;
	node_device_record(&add->device, wants_netdev(conf), rdma, r);
	if (conf->softroce) /* before there is one, so that it is found again */
		snprintf(r->rdma_name, sizeof(r->rdma_name), "rxe-%.12s-%.15s", env->container_id, env->ifname);
	r->config = strdup(conf->text);
	if (r->config)
		return r;
	record_free(r);
	return NULL;
}

/* ---- the steps ---- */

/* Written down first: what comes next is not in force before it can be undone after a crash. */
static int step(struct add *add, enum record_step to, bool sync, struct cni_error *e)
{
	struct err err;

	if (record_advance(add->call->attach->folder, add->record, to, NULL, sync, &err))
		return cni_fail(e, CNI_IO, "%s", err.text);
	return 0;
}

static int step_vf(struct add *add, struct cni_error *e)
{
	struct err err;
	int r;

	if (!wants_netdev(conf_of(add)))
		return 0;
	/* What has no PF that tells of it cannot be set, and is not passed over in silence. */
	if (!add->record->has_vf)
		return node_vf_settings(conf_of(add)) ? cni_fail(e, CNI_INVALID_NETCONF,
								 "device %s: its PF, which is to set what the "
								 "configuration asks for, is not there",
								 add->record->pci)
						      : 0;
	r = step(add, STEP_VF, false, e);
	if (r)
		return r;
	r = node_vf_set(add->record->pci, conf_of(add), &add->record->vf, &err);
	return r ? cni_fail(e, r == -EBUSY ? CNI_TRY_AGAIN : CNI_INTERNAL, "%s", err.text) : 0;
}

static int step_netdev(struct add *add, struct cni_error *e)
{
	struct err err;
	int r;

	if (!add->record->has_netdev)
		return 0;
	r = step(add, STEP_NETDEV, false, e);
	if (r)
		return r;
	r = node_netdev_send(add->record, add->device.link.ifindex, add->netns, conf_of(add), &add->ifindex, &err);
	return r ? cni_fail(e, r == -EEXIST ? CNI_INVALID_ENVIRONMENT : CNI_INTERNAL, "%s", err.text) : 0;
}

static int step_rdma(struct add *add, struct cni_error *e)
{
	struct err err;
	int r;

	if (!add->record->has_rdma && !add->record->softroce)
		return 0;
	r = step(add, STEP_RDMA, false, e);
	if (r)
		return r;
	r = add->record->softroce ? node_softroce_add(add->record, add->netns, &err)
				  : node_rdma_send(add->device.rdma_index, add->netns, &err);
	if (!r)
		r = node_rdma_check(add->record, add->netns, &err);
	return r ? cni_fail(e, CNI_INTERNAL, "%s", err.text) : 0;
}

static int step_claim(struct add *add, struct cni_error *e)
{
	const struct attach_hooks *hooks = &add->call->attach->options.hooks;
	const struct attach_claim claim = { .device = node_claim_name(add->record),
					    .netns_path = add->record->netns_path,
					    .owner = add->record->owner,
					    .pod_uid = add->record->pod_uid,
					    .resource = conf_of(add)->resource_name };
	struct err err;
	int r;

	if (!add->record->has_rdma && !add->record->softroce)
		return 0;
	r = step(add, STEP_CLAIM, false, e);
	if (r)
		return r;
	err.text[0] = '\0';
	r = fault_around("attach.claim", hooks->claim(&claim, &err, hooks->ctx));
	if (r && !err.text[0])
		fail(&err, r, "the claim on %s: %s", claim.device, strerror(-r));
	return r ? cni_fail(e, r == -EEXIST || r == -ENODEV ? CNI_TRY_AGAIN : CNI_INTERNAL, "%s", err.text) : 0;
}

/* Up before IPAM, so that the link's carrier comes in the meantime. */
static int step_up(struct add *add, struct cni_error *e)
{
	struct err err;
	int r;

	if (!add->record->has_netdev)
		return 0;
	r = node_sysctls(add->netns, conf_of(add), add->record->ifname, &err);
	if (!r)
		r = node_netdev_up(add->netns, add->ifindex, &err);
	return r ? cni_fail(e, CNI_INTERNAL, "%s", err.text) : 0;
}

static int step_ipam(struct add *add, struct cni_error *e)
{
	const struct ipam_call call = { .conf = conf_of(add),
					.env = &add->call->env,
					.deadline_ns = add->call->deadline_ns };
	int r;

	if (!add->record->has_ipam)
		return 0;
	r = step(add, STEP_IPAM, true, e);
	if (r)
		return r;
	r = ipam_add(&call, &add->call->result, &add->hints, e);
	if (r)
		add->record->has_ipam = false; /* it has given back what it may have got */
	return r;
}

/* An application that asks for its address's GID at once is to find it. One that has none is told of, and no reason to fail. */
static int step_gids(struct add *add, struct cni_error *e)
{
	const struct attach_hooks *hooks = &add->call->attach->options.hooks;
	const struct cni_result *result = wants_netdev(conf_of(add)) ? &add->call->result : &conf_of(add)->prev;
	struct err err;

	(void)e;
	if ((add->record->has_rdma || add->record->softroce) && result->ip_count &&
	    node_gids_check(add->record, add->netns, result, GID_MS, &err))
		hooks->fault(err.text, hooks->ctx);
	return 0;
}

static int step_addresses(struct add *add, struct cni_error *e)
{
	struct err err;
	int r;

	if (!add->record->has_netdev || !add->call->result.ip_count)
		return 0;
	r = step(add, STEP_ADDRESSES, false, e);
	if (r)
		return r;
	if (add->hints.detect_conflicts || add->hints.detect_gateway)
		r = node_probe(add->netns, add->ifindex, &add->call->result, add->hints.detect_conflicts,
			       add->hints.detect_gateway, &err);
	if (!r)
		r = node_configure(add->netns, add->ifindex, &add->call->result, &err);
	return r ? cni_fail(e, CNI_INTERNAL, "%s", err.text) : 0;
}

/* ---- the answer ---- */

/* What a userspace driver has: the MAC is that which the PF has for it, if it has any. */
static void name_userspace(const struct add *add, struct cni_interface *i)
{
	static const uint8_t none[6];

	if (conf_of(add)->mac[0])
		snprintf(i->mac, sizeof(i->mac), "%s", conf_of(add)->mac);
	else if (add->record->has_vf && memcmp(add->record->vf.mac, none, sizeof(none)) != 0)
		mac_print(add->record->vf.mac, i->mac);
}

static int add_interface(struct add *add, struct cni_error *e)
{
	struct cni_interface *i = cni_result_add_interface(&add->call->result);
	struct netdev_link link;
	struct err err;

	if (!i)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	snprintf(i->name, sizeof(i->name), "%s", add->record->ifname);
	snprintf(i->pci_id, sizeof(i->pci_id), "%s", conf_of(add)->device_is_pci ? add->record->pci : "");
	i->sandbox = strdup(add->record->netns_path);
	if (!i->sandbox)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	for (size_t n = 0; n < add->call->result.ip_count; n++)
		add->call->result.ips[n].interface = 0;
	if (!add->record->has_netdev) {
		name_userspace(add, i);
		return 0;
	}
	if (node_netdev_get(add->netns, add->ifindex, &link, &err))
		return cni_fail(e, CNI_INTERNAL, "%s", err.text);
	mac_print(link.mac, i->mac);
	i->mtu = link.mtu;
	return 0;
}

/* What a plugin before has made stands before ours. One that makes nothing to be told hands it on as it is. */
static char *print_answer(const struct add *add)
{
	_cleanup_(cni_result_free) struct cni_result all = {};
	const struct netconf *conf = conf_of(add);

	if (!wants_netdev(conf))
		return cJSON_PrintUnformatted(conf->prev_json);
	if (cni_result_append(&all, &conf->prev) || cni_result_append(&all, &add->call->result))
		return NULL;
	return cni_result_print(&all, conf->version);
}

static int make_answer(struct add *add, struct cni_error *e)
{
	cJSON *dns = conf_of(add)->dns.json;
	int r = wants_netdev(conf_of(add)) ? add_interface(add, e) : 0;

	if (r)
		return r;
	if (!add->call->result.dns.json && dns)
		add->call->result.dns.json = cJSON_Duplicate(dns, true);
	add->call->answer = print_answer(add);
	return add->call->answer ? 0 : cni_fail(e, CNI_INTERNAL, "out of memory");
}

/* The answer is on the disk before it is given, so that a second ADD, CHECK and DEL know it whatever happens next. */
static int commit(struct add *add, struct cni_error *e)
{
	struct err err;

	if (record_advance(add->call->attach->folder, add->record, STEP_ATTACHED, add->call->answer, true, &err))
		return cni_fail(e, CNI_IO, "%s", err.text);
	return 0;
}

/* ---- all of it ---- */

static int take_steps(struct add *add, struct cni_error *e)
{
	static const struct {
		int (*take)(struct add *add, struct cni_error *e);
		enum timing timing;
	} steps[] = {
		{ step_vf, TIMING_ADD_VF },
		{ step_netdev, TIMING_ADD_NETDEV },
		{ step_rdma, TIMING_ADD_RDMA },
		{ step_claim, TIMING_ADD_CLAIM },
		{ step_up, TIMING_ADD_UP },
		{ step_ipam, TIMING_ADD_IPAM },
		{ step_addresses, TIMING_ADD_ADDRESSES },
		{ step_gids, TIMING_ADD_GIDS },
		{ make_answer, TIMING_ADD_ANSWER },
		{ commit, TIMING_ADD_COMMIT },
	};
	uint64_t begin = boot_ns();
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(steps); i++) {
		r = steps[i].take(add, e);
		begin = timing_note(add->call->attach, steps[i].timing, begin);
	}
	return r;
}

static bool is_alive(const struct attach *a, const struct record *r)
{
	return r->step == STEP_ATTACHED && !strcmp(a->boot_id, r->boot_id) &&
	       node_netns_lives(r->netns_path, &r->netns);
}

/* A container that is attached already, or a VF that another one has. What is dead of them is brought home first. */
static int make_room(struct add *add, struct cni_error *e)
{
	struct attach *a = add->call->attach;
	const struct netconf *conf = conf_of(add);
	struct record *old = records_by_device(a, conf->device_id, conf->role, NULL);
	struct cni_error why = {};

	if (!old)
		return 0;
	if (is_alive(a, old))
		return cni_fail(e, CNI_TRY_AGAIN, "device %s is attached to container %s (%s)", conf->device_id,
				old->container_id, old->owner);
	if (attach_home(a, old, &why))
		return cni_fail(e, CNI_TRY_AGAIN, "device %s is not back from container %s: %s", conf->device_id,
				old->container_id, why.msg);
	return 0;
}

/* A process has the function: what is asked of its netdev is not passed over in silence. */
static int check_userspace(const struct add *add, struct cni_error *e)
{
	const struct netconf *conf = conf_of(add);
	const char *key = conf->mtu                        ? "mtu"
			  : conf->sysctl_count             ? "sysctls"
			  : conf->softroce                 ? "softroce"
			  : conf->rdma == NETCONF_RDMA_YES ? "rdma"
							   : NULL;

	return add->device.userspace && key
		       ? cni_fail(e, CNI_INVALID_NETCONF,
				  "device %s has a userspace driver: there is no netdev for \"%s\"", conf->device_id,
				  key)
		       : 0;
}

static int begin(struct add *add, struct cni_error *e)
{
	struct attach *a = add->call->attach;
	char unclean[256];
	struct err err;
	int rdma, r;

	if (strlen(conf_of(add)->device_id) >= sizeof(add->record->pci))
		return cni_fail(e, CNI_INVALID_NETCONF, "deviceID %s is too long", conf_of(add)->device_id);
	r = node_device_find(conf_of(add)->device_id, conf_of(add)->device_is_pci, &add->device, &err);
	if (r)
		return cni_fail(e, r == -ENODEV ? CNI_INVALID_NETCONF : CNI_INTERNAL, "%s", err.text);
	if (wants_netdev(conf_of(add)) && !add->device.link.ifindex && !add->device.userspace)
		return cni_fail(e, CNI_TRY_AGAIN,
				"device %s has neither a netdev in the host's netns nor a userspace driver",
				conf_of(add)->device_id);
	r = check_userspace(add, e);
	if (r)
		return r;
	rdma = wants_rdma(add, e);
	if (rdma < 0)
		return rdma;
	if (rdma && !a->options.hooks.clean(conf_of(add)->device_id, wants_netdev(conf_of(add)), unclean,
					    sizeof(unclean), a->options.hooks.ctx))
		return cni_fail(e, CNI_TRY_AGAIN, "device %s is not clean: %s", conf_of(add)->device_id, unclean);
	add->record = new_record(add, rdma);
	if (!add->record)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	add->record->netns = add->netns_id;
	if (records_add(a, add->record)) {
		record_free(add->record);
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	}
	r = record_create(a->folder, add->record, &err);
	if (!r)
		return 0;
	records_remove(a, add->record);
	record_free(add->record);
	return cni_fail(e, CNI_IO, "%s", err.text);
}

static void announce(const struct add *add)
{
	uint64_t begin = boot_ns();

	if (add->record->has_netdev)
		node_announce(add->netns, add->ifindex, &add->call->result, CARRIER_MS);
	timing_note(add->call->attach, TIMING_ADD_ANNOUNCE, begin);
}

static int run(struct add *add, struct cni_error *e)
{
	struct attach *a = add->call->attach;
	struct cni_error undo = {};
	uint64_t then = boot_ns();
	int r = make_room(add, e);

	if (!r)
		r = begin(add, e);
	timing_note(a, TIMING_ADD_FIND, then);
	if (r)
		return r;
	r = take_steps(add, e);
	if (!r) {
		announce(add);
		return 0;
	}
	if (attach_home(a, add->record, &undo))
		cni_details(e, "and it could not be undone (%s); that is tried again", undo.msg);
	return r;
}

/*
 * The container has such an interface already: for the same device, make_room() decides. Of another one it is an error, or
 * what is left of a container of the same name, or of one whose IPAM did not take the address back.
 */
static int retire(struct call *call, struct cni_error *e)
{
	struct attach *a = call->attach;
	struct cni_error why = {};
	struct hold hold;
	struct record *old = records_hold(a, call->env.container_id, call->env.ifname, call->conf.role, &hold);
	bool same;
	int r = 0;

	if (!old)
		return 0;
	same = !strcmp(old->pci, call->conf.device_id);
	if (is_alive(a, old))
		r = same ? 0
			 : cni_fail(e, CNI_INVALID_ENVIRONMENT,
				    "container %s has an interface %s already, of device %s", old->container_id,
				    old->ifname, old->pci);
	else if (attach_home(a, old, &why))
		r = cni_fail(e, CNI_TRY_AGAIN, "container %s had an interface %s, which is not home: %s",
			     call->env.container_id, call->env.ifname, why.msg);
	hold_give(a, &hold);
	return r;
}

/* "rdma" without a deviceID is about the interface that the plugin before it has made. */
static int name_device(struct call *call, int netns, struct cni_error *e)
{
	struct netconf *conf = &call->conf;
	struct err err;

	if (conf->device_id[0])
		return 0;
	if (node_netdev_parent(netns, call->env.ifname, conf->device_id, sizeof(conf->device_id), &err))
		return cni_fail(e, CNI_INVALID_NETCONF, "there is no \"deviceID\", and %s", err.text);
	conf->device_is_pci = strchr(conf->device_id, ':') != NULL;
	return 0;
}

/* A container's: the host's own is none. */
static int open_netns(struct add *add, struct cni_error *e)
{
	struct netns_id host;
	struct err err;
	int r = add->netns = netns_open(add->call->env.netns, 0, &err);

	if (r < 0)
		return cni_fail(e, r == -ENOENT || r == -EINVAL ? CNI_INVALID_NETNS : CNI_INTERNAL, "%s", err.text);
	r = netns_identify(add->netns, &add->netns_id, &err);
	if (!r)
		r = netns_self(&host, &err);
	if (r)
		return cni_fail(e, CNI_INTERNAL, "%s", err.text);
	return host.cookie == add->netns_id.cookie
		       ? cni_fail(e, CNI_INVALID_NETNS, "netns %s is the host's own", add->call->env.netns)
		       : 0;
}

int attach_add(struct call *call, struct cni_error *e)
{
	struct add add = { .call = call };
	_cleanup_close_ int netns = -1;
	struct hold attachment, hold;
	int r = open_netns(&add, e);

	netns = add.netns;
	if (!r)
		r = name_device(call, netns, e);
	if (r)
		return r;
	hold_attachment(call->attach, &attachment, call);
	r = retire(call, e);
	if (!r) {
		hold_take(call->attach, &hold, call->conf.device_id);
		r = run(&add, e);
		hold_give(call->attach, &hold);
	}
	hold_give(call->attach, &attachment);
	return r;
}
