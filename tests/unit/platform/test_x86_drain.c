// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Drains: a message that the local APIC has taken is seen by its handler before a drain that was started after it is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/annotate.h"
#include "base/clock.h"
#include "platform/x86/slots.h"
#include "x86_rig.h"

#define RID	    ONTB_RID(0, 2, 0)
#define DEADLINE_NS (20 * ONTB_NS_PER_S)

/**
 * struct wait - a drain and what was there when it was done
 * @drain:   Drain.
 * @irq:     Interrupt that is watched.
 * @is_done: done() has run.
 * @count:   How often the handler had run then.
 */
struct wait {
	struct ontb_irq_drain drain;
	struct rig_irq *irq;
	_Atomic bool is_done;
	_Atomic uint64_t count;
};

static void done(struct ontb_irq_drain *drain)
{
	struct wait *wait = ontb_container_of(drain, struct wait, drain);

	atomic_store(&wait->count, atomic_load(&wait->irq->count));
	assert_false(atomic_exchange(&wait->is_done, true));
}

static struct ontb_irq_domain *domain_of(struct rig_irq *irq)
{
	return ontb_msi_domain(irq->dev->msi, 0);
}

static void start(struct wait *wait, struct rig_irq *irq)
{
	memset(wait, 0, sizeof(*wait));
	wait->irq = irq;
	ontb_irq_drain_add(&wait->drain, ontb_irq_data_of(domain_of(irq), irq->virq));
	ontb_irq_drain_start(domain_of(irq), &wait->drain, done);
}

static struct rig *rig_of(bool is_stepped, uint64_t seed, bool has_vtd)
{
	const struct rig_config config = { .nr_cpus = 3, .is_stepped = is_stepped, .seed = seed, .has_vtd = has_vtd };

	return rig_new(&config);
}

static void drain_waits_for_what_is_pending(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct rig *rig = rig_of(true, seed, seed % 2);
		struct rig_dev *dev = rig_dev_new(rig, RID, 8);
		struct wait waits[8];

		rig_dev_start(dev, 0, 8);
		for (unsigned int i = 0; i < 8; i++) {
			rig_irq_fire(&dev->irqs[i]);
			start(&waits[i], &dev->irqs[i]);
			assert_false(atomic_load(&waits[i].is_done));
		}
		rig_run(rig);
		for (unsigned int i = 0; i < 8; i++) {
			assert_true(atomic_load(&waits[i].is_done));
			assert_int_equal(atomic_load(&waits[i].count), 1);
		}
		rig_dev_stop(dev);
		rig_free(rig);
	}
}

