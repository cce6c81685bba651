// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * RCU: what readers see stays valid until they have left, and ThreadSanitizer sees why.
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
#include <stdlib.h>

#include "base/annotate.h"
#include "base/rcu.h"

#define NR_READERS 3
#define NR_ROUNDS  2000

struct object {
	struct ontb_rcu_head rcu;
	unsigned long a, b; /* plain: only RCU orders them */
};

static struct object *shared;
static _Atomic bool stop;
static unsigned long nr_freed; /* plain: only ontb_rcu_barrier() orders it */

static struct object *new_object(unsigned long value)
{
	struct object *object = malloc(sizeof(*object));

	assert_non_null(object);
	object->a = object->b = value;
	return object;
}

static void free_object(struct ontb_rcu_head *head)
{
	struct object *object = ontb_container_of(head, struct object, rcu);

	object->a = 0;
	object->b = 1;
	nr_freed++;
	free(object);
}

static void *read_until_stopped(void *arg)
{
	unsigned long nr_torn = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		const struct object *object;

		ontb_rcu_read_lock();
		object = ontb_rcu_read(shared);
		nr_torn += object->a != object->b;
		ontb_rcu_read_unlock();
	}
	return (void *)nr_torn;
}

/* Start readers, replace the object many times with @replace, and check that no reader saw a freed one. */
static void replace_under_readers(void (*replace)(unsigned long value))
{
	pthread_t readers[NR_READERS];
	void *nr_torn;

	shared = new_object(0);
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < NR_READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_until_stopped, NULL), 0);
	for (unsigned long i = 1; i <= NR_ROUNDS; i++)
		replace(i);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &nr_torn), 0);
		assert_null(nr_torn);
	}
}

static void replace_with_call(unsigned long value)
{
	struct object *old = shared;

	ontb_rcu_publish(shared, new_object(value));
	ontb_rcu_call(&old->rcu, free_object);
}

static void called_functions_run_after_the_readers_have_left(void **state)
{
	(void)state;
	nr_freed = 0;
	replace_under_readers(replace_with_call);
	ontb_rcu_barrier();
	assert_int_equal(nr_freed, NR_ROUNDS);
	free(shared);
}

static void replace_with_synchronize(unsigned long value)
{
	struct object *old = shared;

	if (value % 100) /* grace periods take milliseconds; what happens in between is the same */
		return;
	ontb_rcu_publish(shared, new_object(value));
	ontb_rcu_synchronize();
	old->a = 0;
	old->b = 1;
	free(old);
}

static void synchronize_returns_after_the_readers_have_left(void **state)
{
	(void)state;
	replace_under_readers(replace_with_synchronize);
	free(shared);
}

static sem_t entered, may_leave;
static _Atomic bool has_run;

static void *stay_inside(void *arg)
{
	(void)arg;
	ontb_rcu_read_lock();
	ontb_rcu_read_lock();
	ontb_rcu_read_unlock();
	(void)sem_post(&entered);
	(void)sem_wait(&may_leave);
	ontb_rcu_read_unlock();
	return NULL;
}

static void set_has_run(struct ontb_rcu_head *head)
{
	(void)head;
	atomic_store(&has_run, true);
}

static void a_reader_that_stays_inside_holds_functions_back(void **state)
{
	struct ontb_rcu_head head;
	pthread_t reader;

	(void)state;
	assert_int_equal(sem_init(&entered, 0, 0), 0);
	assert_int_equal(sem_init(&may_leave, 0, 0), 0);
	atomic_store(&has_run, false);
	assert_int_equal(pthread_create(&reader, NULL, stay_inside, NULL), 0);
	assert_int_equal(sem_wait(&entered), 0);
	/* Called inside a section, as headers promise. */
	ontb_rcu_read_lock();
	ontb_rcu_call(&head, set_has_run);
	ontb_rcu_read_unlock();
	for (unsigned int i = 0; i < 1000; i++)
		assert_false(atomic_load(&has_run));
	assert_int_equal(sem_post(&may_leave), 0);
	assert_int_equal(pthread_join(reader, NULL), 0);
	ontb_rcu_barrier();
	assert_true(atomic_load(&has_run));
	assert_int_equal(sem_destroy(&entered), 0);
	assert_int_equal(sem_destroy(&may_leave), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(called_functions_run_after_the_readers_have_left),
		cmocka_unit_test(synchronize_returns_after_the_readers_have_left),
		cmocka_unit_test(a_reader_that_stays_inside_holds_functions_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
