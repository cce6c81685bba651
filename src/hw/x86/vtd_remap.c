// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Messages: from address and data to a table entry, and from there to CPUs.
 *
 * Rules: Intel VT-d specification, "Interrupt Requests in Remappable Format", "Interrupt Remapping Table Entry (IRTE) for
 * Remapped Interrupts" and "Interrupt Remapping Fault Conditions".
 *
 * Each message is a section of the unit's drain, from the first look at the state of the unit until the request is set in the
 * local APIC. So whoever changes state, takes an entry out of the cache and then drains knows what there is to know: sections
 * that began before have delivered, sections that begin later see the change. The path of a cached entry takes no lock.
 */
#include <stddef.h>

#include <openntb/machine.h>

#include "base/bytes.h"
#include "hw/x86/lapic.h"
#include "hw/x86/vtd_unit.h"

#define ADDR_REMAPPABLE	   0x10ULL
#define ADDR_SUBHANDLE	   0x8ULL
#define ADDR_HANDLE_LOW(a) ((uint32_t)((a) >> 5 & 0x7fff))
#define ADDR_HANDLE_TOP(a) ((uint32_t)((a) >> 2 & 1) << 15)
#define DATA_RESERVED	   0xffff0000U

#define IRTE_P		   (1ULL << 0)
#define IRTE_FPD	   (1ULL << 1)
#define IRTE_DM		   (1ULL << 2)
#define IRTE_TM		   (1ULL << 4)
#define IRTE_DLM(low)	   ((uint8_t)((low) >> 5 & 7))
#define IRTE_VECTOR(low)   ((uint8_t)((low) >> 16))
#define IRTE_DST(low)	   ((uint32_t)((low) >> 32))
#define IRTE_DST_8BIT(low) ((uint32_t)((low) >> 40 & 0xff))
#define IRTE_SIZE	   16
/* Bits 14:12 and 31:24; and 15, which would make it a posted interrupt. */
#define LOW_RESERVED 0xff00f000ULL
/* Without extended ids, the destination is in 47:40. */
#define LOW_RESERVED_8BIT 0xffff00ff00000000ULL
#define IRTE_SID(high)	  ((uint16_t)(high))
#define IRTE_SQ(high)	  ((unsigned int)((high) >> 16 & 3))
#define IRTE_SVT(high)	  ((unsigned int)((high) >> 18 & 3))
#define HIGH_RESERVED	  0xfffffffffff00000ULL
#define SVT_NONE	  0
#define SVT_ID		  1
#define SVT_BUS		  2
#define SVT_RESERVED	  3

/**
 * struct request - a message in remappable format
 * @rid:    Requester.
 * @index:  Of its entry; may be beyond 16 bits.
 * @active: What the unit was told to do when the message came.
 */
struct request {
	uint16_t rid;
	uint32_t index;
	uint64_t active;
};

/**
 * struct irte - a table entry
 * @low:  Bits 63:0.
 * @high: Bits 127:64.
 */
struct irte {
	uint64_t low;
	uint64_t high;
};

static bool is_entry_valid(const struct irte *irte, uint64_t active)
{
	if (irte->low & LOW_RESERVED || irte->high & HIGH_RESERVED)
		return false;
	if (!(active & VTD_IRTA_EIME) && irte->low & LOW_RESERVED_8BIT)
		return false;
	/* Delivery modes 3 and 6 do not exist in an entry. */
	return IRTE_SVT(irte->high) != SVT_RESERVED && IRTE_DLM(irte->low) != 3 && IRTE_DLM(irte->low) != 6;
}

/* From the table in memory. Returns a fault reason, or 0. */
static unsigned int read_entry(struct ontb_vtd *vtd, const struct request *req, struct irte *irte)
{
	uint64_t addr = (req->active & VTD_ADDR_BITS) + (uint64_t)req->index * IRTE_SIZE;
	uint8_t raw[IRTE_SIZE];

	vtd_count(&vtd->nr_reads);
	*irte = (struct irte){ 0 };
	if (vtd->config.memory->read(vtd->config.memory_arg, addr, raw, sizeof(raw)))
		return ONTB_VTD_FAULT_ACCESS;
	irte->low = ontb_get_le64(raw);
	irte->high = ontb_get_le64(raw + 8);
	if (!(irte->low & IRTE_P))
		return ONTB_VTD_FAULT_PRESENT;
	return is_entry_valid(irte, req->active) ? 0 : ONTB_VTD_FAULT_ENTRY;
}

static bool find_cached(const struct ontb_vtd *vtd, uint32_t index, struct irte *irte)
{
	const struct vtd_entry *place = &vtd->cache[index];

	irte->low = atomic_load(&place->low);
	irte->high = atomic_load_explicit(&place->high, memory_order_acquire);
	return ontb_likely(irte->low && atomic_load_explicit(&place->low, memory_order_relaxed) == irte->low);
}

