// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The guard: which messages reach a host's interrupt addresses through a window, and the registers that decide it.
 */
#include "hw_rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hw/bridge/guard.h"
#include "hw/switchtec/regs.h"

#define GUARD(reg)     (ONTB_SW_GUARD + ONTB_SW_GUARD_##reg)
#define SLOT(idx, reg) (ontb_sw_guard_slot(idx) + ONTB_SW_GUARD_SLOT_##reg)

/* The table alone */

static void a_guard_passes_what_is_in_its_slots(void **state)
{
	struct ontb_guard guard = { 0 };
	const char *why = NULL;
	uint32_t data = 0x41;

	(void)state;
	assert_int_equal(ontb_guard_init(&guard, 4), 0);
	assert_false(ontb_guard_blocks(&guard, RIG_IRQ_BASE, &data, 4));
	ontb_guard_switch(&guard, true, RIG_IRQ_BASE, RIG_IRQ_SIZE);
	assert_true(ontb_guard_blocks(&guard, RIG_IRQ_BASE, &data, 4));
	assert_int_equal(ontb_guard_open(&guard, 3, RIG_IRQ_BASE, 0x41, &why), 0);
	assert_false(ontb_guard_blocks(&guard, RIG_IRQ_BASE, &data, 4));
	assert_true(ontb_guard_blocks(&guard, RIG_IRQ_BASE + 4, &data, 4));
	data = 0x42;
	assert_true(ontb_guard_blocks(&guard, RIG_IRQ_BASE, &data, 4));
	assert_int_equal(ontb_guard_open(&guard, 4, RIG_IRQ_BASE, 0x42, &why), -ERANGE);
	assert_non_null(why);
	why = NULL;
	assert_int_equal(ontb_guard_open(&guard, 3, RIG_IRQ_BASE + 2, 0x42, &why), -EINVAL);
	assert_non_null(why);
	assert_false(ontb_guard_is_open(&guard, 3));
	data = 0x41;
	assert_true(ontb_guard_blocks(&guard, RIG_IRQ_BASE, &data, 4));
	ontb_guard_close(&guard, 4);
	ontb_guard_close(&guard, UINT32_MAX);
	ontb_guard_fini(&guard);
}

