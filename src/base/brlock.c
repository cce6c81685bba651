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
	(void)pthread_cond_init(&lock->section_end, NULL);
	(void)pthread_cond_init(&lock->next_writer, NULL);
	atomic_init(&lock->nr_writers, 0);
	lock->next_ticket = 0;
	lock->turn = 0;
	lock->nr_waiting = 0;
	lock->nr_let_in = 0;
	lock->nr_slots = nr_slots;
	lock->slots = slots;
	return 0;
}

void ontb_brlock_fini(struct ontb_brlock *lock)
{
	for (unsigned int i = 0; i < lock->nr_slots; i++)
		ontb_lock_fini(&lock->slots[i].lock);
	(void)pthread_cond_destroy(&lock->next_writer);
	(void)pthread_cond_destroy(&lock->section_end);
	ontb_lock_fini(&lock->gate);
	free(lock->slots);
	lock->slots = NULL;
}

void ontb_brlock_read_wait(struct ontb_brlock *lock, unsigned int slot_idx) ONTB_NO_LOCK_ANALYSIS
{
	uint64_t turn;

	ontb_lock(&lock->gate);
	turn = lock->turn;
	if (turn == lock->next_ticket) {
		lock->nr_let_in++;
	} else {
		/* Whoever ends the section counts us among those that it lets in. */
		lock->nr_waiting++;
		while (lock->turn == turn)
			(void)pthread_cond_wait(&lock->section_end, &lock->gate.mutex);
	}
	ontb_unlock(&lock->gate);
	/* Another reader of the slot may be inside, but no writer. */
	ontb_lock(&lock->slots[slot_idx].lock);
	ontb_lock(&lock->gate);
	if (!--lock->nr_let_in)
		(void)pthread_cond_broadcast(&lock->next_writer);
	ontb_unlock(&lock->gate);
}

void ontb_brlock_write_lock(struct ontb_brlock *lock) ONTB_NO_LOCK_ANALYSIS
{
	uint64_t ticket;

	ontb_lock(&lock->gate);
	ticket = lock->next_ticket++;
	atomic_fetch_add_explicit(&lock->nr_writers, 1, memory_order_relaxed);
	while (lock->turn != ticket || lock->nr_let_in)
		(void)pthread_cond_wait(&lock->next_writer, &lock->gate.mutex);
	ontb_unlock(&lock->gate);
	for (unsigned int i = 0; i < lock->nr_slots; i++)
		ontb_lock(&lock->slots[i].lock);
}

void ontb_brlock_write_unlock(struct ontb_brlock *lock) ONTB_NO_LOCK_ANALYSIS
{
	for (unsigned int i = lock->nr_slots; i-- > 0;)
		ontb_unlock(&lock->slots[i].lock);
	ontb_lock(&lock->gate);
	lock->turn++;
	lock->nr_let_in += lock->nr_waiting;
	lock->nr_waiting = 0;
	atomic_fetch_sub_explicit(&lock->nr_writers, 1, memory_order_relaxed);
	(void)pthread_cond_broadcast(lock->nr_let_in ? &lock->section_end : &lock->next_writer);
	ontb_unlock(&lock->gate);
}
