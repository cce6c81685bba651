// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Grant, trigger, move, revoke, free: over every kind of channel, stepped, so every run is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "grant_rig.h"
#include "ntb/irq/irqs.h"

static const unsigned int channels[] = {
	MOCK_PAGES | MOCK_DOORBELLS,
	MOCK_SPADS | MOCK_DOORBELLS,
	MOCK_MSGS,
	MOCK_MSGS | MOCK_OVERWRITE,
};

static void grant_trigger_move_revoke_free(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(channels); i++) {
		struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | channels[i], 8);
		struct grant_irq *irq = grant_rig_irq(rig, 0, 3);
		struct ontb_cpumask cpu1 = ontb_cpumask_of(1);
		struct ontb_ntb_irqs_status status;

		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), -ENOENT);
		assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 3, 0), 0);
		mock_run(rig->net);
		assert_int_equal(rig->ends[1].nr_granted, 1);
		assert_true(ontb_ntb_irq_is_granted(rig->ends[1].irqs, 0, 3));
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
		assert_int_equal(irq->nr_handled, 1);

		assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, irq->map.virq, &cpu1), 0);
		assert_int_equal(ontb_irq_move_wait(rig->net->hosts[0].sys, irq->map.virq, 0), -ETIMEDOUT);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
		assert_int_equal(irq->nr_handled, 2);
		assert_int_equal(irq->last_cpu, 0);
		mock_run(rig->net);
		assert_int_equal(ontb_irq_move_wait(rig->net->hosts[0].sys, irq->map.virq, 0), 0);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
		assert_int_equal(irq->nr_handled, 3);
		assert_int_equal(irq->last_cpu, 1);
		assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 1);

		assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 3, 0), 0);
		assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 3, 1), 0);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), -ENOENT);
		assert_int_equal(rig->ends[1].nr_revoked, 1);
		ontb_ntb_irqs_status(rig->ends[0].irqs, &status);
		assert_int_equal(status.nr_allocated, 1);
		assert_int_equal(status.nr_granted, 0);
		assert_int_equal(status.moves, 1);
		assert_int_equal(status.revokes, 1);
		assert_int_equal(status.bad_messages, 0);
		assert_int_equal(status.window_first, MOCK_MSI_FIRST);
		assert_int_equal(status.window_size, MOCK_MSI_SIZE);
		ontb_ntb_irqs_status(rig->ends[1].irqs, &status);
		assert_int_equal(status.triggers, 3);
		assert_int_equal(status.nr_held, 0);
		grant_rig_free(rig);
	}
}

static unsigned int nr_moving(const struct grant_rig *rig, unsigned int host)
{
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(rig->ends[host].irqs, &status);
	return status.nr_moving;
}

static void fire(struct grant_rig *rig, unsigned int from, unsigned int to, unsigned int index)
{
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[from].irqs, mock_peer_of(from, to), index), 0);
}

static void give(struct grant_rig *rig, unsigned int owner, unsigned int index, unsigned int holder)
{
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[owner].irqs, index, mock_peer_of(owner, holder)), 0);
}

static void move_to(struct grant_rig *rig, unsigned int host, const struct grant_irq *irq, unsigned int cpu)
{
	struct ontb_cpumask mask = ontb_cpumask_of(cpu);

	assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[host].sys, irq->map.virq, &mask), 0);
}

