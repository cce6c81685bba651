// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The table, and the same as JSON.
 */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

#define CELL 64

enum column {
	COLUMN_CASE,
	COLUMN_MEDIAN,
	COLUMN_RANGE,
	COLUMN_FLOOR,
	COLUMN_RATIO,
	COLUMN_TARGET,
	COLUMN_REACHED,
	NR_COLUMNS,
};

/**
 * struct report - a report
 * @table: For people.
 * @list:  For programs.
 */
struct report {
	struct libscols_table *table;
	struct json_object *list;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double sort_median(double *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr & 1 ? values[nr / 2] : (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

struct report *report_new(void)
{
	static const struct {
		const char *name;
		int flags;
	} columns[NR_COLUMNS] = {
		[COLUMN_CASE] = { "CASE", 0 },
		[COLUMN_MEDIAN] = { "MEDIAN", SCOLS_FL_RIGHT },
		[COLUMN_RANGE] = { "RANGE", SCOLS_FL_RIGHT },
		[COLUMN_FLOOR] = { "FLOOR", SCOLS_FL_RIGHT },
		[COLUMN_RATIO] = { "RATIO", SCOLS_FL_RIGHT },
		[COLUMN_TARGET] = { "TARGET", 0 },
		[COLUMN_REACHED] = { "REACHED", 0 },
	};
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	scols_init_debug(0);
	report->table = scols_new_table();
	report->list = json_object_new_array();
	if (!report->table || !report->list) {
		report_free(report);
		return NULL;
	}
	for (size_t i = 0; i < NR_COLUMNS; i++)
		scols_table_new_column(report->table, columns[i].name, 0, columns[i].flags);
	return report;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	scols_unref_table(report->table);
	json_object_put(report->list);
	free(report);
}

static int decimals(double value)
{
	return value >= 1000 ? 0 : value >= 10 ? 1 : 2;
}

static void describe_target(char text[CELL], const char *unit, struct report_target target)
{
	text[0] = '\0';
	switch (target.limit) {
	case REPORT_NO_TARGET:
		break;
	case REPORT_BELOW:
		(void)snprintf(text, CELL, "<= %g %s", target.value, unit);
		break;
	case REPORT_ABOVE:
		(void)snprintf(text, CELL, ">= %g %s", target.value, unit);
		break;
	case REPORT_RATIO:
		(void)snprintf(text, CELL, "ratio <= %g", target.value);
		break;
	}
}

static bool is_reached(struct report_target target, double value, double ratio)
{
	switch (target.limit) {
	case REPORT_BELOW:
		return value <= target.value;
	case REPORT_ABOVE:
		return value >= target.value;
	case REPORT_RATIO:
		return ratio <= target.value;
	default:
		return true;
	}
}

static void add_line(struct report *report, const char *name, char cells[NR_COLUMNS][CELL])
{
	struct libscols_line *line = scols_table_new_line(report->table, NULL);

	scols_line_set_data(line, COLUMN_CASE, name);
	for (size_t i = COLUMN_MEDIAN; i < NR_COLUMNS; i++)
		scols_line_set_data(line, i, cells[i]);
}

static void add_number(struct json_object *entry, const char *key, double value)
{
	json_object_object_add(entry, key, json_object_new_double(value));
}

static void add_entry(struct report *report, const char *name, const char *unit, const struct report_figures *figures,
		      double value, double floor)
{
	struct json_object *entry = json_object_new_object();

	json_object_object_add(entry, "name", json_object_new_string(name));
	json_object_object_add(entry, "unit", json_object_new_string(unit));
	add_number(entry, "median", value);
	add_number(entry, "min", figures->values[0]);
	add_number(entry, "max", figures->values[figures->nr - 1]);
	if (figures->has_floor) {
		add_number(entry, "floor", floor);
		add_number(entry, "floor_min", figures->floors[0]);
		add_number(entry, "floor_max", figures->floors[figures->nr - 1]);
		add_number(entry, "ratio", value / floor);
	}
	json_object_array_add(report->list, entry);
}

static void add_target(struct report *report, struct report_target target, const char *text, bool reached)
{
	struct json_object *entry = json_object_array_get_idx(report->list, json_object_array_length(report->list) - 1);

	if (target.limit == REPORT_NO_TARGET)
		return;
	json_object_object_add(entry, "target", json_object_new_string(text));
	json_object_object_add(entry, "reached", json_object_new_boolean(reached));
}

void report_add(struct report *report, const char *name, const char *unit, struct report_figures *figures,
		struct report_target target)
{
	double value = sort_median(figures->values, figures->nr), floor = 1;
	char cells[NR_COLUMNS][CELL] = { { 0 } };
	bool reached;

	if (figures->has_floor)
		floor = sort_median(figures->floors, figures->nr);
	reached = is_reached(target, value, value / floor);
	(void)snprintf(cells[COLUMN_MEDIAN], CELL, "%.*f %s", decimals(value), value, unit);
	(void)snprintf(cells[COLUMN_RANGE], CELL, "%.*f-%.*f", decimals(value), figures->values[0], decimals(value),
		       figures->values[figures->nr - 1]);
	if (figures->has_floor) {
		(void)snprintf(cells[COLUMN_FLOOR], CELL, "%.*f", decimals(floor), floor);
		(void)snprintf(cells[COLUMN_RATIO], CELL, "%.2f", value / floor);
	}
	describe_target(cells[COLUMN_TARGET], unit, target);
	if (target.limit != REPORT_NO_TARGET)
		(void)snprintf(cells[COLUMN_REACHED], CELL, "%s", reached ? "yes" : "no");
	add_line(report, name, cells);
	add_entry(report, name, unit, figures, value, floor);
	add_target(report, target, cells[COLUMN_TARGET], reached);
}

void report_print(const struct report *report)
{
	(void)scols_print_table(report->table);
}

int report_write(const struct report *report, const char *path)
{
	const char *text = json_object_to_json_string_ext(report->list, JSON_C_TO_STRING_PRETTY);
	bool is_stdout = path[0] == '-' && !path[1];
	FILE *file = is_stdout ? stdout : fopen(path, "we");
	int ret = 0;

	if (!file)
		return -errno;
	if (fprintf(file, "%s\n", text) < 0 || fflush(file))
		ret = -EIO;
	if (!is_stdout && fclose(file))
		ret = -EIO;
	return ret;
}
