// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Events as text: time, port, category, name, values, duration.
 */
#include "tool/trace_line.h"

#include <json-c/json.h>
#include <string.h>

#define US_PER_S 1000000.0

static const char *text_member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !value)
		return "";
	return json_object_get_string(value);
}

static double double_member(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_double(value) : 0.0;
}

static bool is_metadata(struct json_object *event)
{
	return !strcmp(text_member(event, "ph"), "M");
}

bool ontb_trace_filter_wants(const struct ontb_trace_filter *filter, struct json_object *event)
{
	struct json_object *port;
	const char *category;
	int port_idx;

	if (is_metadata(event))
		return false;
	if (filter->ports) {
		port_idx = json_object_object_get_ex(event, "tid", &port) ? json_object_get_int(port) : -1;
		if (port_idx < 0 || port_idx > 63 || !(filter->ports >> port_idx & 1))
			return false;
	}
	if (!filter->nr_categories)
		return true;
	category = text_member(event, "cat");
	for (unsigned int i = 0; i < filter->nr_categories; i++) {
		if (!strcmp(filter->categories[i], category))
			return true;
	}
	return false;
}

/* A trace may come from anywhere: what it holds must not reach the terminal as a control sequence. */
static int put_clean(FILE *out, const char *text)
{
	int len = 0;

	for (; *text; text++, len++) {
		unsigned char c = (unsigned char)*text;

		fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
	return len;
}

static void put_padded(FILE *out, const char *text, int width)
{
	int len = put_clean(out, text);

	fprintf(out, "%*s", len < width ? width - len : 0, "");
}

void ontb_trace_line_print(FILE *out, struct json_object *event)
{
	struct json_object *args;

	fprintf(out, "%14.9f  port %-2s  ", double_member(event, "ts") / US_PER_S, text_member(event, "tid"));
	put_padded(out, text_member(event, "cat"), 9);
	fputs("  ", out);
	put_padded(out, text_member(event, "name"), 28);
	if (json_object_object_get_ex(event, "args", &args) && json_object_is_type(args, json_type_object)) {
		json_object_object_foreach(args, key, value)
		{
			fputs("  ", out);
			(void)put_clean(out, key);
			fputc('=', out);
			(void)put_clean(out, value ? json_object_get_string(value) : "null");
		}
	}
	if (json_object_object_get_ex(event, "dur", NULL))
		fprintf(out, "  (%.3f us)", double_member(event, "dur"));
	fputc('\n', out);
}
