// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Link.
 */
#include "hw/bridge/link.h"

#include <stdatomic.h>

#include "base/log.h"
#include "base/trace.h"
#include "hw/bridge/bridge.h"
#include "hw/bridge/port.h"

static bool is_ready(const struct ontb_port *port)
{
	return ontb_port_is_attached(port) && atomic_load_explicit(&port->driver_ready, memory_order_relaxed);
}

bool ontb_link_is_up(const struct ontb_port *port)
{
	return is_ready(port) && is_ready(&port->bridge->ports[port->peer_idx]);
}

static void trace_link(const struct ontb_port *port, const char *what)
{
	ontb_trace_emit(port->bridge->trace, &(struct ontb_trace_event){
						     .category = "link",
						     .name = what,
						     .port_idx = port->idx,
						     .args = { { .key = "peer", .num = port->peer_idx } },
					     });
}

void ontb_link_set_ready(struct ontb_port *port, bool ready)
{
	if (atomic_exchange_explicit(&port->driver_ready, ready, memory_order_relaxed) == ready)
		return;
	if (ontb_unlikely(port->bridge->trace))
		trace_link(port, ready ? "driver ready" : "driver gone");
}

void ontb_link_lost(struct ontb_port *port)
{
	struct ontb_bridge *bridge = port->bridge;
	unsigned int nr_closed = 0;

	ontb_link_set_ready(port, false);
	for (unsigned int i = 0; i < bridge->nr_ports; i++)
		nr_closed += ontb_windows_close_into(&bridge->ports[i], port);
	ontb_doorbell_reset(port);
	bridge->model->host_lost(port);
	if (nr_closed)
		ontb_log_limited(&port->log_limit, ONTB_LOG_INFO, "port %u: %u windows into its host closed", port->idx,
				 nr_closed);
}
