/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Booted hosts on bridges, with interrupts granted: host 0 has a bridge to each of the others.
 */
#ifndef ONTB_BENCH_IRQ_HOSTS_H
#define ONTB_BENCH_IRQ_HOSTS_H

#include <openntb/fabric.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>

#include "hw/x86/cpu.h"

#define HOSTS_MAX_PEERS 8U
#define HOSTS_MAX_IRQS	1024U

/**
 * struct hosts_end - a host's side of a bridge
 * @ntb:  Bridge.
 * @irqs: Its interrupts.
 */
struct hosts_end {
	struct ontb_ntb *ntb;
	struct ontb_ntb_irqs *irqs;
};

/**
 * struct hosts_irq - an interrupt that was made
 * @host:  Owner.
 * @end:   Its side.
 * @virq:  Number.
 * @index: Index.
 * @dev:   For the handler.
 */
struct hosts_irq {
	struct ontb_host *host;
	struct hosts_end *end;
	unsigned int virq;
	unsigned int index;
	void *dev;
};

/**
 * struct hosts_config - what to make
 * @nr_peers:   Peers of host 0, 1..HOSTS_MAX_PEERS.
 * @nr_cpus:    CPUs of host 0; the others have one.
 * @remap:      Host 0 remaps interrupts.
 * @is_stepped: CPUs have no threads.
 * @bar2:       Bytes of each BAR2, as text.
 * @cores:      Where the threads of host 0 and of the others run; -1 for anywhere.
 */
struct hosts_config {
	unsigned int nr_peers;
	unsigned int nr_cpus;
	bool remap;
	bool is_stepped;
	const char *bar2;
	int cores[2];
};

/**
 * struct hosts - hosts
 * @fabric:     Machines and bridges.
 * @is_stepped: As configured.
 * @nr_peers:   As configured.
 * @hosts:      Host 0 and its peers.
 * @own:        Sides of host 0, by peer.
 * @peers:      Sides of the peers.
 * @nr_irqs:    Interrupts made.
 * @irqs:       Them.
 */
struct hosts {
	struct ontb_fabric *fabric;
	bool is_stepped;
	unsigned int nr_peers;
	struct ontb_host *hosts[1 + HOSTS_MAX_PEERS];
	struct hosts_end own[HOSTS_MAX_PEERS];
	struct hosts_end peers[HOSTS_MAX_PEERS];
	unsigned int nr_irqs;
	struct hosts_irq irqs[HOSTS_MAX_IRQS];
};

/**
 * hosts_open() - boot hosts
 * @config: What.
 * @out:    OUT.
 *
 * Return: 0 or a negative errno value; then nothing is left.
 */
int hosts_open(const struct hosts_config *config, struct hosts **out);

/**
 * hosts_close() - free interrupts and shut down
 * @hosts: Or NULL. No interrupt comes any more.
 */
void hosts_close(struct hosts *hosts);

/**
 * hosts_grant() - make an interrupt and grant it to the other side of its bridge, which has confirmed it on return
 * @hosts:   Hosts.
 * @host:    0, or 1 + number of the peer that owns it.
 * @peer:    Number of the peer, whose bridge it is.
 * @index:   Index.
 * @cpu:     CPU.
 * @handler: Handler.
 * @dev:     For it.
 *
 * Return: 0 or a negative errno value.
 */
int hosts_grant(struct hosts *hosts, unsigned int host, unsigned int peer, unsigned int index, unsigned int cpu,
		ontb_irq_handler *handler, void *dev);

/**
 * hosts_cpu() - a CPU, for stepping
 * @hosts: Hosts.
 * @host:  0, or 1 + number of a peer.
 * @cpu:   CPU.
 *
 * Return: CPU.
 */
struct ontb_cpu *hosts_cpu(const struct hosts *hosts, unsigned int host, unsigned int cpu);

/**
 * bench_pin() - let the calling thread, and those it starts, run on one core
 * @core: Number among those that the process may use, modulo their number; -1 for all of them.
 */
void bench_pin(int core);

#endif
