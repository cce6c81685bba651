// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The lock of a control block: by itself, and through its registers.
 */
#include "hw_rig.h"

#include <string.h>

#include "hw/switchtec/partlock.h"
#include "hw/switchtec/regs.h"

#define OP(part) (ontb_sw_ctrl(part) + 4)

static void waiting_ports_get_the_lock_in_order(void **state)
{
	struct ontb_partlock lock;

	(void)state;
	ontb_partlock_init(&lock);
	assert_true(ontb_partlock_request(&lock, 5));
	for (unsigned int p = 10; p < 48; p++)
		assert_false(ontb_partlock_request(&lock, p));
	assert_false(ontb_partlock_request(&lock, 20));
	assert_int_equal(lock.nr_waiting, 38);
	ontb_partlock_drop(&lock, 11);
	ontb_partlock_drop(&lock, 5);
	assert_int_equal(ontb_partlock_view(&lock, 10), ONTB_PART_LOCKED);
	ontb_partlock_drop(&lock, 10);
	assert_int_equal(ontb_partlock_view(&lock, 11), ONTB_PART_NORMAL);
	assert_int_equal(ontb_partlock_view(&lock, 12), ONTB_PART_LOCKED);
	assert_int_equal(ontb_partlock_view(&lock, 47), ONTB_PART_LOCKING);
	for (unsigned int p = 12; p < 48; p++)
		ontb_partlock_drop(&lock, p);
	assert_int_equal(lock.owner, ONTB_PARTLOCK_FREE);
	assert_int_equal(lock.nr_waiting, 0);
}

static void each_port_has_its_own_view(void **state)
{
	struct ontb_partlock lock;

	(void)state;
	ontb_partlock_init(&lock);
	for (unsigned int p = 0; p < 48; p++)
		assert_int_equal(ontb_partlock_view(&lock, p), ONTB_PART_NORMAL);
	(void)ontb_partlock_request(&lock, 0);
	(void)ontb_partlock_request(&lock, 1);
	assert_int_equal(ontb_partlock_view(&lock, 0), ONTB_PART_LOCKED);
	assert_int_equal(ontb_partlock_view(&lock, 1), ONTB_PART_LOCKING);
	assert_int_equal(ontb_partlock_view(&lock, 2), ONTB_PART_NORMAL);
	assert_true(ontb_partlock_allows(&lock, 0));
	assert_false(ontb_partlock_allows(&lock, 1));
	ontb_partlock_refuse(&lock, 47);
	assert_int_equal(ontb_partlock_view(&lock, 47), ONTB_PART_REFUSED);
	(void)ontb_partlock_request(&lock, 47);
	assert_int_equal(ontb_partlock_view(&lock, 47), ONTB_PART_LOCKING);
}

static void drop_by_one_who_has_nothing_changes_nothing(void **state)
{
	struct ontb_partlock lock;

	(void)state;
	ontb_partlock_init(&lock);
	ontb_partlock_drop(&lock, 3);
	assert_int_equal(lock.owner, ONTB_PARTLOCK_FREE);
	(void)ontb_partlock_request(&lock, 1);
	ontb_partlock_drop(&lock, 3);
	assert_int_equal(lock.owner, 1);
}

static void locking_twice_is_one_lock(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_commit(&rig, 0, 1), 1);
	assert_int_equal(rig_lock(&rig, 1, 1), 2);
	rig_close(&rig);
}

static void commit_hands_the_lock_to_the_waiting_host(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_lock(&rig, 1, 1), 3);
	assert_int_equal(rig_commit(&rig, 0, 1), 1);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1)), 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 3);
	assert_int_equal(rig_commit(&rig, 1, 1), 1);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1)), 2);
	rig_close(&rig);
}

static void blocks_have_locks_of_their_own(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 4);
	assert_int_equal(rig_lock(&rig, 0, 0), 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_lock(&rig, 2, 3), 2);
	assert_int_equal(rig_lock(&rig, 3, 2), 2);
	assert_int_equal(r32(&rig, 2, ontb_sw_ctrl(0)), 1);
	rig_close(&rig);
}

static void reset_by_the_owner_clears_the_block_and_unlocks(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_lut(&rig, 0, 4, RIG_RAM_BASE);
	rig_open_direct(&rig, 0, 4, RIG_RAM_BASE, 0x1000);
	rig_lock(&rig, 1, 1);
	w32(&rig, 1, ontb_sw_ctrl(1) + 0x400, 0x00080001);
	rig_commit(&rig, 1, 1);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_lock(&rig, 1, 1), 3);
	w32(&rig, 0, OP(1), 3);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1)), 1);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1)), 2);
	assert_int_equal(rig_status(&rig, 1).nr_windows, 0);
	assert_true(r64(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(4)) == 0);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + 0x400), 0);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_CTL(4)), 1);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1) + 0x14), 0x10000000 | 32);
	rig_close(&rig);
}

static void reset_by_a_waiting_host_only_leaves_the_queue(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_open_lut(&rig, 0, 4, RIG_RAM_BASE);
	assert_int_equal(rig_lock(&rig, 0, 1), 2);
	assert_int_equal(rig_lock(&rig, 1, 1), 3);
	w32(&rig, 1, OP(1), 3);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1)), 1);
	assert_int_equal(rig_status(&rig, 1).nr_windows, 1);
	assert_int_equal(rig_commit(&rig, 0, 1), 1);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1)), 1);
	rig_close(&rig);
}

static void operations_that_do_not_exist_are_refused(void **state)
{
	static const uint32_t ops[] = { 0, 4, 5, 0x101, UINT32_MAX };
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(ops); i++) {
		rig_log_start();
		w32(&rig, 0, OP(1), ops[i]);
		rig_log_stop();
		assert_non_null(strstr(rig_log_last(), "no such operation"));
		assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1)), 1);
	}
	/* The upper bytes alone are no operation; the lowest one alone is. */
	rig_write(&rig, 0, 0, OP(1) + 1, 1, 2);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1)), 1);
	w8(&rig, 0, OP(1), 1);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1)), 2);
	rig_close(&rig);
}

static void requester_ids_get_proxy_ids(void **state)
{
	uint64_t table = ontb_sw_ctrl(0) + 0x400;
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_lock(&rig, 0, 0);
	for (unsigned int i = 0; i < 16; i++) {
		w32(&rig, 0, table + 4 * i, 0xabcd01fe + i);
		assert_int_equal(r32(&rig, 0, table + 4 * i), 0xabcd0000 | i << 1 | (i & 1));
	}
	w32(&rig, 0, table + 4 * 16, 0xffffffff);
	assert_int_equal(r32(&rig, 0, table + 4 * 16), 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_ports_get_the_lock_in_order),
		cmocka_unit_test(each_port_has_its_own_view),
		cmocka_unit_test(drop_by_one_who_has_nothing_changes_nothing),
		cmocka_unit_test(locking_twice_is_one_lock),
		cmocka_unit_test(commit_hands_the_lock_to_the_waiting_host),
		cmocka_unit_test(blocks_have_locks_of_their_own),
		cmocka_unit_test(reset_by_the_owner_clears_the_block_and_unlocks),
		cmocka_unit_test(reset_by_a_waiting_host_only_leaves_the_queue),
		cmocka_unit_test(operations_that_do_not_exist_are_refused),
		cmocka_unit_test(requester_ids_get_proxy_ids),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
