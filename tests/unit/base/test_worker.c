// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Workers: no kick is lost, no two runs of a worker overlap, times are kept, and a seed decides the order of steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <openntb/log.h>
#include <openntb/worker.h>

#include "base/clock.h"

#define NR_WORKERS 4
#define NR_KICKERS 3
#define NR_KICKS   20000

/* What a worker of these tests works on. */
struct job {
	struct ontb_worker *worker;
	_Atomic unsigned long nr_wanted; /* set before a kick */
	unsigned long nr_seen;		 /* plain: written by runs, read after a flush */
	unsigned long nr_runs;
	_Atomic bool is_running;
	_Atomic bool has_overlapped;
	char letter;
};

static void see(void *arg)
{
	struct job *job = arg;

	if (atomic_exchange(&job->is_running, true))
		atomic_store(&job->has_overlapped, true);
	job->nr_seen = atomic_load_explicit(&job->nr_wanted, memory_order_relaxed);
	job->nr_runs++;
	atomic_store(&job->is_running, false);
}

static void *kick_many(void *arg)
{
	struct job *job = arg;

	for (unsigned int i = 0; i < NR_KICKS; i++) {
		atomic_fetch_add_explicit(&job->nr_wanted, 1, memory_order_relaxed);
		ontb_worker_kick(job->worker);
	}
	return NULL;
}

static void no_kick_is_lost_and_no_runs_overlap(void **state)
{
	struct ontb_worker_pool *pool;
	struct job job = { .letter = 'a' };
	pthread_t kickers[NR_KICKERS];

	(void)state;
	assert_int_equal(ontb_worker_pool_new("test", false, 0, &pool), 0);
	assert_false(ontb_worker_pool_is_stepped(pool));
	assert_int_equal(ontb_worker_new(pool, "see", see, &job, &job.worker), 0);
	for (unsigned int i = 0; i < NR_KICKERS; i++)
		assert_int_equal(pthread_create(&kickers[i], NULL, kick_many, &job), 0);
	for (unsigned int i = 0; i < NR_KICKERS; i++)
		assert_int_equal(pthread_join(kickers[i], NULL), 0);
	ontb_worker_flush(job.worker);
	assert_int_equal(job.nr_seen, NR_KICKERS * NR_KICKS);
	assert_true(job.nr_runs >= 1 && job.nr_runs <= NR_KICKERS * NR_KICKS);
	assert_false(atomic_load(&job.has_overlapped));
	ontb_worker_free(job.worker);
	ontb_worker_pool_free(pool);
}

static sem_t entered, may_leave;

static void wait_inside(void *arg)
{
	struct job *job = arg;

	job->nr_runs++;
	(void)sem_post(&entered);
	(void)sem_wait(&may_leave);
}

static void a_kick_during_a_run_makes_one_more(void **state)
{
	struct ontb_worker_pool *pool;
	struct job job = { .nr_runs = 0 };

	(void)state;
	assert_int_equal(sem_init(&entered, 0, 0), 0);
	assert_int_equal(sem_init(&may_leave, 0, 2), 0);
	assert_int_equal(ontb_worker_pool_new("test", false, 0, &pool), 0);
	assert_int_equal(ontb_worker_new(pool, "wait", wait_inside, &job, &job.worker), 0);
	ontb_worker_flush(job.worker);
	assert_int_equal(sem_trywait(&may_leave), 0);
	assert_int_equal(sem_trywait(&may_leave), 0);
	ontb_worker_kick(job.worker);
	assert_int_equal(sem_wait(&entered), 0);
	/* It is inside now. Three kicks are one run. */
	for (unsigned int i = 0; i < 3; i++)
		ontb_worker_kick(job.worker);
	assert_int_equal(sem_post(&may_leave), 0);
	assert_int_equal(sem_post(&may_leave), 0);
	ontb_worker_flush(job.worker);
	assert_int_equal(job.nr_runs, 2);
	ontb_worker_free(job.worker);
	ontb_worker_pool_free(pool);
	assert_int_equal(sem_destroy(&entered), 0);
	assert_int_equal(sem_destroy(&may_leave), 0);
}

static _Atomic uint64_t ran_at_ns;

static void note_time(void *arg)
{
	atomic_store(&ran_at_ns, ontb_clock_ns());
	(void)sem_post(arg);
}

