/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Little-endian values in byte buffers, and arithmetic that cannot overflow.
 */
#ifndef ONTB_BASE_BYTES_H
#define ONTB_BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ONTB_KIB (1ULL << 10)
#define ONTB_MIB (1ULL << 20)

static inline uint16_t ontb_get_le16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t ontb_get_le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t ontb_get_le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void ontb_put_le16(void *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void ontb_put_le32(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void ontb_put_le64(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

/**
 * ontb_range_fits() - whether [@start, @start + @count) lies inside [0, @size)
 * @start: First.
 * @count: How many; 0 fits anywhere up to @size.
 * @size:  Size of the whole.
 *
 * Return: True if it does; never fooled by overflow.
 */
static inline bool ontb_range_fits(uint64_t start, uint64_t count, uint64_t size)
{
	return start <= size && count <= size - start;
}

/**
 * ontb_ranges_overlap() - whether two non-empty ranges share an address
 * @a:     Start of the first.
 * @a_len: Its length; @a + @a_len may be 2^64.
 * @b:     Start of the second.
 * @b_len: Its length, likewise.
 *
 * Return: True if they do; false if one is empty.
 */
static inline bool ontb_ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	if (!a_len || !b_len)
		return false;
	return a <= b ? b - a < a_len : a - b < b_len;
}

static inline bool ontb_is_power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

/**
 * ontb_log2() - the number of the highest bit that is set
 * @v: Not 0.
 *
 * Return: 0..63.
 */
static inline unsigned int ontb_log2(uint64_t v)
{
	return 63 - (unsigned int)__builtin_clzll(v);
}

/**
 * ontb_round_up_to_power() - the smallest power of two that is not below a number
 * @v: Number.
 *
 * Return: the power, 1 for 0; 0 if it is 2^64.
 */
static inline uint64_t ontb_round_up_to_power(uint64_t v)
{
	if (v > 1ULL << 63)
		return 0;
	return v < 2 ? 1 : 2ULL << ontb_log2(v - 1);
}

#endif
