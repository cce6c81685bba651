// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * JSON as tables, laid out by libsmartcols.
 */
#include "tool/json_table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

struct json_object *ontb_json_find(struct json_object *object, const char *path)
{
	char key[32];

	while (object && *path) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		if (!json_object_object_get_ex(object, key, &object))
			return NULL;
		path += path[len] ? len + 1 : len;
	}
	return object;
}

const char *ontb_json_text(struct json_object *value)
{
	if (!value)
		return "-";
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "yes" : "no";
	return json_object_get_string(value);
}

static struct libscols_table *new_table(FILE *out, const struct ontb_json_column *columns, size_t nr_columns)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	(void)scols_table_set_stream(table, out);
	for (size_t i = 0; i < nr_columns; i++) {
		if (!scols_table_new_column(table, columns[i].title, 0, columns[i].is_num ? SCOLS_FL_RIGHT : 0)) {
			scols_unref_table(table);
			return NULL;
		}
	}
	return table;
}

static int fill_row(struct libscols_line *line, struct json_object *object, const struct ontb_json_column *columns,
		    size_t nr_columns)
{
	int ret = 0;

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < nr_columns && !ret; i++)
		ret = scols_line_set_data(line, i, ontb_json_text(ontb_json_find(object, columns[i].path)));
	return ret;
}

int ontb_json_table_print(FILE *out, struct json_object *rows, const char *title,
			  const struct ontb_json_column *columns, size_t nr_columns)
{
	size_t nr_rows = json_object_is_type(rows, json_type_array) ? json_object_array_length(rows) : 0;
	struct libscols_table *table;
	int ret = 0;

	if (!nr_rows) {
		fprintf(out, "\n%s: none\n", title);
		return 0;
	}
	table = new_table(out, columns, nr_columns);
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < nr_rows && !ret; i++)
		ret = fill_row(scols_table_new_line(table, NULL), json_object_array_get_idx(rows, i), columns,
			       nr_columns);
	if (!ret) {
		fprintf(out, "\n%s\n", title);
		ret = scols_print_table(table) ? -ENOMEM : 0;
	}
	scols_unref_table(table);
	return ret;
}
