// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The Switchtec driver against the Switchtec model: two hosts with all of their software, one switch.
 *
 * Most tests run in stepped machines, where nothing happens by chance. The link is in test_ntb_switchtec_link.c, and what threads do
 * to it in test_ntb_switchtec_threads.c.
 */
#include "switchtec_rig.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "hw/switchtec/regs.h"

/* Probe */

static void probe_finds_the_peer_and_its_windows(void **state)
{
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_ntb *ntb = rig.hosts[h].ntb;

		assert_null(ontb_ntb_ops_check(ontb_ntb_ops(ntb)));
		assert_string_equal(ontb_ntb_name(ntb), ontb_pci_name(rig.hosts[h].dev));
		assert_int_equal(ontb_ntb_nr_peers(ntb), 1);
		/* Two direct ones, and the table without the entry of the shared page. */
		assert_int_equal(ontb_ntb_nr_windows(ntb), 2 + 31);
		assert_int_equal(ontb_ntb_peer_window_size(ntb, 0, 0), 0x200000);
		assert_int_equal(ontb_ntb_peer_window_size(ntb, 0, 1), 0x200000);
		assert_int_equal(ontb_ntb_peer_window_size(ntb, 0, 2), 0x10000);
		assert_int_equal(ontb_ntb_peer_window_size(ntb, 0, 32), 0x10000);
		assert_int_equal(ontb_ntb_db_valid(ntb), 0x0fffffff);
		assert_int_equal(ontb_ntb_spad_count(ntb), 128);
		assert_int_equal(ontb_ntb_msg_count(ntb), 3);
		assert_int_equal(ontb_ntb_guard_size(ntb), 16384);
		assert_false(sw_is_up(&rig, h));
	}
	sw_close(&rig);
}

static void three_vectors_are_requested_and_no_other_entry_touched(void **state)
{
	struct ontb_msi_entry entries[8];
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, "host a ram=8M; host b ram=8M; bridge switchtec a b vectors=8", true);
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_msi_dev *msi = ontb_ntb_msi(rig.hosts[h].ntb);

		assert_int_equal(ontb_msi_list(msi, entries, 8), 3);
		for (unsigned int i = 0; i < 3; i++) {
			assert_int_equal(entries[i].slot, ONTB_PCI_MSI_SLOT);
			assert_int_equal(entries[i].index, i);
		}
		for (unsigned int i = 3; i < 8; i++) {
			uint64_t entry = ontb_sw_dbmsg(h) + ONTB_SW_MSIX_TABLE + 16 * i;

			assert_int_equal(ontb_pci_irq(rig.hosts[h].dev, i), 0);
			assert_int_equal(sw_r64(&rig, h, entry), 0);
			assert_int_equal(sw_r64(&rig, h, entry + 8), 1ULL << 32);
		}
	}
	sw_close(&rig);
}

/* What Linux's driver reads, in the places where it reads it. */
static void registers_and_page_are_as_linux_leaves_them(void **state)
{
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	for (unsigned int h = 0; h < 2; h++) {
		uint64_t dbmsg = ontb_sw_dbmsg(h);
		const uint32_t *page = sw_page(&rig, h);
		uint64_t lut = sw_r64(&rig, h, ontb_sw_ctrl(h ^ 1) + ONTB_SW_CTRL_LUT(0));

		assert_int_equal(sw_r64(&rig, h, dbmsg + 0x1018), 0xf000000000000000);
		assert_int_equal(sw_r64(&rig, h, dbmsg + 0x1008), h ? 0x0fffffff : 0x0fffffff00000000);
		assert_int_equal(sw_r32(&rig, h, dbmsg + 0x1060), h ? 0x03020100 : 0x07060504);
		assert_int_equal(sw_r64(&rig, h, dbmsg + 0x1020), 0x0101010101010101);
		assert_int_equal(sw_r64(&rig, h, dbmsg + 0x1058), 0x0202020201010101);
		assert_int_equal(sw_r32(&rig, h, ontb_sw_ctrl(h) + ONTB_SW_CTRL_BAR_CTL(2)), 0x7d021);
		assert_int_equal(sw_r32(&rig, h, ontb_sw_ctrl(h) + ONTB_SW_CTRL_REQ_ID(0)), 1);
		assert_int_equal(sw_r32(&rig, h, ontb_sw_ctrl(h) + ONTB_SW_CTRL_REQ_ID(1)) & 1, 1);
		assert_int_equal(lut & 0x7f, h << 1 | 1);
		assert_int_equal((lut & ~0xffffULL) - rig.hosts[h].machine->ram_base,
				 (uint64_t)((const char *)page - (const char *)rig.hosts[h].machine->ram));
		assert_int_equal(page[0], 0x45cc0001);
		assert_int_equal(page[1], 0);
		assert_int_equal(page[2], h);
		for (unsigned int i = 0; i < 34; i++)
			assert_int_equal(ontb_get_le64(&page[4 + 2 * i]), i < 2 ? 0x200000 : 0x10000);
		assert_int_equal(ontb_get_le64(&page[4 + 2 * 34]), 0);
		for (unsigned int i = 0x410 / 4; i < 0x1000 / 4; i++)
			assert_int_equal(page[i], 0);
	}
	sw_close(&rig);
}

