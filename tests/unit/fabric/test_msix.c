// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI-X as a host's bus does it: table, masks, pending bits. Stepped, so that what did not come is known at once.
 */
#include "rig.h"

#include <string.h>

#define RID   ONTB_RID(0, 2, 0)
#define TABLE ONTB_EXERCISER_REG_MSIX_TABLE
#define PBA   ONTB_EXERCISER_REG_MSIX_PBA

static struct rig rig;
static uint64_t bar;
static unsigned int cap;

static void open_with(const char *topology)
{
	rig_open(&rig, topology, true, 1);
	bar = rig_place_bar(&rig, 0, RID, 0);
	rig_enable(&rig, 0, RID);
	cap = rig_cap(&rig, 0, RID, 0x11);
	assert_int_not_equal(cap, 0);
}

static void open_msix(void)
{
	open_with("host a; endpoint exerciser a msix=70");
}

static void control(uint32_t value)
{
	rig_set_cfg(&rig, 0, RID, cap + 2, value, 2);
}

static void set_entry(unsigned int entry, uint64_t addr, uint32_t data)
{
	rig_write(&rig, 0, bar + TABLE + 16 * entry, addr, 8);
	rig_write(&rig, 0, bar + TABLE + 16 * entry + 8, data, 4);
}

static void mask(unsigned int entry, uint32_t value)
{
	rig_write(&rig, 0, bar + TABLE + 16 * entry + 12, value, 4);
}

static void fire(unsigned int vector)
{
	rig_write(&rig, 0, bar + ONTB_EXERCISER_REG_FIRE, vector, 4);
	rig_run(&rig);
}

static uint64_t pending(unsigned int word)
{
	return rig_read(&rig, 0, bar + PBA + 8 * word, 8);
}

static void capability_and_table_start_as_the_standard_says(void **state)
{
	(void)state;
	open_msix();
	assert_int_equal(rig_cfg(&rig, 0, RID, cap + 2, 2), 69);
	for (unsigned int i = 0; i < 70; i++) {
		assert_true(rig_read(&rig, 0, bar + TABLE + 16 * i, 8) == 0);
		assert_true(rig_read(&rig, 0, bar + TABLE + 16 * i + 8, 8) == 1ULL << 32);
	}
	/* Behind the last entry is the function's own space. */
	assert_true(rig_read(&rig, 0, bar + TABLE + 16 * 70, 8) == 0);
	control(0xffff);
	assert_int_equal(rig_cfg(&rig, 0, RID, cap + 2, 2), 0xc000 | 69);
	control(0);
	assert_int_equal(rig_cfg(&rig, 0, RID, cap + 2, 2), 69);
	rig_close(&rig);
}

static void every_entry_sends_its_own_message(void **state)
{
	(void)state;
	open_msix();
	control(0x8000);
	for (unsigned int i = 0; i < 70; i++) {
		set_entry(i, rig_msi_addr(i % 2), 0x40 + i);
		mask(i, 0);
	}
	for (unsigned int i = 0; i < 70; i++) {
		fire(i);
		assert_int_equal(rig.nr_taken, i + 1);
		assert_int_equal(rig.taken[i].vector, 0x40 + i);
		assert_int_equal(rig.taken[i].cpu, i % 2);
	}
	fire(70);
	fire(UINT32_MAX);
	assert_int_equal(rig.nr_taken, 70);
	assert_int_equal(rig_status(&rig, 0).messages, 70);
	rig_close(&rig);
}

static void masked_entry_holds_one_until_it_is_unmasked(void **state)
{
	(void)state;
	open_msix();
	control(0x8000);
	set_entry(3, rig_msi_addr(0), 0x43);
	set_entry(65, rig_msi_addr(0), 0x65);
	for (unsigned int i = 0; i < 5; i++)
		fire(3);
	fire(65);
	assert_int_equal(rig.nr_taken, 0);
	assert_true(pending(0) == 1 << 3);
	assert_true(pending(1) == 1 << 1);
	assert_int_equal(rig_read(&rig, 0, bar + PBA + 8, 1), 2);
	mask(3, 0);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x43), 1);
	assert_true(pending(0) == 0);
	mask(65, 0);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x65), 1);
	/* What it holds goes to where the entry points when it is unmasked. */
	mask(3, 1);
	fire(3);
	set_entry(3, rig_msi_addr(1), 0x53);
	mask(3, 0);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x43), 1);
	assert_int_equal(rig_count(&rig, 0, 0x53), 1);
	assert_int_equal(rig.taken[2].cpu, 1);
	rig_close(&rig);
}

