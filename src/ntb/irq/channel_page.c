// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A channel in a shared page: the control words at its start, then a ring of slots.
 *
 * The peer writes into this side's page at any time, so every word is loaded once, and a slot is copied once and judged by
 * its copy.
 */
#include "ntb/irq/channel.h"

#include <endian.h>
#include <string.h>

#include "base/bytes.h"

#define SLOTS_AT 64U

static size_t slot_at(unsigned int slot)
{
	return SLOTS_AT + (size_t)slot * ONTB_GRANT_MSG_SIZE;
}

unsigned int ontb_channel_page_slots(size_t size)
{
	unsigned int nr = ONTB_CHANNEL_MAX_SLOTS;

	while (nr && slot_at(nr) > size)
		nr /= 2;
	return nr;
}

static uint32_t load(const uint8_t *p)
{
	return le32toh(__atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE));
}

static uint32_t read_word(struct ontb_channel *ch, unsigned int word)
{
	return load(ch->page + 4UL * word);
}

static void write_word(struct ontb_channel *ch, unsigned int word, uint32_t value)
{
	uint8_t buf[4];

	ontb_put_le32(buf, value);
	ontb_ntb_ops(ch->ntb)->peer_page_write(ch->ntb, ch->peer, 4UL * word, buf, sizeof(buf));
}

static void read_slot(struct ontb_channel *ch, unsigned int slot, uint8_t *buf)
{
	const uint8_t *at = ch->page + slot_at(slot);

	for (unsigned int i = 0; i < ONTB_GRANT_MSG_SIZE; i += 4)
		ontb_put_le32(buf + i, load(at + i));
}

static void write_slot(struct ontb_channel *ch, unsigned int slot, const uint8_t *buf)
{
	ontb_ntb_ops(ch->ntb)->peer_page_write(ch->ntb, ch->peer, slot_at(slot), buf, ONTB_GRANT_MSG_SIZE);
}

static void ring(struct ontb_channel *ch)
{
	ontb_ntb_ops(ch->ntb)->peer_db_set(ch->ntb, ch->peer, ch->db_bit);
}

const struct ontb_channel_ops ontb_channel_page_ops = {
	.read = read_word,
	.write = write_word,
	.read_slot = read_slot,
	.write_slot = write_slot,
	.ring = ring,
};
