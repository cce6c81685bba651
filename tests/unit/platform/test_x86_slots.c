// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Vectors of CPUs: who gets which, and that none is given away before its CPU has cleaned up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "platform/x86/slots.h"

#define NR_CPUS 3

/* Stand for interrupts: only their addresses matter. */
static char descs[1024];

static struct ontb_irq_desc *desc_of(unsigned int i)
{
	return (struct ontb_irq_desc *)(void *)&descs[i];
}

static int setup(void **state)
{
	struct ontb_slots *slots = calloc(1, sizeof(*slots));

	assert_non_null(slots);
	assert_int_equal(ontb_slots_init(slots, NR_CPUS), 0);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		ontb_slots_started(slots, cpu);
		ontb_slots_open(slots, cpu);
	}
	*state = slots;
	return 0;
}

static int teardown(void **state)
{
	ontb_slots_fini(*state);
	free(*state);
	return 0;
}

static unsigned int take(struct ontb_slots *slots, struct ontb_slot_owner *owner, const struct ontb_cpumask *allowed)
{
	unsigned int cpu = ONTB_MAX_CPUS;

	assert_int_equal(ontb_slots_take(slots, owner, allowed, 0, &cpu), 0);
	assert_int_equal(owner->live->cpu, cpu);
	return cpu;
}

static void clean(struct ontb_slots *slots, unsigned int cpu)
{
	uint64_t vectors[4];

	ontb_slots_waiting(slots, cpu, vectors);
	ontb_slots_clean(slots, cpu, vectors);
}

static void retire_all(struct ontb_slots *slots, struct ontb_slot_owner *owner)
{
	struct ontb_cpumask cpus = ontb_slots_retire_all(slots, owner);

	assert_false(ontb_cpumask_is_empty(&cpus));
}

static void reservations_end_exactly_at_the_capacity(void **state)
{
	struct ontb_slots *slots = *state;
	unsigned int all = NR_CPUS * ONTB_X86_NR_VECTORS;

	assert_int_equal(ontb_slots_reserve(slots, all + 1), -ENOSPC);
	assert_int_equal(ontb_slots_reserve(slots, all - 1), 0);
	assert_int_equal(ontb_slots_reserve(slots, 2), -ENOSPC);
	assert_int_equal(ontb_slots_reserve(slots, 1), 0);
	assert_int_equal(ontb_slots_reserve(slots, 1), -ENOSPC);
	assert_int_equal(ontb_slots_reserve(slots, 0), 0);
	ontb_slots_unreserve(slots, all);
	assert_int_equal(ontb_slots_reserve(slots, all), 0);
	ontb_slots_unreserve(slots, all);
}

static void cpu_that_others_cannot_replace_stays_open(void **state)
{
	struct ontb_slots *slots = *state;
	unsigned int two = 2 * ONTB_X86_NR_VECTORS;

	assert_int_equal(ontb_slots_reserve(slots, two + 1), 0);
	assert_int_equal(ontb_slots_close(slots, 1), -ENOSPC);
	assert_true(slots->cpus[1].is_open);
	ontb_slots_unreserve(slots, 1);
	assert_int_equal(ontb_slots_close(slots, 1), 0);
	assert_int_equal(ontb_slots_reserve(slots, 1), -ENOSPC);
	ontb_slots_open(slots, 1);
	assert_int_equal(ontb_slots_reserve(slots, 1), 0);
	ontb_slots_unreserve(slots, two + 1);
}

static void interrupts_spread_over_the_cpus_that_they_may_use(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask all = ontb_cpumask_all(NR_CPUS), two = ontb_cpumask_all(2);
	struct ontb_slot_owner owners[9] = { 0 };

	for (unsigned int i = 0; i < 6; i++) {
		owners[i].desc = desc_of(i);
		assert_int_equal(take(slots, &owners[i], &two), i % 2);
	}
	for (unsigned int i = 6; i < 9; i++) {
		owners[i].desc = desc_of(i);
		assert_int_equal(take(slots, &owners[i], &all), 2);
	}
	for (unsigned int i = 0; i < 9; i++)
		assert_ptr_equal(slots->cpus[owners[i].live->cpu].descs[owners[i].live->vector], owners[i].desc);
}

