// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Random operations on two stepped hosts, and the model of what they may cause.
 */
#include "soak.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_EVENTS 1024U
/* A run of the protocol takes some dozens of steps; with delays some thousands. */
#define MAX_WAIT 100000U

/* What the fabric can do to the way to a host. */
static const struct ontb_fabric_way ways[] = {
	{ 0 },
	{ .delay_ns = 3 },
	{ .delay_ns = 40, .jitter_ns = 20 },
	{ .jitter_ns = 100 },
};

static struct ontb_irq_system *system_of(const struct soak_cell *cell)
{
	return ontb_host_irqs(cell->soak->rig.hosts[cell->host]);
}

static void record(struct soak *soak, const struct soak_cell *cell, unsigned int virq)
{
	if (soak->nr_events == soak->max_events) {
		soak->max_events = soak->max_events ? 2 * soak->max_events : FIRST_EVENTS;
		soak->events = realloc(soak->events, soak->max_events * sizeof(*soak->events));
		assert_non_null(soak->events);
	}
	soak->events[soak->nr_events++] = (struct soak_event){
		.step = soak->step,
		.virq = virq,
		.host = (uint16_t)cell->host,
		.cpu = (uint16_t)ontb_irq_this_cpu(),
	};
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	struct soak_cell *cell = dev;

	record(cell->soak, cell, virq);
	if (virq != cell->virq || cell->ran >= cell->sent)
		fail_msg("step %llu: host %u: interrupt %u, index %u, state %u: run %u after %u messages",
			 (unsigned long long)cell->soak->step, cell->host, virq, cell->index, cell->state,
			 cell->ran + 1, cell->sent);
	assert_true(cell->soak->hosts[cell->host].online >> ontb_irq_this_cpu() & 1);
	cell->ran++;
	cell->seen = cell->sent;
	return ONTB_IRQ_HANDLED;
}

/* Whether every message that may not be lost was followed by a run. */
static void assert_handled(const struct soak_cell *cell)
{
	if (cell->seen != cell->sent && cell->sent > cell->lossy)
		fail_msg("step %llu: host %u: index %u, state %u: %u messages, the last run came after %u, %u may be "
			 "lost",
			 (unsigned long long)cell->soak->step, cell->host, cell->index, cell->state, cell->sent,
			 cell->seen, cell->lossy);
}

/* From now on no handler may run. */
static void forget(struct soak_cell *cell)
{
	cell->sent = cell->ran = cell->seen = cell->lossy = 0;
}

static void lose(struct soak_host *host)
{
	for (unsigned int i = 0; i < SOAK_NR_IRQS; i++)
		host->cells[i].lossy = host->cells[i].sent;
}

static void on_link(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, bool is_up)
{
	struct soak_host *host = client;

	(void)irqs;
	assert_int_equal(peer, 0);
	/* Down without up is possible: the peer had granted, and this host could not open its own window. */
	assert_false(is_up && host->is_linked);
	host->is_linked = is_up;
	if (is_up) {
		host->is_lossy = false;
		return;
	}
	/* What had arrived is still handled; what comes now is dropped. */
	lose(host);
	for (unsigned int i = 0; i < SOAK_NR_IRQS; i++) {
		if (host->cells[i].state == SOAK_GRANTED)
			host->cells[i].state = SOAK_RETURNING;
	}
}

static const struct ontb_ntb_irq_events events = { .link = on_link };

static void start_host(struct soak *soak, unsigned int h)
{
	struct soak_host *host = &soak->hosts[h];
	struct ontb_ntb_irqs_config config;

	step_boot(&soak->rig, h);
	*host = (struct soak_host){ .soak = soak, .online = (1U << SOAK_NR_CPUS) - 1 };
	for (unsigned int i = 0; i < SOAK_NR_IRQS; i++)
		host->cells[i] = (struct soak_cell){ .soak = soak, .host = h, .index = i };
	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = SOAK_NR_IRQS;
	config.channel = soak->channel;
	config.use_guard = soak->use_guard;
	config.trust_peers = !soak->use_guard;
	/* Time passes here whenever nothing else is to do, so a time-out would say nothing of the peer. */
	config.ack_timeout_ns = 0;
	config.events = &events;
	config.client = host;
	assert_int_equal(ontb_ntb_irqs_new(ontb_host_ntb(soak->rig.hosts[h], 0), &config, &host->irqs), 0);
}

void soak_open(struct soak *soak, const char *topology, uint64_t seed)
{
	memset(soak, 0, sizeof(*soak));
	step_open(&soak->rig, topology, seed);
	/* Not message registers: nobody says when one is empty, and here time has passed before the peer is let look at it. */
	soak->channel = step_below(&soak->rig, 2) ? ONTB_NTB_CHANNEL_PAGE : ONTB_NTB_CHANNEL_SPADS;
	soak->use_guard = step_below(&soak->rig, 2);
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++)
		start_host(soak, h);
}