static void several_hold_one_and_a_move_waits_for_the_last(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		/* Hosts 1 and 2 hold it; host 2 learns of the move late: its doorbells and its page writes get lost. */
		struct grant_rig *rig =
			grant_rig_new(3, MOCK_STEPPED | (i ? MOCK_MSGS : MOCK_PAGES | MOCK_DOORBELLS), 4);
		struct grant_irq *irq = grant_rig_irq(rig, 0, 0), *other = grant_rig_irq(rig, 0, 1);
		struct ontb_irq_system *sys = rig->net->hosts[0].sys;

		give(rig, 0, 0, 1);
		give(rig, 0, 0, 2);
		give(rig, 0, 1, 2);
		mock_run(rig->net);
		fire(rig, 1, 0, 0);
		fire(rig, 2, 0, 0);
		assert_int_equal(irq->nr_handled, 2);

		atomic_store(&rig->net->hosts[0].drop_doorbells, 2);
		move_to(rig, 0, irq, 1);
		for (unsigned int n = 0; n < 3; n++)
			(void)ontb_worker_pool_step(rig->net->hosts[0].pool);
		assert_int_equal(nr_moving(rig, 0), 1);
		assert_int_equal(ontb_irq_move_wait(sys, irq->map.virq, 0), -ETIMEDOUT);
		/* The vector that it leaves is not given to anybody meanwhile: another move takes the next one. */
		move_to(rig, 0, other, 1);
		fire(rig, 1, 0, 0);
		fire(rig, 2, 0, 0);
		fire(rig, 2, 0, 1);
		assert_int_equal(irq->nr_handled, 4);
		assert_int_equal(other->nr_handled, 1);
		mock_run(rig->net);
		assert_int_equal(ontb_irq_move_wait(sys, irq->map.virq, 0), 0);
		fire(rig, 1, 0, 0);
		assert_int_equal(irq->last_cpu, 1);
		fire(rig, 2, 0, 0);
		assert_int_equal(irq->last_cpu, 1);
		assert_int_equal(irq->nr_handled, 6);
		assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 2);
		grant_rig_free(rig);
	}
}

/* The second holder says nothing at all for a while: as long as it does not, its old message works. */
static void a_silent_holder_keeps_the_old_message_alive(void **state)
{
	struct grant_rig *rig = grant_rig_new(3, MOCK_PAGES | MOCK_DOORBELLS, 4);
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);
	struct ontb_irq_system *sys = rig->net->hosts[0].sys;
	struct mock_host *late = &rig->net->hosts[2];

	(void)state;
	give(rig, 0, 0, 1);
	give(rig, 0, 0, 2);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 5 * ONTB_NS_PER_S), 0);
	/* Host 2 hears no doorbell any more, so that nothing runs there. */
	ontb_ntb_db_mask(late->ntb, 0xffff);
	late->is_deaf = true;
	move_to(rig, 0, irq, 1);
	grant_rig_wait(rig, &rig->ends[1].nr_granted, 1);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 100 * ONTB_NS_PER_MS), -ETIMEDOUT);
	assert_int_equal(ontb_irq_move_wait(sys, irq->map.virq, 0), -ETIMEDOUT);
	fire(rig, 2, 0, 0);
	assert_int_equal(irq->last_cpu, 0);
	fire(rig, 1, 0, 0);
	assert_int_equal(irq->last_cpu, 1);
	late->is_deaf = false;
	ontb_ntb_db_unmask(late->ntb, 0xffff);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 5 * ONTB_NS_PER_S), 0);
	assert_int_equal(ontb_irq_move_wait(sys, irq->map.virq, 0), 0);
	fire(rig, 2, 0, 0);
	assert_int_equal(irq->last_cpu, 1);
	assert_int_equal(irq->nr_handled, 3);
	grant_rig_free(rig);
}

static void a_move_is_free_when_messages_are_fixed(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_FIXED | MOCK_PAGES | MOCK_DOORBELLS, 4);
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);
	struct ontb_ntb_irqs_status status;

	(void)state;
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		move_to(rig, 0, irq, cpu);
	assert_int_equal(mock_run(rig->net), 0);
	fire(rig, 1, 0, 0);
	assert_int_equal(irq->nr_handled, 1);
	ontb_ntb_irqs_status(rig->ends[0].irqs, &status);
	assert_int_equal(status.moves, 0);
	grant_rig_free(rig);
}

/* The first vector of CPU 0 is the first address of the window, so the first grant has offset 0 and data 0. */
static void offset_zero_is_an_offset(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_SPADS | MOCK_DOORBELLS, 1);
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);

	(void)state;
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	mock_store(rig->net, 1, 0, 0, 0);
	assert_int_equal(irq->nr_handled, 1);
	fire(rig, 1, 0, 0);
	assert_int_equal(irq->nr_handled, 2);
	grant_rig_free(rig);
}

