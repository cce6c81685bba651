/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * One event of a trace as one line of text.
 */
#ifndef ONTB_TOOL_TRACE_LINE_H
#define ONTB_TOOL_TRACE_LINE_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct ontb_trace_filter - which events are wanted
 * @ports:      Bit mask of ports; 0 means all.
 * @categories: Wanted categories, @nr_categories of them; 0 means all.
 * @nr_categories: .
 */
struct ontb_trace_filter {
	uint64_t ports;
	const char *categories[16];
	unsigned int nr_categories;
};

/**
 * ontb_trace_filter_wants() - whether an event is wanted
 * @filter: Filter.
 * @event:  Event, an object.
 *
 * Return: True if it is; never for an event that only names a row of the viewer.
 */
bool ontb_trace_filter_wants(const struct ontb_trace_filter *filter, struct json_object *event);

/**
 * ontb_trace_line_print() - print an event
 * @out:   Where to.
 * @event: Event, an object; what it lacks is left out, and characters that could control a terminal are replaced.
 */
void ontb_trace_line_print(FILE *out, struct json_object *event);

#endif
