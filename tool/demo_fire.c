// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Firing. Each host has a thread that sends messages to all interrupts of its peer, and one that changes its own
 * interrupts while they are fired at: moves them between CPUs, takes them back and grants them again, frees them and uses
 * their index for another, takes a CPU off line.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include <openntb/error.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "tool/demo.h"
#include "tool/verbs.h"

#define SETTLE_NS (10 * ONTB_NS_PER_S)
#define STUCK_NS  (2 * ONTB_NS_PER_S)
#define PAUSE_NS  200000L

/**
 * struct side - the threads of one host
 * @host:     Host.
 * @peer:     The other one.
 * @sender:   Thread; likewise @churner.
 * @churner:  .
 * @fired:    Messages sent to @peer. The sender's.
 * @done:     The senders of both are done; set for the churner.
 * @state:    Of the random numbers. The churner's.
 */
struct side {
	struct demo_host *host;
	struct demo_host *peer;
	pthread_t sender;
	pthread_t churner;
	uint64_t fired;
	_Atomic bool done;
	uint64_t state;
};

static unsigned int choose(struct side *side, unsigned int nr)
{
	return (unsigned int)ontb_random_below(&side->state, nr);
}

static void failed(struct demo_host *host, const char *what, unsigned int index, int err)
{
	atomic_fetch_add(&host->errors, 1);
	ontb_log(ONTB_LOG_WARNING, "host %s: interrupt %u: %s: %s", ontb_host_name(host->host), index, what,
		 ontb_strerror(err));
}

/* One message, unless the last one is still under way. Returns whether this interrupt has got it. */
static bool send_one(struct side *side, struct demo_cell *cell)
{
	uint32_t sent = atomic_load_explicit(&cell->sent, memory_order_relaxed);
	int ret;

	if (atomic_load(&cell->handled) != sent)
		return false;
	if (!ontb_ntb_irq_is_granted(side->host->irqs, 0, cell->index)) {
		side->host->refused++;
		return false;
	}
	atomic_store(&cell->sent_ns, ontb_clock_ns());
	atomic_store(&cell->sent, sent + 1);
	ret = ontb_ntb_irq_trigger(side->host->irqs, 0, cell->index);
	if (!ret) {
		side->fired++;
		return true;
	}
	/* Taken back in this very moment: nothing was sent. */
	atomic_store(&cell->sent, sent);
	side->host->refused++;
	if (ret != -ENOENT)
		failed(side->host, "cannot raise it at the peer", cell->index, ret);
	return false;
}

static void *send_all(void *arg)
{
	struct side *side = arg;
	const struct demo_options *options = &side->host->demo->options;
	uint64_t last_ns = ontb_clock_ns();
	bool is_moving = true;

	/* Those that have too few get one each, until all have enough or nothing has moved for a while. */
	while (is_moving) {
		uint64_t before = side->fired;
		bool has_enough = true;

		for (unsigned int i = 0; i < options->nr_irqs; i++) {
			struct demo_cell *cell = &side->peer->cells[i];

			if (atomic_load_explicit(&cell->sent, memory_order_relaxed) >= options->nr_rounds)
				continue;
			has_enough = false;
			(void)send_one(side, cell);
		}
		if (side->fired != before)
			last_ns = ontb_clock_ns();
		else
			(void)sched_yield();
		is_moving = !has_enough && ontb_clock_ns() - last_ns < STUCK_NS;
	}
	return NULL;
}

static void move_one(struct side *side, unsigned int index)
{
	struct demo_host *host = side->host;
	struct ontb_cpumask mask = ontb_cpumask_of(choose(side, host->demo->options.nr_cpus));
	int ret = ontb_irq_set_affinity(ontb_host_irqs(host->host), host->cells[index].virq, &mask);

	/* -EINVAL: that CPU is off line. */
	if (!ret)
		host->moves++;
	else if (ret != -EINVAL && ret != -ENOSPC)
		failed(host, "cannot be moved", index, ret);
}

static void regrant_one(struct side *side, unsigned int index)
{
	struct demo_host *host = side->host;
	int ret = ontb_ntb_irq_revoke(host->irqs, index, 0);

	if (!ret)
		ret = ontb_ntb_irq_settle(host->irqs, index, SETTLE_NS);
	if (!ret)
		ret = ontb_ntb_irq_grant(host->irqs, index, 0);
	if (ret)
		failed(host, "cannot be taken back and granted again", index, ret);
	else
		host->revokes++;
}

