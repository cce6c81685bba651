/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Machines and bridges joined in this process, from a short description:
 *
 *      host a cpus=4 ram=64M remap=on
 *      host b cpus=24 ram=64M
 *      bridge switchtec a b vectors=4
 *
 * Each host is a struct ontb_machine: memory, CPUs with local APICs, an IOMMU if asked for, and a root complex that decodes
 * addresses and carries the accesses of PCI functions. What software runs on it is not the fabric's business.
 */
#ifndef OPENNTB_FABRIC_H
#define OPENNTB_FABRIC_H

#include <openntb/access.h>
#include <openntb/bridge.h>
#include <openntb/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_fabric;
struct ontb_trace;

/**
 * struct ontb_fabric_config - what to build
 * @topology:   Description, see docs/fabric.md; statements end with a newline or ";", "#" starts a comment.
 * @is_stepped: CPUs and delayed deliveries have no threads; ontb_fabric_step() runs them.
 * @seed:       Of every choice that a stepped fabric makes.
 * @trace:      Where events go, or NULL. Borrowed, outlives the fabric. Rows are the ports of the first bridge.
 */
struct ontb_fabric_config {
	const char *topology;
	bool is_stepped;
	uint64_t seed;
	struct ontb_trace *trace;
};

/**
 * ontb_fabric_new() - build machines and bridges
 * @config:  What.
 * @why:     OUT on -EINVAL: "line 2: ..." says what is wrong; always terminated. May be NULL if @why_len is 0.
 * @why_len: Size of @why.
 * @out:     OUT.
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EINVAL  the description is wrong.
 *         -ENOMEM  no memory.
 *         other    a system call failed.
 */
int ontb_fabric_new(const struct ontb_fabric_config *config, char *why, size_t why_len, struct ontb_fabric **out);

/**
 * ontb_fabric_free() - take all apart
 * @fabric: Fabric or NULL. All CPUs have been stopped.
 */
void ontb_fabric_free(struct ontb_fabric *fabric);

/**
 * ontb_fabric_nr_hosts() - machines
 * @fabric: Fabric.
 *
 * Return: How many; in the order of the description.
 */
unsigned int ontb_fabric_nr_hosts(const struct ontb_fabric *fabric);

/**
 * ontb_fabric_machine() - a machine
 * @fabric: Fabric.
 * @host:   0..nr_hosts-1.
 *
 * Return: Machine, owned by the fabric, or NULL if there is no such host. Its name is the one in the description.
 */
struct ontb_machine *ontb_fabric_machine(struct ontb_fabric *fabric, unsigned int host);

/**
 * ontb_fabric_ram_fd() - the file behind a machine's memory
 * @fabric: Fabric.
 * @host:   Host.
 *
 * Return: A descriptor, owned by the fabric, that holds the memory from offset 0 on and whose size is sealed; -ERANGE if there is
 *         no such host.
 */
int ontb_fabric_ram_fd(const struct ontb_fabric *fabric, unsigned int host);

/**
 * ontb_fabric_nr_bridges() - bridges
 * @fabric: Fabric.
 *
 * Return: How many.
 */
unsigned int ontb_fabric_nr_bridges(const struct ontb_fabric *fabric);

/**
 * ontb_fabric_bridge() - a bridge
 * @fabric: Fabric.
 * @bridge: 0..nr_bridges-1, in the order of the description.
 *
 * Return: Bridge, owned by the fabric, or NULL. A port that the description leaves to others ("-") has no host; serve it.
 */
struct ontb_bridge *ontb_fabric_bridge(struct ontb_fabric *fabric, unsigned int bridge);

/**
 * ontb_fabric_add_func() - put a PCI function into a machine
 * @fabric: Fabric.
 * @host:   Host.
 * @func:   Function without a host: another process' over vfio-user, or a model of the caller. Borrowed until the fabric is freed.
 * @rid:    OUT, requester id it got. May be NULL.
 *
 * Context: No CPU of the host runs.
 * Return: 0, -ERANGE (no such host), -ENOSPC (no place on the bus), -EINVAL (its BARs make no sense), -ENOMEM,
 *         or what attaching said.
 */
