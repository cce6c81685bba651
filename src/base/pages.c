// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Page allocator: a bit per page, first fit from the lowest page that may be free.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/pages.h>

#include "base/bytes.h"
#include "base/log.h"

/**
 * struct ontb_pages - the pages of a machine
 * @ram:        Constant.
 * @base:       Constant.
 * @nr_pages:   Constant.
 * @lock:       Protects what follows.
 * @nr_used:    Pages handed out.
 * @first_free: No page below is free.
 * @used:       A bit per page; those past the end are set.
 */
struct ontb_pages {
	uint8_t *ram;
	uint64_t base;
	uint64_t nr_pages;
	struct ontb_lock lock;
	uint64_t nr_used;
	uint64_t first_free;
	uint64_t used[];
};

static uint64_t nr_words(uint64_t nr_pages)
{
	return nr_pages / 64 + (nr_pages % 64 != 0);
}

int ontb_pages_new(void *ram, uint64_t base, uint64_t size, struct ontb_pages **out)
{
	struct ontb_pages *pages;
	uint64_t nr_pages = size / ONTB_PAGE_SIZE;

	if (!ram || !size || size % ONTB_PAGE_SIZE || base % ONTB_PAGE_SIZE || size - 1 > UINT64_MAX - base)
		return -EINVAL;
	pages = calloc(1, sizeof(*pages) + nr_words(nr_pages) * sizeof(pages->used[0]));
	if (!pages)
		return -ENOMEM;
	pages->ram = ram;
	pages->base = base;
	pages->nr_pages = nr_pages;
	ontb_lock_init(&pages->lock);
	if (nr_pages % 64)
		pages->used[nr_pages / 64] = UINT64_MAX << nr_pages % 64;
	*out = pages;
	return 0;
}

uint64_t ontb_pages_free(struct ontb_pages *pages)
{
	uint64_t left;

	if (!pages)
		return 0;
	left = pages->nr_used * ONTB_PAGE_SIZE;
	ontb_lock_fini(&pages->lock);
	free(pages);
	return left;
}

/* The first page in [@page, @end) that is used, or free; @end if there is none. */
static uint64_t find_page(const struct ontb_pages *pages, uint64_t page, uint64_t end, bool is_used)
{
	while (page < end) {
		uint64_t word = pages->used[page / 64];
		uint64_t rest = (is_used ? word : ~word) & UINT64_MAX << page % 64;

		page = page / 64 * 64;
		if (rest) {
			page += (unsigned int)__builtin_ctzll(rest);
			return page < end ? page : end;
		}
		page += 64;
	}
	return end;
}

/* The first page from @page on whose address is a multiple of @align; nr_pages if there is none. */
static uint64_t align_page(const struct ontb_pages *pages, uint64_t page, uint64_t align)
{
	uint64_t addr = pages->base + page * ONTB_PAGE_SIZE;
	uint64_t more = (align - (addr & (align - 1))) & (align - 1);

	page += more / ONTB_PAGE_SIZE;
	return page < pages->nr_pages ? page : pages->nr_pages;
}

static int find_run(const struct ontb_pages *pages, uint64_t nr, uint64_t align, uint64_t *out)
{
	uint64_t page = pages->first_free;

	for (;;) {
		uint64_t used;

		page = find_page(pages, page, pages->nr_pages, false);
		if (page < pages->nr_pages)
			page = align_page(pages, page, align);
		if (nr > pages->nr_pages - page)
			return -ENOMEM;
		used = find_page(pages, page, page + nr, true);
		if (used == page + nr) {
			*out = page;
			return 0;
		}
		page = used;
	}
}

/* Set or clear the bits of a run. */
static void mark_run(struct ontb_pages *pages, uint64_t page, uint64_t nr, bool is_used)
{
	uint64_t end = page + nr;

	while (page < end) {
		uint64_t nr_here = 64 - page % 64 < end - page ? 64 - page % 64 : end - page;
		uint64_t bits = UINT64_MAX >> (64 - nr_here) << page % 64;

		if (is_used)
			pages->used[page / 64] |= bits;
		else
			pages->used[page / 64] &= ~bits;
		page += nr_here;
	}
	pages->nr_used = is_used ? pages->nr_used + nr : pages->nr_used - nr;
}

int ontb_pages_alloc(struct ontb_pages *pages, uint64_t size, uint64_t align, struct ontb_page_run *out)
{
	uint64_t nr, page = 0;
	int ret;

	if (!size || align < ONTB_PAGE_SIZE || !ontb_is_power_of_two(align))
		return -EINVAL;
	nr = (size - 1) / ONTB_PAGE_SIZE + 1;
	ontb_lock(&pages->lock);
	ret = find_run(pages, nr, align, &page);
	if (!ret) {
		mark_run(pages, page, nr, true);
		pages->first_free = find_page(pages, pages->first_free, pages->nr_pages, false);
	}
	ontb_unlock(&pages->lock);
	if (ret)
		return ret;
	out->ptr = pages->ram + page * ONTB_PAGE_SIZE;
	out->addr = pages->base + page * ONTB_PAGE_SIZE;
	out->size = nr * ONTB_PAGE_SIZE;
	memset(out->ptr, 0, out->size);
	return 0;
}

/* Whether a run names pages of this allocator that are all handed out. */
static bool is_handed_out(const struct ontb_pages *pages, const struct ontb_page_run *run)
{
	uint64_t first = (run->addr - pages->base) / ONTB_PAGE_SIZE, nr = run->size / ONTB_PAGE_SIZE;

	if (run->addr < pages->base || run->addr % ONTB_PAGE_SIZE || run->size % ONTB_PAGE_SIZE ||
	    !ontb_range_fits(first, nr, pages->nr_pages))
		return false;
	return find_page(pages, first, first + nr, false) == first + nr;
}

void ontb_pages_release(struct ontb_pages *pages, const struct ontb_page_run *run)
{
	uint64_t page = (run->addr - pages->base) / ONTB_PAGE_SIZE;
	bool is_ours;

	if (!run->size)
		return;
	ontb_lock(&pages->lock);
	is_ours = is_handed_out(pages, run);
	if (is_ours) {
		mark_run(pages, page, run->size / ONTB_PAGE_SIZE, false);
		if (page < pages->first_free)
			pages->first_free = page;
	}
	ontb_unlock(&pages->lock);
	if (!is_ours)
		ontb_log(ONTB_LOG_ERROR,
			 "pages: not given back: 0x%" PRIx64 " bytes at 0x%" PRIx64 " are not handed out", run->size,
			 run->addr);
}
