// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Today's scheme of Linux, as a client of the same layers: an interrupt domain of the bridge's function whose messages are told to
 * peers, and nobody confirms anything.
 *
 * - Offset and data are told together, as one word of the page that both hosts share, so they are never torn (Linux tells them as two
 *   scratchpads, which can be). The word has the number of the interrupt's life too, for the accounts only.
 * - A peer hears of a word as late as the way to it is.
 * - After a move the old target is released when the first interrupt has come at the new one and a jiffy (4 ms) has passed, as the
 *   vector domain of Linux does; when a CPU goes off line, at once.
 * - A freed index, and its vector, may be used again at once.
 *
 * An interrupt is told to the peer at its own bridge. On bare vectors, where any function's write reaches any vector, it is told over
 * its host's other bridge too: a second peer, and one of the two is late. Interrupt remapping lets only the function itself raise it.
 */
#include <errno.h>

#include <openntb/msi.h>

#include "base/clock.h"
#include "base/random.h"
#include "tool/soak.h"

#define SLOT	  1U
#define JIFFY_NS  (4 * ONTB_NS_PER_MS)
#define LOST_NS	  (200 * ONTB_NS_PER_MS)
#define LEFT_FREE 6U /* CPU vectors that are left by soak_linux_fill(), for each CPU */

/* A word: valid, life (19 bits), offset in the window (28), data (16). */
#define PAIR_VALID  (1ULL << 63)
#define PAIR_LIFE   44
#define PAIR_OFFSET 16

static uint64_t below(struct soak_host *host, uint64_t limit)
{
	return ontb_random_below(&host->random, limit);
}

static struct soak_side *other_side(struct soak_side *side)
{
	return &side->host->sides[side == &side->host->sides[0]];
}

static void tell_over(struct soak_side *over, unsigned int slot, uint64_t pair)
{
	if (over->ntb && atomic_load(&over->is_open))
		(void)ontb_ntb_peer_page_write(over->ntb, 0, 8 * (size_t)slot, &pair, sizeof(pair));
}

/* Nobody is told that an interrupt is gone, as nobody is by Linux. */
static void tell(struct soak_cell *cell)
{
	struct soak_side *side = cell->side;
	uint64_t pair = atomic_load(&cell->pair);

	if (!(pair & PAIR_VALID))
		return;
	tell_over(side, cell->index, pair);
	if (!side->host->has_remapping)
		tell_over(other_side(side), side->nr_cells + cell->index, pair);
}

static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct soak_cell *cell = ontb_msi_cookie(data);
	bool has_old;

	if (!cell)
		return 0;
	has_old = atomic_load(&cell->pair) & PAIR_VALID;
	if (!msg) {
		atomic_store(&cell->pair, 0);
		atomic_store(&cell->is_moving, false);
		return 0;
	}
	atomic_store(&cell->pair, PAIR_VALID | (uint64_t)(atomic_load(&cell->life) & SOAK_LIFE_MASK) << PAIR_LIFE |
					  (msg->addr - ONTB_X86_MSI_BASE) << PAIR_OFFSET | (msg->data & 0xffff));
	tell(cell);
	if (!has_old || atomic_load(&cell->side->host->is_emptying))
		return 0;
	cell->data = data;
	atomic_store(&cell->hit_at, 0);
	atomic_store(&cell->is_moving, true);
	return -EINPROGRESS;
}

/* Links */

/* The last one that can show all interrupt addresses. Both ends have the same windows. */
static int open_window(struct soak_side *side)
{
	struct ontb_ntb_window limits;
	int ret = 0;

	for (unsigned int w = ontb_ntb_nr_windows(side->ntb); w && !ret; w--) {
		side->window = w - 1;
		ret = ontb_ntb_window_limits(side->ntb, 0, side->window, &limits);
		if (!ret && limits.size_max >= ONTB_X86_MSI_SIZE)
			return ontb_ntb_window_open(side->ntb, 0, side->window, ONTB_X86_MSI_BASE, ONTB_X86_MSI_SIZE);
	}
	return ret ? ret : -EOPNOTSUPP;
}

