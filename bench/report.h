/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The table of a measurement, for people and as JSON.
 *
 * A line has the figures of a case and of its floor, taken in turns; their medians and the ratio of these are shown.
 */
#ifndef ONTB_BENCH_REPORT_H
#define ONTB_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define REPORT_MAX_ROUNDS 101

struct report;

/**
 * enum report_limit - what a target is about
 * @REPORT_NO_TARGET: There is none.
 * @REPORT_BELOW:     The median is at most this.
 * @REPORT_ABOVE:     The median is at least this.
 * @REPORT_RATIO:     The ratio of the medians is at most this.
 */
enum report_limit {
	REPORT_NO_TARGET,
	REPORT_BELOW,
	REPORT_ABOVE,
	REPORT_RATIO,
};

/**
 * struct report_target - a target
 * @limit: What it is about.
 * @value: Number.
 */
struct report_target {
	enum report_limit limit;
	double value;
};

/**
 * struct report_figures - what was measured for a line
 * @nr:        Rounds, 1..REPORT_MAX_ROUNDS.
 * @values:    Figures of the case.
 * @floors:    Figures of the floor, if @has_floor.
 * @has_floor: .
 */
struct report_figures {
	unsigned int nr;
	double values[REPORT_MAX_ROUNDS];
	double floors[REPORT_MAX_ROUNDS];
	bool has_floor;
};

/**
 * report_new() - an empty report
 *
 * Return: Report, or NULL: no memory.
 */
struct report *report_new(void);

/**
 * report_add() - add a line
 * @report:  Report.
 * @name:    What was measured.
 * @unit:    Unit of the figures.
 * @figures: Figures; sorted by this.
 * @target:  Target.
 */
void report_add(struct report *report, const char *name, const char *unit, struct report_figures *figures,
		struct report_target target);

/**
 * report_print() - print the table
 * @report: Report.
 */
void report_print(const struct report *report);

/**
 * report_write() - write a list of lines as JSON
 * @report: Report.
 * @path:   File, or "-" for the standard output.
 *
 * Return: 0 or a negative errno value.
 */
int report_write(const struct report *report, const char *path);

/**
 * report_free() - free it
 * @report: Or NULL.
 */
void report_free(struct report *report);

#endif
