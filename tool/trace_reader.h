/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Reads a trace file event by event, with memory for one event, whatever the size of the file.
 */
#ifndef ONTB_TOOL_TRACE_READER_H
#define ONTB_TOOL_TRACE_READER_H

#include <json-c/json_types.h>
#include <stdio.h>

#include "base/annotate.h"

struct ontb_trace_reader;

/**
 * ontb_trace_reader_new() - start to read a trace
 * @file: Stream to read from; the caller's, outlives the reader.
 * @out:  OUT.
 *
 * Return: 0, or
 *         -ENOMEM  no memory.
 */
int ontb_trace_reader_new(FILE *file, struct ontb_trace_reader **out) ONTB_MUST_CHECK;

/**
 * ontb_trace_reader_next() - read one event
 * @reader: Reader.
 * @out:    OUT, the event, an object; the caller takes it over.
 *
 * Return: 0, or
 *         -ENODATA  the list of events ended with its bracket.
 *         -EAGAIN   the file ends inside the list, as that of a server that runs or was killed; more may come.
 *         -EPROTO   what is there is no trace; ontb_trace_reader_error() says why and ontb_trace_reader_line() where.
 *         other     reading failed.
 */
int ontb_trace_reader_next(struct ontb_trace_reader *reader, struct json_object **out) ONTB_MUST_CHECK;

/**
 * ontb_trace_reader_line() - where the reader is
 * @reader: Reader.
 *
 * Return: Line number, from 1 on.
 */
unsigned long ontb_trace_reader_line(const struct ontb_trace_reader *reader);

/**
 * ontb_trace_reader_error() - what was wrong with the file
 * @reader: Reader.
 *
 * Return: Constant text.
 */
const char *ontb_trace_reader_error(const struct ontb_trace_reader *reader);

/**
 * ontb_trace_reader_free() - end reading
 * @reader: Reader or NULL.
 */
void ontb_trace_reader_free(struct ontb_trace_reader *reader);

#endif
