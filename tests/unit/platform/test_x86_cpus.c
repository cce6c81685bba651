// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CPUs come and go, on a stepped machine: no interrupt is lost, none is doubled, and what cannot be done changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "x86_rig.h"

#define RID ONTB_RID(0, 2, 0)

static struct rig *stepped(unsigned int nr_cpus, bool has_vtd)
{
	const struct rig_config config = { .nr_cpus = nr_cpus, .is_stepped = true, .seed = 3, .has_vtd = has_vtd };

	return rig_new(&config);
}

static bool is_online(struct rig *rig, unsigned int cpu)
{
	struct ontb_cpumask online = ontb_irq_cpu_online(rig->irqs);

	return ontb_cpumask_test(&online, cpu);
}

static void interrupts_leave_a_cpu_and_come_back_only_when_told(void **state)
{
	(void)state;
	for (unsigned int has_vtd = 0; has_vtd < 2; has_vtd++) {
		struct rig *rig = stepped(3, has_vtd);
		struct rig_dev *dev = rig_dev_new(rig, RID, 30);

		rig_dev_start(dev, 0, 30);
		assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
		assert_false(is_online(rig, 1));
		assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, 1), 0);
		for (unsigned int i = 0; i < 30; i++)
			rig_irq_fire(&dev->irqs[i]);
		rig_run(rig);
		for (unsigned int i = 0; i < 30; i++) {
			assert_int_equal(atomic_load(&dev->irqs[i].count), 1);
			assert_int_not_equal(atomic_load(&dev->irqs[i].cpu), 1);
		}
		assert_int_equal(ontb_x86_cpu_online(rig->x86, 1), 0);
		assert_true(is_online(rig, 1));
		assert_int_equal(rig_irq_move(&dev->irqs[4], 1), 0);
		rig_irq_fire(&dev->irqs[4]);
		rig_run(rig);
		assert_int_equal(atomic_load(&dev->irqs[4].cpu), 1);
		assert_int_equal(rig_status(rig).nr_spurious, 0);
		rig_dev_stop(dev);
		rig_free(rig);
	}
}

static void what_is_pending_on_a_cpu_that_stops_is_raised_elsewhere(void **state)
{
	(void)state;
	for (unsigned int has_vtd = 0; has_vtd < 2; has_vtd++) {
		struct rig *rig = stepped(3, has_vtd);
		struct rig_dev *dev = rig_dev_new(rig, RID, 30);
		uint64_t nr_resent;

		rig_dev_start(dev, 0, 30);
		for (unsigned int i = 0; i < 30; i++)
			rig_irq_fire(&dev->irqs[i]);
		assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
		nr_resent = rig_status(rig).nr_resent;
		assert_in_range(nr_resent, 9, 11);
		rig_run(rig);
		for (unsigned int i = 0; i < 30; i++) {
			assert_int_equal(atomic_load(&dev->irqs[i].count), 1);
			assert_int_not_equal(atomic_load(&dev->irqs[i].cpu), 1);
		}
		assert_int_equal(rig_status(rig).nr_spurious, 0);
		assert_int_equal(rig_status(rig).nr_late, 0);
		rig_dev_stop(dev);
		rig_free(rig);
	}
}

