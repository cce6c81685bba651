// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The public functions of interrupts that peers raise, with their checks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ntb/irq/irqs.h"

/* How long ontb_ntb_irqs_free() waits for peers that no time-out cuts off. */
#define PATIENCE_NS (2 * ONTB_NS_PER_S)

#define CLOSE_TRIES 10U

/* Events of the bridge */

static void on_link(void *client, unsigned int peer)
{
	struct ontb_ntb_irqs *irqs = client;

	if (peer >= irqs->nr_peers)
		return;
	/* It may be up again before the worker looks. */
	if (!ontb_ntb_link_is_up(irqs->ntb, peer))
		atomic_store(&irqs->sessions[peer].was_down, true);
	atomic_store(&irqs->sessions[peer].has_event, true);
	ontb_irqs_kick(irqs);
}

/* Cleared before the worker looks, so a ring that comes while it looks makes it look again. */
static void on_doorbell(void *client)
{
	struct ontb_ntb_irqs *irqs = client;
	uint64_t bit = irqs->sessions[0].channel.db_bit;

	if (!bit || !(irqs->ops->db_read(irqs->ntb) & bit))
		return;
	ontb_irqs_clear_doorbell(irqs);
	ontb_irqs_kick(irqs);
}

static void on_message(void *client)
{
	ontb_irqs_kick(client);
}

static const struct ontb_ntb_events bridge_events = {
	.link = on_link,
	.doorbell = on_doorbell,
	.message = on_message,
};

/* Making and freeing */

void ontb_ntb_irqs_config_init(struct ontb_ntb_irqs_config *config)
{
	*config = (struct ontb_ntb_irqs_config){
		.nr_irqs = 256,
		.slot = 1,
		.window = -1,
		.channel = ONTB_NTB_CHANNEL_AUTO,
		.ack_timeout_ns = 2 * ONTB_NS_PER_S,
	};
}

static int check_config(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config)
{
	if (!config->nr_irqs || config->nr_irqs > ONTB_GRANT_MAX_IRQS || config->slot >= ONTB_MSI_NR_SLOTS ||
	    (unsigned int)config->channel > ONTB_NTB_CHANNEL_MSGS || !ontb_ntb_msi(ntb)) {
		ontb_log(ONTB_LOG_ERROR, "%s: %u interrupts in slot %u over channel %u%s: outside what there is",
			 ontb_ntb_name(ntb), config->nr_irqs, config->slot, (unsigned int)config->channel,
			 ontb_ntb_msi(ntb) ? "" : " of a bridge without an MSI device");
		return -EINVAL;
	}
	if (config->window < -1 || config->window >= (int)ontb_ntb_nr_windows(ntb)) {
		ontb_log(ONTB_LOG_ERROR, "%s: there is no window %d", ontb_ntb_name(ntb), config->window);
		return -ERANGE;
	}
	return 0;
}

static int check_trust(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config)
{
	const struct ontb_irq_domain *parent = ontb_msi_dev_parent(ontb_ntb_msi(ntb));

	if (config->use_guard) {
		unsigned int size = ontb_ntb_guard_size(ntb);

		if (size >= 2 * config->nr_irqs)
			return 0;
		ontb_log(ONTB_LOG_ERROR, "%s: guard: %u messages fit, %u interrupts need two each", ontb_ntb_name(ntb),
			 size, config->nr_irqs);
		return size ? -ENOSPC : -EOPNOTSUPP;
	}
	if (ontb_irq_domain_msi_parent(parent)->is_isolated || config->trust_peers)
		return 0;
	ontb_log(ONTB_LOG_ERROR,
		 "%s: refused: without interrupt remapping a peer that can write to interrupt addresses can raise any "
		 "vector; use a guard, or say that the peers are trusted",
		 ontb_ntb_name(ntb));
	return -EPERM;
}

/* Whether a window can show all interrupt addresses to every peer. */
static bool window_fits(const struct ontb_ntb_irqs *irqs, unsigned int window)
{
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++) {
		struct ontb_ntb_window limits;
		uint64_t first, size;
		int ret = ontb_ntb_window_limits(irqs->ntb, peer, window, &limits);

		/* Some parts learn the limits from the peer; then the session checks them. */
		if (ret == -ENOLINK)
			continue;
		if (!ret)
			ret = ontb_session_fit(&limits, irqs->range_first, irqs->range_size, &first, &size);
		if (ret)
			return false;
	}
	return true;
}

static void release_windows(struct ontb_ntb_irqs *irqs, unsigned int nr_peers)
{
	while (nr_peers)
		ontb_ntb_window_release(irqs->ntb, --nr_peers, irqs->window);
}

