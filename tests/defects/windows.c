// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What a window shows and whose it is: defects 2, 3, 4 and 9.
 */
#include <errno.h>

#include "defects.h"

#define LAST (MOCK_NR_WINDOWS - 1)

static uint64_t shown(const struct grant_rig *rig, unsigned int window)
{
	return rig->net->hosts[0].sides[0].windows[window].size;
}

/* There is a first message before the window is opened; the others are elsewhere, and the first one goes elsewhere too. */
void defect_02_window_follows_the_first_message(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(2, DEFECTS_BRIDGE, 4);
	const unsigned int cpus[] = { 1, 3 };

	(void)state;
	mock_set_link(rig->net, 0, 1, false);
	for (unsigned int host = 0; host < 2; host++)
		assert_int_equal(grant_rig_start(rig, host), 0);
	for (unsigned int i = 0; i < 2; i++)
		(void)defects_irq(rig, 0, i, cpus[i]);
	mock_set_link(rig->net, 0, 1, true);
	mock_run(rig->net);
	for (unsigned int i = 0; i < 2; i++)
		defects_grant(rig, 0, i, 1);
	mock_run(rig->net);
	for (unsigned int i = 0; i < 2; i++) {
		defects_raise(rig, 1, 0, i);
		expect(rig->ends[0].irq[i].nr_handled == 1, "a message outside of the window is lost");
		expect(rig->ends[0].irq[i].last_cpu == cpus[i], "a message reached another CPU");
	}
	defects_move(rig, 0, 0, 2);
	mock_run(rig->net);
	defects_raise(rig, 1, 0, 0);
	expect(rig->ends[0].irq[0].nr_handled == 2, "an interrupt that has moved is dead");
	assert_int_equal(rig->net->hosts[0].nr_closed, 0);
	grant_rig_free(rig);
}

static void check_width(void)
{
	struct grant_rig *rig = grant_rig_new(2, DEFECTS_BRIDGE, 1);

	assert_true(rig->net->hosts[0].window_max > MOCK_MSI_SIZE);
	expect(shown(rig, LAST) == MOCK_MSI_SIZE, "the window shows more than interrupt addresses");
	grant_rig_free(rig);
}

/* Somebody else is the bridge's client, which is found out after the windows of all peers were claimed. */
static void check_undoing(void)
{
	static const struct ontb_ntb_events events;
	struct grant_rig *rig = grant_rig_new_bare(3, DEFECTS_BRIDGE, 1);
	struct ontb_ntb *ntb = rig->net->hosts[0].ntb;

	assert_int_equal(ontb_ntb_set_client(ntb, &events, NULL), 0);
	assert_int_equal(grant_rig_start(rig, 0), -EBUSY);
	for (unsigned int peer = 0; peer < 2; peer++) {
		expect(!ontb_ntb_window_claim(ntb, peer, LAST), "what failed keeps the window of a peer");
		ontb_ntb_window_release(ntb, peer, LAST);
	}
	assert_int_equal(ontb_ntb_set_client(ntb, NULL, NULL), 0);
	grant_rig_free(rig);
}

void defect_03_window_is_too_wide_and_undone_at_the_wrong_peer(void **state)
{
	(void)state;
	check_width();
	check_undoing();
}

/* The first interrupt address is also the window's first address. */
void defect_04_offset_zero_means_none(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, DEFECTS_BRIDGE, 1);
	struct grant_irq *irq = defects_irq(rig, 0, 0, 0);

	(void)state;
	defects_grant(rig, 0, 0, 1);
	mock_run(rig->net);
	expect(!ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), "a message with offset 0 was taken for none");
	assert_int_equal(irq->nr_handled, 1);
	defects_move(rig, 0, 0, 1);
	mock_run(rig->net);
	defects_raise(rig, 1, 0, 0);
	assert_int_equal(irq->nr_handled, 2);
	grant_rig_free(rig);
}

/* Another client has the last window. */
void defect_09_last_window_is_taken_silently(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(2, DEFECTS_BRIDGE, 1);
	struct ontb_ntb *ntb = rig->net->hosts[0].ntb;

	(void)state;
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, LAST), 0);
	rig->ends[0].config.window = LAST;
	expect(grant_rig_start(rig, 0) == -EBUSY, "a window that another client has was taken");
	rig->ends[0].config.window = -1;
	for (unsigned int host = 0; host < 2; host++)
		assert_int_equal(grant_rig_start(rig, host), 0);
	mock_run(rig->net);
	expect(!shown(rig, LAST) && shown(rig, 0), "another client's window was opened");
	expect(ontb_ntb_window_claim(ntb, 0, 0) == -EBUSY, "a second client got the window of the interrupts");
	(void)defects_irq(rig, 0, 0, 1);
	defects_grant(rig, 0, 0, 1);
	mock_run(rig->net);
	defects_raise(rig, 1, 0, 0);
	assert_int_equal(rig->ends[0].irq[0].nr_handled, 1);
	grant_rig_stop(rig, 0);
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, 0), 0);
	for (unsigned int i = 0; i < MOCK_NR_WINDOWS; i++)
		ontb_ntb_window_release(ntb, 0, i);
	grant_rig_free(rig);
}
