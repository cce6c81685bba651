/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Log lines of the server: on standard error, with a priority for the journal when that is where they go.
 */
#ifndef ONTB_TOOL_LOG_SINK_H
#define ONTB_TOOL_LOG_SINK_H

/**
 * ontb_log_sink_install() - choose the form of log lines
 *
 * Context: Before other threads start.
 */
void ontb_log_sink_install(void);

#endif
