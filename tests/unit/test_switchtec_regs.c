// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The register table and how accesses of any kind go through it.
 */
#include "hw_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hw/switchtec/regs.h"

#define EV_MRPC(p) (ontb_sw_partcfg(p) + ONTB_SW_PARTCFG_EV_MRPC)

static void registers_lie_inside_their_block_and_do_not_overlap(void **state)
{
	uint8_t *seen = test_calloc(ONTB_SW_NR_BLOCKS, 0x4000);

	(void)state;
	for (size_t r = 0; r < ontb_sw_nr_regs; r++) {
		const struct ontb_sw_reg *reg = &ontb_sw_regs[r];
		uint32_t size = ontb_sw_blocks[reg->block].size;

		assert_true(reg->width == 1 || reg->width == 2 || reg->width == 4 || reg->width == 8);
		assert_true(reg->stride >= reg->width);
		assert_true(reg->count);
		/* Storage is in words of 4 bytes, so a register must not straddle one. */
		assert_true(reg->width > 4 ? reg->offset % 4 == 0 : reg->offset % reg->width == 0);
		assert_true(!(reg->reset & ~(UINT64_MAX >> (64 - 8 * reg->width))));
		assert_true((reg->kind == ONTB_SW_ACTS) == (reg->write != NULL));
		assert_non_null(reg->source);
		for (unsigned int i = 0; i < reg->count; i++) {
			for (unsigned int b = 0; b < reg->width; b++) {
				uint32_t at = reg->offset + i * reg->stride + b;

				assert_true(at < size);
				if (seen[reg->block * 0x4000 + at]++)
					fail_msg("%s overlaps at 0x%x of block %u", reg->name, at, reg->block);
			}
		}
	}
	test_free(seen);
}

static void blocks_do_not_overlap_and_fit_into_bar0(void **state)
{
	uint32_t end = 0;

	(void)state;
	for (unsigned int b = 0; b < ONTB_SW_NR_BLOCKS; b++) {
		const struct ontb_sw_block_info *block = &ontb_sw_blocks[b];

		assert_true(block->base >= end);
		assert_true(block->size <= 0x4000);
		end = block->base + block->size * block->max_copies;
	}
	assert_true(end <= ONTB_SW_BAR0_SIZE);
}

static void names_are_those_of_the_table(void **state)
{
	static const struct {
		uint64_t offset;
		const char *name;
	} names[] = {
		{ 0x0, "mrpc.input[0]" },
		{ 0x3ff, "mrpc.input[255]+3" },
		{ 0x800, "mrpc.cmd" },
		{ 0x2018, "sys_info.partition_id" },
		{ 0x10024, "ntb_info.ntp_info[0].target_part_low" },
		{ 0x14000, "ctrl[0].partition_status" },
		{ 0x16088, "ctrl[1].bar[4].xlate" },
		{ 0x1608c, "ctrl[1].bar[4].xlate+4" },
		{ 0x73ff8, "ctrl[47].lut[511]" },
		{ 0x75000, "dbmsg[0].odb" },
		{ 0x79023, "dbmsg[1].idb_vec_map[3]" },
		{ 0x76014, "dbmsg[0].msix_table[1].addr+4" },
		{ 0x134d30, "pff[0].link_state_hdr" },
		{ 0x232000, "pff[254].vendor_id" },
		{ 0x30000c, "guard.control" },
		{ 0x301018, "guard_slot[1].data" },
		{ 0x340ffc, "guard_slot[16383].control" },
	};
	static const uint64_t nameless[] = {
		0x820, 0x1008, 0x75064, 0x233000, 0x300028, 0x341000, 0x3fffff, UINT64_MAX
	};
	char name[64];

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(names); i++) {
		assert_true(ontb_switchtec_register_name(names[i].offset, name, sizeof(name)));
		assert_string_equal(name, names[i].name);
	}
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(nameless); i++) {
		char expected[32];

		(void)snprintf(expected, sizeof(expected), "0x%llx", (unsigned long long)nameless[i]);
		assert_false(ontb_switchtec_register_name(nameless[i], name, sizeof(name)));
		assert_string_equal(name, expected);
	}
	name[3] = 'x';
	assert_true(ontb_switchtec_register_name(0x14000, name, 3));
	assert_string_equal(name, "ct");
}