static void link_event(void *client, unsigned int peer)
{
	struct soak_side *side = client;
	bool is_up = ontb_ntb_link_is_up(side->ntb, peer);

	if (is_up && !atomic_load(&side->is_open)) {
		int ret = open_window(side);

		if (ret) {
			soak_failed(side->host, "opening a window onto the interrupt addresses", ret);
			return;
		}
		atomic_store(&side->is_open, true);
		for (unsigned int s = 0; s < side->host->nr_sides; s++) {
			for (unsigned int i = 0; i < side->nr_cells; i++)
				tell(&side->host->sides[s].cells[i]);
		}
	}
	soak_link_event(side, is_up);
}

static const struct ontb_ntb_events events = { .link = link_event };

int soak_linux_start(struct soak_side *side)
{
	const struct ontb_msi_template template = {
		.prefix = "NTB-",
		.token = ONTB_BUS_NTB,
		.nr_indices = 1024,
		.flow = ONTB_IRQ_EDGE,
		.chip = { .name = "NTB-MSI", .write_msg = write_msg },
	};
	int ret = ontb_msi_domain_new(ontb_ntb_msi(side->ntb), SLOT, &template);

	if (ret)
		return ret;
	ret = ontb_ntb_set_client(side->ntb, &events, side);
	if (!ret)
		ret = ontb_ntb_link_enable(side->ntb);
	return ret;
}

void soak_linux_stop(struct soak_side *side)
{
	if (!side->ntb)
		return;
	ontb_ntb_link_disable(side->ntb);
	(void)ontb_ntb_set_client(side->ntb, NULL, NULL);
	if (atomic_load(&side->is_open))
		(void)ontb_ntb_window_close(side->ntb, 0, side->window);
	atomic_store(&side->is_open, false);
	(void)ontb_msi_domain_free(ontb_ntb_msi(side->ntb), SLOT);
}

/*
 * Hosts with even numbers have a peer that hears at once, at bridge n, and one that is late, at bridge n - 1; what either sends to
 * them is not late. So the first one has used a new message long before the second one has heard of it.
 */
int soak_linux_ways(struct soak *soak)
{
	const struct soak_options *options = &soak->options;
	const struct ontb_fabric_way late = {
		.delay_ns = options->late_ms * (options->is_stepped ? SOAK_STEPS_MS : ONTB_NS_PER_MS),
	};
	int ret = 0;

	for (unsigned int b = 1; b < options->nr_hosts && !ret; b += 2)
		ret = ontb_fabric_set_way(soak->fabric, b, 0, &late);
	return ret;
}

/* Owners */

static struct ontb_irq_system *system_of(const struct soak_cell *cell)
{
	return ontb_host_irqs(cell->side->host->host);
}

static void allocate(struct soak_cell *cell)
{
	const struct ontb_irq_request request = { .handler = soak_handle, .dev = cell, .name = "soak" };
	struct ontb_msi_dev *msi = ontb_ntb_msi(cell->side->ntb);
	struct ontb_msi_map map;
	int ret;

	soak_new_life(cell);
	ret = ontb_msi_alloc_at(msi, SLOT, cell->index, NULL, cell, &map);
	if (!ret) {
		ret = ontb_irq_request(system_of(cell), map.virq, &request);
		if (ret)
			(void)ontb_msi_free_range(msi, SLOT, cell->index, 1);
	}
	if (ret == -ENOSPC || ret == -EBUSY) {
		soak_count(&cell->side->soak->counts.exhaustions);
		return;
	}
	if (ret) {
		soak_failed(cell->side->host, "allocating an interrupt", ret);
		return;
	}
	cell->virq = map.virq;
	cell->state = SOAK_GRANTED;
	soak_note(cell->side, "allocated and told", (int)cell->index,
		  atomic_load(&cell->pair) >> PAIR_OFFSET & 0xfffffff);
}

