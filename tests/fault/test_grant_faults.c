// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * NTB interrupts: each call that allocates fails at its first, second, third ... allocation. Nothing leaks, nothing stays
 * half done, and what worked before goes on working.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/ntb/grant_rig.h"
#include "inject.h"

#define MAX_STEPS 1000U

static void new_undoes_what_it_made(void **state)
{
	static const unsigned int flags[] = { MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS,
					      MOCK_STEPPED | MOCK_SPADS | MOCK_DOORBELLS | MOCK_GUARD, MOCK_MSGS };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(flags); i++) {
		struct grant_rig *rig = grant_rig_new_bare(2, flags[i], 70);
		struct ontb_ntb_irqs *const untouched = (struct ontb_ntb_irqs *)0x1;
		struct ontb_ntb_irqs *irqs = untouched;
		struct mock_host *host = &rig->net->hosts[0];
		unsigned int nth;

		for (nth = 0; nth < MAX_STEPS; nth++) {
			int ret;

			inject_arm(nth);
			ret = ontb_ntb_irqs_new(host->ntb, &rig->ends[0].config, &irqs);
			if (!inject_disarm()) {
				assert_int_equal(ret, 0);
				break;
			}
			assert_true(ret == -ENOMEM || ret == -EAGAIN);
			assert_ptr_equal(irqs, untouched);
			assert_null(ontb_msi_domain(host->msi, 1));
			assert_false(host->is_enabled);
			assert_false(host->is_guarded);
			/* The window is nobody's. */
			assert_int_equal(ontb_ntb_window_claim(host->ntb, 0, MOCK_NR_WINDOWS - 1), 0);
			ontb_ntb_window_release(host->ntb, 0, MOCK_NR_WINDOWS - 1);
		}
		/* At least itself, its interrupts, its grants, the domain, and the worker. */
		assert_true(nth >= 5 && nth < MAX_STEPS);
		ontb_ntb_irqs_free(irqs);
		grant_rig_free(rig);
	}
}

static void alloc_undoes_what_it_made(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 8);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	struct ontb_msi_map map = { .index = 77, .virq = 77 };
	struct ontb_ntb_irqs_status status;
	unsigned int nth;

	(void)state;
	for (nth = 0; nth < MAX_STEPS; nth++) {
		int ret;

		inject_arm(nth);
		ret = ontb_ntb_irq_alloc(owner, 3, NULL, &map);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(map.virq, 77);
		ontb_ntb_irqs_status(owner, &status);
		assert_int_equal(status.nr_allocated, 0);
		assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 0);
		assert_int_equal(ontb_ntb_irq_grant(owner, 3, 0), -ENOENT);
		assert_int_equal(ontb_ntb_irq_settle(owner, ONTB_MSI_ANY_INDEX, 0), 0);
	}
	assert_true(nth >= 2 && nth < MAX_STEPS);
	assert_int_equal(map.index, 3);
	grant_rig_free(rig);
}

/* The life of a grant, with each allocation of all workers failing once: at worst it takes longer. */
static void a_grant_needs_no_memory(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 8);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);
	struct ontb_cpumask cpu1 = ontb_cpumask_of(1);

	(void)state;
	/* Not armed while handlers run: counting them needs memory the first time. */
	inject_arm(0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	mock_run(rig->net);
	assert_false(inject_disarm());
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, irq->map.virq, &cpu1), 0);
	inject_arm(0);
	mock_run(rig->net);
	assert_false(inject_disarm());
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	inject_arm(0);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), 0);
	mock_run(rig->net);
	assert_false(inject_disarm());
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOENT);
	assert_int_equal(irq->nr_handled, 2);
	grant_rig_free(rig);
}

/* The one allocation on the way of a peer: the table of what it has. Without it its HELLO waits, and comes again. */
static void a_hello_waits_for_memory(void **state)
{
	(void)state;
	for (unsigned int nth = 0; nth < 2; nth++) {
		struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 8);

		for (unsigned int host = 0; host < 2; host++)
			assert_int_equal(grant_rig_start(rig, host), 0);
		inject_arm(nth);
		mock_run(rig->net);
		assert_true(inject_disarm());
		assert_int_equal(rig->ends[0].nr_up, 1);
		assert_int_equal(rig->ends[1].nr_up, 1);
		(void)grant_rig_irq(rig, 0, 0);
		assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
		mock_run(rig->net);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
		grant_rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_undoes_what_it_made),
		cmocka_unit_test(alloc_undoes_what_it_made),
		cmocka_unit_test(a_grant_needs_no_memory),
		cmocka_unit_test(a_hello_waits_for_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
