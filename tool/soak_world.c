// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The machines of a soak, and the software on them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openntb/error.h>
#include <openntb/worker.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "tool/soak.h"
#include "tool/verbs.h"

#define RAM_MIB	       32U
#define ACK_TIMEOUT_NS (3 * ONTB_NS_PER_S / 2)

void soak_failed(struct soak_host *host, const char *what, int err)
{
	soak_count(&host->soak->counts.errors);
	ontb_tool_error("soak: host %s: %s: %s", host->name, what, ontb_strerror(err));
}

uint64_t soak_now(const struct soak *soak)
{
	return soak->options.is_stepped ? soak->step * (ONTB_NS_PER_MS / SOAK_STEPS_MS) : ontb_clock_ns();
}

static bool step_place(struct soak *soak, unsigned int place)
{
	if (place == soak->nr_hosts)
		return ontb_fabric_step(soak->fabric);
	return soak->hosts[place].host && ontb_worker_pool_step(ontb_host_workers(soak->hosts[place].host));
}

bool soak_step(struct soak *soak)
{
	unsigned int place = (unsigned int)ontb_random_below(&soak->random, soak->nr_hosts + 1);

	for (unsigned int i = 0; i <= soak->nr_hosts; i++) {
		if (step_place(soak, place))
			return true;
		place = place < soak->nr_hosts ? place + 1 : 0;
	}
	return false;
}

void soak_pause(struct soak *soak, uint64_t ns)
{
	const struct timespec pause = { .tv_sec = (time_t)(ns / ONTB_NS_PER_S), .tv_nsec = (long)(ns % ONTB_NS_PER_S) };

	if (!soak->options.is_stepped) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		return;
	}
	for (uint64_t n = ns / (ONTB_NS_PER_MS / SOAK_STEPS_MS); n; n--) {
		soak->step++;
		(void)soak_step(soak);
	}
}

/* Building */

static bool has_remapping(const struct soak_options *options, unsigned int h)
{
	return options->parent == SOAK_REMAP || (options->parent == SOAK_MIXED && h % 2 == 0);
}

static void describe(const struct soak *soak, FILE *out)
{
	const struct soak_options *options = &soak->options;

	for (unsigned int h = 0; h < soak->nr_hosts; h++)
		fprintf(out, "host %s cpus=%u ram=%uM remap=%s\n", soak->hosts[h].name, options->nr_cpus, RAM_MIB,
			soak->hosts[h].has_remapping ? "on" : "off");
	for (unsigned int b = 0; b < options->nr_hosts; b++)
		fprintf(out, "bridge switchtec %s %s vectors=4\n", soak->hosts[b].name,
			soak->hosts[(b + 1) % options->nr_hosts].name);
	if (soak->nr_hosts > options->nr_hosts)
		fprintf(out, "bridge switchtec %s %s vectors=4\n", soak->hosts[0].name,
			soak->hosts[options->nr_hosts].name);
}

static int build_fabric(struct soak *soak)
{
	struct ontb_fabric_config config = { .is_stepped = soak->options.is_stepped, .seed = soak->options.seed };
	char topology[2048] = "", why[160] = "";
	FILE *out = fmemopen(topology, sizeof(topology), "w");
	int ret;

	if (!out)
		return -errno;
	describe(soak, out);
	(void)fclose(out);
	config.topology = topology;
	ret = ontb_fabric_new(&config, why, sizeof(why), &soak->fabric);
	if (ret)
		ontb_tool_error("soak: cannot build the machines: %s", ret == -EINVAL ? why : ontb_strerror(ret));
	return ret;
}

static int add_side(struct soak_host *host, unsigned int bridge, unsigned int port, unsigned int nr_cells)
{
	struct soak_side *side = &host->sides[host->nr_sides];

	side->soak = host->soak;
	side->host = host;
	side->bridge = bridge;
	side->port = port;
	side->cells = nr_cells ? calloc(nr_cells, sizeof(*side->cells)) : NULL;
	if (nr_cells && !side->cells) {
		ontb_tool_error("soak: no memory for %u interrupts", nr_cells);
		return -ENOMEM;
	}
	host->nr_sides++;
	side->nr_cells = nr_cells;
	for (unsigned int i = 0; i < nr_cells; i++) {
		side->cells[i].side = side;
		side->cells[i].index = i;
	}
	return 0;
}

/* A host's functions are found in the order of the bridges. */
static int add_sides(struct soak_host *host)
{
	const struct soak *soak = host->soak;
	unsigned int nr = soak->options.nr_hosts, nr_irqs = soak->options.nr_irqs;
	int ret = 0;

	for (unsigned int b = 0; b < nr && host->idx < nr && !ret; b++) {
		if (b == host->idx)
			ret = add_side(host, b, 0, nr_irqs);
		else if ((b + 1) % nr == host->idx)
			ret = add_side(host, b, 1, nr_irqs);
	}
	if (ret || soak->nr_hosts == nr || (host->idx && host->idx != nr))
		return ret;
	ret = add_side(host, nr, host->idx ? 1 : 0, host->idx ? 0 : SOAK_NR_LIES);
	if (!ret)
		host->sides[host->nr_sides - 1].is_liar = true;
	return ret;
}

