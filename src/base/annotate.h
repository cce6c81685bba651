/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Marks for compilers and checkers. clang's -Wthread-safety checks the lock marks on functions.
 */
#ifndef ONTB_BASE_ANNOTATE_H
#define ONTB_BASE_ANNOTATE_H

#include <pthread.h>
#include <stdbool.h>

#define ONTB_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define ONTB_MUST_CHECK		__attribute__((warn_unused_result))
#define ONTB_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ontb_likely(x)		__builtin_expect(!!(x), 1)
#define ontb_unlikely(x)	__builtin_expect(!!(x), 0)

/**
 * ontb_container_of() - the structure that a member is embedded in
 * @ptr:    Pointer to the member.
 * @type:   Type of the structure.
 * @member: Name of the member in it.
 */
#define ontb_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#if defined(__clang__)
#define ONTB_TSA(x) __attribute__((x))
#else
#define ONTB_TSA(x)
#endif
#define ONTB_MUST_HOLD(x)     ONTB_TSA(requires_capability(x))
#define ONTB_ACQUIRES(x)      ONTB_TSA(acquire_capability(x))
#define ONTB_TRY_ACQUIRES(x)  ONTB_TSA(try_acquire_capability(true, x))
#define ONTB_RELEASES(x)      ONTB_TSA(release_capability(x))
#define ONTB_MUST_NOT_HOLD(x) ONTB_TSA(locks_excluded(x))
#define ONTB_NO_LOCK_ANALYSIS ONTB_TSA(no_thread_safety_analysis)

/**
 * struct ontb_lock - a mutex that the lock checker of clang understands
 * @mutex: The mutex.
 */
struct ONTB_TSA(capability("mutex")) ontb_lock {
	pthread_mutex_t mutex;
};

/* A pthread mutex of the default kind cannot fail to lock or unlock when used as here, and a default one needs no memory. */
static inline void ontb_lock_init(struct ontb_lock *lock)
{
	(void)pthread_mutex_init(&lock->mutex, NULL);
}

static inline void ontb_lock_fini(struct ontb_lock *lock)
{
	(void)pthread_mutex_destroy(&lock->mutex);
}

static inline void ontb_lock(struct ontb_lock *lock) ONTB_ACQUIRES(*lock) ONTB_NO_LOCK_ANALYSIS
{
	(void)pthread_mutex_lock(&lock->mutex);
}

static inline bool ontb_trylock(struct ontb_lock *lock) ONTB_TRY_ACQUIRES(*lock) ONTB_NO_LOCK_ANALYSIS
{
	return !pthread_mutex_trylock(&lock->mutex);
}

static inline void ontb_unlock(struct ontb_lock *lock) ONTB_RELEASES(*lock) ONTB_NO_LOCK_ANALYSIS
{
	(void)pthread_mutex_unlock(&lock->mutex);
}

#endif
