// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Output to one client. See tx.h.
 */
#include "vfio_user/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/probe.h"

#define MIN_SLOTS	 64U
#define MIN_CAP		 4096U
#define HIGH_WATER_SHIFT 2 /* merging starts at a quarter of the quota */

void ontb_tx_init(struct ontb_tx *tx, int sock, uint32_t write_quota, void (*want_flush)(void *arg), void *arg)
{
	memset(tx, 0, sizeof(*tx));
	ontb_lock_init(&tx->lock);
	tx->sock = sock;
	tx->write_quota = write_quota;
	tx->want_flush = want_flush;
	tx->arg = arg;
	tx->first_seq = 1;
}

void ontb_tx_fini(struct ontb_tx *tx)
{
	ontb_lock_fini(&tx->lock);
	free(tx->buf);
	free(tx->entries);
	tx->buf = NULL;
	tx->entries = NULL;
}

static void count_sent(struct ontb_tx *tx, size_t messages, size_t bytes)
{
	atomic_fetch_add_explicit(&tx->stats.messages, messages, memory_order_relaxed);
	atomic_fetch_add_explicit(&tx->stats.bytes, bytes, memory_order_relaxed);
}

static void publish_queued_locked(struct ontb_tx *tx)
{
	atomic_store_explicit(&tx->stats.queued, tx->tail - tx->head, memory_order_relaxed);
}

static void drop_all_locked(struct ontb_tx *tx) ONTB_MUST_HOLD(tx->lock)
{
	tx->is_dead = true;
	tx->head = 0;
	tx->tail = 0;
	tx->cut_left = 0;
	tx->first_seq += tx->nr_entries;
	tx->nr_entries = 0;
	memset(tx->nr_queued, 0, sizeof(tx->nr_queued));
	memset(tx->bytes_queued, 0, sizeof(tx->bytes_queued));
	publish_queued_locked(tx);
}

void ontb_tx_kill(struct ontb_tx *tx)
{
	ontb_lock(&tx->lock);
	drop_all_locked(tx);
	ontb_unlock(&tx->lock);
}

/* No memory for something that must not be lost, such as the rest of a message: the stream cannot be continued. */
static void give_up_locked(struct ontb_tx *tx) ONTB_MUST_HOLD(tx->lock)
{
	drop_all_locked(tx);
	(void)shutdown(tx->sock, SHUT_RDWR);
}

/*
 * Return: bytes taken, 0 if the socket is full, -EPIPE if it is dead.
 */
