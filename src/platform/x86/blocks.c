// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Blocks of table entries.
 */
#include "platform/x86/blocks.h"

#include <errno.h>

/* The bits of a block that is smaller than a word, in its word. */
static uint64_t mask_of(unsigned int size, unsigned int first)
{
	return (size == 64 ? UINT64_MAX : (1ULL << size) - 1) << first % 64;
}

static bool is_free(const struct ontb_blocks *blocks, unsigned int size, unsigned int first)
{
	if (size < 64)
		return !(blocks->bits[first / 64] & mask_of(size, first));
	for (unsigned int i = first / 64; i < (first + size) / 64; i++) {
		if (blocks->bits[i])
			return false;
	}
	return true;
}

static void mark(struct ontb_blocks *blocks, unsigned int size, unsigned int first, bool used)
{
	for (unsigned int done = 0; done < size; done += 64) {
		uint64_t mask = mask_of(size < 64 ? size : 64, first + done);

		if (used)
			blocks->bits[(first + done) / 64] |= mask;
		else
			blocks->bits[(first + done) / 64] &= ~mask;
	}
}

int ontb_blocks_take(struct ontb_blocks *blocks, unsigned int size, unsigned int *first)
{
	for (unsigned int at = 0; at < blocks->nr && size <= blocks->nr - at; at += size) {
		if (!is_free(blocks, size, at))
			continue;
		mark(blocks, size, at, true);
		blocks->nr_used += size;
		*first = at;
		return 0;
	}
	return -ENOSPC;
}

void ontb_blocks_give(struct ontb_blocks *blocks, unsigned int size, unsigned int first)
{
	mark(blocks, size, first, false);
	blocks->nr_used -= size;
}
