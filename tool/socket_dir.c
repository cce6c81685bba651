// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The folder of the sockets.
 */
#include "tool/socket_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openntb/bridge.h>
#include <openntb/error.h>

#include "tool/verbs.h"

static int ONTB_PRINTF(3, 4) print_path(char *buf, size_t len, const char *fmt, ...)
{
	va_list args;
	int used;

	va_start(args, fmt);
	used = vsnprintf(buf, len, fmt, args);
	va_end(args);
	return used < 0 || (size_t)used >= len ? -ENAMETOOLONG : 0;
}

int ontb_socket_dir_port_path(const char *dir, unsigned int port_idx, char *buf, size_t len)
{
	return print_path(buf, len, "%s/port%u.sock", dir, port_idx);
}

int ontb_socket_dir_control_path(const char *dir, char *buf, size_t len)
{
	return print_path(buf, len, "%s/control.sock", dir);
}

int ontb_socket_dir_default(char *buf, size_t len)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return print_path(buf, len, "/run/openntb");
	if (!runtime || !*runtime)
		return -ENOENT;
	return print_path(buf, len, "%s/openntb", runtime);
}

/* Who may read and write a socket needs to search the folder. */
static mode_t folder_mode(unsigned int socket_mode)
{
	return (mode_t)(0700 | (socket_mode & 0060 ? 0050 : 0) | (socket_mode & 0006 ? 0005 : 0));
}

static int create_folder(const char *path, unsigned int socket_mode, bool *created)
{
	if (mkdir(path, 0700)) {
		int err = errno;

		if (err == EEXIST)
			return 0;
		ontb_tool_error("socket folder %s: cannot create it: %s", path, strerrordesc_np(err));
		return -err;
	}
	*created = true;
	/* mkdir() would take the umask into account; the mode that was asked for is what counts. */
	if (chmod(path, folder_mode(socket_mode))) {
		int err = errno;

		ontb_tool_error("socket folder %s: cannot set its mode: %s", path, strerrordesc_np(err));
		(void)rmdir(path);
		return -err;
	}
	return 0;
}

static int check_folder(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
		ontb_tool_error(
			"socket folder %s: everybody may write to it (mode %04o), so anybody could replace a socket",
			path, st.st_mode & 07777U);
		return -EPERM;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int err = errno;

		if (err == EWOULDBLOCK) {
			ontb_tool_error("socket folder %s: a running openntb has it", path);
			return -EBUSY;
		}
		ontb_tool_error("socket folder %s: cannot lock it: %s", path, strerrordesc_np(err));
		return -err;
	}
	return 0;
}

int ontb_socket_dir_open(struct ontb_socket_dir *dir, const char *path, unsigned int socket_mode)
{
	char longest[ONTB_SOCKET_PATH_SIZE];
	bool created = false;
	int fd, ret;

	if (ontb_socket_dir_port_path(path, ONTB_MAX_PORTS - 1, longest, sizeof(longest)) ||
	    ontb_socket_dir_control_path(path, longest, sizeof(longest))) {
		ontb_tool_error("socket folder %s: the name is too long: a socket's path has at most %d bytes", path,
				ONTB_SOCKET_PATH_SIZE - 1);
		return -ENAMETOOLONG;
	}
	ret = create_folder(path, socket_mode, &created);
	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		ontb_tool_error("socket folder %s: cannot open it: %s", path, strerrordesc_np(-ret));
		goto remove_folder;
	}
	ret = check_folder(path, fd);
	if (ret)
		goto close_fd;
	(void)snprintf(dir->path, sizeof(dir->path), "%s", path);
	dir->fd = fd;
	dir->created = created;
	return 0;

close_fd:
	(void)close(fd);
remove_folder:
	if (created)
		(void)rmdir(path);
	return ret;
}

void ontb_socket_dir_close(struct ontb_socket_dir *dir)
{
	/* Removing it while the lock is held: a new server makes a new folder and never locks one that is going away. */
	if (dir->created)
		(void)rmdir(dir->path);
	(void)close(dir->fd);
}
