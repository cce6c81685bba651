/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Doorbells: 64 bits that a peer sets and that may interrupt the host.
 *
 * An interrupt is due when an enabled bit goes from 0 to 1 and when a pending bit becomes enabled. The second half is
 * what a driver relies on that masks, handles and unmasks (Linux ntb_pingpong): what rang in between is not lost.
 *
 * The hold is a work-around for receivers that forget a doorbell which comes too soon after a message: the bits become pending
 * at once, but their interrupt waits until the receiver has done what shows that it is ready, or for so long.
 */
#ifndef ONTB_HW_BRIDGE_DOORBELL_H
#define ONTB_HW_BRIDGE_DOORBELL_H

#include <stdint.h>

#include "base/annotate.h"

#define ONTB_DOORBELL_BITS 64

struct ontb_port;

/**
 * struct ontb_doorbell - inbound doorbells of a port
 * @lock:       Leaf lock of all below; taken inside an access of any port.
 * @pending:    Bits set and not cleared.
 * @enabled:    Bits that may interrupt.
 * @held:       Bits whose interrupt waits for @hold_end_ns.
 * @hold_end_ns: Until when interrupts wait; a time in the past if they do not.
 * @nr_rung:    Bits received so far.
 * @vectors:    Interrupt vector of each bit.
 */
struct ontb_doorbell {
	struct ontb_lock lock;
	uint64_t pending;
	uint64_t enabled;
	uint64_t held;
	uint64_t hold_end_ns;
	uint64_t nr_rung;
	uint8_t vectors[ONTB_DOORBELL_BITS];
};

/**
 * ontb_doorbell_init() - make doorbells, nothing pending, nothing enabled
 * @db: Memory of the caller.
 */
void ontb_doorbell_init(struct ontb_doorbell *db);

/**
 * ontb_doorbell_fini() - undo ontb_doorbell_init()
 * @db: Doorbells.
 */
void ontb_doorbell_fini(struct ontb_doorbell *db);

/**
 * ontb_doorbell_reset() - back to the state after ontb_doorbell_init(), except for the count
 * @port: Port.
 *
 * Context: Takes the doorbell lock.
 */
void ontb_doorbell_reset(struct ontb_port *port);

/**
 * ontb_doorbell_ring() - set bits
 * @port: Port that receives.
 * @bits: Bits.
 *
 * Context: Inside an access of any port or inside an exclusive section. Takes the doorbell lock; interrupts after it.
 */
void ontb_doorbell_ring(struct ontb_port *port, uint64_t bits);

/**
 * ontb_doorbell_clear() - clear pending bits
 * @port: Port.
 * @bits: Bits.
 *
 * Context: Takes the doorbell lock.
 */
void ontb_doorbell_clear(struct ontb_port *port, uint64_t bits);

/**
 * ontb_doorbell_enable() - say which bits may interrupt, and deliver what became deliverable
 * @port:  Port.
 * @bits:  New values.
 * @which: Bits that change.
 *
 * Context: As ontb_doorbell_ring().
 */
void ontb_doorbell_enable(struct ontb_port *port, uint64_t bits, uint64_t which);

/**
 * ontb_doorbell_set_vector() - choose the interrupt of a bit
 * @port:    Port.
 * @bit_idx: Bit, 0..63.
 * @vector:  MSI-X vector; one that the function does not have never interrupts.
 *
 * Context: Takes the doorbell lock.
 */
void ontb_doorbell_set_vector(struct ontb_port *port, unsigned int bit_idx, uint8_t vector);

/**
 * ontb_doorbell_vector() - the interrupt of a bit
 * @port:    Port.
 * @bit_idx: Bit, 0..63.
 *
 * Context: Takes the doorbell lock.
 * Return: MSI-X vector.
 */
uint8_t ontb_doorbell_vector(struct ontb_port *port, unsigned int bit_idx);

/**
 * ontb_doorbell_snapshot() - current state
 * @port:    Port.
 * @pending: OUT, may be NULL.
 * @enabled: OUT, may be NULL.
 * @nr_rung: OUT, may be NULL.
 *
 * Context: Takes the doorbell lock.
 */
void ontb_doorbell_snapshot(struct ontb_port *port, uint64_t *pending, uint64_t *enabled, uint64_t *nr_rung);

/**
 * ontb_doorbell_hold() - interrupts of doorbells wait from now on
 * @port:   Port.
 * @end_ns: Until when, as ontb_clock_ns() gives it; an earlier end than the present one changes nothing.
 *
 * Context: Takes the doorbell lock.
 */
void ontb_doorbell_hold(struct ontb_port *port, uint64_t end_ns);

/**
 * ontb_doorbell_end_hold() - they wait no longer; what was held back is delivered
 * @port: Port.
 *
 * Context: As ontb_doorbell_ring().
 */
void ontb_doorbell_end_hold(struct ontb_port *port);

/**
 * ontb_doorbell_run_timer() - deliver what was held back, if its time has come
 * @port:   Port.
 * @now_ns: Time.
 *
 * Context: Inside an access of @port.
 * Return: When there will be something to deliver, UINT64_MAX if nothing is held.
 */
uint64_t ontb_doorbell_run_timer(struct ontb_port *port, uint64_t now_ns);

#endif