/* What the owner does */

static void allocate(struct soak_cell *cell)
{
	const struct ontb_irq_request request = { .handler = handle, .dev = cell, .name = "soak" };
	struct ontb_msi_map map;

	assert_int_equal(ontb_ntb_irq_alloc(cell->soak->hosts[cell->host].irqs, cell->index, NULL, &map), 0);
	cell->virq = map.virq;
	assert_int_equal(ontb_irq_request(system_of(cell), map.virq, &request), 0);
	forget(cell);
	cell->state = SOAK_LIVE;
}

static void grant(struct soak_cell *cell)
{
	const struct soak_host *host = &cell->soak->hosts[cell->host];

	assert_int_equal(ontb_ntb_irq_grant(host->irqs, cell->index, 0), host->is_linked ? 0 : -ENOLINK);
	if (!host->is_linked)
		return;
	cell->state = SOAK_GRANTED;
	cell->soak->nr_lives++;
}

void soak_grant(struct soak *soak, unsigned int h, unsigned int index)
{
	allocate(&soak->hosts[h].cells[index]);
	grant(&soak->hosts[h].cells[index]);
}

static void revoke(struct soak_cell *cell)
{
	assert_int_equal(ontb_ntb_irq_revoke(cell->soak->hosts[cell->host].irqs, cell->index, 0), 0);
	cell->state = SOAK_RETURNING;
}

static void remove_handler(struct soak_cell *cell)
{
	assert_int_equal(ontb_irq_free(system_of(cell), cell->virq, cell), 0);
}

static void free_cell(struct soak_cell *cell)
{
	assert_int_equal(ontb_ntb_irq_free(cell->soak->hosts[cell->host].irqs, cell->index), 0);
}

static void free_live(struct soak_cell *cell)
{
	remove_handler(cell);
	free_cell(cell);
	cell->state = SOAK_FREEING;
}

/* With the handler, which sees what comes until the peer has confirmed; or without it, and nobody sees it. */
static void free_granted(struct soak_cell *cell, bool has_handler)
{
	if (!has_handler)
		remove_handler(cell);
	free_cell(cell);
	cell->state = has_handler ? SOAK_STUCK : SOAK_FREEING;
}

/* See whether what was under way has ended. */
static void follow(struct soak_cell *cell)
{
	if (cell->state < SOAK_RETURNING ||
	    ontb_ntb_irq_settle(cell->soak->hosts[cell->host].irqs, cell->index, 0) == -ETIMEDOUT)
		return;
	switch (cell->state) {
	case SOAK_RETURNING:
		assert_handled(cell);
		cell->state = SOAK_LIVE;
		break;
	case SOAK_STUCK:
		assert_handled(cell);
		free_live(cell);
		break;
	default:
		cell->state = SOAK_FREE;
	}
	forget(cell);
}

/* What the peer does */

static void trigger(struct soak_cell *cell)
{
	const struct soak_host *host = &cell->soak->hosts[cell->host];
	int ret = ontb_ntb_irq_trigger(cell->soak->hosts[!cell->host].irqs, 0, cell->index);

	if (ret) {
		assert_true(ret == -ENOENT || ret == -ENOLINK);
		return;
	}
	/* A peer that has not noticed yet that its link broke may store: it goes nowhere. */
	if (!host->is_linked)
		return;
	if (cell->state != SOAK_GRANTED && cell->state != SOAK_RETURNING && cell->state != SOAK_STUCK &&
	    cell->state != SOAK_FREEING)
		fail_msg("step %llu: host %u: index %u, state %u: the peer has it",
			 (unsigned long long)cell->soak->step, cell->host, cell->index, cell->state);
	cell->sent++;
	if (host->is_lossy)
		cell->lossy = cell->sent;
}

/* Moves */

static void move(struct soak_cell *cell)
{
	uint32_t online = cell->soak->hosts[cell->host].online, bits;
	struct ontb_cpumask mask = { 0 };

	do {
		bits = (uint32_t)step_below(&cell->soak->rig, 1U << SOAK_NR_CPUS);
	} while (!(bits & online));
	for (unsigned int cpu = 0; cpu < SOAK_NR_CPUS; cpu++) {
		if (bits >> cpu & 1)
			ontb_cpumask_set(&mask, cpu);
	}
	assert_int_equal(ontb_irq_set_affinity(system_of(cell), cell->virq, &mask), 0);
	cell->soak->nr_moves++;
}

