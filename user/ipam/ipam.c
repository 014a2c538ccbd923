// SPDX-License-Identifier: Apache-2.0
#include "ipam/ipam.h"

#include <errno.h>
#include <string.h>

#include "ipam/exec.h"
#include "ipam/spiderpool.h"
#include "lib/util.h"

enum backend { BACKEND_NONE, BACKEND_EXEC, BACKEND_SPIDERPOOL };

/* enum backend, or -errno. */
static int choose(const struct netconf *conf, struct spiderpool_config *spiderpool, struct cni_error *e)
{
	int r;

	if (!conf->ipam)
		return BACKEND_NONE;
	if (strcmp(conf->ipam_type, "spiderpool"))
		return BACKEND_EXEC;
	r = spiderpool_config(conf, spiderpool, e);
	return r ? r : spiderpool->exec ? BACKEND_EXEC : BACKEND_SPIDERPOOL;
}

unsigned int ipam_left_ms(uint64_t deadline_ns, unsigned int most)
{
	uint64_t now = boot_ns(), left = deadline_ns > now ? (deadline_ns - now + 999999) / 1000000 : 0;

	return left < most ? (unsigned int)left : most;
}

int ipam_config_check(const struct netconf *conf, struct cni_error *e)
{
	struct spiderpool_config spiderpool;
	int backend = choose(conf, &spiderpool, e);

	return backend < 0 ? backend : 0;
}

int ipam_add(const struct ipam_call *call, struct cni_result *result, struct ipam_hints *hints, struct cni_error *e)
{
	struct spiderpool_config spiderpool;
	struct ipam_hints unwanted;
	int backend = choose(call->conf, &spiderpool, e);

	*result = (struct cni_result){};
	hints = hints ? hints : &unwanted;
	*hints = (struct ipam_hints){};
	if (backend == BACKEND_SPIDERPOOL)
		return spiderpool_add(call, &spiderpool, result, hints, e);
	return backend == BACKEND_EXEC ? exec_add(call, result, e) : backend;
}

int ipam_del(const struct ipam_call *call, struct cni_error *e)
{
	struct spiderpool_config spiderpool;
	int backend = choose(call->conf, &spiderpool, e);

	if (backend == BACKEND_SPIDERPOOL)
		return spiderpool_del(call, &spiderpool, e);
	return backend == BACKEND_EXEC ? exec_del(call, e) : backend;
}

int ipam_check(const struct ipam_call *call, struct cni_error *e)
{
	struct spiderpool_config spiderpool;
	int backend = choose(call->conf, &spiderpool, e);

	/* The agent has no call for it, and its plugin says yes to everything. */
	if (backend == BACKEND_SPIDERPOOL)
		return 0;
	return backend == BACKEND_EXEC ? exec_check(call, e) : backend;
}

int ipam_gc(const struct ipam_call *call, const struct netconf_attachment *valid, size_t count, struct cni_error *e)
{
	struct spiderpool_config spiderpool;
	int backend = choose(call->conf, &spiderpool, e);

	/* Spiderpool's controller collects what pods have left by itself. */
	if (backend == BACKEND_SPIDERPOOL)
		return 0;
	return backend == BACKEND_EXEC ? exec_gc(call, valid, count, e) : backend;
}

int ipam_status(const struct ipam_call *call, struct cni_error *e)
{
	struct spiderpool_config spiderpool;
	int backend = choose(call->conf, &spiderpool, e);

	if (backend == BACKEND_SPIDERPOOL)
		return spiderpool_status(call, &spiderpool, e);
	return backend == BACKEND_EXEC ? exec_status(call, e) : backend;
}
