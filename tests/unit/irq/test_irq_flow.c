// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Flows: in which order chips and handlers run, what becomes of events that come at a bad moment, cascades.
 *
 * "Another CPU" is this thread inside a handler: it enters another CPU and raises the interrupt, which is exactly what a
 * second thread could do at that point. test_irq_threads.c does it with real ones.
 */
#include "rig.h"

static struct rig_domain *root, *outer;
static unsigned int virq, nr_handled, depth, max_depth, nr_again;
static char order[256];

static int setup(void **state)
{
	(void)state;
	rig_new(RIG_NO_WORKERS);
	root = rig_add("root", NULL, 0);
	outer = rig_add("outer", root, 0);
	nr_handled = depth = max_depth = nr_again = 0;
	order[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	rig_release(outer, virq);
	rig_free();
	return 0;
}

static void request(enum ontb_irq_flow flow, ontb_irq_handler *handler)
{
	outer->flow = (int)flow;
	virq = rig_alloc(outer);
	rig_request(virq, handler, &virq);
	(void)rig_calls();
}

static enum ontb_irq_return handle(unsigned int number, void *dev)
{
	assert_int_equal(number, virq);
	assert_ptr_equal(dev, &virq);
	(void)strcat(order, rig_calls());
	(void)strcat(order, "handler ");
	nr_handled++;
	return ONTB_IRQ_HANDLED;
}

/* What has happened since the last time, handlers among it. */
static const char *in_order(void)
{
	static char copy[256];

	(void)strcat(order, rig_calls());
	(void)strcpy(copy, order);
	order[0] = '\0';
	return copy;
}

/* Raises its own interrupt again on the next CPU, nr_again times. */
static enum ontb_irq_return raise_again(unsigned int number, void *dev)
{
	if (++depth > max_depth)
		max_depth = depth;
	(void)handle(number, dev);
	if (nr_again) {
		nr_again--;
		assert_int_equal(rig_raise(outer, virq, (ontb_irq_this_cpu() + 1) % RIG_NR_CPUS), 0);
	}
	(void)strcat(order, rig_calls());
	(void)strcat(order, "end ");
	depth--;
	return ONTB_IRQ_HANDLED;
}

static void simple_flow_only_runs_handlers(void **state)
{
	(void)state;
	request(ONTB_IRQ_SIMPLE, handle);
	assert_int_equal(rig_raise(outer, virq, 1), 0);
	assert_string_equal(in_order(), "handler ");
}

static void edge_flow_acknowledges_first(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, handle);
	assert_int_equal(rig_raise(root, virq, 1), 0); /* by its number in any of its domains */
	assert_string_equal(in_order(), "root.ack handler ");
}

static void level_flow_is_masked_while_handlers_run(void **state)
{
	(void)state;
	request(ONTB_IRQ_LEVEL, handle);
	assert_int_equal(rig_raise(outer, virq, 1), 0);
	assert_string_equal(in_order(), "outer.mask root.ack handler outer.unmask ");
}

static void fasteoi_flow_ends_after_handlers(void **state)
{
	(void)state;
	request(ONTB_IRQ_FASTEOI, handle);
	assert_int_equal(rig_raise(outer, virq, 1), 0);
	assert_string_equal(in_order(), "handler root.eoi ");
}

static void edge_that_comes_while_the_handler_runs_runs_it_again(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, raise_again);
	nr_again = 3;
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 4);
	assert_int_equal(max_depth, 1);
	assert_string_equal(in_order(),
			    "root.ack handler root.ack end handler root.ack end handler root.ack end handler end ");
}

static enum ontb_irq_return raise_twice(unsigned int number, void *dev)
{
	(void)handle(number, dev);
	if (nr_handled == 1) {
		assert_int_equal(rig_raise(outer, virq, 1), 0);
		assert_int_equal(rig_raise(outer, virq, 2), 0);
	}
	return ONTB_IRQ_HANDLED;
}

static void edges_that_come_together_are_one(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, raise_twice);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 2);
}

static void fasteoi_that_comes_while_the_handler_runs_runs_it_again(void **state)
{
	(void)state;
	request(ONTB_IRQ_FASTEOI, raise_again);
	nr_again = 1;
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 2);
	/* The one that came on the other CPU is ended there, each exactly once. */
	assert_string_equal(in_order(), "handler root.eoi end handler end root.eoi ");
}

static void level_that_comes_while_the_handler_runs_runs_it_again(void **state)
{
	(void)state;
	request(ONTB_IRQ_LEVEL, raise_again);
	nr_again = 1;
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_string_equal(in_order(), "outer.mask root.ack handler root.ack end handler end outer.unmask ");
}

static void edge_while_disabled_is_kept_and_masks_the_chip(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, handle);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_string_equal(in_order(), ""); /* nobody bothers the chip before something comes */
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_string_equal(in_order(), "root.ack outer.mask root.ack ");
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_string_equal(in_order(), "outer.unmask handler ");
	assert_int_equal(nr_handled, 1);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 2);
}

