// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb-bench: medians of the server and of its floor, taken in turns in one run, and their ratio.
 *
 * Absolute figures do not carry over to another machine; the ratio does, more or less. Nothing here passes or fails.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#define MAX_ROUNDS 101

struct result {
	double server[MAX_ROUNDS];
	double floor[MAX_ROUNDS];
	bool has_floor;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr & 1 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

/* Both sides of a case run on the cores that the caller may use; a floor's process inherits them. */
static int run_rounds(const struct bench_case *bench, struct server *server, unsigned int nr_rounds,
		      struct result *result)
{
	int ret = server_pin(server, bench->one_core ? 0 : -1);

	if (ret)
		return ret;
	result->has_floor = bench->floor;
	for (unsigned int i = 0; i < nr_rounds; i++) {
		result->server[i] = bench->measure(server);
		result->floor[i] = bench->floor ? bench->floor() : 0;
		if (result->server[i] < 0 || result->floor[i] < 0)
			return -EIO;
	}
	return server_pin(server, -1);
}

static int run_case(const struct bench_case *bench, const char *openntb, unsigned int nr_rounds, struct result *result)
{
	struct server server;
	int ret;

	ret = server_start(&server, openntb, bench->nr_ports);
	while (!ret && server.nr_hosts < bench->nr_hosts)
		ret = server_connect(&server);
	if (!ret)
		ret = run_rounds(bench, &server, nr_rounds, result);
	server_stop(&server);
	return ret;
}

static void add_row(struct libscols_table *table, struct json_object *list, const struct bench_case *bench,
		    struct result *result, unsigned int nr_rounds)
{
	double value = median(result->server, nr_rounds), floor = median(result->floor, nr_rounds);
	struct json_object *entry = json_object_new_object();
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[5][48];

	(void)snprintf(text[0], sizeof(text[0]), "%.*f %s", value < 1000 ? 1 : 0, value, bench->unit);
	(void)snprintf(text[1], sizeof(text[1]), "%.*f-%.*f", value < 1000 ? 1 : 0, result->server[0],
		       value < 1000 ? 1 : 0, result->server[nr_rounds - 1]);
	json_object_object_add(entry, "name", json_object_new_string(bench->name));
	json_object_object_add(entry, "unit", json_object_new_string(bench->unit));
	json_object_object_add(entry, "median", json_object_new_double(value));
	json_object_object_add(entry, "min", json_object_new_double(result->server[0]));
	json_object_object_add(entry, "max", json_object_new_double(result->server[nr_rounds - 1]));
	text[2][0] = text[3][0] = '\0';
	if (result->has_floor) {
		(void)snprintf(text[2], sizeof(text[2]), "%.*f", floor < 1000 ? 1 : 0, floor);
		(void)snprintf(text[3], sizeof(text[3]), "%.2f", value / floor);
		json_object_object_add(entry, "floor", json_object_new_double(floor));
		json_object_object_add(entry, "ratio", json_object_new_double(value / floor));
	}
	(void)snprintf(text[4], sizeof(text[4]), "%s", bench->target);
	json_object_array_add(list, entry);
	scols_line_set_data(line, 0, bench->name);
	for (size_t i = 0; i < 5; i++)
		scols_line_set_data(line, i + 1, text[i]);
}

static struct libscols_table *new_table(void)
{
	struct libscols_table *table;

	scols_init_debug(0);
	table = scols_new_table();
	if (!table)
		return NULL;
	scols_table_new_column(table, "CASE", 0, 0);
	scols_table_new_column(table, "MEDIAN", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "RANGE", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "FLOOR", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "RATIO", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "TARGET", 0, 0);
	return table;
}

static int usage(FILE *file, int code)
{
	fprintf(file, "usage: openntb-bench [--openntb PATH] [--rounds N] [--json] [--only TEXT]\n"
		      "\n"
		      "  --openntb PATH  the command to measure (default: openntb)\n"
		      "  --rounds N      rounds of each case, 1 to 101 (default: 7)\n"
		      "  --only TEXT     only cases whose name contains TEXT\n"
		      "  --json          print JSON instead of a table\n");
	return code;
}

int main(int argc, char **argv)
{
	const char *openntb = "openntb", *only = "";
	struct json_object *list = json_object_new_array();
	struct libscols_table *table = new_table();
	struct result result;
	long nr_rounds = 7;
	bool json = false;
	int ret = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--help"))
			return usage(stdout, 0);
		else if (!strcmp(argv[i], "--openntb") && i + 1 < argc)
			openntb = argv[++i];
		else if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = argv[++i];
		else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			nr_rounds = strtol(argv[++i], NULL, 10);
		else
			return usage(stderr, 2);
	}
	if (!table || !list || nr_rounds < 1 || nr_rounds > MAX_ROUNDS)
		return usage(stderr, 2);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < nr_bench_cases && !ret; i++) {
		const struct bench_case *bench = &bench_cases[i];
		unsigned int rounds = bench->once ? 1 : (unsigned int)nr_rounds;

		if (!strstr(bench->name, only))
			continue;
		if (!json)
			fprintf(stderr, "%s ...\n", bench->name);
		ret = run_case(bench, openntb, rounds, &result);
		if (ret)
			fprintf(stderr, "openntb-bench: %s: %s\n", bench->name, strerror(-ret));
		else
			add_row(table, list, bench, &result, rounds);
	}
	if (json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY));
	else
		(void)scols_print_table(table);
	scols_unref_table(table);
	json_object_put(list);
	return ret ? 1 : 0;
}
