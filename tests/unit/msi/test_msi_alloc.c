// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Allocating and freeing interrupts of a device: one, any, a range, all, a group; what is left when it fails half way; and
 * the listing.
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

#define NR_IDS	   32U
#define NR_INDICES 1024U
#define SLOT	   1U

static struct msi_rig rig;
static struct rig_table table;
static struct rig_log lines;
static struct ontb_msi_dev *dev;
static unsigned int nr_handled;

static int make_dev_with_ids(unsigned int nr_ids, unsigned int nr_indices, unsigned int features, bool is_manual)
{
	struct ontb_msi_template t = msi_rig_template("NTB-", ONTB_BUS_NTB, nr_indices, &table);

	t.features = features;
	t.is_manual = is_manual;
	memset(&table, 0, sizeof(table));
	nr_handled = 0;
	if (msi_rig_init(&rig, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_GLOBAL, nr_ids))
		return -1;
	msi_rig_log_start(&lines);
	if (msi_rig_dev(&rig, "00:02.0", &dev))
		return -1;
	return ontb_msi_domain_new(dev, SLOT, &t);
}

static int make_dev(unsigned int nr_indices, unsigned int features, bool is_manual)
{
	return make_dev_with_ids(NR_IDS, nr_indices, features, is_manual);
}

static int setup(void **state)
{
	(void)state;
	return make_dev(NR_INDICES, 0, false);
}

static int setup_small(void **state)
{
	(void)state;
	return make_dev(8, 0, false);
}

static int setup_widest(void **state)
{
	(void)state;
	return make_dev(ONTB_MSI_MAX_INDEX + 1, 0, false);
}

static int setup_full(void **state)
{
	(void)state;
	return make_dev_with_ids(ONTB_MSI_MAX_INDEX + 1, ONTB_MSI_MAX_INDEX + 1, 0, false);
}

static int setup_contiguous(void **state)
{
	(void)state;
	return make_dev(32, ONTB_MSI_FEATURE_CONTIGUOUS, false);
}

static int setup_manual(void **state)
{
	(void)state;
	return make_dev(NR_INDICES, 0, true);
}

static int teardown(void **state)
{
	(void)state;
	ontb_msi_dev_free(dev);
	msi_rig_log_stop();
	return (int)msi_rig_fini(&rig);
}

static enum ontb_irq_return handle(unsigned int virq, void *counter)
{
	(void)virq;
	++*(unsigned int *)counter;
	return ONTB_IRQ_HANDLED;
}

static void request(unsigned int virq)
{
	const struct ontb_irq_request req = { .handler = handle, .dev = &nr_handled, .name = "test" };

	assert_int_equal(ontb_irq_request(rig.sys, virq, &req), 0);
}

static unsigned int virq_of(unsigned int index)
{
	return ontb_msi_virq(dev, SLOT, index);
}

/* Indices that have a number are exactly these. */
static void assert_indices(const unsigned int *indices, unsigned int nr)
{
	struct ontb_msi_entry entries[64];

	assert_int_equal(ontb_msi_list(dev, entries, ONTB_ARRAY_SIZE(entries)), nr);
	for (unsigned int i = 0; i < nr; i++) {
		assert_int_equal(entries[i].slot, SLOT);
		assert_int_equal(entries[i].index, indices[i]);
		assert_int_equal(entries[i].virq, virq_of(indices[i]));
		assert_int_not_equal(entries[i].virq, 0);
		assert_string_equal(entries[i].domain, "RIG-NTB-00:02.0");
	}
	assert_int_equal(msi_rig_used(&rig, NULL), nr);
}

#define ASSERT_INDICES(...)                                                                                            \
	do {                                                                                                           \
		const unsigned int indices_[] = { __VA_ARGS__ };                                                       \
		assert_indices(indices_, ONTB_ARRAY_SIZE(indices_));                                                   \
	} while (0)

/* One */

static void indices_may_be_sparse(void **state)
{
	static const unsigned int wanted[] = { 0, 5, 63, 64, 700, NR_INDICES - 1 };
	struct ontb_msi_map map;

	(void)state;
	for (unsigned int i = ONTB_ARRAY_SIZE(wanted); i--;) {
		assert_int_equal(ontb_msi_alloc_at(dev, SLOT, wanted[i], NULL, NULL, &map), 0);
		assert_int_equal(map.index, wanted[i]);
		assert_int_equal(map.virq, virq_of(wanted[i]));
		assert_int_equal(ontb_irq_find(ontb_msi_domain(dev, SLOT), wanted[i]), map.virq);
	}
	ASSERT_INDICES(0, 5, 63, 64, 700, NR_INDICES - 1);
	assert_int_equal(virq_of(1), 0);
}

