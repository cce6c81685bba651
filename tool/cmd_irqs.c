// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb domains, irqs, graph: ask the control socket of a process that has hosts, print the reply.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openntb/error.h>

#include "tool/control_client.h"
#include "tool/irq_print.h"
#include "tool/json_table.h"
#include "tool/options.h"
#include "tool/socket_dir.h"
#include "tool/verbs.h"

#define COMMON_HELP                                                                                                    \
	"  --socket-dir DIR  folder given to the running process (default: /run/openntb for\n"                         \
	"                    root, otherwise $XDG_RUNTIME_DIR/openntb)\n"                                              \
	"  --host NAME       this host only\n"

/**
 * struct question - one of the verbs
 * @verb:    Its name.
 * @request: What the process is asked for; also the member of each host that holds the answer.
 * @usage:   Help.
 * @print:   Shows the hosts.
 */
struct question {
	const char *verb;
	const char *request;
	const char *usage;
	int (*print)(struct json_object *hosts);
};

/**
 * struct irqs_options - the command line
 * @socket_dir: Folder, or NULL for the default.
 * @host:       Name of the only host, or NULL for all.
 * @is_json:    JSON instead of tables.
 * @is_help:    Help was asked for.
 */
struct irqs_options {
	const char *socket_dir;
	const char *host;
	bool is_json;
	bool is_help;
};

static int print_domains(struct json_object *hosts)
{
	int ret = 0;

	for (size_t i = 0; i < json_object_array_length(hosts) && !ret; i++) {
		struct json_object *host = json_object_array_get_idx(hosts, i);

		printf("%sHost %s\n", i ? "\n" : "", ontb_json_text(ontb_json_find(host, "name")));
		ret = ontb_domains_print(stdout, ontb_json_find(host, "domains"));
	}
	return ret;
}

static int print_irqs(struct json_object *hosts)
{
	int ret = 0;

	for (size_t i = 0; i < json_object_array_length(hosts) && !ret; i++) {
		struct json_object *host = json_object_array_get_idx(hosts, i);

		printf("%sHost %s\n", i ? "\n" : "", ontb_json_text(ontb_json_find(host, "name")));
		ret = ontb_irqs_print(stdout, ontb_json_find(host, "irqs"),
				      (unsigned int)json_object_get_int(ontb_json_find(host, "cpus")), 0);
	}
	return ret;
}

static int print_graph(struct json_object *hosts)
{
	ontb_domains_graph(stdout, hosts);
	return 0;
}

static const struct question domains_question = {
	.verb = "domains",
	.request = "domains",
	.usage = "usage: openntb domains [OPTION...]\n"
		 "\n"
		 "Show the interrupt domains of the hosts of a running process as trees.\n"
		 "\n" COMMON_HELP "  --json            one line of JSON for programs\n"
		 "  --help            print this\n",
	.print = print_domains,
};

static const struct question irqs_question = {
	.verb = "irqs",
	.request = "irqs",
	.usage = "usage: openntb irqs [OPTION...]\n"
		 "\n"
		 "Show the interrupts of the hosts of a running process, as /proc/interrupts does.\n"
		 "\n" COMMON_HELP "  --json            one line of JSON for programs\n"
		 "  --help            print this\n",
	.print = print_irqs,
};

static const struct question graph_question = {
	.verb = "graph",
	.request = "domains",
	.usage = "usage: openntb graph [OPTION...]\n"
		 "\n"
		 "Print the interrupt domains of the hosts of a running process for Graphviz:\n"
		 "openntb graph | dot -Tsvg >domains.svg\n"
		 "\n" COMMON_HELP "  --help            print this\n",
	.print = print_graph,
};

