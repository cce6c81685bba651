// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI of a function: one or several vectors, with and without masks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "rig.h"

static struct rig rig;
static struct fake_func *func;
static struct ontb_pci_dev *dev;
static _Atomic unsigned int counts[32];

static void start(const struct fake_kind *kind, bool is_contiguous)
{
	fake_log_start();
	memset(counts, 0, sizeof(counts));
	rig_init(&rig, is_contiguous);
	func = fake_add(&rig.fake, ONTB_RID(0, 2, 0), kind);
	dev = rig_scan(&rig, 0);
}

static void finish(void)
{
	rig_fini(&rig);
	assert_int_equal(rig.nr_torn, 0);
	assert_int_equal(rig.nr_unknown, 0);
	fake_log_end();
}

static uint32_t control(void)
{
	return fake_get32(func, FAKE_CAP_MSI) >> 16;
}

static const struct fake_kind kinds[] = {
	{ .nr_msi = 1 },
	{ .nr_msi = 1, .is_64 = true },
	{ .nr_msi = 32, .has_mask = true },
	{ .nr_msi = 32, .is_64 = true, .has_mask = true },
};

static void one_vector_works_in_every_layout(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct ontb_irq_status status;
		unsigned int before;

		start(&kinds[i], false);
		before = control();
		assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_ANY), 1);
		/* Off until there is a message. */
		assert_int_equal(control() & 1, 0);
		assert_int_equal(fake_get32(func, 4) & 0x400, 0x400);
		assert_int_equal(ontb_irq_status(rig.sys, ontb_pci_irq(dev, 0), &status), 0);
		assert_int_equal(status.token, ONTB_BUS_PCI_MSI);
		assert_string_equal(status.domains[0], "PCI-MSI-0000:00:02.0");
		assert_string_equal(status.chips[0], "PCI-MSI");
		rig_request_all(&rig, dev, counts, 1);
		assert_int_equal(control(), before | 1);
		for (unsigned int n = 1; n < 4; n++) {
			fake_fire(&rig.fake, func, 0);
			assert_int_equal(rig_pump(&rig), 1);
			assert_int_equal(atomic_load(&counts[0]), n);
		}
		rig_free_all(&rig, dev, counts, 1);
		assert_int_equal(control(), before);
		assert_int_equal(ontb_pci_free_irqs(dev), 0);
		assert_int_equal(fake_get32(func, 4) & 0x400, 0);
		finish();
	}
}

static void several_vectors_share_a_message_that_is_written_once(void **state)
{
	const struct fake_kind kind = { .nr_msi = 8, .is_64 = true, .has_mask = true };

	(void)state;
	start(&kind, true);
	/* Six are wanted, four are a power of two. */
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 6, ONTB_PCI_IRQ_MSI), 4);
	assert_int_equal(rig_nr_used(&rig), 4);
	func->nr_data_writes = 0;
	rig_request_all(&rig, dev, counts, 4);
	assert_int_equal(func->nr_data_writes, 1);
	assert_int_equal(control() >> 4 & 7, 2);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(ontb_pci_irq(dev, i), ontb_pci_irq(dev, 0) + i);
		for (unsigned int j = 0; j <= i; j++)
			fake_fire(&rig.fake, func, i);
		assert_int_equal(rig_pump(&rig), i + 1);
		assert_int_equal(atomic_load(&counts[i]), i + 1);
	}
	/* Freed ones are masked, the others go on. */
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 1), &counts[1]), 0);
	fake_fire(&rig.fake, func, 1);
	fake_fire(&rig.fake, func, 2);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[2]), 4);
	assert_int_equal(ontb_pci_irq_pending(dev, 1), 1);
	assert_int_equal(ontb_pci_free_irqs(dev), -EBUSY);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 0), &counts[0]), 0);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 2), &counts[2]), 0);
	assert_int_equal(control() & 1, 1);
	assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, 3), &counts[3]), 0);
	assert_int_equal(control() & 1, 0);
	finish();
}

static void who_needs_more_than_a_power_of_two_gets_it(void **state)
{
	const struct fake_kind kind = { .nr_msi = 8, .has_mask = true };

	(void)state;
	start(&kind, true);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 9, 20, ONTB_PCI_IRQ_MSI), -ENOSPC);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 5, 6, ONTB_PCI_IRQ_MSI), 6);
	assert_int_equal(rig_nr_used(&rig), 8);
	rig_request_all(&rig, dev, counts, 6);
	fake_fire(&rig.fake, func, 5);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[5]), 1);
	rig_free_all(&rig, dev, counts, 6);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
	/* All there are, and half of them if the parent has no more. */
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 100, ONTB_PCI_IRQ_MSI), 8);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
	rig.limit = 5;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 5, 100, ONTB_PCI_IRQ_MSI), -ENOSPC);
	assert_int_equal(rig_nr_used(&rig), 0);
	assert_int_equal(fake_get32(func, 4) & 0x400, 0);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 100, ONTB_PCI_IRQ_MSI), 4);
	finish();
}

