// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The two hosts of the demonstration: built, booted, and each with NTB interrupts that the other one may raise.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openntb/error.h>
#include <openntb/trace.h>

#include "base/clock.h"
#include "tool/demo.h"
#include "tool/verbs.h"

#define SETTLE_NS (10 * ONTB_NS_PER_S)
#define RAM_MIB	  64U

static const char *const names[DEMO_NR_HOSTS] = { "a", "b" };

static size_t max_samples(const struct demo_options *options)
{
	return (size_t)options->nr_irqs * options->nr_rounds + DEMO_NR_PINGS;
}

/* The interrupt itself: which message was it? */
static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	struct demo_cell *cell = dev;
	struct demo_host *host = cell->host;
	uint64_t now = ontb_clock_ns(), slot;
	uint32_t sent = atomic_load(&cell->sent);

	(void)virq;
	if (atomic_load(&cell->handled) == sent) {
		atomic_fetch_add(&host->misdirected, 1);
		return ONTB_IRQ_HANDLED;
	}
	slot = atomic_fetch_add(&host->nr_samples, 1);
	if (slot >= max_samples(&host->demo->options)) {
		/* More than were sent. */
		atomic_fetch_sub(&host->nr_samples, 1);
		atomic_fetch_add(&host->misdirected, 1);
		return ONTB_IRQ_HANDLED;
	}
	host->samples[slot] = now - atomic_load(&cell->sent_ns);
	atomic_store(&cell->handled, sent);
	return ONTB_IRQ_HANDLED;
}

static void granted(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	struct demo_host *host = client;

	(void)irqs;
	(void)peer;
	(void)index;
	atomic_fetch_add(&host->nr_granted, 1);
}

static void revoked(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	struct demo_host *host = client;

	(void)irqs;
	(void)peer;
	(void)index;
	atomic_fetch_sub(&host->nr_granted, 1);
}

static const struct ontb_ntb_irq_events events = { .granted = granted, .revoked = revoked };

int demo_alloc(struct demo_host *host, unsigned int index)
{
	struct demo_cell *cell = &host->cells[index];
	struct ontb_irq_request request = { .handler = handle, .dev = cell, .name = "demo" };
	struct ontb_msi_map map;
	int ret = ontb_ntb_irq_alloc(host->irqs, index, NULL, &map);

	if (ret)
		return ret;
	cell->virq = map.virq;
	ret = ontb_irq_request(ontb_host_irqs(host->host), map.virq, &request);
	if (!ret)
		ret = ontb_ntb_irq_grant(host->irqs, index, 0);
	return ret;
}

static int build_fabric(struct demo *demo)
{
	const struct demo_options *options = &demo->options;
	struct ontb_fabric_config config = { .seed = options->seed, .trace = demo->trace };
	char topology[512], why[160];
	int ret;

	(void)snprintf(topology, sizeof(topology),
		       "host %s cpus=%u ram=%uM remap=%s\nhost %s cpus=%u ram=%uM remap=%s\n"
		       "bridge switchtec %s %s vectors=%u\n",
		       names[0], options->nr_cpus, RAM_MIB, options->remap[0] ? "on" : "off", names[1],
		       options->nr_cpus, RAM_MIB, options->remap[1] ? "on" : "off", names[0], names[1],
		       options->nr_vectors);
	config.topology = topology;
	ret = ontb_fabric_new(&config, why, sizeof(why), &demo->fabric);
	if (ret)
		ontb_tool_error("demo: cannot build the machines: %s", ret == -EINVAL ? why : ontb_strerror(ret));
	return ret;
}

static int boot(struct demo *demo, struct demo_host *host)
{
	struct ontb_host_config config = {
		.machine = ontb_fabric_machine(demo->fabric, host->idx),
		.max_irqs = demo->options.nr_irqs + 1024,
		.use_remapping = demo->options.remap[host->idx],
	};
	int ret = ontb_host_boot(&config, &host->host);

	if (!ret && !ontb_host_nr_ntbs(host->host))
		ret = -ENOLINK;
	if (ret)
		ontb_tool_error("demo: host %s does not boot: %s", names[host->idx], ontb_strerror(ret));
	return ret;
}

static int make_irqs(struct demo *demo, struct demo_host *host)
{
	struct ontb_ntb_irqs_config config;
	int ret;

	ontb_ntb_irqs_config_init(&config);
	/* One more for the file. */
	config.nr_irqs = demo->options.nr_irqs + 1;
	config.events = &events;
	config.client = host;
	/* Without remapping a peer can raise any vector; here both hosts are ours. */
	config.trust_peers = true;
	ret = ontb_ntb_irqs_new(ontb_host_ntb(host->host, 0), &config, &host->irqs);
	if (ret)
		ontb_tool_error("demo: host %s: no NTB interrupts: %s", names[host->idx], ontb_strerror(ret));
	return ret;
}

