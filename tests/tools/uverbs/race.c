// SPDX-License-Identifier: Apache-2.0
#include "race.h"

#include <errno.h>
#include <pthread.h>

struct flipper {
	uint8_t *byte;
	uint8_t values[2];
	bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;

	for (unsigned int i = 0; !__atomic_load_n(&f->stop, __ATOMIC_RELAXED); i++)
		__atomic_store_n(f->byte, f->values[i & 1], __ATOMIC_RELAXED);
	return NULL;
}

static int race_one(struct client *c, const struct qp *qp, struct race *race)
{
	struct ib_uverbs_modify_qp request = rtr_request(&c->opt, qp);
	const struct command cmd = { .number = IB_USER_VERBS_CMD_MODIFY_QP, .in = &request, .in_len = sizeof(request) };
	struct flipper f = { .byte = &request.dest.traffic_class, .values = { (uint8_t)c->opt.tclass, race->other } };
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, flip, &f);

	if (err)
		return err;
	do {
		err = invoke(c, "race", &cmd);
		race->tried++;
		race->denied += err == -EACCES;
	} while (err == -EACCES && race->tried < race->rounds);
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return err == -EACCES ? 0 : err;
}

int race_qps(struct client *c, struct race *race)
{
	int err = 0;

	while (!err && !race->slipped && race->tried < race->rounds) {
		struct ib_uverbs_query_qp_resp state = { 0 };
		struct qp qp;

		err = create_qp(c, &qp);
		if (!err)
			err = modify_to_init(c, &qp);
		if (!err)
			err = race_one(c, &qp, race);
		if (!err)
			err = query_qp(c, &qp, &state);
		race->slipped += !err && state.dest.traffic_class == race->other;
	}
	return err;
}
