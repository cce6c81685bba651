/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Event trace: what crossed the bridge, as Chrome/Perfetto trace event JSON.
 *
 * A layer holds a pointer to the trace, NULL when nobody traces; the test for NULL is all that an untraced access pays.
 */
#ifndef ONTB_BASE_TRACE_H
#define ONTB_BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/trace.h>

#include "base/annotate.h"

#define ONTB_TRACE_MAX_ARGS 6

/**
 * struct ontb_trace_arg - one value of an event
 * @key:  Name, constant text without characters that JSON escapes; NULL ends the list.
 * @text: Value as text, or NULL for a number.
 * @num:  Value as a number; written in hexadecimal if @hex, because JSON numbers lose bits above 2^53.
 * @hex:  .
 */
struct ontb_trace_arg {
	const char *key;
	const char *text;
	uint64_t num;
	bool hex;
};

/**
 * struct ontb_trace_event - something that happened
 * @category: "wire", "config", "register", "window", "dma", "doorbell", "message", "interrupt", "link" or "lock".
 * @name:     What: for registers the register's name.
 * @port_idx: Port it happened at.
 * @start_ns: ontb_clock_ns() when it began; 0 means now.
 * @end_ns:   When it ended; 0 for an event without a duration.
 * @args:     Values, ended by a NULL key or by the end of the array.
 */
struct ontb_trace_event {
	const char *category;
	const char *name;
	unsigned int port_idx;
	uint64_t start_ns;
	uint64_t end_ns;
	struct ontb_trace_arg args[ONTB_TRACE_MAX_ARGS];
};

/**
 * ontb_trace_set_value() - show the data of an access
 * @arg: OUT, becomes "value" if the access is small enough to be read as a number; otherwise left alone.
 * @buf: Data, little endian; NULL if there is none.
 * @len: Bytes.
 */
void ontb_trace_set_value(struct ontb_trace_arg *arg, const void *buf, size_t len);

/**
 * ontb_trace_emit() - write an event
 * @trace: Trace, not NULL.
 * @event: Event; copied.
 *
 * A write error (disk full) is logged once; later events are counted as lost and the process goes on.
 *
 * Context: Any thread. Takes the trace lock.
 */
void ontb_trace_emit(struct ontb_trace *trace, const struct ontb_trace_event *event);

#endif
