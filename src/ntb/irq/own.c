// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Own interrupts: which peer holds which generation of which message, and what has to be said.
 *
 * Nothing here is sent: a change only puts a grant into its peer's list of things to say, once, and what is said is
 * made of the state at that moment. So there is no queue that could grow, and what is overtaken by events is never said.
 */
#include "ntb/irq/irqs.h"

#include <errno.h>
#include <stdlib.h>

int ontb_own_init(struct ontb_ntb_irqs *irqs)
{
	unsigned int nr = irqs->config.nr_irqs;

	irqs->owns = calloc(nr, sizeof(*irqs->owns));
	if (!irqs->owns)
		return -ENOMEM;
	irqs->grants = calloc((size_t)nr * irqs->nr_peers, sizeof(*irqs->grants));
	if (!irqs->grants)
		goto free_owns;
	if (irqs->config.use_guard) {
		irqs->guards = calloc(nr, sizeof(*irqs->guards));
		if (!irqs->guards)
			goto free_grants;
	}
	irqs->work_end = &irqs->work;
	return 0;

free_grants:
	free(irqs->grants);
free_owns:
	free(irqs->owns);
	return -ENOMEM;
}

void ontb_own_fini(struct ontb_ntb_irqs *irqs)
{
	free(irqs->guards);
	free(irqs->grants);
	free(irqs->owns);
}

static uint16_t index_of(const struct ontb_ntb_irqs *irqs, const struct ontb_own *own)
{
	return (uint16_t)(own - irqs->owns);
}

unsigned int ontb_own_guard_place(const struct ontb_ntb_irqs *irqs, const struct ontb_own *own, unsigned int bit)
{
	return 2U * index_of(irqs, own) + bit;
}

/* Lists */

static void unlink_grant(struct ontb_grant *grant)
{
	if (!grant->link.next)
		return;
	grant->link.prev->next = grant->link.next;
	grant->link.next->prev = grant->link.prev;
	grant->link.next = NULL;
}

static void link_last(struct ontb_grant_link *list, struct ontb_grant *grant)
{
	unlink_grant(grant);
	grant->link.prev = list->prev;
	grant->link.next = list;
	list->prev->next = &grant->link;
	list->prev = &grant->link;
}

static struct ontb_grant *first_of(const struct ontb_grant_link *list)
{
	return list->next == list ? NULL : ontb_container_of(list->next, struct ontb_grant, link);
}

