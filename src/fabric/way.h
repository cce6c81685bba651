/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The way from a function to its host's root complex: posted writes and interrupt messages, in order.
 *
 * A way that does nothing to them is direct: no queue, no lock, no allocation. A way with a delay has a queue and a thread
 * that delivers from it, or, in a stepped fabric, somebody who steps it.
 */
#ifndef ONTB_FABRIC_WAY_H
#define ONTB_FABRIC_WAY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/fabric.h>

#include "base/annotate.h"
#include "fabric/root.h"

struct ontb_way_write;

/**
 * struct ontb_way - a way
 * @root:       Where it leads. Constant.
 * @rid:        Requester id. Constant.
 * @steps:      Steps done so far, of a stepped fabric; NULL otherwise. Constant.
 * @is_direct:  Nothing is done to what goes this way, and the queue is empty. Changed in exclusive sections of the function.
 * @is_down:    The link is down. Likewise.
 * @lock:       Of all below. Taken inside accesses; held while a write is delivered, which waits for nobody.
 * @config:     What is done.
 * @first:      Queue.
 * @last:       Its end, valid if it is not empty.
 * @nr_queued:  Length of it.
 * @nr_bytes:   Bytes in it.
 * @random:     For jitter.
 * @nr_messages: Writes to interrupt addresses, for drop_every.
 * @has_thread: @thread runs.
 * @is_ending:  It shall end.
 * @thread:     Delivers.
 * @changed:    Signalled when the thread has to look again.
 * @nr_dropped: Writes dropped. Atomic.
 */
struct ontb_way {
	struct ontb_root *root;
	uint16_t rid;
	const uint64_t *steps;
	bool is_direct;
	bool is_down;
	struct ontb_lock lock;
	struct ontb_fabric_way config;
	struct ontb_way_write *first;
	struct ontb_way_write *last;
	size_t nr_queued;
	size_t nr_bytes;
	uint64_t random;
	uint64_t nr_messages;
	bool has_thread;
	bool is_ending;
	pthread_t thread;
	pthread_cond_t changed;
	_Atomic uint64_t nr_dropped;
};

/**
 * ontb_way_init() - make a direct way
 * @way:   Memory of the caller.
 * @root:  Where it leads.
 * @rid:   Requester id of the function.
 * @steps: Counter of a stepped fabric, or NULL.
 * @seed:  For jitter.
 */
void ontb_way_init(struct ontb_way *way, struct ontb_root *root, uint16_t rid, const uint64_t *steps, uint64_t seed);

/**
 * ontb_way_fini() - stop the thread and drop what is queued
 * @way: Way; nobody writes any more.
 */
void ontb_way_fini(struct ontb_way *way);

/**
 * ontb_way_prepare() - start what a configuration needs
 * @way:    Way.
 * @config: Configuration.
 *
 * Context: Outside accesses, one thread at a time.
 * Return: 0, or what starting a thread said.
 */
int ontb_way_prepare(struct ontb_way *way, const struct ontb_fabric_way *config) ONTB_MUST_CHECK;

/**
 * ontb_way_set() - change what is done
 * @way:    Way, prepared.
 * @config: From now on. What is queued arrives now if nothing is delayed any more, and is dropped if the link is down.
 *
 * Context: In an exclusive section of the function.
 */
void ontb_way_set(struct ontb_way *way, const struct ontb_fabric_way *config);

/**
 * ontb_way_drop() - forget what is on its way
 * @way: Way.
 *
 * Context: In an exclusive section of the function.
 */
void ontb_way_drop(struct ontb_way *way);

/**
 * ontb_way_write_slowly() - write by a way that is not direct
 * @way:  Way.
 * @addr: Address.
 * @buf:  Bytes.
 * @len:  How many.
 *
 * Return: As ontb_way_write().
 */
int ontb_way_write_slowly(struct ontb_way *way, uint64_t addr, const void *buf, size_t len);

/**
 * ontb_way_push_slowly() - deliver what is queued
 * @way: Way.
 */
void ontb_way_push_slowly(struct ontb_way *way);

/**
 * ontb_way_write() - a function writes to its host
 * @way:  Way.
 * @addr: Address.
 * @buf:  Bytes.
 * @len:  How many.
 *
 * Context: Inside an access, or in an exclusive section. Does not wait.
 * Return: 0 (it arrived, is on its way, or was dropped on purpose), -EFAULT (nothing there), -ENOBUFS (no room; dropped).
 */
static inline int ontb_way_write(struct ontb_way *way, uint64_t addr, const void *buf, size_t len)
{
	if (ontb_likely(way->is_direct))
		return ontb_root_write(way->root, way->rid, addr, buf, len);
	return ontb_way_write_slowly(way, addr, buf, len);
}

/**
 * ontb_way_push() - a read goes by: what was written before it arrives first
 * @way: Way.
 *
 * Context: Inside an access.
 */
static inline void ontb_way_push(struct ontb_way *way)
{
	if (ontb_unlikely(!way->is_direct))
		ontb_way_push_slowly(way);
}

/**
 * ontb_way_next() - when the first queued write is due
 * @way: Way of a stepped fabric.
 * @due: OUT, step.
 *
 * Return: False if nothing is queued; @due is untouched.
 */
bool ontb_way_next(struct ontb_way *way, uint64_t *due);

/**
 * ontb_way_deliver() - deliver the first queued write, if there is one
 * @way: Way of a stepped fabric.
 */
void ontb_way_deliver(struct ontb_way *way);

#endif
