// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The worker: looks at all peers, and does what follows when the last holder of an own interrupt has confirmed.
 */
#include "ntb/irq/irqs.h"

#include <errno.h>

#include "base/clock.h"

#define GUARD_RETRY_NS (10 * ONTB_NS_PER_MS)

/* Own interrupts that one run works on: releasing one waits for hardware. */
#define MAX_WORK 64U

void ontb_irqs_kick(struct ontb_ntb_irqs *irqs)
{
	if (!irqs->worker || atomic_load(&irqs->is_over))
		return;
	/* If it is set, a run that takes it back has not begun to look, and will see what was done before this call. */
	if (!atomic_exchange(&irqs->is_kicked, true))
		ontb_worker_kick(irqs->worker);
}

uint64_t ontb_irqs_now(struct ontb_ntb_irqs *irqs)
{
	return irqs->is_stepped ? atomic_load(&irqs->virtual_ns) : ontb_clock_ns();
}

/* In a stepped pool a run that nobody kicked is one for the deadline that was asked for. */
static void pass_time(struct ontb_ntb_irqs *irqs)
{
	bool was_kicked = atomic_exchange(&irqs->is_kicked, false);

	if (irqs->is_stepped && !was_kicked && irqs->asked_ns != ONTB_GRANT_NEVER) {
		if (irqs->asked_ns > atomic_load(&irqs->virtual_ns))
			atomic_store(&irqs->virtual_ns, irqs->asked_ns);
		irqs->asked_ns = ONTB_GRANT_NEVER;
	}
}

static void ask_for(struct ontb_ntb_irqs *irqs, uint64_t deadline)
{
	if (deadline == ONTB_GRANT_NEVER)
		return;
	if (deadline < irqs->asked_ns || irqs->asked_ns <= ontb_irqs_now(irqs))
		irqs->asked_ns = deadline;
	ontb_worker_kick_at(irqs->worker, deadline);
}

/*
 * Let nothing in that nobody may send any more. The message may change whenever the lock is not held, and then what was the
 * present one is still in use.
 *
 * Return: False if the guard refuses.
 */
static bool close_guard(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock)
{
	for (unsigned int bit = 0; bit < 2; bit++) {
		int ret;

		if (own->is_moving && own->nr_old)
			break;
		if (!own->is_let_in[bit] || (own->nr_holders && bit == own->guard_bit))
			continue;
		ontb_unlock(&irqs->lock);
		ret = ontb_ntb_guard_set(irqs->ntb, ontb_own_guard_place(irqs, own, bit), NULL);
		/* As with windows: no function, no way in, for who does not wait until it is back. */
		if (ret == -EFAULT && atomic_load(&irqs->is_stopping))
			ret = 0;
		ontb_lock(&irqs->lock);
		if (ret) {
			ontb_log_limited(&irqs->guard_limit, ONTB_LOG_ERROR,
					 "%s: guard: index %u cannot be shut out (error %d): tried again later",
					 ontb_ntb_name(irqs->ntb), (unsigned int)(own - irqs->owns), ret);
			return false;
		}
		own->is_let_in[bit] = false;
	}
	return true;
}

/* The interrupt may be moved again at once, so what is said of this move comes before. */
static void complete_move(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock)
{
	struct ontb_irq_data *data = own->data;

	own->is_moving = false;
	irqs->nr_moves++;
	ontb_unlock(&irqs->lock);
	ontb_irq_move_complete(data);
	ontb_lock(&irqs->lock);
}

/*
 * Nobody holds it: give index, number and vector back. Once they are, somebody else may have allocated the index before this
 * thread has the lock again; until they are, nobody else gets it.
 */
static void release(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock)
{
	unsigned int index = (unsigned int)(own - irqs->owns);
	const struct ontb_ntb_irq_events *events = irqs->config.events;
	int ret;

	own->state = ONTB_OWN_RELEASING;
	own->is_asked = false;
	ontb_unlock(&irqs->lock);
	ret = ontb_msi_free_range(irqs->msi, irqs->config.slot, index, 1);
	ontb_lock(&irqs->lock);
	if (ret) {
		own->state = ONTB_OWN_FREEING;
		own->is_stuck = !own->is_asked;
		if (own->is_stuck)
			ontb_log(ONTB_LOG_NOTICE,
				 "%s: index %u stays in quarantine until it is freed once more: it still has a handler",
				 ontb_ntb_name(irqs->ntb), index);
		return;
	}
	if (own->state == ONTB_OWN_RELEASING)
		own->state = ONTB_OWN_FREE;
	if (!events || !events->freed)
		return;
	ontb_unlock(&irqs->lock);
	events->freed(irqs->config.client, irqs, index);
	ontb_lock(&irqs->lock);
}

/* Return: False if it has to be tried again later. */
static bool work_on(struct ontb_ntb_irqs *irqs, struct ontb_own *own) ONTB_MUST_HOLD(irqs->lock)
{
	if (own->is_moving && own->nr_old)
		return true;
	if (!close_guard(irqs, own))
		return false;
	if (own->is_moving && !own->nr_old)
		complete_move(irqs, own);
	if (own->state == ONTB_OWN_FREEING && !own->nr_holders && !own->is_moving && !own->is_stuck && !own->drain)
		release(irqs, own);
	return true;
}

