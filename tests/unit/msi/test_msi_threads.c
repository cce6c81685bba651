// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Threads that allocate, free, walk, list, look up, dispatch, and make and remove domains of the same device at the same time.
 * Under ThreadSanitizer it finds races; by itself it checks that nobody gets what somebody else has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/annotate.h"
#include "msi_rig.h"

#define NR_WORKERS 3U
#define NR_ROUNDS  1500U
#define OWN	   32U /* indices of slot 0 that a worker has for itself */
#define NR_ANY	   64U /* indices of slot 1 that all share */
#define MAX_VIRQ   8192U
#define NR_IDS	   256U
#define PASSING	   3U /* slot whose domain comes and goes */

/**
 * struct worker - a thread
 * @id:      Thread.
 * @first:   First index of its own.
 * @seed:    State of its random numbers.
 * @nr_bad:  Things that it saw and that must not be.
 * @nr_got:  Interrupts that it got.
 */
struct worker {
	pthread_t id;
	unsigned int first;
	uint64_t seed;
	unsigned int nr_bad;
	unsigned int nr_got;
};

static struct msi_rig rig;
static struct rig_table tables[4];
static struct ontb_msi_dev *dev;
static struct worker workers[NR_WORKERS], passer, reader, walker, cpu;
static _Atomic unsigned int owners[MAX_VIRQ];
static _Atomic bool stop;

static unsigned int next_random(struct worker *me, unsigned int limit)
{
	me->seed ^= me->seed << 13;
	me->seed ^= me->seed >> 7;
	me->seed ^= me->seed << 17;
	return (unsigned int)(me->seed >> 20) % limit;
}

static void expect(struct worker *me, bool ok)
{
	me->nr_bad += !ok;
}

static void gain(struct worker *me, unsigned int virq)
{
	expect(me, virq && virq < MAX_VIRQ && !atomic_exchange(&owners[virq % MAX_VIRQ], 1));
	me->nr_got++;
}

static void lose(struct worker *me, unsigned int virq)
{
	expect(me, virq && virq < MAX_VIRQ && atomic_exchange(&owners[virq % MAX_VIRQ], 0));
}

/* An index of its own: alone in allocating and freeing it, in the middle of all others. */
static void use_own_index(struct worker *me)
{
	unsigned int index = me->first + next_random(me, OWN), virq = ontb_msi_virq(dev, 0, index);
	struct ontb_msi_map map;
	int ret;

	if (virq) {
		lose(me, virq);
		expect(me, !ontb_msi_free_range(dev, 0, index, 1));
		expect(me, !ontb_msi_virq(dev, 0, index));
		return;
	}
	ret = ontb_msi_alloc_at(dev, 0, index, NULL, NULL, &map);
	expect(me, !ret || ret == -ENOSPC);
	if (ret)
		return;
	gain(me, map.virq);
	expect(me, map.index == index && ontb_msi_virq(dev, 0, index) == map.virq);
	if (next_random(me, 4) == 0)
		expect(me, !ontb_irq_activate(rig.sys, map.virq));
}

/* Any index of a domain that all share, given back at once or kept with the lock held. */
static void use_any_index(struct worker *me)
{
	struct ontb_msi_map map;
	int ret;

	ontb_msi_lock(dev);
	ret = ontb_msi_alloc_at_locked(dev, 1, ONTB_MSI_ANY_INDEX, NULL, me, &map);
	expect(me, !ret || ret == -ENOSPC);
	if (!ret) {
		gain(me, map.virq);
		expect(me, ontb_msi_cookie(ontb_irq_data_of(ontb_msi_domain(dev, 1), map.virq)) == me);
		if (next_random(me, 2)) {
			lose(me, map.virq);
			expect(me, !ontb_msi_free_range_locked(dev, 1, map.index, 1));
		}
	}
	ontb_msi_unlock(dev);
}

static void free_some_of_the_shared(struct worker *me)
{
	unsigned int first = next_random(me, NR_ANY), end = first + next_random(me, 8);
	struct ontb_msi_map map = { .index = first };

	ontb_msi_lock(dev);
	for (; ontb_msi_next_locked(dev, 1, ONTB_MSI_ASSOCIATED, map.index, &map) && map.index < end; map.index++) {
		lose(me, map.virq);
		expect(me, !ontb_msi_free_range_locked(dev, 1, map.index, 1));
	}
	ontb_msi_unlock(dev);
}

