// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * State of a server as JSON.
 */
#include "tool/status_json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "tool/json_table.h"
#include "tool/socket_dir.h"

static struct json_object *client_json(const struct ontb_vfio_user_status *wire)
{
	struct json_object *client = json_object_new_object();

	if (!client)
		return NULL;
	ontb_json_add_bool(client, "connected", wire->connected);
	ontb_json_add_uint(client, "pid", (uint64_t)wire->pid);
	ontb_json_add_uint(client, "connections", wire->connections);
	ontb_json_add_uint(client, "armed_vectors", wire->armed_vectors);
	ontb_json_add_uint(client, "mappings", wire->nr_mappings);
	ontb_json_add_uint(client, "mapped_bytes", wire->mapped_bytes);
	ontb_json_add_uint(client, "queued_bytes", wire->tx_queued);
	return client;
}

static struct json_object *doorbell_json(const struct ontb_port_status *port)
{
	struct json_object *doorbell = json_object_new_object();

	if (!doorbell)
		return NULL;
	ontb_json_add_hex(doorbell, "pending", port->doorbell_pending);
	ontb_json_add_hex(doorbell, "enabled", port->doorbell_enabled);
	return doorbell;
}

static struct json_object *counters_json(const struct ontb_port_status *port, const struct ontb_vfio_user_status *wire)
{
	struct json_object *counters = json_object_new_object();

	if (!counters)
		return NULL;
	ontb_json_add_uint(counters, "register_reads", port->reg_reads);
	ontb_json_add_uint(counters, "register_writes", port->reg_writes);
	ontb_json_add_uint(counters, "window_reads", port->window_reads);
	ontb_json_add_uint(counters, "window_writes", port->window_writes);
	ontb_json_add_uint(counters, "window_bytes", port->window_bytes);
	ontb_json_add_uint(counters, "doorbells", port->doorbells);
	ontb_json_add_uint(counters, "messages", port->messages);
	ontb_json_add_uint(counters, "interrupts", port->interrupts);
	ontb_json_add_uint(counters, "unsupported", port->unsupported);
	ontb_json_add_uint(counters, "gated", port->gated);
	ontb_json_add_uint(counters, "blocked", port->blocked);
	ontb_json_add_uint(counters, "dropped", port->dropped);
	ontb_json_add_uint(counters, "rx_messages", wire->rx_messages);
	ontb_json_add_uint(counters, "rx_bytes", wire->rx_bytes);
	ontb_json_add_uint(counters, "rx_calls", wire->rx_calls);
	ontb_json_add_uint(counters, "tx_messages", wire->tx_messages);
	ontb_json_add_uint(counters, "tx_bytes", wire->tx_bytes);
	ontb_json_add_uint(counters, "dma_writes", wire->dma_writes);
	ontb_json_add_uint(counters, "dma_reads", wire->dma_reads);
	ontb_json_add_uint(counters, "wire_errors", wire->errors);
	return counters;
}

static struct json_object *window_json(const struct ontb_window_status *window)
{
	struct json_object *entry = json_object_new_object();

	if (!entry)
		return NULL;
	ontb_json_add_uint(entry, "bar", window->bar);
	ontb_json_add_hex(entry, "offset", window->offset);
	ontb_json_add_uint(entry, "size", window->size);
	ontb_json_add_text(entry, "kind", window->is_lut ? "lut" : "direct");
	ontb_json_add_uint(entry, "target", window->target);
	ontb_json_add_hex(entry, "address", window->addr);
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
	ontb_json_add_text(errors, "bridge", port->last_error);
	ontb_json_add_text(errors, "wire", wire->last_error);
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
	ontb_json_add_uint(entry, "port", port_idx);
	ontb_json_add_text(entry, "socket", path);
	ontb_json_add_uint(entry, "peer", port.peer_idx);
	ontb_json_add_text(entry, "link", port.link_up ? "up" : "down");
	ontb_json_add_bool(entry, "attached", port.attached);
	ontb_json_add_bool(entry, "bus_master", port.bus_master);
	ontb_json_add_bool(entry, "memory_enabled", port.memory_enabled);
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
	ontb_json_add_bool(reply, "ok", true);
	ontb_json_add_uint(reply, "schema", ONTB_STATUS_SCHEMA);
	ontb_json_add_text(reply, "version", ONTB_VERSION);
	ontb_json_add_text(reply, "model", ontb_bridge_model_name(source->bridge));
	ontb_json_add_uint(reply, "pid", (uint64_t)getpid());
	ontb_json_add_uint(reply, "uptime_ms", (ontb_clock_ns() - source->start_ns) / ONTB_NS_PER_MS);
	ontb_json_add_text(reply, "socket_dir", source->socket_dir);
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