static void change_cpu(struct soak *soak, unsigned int h)
{
	struct ontb_x86 *x86 = ontb_host_x86(soak->rig.hosts[h]);
	unsigned int cpu = (unsigned int)step_below(&soak->rig, SOAK_NR_CPUS);
	struct soak_host *host = &soak->hosts[h];
	int ret;

	if (!(host->online >> cpu & 1)) {
		assert_int_equal(ontb_x86_cpu_online(x86, cpu), 0);
		host->online |= 1U << cpu;
		return;
	}
	ret = ontb_x86_cpu_offline(x86, cpu, 1);
	if (host->online == 1U << cpu) {
		assert_int_equal(ret, -EBUSY);
	} else if (!ret) {
		host->online &= ~(1U << cpu);
		soak->nr_moves++;
	} else {
		/* The peer has to be stepped before it can confirm. */
		assert_int_equal(ret, -ETIMEDOUT);
	}
}

/* Links */

static void change_way(struct soak *soak, unsigned int h)
{
	const struct ontb_fabric_way *way = &ways[step_below(&soak->rig, sizeof(ways) / sizeof(ways[0]))];

	assert_int_equal(ontb_fabric_set_way(soak->rig.fabric, 0, h, way), 0);
}

static void step_some(struct soak *soak, uint64_t limit)
{
	for (uint64_t n = step_below(&soak->rig, limit); n; n--) {
		soak->step++;
		(void)step_once(&soak->rig);
	}
}

static void lose_both(struct soak *soak, bool is_lossy)
{
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++) {
		lose(&soak->hosts[h]);
		soak->hosts[h].is_lossy = is_lossy;
	}
	soak->nr_breaks++;
}

/* A driver takes its link down and up again. */
static void bounce(struct soak *soak, unsigned int h)
{
	struct ontb_ntb *ntb = ontb_host_ntb(soak->rig.hosts[h], 0);

	lose_both(soak, true);
	ontb_ntb_link_disable(ntb);
	step_some(soak, 100);
	assert_int_equal(ontb_ntb_link_enable(ntb), 0);
}

static bool is_up(const struct soak *soak)
{
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++) {
		if (!soak->hosts[h].is_linked || !ontb_ntb_link_is_up(ontb_host_ntb(soak->rig.hosts[h], 0), 0))
			return false;
	}
	return true;
}

/*
 * The wire to a host's function is cut for a while. PCIe loses nothing otherwise, so what was lost of a link that was coming up is not
 * said again, and the host whose wire it was starts over. Both look when it is whole: here they have been waiting too long already,
 * because time passes whenever nothing else is to do.
 */
static void cut(struct soak *soak, unsigned int h)
{
	const struct ontb_fabric_way down = { .is_down = true };

	lose_both(soak, true);
	assert_int_equal(ontb_fabric_set_way(soak->rig.fabric, 0, h, &down), 0);
	step_some(soak, 30);
	change_way(soak, h);
	if (!is_up(soak)) {
		bounce(soak, h);
		return;
	}
	lose_both(soak, false);
	for (unsigned int i = 0; i < SOAK_NR_HOSTS; i++)
		ontb_ntb_link_event(ontb_host_ntb(soak->rig.hosts[i], 0), 0);
}

static void stop_host(struct soak *soak, unsigned int h)
{
	struct soak_host *host = &soak->hosts[h];

	for (unsigned int i = 0; i < SOAK_NR_IRQS; i++) {
		struct soak_cell *cell = &host->cells[i];

		if (cell->state != SOAK_FREE && cell->state != SOAK_FREEING) {
			remove_handler(cell);
			(void)ontb_ntb_irq_free(host->irqs, i);
		}
	}
	ontb_ntb_irqs_free(host->irqs);
	host->irqs = NULL;
	ontb_host_shutdown(soak->rig.hosts[h]);
	soak->rig.hosts[h] = NULL;
}

static struct ontb_pci_dev *bridge_function(const struct soak *soak, unsigned int h)
{
	return ontb_pci_dev_at(ontb_host_pci(soak->rig.hosts[h]), 0);
}

/* A host's function disappears. The host ends without it, or when it is back, and starts anew. */
static void replug(struct soak *soak, unsigned int h)
{
	bool ends_without = step_below(&soak->rig, 2);

	lose_both(soak, true);
	assert_int_equal(ontb_fabric_unplug(soak->rig.fabric, 0, h), 0);
	step_some(soak, 100);
	if (ends_without)
		stop_host(soak, h);
	assert_int_equal(ontb_fabric_replug(soak->rig.fabric, 0, h), 0);
	step_some(soak, 100);
	if (!ends_without) {
		assert_int_equal(ontb_pci_reset_restore(bridge_function(soak, h)), 0);
		stop_host(soak, h);
	}
	step_some(soak, 100);
	start_host(soak, h);
	soak->hosts[h].is_lossy = true;
}