static void the_same_message_passes_while_any_slot_has_it(void **state)
{
	struct ontb_guard guard = { 0 };
	const char *why;

	(void)state;
	assert_int_equal(ontb_guard_init(&guard, 3), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(ontb_guard_open(&guard, i, RIG_IRQ_BASE, 7, &why), 0);
	ontb_guard_close(&guard, 1);
	assert_true(ontb_guard_has(&guard, RIG_IRQ_BASE, 7));
	ontb_guard_close(&guard, 2);
	assert_true(ontb_guard_has(&guard, RIG_IRQ_BASE, 7));
	ontb_guard_close(&guard, 0);
	assert_false(ontb_guard_has(&guard, RIG_IRQ_BASE, 7));
	ontb_guard_fini(&guard);
}

static void one_without_slots_passes_everything(void **state)
{
	struct ontb_guard guard = { 0 };
	const uint32_t data = 1;

	(void)state;
	assert_int_equal(ontb_guard_init(&guard, 0), 0);
	ontb_guard_switch(&guard, true, 0, UINT64_MAX);
	assert_false(ontb_guard_blocks(&guard, RIG_IRQ_BASE, &data, 4));
	ontb_guard_reset(&guard);
	ontb_guard_fini(&guard);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Few different messages, so that slots share them and buckets have several. */
static void random_changes_agree_with_a_list(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 5, 64, 1000 };
	uint64_t random = 0x123456789;

	(void)state;
	for (unsigned int s = 0; s < ONTB_ARRAY_SIZE(sizes); s++) {
		unsigned int n = sizes[s];
		struct ontb_guard guard = { 0 };
		uint64_t *list = test_calloc(n, sizeof(*list));
		const char *why;

		assert_int_equal(ontb_guard_init(&guard, n), 0);
		for (unsigned int i = 0; i < 20000; i++) {
			unsigned int slot = (unsigned int)(next_random(&random) % n), nr_seen = 0;
			uint64_t addr = RIG_IRQ_BASE + next_random(&random) % 8 * 0x1000;
			uint32_t data = (uint32_t)(next_random(&random) % 8);

			switch (next_random(&random) % 64) {
			case 0 ... 30:
				assert_int_equal(ontb_guard_open(&guard, slot, addr, data, &why), 0);
				list[slot] = addr | data << 1 | 1;
				break;
			case 63:
				if (i % 16 == 0) {
					ontb_guard_reset(&guard);
					memset(list, 0, n * sizeof(*list));
				}
				break;
			default:
				ontb_guard_close(&guard, slot);
				list[slot] = 0;
				break;
			}
			for (unsigned int k = 0; k < n; k++)
				nr_seen += list[k] == (addr | data << 1 | 1);
			assert_int_equal(ontb_guard_has(&guard, addr, data), nr_seen > 0);
			assert_int_equal(ontb_guard_is_open(&guard, slot), list[slot] != 0);
		}
		ontb_guard_fini(&guard);
		test_free(list);
	}
}

static void a_guard_full_of_one_cpus_vectors_has_short_chains(void **state)
{
	struct ontb_guard guard = { 0 };
	unsigned int longest = 0;
	const char *why;

	(void)state;
	assert_int_equal(ontb_guard_init(&guard, ONTB_GUARD_MAX_SLOTS), 0);
	for (unsigned int i = 0; i < ONTB_GUARD_MAX_SLOTS; i++)
		assert_int_equal(ontb_guard_open(&guard, i, RIG_IRQ_BASE | i / 224 << 12, 32 + i % 224, &why), 0);
	for (unsigned int b = 0; b < 1U << (64 - guard.shift); b++) {
		unsigned int len = 0;

		for (uint32_t next = guard.buckets[b]; next; next = guard.slots[next - 1].next)
			len++;
		if (len > longest)
			longest = len;
	}
	assert_in_range(longest, 1, 16);
	ontb_guard_fini(&guard);
}

/* Registers */

static void set_slot(struct rig *rig, unsigned int port, unsigned int slot, uint64_t addr, uint32_t data)
{
	w64(rig, port, SLOT(slot, ADDR), addr);
	w32(rig, port, SLOT(slot, DATA), data);
	w32(rig, port, SLOT(slot, CTRL), 1);
}

/* Port 0 shows its interrupt addresses to port 1 through BAR4. */
static void open_rig(struct rig *rig)
{
	rig_open(rig, 4);
	assert_int_equal(rig_open_direct(rig, 0, 4, RIG_IRQ_BASE, 0x100000), 1);
}

static void send(struct rig *rig, uint64_t offset, uint32_t data)
{
	rig_write(rig, 1, 4, offset, data, 4);
}

static void it_tells_what_it_is_and_is_off(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	for (unsigned int p = 0; p < 4; p++) {
		assert_int_equal(r32(&rig, p, GUARD(MAGIC)), ONTB_SW_GUARD_MAGIC_VALUE);
		assert_int_equal(r32(&rig, p, GUARD(VERSION)), 1);
		assert_int_equal(r32(&rig, p, GUARD(NR_SLOTS)), ONTB_GUARD_MAX_SLOTS);
		assert_int_equal(r32(&rig, p, GUARD(CONTROL)), 0);
		assert_int_equal(r64(&rig, p, GUARD(RANGE_FIRST)), 0xfee00000);
		assert_int_equal(r64(&rig, p, GUARD(RANGE_SIZE)), 0x100000);
		assert_int_equal(r64(&rig, p, GUARD(BLOCKED)), 0);
		assert_int_equal(r32(&rig, p, SLOT(0, CTRL)), 0);
		assert_int_equal(r32(&rig, p, SLOT(ONTB_GUARD_MAX_SLOTS - 1, CTRL)), 0);
		assert_int_equal(r64(&rig, p, ontb_sw_guard_slot(ONTB_GUARD_MAX_SLOTS)), 0);
	}
	w32(&rig, 0, GUARD(MAGIC), 0);
	w32(&rig, 0, GUARD(NR_SLOTS), 0);
	assert_int_equal(r32(&rig, 0, GUARD(MAGIC)), ONTB_SW_GUARD_MAGIC_VALUE);
	assert_int_equal(r32(&rig, 0, GUARD(NR_SLOTS)), ONTB_GUARD_MAX_SLOTS);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	rig_close(&rig);
}

static void a_part_without_one_has_nothing_there(void **state)
{
	struct ontb_switchtec_config config;
	struct rig rig;

	(void)state;
	ontb_switchtec_config_init(&config);
	config.nr_guard_slots = 0;
	rig_open_config(&rig, &config);
	assert_int_equal(rig_open_direct(&rig, 0, 4, RIG_IRQ_BASE, 0x100000), 1);
	w32(&rig, 0, GUARD(CONTROL), 1);
	set_slot(&rig, 0, 0, RIG_IRQ_BASE, 1);
	for (unsigned int offset = 0; offset < 0x40; offset += 8) {
		assert_int_equal(r64(&rig, 0, ONTB_SW_GUARD + offset), 0);
		assert_int_equal(r64(&rig, 0, ONTB_SW_GUARD_SLOT + offset), 0);
	}
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	rig_close(&rig);
}

static void the_number_of_slots_is_that_of_the_geometry(void **state)
{
	struct ontb_switchtec_config config;
	struct ontb_bridge *bridge;
	struct rig rig;

	(void)state;
	ontb_switchtec_config_init(&config);
	config.nr_guard_slots = 3;
	rig_open_config(&rig, &config);
	assert_int_equal(r32(&rig, 1, GUARD(NR_SLOTS)), 3);
	set_slot(&rig, 1, 2, RIG_IRQ_BASE, 1);
	set_slot(&rig, 1, 3, RIG_IRQ_BASE, 1);
	assert_int_equal(r32(&rig, 1, SLOT(2, CTRL)), 1);
	assert_int_equal(r32(&rig, 1, SLOT(3, CTRL)), 0);
	assert_int_equal(r64(&rig, 1, SLOT(3, ADDR)), 0);
	rig_close(&rig);
	rig_log_start();
	config.nr_guard_slots = ONTB_GUARD_MAX_SLOTS + 1;
	assert_int_equal(ontb_switchtec_new(&config, &bridge), -EINVAL);
	assert_non_null(strstr(rig_log_last(), "guard slots is 16385"));
	rig_log_stop();
}

static void only_messages_in_slots_arrive(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	set_slot(&rig, 0, 0, RIG_IRQ_BASE + 0x1000, 0x41);
	set_slot(&rig, 0, 16383, RIG_IRQ_BASE + 0x2000, 0x42);
	w32(&rig, 0, GUARD(CONTROL), 1);
	assert_int_equal(r32(&rig, 0, GUARD(CONTROL)), 1);
	rig_log_start();
	send(&rig, 0x1000, 0x41);
	send(&rig, 0x2000, 0x42);
	assert_int_equal(rig.hosts[0].nr_msis, 2);
	assert_int_equal(rig.hosts[0].msis[1].addr, RIG_IRQ_BASE + 0x2000);
	assert_int_equal(rig.hosts[0].msis[1].data, 0x42);
	assert_int_equal(rig_log_count(), 0);
	send(&rig, 0x1000, 0x42);
	send(&rig, 0x2000, 0x41);
	send(&rig, 0x1004, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 2);
	assert_int_equal(rig_status(&rig, 0).blocked, 3);
	assert_int_equal(r64(&rig, 0, GUARD(BLOCKED)), 3);
	assert_int_equal(rig_status(&rig, 1).blocked, 0);
	assert_non_null(
		strstr(rig_log_last(), "port 1: write of 4 bytes at BAR4 offset 0x1004 -> port 0 address 0xfee01004"));
	assert_non_null(strstr(rig_log_last(), "guard"));
	assert_non_null(strstr(rig_status(&rig, 1).last_error, "guard"));
	rig_log_stop();
	w32(&rig, 0, GUARD(CONTROL), 0);
	send(&rig, 0x1004, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 3);
	rig_close(&rig);
}

static void only_aligned_writes_of_four_bytes_are_messages(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
	} others[] = { { 0x1000, 8 }, { 0x0ffc, 8 }, { 0x1000, 2 }, { 0x1000, 1 }, { 0x1001, 4 },
		       { 0x0ffe, 4 }, { 0x1000, 3 }, { 0x1003, 1 }, { 0x0ff8, 7 } };
	struct rig rig;

	(void)state;
	open_rig(&rig);
	set_slot(&rig, 0, 0, RIG_IRQ_BASE + 0x1000, 0);
	w32(&rig, 0, GUARD(CONTROL), 1);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(others); i++) {
		rig_write(&rig, 1, 4, others[i].offset, 0, others[i].len);
		assert_int_equal(rig.hosts[0].nr_msis, 0);
		assert_int_equal(rig_status(&rig, 0).blocked, i + 1);
	}
	send(&rig, 0x1000, 0);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	rig_close(&rig);
}

