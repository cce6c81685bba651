// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The root of an x86 host fails at its first, second, third ... call that can: nothing leaks, the out argument stays
 * untouched, CPUs are stopped, the IOMMU is off, and what existed before goes on working.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "../unit/platform/x86_rig.h"
#include "inject.h"

#define MAX_STEPS 10000
#define RID	  ONTB_RID(0, 2, 0)
#define RIG_GSTS  0x1c

static void start_software(struct rig *rig)
{
	struct ontb_irq_system_config config = { .name = "rig", .nr_cpus = rig->machine.nr_cpus, .max_irqs = 100 };

	assert_int_equal(ontb_worker_pool_new("rig", rig->machine.is_stepped, 1, &rig->workers), 0);
	config.workers = rig->workers;
	assert_int_equal(ontb_irq_system_new(&config, &rig->irqs), 0);
}

/* Nothing of a root is left: no domain, no memory of the machine, no running CPU, no remapping. */
static void assert_clean(struct rig *rig)
{
	assert_int_equal(ontb_irq_domains(rig->irqs, NULL, 0), 0);
	for (unsigned int cpu = 0; cpu < rig->machine.nr_cpus; cpu++)
		assert_int_equal(rig->cpus[cpu].state, ONTB_CPU_STOPPED);
	if (rig->vtd)
		assert_int_equal(ontb_vtd_read(rig->vtd, RIG_GSTS, 4) & 0x06000000, 0);
}

static void check_new(const struct rig_config *config, bool has_workers)
{
	struct rig *rig = rig_new_machine(config);
	struct ontb_x86 *const untouched = (struct ontb_x86 *)0x1;
	struct ontb_x86 *x86 = untouched;
	struct ontb_x86_config x86_config = { .machine = &rig->machine, .pages = rig->pages, .use_remapping = true };
	unsigned int nth;

	start_software(rig);
	x86_config.irqs = rig->irqs;
	x86_config.workers = has_workers ? rig->workers : NULL;
	for (nth = 0; nth < MAX_STEPS; nth++) {
		int ret;

		inject_arm(nth);
		ret = ontb_x86_new(&x86_config, &x86);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_true(ret == -ENOMEM || ret == -EAGAIN);
		assert_ptr_equal(x86, untouched);
		assert_clean(rig);
	}
	assert_in_range(nth, 3, MAX_STEPS - 1);
	ontb_x86_free(x86);
	assert_clean(rig);
	ontb_irq_system_free(rig->irqs);
	ontb_worker_pool_free(rig->workers);
	rig_free_machine(rig);
}

static void root_undoes_what_it_made(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		const struct rig_config config = { .nr_cpus = 3, .is_stepped = i & 1, .has_vtd = i & 2 };

		check_new(&config, i & 4);
	}
}

static void root_without_machine_memory_undoes_what_it_made(void **state)
{
	const struct rig_config config = { .nr_cpus = 2, .is_stepped = true, .has_vtd = true };
	struct rig *rig = rig_new_machine(&config);
	struct ontb_x86 *x86 = NULL;
	struct ontb_x86_config x86_config = { .machine = &rig->machine, .use_remapping = true };
	/* Nothing at all but a page; room for the table (1 MiB) but not for the queue; room for both. */
	static const uint64_t sizes[] = { 4096, 1 << 20, (1 << 20) + 2 * 4096 };

	(void)state;
	start_software(rig);
	x86_config.irqs = rig->irqs;
	for (unsigned int i = 0; i < 3; i++) {
		struct ontb_pages *pages = NULL;

		assert_int_equal(ontb_pages_new(rig->machine.ram, RIG_RAM_BASE, sizes[i], &pages), 0);
		x86_config.pages = pages;
		assert_int_equal(ontb_x86_new(&x86_config, &x86), i < 2 ? -ENOMEM : 0);
		if (i < 2)
			assert_clean(rig);
		ontb_x86_free(x86);
		assert_int_equal(ontb_pages_free(pages), 0);
	}
	ontb_irq_system_free(rig->irqs);
	ontb_worker_pool_free(rig->workers);
	rig_free_machine(rig);
}

static void unit_that_does_not_do_as_told_is_refused(void **state)
{
	const struct rig_config config = { .nr_cpus = 1, .is_stepped = true, .has_vtd = true };
	struct rig *rig = rig_new_machine(&config);
	struct ontb_x86 *x86 = NULL;
	struct ontb_x86_config x86_config = { .machine = &rig->machine, .pages = rig->pages, .use_remapping = true };
	static const uint64_t mutes[] = { RIG_GCMD, RIG_IQT };

	(void)state;
	start_software(rig);
	x86_config.irqs = rig->irqs;
	rig_log_start();
	for (unsigned int i = 0; i < 2; i++) {
		atomic_store(&rig->mute, mutes[i]);
		assert_int_equal(ontb_x86_new(&x86_config, &x86), -ETIMEDOUT);
		atomic_store(&rig->mute, 0);
		assert_clean(rig);
	}
	assert_true(rig_log_has("cannot switch the queue on: no reaction"));
	/* Where there are no registers, all bits are ones. */
	rig->machine.iommu_base = 0xfed80000;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), -EOPNOTSUPP);
	assert_true(rig_log_has("VT-d unit at 0xfed80000: cannot be used: it has no registers"));
	assert_clean(rig);
	rig_log_end();
	rig->machine.iommu_base = RIG_IOMMU_BASE;
	assert_int_equal(ontb_x86_new(&x86_config, &x86), 0);
	ontb_x86_free(x86);
	ontb_irq_system_free(rig->irqs);
	ontb_worker_pool_free(rig->workers);
	rig_free_machine(rig);
}