static void a_time_is_kept_and_the_earlier_one_counts(void **state)
{
	struct ontb_worker_pool *pool;
	struct ontb_worker *worker;
	uint64_t start;
	sem_t has_run;

	(void)state;
	assert_int_equal(sem_init(&has_run, 0, 0), 0);
	assert_int_equal(ontb_worker_pool_new("test", false, 0, &pool), 0);
	assert_int_equal(ontb_worker_new(pool, "time", note_time, &has_run, &worker), 0);
	start = ontb_clock_ns();
	ontb_worker_kick_at(worker, start + 3600 * ONTB_NS_PER_S);
	ontb_worker_kick_at(worker, start + 30 * ONTB_NS_PER_MS);
	ontb_worker_kick_at(worker, start + 1800 * ONTB_NS_PER_S);
	assert_int_equal(sem_wait(&has_run), 0);
	assert_true(atomic_load(&ran_at_ns) >= start + 30 * ONTB_NS_PER_MS);
	assert_true(atomic_load(&ran_at_ns) < start + 1800 * ONTB_NS_PER_S);
	/* A time that is over, and a kick while a time is set. */
	ontb_worker_kick_at(worker, 0);
	assert_int_equal(sem_wait(&has_run), 0);
	ontb_worker_kick_at(worker, start + 3600 * ONTB_NS_PER_S);
	ontb_worker_kick(worker);
	assert_int_equal(sem_wait(&has_run), 0);
	/* Does not wait for an hour. */
	ontb_worker_flush(worker);
	ontb_worker_free(worker);
	ontb_worker_pool_free(pool);
	assert_int_equal(sem_destroy(&has_run), 0);
}

/* The order of steps, as letters. */
static char order[256];

static void append_letter(void *arg)
{
	struct job *job = arg;
	size_t len = strlen(order);

	assert_true(len + 1 < sizeof(order));
	order[len] = job->letter;
	job->nr_runs++;
	if (job->nr_runs < 10)
		ontb_worker_kick(job->worker);
}

static void run_stepped(uint64_t seed)
{
	struct job jobs[NR_WORKERS] = { { .nr_runs = 0 } };
	struct ontb_worker_pool *pool;
	unsigned int nr_steps = 0;

	memset(order, 0, sizeof(order));
	assert_int_equal(ontb_worker_pool_new("test", true, seed, &pool), 0);
	assert_true(ontb_worker_pool_is_stepped(pool));
	for (unsigned int i = 0; i < NR_WORKERS; i++) {
		jobs[i].letter = (char)('a' + (int)i);
		assert_int_equal(ontb_worker_new(pool, "letter", append_letter, &jobs[i], &jobs[i].worker), 0);
	}
	assert_false(ontb_worker_pool_step(pool));
	for (unsigned int i = 0; i < NR_WORKERS; i++)
		ontb_worker_kick(jobs[i].worker);
	assert_int_equal(strlen(order), 0);
	while (ontb_worker_pool_step(pool))
		nr_steps++;
	assert_int_equal(nr_steps, NR_WORKERS * 10);
	for (unsigned int i = NR_WORKERS; i-- > 0;)
		ontb_worker_free(jobs[i].worker);
	ontb_worker_pool_free(pool);
}

static void the_order_of_steps_depends_on_the_seed_only(void **state)
{
	char first[sizeof(order)];

	(void)state;
	run_stepped(1);
	memcpy(first, order, sizeof(first));
	run_stepped(1);
	assert_string_equal(order, first);
	run_stepped(2);
	assert_string_not_equal(order, first);
	run_stepped(0);
	assert_string_not_equal(order, first);
}

static void note_letter(void *arg)
{
	struct job *job = arg;

	order[strlen(order)] = job->letter;
}

