/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Receive buffer: turns a byte stream into whole messages, and decides which message a set of descriptors belongs to.
 *
 * One receive call takes whatever is there; messages may straddle calls anywhere, also inside their header. The buffer
 * has a base size that suits batches of small messages and grows for one message that is larger, then shrinks again.
 *
 * Descriptors on a UNIX stream socket: Linux attaches them to the first piece of the sendmsg() that carried them, and a
 * recvmsg() returns at most one set and stops behind that piece. So a set belongs to the last sendmsg() in the data
 * returned. A client sends each message that carries descriptors in a sendmsg() of its own, hence the rule here:
 *   1. the owner is the last message that starts in the data returned with the descriptors;
 *   2. if its command cannot take descriptors, the nearest earlier one in the same data that can;
 *   3. if there is none, the last message all the same, which then fails;
 *   4. if no message starts in that data, the message that the data continues.
 */
#ifndef ONTB_VFIO_USER_RX_H
#define ONTB_VFIO_USER_RX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/annotate.h"
#include "vfio_user/version.h"
#include "vfio_user/wire.h"

/* Linux's SCM_MAX_FD: more cannot travel with one sendmsg(). */
#define ONTB_RX_MAX_FDS 253

/*
 * Descriptors kept for one message: one more than any may have (ONTB_VERSION_MAX_FDS), which is enough to refuse it. What a
 * client sends beyond that is closed at once, or a few clients with unfinished messages could take all we may open.
 */
#define ONTB_RX_KEEP_FDS (ONTB_VERSION_MAX_FDS + 1)

#define ONTB_RX_BASE_SIZE (64U << 10)

/**
 * struct ontb_rx_fds - descriptors of one message
 * @owner:  Offset of that message in the buffer.
 * @nr:     Descriptors in @fd, those beyond the room are closed; a handler that keeps one puts -1 in its place.
 * @is_cut: More were sent than could be received.
 * @fd:     Descriptors.
 */
struct ontb_rx_fds {
	size_t owner;
	unsigned int nr;
	bool is_cut;
	int fd[ONTB_RX_KEEP_FDS];
};

/**
 * struct ontb_rx - a receive buffer; used by one thread
 * @buf:     Buffer of @cap bytes; [@head, @tail) is received and not yet taken.
 * @cap:     .
 * @head:    .
 * @tail:    .
 * @max_msg: Largest message taken.
 * @nr_sets: Sets of descriptors that wait for their owner: at most one for a message received in part before the last
 *           call and one from the last call.
 * @sets:    .
 * @taken:   Set of the message last taken, if any.
 */
struct ontb_rx {
	uint8_t *buf;
	size_t cap;
	size_t head;
	size_t tail;
	size_t max_msg;
	unsigned int nr_sets;
	struct ontb_rx_fds sets[2];
	struct ontb_rx_fds taken;
};

/**
 * struct ontb_rx_msg - a whole message
 * @hdr:  Header, its frame checked.
 * @body: Body in the buffer, valid until ontb_rx_space().
 * @len:  Bytes of it.
 * @fds:  Descriptors or NULL; close the rest with ontb_rx_close_fds().
 */
struct ontb_rx_msg {
	struct ontb_wire_hdr hdr;
	const uint8_t *body;
	size_t len;
	struct ontb_rx_fds *fds;
};

/**
 * ontb_rx_init() - make an empty buffer
 * @rx:      Memory of the caller.
 * @max_msg: Largest message taken, at least ONTB_WIRE_HDR_SIZE.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_rx_init(struct ontb_rx *rx, size_t max_msg) ONTB_MUST_CHECK;

/**
 * ontb_rx_fini() - undo ontb_rx_init() and close descriptors nobody took; may be called again
 * @rx: Buffer.
 */
void ontb_rx_fini(struct ontb_rx *rx);

/**
 * ontb_rx_space() - where the next bytes go
 * @rx:  Buffer; messages taken from it before are gone.
 * @ptr: OUT.
 * @len: OUT, at least 1.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_rx_space(struct ontb_rx *rx, uint8_t **ptr, size_t *len) ONTB_MUST_CHECK;

/**
 * ontb_rx_commit() - bytes have arrived
 * @rx:     Buffer.
 * @len:    Bytes written where ontb_rx_space() said, at least 1.
 * @fds:    Descriptors that came with them; owned by the buffer from now on.
 * @nr_fds: How many, at most ONTB_RX_MAX_FDS.
 * @is_cut: Descriptors were lost on the way.
 */
void ontb_rx_commit(struct ontb_rx *rx, size_t len, const int *fds, unsigned int nr_fds, bool is_cut);

/**
 * ontb_rx_fill() - one recvmsg()
 * @rx:   Buffer.
 * @sock: Socket; the call blocks.
 *
 * Return: Bytes received, 0 at the end of the stream, -EINTR, -ENOMEM or another error of recvmsg().
 */
ssize_t ontb_rx_fill(struct ontb_rx *rx, int sock) ONTB_MUST_CHECK;

/**
 * ontb_rx_take_fds() - give a message its descriptors; part of ontb_rx_next()
 * @rx:  Buffer, its head at the message.
 * @msg: Message; @msg->fds is set if a set belongs to it.
 */
void ontb_rx_take_fds(struct ontb_rx *rx, struct ontb_rx_msg *msg);

/**
 * ontb_rx_next() - take the next whole message
 * @rx:  Buffer.
 * @msg: OUT.
 *
 * Return: 1; 0 if no whole message is there; or -EPROTO if the stream cannot be followed (@msg->hdr tells why).
 */
static inline int ontb_rx_next(struct ontb_rx *rx, struct ontb_rx_msg *msg)
{
	const uint8_t *p = rx->buf + rx->head;
	size_t have = rx->tail - rx->head;

	if (have < ONTB_WIRE_HDR_SIZE)
		return 0;
	ontb_wire_hdr_get(p, &msg->hdr);
	if (ontb_unlikely(!ontb_wire_frame_is_ok(&msg->hdr, rx->max_msg)))
		return -EPROTO;
	if (have < msg->hdr.size)
		return 0;
	msg->body = p + ONTB_WIRE_HDR_SIZE;
	msg->len = msg->hdr.size - ONTB_WIRE_HDR_SIZE;
	msg->fds = NULL;
	if (ontb_unlikely(rx->nr_sets))
		ontb_rx_take_fds(rx, msg);
	rx->head += msg->hdr.size;
	return 1;
}

/**
 * ontb_rx_close_fds() - close what a handler did not keep
 * @fds: Set or NULL.
 */
void ontb_rx_close_fds(struct ontb_rx_fds *fds);

#endif
