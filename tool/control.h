/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The control socket of a server: a program sends one JSON object per line and gets one JSON object per line back.
 *
 * Everything a client can use up is bounded: length of a request, number of clients, and one reply at a time (a client
 * that does not read its reply is not read from). Nothing here ever blocks the server.
 */
#ifndef ONTB_TOOL_CONTROL_H
#define ONTB_TOOL_CONTROL_H

#include <json-c/json_types.h>
#include <stdint.h>

#include "base/annotate.h"

/* Longest request with its newline. */
#define ONTB_CONTROL_MAX_REQUEST 4096

/* Clients at a time; a further one takes the place of the one that was silent longest. */
#define ONTB_CONTROL_MAX_CLIENTS 16

struct ontb_control;

/**
 * typedef ontb_control_handler - answers a request
 * @arg:     As given to ontb_control_new().
 * @request: A JSON object. Borrowed.
 * @left:    0 in the first call for a request. What takes long is done a part at a time: then the handler sets it, returns NULL, and is
 *           called once more with the same request and what it has set when others have had their turn; until it leaves 0 there. A
 *           client that goes meanwhile takes its request along.
 *
 * Return: The reply, which the caller takes over, or NULL when there is no memory.
 */
typedef struct json_object *ontb_control_handler(void *arg, struct json_object *request, uint64_t *left);

/**
 * ontb_control_new() - listen on a control socket
 * @path:    Path of the socket. One that is left from a dead server is replaced.
 * @mode:    Its permission bits.
 * @handler: Answers requests; runs in the thread that dispatches.
 * @arg:     For @handler.
 * @out:     OUT.
 *
 * Context: Changes the umask for a moment, so not while other threads create files.
 * Return: 0, or
 *         -EADDRINUSE    a live server listens there.
 *         -EEXIST        something that is not a socket is there.
 *         -ENAMETOOLONG  longer than a UNIX socket's path can be.
 *         -ENOMEM        no memory.
 *         other          a system call failed.
 */
int ontb_control_new(const char *path, unsigned int mode, ontb_control_handler *handler, void *arg,
		     struct ontb_control **out) ONTB_MUST_CHECK;

/**
 * ontb_control_fd() - descriptor that becomes readable when dispatching has work
 * @control: Control socket.
 *
 * Context: Any thread.
 * Return: A descriptor for poll() or epoll, owned by the control socket.
 */
int ontb_control_fd(const struct ontb_control *control);

/**
 * ontb_control_dispatch() - accept clients, read requests, send replies
 * @control: Control socket.
 *
 * Context: One thread at a time. Never blocks.
 */
void ontb_control_dispatch(struct ontb_control *control);

/**
 * ontb_control_free() - disconnect all clients and remove the socket
 * @control: Control socket or NULL.
 *
 * Context: The thread that dispatches.
 */
void ontb_control_free(struct ontb_control *control);

/**
 * ontb_control_error_reply() - make a reply that says no
 * @text: Why.
 *
 * Return: {"ok": false, "error": @text}, which the caller takes over, or NULL when there is no memory.
 */
struct json_object *ontb_control_error_reply(const char *text);

#endif
