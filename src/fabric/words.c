// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Words and options. Whatever the text holds, what comes out of here is printable and short.
 */
#include "fabric/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define GIB  (1ULL << 30)
#define PAGE 4096

int ontb_words_fail(const struct ontb_words *w, const char *fmt, ...)
{
	va_list args;
	int n;

	if (!w->why_len)
		return -EINVAL;
	n = snprintf(w->why, w->why_len, "line %u: ", w->line);
	if (n < 0 || (size_t)n >= w->why_len)
		return -EINVAL;
	va_start(args, fmt);
	(void)vsnprintf(w->why + n, w->why_len - (size_t)n, fmt, args);
	va_end(args);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_end(char c)
{
	return c == '\0' || c == '\n' || c == ';' || c == '#';
}

static bool is_printable(char c)
{
	return c > 0x20 && c < 0x7f;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int read_word(struct ontb_words *w)
{
	char *word = w->words[w->nr_words];
	size_t len = 0;

	for (; !is_blank(*w->at) && !is_end(*w->at); w->at++) {
		if (!is_printable(*w->at))
			return ontb_words_fail(w, "character 0x%02x: only printable ASCII is allowed",
					       (unsigned char)*w->at);
		if (len == ONTB_MAX_WORD)
			return ontb_words_fail(w, "word \"%.16s...\" is longer than %d characters", word,
					       ONTB_MAX_WORD);
		word[len++] = *w->at;
		word[len] = '\0';
	}
	w->nr_words++;
	return 0;
}

/* Reads the words up to the end of a statement; the character that ended it is not taken. */
int ontb_words_read(struct ontb_words *w)
{
	int ret;

	w->nr_words = 0;
	for (;;) {
		while (is_blank(*w->at))
			w->at++;
		if (*w->at == '#') {
			while (*w->at && *w->at != '\n')
				w->at++;
		}
		if (is_end(*w->at))
			return 0;
		if (w->nr_words == ONTB_MAX_WORDS)
			return ontb_words_fail(w, "more than %d words in a statement", ONTB_MAX_WORDS);
		ret = read_word(w);
		if (ret)
			return ret;
	}
}

/* Digits, without sign or blank; *rest is what follows them. False if there are none or too many. */
static bool read_digits(const char *text, uint64_t *value, const char **rest)
{
	*value = 0;
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		if (*value > (UINT64_MAX - 9) / 10)
			return false;
		*value = *value * 10 + (uint64_t)(*text - '0');
	}
	*rest = text;
	return true;
}

static bool scale(uint64_t *value, uint64_t unit)
{
	return !__builtin_mul_overflow(*value, unit, value);
}

bool ontb_words_number(const char *text, uint64_t *value)
{
	const char *rest;

	return read_digits(text, value, &rest) && !*rest;
}

static bool read_size(const char *text, uint64_t *value)
{
	const char *rest;

	if (!read_digits(text, value, &rest))
		return false;
	if (!*rest)
		return true;
	if (rest[1])
		return false;
	switch (*rest) {
	case 'K':
		return scale(value, ONTB_KIB);
	case 'M':
		return scale(value, ONTB_MIB);
	case 'G':
		return scale(value, GIB);
	default:
		return false;
	}
}

static bool read_time(const char *text, uint64_t *value)
{
	const char *rest;

	if (!read_digits(text, value, &rest))
		return false;
	if (!*rest || !strcmp(rest, "ns"))
		return true;
	if (!strcmp(rest, "us"))
		return scale(value, 1000);
	if (!strcmp(rest, "ms"))
		return scale(value, 1000000);
	return !strcmp(rest, "s") && scale(value, 1000000000);
}

const char *ontb_words_size_text(uint64_t size, char *buf, size_t len)
{
	const char *unit = "";

	if (size >= GIB && size % GIB == 0)
		unit = "G";
	else if (size >= ONTB_MIB && size % ONTB_MIB == 0)
		unit = "M";
	else if (size >= ONTB_KIB && size % ONTB_KIB == 0)
		unit = "K";
	size >>= *unit == 'G' ? 30 : *unit == 'M' ? 20 : *unit == 'K' ? 10 : 0;
	(void)snprintf(buf, len, "%" PRIu64 "%s", size, unit);
	return buf;
}

static int fail_value(const struct ontb_words *w, const struct ontb_option *opt, const char *value)
{
	char min[24], max[24];

	switch (opt->kind) {
	case ONTB_OPTION_COUNT:
		return ontb_words_fail(w, "%s=%s: must be a number from %" PRIu64 " to %" PRIu64, opt->key, value,
				       opt->min, opt->max);
	case ONTB_OPTION_POWER:
		return ontb_words_fail(w, "%s=%s: must be %sa power of two from %" PRIu64 " to %" PRIu64, opt->key,
				       value, opt->min ? "" : "0 or ", opt->min ? opt->min : 1, opt->max);
	case ONTB_OPTION_SIZE:
		return ontb_words_fail(w, "%s=%s: must be a size from %s to %s, a multiple of 4K", opt->key, value,
				       ontb_words_size_text(opt->min, min, sizeof(min)),
				       ontb_words_size_text(opt->max, max, sizeof(max)));
	case ONTB_OPTION_BAR:
		return ontb_words_fail(w, "%s=%s: must be a size from %s to %s, a power of two", opt->key, value,
				       ontb_words_size_text(opt->min, min, sizeof(min)),
				       ontb_words_size_text(opt->max, max, sizeof(max)));
	case ONTB_OPTION_TIME:
		return ontb_words_fail(w, "%s=%s: must be a time up to 60s, such as 500, 20us or 3ms", opt->key, value);
	default:
		return ontb_words_fail(w, "%s=%s: must be \"on\" or \"off\"", opt->key, value);
	}
}

static bool read_value(const struct ontb_option *opt, const char *text, uint64_t *value)
{
	switch (opt->kind) {
	case ONTB_OPTION_COUNT:
		return ontb_words_number(text, value);
	case ONTB_OPTION_POWER:
		return ontb_words_number(text, value) && (ontb_is_power_of_two(*value) || (!*value && !opt->min));
	case ONTB_OPTION_SIZE:
		return read_size(text, value) && *value % PAGE == 0;
	case ONTB_OPTION_BAR:
		return read_size(text, value) && ontb_is_power_of_two(*value);
	case ONTB_OPTION_TIME:
		return read_time(text, value);
	default:
		*value = !strcmp(text, "on");
		return *value || !strcmp(text, "off");
	}
}

static int fail_key(const struct ontb_words *w, const char *word, const struct ontb_option *opts, unsigned int nr_opts)
{
	char allowed[128] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < nr_opts; i++)
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s=",
					!i		  ? ""
					: i < nr_opts - 1 ? ", "
							  : " or ",
					opts[i].key);
	return ontb_words_fail(w, "word \"%s\": an option of \"%s\" is %s", word, w->words[0], allowed);
}

static int read_option(struct ontb_words *w, const char *word, const struct ontb_option *opts, unsigned int nr_opts,
		       uint64_t *values)
{
	const char *equals = strchr(word, '=');
	size_t key_len = equals ? (size_t)(equals - word) : 0;

	for (unsigned int i = 0; i < nr_opts; i++) {
		const struct ontb_option *opt = &opts[i];
		uint64_t value;

		if (!key_len || strlen(opt->key) != key_len || memcmp(opt->key, word, key_len) != 0)
			continue;
		if (w->is_given >> i & 1)
			return ontb_words_fail(w, "%s= is given twice", opt->key);
		w->is_given |= 1ULL << i;
		if (!read_value(opt, equals + 1, &value) || value < opt->min || value > opt->max)
			return fail_value(w, opt, equals + 1);
		values[i] = value;
		return 0;
	}
	return fail_key(w, word, opts, nr_opts);
}

int ontb_words_options(struct ontb_words *w, unsigned int first, const struct ontb_option *opts, unsigned int nr_opts,
		       uint64_t *values)
{
	int ret = 0;

	w->is_given = 0;
	for (unsigned int i = first; i < w->nr_words && !ret; i++)
		ret = read_option(w, w->words[i], opts, nr_opts, values);
	return ret;
}
