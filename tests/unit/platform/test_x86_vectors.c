// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts without remapping on a stepped machine: each message reaches the right handler, whatever moves meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "platform/x86/slots.h"
#include "x86_rig.h"

#define RID ONTB_RID(0, 2, 0)

static struct rig *stepped(unsigned int nr_cpus)
{
	const struct rig_config config = { .nr_cpus = nr_cpus, .is_stepped = true, .seed = 1 };

	return rig_new(&config);
}

static void message_names_cpu_and_vector_and_reaches_its_handler(void **state)
{
	struct rig *rig = stepped(4);
	struct rig_dev *dev = rig_dev_new(rig, RID, 8);

	(void)state;
	rig_dev_start(dev, 0, 8);
	for (unsigned int i = 0; i < 8; i++) {
		struct ontb_msi_msg msg = rig_irq_msg(&dev->irqs[i]);

		assert_int_equal(msg.addr, 0xfee00000 | (i % 4) << 12);
		assert_in_range(msg.data, ONTB_VECTOR_FIRST, ONTB_VECTOR_LAST);
		rig_irq_fire(&dev->irqs[i]);
	}
	rig_run(rig);
	for (unsigned int i = 0; i < 8; i++) {
		rig_assert_count(&dev->irqs[i], 1);
		assert_int_equal(atomic_load(&dev->irqs[i].cpu), i % 4);
	}
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void parent_says_that_messages_move_and_where_they_lie(void **state)
{
	struct rig *rig = stepped(4);
	struct ontb_irq_domain *domain = ontb_x86_msi_parent(rig->x86);
	const struct ontb_msi_parent *parent = ontb_irq_domain_msi_parent(domain);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	uint64_t first, size;

	(void)state;
	assert_ptr_equal(domain, ontb_x86_vector_domain(rig->x86));
	assert_string_equal(ontb_irq_domain_name(domain), "VECTOR");
	assert_int_equal(parent->message, ONTB_MSI_MOVES);
	assert_false(parent->is_isolated);
	assert_int_equal(parent->scope, ONTB_MSI_SCOPE_CPU);
	assert_int_equal(ontb_msi_message_range(dev->msi, 0, &first, &size), 0);
	assert_int_equal(first, 0xfee00000);
	assert_int_equal(size, 4 * 4096);
	rig_dev_free(dev);
	rig_free(rig);
}

static void template_that_needs_what_bare_vectors_lack_is_refused(void **state)
{
	static const unsigned int features[] = { ONTB_MSI_FEATURE_CONTIGUOUS, ONTB_MSI_FEATURE_FIXED,
						 ONTB_MSI_FEATURE_ISOLATED };
	struct rig *rig = stepped(1);
	const uint16_t rid = RID;

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(features); i++) {
		const struct rig_dev_config config = {
			.rids = &rid, .nr_rids = 1, .nr = 4, .token = ONTB_BUS_PCI_MSI, .features = features[i]
		};
		struct rig_dev *dev = NULL;

		assert_int_equal(rig_dev_try(rig, &config, &dev), -EOPNOTSUPP);
		assert_null(dev);
	}
	rig_free(rig);
}

static void allocation_reserves_and_activation_takes(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_new(rig, RID, 10);

	(void)state;
	assert_int_equal(rig_status(rig).nr_capacity, 2 * ONTB_X86_NR_VECTORS);
	assert_int_equal(rig_dev_alloc(dev, 0, 10), 0);
	assert_int_equal(rig_status(rig).nr_reserved, 10);
	assert_int_equal(rig_status(rig).nr_used, 0);
	assert_int_equal(rig_irq_request(&dev->irqs[3]), 0);
	assert_int_equal(rig_status(rig).nr_used, 1);
	rig_irq_free(&dev->irqs[3]);
	rig_run(rig);
	assert_int_equal(rig_status(rig).nr_used, 0);
	assert_int_equal(rig_status(rig).nr_reserved, 10);
	rig_dev_free(dev);
	assert_int_equal(rig_status(rig).nr_reserved, 0);
	rig_free(rig);
}