static void every_device_vector_is_given_once_and_no_other(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask one = ontb_cpumask_of(1), none = { { 0 } };
	struct ontb_slot_owner owners[ONTB_X86_NR_VECTORS + 1] = { 0 };
	unsigned int seen[256] = { 0 }, cpu = 77;

	for (unsigned int i = 0; i < ONTB_X86_NR_VECTORS; i++) {
		(void)take(slots, &owners[i], &one);
		seen[owners[i].live->vector]++;
	}
	for (unsigned int v = 0; v < 256; v++)
		assert_int_equal(seen[v], v >= ONTB_VECTOR_FIRST && v <= ONTB_VECTOR_LAST);
	assert_int_equal(ontb_slots_take(slots, &owners[ONTB_X86_NR_VECTORS], &one, 0, &cpu), -ENOSPC);
	assert_int_equal(ontb_slots_take(slots, &owners[ONTB_X86_NR_VECTORS], &none, 0, &cpu), -EINVAL);
	assert_null(owners[ONTB_X86_NR_VECTORS].live);
	assert_int_equal(cpu, 77);
}

static void old_target_stays_until_retired_and_cleaned(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0), one = ontb_cpumask_of(1);
	struct ontb_slot_owner owner = { .desc = desc_of(0) };
	unsigned int vector, cpu;

	(void)take(slots, &owner, &zero);
	vector = owner.live->vector;
	(void)take(slots, &owner, &one);
	assert_int_equal(owner.old->vector, vector);
	assert_ptr_equal(slots->cpus[0].descs[vector], owner.desc);
	assert_ptr_equal(slots->cpus[1].descs[owner.live->vector], owner.desc);
	assert_int_equal(ontb_slots_take(slots, &owner, &zero, 0, &cpu), -EBUSY);

	assert_int_equal(ontb_slots_retire_old(slots, &owner), 0);
	assert_ptr_equal(slots->cpus[0].descs[vector], owner.desc);
	assert_int_equal(slots->cpus[0].nr_used, 1);
	assert_int_equal(ontb_slots_retire_old(slots, &owner), ONTB_MAX_CPUS);
	clean(slots, 0);
	assert_null(slots->cpus[0].descs[vector]);
	assert_int_equal(slots->cpus[0].nr_used, 0);
	assert_null(owner.waiting);
	assert_ptr_equal(slots->cpus[1].descs[owner.live->vector], owner.desc);
}

static void interrupt_that_moves_fast_leaves_several_vectors_behind(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_slot_owner owner = { .desc = desc_of(0) };

	for (unsigned int i = 0; i < 12; i++) {
		struct ontb_cpumask mask = ontb_cpumask_of(i % NR_CPUS);

		(void)take(slots, &owner, &mask);
		assert_int_equal(ontb_slots_retire_old(slots, &owner), i ? (i - 1) % NR_CPUS : ONTB_MAX_CPUS);
	}
	/* Twelve places, one of them live. */
	assert_int_equal(slots->cpus[0].nr_waiting + slots->cpus[1].nr_waiting + slots->cpus[2].nr_waiting, 11);
	clean(slots, 1);
	assert_int_equal(slots->cpus[1].nr_waiting, 0);
	assert_int_equal(slots->cpus[0].nr_waiting, 4);
	clean(slots, 0);
	clean(slots, 2);
	assert_null(owner.waiting);
	assert_int_equal(slots->cpus[2].nr_used, 1);
	assert_int_equal(slots->nr_cleaned, 11);
}

static void deactivated_interrupt_is_in_no_table_any_more(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_slot_owner *owner = calloc(1, sizeof(*owner));
	struct ontb_cpumask cpus;
	unsigned int cpu, vector;

	assert_non_null(owner);
	owner->desc = desc_of(0);
	/* One slot that waits on CPU 0, an old one on CPU 1, the live one on CPU 2. */
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		struct ontb_cpumask mask = ontb_cpumask_of(cpu);

		(void)take(slots, owner, &mask);
		if (cpu == 1)
			assert_int_equal(ontb_slots_retire_old(slots, owner), 0);
	}
	cpus = ontb_slots_retire_all(slots, owner);
	assert_false(ontb_cpumask_test(&cpus, 0));
	assert_true(ontb_cpumask_test(&cpus, 1));
	assert_true(ontb_cpumask_test(&cpus, 2));
	assert_int_equal(ontb_slots_target(slots, owner, &cpu, &vector), -EINVAL);
	free(owner);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		unsigned int nr_retired = 0;

		for (vector = 0; vector < 256; vector++)
			nr_retired += slots->cpus[cpu].descs[vector] == ontb_slot_retired;
		assert_int_equal(nr_retired, 1);
		assert_int_equal(slots->cpus[cpu].nr_used, 1);
		clean(slots, cpu);
		assert_int_equal(slots->cpus[cpu].nr_used, 0);
	}
}