static void index_outside_or_taken_is_refused(void **state)
{
	struct ontb_msi_map map = { 77, 78 };

	(void)state;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, NR_INDICES, NULL, NULL, &map), -ERANGE);
	assert_int_equal(ontb_msi_alloc_at(dev, 0, 0, NULL, NULL, &map), -ERANGE);
	assert_int_equal(ontb_msi_alloc_at(dev, ONTB_MSI_NR_SLOTS, 0, NULL, NULL, &map), -ERANGE);
	assert_int_equal(map.index, 77);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 3, NULL, NULL, &map), 0);
	map.index = 77;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 3, NULL, NULL, &map), -EBUSY);
	assert_int_equal(map.index, 77);
	ASSERT_INDICES(3);
	assert_int_equal(ontb_msi_virq(dev, ONTB_MSI_NR_SLOTS, 3), 0);
	assert_int_equal(ontb_msi_virq(dev, 0, 3), 0);
	assert_int_equal(virq_of(ONTB_MSI_ANY_INDEX), 0);
}

static void any_is_the_lowest_index_that_is_free(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 3, NULL), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 4, NULL, NULL, &map), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(map.index, 3);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(map.index, 5);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 1, 1), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(map.index, 1);
}

static void any_ends_with_the_last_index(void **state)
{
	struct ontb_msi_map map = { 77, 0 };

	(void)state;
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), -ENOSPC);
	assert_int_equal(map.index, 77);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 7, 1), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(map.index, 7);
}

static void widest_domain_has_indices_up_to_65535(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_MAX_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, ONTB_MSI_MAX_INDEX - 1, 2, NULL), -EBUSY);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, ONTB_MSI_MAX_INDEX - 1, 3, NULL), -ERANGE);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_MAX_INDEX + 1, NULL, NULL, &map), -ERANGE);
	ASSERT_INDICES(ONTB_MSI_MAX_INDEX);
	request(virq_of(ONTB_MSI_MAX_INDEX));
	assert_int_equal(msi_rig_fire(&rig, &table.msgs[ONTB_MSI_MAX_INDEX]), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig.sys, virq_of(ONTB_MSI_MAX_INDEX), &nr_handled), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, ONTB_MSI_MAX_INDEX, UINT32_MAX), 0);
	assert_int_equal(msi_rig_used(&rig, NULL), 0);
}

/* In the time of a test only if no step looks at all that are there. */
static void widest_domain_is_filled_and_emptied_one_by_one(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 32768, NULL), 0);
	for (unsigned int i = 32768; i <= ONTB_MSI_MAX_INDEX; i++) {
		assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
		assert_int_equal(map.index, i);
	}
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), -ENOSPC);
	for (unsigned int i = 0; i <= ONTB_MSI_MAX_INDEX; i += 2)
		assert_int_equal(ontb_msi_free_range(dev, SLOT, i, 1), 0);
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 32768);
	assert_int_equal(msi_rig_used(&rig, NULL), 32768);
	/* The others go with the device. */
}

static void affinity_and_cookie_come_with_the_allocation(void **state)
{
	struct ontb_cpumask cpu3 = ontb_cpumask_of(3);
	const struct ontb_irq_data *data;
	struct ontb_msi_map map;
	struct ontb_irq_status status;

	(void)state;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 9, &cpu3, &nr_handled, &map), 0);
	data = ontb_irq_data_of(ontb_msi_domain(dev, SLOT), map.virq);
	assert_ptr_equal(ontb_msi_cookie(data), &nr_handled);
	assert_ptr_equal(ontb_msi_dev_of(data), dev);
	assert_int_equal(data->hwirq, 9);
	assert_int_equal(ontb_irq_activate(rig.sys, map.virq), 0);
	assert_int_equal(ontb_irq_status(rig.sys, map.virq, &status), 0);
	assert_int_equal(status.effective, 3);
}

/* Ranges and all */

