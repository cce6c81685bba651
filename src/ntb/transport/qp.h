/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A queue pair: a ring in this host's memory that the peer fills, and the peer's ring that this host fills.
 *
 * What lies in a host's inbound window, all little endian, and who writes it:
 *
 *      0      struct ontb_qp_head   the owner, before the window opens
 *      4096   per queue pair 64 bytes:
 *               +0   produced       the peer: bytes it has put into this ring so far
 *               +8   consumed       the peer: bytes it has taken out of its own ring so far
 *      8192   rings, ring_size each: frames of 16 bytes head (length, 0, number) and data, padded to 16 bytes
 *
 * Both counters only grow. A frame's bytes are stored before the counter that announces them, and posted stores stay in
 * order, so whoever reads the counter with acquire sees the frame. The peer is not trusted: a counter is read once and checked
 * against the ring's size, a length against what the counter announced.
 */
#ifndef ONTB_NTB_TRANSPORT_QP_H
#define ONTB_NTB_TRANSPORT_QP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/ntb_transport.h>

#include "base/annotate.h"

#define ONTB_QP_MAGIC	    0x706e746f /* "ontp" */
#define ONTB_QP_VERSION	    1U
#define ONTB_QP_COUNTERS    4096U
#define ONTB_QP_COUNTER_GAP 64U
#define ONTB_QP_RINGS	    8192U
#define ONTB_QP_FRAME_HEAD  16U

/**
 * struct ontb_qp_head - first bytes of the window
 * @magic:     ONTB_QP_MAGIC.
 * @version:   ONTB_QP_VERSION.
 * @nr_qps:    Queue pairs.
 * @zero:      0.
 * @ring_size: Bytes of each ring.
 */
struct ontb_qp_head {
	uint32_t magic;
	uint32_t version;
	uint32_t nr_qps;
	uint32_t zero;
	uint64_t ring_size;
};

/**
 * struct ontb_qp - a queue pair
 * @ntb:           Bridge. Constant.
 * @peer:          Peer. Constant.
 * @window:        Window. Constant.
 * @idx:           Number. Constant.
 * @ring_size:     Constant.
 * @counters:      This host's memory that the peer's counters are in. Constant pointer.
 * @ring:          This host's ring. Constant pointer.
 * @tx_produced:   Bytes put into the peer's ring. The sending thread's.
 * @tx_frames:     Number of the next frame. The sending thread's.
 * @rx_consumed:   Bytes taken out. The receiving thread's.
 * @rx_told:       What the peer was last told of that. The receiving thread's.
 * @rx_frames:     Number of the next frame. The receiving thread's.
 * @is_broken:     The peer broke the protocol.
 * @counts:        For the status; each written by one thread.
 */
struct ontb_qp {
	struct ontb_ntb *ntb;
	unsigned int peer;
	unsigned int window;
	unsigned int idx;
	uint64_t ring_size;
	const void *counters;
	const uint8_t *ring;
	uint64_t tx_produced;
	uint64_t tx_frames;
	uint64_t rx_consumed;
	uint64_t rx_told;
	uint64_t rx_frames;
	_Atomic bool is_broken;
	struct {
		_Atomic uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes;
	} counts;
};

/**
 * ontb_qp_window_size() - memory that a number of queue pairs needs
 * @nr_qps:    Queue pairs, 1..ONTB_NTB_MAX_QPS.
 * @ring_size: Bytes of each ring, at most 1 GiB.
 *
 * Return: Bytes.
 */
uint64_t ontb_qp_window_size(unsigned int nr_qps, uint64_t ring_size);

/**
 * ontb_qp_init() - make a queue pair with empty rings
 * @qp:        Memory of the caller.
 * @ntb:       Bridge.
 * @peer:      Peer.
 * @window:    Window.
 * @idx:       Number.
 * @ring_size: Bytes of each ring.
 * @memory:    What the inbound window shows, zeroed.
 */
void ontb_qp_init(struct ontb_qp *qp, struct ontb_ntb *ntb, unsigned int peer, unsigned int window, unsigned int idx,
		  uint64_t ring_size, const void *memory);

/**
 * ontb_qp_put() - put a frame into the peer's ring
 * @qp:  Queue pair.
 * @buf: Bytes.
 * @len: How many.
 *
 * Context: The sending thread.
 * Return: 0, -EMSGSIZE, -EAGAIN, -ENOLINK or -EPROTO.
 */
int ontb_qp_put(struct ontb_qp *qp, const void *buf, size_t len) ONTB_MUST_CHECK;

/**
 * ontb_qp_take() - take a frame out of this host's ring
 * @qp:     Queue pair.
 * @buf:    OUT.
 * @size:   Room.
 * @notify: OUT, true if the peer may wait for the room that this made; unchanged otherwise.
 *
 * Context: The receiving thread.
 * Return: Bytes, -EAGAIN, -EMSGSIZE or -EPROTO.
 */
int64_t ontb_qp_take(struct ontb_qp *qp, void *buf, size_t size, bool *notify) ONTB_MUST_CHECK;

#endif
