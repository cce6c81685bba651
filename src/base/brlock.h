/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A big-reader lock: readers are cheap and never touch each other's cache lines, a writer excludes all of them.
 *
 * Each reader owns a slot with a mutex that only it takes, until a writer comes: the writer takes the mutexes of all slots
 * in order. One thread at a time uses a slot for reading.
 *
 * Nobody starves. A reader that finds a writer waits at the gate until that one section is over, so readers that re-enter in a loop
 * cannot keep a writer out. Writers queue, and the next one starts when every reader that waited at the end of the section before has
 * got its slot, so writers in a loop cannot keep a reader out for more than one section.
 *
 * Why not a reader-writer lock: its two atomic operations on a shared line cost more than a window access. Why not RCU:
 * a writer here must know that no access is under way any more (memory is unmapped after it), not merely free memory later.
 */
#ifndef ONTB_BASE_BRLOCK_H
#define ONTB_BASE_BRLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/annotate.h"

struct ontb_brlock_slot {
	_Alignas(64) struct ontb_lock lock;
};

/**
 * struct ontb_brlock - the lock
 * @gate:        Of what follows; taken for a moment only.
 * @section_end: Signalled when a writer is done, for readers.
 * @next_writer: Signalled when a writer is done, and when the last reader that was let in has its slot, for writers.
 * @nr_writers:  Writers that wait or work; changed under the gate, read without.
 * @next_ticket: Of the writer that comes next.
 * @turn:        Ticket of the writer whose turn it is; so also the number of sections that are over.
 * @nr_waiting:  Readers that wait for the end of a section.
 * @nr_let_in:   Readers that go for their slot, and whom the next writer waits for.
 * @nr_slots:    Constant.
 * @slots:       Constant pointer.
 */
struct ontb_brlock {
	struct ontb_lock gate;
	pthread_cond_t section_end;
	pthread_cond_t next_writer;
	_Atomic unsigned int nr_writers;
	uint64_t next_ticket;
	uint64_t turn;
	unsigned int nr_waiting;
	unsigned int nr_let_in;
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
 * ontb_brlock_read_wait() - enter as a reader when that is not possible at once; part of ontb_brlock_read_lock()
 * @lock:     Lock.
 * @slot_idx: The caller's slot.
 */
void ontb_brlock_read_wait(struct ontb_brlock *lock, unsigned int slot_idx);

/**
 * ontb_brlock_read_lock() - enter as a reader
 * @lock:     Lock.
 * @slot_idx: The caller's slot, below nr_slots; another thread that reads with it waits.
 *
 * Context: Holds no slot of this lock. May block while a writer works, one section at most.
 */
static inline void ontb_brlock_read_lock(struct ontb_brlock *lock, unsigned int slot_idx) ONTB_NO_LOCK_ANALYSIS
{
	if (ontb_unlikely(atomic_load_explicit(&lock->nr_writers, memory_order_relaxed)) ||
	    ontb_unlikely(!ontb_trylock(&lock->slots[slot_idx].lock)))
		ontb_brlock_read_wait(lock, slot_idx);
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