static void a_peer_is_found_on_a_switch_with_more_partitions(void **state)
{
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, "host a ram=8M; host b ram=8M; host c ram=8M; host d ram=8M; bridge switchtec a b c d", true);
	for (unsigned int h = 0; h < 4; h++)
		assert_int_equal(ontb_ntb_link_enable(rig.hosts[h].ntb), 0);
	for (unsigned int h = 0; h < 4; h++)
		sw_wait_link(&rig, h, true);
	assert_int_equal(ontb_ntb_db_unmask(rig.hosts[2].ntb, 1), 0);
	assert_int_equal(ontb_ntb_peer_db_set(rig.hosts[3].ntb, 0, 1), 0);
	assert_int_equal(ontb_ntb_peer_db_set(rig.hosts[1].ntb, 0, 1), 0);
	sw_settle(&rig);
	assert_int_equal(rig.hosts[2].nr_doorbells, 1);
	assert_int_equal(ontb_ntb_db_read(rig.hosts[2].ntb), 1);
	assert_int_equal(ontb_ntb_db_read(rig.hosts[0].ntb), 1);
	assert_int_equal(ontb_ntb_db_read(rig.hosts[3].ntb), 0);
	assert_int_equal(ontb_ntb_peer_spad_write(rig.hosts[2].ntb, 0, 7, 0x1234), 0);
	assert_int_equal(sw_page(&rig, 3)[0x410 / 4 + 7], 0x1234);
	sw_close(&rig);
}

static void another_device_is_refused(void **state)
{
	struct ontb_ntb *const untouched = (struct ontb_ntb *)0x1;
	struct ontb_ntb *ntb = untouched;
	struct ontb_pci_dev *other;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO "; endpoint exerciser a", true);
	other = ontb_pci_dev_at(rig.hosts[0].bus, 1);
	assert_non_null(other);
	assert_false(ontb_ntb_switchtec_matches(other));
	sw_log_start();
	assert_int_equal(ontb_ntb_switchtec_probe(other, rig.hosts[0].workers, rig.hosts[0].pages, &ntb), -EOPNOTSUPP);
	assert_true(sw_log_has("not an NTB endpoint"));
	sw_log_stop();
	assert_ptr_equal(ntb, untouched);
	ontb_ntb_switchtec_remove(NULL);
	sw_close(&rig);
}

/* Windows */

