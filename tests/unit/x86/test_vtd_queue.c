// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The remapping unit's registers: invalidation queue, fault records, events, commands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <openntb/machine.h>

#include "vtd_rig.h"

#define RID   ONTB_RID(3, 4, 5)
#define FEE   0xfee00000U
#define SIZE  7
#define W1C_F (1U << 31)

static void block(unsigned int fn)
{
	assert_int_equal(ontb_vtd_message(rig_vtd, ONTB_RID(3, 4, fn), RIG_ADDR(fn), 0), 0);
}

static void registers_say_what_there_is(void **state)
{
	uint64_t cap = ontb_vtd_read(rig_vtd, VTD_CAP, 8), ecap = ontb_vtd_read(rig_vtd, VTD_ECAP, 8);

	(void)state;
	assert_int_equal(rig_read32(VTD_VER), 0x10);
	assert_int_equal((cap >> 24 & 0x3ff) * 16, VTD_FRCD);
	assert_int_equal((cap >> 40 & 0xff) + 1, VTD_NR_FRCD);
	assert_int_equal(ecap & 0x1e, 0x1a);
	assert_int_equal(ecap >> 20 & 0xf, 15);
	assert_true((uint64_t)rig_read32(VTD_CAP + 4) << 32 == (cap & ~0xffffffffULL));
	assert_int_equal(rig_read32(VTD_FECTL), VTD_EVENT_IM);
	assert_int_equal(rig_read32(VTD_IECTL), VTD_EVENT_IM);
	/* Constant registers, and places without one. */
	for (uint32_t offset = 0; offset < 0x18; offset += 4)
		rig_write32(offset, UINT32_MAX);
	rig_write32(0xffc, UINT32_MAX);
	assert_true(ontb_vtd_read(rig_vtd, VTD_CAP, 8) == cap);
	assert_true(ontb_vtd_read(rig_vtd, VTD_ECAP, 8) == ecap);
	assert_int_equal(rig_read32(0xffc), 0);
}

static void only_4_or_8_aligned_bytes_are_an_access(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
	} bad[] = { { 0, 1 }, { 0, 2 }, { 2, 4 }, { 4, 8 }, { 4096, 4 }, { UINT64_MAX - 3, 4 }, { 0, 0 }, { 0, 16 } };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		assert_true(ontb_vtd_read(rig_vtd, bad[i].offset, bad[i].len) == UINT64_MAX);
		ontb_vtd_write(rig_vtd, bad[i].offset, 0, bad[i].len);
	}
	assert_non_null(strstr(rig_line, "host: remapping unit:"));
	ontb_vtd_write(rig_vtd, VTD_IRTA, 0x1122334455667805ULL, 8);
	ontb_vtd_write(rig_vtd, VTD_IRTA + 1, 0, 4);
	assert_int_equal(rig_read32(VTD_IRTA), 0x55667805);
	assert_int_equal(rig_read32(VTD_IRTA + 4), 0x00023344);
	rig_write32(VTD_IRTA + 4, 0x12);
	assert_true(ontb_vtd_read(rig_vtd, VTD_IRTA, 8) == 0x1255667805ULL);
}

static void commands_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	rig_write32(VTD_GCMD, VTD_IR);
	assert_int_equal(rig_read32(VTD_GSTS), 0);
	assert_non_null(strstr(rig_line, "remapping needs a table first"));
	rig_write32(VTD_GCMD, 1U << 31 | 1U << 30 | 1U << 27);
	assert_int_equal(rig_read32(VTD_GSTS), 0);
	assert_non_null(strstr(rig_line, "DMA remapping and write buffers are not modelled"));
	/* The table and the switch in one go: there is a table then. */
	rig_write32(VTD_GCMD, VTD_IR | VTD_IRTP);
	assert_int_equal(rig_read32(VTD_GSTS), VTD_IR | VTD_IRTP);
	ontb_vtd_reset(rig_vtd);
	assert_int_equal(rig_read32(VTD_GSTS), 0);
}

static void wait_writes_its_status_after_what_is_before_it(void **state)
{
	(void)state;
	rig_enable(SIZE, false);
	rig_store(RIG_STATUS + 8, UINT64_MAX);
	rig_put(RIG_FLUSH_ALL, 0);
	rig_put(RIG_WAIT(0x12345678) | 1 << 6, RIG_STATUS + 8);
	assert_true(rig_kick());
	assert_true(rig_load(RIG_STATUS + 8) == 0xffffffff12345678ULL);
	/* Without the status bit it writes nothing, and needs no address. */
	rig_put(5, 0);
	rig_put(5 | 1 << 6, RIG_RAM_BASE + RIG_RAM_SIZE);
	assert_true(rig_kick());
	assert_int_equal(rig_read32(VTD_ICS), 0);
}

