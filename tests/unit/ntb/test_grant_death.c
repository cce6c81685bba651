// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Peers and links that die, at every step of the protocol, and peers that say nothing.
 *
 * The holder fires everything that it believes it holds before each step, and the root gives vectors out again as early as
 * it may. So a message that outlives its vector is seen at once: it finds none, or an interrupt that nobody granted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "grant_rig.h"

#define NR_IRQS 6U

static const unsigned int channels[] = {
	MOCK_PAGES | MOCK_DOORBELLS,
	MOCK_SPADS | MOCK_DOORBELLS,
	MOCK_MSGS,
	MOCK_PAGES | MOCK_DOORBELLS | MOCK_GUARD,
	MOCK_PAGES | MOCK_DOORBELLS | MOCK_FIXED,
};

/* Who sees the link go. */
enum death {
	BOTH_SEE_IT,
	OWNER_SEES_IT,
	HOLDER_SEES_IT,
	NOBODY_SEES_IT,
	NR_DEATHS,
};

/**
 * struct run - one run of the story
 * @rig:     Two hosts; 0 owns, 1 holds.
 * @death:   What happens.
 * @at:      At which step.
 * @nr_steps: Steps so far.
 */
struct run {
	struct grant_rig *rig;
	enum death death;
	unsigned int at;
	unsigned int nr_steps;
};

static void set_side(struct grant_rig *rig, unsigned int host, bool is_up)
{
	ontb_lock(&rig->net->lock);
	rig->net->hosts[host].sides[0].is_up = is_up;
	ontb_unlock(&rig->net->lock);
	ontb_ntb_link_event(rig->net->hosts[host].ntb, 0);
}

static void fire_all(struct grant_rig *rig)
{
	for (unsigned int i = 0; i < NR_IRQS; i++)
		(void)ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, i);
}

/* What was written while a link is down for a moment is lost. */
static void die(struct run *run)
{
	struct grant_rig *rig = run->rig;

	switch (run->death) {
	case BOTH_SEE_IT:
		mock_set_link(rig->net, 0, 1, false);
		break;
	case OWNER_SEES_IT:
		set_side(rig, 0, false);
		break;
	case HOLDER_SEES_IT:
		set_side(rig, 1, false);
		break;
	default:
		mock_set_link(rig->net, 0, 1, false);
		fire_all(rig);
		mock_set_link(rig->net, 0, 1, true);
	}
}

static bool step(struct run *run)
{
	if (run->nr_steps++ == run->at)
		die(run);
	fire_all(run->rig);
	return ontb_worker_pool_step(run->rig->net->hosts[0].pool);
}

static void steps(struct run *run, unsigned int nr)
{
	while (nr-- && step(run))
		;
}

static void move_all(struct grant_rig *rig, unsigned int cpu)
{
	struct ontb_cpumask mask = ontb_cpumask_of(cpu);

	for (unsigned int i = 0; i < NR_IRQS; i++) {
		if (rig->ends[0].irq[i].has_handler)
			assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, rig->ends[0].irq[i].map.virq,
							       &mask),
					 0);
	}
}

/* Interrupts 0..3 are granted, moved, partly revoked and freed; 4 and 5 are never granted, and come late. */
static void tell_story(struct run *run)
{
	struct ontb_ntb_irqs *owner = run->rig->ends[0].irqs;

	for (unsigned int i = 0; i < 4; i++)
		(void)ontb_ntb_irq_grant(owner, i, 0);
	steps(run, 5);
	move_all(run->rig, 1);
	steps(run, 4);
	move_all(run->rig, 2);
	steps(run, 3);
	(void)ontb_ntb_irq_revoke(owner, 0, 0);
	steps(run, 2);
	grant_rig_remove_handler(run->rig, 0, 1);
	assert_int_equal(ontb_ntb_irq_free(owner, 1), 0);
	steps(run, 3);
	move_all(run->rig, 0);
	steps(run, 40);
}

