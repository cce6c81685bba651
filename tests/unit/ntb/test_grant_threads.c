// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Threads: peers that fire as fast as they can while interrupts are moved, revoked, freed and allocated again. Under
 * ThreadSanitizer this is also the proof that triggers take no lock and read nothing torn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "grant_rig.h"

#define NR_IRQS	  16U
#define RUN_NS	  (600 * ONTB_NS_PER_MS)
#define SETTLE_NS (20 * ONTB_NS_PER_S)

/**
 * struct shooter - a thread of a holder
 * @rig:      Rig.
 * @host:     Host that fires at host 0.
 * @is_done:  Stop.
 * @thread:   Thread.
 * @nr_fired: Triggers that succeeded, by index.
 */
struct shooter {
	struct grant_rig *rig;
	unsigned int host;
	atomic_bool *is_done;
	pthread_t thread;
	atomic_uint nr_fired[NR_IRQS];
};

static void *shoot(void *arg)
{
	struct shooter *shooter = arg;

	for (unsigned int i = 0; !atomic_load(shooter->is_done); i++) {
		/* Counted before, so that what arrived is never more than what was counted. */
		atomic_fetch_add(&shooter->nr_fired[i % NR_IRQS], 1);
		if (ontb_ntb_irq_trigger(shooter->rig->ends[shooter->host].irqs, 0, i % NR_IRQS))
			atomic_fetch_sub(&shooter->nr_fired[i % NR_IRQS], 1);
		if (i % 64 == 0)
			(void)sched_yield();
	}
	return NULL;
}

static void start_shooting(struct shooter *shooters, unsigned int nr, struct grant_rig *rig, atomic_bool *is_done)
{
	for (unsigned int i = 0; i < nr; i++) {
		shooters[i] = (struct shooter){ .rig = rig, .host = i + 1, .is_done = is_done };
		assert_int_equal(pthread_create(&shooters[i].thread, NULL, shoot, &shooters[i]), 0);
	}
}

static void stop_shooting(struct shooter *shooters, unsigned int nr, atomic_bool *is_done)
{
	atomic_store(is_done, true);
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(pthread_join(shooters[i].thread, NULL), 0);
}

static void nothing_is_lost_while_interrupts_move(void **state)
{
	static const unsigned int channels[] = { MOCK_PAGES | MOCK_DOORBELLS, MOCK_MSGS,
						 MOCK_PAGES | MOCK_DOORBELLS | MOCK_GUARD };

	(void)state;
	for (unsigned int c = 0; c < ONTB_ARRAY_SIZE(channels); c++) {
		struct grant_rig *rig = grant_rig_new(3, channels[c], NR_IRQS);
		uint64_t end = ontb_clock_ns() + RUN_NS;
		atomic_bool is_done = false;
		struct ontb_ntb_irqs_status status;
		struct shooter shooters[2];

		for (unsigned int i = 0; i < NR_IRQS; i++) {
			(void)grant_rig_irq(rig, 0, i);
			for (unsigned int peer = 0; peer < 2; peer++)
				assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, i, peer), 0);
		}
		assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS), 0);
		start_shooting(shooters, 2, rig, &is_done);
		for (unsigned int n = 0; ontb_clock_ns() < end; n++) {
			struct ontb_cpumask cpu = ontb_cpumask_of(n / NR_IRQS % 4);

			assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys,
							       rig->ends[0].irq[n % NR_IRQS].map.virq, &cpu),
					 0);
			if (n % NR_IRQS == 0)
				(void)ontb_ntb_irq_settle(rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS);
		}
		stop_shooting(shooters, 2, &is_done);
		assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS), 0);
		ontb_ntb_irqs_status(rig->ends[0].irqs, &status);
		assert_true(status.moves > NR_IRQS);
		assert_int_equal(status.bad_messages, 0);
		assert_int_equal(status.cut_off, 0);
		assert_int_equal(rig->net->hosts[0].nr_filtered, 0);
		assert_int_equal(rig->net->hosts[0].nr_closed, 0);
		assert_int_equal(grant_rig_nr_stray(rig), 0);
		assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), NR_IRQS);
		/* Every message arrived at its own interrupt; handlers merge those that come while they run. */
		for (unsigned int i = 0; i < NR_IRQS; i++) {
			unsigned int nr = shooters[0].nr_fired[i] + shooters[1].nr_fired[i];

			assert_true(nr > 0);
			assert_true(rig->ends[0].irq[i].nr_handled > 0);
			assert_true(rig->ends[0].irq[i].nr_handled <= nr);
		}
		grant_rig_free(rig);
	}
}

