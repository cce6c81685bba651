// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A listening UNIX socket. See listener.h.
 */
#include "vfio_user/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 16

/*
 * Remove a socket whose server is dead: connecting to it is refused.
 *
 * Return: 0 if nothing is there any more, or why the path cannot be had.
 */
static int clear_path(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, ret;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN || errno == EINPROGRESS)
		ret = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		ret = unlink(addr->sun_path) && errno != ENOENT ? -errno : 0;
	else
		ret = -errno;
	(void)close(fd);
	return ret;
}

int ontb_listener_open(struct ontb_listener *listener, const char *path, unsigned int mode)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, ret;

	if (!path[0])
		return -EINVAL;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	ret = clear_path(&addr);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Linux gives the path the mode of the unbound socket, less the umask: it is never wider than wanted. */
	if (fchmod(fd, mode) || bind(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		ret = -errno;
		goto close_fd;
	}
	if (chmod(path, mode) || lstat(path, &st) || listen(fd, BACKLOG)) {
		ret = -errno;
		goto remove_path;
	}
	listener->fd = fd;
	listener->addr = addr;
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	return 0;

remove_path:
	(void)unlink(path);
close_fd:
	(void)close(fd);
	return ret;
}

void ontb_listener_close(struct ontb_listener *listener)
{
	struct stat st;

	if (!lstat(listener->addr.sun_path, &st) && st.st_dev == listener->dev && st.st_ino == listener->ino)
		(void)unlink(listener->addr.sun_path);
	(void)close(listener->fd);
}
