// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The file is one JSON array, which a parser would hand out only when it is complete. So the brackets and commas of the
 * array are read here and only its elements go through the parser, piece by piece.
 */
#include "tool/trace_reader.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>

#define BUF_SIZE  (64U << 10)
#define MAX_DEPTH 8

enum reader_state {
	STATE_START,   /* before the opening bracket */
	STATE_BETWEEN, /* between two elements, or before the first one */
	STATE_ELEMENT, /* inside an element */
	STATE_END,     /* behind the closing bracket */
};

/**
 * struct ontb_trace_reader - reading position
 * @file:       Source.
 * @tokener:    Parser, with the part of the element read so far.
 * @state:      Where in the array.
 * @buf:        Bytes read, from @pos to @len not looked at yet.
 * @pos:        .
 * @len:        .
 * @nr_newline: Newlines before @pos.
 * @error:      What was wrong.
 */
struct ontb_trace_reader {
	FILE *file;
	struct json_tokener *tokener;
	enum reader_state state;
	char buf[BUF_SIZE];
	size_t pos;
	size_t len;
	unsigned long nr_newline;
	const char *error;
};

int ontb_trace_reader_new(FILE *file, struct ontb_trace_reader **out)
{
	struct ontb_trace_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!reader->tokener) {
		free(reader);
		return -ENOMEM;
	}
	reader->file = file;
	reader->error = "nothing";
	*out = reader;
	return 0;
}

static int fill(struct ontb_trace_reader *reader)
{
	reader->pos = 0;
	reader->len = fread(reader->buf, 1, sizeof(reader->buf), reader->file);
	if (reader->len)
		return 0;
	if (ferror(reader->file))
		return errno ? -errno : -EIO;
	/* Let a later call see what was written meanwhile. */
	clearerr(reader->file);
	return -EAGAIN;
}

static int fail(struct ontb_trace_reader *reader, const char *why)
{
	reader->error = why;
	return -EPROTO;
}

/* Look at one character outside elements. */
static int step(struct ontb_trace_reader *reader, char c)
{
	if (c == '\n')
		reader->nr_newline++;
	if (isspace((unsigned char)c)) {
		reader->pos++;
		return 0;
	}
	if (reader->state == STATE_END)
		return fail(reader, "something follows the end of the list");
	if (reader->state == STATE_START) {
		if (c != '[')
			return fail(reader, "it does not begin with a list of events");
		reader->state = STATE_BETWEEN;
		reader->pos++;
		return 0;
	}
	if (c == ']') {
		reader->state = STATE_END;
		reader->pos++;
	} else if (c == ',') {
		reader->pos++;
	} else if (c == '{') {
		reader->state = STATE_ELEMENT;
		json_tokener_reset(reader->tokener);
	} else {
		return fail(reader, "an entry of the list is no object");
	}
	return 0;
}

/* Give the parser what there is. 0: an element is complete. */
static int parse(struct ontb_trace_reader *reader, struct json_object **out)
{
	size_t start = reader->pos;
	struct json_object *event;
	enum json_tokener_error error;

	event = json_tokener_parse_ex(reader->tokener, reader->buf + start, (int)(reader->len - start));
	error = json_tokener_get_error(reader->tokener);
	if (error == json_tokener_continue) {
		reader->pos = reader->len;
	} else if (error == json_tokener_success) {
		reader->pos = start + json_tokener_get_parse_end(reader->tokener);
		reader->state = STATE_BETWEEN;
	} else {
		return fail(reader, json_tokener_error_desc(error));
	}
	for (size_t i = start; i < reader->pos; i++)
		reader->nr_newline += reader->buf[i] == '\n';
	if (error == json_tokener_continue)
		return -EAGAIN;
	*out = event;
	return 0;
}

int ontb_trace_reader_next(struct ontb_trace_reader *reader, struct json_object **out)
{
	int ret;

	for (;;) {
		if (reader->pos == reader->len) {
			ret = fill(reader);
			if (ret == -EAGAIN && reader->state == STATE_END)
				return -ENODATA;
			if (ret == -EAGAIN && reader->state == STATE_START)
				return fail(reader, "it is empty");
			if (ret)
				return ret;
		}
		if (reader->state == STATE_ELEMENT) {
			ret = parse(reader, out);
			if (ret != -EAGAIN)
				return ret;
			continue;
		}
		ret = step(reader, reader->buf[reader->pos]);
		if (ret)
			return ret;
	}
}

unsigned long ontb_trace_reader_line(const struct ontb_trace_reader *reader)
{
	return reader->nr_newline + 1;
}

const char *ontb_trace_reader_error(const struct ontb_trace_reader *reader)
{
	return reader->error;
}

void ontb_trace_reader_free(struct ontb_trace_reader *reader)
{
	if (!reader)
		return;
	json_tokener_free(reader->tokener);
	free(reader);
}
