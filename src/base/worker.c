// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Workers: a thread each, or stepped by somebody in an order that a seed decides.
 *
 * Both kinds share the rule of what a kick means: the flag @is_kicked is taken back before the function starts, so a kick that
 * comes while it runs finds the flag down and makes it run again.
 */
#include <openntb/worker.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#define NAME_LEN 32
#define NEVER	 UINT64_MAX

/**
 * struct ontb_worker_pool - workers that belong together
 * @name:       Constant.
 * @is_stepped: Constant.
 * @lock:       Protects what follows. Taken before a worker's.
 * @random:     State of the order.
 * @now_ns:     The latest deadline that a step has come to.
 * @first:      Workers, oldest first.
 * @last_link:  Where the next one is linked.
 */
struct ontb_worker_pool {
	char name[NAME_LEN];
	bool is_stepped;
	struct ontb_lock lock;
	uint64_t random;
	uint64_t now_ns;
	struct ontb_worker *first;
	struct ontb_worker **last_link;
};

/**
 * struct ontb_worker - one of them
 * @pool:        Constant.
 * @fn:          Constant.
 * @arg:         Constant.
 * @name:        Constant.
 * @thread:      Constant; only in a pool with threads.
 * @next:        Next of the pool. The pool's lock.
 * @is_kicked:   A run is wanted. Set by anybody, taken back with @lock held.
 * @lock:        Protects what follows.
 * @wake:        The thread waits here for something to do.
 * @idle:        Others wait here for the end of a run.
 * @deadline_ns: When to run without a kick; NEVER for not.
 * @nr_started:  Runs that have begun.
 * @nr_done:     Runs that have ended.
 * @is_stopping: Being freed.
 */
struct ontb_worker {
	struct ontb_worker_pool *pool;
	void (*fn)(void *arg);
	void *arg;
	char name[NAME_LEN];
	pthread_t thread;
	struct ontb_worker *next;
	bool is_kicked;
	struct ontb_lock lock;
	pthread_cond_t wake;
	pthread_cond_t idle;
	uint64_t deadline_ns;
	uint64_t nr_started;
	uint64_t nr_done;
	bool is_stopping;
};

int ontb_worker_pool_new(const char *name, bool is_stepped, uint64_t seed, struct ontb_worker_pool **out)
{
	struct ontb_worker_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	(void)snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->is_stepped = is_stepped;
	ontb_lock_init(&pool->lock);
	pool->random = seed;
	pool->last_link = &pool->first;
	*out = pool;
	return 0;
}

void ontb_worker_pool_free(struct ontb_worker_pool *pool)
{
	if (!pool)
		return;
	if (pool->first) {
		ontb_log(ONTB_LOG_ERROR, "pool %s: not freed: worker %s is still there", pool->name, pool->first->name);
		return;
	}
	ontb_lock_fini(&pool->lock);
	free(pool);
}

bool ontb_worker_pool_is_stepped(const struct ontb_worker_pool *pool)
{
	return pool->is_stepped;
}

static bool is_kicked(const struct ontb_worker *worker)
{
	return __atomic_load_n(&worker->is_kicked, __ATOMIC_ACQUIRE);
}

static bool is_running(const struct ontb_worker *worker) ONTB_MUST_HOLD(worker->lock)
{
	return worker->nr_started != worker->nr_done;
}

/* Begin a run if one is wanted, for a kick or for a time that is over. */
static bool begin(struct ontb_worker *worker, uint64_t now_ns) ONTB_MUST_HOLD(worker->lock)
{
	bool is_due = worker->deadline_ns <= now_ns;

	if (is_running(worker) || (!__atomic_exchange_n(&worker->is_kicked, false, __ATOMIC_ACQ_REL) && !is_due))
		return false;
	if (is_due)
		worker->deadline_ns = NEVER;
	worker->nr_started++;
	return true;
}

static void end(struct ontb_worker *worker) ONTB_MUST_HOLD(worker->lock)
{
	worker->nr_done++;
	(void)pthread_cond_broadcast(&worker->idle);
}

