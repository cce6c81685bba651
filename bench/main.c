// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb-bench: medians of the server and of its floor, taken in turns in one run, and their ratio.
 *
 * Absolute figures do not carry over to another machine; the ratio does, more or less. Nothing here passes or fails.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "report.h"

/* Both sides of a case run on the cores that the caller may use; a floor's process inherits them. */
static int run_rounds(const struct bench_case *bench, struct server *server, unsigned int nr_rounds,
		      struct report_figures *figures)
{
	int ret = server_pin(server, bench->one_core ? 0 : -1);

	if (ret)
		return ret;
	figures->nr = nr_rounds;
	figures->has_floor = bench->floor;
	for (unsigned int i = 0; i < nr_rounds; i++) {
		figures->values[i] = bench->measure(server);
		figures->floors[i] = bench->floor ? bench->floor() : 0;
		if (figures->values[i] < 0 || figures->floors[i] < 0)
			return -EIO;
	}
	return server_pin(server, -1);
}

static int run_case(const struct bench_case *bench, const char *openntb, unsigned int nr_rounds,
		    struct report_figures *figures)
{
	struct server server;
	int ret;

	ret = server_start(&server, openntb, bench->nr_ports);
	while (!ret && server.nr_hosts < bench->nr_hosts)
		ret = server_connect(&server);
	if (!ret)
		ret = run_rounds(bench, &server, nr_rounds, figures);
	server_stop(&server);
	return ret;
}

static int usage(FILE *file, int code)
{
	fprintf(file, "usage: openntb-bench [--openntb PATH] [--rounds N] [--json FILE] [--only TEXT]\n"
		      "\n"
		      "  --openntb PATH  the command to measure (default: openntb)\n"
		      "  --rounds N      rounds of each case, 1 to 101 (default: 7)\n"
		      "  --only TEXT     only cases whose name contains TEXT\n"
		      "  --json FILE     write JSON too, \"-\" for the standard output instead of the table\n");
	return code;
}

int main(int argc, char **argv)
{
	const char *openntb = "openntb", *only = "", *json = NULL;
	struct report *report = report_new();
	struct report_figures figures;
	long nr_rounds = 7;
	int ret = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return usage(stdout, 0);
		else if (!strcmp(argv[i], "--json") && i + 1 < argc)
			json = argv[++i];
		else if (!strcmp(argv[i], "--openntb") && i + 1 < argc)
			openntb = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = argv[++i];
		else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			nr_rounds = strtol(argv[++i], NULL, 10);
		else
			return usage(stderr, 2);
	}
	if (!report || nr_rounds < 1 || nr_rounds > REPORT_MAX_ROUNDS)
		return usage(stderr, 2);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < nr_bench_cases && !ret; i++) {
		const struct bench_case *bench = &bench_cases[i];

		if (!strstr(bench->name, only))
			continue;
		fprintf(stderr, "%s ...\n", bench->name);
		ret = run_case(bench, openntb, bench->once ? 1 : (unsigned int)nr_rounds, &figures);
		if (ret)
			fprintf(stderr, "openntb-bench: %s: %s\n", bench->name, strerror(-ret));
		else
			report_add(report, bench->name, bench->unit, &figures, bench->target);
	}
	if (!json || strcmp(json, "-"))
		report_print(report);
	if (json && report_write(report, json)) {
		fprintf(stderr, "openntb-bench: %s cannot be written\n", json);
		ret = -EIO;
	}
	report_free(report);
	return ret ? 1 : 0;
}
