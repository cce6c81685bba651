/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Inside of domain #2: what a host knows of its own interrupts that peers raise, and of interrupts of peers that it raises.
 *
 *      own.c      own interrupts: who holds which generation; what has to be said to whom
 *      held.c     interrupts of a peer: what a trigger stores, and confirmations that are due
 *      session.c  one peer: link, hello, window, messages in both directions, death
 *      work.c     the worker: all sessions, what follows when the last holder has confirmed, time
 *      domain.c   the interrupt domain
 *      api.c      the public functions
 *
 * Everything that talks to the bridge happens in one worker. Other threads only change what has to be said, under one
 * leaf lock, and kick it.
 */
#ifndef ONTB_NTB_IRQ_IRQS_H
#define ONTB_NTB_IRQ_IRQS_H

#include <stdatomic.h>

#include <openntb/ntb_irq.h>
#include <openntb/worker.h>

#include "base/annotate.h"
#include "base/log.h"
#include "base/rcu.h"
#include "ntb/irq/channel.h"

#define ONTB_GRANT_NEVER UINT64_MAX

/* Messages of a peer handled in one go: then the others have their turn. */
#define ONTB_GRANT_BATCH 64U

/**
 * struct ontb_grant_link - a place in a list of grants
 * @prev: Before.
 * @next: After; NULL if it is in no list.
 */
struct ontb_grant_link {
	struct ontb_grant_link *prev;
	struct ontb_grant_link *next;
};

/**
 * enum ontb_grant_state - what a peer has of an own interrupt
 * @ONTB_GRANT_NONE:     Nothing.
 * @ONTB_GRANT_GRANTING: Maybe the present message; it has confirmed none yet.
 * @ONTB_GRANT_GRANTED:  The present message, confirmed.
 * @ONTB_GRANT_MOVING:   The message before, maybe the present one.
 * @ONTB_GRANT_REVOKING: Maybe any message it was told.
 */
enum ontb_grant_state {
	ONTB_GRANT_NONE,
	ONTB_GRANT_GRANTING,
	ONTB_GRANT_GRANTED,
	ONTB_GRANT_MOVING,
	ONTB_GRANT_REVOKING,
} __attribute__((packed));

/**
 * struct ontb_grant - an own interrupt and a peer; all under the lock
 * @link:     In the peer's list of what is to be said, or of what is to be confirmed.
 * @since_ns: When that which the peer has not confirmed was said; or decided, if it is still to be said.
 * @gen:      Generation of what was said last, or is to be said.
 * @state:    State.
 * @is_told:  Something was said since @state was ONTB_GRANT_NONE: the peer may hold it.
 * @is_dirty: In the list of what is to be said.
 * @has_old:  It may hold a message that is not the present one.
 */
struct ontb_grant {
	struct ontb_grant_link link;
	uint64_t since_ns;
	uint32_t gen;
	enum ontb_grant_state state;
	bool is_told;
	bool is_dirty;
	bool has_old;
};

/**
 * enum ontb_own_state - life of an index
 * @ONTB_OWN_FREE:      Free.
 * @ONTB_OWN_NEW:       Being allocated.
 * @ONTB_OWN_LIVE:      Can be granted.
 * @ONTB_OWN_FREEING:   In quarantine.
 * @ONTB_OWN_RELEASING: At the end of it: the worker is giving it back, which may fail.
 */
enum ontb_own_state {
	ONTB_OWN_FREE,
	ONTB_OWN_NEW,
	ONTB_OWN_LIVE,
	ONTB_OWN_FREEING,
	ONTB_OWN_RELEASING,
} __attribute__((packed));

/**
 * enum ontb_own_drain - messages of a peer that has returned an interrupt, and that no handler may have seen yet
 * @ONTB_DRAIN_NONE:      There are none.
 * @ONTB_DRAIN_QUEUED:    The next drain will cover it.
 * @ONTB_DRAIN_UNDER_WAY: The present one does.
 * @ONTB_DRAIN_AGAIN:     Another peer has returned it since that one was started.
 */
enum ontb_own_drain {
	ONTB_DRAIN_NONE,
	ONTB_DRAIN_QUEUED,
	ONTB_DRAIN_UNDER_WAY,
	ONTB_DRAIN_AGAIN,
} __attribute__((packed));

