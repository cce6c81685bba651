// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A VT-d unit: its life, its registers, its commands.
 *
 * Registers are handled in halves of 32 bits, because software may access a 64 bit register so; an access of 8 bytes is two
 * of them, the lower one first.
 */
#include "hw/x86/vtd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hw/x86/vtd_unit.h"

/* Architecture version 1.0, as the first units with remapping have it. */
#define VER_VALUE 0x10U
/* Fault records at VTD_FRCD, in units of 16 bytes; how many less one; 48 bit addresses, no page tables. */
#define CAP_VALUE ((uint64_t)(VTD_FRCD / 16) << 24 | (uint64_t)(VTD_NR_FRCD - 1) << 40 | 47ULL << 16)
/* Coherent, queued invalidation, interrupt remapping, extended ids; index masks up to 15. */
#define ECAP_VALUE (1ULL << 0 | 1ULL << 1 | 1ULL << 3 | 1ULL << 4 | 15ULL << 20)

#define IQ_OFFSET_BITS 0x7fff0ULL
#define IQA_BITS       (VTD_ADDR_BITS | 7)
#define IRTA_BITS      (VTD_ADDR_BITS | VTD_IRTA_EIME | VTD_IRTA_SIZE)

int ontb_vtd_new(const struct ontb_vtd_config *config, struct ontb_vtd **out)
{
	struct ontb_vtd *vtd;

	vtd = aligned_alloc(_Alignof(struct ontb_vtd), sizeof(*vtd));
	if (!vtd)
		return -ENOMEM;
	memset(vtd, 0, sizeof(*vtd));
	vtd->cache = calloc(VTD_MAX_ENTRIES, sizeof(*vtd->cache));
	if (!vtd->cache)
		goto free_vtd;
	vtd->config = *config;
	ontb_lock_init(&vtd->lock);
	ontb_lock_init(&vtd->cache_lock);
	ontb_lock_init(&vtd->fault_lock);
	ontb_vtd_fault_reset(vtd);
	*out = vtd;
	return 0;

free_vtd:
	free(vtd);
	return -ENOMEM;
}

void ontb_vtd_free(struct ontb_vtd *vtd)
{
	if (!vtd)
		return;
	ontb_lock_fini(&vtd->fault_lock);
	ontb_lock_fini(&vtd->cache_lock);
	ontb_lock_fini(&vtd->lock);
	free(vtd->cache);
	free(vtd);
}

void ontb_vtd_reset(struct ontb_vtd *vtd)
{
	ontb_lock(&vtd->lock);
	atomic_store(&vtd->active, 0);
	ontb_vtd_forget(vtd, 0, VTD_MAX_ENTRIES);
	ontb_vtd_drain_locked(vtd);
	ontb_vtd_fault_reset(vtd);
	vtd->gsts = 0;
	vtd->irta = vtd->iqa = vtd->iqh = vtd->iqt = 0;
	ontb_unlock(&vtd->lock);
}

static void complain(struct ontb_vtd *vtd, const char *what, uint64_t offset, uint64_t value, const char *why)
{
	ontb_log_limited(&vtd->limit, ONTB_LOG_WARNING, "%s: remapping unit: %s at 0x%llx, value 0x%llx, ignored: %s",
			 vtd->config.name, what, (unsigned long long)offset, (unsigned long long)value, why);
}

static void set_queue_locked(struct ontb_vtd *vtd, bool is_on) ONTB_MUST_HOLD(vtd->lock)
{
	if (is_on == !!(vtd->gsts & VTD_QI))
		return;
	vtd->iqh = 0;
	vtd->gsts ^= VTD_QI;
	ontb_vtd_run_queue_locked(vtd);
}

/*
 * Change what messages obey. Entries stay in the cache: after setting another table, software invalidates them, as the
 * specification tells it to ("Set Interrupt Remap Table Pointer").
 */
static void set_active_locked(struct ontb_vtd *vtd, uint64_t active) ONTB_MUST_HOLD(vtd->lock)
{
	if (active == atomic_load(&vtd->active))
		return;
	atomic_store(&vtd->active, active);
	ontb_vtd_drain_locked(vtd);
}

static void write_command_locked(struct ontb_vtd *vtd, uint32_t value) ONTB_MUST_HOLD(vtd->lock)
{
	uint64_t active = atomic_load(&vtd->active);
	uint32_t gsts = vtd->gsts & ~(VTD_IR | VTD_CFI);

	if (value & VTD_GCMD_OTHERS)
		complain(vtd, "command", VTD_GCMD, value, "DMA remapping and write buffers are not modelled");
	set_queue_locked(vtd, value & VTD_QI);
	gsts = (gsts & ~VTD_QI) | (vtd->gsts & VTD_QI);
	if (value & VTD_IRTP) {
		active = (active & (VTD_ACTIVE_IR | VTD_ACTIVE_CFI)) | vtd->irta;
		gsts |= VTD_IRTP;
	}
	active &= ~(VTD_ACTIVE_IR | VTD_ACTIVE_CFI);
	if (value & VTD_IR && !(gsts & VTD_IRTP)) {
		complain(vtd, "command", VTD_GCMD, value, "remapping needs a table first");
	} else if (value & VTD_IR) {
		active |= VTD_ACTIVE_IR;
		gsts |= VTD_IR;
	}
	if (value & VTD_CFI) {
		active |= VTD_ACTIVE_CFI;
		gsts |= VTD_CFI;
	}
	set_active_locked(vtd, active);
	vtd->gsts = gsts;
}

