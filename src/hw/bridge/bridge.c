// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Bridge: its ports, its timers and its status.
 */
#include "hw/bridge/bridge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hw/bridge/link.h"

int ontb_bridge_init(struct ontb_bridge *bridge, const struct ontb_model_ops *model,
		     const struct ontb_bridge_config *config)
{
	struct ontb_port *ports;
	int ret;

	ports = aligned_alloc(_Alignof(struct ontb_port), config->nr_ports * sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	memset(ports, 0, config->nr_ports * sizeof(*ports));
	ret = ontb_brlock_init(&bridge->brlock, config->nr_ports);
	if (ret)
		goto free_ports;
	bridge->model = model;
	bridge->nr_ports = config->nr_ports;
	bridge->ports = ports;
	bridge->trace = config->trace;
	bridge->doorbell_hold_ns = config->doorbell_hold_ns;
	bridge->wake = config->wake;
	bridge->wake_arg = config->wake_arg;
	bridge->next_deadline_ns = UINT64_MAX;
	ontb_lock_init(&bridge->timer_lock);
	return 0;

free_ports:
	free(ports);
	return ret;
}

void ontb_bridge_fini(struct ontb_bridge *bridge)
{
	for (unsigned int i = 0; i < bridge->nr_ports; i++)
		ontb_port_fini(&bridge->ports[i]);
	ontb_lock_fini(&bridge->timer_lock);
	ontb_brlock_fini(&bridge->brlock);
	free(bridge->ports);
}

void ontb_bridge_free(struct ontb_bridge *bridge)
{
	if (bridge)
		bridge->model->free(bridge);
}

unsigned int ontb_bridge_nr_ports(const struct ontb_bridge *bridge)
{
	return bridge->nr_ports;
}

const char *ontb_bridge_model_name(const struct ontb_bridge *bridge)
{
	return bridge->model->name;
}

struct ontb_func *ontb_bridge_func(struct ontb_bridge *bridge, unsigned int port_idx)
{
	return port_idx < bridge->nr_ports ? &bridge->ports[port_idx].func : NULL;
}

void ontb_bridge_message_came(struct ontb_port *port)
{
	struct ontb_bridge *bridge = port->bridge;

	atomic_fetch_add_explicit(&port->nr_messages, 1, memory_order_relaxed);
	if (bridge->doorbell_hold_ns)
		ontb_doorbell_hold(port, ontb_clock_ns() + bridge->doorbell_hold_ns);
}

void ontb_bridge_message_done(struct ontb_port *port)
{
	if (port->bridge->doorbell_hold_ns)
		ontb_doorbell_end_hold(port);
}

void ontb_bridge_want_timer(struct ontb_bridge *bridge, uint64_t deadline_ns)
{
	bool is_news;

	ontb_lock(&bridge->timer_lock);
	is_news = deadline_ns < bridge->next_deadline_ns;
	if (is_news)
		bridge->next_deadline_ns = deadline_ns;
	ontb_unlock(&bridge->timer_lock);
	if (is_news && bridge->wake)
		bridge->wake(bridge->wake_arg, deadline_ns);
}

uint64_t ontb_bridge_run_timers(struct ontb_bridge *bridge, uint64_t now_ns)
{
	uint64_t next;

	if (!bridge->doorbell_hold_ns)
		return UINT64_MAX;
	/* A deadline that appears while the ports are asked must call wake(), so the old one is forgotten first. */
	ontb_lock(&bridge->timer_lock);
	bridge->next_deadline_ns = UINT64_MAX;
	ontb_unlock(&bridge->timer_lock);
	for (unsigned int i = 0; i < bridge->nr_ports; i++) {
		uint64_t deadline;

		ontb_brlock_read_lock(&bridge->brlock, i);
		deadline = ontb_doorbell_run_timer(&bridge->ports[i], now_ns);
		ontb_brlock_read_unlock(&bridge->brlock, i);
		ontb_lock(&bridge->timer_lock);
		if (deadline < bridge->next_deadline_ns)
			bridge->next_deadline_ns = deadline;
		ontb_unlock(&bridge->timer_lock);
	}
	ontb_lock(&bridge->timer_lock);
	next = bridge->next_deadline_ns;
	ontb_unlock(&bridge->timer_lock);
	return next;
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void get_counters(struct ontb_port *port, struct ontb_port_status *status)
{
	status->reg_reads = get(&port->counters.reg_reads);
	status->reg_writes = get(&port->counters.reg_writes);
	status->window_reads = get(&port->counters.window_reads);
	status->window_writes = get(&port->counters.window_writes);
	status->window_bytes = get(&port->counters.window_bytes);
	status->unsupported = get(&port->counters.unsupported);
	status->dropped = get(&port->counters.dropped);
	status->gated = get(&port->nr_gated);
	status->blocked = get(&port->nr_blocked);
	status->messages = get(&port->nr_messages);
	status->interrupts = get(&port->nr_interrupts);
	ontb_doorbell_snapshot(port, &status->doorbell_pending, &status->doorbell_enabled, &status->doorbells);
	ontb_lock(&port->error_lock);
	memcpy(status->last_error, port->last_error, sizeof(status->last_error));
	ontb_unlock(&port->error_lock);
}

int ontb_bridge_port_status(struct ontb_bridge *bridge, unsigned int port_idx, struct ontb_port_status *status)
{
	struct ontb_port *port;

	if (port_idx >= bridge->nr_ports)
		return -ERANGE;
	port = &bridge->ports[port_idx];
	*status = (struct ontb_port_status){ .peer_idx = port->peer_idx };
	ontb_brlock_read_lock(&bridge->brlock, port_idx);
	status->attached = ontb_port_is_attached(port);
	status->link_up = ontb_link_is_up(port);
	status->nr_windows = ontb_windows_list(port, NULL, 0);
	ontb_brlock_read_unlock(&bridge->brlock, port_idx);
	status->bus_master = atomic_load_explicit(&port->bus_master, memory_order_relaxed);
	status->memory_enabled = atomic_load_explicit(&port->memory_enabled, memory_order_relaxed);
	get_counters(port, status);
	return 0;
}

int ontb_bridge_windows(struct ontb_bridge *bridge, unsigned int port_idx, struct ontb_window_status *windows,
			size_t max)
{
	unsigned int nr_windows;

	if (port_idx >= bridge->nr_ports)
		return -ERANGE;
	ontb_brlock_read_lock(&bridge->brlock, port_idx);
	nr_windows = ontb_windows_list(&bridge->ports[port_idx], windows, max);
	ontb_brlock_read_unlock(&bridge->brlock, port_idx);
	return (int)nr_windows;
}