static void disable_without_an_event_never_touches_the_chip(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, handle);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_string_equal(in_order(), "");
}

static void fasteoi_while_disabled_is_kept(void **state)
{
	(void)state;
	request(ONTB_IRQ_FASTEOI, handle);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_string_equal(in_order(), "outer.mask root.eoi ");
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_string_equal(in_order(), "outer.unmask handler ");
}

static void level_while_disabled_stays_masked_and_comes_by_itself(void **state)
{
	(void)state;
	request(ONTB_IRQ_LEVEL, handle);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_string_equal(in_order(), "outer.mask root.ack ");
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_string_equal(in_order(), "outer.unmask ");
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_string_equal(in_order(), "outer.mask root.ack handler outer.unmask ");
}

static enum ontb_irq_return disable_itself(unsigned int number, void *dev)
{
	(void)handle(number, dev);
	if (nr_handled == 1) {
		assert_int_equal(ontb_irq_disable_nosync(rig_sys, virq), 0);
		assert_int_equal(rig_raise(outer, virq, 3), 0);
	}
	return ONTB_IRQ_HANDLED;
}

static void handler_may_disable_its_own_interrupt(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, disable_itself);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 1); /* the edge that came meanwhile waits */
	assert_string_equal(in_order(), "root.ack handler root.ack outer.mask ");
	assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
	assert_int_equal(nr_handled, 2);
	assert_string_equal(in_order(), "outer.unmask handler ");
}

static enum ontb_irq_return disable_and_enable(unsigned int number, void *dev)
{
	(void)handle(number, dev);
	if (nr_handled == 1) {
		assert_int_equal(ontb_irq_disable_nosync(rig_sys, virq), 0);
		assert_int_equal(rig_raise(outer, virq, 3), 0);
		assert_int_equal(ontb_irq_enable(rig_sys, virq), 0);
		assert_int_equal(nr_handled, 1); /* never inside itself */
	}
	return ONTB_IRQ_HANDLED;
}

static void handler_may_enable_its_own_interrupt(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, disable_and_enable);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 2);
	assert_string_equal(in_order(), "root.ack handler root.ack handler ");
}

static void handler_knows_its_cpu_and_is_counted_there(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, handle);
	for (unsigned int cpu = 0; cpu < RIG_NR_CPUS; cpu++)
		for (unsigned int i = 0; i <= cpu; i++)
			assert_int_equal(rig_raise(outer, virq, cpu), 0);
	for (unsigned int cpu = 0; cpu < RIG_NR_CPUS; cpu++)
		assert_int_equal(ontb_irq_count(rig_sys, virq, cpu), cpu + 1);
	assert_int_equal(ontb_irq_count(rig_sys, virq, RIG_NR_CPUS), 0);
	assert_int_equal(ontb_irq_count(rig_sys, virq + 1, 0), 0);
	ontb_irq_cpu_enter(rig_sys, 2);
	ontb_irq_cpu_enter(rig_sys, 2);
	assert_int_equal(ontb_irq_this_cpu(), 2);
	ontb_irq_cpu_leave(rig_sys);
	assert_int_equal(ontb_irq_this_cpu(), 2);
	ontb_irq_cpu_leave(rig_sys);
}

static void number_that_nobody_has_is_counted_as_spurious(void **state)
{
	(void)state;
	request(ONTB_IRQ_EDGE, handle);
	assert_int_equal(rig_raise(outer, virq + 1, 0), -ENOENT);
	assert_int_equal(ontb_irq_spurious(rig_sys), 1);
	ontb_irq_cpu_enter(rig_sys, 0);
	ontb_irq_count_spurious(rig_sys);
	ontb_irq_cpu_leave(rig_sys);
	assert_int_equal(ontb_irq_spurious(rig_sys), 2);
	assert_int_equal(nr_handled, 0);
}

static void descriptor_from_a_table_runs_the_interrupt(void **state)
{
	struct ontb_irq_desc *desc;

	(void)state;
	request(ONTB_IRQ_EDGE, handle);
	desc = ontb_irq_desc_get(rig_sys, virq);
	ontb_irq_cpu_enter(rig_sys, 0);
	ontb_irq_desc_handle(desc);
	ontb_irq_cpu_leave(rig_sys);
	assert_int_equal(nr_handled, 1);
}

static void edge_before_the_first_handler_is_kept_if_the_interrupt_is_active(void **state)
{
	(void)state;
	outer->flow = ONTB_IRQ_EDGE;
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	(void)rig_calls();
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_string_equal(in_order(), "root.ack "); /* masked since it was allocated */
	rig_request(virq, handle, &virq);
	assert_string_equal(in_order(), "outer.unmask handler ");
}

