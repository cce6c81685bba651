/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Floors: what the same exchange costs when the server does nothing. Each runs in a process of its own, as the
 * server does, over a socket pair.
 */
#ifndef ONTB_BENCH_FLOOR_H
#define ONTB_BENCH_FLOOR_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct floor_server - a server that does nothing
 * @fd:  The client's end.
 * @pid: Its process.
 */
struct floor_server {
	int fd;
	pid_t pid;
};

/**
 * floor_start() - start it
 * @floor: OUT.
 * @walk:  Walk messages and answer those that want a reply; otherwise answer each receive with one reply.
 *
 * Return: 0 or a negative errno value.
 */
int floor_start(struct floor_server *floor, bool walk);

/**
 * floor_stop() - stop it
 * @floor: Server.
 */
void floor_stop(struct floor_server *floor);

#endif
