// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Where interrupts go: moves that are done at once, moves that holders of the message have to confirm, moves that fail, and
 * CPUs that go off line.
 */
#include "rig.h"

#include <openntb/log.h>

static struct rig_domain *root, *outer;
static unsigned int virq;

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void start(enum rig_workers workers)
{
	rig_new(workers);
	root = rig_add("root", NULL, 0);
	outer = rig_add("outer", root, 0);
	virq = rig_alloc(outer);
	(void)rig_calls();
	ontb_log_set_sink(drop_line, NULL);
}

static int setup(void **state)
{
	(void)state;
	start(RIG_NO_WORKERS);
	return 0;
}

static int setup_stepped(void **state)
{
	(void)state;
	start(RIG_STEPPED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ontb_log_set_sink(NULL, NULL);
	rig_release(outer, virq);
	rig_free();
	return 0;
}

static void activate(void)
{
	assert_int_equal(ontb_irq_activate(rig_sys, virq), 0);
	(void)rig_calls();
}

static int move_to(unsigned int cpu)
{
	struct ontb_cpumask mask = ontb_cpumask_of(cpu);

	return ontb_irq_set_affinity(rig_sys, virq, &mask);
}

static struct ontb_irq_status status_of(unsigned int number)
{
	struct ontb_irq_status status;

	assert_int_equal(ontb_irq_status(rig_sys, number, &status), 0);
	return status;
}

static bool may_go_to(unsigned int number, const struct ontb_cpumask *mask)
{
	const struct ontb_irq_status status = status_of(number);

	return !memcmp(&status.affinity, mask, sizeof(*mask));
}

static bool may_go_anywhere(unsigned int number)
{
	const struct ontb_cpumask all = ontb_cpumask_all(RIG_NR_CPUS);

	return may_go_to(number, &all);
}

static void affinity_is_kept_for_later_activations(void **state)
{
	struct ontb_cpumask mask = { { 0 } };

	(void)state;
	assert_int_equal(status_of(virq).effective, ONTB_MAX_CPUS);
	assert_true(may_go_anywhere(virq));
	ontb_cpumask_set(&mask, 2);
	ontb_cpumask_set(&mask, 3);
	assert_int_equal(ontb_irq_set_affinity(rig_sys, virq, &mask), 0);
	assert_string_equal(rig_calls(), "");
	activate();
	assert_int_equal(status_of(virq).effective, 2);
	assert_true(may_go_to(virq, &mask));
	assert_int_equal(ontb_irq_deactivate(rig_sys, virq), 0);
	assert_int_equal(status_of(virq).effective, ONTB_MAX_CPUS);
	assert_int_equal(move_to(3), 0);
	activate();
	assert_int_equal(status_of(virq).effective, 3);
}

static void allocation_may_say_where_interrupts_go(void **state)
{
	struct ontb_cpumask mask = ontb_cpumask_of(RIG_NR_CPUS);
	int number;

	(void)state;
	assert_int_equal(ontb_irq_domain_alloc(outer->domain, 1, &mask, NULL), -EINVAL); /* no such CPU */
	ontb_cpumask_set(&mask, 1);
	ontb_cpumask_set(&mask, 3);
	number = ontb_irq_domain_alloc(outer->domain, 2, &mask, NULL);
	assert_true(number > 0);
	ontb_cpumask_clear(&mask, RIG_NR_CPUS);
	for (unsigned int i = 0; i < 2; i++)
		assert_true(may_go_to((unsigned int)number + i, &mask));
	assert_int_equal(ontb_irq_domain_release(outer->domain, (unsigned int)number, 2), 0);
}

static void wrong_wishes_change_nothing(void **state)
{
	struct ontb_cpumask mask = { { 0 } };

	(void)state;
	activate();
	assert_int_equal(ontb_irq_set_affinity(rig_sys, virq, &mask), -EINVAL);
	mask = ontb_cpumask_of(RIG_NR_CPUS);
	assert_int_equal(ontb_irq_set_affinity(rig_sys, virq, &mask), -EINVAL);
	assert_int_equal(ontb_irq_cpu_set_online(rig_sys, 1, false), 0);
	assert_int_equal(move_to(1), -EINVAL);
	mask = ontb_cpumask_of(0);
	assert_int_equal(ontb_irq_set_affinity(rig_sys, virq + 1, &mask), -ENOENT);
	root->affinity_ret = -ENOSPC;
	assert_int_equal(move_to(2), -ENOSPC);
	assert_string_equal(rig_calls(), "root.affinity ");
	assert_int_equal(status_of(virq).effective, 0);
	assert_true(may_go_anywhere(virq));
	root->chip.set_affinity = NULL;
	assert_int_equal(move_to(2), -EOPNOTSUPP);
	assert_false(status_of(virq).is_moving);
}

static void moved_message_is_written_and_the_old_target_released(void **state)
{
	(void)state;
	activate();
	assert_int_equal(move_to(2), 0);
	assert_string_equal(rig_calls(), "root.affinity outer.write root.done ");
	assert_int_equal(outer->msg.addr, 0xfee00000U | 2 << 12);
	assert_int_equal(status_of(virq).effective, 2);
	assert_false(status_of(virq).is_moving);
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, 0), 0);
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq + 1, 0), -ENOENT);
}

