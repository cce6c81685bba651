/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Blocks of table entries: each a power of two in size and aligned to it, so that the messages of a block lie together.
 */
#ifndef ONTB_PLATFORM_X86_BLOCKS_H
#define ONTB_PLATFORM_X86_BLOCKS_H

#include <stdint.h>

#include <openntb/platform_x86.h>

#include "base/annotate.h"

/**
 * struct ontb_blocks - which entries of a table are taken
 * @bits:    Bit n % 64 of word n / 64 is entry n. Under the owner's lock.
 * @nr:      Entries, a power of two. Constant.
 * @nr_used: Entries taken. Under the owner's lock.
 */
struct ontb_blocks {
	uint64_t bits[ONTB_X86_MAX_ENTRIES / 64];
	unsigned int nr;
	unsigned int nr_used;
};

/**
 * ontb_blocks_take() - take the lowest block that is free
 * @blocks: Table.
 * @size:   Entries, a power of two.
 * @first:  OUT, first entry; a multiple of @size.
 *
 * Context: Owner's lock held.
 * Return: 0, or -ENOSPC.
 */
int ontb_blocks_take(struct ontb_blocks *blocks, unsigned int size, unsigned int *first) ONTB_MUST_CHECK;

/**
 * ontb_blocks_give() - give a block back
 * @blocks: Table.
 * @size:   As taken.
 * @first:  As taken.
 *
 * Context: Owner's lock held.
 */
void ontb_blocks_give(struct ontb_blocks *blocks, unsigned int size, unsigned int first);

#endif
