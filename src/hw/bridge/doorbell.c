// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Doorbells.
 *
 * What is to interrupt is found under the lock and raised after it, because raising may take the time of a system call.
 */
#include "hw/bridge/doorbell.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/trace.h"
#include "hw/bridge/bridge.h"
#include "hw/bridge/port.h"

/**
 * struct vector_set - interrupt vectors to raise
 * @bits: A bit per vector; a vector is one byte.
 */
struct vector_set {
	uint64_t bits[4];
};

void ontb_doorbell_init(struct ontb_doorbell *db)
{
	memset(db, 0, sizeof(*db));
	ontb_lock_init(&db->lock);
}

void ontb_doorbell_fini(struct ontb_doorbell *db)
{
	ontb_lock_fini(&db->lock);
}

void ontb_doorbell_reset(struct ontb_port *port)
{
	struct ontb_doorbell *db = &port->doorbell;

	ontb_lock(&db->lock);
	db->pending = 0;
	db->enabled = 0;
	db->held = 0;
	db->hold_end_ns = 0;
	memset(db->vectors, 0, sizeof(db->vectors));
	ontb_unlock(&db->lock);
}

static void raise_set(struct ontb_port *port, const struct vector_set *set)
{
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(set->bits); i++) {
		for (uint64_t bits = set->bits[i]; bits; bits &= bits - 1)
			ontb_port_raise_vector(port, i * 64 + (unsigned int)__builtin_ctzll(bits));
	}
}

static void add_vectors_locked(const struct ontb_doorbell *db, uint64_t bits, struct vector_set *set)
	ONTB_MUST_HOLD(db->lock)
{
	for (; bits; bits &= bits - 1) {
		uint8_t vector = db->vectors[__builtin_ctzll(bits)];

		set->bits[vector / 64] |= 1ULL << (vector % 64);
	}
}

/* Bits that have become deliverable: to the set of vectors, or to those that wait. Returns when they will be due, or 0. */
static uint64_t deliver_locked(struct ontb_doorbell *db, uint64_t bits, bool may_hold, struct vector_set *set)
	ONTB_MUST_HOLD(db->lock)
{
	if (!bits)
		return 0;
	if (may_hold && ontb_clock_ns() < db->hold_end_ns) {
		db->held |= bits;
		return db->hold_end_ns;
	}
	add_vectors_locked(db, bits, set);
	return 0;
}

static void trace_doorbell(const struct ontb_port *port, const char *name, uint64_t bits, bool is_held)
{
	ontb_trace_emit(port->bridge->trace, &(struct ontb_trace_event){
						     .category = "doorbell",
						     .name = name,
						     .port_idx = port->idx,
						     .args = { { .key = "bits", .num = bits, .hex = true },
							       { .key = "held", .num = is_held } },
					     });
}

static void finish(struct ontb_port *port, const struct vector_set *set, uint64_t deadline_ns)
{
	raise_set(port, set);
	if (deadline_ns)
		ontb_bridge_want_timer(port->bridge, deadline_ns);
}

void ontb_doorbell_ring(struct ontb_port *port, uint64_t bits)
{
	struct ontb_doorbell *db = &port->doorbell;
	struct vector_set set = { 0 };
	uint64_t fresh, deadline;

	ontb_lock(&db->lock);
	fresh = bits & ~db->pending;
	db->pending |= bits;
	db->nr_rung += (uint64_t)__builtin_popcountll(bits);
	deadline = deliver_locked(db, fresh & db->enabled, port->bridge->doorbell_hold_ns, &set);
	ontb_unlock(&db->lock);
	if (ontb_unlikely(port->bridge->trace))
		trace_doorbell(port, "doorbell", bits, deadline);
	finish(port, &set, deadline);
}

void ontb_doorbell_clear(struct ontb_port *port, uint64_t bits)
{
	struct ontb_doorbell *db = &port->doorbell;

	ontb_lock(&db->lock);
	db->pending &= ~bits;
	db->held &= ~bits;
	ontb_unlock(&db->lock);
}

void ontb_doorbell_enable(struct ontb_port *port, uint64_t bits, uint64_t which)
{
	struct ontb_doorbell *db = &port->doorbell;
	struct vector_set set = { 0 };
	uint64_t fresh, deadline;

	ontb_lock(&db->lock);
	bits = (db->enabled & ~which) | (bits & which);
	fresh = bits & ~db->enabled & db->pending;
	db->enabled = bits;
	deadline = deliver_locked(db, fresh, port->bridge->doorbell_hold_ns, &set);
	ontb_unlock(&db->lock);
	if (ontb_unlikely(fresh && port->bridge->trace))
		trace_doorbell(port, "doorbell unmasked", fresh, deadline);
	finish(port, &set, deadline);
}

void ontb_doorbell_set_vector(struct ontb_port *port, unsigned int bit_idx, uint8_t vector)
{
	ontb_lock(&port->doorbell.lock);
	port->doorbell.vectors[bit_idx] = vector;
	ontb_unlock(&port->doorbell.lock);
}

uint8_t ontb_doorbell_vector(struct ontb_port *port, unsigned int bit_idx)
{
	uint8_t vector;

	ontb_lock(&port->doorbell.lock);
	vector = port->doorbell.vectors[bit_idx];
	ontb_unlock(&port->doorbell.lock);
	return vector;
}

void ontb_doorbell_snapshot(struct ontb_port *port, uint64_t *pending, uint64_t *enabled, uint64_t *nr_rung)
{
	struct ontb_doorbell *db = &port->doorbell;

	ontb_lock(&db->lock);
	if (pending)
		*pending = db->pending;
	if (enabled)
		*enabled = db->enabled;
	if (nr_rung)
		*nr_rung = db->nr_rung;
	ontb_unlock(&db->lock);
}

void ontb_doorbell_hold(struct ontb_port *port, uint64_t end_ns)
{
	struct ontb_doorbell *db = &port->doorbell;

	ontb_lock(&db->lock);
	if (end_ns > db->hold_end_ns)
		db->hold_end_ns = end_ns;
	ontb_unlock(&db->lock);
}

/* What was held back. A bit that was masked meanwhile interrupts when it is unmasked. */
static void release_locked(struct ontb_doorbell *db, struct vector_set *set) ONTB_MUST_HOLD(db->lock)
{
	add_vectors_locked(db, db->held & db->pending & db->enabled, set);
	db->held = 0;
}

void ontb_doorbell_end_hold(struct ontb_port *port)
{
	struct ontb_doorbell *db = &port->doorbell;
	struct vector_set set = { 0 };

	ontb_lock(&db->lock);
	db->hold_end_ns = 0;
	release_locked(db, &set);
	ontb_unlock(&db->lock);
	raise_set(port, &set);
}

uint64_t ontb_doorbell_run_timer(struct ontb_port *port, uint64_t now_ns)
{
	struct ontb_doorbell *db = &port->doorbell;
	struct vector_set set = { 0 };
	uint64_t deadline = UINT64_MAX;

	ontb_lock(&db->lock);
	if (db->held && now_ns < db->hold_end_ns)
		deadline = db->hold_end_ns;
	else
		release_locked(db, &set);
	ontb_unlock(&db->lock);
	raise_set(port, &set);
	return deadline;
}