static void wait_for_work(struct ontb_worker *worker) ONTB_MUST_HOLD(worker->lock)
{
	struct timespec until;

	if (worker->deadline_ns == NEVER) {
		(void)pthread_cond_wait(&worker->wake, &worker->lock.mutex);
		return;
	}
	until.tv_sec = (time_t)(worker->deadline_ns / ONTB_NS_PER_S);
	until.tv_nsec = (long)(worker->deadline_ns % ONTB_NS_PER_S);
	(void)pthread_cond_timedwait(&worker->wake, &worker->lock.mutex, &until);
}

static void *run_thread(void *arg)
{
	struct ontb_worker *worker = arg;

	ontb_lock(&worker->lock);
	while (!worker->is_stopping) {
		/* Without a deadline nobody needs to look at the clock. */
		if (!begin(worker, worker->deadline_ns == NEVER ? 0 : ontb_clock_ns())) {
			wait_for_work(worker);
			continue;
		}
		ontb_unlock(&worker->lock);
		worker->fn(worker->arg);
		ontb_lock(&worker->lock);
		end(worker);
	}
	ontb_unlock(&worker->lock);
	return NULL;
}

static int start_thread(struct ontb_worker *worker)
{
	char name[16];
	int err;

	err = pthread_create(&worker->thread, NULL, run_thread, worker);
	if (err)
		return -err;
	(void)snprintf(name, sizeof(name), "%.7s/%.7s", worker->pool->name, worker->name);
	(void)pthread_setname_np(worker->thread, name);
	return 0;
}

static void fini_worker(struct ontb_worker *worker)
{
	(void)pthread_cond_destroy(&worker->wake);
	(void)pthread_cond_destroy(&worker->idle);
	ontb_lock_fini(&worker->lock);
	free(worker);
}

int ontb_worker_new(struct ontb_worker_pool *pool, const char *name, void (*fn)(void *arg), void *arg,
		    struct ontb_worker **out)
{
	struct ontb_worker *worker = calloc(1, sizeof(*worker));
	pthread_condattr_t attr;
	int ret;

	if (!worker)
		return -ENOMEM;
	worker->pool = pool;
	worker->fn = fn;
	worker->arg = arg;
	(void)snprintf(worker->name, sizeof(worker->name), "%s", name);
	worker->deadline_ns = NEVER;
	ontb_lock_init(&worker->lock);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&worker->wake, &attr);
	(void)pthread_cond_init(&worker->idle, &attr);
	(void)pthread_condattr_destroy(&attr);
	ret = pool->is_stepped ? 0 : start_thread(worker);
	if (ret) {
		fini_worker(worker);
		return ret;
	}
	ontb_lock(&pool->lock);
	*pool->last_link = worker;
	pool->last_link = &worker->next;
	ontb_unlock(&pool->lock);
	*out = worker;
	return 0;
}

void ontb_worker_kick(struct ontb_worker *worker)
{
	/* Somebody kicked already and the run has not begun: it will see what was done before this call. */
	if (__atomic_exchange_n(&worker->is_kicked, true, __ATOMIC_ACQ_REL) || worker->pool->is_stepped)
		return;
	ontb_lock(&worker->lock);
	(void)pthread_cond_signal(&worker->wake);
	ontb_unlock(&worker->lock);
}

void ontb_worker_kick_at(struct ontb_worker *worker, uint64_t deadline_ns)
{
	ontb_lock(&worker->lock);
	if (deadline_ns < worker->deadline_ns) {
		worker->deadline_ns = deadline_ns;
		(void)pthread_cond_signal(&worker->wake);
	}
	ontb_unlock(&worker->lock);
}

/* The n-th of those that can begin a run for a kick, or NULL; @nr says how many came before the end of the search. */
static struct ontb_worker *find_kicked(struct ontb_worker_pool *pool, uint64_t nth, uint64_t *nr)
	ONTB_MUST_HOLD(pool->lock)
{
	struct ontb_worker *worker;

	*nr = 0;
	for (worker = pool->first; worker; worker = worker->next) {
		bool can_begin;

		ontb_lock(&worker->lock);
		can_begin = is_kicked(worker) && !is_running(worker);
		ontb_unlock(&worker->lock);
		if (can_begin && (*nr)++ == nth)
			return worker;
	}
	return NULL;
}

