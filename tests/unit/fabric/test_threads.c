// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Everything at once: CPUs of two hosts that answer interrupts with writes, doorbells and masks, ways that change, and a
 * function that comes and goes. For ThreadSanitizer; by itself it checks that nothing is lost where nothing may be.
 */
#include "rig.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hw/switchtec/regs.h"

#define RID	  ONTB_RID(0, 2, 0)
#define NR_ROUNDS 400
#define NR_PAIRS  2

static struct rig rig;
static struct rig_switch sw[2];
static _Atomic bool stop;

static uint64_t msix_entry(const struct rig_switch *s, unsigned int entry)
{
	return s->bar0 + ontb_sw_dbmsg(s->port) + ONTB_SW_MSIX_TABLE + 16 * entry;
}

static void open_pair(void)
{
	rig_open(&rig, "host a cpus=2; host b cpus=2; bridge switchtec a b", false, 1);
	for (unsigned int h = 0; h < 2; h++)
		rig_open_switch(&rig, &sw[h], h, h, RID);
	for (unsigned int h = 0; h < 2; h++) {
		rig_open_lut(&sw[h], 0, 0xfee00000);
		rig_open_lut(&sw[h], 1, rig_addr(&rig, h, 0));
		rig_setup_doorbell(&sw[h]);
	}
	for (unsigned int h = 0; h < 2; h++)
		rig_arm_msix(&rig, h, RID, sw[h].bar0, ontb_sw_dbmsg(h) + ONTB_SW_MSIX_TABLE, 1, rig_msi_addr(0), 0x51);
}

/**
 * struct player - one side of a game of ping-pong
 * @host:   Host.
 * @vector: Vector that means it is this one's turn; the word in memory says which turn.
 */
struct player {
	pthread_t thread;
	unsigned int host;
	unsigned int vector;
};

static void serve(unsigned int host, unsigned int vector, uint64_t turn)
{
	rig_write(&rig, host, sw[host].bar2 + 0x10000 + 8 * vector, turn, 8);
	rig_write(&rig, host, sw[host].bar2 + (rig_msi_addr(vector % 2) & 0xffff), vector, 4);
}

static void *play(void *arg)
{
	const struct player *p = arg;
	uint64_t deadline = ontb_clock_ns() + 60 * ONTB_NS_PER_S;

	for (unsigned int i = 1; i <= NR_ROUNDS; i++) {
		const uint64_t *word = (const uint64_t *)(const void *)rig_ram(&rig, p->host, 8 * p->vector);

		if (p->host == 0)
			serve(0, p->vector, i);
		while (rig_count(&rig, p->host, p->vector) < i) {
			if (ontb_clock_ns() > deadline)
				abort();
			sched_yield();
		}
		if (__atomic_load_n(word, __ATOMIC_RELAXED) != i)
			abort();
		if (p->host == 1)
			serve(1, p->vector, i);
	}
	return NULL;
}

/* Rings and masks on one side while others play. */
static void *disturb(void *arg)
{
	unsigned int host = *(unsigned int *)arg;
	struct ontb_machine *m = rig.hosts[host].m;
	uint8_t buf[300] = { 0 };

	while (!atomic_load(&stop)) {
		rig_ring(&sw[host], host ? 1 : 1ULL << 32);
		rig_write(&rig, host, sw[host].bar0 + ontb_sw_dbmsg(host) + 0x1010, UINT64_MAX, 8);
		rig_write(&rig, host, msix_entry(&sw[host], 1) + 12, 1, 4);
		rig_write(&rig, host, msix_entry(&sw[host], 1), rig_msi_addr(rig_count(&rig, host, 0x51) % 2), 8);
		rig_write(&rig, host, msix_entry(&sw[host], 1) + 12, 0, 4);
		m->ops->mmio_copy_to(m, sw[host].bar2 + 0x10000 + 0x2000, buf, sizeof(buf));
		m->ops->mmio_copy_from(m, buf, sw[host].bar2 + 0x10000 + 0x2000, sizeof(buf));
		(void)rig_cfg(&rig, host, RID, 0x82, 2);
		(void)rig_status(&rig, host);
		sched_yield();
	}
	return NULL;
}

static void *change_ways(void *arg)
{
	unsigned int i = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		const struct ontb_fabric_way way = { .delay_ns = i % 3 * 20000, .jitter_ns = i % 2 * 10000 };

		if (ontb_fabric_set_way(rig.fabric, 0, i % 2, &way))
			abort();
		i++;
		sched_yield();
	}
	return NULL;
}

static void nothing_is_lost_while_everything_changes(void **state)
{
	struct player players[2 * NR_PAIRS];
	unsigned int hosts[2] = { 0, 1 };
	pthread_t others[3];

	(void)state;
	open_pair();
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&others[i], NULL, disturb, &hosts[i]), 0);
	assert_int_equal(pthread_create(&others[2], NULL, change_ways, NULL), 0);
	for (unsigned int i = 0; i < 2 * NR_PAIRS; i++) {
		players[i] = (struct player){ .host = i % 2, .vector = 0x60 + i / 2 };
		assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
	}
	for (unsigned int i = 0; i < 2 * NR_PAIRS; i++)
		assert_int_equal(pthread_join(players[i].thread, NULL), 0);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(others[i], NULL), 0);
	for (unsigned int h = 0; h < 2; h++) {
		assert_int_equal(rig_status(&rig, h).way_dropped, 0);
		assert_int_equal(rig_status(&rig, h).dma_faults, 0);
		assert_int_equal(rig_count(&rig, h, 0x60), NR_ROUNDS);
		assert_int_equal(rig_count(&rig, h, 0x61), NR_ROUNDS);
	}
	rig_close(&rig);
}