/* Half of a 64 bit register. */
static void merge(uint64_t *reg, bool is_upper, uint32_t value, uint64_t bits)
{
	if (is_upper)
		*reg = (uint64_t)value << 32 | (*reg & UINT32_MAX);
	else
		*reg = (*reg & ~(uint64_t)UINT32_MAX) | value;
	*reg &= bits;
}

static void write32_locked(struct ontb_vtd *vtd, uint32_t offset, uint32_t value) ONTB_MUST_HOLD(vtd->lock)
{
	switch (offset) {
	case VTD_GCMD:
		write_command_locked(vtd, value);
		break;
	case VTD_IQT:
		vtd->iqt = value & IQ_OFFSET_BITS;
		ontb_vtd_run_queue_locked(vtd);
		break;
	case VTD_IQA:
	case VTD_IQA + 4:
		if (vtd->gsts & VTD_QI)
			complain(vtd, "store", offset, value, "the queue is in use");
		else
			merge(&vtd->iqa, offset != VTD_IQA, value, IQA_BITS);
		break;
	case VTD_IRTA:
	case VTD_IRTA + 4:
		merge(&vtd->irta, offset != VTD_IRTA, value, IRTA_BITS);
		break;
	default:
		if (!ontb_vtd_fault_write32(vtd, offset, value))
			break;
		/* A queue that stood still goes on when software has cleared its error. */
		if (offset == VTD_FSTS)
			ontb_vtd_run_queue_locked(vtd);
		break;
	}
}

static uint32_t half(uint64_t reg, uint32_t offset)
{
	return (uint32_t)(reg >> (offset % 8 * 8));
}

static uint32_t read32_locked(struct ontb_vtd *vtd, uint32_t offset) ONTB_MUST_HOLD(vtd->lock)
{
	uint32_t value = 0;

	switch (offset) {
	case VTD_VER:
		return VER_VALUE;
	case VTD_CAP:
	case VTD_CAP + 4:
		return half(CAP_VALUE, offset);
	case VTD_ECAP:
	case VTD_ECAP + 4:
		return half(ECAP_VALUE, offset);
	case VTD_GSTS:
		return vtd->gsts;
	case VTD_IQH:
		return (uint32_t)vtd->iqh;
	case VTD_IQT:
		return (uint32_t)vtd->iqt;
	case VTD_IQA:
	case VTD_IQA + 4:
		return half(vtd->iqa, offset);
	case VTD_IRTA:
	case VTD_IRTA + 4:
		return half(vtd->irta, offset);
	default:
		(void)ontb_vtd_fault_read32(vtd, offset, &value);
		return value;
	}
}

static bool is_access_valid(uint64_t offset, size_t len)
{
	return (len == 4 || len == 8) && offset < ONTB_VTD_REG_SIZE && !(offset % len);
}

uint64_t ontb_vtd_read(struct ontb_vtd *vtd, uint64_t offset, size_t len)
{
	uint64_t value;

	if (!is_access_valid(offset, len)) {
		complain(vtd, "load", offset, len, "registers are read with 4 or 8 aligned bytes");
		return UINT64_MAX;
	}
	ontb_lock(&vtd->lock);
	value = read32_locked(vtd, (uint32_t)offset);
	if (len == 8)
		value |= (uint64_t)read32_locked(vtd, (uint32_t)offset + 4) << 32;
	ontb_unlock(&vtd->lock);
	return value;
}

void ontb_vtd_write(struct ontb_vtd *vtd, uint64_t offset, uint64_t value, size_t len)
{
	if (!is_access_valid(offset, len)) {
		complain(vtd, "store", offset, value, "registers are written with 4 or 8 aligned bytes");
		return;
	}
	ontb_lock(&vtd->lock);
	write32_locked(vtd, (uint32_t)offset, (uint32_t)value);
	if (len == 8)
		write32_locked(vtd, (uint32_t)offset + 4, (uint32_t)(value >> 32));
	ontb_unlock(&vtd->lock);
}

void ontb_vtd_counts(struct ontb_vtd *vtd, struct ontb_vtd_counts *out)
{
	out->nr_reads = atomic_load(&vtd->nr_reads);
	out->nr_faults = atomic_load(&vtd->nr_faults);
	out->nr_unrecorded = atomic_load(&vtd->nr_unrecorded);
	out->nr_descriptors = atomic_load(&vtd->nr_descriptors);
	out->nr_drains = atomic_load(&vtd->nr_drains);
}
