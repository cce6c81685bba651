// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Event trace file.
 *
 * The format is the "JSON array format" of the Chrome trace event format: viewers accept it also when the final bracket is
 * missing, so a trace of a killed server is still of use. Times are microseconds with three decimals, from the opening on.
 */
#include "base/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"

/**
 * struct ontb_trace - an open trace
 * @lock:     Protects all below.
 * @file:     Where events go.
 * @start_ns: Time zero of the file. Constant.
 * @nr_lost:  Events that could not be written.
 */
struct ontb_trace {
	struct ontb_lock lock;
	FILE *file;
	uint64_t start_ns;
	uint64_t nr_lost;
};

static void write_text(FILE *file, const char *text)
{
	putc_unlocked('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			putc_unlocked('\\', file);
			putc_unlocked(c, file);
		} else if (c < 0x20 || c >= 0x7f) {
			fprintf(file, "\\u%04x", c);
		} else {
			putc_unlocked(c, file);
		}
	}
	putc_unlocked('"', file);
}

static void write_time(FILE *file, const char *key, uint64_t ns)
{
	fprintf(file, ",\"%s\":%" PRIu64 ".%03" PRIu64, key, ns / 1000, ns % 1000);
}

static void write_args(FILE *file, const struct ontb_trace_event *event)
{
	fputs(",\"args\":{", file);
	for (unsigned int i = 0; i < ONTB_TRACE_MAX_ARGS && event->args[i].key; i++) {
		const struct ontb_trace_arg *arg = &event->args[i];

		fprintf(file, "%s\"%s\":", i ? "," : "", arg->key);
		if (arg->text)
			write_text(file, arg->text);
		else if (arg->hex)
			fprintf(file, "\"0x%" PRIx64 "\"", arg->num);
		else
			fprintf(file, "%" PRIu64, arg->num);
	}
	putc_unlocked('}', file);
}

int ontb_trace_open(const char *path, unsigned int nr_ports, struct ontb_trace **out)
{
	struct ontb_trace *trace;
	int ret;

	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return -ENOMEM;
	ontb_lock_init(&trace->lock);
	trace->start_ns = ontb_clock_ns();
	trace->file = fopen(path, "we");
	if (!trace->file) {
		ret = -errno;
		goto free_trace;
	}
	fputs("[{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"openntb\"}}", trace->file);
	for (unsigned int i = 0; i < nr_ports; i++)
		fprintf(trace->file,
			",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"args\":{\"name\":\"port "
			"%u\"}}",
			i, i);
	if (fflush(trace->file)) {
		ret = -errno;
		goto close_file;
	}
	*out = trace;
	return 0;

close_file:
	(void)fclose(trace->file);
free_trace:
	ontb_lock_fini(&trace->lock);
	free(trace);
	return ret;
}

/* A failed write leaves the stream's error flag set; from then on events are only counted. */
static bool is_broken_locked(struct ontb_trace *trace) ONTB_MUST_HOLD(trace->lock)
{
	if (!ferror(trace->file))
		return false;
	if (!trace->nr_lost++)
		ontb_log(ONTB_LOG_ERROR, "trace: cannot write the trace file; events are lost from here on");
	return true;
}

void ontb_trace_set_value(struct ontb_trace_arg *arg, const void *buf, size_t len)
{
	uint8_t bytes[8] = { 0 };

	if (!buf || len > sizeof(bytes))
		return;
	memcpy(bytes, buf, len);
	*arg = (struct ontb_trace_arg){ .key = "value", .num = ontb_get_le64(bytes), .hex = true };
}

void ontb_trace_emit(struct ontb_trace *trace, const struct ontb_trace_event *event)
{
	uint64_t start = event->start_ns ? event->start_ns : ontb_clock_ns();

	ontb_lock(&trace->lock);
	if (is_broken_locked(trace))
		goto unlock;
	fputs(",\n{\"name\":", trace->file);
	write_text(trace->file, event->name);
	fprintf(trace->file, ",\"cat\":\"%s\",\"pid\":1,\"tid\":%u", event->category, event->port_idx);
	if (event->end_ns) {
		fputs(",\"ph\":\"X\"", trace->file);
		write_time(trace->file, "dur", event->end_ns > start ? event->end_ns - start : 0);
	} else {
		fputs(",\"ph\":\"i\",\"s\":\"t\"", trace->file);
	}
	write_time(trace->file, "ts", start > trace->start_ns ? start - trace->start_ns : 0);
	write_args(trace->file, event);
	putc_unlocked('}', trace->file);
unlock:
	ontb_unlock(&trace->lock);
}

void ontb_trace_flush(struct ontb_trace *trace)
{
	if (!trace)
		return;
	ontb_lock(&trace->lock);
	(void)fflush(trace->file);
	ontb_unlock(&trace->lock);
}

void ontb_trace_close(struct ontb_trace *trace)
{
	if (!trace)
		return;
	fputs("\n]\n", trace->file);
	if (fclose(trace->file))
		ontb_log(ONTB_LOG_ERROR, "trace: cannot finish the trace file: %s", strerrordesc_np(errno));
	ontb_lock_fini(&trace->lock);
	free(trace);
}