static int claim_windows(struct ontb_ntb_irqs *irqs)
{
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++) {
		int ret = ontb_ntb_window_claim(irqs->ntb, peer, irqs->window);

		if (ret) {
			release_windows(irqs, peer);
			return ret;
		}
	}
	return 0;
}

/* The window that was asked for, or the last one that nobody has and that is wide enough. */
static int choose_window(struct ontb_ntb_irqs *irqs)
{
	int wanted = irqs->config.window, ret = -EOPNOTSUPP;
	unsigned int nr_windows = ontb_ntb_nr_windows(irqs->ntb);

	for (unsigned int i = nr_windows; i > 0 && ret; i--) {
		irqs->window = i - 1;
		if (wanted >= 0 && irqs->window != (unsigned int)wanted)
			continue;
		ret = window_fits(irqs, irqs->window) ? claim_windows(irqs) : -EOPNOTSUPP;
		if (wanted >= 0)
			break;
	}
	if (ret == -EOPNOTSUPP)
		ontb_log(ONTB_LOG_ERROR, "%s: %s can be aligned to the interrupt addresses 0x%" PRIx64 " to 0x%" PRIx64,
			 ontb_ntb_name(irqs->ntb), wanted < 0 ? "no window" : "that window is not one that",
			 irqs->range_first, irqs->range_first + irqs->range_size - 1);
	return ret;
}

static int start_bridge(struct ontb_ntb_irqs *irqs)
{
	uint64_t bit = irqs->sessions[0].channel.db_bit;
	int ret = 0;

	if (irqs->config.use_guard)
		ret = ontb_ntb_guard_enable(irqs->ntb, true);
	if (ret)
		return ret;
	if (bit)
		irqs->ops->db_unmask(irqs->ntb, bit);
	ret = ontb_ntb_link_enable(irqs->ntb);
	if (ret)
		goto mask;
	ontb_irqs_kick(irqs);
	return 0;

mask:
	if (bit)
		irqs->ops->db_mask(irqs->ntb, bit);
	if (irqs->config.use_guard)
		(void)ontb_ntb_guard_enable(irqs->ntb, false);
	return ret;
}

static void stop_bridge(struct ontb_ntb_irqs *irqs)
{
	uint64_t bit = irqs->sessions[0].channel.db_bit;

	ontb_ntb_link_disable(irqs->ntb);
	if (bit)
		irqs->ops->db_mask(irqs->ntb, bit);
	if (irqs->config.use_guard)
		(void)ontb_ntb_guard_enable(irqs->ntb, false);
}

static void init_waiting(struct ontb_ntb_irqs *irqs)
{
	pthread_condattr_t attr;

	ontb_lock_init(&irqs->lock);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&irqs->settled, &attr);
	(void)pthread_condattr_destroy(&attr);
}

static void fini_waiting(struct ontb_ntb_irqs *irqs)
{
	(void)pthread_cond_destroy(&irqs->settled);
	ontb_lock_fini(&irqs->lock);
}

static struct ontb_ntb_irqs *new_irqs(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config,
				      enum ontb_ntb_channel kind)
{
	struct ontb_ntb_irqs *irqs = calloc(1, sizeof(*irqs));

	if (!irqs)
		return NULL;
	irqs->ntb = ntb;
	irqs->ops = ontb_ntb_ops(ntb);
	irqs->msi = ontb_ntb_msi(ntb);
	irqs->sys = ontb_msi_dev_system(irqs->msi);
	irqs->config = *config;
	irqs->kind = kind;
	irqs->nr_peers = ontb_ntb_nr_peers(ntb);
	irqs->is_stepped = ontb_worker_pool_is_stepped(ontb_ntb_workers(ntb));
	irqs->asked_ns = ONTB_GRANT_NEVER;
	if (ontb_own_init(irqs)) {
		free(irqs);
		return NULL;
	}
	init_waiting(irqs);
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++)
		ontb_session_init(irqs, peer);
	return irqs;
}

static void free_irqs(struct ontb_ntb_irqs *irqs)
{
	fini_waiting(irqs);
	ontb_own_fini(irqs);
	free(irqs);
}