static void a_parent_without_contiguous_messages_gives_one(void **state)
{
	const struct fake_kind kind = { .nr_msi = 8, .is_64 = true, .has_mask = true };

	(void)state;
	start(&kind, false);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, 8, ONTB_PCI_IRQ_MSI), -ENOSPC);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 8, ONTB_PCI_IRQ_MSI), 1);
	assert_int_equal(rig_nr_used(&rig), 1);
	finish();
}

static void msix_comes_first_and_msi_is_the_fallback(void **state)
{
	const struct fake_kind kind = { .nr_msi = 8, .has_mask = true, .nr_msix = 2 };
	struct ontb_msi_map map;

	(void)state;
	start(&kind, true);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 8, ONTB_PCI_IRQ_ANY), 2);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 3, 8, ONTB_PCI_IRQ_MSIX), -ENOSPC);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 3, 8, ONTB_PCI_IRQ_ANY), 8);
	/* There is no growing here. */
	assert_int_equal(ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, NULL, &map), -EINVAL);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSIX), -EBUSY);
	finish();
}

static void masked_vectors_are_pending_in_the_function(void **state)
{
	const struct fake_kind kind = { .nr_msi = 4, .is_64 = true, .has_mask = true };

	(void)state;
	start(&kind, true);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 4, 4, ONTB_PCI_IRQ_MSI), 4);
	rig_request_all(&rig, dev, counts, 4);
	assert_int_equal(ontb_irq_disable(rig.sys, ontb_pci_irq(dev, 2)), 0);
	for (unsigned int i = 0; i < 3; i++) {
		fake_fire(&rig.fake, func, 2);
		(void)rig_pump(&rig);
	}
	assert_int_equal(ontb_pci_irq_pending(dev, 2), 1);
	assert_int_equal(ontb_pci_irq_pending(dev, 1), 0);
	assert_int_equal(ontb_pci_irq_pending(dev, 4), -ENOENT);
	assert_int_equal(atomic_load(&counts[2]), 0);
	fake_fire(&rig.fake, func, 1);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(atomic_load(&counts[1]), 1);
	assert_int_equal(ontb_irq_enable(rig.sys, ontb_pci_irq(dev, 2)), 0);
	(void)rig_pump(&rig);
	assert_true(atomic_load(&counts[2]) >= 1);
	assert_int_equal(ontb_pci_irq_pending(dev, 2), 0);
	rig_free_all(&rig, dev, counts, 4);
	finish();
}

static void functions_without_masks_cannot_say_what_is_pending(void **state)
{
	const struct fake_kind kind = { .nr_msi = 4, .is_64 = true };

	(void)state;
	start(&kind, false);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSI), 1);
	assert_int_equal(ontb_pci_irq_pending(dev, 0), -EOPNOTSUPP);
	rig_request_all(&rig, dev, counts, 1);
	assert_int_equal(ontb_irq_disable(rig.sys, ontb_pci_irq(dev, 0)), 0);
	fake_fire(&rig.fake, func, 0);
	(void)rig_pump(&rig);
	assert_int_equal(atomic_load(&counts[0]), 0);
	assert_int_equal(ontb_irq_enable(rig.sys, ontb_pci_irq(dev, 0)), 0);
	(void)rig_pump(&rig);
	assert_int_equal(atomic_load(&counts[0]), 1);
	rig_free_all(&rig, dev, counts, 1);
	finish();
}

/* The function has an event at every moment while its message moves from CPU to CPU. */
static void move_around(const struct fake_kind *kind)
{
	start(kind, false);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSI), 1);
	rig_request_all(&rig, dev, counts, 1);
	for (unsigned int i = 1; i < 20; i++) {
		const struct ontb_cpumask mask = ontb_cpumask_of(i % RIG_NR_CPUS);
		unsigned int before = atomic_load(&counts[0]);

		func->is_eager = true;
		assert_int_equal(ontb_irq_set_affinity(rig.sys, ontb_pci_irq(dev, 0), &mask), 0);
		func->is_eager = false;
		/* However many events fell into the change: the handler runs after it. */
		(void)rig_pump(&rig);
		assert_true(atomic_load(&counts[0]) > before);
		assert_true(ontb_irq_count(rig.sys, ontb_pci_irq(dev, 0), i % RIG_NR_CPUS) > 0);
	}
	assert_int_equal(rig.nr_torn, 0);
	rig_free_all(&rig, dev, counts, 1);
	finish();
}

