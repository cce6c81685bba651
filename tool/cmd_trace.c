// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb trace: a trace file as text.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <openntb/bridge.h>
#include <openntb/error.h>

#include "tool/number.h"
#include "tool/options.h"
#include "tool/trace_line.h"
#include "tool/trace_reader.h"
#include "tool/verbs.h"

static const char usage[] = "usage: openntb trace [OPTION...] FILE\n"
			    "\n"
			    "Print a trace that \"openntb serve --trace\" wrote, one event per line: seconds,\n"
			    "port, category, name, values, duration. FILE may be \"-\" for standard input.\n"
			    "\n"
			    "  --port N         only events at this port; may be repeated\n"
			    "  --category NAME  only events of this category; may be repeated: wire, config,\n"
			    "                   register, window, dma, doorbell, message, interrupt, link, lock\n"
			    "  --follow         wait for more events at the end of the file\n"
			    "  --help           print this\n";

static const char *const category_names[] = { "wire",	  "config",  "register",  "window", "dma",
					      "doorbell", "message", "interrupt", "link",   "lock" };

/**
 * struct trace_options - the command line
 * @path:      File, or "-".
 * @filter:    Wanted events.
 * @is_follow: Wait at the end.
 * @is_help:   Only print the help.
 */
struct trace_options {
	const char *path;
	struct ontb_trace_filter filter;
	bool is_follow;
	bool is_help;
};

static int add_port(struct trace_options *options, const char *text)
{
	uint64_t port_idx;

	if (ontb_number_parse(text, &port_idx) || port_idx >= ONTB_MAX_PORTS) {
		ontb_tool_error("trace: --port '%s': give 0 to %d", text, ONTB_MAX_PORTS - 1);
		return -EINVAL;
	}
	options->filter.ports |= 1ULL << port_idx;
	return 0;
}

static int add_category(struct trace_options *options, const char *text)
{
	struct ontb_trace_filter *filter = &options->filter;

	for (size_t i = 0; i < ONTB_ARRAY_SIZE(category_names); i++) {
		if (strcmp(category_names[i], text))
			continue;
		/* Naming one twice changes nothing once there is no room for more. */
		if (filter->nr_categories < ONTB_ARRAY_SIZE(filter->categories))
			filter->categories[filter->nr_categories++] = category_names[i];
		return 0;
	}
	ontb_tool_error("trace: --category '%s': there is no such category; see \"openntb trace --help\"", text);
	return -EINVAL;
}

static enum ontb_exit parse(int argc, char **argv, struct trace_options *options)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "category", required_argument, NULL, 'c' },
		{ "follow", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret = 0;

	ontb_options_start();
	while (!ret && (c = ontb_options_next("trace", argc, argv, names)) != -1) {
		switch (c) {
		case 'p':
			ret = add_port(options, optarg);
			break;
		case 'c':
			ret = add_category(options, optarg);
			break;
		case 'f':
			options->is_follow = true;
			break;
		case 'h':
			options->is_help = true;
			return ONTB_EXIT_OK;
		default:
			return ONTB_EXIT_USAGE;
		}
	}
	if (ret)
		return ONTB_EXIT_USAGE;
	if (argc - optind != 1) {
		ontb_tool_error("trace: give one file");
		return ONTB_EXIT_USAGE;
	}
	options->path = argv[optind];
	return ONTB_EXIT_OK;
}

/* Wait until the file changes. A pipe needs no waiting: reading it blocks. */
static int wait_for_more(int watch_fd)
{
	struct pollfd wait = { .fd = watch_fd, .events = POLLIN };
	char events[4096];

	if (fflush(stdout))
		return -errno;
	if (poll(&wait, 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	return read(watch_fd, events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0;
}

static enum ontb_exit print_events(FILE *file, const struct trace_options *options, int watch_fd)
{
	struct ontb_trace_reader *reader = NULL;
	struct json_object *event;
	int ret;

	ret = ontb_trace_reader_new(file, &reader);
	while (!ret) {
		ret = ontb_trace_reader_next(reader, &event);
		if (!ret) {
			if (ontb_trace_filter_wants(&options->filter, event))
				ontb_trace_line_print(stdout, event);
			(void)json_object_put(event);
			/* Somebody closed the pipe that we print to: no use in reading on. */
			if (ferror(stdout))
				ret = -ENODATA;
		} else if (ret == -EAGAIN && watch_fd >= 0) {
			ret = wait_for_more(watch_fd);
		}
	}
	if (ret == -EPROTO && reader)
		ontb_tool_error("trace: %s, line %lu: %s", options->path, ontb_trace_reader_line(reader),
				ontb_trace_reader_error(reader));
	else if (ret != -ENODATA && ret != -EAGAIN)
		ontb_tool_error("trace: %s: %s", options->path, strerrordesc_np(-ret));
	ontb_trace_reader_free(reader);
	return ret == -ENODATA || ret == -EAGAIN ? ONTB_EXIT_OK : ONTB_EXIT_FAILURE;
}

static enum ontb_exit print_file(const struct trace_options *options)
{
	bool is_stdin = !strcmp(options->path, "-");
	FILE *file = is_stdin ? stdin : fopen(options->path, "re");
	enum ontb_exit status;
	int watch_fd = -1;

	if (!file) {
		ontb_tool_error("trace: %s: cannot open it: %s", options->path, strerrordesc_np(errno));
		return ONTB_EXIT_FAILURE;
	}
	if (options->is_follow && !is_stdin) {
		watch_fd = inotify_init1(IN_CLOEXEC);
		if (watch_fd < 0 || inotify_add_watch(watch_fd, options->path, IN_MODIFY | IN_CLOSE_WRITE) < 0) {
			ontb_tool_error("trace: %s: cannot watch it: %s", options->path, strerrordesc_np(errno));
			status = ONTB_EXIT_FAILURE;
			goto close_all;
		}
	}
	status = print_events(file, options, watch_fd);

close_all:
	if (watch_fd >= 0)
		(void)close(watch_fd);
	if (!is_stdin)
		(void)fclose(file);
	return status;
}

enum ontb_exit ontb_cmd_trace(int argc, char **argv)
{
	struct trace_options options = { 0 };
	enum ontb_exit status = parse(argc, argv, &options);

	if (status != ONTB_EXIT_OK)
		return status;
	if (options.is_help) {
		fputs(usage, stdout);
		return ONTB_EXIT_OK;
	}
	return print_file(&options);
}
