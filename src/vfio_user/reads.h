/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Reads that wait for a client's reply to a DMA_READ, and who waits for whom.
 *
 * A host whose read waits for another host may be unable to answer anybody: a QEMU whose virtual CPU waits for a register
 * holds the lock that its answers need. So the graph "waits for" between clients is kept free of circles: a read that
 * would close one is refused at once. Ports whose clients are one process count as one node, because they share that lock.
 *
 * A read that times out keeps its slot until the client answers after all or leaves, so that a late answer is known for
 * what it is.
 */
#ifndef ONTB_VFIO_USER_READS_H
#define ONTB_VFIO_USER_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/bridge.h>

#include "base/annotate.h"

/* Reads that one client may have to answer at a time. */
#define ONTB_READS_PER_TARGET 256U
/* Bytes that one source may be reading at a time; a single read may have more. */
#define ONTB_READS_SOURCE_BYTES (4U << 20)

enum ontb_reads_state {
	ONTB_READS_FREE,
	ONTB_READS_WAITING, /* for the client's reply */
	ONTB_READS_CLAIMED, /* a reply is being worked on by the client's thread */
	ONTB_READS_EXPIRED, /* completed without the reply, which may still come */
};

/**
 * struct ontb_reads_slot - a read under way
 * @state:       .
 * @read:        The read; not used once @state is EXPIRED or FREE.
 * @source:      Who reads; a copy, for when @read is gone.
 * @addr:        Address of the whole read.
 * @done:        Bytes of it that are there.
 * @asked:       Bytes asked for in the message under way, behind @done.
 * @generation:  Upper half of the message id, so that answers to an earlier use of the slot do not match.
 * @deadline_ns: When the whole read expires, however many messages it takes.
 */
struct ontb_reads_slot {
	enum ontb_reads_state state;
	struct ontb_read *read;
	unsigned int source;
	uint64_t addr;
	size_t done;
	size_t asked;
	uint8_t generation;
	uint64_t deadline_ns;
};

/**
 * struct ontb_reads - all reads under way in a server; under @lock
 * @lock:       Leaf lock.
 * @timeout_ns: Constant.
 * @timer_fd:   timerfd that ticks while anything waits; @is_ticking says whether it does.
 * @is_ticking: .
 * @pids:       Process of each port's client, 0 if there is none or it is not known.
 * @nr_edges:   [a][b]: reads of a that wait for b.
 * @nr_bytes:   By source: bytes of its reads that wait.
 * @slots:      By target, NULL until its first read.
 * @nr_waiting: Slots in state WAITING or CLAIMED.
 */
struct ontb_reads {
	struct ontb_lock lock;
	uint64_t timeout_ns;
	int timer_fd;
	bool is_ticking;
	int pids[ONTB_MAX_PORTS];
	uint16_t nr_edges[ONTB_MAX_PORTS][ONTB_MAX_PORTS];
	size_t nr_bytes[ONTB_MAX_PORTS];
	struct ontb_reads_slot *slots[ONTB_MAX_PORTS];
	unsigned int nr_waiting;
};

/**
 * ontb_reads_init() - nobody waits
 * @reads:      Memory of the caller.
 * @timeout_ns: How long a client may take, at least 4.
 *
 * Return: 0, or the error of creating a timer.
 */
int ontb_reads_init(struct ontb_reads *reads, uint64_t timeout_ns) ONTB_MUST_CHECK;

/**
 * ontb_reads_fini() - free; nothing is under way
 * @reads: Reads.
 */
void ontb_reads_fini(struct ontb_reads *reads);

/**
 * ontb_reads_set_client() - tell which process a port's client is
 * @reads: Reads.
 * @port:  Port.
 * @pid:   Process, 0 for none or unknown.
 *
 * Context: Any thread. Takes the lock.
 */
void ontb_reads_set_client(struct ontb_reads *reads, unsigned int port, int pid);

/**
 * ontb_reads_begin() - a read is going to wait for a client
 * @reads:  Reads.
 * @target: Port of that client.
 * @read:   The read; on success it is completed through this object, exactly once.
 * @addr:   Its address.
 * @done:   Bytes that are there already.
 * @asked:  Bytes the first message asks for.
 * @id:     OUT, id of that message.
 *
 * Context: Any thread. Takes the lock.
 * Return: 0; -EDEADLK (would close a circle of waiting hosts); -ENOBUFS (too many, or too much, under way); -EINVAL (source is no port).
 */
int ontb_reads_begin(struct ontb_reads *reads, unsigned int target, struct ontb_read *read, uint64_t addr, size_t done,
		     size_t asked, uint16_t *id) ONTB_MUST_CHECK;

/**
 * ontb_reads_claim() - a reply has come
 * @reads:  Reads.
 * @target: Who sent it.
 * @id:     Its id.
 * @slot:   OUT, copy of the slot; the read is the caller's until ontb_reads_again() or ontb_reads_end().
 *
 * Context: The target's own thread. Takes the lock.
 * Return: 0; -ETIMEDOUT (the read was completed before; the slot is free now); -ENOENT (nobody asked).
 */
int ontb_reads_claim(struct ontb_reads *reads, unsigned int target, uint16_t id, struct ontb_reads_slot *slot)
	ONTB_MUST_CHECK;

/**
 * ontb_reads_again() - a claimed read needs another message; its deadline stays
 * @reads:  Reads.
 * @target: Who answers.
 * @id:     Id of the message that was claimed.
 * @done:   Bytes that are there.
 * @asked:  Bytes the next message asks for.
 *
 * Context: The target's own thread. Takes the lock.
 * Return: Id of the next message.
 */
uint16_t ontb_reads_again(struct ontb_reads *reads, unsigned int target, uint16_t id, size_t done, size_t asked);

/**
 * ontb_reads_end() - a claimed read is complete; the caller calls read->done() afterwards
 * @reads:  Reads.
 * @target: Who answered.
 * @id:     Id of the message that was claimed.
 *
 * Context: The target's own thread. Takes the lock.
 */
void ontb_reads_end(struct ontb_reads *reads, unsigned int target, uint16_t id);

/**
 * ontb_reads_abort() - the message of a read that was begun could not be sent; the caller reports the error
 * @reads:  Reads.
 * @target: Whom it was for.
 * @id:     Id of the message.
 *
 * Context: Any thread. Takes the lock.
 * Return: True if the read is the caller's again; false if it was completed meanwhile.
 */
bool ontb_reads_abort(struct ontb_reads *reads, unsigned int target, uint16_t id);

/**
 * ontb_reads_leave() - a port's client is gone: complete what waits for it, and what it waits for, with -ENOLINK
 * @reads: Reads.
 * @port:  Port.
 *
 * Context: A thread without locks; nobody begins a read by or for that port any more.
 */
void ontb_reads_leave(struct ontb_reads *reads, unsigned int port);

/**
 * ontb_reads_expire() - complete with -ETIMEDOUT what is due
 * @reads:  Reads.
 * @now_ns: Monotonic time.
 *
 * Call it when the timer ticks; a read expires at the first tick behind its deadline, which is a quarter of the timeout
 * late at most.
 *
 * Context: A thread without locks.
 */
void ontb_reads_expire(struct ontb_reads *reads, uint64_t now_ns);

#endif
