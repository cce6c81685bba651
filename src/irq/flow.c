// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Flow handlers: what happens when an interrupt is raised. No lock is taken.
 *
 * An event first tries to take the interrupt (IRQ_RUNNING). Who gets it runs the handlers; who does not leaves IRQ_PENDING
 * behind and goes. Nothing is lost, because
 *
 *  - the owner lets go with one compare and exchange of the whole word, which fails if IRQ_PENDING or anything else came in,
 *    and looks again then;
 *  - an edge is acknowledged before it is taken or left behind, so a later one is a new event, on whatever CPU it comes;
 *  - a handler that starts after IRQ_PENDING was taken away by a read-modify-write sees what the device did before the event.
 *
 * Events while the interrupt is blocked (disabled, without handlers, oneshot threads) stay in IRQ_PENDING and let the chip
 * be masked: only then, because most disabled times see no event. Who unblocks finds either an owner, who will see it, or
 * none, and becomes the owner.
 */
#include <stdlib.h>

#include "base/log.h"
#include "irq/internals.h"

/* What serve() may do besides masking and unmasking. */
#define SERVE_HANDLERS 0x1U /* run handlers for what is pending; without it that is left to the resend worker */
#define SERVE_EOI      0x2U /* end the interrupt at the chip before letting go */

enum taken {
	TAKEN_NOT,     /* somebody else owns it and will run the handlers again */
	TAKEN_BLOCKED, /* owned, but handlers may not run now, or the chip has to be unmasked first */
	TAKEN_RUN,     /* owned, and the event is the caller's to handle */
};

/* An event has come. */
static enum taken take(struct ontb_irq_desc *desc)
{
	uint64_t state = atomic_load_explicit(&desc->state, memory_order_relaxed);
	enum taken taken;
	uint64_t next;

	do {
		if (ontb_unlikely(state & IRQ_RUNNING)) {
			taken = TAKEN_NOT;
			next = state | IRQ_PENDING;
		} else if (ontb_unlikely(state & IRQ_MASKED || state_is_blocked(state))) {
			taken = TAKEN_BLOCKED;
			next = state | IRQ_RUNNING | IRQ_PENDING;
		} else {
			taken = TAKEN_RUN;
			next = (state | IRQ_RUNNING) & ~IRQ_PENDING;
		}
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, next, memory_order_acq_rel,
							memory_order_relaxed));
	return taken;
}

bool ontb_irq_own(struct ontb_irq_desc *desc)
{
	return !(atomic_fetch_or_explicit(&desc->state, IRQ_RUNNING, memory_order_acq_rel) & IRQ_RUNNING);
}

/* A run on another CPU than the first one. The table is made once in the life of an interrupt. */
static void count_elsewhere(struct ontb_irq_desc *desc, unsigned int cpu)
{
	const unsigned int nr_cpus = sys_of(desc)->nr_cpus;
	_Atomic uint64_t *counts = ontb_rcu_read(desc->counts);

	if (!counts) {
		counts = calloc(nr_cpus, sizeof(*counts));
		if (counts)
			ontb_rcu_publish(desc->counts, counts);
	}
	if (!counts || cpu >= nr_cpus) /* better with the first CPU than nowhere */
		(void)atomic_fetch_add_explicit(&desc->count, 1, memory_order_relaxed);
	else
		(void)atomic_fetch_add_explicit(&counts[cpu], 1, memory_order_relaxed);
}

/* Only the owner writes, so loads and stores will do. */
static inline void count_run(struct ontb_irq_desc *desc)
{
	const uint64_t count = atomic_load_explicit(&desc->count, memory_order_relaxed);
	const unsigned int cpu = ontb_irq_this_cpu();

	if (ontb_unlikely(!count))
		atomic_store_explicit(&desc->count_cpu, (uint8_t)cpu, memory_order_relaxed);
	else if (ontb_unlikely(atomic_load_explicit(&desc->count_cpu, memory_order_relaxed) != cpu)) {
		count_elsewhere(desc, cpu);
		return;
	}
	atomic_store_explicit(&desc->count, count + 1, memory_order_relaxed);
}

