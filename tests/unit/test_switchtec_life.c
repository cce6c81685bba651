// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Hosts that come, go, reset and switch bus mastering: nothing of them stays behind, and their peer is told.
 */
#include "hw_rig.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "hw/switchtec/regs.h"

#define ALL_ONES UINT64_MAX
#define COUNT(h) ((h) >> 5 & 0xff)

static uint32_t link_event(struct rig *rig, unsigned int port, unsigned int of)
{
	return r32(rig, port, ontb_sw_pff(ontb_sw_vep_pff(of)) + ONTB_SW_PFF_EV_LINK_STATE);
}

static void setup(struct rig *rig, unsigned int nr_ports)
{
	rig_open(rig, nr_ports);
	for (unsigned int p = 0; p < nr_ports; p++) {
		for (unsigned int i = 0; i < 2 * nr_ports; i++)
			w32(rig, p, ontb_sw_pff(i) + ONTB_SW_PFF_EV_LINK_STATE, 0x9);
		rig_setup_dbmsg(rig, p);
		w64(rig, p, ontb_sw_dbmsg(p) + 0x1018, UINT64_MAX);
	}
	for (unsigned int p = 0; p < nr_ports; p++) {
		assert_int_equal(rig_open_lut(rig, p, 0, RIG_RAM_BASE), 1);
		assert_int_equal(rig_open_direct(rig, p, 2, RIG_RAM_BASE, 0x10000), 1);
		assert_int_equal(rig_open_direct(rig, p, 4, RIG_RAM_BASE, 0x10000), 1);
	}
}

static void assert_nothing_reaches(struct rig *rig, unsigned int gone)
{
	unsigned int peer = gone ^ 1, nr_writes = rig->hosts[gone].nr_writes, nr_reads = rig->hosts[gone].nr_reads;

	for (unsigned int b = 2; b <= 4; b += 2) {
		for (uint64_t offset = 0; offset < 4 << 20 && offset < (b == 2 ? 4 << 20 : 2 << 20); offset += 0x8000) {
			assert_true(rig_read(rig, peer, b, offset, 8) == ALL_ONES);
			rig_write(rig, peer, b, offset, 1, 4);
		}
	}
	assert_int_equal(rig->hosts[gone].nr_writes, nr_writes);
	assert_int_equal(rig->hosts[gone].nr_reads, nr_reads);
}

/* What a host that is lost leaves, however it was lost. */
static void assert_forgotten(struct rig *rig, unsigned int gone)
{
	unsigned int peer = gone ^ 1;
	uint64_t ctrl = ontb_sw_ctrl(peer);

	assert_int_equal(rig_status(rig, peer).nr_windows, 0);
	assert_int_equal(rig_status(rig, gone).nr_windows, 3);
	for (unsigned int i = 0; i < 32; i++)
		assert_true(r64(rig, peer, ctrl + ONTB_SW_CTRL_LUT(i)) == 0);
	for (unsigned int b = 0; b < 6; b++) {
		assert_int_equal(r32(rig, peer, ctrl + ONTB_SW_CTRL_BAR_CTL(b)), b == 2 || b == 4);
		assert_int_equal(r32(rig, peer, ctrl + ONTB_SW_CTRL_BAR_SIZE(b)), 0);
		assert_true(r64(rig, peer, ctrl + ONTB_SW_CTRL_BAR_XLATE(b)) == 0);
	}
	assert_true(r64(rig, peer, ontb_sw_dbmsg(gone) + 0x1010) == 0);
	assert_true(r64(rig, peer, ontb_sw_dbmsg(gone) + 0x1018) == 0);
	assert_int_equal(r32(rig, peer, ontb_sw_dbmsg(gone) + 0x1060), 0xffffffff);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(r64(rig, peer, ontb_sw_dbmsg(gone) + 0x1088 + 8 * i) == 0);
}

static void dirty(struct rig *rig)
{
	w64(rig, 1, ontb_sw_dbmsg(1) + 0x1000, 0xf);
	for (unsigned int i = 0; i < 4; i++)
		w32(rig, 1, ontb_sw_dbmsg(1) + 0x1068 + 8 * i, i + 1);
	assert_true(r64(rig, 0, ontb_sw_dbmsg(0) + 0x1010) == 0xf);
}

static void detach_closes_all_windows_into_the_host_and_tells_its_peer(void **state)
{
	unsigned int nr_events;
	struct rig rig;
	uint32_t count;

	(void)state;
	setup(&rig, 2);
	dirty(&rig);
	nr_events = rig.hosts[1].vectors[0];
	count = COUNT(link_event(&rig, 1, 0));
	rig_detach(&rig, 0);
	assert_nothing_reaches(&rig, 0);
	assert_forgotten(&rig, 0);
	assert_int_equal(rig.hosts[1].vectors[0], nr_events + 1);
	assert_int_equal(COUNT(link_event(&rig, 1, 0)), count + 1);
	assert_int_equal(link_event(&rig, 1, 0) & 0x9, 0x9);
	assert_false(rig_status(&rig, 0).attached);
	assert_false(rig_status(&rig, 0).bus_master);
	rig_close(&rig);
}