/* Perhaps in a handler. */
static void drained(struct ontb_irq_drain *drain)
{
	struct ontb_ntb_irqs *irqs = ontb_container_of(drain, struct ontb_ntb_irqs, drain);

	atomic_store(&irqs->has_drained, true);
	ontb_irqs_kick(irqs);
}

/*
 * Peers have returned interrupts: wait, one drain for all of them, until handlers have seen what they sent. An interrupt that
 * is drained is not released, so its data stays.
 */
static void drain(struct ontb_ntb_irqs *irqs)
{
	struct ontb_irq_data *data;
	unsigned int nr = 0;

	ontb_lock(&irqs->lock);
	if (atomic_exchange(&irqs->has_drained, false)) {
		irqs->is_draining = false;
		ontb_own_drained(irqs);
	}
	if (!irqs->is_draining)
		irqs->drain = (struct ontb_irq_drain){ 0 };
	while (!irqs->is_draining && (data = ontb_own_next_drain(irqs))) {
		ontb_unlock(&irqs->lock);
		ontb_irq_drain_add(&irqs->drain, data);
		nr++;
		ontb_lock(&irqs->lock);
	}
	irqs->is_draining |= nr > 0;
	ontb_unlock(&irqs->lock);
	if (nr)
		ontb_irq_drain_start(ontb_msi_domain(irqs->msi, irqs->config.slot), &irqs->drain, drained);
}

static struct ontb_own *next_work(struct ontb_ntb_irqs *irqs) ONTB_MUST_HOLD(irqs->lock)
{
	struct ontb_own *own = irqs->work;

	if (!own)
		return NULL;
	irqs->work = own->next;
	if (!irqs->work)
		irqs->work_end = &irqs->work;
	own->is_queued = false;
	return own;
}

/* Return: Whether something has to be tried again later. */
static bool work(struct ontb_ntb_irqs *irqs, bool *wants_run)
{
	bool has_failed = false;
	struct ontb_own *own;
	unsigned int nr = 0;

	ontb_lock(&irqs->lock);
	while (nr < MAX_WORK && !has_failed && (own = next_work(irqs))) {
		nr++;
		own->is_busy = true;
		has_failed = !work_on(irqs, own);
		own->is_busy = false;
		/* What has failed has to wait, and what is left is seen below. */
		(void)ontb_own_queue(irqs, own);
	}
	*wants_run |= irqs->work && !has_failed;
	ontb_unlock(&irqs->lock);
	return has_failed;
}

static void take_msgs(struct ontb_ntb_irqs *irqs, bool *wants_run)
{
	struct ontb_channel *chs[ONTB_NTB_MAX_PEERS];
	unsigned int nr;

	if (irqs->kind != ONTB_NTB_CHANNEL_MSGS)
		return;
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++)
		chs[peer] = &irqs->sessions[peer].channel;
	nr = ontb_channel_msgs_take(irqs->ntb, chs, irqs->nr_peers);
	*wants_run |= nr == ONTB_CHANNEL_MAX_TAKEN;
}

/* Reading brings home what was on its way before: whoever rang until now is seen by who looks from now on. */
void ontb_irqs_clear_doorbell(struct ontb_ntb_irqs *irqs)
{
	uint64_t bit = irqs->sessions[0].channel.db_bit;

	if (!bit)
		return;
	irqs->ops->db_clear(irqs->ntb, bit);
	(void)irqs->ops->db_read(irqs->ntb);
}

static bool is_due(struct ontb_session *session, uint64_t now_ns)
{
	return session->retry_ns <= now_ns || atomic_load(&session->has_event);
}

/*
 * A doorbell that is set rings no more, so one whose interrupt was lost would stay silent for ever. Before peers are looked at for
 * another reason, it is made ready to ring again.
 */
static void ready_doorbell(struct ontb_ntb_irqs *irqs, uint64_t now_ns)
{
	bool any_due = false;

	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++)
		any_due |= is_due(&irqs->sessions[peer], now_ns);
	if (any_due)
		ontb_irqs_clear_doorbell(irqs);
}

void ontb_irqs_run(void *arg)
{
	struct ontb_ntb_irqs *irqs = arg;
	uint64_t now_ns, deadline = ONTB_GRANT_NEVER;
	bool wants_run = false;

	if (atomic_load(&irqs->is_over))
		return;
	pass_time(irqs);
	now_ns = ontb_irqs_now(irqs);
	ready_doorbell(irqs, now_ns);
	take_msgs(irqs, &wants_run);
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++) {
		struct ontb_session *session = &irqs->sessions[peer];
		uint64_t when;

		if (atomic_load(&irqs->is_stopping)) {
			ontb_channel_stop(&session->channel);
			session->state = ONTB_SESSION_CUT;
			(void)ontb_session_end(session);
			continue;
		}
		ontb_session_run(session, now_ns);
		wants_run |= session->wants_run;
		when = ontb_session_deadline(session);
		deadline = when < deadline ? when : deadline;
	}
	drain(irqs);
	if (work(irqs, &wants_run) && now_ns + GUARD_RETRY_NS < deadline)
		deadline = now_ns + GUARD_RETRY_NS;
	if (wants_run)
		ontb_irqs_kick(irqs);
	ask_for(irqs, deadline);
}
