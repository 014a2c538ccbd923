// SPDX-License-Identifier: Apache-2.0
#include "lib/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

static struct loop *loop;
static struct work *work;
static pthread_t loop_thread;
static atomic_uint running, most_running, run_count;
static unsigned int done_count, wanted;

static void open_work(unsigned int most)
{
	struct err err;

	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(work_open(&work, loop, most, &err), 0);
	loop_thread = pthread_self();
	running = most_running = run_count = 0;
	done_count = 0;
}

static void close_work(void)
{
	work_close(work);
	loop_close(loop);
}

static void run(void *job)
{
	unsigned int now = ++running, most = most_running;

	(void)job;
	while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
		;
	usleep(2000);
	running--;
	run_count++;
}

static void done(void *job)
{
	(void)job;
	assert_true(pthread_equal(pthread_self(), loop_thread));
	if (++done_count == wanted)
		loop_stop(loop);
}

static void many_jobs(void **state)
{
	(void)state;
	open_work(3);
	wanted = 20;
	for (unsigned int i = 0; i < wanted; i++)
		assert_int_equal(work_start(work, run, done, NULL), 0);
	assert_int_equal(work_count(work), wanted);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(run_count, wanted);
	assert_int_equal(work_count(work), 0);
	assert_in_range(most_running, 1, 3);
	close_work();
}

static void run_at_once(void *job)
{
	atomic_fetch_add((atomic_uint *)job, 1);
}

/* A job may have ended before the one who started it looks at it again. */
static void jobs_that_end_at_once(void **state)
{
	static atomic_uint runs[4000];

	(void)state;
	open_work(4);
	wanted = ARRAY_SIZE(runs);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		assert_int_equal(work_start(work, run_at_once, done, &runs[i]), 0);
	assert_int_equal(loop_run(loop), 0);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		assert_int_equal(runs[i], 1);
	close_work();
}

struct asking {
	int answer;
	bool in_loop;
};

static int call(void *ctx)
{
	struct asking *a = ctx;

	a->in_loop = pthread_equal(pthread_self(), loop_thread);
	return 42;
}

static void run_asking(void *job)
{
	struct asking *a = job;

	a->answer = work_in_loop(work, call, a);
}

static void a_job_asks_the_loop(void **state)
{
	struct asking a[8] = {};

	(void)state;
	open_work(8);
	wanted = ARRAY_SIZE(a);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		assert_int_equal(work_start(work, run_asking, done, &a[i]), 0);
	assert_int_equal(loop_run(loop), 0);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		assert_int_equal(a[i].answer, 42);
		assert_true(a[i].in_loop);
	}
	close_work();
}

/* The loop does not run any more: nothing is done in it, and nobody waits for it for ever. */
static void the_loop_has_ended(void **state)
{
	struct asking a[3] = {};

	(void)state;
	open_work(2);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		assert_int_equal(work_start(work, run_asking, done, &a[i]), 0);
	close_work();
	assert_int_equal(a[0].answer, -ECANCELED);
	assert_int_equal(a[1].answer, -ECANCELED);
	assert_int_equal(a[2].answer, 0); /* which was never begun */
	assert_false(a[0].in_loop || a[1].in_loop);
	assert_int_equal(done_count, 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(many_jobs),
		cmocka_unit_test(jobs_that_end_at_once),
		cmocka_unit_test(a_job_asks_the_loop),
		cmocka_unit_test(the_loop_has_ended),
	};

	return RUN_CASES("work", cases);
}
