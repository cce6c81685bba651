/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A record of what crosses a bridge, as Chrome/Perfetto trace event JSON. Open one, give it to the configurations of the
 * bridge and of the server, and close it after both are gone.
 */
#ifndef OPENNTB_TRACE_H
#define OPENNTB_TRACE_H

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_trace;

/**
 * ontb_trace_open() - start a trace file
 * @path:     File to create or replace.
 * @nr_ports: Ports, which become the rows of the viewer.
 * @out:      OUT, the trace.
 *
 * Context: Any thread.
 * Return: 0, -ENOMEM, or the error of opening or writing the file.
 */
int ontb_trace_open(const char *path, unsigned int nr_ports, struct ontb_trace **out);

/**
 * ontb_trace_flush() - bring buffered events to the file
 * @trace: Trace or NULL.
 *
 * Context: Any thread. Takes the trace lock.
 */
void ontb_trace_flush(struct ontb_trace *trace);

/**
 * ontb_trace_close() - end the file so that it is complete JSON, and free the trace
 * @trace: Trace or NULL.
 *
 * Context: Nobody uses the trace any more.
 */
void ontb_trace_close(struct ontb_trace *trace);

#ifdef __cplusplus
}
#endif

#endif