static void four_thousand_over_sixteen_scratchpads(void **state)
{
	enum {
		NR = 4096
	};
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_SPADS | MOCK_DOORBELLS, NR);
	struct ontb_ntb_irqs_status status;

	(void)state;
	for (unsigned int i = 0; i < NR; i++) {
		(void)grant_rig_irq(rig, 0, i);
		give(rig, 0, i, 1);
	}
	mock_run(rig->net);
	assert_int_equal(rig->ends[1].nr_granted, NR);
	for (unsigned int i = 0; i < NR; i++)
		fire(rig, 1, 0, i);
	for (unsigned int i = 0; i < NR; i++)
		move_to(rig, 0, &rig->ends[0].irq[i], 1 + i % 3);
	mock_run(rig->net);
	for (unsigned int i = 0; i < NR; i++)
		fire(rig, 1, 0, i);
	for (unsigned int i = 0; i < NR; i++) {
		assert_int_equal(rig->ends[0].irq[i].nr_handled, 2);
		assert_int_equal(rig->ends[0].irq[i].last_cpu, 1 + i % 3);
	}
	ontb_ntb_irqs_status(rig->ends[0].irqs, &status);
	assert_int_equal(status.nr_allocated, NR);
	assert_int_equal(status.nr_granted, NR);
	assert_int_equal(status.nr_moving, 0);
	assert_int_equal(status.moves, NR);
	assert_int_equal(status.channel, ONTB_NTB_CHANNEL_SPADS);
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), NR);
	ontb_ntb_irqs_status(rig->ends[1].irqs, &status);
	assert_int_equal(status.nr_held, NR);
	assert_int_equal(status.triggers, 2 * NR);
	grant_rig_free(rig);
}

static void a_freed_index_is_nobodys_until_the_holder_confirms(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 4);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	struct grant_irq *irq;
	struct ontb_ntb_irqs_status status;
	struct ontb_msi_map map;

	(void)state;
	(void)grant_rig_irq(rig, 0, 2);
	give(rig, 0, 2, 1);
	mock_run(rig->net);
	grant_rig_remove_handler(rig, 0, 2);
	assert_int_equal(ontb_ntb_irq_free(owner, 2), 0);
	ontb_ntb_irqs_status(owner, &status);
	assert_int_equal(status.nr_quarantined, 1);
	assert_int_equal(ontb_ntb_irq_alloc(owner, 2, NULL, &map), -EBUSY);
	assert_int_equal(ontb_ntb_irq_grant(owner, 2, 0), -EBUSY);
	/* The holder knows nothing of it yet, and its message hits what it always hit. */
	fire(rig, 1, 0, 2);
	assert_int_equal(rig->net->hosts[0].nr_arrived, 1);
	mock_run(rig->net);
	assert_int_equal(rig->ends[0].nr_freed, 1);
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 0);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 2), -ENOENT);
	assert_int_equal(ontb_ntb_irq_free(owner, 2), -ENOENT);
	/* The next owner of the index, of the number and of the vector is another one. */
	irq = grant_rig_irq(rig, 0, 2);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 2), -ENOENT);
	assert_int_equal(irq->nr_handled, 0);
	give(rig, 0, 2, 1);
	mock_run(rig->net);
	fire(rig, 1, 0, 2);
	assert_int_equal(irq->nr_handled, 1);
	grant_rig_free(rig);
}

static void a_handler_that_stays_keeps_the_quarantine(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 4);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	struct grant_irq *irq = grant_rig_irq(rig, 0, 1);
	struct ontb_ntb_irqs_status status;
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_ntb_irq_free(owner, 1), -EBUSY);
	give(rig, 0, 1, 1);
	mock_run(rig->net);
	fire(rig, 1, 0, 1);
	assert_int_equal(irq->nr_handled, 1);
	assert_int_equal(ontb_ntb_irq_free(owner, 1), 0);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_settle(owner, 1, 0), 0);
	ontb_ntb_irqs_status(owner, &status);
	assert_int_equal(status.nr_quarantined, 1);
	assert_int_equal(rig->ends[0].nr_freed, 0);
	assert_int_equal(ontb_ntb_irq_free(owner, 1), -EBUSY);
	assert_int_equal(ontb_ntb_irq_alloc(owner, 1, NULL, &map), -EBUSY);
	grant_rig_remove_handler(rig, 0, 1);
	assert_int_equal(ontb_ntb_irq_free(owner, 1), 0);
	assert_int_equal(ontb_ntb_irq_settle(owner, 1, 1), 0);
	assert_int_equal(rig->ends[0].nr_freed, 1);
	assert_int_equal(ontb_ntb_irq_alloc(owner, 1, NULL, &map), 0);
	grant_rig_free(rig);
}