static void only_vectors_that_are_named_and_wait_are_freed(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0), one = ontb_cpumask_of(1);
	struct ontb_slot_owner owners[3] = { 0 };
	uint64_t all[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }, none[4] = { 0 };

	for (unsigned int i = 0; i < 3; i++) {
		owners[i].desc = desc_of(i);
		(void)take(slots, &owners[i], &zero);
	}
	(void)take(slots, &owners[0], &one);
	assert_int_equal(ontb_slots_retire_old(slots, &owners[0]), 0);
	(void)take(slots, &owners[1], &one);
	ontb_slots_clean(slots, 0, none);
	assert_int_equal(slots->cpus[0].nr_used, 3);
	ontb_slots_clean(slots, 0, all);
	assert_int_equal(slots->cpus[0].nr_used, 2);
	assert_ptr_equal(slots->cpus[0].descs[owners[1].old->vector], owners[1].desc);
	assert_ptr_equal(slots->cpus[0].descs[owners[2].live->vector], owners[2].desc);
}

static void vectors_of_a_stopped_cpu_need_no_clean_up(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0), one = ontb_cpumask_of(1);
	struct ontb_slot_owner owner = { .desc = desc_of(0) };

	(void)take(slots, &owner, &zero);
	(void)take(slots, &owner, &one);
	ontb_lock(&slots->lock);
	ontb_slots_stopped_locked(slots, 0);
	ontb_unlock(&slots->lock);
	assert_int_equal(ontb_slots_retire_old(slots, &owner), ONTB_MAX_CPUS);
	assert_int_equal(slots->cpus[0].nr_used, 0);
	assert_null(owner.waiting);
}

static void closed_cpu_is_neither_chosen_nor_good_to_stay_on(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0), all = ontb_cpumask_all(NR_CPUS);
	struct ontb_slot_owner owner = { .desc = desc_of(0) };
	unsigned int cpu;

	(void)take(slots, &owner, &zero);
	assert_true(ontb_slots_is_within(slots, &owner, &all));
	assert_int_equal(ontb_slots_close(slots, 0), 0);
	assert_false(ontb_slots_is_within(slots, &owner, &all));
	assert_int_equal(ontb_slots_take(slots, &owner, &zero, 0, &cpu), -EINVAL);
	assert_int_equal(take(slots, &owner, &all), 1);
}

static void vector_is_reused_as_late_as_possible(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0);
	struct ontb_slot_owner owner = { .desc = desc_of(0) };
	unsigned int first;

	(void)take(slots, &owner, &zero);
	first = owner.live->vector;
	for (unsigned int i = 1; i < ONTB_X86_NR_VECTORS; i++) {
		retire_all(slots, &owner);
		clean(slots, 0);
		(void)take(slots, &owner, &zero);
		assert_int_not_equal(owner.live->vector, first);
	}
	retire_all(slots, &owner);
	clean(slots, 0);
	(void)take(slots, &owner, &zero);
	assert_int_equal(owner.live->vector, first);
}

static void *clean_soon(void *arg)
{
	struct ontb_slots *slots = arg;
	uint64_t deadline_ns = ontb_clock_ns() + 5 * ONTB_NS_PER_MS;

	while (ontb_clock_ns() < deadline_ns)
		;
	clean(slots, 0);
	return NULL;
}

