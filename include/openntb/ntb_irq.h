/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Interrupts that a peer raises through a window: domain #2 of a bridge's function, and the protocol under which no granted
 * interrupt is lost or misdirected. docs/grant-protocol.md has the protocol with its states.
 *
 *      owner                                              holder
 *                               <----------------------- HELLO -------  both have said that they hold nothing:
 *      events->link()           -- HELLO ---------------------------->  events->link()
 *      ontb_ntb_irq_alloc()
 *      ontb_irq_request()
 *      ontb_ntb_irq_grant()     -- GRANT(index, gen, offset, data) -->  events->granted()
 *                               <------------- GRANT_ACK -------------
 *                               <====== a store into the window ======  ontb_ntb_irq_trigger()
 *      affinity changes         -- GRANT(index, gen+1, ...) --------->
 *                               <------------- GRANT_ACK -------------  only now the old target goes
 *      ontb_ntb_irq_revoke()    -- REVOKE(index) -------------------->  events->revoked()
 *                               <------------ REVOKE_ACK -------------  only now the index may be used again
 */
#ifndef OPENNTB_NTB_IRQ_H
#define OPENNTB_NTB_IRQ_H

#include <openntb/ntb.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_ntb_irqs;

/**
 * struct ontb_ntb_irq_events - what happens to interrupts that peers own; all may be NULL
 *
 * Called from the bridge's worker, no lock held. @irqs are the interrupts that it happens to: the first events may come before
 * ontb_ntb_irqs_new() has returned them.
 */
struct ontb_ntb_irq_events {
	/** @granted: This host may raise interrupt @index of @peer. Not called for a move. */
	void (*granted)(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index);
	/** @revoked: It may not any more; triggers that run have ended. */
	void (*revoked)(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index);
	/** @link: Interrupts can be granted to @peer; or all that it held, and all that were held of it, are gone. */
	void (*link)(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, bool is_up);
	/** @freed: An own interrupt that was being freed is gone; its index may be used again. */
	void (*freed)(void *client, struct ontb_ntb_irqs *irqs, unsigned int index);
};

/**
 * enum ontb_ntb_channel - how hosts tell each other
 * @ONTB_NTB_CHANNEL_AUTO:    Whatever the bridge has, a shared page first.
 * @ONTB_NTB_CHANNEL_PAGE:    Rings in a shared page.
 * @ONTB_NTB_CHANNEL_SPADS:   One message at a time over scratchpads and a doorbell.
 * @ONTB_NTB_CHANNEL_MSGS:    One word at a time over message registers.
 */
enum ontb_ntb_channel {
	ONTB_NTB_CHANNEL_AUTO,
	ONTB_NTB_CHANNEL_PAGE,
	ONTB_NTB_CHANNEL_SPADS,
	ONTB_NTB_CHANNEL_MSGS,
};

/**
 * struct ontb_ntb_irqs_config - interrupts of one bridge
 * @nr_irqs:        Own interrupts at most, 1..65536.
 * @slot:           Slot of the function's MSI device for the domain.
 * @window:         Window to use for the interrupt addresses, or -1 for the last one. It is claimed, see
 *                  ontb_ntb_window_claim().
 * @channel:        How to talk.
 * @trust_peers:    Needed if the MSI parent does not isolate: a peer that can write to interrupt addresses can then raise any
 *                  vector of this host. Not needed with a guard.
 * @use_guard:      Use the bridge's filter; -EOPNOTSUPP if it has none.
 * @ack_timeout_ns: A peer that has not confirmed this long after it was told is cut off: its window is closed, and it loses what
 *                  it held. 0: never.
 * @events:         What to be told; constant; may be NULL.
 * @client:         For @events.
 */
struct ontb_ntb_irqs_config {
	unsigned int nr_irqs;
	unsigned int slot;
	int window;
	enum ontb_ntb_channel channel;
	bool trust_peers;
	bool use_guard;
	uint64_t ack_timeout_ns;
	const struct ontb_ntb_irq_events *events;
	void *client;
};

/**
 * ontb_ntb_irqs_config_init() - defaults: 256 interrupts, slot 1, last window, automatic channel, no trust, 2 s
 * @config: OUT.
 */
void ontb_ntb_irqs_config_init(struct ontb_ntb_irqs_config *config);

/**
 * ontb_ntb_irqs_new() - make the NTB domain of a bridge and enable the link
 * @ntb:    Bridge without a client.
 * @config: Copied.
 * @out:    OUT.
 *
 * Events may come before this returns; they have the interrupts with them.
 *
 * Context: Not a handler, not an event. Blocks.
 * Return: 0, or
 *         -EINVAL      a value is outside its range.
 *         -EPERM       the MSI parent does not isolate, there is no guard, and the caller does not trust the peers; logged.
 *         -EBUSY       the bridge has a client, the slot a domain, or the window another owner.
 *         -ERANGE      no such window.
 *         -EOPNOTSUPP  the bridge lacks the channel or the guard, or no window can be aligned to the interrupt addresses; logged.
 *         -ENOSPC      the parent cannot reserve that many, or the guard has no room for two messages each; logged.
 *         -ENOMEM      no memory.
 *         other        what the driver said when the link was enabled.
 */
int ontb_ntb_irqs_new(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config, struct ontb_ntb_irqs **out);

/**
 * ontb_ntb_irqs_free() - revoke everything, wait for confirmations or the time-out, close the window, remove the domain
 * @irqs: Or NULL. No interrupt has a handler any more.
 *
 * Context: Not a handler, not an event. Blocks.
 */
void ontb_ntb_irqs_free(struct ontb_ntb_irqs *irqs);

