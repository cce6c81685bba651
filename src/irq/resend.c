// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What an interrupt missed while it was blocked is raised again by its chips if they can, else handled by a worker of the
 * system: who enables it may hold any locks of its own.
 *
 * The list is a stack of interrupt numbers, pushed to without a lock and taken as a whole. An interrupt in it has IRQ_RESEND
 * set, is in it once, and is not freed.
 */
#include "irq/internals.h"

void ontb_irq_resend_push(struct ontb_irq_desc *desc)
{
	struct ontb_irq_system *sys = sys_of(desc);
	const uint32_t virq = desc->data[0].virq;
	uint32_t head = atomic_load_explicit(&sys->resend_head, memory_order_relaxed);

	do
		desc->resend_next = head;
	while (!atomic_compare_exchange_weak_explicit(&sys->resend_head, &head, virq, memory_order_release,
						      memory_order_relaxed));
	ontb_worker_kick(sys->resender);
}

/* Take an interrupt out of the list. Return: the next one. */
static uint32_t take_out(struct ontb_irq_system *sys, uint32_t virq)
{
	struct ontb_irq_desc *desc;
	uint64_t state, next;
	uint32_t next_virq;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_desc(sys, virq);
	next_virq = desc->resend_next;
	state = desc_state(desc);
	do {
		next = state & ~IRQ_RESEND;
		if (!(next & IRQ_RUNNING)) /* an owner wakes when it lets go */
			next &= ~IRQ_WAITERS;
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, next, memory_order_acq_rel,
							memory_order_acquire));
	ontb_rcu_read_unlock();
	if (state & ~next & IRQ_WAITERS)
		ontb_irq_wake(sys, virq);
	return next_virq;
}

/*
 * Take over what an interrupt missed, so that who is disabled and enabled, or moves, before the chips have raised it again does not find
 * it a second time. An owner sees it by itself before letting go.
 *
 * Return: False if there is nothing to do.
 */
static bool claim_missed(struct ontb_irq_desc *desc)
{
	uint64_t state = desc_state(desc);

	do {
		if (!(state & IRQ_PENDING) || state & IRQ_RUNNING || state_is_blocked(state))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, state & ~IRQ_PENDING,
							memory_order_acq_rel, memory_order_acquire));
	return true;
}

/* Raise an interrupt again if it still has something to handle. */
static void resend(struct ontb_irq_system *sys, uint32_t virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_data *level;
	struct ontb_irq_desc *desc;
	bool owns = false;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_live(sys, virq);
	if (desc && claim_missed(desc)) {
		level = desc->slow & IRQ_SLOW_ACTIVE ? CHIP_FIND(&desc->data[0], retrigger) : NULL;
		if (!level || !level->chip->retrigger(level)) {
			(void)atomic_fetch_or_explicit(&desc->state, IRQ_PENDING, memory_order_acq_rel);
			owns = ontb_irq_own(desc);
		}
	}
	ontb_unlock(&stripe->lock);
	if (owns)
		ontb_irq_run_missed(desc);
}

void ontb_irq_resend_run(void *arg)
{
	struct ontb_irq_system *sys = arg;
	uint32_t virq = atomic_exchange_explicit(&sys->resend_head, 0, memory_order_acquire);

	while (virq) {
		uint32_t next = take_out(sys, virq);

		resend(sys, virq);
		virq = next;
	}
}
