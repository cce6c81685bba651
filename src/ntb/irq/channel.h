/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A channel to one peer: messages of 32 bytes, in order, whole, none lost while both sides live.
 *
 * Every bridge has some memory that one side writes and the other reads: a shared page, scratchpads, or, with a little
 * help (channel_msgs.c), message registers. On each of them a channel is the same thing: four control words and a ring of
 * slots, written by one side only, once in each direction.
 *
 *      NONCE  who I am: chosen anew each time I forget what the peer knows      written last when starting
 *      ECHO   the peer's NONCE as I saw it
 *      HEAD   messages that I have put into slots, all told                     written after the slots
 *      ACK    messages of the peer that I have taken
 *
 * A side is connected when it reads its own NONCE in the peer's ECHO. Only then does it send or take anything; so slots
 * are written only while both sides count from the same moment. A side that was connected and sees another NONCE knows that
 * the peer has forgotten everything, and forgets too. docs/grant-protocol.md, "Channel", has the argument.
 *
 * One thread at a time uses a channel.
 */
#ifndef ONTB_NTB_IRQ_CHANNEL_H
#define ONTB_NTB_IRQ_CHANNEL_H

#include <openntb/ntb_irq.h>

#include "base/annotate.h"
#include "ntb/irq/message.h"

#define ONTB_CHANNEL_MAX_SLOTS 64U
#define ONTB_CHANNEL_MAX_TAKEN 64U /* half words taken in one go, so that a peer that floods costs a bounded time */

/* Words of a channel; a slot of a channel of words is ONTB_CHANNEL_SLOT and the seven after it. */
enum ontb_channel_word {
	ONTB_CHANNEL_NONCE,
	ONTB_CHANNEL_ECHO,
	ONTB_CHANNEL_HEAD,
	ONTB_CHANNEL_ACK,
	ONTB_CHANNEL_SLOT,
	ONTB_CHANNEL_NR_WORDS = ONTB_CHANNEL_SLOT + ONTB_GRANT_MSG_SIZE / 4,
};

struct ontb_channel;

/**
 * struct ontb_channel_ops - the memory below a channel
 */
struct ontb_channel_ops {
	/** @read: Word that the peer wrote. */
	uint32_t (*read)(struct ontb_channel *ch, unsigned int word);
	/** @write: Write a word for the peer. What is written first is seen first. */
	void (*write)(struct ontb_channel *ch, unsigned int word, uint32_t value);
	/** @read_slot: Copy a slot that the peer wrote. NULL if a slot is words. */
	void (*read_slot)(struct ontb_channel *ch, unsigned int slot, uint8_t *buf);
	/** @write_slot: Write one for the peer. NULL if a slot is words. */
	void (*write_slot)(struct ontb_channel *ch, unsigned int slot, const uint8_t *buf);
	/** @ring: Let the peer look. */
	void (*ring)(struct ontb_channel *ch);
	/** @resend: Send again what may have got lost on its way. May be NULL: nothing has a way. */
	void (*resend)(struct ontb_channel *ch);
	/** @forget: The peer may know nothing of what was written before. May be NULL. */
	void (*forget)(struct ontb_channel *ch);
	/** @is_idle: Whether everything written has arrived. May be NULL: always. */
	bool (*is_idle)(const struct ontb_channel *ch);
};

/**
 * struct ontb_channel_words - message registers that act as words, see channel_msgs.c
 * @rx:        Words that the peer has set.
 * @rx_low:    Lower halves of words whose upper half has not come.
 * @tx:        Words for the peer.
 * @is_known:  Whether the peer has @sent of a word.
 * @sent:      What it was sent last.
 * @queue:     Words to send, in the order of writing.
 * @nr_queued: How many.
 * @in_flight: Half word that was sent and not confirmed, 0 if none.
 * @is_low:    The lower half of the first word of the queue is the next to go.
 * @value:     What is being sent of it.
 * @owed:      Confirmation that could not be sent yet, 0 if none.
 * @seq:       Of the last half word.
 * @is_unsent: @in_flight found the register full.
 */
struct ontb_channel_words {
	uint32_t rx[ONTB_CHANNEL_NR_WORDS];
	uint16_t rx_low[ONTB_CHANNEL_NR_WORDS];
	uint32_t tx[ONTB_CHANNEL_NR_WORDS];
	bool is_known[ONTB_CHANNEL_NR_WORDS];
	uint32_t sent[ONTB_CHANNEL_NR_WORDS];
	uint8_t queue[ONTB_CHANNEL_NR_WORDS];
	unsigned int nr_queued;
	uint32_t in_flight;
	bool is_low;
	uint32_t value;
	uint32_t owed;
	uint32_t seq;
	bool is_unsent;
};

/**
 * struct ontb_channel - one end
 * @ops:          Memory. Constant.
 * @ntb:          Bridge. Constant.
 * @peer:         Peer. Constant.
 * @db_bit:       Doorbell bit that rings, 0 if none does. Constant.
 * @nr_slots:     Power of two. Constant.
 * @page:         Local end of a shared page.
 * @words:        State of message registers.
 * @next_nonce:   Makes a nonce that was not used before.
 * @nonce:        Who this end is.
 * @peer_nonce:   Who the other end is, 0 while nobody knows.
 * @is_started:   Between start and stop.
 * @is_connected: The other end knows @nonce.
 * @tx_head:      Messages put into slots.
 * @tx_told:      HEAD as the peer was told.
 * @tx_acked:     Messages that the peer has taken.
 * @rx_tail:      Messages taken.
 * @rx_told:      ACK as the peer was told.
 * @must_ring:    Something was written that the peer has to see.
 * @nr_damaged:   Slots whose check was wrong, and heads that cannot be.
 * @copies:       What was put into slots, for sending it again.
 */
