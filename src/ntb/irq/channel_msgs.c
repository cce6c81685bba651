// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Words over message registers, which hold one value of 32 bits until the other side takes it: so a channel can use them
 * like scratchpads.
 *
 *      bits  31..30        29..24    23..20  19    18..16  15..0
 *            1 set         sequence  word    half  0       half a word
 *            2 confirmed   the rest as in what is confirmed
 *
 * One half word is under way at a time, and is sent again until it is confirmed. Setting the same half to the same value
 * again changes nothing, and registers keep their order, so what arrives twice does no harm. A word changes when its
 * upper half arrives. Words go in the order in which they were written.
 */
#include "ntb/irq/channel.h"

#include <errno.h>
#include <string.h>

#define KIND_SET       1U
#define KIND_CONFIRMED 2U
#define UPPER_HALF     (1U << 19)
#define RESERVED       (7U << 16)

static struct ontb_channel_words *words_of(struct ontb_channel *ch)
{
	return &ch->words;
}

static uint32_t read_word(struct ontb_channel *ch, unsigned int word)
{
	return words_of(ch)->rx[word];
}

static void write_word(struct ontb_channel *ch, unsigned int word, uint32_t value)
{
	struct ontb_channel_words *w = words_of(ch);

	w->tx[word] = value;
	if (w->is_known[word] && w->sent[word] == value)
		return;
	for (unsigned int i = 0; i < w->nr_queued; i++) {
		if (w->queue[i] == word)
			return;
	}
	w->queue[w->nr_queued++] = (uint8_t)word;
}

/* Confirmations have a register of their own where there are two. */
static void send_owed(struct ontb_channel *ch)
{
	const struct ontb_ntb_ops *ops = ontb_ntb_ops(ch->ntb);
	struct ontb_channel_words *w = words_of(ch);

	if (w->owed && !ops->peer_msg_write(ch->ntb, ch->peer, ops->msg_count(ch->ntb) > 1, w->owed))
		w->owed = 0;
}

static void resend(struct ontb_channel *ch)
{
	struct ontb_channel_words *w = words_of(ch);

	if (w->in_flight)
		w->is_unsent = ontb_ntb_ops(ch->ntb)->peer_msg_write(ch->ntb, ch->peer, 0, w->in_flight) != 0;
}

static void send_half(struct ontb_channel *ch)
{
	struct ontb_channel_words *w = words_of(ch);
	uint32_t word = w->queue[0];

	if (w->is_low)
		w->value = w->tx[word];
	w->seq = (w->seq + 1) & 0x3f;
	w->in_flight = KIND_SET << 30 | w->seq << 24 | word << 20 | (w->is_low ? 0 : UPPER_HALF) |
		       (w->is_low ? w->value & 0xffff : w->value >> 16);
	resend(ch);
}

/* Both halves of the first word have arrived; it goes to the end of the queue if it was written meanwhile. */
static void finish_word(struct ontb_channel *ch)
{
	struct ontb_channel_words *w = words_of(ch);
	unsigned int word = w->queue[0];

	w->is_known[word] = true;
	w->sent[word] = w->value;
	w->nr_queued--;
	memmove(w->queue, w->queue + 1, w->nr_queued);
	write_word(ch, word, w->tx[word]);
}

static void confirmed(struct ontb_channel *ch, uint32_t value)
{
	struct ontb_channel_words *w = words_of(ch);

	if (!w->in_flight || (w->in_flight ^ value) << 2)
		return;
	w->in_flight = 0;
	w->is_unsent = false;
	w->is_low = !w->is_low;
	if (w->is_low)
		finish_word(ch);
	if (w->nr_queued)
		send_half(ch);
}

static void set(struct ontb_channel *ch, uint32_t value)
{
	struct ontb_channel_words *w = words_of(ch);
	unsigned int word = value >> 20 & 0xf;

	if (word >= ONTB_CHANNEL_NR_WORDS || value & RESERVED) {
		ch->nr_damaged++;
		return;
	}
	if (value & UPPER_HALF)
		w->rx[word] = (value & 0xffff) << 16 | w->rx_low[word];
	else
		w->rx_low[word] = (uint16_t)value;
	w->owed = KIND_CONFIRMED << 30 | (value & 0x3fffffff);
	send_owed(ch);
}

static void received(struct ontb_channel *ch, uint32_t value)
{
	switch (value >> 30) {
	case KIND_SET:
		set(ch, value);
		break;
	case KIND_CONFIRMED:
		confirmed(ch, value);
		break;
	default:
		ch->nr_damaged++;
	}
}

unsigned int ontb_channel_msgs_take(struct ontb_ntb *ntb, struct ontb_channel *const *chs, unsigned int nr)
{
	const struct ontb_ntb_ops *ops = ontb_ntb_ops(ntb);
	unsigned int nr_taken = 0;

	for (unsigned int idx = 0; idx < (ops->msg_count(ntb) > 1 ? 2U : 1U); idx++) {
		unsigned int peer;
		uint32_t value;

		while (nr_taken < ONTB_CHANNEL_MAX_TAKEN && !ops->msg_read(ntb, idx, &peer, &value)) {
			nr_taken++;
			if (peer < nr && chs[peer]->is_started)
				received(chs[peer], value);
		}
	}
	return nr_taken;
}

/* The ring of message registers is the message itself. */
static void ring(struct ontb_channel *ch)
{
	struct ontb_channel_words *w = words_of(ch);

	send_owed(ch);
	if (!w->in_flight && w->nr_queued) {
		w->is_low = true;
		send_half(ch);
	} else if (w->is_unsent) {
		resend(ch);
	}
}

/* What was sent before does not count any more, and nobody will confirm what is under way. */
static void forget(struct ontb_channel *ch)
{
	struct ontb_channel_words *w = words_of(ch);

	memset(w->is_known, 0, sizeof(w->is_known));
	w->nr_queued = 0;
	w->in_flight = 0;
	w->is_unsent = false;
	w->is_low = true;
}

static bool is_idle(const struct ontb_channel *ch)
{
	return !ch->words.nr_queued && !ch->words.owed;
}

const struct ontb_channel_ops ontb_channel_msgs_ops = {
	.read = read_word,
	.write = write_word,
	.ring = ring,
	.resend = resend,
	.forget = forget,
	.is_idle = is_idle,
};
