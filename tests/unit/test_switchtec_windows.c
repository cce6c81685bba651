// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Windows of the switch: what opens, how far, and for whom.
 */
#include "hw_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "hw/switchtec/regs.h"

#define LUT_AREA (32 * 0x10000ULL)
#define ALL_ONES UINT64_MAX

static uint64_t ram_word(unsigned int port, uint64_t offset)
{
	return (uint64_t)port << 56 | offset;
}

static void assert_closed(struct rig *rig, unsigned int port, unsigned int bar, uint64_t offset)
{
	unsigned int peer = port ^ 1, nr_writes = rig->hosts[peer].nr_writes, nr_reads = rig->hosts[peer].nr_reads;
	uint64_t unsupported = rig_status(rig, port).unsupported;

	assert_true(rig_read(rig, port, bar, offset, 8) == ALL_ONES);
	rig_write(rig, port, bar, offset, 0x1234, 8);
	assert_int_equal(rig->hosts[peer].nr_writes, nr_writes);
	assert_int_equal(rig->hosts[peer].nr_reads, nr_reads);
	assert_int_equal(rig_status(rig, port).unsupported, unsupported + 2);
}

static void assert_open(struct rig *rig, unsigned int port, unsigned int bar, uint64_t offset, uint64_t ram_offset)
{
	uint8_t *ram = rig->hosts[port ^ 1].ram + ram_offset;
	uint64_t old = ontb_get_le64(ram);

	assert_true(rig_read(rig, port, bar, offset, 8) == old);
	rig_write(rig, port, bar, offset, ~old, 8);
	assert_true(ontb_get_le64(ram) == ~old);
	ontb_put_le64(ram, old);
}

static void lut_window_reaches_exactly_its_64_kib(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_closed(&rig, 1, 2, 0);
	assert_int_equal(rig_open_lut(&rig, 0, 3, RIG_RAM_BASE + 0x20000), 1);
	assert_closed(&rig, 1, 2, 3 * 0x10000 - 8);
	assert_open(&rig, 1, 2, 3 * 0x10000, 0x20000);
	assert_open(&rig, 1, 2, 3 * 0x10000 + 0x8000, 0x28000);
	assert_open(&rig, 1, 2, 4 * 0x10000 - 8, 0x2fff8);
	assert_closed(&rig, 1, 2, 4 * 0x10000);
	assert_closed(&rig, 0, 2, 3 * 0x10000);
	rig_close(&rig);
}

static void last_lut_window_ends_where_the_direct_one_begins(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_open_lut(&rig, 0, 31, RIG_RAM_BASE), 1);
	assert_int_equal(rig_open_direct(&rig, 0, 2, RIG_RAM_BASE + 0x100000, 0x10000), 1);
	assert_open(&rig, 1, 2, LUT_AREA - 8, 0xfff8);
	assert_open(&rig, 1, 2, LUT_AREA, 0x100000);
	/* One access over the border: each byte goes where its own window says. */
	assert_true(rig_read(&rig, 1, 2, LUT_AREA - 4, 8) ==
		    ((ram_word(0, 0xfff8) >> 32) | ram_word(0, 0x100000) << 32));
	rig_write(&rig, 1, 2, LUT_AREA - 4, 0x8877665544332211, 8);
	assert_int_equal(ontb_get_le32(rig.hosts[0].ram + 0xfffc), 0x44332211);
	assert_int_equal(ontb_get_le32(rig.hosts[0].ram + 0x100000), 0x88776655);
	rig_close(&rig);
}

static void direct_window_reaches_exactly_win_size(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_open_direct(&rig, 0, 4, RIG_RAM_BASE + 0x40000, 0x3000), 1);
	assert_open(&rig, 1, 4, 0, 0x40000);
	assert_open(&rig, 1, 4, 0x2ff8, 0x42ff8);
	assert_closed(&rig, 1, 4, 0x3000);
	assert_closed(&rig, 1, 4, (2 << 20) - 8);
	/* An access over the end: the part inside is served. */
	assert_true(rig_read(&rig, 1, 4, 0x2ffc, 8) == (ram_word(0, 0x42ff8) >> 32 | 0xffffffff00000000));
	rig_close(&rig);
}

