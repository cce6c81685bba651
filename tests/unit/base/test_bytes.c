// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Arithmetic that cannot overflow, and powers of two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"

static void ranges_fit_up_to_the_end_and_not_beyond(void **state)
{
	(void)state;
	assert_true(ontb_range_fits(0, 8, 8));
	assert_true(ontb_range_fits(7, 1, 8));
	assert_true(ontb_range_fits(8, 0, 8));
	assert_true(ontb_range_fits(0, UINT64_MAX, UINT64_MAX));
	assert_false(ontb_range_fits(8, 1, 8));
	assert_false(ontb_range_fits(9, 0, 8));
	assert_false(ontb_range_fits(4, UINT64_MAX - 2, 8));
	assert_false(ontb_range_fits(UINT64_MAX, 2, UINT64_MAX));
}

static void ranges_overlap_that_share_an_address(void **state)
{
	(void)state;
	assert_true(ontb_ranges_overlap(0, 8, 7, 1));
	assert_true(ontb_ranges_overlap(7, 1, 0, 8));
	assert_true(ontb_ranges_overlap(UINT64_MAX, 1, UINT64_MAX - 7, 8));
	assert_false(ontb_ranges_overlap(0, 8, 8, 1));
	assert_false(ontb_ranges_overlap(8, 1, 0, 8));
	assert_false(ontb_ranges_overlap(0, 8, 4, 0));
	assert_false(ontb_ranges_overlap(4, 0, 0, 8));
	assert_false(ontb_ranges_overlap(0, 8, UINT64_MAX, 1));
}

static void every_power_of_two_is_its_own_power(void **state)
{
	(void)state;
	assert_false(ontb_is_power_of_two(0));
	for (unsigned int bit = 0; bit < 64; bit++) {
		assert_true(ontb_is_power_of_two(1ULL << bit));
		assert_int_equal(ontb_log2(1ULL << bit), bit);
		assert_true(ontb_round_up_to_power(1ULL << bit) == 1ULL << bit);
	}
}

static void what_lies_between_two_powers_is_rounded_up(void **state)
{
	(void)state;
	for (unsigned int bit = 2; bit < 64; bit++) {
		uint64_t first = (1ULL << (bit - 1)) + 1, last = (1ULL << bit) - 1;

		assert_false(ontb_is_power_of_two(first));
		assert_false(ontb_is_power_of_two(last));
		assert_int_equal(ontb_log2(first), bit - 1);
		assert_int_equal(ontb_log2(last), bit - 1);
		assert_true(ontb_round_up_to_power(first) == 1ULL << bit);
		assert_true(ontb_round_up_to_power(last) == 1ULL << bit);
	}
	assert_true(ontb_round_up_to_power(0) == 1);
	assert_true(ontb_round_up_to_power((1ULL << 63) + 1) == 0);
	assert_true(ontb_round_up_to_power(UINT64_MAX) == 0);
	assert_int_equal(ontb_log2(UINT64_MAX), 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_fit_up_to_the_end_and_not_beyond),
		cmocka_unit_test(ranges_overlap_that_share_an_address),
		cmocka_unit_test(every_power_of_two_is_its_own_power),
		cmocka_unit_test(what_lies_between_two_powers_is_rounded_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
