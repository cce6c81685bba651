/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A VT-d unit with memory, a table, a queue and local APICs, and the software of its host in a few functions.
 */
#ifndef ONTB_TESTS_UNIT_X86_VTD_RIG_H
#define ONTB_TESTS_UNIT_X86_VTD_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include <openntb/log.h>

#include "hw/x86/lapic.h"
#include "hw/x86/vtd.h"
#include "hw/x86/vtd_unit.h"

#define RIG_CPUS     8
#define RIG_RAM_BASE 0x10000000ULL
#define RIG_RAM_SIZE 0x200000ULL
#define RIG_TABLE    RIG_RAM_BASE
#define RIG_QUEUE    (RIG_RAM_BASE + 0x100000)
#define RIG_STATUS   (RIG_RAM_BASE + 0x180000)

/* Messages in remappable format: for a handle alone, and for a handle and a subhandle. */
#define RIG_ADDR(h)   (0xfee00010ULL | ((uint64_t)(h)&0x7fff) << 5 | ((uint64_t)(h) >> 15 & 1) << 2)
#define RIG_ADDR_S(h) (RIG_ADDR(h) | 0x8)

/* Lower half of an entry, with and without extended ids; upper half. */
#define RIG_LOW(cpu, vector)   (1ULL | (uint64_t)(vector) << 16 | (uint64_t)(cpu) << 40)
#define RIG_LOW_X(cpu, vector) (1ULL | (uint64_t)(vector) << 16 | (uint64_t)(cpu) << 32)
#define RIG_SVT(svt, sq, sid)  ((uint64_t)(svt) << 18 | (uint64_t)(sq) << 16 | (sid))

/* Descriptors: all entries; 2^mask entries from an index on; wait with status. */
#define RIG_FLUSH_ALL	       4ULL
#define RIG_FLUSH(index, mask) (4ULL | 1ULL << 4 | (uint64_t)(mask) << 27 | (uint64_t)(index) << 32)
#define RIG_WAIT(data)	       (5ULL | 1ULL << 5 | (uint64_t)(data) << 32)

extern struct ontb_apic_bus rig_bus;
extern struct ontb_vtd *rig_vtd;
/* The last log line, and how important it was. */
extern char rig_line[512];
extern enum ontb_log_level rig_level;

/* As cmocka's fixtures: a unit in reset state and APICs that take everything. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

/* Memory, as software sees it. */
uint64_t rig_load(uint64_t addr);
void rig_store(uint64_t addr, uint64_t value);
/* An entry, in the order that software has to follow: not present, upper half, lower half. */
void rig_set_entry(uint32_t index, uint64_t low, uint64_t high);

uint32_t rig_read32(uint32_t offset);
void rig_write32(uint32_t offset, uint32_t value);

/* Table of 2^(size + 1) entries and a queue of one page; remapping on. */
void rig_enable(unsigned int size, bool has_extended_ids);

/* Put descriptors into the queue, move the tail, and say whether the queue ran empty. */
void rig_put(uint64_t low, uint64_t high);
bool rig_kick(void);
/* Flush all and wait, as one. */
void rig_flush(void);

unsigned int rig_pending(unsigned int cpu);
bool rig_is_pending(unsigned int cpu, unsigned int vector);
void rig_forget_pending(void);

#endif
