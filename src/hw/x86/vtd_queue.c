// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The invalidation queue.
 *
 * Rules: Intel VT-d specification, "Queued Invalidation Interface", "Invalidation Descriptors" and "Queued Invalidation
 * Ordering Considerations". Descriptors are carried out in order by the thread that moves the tail, so a fence
 * has nothing to do. An invalidation takes entries out of the cache at once; the next wait descriptor waits for the messages
 * that may still use them, before it says that it is done.
 */
#include "base/bytes.h"
#include "hw/x86/vtd_unit.h"

#define DESC_SIZE	   16
#define DESC_TYPE(low)	   ((unsigned int)((low)&0xf) | (unsigned int)((low) >> 5 & 0x70))
#define TYPE_CONTEXT	   1
#define TYPE_IOTLB	   2
#define TYPE_ENTRY	   4
#define TYPE_WAIT	   5
#define ENTRY_SELECTIVE	   (1ULL << 4)
#define ENTRY_MASK(low)	   ((unsigned int)((low) >> 27 & 0x1f))
#define ENTRY_INDEX(low)   ((uint32_t)((low) >> 32 & 0xffff))
#define ENTRY_BITS	   0x0000fffff800001fULL
#define ENTRY_MAX_MASK	   15
#define WAIT_INTERRUPT	   (1ULL << 4)
#define WAIT_STATUS	   (1ULL << 5)
#define WAIT_BITS	   0xffffffff0000007fULL
#define WAIT_DATA(low)	   ((uint32_t)((low) >> 32))
#define WAIT_ADDR_RESERVED 3ULL

/* Bytes of the queue: 2^size pages. */
static uint64_t queue_size_locked(const struct ontb_vtd *vtd) ONTB_MUST_HOLD(vtd->lock)
{
	return 4096ULL << (vtd->iqa & 7);
}

static const char *flush_entries_locked(struct ontb_vtd *vtd, uint64_t low, uint64_t high) ONTB_MUST_HOLD(vtd->lock)
{
	uint32_t count = VTD_MAX_ENTRIES, first = 0;

	if (low & ~ENTRY_BITS || high)
		return "reserved bits of an entry cache descriptor are set";
	if (low & ENTRY_SELECTIVE) {
		if (ENTRY_MASK(low) > ENTRY_MAX_MASK)
			return "the index mask of an entry cache descriptor is too large";
		count = 1U << ENTRY_MASK(low);
		first = ENTRY_INDEX(low) & ~(count - 1);
	}
	ontb_vtd_forget(vtd, first, count);
	vtd->needs_drain = true;
	return NULL;
}

static const char *wait_locked(struct ontb_vtd *vtd, uint64_t low, uint64_t high) ONTB_MUST_HOLD(vtd->lock)
{
	uint8_t data[4];

	if (low & ~WAIT_BITS || high & WAIT_ADDR_RESERVED)
		return "reserved bits of a wait descriptor are set";
	if (vtd->needs_drain)
		ontb_vtd_drain_locked(vtd);
	if (low & WAIT_STATUS) {
		ontb_put_le32(data, WAIT_DATA(low));
		/* The specification says nothing about a bad address. Going on would hide it. */
		if (vtd->config.memory->write(vtd->config.memory_arg, high, data, sizeof(data)))
			return "the status address of a wait descriptor is not memory";
	}
	if (low & WAIT_INTERRUPT)
		ontb_vtd_complete(vtd);
	return NULL;
}

/* Carry out the descriptor at the head. Returns what is wrong with it, or NULL. */
static const char *run_one_locked(struct ontb_vtd *vtd) ONTB_MUST_HOLD(vtd->lock)
{
	uint8_t raw[DESC_SIZE];
	uint64_t low;

	if (vtd->iqt >= queue_size_locked(vtd))
		return "the tail is beyond the queue";
	if (vtd->config.memory->read(vtd->config.memory_arg, (vtd->iqa & VTD_ADDR_BITS) + vtd->iqh, raw, sizeof(raw)))
		return "a descriptor cannot be read";
	low = ontb_get_le64(raw);
	switch (DESC_TYPE(low)) {
	case TYPE_CONTEXT:
	case TYPE_IOTLB:
		/* Nothing of DMA remapping is cached. */
		return NULL;
	case TYPE_ENTRY:
		return flush_entries_locked(vtd, low, ontb_get_le64(raw + 8));
	case TYPE_WAIT:
		return wait_locked(vtd, low, ontb_get_le64(raw + 8));
	default:
		return "a descriptor is of an unknown type";
	}
}

void ontb_vtd_run_queue_locked(struct ontb_vtd *vtd)
{
	if (!(vtd->gsts & VTD_QI) || ontb_vtd_has_queue_error(vtd))
		return;
	while (vtd->iqh != vtd->iqt) {
		const char *why = run_one_locked(vtd);

		if (why) {
			ontb_log_limited(&vtd->limit, ONTB_LOG_WARNING,
					 "%s: invalidation queue stopped at 0x%llx, tail 0x%llx: %s", vtd->config.name,
					 (unsigned long long)vtd->iqh, (unsigned long long)vtd->iqt, why);
			ontb_vtd_fault_queue(vtd);
			return;
		}
		vtd_count(&vtd->nr_descriptors);
		vtd->iqh = (vtd->iqh + DESC_SIZE) % queue_size_locked(vtd);
	}
}