static void indices_and_vectors_run_out_with_an_error(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 8);
	struct ontb_cpumask cpu0 = ontb_cpumask_of(0);
	struct ontb_msi_map map = { .index = 77, .virq = 77 };
	struct ontb_ntb_irqs *owner;

	(void)state;
	rig->net->hosts[0].nr_vectors = 5;
	assert_int_equal(grant_rig_start(rig, 0), 0);
	assert_int_equal(grant_rig_start(rig, 1), 0);
	mock_run(rig->net);
	owner = rig->ends[0].irqs;
	for (unsigned int i = 0; i < 5; i++) {
		(void)grant_rig_irq(rig, 0, i);
		give(rig, 0, i, 1);
	}
	assert_int_equal(ontb_ntb_irq_alloc(owner, ONTB_MSI_ANY_INDEX, &cpu0, &map), -ENOSPC);
	assert_int_equal(map.index, 77);
	mock_run(rig->net);
	for (unsigned int i = 0; i < 5; i++)
		fire(rig, 1, 0, i);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(rig->ends[0].irq[i].nr_handled, 1);
	/* Index 5 was given back when its vector was not there. */
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(ontb_ntb_irq_alloc(owner, ONTB_MSI_ANY_INDEX, &(struct ontb_cpumask){ { 2 } }, &map),
				 0);
		assert_int_equal(map.index, 5 + i);
	}
	assert_int_equal(ontb_ntb_irq_alloc(owner, ONTB_MSI_ANY_INDEX, NULL, &map), -ENOSPC);
	assert_int_equal(ontb_ntb_irq_alloc(owner, 8, NULL, &map), -ERANGE);
	assert_int_equal(ontb_ntb_irq_alloc(owner, 7, NULL, &map), -EBUSY);
	grant_rig_free(rig);
}

static void calls_say_what_is_wrong(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 4);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;

	(void)state;
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 1), -ERANGE);
	assert_int_equal(ontb_ntb_irq_grant(owner, 1, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_grant(owner, 4, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_grant(owner, UINT32_MAX, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 1), -ERANGE);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 4, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_free(owner, 1), -ENOENT);
	assert_int_equal(ontb_ntb_irq_free(owner, 4), -ENOENT);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 1, 0), -ERANGE);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 4), -ENOENT);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, UINT32_MAX), -ENOENT);
	assert_false(ontb_ntb_irq_is_granted(rig->ends[1].irqs, 1, 0));
	/* A grant that was taken back before it was said is never said. */
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), -EALREADY);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), -ETIMEDOUT);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), 0);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), 0);
	mock_run(rig->net);
	assert_int_equal(rig->ends[1].nr_granted, 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), -EBUSY);
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), 0);
	mock_run(rig->net);
	mock_set_link(rig->net, 0, 1, false);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), -ENOLINK);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOLINK);
	grant_rig_free(rig);
}

static void making_them_says_what_is_wrong(void **state)
{
	enum {
		ALL = MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS
	};
	struct grant_rig *rig = grant_rig_new_bare(2, ALL | MOCK_GUARD, 4);
	struct ontb_ntb_irqs *const untouched = (struct ontb_ntb_irqs *)0x1;
	struct ontb_ntb *ntb = rig->net->hosts[0].ntb;
	struct ontb_ntb_irqs_config good = rig->ends[0].config, config;
	struct ontb_ntb_irqs *irqs = untouched, *first;

	(void)state;
#define REFUSED(change, error)                                                                                         \
	do {                                                                                                           \
		config = good;                                                                                         \
		change;                                                                                                \
		assert_int_equal(ontb_ntb_irqs_new(ntb, &config, &irqs), error);                                       \
		assert_ptr_equal(irqs, untouched);                                                                     \
	} while (0)
	REFUSED(config.nr_irqs = 0, -EINVAL);
	REFUSED(config.nr_irqs = 65537, -EINVAL);
	REFUSED(config.slot = ONTB_MSI_NR_SLOTS, -EINVAL);
	REFUSED(config.channel = (enum ontb_ntb_channel)4, -EINVAL);
	REFUSED(config.channel = ONTB_NTB_CHANNEL_MSGS, -EOPNOTSUPP);
	REFUSED(config.window = -2, -ERANGE);
	REFUSED(config.window = MOCK_NR_WINDOWS, -ERANGE);
	REFUSED(config.use_guard = false; config.trust_peers = false, -EPERM);
	REFUSED(config.nr_irqs = MOCK_NR_GUARDS / 2 + 1, -ENOSPC);
	rig->net->hosts[0].window_max = MOCK_MSI_SIZE / 2;
	REFUSED((void)config, -EOPNOTSUPP);
	rig->net->hosts[0].window_max = MOCK_WINDOW_SIZE;
	assert_int_equal(ontb_ntb_window_claim(ntb, 0, 1), 0);
	REFUSED(config.window = 1, -EBUSY);
	ontb_ntb_window_release(ntb, 0, 1);
	/* Without isolation a guard is as good as trust. */
	config = good;
	config.trust_peers = false;
	assert_int_equal(ontb_ntb_irqs_new(ntb, &config, &first), 0);
	REFUSED(config.slot = 2; config.window = 0, -EBUSY);
	REFUSED(config.window = 0, -EBUSY);
	REFUSED(config.slot = 2, -EBUSY);
	ontb_ntb_irqs_free(first);
	assert_int_equal(ontb_ntb_irqs_new(ntb, &good, &first), 0);
	ontb_ntb_irqs_free(first);
	ontb_ntb_irqs_free(NULL);
#undef REFUSED
	grant_rig_free(rig);
}

