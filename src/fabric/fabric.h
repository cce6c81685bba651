/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A fabric, as the files of this folder see it.
 */
#ifndef ONTB_FABRIC_FABRIC_H
#define ONTB_FABRIC_FABRIC_H

#include <stdbool.h>
#include <stdint.h>

#include <openntb/exerciser.h>
#include <openntb/fabric.h>

#include "base/annotate.h"
#include "fabric/function.h"
#include "fabric/machine.h"
#include "fabric/topology.h"

/**
 * struct ontb_fabric_joint - a bridge with its functions
 * @bridge: Bridge.
 * @ports:  By port: its function, or NULL if it is left to others.
 */
struct ontb_fabric_joint {
	struct ontb_bridge *bridge;
	struct ontb_function *ports[ONTB_MAX_PORTS];
};

/**
 * struct ontb_fabric - a fabric; constant after creation, but for the last three
 * @is_stepped:   Nothing happens but in ontb_fabric_step().
 * @trace:        Of the first bridge, or NULL.
 * @nr_hosts:     Machines.
 * @hosts:        .
 * @nr_bridges:   Bridges.
 * @bridges:      .
 * @nr_endpoints: Endpoints.
 * @endpoints:    .
 * @control:      Held while something is plugged, unplugged, or a way changes; taken outside accesses.
 * @steps:        Steps done so far. Changed by who steps.
 * @random:       Of the choices of steps, likewise.
 */
struct ontb_fabric {
	bool is_stepped;
	struct ontb_trace *trace;
	unsigned int nr_hosts;
	struct ontb_fmachine *hosts[ONTB_TOPO_MAX_HOSTS];
	unsigned int nr_bridges;
	struct ontb_fabric_joint bridges[ONTB_TOPO_MAX_BRIDGES];
	unsigned int nr_endpoints;
	struct ontb_exerciser *endpoints[ONTB_TOPO_MAX_ENDPOINTS];
	struct ontb_lock control;
	uint64_t steps;
	uint64_t random;
};

#endif
