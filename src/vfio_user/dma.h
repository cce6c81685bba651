/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A client's memory as it mapped it to us: ranges of its address space, each with or without memory behind it.
 *
 * The map is an array sorted by address. It is read inside accesses, without a lock, and changed only inside an exclusive
 * section of the bridge (see access.h). Each source of accesses remembers where it found something last.
 */
#ifndef ONTB_VFIO_USER_DMA_H
#define ONTB_VFIO_USER_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/bridge.h>

#include "base/annotate.h"
#include "vfio_user/guard.h"

/* Address space of ours that one client can take with its mappings; 128 TiB are there for all. */
#define ONTB_DMA_MAX_BYTES (1ULL << 40)

/* Slots for the places found last: one per source port and one for the client's own thread. */
#define ONTB_DMA_NR_HINTS (ONTB_MAX_PORTS + 1)

/**
 * struct ontb_dma_range - one mapping
 * @addr:     First address in the client.
 * @size:     Bytes.
 * @can_read: .
 * @can_write: .
 * @mem:      Our view of it, or NULL if it is reachable only by messages.
 * @guard:    What was mapped, including the bytes before @mem down to a page.
 */
struct ontb_dma_range {
	uint64_t addr;
	uint64_t size;
	bool can_read;
	bool can_write;
	uint8_t *mem;
	struct ontb_guard_range guard;
};

/**
 * struct ontb_dma - the map
 * @ranges:      Sorted by address, without overlap.
 * @nr_ranges:   .
 * @nr_slots:    Room in @ranges.
 * @max_ranges:  Constant.
 * @mapped:      Bytes of all ranges.
 * @hints:       Index found last, per source; each used by one thread at a time.
 */
struct ontb_dma {
	struct ontb_dma_range **ranges;
	size_t nr_ranges;
	size_t nr_slots;
	size_t max_ranges;
	uint64_t mapped;
	uint32_t hints[ONTB_DMA_NR_HINTS];
};

/**
 * ontb_dma_init() - an empty map
 * @dma:        Memory of the caller.
 * @max_ranges: Largest number of ranges, at least 1.
 */
void ontb_dma_init(struct ontb_dma *dma, size_t max_ranges);

/**
 * ontb_dma_fini() - unmap and free everything
 * @dma: Map; nobody uses it any more.
 */
void ontb_dma_fini(struct ontb_dma *dma);

/**
 * ontb_dma_is_memory() - whether the pages of a file are memory, so that an access never waits for anybody to fetch one
 * @fd: Descriptor.
 *
 * The file's filesystem is not asked anything: one in user space answers when its user likes.
 *
 * Context: Any thread. Never blocks.
 * Return: False if they are on a disk, elsewhere, or if it has no pages.
 */
bool ontb_dma_is_memory(int fd);

/**
 * ontb_dma_range_new() - check and map what a client offers
 * @flags:  ONTB_WIRE_MAP_F_READ and ONTB_WIRE_MAP_F_WRITE.
 * @addr:   First address in the client.
 * @size:   Bytes, at least 1; neither @addr + @size - 1 nor @offset + @size - 1 wraps.
 * @fd:     File with the memory, stays the caller's; -1 for a range that is reachable only by messages.
 * @offset: Where in the file; 0 without a file.
 * @why:    OUT, constant text, written on failure.
 * @out:    OUT, the range; free with ontb_dma_range_free().
 *
 * Context: Outside exclusive sections, it may take long.
 * Return: 0; -EINVAL (not a regular file, too short, an offset without a file); -EACCES (the file may not be accessed that
 *         way); -ENOMEM; or another error of fstat() or mmap().
 */
int ontb_dma_range_new(uint32_t flags, uint64_t addr, uint64_t size, int fd, uint64_t offset, const char **why,
		       struct ontb_dma_range **out) ONTB_MUST_CHECK;

/**
 * ontb_dma_range_free() - unmap and free a range that is in no map
 * @range: Range or NULL.
 */
void ontb_dma_range_free(struct ontb_dma_range *range);

