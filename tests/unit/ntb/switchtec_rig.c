// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Hosts on a switch.
 */
#include "switchtec_rig.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <openntb/log.h>
#include <openntb/worker.h>

#include "base/annotate.h"
#include "base/clock.h"

#define LOW_MEMORY (1ULL << 20)
#define DEADLINE   (20 * ONTB_NS_PER_S)

static void hear_link(void *client, unsigned int peer)
{
	struct sw_host *host = client;

	atomic_fetch_add(ontb_ntb_link_is_up(host->ntb, peer) ? &host->nr_ups : &host->nr_downs, 1);
}

static void hear_doorbell(void *client)
{
	atomic_fetch_add(&((struct sw_host *)client)->nr_doorbells, 1);
}

static void hear_message(void *client)
{
	atomic_fetch_add(&((struct sw_host *)client)->nr_messages, 1);
}

static const struct ontb_ntb_events events = { hear_link, hear_doorbell, hear_message };

static struct ontb_irq_domain *msi_parent(void *arg, uint16_t rid)
{
	(void)rid;
	return ontb_x86_msi_parent(arg);
}

static struct ontb_pci_dev *find_ntb(struct ontb_pci_bus *bus)
{
	for (unsigned int i = 0; i < ontb_pci_nr_devs(bus); i++) {
		if (ontb_ntb_switchtec_matches(ontb_pci_dev_at(bus, i)))
			return ontb_pci_dev_at(bus, i);
	}
	return NULL;
}

void sw_boot(struct sw_rig *rig, unsigned int h)
{
	struct sw_host *host = &rig->hosts[h];
	struct ontb_machine *m = ontb_fabric_machine(rig->fabric, h);
	struct ontb_irq_system_config irqs = { .name = m->name, .nr_cpus = m->nr_cpus, .max_irqs = 10000 };
	struct ontb_x86_config x86 = { .machine = m, .use_remapping = true };
	struct ontb_pci_config pci = { .machine = m, .nr_buses = 1, .msi_parent = msi_parent };

	host->idx = h;
	host->machine = m;
	assert_int_equal(ontb_worker_pool_new(m->name, rig->is_stepped, h, &host->workers), 0);
	assert_int_equal(ontb_pages_new((char *)m->ram + LOW_MEMORY, m->ram_base + LOW_MEMORY, m->ram_size - LOW_MEMORY,
					&host->pages),
			 0);
	irqs.workers = host->workers;
	assert_int_equal(ontb_irq_system_new(&irqs, &host->irqs), 0);
	x86.irqs = host->irqs;
	x86.pages = host->pages;
	x86.workers = host->workers;
	assert_int_equal(ontb_x86_new(&x86, &host->x86), 0);
	pci.arg = host->x86;
	assert_int_equal(ontb_pci_scan(&pci, &host->bus), 0);
	host->dev = find_ntb(host->bus);
}

void sw_shutdown(struct sw_rig *rig, unsigned int h)
{
	struct sw_host *host = &rig->hosts[h];

	assert_int_equal(ontb_pci_bus_free(host->bus), 0);
	ontb_x86_free(host->x86);
	ontb_irq_system_free(host->irqs);
	assert_int_equal(ontb_pages_free(host->pages), 0);
	ontb_worker_pool_free(host->workers);
}

void sw_probe(struct sw_rig *rig, unsigned int h)
{
	struct sw_host *host = &rig->hosts[h];

	assert_non_null(host->dev);
	assert_int_equal(ontb_ntb_switchtec_probe(host->dev, host->workers, host->pages, &host->ntb), 0);
	assert_int_equal(ontb_ntb_set_client(host->ntb, &events, host), 0);
}

void sw_remove(struct sw_rig *rig, unsigned int h)
{
	struct sw_host *host = &rig->hosts[h];

	assert_int_equal(ontb_ntb_set_client(host->ntb, NULL, NULL), 0);
	ontb_ntb_switchtec_remove(host->ntb);
	host->ntb = NULL;
}

void sw_build(struct sw_rig *rig, const char *topology, bool is_stepped)
{
	const struct ontb_fabric_config config = { .topology = topology, .is_stepped = is_stepped, .seed = 1 };
	char why[200];

	memset(rig, 0, sizeof(*rig));
	rig->is_stepped = is_stepped;
	if (ontb_fabric_new(&config, why, sizeof(why), &rig->fabric))
		fail_msg("%s", why);
	rig->nr_hosts = ontb_fabric_nr_hosts(rig->fabric);
	assert_in_range(rig->nr_hosts, 1, SW_HOSTS);
}