static void wait_can_interrupt(void **state)
{
	(void)state;
	rig_enable(SIZE, false);
	rig_write32(VTD_IEADDR, FEE | 2 << 12);
	rig_write32(VTD_IEDATA, 0x77);
	rig_put(5 | 1 << 4, 0);
	assert_true(rig_kick());
	/* Masked: it waits, and goes out when unmasked. */
	assert_int_equal(rig_read32(VTD_ICS), 1);
	assert_int_equal(rig_read32(VTD_IECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	assert_false(rig_is_pending(2, 0x77));
	rig_write32(VTD_IECTL, 0);
	assert_true(rig_is_pending(2, 0x77));
	assert_int_equal(rig_read32(VTD_IECTL), 0);
	/* No second one before software has seen the first. */
	rig_forget_pending();
	rig_put(5 | 1 << 4, 0);
	assert_true(rig_kick());
	assert_false(rig_is_pending(2, 0x77));
	rig_write32(VTD_ICS, 1);
	assert_int_equal(rig_read32(VTD_ICS), 0);
	rig_put(5 | 1 << 4, 0);
	assert_true(rig_kick());
	assert_true(rig_is_pending(2, 0x77));
	/* Seen before it was unmasked: it need not go out any more. */
	rig_write32(VTD_ICS, 1);
	rig_write32(VTD_IECTL, VTD_EVENT_IM);
	rig_forget_pending();
	rig_put(5 | 1 << 4, 0);
	assert_true(rig_kick());
	rig_write32(VTD_ICS, 1);
	assert_int_equal(rig_read32(VTD_IECTL), VTD_EVENT_IM);
	rig_write32(VTD_IECTL, 0);
	assert_false(rig_is_pending(2, 0x77));
}

static void descriptors_of_dma_remapping_do_nothing(void **state)
{
	struct ontb_vtd_counts before, after;

	(void)state;
	rig_enable(SIZE, false);
	rig_set_entry(0, RIG_LOW(1, 0x50), 0);
	assert_int_equal(ontb_vtd_message(rig_vtd, RID, RIG_ADDR(0), 0), 1);
	ontb_vtd_counts(rig_vtd, &before);
	rig_put(1 | 1 << 4, 0);
	rig_put(2 | 3 << 4 | 0x1234 << 16, 0x1000);
	rig_put(5, 0);
	assert_true(rig_kick());
	assert_int_equal(ontb_vtd_message(rig_vtd, RID, RIG_ADDR(0), 0), 1);
	ontb_vtd_counts(rig_vtd, &after);
	assert_int_equal(after.nr_descriptors, before.nr_descriptors + 3);
	assert_int_equal(after.nr_reads, before.nr_reads);
	/* Nothing was invalidated, so there was nothing to wait for. */
	assert_int_equal(after.nr_drains, before.nr_drains);
}

static void wrong_descriptors_stop_the_queue_until_they_are_repaired(void **state)
{
	static const struct {
		uint64_t low, high;
		const char *why;
	} bad[] = {
		{ 0, 0, "unknown type" },
		{ 3, 0, "unknown type" },
		{ 6, 0, "unknown type" },
		{ 15, 0, "unknown type" },
		{ 4 | 1 << 9, 0, "unknown type" },
		{ 4 | 1 << 5, 0, "entry cache descriptor" },
		{ 4 | 1 << 26, 0, "entry cache descriptor" },
		{ 4 | 1ULL << 48, 0, "entry cache descriptor" },
		{ 4, 1, "entry cache descriptor" },
		{ RIG_FLUSH(0, 16), 0, "index mask" },
		{ 5 | 1 << 7, 0, "wait descriptor" },
		{ 5 | 1ULL << 31, 0, "wait descriptor" },
		{ RIG_WAIT(1), RIG_STATUS + 2, "wait descriptor" },
		{ RIG_WAIT(1), RIG_RAM_BASE - 4, "not memory" },
		{ RIG_WAIT(1), RIG_RAM_BASE + RIG_RAM_SIZE, "not memory" },
	};

	(void)state;
	rig_enable(SIZE, false);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		uint32_t head = rig_read32(VTD_IQH);

		memset(&rig_vtd->limit, 0, sizeof(rig_vtd->limit));
		rig_store(RIG_STATUS, 0);
		rig_put(5, 0);
		rig_put(bad[i].low, bad[i].high);
		rig_put(RIG_WAIT(1000 + i), RIG_STATUS);
		assert_false(rig_kick());
		/* The head stays at it. */
		assert_int_equal(rig_read32(VTD_IQH), (head + 16) % 4096);
		assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_IQE);
		assert_non_null(strstr(rig_line, "host: invalidation queue stopped"));
		assert_non_null(strstr(rig_line, bad[i].why));
		/* It does not go on by itself, nor when cleared without repair. */
		assert_false(rig_kick());
		rig_write32(VTD_FSTS, VTD_FSTS_IQE);
		assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_IQE);
		assert_int_equal(rig_load(RIG_STATUS), 0);
		rig_store(RIG_QUEUE + (head + 16) % 4096, 5);
		rig_store(RIG_QUEUE + (head + 16) % 4096 + 8, 0);
		rig_write32(VTD_FSTS, VTD_FSTS_IQE);
		assert_int_equal(rig_read32(VTD_FSTS), 0);
		assert_int_equal(rig_read32(VTD_IQH), rig_read32(VTD_IQT));
		assert_int_equal(rig_load(RIG_STATUS), 1000 + i);
	}
}

