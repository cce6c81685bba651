// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Steps. What can happen is counted in a fixed order and one of it is chosen; so a seed and what the software does decide
 * everything.
 */
#include "fabric/fabric.h"

#include "base/random.h"

/**
 * struct choice - what is to be done
 * @cpu: A CPU takes an interrupt, or NULL.
 * @way: A write arrives, or NULL.
 */
struct choice {
	struct ontb_cpu *cpu;
	struct ontb_way *way;
};

/* Calls @fn for each way of the fabric, in a fixed order, until it returns true. */
static bool find_way(struct ontb_fabric *fabric, bool (*fn)(struct ontb_way *way, void *arg), void *arg)
{
	for (unsigned int h = 0; h < fabric->nr_hosts; h++) {
		struct ontb_fmachine *machine = fabric->hosts[h];

		for (unsigned int s = 0; s < machine->nr_slots; s++) {
			if (fn(&machine->slots[s].function->way, arg))
				return true;
		}
	}
	return false;
}

/**
 * struct pick - the walk over what can happen
 * @steps:  Steps done so far.
 * @nth:    Which one is wanted.
 * @nr:     How many have been seen.
 * @choice: OUT, the wanted one.
 */
struct pick {
	uint64_t steps;
	uint64_t nth;
	uint64_t nr;
	struct choice choice;
};

static bool pick_way(struct ontb_way *way, void *arg)
{
	struct pick *pick = arg;
	uint64_t due;

	if (!ontb_way_next(way, &due) || due > pick->steps || pick->nr++ != pick->nth)
		return false;
	pick->choice.way = way;
	return true;
}

static bool pick_cpu(struct ontb_fabric *fabric, struct pick *pick)
{
	for (unsigned int h = 0; h < fabric->nr_hosts; h++) {
		struct ontb_fmachine *machine = fabric->hosts[h];

		for (unsigned int i = 0; i < machine->machine.nr_cpus; i++) {
			if (!ontb_cpu_has_work(&machine->cpus[i]) || pick->nr++ != pick->nth)
				continue;
			pick->choice.cpu = &machine->cpus[i];
			return true;
		}
	}
	return false;
}

/**
 * struct earliest - the walk to the write that is due first
 * @way: OUT, its way, or NULL.
 * @due: OUT, when.
 */
struct earliest {
	struct ontb_way *way;
	uint64_t due;
};

static bool find_earliest(struct ontb_way *way, void *arg)
{
	struct earliest *earliest = arg;
	uint64_t due;

	if (ontb_way_next(way, &due) && (!earliest->way || due < earliest->due)) {
		earliest->way = way;
		earliest->due = due;
	}
	return false;
}

static struct choice choose(struct ontb_fabric *fabric)
{
	struct pick pick = { .steps = fabric->steps, .nth = UINT64_MAX };
	struct earliest earliest = { 0 };

	(void)pick_cpu(fabric, &pick);
	(void)find_way(fabric, pick_way, &pick);
	if (pick.nr) {
		pick.nth = ontb_random_below(&fabric->random, pick.nr);
		pick.nr = 0;
		if (!pick_cpu(fabric, &pick))
			(void)find_way(fabric, pick_way, &pick);
		return pick.choice;
	}
	/* Nothing to do but wait: the time goes on to the next write. */
	(void)find_way(fabric, find_earliest, &earliest);
	if (earliest.way)
		fabric->steps = earliest.due;
	return (struct choice){ .way = earliest.way };
}

bool ontb_fabric_step(struct ontb_fabric *fabric)
{
	struct choice choice;

	if (!fabric->is_stepped)
		return false;
	choice = choose(fabric);
	if (!choice.cpu && !choice.way)
		return false;
	fabric->steps++;
	if (choice.cpu)
		(void)ontb_cpu_step(choice.cpu);
	else
		ontb_way_deliver(choice.way);
	return true;
}