int ontb_ntb_irqs_new(struct ontb_ntb *ntb, const struct ontb_ntb_irqs_config *config, struct ontb_ntb_irqs **out)
{
	struct ontb_ntb_irqs *irqs;
	enum ontb_ntb_channel kind;
	int ret;

	ret = check_config(ntb, config);
	if (!ret)
		ret = check_trust(ntb, config);
	if (!ret)
		ret = ontb_channel_choose(ntb, config->channel, &kind);
	if (ret)
		return ret;
	irqs = new_irqs(ntb, config, kind);
	if (!irqs)
		return -ENOMEM;
	ret = ontb_irqs_domain_new(irqs);
	if (ret)
		goto free_irqs;
	ret = choose_window(irqs);
	if (ret)
		goto free_domain;
	ret = ontb_worker_new(ontb_ntb_workers(ntb), "ntb-irqs", ontb_irqs_run, irqs, &irqs->worker);
	if (ret)
		goto release_windows;
	ret = ontb_ntb_set_client(ntb, &bridge_events, irqs);
	if (ret)
		goto free_worker;
	ret = start_bridge(irqs);
	if (ret)
		goto unset_client;
	*out = irqs;
	return 0;

unset_client:
	(void)ontb_ntb_set_client(ntb, NULL, NULL);
free_worker:
	ontb_worker_free(irqs->worker);
release_windows:
	release_windows(irqs, irqs->nr_peers);
free_domain:
	(void)ontb_msi_domain_free(irqs->msi, config->slot);
free_irqs:
	free_irqs(irqs);
	return ret;
}

/* Every window has to be closed, or what a peer holds can never be used again. */
static bool end_sessions(struct ontb_ntb_irqs *irqs)
{
	bool is_closed = false;

	atomic_store(&irqs->is_stopping, true);
	for (unsigned int i = 0; i < CLOSE_TRIES && !is_closed; i++) {
		ontb_irqs_kick(irqs);
		ontb_worker_flush(irqs->worker);
		is_closed = true;
		for (unsigned int peer = 0; peer < irqs->nr_peers; peer++)
			is_closed &= !irqs->sessions[peer].is_open;
	}
	return is_closed;
}

/*
 * Whoever kicks the worker holds the lock, but for the end of a drain: that is waited for, or does not come any more. So when the
 * lock is free nobody has a kick under way, and the worker can go after the drain.
 */
static void end_work(struct ontb_ntb_irqs *irqs)
{
	ontb_lock(&irqs->lock);
	atomic_store(&irqs->is_over, true);
	ontb_unlock(&irqs->lock);
	ontb_worker_flush(irqs->worker);
	if (irqs->is_draining)
		ontb_irq_drain_cancel(ontb_msi_domain(irqs->msi, irqs->config.slot), &irqs->drain);
	ontb_worker_free(irqs->worker);
}

void ontb_ntb_irqs_free(struct ontb_ntb_irqs *irqs)
{
	bool is_closed;

	if (!irqs)
		return;
	ontb_lock(&irqs->lock);
	for (unsigned int i = 0; i < irqs->config.nr_irqs; i++)
		ontb_own_revoke_all(irqs, &irqs->owns[i]);
	ontb_unlock(&irqs->lock);
	(void)ontb_ntb_irq_settle(irqs, ONTB_MSI_ANY_INDEX,
				  irqs->config.ack_timeout_ns ? irqs->config.ack_timeout_ns : PATIENCE_NS);
	(void)ontb_ntb_set_client(irqs->ntb, NULL, NULL);
	is_closed = end_sessions(irqs);
	/* What followed when the last holder was gone. */
	(void)ontb_ntb_irq_settle(irqs, ONTB_MSI_ANY_INDEX, PATIENCE_NS);
	end_work(irqs);
	stop_bridge(irqs);
	if (!is_closed || ontb_msi_domain_free(irqs->msi, irqs->config.slot)) {
		ontb_log(ONTB_LOG_ERROR, "%s: NTB interrupts are not freed: %s", ontb_ntb_name(irqs->ntb),
			 is_closed ? "one still has a handler" : "a window cannot be closed");
		return;
	}
	release_windows(irqs, irqs->nr_peers);
	free_irqs(irqs);
}

/* Own interrupts */

static void set_own_state(struct ontb_ntb_irqs *irqs, unsigned int index, enum ontb_own_state state)
{
	ontb_lock(&irqs->lock);
	irqs->owns[index].state = state;
	irqs->owns[index].is_stuck = false;
	ontb_own_update(irqs, &irqs->owns[index]);
	ontb_unlock(&irqs->lock);
}

int ontb_ntb_irq_alloc(struct ontb_ntb_irqs *irqs, unsigned int index, const struct ontb_cpumask *affinity,
		       struct ontb_msi_map *map)
{
	struct ontb_msi_map got;
	int ret;