static void tail_and_queue_have_to_be_inside(void **state)
{
	(void)state;
	rig_enable(SIZE, false);
	ontb_vtd_write(rig_vtd, VTD_IQT, 4096, 8);
	assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_IQE);
	assert_non_null(strstr(rig_line, "the tail is beyond the queue"));
	ontb_vtd_write(rig_vtd, VTD_IQT, rig_read32(VTD_IQH), 8);
	rig_write32(VTD_FSTS, VTD_FSTS_IQE);
	assert_int_equal(rig_read32(VTD_FSTS), 0);
	/* The queue stays where it is while it is in use. */
	ontb_vtd_write(rig_vtd, VTD_IQA, RIG_RAM_BASE + RIG_RAM_SIZE, 8);
	assert_true(ontb_vtd_read(rig_vtd, VTD_IQA, 8) == RIG_QUEUE);
	assert_non_null(strstr(rig_line, "the queue is in use"));
	rig_write32(VTD_GCMD, 0);
	assert_int_equal(rig_read32(VTD_IQH), 0);
	ontb_vtd_write(rig_vtd, VTD_IQA, RIG_RAM_BASE + RIG_RAM_SIZE, 8);
	ontb_vtd_write(rig_vtd, VTD_IQT, 0, 8);
	rig_write32(VTD_GCMD, VTD_QI);
	assert_int_equal(rig_read32(VTD_FSTS), 0);
	ontb_vtd_write(rig_vtd, VTD_IQT, 16, 8);
	assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_IQE);
	assert_non_null(strstr(rig_line, "a descriptor cannot be read"));
}

static void queue_wraps_round_at_every_size(void **state)
{
	(void)state;
	for (unsigned int size = 0; size < 8; size++) {
		uint32_t nr = 256U << size, at = 0;
		struct ontb_vtd_counts before, after;

		ontb_vtd_reset(rig_vtd);
		ontb_vtd_write(rig_vtd, VTD_IQA, RIG_QUEUE | size, 8);
		rig_write32(VTD_GCMD, VTD_QI);
		for (uint32_t i = 0; i < nr; i++)
			rig_store(RIG_QUEUE + 16ULL * i, i == nr - 1 ? RIG_WAIT(size + 1) : 5);
		rig_store(RIG_QUEUE + 16ULL * (nr - 1) + 8, RIG_RAM_BASE);
		ontb_vtd_counts(rig_vtd, &before);
		/* Two and a half rounds, in steps that do not divide the size. */
		for (uint32_t i = 0; i < 5 * nr / 2; i += 51) {
			at = (at + 51 * 16) % (nr * 16);
			ontb_vtd_write(rig_vtd, VTD_IQT, at, 4);
			assert_int_equal(rig_read32(VTD_IQH), at);
		}
		ontb_vtd_counts(rig_vtd, &after);
		assert_int_equal(after.nr_descriptors - before.nr_descriptors, (5 * nr / 2 + 50) / 51 * 51);
		assert_int_equal((uint32_t)rig_load(RIG_RAM_BASE), size + 1);
		assert_int_equal(rig_read32(VTD_FSTS), 0);
	}
}

static void queue_that_is_off_does_nothing(void **state)
{
	(void)state;
	ontb_vtd_write(rig_vtd, VTD_IQA, RIG_QUEUE, 8);
	rig_put(RIG_WAIT(77), RIG_STATUS);
	assert_false(rig_kick());
	assert_int_equal(rig_load(RIG_STATUS), 0);
	/* Switched on, it starts with what is there. */
	rig_write32(VTD_GCMD, VTD_QI);
	assert_int_equal(rig_load(RIG_STATUS), 77);
	assert_int_equal(rig_read32(VTD_IQH), 16);
}