static void free_cell(struct soak_cell *cell)
{
	int ret = ontb_irq_free(system_of(cell), cell->virq, cell);

	if (!ret)
		ret = ontb_msi_free_range(ontb_ntb_msi(cell->side->ntb), SLOT, cell->index, 1);
	if (ret)
		soak_failed(cell->side->host, "freeing an interrupt", ret);
	soak_count(&cell->side->soak->counts.reuses);
	soak_note(cell->side, "freed", (int)cell->index, cell->virq);
	cell->virq = 0;
	cell->is_disabled = false;
	cell->state = SOAK_FREE;
}

void soak_linux_fill(struct soak_host *host)
{
	struct ontb_msi_dev *msi = ontb_ntb_msi(host->sides[0].ntb);
	struct ontb_x86_status status;
	struct ontb_msi_map map;

	for (;;) {
		ontb_x86_status(ontb_host_x86(host->host), &status);
		if (status.nr_reserved + LEFT_FREE * host->soak->options.nr_cpus >= status.nr_capacity)
			return;
		/* Above those that are told; activated, so that each holds a vector. */
		if (ontb_msi_alloc_at(msi, SLOT, host->sides[0].nr_cells + host->nr_spare, NULL, NULL, &map) ||
		    ontb_irq_activate(ontb_host_irqs(host->host), map.virq))
			return;
		host->nr_spare++;
	}
}

static void complete(struct soak_cell *cell)
{
	struct ontb_irq_data *data = cell->data;

	atomic_store(&cell->is_moving, false);
	soak_note(cell->side, "old target released", (int)cell->index, 0);
	ontb_irq_move_complete(data);
}

void soak_linux_follow(struct soak_host *host)
{
	uint64_t now = soak_now(host->soak);

	for (unsigned int s = 0; s < host->nr_sides; s++) {
		for (unsigned int i = 0; i < host->sides[s].nr_cells; i++) {
			struct soak_cell *cell = &host->sides[s].cells[i];
			uint64_t hit_at = atomic_load(&cell->hit_at);

			if (cell->state == SOAK_FREE)
				allocate(cell);
			else if (atomic_load(&cell->is_moving) && hit_at && now >= hit_at + JIFFY_NS)
				complete(cell);
		}
	}
}

static void move(struct soak_cell *cell)
{
	struct soak_host *host = cell->side->host;
	unsigned int cpu = (unsigned int)below(host, host->soak->options.nr_cpus);
	struct ontb_cpumask mask = ontb_cpumask_of(cpu);
	int ret;

	if (atomic_load(&cell->is_moving))
		return;
	ret = ontb_irq_set_affinity(system_of(cell), cell->virq, &mask);
	if (ret && ret != -ENOSPC && ret != -EINVAL)
		soak_failed(host, "moving an interrupt", ret);
	if (ret)
		return;
	soak_count(&host->soak->counts.moves);
	soak_note(cell->side, "moved", (int)cell->index, cpu);
}

/* All of them are released at once. */
static void complete_all(struct soak_host *host)
{
	for (unsigned int s = 0; s < host->nr_sides; s++) {
		for (unsigned int i = 0; i < host->sides[s].nr_cells; i++) {
			if (atomic_load(&host->sides[s].cells[i].is_moving))
				complete(&host->sides[s].cells[i]);
		}
	}
}

static void change_cpu(struct soak_host *host)
{
	struct ontb_x86 *x86 = ontb_host_x86(host->host);
	unsigned int cpu = (unsigned int)below(host, host->soak->options.nr_cpus);
	int ret;

	if (!(host->online >> cpu & 1)) {
		ret = ontb_x86_cpu_online(x86, cpu);
		host->online |= 1U << cpu;
		if (ret)
			soak_failed(host, "taking a CPU on line", ret);
		return;
	}
	atomic_store(&host->is_emptying, true);
	complete_all(host);
	ret = ontb_x86_cpu_offline(x86, cpu, host->soak->options.is_stepped ? 1 : ONTB_NS_PER_S);
	atomic_store(&host->is_emptying, false);
	soak_note_host(host, ret ? "CPU does not go off line" : "CPU off line", cpu);
	if (ret)
		return;
	host->online &= ~(1U << cpu);
	soak_count(&host->soak->counts.offlines);
}

