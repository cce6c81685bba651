// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A channel over scratchpads: twelve of them in each direction, one slot, so one message at a time. An Intel bridge has
 * sixteen; how many interrupts there are does not matter.
 */
#include "ntb/irq/channel.h"

#include "base/bytes.h"

static uint32_t read_word(struct ontb_channel *ch, unsigned int word)
{
	return ontb_ntb_ops(ch->ntb)->spad_read(ch->ntb, word);
}

static void write_word(struct ontb_channel *ch, unsigned int word, uint32_t value)
{
	ontb_ntb_ops(ch->ntb)->peer_spad_write(ch->ntb, ch->peer, word, value);
}

static void read_slot(struct ontb_channel *ch, unsigned int slot, uint8_t *buf)
{
	(void)slot;
	for (unsigned int i = 0; i < ONTB_GRANT_MSG_SIZE / 4; i++)
		ontb_put_le32(buf + i * 4, read_word(ch, ONTB_CHANNEL_SLOT + i));
}

static void write_slot(struct ontb_channel *ch, unsigned int slot, const uint8_t *buf)
{
	(void)slot;
	for (unsigned int i = 0; i < ONTB_GRANT_MSG_SIZE / 4; i++)
		write_word(ch, ONTB_CHANNEL_SLOT + i, ontb_get_le32(buf + i * 4));
}

static void ring(struct ontb_channel *ch)
{
	ontb_ntb_ops(ch->ntb)->peer_db_set(ch->ntb, ch->peer, ch->db_bit);
}

const struct ontb_channel_ops ontb_channel_spads_ops = {
	.read = read_word,
	.write = write_word,
	.read_slot = read_slot,
	.write_slot = write_slot,
	.ring = ring,
};
