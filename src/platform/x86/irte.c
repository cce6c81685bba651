// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Who may use an entry of the remapping table.
 */
#include "platform/x86/irte.h"

/* Upper half, "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts": SID 15:0, SQ 17:16, SVT 19:18. */
#define SQ(ignored)  ((uint64_t)(ignored) << 16)
#define SVT_SOURCE   (1ULL << 18)
#define SVT_BUSES    (2ULL << 18)
#define FUNCTION_LOW 0x7U

/* How many function bits have to be ignored for bits to differ: "SQ" ignores bit 2, bits 2:1, or bits 2:0. */
static unsigned int ignored_bits(unsigned int differing)
{
	if (!differing)
		return 0;
	if (!(differing & ~0x4U))
		return 1;
	return differing & ~0x6U ? 3 : 2;
}

uint64_t ontb_irte_high(const uint16_t *rids, unsigned int nr)
{
	unsigned int differing = 0, first_bus = 0xff, last_bus = 0;

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int bus = rids[i] >> 8;

		differing |= (unsigned int)(rids[i] ^ rids[0]);
		first_bus = bus < first_bus ? bus : first_bus;
		last_bus = bus > last_bus ? bus : last_bus;
	}
	if (differing & ~FUNCTION_LOW)
		return SVT_BUSES | first_bus << 8 | last_bus;
	return SVT_SOURCE | SQ(ignored_bits(differing)) | rids[0];
}
