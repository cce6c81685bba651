// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Delays. A write is due a while after it was sent, but never before the one that was sent before it.
 */
#include "fabric/way.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <openntb/machine.h>

#include "base/clock.h"
#include "base/random.h"

/* What may be on its way at a time: much more than a link holds, and an end to a flood. */
#define MAX_QUEUED 65536U
#define MAX_BYTES  (64U << 20)

/**
 * struct ontb_way_write - a write on its way
 * @next: Next one, or NULL.
 * @due:  When it arrives: nanoseconds or step.
 * @addr: Address.
 * @len:  Bytes.
 * @data: Them.
 */
struct ontb_way_write {
	struct ontb_way_write *next;
	uint64_t due;
	uint64_t addr;
	size_t len;
	uint8_t data[];
};

static uint64_t now(const struct ontb_way *way)
{
	return way->steps ? *way->steps : ontb_clock_ns();
}

static void count_dropped(struct ontb_way *way, uint64_t nr)
{
	atomic_fetch_add_explicit(&way->nr_dropped, nr, memory_order_relaxed);
}

void ontb_way_init(struct ontb_way *way, struct ontb_root *root, uint16_t rid, const uint64_t *steps, uint64_t seed)
{
	pthread_condattr_t attr;

	memset(way, 0, sizeof(*way));
	way->root = root;
	way->rid = rid;
	way->steps = steps;
	way->random = seed;
	way->is_direct = true;
	ontb_lock_init(&way->lock);
	/* None of these can fail with these arguments. */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&way->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
}

static struct ontb_way_write *pop_locked(struct ontb_way *way) ONTB_MUST_HOLD(way->lock)
{
	struct ontb_way_write *write = way->first;

	way->first = write->next;
	way->nr_queued--;
	way->nr_bytes -= write->len;
	return write;
}

static void drop_locked(struct ontb_way *way) ONTB_MUST_HOLD(way->lock)
{
	count_dropped(way, way->nr_queued);
	while (way->first)
		free(pop_locked(way));
}

/* What the root says is of no use to a sender that has gone on; the root counts it. */
static void deliver_locked(struct ontb_way *way) ONTB_MUST_HOLD(way->lock)
{
	struct ontb_way_write *write = pop_locked(way);

	(void)ontb_root_write(way->root, way->rid, write->addr, write->data, write->len);
	free(write);
}

static void push_locked(struct ontb_way *way) ONTB_MUST_HOLD(way->lock)
{
	while (way->first)
		deliver_locked(way);
}

void ontb_way_fini(struct ontb_way *way)
{
	if (way->has_thread) {
		ontb_lock(&way->lock);
		way->is_ending = true;
		(void)pthread_cond_signal(&way->changed);
		ontb_unlock(&way->lock);
		(void)pthread_join(way->thread, NULL);
	}
	ontb_lock(&way->lock);
	drop_locked(way);
	ontb_unlock(&way->lock);
	(void)pthread_cond_destroy(&way->changed);
	ontb_lock_fini(&way->lock);
}

/* Sleeps until the first write is due, or until there is one, or until somebody says that something has changed. */
static void wait_locked(struct ontb_way *way) ONTB_MUST_HOLD(way->lock)
{
	struct timespec ts;

	if (!way->first) {
		(void)pthread_cond_wait(&way->changed, &way->lock.mutex);
		return;
	}
	ts.tv_sec = (time_t)(way->first->due / ONTB_NS_PER_S);
	ts.tv_nsec = (long)(way->first->due % ONTB_NS_PER_S);
	(void)pthread_cond_timedwait(&way->changed, &way->lock.mutex, &ts);
}

static void *run(void *arg)
{
	struct ontb_way *way = arg;

	/* The default adds 50 microseconds to each sleep, more than most delays. */
	(void)prctl(PR_SET_TIMERSLACK, 1);
	ontb_lock(&way->lock);
	while (!way->is_ending) {
		if (way->first && way->first->due <= ontb_clock_ns())
			deliver_locked(way);
		else
			wait_locked(way);
	}
	ontb_unlock(&way->lock);
	return NULL;
}