static void range_is_allocated_whole_or_not_at_all(void **state)
{
	struct ontb_msi_map map;
	unsigned int nr_done = 99;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 10, 4, &nr_done), 0);
	assert_int_equal(nr_done, 4);
	ASSERT_INDICES(10, 11, 12, 13);
	/* One in the middle is taken: what went before is undone, what was there stays. */
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 7, 5, &nr_done), -EBUSY);
	assert_int_equal(nr_done, 3);
	ASSERT_INDICES(10, 11, 12, 13);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 13, 2, &nr_done), -EBUSY);
	assert_int_equal(nr_done, 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 14, 0, &nr_done), 0);
	assert_int_equal(nr_done, 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, NR_INDICES, 0, &nr_done), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, NR_INDICES, 1, &nr_done), -ERANGE);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, NR_INDICES - 1, 2, &nr_done), -ERANGE);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 1, UINT32_MAX, &nr_done), -ERANGE);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, UINT32_MAX, 2, &nr_done), -ERANGE);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 14, 2, NULL), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 8, NULL, NULL, &map), 0);
	ASSERT_INDICES(8, 10, 11, 12, 13, 14, 15);
}

static void parent_that_runs_out_says_how_far_it_came_and_all_is_undone(void **state)
{
	unsigned int nr_done, virq;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 100, 2, NULL), 0);
	virq = virq_of(101);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, NR_IDS, &nr_done), -ENOSPC);
	assert_int_equal(nr_done, NR_IDS - 2);
	ASSERT_INDICES(100, 101);
	assert_int_equal(virq_of(101), virq);
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), -ENOSPC);
	ASSERT_INDICES(100, 101);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, NR_IDS - 2, &nr_done), 0);
	assert_int_equal(nr_done, NR_IDS - 2);
}

static void all_fills_what_is_not_allocated_yet(void **state)
{
	struct ontb_msi_map map;
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 3, NULL, NULL, &map), 0);
	virq = map.virq;
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), 0);
	ASSERT_INDICES(0, 1, 2, 3, 4, 5, 6, 7);
	assert_int_equal(virq_of(3), virq);
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), 0);
	ASSERT_INDICES(0, 1, 2, 3, 4, 5, 6, 7);
}

static void one_by_one_a_range_and_all_give_the_same(void **state)
{
	struct ontb_msi_entry want[8], got[8];
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), 0);
	assert_int_equal(ontb_msi_list(dev, want, 8), 8);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	for (unsigned int way = 0; way < 3; way++) {
		for (unsigned int i = 0; i < 8 && way < 2; i++)
			assert_int_equal(ontb_msi_alloc_at(dev, SLOT, way ? i : ONTB_MSI_ANY_INDEX, NULL, NULL, &map),
					 0);
		if (way == 2)
			assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 8, NULL), 0);
		assert_int_equal(ontb_msi_list(dev, got, 8), 8);
		for (unsigned int i = 0; i < 8; i++) {
			assert_int_equal(got[i].index, want[i].index);
			assert_int_equal(got[i].virq, want[i].virq);
		}
		assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	}
}

/* Freeing */

static void range_that_is_freed_is_clipped_and_may_have_holes(void **state)
{
	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 4, NULL), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 8, 4, NULL), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, NR_INDICES - 2, 2, NULL), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 4, 4), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 0), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, NR_INDICES, 1), 0);
	ASSERT_INDICES(0, 1, 2, 3, 8, 9, 10, 11, NR_INDICES - 2, NR_INDICES - 1);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 2, 8), 0);
	ASSERT_INDICES(0, 1, 10, 11, NR_INDICES - 2, NR_INDICES - 1);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, NR_INDICES - 1, UINT32_MAX), 0);
	ASSERT_INDICES(0, 1, 10, 11, NR_INDICES - 2);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	assert_int_equal(ontb_msi_free_range(dev, 0, 0, 1), -ERANGE);
	assert_int_equal(ontb_msi_free_all(dev, ONTB_MSI_NR_SLOTS), -ERANGE);
}

static void range_with_a_handler_in_it_is_not_touched(void **state)
{
	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 4, NULL), 0);
	request(virq_of(3));
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 4), -EBUSY);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), -EBUSY);
	assert_int_equal(lines.nr, 2);
	assert_non_null(strstr(lines.last, "RIG-NTB-00:02.0: index 3: "));
	ASSERT_INDICES(0, 1, 2, 3);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 3), 0);
	ASSERT_INDICES(3);
	assert_int_equal(msi_rig_fire(&rig, &table.msgs[3]), 0);
	assert_int_equal(nr_handled, 1);
	assert_int_equal(ontb_irq_free(rig.sys, virq_of(3), &nr_handled), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
}

