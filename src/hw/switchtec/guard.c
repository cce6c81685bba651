// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Registers of the guard (bridge/guard.h). The real part has none of this: it is an extension, in space of BAR0 that the part
 * does not use and drivers that do not know it never touch. Whoever wants it looks for the magic.
 *
 * Each host sees its own guard only. Address and data of a slot, and the guarded range, are storage until a control register
 * makes them count, all at once: so a message is replaced without a moment in which neither the old nor the new one passes.
 */
#include "hw/switchtec/switchtec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/bridge/port.h"
#include "hw/switchtec/handlers.h"

#define CONTROL_ON    1U
#define CONTROL_RESET 2U

/**
 * struct change - what the exclusive half of a write to a control register needs
 * @port:     Port whose guard it is.
 * @slot:     Slot.
 * @is_on:    Open the slot, or switch the guard on.
 * @is_reset: Put all back as after a reset.
 * @first:    Address, or first guarded address.
 * @size:     Guarded bytes.
 * @data:     Value of the message.
 * @why:      OUT, what is wrong with the message, NULL if nothing.
 */
struct change {
	struct ontb_port *port;
	unsigned int slot;
	bool is_on;
	bool is_reset;
	uint64_t first;
	uint64_t size;
	uint32_t data;
	const char *why;
};

int ontb_sw_guard_init(struct ontb_switchtec *sw, unsigned int part)
{
	struct ontb_sw_guard_regs *regs = &sw->parts[part].guard;
	unsigned int nr_slots = sw->config.nr_guard_slots;
	int ret;

	if (nr_slots) {
		regs->msgs = calloc(nr_slots, sizeof(*regs->msgs));
		if (!regs->msgs)
			return -ENOMEM;
	}
	ret = ontb_guard_init(&sw->bridge.ports[part].guard, nr_slots);
	if (ret)
		goto free_msgs;
	ontb_sw_guard_reset(sw, part);
	return 0;

free_msgs:
	free(regs->msgs);
	regs->msgs = NULL;
	return ret;
}

void ontb_sw_guard_fini(struct ontb_switchtec *sw, unsigned int part)
{
	free(sw->parts[part].guard.msgs);
	sw->parts[part].guard.msgs = NULL;
}

void ontb_sw_guard_reset(struct ontb_switchtec *sw, unsigned int part)
{
	struct ontb_sw_guard_regs *regs = &sw->parts[part].guard;

	if (regs->nr_used)
		memset(regs->msgs, 0, regs->nr_used * sizeof(*regs->msgs));
	regs->nr_used = 0;
	regs->first = ONTB_GUARD_FIRST;
	regs->size = ONTB_GUARD_SIZE;
}

static struct ontb_sw_guard_regs *regs_of(const struct ontb_sw_access *access)
{
	return &access->sw->parts[access->port->idx].guard;
}

uint64_t ontb_sw_read_guard(const struct ontb_sw_access *access)
{
	switch (access->reg->offset) {
	case ONTB_SW_GUARD_MAGIC:
		return ONTB_SW_GUARD_MAGIC_VALUE;
	case ONTB_SW_GUARD_VERSION:
		return ONTB_SW_GUARD_VERSION_VALUE;
	case ONTB_SW_GUARD_NR_SLOTS:
		return access->port->guard.nr_slots;
	case ONTB_SW_GUARD_CONTROL:
		return access->port->guard.is_on;
	case ONTB_SW_GUARD_RANGE_FIRST:
		return regs_of(access)->first;
	case ONTB_SW_GUARD_RANGE_SIZE:
		return regs_of(access)->size;
	case ONTB_SW_GUARD_BLOCKED:
		return atomic_load_explicit(&access->port->nr_blocked, memory_order_relaxed);
	default:
		return 0;
	}
}

void ontb_sw_write_guard_range(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	struct ontb_sw_guard_regs *regs = regs_of(access);
	uint64_t *word = access->reg->offset == ONTB_SW_GUARD_RANGE_FIRST ? &regs->first : &regs->size;

	*word = (*word & ~mask) | (value & mask);
}

static void switch_exclusive(void *arg)
{
	const struct change *change = arg;
	struct ontb_port *port = change->port;

	if (change->is_reset) {
		ontb_guard_reset(&port->guard);
		ontb_sw_guard_reset(ontb_sw_of(port), port->idx);
		return;
	}
	ontb_guard_switch(&port->guard, change->is_on, change->first, change->size);
}

void ontb_sw_write_guard_control(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	const struct ontb_sw_guard_regs *regs = regs_of(access);
	struct change change = {
		.port = access->port,
		.is_on = value & CONTROL_ON,
		.is_reset = value & CONTROL_RESET,
		.first = regs->first,
		.size = regs->size,
	};

	if (mask & 1)
		ontb_port_exclusive(access->port, switch_exclusive, &change);
}

uint64_t ontb_sw_read_guard_slot(const struct ontb_sw_access *access)
{
	const struct ontb_sw_guard_msg *msg = &regs_of(access)->msgs[access->copy];

	switch (access->reg->offset) {
	case ONTB_SW_GUARD_SLOT_ADDR:
		return msg->addr;
	case ONTB_SW_GUARD_SLOT_DATA:
		return msg->data;
	default:
		return ontb_guard_is_open(&access->port->guard, access->copy);
	}
}

void ontb_sw_write_guard_slot(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	struct ontb_sw_guard_regs *regs = regs_of(access);
	struct ontb_sw_guard_msg *msg = &regs->msgs[access->copy];

	if (access->reg->offset == ONTB_SW_GUARD_SLOT_ADDR)
		msg->addr = (msg->addr & ~mask) | (value & mask);
	else
		msg->data = (uint32_t)((msg->data & ~mask) | (value & mask));
	if (regs->nr_used <= access->copy)
		regs->nr_used = access->copy + 1;
}

static void open_exclusive(void *arg)
{
	struct change *change = arg;
	struct ontb_guard *guard = &change->port->guard;

	if (change->is_on)
		(void)ontb_guard_open(guard, change->slot, change->first, change->data, &change->why);
	else
		ontb_guard_close(guard, change->slot);
}

void ontb_sw_write_guard_slot_control(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	const struct ontb_sw_guard_msg *msg = &regs_of(access)->msgs[access->copy];
	struct change change = {
		.port = access->port, .slot = access->copy, .is_on = value & 1, .first = msg->addr, .data = msg->data
	};

	if (!(mask & 1))
		return;
	ontb_port_exclusive(access->port, open_exclusive, &change);
	if (change.why)
		ontb_port_fault(access->port, "guard_slot[%u] stays closed: %s", access->copy, change.why);
}
