// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Log lines for people and for the journal. systemd takes the priority from a prefix such as "<4>", see sd-daemon(3).
 */
#include "tool/log_sink.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static void write_journal_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	fprintf(stderr, "<%d>%s\n", (int)level, line);
}

/* JOURNAL_STREAM names the journal's socket as device:inode; it is inherited also by what redirects standard error. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	dev = strtoumax(stream, &end, 10);
	if (*end != ':')
		return false;
	ino = strtoumax(end + 1, &end, 10);
	return !*end && dev == st.st_dev && ino == st.st_ino;
}

void ontb_log_sink_install(void)
{
	if (is_journal())
		ontb_log_set_sink(write_journal_line, NULL);
}
