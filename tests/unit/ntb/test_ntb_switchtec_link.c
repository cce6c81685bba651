// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The link of the Switchtec driver: two hosts with all of their software, one switch, stepped.
 */
#include "switchtec_rig.h"

#include <errno.h>

#include "hw/switchtec/regs.h"

static void the_link_is_up_while_both_want_it(void **state)
{
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0], *b = &rig.hosts[1];

	(void)state;
	sw_open(&rig, SW_TWO, true);
	assert_int_equal(ontb_ntb_link_enable(a->ntb), 0);
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 0));
	assert_int_equal(a->nr_ups + a->nr_downs, 0);
	assert_int_equal(ontb_ntb_link_enable(b->ntb), 0);
	sw_settle(&rig);
	assert_true(sw_is_up(&rig, 0));
	assert_true(sw_is_up(&rig, 1));
	assert_int_equal(a->nr_ups, 1);
	assert_int_equal(b->nr_ups, 1);
	/* Once more changes nothing. */
	assert_int_equal(ontb_ntb_link_enable(b->ntb), 0);
	sw_settle(&rig);
	assert_int_equal(a->nr_ups, 1);
	assert_int_equal(a->nr_downs + b->nr_downs, 0);
	ontb_ntb_link_disable(a->ntb);
	assert_false(sw_is_up(&rig, 0));
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 1));
	assert_int_equal(a->nr_downs, 1);
	assert_int_equal(b->nr_downs, 1);
	assert_int_equal(ontb_ntb_link_enable(a->ntb), 0);
	sw_settle(&rig);
	assert_true(sw_is_up(&rig, 0));
	assert_true(sw_is_up(&rig, 1));
	assert_int_equal(a->nr_ups, 2);
	assert_int_equal(b->nr_ups, 2);
	sw_close(&rig);
}

static void an_interruption_is_heard_of_however_short(void **state)
{
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0], *b = &rig.hosts[1];

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	ontb_ntb_link_disable(b->ntb);
	assert_int_equal(ontb_ntb_link_enable(b->ntb), 0);
	sw_settle(&rig);
	assert_int_equal(a->nr_downs, 1);
	assert_int_equal(a->nr_ups, 2);
	assert_true(sw_is_up(&rig, 0));
	assert_true(sw_is_up(&rig, 1));
	/* The driver of b is started anew, and its first message is overwritten before a looks. */
	sw_remove(&rig, 1);
	sw_probe(&rig, 1);
	assert_int_equal(ontb_ntb_link_enable(b->ntb), 0);
	sw_settle(&rig);
	assert_int_equal(a->nr_downs, 2);
	assert_int_equal(a->nr_ups, 3);
	assert_true(sw_is_up(&rig, 0));
	assert_true(sw_is_up(&rig, 1));
	sw_close(&rig);
}

static void a_host_that_is_lost_and_comes_back_is_found_again(void **state)
{
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0];

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), 0);
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 0));
	assert_int_equal(a->nr_downs, 1);
	assert_int_equal(ontb_ntb_peer_spad_write(a->ntb, 0, 0, 1), -ENOLINK);
	/* Its software ends, with a function that does not answer any more. */
	sw_log_start();
	sw_remove(&rig, 1);
	sw_log_stop();
	sw_shutdown(&rig, 1);
	assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), 0);
	sw_boot(&rig, 1);
	sw_probe(&rig, 1);
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 0));
	assert_int_equal(ontb_ntb_link_enable(rig.hosts[1].ntb), 0);
	sw_settle(&rig);
	assert_true(sw_is_up(&rig, 0));
	assert_true(sw_is_up(&rig, 1));
	assert_int_equal(a->nr_ups, 2);
	assert_int_equal(ontb_ntb_peer_spad_write(a->ntb, 0, 3, 0x77), 0);
	assert_int_equal(sw_page(&rig, 1)[0x410 / 4 + 3], 0x77);
	sw_close(&rig);
}

/* Both come to see it as down, although only one of them could not read: nobody goes on using what the other gave up. */
static void a_host_that_cannot_read_takes_the_other_one_along(void **state)
{
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0], *b = &rig.hosts[1];
	uint32_t *page;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	page = sw_page(&rig, 1);
	page[0] = 0;
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 3);
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 0));
	assert_int_equal(a->nr_downs, 1);
	assert_int_equal(b->nr_downs, 1);
	page[0] = 0x45cc0001;
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 3);
	sw_settle(&rig);
	assert_true(sw_is_up(&rig, 0));
	assert_true(sw_is_up(&rig, 1));
	/* And that is the end of it. */
	assert_int_equal(a->nr_downs, 1);
	assert_int_equal(b->nr_downs, 1);
	assert_int_equal(a->nr_ups, 2);
	assert_int_equal(b->nr_ups, 2);
	sw_close(&rig);
}

