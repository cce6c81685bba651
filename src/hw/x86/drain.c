// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Waiting for short sections.
 */
#include "hw/x86/drain.h"

#include <sched.h>

#define NR_LOOKS 200

unsigned int ontb_drain_slot(void)
{
	static _Atomic unsigned int nr_threads;
	static _Thread_local unsigned int number;

	/* 0 is "none yet". */
	if (!number)
		number = atomic_fetch_add_explicit(&nr_threads, 1, memory_order_relaxed) % ONTB_DRAIN_SLOTS + 1;
	return number - 1;
}

static void wait_for_zero(const _Atomic uint32_t *nr_inside)
{
	unsigned int nr_looks = 0;

	/* A section is short unless its thread was put aside: then the processor is better given away. */
	while (atomic_load(nr_inside)) {
		if (++nr_looks > NR_LOOKS)
			(void)sched_yield();
	}
}

static void drain_phase(struct ontb_drain *drain)
{
	unsigned int phase = atomic_load_explicit(&drain->phase, memory_order_relaxed);

	atomic_store(&drain->phase, phase ^ 1);
	for (unsigned int i = 0; i < ONTB_DRAIN_SLOTS; i++)
		wait_for_zero(&drain->slots[i].nr_inside[phase]);
}

void ontb_drain_wait(struct ontb_drain *drain)
{
	drain_phase(drain);
	drain_phase(drain);
}