/**
 * struct ontb_own - an own interrupt, a cache line; under the lock unless said
 * @data:         The interrupt, while it has a message or one is being withdrawn.
 * @msg:          Present message.
 * @next:         In the worker's list.
 * @next_drain:   In the list of those that the next or the present drain covers.
 * @gen:          Latest generation. Never goes back, whoever the index belongs to.
 * @state:        State.
 * @drain:        Whether messages may still be on their way to its handlers.
 * @has_msg:      There is one.
 * @is_moving:    The interrupt waits for ontb_irq_move_complete().
 * @is_busy:      The worker is at work on it without the lock.
 * @is_queued:    In the worker's list.
 * @is_stuck:     Nobody holds it, but it still has a handler.
 * @is_asked:     It was freed once more while the worker was giving it back.
 * @is_unsettled: Counted in struct ontb_ntb_irqs.nr_unsettled.
 * @nr_holders:   Peers in another state than ONTB_GRANT_NONE.
 * @nr_pending:   Peers that have not confirmed what they were told.
 * @nr_old:       Peers with has_old.
 * @guard_bit:    Which of its two places in the guard is for @msg.
 * @is_let_in:    Per place, whether a message passes. Written by the worker.
 */
struct ontb_own {
	struct ontb_irq_data *data;
	struct ontb_msi_msg msg;
	struct ontb_own *next;
	struct ontb_own *next_drain;
	uint32_t gen;
	enum ontb_own_state state;
	enum ontb_own_drain drain;
	bool has_msg;
	bool is_moving;
	bool is_busy;
	bool is_queued;
	bool is_stuck;
	bool is_asked;
	bool is_unsettled;
	uint8_t nr_holders;
	uint8_t nr_pending;
	uint8_t nr_old;
	uint8_t guard_bit;
	bool is_let_in[2];
};

/**
 * struct ontb_own_guard - what the guard lets in for an own interrupt; under the lock
 * @msgs: Per place, which message. Written by the worker.
 */
struct ontb_own_guard {
	struct ontb_msi_msg msgs[2];
};

/**
 * struct ontb_held_msg - what a trigger stores; does not change while a reader may see it
 * @offset: In the outbound window.
 * @data:   Value.
 */
struct ontb_held_msg {
	uint64_t offset;
	uint32_t data;
};

/**
 * struct ontb_held - an interrupt of a peer; the worker's, unless said
 * @current:     What a trigger stores, one of @msgs; NULL if it may not be raised. RCU.
 * @nr_triggers: How often it was raised. Atomic.
 * @msgs:        One is in use, or was until the last grace period; the other is free.
 * @gen:         Generation of the last message about it.
 * @next_due:    In the list of confirmations that are due, index + 1.
 * @batch:       In which batch of messages it was changed last.
 * @has_gen:     @gen is valid.
 * @place:       Which of @msgs was used last.
 * @due:         Confirmation that is due, 0 if none.
 */
struct ontb_held {
	struct ontb_held_msg *current;
	uint64_t nr_triggers;
	struct ontb_held_msg msgs[2];
	uint32_t gen;
	uint32_t next_due;
	uint32_t batch;
	bool has_gen;
	uint8_t place;
	uint8_t due;
};

/**
 * struct ontb_held_table - all interrupts of a peer in one of its epochs
 * @nr:        How many the peer has. Constant.
 * @window:    Outbound window to the peer's interrupt addresses. Constant.
 * @batch:     Number of the batch of messages, from 1 on. The worker's.
 * @first_due: List of confirmations that are due, index + 1, 0 if empty. The worker's.
 * @last_due:  Its end. The worker's.
 * @held:      Per index.
 */
struct ontb_held_table {
	unsigned int nr;
	unsigned int window;
	uint32_t batch;
	uint32_t first_due;
	uint32_t last_due;
	struct ontb_held held[];
};

/**
 * enum ontb_session_state - how far a peer is
 * @ONTB_SESSION_DOWN: The link is down.
 * @ONTB_SESSION_TALK: The link is up, the channel runs.
 * @ONTB_SESSION_CUT:  Cut off; ignored until its link has been down.
 */
enum ontb_session_state {
	ONTB_SESSION_DOWN,
	ONTB_SESSION_TALK,
	ONTB_SESSION_CUT,
};

