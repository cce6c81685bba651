// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Sections that can be waited for: memory that a section may still use is not touched before it ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "hw/x86/drain.h"

#define NR_THREADS  3
#define NR_ROUNDS   2000
#define DEADLINE_NS (60 * ONTB_NS_PER_S)

static struct ontb_drain drain;
static _Atomic bool has_waited;
static _Atomic bool is_over;
static _Atomic uint64_t nr_sections;
static _Atomic unsigned int shown;
/* Plain memory: ThreadSanitizer sees whether the order holds. */
static unsigned int buffers[2];

static int set_up(void **state)
{
	(void)state;
	memset(&drain, 0, sizeof(drain));
	atomic_store(&has_waited, false);
	atomic_store(&is_over, false);
	atomic_store(&nr_sections, 0);
	atomic_store(&shown, 0);
	buffers[0] = buffers[1] = 0;
	return 0;
}

static void *wait_once(void *arg)
{
	(void)arg;
	ontb_drain_wait(&drain);
	atomic_store(&has_waited, true);
	return NULL;
}

static void wait_for_nobody_returns(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		ontb_drain_wait(&drain);
	ontb_drain_leave(ontb_drain_enter(&drain));
	ontb_drain_wait(&drain);
}

static void wait_lasts_as_long_as_a_section(void **state)
{
	/* Whatever state the counters are in: after an odd and an even number of half waits. */
	(void)state;
	for (unsigned int phase = 0; phase < 2; phase++) {
		_Atomic uint32_t *first, *second;
		pthread_t waiter;

		atomic_store(&drain.phase, phase);
		atomic_store(&has_waited, false);
		first = ontb_drain_enter(&drain);
		assert_int_equal(pthread_create(&waiter, NULL, wait_once, NULL), 0);
		/* It has begun to wait when newcomers count elsewhere; they do not delay it, but the first one does. */
		while (atomic_load(&drain.phase) == phase)
			(void)sched_yield();
		second = ontb_drain_enter(&drain);
		assert_ptr_not_equal(first, second);
		assert_false(atomic_load(&has_waited));
		ontb_drain_leave(first);
		/* The other half of the wait is for those who chose their counter before and counted only now. */
		ontb_drain_leave(second);
		assert_int_equal(pthread_join(waiter, NULL), 0);
		assert_true(atomic_load(&has_waited));
	}
}

static _Atomic bool has_ended;

static void *wait_for_the_late_one(void *arg)
{
	ontb_drain_wait(&drain);
	*(_Atomic bool *)arg = true;
	return atomic_load(&has_ended) ? NULL : (void *)(uintptr_t) "the wait was over before the section";
}

/* A thread chose its counter, was put aside while somebody waited, and counts itself only now. */
static void wait_lasts_for_a_section_that_counts_elsewhere(void **state)
{
	(void)state;
	for (unsigned int phase = 0; phase < 2; phase++) {
		uint64_t end_ns = ontb_clock_ns() + 50 * ONTB_NS_PER_MS;
		_Atomic uint32_t *late = &drain.slots[5].nr_inside[phase ^ 1];
		_Atomic bool is_over_now = false;
		pthread_t waiter;
		void *wrong;

		atomic_store(&drain.phase, phase);
		atomic_store(&has_ended, false);
		atomic_fetch_add(late, 1);
		assert_int_equal(pthread_create(&waiter, NULL, wait_for_the_late_one, &is_over_now), 0);
		/* Time for it to go wrong in. */
		while (!atomic_load(&is_over_now) && ontb_clock_ns() < end_ns)
			(void)sched_yield();
		atomic_store(&has_ended, true);
		ontb_drain_leave(late);
		assert_int_equal(pthread_join(waiter, &wrong), 0);
		assert_null(wrong);
	}
}

static void *read_always(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		_Atomic uint32_t *section = ontb_drain_enter(&drain);
		unsigned int value = buffers[atomic_load(&shown)];

		ontb_drain_leave(section);
		if (value % 2)
			return (void *)(uintptr_t) "a section saw a buffer that is being changed";
		atomic_fetch_add_explicit(&nr_sections, 1, memory_order_relaxed);
	}
	return NULL;
}

static void waits_get_through_sections_that_never_pause(void **state)
{
	uint64_t end_ns = ontb_clock_ns() + DEADLINE_NS;
	pthread_t threads[NR_THREADS];
	void *wrong;

	(void)state;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_always, NULL), 0);
	while (atomic_load(&nr_sections) < 1000)
		(void)sched_yield();
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		unsigned int hidden = atomic_load(&shown) ^ 1;

		/* Nobody looks at it: it was hidden before the last wait. */
		buffers[hidden]++;
		buffers[hidden]++;
		atomic_store(&shown, hidden);
		ontb_drain_wait(&drain);
		assert_true(ontb_clock_ns() < end_ns);
	}
	atomic_store(&is_over, true);
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(buffers[0] + buffers[1], 2 * NR_ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(wait_for_nobody_returns, set_up),
		cmocka_unit_test_setup(wait_lasts_as_long_as_a_section, set_up),
		cmocka_unit_test_setup(wait_lasts_for_a_section_that_counts_elsewhere, set_up),
		cmocka_unit_test_setup(waits_get_through_sections_that_never_pause, set_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