static void chained_interrupt_counts_as_one_with_a_handler(void **state)
{
	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 2, NULL), 0);
	assert_int_equal(ontb_irq_set_chained(rig.sys, virq_of(1), handle, &nr_handled), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), -EBUSY);
	ASSERT_INDICES(0, 1);
	assert_int_equal(ontb_irq_set_chained(rig.sys, virq_of(1), NULL, NULL), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
}

static void interrupt_that_was_freed_has_no_message_and_no_number(void **state)
{
	struct ontb_msi_msg old;
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 2, NULL), 0);
	virq = virq_of(1);
	assert_int_equal(ontb_irq_activate(rig.sys, virq), 0);
	old = table.msgs[1];
	assert_int_equal(old.addr, RIG_ADDR);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 1, 1), 0);
	assert_int_equal(table.msgs[1].addr, 0);
	assert_int_equal(virq_of(1), 0);
	assert_int_equal(ontb_irq_activate(rig.sys, virq), -ENOENT);
	assert_int_equal(ontb_irq_find(ontb_msi_domain(dev, SLOT), 1), 0);
	assert_int_equal(msi_rig_fire(&rig, &old), -ENOENT);
	assert_int_equal(ontb_irq_spurious(rig.sys), 1);
}

static void confirm(unsigned int virq)
{
	ontb_irq_move_complete(ontb_irq_data_of(ontb_msi_domain(dev, SLOT), virq));
}

static void interrupt_whose_message_may_be_held_keeps_number_and_index(void **state)
{
	struct ontb_msi_map map;
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 5, NULL), 0);
	virq = virq_of(2);
	request(virq);
	table.is_held = true;
	assert_int_equal(ontb_irq_free(rig.sys, virq, &nr_handled), 0);
	/* The others go; this one is quarantined, and its index with it. */
	assert_int_equal(ontb_msi_free_all(dev, SLOT), -EBUSY);
	ASSERT_INDICES(2);
	assert_int_equal(virq_of(2), virq);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 2, NULL, NULL, &map), -EBUSY);
	assert_int_equal(ontb_msi_domain_free(dev, SLOT), -EBUSY);
	assert_int_equal(ontb_irq_move_wait(rig.sys, virq, 0), -ETIMEDOUT);
	confirm(virq);
	assert_int_equal(ontb_irq_move_wait(rig.sys, virq, 0), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	assert_int_equal(msi_rig_used(&rig, NULL), 0);
	/* One that is active is withdrawn by the first try. */
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 7, NULL, NULL, &map), 0);
	assert_int_equal(ontb_irq_activate(rig.sys, map.virq), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 7, 1), -EBUSY);
	assert_int_equal(table.msgs[7].addr, 0);
	confirm(map.virq);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 7, 1), 0);
}

static void group_of_which_one_message_may_be_held_stays_together(void **state)
{
	(void)state;
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 4), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 4, 4, NULL), 0);
	assert_int_equal(ontb_irq_activate(rig.sys, virq_of(1)), 0);
	assert_int_equal(ontb_irq_activate(rig.sys, virq_of(6)), 0);
	table.is_held = true;
	assert_int_equal(ontb_msi_free_all(dev, SLOT), -EBUSY);
	ASSERT_INDICES(0, 1, 2, 3, 6);
	confirm(virq_of(1));
	assert_int_equal(ontb_msi_free_all(dev, SLOT), -EBUSY);
	ASSERT_INDICES(6);
	confirm(virq_of(6));
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
}

/* Groups */

static void group_is_consecutive_and_goes_only_together(void **state)
{
	(void)state;
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 8), 0);
	ASSERT_INDICES(0, 1, 2, 3, 4, 5, 6, 7);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(virq_of(i), virq_of(0) + i);
		assert_int_equal(ontb_irq_activate(rig.sys, virq_of(i)), 0);
		assert_int_equal(table.msgs[i].addr, table.msgs[0].addr);
		assert_int_equal(table.msgs[i].data, table.msgs[0].data + i);
	}
	assert_int_equal(table.msgs[0].data & 7, 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 8, 2, NULL), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 7), -EBUSY);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 1, 7), -EBUSY);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 7, 2), -EBUSY);
	assert_int_equal(lines.nr, 3);
	assert_non_null(strstr(lines.last, "0 to 7 go together"));
	ASSERT_INDICES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 8, 1), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 8), 0);
	ASSERT_INDICES(9);
	/* Once it is gone there is nothing that could be torn. */
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 8, NULL), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 1), 0);
}

