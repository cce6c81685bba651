// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * From a trigger to the handler in another thread. Handlers of two hosts trigger each other's interrupt; half of the way there
 * and back counts. Floors are two threads that do nothing but hand a word to each other in the same way.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/clock.h"
#include "blocks.h"
#include "irq_cases.h"
#include "irq_hosts.h"

#define NR_BLOCKS   500U
#define NR_SPINNING 64U /* round trips of a block */
#define NR_SLEEPING 8U

/* Kinds. */
#define SPINNING       0U
#define SLEEPING       1U
#define SLEEPING_ALONE 2U /* all on one core */

/**
 * struct pong - two hosts that trigger each other
 * @hosts: Hosts.
 * @kind:  Kind.
 * @per_block: Round trips of a block.
 * @left:  Round trips left. Host 0's CPU.
 * @blocks: Likewise.
 * @sent_ns: When the last one began. Host 0's CPU.
 * @done:  Posted at the end.
 * @stop:  For spinning threads. Atomic.
 */
struct pong {
	struct hosts *hosts;
	unsigned int kind;
	unsigned int per_block;
	unsigned int left;
	struct blocks blocks;
	uint64_t sent_ns;
	sem_t done;
	_Atomic bool stop;
};

/* Half a round trip, to the histogram if there is one. */
static void note(uint64_t *sent_ns)
{
	uint64_t now;

	if (!bench_histogram)
		return;
	now = ontb_clock_ns();
	histogram_add(bench_histogram, (now - *sent_ns) / 2);
	*sent_ns = now;
}

static enum ontb_irq_return handle_own(unsigned int virq, void *dev)
{
	struct pong *pong = dev;

	(void)virq;
	note(&pong->sent_ns);
	if (pong->left % pong->per_block == 0)
		blocks_end(&pong->blocks);
	if (--pong->left)
		(void)ontb_ntb_irq_trigger(pong->hosts->own[0].irqs, 0, 0);
	else
		(void)sem_post(&pong->done);
	return ONTB_IRQ_HANDLED;
}

static enum ontb_irq_return handle_peer(unsigned int virq, void *dev)
{
	struct pong *pong = dev;

	(void)virq;
	(void)ontb_ntb_irq_trigger(pong->hosts->peers[0].irqs, 0, 0);
	return ONTB_IRQ_HANDLED;
}

static void close_pong(void *ctx)
{
	struct pong *pong = ctx;

	hosts_close(pong->hosts);
	(void)sem_destroy(&pong->done);
	free(pong);
}

static int open_pong(unsigned int kind, void **ctx)
{
	const struct hosts_config config = {
		.nr_peers = 1,
		.nr_cpus = 1,
		.is_stepped = kind == SPINNING,
		.cores = { 0, kind == SLEEPING_ALONE ? 0 : 1 },
	};
	struct pong *pong = calloc(1, sizeof(*pong));
	int ret;

	if (!pong)
		return -ENOMEM;
	pong->kind = kind;
	(void)sem_init(&pong->done, 0, 0);
	ret = hosts_open(&config, &pong->hosts);
	if (!ret)
		ret = hosts_grant(pong->hosts, 0, 0, 0, 0, handle_own, pong);
	if (!ret)
		ret = hosts_grant(pong->hosts, 1, 0, 0, 0, handle_peer, pong);
	if (ret) {
		close_pong(pong);
		return ret;
	}
	*ctx = pong;
	return 0;
}

static void wait_done(sem_t *done)
{
	while (sem_wait(done) && errno == EINTR)
		;
}

/* Half a round trip. */
static double run_pong(struct pong *pong, unsigned int per_block)
{
	pong->per_block = per_block;
	pong->left = NR_BLOCKS * per_block;
	blocks_start(&pong->blocks);
	pong->sent_ns = pong->blocks.last_ns;
	(void)ontb_ntb_irq_trigger(pong->hosts->own[0].irqs, 0, 0);
	wait_done(&pong->done);
	return blocks_median(&pong->blocks) / (2.0 * per_block);
}

/* A CPU that never sleeps. */
static void spin(struct pong *pong, unsigned int host)
{
	struct ontb_cpu *cpu = hosts_cpu(pong->hosts, host, 0);

	while (!atomic_load_explicit(&pong->stop, memory_order_relaxed)) {
		if (ontb_cpu_has_work(cpu))
			(void)ontb_cpu_step(cpu);
	}
}

