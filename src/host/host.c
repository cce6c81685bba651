// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Booting: the parts of a host's software in the order in which they need each other, and undone in reverse.
 */
#include <errno.h>
#include <stdlib.h>

#include <openntb/error.h>
#include <openntb/host.h>
#include <openntb/ntb_switchtec.h>
#include <openntb/pages.h>
#include <openntb/worker.h>

#include "base/log.h"

/* The first MiB of RAM stays free, as on a PC: address 0 is nobody's, so a pointer that is 0 by mistake hits nothing. */
#define LOW_MEMORY 0x100000ULL

/**
 * struct ontb_host - a host's software; constant after boot
 * @machine: Machine.
 * @pages:   Its memory.
 * @workers: Its workers.
 * @irqs:    Its interrupts.
 * @x86:     Its root.
 * @bus:     Its functions.
 * @ntbs:    Bridges with a driver.
 * @nr_ntbs: How many.
 */
struct ontb_host {
	struct ontb_machine *machine;
	struct ontb_pages *pages;
	struct ontb_worker_pool *workers;
	struct ontb_irq_system *irqs;
	struct ontb_x86 *x86;
	struct ontb_pci_bus *bus;
	struct ontb_ntb **ntbs;
	unsigned int nr_ntbs;
};

static struct ontb_irq_domain *msi_parent(void *arg, uint16_t rid)
{
	const struct ontb_host *host = arg;

	(void)rid;
	return ontb_x86_msi_parent(host->x86);
}

static int new_pages(struct ontb_host *host)
{
	const struct ontb_machine *machine = host->machine;
	uint64_t skip = machine->ram_base < LOW_MEMORY ? LOW_MEMORY - machine->ram_base : 0;

	if (machine->ram_size <= skip)
		return -EINVAL;
	return ontb_pages_new((uint8_t *)machine->ram + skip, machine->ram_base + skip, machine->ram_size - skip,
			      &host->pages);
}

static int new_root(struct ontb_host *host, const struct ontb_host_config *config)
{
	const struct ontb_x86_config root = {
		.machine = host->machine,
		.irqs = host->irqs,
		.pages = host->pages,
		.workers = host->workers,
		.use_remapping = config->use_remapping,
	};

	return ontb_x86_new(&root, &host->x86);
}

static int scan(struct ontb_host *host)
{
	const struct ontb_pci_config config = {
		.machine = host->machine, .nr_buses = 1, .msi_parent = msi_parent, .arg = host
	};

	return ontb_pci_scan(&config, &host->bus);
}

/* A bridge that does not work is no reason for a host not to boot. */
static int probe_bridges(struct ontb_host *host)
{
	unsigned int nr_devs = ontb_pci_nr_devs(host->bus);

	host->ntbs = calloc(nr_devs ? nr_devs : 1, sizeof(struct ontb_ntb *));
	if (!host->ntbs)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr_devs; i++) {
		struct ontb_pci_dev *dev = ontb_pci_dev_at(host->bus, i);
		int ret;

		if (!ontb_ntb_switchtec_matches(dev))
			continue;
		ret = ontb_ntb_switchtec_probe(dev, host->workers, host->pages, &host->ntbs[host->nr_ntbs]);
		if (ret)
			ontb_log(ONTB_LOG_WARNING, "%s: %s: the driver cannot use this bridge: %s", host->machine->name,
				 ontb_pci_name(dev), ontb_strerror(ret));
		else
			host->nr_ntbs++;
	}
	return 0;
}

static void free_bus(struct ontb_host *host)
{
	if (ontb_pci_bus_free(host->bus))
		ontb_log(ONTB_LOG_ERROR, "%s: shut down while interrupts of a function have handlers: they leak",
			 host->machine->name);
}

static int boot(struct ontb_host *host, const struct ontb_host_config *config)
{
	struct ontb_irq_system_config irqs = {
		.name = host->machine->name,
		.nr_cpus = host->machine->nr_cpus,
		.max_irqs = config->max_irqs,
	};
	int ret = new_pages(host);

	if (ret)
		return ret;
	ret = ontb_worker_pool_new(host->machine->name, host->machine->is_stepped, config->seed, &host->workers);
	if (ret)
		goto free_pages;
	irqs.workers = host->workers;
	ret = ontb_irq_system_new(&irqs, &host->irqs);
	if (ret)
		goto free_workers;
	ret = new_root(host, config);
	if (ret)
		goto free_irqs;
	ret = scan(host);
	if (ret)
		goto free_x86;
	ret = probe_bridges(host);
	if (!ret)
		return 0;
	free_bus(host);
free_x86:
	ontb_x86_free(host->x86);
free_irqs:
	ontb_irq_system_free(host->irqs);
free_workers:
	ontb_worker_pool_free(host->workers);
free_pages:
	(void)ontb_pages_free(host->pages);
	return ret;
}

int ontb_host_boot(const struct ontb_host_config *config, struct ontb_host **out)
{
	struct ontb_host *host;
	int ret;

	if (!config->machine || !config->max_irqs)
		return -EINVAL;
	host = calloc(1, sizeof(*host));
	if (!host)
		return -ENOMEM;
	host->machine = config->machine;
	ret = boot(host, config);
	if (ret) {
		free(host);
		return ret;
	}
	*out = host;
	return 0;
}

void ontb_host_shutdown(struct ontb_host *host)
{
	uint64_t nr_bytes;

	if (!host)
		return;
	while (host->nr_ntbs)
		ontb_ntb_switchtec_remove(host->ntbs[--host->nr_ntbs]);
	free(host->ntbs);
	free_bus(host);
	ontb_x86_free(host->x86);
	ontb_irq_system_free(host->irqs);
	ontb_worker_pool_free(host->workers);
	nr_bytes = ontb_pages_free(host->pages);
	if (nr_bytes)
		ontb_log(ONTB_LOG_NOTICE, "%s: %llu bytes of memory for devices were never given back",
			 host->machine->name, (unsigned long long)nr_bytes);
	free(host);
}

const char *ontb_host_name(const struct ontb_host *host)
{
	return host->machine->name;
}

struct ontb_machine *ontb_host_machine(const struct ontb_host *host)
{
	return host->machine;
}

struct ontb_irq_system *ontb_host_irqs(const struct ontb_host *host)
{
	return host->irqs;
}

struct ontb_x86 *ontb_host_x86(const struct ontb_host *host)
{
	return host->x86;
}

struct ontb_pci_bus *ontb_host_pci(const struct ontb_host *host)
{
	return host->bus;
}

struct ontb_worker_pool *ontb_host_workers(const struct ontb_host *host)
{
	return host->workers;
}

struct ontb_pages *ontb_host_pages(const struct ontb_host *host)
{
	return host->pages;
}

unsigned int ontb_host_nr_ntbs(const struct ontb_host *host)
{
	return host->nr_ntbs;
}

struct ontb_ntb *ontb_host_ntb(const struct ontb_host *host, unsigned int idx)
{
	return idx < host->nr_ntbs ? host->ntbs[idx] : NULL;
}
