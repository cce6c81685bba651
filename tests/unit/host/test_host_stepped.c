// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The whole of two hosts, one step at a time: whatever the order, nothing is lost, nothing goes astray, and the same seed does the
 * same again.
 *
 * HOST_STEPPED_SEED=n in the environment runs that seed only, HOST_STEPPED_LOG=1 shows seeds and the log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "soak.h"

#define BARE	 "host a cpus=3 ram=16M; host b cpus=3 ram=16M; bridge switchtec a b vectors=4"
#define REMAPPED "host a cpus=3 ram=16M remap=on; host b cpus=3 ram=16M remap=on; bridge switchtec a b vectors=4"
/* One whose messages move, and one whose messages do not. */
#define MIXED "host a cpus=3 ram=16M; host b cpus=3 ram=16M remap=on; bridge switchtec a b vectors=4"

/* Under ThreadSanitizer a run takes five times as long, and there is one thread only: fewer runs. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NR_SEEDS 30U
#endif
#endif
#ifndef NR_SEEDS
#define NR_SEEDS 200U
#endif
#define NR_TRACED 20U
#define NR_OPS	  600U

static void run(struct soak *soak, const char *topology, uint64_t seed, bool can_break)
{
	if (getenv("HOST_STEPPED_SEED") && strtoull(getenv("HOST_STEPPED_SEED"), NULL, 0) != seed) {
		memset(soak, 0, sizeof(*soak));
		return;
	}
	if (getenv("HOST_STEPPED_LOG"))
		fprintf(stderr, "# seed %llu\n", (unsigned long long)seed);
	soak_open(soak, topology, seed);
	soak_run(soak, NR_OPS, can_break);
	soak_assert_flows(soak);
	soak_close(soak);
}

static void assert_same(const struct soak *a, const struct soak *b)
{
	assert_int_equal(a->step, b->step);
	assert_int_equal(a->nr_events, b->nr_events);
	for (size_t i = 0; i < a->nr_events; i++) {
		assert_int_equal(a->events[i].step, b->events[i].step);
		assert_int_equal(a->events[i].virq, b->events[i].virq);
		assert_int_equal(a->events[i].host, b->events[i].host);
		assert_int_equal(a->events[i].cpu, b->events[i].cpu);
	}
}

static bool is_same(const struct soak *a, const struct soak *b)
{
	return a->nr_events == b->nr_events && !memcmp(a->events, b->events, a->nr_events * sizeof(*a->events));
}

static void check_repeats(const char *topology, bool can_break)
{
	struct soak before = { 0 };
	unsigned int nr_same = 0;

	for (uint64_t seed = 1; seed <= NR_TRACED; seed++) {
		struct soak first, second;

		run(&first, topology, seed, can_break);
		run(&second, topology, seed, can_break);
		/* The last messages alone are as many. */
		assert_true(first.nr_events > SOAK_NR_HOSTS * SOAK_NR_IRQS);
		assert_same(&first, &second);
		nr_same += seed > 1 && is_same(&before, &first);
		free(second.events);
		free(before.events);
		before = first;
	}
	free(before.events);
	assert_int_equal(nr_same, 0);
}

static void same_seed_gives_the_same_run_and_another_gives_another(void **state)
{
	(void)state;
	check_repeats(BARE, false);
	check_repeats(REMAPPED, false);
}

static void same_seed_gives_the_same_run_over_broken_links(void **state)
{
	(void)state;
	check_repeats(MIXED, true);
}

static void check_many(const char *topology, bool can_break)
{
	unsigned int nr_moves = 0, nr_lives = 0, nr_breaks = 0;

	for (uint64_t seed = 1000; seed < 1000 + NR_SEEDS; seed++) {
		struct soak soak;

		run(&soak, topology, seed, can_break);
		free(soak.events);
		nr_moves += soak.nr_moves;
		nr_lives += soak.nr_lives;
		nr_breaks += soak.nr_breaks;
	}
	/* It was not for nothing. */
	assert_true(nr_moves > 20 * NR_SEEDS);
	assert_true(nr_lives > 20 * NR_SEEDS);
	assert_int_equal(nr_breaks > 3 * NR_SEEDS, can_break);
}

static void any_order_loses_nothing_on_bare_vectors(void **state)
{
	(void)state;
	check_many(BARE, false);
}

