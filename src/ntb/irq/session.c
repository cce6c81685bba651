// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * One peer: from link up to its death, and what goes back and forth meanwhile. docs/grant-protocol.md has the states.
 *
 * Two rules hold everything together. The window is open only while the peer has said, in this epoch, that it holds
 * nothing of an earlier one. And nothing that a peer may hold is used again before the peer has confirmed that it does
 * not, or its window is closed.
 */
#include "ntb/irq/irqs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define RETRY_FIRST_NS (2 * ONTB_NS_PER_MS)
#define RETRY_MAX_NS   ONTB_NS_PER_S

/* In a stepped pool time passes whenever nothing else is to do, so somebody who steps until nothing is left must see an end. */
#define MAX_STEPPED_RETRIES 10U

/* How often in one run a peer's channel is looked at again, because something had changed. */
#define MAX_POLLS 4U

/**
 * struct heard - interrupts whose state changed in a batch of messages
 * @nr:      How many.
 * @index:   Which.
 * @is_held: Whether they can be raised now.
 */
struct heard {
	unsigned int nr;
	uint16_t index[ONTB_GRANT_BATCH];
	bool is_held[ONTB_GRANT_BATCH];
};

static uint32_t next_nonce(struct ontb_channel *ch)
{
	static _Atomic uint32_t counter;
	const struct ontb_session *session = ontb_container_of(ch, struct ontb_session, channel);
	uint64_t z = (uint64_t)atomic_fetch_add(&counter, 1) * 0x9e3779b97f4a7c15ULL;

	/* Another process may have been this host before; a stepped run must be the same each time. */
	if (!session->irqs->is_stepped)
		z ^= ontb_clock_ns();
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z ^= z >> 31;
	return (uint32_t)z ? (uint32_t)z : 1;
}

void ontb_session_init(struct ontb_ntb_irqs *irqs, unsigned int peer)
{
	struct ontb_session *session = &irqs->sessions[peer];

	session->irqs = irqs;
	session->peer = peer;
	session->to_say.prev = session->to_say.next = &session->to_say;
	session->to_confirm.prev = session->to_confirm.next = &session->to_confirm;
	session->retry_ns = ONTB_GRANT_NEVER;
	ontb_channel_init(&session->channel, irqs->ntb, peer, irqs->kind, next_nonce);
}

static const char *name_of(const struct ontb_session *session)
{
	return ontb_ntb_name(session->irqs->ntb);
}

static void bad(struct ontb_session *session, const char *what)
{
	atomic_fetch_add(&session->irqs->nr_bad, 1);
	ontb_log_limited(&session->bad_limit, ONTB_LOG_NOTICE, "%s: peer %u: message ignored: %s", name_of(session),
			 session->peer, what);
}

static void tell_link(struct ontb_session *session, bool is_up)
{
	const struct ontb_ntb_irqs_config *config = &session->irqs->config;

	if (config->events && config->events->link)
		config->events->link(config->client, session->irqs, session->peer, is_up);
}

/* The window */

int ontb_session_fit(const struct ontb_ntb_window *limits, uint64_t first, uint64_t size, uint64_t *start,
		     uint64_t *len)
{
	uint64_t step = limits->size_align ? limits->size_align : 1, align = limits->addr_align, want = 1;

	if (align) {
		uint64_t before = first & (align - 1);

		if (before + size < size || before + size > UINT64_MAX - (step - 1))
			return -EOPNOTSUPP;
		want = (before + size + step - 1) & ~(step - 1);
		*start = first - before;
	} else {
		/* Aligned to its own size: double it until both ends are inside. */
		while (want < step || (first & ~(want - 1)) != ((first + size - 1) & ~(want - 1))) {
			if (want > limits->size_max / 2)
				return -EOPNOTSUPP;
			want *= 2;
		}
		*start = first & ~(want - 1);
	}
	*len = want;
	return want <= limits->size_max ? 0 : -EOPNOTSUPP;
}

