// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI-X of a function: allocated, delivered, masked, moved, grown, freed, restored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "rig.h"

#define NR_ENTRIES 8U

static struct rig rig;
static struct fake_func *func;
static struct ontb_pci_dev *dev;
static _Atomic unsigned int counts[NR_ENTRIES];

static int set_up(void **state)
{
	const struct fake_kind kind = { .nr_msi = 4, .is_64 = true, .has_mask = true, .nr_msix = NR_ENTRIES };

	(void)state;
	fake_log_start();
	memset(counts, 0, sizeof(counts));
	rig_init(&rig, false);
	func = fake_add(&rig.fake, ONTB_RID(0, 2, 0), &kind);
	dev = rig_scan(&rig, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_fini(&rig);
	assert_int_equal(rig.nr_torn, 0);
	assert_int_equal(rig.nr_unknown, 0);
	fake_log_end();
	return 0;
}

static uint32_t entry(unsigned int idx, unsigned int reg)
{
	return ontb_get_le32(&func->bar[FAKE_TABLE + 16 * idx + reg]);
}

static uint32_t command(void)
{
	return fake_get32(func, 4) & 0xffff;
}

static uint32_t control(void)
{
	return fake_get32(func, FAKE_CAP_MSIX) >> 16;
}

static void each_entry_is_delivered_to_its_own_handler(void **state)
{
	(void)state;
	assert_int_equal(ontb_pci_msix_size(dev), NR_ENTRIES);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 100, ONTB_PCI_IRQ_ANY), NR_ENTRIES);
	assert_int_equal(control(), 0x8000 | (NR_ENTRIES - 1));
	assert_int_equal(command(), 0x406);
	assert_int_equal(ontb_pci_irq(dev, NR_ENTRIES), 0);
	rig_request_all(&rig, dev, counts, NR_ENTRIES);
	for (unsigned int i = 0; i < NR_ENTRIES; i++) {
		for (unsigned int j = 0; j <= i; j++) {
			fake_fire(&rig.fake, func, i);
			assert_int_equal(rig_pump(&rig), 1);
		}
		assert_int_equal(atomic_load(&counts[i]), i + 1);
	}
	assert_int_equal(func->nr_lost, 0);
	rig_free_all(&rig, dev, counts, NR_ENTRIES);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
	assert_int_equal(control(), NR_ENTRIES - 1);
	assert_int_equal(command(), 0x006);
	assert_int_equal(ontb_pci_irq(dev, 0), 0);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
}

static void listings_show_whose_interrupts_they_are(void **state)
{
	struct ontb_msi_entry entries[3];
	struct ontb_irq_status status;
	struct ontb_msi_dev *msi;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, 2, ONTB_PCI_IRQ_MSIX), 2);
	assert_int_equal(ontb_pci_msi_dev(dev, &msi), 0);
	assert_string_equal(ontb_msi_dev_name(msi), "0000:00:02.0");
	assert_int_equal(ontb_msi_list(msi, entries, 3), 2);
	assert_int_equal(entries[1].slot, ONTB_PCI_MSI_SLOT);
	assert_int_equal(entries[1].index, 1);
	assert_int_equal(entries[1].virq, ontb_pci_irq(dev, 1));
	assert_string_equal(entries[1].domain, "PCI-MSIX-0000:00:02.0");
	assert_int_equal(ontb_irq_status(rig.sys, entries[1].virq, &status), 0);
	assert_int_equal(status.token, ONTB_BUS_PCI_MSIX);
	assert_string_equal(status.chips[0], "PCI-MSIX");
	assert_string_equal(status.domains[1], "RIG");
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 0, 1, ONTB_PCI_IRQ_ANY), -EINVAL);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, 1, ONTB_PCI_IRQ_ANY), -EINVAL);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, 0), -EINVAL);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, 4), -EINVAL);
	assert_int_equal(ontb_pci_alloc_msix(dev, NULL, 0), -EINVAL);
	assert_int_equal(ontb_pci_msix_alloc_at(dev, 0, NULL, &map), -EINVAL);
	assert_int_equal(ontb_pci_msix_free_at(dev, 0), -EINVAL);
	assert_int_equal(ontb_pci_irq_pending(dev, 0), -ENOENT);
	assert_int_equal(ontb_pci_alloc_irqs(dev, NR_ENTRIES + 1, 100, ONTB_PCI_IRQ_ANY), -ENOSPC);
	assert_int_equal(ontb_pci_disable(dev), 0);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_ANY), -EINVAL);
	assert_int_equal(ontb_pci_enable(dev), 0);
	assert_int_equal(control(), NR_ENTRIES - 1);
	assert_int_equal(rig_nr_used(&rig), 0);
	func->is_gone = true;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_ANY), -EFAULT);
	func->is_gone = false;
}

