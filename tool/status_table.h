/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A status reply as tables for people. Everything comes from the JSON, so the two never disagree.
 */
#ifndef ONTB_TOOL_STATUS_TABLE_H
#define ONTB_TOOL_STATUS_TABLE_H

#include <json-c/json_types.h>
#include <stdio.h>

#include "base/annotate.h"

/**
 * ontb_status_print() - print a status reply
 * @out:    Where to.
 * @status: The reply, an object; what it lacks is printed as "-".
 *
 * Return: 0, or
 *         -ENOMEM  no memory.
 *         -EPROTO  @status holds no list of ports.
 */
int ontb_status_print(FILE *out, struct json_object *status) ONTB_MUST_CHECK;

#endif