static void first_handler_unmasks_and_the_last_one_masks(void **state)
{
	(void)state;
	outer->flow = ONTB_IRQ_EDGE;
	virq = rig_alloc(outer);
	(void)rig_calls();
	rig_request(virq, handle, &virq);
	assert_string_equal(rig_calls(), "root.activate outer.activate outer.write outer.unmask ");
	assert_int_equal(ontb_irq_free(rig_sys, virq, &virq), 0);
	assert_string_equal(rig_calls(), "outer.mask outer.withdraw outer.deactivate root.deactivate ");
	assert_int_equal(rig_raise(outer, virq, 0), 0); /* a straggler */
	assert_int_equal(nr_handled, 0);
	rig_request(virq, handle, &virq);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
}

/* Cascades. */

static struct rig_domain *behind;
static unsigned int child;

static enum ontb_irq_return demultiplex(unsigned int number, void *dev)
{
	assert_int_equal(number, virq);
	assert_ptr_equal(dev, behind);
	(void)strcat(order, rig_calls());
	(void)strcat(order, "demux ");
	assert_int_equal(ontb_irq_dispatch(behind->domain, behind->base + child), 0);
	return ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return handle_child(unsigned int number, void *dev)
{
	(void)dev;
	assert_int_equal(number, child);
	(void)strcat(order, rig_calls());
	(void)strcat(order, "child ");
	nr_handled++;
	return ONTB_IRQ_HANDLED;
}

static void cascade_takes_an_interrupt_apart(void **state)
{
	static int other;

	(void)state;
	behind = rig_add("behind", NULL, 0);
	behind->flow = ONTB_IRQ_SIMPLE;
	child = rig_alloc(behind);
	rig_request(child, handle_child, &child);
	outer->flow = ONTB_IRQ_LEVEL;
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_set_chained(rig_sys, virq, NULL, NULL), -ENOENT);
	(void)rig_calls();
	assert_int_equal(ontb_irq_set_chained(rig_sys, virq, demultiplex, behind), 0);
	assert_string_equal(in_order(), "root.activate outer.activate outer.write outer.unmask ");
	assert_int_equal(rig_raise(outer, virq, 2), 0);
	assert_string_equal(in_order(), "root.ack demux child root.eoi ");
	assert_int_equal(ontb_irq_count(rig_sys, child, 2), 1);
	assert_int_equal(ontb_irq_count(rig_sys, virq, 2), 1);

	assert_int_equal(ontb_irq_set_chained(rig_sys, virq, demultiplex, behind), -EBUSY);
	{
		const struct ontb_irq_request request_other = {
			.handler = handle, .dev = &other, .name = "x", .flags = ONTB_IRQ_SHARED
		};

		assert_int_equal(ontb_irq_request(rig_sys, virq, &request_other), -EBUSY);
	}
	assert_int_equal(ontb_irq_free(rig_sys, virq, behind), -ENOENT);
	assert_int_equal(ontb_irq_domain_release(outer->domain, virq, 1), -EBUSY);
	assert_int_equal(ontb_irq_set_chained(rig_sys, virq, NULL, NULL), 0);
	assert_string_equal(in_order(), "outer.mask outer.withdraw outer.deactivate root.deactivate ");
	assert_int_equal(ontb_irq_free(rig_sys, child, &child), 0);
	rig_release(behind, child);
	rig_request(virq, handle, &virq);
	assert_int_equal(ontb_irq_set_chained(rig_sys, virq, demultiplex, behind), -EBUSY);
	assert_int_equal(rig_raise(outer, virq, 2), 0);
	assert_int_equal(nr_handled, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(simple_flow_only_runs_handlers),
		TEST(edge_flow_acknowledges_first),
		TEST(level_flow_is_masked_while_handlers_run),
		TEST(fasteoi_flow_ends_after_handlers),
		TEST(edge_that_comes_while_the_handler_runs_runs_it_again),
		TEST(edges_that_come_together_are_one),
		TEST(fasteoi_that_comes_while_the_handler_runs_runs_it_again),
		TEST(level_that_comes_while_the_handler_runs_runs_it_again),
		TEST(edge_while_disabled_is_kept_and_masks_the_chip),
		TEST(disable_without_an_event_never_touches_the_chip),
		TEST(fasteoi_while_disabled_is_kept),
		TEST(level_while_disabled_stays_masked_and_comes_by_itself),
		TEST(handler_may_disable_its_own_interrupt),
		TEST(handler_may_enable_its_own_interrupt),
		TEST(handler_knows_its_cpu_and_is_counted_there),
		TEST(number_that_nobody_has_is_counted_as_spurious),
		TEST(descriptor_from_a_table_runs_the_interrupt),
		TEST(edge_before_the_first_handler_is_kept_if_the_interrupt_is_active),
		TEST(first_handler_unmasks_and_the_last_one_masks),
		TEST(cascade_takes_an_interrupt_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