static void nothing_is_allocated_twice(void **state)
{
	const unsigned int entries[] = { 5 };
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, 2, ONTB_PCI_IRQ_MSIX), 2);
	virq = ontb_pci_irq(dev, 1);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_ANY), -EBUSY);
	assert_int_equal(ontb_pci_alloc_msix(dev, entries, 1), -EBUSY);
	assert_int_equal(ontb_pci_disable(dev), -EBUSY);
	assert_int_equal(ontb_pci_irq(dev, 1), virq);
	assert_int_equal(rig_nr_used(&rig), 2);
}

static void freeing_with_a_handler_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 3, 3, ONTB_PCI_IRQ_MSIX), 3);
	assert_int_equal(rig_request(&rig, ontb_pci_irq(dev, 1), &counts[1]), 0);
	assert_int_equal(ontb_pci_free_irqs(dev), -EBUSY);
	assert_int_equal(ontb_pci_msix_free_at(dev, 1), -EBUSY);
	assert_int_equal(ontb_pci_bus_free(rig.bus), -EBUSY);
	assert_int_not_equal(ontb_pci_irq(dev, 0), 0);
	assert_int_not_equal(ontb_pci_irq(dev, 2), 0);
	fake_fire(&rig.fake, func, 1);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[1]), 1);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 1), &counts[1]), 0);
	/* Its message is gone from the table. */
	assert_int_equal(entry(1, 0) | entry(1, 4) | entry(1, 8), 0);
	assert_int_equal(entry(1, 12) & 1, 1);
}

static void chosen_entries_need_not_be_neighbours(void **state)
{
	const unsigned int entries[] = { 7, 0, 3 }, twice[] = { 1, 2, 1 }, outside[] = { 2, NR_ENTRIES };
	const unsigned int any[] = { ONTB_MSI_ANY_INDEX };

	(void)state;
	assert_int_equal(ontb_pci_alloc_msix(dev, twice, 3), -EINVAL);
	assert_int_equal(ontb_pci_alloc_msix(dev, outside, 2), -ERANGE);
	assert_int_equal(ontb_pci_alloc_msix(dev, any, 1), -ERANGE);
	assert_int_equal(rig_nr_used(&rig), 0);
	assert_int_equal(control(), NR_ENTRIES - 1);
	assert_int_equal(ontb_pci_alloc_msix(dev, entries, 3), 0);
	for (unsigned int i = 0; i < NR_ENTRIES; i++)
		assert_int_equal(ontb_pci_irq(dev, i) != 0, i == 7 || i == 0 || i == 3);
	assert_int_equal(rig_request(&rig, ontb_pci_irq(dev, 7), &counts[7]), 0);
	fake_fire(&rig.fake, func, 7);
	/* Nobody has this one: it stays masked in the table. */
	fake_fire(&rig.fake, func, 6);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[7]), 1);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 7), &counts[7]), 0);
}

