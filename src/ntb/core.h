/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What a registered bridge is, for the files of this folder that make the public functions. Drivers do not include it.
 */
#ifndef ONTB_NTB_CORE_H
#define ONTB_NTB_CORE_H

#include <stdatomic.h>

#include <openntb/ntb.h>

#include "base/annotate.h"

#define ONTB_NTB_NAME 64

/* Events that wait for the worker: bit n is the link of peer n, then these two. */
#define ONTB_NTB_EVENT_DOORBELL (1U << ONTB_NTB_MAX_PEERS)
#define ONTB_NTB_EVENT_MESSAGE	(1U << (ONTB_NTB_MAX_PEERS + 1))

/**
 * struct ontb_ntb - a bridge
 * @config:      As registered. Constant.
 * @name:        Copy that @config.name points to. Constant.
 * @worker:      Runs events. Constant.
 * @pending:     Events that the worker has not seen yet.
 * @client_lock: Leaf lock of what follows.
 * @events:      Of the client, NULL if there is none.
 * @client:      For @events.
 * @claimed:     Windows in use, a bit each, by peer.
 */
struct ontb_ntb {
	struct ontb_ntb_config config;
	char name[ONTB_NTB_NAME];
	struct ontb_worker *worker;
	_Atomic uint32_t pending;
	struct ontb_lock client_lock;
	const struct ontb_ntb_events *events;
	void *client;
	uint64_t claimed[ONTB_NTB_MAX_PEERS];
};

#endif
