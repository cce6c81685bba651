// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Domains: numbers and maps, hierarchies, allocation and activation, and that what fails in the middle is undone.
 */
#include "rig.h"

static struct rig_domain *root, *mid, *outer;

static int setup(void **state)
{
	(void)state;
	rig_new(RIG_NO_WORKERS);
	root = rig_add("root", NULL, 0);
	mid = rig_add("mid", root, 0);
	outer = rig_add("outer", mid, 512);
	root->base = 1000;
	mid->base = 1ULL << 40;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free();
	return 0;
}

static unsigned int nr_handled;

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	nr_handled++;
	return ONTB_IRQ_HANDLED;
}

static void system_refuses_what_no_host_is(void **state)
{
	const struct ontb_irq_system_config good = { .name = "x", .nr_cpus = ONTB_MAX_CPUS, .max_irqs = 16U << 20 };
	struct ontb_irq_system *const untouched = (struct ontb_irq_system *)0x8;
	struct ontb_irq_system *sys = untouched;
	struct ontb_irq_system_config bad[] = { good, good, good, good, good };

	(void)state;
	bad[0].name = NULL;
	bad[1].nr_cpus = 0;
	bad[2].nr_cpus = ONTB_MAX_CPUS + 1;
	bad[3].max_irqs = 0;
	bad[4].max_irqs = (16U << 20) + 1;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ontb_irq_system_new(&bad[i], &sys), -EINVAL);
		assert_ptr_equal(sys, untouched);
	}
	assert_int_equal(ontb_irq_system_new(&good, &sys), 0);
	assert_int_equal(ontb_irq_system_nr_cpus(sys), ONTB_MAX_CPUS);
	ontb_irq_system_free(sys);
	ontb_irq_system_free(NULL);
}

static void domain_refuses_what_it_cannot_be(void **state)
{
	const struct ontb_irq_domain_ops no_alloc = { .alloc = NULL };
	struct ontb_irq_domain_config config = { .name = "x", .ops = &no_alloc };
	struct ontb_irq_domain *out = NULL;
	struct ontb_irq_system *other;
	const struct ontb_irq_system_config other_config = { .name = "other", .nr_cpus = 1, .max_irqs = 1 };

	(void)state;
	assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &out), -EINVAL);
	config.ops = NULL;
	assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &out), -EINVAL);
	assert_int_equal(ontb_irq_system_new(&other_config, &other), 0);
	{
		struct rig_domain *deepest = outer;

		for (unsigned int depth = 3; depth < ONTB_IRQ_MAX_DEPTH; depth++)
			deepest = rig_add("more", deepest, 0);
		rig_release(deepest, rig_alloc(deepest));
		config.ops = rig_ops();
		config.parent = deepest->domain;
		assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &out), -EINVAL);
		config.parent = root->domain;
		assert_int_equal(ontb_irq_domain_new(other, &config, &out), -EINVAL);
		config.parent = NULL;
		config.name = NULL;
		assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &out), -EINVAL);
		config.name = "x";
		config.size = (16U << 20) + 1;
		assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &out), -EINVAL);
	}
	assert_null(out);
	ontb_irq_system_free(other);
}

static void domain_says_what_it_is(void **state)
{
	(void)state;
	assert_string_equal(ontb_irq_domain_name(outer->domain), "outer");
	assert_ptr_equal(ontb_irq_domain_parent(outer->domain), mid->domain);
	assert_null(ontb_irq_domain_parent(root->domain));
	assert_ptr_equal(ontb_irq_domain_system(mid->domain), rig_sys);
	assert_int_equal(ontb_irq_domain_token(root->domain), ONTB_BUS_VECTOR);
	assert_null(ontb_irq_domain_msi_parent(root->domain));
	assert_ptr_equal(ontb_irq_domain_data(mid->domain), mid);
}

