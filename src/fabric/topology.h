/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The description of a fabric: text in, a structure out, nothing else. docs/fabric.md has the grammar.
 *
 * What a program may ask for is limited here, so that whoever builds from the structure need not check again.
 */
#ifndef ONTB_FABRIC_TOPOLOGY_H
#define ONTB_FABRIC_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/bridge.h>
#include <openntb/fabric.h>

#include "base/annotate.h"

#define ONTB_TOPO_MAX_HOSTS	32
#define ONTB_TOPO_MAX_BRIDGES	16
#define ONTB_TOPO_MAX_ENDPOINTS 64
#define ONTB_TOPO_MAX_NAME	31
/* Device numbers 2..31 of the one bus that a machine has. */
#define ONTB_TOPO_MAX_FUNCS 30
#define ONTB_TOPO_MAX_CPUS  256
#define ONTB_TOPO_MIN_RAM   (1ULL << 20)
#define ONTB_TOPO_MAX_RAM   (2ULL << 30)
#define ONTB_TOPO_NO_HOST   (-1)

/**
 * struct ontb_topo_host - a "host" statement
 * @name:     Name.
 * @nr_cpus:  CPUs.
 * @ram_size: Bytes, a multiple of 4 KiB.
 * @remap:    It has an IOMMU that remaps interrupts.
 * @nr_funcs: Functions that bridges and endpoints give it.
 */
struct ontb_topo_host {
	char name[ONTB_TOPO_MAX_NAME + 1];
	unsigned int nr_cpus;
	uint64_t ram_size;
	bool remap;
	unsigned int nr_funcs;
};

/**
 * struct ontb_topo_bridge - a "bridge" statement, with the "way" statements of its ports
 * @nr_ports:   Ports, even.
 * @hosts:      By port: host, or ONTB_TOPO_NO_HOST if the port is left to others.
 * @nr_vectors: MSI-X vectors of each port.
 * @nr_luts:    Look-up table windows of each port.
 * @bar2_size:  Bytes.
 * @bar4_size:  Bytes.
 * @ways:       By port.
 */
struct ontb_topo_bridge {
	unsigned int nr_ports;
	int hosts[ONTB_MAX_PORTS];
	unsigned int nr_vectors;
	unsigned int nr_luts;
	uint64_t bar2_size;
	uint64_t bar4_size;
	struct ontb_fabric_way ways[ONTB_MAX_PORTS];
};

/**
 * struct ontb_topo_endpoint - an "endpoint" statement
 * @host:    Host.
 * @nr_msi:  MSI messages, a power of two or 0.
 * @nr_msix: MSI-X vectors or 0.
 */
struct ontb_topo_endpoint {
	unsigned int host;
	unsigned int nr_msi;
	unsigned int nr_msix;
};

/**
 * struct ontb_topology - a whole description
 * @nr_hosts:     Hosts.
 * @hosts:        In the order of the text, so are the others.
 * @nr_bridges:   Bridges.
 * @bridges:      .
 * @nr_endpoints: Endpoints.
 * @endpoints:    .
 */
struct ontb_topology {
	unsigned int nr_hosts;
	struct ontb_topo_host hosts[ONTB_TOPO_MAX_HOSTS];
	unsigned int nr_bridges;
	struct ontb_topo_bridge bridges[ONTB_TOPO_MAX_BRIDGES];
	unsigned int nr_endpoints;
	struct ontb_topo_endpoint endpoints[ONTB_TOPO_MAX_ENDPOINTS];
};

/**
 * ontb_topology_parse() - read a description
 * @text:    Text.
 * @why:     OUT on failure: "line 2: ..."; always terminated. May be NULL if @why_len is 0.
 * @why_len: Size of @why.
 * @out:     OUT; undefined on failure.
 *
 * Context: Any thread; a pure function.
 * Return: 0, or -EINVAL.
 */
int ontb_topology_parse(const char *text, char *why, size_t why_len, struct ontb_topology *out) ONTB_MUST_CHECK;

#endif