static int open_window(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	struct ontb_ntb_window limits;
	uint64_t first, size;
	int ret;

	ret = ontb_ntb_window_limits(irqs->ntb, session->peer, irqs->window, &limits);
	if (!ret)
		ret = ontb_session_fit(&limits, irqs->range_first, irqs->range_size, &first, &size);
	if (ret)
		return ret;
	session->is_open = true;
	ret = ontb_ntb_window_open(irqs->ntb, session->peer, irqs->window, first, size);
	if (ret)
		return ret;
	ontb_lock(&irqs->lock);
	session->window_first = first;
	session->window_size = size;
	session->is_up = true;
	ontb_unlock(&irqs->lock);
	return 0;
}

/* On success nothing of the peer arrives any more, so what it held can be used again. */
static bool close_window(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	int ret;

	if (!session->is_open)
		return true;
	ret = ontb_ntb_window_close(irqs->ntb, session->peer, irqs->window);
	/* A function that is gone may come back with the window open, but not to a host that has given up waiting for it. */
	if (ret == -EFAULT && atomic_load(&irqs->is_stopping))
		ret = 0;
	if (ret) {
		ontb_log_limited(
			&session->bad_limit, ONTB_LOG_ERROR,
			"%s: peer %u: window %u cannot be closed (error %d): what the peer holds stays in quarantine",
			name_of(session), session->peer, irqs->window, ret);
		return false;
	}
	session->is_open = false;
	ontb_lock(&irqs->lock);
	session->window_size = 0;
	ontb_own_peer_gone(irqs, session);
	ontb_unlock(&irqs->lock);
	return true;
}

/* Death */

/* Return: Whether there was an interrupt that could be raised. */
static bool drop_held(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	struct ontb_held_table *table = session->held;
	unsigned int nr_held = 0;

	if (!table)
		return false;
	for (unsigned int i = 0; i < table->nr; i++)
		nr_held += table->held[i].current != NULL;
	ontb_rcu_publish(session->held, (struct ontb_held_table *)NULL);
	ontb_rcu_synchronize();
	atomic_fetch_sub(&irqs->nr_held, nr_held);
	atomic_fetch_add(&irqs->nr_triggers, ontb_held_count(table));
	free(table);
	return nr_held > 0;
}

bool ontb_session_end(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	bool was_up, is_closed;

	/* From here on nobody grants it anything. */
	ontb_lock(&irqs->lock);
	was_up = session->is_up;
	session->is_up = false;
	ontb_unlock(&irqs->lock);
	is_closed = close_window(session);
	was_up |= drop_held(session);
	session->said_hello = session->heard_hello = false;
	if (was_up)
		tell_link(session, false);
	return is_closed;
}

static void stop(struct ontb_session *session, enum ontb_session_state state)
{
	ontb_channel_stop(&session->channel);
	session->state = state;
	(void)ontb_session_end(session);
	session->retry_ns = ONTB_GRANT_NEVER;
}

static void cut_off(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;

	ontb_log(ONTB_LOG_WARNING,
		 "%s: peer %u: cut off until its link has been down: it did not confirm within %llu ms",
		 name_of(session), session->peer, (unsigned long long)(irqs->config.ack_timeout_ns / ONTB_NS_PER_MS));
	ontb_lock(&irqs->lock);
	irqs->nr_cut_off++;
	ontb_unlock(&irqs->lock);
	stop(session, ONTB_SESSION_CUT);
}

static bool is_late(struct ontb_session *session, uint64_t now_ns)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	uint64_t oldest, timeout = irqs->config.ack_timeout_ns;

	if (!timeout)
		return false;
	ontb_lock(&irqs->lock);
	oldest = ontb_own_oldest(irqs, session);
	ontb_unlock(&irqs->lock);
	return oldest != ONTB_GRANT_NEVER && now_ns >= oldest && now_ns - oldest >= timeout;
}

/* The link */

