// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Handlers: installing and removing them, and their threads.
 *
 * A handler is removed in three steps: it is taken off the list; then an owner that may still read it is waited for; then its
 * thread is stopped. The lock is dropped for the last two, so IRQ_SLOW_BUSY keeps others from the interrupt meanwhile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irq/internals.h"

/* Not in struct ontb_irq_request: the action is a cascade's. */
#define FLAG_CHAINED (1U << 31)

static enum ontb_irq_return wake_only(unsigned int virq, void *dev)
{
	(void)virq;
	(void)dev;
	return ONTB_IRQ_WAKE;
}

void ontb_irq_thread_done(struct ontb_irq_desc *desc, bool is_wanted)
{
	struct ontb_irq_system *sys = sys_of(desc);
	const unsigned int virq = desc->data[0].virq;
	uint64_t state = desc_state(desc), next;
	bool owns;

	/* The last one of a oneshot interrupt lets it go on: it becomes the owner in the same step, so @desc stays. */
	do {
		next = (state - IRQ_THREAD_ONE) | (is_wanted ? IRQ_WANTED : 0);
		owns = !(state & IRQ_RUNNING) && !state_is_blocked(next) && next & (IRQ_MASKED | IRQ_PENDING);
		if (owns)
			next |= IRQ_RUNNING;
		else if (!(next & (IRQ_RUNNING | IRQ_THREADS_MASK)))
			next &= ~IRQ_WAITERS;
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, next, memory_order_acq_rel,
							memory_order_acquire));
	if (owns)
		ontb_irq_serve_settled(desc);
	else if (state & ~next & IRQ_WAITERS)
		ontb_irq_wake(sys, virq);
}

/* Runs in the worker of an action. */
static void run_thread(void *arg)
{
	struct ontb_irq_action *action = arg;
	struct ontb_irq_desc *desc = action->desc;
	bool is_wanted;

	if (!atomic_exchange_explicit(&action->is_woken, false, memory_order_acq_rel))
		return;
	is_wanted = action->thread(desc->data[0].virq, action->dev) != ONTB_IRQ_NONE;
	if (!is_wanted)
		(void)atomic_fetch_add_explicit(&desc->nr_unhandled, 1, memory_order_relaxed);
	ontb_irq_thread_done(desc, is_wanted);
}

static int new_action(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_irq_request *request,
		      unsigned int flags, bool has_worker, struct ontb_irq_action **out)
{
	const size_t len = strnlen(request->name, ONTB_IRQ_NAME - 1);
	struct ontb_irq_action *action = calloc(1, sizeof(*action) + len + 1);
	char name[ONTB_IRQ_NAME + 16];
	int ret;

	if (!action)
		return -ENOMEM;
	action->handler = request->handler ? request->handler : wake_only;
	action->thread = request->thread;
	action->dev = request->dev;
	action->flags = flags;
	memcpy(action->name, request->name, len);
	if (has_worker) {
		(void)snprintf(name, sizeof(name), "irq/%u-%s", virq, action->name);
		ret = ontb_worker_new(sys->workers, name, run_thread, action, &action->worker);
		if (ret) {
			free(action);
			return ret;
		}
	}
	*out = action;
	return 0;
}

static void free_action(struct ontb_irq_action *action)
{
	ontb_worker_free(action->worker);
	free(action);
}

static enum ontb_irq_trigger trigger_of(const struct ontb_irq_desc *desc)
{
	return (enum ontb_irq_trigger)((desc->config & IRQ_CONFIG_TRIGGER) >> IRQ_TRIGGER_SHIFT);
}

/* Tell the first chip that can choose, and remember. Stripe held. */
static int set_trigger(struct ontb_irq_desc *desc, enum ontb_irq_trigger trigger)
{
	struct ontb_irq_data *level = CHIP_FIND(&desc->data[0], set_type);
	int ret = 0;

	if (trigger == ONTB_IRQ_TRIGGER_NONE || trigger == trigger_of(desc))
		return 0;
	if (level)
		ret = level->chip->set_type(level, trigger);
	if (!ret)
		desc->config =
			(uint8_t)((desc->config & ~IRQ_CONFIG_TRIGGER) | ((unsigned int)trigger << IRQ_TRIGGER_SHIFT));
	return ret;
}

