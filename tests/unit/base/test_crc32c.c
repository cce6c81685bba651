// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CRC-32C: known checks, and both ways of computing it agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/random.h"

#define MAX_LEN 100U

/* RFC 3720, B.4 "CRC Examples", and the usual nine digits. */
static void known_checks_come_out(void **state)
{
	uint8_t zeros[32] = { 0 }, ones[32], ascending[32];

	(void)state;
	for (unsigned int i = 0; i < 32; i++) {
		ones[i] = 0xff;
		ascending[i] = (uint8_t)i;
	}
	assert_int_equal(ontb_crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(ontb_crc32c(0, ones, 32), 0x62a8ab43);
	assert_int_equal(ontb_crc32c(0, ascending, 32), 0x46dd794e);
	assert_int_equal(ontb_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(ontb_crc32c_portable(0, ascending, 32), 0x46dd794e);
	assert_int_equal(ontb_crc32c_portable(0, "123456789", 9), 0xe3069283);
}

static void nothing_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(ontb_crc32c(0x12345678, NULL, 0), 0x12345678);
	assert_int_equal(ontb_crc32c_portable(0x12345678, NULL, 0), 0x12345678);
}

static void both_ways_agree_at_every_length_and_alignment(void **state)
{
	uint8_t bytes[MAX_LEN + 8];
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)ontb_random_below(&random, 256);
	for (size_t len = 0; len <= MAX_LEN; len++) {
		for (size_t at = 0; at < 8; at++) {
			uint32_t crc = (uint32_t)ontb_random_below(&random, 1ULL << 32);

			assert_int_equal(ontb_crc32c(crc, bytes + at, len), ontb_crc32c_portable(crc, bytes + at, len));
		}
	}
}

static void a_check_can_be_made_in_pieces(void **state)
{
	static const char digits[] = "123456789";

	(void)state;
	for (size_t first = 0; first <= 9; first++)
		assert_int_equal(ontb_crc32c(ontb_crc32c(0, digits, first), &digits[first], 9 - first), 0xe3069283);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_checks_come_out),
		cmocka_unit_test(nothing_changes_nothing),
		cmocka_unit_test(both_ways_agree_at_every_length_and_alignment),
		cmocka_unit_test(a_check_can_be_made_in_pieces),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
