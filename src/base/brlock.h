/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A big-reader lock: readers are cheap and never touch each other's cache lines, a writer excludes all of them.
 *
 * Each reader owns a slot with a mutex that only it takes, until a writer comes: the writer takes the mutexes of all slots
 * in order. One thread at a time uses a slot for reading; several writers queue at the gate. A writer raises the gate
 * first, and readers that see it wait there, so a reader that re-enters in a loop cannot starve a writer.
 *
 * Why not a reader-writer lock: its two atomic operations on a shared line cost more than a window access. Why not RCU:
 * a writer here must know that no access is under way any more (memory is unmapped after it), not merely free memory later.
 */
#ifndef ONTB_BASE_BRLOCK_H
#define ONTB_BASE_BRLOCK_H

#include <stdatomic.h>

#include "base/annotate.h"

struct ontb_brlock_slot {
	_Alignas(64) struct ontb_lock lock;
};

/**
 * struct ontb_brlock - the lock
 * @gate:       Held by the writer.
 * @nr_writers: Writers that wait or work.
 * @nr_slots:   Constant.
 * @slots:      Constant pointer.
 */
struct ontb_brlock {
	struct ontb_lock gate;
	_Atomic unsigned int nr_writers;
	unsigned int nr_slots;
	struct ontb_brlock_slot *slots;
};

/**
 * ontb_brlock_init() - make a lock
 * @lock:     Memory of the caller.
 * @nr_slots: Readers at most.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_brlock_init(struct ontb_brlock *lock, unsigned int nr_slots) ONTB_MUST_CHECK;

/**
 * ontb_brlock_fini() - undo ontb_brlock_init(); nobody holds the lock
 * @lock: Lock.
 */
void ontb_brlock_fini(struct ontb_brlock *lock);

/**
 * ontb_brlock_read_lock() - enter as a reader
 * @lock:     Lock.
 * @slot_idx: The caller's slot, below nr_slots; another thread that reads with it waits.
 *
 * Context: Holds no slot of this lock. May block while a writer works.
 */
static inline void ontb_brlock_read_lock(struct ontb_brlock *lock, unsigned int slot_idx) ONTB_NO_LOCK_ANALYSIS
{
	if (ontb_unlikely(atomic_load_explicit(&lock->nr_writers, memory_order_acquire))) {
		ontb_lock(&lock->gate);
		ontb_unlock(&lock->gate);
	}
	ontb_lock(&lock->slots[slot_idx].lock);
}

/**
 * ontb_brlock_read_unlock() - leave
 * @lock:     Lock.
 * @slot_idx: As given when entering.
 */
static inline void ontb_brlock_read_unlock(struct ontb_brlock *lock, unsigned int slot_idx) ONTB_NO_LOCK_ANALYSIS
{
	ontb_unlock(&lock->slots[slot_idx].lock);
}

/**
 * ontb_brlock_write_lock() - exclude all readers and writers
 * @lock: Lock.
 *
 * Context: Holds no slot of this lock. Blocks until all readers have left.
 */
void ontb_brlock_write_lock(struct ontb_brlock *lock);

/**
 * ontb_brlock_write_unlock() - let them in again
 * @lock: Lock.
 */
void ontb_brlock_write_unlock(struct ontb_brlock *lock);

#endif