/* The one whose deadline comes first; the older one of two. NULL if there is none. */
static struct ontb_worker *find_earliest(struct ontb_worker_pool *pool, uint64_t *deadline_ns)
	ONTB_MUST_HOLD(pool->lock)
{
	struct ontb_worker *worker, *found = NULL;

	*deadline_ns = NEVER;
	for (worker = pool->first; worker; worker = worker->next) {
		ontb_lock(&worker->lock);
		if (worker->deadline_ns < *deadline_ns && !is_running(worker)) {
			*deadline_ns = worker->deadline_ns;
			found = worker;
		}
		ontb_unlock(&worker->lock);
	}
	return found;
}

/* Choose the next worker of a stepped pool and begin its run. If a flush in another thread was faster, choose again. */
static struct ontb_worker *begin_next(struct ontb_worker_pool *pool) ONTB_MUST_HOLD(pool->lock)
{
	for (;;) {
		struct ontb_worker *worker;
		uint64_t nr, now_ns = 0;
		bool has_begun;

		(void)find_kicked(pool, NEVER, &nr);
		worker = nr ? find_kicked(pool, ontb_random_below(&pool->random, nr), &nr)
			    : find_earliest(pool, &now_ns);
		if (!worker && !nr)
			return NULL;
		if (!worker)
			continue;
		ontb_lock(&worker->lock);
		has_begun = begin(worker, now_ns);
		ontb_unlock(&worker->lock);
		if (!has_begun)
			continue;
		if (now_ns > pool->now_ns)
			pool->now_ns = now_ns;
		return worker;
	}
}

uint64_t ontb_worker_pool_now(struct ontb_worker_pool *pool)
{
	uint64_t now_ns;

	ontb_lock(&pool->lock);
	now_ns = pool->now_ns;
	ontb_unlock(&pool->lock);
	return now_ns;
}

bool ontb_worker_pool_step(struct ontb_worker_pool *pool)
{
	struct ontb_worker *worker;

	ontb_lock(&pool->lock);
	worker = begin_next(pool);
	ontb_unlock(&pool->lock);
	if (!worker)
		return false;
	worker->fn(worker->arg);
	ontb_lock(&worker->lock);
	end(worker);
	ontb_unlock(&worker->lock);
	return true;
}

static void wait_done(struct ontb_worker *worker, uint64_t target) ONTB_MUST_HOLD(worker->lock)
{
	while (worker->nr_done < target)
		(void)pthread_cond_wait(&worker->idle, &worker->lock.mutex);
}

/* In a stepped pool: let the run that another thread may be in end, then do what is left here. */
static void flush_stepped(struct ontb_worker *worker)
{
	ontb_lock(&worker->lock);
	wait_done(worker, worker->nr_started);
	if (begin(worker, 0)) {
		ontb_unlock(&worker->lock);
		worker->fn(worker->arg);
		ontb_lock(&worker->lock);
		end(worker);
	}
	ontb_unlock(&worker->lock);
}

void ontb_worker_flush(struct ontb_worker *worker)
{
	if (worker->pool->is_stepped) {
		flush_stepped(worker);
		return;
	}
	ontb_lock(&worker->lock);
	wait_done(worker, worker->nr_started + is_kicked(worker));
	ontb_unlock(&worker->lock);
}

static void unlink_worker(struct ontb_worker *worker)
{
	struct ontb_worker_pool *pool = worker->pool;
	struct ontb_worker **link;

	ontb_lock(&pool->lock);
	for (link = &pool->first; *link != worker; link = &(*link)->next)
		;
	*link = worker->next;
	if (!worker->next)
		pool->last_link = link;
	ontb_unlock(&pool->lock);
}

void ontb_worker_free(struct ontb_worker *worker)
{
	if (!worker)
		return;
	unlink_worker(worker);
	ontb_lock(&worker->lock);
	worker->is_stopping = true;
	(void)pthread_cond_signal(&worker->wake);
	wait_done(worker, worker->nr_started);
	ontb_unlock(&worker->lock);
	if (!worker->pool->is_stepped)
		(void)pthread_join(worker->thread, NULL);
	fini_worker(worker);
}
