/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * CRC-32C (polynomial 0x1edc6f41, reflected), which finds every error that spans no more than 32 bits.
 */
#ifndef ONTB_BASE_CRC32C_H
#define ONTB_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * ontb_crc32c() - check of bytes, or of more bytes
 * @crc: 0, or the check of what comes before.
 * @buf: Bytes.
 * @len: How many.
 *
 * Uses the processor's instruction if there is one.
 *
 * Return: Check.
 */
uint32_t ontb_crc32c(uint32_t crc, const void *buf, size_t len);

/**
 * ontb_crc32c_portable() - the same on any processor
 * @crc: As above.
 * @buf: As above.
 * @len: As above.
 *
 * Return: Check.
 */
uint32_t ontb_crc32c_portable(uint32_t crc, const void *buf, size_t len);

#endif