static void break_link(struct soak *soak, unsigned int h)
{
	static void (*const breaks[])(struct soak * soak, unsigned int h) = { bounce, cut, replug };

	breaks[step_below(&soak->rig, sizeof(breaks) / sizeof(breaks[0]))](soak, h);
}

/* All together */

static void change_cell(struct soak_cell *cell)
{
	uint64_t n = step_below(&cell->soak->rig, 4);

	switch (cell->state) {
	case SOAK_FREE:
		allocate(cell);
		break;
	case SOAK_LIVE:
		if (n)
			grant(cell);
		else
			free_live(cell);
		break;
	case SOAK_GRANTED:
		if (n < 2)
			revoke(cell);
		else
			free_granted(cell, n == 2);
		break;
	default:
		break;
	}
}

static void operate(struct soak *soak, bool can_break)
{
	unsigned int h = (unsigned int)step_below(&soak->rig, SOAK_NR_HOSTS);
	struct soak_cell *cell = &soak->hosts[h].cells[step_below(&soak->rig, SOAK_NR_IRQS)];
	uint64_t n = step_below(&soak->rig, 100);

	if (n < 60)
		trigger(cell);
	else if (n < 75)
		change_cell(cell);
	else if (n < 88 && cell->state != SOAK_FREE && cell->state != SOAK_FREEING)
		move(cell);
	else if (n < 94)
		change_cpu(soak, h);
	else if (n < 97)
		change_way(soak, h);
	else if (n >= 97 && can_break && !step_below(&soak->rig, 4))
		break_link(soak, h);
}

static void follow_all(struct soak *soak)
{
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++) {
		for (unsigned int i = 0; i < SOAK_NR_IRQS; i++)
			follow(&soak->hosts[h].cells[i]);
	}
}

void soak_run(struct soak *soak, unsigned int nr_ops, bool can_break)
{
	for (unsigned int n = 0; n < nr_ops; n++) {
		soak->step++;
		operate(soak, can_break);
		step_some(soak, 8);
		follow_all(soak);
	}
}

/* Nothing is under way any more, and all that can be there is. */
static void assert_settled(struct soak *soak, unsigned int h)
{
	struct soak_host *host = &soak->hosts[h];
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(host->irqs, &status);
	if (!host->is_linked || status.nr_moving || status.nr_quarantined ||
	    ontb_ntb_irq_settle(host->irqs, ONTB_MSI_ANY_INDEX, 0))
		fail_msg("step %llu: host %u: link %s, %u granted, %u moving, %u in quarantine, not settled",
			 (unsigned long long)soak->step, h, host->is_linked ? "up" : "down", status.nr_granted,
			 status.nr_moving, status.nr_quarantined);
	for (unsigned int i = 0; i < SOAK_NR_IRQS; i++) {
		assert_true(host->cells[i].state < SOAK_RETURNING);
		assert_handled(&host->cells[i]);
		assert_int_equal(ontb_ntb_irq_is_granted(soak->hosts[!h].irqs, 0, i),
				 host->cells[i].state == SOAK_GRANTED);
	}
}

void soak_settle(struct soak *soak)
{
	for (unsigned int n = 0; n < MAX_WAIT && step_once(&soak->rig); n++) {
		soak->step++;
		follow_all(soak);
	}
	follow_all(soak);
	assert_false(step_once(&soak->rig));
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++)
		assert_settled(soak, h);
}

static void flow(struct soak *soak, struct soak_cell *cell)
{
	uint32_t ran = cell->ran;

	trigger(cell);
	soak_settle(soak);
	assert_int_equal(cell->ran, ran + 1);
}

void soak_assert_flows(struct soak *soak)
{
	soak_settle(soak);
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++) {
		for (unsigned int i = 0; i < SOAK_NR_IRQS; i++) {
			struct soak_cell *cell = &soak->hosts[h].cells[i];

			soak->hosts[h].is_lossy = false;
			if (cell->state == SOAK_FREE)
				allocate(cell);
			if (cell->state == SOAK_LIVE)
				grant(cell);
		}
	}
	soak_settle(soak);
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++) {
		for (unsigned int i = 0; i < SOAK_NR_IRQS; i++)
			flow(soak, &soak->hosts[h].cells[i]);
	}
}

void soak_close(struct soak *soak)
{
	for (unsigned int h = 0; h < SOAK_NR_HOSTS; h++)
		stop_host(soak, h);
	step_close(&soak->rig);
}