static void whole_bar_can_be_a_window(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 2 << 20), 1);
	assert_open(&rig, 1, 4, 0, 0);
	assert_open(&rig, 1, 4, (2 << 20) - 8, (2 << 20) - 8);
	assert_int_equal(rig_open_lut(&rig, 0, 0, RIG_RAM_BASE), 1);
	assert_int_equal(rig_open_direct(&rig, 0, 2, RIG_RAM_BASE, 2 << 20), 1);
	assert_open(&rig, 1, 2, (4 << 20) - 8, (2 << 20) - 8);
	rig_close(&rig);
}

static void closing_a_window_closes_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x10000);
	rig_open_lut(&rig, 0, 5, RIG_RAM_BASE);
	assert_int_equal(rig_status(&rig, 1).nr_windows, 2);
	assert_int_equal(rig_close_direct(&rig, 0, 4), 1);
	assert_closed(&rig, 1, 4, 0);
	rig_lock(&rig, 0, 1);
	w64(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(5), 0);
	rig_commit(&rig, 0, 1);
	assert_closed(&rig, 1, 2, 5 * 0x10000);
	assert_int_equal(rig_status(&rig, 1).nr_windows, 0);
	rig_close(&rig);
}

static void registers_act_only_at_the_commit(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x10000);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	w64(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_XLATE(4), RIG_RAM_BASE + 0x20000);
	assert_open(&rig, 1, 4, 0, 0);
	assert_int_equal(rig_commit(&rig, 0, 1), 1);
	assert_open(&rig, 1, 4, 0, 0x20000);
	rig_close(&rig);
}

struct bad_direct {
	const char *what;
	uint32_t ctl;
	uint32_t win_size;
	uint32_t ext;
	uint64_t xlate;
};

static void direct_windows_that_make_no_sense_stay_closed(void **state)
{
	static const struct bad_direct bad[] = {
		{ "larger than the BAR", 0x11, 0x400016, 0, RIG_RAM_BASE },
		{ "size above 4 GiB", 0x11, 0x20, 1, RIG_RAM_BASE },
		{ "size 0", 0x11, 0, 0, RIG_RAM_BASE },
		{ "size and logarithm differ", 0x11, 0x200010, 0, RIG_RAM_BASE },
		{ "no logarithm", 0x11, 0x200000, 0, RIG_RAM_BASE },
		{ "own port", 0x11, 0x10010, 0, RIG_RAM_BASE | 1 },
		{ "port without number", 0x11, 0x10010, 0, RIG_RAM_BASE | 0xfff },
		{ "port of nobody", 0x11, 0x10010, 0, RIG_RAM_BASE | 2 },
		{ "wraps round", 0x11, 0x10010, 0, 0xfffffffffffff000 },
		{ "not enabled", 0x01, 0x10010, 0, RIG_RAM_BASE },
	};
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		uint64_t ctrl = ontb_sw_ctrl(1);

		rig_lock(&rig, 0, 1);
		w32(&rig, 0, ctrl + ONTB_SW_CTRL_BAR_CTL(4), bad[i].ctl);
		w32(&rig, 0, ctrl + ONTB_SW_CTRL_BAR_SIZE(4), bad[i].win_size);
		w32(&rig, 0, ctrl + ONTB_SW_CTRL_BAR_EXT(4), bad[i].ext);
		w64(&rig, 0, ctrl + ONTB_SW_CTRL_BAR_XLATE(4), bad[i].xlate);
		rig_log_start();
		assert_int_equal(rig_commit(&rig, 0, 1), 1);
		rig_log_stop();
		if (rig_status(&rig, 1).nr_windows)
			fail_msg("%s opened a window", bad[i].what);
		assert_closed(&rig, 1, 4, 0);
		if (!(bad[i].ctl & 0x10))
			continue;
		assert_int_equal(rig_log_count(), 1);
		assert_non_null(strstr(rig_log_last(), "port 0: ctrl[1].bar[4] stays closed"));
		assert_int_equal(r32(&rig, 0, ctrl + ONTB_SW_CTRL_BAR_ERROR), 1 << 4);
		/* Said once, not at each later commit. */
		rig_log_start();
		rig_lock(&rig, 0, 1);
		rig_commit(&rig, 0, 1);
		rig_log_stop();
		assert_int_equal(rig_log_count(), 0);
	}
	rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x10000);
	assert_open(&rig, 1, 4, 0, 0);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_ERROR), 0);
	rig_close(&rig);
}

