/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Access to memory that another process can take away.
 *
 * A client maps a file into us and may shorten the file at any time; the next access then raises SIGBUS. A thread names
 * the range before it touches it; the handler, finding the fault inside the range of its own thread, puts zero pages over
 * the place and marks the range as dead, and the access goes on. The caller sees the mark afterwards. Faults anywhere
 * else go to the handler that was installed before.
 */
#ifndef ONTB_VFIO_USER_GUARD_H
#define ONTB_VFIO_USER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"

/**
 * struct ontb_guard_range - mapped memory of a client
 * @start:     First byte, aligned to @page_size.
 * @len:       Bytes.
 * @page_size: Of the file behind it, a power of two.
 * @prot:      As given to mmap().
 * @is_dead:   Part of it is gone.
 */
struct ontb_guard_range {
	uint8_t *start;
	size_t len;
	size_t page_size;
	int prot;
	_Atomic bool is_dead;
};

extern _Thread_local struct ontb_guard_range *volatile ontb_guard_current;

/**
 * ontb_guard_install() - install the handler, once per process
 *
 * Context: Any thread.
 * Return: 0 or a negative errno value of sigaction().
 */
int ontb_guard_install(void) ONTB_MUST_CHECK;

/**
 * ontb_guard_enter() - this thread is going to touch a range
 * @range: Range; stays mapped until ontb_guard_leave().
 */
static inline void ontb_guard_enter(struct ontb_guard_range *range)
{
	ontb_guard_current = range;
	atomic_signal_fence(memory_order_seq_cst);
}

/**
 * ontb_guard_leave() - done
 */
static inline void ontb_guard_leave(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	ontb_guard_current = NULL;
}

#endif
