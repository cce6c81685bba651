/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Numbers and sizes as people write them on a command line.
 */
#ifndef ONTB_TOOL_NUMBER_H
#define ONTB_TOOL_NUMBER_H

#include <stdint.h>

#include "base/annotate.h"

/**
 * ontb_number_parse() - read a whole number
 * @text: Decimal, or hexadecimal after 0x; then perhaps one of K, M, G for powers of 1024. Nothing else around it.
 * @out:  OUT.
 *
 * Return: 0, or
 *         -EINVAL  @text is no such number.
 *         -ERANGE  it does not fit into 64 bits.
 */
int ontb_number_parse(const char *text, uint64_t *out) ONTB_MUST_CHECK;

/**
 * ontb_number_parse_octal() - read permission bits
 * @text: Octal digits, with or without a leading 0.
 * @out:  OUT, 0..07777.
 *
 * Return: 0, or
 *         -EINVAL  @text is no octal number.
 *         -ERANGE  it has more than the twelve permission bits.
 */
int ontb_number_parse_octal(const char *text, unsigned int *out) ONTB_MUST_CHECK;

#endif