static void lut_areas_that_do_not_fit_stay_closed(void **state)
{
	static const uint32_t ctls[] = {
		0x21 | 0 << 8 | 31 << 14,   /* slots of 1 byte */
		0x21 | 11 << 8 | 31 << 14,  /* of 2 KiB */
		0x21 | 63 << 8 | 31 << 14,  /* of 2^63 bytes */
		0x21 | 18 << 8 | 31 << 14,  /* 8 MiB in a BAR of 4 */
		0x21 | 16 << 8 | 511 << 14, /* more than the table has */
		0x21 | 16 << 8 | 32 << 14,  /* one more */
	};
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(ctls); i++) {
		rig_open_lut(&rig, 0, 0, RIG_RAM_BASE);
		rig_open_direct(&rig, 0, 2, RIG_RAM_BASE, 0x10000);
		assert_int_equal(rig_status(&rig, 1).nr_windows, 2);
		rig_lock(&rig, 0, 1);
		w32(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_CTL(2), ctls[i] | 0x10);
		assert_int_equal(rig_commit(&rig, 0, 1), 1);
		assert_int_equal(rig_status(&rig, 1).nr_windows, 0);
		assert_closed(&rig, 1, 2, 0);
		assert_closed(&rig, 1, 2, LUT_AREA);
		assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_ERROR), 1 << 2);
	}
	rig_close(&rig);
}

static void lut_windows_of_other_sizes_work(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_lock(&rig, 0, 1);
	w32(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_CTL(2), 0x21 | 12 << 8 | 3 << 14);
	w64(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(2), (RIG_RAM_BASE + 0x5000) | 1);
	rig_commit(&rig, 0, 1);
	assert_open(&rig, 1, 2, 0x2000, 0x5000);
	assert_open(&rig, 1, 2, 0x2ff8, 0x5ff8);
	assert_closed(&rig, 1, 2, 0x3000);
	assert_closed(&rig, 1, 2, 0x4000);
	rig_close(&rig);
}

static void a_host_cannot_open_memory_that_is_not_its_own(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	/* Host 1 writes into its own block that its windows show host 0. */
	assert_int_equal(rig_lock(&rig, 1, 1), 2);
	w32(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_CTL(2), 0x21 | 16 << 8 | 31 << 14);
	w64(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(0), RIG_RAM_BASE | 0 << 1 | 1);
	w32(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_CTL(4), 0x11);
	w32(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_SIZE(4), 0x200015);
	w64(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_XLATE(4), RIG_RAM_BASE);
	assert_int_equal(rig_commit(&rig, 1, 1), 1);
	assert_closed(&rig, 1, 2, 0);
	assert_closed(&rig, 1, 4, 0);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT_ERROR), 0x80000000);
	rig_close(&rig);
}

