/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The folder that holds the sockets of one server: DIR/port0.sock, DIR/port1.sock, ..., DIR/control.sock.
 *
 * A server locks the folder (flock), so there is never a moment in which two servers think it is theirs, and a server
 * that was killed leaves no lock behind.
 */
#ifndef ONTB_TOOL_SOCKET_DIR_H
#define ONTB_TOOL_SOCKET_DIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/annotate.h"

/* Length of a UNIX socket's path with its final NUL, see unix(7). */
#define ONTB_SOCKET_PATH_SIZE 108

/**
 * struct ontb_socket_dir - the folder, held by a server
 * @path:    Its name.
 * @fd:      The open folder, locked.
 * @created: It did not exist before and is removed at the end.
 *
 * Constant after opening.
 */
struct ontb_socket_dir {
	char path[ONTB_SOCKET_PATH_SIZE];
	int fd;
	bool created;
};

/**
 * ontb_socket_dir_default() - where sockets are unless the user says otherwise
 * @buf: OUT, /run/openntb for root, otherwise openntb below XDG_RUNTIME_DIR.
 * @len: Size of @buf.
 *
 * Return: 0, or
 *         -ENOENT        not root and XDG_RUNTIME_DIR is not set.
 *         -ENAMETOOLONG  does not fit.
 */
int ontb_socket_dir_default(char *buf, size_t len) ONTB_MUST_CHECK;

/**
 * ontb_socket_dir_open() - make the folder if need be, and lock it
 * @dir:         OUT, memory of the caller; written only on success.
 * @path:        Name of the folder; all folders above it exist.
 * @socket_mode: Permission bits of the sockets; who may use a socket may enter a folder that is created here.
 *
 * Says on standard error what went wrong.
 *
 * Return: 0, or
 *         -EBUSY         another server has it.
 *         -EPERM         everybody may write to it, so that the sockets in it are not safe.
 *         -ENAMETOOLONG  no room for the names of the sockets.
 *         other          a system call failed.
 */
int ontb_socket_dir_open(struct ontb_socket_dir *dir, const char *path, unsigned int socket_mode) ONTB_MUST_CHECK;

/**
 * ontb_socket_dir_close() - unlock, and remove the folder if it was created and is empty
 * @dir: Folder.
 */
void ontb_socket_dir_close(struct ontb_socket_dir *dir);

/**
 * ontb_socket_dir_port_path() - name of a port's socket
 * @dir:      Folder's name.
 * @port_idx: Port.
 * @buf:      OUT.
 * @len:      Size of @buf.
 *
 * Return: 0, or
 *         -ENAMETOOLONG  does not fit.
 */
int ontb_socket_dir_port_path(const char *dir, unsigned int port_idx, char *buf, size_t len) ONTB_MUST_CHECK;

/**
 * ontb_socket_dir_control_path() - name of the control socket
 * @dir: Folder's name.
 * @buf: OUT.
 * @len: Size of @buf.
 *
 * Return: 0, or
 *         -ENAMETOOLONG  does not fit.
 */
int ontb_socket_dir_control_path(const char *dir, char *buf, size_t len) ONTB_MUST_CHECK;

#endif
