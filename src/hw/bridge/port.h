/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A port: the PCI function that a host sees, and what the bridge knows of that host.
 */
#ifndef ONTB_HW_BRIDGE_PORT_H
#define ONTB_HW_BRIDGE_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/access.h>
#include <openntb/bridge.h>

#include "base/annotate.h"
#include "base/log.h"
#include "hw/bridge/config.h"
#include "hw/bridge/doorbell.h"
#include "hw/bridge/guard.h"
#include "hw/bridge/window.h"

/* Vectors that a port can latch while bus mastering is off: bits of one word. */
#define ONTB_PORT_MAX_VECTORS 64

struct ontb_bridge;

/**
 * struct ontb_port_counters - what the host of a port did
 *
 * Changed only inside accesses of the port, one at a time, so a load and a store do; read by anybody.
 */
struct ontb_port_counters {
	_Atomic uint64_t reg_reads;
	_Atomic uint64_t reg_writes;
	_Atomic uint64_t window_reads;
	_Atomic uint64_t window_writes;
	_Atomic uint64_t window_bytes;
	_Atomic uint64_t unsupported;
	_Atomic uint64_t dropped;
};

/**
 * struct ontb_port - a port
 * @func:            What its carrier sees. Constant.
 * @bridge:          Bridge. Constant.
 * @idx:             Number. Constant.
 * @peer_idx:        Port it is paired with. Constant.
 * @nr_vectors:      MSI-X vectors. Constant.
 * @bar_info:        BARs as the carrier sees them. Constant.
 * @bars:            BARs; see there.
 * @host_ops:        Host operations, NULL while no host is attached. Changed inside exclusive sections.
 * @host:            For @host_ops.
 * @bus_master:      Command register bit 2. Written inside accesses of this port.
 * @memory_enabled:  Command register bit 1, likewise.
 * @driver_ready:    The host's driver has announced itself.
 * @latched_vectors: Vectors raised while bus mastering was off.
 * @config:          Configuration space.
 * @doorbell:        Inbound doorbells.
 * @guard:           What may be written to its interrupt addresses.
 * @counters:        What this host did.
 * @nr_gated:        Accesses into this host refused because bus mastering is off.
 * @nr_blocked:      Writes to this host's interrupt addresses that the guard blocked.
 * @nr_messages:     Messages received.
 * @nr_interrupts:   Vectors raised.
 * @log_limit:       Rate of log lines about this host.
 * @error_lock:      Leaf lock of @last_error.
 * @last_error:      Text of the last fault.
 */
struct ontb_port {
	struct ontb_func func;
	struct ontb_bridge *bridge;
	unsigned int idx;
	unsigned int peer_idx;
	unsigned int nr_vectors;
	struct ontb_bar_info bar_info[ONTB_NR_BARS];
	struct ontb_bar bars[ONTB_NR_BARS];
	const struct ontb_host_ops *host_ops;
	void *host;
	_Atomic bool bus_master;
	_Atomic bool memory_enabled;
	_Atomic bool driver_ready;
	_Atomic uint64_t latched_vectors;
	struct ontb_config config;
	struct ontb_doorbell doorbell;
	struct ontb_guard guard;
	_Alignas(64) struct ontb_port_counters counters;
	_Alignas(64) _Atomic uint64_t nr_gated;
	_Atomic uint64_t nr_blocked;
	_Atomic uint64_t nr_messages;
	_Atomic uint64_t nr_interrupts;
	struct ontb_ratelimit log_limit;
	struct ontb_lock error_lock;
	char last_error[ONTB_STATUS_TEXT];
};

/**
 * struct ontb_port_config - what the model says of a port
 * @ids:     Identity.
 * @bars:    BARs.
 * @reg_bar: BAR that holds the registers; the others are windows.
 * @msix:    MSI-X structures; at most ONTB_PORT_MAX_VECTORS.
 */
struct ontb_port_config {
	struct ontb_config_ids ids;
	struct ontb_bar_info bars[ONTB_NR_BARS];
	unsigned int reg_bar;
	struct ontb_config_msix msix;
};

/**
 * ontb_port_init() - make a port without a host
 * @port:     Memory of the caller, zeroed.
 * @bridge:   Bridge.
 * @idx:      Number.
 * @peer_idx: Port it is paired with.
 * @config:   What it is.
 */
void ontb_port_init(struct ontb_port *port, struct ontb_bridge *bridge, unsigned int idx, unsigned int peer_idx,
		    const struct ontb_port_config *config);

/**
 * ontb_port_fini() - undo ontb_port_init() and free the apertures and the guard
 * @port: Port; one that is all zero is fine.
 */
void ontb_port_fini(struct ontb_port *port);

/**
 * ontb_port_raise_vector() - interrupt the host
 * @port:   Port.
 * @vector: MSI-X vector; one the function does not have is refused with a log line.
 *
 * While bus mastering is off a function cannot send the message; the vector is latched and raised when it is on again.
 *
 * Context: Inside an access of any port or inside an exclusive section.
 */
void ontb_port_raise_vector(struct ontb_port *port, unsigned int vector);

/**
 * ontb_port_vector_pending() - MSI-X pending bit
 * @port:   Port.
 * @vector: Vector.
 *
 * Context: Inside an access of @port.
 * Return: True if a signal waits to be sent.
 */
bool ontb_port_vector_pending(const struct ontb_port *port, unsigned int vector);

/**
 * ontb_port_fault() - note and log that a host did something that is refused
 * @port: Port of the host.
 * @fmt:  What and why, as for printf(); the port's number is put before it in the log.
 *
 * Context: Takes the error lock. Rate-limited.
 */
void ontb_port_fault(struct ontb_port *port, const char *fmt, ...) ONTB_PRINTF(2, 3);

/**
 * ontb_port_exclusive() - run a function while no access is under way, from inside an access
 * @port: Port whose access this is.
 * @fn:   Function.
 * @arg:  For @fn.
 *
 * The access ends before and a new one starts after, so everything may have changed on return.
 */
void ontb_port_exclusive(struct ontb_port *port, void (*fn)(void *arg), void *arg);

static inline bool ontb_port_is_attached(const struct ontb_port *port)
{
	return port->host_ops;
}

static inline void ontb_count(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

#endif