static void scribbling_over_a_window_can_close_but_not_widen_it(void **state)
{
	static const struct {
		uint32_t offset;
		uint32_t value;
		size_t len;
	} scribbles[] = {
		{ ONTB_SW_CTRL_BAR_SIZE(4), 0x200015, 4 },
		{ ONTB_SW_CTRL_BAR_SIZE(4) + 2, 0x20, 1 },
		{ ONTB_SW_CTRL_BAR_XLATE(4), RIG_RAM_BASE + 0x100000, 4 },
		{ ONTB_SW_CTRL_BAR_XLATE(4) + 4, 1, 4 },
		{ ONTB_SW_CTRL_BAR_XLATE(4) + 1, 0x10, 1 },
		{ ONTB_SW_CTRL_BAR_EXT(4), 1, 4 },
		{ ONTB_SW_CTRL_BAR_CTL(4), 0x31, 4 },
	};
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(scribbles); i++) {
		rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x1000);
		assert_open(&rig, 1, 4, 0, 0);
		rig_write(&rig, 1, 0, ontb_sw_ctrl(1) + scribbles[i].offset, scribbles[i].value, scribbles[i].len);
		assert_open(&rig, 1, 4, 0, 0);
		rig_commit(&rig, 1, 1);
		assert_closed(&rig, 1, 4, 0);
		assert_closed(&rig, 1, 4, 0x1000);
		/* Also when the owner of the memory commits something else afterwards, keeping what it finds. */
		rig_open_lut(&rig, 0, 0, RIG_RAM_BASE);
		assert_closed(&rig, 1, 4, 0);
		assert_closed(&rig, 1, 4, 0x1000);
	}
	rig_close(&rig);
}

static void halves_of_an_entry_by_two_hosts_do_not_open(void **state)
{
	uint64_t entry = ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(7);
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_lut(&rig, 0, 0, RIG_RAM_BASE);
	w32(&rig, 1, entry, (uint32_t)RIG_RAM_BASE | 1);
	w32(&rig, 0, entry + 4, 0);
	rig_commit(&rig, 0, 1);
	assert_closed(&rig, 1, 2, 7 * 0x10000);
	/* By bytes as well. */
	w64(&rig, 0, entry, 0);
	w8(&rig, 1, entry + 3, RIG_RAM_BASE >> 24);
	w8(&rig, 0, entry, 1);
	rig_commit(&rig, 0, 1);
	assert_closed(&rig, 1, 2, 7 * 0x10000);
	/* The host of the memory may write in any pieces. */
	w32(&rig, 0, entry, (uint32_t)RIG_RAM_BASE | 1);
	w32(&rig, 0, entry + 4, 0);
	rig_commit(&rig, 0, 1);
	assert_open(&rig, 1, 2, 7 * 0x10000, 0);
	rig_close(&rig);
}

static void other_pairs_cannot_write_or_lock_the_block(void **state)
{
	uint64_t ctrl = ontb_sw_ctrl(1);
	struct rig rig;

	(void)state;
	rig_open(&rig, 4);
	rig_open_lut(&rig, 0, 0, RIG_RAM_BASE);
	rig_log_start();
	assert_int_equal(rig_lock(&rig, 2, 1), 1);
	w64(&rig, 2, ctrl + ONTB_SW_CTRL_LUT(0), RIG_RAM_BASE | 2 << 1 | 1);
	rig_commit(&rig, 2, 1);
	w32(&rig, 2, ctrl + 4, 3);
	rig_log_stop();
	assert_non_null(
		strstr(rig_log_last(), "port 2: write of 0x3 to offset 0x16004: ctrl[1] belongs to another host"));
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_commit(&rig, 0, 1), 1);
	assert_open(&rig, 1, 2, 0, 0);
	rig_close(&rig);
}

static void block_that_another_host_has_locked_is_not_changed(void **state)
{
	uint64_t ctrl = ontb_sw_ctrl(1);
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_lock(&rig, 1, 1), 2);
	w64(&rig, 0, ctrl + ONTB_SW_CTRL_LUT(0), RIG_RAM_BASE | 1);
	assert_int_equal(r64(&rig, 0, ctrl + ONTB_SW_CTRL_LUT(0)), 0);
	/* A refused write or commit shows in the status, as something that a driver takes for an error. */
	assert_int_equal(r32(&rig, 0, ctrl), 0);
	assert_int_equal(rig_commit(&rig, 0, 1), 0);
	assert_int_equal(r32(&rig, 1, ctrl), 2);
	assert_int_equal(rig_commit(&rig, 1, 1), 1);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	rig_close(&rig);
}

