// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Doorbells and messages of the switch: what arrives where, and which interrupt it causes.
 */
#include "hw_rig.h"

#include "base/clock.h"
#include "hw/switchtec/regs.h"

#define ODB	  0x1000
#define ODB_MASK  0x1008
#define IDB	  0x1010
#define IDB_MASK  0x1018
#define MSG_MAP	  0x1060
#define OMSG(i)	  (0x1068 + 8 * (i))
#define IMSG(i)	  (0x1088 + 8 * (i))
#define STATUS	  (1ULL << 32)
#define TO_PORT_1 (1ULL << 32)

static uint64_t db(unsigned int port, uint32_t reg)
{
	return ontb_sw_dbmsg(port) + reg;
}

static void setup(struct rig *rig, unsigned int nr_ports)
{
	rig_open(rig, nr_ports);
	for (unsigned int p = 0; p < nr_ports; p++)
		rig_setup_dbmsg(rig, p);
}

static void doorbell_of_an_enabled_bit_interrupts_once_until_cleared(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w64(&rig, 1, db(1, IDB_MASK), UINT64_MAX);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	assert_true(r64(&rig, 1, db(1, IDB)) == TO_PORT_1);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	w64(&rig, 1, db(1, IDB), TO_PORT_1);
	assert_true(r64(&rig, 1, db(1, IDB)) == 0);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	assert_int_equal(rig.hosts[0].nr_vectors, 0);
	assert_true(r64(&rig, 0, db(0, IDB)) == 0);
	rig_close(&rig);
}

