// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A machine whose IOMMU remaps interrupts: the table is in the machine's memory, and the requester id counts.
 */
#include "rig.h"

#include <string.h>

#include "base/bytes.h"
#include "hw/x86/vtd_unit.h"

#define RID0	    ONTB_RID(0, 2, 0)
#define RID1	    ONTB_RID(0, 3, 0)
#define TABLE	    0x1000
#define QUEUE	    0x2000
#define STATUS	    0x3000
#define FLUSH_ALL   4ULL
#define WAIT(n)	    ((uint64_t)(n) << 32 | 1ULL << 5 | 5)
#define ENTRY(v, c) ((uint64_t)(c) << 40 | (uint64_t)(v) << 16 | 1)
#define SOURCE(rid) (1ULL << 18 | (rid))

static struct rig rig;
static uint64_t bars[2];

static void reg(unsigned int offset, uint64_t value, unsigned int len)
{
	rig_write(&rig, 0, rig.hosts[0].m->iommu_base + offset, value, len);
}

static void put(uint64_t offset, uint64_t value)
{
	__atomic_store_n((uint64_t *)(void *)rig_ram(&rig, 0, offset), value, __ATOMIC_RELEASE);
}

static void set_entry(unsigned int index, uint64_t low, uint64_t high)
{
	put(TABLE + 16 * index + 8, high);
	put(TABLE + 16 * index, low);
}

/* Forget all cached entries; the status word says when it is done. */
static void flush(uint32_t number)
{
	uint64_t tail = rig_read(&rig, 0, rig.hosts[0].m->iommu_base + VTD_IQT, 8);

	put(QUEUE + tail, FLUSH_ALL);
	put(QUEUE + tail + 8, 0);
	put(QUEUE + tail + 16, WAIT(number));
	put(QUEUE + tail + 24, rig_addr(&rig, 0, STATUS));
	reg(VTD_IQT, tail + 32, 8);
	assert_int_equal(*(uint32_t *)(void *)rig_ram(&rig, 0, STATUS), number);
}

static void open_remapped(void)
{
	rig_open(&rig, "host a remap=on; host b; endpoint exerciser a; endpoint exerciser a", true, 1);
	assert_int_equal(rig.hosts[0].m->iommu_base, 0xfed90000);
	assert_int_equal(rig.hosts[1].m->iommu_base, 0);
	for (unsigned int i = 0; i < 2; i++) {
		bars[i] = rig_place_bar(&rig, 0, ONTB_RID(0, 2 + i, 0), 0);
		rig_enable(&rig, 0, ONTB_RID(0, 2 + i, 0));
	}
	reg(VTD_IQA, rig_addr(&rig, 0, QUEUE), 8);
	reg(VTD_GCMD, VTD_QI, 4);
	/* 256 entries. */
	reg(VTD_IRTA, rig_addr(&rig, 0, TABLE) | 7, 8);
	reg(VTD_GCMD, VTD_QI | VTD_IRTP, 4);
	flush(1);
	reg(VTD_GCMD, VTD_QI | VTD_IR, 4);
}

static uint64_t remappable(unsigned int index)
{
	return 0xfee00000 | index << 5 | 1 << 4 | 1 << 3;
}

static void send(unsigned int endpoint, uint64_t addr, uint32_t data)
{
	rig_write(&rig, 0, bars[endpoint] + ONTB_EXERCISER_REG_DMA_ADDR, addr, 8);
	rig_write(&rig, 0, bars[endpoint] + ONTB_EXERCISER_REG_DMA_DATA, data, 8);
	rig_write(&rig, 0, bars[endpoint] + ONTB_EXERCISER_REG_DMA_GO, 4, 4);
	rig_run(&rig);
}

static void entry_in_memory_decides_where_a_message_goes(void **state)
{
	(void)state;
	open_remapped();
	set_entry(5, ENTRY(0x45, 1), SOURCE(RID0));
	send(0, remappable(5), 0);
	assert_int_equal(rig.nr_taken, 1);
	assert_int_equal(rig.taken[0].vector, 0x45);
	assert_int_equal(rig.taken[0].cpu, 1);
	set_entry(5, ENTRY(0x46, 0), SOURCE(RID0));
	flush(2);
	send(0, remappable(5), 0);
	assert_int_equal(rig.taken[1].vector, 0x46);
	assert_int_equal(rig.taken[1].cpu, 0);
	assert_int_equal(rig_status(&rig, 0).messages, 2);
	assert_int_equal(rig_status(&rig, 0).blocked, 0);
	rig_close(&rig);
}

static void message_of_another_function_is_blocked(void **state)
{
	struct ontb_fabric_host_status status;

	(void)state;
	open_remapped();
	set_entry(5, ENTRY(0x45, 1), SOURCE(RID0));
	send(1, remappable(5), 0);
	/* Neither is there an entry, nor may it go past the table. */
	send(0, remappable(6), 0);
	send(0, rig_msi_addr(0), 0x50);
	assert_int_equal(rig.nr_taken, 0);
	status = rig_status(&rig, 0);
	assert_int_equal(status.blocked, 3);
	assert_int_equal(status.dropped, 0);
	assert_int_equal(status.messages, 0);
	set_entry(5, ENTRY(0x45, 1), SOURCE(RID1));
	flush(2);
	send(1, remappable(5), 0);
	assert_int_equal(rig.nr_taken, 1);
	rig_close(&rig);
}

static void vectors_of_a_function_are_remapped_too(void **state)
{
	(void)state;
	open_remapped();
	set_entry(9, ENTRY(0x59, 1), SOURCE(RID1));
	rig_arm_msix(&rig, 0, RID1, bars[1], ONTB_EXERCISER_REG_MSIX_TABLE, 2, remappable(9), 0);
	rig_write(&rig, 0, bars[1] + ONTB_EXERCISER_REG_FIRE, 2, 4);
	rig_run(&rig);
	assert_int_equal(rig_count(&rig, 0, 0x59), 1);
	rig_close(&rig);
}

static void registers_have_their_widths(void **state)
{
	(void)state;
	open_remapped();
	assert_int_equal(rig_read(&rig, 0, 0xfed90000 + VTD_GSTS, 4), VTD_QI | VTD_IRTP | VTD_IR);
	assert_true(rig_read(&rig, 0, 0xfed90000, 1) == 0xff);
	assert_true(rig_read(&rig, 0, 0xfed90000, 2) == 0xffff);
	/* The page ends. */
	assert_true(rig_read(&rig, 0, 0xfed91000, 4) == 0xffffffff);
	assert_true(rig_read(&rig, 0, 0xfed90ffc, 8) == ALL_ONES);
	assert_true(rig_read(&rig, 1, 0xfed90000, 4) == 0xffffffff);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_in_memory_decides_where_a_message_goes),
		cmocka_unit_test(message_of_another_function_is_blocked),
		cmocka_unit_test(vectors_of_a_function_are_remapped_too),
		cmocka_unit_test(registers_have_their_widths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
