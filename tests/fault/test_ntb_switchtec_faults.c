// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The probe of the Switchtec driver fails at its first, second, third ... fallible call: nothing leaks (neither memory of the
 * process nor of the machine), the function is free for another try, and the other host does not notice.
 */
#include <errno.h>

#include "inject.h"
#include "../unit/ntb/switchtec_rig.h"

#define MAX_STEPS 2000

static void probe_undoes_what_it_did(void **state)
{
	struct ontb_ntb *const untouched = (struct ontb_ntb *)0x1;
	struct sw_rig rig;
	struct sw_host *host = &rig.hosts[0];
	unsigned int nth;

	(void)state;
	sw_build(&rig, SW_TWO, true);
	for (unsigned int h = 0; h < 2; h++)
		sw_boot(&rig, h);
	sw_probe(&rig, 1);
	assert_int_equal(ontb_ntb_link_enable(rig.hosts[1].ntb), 0);
	sw_settle(&rig);
	sw_log_start();
	for (nth = 0; nth < MAX_STEPS; nth++) {
		struct ontb_ntb *ntb = untouched;
		int ret;

		inject_arm(nth);
		ret = ontb_ntb_switchtec_probe(host->dev, host->workers, host->pages, &ntb);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			host->ntb = ntb;
			break;
		}
		if (ret >= 0)
			fail_msg("call %u, %s, failed and the probe did not", nth, inject_failed_call());
		assert_ptr_equal(ntb, untouched);
		sw_settle(&rig);
		assert_int_equal(rig.hosts[1].nr_ups + rig.hosts[1].nr_downs, 0);
	}
	sw_log_stop();
	/* At least the driver, its bridge, two workers, a MSI device, a domain and three interrupts. */
	assert_in_range(nth, 9, MAX_STEPS - 1);
	assert_int_equal(ontb_ntb_link_enable(host->ntb), 0);
	sw_settle(&rig);
	assert_true(ontb_ntb_link_is_up(host->ntb, 0));
	assert_true(sw_is_up(&rig, 1));
	ontb_ntb_switchtec_remove(host->ntb);
	host->ntb = NULL;
	sw_close(&rig);
}

/* What works with windows, doorbells and messages allocates nothing: it cannot fail for want of memory. */
static void nothing_allocates_after_the_probe(void **state)
{
	struct ontb_page_run run;
	struct sw_rig rig;
	struct ontb_ntb *a, *b;
	unsigned int peer;
	uint32_t value;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	a = rig.hosts[0].ntb;
	b = rig.hosts[1].ntb;
	run = sw_memory(&rig, 0, 0x1000);
	inject_arm(0);
	assert_int_equal(ontb_ntb_window_open(a, 0, 1, run.addr, run.size), 0);
	assert_int_equal(ontb_ntb_peer_write32(b, 0, 1, 0, 7), 0);
	assert_int_equal(ontb_ntb_peer_read(b, 0, 1, 0, &value, 4), 0);
	assert_int_equal(ontb_ntb_window_close(a, 0, 1), 0);
	assert_int_equal(ontb_ntb_peer_spad_write(b, 0, 0, 1), 0);
	assert_int_equal(ontb_ntb_peer_msg_write(b, 0, 0, 1), 0);
	assert_int_equal(ontb_ntb_msg_read(a, 0, &peer, &value), 0);
	assert_int_equal(ontb_ntb_peer_db_set(b, 0, 1), 0);
	assert_int_equal(ontb_ntb_guard_set(a, 0, &(struct ontb_msi_msg){ 0xfee00000, 1 }), 0);
	assert_int_equal(ontb_ntb_guard_enable(a, true), 0);
	ontb_ntb_link_disable(a);
	assert_int_equal(ontb_ntb_link_enable(a), 0);
	assert_false(inject_disarm());
	sw_release(&rig, 0, &run);
	sw_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_undoes_what_it_did),
		cmocka_unit_test(nothing_allocates_after_the_probe),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