static void nothing_went_astray(struct grant_rig *rig)
{
	assert_int_equal(grant_rig_nr_stray(rig), 0);
	for (unsigned int i = 4; i < NR_IRQS; i++)
		assert_int_equal(rig->ends[0].irq[i].nr_handled, 0);
}

static void settle(struct run *run)
{
	for (unsigned int i = 0; i < 2000; i++) {
		if (!ontb_ntb_irq_settle(run->rig->ends[0].irqs, ONTB_MSI_ANY_INDEX, 0) && i > 30)
			return;
		(void)step(run);
	}
	fail_msg("nothing settles: death %d at step %u", (int)run->death, run->at);
}

static void check_after(struct run *run)
{
	struct grant_rig *rig = run->rig;
	struct grant_irq *irq;
	unsigned int before;

	settle(run);
	nothing_went_astray(rig);
	/* What was freed can be used again, and nobody stores to it. */
	(void)grant_rig_irq(rig, 0, 4);
	(void)grant_rig_irq(rig, 0, 5);
	steps(run, 20);
	nothing_went_astray(rig);
	set_side(rig, 0, true);
	set_side(rig, 1, true);
	steps(run, 200);
	nothing_went_astray(rig);
	for (unsigned int i = 2; i < 4; i++) {
		int ret = ontb_ntb_irq_grant(rig->ends[0].irqs, i, 0);

		assert_true(!ret || ret == -EALREADY);
	}
	mock_run(rig->net);
	irq = &rig->ends[0].irq[3];
	before = irq->nr_handled;
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 3), 0);
	assert_int_equal(irq->nr_handled, before + 1);
	nothing_went_astray(rig);
}

/* Return: Steps that the story took. */
static unsigned int run_story(struct grant_rig *rig, enum death death, unsigned int at)
{
	struct run run = { .rig = rig, .death = death, .at = at };
	struct ontb_ntb_irqs_status status;
	unsigned int nr_steps;

	grant_rig_again(rig);
	for (unsigned int i = 0; i < 4; i++)
		(void)grant_rig_irq(rig, 0, i);
	tell_story(&run);
	nr_steps = run.nr_steps;
	check_after(&run);
	/* Only a link that the owner believes to be up makes a peer look silent. */
	ontb_ntb_irqs_status(run.rig->ends[0].irqs, &status);
	if (death != HOLDER_SEES_IT)
		assert_int_equal(status.cut_off, 0);
	ontb_ntb_irqs_status(run.rig->ends[1].irqs, &status);
	assert_int_equal(status.cut_off, 0);
	return nr_steps;
}

static void a_link_may_die_at_every_step(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < ONTB_ARRAY_SIZE(channels); c++) {
		struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | channels[c], NR_IRQS);
		unsigned int nr = run_story(rig, NOBODY_SEES_IT, UINT32_MAX);

		assert_true(nr > 10);
		for (unsigned int death = 0; death < NR_DEATHS; death++) {
			for (unsigned int at = 0; at < nr; at++)
				(void)run_story(rig, (enum death)death, at);
		}
		grant_rig_free(rig);
	}
}