static void say(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
	ONTB_MUST_HOLD(irqs->lock)
{
	struct ontb_grant *grant = ontb_own_of_peer(irqs, own, session->peer);

	grant->gen = ++own->gen;
	grant->is_dirty = true;
	grant->since_ns = ontb_irqs_now(irqs);
	link_last(&session->to_say, grant);
	ontb_irqs_kick(irqs);
}

/* States */

static bool is_pending(enum ontb_grant_state state)
{
	return state != ONTB_GRANT_NONE && state != ONTB_GRANT_GRANTED;
}

static void set_state(struct ontb_own *own, struct ontb_grant *grant, enum ontb_grant_state state)
{
	own->nr_pending = (uint8_t)(own->nr_pending - is_pending(grant->state) + is_pending(state));
	own->nr_holders = (uint8_t)(own->nr_holders - !!grant->state + !!state);
	grant->state = state;
}

static void set_old(struct ontb_own *own, struct ontb_grant *grant, bool has_old)
{
	own->nr_old = (uint8_t)(own->nr_old - grant->has_old + has_old);
	grant->has_old = has_old;
}

/* What the peer has sent has arrived, but may wait for its CPU. */
static void want_drain(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock)
{
	if (own->drain == ONTB_DRAIN_UNDER_WAY)
		own->drain = ONTB_DRAIN_AGAIN;
	if (own->drain != ONTB_DRAIN_NONE || !own->data)
		return;
	own->drain = ONTB_DRAIN_QUEUED;
	own->next_drain = irqs->to_drain;
	irqs->to_drain = own;
	ontb_irqs_kick(irqs);
}

/* The peer has nothing of it: it was never told, has confirmed, or nothing of it can arrive any more. */
static void returned(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_grant *grant)
	ONTB_MUST_HOLD(irqs->lock)
{
	if (grant->is_told)
		want_drain(irqs, own);
	unlink_grant(grant);
	set_state(own, grant, ONTB_GRANT_NONE);
	set_old(own, grant, false);
	grant->is_told = false;
	grant->is_dirty = false;
}

/* Whether the guard lets a message in that nobody may send any more. */
static bool has_leak(const struct ontb_own *own)
{
	bool is_needed = own->nr_holders > 0;

	if (own->is_moving)
		return false;
	return own->is_let_in[!own->guard_bit] || (own->is_let_in[own->guard_bit] && !is_needed);
}

static bool has_work(const struct ontb_own *own)
{
	if (own->is_moving)
		return !own->nr_old;
	return has_leak(own) || (own->state == ONTB_OWN_FREEING && !own->nr_holders && !own->is_stuck && !own->drain);
}

static bool is_unsettled(const struct ontb_own *own)
{
	return own->nr_pending || own->is_moving || own->is_busy || own->is_queued || own->drain ||
	       (own->state == ONTB_OWN_FREEING && !own->is_stuck);
}

void ontb_own_drained(struct ontb_ntb_irqs *irqs)
{
	struct ontb_own *own, *next;

	for (own = irqs->draining; own; own = next) {
		bool is_again = own->drain == ONTB_DRAIN_AGAIN;

		next = own->next_drain;
		own->drain = ONTB_DRAIN_NONE;
		if (is_again)
			want_drain(irqs, own);
		ontb_own_update(irqs, own);
	}
	irqs->draining = NULL;
}

struct ontb_irq_data *ontb_own_next_drain(struct ontb_ntb_irqs *irqs)
{
	struct ontb_own *own = irqs->to_drain;

	if (!own)
		return NULL;
	irqs->to_drain = own->next_drain;
	own->drain = ONTB_DRAIN_UNDER_WAY;
	own->next_drain = irqs->draining;
	irqs->draining = own;
	return own->data;
}

bool ontb_own_queue(struct ontb_ntb_irqs *irqs, struct ontb_own *own)
{
	bool was_unsettled = own->is_unsettled, is_news = has_work(own) && !own->is_queued && !own->is_busy;

	if (is_news) {
		own->is_queued = true;
		own->next = NULL;
		*irqs->work_end = own;
		irqs->work_end = &own->next;
	}
	own->is_unsettled = is_unsettled(own);
	irqs->nr_unsettled += (unsigned int)own->is_unsettled - (unsigned int)was_unsettled;
	if (was_unsettled && !own->is_unsettled)
		(void)pthread_cond_broadcast(&irqs->settled);
	return is_news;
}

void ontb_own_update(struct ontb_ntb_irqs *irqs, struct ontb_own *own)
{
	if (ontb_own_queue(irqs, own))
		ontb_irqs_kick(irqs);
}

/* What this host decides */

int ontb_own_grant(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
{
	struct ontb_grant *grant = ontb_own_of_peer(irqs, own, session->peer);

	if (grant->state == ONTB_GRANT_REVOKING)
		return -EBUSY;
	if (grant->state != ONTB_GRANT_NONE)
		return -EALREADY;
	set_state(own, grant, ONTB_GRANT_GRANTING);
	say(irqs, own, session);
	ontb_own_update(irqs, own);
	return 0;
}

static void take_back(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
	ONTB_MUST_HOLD(irqs->lock)
{
	struct ontb_grant *grant = ontb_own_of_peer(irqs, own, session->peer);

	if (grant->state == ONTB_GRANT_NONE || grant->state == ONTB_GRANT_REVOKING)
		return;
	if (!grant->is_told) {
		returned(irqs, own, grant);
		return;
	}
	set_state(own, grant, ONTB_GRANT_REVOKING);
	say(irqs, own, session);
}

bool ontb_own_revoke(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
{
	if (ontb_own_of_peer(irqs, own, session->peer)->state == ONTB_GRANT_NONE)
		return false;
	take_back(irqs, own, session);
	ontb_own_update(irqs, own);
	return true;
}

void ontb_own_revoke_all(struct ontb_ntb_irqs *irqs, struct ontb_own *own)
{
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++)
		take_back(irqs, own, &irqs->sessions[peer]);
	ontb_own_update(irqs, own);
}

/* A peer has to learn of the present message; until it confirms, it may use the one before. */
static void move(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_session *session)
	ONTB_MUST_HOLD(irqs->lock)
{
	struct ontb_grant *grant = ontb_own_of_peer(irqs, own, session->peer);

	if (grant->state == ONTB_GRANT_NONE)
		return;
	if (grant->is_told)
		set_old(own, grant, true);
	if (grant->state == ONTB_GRANT_REVOKING)
		return;
	if (grant->state == ONTB_GRANT_GRANTED)
		set_state(own, grant, ONTB_GRANT_MOVING);
	say(irqs, own, session);
}

static void withdraw(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock)
{
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++) {
		struct ontb_grant *grant = ontb_own_of_peer(irqs, own, peer);

		take_back(irqs, own, &irqs->sessions[peer]);
		if (grant->state != ONTB_GRANT_NONE)
			set_old(own, grant, true);
	}
}

static bool is_same(const struct ontb_msi_msg *a, const struct ontb_msi_msg *b)
{
	return a->addr == b->addr && a->data == b->data;
}

int ontb_own_set_message(struct ontb_ntb_irqs *irqs, struct ontb_own *own, struct ontb_irq_data *data,
			 const struct ontb_msi_msg *msg)
{
	if (msg && own->has_msg && is_same(msg, &own->msg))
		return own->is_moving ? -EINPROGRESS : 0;
	if (msg && own->is_moving)
		return -EBUSY;
	own->data = data;
	if (msg) {
		own->guard_bit ^= own->has_msg;
		own->msg = *msg;
		own->has_msg = true;
		for (unsigned int peer = 0; peer < irqs->nr_peers; peer++)
			move(irqs, own, &irqs->sessions[peer]);
	} else {
		own->has_msg = false;
		withdraw(irqs, own);
	}
	own->is_moving = own->is_moving || own->nr_old;
	ontb_own_update(irqs, own);
	return own->is_moving ? -EINPROGRESS : 0;
}

/* Saying it */

struct ontb_own *ontb_own_to_say(struct ontb_ntb_irqs *irqs, struct ontb_session *session, struct ontb_grant_msg *msg)
{
	const struct ontb_grant *grant = first_of(&session->to_say);
	struct ontb_own *own;

	if (!grant)
		return NULL;
	own = &irqs->owns[(size_t)(grant - irqs->grants) / irqs->nr_peers];
	*msg = (struct ontb_grant_msg){
		.type = grant->state == ONTB_GRANT_REVOKING ? ONTB_GRANT_REVOKE : ONTB_GRANT_GRANT,
		.index = index_of(irqs, own),
		.gen = grant->gen,
	};
	if (msg->type == ONTB_GRANT_GRANT) {
		msg->offset = own->msg.addr - session->window_first;
		msg->data = own->msg.data;
	}
	return own;
}

void ontb_own_said(struct ontb_ntb_irqs *irqs, struct ontb_session *session, struct ontb_own *own)
{
	struct ontb_grant *grant = ontb_own_of_peer(irqs, own, session->peer);

	grant->is_told = true;
	grant->is_dirty = false;
	grant->since_ns = session->said_ns = ontb_irqs_now(irqs);
	link_last(&session->to_confirm, grant);
}

void ontb_own_postpone(struct ontb_ntb_irqs *irqs, struct ontb_session *session, struct ontb_own *own)
{
	struct ontb_grant *grant = ontb_own_of_peer(irqs, own, session->peer);

	grant->since_ns = ontb_irqs_now(irqs);
	link_last(&session->to_say, grant);
}

/* What a peer confirms */

static bool confirmed_grant(struct ontb_own *own, struct ontb_grant *grant, uint32_t gen)
{
	/* What was overtaken by a later word is confirmed too; that changes nothing. */
	if (gen != grant->gen)
		return is_pending(grant->state) && grant->is_told && ontb_grant_is_newer(grant->gen, gen);
	if (grant->is_dirty || (grant->state != ONTB_GRANT_GRANTING && grant->state != ONTB_GRANT_MOVING))
		return false;
	unlink_grant(grant);
	set_state(own, grant, ONTB_GRANT_GRANTED);
	set_old(own, grant, false);
	return true;
}

bool ontb_own_confirmed(struct ontb_ntb_irqs *irqs, struct ontb_session *session, const struct ontb_grant_msg *msg)
{
	struct ontb_grant *grant;
	struct ontb_own *own;

	if (msg->index >= irqs->config.nr_irqs)
		return false;
	own = &irqs->owns[msg->index];
	grant = ontb_own_of_peer(irqs, own, session->peer);
	if (msg->type == ONTB_GRANT_GRANT_ACK) {
		if (!confirmed_grant(own, grant, msg->gen))
			return false;
	} else {
		if (grant->state != ONTB_GRANT_REVOKING || grant->is_dirty || grant->gen != msg->gen)
			return false;
		returned(irqs, own, grant);
		irqs->nr_revokes++;
	}
	ontb_own_update(irqs, own);
	return true;
}

void ontb_own_peer_gone(struct ontb_ntb_irqs *irqs, struct ontb_session *session)
{
	for (unsigned int i = 0; i < irqs->config.nr_irqs; i++) {
		struct ontb_own *own = &irqs->owns[i];

		if (ontb_own_of_peer(irqs, own, session->peer)->state == ONTB_GRANT_NONE)
			continue;
		returned(irqs, own, ontb_own_of_peer(irqs, own, session->peer));
		ontb_own_update(irqs, own);
	}
}

uint64_t ontb_own_oldest(struct ontb_ntb_irqs *irqs, struct ontb_session *session)
{
	const struct ontb_grant *said = first_of(&session->to_confirm), *unsaid = first_of(&session->to_say);
	uint64_t oldest = ONTB_GRANT_NEVER;

	(void)irqs;
	if (said)
		oldest = said->since_ns;
	if (unsaid) {
		uint64_t since_ns = unsaid->since_ns > session->said_ns ? unsaid->since_ns : session->said_ns;

		oldest = since_ns < oldest ? since_ns : oldest;
	}
	return oldest;
}
