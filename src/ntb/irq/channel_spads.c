// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A channel over scratchpads: twelve of them in each direction, one slot, so one message at a time. An Intel bridge has
 * sixteen; how many interrupts there are does not matter.
 */
#include "ntb/irq/channel.h"

static uint32_t read_word(struct ontb_channel *ch, unsigned int word)
{
	return ontb_ntb_ops(ch->ntb)->spad_read(ch->ntb, word);
}

static void write_word(struct ontb_channel *ch, unsigned int word, uint32_t value)
{
	ontb_ntb_ops(ch->ntb)->peer_spad_write(ch->ntb, ch->peer, word, value);
}

static void ring(struct ontb_channel *ch)
{
	ontb_ntb_ops(ch->ntb)->peer_db_set(ch->ntb, ch->peer, ch->db_bit);
}

const struct ontb_channel_ops ontb_channel_spads_ops = {
	.read = read_word,
	.write = write_word,
	.ring = ring,
};
