// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A fabric: machines, bridges and endpoints put together as the description says.
 */
#include "fabric/fabric.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/switchtec.h>

#include "base/bytes.h"
#include "base/random.h"

/* BAR0 of a switch: 4 MiB. */
#define SWITCHTEC_BAR0 (4 * ONTB_MIB)

static uint64_t bridge_bytes(const struct ontb_topo_bridge *bridge, unsigned int host)
{
	uint64_t bytes = 0;

	for (unsigned int p = 0; p < bridge->nr_ports; p++) {
		if (bridge->hosts[p] == (int)host)
			bytes += SWITCHTEC_BAR0 + bridge->bar2_size + bridge->bar4_size;
	}
	return bytes;
}

/* Room for the BARs of a host's functions, twice over, because each is aligned to its size. */
static uint64_t bar_bytes(const struct ontb_topology *topo, unsigned int host)
{
	uint64_t bytes = 0;

	for (unsigned int b = 0; b < topo->nr_bridges; b++)
		bytes += bridge_bytes(&topo->bridges[b], host);
	for (unsigned int e = 0; e < topo->nr_endpoints; e++)
		bytes += topo->endpoints[e].host == host ? ONTB_EXERCISER_BAR0_SIZE : 0;
	return 2 * bytes;
}

static int add_hosts(struct ontb_fabric *fabric, const struct ontb_topology *topo)
{
	for (unsigned int h = 0; h < topo->nr_hosts; h++) {
		int ret = ontb_fmachine_new(&topo->hosts[h], bar_bytes(topo, h), fabric->is_stepped, &fabric->hosts[h]);

		if (ret)
			return ret;
		fabric->nr_hosts++;
	}
	return 0;
}

static int add_func(struct ontb_fabric *fabric, unsigned int host, struct ontb_func *func, unsigned int source,
		    struct ontb_trace *trace, struct ontb_function **out)
{
	const struct ontb_function_config config = {
		.func = func,
		.source = source,
		.steps = fabric->is_stepped ? &fabric->steps : NULL,
		.seed = ontb_random_next(&fabric->random),
		.trace = trace,
	};

	return ontb_fmachine_add(fabric->hosts[host], &config, out);
}

