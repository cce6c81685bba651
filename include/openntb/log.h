/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Where the library's log lines go: one per event, as "who: what: why", to standard error unless told otherwise.
 */
#ifndef OPENNTB_LOG_H
#define OPENNTB_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum ontb_log_level - how important a line is
 * @ONTB_LOG_ERROR:   Something that was asked for does not work.
 * @ONTB_LOG_WARNING: Something is wrong, and was dealt with.
 * @ONTB_LOG_NOTICE:  Normal, and worth knowing.
 * @ONTB_LOG_INFO:    Normal.
 * @ONTB_LOG_DEBUG:   For who looks for a fault.
 *
 * Values are those of syslog, so that systemd's journal sorts them.
 */
enum ontb_log_level {
	ONTB_LOG_ERROR = 3,
	ONTB_LOG_WARNING = 4,
	ONTB_LOG_NOTICE = 5,
	ONTB_LOG_INFO = 6,
	ONTB_LOG_DEBUG = 7,
};

/**
 * typedef ontb_log_sink_fn - where lines go
 * @arg:   As given to ontb_log_set_sink().
 * @level: How important it is.
 * @line:  Text without newline; valid during the call.
 */
typedef void ontb_log_sink_fn(void *arg, enum ontb_log_level level, const char *line);

/**
 * ontb_log_set_level() - from which level on lines are written
 * @level: Least important level that is still written; ONTB_LOG_NOTICE at start.
 *
 * Context: Any thread.
 */
void ontb_log_set_level(enum ontb_log_level level);

/**
 * ontb_log_set_sink() - send lines somewhere else than to standard error
 * @sink: Function that takes a line without newline, or NULL for standard error. Called with the log lock held.
 * @arg:  For @sink.
 *
 * Context: Any thread.
 */
void ontb_log_set_sink(ontb_log_sink_fn *sink, void *arg);

#ifdef __cplusplus
}
#endif

#endif
