// SPDX-License-Identifier: Apache-2.0
#include "attach/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/internal.h"
#include "lib/log.h"
#include "lib/util.h"

/* ---- lists ---- */

int attach_for_each(struct attach *a, int (*visit)(const struct attach_view *view, void *ctx), void *ctx)
{
	int r = 0;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; !r && i < a->count; i++) {
		const struct record *one = a->records[i];
		const struct attach_view view = { .container_id = one->container_id,
						  .ifname = one->ifname,
						  .network = one->network,
						  .owner = one->owner,
						  .pci = one->pci,
						  .step = record_step_name(one->step),
						  .trouble = one->trouble,
						  .pod_uid = one->pod_uid,
						  .netns = one->netns,
						  .has_rdma = one->has_rdma || one->softroce,
						  .result = one->result,
						  .quarantined = one->trouble[0] && one->step == STEP_DELETE };

		r = visit(&view, ctx);
	}
	pthread_mutex_unlock(&a->lock);
	return r;
}

/* ---- open, recover, close ---- */

static void take_record(struct record *record, void *ctx)
{
	if (records_add(ctx, record))
		record_free(record); /* the next start finds its file again */
}

static void tell_damaged(const char *why, void *ctx)
{
	struct attach *a = ctx;

	a->options.hooks.fault(why, a->options.hooks.ctx);
}

int attach_open(struct attach **attach, const struct attach_options *options, struct err *err)
{
	struct attach *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return fail(err, -ENOMEM, "out of memory");
	a->options = *options;
	a->asked_ns = boot_ns();
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	r = record_folder(options->state_dir, a->folder, err);
	if (!r)
		r = record_for_each(a->folder, take_record, tell_damaged, a, err);
	if (!r && read_line("/proc/sys/kernel/random/boot_id", a->boot_id, sizeof(a->boot_id)))
		r = fail(err, -EIO, "the boot's ID cannot be read");
	if (r) {
		attach_close(a);
		return r;
	}
	*attach = a;
	return 0;
}

void attach_close(struct attach *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->count; i++)
		record_free(a->records[i]);
	free(a->records);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}

static bool is_half_done(const struct record *r)
{
	return r->step != STEP_ATTACHED;
}

static bool is_troubled(const struct record *r)
{
	return r->trouble[0];
}

/* Of one that is to be brought home: what it is found by again. */
struct half_done {
	char container_id[CNI_ID_LEN];
	char ifname[IF_NAMESIZE];
	enum netconf_role role;
};

static size_t list_those(struct attach *a, bool (*meant)(const struct record *r), struct half_done **list)
{
	size_t count = 0;

	pthread_mutex_lock(&a->lock);
	*list = calloc(a->count + 1, sizeof(**list));
	for (size_t i = 0; *list && i < a->count; i++) {
		const struct record *r = a->records[i];
		struct half_done *one = *list + count;

		if (!meant(r))
			continue;
		memcpy(one->container_id, r->container_id, sizeof(one->container_id));
		memcpy(one->ifname, r->ifname, sizeof(one->ifname));
		one->role = r->role;
		count++;
	}
	pthread_mutex_unlock(&a->lock);
	return count;
}

/* Calls come meanwhile: by now it may be home, or its container may be attached anew. */
static void recover_one(struct attach *a, const struct half_done *one)
{
	struct cni_error e = {};
	struct record *r;
	struct hold hold;

	r = records_hold(a, one->container_id, one->ifname, one->role, &hold);
	if (!r)
		return;
	if (is_half_done(r)) {
		pr_info("attachment of %s of container %.64s stopped at \"%s\": it is brought home", r->pci,
			r->container_id, record_step_name(r->step));
		attach_home(a, r, &e); /* which says what it cannot do */
	}
	hold_give(a, &hold);
}

static void recover_those(struct attach *a, bool (*meant)(const struct record *r))
{
	_cleanup_free_ struct half_done *list = NULL;
	size_t count = list_those(a, meant, &list);

	for (size_t i = 0; i < count; i++)
		recover_one(a, &list[i]);
}

void attach_recover(struct attach *a)
{
	recover_those(a, is_half_done);
}

void attach_retry(struct attach *a)
{
	recover_those(a, is_troubled);
}

uint64_t attach_idle_ns(struct attach *a)
{
	uint64_t idle;

	pthread_mutex_lock(&a->lock);
	idle = a->count ? 0 : boot_ns() - a->asked_ns;
	pthread_mutex_unlock(&a->lock);
	return idle;
}

size_t attach_troubled(struct attach *a)
{
	size_t count = 0;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->count; i++)
		count += is_troubled(a->records[i]);
	pthread_mutex_unlock(&a->lock);
	return count;
}

/* ---- calls ---- */

static int run(struct call *call, struct cni_error *e)
{
	static int (*const commands[])(struct call *, struct cni_error *) = {
		[CNI_ADD] = attach_add, [CNI_DEL] = attach_del,       [CNI_CHECK] = attach_check,
		[CNI_GC] = attach_gc,   [CNI_STATUS] = attach_status,
	};

	static const enum timing timings[] = {
		[CNI_ADD] = TIMING_ADD, [CNI_DEL] = TIMING_DEL,       [CNI_CHECK] = TIMING_CHECK,
		[CNI_GC] = TIMING_GC,   [CNI_STATUS] = TIMING_STATUS,
	};
	uint64_t begin = boot_ns();
	int r;

	if (call->env.command >= ARRAY_SIZE(commands) || !commands[call->env.command])
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_COMMAND %s is not for the daemon",
				cni_command_name(call->env.command));
	if (call->attach->options.draining && (call->env.command == CNI_ADD || call->env.command == CNI_STATUS))
		return cni_fail(e, call->env.command == CNI_ADD ? CNI_TRY_AGAIN : CNI_NOT_AVAILABLE,
				"wardend leaves this node and attaches nothing more (--drain)");
	r = commands[call->env.command](call, e);
	timing_note(call->attach, timings[call->env.command], begin);
	return r;
}

bool attach_call(struct attach *a, const struct cni_variables *variables, const char *config, size_t len, char **answer)
{
	struct call *call = calloc(1, sizeof(*call));
	struct cni_error e = {};
	int r;

	*answer = NULL;
	if (!call)
		return false;
	call->attach = a;
	call->conf.version = CNI_1_1_0;
	call->deadline_ns = attach_ipam_deadline(a);
	r = cni_env_read(variables, &call->env, &e);
	if (!r)
		r = netconf_read(config, len, &call->env, &call->conf, &e);
	if (!r)
		r = run(call, &e);
	*answer = r ? cni_error_print(call->conf.version, &e) : take_ptr(call->answer);
	pthread_mutex_lock(&a->lock);
	a->asked_ns = boot_ns();
	pthread_mutex_unlock(&a->lock);
	free(call->answer);
	cni_result_free(&call->result);
	netconf_free(&call->conf);
	free(call);
	return !r;
}
