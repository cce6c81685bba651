/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The software of a host, put together: what a small kernel does when it boots on a struct ontb_machine.
 *
 *      machine  ->  memory, workers, interrupts  ->  CPU vectors [, remapping]  ->  PCI functions  ->  NTB drivers
 *
 * Each part can be had alone from its own header; this is for who wants all of it.
 */
#ifndef OPENNTB_HOST_H
#define OPENNTB_HOST_H

#include <openntb/irq.h>
#include <openntb/machine.h>
#include <openntb/ntb.h>
#include <openntb/pci.h>
#include <openntb/platform_x86.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_host;

/**
 * struct ontb_host_config - how to boot
 * @machine:       Machine, all CPUs stopped. Borrowed, outlives the host.
 * @max_irqs:      Highest interrupt number.
 * @use_remapping: Use interrupt remapping if the machine can.
 * @seed:          Of the order in which workers run, if the machine is stepped.
 */
struct ontb_host_config {
	struct ontb_machine *machine;
	unsigned int max_irqs;
	bool use_remapping;
	uint64_t seed;
};

/**
 * ontb_host_boot() - start a host's software
 * @config: How; copied.
 * @out:    OUT.
 *
 * Functions that no driver takes stay disabled. A bridge whose driver fails is logged and left out.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL, -ENOMEM, or what ontb_x86_new() or ontb_pci_scan() said; everything is undone.
 */
int ontb_host_boot(const struct ontb_host_config *config, struct ontb_host **out);

/**
 * ontb_host_shutdown() - stop it; on return its CPUs run no more
 * @host: Host or NULL. Clients of its bridges are gone, and no interrupt of its functions has a handler of others.
 *
 * Context: Not a handler, not a worker.
 */
void ontb_host_shutdown(struct ontb_host *host);

/**
 * ontb_host_name() - name of the machine
 * @host: Host.
 *
 * Return: Text that lives as long as the machine.
 */
const char *ontb_host_name(const struct ontb_host *host);

/**
 * ontb_host_machine() - the machine
 * @host: Host.
 *
 * Return: As configured.
 */
struct ontb_machine *ontb_host_machine(const struct ontb_host *host);

/**
 * ontb_host_irqs() - its interrupts
 * @host: Host.
 *
 * Return: Owned by the host.
 */
struct ontb_irq_system *ontb_host_irqs(const struct ontb_host *host);

/**
 * ontb_host_x86() - its root
 * @host: Host.
 *
 * Return: Owned by the host.
 */
struct ontb_x86 *ontb_host_x86(const struct ontb_host *host);

/**
 * ontb_host_pci() - its PCI functions
 * @host: Host.
 *
 * Return: Owned by the host.
 */
struct ontb_pci_bus *ontb_host_pci(const struct ontb_host *host);

/**
 * ontb_host_workers() - where its work runs
 * @host: Host.
 *
 * Return: Owned by the host. Stepped if the machine is.
 */
struct ontb_worker_pool *ontb_host_workers(const struct ontb_host *host);

/**
 * ontb_host_pages() - its memory that devices can reach
 * @host: Host.
 *
 * Return: Owned by the host.
 */
struct ontb_pages *ontb_host_pages(const struct ontb_host *host);

/**
 * ontb_host_nr_ntbs() - bridges with a driver
 * @host: Host.
 *
 * Return: How many.
 */
unsigned int ontb_host_nr_ntbs(const struct ontb_host *host);

/**
 * ontb_host_ntb() - a bridge
 * @host: Host.
 * @idx:  0..nr_ntbs-1, in the order of requester ids.
 *
 * Return: Owned by the host, or NULL.
 */
struct ontb_ntb *ontb_host_ntb(const struct ontb_host *host, unsigned int idx);

#ifdef __cplusplus
}
#endif

#endif
