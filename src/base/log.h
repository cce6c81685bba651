/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Log lines: one per event, written by the layer that knows who did it, as "who: what: why".
 *
 * A peer that misbehaves a million times a second must not fill a disk, so lines that a guest or peer can cause go
 * through a rate limit, which tells how many it left out.
 */
#ifndef ONTB_BASE_LOG_H
#define ONTB_BASE_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include <openntb/log.h>

#include "base/annotate.h"

/**
 * struct ontb_ratelimit - allows bursts, then one line per interval
 * @window_start_ns: Start of the current interval.
 * @nr_in_window:    Lines asked for in it.
 * @nr_suppressed:   Lines left out since the last one that was written.
 *
 * All zero is the initial state. Fields are atomic; no lock.
 */
struct ontb_ratelimit {
	_Atomic uint64_t window_start_ns;
	_Atomic uint32_t nr_in_window;
	_Atomic uint32_t nr_suppressed;
};

/**
 * ontb_log() - write a line
 * @level: How important.
 * @fmt:   Text as for printf(), without newline.
 *
 * Context: Any thread. Takes the log lock; not from a signal handler.
 */
void ontb_log(enum ontb_log_level level, const char *fmt, ...) ONTB_PRINTF(2, 3);

/**
 * ontb_log_limited() - write a line unless too many were written lately
 * @limit: State of this kind of line; all zero at first.
 * @level: How important.
 * @fmt:   Text as for printf(), without newline.
 *
 * Ten lines a second pass; the first one after a silence says how many were left out.
 *
 * Context: As ontb_log().
 */
void ontb_log_limited(struct ontb_ratelimit *limit, enum ontb_log_level level, const char *fmt, ...) ONTB_PRINTF(3, 4);

#endif