/* A driver like Linux's counts no sessions: its word stays as it is. */
static void a_peer_that_counts_no_sessions_is_a_peer(void **state)
{
	struct sw_rig rig;
	uint32_t *page;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	assert_int_equal(ontb_ntb_link_enable(rig.hosts[0].ntb), 0);
	page = sw_page(&rig, 1);
	page[1] = 1;
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 1);
	sw_settle(&rig);
	assert_true(sw_is_up(&rig, 0));
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 3);
	sw_settle(&rig);
	assert_int_equal(rig.hosts[0].nr_ups, 1);
	assert_int_equal(rig.hosts[0].nr_downs, 0);
	/* Any value but 0 in its link word says up, as for Linux. */
	page[1] = 2;
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 3);
	sw_settle(&rig);
	assert_true(sw_is_up(&rig, 0));
	page[1] = 0;
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 2);
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 0));
	sw_close(&rig);
}

static void a_peer_that_starts_from_nothing_sees_the_page_again(void **state)
{
	uint64_t ctrl = ontb_sw_ctrl(1);
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	/* The peer resets its block, as a driver that gives up a lock does, and says that it starts anew. */
	sw_w32(&rig, 1, ctrl + 4, 1);
	sw_w32(&rig, 1, ctrl + 4, 3);
	assert_int_equal(sw_r64(&rig, 0, ctrl + ONTB_SW_CTRL_LUT(0)), 0);
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 4);
	sw_settle(&rig);
	assert_int_equal(sw_r64(&rig, 0, ctrl + ONTB_SW_CTRL_LUT(0)) & 0x7f, 1);
	assert_int_equal(rig.hosts[0].nr_downs, 1);
	assert_true(sw_is_up(&rig, 0));
	sw_close(&rig);
}

/* The message register of the link, as its host has not taken it yet: 0 if there is none. */
static uint32_t waiting_message(struct sw_rig *rig, unsigned int host)
{
	uint64_t imsg = sw_r64(rig, host, ontb_sw_dbmsg(host) + 0x1088);

	return imsg >> 32 & 1 ? (uint32_t)imsg : 0;
}

/*
 * Linux's driver sets up its page anew when it is told to forget a link, in a thread of its own, beside clients that set up
 * their windows in the same block: both may fail. So it is not told without need.
 */
static void a_peer_that_has_no_link_is_not_told_to_forget_it(void **state)
{
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_settle(&rig);
	sw_remove(&rig, 1);
	sw_settle(&rig);
	sw_probe(&rig, 1);
	assert_int_equal(waiting_message(&rig, 0), 0);
	sw_close(&rig);
}

static void a_peer_that_may_have_a_link_is_told_to_forget_it(void **state)
{
	struct sw_rig rig;
	uint32_t *page;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_settle(&rig);
	page = sw_page(&rig, 0);
	/* It wants a link, so it may have one with a driver that was here before. */
	sw_remove(&rig, 1);
	sw_settle(&rig);
	page[1] = 1;
	sw_probe(&rig, 1);
	assert_int_equal(waiting_message(&rig, 0), 4);
	sw_settle(&rig);
	assert_int_equal(waiting_message(&rig, 0), 0);
	page[1] = 0;
	/* Its page says nothing. */
	sw_remove(&rig, 1);
	sw_settle(&rig);
	page[0] = 0;
	sw_probe(&rig, 1);
	assert_int_equal(waiting_message(&rig, 0), 4);
	sw_settle(&rig);
	page[0] = 0x45cc0001;
	/* Its page cannot be seen: this host's block was reset, and the peer has to show it again. */
	sw_w32(&rig, 1, ontb_sw_ctrl(1) + 4, 1);
	sw_w32(&rig, 1, ontb_sw_ctrl(1) + 4, 3);
	assert_int_equal(sw_r64(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(0)), 0);
	sw_remove(&rig, 1);
	sw_settle(&rig);
	sw_probe(&rig, 1);
	assert_int_equal(waiting_message(&rig, 0), 4);
	sw_settle(&rig);
	assert_int_equal(sw_r64(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(0)) & 0x7f, 1);
	sw_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_link_is_up_while_both_want_it),
		cmocka_unit_test(an_interruption_is_heard_of_however_short),
		cmocka_unit_test(a_host_that_is_lost_and_comes_back_is_found_again),
		cmocka_unit_test(a_host_that_cannot_read_takes_the_other_one_along),
		cmocka_unit_test(a_peer_that_counts_no_sessions_is_a_peer),
		cmocka_unit_test(a_peer_that_starts_from_nothing_sees_the_page_again),
		cmocka_unit_test(a_peer_that_has_no_link_is_not_told_to_forget_it),
		cmocka_unit_test(a_peer_that_may_have_a_link_is_told_to_forget_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
