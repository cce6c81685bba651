/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The verbs of the openntb command. Each gets the words from its own name on, prints to standard output, and returns the
 * status that the process exits with.
 */
#ifndef ONTB_TOOL_VERBS_H
#define ONTB_TOOL_VERBS_H

#include "base/annotate.h"

/**
 * enum ontb_exit - how a verb can end
 * @ONTB_EXIT_OK:      Done.
 * @ONTB_EXIT_FAILURE: It could not be done; a line on standard error says what, on which object, and why.
 * @ONTB_EXIT_USAGE:   The command line is wrong; a line says how.
 */
enum ontb_exit {
	ONTB_EXIT_OK = 0,
	ONTB_EXIT_FAILURE = 1,
	ONTB_EXIT_USAGE = 2,
};

/**
 * ontb_cmd_serve() - run a bridge until a signal ends it
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_serve(int argc, char **argv);

/**
 * ontb_cmd_status() - show the state of a running bridge
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_status(int argc, char **argv);

/**
 * ontb_cmd_trace() - print a trace file as text
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_trace(int argc, char **argv);

/**
 * ontb_cmd_demo() - two hosts in this process, and what they do
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_demo(int argc, char **argv);

/**
 * ontb_cmd_soak() - hosts in this process, everything at once, and every message accounted for
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_soak(int argc, char **argv);

/**
 * ontb_cmd_host() - run a host at a port of a running bridge
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_host(int argc, char **argv);

/**
 * ontb_cmd_domains() - show the interrupt domains of a running process
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_domains(int argc, char **argv);

/**
 * ontb_cmd_irqs() - show the interrupts of a running process
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_irqs(int argc, char **argv);

/**
 * ontb_cmd_graph() - print interrupt domains for Graphviz
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_graph(int argc, char **argv);

/**
 * ontb_cmd_version() - print the version
 * @argc: Words, with the verb.
 * @argv: The words.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_version(int argc, char **argv);

/**
 * ontb_cmd_help() - print what there is
 * @argc: Words, with the verb.
 * @argv: The words; a second one names the verb to explain.
 *
 * Return: Exit status.
 */
enum ontb_exit ontb_cmd_help(int argc, char **argv);

/**
 * ontb_tool_error() - say on standard error what went wrong
 * @fmt: Text as for printf(), without newline: what was tried, on which object, the cause.
 *
 * Context: Any thread.
 */
void ontb_tool_error(const char *fmt, ...) ONTB_PRINTF(1, 2);

#endif
