/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The asking side of the control socket.
 */
#ifndef ONTB_TOOL_CONTROL_CLIENT_H
#define ONTB_TOOL_CONTROL_CLIENT_H

#include <json-c/json_types.h>

#include "base/annotate.h"

/**
 * ontb_control_ask() - send one request and wait for the reply
 * @path:    Control socket.
 * @request: One line of JSON, without newline.
 * @out:     OUT, the reply, an object whose "ok" is true; the caller takes it over.
 *
 * Says on standard error what went wrong.
 *
 * Context: Blocks for some seconds at most.
 * Return: 0, or
 *         -EPROTO        the reply is no JSON object, too long, or breaks off.
 *         -EREMOTEIO     the server said no.
 *         -ETIMEDOUT     no reply came in time.
 *         -ENAMETOOLONG  @path is longer than a UNIX socket's path can be.
 *         other          a system call failed.
 */
int ontb_control_ask(const char *path, const char *request, struct json_object **out) ONTB_MUST_CHECK;

#endif
