// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Bytes of the grant protocol.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "ntb/irq/message.h"

static const struct ontb_grant_msg good[] = {
	{ .type = ONTB_GRANT_HELLO, .from = 1, .to = 2, .gen = 1 },
	{ .type = ONTB_GRANT_HELLO, .from = 1, .to = 2, .gen = ONTB_GRANT_MAX_IRQS },
	{ .type = ONTB_GRANT_GRANT, .index = 65535, .from = UINT32_MAX, .to = 2, .gen = 7, .offset = 0, .data = 0 },
	{ .type = ONTB_GRANT_GRANT, .from = 1, .to = 2, .gen = 0, .offset = 0xfffffffffffffffc, .data = UINT32_MAX },
	{ .type = ONTB_GRANT_GRANT_ACK, .index = 5, .from = 1, .to = 2, .gen = UINT32_MAX },
	{ .type = ONTB_GRANT_REVOKE, .index = 5, .from = 1, .to = 2, .gen = 3 },
	{ .type = ONTB_GRANT_REVOKE_ACK, .index = 5, .from = 1, .to = 2, .gen = 3 },
};

static void what_is_encoded_is_decoded(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(good); i++) {
		struct ontb_grant_msg msg;
		uint8_t buf[ONTB_GRANT_MSG_SIZE];

		ontb_grant_encode(&good[i], buf);
		assert_int_equal(ontb_grant_decode(buf, &msg), 0);
		assert_int_equal(msg.type, good[i].type);
		assert_int_equal(msg.index, good[i].index);
		assert_int_equal(msg.from, good[i].from);
		assert_int_equal(msg.to, good[i].to);
		assert_int_equal(msg.gen, good[i].gen);
		assert_true(msg.offset == good[i].offset);
		assert_int_equal(msg.data, good[i].data);
	}
}

static void layout_is_what_the_page_says(void **state)
{
	static const uint8_t expected[] = {
		2,    1,    0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 4, 3, 2, 1, 0x44, 0x33, 0x22, 0x11,
		0xf8, 0xe7, 0xd6, 0xc5, 0xb4, 0xa3, 0x92, 0x81, 1, 2, 3, 4, 0,	  0,	0,    0,
	};
	const struct ontb_grant_msg msg = { .type = ONTB_GRANT_GRANT,
					    .index = 0x1234,
					    .from = 0x12345678,
					    .to = 0x01020304,
					    .gen = 0x11223344,
					    .offset = 0x8192a3b4c5d6e7f8,
					    .data = 0x04030201 };
	uint8_t buf[ONTB_GRANT_MSG_SIZE];

	(void)state;
	ontb_grant_encode(&msg, buf);
	assert_memory_equal(buf, expected, sizeof(buf));
}

static void what_a_type_does_not_allow_is_refused(void **state)
{
	static const struct ontb_grant_msg bad[] = {
		{ .type = 0 },
		{ .type = ONTB_GRANT_REVOKE_ACK + 1 },
		{ .type = 255 },
		{ .type = ONTB_GRANT_HELLO, .gen = 0 },
		{ .type = ONTB_GRANT_HELLO, .gen = ONTB_GRANT_MAX_IRQS + 1 },
		{ .type = ONTB_GRANT_HELLO, .gen = 1, .index = 1 },
		{ .type = ONTB_GRANT_HELLO, .gen = 1, .offset = 4 },
		{ .type = ONTB_GRANT_GRANT, .offset = 1 },
		{ .type = ONTB_GRANT_GRANT, .offset = 2 },
		{ .type = ONTB_GRANT_GRANT_ACK, .offset = 4 },
		{ .type = ONTB_GRANT_GRANT_ACK, .data = 1 },
		{ .type = ONTB_GRANT_REVOKE, .offset = 4 },
		{ .type = ONTB_GRANT_REVOKE_ACK, .data = 1 },
	};
	struct ontb_grant_msg msg, before;

	(void)state;
	memset(&msg, 0x5a, sizeof(msg));
	before = msg;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		uint8_t buf[ONTB_GRANT_MSG_SIZE];

		ontb_grant_encode(&bad[i], buf);
		assert_int_equal(ontb_grant_decode(buf, &msg), -EPROTO);
		assert_memory_equal(&msg, &before, sizeof(msg));
	}
}

static void another_version_is_not_supported(void **state)
{
	struct ontb_grant_msg msg;
	uint8_t buf[ONTB_GRANT_MSG_SIZE];

	(void)state;
	ontb_grant_encode(&good[0], buf);
	buf[1] = ONTB_GRANT_VERSION + 1;
	assert_int_equal(ontb_grant_decode(buf, &msg), -EOPNOTSUPP);
	buf[1] = 0;
	assert_int_equal(ontb_grant_decode(buf, &msg), -EOPNOTSUPP);
}

static void a_seal_breaks_with_every_bit_and_in_every_other_place(void **state)
{
	uint8_t buf[ONTB_GRANT_MSG_SIZE];

	(void)state;
	ontb_grant_encode(&good[3], buf);
	ontb_grant_seal(buf, 77, 5);
	assert_true(ontb_grant_is_sealed(buf, 77, 5));
	assert_false(ontb_grant_is_sealed(buf, 77, 4));
	assert_false(ontb_grant_is_sealed(buf, 77, 69));
	assert_false(ontb_grant_is_sealed(buf, 76, 5));
	for (unsigned int bit = 0; bit < 8 * sizeof(buf); bit++) {
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(ontb_grant_is_sealed(buf, 77, 5));
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	memset(buf, 0, sizeof(buf));
	assert_false(ontb_grant_is_sealed(buf, 0, 0));
	memset(buf, 0xff, sizeof(buf));
	assert_false(ontb_grant_is_sealed(buf, 0, 0));
}

/* A mixture of two messages at any byte is neither. */
static void a_torn_message_is_not_sealed(void **state)
{
	uint8_t a[ONTB_GRANT_MSG_SIZE], b[ONTB_GRANT_MSG_SIZE], torn[ONTB_GRANT_MSG_SIZE];
	struct ontb_grant_msg msg = good[2];

	(void)state;
	ontb_grant_encode(&msg, a);
	ontb_grant_seal(a, 1, 0);
	msg.offset = 0x1000;
	msg.data = 0x4041;
	msg.gen++;
	ontb_grant_encode(&msg, b);
	ontb_grant_seal(b, 1, 64);
	for (unsigned int at = 16; at < sizeof(torn); at++) {
		memcpy(torn, b, at);
		memcpy(torn + at, a + at, sizeof(torn) - at);
		assert_false(ontb_grant_is_sealed(torn, 1, 64));
		assert_false(ontb_grant_is_sealed(torn, 1, 0));
	}
}

static void generations_wrap(void **state)
{
	(void)state;
	assert_true(ontb_grant_is_newer(1, 0));
	assert_false(ontb_grant_is_newer(0, 0));
	assert_false(ontb_grant_is_newer(0, 1));
	assert_true(ontb_grant_is_newer(0, UINT32_MAX));
	assert_true(ontb_grant_is_newer(0x7fffffff, 0));
	assert_false(ontb_grant_is_newer(0x80000001, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(layout_is_what_the_page_says),
		cmocka_unit_test(what_a_type_does_not_allow_is_refused),
		cmocka_unit_test(another_version_is_not_supported),
		cmocka_unit_test(a_seal_breaks_with_every_bit_and_in_every_other_place),
		cmocka_unit_test(a_torn_message_is_not_sealed),
		cmocka_unit_test(generations_wrap),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