/* An entry that is not cached. Only good ones are kept: the unit does not report caching mode. */
static unsigned int fetch_entry(struct ontb_vtd *vtd, const struct request *req, struct irte *irte)
{
	struct vtd_entry *place = &vtd->cache[req->index];
	unsigned int reason = 0;

	ontb_lock(&vtd->cache_lock);
	/*
	 * The lock is held while memory is read: an invalidation that comes now waits, and takes out what we put in; one that
	 * came before has let us see what software wrote before it.
	 */
	if (!find_cached(vtd, req->index, irte))
		reason = read_entry(vtd, req, irte);
	if (!reason) {
		atomic_store_explicit(&place->high, irte->high, memory_order_release);
		atomic_store_explicit(&place->low, irte->low, memory_order_release);
		if (vtd->nr_cached <= req->index)
			vtd->nr_cached = req->index + 1;
	}
	ontb_unlock(&vtd->cache_lock);
	return reason;
}

void ontb_vtd_forget(struct ontb_vtd *vtd, uint32_t first, uint32_t count)
{
	uint32_t end = first + count;

	ontb_lock(&vtd->cache_lock);
	if (end > vtd->nr_cached)
		end = vtd->nr_cached;
	for (uint32_t i = first; i < end; i++) {
		if (atomic_load_explicit(&vtd->cache[i].low, memory_order_relaxed))
			atomic_store(&vtd->cache[i].low, 0);
	}
	if (!first && end == vtd->nr_cached)
		vtd->nr_cached = 0;
	ontb_unlock(&vtd->cache_lock);
}

/* "Interrupt Remapping Table Entry", fields SVT, SQ and SID. */
static bool may_use(uint64_t high, uint16_t rid)
{
	/* Function bits that do not count, by qualifier: none, the third, the second and third, all three. */
	static const uint16_t ignored[] = { 0, 4, 6, 7 };
	uint16_t sid = IRTE_SID(high);

	switch (IRTE_SVT(high)) {
	case SVT_ID:
		return !((sid ^ rid) & ~(unsigned int)ignored[IRTE_SQ(high)]);
	case SVT_BUS:
		return rid >> 8 >= sid >> 8 && rid >> 8 <= (sid & 0xff);
	default:
		return true;
	}
}

static unsigned int deliver(struct ontb_vtd *vtd, const struct request *req, uint64_t low)
{
	struct ontb_apic_message msg = {
		.vector = IRTE_VECTOR(low),
		.mode = IRTE_DLM(low),
		.is_level = low & IRTE_TM,
		.is_logical = low & IRTE_DM,
	};

	if (req->active & VTD_IRTA_EIME)
		msg.dest = IRTE_DST(low);
	else
		msg.dest = IRTE_DST_8BIT(low) == ONTB_APIC_ALL_8BIT ? ONTB_APIC_ALL : IRTE_DST_8BIT(low);
	return ontb_apic_bus_send(vtd->config.bus, req->rid, &msg);
}

static unsigned int remap(struct ontb_vtd *vtd, struct request *req, uint64_t addr, uint32_t data)
{
	unsigned int reason = 0;
	struct irte irte;

	req->index = ADDR_HANDLE_LOW(addr) | ADDR_HANDLE_TOP(addr);
	if (addr & ADDR_SUBHANDLE) {
		if (ontb_unlikely(data & DATA_RESERVED)) {
			ontb_vtd_fault(vtd, ONTB_VTD_FAULT_REQUEST, req->rid, req->index, false);
			return 0;
		}
		req->index += data;
	}
	if (ontb_unlikely(req->index >= 2U << (req->active & VTD_IRTA_SIZE))) {
		ontb_vtd_fault(vtd, ONTB_VTD_FAULT_INDEX, req->rid, req->index, false);
		return 0;
	}
	if (!find_cached(vtd, req->index, &irte))
		reason = fetch_entry(vtd, req, &irte);
	if (!reason && ontb_unlikely(!may_use(irte.high, req->rid)))
		reason = ONTB_VTD_FAULT_SOURCE;
	if (ontb_likely(!reason))
		return deliver(vtd, req, irte.low);
	/* What could not be read says nothing about records. */
	ontb_vtd_fault(vtd, reason, req->rid, req->index, irte.low & IRTE_FPD);
	return 0;
}

static unsigned int take_message(struct ontb_vtd *vtd, uint16_t rid, uint64_t addr, uint32_t data)
{
	struct request req = { .rid = rid, .active = atomic_load(&vtd->active) };

	if (!(req.active & VTD_ACTIVE_IR) || addr - ONTB_X86_MSI_BASE >= ONTB_X86_MSI_SIZE)
		return ontb_apic_bus_message(vtd->config.bus, rid, addr, data);
	if (ontb_likely(addr & ADDR_REMAPPABLE))
		return remap(vtd, &req, addr, data);
	/* "Interrupt Requests in Compatibility Format": only when let pass, and never with extended ids. */
	if (req.active & VTD_ACTIVE_CFI && !(req.active & VTD_IRTA_EIME))
		return ontb_apic_bus_message(vtd->config.bus, rid, addr, data);
	ontb_vtd_fault(vtd, ONTB_VTD_FAULT_COMPATIBLE, rid, 0, false);
	return 0;
}

unsigned int ontb_vtd_message(struct ontb_vtd *vtd, uint16_t rid, uint64_t addr, uint32_t data)
{
	_Atomic uint32_t *section = ontb_drain_enter(&vtd->drain);
	unsigned int nr = take_message(vtd, rid, addr, data);

	ontb_drain_leave(section);
	return nr;
}

void ontb_vtd_drain_locked(struct ontb_vtd *vtd)
{
	vtd_count(&vtd->nr_drains);
	ontb_drain_wait(&vtd->drain);
	vtd->needs_drain = false;
}