static void memory_and_other_hosts_are_not_concerned(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	assert_int_equal(rig_open_lut(&rig, 0, 0, RIG_RAM_BASE), 1);
	assert_int_equal(rig_open_direct(&rig, 1, 4, RIG_IRQ_BASE, 0x100000), 1);
	assert_int_equal(rig_open_direct(&rig, 2, 4, RIG_IRQ_BASE, 0x100000), 1);
	w32(&rig, 0, GUARD(CONTROL), 1);
	rig_write(&rig, 1, 2, 0x10, 0x1122334455667788, 8);
	assert_int_equal(ontb_get_le64(rig.hosts[0].ram + 0x10), 0x1122334455667788);
	rig_write(&rig, 0, 4, 0x1000, 1, 4);
	rig_write(&rig, 3, 4, 0x1000, 1, 4);
	assert_int_equal(rig.hosts[1].nr_msis, 1);
	assert_int_equal(rig.hosts[2].nr_msis, 1);
	/* The function's own interrupts are not writes of a peer. */
	rig_setup_dbmsg(&rig, 0);
	rig_setup_dbmsg(&rig, 1);
	w64(&rig, 0, ontb_sw_dbmsg(0) + 0x1018, UINT64_MAX);
	w64(&rig, 1, ontb_sw_dbmsg(1) + 0x1000, 1);
	assert_int_equal(rig.hosts[0].vectors[1], 1);
	assert_int_equal(rig_status(&rig, 0).blocked, 0);
	rig_close(&rig);
}

