// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * openntb host: a host in this process, whose bridge is a port of a running "openntb serve". What is on the other port, a guest or
 * another such process, is its peer.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include <openntb/error.h>
#include <openntb/fabric.h>
#include <openntb/vfio_user_client.h>

#include "base/clock.h"
#include "base/log.h"
#include "tool/control.h"
#include "tool/hold.h"
#include "tool/irq_json.h"
#include "tool/json_table.h"
#include "tool/log_sink.h"
#include "tool/options.h"
#include "tool/peer_irqs.h"
#include "tool/verbs.h"

#define TIMEOUT_NS  (5 * ONTB_NS_PER_S)
#define MAX_IRQS    65536U
#define MAX_RAM_MIB 2048U /* of a machine of the fabric */
#define MAX_TIMES   1000000U
#define PART_TIMES  1000U /* between these signals and other clients are looked after */
#define MAX_WINDOW  1023U
#define ANY_WINDOW  (MAX_WINDOW + 1)

static const char usage[] =
	"usage: openntb host --socket SOCKET [OPTION...]\n"
	"\n"
	"Run a host in this process, with a port of \"openntb serve\" as its bridge, until interrupted.\n"
	"\n"
	"  --socket SOCKET   socket of the port, such as /run/openntb/port1.sock\n"
	"  --peer KIND       what is at the other port: \"openntb\", a host like this one; \"linux\",\n"
	"                    a guest with ntb_msi_test; or \"linux-grants\", one with ntb_grant_test\n"
	"                    (default: openntb)\n"
	"  --name NAME       name of the host (default: host)\n"
	"  --cpus N          CPUs, 1 to 256 (default: 2)\n"
	"  --ram N           memory in MiB, 16 to 2048 (default: 64)\n"
	"  --remap           switch interrupt remapping on\n"
	"  --irqs N          NTB interrupts (default: 4); at most 63 with linux, 64 with linux-grants\n"
	"  --window N        window for the interrupt addresses, from 0 (default: the last one); 1 for\n"
	"                    a guest without ntb_hw_switchtec.use_lut_mws=1\n"
	"  --socket-dir DIR  folder of the control socket, for \"openntb domains\", \"openntb irqs\"\n"
	"                    and requests to raise interrupts (default: none)\n"
	"  --help            print this\n";

/**
 * struct kind - a kind of peer
 * @name:     As in the command line.
 * @max_irqs: Interrupts that it can have.
 */
struct kind {
	const char *name;
	unsigned int max_irqs;
};

/* ntb_msi_test has two of 128 scratchpads for each interrupt and one for their number; ntb_grant_test takes 64. */
static const struct kind kinds[] = {
	[PEER_OPENNTB] = { "openntb", MAX_IRQS },
	[PEER_LINUX] = { "linux", 63 },
	[PEER_LINUX_GRANTS] = { "linux-grants", 64 },
};

/**
 * struct host_words - the command line
 * @socket:     Of the port.
 * @name:       Of the host.
 * @socket_dir: Folder of the control socket, or NULL.
 * @kind:       Kind of peer.
 * @nr_cpus:    CPUs.
 * @ram_mib:    Memory.
 * @nr_irqs:    NTB interrupts.
 * @window:     Window of the interrupt addresses, or ANY_WINDOW.
 * @is_remapped: Interrupt remapping.
 * @is_help:    Help was asked for.
 */
struct host_words {
	const char *socket;
	const char *name;
	const char *socket_dir;
	enum peer_kind kind;
	unsigned int nr_cpus;
	unsigned int ram_mib;
	unsigned int nr_irqs;
	unsigned int window;
	bool is_remapped;
	bool is_help;
};

/**
 * struct running - the host; constant once it runs
 * @fabric: Its machine.
 * @client: Its bridge.
 * @host:   Its software.
 * @irqs:   Interrupts between it and its peer.
 */
struct running {
	struct ontb_fabric *fabric;
	struct ontb_vfio_user_client *client;
	struct ontb_host *host;
	struct peer_irqs *irqs;
};

static enum ontb_exit parse_kind(struct host_words *words)
{
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(kinds); i++) {
		if (strcmp(optarg, kinds[i].name))
			continue;
		words->kind = (enum peer_kind)i;
		return ONTB_EXIT_OK;
	}
	ontb_tool_error("host: --peer %s: give openntb, linux or linux-grants", optarg);
	return ONTB_EXIT_USAGE;
}