	if (index != ONTB_MSI_ANY_INDEX && index >= irqs->config.nr_irqs)
		return -ERANGE;
	ret = ontb_msi_alloc_at(irqs->msi, irqs->config.slot, index, affinity, NULL, &got);
	if (ret)
		return ret;
	set_own_state(irqs, got.index, ONTB_OWN_NEW);
	ret = ontb_irq_activate(irqs->sys, got.virq);
	if (ret) {
		set_own_state(irqs, got.index, ONTB_OWN_FREE);
		(void)ontb_msi_free_range(irqs->msi, irqs->config.slot, got.index, 1);
		return ret;
	}
	set_own_state(irqs, got.index, ONTB_OWN_LIVE);
	*map = got;
	return 0;
}

int ontb_ntb_irq_grant(struct ontb_ntb_irqs *irqs, unsigned int index, unsigned int peer)
{
	struct ontb_own *own;
	int ret;

	if (peer >= irqs->nr_peers)
		return -ERANGE;
	if (index >= irqs->config.nr_irqs)
		return -ENOENT;
	own = &irqs->owns[index];
	ontb_lock(&irqs->lock);
	if (own->state == ONTB_OWN_FREEING || own->state == ONTB_OWN_RELEASING)
		ret = -EBUSY;
	else if (own->state != ONTB_OWN_LIVE || !own->has_msg)
		ret = -ENOENT;
	else if (!irqs->sessions[peer].is_up)
		ret = -ENOLINK;
	else
		ret = ontb_own_grant(irqs, own, &irqs->sessions[peer]);
	ontb_unlock(&irqs->lock);
	return ret;
}

int ontb_ntb_irq_revoke(struct ontb_ntb_irqs *irqs, unsigned int index, unsigned int peer)
{
	bool has_it;

	if (peer >= irqs->nr_peers)
		return -ERANGE;
	if (index >= irqs->config.nr_irqs)
		return -ENOENT;
	ontb_lock(&irqs->lock);
	has_it = ontb_own_revoke(irqs, &irqs->owns[index], &irqs->sessions[peer]);
	ontb_unlock(&irqs->lock);
	return has_it ? 0 : -ENOENT;
}

/* Whether nobody holds it and it still has a handler: then freeing it changes nothing. */
static bool is_in_use(struct ontb_ntb_irqs *irqs, unsigned int index)
{
	unsigned int nr_holders;

	ontb_lock(&irqs->lock);
	nr_holders = irqs->owns[index].nr_holders;
	ontb_unlock(&irqs->lock);
	return !nr_holders && ontb_irq_is_requested(irqs->sys, ontb_msi_virq(irqs->msi, irqs->config.slot, index));
}

int ontb_ntb_irq_free(struct ontb_ntb_irqs *irqs, unsigned int index)
{
	struct ontb_own *own;
	int ret = 0;

	if (index >= irqs->config.nr_irqs)
		return -ENOENT;
	if (is_in_use(irqs, index))
		return -EBUSY;
	own = &irqs->owns[index];
	ontb_lock(&irqs->lock);
	if (own->state == ONTB_OWN_LIVE || own->state == ONTB_OWN_FREEING) {
		own->state = ONTB_OWN_FREEING;
		own->is_stuck = false;
		ontb_own_revoke_all(irqs, own);
	} else if (own->state == ONTB_OWN_RELEASING) {
		own->is_asked = true;
	} else {
		ret = -ENOENT;
	}
	ontb_unlock(&irqs->lock);
	return ret;
}

static bool is_settled(struct ontb_ntb_irqs *irqs, unsigned int index) ONTB_MUST_HOLD(irqs->lock)
{
	if (index == ONTB_MSI_ANY_INDEX)
		return !irqs->nr_unsettled;
	return index >= irqs->config.nr_irqs || !irqs->owns[index].is_unsettled;
}

static int settle_stepped(struct ontb_ntb_irqs *irqs, unsigned int index, uint64_t timeout_ns)
{
	struct ontb_worker_pool *pool = ontb_ntb_workers(irqs->ntb);
	uint64_t start = ontb_irqs_now(irqs), pool_start = ontb_worker_pool_now(pool);
	bool is_done, is_over = false;

	for (;;) {
		ontb_lock(&irqs->lock);
		is_done = is_settled(irqs, index);
		ontb_unlock(&irqs->lock);
		if (is_done)
			return 0;
		if (is_over || !timeout_ns)
			return -ETIMEDOUT;
		/* Time may pass for others of the pool only, who try again for ever. */
		is_over = !ontb_worker_pool_step(pool) || ontb_irqs_now(irqs) - start > timeout_ns ||
			  ontb_worker_pool_now(pool) - pool_start > timeout_ns;
	}
}