static void what_one_stores_the_other_has(void **state)
{
	static const struct {
		unsigned int window;
		uint64_t size;
	} windows[] = { { 0, 0x200000 }, { 1, 0x100000 }, { 1, 0x1000 },
			{ 2, 0x10000 },	 { 17, 0x10000 }, { 32, 0x10000 } };
	const char text[] = "thirteen byte";
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(windows); i++) {
		for (unsigned int owner = 0; owner < 2; owner++) {
			struct ontb_ntb *mine = rig.hosts[owner].ntb, *theirs = rig.hosts[owner ^ 1].ntb;
			unsigned int w = windows[i].window;
			struct ontb_page_run run = sw_memory(&rig, owner, windows[i].size);
			char back[13];
			uint32_t word;

			assert_int_equal(ontb_ntb_window_open(mine, 0, w, run.addr, run.size), 0);
			assert_int_equal(ontb_ntb_peer_write32(theirs, 0, w, 0, 0x11223344), 0);
			assert_int_equal(ontb_ntb_peer_write32(theirs, 0, w, run.size - 4, 0x55667788), 0);
			assert_int_equal(ontb_ntb_peer_write(theirs, 0, w, 0x123, text, 13), 0);
			assert_int_equal(ontb_ntb_peer_read(theirs, 0, w, 0x123, back, 13), 0);
			assert_memory_equal(back, text, 13);
			assert_int_equal(ontb_get_le32(run.ptr), 0x11223344);
			assert_int_equal(ontb_get_le32((char *)run.ptr + run.size - 4), 0x55667788);
			assert_memory_equal((char *)run.ptr + 0x123, text, 13);
			assert_int_equal(ontb_ntb_window_close(mine, 0, w), 0);
			assert_int_equal(ontb_ntb_peer_write32(theirs, 0, w, 0, 0), 0);
			assert_int_equal(ontb_ntb_peer_read(theirs, 0, w, 0, &word, 4), 0);
			assert_int_equal(word, UINT32_MAX);
			assert_int_equal(ontb_get_le32(run.ptr), 0x11223344);
			assert_int_equal(ontb_ntb_window_close(mine, 0, w), 0);
			sw_release(&rig, owner, &run);
		}
	}
	sw_close(&rig);
}

static void a_window_can_be_moved_while_it_is_open(void **state)
{
	struct ontb_page_run old, new;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	old = sw_memory(&rig, 0, 0x10000);
	new = sw_memory(&rig, 0, 0x20000);
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, old.addr, old.size), 0);
	assert_int_equal(ontb_ntb_peer_write32(rig.hosts[1].ntb, 0, 1, 4, 1), 0);
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, new.addr, new.size), 0);
	assert_int_equal(ontb_ntb_peer_write32(rig.hosts[1].ntb, 0, 1, 4, 2), 0);
	assert_int_equal(((uint32_t *)old.ptr)[1], 1);
	assert_int_equal(((uint32_t *)new.ptr)[1], 2);
	sw_release(&rig, 0, &old);
	sw_release(&rig, 0, &new);
	sw_close(&rig);
}

static void windows_have_the_limits_of_the_part(void **state)
{
	static const struct {
		unsigned int window;
		uint64_t addr;
		uint64_t size;
		int want;
	} cases[] = {
		{ 1, 0x40200000, 0x200000, 0 },	      { 1, 0x40100000, 0x200000, -EINVAL },
		{ 1, 0x40100000, 0x100000, 0 },	      { 1, 0x40000800, 0x1000, -EINVAL },
		{ 1, 0x40001000, 0x1000, 0 },	      { 1, 0x40001000, 0x800, -EINVAL },
		{ 1, 0x40000000, 0, -EINVAL },	      { 1, 0x40000000, 0x400000, -EINVAL },
		{ 1, 0x40400000, 0x3000, 0 },	      { 1, 0x40403000, 0x3000, -EINVAL },
		{ 2, 0x40010000, 0x10000, 0 },	      { 2, 0x40010000, 0x8000, -EINVAL },
		{ 2, 0x40010000, 0x20000, -EINVAL },  { 2, 0x40011000, 0x10000, -EINVAL },
		{ 33, 0x40010000, 0x10000, -ERANGE },
	};
	struct ontb_ntb_window limits;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		int ret = ontb_ntb_window_open(rig.hosts[0].ntb, 0, cases[i].window, cases[i].addr, cases[i].size);

		if (ret != cases[i].want)
			fail_msg("case %u: %d, not %d", i, ret, cases[i].want);
	}
	assert_int_equal(ontb_ntb_window_limits(rig.hosts[0].ntb, 0, 0, &limits), 0);
	assert_int_equal(limits.addr_align, 0);
	assert_int_equal(limits.size_align, 0x1000);
	assert_int_equal(limits.size_max, 0x200000);
	assert_int_equal(ontb_ntb_window_limits(rig.hosts[0].ntb, 0, 2, &limits), 0);
	assert_int_equal(limits.addr_align, 0x10000);
	assert_int_equal(limits.size_align, 0x10000);
	assert_int_equal(limits.size_max, 0x10000);
	sw_close(&rig);
}