/* Reading must not change anything, so every width and alignment must give the bytes that single bytes give. */
static void reads_of_every_width_and_alignment_agree_with_bytes(void **state)
{
	uint8_t *bytes = malloc(0x150000), *whole = malloc(0x150000);
	struct ontb_read read = { .buf = whole, .len = 0x150000 };
	struct ontb_func *func;
	struct rig rig;

	(void)state;
	rig_open(&rig, 8);
	for (unsigned int p = 0; p < 8; p++) {
		rig_setup_dbmsg(&rig, p);
		rig_open_lut(&rig, p, p, RIG_RAM_BASE);
		w32(&rig, p, ontb_sw_dbmsg(p) + 0x1068, 0x11223344);
		w64(&rig, p, ontb_sw_dbmsg(p) + 0x1000, UINT64_MAX);
	}
	func = rig_func(&rig, 5);
	func->ops->enter(func);
	assert_int_equal(func->ops->bar_read(func, 0, 0, &read), 0);
	for (uint32_t i = 0; i < 0x150000; i++) {
		read = (struct ontb_read){ .buf = bytes + i, .len = 1 };
		assert_int_equal(func->ops->bar_read(func, 0, i, &read), 0);
	}
	func->ops->leave(func);
	assert_memory_equal(bytes, whole, 0x150000);
	for (uint32_t i = 0; i + 8 <= 0x150000; i += 3) {
		for (size_t len = 2; len <= 8; len += 1 + len % 3) {
			uint64_t mask = UINT64_MAX >> (64 - 8 * len);

			if (rig_read(&rig, 5, 0, i, len) != (ontb_get_le64(bytes + i) & mask))
				fail_msg("offset 0x%x, %zu bytes", i, len);
		}
	}
	rig_close(&rig);
	free(bytes);
	free(whole);
}

/* Answers of the mailbox and results of a commit are read-only but change. */
static bool is_constant(const struct ontb_sw_access *access)
{
	return access->reg->kind == ONTB_SW_RO && !access->reg->read && access->reg->block != ONTB_SW_BLOCK_MRPC &&
	       !strstr(access->reg->name, "_error");
}

/*
 * Every byte of BAR0 is written with every width by every host, twice with different patterns. Constants stay, other
 * hosts stay, and afterwards a driver can still do its work.
 */
static void wild_writes_everywhere_break_nothing(void **state)
{
	static const size_t widths[] = { 1, 2, 4, 8, 3, 7 };
	uint8_t *before = malloc(0x150000);
	struct ontb_read read = { .buf = before, .len = 0x150000 };
	struct ontb_func *func;
	struct rig rig;

	(void)state;
	rig_open(&rig, 4);
	func = rig_func(&rig, 0);
	func->ops->enter(func);
	assert_int_equal(func->ops->bar_read(func, 0, 0, &read), 0);
	func->ops->leave(func);
	rig_log_start();
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(widths); i++) {
		for (uint32_t offset = 0; offset < 0x13c000; offset += (uint32_t)widths[i]) {
			uint64_t value = offset * 0x9e3779b97f4a7c15ULL ^ (i & 1 ? UINT64_MAX : 0);

			/* partition_op from the whole range of values; the other blocks get their random bits. */
			rig_write(&rig, offset / 8 % 4, 0, offset, value, widths[i]);
		}
	}
	rig_write(&rig, 1, 0, ONTB_SW_BAR0_SIZE - 8, UINT64_MAX, 8);
	rig_log_stop();
	for (uint32_t offset = 0; offset < 0x150000; offset++) {
		struct ontb_sw_access access = { 0 };
		uint8_t now = (uint8_t)rig_read(&rig, 0, 0, offset, 1);

		if (ontb_sw_find_register(offset, &access) && !is_constant(&access))
			continue;
		if (now != before[offset])
			fail_msg("offset 0x%x was 0x%x, is 0x%x", offset, before[offset], now);
	}
	for (unsigned int p = 0; p < 4; p++) {
		rig_reset(&rig, p);
		rig_enable(&rig, p);
	}
	for (unsigned int p = 0; p < 4; p++) {
		rig_setup_dbmsg(&rig, p);
		assert_int_equal(rig_open_lut(&rig, p, 0, RIG_RAM_BASE + 0x8000), 1);
		assert_int_equal(rig_open_direct(&rig, p, 4, RIG_RAM_BASE, 0x1000), 1);
		assert_int_equal(rig_status(&rig, p ^ 1).nr_windows, 2);
	}
	rig_close(&rig);
	free(before);
}