/**
 * struct ontb_session - a peer; the worker's, unless said
 * @irqs:         Back. Constant.
 * @peer:         Number. Constant.
 * @channel:      Channel to it.
 * @state:        State.
 * @has_event:    Its link may have changed. Atomic, anybody.
 * @was_down:     Its link was seen to be down. Atomic, anybody.
 * @said_hello:   HELLO was sent in this epoch.
 * @heard_hello:  HELLO was received in this epoch.
 * @nr_irqs:      What it said it has.
 * @is_open:      Its window may be open: what it stores may arrive.
 * @is_up:        It can be granted interrupts. Written under the lock by the worker; read under it.
 * @window_first: First address that it sees. Written under the lock by the worker.
 * @window_size:  Bytes, 0 if closed. Likewise.
 * @to_say:       Grants to be said. Under the lock.
 * @to_confirm:   Grants said and not confirmed, in the order in which they were said. Under the lock.
 * @said_ns:      When something about own interrupts was said last. Under the lock.
 * @has_confirmed: What was said last was a confirmation.
 * @held:         Interrupts of it, NULL unless it said hello. RCU.
 * @retry_ns:     When to send again.
 * @nr_retries:   How often that was done without an answer.
 * @has_progress: Something happened in this run.
 * @wants_run:    There is more to do than one run does.
 * @bad_limit:    Of log lines about it.
 */
struct ontb_session {
	struct ontb_ntb_irqs *irqs;
	unsigned int peer;
	struct ontb_channel channel;
	enum ontb_session_state state;
	atomic_bool has_event;
	atomic_bool was_down;
	bool said_hello;
	bool heard_hello;
	unsigned int nr_irqs;
	bool is_open;
	bool is_up;
	uint64_t window_first;
	uint64_t window_size;
	struct ontb_grant_link to_say;
	struct ontb_grant_link to_confirm;
	uint64_t said_ns;
	bool has_confirmed;
	struct ontb_held_table *held;
	uint64_t retry_ns;
	unsigned int nr_retries;
	bool has_progress;
	bool wants_run;
	struct ontb_ratelimit bad_limit;
};

/**
 * struct ontb_ntb_irqs - interrupts of one bridge
 * @ntb:          Bridge. Constant.
 * @ops:          Its operations. Constant.
 * @msi:          The function's MSI device. Constant.
 * @sys:          Its interrupt system. Constant.
 * @config:       As configured. Constant.
 * @window:       Inbound window of this host's interrupt addresses; a peer's may have another number. Constant.
 * @kind:         Channel in use. Constant.
 * @nr_peers:     Peers. Constant.
 * @range_first:  Lowest address of all messages. Constant.
 * @range_size:   Bytes. Constant.
 * @worker:       Does everything that takes time. Constant.
 * @is_stepped:   Somebody steps the worker. Constant.
 * @is_kicked:    The worker has been asked to run. Atomic.
 * @virtual_ns:   Time in a stepped pool, which passes only when nothing else is to do. Atomic, written by the worker.
 * @asked_ns:     Deadline that the worker asked for. The worker's.
 * @is_stopping:  Being freed. Atomic.
 * @is_over:      The worker does nothing any more, and nobody kicks it. Atomic, set under the lock.
 * @sessions:     Per peer.
 * @lock:         Leaf lock of own interrupts and lists, see the members of struct ontb_own, ontb_grant, ontb_session; of
 *                what follows.
 * @settled:      Somebody waits here for an own interrupt to be settled.
 * @nr_unsettled: Own interrupts with something under way.
 * @work:         Own interrupts for the worker to work on.
 * @work_end:     Where the next one is linked.
 * @to_drain:     Own interrupts that the next drain will cover.
 * @draining:     Those that the present one does.
 * @drain:        The present one. The worker's.
 * @is_draining:  There is one. The worker's.
 * @has_drained:  It is done. Atomic, set by a handler.
 * @guard_limit:  Of log lines about a guard that refuses.
 * @nr_moves:     Moves confirmed.
 * @nr_revokes:   Revocations confirmed.
 * @nr_cut_off:   Peers cut off.
 * @nr_bad:       Messages ignored. Atomic.
 * @nr_held:      Interrupts of peers that can be raised. Atomic.
 * @nr_triggers:  Raised by tables that are gone. Atomic.
 * @owns:         Own interrupts, by index.
 * @grants:       Of all of them, see ontb_own_of_peer().
 * @guards:       Of all of them, NULL without a guard.
 */
