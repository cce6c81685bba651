// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Listings: of interrupts, of domains.
 */
#include "rig.h"

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	return *(const enum ontb_irq_return *)dev;
}

static int setup(void **state)
{
	(void)state;
	rig_new(RIG_NO_WORKERS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free();
	return 0;
}

static void walk_finds_every_interrupt_once(void **state)
{
	struct rig_domain *root = rig_add("root", NULL, 0);

	(void)state;
	assert_int_equal(ontb_irq_next(rig_sys, 0), 0);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, RIG_MAX_IRQS, NULL, NULL), 1);
	assert_int_equal(ontb_irq_domain_release(root->domain, 3, RIG_MAX_IRQS - 3), 0);
	assert_int_equal(ontb_irq_next(rig_sys, 0), 1);
	assert_int_equal(ontb_irq_next(rig_sys, 1), 1);
	assert_int_equal(ontb_irq_next(rig_sys, 2), 2);
	assert_int_equal(ontb_irq_next(rig_sys, 3), RIG_MAX_IRQS);
	assert_int_equal(ontb_irq_next(rig_sys, RIG_MAX_IRQS + 1), 0);
	assert_int_equal(ontb_irq_next(rig_sys, UINT32_MAX), 0);
	assert_int_equal(ontb_irq_domain_release(root->domain, 1, 2), 0);
	rig_release(root, RIG_MAX_IRQS);
}

static void status_shows_the_whole_hierarchy(void **state)
{
	static enum ontb_irq_return wants = ONTB_IRQ_HANDLED, wants_not = ONTB_IRQ_NONE;
	struct rig_domain *root = rig_add("root", NULL, 0), *outer = rig_add("outer", root, 0);
	struct ontb_irq_request request = {
		.handler = handle, .dev = &wants, .name = "eth0", .flags = ONTB_IRQ_SHARED
	};
	struct ontb_irq_status status, untouched;
	unsigned int virq;

	(void)state;
	root->base = 40;
	outer->flow = ONTB_IRQ_EDGE;
	root->flow = ONTB_IRQ_FASTEOI; /* the outermost one that says something decides */
	outer->chip.name = NULL;
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), 0);
	assert_int_equal(status.virq, virq);
	assert_int_equal(status.depth, 2);
	assert_string_equal(status.domains[0], "outer");
	assert_string_equal(status.domains[1], "root");
	assert_string_equal(status.chips[0], "");
	assert_string_equal(status.chips[1], "root");
	assert_int_equal(status.hwirqs[0], virq);
	assert_int_equal(status.hwirqs[1], 40 + virq);
	assert_int_equal(status.token, ONTB_BUS_DEVICE);
	assert_int_equal(status.flow, ONTB_IRQ_EDGE);
	assert_string_equal(status.handlers, "");
	assert_false(status.is_active || status.is_enabled || status.is_moving || status.has_msg);

	assert_int_equal(ontb_irq_request(rig_sys, virq, &request), 0);
	request.dev = &wants_not;
	request.name = "a name that is longer than a name of this kind is allowed to be";
	assert_int_equal(ontb_irq_request(rig_sys, virq, &request), 0);
	wants = ONTB_IRQ_NONE;
	assert_int_equal(rig_raise(outer, virq, 1), 0);
	wants = ONTB_IRQ_HANDLED;
	assert_int_equal(rig_raise(outer, virq, 3), 0);
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), 0);
	assert_string_equal(status.handlers, "eth0, a name that is longer than a name of this kind ");
	assert_true(status.is_active && status.is_enabled && status.has_msg);
	assert_false(status.is_moving);
	assert_int_equal(status.msg.data, 40 + virq);
	assert_int_equal(status.effective, 0);
	assert_int_equal(status.count, 2);
	assert_int_equal(status.unhandled, 1);
	assert_int_equal(ontb_irq_disable(rig_sys, virq), 0);
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), 0);
	assert_false(status.is_enabled);

	assert_int_equal(ontb_irq_free(rig_sys, virq, &wants), 0);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &wants_not), 0);
	rig_release(outer, virq);
	memset(&status, 0x5a, sizeof(status));
	untouched = status;
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), -ENOENT);
	assert_memory_equal(&status, &untouched, sizeof(status));
}

static void many_handlers_are_cut_off(void **state)
{
	static char devs[100];
	struct rig_domain *root = rig_add("root", NULL, 0);
	unsigned int virq = rig_alloc(root);
	struct ontb_irq_request request = { .handler = handle, .name = "name", .flags = ONTB_IRQ_SHARED };
	struct ontb_irq_status status;

	(void)state;
	for (unsigned int i = 0; i < sizeof(devs); i++) {
		request.dev = &devs[i];
		assert_int_equal(ontb_irq_request(rig_sys, virq, &request), 0);
	}
	assert_int_equal(ontb_irq_status(rig_sys, virq, &status), 0);
	assert_int_equal(strlen(status.handlers), sizeof(status.handlers) - 1);
	for (unsigned int i = 0; i < sizeof(devs); i++)
		assert_int_equal(ontb_irq_free(rig_sys, virq, &devs[i]), 0);
	rig_release(root, virq);
}

static void domains_are_listed_parents_first(void **state)
{
	struct ontb_irq_domain_status list[4];
	struct rig_domain *root = rig_add("root", NULL, 64), *left = rig_add("left", root, 0),
			  *right = rig_add("right", root, 8);
	unsigned int virq, other;

	(void)state;
	virq = rig_alloc(right);
	other = rig_alloc(root);
	assert_int_equal(ontb_irq_domains(rig_sys, NULL, 0), 3);
	memset(list, 0x5a, sizeof(list));
	assert_int_equal(ontb_irq_domains(rig_sys, list, 2), 3);
	assert_string_equal(list[0].name, "root");
	assert_string_equal(list[0].parent, "");
	assert_int_equal(list[0].token, ONTB_BUS_VECTOR);
	assert_int_equal(list[0].nr_irqs, 2);
	assert_int_equal(list[0].size, 64);
	assert_string_equal(list[1].name, "left");
	assert_string_equal(list[1].parent, "root");
	assert_int_equal(list[1].nr_irqs, 0);
	assert_int_equal(list[1].size, 0);
	assert_int_equal(list[2].name[0], 0x5a);
	assert_int_equal(ontb_irq_domains(rig_sys, list, 4), 3);
	assert_string_equal(list[2].name, "right");
	assert_int_equal(list[2].nr_irqs, 1);
	rig_release(right, virq);
	rig_release(root, other);
	(void)left;
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(ontb_bus_token_name(ONTB_BUS_ANY), "ANY");
	assert_string_equal(ontb_bus_token_name(ONTB_BUS_NTB), "NTB");
	assert_string_equal(ontb_bus_token_name(ONTB_BUS_CASCADE), "CASCADE");
	assert_string_equal(ontb_bus_token_name((enum ontb_bus_token)(ONTB_BUS_CASCADE + 1)), "?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(walk_finds_every_interrupt_once),
		TEST(status_shows_the_whole_hierarchy),
		TEST(many_handlers_are_cut_off),
		TEST(domains_are_listed_parents_first),
		TEST(kinds_have_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
