// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Rings of frames. The peer's counters are the only thing in them that it can lie about and that is used; see qp.h.
 */
#include "ntb/transport/qp.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

#define PRODUCED 0U
#define CONSUMED 8U

/* Up to this, head and bytes of a frame are put together and stored at once: copying is cheaper than one more access. */
#define SMALL_FRAME 256U

static uint64_t padded(uint64_t len)
{
	return (len + ONTB_QP_FRAME_HEAD - 1) & ~(uint64_t)(ONTB_QP_FRAME_HEAD - 1);
}

uint64_t ontb_qp_window_size(unsigned int nr_qps, uint64_t ring_size)
{
	return ONTB_QP_RINGS + nr_qps * ring_size;
}

static uint64_t ring_offset(const struct ontb_qp *qp)
{
	return ONTB_QP_RINGS + qp->idx * qp->ring_size;
}

static uint64_t counter_offset(const struct ontb_qp *qp, unsigned int which)
{
	return ONTB_QP_COUNTERS + (uint64_t)qp->idx * ONTB_QP_COUNTER_GAP + which;
}

void ontb_qp_init(struct ontb_qp *qp, struct ontb_ntb *ntb, unsigned int peer, unsigned int window, unsigned int idx,
		  uint64_t ring_size, const void *memory)
{
	*qp = (struct ontb_qp){ .ntb = ntb, .peer = peer, .window = window, .idx = idx, .ring_size = ring_size };
	qp->counters = (const uint8_t *)memory + counter_offset(qp, 0);
	qp->ring = (const uint8_t *)memory + ring_offset(qp);
}

/* A counter that the peer stores to. Acquire: what it stored before is visible after. */
static uint64_t peer_counter(const struct ontb_qp *qp, unsigned int which)
{
	const uint64_t *counter = (const void *)((const uint8_t *)qp->counters + which);

	return le64toh(__atomic_load_n(counter, __ATOMIC_ACQUIRE));
}

static int tell(struct ontb_qp *qp, unsigned int which, uint64_t value)
{
	uint64_t wire = htole64(value);

	return ontb_ntb_peer_write(qp->ntb, qp->peer, qp->window, counter_offset(qp, which), &wire, sizeof(wire));
}

static int broken(struct ontb_qp *qp, const char *what, uint64_t value)
{
	if (!atomic_exchange(&qp->is_broken, true))
		ontb_log(ONTB_LOG_WARNING, "%s: queue pair %u: peer %u %s (%" PRIu64 "); nothing moves any more",
			 ontb_ntb_name(qp->ntb), qp->idx, qp->peer, what, value);
	return -EPROTO;
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Store into the peer's ring, around its end if need be. */
static int store(struct ontb_qp *qp, uint64_t at, const void *buf, size_t len)
{
	uint64_t start = at & (qp->ring_size - 1);
	size_t first = len < qp->ring_size - start ? len : (size_t)(qp->ring_size - start);
	int ret = ontb_ntb_peer_write(qp->ntb, qp->peer, qp->window, ring_offset(qp) + start, buf, first);

	if (ret || first == len)
		return ret;
	return ontb_ntb_peer_write(qp->ntb, qp->peer, qp->window, ring_offset(qp), (const uint8_t *)buf + first,
				   len - first);
}

static int store_frame(struct ontb_qp *qp, const void *buf, size_t len)
{
	uint8_t frame[ONTB_QP_FRAME_HEAD + SMALL_FRAME];
	int ret;

	ontb_put_le32(frame, (uint32_t)len);
	ontb_put_le32(frame + 4, 0);
	ontb_put_le64(frame + 8, qp->tx_frames);
	if (len <= SMALL_FRAME) {
		memcpy(frame + ONTB_QP_FRAME_HEAD, buf, len);
		return store(qp, qp->tx_produced, frame, ONTB_QP_FRAME_HEAD + len);
	}
	ret = store(qp, qp->tx_produced, frame, ONTB_QP_FRAME_HEAD);
	return ret ? ret : store(qp, qp->tx_produced + ONTB_QP_FRAME_HEAD, buf, len);
}

int ontb_qp_put(struct ontb_qp *qp, const void *buf, size_t len)
{
	uint64_t consumed = peer_counter(qp, CONSUMED), size = ONTB_QP_FRAME_HEAD + padded(len);
	int ret;

	if (!len || len > qp->ring_size / 4)
		return -EMSGSIZE;
	if (atomic_load_explicit(&qp->is_broken, memory_order_relaxed))
		return -EPROTO;
	/* Unsigned: a counter ahead of what was sent is as wrong as one too far behind. */
	if (qp->tx_produced - consumed > qp->ring_size)
		return broken(qp, "says it took bytes that were never sent", consumed);
	if (qp->tx_produced - consumed + size > qp->ring_size)
		return -EAGAIN;
	ret = store_frame(qp, buf, len);
	if (!ret)
		ret = tell(qp, PRODUCED, qp->tx_produced + size);
	if (ret)
		return ret;
	qp->tx_produced += size;
	qp->tx_frames++;
	count(&qp->counts.tx_frames, 1);
	count(&qp->counts.tx_bytes, len);
	return 0;
}

static void load(const struct ontb_qp *qp, uint64_t at, void *buf, size_t len)
{
	uint64_t start = at & (qp->ring_size - 1);
	size_t first = len < qp->ring_size - start ? len : (size_t)(qp->ring_size - start);

	memcpy(buf, qp->ring + start, first);
	memcpy((uint8_t *)buf + first, qp->ring, len - first);
}

/*
 * The peer waits for room only when a quarter of its ring is used at least, because no frame is longer. So it is told each time
 * a quarter was taken, and when nothing is left: one of the two comes.
 */
static int make_room(struct ontb_qp *qp, uint64_t size, bool is_last, bool *notify)
{
	int ret;

	qp->rx_consumed += size;
	if (!is_last && qp->rx_consumed - qp->rx_told < qp->ring_size / 4)
		return 0;
	ret = tell(qp, CONSUMED, qp->rx_consumed);
	if (ret)
		return ret;
	qp->rx_told = qp->rx_consumed;
	*notify = true;
	return 0;
}

int64_t ontb_qp_take(struct ontb_qp *qp, void *buf, size_t size, bool *notify)
{
	uint64_t there = peer_counter(qp, PRODUCED) - qp->rx_consumed, whole;
	uint8_t head[ONTB_QP_FRAME_HEAD];
	uint32_t len;

	if (atomic_load_explicit(&qp->is_broken, memory_order_relaxed))
		return -EPROTO;
	if (!there)
		return -EAGAIN;
	if (there > qp->ring_size || there < ONTB_QP_FRAME_HEAD)
		return broken(qp, "announced more than the ring holds, or half a frame", there);
	load(qp, qp->rx_consumed, head, sizeof(head));
	len = ontb_get_le32(head);
	whole = ONTB_QP_FRAME_HEAD + padded(len);
	if (!len || len > qp->ring_size / 4 || whole > there)
		return broken(qp, "sent a frame of a length that cannot be", len);
	if (ontb_get_le64(head + 8) != qp->rx_frames)
		return broken(qp, "sent a frame out of order", ontb_get_le64(head + 8));
	if (len > size)
		return -EMSGSIZE;
	load(qp, qp->rx_consumed + ONTB_QP_FRAME_HEAD, buf, len);
	qp->rx_frames++;
	count(&qp->counts.rx_frames, 1);
	count(&qp->counts.rx_bytes, len);
	/* A peer that cannot be told is gone; the frame is here all the same. */
	(void)make_room(qp, whole, whole == there, notify);
	return len;
}
