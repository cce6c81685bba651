/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What is measured. A case gives one figure in nanoseconds per operation (or bytes) for the server or for its floor; the
 * caller alternates the two, so that both see the same machine.
 */
#ifndef ONTB_BENCH_CASES_H
#define ONTB_BENCH_CASES_H

#include "report.h"
#include "server.h"

/**
 * struct bench_case - one line of the report
 * @name:     What.
 * @unit:     Unit of the figure.
 * @measure:  Measure the server once.
 * @floor:    Measure the floor once, NULL if there is none.
 * @target:   Target.
 * @nr_ports: Ports that the server must have, of which @nr_hosts are connected.
 * @nr_hosts: .
 * @one_core: Server and client share one core.
 * @once:     The figure is exact and measuring changes the server: one round.
 */
struct bench_case {
	const char *name;
	const char *unit;
	double (*measure)(struct server *server);
	double (*floor)(void);
	struct report_target target;
	unsigned int nr_ports;
	unsigned int nr_hosts;
	bool one_core;
	bool once;
};

extern const struct bench_case bench_cases[];
extern const size_t nr_bench_cases;

#endif
