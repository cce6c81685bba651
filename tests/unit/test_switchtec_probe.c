// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The register accesses of Linux 6.12's switchtec and ntb_hw_switchtec drivers, in their order, and what they must find.
 */
#include "hw_rig.h"

#include <string.h>

#include "hw/switchtec/regs.h"

#define NTB	     0x10000
#define SHARED_PAGE  (RIG_RAM_BASE + 0x10000)
#define MAGIC	     0x45cc0001U
#define MSG_LINK_UP  1
#define MSG_CHECK    3
#define FORCE_DOWN   4
#define EVENT_VECTOR 0
#define DB_VECTOR    1
#define MSG_VECTOR   2

/* quirk_switchtec_ntb_dma_alias(): returns the partitions it would complain about. */
static unsigned int replay_quirk(struct rig *rig, unsigned int port)
{
	unsigned int nr_complaints = 0;
	uint64_t map;

	assert_int_equal(rig_read(rig, port, 0, NTB + 1, 1), port);
	map = r32(rig, port, NTB + 4) | (uint64_t)r32(rig, port, NTB + 0x24) << 32;
	map &= ~(1ULL << port);
	for (unsigned int p = 0; p < 48; p++) {
		unsigned int size;

		if (!(map >> p & 1))
			continue;
		size = (unsigned int)rig_read(rig, port, 0, ontb_sw_ctrl(p) + 0x1c, 2);
		if (!size)
			nr_complaints++;
		for (unsigned int i = 0; i < size; i++)
			assert_int_equal(r32(rig, port, ontb_sw_ctrl(p) + 0x400 + 4 * i) & 0xfffffe00, 0);
	}
	return nr_complaints;
}

/* switchtec.c: switchtec_init_pci(), init_pff(), switchtec_init_isr(), enable_link_state_events(). */
static void replay_switchtec(struct rig *rig, unsigned int port)
{
	unsigned int nr_pffs = 0, nr_local = 0;
	uint64_t cfg;
	uint32_t pff;

	assert_int_equal(rig_read(rig, port, 0, 0x2018, 1), port);
	assert_int_equal(rig_read(rig, port, 0, NTB, 1), rig->nr_ports);
	cfg = ontb_sw_partcfg(port);
	while (nr_pffs < 255 && rig_read(rig, port, 0, ontb_sw_pff(nr_pffs), 2) == 0x11f8)
		nr_pffs++;
	assert_int_equal(nr_pffs, 2 * rig->nr_ports);
	pff = r32(rig, port, cfg + 0x10);
	nr_local += pff < nr_pffs;
	pff = r32(rig, port, cfg + 0x14) & 0xff;
	nr_local += pff < nr_pffs;
	for (unsigned int i = 0; i < 47; i++)
		nr_local += r32(rig, port, cfg + 0x18 + 4 * i) < nr_pffs;
	assert_int_equal(nr_local, 2);
	assert_int_equal(r32(rig, port, 0x81c), 0);
	assert_int_equal(rig_read(rig, port, 0, cfg + 0x100, 2), EVENT_VECTOR);
	w32(rig, port, cfg + 0x13c, 0x9);
	for (unsigned int i = 0; i < nr_pffs; i++)
		w32(rig, port, ontb_sw_pff(i) + 0xd30, 0x9);
	assert_int_equal(r32(rig, port, cfg + 0x13c) & 0x1f, 0x8);
}

/* switchtec_ntb_init_sndev() */
static unsigned int replay_find_peer(struct rig *rig, unsigned int self)
{
	uint64_t target, map;

	target =
		(uint64_t)r32(rig, self, NTB + 0x20 + 16 * self + 8) << 32 | r32(rig, self, NTB + 0x20 + 16 * self + 4);
	map = r32(rig, self, NTB + 4) | (uint64_t)r32(rig, self, NTB + 8) << 32;
	assert_int_equal(r64(rig, self, NTB + 4), map);
	target &= map;
	map &= ~(1ULL << self);
	if (!target) {
		assert_int_equal(rig_read(rig, self, 0, NTB, 1), 2);
		assert_true(map);
		return (unsigned int)__builtin_ctzll(map);
	}
	assert_int_equal(target & (target - 1), 0);
	assert_true(map & target);
	return (unsigned int)__builtin_ctzll(target);
}

/* switchtec_ntb_init_mw() */
static void replay_count_windows(struct rig *rig, unsigned int port, unsigned int part)
{
	uint64_t ctrl = ontb_sw_ctrl(part);

	for (unsigned int b = 0; b < 6; b++)
		assert_int_equal(r32(rig, port, ctrl + 0x40 + 16 * b) & 1, b == 2 || b == 4);
	assert_int_equal(rig_read(rig, port, 0, ctrl + 0x14, 2), 32);
}