static void windows_are_gone_with_the_driver_that_opened_them(void **state)
{
	struct ontb_page_run runs[2];
	struct sw_rig rig;
	uint32_t word;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int i = 0; i < 2; i++) {
		runs[i] = sw_memory(&rig, 0, 0x10000);
		assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1 + i, runs[i].addr, 0x10000), 0);
	}
	sw_remove(&rig, 0);
	sw_settle(&rig);
	assert_false(sw_is_up(&rig, 1));
	for (unsigned int i = 0; i < 2; i++) {
		ontb_ntb_ops(rig.hosts[1].ntb)->peer_write32(rig.hosts[1].ntb, 0, 1 + i, 0, 1);
		ontb_ntb_ops(rig.hosts[1].ntb)->peer_read(rig.hosts[1].ntb, 0, 1 + i, 0, &word, 4);
		assert_int_equal(word, UINT32_MAX);
		assert_int_equal(ontb_get_le32(runs[i].ptr), 0);
		sw_release(&rig, 0, &runs[i]);
	}
	assert_int_equal(sw_r64(&rig, 1, ontb_sw_ctrl(1) + ONTB_SW_CTRL_LUT(0)), 0);
	sw_close(&rig);
}

static void a_peer_that_keeps_a_lock_costs_a_time_out(void **state)
{
	uint64_t ctrl = ontb_sw_ctrl(1);
	struct ontb_page_run run;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	run = sw_memory(&rig, 0, 0x1000);
	sw_w32(&rig, 1, ctrl + 4, 1);
	sw_log_start();
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, run.size), -ETIMEDOUT);
	assert_true(sw_log_has("lock of control block 1: no answer in time"));
	sw_log_stop();
	/* It waits no longer: when the peer is done, the lock is free. */
	sw_w32(&rig, 1, ctrl + 4, 2);
	assert_int_equal(sw_r32(&rig, 0, ctrl), 1);
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, run.size), 0);
	/* A peer that is lost gives its lock back. */
	sw_w32(&rig, 1, ctrl + 4, 1);
	assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), 0);
	assert_int_equal(ontb_ntb_window_close(rig.hosts[0].ntb, 0, 1), 0);
	assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), 0);
	sw_release(&rig, 0, &run);
	sw_log_start();
	sw_close(&rig);
	sw_log_stop();
}

static void a_peer_that_scribbles_over_its_block_closes_its_own_window(void **state)
{
	uint64_t ctrl = ontb_sw_ctrl(1);
	struct ontb_page_run run;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	run = sw_memory(&rig, 0, 0x1000);
	/* The part refuses to open what another host has a hand in, and the driver says so. */
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, run.size), 0);
	sw_log_start();
	sw_w32(&rig, 1, ctrl + ONTB_SW_CTRL_BAR_XLATE(4), 0);
	sw_w32(&rig, 1, ctrl + 4, 1);
	sw_w32(&rig, 1, ctrl + 4, 2);
	assert_int_equal(ontb_ntb_peer_write32(rig.hosts[1].ntb, 0, 1, 0, 1), 0);
	assert_int_equal(ontb_get_le32(run.ptr), 0);
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, run.size), 0);
	assert_int_equal(ontb_ntb_peer_write32(rig.hosts[1].ntb, 0, 1, 0, 1), 0);
	assert_int_equal(ontb_get_le32(run.ptr), 1);
	sw_log_stop();
	sw_release(&rig, 0, &run);
	sw_close(&rig);
}

static void a_window_that_the_part_does_not_open_is_an_error(void **state)
{
	struct ontb_page_run run;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	run = sw_memory(&rig, 0, 0x400000);
	/* The peer says that its window is larger than it is. */
	ontb_put_le64(&sw_page(&rig, 1)[4 + 2], 0x400000);
	sw_log_start();
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, run.size), -EIO);
	assert_true(sw_log_has("did not open window 1"));
	sw_log_stop();
	assert_int_equal(sw_r32(&rig, 0, ontb_sw_ctrl(1) + ONTB_SW_CTRL_BAR_CTL(4)), 1);
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, 0x1000), 0);
	sw_release(&rig, 0, &run);
	sw_close(&rig);
}