static void *work(void *arg)
{
	struct worker *me = arg;

	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		use_own_index(me);
		use_any_index(me);
		if (next_random(me, 8) == 0)
			free_some_of_the_shared(me);
	}
	return NULL;
}

static void *pass(void *arg)
{
	struct ontb_msi_template t = msi_rig_template("PASSING-", ONTB_BUS_NTB, 16, &tables[PASSING]);
	struct worker *me = arg;

	while (!atomic_load(&stop)) {
		int ret;

		expect(me, !ontb_msi_domain_new(dev, PASSING, &t));
		ret = ontb_msi_alloc_range(dev, PASSING, 0, 1 + next_random(me, 16), NULL);
		expect(me, !ret || ret == -ENOSPC);
		expect(me, !ontb_msi_domain_free(dev, PASSING));
		me->nr_got++;
	}
	return NULL;
}

static void *look_up(void *arg)
{
	struct worker *me = arg;

	while (!atomic_load(&stop)) {
		unsigned int slot = next_random(me, ONTB_MSI_NR_SLOTS + 1);

		expect(me, ontb_msi_virq(dev, slot, next_random(me, NR_WORKERS * OWN)) < MAX_VIRQ);
		me->nr_got++;
	}
	return NULL;
}

static void *walk(void *arg)
{
	struct ontb_msi_entry entries[NR_IDS];
	struct worker *me = arg;

	while (!atomic_load(&stop)) {
		unsigned int nr = ontb_msi_list(dev, entries, NR_IDS);

		expect(me, nr <= NR_IDS);
		for (unsigned int i = 0; i < nr && i < NR_IDS; i++) {
			expect(me, entries[i].virq && entries[i].virq < MAX_VIRQ);
			expect(me,
			       !i || entries[i].slot > entries[i - 1].slot || entries[i].index > entries[i - 1].index);
		}
		me->nr_got++;
	}
	return NULL;
}

/* A CPU that takes messages of all numbers, also of those that go just now. */
static void *take_interrupts(void *arg)
{
	struct worker *me = arg;

	while (!atomic_load(&stop)) {
		const struct ontb_msi_msg msg = { .addr = RIG_ADDR, .data = 1U << 18 | next_random(me, NR_IDS) };
		int ret = msi_rig_fire(&rig, &msg);

		expect(me, !ret || ret == -ENOENT);
		me->nr_got++;
	}
	return NULL;
}

static void start(struct worker *me, unsigned int nr, void *(*run)(void *))
{
	*me = (struct worker){ .first = nr * OWN, .seed = 0x9e3779b97f4a7c15ULL * (nr + 1) };
	assert_int_equal(pthread_create(&me->id, NULL, run, me), 0);
}

static void join(const struct worker *me)
{
	assert_int_equal(pthread_join(me->id, NULL), 0);
	assert_int_equal(me->nr_bad, 0);
	assert_true(me->nr_got > 0);
}

static void threads_share_a_device(void **state)
{
	struct ontb_msi_template own = msi_rig_template("A-", ONTB_BUS_PCI_MSIX, NR_WORKERS * OWN, &tables[0]);
	struct ontb_msi_template any = msi_rig_template("B-", ONTB_BUS_NTB, NR_ANY, &tables[1]);

	(void)state;
	assert_int_equal(msi_rig_init(&rig, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_GLOBAL, NR_IDS), 0);
	assert_int_equal(msi_rig_dev(&rig, "00:02.0", &dev), 0);
	assert_int_equal(ontb_msi_domain_new(dev, 0, &own), 0);
	assert_int_equal(ontb_msi_domain_new(dev, 1, &any), 0);
	start(&passer, NR_WORKERS, pass);
	start(&reader, NR_WORKERS + 1, look_up);
	start(&walker, NR_WORKERS + 2, walk);
	start(&cpu, NR_WORKERS + 3, take_interrupts);
	for (unsigned int i = 0; i < NR_WORKERS; i++)
		start(&workers[i], i, work);
	for (unsigned int i = 0; i < NR_WORKERS; i++)
		join(&workers[i]);
	atomic_store(&stop, true);
	join(&passer);
	join(&reader);
	join(&walker);
	join(&cpu);
	ontb_msi_dev_free(dev);
	assert_int_equal(msi_rig_fini(&rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(threads_share_a_device) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
