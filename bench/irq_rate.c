// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts per second that a host with two CPUs takes from 1, 2 or 8 peers. Messages that find their vector pending merge, so a
 * peer raises an interrupt again only after its handler has run: every message counted was handled by a run of its own.
 *
 * The floor does the same over flags in shared memory: as many senders, two receivers that call a function through a pointer.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/annotate.h"
#include "base/clock.h"
#include "irq_cases.h"
#include "irq_hosts.h"

#define NR_IRQS 32U
#define NR_CPUS 2U
#define SPAN_NS (100 * ONTB_NS_PER_MS)

/**
 * struct flag - an interrupt of a peer
 * @is_raised:  It was raised and no handler has run. Atomic.
 * @nr_handled: Runs of the handler; its CPU's.
 */
struct flag {
	_Alignas(64) _Atomic bool is_raised;
	_Atomic uint64_t nr_handled;
};

struct rate;

/**
 * struct sender - a peer
 * @rate:   All.
 * @number: Which.
 * @flags:  Its interrupts.
 * @thread: Raises them.
 */
struct sender {
	struct rate *rate;
	unsigned int number;
	struct flag flags[NR_IRQS];
	pthread_t thread;
};

/**
 * struct rate - a host and its peers
 * @hosts:    Hosts, NULL for the floor.
 * @nr_peers: Peers.
 * @senders:  Them.
 * @stop:     Atomic.
 */
struct rate {
	struct hosts *hosts;
	unsigned int nr_peers;
	struct sender senders[HOSTS_MAX_PEERS];
	_Atomic bool stop;
};

static void handled(struct flag *flag)
{
	atomic_store_explicit(&flag->nr_handled, atomic_load_explicit(&flag->nr_handled, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	atomic_store_explicit(&flag->is_raised, false, memory_order_release);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	handled(dev);
	return ONTB_IRQ_HANDLED;
}

static void *send(void *arg)
{
	struct sender *sender = arg;
	struct rate *rate = sender->rate;

	while (!atomic_load_explicit(&rate->stop, memory_order_relaxed)) {
		unsigned int nr = 0;

		for (unsigned int i = 0; i < NR_IRQS; i++) {
			struct flag *flag = &sender->flags[i];

			if (atomic_load_explicit(&flag->is_raised, memory_order_acquire))
				continue;
			nr++;
			atomic_store_explicit(&flag->is_raised, true, memory_order_release);
			if (rate->hosts)
				(void)ontb_ntb_irq_trigger(rate->hosts->peers[sender->number].irqs, 0, i);
		}
		if (!nr)
			(void)sched_yield();
	}
	return NULL;
}

static uint64_t count_handled(const struct rate *rate)
{
	uint64_t sum = 0;

	for (unsigned int p = 0; p < rate->nr_peers; p++) {
		for (unsigned int i = 0; i < NR_IRQS; i++)
			sum += atomic_load_explicit(&rate->senders[p].flags[i].nr_handled, memory_order_relaxed);
	}
	return sum;
}

/* Millions per second. */
static double run(struct rate *rate)
{
	const struct timespec span = { .tv_nsec = SPAN_NS };
	uint64_t before = count_handled(rate), start = ontb_clock_ns(), nr;
	unsigned int nr_started = 0;

	atomic_store(&rate->stop, false);
	for (; nr_started < rate->nr_peers; nr_started++) {
		struct sender *sender = &rate->senders[nr_started];

		sender->rate = rate;
		sender->number = nr_started;
		if (pthread_create(&sender->thread, NULL, send, sender))
			break;
	}
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
	nr = count_handled(rate) - before;
	start = ontb_clock_ns() - start;
	atomic_store(&rate->stop, true);
	for (unsigned int i = 0; i < nr_started; i++)
		(void)pthread_join(rate->senders[i].thread, NULL);
	return nr_started == rate->nr_peers ? (double)nr * 1e3 / (double)start : -1;
}

static double rate_hosts(void *ctx)
{
	return run(ctx);
}

static void (*volatile handled_fn)(struct flag *flag) = handled;

/**
 * struct receiver - a receiver of the floor
 * @rate:   All.
 * @number: Which.
 * @thread: Looks at its half of the flags.
 */
struct receiver {
	struct rate *rate;
	unsigned int number;
	pthread_t thread;
};

static unsigned int look(struct receiver *receiver, struct sender *sender)
{
	unsigned int nr = 0;

	for (unsigned int i = receiver->number; i < NR_IRQS; i += NR_CPUS) {
		if (!atomic_load_explicit(&sender->flags[i].is_raised, memory_order_acquire))
			continue;
		handled_fn(&sender->flags[i]);
		nr++;
	}
	return nr;
}

static void *receive(void *arg)
{
	struct receiver *receiver = arg;
	struct rate *rate = receiver->rate;

	/* Until the senders have been told to stop, which is after the time was taken. */
	while (!atomic_load_explicit(&rate->stop, memory_order_relaxed)) {
		unsigned int nr = 0;

		for (unsigned int p = 0; p < rate->nr_peers; p++)
			nr += look(receiver, &rate->senders[p]);
		if (!nr)
			(void)sched_yield();
	}
	return NULL;
}

static double rate_floor(void *ctx)
{
	const struct rate *measured = ctx;
	struct rate *rate = aligned_alloc(_Alignof(struct rate), sizeof(*rate));
	struct receiver receivers[NR_CPUS];
	unsigned int nr_started = 0;
	double result = -1;

	if (!rate)
		return -1;
	*rate = (struct rate){ .nr_peers = measured->nr_peers };
	for (; nr_started < NR_CPUS; nr_started++) {
		receivers[nr_started] = (struct receiver){ .rate = rate, .number = nr_started };
		if (pthread_create(&receivers[nr_started].thread, NULL, receive, &receivers[nr_started]))
			break;
	}
	if (nr_started == NR_CPUS)
		result = run(rate);
	atomic_store(&rate->stop, true);
	for (unsigned int i = 0; i < nr_started; i++)
		(void)pthread_join(receivers[i].thread, NULL);
	free(rate);
	return result;
}

static void close_rate(void *ctx)
{
	struct rate *rate = ctx;

	hosts_close(rate->hosts);
	free(rate);
}

static int open_rate(unsigned int nr_peers, void **ctx)
{
	const struct hosts_config config = { .nr_peers = nr_peers, .nr_cpus = NR_CPUS, .cores = { -1, -1 } };
	struct rate *rate = aligned_alloc(_Alignof(struct rate), sizeof(*rate));
	int ret;

	if (!rate)
		return -ENOMEM;
	*rate = (struct rate){ .nr_peers = nr_peers };
	ret = hosts_open(&config, &rate->hosts);
	for (unsigned int p = 0; p < nr_peers && !ret; p++) {
		for (unsigned int i = 0; i < NR_IRQS && !ret; i++)
			ret = hosts_grant(rate->hosts, 0, p, i, i % NR_CPUS, handle, &rate->senders[p].flags[i]);
	}
	if (ret) {
		close_rate(rate);
		return ret;
	}
	*ctx = rate;
	return 0;
}

#define RATE .unit = "M/s", .open = open_rate, .measure = rate_hosts, .floor = rate_floor, .close = close_rate

static const struct irq_case cases[] = {
	{ .name = "interrupts per second, 1 peer", .arg = 1, RATE },
	{ .name = "interrupts per second, 2 peers", .arg = 2, RATE },
	{ .name = "interrupts per second, 8 peers", .arg = 8, RATE },
};

const struct irq_cases irq_rate_cases = { cases, ONTB_ARRAY_SIZE(cases) };