static void allocation_goes_through_all_domains_and_touches_no_hardware(void **state)
{
	struct ontb_irq_data *data;
	unsigned int virq;

	(void)state;
	virq = rig_alloc(outer);
	assert_int_equal(virq, 1);
	assert_string_equal(rig_calls(), "root.alloc mid.alloc outer.alloc ");
	assert_int_equal(ontb_irq_find(root->domain, 1001), virq);
	assert_int_equal(ontb_irq_find(mid->domain, (1ULL << 40) + 1), virq);
	assert_int_equal(ontb_irq_find(outer->domain, 1), virq);
	assert_int_equal(ontb_irq_find(outer->domain, 0), 0);
	assert_int_equal(ontb_irq_find(outer->domain, 512), 0);

	data = ontb_irq_data_of(outer->domain, virq);
	assert_non_null(data);
	assert_int_equal(data->hwirq, 1);
	assert_ptr_equal(data->chip, &outer->chip);
	assert_ptr_equal(data->chip_data, outer);
	assert_ptr_equal(data->parent, ontb_irq_data_of(mid->domain, virq));
	assert_ptr_equal(data->parent->parent, ontb_irq_data_of(root->domain, virq));
	assert_null(data->parent->parent->parent);
	assert_ptr_equal(ontb_irq_data_desc(data->parent->parent), ontb_irq_desc_get(rig_sys, virq));
	assert_ptr_equal(ontb_irq_data_desc(data), ontb_irq_desc_get(rig_sys, virq));

	rig_release(outer, virq);
	assert_string_equal(rig_calls(), "outer.free mid.free root.free ");
	assert_int_equal(ontb_irq_find(root->domain, 1001), 0);
	assert_int_equal(ontb_irq_find(mid->domain, (1ULL << 40) + 1), 0);
	assert_int_equal(ontb_irq_find(outer->domain, 1), 0);
	assert_null(ontb_irq_desc_get(rig_sys, virq));
	assert_null(ontb_irq_data_of(outer->domain, virq));
}

static void failing_domain_leaves_nothing_behind(void **state)
{
	struct rig_domain *const all[] = { root, mid, outer };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		(void)rig_calls();
		all[i]->alloc_ret = -EPROTO;
		assert_int_equal(ontb_irq_domain_alloc(outer->domain, 3, NULL, NULL), -EPROTO);
		all[i]->alloc_ret = 0;
		assert_string_equal(rig_calls(), i == 0	  ? "root.alloc "
						 : i == 1 ? "root.alloc mid.alloc root.free "
							  : "root.alloc mid.alloc outer.alloc mid.free root.free ");
		for (unsigned int virq = 1; virq <= 3; virq++) {
			assert_int_equal(ontb_irq_find(root->domain, 1000 + virq), 0);
			assert_int_equal(ontb_irq_find(mid->domain, (1ULL << 40) + virq), 0);
			assert_int_equal(ontb_irq_find(outer->domain, virq), 0);
		}
		assert_int_equal(ontb_irq_next(rig_sys, 0), 0);
	}
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 3, NULL, NULL), 1);
	assert_int_equal(ontb_irq_domain_release(outer->domain, 1, 3), 0);
}

static void domain_that_forgets_to_say_what_an_interrupt_is_is_found_out(void **state)
{
	(void)state;
	mid->forgets = true;
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 1, NULL, NULL), -EINVAL);
	assert_string_equal(rig_calls(), "root.alloc mid.alloc outer.alloc outer.free mid.free root.free ");
	assert_int_equal(ontb_irq_find(outer->domain, 1), 0);
	mid->forgets = false;
	rig_release(outer, rig_alloc(outer));
}

static int early_ret;

/* A message of any kind may come at any time: also when only the root knows its number. */
static int alloc_with_an_early_message(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	int ret = ontb_irq_domain_alloc_parent(domain, virq, nr, NULL);

	(void)arg;
	assert_int_equal(ret, 0);
	ontb_irq_cpu_enter(rig_sys, 0);
	early_ret = ontb_irq_dispatch(root->domain, root->base + virq);
	ontb_irq_cpu_leave(rig_sys);
	return ontb_irq_domain_set_info(domain, virq, virq, NULL, NULL);
}

static void free_in_parent(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	ontb_irq_domain_free_parent(domain, virq, nr);
}