static struct soak_side *side_at(struct soak *soak, unsigned int bridge, unsigned int port)
{
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		for (unsigned int s = 0; s < soak->hosts[h].nr_sides; s++) {
			struct soak_side *side = &soak->hosts[h].sides[s];

			if (side->bridge == bridge && side->port == port)
				return side;
		}
	}
	return NULL;
}

static int add_hosts(struct soak *soak)
{
	int ret = 0;

	/* Linux knows no liar: with its scheme a peer that has the window is trusted. */
	soak->nr_hosts = soak->options.nr_hosts + !soak->options.is_linux;
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		struct soak_host *host = &soak->hosts[h];

		host->soak = soak;
		host->idx = h;
		host->has_remapping = has_remapping(&soak->options, h);
		host->random = soak->options.seed + 2ULL * h + 1;
		host->send_random = ~host->random;
		ontb_lock_init(&host->gate);
		(void)snprintf(host->name, sizeof(host->name), h < soak->options.nr_hosts ? "h%u" : "liar", h);
		ret = ret ? ret : add_sides(host);
	}
	for (unsigned int b = 0; b < soak->nr_hosts && !ret; b++) {
		struct soak_side *left = side_at(soak, b, 0), *right = side_at(soak, b, 1);

		if (!left || !right)
			continue;
		left->peer = right;
		right->peer = left;
	}
	return ret;
}

/* Booting */

static void on_link(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, bool is_up)
{
	(void)irqs;
	(void)peer;
	soak_link_event(client, is_up);
}

static const struct ontb_ntb_irq_events events = { .link = on_link };

static int make_irqs(struct soak_side *side)
{
	struct ontb_ntb_irqs_config config;

	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = (side->nr_cells ? side->nr_cells : SOAK_NR_LIES) + SOAK_NR_SPARE;
	config.events = &events;
	config.client = side;
	/* Without remapping a peer can raise any vector, which these do not. The liar may try: a guard lets pass only what is granted. */
	config.use_guard = side->is_liar && side->nr_cells;
	config.trust_peers = !config.use_guard;
	/* In a stepped run time passes whenever nothing else is to do, so a time-out would say nothing of the peer. */
	config.ack_timeout_ns = side->soak->options.is_stepped ? 0 : ACK_TIMEOUT_NS;
	return ontb_ntb_irqs_new(side->ntb, &config, &side->irqs);
}

static int start_side(struct soak_side *side, unsigned int s)
{
	side->ntb = ontb_host_ntb(side->host->host, s);
	if (!side->ntb)
		return -ENOLINK;
	return side->soak->options.is_linux ? soak_linux_start(side) : make_irqs(side);
}

int soak_start_host(struct soak_host *host)
{
	struct soak *soak = host->soak;
	const struct ontb_host_config config = {
		.machine = ontb_fabric_machine(soak->fabric, host->idx),
		.max_irqs = 65000,
		.use_remapping = host->has_remapping,
		.seed = ontb_random_next(&host->random),
	};
	int ret = ontb_host_boot(&config, &host->host);

	host->online = (uint32_t)((1ULL << soak->options.nr_cpus) - 1);
	for (unsigned int s = 0; s < host->nr_sides && !ret; s++)
		ret = start_side(&host->sides[s], s);
	soak_note_host(host, "started", (uint64_t)-ret);
	if (ret)
		soak_failed(host, "starting it", ret);
	return ret;
}

void soak_stop_host(struct soak_host *host)
{
	if (!host->host)
		return;
	for (unsigned int s = 0; s < host->nr_sides; s++)
		soak_drop_handlers(&host->sides[s]);
	for (unsigned int s = 0; s < host->nr_sides; s++) {
		struct soak_side *side = &host->sides[s];

		if (host->soak->options.is_linux)
			soak_linux_stop(side);
		ontb_ntb_irqs_free(side->irqs);
		side->irqs = NULL;
		side->ntb = NULL;
		atomic_store(&side->is_linked, false);
		soak_forget(side);
	}
	ontb_host_shutdown(host->host);
	host->host = NULL;
	soak_note_host(host, "stopped", 0);
}

int soak_open(struct soak *soak)
{
	int ret;

	soak->random = soak->options.seed;
	soak->digest = 0xcbf29ce484222325ULL;
	if (soak->options.is_stepped) {
		soak->notes = calloc(SOAK_NR_NOTES, sizeof(*soak->notes));
		if (!soak->notes)
			return -ENOMEM;
	}
	ret = add_hosts(soak);
	if (!ret)
		ret = build_fabric(soak);
	for (unsigned int h = 0; h < soak->nr_hosts && !ret; h++)
		ret = soak_start_host(&soak->hosts[h]);
	if (!ret && soak->options.is_linux)
		ret = soak_linux_ways(soak);
	return ret;
}

void soak_close(struct soak *soak)
{
	for (unsigned int h = 0; h < soak->nr_hosts; h++) {
		struct soak_host *host = &soak->hosts[h];

		soak_stop_host(host);
		for (unsigned int s = 0; s < host->nr_sides; s++)
			free(host->sides[s].cells);
		ontb_lock_fini(&host->gate);
	}
	ontb_fabric_free(soak->fabric);
	free(soak->notes);
}
