// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb status: ask the control socket, print the reply.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <openntb/error.h>

#include "tool/control_client.h"
#include "tool/number.h"
#include "tool/options.h"
#include "tool/socket_dir.h"
#include "tool/status_table.h"
#include "tool/verbs.h"

#define MAX_WATCH_S 3600

static const char usage[] = "usage: openntb status [OPTION...]\n"
			    "\n"
			    "Show the state of a running bridge.\n"
			    "\n"
			    "  --socket-dir DIR  folder given to \"openntb serve\" (default: /run/openntb for\n"
			    "                    root, otherwise $XDG_RUNTIME_DIR/openntb)\n"
			    "  --json            one line of JSON for programs\n"
			    "  --watch[=SECONDS] repeat, each second by default, until interrupted\n"
			    "  --help            print this\n";

/**
 * struct status_options - the command line
 * @socket_dir: Folder, or NULL for the default.
 * @is_json:    JSON instead of tables.
 * @watch_s:    Seconds between two outputs, 0 for one output.
 */
struct status_options {
	const char *socket_dir;
	bool is_json;
	unsigned int watch_s;
};

static enum ontb_exit parse(int argc, char **argv, struct status_options *options, bool *is_help)
{
	static const struct option names[] = {
		{ "socket-dir", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t seconds;
	int c;

	ontb_options_start();
	while ((c = ontb_options_next("status", argc, argv, names)) != -1) {
		switch (c) {
		case 'd':
			options->socket_dir = optarg;
			break;
		case 'j':
			options->is_json = true;
			break;
		case 'w':
			if (optarg && (ontb_number_parse(optarg, &seconds) || !seconds || seconds > MAX_WATCH_S)) {
				ontb_tool_error("status: --watch=%s: give 1 to %d seconds", optarg, MAX_WATCH_S);
				return ONTB_EXIT_USAGE;
			}
			options->watch_s = optarg ? (unsigned int)seconds : 1;
			break;
		case 'h':
			*is_help = true;
			return ONTB_EXIT_OK;
		default:
			return ONTB_EXIT_USAGE;
		}
	}
	return ontb_options_end("status", argc, argv);
}

static enum ontb_exit print_once(const char *path, const struct status_options *options)
{
	struct json_object *status;
	int ret = ontb_control_ask(path, "{\"request\":\"status\"}", &status);

	if (ret)
		return ONTB_EXIT_FAILURE;
	if (options->is_json) {
		puts(json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	} else {
		if (options->watch_s && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		ret = ontb_status_print(stdout, status);
		if (ret)
			ontb_tool_error("%s: cannot print the status: %s", path, ontb_strerror(ret));
	}
	(void)json_object_put(status);
	return ret ? ONTB_EXIT_FAILURE : ONTB_EXIT_OK;
}

enum ontb_exit ontb_cmd_status(int argc, char **argv)
{
	struct status_options options = { 0 };
	char dir[ONTB_SOCKET_PATH_SIZE], path[ONTB_SOCKET_PATH_SIZE];
	enum ontb_exit status;
	bool is_help = false;
	int ret;

	status = parse(argc, argv, &options, &is_help);
	if (status != ONTB_EXIT_OK)
		return status;
	if (is_help) {
		fputs(usage, stdout);
		return ONTB_EXIT_OK;
	}
	if (!options.socket_dir) {
		ret = ontb_socket_dir_default(dir, sizeof(dir));
		if (ret) {
			ontb_tool_error("status: no default socket folder (XDG_RUNTIME_DIR is not set or too long); "
					"give --socket-dir");
			return ONTB_EXIT_USAGE;
		}
		options.socket_dir = dir;
	}
	if (ontb_socket_dir_control_path(options.socket_dir, path, sizeof(path))) {
		ontb_tool_error("status: --socket-dir %s: the name is too long", options.socket_dir);
		return ONTB_EXIT_FAILURE;
	}
	for (;;) {
		struct timespec pause = { .tv_sec = (time_t)options.watch_s };

		status = print_once(path, &options);
		if (status != ONTB_EXIT_OK || !options.watch_s || fflush(stdout))
			return status;
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
}
