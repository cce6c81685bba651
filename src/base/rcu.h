/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Userspace RCU (liburcu, "bulletproof" flavour: a thread registers itself at its first read) in words that ThreadSanitizer
 * understands too.
 *
 * liburcu orders readers and writers with memory barriers of other processors (sys_membarrier), which ThreadSanitizer cannot
 * see. So under it, and only there, the end of each read-side section releases a marker, and the end of each grace period
 * acquires it: exactly the order that RCU promises. Pointers are published and read with the compiler's atomics.
 */
#ifndef ONTB_BASE_RCU_H
#define ONTB_BASE_RCU_H

#if defined(__SANITIZE_THREAD__)
#define ONTB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ONTB_TSAN 1
#endif
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer) || defined(__clang_analyzer__)
#define ONTB_CALL_LIBURCU 1
#endif
#endif

/*
 * The read side of liburcu is inlined, except under sanitizers: its structures are less aligned than it declares them, which
 * UndefinedBehaviorSanitizer would report in our code; and clang's analyzer does not see that a thread is registered.
 */
#if !defined(_LGPL_SOURCE) && !defined(ONTB_TSAN) && !defined(ONTB_CALL_LIBURCU)
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-bp.h>

#ifdef ONTB_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char ontb_rcu_marker;
#define ontb_rcu_mark_release() __tsan_release(&ontb_rcu_marker)
#define ontb_rcu_mark_acquire() __tsan_acquire(&ontb_rcu_marker)
#else
#define ontb_rcu_mark_release() ((void)0)
#define ontb_rcu_mark_acquire() ((void)0)
#endif

/**
 * ontb_rcu_read_lock() - what is read from RCU protected pointers stays valid until ontb_rcu_read_unlock()
 *
 * Context: Any thread. Nests.
 */
static inline void ontb_rcu_read_lock(void)
{
	urcu_bp_read_lock();
}

static inline void ontb_rcu_read_unlock(void)
{
	ontb_rcu_mark_release();
	urcu_bp_read_unlock();
}

/**
 * ontb_rcu_synchronize() - wait until every read-side section that runs now has ended
 *
 * Context: Not inside a read-side section, no lock held that a reader takes.
 */
static inline void ontb_rcu_synchronize(void)
{
	urcu_bp_synchronize_rcu();
	ontb_rcu_mark_acquire();
}

/**
 * struct ontb_rcu_head - embedded in what is freed after a grace period
 * @head: liburcu's.
 * @fn:   What frees it.
 */
struct ontb_rcu_head {
	struct rcu_head head;
	void (*fn)(struct ontb_rcu_head *head);
};

/**
 * ontb_rcu_call() - run a function after every read-side section that runs now has ended
 * @head: Embedded in the object.
 * @fn:   Frees the object; runs in a thread of liburcu.
 *
 * Context: Any, also inside a read-side section. Does not wait and cannot fail.
 */
void ontb_rcu_call(struct ontb_rcu_head *head, void (*fn)(struct ontb_rcu_head *head));

/**
 * ontb_rcu_barrier() - wait until all functions given to ontb_rcu_call() so far have run
 *
 * Context: As ontb_rcu_synchronize().
 */
void ontb_rcu_barrier(void);

/* Read and publish a pointer that readers follow without a lock. */
#define ontb_rcu_read(ptr)	     __atomic_load_n(&(ptr), __ATOMIC_ACQUIRE)
#define ontb_rcu_publish(ptr, value) __atomic_store_n(&(ptr), (value), __ATOMIC_RELEASE)

#endif
