/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The inside of a VT-d unit, for the files that make it up: registers and their bits, and its state.
 *
 * Names and bits are those of the Intel VT-d specification, "Register Descriptions", "Interrupt Remapping Table Entry
 * (IRTE) for Remapped Interrupts", "Fault Recording Registers" and "Invalidation Descriptors".
 */
#ifndef ONTB_HW_X86_VTD_UNIT_H
#define ONTB_HW_X86_VTD_UNIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "hw/x86/drain.h"
#include "hw/x86/vtd.h"

#define VTD_VER	    0x000
#define VTD_CAP	    0x008
#define VTD_ECAP    0x010
#define VTD_GCMD    0x018
#define VTD_GSTS    0x01c
#define VTD_FSTS    0x034
#define VTD_FECTL   0x038
#define VTD_FEDATA  0x03c
#define VTD_FEADDR  0x040
#define VTD_FEUADDR 0x044
#define VTD_IQH	    0x080
#define VTD_IQT	    0x088
#define VTD_IQA	    0x090
#define VTD_ICS	    0x09c
#define VTD_IECTL   0x0a0
#define VTD_IEDATA  0x0a4
#define VTD_IEADDR  0x0a8
#define VTD_IEUADDR 0x0ac
#define VTD_IRTA    0x0b8
#define VTD_FRCD    0x200
#define VTD_NR_FRCD 8

/* GCMD and GSTS have the same bits. */
#define VTD_QI	 (1U << 26)
#define VTD_IR	 (1U << 25)
#define VTD_IRTP (1U << 24)
#define VTD_CFI	 (1U << 23)
/* Commands of DMA remapping and write buffers. */
#define VTD_GCMD_OTHERS 0xf8000000U

#define VTD_FSTS_PFO (1U << 0)
#define VTD_FSTS_PPF (1U << 1)
#define VTD_FSTS_IQE (1U << 4)
#define VTD_FSTS_FRI 8
#define VTD_EVENT_IM (1U << 31)
#define VTD_EVENT_IP (1U << 30)
#define VTD_ICS_IWC  1U
#define VTD_FRCD_F   (1ULL << 63)

#define VTD_IRTA_EIME (1ULL << 11)
#define VTD_IRTA_SIZE 0xfULL
/* Addresses have at most 52 bits. */
#define VTD_ADDR_BITS	0x000ffffffffff000ULL
#define VTD_MAX_ENTRIES 65536

/* Bits of the word that messages look at, besides those of IRTA. */
#define VTD_ACTIVE_IR  (1ULL << 4)
#define VTD_ACTIVE_CFI (1ULL << 5)

/**
 * struct vtd_entry - a place in the interrupt entry cache
 * @low:  Lower half of the entry; 0 if there is none.
 * @high: Upper half.
 *
 * @high changes only while @low is 0, so a reader who finds the same @low before and after has both halves of one entry.
 * Written with the cache lock held.
 */
struct vtd_entry {
	_Atomic uint64_t low;
	_Atomic uint64_t high;
};

/**
 * struct vtd_event - registers of an interrupt that the unit itself sends
 * @ctl:   Mask and pending bit.
 * @data:  Data of the message.
 * @addr:  Address of it.
 * @uaddr: Upper half of the address.
 */
struct vtd_event {
	uint32_t ctl;
	uint32_t data;
	uint32_t addr;
	uint32_t uaddr;
};

/**
 * struct ontb_vtd - a unit
 * @config:      Constant.
 * @active:      What messages obey: IRTA as latched, and VTD_ACTIVE_*. Changed with @lock held.
 * @drain:       Messages under way. Waited for with @lock held.
 * @cache:       VTD_MAX_ENTRIES places, by index. Constant pointer.
 * @limit:       Of log lines.
 * @lock:        Of registers and of the queue; held while the queue is worked on. Messages never take it.
 * @gsts:        Global status.
 * @irta:        Table address as written, not yet latched.
 * @iqh:         Head of the queue, a byte offset.
 * @iqt:         Tail, likewise.
 * @iqa:         Address and size of the queue.
 * @needs_drain: Something was invalidated, and messages that saw it before may be under way.
 * @cache_lock:  Leaf lock: entries are read from memory, put into the cache and taken out.
 * @nr_cached:   Places from here on were never used since the last flush of all. With @cache_lock held.
 * @fault_lock:  Leaf lock of all that follows.
 * @records:     Fault records, lower and upper half.
 * @next_record: Where the next one goes.
 * @fri:         Where the first one was put when there was none.
 * @fsts:        PFO and IQE.
 * @ics:         Invalidation completion status.
 * @fault_event: Interrupt for faults.
 * @done_event:  Interrupt for wait descriptors.
 * @nr_reads:    Counters, see struct ontb_vtd_counts; atomic.
 * @nr_faults:   Likewise.
 * @nr_unrecorded: Likewise.
 * @nr_descriptors: Likewise.
 * @nr_drains:   Likewise.
 */