static void fixed_message_is_not_written_again(void **state)
{
	(void)state;
	activate();
	root->affinity_ret = ONTB_IRQ_SET_OK;
	assert_int_equal(move_to(2), 0);
	assert_string_equal(rig_calls(), "root.affinity ");
	assert_int_equal(status_of(virq).effective, 2);
	root->affinity_ret = ONTB_IRQ_SET_UNCHANGED;
	assert_int_equal(move_to(2), 0);
	assert_string_equal(rig_calls(), "root.affinity ");
}

static void old_target_lives_until_holders_have_confirmed(void **state)
{
	struct ontb_irq_data *data;

	(void)state;
	activate();
	data = ontb_irq_data_of(outer->domain, virq);
	outer->write_ret = -EINPROGRESS;
	assert_int_equal(move_to(1), 0);
	assert_string_equal(rig_calls(), "root.affinity outer.write ");
	assert_true(status_of(virq).is_moving);
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, 1000), -ETIMEDOUT);
	/* Wishes that come meanwhile are one, the last. */
	assert_int_equal(move_to(2), 0);
	assert_int_equal(move_to(3), 0);
	assert_string_equal(rig_calls(), "");
	assert_int_equal(status_of(virq).effective, 1);
	ontb_irq_move_complete(data);
	assert_string_equal(rig_calls(), "root.done root.affinity outer.write ");
	assert_int_equal(status_of(virq).effective, 3);
	assert_true(status_of(virq).is_moving);
	ontb_irq_move_complete(data->parent); /* any data of it will do */
	assert_string_equal(rig_calls(), "root.done ");
	assert_false(status_of(virq).is_moving);
	ontb_irq_move_complete(data);
	assert_string_equal(rig_calls(), "");
	outer->write_ret = 0;
}

static void activation_that_holders_have_to_confirm_makes_moves_wait(void **state)
{
	(void)state;
	outer->write_ret = -EINPROGRESS;
	activate();
	assert_true(status_of(virq).is_moving);
	assert_int_equal(move_to(1), 0);
	assert_string_equal(rig_calls(), "");
	outer->write_ret = 0;
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	assert_string_equal(rig_calls(), "root.done root.affinity outer.write root.done ");
	assert_int_equal(status_of(virq).effective, 1);
}

static void wish_that_fails_later_leaves_the_interrupt_where_it_is(void **state)
{
	(void)state;
	activate();
	outer->write_ret = -EINPROGRESS;
	assert_int_equal(move_to(1), 0);
	assert_int_equal(move_to(2), 0);
	root->affinity_ret = -ENOSPC;
	(void)rig_calls();
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	assert_string_equal(rig_calls(), "root.done root.affinity ");
	assert_int_equal(status_of(virq).effective, 1);
	assert_false(status_of(virq).is_moving);
	outer->write_ret = 0;
}

static void message_that_cannot_be_stored_keeps_the_old_target(void **state)
{
	(void)state;
	activate();
	outer->write_ret = -EIO;
	assert_int_equal(move_to(1), -EIO);
	assert_string_equal(rig_calls(), "root.affinity outer.write "); /* and not done */
	/* The next one writes first what is due. */
	assert_int_equal(move_to(2), -EIO);
	assert_string_equal(rig_calls(), "outer.write ");
	outer->write_ret = 0;
	assert_int_equal(move_to(2), 0);
	assert_string_equal(rig_calls(), "outer.write root.done root.affinity outer.write root.done ");
	assert_int_equal(status_of(virq).effective, 2);
	/* What is due may take its time. */
	outer->write_ret = -EIO;
	assert_int_equal(move_to(1), -EIO);
	outer->write_ret = -EINPROGRESS;
	(void)rig_calls();
	assert_int_equal(move_to(3), 0);
	assert_string_equal(rig_calls(), "outer.write ");
	outer->write_ret = 0;
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	assert_string_equal(rig_calls(), "root.done root.affinity outer.write root.done ");
	assert_int_equal(status_of(virq).effective, 3);
}