static void sizes_that_cannot_be_are_not_believed(void **state)
{
	static const uint64_t bad_direct[] = { 0, 1, 0x800, 0x3000, 0x200001, 1ULL << 47, 1ULL << 63, UINT64_MAX - 1 };
	struct ontb_ntb_window limits;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	sw_log_start();
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad_direct); i++) {
		ontb_put_le64(&sw_page(&rig, 1)[4 + 2], bad_direct[i]);
		assert_int_equal(ontb_ntb_window_limits(rig.hosts[0].ntb, 0, 1, &limits), -EPROTO);
		assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, 0x40000000, 0x1000), -EPROTO);
	}
	assert_true(sw_log_has("that cannot be"));
	sw_log_stop();
	ontb_put_le64(&sw_page(&rig, 1)[4 + 2], 0x1000);
	assert_int_equal(ontb_ntb_window_limits(rig.hosts[0].ntb, 0, 1, &limits), 0);
	assert_int_equal(limits.size_max, 0x1000);
	/* Whoever has no page says nothing. What the part alone decides is known all the same. */
	sw_page(&rig, 1)[0] = 0;
	assert_int_equal(ontb_ntb_window_limits(rig.hosts[0].ntb, 0, 1, &limits), -ENOLINK);
	ontb_put_le64(&sw_page(&rig, 1)[4 + 4], 1);
	assert_int_equal(ontb_ntb_window_limits(rig.hosts[0].ntb, 0, 2, &limits), 0);
	assert_int_equal(limits.size_max, 0x10000);
	sw_close(&rig);
}

/* What a peer writes into this host's page is its own affair. */
static void a_page_full_of_nonsense_changes_nothing_for_its_owner(void **state)
{
	struct ontb_page_run run;
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	run = sw_memory(&rig, 0, 0x1000);
	for (unsigned int i = 0; i < 0x1000 / 4; i++)
		sw_page(&rig, 0)[i] = 0xdeadbeef * (i + 1);
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 3);
	sw_w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, 0xffffffff);
	assert_int_equal(ontb_ntb_window_open(rig.hosts[0].ntb, 0, 1, run.addr, 0x1000), 0);
	assert_int_equal(ontb_ntb_window_close(rig.hosts[0].ntb, 0, 1), 0);
	sw_release(&rig, 0, &run);
	sw_close(&rig);
}

/* Doorbells, scratchpads, messages, page */

static void every_doorbell_rings_at_the_other_host_only(void **state)
{
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		struct sw_host *from = &rig.hosts[h], *to = &rig.hosts[h ^ 1];
		unsigned int heard = to->nr_doorbells;

		assert_int_equal(ontb_ntb_db_unmask(to->ntb, 0x0fffffff), 0);
		for (unsigned int bit = 0; bit < 28; bit++) {
			assert_int_equal(ontb_ntb_peer_db_set(from->ntb, 0, 1ULL << bit), 0);
			sw_settle(&rig);
			assert_int_equal(to->nr_doorbells, ++heard);
			assert_int_equal(ontb_ntb_db_read(to->ntb), 1ULL << bit);
			assert_int_equal(ontb_ntb_db_clear(to->ntb, 1ULL << bit), 0);
			assert_int_equal(ontb_ntb_db_read(to->ntb), 0);
			assert_int_equal(ontb_ntb_db_read(from->ntb), 0);
		}
		assert_int_equal(ontb_ntb_peer_db_set(from->ntb, 0, 1ULL << 28), -ERANGE);
	}
	sw_close(&rig);
}

static void a_masked_doorbell_waits(void **state)
{
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0], *b = &rig.hosts[1];

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	assert_int_equal(ontb_ntb_peer_db_set(a->ntb, 0, 0x5), 0);
	sw_settle(&rig);
	assert_int_equal(b->nr_doorbells, 0);
	assert_int_equal(ontb_ntb_db_read(b->ntb), 0x5);
	assert_int_equal(ontb_ntb_db_unmask(b->ntb, 0x4), 0);
	sw_settle(&rig);
	assert_int_equal(b->nr_doorbells, 1);
	assert_int_equal(ontb_ntb_db_mask(b->ntb, 0x4), 0);
	assert_int_equal(ontb_ntb_db_clear(b->ntb, 0x5), 0);
	assert_int_equal(ontb_ntb_peer_db_set(a->ntb, 0, 0x4), 0);
	sw_settle(&rig);
	assert_int_equal(b->nr_doorbells, 1);
	sw_close(&rig);
}

