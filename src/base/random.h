/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Random numbers that a seed repeats: SplitMix64.
 */
#ifndef ONTB_BASE_RANDOM_H
#define ONTB_BASE_RANDOM_H

#include <stdint.h>

/**
 * ontb_random_next() - the next number
 * @state: State; any value is a seed.
 *
 * Return: 64 bits.
 */
static inline uint64_t ontb_random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/**
 * ontb_random_below() - a number below a limit
 * @state: State.
 * @limit: Limit.
 *
 * Return: 0..@limit-1, or 0 if @limit is; the bias is of no matter here.
 */
static inline uint64_t ontb_random_below(uint64_t *state, uint64_t limit)
{
	const uint64_t n = ontb_random_next(state);

	return limit ? n % limit : 0;
}

#endif
