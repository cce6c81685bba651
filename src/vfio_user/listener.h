/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A listening UNIX socket with a path that is ours alone.
 */
#ifndef ONTB_VFIO_USER_LISTENER_H
#define ONTB_VFIO_USER_LISTENER_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/annotate.h"

/**
 * struct ontb_listener - the socket
 * @fd:   Descriptor, not blocking.
 * @addr: Where it is.
 * @dev:  Device and inode of the path, so that only our own is removed.
 * @ino:  .
 */
struct ontb_listener {
	int fd;
	struct sockaddr_un addr;
	dev_t dev;
	ino_t ino;
};

/**
 * ontb_listener_open() - listen
 * @listener: Memory of the caller.
 * @path:     Path. A socket that nobody listens on is replaced.
 * @mode:     Permission bits; the path never has more.
 *
 * Return: 0, -EADDRINUSE (a live server listens there), -EEXIST (something else is there), -ENAMETOOLONG, -EINVAL (empty),
 * or the error of a system call.
 */
int ontb_listener_open(struct ontb_listener *listener, const char *path, unsigned int mode) ONTB_MUST_CHECK;

/**
 * ontb_listener_close() - stop listening and remove the path if it is still this socket
 * @listener: Listener.
 */
void ontb_listener_close(struct ontb_listener *listener);

#endif
