// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Channels: what is the same over every kind of memory. See channel.h.
 */
#include "ntb/irq/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

/* Choosing */

/* The highest doorbell: the lowest ones are what clients of a bridge begin with. */
static uint64_t doorbell_of(struct ontb_ntb *ntb)
{
	const struct ontb_ntb_ops *ops = ontb_ntb_ops(ntb);
	uint64_t valid = ops->db_valid ? ops->db_valid(ntb) : 0;

	return valid ? 1ULL << ontb_log2(valid) : 0;
}

/* Why a page cannot be used, NULL if it can. */
static const char *page_lacks(struct ontb_ntb *ntb)
{
	const struct ontb_ntb_ops *ops = ontb_ntb_ops(ntb);

	if (!ops->page)
		return "it has no shared page";
	if (!doorbell_of(ntb))
		return "it has no doorbell that tells of the page";
	for (unsigned int peer = 0; peer < ontb_ntb_nr_peers(ntb); peer++) {
		size_t size = 0;

		if (!ops->page(ntb, peer, &size) || !ontb_channel_page_slots(size))
			return "its shared page is too small";
	}
	return NULL;
}

static const char *spads_lack(struct ontb_ntb *ntb)
{
	const struct ontb_ntb_ops *ops = ontb_ntb_ops(ntb);

	if (!ops->spad_count || ops->spad_count(ntb) < ONTB_CHANNEL_NR_WORDS)
		return "it has no twelve scratchpads";
	if (!doorbell_of(ntb))
		return "it has no doorbell that tells of the scratchpads";
	if (ontb_ntb_nr_peers(ntb) > 1)
		return "a scratchpad does not say which of several peers wrote it";
	return NULL;
}

static const char *msgs_lack(struct ontb_ntb *ntb)
{
	const struct ontb_ntb_ops *ops = ontb_ntb_ops(ntb);

	return ops->msg_count && ops->msg_count(ntb) ? NULL : "it has no message registers";
}

static const char *lack_of(struct ontb_ntb *ntb, enum ontb_ntb_channel kind)
{
	switch (kind) {
	case ONTB_NTB_CHANNEL_PAGE:
		return page_lacks(ntb);
	case ONTB_NTB_CHANNEL_SPADS:
		return spads_lack(ntb);
	case ONTB_NTB_CHANNEL_MSGS:
		return msgs_lack(ntb);
	default:
		return "there is no such channel";
	}
}

int ontb_channel_choose(struct ontb_ntb *ntb, enum ontb_ntb_channel want, enum ontb_ntb_channel *out)
{
	static const enum ontb_ntb_channel order[] = { ONTB_NTB_CHANNEL_PAGE, ONTB_NTB_CHANNEL_SPADS,
						       ONTB_NTB_CHANNEL_MSGS };
	const char *lack = NULL;

	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(order); i++) {
		enum ontb_ntb_channel kind = want == ONTB_NTB_CHANNEL_AUTO ? order[i] : want;

		lack = lack_of(ntb, kind);
		if (!lack) {
			*out = kind;
			return 0;
		}
	}
	ontb_log(ONTB_LOG_ERROR, "%s: no channel to its peers: %s", ontb_ntb_name(ntb), lack);
	return -EOPNOTSUPP;
}

void ontb_channel_init(struct ontb_channel *ch, struct ontb_ntb *ntb, unsigned int peer, enum ontb_ntb_channel kind,
		       uint32_t (*next_nonce)(struct ontb_channel *ch))
{
	memset(ch, 0, sizeof(*ch));
	ch->ops = kind == ONTB_NTB_CHANNEL_PAGE	   ? &ontb_channel_page_ops
		  : kind == ONTB_NTB_CHANNEL_SPADS ? &ontb_channel_spads_ops
						   : &ontb_channel_msgs_ops;
	ch->ntb = ntb;
	ch->peer = peer;
	ch->db_bit = kind == ONTB_NTB_CHANNEL_MSGS ? 0 : doorbell_of(ntb);
	ch->nr_slots = 1;
	ch->next_nonce = next_nonce;
	if (kind == ONTB_NTB_CHANNEL_PAGE) {
		size_t size = 0;

		ch->page = ontb_ntb_ops(ntb)->page(ntb, peer, &size);
		ch->nr_slots = ontb_channel_page_slots(size);
	}
}

/* Connecting */

/* HEAD and ACK come before NONCE: who sees the nonce sees that they count from zero. */
static void write_control(struct ontb_channel *ch)
{
	ch->ops->write(ch, ONTB_CHANNEL_HEAD, ch->tx_told);
	ch->ops->write(ch, ONTB_CHANNEL_ACK, ch->rx_told);
	ch->ops->write(ch, ONTB_CHANNEL_NONCE, ch->nonce);
	ch->ops->write(ch, ONTB_CHANNEL_ECHO, ch->peer_nonce);
	ch->must_ring = true;
}

static void begin(struct ontb_channel *ch, uint32_t peer_nonce)
{
	ch->peer_nonce = peer_nonce;
	ch->is_connected = false;
	ch->tx_head = ch->tx_told = ch->tx_acked = 0;
	ch->rx_tail = ch->rx_told = 0;
	if (ch->ops->forget)
		ch->ops->forget(ch);
	write_control(ch);
}

void ontb_channel_start(struct ontb_channel *ch)
{
	ch->is_started = true;
	ch->nonce = ch->next_nonce(ch);
	begin(ch, ch->ops->read(ch, ONTB_CHANNEL_NONCE));
}

void ontb_channel_stop(struct ontb_channel *ch)
{
	ch->is_started = false;
	ch->is_connected = false;
	ch->peer_nonce = 0;
	ch->must_ring = false;
}

