// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Log lines and their rate limit.
 */
#include "base/log.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"

#define LINES_PER_WINDOW 10
#define LINE_MAX_LEN	 512

static struct ontb_lock log_lock = { PTHREAD_MUTEX_INITIALIZER };
static ontb_log_sink_fn *log_sink; /* log_lock */
static void *log_sink_arg;	   /* log_lock */
static _Atomic int log_level = ONTB_LOG_NOTICE;

void ontb_log_set_level(enum ontb_log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

void ontb_log_set_sink(ontb_log_sink_fn *sink, void *arg)
{
	ontb_lock(&log_lock);
	log_sink = sink;
	log_sink_arg = arg;
	ontb_unlock(&log_lock);
}

static void emit(enum ontb_log_level level, const char *line)
{
	ontb_lock(&log_lock);
	if (log_sink)
		log_sink(log_sink_arg, level, line);
	else
		fprintf(stderr, "openntb: %s\n", line);
	ontb_unlock(&log_lock);
}

static bool is_wanted(enum ontb_log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

void ontb_log(enum ontb_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	emit(level, line);
}

/*
 * Two threads may start a window at the same moment; then both count in it and a line more or less passes. That is all
 * that can go wrong, and it spares a lock on a path that a flooding guest takes.
 */
static bool may_pass(struct ontb_ratelimit *limit)
{
	uint64_t now = ontb_clock_ns();
	uint64_t start = atomic_load_explicit(&limit->window_start_ns, memory_order_relaxed);

	if (!start || now - start >= ONTB_NS_PER_S) {
		atomic_store_explicit(&limit->window_start_ns, now, memory_order_relaxed);
		atomic_store_explicit(&limit->nr_in_window, 0, memory_order_relaxed);
	}
	return atomic_fetch_add_explicit(&limit->nr_in_window, 1, memory_order_relaxed) < LINES_PER_WINDOW;
}

void ontb_log_limited(struct ontb_ratelimit *limit, enum ontb_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_LEN], more[LINE_MAX_LEN + 64];
	uint32_t nr_suppressed;
	va_list args;

	if (!is_wanted(level))
		return;
	if (!may_pass(limit)) {
		atomic_fetch_add_explicit(&limit->nr_suppressed, 1, memory_order_relaxed);
		return;
	}
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	nr_suppressed = atomic_exchange_explicit(&limit->nr_suppressed, 0, memory_order_relaxed);
	if (!nr_suppressed) {
		emit(level, line);
		return;
	}
	(void)snprintf(more, sizeof(more), "%s (%u more like this were left out)", line, nr_suppressed);
	emit(level, more);
}