static void each_host_programs_its_own(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	set_slot(&rig, 0, 5, RIG_IRQ_BASE + 0x1000, 0x41);
	w32(&rig, 0, GUARD(CONTROL), 1);
	for (unsigned int p = 1; p < 4; p++) {
		assert_int_equal(r32(&rig, p, SLOT(5, CTRL)), 0);
		assert_int_equal(r64(&rig, p, SLOT(5, ADDR)), 0);
		assert_int_equal(r32(&rig, p, GUARD(CONTROL)), 0);
		set_slot(&rig, p, 5, RIG_IRQ_BASE + 0x1000, 0x42);
		w32(&rig, p, SLOT(5, CTRL), 0);
		w32(&rig, p, GUARD(CONTROL), 0);
		set_slot(&rig, p, 6, RIG_IRQ_BASE + 0x1000, 0x42);
	}
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	send(&rig, 0x1000, 0x42);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	rig_close(&rig);
}

static void a_message_counts_when_its_control_is_written(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	w32(&rig, 0, GUARD(CONTROL), 1);
	w64(&rig, 0, SLOT(0, ADDR), RIG_IRQ_BASE + 0x1000);
	w32(&rig, 0, SLOT(0, DATA), 0x41);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 0);
	/* Bytes besides the lowest one start nothing. */
	w8(&rig, 0, SLOT(0, CTRL) + 1, 1);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 0);
	w32(&rig, 0, SLOT(0, CTRL), 1);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	/* Replaced at once: until the write of control the old one passes. */
	w32(&rig, 0, SLOT(0, ADDR), (uint32_t)RIG_IRQ_BASE + 0x3000);
	w8(&rig, 0, SLOT(0, DATA), 0x43);
	assert_int_equal(r64(&rig, 0, SLOT(0, ADDR)), RIG_IRQ_BASE + 0x3000);
	assert_int_equal(r32(&rig, 0, SLOT(0, DATA)), 0x43);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 2);
	w32(&rig, 0, SLOT(0, CTRL), 1);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 2);
	send(&rig, 0x3000, 0x43);
	assert_int_equal(rig.hosts[0].nr_msis, 3);
	w32(&rig, 0, SLOT(0, CTRL), 0);
	send(&rig, 0x3000, 0x43);
	assert_int_equal(rig.hosts[0].nr_msis, 3);
	assert_int_equal(r32(&rig, 0, SLOT(0, CTRL)), 0);
	rig_close(&rig);
}