int ontb_ntb_irq_settle(struct ontb_ntb_irqs *irqs, unsigned int index, uint64_t timeout_ns)
{
	uint64_t now = ontb_clock_ns(), end = now + timeout_ns < now ? UINT64_MAX : now + timeout_ns;
	struct timespec until = { .tv_sec = (time_t)(end / ONTB_NS_PER_S), .tv_nsec = (long)(end % ONTB_NS_PER_S) };
	bool is_done;

	if (irqs->is_stepped)
		return settle_stepped(irqs, index, timeout_ns);
	ontb_lock(&irqs->lock);
	while (!is_settled(irqs, index)) {
		if (!timeout_ns || pthread_cond_timedwait(&irqs->settled, &irqs->lock.mutex, &until))
			break;
	}
	is_done = is_settled(irqs, index);
	ontb_unlock(&irqs->lock);
	return is_done ? 0 : -ETIMEDOUT;
}

/* Interrupts of peers */

/* Inside an RCU read-side section. Return: the table that has an index, or NULL. */
static struct ontb_held_table *find_table(struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index, int *error)
{
	struct ontb_held_table *table = ontb_rcu_read(irqs->sessions[peer].held);

	*error = table ? -ENOENT : -ENOLINK;
	return table && index < table->nr ? table : NULL;
}

int ontb_ntb_irq_trigger(struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	const struct ontb_held_msg *msg = NULL;
	struct ontb_held_table *table;
	int ret;

	if (ontb_unlikely(peer >= irqs->nr_peers))
		return -ERANGE;
	ontb_rcu_read_lock();
	table = find_table(irqs, peer, index, &ret);
	if (ontb_likely(table))
		msg = ontb_rcu_read(table->held[index].current);
	if (ontb_likely(msg)) {
		irqs->ops->peer_write32(irqs->ntb, peer, table->window, msg->offset, msg->data);
		__atomic_fetch_add(&table->held[index].nr_triggers, 1, __ATOMIC_RELAXED);
		ret = 0;
	}
	ontb_rcu_read_unlock();
	return ret;
}

bool ontb_ntb_irq_is_granted(struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	struct ontb_held_table *table;
	bool is_granted;
	int ret;

	if (peer >= irqs->nr_peers)
		return false;
	ontb_rcu_read_lock();
	table = find_table(irqs, peer, index, &ret);
	is_granted = table && ontb_rcu_read(table->held[index].current);
	ontb_rcu_read_unlock();
	return is_granted;
}

/* Looking */

static void count_own(const struct ontb_ntb_irqs *irqs, const struct ontb_own *own, struct ontb_ntb_irqs_status *status)
{
	bool is_freed = own->state == ONTB_OWN_FREEING || own->state == ONTB_OWN_RELEASING;

	status->nr_allocated += own->state == ONTB_OWN_LIVE || is_freed;
	status->nr_quarantined += is_freed;
	status->nr_moving += own->is_moving;
	for (unsigned int peer = 0; own->nr_holders && peer < irqs->nr_peers; peer++) {
		enum ontb_grant_state state = ontb_own_of_peer(irqs, own, peer)->state;

		status->nr_granted += state == ONTB_GRANT_GRANTED || state == ONTB_GRANT_MOVING;
	}
}

static uint64_t count_triggers(struct ontb_ntb_irqs *irqs)
{
	uint64_t sum;

	/* A table counts in one place or the other; between the two it may be missed for a moment. */
	ontb_rcu_read_lock();
	sum = atomic_load(&irqs->nr_triggers);
	for (unsigned int peer = 0; peer < irqs->nr_peers; peer++) {
		const struct ontb_held_table *table = ontb_rcu_read(irqs->sessions[peer].held);

		if (table)
			sum += ontb_held_count(table);
	}
	ontb_rcu_read_unlock();
	return sum;
}

void ontb_ntb_irqs_status(struct ontb_ntb_irqs *irqs, struct ontb_ntb_irqs_status *status)
{
	*status = (struct ontb_ntb_irqs_status){
		.nr_held = atomic_load(&irqs->nr_held),
		.triggers = count_triggers(irqs),
		.bad_messages = atomic_load(&irqs->nr_bad),
		.channel = irqs->kind,
	};
	ontb_lock(&irqs->lock);
	for (unsigned int i = 0; i < irqs->config.nr_irqs; i++)
		count_own(irqs, &irqs->owns[i], status);
	status->moves = irqs->nr_moves;
	status->revokes = irqs->nr_revokes;
	status->cut_off = irqs->nr_cut_off;
	for (unsigned int peer = 0; peer < irqs->nr_peers && !status->window_size; peer++) {
		status->window_first = irqs->sessions[peer].window_first;
		status->window_size = irqs->sessions[peer].window_size;
	}
	ontb_unlock(&irqs->lock);
}