static void the_table_grows_and_shrinks_without_a_pause(void **state)
{
	const struct ontb_cpumask cpu_2 = ontb_cpumask_of(2);
	struct ontb_msi_map map;
	struct ontb_irq_status status;
	unsigned int nr_writes;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSIX), 1);
	rig_request_all(&rig, dev, counts, 1);
	nr_writes = func->nr_control_writes;
	/* Every store to the function comes with an event of entry 0; none is to be lost. */
	func->is_eager = true;
	assert_int_equal(ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, &cpu_2, &map), 0);
	assert_int_equal(map.index, 1);
	assert_int_equal(ontb_pci_irq(dev, 1), map.virq);
	assert_int_equal(ontb_pci_msix_alloc_at(dev, 5, NULL, &map), 0);
	assert_int_equal(ontb_pci_msix_alloc_at(dev, 5, NULL, &map), -EBUSY);
	assert_int_equal(ontb_pci_msix_alloc_at(dev, NR_ENTRIES, NULL, &map), -ERANGE);
	assert_int_equal(rig_request(&rig, ontb_pci_irq(dev, 1), &counts[1]), 0);
	assert_int_equal(ontb_irq_status(rig.sys, ontb_pci_irq(dev, 1), &status), 0);
	assert_int_equal(status.effective, 2);
	fake_fire(&rig.fake, func, 1);
	(void)rig_pump(&rig);
	assert_int_equal(atomic_load(&counts[1]), 1);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 1), &counts[1]), 0);
	assert_int_equal(ontb_pci_msix_free_at(dev, 1), 0);
	assert_int_equal(ontb_pci_msix_free_at(dev, 1), -ENOENT);
	assert_int_equal(ontb_pci_msix_free_at(dev, 5), 0);
	func->is_eager = false;
	(void)rig_pump(&rig);
	assert_true(atomic_load(&counts[0]) > 5);
	assert_int_equal(func->nr_lost, 0);
	assert_int_equal(func->nr_control_writes, nr_writes);
	assert_int_equal(rig_nr_used(&rig), 1);
	/* Full is full. */
	for (unsigned int i = 1; i < NR_ENTRIES; i++)
		assert_int_equal(ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, NULL, &map), 0);
	assert_int_equal(ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, NULL, &map), -ENOSPC);
	rig_free_all(&rig, dev, counts, 1);
}

static void what_comes_while_disabled_is_delivered_once_later(void **state)
{
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, 2, ONTB_PCI_IRQ_MSIX), 2);
	rig_request_all(&rig, dev, counts, 2);
	virq = ontb_pci_irq(dev, 1);
	assert_int_equal(ontb_irq_disable(rig.sys, virq), 0);
	assert_int_equal(ontb_pci_irq_pending(dev, 1), 0);
	/* The first one still comes and is kept; the entry is masked then, and the function keeps the next ones. */
	for (unsigned int i = 0; i < 3; i++) {
		fake_fire(&rig.fake, func, 1);
		(void)rig_pump(&rig);
	}
	assert_int_equal(entry(1, 12), 0xabcd0001);
	assert_int_equal(ontb_pci_irq_pending(dev, 1), 1);
	assert_int_equal(ontb_pci_irq_pending(dev, 0), 0);
	assert_int_equal(ontb_pci_irq_pending(dev, 2), -ENOENT);
	assert_int_equal(atomic_load(&counts[1]), 0);
	/* Another one is not concerned. */
	fake_fire(&rig.fake, func, 0);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[0]), 1);
	assert_int_equal(ontb_irq_enable(rig.sys, virq), 0);
	fake_settle(&rig.fake);
	(void)rig_pump(&rig);
	assert_true(atomic_load(&counts[1]) >= 1);
	assert_int_equal(ontb_pci_irq_pending(dev, 1), 0);
	assert_int_equal(entry(1, 12), 0xabcd0000);
	rig_free_all(&rig, dev, counts, 2);
}