struct ontb_ntb_irqs {
	struct ontb_ntb *ntb;
	const struct ontb_ntb_ops *ops;
	struct ontb_msi_dev *msi;
	struct ontb_irq_system *sys;
	struct ontb_ntb_irqs_config config;
	unsigned int window;
	enum ontb_ntb_channel kind;
	unsigned int nr_peers;
	uint64_t range_first;
	uint64_t range_size;
	struct ontb_worker *worker;
	bool is_stepped;
	atomic_bool is_kicked;
	_Atomic uint64_t virtual_ns;
	uint64_t asked_ns;
	atomic_bool is_stopping;
	atomic_bool is_over;
	struct ontb_session sessions[ONTB_NTB_MAX_PEERS];

	struct ontb_lock lock;
	pthread_cond_t settled;
	unsigned int nr_unsettled;
	struct ontb_own *work;
	struct ontb_own **work_end;
	struct ontb_own *to_drain;
	struct ontb_own *draining;
	struct ontb_irq_drain drain;
	bool is_draining;
	atomic_bool has_drained;
	struct ontb_ratelimit guard_limit;
	uint64_t nr_moves;
	uint64_t nr_revokes;
	uint64_t nr_cut_off;
	_Atomic uint64_t nr_bad;
	_Atomic unsigned int nr_held;
	_Atomic uint64_t nr_triggers;
	struct ontb_own *owns;
	struct ontb_grant *grants;
	struct ontb_own_guard *guards;
};

/* own.c: all with the lock held */

/**
 * ontb_own_of_peer() - what a peer has of an own interrupt
 * @irqs: Interrupts of a bridge.
 * @own:  Own interrupt.
 * @peer: Peer.
 *
 * Return: Its grant.
 */
static inline struct ontb_grant *ontb_own_of_peer(const struct ontb_ntb_irqs *irqs, const struct ontb_own *own,
						  unsigned int peer)
{
	return &irqs->grants[(size_t)(own - irqs->owns) * irqs->nr_peers + peer];
}

/**
 * ontb_own_init() - no own interrupts yet
 * @irqs: With its configuration.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_own_init(struct ontb_ntb_irqs *irqs) ONTB_MUST_CHECK;

/**
 * ontb_own_fini() - undo ontb_own_init()
 * @irqs: Interrupts of a bridge.
 */
void ontb_own_fini(struct ontb_ntb_irqs *irqs);

/**
 * ontb_own_drained() - a drain is done
 * @irqs: Interrupts of a bridge.
 */
void ontb_own_drained(struct ontb_ntb_irqs *irqs) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_next_drain() - take an own interrupt for the drain that is about to start
 * @irqs: Interrupts of a bridge.
 *
 * Return: Its data, or NULL if there is none left.
 */
struct ontb_irq_data *ontb_own_next_drain(struct ontb_ntb_irqs *irqs) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_queue() - as ontb_own_update(), but leave it to the caller when the worker runs
 * @irqs: Interrupts of a bridge.
 * @own:  Own interrupt.
 *
 * Return: Whether there is work that was not in the list before.
 */
