/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Fault injection: make the n-th fallible call of this thread fail.
 *
 * The linker sends malloc() and other calls through wrappers (see meson.build); only calls made in the code under test
 * count, not those inside the C library. A test runs an operation with call 0 failing, then 1, then 2, until it succeeds
 * because it makes fewer calls than that: then every failure has been seen.
 */
#ifndef ONTB_TESTS_FAULT_INJECT_H
#define ONTB_TESTS_FAULT_INJECT_H

#include <stdbool.h>

/**
 * inject_arm() - let one call fail
 * @nth: Which of this thread's fallible calls from now on, counted from 0.
 */
void inject_arm(unsigned int nth);

/**
 * inject_disarm() - let all calls through
 *
 * Return: Whether a call has failed since inject_arm().
 */
bool inject_disarm(void);

/**
 * inject_failed_call() - name of the call that failed last
 *
 * Return: Constant text, "" if none.
 */
const char *inject_failed_call(void);

/**
 * inject_nr_open_files() - descriptors that this process has open
 *
 * Return: The number.
 */
unsigned int inject_nr_open_files(void);

#endif
