/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What any bridge does, and the few things that only its model knows.
 */
#ifndef ONTB_HW_BRIDGE_BRIDGE_H
#define ONTB_HW_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/bridge.h>

#include "base/annotate.h"
#include "base/brlock.h"
#include "hw/bridge/port.h"

struct ontb_trace;

/**
 * struct ontb_model_ops - what a model of a bridge must tell
 */
struct ontb_model_ops {
	/** @name: As ontb_bridge_model_name() gives it. */
	const char *name;
	/** @reg_read: Read registers; the range lies inside the BAR. Inside an access of @port. */
	void (*reg_read)(struct ontb_port *port, uint64_t offset, void *buf, size_t len);
	/** @reg_write: Write registers. Inside an access of @port; may use ontb_port_exclusive(). */
	void (*reg_write)(struct ontb_port *port, uint64_t offset, const void *buf, size_t len);
	/** @reg_name: Name of the register at an offset, for traces. Any context. */
	bool (*reg_name)(uint64_t offset, char *buf, size_t len);
	/** @host_lost: The host of @port is leaving or was reset: forget all it set up, tell its peer. Exclusive section. */
	void (*host_lost)(struct ontb_port *port);
	/** @host_changed: A host has attached to @port or has left it. Exclusive section. */
	void (*host_changed)(struct ontb_port *port);
	/** @free: Free the model, with ontb_bridge_fini() inside. */
	void (*free)(struct ontb_bridge *bridge);
};

/**
 * struct ontb_bridge - a bridge; embedded in the model's own structure
 * @model:            Model. Constant.
 * @nr_ports:         Constant.
 * @ports:            Ports. Constant pointer.
 * @trace:            Where events go, or NULL. Constant.
 * @doorbell_hold_ns: How long a message holds doorbell interrupts back, 0 = off. Constant.
 * @wake:             Called when a deadline earlier than @next_deadline_ns appears, or NULL. Constant.
 * @wake_arg:         For @wake. Constant.
 * @timer_lock:       Leaf lock of @next_deadline_ns.
 * @next_deadline_ns: Earliest deadline that the owner knows of.
 * @brlock:           Accesses against exclusive sections; one slot per port.
 */
struct ontb_bridge {
	const struct ontb_model_ops *model;
	unsigned int nr_ports;
	struct ontb_port *ports;
	struct ontb_trace *trace;
	uint64_t doorbell_hold_ns;
	void (*wake)(void *arg, uint64_t deadline_ns);
	void *wake_arg;
	struct ontb_lock timer_lock;
	uint64_t next_deadline_ns;
	struct ontb_brlock brlock;
};

/**
 * struct ontb_bridge_config - what is common to all models
 * @nr_ports:         2..ONTB_MAX_PORTS, even: ports 2n and 2n+1 are a pair.
 * @doorbell_hold_ns: As in struct ontb_bridge.
 * @trace:            Likewise.
 * @wake:             Likewise.
 * @wake_arg:         Likewise.
 */
struct ontb_bridge_config {
	unsigned int nr_ports;
	uint64_t doorbell_hold_ns;
	struct ontb_trace *trace;
	void (*wake)(void *arg, uint64_t deadline_ns);
	void *wake_arg;
};

/**
 * ontb_bridge_init() - make a bridge whose ports are all zero; the model calls ontb_port_init() for each
 * @bridge: Memory of the caller.
 * @model:  Model.
 * @config: The rest.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_bridge_init(struct ontb_bridge *bridge, const struct ontb_model_ops *model,
		     const struct ontb_bridge_config *config) ONTB_MUST_CHECK;

/**
 * ontb_bridge_fini() - undo ontb_bridge_init() and all ontb_port_init()
 * @bridge: Bridge without hosts.
 */
void ontb_bridge_fini(struct ontb_bridge *bridge);

/**
 * ontb_bridge_want_timer() - ask for ontb_bridge_run_timers() at a time
 * @bridge:      Bridge.
 * @deadline_ns: When.
 *
 * Context: Any; takes the timer lock, calls wake() after it.
 */
void ontb_bridge_want_timer(struct ontb_bridge *bridge, uint64_t deadline_ns);

/**
 * ontb_bridge_message_came() - count a message and start the doorbell hold, if that is on
 * @port: Port that received it.
 *
 * Context: Inside an access of any port.
 */
void ontb_bridge_message_came(struct ontb_port *port);

/**
 * ontb_bridge_message_done() - the host has done all that follows from its messages: end the doorbell hold
 * @port: Its port.
 *
 * Context: Inside an access of @port.
 */
void ontb_bridge_message_done(struct ontb_port *port);

#endif