static void a_moved_message_is_never_half_old_and_half_new(void **state)
{
	struct ontb_cpumask mask;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSIX), 1);
	rig_request_all(&rig, dev, counts, 1);
	func->is_eager = true;
	for (unsigned int i = 1; i < 20; i++) {
		unsigned int before, cpu = i % RIG_NR_CPUS;

		(void)rig_pump(&rig);
		mask = ontb_cpumask_of(cpu);
		assert_int_equal(ontb_irq_set_affinity(rig.sys, ontb_pci_irq(dev, 0), &mask), 0);
		/* All stores have arrived, so what was sent to the old CPU has too. */
		assert_int_equal(rig.fake.nr_posted, 0);
		(void)rig_pump(&rig);
		before = (unsigned int)ontb_irq_count(rig.sys, ontb_pci_irq(dev, 0), cpu);
		fake_fire(&rig.fake, func, 0);
		assert_int_equal(rig_pump(&rig), 1);
		assert_int_equal(ontb_irq_count(rig.sys, ontb_pci_irq(dev, 0), cpu), before + 1);
	}
	func->is_eager = false;
	assert_int_equal(rig.nr_torn, 0);
	assert_int_equal(func->nr_lost, 0);
	rig_free_all(&rig, dev, counts, 1);
}

static void a_move_of_a_disabled_interrupt_keeps_it_masked(void **state)
{
	const struct ontb_cpumask cpu_3 = ontb_cpumask_of(3);
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSIX), 1);
	rig_request_all(&rig, dev, counts, 1);
	virq = ontb_pci_irq(dev, 0);
	assert_int_equal(ontb_irq_disable(rig.sys, virq), 0);
	fake_fire(&rig.fake, func, 0);
	(void)rig_pump(&rig);
	assert_int_equal(entry(0, 12) & 1, 1);
	assert_int_equal(ontb_irq_set_affinity(rig.sys, virq, &cpu_3), 0);
	assert_int_equal(entry(0, 12) & 1, 1);
	assert_int_equal(entry(0, 0), 0xfee03000);
	assert_int_equal(ontb_irq_enable(rig.sys, virq), 0);
	fake_settle(&rig.fake);
	(void)rig_pump(&rig);
	assert_int_equal(atomic_load(&counts[0]), 1);
	rig_free_all(&rig, dev, counts, 1);
}

static void a_parent_that_runs_out_gives_what_it_has(void **state)
{
	(void)state;
	rig.limit = 3;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 4, NR_ENTRIES, ONTB_PCI_IRQ_ANY), -ENOSPC);
	assert_int_equal(rig_nr_used(&rig), 0);
	assert_int_equal(control(), NR_ENTRIES - 1);
	assert_int_equal(command(), 0x006);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, NR_ENTRIES, ONTB_PCI_IRQ_ANY), 3);
	assert_int_equal(rig_nr_used(&rig), 3);
	rig_request_all(&rig, dev, counts, 3);
	fake_fire(&rig.fake, func, 2);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[2]), 1);
	rig_free_all(&rig, dev, counts, 3);
}

static void everything_is_as_before_after_a_reset(void **state)
{
	uint8_t config[sizeof(func->config)], bar[sizeof(func->bar)];

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 4, 4, ONTB_PCI_IRQ_MSIX), 4);
	rig_request_all(&rig, dev, counts, 3);
	assert_int_equal(ontb_irq_disable(rig.sys, ontb_pci_irq(dev, 1)), 0);
	fake_fire(&rig.fake, func, 1);
	(void)rig_pump(&rig);
	fake_settle(&rig.fake);
	memcpy(config, func->config, sizeof(config));
	memcpy(bar, func->bar, sizeof(bar));
	fake_reset(func);
	assert_int_equal(fake_get32(func, 0x10), 0xc);
	assert_int_equal(ontb_pci_reset_restore(dev), 0);
	fake_settle(&rig.fake);
	assert_memory_equal(func->config, config, sizeof(config));
	assert_memory_equal(func->bar, bar, sizeof(bar));
	for (unsigned int i = 0; i < 3; i++)
		fake_fire(&rig.fake, func, i);
	assert_int_equal(rig_pump(&rig), 2);
	assert_int_equal(atomic_load(&counts[0]), 1);
	assert_int_equal(atomic_load(&counts[1]), 0);
	assert_int_equal(ontb_pci_irq_pending(dev, 1), 1);
	assert_int_equal(ontb_irq_enable(rig.sys, ontb_pci_irq(dev, 1)), 0);
	rig_free_all(&rig, dev, counts, 3);
	/* A function that is gone, or another one in its place, is not written to. */
	fake_set16(func, 2, 0x4242);
	fake_reset(func);
	assert_int_equal(ontb_pci_reset_restore(dev), -EFAULT);
	assert_int_equal(fake_get32(func, 0x10), 0xc);
	(void)rig_pump(&rig);
}

