// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Walking over descriptors: the sets that the filters give, and that a walk survives whatever is done on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/annotate.h"
#include "msi_rig.h"

#define SLOT 2U

static struct msi_rig rig;
static struct rig_table table;
static struct ontb_msi_dev *dev;

/* 0 to 9 have numbers; 10, 64, 4095 and 65535 are descriptors only. */
static const unsigned int unnumbered[] = { 10, 64, 4095, 65535 };

static int setup(void **state)
{
	struct ontb_msi_template t = msi_rig_template("NTB-", ONTB_BUS_NTB, 65536, &table);

	(void)state;
	memset(&table, 0, sizeof(table));
	if (msi_rig_init(&rig, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_GLOBAL, 64) || msi_rig_dev(&rig, "00:02.0", &dev) ||
	    ontb_msi_domain_new(dev, SLOT, &t) || ontb_msi_alloc_range(dev, SLOT, 0, 10, NULL))
		return -1;
	ontb_msi_lock(dev);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(unnumbered); i++)
		assert_int_equal(ontb_msi_insert_locked(dev, SLOT, unnumbered[i], NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ontb_msi_unlock(dev);
	ontb_msi_dev_free(dev);
	return (int)msi_rig_fini(&rig);
}

static unsigned int count(enum ontb_msi_filter filter)
{
	struct ontb_msi_map map = { 0 };
	unsigned int nr = 0;

	for (; ontb_msi_next_locked(dev, SLOT, filter, map.index, &map); map.index++)
		nr++;
	return nr;
}

static void filters_give_exact_sets_in_order(void **state)
{
	struct ontb_msi_map map = { 0 };
	unsigned int nr = 0;

	(void)state;
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ASSOCIATED, map.index, &map); map.index++) {
		assert_int_equal(map.index, nr++);
		assert_int_equal(map.virq, ontb_msi_virq(dev, SLOT, map.index));
		assert_int_not_equal(map.virq, 0);
	}
	assert_int_equal(nr, 10);
	map.index = nr = 0;
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_NOT_ASSOCIATED, map.index, &map); map.index++) {
		assert_int_equal(map.index, unnumbered[nr++]);
		assert_int_equal(map.virq, 0);
	}
	assert_int_equal(nr, ONTB_ARRAY_SIZE(unnumbered));
	assert_int_equal(count(ONTB_MSI_ALL), 10 + nr);
}

static void walk_starts_where_it_is_told(void **state)
{
	struct ontb_msi_map map = { 1, 2 };

	(void)state;
	assert_true(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 11, &map));
	assert_int_equal(map.index, 64);
	assert_true(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 64, &map));
	assert_int_equal(map.index, 64);
	assert_true(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 65535, &map));
	assert_int_equal(map.index, 65535);
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 65536, &map));
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, UINT32_MAX, &map));
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ASSOCIATED, 10, &map));
	assert_false(ontb_msi_next_locked(dev, 0, ONTB_MSI_ALL, 0, &map));
	assert_false(ontb_msi_next_locked(dev, ONTB_MSI_NR_SLOTS, ONTB_MSI_ALL, 0, &map));
	assert_int_equal(map.index, 65535);
}

static void current_entry_may_be_freed(void **state)
{
	struct ontb_msi_map map = { 0 };
	unsigned int nr = 0;

	(void)state;
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, map.index, &map); map.index++) {
		assert_int_equal(ontb_msi_free_range_locked(dev, SLOT, map.index, 1), 0);
		nr++;
	}
	assert_int_equal(nr, 14);
	assert_int_equal(count(ONTB_MSI_ALL), 0);
	assert_int_equal(msi_rig_used(&rig, NULL), 0);
}

static void entries_before_and_behind_may_come_and_go(void **state)
{
	struct ontb_msi_map map = { 0 }, new_one;
	unsigned int seen[32], nr = 0;
	static const unsigned int want[] = { 0, 2, 4, 6, 8, 10, 20, 64, 4095, 65535 };

	(void)state;
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, map.index, &map); map.index++) {
		seen[nr++] = map.index;
		if (map.index < 9)
			assert_int_equal(ontb_msi_free_range_locked(dev, SLOT, map.index + 1, 1), 0);
		if (map.index == 10)
			assert_int_equal(ontb_msi_alloc_at_locked(dev, SLOT, 20, NULL, NULL, &new_one), 0);
		if (map.index == 64)
			assert_int_equal(ontb_msi_alloc_at_locked(dev, SLOT, 21, NULL, NULL, &new_one), 0);
	}
	assert_int_equal(nr, ONTB_ARRAY_SIZE(want));
	assert_memory_equal(seen, want, sizeof(want));
}

static void walks_nest(void **state)
{
	struct ontb_msi_map outer = { 0 }, inner;
	unsigned int nr = 0;

	(void)state;
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ASSOCIATED, outer.index, &outer); outer.index++) {
		inner.index = 0;
		for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_NOT_ASSOCIATED, inner.index, &inner); inner.index++)
			nr++;
	}
	assert_int_equal(nr, 10 * ONTB_ARRAY_SIZE(unnumbered));
}

static void entry_that_gets_a_number_changes_sets(void **state)
{
	struct ontb_msi_map map = { 0 };

	(void)state;
	for (; ontb_msi_next_locked(dev, SLOT, ONTB_MSI_NOT_ASSOCIATED, map.index, &map); map.index++)
		assert_int_equal(ontb_msi_alloc_range_locked(dev, SLOT, map.index, 1, NULL), 0);
	assert_int_equal(count(ONTB_MSI_NOT_ASSOCIATED), 0);
	assert_int_equal(count(ONTB_MSI_ASSOCIATED), 14);
}

static void count_is_a_walk_under_the_lock(void **state)
{
	(void)state;
	assert_int_equal(count(ONTB_MSI_ALL), 14);
	assert_int_equal(count(ONTB_MSI_ASSOCIATED), 10);
	assert_int_equal(count(ONTB_MSI_NOT_ASSOCIATED), 4);
	assert_int_equal(ontb_msi_free_all_locked(dev, SLOT), 0);
	assert_int_equal(count(ONTB_MSI_ALL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(filters_give_exact_sets_in_order),
		TEST(walk_starts_where_it_is_told),
		TEST(current_entry_may_be_freed),
		TEST(entries_before_and_behind_may_come_and_go),
		TEST(walks_nest),
		TEST(entry_that_gets_a_number_changes_sets),
		TEST(count_is_a_walk_under_the_lock),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
