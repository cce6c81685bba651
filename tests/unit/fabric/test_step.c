// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A stepped fabric: the seed decides, and nothing else. Handlers send on what they get, with changing targets, so that a
 * difference anywhere becomes a difference everywhere.
 */
#include "rig.h"

#include <string.h>

#define RID	 ONTB_RID(0, 2, 0)
#define NR_STEPS 3000

static struct rig rig;
static struct rig_switch sw[2];

/**
 * struct run - what a run did
 * @nr:    Interrupts taken.
 * @taken: Them.
 */
struct run {
	unsigned int nr;
	struct rig_taken taken[RIG_MAX_TAKEN];
};

static struct run first, second;

static void send(unsigned int from, unsigned int cpu, unsigned int vector)
{
	rig_write(&rig, from, sw[from].bar2 + (rig_msi_addr(cpu) & 0xffff), vector, 4);
}

/* Takes an interrupt and sends two others, one of them to where it came from by way of chance. */
static void relay(void *arg, unsigned int cpu, unsigned int vector)
{
	struct rig_host *host = arg;
	unsigned int n = rig.nr_taken;

	if (n < RIG_MAX_TAKEN)
		rig.taken[n] = (struct rig_taken){ host->idx, cpu, vector };
	rig.nr_taken++;
	host->m->ops->apic_write(host->m, cpu, ONTB_APIC_EOI, 0);
	send(host->idx, (cpu + n) % 4, 0x20 + (vector * 7 + n) % 0xd0);
	if (n % 3 == 0)
		send(host->idx, (cpu + 1) % 4, 0x20 + (vector + 1) % 0xd0);
}

static void run(uint64_t seed, struct run *out)
{
	rig_open(&rig, "host a cpus=4; host b cpus=4; bridge switchtec a b; way 0 0 delay=3 jitter=9; way 0 1 delay=1",
		 true, seed);
	for (unsigned int h = 0; h < 2; h++) {
		struct ontb_machine *m = rig.hosts[h].m;

		for (unsigned int c = 0; c < 4; c++)
			m->ops->cpu_stop(m, c);
		m->ops->set_entry(m, relay, &rig.hosts[h]);
		for (unsigned int c = 0; c < 4; c++) {
			assert_int_equal(m->ops->cpu_start(m, c), 0);
			m->ops->apic_write(m, c, ONTB_APIC_SVR, 0x1ff);
		}
		rig_open_switch(&rig, &sw[h], h, h, RID);
	}
	rig_open_lut(&sw[0], 0, 0xfee00000);
	rig_open_lut(&sw[1], 0, 0xfee00000);
	for (unsigned int i = 0; i < 8; i++)
		send(i % 2, i / 2, 0x40 + i);
	for (unsigned int i = 0; i < NR_STEPS; i++)
		assert_true(ontb_fabric_step(rig.fabric));
	out->nr = rig.nr_taken;
	memcpy(out->taken, rig.taken, sizeof(out->taken));
	rig_close(&rig);
}

static void same_seed_gives_the_same_run(void **state)
{
	(void)state;
	run(42, &first);
	run(42, &second);
	assert_in_range(first.nr, 500, NR_STEPS);
	assert_int_equal(first.nr, second.nr);
	assert_memory_equal(first.taken, second.taken, sizeof(first.taken));
}

static void another_seed_gives_another_run(void **state)
{
	(void)state;
	run(42, &first);
	run(43, &second);
	assert_memory_not_equal(first.taken, second.taken, sizeof(first.taken));
}

static void every_cpu_gets_its_turn(void **state)
{
	unsigned int counts[2][4] = { 0 };

	(void)state;
	run(1, &first);
	for (unsigned int i = 0; i < first.nr && i < RIG_MAX_TAKEN; i++)
		counts[first.taken[i].host][first.taken[i].cpu]++;
	for (unsigned int h = 0; h < 2; h++) {
		for (unsigned int c = 0; c < 4; c++)
			assert_true(counts[h][c] > 10);
	}
}

static void fabric_with_threads_is_not_stepped(void **state)
{
	(void)state;
	rig_open(&rig, "host a", false, 1);
	assert_false(ontb_fabric_step(rig.fabric));
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_gives_the_same_run),
		cmocka_unit_test(another_seed_gives_another_run),
		cmocka_unit_test(every_cpu_gets_its_turn),
		cmocka_unit_test(fabric_with_threads_is_not_stepped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
