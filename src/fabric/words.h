/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Words of a description: a statement is a list of them, and its options are words "key=value" that a table describes.
 */
#ifndef ONTB_FABRIC_WORDS_H
#define ONTB_FABRIC_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/bridge.h>

#include "base/annotate.h"

#define ONTB_MAX_WORD  63
#define ONTB_MAX_WORDS (ONTB_MAX_PORTS + 8)

/**
 * struct ontb_words - where a reader is in a text, and the statement that it has read
 * @at:       Next character.
 * @line:     Its line, from 1.
 * @why:      For the text of an error.
 * @why_len:  Size of @why.
 * @words:    Words of the statement.
 * @nr_words: How many.
 * @is_given: A bit for each option of the table that was given.
 */
struct ontb_words {
	const char *at;
	unsigned int line;
	char *why;
	size_t why_len;
	char words[ONTB_MAX_WORDS][ONTB_MAX_WORD + 1];
	unsigned int nr_words;
	uint64_t is_given;
};

/**
 * enum ontb_option_kind - what the value of an option is
 * @ONTB_OPTION_COUNT:  A number.
 * @ONTB_OPTION_POWER:  A number that is a power of two, or 0 if that is the least value.
 * @ONTB_OPTION_SIZE:   Bytes with K, M, G; a multiple of a page.
 * @ONTB_OPTION_BAR:    Bytes with K, M, G; a power of two.
 * @ONTB_OPTION_TIME:   Nanoseconds, or with a unit: ns, us, ms, s.
 * @ONTB_OPTION_SWITCH: on, off.
 */
enum ontb_option_kind {
	ONTB_OPTION_COUNT,
	ONTB_OPTION_POWER,
	ONTB_OPTION_SIZE,
	ONTB_OPTION_BAR,
	ONTB_OPTION_TIME,
	ONTB_OPTION_SWITCH,
};

/**
 * struct ontb_option - a row of the table of a statement's options
 * @key:  Name.
 * @kind: What the value is.
 * @min:  Least value.
 * @max:  Greatest value.
 */
struct ontb_option {
	const char *key;
	enum ontb_option_kind kind;
	uint64_t min;
	uint64_t max;
};

/**
 * ontb_words_fail() - say what is wrong with the statement
 * @w:   Words.
 * @fmt: Text as for printf(); the line goes before it.
 *
 * Return: -EINVAL.
 */
int ontb_words_fail(const struct ontb_words *w, const char *fmt, ...) ONTB_PRINTF(2, 3);

/**
 * ontb_words_read() - read the words up to the end of a statement
 * @w: Words. The character that ends the statement (newline, semicolon, end of the text) is not taken.
 *
 * Return: 0, or -EINVAL with a reason.
 */
int ontb_words_read(struct ontb_words *w);

/**
 * ontb_words_options() - read the options among the words
 * @w:       Words.
 * @first:   First one that may be an option; all from there must be.
 * @opts:    Table.
 * @nr_opts: Its rows, at most 64.
 * @values:  IN defaults, OUT values, by row.
 *
 * Return: 0, or -EINVAL with a reason.
 */
int ontb_words_options(struct ontb_words *w, unsigned int first, const struct ontb_option *opts, unsigned int nr_opts,
		       uint64_t *values);

/**
 * ontb_words_number() - read a number
 * @text:  Digits and nothing else.
 * @value: OUT.
 *
 * Return: Whether it is one that fits.
 */
bool ontb_words_number(const char *text, uint64_t *value);

/**
 * ontb_words_size_text() - write a size as it is read
 * @size: Bytes.
 * @buf:  OUT.
 * @len:  Size of @buf.
 *
 * Return: @buf.
 */
const char *ontb_words_size_text(uint64_t size, char *buf, size_t len);

#endif