/**
 * ontb_ntb_irq_alloc() - allocate an own interrupt
 * @irqs:     Interrupts of a bridge.
 * @index:    Index, or ONTB_MSI_ANY_INDEX. One in quarantine is not free.
 * @affinity: Where it may go, NULL for anywhere.
 * @map:      OUT.
 *
 * It is activated, so its message exists; install a handler with ontb_irq_request() before granting it.
 *
 * Context: Not a handler.
 * Return: 0, -ERANGE, -EBUSY (taken or in quarantine), -ENOSPC (indices, or CPU vectors, have run out), -ENOMEM.
 */
int ontb_ntb_irq_alloc(struct ontb_ntb_irqs *irqs, unsigned int index, const struct ontb_cpumask *affinity,
		       struct ontb_msi_map *map);

/**
 * ontb_ntb_irq_grant() - let a peer raise an own interrupt
 * @irqs:  Interrupts of a bridge.
 * @index: Allocated.
 * @peer:  Peer; several may hold the same interrupt.
 *
 * Context: Not a handler.
 * Return: 0 (under way), or
 *         -ENOENT    it is not allocated.
 *         -ERANGE    no such peer.
 *         -EALREADY  it has it, or is about to.
 *         -EBUSY     it is being revoked or freed.
 *         -ENOLINK   the peer is not there, see events->link; or it was cut off.
 */
int ontb_ntb_irq_grant(struct ontb_ntb_irqs *irqs, unsigned int index, unsigned int peer);

/**
 * ontb_ntb_irq_revoke() - take it back from one peer
 * @irqs:  Interrupts of a bridge.
 * @index: Allocated.
 * @peer:  Peer.
 *
 * Context: Not a handler.
 * Return: 0 (under way; done when no holder is left, see ontb_ntb_irq_settle()), -ENOENT (it does not hold it), -ERANGE.
 */
int ontb_ntb_irq_revoke(struct ontb_ntb_irqs *irqs, unsigned int index, unsigned int peer);

/**
 * ontb_ntb_irq_free() - take it back from all and free it
 * @irqs:  Interrupts of a bridge.
 * @index: Allocated, without a handler or about to lose it; in quarantine because of one is fine too.
 *
 * Index, number and CPU vector stay in quarantine until every holder has confirmed or its link has died; events->freed
 * follows, and ontb_ntb_irq_settle() waits for it. If it still has a handler at that moment, it stays in quarantine (and counts
 * as settled) until it is freed once more, after ontb_irq_free().
 *
 * Context: Not a handler.
 * Return: 0 (under way), or
 *         -ENOENT  it is not allocated.
 *         -EBUSY   nobody holds it and it still has a handler: nothing is freed.
 */
int ontb_ntb_irq_free(struct ontb_ntb_irqs *irqs, unsigned int index);

/**
 * ontb_ntb_irq_settle() - wait until nothing is under way for an own interrupt
 * @irqs:       Interrupts of a bridge.
 * @index:      Index, or ONTB_MSI_ANY_INDEX for all.
 * @timeout_ns: How long; 0 only looks.
 *
 * In a stepped pool it steps the pool; time passes there when nothing else is to do.
 *
 * Context: Not a handler, not an event. Blocks.
 * Return: 0 or -ETIMEDOUT.
 */
int ontb_ntb_irq_settle(struct ontb_ntb_irqs *irqs, unsigned int index, uint64_t timeout_ns);

/**
 * ontb_ntb_irq_trigger() - raise an interrupt of a peer
 * @irqs:  Interrupts of a bridge.
 * @peer:  Peer.
 * @index: Index at the peer.
 *
 * One posted store; what this thread stored into windows of that peer before arrives before it.
 *
 * Context: Any thread, also a handler. Takes no lock.
 * Return: 0, or
 *         -ERANGE   no such peer.
 *         -ENOENT   it was not granted, or was taken back.
 *         -ENOLINK  the link is down.
 */
int ontb_ntb_irq_trigger(struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index);

/**
 * ontb_ntb_irq_is_granted() - whether a peer's interrupt may be raised
 * @irqs:  Interrupts of a bridge.
 * @peer:  Peer.
 * @index: Index at the peer.
 *
 * Context: Any thread.
 * Return: True if it may.
 */
bool ontb_ntb_irq_is_granted(struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index);

/**
 * struct ontb_ntb_irqs_status - snapshot
 * @nr_allocated:   Own interrupts.
 * @nr_granted:     (interrupt, peer) pairs that are held, confirmed.
 * @nr_moving:      Moves not confirmed yet.
 * @nr_quarantined: Being freed.
 * @nr_held:        Interrupts of peers that this host may raise.
 * @triggers:       Raised so far.
 * @moves:          Moves confirmed so far.
 * @revokes:        Revocations confirmed so far.
 * @cut_off:        Peers cut off so far.
 * @bad_messages:   Messages of peers that broke the protocol and were ignored.
 * @window_first:   First address that the window shows.
 * @window_size:    Bytes.
 * @channel:        In use.
 */
struct ontb_ntb_irqs_status {
	unsigned int nr_allocated;
	unsigned int nr_granted;
	unsigned int nr_moving;
	unsigned int nr_quarantined;
	unsigned int nr_held;
	uint64_t triggers;
	uint64_t moves;
	uint64_t revokes;
	uint64_t cut_off;
	uint64_t bad_messages;
	uint64_t window_first;
	uint64_t window_size;
	enum ontb_ntb_channel channel;
};

/**
 * ontb_ntb_irqs_status() - look
 * @irqs:   Interrupts of a bridge.
 * @status: OUT.
 *
 * Context: Not a handler.
 */
void ontb_ntb_irqs_status(struct ontb_ntb_irqs *irqs, struct ontb_ntb_irqs_status *status);

#ifdef __cplusplus
}
#endif

#endif
