/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The median of many short blocks of operations. On a machine that others use too, a block is either undisturbed or far off, so
 * this is what the operation costs; the clock is looked at once per block.
 */
#ifndef ONTB_BENCH_BLOCKS_H
#define ONTB_BENCH_BLOCKS_H

#include <stdint.h>

#define BLOCKS_MAX 4096U

/**
 * struct blocks - blocks of a round
 * @last_ns: When the last one ended.
 * @nr:      How many there are.
 * @ns:      How long each took.
 */
struct blocks {
	uint64_t last_ns;
	unsigned int nr;
	double ns[BLOCKS_MAX];
};

/**
 * blocks_start() - no blocks yet; the first starts now
 * @blocks: Blocks.
 */
void blocks_start(struct blocks *blocks);

/**
 * blocks_end() - a block ends, and the next starts
 * @blocks: Blocks.
 */
void blocks_end(struct blocks *blocks);

/**
 * blocks_skip() - what was done since the last block does not count
 * @blocks: Blocks.
 */
void blocks_skip(struct blocks *blocks);

/**
 * blocks_median() - what a block takes
 * @blocks: Blocks; sorted by this.
 *
 * Return: Nanoseconds, 0 if there are none.
 */
double blocks_median(struct blocks *blocks);

#endif