static void look_at_link(struct ontb_session *session)
{
	bool has_event = atomic_exchange(&session->has_event, false);
	bool was_down = atomic_exchange(&session->was_down, false);
	bool is_up = ontb_ntb_link_is_up(session->irqs->ntb, session->peer);

	if ((!is_up || was_down) && session->state != ONTB_SESSION_DOWN)
		stop(session, ONTB_SESSION_DOWN);
	/* A window that could not be closed comes before a new epoch. */
	if (!is_up || session->is_open != session->is_up)
		return;
	/* A cut off peer comes back by its link only; it may have been down and up before anybody heard of it. */
	if (session->state == ONTB_SESSION_DOWN || (session->state == ONTB_SESSION_CUT && has_event)) {
		session->state = ONTB_SESSION_TALK;
		session->nr_retries = 0;
		session->has_progress = true;
		ontb_channel_start(&session->channel);
	} else if (session->state == ONTB_SESSION_TALK && has_event) {
		/* What was written while it was down is lost; who was there before is still the same. */
		ontb_channel_refresh(&session->channel);
	}
}

/* In a new epoch: what was known is void. */
static void poll_channel(struct ontb_session *session)
{
	for (unsigned int i = 0; i < MAX_POLLS; i++) {
		enum ontb_channel_event event = ontb_channel_poll(&session->channel);

		if (event == ONTB_CHANNEL_NOTHING)
			return;
		session->has_progress = true;
		if (event == ONTB_CHANNEL_RESET)
			(void)ontb_session_end(session);
	}
	session->wants_run = true;
}

/* Receiving */

static int hear_hello(struct ontb_session *session, const struct ontb_grant_msg *msg)
{
	struct ontb_held_table *table;
	int ret;

	if (session->heard_hello || msg->data >= ontb_ntb_nr_windows(session->irqs->ntb))
		return -EPROTO;
	ret = ontb_held_new(msg->gen, msg->data, &table);
	if (ret)
		return ret;
	ontb_rcu_publish(session->held, table);
	session->nr_irqs = msg->gen;
	session->heard_hello = true;
	return 0;
}

static int hear_about_held(struct ontb_session *session, const struct ontb_grant_msg *msg, struct heard *heard)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	bool is_grant = msg->type == ONTB_GRANT_GRANT, is_new = false;
	int ret;

	if (!session->held)
		return -EPROTO;
	if (is_grant)
		ret = ontb_held_grant(session->held, msg,
				      ontb_ntb_peer_window_size(irqs->ntb, session->peer, session->held->window),
				      &is_new);
	else
		ret = ontb_held_revoke(session->held, msg, &is_new);
	if (ret)
		return ret;
	if (is_new) {
		heard->index[heard->nr] = msg->index;
		heard->is_held[heard->nr++] = is_grant;
		if (is_grant)
			atomic_fetch_add(&irqs->nr_held, 1);
		else
			atomic_fetch_sub(&irqs->nr_held, 1);
	}
	return 0;
}

static int hear_about_own(struct ontb_session *session, const struct ontb_grant_msg *msg)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	bool is_right;

	ontb_lock(&irqs->lock);
	is_right = ontb_own_confirmed(irqs, session, msg);
	ontb_unlock(&irqs->lock);
	return is_right ? 0 : -EPROTO;
}

/* Return: 0, or -EAGAIN or -ENOMEM if the message has to be looked at again later. */
static int hear(struct ontb_session *session, const uint8_t *buf, struct heard *heard)
{
	struct ontb_grant_msg msg;
	int ret;

	ret = ontb_grant_decode(buf, &msg);
	if (ret) {
		bad(session, ret == -EOPNOTSUPP ? "it is of another version" : "no such message");
		return 0;
	}
	if (msg.from != session->channel.peer_nonce || msg.to != session->channel.nonce) {
		bad(session, "it is of another epoch");
		return 0;
	}
	switch (msg.type) {
	case ONTB_GRANT_HELLO:
		ret = hear_hello(session, &msg);
		break;
	case ONTB_GRANT_GRANT:
	case ONTB_GRANT_REVOKE:
		ret = hear_about_held(session, &msg, heard);
		break;
	default:
		ret = hear_about_own(session, &msg);
	}
	if (ret == -EPROTO) {
		bad(session, "it does not fit what was said before");
		return 0;
	}
	return ret;
}

static void tell_heard(struct ontb_session *session, const struct heard *heard)
{
	const struct ontb_ntb_irqs_config *config = &session->irqs->config;
	const struct ontb_ntb_irq_events *events = config->events;

	for (unsigned int i = 0; events && i < heard->nr; i++) {
		if (heard->is_held[i] && events->granted)
			events->granted(config->client, session->irqs, session->peer, heard->index[i]);
		else if (!heard->is_held[i] && events->revoked)
			events->revoked(config->client, session->irqs, session->peer, heard->index[i]);
	}
}