static void interrupt_that_is_half_allocated_is_not_dispatched(void **state)
{
	static const struct ontb_irq_domain_ops ops = { .alloc = alloc_with_an_early_message, .free = free_in_parent };
	const struct ontb_irq_domain_config config = { .name = "early", .ops = &ops, .parent = root->domain };
	struct ontb_irq_domain *early;
	int virq;

	(void)state;
	early_ret = 0;
	assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &early), 0);
	(void)rig_calls();
	virq = ontb_irq_domain_alloc(early, 1, NULL, NULL);
	assert_true(virq > 0);
	assert_int_equal(early_ret, -ENOENT);
	assert_int_equal(ontb_irq_spurious(rig_sys), 1);
	assert_string_equal(rig_calls(), "root.alloc ");
	assert_int_equal(ontb_irq_domain_release(early, (unsigned int)virq, 1), 0);
	assert_int_equal(ontb_irq_domain_free(early), 0);
}

static void hardware_number_is_given_once(void **state)
{
	uint64_t hwirq = 511;
	unsigned int virq;
	int ret;

	(void)state;
	ret = ontb_irq_domain_alloc(outer->domain, 1, NULL, &hwirq);
	assert_true(ret > 0);
	virq = (unsigned int)ret;
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 1, NULL, &hwirq), -EEXIST);
	hwirq = 510; /* the second one of two is taken */
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 2, NULL, &hwirq), -EEXIST);
	assert_int_equal(ontb_irq_find(outer->domain, 510), 0);
	assert_int_equal(ontb_irq_find(outer->domain, 511), virq);
	hwirq = 512;
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 1, NULL, &hwirq), -ERANGE);
	rig_release(outer, virq);
	hwirq = 510;
	assert_true(ontb_irq_domain_alloc(outer->domain, 2, NULL, &hwirq) > 0);
	assert_int_equal(ontb_irq_find(outer->domain, 510), 1);
	assert_int_equal(ontb_irq_find(outer->domain, 511), 2);
	assert_int_equal(ontb_irq_domain_release(outer->domain, 1, 2), 0);
}

static void sparse_map_takes_any_number(void **state)
{
	static const uint64_t hwirqs[] = { 0, 1, UINT32_MAX, UINT64_MAX };
	const uint64_t taken = 1;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t hwirq = hwirqs[i];

		assert_int_equal(ontb_irq_domain_alloc(root->domain, 1, NULL, &hwirq), i + 1);
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(ontb_irq_find(root->domain, hwirqs[i]), i + 1);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 1, NULL, (void *)(uintptr_t)&taken), -EEXIST);
	assert_int_equal(ontb_irq_find(root->domain, 2), 0);
	assert_int_equal(ontb_irq_domain_release(root->domain, 1, 4), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(ontb_irq_find(root->domain, hwirqs[i]), 0);
}

static void numbers_run_out_and_come_back(void **state)
{
	(void)state;
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 0, NULL, NULL), -EINVAL);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, RIG_MAX_IRQS + 1, NULL, NULL), -ENOSPC);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, RIG_MAX_IRQS, NULL, NULL), 1);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 1, NULL, NULL), -ENOSPC);
	assert_int_equal(ontb_irq_domain_release(root->domain, 500, 3), 0);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 4, NULL, NULL), -ENOSPC);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 2, NULL, NULL), 500);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 1, NULL, NULL), 502);
	assert_int_equal(ontb_irq_domain_release(root->domain, RIG_MAX_IRQS, 1), 0);
	assert_int_equal(ontb_irq_domain_alloc(root->domain, 1, NULL, NULL), RIG_MAX_IRQS);
	assert_int_equal(ontb_irq_domain_release(root->domain, 1, RIG_MAX_IRQS), 0);
}

static void release_is_all_or_nothing(void **state)
{
	int dev;

	(void)state;
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 4, NULL, NULL), 1);
	assert_int_equal(ontb_irq_domain_alloc(mid->domain, 1, NULL, NULL), 5);
	(void)rig_calls();
	assert_int_equal(ontb_irq_domain_release(outer->domain, 0, 1), -ENOENT);
	assert_int_equal(ontb_irq_domain_release(outer->domain, 1, 5), -ENOENT); /* the last is another domain's */
	assert_int_equal(ontb_irq_domain_release(mid->domain, 1, 1), -ENOENT);	 /* it is not the outermost one */
	rig_request(3, count, &dev);
	(void)rig_calls();
	assert_int_equal(ontb_irq_domain_release(outer->domain, 1, 4), -EBUSY);
	assert_string_equal(rig_calls(), "");
	for (unsigned int virq = 1; virq <= 5; virq++)
		assert_int_equal(ontb_irq_next(rig_sys, virq), virq);
	nr_handled = 0;
	assert_int_equal(rig_raise(outer, 3, 0), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, 3, &dev), 0);
	assert_int_equal(ontb_irq_domain_release(outer->domain, 1, 4), 0);
	assert_int_equal(ontb_irq_next(rig_sys, 0), 5);
	rig_release(mid, 5);
}

