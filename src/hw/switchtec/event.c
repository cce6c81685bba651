// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Event headers: a bit that says that something happened, a counter, and switches for who is told.
 *
 * A driver compares the counter with what it saw last, so an event counts and interrupts also while the bit is still set
 * (Linux 6.12 switchtec.c, check_link_state_events(), never clears it).
 */
#include "hw/switchtec/switchtec.h"

#include "hw/bridge/port.h"
#include "hw/switchtec/handlers.h"

#define EV_OCCURRED    0x00000001U
#define EV_IRQ	       0x00000008U
#define EV_SWITCHES    0x0000001eU /* log, command line, interrupt, fatal */
#define EV_COUNT_SHIFT 5
#define EV_COUNT       0x00001fe0U
#define PART_SUM_RESET 0x1U
#define PART_SUM_MRPC  0x2U
#define PFF_SUM_LINK   0x1000U

void ontb_sw_event_raise(struct ontb_switchtec *sw, uint32_t header, struct ontb_port *port)
{
	_Atomic uint32_t *word = &sw->image[header / 4];
	uint32_t old = atomic_load_explicit(word, memory_order_relaxed), new;

	do {
		new = (old & ~EV_COUNT) | EV_OCCURRED | ((old + (1U << EV_COUNT_SHIFT)) & EV_COUNT);
	} while (!atomic_compare_exchange_weak_explicit(word, &old, new, memory_order_relaxed, memory_order_relaxed));
	if (old & EV_IRQ)
		ontb_port_raise_vector(port, ONTB_SW_EVENT_VECTOR);
}

void ontb_sw_write_event(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	_Atomic uint32_t *word = &access->sw->image[access->offset / 4];
	uint32_t old = atomic_load_explicit(word, memory_order_relaxed), new;
	uint32_t switches = (uint32_t)mask & EV_SWITCHES, clear = (uint32_t)(value & mask) & EV_OCCURRED;

	do {
		new = (old & ~(switches | clear)) | ((uint32_t)value & switches);
	} while (!atomic_compare_exchange_weak_explicit(word, &old, new, memory_order_relaxed, memory_order_relaxed));
}

void ontb_sw_events_reset(struct ontb_switchtec *sw, unsigned int part)
{
	static const uint32_t headers[] = { ONTB_SW_PARTCFG_EV_RESET, ONTB_SW_PARTCFG_EV_MRPC };

	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(headers); i++) {
		uint32_t offset = ontb_sw_partcfg(part) + headers[i];

		ontb_sw_put32(sw, offset, ontb_sw_get32(sw, offset) & EV_COUNT);
	}
}

static bool has_occurred(const struct ontb_switchtec *sw, uint32_t header)
{
	return ontb_sw_get32(sw, header) & EV_OCCURRED;
}

static uint32_t part_summary(const struct ontb_switchtec *sw, unsigned int part)
{
	uint32_t base = ontb_sw_partcfg(part);

	return (has_occurred(sw, base + ONTB_SW_PARTCFG_EV_RESET) ? PART_SUM_RESET : 0) |
	       (has_occurred(sw, base + ONTB_SW_PARTCFG_EV_MRPC) ? PART_SUM_MRPC : 0);
}

uint64_t ontb_sw_read_part_summary(const struct ontb_sw_access *access)
{
	return part_summary(access->sw, access->copy);
}

uint64_t ontb_sw_read_part_bitmap(const struct ontb_sw_access *access)
{
	uint64_t bits = 0;

	for (unsigned int p = 0; p < access->sw->bridge.nr_ports; p++) {
		if (part_summary(access->sw, p))
			bits |= 1ULL << p;
	}
	return bits;
}

uint64_t ontb_sw_read_pff_summary(const struct ontb_sw_access *access)
{
	return has_occurred(access->sw, ontb_sw_pff(access->copy) + ONTB_SW_PFF_EV_LINK_STATE) ? PFF_SUM_LINK : 0;
}