static void a_message_that_cannot_be_stays_out(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	set_slot(&rig, 0, 1, RIG_IRQ_BASE + 0x1000, 0x41);
	w32(&rig, 0, GUARD(CONTROL), 1);
	rig_log_start();
	set_slot(&rig, 0, 1, RIG_IRQ_BASE + 0x1002, 0x41);
	assert_int_equal(r32(&rig, 0, SLOT(1, CTRL)), 0);
	assert_non_null(strstr(rig_log_last(), "guard_slot[1]"));
	rig_log_stop();
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 0);
	rig_close(&rig);
}

static void the_range_is_the_hosts_choice(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	w64(&rig, 0, GUARD(RANGE_FIRST), RIG_IRQ_BASE + 0x1000);
	w64(&rig, 0, GUARD(RANGE_SIZE), 0x1000);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 1);
	w32(&rig, 0, GUARD(CONTROL), 1);
	send(&rig, 0x0ffc, 0x41);
	send(&rig, 0x2000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 3);
	send(&rig, 0x1000, 0x41);
	send(&rig, 0x1ffc, 0x41);
	rig_write(&rig, 1, 4, 0x0ffc, 0, 8);
	assert_int_equal(rig.hosts[0].nr_msis, 3);
	assert_int_equal(rig_status(&rig, 0).blocked, 3);
	rig_close(&rig);
}

static void it_can_be_reset_by_its_host(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	set_slot(&rig, 0, 9, RIG_IRQ_BASE + 0x1000, 0x41);
	w64(&rig, 0, GUARD(RANGE_FIRST), 0);
	w32(&rig, 0, GUARD(CONTROL), 1);
	w32(&rig, 0, GUARD(CONTROL), 3);
	assert_int_equal(r32(&rig, 0, GUARD(CONTROL)), 0);
	assert_int_equal(r64(&rig, 0, GUARD(RANGE_FIRST)), RIG_IRQ_BASE);
	assert_int_equal(r64(&rig, 0, SLOT(9, ADDR)), 0);
	assert_int_equal(r64(&rig, 0, SLOT(9, DATA)), 0);
	w32(&rig, 0, GUARD(CONTROL), 1);
	send(&rig, 0x1000, 0x41);
	assert_int_equal(rig.hosts[0].nr_msis, 0);
	rig_close(&rig);
}