static void ninth_fault_overflows_and_is_lost(void **state)
{
	struct ontb_vtd_counts counts;

	(void)state;
	rig_enable(SIZE, false);
	for (unsigned int fn = 0; fn < 8; fn++)
		block(fn);
	assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_PPF);
	/* Whoever takes a record says so; what is lost, only the unit can tell. */
	assert_int_equal(rig_level, ONTB_LOG_INFO);
	block(0);
	assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_PPF | VTD_FSTS_PFO);
	assert_int_equal(rig_level, ONTB_LOG_WARNING);
	for (unsigned int fn = 0; fn < 8; fn++) {
		assert_int_equal(rig_read32(VTD_FRCD + 16 * fn + 12), W1C_F | 0x22);
		assert_int_equal(rig_read32(VTD_FRCD + 16 * fn + 8), ONTB_RID(3, 4, fn));
		assert_true(ontb_vtd_read(rig_vtd, VTD_FRCD + 16 * fn, 8) == (uint64_t)fn << 48);
	}
	/* A free record alone does not help: the overflow has to be cleared too. */
	rig_write32(VTD_FRCD + 12, W1C_F);
	block(1);
	assert_int_equal(rig_read32(VTD_FRCD + 12), 0x22);
	rig_write32(VTD_FSTS, VTD_FSTS_PFO);
	assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_PPF);
	block(2);
	assert_int_equal(rig_read32(VTD_FRCD + 8), ONTB_RID(3, 4, 2));
	block(3);
	assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_PPF | VTD_FSTS_PFO);
	ontb_vtd_counts(rig_vtd, &counts);
	assert_int_equal(counts.nr_faults, 12);
	assert_int_equal(counts.nr_unrecorded, 3);
	/* Only the last bit of a record can be written. */
	for (uint32_t offset = 0; offset < 12; offset += 4)
		rig_write32(VTD_FRCD + offset, UINT32_MAX);
	rig_write32(VTD_FRCD + 12, 0x7fffffff);
	assert_int_equal(rig_read32(VTD_FRCD + 12), W1C_F | 0x22);
}

static void index_of_the_first_fault_is_that_of_an_empty_log(void **state)
{
	(void)state;
	rig_enable(SIZE, false);
	for (unsigned int round = 0; round < 20; round++) {
		block(1);
		block(2);
		assert_int_equal(rig_read32(VTD_FSTS), VTD_FSTS_PPF | (round * 2 % 8) << VTD_FSTS_FRI);
		rig_write32(VTD_FRCD + 16 * (round * 2 % 8) + 12, W1C_F);
		assert_true(rig_read32(VTD_FSTS) & VTD_FSTS_PPF);
		ontb_vtd_write(rig_vtd, VTD_FRCD + 16 * (round * 2 % 8 + 1) + 8, VTD_FRCD_F, 8);
		assert_int_equal(rig_read32(VTD_FSTS), 0);
	}
}

static void fault_interrupts_once_until_all_are_dealt_with(void **state)
{
	(void)state;
	rig_enable(SIZE, false);
	rig_write32(VTD_FEADDR, FEE | 3 << 12);
	rig_write32(VTD_FEDATA, 0x99);
	rig_write32(VTD_FECTL, 0);
	block(0);
	assert_true(rig_is_pending(3, 0x99));
	rig_forget_pending();
	block(1);
	rig_write32(VTD_FRCD + 12, W1C_F);
	block(2);
	assert_false(rig_is_pending(3, 0x99));
	rig_write32(VTD_FRCD + 16 + 12, W1C_F);
	rig_write32(VTD_FRCD + 32 + 12, W1C_F);
	block(3);
	assert_true(rig_is_pending(3, 0x99));
	/* A queue error is the same event. */
	rig_write32(VTD_FRCD + 48 + 12, W1C_F);
	rig_forget_pending();
	rig_put(0, 0);
	assert_false(rig_kick());
	assert_true(rig_is_pending(3, 0x99));
}