static void a_moved_message_is_never_half_old_and_half_new(void **state)
{
	const struct fake_kind masked = { .nr_msi = 1, .is_64 = true, .has_mask = true };
	const struct fake_kind bare = { .nr_msi = 1, .is_64 = true };

	(void)state;
	move_around(&masked);
	/* Nothing was lost: the mask kept it. */
	assert_int_equal(func->nr_lost, 0);
	move_around(&bare);
	/* Without a mask events are lost in the function, but their interrupt is not. */
	assert_int_not_equal(func->nr_lost, 0);
}

static void an_event_while_msi_is_switched_off_for_a_move_is_not_forgotten(void **state)
{
	const struct ontb_cpumask cpu_1 = ontb_cpumask_of(1);

	(void)state;
	start(&kinds[1], false);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSI), 1);
	rig_request_all(&rig, dev, counts, 1);
	func->is_eager = func->is_eager_while_off = true;
	assert_int_equal(ontb_irq_set_affinity(rig.sys, ontb_pci_irq(dev, 0), &cpu_1), 0);
	func->is_eager = false;
	assert_int_not_equal(func->nr_lost, 0);
	assert_int_equal(rig_pump(&rig), 1);
	assert_int_equal(ontb_irq_count(rig.sys, ontb_pci_irq(dev, 0), 1), 1);
	rig_free_all(&rig, dev, counts, 1);
	finish();
}

static void messages_that_do_not_fit_are_refused(void **state)
{
	const struct fake_kind kind = { .nr_msi = 1 };

	(void)state;
	start(&kind, false);
	rig.addr = 0x1fee00000;
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSI), 1);
	assert_int_equal(rig_request(&rig, ontb_pci_irq(dev, 0), &counts[0]), -EOPNOTSUPP);
	assert_non_null(strstr(fake_line, "0000:00:02.0: MSI 0: message 0x1fee00000"));
	assert_int_equal(control() & 1, 0);
	rig.addr = ONTB_X86_MSI_BASE;
	assert_int_equal(rig_request(&rig, ontb_pci_irq(dev, 0), &counts[0]), 0);
	rig_free_all(&rig, dev, counts, 1);
	finish();
}

static void everything_is_as_before_after_a_reset(void **state)
{
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		unsigned int nr = kinds[i].has_mask ? 4 : 1;
		uint8_t config[sizeof(func->config)];

		(void)state;
		start(&kinds[i], true);
		assert_int_equal(ontb_pci_alloc_irqs(dev, nr, nr, ONTB_PCI_IRQ_MSI), nr);
		rig_request_all(&rig, dev, counts, nr);
		if (nr > 1) {
			assert_int_equal(ontb_irq_disable(rig.sys, ontb_pci_irq(dev, 1)), 0);
			fake_fire(&rig.fake, func, 1);
			(void)rig_pump(&rig);
		}
		memcpy(config, func->config, sizeof(config));
		fake_reset(func);
		assert_int_equal(ontb_pci_reset_restore(dev), 0);
		assert_memory_equal(func->config, config, sizeof(config));
		for (unsigned int vector = 0; vector < nr; vector++)
			fake_fire(&rig.fake, func, vector);
		(void)rig_pump(&rig);
		for (unsigned int vector = 0; vector < nr; vector++)
			assert_int_equal(atomic_load(&counts[vector]), vector != 1);
		rig_free_all(&rig, dev, counts, nr);
		(void)rig_pump(&rig);
		finish();
	}
}

static void capabilities_that_make_no_sense_are_refused(void **state)
{
	const struct fake_kind kind = { .nr_msi = 4 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		fake_log_start();
		rig_init(&rig, true);
		func = fake_add(&rig.fake, ONTB_RID(0, 2, 0), &kind);
		if (i == 0) {
			fake_set16(func, FAKE_CAP_MSI + 2, 6 << 1);
		} else {
			fake_set8(func, 0x34, 0xf4);
			fake_set32(func, 0xf4, 0x01000005);
		}
		dev = rig_scan(&rig, 0);
		assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_ANY), -EPROTO);
		assert_non_null(strstr(fake_line, "0000:00:02.0: MSI not usable"));
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_vector_works_in_every_layout),
		cmocka_unit_test(several_vectors_share_a_message_that_is_written_once),
		cmocka_unit_test(who_needs_more_than_a_power_of_two_gets_it),
		cmocka_unit_test(a_parent_without_contiguous_messages_gives_one),
		cmocka_unit_test(msix_comes_first_and_msi_is_the_fallback),
		cmocka_unit_test(masked_vectors_are_pending_in_the_function),
		cmocka_unit_test(functions_without_masks_cannot_say_what_is_pending),
		cmocka_unit_test(a_moved_message_is_never_half_old_and_half_new),
		cmocka_unit_test(an_event_while_msi_is_switched_off_for_a_move_is_not_forgotten),
		cmocka_unit_test(messages_that_do_not_fit_are_refused),
		cmocka_unit_test(everything_is_as_before_after_a_reset),
		cmocka_unit_test(capabilities_that_make_no_sense_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
