/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Tells a service manager that the server is ready: one datagram to the socket in NOTIFY_SOCKET, see sd_notify(3).
 */
#ifndef ONTB_TOOL_NOTIFY_H
#define ONTB_TOOL_NOTIFY_H

/**
 * ontb_notify_send() - send a state
 * @state: Lines such as "READY=1".
 *
 * Nothing happens when no service manager listens.
 *
 * Context: Any thread. Does not block.
 * Return: 0, or a failed system call's error, or
 *         -ENAMETOOLONG  NOTIFY_SOCKET holds no usable address.
 */
int ontb_notify_send(const char *state);

#endif