/* The holder's software stops and starts again, at every step; the link goes with it and comes back. */
static void a_holder_may_restart_at_every_step(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < ONTB_ARRAY_SIZE(channels); c++) {
		struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | channels[c], NR_IRQS);

		for (unsigned int at = 0; at < 24; at++) {
			struct run run = { .rig = rig, .death = NOBODY_SEES_IT, .at = UINT32_MAX };
			struct ontb_ntb_irqs *owner;

			grant_rig_again(rig);
			owner = run.rig->ends[0].irqs;
			for (unsigned int i = 0; i < 4; i++) {
				(void)grant_rig_irq(run.rig, 0, i);
				assert_int_equal(ontb_ntb_irq_grant(owner, i, 0), 0);
			}
			steps(&run, at / 2);
			move_all(run.rig, 1);
			steps(&run, at - at / 2);
			/* Nobody confirms any more from here on, and then there is a new one. */
			run.rig->net->hosts[1].is_deaf = true;
			grant_rig_stop(run.rig, 1);
			run.rig->net->hosts[1].is_deaf = false;
			assert_int_equal(grant_rig_start(run.rig, 1), 0);
			steps(&run, 1000);
			assert_int_equal(ontb_ntb_irq_settle(owner, ONTB_MSI_ANY_INDEX, 0), 0);
			assert_int_equal(grant_rig_nr_stray(run.rig), 0);
			assert_int_equal(ontb_ntb_irq_trigger(run.rig->ends[1].irqs, 0, 0), -ENOENT);
			assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
			mock_run(run.rig->net);
			assert_int_equal(ontb_ntb_irq_trigger(run.rig->ends[1].irqs, 0, 0), 0);
		}
		grant_rig_free(rig);
	}
}

static void a_silent_peer_is_cut_off(void **state)
{
	struct grant_rig *rig = grant_rig_new(3, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;
	struct grant_irq *irq = grant_rig_irq(rig, 0, 0);
	struct ontb_cpumask cpu1 = ontb_cpumask_of(1);
	struct ontb_ntb_irqs_status status;

	(void)state;
	for (unsigned int peer = 0; peer < 2; peer++)
		assert_int_equal(ontb_ntb_irq_grant(owner, 0, peer), 0);
	mock_run(rig->net);
	rig->net->hosts[1].is_deaf = true;
	assert_int_equal(ontb_irq_set_affinity(rig->net->hosts[0].sys, irq->map.virq, &cpu1), 0);
	/* Before the time-out the old message works; after it nothing of that peer arrives, and the move is done. */
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, ONTB_NS_PER_S), -ETIMEDOUT);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	assert_int_equal(irq->nr_handled, 1);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 5 * ONTB_NS_PER_S), 0);
	ontb_ntb_irqs_status(owner, &status);
	assert_int_equal(status.cut_off, 1);
	assert_int_equal(status.nr_granted, 1);
	assert_int_equal(rig->ends[0].nr_down, 1);
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 1);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	assert_int_equal(rig->net->hosts[0].nr_closed, 1);
	assert_int_equal(irq->nr_handled, 1);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), -ENOLINK);
	/* The other one is none the worse. */
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[2].irqs, 0, 0), 0);
	assert_int_equal(irq->nr_handled, 2);
	/* Speaking again does not help; the link does. */
	rig->net->hosts[1].is_deaf = false;
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), -ENOLINK);
	mock_set_link(rig->net, 0, 1, false);
	mock_set_link(rig->net, 0, 1, true);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	assert_int_equal(irq->nr_handled, 3);
	grant_rig_free(rig);
}

static void without_a_timeout_nobody_is_cut_off(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	struct grant_irq *irq;

	(void)state;
	rig->ends[0].config.ack_timeout_ns = 0;
	assert_int_equal(grant_rig_start(rig, 0), 0);
	assert_int_equal(grant_rig_start(rig, 1), 0);
	mock_run(rig->net);
	irq = grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	rig->net->hosts[1].is_deaf = true;
	assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 0), -ETIMEDOUT);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	assert_int_equal(irq->nr_handled, 1);
	rig->net->hosts[1].is_deaf = false;
	mock_set_link(rig->net, 0, 1, true);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_settle(rig->ends[0].irqs, 0, 0), 0);
	grant_rig_free(rig);
}

/**
 * struct nuisance - somebody in the same pool who tries something again for ever
 * @worker: Its worker.
 * @now_ns: When it is to run next.
 */
struct nuisance {
	struct ontb_worker *worker;
	uint64_t now_ns;
};

static void try_again(void *arg)
{
	struct nuisance *nuisance = arg;

	nuisance->now_ns += 10 * ONTB_NS_PER_MS;
	ontb_worker_kick_at(nuisance->worker, nuisance->now_ns);
}