static void scratchpads_are_read_where_they_were_written(void **state)
{
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_ntb *mine = rig.hosts[h].ntb, *theirs = rig.hosts[h ^ 1].ntb;
		uint32_t value;

		for (unsigned int i = 0; i < 128; i++) {
			assert_int_equal(ontb_ntb_peer_spad_write(mine, 0, i, 0x1000 * h + i), 0);
			assert_int_equal(ontb_ntb_spad_read(theirs, i, &value), 0);
			assert_int_equal(value, 0x1000 * h + i);
			assert_int_equal(ontb_ntb_spad_write(theirs, i, ~value), 0);
			assert_int_equal(ontb_ntb_peer_spad_read(mine, 0, i, &value), 0);
			assert_int_equal(value, ~(0x1000 * h + i));
		}
		assert_int_equal(ontb_ntb_peer_spad_write(mine, 0, 128, 0), -ERANGE);
		assert_int_equal(sw_page(&rig, h ^ 1)[0x410 / 4], ~(0x1000 * h));
	}
	sw_close(&rig);
}

static void a_message_waits_until_it_is_taken(void **state)
{
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0], *b = &rig.hosts[1];
	unsigned int peer = 9;
	uint32_t value;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int heard = b->nr_messages;

		assert_int_equal(ontb_ntb_msg_read(b->ntb, i, &peer, &value), -EAGAIN);
		assert_int_equal(ontb_ntb_peer_msg_write(a->ntb, 0, i, 0x100 + i), 0);
		assert_int_equal(ontb_ntb_peer_msg_write(a->ntb, 0, i, 0x200 + i), -EAGAIN);
		sw_settle(&rig);
		assert_true(b->nr_messages > heard);
		assert_int_equal(ontb_ntb_msg_read(b->ntb, i, &peer, &value), 0);
		assert_int_equal(peer, 0);
		assert_int_equal(value, 0x100 + i);
		assert_int_equal(ontb_ntb_msg_read(b->ntb, i, &peer, &value), -EAGAIN);
		assert_int_equal(ontb_ntb_peer_msg_write(a->ntb, 0, i, 0x300 + i), 0);
		assert_int_equal(ontb_ntb_msg_read(b->ntb, i, &peer, &value), 0);
		assert_int_equal(value, 0x300 + i);
	}
	assert_int_equal(a->nr_messages, 0);
	assert_true(sw_is_up(&rig, 0));
	sw_close(&rig);
}

static void the_page_is_the_clients_beyond_the_drivers_part(void **state)
{
	struct sw_rig rig;
	size_t size;
	char *page;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_ntb *mine = rig.hosts[h].ntb, *theirs = rig.hosts[h ^ 1].ntb;

		page = ontb_ntb_page(mine, 0, &size);
		assert_non_null(page);
		assert_int_equal(size, 0xf000);
		assert_int_equal(ontb_ntb_peer_page_write(theirs, 0, 0, "first", 5), 0);
		assert_int_equal(ontb_ntb_peer_page_write(theirs, 0, size - 4, "last", 4), 0);
		assert_int_equal(ontb_ntb_peer_page_write(theirs, 0, size - 3, "past", 4), -ERANGE);
		assert_memory_equal(page, "first", 5);
		assert_memory_equal(page + size - 4, "last", 4);
	}
	assert_true(sw_is_up(&rig, 0));
	sw_close(&rig);
}

/* Guard */

static uint64_t count_interrupts(struct sw_rig *rig, unsigned int host)
{
	struct ontb_fabric_host_status status;

	assert_int_equal(ontb_fabric_host_status(rig->fabric, host, &status), 0);
	return status.messages + status.dropped + status.blocked;
}

