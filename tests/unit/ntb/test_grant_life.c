// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Grant, trigger, move, revoke, free: over every kind of channel, stepped, so every run is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "grant_rig.h"

static const unsigned int channels[] = {
	MOCK_PAGES | MOCK_DOORBELLS,
	MOCK_SPADS | MOCK_DOORBELLS,
	MOCK_MSGS,
	MOCK_MSGS | MOCK_OVERWRITE,
};

static void grant_trigger_move_revoke_free(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(channels); i++) {
		struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | channels[i], 8);
		struct grant_irq *irq = grant_rig_irq(rig, 0, 3);
		struct ontb_cpumask cpu1 = ontb_cpumask_of(1);
		struct ontb_ntb_irqs_status status;

		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), -ENOENT);
		assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 3, 0), 0);
		mock_run(rig->net);
		assert_int_equal(rig->ends[1].nr_granted, 1);
		assert_true(ontb_ntb_irq_is_granted(rig->ends[1].irqs, 0, 3));
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
		assert_int_equal(irq->nr_handled, 1);

		assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, irq->map.virq, &cpu1), 0);
		assert_int_equal(ontb_irq_move_wait(rig->net->hosts[0].sys, irq->map.virq, 0), -ETIMEDOUT);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
		assert_int_equal(irq->nr_handled, 2);
		assert_int_equal(irq->last_cpu, 0);
		mock_run(rig->net);
		assert_int_equal(ontb_irq_move_wait(rig->net->hosts[0].sys, irq->map.virq, 0), 0);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
		assert_int_equal(irq->nr_handled, 3);
		assert_int_equal(irq->last_cpu, 1);
		assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 1);

		assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 3, 0), 0);
		assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 3, 1), 0);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), -ENOENT);
		assert_int_equal(rig->ends[1].nr_revoked, 1);
		ontb_ntb_irqs_status(rig->ends[0].irqs, &status);
		assert_int_equal(status.nr_allocated, 1);
		assert_int_equal(status.nr_granted, 0);
		assert_int_equal(status.moves, 1);
		assert_int_equal(status.revokes, 1);
		assert_int_equal(status.bad_messages, 0);
		assert_int_equal(status.window_first, MOCK_MSI_FIRST);
		assert_int_equal(status.window_size, MOCK_MSI_SIZE);
		ontb_ntb_irqs_status(rig->ends[1].irqs, &status);
		assert_int_equal(status.triggers, 3);
		assert_int_equal(status.nr_held, 0);
		grant_rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grant_trigger_move_revoke_free),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
