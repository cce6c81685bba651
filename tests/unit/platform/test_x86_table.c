// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The remapping table on paper: blocks of entries, entries, and messages, with values worked out from the specification.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "platform/x86/blocks.h"
#include "platform/x86/irte.h"

static void blocks_are_aligned_and_do_not_overlap(void **state)
{
	static const unsigned int sizes[] = { 1, 64, 2, 4096, 32, 128, 1, 16, 8192, 4 };
	struct ontb_blocks *blocks = calloc(1, sizeof(*blocks));
	char *owner = calloc(ONTB_X86_MAX_ENTRIES, 1);
	unsigned int sum = 0;

	(void)state;
	assert_non_null(blocks);
	assert_non_null(owner);
	blocks->nr = ONTB_X86_MAX_ENTRIES;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(sizes); i++) {
		unsigned int first;

		assert_int_equal(ontb_blocks_take(blocks, sizes[i], &first), 0);
		assert_int_equal(first % sizes[i], 0);
		for (unsigned int k = first; k < first + sizes[i]; k++)
			assert_int_equal(owner[k]++, 0);
		sum += sizes[i];
	}
	assert_int_equal(blocks->nr_used, sum);
	free(owner);
	free(blocks);
}

static void table_can_be_filled_to_the_last_entry_and_emptied(void **state)
{
	static const unsigned int sizes[] = { 1, 8, 32, 64, 256 };
	struct ontb_blocks *blocks = calloc(1, sizeof(*blocks));
	unsigned int first;

	(void)state;
	assert_non_null(blocks);
	blocks->nr = 256;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(sizes); i++) {
		for (unsigned int k = 0; k < 256 / sizes[i]; k++) {
			assert_int_equal(ontb_blocks_take(blocks, sizes[i], &first), 0);
			assert_int_equal(first, k * sizes[i]);
		}
		first = 1234;
		assert_int_equal(ontb_blocks_take(blocks, 1, &first), -ENOSPC);
		assert_int_equal(first, 1234);
		/* One hole is found again, wherever it is. */
		ontb_blocks_give(blocks, sizes[i], 256 - sizes[i]);
		assert_int_equal(ontb_blocks_take(blocks, sizes[i], &first), 0);
		assert_int_equal(first, 256 - sizes[i]);
		for (unsigned int k = 0; k < 256 / sizes[i]; k++)
			ontb_blocks_give(blocks, sizes[i], k * sizes[i]);
		assert_int_equal(blocks->nr_used, 0);
	}
	assert_int_equal(ontb_blocks_take(blocks, 512, &first), -ENOSPC);
	free(blocks);
}

static void small_blocks_in_the_way_make_a_large_one_impossible(void **state)
{
	struct ontb_blocks *blocks = calloc(1, sizeof(*blocks));
	unsigned int first, small;

	(void)state;
	assert_non_null(blocks);
	blocks->nr = ONTB_X86_MAX_ENTRIES;
	assert_int_equal(ontb_blocks_take(blocks, 1, &small), 0);
	assert_int_equal(ontb_blocks_take(blocks, ONTB_X86_MAX_ENTRIES, &first), -ENOSPC);
	assert_int_equal(ontb_blocks_take(blocks, ONTB_X86_MAX_ENTRIES / 2, &first), 0);
	assert_int_equal(first, ONTB_X86_MAX_ENTRIES / 2);
	ontb_blocks_give(blocks, ONTB_X86_MAX_ENTRIES / 2, first);
	ontb_blocks_give(blocks, 1, small);
	assert_int_equal(ontb_blocks_take(blocks, ONTB_X86_MAX_ENTRIES, &first), 0);
	assert_int_equal(first, 0);
	free(blocks);
}

static void entry_has_its_target_where_the_unit_looks(void **state)
{
	(void)state;
	assert_int_equal(ontb_irte_low(0, 0x30, false), 0x0000000000300001ULL);
	assert_int_equal(ontb_irte_low(23, 0xf7, false), 0x0000170000f70001ULL);
	assert_int_equal(ontb_irte_low(255, 0x80, true), 0x000000ff00800001ULL);
}

static void message_names_an_entry_with_all_its_sixteen_bits(void **state)
{
	struct ontb_msi_msg msg = ontb_irte_message(0, false, 0);

	(void)state;
	assert_int_equal(msg.addr, 0xfee00010);
	assert_int_equal(msg.data, 0);
	assert_int_equal(ontb_irte_message(1, false, 0).addr, 0xfee00030);
	assert_int_equal(ontb_irte_message(0x7fff, false, 0).addr, 0xfeeffff0);
	assert_int_equal(ontb_irte_message(0x8000, false, 0).addr, 0xfee00014);
	assert_int_equal(ontb_irte_message(0xffff, false, 0).addr, 0xfeeffff4);
	msg = ontb_irte_message(0x20, true, 3);
	assert_int_equal(msg.addr, 0xfee00418);
	assert_int_equal(msg.data, 3);
}

static void single_requester_has_to_match_exactly(void **state)
{
	const uint16_t rid = ONTB_RID(3, 5, 6);

	(void)state;
	assert_int_equal(ontb_irte_high(&rid, 1), 0x40000 | rid);
}

static void functions_of_a_device_share_an_entry(void **state)
{
	static const struct {
		unsigned int functions[3];
		uint64_t sq;
	} cases[] = {
		{ { 1, 1, 1 }, 0 }, { { 0, 4, 0 }, 1 }, { { 1, 5, 5 }, 1 }, { { 0, 2, 0 }, 2 }, { { 0, 2, 4 }, 2 },
		{ { 0, 6, 0 }, 2 }, { { 0, 1, 0 }, 3 }, { { 0, 1, 7 }, 3 }, { { 2, 5, 2 }, 3 },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		const uint16_t rids[] = { ONTB_RID(1, 2, cases[i].functions[0]), ONTB_RID(1, 2, cases[i].functions[1]),
					  ONTB_RID(1, 2, cases[i].functions[2]) };

		assert_int_equal(ontb_irte_high(rids, 3), 0x40000 | cases[i].sq << 16 | rids[0]);
	}
}

static void requesters_of_several_devices_share_their_buses(void **state)
{
	const uint16_t same_bus[] = { ONTB_RID(4, 1, 0), ONTB_RID(4, 2, 0) };
	const uint16_t buses[] = { ONTB_RID(9, 0, 0), ONTB_RID(7, 0, 0), ONTB_RID(0x11, 3, 1) };

	(void)state;
	assert_int_equal(ontb_irte_high(same_bus, 2), 0x80404);
	assert_int_equal(ontb_irte_high(buses, 3), 0x80711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_aligned_and_do_not_overlap),
		cmocka_unit_test(table_can_be_filled_to_the_last_entry_and_emptied),
		cmocka_unit_test(small_blocks_in_the_way_make_a_large_one_impossible),
		cmocka_unit_test(entry_has_its_target_where_the_unit_looks),
		cmocka_unit_test(message_names_an_entry_with_all_its_sixteen_bits),
		cmocka_unit_test(single_requester_has_to_match_exactly),
		cmocka_unit_test(functions_of_a_device_share_an_entry),
		cmocka_unit_test(requesters_of_several_devices_share_their_buses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