/* A peer that never answers, no time-out, and somebody else for whom time passes: waiting ends all the same. */
static void waiting_ends_while_others_try_again(void **state)
{
	struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	struct nuisance nuisance = { 0 };
	struct ontb_ntb_irqs *owner;

	(void)state;
	rig->ends[0].config.ack_timeout_ns = 0;
	assert_int_equal(grant_rig_start(rig, 0), 0);
	assert_int_equal(grant_rig_start(rig, 1), 0);
	mock_run(rig->net);
	owner = rig->ends[0].irqs;
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	mock_run(rig->net);
	rig->net->hosts[1].is_deaf = true;
	assert_int_equal(ontb_ntb_irq_revoke(owner, 0, 0), 0);
	assert_int_equal(ontb_worker_new(rig->net->hosts[0].pool, "nuisance", try_again, &nuisance, &nuisance.worker),
			 0);
	ontb_worker_kick(nuisance.worker);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 100 * ONTB_NS_PER_S), -ETIMEDOUT);
	assert_true(nuisance.now_ns > 100 * ONTB_NS_PER_S);
	ontb_worker_free(nuisance.worker);
	rig->net->hosts[1].is_deaf = false;
	mock_set_link(rig->net, 0, 1, true);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), 0);
	grant_rig_free(rig);
}

/* A window that cannot be closed: what the peer holds is not used again before it can. */
static void a_window_that_stays_open_keeps_the_quarantine(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	struct ontb_ntb_irqs *owner = rig->ends[0].irqs;

	(void)state;
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(owner, 0, 0), 0);
	mock_run(rig->net);
	grant_rig_remove_handler(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_free(owner, 0), 0);
	atomic_store(&rig->net->hosts[0].fail_close, 4);
	set_side(rig, 0, false);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(ontb_ntb_irq_settle(owner, 0, 0), -ETIMEDOUT);
		assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 1);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
		while (atomic_load(&rig->net->hosts[0].fail_close) == 4 - i)
			assert_true(ontb_worker_pool_step(rig->net->hosts[0].pool));
	}
	assert_int_equal(rig->ends[0].nr_freed, 0);
	mock_run(rig->net);
	assert_int_equal(rig->ends[0].nr_freed, 1);
	assert_int_equal(mock_vectors_used(&rig->net->hosts[0]), 0);
	(void)ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0);
	set_side(rig, 0, true);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOENT);
	/* At the end too it is tried more than once. */
	atomic_store(&rig->net->hosts[0].fail_close, 3);
	grant_rig_free(rig);
}

/* The link is up again before the worker looks, but the event has seen it down: whoever is there now knows nothing. */
static void a_link_that_was_seen_down_was_down(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	unsigned int nr_opens;

	(void)state;
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	nr_opens = rig->net->hosts[0].sides[0].nr_opens;
	for (unsigned int host = 0; host < 2; host++) {
		set_side(rig, host, false);
		ontb_ntb_flush_events(rig->net->hosts[host].ntb);
		set_side(rig, host, true);
	}
	mock_run(rig->net);
	for (unsigned int host = 0; host < 2; host++) {
		assert_int_equal(rig->ends[host].nr_down, 1);
		assert_int_equal(rig->ends[host].nr_up, 2);
	}
	assert_int_equal(rig->net->hosts[0].sides[0].nr_opens, nr_opens + 1);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOENT);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	grant_rig_free(rig);
}