static void function_mask_holds_all(void **state)
{
	(void)state;
	open_msix();
	control(0xc000);
	for (unsigned int i = 0; i < 3; i++) {
		set_entry(i, rig_msi_addr(0), 0x40 + i);
		mask(i, i == 1);
	}
	fire(0);
	fire(1);
	fire(2);
	assert_int_equal(rig.nr_taken, 0);
	assert_true(pending(0) == 7);
	control(0x8000);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x40), 1);
	assert_int_equal(rig_count(&rig, 0, 0x41), 0);
	assert_int_equal(rig_count(&rig, 0, 0x42), 1);
	assert_true(pending(0) == 2);
	rig_close(&rig);
}

static void vector_that_comes_too_soon_is_not_lost(void **state)
{
	(void)state;
	open_msix();
	set_entry(0, rig_msi_addr(0), 0x40);
	mask(0, 0);
	fire(0);
	assert_int_equal(rig.nr_taken, 0);
	control(0x8000);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x40), 1);
	control(0);
	fire(0);
	assert_int_equal(rig_count(&rig, 0, 0x40), 1);
	control(0x8000);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x40), 2);
	rig_close(&rig);
}

static void without_bus_mastering_nothing_is_sent(void **state)
{
	(void)state;
	open_msix();
	control(0x8000);
	set_entry(5, rig_msi_addr(0), 0x45);
	mask(5, 0);
	rig_set_cfg(&rig, 0, RID, 4, 2, 2);
	fire(5);
	assert_int_equal(rig.nr_taken, 0);
	/* The function itself holds it; it shows all the same. */
	assert_true(pending(0) == 1 << 5);
	rig_enable(&rig, 0, RID);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x45), 1);
	assert_true(pending(0) == 0);
	rig_close(&rig);
}

static void table_takes_whole_words_only(void **state)
{
	(void)state;
	open_msix();
	set_entry(0, 0xfee01003, 0x12345678);
	/* The two lowest bits of the address are always zero, and of the control word only the mask is there. */
	assert_true(rig_read(&rig, 0, bar + TABLE, 8) == 0xfee01000);
	rig_write(&rig, 0, bar + TABLE + 12, 0xfffffffe, 4);
	assert_true(rig_read(&rig, 0, bar + TABLE + 8, 8) == 0x12345678);
	rig_write(&rig, 0, bar + TABLE + 8, 0xff, 1);
	rig_write(&rig, 0, bar + TABLE + 8, 0xffff, 2);
	rig_write(&rig, 0, bar + TABLE + 10, 0xffffffff, 4);
	assert_true(rig_read(&rig, 0, bar + TABLE + 8, 4) == 0x12345678);
	assert_int_equal(rig_read(&rig, 0, bar + TABLE + 9, 1), 0x56);
	assert_int_equal(rig_read(&rig, 0, bar + TABLE + 10, 2), 0x1234);
	/* Eight bytes: data and control at once. */
	rig_write(&rig, 0, bar + TABLE + 8, 1ULL << 32 | 0x42, 8);
	assert_true(rig_read(&rig, 0, bar + TABLE + 8, 8) == (1ULL << 32 | 0x42));
	/* Pending bits are not written. */
	rig_write(&rig, 0, bar + PBA, UINT64_MAX, 8);
	assert_true(pending(0) == 0);
	rig_close(&rig);
}

static void copy_over_the_end_of_the_table_is_cut_there(void **state)
{
	struct ontb_machine *m;
	uint8_t buf[64];

	(void)state;
	open_with("host a; endpoint exerciser a msix=1");
	m = rig.hosts[0].m;
	memset(buf, 0x5a, sizeof(buf));
	m->ops->mmio_copy_from(m, buf, bar + TABLE - 16, 48);
	for (unsigned int i = 0; i < 48; i++)
		assert_int_equal(buf[i], i == 28 ? 1 : 0);
	m->ops->mmio_copy_from(m, buf, bar + PBA - 8, 24);
	for (unsigned int i = 0; i < 24; i++)
		assert_int_equal(buf[i], 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capability_and_table_start_as_the_standard_says),
		cmocka_unit_test(every_entry_sends_its_own_message),
		cmocka_unit_test(masked_entry_holds_one_until_it_is_unmasked),
		cmocka_unit_test(function_mask_holds_all),
		cmocka_unit_test(vector_that_comes_too_soon_is_not_lost),
		cmocka_unit_test(without_bus_mastering_nothing_is_sent),
		cmocka_unit_test(table_takes_whole_words_only),
		cmocka_unit_test(copy_over_the_end_of_the_table_is_cut_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