static enum ontb_exit parse(const struct question *question, int argc, char **argv, struct irqs_options *options)
{
	static const struct option names[] = {
		{ "json", no_argument, NULL, 'j' }, /* not of a graph */
		{ "socket-dir", required_argument, NULL, 'd' },
		{ "host", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	ontb_options_start();
	while ((c = ontb_options_next(question->verb, argc, argv, names + (question->print == print_graph))) != -1) {
		if (c == 'd') {
			options->socket_dir = optarg;
		} else if (c == 'o') {
			options->host = optarg;
		} else if (c == 'j') {
			options->is_json = true;
		} else if (c == 'h') {
			options->is_help = true;
			return ONTB_EXIT_OK;
		} else {
			return ONTB_EXIT_USAGE;
		}
	}
	return ontb_options_end(question->verb, argc, argv);
}

/* The path of the control socket. */
static enum ontb_exit find_socket(const struct question *question, const char *socket_dir, char *path, size_t len)
{
	char dir[ONTB_SOCKET_PATH_SIZE];

	if (!socket_dir) {
		if (ontb_socket_dir_default(dir, sizeof(dir))) {
			ontb_tool_error("%s: no default socket folder (XDG_RUNTIME_DIR is not set or too long); "
					"give --socket-dir",
					question->verb);
			return ONTB_EXIT_USAGE;
		}
		socket_dir = dir;
	}
	if (ontb_socket_dir_control_path(socket_dir, path, len)) {
		ontb_tool_error("%s: --socket-dir %s: the name is too long", question->verb, socket_dir);
		return ONTB_EXIT_FAILURE;
	}
	return ONTB_EXIT_OK;
}

/* Leave only one host in the list; false if it is not there. */
static bool keep_host(struct json_object *hosts, const char *name)
{
	for (size_t i = json_object_array_length(hosts); i > 0; i--) {
		struct json_object *host = json_object_array_get_idx(hosts, i - 1);

		if (strcmp(name, ontb_json_text(ontb_json_find(host, "name"))))
			(void)json_object_array_del_idx(hosts, i - 1, 1);
	}
	return json_object_array_length(hosts);
}

static enum ontb_exit show(const struct question *question, const struct irqs_options *options, const char *path,
			   struct json_object *reply)
{
	struct json_object *hosts = ontb_json_find(reply, "hosts");
	int ret;

	if (!json_object_is_type(hosts, json_type_array)) {
		ontb_tool_error("%s: %s: the reply has no hosts", question->verb, path);
		return ONTB_EXIT_FAILURE;
	}
	if (options->host && !keep_host(hosts, options->host)) {
		ontb_tool_error("%s: %s: there is no host '%s'", question->verb, path, options->host);
		return ONTB_EXIT_FAILURE;
	}
	if (options->is_json) {
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		return ONTB_EXIT_OK;
	}
	ret = question->print(hosts);
	if (ret)
		ontb_tool_error("%s: cannot print the reply: %s", question->verb, ontb_strerror(ret));
	return ret ? ONTB_EXIT_FAILURE : ONTB_EXIT_OK;
}

static enum ontb_exit ask(const struct question *question, int argc, char **argv)
{
	char path[ONTB_SOCKET_PATH_SIZE], request[64];
	struct irqs_options options = { 0 };
	enum ontb_exit status = parse(question, argc, argv, &options);
	struct json_object *reply;

	if (status != ONTB_EXIT_OK)
		return status;
	if (options.is_help) {
		fputs(question->usage, stdout);
		return ONTB_EXIT_OK;
	}
	status = find_socket(question, options.socket_dir, path, sizeof(path));
	if (status != ONTB_EXIT_OK)
		return status;
	(void)snprintf(request, sizeof(request), "{\"request\":\"%s\"}", question->request);
	if (ontb_control_ask(path, request, &reply))
		return ONTB_EXIT_FAILURE;
	status = show(question, &options, path, reply);
	(void)json_object_put(reply);
	return status;
}

enum ontb_exit ontb_cmd_domains(int argc, char **argv)
{
	return ask(&domains_question, argc, argv);
}

enum ontb_exit ontb_cmd_irqs(int argc, char **argv)
{
	return ask(&irqs_question, argc, argv);
}

enum ontb_exit ontb_cmd_graph(int argc, char **argv)
{
	return ask(&graph_question, argc, argv);
}