static void an_owner_that_dies_takes_its_interrupts_along(void **state)
{
	struct grant_rig *rig = grant_rig_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS, NR_IRQS);
	struct ontb_ntb_irqs_status status;

	(void)state;
	(void)grant_rig_irq(rig, 0, 0);
	assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
	mock_run(rig->net);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
	mock_set_link(rig->net, 0, 1, false);
	mock_run(rig->net);
	assert_int_equal(rig->ends[1].nr_down, 1);
	assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), -ENOLINK);
	assert_false(ontb_ntb_irq_is_granted(rig->ends[1].irqs, 0, 0));
	ontb_ntb_irqs_status(rig->ends[1].irqs, &status);
	assert_int_equal(status.nr_held, 0);
	assert_int_equal(status.triggers, 1);
	grant_rig_free(rig);
}

static void lost_doorbells_cost_only_time(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 3; c++) {
		struct grant_rig *rig = grant_rig_new_bare(2, MOCK_STEPPED | channels[c], NR_IRQS);

		/* From the first handshake on: each side loses half a dozen in a row. */
		for (unsigned int host = 0; host < 2; host++) {
			atomic_store(&rig->net->hosts[host].drop_doorbells, 6);
			assert_int_equal(grant_rig_start(rig, host), 0);
		}
		mock_run(rig->net);
		(void)grant_rig_irq(rig, 0, 0);
		assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, 0, 0), 0);
		for (unsigned int host = 0; host < 2; host++)
			atomic_store(&rig->net->hosts[host].drop_doorbells, 5);
		mock_run(rig->net);
		assert_int_equal(ontb_ntb_irq_trigger(rig->ends[1].irqs, 0, 0), 0);
		assert_int_equal(rig->ends[0].irq[0].nr_handled, 1);
		grant_rig_free(rig);
	}
}

/* Its worker must be there until nothing can end the drain any more: the sanitizers watch. */
static void freeing_does_not_wait_for_a_busy_cpu(void **state)
{
	static const unsigned int kinds[] = { MOCK_STEPPED, 0 };

	(void)state;
	for (unsigned int k = 0; k < ONTB_ARRAY_SIZE(kinds); k++) {
		unsigned int flags = kinds[k] | MOCK_PAGES | MOCK_DOORBELLS | MOCK_BUSY;
		struct grant_rig *rig = grant_rig_new_bare(2, flags, NR_IRQS);
		struct mock_host *owner = &rig->net->hosts[0];

		rig->ends[0].config.ack_timeout_ns = 100 * ONTB_NS_PER_MS;
		for (unsigned int host = 0; host < 2; host++)
			assert_int_equal(grant_rig_start(rig, host), 0);
		grant_rig_wait(rig, &rig->ends[0].nr_up, 1);
		for (unsigned int i = 0; i < NR_IRQS; i++) {
			(void)grant_rig_irq(rig, 0, i);
			assert_int_equal(ontb_ntb_irq_grant(rig->ends[0].irqs, i, 0), 0);
		}
		grant_rig_wait(rig, &rig->ends[1].nr_granted, NR_IRQS);
		assert_int_equal(ontb_ntb_irq_revoke(rig->ends[0].irqs, 0, 0), 0);
		grant_rig_wait(rig, &owner->nr_drains, 1);
		/* The rest is returned while the drain is under way, and would want another one. */
		grant_rig_stop(rig, 0);
		assert_int_equal(owner->nr_drains, 1);
		assert_int_equal(owner->nr_ended, 1);
		assert_int_equal(mock_vectors_used(owner), 0);
		grant_rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_may_die_at_every_step),
		cmocka_unit_test(a_holder_may_restart_at_every_step),
		cmocka_unit_test(a_silent_peer_is_cut_off),
		cmocka_unit_test(without_a_timeout_nobody_is_cut_off),
		cmocka_unit_test(waiting_ends_while_others_try_again),
		cmocka_unit_test(a_window_that_stays_open_keeps_the_quarantine),
		cmocka_unit_test(a_link_that_was_seen_down_was_down),
		cmocka_unit_test(an_owner_that_dies_takes_its_interrupts_along),
		cmocka_unit_test(lost_doorbells_cost_only_time),
		cmocka_unit_test(freeing_does_not_wait_for_a_busy_cpu),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
