// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Ways: delays that keep the order, reads that push, links that go down, and writes that get lost.
 */
#include "rig.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"

#define RID ONTB_RID(0, 2, 0)

static struct rig rig;
static struct rig_switch a, b;

/* Window 0 leads to memory of host b, window 1 to its interrupt addresses. */
static void open_pair(bool is_stepped, const char *more)
{
	char text[200];

	strcpy(text, "host a cpus=1; host b cpus=1; bridge switchtec a b;");
	strcat(text, more);
	rig_open(&rig, text, is_stepped, 7);
	rig_open_switch(&rig, &a, 0, 0, RID);
	rig_open_switch(&rig, &b, 1, 1, RID);
	rig_open_lut(&b, 0, rig_addr(&rig, 1, 0));
	rig_open_lut(&b, 1, 0xfee00000);
}

static void set_way(uint64_t delay, uint64_t jitter, unsigned int drop_every, bool is_down)
{
	const struct ontb_fabric_way way = { delay, jitter, drop_every, is_down };

	assert_int_equal(ontb_fabric_set_way(rig.fabric, 0, 1, &way), 0);
}

static uint64_t word(unsigned int i)
{
	return __atomic_load_n((uint64_t *)(void *)rig_ram(&rig, 1, 8 * i), __ATOMIC_ACQUIRE);
}

static void write_word(unsigned int i, uint64_t value)
{
	rig_write(&rig, 0, a.bar2 + 8 * i, value, 8);
}

static void interrupt(uint32_t vector)
{
	rig_write(&rig, 0, a.bar2 + 0x10000, vector, 4);
}

static void direct_way_delivers_at_once(void **state)
{
	(void)state;
	open_pair(true, "");
	write_word(0, 1);
	assert_int_equal(word(0), 1);
	assert_false(ontb_fabric_step(rig.fabric));
	rig_close(&rig);
}

static void delayed_writes_arrive_in_order(void **state)
{
	unsigned int nr = 0;

	(void)state;
	open_pair(true, "way 0 1 delay=10 jitter=30");
	for (unsigned int i = 0; i < 50; i++)
		write_word(i, i + 1);
	interrupt(0x40);
	assert_int_equal(word(0), 0);
	while (ontb_fabric_step(rig.fabric)) {
		/* What has arrived is a beginning of what was sent. */
		while (nr < 50 && word(nr))
			nr++;
		for (unsigned int i = nr; i < 50; i++)
			assert_int_equal(word(i), 0);
		if (rig.nr_taken)
			assert_int_equal(nr, 50);
	}
	assert_int_equal(nr, 50);
	assert_int_equal(rig.nr_taken, 1);
	rig_close(&rig);
}

static void delay_passes_by_itself(void **state)
{
	uint64_t start, deadline;

	(void)state;
	open_pair(false, "way 0 1 delay=20ms");
	start = ontb_clock_ns();
	write_word(0, 0x77);
	interrupt(0x40);
	rig_wait(&rig, 1, 0x40, 1);
	assert_true(ontb_clock_ns() - start >= 20 * ONTB_NS_PER_MS);
	assert_int_equal(word(0), 0x77);
	/* Without an interrupt too. */
	write_word(1, 0x78);
	deadline = ontb_clock_ns() + 10 * ONTB_NS_PER_S;
	while (word(1) != 0x78 && ontb_clock_ns() < deadline)
		sched_yield();
	assert_int_equal(word(1), 0x78);
	rig_close(&rig);
}

static void read_of_the_host_pushes(void **state)
{
	(void)state;
	open_pair(true, "way 0 1 delay=1s");
	write_word(0, 1);
	assert_int_equal(word(0), 0);
	(void)rig_read(&rig, 1, b.bar0 + 0x2000, 4);
	assert_int_equal(word(0), 1);
	write_word(0, 2);
	(void)rig_cfg(&rig, 1, RID, 0, 4);
	assert_int_equal(word(0), 2);
	/* A read through the window goes the same way as the writes. */
	write_word(0, 3);
	assert_int_equal(rig_read(&rig, 0, a.bar2, 8), 3);
	assert_int_equal(word(0), 3);
	/* A read of the other host's own function does not. */
	write_word(0, 4);
	(void)rig_read(&rig, 0, a.bar0 + 0x2000, 4);
	assert_int_equal(word(0), 3);
	assert_false(rig_status(&rig, 1).way_dropped);
	rig_close(&rig);
}

static void shorter_delay_does_not_overtake(void **state)
{
	(void)state;
	open_pair(true, "way 0 1 delay=1000");
	write_word(0, 1);
	set_way(1, 0, 0, false);
	write_word(0, 2);
	assert_true(ontb_fabric_step(rig.fabric));
	assert_int_equal(word(0), 1);
	assert_true(ontb_fabric_step(rig.fabric));
	assert_int_equal(word(0), 2);
	/* Without delay nothing waits any more. */
	set_way(1000, 0, 0, false);
	write_word(0, 3);
	set_way(0, 0, 0, false);
	assert_int_equal(word(0), 3);
	assert_false(ontb_fabric_step(rig.fabric));
	rig_close(&rig);
}