static void times_come_when_nothing_else_is_to_do(void **state)
{
	struct ontb_worker_pool *pool;
	struct job jobs[3];

	(void)state;
	memset(order, 0, sizeof(order));
	memset(jobs, 0, sizeof(jobs));
	assert_int_equal(ontb_worker_pool_new("test", true, 7, &pool), 0);
	for (unsigned int i = 0; i < 3; i++) {
		jobs[i].letter = (char)('a' + (int)i);
		assert_int_equal(ontb_worker_new(pool, "letter", note_letter, &jobs[i], &jobs[i].worker), 0);
	}
	ontb_worker_kick_at(jobs[0].worker, UINT64_MAX - 1);
	ontb_worker_kick_at(jobs[1].worker, 3);
	ontb_worker_kick_at(jobs[1].worker, UINT64_MAX);
	ontb_worker_kick(jobs[2].worker);
	assert_true(ontb_worker_pool_step(pool));
	assert_int_equal(ontb_worker_pool_now(pool), 0);
	assert_true(ontb_worker_pool_step(pool));
	assert_int_equal(ontb_worker_pool_now(pool), 3);
	while (ontb_worker_pool_step(pool))
		;
	assert_string_equal(order, "cba");
	assert_int_equal(ontb_worker_pool_now(pool), UINT64_MAX - 1);
	/* A flush runs what was kicked, not what has time. */
	ontb_worker_kick_at(jobs[0].worker, 5);
	ontb_worker_kick(jobs[1].worker);
	ontb_worker_flush(jobs[0].worker);
	ontb_worker_flush(jobs[1].worker);
	assert_string_equal(order, "cbab");
	/* Those in the middle and at the end go; what is left still works. */
	ontb_worker_free(jobs[1].worker);
	ontb_worker_free(jobs[2].worker);
	assert_int_equal(ontb_worker_new(pool, "letter", note_letter, &jobs[1], &jobs[1].worker), 0);
	ontb_worker_kick(jobs[1].worker);
	while (ontb_worker_pool_step(pool))
		;
	assert_string_equal(order, "cbabba");
	/* It does not go back for a deadline that was earlier. */
	assert_int_equal(ontb_worker_pool_now(pool), UINT64_MAX - 1);
	ontb_worker_free(jobs[0].worker);
	ontb_worker_free(jobs[1].worker);
	ontb_worker_free(NULL);
	ontb_worker_pool_free(pool);
	ontb_worker_pool_free(NULL);
}

static unsigned int nr_log_lines;

static void count_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
	nr_log_lines++;
}

static void freeing_waits_for_a_run_and_a_pool_stays_while_it_has_workers(void **state)
{
	struct ontb_worker_pool *pool;
	struct job job = { .nr_runs = 0 };

	(void)state;
	assert_int_equal(sem_init(&entered, 0, 0), 0);
	assert_int_equal(sem_init(&may_leave, 0, 1), 0);
	assert_int_equal(ontb_worker_pool_new("a name that is longer than a thread's", false, 0, &pool), 0);
	assert_int_equal(ontb_worker_new(pool, "wait", wait_inside, &job, &job.worker), 0);
	nr_log_lines = 0;
	ontb_log_set_sink(count_line, NULL);
	ontb_worker_pool_free(pool);
	ontb_log_set_sink(NULL, NULL);
	assert_int_equal(nr_log_lines, 1);
	ontb_worker_kick(job.worker);
	assert_int_equal(sem_wait(&entered), 0);
	ontb_worker_kick_at(job.worker, UINT64_MAX - 1);
	ontb_worker_free(job.worker);
	assert_int_equal(job.nr_runs, 1);
	ontb_worker_pool_free(pool);
	assert_int_equal(sem_destroy(&entered), 0);
	assert_int_equal(sem_destroy(&may_leave), 0);
}

static void *step_until_seen(void *arg)
{
	struct ontb_worker_pool *pool = arg;

	while (ontb_worker_pool_step(pool))
		;
	return NULL;
}

static void steps_and_flushes_in_two_threads_do_not_overlap(void **state)
{
	struct ontb_worker_pool *pool;
	struct job job = { .nr_runs = 0 };

	(void)state;
	assert_int_equal(ontb_worker_pool_new("test", true, 0, &pool), 0);
	assert_int_equal(ontb_worker_new(pool, "see", see, &job, &job.worker), 0);
	for (unsigned int i = 0; i < 200; i++) {
		pthread_t stepper;

		atomic_fetch_add(&job.nr_wanted, 1);
		ontb_worker_kick(job.worker);
		assert_int_equal(pthread_create(&stepper, NULL, step_until_seen, pool), 0);
		ontb_worker_flush(job.worker);
		assert_int_equal(job.nr_seen, i + 1);
		assert_int_equal(pthread_join(stepper, NULL), 0);
	}
	assert_int_equal(job.nr_runs, 200);
	assert_false(atomic_load(&job.has_overlapped));
	ontb_worker_free(job.worker);
	ontb_worker_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_kick_is_lost_and_no_runs_overlap),
		cmocka_unit_test(a_kick_during_a_run_makes_one_more),
		cmocka_unit_test(a_time_is_kept_and_the_earlier_one_counts),
		cmocka_unit_test(the_order_of_steps_depends_on_the_seed_only),
		cmocka_unit_test(times_come_when_nothing_else_is_to_do),
		cmocka_unit_test(freeing_waits_for_a_run_and_a_pool_stays_while_it_has_workers),
		cmocka_unit_test(steps_and_flushes_in_two_threads_do_not_overlap),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
