/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Two hosts under random operations, every one of them chosen by a seed, and a model that knows which handler may run when.
 *
 * The model counts, per own interrupt, the messages that the peer stored since the interrupt was granted last. A handler that runs
 * more often than that has seen a message of an earlier grant, or somebody else's. When an interrupt has settled after
 * it was taken back, and whenever nothing more is to do, the last run must have come after the last message. A broken link may lose
 * messages; nothing else may, and it may not make any.
 */
#ifndef TESTS_UNIT_HOST_SOAK_H
#define TESTS_UNIT_HOST_SOAK_H

#include "step_rig.h"

#define SOAK_NR_HOSTS 2U
#define SOAK_NR_IRQS  12U
#define SOAK_NR_CPUS  3U

struct soak;

/**
 * enum soak_state - what the owner has done with an interrupt
 * @SOAK_FREE:      Nothing.
 * @SOAK_LIVE:      Allocated, with a handler; nobody has it.
 * @SOAK_GRANTED:   Granted, or under way.
 * @SOAK_RETURNING: Taken back, or its link broke; not settled.
 * @SOAK_STUCK:     Freed while it was granted and had a handler; not settled.
 * @SOAK_FREEING:   Freed, without a handler; not settled.
 */
enum soak_state {
	SOAK_FREE,
	SOAK_LIVE,
	SOAK_GRANTED,
	SOAK_RETURNING,
	SOAK_STUCK,
	SOAK_FREEING,
};

/**
 * struct soak_cell - an own interrupt
 * @soak:   All.
 * @host:   Whose.
 * @index:  Index.
 * @virq:   Number.
 * @state:  State.
 * @sent:   Messages since it was granted.
 * @ran:    Runs of its handler since then.
 * @seen:   Messages that had been sent when it ran last.
 * @lossy:  Messages up to this one may be lost: a link was broken after they were sent.
 */
struct soak_cell {
	struct soak *soak;
	unsigned int host;
	unsigned int index;
	unsigned int virq;
	enum soak_state state;
	uint32_t sent;
	uint32_t ran;
	uint32_t seen;
	uint32_t lossy;
};

/**
 * struct soak_host - a host
 * @soak:      All.
 * @irqs:      Its interrupts.
 * @is_linked: It can grant.
 * @is_lossy:  What is sent to it may be lost.
 * @online:    CPUs, as bits.
 * @cells:     Own interrupts.
 */
struct soak_host {
	struct soak *soak;
	struct ontb_ntb_irqs *irqs;
	bool is_linked;
	bool is_lossy;
	uint32_t online;
	struct soak_cell cells[SOAK_NR_IRQS];
};

/**
 * struct soak_event - a handler has run
 * @step: When.
 * @virq: Number.
 * @host: Where.
 * @cpu:  On which CPU.
 */
struct soak_event {
	uint64_t step;
	uint32_t virq;
	uint16_t host;
	uint16_t cpu;
};

/**
 * struct soak - two hosts
 * @rig:       They.
 * @channel:   How they talk; chosen by the seed.
 * @use_guard: Only what is granted passes; chosen by the seed.
 * @step:      Steps and operations so far.
 * @hosts:     What is known of them.
 * @events:    Runs of handlers.
 * @nr_events: How many.
 * @max_events: Room.
 * @nr_moves:  Moves and changes of CPUs.
 * @nr_lives:  Grants.
 * @nr_breaks: Broken links.
 */
struct soak {
	struct step_rig rig;
	enum ontb_ntb_channel channel;
	bool use_guard;
	uint64_t step;
	struct soak_host hosts[SOAK_NR_HOSTS];
	struct soak_event *events;
	size_t nr_events;
	size_t max_events;
	unsigned int nr_moves;
	unsigned int nr_lives;
	unsigned int nr_breaks;
};

/* Boot both hosts of @topology and give them interrupts. */
void soak_open(struct soak *soak, const char *topology, uint64_t seed);
/* Free everything. The events stay; free them. */
void soak_close(struct soak *soak);

/* @nr_ops operations at random, with steps at random in between. @can_break: links break too. */
void soak_run(struct soak *soak, unsigned int nr_ops, bool can_break);
/* Allocate an interrupt of host @h, which has it not, and grant it; under way on return. */
void soak_grant(struct soak *soak, unsigned int h, unsigned int index);
/* Let everything come to its end, and see that nothing was lost. */
void soak_settle(struct soak *soak);
/* Allocate and grant all there are, raise each, and see that each handler runs once. */
void soak_assert_flows(struct soak *soak);

#endif
