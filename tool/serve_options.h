/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Options of "openntb serve".
 */
#ifndef ONTB_TOOL_SERVE_OPTIONS_H
#define ONTB_TOOL_SERVE_OPTIONS_H

#include <stdbool.h>

#include <openntb/switchtec.h>
#include <openntb/vfio_user.h>

#include "base/log.h"
#include "tool/socket_dir.h"
#include "tool/verbs.h"

/**
 * struct ontb_serve_options - what the command line asks for
 * @bridge:     Geometry of the bridge.
 * @wire:       Limits of the server.
 * @socket_dir: Folder of the sockets.
 * @trace_path: File for the trace, or NULL.
 * @log_level:  Least important log lines that are written.
 * @is_help:    Only print the help.
 */
struct ontb_serve_options {
	struct ontb_switchtec_config bridge;
	struct ontb_vfio_user_config wire;
	char socket_dir[ONTB_SOCKET_PATH_SIZE];
	const char *trace_path;
	enum ontb_log_level log_level;
	bool is_help;
};

/**
 * ontb_serve_options_parse() - read the command line
 * @argc:    Words, with the verb.
 * @argv:    The words; @options points into them.
 * @options: OUT.
 *
 * Says on standard error what is wrong.
 *
 * Return: ONTB_EXIT_OK or ONTB_EXIT_USAGE.
 */
enum ontb_exit ontb_serve_options_parse(int argc, char **argv, struct ontb_serve_options *options);

/**
 * ontb_serve_options_print_help() - print all options
 */
void ontb_serve_options_print_help(void);

#endif
