/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The server under test: a real "openntb serve" process with sockets in a private folder.
 */
#ifndef ONTB_BENCH_SERVER_H
#define ONTB_BENCH_SERVER_H

#include <stddef.h>
#include <sys/types.h>

#include "client.h"

#define BENCH_MAX_HOSTS 8

/**
 * struct server - a running server and the clients of its ports
 * @pid:      Process.
 * @dir:      Folder of its sockets.
 * @nr_hosts: Clients connected, to port 0 and on.
 * @hosts:    Clients.
 */
struct server {
	pid_t pid;
	char dir[64];
	unsigned int nr_hosts;
	struct client hosts[BENCH_MAX_HOSTS];
};

/**
 * server_start() - start a server and wait until its sockets answer
 * @server:   OUT.
 * @openntb:  Path of the command.
 * @nr_ports: Ports.
 *
 * Return: 0 or a negative errno value.
 */
int server_start(struct server *server, const char *openntb, unsigned int nr_ports);

/**
 * server_connect() - connect one more host and open its windows for the peer, if both are there
 * @server: Server.
 *
 * After the second host of a pair: BAR2 offset 0 of each reaches the other's memory, BAR4 the other's interrupt addresses.
 *
 * Return: 0 or a negative errno value.
 */
int server_connect(struct server *server);

/**
 * server_pin() - keep all threads of the server, and the caller, on one core; or let them free again
 * @server: Server.
 * @core:   Core, or -1 for all.
 *
 * Return: 0 or a negative errno value.
 */
int server_pin(const struct server *server, int core);

/**
 * server_memory() - memory of the server that is not shared with its clients
 * @server: Server.
 *
 * Return: Bytes, or a negative errno value.
 */
long server_memory(const struct server *server);

/**
 * server_stop() - disconnect the clients and end the server
 * @server: Server.
 */
void server_stop(struct server *server);

#endif
