/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Guard: what may be written to a host's interrupt addresses through a window.
 *
 * A window onto interrupt addresses lets a peer raise any interrupt of the host. Remapping cures only half of that: it tells
 * devices apart, not the interrupts of one device that were granted to a peer from those that were not. The guard knows single
 * messages: while it is on, a write into the guarded range passes if it has 4 bytes, is aligned, and is one of the messages in
 * its slots. Everything else is dropped.
 *
 * Each host has its own and programs it for itself. The look-up is a hash table, changed in exclusive sections only: so when a
 * slot is closed, no access with the old message is under way.
 */
#ifndef ONTB_HW_BRIDGE_GUARD_H
#define ONTB_HW_BRIDGE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"
#include "base/bytes.h"

#define ONTB_GUARD_MAX_SLOTS 16384U

/* What is guarded after a reset: where x86 takes interrupt messages. */
#define ONTB_GUARD_FIRST 0xfee00000ULL
#define ONTB_GUARD_SIZE	 0x100000ULL

/**
 * struct ontb_guard_slot - one message
 * @addr:    Address that passes, if the slot is open.
 * @data:    Value.
 * @next:    Next slot in the same bucket plus one, 0 at the end.
 * @is_open: The message passes.
 */
struct ontb_guard_slot {
	uint64_t addr;
	uint32_t data;
	uint32_t next;
	bool is_open;
};

/**
 * struct ontb_guard - a port's guard; all zero is one without slots, which lets everything pass
 * @nr_slots: Slots. Constant.
 * @shift:    64 minus the logarithm of the number of buckets. Constant.
 * @is_on:    Whether it filters.
 * @first:    First guarded address.
 * @size:     Guarded bytes.
 * @nr_used:  All slots from here on were never opened since the last reset.
 * @slots:    Slots. Constant pointer.
 * @buckets:  First slot of each bucket plus one, 0 if it is empty. Constant pointer.
 *
 * Read in accesses of any port, changed in exclusive sections.
 */
struct ontb_guard {
	unsigned int nr_slots;
	unsigned int shift;
	bool is_on;
	uint64_t first;
	uint64_t size;
	unsigned int nr_used;
	struct ontb_guard_slot *slots;
	uint32_t *buckets;
};

/**
 * ontb_guard_init() - make a guard, switched off
 * @guard:    Memory of the caller.
 * @nr_slots: 0..ONTB_GUARD_MAX_SLOTS; 0 makes one that cannot be switched on.
 *
 * Return: 0, or -ENOMEM; @guard is untouched then.
 */
int ontb_guard_init(struct ontb_guard *guard, unsigned int nr_slots) ONTB_MUST_CHECK;

/**
 * ontb_guard_fini() - undo ontb_guard_init()
 * @guard: Guard; one that is all zero is fine.
 */
void ontb_guard_fini(struct ontb_guard *guard);

/**
 * ontb_guard_reset() - off, all slots closed, the usual range
 * @guard: Guard.
 *
 * Context: Construction or exclusive section.
 */
void ontb_guard_reset(struct ontb_guard *guard);

/**
 * ontb_guard_open() - let a message pass
 * @guard: Guard.
 * @slot:  Slot; what was in it does not pass any more, unless another slot has it too.
 * @addr:  Address.
 * @data:  Value.
 * @why:   OUT, on error: constant text that says what is wrong.
 *
 * Context: Exclusive section.
 * Return: 0, or
 *         -ERANGE  no such slot.
 *         -EINVAL  @addr is not a multiple of 4; the slot is closed then.
 */
int ontb_guard_open(struct ontb_guard *guard, unsigned int slot, uint64_t addr, uint32_t data, const char **why);

/**
 * ontb_guard_close() - no longer
 * @guard: Guard.
 * @slot:  Slot; one that is closed or not there is fine.
 *
 * Context: Exclusive section.
 */
void ontb_guard_close(struct ontb_guard *guard, unsigned int slot);

/**
 * ontb_guard_switch() - filter, or let everything pass
 * @guard: Guard with slots.
 * @is_on: Which of the two.
 * @first: First guarded address.
 * @size:  Guarded bytes; @first + @size may be 2^64.
 *
 * Context: Exclusive section.
 */
void ontb_guard_switch(struct ontb_guard *guard, bool is_on, uint64_t first, uint64_t size);

/**
 * ontb_guard_is_open() - whether a slot lets its message pass
 * @guard: Guard.
 * @slot:  Slot.
 *
 * Context: Access of any port or exclusive section.
 */
bool ontb_guard_is_open(const struct ontb_guard *guard, unsigned int slot);

/**
 * ontb_guard_has() - whether a message is in a slot
 * @guard: Guard with slots.
 * @addr:  Address.
 * @data:  Value.
 *
 * Context: Access of any port or exclusive section. Constant time.
 */
bool ontb_guard_has(const struct ontb_guard *guard, uint64_t addr, uint32_t data);

/**
 * ontb_guard_blocks() - whether a write must not arrive
 * @guard: Guard of the host that is written to.
 * @addr:  Address in that host.
 * @buf:   Bytes.
 * @len:   How many.
 *
 * Context: Access of any port.
 */
static inline bool ontb_guard_blocks(const struct ontb_guard *guard, uint64_t addr, const void *buf, size_t len)
{
	if (ontb_likely(!guard->is_on) || !ontb_ranges_overlap(addr, len, guard->first, guard->size))
		return false;
	return len != 4 || !ontb_guard_has(guard, addr, ontb_get_le32(buf));
}

#endif
