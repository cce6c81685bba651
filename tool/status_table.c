// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Status as tables. A table is a list of columns, each with the path of a JSON member; what a cell shows is what the member
 * holds, so that a table has no code of its own.
 */
#include "tool/status_table.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>
#include <string.h>

/**
 * struct column - one column of a table
 * @title:  Its heading.
 * @path:   Members on the way to the value, separated by a dot.
 * @is_num: To the right.
 */
struct column {
	const char *title;
	const char *path;
	bool is_num;
};

static const struct column port_columns[] = {
	{ "PORT", "port", true },
	{ "PEER", "peer", true },
	{ "LINK", "link", false },
	{ "ATTACHED", "attached", false },
	{ "PID", "client.pid", true },
	{ "BUSMASTER", "bus_master", false },
	{ "MEMORY", "memory_enabled", false },
	{ "VECTORS", "client.armed_vectors", true },
	{ "MAPPED", "client.mapped_bytes", true },
	{ "DB-PENDING", "doorbell.pending", true },
	{ "DB-ENABLED", "doorbell.enabled", true },
	{ "SOCKET", "socket", false },
};

static const struct column traffic_columns[] = {
	{ "PORT", "port", true },
	{ "REG-READS", "counters.register_reads", true },
	{ "REG-WRITES", "counters.register_writes", true },
	{ "WIN-READS", "counters.window_reads", true },
	{ "WIN-WRITES", "counters.window_writes", true },
	{ "WIN-BYTES", "counters.window_bytes", true },
	{ "DOORBELLS", "counters.doorbells", true },
	{ "MESSAGES", "counters.messages", true },
	{ "INTERRUPTS", "counters.interrupts", true },
	{ "UNSUPPORTED", "counters.unsupported", true },
	{ "GATED", "counters.gated", true },
	{ "DROPPED", "counters.dropped", true },
};

static const struct column wire_columns[] = {
	{ "PORT", "port", true },
	{ "CLIENTS", "client.connections", true },
	{ "RX-MESSAGES", "counters.rx_messages", true },
	{ "RX-BYTES", "counters.rx_bytes", true },
	{ "RX-CALLS", "counters.rx_calls", true },
	{ "TX-MESSAGES", "counters.tx_messages", true },
	{ "TX-BYTES", "counters.tx_bytes", true },
	{ "QUEUED", "client.queued_bytes", true },
	{ "DMA-WRITES", "counters.dma_writes", true },
	{ "DMA-READS", "counters.dma_reads", true },
	{ "ERRORS", "counters.wire_errors", true },
};

static const struct column window_columns[] = {
	{ "BAR", "bar", true },	   { "OFFSET", "offset", true }, { "SIZE", "size", true },
	{ "KIND", "kind", false }, { "TARGET", "target", true }, { "ADDRESS", "address", true },
};

/* Follow a path such as "client.pid"; NULL if a member is missing. */
static struct json_object *find(struct json_object *object, const char *path)
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

static const char *text_of(struct json_object *value)
{
	if (!value)
		return "-";
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "yes" : "no";
	return json_object_get_string(value);
}

static struct libscols_table *new_table(FILE *out, const struct column *columns, size_t nr_columns)
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

/* Fill a row; the first @first_idx cells are the caller's. */
static int fill_row(struct libscols_line *line, struct json_object *object, const struct column *columns,
		    size_t nr_columns, size_t first_idx)
{
	int ret = 0;

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < nr_columns && !ret; i++)
		ret = scols_line_set_data(line, first_idx + i, text_of(find(object, columns[i].path)));
	return ret;
}

static int print_port_table(FILE *out, struct json_object *ports, const char *title, const struct column *columns,
			    size_t nr_columns)
{
	struct libscols_table *table = new_table(out, columns, nr_columns);
	int ret = 0;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(ports) && !ret; i++)
		ret = fill_row(scols_table_new_line(table, NULL), json_object_array_get_idx(ports, i), columns,
			       nr_columns, 0);
	if (!ret) {
		fprintf(out, "\n%s\n", title);
		ret = scols_print_table(table) ? -ENOMEM : 0;
	}
	scols_unref_table(table);
	return ret;
}

static int add_windows(struct libscols_table *table, struct json_object *port)
{
	struct json_object *windows = find(port, "windows");
	size_t nr_windows = json_object_is_type(windows, json_type_array) ? json_object_array_length(windows) : 0;
	int ret = 0;

	for (size_t i = 0; i < nr_windows && !ret; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		ret = fill_row(line, json_object_array_get_idx(windows, i), window_columns,
			       ONTB_ARRAY_SIZE(window_columns), 1);
		if (!ret)
			ret = scols_line_set_data(line, 0, text_of(find(port, "port")));
	}
	return ret;
}

static int print_windows(FILE *out, struct json_object *ports)
{
	static const struct column port_column = { "PORT", "port", true };
	struct libscols_table *table = new_table(out, &port_column, 1);
	int ret = 0;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(window_columns); i++) {
		if (!scols_table_new_column(table, window_columns[i].title, 0,
					    window_columns[i].is_num ? SCOLS_FL_RIGHT : 0))
			ret = -ENOMEM;
	}
	for (size_t i = 0; i < json_object_array_length(ports) && !ret; i++)
		ret = add_windows(table, json_object_array_get_idx(ports, i));
	if (!ret) {
		fputs("\nOpen windows", out);
		fputs(scols_table_get_nlines(table) ? "\n" : ": none\n", out);
		ret = scols_table_get_nlines(table) && scols_print_table(table) ? -ENOMEM : 0;
	}
	scols_unref_table(table);
	return ret;
}

static void print_errors(FILE *out, struct json_object *ports)
{
	static const char *const sides[] = { "bridge", "wire" };
	bool has_title = false;

	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		for (size_t j = 0; j < ONTB_ARRAY_SIZE(sides); j++) {
			struct json_object *error = find(find(port, "last_errors"), sides[j]);

			if (!error || !*json_object_get_string(error))
				continue;
			if (!has_title)
				fputs("\nLast errors\n", out);
			has_title = true;
			fprintf(out, "port %s, %s: %s\n", text_of(find(port, "port")), sides[j],
				json_object_get_string(error));
		}
	}
}

int ontb_status_print(FILE *out, struct json_object *status)
{
	struct json_object *ports = find(status, "ports");
	int ret;

	if (!json_object_is_type(ports, json_type_array))
		return -EPROTO;
	fprintf(out, "openntb %s, model %s, process %s, up %" PRIu64 " s\n", text_of(find(status, "version")),
		text_of(find(status, "model")), text_of(find(status, "pid")),
		json_object_get_uint64(find(status, "uptime_ms")) / 1000);
	ret = print_port_table(out, ports, "Ports", port_columns, ONTB_ARRAY_SIZE(port_columns));
	if (!ret)
		ret = print_port_table(out, ports, "Traffic", traffic_columns, ONTB_ARRAY_SIZE(traffic_columns));
	if (!ret)
		ret = print_port_table(out, ports, "Wire", wire_columns, ONTB_ARRAY_SIZE(wire_columns));
	if (!ret)
		ret = print_windows(out, ports);
	if (!ret)
		print_errors(out, ports);
	return ret;
}