static void reset_does_the_same_but_the_host_stays(void **state)
{
	unsigned int nr_events, nr_clears;
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	dirty(&rig);
	nr_events = rig.hosts[1].vectors[0];
	nr_clears = rig.hosts[0].nr_clears;
	rig_reset(&rig, 0);
	assert_nothing_reaches(&rig, 0);
	assert_forgotten(&rig, 0);
	assert_int_equal(rig.hosts[1].vectors[0], nr_events + 1);
	assert_int_equal(rig.hosts[0].nr_clears, nr_clears + 1);
	assert_true(rig_status(&rig, 0).attached);
	assert_false(rig_status(&rig, 0).bus_master);
	assert_int_equal(rig_config_read(&rig, 0, 4, 2), 0);
	/* Its BARs answer again once it decodes memory, and it can open its windows again. */
	assert_true(rig_read(&rig, 0, 0, 0x2000, 4) == 0xffffffff);
	rig_enable(&rig, 0);
	assert_int_equal(r32(&rig, 0, 0x2000), 0x8532);
	assert_int_equal(rig_open_lut(&rig, 0, 0, RIG_RAM_BASE), 1);
	assert_true(rig_read(&rig, 1, 2, 0, 8) == 0);
	rig_close(&rig);
}

static void peer_window_stays_for_the_host_that_comes_back(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	rig_detach(&rig, 0);
	rig_attach(&rig, 0);
	rig_enable(&rig, 0);
	assert_true(rig_read(&rig, 0, 2, 8, 8) == (1ULL << 56 | 8));
	rig_close(&rig);
}

static void other_pairs_notice_nothing(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 4);
	rig_detach(&rig, 0);
	assert_int_equal(rig.hosts[2].nr_vectors, 0);
	assert_int_equal(rig.hosts[3].nr_vectors, 0);
	assert_int_equal(rig_status(&rig, 2).nr_windows, 3);
	assert_true(rig_read(&rig, 3, 4, 0x100, 8) == (2ULL << 56 | 0x100));
	rig_close(&rig);
}

static void locks_of_a_lost_host_go_to_the_next(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	assert_int_equal(rig_lock(&rig, 0, 0), 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_lock(&rig, 1, 1), 3);
	assert_int_equal(rig_lock(&rig, 1, 0), 3);
	rig_detach(&rig, 0);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1)), 2);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(0)), 2);
	assert_int_equal(rig_commit(&rig, 1, 1), 1);
	/* One that only waited leaves the queue. */
	rig_attach(&rig, 0);
	rig_enable(&rig, 0);
	assert_int_equal(rig_lock(&rig, 0, 0), 3);
	rig_reset(&rig, 0);
	rig_enable(&rig, 0);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(0)), 1);
	assert_int_equal(rig_commit(&rig, 1, 0), 1);
	assert_int_equal(rig_lock(&rig, 0, 0), 2);
	rig_close(&rig);
}

static void what_was_written_but_not_committed_is_forgotten_too(void **state)
{
	uint64_t ctrl = ontb_sw_ctrl(1);
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	rig_lock(&rig, 0, 1);
	w64(&rig, 0, ctrl + ONTB_SW_CTRL_LUT(9), RIG_RAM_BASE | 1);
	w64(&rig, 0, ctrl + ONTB_SW_CTRL_BAR_XLATE(4), RIG_RAM_BASE + 0x1000);
	rig_reset(&rig, 0);
	rig_enable(&rig, 0);
	rig_lock(&rig, 1, 1);
	rig_commit(&rig, 1, 1);
	assert_forgotten(&rig, 0);
	rig_close(&rig);
}

static void bus_mastering_gates_windows_into_the_host(void **state)
{
	uint64_t gated;
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	gated = rig_status(&rig, 0).gated;
	rig_set_command(&rig, 0, 2);
	assert_nothing_reaches(&rig, 0);
	assert_true(rig_status(&rig, 0).gated > gated);
	assert_non_null(strstr(rig_status(&rig, 1).last_error, "no open window"));
	assert_true(rig_read(&rig, 1, 4, 0, 8) == ALL_ONES);
	assert_non_null(strstr(rig_status(&rig, 1).last_error, "bus mastering of that port is off"));
	/* Its own accesses go on: completions need no bus mastering. */
	assert_true(rig_read(&rig, 0, 4, 8, 8) == (1ULL << 56 | 8));
	rig_enable(&rig, 0);
	assert_true(rig_read(&rig, 1, 4, 0x10, 8) == 0x10);
	rig_close(&rig);
}