bool ontb_own_queue(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_update() - see whether the worker has to act, or somebody waits no longer, after an own interrupt changed
 * @irqs: Interrupts of a bridge.
 * @own:  Own interrupt.
 */
void ontb_own_update(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_set_message() - the message of an interrupt is another one, or there is none any more
 * @irqs: Interrupts of a bridge.
 * @own:  Own interrupt.
 * @data: The interrupt.
 * @msg:  Message, or NULL.
 *
 * Return: 0 (no other message can arrive), or
 *         -EINPROGRESS  holders have to confirm; ontb_irq_move_complete() follows.
 *         -EBUSY        an earlier change is not confirmed.
 */
int ontb_own_set_message(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_irq_data *data,
			 const struct ontb_msi_msg *msg) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_grant() - let a peer have it
 * @irqs:    Interrupts of a bridge.
 * @own:     Own interrupt, live, with a message.
 * @session: Peer, up.
 *
 * Return: 0, -EALREADY, or -EBUSY (being revoked).
 */
int ontb_own_grant(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
	ONTB_MUST_HOLD(irqs->lock) ONTB_MUST_CHECK;

/**
 * ontb_own_revoke() - take it back from a peer
 * @irqs:    Interrupts of a bridge.
 * @own:     Own interrupt.
 * @session: Peer.
 *
 * Return: False if it has nothing.
 */
bool ontb_own_revoke(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
	ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_revoke_all() - take it back from all
 * @irqs: Interrupts of a bridge.
 * @own:  Own interrupt.
 */
void ontb_own_revoke_all(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_to_say() - the next thing to say to a peer
 * @irqs:    Interrupts of a bridge.
 * @session: Peer.
 * @msg:     OUT, type, index, generation, offset and data.
 *
 * Return: The own interrupt that it is about, or NULL.
 */
struct ontb_own *ontb_own_to_say(struct ontb_ntb_irqs *irqs, struct ontb_session *session, struct ontb_grant_msg *msg)
	ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_said() - what ontb_own_to_say() gave is on its way
 * @irqs:    Interrupts of a bridge.
 * @session: Peer.
 * @own:     Own interrupt.
 */
void ontb_own_said(struct ontb_ntb_irqs *irqs, struct ontb_session *session, struct ontb_own *own)
	ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_postpone() - what ontb_own_to_say() gave cannot be said now, through no fault of the peer
 * @irqs:    Interrupts of a bridge.
 * @session: Peer.
 * @own:     Own interrupt.
 */
void ontb_own_postpone(struct ontb_ntb_irqs *irqs, struct ontb_session *session, struct ontb_own *own)
	ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_confirmed() - a peer sent GRANT_ACK or REVOKE_ACK
 * @irqs:    Interrupts of a bridge.
 * @session: Peer.
 * @msg:     Message, of the present epochs.
 *
 * Return: False if it confirms what was not said.
 */
bool ontb_own_confirmed(struct ontb_ntb_irqs *irqs, struct ontb_session *session, const struct ontb_grant_msg *msg)
	ONTB_MUST_HOLD(irqs->lock) ONTB_MUST_CHECK;

/**
 * ontb_own_peer_gone() - nothing of a peer can arrive any more: all it held counts as returned
 * @irqs:    Interrupts of a bridge.
 * @session: Peer.
 */
void ontb_own_peer_gone(struct ontb_ntb_irqs *irqs, struct ontb_session *session) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_oldest() - since when a peer has owed a confirmation, or room to say something
 * @irqs:    Interrupts of a bridge.
 * @session: Peer.
 *
 * What is to be said waits for its turn first, and that is no fault of the peer's.
 *
 * Return: Time, or ONTB_GRANT_NEVER if it owes none.
 */
uint64_t ontb_own_oldest(struct ontb_ntb_irqs *irqs, struct ontb_session *session) ONTB_MUST_HOLD(irqs->lock);

/**
 * ontb_own_guard_place() - where in the guard a message of an own interrupt goes
 * @irqs: Interrupts of a bridge.
 * @own:  Own interrupt.
 * @bit:  Which of its two.
 *
 * Return: Slot of the guard.
 */
unsigned int ontb_own_guard_place(const struct ontb_ntb_irqs *irqs, const struct ontb_own *own, unsigned int bit);

/* held.c: the worker only */

/**
 * ontb_held_new() - a table of interrupts that cannot be raised yet
 * @nr:  How many, 1..ONTB_GRANT_MAX_IRQS.
 * @window: Outbound window to the peer's interrupt addresses.
 * @out: OUT.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_held_new(unsigned int nr, unsigned int window, struct ontb_held_table **out) ONTB_MUST_CHECK;

/**
 * ontb_held_grant() - the owner gave an interrupt, or moved it
 * @table:       Table.
 * @msg:         GRANT, of the present epochs.
 * @window_size: Bytes of the outbound window.
 * @is_new:      OUT, it could not be raised before.
 *
 * Triggers use the new message from now on; the old one is out of use after a grace period.
 *
 * Return: 0, or
 *         -EAGAIN  it was changed in this batch already: end the batch first.
 *         -EPROTO  no such index, outside the window, or not newer.
 */
int ontb_held_grant(struct ontb_held_table *table, const struct ontb_grant_msg *msg, uint64_t window_size, bool *is_new)
	ONTB_MUST_CHECK;

/**
 * ontb_held_revoke() - the owner took an interrupt back
 * @table:  Table.
 * @msg:    REVOKE, of the present epochs.
 * @is_new: OUT, it could be raised before.
 *
 * Return: As ontb_held_grant().
 */
int ontb_held_revoke(struct ontb_held_table *table, const struct ontb_grant_msg *msg, bool *is_new) ONTB_MUST_CHECK;

/**
 * ontb_held_end_batch() - wait until no trigger uses what the messages of a batch took out of use
 * @table: Table.
 *
 * Context: As ontb_rcu_synchronize().
 */
void ontb_held_end_batch(struct ontb_held_table *table);

/**
 * ontb_held_next_due() - take a confirmation that is due, after the end of its batch
 * @table: Table.
 * @msg:   OUT, type, index and generation.
 *
 * Return: False if none is due.
 */
bool ontb_held_next_due(struct ontb_held_table *table, struct ontb_grant_msg *msg);

/**
 * ontb_held_count() - how often the interrupts of a table were raised
 * @table: Table.
 *
 * Return: The sum.
 */
uint64_t ontb_held_count(const struct ontb_held_table *table);

/* session.c: the worker only */

/**
 * ontb_session_init() - a peer whose link is down
 * @irqs: Interrupts of a bridge.
 * @peer: Peer.
 */
void ontb_session_init(struct ontb_ntb_irqs *irqs, unsigned int peer);

/**
 * ontb_session_run() - do what is to be done for a peer now
 * @session: Peer.
 * @now_ns:  Time.
 */
void ontb_session_run(struct ontb_session *session, uint64_t now_ns) ONTB_MUST_NOT_HOLD(session->irqs->lock);

/**
 * ontb_session_end() - close the window of a peer, and take all back
 * @session: Peer.
 *
 * Return: False if the window cannot be closed: what the peer holds is still in quarantine.
 */
bool ontb_session_end(struct ontb_session *session) ONTB_MUST_NOT_HOLD(session->irqs->lock);

/**
 * ontb_session_deadline() - when a peer wants to be looked at next, if nothing happens
 * @session: Peer.
 *
 * Return: Time, or ONTB_GRANT_NEVER.
 */
uint64_t ontb_session_deadline(struct ontb_session *session) ONTB_MUST_NOT_HOLD(session->irqs->lock);

/**
 * ontb_session_fit() - the narrowest window that shows all messages
 * @limits: Of the window.
 * @first:  Lowest address of messages.
 * @size:   Bytes of messages.
 * @start:  OUT, where the window starts.
 * @len:    OUT, its bytes.
 *
 * Return: 0, or -EOPNOTSUPP if no window within the limits shows them.
 */
int ontb_session_fit(const struct ontb_ntb_window *limits, uint64_t first, uint64_t size, uint64_t *start,
		     uint64_t *len) ONTB_MUST_CHECK;

/* work.c */

/**
 * ontb_irqs_run() - the worker's function
 * @arg: Interrupts of a bridge.
 */
void ontb_irqs_run(void *arg);

/**
 * ontb_irqs_clear_doorbell() - make the doorbell ready to ring again; what rang it so far can be seen after it
 * @irqs: Interrupts of a bridge.
 *
 * Context: Its worker, or an event of the bridge.
 */
void ontb_irqs_clear_doorbell(struct ontb_ntb_irqs *irqs);

/**
 * ontb_irqs_kick() - let the worker run
 * @irqs: Interrupts of a bridge.
 *
 * Context: Any.
 */
void ontb_irqs_kick(struct ontb_ntb_irqs *irqs);

/**
 * ontb_irqs_now() - time
 * @irqs: Interrupts of a bridge.
 *
 * Return: Nanoseconds; in a stepped pool they pass only when nothing else is to do.
 */
uint64_t ontb_irqs_now(struct ontb_ntb_irqs *irqs);

/* domain.c */

/**
 * ontb_irqs_domain_new() - make the domain
 * @irqs: With its configuration.
 *
 * Return: 0, -EBUSY (the slot has one), or as ontb_msi_domain_new().
 */
int ontb_irqs_domain_new(struct ontb_ntb_irqs *irqs) ONTB_MUST_CHECK;

#endif