/* switchtec_ntb_init_req_id_table() */
static void replay_req_ids(struct rig *rig, unsigned int self)
{
	uint64_t ctrl = ontb_sw_ctrl(self);
	uint32_t rid = (uint32_t)rig_read(rig, self, 0, NTB + 0xc, 2);

	assert_true(rig_read(rig, self, 0, ctrl + 0x1c, 2) >= 2);
	assert_int_equal(rig_lock(rig, self, self), 2);
	w32(rig, self, ctrl + 0x400, 0 << 16 | 1);
	assert_int_equal(r32(rig, self, ctrl + 0x400) & 0x1ff, 0 << 1 | 1);
	w32(rig, self, ctrl + 0x404, rid << 16 | 1);
	assert_int_equal(r32(rig, self, ctrl + 0x404) & 0x1ff, 1 << 1 | 1);
	assert_int_equal(rig_commit(rig, self, self), 1);
}

/* switchtec_ntb_init_db_msg_irq() */
static void replay_vectors(struct rig *rig, unsigned int self)
{
	uint32_t event = r32(rig, self, ontb_sw_partcfg(self) + 0x100), doorbell = 0, message = 0;

	while (doorbell == event)
		doorbell++;
	while (message == event || message == doorbell)
		message++;
	assert_int_equal(event, EVENT_VECTOR);
	assert_int_equal(doorbell, DB_VECTOR);
	assert_int_equal(message, MSG_VECTOR);
	for (unsigned int i = 0; i < 64; i++)
		w8(rig, self, ontb_sw_dbmsg(self) + 0x1020 + i, (uint8_t)(i < 60 ? doorbell : message));
}

/* switchtec_ntb_add() */
static void replay_ntb(struct rig *rig, unsigned int self)
{
	unsigned int peer = replay_find_peer(rig, self);

	assert_int_equal(peer, self ^ 1);
	replay_count_windows(rig, self, self);
	replay_count_windows(rig, self, peer);
	replay_req_ids(rig, self);
	assert_int_equal(rig_read(rig, self, 0, NTB + 0x20 + 16 * peer, 1), 0);
	rig_setup_dbmsg(rig, self);
	memset(rig->hosts[self].ram + 0x10000, 0, 0x10000);
	memcpy(rig->hosts[self].ram + 0x10000, &(uint32_t){ MAGIC }, 4);
	assert_int_equal(rig_open_lut(rig, self, 0, SHARED_PAGE), 1);
	replay_vectors(rig, self);
	w32(rig, self, ontb_sw_dbmsg(self) + 0x1068, FORCE_DOWN);
}

/* switchtec_ntb_message_isr(): returns the link message. */
static uint32_t replay_message_isr(struct rig *rig, unsigned int self)
{
	uint32_t link_msg = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t addr = ontb_sw_dbmsg(self) + 0x1088 + 8 * i, msg = r64(rig, self, addr);

		if (!(msg & 1ULL << 32))
			continue;
		w8(rig, self, addr + 4, 1);
		if (!i)
			link_msg = (uint32_t)msg;
	}
	return link_msg;
}

static uint64_t peer_page(struct rig *rig, unsigned int self)
{
	return rig_read(rig, self, 2, 0, 8);
}

static void probe_of_both_drivers_finds_two_partitions(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int p = 0; p < 2; p++) {
		assert_int_equal(replay_quirk(&rig, p), 0);
		replay_switchtec(&rig, p);
	}
	for (unsigned int p = 0; p < 2; p++)
		replay_ntb(&rig, p);
	assert_int_equal((uint32_t)peer_page(&rig, 0), MAGIC);
	assert_int_equal((uint32_t)peer_page(&rig, 1), MAGIC);
	rig_close(&rig);
}

static void link_comes_up_by_messages_and_shared_pages(void **state)
{
	struct rig rig;
	struct rig_host *a = &rig.hosts[0], *b = &rig.hosts[1];

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int p = 0; p < 2; p++) {
		replay_switchtec(&rig, p);
		replay_ntb(&rig, p);
	}
	/* The first one's FORCE_DOWN found nobody: the peer had not set its message map. */
	assert_int_equal(b->vectors[MSG_VECTOR], 0);
	assert_int_equal(a->vectors[MSG_VECTOR], 1);
	assert_int_equal(replay_message_isr(&rig, 0), FORCE_DOWN);
	assert_false(rig_status(&rig, 0).link_up);

	a->ram[0x10004] = 1;
	w32(&rig, 0, ontb_sw_dbmsg(0) + 0x1068, MSG_LINK_UP);
	assert_int_equal(b->vectors[MSG_VECTOR], 1);
	assert_int_equal(replay_message_isr(&rig, 1), MSG_LINK_UP);
	assert_int_equal(replay_message_isr(&rig, 1), 0);
	assert_true(peer_page(&rig, 1) == (MAGIC | 1ULL << 32));
	b->ram[0x10004] = 1;
	w32(&rig, 1, ontb_sw_dbmsg(1) + 0x1068, MSG_LINK_UP);
	assert_true(peer_page(&rig, 0) == (MAGIC | 1ULL << 32));
	for (unsigned int p = 0; p < 2; p++) {
		uint64_t pff = ontb_sw_pff(r32(&rig, 0, ontb_sw_partcfg(p) + 0x14) & 0xff);

		assert_int_equal(r32(&rig, 0, pff + 0x74) >> 16 & 0xf, 3);
		assert_int_equal(r32(&rig, 0, pff + 0x74) >> 20 & 0x3f, 16);
	}
	w32(&rig, 0, ontb_sw_dbmsg(0) + 0x1068, MSG_CHECK);
	assert_true(rig_status(&rig, 0).link_up);
	assert_true(rig_status(&rig, 1).link_up);
	rig_close(&rig);
}