static void trust_is_not_needed_where_the_parent_isolates(void **state)
{
	static const unsigned int more[] = { 0, MOCK_ISOLATED };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(more); i++) {
		struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS | more[i], 4);

		rig->ends[0].config.trust_peers = false;
		assert_int_equal(grant_rig_start(rig, 0), more[i] ? 0 : -EPERM);
		/* And there is no guard to ask for. */
		rig->ends[1].config.use_guard = true;
		assert_int_equal(grant_rig_start(rig, 1), -EOPNOTSUPP);
		grant_rig_free(rig);
	}
}

static void a_window_is_as_narrow_as_its_limits_allow(void **state)
{
	static const struct {
		struct ontb_ntb_window limits;
		uint64_t first, size;
		int result;
		uint64_t start, len;
	} cases[] = {
		{ { 0, 0x1000, 0x200000 }, 0xfee00000, 0x100000, 0, 0xfee00000, 0x100000 },
		{ { 0, 0x1000, 0x100000 }, 0xfee00000, 0x100000, 0, 0xfee00000, 0x100000 },
		{ { 0, 0x1000, 0x0fffff }, 0xfee00000, 0x100000, -EOPNOTSUPP, 0, 0 },
		{ { 0, 0x1000, 0x200000 }, 0xfee00000, 4, 0, 0xfee00000, 0x1000 },
		{ { 0, 4, 0x200000 }, 0xfee00010, 4, 0, 0xfee00010, 4 },
		{ { 0, 4, 0x200000 }, 0xfee0000c, 8, 0, 0xfee00000, 0x20 },
		{ { 0, 0x1000, 0x10000 }, 0xfee0f000, 0x2000, -EOPNOTSUPP, 0, 0 },
		{ { 0, 0x1000, 0x20000 }, 0xfee0f000, 0x2000, 0, 0xfee00000, 0x20000 },
		{ { 0x1000, 0x1000, 0x10000 }, 0xfee0f000, 0x2000, 0, 0xfee0f000, 0x2000 },
		{ { 0x10000, 0x1000, 0x20000 }, 0xfee0f000, 0x2000, 0, 0xfee00000, 0x11000 },
		{ { 0x10000, 0x1000, 0x10000 }, 0xfee0f000, 0x2000, -EOPNOTSUPP, 0, 0 },
		{ { 0x10000, 0, 0x10000 }, 0xfee00ff0, 4, 0, 0xfee00000, 0xff4 },
		{ { 0, 0, UINT64_MAX }, 0x7fffffffffffffff, 2, -EOPNOTSUPP, 0, 0 },
		{ { 0x1000, 0x1000, UINT64_MAX }, 0x10, UINT64_MAX, -EOPNOTSUPP, 0, 0 },
		{ { 0x1000, 0x1000, UINT64_MAX }, 0, UINT64_MAX, -EOPNOTSUPP, 0, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		uint64_t start = 0, len = 0;

		assert_int_equal(ontb_session_fit(&cases[i].limits, cases[i].first, cases[i].size, &start, &len),
				 cases[i].result);
		if (cases[i].result)
			continue;
		assert_true(start == cases[i].start);
		assert_true(len == cases[i].len);
	}
}

static void a_guard_lets_exactly_what_is_granted_pass(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS | MOCK_GUARD, 4);
	struct mock_host *host = &rig->net->hosts[0];
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);

	(void)state;
	/* Interrupt 1 lives, with vector 1 on CPU 0, and is not granted: a store that guesses right does not reach it. */
	(void)grant_rig_irq(rig, 0, 1);
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	mock_store(rig->net, 1, 0, 0, 1);
	mock_store(rig->net, 1, 0, 0, 77);
	assert_int_equal(host->nr_filtered, 2);
	fire(rig, 1, 0, 0);
	assert_int_equal(irq->nr_handled, 1);
	for (unsigned int cpu = 1; cpu < 4; cpu++) {
		uint64_t old = (cpu - 1) * 0x1000ULL;

		move_to(rig, 0, irq, cpu);
		mock_store(rig->net, 1, 0, old, 0);
		mock_run(rig->net);
		fire(rig, 1, 0, 0);
		assert_int_equal(irq->nr_handled, 1 + 2 * cpu);
		mock_store(rig->net, 1, 0, old, 0);
		assert_int_equal(host->nr_filtered, 2 + cpu);
	}
	/* A guard that fails delays a move, and loses nothing. */
	atomic_store(&host->fail_guard, 3);
	move_to(rig, 0, irq, 0);
	fire(rig, 1, 0, 0);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, ONTB_NS_PER_S), 0);
	assert_int_equal(host->fail_guard, 0);
	fire(rig, 1, 0, 0);
	assert_int_equal(irq->nr_handled, 9);
	assert_int_equal(irq->last_cpu, 0);
	assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	for (unsigned int i = 0; i < MOCK_NR_GUARDS; i++)
		assert_false(host->guards[i].is_open);
	mock_store(rig->net, 1, 0, 0, 0);
	assert_int_equal(host->nr_filtered, 6);
	assert_int_equal(irq->nr_handled, 9);
	grant_rig_free(rig);
}

