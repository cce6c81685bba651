// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Many interrupts: how long one takes from allocation to the end of its life, how much memory, and how fast one is dispatched
 * with a million others present. On bridges made of memory, see irq_loop.h; both sides of the protocol run in this thread, so the
 * figures are those of owner and holder together.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/annotate.h"
#include "base/clock.h"
#include "base/rcu.h"
#include "blocks.h"
#include "irq_cases.h"
#include "irq_loop.h"

#define MILLION	  1000000U
#define NR_BLOCKS 500U
#define NR_SPREAD 4096U
#define PER_BLOCK 500U
/* Interrupts of a round at least. */
#define NR_ROUND 50000U

/* One interrupt's life */

/**
 * struct life - interrupts that come and go
 * @loop: Owner and holder.
 * @nr:   How many are alive at a time.
 * @phases: Allocation, granting, freeing.
 */
struct life {
	struct loop *loop;
	unsigned int nr;
	struct blocks phases[3];
};

static void close_life(void *ctx)
{
	struct life *life = ctx;

	loop_close(life->loop);
	free(life);
}

static int open_life(unsigned int nr, void **ctx)
{
	struct life *life = calloc(1, sizeof(*life));
	int ret = -ENOMEM;

	if (life)
		ret = loop_open(nr, 0, &life->loop);
	if (ret) {
		free(life);
		return ret;
	}
	life->nr = nr;
	*ctx = life;
	return 0;
}

/* Do something to all interrupts, a block at a time. */
static int do_phase(struct life *life, unsigned int phase)
{
	static int (*const fns[])(struct loop * loop, unsigned int first, unsigned int nr) = {
		loop_alloc,
		loop_grant,
		loop_free,
	};
	int ret = 0;

	blocks_skip(&life->phases[phase]);
	for (unsigned int i = 0; i < life->nr && !ret; i += PER_BLOCK) {
		ret = fns[phase](life->loop, i, PER_BLOCK);
		blocks_end(&life->phases[phase]);
	}
	return ret;
}

/* Millions of interrupts per second. */
static double live(struct life *life, bool is_granted)
{
	unsigned int nr_times = life->nr < NR_ROUND ? NR_ROUND / life->nr : 1;
	double ns = 0;
	int ret = 0;

	for (unsigned int phase = 0; phase < ONTB_ARRAY_SIZE(life->phases); phase++)
		blocks_start(&life->phases[phase]);
	for (unsigned int i = 0; i < nr_times && !ret; i++) {
		for (unsigned int phase = 0; phase < ONTB_ARRAY_SIZE(life->phases) && !ret; phase++) {
			if (phase != 1 || is_granted)
				ret = do_phase(life, phase);
		}
	}
	for (unsigned int phase = 0; phase < ONTB_ARRAY_SIZE(life->phases); phase++)
		ns += blocks_median(&life->phases[phase]);
	return ret ? -1 : PER_BLOCK * 1e3 / ns;
}

static double live_granted(void *ctx)
{
	return live(ctx, true);
}

static double live_alone(void *ctx)
{
	return live(ctx, false);
}

/* Memory */

static int open_number(unsigned int nr, void **ctx)
{
	unsigned int *number = malloc(sizeof(*number));

	if (!number)
		return -ENOMEM;
	*number = nr;
	*ctx = number;
	return 0;
}

static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Bytes in use with so many interrupts granted, and room for them; on so many bridges at least. Return: 0 if it failed. */
static size_t bytes_with(unsigned int nr, unsigned int nr_bridges)
{
	size_t before, after = 0;
	struct loop *loop;

	ontb_rcu_barrier();
	before = allocated();
	if (loop_open(nr, nr_bridges, &loop))
		return 0;
	if (!loop_alloc(loop, 0, nr) && !loop_grant(loop, 0, nr))
		after = allocated();
	(void)loop_free(loop, 0, nr);
	loop_close(loop);
	return after > before ? after - before : 0;
}

/* What each costs more than one on as many bridges. */
static double bytes_per_irq(unsigned int nr, size_t others)
{
	size_t all = bytes_with(nr, 0), least = bytes_with(1, (nr + LOOP_PER_BRIDGE - 1) / LOOP_PER_BRIDGE);

	if (!all || !least)
		return -1;
	return (double)(all - least - others) / (double)(nr - 1);
}

static double memory_of_all(void *ctx)
{
	const unsigned int *nr = ctx;

	return bytes_per_irq(*nr, 0);
}

static double memory_of_owner(void *ctx)
{
	const unsigned int *nr = ctx;

	return bytes_per_irq(*nr, loop_held_bytes(*nr - 1));
}

/* Dispatch */

/**
 * struct crowd - interrupts that are dispatched, among others
 * @loops:      The crowd, and the same without the others.
 * @hwirqs:     Their numbers at the root.
 * @nr_spread:  Interrupts that are dispatched in turn.
 * @nr_handled: Runs of the handler.
 */
struct crowd {
	struct loop *loops[2];
	uint64_t hwirqs[2][NR_SPREAD];
	unsigned int nr_spread;
	uint64_t nr_handled;
};

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	struct crowd *crowd = dev;

	(void)virq;
	crowd->nr_handled++;
	return ONTB_IRQ_HANDLED;
}

