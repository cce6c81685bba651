/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of the grant protocol over twelve scratchpads: four control words and one slot in each direction. Each host
 * writes into the scratchpads of the other and reads its own. docs/grant-protocol.md has the rules, C1 to C6.
 */
#ifndef NTB_GRANT_CHANNEL_H
#define NTB_GRANT_CHANNEL_H

#include <linux/ntb.h>
#include <linux/types.h>

#define CHANNEL_SPADS 12
#define CHANNEL_WORDS 8

/**
 * enum message_type - what a message says
 * @HELLO:      I hold nothing of yours, and own so many interrupts (generation), behind this window (data).
 * @GRANT:      Raise an interrupt like this.
 * @GRANT_ACK:  I do, and only so.
 * @REVOKE:     Do not raise it.
 * @REVOKE_ACK: I do not.
 */
enum message_type {
	HELLO = 1,
	GRANT,
	GRANT_ACK,
	REVOKE,
	REVOKE_ACK
};

/**
 * struct message - a message; what a type does not use is 0
 * @type:       Type.
 * @index:      Index of the interrupt at its owner.
 * @from:       Epoch of the sender; set by channel_send().
 * @to:         Epoch of the receiver; set by channel_send().
 * @generation: Generation.
 * @offset:     Bytes.
 * @data:       Data.
 */
struct message {
	enum message_type type;
	u16 index;
	u32 from;
	u32 to;
	u32 generation;
	u64 offset;
	u32 data;
};

/**
 * enum channel_event - what a look at the control words has found
 * @CHANNEL_NOTHING:   Nothing new.
 * @CHANNEL_PROGRESS:  Something; look again.
 * @CHANNEL_CONNECTED: Both know each other's epoch.
 * @CHANNEL_RESET:     The peer has begun anew: what is known of it is void. Look again.
 */
enum channel_event {
	CHANNEL_NOTHING,
	CHANNEL_PROGRESS,
	CHANNEL_CONNECTED,
	CHANNEL_RESET
};

/**
 * struct channel - one end; its user has the lock
 * @ntb:        Device, constant.
 * @peer:       Index of the peer, constant.
 * @doorbell:   Bit of the doorbell that tells of news, constant.
 * @started:    Between channel_start() and channel_stop().
 * @connected:  Slots may be used.
 * @must_ring:  Control words have been written.
 * @nonce:      Own epoch.
 * @peer_nonce: Epoch of the peer, 0 if not known.
 * @tx_head:    Messages sent.
 * @tx_told:    The peer was told of so many.
 * @tx_acked:   It has taken so many.
 * @rx_tail:    Messages taken.
 * @rx_told:    The peer was told so.
 * @copy:       Message in the slot, as long as it may have to be written again.
 * @nr_damaged: Looks that found no whole message where one should be.
 */
struct channel {
	struct ntb_dev *ntb;
	int peer;
	u64 doorbell;
	bool started;
	bool connected;
	bool must_ring;
	u32 nonce;
	u32 peer_nonce;
	u32 tx_head;
	u32 tx_told;
	u32 tx_acked;
	u32 rx_tail;
	u32 rx_told;
	u32 copy[CHANNEL_WORDS];
	unsigned int nr_damaged;
};

void channel_init(struct channel *ch, struct ntb_dev *ntb, int peer);
void channel_start(struct channel *ch);
void channel_stop(struct channel *ch);
enum channel_event channel_poll(struct channel *ch);
int channel_peek(struct channel *ch, struct message *out);
void channel_take(struct channel *ch);
bool channel_can_send(const struct channel *ch);
void channel_send(struct channel *ch, const struct message *msg);
void channel_flush(struct channel *ch);
void channel_refresh(struct channel *ch);
bool channel_is_idle(const struct channel *ch);

#endif