static int wait_link(struct demo_host *host)
{
	uint64_t end = ontb_clock_ns() + SETTLE_NS;

	while (!ontb_ntb_link_is_up(ontb_host_ntb(host->host, 0), 0)) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		if (ontb_clock_ns() > end) {
			ontb_tool_error("demo: host %s: the link does not come up", names[host->idx]);
			return -ETIMEDOUT;
		}
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return 0;
}

/* The link is up a little before the peer has said hello; until then granting says that there is no link. */
static int alloc_one(struct demo_host *host, unsigned int index, uint64_t end)
{
	int ret = demo_alloc(host, index);

	while (ret == -ENOLINK && ontb_clock_ns() < end) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		ret = ontb_ntb_irq_grant(host->irqs, index, 0);
	}
	return ret;
}

static int grant_all(struct demo *demo, struct demo_host *host)
{
	uint64_t start = ontb_clock_ns();
	unsigned int nr = demo->options.nr_irqs;

	for (unsigned int i = 0; i < nr; i++) {
		int ret = alloc_one(host, i, start + SETTLE_NS);

		if (ret) {
			ontb_tool_error("demo: host %s: interrupt %u of %u: %s", names[host->idx], i, nr,
					ret == -ENOSPC ? "no CPU vector left; more --cpus would have some"
						       : ontb_strerror(ret));
			return ret;
		}
	}
	if (ontb_ntb_irq_settle(host->irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS)) {
		ontb_tool_error("demo: host %s: the peer did not confirm all interrupts", names[host->idx]);
		return -ETIMEDOUT;
	}
	host->grant_ns = ontb_clock_ns() - start;
	return 0;
}

static int make_cells(struct demo *demo, struct demo_host *host)
{
	const struct demo_options *options = &demo->options;

	host->cells = calloc(options->nr_irqs, sizeof(*host->cells));
	host->samples = calloc(max_samples(options), sizeof(*host->samples));
	if (!host->cells || !host->samples) {
		ontb_tool_error("demo: no memory for %u interrupts", options->nr_irqs);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < options->nr_irqs; i++) {
		host->cells[i].host = host;
		host->cells[i].index = i;
	}
	return 0;
}

static int open_trace(struct demo *demo)
{
	const char *path = demo->options.trace_path;
	int ret = path ? ontb_trace_open(path, DEMO_NR_HOSTS, &demo->trace) : 0;

	if (ret)
		ontb_tool_error("demo: --trace %s: cannot write it: %s", path, ontb_strerror(ret));
	return ret;
}

int demo_open(struct demo *demo)
{
	int ret = open_trace(demo);

	if (!ret)
		ret = build_fabric(demo);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++) {
		demo->hosts[i].demo = demo;
		demo->hosts[i].idx = i;
	}
	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = make_cells(demo, &demo->hosts[i]);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = boot(demo, &demo->hosts[i]);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = make_irqs(demo, &demo->hosts[i]);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = wait_link(&demo->hosts[i]);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS && !ret; i++)
		ret = grant_all(demo, &demo->hosts[i]);
	return ret;
}

static void free_cells(struct demo *demo, struct demo_host *host)
{
	for (unsigned int i = 0; host->cells && i < demo->options.nr_irqs; i++) {
		struct demo_cell *cell = &host->cells[i];

		if (!cell->virq)
			continue;
		(void)ontb_irq_free(ontb_host_irqs(host->host), cell->virq, cell);
		(void)ontb_ntb_irq_free(host->irqs, i);
	}
}

void demo_close(struct demo *demo)
{
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++) {
		if (demo->hosts[i].irqs)
			free_cells(demo, &demo->hosts[i]);
	}
	/* Both are there while one revokes: the other one confirms. */
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++) {
		if (demo->hosts[i].irqs)
			(void)ontb_ntb_irq_settle(demo->hosts[i].irqs, ONTB_MSI_ANY_INDEX, SETTLE_NS);
	}
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		ontb_ntb_irqs_free(demo->hosts[i].irqs);
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++) {
		ontb_host_shutdown(demo->hosts[i].host);
		free(demo->hosts[i].cells);
		free(demo->hosts[i].samples);
	}
	ontb_fabric_free(demo->fabric);
	ontb_trace_close(demo->trace);
}