static void vectors_run_out_with_a_clear_error_and_nothing_is_lost(void **state)
{
	struct rig *rig = stepped(2);
	unsigned int all = 2 * ONTB_X86_NR_VECTORS;
	struct rig_dev *dev = rig_dev_new(rig, RID, all + 1);
	struct ontb_msi_map map;

	(void)state;
	rig_dev_start(dev, 0, all);
	rig_log_start();
	assert_int_equal(ontb_msi_alloc_at(dev->msi, 0, all, NULL, NULL, &map), -ENOSPC);
	assert_true(rig_log_has("cannot reserve 1 more vectors: 2 CPUs have 400, of which 400 are reserved"));
	rig_log_end();
	for (unsigned int i = 0; i < all; i++)
		rig_irq_fire(&dev->irqs[i]);
	rig_run(rig);
	for (unsigned int i = 0; i < all; i++)
		rig_assert_count(&dev->irqs[i], 1);
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	/* One is given back: another one can be had. */
	rig_irq_free(&dev->irqs[7]);
	assert_int_equal(ontb_msi_free_range(dev->msi, 0, 7, 1), 0);
	dev->irqs[7].virq = 0;
	rig_run(rig);
	rig_dev_start(dev, all, 1);
	rig_irq_fire(&dev->irqs[all]);
	rig_run(rig);
	rig_assert_count(&dev->irqs[all], 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void interrupts_bound_to_a_full_cpu_are_refused(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_new(rig, RID, ONTB_X86_NR_VECTORS + 1);
	struct ontb_cpumask one = ontb_cpumask_of(1);

	(void)state;
	for (unsigned int i = 0; i <= ONTB_X86_NR_VECTORS; i++) {
		struct ontb_msi_map map;

		assert_int_equal(ontb_msi_alloc_at(dev->msi, 0, i, &one, NULL, &map), 0);
		dev->irqs[i].virq = map.virq;
		assert_int_equal(rig_irq_request(&dev->irqs[i]), i < ONTB_X86_NR_VECTORS ? 0 : -ENOSPC);
	}
	/* Anywhere else it works. */
	assert_int_equal(rig_irq_move(&dev->irqs[ONTB_X86_NR_VECTORS], 0), 0);
	assert_int_equal(rig_irq_request(&dev->irqs[ONTB_X86_NR_VECTORS]), 0);
	/* And nothing moves onto the full one. */
	assert_int_equal(rig_irq_move(&dev->irqs[ONTB_X86_NR_VECTORS], 1), -ENOSPC);
	rig_irq_fire(&dev->irqs[ONTB_X86_NR_VECTORS]);
	rig_run(rig);
	rig_assert_count(&dev->irqs[ONTB_X86_NR_VECTORS], 1);
	assert_int_equal(atomic_load(&dev->irqs[ONTB_X86_NR_VECTORS].cpu), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void moved_interrupt_is_reached_by_old_and_new_message_until_confirmed(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_lazy(rig, RID, 1);
	struct rig_irq *irq = &dev->irqs[0];
	struct ontb_msi_msg old, new;

	(void)state;
	rig_dev_start(dev, 0, 1);
	old = rig_irq_msg(irq);
	assert_int_equal(rig_irq_move(irq, 1), 0);
	new = rig_irq_msg(irq);
	assert_int_not_equal(old.addr, new.addr);
	for (unsigned int i = 0; i < 3; i++) {
		rig_send(rig, RID, &old);
		rig_run(rig);
		assert_int_equal(atomic_load(&irq->cpu), 0);
		rig_send(rig, RID, &new);
		rig_run(rig);
		assert_int_equal(atomic_load(&irq->cpu), 1);
	}
	rig_assert_count(irq, 6);
	assert_int_equal(rig_status(rig).nr_used, 2);
	rig_irq_confirm(irq);
	rig_run(rig);
	assert_int_equal(rig_status(rig).nr_used, 1);
	assert_int_equal(rig_status(rig).nr_cleaned, 1);
	/* Whoever confirmed and still sends the old message reaches nobody, not somebody else. */
	rig_log_start();
	rig_send(rig, RID, &old);
	rig_run(rig);
	assert_true(rig_log_has("CPU 0: nobody has vector 0x"));
	rig_log_end();
	rig_assert_count(irq, 6);
	assert_int_equal(ontb_irq_spurious(rig->irqs), 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void message_that_is_pending_when_the_move_ends_reaches_its_handler(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_lazy(rig, RID, 1);
	struct rig_irq *irq = &dev->irqs[0];
	struct ontb_msi_msg old;

	(void)state;
	rig_dev_start(dev, 0, 1);
	old = rig_irq_msg(irq);
	assert_int_equal(rig_irq_move(irq, 1), 0);
	rig_send(rig, RID, &old);
	rig_irq_confirm(irq);
	assert_int_equal(rig_status(rig).nr_waiting, 1);
	/* The device's vector first, then the clean-up. */
	assert_int_equal(ontb_cpu_step(&rig->cpus[0]), 1);
	rig_assert_count(irq, 1);
	assert_int_equal(rig_status(rig).nr_waiting, 1);
	assert_int_equal(ontb_cpu_step(&rig->cpus[0]), 1);
	assert_int_equal(rig_status(rig).nr_waiting, 0);
	assert_int_equal(ontb_cpu_step(&rig->cpus[0]), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

/* The CPU goes for a clean-up, and before it looks what there is to clean up, a message comes and its vector is left. */
static void message_that_comes_between_clean_up_and_its_look_keeps_its_vector(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_lazy(rig, RID, 1);
	struct rig_irq *irq = &dev->irqs[0];
	struct ontb_msi_msg old;

	(void)state;
	rig_dev_start(dev, 0, 1);
	old = rig_irq_msg(irq);
	assert_int_equal(rig_irq_move(irq, 1), 0);
	rig_send(rig, RID, &old);
	rig_irq_confirm(irq);
	(void)atomic_fetch_and(&rig->bus.lapics[0].irr[0], ~(1ULL << ONTB_VECTOR_CLEANUP));
	rig->cpus[0].entry(rig->cpus[0].arg, 0, ONTB_VECTOR_CLEANUP);
	assert_int_equal(rig_status(rig).nr_waiting, 1);
	rig_assert_count(irq, 0);
	rig_run(rig);
	rig_assert_count(irq, 1);
	assert_int_equal(rig_status(rig).nr_waiting, 0);
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void vector_is_not_reused_before_its_cpu_has_cleaned_up(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_lazy(rig, RID, ONTB_X86_NR_VECTORS + 1);
	struct rig_irq *last = &dev->irqs[ONTB_X86_NR_VECTORS];
	struct ontb_cpumask zero = ontb_cpumask_of(0);
	struct ontb_msi_msg old, msg;
	struct ontb_msi_map map;

	(void)state;
	for (unsigned int i = 0; i <= ONTB_X86_NR_VECTORS; i++) {
		assert_int_equal(ontb_msi_alloc_at(dev->msi, 0, i, &zero, NULL, &map), 0);
		dev->irqs[i].virq = map.virq;
		assert_int_equal(rig_irq_request(&dev->irqs[i]), i < ONTB_X86_NR_VECTORS ? 0 : -ENOSPC);
	}
	old = rig_irq_msg(&dev->irqs[5]);
	assert_int_equal(rig_irq_move(&dev->irqs[5], 1), 0);
	/* A move that is not confirmed keeps both vectors. */
	rig_run(rig);
	assert_int_equal(rig_irq_request(last), -ENOSPC);
	/* Confirmed, with a message still pending. */
	rig_send(rig, RID, &old);
	rig_irq_confirm(&dev->irqs[5]);
	assert_int_equal(rig_irq_request(last), -ENOSPC);
	assert_int_equal(ontb_cpu_step(&rig->cpus[0]), 1);
	rig_assert_count(&dev->irqs[5], 1);
	assert_int_equal(rig_irq_request(last), -ENOSPC);
	assert_int_equal(ontb_cpu_step(&rig->cpus[0]), 1);
	assert_int_equal(rig_irq_request(last), 0);
	msg = rig_irq_msg(last);
	assert_int_equal(msg.data, old.data);
	rig_irq_fire(last);
	rig_run(rig);
	rig_assert_count(last, 1);
	rig_assert_count(&dev->irqs[5], 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void message_for_a_freed_interrupt_is_dropped_and_counted_as_late(void **state)
{
	struct rig *rig = stepped(1);
	struct rig_dev *dev = rig_dev_new(rig, RID, 2);
	struct ontb_msi_msg msg;

	(void)state;
	rig_dev_start(dev, 0, 2);
	msg = rig_irq_msg(&dev->irqs[0]);
	rig_irq_fire(&dev->irqs[0]);
	rig_irq_free(&dev->irqs[0]);
	assert_int_equal(ontb_msi_free_range(dev->msi, 0, 0, 1), 0);
	dev->irqs[0].virq = 0;
	/* The descriptor is gone; the CPU has not even looked. */
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 0);
	rig_assert_count(&dev->irqs[1], 0);
	assert_int_equal(rig_status(rig).nr_late, 1);
	assert_int_equal(rig_status(rig).nr_spurious, 0);
	assert_int_equal(rig_status(rig).nr_used, 1);
	/* After clean-up it is a vector like any other that nobody has. */
	rig_send(rig, RID, &msg);
	rig_run(rig);
	assert_int_equal(rig_status(rig).nr_late, 1);
	assert_int_equal(rig_status(rig).nr_spurious, 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void stray_vectors_are_counted_and_block_nothing(void **state)
{
	struct rig *rig = stepped(1);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);
	struct ontb_msi_msg msg = { .addr = 0xfee00000 };

	(void)state;
	rig_dev_start(dev, 0, 1);
	/* Every vector that a peer could forge, the clean-up's and the spurious one among them. */
	for (msg.data = 16; msg.data < 256; msg.data++) {
		rig_send(rig, RID, &msg);
		rig_run(rig);
	}
	/* All but the one of the interrupt and the one for clean-up. */
	assert_int_equal(ontb_irq_spurious(rig->irqs), 240 - 2);
	rig_assert_count(&dev->irqs[0], 1);
	rig_irq_fire(&dev->irqs[0]);
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 2);
	assert_int_equal(ontb_lapic_read(&rig->bus.lapics[0], ONTB_APIC_PPR), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void disabled_interrupt_is_raised_again_when_it_is_enabled(void **state)
{
	struct rig *rig = stepped(2);
	struct rig_dev *dev = rig_dev_new(rig, RID, 1);

	(void)state;
	rig_dev_start(dev, 0, 1);
	assert_int_equal(ontb_irq_disable(rig->irqs, dev->irqs[0].virq), 0);
	rig_irq_fire(&dev->irqs[0]);
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 0);
	assert_int_equal(rig_irq_move(&dev->irqs[0], 1), 0);
	assert_int_equal(ontb_irq_enable(rig->irqs, dev->irqs[0].virq), 0);
	rig_run(rig);
	rig_assert_count(&dev->irqs[0], 1);
	assert_int_equal(atomic_load(&dev->irqs[0].cpu), 1);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void four_thousand_interrupts_live_on_twenty_four_cpus(void **state)
{
	struct rig *rig = stepped(24);
	struct rig_dev *msix = rig_dev_new(rig, RID, 4), *ntb = rig_dev_lazy(rig, RID, 4096);

	(void)state;
	rig_dev_start(msix, 0, 4);
	rig_dev_start(ntb, 0, 4096);
	for (unsigned int cpu = 0; cpu < 24; cpu++)
		assert_in_range(ontb_x86_cpu_nr_used(rig->x86, cpu), 170, 171);
	for (unsigned int i = 0; i < 4096; i++)
		rig_irq_fire(&ntb->irqs[i]);
	for (unsigned int i = 0; i < 4; i++)
		rig_irq_fire(&msix->irqs[i]);
	rig_run(rig);
	for (unsigned int i = 0; i < 4096; i++)
		rig_assert_count(&ntb->irqs[i], 1);
	for (unsigned int i = 0; i < 4; i++)
		rig_assert_count(&msix->irqs[i], 1);
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	rig_dev_stop(ntb);
	rig_dev_stop(msix);
	rig_free(rig);
}

/* Fire and move by chance, and write down who ran where. */
static uint64_t run_seeded(uint64_t seed)
{
	const struct rig_config config = { .nr_cpus = 4, .is_stepped = true, .seed = seed };
	struct rig *rig = rig_new(&config);
	struct rig_dev *dev = rig_dev_lazy(rig, RID, 16);
	uint64_t hash = 0, nr_sent = 0, nr_handled = 0;

	rig_dev_start(dev, 0, 16);
	for (unsigned int round = 0; round < 400; round++) {
		struct rig_irq *irq = &dev->irqs[round * 7 % 16];
		uint64_t before = atomic_load(&irq->count);

		rig_irq_fire(irq);
		nr_sent++;
		if (!(round % 3)) {
			assert_int_equal(rig_irq_move(irq, round % 4), 0);
			for (unsigned int i = 0; i < round % 5; i++)
				(void)rig_step(rig);
			rig_irq_confirm(irq);
		}
		while (atomic_load(&irq->count) == before)
			assert_true(rig_step(rig));
		hash = hash * 31 + atomic_load(&irq->cpu);
		hash = hash * 31 + rig->random % 1000;
	}
	rig_run(rig);
	for (unsigned int i = 0; i < 16; i++)
		nr_handled += atomic_load(&dev->irqs[i].count);
	assert_int_equal(nr_handled, nr_sent);
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	rig_dev_stop(dev);
	rig_free(rig);
	return hash;
}

static void stepped_run_depends_on_its_seed_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++)
		assert_int_equal(run_seeded(seed), run_seeded(seed));
	assert_int_not_equal(run_seeded(1), run_seeded(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_names_cpu_and_vector_and_reaches_its_handler),
		cmocka_unit_test(parent_says_that_messages_move_and_where_they_lie),
		cmocka_unit_test(template_that_needs_what_bare_vectors_lack_is_refused),
		cmocka_unit_test(allocation_reserves_and_activation_takes),
		cmocka_unit_test(vectors_run_out_with_a_clear_error_and_nothing_is_lost),
		cmocka_unit_test(interrupts_bound_to_a_full_cpu_are_refused),
		cmocka_unit_test(moved_interrupt_is_reached_by_old_and_new_message_until_confirmed),
		cmocka_unit_test(message_that_is_pending_when_the_move_ends_reaches_its_handler),
		cmocka_unit_test(message_that_comes_between_clean_up_and_its_look_keeps_its_vector),
		cmocka_unit_test(vector_is_not_reused_before_its_cpu_has_cleaned_up),
		cmocka_unit_test(message_for_a_freed_interrupt_is_dropped_and_counted_as_late),
		cmocka_unit_test(stray_vectors_are_counted_and_block_nothing),
		cmocka_unit_test(disabled_interrupt_is_raised_again_when_it_is_enabled),
		cmocka_unit_test(four_thousand_interrupts_live_on_twenty_four_cpus),
		cmocka_unit_test(stepped_run_depends_on_its_seed_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
