// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Big-reader lock: readers run together, a writer alone, and nobody waits for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/brlock.h"
#include "base/clock.h"

#define NR_READERS   8
#define NR_ROUNDS    2000
#define DEADLINE_NS  (20 * ONTB_NS_PER_S)
#define SLOT(thread) ((unsigned int)((thread)-threads))

struct thread {
	pthread_t id;
	struct ontb_brlock *lock;
	bool stop_early;
};

static struct thread threads[NR_READERS];
static unsigned long protected_a, protected_b; /* changed together by writers */
static _Atomic bool stop;
static _Atomic unsigned int nr_inside;
static sem_t entered, may_leave;

static void *read_until_stopped(void *arg)
{
	struct thread *thread = arg;
	unsigned long nr_torn = 0;

	while (!atomic_load(&stop)) {
		ontb_brlock_read_lock(thread->lock, SLOT(thread));
		nr_torn += protected_a != protected_b;
		ontb_brlock_read_unlock(thread->lock, SLOT(thread));
	}
	return (void *)nr_torn;
}

static void writers_get_through_readers_that_never_pause(void **state)
{
	struct ontb_brlock lock;
	uint64_t start = ontb_clock_ns();

	(void)state;
	assert_int_equal(ontb_brlock_init(&lock, NR_READERS), 0);
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		threads[i].lock = &lock;
		assert_int_equal(pthread_create(&threads[i].id, NULL, read_until_stopped, &threads[i]), 0);
	}
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		ontb_brlock_write_lock(&lock);
		protected_a++;
		protected_b++;
		ontb_brlock_write_unlock(&lock);
	}
	assert_true(ontb_clock_ns() - start < DEADLINE_NS);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		void *nr_torn;

		assert_int_equal(pthread_join(threads[i].id, &nr_torn), 0);
		assert_null(nr_torn);
	}
	ontb_brlock_fini(&lock);
}

static void *read_once(void *arg)
{
	struct thread *thread = arg;

	ontb_brlock_read_lock(thread->lock, SLOT(thread));
	atomic_fetch_add(&nr_inside, 1);
	(void)sem_post(&entered);
	(void)sem_wait(&may_leave);
	atomic_fetch_sub(&nr_inside, 1);
	ontb_brlock_read_unlock(thread->lock, SLOT(thread));
	return NULL;
}

static void *write_once(void *arg)
{
	struct ontb_brlock *lock = arg;
	unsigned long nr_readers;

	ontb_brlock_write_lock(lock);
	nr_readers = atomic_load(&nr_inside);
	ontb_brlock_write_unlock(lock);
	return (void *)nr_readers;
}

static void readers_run_together_and_a_writer_waits_for_all(void **state)
{
	struct ontb_brlock lock;
	void *nr_readers;
	pthread_t writer;

	(void)state;
	assert_int_equal(sem_init(&entered, 0, 0), 0);
	assert_int_equal(sem_init(&may_leave, 0, 0), 0);
	assert_int_equal(ontb_brlock_init(&lock, NR_READERS), 0);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		threads[i].lock = &lock;
		assert_int_equal(pthread_create(&threads[i].id, NULL, read_once, &threads[i]), 0);
	}
	for (unsigned int i = 0; i < NR_READERS; i++)
		assert_int_equal(sem_wait(&entered), 0);
	assert_int_equal(atomic_load(&nr_inside), NR_READERS);
	assert_int_equal(pthread_create(&writer, NULL, write_once, &lock), 0);
	for (unsigned int i = 0; i < NR_READERS; i++)
		assert_int_equal(sem_post(&may_leave), 0);
	assert_int_equal(pthread_join(writer, &nr_readers), 0);
	assert_null(nr_readers);
	for (unsigned int i = 0; i < NR_READERS; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	ontb_brlock_fini(&lock);
	assert_int_equal(sem_destroy(&entered), 0);
	assert_int_equal(sem_destroy(&may_leave), 0);
}

static void *write_many(void *arg)
{
	struct ontb_brlock *lock = arg;

	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		ontb_brlock_write_lock(lock);
		protected_a++;
		protected_b++;
		ontb_brlock_write_unlock(lock);
	}
	return NULL;
}

static void several_writers_exclude_each_other(void **state)
{
	struct ontb_brlock lock;
	pthread_t writers[4];

	(void)state;
	protected_a = protected_b = 0;
	assert_int_equal(ontb_brlock_init(&lock, 1), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_many, &lock), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(writers[i], NULL), 0);
	assert_int_equal(protected_a, 4 * NR_ROUNDS);
	assert_int_equal(atomic_load(&lock.nr_writers), 0);
	ontb_brlock_fini(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writers_get_through_readers_that_never_pause),
		cmocka_unit_test(readers_run_together_and_a_writer_waits_for_all),
		cmocka_unit_test(several_writers_exclude_each_other),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