static void reuse_one(struct side *side, unsigned int index)
{
	struct demo_host *host = side->host;
	struct demo_cell *cell = &host->cells[index];
	int ret = ontb_ntb_irq_revoke(host->irqs, index, 0);

	if (!ret)
		ret = ontb_ntb_irq_settle(host->irqs, index, SETTLE_NS);
	if (!ret)
		ret = ontb_irq_free(ontb_host_irqs(host->host), cell->virq, cell);
	if (!ret)
		ret = ontb_ntb_irq_free(host->irqs, index);
	if (!ret) {
		cell->virq = 0;
		ret = ontb_ntb_irq_settle(host->irqs, index, SETTLE_NS);
	}
	if (!ret)
		ret = demo_alloc(host, index);
	if (ret)
		failed(host, "cannot be freed and used again", index, ret);
	else
		host->reuses++;
}

static void offline_one(struct side *side)
{
	struct demo_host *host = side->host;
	struct ontb_x86 *x86 = ontb_host_x86(host->host);
	unsigned int cpu = choose(side, host->demo->options.nr_cpus);
	int ret = ontb_x86_cpu_offline(x86, cpu, SETTLE_NS);

	/* -ENOSPC: the others have not enough vectors for all, which is an answer, not a fault. */
	if (ret == -ENOSPC || ret == -EBUSY)
		return;
	if (!ret)
		ret = ontb_x86_cpu_online(x86, cpu);
	if (ret)
		failed(host, "a CPU cannot go off line and back", cpu, ret);
	else
		host->offlines++;
}

static void *churn(void *arg)
{
	struct side *side = arg;
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	for (unsigned int n = 0; !atomic_load(&side->done); n++) {
		unsigned int index = choose(side, side->host->demo->options.nr_irqs);

		if (n % 64 == 63)
			offline_one(side);
		else if (n % 16 == 15)
			reuse_one(side, index);
		else if (n % 8 == 7)
			regrant_one(side, index);
		else
			move_one(side, index);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return NULL;
}

static int start(struct side *sides)
{
	unsigned int nr_senders = 0, nr_churners = 0;
	int ret = 0;

	for (; nr_senders < DEMO_NR_HOSTS && !ret; nr_senders += !ret)
		ret = -pthread_create(&sides[nr_senders].sender, NULL, send_all, &sides[nr_senders]);
	for (; nr_churners < DEMO_NR_HOSTS && !ret; nr_churners += !ret)
		ret = -pthread_create(&sides[nr_churners].churner, NULL, churn, &sides[nr_churners]);
	for (unsigned int i = 0; i < nr_senders; i++)
		(void)pthread_join(sides[i].sender, NULL);
	for (unsigned int i = 0; i < nr_churners; i++) {
		atomic_store(&sides[i].done, true);
		(void)pthread_join(sides[i].churner, NULL);
	}
	if (ret)
		ontb_tool_error("demo: cannot start a thread: %s", ontb_strerror(ret));
	return ret;
}

/* Each message has been seen by the handler of its interrupt, or it is lost. */
static void account(struct demo *demo)
{
	struct demo_totals *totals = &demo->totals;

	for (unsigned int h = 0; h < DEMO_NR_HOSTS; h++) {
		struct demo_host *host = &demo->hosts[h];

		for (unsigned int i = 0; i < demo->options.nr_irqs; i++) {
			if (demo_wait_handled(&host->cells[i]))
				totals->lost++;
		}
		totals->handled += atomic_load(&host->nr_samples);
		totals->misdirected += atomic_load(&host->misdirected);
	}
}

int demo_fire(struct demo *demo)
{
	uint64_t start_ns = ontb_clock_ns();
	struct side sides[DEMO_NR_HOSTS];
	int ret;

	/* Nothing is under way: each gets its rounds, whatever it got before. */
	for (unsigned int h = 0; h < DEMO_NR_HOSTS; h++) {
		for (unsigned int i = 0; i < demo->options.nr_irqs; i++) {
			atomic_store(&demo->hosts[h].cells[i].handled, 0);
			atomic_store(&demo->hosts[h].cells[i].sent, 0);
		}
	}
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		sides[i] = (struct side){
			.host = &demo->hosts[i],
			.peer = &demo->hosts[i ^ 1],
			.state = demo->options.seed ^ (uint64_t)i << 63,
		};
	ret = start(sides);
	if (ret)
		return ret;
	demo->totals.fire_ns = ontb_clock_ns() - start_ns;
	for (unsigned int i = 0; i < DEMO_NR_HOSTS; i++)
		demo->totals.fired += sides[i].fired;
	account(demo);
	return 0;
}
