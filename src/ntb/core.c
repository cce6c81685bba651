// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Registration of bridges, the check of what their drivers can do, and events.
 *
 * A driver tells of events in any context, also in an interrupt handler; the client hears of them in a worker. Events that
 * come faster than they are heard of merge: each only says "look again".
 */
#include "ntb/core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/worker.h>

#include "base/log.h"

/* Operations that make sense only together; those of REQUIRED every part has. */
enum group {
	REQUIRED,
	DOORBELLS,
	SCRATCHPADS,
	MESSAGES,
	PAGE,
	GUARD,
	NR_GROUPS,
};

/**
 * struct op - an operation
 * @name:   Name.
 * @offset: Where struct ontb_ntb_ops has it.
 * @group:  Group.
 */
struct op {
	const char *name;
	size_t offset;
	enum group group;
};

#define OP(op, grp)                                                                                                    \
	{                                                                                                              \
		.name = #op, .offset = offsetof(struct ontb_ntb_ops, op), .group = (grp)                               \
	}

static const struct op ops_table[] = {
	OP(name, REQUIRED),
	OP(link_enable, REQUIRED),
	OP(link_disable, REQUIRED),
	OP(link_is_up, REQUIRED),
	OP(window_limits, REQUIRED),
	OP(window_open, REQUIRED),
	OP(window_close, REQUIRED),
	OP(peer_window_size, REQUIRED),
	OP(peer_write32, REQUIRED),
	OP(peer_write, REQUIRED),
	OP(peer_read, REQUIRED),
	OP(db_valid, DOORBELLS),
	OP(db_read, DOORBELLS),
	OP(db_clear, DOORBELLS),
	OP(db_mask, DOORBELLS),
	OP(db_unmask, DOORBELLS),
	OP(peer_db_set, DOORBELLS),
	OP(spad_count, SCRATCHPADS),
	OP(spad_read, SCRATCHPADS),
	OP(spad_write, SCRATCHPADS),
	OP(peer_spad_read, SCRATCHPADS),
	OP(peer_spad_write, SCRATCHPADS),
	OP(msg_count, MESSAGES),
	OP(msg_read, MESSAGES),
	OP(peer_msg_write, MESSAGES),
	OP(page, PAGE),
	OP(peer_page_write, PAGE),
	OP(guard_size, GUARD),
	OP(guard_set, GUARD),
	OP(guard_enable, GUARD),
};

/* All members are pointers of the same size, and what is in the table is all there is. */
_Static_assert(sizeof(struct ontb_ntb_ops) == ONTB_ARRAY_SIZE(ops_table) * sizeof(void (*)(void)),
	       "every operation is in the table");

static bool is_given(const struct ontb_ntb_ops *ops, const struct op *op)
{
	void (*fn)(void);

	memcpy(&fn, (const char *)ops + op->offset, sizeof(fn));
	return fn;
}

const char *ontb_ntb_ops_check(const struct ontb_ntb_ops *ops)
{
	bool is_wanted[NR_GROUPS] = { [REQUIRED] = true };

	for (size_t i = 0; i < ONTB_ARRAY_SIZE(ops_table); i++) {
		if (is_given(ops, &ops_table[i]))
			is_wanted[ops_table[i].group] = true;
	}
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(ops_table); i++) {
		if (is_wanted[ops_table[i].group] && !is_given(ops, &ops_table[i]))
			return ops_table[i].name;
	}
	return NULL;
}

static void run_events(void *arg)
{
	struct ontb_ntb *ntb = arg;
	uint32_t pending = atomic_exchange(&ntb->pending, 0);
	const struct ontb_ntb_events *events;
	void *client;

	ontb_lock(&ntb->client_lock);
	events = ntb->events;
	client = ntb->client;
	ontb_unlock(&ntb->client_lock);
	if (!events)
		return;
	for (unsigned int peer = 0; peer < ntb->config.nr_peers; peer++) {
		if (pending & 1U << peer && events->link)
			events->link(client, peer);
	}
	if (pending & ONTB_NTB_EVENT_DOORBELL && events->doorbell)
		events->doorbell(client);
	if (pending & ONTB_NTB_EVENT_MESSAGE && events->message)
		events->message(client);
}

static bool is_config_valid(const struct ontb_ntb_config *config)
{
	const char *missing;

	if (!config->ops || !config->name || !config->workers) {
		ontb_log(ONTB_LOG_ERROR, "ntb: a driver registers a bridge without %s",
			 !config->ops	 ? "operations"
			 : !config->name ? "a name"
					 : "workers");
		return false;
	}
	missing = ontb_ntb_ops_check(config->ops);
	if (missing) {
		ontb_log(ONTB_LOG_ERROR, "%s: the driver of this bridge has no %s()", config->name, missing);
		return false;
	}
	if (config->nr_peers < 1 || config->nr_peers > ONTB_NTB_MAX_PEERS || !config->nr_windows ||
	    config->nr_windows > ONTB_NTB_MAX_WINDOWS) {
		ontb_log(ONTB_LOG_ERROR, "%s: %u peers with %u windows each, must be 1 to %u with 1 to %u",
			 config->name, config->nr_peers, config->nr_windows, ONTB_NTB_MAX_PEERS, ONTB_NTB_MAX_WINDOWS);
		return false;
	}
	return true;
}

