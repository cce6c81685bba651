// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * From a trigger to the handler on one thread, which is the sender's and steps the receiver's CPU: what the code costs, without
 * any wait for another core.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/annotate.h"
#include "blocks.h"
#include "irq_cases.h"
#include "irq_hosts.h"

#define NR_IRQS	  128U
#define NR_BLOCKS 2000U
#define NR_FLOOR  1024U /* operations of a floor's block */

#define REMAPPED 1U

/**
 * struct trigger - two hosts, and a CPU that is stepped
 * @hosts:      Hosts.
 * @cpu:        CPU of host 0.
 * @nr_handled: Runs of the handler.
 */
struct trigger {
	struct hosts *hosts;
	struct ontb_cpu *cpu;
	uint64_t nr_handled;
};

static enum ontb_irq_return count(unsigned int virq, void *dev)
{
	struct trigger *trigger = dev;

	(void)virq;
	trigger->nr_handled++;
	return ONTB_IRQ_HANDLED;
}

static void close_trigger(void *ctx)
{
	struct trigger *trigger = ctx;

	hosts_close(trigger->hosts);
	free(trigger);
}

static int open_trigger(unsigned int arg, void **ctx)
{
	const struct hosts_config config = {
		.nr_peers = 1, .nr_cpus = 1, .remap = arg == REMAPPED, .is_stepped = true, .cores = { -1, -1 }
	};
	struct trigger *trigger = calloc(1, sizeof(*trigger));
	int ret = trigger ? hosts_open(&config, &trigger->hosts) : -ENOMEM;

	for (unsigned int i = 0; i < NR_IRQS && !ret; i++)
		ret = hosts_grant(trigger->hosts, 0, 0, i, 0, count, trigger);
	if (ret) {
		if (trigger)
			close_trigger(trigger);
		return ret;
	}
	trigger->cpu = hosts_cpu(trigger->hosts, 0, 0);
	*ctx = trigger;
	return 0;
}

static double one_by_one(void *ctx)
{
	struct trigger *trigger = ctx;
	struct ontb_ntb_irqs *irqs = trigger->hosts->peers[0].irqs;
	uint64_t before = trigger->nr_handled;
	struct blocks blocks;

	blocks_start(&blocks);
	for (unsigned int b = 0; b < NR_BLOCKS; b++) {
		for (unsigned int i = 0; i < NR_IRQS; i++) {
			if (ontb_ntb_irq_trigger(irqs, 0, i) || ontb_cpu_step(trigger->cpu) != 1)
				return -1;
		}
		blocks_end(&blocks);
	}
	return trigger->nr_handled - before == NR_BLOCKS * NR_IRQS ? blocks_median(&blocks) / NR_IRQS : -1;
}

static bool trigger_all(struct trigger *trigger)
{
	for (unsigned int i = 0; i < NR_IRQS; i++) {
		if (ontb_ntb_irq_trigger(trigger->hosts->peers[0].irqs, 0, i))
			return false;
	}
	return true;
}

static void take_all(struct trigger *trigger)
{
	for (unsigned int i = 0; i < NR_IRQS; i++)
		(void)ontb_cpu_step(trigger->cpu);
}

/* All interrupts are triggered, then all are taken; time of the first half or of the second. */
static double halves(struct trigger *trigger, bool is_second)
{
	uint64_t before = trigger->nr_handled;
	struct blocks blocks;

	blocks_start(&blocks);
	for (unsigned int b = 0; b < NR_BLOCKS; b++) {
		if (!trigger_all(trigger))
			return -1;
		is_second ? blocks_skip(&blocks) : blocks_end(&blocks);
		take_all(trigger);
		is_second ? blocks_end(&blocks) : blocks_skip(&blocks);
	}
	return trigger->nr_handled - before == NR_BLOCKS * NR_IRQS ? blocks_median(&blocks) / NR_IRQS : -1;
}

static double trigger_alone(void *ctx)
{
	return halves(ctx, false);
}

static double take_alone(void *ctx)
{
	return halves(ctx, true);
}

