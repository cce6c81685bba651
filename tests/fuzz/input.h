/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What fuzz targets have in common: an input that is used up byte by byte, and comparison with a model. The fuzzer does not
 * watch these functions.
 */
#ifndef ONTB_TESTS_FUZZ_INPUT_H
#define ONTB_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

struct input {
	const uint8_t *data;
	size_t left;
};

/* The next byte; 0 when all are used up. */
static inline uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

/* The next bytes as a number, the lowest one first. */
static inline uint64_t take_value(struct input *in, unsigned int nr_bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < nr_bytes; i++)
		value |= (uint64_t)take(in) << (8 * i);
	return value;
}

#define CHECK(what) check(what, #what, __FILE__, __LINE__)

/* The code and the model of it have to agree. */
static inline void check(bool ok, const char *text, const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: not as the model says: %s\n", file, line, text);
	abort();
}

#pragma clang attribute pop

#endif
