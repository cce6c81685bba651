// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What an owner does with its interrupts while peers raise them: whatever can be done. The owner's thread is the only one that
 * changes interrupts of its host; what it began goes on in soak_follow().
 */
#include <errno.h>

#include "base/clock.h"
#include "base/random.h"
#include "tool/soak.h"

#define DOUBT_NS       (500 * ONTB_NS_PER_MS)
#define REST_NS	       (5 * ONTB_NS_PER_MS)
#define OFFLINE_NS     (2 * ONTB_NS_PER_S)
#define MAX_DISABLED_1 8U /* one in so many operations on a disabled interrupt leaves it so */

static struct ontb_irq_system *system_of(const struct soak_cell *cell)
{
	return ontb_host_irqs(cell->side->host->host);
}

static uint32_t below(struct soak_host *host, uint32_t limit)
{
	return (uint32_t)ontb_random_below(&host->random, limit);
}

static void check(struct soak_cell *cell, const char *what, int ret)
{
	if (ret)
		soak_failed(cell->side->host, what, ret);
}

static void set_state(struct soak_cell *cell, enum soak_state state, const char *what)
{
	cell->state = state;
	soak_note(cell->side, what, (int)cell->index, cell->virq);
}

static void rest(struct soak_cell *cell)
{
	cell->rest_until = soak_now(cell->side->soak) + below(cell->side->host, (uint32_t)REST_NS);
}

static bool has_link_died(const struct soak_cell *cell)
{
	return cell->breaks != atomic_load(&cell->side->breaks) || cell->downs != atomic_load(&cell->side->downs);
}

/* Steps of an interrupt's life */

static void allocate(struct soak_cell *cell)
{
	const struct ontb_irq_request request = { .handler = soak_handle, .dev = cell, .name = "soak" };
	struct ontb_msi_map map;
	int ret = ontb_ntb_irq_alloc(cell->side->irqs, cell->index, NULL, &map);

	/* CPUs off line leave too few vectors, or the ones that were freed last are not cleaned up. */
	if (ret == -ENOSPC) {
		soak_count(&cell->side->soak->counts.exhaustions);
		rest(cell);
		return;
	}
	if (!ret) {
		soak_new_life(cell);
		cell->virq = map.virq;
		ret = ontb_irq_request(system_of(cell), map.virq, &request);
	}
	check(cell, "allocating an interrupt", ret);
	set_state(cell, SOAK_LIVE, "allocated");
}

static void grant(struct soak_cell *cell)
{
	struct soak_side *side = cell->side;
	uint32_t downs = atomic_load(&side->downs), breaks = atomic_load(&side->breaks);
	bool is_breaking = atomic_load(&side->nr_breaking);
	int ret;

	/* A peer that has not heard yet that its grant died may have sent under it. */
	soak_lock_cell(cell);
	if (soak_is_missing(cell))
		(void)soak_write_off(cell, has_link_died(cell) ? &side->soak->counts.died : &side->soak->counts.lost);
	soak_unlock_cell(cell);
	ret = ontb_ntb_irq_grant(side->irqs, cell->index, 0);
	if (ret == -ENOLINK) {
		rest(cell);
		return;
	}
	/* Granted while the link breaks: what is sent may die. */
	cell->breaks = is_breaking ? breaks - 1 : breaks;
	cell->downs = downs;
	cell->was_enabled = false;
	check(cell, "granting an interrupt", ret);
	set_state(cell, SOAK_GRANTED, "granted");
}

void soak_enable(struct soak_cell *cell)
{
	if (!cell->is_disabled)
		return;
	cell->is_disabled = false;
	cell->was_enabled = true;
	soak_note(cell->side, "enabled", (int)cell->index, 0);
	check(cell, "enabling an interrupt", ontb_irq_enable(system_of(cell), cell->virq));
}

static void disable(struct soak_cell *cell)
{
	if (cell->is_disabled)
		return;
	cell->is_disabled = true;
	soak_count(&cell->side->soak->counts.disables);
	soak_note(cell->side, "disabled", (int)cell->index, 0);
	check(cell, "disabling an interrupt", ontb_irq_disable_nosync(system_of(cell), cell->virq));
}

static void revoke(struct soak_cell *cell)
{
	int ret = ontb_ntb_irq_revoke(cell->side->irqs, cell->index, 0);

	/* -ENOENT: its link has died in this moment. */
	if (ret != -ENOENT)
		check(cell, "taking an interrupt back", ret);
	soak_count(&cell->side->soak->counts.revokes);
	set_state(cell, SOAK_RETURNING, ret ? "was not held" : "taken back");
}

static void remove_handler(struct soak_cell *cell)
{
	check(cell, "removing a handler", ontb_irq_free(system_of(cell), cell->virq, cell));
	cell->is_disabled = false;
}

static void free_cell(struct soak_cell *cell)
{
	check(cell, "freeing an interrupt", ontb_ntb_irq_free(cell->side->irqs, cell->index));
}

