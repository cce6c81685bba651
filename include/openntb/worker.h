/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Work that must not run in a handler: a worker runs a function soon after it was kicked, never twice at the same time.
 *
 * In a pool with threads each worker is a thread. In a stepped pool nothing runs by itself: somebody calls
 * ontb_worker_pool_step(), and the order depends only on a seed, so a run can be repeated exactly.
 */
#ifndef OPENNTB_WORKER_H
#define OPENNTB_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_worker_pool;
struct ontb_worker;

/**
 * ontb_worker_pool_new() - make a pool
 * @name:       Shown in the names of threads; copied.
 * @is_stepped: No threads.
 * @seed:       Of the order in a stepped pool.
 * @out:        OUT.
 *
 * Context: Any thread.
 * Return: 0 or -ENOMEM.
 */
int ontb_worker_pool_new(const char *name, bool is_stepped, uint64_t seed, struct ontb_worker_pool **out);

/**
 * ontb_worker_pool_free() - free a pool without workers
 * @pool: Pool or NULL.
 */
void ontb_worker_pool_free(struct ontb_worker_pool *pool);

/**
 * ontb_worker_pool_is_stepped() - whether somebody has to step it
 * @pool: Pool.
 *
 * Return: As configured.
 */
bool ontb_worker_pool_is_stepped(const struct ontb_worker_pool *pool);

/**
 * ontb_worker_pool_step() - run one worker that was kicked
 * @pool: Stepped pool.
 *
 * If none was kicked, the one whose deadline is the earliest runs, see ontb_worker_kick_at().
 *
 * Context: One thread at a time; not from a worker of the pool.
 * Return: False if there was none.
 */
bool ontb_worker_pool_step(struct ontb_worker_pool *pool);

/**
 * ontb_worker_pool_now() - time in a stepped pool
 * @pool: Stepped pool.
 *
 * It passes only when nothing was kicked: then it is the latest of the deadlines that steps have come to. Who steps until something
 * has happened, and not for ever, sees here how long it was waited for, whoever asked for the deadlines.
 *
 * Context: Any thread.
 * Return: Nanoseconds on the clock of ontb_worker_kick_at(); 0 before the first deadline.
 */
uint64_t ontb_worker_pool_now(struct ontb_worker_pool *pool);

/**
 * ontb_worker_new() - make a worker
 * @pool: Pool.
 * @name: Shown; copied.
 * @fn:   What to run; no lock held, may block.
 * @arg:  For @fn.
 * @out:  OUT.
 *
 * Context: Any thread.
 * Return: 0, -ENOMEM, or what starting a thread said.
 */
int ontb_worker_new(struct ontb_worker_pool *pool, const char *name, void (*fn)(void *arg), void *arg,
		    struct ontb_worker **out);

/**
 * ontb_worker_kick() - run the function once more
 * @worker: Worker.
 *
 * Kicks before it starts are one run; a kick while it runs makes it run again.
 *
 * Context: Any thread, also a handler.
 */
void ontb_worker_kick(struct ontb_worker *worker);

/**
 * ontb_worker_kick_at() - run the function at a time at the latest
 * @worker:      Worker.
 * @deadline_ns: CLOCK_MONOTONIC; an earlier one stays. In a stepped pool the time is the step at which nothing else is to do.
 *
 * A run for a kick before that time does not cancel it.
 *
 * Context: Any thread, also a handler.
 */
void ontb_worker_kick_at(struct ontb_worker *worker, uint64_t deadline_ns);

/**
 * ontb_worker_flush() - wait until all kicks so far have been served
 * @worker: Worker. In a stepped pool it is run here.
 *
 * Deadlines that lie ahead are not waited for.
 *
 * Context: Not the worker itself, not a handler.
 */
void ontb_worker_flush(struct ontb_worker *worker);

/**
 * ontb_worker_free() - stop a worker and wait for a run to end
 * @worker: Worker or NULL. Kicks that were not served are dropped.
 *
 * Context: Not the worker itself, not a handler.
 */
void ontb_worker_free(struct ontb_worker *worker);

#ifdef __cplusplus
}
#endif

#endif
