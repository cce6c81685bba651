// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb-bench-irq: the interrupt system in one process, each case in turns with its floor. Nothing here passes or fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "irq_cases.h"

struct histogram *bench_histogram;

static const struct irq_cases *const all[] = {
	&irq_trigger_cases, &irq_thread_cases, &irq_rate_cases, &irq_scale_cases, &irq_transport_cases,
};

static int run_rounds(const struct irq_case *bench, void *ctx, unsigned int nr_rounds, struct report_figures *figures)
{
	*figures = (struct report_figures){ .has_floor = bench->floor };
	figures->nr = bench->max_rounds && bench->max_rounds < nr_rounds ? bench->max_rounds : nr_rounds;
	for (unsigned int i = 0; i < figures->nr; i++) {
		figures->values[i] = bench->measure(ctx);
		figures->floors[i] = bench->floor ? bench->floor(ctx) : 0;
		if (figures->values[i] < 0 || figures->floors[i] < 0)
			return -EIO;
	}
	return 0;
}

static const double percents[] = { 50, 90, 99, 99.9, 100 };

/* One more line for each of two histograms. */
static void add_latency(struct report *latencies, const struct irq_case *bench, const struct histogram histograms[2])
{
	char name[96];

	for (size_t i = 0; i < ONTB_ARRAY_SIZE(percents); i++) {
		struct report_figures figures = { .nr = 1, .has_floor = true };

		figures.values[0] = (double)histogram_percentile(&histograms[0], percents[i]);
		figures.floors[0] = (double)histogram_percentile(&histograms[1], percents[i]);
		(void)snprintf(name, sizeof(name), "%s: %g%%", bench->name, percents[i]);
		report_add(latencies, name, "ns", &figures, (struct report_target){ REPORT_NO_TARGET, 0 });
	}
}

static int run_latency(const struct irq_case *bench, void *ctx, unsigned int nr_rounds, struct report *latencies)
{
	struct histogram *histograms = calloc(2, sizeof(*histograms));
	bool is_broken = !histograms;

	for (unsigned int i = 0; i < nr_rounds && !is_broken; i++) {
		bench_histogram = &histograms[0];
		is_broken = bench->measure(ctx) < 0;
		bench_histogram = &histograms[1];
		is_broken |= bench->floor(ctx) < 0;
	}
	bench_histogram = NULL;
	if (!is_broken)
		add_latency(latencies, bench, histograms);
	free(histograms);
	return is_broken ? -EIO : 0;
}

static int run_case(const struct irq_case *bench, unsigned int nr_rounds, struct report *report,
		    struct report *latencies)
{
	struct report_figures figures;
	void *ctx;
	int ret;

	fprintf(stderr, "%s ...\n", bench->name);
	ret = bench->open(bench->arg, &ctx);
	if (!ret) {
		ret = run_rounds(bench, ctx, nr_rounds, &figures);
		if (!ret)
			report_add(report, bench->name, bench->unit, &figures, bench->target);
		if (!ret && bench->has_latency)
			ret = run_latency(bench, ctx, nr_rounds, latencies);
		bench->close(ctx);
	}
	if (ret)
		fprintf(stderr, "openntb-bench-irq: %s: %s\n", bench->name, strerror(-ret));
	return ret;
}

static int run_all(const char *only, unsigned int nr_rounds, struct report *report, struct report *latencies)
{
	int ret = 0;

	for (size_t i = 0; i < ONTB_ARRAY_SIZE(all); i++) {
		for (size_t j = 0; j < all[i]->nr; j++) {
			if (strstr(all[i]->list[j].name, only))
				ret |= run_case(&all[i]->list[j], nr_rounds, report, latencies);
		}
	}
	return ret;
}

static int usage(FILE *file, int code)
{
	fprintf(file, "usage: openntb-bench-irq [--rounds N] [--json FILE] [--latency-json FILE] [--only TEXT]\n"
		      "\n"
		      "  --rounds N           rounds of each case, 1 to 101 (default: 7)\n"
		      "  --only TEXT          only cases whose name contains TEXT\n"
		      "  --json FILE          write the table as JSON too\n"
		      "  --latency-json FILE  likewise, the table of percentiles\n");
	return code;
}

int main(int argc, char **argv)
{
	const char *only = "", *json = NULL, *latency_json = NULL;
	struct report *report = report_new(), *latencies = report_new();
	long nr_rounds = 7;
	int ret;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return usage(stdout, 0);
		else if (!strcmp(argv[i], "--json") && i + 1 < argc)
			json = argv[++i];
		else if (!strcmp(argv[i], "--latency-json") && i + 1 < argc)
			latency_json = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = argv[++i];
		else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			nr_rounds = strtol(argv[++i], NULL, 10);
		else
			return usage(stderr, 2);
	}
	if (!report || !latencies || nr_rounds < 1 || nr_rounds > REPORT_MAX_ROUNDS)
		return usage(stderr, 2);
	ret = run_all(only, (unsigned int)nr_rounds, report, latencies);
	report_print(report);
	printf("\nPercentiles of all rounds\n");
	report_print(latencies);
	if ((json && report_write(report, json)) || (latency_json && report_write(latencies, latency_json))) {
		fprintf(stderr, "openntb-bench-irq: the results cannot be written\n");
		ret = -EIO;
	}
	report_free(report);
	report_free(latencies);
	return ret ? 1 : 0;
}