struct ontb_channel {
	const struct ontb_channel_ops *ops;
	struct ontb_ntb *ntb;
	unsigned int peer;
	uint64_t db_bit;
	unsigned int nr_slots;
	const uint8_t *page;
	struct ontb_channel_words words;
	uint32_t (*next_nonce)(struct ontb_channel *ch);
	uint32_t nonce;
	uint32_t peer_nonce;
	bool is_started;
	bool is_connected;
	uint32_t tx_head;
	uint32_t tx_told;
	uint32_t tx_acked;
	uint32_t rx_tail;
	uint32_t rx_told;
	bool must_ring;
	uint64_t nr_damaged;
	uint8_t copies[ONTB_CHANNEL_MAX_SLOTS][ONTB_GRANT_MSG_SIZE];
};

/**
 * enum ontb_channel_event - what ontb_channel_poll() found
 * @ONTB_CHANNEL_NOTHING:   Nothing new.
 * @ONTB_CHANNEL_PROGRESS:  The other end did something.
 * @ONTB_CHANNEL_RESET:     The other end has forgotten everything, and so has this one now.
 * @ONTB_CHANNEL_CONNECTED: Messages can be sent.
 */
enum ontb_channel_event {
	ONTB_CHANNEL_NOTHING,
	ONTB_CHANNEL_PROGRESS,
	ONTB_CHANNEL_RESET,
	ONTB_CHANNEL_CONNECTED,
};

/**
 * ontb_channel_choose() - which memory of a bridge to use
 * @ntb:  Bridge.
 * @want: Kind; ONTB_NTB_CHANNEL_AUTO takes what there is, a shared page first.
 * @out:  OUT, kind.
 *
 * Return: 0, or
 *         -EOPNOTSUPP  the bridge has no such memory, or no doorbell that tells of it; logged.
 */
int ontb_channel_choose(struct ontb_ntb *ntb, enum ontb_ntb_channel want, enum ontb_ntb_channel *out) ONTB_MUST_CHECK;

/**
 * ontb_channel_init() - an end that is not started
 * @ch:         OUT.
 * @ntb:        Bridge.
 * @peer:       Peer.
 * @kind:       As chosen.
 * @next_nonce: Makes nonces, none of them 0.
 */
void ontb_channel_init(struct ontb_channel *ch, struct ontb_ntb *ntb, unsigned int peer, enum ontb_ntb_channel kind,
		       uint32_t (*next_nonce)(struct ontb_channel *ch));

/**
 * ontb_channel_start() - the link is up and nothing is known of the peer
 * @ch: Channel, started or not.
 */
void ontb_channel_start(struct ontb_channel *ch);

/**
 * ontb_channel_stop() - look at nothing any more
 * @ch: Channel.
 */
void ontb_channel_stop(struct ontb_channel *ch);

/**
 * ontb_channel_poll() - look what the other end did
 * @ch: Channel.
 *
 * Return: What; call again until it is nothing.
 */
enum ontb_channel_event ontb_channel_poll(struct ontb_channel *ch);

/**
 * ontb_channel_peek() - the next message of the peer
 * @ch:  Channel.
 * @buf: OUT, ONTB_GRANT_MSG_SIZE bytes with the right check.
 *
 * Return: False if there is none. The same one comes again until ontb_channel_take().
 */
bool ontb_channel_peek(struct ontb_channel *ch, uint8_t *buf);

/**
 * ontb_channel_take() - done with the message that ontb_channel_peek() gave
 * @ch: Channel.
 */
void ontb_channel_take(struct ontb_channel *ch);

/**
 * ontb_channel_can_send() - whether ontb_channel_send() has room
 * @ch: Channel.
 *
 * Return: True if it has.
 */
bool ontb_channel_can_send(const struct ontb_channel *ch);

/**
 * ontb_channel_send() - send a message
 * @ch:  Channel with room.
 * @msg: Message; its epochs are filled in here.
 */
void ontb_channel_send(struct ontb_channel *ch, const struct ontb_grant_msg *msg);

/**
 * ontb_channel_flush() - tell the peer of what was sent and taken since the last time
 * @ch: Channel.
 */
void ontb_channel_flush(struct ontb_channel *ch);

/**
 * ontb_channel_refresh() - write again what the peer has not confirmed, and ring
 * @ch: Channel.
 *
 * For doorbells and writes that got lost. Writing the same again changes nothing for a peer that has seen it.
 */
void ontb_channel_refresh(struct ontb_channel *ch);

/**
 * ontb_channel_is_idle() - whether nothing waits for the other end
 * @ch: Channel.
 *
 * Return: True if it is connected and has confirmed everything.
 */
bool ontb_channel_is_idle(const struct ontb_channel *ch);

/**
 * ontb_channel_msgs_take() - take half words out of the message registers
 * @ntb: Bridge.
 * @chs: Channels over message registers, one for each peer.
 * @nr:  How many peers.
 *
 * Return: How many were taken; ONTB_CHANNEL_MAX_TAKEN if there may be more.
 */
unsigned int ontb_channel_msgs_take(struct ontb_ntb *ntb, struct ontb_channel *const *chs, unsigned int nr);

/* What channel_page.c, channel_spads.c and channel_msgs.c have. */
extern const struct ontb_channel_ops ontb_channel_page_ops;
extern const struct ontb_channel_ops ontb_channel_spads_ops;
extern const struct ontb_channel_ops ontb_channel_msgs_ops;

/**
 * ontb_channel_page_slots() - slots of a ring in a shared page
 * @size: Bytes of the page.
 *
 * Return: A power of two, 0 if the page is too small.
 */
unsigned int ontb_channel_page_slots(size_t size);

#endif