static void accesses_beyond_a_bar_are_refused(void **state)
{
	static const struct {
		unsigned int bar;
		uint64_t offset;
		size_t len;
	} bad[] = {
		{ 0, ONTB_SW_BAR0_SIZE, 1 },
		{ 0, ONTB_SW_BAR0_SIZE - 4, 8 },
		{ 0, UINT64_MAX, 8 },
		{ 0, UINT64_MAX - 3, 8 },
		{ 2, 4 << 20, 1 },
		{ 4, (2 << 20) - 1, 2 },
		{ 1, 0, 1 },
		{ 3, 0, 4 },
		{ 5, 0, 4 },
		{ 6, 0, 4 },
		{ UINT32_MAX, 0, 4 },
	};
	struct ontb_func *func;
	uint8_t buf[8] = { 0 };
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	func = rig_func(&rig, 0);
	func->ops->enter(func);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		struct ontb_read read = { .buf = buf, .len = bad[i].len };

		assert_int_equal(func->ops->bar_read(func, bad[i].bar, bad[i].offset, &read), -ERANGE);
		assert_int_equal(func->ops->bar_write(func, bad[i].bar, bad[i].offset, buf, bad[i].len), -ERANGE);
	}
	func->ops->leave(func);
	rig_close(&rig);
}

static void mailbox_echoes_and_refuses_the_rest_with_an_event(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	w32(&rig, 1, EV_MRPC(1), 0x9);
	w32(&rig, 1, 0x0, 0x12345678);
	w32(&rig, 1, 0x800, 65);
	assert_int_equal(r32(&rig, 1, 0x804), 2);
	assert_int_equal(r32(&rig, 1, 0x808), 0);
	assert_int_equal(r32(&rig, 1, 0x400), ~0x12345678U);
	assert_int_equal(rig.hosts[1].vectors[0], 1);
	assert_int_equal(r32(&rig, 1, EV_MRPC(1)), 1 << 5 | 9);
	/* The event handler writes back what it read, which clears the bit and keeps the interrupt on. */
	w32(&rig, 1, EV_MRPC(1), r32(&rig, 1, EV_MRPC(1)));
	assert_int_equal(r32(&rig, 1, EV_MRPC(1)), 1 << 5 | 8);
	w32(&rig, 1, 0x800, 4);
	assert_int_equal(r32(&rig, 1, 0x804), 0xff);
	assert_int_equal(r32(&rig, 1, 0x808), 0x64005);
	assert_int_equal(r32(&rig, 1, 0x400), 0);
	assert_int_equal(rig.hosts[1].vectors[0], 2);
	/* The other host's mailbox is another one. */
	assert_int_equal(r32(&rig, 0, 0x0), 0);
	assert_int_equal(r32(&rig, 0, 0x804), 0);
	assert_int_equal(rig.hosts[0].nr_vectors, 0);
	rig_close(&rig);
}