void sw_open(struct sw_rig *rig, const char *topology, bool is_stepped)
{
	sw_build(rig, topology, is_stepped);
	for (unsigned int h = 0; h < rig->nr_hosts; h++) {
		sw_boot(rig, h);
		sw_probe(rig, h);
	}
}

void sw_close(struct sw_rig *rig)
{
	for (unsigned int h = 0; h < rig->nr_hosts; h++) {
		if (rig->hosts[h].ntb)
			sw_remove(rig, h);
		sw_shutdown(rig, h);
	}
	ontb_fabric_free(rig->fabric);
}

void sw_settle(struct sw_rig *rig)
{
	bool is_busy = true;

	assert_true(rig->is_stepped);
	while (is_busy) {
		is_busy = ontb_fabric_step(rig->fabric);
		for (unsigned int h = 0; h < rig->nr_hosts; h++)
			is_busy |= ontb_worker_pool_step(rig->hosts[h].workers);
	}
}

void sw_wait_for(struct sw_rig *rig, const _Atomic unsigned int *number, unsigned int least)
{
	uint64_t end = ontb_clock_ns() + DEADLINE;

	if (rig->is_stepped)
		sw_settle(rig);
	while (atomic_load(number) < least) {
		if (rig->is_stepped || ontb_clock_ns() > end)
			fail_msg("%u, not %u", atomic_load(number), least);
		(void)sched_yield();
	}
}

bool sw_is_up(struct sw_rig *rig, unsigned int host)
{
	return ontb_ntb_link_is_up(rig->hosts[host].ntb, 0);
}

void sw_wait_link(struct sw_rig *rig, unsigned int host, bool is_up)
{
	uint64_t end = ontb_clock_ns() + DEADLINE;

	if (rig->is_stepped)
		sw_settle(rig);
	while (sw_is_up(rig, host) != is_up) {
		if (rig->is_stepped || ontb_clock_ns() > end)
			fail_msg("the link of host %u is not %s", host, is_up ? "up" : "down");
		(void)sched_yield();
	}
}

void sw_link(struct sw_rig *rig)
{
	for (unsigned int h = 0; h < 2; h++)
		assert_int_equal(ontb_ntb_link_enable(rig->hosts[h].ntb), 0);
	for (unsigned int h = 0; h < 2; h++)
		sw_wait_link(rig, h, true);
}

struct ontb_page_run sw_memory(struct sw_rig *rig, unsigned int host, uint64_t size)
{
	struct ontb_page_run run;

	assert_int_equal(ontb_pages_alloc(rig->hosts[host].pages, size, size, &run), 0);
	return run;
}

void sw_release(struct sw_rig *rig, unsigned int host, const struct ontb_page_run *run)
{
	ontb_pages_release(rig->hosts[host].pages, run);
}

uint32_t sw_r32(struct sw_rig *rig, unsigned int host, uint64_t offset)
{
	return ontb_pci_bar_read32(rig->hosts[host].dev, 0, offset);
}

uint64_t sw_r64(struct sw_rig *rig, unsigned int host, uint64_t offset)
{
	return ontb_pci_bar_read64(rig->hosts[host].dev, 0, offset);
}

void sw_w32(struct sw_rig *rig, unsigned int host, uint64_t offset, uint32_t value)
{
	ontb_pci_bar_write32(rig->hosts[host].dev, 0, offset, value);
}

uint32_t *sw_page(struct sw_rig *rig, unsigned int host)
{
	size_t size;
	char *page = ontb_ntb_page(rig->hosts[host].ntb, 0, &size);

	assert_non_null(page);
	return (uint32_t *)(void *)(page - 0x1000);
}

static struct ontb_lock log_lock = { PTHREAD_MUTEX_INITIALIZER };
static char log_text[16384];

static void keep(void *arg, enum ontb_log_level level, const char *line)
{
	size_t len;

	(void)arg;
	(void)level;
	ontb_lock(&log_lock);
	len = strlen(log_text);
	(void)snprintf(log_text + len, sizeof(log_text) - len, "%s\n", line);
	ontb_unlock(&log_lock);
}

void sw_log_start(void)
{
	log_text[0] = 0;
	ontb_log_set_sink(keep, NULL);
}

bool sw_log_has(const char *text)
{
	bool has;

	ontb_lock(&log_lock);
	has = strstr(log_text, text);
	ontb_unlock(&log_lock);
	return has;
}

void sw_log_stop(void)
{
	ontb_log_set_sink(NULL, NULL);
}