static void unconfirmed_move_keeps_the_cpu_on_line(void **state)
{
	struct rig *rig = stepped(2, false);
	struct rig_dev *dev = rig_dev_lazy(rig, RID, 4);
	struct ontb_msi_msg old[4];

	(void)state;
	rig_dev_start(dev, 0, 4);
	for (unsigned int i = 0; i < 4; i++)
		old[i] = rig_irq_msg(&dev->irqs[i]);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), -ETIMEDOUT);
	assert_true(is_online(rig, 1));
	/* Holders of the old messages still reach their interrupts, on the CPU that wanted to go. */
	for (unsigned int i = 0; i < 4; i++)
		rig_send(rig, RID, &old[i]);
	rig_run(rig);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(atomic_load(&dev->irqs[i].count), 1);
		assert_int_equal(atomic_load(&dev->irqs[i].cpu), i % 2);
	}
	for (unsigned int i = 1; i < 4; i += 2)
		rig_irq_confirm(&dev->irqs[i]);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
	for (unsigned int i = 0; i < 4; i++)
		rig_irq_fire(&dev->irqs[i]);
	rig_run(rig);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(atomic_load(&dev->irqs[i].count), 2);
	assert_int_equal(rig_status(rig).nr_spurious, 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void cpu_that_is_needed_for_what_is_reserved_stays_on_line(void **state)
{
	struct rig *rig = stepped(2, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, ONTB_X86_NR_VECTORS + 1);

	(void)state;
	assert_int_equal(rig_dev_alloc(dev, 0, ONTB_X86_NR_VECTORS + 1), 0);
	assert_int_equal(rig_irq_request(&dev->irqs[0]), 0);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 0, 0), -ENOSPC);
	assert_true(is_online(rig, 0));
	rig_irq_fire(&dev->irqs[0]);
	rig_run(rig);
	assert_int_equal(atomic_load(&dev->irqs[0].count), 1);
	assert_int_equal(ontb_msi_free_range(dev->msi, 0, 1, 1), 0);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 0, 0), 0);
	/* With one CPU less there is no room for it any more. */
	assert_int_equal(rig_dev_alloc(dev, 1, 1), -ENOSPC);
	assert_int_equal(ontb_x86_cpu_online(rig->x86, 0), 0);
	assert_int_equal(rig_dev_alloc(dev, 1, 1), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void cpus_that_do_not_exist_or_are_as_wanted_are_refused(void **state)
{
	struct rig *rig = stepped(2, false);

	(void)state;
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 2, 0), -ERANGE);
	assert_int_equal(ontb_x86_cpu_online(rig->x86, 2), -ERANGE);
	assert_int_equal(ontb_x86_cpu_online(rig->x86, 1), -EBUSY);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 0, 0), 0);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 0, 0), -EINVAL);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), -EBUSY);
	assert_true(is_online(rig, 1));
	assert_int_equal(rig_status(rig).nr_online, 1);
	assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, 2), 0);
	rig_free(rig);
}

