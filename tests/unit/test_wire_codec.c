// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The messages as bytes. The wrong ones are the business of tests/wire; here are the limits of the right ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "vfio_user/version.h"
#include "vfio_user/wire.h"

static const char *why;

static void header_survives_a_round_trip(void **state)
{
	const struct ontb_wire_hdr hdr = { .id = 0x1234, .cmd = 9, .size = 0x89abcdef, .flags = 0x31, .error = 7 };
	static const uint8_t bytes[] = { 0x34, 0x12, 9, 0, 0xef, 0xcd, 0xab, 0x89, 0x31, 0, 0, 0, 7, 0, 0, 0 };
	struct ontb_wire_hdr back;
	uint8_t buf[ONTB_WIRE_HDR_SIZE];

	(void)state;
	ontb_wire_hdr_put(buf, &hdr);
	assert_memory_equal(buf, bytes, sizeof(bytes));
	ontb_wire_hdr_get(buf, &back);
	assert_memory_equal(&back, &hdr, sizeof(hdr));
}

static void frame_limits(void **state)
{
	struct ontb_wire_hdr hdr = { .size = 16 };

	(void)state;
	assert_true(ontb_wire_frame_is_ok(&hdr, 16));
	hdr.size = 15;
	assert_false(ontb_wire_frame_is_ok(&hdr, 16));
	hdr.size = 17;
	assert_false(ontb_wire_frame_is_ok(&hdr, 16));
	assert_true(ontb_wire_frame_is_ok(&hdr, 17));
	hdr.flags = ONTB_WIRE_F_REPLY | ONTB_WIRE_F_ERROR;
	assert_true(ontb_wire_frame_is_ok(&hdr, 17));
	hdr.flags = 2;
	assert_false(ontb_wire_frame_is_ok(&hdr, 17));
}

static void map_up_to_the_last_address(void **state)
{
	struct ontb_wire_dma_map map;
	uint8_t body[32] = { 32 };

	(void)state;
	ontb_put_le32(body + 4, ONTB_WIRE_MAP_F_WRITE | ONTB_WIRE_MAP_F_MMAP);
	ontb_put_le64(body + 8, UINT64_MAX);
	ontb_put_le64(body + 16, UINT64_MAX);
	ontb_put_le64(body + 24, 1);
	assert_int_equal(ontb_wire_get_dma_map(body, sizeof(body), &map, &why), 0);
	assert_true(map.addr == UINT64_MAX && map.size == 1 && map.offset == UINT64_MAX);
	ontb_put_le64(body + 24, 2);
	assert_int_equal(ontb_wire_get_dma_map(body, sizeof(body), &map, &why), -EINVAL);
	ontb_put_le64(body + 8, 0);
	ontb_put_le64(body + 16, 0);
	ontb_put_le64(body + 24, UINT64_MAX);
	assert_int_equal(ontb_wire_get_dma_map(body, sizeof(body), &map, &why), 0);
}

static void unmap_of_all_needs_zeroes(void **state)
{
	struct ontb_wire_dma_unmap unmap;
	uint8_t body[24] = { 24, 0, 0, 0, ONTB_WIRE_UNMAP_F_ALL };

	(void)state;
	assert_int_equal(ontb_wire_get_dma_unmap(body, sizeof(body), &unmap, &why), 0);
	assert_true(!unmap.addr && !unmap.size);
	body[16] = 1;
	assert_int_equal(ontb_wire_get_dma_unmap(body, sizeof(body), &unmap, &why), -EINVAL);
}

static void bools_of_an_irq_set_are_in_the_body(void **state)
{
	struct ontb_wire_irq_set set;
	uint8_t body[23] = { 23, 0, 0, 0, ONTB_WIRE_IRQ_DATA_BOOL | ONTB_WIRE_IRQ_MASK, 0, 0, 0, 2, 0, 0, 0, 5,
			     0,	 0, 0, 3 };

	(void)state;
	assert_int_equal(ontb_wire_get_irq_set(body, sizeof(body), &set, &why), 0);
	assert_true(set.index == 2 && set.start == 5 && set.count == 3 && set.bools == body + 20);
	body[4] = ONTB_WIRE_IRQ_DATA_NONE | ONTB_WIRE_IRQ_MASK;
	assert_int_equal(ontb_wire_get_irq_set(body, 20, &set, &why), 0);
	assert_null(set.bools);
}

