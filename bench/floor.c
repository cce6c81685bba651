// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Two floors. "Echo" is a bare socket ping-pong: one receive, one send of the size that a 4-byte read reply has. "Walk" is a
 * buffered reader: one receive into 64 KiB, a walk from header to header, one send with all replies; no checks, no
 * registers, no memory. Nothing that speaks the protocol in this way can be faster than they are.
 */
#include "floor.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "client.h"

#define BUFFER_SIZE 65536
#define REPLY_SIZE  (WIRE_ACCESS_SIZE + 4)

static void echo(int fd)
{
	uint8_t buf[BUFFER_SIZE], reply[REPLY_SIZE] = { 0 };

	while (recv(fd, buf, sizeof(buf), 0) > 0) {
		if (send(fd, reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			return;
	}
}

static void walk(int fd)
{
	static uint8_t in[BUFFER_SIZE], out[BUFFER_SIZE * 2];
	size_t fill = 0;

	for (;;) {
		ssize_t n = recv(fd, in + fill, sizeof(in) - fill, 0);
		size_t pos = 0, out_len = 0;

		if (n <= 0)
			return;
		fill += (size_t)n;
		while (fill - pos >= WIRE_HEADER_SIZE) {
			uint32_t size = ontb_get_le32(in + pos + 4);

			if (fill - pos < size)
				break;
			if (!(ontb_get_le32(in + pos + 8) & 0x10)) {
				memcpy(out + out_len, in + pos, WIRE_ACCESS_SIZE);
				ontb_put_le32(out + out_len + 4, REPLY_SIZE);
				ontb_put_le32(out + out_len + 8, 1);
				out_len += REPLY_SIZE;
			}
			pos += size;
		}
		memmove(in, in + pos, fill - pos);
		fill -= pos;
		if (out_len && send_all(fd, out, out_len))
			return;
	}
}

int floor_start(struct floor_server *floor, bool do_walk)
{
	int fds[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		goto close_fds;
	}
	if (!pid) {
		(void)close(fds[0]);
		if (do_walk)
			walk(fds[1]);
		else
			echo(fds[1]);
		_exit(0);
	}
	(void)close(fds[1]);
	floor->fd = fds[0];
	floor->pid = pid;
	return 0;

close_fds:
	(void)close(fds[0]);
	(void)close(fds[1]);
	return ret;
}

void floor_stop(struct floor_server *floor)
{
	(void)close(floor->fd);
	(void)waitpid(floor->pid, NULL, 0);
}