static enum ontb_exit parse_option(int c, struct host_words *words)
{
	switch (c) {
	case 's':
		words->socket = optarg;
		return ONTB_EXIT_OK;
	case 'n':
		words->name = optarg;
		return ONTB_EXIT_OK;
	case 'd':
		words->socket_dir = optarg;
		return ONTB_EXIT_OK;
	case 'm':
		words->is_remapped = true;
		return ONTB_EXIT_OK;
	case 'c':
		return ontb_options_number("host", "cpus", 1, ONTB_MAX_CPUS, &words->nr_cpus);
	case 'r':
		return ontb_options_number("host", "ram", 16, MAX_RAM_MIB, &words->ram_mib);
	case 'w':
		return ontb_options_number("host", "window", 0, MAX_WINDOW, &words->window);
	case 'i':
		return ontb_options_number("host", "irqs", 1, MAX_IRQS, &words->nr_irqs);
	default:
		return parse_kind(words);
	}
}

/* What the options must be together. */
static enum ontb_exit check(const struct host_words *words)
{
	const struct kind *kind = &kinds[words->kind];

	if (!words->socket) {
		ontb_tool_error("host: give --socket, the socket of a port");
		return ONTB_EXIT_USAGE;
	}
	if (words->nr_irqs > kind->max_irqs) {
		ontb_tool_error("host: --irqs %u: give a number from 1 to %u with --peer %s", words->nr_irqs,
				kind->max_irqs, kind->name);
		return ONTB_EXIT_USAGE;
	}
	return ONTB_EXIT_OK;
}

static enum ontb_exit parse(int argc, char **argv, struct host_words *words)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "peer", required_argument, NULL, 'p' },
		{ "name", required_argument, NULL, 'n' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "ram", required_argument, NULL, 'r' },
		{ "remap", no_argument, NULL, 'm' },
		{ "irqs", required_argument, NULL, 'i' },
		{ "window", required_argument, NULL, 'w' },
		{ "socket-dir", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum ontb_exit status = ONTB_EXIT_OK;
	int c;

	ontb_options_start();
	while (status == ONTB_EXIT_OK && (c = ontb_options_next("host", argc, argv, names)) != -1) {
		if (c == 'h') {
			words->is_help = true;
			return ONTB_EXIT_OK;
		}
		status = c == '?' ? ONTB_EXIT_USAGE : parse_option(c, words);
	}
	if (status == ONTB_EXIT_OK)
		status = ontb_options_end("host", argc, argv);
	return status == ONTB_EXIT_OK ? check(words) : status;
}

static int build_machine(const struct host_words *words, struct running *running)
{
	char topology[256], why[160];
	const struct ontb_fabric_config config = { .topology = topology };
	int ret;

	(void)snprintf(topology, sizeof(topology), "host %s cpus=%u ram=%uM remap=%s\n", words->name, words->nr_cpus,
		       words->ram_mib, words->is_remapped ? "on" : "off");
	ret = ontb_fabric_new(&config, why, sizeof(why), &running->fabric);
	if (ret)
		ontb_tool_error("host: --name %s: cannot build the machine: %s", words->name,
				ret == -EINVAL ? why : ontb_strerror(ret));
	return ret;
}

static int plug_bridge(const struct host_words *words, struct running *running)
{
	const struct ontb_machine *machine = ontb_fabric_machine(running->fabric, 0);
	const struct ontb_vfio_user_client_config config = {
		.path = words->socket,
		.ram_fd = ontb_fabric_ram_fd(running->fabric, 0),
		.ram_base = machine->ram_base,
		.ram_size = machine->ram_size,
		.timeout_ns = TIMEOUT_NS,
	};
	int ret = ontb_vfio_user_client_new(&config, &running->client);

	if (ret) {
		/* Most often a system call's error, in the words of the system. */
		ontb_tool_error("host: socket %s: cannot connect: %s", words->socket,
				ret == -EPROTO ? ontb_strerror(ret) : strerrordesc_np(-ret));
		return ret;
	}
	ret = ontb_fabric_add_func(running->fabric, 0, ontb_vfio_user_client_func(running->client), NULL);
	if (ret)
		ontb_tool_error("host: socket %s: cannot use the port: %s", words->socket, ontb_strerror(ret));
	return ret;
}

/* The command line, as soon as it is known what the bridge has. */
static int check_words(const struct host_words *words, struct ontb_host *host)
{
	unsigned int nr = ontb_host_nr_ntbs(host) ? ontb_ntb_nr_windows(ontb_host_ntb(host, 0)) : 0;

	if (!nr || words->window == ANY_WINDOW || words->window < nr)
		return 0;
	ontb_tool_error("host: --window %u: give a number from 0 to %u", words->window, nr - 1);
	return -ERANGE;
}