static void drain_of_an_idle_machine_ends_too(void **state)
{
	struct rig *rig = rig_of(true, 1, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct wait wait;

	(void)state;
	rig_dev_start(dev, 0, 1);
	start(&wait, &dev->irqs[0]);
	rig_run(rig);
	assert_true(atomic_load(&wait.is_done));
	rig_dev_stop(dev);
	rig_free(rig);
}

static void drain_of_nothing_is_done_at_once(void **state)
{
	struct rig *rig = rig_of(true, 1, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct wait wait = { .irq = &dev->irqs[0] };

	(void)state;
	ontb_irq_drain_start(domain_of(&dev->irqs[0]), &wait.drain, done);
	assert_true(atomic_load(&wait.is_done));
	rig_dev_free(dev);
	rig_free(rig);
}

static void drain_covers_the_target_before_a_move(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct rig *rig = rig_of(true, seed, false);
		struct rig_dev *dev = rig_dev_new(rig, RID, 1);
		struct wait wait;

		rig_dev_start(dev, 0, 1);
		rig_irq_fire(&dev->irqs[0]);
		assert_int_equal(rig_irq_move(&dev->irqs[0], 2), 0);
		start(&wait, &dev->irqs[0]);
		rig_run(rig);
		assert_true(atomic_load(&wait.is_done));
		assert_int_equal(atomic_load(&wait.count), 1);
		rig_dev_stop(dev);
		rig_free(rig);
	}
}

static void drain_survives_its_cpu(void **state)
{
	struct rig *rig = rig_of(true, 1, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct wait wait;
	unsigned int cpu;

	(void)state;
	rig_dev_start(dev, 0, 1);
	cpu = (unsigned int)(rig_irq_msg(&dev->irqs[0]).addr >> 12 & 0xff);
	rig_irq_fire(&dev->irqs[0]);
	start(&wait, &dev->irqs[0]);
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, cpu, 0), 0);
	rig_run(rig);
	assert_true(atomic_load(&wait.is_done));
	assert_int_equal(atomic_load(&wait.count), 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

/* The CPU goes for a clean-up, and before it looks what there is to do, a message comes and a drain is started. */
static void drain_that_comes_between_clean_up_and_its_look_waits_for_another(void **state)
{
	struct rig *rig = rig_of(true, 1, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct wait wait;
	unsigned int cpu;

	(void)state;
	rig_dev_start(dev, 0, 1);
	cpu = (unsigned int)(rig_irq_msg(&dev->irqs[0]).addr >> 12 & 0xff);
	rig_irq_fire(&dev->irqs[0]);
	start(&wait, &dev->irqs[0]);
	(void)atomic_fetch_and(&rig->bus.lapics[cpu].irr[0], ~(1ULL << ONTB_VECTOR_CLEANUP));
	rig->cpus[cpu].entry(rig->cpus[cpu].arg, cpu, ONTB_VECTOR_CLEANUP);
	assert_false(atomic_load(&wait.is_done));
	rig_run(rig);
	assert_true(atomic_load(&wait.is_done));
	assert_int_equal(atomic_load(&wait.count), 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

/*
 * The drain waits at CPU 0 and has CPU 1 before it, where a message is pending. CPU 1 stops, the message goes to CPU 2, and CPU 1
 * may even be back when the drain comes to it.
 */
static void check_drain_follows(bool comes_back)
{
	struct rig *rig = rig_of(true, 1, true);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct rig_irq *irq = &dev->irqs[0];
	struct ontb_cpumask mask = { { 1 << 1 | 1 << 2 } };
	struct wait wait;

	rig_dev_start(dev, 0, 1);
	/* The fault interrupt of the VT-d unit is on CPU 0. */
	assert_int_equal(rig_irq_move(irq, 0), 0);
	assert_int_equal(rig_irq_move(irq, 1), 0);
	assert_int_equal(ontb_irq_set_affinity(rig->irqs, irq->virq, &mask), 0);
	rig_irq_fire(irq);
	start(&wait, irq);
	assert_true(ontb_cpumask_test(&wait.drain.cpus, 0));
	assert_true(ontb_cpumask_test(&wait.drain.cpus, 1));
	assert_int_equal(ontb_x86_cpu_offline(rig->x86, 1, 0), 0);
	if (comes_back)
		assert_int_equal(ontb_x86_cpu_online(rig->x86, 1), 0);
	while (ontb_cpu_step(&rig->cpus[0]) > 0 || ontb_cpu_step(&rig->cpus[1]) > 0)
		assert_false(atomic_load(&wait.is_done));
	assert_false(atomic_load(&wait.is_done));
	rig_run(rig);
	assert_true(atomic_load(&wait.is_done));
	assert_int_equal(atomic_load(&wait.count), 1);
	assert_int_equal(atomic_load(&irq->cpu), 2);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void drain_follows_a_message_whose_cpu_stopped_before_it_came_there(void **state)
{
	(void)state;
	check_drain_follows(false);
	check_drain_follows(true);
}

static void cancelled_drain_does_not_call(void **state)
{
	struct rig *rig = rig_of(true, 1, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct wait wait;

	(void)state;
	rig_dev_start(dev, 0, 1);
	rig_irq_fire(&dev->irqs[0]);
	start(&wait, &dev->irqs[0]);
	ontb_irq_drain_cancel(domain_of(&dev->irqs[0]), &wait.drain);
	rig_run(rig);
	assert_false(atomic_load(&wait.is_done));
	/* Once more: nothing is left of it. */
	start(&wait, &dev->irqs[0]);
	rig_run(rig);
	assert_true(atomic_load(&wait.is_done));
	ontb_irq_drain_cancel(domain_of(&dev->irqs[0]), &wait.drain);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void *move_around(void *arg)
{
	struct rig_irq *irq = arg;

	for (unsigned int n = 0; n < 300; n++)
		(void)rig_irq_move(irq, n % 3);
	return NULL;
}

static void drains_with_threads(bool has_vtd)
{
	struct rig *rig = rig_of(false, 1, has_vtd);
	struct rig_dev *dev = rig_dev_new(rig, RID, 4);
	pthread_t thread;

	rig_dev_start(dev, 0, 4);
	assert_int_equal(pthread_create(&thread, NULL, move_around, &dev->irqs[1]), 0);
	for (uint64_t n = 1; n <= 2000; n++) {
		struct rig_irq *irq = &dev->irqs[n % 4];
		uint64_t end = ontb_clock_ns() + DEADLINE_NS, before = atomic_load(&irq->count);
		struct wait wait;

		rig_irq_fire(irq);
		start(&wait, irq);
		while (!atomic_load(&wait.is_done))
			assert_true(ontb_clock_ns() < end);
		assert_int_equal(atomic_load(&wait.count), before + 1);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void drains_with_threads_on_bare_vectors(void **state)
{
	(void)state;
	drains_with_threads(false);
}

static void drains_with_threads_and_remapping(void **state)
{
	(void)state;
	drains_with_threads(true);
}

static void drains_can_be_cancelled_while_cpus_work_on_them(void **state)
{
	struct rig *rig = rig_of(false, 1, false);
	struct rig_dev *dev = rig_dev_new(rig, RID, 4);

	(void)state;
	rig_dev_start(dev, 0, 4);
	for (unsigned int n = 0; n < 2000; n++) {
		struct wait wait;

		rig_irq_fire(&dev->irqs[n % 4]);
		start(&wait, &dev->irqs[n % 4]);
		/* Its memory is the stack's: whoever went on with it afterwards would be seen. */
		ontb_irq_drain_cancel(domain_of(&dev->irqs[0]), &wait.drain);
	}
	rig_dev_stop(dev);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drain_waits_for_what_is_pending),
		cmocka_unit_test(drain_of_an_idle_machine_ends_too),
		cmocka_unit_test(drain_of_nothing_is_done_at_once),
		cmocka_unit_test(drain_covers_the_target_before_a_move),
		cmocka_unit_test(drain_survives_its_cpu),
		cmocka_unit_test(drain_that_comes_between_clean_up_and_its_look_waits_for_another),
		cmocka_unit_test(drain_follows_a_message_whose_cpu_stopped_before_it_came_there),
		cmocka_unit_test(cancelled_drain_does_not_call),
		cmocka_unit_test(drains_with_threads_on_bare_vectors),
		cmocka_unit_test(drains_with_threads_and_remapping),
		cmocka_unit_test(drains_can_be_cancelled_while_cpus_work_on_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
