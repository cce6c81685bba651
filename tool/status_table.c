// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Status as tables: which members they show.
 */
#include "tool/status_table.h"

#include <errno.h>
#include <inttypes.h>

#include "tool/json_table.h"

static const struct ontb_json_column port_columns[] = {
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

static const struct ontb_json_column traffic_columns[] = {
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
	{ "BLOCKED", "counters.blocked", true },
	{ "DROPPED", "counters.dropped", true },
};

static const struct ontb_json_column wire_columns[] = {
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

static const struct ontb_json_column window_columns[] = {
	{ "PORT", "port", true },	{ "BAR", "bar", true },	   { "OFFSET", "offset", true },
	{ "SIZE", "size", true },	{ "KIND", "kind", false }, { "TARGET", "target", true },
	{ "ADDRESS", "address", true },
};

/* The windows of all ports, each with its port's number, as one array. */
static struct json_object *all_windows(struct json_object *ports)
{
	struct json_object *all = json_object_new_array();

	for (size_t i = 0; all && i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);
		struct json_object *windows = ontb_json_find(port, "windows");
		size_t nr_windows =
			json_object_is_type(windows, json_type_array) ? json_object_array_length(windows) : 0;

		for (size_t j = 0; j < nr_windows; j++) {
			struct json_object *window = json_object_array_get_idx(windows, j);

			json_object_object_add(window, "port", json_object_get(ontb_json_find(port, "port")));
			if (json_object_array_add(all, json_object_get(window)))
				(void)json_object_put(window);
		}
	}
	return all;
}

static int print_windows(FILE *out, struct json_object *ports)
{
	struct json_object *windows = all_windows(ports);
	int ret = -ENOMEM;

	if (windows)
		ret = ontb_json_table_print(out, windows, "Open windows", window_columns,
					    ONTB_ARRAY_SIZE(window_columns));
	(void)json_object_put(windows);
	return ret;
}

static void print_errors(FILE *out, struct json_object *ports)
{
	static const char *const sides[] = { "bridge", "wire" };
	bool has_title = false;

	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		for (size_t j = 0; j < ONTB_ARRAY_SIZE(sides); j++) {
			struct json_object *error = ontb_json_find(ontb_json_find(port, "last_errors"), sides[j]);

			if (!error || !*json_object_get_string(error))
				continue;
			if (!has_title)
				fputs("\nLast errors\n", out);
			has_title = true;
			fprintf(out, "port %s, %s: %s\n", ontb_json_text(ontb_json_find(port, "port")), sides[j],
				json_object_get_string(error));
		}
	}
}

int ontb_status_print(FILE *out, struct json_object *status)
{
	struct json_object *ports = ontb_json_find(status, "ports");
	int ret;

	if (!json_object_is_type(ports, json_type_array))
		return -EPROTO;
	fprintf(out, "openntb %s, model %s, process %s, up %" PRIu64 " s\n",
		ontb_json_text(ontb_json_find(status, "version")), ontb_json_text(ontb_json_find(status, "model")),
		ontb_json_text(ontb_json_find(status, "pid")),
		json_object_get_uint64(ontb_json_find(status, "uptime_ms")) / 1000);
	ret = ontb_json_table_print(out, ports, "Ports", port_columns, ONTB_ARRAY_SIZE(port_columns));
	if (!ret)
		ret = ontb_json_table_print(out, ports, "Traffic", traffic_columns, ONTB_ARRAY_SIZE(traffic_columns));
	if (!ret)
		ret = ontb_json_table_print(out, ports, "Wire", wire_columns, ONTB_ARRAY_SIZE(wire_columns));
	if (!ret)
		ret = print_windows(out, ports);
	if (!ret)
		print_errors(out, ports);
	return ret;
}