static void masked_fault_event_waits_and_can_lapse(void **state)
{
	(void)state;
	rig_enable(SIZE, false);
	rig_write32(VTD_FEADDR, FEE | 3 << 12);
	rig_write32(VTD_FEDATA, 0x99);
	block(0);
	assert_int_equal(rig_read32(VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	assert_false(rig_is_pending(3, 0x99));
	rig_write32(VTD_FECTL, VTD_EVENT_IM);
	assert_int_equal(rig_read32(VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	rig_write32(VTD_FECTL, 0);
	assert_true(rig_is_pending(3, 0x99));
	assert_int_equal(rig_read32(VTD_FECTL), 0);
	rig_write32(VTD_FECTL, VTD_EVENT_IM);
	rig_write32(VTD_FRCD + 12, W1C_F);
	rig_forget_pending();
	block(0);
	assert_int_equal(rig_read32(VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	rig_write32(VTD_FRCD + 16 + 12, W1C_F);
	assert_int_equal(rig_read32(VTD_FECTL), VTD_EVENT_IM);
	rig_write32(VTD_FECTL, 0);
	assert_false(rig_is_pending(3, 0x99));
}

static void events_are_not_remapped_and_know_extended_ids(void **state)
{
	(void)state;
	rig_enable(SIZE, true);
	rig_write32(VTD_FEADDR, FEE | 5 << 12);
	rig_write32(VTD_FEDATA, 0x99);
	rig_write32(VTD_FECTL, 0);
	block(0);
	assert_true(rig_is_pending(5, 0x99));
	rig_write32(VTD_FRCD + 12, W1C_F);
	/* The upper half of the address holds the upper bits of the id: there is no CPU 0x105. */
	rig_forget_pending();
	rig_write32(VTD_FEUADDR, 0x100);
	block(0);
	assert_int_equal(rig_pending(5), 0);
	assert_int_equal(rig_bus.nr_no_cpu, 1);
	assert_non_null(strstr(rig_line, "interrupt of the remapping unit, fixed, vector 153 for APIC id 0x105"));
	rig_write32(VTD_FRCD + 16 + 12, W1C_F);
	/* A message to anywhere else is none. */
	rig_write32(VTD_FEUADDR, 0);
	rig_write32(VTD_FEADDR, 0x12345000);
	block(0);
	assert_int_equal(rig_bus.nr_malformed, 1);
	/* Without extended ids, the upper half has to be zero. */
	ontb_vtd_reset(rig_vtd);
	rig_enable(SIZE, false);
	rig_write32(VTD_FEADDR, FEE | 5 << 12);
	rig_write32(VTD_FEUADDR, 1);
	rig_write32(VTD_FEDATA, 0x99);
	rig_write32(VTD_FECTL, 0);
	block(0);
	assert_int_equal(rig_pending(5), 0);
	assert_int_equal(rig_bus.nr_malformed, 2);
}

static void reset_forgets_everything(void **state)
{
	(void)state;
	rig_enable(SIZE, true);
	rig_set_entry(0, RIG_LOW_X(1, 0x50), 0);
	assert_int_equal(ontb_vtd_message(rig_vtd, RID, RIG_ADDR(0), 0), 1);
	rig_write32(VTD_FECTL, 0);
	rig_write32(VTD_FEDATA, 0x99);
	block(1);
	rig_put(0, 0);
	assert_false(rig_kick());
	ontb_vtd_reset(rig_vtd);
	for (uint32_t offset = VTD_GCMD; offset < ONTB_VTD_REG_SIZE; offset += 4) {
		bool is_masked = offset == VTD_FECTL || offset == VTD_IECTL;

		assert_int_equal(rig_read32(offset), is_masked ? VTD_EVENT_IM : 0);
	}
	rig_set_entry(0, RIG_LOW(2, 0x50), 0);
	rig_forget_pending();
	rig_enable(SIZE, false);
	assert_int_equal(ontb_vtd_message(rig_vtd, RID, RIG_ADDR(0), 0), 1);
	assert_true(rig_is_pending(2, 0x50));
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(registers_say_what_there_is),
		WITH_RIG(only_4_or_8_aligned_bytes_are_an_access),
		WITH_RIG(commands_that_make_no_sense_are_refused),
		WITH_RIG(wait_writes_its_status_after_what_is_before_it),
		WITH_RIG(wait_can_interrupt),
		WITH_RIG(descriptors_of_dma_remapping_do_nothing),
		WITH_RIG(wrong_descriptors_stop_the_queue_until_they_are_repaired),
		WITH_RIG(tail_and_queue_have_to_be_inside),
		WITH_RIG(queue_wraps_round_at_every_size),
		WITH_RIG(queue_that_is_off_does_nothing),
		WITH_RIG(ninth_fault_overflows_and_is_lost),
		WITH_RIG(index_of_the_first_fault_is_that_of_an_empty_log),
		WITH_RIG(fault_interrupts_once_until_all_are_dealt_with),
		WITH_RIG(masked_fault_event_waits_and_can_lapse),
		WITH_RIG(events_are_not_remapped_and_know_extended_ids),
		WITH_RIG(reset_forgets_everything),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
