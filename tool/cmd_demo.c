// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb demo: two hosts, one bridge, both kinds of interrupts, in this process.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tool/control.h"
#include "tool/demo.h"
#include "tool/hold.h"
#include "tool/irq_json.h"
#include "tool/log_sink.h"
#include "tool/number.h"
#include "tool/options.h"
#include "tool/socket_dir.h"
#include "tool/verbs.h"

#define MAX_IRQS   65000U
#define MAX_ROUNDS 100000U

static const char usage[] =
	"usage: openntb demo [OPTION...]\n"
	"\n"
	"Join two hosts of this process by an emulated bridge, let each raise interrupts of the other\n"
	"while they are moved, taken back and used again, and send a file.\n"
	"\n"
	"  --cpus N          CPUs of each host, 1 to 256 (default: 8)\n"
	"  --irqs N          NTB interrupts of each host, 1 to 65000 (default: 1000); without\n"
	"                    remapping and with it a CPU has 200 vectors, and with it 32767 fit\n"
	"  --vectors N       entries of each function's MSI-X table, 3 to 64 (default: 4)\n"
	"  --rounds N        messages to each interrupt, 1 to 100000 (default: 200)\n"
	"  --parent KIND     \"remap\" or \"vector\" for both hosts, or \"mixed\": remapping on the\n"
	"                    first, bare CPU vectors on the second (default: mixed)\n"
	"  --file FILE       file to send (default: this program)\n"
	"  --seed N          choose what is moved and taken back (default: 1)\n"
	"  --trace FILE      record what crosses the bridge, see \"openntb trace\"\n"
	"  --hold            then stay until interrupted, for \"openntb domains\" and \"openntb irqs\"\n"
	"  --socket-dir DIR  folder of the control socket, with --hold (default: /run/openntb for\n"
	"                    root, otherwise $XDG_RUNTIME_DIR/openntb)\n"
	"  --json            one line of JSON for programs\n"
	"  --help            print this\n";

/**
 * struct demo_words - the command line
 * @demo:       What to do.
 * @socket_dir: Folder, or NULL for the default.
 * @is_held:    Stay.
 * @is_json:    JSON instead of text.
 * @is_help:    Help was asked for.
 */
struct demo_words {
	struct demo_options demo;
	const char *socket_dir;
	bool is_held;
	bool is_json;
	bool is_help;
};

static enum ontb_exit wrong(const char *option, const char *value, const char *want)
{
	ontb_tool_error("demo: --%s %s: %s", option, value, want);
	return ONTB_EXIT_USAGE;
}

static enum ontb_exit parse_parent(const char *value, struct demo_options *options)
{
	if (strcmp(value, "remap") && strcmp(value, "vector") && strcmp(value, "mixed"))
		return wrong("parent", value, "give remap, vector or mixed");
	options->remap[0] = strcmp(value, "vector");
	options->remap[1] = !strcmp(value, "remap");
	return ONTB_EXIT_OK;
}

static enum ontb_exit parse_option(int c, struct demo_words *words)
{
	struct demo_options *demo = &words->demo;

	switch (c) {
	case 'c':
		return ontb_options_number("demo", "cpus", 1, ONTB_MAX_CPUS, &demo->nr_cpus);
	case 'i':
		return ontb_options_number("demo", "irqs", 1, MAX_IRQS, &demo->nr_irqs);
	case 'v':
		return ontb_options_number("demo", "vectors", 3, 64, &demo->nr_vectors);
	case 'r':
		return ontb_options_number("demo", "rounds", 1, MAX_ROUNDS, &demo->nr_rounds);
	case 'p':
		return parse_parent(optarg, demo);
	case 'f':
		demo->file = optarg;
		return ONTB_EXIT_OK;
	case 's':
		if (ontb_number_parse(optarg, &demo->seed))
			return wrong("seed", optarg, "give a number");
		return ONTB_EXIT_OK;
	case 't':
		demo->trace_path = optarg;
		return ONTB_EXIT_OK;
	case 'd':
		words->socket_dir = optarg;
		return ONTB_EXIT_OK;
	case 'o':
		words->is_held = true;
		return ONTB_EXIT_OK;
	default:
		words->is_json = true;
		return ONTB_EXIT_OK;
	}
}

