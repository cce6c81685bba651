// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Numbers as people write them. strtoull() alone accepts a sign and leading blanks and does not tell what follows.
 */
#include "tool/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return 0;
	}
}

int ontb_number_parse(const char *text, uint64_t *out)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	unsigned int shift;
	uint64_t value;
	char *end;

	if (!isxdigit((unsigned char)text[0]) || (base == 16 && !isxdigit((unsigned char)text[2])))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (end == text)
		return -EINVAL;
	shift = suffix_shift(*end);
	if (shift)
		end++;
	if (*end)
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*out = value << shift;
	return 0;
}

int ontb_number_parse_octal(const char *text, unsigned int *out)
{
	unsigned int value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return -EINVAL;
		value = value * 8 + (unsigned int)(*text - '0');
		if (value > 07777)
			return -ERANGE;
	}
	*out = value;
	return 0;
}
