/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The words of a verb, and what is said about wrong ones.
 */
#ifndef ONTB_TOOL_OPTIONS_H
#define ONTB_TOOL_OPTIONS_H

#include <getopt.h>

#include "tool/verbs.h"

/**
 * ontb_options_start() - begin with the first word
 *
 * Context: Main thread; getopt_long() has one state.
 */
void ontb_options_start(void);

/**
 * ontb_options_next() - the next option
 * @verb:  Verb, for the message.
 * @argc:  Words, with the verb.
 * @argv:  The words.
 * @names: Options, as for getopt_long(). The value of an option, if it has one, is in optarg.
 *
 * Return: what @names says for it; -1 after the last one; '?' if it is wrong, which was said.
 */
int ontb_options_next(const char *verb, int argc, char **argv, const struct option *names);

/**
 * ontb_options_end() - say that no words may be left
 * @verb: Verb, for the message.
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: ONTB_EXIT_OK, or ONTB_EXIT_USAGE if there is one, which was said.
 */
enum ontb_exit ontb_options_end(const char *verb, int argc, char **argv);

/**
 * ontb_options_number() - read the value of an option
 * @verb:   Verb, for the message.
 * @option: Name of the option, for the message.
 * @low:    Smallest number.
 * @high:   Largest one.
 * @out:    OUT.
 *
 * Return: ONTB_EXIT_OK, or ONTB_EXIT_USAGE if optarg is no such number, which was said.
 */
enum ontb_exit ontb_options_number(const char *verb, const char *option, unsigned int low, unsigned int high,
				   unsigned int *out);

#endif