static void every_cut_of_a_write_is_refused(void **state)
{
	uint8_t body[24] = { [12] = 8 };
	struct ontb_wire_region_rw rw;

	(void)state;
	assert_int_equal(ontb_wire_get_region_rw(body, sizeof(body), true, &rw, &why), 0);
	assert_ptr_equal(rw.data, body + 16);
	for (size_t len = 0; len < sizeof(body); len++) {
		why = NULL;
		assert_int_equal(ontb_wire_get_region_rw(body, len, true, &rw, &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(ontb_wire_get_region_rw(body, 16, false, &rw, &why), 0);
	assert_null(rw.data);
}

static void several_writes(void **state)
{
	uint8_t body[8 + 2 * 24] = { 2 };
	struct ontb_wire_region_rw rw;
	uint64_t count;

	(void)state;
	body[8 + 12] = 8;
	body[32] = 0x10;
	body[32 + 8] = 7;
	body[32 + 12] = 1;
	body[32 + 16] = 0xaa;
	assert_int_equal(ontb_wire_get_multi(body, sizeof(body), &count, &why), 0);
	assert_true(count == 2);
	ontb_wire_multi_one(body, 1, &rw);
	assert_true(rw.offset == 0x10 && rw.region == 7 && rw.count == 1 && *rw.data == 0xaa);
	/* 24 times this number is 48 modulo 2^64. */
	ontb_put_le64(body, (UINT64_MAX / 24) + 3);
	assert_int_equal(ontb_wire_get_multi(body, sizeof(body), &count, &why), -EINVAL);
}

static void errors_without_meaning_for_a_client_become_einval(void **state)
{
	static const struct {
		int err;
		uint32_t wire;
	} rows[] = { { -EINVAL, EINVAL },   { -ERANGE, EINVAL }, { -EPROTO, EINVAL },
		     { -EMSGSIZE, EINVAL }, { -ENOMEM, ENOMEM }, { -EEXIST, EEXIST } };
	const struct ontb_wire_hdr req = { .id = 3, .cmd = 9, .size = 100, .flags = ONTB_WIRE_F_COMMAND };
	struct ontb_wire_hdr hdr;
	uint8_t buf[16];

	(void)state;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(rows); i++) {
		ontb_wire_put_error(buf, &req, rows[i].err);
		ontb_wire_hdr_get(buf, &hdr);
		assert_true(hdr.id == 3 && hdr.cmd == 9 && hdr.size == 16 && hdr.flags == 0x21);
		assert_int_equal(hdr.error, rows[i].wire);
	}
}

static void dma_messages(void **state)
{
	struct ontb_wire_hdr hdr;
	uint8_t buf[32];

	(void)state;
	ontb_wire_put_dma(buf, ONTB_WIRE_DMA_WRITE, 5, 0x1122334455667788, 4);
	ontb_wire_hdr_get(buf, &hdr);
	assert_true(hdr.id == 5 && hdr.cmd == 12 && hdr.size == 36 && hdr.flags == ONTB_WIRE_F_NO_REPLY);
	assert_true(ontb_get_le64(buf + 16) == 0x1122334455667788 && ontb_get_le64(buf + 24) == 4);
	ontb_wire_put_dma(buf, ONTB_WIRE_DMA_READ, 6, 0, 4096);
	ontb_wire_hdr_get(buf, &hdr);
	assert_true(hdr.id == 6 && hdr.cmd == 11 && hdr.size == 32 && !hdr.flags);
}

static void dma_read_reply_must_fit_the_request(void **state)
{
	struct ontb_wire_hdr hdr = { .cmd = ONTB_WIRE_DMA_READ, .flags = ONTB_WIRE_F_REPLY };
	uint8_t body[20] = { 0x10, [8] = 4, [16] = 'd' };
	const uint8_t *data;

	(void)state;
	assert_int_equal(ontb_wire_get_dma_read_reply(&hdr, body, 20, 0x10, 4, &data, &why), 0);
	assert_ptr_equal(data, body + 16);
	assert_int_equal(ontb_wire_get_dma_read_reply(&hdr, body, 19, 0x10, 4, &data, &why), -EPROTO);
	assert_int_equal(ontb_wire_get_dma_read_reply(&hdr, body, 20, 0x11, 4, &data, &why), -EPROTO);
	assert_int_equal(ontb_wire_get_dma_read_reply(&hdr, body, 20, 0x10, 3, &data, &why), -EPROTO);
	hdr.flags |= ONTB_WIRE_F_ERROR;
	assert_int_equal(ontb_wire_get_dma_read_reply(&hdr, body, 0, 0x10, 4, &data, &why), -EFAULT);
	hdr.cmd = ONTB_WIRE_DMA_WRITE;
	assert_int_equal(ontb_wire_get_dma_read_reply(&hdr, body, 20, 0x10, 4, &data, &why), -EPROTO);
}

static void names_of_commands(void **state)
{
	(void)state;
	for (unsigned int cmd = 1; cmd < ONTB_WIRE_NR_CMDS; cmd++)
		assert_string_not_equal(ontb_wire_cmd_name(cmd), "unknown command");
	assert_string_equal(ontb_wire_cmd_name(0), "unknown command");
	assert_string_equal(ontb_wire_cmd_name(ONTB_WIRE_NR_CMDS), "unknown command");
	assert_string_equal(ontb_wire_cmd_name(UINT32_MAX), "unknown command");
	assert_string_equal(ontb_wire_cmd_name(15), "REGION_WRITE_MULTI");
}

static void version_defaults_and_round_trip(void **state)
{
	struct ontb_version ours = {
		.max_msg_fds = 16, .max_data_xfer = 1 << 24, .max_dma_maps = 65535, .write_multiple = true
	};
	uint8_t body[ONTB_VERSION_MAX_REPLY] = { 0 };
	struct ontb_version theirs;
	size_t len;

	(void)state;
	assert_int_equal(ontb_version_get(body, 4, &theirs, &why), 0);
	assert_true(theirs.max_msg_fds == 1 && theirs.max_data_xfer == 1 << 20 && theirs.max_dma_maps == 65535);
	assert_false(theirs.write_multiple);
	len = ontb_version_put(body, &ours);
	assert_true(len < sizeof(body));
	assert_int_equal(ontb_version_get(body, len, &theirs, &why), 0);
	assert_memory_equal(&theirs, &ours, sizeof(ours));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_survives_a_round_trip),
		cmocka_unit_test(frame_limits),
		cmocka_unit_test(map_up_to_the_last_address),
		cmocka_unit_test(unmap_of_all_needs_zeroes),
		cmocka_unit_test(bools_of_an_irq_set_are_in_the_body),
		cmocka_unit_test(every_cut_of_a_write_is_refused),
		cmocka_unit_test(several_writes),
		cmocka_unit_test(errors_without_meaning_for_a_client_become_einval),
		cmocka_unit_test(dma_messages),
		cmocka_unit_test(dma_read_reply_must_fit_the_request),
		cmocka_unit_test(names_of_commands),
		cmocka_unit_test(version_defaults_and_round_trip),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("wire_codec", tests, NULL, NULL);
}