/* Where in the list a handler goes. Return: 0, or why it may not be there. Stripe held. */
static int find_place(struct ontb_irq_desc *desc, const struct ontb_irq_action *new, enum ontb_irq_trigger trigger,
		      struct ontb_irq_action ***place)
{
	const unsigned int same = ONTB_IRQ_SHARED | ONTB_IRQ_ONESHOT;
	struct ontb_irq_action **link = &desc->actions;
	unsigned int nr = 0;

	for (; *link; link = &(*link)->next, nr++) {
		const struct ontb_irq_action *old = *link;

		if (!(new->flags &ONTB_IRQ_SHARED) || (old->flags | new->flags) & FLAG_CHAINED ||
		    (old->flags ^ new->flags) & same || old->dev == new->dev ||
		    (trigger != ONTB_IRQ_TRIGGER_NONE && trigger != trigger_of(desc)))
			return -EBUSY;
	}
	if (nr >= IRQ_MAX_HANDLERS)
		return -ENOSPC;
	*place = link;
	return 0;
}

/* The first handler: prepare the hardware. Stripe held. */
static int start_up(struct ontb_irq_desc *desc, enum ontb_irq_trigger trigger)
{
	const enum ontb_irq_trigger old_trigger = trigger_of(desc);
	int ret;

	ret = set_trigger(desc, trigger);
	if (ret)
		return ret;
	if (desc->data[0].domain->flags & ONTB_IRQ_DOMAIN_STAY_ACTIVE)
		return 0;
	ret = ontb_irq_activate_locked(desc);
	if (ret) {
		(void)set_trigger(desc, old_trigger);
		if (old_trigger == ONTB_IRQ_TRIGGER_NONE)
			desc->config &= IRQ_CONFIG_LEVELS;
	}
	return ret;
}

/* The first handler is in the list: let events through. */
static void let_run(struct ontb_irq_desc *desc, unsigned int flags)
{
	uint64_t state = desc_state(desc), next;

	do {
		next = state & ~(IRQ_STOPPED | IRQ_ONESHOT | IRQ_CHAINED | IRQ_DEPTH_MASK);
		if (flags & ONTB_IRQ_NO_ENABLE)
			next |= IRQ_DEPTH_ONE;
		if (flags & ONTB_IRQ_ONESHOT)
			next |= IRQ_ONESHOT;
		if (flags & FLAG_CHAINED)
			next |= IRQ_CHAINED;
	} while (!atomic_compare_exchange_weak(&desc->state, &state, next));
}

/* Put a handler in. On an error it is still the caller's. */
static int install(struct ontb_irq_system *sys, unsigned int virq, struct ontb_irq_action *action,
		   enum ontb_irq_trigger trigger)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_action **place;
	struct ontb_irq_desc *desc;
	bool is_first, owns = false;
	int ret;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_idle(sys, stripe, virq);
	ret = desc ? 0 : -ENOENT;
	if (!ret && desc->flow == ONTB_IRQ_NESTED && !action->thread)
		ret = -EINVAL;
	if (!ret)
		ret = find_place(desc, action, trigger, &place);
	if (ret)
		goto unlock;
	is_first = !desc->actions;
	if (is_first)
		ret = start_up(desc, trigger);
	if (ret)
		goto unlock;
	action->desc = desc;
	ontb_rcu_publish(*place, action);
	if (is_first) {
		let_run(desc, action->flags);
		owns = ontb_irq_settle(desc); /* if so, it cannot go away either */
	}
unlock:
	ontb_unlock(&stripe->lock);
	if (owns)
		ontb_irq_serve_settled(desc);
	return ret;
}

/* Whether the functions of an interrupt run in the thread that dispatches it. */
static bool is_nested(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_desc *desc;
	bool nested;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_live(sys, virq);
	nested = desc && desc->flow == ONTB_IRQ_NESTED;
	ontb_rcu_read_unlock();
	return nested;
}