static void group_needs_a_power_of_two_a_place_and_the_feature(void **state)
{
	struct ontb_msi_template t = msi_rig_template("PCI-MSIX-", ONTB_BUS_PCI_MSIX, 8, &table);
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 0), -EINVAL);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 3), -EINVAL);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 64), -ERANGE);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, 0, 1), -ERANGE);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 3, NULL, NULL, &map), 0);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 4), -EBUSY);
	ASSERT_INDICES(3);
	/* The parent has 31 left: no place for 32, and after it nothing of it is left. */
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), 0);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, 0, 1), -EOPNOTSUPP);
	assert_int_equal(ontb_msi_alloc_at(dev, 0, 0, NULL, NULL, &map), 0);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 32), -ENOSPC);
	assert_int_equal(virq_of(0), 0);
	assert_int_equal(ontb_msi_free_all(dev, 0), 0);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 32), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 1), 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 0, 1), 0);
}

static void group_with_a_handler_is_left_when_its_device_goes(void **state)
{
	unsigned int virq;

	(void)state;
	assert_int_equal(ontb_msi_alloc_contiguous(dev, SLOT, 4), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 4, 4, NULL), 0);
	virq = virq_of(2);
	request(virq);
	ontb_msi_dev_free(dev);
	ASSERT_INDICES(0, 1, 2, 3);
	assert_int_equal(ontb_irq_free(rig.sys, virq, &nr_handled), 0);
}

/* Descriptors of the caller */

static int insert(unsigned int index)
{
	int ret;

	ontb_msi_lock(dev);
	ret = ontb_msi_insert_locked(dev, SLOT, index, &table);
	ontb_msi_unlock(dev);
	return ret;
}

static int take_out(unsigned int index)
{
	int ret;

	ontb_msi_lock(dev);
	ret = ontb_msi_remove_locked(dev, SLOT, index);
	ontb_msi_unlock(dev);
	return ret;
}

static void simple_domain_needs_no_descriptor_code(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 3, NULL), 0);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	ontb_msi_lock(dev);
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 0, &map));
	ontb_msi_unlock(dev);
	/* A caller that makes one all the same has it used, and freed with its number. */
	assert_int_equal(insert(2), 0);
	assert_int_equal(insert(2), -EBUSY);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 4, NULL), 0);
	assert_ptr_equal(ontb_msi_cookie(ontb_irq_data_of(ontb_msi_domain(dev, SLOT), virq_of(2))), &table);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	ontb_msi_lock(dev);
	assert_false(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 0, &map));
	ontb_msi_unlock(dev);
}

static void failed_range_leaves_descriptors_of_the_caller_as_they_were(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(insert(2), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 4, NULL, NULL, &map), 0);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 0, 5, NULL), -EBUSY);
	ASSERT_INDICES(4);
	ontb_msi_lock(dev);
	assert_true(ontb_msi_next_locked(dev, SLOT, ONTB_MSI_ALL, 0, &map));
	assert_int_equal(map.index, 2);
	assert_int_equal(map.virq, 0);
	ontb_msi_unlock(dev);
}

static void manual_domain_leaves_descriptors_to_the_caller(void **state)
{
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 3, NULL, NULL, &map), -ENOENT);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), -ENOSPC);
	assert_int_equal(insert(3), 0);
	assert_int_equal(insert(700), 0);
	assert_int_equal(insert(NR_INDICES), -ERANGE);
	assert_int_equal(ontb_msi_alloc_range(dev, SLOT, 3, 2, NULL), -ENOENT);
	assert_int_equal(virq_of(3), 0);
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), 0);
	ASSERT_INDICES(3, 700);
	assert_int_equal(take_out(3), -EBUSY);
	assert_int_equal(take_out(4), -ENOENT);
	assert_int_equal(take_out(NR_INDICES), -ERANGE);
	assert_int_equal(ontb_msi_free_all(dev, SLOT), 0);
	assert_int_equal(msi_rig_used(&rig, NULL), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
	assert_int_equal(map.index, 3);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 3, 1), 0);
	assert_int_equal(take_out(3), 0);
	assert_int_equal(take_out(3), -ENOENT);
	assert_int_equal(ontb_msi_alloc_at(dev, SLOT, 3, NULL, NULL, &map), -ENOENT);
	/* 700 is left: the domain takes it along. */
}

/* After a reset, and the listing */