static void a_guard_that_refuses_is_asked_again_later_and_not_at_once(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS | MOCK_GUARD, 4);
	struct mock_host *host = &rig->net->hosts[0];

	(void)state;
	(void)grant_rig_irq(rig, 0, 0);
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	atomic_store(&host->fail_guard, 1000);
	assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 0, 0), 0);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 100 * ONTB_NS_PER_MS), -ETIMEDOUT);
	/* Ten milliseconds each. */
	assert_in_range(1000 - atomic_load(&host->fail_guard), 5, 15);
	atomic_store(&host->fail_guard, 0);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 100 * ONTB_NS_PER_MS), 0);
	grant_rig_free(rig);
}

static struct grant_irq *moved_meanwhile;

static void move_meanwhile(struct mock_host *host)
{
	struct ontb_cpumask cpu2 = ontb_cpumask_of(2);

	host->on_shut_out = NULL;
	assert_int_equal(ontb_irq_set_affinity(host->sys, moved_meanwhile->map.virq, &cpu2), 0);
}

/* While the worker shuts a message out that nobody has, the one that a peer has becomes an old one: it must go on passing. */
static void a_guard_keeps_what_becomes_old_meanwhile(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS | MOCK_GUARD, 4);
	struct mock_host *host = &rig->net->hosts[0];
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);
	unsigned int nr_fired = 0;

	(void)state;
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	/* The first message cannot be shut out yet, and is replaced when nobody has it. */
	atomic_store(&host->fail_guard, 1);
	assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 0, 0), 0);
	while (atomic_load(&host->fail_guard))
		assert_true(ontb_worker_pool_step(host->pool));
	move_to(rig, 0, irq, 1);
	give(rig, 0, 0, 1);
	moved_meanwhile = irq;
	host->on_shut_out = move_meanwhile;
	while (ontb_worker_pool_step(host->pool)) {
		if (ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0) == 0)
			nr_fired++;
		assert_int_equal(irq->nr_handled, nr_fired);
		assert_int_equal(host->nr_filtered, 0);
	}
	assert_null(host->on_shut_out);
	assert_true(nr_fired > 2);
	assert_int_equal(irq->last_cpu, 2);
	grant_rig_free(rig);
}