/* Whether a batch changed what triggers do: then confirmations are due that must not go out before its end. */
static bool has_due(const struct ontb_session *session)
{
	return session->held && session->held->first_due;
}

static void receive(struct ontb_session *session, struct heard *heard)
{
	uint64_t nr_damaged = session->channel.nr_damaged;
	uint8_t buf[ONTB_GRANT_MSG_SIZE];
	unsigned int nr;

	heard->nr = 0;
	for (nr = 0; nr < ONTB_GRANT_BATCH && ontb_channel_peek(&session->channel, buf); nr++) {
		int ret = hear(session, buf, heard);

		if (ret == -ENOMEM)
			session->retry_ns = 0;
		session->wants_run |= ret == -EAGAIN;
		if (ret)
			break;
		ontb_channel_take(&session->channel);
		session->has_progress = true;
	}
	session->wants_run |= nr == ONTB_GRANT_BATCH;
	if (nr_damaged != session->channel.nr_damaged)
		bad(session, "it is damaged, or what it says of itself cannot be");
	if (has_due(session))
		ontb_held_end_batch(session->held);
}

/* Sending */

/* What is granted must pass the guard before the peer learns of it. */
static bool let_in(struct ontb_ntb_irqs *irqs, struct ontb_own *own)
{
	struct ontb_msi_msg msg;
	unsigned int bit;
	int ret;

	ontb_lock(&irqs->lock);
	bit = own->guard_bit;
	msg = own->msg;
	ontb_unlock(&irqs->lock);
	ret = ontb_ntb_guard_set(irqs->ntb, ontb_own_guard_place(irqs, own, bit), &msg);
	ontb_lock(&irqs->lock);
	own->is_let_in[bit] = !ret;
	irqs->guards[own - irqs->owns].msgs[bit] = msg;
	ontb_own_update(irqs, own);
	ontb_unlock(&irqs->lock);
	if (ret)
		ontb_log_limited(&irqs->guard_limit, ONTB_LOG_ERROR,
				 "%s: guard: index %u cannot be let in (error %d): tried again later",
				 ontb_ntb_name(irqs->ntb), (unsigned int)(own - irqs->owns), ret);
	return !ret;
}

static bool is_let_in(const struct ontb_ntb_irqs *irqs, const struct ontb_own *own)
{
	const struct ontb_msi_msg *passes;

	if (!irqs->guards)
		return true;
	passes = &irqs->guards[own - irqs->owns].msgs[own->guard_bit];
	return own->is_let_in[own->guard_bit] && passes->addr == own->msg.addr && passes->data == own->msg.data;
}

/* The next thing to say about own interrupts. Return: Whether there was one that could be said. */
static bool say_own(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	struct ontb_grant_msg msg;
	struct ontb_own *own;

	for (;;) {
		bool is_ready;

		ontb_lock(&irqs->lock);
		own = session->is_up ? ontb_own_to_say(irqs, session, &msg) : NULL;
		is_ready = own && (msg.type == ONTB_GRANT_REVOKE || is_let_in(irqs, own));
		if (is_ready)
			ontb_own_said(irqs, session, own);
		ontb_unlock(&irqs->lock);
		if (!own)
			return false;
		if (is_ready)
			break;
		if (!let_in(irqs, own)) {
			ontb_lock(&irqs->lock);
			ontb_own_postpone(irqs, session, own);
			ontb_unlock(&irqs->lock);
			session->retry_ns = 0;
			return false;
		}
	}
	ontb_channel_send(&session->channel, &msg);
	return true;
}

static bool confirm_next(struct ontb_session *session)
{
	struct ontb_grant_msg msg;

	if (!session->held || !ontb_held_next_due(session->held, &msg))
		return false;
	ontb_channel_send(&session->channel, &msg);
	return true;
}

