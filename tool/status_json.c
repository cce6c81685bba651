// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * State of a server as JSON. 64-bit masks and addresses are hexadecimal text, because many readers of JSON keep numbers as
 * floating point, which loses bits above 2^53.
 */
#include "tool/status_json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "tool/socket_dir.h"

static void add_uint(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void add_bool(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

static void add_text(struct json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, json_object_new_string(value));
}

static void add_hex(struct json_object *to, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "0x%" PRIx64, value);
	add_text(to, key, text);
}

static struct json_object *client_json(const struct ontb_vfio_user_status *wire)
{
	struct json_object *client = json_object_new_object();

	if (!client)
		return NULL;
	add_bool(client, "connected", wire->connected);
	add_uint(client, "pid", (uint64_t)wire->pid);
	add_uint(client, "connections", wire->connections);
	add_uint(client, "armed_vectors", wire->armed_vectors);
	add_uint(client, "mappings", wire->nr_mappings);
	add_uint(client, "mapped_bytes", wire->mapped_bytes);
	add_uint(client, "queued_bytes", wire->tx_queued);
	return client;
}

static struct json_object *doorbell_json(const struct ontb_port_status *port)
{
	struct json_object *doorbell = json_object_new_object();

	if (!doorbell)
		return NULL;
	add_hex(doorbell, "pending", port->doorbell_pending);
	add_hex(doorbell, "enabled", port->doorbell_enabled);
	return doorbell;
}

static struct json_object *counters_json(const struct ontb_port_status *port, const struct ontb_vfio_user_status *wire)
{
	struct json_object *counters = json_object_new_object();

	if (!counters)
		return NULL;
	add_uint(counters, "register_reads", port->reg_reads);
	add_uint(counters, "register_writes", port->reg_writes);
	add_uint(counters, "window_reads", port->window_reads);
	add_uint(counters, "window_writes", port->window_writes);
	add_uint(counters, "window_bytes", port->window_bytes);
	add_uint(counters, "doorbells", port->doorbells);
	add_uint(counters, "messages", port->messages);
	add_uint(counters, "interrupts", port->interrupts);
	add_uint(counters, "unsupported", port->unsupported);
	add_uint(counters, "gated", port->gated);
	add_uint(counters, "dropped", port->dropped);
	add_uint(counters, "rx_messages", wire->rx_messages);
	add_uint(counters, "rx_bytes", wire->rx_bytes);
	add_uint(counters, "rx_calls", wire->rx_calls);
	add_uint(counters, "tx_messages", wire->tx_messages);
	add_uint(counters, "tx_bytes", wire->tx_bytes);
	add_uint(counters, "dma_writes", wire->dma_writes);
	add_uint(counters, "dma_reads", wire->dma_reads);
	add_uint(counters, "wire_errors", wire->errors);
	return counters;
}

static struct json_object *window_json(const struct ontb_window_status *window)
{
	struct json_object *entry = json_object_new_object();

	if (!entry)
		return NULL;
	add_uint(entry, "bar", window->bar);
	add_hex(entry, "offset", window->offset);
	add_uint(entry, "size", window->size);
	add_text(entry, "kind", window->is_lut ? "lut" : "direct");
	add_uint(entry, "target", window->target);
	add_hex(entry, "address", window->addr);
	return entry;
}

/* Windows may open and close between the two calls: what fits into the room for the first count is listed. */
static struct json_object *windows_json(struct ontb_bridge *bridge, unsigned int port_idx)
{
	struct json_object *list = json_object_new_array();
	int nr_windows = ontb_bridge_windows(bridge, port_idx, NULL, 0);
	struct ontb_window_status *windows = NULL;
	int nr_now;

	if (!list || nr_windows <= 0)
		return list;
	windows = calloc((size_t)nr_windows, sizeof(*windows));
	if (!windows) {
		(void)json_object_put(list);
		return NULL;
	}
	nr_now = ontb_bridge_windows(bridge, port_idx, windows, (size_t)nr_windows);
	for (int i = 0; i < nr_now && i < nr_windows; i++)
		(void)json_object_array_add(list, window_json(&windows[i]));
	free(windows);
	return list;
}

static struct json_object *errors_json(const struct ontb_port_status *port, const struct ontb_vfio_user_status *wire)
{
	struct json_object *errors = json_object_new_object();

	if (!errors)
		return NULL;
	add_text(errors, "bridge", port->last_error);
	add_text(errors, "wire", wire->last_error);
	return errors;
}

static struct json_object *port_json(const struct ontb_status_source *source, unsigned int port_idx)
{
	struct ontb_vfio_user_status wire = { 0 };
	struct ontb_port_status port = { 0 };
	char path[ONTB_SOCKET_PATH_SIZE] = "";
	struct json_object *entry = json_object_new_object();

	if (!entry)
		return NULL;
	if (ontb_bridge_port_status(source->bridge, port_idx, &port) ||
	    ontb_vfio_user_server_status(source->server, port_idx, &wire) ||
	    ontb_socket_dir_port_path(source->socket_dir, port_idx, path, sizeof(path))) {
		(void)json_object_put(entry);
		return NULL;
	}
	add_uint(entry, "port", port_idx);
	add_text(entry, "socket", path);
	add_uint(entry, "peer", port.peer_idx);
	add_text(entry, "link", port.link_up ? "up" : "down");
	add_bool(entry, "attached", port.attached);
	add_bool(entry, "bus_master", port.bus_master);
	add_bool(entry, "memory_enabled", port.memory_enabled);
	json_object_object_add(entry, "client", client_json(&wire));
	json_object_object_add(entry, "doorbell", doorbell_json(&port));
	json_object_object_add(entry, "counters", counters_json(&port, &wire));
	json_object_object_add(entry, "windows", windows_json(source->bridge, port_idx));
	json_object_object_add(entry, "last_errors", errors_json(&port, &wire));
	return entry;
}

struct json_object *ontb_status_json(const struct ontb_status_source *source)
{
	struct json_object *reply = json_object_new_object();
	struct json_object *ports = json_object_new_array();
	unsigned int nr_ports = ontb_bridge_nr_ports(source->bridge);

	if (!reply || !ports)
		goto put_both;
	add_bool(reply, "ok", true);
	add_uint(reply, "schema", ONTB_STATUS_SCHEMA);
	add_text(reply, "version", ONTB_VERSION);
	add_text(reply, "model", ontb_bridge_model_name(source->bridge));
	add_uint(reply, "pid", (uint64_t)getpid());
	add_uint(reply, "uptime_ms", (ontb_clock_ns() - source->start_ns) / ONTB_NS_PER_MS);
	add_text(reply, "socket_dir", source->socket_dir);
	for (unsigned int i = 0; i < nr_ports; i++) {
		struct json_object *port = port_json(source, i);

		if (!port || json_object_array_add(ports, port)) {
			(void)json_object_put(port);
			goto put_both;
		}
	}
	json_object_object_add(reply, "ports", ports);
	return reply;

put_both:
	(void)json_object_put(ports);
	(void)json_object_put(reply);
	return NULL;
}