static ssize_t push_locked(struct ontb_tx *tx, struct iovec *iov, int nr_iov) ONTB_MUST_HOLD(tx->lock)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)nr_iov };
	ssize_t n;

	do {
		/* Most sends are one piece, and for that the kernel has less to look at in send(). */
		n = nr_iov == 1 ? send(tx->sock, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
				: sendmsg(tx->sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)
		return 0;
	drop_all_locked(tx);
	return -EPIPE;
}

static struct ontb_tx_entry *entry_at(const struct ontb_tx *tx, size_t idx)
{
	return &tx->entries[(tx->first + idx) & (tx->nr_slots - 1)];
}

static void pop_entry_locked(struct ontb_tx *tx) ONTB_MUST_HOLD(tx->lock)
{
	const struct ontb_tx_entry *e = entry_at(tx, 0);

	if (e->source < ONTB_MAX_PORTS) {
		tx->nr_queued[e->source]--;
		tx->bytes_queued[e->source] -= e->size;
	}
	tx->first = (tx->first + 1) & (tx->nr_slots - 1);
	tx->nr_entries--;
	tx->first_seq++;
}

/* How much to send at once: the rest of a message that was cut, or a group of whole messages, or one large one. */
static size_t group_size_locked(const struct ontb_tx *tx) ONTB_MUST_HOLD(tx->lock)
{
	size_t len = 0;

	if (tx->cut_left)
		return tx->cut_left;
	for (size_t i = 0; i < tx->nr_entries; i++) {
		size_t size = entry_at(tx, i)->size;

		if (len && len + size > ONTB_TX_GROUP)
			break;
		len += size;
	}
	return len;
}

static void consume_locked(struct ontb_tx *tx, size_t n) ONTB_MUST_HOLD(tx->lock)
{
	size_t nr_done = 0, bytes = n;

	tx->head += n;
	if (tx->cut_left) {
		tx->cut_left -= n;
		if (!tx->cut_left) {
			pop_entry_locked(tx);
			nr_done++;
		}
		n = 0;
	}
	while (n) {
		size_t size = entry_at(tx, 0)->size;

		if (n < size) {
			tx->cut_left = size - n;
			break;
		}
		n -= size;
		pop_entry_locked(tx);
		nr_done++;
	}
	count_sent(tx, nr_done, bytes);
}

static void flush_locked(struct ontb_tx *tx) ONTB_MUST_HOLD(tx->lock)
{
	struct iovec iov;
	ssize_t n;

	while (tx->head < tx->tail) {
		iov.iov_base = tx->buf + tx->head;
		iov.iov_len = group_size_locked(tx);
		n = push_locked(tx, &iov, 1);
		if (n < 0)
			return;
		if (!n) {
			tx->want_flush(tx->arg);
			break;
		}
		consume_locked(tx, (size_t)n);
	}
	if (tx->head == tx->tail) {
		tx->head = 0;
		tx->tail = 0;
		if (tx->cap > ONTB_TX_SOURCE_BYTES) {
			free(tx->buf);
			tx->buf = NULL;
			tx->cap = 0;
		}
	}
	publish_queued_locked(tx);
}

void ontb_tx_flush(struct ontb_tx *tx)
{
	ontb_lock(&tx->lock);
	flush_locked(tx);
	ontb_unlock(&tx->lock);
}

static int reserve_bytes_locked(struct ontb_tx *tx, size_t len) ONTB_MUST_HOLD(tx->lock)
{
	size_t used = tx->tail - tx->head, cap = tx->cap ? tx->cap : MIN_CAP;
	uint8_t *buf;

	if (tx->cap - tx->tail >= len)
		return 0;
	if (tx->head) {
		memmove(tx->buf, tx->buf + tx->head, used);
		tx->head = 0;
		tx->tail = used;
	}
	while (cap - used < len)
		cap *= 2;
	if (cap == tx->cap)
		return 0;
	buf = realloc(tx->buf, cap);
	if (!buf)
		return -ENOMEM;
	tx->buf = buf;
	tx->cap = cap;
	return 0;
}

static int reserve_entries_locked(struct ontb_tx *tx, size_t nr) ONTB_MUST_HOLD(tx->lock)
{
	size_t nr_slots = tx->nr_slots ? tx->nr_slots : MIN_SLOTS;
	struct ontb_tx_entry *entries;

	while (nr_slots < tx->nr_entries + nr)
		nr_slots *= 2;
	if (nr_slots == tx->nr_slots)
		return 0;
	entries = malloc(nr_slots * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < tx->nr_entries; i++)
		entries[i] = *entry_at(tx, i);
	free(tx->entries);
	tx->entries = entries;
	tx->nr_slots = nr_slots;
	tx->first = 0;
	return 0;
}

/* The caller has reserved room for the entry and its bytes. */
static void queue_entry_locked(struct ontb_tx *tx, uint32_t size, uint32_t source) ONTB_MUST_HOLD(tx->lock)
{
	struct ontb_tx_entry *e = entry_at(tx, tx->nr_entries);

	e->size = size;
	e->source = source;
	tx->nr_entries++;
	if (source < ONTB_MAX_PORTS) {
		tx->nr_queued[source]++;
		tx->bytes_queued[source] += size;
	}
}

static uint32_t msg_size(const uint8_t *msg)
{
	return ontb_get_le32(msg + 4);
}

static size_t count_messages(const uint8_t *msgs, size_t len)
{
	size_t nr = 0;

	for (size_t pos = 0; pos < len; pos += msg_size(msgs + pos))
		nr++;
	return nr;
}

/*
 * Queue messages of which the socket has taken @done bytes of the first one.
 */
static int queue_locked(struct ontb_tx *tx, const uint8_t *msgs, size_t len, size_t done) ONTB_MUST_HOLD(tx->lock)
{
	int ret;

	ret = reserve_bytes_locked(tx, len - done);
	if (!ret)
		ret = reserve_entries_locked(tx, count_messages(msgs, len));
	if (ret) {
		give_up_locked(tx);
		return ret;
	}
	if (done)
		tx->cut_left = msg_size(msgs) - done;
	for (size_t pos = 0; pos < len; pos += msg_size(msgs + pos))
		queue_entry_locked(tx, msg_size(msgs + pos), ONTB_TX_NO_SOURCE);
	memcpy(tx->buf + tx->tail, msgs + done, len - done);
	tx->tail += len - done;
	publish_queued_locked(tx);
	tx->want_flush(tx->arg);
	return 0;
}

/* Length of the first group in @msgs, and how many messages it has. */
static size_t direct_group(const uint8_t *msgs, size_t len, size_t *nr)
{
	size_t pos = 0;

	*nr = 0;
	while (pos < len) {
		size_t size = msg_size(msgs + pos);

		if (pos && pos + size > ONTB_TX_GROUP)
			break;
		pos += size;
		(*nr)++;
	}
	return pos;
}

static int send_locked(struct ontb_tx *tx, const uint8_t *msgs, size_t len) ONTB_MUST_HOLD(tx->lock)
{
	size_t nr, size, group;
	struct iovec iov;
	ssize_t n;

	if (tx->is_dead)
		return -EPIPE;
	while (len && tx->head == tx->tail) {
		group = direct_group(msgs, len, &nr);
		iov.iov_base = (void *)(uintptr_t)msgs;
		iov.iov_len = group;
		n = push_locked(tx, &iov, 1);
		if (n < 0)
			return (int)n;
		if ((size_t)n == group) {
			count_sent(tx, nr, group);
			msgs += group;
			len -= group;
			continue;
		}
		count_sent(tx, 0, (size_t)n);
		for (size = (size_t)n; size && size >= msg_size(msgs);) {
			size -= msg_size(msgs);
			len -= msg_size(msgs);
			msgs += msg_size(msgs);
		}
		return queue_locked(tx, msgs, len, size);
	}
	return len ? queue_locked(tx, msgs, len, 0) : 0;
}

int ontb_tx_send(struct ontb_tx *tx, const void *msgs, size_t len)
{
	int ret;

	ONTB_PROBE2(wire_send, tx->sock, len);
	ontb_lock(&tx->lock);
	ret = send_locked(tx, msgs, len);
	ontb_unlock(&tx->lock);
	return ret;
}

static struct ontb_tx_merge *merge_slot(struct ontb_tx *tx, unsigned int source, uint64_t addr, uint32_t data)
{
	uint64_t h = (addr ^ ((uint64_t)data << 17) ^ source) * 0x9e3779b97f4a7c15ULL;

	return &tx->merges[h >> 56];
}

static bool is_waiting_locked(struct ontb_tx *tx, unsigned int source, uint64_t addr, uint32_t data)
	ONTB_MUST_HOLD(tx->lock)
{
	const struct ontb_tx_merge *m = merge_slot(tx, source, addr, data);
	/* The first entry may be on the wire in part already, but then it is larger than an interrupt message. */
	uint64_t first = tx->first_seq;

	return m->seq && m->seq >= first && m->seq > tx->data_seq && m->addr == addr && m->data == data &&
	       m->source == source;
}

static void note_queued_locked(struct ontb_tx *tx, unsigned int source, uint64_t addr, const void *data, size_t len,
			       bool is_interrupt) ONTB_MUST_HOLD(tx->lock)
{
	uint64_t seq = tx->first_seq + tx->nr_entries - 1;
	struct ontb_tx_merge *m;

	if (!is_interrupt || len != sizeof(uint32_t)) {
		tx->data_seq = seq;
		return;
	}
	m = merge_slot(tx, source, addr, ontb_get_le32(data));
	m->addr = addr;
	m->data = ontb_get_le32(data);
	m->source = source;
	m->seq = seq;
}

static int dma_write_locked(struct ontb_tx *tx, unsigned int source, uint64_t addr, const void *data, size_t len,
			    bool is_interrupt) ONTB_MUST_HOLD(tx->lock)
{
	uint8_t head[ONTB_WIRE_HDR_SIZE + ONTB_WIRE_DMA_RW_SIZE];
	size_t size = sizeof(head) + len, done = 0;
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)data, len } };
	ssize_t n;

	if (tx->is_dead)
		return -EPIPE;
	ontb_wire_put_dma(head, ONTB_WIRE_DMA_WRITE, tx->next_id++, addr, (uint32_t)len);
	if (tx->head == tx->tail) {
		n = push_locked(tx, iov, 2);
		if (n < 0)
			return (int)n;
		done = (size_t)n;
		count_sent(tx, done == size, done);
		if (done == size)
			return 0;
	} else {
		if (is_interrupt && len == sizeof(uint32_t) &&
		    tx->nr_queued[source] >= tx->write_quota >> HIGH_WATER_SHIFT &&
		    is_waiting_locked(tx, source, addr, ontb_get_le32(data))) {
			atomic_fetch_add_explicit(&tx->stats.merged, 1, memory_order_relaxed);
			return 0;
		}
		if (tx->nr_queued[source] >= tx->write_quota || tx->bytes_queued[source] + size > ONTB_TX_SOURCE_BYTES)
			return -ENOBUFS;
	}
	if (reserve_bytes_locked(tx, size - done) || reserve_entries_locked(tx, 1)) {
		if (done)
			give_up_locked(tx);
		return -ENOBUFS;
	}
	if (done)
		tx->cut_left = size - done;
	queue_entry_locked(tx, (uint32_t)size, source);
	if (done < sizeof(head)) {
		memcpy(tx->buf + tx->tail, head + done, sizeof(head) - done);
		tx->tail += sizeof(head) - done;
		done = sizeof(head);
	}
	memcpy(tx->buf + tx->tail, (const uint8_t *)data + (done - sizeof(head)), size - done);
	tx->tail += size - done;
	note_queued_locked(tx, source, addr, data, len, is_interrupt);
	publish_queued_locked(tx);
	tx->want_flush(tx->arg);
	return 0;
}

int ontb_tx_dma_write(struct ontb_tx *tx, unsigned int source, uint64_t addr, const void *data, size_t len,
		      bool is_interrupt)
{
	int ret;

	ONTB_PROBE3(wire_dma_write, tx->sock, addr, len);
	ontb_lock(&tx->lock);
	ret = dma_write_locked(tx, source, addr, data, len, is_interrupt);
	ontb_unlock(&tx->lock);
	if (ret == -ENOBUFS)
		atomic_fetch_add_explicit(&tx->stats.dropped, 1, memory_order_relaxed);
	return ret;
}