/* Stop an interrupt that nobody wants: it would keep its CPU busy for ever. Owner. */
static void stop_unwanted(struct ontb_irq_desc *desc, unsigned int nr_wanted)
{
	const struct ontb_irq_action *action = ontb_rcu_read(desc->actions);

	(void)atomic_fetch_or_explicit(&desc->state, IRQ_STOPPED, memory_order_acq_rel);
	ontb_log(ONTB_LOG_ERROR,
		 "%s: interrupt %u of %s: stopped until its handlers are freed and requested again: "
		 "of its last %u only %u were wanted by handler %s%s",
		 sys_of(desc)->name, desc->data[0].virq, desc->data[0].domain->name, IRQ_CHECK_WINDOW, nr_wanted,
		 action ? action->name : "(none)", action && action->next ? " or another one" : "");
}

/* A run is over: count whether somebody wanted it, and look now and then. Owner. */
static inline void count_wanted(struct ontb_irq_desc *desc, bool is_wanted)
{
	uint32_t window = desc->window;

	if (is_wanted && window < IRQ_MIN_WANTED * IRQ_WINDOW_ONE_WANTED)
		window += IRQ_WINDOW_ONE_WANTED;
	window--;
	if (ontb_unlikely(!(window & IRQ_WINDOW_LEFT))) {
		if (window < IRQ_MIN_WANTED * IRQ_WINDOW_ONE_WANTED)
			stop_unwanted(desc, window / IRQ_WINDOW_ONE_WANTED);
		window = IRQ_CHECK_WINDOW;
	}
	desc->window = window;
}

/* Lines about handlers that wake what is not there. */
static struct ontb_ratelimit no_thread;

/* A handler asks for its thread. Return: whether that was busy, so what it finds cannot be told apart. Owner. */
static bool wake_thread(struct ontb_irq_action *action)
{
	struct ontb_irq_desc *desc = action->desc;
	bool is_busy;

	if (!action->worker) {
		ontb_log_limited(&no_thread, ONTB_LOG_WARNING,
				 "%s: interrupt %u: handler %s wakes a thread that it has not", sys_of(desc)->name,
				 desc->data[0].virq, action->name);
		return true;
	}
	/* Counted before the thread can see it, because it counts down. */
	is_busy = atomic_fetch_add_explicit(&desc->state, IRQ_THREAD_ONE, memory_order_acq_rel) & IRQ_THREADS_MASK;
	if (atomic_exchange_explicit(&action->is_woken, true, memory_order_acq_rel))
		(void)atomic_fetch_sub_explicit(&desc->state, IRQ_THREAD_ONE, memory_order_acq_rel);
	ontb_worker_kick(action->worker);
	return is_busy;
}

/* Whether a thread has found work since this was asked last. Owner. */
static bool thread_wanted(struct ontb_irq_desc *desc)
{
	return desc_state(desc) & IRQ_WANTED &&
	       atomic_fetch_and_explicit(&desc->state, ~IRQ_WANTED, memory_order_acq_rel) & IRQ_WANTED;
}

/* Run the handlers once. Owner. */
static void run_handlers(struct ontb_irq_desc *desc)
{
	const bool is_nested = desc->flow == ONTB_IRQ_NESTED;
	const unsigned int virq = desc->data[0].virq;
	bool is_handled = false, is_woken = false;

	count_run(desc);
	for (struct ontb_irq_action *action = ontb_rcu_read(desc->actions); action;
	     action = ontb_rcu_read(action->next)) {
		enum ontb_irq_return ret = (is_nested ? action->thread : action->handler)(virq, action->dev);

		if (ontb_unlikely(ret == ONTB_IRQ_WAKE) && !is_nested) {
			is_woken = true;
			is_handled |= wake_thread(action);
		} else {
			is_handled |= ret != ONTB_IRQ_NONE;
		}
	}
	if (ontb_unlikely(!is_handled && !is_woken))
		(void)atomic_fetch_add_explicit(&desc->nr_unhandled, 1, memory_order_relaxed);
	count_wanted(desc, is_handled || thread_wanted(desc));
}

