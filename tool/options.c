// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The words of a verb.
 */
#include "tool/options.h"

#include <stdint.h>

#include "tool/number.h"

void ontb_options_start(void)
{
	optind = 0;
	opterr = 0;
}

int ontb_options_next(const char *verb, int argc, char **argv, const struct option *names)
{
	int c = getopt_long(argc, argv, ":", names, NULL);

	if (c == ':') {
		ontb_tool_error("%s: option '%s' needs a value", verb, argv[optind - 1]);
		return '?';
	}
	if (c == '?')
		ontb_tool_error("%s: there is no option '%s'; see \"openntb %s --help\"", verb, argv[optind - 1], verb);
	return c;
}

enum ontb_exit ontb_options_end(const char *verb, int argc, char **argv)
{
	if (optind >= argc)
		return ONTB_EXIT_OK;
	ontb_tool_error("%s: unexpected word '%s'", verb, argv[optind]);
	return ONTB_EXIT_USAGE;
}

enum ontb_exit ontb_options_number(const char *verb, const char *option, unsigned int low, unsigned int high,
				   unsigned int *out)
{
	uint64_t number;

	if (ontb_number_parse(optarg, &number) || number < low || number > high) {
		ontb_tool_error("%s: --%s %s: give a number from %u to %u", verb, option, optarg, low, high);
		return ONTB_EXIT_USAGE;
	}
	*out = (unsigned int)number;
	return ONTB_EXIT_OK;
}