static void deactivation_ends_a_move(void **state)
{
	(void)state;
	activate();
	outer->write_ret = -EINPROGRESS;
	assert_int_equal(move_to(1), 0);
	assert_int_equal(move_to(2), 0);
	outer->write_ret = 0;
	(void)rig_calls();
	assert_int_equal(ontb_irq_deactivate(rig_sys, virq), 0);
	assert_string_equal(rig_calls(), "outer.withdraw outer.deactivate root.deactivate ");
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, 0), 0);
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq)); /* late */
	assert_string_equal(rig_calls(), "");
	activate();
	assert_int_equal(status_of(virq).effective, 2);
}

/* Chips in the middle. */

static int own_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	int ret = ontb_irq_chip_set_affinity_parent(data, mask);

	/* As remapping does: its own entry is changed here, so messages stay valid and the old target may go. */
	if (ret == ONTB_IRQ_SET_MOVED) {
		ontb_irq_chip_move_done_parent(data);
		ret = ONTB_IRQ_SET_OK;
	}
	return ret;
}

static void hand_on_mask(struct ontb_irq_data *data)
{
	ontb_irq_chip_mask_parent(data);
}

static void hand_on_unmask(struct ontb_irq_data *data)
{
	ontb_irq_chip_unmask_parent(data);
}

static void hand_on_ack(struct ontb_irq_data *data)
{
	ontb_irq_chip_ack_parent(data);
}

static void hand_on_eoi(struct ontb_irq_data *data)
{
	ontb_irq_chip_eoi_parent(data);
}

static bool hand_on_retrigger(struct ontb_irq_data *data)
{
	return ontb_irq_chip_retrigger_parent(data);
}

static void chip_hands_operations_on(void **state)
{
	struct rig_domain *mid, *top;
	struct ontb_irq_data *data;
	struct ontb_cpumask mask = ontb_cpumask_of(3);
	unsigned int number;

	(void)state;
	mid = rig_add("mid", root, 0);
	mid->chip = (struct ontb_irq_chip){ .name = "mid" }; /* has none: handing on passes over it */
	top = rig_add("top", mid, 0);
	top->chip.set_affinity = own_affinity;
	top->chip.mask = hand_on_mask;
	top->chip.unmask = hand_on_unmask;
	top->chip.ack = hand_on_ack;
	top->chip.eoi = hand_on_eoi;
	top->chip.retrigger = hand_on_retrigger;
	number = rig_alloc(top);
	assert_int_equal(ontb_irq_activate(rig_sys, number), 0);
	(void)rig_calls();
	assert_int_equal(ontb_irq_set_affinity(rig_sys, number, &mask), 0);
	assert_string_equal(rig_calls(), "root.affinity root.done ");
	data = ontb_irq_data_of(top->domain, number);
	data->chip->mask(data);
	data->chip->unmask(data);
	data->chip->ack(data);
	data->chip->eoi(data);
	assert_false(data->chip->retrigger(data));
	assert_string_equal(rig_calls(), "root.mask root.unmask root.ack root.eoi root.retrigger ");
	/* At the root there is nobody to hand on to. */
	data = ontb_irq_data_of(root->domain, number);
	ontb_irq_chip_mask_parent(data);
	ontb_irq_chip_move_done_parent(data);
	assert_false(ontb_irq_chip_retrigger_parent(data));
	assert_int_equal(ontb_irq_chip_set_affinity_parent(data, &mask), -EOPNOTSUPP);
	assert_string_equal(rig_calls(), "");
	rig_release(top, number);
}

/* CPUs. */

static void last_cpu_stays_on_line(void **state)
{
	struct ontb_cpumask online;

	(void)state;
	assert_int_equal(ontb_irq_cpu_set_online(rig_sys, RIG_NR_CPUS, false), -ERANGE);
	for (unsigned int cpu = 0; cpu < RIG_NR_CPUS - 1; cpu++)
		assert_int_equal(ontb_irq_cpu_set_online(rig_sys, cpu, false), 0);
	assert_int_equal(ontb_irq_cpu_set_online(rig_sys, RIG_NR_CPUS - 1, false), -EBUSY);
	online = ontb_irq_cpu_online(rig_sys);
	assert_int_equal(ontb_cpumask_count(&online), 1);
	assert_int_equal(ontb_irq_cpu_set_online(rig_sys, 0, true), 0);
	online = ontb_irq_cpu_online(rig_sys);
	assert_true(ontb_cpumask_test(&online, 0));
}

