// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A server for the wire tests: the public API around the small functions of test_func.c.
 *
 * usage: wire_server DIR NR_PORTS [NAME=VALUE...]
 * Sockets are DIR/0.sock and so on. Prints "ready" on standard output. Each line on standard input is answered with the
 * status of all ports, one line of JSON; the end of standard input, SIGTERM or SIGINT ends the server.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <openntb/error.h>
#include <openntb/vfio_user.h>

#include "base/annotate.h"
#include "base/log.h"
#include "base/trace.h"
#include "test_func.h"

struct options {
	const char *dir;
	unsigned int nr_ports;
	unsigned int nr_vectors;
	const char *trace;
	struct ontb_vfio_user_config config;
};

static int set_option(struct options *options, char *arg)
{
	char *value = strchr(arg, '=');
	uint64_t number;

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	number = strtoull(value, NULL, 0);
	if (!strcmp(arg, "vectors"))
		options->nr_vectors = (unsigned int)number;
	else if (!strcmp(arg, "trace"))
		options->trace = value;
	else if (!strcmp(arg, "max_data_xfer"))
		options->config.max_data_xfer = (uint32_t)number;
	else if (!strcmp(arg, "max_mappings"))
		options->config.max_mappings = (uint32_t)number;
	else if (!strcmp(arg, "write_quota"))
		options->config.write_quota = (uint32_t)number;
	else if (!strcmp(arg, "timeout_ns"))
		options->config.completion_timeout_ns = number;
	else if (!strcmp(arg, "memory_on_disk"))
		options->config.memory_on_disk = number;
	else if (!strcmp(arg, "write_multiple"))
		options->config.write_multiple = number;
	else
		return -EINVAL;
	return 0;
}

static void print_status(struct ontb_vfio_user_server *server, unsigned int nr_ports)
{
	struct ontb_vfio_user_status s;

	putchar('[');
	for (unsigned int i = 0; i < nr_ports; i++) {
		if (ontb_vfio_user_server_status(server, i, &s))
			continue;
		printf("%s{\"connected\":%s,\"pid\":%d,\"connections\":%llu,\"rx_messages\":%llu,\"rx_calls\":%llu,"
		       "\"tx_messages\":%llu,\"tx_bytes\":%llu,\"tx_queued\":%llu,\"nr_mappings\":%llu,"
		       "\"mapped_bytes\":%llu,\"armed_vectors\":%u,\"dma_writes\":%llu,\"dma_reads\":%llu,"
		       "\"writes_merged\":%llu,\"writes_dropped\":%llu,\"errors\":%llu}",
		       i ? "," : "", s.connected ? "true" : "false", s.pid, (unsigned long long)s.connections,
		       (unsigned long long)s.rx_messages, (unsigned long long)s.rx_calls,
		       (unsigned long long)s.tx_messages, (unsigned long long)s.tx_bytes,
		       (unsigned long long)s.tx_queued, (unsigned long long)s.nr_mappings,
		       (unsigned long long)s.mapped_bytes, s.armed_vectors, (unsigned long long)s.dma_writes,
		       (unsigned long long)s.dma_reads, (unsigned long long)s.writes_merged,
		       (unsigned long long)s.writes_dropped, (unsigned long long)s.errors);
	}
	puts("]");
	fflush(stdout);
}

static void loop(struct ontb_vfio_user_server *server, unsigned int nr_ports, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = ontb_vfio_user_server_fd(server), .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	char line[64];
	ssize_t n;
	int ret;

	for (;;) {
		if (poll(fds, ONTB_ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			return;
		ret = ontb_vfio_user_server_dispatch(server);
		if (ret)
			fprintf(stderr, "dispatch: %s\n", ontb_strerror(ret));
		if (!fds[2].revents)
			continue;
		n = read(STDIN_FILENO, line, sizeof(line));
		if (n <= 0)
			return;
		print_status(server, nr_ports);
	}
}

static int add_ports(struct ontb_vfio_user_server *server, struct test_bridge *bridge, const struct options *options)
{
	char path[256];
	int ret;

	for (unsigned int i = 0; i < options->nr_ports; i++) {
		(void)snprintf(path, sizeof(path), "%s/%u.sock", options->dir, i);
		ret = ontb_vfio_user_server_add_port(server, path, test_bridge_func(bridge, i));
		if (ret < 0) {
			fprintf(stderr, "%s: %s\n", path, ontb_strerror(ret));
			return ret;
		}
	}
	return 0;
}

static int serve(const struct options *options, int signal_fd)
{
	struct ontb_vfio_user_server *server;
	struct test_bridge *bridge;
	int ret;

	ret = test_bridge_new(options->nr_ports, options->nr_vectors, &bridge);
	if (ret)
		return ret;
	ret = ontb_vfio_user_server_new(&options->config, &server);
	if (ret)
		goto free_bridge;
	ret = add_ports(server, bridge, options);
	if (!ret) {
		puts("ready");
		fflush(stdout);
		loop(server, options->nr_ports, signal_fd);
	}
	ontb_vfio_user_server_free(server);
free_bridge:
	test_bridge_free(bridge);
	return ret;
}

int main(int argc, char **argv)
{
	struct options options = { .nr_vectors = 8 };
	sigset_t set;
	int ret;

	ontb_vfio_user_config_init(&options.config);
	if (argc < 3)
		return 2;
	options.dir = argv[1];
	options.nr_ports = (unsigned int)strtoul(argv[2], NULL, 0);
	for (int i = 3; i < argc; i++) {
		if (set_option(&options, argv[i]))
			return 2;
	}
	if (!options.nr_ports || options.nr_ports > TEST_MAX_FUNCS)
		return 2;
	ontb_log_set_level(ONTB_LOG_INFO);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (options.trace && ontb_trace_open(options.trace, options.nr_ports, &options.config.trace))
		return 1;
	ret = serve(&options, signalfd(-1, &set, SFD_CLOEXEC));
	ontb_trace_close(options.config.trace);
	return ret ? 1 : 0;
}