/* Interrupts come and go while the peers fire; what a revocation has settled is never fired again. */
static void nothing_arrives_after_a_revocation_has_settled(void **state)
{
	struct grant_rig *rig = grant_rig_new(3, MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	uint64_t end = ontb_clock_ns() + 2 * RUN_NS;
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	atomic_bool is_done = false;
	struct shooter shooters[2];
	unsigned int nr_rounds = 0;

	(void)state;
	start_shooting(shooters, 2, rig, &is_done);
	while (ontb_clock_ns() < end) {
		unsigned int index = nr_rounds++ % NR_IRQS, before, nr_used;
		struct grant_irq *irq = grant_rig_irq(rig, 0, index);
		struct ontb_cpumask cpu = ontb_cpumask_of(1 + nr_rounds % 3);

		for (unsigned int peer = 0; peer < 2; peer++)
			assert_int_equal(ontb_ntb_irq_grant(owner, index, peer), 0);
		if (nr_rounds % 3)
			assert_int_equal(ontb_ntb_irq_settle(owner, index, SETTLE_NS), 0);
		if (nr_rounds % 2)
			assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, irq->map.virq, &cpu), 0);
		for (unsigned int peer = 0; peer < 2; peer++)
			assert_int_equal(ontb_ntb_irq_revoke(owner, index, peer), 0);
		assert_int_equal(ontb_ntb_irq_settle(owner, index, SETTLE_NS), 0);
		before = irq->nr_handled;
		for (unsigned int n = 0; n < 100; n++)
			(void)sched_yield();
		assert_int_equal(irq->nr_handled, before);
		grant_rig_remove_handler(rig, 0, index);
		assert_int_equal(ontb_ntb_irq_free(owner, index), 0);
		assert_int_equal(ontb_ntb_irq_settle(owner, index, SETTLE_NS), 0);
		nr_used = mock_vectors_used(&rig->net->hosts[0]);
		assert_int_equal(nr_used, 0);
	}
	stop_shooting(shooters, 2, &is_done);
	assert_true(nr_rounds > 3);
	assert_int_equal(grant_rig_nr_stray(rig), 0);
	grant_rig_free(rig);
}

/* The same, with a handler that is freed and an index that is reused as soon as the event says so. */
static void quarantine_holds_while_peers_fire(void **state)
{
	struct grant_rig *rig = grant_rig_new(3, MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	uint64_t end = ontb_clock_ns() + RUN_NS;
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	atomic_bool is_done = false;
	struct shooter shooters[2];
	unsigned int nr_freed = 0;

	(void)state;
	start_shooting(shooters, 2, rig, &is_done);
	while (ontb_clock_ns() < end) {
		unsigned int index = nr_freed % NR_IRQS;

		(void)grant_rig_irq(rig, 0, index);
		assert_int_equal(ontb_ntb_irq_grant(owner, index, 0), 0);
		assert_int_equal(ontb_ntb_irq_grant(owner, index, 1), 0);
		grant_rig_wait(rig, &rig->ends[1].nr_granted, nr_freed + 1);
		grant_rig_remove_handler(rig, 0, index);
		assert_int_equal(ontb_ntb_irq_free(owner, index), 0);
		grant_rig_wait(rig, &rig->ends[0].nr_freed, ++nr_freed);
	}
	stop_shooting(shooters, 2, &is_done);
	assert_true(nr_freed > 3);
	assert_int_equal(grant_rig_nr_stray(rig), 0);
	grant_rig_free(rig);
}

static void links_bounce_while_peers_fire(void **state)
{
	struct grant_rig *rig = grant_rig_new(3, MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	uint64_t end = ontb_clock_ns() + RUN_NS;
	atomic_bool is_done = false;
	struct shooter shooters[2];
	unsigned int nr = 0;

	(void)state;
	for (unsigned int i = 0; i < NR_IRQS; i++)
		(void)grant_rig_irq(rig, 0, i);
	start_shooting(shooters, 2, rig, &is_done);
	while (ontb_clock_ns() < end) {
		unsigned int other = 1 + nr++ % 2;
		struct ontb_cpumask cpu = ontb_cpumask_of(nr % 4);

		for (unsigned int i = 0; i < NR_IRQS; i++) {
			for (unsigned int peer = 0; peer < 2; peer++)
				(void)ontb_ntb_irq_grant(rig->ends[0].irqs, i, peer);
			assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, rig->ends[0].irq[i].map.virq,
							       &cpu),
					 0);
		}
		if (nr % 3)
			(void)ontb_ntb_irq_settle(rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, 5 * ONTB_NS_PER_MS);
		mock_set_link(rig->net, 0, other, false);
		if (nr % 4)
			(void)sched_yield();
		mock_set_link(rig->net, 0, other, true);
	}
	stop_shooting(shooters, 2, &is_done);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS), 0);
	assert_int_equal(grant_rig_nr_stray(rig), 0);
	grant_rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_while_interrupts_move),
		cmocka_unit_test(nothing_arrives_after_a_revocation_has_settled),
		cmocka_unit_test(quarantine_holds_while_peers_fire),
		cmocka_unit_test(links_bounce_while_peers_fire),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