static void a_restored_function_without_interrupts_has_its_bars_only(void **state)
{
	(void)state;
	fake_reset(func);
	assert_int_equal(ontb_pci_reset_restore(dev), 0);
	assert_int_equal(command(), 0x006);
	assert_int_equal(control(), NR_ENTRIES - 1);
	assert_int_equal(ontb_pci_bar_read32(dev, 0, FAKE_TABLE + 12), 0xabcd0001);
}

static void aliases_go_to_the_msi_device(void **state)
{
	uint16_t rids[ONTB_MSI_MAX_RIDS];
	struct ontb_msi_dev *msi, *again;

	(void)state;
	for (unsigned int i = 1; i < ONTB_MSI_MAX_RIDS; i++) {
		assert_int_equal(ontb_pci_add_rid_alias(dev, (uint16_t)(0x200 + i)), 0);
		assert_int_equal(ontb_pci_add_rid_alias(dev, 0x201), 0);
		assert_int_equal(ontb_pci_add_rid_alias(dev, ONTB_RID(0, 2, 0)), 0);
	}
	assert_int_equal(ontb_pci_add_rid_alias(dev, 0x300), -ENOSPC);
	assert_int_equal(ontb_pci_msi_dev(dev, &msi), 0);
	assert_int_equal(ontb_pci_msi_dev(dev, &again), 0);
	assert_ptr_equal(msi, again);
	assert_int_equal(ontb_msi_dev_rids(msi, rids), ONTB_MSI_MAX_RIDS);
	assert_int_equal(rids[0], ONTB_RID(0, 2, 0));
	assert_int_equal(rids[15], 0x20f);
	assert_int_equal(ontb_pci_add_rid_alias(dev, 0x300), -EBUSY);
	assert_int_equal(ontb_pci_add_rid_alias(dev, 0x201), 0);
}

static int store_nothing(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	(void)data;
	(void)msg;
	return 0;
}

