// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Big-reader lock, the writer's half.
 */
#include "base/brlock.h"

#include <errno.h>
#include <stdlib.h>

int ontb_brlock_init(struct ontb_brlock *lock, unsigned int nr_slots)
{
	struct ontb_brlock_slot *slots;

	slots = aligned_alloc(_Alignof(struct ontb_brlock_slot), nr_slots * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr_slots; i++)
		ontb_lock_init(&slots[i].lock);
	ontb_lock_init(&lock->gate);
	atomic_init(&lock->nr_writers, 0);
	lock->nr_slots = nr_slots;
	lock->slots = slots;
	return 0;
}

void ontb_brlock_fini(struct ontb_brlock *lock)
{
	for (unsigned int i = 0; i < lock->nr_slots; i++)
		ontb_lock_fini(&lock->slots[i].lock);
	ontb_lock_fini(&lock->gate);
	free(lock->slots);
	lock->slots = NULL;
}

void ontb_brlock_write_lock(struct ontb_brlock *lock) ONTB_NO_LOCK_ANALYSIS
{
	atomic_fetch_add_explicit(&lock->nr_writers, 1, memory_order_acq_rel);
	ontb_lock(&lock->gate);
	for (unsigned int i = 0; i < lock->nr_slots; i++)
		ontb_lock(&lock->slots[i].lock);
}

void ontb_brlock_write_unlock(struct ontb_brlock *lock) ONTB_NO_LOCK_ANALYSIS
{
	for (unsigned int i = lock->nr_slots; i-- > 0;)
		ontb_unlock(&lock->slots[i].lock);
	ontb_unlock(&lock->gate);
	atomic_fetch_sub_explicit(&lock->nr_writers, 1, memory_order_acq_rel);
}
