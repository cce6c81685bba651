// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CRC-32C.
 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

uint32_t ontb_crc32c_portable(uint32_t crc, const void *buf, size_t len)
{
	/* What four zero bits make of the lowest four. */
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const uint8_t *bytes = buf;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_by_instruction(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *bytes = buf;
	uint64_t sum = ~crc, word;
	uint32_t half;

	for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum = __builtin_ia32_crc32di(sum, word);
	}
	crc = (uint32_t)sum;
	if (len >= sizeof(half)) {
		memcpy(&half, bytes, sizeof(half));
		crc = __builtin_ia32_crc32si(crc, half);
		bytes += sizeof(half);
		len -= sizeof(half);
	}
	for (; len; len--)
		crc = __builtin_ia32_crc32qi(crc, *bytes++);
	return ~crc;
}
#else
static bool has_instruction(void)
{
	return false;
}

static uint32_t crc32c_by_instruction(uint32_t crc, const void *buf, size_t len)
{
	return ontb_crc32c_portable(crc, buf, len);
}
#endif

uint32_t ontb_crc32c(uint32_t crc, const void *buf, size_t len)
{
	return has_instruction() ? crc32c_by_instruction(crc, buf, len) : ontb_crc32c_portable(crc, buf, len);
}