static void event_counter_wraps_and_switches_are_kept(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	w32(&rig, 0, EV_MRPC(0), 0xffffffff);
	assert_int_equal(r32(&rig, 0, EV_MRPC(0)), 0x1e);
	for (unsigned int i = 0; i < 257; i++)
		w32(&rig, 0, 0x800, 4);
	assert_int_equal(r32(&rig, 0, EV_MRPC(0)), 0x1e | 1 | 1 << 5);
	assert_int_equal(rig.hosts[0].vectors[0], 257);
	w8(&rig, 0, EV_MRPC(0), 0x0);
	assert_int_equal(r32(&rig, 0, EV_MRPC(0)), 1 | 1 << 5);
	w32(&rig, 0, 0x800, 4);
	assert_int_equal(rig.hosts[0].vectors[0], 257);
	rig_close(&rig);
}

static void events_that_never_happen_say_so(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (uint32_t at = 0x1830; at <= 0x1968; at += 0x18)
		assert_int_equal(r32(&rig, 0, at), 0x80000000);
	for (uint32_t at = 0xc10; at < 0xd30; at += 0x18)
		assert_int_equal(r32(&rig, 0, ontb_sw_pff(3) + at), 0x80000000);
	w32(&rig, 0, 0x1830, 0x9);
	assert_int_equal(r32(&rig, 0, 0x1830), 0x80000000);
	rig_close(&rig);
}

static void msix_table_is_storage_with_all_vectors_masked_at_first(void **state)
{
	uint64_t table = ontb_sw_dbmsg(1) + ONTB_SW_MSIX_TABLE;
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int v = 0; v < 64; v++) {
		assert_int_equal(r32(&rig, 1, table + 16 * v + 12), 1);
		w64(&rig, 1, table + 16 * v, 0xfee00000 + v);
		w64(&rig, 1, table + 16 * v + 8, 0x4000 + v);
	}
	for (unsigned int v = 0; v < 64; v++) {
		assert_true(r64(&rig, 1, table + 16 * v) == 0xfee00000 + v);
		assert_true(r64(&rig, 1, table + 16 * v + 8) == 0x4000 + v);
	}
	rig_reset(&rig, 1);
	rig_enable(&rig, 1);
	assert_true(r64(&rig, 1, table) == 0);
	assert_int_equal(r32(&rig, 1, table + 12), 1);
	rig_close(&rig);
}

static void system_information_names_the_part(void **state)
{
	struct rig rig;
	char text[40];

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int i = 0; i < 39; i++)
		text[i] = (char)rig_read(&rig, 0, 0, 0x2108 + i, 1);
	assert_memory_equal(text, "MICROSEMOPENNTB         0001MICROSEM", 36);
	assert_int_equal(rig_read(&rig, 0, 0, 0x212c, 2), 0x8532);
	assert_int_equal(rig_read(&rig, 0, 0, 0x2020, 2), 4);
	rig_close(&rig);
}

#define FIELD(name) offsetof(struct ontb_switchtec_config, name), sizeof(((struct ontb_switchtec_config *)0)->name)

static void geometry_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *complaint;
		size_t offset;
		size_t size;
		uint64_t value;
	} bad[] = {
		{ "number of ports is 0,", FIELD(nr_ports), 0 },
		{ "number of ports is 1,", FIELD(nr_ports), 1 },
		{ "ports is 3, must be even", FIELD(nr_ports), 3 },
		{ "number of ports is 50,", FIELD(nr_ports), 50 },
		{ "device id 0x8530", FIELD(device_id), 0x8530 },
		{ "device id 0x8537", FIELD(device_id), 0x8537 },
		{ "device id 0x4001", FIELD(device_id), 0x4001 },
		{ "number of vectors is 2,", FIELD(nr_vectors), 2 },
		{ "number of vectors is 65,", FIELD(nr_vectors), 65 },
		{ "LUT windows is 1,", FIELD(nr_luts), 1 },
		{ "LUT windows is 48, must be a power of two", FIELD(nr_luts), 48 },
		{ "LUT windows is 1024,", FIELD(nr_luts), 1024 },
		{ "size of BAR2 is 2097152,", FIELD(bar2_size), 2 << 20 },
		{ "size of BAR2 is 6291456, must be a power of two", FIELD(bar2_size), 6 << 20 },
		{ "size of BAR4 is 32768,", FIELD(bar4_size), 32768 },
		{ "size of BAR4 is 18446744073709551615,", FIELD(bar4_size), UINT64_MAX },
		{ "requester ids is 1,", FIELD(nr_req_ids), 1 },
		{ "requester ids is 513,", FIELD(nr_req_ids), 513 },
	};
	struct ontb_bridge *const untouched = (struct ontb_bridge *)0x1;
	struct ontb_bridge *bridge = untouched;

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		struct ontb_switchtec_config config;
		uint8_t bytes[8];

		ontb_switchtec_config_init(&config);
		ontb_put_le64(bytes, bad[i].value);
		memcpy((uint8_t *)&config + bad[i].offset, bytes, bad[i].size);
		rig_log_start();
		assert_int_equal(ontb_switchtec_new(&config, &bridge), -EINVAL);
		rig_log_stop();
		assert_ptr_equal(bridge, untouched);
		assert_int_equal(rig_log_count(), 1);
		if (!strstr(rig_log_last(), bad[i].complaint))
			fail_msg("'%s' lacks '%s'", rig_log_last(), bad[i].complaint);
	}
}

