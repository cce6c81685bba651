// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI with several messages, as a host's bus does it.
 */
#include "rig.h"

#define RID ONTB_RID(0, 2, 0)

/* Offsets in a capability with 64 bit addresses and masks. */
enum {
	CONTROL = 2,
	ADDR = 4,
	ADDR_HIGH = 8,
	DATA = 12,
	MASK = 16,
	PENDING = 20
};

static struct rig rig;
static uint64_t bar;
static unsigned int cap;

static void open_msi(unsigned int nr_granted_log)
{
	rig_open(&rig, "host a; endpoint exerciser a msi=8 msix=0", true, 1);
	bar = rig_place_bar(&rig, 0, RID, 0);
	rig_enable(&rig, 0, RID);
	cap = rig_cap(&rig, 0, RID, 0x05);
	assert_int_not_equal(cap, 0);
	rig_set_cfg(&rig, 0, RID, cap + ADDR, (uint32_t)rig_msi_addr(1), 4);
	rig_set_cfg(&rig, 0, RID, cap + ADDR_HIGH, 0, 4);
	rig_set_cfg(&rig, 0, RID, cap + DATA, 0x40, 2);
	rig_set_cfg(&rig, 0, RID, cap + CONTROL, 1 | nr_granted_log << 4, 2);
}

static uint32_t get(unsigned int reg, unsigned int len)
{
	return rig_cfg(&rig, 0, RID, cap + reg, len);
}

static void set(unsigned int reg, uint32_t value, unsigned int len)
{
	rig_set_cfg(&rig, 0, RID, cap + reg, value, len);
}

static void fire(unsigned int vector)
{
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_FIRE, vector, 4);
	rig_run(&rig);
}

static void registers_hold_what_the_standard_lets_them(void **state)
{
	(void)state;
	open_msi(3);
	set(CONTROL, 0xffff, 2);
	/* 64 bits, masks, eight messages wanted, as many as can be written granted, enabled. */
	assert_int_equal(get(CONTROL, 2), 0x0180 | 7 << 4 | 3 << 1 | 1);
	set(CONTROL, 0, 2);
	assert_int_equal(get(CONTROL, 2), 0x0180 | 3 << 1);
	set(ADDR, 0xffffffff, 4);
	set(ADDR_HIGH, 0xffffffff, 4);
	set(DATA, 0xffffffff, 4);
	set(MASK, 0xffffffff, 4);
	set(PENDING, 0xffffffff, 4);
	assert_int_equal(get(ADDR, 4), 0xfffffffc);
	assert_int_equal(get(ADDR_HIGH, 4), 0xffffffff);
	assert_int_equal(get(DATA, 2), 0xffff);
	assert_int_equal(get(MASK, 4), 0xff);
	assert_int_equal(get(PENDING, 4), 0);
	rig_close(&rig);
}

static void number_of_the_message_is_in_the_data(void **state)
{
	(void)state;
	open_msi(3);
	/* The low bits that software wrote do not count. */
	set(DATA, 0x47, 2);
	for (unsigned int i = 0; i < 8; i++) {
		fire(i);
		assert_int_equal(rig.taken[i].vector, 0x40 + i);
		assert_int_equal(rig.taken[i].cpu, 1);
	}
	assert_int_equal(rig.nr_taken, 8);
	rig_close(&rig);
}

static void fewer_messages_are_shared(void **state)
{
	(void)state;
	open_msi(1);
	for (unsigned int i = 0; i < 8; i++)
		fire(i);
	assert_int_equal(rig_count(&rig, 0, 0x40), 4);
	assert_int_equal(rig_count(&rig, 0, 0x41), 4);
	rig_close(&rig);
	open_msi(0);
	for (unsigned int i = 0; i < 8; i++)
		fire(i);
	assert_int_equal(rig_count(&rig, 0, 0x40), 8);
	rig_close(&rig);
	/* More than it has. */
	open_msi(5);
	fire(7);
	assert_int_equal(rig_count(&rig, 0, 0x47), 1);
	rig_close(&rig);
}

static void masked_message_is_pending_until_it_is_unmasked(void **state)
{
	(void)state;
	open_msi(3);
	set(MASK, 0x22, 4);
	for (unsigned int i = 0; i < 8; i++)
		fire(i);
	fire(1);
	assert_int_equal(rig.nr_taken, 6);
	assert_int_equal(get(PENDING, 4), 0x22);
	set(MASK, 0x20, 4);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x41), 1);
	assert_int_equal(get(PENDING, 4), 0x20);
	/* Unmasked with another address. */
	set(ADDR, (uint32_t)rig_msi_addr(0), 4);
	set(MASK, 0, 4);
	rig_run(&rig);
	assert_int_equal(rig.nr_taken, 8);
	assert_int_equal(rig.taken[7].vector, 0x45);
	assert_int_equal(rig.taken[7].cpu, 0);
	assert_int_equal(get(PENDING, 4), 0);
	rig_close(&rig);
}

static void disabled_msi_sends_nothing(void **state)
{
	(void)state;
	open_msi(3);
	set(CONTROL, 3 << 4, 2);
	fire(2);
	assert_int_equal(rig.nr_taken, 0);
	set(CONTROL, 3 << 4 | 1, 2);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x42), 1);
	rig_close(&rig);
}

static void msix_goes_before_msi(void **state)
{
	unsigned int msix;

	(void)state;
	rig_open(&rig, "host a; endpoint exerciser a msi=2 msix=1", true, 1);
	bar = rig_place_bar(&rig, 0, RID, 0);
	rig_enable(&rig, 0, RID);
	cap = rig_cap(&rig, 0, RID, 0x05);
	msix = rig_cap(&rig, 0, RID, 0x11);
	set(ADDR, (uint32_t)rig_msi_addr(0), 4);
	set(DATA, 0x40, 2);
	set(CONTROL, 1 | 1 << 4, 2);
	rig_arm_msix(&rig, 0, RID, bar, ONTB_EXERCISER_REG_MSIX_TABLE, 0, rig_msi_addr(0), 0x60);
	fire(0);
	fire(1);
	assert_int_equal(rig_count(&rig, 0, 0x60), 1);
	assert_int_equal(rig.nr_taken, 1);
	rig_set_cfg(&rig, 0, RID, msix + 2, 0, 2);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x41), 1);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_hold_what_the_standard_lets_them),
		cmocka_unit_test(number_of_the_message_is_in_the_data),
		cmocka_unit_test(fewer_messages_are_shared),
		cmocka_unit_test(masked_message_is_pending_until_it_is_unmasked),
		cmocka_unit_test(disabled_msi_sends_nothing),
		cmocka_unit_test(msix_goes_before_msi),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