static void window_to_a_host_that_is_not_there_opens_when_it_asks(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x10000);
	rig_detach(&rig, 0);
	assert_closed(&rig, 1, 4, 0);
	rig_attach(&rig, 0);
	rig_enable(&rig, 0);
	assert_closed(&rig, 1, 4, 0);
	rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x10000);
	assert_open(&rig, 1, 4, 0, 0);
	rig_close(&rig);
}

static void windows_onto_windows_end_in_memory_accesses_not_in_a_loop(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	/* Each shows the other an address at which it has no memory, such as its own BAR. */
	rig_open_direct(&rig, 0, 4, 0xc0000000, 0x10000);
	rig_open_direct(&rig, 1, 4, 0xc0000000, 0x10000);
	assert_true(rig_read(&rig, 1, 4, 0, 8) == ALL_ONES);
	rig_write(&rig, 1, 4, 0, 1, 8);
	assert_int_equal(rig.hosts[0].nr_reads, 1);
	assert_int_equal(rig.hosts[0].nr_writes, 1);
	assert_int_equal(rig.hosts[1].nr_reads + rig.hosts[1].nr_writes, 0);
	assert_int_equal(rig_status(&rig, 1).unsupported, 2);
	assert_non_null(strstr(rig_status(&rig, 1).last_error, "no memory of that host there"));
	rig_close(&rig);
}

static void list_of_windows_says_where_they_go(void **state)
{
	struct ontb_window_status windows[4];
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_lut(&rig, 0, 3, RIG_RAM_BASE + 0x20000);
	rig_open_direct(&rig, 0, 2, RIG_RAM_BASE, 0x3000);
	rig_open_direct(&rig, 0, 4, 0xfee00000, 2 << 20);
	assert_int_equal(ontb_bridge_windows(rig.bridge, 1, windows, 4), 3);
	assert_int_equal(windows[0].offset, 0x30000);
	assert_int_equal(windows[0].size, 0x10000);
	assert_int_equal(windows[0].addr, RIG_RAM_BASE + 0x20000);
	assert_true(windows[0].is_lut);
	assert_int_equal(windows[1].offset, LUT_AREA);
	assert_int_equal(windows[1].size, 0x3000);
	assert_int_equal(windows[2].bar, 4);
	assert_int_equal(windows[2].offset, 0);
	assert_int_equal(windows[2].target, 0);
	assert_false(windows[2].is_lut);
	assert_int_equal(ontb_bridge_windows(rig.bridge, 1, windows, 1), 3);
	assert_int_equal(ontb_bridge_windows(rig.bridge, 0, NULL, 0), 0);
	assert_int_equal(ontb_bridge_windows(rig.bridge, 2, NULL, 0), -ERANGE);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lut_window_reaches_exactly_its_64_kib),
		cmocka_unit_test(last_lut_window_ends_where_the_direct_one_begins),
		cmocka_unit_test(direct_window_reaches_exactly_win_size),
		cmocka_unit_test(whole_bar_can_be_a_window),
		cmocka_unit_test(closing_a_window_closes_it),
		cmocka_unit_test(registers_act_only_at_the_commit),
		cmocka_unit_test(direct_windows_that_make_no_sense_stay_closed),
		cmocka_unit_test(lut_areas_that_do_not_fit_stay_closed),
		cmocka_unit_test(lut_windows_of_other_sizes_work),
		cmocka_unit_test(a_host_cannot_open_memory_that_is_not_its_own),
		cmocka_unit_test(scribbling_over_a_window_can_close_but_not_widen_it),
		cmocka_unit_test(halves_of_an_entry_by_two_hosts_do_not_open),
		cmocka_unit_test(other_pairs_cannot_write_or_lock_the_block),
		cmocka_unit_test(block_that_another_host_has_locked_is_not_changed),
		cmocka_unit_test(window_to_a_host_that_is_not_there_opens_when_it_asks),
		cmocka_unit_test(windows_onto_windows_end_in_memory_accesses_not_in_a_loop),
		cmocka_unit_test(list_of_windows_says_where_they_go),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