static void any_order_loses_nothing_with_remapping(void **state)
{
	(void)state;
	check_many(REMAPPED, false);
}

static void links_that_break_anywhere_misdirect_nothing_on_bare_vectors(void **state)
{
	(void)state;
	check_many(BARE, true);
}

static void links_that_break_anywhere_misdirect_nothing_with_remapping(void **state)
{
	(void)state;
	check_many(REMAPPED, true);
}

/* A doorbell that rings already rings no more, so one whose interrupt was lost must be found by whoever looks for another reason. */
static void doorbell_whose_interrupt_was_lost_rings_again(void **state)
{
	const struct ontb_fabric_way deaf = { .drop_every = 1 }, good = { 0 };
	struct soak soak;

	(void)state;
	soak_open(&soak, BARE, 1);
	soak_settle(&soak);
	assert_int_equal(ontb_fabric_set_way(soak.rig.fabric, 0, 1, &deaf), 0);
	soak_grant(&soak, 0, 0);
	step_until_idle(&soak.rig);
	assert_false(ontb_ntb_irq_is_granted(soak.hosts[1].irqs, 0, 0));
	assert_int_equal(ontb_fabric_set_way(soak.rig.fabric, 0, 1, &good), 0);
	ontb_ntb_link_event(ontb_host_ntb(soak.rig.hosts[1], 0), 0);
	soak_settle(&soak);
	assert_true(ontb_ntb_irq_is_granted(soak.hosts[1].irqs, 0, 0));
	assert_int_equal(ontb_ntb_db_read(ontb_host_ntb(soak.rig.hosts[1], 0)), 0);
	soak_grant(&soak, 0, 1);
	soak_settle(&soak);
	assert_true(ontb_ntb_irq_is_granted(soak.hosts[1].irqs, 0, 1));
	soak_close(&soak);
	free(soak.events);
}

/* Enabling leaves the handler to a worker; whoever settles then must not be told that it has run before it has. */
static void check_kept(struct soak *soak, unsigned int index)
{
	struct ontb_irq_system *sys = ontb_host_irqs(soak->rig.hosts[0]);
	struct soak_cell *cell = &soak->hosts[0].cells[index];

	soak_grant(soak, 0, index);
	soak_settle(soak);
	assert_int_equal(ontb_irq_disable_nosync(sys, cell->virq), 0);
	assert_int_equal(ontb_ntb_irq_trigger(soak->hosts[1].irqs, 0, index), 0);
	cell->sent++;
	step_until_idle(&soak->rig);
	assert_int_equal(cell->ran, 0);
	assert_int_equal(ontb_irq_enable(sys, cell->virq), 0);
	assert_int_equal(ontb_ntb_irq_revoke(soak->hosts[0].irqs, index, 0), 0);
	cell->state = SOAK_RETURNING;
	while (ontb_ntb_irq_settle(soak->hosts[0].irqs, index, 0))
		assert_true(step_once(&soak->rig));
	assert_int_equal(cell->ran, 1);
	soak_settle(soak);
}

static void message_kept_while_disabled_is_handled_before_its_interrupt_settles(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2 * NR_TRACED; seed++) {
		struct soak soak;

		soak_open(&soak, seed % 2 ? BARE : REMAPPED, seed);
		soak_settle(&soak);
		for (unsigned int i = 0; i < SOAK_NR_IRQS; i++)
			check_kept(&soak, i);
		soak_close(&soak);
		free(soak.events);
	}
}

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doorbell_whose_interrupt_was_lost_rings_again),
		cmocka_unit_test(message_kept_while_disabled_is_handled_before_its_interrupt_settles),
		cmocka_unit_test(same_seed_gives_the_same_run_and_another_gives_another),
		cmocka_unit_test(same_seed_gives_the_same_run_over_broken_links),
		cmocka_unit_test(any_order_loses_nothing_on_bare_vectors),
		cmocka_unit_test(any_order_loses_nothing_with_remapping),
		cmocka_unit_test(links_that_break_anywhere_misdirect_nothing_on_bare_vectors),
		cmocka_unit_test(links_that_break_anywhere_misdirect_nothing_with_remapping),
	};

	if (!getenv("HOST_STEPPED_LOG"))
		ontb_log_set_sink(drop_line, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