static void other_slots_do_not_touch_the_table(void **state)
{
	const struct ontb_msi_template template = {
		.prefix = "OTHER-",
		.token = ONTB_BUS_DEVICE,
		.nr_indices = 100,
		.chip = { .name = "OTHER", .write_msg = store_nothing },
	};
	struct ontb_msi_dev *msi;
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 4, 4, ONTB_PCI_IRQ_MSIX), 4);
	fake_settle(&rig.fake);
	func->nr_writes = 0;
	assert_int_equal(ontb_pci_msi_dev(dev, &msi), 0);
	assert_int_equal(ontb_msi_domain_new(msi, 2, &template), 0);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(ontb_msi_alloc_at(msi, 2, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
		for (unsigned int j = 0; j < 4; j++)
			assert_int_not_equal(map.virq, ontb_pci_irq(dev, j));
	}
	assert_int_equal(rig_request(&rig, map.virq, &counts[0]), 0);
	assert_int_equal(ontb_irq_free(rig.sys, map.virq, &counts[0]), 0);
	assert_int_equal(rig_nr_used(&rig), 104);
	/* The function's own go; the others stay. */
	fake_settle(&rig.fake);
	assert_int_equal(func->nr_writes, 0);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
	assert_int_equal(rig_nr_used(&rig), 100);
	assert_int_equal(ontb_msi_domain_free(msi, 2), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Functions whose tables make no sense. */

static void check_broken(unsigned int reg, uint32_t value, const char *why)
{
	const struct fake_kind kind = { .nr_msix = 8 };
	struct ontb_pci_dev *broken;

	rig_init(&rig, false);
	func = fake_add(&rig.fake, ONTB_RID(0, 2, 0), &kind);
	fake_set32(func, 0xf8, 0x11); /* too close to the end, but only if the list leads there */
	fake_set32(func, reg, value);
	broken = rig_scan(&rig, 0);
	assert_int_equal(ontb_pci_msix_size(broken), 0);
	assert_int_equal(ontb_pci_alloc_irqs(broken, 1, 8, ONTB_PCI_IRQ_ANY), -EPROTO);
	if (!strstr(fake_line, why))
		fail_msg("\"%s\" does not say \"%s\"", fake_line, why);
	rig_fini(&rig);
}

static void tables_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	fake_log_start();
	check_broken(FAKE_CAP_MSIX + 4, FAKE_TABLE | 6, "names no BAR");
	check_broken(FAKE_CAP_MSIX + 4, FAKE_TABLE | 1, "names no BAR");
	check_broken(FAKE_CAP_MSIX + 8, FAKE_PBA | 7, "names no BAR");
	check_broken(FAKE_CAP_MSIX + 4, FAKE_BAR_MEMORY - 8 * 16 + 8, "ends behind its BAR");
	check_broken(FAKE_CAP_MSIX + 4, 0xfffffff8, "ends behind its BAR");
	check_broken(FAKE_CAP_MSIX + 8, FAKE_BAR_MEMORY, "ends behind its BAR");
	check_broken(FAKE_CAP_MSIX + 8, FAKE_TABLE + 8 * 16 - 8, "overlaps its pending bits");
	check_broken(FAKE_CAP_VENDOR, 0x00000409, "is in a broken list");
	check_broken(0x34, 0xf8, "ends behind the capabilities");
	fake_log_end();
}

static void functions_without_msi_have_no_interrupts(void **state)
{
	const struct fake_kind none = { 0 }, msix = { .nr_msix = 8 };
	struct ontb_pci_dev *plain, *far;
	struct ontb_msi_dev *msi;

	(void)state;
	rig_init(&rig, false);
	(void)fake_add(&rig.fake, ONTB_RID(0, 2, 0), &none);
	(void)fake_add(&rig.fake, ONTB_RID(1, 0, 0), &msix);
	plain = rig_scan(&rig, 0);
	far = ontb_pci_dev_at(rig.bus, 1);
	assert_int_equal(ontb_pci_alloc_irqs(plain, 1, 1, ONTB_PCI_IRQ_ANY), -EOPNOTSUPP);
	assert_int_equal(ontb_pci_alloc_irqs(plain, 1, 1, ONTB_PCI_IRQ_MSIX), -EOPNOTSUPP);
	assert_int_equal(ontb_pci_alloc_irqs(plain, 1, 1, ONTB_PCI_IRQ_MSI), -EOPNOTSUPP);
	/* And one for which the host has no MSI parent. */
	assert_int_equal(ontb_pci_enable(far), 0);
	assert_int_equal(ontb_pci_msi_dev(far, &msi), -EOPNOTSUPP);
	assert_int_equal(ontb_pci_alloc_irqs(far, 1, 1, ONTB_PCI_IRQ_ANY), -EOPNOTSUPP);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_entry_is_delivered_to_its_own_handler),
		TEST(listings_show_whose_interrupts_they_are),
		TEST(requests_that_make_no_sense_are_refused),
		TEST(nothing_is_allocated_twice),
		TEST(freeing_with_a_handler_is_refused_and_changes_nothing),
		TEST(chosen_entries_need_not_be_neighbours),
		TEST(the_table_grows_and_shrinks_without_a_pause),
		TEST(what_comes_while_disabled_is_delivered_once_later),
		TEST(a_moved_message_is_never_half_old_and_half_new),
		TEST(a_move_of_a_disabled_interrupt_keeps_it_masked),
		TEST(a_parent_that_runs_out_gives_what_it_has),
		TEST(everything_is_as_before_after_a_reset),
		TEST(a_restored_function_without_interrupts_has_its_bars_only),
		TEST(aliases_go_to_the_msi_device),
		TEST(other_slots_do_not_touch_the_table),
		cmocka_unit_test(tables_that_make_no_sense_are_refused),
		cmocka_unit_test(functions_without_msi_have_no_interrupts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
