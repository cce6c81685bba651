/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A VT-d unit that remaps interrupts: 4 KiB of registers, a table and a queue in the host's memory, a cache of table entries.
 *
 * The table is really read from memory, and really cached: software that changes an entry and forgets to invalidate goes on
 * getting interrupts by the old one. What software may rely on is the other half: when the status of a wait descriptor is
 * written, no message is translated any more by an entry that was invalidated before it in the queue, and every message that
 * was has reached its local APIC. Moving an interrupt under remapping is built on this.
 *
 * DMA remapping, posted interrupts and page requests are not modelled; their bits are not in the capabilities.
 */
#ifndef ONTB_HW_X86_VTD_H
#define ONTB_HW_X86_VTD_H

#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"

struct ontb_apic_bus;
struct ontb_vtd;

#define ONTB_VTD_REG_SIZE 4096

/**
 * enum ontb_vtd_fault - fault reasons of interrupt remapping
 * @ONTB_VTD_FAULT_REQUEST:    Reserved bits of the message are set.
 * @ONTB_VTD_FAULT_INDEX:      Index beyond the table.
 * @ONTB_VTD_FAULT_PRESENT:    Entry not present.
 * @ONTB_VTD_FAULT_ACCESS:     The entry cannot be read.
 * @ONTB_VTD_FAULT_ENTRY:      Reserved bits of the entry are set.
 * @ONTB_VTD_FAULT_COMPATIBLE: Message in compatibility format, which is blocked.
 * @ONTB_VTD_FAULT_SOURCE:     The requester may not use the entry.
 */
enum ontb_vtd_fault {
	ONTB_VTD_FAULT_REQUEST = 0x20,
	ONTB_VTD_FAULT_INDEX = 0x21,
	ONTB_VTD_FAULT_PRESENT = 0x22,
	ONTB_VTD_FAULT_ACCESS = 0x23,
	ONTB_VTD_FAULT_ENTRY = 0x24,
	ONTB_VTD_FAULT_COMPATIBLE = 0x25,
	ONTB_VTD_FAULT_SOURCE = 0x26,
};

/**
 * struct ontb_vtd_memory - how the unit reaches the machine's memory
 *
 * Called from any thread with a lock of the unit held: must not call the unit. Software writes to the same memory meanwhile, so
 * copies are made of loads and stores of 8 bytes (4 for a length of 4), each atomic, in ascending order; addresses are multiples of 4, and
 * of 8 if the length is.
 */
struct ontb_vtd_memory {
	/** @read: Copy out. Return: 0, or -EFAULT if not all of it is memory. */
	int (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	/** @write: Copy in. Return: 0, or -EFAULT if not all of it is memory; nothing was written then. */
	int (*write)(void *arg, uint64_t addr, const void *buf, size_t len);
};

/**
 * struct ontb_vtd_config - what a unit needs
 * @name:       Of the machine, for log lines; lives longer than the unit.
 * @bus:        Where remapped messages go; lives longer.
 * @memory:     Access to the machine's memory; lives longer.
 * @memory_arg: For @memory.
 */
struct ontb_vtd_config {
	const char *name;
	struct ontb_apic_bus *bus;
	const struct ontb_vtd_memory *memory;
	void *memory_arg;
};

/**
 * struct ontb_vtd_counts - what happened so far
 * @nr_reads:       Table entries read from memory.
 * @nr_faults:      Messages blocked.
 * @nr_unrecorded:  Of these, how many left no record: switched off for the entry, or no free record.
 * @nr_descriptors: Descriptors of the invalidation queue that were carried out.
 * @nr_drains:      How often the unit waited for messages under way.
 */
struct ontb_vtd_counts {
	uint64_t nr_reads;
	uint64_t nr_faults;
	uint64_t nr_unrecorded;
	uint64_t nr_descriptors;
	uint64_t nr_drains;
};

/**
 * ontb_vtd_new() - make a unit in its reset state: nothing is remapped
 * @config: What it needs; copied.
 * @out:    OUT.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_vtd_new(const struct ontb_vtd_config *config, struct ontb_vtd **out) ONTB_MUST_CHECK;

/**
 * ontb_vtd_free() - undo ontb_vtd_new()
 * @vtd: Unit, or NULL; nobody uses it any more.
 */
void ontb_vtd_free(struct ontb_vtd *vtd);

/**
 * ontb_vtd_reset() - back to the reset state; counters stay
 * @vtd: Unit.
 *
 * Context: As ontb_vtd_write().
 */
void ontb_vtd_reset(struct ontb_vtd *vtd);

/**
 * ontb_vtd_read() - load of a register
 * @vtd:    Unit.
 * @offset: In the register page.
 * @len:    4 or 8, and @offset a multiple of it; otherwise the answer is all ones and a log line says so.
 *
 * Context: Any thread. Takes a lock; waits while a register write is under way.
 * Return: Value; 0 where there is no register.
 */
uint64_t ontb_vtd_read(struct ontb_vtd *vtd, uint64_t offset, size_t len);

/**
 * ontb_vtd_write() - store to a register
 * @vtd:    Unit.
 * @offset: In the register page.
 * @value:  Value.
 * @len:    4 or 8, and @offset a multiple of it; otherwise nothing happens but a log line.
 *
 * Commands, and what is in the invalidation queue, are carried out before it returns.
 *
 * Context: Any thread, but not inside the memory access functions. Takes a lock. May wait for messages under way, which
 *          themselves wait for nothing.
 */
void ontb_vtd_write(struct ontb_vtd *vtd, uint64_t offset, uint64_t value, size_t len);

/**
 * ontb_vtd_message() - a store of a device to the interrupt address range
 * @vtd:  Unit.
 * @rid:  Requester id.
 * @addr: Address.
 * @data: Data.
 *
 * Remapped if that is switched on and it is in remappable format; otherwise delivered as it is, or blocked. What is blocked is
 * recorded as a fault, and a log line says who, what and why.
 *
 * Context: Any thread. Takes no lock if the entry is cached and lets the message pass; otherwise leaf locks.
 * Return: How many CPUs have it pending now.
 */
unsigned int ontb_vtd_message(struct ontb_vtd *vtd, uint16_t rid, uint64_t addr, uint32_t data);

/**
 * ontb_vtd_counts() - what happened so far
 * @vtd: Unit.
 * @out: OUT; each value is exact, but they are not of one moment.
 *
 * Context: Any thread.
 */
void ontb_vtd_counts(struct ontb_vtd *vtd, struct ontb_vtd_counts *out);

#endif
