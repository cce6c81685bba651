/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * JSON as tables. A table is a list of columns, each with the path of a JSON member; what a cell shows is what the member
 * holds, so that a table has no code of its own.
 */
#ifndef ONTB_TOOL_JSON_TABLE_H
#define ONTB_TOOL_JSON_TABLE_H

#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/annotate.h"

/**
 * struct ontb_json_column - one column of a table
 * @title:  Its heading.
 * @path:   Members on the way to the value, separated by a dot.
 * @is_num: To the right.
 */
struct ontb_json_column {
	const char *title;
	const char *path;
	bool is_num;
};

/**
 * ontb_json_find() - follow a path such as "client.pid"
 * @object: Object, or NULL.
 * @path:   Path.
 *
 * Return: The member, borrowed, or NULL if one on the way is missing.
 */
struct json_object *ontb_json_find(struct json_object *object, const char *path);

/**
 * ontb_json_text() - a value as a cell shows it
 * @value: Value, or NULL.
 *
 * Return: Text that lives as long as the value; "-" for NULL, "yes" and "no" for booleans.
 */
const char *ontb_json_text(struct json_object *value);

/**
 * ontb_json_table_print() - print a table, a row for each object
 * @out:        Where to.
 * @rows:       Array of objects. Without any, "none" is printed behind the title.
 * @title:      Line above the table.
 * @columns:    Columns.
 * @nr_columns: How many.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_json_table_print(FILE *out, struct json_object *rows, const char *title,
			  const struct ontb_json_column *columns, size_t nr_columns) ONTB_MUST_CHECK;

/* Adding a member. Without memory the member is missing, which readers have to expect of any. */
static inline void ontb_json_add_uint(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static inline void ontb_json_add_bool(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

static inline void ontb_json_add_text(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

/* 64-bit masks and addresses are text, because many readers keep numbers as floating point, which loses bits above 2^53. */
static inline void ontb_json_add_hex(struct json_object *to, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
	ontb_json_add_text(to, key, text);
}

#endif
