/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Queue pairs between two hosts: frames of bytes in rings of memory that the sender reaches through a window, announced by an NTB
 * interrupt or found by polling.
 *
 * A transport lives from link up to link down: when the link dies every call says -ENOLINK, and a new one is made after it.
 */
#ifndef OPENNTB_NTB_TRANSPORT_H
#define OPENNTB_NTB_TRANSPORT_H

#include <openntb/ntb_irq.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONTB_NTB_MAX_QPS 64U

struct ontb_ntb_transport;

/**
 * struct ontb_ntb_transport_config - both hosts give the same numbers
 * @ntb:       Bridge.
 * @irqs:      Its NTB interrupts, or NULL: nobody is told, both poll.
 * @peer:      Peer.
 * @window:    Window to use; it is claimed, see ontb_ntb_window_claim().
 * @nr_qps:    Queue pairs, 1..ONTB_NTB_MAX_QPS.
 * @ring_size: Bytes of each receive ring, a power of two, 4 KiB..1 GiB.
 * @first_irq: Queue pair n uses own interrupt @first_irq + n, and the peer's of the same index.
 */
struct ontb_ntb_transport_config {
	struct ontb_ntb *ntb;
	struct ontb_ntb_irqs *irqs;
	unsigned int peer;
	unsigned int window;
	unsigned int nr_qps;
	uint64_t ring_size;
	unsigned int first_irq;
};

/**
 * struct ontb_ntb_qp_status - what a queue pair has moved
 * @tx_frames:  Frames sent.
 * @tx_bytes:   Their bytes.
 * @rx_frames:  Frames received.
 * @rx_bytes:   Their bytes.
 * @notified:   Interrupts that came for it.
 * @notifies:   Interrupts raised at the peer.
 * @is_broken:  The peer broke the protocol; nothing moves any more.
 */
struct ontb_ntb_qp_status {
	uint64_t tx_frames;
	uint64_t tx_bytes;
	uint64_t rx_frames;
	uint64_t rx_bytes;
	uint64_t notified;
	uint64_t notifies;
	bool is_broken;
};

/**
 * ontb_ntb_transport_new() - open the rings to the peer, and grant the interrupts
 * @config: Copied.
 * @out:    OUT.
 *
 * Context: Not a handler, not an event. Blocks.
 * Return: 0, or
 *         -EINVAL   a value is outside its range, or the window is too small for the rings.
 *         -ENOLINK  the link is down.
 *         -EBUSY    somebody has claimed the window.
 *         -ENOMEM   no memory.
 *         other     what allocating or granting an interrupt said.
 */
int ontb_ntb_transport_new(const struct ontb_ntb_transport_config *config, struct ontb_ntb_transport **out);

/**
 * ontb_ntb_transport_free() - close the rings, give the interrupts back
 * @transport: Or NULL. Nobody is in a call of it.
 *
 * Context: Not a handler, not an event. Blocks.
 */
void ontb_ntb_transport_free(struct ontb_ntb_transport *transport);

/**
 * ontb_ntb_transport_connect() - see whether the peer's rings are there, and its interrupts granted
 * @transport: Transport.
 *
 * Context: Any thread, not a handler. Reads through the window.
 * Return: 0 (frames can be sent), or
 *         -EAGAIN   not yet.
 *         -ENOLINK  the link is down.
 *         -EPROTO   the peer's rings are of another size or version; logged.
 */
int ontb_ntb_transport_connect(struct ontb_ntb_transport *transport);

/**
 * ontb_ntb_qp_send() - put a frame into the peer's ring
 * @transport: Connected transport.
 * @qp:        Queue pair.
 * @buf:       Bytes.
 * @len:       How many, 1 up to a quarter of the ring.
 *
 * The peer is told by ontb_ntb_qp_kick(): once for as many frames as there are.
 *
 * Context: One thread at a time per queue pair.
 * Return: 0, or
 *         -ERANGE    no such queue pair.
 *         -EMSGSIZE  too long or nothing.
 *         -EAGAIN    no room now.
 *         -ENOLINK   the link is down, or it is not connected.
 *         -EPROTO    the peer broke the protocol; logged once.
 */
int ontb_ntb_qp_send(struct ontb_ntb_transport *transport, unsigned int qp, const void *buf, size_t len);

/**
 * ontb_ntb_qp_kick() - tell the peer that there is something
 * @transport: Connected transport.
 * @qp:        Queue pair.
 *
 * Context: Any thread, also a handler.
 * Return: 0, also when interrupts are not used, or as ontb_ntb_irq_trigger().
 */
int ontb_ntb_qp_kick(struct ontb_ntb_transport *transport, unsigned int qp);

/**
 * ontb_ntb_qp_recv() - take a frame
 * @transport: Transport.
 * @qp:        Queue pair.
 * @buf:       OUT, room for @size bytes.
 * @size:      Room.
 *
 * Context: One thread at a time per queue pair.
 * Return: Bytes, or
 *         -ERANGE    no such queue pair.
 *         -EAGAIN    nothing there.
 *         -EMSGSIZE  the next frame is longer than @size; it stays.
 *         -EPROTO    the peer broke the protocol; logged once.
 */
int64_t ontb_ntb_qp_recv(struct ontb_ntb_transport *transport, unsigned int qp, void *buf, size_t size);

/**
 * ontb_ntb_qp_wait() - sleep until the peer says that something happened
 * @transport:  Transport with interrupts.
 * @qp:         Queue pair.
 * @timeout_ns: How long at most.
 *
 * What was said since the last wait counts, so look, then wait, then look again loses nothing.
 *
 * Context: Not a handler, not in a stepped machine. One thread at a time per queue pair.
 * Return: 0, -ERANGE, -EOPNOTSUPP (no interrupts), or -ETIMEDOUT.
 */
int ontb_ntb_qp_wait(struct ontb_ntb_transport *transport, unsigned int qp, uint64_t timeout_ns);

/**
 * ontb_ntb_qp_status() - look at a queue pair
 * @transport: Transport.
 * @qp:        Queue pair.
 * @status:    OUT.
 *
 * Context: Any thread.
 * Return: 0 or -ERANGE.
 */
int ontb_ntb_qp_status(const struct ontb_ntb_transport *transport, unsigned int qp, struct ontb_ntb_qp_status *status);

#ifdef __cplusplus
}
#endif

#endif
