// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Waiting for an interrupt: for its owner to let go, for its threads to end, for its moves to be done.
 *
 * Nothing of dispatch takes a lock unless somebody waits here: then the owner finds IRQ_WAITERS when it lets go, clears it in
 * the same step, and wakes.
 */
#include <errno.h>

#include "base/clock.h"
#include "irq/internals.h"

void ontb_irq_wake(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);

	ontb_lock(&stripe->waits);
	(void)pthread_cond_broadcast(&stripe->idle);
	ontb_unlock(&stripe->waits);
}

/*
 * Whether an interrupt has one of some bits set, and if so IRQ_WAITERS too. The look is a read-modify-write: either it comes
 * after the owner took the interrupt, and is seen here; or before, and then the owner sees what the caller did before.
 */
static bool must_wait(struct ontb_irq_system *sys, unsigned int virq, uint64_t bits, bool has_waited)
{
	struct ontb_irq_desc *desc;
	bool wait = false;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_desc(sys, virq);
	if (desc) {
		uint64_t state = atomic_fetch_add_explicit(&desc->state, 0, memory_order_acq_rel);

		/* WAITERS is cleared only in steps after which there is no owner: so one let go since this thread set it. */
		if (has_waited && !(state & IRQ_WAITERS))
			bits &= ~IRQ_RUNNING;
		do
			wait = state & bits;
		while (wait && !atomic_compare_exchange_weak_explicit(&desc->state, &state, state | IRQ_WAITERS,
								      memory_order_acq_rel, memory_order_acquire));
	}
	ontb_rcu_read_unlock();
	return wait;
}

void ontb_irq_wait(struct ontb_irq_system *sys, unsigned int virq, uint64_t bits)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	uint64_t state = 0;
	struct ontb_irq_desc *desc;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_desc(sys, virq);
	if (desc) /* a read-modify-write for the same reason */
		state = atomic_fetch_add_explicit(&desc->state, 0, memory_order_acq_rel);
	ontb_rcu_read_unlock();
	if (!(state & bits))
		return;
	if (state & bits & IRQ_RESEND && ontb_worker_pool_is_stepped(sys->workers))
		ontb_worker_flush(sys->resender); /* nobody else will run it */
	ontb_lock(&stripe->waits);
	for (bool has_waited = false; must_wait(sys, virq, bits, has_waited); has_waited = true)
		(void)pthread_cond_wait(&stripe->idle, &stripe->waits.mutex);
	ontb_unlock(&stripe->waits);
}

int ontb_irq_wait_moved(struct ontb_irq_stripe *stripe, uint64_t deadline_ns)
{
	struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / ONTB_NS_PER_S),
		.tv_nsec = (long)(deadline_ns % ONTB_NS_PER_S),
	};

	if (deadline_ns == UINT64_MAX)
		return -pthread_cond_wait(&stripe->moved, &stripe->lock.mutex);
	return -pthread_cond_timedwait(&stripe->moved, &stripe->lock.mutex, &deadline);
}