int ontb_irq_request(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_irq_request *request)
{
	const bool has_worker = request->thread && !is_nested(sys, virq);
	struct ontb_irq_action *action;
	int ret;

	if ((!request->handler && !request->thread) || !request->name || (has_worker && !sys->workers) ||
	    (request->flags & ONTB_IRQ_SHARED && !request->dev) ||
	    (request->flags & ONTB_IRQ_ONESHOT && !request->thread))
		return -EINVAL;
	ret = new_action(sys, virq, request, request->flags & ~FLAG_CHAINED, has_worker, &action);
	if (ret)
		return ret;
	ret = install(sys, virq, action, request->trigger);
	if (ret)
		free_action(action);
	return ret;
}

/* No handler is left: nothing may run, and nothing that came is kept for the next one. */
static void stop(struct ontb_irq_desc *desc)
{
	uint64_t state = desc_state(desc);

	while (!atomic_compare_exchange_weak(&desc->state, &state, (state | IRQ_STOPPED) & ~IRQ_PENDING))
		;
}

/* Take the handler of @dev off the list; others are kept from the interrupt until end_remove(). */
static struct ontb_irq_action *begin_remove(struct ontb_irq_system *sys, unsigned int virq, const void *dev,
					    unsigned int chained)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_action **link, *action = NULL;
	struct ontb_irq_desc *desc;
	bool owns = false;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_idle(sys, stripe, virq);
	if (desc) {
		for (link = &desc->actions; *link; link = &(*link)->next)
			if ((*link)->flags & FLAG_CHAINED ? chained : !chained && (*link)->dev == dev)
				break;
		action = *link;
	}
	if (action) {
		ontb_rcu_publish(*link, action->next);
		desc->slow |= IRQ_SLOW_BUSY;
		if (!desc->actions) {
			stop(desc);
			owns = ontb_irq_settle(desc); /* to mask the chip */
		}
	}
	ontb_unlock(&stripe->lock);
	if (owns)
		ontb_irq_serve_settled(desc);
	return action;
}

/* The handler is gone: deactivate if it was the last one, and let others at the interrupt again. */
static void end_remove(struct ontb_irq_desc *desc)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys_of(desc), desc->data[0].virq);

	ontb_lock(&stripe->lock);
	if (!desc->actions) {
		(void)atomic_fetch_and(&desc->state, ~(IRQ_ONESHOT | IRQ_CHAINED));
		if (!(desc->data[0].domain->flags & ONTB_IRQ_DOMAIN_STAY_ACTIVE))
			ontb_irq_deactivate_locked(desc);
	}
	desc->slow &= (uint8_t)~IRQ_SLOW_BUSY;
	(void)pthread_cond_broadcast(&stripe->moved);
	ontb_unlock(&stripe->lock);
}

static int remove_action(struct ontb_irq_system *sys, unsigned int virq, const void *dev, unsigned int chained)
{
	struct ontb_irq_action *action = begin_remove(sys, virq, dev, chained);
	struct ontb_irq_desc *desc;

	if (!action)
		return -ENOENT;
	desc = action->desc;
	ontb_irq_wait(sys, virq, IRQ_RUNNING);
	ontb_worker_free(action->worker);
	if (atomic_exchange(&action->is_woken, false)) /* its thread was to run and never will */
		ontb_irq_thread_done(desc, false);
	free(action);
	end_remove(desc);
	return 0;
}

int ontb_irq_free(struct ontb_irq_system *sys, unsigned int virq, void *dev)
{
	return remove_action(sys, virq, dev, 0);
}

int ontb_irq_set_chained(struct ontb_irq_system *sys, unsigned int virq, ontb_irq_handler *handler, void *dev)
{
	const struct ontb_irq_request request = { .handler = handler, .dev = dev, .name = "(cascade)" };
	struct ontb_irq_action *action;
	int ret;

	if (!handler)
		return remove_action(sys, virq, NULL, FLAG_CHAINED);
	ret = new_action(sys, virq, &request, FLAG_CHAINED, false, &action);
	if (ret)
		return ret;
	ret = is_nested(sys, virq) ? -EINVAL : install(sys, virq, action, ONTB_IRQ_TRIGGER_NONE);
	if (ret)
		free_action(action);
	return ret;
}