static void a_lost_host_leaves_it_off_and_empty(void **state)
{
	struct rig rig;

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		open_rig(&rig);
		for (unsigned int i = 0; i < 100; i++)
			set_slot(&rig, 0, i * 7, RIG_IRQ_BASE + 0x1000, i);
		w64(&rig, 0, GUARD(RANGE_FIRST), 0);
		w32(&rig, 0, GUARD(CONTROL), 1);
		if (round) {
			rig_detach(&rig, 0);
			rig_attach(&rig, 0);
		} else {
			rig_reset(&rig, 0);
		}
		rig_enable(&rig, 0);
		assert_int_equal(r32(&rig, 0, GUARD(CONTROL)), 0);
		assert_int_equal(r64(&rig, 0, GUARD(RANGE_FIRST)), RIG_IRQ_BASE);
		for (unsigned int i = 0; i < 700; i++) {
			assert_int_equal(r64(&rig, 0, SLOT(i, ADDR)), 0);
			assert_int_equal(r64(&rig, 0, SLOT(i, DATA)), 0);
		}
		assert_int_equal(rig_open_direct(&rig, 0, 4, RIG_IRQ_BASE, 0x100000), 1);
		send(&rig, 0x1000, 0x41);
		assert_int_equal(rig.hosts[0].nr_msis, 1);
		w32(&rig, 0, GUARD(CONTROL), 1);
		send(&rig, 0x1000, 7);
		assert_int_equal(rig.hosts[0].nr_msis, 1);
		rig_close(&rig);
	}
}

/* Threads */

struct sender {
	struct rig *rig;
	_Atomic bool stop;
};

static void *send_all_the_time(void *arg)
{
	struct sender *sender = arg;

	while (!atomic_load(&sender->stop)) {
		send(sender->rig, 0x1000, 0x41);
		send(sender->rig, 0x1000, 0x42);
	}
	return NULL;
}

static unsigned int count_msis(struct rig *rig)
{
	struct rig_host *host = &rig->hosts[0];
	unsigned int count;

	ontb_lock(&host->lock);
	count = host->nr_msis;
	ontb_unlock(&host->lock);
	return count;
}

static void nothing_arrives_after_its_slot_was_closed(void **state)
{
	struct sender sender = { 0 };
	pthread_t thread;
	struct rig rig;

	(void)state;
	open_rig(&rig);
	w32(&rig, 0, GUARD(CONTROL), 1);
	rig_log_start();
	sender.rig = &rig;
	assert_int_equal(pthread_create(&thread, NULL, send_all_the_time, &sender), 0);
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int before = count_msis(&rig);

		set_slot(&rig, 0, i, RIG_IRQ_BASE + 0x1000, 0x41 + i % 2);
		while (count_msis(&rig) == before)
			;
		w32(&rig, 0, SLOT(i, CTRL), 0);
		before = count_msis(&rig);
		for (unsigned int k = 0; k < 20; k++)
			(void)r32(&rig, 0, GUARD(CONTROL));
		assert_int_equal(count_msis(&rig), before);
	}
	atomic_store(&sender.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	rig_log_stop();
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guard_passes_what_is_in_its_slots),
		cmocka_unit_test(the_same_message_passes_while_any_slot_has_it),
		cmocka_unit_test(one_without_slots_passes_everything),
		cmocka_unit_test(random_changes_agree_with_a_list),
		cmocka_unit_test(a_guard_full_of_one_cpus_vectors_has_short_chains),
		cmocka_unit_test(it_tells_what_it_is_and_is_off),
		cmocka_unit_test(a_part_without_one_has_nothing_there),
		cmocka_unit_test(the_number_of_slots_is_that_of_the_geometry),
		cmocka_unit_test(only_messages_in_slots_arrive),
		cmocka_unit_test(only_aligned_writes_of_four_bytes_are_messages),
		cmocka_unit_test(memory_and_other_hosts_are_not_concerned),
		cmocka_unit_test(each_host_programs_its_own),
		cmocka_unit_test(a_message_counts_when_its_control_is_written),
		cmocka_unit_test(a_message_that_cannot_be_stays_out),
		cmocka_unit_test(the_range_is_the_hosts_choice),
		cmocka_unit_test(it_can_be_reset_by_its_host),
		cmocka_unit_test(a_lost_host_leaves_it_off_and_empty),
		cmocka_unit_test(nothing_arrives_after_its_slot_was_closed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