static int add_ports(struct ontb_fabric *fabric, struct ontb_fabric_joint *joint, const struct ontb_topo_bridge *topo,
		     struct ontb_trace *trace)
{
	for (unsigned int p = 0; p < topo->nr_ports; p++) {
		int ret;

		if (topo->hosts[p] == ONTB_TOPO_NO_HOST)
			continue;
		ret = add_func(fabric, (unsigned int)topo->hosts[p], ontb_bridge_func(joint->bridge, p), p, trace,
			       &joint->ports[p]);
		if (!ret)
			ret = ontb_function_set_way(joint->ports[p], &topo->ways[p]);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_bridge(struct ontb_fabric *fabric, const struct ontb_topo_bridge *topo)
{
	/* The rows of a trace are the ports of one bridge. */
	struct ontb_trace *trace = fabric->nr_bridges ? NULL : fabric->trace;
	struct ontb_fabric_joint *joint = &fabric->bridges[fabric->nr_bridges];
	struct ontb_switchtec_config config;
	int ret;

	ontb_switchtec_config_init(&config);
	config.nr_ports = topo->nr_ports;
	config.nr_vectors = topo->nr_vectors;
	config.nr_luts = topo->nr_luts;
	config.bar2_size = topo->bar2_size;
	config.bar4_size = topo->bar4_size;
	config.trace = trace;
	ret = ontb_switchtec_new(&config, &joint->bridge);
	if (ret)
		return ret;
	fabric->nr_bridges++;
	return add_ports(fabric, joint, topo, trace);
}

static int add_endpoint(struct ontb_fabric *fabric, const struct ontb_topo_endpoint *topo)
{
	const struct ontb_exerciser_config config = { .nr_msi = topo->nr_msi, .nr_msix = topo->nr_msix };
	struct ontb_exerciser **endpoint = &fabric->endpoints[fabric->nr_endpoints];
	int ret;

	ret = ontb_exerciser_new(&config, endpoint);
	if (ret)
		return ret;
	fabric->nr_endpoints++;
	return add_func(fabric, topo->host, ontb_exerciser_func(*endpoint), 0, NULL, NULL);
}

static int build(struct ontb_fabric *fabric, const struct ontb_topology *topo)
{
	int ret = add_hosts(fabric, topo);

	for (unsigned int b = 0; b < topo->nr_bridges && !ret; b++)
		ret = add_bridge(fabric, &topo->bridges[b]);
	for (unsigned int e = 0; e < topo->nr_endpoints && !ret; e++)
		ret = add_endpoint(fabric, &topo->endpoints[e]);
	return ret;
}

/* Also what is only half there: the counts say how much. Functions go before their models, models before the machines. */
static void demolish(struct ontb_fabric *fabric)
{
	for (unsigned int h = 0; h < fabric->nr_hosts; h++)
		ontb_fmachine_free_functions(fabric->hosts[h]);
	for (unsigned int e = 0; e < fabric->nr_endpoints; e++)
		ontb_exerciser_free(fabric->endpoints[e]);
	for (unsigned int b = 0; b < fabric->nr_bridges; b++)
		ontb_bridge_free(fabric->bridges[b].bridge);
	for (unsigned int h = 0; h < fabric->nr_hosts; h++)
		ontb_fmachine_free(fabric->hosts[h]);
	ontb_lock_fini(&fabric->control);
	free(fabric);
}

static int make(const struct ontb_fabric_config *config, const struct ontb_topology *topo, struct ontb_fabric **out)
{
	struct ontb_fabric *fabric;
	int ret;

	fabric = calloc(1, sizeof(*fabric));
	if (!fabric)
		return -ENOMEM;
	fabric->is_stepped = config->is_stepped;
	fabric->random = config->seed;
	fabric->trace = config->trace;
	ontb_lock_init(&fabric->control);
	ret = build(fabric, topo);
	if (ret) {
		demolish(fabric);
		return ret;
	}
	*out = fabric;
	return 0;
}

int ontb_fabric_new(const struct ontb_fabric_config *config, char *why, size_t why_len, struct ontb_fabric **out)
{
	struct ontb_topology *topo;
	int ret;

	if (why_len)
		why[0] = '\0';
	topo = malloc(sizeof(*topo));
	if (!topo)
		return -ENOMEM;
	ret = ontb_topology_parse(config->topology, why, why_len, topo);
	if (!ret)
		ret = make(config, topo, out);
	free(topo);
	return ret;
}

void ontb_fabric_free(struct ontb_fabric *fabric)
{
	if (fabric)
		demolish(fabric);
}

unsigned int ontb_fabric_nr_hosts(const struct ontb_fabric *fabric)
{
	return fabric->nr_hosts;
}

struct ontb_machine *ontb_fabric_machine(struct ontb_fabric *fabric, unsigned int host)
{
	return host < fabric->nr_hosts ? &fabric->hosts[host]->machine : NULL;
}

int ontb_fabric_ram_fd(const struct ontb_fabric *fabric, unsigned int host)
{
	return host < fabric->nr_hosts ? fabric->hosts[host]->ram_fd : -ERANGE;
}

unsigned int ontb_fabric_nr_bridges(const struct ontb_fabric *fabric)
{
	return fabric->nr_bridges;
}

struct ontb_bridge *ontb_fabric_bridge(struct ontb_fabric *fabric, unsigned int bridge)
{
	return bridge < fabric->nr_bridges ? fabric->bridges[bridge].bridge : NULL;
}

int ontb_fabric_add_func(struct ontb_fabric *fabric, unsigned int host, struct ontb_func *func, uint16_t *rid)
{
	struct ontb_function *function;
	int ret;

	if (host >= fabric->nr_hosts)
		return -ERANGE;
	ontb_lock(&fabric->control);
	ret = add_func(fabric, host, func, 0, NULL, &function);
	ontb_unlock(&fabric->control);
	if (!ret && rid)
		*rid = function->config.rid;
	return ret;
}

static struct ontb_function *find_port(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port)
{
	if (bridge >= fabric->nr_bridges || port >= ONTB_MAX_PORTS)
		return NULL;
	return fabric->bridges[bridge].ports[port];
}

int ontb_fabric_set_way(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port,
			const struct ontb_fabric_way *way)
{
	struct ontb_function *function = find_port(fabric, bridge, port);
	int ret;

	if (!function)
		return -ERANGE;
	ontb_lock(&fabric->control);
	ret = ontb_function_set_way(function, way);
	ontb_unlock(&fabric->control);
	return ret;
}

int ontb_fabric_unplug(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port)
{
	struct ontb_function *function = find_port(fabric, bridge, port);
	int ret;

	if (!function)
		return -ERANGE;
	ontb_lock(&fabric->control);
	ret = ontb_function_unplug(function);
	ontb_unlock(&fabric->control);
	return ret;
}

int ontb_fabric_replug(struct ontb_fabric *fabric, unsigned int bridge, unsigned int port)
{
	struct ontb_function *function = find_port(fabric, bridge, port);
	int ret;

	if (!function)
		return -ERANGE;
	ontb_lock(&fabric->control);
	ret = ontb_function_replug(function);
	ontb_unlock(&fabric->control);
	return ret;
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

int ontb_fabric_host_status(struct ontb_fabric *fabric, unsigned int host, struct ontb_fabric_host_status *status)
{
	struct ontb_vtd_counts vtd = { 0 };
	struct ontb_fmachine *machine;

	if (host >= fabric->nr_hosts)
		return -ERANGE;
	machine = fabric->hosts[host];
	if (machine->vtd)
		ontb_vtd_counts(machine->vtd, &vtd);
	*status = (struct ontb_fabric_host_status){
		.messages = get(&machine->root.nr_messages),
		.dropped = get(&machine->root.nr_lost),
		.blocked = vtd.nr_faults,
		.dma_writes = get(&machine->root.nr_dma_writes),
		.dma_faults = get(&machine->root.nr_dma_faults),
		.unanswered = get(&machine->nr_unanswered),
	};
	/* What was blocked in between is no reason for a negative number. */
	status->dropped -= status->dropped < vtd.nr_faults ? status->dropped : vtd.nr_faults;
	for (unsigned int i = 0; i < machine->machine.nr_cpus; i++)
		status->merged += get(&machine->bus.lapics[i].nr_merged);
	for (unsigned int i = 0; i < machine->nr_slots; i++)
		status->way_dropped += get(&machine->slots[i].function->way.nr_dropped);
	return 0;
}