static void doorbell_pending_while_masked_fires_on_unmask(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w64(&rig, 0, db(0, ODB), TO_PORT_1 | TO_PORT_1 << 5);
	assert_int_equal(rig.hosts[1].nr_vectors, 0);
	w64(&rig, 1, db(1, IDB_MASK), 0xf000000000000000 | TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	/* Writing the same again is no change. */
	w64(&rig, 1, db(1, IDB_MASK), 0xf000000000000000 | TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	w64(&rig, 1, db(1, IDB_MASK), 0xf000000000000000);
	w64(&rig, 1, db(1, IDB_MASK), 0xf000000000000000 | TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	rig_close(&rig);
}

static void doorbell_mask_says_what_may_be_sent(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w64(&rig, 1, db(1, IDB_MASK), UINT64_MAX);
	w64(&rig, 0, db(0, ODB), 0xffffffff);
	assert_true(r64(&rig, 1, db(1, IDB)) == 0);
	w64(&rig, 0, db(0, ODB), UINT64_MAX);
	assert_true(r64(&rig, 1, db(1, IDB)) == 0x0fffffff00000000);
	/* The four highest bits are the message interrupts, whatever the mask says. */
	w64(&rig, 0, db(0, ODB_MASK), UINT64_MAX);
	w64(&rig, 0, db(0, ODB), UINT64_MAX);
	assert_true(r64(&rig, 1, db(1, IDB)) == 0x0fffffffffffffff);
	rig_close(&rig);
}

static void doorbell_halves_and_bytes_work(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w32(&rig, 1, db(1, IDB_MASK) + 4, 0xffffffff);
	w32(&rig, 0, db(0, ODB) + 4, 0x10);
	assert_true(r64(&rig, 1, db(1, IDB)) == 0x10ULL << 32);
	w8(&rig, 0, db(0, ODB) + 5, 0x02);
	assert_true(r64(&rig, 1, db(1, IDB)) == 0x210ULL << 32);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	w8(&rig, 1, db(1, IDB) + 4, 0xff);
	assert_int_equal(r32(&rig, 1, db(1, IDB) + 4), 0x200);
	assert_true(r64(&rig, 0, db(0, ODB)) == 0);
	rig_close(&rig);
}

static void each_doorbell_has_its_vector_and_a_common_one_fires_once(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w64(&rig, 1, db(1, IDB_MASK), UINT64_MAX);
	w8(&rig, 1, db(1, 0x1020) + 33, 3);
	assert_int_equal(rig_read(&rig, 1, 0, db(1, 0x1020) + 33, 1), 3);
	w64(&rig, 0, db(0, ODB), 0x7ULL << 32);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	assert_int_equal(rig.hosts[1].vectors[3], 1);
	assert_int_equal(rig.hosts[1].nr_vectors, 2);
	assert_int_equal(rig_status(&rig, 1).doorbells, 3);
	rig_close(&rig);
}

static void vector_that_the_function_lacks_is_refused(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w64(&rig, 1, db(1, IDB_MASK), UINT64_MAX);
	w8(&rig, 1, db(1, 0x1020) + 32, 4);
	w8(&rig, 1, db(1, 0x1020) + 33, 255);
	rig_log_start();
	w64(&rig, 0, db(0, ODB), 0x3ULL << 32);
	rig_log_stop();
	assert_int_equal(rig.hosts[1].nr_vectors, 0);
	assert_int_equal(rig_log_count(), 2);
	assert_string_equal(rig_log_last(), "port 1: interrupt on vector 255: the function has 4 vectors");
	rig_close(&rig);
}

static void doorbells_stay_inside_the_pair(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 6);
	for (unsigned int p = 0; p < 6; p++)
		w64(&rig, p, db(p, IDB_MASK), UINT64_MAX);
	w64(&rig, 2, db(2, ODB), TO_PORT_1);
	w64(&rig, 5, db(5, ODB), 1);
	for (unsigned int p = 0; p < 6; p++) {
		assert_true(r64(&rig, p, db(p, IDB)) == (p == 3 ? TO_PORT_1 : p == 4 ? 1 : 0));
		assert_int_equal(rig.hosts[p].nr_vectors, p == 3 || p == 4);
	}
	rig_close(&rig);
}

static void other_hosts_cannot_write_the_block_but_may_read_it(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w64(&rig, 0, db(1, IDB_MASK), 0);
	w64(&rig, 0, db(1, ODB), UINT64_MAX);
	w64(&rig, 0, db(1, MSG_MAP), 0);
	assert_true(r64(&rig, 0, db(1, IDB_MASK)) == 0xf000000000000000);
	assert_int_equal(rig.hosts[0].nr_vectors + rig.hosts[1].nr_vectors, 0);
	assert_int_equal(r32(&rig, 1, db(1, MSG_MAP)), 0x03020100);
	/* The driver flushes its write buffers by reading the first block, whoever it is. */
	assert_true(r64(&rig, 1, 0x75000) == 0);
	rig_close(&rig);
}

static void messages_follow_the_map_of_the_receiver(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	for (uint32_t i = 0; i < 4; i++) {
		w32(&rig, 0, db(0, OMSG(i)), 0x1000 + i);
		assert_true(r64(&rig, 1, db(1, IMSG(i))) == (1ULL << 40 | STATUS | (0x1000 + i)));
		assert_int_equal(rig.hosts[1].vectors[2], i + 1);
	}
	/* One message into two registers, another nowhere. */
	w32(&rig, 1, db(1, MSG_MAP), 0xffff0202);
	for (uint32_t i = 0; i < 4; i++)
		w8(&rig, 1, db(1, IMSG(i)) + 4, 1);
	w32(&rig, 0, db(0, OMSG(2)), 0xabc);
	w32(&rig, 0, db(0, OMSG(3)), 0xdef);
	assert_int_equal(r32(&rig, 1, db(1, IMSG(0))), 0xabc);
	assert_int_equal(r32(&rig, 1, db(1, IMSG(1))), 0xabc);
	assert_int_equal(r32(&rig, 1, db(1, IMSG(3))), 0x1003);
	assert_int_equal(rig_status(&rig, 1).messages, 6);
	rig_close(&rig);
}

static void message_overwrites_one_that_was_not_read(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 2);
	w32(&rig, 0, db(0, OMSG(0)), 2);
	w32(&rig, 0, db(0, OMSG(0)), 3);
	assert_int_equal(r64(&rig, 1, db(1, IMSG(0))) & (STATUS | 0xff), STATUS | 3);
	assert_int_equal(rig.hosts[1].vectors[2], 2);
	rig_close(&rig);
}

static void message_says_who_sent_it(void **state)
{
	struct rig rig;

	(void)state;
	setup(&rig, 8);
	w32(&rig, 7, db(7, OMSG(1)), 0x77);
	assert_int_equal(rig_read(&rig, 6, 0, db(6, IMSG(1)) + 6, 1), 7);
	assert_int_equal(r32(&rig, 6, db(6, IMSG(1))), 0x77);
	rig_close(&rig);
}

static void message_status_and_mask_are_bytes(void **state)
{
	struct rig rig;
	uint64_t reg = db(1, IMSG(0));

	(void)state;
	setup(&rig, 2);
	w8(&rig, 1, reg + 5, 0);
	w32(&rig, 0, db(0, OMSG(0)), 9);
	assert_int_equal(rig.hosts[1].nr_vectors, 0);
	assert_true(r64(&rig, 1, reg) == (STATUS | 9));
	/* Enabling it while a message waits interrupts, as with doorbells. */
	w8(&rig, 1, reg + 5, 1);
	assert_int_equal(rig.hosts[1].vectors[2], 1);
	/* A 0 clears nothing, and the message itself is read-only. */
	w8(&rig, 1, reg + 4, 0);
	w32(&rig, 1, reg, 0x55);
	assert_true(r64(&rig, 1, reg) == (1ULL << 40 | STATUS | 9));
	w8(&rig, 1, reg + 4, 1);
	assert_true(r64(&rig, 1, reg) == (1ULL << 40 | 9));
	rig_close(&rig);
}

static void message_to_a_partition_without_map_goes_nowhere(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	rig_setup_dbmsg(&rig, 0);
	w32(&rig, 0, db(0, OMSG(0)), 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(r64(&rig, 1, db(1, IMSG(i))) == 0);
	assert_int_equal(rig.hosts[1].nr_vectors, 0);
	rig_close(&rig);
}

static void pending_bits_of_msix_show_what_is_held_back(void **state)
{
	struct rig rig;
	uint64_t pba = db(1, ONTB_SW_MSIX_PBA);

	(void)state;
	setup(&rig, 2);
	rig.hosts[1].held = 1ULL << 3;
	assert_int_equal(r64(&rig, 1, pba), 8);
	/* With bus mastering off the function cannot send: latched, shown, and sent when it is on again. */
	w64(&rig, 1, db(1, IDB_MASK), UINT64_MAX);
	rig_set_command(&rig, 1, 2);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	w32(&rig, 0, db(0, OMSG(0)), 1);
	assert_int_equal(rig.hosts[1].nr_vectors, 0);
	assert_int_equal(r64(&rig, 1, pba), 8 | 4 | 2);
	assert_int_equal(r64(&rig, 0, pba), 0);
	rig_enable(&rig, 1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	assert_int_equal(rig.hosts[1].vectors[2], 1);
	assert_int_equal(r64(&rig, 1, pba), 8);
	w64(&rig, 1, pba, 0);
	assert_int_equal(r64(&rig, 1, pba), 8);
	rig_close(&rig);
}

static uint64_t wake_deadline;
static unsigned int nr_wakes;

static void wake(void *arg, uint64_t deadline_ns)
{
	assert_ptr_equal(arg, &wake_deadline);
	wake_deadline = deadline_ns;
	nr_wakes++;
}

static void hold_open(struct rig *rig, uint64_t hold_ns)
{
	struct ontb_switchtec_config config;

	ontb_switchtec_config_init(&config);
	config.hold_doorbells_after_message_ns = hold_ns;
	config.wake = wake;
	config.wake_arg = &wake_deadline;
	nr_wakes = 0;
	wake_deadline = 0;
	rig_open_config(rig, &config);
	rig_setup_dbmsg(rig, 0);
	rig_setup_dbmsg(rig, 1);
	w64(rig, 1, db(1, IDB_MASK), UINT64_MAX);
}

static void held_doorbell_interrupts_after_the_last_message(void **state)
{
	uint64_t hold = 3600 * ONTB_NS_PER_S, first;
	struct rig rig;

	(void)state;
	hold_open(&rig, hold);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	w64(&rig, 1, db(1, IDB), TO_PORT_1);
	assert_int_equal(nr_wakes, 0);

	w32(&rig, 0, db(0, OMSG(0)), 1);
	assert_int_equal(rig.hosts[1].vectors[2], 1);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	assert_true(r64(&rig, 1, db(1, IDB)) == TO_PORT_1);
	assert_int_equal(nr_wakes, 1);
	first = wake_deadline;
	assert_true(first >= ontb_clock_ns() + hold / 2);
	/* A later message moves the end; asked too early, it names the new one. */
	w32(&rig, 0, db(0, OMSG(0)), 3);
	assert_true(ontb_bridge_run_timers(rig.bridge, first) > first);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	assert_true(ontb_bridge_run_timers(rig.bridge, first + hold) == UINT64_MAX);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	assert_true(ontb_bridge_run_timers(rig.bridge, first + 2 * hold) == UINT64_MAX);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	rig_close(&rig);
}

/* Like Linux's driver: it has noted that the link is up when it reads this. */
static void held_doorbell_interrupts_when_the_host_looks_at_its_link(void **state)
{
	const uint64_t status = ontb_sw_pff(ontb_sw_vep_pff(1)) + ONTB_SW_PFF_LINK_STATUS;
	struct rig rig;

	(void)state;
	hold_open(&rig, 3600 * ONTB_NS_PER_S);
	w32(&rig, 0, db(0, OMSG(0)), 1);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 0);
	(void)r32(&rig, 0, status);
	assert_int_equal(rig.hosts[1].vectors[1], 0);
	assert_int_not_equal(r32(&rig, 1, status), 0);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	/* Until the next message nothing waits. */
	w64(&rig, 1, db(1, IDB), TO_PORT_1);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	w32(&rig, 0, db(0, OMSG(0)), 3);
	w64(&rig, 1, db(1, IDB), TO_PORT_1);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 2);
	assert_true(ontb_bridge_run_timers(rig.bridge, UINT64_MAX - 1) == UINT64_MAX);
	assert_int_equal(rig.hosts[1].vectors[1], 3);
	rig_close(&rig);
}

static void held_doorbell_that_was_cleared_or_masked_does_not_interrupt(void **state)
{
	uint64_t hold = 3600 * ONTB_NS_PER_S;
	struct rig rig;

	(void)state;
	hold_open(&rig, hold);
	w32(&rig, 0, db(0, OMSG(0)), 1);
	w64(&rig, 0, db(0, ODB), 0x3ULL << 32);
	w64(&rig, 1, db(1, IDB), 0x1ULL << 32);
	w64(&rig, 1, db(1, IDB_MASK), ~(0x2ULL << 32));
	(void)ontb_bridge_run_timers(rig.bridge, UINT64_MAX - 1);
	assert_int_equal(rig.hosts[1].vectors[1], 0);
	rig_close(&rig);
}

static void hold_ends_with_a_reset(void **state)
{
	uint64_t hold = 3600 * ONTB_NS_PER_S;
	struct rig rig;

	(void)state;
	hold_open(&rig, hold);
	w32(&rig, 0, db(0, OMSG(0)), 1);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	rig_reset(&rig, 1);
	rig_enable(&rig, 1);
	rig_setup_dbmsg(&rig, 1);
	w64(&rig, 1, db(1, IDB_MASK), UINT64_MAX);
	(void)ontb_bridge_run_timers(rig.bridge, UINT64_MAX - 1);
	assert_int_equal(rig.hosts[1].vectors[1], 0);
	w64(&rig, 0, db(0, ODB), TO_PORT_1);
	assert_int_equal(rig.hosts[1].vectors[1], 1);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doorbell_of_an_enabled_bit_interrupts_once_until_cleared),
		cmocka_unit_test(doorbell_pending_while_masked_fires_on_unmask),
		cmocka_unit_test(doorbell_mask_says_what_may_be_sent),
		cmocka_unit_test(doorbell_halves_and_bytes_work),
		cmocka_unit_test(each_doorbell_has_its_vector_and_a_common_one_fires_once),
		cmocka_unit_test(vector_that_the_function_lacks_is_refused),
		cmocka_unit_test(doorbells_stay_inside_the_pair),
		cmocka_unit_test(other_hosts_cannot_write_the_block_but_may_read_it),
		cmocka_unit_test(messages_follow_the_map_of_the_receiver),
		cmocka_unit_test(message_overwrites_one_that_was_not_read),
		cmocka_unit_test(message_says_who_sent_it),
		cmocka_unit_test(message_status_and_mask_are_bytes),
		cmocka_unit_test(message_to_a_partition_without_map_goes_nowhere),
		cmocka_unit_test(pending_bits_of_msix_show_what_is_held_back),
		cmocka_unit_test(held_doorbell_interrupts_after_the_last_message),
		cmocka_unit_test(held_doorbell_interrupts_when_the_host_looks_at_its_link),
		cmocka_unit_test(held_doorbell_that_was_cleared_or_masked_does_not_interrupt),
		cmocka_unit_test(hold_ends_with_a_reset),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