static void toggle(struct soak_cell *cell)
{
	int ret;

	if (!cell->is_disabled)
		soak_count(&cell->side->soak->counts.disables);
	ret = cell->is_disabled ? ontb_irq_enable(system_of(cell), cell->virq)
				: ontb_irq_disable_nosync(system_of(cell), cell->virq);
	cell->is_disabled = !cell->is_disabled;
	if (ret)
		soak_failed(cell->side->host, "enabling or disabling an interrupt", ret);
}

void soak_linux_churn(struct soak_host *host)
{
	struct soak_side *side = &host->sides[below(host, host->nr_sides)];
	struct soak_cell *cell = &side->cells[below(host, side->nr_cells)];
	uint64_t n = below(host, 64);

	if (n == 0) {
		change_cpu(host);
		return;
	}
	if (cell->state == SOAK_FREE)
		return;
	/* A handler that is kept from running would be missed as a message is. */
	if (cell->is_disabled || n == 1)
		toggle(cell);
	if (cell->is_disabled)
		toggle(cell);
	if (n < 48) {
		move(cell);
	} else if (n < 52) {
		free_cell(cell);
		allocate(cell);
	}
}

/* Peers */

bool soak_linux_send(struct soak_side *from, unsigned int slot)
{
	struct soak_side *owner = from->peer, *other = other_side(from->peer);
	struct soak_cell *cell = slot < owner->nr_cells ? &owner->cells[slot] : &other->cells[slot - owner->nr_cells];
	size_t size;
	const uint64_t *page = ontb_ntb_page(from->ntb, 0, &size);
	uint64_t pair = __atomic_load_n(&page[slot], __ATOMIC_ACQUIRE);
	uint32_t sent;
	int ret;

	if (!(pair & PAIR_VALID) || !atomic_load(&from->is_open) || soak_is_missing(cell))
		return false;
	soak_lock_cell(cell);
	sent = atomic_load(&cell->sent);
	if (atomic_load(&cell->handled) != sent) {
		soak_unlock_cell(cell);
		return false;
	}
	atomic_store(&cell->sent_life, (uint32_t)(pair >> PAIR_LIFE) & SOAK_LIFE_MASK);
	atomic_store(&cell->sent_at, soak_now(from->soak));
	atomic_store(&cell->sent, sent + 1);
	ret = ontb_ntb_peer_write32(from->ntb, 0, from->window, pair >> PAIR_OFFSET & 0xfffffff,
				    (uint32_t)(pair & 0xffff));
	if (ret) {
		atomic_store(&cell->sent, sent);
	} else {
		cell->nr_sent++;
		if (pair != atomic_load(&cell->pair))
			soak_count(&from->soak->counts.stale);
	}
	soak_note(cell->side, pair == atomic_load(&cell->pair) ? "sent" : "sent with an old pair", (int)cell->index,
		  pair >> PAIR_OFFSET & 0xfffffff);
	soak_unlock_cell(cell);
	return !ret;
}

void soak_linux_expire(struct soak *soak, bool is_end)
{
	uint64_t now = soak_now(soak), limit = LOST_NS + 2ULL * soak->options.late_ms * ONTB_NS_PER_MS;

	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		for (unsigned int s = 0; s < soak->hosts[h].nr_sides; s++) {
			struct soak_side *side = &soak->hosts[h].sides[s];

			for (unsigned int i = 0; i < side->nr_cells; i++) {
				struct soak_cell *cell = &side->cells[i];

				if (!soak_is_missing(cell))
					continue;
				soak_lock_cell(cell);
				if (soak_is_missing(cell) && (is_end || now > atomic_load(&cell->sent_at) + limit))
					(void)soak_write_off(cell, &soak->counts.lost);
				soak_unlock_cell(cell);
			}
		}
	}
}