/* Whether the chip has to be masked now: something came that may not be handled, or nothing is to come at all. */
static bool has_to_mask(uint64_t state)
{
	return !(state & IRQ_MASKED) && state_is_blocked(state) &&
	       (state & (IRQ_PENDING | IRQ_STOPPED) || (state & IRQ_ONESHOT && state & IRQ_THREADS_MASK));
}

static void mask_chip(struct ontb_irq_desc *desc)
{
	CHIP_CALL(&desc->data[0], mask);
	(void)atomic_fetch_or_explicit(&desc->state, IRQ_MASKED, memory_order_acq_rel);
}

static void unmask_chip(struct ontb_irq_desc *desc)
{
	/* Ours until we let go, so what comes at once finds an owner and is left to it. */
	(void)atomic_fetch_and_explicit(&desc->state, ~IRQ_MASKED, memory_order_acq_rel);
	CHIP_CALL(&desc->data[0], unmask);
}

/* One thing that is to be done in a state. Return: false if there is nothing. Owner. */
static bool serve_one(struct ontb_irq_desc *desc, uint64_t state, unsigned int flags)
{
	const bool is_level = desc->flow == ONTB_IRQ_LEVEL;

	if (has_to_mask(state)) {
		mask_chip(desc);
		return true;
	}
	if (state_is_blocked(state))
		return false;
	/* A chip may forget edges while it is masked, so it is unmasked before the handlers look; a level stays. */
	if (state & IRQ_PENDING && flags & SERVE_HANDLERS && (is_level || !(state & IRQ_MASKED))) {
		if (atomic_compare_exchange_strong_explicit(&desc->state, &state, state & ~IRQ_PENDING,
							    memory_order_acq_rel, memory_order_relaxed))
			run_handlers(desc);
		return true;
	}
	if (state & IRQ_MASKED) {
		unmask_chip(desc);
		return true;
	}
	return false;
}

/* Do what is to be done until nothing is, and let go. After that @desc may be gone. Owner. */
static void serve(struct ontb_irq_desc *desc, unsigned int flags)
{
	struct ontb_irq_system *sys = sys_of(desc);
	const unsigned int virq = desc->data[0].virq;
	uint64_t state = desc_state(desc), next;
	bool has_missed;

	do {
		while (serve_one(desc, state, flags))
			state = desc_state(desc);
		if (flags & SERVE_EOI) {
			/* Before letting go: after that chip_data may be freed. What comes at once is left to us. */
			CHIP_CALL(&desc->data[0], eoi);
			flags &= ~SERVE_EOI;
		}
		next = state & ~(IRQ_RUNNING | IRQ_WAITERS);
		has_missed = false;
		if (state & IRQ_PENDING && !state_is_blocked(state)) { /* only without SERVE_HANDLERS */
			has_missed = desc->flow != ONTB_IRQ_LEVEL && !(state & IRQ_RESEND);
			if (desc->flow == ONTB_IRQ_LEVEL) /* unmasked: if it is still there, it comes again */
				next &= ~IRQ_PENDING;
			else
				next |= IRQ_RESEND;
		}
	} while (!atomic_compare_exchange_strong_explicit(&desc->state, &state, next, memory_order_acq_rel,
							  memory_order_acquire));
	if (ontb_unlikely(has_missed)) /* IRQ_RESEND keeps it */
		ontb_irq_resend_push(desc);
	if (ontb_unlikely(state & IRQ_WAITERS))
		ontb_irq_wake(sys, virq);
}

bool ontb_irq_settle(struct ontb_irq_desc *desc)
{
	uint64_t state = desc_state(desc);

	do {
		const bool has_missed = state & IRQ_PENDING && !(state & IRQ_RESEND);

		if (state & IRQ_RUNNING ||
		    !(has_to_mask(state) || (!state_is_blocked(state) && (state & IRQ_MASKED || has_missed))))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&desc->state, &state, state | IRQ_RUNNING, memory_order_acq_rel,
							memory_order_acquire));
	return true;
}