static void full_cpu_is_waited_for_while_it_has_something_to_clean(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0);
	struct ontb_slot_owner owners[ONTB_X86_NR_VECTORS + 1] = { 0 };
	unsigned int last = ONTB_X86_NR_VECTORS, cpu;
	uint64_t before_ns = ontb_clock_ns();
	pthread_t thread;

	for (unsigned int i = 0; i < last; i++)
		(void)take(slots, &owners[i], &zero);
	/* Nothing waits: the answer comes at once. */
	assert_int_equal(ontb_slots_take(slots, &owners[last], &zero, 100 * ONTB_NS_PER_S, &cpu), -ENOSPC);
	retire_all(slots, &owners[3]);
	/* Something waits, and nobody cleans: it comes when the time is over. */
	assert_int_equal(ontb_slots_take(slots, &owners[last], &zero, ONTB_NS_PER_MS, &cpu), -ENOSPC);
	assert_int_equal(pthread_create(&thread, NULL, clean_soon, slots), 0);
	assert_int_equal(ontb_slots_take(slots, &owners[last], &zero, 100 * ONTB_NS_PER_S, &cpu), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(ontb_clock_ns() - before_ns < 50 * ONTB_NS_PER_S);
}

static const struct ontb_slot *forward(struct ontb_slots *slots, unsigned int cpu, unsigned int vector)
{
	const struct ontb_slot *to;

	ontb_lock(&slots->lock);
	to = ontb_slots_forward_locked(slots, cpu, vector);
	ontb_unlock(&slots->lock);
	return to;
}

static void what_is_pending_follows_its_interrupt(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0), one = ontb_cpumask_of(1);
	struct ontb_slot_owner owner = { .desc = desc_of(0) };
	unsigned int vector;

	(void)take(slots, &owner, &zero);
	vector = owner.live->vector;
	(void)take(slots, &owner, &one);
	assert_int_equal(ontb_slots_retire_old(slots, &owner), 0);
	assert_ptr_equal(forward(slots, 0, vector), owner.live);
	retire_all(slots, &owner);
	assert_null(forward(slots, 0, vector));
	assert_null(forward(slots, 2, vector));
}

static void lost_targets_are_in_no_table_and_never_given_away(void **state)
{
	struct ontb_slots *slots = *state;
	struct ontb_cpumask zero = ontb_cpumask_of(0), one = ontb_cpumask_of(1);
	struct ontb_slot_owner owner = { .desc = desc_of(0) }, others[ONTB_X86_NR_VECTORS] = { 0 };
	struct ontb_slot *old;
	unsigned int cpu;

	(void)take(slots, &owner, &zero);
	old = owner.live;
	(void)take(slots, &owner, &one);
	ontb_slots_lose(slots, &owner);
	assert_null(owner.live);
	assert_null(owner.old);
	assert_ptr_equal(slots->cpus[0].descs[old->vector], ontb_slot_retired);
	for (unsigned int i = 0; i < ONTB_X86_NR_VECTORS - 1; i++) {
		(void)take(slots, &others[i], &zero);
		assert_ptr_not_equal(others[i].live, old);
	}
	assert_int_equal(ontb_slots_take(slots, &others[ONTB_X86_NR_VECTORS - 1], &zero, 0, &cpu), -ENOSPC);
	clean(slots, 0);
	assert_int_equal(slots->cpus[0].nr_used, ONTB_X86_NR_VECTORS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reservations_end_exactly_at_the_capacity, setup, teardown),
		cmocka_unit_test_setup_teardown(cpu_that_others_cannot_replace_stays_open, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupts_spread_over_the_cpus_that_they_may_use, setup, teardown),
		cmocka_unit_test_setup_teardown(every_device_vector_is_given_once_and_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(old_target_stays_until_retired_and_cleaned, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupt_that_moves_fast_leaves_several_vectors_behind, setup,
						teardown),
		cmocka_unit_test_setup_teardown(deactivated_interrupt_is_in_no_table_any_more, setup, teardown),
		cmocka_unit_test_setup_teardown(only_vectors_that_are_named_and_wait_are_freed, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors_of_a_stopped_cpu_need_no_clean_up, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_cpu_is_neither_chosen_nor_good_to_stay_on, setup, teardown),
		cmocka_unit_test_setup_teardown(vector_is_reused_as_late_as_possible, setup, teardown),
		cmocka_unit_test_setup_teardown(full_cpu_is_waited_for_while_it_has_something_to_clean, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_pending_follows_its_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_targets_are_in_no_table_and_never_given_away, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
