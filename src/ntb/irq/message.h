/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Messages of the grant protocol as bytes. Pure functions: no I/O, no state. docs/grant-protocol.md has their meaning.
 *
 *      byte  0     1        2..3   4..7   8..11  12..15  16..23  24..27  28..31
 *            type  version  index  from   to     gen     offset  data    check
 *
 * All numbers are little-endian. What a type does not use is zero.
 */
#ifndef ONTB_NTB_IRQ_MESSAGE_H
#define ONTB_NTB_IRQ_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/annotate.h"

#define ONTB_GRANT_VERSION  1U
#define ONTB_GRANT_MSG_SIZE 32U
#define ONTB_GRANT_MAX_IRQS 65536U

/**
 * enum ontb_grant_type - what a message says
 * @ONTB_GRANT_HELLO:      I hold nothing of yours; I own this many interrupts (in gen), seen through this window (in data).
 * @ONTB_GRANT_GRANT:      Raise interrupt index with this offset and data, from now on only so.
 * @ONTB_GRANT_GRANT_ACK:  I do.
 * @ONTB_GRANT_REVOKE:     Do not raise it any more.
 * @ONTB_GRANT_REVOKE_ACK: I do not.
 */
enum ontb_grant_type {
	ONTB_GRANT_HELLO = 1,
	ONTB_GRANT_GRANT,
	ONTB_GRANT_GRANT_ACK,
	ONTB_GRANT_REVOKE,
	ONTB_GRANT_REVOKE_ACK,
};

/**
 * struct ontb_grant_msg - a message
 * @type:   Type.
 * @index:  Index at the owner; 0 in a HELLO.
 * @from:   Epoch of the sender.
 * @to:     Epoch of the receiver.
 * @gen:    Generation; in a HELLO the number of interrupts, 1..ONTB_GRANT_MAX_IRQS.
 * @offset: In the owner's window; only in a GRANT, a multiple of 4.
 * @data:   Only in a GRANT; in a HELLO the number of the window.
 */
struct ontb_grant_msg {
	enum ontb_grant_type type;
	uint16_t index;
	uint32_t from;
	uint32_t to;
	uint32_t gen;
	uint64_t offset;
	uint32_t data;
};

/**
 * ontb_grant_encode() - make bytes of a message, without its check
 * @msg: Message.
 * @buf: OUT, ONTB_GRANT_MSG_SIZE bytes.
 */
void ontb_grant_encode(const struct ontb_grant_msg *msg, uint8_t *buf);

/**
 * ontb_grant_decode() - make a message of bytes whose check is right
 * @buf: ONTB_GRANT_MSG_SIZE bytes.
 * @msg: OUT.
 *
 * Return: 0, or
 *         -EOPNOTSUPP  another version of the protocol.
 *         -EPROTO      no such type, or a member that the type does not allow.
 */
int ontb_grant_decode(const uint8_t *buf, struct ontb_grant_msg *msg) ONTB_MUST_CHECK;

/**
 * ontb_grant_seal() - put the check into a message
 * @buf:   Bytes.
 * @epoch: Of the sender.
 * @count: How many messages the sender sent before in this epoch.
 *
 * The check depends on both, so what a slot of a ring held one lap ago is not taken for what it should hold now.
 */
void ontb_grant_seal(uint8_t *buf, uint32_t epoch, uint32_t count);

/**
 * ontb_grant_is_sealed() - whether bytes are one whole message, that which is expected
 * @buf:   Bytes.
 * @epoch: Of the sender.
 * @count: How many messages came before in this epoch.
 *
 * Return: True if they are; by chance once in 2^32 for other bytes.
 */
bool ontb_grant_is_sealed(const uint8_t *buf, uint32_t epoch, uint32_t count);

/**
 * ontb_grant_is_newer() - compare generations, which wrap
 * @gen:  One.
 * @than: The other.
 *
 * Return: True if @gen comes after @than and they are less than 2^31 apart.
 */
static inline bool ontb_grant_is_newer(uint32_t gen, uint32_t than)
{
	return (int32_t)(gen - than) > 0;
}

#endif