static bool is_delayed(const struct ontb_fabric_way *config)
{
	return config->delay_ns || config->jitter_ns;
}

int ontb_way_prepare(struct ontb_way *way, const struct ontb_fabric_way *config)
{
	int ret;

	if (way->steps || way->has_thread || !is_delayed(config))
		return 0;
	ret = pthread_create(&way->thread, NULL, run, way);
	if (ret)
		return -ret;
	way->has_thread = true;
	return 0;
}

void ontb_way_set(struct ontb_way *way, const struct ontb_fabric_way *config)
{
	ontb_lock(&way->lock);
	way->config = *config;
	if (config->is_down)
		drop_locked(way);
	else if (!is_delayed(config))
		push_locked(way);
	way->is_down = config->is_down;
	way->is_direct = !is_delayed(config) && !config->drop_every && !config->is_down;
	ontb_unlock(&way->lock);
}

void ontb_way_drop(struct ontb_way *way)
{
	ontb_lock(&way->lock);
	drop_locked(way);
	ontb_unlock(&way->lock);
}

static bool is_dropped_locked(struct ontb_way *way, uint64_t addr) ONTB_MUST_HOLD(way->lock)
{
	if (way->config.is_down)
		return true;
	if (!way->config.drop_every || addr < ONTB_X86_MSI_BASE || addr - ONTB_X86_MSI_BASE >= ONTB_X86_MSI_SIZE)
		return false;
	return ++way->nr_messages % way->config.drop_every == 0;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t due_locked(struct ontb_way *way) ONTB_MUST_HOLD(way->lock)
{
	uint64_t due = add(now(way), way->config.delay_ns);

	if (way->config.jitter_ns)
		due = add(due, ontb_random_below(&way->random, add(way->config.jitter_ns, 1)));
	return way->first && way->last->due > due ? way->last->due : due;
}

static int queue_locked(struct ontb_way *way, uint64_t addr, const void *buf, size_t len) ONTB_MUST_HOLD(way->lock)
{
	struct ontb_way_write *write;

	if (way->nr_queued >= MAX_QUEUED || len > MAX_BYTES || way->nr_bytes > MAX_BYTES - len)
		return -ENOBUFS;
	write = malloc(sizeof(*write) + len);
	if (!write)
		return -ENOBUFS;
	write->next = NULL;
	write->due = due_locked(way);
	write->addr = addr;
	write->len = len;
	memcpy(write->data, buf, len);
	if (way->first)
		way->last->next = write;
	else
		way->first = write;
	way->last = write;
	way->nr_queued++;
	way->nr_bytes += len;
	if (way->first == write)
		(void)pthread_cond_signal(&way->changed);
	return 0;
}

int ontb_way_write_slowly(struct ontb_way *way, uint64_t addr, const void *buf, size_t len)
{
	int ret = 0;

	ontb_lock(&way->lock);
	if (is_dropped_locked(way, addr))
		count_dropped(way, 1);
	else if (!is_delayed(&way->config))
		ret = ontb_root_write(way->root, way->rid, addr, buf, len);
	else
		ret = queue_locked(way, addr, buf, len);
	if (ret == -ENOBUFS)
		count_dropped(way, 1);
	ontb_unlock(&way->lock);
	return ret;
}

void ontb_way_push_slowly(struct ontb_way *way)
{
	ontb_lock(&way->lock);
	push_locked(way);
	ontb_unlock(&way->lock);
}

bool ontb_way_next(struct ontb_way *way, uint64_t *due)
{
	bool is_there;

	ontb_lock(&way->lock);
	is_there = way->first;
	if (is_there)
		*due = way->first->due;
	ontb_unlock(&way->lock);
	return is_there;
}

void ontb_way_deliver(struct ontb_way *way)
{
	ontb_lock(&way->lock);
	if (way->first)
		deliver_locked(way);
	ontb_unlock(&way->lock);
}