static void domain_with_interrupts_or_children_stays(void **state)
{
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_irq_domain_free(NULL), 0);
	assert_int_equal(ontb_irq_domain_free(root->domain), -EBUSY);
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_domain_free(outer->domain), -EBUSY);
	rig_release(outer, virq);
}

static void activation_goes_from_the_root_outwards_and_back(void **state)
{
	unsigned int virq;

	(void)state;
	virq = rig_alloc(outer);
	(void)rig_calls();
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "root.activate mid.activate outer.activate outer.write ");
	assert_true(outer->has_msg);
	assert_int_equal(outer->msg.addr, 0xfee00000);
	assert_int_equal(outer->msg.data, 1000 + virq);
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "");
	assert_int_equal(ontb_irq_deactivate(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "outer.withdraw outer.deactivate mid.deactivate root.deactivate ");
	assert_int_equal(ontb_irq_deactivate(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "");
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	(void)rig_calls();
	rig_release(outer, virq); /* deactivates by itself */
	assert_string_equal(rig_calls(), "outer.withdraw outer.deactivate mid.deactivate root.deactivate "
					 "outer.free mid.free root.free ");
	assert_int_equal(ontb_irq_activate(rig_sys, virq), -ENOENT);
	assert_int_equal(ontb_irq_deactivate(rig_sys, virq), -ENOENT);
}

static void message_before_activation_is_not_for_the_next_handler(void **state)
{
	unsigned int virq, dev;

	(void)state;
	virq = rig_alloc(outer);
	nr_handled = 0;
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	rig_request(virq, count, &dev);
	assert_int_equal(nr_handled, 0);
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &dev), 0);
	/* Nor is one that comes between two handlers. */
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	rig_request(virq, count, &dev);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &dev), 0);
	rig_release(outer, virq);
}

static void failing_activation_is_undone_and_reported(void **state)
{
	static const char *const calls[] = {
		"root.activate ",
		"root.activate mid.activate root.deactivate ",
		"root.activate mid.activate outer.activate mid.deactivate root.deactivate ",
	};
	struct rig_domain *const all[] = { root, mid, outer };
	unsigned int virq;
	int dev;
	const struct ontb_irq_request request = { .handler = count, .dev = &dev, .name = "test" };

	(void)state;
	virq = rig_alloc(outer);
	for (unsigned int i = 0; i < 3; i++) {
		(void)rig_calls();
		all[i]->activate_ret = -ENOSPC;
		assert_int_equal(ontb_irq_activate(rig_sys, virq), -ENOSPC);
		assert_string_equal(rig_calls(), calls[i]);
		assert_int_equal(ontb_irq_request(rig_sys, virq, &request), -ENOSPC);
		assert_false(ontb_irq_is_requested(rig_sys, virq));
		all[i]->activate_ret = 0;
	}
	(void)rig_calls();
	outer->write_ret = -EIO;
	assert_int_equal(ontb_irq_activate(rig_sys, virq), -EIO);
	assert_string_equal(rig_calls(), "root.activate mid.activate outer.activate outer.write "
					 "outer.deactivate mid.deactivate root.deactivate ");
	outer->write_ret = 0;
	root->compose_ret = -ENODEV;
	assert_int_equal(ontb_irq_activate(rig_sys, virq), -ENODEV);
	assert_string_equal(rig_calls(), "root.activate mid.activate outer.activate "
					 "outer.deactivate mid.deactivate root.deactivate ");
	root->compose_ret = 0;
	assert_int_equal(ontb_irq_request(rig_sys, virq, &request), 0);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &dev), 0);
	rig_release(outer, virq);
}

