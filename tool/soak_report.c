// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What came of a soak.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "base/clock.h"
#include "tool/json_table.h"
#include "tool/soak.h"

bool soak_has_failed(const struct soak *soak)
{
	const struct soak_counts *counts = &soak->counts;

	if (atomic_load(&counts->errors))
		return true;
	if (soak->options.is_linux)
		return false;
	return atomic_load(&counts->lost) || atomic_load(&counts->misdirected) || atomic_load(&counts->doubled);
}

static const char *parent_name(const struct soak *soak)
{
	static const char *const names[] = { "vector", "remap", "mixed" };

	return names[soak->options.parent];
}

static struct json_object *totals_json(struct soak *soak)
{
	struct json_object *totals = json_object_new_object();
	struct soak_counts *counts = &soak->counts;
	uint64_t sent, handled;

	if (!totals)
		return NULL;
	soak_sums(soak, &sent, &handled);
	ontb_json_add_uint(totals, "sent", sent);
	ontb_json_add_uint(totals, "handled", handled);
	ontb_json_add_uint(totals, "died", atomic_load(&counts->died));
	ontb_json_add_uint(totals, "lost", atomic_load(&counts->lost));
	ontb_json_add_uint(totals, "misdirected", atomic_load(&counts->misdirected));
	ontb_json_add_uint(totals, "double", atomic_load(&counts->doubled));
	ontb_json_add_uint(totals, "stale", atomic_load(&counts->stale));
	return totals;
}

static struct json_object *done_json(struct soak *soak)
{
	struct json_object *done = json_object_new_object();
	struct soak_counts *counts = &soak->counts;
	const struct {
		const char *key;
		_Atomic uint64_t *value;
	} rows[] = {
		{ "moves", &counts->moves },	   { "revokes", &counts->revokes },
		{ "reuses", &counts->reuses },	   { "disables", &counts->disables },
		{ "offlines", &counts->offlines }, { "exhaustions", &counts->exhaustions },
		{ "flaps", &counts->flaps },	   { "cuts", &counts->cuts },
		{ "resets", &counts->resets },	   { "deaths", &counts->deaths },
		{ "lates", &counts->lates },	   { "lies", &counts->lies },
		{ "noise", &counts->noise },	   { "unplanned", &counts->unplanned },
		{ "errors", &counts->errors },
	};

	for (size_t i = 0; done && i < ONTB_ARRAY_SIZE(rows); i++)
		ontb_json_add_uint(done, rows[i].key, atomic_load(rows[i].value));
	return done;
}

struct json_object *soak_report_json(struct soak *soak)
{
	struct json_object *report = json_object_new_object();
	const struct soak_options *options = &soak->options;

	if (!report)
		return NULL;
	ontb_json_add_bool(report, "ok", !soak_has_failed(soak));
	ontb_json_add_text(report, "scheme", options->is_linux ? "linux" : "ours");
	ontb_json_add_text(report, "parent", parent_name(soak));
	ontb_json_add_uint(report, "hosts", options->nr_hosts);
	ontb_json_add_uint(report, "cpus", options->nr_cpus);
	ontb_json_add_uint(report, "irqs", options->nr_irqs);
	ontb_json_add_uint(report, "late_ms", options->late_ms);
	ontb_json_add_uint(report, "seed", options->seed);
	ontb_json_add_uint(report, "ns", soak->ns);
	if (options->is_stepped) {
		ontb_json_add_uint(report, "steps", soak->step);
		ontb_json_add_hex(report, "digest", soak->digest);
	}
	json_object_object_add(report, "totals", totals_json(soak));
	json_object_object_add(report, "done", done_json(soak));
	return report;
}

static void print_members(struct json_object *object)
{
	const char *separator = "  ";

	json_object_object_foreach(object, key, value)
	{
		printf("%s%s %s", separator, json_object_get_string(value), key);
		separator = ", ";
	}
	putchar('\n');
}

void soak_report_print(struct soak *soak)
{
	struct json_object *totals = totals_json(soak), *done = done_json(soak);
	const struct soak_options *options = &soak->options;
	double seconds = (double)soak->ns / ONTB_NS_PER_S;

	printf("%u hosts in a ring%s, %s, %u CPUs and 2 x %u interrupts each, peers up to %u ms late, scheme %s, seed "
	       "%llu, "
	       "%.1f s\n",
	       options->nr_hosts, options->is_linux ? "" : " and a liar", parent_name(soak), options->nr_cpus,
	       options->nr_irqs, options->late_ms, options->is_linux ? "linux" : "ours",
	       (unsigned long long)options->seed, seconds);
	if (totals && done) {
		fputs("Messages:\n", stdout);
		print_members(totals);
		fputs("Meanwhile:\n", stdout);
		print_members(done);
	}
	if (options->is_stepped)
		printf("%llu steps, digest 0x%016llx\n", (unsigned long long)soak->step,
		       (unsigned long long)soak->digest);
	(void)json_object_put(totals);
	(void)json_object_put(done);
}
