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
#include <unistd.h>

#include "base/brlock.h"
#include "base/clock.h"

#define NR_READERS   8
#define NR_ROUNDS    2000
#define NR_WRITERS   8
#define NR_ENTRIES   100U
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
static _Atomic unsigned int nr_inside, nr_sections;
static unsigned int nr_shared; /* changed by readers of one slot */
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

static void *write_until_stopped(void *arg)
{
	struct ontb_brlock *lock = arg;

	while (!atomic_load(&stop)) {
		ontb_brlock_write_lock(lock);
		atomic_fetch_add(&nr_sections, 1);
		(void)usleep(100);
		ontb_brlock_write_unlock(lock);
	}
	return NULL;
}

/* Come while a writer is inside. */
static unsigned int wait_for_a_section(void)
{
	unsigned int before = atomic_load(&nr_sections), now;

	do {
		(void)usleep(10);
		now = atomic_load(&nr_sections);
	} while (now == before);
	return now;
}

/*
 * A reader that comes in a section enters when that ends. What is counted begins before it comes, and on a busy machine it may
 * take a while until it does; hence the sum over many.
 */
static void readers_get_through_writers_that_never_pause(void **state)
{
	struct ontb_brlock lock;
	unsigned int nr_waited = 0;
	pthread_t writers[NR_WRITERS];

	(void)state;
	assert_int_equal(ontb_brlock_init(&lock, 2), 0);
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < NR_WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_until_stopped, &lock), 0);
	for (unsigned int i = 0; i < NR_ENTRIES; i++) {
		unsigned int before = wait_for_a_section();

		ontb_brlock_read_lock(&lock, 1);
		nr_waited += atomic_load(&nr_sections) - before;
		ontb_brlock_read_unlock(&lock, 1);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_WRITERS; i++)
		assert_int_equal(pthread_join(writers[i], NULL), 0);
	assert_true(nr_waited <= 10 * NR_ENTRIES);
	ontb_brlock_fini(&lock);
}

/**
 * struct sharer - a reader that shares a slot
 * @id:   Thread.
 * @lock: Lock.
 */
struct sharer {
	pthread_t id;
	struct ontb_brlock *lock;
};

static void *share_a_slot(void *arg)
{
	struct sharer *sharer = arg;

	for (unsigned int i = 0; i < NR_ENTRIES; i++) {
		ontb_brlock_read_lock(sharer->lock, 0);
		nr_shared++;
		ontb_brlock_read_unlock(sharer->lock, 0);
	}
	return NULL;
}

static void readers_of_one_slot_take_turns_beside_writers(void **state)
{
	struct ontb_brlock lock;
	struct sharer sharers[4];
	pthread_t writer;

	(void)state;
	assert_int_equal(ontb_brlock_init(&lock, 2), 0);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&writer, NULL, write_until_stopped, &lock), 0);
	for (unsigned int i = 0; i < 4; i++) {
		sharers[i].lock = &lock;
		assert_int_equal(pthread_create(&sharers[i].id, NULL, share_a_slot, &sharers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(sharers[i].id, NULL), 0);
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(nr_shared, 4 * NR_ENTRIES);
	ontb_brlock_fini(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writers_get_through_readers_that_never_pause),
		cmocka_unit_test(readers_run_together_and_a_writer_waits_for_all),
		cmocka_unit_test(several_writers_exclude_each_other),
		cmocka_unit_test(readers_get_through_writers_that_never_pause),
		cmocka_unit_test(readers_of_one_slot_take_turns_beside_writers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