static void assert_same(const struct ontb_x86_status *now, const struct ontb_x86_status *before)
{
	assert_int_equal(now->nr_reserved, before->nr_reserved);
	assert_int_equal(now->nr_used, before->nr_used);
	assert_int_equal(now->nr_entries_reserved, before->nr_entries_reserved);
}

static struct ontb_x86_status settled(struct rig *rig)
{
	struct ontb_x86_status status;

	rig_run(rig);
	ontb_x86_status(rig->x86, &status);
	return status;
}

static const struct ontb_irq_chip chip = { .name = "FAULT" };

static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	(void)data;
	(void)msg;
	return 0;
}

/* Everything from the device domain to a running handler. */
static int bring_up(struct rig *rig, struct ontb_msi_dev *dev, ontb_irq_handler *handler)
{
	const struct ontb_irq_request request = { .handler = handler, .name = "fault", .dev = rig };
	struct ontb_msi_template template = { .prefix = "F-", .token = ONTB_BUS_NTB, .nr_indices = 40, .chip = chip };
	int ret;

	template.chip.write_msg = write_msg;
	ret = ontb_msi_domain_new(dev, 0, &template);
	if (ret)
		return ret;
	ret = ontb_msi_alloc_range(dev, 0, 3, 4, NULL);
	for (unsigned int i = 3; i < 7 && !ret; i++)
		ret = ontb_irq_request(rig->irqs, ontb_msi_virq(dev, 0, i), &request);
	return ret;
}

static void tear_down(struct rig *rig, struct ontb_msi_dev *dev)
{
	for (unsigned int i = 3; i < 7; i++) {
		unsigned int virq = ontb_msi_virq(dev, 0, i);

		if (virq && ontb_irq_is_requested(rig->irqs, virq))
			assert_int_equal(ontb_irq_free(rig->irqs, virq, rig), 0);
	}
	assert_int_equal(ontb_msi_domain_free(dev, 0), 0);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	return ONTB_IRQ_HANDLED;
}

static void check_interrupts(bool has_vtd)
{
	const struct rig_config config = { .nr_cpus = 2, .is_stepped = true, .has_vtd = has_vtd };
	const uint16_t rid = RID;
	struct rig *rig = rig_new(&config);
	struct ontb_msi_dev_config dev_config = {
		.name = "00:02.0", .rids = &rid, .nr_rids = 1, .parent = ontb_x86_msi_parent(rig->x86)
	};
	struct rig_dev *witness = rig_dev_new(rig, ONTB_RID(0, 3, 0), 2);
	struct ontb_x86_status before, now;
	struct ontb_msi_dev *dev = NULL;
	unsigned int nth;

	rig_dev_start(witness, 0, 2);
	assert_int_equal(ontb_msi_dev_new(&dev_config, &dev), 0);
	before = settled(rig);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		int ret;

		inject_arm(nth);
		ret = bring_up(rig, dev, handle);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		tear_down(rig, dev);
		now = settled(rig);
		assert_same(&now, &before);
		rig_irq_fire(&witness->irqs[nth % 2]);
		rig_run(rig);
	}
	assert_in_range(nth, 10, MAX_STEPS - 1);
	/* The other device's interrupts worked all the time. */
	assert_int_equal(atomic_load(&witness->irqs[0].count) + atomic_load(&witness->irqs[1].count), nth);
	tear_down(rig, dev);
	ontb_msi_dev_free(dev);
	rig_dev_stop(witness);
	rig_free(rig);
}

static void interrupts_of_a_device_undo_what_they_took(void **state)
{
	(void)state;
	check_interrupts(false);
	check_interrupts(true);
}

static void cpu_that_cannot_be_started_stays_off_line(void **state)
{
	const struct rig_config config = { .nr_cpus = 2 };
	struct rig *rig = rig_new(&config);
	struct ontb_x86_status status;

	(void)state;
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
	inject_arm(0);
	assert_int_equal(ontb_x86_cpu_online(rig->x86, 1), -EAGAIN);
	assert_true(inject_disarm());
	ontb_x86_status(rig->x86, &status);
	assert_int_equal(status.nr_online, 1);
	assert_int_equal(ontb_x86_cpu_online(rig->x86, 1), 0);
	ontb_x86_status(rig->x86, &status);
	assert_int_equal(status.nr_online, 2);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_undoes_what_it_made),
		cmocka_unit_test(root_without_machine_memory_undoes_what_it_made),
		cmocka_unit_test(unit_that_does_not_do_as_told_is_refused),
		cmocka_unit_test(interrupts_of_a_device_undo_what_they_took),
		cmocka_unit_test(cpu_that_cannot_be_started_stays_off_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
