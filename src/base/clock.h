/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#ifndef ONTB_BASE_CLOCK_H
#define ONTB_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define ONTB_NS_PER_MS 1000000ULL
#define ONTB_NS_PER_S  1000000000ULL

/**
 * ontb_clock_ns() - monotonic time
 *
 * Context: Any thread; a call without a system call on Linux.
 * Return: Nanoseconds since some moment before the process started.
 */
static inline uint64_t ontb_clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * ONTB_NS_PER_S + (uint64_t)ts.tv_nsec;
}

#endif
