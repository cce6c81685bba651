// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Everything in src/msi that takes memory fails at its first, second, third ... allocation: nothing leaks, nothing is half
 * done, and what existed before goes on working.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../unit/msi/msi_rig.h"
#include "inject.h"

#define MAX_STEPS 1000U
#define SLOT	  1U

static struct msi_rig rig;
static struct rig_table table, pci_table;
static struct ontb_msi_dev *dev;

static int setup(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	if (msi_rig_init(&rig, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_GLOBAL, 256))
		return -1;
	return msi_rig_dev(&rig, "00:02.0", &dev);
}

static int teardown(void **state)
{
	(void)state;
	ontb_msi_dev_free(dev);
	return (int)msi_rig_fini(&rig);
}

static void make_domain(unsigned int features)
{
	struct ontb_msi_template t = msi_rig_template("NTB-", ONTB_BUS_NTB, 4096, &table);

	t.features = features;
	assert_int_equal(ontb_msi_domain_new(dev, SLOT, &t), 0);
}

static unsigned int nr_descs(void)
{
	struct ontb_msi_map map = { 0 };
	unsigned int nr = 0;

	ontb_msi_lock(dev);
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, map.index, &map); map.index++)
		nr++;
	ontb_msi_unlock(dev);
	return nr;
}

/* Nothing but what was there before: @nr interrupts. */
static void assert_only(unsigned int nr)
{
	assert_int_equal(ontb_msi_list(dev, NULL, 0), nr);
	assert_int_equal(nr_descs(), nr);
	assert_int_equal(msi_rig_used(&rig, NULL), nr);
}

static void device_undoes_what_it_made(void **state)
{
	struct ontb_msi_dev *const untouched = (struct ontb_msi_dev *)0x1;
	struct ontb_msi_dev *out = untouched;
	unsigned int nth;
	int ret = -1;

	(void)state;
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = msi_rig_dev(&rig, "00:03.0", &out);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(out, untouched);
	}
	assert_int_equal(ret, 0);
	/* The device and its name. */
	assert_int_equal(nth, 2);
	ontb_msi_dev_free(out);
}

static void domain_undoes_what_it_made(void **state)
{
	struct ontb_msi_template t = msi_rig_template("NTB-", ONTB_BUS_NTB, 4096, &table);
	unsigned int nth;
	int ret = -1;

	(void)state;
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = ontb_msi_domain_new(dev, SLOT, &t);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_null(ontb_msi_domain(dev, SLOT));
		assert_int_equal(rig.nr_prepared, 0);
		assert_null(ontb_msi_dev_parent_data(dev, SLOT));
		assert_int_equal(ontb_irq_domains(rig.sys, NULL, 0), 1);
	}
	assert_int_equal(ret, 0);
	assert_true(nth >= 2);
}

static void one_interrupt_undoes_what_it_made(void **state)
{
	struct ontb_msi_map map = { 77, 78 };
	unsigned int nth;
	int ret = -1;

	(void)state;
	make_domain(0);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = ontb_msi_alloc_at(dev, SLOT, 4095, NULL, NULL, &map);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(map.index, 77);
		assert_int_equal(ontb_msi_virq(dev, SLOT, 4095), 0);
		assert_only(0);
	}
	assert_int_equal(ret, 0);
	assert_true(nth >= 4);
	assert_only(1);
}

static void range_undoes_what_it_made_and_nothing_else(void **state)
{
	struct ontb_msi_map map;
	unsigned int nth, nr_done, last_done = 0;
	int ret = -1;

	(void)state;
	make_domain(0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 63, NULL, NULL, &map), 0);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = ontb_msi_alloc_range(dev, SLOT, 64, 70, &nr_done);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_true(nr_done >= last_done && nr_done < 70);
		last_done = nr_done;
		assert_int_equal(ontb_msi_virq(dev, SLOT, 63), map.virq);
		assert_only(1);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(nr_done, 70);
	assert_int_equal(last_done, 69);
	assert_only(71);
}

static void all_undoes_what_it_made_and_nothing_else(void **state)
{
	struct ontb_msi_template t = msi_rig_template("PCI-MSIX-", ONTB_BUS_PCI_MSIX, 70, &pci_table);
	unsigned int nth;
	int ret = -1;

	(void)state;
	assert_int_equal(ontb_msi_domain_new(dev, SLOT, &t), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 10, 5, NULL), 0);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = ontb_msi_alloc_all(dev, SLOT);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_only(5);
	}
	assert_int_equal(ret, 0);
	assert_only(70);
}

static void group_undoes_what_it_made(void **state)
{
	unsigned int nth;
	int ret = -1;

	(void)state;
	make_domain(ONTB_MSI_FEATURE_CONTIGUOUS);
	for (nth = 0; nth < MAX_STEPS; nth++) {
		inject_arm(nth);
		ret = ontb_msi_alloc_contiguous(dev, SLOT, 32);
		if (!inject_disarm())
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_only(0);
	}
	assert_int_equal(ret, 0);
	assert_only(32);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 16), -EBUSY);
}

static void freeing_needs_no_memory(void **state)
{
	(void)state;
	make_domain(0);
	for (unsigned int i = 0; i < 200; i += 2)
		assert_int_equal(ontb_msi_alloc_range(dev, SLOT, i, 1, NULL), 0);
	inject_arm(0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 7, 100), 0);
	assert_int_equal(ontb_msi_domain_free(dev, SLOT), 0);
	assert_false(inject_disarm());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(device_undoes_what_it_made),
		TEST(domain_undoes_what_it_made),
		TEST(one_interrupt_undoes_what_it_made),
		TEST(range_undoes_what_it_made_and_nothing_else),
		TEST(all_undoes_what_it_made_and_nothing_else),
		TEST(group_undoes_what_it_made),
		TEST(freeing_needs_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
