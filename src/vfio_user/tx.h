/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Output to one client: messages go straight to the socket, and into a queue when the client does not read.
 *
 * Any thread may send; nobody ever blocks. Two rules of the stream:
 *   - QEMU 11 gives up when it reads only part of a header. So a send starts at a message's start and holds at most
 *     32 KiB of whole messages, which Linux takes into one buffer or not at all; only a single larger message may be
 *     taken in part, and then its rest is sent alone before anything else.
 *   - What is queued is bounded. Replies are bounded by the client's own thread, which does not read on while too many
 *     wait. Posted writes of other hosts have a quota per source: above a high water mark a write of 4 bytes that is
 *     identical to one still waiting is merged with it (both are the same interrupt message, and the first one has not
 *     been delivered yet, so what was written before the second is visible before both); above the quota it is dropped.
 */
#ifndef ONTB_VFIO_USER_TX_H
#define ONTB_VFIO_USER_TX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/bridge.h>

#include "base/annotate.h"
#include "vfio_user/wire.h"

/* Largest send of several messages. */
#define ONTB_TX_GROUP (32U << 10)
/* Largest amount of posted writes by message that one source may have waiting. */
#define ONTB_TX_SOURCE_BYTES (1U << 20)
/* Source of replies and of our own requests: no quota. */
#define ONTB_TX_NO_SOURCE ONTB_MAX_PORTS

#define ONTB_TX_NR_MERGE 256U

/**
 * struct ontb_tx_entry - a message in the queue
 * @size:   Bytes.
 * @source: Port that caused it, or ONTB_TX_NO_SOURCE.
 */
struct ontb_tx_entry {
	uint32_t size;
	uint32_t source;
};

/**
 * struct ontb_tx_merge - where a write of 4 bytes was queued last
 * @addr:   Address written.
 * @data:   The 4 bytes.
 * @source: Who wrote.
 * @seq:    Sequence number in the queue, 0 = empty slot.
 */
struct ontb_tx_merge {
	uint64_t addr;
	uint32_t data;
	uint32_t source;
	uint64_t seq;
};

/**
 * struct ontb_tx_stats - what was sent; read without a lock
 * @messages: Messages given to the socket, @bytes in bytes.
 * @bytes:    .
 * @queued:   Bytes waiting now.
 * @merged:   Writes merged with a waiting one.
 * @dropped:  Writes dropped.
 */
struct ontb_tx_stats {
	_Atomic uint64_t messages;
	_Atomic uint64_t bytes;
	_Atomic uint64_t queued;
	_Atomic uint64_t merged;
	_Atomic uint64_t dropped;
};

/**
 * struct ontb_tx - output of one client; all but @stats under @lock, or constant
 * @lock:         Leaf lock.
 * @sock:         Socket, constant, the caller's.
 * @is_dead:      The socket failed or the client is gone: everything is dropped.
 * @write_quota:  Constant: writes one source may have waiting.
 * @want_flush:   Called under the lock when something was queued and nobody waits for the socket yet; constant.
 * @arg:          For @want_flush.
 * @buf:          Queue: [@head, @tail) of @cap bytes.
 * @cut_left:     Bytes left of the first message, which the socket took in part; 0 if it is whole.
 * @entries:      Ring of @nr_slots entries, a power of two or 0; the first is @first, @nr_entries in use.
 * @first_seq:    Sequence number of the first entry.
 * @data_seq:     Sequence number of the last queued write that @merges must not be moved ahead of.
 * @nr_queued:    Writes waiting by source; @bytes_queued in bytes.
 * @merges:       Hash table.
 * @next_id:      Next message id.
 * @stats:        .
 */
struct ontb_tx {
	struct ontb_lock lock;
	int sock;
	bool is_dead;
	uint32_t write_quota;
	void (*want_flush)(void *arg);
	void *arg;
	uint8_t *buf;
	size_t head;
	size_t tail;
	size_t cap;
	size_t cut_left;
	struct ontb_tx_entry *entries;
	size_t nr_slots;
	size_t first;
	size_t nr_entries;
	uint64_t first_seq;
	uint64_t data_seq;
	uint32_t nr_queued[ONTB_MAX_PORTS];
	uint32_t bytes_queued[ONTB_MAX_PORTS];
	struct ontb_tx_merge merges[ONTB_TX_NR_MERGE];
	uint16_t next_id;
	struct ontb_tx_stats stats;
};

/**
 * ontb_tx_init() - start output on a socket
 * @tx:          Memory of the caller.
 * @sock:        Socket; the caller's, outlives @tx.
 * @write_quota: Writes one source may have waiting, at least 1.
 * @want_flush:  See struct ontb_tx.
 * @arg:         For @want_flush.
 */
void ontb_tx_init(struct ontb_tx *tx, int sock, uint32_t write_quota, void (*want_flush)(void *arg), void *arg);

/**
 * ontb_tx_fini() - free the queue; nobody sends any more
 * @tx: Output.
 */
void ontb_tx_fini(struct ontb_tx *tx);

/**
 * ontb_tx_kill() - drop what waits and everything that follows
 * @tx: Output.
 *
 * Context: Any thread. Takes the lock.
 */
void ontb_tx_kill(struct ontb_tx *tx);

/**
 * ontb_tx_send() - send whole messages in order
 * @tx:   Output.
 * @msgs: Messages, one after the other.
 * @len:  Bytes of all.
 *
 * Context: Any thread. Takes the lock. Never blocks.
 * Return: 0 (sent or queued), -EPIPE (the client is gone), -ENOMEM (no memory for the queue; the socket has been shut
 * down, because a client that misses a reply waits for ever).
 */
int ontb_tx_send(struct ontb_tx *tx, const void *msgs, size_t len);

/**
 * ontb_tx_dma_write() - send a posted DMA_WRITE for a source
 * @tx:           Output.
 * @source:       Port, below ONTB_MAX_PORTS.
 * @addr:         Address in the client.
 * @data:         Data.
 * @len:          Bytes, 1 to the client's largest transfer.
 * @is_interrupt: @addr is an interrupt address: the write may be merged with one that waits.
 *
 * Context: Any thread. Takes the lock. Never blocks.
 * Return: 0 (sent, queued or merged), -ENOBUFS (over the quota, or no memory; dropped), -EPIPE.
 */
int ontb_tx_dma_write(struct ontb_tx *tx, unsigned int source, uint64_t addr, const void *data, size_t len,
		      bool is_interrupt);

/**
 * ontb_tx_flush() - send what waits, as far as the socket takes it
 * @tx: Output.
 *
 * Context: Any thread. Takes the lock. Never blocks. Calls want_flush if something is left.
 */
void ontb_tx_flush(struct ontb_tx *tx);

/**
 * ontb_tx_queued() - bytes waiting
 * @tx: Output.
 *
 * Context: Any thread; no lock, so the answer may be old.
 * Return: Bytes.
 */
static inline uint64_t ontb_tx_queued(struct ontb_tx *tx)
{
	return atomic_load_explicit(&tx->stats.queued, memory_order_relaxed);
}

#endif
