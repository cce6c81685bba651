// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The openntb command: a table of verbs.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tool/verbs.h"

/**
 * struct verb - one row of the table
 * @name: What the user types.
 * @help: One line.
 * @run:  Does it.
 */
struct verb {
	const char *name;
	const char *help;
	enum ontb_exit (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
	{ "serve", "run an emulated bridge that QEMU guests attach to", ontb_cmd_serve },
	{ "status", "show ports, links, windows and counters of a running bridge", ontb_cmd_status },
	{ "trace", "print a trace file as text", ontb_cmd_trace },
	{ "demo", "two hosts in this process interrupt each other and send a file", ontb_cmd_demo },
	{ "soak", "everything at once between hosts, every message accounted for", ontb_cmd_soak },
	{ "host", "run a host in this process at a port of a running bridge", ontb_cmd_host },
	{ "domains", "show the interrupt domains of a running process as trees", ontb_cmd_domains },
	{ "irqs", "show the interrupts of a running process", ontb_cmd_irqs },
	{ "graph", "print the interrupt domains of a running process for Graphviz", ontb_cmd_graph },
	{ "version", "print the version", ontb_cmd_version },
	{ "help", "print this, or the options of a verb", ontb_cmd_help },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

void ontb_tool_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("openntb: ", stderr);
	(void)vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
}

static void print_verbs(FILE *out)
{
	fputs("usage: openntb VERB [OPTION...]\n\nverbs:\n", out);
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fputs("\n\"openntb VERB --help\" lists the options of a verb.\n", out);
}

enum ontb_exit ontb_cmd_help(int argc, char **argv)
{
	char help[] = "--help";
	const struct verb *verb;
	char *words[3];

	if (argc < 2 || !strcmp(argv[1], help)) {
		print_verbs(stdout);
		return ONTB_EXIT_OK;
	}
	if (argc > 2) {
		ontb_tool_error("help: one verb at a time");
		return ONTB_EXIT_USAGE;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		ontb_tool_error("help: there is no verb '%s'; \"openntb help\" lists them", argv[1]);
		return ONTB_EXIT_USAGE;
	}
	words[0] = argv[1];
	words[1] = help;
	words[2] = NULL;
	return verb->run(2, words);
}

enum ontb_exit ontb_cmd_version(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		puts("usage: openntb version\n\nPrint the version.");
		return ONTB_EXIT_OK;
	}
	if (argc > 1) {
		ontb_tool_error("version: unexpected word '%s'", argv[1]);
		return ONTB_EXIT_USAGE;
	}
	puts("openntb " ONTB_VERSION);
	return ONTB_EXIT_OK;
}

static enum ontb_exit run(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		print_verbs(stderr);
		return ONTB_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return ontb_cmd_help(1, argv);
	if (!strcmp(argv[1], "--version"))
		return ontb_cmd_version(1, argv);
	verb = find_verb(argv[1]);
	if (!verb) {
		ontb_tool_error("there is no verb '%s'; \"openntb help\" lists them", argv[1]);
		return ONTB_EXIT_USAGE;
	}
	return verb->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	enum ontb_exit status = run(argc, argv);

	/* A full disk behind standard output shows only here; what was asked for has not arrived then. */
	if (fflush(stdout) || ferror(stdout)) {
		ontb_tool_error("cannot write to standard output: %s", strerrordesc_np(errno));
		if (status == ONTB_EXIT_OK)
			status = ONTB_EXIT_FAILURE;
	}
	return (int)status;
}
