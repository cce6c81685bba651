/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * An emulated non-transparent bridge: ports to which hosts attach, whatever the model.
 */
#ifndef OPENNTB_BRIDGE_H
#define OPENNTB_BRIDGE_H

#include <openntb/access.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ports a bridge can have: the Switchtec register blocks have room for 48 partitions. */
#define ONTB_MAX_PORTS 48

/* Length of a name or a piece of text in a status, with its final NUL. */
#define ONTB_STATUS_TEXT 160

struct ontb_bridge;

/**
 * struct ontb_port_status - a snapshot of one port
 * @attached:         A host is attached.
 * @bus_master:       The host has bus mastering switched on.
 * @memory_enabled:   The host has memory decoding switched on.
 * @link_up:          Both this port and its peer are attached and the function's driver has announced itself.
 * @peer_idx:         Port this one is paired with.
 * @nr_windows:       Windows in this port's BARs that are open now.
 * @reg_reads:        Register reads so far; so on for the next ones.
 * @reg_writes:       .
 * @window_reads:     Accesses that a window of this port translated.
 * @window_writes:    .
 * @window_bytes:     Bytes of both.
 * @unsupported:      Accesses of this host that no window or no memory answered.
 * @gated:            Accesses into this host dropped because its bus mastering is off.
 * @blocked:          Writes to interrupt addresses of this host dropped because its guard is on and does not have the message.
 * @dropped:          Writes of this host dropped because too many were under way.
 * @doorbells:        Doorbell bits received.
 * @messages:         Messages received.
 * @interrupts:       MSI-X vectors raised.
 * @doorbell_pending: Inbound doorbell bits pending.
 * @doorbell_enabled: Inbound doorbell bits that may interrupt.
 * @last_error:       Last refused access or rule broken, "" if none.
 */
struct ontb_port_status {
	bool attached;
	bool bus_master;
	bool memory_enabled;
	bool link_up;
	unsigned int peer_idx;
	unsigned int nr_windows;
	uint64_t reg_reads;
	uint64_t reg_writes;
	uint64_t window_reads;
	uint64_t window_writes;
	uint64_t window_bytes;
	uint64_t unsupported;
	uint64_t gated;
	uint64_t blocked;
	uint64_t dropped;
	uint64_t doorbells;
	uint64_t messages;
	uint64_t interrupts;
	uint64_t doorbell_pending;
	uint64_t doorbell_enabled;
	char last_error[ONTB_STATUS_TEXT];
};

/**
 * struct ontb_window_status - one open window
 * @bar:       BAR it is in.
 * @offset:    First byte in the BAR.
 * @size:      Bytes.
 * @target:    Port whose host it reaches.
 * @addr:      Address in that host.
 * @is_lut:    Entry of a look-up table, otherwise a direct window.
 */
struct ontb_window_status {
	unsigned int bar;
	uint64_t offset;
	uint64_t size;
	unsigned int target;
	uint64_t addr;
	bool is_lut;
};

/**
 * ontb_bridge_free() - take a bridge apart
 * @bridge: From a model's constructor, or NULL. Every host must have been detached.
 *
 * Context: Any thread, outside accesses.
 */
void ontb_bridge_free(struct ontb_bridge *bridge);

/**
 * ontb_bridge_nr_ports() - how many ports a bridge has
 * @bridge: Bridge, not NULL.
 *
 * Context: Any thread.
 * Return: 2..ONTB_MAX_PORTS.
 */
unsigned int ontb_bridge_nr_ports(const struct ontb_bridge *bridge);

/**
 * ontb_bridge_model_name() - name of the emulated part
 * @bridge: Bridge, not NULL.
 *
 * Context: Any thread.
 * Return: Constant text such as "switchtec".
 */
const char *ontb_bridge_model_name(const struct ontb_bridge *bridge);

/**
 * ontb_bridge_func() - the PCI function of a port
 * @bridge:   Bridge, not NULL.
 * @port_idx: Port, 0..nr_ports-1.
 *
 * Context: Any thread.
 * Return: The function, owned by the bridge, or NULL if there is no such port.
 */
struct ontb_func *ontb_bridge_func(struct ontb_bridge *bridge, unsigned int port_idx);

/**
 * ontb_bridge_port_status() - snapshot of one port
 * @bridge:   Bridge, not NULL.
 * @port_idx: Port.
 * @status:   OUT.
 *
 * Context: Any thread, outside accesses.
 * Return: 0, or
 *         -ERANGE  no such port.
 */
int ontb_bridge_port_status(struct ontb_bridge *bridge, unsigned int port_idx, struct ontb_port_status *status);

/**
 * ontb_bridge_windows() - list the open windows in a port's BARs
 * @bridge:   Bridge, not NULL.
 * @port_idx: Port.
 * @windows:  OUT, room for @max entries; may be NULL if @max is 0.
 * @max:      Entries of @windows.
 *
 * Context: Any thread, outside accesses.
 * Return: How many windows are open (may exceed @max; then the first @max are given), or
 *         -ERANGE  no such port.
 */
int ontb_bridge_windows(struct ontb_bridge *bridge, unsigned int port_idx, struct ontb_window_status *windows,
			size_t max);

/**
 * ontb_bridge_run_timers() - do what is due
 * @bridge: Bridge, not NULL.
 * @now_ns: Nanoseconds of CLOCK_MONOTONIC.
 *
 * Only a bridge with an option that delays something ever has timers. The configuration's wake() callback tells when a
 * deadline earlier than the last returned one appears.
 *
 * Context: One thread at a time, outside accesses.
 * Return: Time of the next deadline, or UINT64_MAX if there is none.
 */
uint64_t ontb_bridge_run_timers(struct ontb_bridge *bridge, uint64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