static void largest_and_smallest_geometry_work(void **state)
{
	static const struct ontb_switchtec_config configs[] = {
		{ .nr_ports = 2,
		  .device_id = 0x8576,
		  .nr_vectors = 3,
		  .nr_luts = 2,
		  .bar2_size = 256 << 10,
		  .bar4_size = 64 << 10,
		  .nr_req_ids = 2 },
		{ .nr_ports = 4,
		  .device_id = 0x5528,
		  .nr_vectors = 64,
		  .nr_luts = 512,
		  .bar2_size = 1ULL << 46,
		  .bar4_size = 1ULL << 46,
		  .nr_req_ids = 512 },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(configs); i++) {
		uint64_t size = configs[i].bar4_size < RIG_RAM_SIZE ? configs[i].bar4_size : RIG_RAM_SIZE;
		unsigned int last = configs[i].nr_luts - 1;
		struct rig rig;

		rig_open_config(&rig, &configs[i]);
		assert_string_equal(ontb_bridge_model_name(rig.bridge), "switchtec");
		assert_int_equal(ontb_bridge_nr_ports(rig.bridge), configs[i].nr_ports);
		assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + 0x14) & 0xffff, configs[i].nr_luts);
		assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + 0x1c) & 0xffff, configs[i].nr_req_ids);
		assert_int_equal(rig_open_lut(&rig, 0, last, RIG_RAM_BASE), 1);
		assert_int_equal(rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, size), 1);
		assert_true(rig_read(&rig, 1, 2, last * 0x10000ULL + 0x18, 8) == 0x18);
		assert_true(rig_read(&rig, 1, 4, size - 8, 8) == size - 8);
		rig_lock(&rig, 1, 1);
		w32(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_REQ_ID(configs[i].nr_req_ids - 1), 0x00080001);
		assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_REQ_ID(configs[i].nr_req_ids - 1)),
				 0x00080001 | ((configs[i].nr_req_ids - 1) & 0xff) << 1);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_lie_inside_their_block_and_do_not_overlap),
		cmocka_unit_test(blocks_do_not_overlap_and_fit_into_bar0),
		cmocka_unit_test(names_are_those_of_the_table),
		cmocka_unit_test(reads_of_every_width_and_alignment_agree_with_bytes),
		cmocka_unit_test(wild_writes_everywhere_break_nothing),
		cmocka_unit_test(accesses_beyond_a_bar_are_refused),
		cmocka_unit_test(mailbox_echoes_and_refuses_the_rest_with_an_event),
		cmocka_unit_test(event_counter_wraps_and_switches_are_kept),
		cmocka_unit_test(events_that_never_happen_say_so),
		cmocka_unit_test(msix_table_is_storage_with_all_vectors_masked_at_first),
		cmocka_unit_test(system_information_names_the_part),
		cmocka_unit_test(geometry_that_cannot_be_is_refused),
		cmocka_unit_test(largest_and_smallest_geometry_work),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