static void memory_decoding_gates_all_bars(void **state)
{
	struct rig rig;
	uint64_t unsupported;

	(void)state;
	setup(&rig, 2);
	rig_set_command(&rig, 1, 4);
	unsupported = rig_status(&rig, 1).unsupported;
	assert_true(rig_read(&rig, 1, 0, 0x2000, 4) == 0xffffffff);
	assert_true(rig_read(&rig, 1, 4, 0, 8) == ALL_ONES);
	rig_write(&rig, 1, 4, 0, 1, 8);
	assert_int_equal(rig.hosts[0].nr_writes, 0);
	assert_int_equal(rig_status(&rig, 1).unsupported, unsupported + 3);
	/* Others still reach its memory. */
	assert_true(rig_read(&rig, 0, 4, 8, 8) == (1ULL << 56 | 8));
	rig_close(&rig);
}

static void second_host_on_a_port_is_refused(void **state)
{
	struct ontb_func *func;
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	func = rig_func(&rig, 0);
	assert_int_equal(func->ops->attach(func, &rig_host_ops, &rig.hosts[1]), -EBUSY);
	assert_true(rig_read(&rig, 1, 4, 0x10, 8) == 0x10);
	rig_close(&rig);
}

static void detach_twice_is_harmless(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	rig_detach(&rig, 0);
	rig_detach(&rig, 0);
	rig_reset(&rig, 0);
	assert_int_equal(ontb_bridge_func(rig.bridge, 2) == NULL, 1);
	rig_attach(&rig, 0);
	rig_close(&rig);
}

static void link_is_up_while_both_drivers_say_so(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	assert_false(rig_status(&rig, 0).link_up);
	w32(&rig, 0, ontb_sw_dbmsg(0) + 0x1068, 1);
	assert_false(rig_status(&rig, 1).link_up);
	w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 1);
	assert_true(rig_status(&rig, 0).link_up);
	w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 3);
	assert_true(rig_status(&rig, 0).link_up);
	w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 2);
	assert_false(rig_status(&rig, 0).link_up);
	w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 1);
	rig_reset(&rig, 0);
	assert_false(rig_status(&rig, 1).link_up);
	rig_close(&rig);
}

static void pff_link_bit_shows_whether_a_host_is_there(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	assert_int_equal(r32(&rig, 1, ontb_sw_pff(1) + 0x74), 1 << 29 | 16 << 20 | 3 << 16);
	rig_detach(&rig, 0);
	assert_int_equal(r32(&rig, 1, ontb_sw_pff(1) + 0x74), 16 << 20 | 3 << 16);
	assert_int_equal(r32(&rig, 1, ontb_sw_pff(3) + 0x74), 1 << 29 | 16 << 20 | 3 << 16);
	rig_close(&rig);
}

static void reset_shows_as_an_event_of_the_partition(void **state)
{
	struct rig rig;
	uint32_t before;

	(void)state;
	setup(&rig, 2);
	before = r32(&rig, 0, ontb_sw_partcfg(0) + 0x124);
	rig_reset(&rig, 0);
	rig_enable(&rig, 0);
	assert_int_equal(COUNT(r32(&rig, 0, ontb_sw_partcfg(0) + 0x124)), COUNT(before) + 1);
	assert_int_equal(r32(&rig, 0, ontb_sw_partcfg(0) + 0x114), 1);
	assert_true(r64(&rig, 1, 0x1810) & 1);
	w32(&rig, 0, ontb_sw_partcfg(0) + 0x124, 1);
	assert_int_equal(r32(&rig, 0, ontb_sw_partcfg(0) + 0x114), 0);
	rig_close(&rig);
}

/* A guest that resets its function, or has it reset, as fast as it can. */
static void hosts_that_are_lost_again_and_again_fill_no_log(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	ontb_log_set_level(ONTB_LOG_INFO);
	rig_log_start();
	for (unsigned int i = 0; i < 1000; i++) {
		rig_reset(&rig, 0);
		rig_enable(&rig, 0);
		assert_int_equal(rig_open_lut(&rig, 0, 0, RIG_RAM_BASE), 1);
	}
	/* The first is there, and what it says is counted on. */
	assert_in_range(rig_log_count(), 1, 200);
	assert_non_null(strstr(rig_log_last(), "port 0: 1 windows into its host closed"));
	rig_log_stop();
	ontb_log_set_level(ONTB_LOG_NOTICE);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detach_closes_all_windows_into_the_host_and_tells_its_peer),
		cmocka_unit_test(reset_does_the_same_but_the_host_stays),
		cmocka_unit_test(peer_window_stays_for_the_host_that_comes_back),
		cmocka_unit_test(other_pairs_notice_nothing),
		cmocka_unit_test(locks_of_a_lost_host_go_to_the_next),
		cmocka_unit_test(what_was_written_but_not_committed_is_forgotten_too),
		cmocka_unit_test(bus_mastering_gates_windows_into_the_host),
		cmocka_unit_test(memory_decoding_gates_all_bars),
		cmocka_unit_test(second_host_on_a_port_is_refused),
		cmocka_unit_test(detach_twice_is_harmless),
		cmocka_unit_test(link_is_up_while_both_drivers_say_so),
		cmocka_unit_test(pff_link_bit_shows_whether_a_host_is_there),
		cmocka_unit_test(reset_shows_as_an_event_of_the_partition),
		cmocka_unit_test(hosts_that_are_lost_again_and_again_fill_no_log),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