static void evacuated_cpu_gets_nothing_any_more(void **state)
{
	struct ontb_cpumask two = ontb_cpumask_of(2), none = ontb_cpumask_of(2);
	unsigned int pinned, elsewhere, inactive;

	(void)state;
	activate();
	assert_int_equal(move_to(2), 0);
	elsewhere = rig_alloc(outer);
	assert_int_equal(ontb_irq_activate(rig_sys, elsewhere), 0);
	inactive = rig_alloc(outer);
	assert_int_equal(ontb_irq_set_affinity(rig_sys, inactive, &two), 0);
	pinned = rig_alloc(outer);
	assert_int_equal(ontb_irq_set_affinity(rig_sys, pinned, &none), 0);
	assert_int_equal(ontb_irq_activate(rig_sys, pinned), 0);
	assert_int_equal(ontb_irq_cpu_set_online(rig_sys, 2, false), 0);
	(void)rig_calls();
	assert_int_equal(ontb_irq_cpu_evacuate(rig_sys, 2, 0), 0);
	assert_string_equal(rig_calls(), "root.affinity outer.write root.done root.affinity outer.write root.done ");
	assert_int_equal(status_of(virq).effective, 0);
	assert_int_equal(status_of(pinned).effective, 0);
	assert_int_equal(status_of(elsewhere).effective, 0);
	assert_true(may_go_to(pinned, &two)); /* as it was set */
	assert_true(may_go_to(virq, &two));
	rig_release(outer, pinned);
	rig_release(outer, inactive);
	rig_release(outer, elsewhere);
}

static void evacuation_says_what_could_not_leave(void **state)
{
	unsigned int other;

	(void)state;
	activate();
	other = rig_alloc(outer);
	assert_int_equal(ontb_irq_activate(rig_sys, other), 0);
	assert_int_equal(ontb_irq_cpu_set_online(rig_sys, 0, false), 0);
	root->affinity_ret = -ENOSPC;
	assert_int_equal(ontb_irq_cpu_evacuate(rig_sys, 0, 1000), -ENOSPC);
	root->affinity_ret = ONTB_IRQ_SET_UNCHANGED;
	assert_int_equal(ontb_irq_cpu_evacuate(rig_sys, 0, 1000), -ENOSPC);
	root->affinity_ret = ONTB_IRQ_SET_MOVED;
	outer->write_ret = -EINPROGRESS;
	(void)rig_calls();
	assert_int_equal(ontb_irq_cpu_evacuate(rig_sys, 0, 1000), -ETIMEDOUT);
	assert_string_equal(rig_calls(),
			    "root.affinity outer.write root.affinity outer.write "); /* both were started */
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, virq));
	assert_int_equal(ontb_irq_cpu_evacuate(rig_sys, 0, 1000), -ETIMEDOUT);
	ontb_irq_move_complete(ontb_irq_data_of(outer->domain, other));
	assert_int_equal(ontb_irq_cpu_evacuate(rig_sys, 0, 0), 0);
	outer->write_ret = 0;
	rig_release(outer, other);
}

static void confirm(void *arg)
{
	ontb_irq_move_complete(arg);
}

static void waiting_for_a_move_steps_a_stepped_pool(void **state)
{
	struct ontb_worker *holder;

	(void)state;
	activate();
	assert_int_equal(ontb_worker_new(rig_pool, "holder", confirm, ontb_irq_data_of(outer->domain, virq), &holder),
			 0);
	outer->write_ret = -EINPROGRESS;
	assert_int_equal(move_to(1), 0);
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, UINT64_MAX),
			 -ETIMEDOUT); /* nothing is to do: it never ends */
	ontb_worker_kick(holder);
	assert_int_equal(ontb_irq_move_wait(rig_sys, virq, UINT64_MAX), 0);
	assert_false(status_of(virq).is_moving);
	outer->write_ret = 0;
	ontb_worker_free(holder);
}

#define TEST(name)	   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_STEPPED(name) cmocka_unit_test_setup_teardown(name, setup_stepped, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(affinity_is_kept_for_later_activations),
		TEST(allocation_may_say_where_interrupts_go),
		TEST(wrong_wishes_change_nothing),
		TEST(moved_message_is_written_and_the_old_target_released),
		TEST(fixed_message_is_not_written_again),
		TEST(old_target_lives_until_holders_have_confirmed),
		TEST(activation_that_holders_have_to_confirm_makes_moves_wait),
		TEST(wish_that_fails_later_leaves_the_interrupt_where_it_is),
		TEST(message_that_cannot_be_stored_keeps_the_old_target),
		TEST(deactivation_ends_a_move),
		TEST(chip_hands_operations_on),
		TEST(last_cpu_stays_on_line),
		TEST(evacuated_cpu_gets_nothing_any_more),
		TEST(evacuation_says_what_could_not_leave),
		TEST_STEPPED(waiting_for_a_move_steps_a_stepped_pool),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