int ontb_ntb_new(const struct ontb_ntb_config *config, struct ontb_ntb **out)
{
	struct ontb_ntb *ntb;
	int ret;

	if (!is_config_valid(config))
		return -EINVAL;
	ntb = calloc(1, sizeof(*ntb));
	if (!ntb)
		return -ENOMEM;
	ntb->config = *config;
	(void)snprintf(ntb->name, sizeof(ntb->name), "%s", config->name);
	ntb->config.name = ntb->name;
	ontb_lock_init(&ntb->client_lock);
	ret = ontb_worker_new(config->workers, "ntb-events", run_events, ntb, &ntb->worker);
	if (ret)
		goto free_ntb;
	*out = ntb;
	return 0;

free_ntb:
	ontb_lock_fini(&ntb->client_lock);
	free(ntb);
	return ret;
}

void ontb_ntb_free(struct ontb_ntb *ntb)
{
	if (!ntb)
		return;
	ontb_worker_free(ntb->worker);
	ontb_lock_fini(&ntb->client_lock);
	free(ntb);
}

static void post(struct ontb_ntb *ntb, uint32_t event)
{
	atomic_fetch_or(&ntb->pending, event);
	ontb_worker_kick(ntb->worker);
}

void ontb_ntb_link_event(struct ontb_ntb *ntb, unsigned int peer)
{
	if (peer < ntb->config.nr_peers)
		post(ntb, 1U << peer);
}

void ontb_ntb_doorbell_event(struct ontb_ntb *ntb)
{
	post(ntb, ONTB_NTB_EVENT_DOORBELL);
}

void ontb_ntb_message_event(struct ontb_ntb *ntb)
{
	post(ntb, ONTB_NTB_EVENT_MESSAGE);
}

void ontb_ntb_flush_events(struct ontb_ntb *ntb)
{
	ontb_worker_flush(ntb->worker);
}

int ontb_ntb_set_client(struct ontb_ntb *ntb, const struct ontb_ntb_events *events, void *client)
{
	int ret = 0;

	ontb_lock(&ntb->client_lock);
	if (events && ntb->events) {
		ret = -EBUSY;
	} else {
		ntb->events = events;
		ntb->client = client;
	}
	ontb_unlock(&ntb->client_lock);
	if (events)
		return ret;
	/* A run that has read the old client already ends before this kick is served. */
	ontb_worker_kick(ntb->worker);
	ontb_worker_flush(ntb->worker);
	return 0;
}

int ontb_ntb_window_claim(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	uint64_t bit;
	int ret = 0;

	if (peer >= ntb->config.nr_peers || window >= ntb->config.nr_windows)
		return -ERANGE;
	bit = 1ULL << window;
	ontb_lock(&ntb->client_lock);
	if (ntb->claimed[peer] & bit)
		ret = -EBUSY;
	ntb->claimed[peer] |= bit;
	ontb_unlock(&ntb->client_lock);
	return ret;
}

void ontb_ntb_window_release(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	if (peer >= ntb->config.nr_peers || window >= ntb->config.nr_windows)
		return;
	ontb_lock(&ntb->client_lock);
	ntb->claimed[peer] &= ~(1ULL << window);
	ontb_unlock(&ntb->client_lock);
}

void *ontb_ntb_driver(const struct ontb_ntb *ntb)
{
	return ntb->config.driver;
}

const char *ontb_ntb_name(const struct ontb_ntb *ntb)
{
	return ntb->name;
}

unsigned int ontb_ntb_nr_peers(const struct ontb_ntb *ntb)
{
	return ntb->config.nr_peers;
}

unsigned int ontb_ntb_nr_windows(const struct ontb_ntb *ntb)
{
	return ntb->config.nr_windows;
}

struct ontb_msi_dev *ontb_ntb_msi(const struct ontb_ntb *ntb)
{
	return ntb->config.msi;
}

struct ontb_worker_pool *ontb_ntb_workers(const struct ontb_ntb *ntb)
{
	return ntb->config.workers;
}

struct ontb_pages *ontb_ntb_pages(const struct ontb_ntb *ntb)
{
	return ntb->config.pages;
}

const struct ontb_ntb_ops *ontb_ntb_ops(const struct ontb_ntb *ntb)
{
	return ntb->config.ops;
}