static void free_live(struct soak_cell *cell)
{
	remove_handler(cell);
	free_cell(cell);
	soak_count(&cell->side->soak->counts.reuses);
	set_state(cell, SOAK_FREEING, "freed");
}

/* Its handler sees what comes until the peer has confirmed. */
static void free_granted(struct soak_cell *cell)
{
	int ret = ontb_ntb_irq_free(cell->side->irqs, cell->index);

	/* -EBUSY: nobody holds it any more, because its link has died, and so it keeps its handler. */
	if (ret == -EBUSY) {
		set_state(cell, SOAK_RETURNING, "held by nobody");
		return;
	}
	check(cell, "freeing an interrupt that is held", ret);
	set_state(cell, SOAK_STUCK, "freed while it is held");
}

/* What became of the last message */

/*
 * The interrupt has settled after it was taken back, so its message has been handled, or it died with the link. If neither is seen, the
 * event that says that the link is down may be under way; a handler that runs after all is as bad as none.
 *
 * Return: whether it is accounted for.
 */
static bool account(struct soak_cell *cell)
{
	struct soak *soak = cell->side->soak;
	bool is_done = true, was_doubted = cell->doubt_at;

	soak_lock_cell(cell);
	if (soak_is_missing(cell)) {
		if (has_link_died(cell)) {
			(void)soak_write_off(cell, &soak->counts.died);
		} else if (!cell->doubt_at) {
			cell->doubt_at = soak_now(soak) + 1;
			is_done = false;
		} else if (soak_now(soak) > cell->doubt_at + DOUBT_NS) {
			(void)soak_write_off(cell, &soak->counts.lost);
		} else {
			is_done = false;
		}
	} else if (was_doubted) {
		soak_count(&soak->counts.misdirected);
		soak_blame(cell, "a message was handled after its interrupt had settled");
	}
	if (is_done)
		cell->doubt_at = 0;
	soak_unlock_cell(cell);
	return is_done;
}

static void end_return(struct soak_cell *cell)
{
	/*
	 * What came while it was disabled is handled some time after it is enabled, which settling does not wait for: after its handler
	 * is gone nothing can be.
	 */
	if ((cell->is_disabled || cell->was_enabled) && soak_is_missing(cell) && has_link_died(cell)) {
		remove_handler(cell);
		(void)account(cell);
		free_cell(cell);
		set_state(cell, SOAK_FREEING, "freed after its link died");
		return;
	}
	if (!account(cell))
		return;
	soak_enable(cell);
	set_state(cell, SOAK_LIVE, "returned");
	if (!below(cell->side->host, 4))
		rest(cell);
}

static void follow(struct soak_cell *cell, uint64_t now)
{
	switch (cell->state) {
	case SOAK_FREE:
		if (now >= cell->rest_until)
			allocate(cell);
		return;
	case SOAK_LIVE:
		if (now >= cell->rest_until && atomic_load(&cell->side->is_linked))
			grant(cell);
		return;
	case SOAK_GRANTED:
		if (cell->downs == atomic_load(&cell->side->downs))
			return;
		set_state(cell, SOAK_RETURNING, "its link went down");
		return;
	default:
		break;
	}
	if (ontb_ntb_irq_settle(cell->side->irqs, cell->index, 0) == -ETIMEDOUT)
		return;
	if (cell->state == SOAK_RETURNING) {
		end_return(cell);
	} else if (cell->state == SOAK_STUCK) {
		if (account(cell))
			free_live(cell);
	} else {
		cell->virq = 0;
		set_state(cell, SOAK_FREE, "free");
	}
}

void soak_follow(struct soak_host *host)
{
	uint64_t now = soak_now(host->soak);

	for (unsigned int s = 0; s < host->nr_sides; s++) {
		for (unsigned int i = 0; i < host->sides[s].nr_cells; i++)
			follow(&host->sides[s].cells[i], now);
	}
}

/* At random */

static struct ontb_cpumask some_cpus(struct soak_host *host)
{
	unsigned int nr_cpus = host->soak->options.nr_cpus;
	struct ontb_cpumask mask = { 0 };
	uint32_t bits;

	do
		bits = (uint32_t)ontb_random_below(&host->random, 1ULL << nr_cpus);
	while (!(bits & host->online));
	/* Most of the time one CPU, or nothing would move. */
	if (below(host, 4))
		bits &= host->online;
	while (below(host, 4) && bits & (bits - 1))
		bits &= bits - 1;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		if (bits >> cpu & 1)
			ontb_cpumask_set(&mask, cpu);
	}
	return mask;
}

static void move(struct soak_cell *cell)
{
	struct soak_host *host = cell->side->host;
	struct ontb_cpumask mask = some_cpus(host);
	int ret = ontb_irq_set_affinity(system_of(cell), cell->virq, &mask);

	/* -EINVAL: none of these CPUs is on line. */
	if (ret && ret != -ENOSPC && ret != -EINVAL)
		check(cell, "moving an interrupt", ret);
	soak_count(&host->soak->counts.moves);
	soak_note(cell->side, "moved", (int)cell->index, mask.bits[0]);
}

