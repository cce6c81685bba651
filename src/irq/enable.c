// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Disabling, enabling, and waiting for handlers.
 *
 * How often an interrupt is disabled is a number in its state word, so a handler may disable and enable without a lock. The
 * chip is masked when something comes meanwhile, not before.
 */
#include <errno.h>

#include "irq/internals.h"

int ontb_irq_disable_nosync(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_desc *desc;
	uint64_t state;
	int ret = 0;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_live(sys, virq);
	if (!desc) {
		ret = -ENOENT;
		goto unlock;
	}
	state = desc_state(desc);
	do {
		if ((state & IRQ_DEPTH_MASK) == IRQ_DEPTH_MASK) {
			ret = -EOVERFLOW;
			goto unlock;
		}
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, state + IRQ_DEPTH_ONE,
							memory_order_acq_rel, memory_order_acquire));
unlock:
	ontb_rcu_read_unlock();
	return ret;
}

int ontb_irq_enable(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_desc *desc;
	uint64_t state;
	bool owns = false;
	int ret = 0;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_live(sys, virq);
	if (!desc) {
		ret = -ENOENT;
		goto unlock;
	}
	state = desc_state(desc);
	do {
		if (!(state & IRQ_DEPTH_MASK)) {
			ret = -EINVAL;
			goto unlock;
		}
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, state - IRQ_DEPTH_ONE,
							memory_order_acq_rel, memory_order_acquire));
	owns = ontb_irq_settle(desc);
unlock:
	ontb_rcu_read_unlock();
	if (owns)
		ontb_irq_serve_settled(desc);
	return ret;
}

/* In a stepped pool nobody else runs what was kicked: do it here. */
static void step_threads(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_worker *worker;

	do {
		struct ontb_irq_action *action = NULL;
		struct ontb_irq_desc *desc;

		ontb_lock(&stripe->lock);
		desc = ontb_irq_find_live(sys, virq);
		if (desc)
			for (action = desc->actions; action && !atomic_load(&action->is_woken); action = action->next)
				;
		worker = action ? action->worker : NULL;
		ontb_unlock(&stripe->lock);
		if (worker)
			ontb_worker_flush(worker);
	} while (worker);
}

int ontb_irq_synchronize(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_desc *desc;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_live(sys, virq);
	ontb_rcu_read_unlock();
	if (!desc)
		return -ENOENT;
	if (sys->workers && ontb_worker_pool_is_stepped(sys->workers))
		step_threads(sys, virq);
	ontb_irq_wait(sys, virq, IRQ_RUNNING | IRQ_THREADS_MASK);
	return 0;
}

int ontb_irq_disable(struct ontb_irq_system *sys, unsigned int virq)
{
	int ret = ontb_irq_disable_nosync(sys, virq);

	return ret ? ret : ontb_irq_synchronize(sys, virq);
}