/* A CPU answers the interrupt of the other host with the same one, and each tenth time with a doorbell too. */
static void answer(void *arg, unsigned int cpu, unsigned int vector)
{
	struct rig_host *host = arg;
	unsigned int n = atomic_load(&host->counts[vector]) + 1;

	host->m->ops->apic_write(host->m, cpu, ONTB_APIC_EOI, 0);
	if (vector == 0x51) {
		rig_write(&rig, host->idx, sw[host->idx].bar0 + ontb_sw_dbmsg(host->idx) + 0x1010, UINT64_MAX, 8);
	} else {
		serve(host->idx, vector, n);
		if (n % 10 == 0)
			rig_ring(&sw[host->idx], host->idx ? 1 : 1ULL << 32);
	}
	atomic_store_explicit(&host->counts[vector], n, memory_order_release);
}

static void cpus_of_both_hosts_answer_each_other(void **state)
{
	uint64_t deadline = ontb_clock_ns() + 60 * ONTB_NS_PER_S;

	(void)state;
	open_pair();
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_machine *m = rig.hosts[h].m;

		for (unsigned int c = 0; c < 2; c++)
			m->ops->cpu_stop(m, c);
		m->ops->set_entry(m, answer, &rig.hosts[h]);
		for (unsigned int c = 0; c < 2; c++) {
			assert_int_equal(m->ops->cpu_start(m, c), 0);
			m->ops->apic_write(m, c, ONTB_APIC_SVR, 0x1ff);
		}
	}
	for (unsigned int v = 0x60; v < 0x68; v++)
		serve(0, v, 0);
	for (unsigned int v = 0x60; v < 0x68; v++) {
		while (rig_count(&rig, 0, v) < NR_ROUNDS || rig_count(&rig, 1, v) < NR_ROUNDS) {
			assert_true(ontb_clock_ns() < deadline);
			sched_yield();
		}
	}
	assert_true(rig_count(&rig, 0, 0x51) > 0);
	assert_true(rig_count(&rig, 1, 0x51) > 0);
	rig_close(&rig);
}

static void *shoot(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		serve(0, 0x60, 1);
		rig_ring(&sw[0], 1ULL << 32);
		(void)rig_read(&rig, 0, sw[0].bar2 + 0x10000, 8);
		sched_yield();
	}
	return NULL;
}

/* @arg is a copy: the addresses stay, but the test opens the switch anew. */
static void *look(void *arg)
{
	const struct rig_switch *s = arg;

	while (!atomic_load(&stop)) {
		(void)rig_cfg(&rig, 1, RID, 0, 4);
		(void)rig_read(&rig, 1, s->bar0 + 0x2000, 4);
		(void)rig_read(&rig, 1, msix_entry(s, 1), 4);
		sched_yield();
	}
	return NULL;
}

static void function_may_go_and_come_while_all_shoot_at_it(void **state)
{
	pthread_t threads[2];
	struct rig_switch copy;

	(void)state;
	open_pair();
	copy = sw[1];
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&threads[0], NULL, shoot, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, look, &copy), 0);
	for (unsigned int i = 0; i < 100; i++) {
		const struct ontb_fabric_way way = { .delay_ns = i % 2 * 50000, .is_down = i % 5 == 0 };

		assert_int_equal(ontb_fabric_set_way(rig.fabric, 0, 1, &way), 0);
		assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), 0);
		assert_int_equal(ontb_fabric_set_way(rig.fabric, 0, 1, &(struct ontb_fabric_way){ 0 }), 0);
		assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), 0);
		rig.hosts[1].next_bar = rig.hosts[1].m->bar_base;
		rig_open_switch(&rig, &sw[1], 1, 1, RID);
		rig_open_lut(&sw[1], 0, 0xfee00000);
		rig_open_lut(&sw[1], 1, rig_addr(&rig, 1, 0));
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* And it works again; what rang since the last time is not of interest. */
	rig_write(&rig, 1, sw[1].bar0 + ontb_sw_dbmsg(1) + 0x1010, UINT64_MAX, 8);
	rig_arm_msix(&rig, 1, RID, sw[1].bar0, ontb_sw_dbmsg(1) + ONTB_SW_MSIX_TABLE, 1, rig_msi_addr(0), 0x52);
	rig_setup_doorbell(&sw[1]);
	rig_ring(&sw[0], 1ULL << 40);
	rig_wait(&rig, 1, 0x52, 1);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_while_everything_changes),
		cmocka_unit_test(cpus_of_both_hosts_answer_each_other),
		cmocka_unit_test(function_may_go_and_come_while_all_shoot_at_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
