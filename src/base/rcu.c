// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Functions that run after a grace period, and what ThreadSanitizer has to be told about them.
 */
#include "base/rcu.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/annotate.h"

#ifdef ONTB_TSAN
char ontb_rcu_marker;

#define mark_queued(head)  __tsan_release(head)
#define mark_started(head) __tsan_acquire(head)
#else
#define mark_queued(head)  ((void)0)
#define mark_started(head) ((void)0)
#endif

/* Runs in liburcu's thread, which is ordered after the caller of ontb_rcu_call() and after all readers it waited for. */
static void run(struct rcu_head *rcu)
{
	struct ontb_rcu_head *head = ontb_container_of(rcu, struct ontb_rcu_head, head);

	mark_started(head);
	ontb_rcu_mark_acquire();
	head->fn(head);
}

void ontb_rcu_call(struct ontb_rcu_head *head, void (*fn)(struct ontb_rcu_head *head))
{
	head->fn = fn;
	mark_queued(head);
	urcu_bp_call_rcu(&head->head, run);
}

/*
 * Not urcu_bp_barrier(): its own memory travels between threads in ways that ThreadSanitizer cannot see. Functions run in the
 * order in which they were given to one thread of liburcu, so when the last one runs, the others have.
 */
struct barrier {
	struct ontb_rcu_head rcu;
	struct ontb_lock lock;
	pthread_cond_t cond;
	bool is_reached; /* under @lock */
};

static void reach(struct ontb_rcu_head *head)
{
	struct barrier *barrier = ontb_container_of(head, struct barrier, rcu);

	ontb_lock(&barrier->lock);
	barrier->is_reached = true;
	(void)pthread_cond_signal(&barrier->cond);
	ontb_unlock(&barrier->lock);
}

void ontb_rcu_barrier(void)
{
	struct barrier barrier = { .is_reached = false };

	ontb_lock_init(&barrier.lock);
	(void)pthread_cond_init(&barrier.cond, NULL);
	ontb_rcu_call(&barrier.rcu, reach);
	ontb_lock(&barrier.lock);
	while (!barrier.is_reached)
		(void)pthread_cond_wait(&barrier.cond, &barrier.lock.mutex);
	ontb_unlock(&barrier.lock);
	(void)pthread_cond_destroy(&barrier.cond);
	ontb_lock_fini(&barrier.lock);
}