/* Somebody deactivates an interrupt that peers hold: they are told, and the vector lives until they have confirmed. */
static void deactivation_waits_for_the_holders(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 4);
	struct ontb_irq_system *sys = rig->net->hosts[0].sys;
	struct ontb_msi_map map;

	(void)state;
	assert_int_equal(ontb_ntb_irq_alloc(rig->ends[0].irqs, 0, NULL, &map), 0);
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	assert_int_equal(ontb_irq_deactivate(sys, map.virq), 0);
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 1);
	fire(rig, 1, 0, 0);
	mock_run(rig->net);
	assert_int_equal(ontb_irq_move_wait(sys, map.virq, 0), 0);
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 0);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), -ENOENT);
	assert_int_equal(ontb_irq_activate(sys, map.virq), 0);
	give(rig, 0, 0, 1);
	mock_run(rig->net);
	assert_true(ontb_ntb_irq_is_granted(rig->ends[1].irqs, 0, 0));
	grant_rig_free(rig);
}

/* Domain #1 of the same function: what lies there unrequested is not taken. */
static int write_nothing(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	(void)data;
	(void)msg;
	return 0;
}

static void vectors_of_the_table_that_nobody_requested_are_not_taken(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, 64);
	struct mock_host *host = &rig->net->hosts[0];
	const struct ontb_msi_template table = { .prefix = "PCI-MSIX-",
						 .token = ONTB_BUS_PCI_MSIX,
						 .nr_indices = 4,
						 .chip = { .name = "table", .write_msg = write_nothing } };
	unsigned int virqs[4];

	(void)state;
	assert_int_equal(ontb_msi_domain_new(host->msi, 0, &table), 0);
	assert_int_equal(ontb_msi_alloc_range(host->msi, 0, 0, 4, NULL), 0);
	for (unsigned int i = 0; i < 4; i++) {
		virqs[i] = ontb_msi_virq(host->msi, 0, i);
		assert_int_equal(ontb_irq_activate(host->sys, virqs[i]), 0);
	}
	for (unsigned int i = 0; i < 64; i++) {
		struct grant_irq *irq = grant_rig_irq(rig, 0, i);

		for (unsigned int n = 0; n < 4; n++)
			assert_int_not_equal(irq->map.virq, virqs[n]);
		give(rig, 0, i, 1);
	}
	mock_run(rig->net);
	for (unsigned int i = 0; i < 64; i++) {
		fire(rig, 1, 0, i);
		assert_int_equal(rig->ends[0].irq[i].nr_handled, 1);
	}
	for (unsigned int n = 0; n < 4; n++)
		assert_false(ontb_irq_is_requested(host->sys, virqs[n]));
	grant_rig_stop(rig, 0);
	assert_int_equal(mock_vectors_used(host), 4);
	assert_int_equal(ontb_msi_domain_free(host->msi, 0), 0);
	grant_rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grant_trigger_move_revoke_free),
		cmocka_unit_test(several_hold_one_and_a_move_waits_for_the_last),
		cmocka_unit_test(a_silent_holder_keeps_the_old_message_alive),
		cmocka_unit_test(a_move_is_free_when_messages_are_fixed),
		cmocka_unit_test(offset_zero_is_an_offset),
		cmocka_unit_test(four_thousand_over_sixteen_scratchpads),
		cmocka_unit_test(a_freed_index_is_nobodys_until_the_holder_confirms),
		cmocka_unit_test(a_handler_that_stays_keeps_the_quarantine),
		cmocka_unit_test(indices_and_vectors_run_out_with_an_error),
		cmocka_unit_test(calls_say_what_is_wrong),
		cmocka_unit_test(making_them_says_what_is_wrong),
		cmocka_unit_test(trust_is_not_needed_where_the_parent_isolates),
		cmocka_unit_test(a_window_is_as_narrow_as_its_limits_allow),
		cmocka_unit_test(a_guard_lets_exactly_what_is_granted_pass),
		cmocka_unit_test(a_guard_that_refuses_is_asked_again_later_and_not_at_once),
		cmocka_unit_test(a_guard_keeps_what_becomes_old_meanwhile),
		cmocka_unit_test(deactivation_waits_for_the_holders),
		cmocka_unit_test(vectors_of_the_table_that_nobody_requested_are_not_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
