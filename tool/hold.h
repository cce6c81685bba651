/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Staying until a signal, with a control socket that answers meanwhile: for the verbs whose hosts run in threads of their own.
 */
#ifndef ONTB_TOOL_HOLD_H
#define ONTB_TOOL_HOLD_H

#include "base/annotate.h"
#include "tool/control.h"

/**
 * ontb_hold_block_signals() - leave SIGTERM, SIGINT and SIGHUP to ontb_hold()
 *
 * Context: Before the first thread starts, so that all inherit it. SIGPIPE is ignored from then on.
 */
void ontb_hold_block_signals(void);

/**
 * ontb_hold() - print that all is ready, then wait
 * @socket_dir: Folder of the control socket, or NULL for none.
 * @handler:    Answers requests.
 * @arg:        For @handler.
 * @ready:      Line to print when the control socket is there.
 *
 * Says on standard error what went wrong.
 *
 * Return: 0 after a signal, or an error.
 */
int ontb_hold(const char *socket_dir, ontb_control_handler *handler, void *arg, const char *ready) ONTB_MUST_CHECK;

#endif
