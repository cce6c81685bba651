// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * src/pci fails at its first, second, third ... allocation: nothing leaks, the out argument stays untouched, the function is as
 * it was, and the same call works afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../unit/pci/rig.h"
#include "inject.h"

#define MAX_STEPS 1000U

static struct rig rig;
static struct fake_func *func;
static struct ontb_pci_dev *dev;

static void start(const struct fake_kind *kind)
{
	rig_init(&rig, true);
	func = fake_add(&rig.fake, ONTB_RID(0, 2, 0), kind);
	dev = rig_scan(&rig, 0);
}

static struct ontb_irq_domain *no_parent(void *arg, uint16_t rid)
{
	(void)arg;
	(void)rid;
	return NULL;
}

static void scan_undoes_what_it_made(void **state)
{
	static struct fake_machine fake;
	struct ontb_pci_bus *const untouched = (struct ontb_pci_bus *)0x1;
	const struct ontb_pci_config config = { .machine = &fake.machine, .nr_buses = 2, .msi_parent = no_parent };
	const struct fake_kind kind = { .nr_msi = 1, .nr_msix = 4 };
	struct ontb_pci_bus *bus = untouched;
	unsigned int nth;
	int ret = -1;

	(void)state;
	fake_init(&fake);
	for (unsigned int i = 0; i < 3; i++)
		(void)fake_add(&fake, ONTB_RID(i / 2, i, 0), &kind);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = ontb_pci_scan(&config, &bus);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(bus, untouched);
	}
	assert_int_equal(ret, 0);
	/* The bus, the list, three functions, what has to be placed. */
	assert_int_equal(nth, 1 + 1 + 3 + 1);
	assert_int_equal(ontb_pci_nr_devs(bus), 3);
	assert_int_equal(ontb_pci_bus_free(bus), 0);
	assert_int_equal(pthread_mutex_destroy(&fake.lock), 0);
}

static void msi_device_undoes_what_it_made(void **state)
{
	struct ontb_msi_dev *const untouched = (struct ontb_msi_dev *)0x1;
	const struct fake_kind kind = { .nr_msix = 4 };
	struct ontb_msi_dev *msi = untouched;
	unsigned int nth;

	(void)state;
	start(&kind);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		if (!ontb_pci_msi_dev(dev, &msi) && !inject_disarm())
			break;
		assert_true(inject_disarm());
		assert_ptr_equal(msi, untouched);
		/* It can still get another alias, because there is no device yet. */
		assert_int_equal(ontb_pci_add_rid_alias(dev, 0x100), 0);
	}
	assert_true(nth > 0);
	assert_string_equal(ontb_msi_dev_name(msi), ontb_pci_name(dev));
	rig_fini(&rig);
}

/* The function looks as if nothing had happened. */
static void check_untouched(const uint8_t *config)
{
	assert_int_equal(rig_nr_used(&rig), 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(ontb_pci_irq(dev, i), 0);
	for (unsigned int i = 0; i < sizeof(func->config); i++) {
		/* Masks of vectors may be set, because MSI is off. */
		if (!(i >= FAKE_CAP_MSI + 16 && i < FAKE_CAP_MSI + 20))
			assert_int_equal(func->config[i], config[i]);
	}
}

static int alloc_msix(void)
{
	return ontb_pci_alloc_irqs(dev, 8, 8, ONTB_PCI_IRQ_MSIX) == 8 ? 0 : -ENOMEM;
}

static int alloc_msi(void)
{
	return ontb_pci_alloc_irqs(dev, 8, 8, ONTB_PCI_IRQ_MSI) == 8 ? 0 : -ENOMEM;
}

static int alloc_one_msi(void)
{
	return ontb_pci_alloc_irqs(dev, 1, 1, ONTB_PCI_IRQ_MSI) == 1 ? 0 : -ENOMEM;
}

static int alloc_entries(void)
{
	const unsigned int entries[] = { 6, 1, 3 };

	return ontb_pci_alloc_msix(dev, entries, 3);
}

static void interrupts_undo_what_they_made(void **state)
{
	int (*const allocs[])(void) = { alloc_msix, alloc_msi, alloc_one_msi, alloc_entries };
	const struct fake_kind kind = { .nr_msi = 8, .is_64 = true, .has_mask = true, .nr_msix = 8 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(allocs) / sizeof(allocs[0]); i++) {
		uint8_t config[sizeof(func->config)];
		unsigned int nth;

		start(&kind);
		memcpy(config, func->config, sizeof(config));
		for (nth = 0; nth < MAX_STEPS; nth++) {
			int ret;

			inject_arm(nth);
			ret = allocs[i]();
			if (!inject_disarm()) {
				assert_int_equal(ret, 0);
				break;
			}
			/* Some failures need not be one: a search that can do without. */
			if (!ret)
				assert_int_equal(ontb_pci_free_irqs(dev), 0);
			else
				assert_int_equal(ret, -ENOMEM);
			check_untouched(config);
		}
		assert_true(nth > 3 && nth < MAX_STEPS);
		assert_int_not_equal(rig_nr_used(&rig), 0);
		rig_fini(&rig);
	}
}

static void growing_undoes_what_it_made(void **state)
{
	const struct fake_kind kind = { .nr_msix = 8 };
	struct ontb_msi_map map = { .index = 77 };
	unsigned int nth;

	(void)state;
	start(&kind);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 2, 2, ONTB_PCI_IRQ_MSIX), 2);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		int ret;

		inject_arm(nth);
		ret = ontb_pci_msix_alloc_at(dev, 5, NULL, &map);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(map.index, 77);
		assert_int_equal(ontb_pci_irq(dev, 5), 0);
		assert_int_equal(rig_nr_used(&rig), 2);
		assert_int_equal(fake_get32(func, FAKE_CAP_MSIX) >> 16, 0x8007);
	}
	assert_true(nth > 0 && nth < MAX_STEPS);
	assert_int_equal(map.index, 5);
	/* Freeing and restoring need no memory. */
	inject_arm(0);
	assert_int_equal(ontb_pci_reset_restore(dev), 0);
	assert_int_equal(ontb_pci_msix_free_at(dev, 5), 0);
	assert_int_equal(ontb_pci_free_irqs(dev), 0);
	assert_false(inject_disarm());
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_undoes_what_it_made),
		cmocka_unit_test(msi_device_undoes_what_it_made),
		cmocka_unit_test(interrupts_undo_what_they_made),
		cmocka_unit_test(growing_undoes_what_it_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
