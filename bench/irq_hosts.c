// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Booted hosts.
 */
#include "irq_hosts.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openntb/worker.h>

#include "base/clock.h"
#include "fabric/fabric.h"

#define PATIENCE_NS (10 * ONTB_NS_PER_S)

void bench_pin(int core)
{
	static cpu_set_t allowed;
	static bool is_known;
	cpu_set_t one;
	int nth;

	if (!is_known)
		is_known = !sched_getaffinity(0, sizeof(allowed), &allowed);
	if (core < 0) {
		(void)sched_setaffinity(0, sizeof(allowed), &allowed);
		return;
	}
	nth = core % CPU_COUNT(&allowed);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		(void)sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void describe(const struct hosts_config *config, char *text, size_t size)
{
	int len = snprintf(text, size, "host own cpus=%u ram=64M remap=%s\n", config->nr_cpus,
			   config->remap ? "on" : "off");

	for (unsigned int i = 0; i < config->nr_peers; i++)
		len += snprintf(text + len, size - (size_t)len, "host peer%u cpus=1 ram=64M\n", i);
	for (unsigned int i = 0; i < config->nr_peers; i++)
		len += snprintf(text + len, size - (size_t)len, "bridge switchtec own peer%u bar2=%s\n", i,
				config->bar2 ? config->bar2 : "4M");
}

static int boot(struct hosts *hosts, unsigned int host)
{
	const struct ontb_host_config config = {
		.machine = ontb_fabric_machine(hosts->fabric, host),
		.max_irqs = 100000,
		.use_remapping = true,
		.seed = 1,
	};

	return ontb_host_boot(&config, &hosts->hosts[host]);
}

static int make_end(struct hosts_end *end, struct ontb_ntb *ntb)
{
	struct ontb_ntb_irqs_config config;

	ontb_ntb_irqs_config_init(&config);
	config.trust_peers = true;
	/* Others may keep this machine busy for a while. */
	config.ack_timeout_ns = 0;
	end->ntb = ntb;
	return ontb_ntb_irqs_new(ntb, &config, &end->irqs);
}

int hosts_open(const struct hosts_config *config, struct hosts **out)
{
	char text[2048], why[160] = "";
	const struct ontb_fabric_config fabric = { .topology = text, .is_stepped = config->is_stepped, .seed = 1 };
	struct hosts *hosts = calloc(1, sizeof(*hosts));
	int ret;

	if (!hosts)
		return -ENOMEM;
	describe(config, text, sizeof(text));
	hosts->is_stepped = config->is_stepped;
	hosts->nr_peers = config->nr_peers;
	ret = ontb_fabric_new(&fabric, why, sizeof(why), &hosts->fabric);
	for (unsigned int i = 0; i <= config->nr_peers && !ret; i++) {
		bench_pin(config->cores[i > 0]);
		ret = boot(hosts, i);
	}
	bench_pin(-1);
	for (unsigned int i = 0; i < config->nr_peers && !ret; i++) {
		ret = make_end(&hosts->own[i], ontb_host_ntb(hosts->hosts[0], i));
		if (!ret)
			ret = make_end(&hosts->peers[i], ontb_host_ntb(hosts->hosts[1 + i], 0));
	}
	if (ret) {
		fprintf(stderr, "openntb-bench-irq: hosts: error %d %s\n", ret, why);
		hosts_close(hosts);
		return ret;
	}
	*out = hosts;
	return 0;
}

/* Let everybody go on a little. */
static void go_on(struct hosts *hosts)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	if (!hosts->is_stepped) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		return;
	}
	while (ontb_fabric_step(hosts->fabric))
		;
	for (unsigned int i = 0; i <= hosts->nr_peers; i++)
		(void)ontb_worker_pool_step(ontb_host_workers(hosts->hosts[i]));
}

static int settle(struct hosts *hosts, const struct hosts_end *end, unsigned int index)
{
	uint64_t until = ontb_clock_ns() + PATIENCE_NS;
	int ret;

	while ((ret = ontb_ntb_irq_settle(end->irqs, index, 0)) && ontb_clock_ns() < until)
		go_on(hosts);
	return ret;
}

int hosts_grant(struct hosts *hosts, unsigned int host, unsigned int peer, unsigned int index, unsigned int cpu,
		ontb_irq_handler *handler, void *dev)
{
	struct hosts_end *end = host ? &hosts->peers[peer] : &hosts->own[peer];
	const struct ontb_irq_request request = { .handler = handler, .dev = dev, .name = "bench" };
	uint64_t until = ontb_clock_ns() + PATIENCE_NS;
	struct ontb_cpumask mask = { { 0 } };
	struct ontb_msi_map map;
	int ret;

	if (hosts->nr_irqs == HOSTS_MAX_IRQS)
		return -ENOSPC;
	ontb_cpumask_set(&mask, cpu);
	ret = ontb_ntb_irq_alloc(end->irqs, index, &mask, &map);
	if (ret)
		return ret;
	ret = ontb_irq_request(ontb_host_irqs(hosts->hosts[host]), map.virq, &request);
	if (ret)
		return ret;
	hosts->irqs[hosts->nr_irqs++] = (struct hosts_irq){ hosts->hosts[host], end, map.virq, index, dev };
	/* The other side may not have said hello yet. */
	while ((ret = ontb_ntb_irq_grant(end->irqs, index, 0)) == -ENOLINK && ontb_clock_ns() < until)
		go_on(hosts);
	return ret ? ret : settle(hosts, end, index);
}

static void free_irqs(struct hosts *hosts)
{
	for (unsigned int i = 0; i < hosts->nr_irqs; i++) {
		const struct hosts_irq *irq = &hosts->irqs[i];

		(void)ontb_irq_free(ontb_host_irqs(irq->host), irq->virq, irq->dev);
		(void)ontb_ntb_irq_free(irq->end->irqs, irq->index);
	}
	for (unsigned int i = 0; i < hosts->nr_peers && hosts->nr_irqs; i++) {
		(void)settle(hosts, &hosts->own[i], ONTB_MSI_ANY_INDEX);
		(void)settle(hosts, &hosts->peers[i], ONTB_MSI_ANY_INDEX);
	}
}

void hosts_close(struct hosts *hosts)
{
	if (!hosts)
		return;
	free_irqs(hosts);
	for (unsigned int i = 0; i < hosts->nr_peers; i++) {
		ontb_ntb_irqs_free(hosts->own[i].irqs);
		ontb_ntb_irqs_free(hosts->peers[i].irqs);
	}
	for (unsigned int i = 0; i <= hosts->nr_peers; i++)
		ontb_host_shutdown(hosts->hosts[i]);
	ontb_fabric_free(hosts->fabric);
	free(hosts);
}

struct ontb_cpu *hosts_cpu(const struct hosts *hosts, unsigned int host, unsigned int cpu)
{
	return &hosts->fabric->hosts[host]->cpus[cpu];
}
