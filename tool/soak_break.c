// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What breaks: links, ways, hosts. A break is marked at both ends of each bridge it concerns before it begins; what was sent under
 * a grant from before the mark may die. Whatever else gets lost is lost.
 */
#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "base/random.h"
#include "tool/soak.h"

#define BREAK_NS (5 * ONTB_NS_PER_MS)

static uint64_t below(struct soak_host *host, uint64_t limit)
{
	return ontb_random_below(&host->random, limit);
}

static void begin(struct soak_side *side)
{
	atomic_fetch_add(&side->nr_breaking, 1);
	atomic_fetch_add(&side->breaks, 1);
	atomic_fetch_add(&side->peer->nr_breaking, 1);
	atomic_fetch_add(&side->peer->breaks, 1);
}

static void end(struct soak_side *side)
{
	atomic_fetch_sub(&side->nr_breaking, 1);
	atomic_fetch_sub(&side->peer->nr_breaking, 1);
}

void soak_link_event(struct soak_side *side, bool is_up)
{
	atomic_store(&side->is_linked, is_up);
	soak_note(side, is_up ? "link up" : "link down", -1, 0);
	if (is_up) {
		side->up_breaks = atomic_load(&side->breaks);
		return;
	}
	atomic_fetch_add(&side->downs, 1);
	if (!side->is_liar && !atomic_load(&side->nr_breaking) && side->up_breaks == atomic_load(&side->breaks))
		soak_count(&side->soak->counts.unplanned);
}

/* A driver takes its link down and up again. */
static void flap(struct soak_side *side)
{
	int ret;

	soak_note(side, "link flaps", -1, 0);
	ontb_ntb_link_disable(side->ntb);
	soak_pause(side->soak, below(side->host, BREAK_NS));
	ret = ontb_ntb_link_enable(side->ntb);
	if (ret)
		soak_failed(side->host, "enabling a link", ret);
}

static void set_way(struct soak_side *side, const struct ontb_fabric_way *way)
{
	int ret = ontb_fabric_set_way(side->soak->fabric, side->bridge, side->port, way);

	if (ret)
		soak_failed(side->host, "changing the way to it", ret);
}

/*
 * The wire to a host is cut for a while. PCIe loses nothing otherwise, so what was lost of a link that was coming up is not
 * said again, and the host whose wire it was starts over.
 */
static void cut(struct soak_side *side)
{
	const struct ontb_fabric_way down = { .is_down = true }, whole = { 0 };

	soak_count(&side->soak->counts.cuts);
	soak_note(side, "wire is cut", -1, 0);
	set_way(side, &down);
	soak_pause(side->soak, below(side->host, BREAK_NS));
	set_way(side, &whole);
	flap(side);
}

static void plug(struct soak_host *host, bool is_in)
{
	for (unsigned int s = 0; s < host->nr_sides; s++) {
		struct soak_side *side = &host->sides[s];
		int ret = is_in ? ontb_fabric_replug(host->soak->fabric, side->bridge, side->port)
				: ontb_fabric_unplug(host->soak->fabric, side->bridge, side->port);

		if (ret)
			soak_failed(host, is_in ? "plugging it" : "unplugging it", ret);
	}
}

/* Its software stops and starts anew; if it dies, its functions disappear first, and come back in their reset state. */
static void restart(struct soak_host *host, bool is_dying)
{
	soak_count(is_dying ? &host->soak->counts.deaths : &host->soak->counts.resets);
	soak_note_host(host, is_dying ? "dies" : "is reset", 0);
	if (is_dying) {
		plug(host, false);
		soak_pause(host->soak, below(host, BREAK_NS));
	}
	atomic_store(&host->wants_gate, true);
	ontb_lock(&host->gate);
	soak_stop_host(host);
	soak_pause(host->soak, below(host, BREAK_NS));
	if (is_dying)
		plug(host, true);
	/* The run ends with an error if it does not start, and what it had is not touched. */
	if (soak_start_host(host))
		atomic_store(&host->soak->is_over, true);
	atomic_store(&host->wants_gate, false);
	ontb_unlock(&host->gate);
}

void soak_break(struct soak_host *host)
{
	struct soak_side *side = &host->sides[below(host, host->nr_sides)];
	uint64_t kind = below(host, 6);

	if (kind < 4) {
		begin(side);
		if (kind < 2)
			cut(side);
		else
			flap(side);
		soak_count(&host->soak->counts.flaps);
		end(side);
		return;
	}
	for (unsigned int s = 0; s < host->nr_sides; s++)
		begin(&host->sides[s]);
	restart(host, kind == 4);
	for (unsigned int s = 0; s < host->nr_sides; s++)
		end(&host->sides[s]);
}

/* Most ways are not late, so that not all messages are. */
void soak_make_late(struct soak_host *host)
{
	const struct soak_options *options = &host->soak->options;
	uint64_t ms = options->is_stepped ? SOAK_STEPS_MS : ONTB_NS_PER_MS, late = options->late_ms * ms;
	struct soak_side *side = &host->sides[below(host, host->nr_sides)];
	struct ontb_fabric_way way = { 0 };
	uint64_t kind = below(host, 16);

	if (kind < 2)
		way.jitter_ns = below(host, late / 10 + 1);
	else if (kind < 5)
		way.delay_ns = below(host, late + 1);
	else if (kind == 5)
		way.delay_ns = 2 * late;
	if (kind == 4)
		way.jitter_ns = way.delay_ns;
	soak_count(&host->soak->counts.lates);
	soak_note(side, "hears late by", -1, way.delay_ns);
	set_way(side, &way);
}
