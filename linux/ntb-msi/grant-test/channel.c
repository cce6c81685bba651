// SPDX-License-Identifier: GPL-2.0-only
/*
 * See channel.h.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/random.h>
#include <linux/string.h>

#include "channel.h"

#define VERSION 1u

/* Scratchpads. */
enum word {
	NONCE,
	ECHO,
	HEAD,
	ACK,
	SLOT
};

/* Places of a message in its slot; the first has type, version and index. */
enum place {
	AT_TYPE,
	AT_FROM,
	AT_TO,
	AT_GENERATION,
	AT_OFFSET,
	AT_OFFSET_HIGH,
	AT_DATA,
	AT_CHECK
};

static u32 read_word(struct channel *ch, int word)
{
	return ntb_spad_read(ch->ntb, word);
}

static void write_word(struct channel *ch, int word, u32 value)
{
	ntb_peer_spad_write(ch->ntb, ch->peer, word, value);
}

/* ---- messages ---- */

/* CRC-32C of little-endian words; a few bytes per message do not deserve a table, nor a module. */
static u32 add_crc(u32 crc, const u32 *words, unsigned int nr)
{
	unsigned int i, bit;

	for (i = 0; i < nr; i++) {
		crc ^= words[i];
		for (bit = 0; bit < 32; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* The sender's epoch and the number of messages before are part of it: what was in the slot before does not match. */
static u32 check_of(const u32 *slot, u32 epoch, u32 count)
{
	u32 place[2] = { epoch, count };

	return ~add_crc(add_crc(~0u, place, 2), slot, AT_CHECK);
}

static bool is_valid(const struct message *msg)
{
	switch (msg->type) {
	case HELLO:
		return !msg->index && msg->generation && msg->generation <= U16_MAX + 1u && !msg->offset;
	case GRANT:
		return msg->offset % sizeof(u32) == 0;
	case GRANT_ACK:
	case REVOKE:
	case REVOKE_ACK:
		return !msg->offset && !msg->data;
	}
	return false;
}

static void encode(const struct message *msg, u32 *slot)
{
	slot[AT_TYPE] = msg->type | VERSION << 8 | (u32)msg->index << 16;
	slot[AT_FROM] = msg->from;
	slot[AT_TO] = msg->to;
	slot[AT_GENERATION] = msg->generation;
	slot[AT_OFFSET] = lower_32_bits(msg->offset);
	slot[AT_OFFSET_HIGH] = upper_32_bits(msg->offset);
	slot[AT_DATA] = msg->data;
}

static int decode(const u32 *slot, struct message *out)
{
	*out = (struct message){
		.type = slot[AT_TYPE] & 0xff,
		.index = slot[AT_TYPE] >> 16,
		.from = slot[AT_FROM],
		.to = slot[AT_TO],
		.generation = slot[AT_GENERATION],
		.offset = (u64)slot[AT_OFFSET_HIGH] << 32 | slot[AT_OFFSET],
		.data = slot[AT_DATA],
	};
	return (slot[AT_TYPE] >> 8 & 0xff) == VERSION && is_valid(out) ? 0 : -EPROTO;
}

/* ---- epochs ---- */

/**
 * channel_init() - make a channel that is not started
 * @ch:   OUT: channel.
 * @ntb:  Device with CHANNEL_SPADS scratchpads and a doorbell.
 * @peer: Index of the peer; the device has one only, as a scratchpad does not say who wrote it.
 *
 * Context: Any.
 */
void channel_init(struct channel *ch, struct ntb_dev *ntb, int peer)
{
	memset(ch, 0, sizeof(*ch));
	ch->ntb = ntb;
	ch->peer = peer;
	ch->doorbell = BIT_ULL(fls64(ntb_db_valid_mask(ntb)) - 1);
}

/* HEAD and ACK before NONCE: who sees the nonce sees that they count from 0. */
static void write_control(struct channel *ch)
{
	write_word(ch, HEAD, ch->tx_told);
	write_word(ch, ACK, ch->rx_told);
	write_word(ch, NONCE, ch->nonce);
	write_word(ch, ECHO, ch->peer_nonce);
	ch->must_ring = true;
}

static void begin(struct channel *ch, u32 peer_nonce)
{
	ch->peer_nonce = peer_nonce;
	ch->connected = false;
	ch->tx_head = 0;
	ch->tx_told = 0;
	ch->tx_acked = 0;
	ch->rx_tail = 0;
	ch->rx_told = 0;
	write_control(ch);
}

static void new_nonce(struct channel *ch)
{
	ch->nonce = get_random_u32() ?: 1;
}

/**
 * channel_start() - begin an epoch (C1)
 * @ch: Channel; the link is up.
 *
 * Context: Process context.
 */
void channel_start(struct channel *ch)
{
	ch->started = true;
	new_nonce(ch);
	begin(ch, read_word(ch, NONCE));
}

/**
 * channel_stop() - end it
 * @ch: Channel.
 *
 * Context: Process context.
 */
void channel_stop(struct channel *ch)
{
	ch->started = false;
	ch->connected = false;
	ch->must_ring = false;
}

/**
 * channel_poll() - look at the control words (C2, C3)
 * @ch: Channel.
 *
 * Context: Process context.
 * Return: What was found.
 */
enum channel_event channel_poll(struct channel *ch)
{
	u32 echo, nonce, nr;
	bool was;

	if (!ch->started)
		return CHANNEL_NOTHING;
	echo = read_word(ch, ECHO);
	nonce = read_word(ch, NONCE);
	if (!nonce)
		return CHANNEL_NOTHING;
	if (nonce != ch->peer_nonce) {
		was = ch->connected;
		if (was)
			new_nonce(ch);
		begin(ch, nonce);
		return was ? CHANNEL_RESET : CHANNEL_PROGRESS;
	}
	if (!ch->connected) {
		if (echo != ch->nonce)
			return CHANNEL_NOTHING;
		ch->connected = true;
		return CHANNEL_CONNECTED;
	}
	nr = read_word(ch, ACK) - ch->tx_acked;
	if (!nr || nr > ch->tx_told - ch->tx_acked)
		return CHANNEL_NOTHING;
	ch->tx_acked += nr;
	return CHANNEL_PROGRESS;
}

/* ---- slots ---- */

/**
 * channel_peek() - look for a message (C5)
 * @ch:  Channel.
 * @out: OUT: the message. channel_take() it before the next one.
 *
 * Context: Process context.
 * Return: 0, or
 *         -EAGAIN  there is none, or it is not whole yet
 *         -EPROTO  there is one to be taken that makes no sense
 */
int channel_peek(struct channel *ch, struct message *out)
{
	u32 slot[CHANNEL_WORDS];
	u32 nr;
	int i;

	if (!ch->connected)
		return -EAGAIN;
	nr = read_word(ch, HEAD) - ch->rx_tail;
	if (!nr)
		return -EAGAIN;
	for (i = 0; i < CHANNEL_WORDS; i++)
		slot[i] = read_word(ch, SLOT + i);
	if (nr > 1 || slot[AT_CHECK] != check_of(slot, ch->peer_nonce, ch->rx_tail)) {
		ch->nr_damaged++;
		return -EAGAIN;
	}
	return decode(slot, out);
}

/**
 * channel_take() - the message that channel_peek() has found is dealt with
 * @ch: Channel.
 *
 * Context: Process context.
 */
void channel_take(struct channel *ch)
{
	ch->rx_tail++;
}

/**
 * channel_can_send() - whether there is room for a message (C4)
 * @ch: Channel.
 *
 * Context: Process context.
 * Return: True if so.
 */
bool channel_can_send(const struct channel *ch)
{
	return ch->connected && ch->tx_head == ch->tx_acked;
}

static void write_slot(struct channel *ch)
{
	int i;

	for (i = 0; i < CHANNEL_WORDS; i++)
		write_word(ch, SLOT + i, ch->copy[i]);
}

/**
 * channel_send() - send a message
 * @ch:  Channel with room.
 * @msg: Message, less its epochs.
 *
 * Context: Process context.
 */
void channel_send(struct channel *ch, const struct message *msg)
{
	struct message whole = *msg;

	whole.from = ch->nonce;
	whole.to = ch->peer_nonce;
	encode(&whole, ch->copy);
	ch->copy[AT_CHECK] = check_of(ch->copy, ch->nonce, ch->tx_head);
	write_slot(ch);
	ch->tx_head++;
}

/**
 * channel_flush() - tell the peer what was sent and taken
 * @ch: Channel.
 *
 * Context: Process context.
 */
void channel_flush(struct channel *ch)
{
	if (!ch->started)
		return;
	if (ch->rx_told != ch->rx_tail) {
		ch->rx_told = ch->rx_tail;
		write_word(ch, ACK, ch->rx_told);
		ch->must_ring = true;
	}
	if (ch->tx_told != ch->tx_head) {
		ch->tx_told = ch->tx_head;
		write_word(ch, HEAD, ch->tx_told);
		ch->must_ring = true;
	}
	if (ch->must_ring)
		ntb_peer_db_set(ch->ntb, ch->doorbell);
	ch->must_ring = false;
}

/**
 * channel_refresh() - write everything again that may have been lost (C6)
 * @ch: Channel.
 *
 * Context: Process context.
 */
void channel_refresh(struct channel *ch)
{
	if (!ch->started)
		return;
	if (ch->tx_acked != ch->tx_told)
		write_slot(ch);
	write_control(ch);
	channel_flush(ch);
}

/**
 * channel_is_idle() - whether the peer has taken all that was sent
 * @ch: Channel.
 *
 * Context: Process context.
 * Return: True if so.
 */
bool channel_is_idle(const struct channel *ch)
{
	return ch->connected && ch->tx_head == ch->tx_acked;
}
