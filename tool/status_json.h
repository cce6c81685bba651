/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The state of a server as JSON; docs/control.md describes every member.
 */
#ifndef ONTB_TOOL_STATUS_JSON_H
#define ONTB_TOOL_STATUS_JSON_H

#include <json-c/json_types.h>
#include <stdint.h>

#include <openntb/bridge.h>
#include <openntb/vfio_user.h>

#include "base/annotate.h"

/* Raised when a member changes its meaning or goes away; new members may appear without. */
#define ONTB_STATUS_SCHEMA 1

/**
 * struct ontb_status_source - what a status is made from
 * @bridge:     The bridge.
 * @server:     The server; its port n is the bridge's port n.
 * @socket_dir: Folder of the sockets.
 * @start_ns:   When the server started, as ontb_clock_ns() gives it.
 */
struct ontb_status_source {
	struct ontb_bridge *bridge;
	struct ontb_vfio_user_server *server;
	const char *socket_dir;
	uint64_t start_ns;
};

/**
 * ontb_status_json() - describe a server
 * @source: What to describe.
 *
 * Context: The thread that dispatches the server, outside accesses.
 * Return: {"ok": true, ...}, which the caller takes over, or NULL when there is no memory.
 */
struct json_object *ontb_status_json(const struct ontb_status_source *source) ONTB_MUST_CHECK;

#endif
