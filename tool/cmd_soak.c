// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb soak: everything at once, and every message accounted for.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tool/number.h"
#include "tool/options.h"
#include "tool/soak.h"
#include "tool/verbs.h"

#define MAX_SECONDS (7 * 24 * 3600U)

static const char usage[] =
	"usage: openntb soak [OPTION...]\n"
	"\n"
	"Let hosts of this process raise interrupts of each other while all that can change or break does,\n"
	"and account for every message.\n"
	"\n"
	"  --seconds N       how long, 1 to 604800 (default: 10)\n"
	"  --hosts N         hosts, 2 to 8, in a ring of as many bridges (default: 2); and a liar\n"
	"  --cpus N          CPUs of each host, 2 to 16 (default: 4)\n"
	"  --irqs N          NTB interrupts of each host at each of its two bridges, 1 to 1000\n"
	"                    (default: 128)\n"
	"  --parent KIND     \"vector\" (bare CPU vectors), \"remap\", or \"mixed\": every other host\n"
	"                    (default: mixed)\n"
	"  --late-ms N       how late peers hear of a change, up to this, 0 to 1000 (default: 20)\n"
	"  --scheme SCHEME   \"ours\", or \"linux\": what Linux does today (default: ours)\n"
	"  --seed N          of all choices (default: 1)\n"
	"  --stepped         one thread; the same seed gives the same run\n"
	"  --steps N         operations of a stepped run, 1 to 100000000 (default: 20000)\n"
	"  --json            one line of JSON for programs\n"
	"  --help            print this\n";

/**
 * struct soak_words - the command line
 * @soak:        What to do.
 * @is_json:     JSON instead of text.
 * @is_help:     Help was asked for.
 * @has_seconds: --seconds was given.
 * @has_steps:   --steps was given.
 */
struct soak_words {
	struct soak_options soak;
	bool is_json;
	bool is_help;
	bool has_seconds;
	bool has_steps;
};

static enum ontb_exit wrong(const char *option, const char *value, const char *want)
{
	ontb_tool_error("soak: --%s %s: %s", option, value, want);
	return ONTB_EXIT_USAGE;
}

static enum ontb_exit parse_parent(struct soak_options *soak)
{
	if (!strcmp(optarg, "vector"))
		soak->parent = SOAK_VECTOR;
	else if (!strcmp(optarg, "remap"))
		soak->parent = SOAK_REMAP;
	else if (!strcmp(optarg, "mixed"))
		soak->parent = SOAK_MIXED;
	else
		return wrong("parent", optarg, "give vector, remap or mixed");
	return ONTB_EXIT_OK;
}

static enum ontb_exit parse_scheme(struct soak_options *soak)
{
	soak->is_linux = !strcmp(optarg, "linux");
	if (!soak->is_linux && strcmp(optarg, "ours"))
		return wrong("scheme", optarg, "give ours or linux");
	return ONTB_EXIT_OK;
}

static enum ontb_exit parse_option(int c, struct soak_words *words)
{
	struct soak_options *soak = &words->soak;

	switch (c) {
	case 'n':
		words->has_seconds = true;
		return ontb_options_number("soak", "seconds", 1, MAX_SECONDS, &soak->nr_seconds);
	case 'h':
		return ontb_options_number("soak", "hosts", 2, SOAK_MAX_HOSTS, &soak->nr_hosts);
	case 'c':
		return ontb_options_number("soak", "cpus", 2, 16, &soak->nr_cpus);
	case 'i':
		return ontb_options_number("soak", "irqs", 1, 1000, &soak->nr_irqs);
	case 'l':
		return ontb_options_number("soak", "late-ms", 0, 1000, &soak->late_ms);
	case 't':
		words->has_steps = true;
		return ontb_options_number("soak", "steps", 1, 100000000, &soak->nr_steps);
	case 'p':
		return parse_parent(soak);
	case 'm':
		return parse_scheme(soak);
	case 's':
		if (ontb_number_parse(optarg, &soak->seed))
			return wrong("seed", optarg, "give a number");
		return ONTB_EXIT_OK;
	case 'd':
		soak->is_stepped = true;
		return ONTB_EXIT_OK;
	default:
		words->is_json = true;
		return ONTB_EXIT_OK;
	}
}