struct ontb_vtd {
	struct ontb_vtd_config config;
	_Alignas(64) _Atomic uint64_t active;
	struct vtd_entry *cache;
	struct ontb_drain drain;
	struct ontb_ratelimit limit;

	struct ontb_lock lock;
	uint32_t gsts;
	uint64_t irta;
	uint64_t iqh;
	uint64_t iqt;
	uint64_t iqa;
	bool needs_drain;

	struct ontb_lock cache_lock;
	uint32_t nr_cached;

	struct ontb_lock fault_lock;
	uint64_t records[VTD_NR_FRCD][2];
	unsigned int next_record;
	unsigned int fri;
	uint32_t fsts;
	uint32_t ics;
	struct vtd_event fault_event;
	struct vtd_event done_event;

	_Atomic uint64_t nr_reads;
	_Atomic uint64_t nr_faults;
	_Atomic uint64_t nr_unrecorded;
	_Atomic uint64_t nr_descriptors;
	_Atomic uint64_t nr_drains;
};

static inline void vtd_count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/**
 * ontb_vtd_drain_locked() - wait until messages under way have reached their local APICs
 * @vtd: Unit.
 */
void ontb_vtd_drain_locked(struct ontb_vtd *vtd) ONTB_MUST_HOLD(vtd->lock);

/**
 * ontb_vtd_forget() - take entries out of the interrupt entry cache
 * @vtd:   Unit.
 * @first: First index.
 * @count: How many, from there to at most VTD_MAX_ENTRIES.
 *
 * Context: Takes the cache lock. A message under way may still use what it found before.
 */
void ontb_vtd_forget(struct ontb_vtd *vtd, uint32_t first, uint32_t count);

/**
 * ontb_vtd_run_queue_locked() - carry out descriptors until the queue is empty or has an error
 * @vtd: Unit.
 *
 * Context: May wait for messages under way.
 */
void ontb_vtd_run_queue_locked(struct ontb_vtd *vtd) ONTB_MUST_HOLD(vtd->lock);

/**
 * ontb_vtd_fault() - a message was blocked: record it, and interrupt if that is due
 * @vtd:       Unit.
 * @reason:    Why.
 * @rid:       Requester.
 * @index:     Which entry, as far as it fits into 16 bits.
 * @is_silent: The entry asks for no record.
 *
 * Context: Takes the fault lock.
 */
void ontb_vtd_fault(struct ontb_vtd *vtd, enum ontb_vtd_fault reason, uint16_t rid, uint32_t index, bool is_silent);

/**
 * ontb_vtd_fault_queue() - the queue stopped with an error; interrupt if that is due
 * @vtd: Unit.
 *
 * Context: Takes the fault lock.
 */
void ontb_vtd_fault_queue(struct ontb_vtd *vtd);

/**
 * ontb_vtd_has_queue_error() - whether the queue stands still because of an error
 * @vtd: Unit.
 *
 * Context: Takes the fault lock.
 * Return: Whether it does.
 */
bool ontb_vtd_has_queue_error(struct ontb_vtd *vtd);

/**
 * ontb_vtd_complete() - a wait descriptor asked for an interrupt
 * @vtd: Unit.
 *
 * Context: Takes the fault lock.
 */
void ontb_vtd_complete(struct ontb_vtd *vtd);

/**
 * ontb_vtd_fault_reset() - records, status and events as after reset
 * @vtd: Unit.
 *
 * Context: Takes the fault lock.
 */
void ontb_vtd_fault_reset(struct ontb_vtd *vtd);

/**
 * ontb_vtd_fault_read32() - load of half a register of faults and events
 * @vtd:    Unit.
 * @offset: Multiple of 4.
 * @value:  OUT, if it is one of these.
 *
 * Context: Takes the fault lock.
 * Return: Whether it is one of these.
 */
bool ontb_vtd_fault_read32(struct ontb_vtd *vtd, uint32_t offset, uint32_t *value);

/**
 * ontb_vtd_fault_write32() - store to half a register of faults and events
 * @vtd:    Unit.
 * @offset: Multiple of 4.
 * @value:  Value.
 *
 * Context: Takes the fault lock.
 * Return: Whether it is one of these.
 */
bool ontb_vtd_fault_write32(struct ontb_vtd *vtd, uint32_t offset, uint32_t value);

#endif