/**
 * ontb_dma_reserve() - make room for one more range, so that adding cannot fail for lack of memory
 * @dma: Map.
 * @why: OUT, constant text, written on failure.
 *
 * Context: As ontb_dma_add().
 * Return: 0, -ENOSPC (too many ranges) or -ENOMEM.
 */
int ontb_dma_reserve(struct ontb_dma *dma, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_dma_add() - put a range into the map
 * @dma:   Map with room, see ontb_dma_reserve().
 * @range: Range; the map's on success.
 * @why:   OUT, constant text, written on failure.
 *
 * Context: Exclusive.
 * Return: 0, -EEXIST (it overlaps one that is there) or -ENOSPC (more than ONTB_DMA_MAX_BYTES in all).
 */
int ontb_dma_add(struct ontb_dma *dma, struct ontb_dma_range *range, const char **why) ONTB_MUST_CHECK;

/**
 * ontb_dma_remove() - take all ranges inside an interval out of the map
 * @dma:     Map.
 * @addr:    First address.
 * @size:    Bytes, at least 1; @addr + @size - 1 does not wrap.
 * @removed: OUT, the ranges removed are swapped to here: an array with room for ontb_dma_count_inside() pointers.
 * @why:     OUT, constant text, written on failure.
 *
 * A range that lies across an end of the interval stops it, as in VFIO's type 1 version 2.
 *
 * Context: Exclusive.
 * Return: How many were removed, or -EINVAL.
 */
int ontb_dma_remove(struct ontb_dma *dma, uint64_t addr, uint64_t size, struct ontb_dma_range **removed,
		    const char **why);

/**
 * ontb_dma_count_inside() - how many ranges touch an interval
 * @dma:  Map.
 * @addr: First address.
 * @size: Bytes, at least 1.
 *
 * Return: The number.
 */
size_t ontb_dma_count_inside(const struct ontb_dma *dma, uint64_t addr, uint64_t size);

/**
 * ontb_dma_find_slow() - find the range that holds an address; see ontb_dma_find()
 * @dma:  Map.
 * @hint: Slot of the caller.
 * @addr: Address.
 *
 * Return: The range or NULL.
 */
struct ontb_dma_range *ontb_dma_find_slow(struct ontb_dma *dma, unsigned int hint, uint64_t addr);

/**
 * ontb_dma_find() - find the range that holds an address
 * @dma:  Map.
 * @hint: Slot of the caller, below ONTB_DMA_NR_HINTS: the source port, or ONTB_MAX_PORTS in the client's own thread.
 * @addr: Address.
 *
 * Context: Inside an access, or where nobody changes the map.
 * Return: The range or NULL.
 */
static inline struct ontb_dma_range *ontb_dma_find(struct ontb_dma *dma, unsigned int hint, uint64_t addr)
{
	uint32_t idx = dma->hints[hint];

	if (ontb_likely(idx < dma->nr_ranges)) {
		struct ontb_dma_range *range = dma->ranges[idx];

		if (ontb_likely(addr - range->addr < range->size))
			return range;
	}
	return ontb_dma_find_slow(dma, hint, addr);
}

/**
 * ontb_dma_copy_in() - write to a range
 * @range:  Range with memory.
 * @offset: Where, @offset + @len inside the range.
 * @buf:    Data.
 * @len:    Bytes.
 *
 * Naturally aligned pieces of 1, 2, 4 and 8 bytes are written whole, and in order: whoever sees a later write sees the
 * earlier ones.
 *
 * Return: 0, or -EFAULT if the memory has been taken away.
 */
int ontb_dma_copy_in(struct ontb_dma_range *range, uint64_t offset, const void *buf, size_t len);

/**
 * ontb_dma_copy_out() - read from a range
 * @range:  Range with memory.
 * @offset: Where, @offset + @len inside the range.
 * @buf:    OUT.
 * @len:    Bytes.
 *
 * Return: 0, or -EFAULT if the memory has been taken away; @buf then holds nothing of use.
 */
int ontb_dma_copy_out(struct ontb_dma_range *range, uint64_t offset, void *buf, size_t len);

#endif