static enum ontb_exit check(const struct soak_words *words)
{
	const struct soak_options *soak = &words->soak;

	if (words->has_steps && !soak->is_stepped) {
		ontb_tool_error("soak: --steps is of use with --stepped only");
		return ONTB_EXIT_USAGE;
	}
	if (words->has_seconds && soak->is_stepped) {
		ontb_tool_error("soak: --seconds is of no use with --stepped; give --steps");
		return ONTB_EXIT_USAGE;
	}
	/* 200 vectors for each CPU, some of them for the functions' own interrupts, the liar's and those that are taken only for a while. */
	if (2 * soak->nr_irqs + 80 > 200 * (soak->nr_cpus - 1)) {
		ontb_tool_error("soak: --irqs %u: %u CPUs have not vectors enough for that; more --cpus would",
				soak->nr_irqs, soak->nr_cpus);
		return ONTB_EXIT_USAGE;
	}
	return ONTB_EXIT_OK;
}

static enum ontb_exit parse(int argc, char **argv, struct soak_words *words)
{
	static const struct option names[] = {
		{ "seconds", required_argument, NULL, 'n' },
		{ "hosts", required_argument, NULL, 'h' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "irqs", required_argument, NULL, 'i' },
		{ "parent", required_argument, NULL, 'p' },
		{ "late-ms", required_argument, NULL, 'l' },
		{ "scheme", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 's' },
		{ "stepped", no_argument, NULL, 'd' },
		{ "steps", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'H' },
		{ NULL, 0, NULL, 0 },
	};
	enum ontb_exit status = ONTB_EXIT_OK;
	int c;

	ontb_options_start();
	while (status == ONTB_EXIT_OK && (c = ontb_options_next("soak", argc, argv, names)) != -1) {
		if (c == 'H') {
			words->is_help = true;
			return ONTB_EXIT_OK;
		}
		status = c == '?' ? ONTB_EXIT_USAGE : parse_option(c, words);
	}
	if (status == ONTB_EXIT_OK)
		status = ontb_options_end("soak", argc, argv);
	return status == ONTB_EXIT_OK ? check(words) : status;
}

static int report(struct soak *soak, bool is_json)
{
	struct json_object *json;

	if (!is_json) {
		soak_report_print(soak);
		return 0;
	}
	json = soak_report_json(soak);
	if (!json) {
		ontb_tool_error("soak: no memory for the report");
		return -ENOMEM;
	}
	puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	(void)json_object_put(json);
	return 0;
}

static enum ontb_exit run(const struct soak_words *words)
{
	struct soak *soak = calloc(1, sizeof(*soak));
	int ret;

	if (!soak) {
		ontb_tool_error("soak: no memory");
		return ONTB_EXIT_FAILURE;
	}
	soak->options = words->soak;
	ret = soak_open(soak);
	if (!ret)
		ret = soak_run(soak);
	if (!ret)
		ret = report(soak, words->is_json);
	if (!ret) {
		soak_explain(soak);
		if (soak_has_failed(soak)) {
			ontb_tool_error("soak: FAILED, see above");
			ret = -EIO;
		}
	}
	soak_close(soak);
	free(soak);
	return ret ? ONTB_EXIT_FAILURE : ONTB_EXIT_OK;
}

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

enum ontb_exit ontb_cmd_soak(int argc, char **argv)
{
	struct soak_words words = {
		.soak = { .nr_seconds = 10,
			  .nr_steps = 20000,
			  .nr_hosts = 2,
			  .nr_cpus = 4,
			  .nr_irqs = 128,
			  .late_ms = 20,
			  .parent = SOAK_MIXED,
			  .seed = 1 },
	};
	enum ontb_exit status = parse(argc, argv, &words);

	if (status != ONTB_EXIT_OK)
		return status;
	if (words.is_help) {
		fputs(usage, stdout);
		return ONTB_EXIT_OK;
	}
	words.soak.is_quiet = words.is_json || !isatty(STDERR_FILENO);
	/* Lines about liars, broken links, and interrupts that are freed while they are held would be all that is seen. */
	ontb_log_set_level(ONTB_LOG_ERROR);
	ontb_log_set_sink(drop_line, NULL);
	return run(&words);
}