static void interrupt_bound_to_a_cpu_that_goes_is_served_elsewhere(void **state)
{
	struct rig *rig = stepped(2, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 2);
	struct ontb_cpumask one = ontb_cpumask_of(1);
	struct ontb_msi_map map;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(ontb_msi_alloc_at(dev->msi, 0, i, &one, NULL, &map), 0);
		dev->irqs[i].virq = map.virq;
	}
	assert_int_equal(rig_irq_request(&dev->irqs[0]), 0);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
	/* One that was there, and one that comes now. */
	assert_int_equal(rig_irq_request(&dev->irqs[1]), 0);
	for (unsigned int i = 0; i < 2; i++)
		rig_irq_fire(&dev->irqs[i]);
	rig_run(rig);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(atomic_load(&dev->irqs[i].count), 1);
		assert_int_equal(atomic_load(&dev->irqs[i].cpu), 0);
	}
	assert_int_equal(rig_irq_move(&dev->irqs[0], 1), -EINVAL);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void cpu_that_is_only_said_to_be_off_line_is_not_chosen(void **state)
{
	struct rig *rig = stepped(2, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 8);

	(void)state;
	assert_int_equal(ontb_irq_cpu_set_online(rig->irqs, 1, false), 0);
	rig_dev_start(dev, 0, 8);
	assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, 1), 0);
	assert_int_equal(rig_irq_move(&dev->irqs[0], 1), -EINVAL);
	assert_int_equal(ontb_irq_cpu_set_online(rig->irqs, 1, true), 0);
	assert_int_equal(rig_irq_move(&dev->irqs[0], 1), 0);
	assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, 1), 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void vectors_that_wait_on_a_cpu_that_stops_are_free_at_once(void **state)
{
	struct rig *rig = stepped(2, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 20);

	(void)state;
	rig_dev_start(dev, 0, 20);
	for (unsigned int i = 0; i < 10; i++) {
		rig_irq_fire(&dev->irqs[i]);
		rig_irq_free(&dev->irqs[i]);
	}
	assert_int_equal(rig_status(rig).nr_waiting, 10);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
	assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, 1), 0);
	rig_run(rig);
	assert_int_equal(rig_status(rig).nr_waiting, 0);
	/* Messages for interrupts that were freed: five were pending on each CPU. */
	assert_int_equal(rig_status(rig).nr_late, 10);
	assert_int_equal(rig_status(rig).nr_spurious, 0);
	assert_int_equal(rig_status(rig).nr_used, 10);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void configuration_that_does_not_fit_is_refused(void **state)
{
	const struct rig_config config = { .nr_cpus = 1, .is_stepped = true };
	struct rig *rig = rig_new_machine(&config);
	struct ontb_irq_system_config irq_config = { .name = "rig", .nr_cpus = 2, .max_irqs = 100 };
	struct ontb_x86_config x86_config = { .machine = &rig->machine, .pages = rig->pages };
	struct ontb_x86 *const untouched = (struct ontb_x86 *)0x1;
	struct ontb_x86 *x86 = untouched;

	(void)state;
	/* What is missing or does not fit is refused. */
	assert_int_equal(ontb_x86_new(NULL, &x86), -EINVAL);
	assert_int_equal(ontb_x86_new(&x86_config, &x86), -EINVAL);
	assert_int_equal(ontb_irq_system_new(&irq_config, &rig->irqs), 0);
	x86_config.irqs = rig->irqs;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), -EINVAL);
	ontb_irq_system_free(rig->irqs);
	irq_config.nr_cpus = 1;
	assert_int_equal(ontb_irq_system_new(&irq_config, &rig->irqs), 0);
	x86_config.irqs = rig->irqs;
	x86_config.nr_entries = 3;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), -EINVAL);
	x86_config.nr_entries = 2 * ONTB_X86_MAX_ENTRIES;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), -EINVAL);
	x86_config.nr_entries = 0;
	x86_config.pages = NULL;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), -EINVAL);
	assert_ptr_equal(x86, untouched);
	x86_config.pages = rig->pages;
	/* Remapping is used if there is a unit; here there is none. */
	x86_config.use_remapping = true;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), 0);
	assert_ptr_equal(ontb_x86_msi_parent(x86), ontb_x86_vector_domain(x86));
	assert_int_equal(ontb_x86_poll_faults(x86), 0);
	ontb_x86_free(x86);
	ontb_x86_free(NULL);
	ontb_irq_system_free(rig->irqs);
	rig_free_machine(rig);
}

static void root_that_devices_still_stand_on_stays_until_they_are_gone(void **state)
{
	(void)state;
	for (unsigned int has_vtd = 0; has_vtd < 2; has_vtd++) {
		struct rig *rig = stepped(2, has_vtd);
		struct rig_dev *dev = rig_dev_new(rig, RID, 2);

		rig_dev_start(dev, 0, 2);
		rig_irq_fire(&dev->irqs[0]);
		rig_log_start();
		ontb_x86_free(rig->x86);
		assert_true(rig_log_has("rig: root domains not freed: devices still have domains below them"));
		rig_log_end();
		/* Its CPUs take nothing any more, and the device can go. */
		assert_false(rig_step(rig));
		rig_dev_stop(dev);
		rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_leave_a_cpu_and_come_back_only_when_told),
		cmocka_unit_test(what_is_pending_on_a_cpu_that_stops_is_raised_elsewhere),
		cmocka_unit_test(unconfirmed_move_keeps_the_cpu_on_line),
		cmocka_unit_test(cpu_that_is_needed_for_what_is_reserved_stays_on_line),
		cmocka_unit_test(cpus_that_do_not_exist_or_are_as_wanted_are_refused),
		cmocka_unit_test(interrupt_bound_to_a_cpu_that_goes_is_served_elsewhere),
		cmocka_unit_test(cpu_that_is_only_said_to_be_off_line_is_not_chosen),
		cmocka_unit_test(vectors_that_wait_on_a_cpu_that_stops_are_free_at_once),
		cmocka_unit_test(root_that_devices_still_stand_on_stays_until_they_are_gone),
		cmocka_unit_test(configuration_that_does_not_fit_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