/* Whoever was connected has been sending under its nonce, so that one is used up. */
static enum ontb_channel_event meet(struct ontb_channel *ch, uint32_t nonce)
{
	bool was_connected = ch->is_connected;

	if (was_connected)
		ch->nonce = ch->next_nonce(ch);
	begin(ch, nonce);
	return was_connected ? ONTB_CHANNEL_RESET : ONTB_CHANNEL_PROGRESS;
}

static bool take_acks(struct ontb_channel *ch)
{
	uint32_t nr = ch->ops->read(ch, ONTB_CHANNEL_ACK) - ch->tx_acked;

	/* What was not sent cannot be confirmed; a word of an earlier moment looks so too. */
	if (!nr || nr > ch->tx_told - ch->tx_acked)
		return false;
	ch->tx_acked += nr;
	return true;
}

enum ontb_channel_event ontb_channel_poll(struct ontb_channel *ch)
{
	uint32_t echo, nonce;

	if (!ch->is_started)
		return ONTB_CHANNEL_NOTHING;
	/* In this order: the peer writes its nonce first, so the nonce that goes with an echo is there when the echo is. */
	echo = ch->ops->read(ch, ONTB_CHANNEL_ECHO);
	nonce = ch->ops->read(ch, ONTB_CHANNEL_NONCE);
	if (!nonce)
		return ONTB_CHANNEL_NOTHING;
	if (nonce != ch->peer_nonce)
		return meet(ch, nonce);
	if (!ch->is_connected) {
		if (echo != ch->nonce)
			return ONTB_CHANNEL_NOTHING;
		ch->is_connected = true;
		return ONTB_CHANNEL_CONNECTED;
	}
	return take_acks(ch) ? ONTB_CHANNEL_PROGRESS : ONTB_CHANNEL_NOTHING;
}

/* Messages */

/* Words of a slot, where it is words like the control words. */
#define NR_WORDS (ONTB_GRANT_MSG_SIZE / 4)

static void read_slot(struct ontb_channel *ch, uint32_t nr, uint8_t *buf)
{
	if (ch->ops->read_slot) {
		ch->ops->read_slot(ch, nr % ch->nr_slots, buf);
		return;
	}
	for (unsigned int i = 0; i < NR_WORDS; i++, buf += 4)
		ontb_put_le32(buf, ch->ops->read(ch, ONTB_CHANNEL_SLOT + i));
}

static void write_slot(struct ontb_channel *ch, uint32_t nr, const uint8_t *buf)
{
	if (ch->ops->write_slot) {
		ch->ops->write_slot(ch, nr % ch->nr_slots, buf);
		return;
	}
	for (unsigned int i = 0; i < NR_WORDS; i++, buf += 4)
		ch->ops->write(ch, ONTB_CHANNEL_SLOT + i, ontb_get_le32(buf));
}

bool ontb_channel_peek(struct ontb_channel *ch, uint8_t *buf)
{
	uint32_t head, nr;

	if (!ch->is_connected)
		return false;
	head = ch->ops->read(ch, ONTB_CHANNEL_HEAD);
	nr = head - ch->rx_tail;
	/* None; or the peer is back at the start, and its nonce will say so. */
	if (!nr || (!head && nr > ch->nr_slots))
		return false;
	if (nr <= ch->nr_slots) {
		read_slot(ch, ch->rx_tail, buf);
		if (ontb_grant_is_sealed(buf, ch->peer_nonce, ch->rx_tail))
			return true;
	}
	ch->nr_damaged++;
	return false;
}

void ontb_channel_take(struct ontb_channel *ch)
{
	ch->rx_tail++;
}

bool ontb_channel_can_send(const struct ontb_channel *ch)
{
	return ch->is_connected && ch->tx_head - ch->tx_acked < ch->nr_slots;
}

void ontb_channel_send(struct ontb_channel *ch, const struct ontb_grant_msg *msg)
{
	uint8_t *copy = ch->copies[ch->tx_head % ch->nr_slots];
	struct ontb_grant_msg m = *msg;

	m.from = ch->nonce;
	m.to = ch->peer_nonce;
	ontb_grant_encode(&m, copy);
	ontb_grant_seal(copy, ch->nonce, ch->tx_head);
	write_slot(ch, ch->tx_head, copy);
	ch->tx_head++;
}

void ontb_channel_flush(struct ontb_channel *ch)
{
	if (!ch->is_started)
		return;
	if (ch->rx_told != ch->rx_tail) {
		ch->rx_told = ch->rx_tail;
		ch->ops->write(ch, ONTB_CHANNEL_ACK, ch->rx_told);
		ch->must_ring = true;
	}
	if (ch->tx_told != ch->tx_head) {
		ch->tx_told = ch->tx_head;
		ch->ops->write(ch, ONTB_CHANNEL_HEAD, ch->tx_told);
		ch->must_ring = true;
	}
	if (ch->must_ring)
		ch->ops->ring(ch);
	ch->must_ring = false;
}

void ontb_channel_refresh(struct ontb_channel *ch)
{
	if (!ch->is_started)
		return;
	for (uint32_t i = ch->tx_acked; i != ch->tx_told; i++)
		write_slot(ch, i, ch->copies[i % ch->nr_slots]);
	write_control(ch);
	ontb_channel_flush(ch);
	if (ch->ops->resend)
		ch->ops->resend(ch);
}

bool ontb_channel_is_idle(const struct ontb_channel *ch)
{
	return ch->is_connected && ch->tx_head == ch->tx_acked && (!ch->ops->is_idle || ch->ops->is_idle(ch));
}