static void the_guard_passes_granted_messages_only(void **state)
{
	const struct ontb_msi_msg good = { .addr = 0xfee00000, .data = 0x50 },
				  better = { .addr = 0xfee01000, .data = 0x51 };
	struct ontb_port_status status;
	struct sw_rig rig;
	struct sw_host *a = &rig.hosts[0], *b = &rig.hosts[1];
	uint64_t before;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	sw_link(&rig);
	sw_log_start();
	assert_int_equal(ontb_ntb_window_open(a->ntb, 0, 1, 0xfee00000, 0x100000), 0);
	assert_int_equal(ontb_ntb_guard_set(a->ntb, 0, &good), 0);
	assert_int_equal(ontb_ntb_guard_set(a->ntb, 16383, &better), 0);
	assert_int_equal(ontb_ntb_guard_set(a->ntb, 16384, &better), -ERANGE);
	assert_int_equal(ontb_ntb_guard_enable(a->ntb, true), 0);
	before = count_interrupts(&rig, 0);
	assert_int_equal(ontb_ntb_peer_write32(b->ntb, 0, 1, 0, 0x50), 0);
	assert_int_equal(ontb_ntb_peer_write32(b->ntb, 0, 1, 0x1000, 0x51), 0);
	sw_settle(&rig);
	assert_int_equal(count_interrupts(&rig, 0), before + 2);
	assert_int_equal(ontb_ntb_peer_write32(b->ntb, 0, 1, 0, 0x51), 0);
	assert_int_equal(ontb_ntb_guard_set(a->ntb, 0, NULL), 0);
	assert_int_equal(ontb_ntb_peer_write32(b->ntb, 0, 1, 0, 0x50), 0);
	sw_settle(&rig);
	assert_int_equal(count_interrupts(&rig, 0), before + 2);
	assert_int_equal(ontb_bridge_port_status(ontb_fabric_bridge(rig.fabric, 0), 0, &status), 0);
	assert_int_equal(status.blocked, 2);
	assert_int_equal(ontb_ntb_guard_enable(a->ntb, false), 0);
	assert_int_equal(ontb_ntb_peer_write32(b->ntb, 0, 1, 0, 0x50), 0);
	sw_settle(&rig);
	assert_int_equal(count_interrupts(&rig, 0), before + 3);
	/* A message that no device can send. */
	assert_int_equal(ontb_ntb_guard_set(a->ntb, 1, &(struct ontb_msi_msg){ .addr = 0xfee00002, .data = 0 }), -EIO);
	assert_true(sw_log_has("slot 1 of the guard"));
	sw_log_stop();
	sw_close(&rig);
}

static void a_new_driver_has_an_empty_guard(void **state)
{
	const struct ontb_msi_msg old = { .addr = 0xfee00000, .data = 0x50 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	assert_int_equal(ontb_ntb_guard_set(rig.hosts[0].ntb, 77, &old), 0);
	assert_int_equal(ontb_ntb_guard_enable(rig.hosts[0].ntb, true), 0);
	sw_remove(&rig, 0);
	sw_probe(&rig, 0);
	assert_int_equal(sw_r32(&rig, 0, ONTB_SW_GUARD + ONTB_SW_GUARD_CONTROL), 0);
	assert_int_equal(sw_r32(&rig, 0, ontb_sw_guard_slot(77) + ONTB_SW_GUARD_SLOT_CTRL), 0);
	sw_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_finds_the_peer_and_its_windows),
		cmocka_unit_test(three_vectors_are_requested_and_no_other_entry_touched),
		cmocka_unit_test(registers_and_page_are_as_linux_leaves_them),
		cmocka_unit_test(a_peer_is_found_on_a_switch_with_more_partitions),
		cmocka_unit_test(another_device_is_refused),
		cmocka_unit_test(what_one_stores_the_other_has),
		cmocka_unit_test(a_window_can_be_moved_while_it_is_open),
		cmocka_unit_test(windows_have_the_limits_of_the_part),
		cmocka_unit_test(windows_are_gone_with_the_driver_that_opened_them),
		cmocka_unit_test(a_peer_that_keeps_a_lock_costs_a_time_out),
		cmocka_unit_test(a_peer_that_scribbles_over_its_block_closes_its_own_window),
		cmocka_unit_test(a_window_that_the_part_does_not_open_is_an_error),
		cmocka_unit_test(sizes_that_cannot_be_are_not_believed),
		cmocka_unit_test(a_page_full_of_nonsense_changes_nothing_for_its_owner),
		cmocka_unit_test(every_doorbell_rings_at_the_other_host_only),
		cmocka_unit_test(a_masked_doorbell_waits),
		cmocka_unit_test(scratchpads_are_read_where_they_were_written),
		cmocka_unit_test(a_message_waits_until_it_is_taken),
		cmocka_unit_test(the_page_is_the_clients_beyond_the_drivers_part),
		cmocka_unit_test(the_guard_passes_granted_messages_only),
		cmocka_unit_test(a_new_driver_has_an_empty_guard),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
