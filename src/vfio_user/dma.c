// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A client's memory. See dma.h.
 */
#include "vfio_user/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "vfio_user/wire.h"

/*
 * A thread sanitizer carries out a release store while it holds a lock of its own. If that store faults, the handler of
 * guard.c waits for the lock for ever. Nobody in this process reads what is ordered here, so a relaxed store will do for it.
 */
#if defined(__SANITIZE_THREAD__)
#define STORE_ORDER __ATOMIC_RELAXED
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STORE_ORDER __ATOMIC_RELAXED
#endif
#endif
#ifndef STORE_ORDER
#define STORE_ORDER __ATOMIC_RELEASE
#endif

#define MIN_SLOTS	16U
#define HUGETLBFS_MAGIC 0x958458f6

void ontb_dma_init(struct ontb_dma *dma, size_t max_ranges)
{
	memset(dma, 0, sizeof(*dma));
	dma->max_ranges = max_ranges;
}

void ontb_dma_fini(struct ontb_dma *dma)
{
	for (size_t i = 0; i < dma->nr_ranges; i++)
		ontb_dma_range_free(dma->ranges[i]);
	free(dma->ranges);
	ontb_dma_init(dma, dma->max_ranges);
}

/* Only files of tmpfs, of which a memfd is one, and of hugetlbfs have seals. */
bool ontb_dma_is_memory(int fd)
{
	/* What else may be wrong with a descriptor is found out when it is mapped. */
	return fcntl(fd, F_GET_SEALS) >= 0 || errno != EINVAL;
}

static size_t file_page_size(int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct statfs fs;

	if (fstatfs(fd, &fs) || (uint32_t)fs.f_type != HUGETLBFS_MAGIC)
		return page;
	return ontb_is_power_of_two((uint64_t)fs.f_bsize) ? (size_t)fs.f_bsize : page;
}

static int map_file(struct ontb_dma_range *range, int fd, uint64_t offset, const char **why)
{
	size_t page = file_page_size(fd), before = offset & (page - 1);
	int prot = (range->can_read ? PROT_READ : 0) | (range->can_write ? PROT_WRITE : 0);
	struct stat st;
	size_t len;
	void *p;

	if (fstat(fd, &st)) {
		*why = "the descriptor's size cannot be asked";
		return -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "the descriptor is not a regular file";
		return -EINVAL;
	}
	if (!ontb_range_fits(offset, range->size, (uint64_t)st.st_size)) {
		*why = "offset plus size lie beyond the end of the file";
		return -EINVAL;
	}
	len = (before + range->size + page - 1) & ~(page - 1);
	p = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)(offset - before));
	if (p == MAP_FAILED) {
		*why = "the descriptor cannot be mapped";
		return -errno;
	}
	/* A core dump of ours is no place for a guest's memory, and a child has no business with it. */
	(void)madvise(p, len, MADV_DONTDUMP);
	(void)madvise(p, len, MADV_DONTFORK);
	range->guard.start = p;
	range->guard.len = len;
	range->guard.page_size = page;
	range->guard.prot = prot;
	range->mem = range->guard.start + before;
	return 0;
}

int ontb_dma_range_new(uint32_t flags, uint64_t addr, uint64_t size, int fd, uint64_t offset, const char **why,
		       struct ontb_dma_range **out)
{
	struct ontb_dma_range *range;
	int ret;

	if (fd < 0 && offset) {
		*why = "an offset without a descriptor";
		return -EINVAL;
	}
	if (fd >= 0 && size > ONTB_DMA_MAX_BYTES) {
		*why = "larger than one client may map";
		return -ENOMEM;
	}
	range = calloc(1, sizeof(*range));
	if (!range) {
		*why = "no memory";
		return -ENOMEM;
	}
	range->addr = addr;
	range->size = size;
	range->can_read = flags & ONTB_WIRE_MAP_F_READ;
	range->can_write = flags & ONTB_WIRE_MAP_F_WRITE;
	if (fd >= 0) {
		ret = map_file(range, fd, offset, why);
		if (ret)
			goto free_range;
	}
	*out = range;
	return 0;

free_range:
	free(range);
	return ret;
}

void ontb_dma_range_free(struct ontb_dma_range *range)
{
	if (!range)
		return;
	if (range->guard.start)
		(void)munmap(range->guard.start, range->guard.len);
	free(range);
}