int ontb_fabric_add_func(struct ontb_fabric *fabric, unsigned int host, struct ontb_func *func, uint16_t *rid);

/**
 * struct ontb_fabric_way - what happens to posted writes on the way to a host
 * @delay_ns:    How long each takes; they stay in order. In a stepped fabric a number of steps.
 * @jitter_ns:   Up to this much more, by chance.
 * @drop_every:  Drop each n-th write to an interrupt address; 0 drops none. PCIe never does; a broken peer looks so.
 * @is_down:     The link is down: everything is dropped, also what is on its way; reads give all ones.
 */
struct ontb_fabric_way {
	uint64_t delay_ns;
	uint64_t jitter_ns;
	unsigned int drop_every;
	bool is_down;
};

/**
 * ontb_fabric_set_way() - change the way from a bridge port to its host
 * @fabric: Fabric.
 * @bridge: Bridge.
 * @port:   Port.
 * @way:    From now on.
 *
 * Posted writes (memory writes, messages, the function's own vectors) never overtake each other; a read from the host
 * pushes what is before it.
 *
 * Context: Any thread, outside accesses.
 * Return: 0, -ERANGE (no such port, or it is left to others), or what starting a thread said.
 */
int ontb_fabric_set_way(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port,
			const struct ontb_fabric_way *way);

/**
 * ontb_fabric_unplug() - a host's function disappears, as when the host loses power
 * @fabric: Fabric.
 * @bridge: Bridge.
 * @port:   Port with a host of the fabric.
 *
 * The bridge sees its host leave; the host reads all ones from the function. What was on its way to the host is dropped.
 *
 * Context: Any thread, outside accesses.
 * Return: 0, -ERANGE, or -ENOLINK (not plugged).
 */
int ontb_fabric_unplug(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port);

/**
 * ontb_fabric_replug() - it comes back, in its reset state
 * @fabric: Fabric.
 * @bridge: Bridge.
 * @port:   Port.
 *
 * Context: Any thread, outside accesses.
 * Return: 0, -ERANGE, or -EBUSY (it is plugged).
 */
int ontb_fabric_replug(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port);

/**
 * ontb_fabric_step() - let one thing happen in a stepped fabric
 * @fabric: Stepped fabric.
 *
 * A CPU takes one interrupt, or one delayed write arrives; which one is chosen by the seed.
 *
 * Context: One thread.
 * Return: False if nothing is to do.
 */
bool ontb_fabric_step(struct ontb_fabric *fabric);

/**
 * struct ontb_fabric_host_status - what happened at a machine's root
 * @messages:      Interrupt messages that reached the local APICs.
 * @merged:        Of these, how many found their vector pending already.
 * @dropped:       Messages malformed, or to no CPU.
 * @blocked:       Messages that the IOMMU blocked.
 * @dma_writes:    Writes of functions into memory.
 * @dma_faults:    Accesses of functions to what is neither memory nor interrupt addresses.
 * @way_dropped:   Writes that a way dropped, or that came while it was down or unplugged.
 * @unanswered:    Accesses of CPUs to what is not there.
 */
struct ontb_fabric_host_status {
	uint64_t messages;
	uint64_t merged;
	uint64_t dropped;
	uint64_t blocked;
	uint64_t dma_writes;
	uint64_t dma_faults;
	uint64_t way_dropped;
	uint64_t unanswered;
};

/**
 * ontb_fabric_host_status() - look at a machine's root
 * @fabric: Fabric.
 * @host:   Host.
 * @status: OUT.
 *
 * Context: Any thread.
 * Return: 0 or -ERANGE.
 */
int ontb_fabric_host_status(struct ontb_fabric *fabric, unsigned int host, struct ontb_fabric_host_status *status);

#ifdef __cplusplus
}
#endif

#endif