static void *spin_own(void *arg)
{
	bench_pin(0);
	spin(arg, 0);
	return NULL;
}

static void *spin_peer(void *arg)
{
	bench_pin(1);
	spin(arg, 1);
	return NULL;
}

static double pong_spinning(void *ctx)
{
	struct pong *pong = ctx;
	pthread_t threads[2];
	double ns;

	atomic_store(&pong->stop, false);
	if (pthread_create(&threads[0], NULL, spin_own, pong))
		return -1;
	if (pthread_create(&threads[1], NULL, spin_peer, pong)) {
		atomic_store(&pong->stop, true);
		(void)pthread_join(threads[0], NULL);
		return -1;
	}
	ns = run_pong(pong, NR_SPINNING);
	atomic_store(&pong->stop, true);
	for (unsigned int i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	return ns;
}

static double pong_sleeping(void *ctx)
{
	return run_pong(ctx, NR_SLEEPING);
}

/**
 * struct word - what two threads hand to each other
 * @to:       Whose turn it is, by thread; each on a line of its own, as local APICs are.
 * @nr:       Round trips.
 * @is_asleep: They sleep while they wait.
 * @is_alone: Both on one core.
 */
struct word {
	struct {
		_Alignas(64) _Atomic uint32_t turn;
	} to[2];
	unsigned int nr;
	bool is_asleep;
	bool is_alone;
};

static void wait_turn(struct word *word, unsigned int me)
{
	_Atomic uint32_t *turn = &word->to[me].turn;

	while (!atomic_load_explicit(turn, memory_order_acquire)) {
		if (word->is_asleep)
			(void)syscall(SYS_futex, turn, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	}
	atomic_store_explicit(turn, 0, memory_order_relaxed);
}

static void give_turn(struct word *word, unsigned int other)
{
	_Atomic uint32_t *turn = &word->to[other].turn;

	atomic_store_explicit(turn, 1, memory_order_release);
	if (word->is_asleep)
		(void)syscall(SYS_futex, turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *answer(void *arg)
{
	struct word *word = arg;

	bench_pin(word->is_alone ? 0 : 1);
	for (unsigned int i = 0; i < word->nr; i++) {
		wait_turn(word, 1);
		give_turn(word, 0);
	}
	return NULL;
}

static double word_floor(bool is_asleep, bool is_alone, unsigned int per_block)
{
	struct word word = { .nr = NR_BLOCKS * per_block, .is_asleep = is_asleep, .is_alone = is_alone };
	struct blocks blocks;
	pthread_t thread;
	uint64_t sent_ns;

	if (pthread_create(&thread, NULL, answer, &word))
		return -1;
	bench_pin(0);
	blocks_start(&blocks);
	sent_ns = blocks.last_ns;
	for (unsigned int i = word.nr; i > 0; i--) {
		give_turn(&word, 1);
		wait_turn(&word, 0);
		note(&sent_ns);
		if (i % per_block == 0)
			blocks_end(&blocks);
	}
	bench_pin(-1);
	(void)pthread_join(thread, NULL);
	return blocks_median(&blocks) / (2.0 * per_block);
}

static double spinning_floor(void *ctx)
{
	(void)ctx;
	return word_floor(false, false, NR_SPINNING);
}

static double sleeping_floor(void *ctx)
{
	const struct pong *pong = ctx;

	return word_floor(true, pong->kind == SLEEPING_ALONE, NR_SLEEPING);
}

#define PONG .unit = "ns", .open = open_pong, .close = close_pong, .has_latency = true

static const struct irq_case cases[] = {
	{ .name = "trigger to handler, two threads spinning",
	  .arg = SPINNING,
	  .measure = pong_spinning,
	  .floor = spinning_floor,
	  .target = { REPORT_RATIO, 1.25 },
	  PONG },
	{ .name = "trigger to handler, CPU asleep, two cores",
	  .arg = SLEEPING,
	  .measure = pong_sleeping,
	  .floor = sleeping_floor,
	  .target = { REPORT_RATIO, 1.1 },
	  PONG },
	{ .name = "trigger to handler, CPU asleep, one core",
	  .arg = SLEEPING_ALONE,
	  .measure = pong_sleeping,
	  .floor = sleeping_floor,
	  .target = { REPORT_RATIO, 1.1 },
	  PONG },
};

const struct irq_cases irq_thread_cases = { cases, ONTB_ARRAY_SIZE(cases) };