static void message_that_somebody_may_hold_keeps_what_it_leads_to(void **state)
{
	unsigned int virq;

	(void)state;
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	outer->write_ret = -EINPROGRESS;
	(void)rig_calls();
	assert_int_equal(ontb_irq_deactivate(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "outer.withdraw ");
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, 0), -ETIMEDOUT);
	assert_int_equal(ontb_irq_activate(rig_sys, virq), -EBUSY);
	assert_int_equal(ontb_irq_domain_release(outer->domain, virq, 1), -EBUSY);
	assert_int_equal(ontb_irq_find(outer->domain, virq), virq);
	assert_string_equal(rig_calls(), "");
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	assert_string_equal(rig_calls(), "outer.deactivate mid.deactivate root.deactivate ");
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	assert_string_equal(rig_calls(), "");
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, 0), 0);
	outer->write_ret = 0;
	rig_release(outer, virq);
}

static void release_of_a_message_that_somebody_holds_can_be_tried_again(void **state)
{
	unsigned int virq;

	(void)state;
	virq = rig_alloc(outer);
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	outer->write_ret = -EINPROGRESS;
	assert_int_equal(ontb_irq_domain_release(outer->domain, virq, 1), -EBUSY);
	assert_int_equal(ontb_irq_next(rig_sys, 0), virq);
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	(void)rig_calls();
	rig_release(outer, virq);
	assert_string_equal(rig_calls(), "outer.free mid.free root.free ");
}

static void message_can_be_written_again(void **state)
{
	unsigned int virq;

	(void)state;
	virq = rig_alloc(outer);
	(void)rig_calls();
	assert_int_equal(ontb_irq_rewrite(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "");
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	(void)rig_calls();
	outer->has_msg = false;
	assert_int_equal(ontb_irq_rewrite(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "outer.write ");
	assert_true(outer->has_msg);
	rig_release(outer, virq);
	assert_int_equal(ontb_irq_rewrite(rig_sys, virq), -ENOENT);
}

static void domain_may_only_translate(void **state)
{
	struct ontb_msi_msg msg;
	unsigned int virq;
	int dev;

	(void)state;
	mid->chip = (struct ontb_irq_chip){ .name = NULL };
	outer->chip = (struct ontb_irq_chip){ .name = NULL };
	outer->flow = ONTB_IRQ_EDGE;
	virq = rig_alloc(outer);
	rig_request(virq, count, &dev);
	(void)rig_calls();
	nr_handled = 0;
	assert_int_equal(rig_raise(outer, virq, 0), 0);
	assert_int_equal(nr_handled, 1);
	assert_string_equal(rig_calls(), "root.ack ");
	assert_int_equal(ontb_irq_compose(ontb_irq_data_of(outer->domain, virq), &msg), 0);
	assert_int_equal(msg.data, 1000 + virq);
	root->chip.compose_msg = NULL;
	assert_int_equal(ontb_irq_compose(ontb_irq_data_of(outer->domain, virq), &msg), -EOPNOTSUPP);
	assert_int_equal(ontb_irq_free(rig_sys, virq, &dev), 0);
	rig_release(outer, virq);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(system_refuses_what_no_host_is),
		TEST(domain_refuses_what_it_cannot_be),
		TEST(domain_says_what_it_is),
		TEST(allocation_goes_through_all_domains_and_touches_no_hardware),
		TEST(failing_domain_leaves_nothing_behind),
		TEST(domain_that_forgets_to_say_what_an_interrupt_is_is_found_out),
		TEST(interrupt_that_is_half_allocated_is_not_dispatched),
		TEST(hardware_number_is_given_once),
		TEST(sparse_map_takes_any_number),
		TEST(numbers_run_out_and_come_back),
		TEST(release_is_all_or_nothing),
		TEST(domain_with_interrupts_or_children_stays),
		TEST(activation_goes_from_the_root_outwards_and_back),
		TEST(message_before_activation_is_not_for_the_next_handler),
		TEST(failing_activation_is_undone_and_reported),
		TEST(message_that_somebody_may_hold_keeps_what_it_leads_to),
		TEST(release_of_a_message_that_somebody_holds_can_be_tried_again),
		TEST(message_can_be_written_again),
		TEST(domain_may_only_translate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
