// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Short blocks of operations.
 */
#include "blocks.h"

#include <stdlib.h>

#include "base/clock.h"

void blocks_start(struct blocks *blocks)
{
	blocks->nr = 0;
	blocks->last_ns = ontb_clock_ns();
}

void blocks_end(struct blocks *blocks)
{
	uint64_t now = ontb_clock_ns();

	if (blocks->nr < BLOCKS_MAX)
		blocks->ns[blocks->nr++] = (double)(now - blocks->last_ns);
	blocks->last_ns = now;
}

void blocks_skip(struct blocks *blocks)
{
	blocks->last_ns = ontb_clock_ns();
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double blocks_median(struct blocks *blocks)
{
	if (!blocks->nr)
		return 0;
	qsort(blocks->ns, blocks->nr, sizeof(blocks->ns[0]), compare);
	return blocks->ns[blocks->nr / 2];
}
