/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Short sections that run all the time, and somebody who now and then waits until all that run now have ended.
 *
 * It is the promise of RCU, but with sections of its own: software that runs on this machine uses RCU too, and it may write a
 * register inside a section or with a lock held that its readers take. If the hardware waited for RCU there, it would wait for
 * ever; real hardware does not know what locks its software has.
 *
 * A thread counts itself in and out of one of two counters, in a cache line that few threads share. A waiter directs newcomers to
 * the other counter and waits for the first one to become zero, and then the other way round, because a thread may have chosen
 * its counter long before it counts. Newcomers never delay a waiter for long.
 */
#ifndef ONTB_HW_X86_DRAIN_H
#define ONTB_HW_X86_DRAIN_H

#include <stdatomic.h>
#include <stdint.h>

#define ONTB_DRAIN_SLOTS 16

/**
 * struct ontb_drain - sections that can be waited for
 * @phase: Which counter newcomers take.
 * @slots: Counters; a thread uses one slot for all its sections.
 *
 * All zero is the initial state.
 */
struct ontb_drain {
	_Alignas(64) _Atomic unsigned int phase;
	struct {
		_Alignas(64) _Atomic uint32_t nr_inside[2];
	} slots[ONTB_DRAIN_SLOTS];
};

/**
 * ontb_drain_slot() - slot of the calling thread
 *
 * Return: 0..ONTB_DRAIN_SLOTS-1.
 */
unsigned int ontb_drain_slot(void);

/**
 * ontb_drain_enter() - begin a section
 * @drain: Sections.
 *
 * Context: Any thread. Does not wait. What is loaded in the section (sequentially consistent or acquire) is what was stored
 *          before any ontb_drain_wait() that does not wait for this section.
 * Return: For ontb_drain_leave().
 */
static inline _Atomic uint32_t *ontb_drain_enter(struct ontb_drain *drain)
{
	unsigned int phase = atomic_load_explicit(&drain->phase, memory_order_relaxed);
	_Atomic uint32_t *nr_inside = &drain->slots[ontb_drain_slot()].nr_inside[phase];

	atomic_fetch_add(nr_inside, 1);
	return nr_inside;
}

/**
 * ontb_drain_leave() - end a section
 * @nr_inside: What ontb_drain_enter() returned.
 */
static inline void ontb_drain_leave(_Atomic uint32_t *nr_inside)
{
	atomic_fetch_sub_explicit(nr_inside, 1, memory_order_release);
}

/**
 * ontb_drain_wait() - wait until all sections that run now have ended
 * @drain: Sections.
 *
 * Context: Not in a section, no lock held that a section takes; one caller at a time.
 */
void ontb_drain_wait(struct ontb_drain *drain);

#endif