/* ntb_msi_test: a direct window onto the interrupt addresses, scratchpads, a doorbell, then a 4-byte write. */
static void ntb_msi_reaches_the_other_host_as_a_write_of_its_function(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	for (unsigned int p = 0; p < 2; p++) {
		replay_switchtec(&rig, p);
		replay_ntb(&rig, p);
	}
	assert_int_equal(rig_open_direct(&rig, 0, 4, 0xfee00000, 2 << 20), 1);
	assert_int_equal(r64(&rig, 1, ontb_sw_ctrl(1) + 0x40 + 16 * 4 + 8), 0xfee00000);
	for (unsigned int n = 1; n <= 4; n++) {
		rig_write(&rig, 1, 4, 0x1000 * n, 0x20 + n, 4);
		assert_int_equal(rig.hosts[0].nr_msis, n);
		assert_int_equal(rig.hosts[0].msis[n - 1].addr, 0xfee00000 + 0x1000 * n);
		assert_int_equal(rig.hosts[0].msis[n - 1].data, 0x20 + n);
		assert_int_equal(rig.hosts[0].msis[n - 1].source, 1);
	}
	w64(&rig, 0, ontb_sw_dbmsg(0) + 0x1000, 1ULL << 32);
	assert_int_equal(r64(&rig, 1, ontb_sw_dbmsg(1) + 0x1010), 1ULL << 32);
	rig_close(&rig);
}

static void eight_hosts_probe_as_four_pairs(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 8);
	for (unsigned int p = 0; p < 8; p++) {
		/* The kernel's own fault: it takes partition 0's target for the upper half of the map. */
		assert_int_equal(replay_quirk(&rig, p), 1);
		replay_switchtec(&rig, p);
		replay_ntb(&rig, p);
	}
	for (unsigned int p = 0; p < 8; p++) {
		rig.hosts[p].ram[0x10008] = (uint8_t)(0x80 + p);
		assert_int_equal(rig_read(&rig, p ^ 1, 2, 8, 1), 0x80 + p);
	}
	rig_close(&rig);
}

static void all_forty_eight_partitions_probe(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	(void)state;
	rig_open(rig, 48);
	for (unsigned int p = 0; p < 48; p++) {
		replay_switchtec(rig, p);
		replay_ntb(rig, p);
	}
	for (unsigned int p = 0; p < 48; p++) {
		uint32_t table = (uint32_t)rig_config_read(rig, p, 0x84, 4);

		assert_int_equal(table, 0x76000 + 0x4000 * p);
		assert_int_equal((uint32_t)peer_page(rig, p), MAGIC);
	}
	rig_close(rig);
	test_free(rig);
}

static void both_hosts_booting_together_get_through(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, 2);
	/* Host 1 configures its own block while host 0 wants it for its shared page. */
	assert_int_equal(rig_lock(&rig, 1, 1), 2);
	assert_int_equal(rig_lock(&rig, 0, 1), 3);
	assert_int_equal(r32(&rig, 1, ontb_sw_ctrl(1)), 2);
	w32(&rig, 1, ontb_sw_ctrl(1) + 0x400, 1);
	assert_int_equal(rig_commit(&rig, 1, 1), 1);
	assert_int_equal(r32(&rig, 0, ontb_sw_ctrl(1)), 2);
	assert_int_equal(rig_commit(&rig, 0, 1), 1);
	rig_close(&rig);
}

static void gen4_and_gen5_keep_the_partition_id_elsewhere(void **state)
{
	static const uint16_t ids[] = { 0x4052, 0x5052 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct ontb_switchtec_config config;
		struct rig rig;

		ontb_switchtec_config_init(&config);
		config.device_id = ids[i];
		rig_open_config(&rig, &config);
		assert_int_equal(rig_read(&rig, 1, 0, 0x2048, 1), 1);
		assert_int_equal(r32(&rig, 1, 0x2018), 0);
		assert_int_equal(r32(&rig, 1, 0x2000), ids[i]);
		assert_int_equal(rig_config_read(&rig, 1, 2, 2), ids[i]);
		assert_int_equal(rig_read(&rig, 1, 0, 0x213c, 1), 'M');
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_of_both_drivers_finds_two_partitions),
		cmocka_unit_test(link_comes_up_by_messages_and_shared_pages),
		cmocka_unit_test(ntb_msi_reaches_the_other_host_as_a_write_of_its_function),
		cmocka_unit_test(eight_hosts_probe_as_four_pairs),
		cmocka_unit_test(all_forty_eight_partitions_probe),
		cmocka_unit_test(both_hosts_booting_together_get_through),
		cmocka_unit_test(gen4_and_gen5_keep_the_partition_id_elsewhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