static void link_that_goes_down_takes_all_with_it(void **state)
{
	(void)state;
	open_pair(true, "");
	set_way(100, 0, 0, false);
	write_word(0, 1);
	write_word(1, 1);
	interrupt(0x40);
	set_way(100, 0, 0, true);
	assert_int_equal(rig_status(&rig, 1).way_dropped, 3);
	write_word(2, 1);
	interrupt(0x41);
	rig_run(&rig);
	assert_int_equal(word(0) + word(1) + word(2), 0);
	assert_int_equal(rig.nr_taken, 0);
	assert_int_equal(rig_status(&rig, 1).way_dropped, 5);
	/* Nothing passes, whoever asks. */
	assert_true(rig_read(&rig, 0, a.bar2, 8) == ALL_ONES);
	assert_true(rig_read(&rig, 1, b.bar0 + 0x2000, 4) == 0xffffffff);
	assert_int_equal(rig_cfg(&rig, 1, RID, 0, 2), 0xffff);
	rig_set_cfg(&rig, 1, RID, 4, 0, 2);
	rig_write(&rig, 1, b.bar0 + 0x2000, 0, 4);
	/* The function itself is as it was. */
	set_way(0, 0, 0, false);
	assert_int_equal(rig_cfg(&rig, 1, RID, 4, 2), 6);
	write_word(2, 7);
	assert_int_equal(word(2), 7);
	rig_close(&rig);
}

static void every_nth_message_is_dropped(void **state)
{
	(void)state;
	open_pair(true, "way 0 1 drop=3");
	for (unsigned int i = 0; i < 9; i++) {
		write_word(i, 1);
		interrupt(0x40 + i);
		rig_run(&rig);
	}
	assert_int_equal(rig.nr_taken, 6);
	assert_int_equal(rig_count(&rig, 1, 0x42), 0);
	assert_int_equal(rig_count(&rig, 1, 0x45), 0);
	assert_int_equal(rig_count(&rig, 1, 0x48), 0);
	for (unsigned int i = 0; i < 9; i++)
		assert_int_equal(word(i), 1);
	assert_int_equal(rig_status(&rig, 1).way_dropped, 3);
	rig_close(&rig);
}

static void unplugged_function_drops_what_is_on_its_way(void **state)
{
	(void)state;
	open_pair(true, "way 0 1 delay=100");
	write_word(0, 1);
	interrupt(0x40);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), 0);
	rig_run(&rig);
	assert_int_equal(word(0), 0);
	assert_int_equal(rig.nr_taken, 0);
	assert_int_equal(rig_status(&rig, 1).way_dropped, 2);
	rig_close(&rig);
}

static void own_vectors_take_the_same_way(void **state)
{
	(void)state;
	open_pair(true, "way 0 1 delay=100");
	rig_setup_doorbell(&a);
	rig_setup_doorbell(&b);
	rig_arm_msix(&rig, 1, RID, b.bar0, 0x74000 + 0x4000 + 0x2000, 1, rig_msi_addr(0), 0x51);
	write_word(0, 1);
	rig_ring(&a, 1ULL << 32);
	assert_true(ontb_fabric_step(rig.fabric));
	assert_int_equal(word(0), 1);
	assert_int_equal(rig.nr_taken, 0);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 1, 0x51), 1);
	rig_close(&rig);
}

static void endless_delay_is_no_overflow(void **state)
{
	(void)state;
	open_pair(true, "");
	set_way(UINT64_MAX, UINT64_MAX, 0, false);
	write_word(0, 1);
	assert_int_equal(word(0), 0);
	set_way(0, 0, 0, false);
	assert_int_equal(word(0), 1);
	rig_close(&rig);
}

static void flood_has_an_end(void **state)
{
	struct ontb_port_status status;

	(void)state;
	open_pair(true, "way 0 1 delay=1s");
	for (unsigned int i = 0; i < 65536 + 10; i++)
		write_word(0, i);
	assert_int_equal(rig_status(&rig, 1).way_dropped, 10);
	assert_int_equal(ontb_bridge_port_status(ontb_fabric_bridge(rig.fabric, 0), 0, &status), 0);
	assert_int_equal(status.dropped, 10);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direct_way_delivers_at_once),
		cmocka_unit_test(delayed_writes_arrive_in_order),
		cmocka_unit_test(delay_passes_by_itself),
		cmocka_unit_test(read_of_the_host_pushes),
		cmocka_unit_test(shorter_delay_does_not_overtake),
		cmocka_unit_test(link_that_goes_down_takes_all_with_it),
		cmocka_unit_test(every_nth_message_is_dropped),
		cmocka_unit_test(unplugged_function_drops_what_is_on_its_way),
		cmocka_unit_test(own_vectors_take_the_same_way),
		cmocka_unit_test(endless_delay_is_no_overflow),
		cmocka_unit_test(flood_has_an_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