/* Index of the first range that ends at or behind @addr. */
static size_t first_not_before(const struct ontb_dma *dma, uint64_t addr)
{
	size_t lo = 0, hi = dma->nr_ranges;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct ontb_dma_range *range = dma->ranges[mid];

		if (range->addr + (range->size - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int ontb_dma_reserve(struct ontb_dma *dma, const char **why)
{
	size_t nr_slots = dma->nr_slots ? dma->nr_slots * 2 : MIN_SLOTS;
	struct ontb_dma_range **ranges;

	if (dma->nr_ranges >= dma->max_ranges) {
		*why = "too many mappings";
		return -ENOSPC;
	}
	if (dma->nr_ranges < dma->nr_slots)
		return 0;
	ranges = realloc(dma->ranges, nr_slots * sizeof(struct ontb_dma_range *));
	if (!ranges) {
		*why = "no memory";
		return -ENOMEM;
	}
	dma->ranges = ranges;
	dma->nr_slots = nr_slots;
	return 0;
}

int ontb_dma_add(struct ontb_dma *dma, struct ontb_dma_range *range, const char **why)
{
	size_t idx = first_not_before(dma, range->addr);

	if (idx < dma->nr_ranges && dma->ranges[idx]->addr <= range->addr + (range->size - 1)) {
		*why = "overlaps a mapping that is there";
		return -EEXIST;
	}
	if (range->mem && range->size > ONTB_DMA_MAX_BYTES - dma->mapped) {
		*why = "more memory than one client may map";
		return -ENOSPC;
	}
	memmove(&dma->ranges[idx + 1], &dma->ranges[idx], (dma->nr_ranges - idx) * sizeof(struct ontb_dma_range *));
	dma->ranges[idx] = range;
	dma->nr_ranges++;
	dma->mapped += range->mem ? range->size : 0;
	return 0;
}

/* Ranges [*first, *end) touch the interval. */
static void touching(const struct ontb_dma *dma, uint64_t addr, uint64_t size, size_t *first, size_t *end)
{
	uint64_t last = addr + (size - 1);

	*first = first_not_before(dma, addr);
	for (*end = *first; *end < dma->nr_ranges && dma->ranges[*end]->addr <= last; (*end)++)
		;
}

size_t ontb_dma_count_inside(const struct ontb_dma *dma, uint64_t addr, uint64_t size)
{
	size_t first, end;

	touching(dma, addr, size, &first, &end);
	return end - first;
}

int ontb_dma_remove(struct ontb_dma *dma, uint64_t addr, uint64_t size, struct ontb_dma_range **removed,
		    const char **why)
{
	uint64_t last = addr + (size - 1);
	const struct ontb_dma_range *range;
	size_t first, end;

	touching(dma, addr, size, &first, &end);
	if (first == end)
		return 0;
	range = dma->ranges[end - 1];
	if (dma->ranges[first]->addr < addr || range->addr + (range->size - 1) > last) {
		*why = "would cut a mapping in two";
		return -EINVAL;
	}
	for (size_t i = first; i < end; i++) {
		removed[i - first] = dma->ranges[i];
		dma->mapped -= dma->ranges[i]->mem ? dma->ranges[i]->size : 0;
	}
	memmove(&dma->ranges[first], &dma->ranges[end], (dma->nr_ranges - end) * sizeof(struct ontb_dma_range *));
	dma->nr_ranges -= end - first;
	return (int)(end - first);
}

struct ontb_dma_range *ontb_dma_find_slow(struct ontb_dma *dma, unsigned int hint, uint64_t addr)
{
	size_t idx = first_not_before(dma, addr);

	if (idx == dma->nr_ranges || dma->ranges[idx]->addr > addr)
		return NULL;
	dma->hints[hint] = (uint32_t)idx;
	return dma->ranges[idx];
}

/* Bytes up to the next address that is a multiple of 8, or of the largest power of two that @len allows. */
static size_t piece_at(uintptr_t addr, size_t len)
{
	size_t piece = 8;

	while (piece > len || (addr & (piece - 1)))
		piece /= 2;
	return piece;
}

static void store_piece(void *to, const uint8_t *from, size_t piece)
{
	union {
		uint64_t u64;
		uint32_t u32;
		uint16_t u16;
	} v;

	memcpy(&v, from, piece);
	switch (piece) {
	case 8:
		__atomic_store_n((uint64_t *)to, v.u64, STORE_ORDER);
		break;
	case 4:
		__atomic_store_n((uint32_t *)to, v.u32, STORE_ORDER);
		break;
	case 2:
		__atomic_store_n((uint16_t *)to, v.u16, STORE_ORDER);
		break;
	default:
		__atomic_store_n((uint8_t *)to, *from, STORE_ORDER);
		break;
	}
}

static void load_piece(uint8_t *to, const void *from, size_t piece)
{
	union {
		uint64_t u64;
		uint32_t u32;
		uint16_t u16;
		uint8_t u8;
	} v;

	switch (piece) {
	case 8:
		v.u64 = __atomic_load_n((const uint64_t *)from, __ATOMIC_ACQUIRE);
		break;
	case 4:
		v.u32 = __atomic_load_n((const uint32_t *)from, __ATOMIC_ACQUIRE);
		break;
	case 2:
		v.u16 = __atomic_load_n((const uint16_t *)from, __ATOMIC_ACQUIRE);
		break;
	default:
		v.u8 = __atomic_load_n((const uint8_t *)from, __ATOMIC_ACQUIRE);
		break;
	}
	memcpy(to, &v, piece);
}

static bool is_dead(const struct ontb_dma_range *range)
{
	return atomic_load_explicit(&range->guard.is_dead, memory_order_acquire);
}

int ontb_dma_copy_in(struct ontb_dma_range *range, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	uint8_t *to = range->mem + offset;

	if (ontb_unlikely(is_dead(range)))
		return -EFAULT;
	ontb_guard_enter(&range->guard);
	while (len) {
		size_t piece = piece_at((uintptr_t)to, len);

		store_piece(to, from, piece);
		to += piece;
		from += piece;
		len -= piece;
	}
	ontb_guard_leave();
	return ontb_unlikely(is_dead(range)) ? -EFAULT : 0;
}

int ontb_dma_copy_out(struct ontb_dma_range *range, uint64_t offset, void *buf, size_t len)
{
	const uint8_t *from = range->mem + offset;
	uint8_t *to = buf;

	if (ontb_unlikely(is_dead(range)))
		return -EFAULT;
	ontb_guard_enter(&range->guard);
	while (len) {
		size_t piece = piece_at((uintptr_t)from, len);

		load_piece(to, from, piece);
		to += piece;
		from += piece;
		len -= piece;
	}
	ontb_guard_leave();
	return ontb_unlikely(is_dead(range)) ? -EFAULT : 0;
}
