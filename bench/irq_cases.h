/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What is measured of the interrupt system. A case is opened once; then its rounds and those of its floor take turns.
 */
#ifndef ONTB_BENCH_IRQ_CASES_H
#define ONTB_BENCH_IRQ_CASES_H

#include "histogram.h"
#include "report.h"

/**
 * struct irq_case - a line of the report
 * @name:       What.
 * @unit:       Unit of the figures.
 * @arg:        For open().
 * @open:       Make what is measured. Return: 0 or a negative errno value.
 * @measure:    Measure once. Return: figure, negative if something broke.
 * @floor:      Measure the floor once; NULL if there is none.
 * @close:      Undo open().
 * @target:     Target.
 * @max_rounds: Rounds at most, 0 for no limit.
 * @has_latency: measure() and floor() fill bench_histogram, if it is there.
 */
struct irq_case {
	const char *name;
	const char *unit;
	unsigned int arg;
	int (*open)(unsigned int arg, void **ctx);
	double (*measure)(void *ctx);
	double (*floor)(void *ctx);
	void (*close)(void *ctx);
	struct report_target target;
	unsigned int max_rounds;
	bool has_latency;
};

/**
 * struct irq_cases - a list of cases
 * @list: Cases.
 * @nr:   How many.
 */
struct irq_cases {
	const struct irq_case *list;
	size_t nr;
};

extern const struct irq_cases irq_trigger_cases;
extern const struct irq_cases irq_thread_cases;
extern const struct irq_cases irq_rate_cases;
extern const struct irq_cases irq_scale_cases;
extern const struct irq_cases irq_transport_cases;

/* Where latencies go, NULL while medians are measured: looking at the clock costs time too. */
extern struct histogram *bench_histogram;

#endif