static void rewrite_writes_every_message_again(void **state)
{
	struct ontb_msi_msg before[8];

	(void)state;
	assert_int_equal(ontb_msi_alloc_all(dev, SLOT), 0);
	for (unsigned int i = 1; i < 8; i++)
		assert_int_equal(ontb_irq_activate(rig.sys, virq_of(i)), 0);
	assert_int_equal(ontb_irq_deactivate(rig.sys, virq_of(5)), 0);
	memcpy(before, table.msgs, sizeof(before));
	memset(table.msgs, 0, sizeof(before));
	table.nr_writes = 0;
	ontb_msi_rewrite_all(dev, SLOT);
	/* All that are active, and no other. */
	assert_int_equal(table.nr_writes, 6);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(table.msgs[i].addr, before[i].addr);
		assert_int_equal(table.msgs[i].data, before[i].data);
	}
	assert_int_equal(table.msgs[0].addr, 0);
	assert_int_equal(table.msgs[5].addr, 0);
	ontb_msi_rewrite_all(dev, 0);
}

static void listing_follows_every_allocation(void **state)
{
	struct ontb_msi_template t = msi_rig_template("PCI-MSIX-", ONTB_BUS_PCI_MSIX, 4, &table);
	struct ontb_msi_entry entries[8];
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_msi_list(dev, entries, 8), 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(ontb_msi_alloc_at(dev, SLOT, ONTB_MSI_ANY_INDEX, NULL, NULL, &map), 0);
		assert_int_equal(ontb_msi_list(dev, entries, 8), i + 1);
		assert_int_equal(entries[i].virq, map.virq);
	}
	assert_int_equal(ontb_msi_domain_new(dev, 0, &t), 0);
	assert_int_equal(ontb_msi_alloc_at(dev, 0, 3, NULL, NULL, &map), 0);
	/* By slot and index; what does not fit is counted. */
	memset(entries, 0, sizeof(entries));
	assert_int_equal(ontb_msi_list(dev, entries, 2), 5);
	assert_int_equal(entries[0].slot, 0);
	assert_int_equal(entries[0].index, 3);
	assert_string_equal(entries[0].domain, "RIG-PCI-MSIX-00:02.0");
	assert_int_equal(entries[1].slot, SLOT);
	assert_int_equal(entries[1].index, 0);
	assert_int_equal(entries[2].virq, 0);
	assert_int_equal(ontb_msi_free_range(dev, SLOT, 1, 2), 0);
	assert_int_equal(ontb_msi_list(dev, entries, 8), 3);
	assert_int_equal(entries[2].index, 3);
	assert_int_equal(ontb_msi_domain_free(dev, 0), 0);
	assert_int_equal(ontb_msi_list(dev, NULL, 0), 2);
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(indices_may_be_sparse, setup),
		TEST(index_outside_or_taken_is_refused, setup),
		TEST(any_is_the_lowest_index_that_is_free, setup),
		TEST(any_ends_with_the_last_index, setup_small),
		TEST(widest_domain_has_indices_up_to_65535, setup_widest),
		TEST(widest_domain_is_filled_and_emptied_one_by_one, setup_full),
		TEST(affinity_and_cookie_come_with_the_allocation, setup),
		TEST(range_is_allocated_whole_or_not_at_all, setup),
		TEST(parent_that_runs_out_says_how_far_it_came_and_all_is_undone, setup),
		TEST(all_fills_what_is_not_allocated_yet, setup_small),
		TEST(one_by_one_a_range_and_all_give_the_same, setup_small),
		TEST(range_that_is_freed_is_clipped_and_may_have_holes, setup),
		TEST(range_with_a_handler_in_it_is_not_touched, setup),
		TEST(chained_interrupt_counts_as_one_with_a_handler, setup),
		TEST(interrupt_that_was_freed_has_no_message_and_no_number, setup),
		TEST(interrupt_whose_message_may_be_held_keeps_number_and_index, setup),
		TEST(group_of_which_one_message_may_be_held_stays_together, setup_contiguous),
		TEST(group_is_consecutive_and_goes_only_together, setup_contiguous),
		TEST(group_needs_a_power_of_two_a_place_and_the_feature, setup_contiguous),
		TEST(group_with_a_handler_is_left_when_its_device_goes, setup_contiguous),
		TEST(simple_domain_needs_no_descriptor_code, setup),
		TEST(failed_range_leaves_descriptors_of_the_caller_as_they_were, setup),
		TEST(manual_domain_leaves_descriptors_to_the_caller, setup_manual),
		TEST(rewrite_writes_every_message_again, setup_small),
		TEST(listing_follows_every_allocation, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