void ontb_irq_serve_settled(struct ontb_irq_desc *desc)
{
	if (sys_of(desc)->resender || desc->flow == ONTB_IRQ_LEVEL) /* a level comes again by itself */
		serve(desc, 0);
	else
		ontb_irq_run_missed(desc);
}

void ontb_irq_run_missed(struct ontb_irq_desc *desc)
{
	struct ontb_irq_system *sys = sys_of(desc);
	const unsigned int cpu = state_cpu(desc_state(desc));

	if (desc->flow == ONTB_IRQ_NESTED) {
		serve(desc, SERVE_HANDLERS);
		return;
	}
	ontb_irq_cpu_enter(sys, cpu < sys->nr_cpus ? cpu : 0);
	serve(desc, SERVE_HANDLERS);
	ontb_irq_cpu_leave(sys);
}

static void flow_simple(struct ontb_irq_desc *desc, unsigned int flags)
{
	const enum taken taken = take(desc);

	if (taken == TAKEN_NOT) {
		if (flags & SERVE_EOI)
			CHIP_CALL(&desc->data[0], eoi);
		return;
	}
	if (taken == TAKEN_RUN)
		run_handlers(desc);
	serve(desc, flags | SERVE_HANDLERS);
}

static void flow_edge(struct ontb_irq_desc *desc)
{
	CHIP_CALL(&desc->data[0], ack);
	flow_simple(desc, 0);
}

static void flow_level(struct ontb_irq_desc *desc)
{
	const enum taken taken = take(desc);

	if (taken == TAKEN_NOT) {
		/* The owner has it masked, or is about to let go and will look again. */
		CHIP_CALL(&desc->data[0], ack);
		return;
	}
	if (!(desc_state(desc) & IRQ_MASKED))
		mask_chip(desc);
	CHIP_CALL(&desc->data[0], ack);
	if (taken == TAKEN_RUN)
		run_handlers(desc);
	serve(desc, SERVE_HANDLERS);
}

/* A cascade: its handler is between ack() and eoi(). */
static void flow_chained(struct ontb_irq_desc *desc)
{
	CHIP_CALL(&desc->data[0], ack);
	flow_simple(desc, SERVE_EOI);
}

bool ontb_irq_own_nested(struct ontb_irq_desc *desc)
{
	const enum taken taken = take(desc);

	if (taken == TAKEN_NOT)
		return false;
	if (!(desc_state(desc) & IRQ_LIVE)) {
		/* Released since it was looked up: its release did not see this owner, so only RCU keeps it. */
		serve(desc, 0);
		return false;
	}
	if (taken == TAKEN_RUN) /* the caller will run it outside RCU; until then it is pending like any other */
		(void)atomic_fetch_or_explicit(&desc->state, IRQ_PENDING, memory_order_acq_rel);
	return true;
}

void ontb_irq_run_nested(struct ontb_irq_desc *desc)
{
	serve(desc, SERVE_HANDLERS);
}

void ontb_irq_desc_handle(struct ontb_irq_desc *desc)
{
	if (ontb_unlikely(atomic_load_explicit(&desc->state, memory_order_relaxed) & IRQ_CHAINED)) {
		flow_chained(desc);
		return;
	}
	switch ((enum ontb_irq_flow)desc->flow) {
	case ONTB_IRQ_EDGE:
		flow_edge(desc);
		break;
	case ONTB_IRQ_LEVEL:
		flow_level(desc);
		break;
	case ONTB_IRQ_FASTEOI:
		flow_simple(desc, SERVE_EOI);
		break;
	case ONTB_IRQ_NESTED:
		if (ontb_irq_own_nested(desc))
			ontb_irq_run_nested(desc);
		break;
	case ONTB_IRQ_SIMPLE:
		flow_simple(desc, 0);
		break;
	}
}