static enum ontb_exit parse(int argc, char **argv, struct demo_words *words)
{
	static const struct option names[] = {
		{ "cpus", required_argument, NULL, 'c' },
		{ "irqs", required_argument, NULL, 'i' },
		{ "vectors", required_argument, NULL, 'v' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "parent", required_argument, NULL, 'p' },
		{ "file", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "trace", required_argument, NULL, 't' },
		{ "socket-dir", required_argument, NULL, 'd' },
		{ "hold", no_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum ontb_exit status = ONTB_EXIT_OK;
	int c;

	ontb_options_start();
	while (status == ONTB_EXIT_OK && (c = ontb_options_next("demo", argc, argv, names)) != -1) {
		if (c == 'h') {
			words->is_help = true;
			return ONTB_EXIT_OK;
		}
		status = c == '?' ? ONTB_EXIT_USAGE : parse_option(c, words);
	}
	if (status == ONTB_EXIT_OK)
		status = ontb_options_end("demo", argc, argv);
	if (status == ONTB_EXIT_OK && words->socket_dir && !words->is_held) {
		ontb_tool_error("demo: --socket-dir is of use with --hold only");
		return ONTB_EXIT_USAGE;
	}
	return status;
}

static struct json_object *handle_request(void *arg, struct json_object *request, uint64_t *left)
{
	struct demo *demo = arg;
	struct ontb_host *hosts[DEMO_NR_HOSTS];
	struct json_object *name;
	const char *text;

	*left = 0;
	if (!json_object_object_get_ex(request, "request", &name) || !json_object_is_type(name, json_type_string))
		return ontb_control_error_reply("the request has no member \"request\" with a string");
	text = json_object_get_string(name);
	if (strcmp(text, "domains") && strcmp(text, "irqs"))
		return ontb_control_error_reply("there is no such request; there are \"domains\" and \"irqs\"");
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		hosts[i] = demo->hosts[i].host;
	return ontb_hosts_json(hosts, DEMO_NR_HOSTS, text);
}

static int report(struct demo *demo, bool is_json)
{
	struct json_object *json;

	if (!is_json)
		return demo_report_print(demo);
	json = demo_report_json(demo);
	if (!json)
		return -ENOMEM;
	puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	(void)json_object_put(json);
	return 0;
}

static enum ontb_exit run(const struct demo_words *words)
{
	struct demo demo = { .options = words->demo };
	int ret = demo_open(&demo);

	if (!ret)
		ret = demo_ping(&demo);
	if (!ret)
		ret = demo_fire(&demo);
	if (!ret)
		ret = demo_send_file(&demo);
	if (!ret && report(&demo, words->is_json)) {
		ontb_tool_error("demo: no memory for the report");
		ret = -ENOMEM;
	}
	if (!ret && demo_has_failed(&demo)) {
		ontb_tool_error("demo: FAILED, see above");
		ret = -EIO;
	}
	if (!ret && words->is_held)
		ret = ontb_hold(words->socket_dir, handle_request, &demo, "ready: hosts a and b");
	demo_close(&demo);
	return ret ? ONTB_EXIT_FAILURE : ONTB_EXIT_OK;
}

enum ontb_exit ontb_cmd_demo(int argc, char **argv)
{
	struct demo_words words = {
		.demo = { .nr_cpus = 8,
			  .nr_irqs = 1000,
			  .nr_vectors = 4,
			  .nr_rounds = 200,
			  .remap = { true, false },
			  .seed = 1 },
	};
	enum ontb_exit status = parse(argc, argv, &words);
	char dir[ONTB_SOCKET_PATH_SIZE];

	if (status != ONTB_EXIT_OK)
		return status;
	if (words.is_help) {
		fputs(usage, stdout);
		return ONTB_EXIT_OK;
	}
	if (words.is_held && !words.socket_dir) {
		if (ontb_socket_dir_default(dir, sizeof(dir))) {
			ontb_tool_error("demo: no default socket folder (XDG_RUNTIME_DIR is not set or too long); "
					"give --socket-dir");
			return ONTB_EXIT_USAGE;
		}
		words.socket_dir = dir;
	}
	ontb_log_sink_install();
	ontb_log_set_level(ONTB_LOG_NOTICE);
	/* Without --hold signals end the process as always. */
	if (words.is_held)
		ontb_hold_block_signals();
	return run(&words);
}
