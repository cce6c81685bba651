/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A made-up MSI parent on the real src/irq, and devices that keep their messages in a table. For the tests of src/msi.
 *
 * The parent hands out ids, lowest first, over all devices or per device; an id is its hardware number and the data of its message.
 */
#ifndef TESTS_UNIT_MSI_RIG_H
#define TESTS_UNIT_MSI_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include <openntb/log.h>
#include <openntb/msi.h>

#define RIG_ADDR      0xfee00000ULL
#define RIG_ADDR_SIZE 0x100000ULL
#define RIG_TABLE     65536U
#define RIG_TOKENS    (1U << ONTB_BUS_PCI_MSI | 1U << ONTB_BUS_PCI_MSIX | 1U << ONTB_BUS_NTB)

/**
 * struct rig_id - one of the parent's numbers
 * @is_used:   Handed out.
 * @is_active: Activated.
 * @cpu:       Where it goes.
 */
struct rig_id {
	bool is_used;
	bool is_active;
	uint16_t cpu;
};

/**
 * struct rig_ids - a space of numbers
 * @key:  Which; upper bits of the hardware numbers in it.
 * @refs: Slots that use it.
 * @nr:   Size.
 * @lowest: No number below it is free.
 * @ids:  Each.
 */
struct rig_ids {
	unsigned int key;
	unsigned int refs;
	unsigned int nr;
	unsigned int lowest;
	struct rig_id ids[];
};

/**
 * struct msi_rig - a host
 * @sys:         Its interrupts.
 * @parent:      The parent, and the root.
 * @ops:         What the parent says of itself; tests may change it.
 * @nr_ids:      Size of each space.
 * @global:      The one space if the scope is global.
 * @nr_spaces:   Spaces made so far.
 * @nr_prepared: Slots prepared and not unprepared.
 * @prepare_err: What prepare() returns, unless 0.
 * @refuse:      init_domain() refuses.
 * @flow:        What init_domain() makes of the flow.
 * @nr_acks:     Calls of the parent chip's ack(); likewise the others. Atomic.
 * @activate_err: What activate() returns, unless 0.
 */
struct msi_rig {
	struct ontb_irq_system *sys;
	struct ontb_irq_domain *parent;
	struct ontb_msi_parent ops;
	unsigned int nr_ids;
	struct rig_ids *global;
	unsigned int nr_spaces;
	unsigned int nr_prepared;
	int prepare_err;
	bool refuse;
	enum ontb_irq_flow flow;
	int activate_err;
	unsigned int nr_acks;
	unsigned int nr_affinities;
	unsigned int nr_moves_done;
	unsigned int nr_retriggers;
};

/**
 * struct rig_table - where a device keeps messages
 * @msgs:      By index; address 0 if there is none.
 * @nr_writes: Messages stored. Atomic.
 * @nr_clears: Messages withdrawn. Atomic.
 * @is_held:   Somebody else may hold a message that is withdrawn, until he is asked.
 */
struct rig_table {
	struct ontb_msi_msg msgs[RIG_TABLE];
	unsigned int nr_writes;
	unsigned int nr_clears;
	bool is_held;
};

/**
 * struct rig_log - what was logged
 * @nr:   Lines.
 * @last: The last one.
 */
struct rig_log {
	unsigned int nr;
	char last[512];
};

/**
 * msi_rig_init() - make a host with 4 CPUs
 * @rig:     Host.
 * @message: See struct ontb_msi_parent.
 * @scope:   Likewise; not ONTB_MSI_SCOPE_CPU.
 * @nr_ids:  Numbers that the parent has, in all or per device.
 *
 * Return: 0 or -errno.
 */
int msi_rig_init(struct msi_rig *rig, enum ontb_msi_message message, enum ontb_msi_scope scope, unsigned int nr_ids);

/**
 * msi_rig_fini() - undo msi_rig_init()
 * @rig: Host.
 *
 * Return: What is left that should not be: domains, numbers, prepared slots.
 */
unsigned int msi_rig_fini(struct msi_rig *rig);

/**
 * msi_rig_dev() - make a device
 * @rig: Host.
 * @bdf: Its name.
 * @out: OUT.
 *
 * Return: As ontb_msi_dev_new().
 */
int msi_rig_dev(struct msi_rig *rig, const char *bdf, struct ontb_msi_dev **out);

/**
 * msi_rig_template() - a device domain that keeps its messages in a table
 * @prefix: Prefix.
 * @token:  Token.
 * @nr:     Indices.
 * @table:  Table.
 *
 * Return: The template.
 */
struct ontb_msi_template msi_rig_template(const char *prefix, enum ontb_bus_token token, unsigned int nr,
					  struct rig_table *table);

/**
 * msi_rig_fire() - let the device, or whoever has the message, send it
 * @rig: Host.
 * @msg: Message.
 *
 * Return: As ontb_irq_dispatch().
 */
int msi_rig_fire(struct msi_rig *rig, const struct ontb_msi_msg *msg);

/**
 * msi_rig_used() - numbers that the parent has handed out to a device
 * @rig: Host.
 * @dev: Device, or NULL for the global space.
 *
 * Return: How many.
 */
unsigned int msi_rig_used(const struct msi_rig *rig, const struct ontb_msi_dev *dev);

/**
 * msi_rig_log_start() - take log lines
 * @log: Where to.
 */
void msi_rig_log_start(struct rig_log *log);

/**
 * msi_rig_log_stop() - undo msi_rig_log_start()
 */
void msi_rig_log_stop(void);

#endif