/* Both roles take turns, so a peer that always wants to have something confirmed does not keep back what it has to hear. */
static bool say_next(struct ontb_session *session)
{
	bool was_own_turn = session->has_confirmed;

	session->has_confirmed = false;
	if (was_own_turn && say_own(session))
		return true;
	session->has_confirmed = confirm_next(session);
	return session->has_confirmed || (!was_own_turn && say_own(session));
}

static void transmit(struct ontb_session *session)
{
	unsigned int nr;

	for (nr = 0; nr < ONTB_GRANT_BATCH && ontb_channel_can_send(&session->channel); nr++) {
		const struct ontb_grant_msg hello = { .type = ONTB_GRANT_HELLO,
						      .gen = session->irqs->config.nr_irqs,
						      .data = session->irqs->window };

		if (!session->said_hello) {
			ontb_channel_send(&session->channel, &hello);
			session->said_hello = true;
		} else if (!say_next(session)) {
			break;
		}
	}
	session->has_progress |= nr > 0;
	session->wants_run |= nr == ONTB_GRANT_BATCH;
	ontb_channel_flush(&session->channel);
}

/* Both have said hello: the peer holds nothing of an earlier epoch, so what it stores from now on is meant. */
static void establish(struct ontb_session *session)
{
	int ret;

	if (!session->heard_hello || !session->said_hello || session->is_open)
		return;
	ret = open_window(session);
	if (!ret) {
		tell_link(session, true);
		return;
	}
	ontb_log_limited(&session->bad_limit, ONTB_LOG_ERROR,
			 "%s: peer %u: window %u cannot show the interrupt addresses (error %d): tried again later",
			 name_of(session), session->peer, session->irqs->window, ret);
	(void)close_window(session);
}

/* Time */

static bool waits(const struct ontb_session *session)
{
	if (session->state != ONTB_SESSION_TALK)
		return session->is_open;
	return !ontb_channel_is_idle(&session->channel) || (session->heard_hello && !session->is_open);
}

static void set_retry(struct ontb_session *session, uint64_t now_ns)
{
	uint64_t delay;

	if (session->has_progress)
		session->nr_retries = 0;
	session->has_progress = false;
	delay = session->nr_retries < 10 ? RETRY_FIRST_NS << session->nr_retries : RETRY_MAX_NS;
	if (session->retry_ns &&
	    (!waits(session) || (session->irqs->is_stepped && session->nr_retries >= MAX_STEPPED_RETRIES)))
		session->retry_ns = ONTB_GRANT_NEVER;
	else if (session->retry_ns == ONTB_GRANT_NEVER || session->retry_ns <= now_ns || !session->nr_retries)
		session->retry_ns = now_ns + delay;
}

uint64_t ontb_session_deadline(struct ontb_session *session)
{
	struct ontb_ntb_irqs *irqs = session->irqs;
	uint64_t deadline = session->retry_ns, oldest;

	if (!irqs->config.ack_timeout_ns || session->state != ONTB_SESSION_TALK)
		return deadline;
	ontb_lock(&irqs->lock);
	oldest = ontb_own_oldest(irqs, session);
	ontb_unlock(&irqs->lock);
	if (oldest == ONTB_GRANT_NEVER || oldest > ONTB_GRANT_NEVER - irqs->config.ack_timeout_ns)
		return deadline;
	oldest += irqs->config.ack_timeout_ns;
	return oldest < deadline ? oldest : deadline;
}

static void talk(struct ontb_session *session, uint64_t now_ns)
{
	struct heard heard;

	if (session->retry_ns <= now_ns) {
		session->nr_retries++;
		ontb_channel_refresh(&session->channel);
	}
	poll_channel(session);
	receive(session, &heard);
	transmit(session);
	establish(session);
	tell_heard(session, &heard);
	if (is_late(session, now_ns))
		cut_off(session);
}

void ontb_session_run(struct ontb_session *session, uint64_t now_ns)
{
	session->wants_run = false;
	/* A window that could not be closed comes first: no new epoch before that. */
	if (session->is_open && !session->is_up && !close_window(session)) {
		session->has_progress = false;
		session->nr_retries++;
		set_retry(session, now_ns);
		return;
	}
	look_at_link(session);
	if (session->state == ONTB_SESSION_TALK)
		talk(session, now_ns);
	set_retry(session, now_ns);
}