/* Floors: what a call through a pointer costs that the compiler cannot see through. */

static void store(volatile uint32_t *word, uint32_t value)
{
	*word = value;
}

static void call(uint64_t *counter)
{
	(*counter)++;
}

static void (*volatile store_fn)(volatile uint32_t *word, uint32_t value) = store;
static void (*volatile call_fn)(uint64_t *counter) = call;

static double floor_of(bool has_store, bool has_call)
{
	volatile uint32_t word = 0;
	struct blocks blocks;
	uint64_t counter = 0;

	blocks_start(&blocks);
	for (unsigned int b = 0; b < NR_BLOCKS; b++) {
		for (unsigned int i = 0; i < NR_FLOOR; i++) {
			if (has_store)
				store_fn(&word, i);
			if (has_call)
				call_fn(&counter);
		}
		blocks_end(&blocks);
	}
	return blocks_median(&blocks) / NR_FLOOR;
}

static double store_and_call_floor(void *ctx)
{
	(void)ctx;
	return floor_of(true, true);
}

static double store_floor(void *ctx)
{
	(void)ctx;
	return floor_of(true, false);
}

static double call_floor(void *ctx)
{
	(void)ctx;
	return floor_of(false, true);
}

/* What most of the time goes for: an addition that other cores see whole, to a line that only this one has. */
static double locked_add(void *ctx)
{
	static _Atomic uint64_t word;
	struct blocks blocks;

	(void)ctx;
	blocks_start(&blocks);
	for (unsigned int b = 0; b < NR_BLOCKS; b++) {
		for (unsigned int i = 0; i < NR_FLOOR; i++)
			atomic_fetch_add_explicit(&word, 1, memory_order_relaxed);
		blocks_end(&blocks);
	}
	return blocks_median(&blocks) / NR_FLOOR;
}

static double locked_exchange(void *ctx)
{
	static _Atomic uint64_t word;
	struct blocks blocks;

	(void)ctx;
	blocks_start(&blocks);
	for (unsigned int b = 0; b < NR_BLOCKS; b++) {
		for (unsigned int i = 0; i < NR_FLOOR; i++) {
			uint64_t old = atomic_load_explicit(&word, memory_order_relaxed);

			(void)atomic_compare_exchange_strong(&word, &old, old + 1);
		}
		blocks_end(&blocks);
	}
	return blocks_median(&blocks) / NR_FLOOR;
}

static int open_nothing(unsigned int arg, void **ctx)
{
	(void)arg;
	*ctx = NULL;
	return 0;
}

static void close_nothing(void *ctx)
{
	(void)ctx;
}

#define TRIGGER .unit = "ns", .open = open_trigger, .close = close_trigger

static const struct irq_case cases[] = {
	{ .name = "trigger to handler, one thread",
	  .measure = one_by_one,
	  .floor = store_and_call_floor,
	  .target = { REPORT_BELOW, 50 },
	  TRIGGER },
	{ .name = "- of this: trigger, to pending in the APIC",
	  .measure = trigger_alone,
	  .floor = store_floor,
	  TRIGGER },
	{ .name = "- of this: take and dispatch", .measure = take_alone, .floor = call_floor, TRIGGER },
	{ .name = "for comparison: a locked addition",
	  .unit = "ns",
	  .open = open_nothing,
	  .measure = locked_add,
	  .close = close_nothing },
	{ .name = "for comparison: a load, then compare and exchange",
	  .unit = "ns",
	  .open = open_nothing,
	  .measure = locked_exchange,
	  .close = close_nothing },
	{ .name = "trigger to handler, one thread, remapped",
	  .measure = one_by_one,
	  .floor = store_and_call_floor,
	  .target = { REPORT_BELOW, 50 },
	  .arg = REMAPPED,
	  TRIGGER },
	{ .name = "- of this: trigger, to pending in the APIC (remapped)",
	  .measure = trigger_alone,
	  .floor = store_floor,
	  .arg = REMAPPED,
	  TRIGGER },
};

const struct irq_cases irq_trigger_cases = { cases, ONTB_ARRAY_SIZE(cases) };
