// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Events that come late: the dispatch looked the interrupt up, and before it went on the interrupt was released. Played by one
 * thread, which holds the read-side lock of RCU as the dispatch would.
 */
#include "rig.h"

#include "irq/internals.h"

static struct rig_domain *root, *outer;
static unsigned int nr_handled;

static int setup(void **state)
{
	(void)state;
	nr_handled = 0;
	rig_new(RIG_NO_WORKERS);
	root = rig_add("root", NULL, 0);
	outer = rig_add("outer", root, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free();
	return 0;
}

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	nr_handled++;
	return ONTB_IRQ_HANDLED;
}

/* An interrupt that was used and released after somebody looked it up; RCU is held. */
static struct ontb_irq_desc *late_desc(enum ontb_irq_flow flow)
{
	struct ontb_irq_request request = { .handler = count, .thread = count, .dev = &nr_handled, .name = "test" };
	struct ontb_irq_desc *desc;
	unsigned int virq;

	outer->flow = (int)flow;
	if (flow != ONTB_IRQ_NESTED)
		request.thread = NULL;
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_request(rig_sys, virq, &request), 0);
	ontb_rcu_read_lock();
	desc = ontb_irq_desc_get(rig_sys, virq);
	assert_non_null(desc);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &nr_handled), 0);
	rig_release(outer, virq);
	return desc;
}

static void nested_interrupt_that_was_released_is_not_taken(void **state)
{
	struct ontb_irq_desc *desc = late_desc(ONTB_IRQ_NESTED);
	bool was_taken, is_owned;

	(void)state;
	/* Its thread functions run outside RCU, so whoever took it now would keep what nobody keeps. */
	was_taken = ontb_irq_own_nested(desc);
	is_owned = desc_state(desc) & IRQ_RUNNING;
	ontb_rcu_read_unlock(); /* before anything can fail */
	assert_false(was_taken);
	assert_false(is_owned);
	assert_int_equal(nr_handled, 0);
}

static void interrupt_that_was_released_runs_nothing(void **state)
{
	static const enum ontb_irq_flow flows[] = { ONTB_IRQ_SIMPLE, ONTB_IRQ_EDGE, ONTB_IRQ_LEVEL, ONTB_IRQ_FASTEOI };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(flows); i++) {
		struct ontb_irq_desc *desc = late_desc(flows[i]);
		bool is_owned;

		ontb_irq_desc_handle(desc);
		is_owned = desc_state(desc) & IRQ_RUNNING;
		ontb_rcu_read_unlock();
		assert_false(is_owned);
		assert_int_equal(nr_handled, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nested_interrupt_that_was_released_is_not_taken),
		TEST(interrupt_that_was_released_runs_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