static int boot(const struct host_words *words, struct running *running)
{
	const struct ontb_host_config config = {
		.machine = ontb_fabric_machine(running->fabric, 0),
		.max_irqs = words->nr_irqs + 1024,
		.use_remapping = words->is_remapped,
	};
	int ret = ontb_host_boot(&config, &running->host);

	if (!ret && check_words(words, running->host))
		return -ERANGE;
	if (!ret)
		ret = peer_irqs_new(running->host, words->kind, words->nr_irqs,
				    words->window == ANY_WINDOW ? -1 : (int)words->window, &running->irqs);
	if (ret == -ENOSPC)
		ontb_tool_error("host: %s: does not boot: no room for --irqs %u: give fewer, or more --cpus",
				words->name, words->nr_irqs);
	else if (ret)
		ontb_tool_error("host: %s: does not boot: %s", words->name, ontb_strerror(ret));
	return ret;
}

static struct json_object *trigger(struct running *running, struct json_object *request, uint64_t *left)
{
	struct json_object *reply, *index = ontb_json_find(request, "index"), *times = ontb_json_find(request, "times");
	int64_t nr = times ? json_object_get_int64(times) : 1;
	char text[96];
	int ret = 0;

	if (!json_object_is_type(index, json_type_int) || json_object_get_int64(index) < 0 ||
	    json_object_get_int64(index) > MAX_IRQS || (times && !json_object_is_type(times, json_type_int)) ||
	    nr < 1 || nr > MAX_TIMES)
		return ontb_control_error_reply("give \"index\", and \"times\" from 1 to 1000000");
	if (!*left)
		*left = (uint64_t)nr;
	for (unsigned int i = 0; i < PART_TIMES && *left && !ret; i++, (*left)--)
		ret = peer_irqs_trigger(running->irqs, (unsigned int)json_object_get_int64(index));
	if (ret) {
		*left = 0;
		(void)snprintf(text, sizeof(text), "interrupt %lld of the peer: %s",
			       (long long)json_object_get_int64(index), ontb_strerror(ret));
		return ontb_control_error_reply(text);
	}
	reply = *left ? NULL : json_object_new_object();
	if (reply) {
		ontb_json_add_bool(reply, "ok", true);
		ontb_json_add_uint(reply, "raised", (uint64_t)nr);
	}
	return reply;
}

static struct json_object *peer_json(struct running *running)
{
	struct json_object *reply = json_object_new_object();

	if (!reply)
		return NULL;
	ontb_json_add_bool(reply, "ok", true);
	ontb_json_add_text(reply, "link", peer_irqs_is_up(running->irqs) ? "up" : "down");
	ontb_json_add_uint(reply, "held", peer_irqs_nr_held(running->irqs));
	ontb_json_add_bool(reply, "server", ontb_vfio_user_client_is_alive(running->client));
	return reply;
}

static struct json_object *handle_request(void *arg, struct json_object *request, uint64_t *left)
{
	struct running *running = arg;
	struct json_object *name;
	const char *text;

	if (!json_object_object_get_ex(request, "request", &name) || !json_object_is_type(name, json_type_string))
		return ontb_control_error_reply("the request has no member \"request\" with a string");
	text = json_object_get_string(name);
	if (!strcmp(text, "domains") || !strcmp(text, "irqs"))
		return ontb_hosts_json(&running->host, 1, text);
	if (!strcmp(text, "peer"))
		return peer_json(running);
	if (!strcmp(text, "trigger"))
		return trigger(running, request, left);
	return ontb_control_error_reply(
		"there is no such request; there are \"domains\", \"irqs\", \"peer\" and \"trigger\"");
}

enum ontb_exit ontb_cmd_host(int argc, char **argv)
{
	struct host_words words = { .name = "host", .nr_cpus = 2, .ram_mib = 64, .nr_irqs = 4, .window = ANY_WINDOW };
	struct running running = { 0 };
	enum ontb_exit status = parse(argc, argv, &words);
	char ready[256];
	int ret;

	if (status != ONTB_EXIT_OK)
		return status;
	if (words.is_help) {
		fputs(usage, stdout);
		return ONTB_EXIT_OK;
	}
	ontb_log_sink_install();
	ontb_hold_block_signals();
	ret = build_machine(&words, &running);
	if (!ret)
		ret = plug_bridge(&words, &running);
	if (!ret)
		ret = boot(&words, &running);
	(void)snprintf(ready, sizeof(ready), "ready: host %s at %s", words.name, words.socket);
	if (!ret)
		ret = ontb_hold(words.socket_dir, handle_request, &running, ready);
	peer_irqs_free(running.irqs);
	ontb_host_shutdown(running.host);
	ontb_fabric_free(running.fabric);
	ontb_vfio_user_client_free(running.client);
	return ret ? ONTB_EXIT_FAILURE : ONTB_EXIT_OK;
}
