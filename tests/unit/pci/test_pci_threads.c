// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * One function under load: it fires all the time while its interrupts are moved, disabled, grown and freed by other threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define NR_FIXED  4U
#define NR_ROUNDS 3000U
#define NR_TABLE  16U

static struct rig rig;
static struct fake_func *func;
static struct ontb_pci_dev *dev;
static _Atomic bool stop;

/* What the device counted before it fired, and what a handler saw of it. */
static struct {
	_Atomic unsigned int nr_events;
	_Atomic unsigned int nr_seen;
} fixed[NR_FIXED];
static unsigned int numbers[NR_FIXED] = { 0, 1, 2, 3 };
static _Atomic unsigned int nr_extra;

static enum ontb_irq_return see(unsigned int virq, void *arg)
{
	unsigned int i = *(const unsigned int *)arg;

	(void)virq;
	atomic_store(&fixed[i].nr_seen, atomic_load(&fixed[i].nr_events));
	return ONTB_IRQ_HANDLED;
}

/* The CPUs. */
static void *pump(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		(void)rig_pump(&rig);
	return NULL;
}

static void *fire(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 4 * NR_ROUNDS; i++) {
		atomic_fetch_add(&fixed[i % NR_FIXED].nr_events, 1);
		fake_fire(&rig.fake, func, i % NR_FIXED);
	}
	return NULL;
}

static void *move(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		const struct ontb_cpumask mask = ontb_cpumask_of(i / 3 % RIG_NR_CPUS);

		if (ontb_irq_set_affinity(rig.sys, ontb_pci_irq(dev, i % NR_FIXED), &mask))
			return (void *)1;
	}
	return NULL;
}

static void *disable_and_enable(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		unsigned int virq = ontb_pci_irq(dev, i % NR_FIXED);

		if (ontb_irq_disable_nosync(rig.sys, virq) || ontb_pci_irq_pending(dev, i % NR_FIXED) < 0 ||
		    ontb_irq_enable(rig.sys, virq))
			return (void *)1;
	}
	return NULL;
}

static void *grow_and_shrink(void *arg)
{
	_Atomic unsigned int count = 0;

	(void)arg;
	for (unsigned int i = 0; i < NR_ROUNDS / 10; i++) {
		struct ontb_msi_map map;

		if (ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, NULL, &map) || rig_request(&rig, map.virq, &count))
			return (void *)1;
		fake_fire(&rig.fake, func, map.index);
		while (!atomic_exchange(&count, 0))
			(void)sched_yield();
		atomic_fetch_add(&nr_extra, 1);
		if (ontb_irq_free(rig.sys, map.virq, &count) || ontb_pci_msix_free_at(dev, map.index))
			return (void *)1;
	}
	return NULL;
}

static void nothing_is_lost_or_misdirected_under_load(void **state)
{
	const struct fake_kind kind = { .nr_msix = NR_TABLE };
	void *(*const works[])(void *) = { fire, move, disable_and_enable, grow_and_shrink };
	pthread_t pumper, threads[4];
	void *failed;

	(void)state;
	rig_init(&rig, false);
	rig.fake.is_merging = true;
	func = fake_add(&rig.fake, ONTB_RID(0, 2, 0), &kind);
	dev = rig_scan(&rig, 0);
	assert_int_equal(ontb_pci_alloc_irqs(dev, NR_FIXED, NR_FIXED, ONTB_PCI_IRQ_MSIX), NR_FIXED);
	for (unsigned int i = 0; i < NR_FIXED; i++) {
		const struct ontb_irq_request request = { .handler = see, .dev = &numbers[i], .name = "see" };

		assert_int_equal(ontb_irq_request(rig.sys, ontb_pci_irq(dev, i), &request), 0);
	}
	assert_int_equal(pthread_create(&pumper, NULL, pump, NULL), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, works[i], NULL), 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(pumper, NULL), 0);
	fake_settle(&rig.fake);
	(void)rig_pump(&rig);
	for (unsigned int i = 0; i < NR_FIXED; i++) {
		assert_int_equal(atomic_load(&fixed[i].nr_seen), atomic_load(&fixed[i].nr_events));
		assert_int_equal(ontb_irq_free(rig.sys, ontb_pci_irq(dev, i), &numbers[i]), 0);
	}
	assert_int_equal(atomic_load(&nr_extra), NR_ROUNDS / 10);
	assert_int_equal(func->nr_lost, 0);
	assert_int_equal(rig.nr_torn, 0);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_lost_or_misdirected_under_load) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