static void change(struct soak_cell *cell)
{
	/* Settling does not wait for an interrupt whose handler may not run. */
	soak_enable(cell);
	switch (below(cell->side->host, 4)) {
	case 0:
		free_granted(cell);
		break;
	case 1:
		revoke(cell);
		break;
	default:
		revoke(cell);
		cell->rest_until = 0;
		break;
	}
}

static void change_cpu(struct soak_host *host)
{
	struct ontb_x86 *x86 = ontb_host_x86(host->host);
	unsigned int cpu = below(host, host->soak->options.nr_cpus);
	int ret;

	if (!(host->online >> cpu & 1)) {
		ret = ontb_x86_cpu_online(x86, cpu);
		host->online |= 1U << cpu;
		soak_note_host(host, "CPU on line", cpu);
		if (ret)
			soak_failed(host, "taking a CPU on line", ret);
		return;
	}
	ret = ontb_x86_cpu_offline(x86, cpu, host->soak->options.is_stepped ? 1 : OFFLINE_NS);
	soak_note_host(host, ret ? "CPU does not go off line" : "CPU off line", cpu);
	if (!ret) {
		host->online &= ~(1U << cpu);
		soak_count(&host->soak->counts.offlines);
	} else if (ret != -EBUSY && ret != -ENOSPC && ret != -ETIMEDOUT) {
		soak_failed(host, "taking a CPU off line", ret);
	}
}

/* Take all that there is, and give it back. */
static void exhaust(struct soak_side *side)
{
	struct ontb_msi_map maps[2 * SOAK_NR_SPARE];
	unsigned int nr = 0;
	int ret = 0;

	while (nr < ONTB_ARRAY_SIZE(maps)) {
		ret = ontb_ntb_irq_alloc(side->irqs, ONTB_MSI_ANY_INDEX, NULL, &maps[nr]);
		if (ret)
			break;
		/* An index of a cell that is free just now is left to it. */
		nr++;
	}
	if (ret == -ENOSPC || ret == -EBUSY)
		soak_count(&side->soak->counts.exhaustions);
	else if (ret)
		soak_failed(side->host, "running out of interrupts", ret);
	soak_note(side, "ran out", -1, nr);
	while (nr) {
		ret = ontb_ntb_irq_free(side->irqs, maps[--nr].index);
		if (ret)
			soak_failed(side->host, "freeing an interrupt that nobody has", ret);
	}
	/* Given back when the worker has seen to it; until then their cells would find them taken. */
	(void)ontb_ntb_irq_settle(side->irqs, ONTB_MSI_ANY_INDEX, side->soak->options.is_stepped ? 0 : OFFLINE_NS);
}

static bool has_free_cell(const struct soak_side *side)
{
	for (unsigned int i = 0; i < side->nr_cells; i++) {
		if (side->cells[i].state == SOAK_FREE)
			return true;
	}
	return false;
}

static struct soak_side *some_side(struct soak_host *host)
{
	struct soak_side *side = &host->sides[below(host, host->nr_sides)];

	return side->nr_cells ? side : NULL;
}

void soak_churn(struct soak_host *host)
{
	struct soak_side *side = some_side(host);
	struct soak_cell *cell;
	uint32_t n = below(host, 256);

	if (!side)
		return;
	cell = &side->cells[below(host, side->nr_cells)];
	if (n == 0) {
		change_cpu(host);
	} else if (n == 1) {
		if (!has_free_cell(side))
			exhaust(side);
	} else if (cell->state < SOAK_LIVE || cell->state == SOAK_FREEING) {
		return;
	} else if (n < 160) {
		move(cell);
	} else if (n < 210 && cell->state == SOAK_GRANTED) {
		change(cell);
	} else if (n < 220 && cell->state == SOAK_GRANTED) {
		disable(cell);
	} else if (n >= 220) {
		soak_enable(cell);
	}
}

void soak_forget(struct soak_side *side)
{
	struct soak_counts *counts = &side->soak->counts;

	for (unsigned int i = 0; i < side->nr_cells; i++) {
		struct soak_cell *cell = &side->cells[i];

		soak_lock_cell(cell);
		if (soak_is_missing(cell))
			(void)soak_write_off(cell, side->soak->options.is_linux ? &counts->lost : &counts->died);
		soak_new_life(cell);
		soak_unlock_cell(cell);
		cell->state = SOAK_FREE;
		cell->virq = 0;
		cell->doubt_at = 0;
		cell->rest_until = 0;
		cell->is_disabled = false;
	}
}

void soak_drop_handlers(struct soak_side *side)
{
	for (unsigned int i = 0; i < side->nr_cells; i++) {
		struct soak_cell *cell = &side->cells[i];

		if (!cell->virq || cell->state == SOAK_FREE || cell->state == SOAK_FREEING)
			continue;
		remove_handler(cell);
		if (side->irqs)
			(void)ontb_ntb_irq_free(side->irqs, i);
	}
}