/* The n-th of those that are dispatched, among @nr. */
static unsigned int nth_of(const struct crowd *crowd, unsigned int nr, unsigned int n)
{
	return (unsigned int)((uint64_t)n * nr / crowd->nr_spread);
}

static void empty(struct crowd *crowd, unsigned int which, unsigned int nr)
{
	for (unsigned int n = 0; n < crowd->nr_spread; n++)
		loop_release(crowd->loops[which], nth_of(crowd, nr, n), crowd);
	(void)loop_free(crowd->loops[which], 0, nr);
	loop_close(crowd->loops[which]);
}

static void close_crowd(void *ctx)
{
	struct crowd *crowd = ctx;

	if (crowd->loops[0])
		empty(crowd, 0, MILLION);
	if (crowd->loops[1])
		empty(crowd, 1, crowd->nr_spread);
	free(crowd);
}

static int fill(struct crowd *crowd, unsigned int which, unsigned int nr)
{
	int ret = loop_open(nr, 0, &crowd->loops[which]);

	if (!ret)
		ret = loop_alloc(crowd->loops[which], 0, nr);
	if (!ret)
		ret = loop_grant(crowd->loops[which], 0, nr);
	for (unsigned int n = 0; n < crowd->nr_spread && !ret; n++) {
		unsigned int nth = nth_of(crowd, nr, n);

		ret = loop_request(crowd->loops[which], nth, count, crowd);
		if (!ret)
			crowd->hwirqs[which][n] = loop_hwirq(crowd->loops[which], nth);
	}
	return ret;
}

static int open_crowd(unsigned int nr_spread, void **ctx)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	int ret;

	if (!crowd)
		return -ENOMEM;
	crowd->nr_spread = nr_spread;
	ret = fill(crowd, 0, MILLION);
	if (!ret)
		ret = fill(crowd, 1, nr_spread);
	if (ret) {
		close_crowd(crowd);
		return ret;
	}
	*ctx = crowd;
	return 0;
}

static double dispatch(struct crowd *crowd, unsigned int which)
{
	struct ontb_irq_domain *root = loop_root(crowd->loops[which]);
	struct ontb_irq_system *sys = ontb_irq_domain_system(root);
	uint64_t before = crowd->nr_handled;
	struct blocks blocks;

	ontb_irq_cpu_enter(sys, 0);
	blocks_start(&blocks);
	for (unsigned int b = 0; b < NR_BLOCKS; b++) {
		for (unsigned int i = 0; i < NR_SPREAD; i++)
			(void)ontb_irq_dispatch(root, crowd->hwirqs[which][i % crowd->nr_spread]);
		blocks_end(&blocks);
	}
	ontb_irq_cpu_leave(sys);
	return crowd->nr_handled - before == NR_BLOCKS * NR_SPREAD ? blocks_median(&blocks) / NR_SPREAD : -1;
}

static double dispatch_crowded(void *ctx)
{
	return dispatch(ctx, 0);
}

static double dispatch_alone(void *ctx)
{
	return dispatch(ctx, 1);
}

#define LIFE                                                                                                           \
	.unit = "M/s", .open = open_life, .measure = live_granted, .close = close_life, .target = { REPORT_ABOVE, 1 }
#define BARE .unit = "M/s", .open = open_life, .measure = live_alone, .close = close_life
#define OWNER                                                                                                          \
	.unit = "bytes", .open = open_number, .measure = memory_of_owner, .close = free, .max_rounds = 1,              \
	.target = { REPORT_BELOW, 256 }
#define BOTH .unit = "bytes", .open = open_number, .measure = memory_of_all, .close = free, .max_rounds = 1
#define CROWD                                                                                                          \
	.unit = "ns", .open = open_crowd, .measure = dispatch_crowded, .floor = dispatch_alone, .close = close_crowd

static const struct irq_case cases[] = {
	{ .name = "allocate, activate, grant, free: 1 thousand", .arg = 1000, LIFE },
	{ .name = "allocate, activate, grant, free: 100 thousand", .arg = 100000, LIFE },
	{ .name = "allocate, activate, grant, free: 1 million", .arg = MILLION, .max_rounds = 3, LIFE },
	{ .name = "- without grant: 1 thousand", .arg = 1000, BARE },
	{ .name = "- without grant: 100 thousand", .arg = 100000, BARE },
	{ .name = "- without grant: 1 million", .arg = MILLION, .max_rounds = 3, BARE },
	{ .name = "memory of an interrupt, owner: 1 thousand", .arg = 1000, OWNER },
	{ .name = "memory of an interrupt, owner: 100 thousand", .arg = 100000, OWNER },
	{ .name = "memory of an interrupt, owner: 1 million", .arg = MILLION, OWNER },
	{ .name = "- with what the holder keeps: 1 million", .arg = MILLION, BOTH },
	{ .name = "dispatch, 1 million present beside 1", .arg = 1, .target = { REPORT_RATIO, 1.1 }, CROWD },
	{ .name = "dispatch of 4096 in turn, 1 million present beside 4096", .arg = NR_SPREAD, CROWD },
};

const struct irq_cases irq_scale_cases = { cases, ONTB_ARRAY_SIZE(cases) };
