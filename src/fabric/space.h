/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Configuration space of a function: the model's, with the bits on top that are answered by the carrier.
 */
#ifndef ONTB_FABRIC_SPACE_H
#define ONTB_FABRIC_SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "fabric/function.h"

/**
 * ontb_space_init() - read the model's capabilities and take what is answered here
 * @function: Function with its info.
 *
 * A capability that makes no sense is left to the model, with a log line.
 *
 * Context: Outside accesses.
 */
void ontb_space_init(struct ontb_function *function);

/**
 * ontb_space_fini() - undo ontb_space_init()
 * @function: Function.
 */
void ontb_space_fini(struct ontb_function *function);

/**
 * ontb_space_nr_msix() - entries of the MSI-X table
 * @function: Function, after ontb_space_init().
 *
 * Return: 0 if there is none.
 */
unsigned int ontb_space_nr_msix(const struct ontb_function *function);

/**
 * ontb_space_reset() - reset values: no BAR answers, no vector is armed
 * @function: Function.
 *
 * Context: In an exclusive section, or inside an access.
 */
void ontb_space_reset(struct ontb_function *function);

/**
 * ontb_space_read() - read
 * @function: Function.
 * @offset:   Offset.
 * @buf:      OUT.
 * @len:      Bytes.
 *
 * Context: Inside an access.
 * Return: 0 or -ERANGE.
 */
int ontb_space_read(struct ontb_function *function, unsigned int offset, void *buf, size_t len);

/**
 * ontb_space_write() - write
 * @function: Function.
 * @offset:   Offset.
 * @buf:      Bytes.
 * @len:      How many.
 *
 * Context: Inside an access.
 * Return: Whether the write asks for a reset of the function.
 */
bool ontb_space_write(struct ontb_function *function, unsigned int offset, const void *buf, size_t len);

#endif
