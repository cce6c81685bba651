// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A host with two bridges, and a peer behind each: what one of them does, or suffers, is nothing to the other.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openntb/ntb_transport.h>

#include "base/log.h"
#include "pair_rig.h"

#define BARE                                                                                                           \
	"host a cpus=2 ram=16M\nhost b cpus=2 ram=16M\nhost c cpus=2 ram=16M\nbridge switchtec a b\nbridge switchtec " \
	"a c\n"
#define REMAPPED                                                                                                       \
	"host a cpus=2 ram=16M remap=on\nhost b cpus=2 ram=16M remap=on\nhost c cpus=2 ram=16M remap=on\n"             \
	"bridge switchtec a b\nbridge switchtec a c\n"

#define NR_HOSTS 3U
#define NR_IRQS	 16U

/**
 * struct trio - the middle host and its two peers
 * @fabric: Fabric.
 * @hosts:  Middle, first peer, second peer.
 * @middle: The middle host's ends of both bridges.
 * @peers:  The other ends.
 */
struct trio {
	struct ontb_fabric *fabric;
	struct ontb_host *hosts[NR_HOSTS];
	struct pair_host middle[2];
	struct pair_host peers[2];
};

static void boot(struct trio *trio, unsigned int h)
{
	const struct ontb_host_config config = { .machine = ontb_fabric_machine(trio->fabric, h),
						 .max_irqs = 10000,
						 .use_remapping = true };

	assert_int_equal(ontb_host_boot(&config, &trio->hosts[h]), 0);
	assert_int_equal(ontb_host_nr_ntbs(trio->hosts[h]), h ? 1 : 2);
}

static void make_end(struct trio *trio, struct pair_host *end, unsigned int h, unsigned int ntb)
{
	memset(end, 0, sizeof(*end));
	end->host = trio->hosts[h];
	end->ntb = ontb_host_ntb(end->host, ntb);
	pair_make_irqs_of(end, NR_IRQS, NULL);
}

static void open_trio(struct trio *trio, const char *topology)
{
	const struct ontb_fabric_config config = { .topology = topology, .seed = 1 };

	memset(trio, 0, sizeof(*trio));
	assert_int_equal(ontb_fabric_new(&config, NULL, 0, &trio->fabric), 0);
	for (unsigned int h = 0; h < NR_HOSTS; h++)
		boot(trio, h);
	for (unsigned int i = 0; i < 2; i++) {
		make_end(trio, &trio->middle[i], 0, i);
		make_end(trio, &trio->peers[i], 1 + i, 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		pair_alloc_range(&trio->middle[i], 0, NR_IRQS);
}

static void close_trio(struct trio *trio)
{
	for (unsigned int i = 0; i < 2; i++) {
		pair_assert_none_wrong(&trio->middle[i]);
		pair_assert_none_wrong(&trio->peers[i]);
		pair_free_irqs(&trio->middle[i]);
		pair_free_irqs(&trio->peers[i]);
	}
	for (unsigned int h = 0; h < NR_HOSTS; h++)
		ontb_host_shutdown(trio->hosts[h]);
	ontb_fabric_free(trio->fabric);
}

/**
 * struct worker - a thread that has to do with one peer
 * @trio:   All.
 * @peer:   Which peer.
 * @stop:   Set when it is enough.
 * @nr:     What it has done so far.
 * @thread: It.
 */
struct worker {
	struct trio *trio;
	unsigned int peer;
	_Atomic bool stop;
	_Atomic unsigned int nr;
	pthread_t thread;
};

static void start(struct worker *worker, struct trio *trio, unsigned int peer, void *(*run)(void *arg))
{
	*worker = (struct worker){ .trio = trio, .peer = peer };
	assert_int_equal(pthread_create(&worker->thread, NULL, run, worker), 0);
}

static void stop(struct worker *worker)
{
	atomic_store(&worker->stop, true);
	assert_int_equal(pthread_join(worker->thread, NULL), 0);
}

/* Each interrupt of the middle host in turn: raised, and waited for. */
static void *exchange(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load(&worker->stop)) {
		pair_exchange(&worker->trio->peers[worker->peer], &worker->trio->middle[worker->peer], 1, NR_IRQS - 1);
		atomic_fetch_add(&worker->nr, 1);
	}
	return NULL;
}

/* The first one again and again; what does not go through is not counted. */
static void *flood(void *arg)
{
	struct worker *worker = arg;
	struct pair_cell *cell = &worker->trio->middle[worker->peer].cells[0];

	while (!atomic_load(&worker->stop)) {
		atomic_fetch_add(&cell->sent, 1);
		if (!ontb_ntb_irq_trigger(worker->trio->peers[worker->peer].irqs, 0, 0))
			atomic_fetch_add(&worker->nr, 1);
	}
	return NULL;
}

/* Of a flood only the last message counts: the handler saw many at once, and messages came while it ran. */
static void end_flood(struct worker *worker)
{
	stop(worker);
	atomic_store(&worker->trio->middle[worker->peer].cells[0].wrong, 0);
}

/**
 * struct progress - a count that is to reach a value
 * @nr:     Count.
 * @target: Value.
 */
struct progress {
	_Atomic unsigned int *nr;
	unsigned int target;
};

static bool has_reached(void *arg)
{
	struct progress *progress = arg;

	return atomic_load(progress->nr) >= progress->target;
}

/* The worker goes on: it does @nr more. */
static void wait_progress(struct worker *worker, unsigned int nr)
{
	struct progress progress = { .nr = &worker->nr, .target = atomic_load(&worker->nr) + nr };

	pair_wait(has_reached, &progress);
}

static void check_both(const char *topology)
{
	struct worker workers[2];
	struct trio trio;

	open_trio(&trio, topology);
	for (unsigned int i = 0; i < 2; i++)
		pair_alloc_range(&trio.peers[i], 0, NR_IRQS);
	/* One index, two bridges, two domains: two interrupts. */
	for (unsigned int i = 0; i < NR_IRQS; i++)
		assert_int_not_equal(trio.middle[0].cells[i].virq, trio.middle[1].cells[i].virq);
	for (unsigned int i = 0; i < 2; i++)
		start(&workers[i], &trio, i, exchange);
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < 2; i++)
			pair_exchange(&trio.middle[i], &trio.peers[i], 0, NR_IRQS);
	}
	for (unsigned int i = 0; i < 2; i++) {
		wait_progress(&workers[i], 1);
		stop(&workers[i]);
	}
	close_trio(&trio);
}

static void interrupts_come_from_both_peers_on_bare_vectors(void **state)
{
	(void)state;
	check_both(BARE);
}

static void interrupts_come_from_both_peers_with_remapping(void **state)
{
	(void)state;
	check_both(REMAPPED);
}

static bool is_lost(void *arg)
{
	struct pair_host *end = arg;
	struct ontb_ntb_irqs_status status;

	ontb_ntb_irqs_status(end->irqs, &status);
	return !status.window_size && !status.nr_granted;
}

/* The first peer's host boots again: it had lost its function, and has it back. */
static void boot_again(struct trio *trio)
{
	assert_int_equal(ontb_pci_reset_restore(ontb_pci_dev_at(ontb_host_pci(trio->hosts[1]), 0)), 0);
	pair_free_irqs(&trio->peers[0]);
	ontb_host_shutdown(trio->hosts[1]);
	boot(trio, 1);
	make_end(trio, &trio->peers[0], 1, 0);
}

static void check_death(const char *topology)
{
	struct pair_host *middle;
	struct worker other, victim;
	struct trio trio;

	open_trio(&trio, topology);
	middle = &trio.middle[0];
	start(&other, &trio, 1, exchange);
	for (unsigned int round = 0; round < 3; round++) {
		/* In the midst of it. */
		start(&victim, &trio, 0, flood);
		wait_progress(&victim, 100);
		assert_int_equal(ontb_fabric_unplug(trio.fabric, 0, 1), 0);
		pair_wait(is_lost, middle);
		end_flood(&victim);
		assert_int_equal(ontb_ntb_irq_grant(middle->irqs, 1, 0), -ENOLINK);
		wait_progress(&other, 2);
		assert_int_equal(ontb_fabric_replug(trio.fabric, 0, 1), 0);
		boot_again(&trio);
		/* What it had is free for it, and for anybody. */
		assert_int_equal(ontb_ntb_irq_settle(middle->irqs, ONTB_MSI_ANY_INDEX, PAIR_DEADLINE_NS), 0);
		for (unsigned int i = 0; i < NR_IRQS; i++)
			pair_grant(middle, i);
		pair_exchange(&trio.peers[0], middle, 1, NR_IRQS - 1);
		wait_progress(&other, 2);
	}
	stop(&other);
	close_trio(&trio);
}

static void peer_that_dies_costs_the_other_nothing_on_bare_vectors(void **state)
{
	(void)state;
	check_death(BARE);
}

static void peer_that_dies_costs_the_other_nothing_with_remapping(void **state)
{
	(void)state;
	check_death(REMAPPED);
}

/* Whatever the host does with the other peer goes on: messages, new grants, moves; and the flood can be ended. */
static void check_flood(const char *topology)
{
	struct worker flooder;
	struct pair_cell *cell;
	struct trio trio;

	open_trio(&trio, topology);
	cell = &trio.middle[0].cells[0];
	start(&flooder, &trio, 0, flood);
	wait_progress(&flooder, 1000);
	for (unsigned int round = 0; round < 20; round++) {
		const struct ontb_cpumask mask = ontb_cpumask_of(round % 2);
		struct pair_cell *moved = &trio.middle[1].cells[round % NR_IRQS];

		pair_exchange(&trio.peers[1], &trio.middle[1], 0, NR_IRQS);
		assert_int_equal(ontb_irq_set_affinity(ontb_host_irqs(trio.hosts[0]), moved->virq, &mask), 0);
		assert_int_equal(ontb_irq_move_wait(ontb_host_irqs(trio.hosts[0]), moved->virq, PAIR_DEADLINE_NS), 0);
		pair_free(&trio.middle[1], NR_IRQS - 1);
		assert_int_equal(pair_alloc(&trio.middle[1], NR_IRQS - 1), 0);
		pair_grant(&trio.middle[1], NR_IRQS - 1);
	}
	assert_true(atomic_load(&cell->handled) > 0);
	/* The flood itself moves, and ends when it is taken back. */
	for (unsigned int round = 0; round < 10; round++) {
		const struct ontb_cpumask mask = ontb_cpumask_of(round % 2);

		assert_int_equal(ontb_irq_set_affinity(ontb_host_irqs(trio.hosts[0]), cell->virq, &mask), 0);
		assert_int_equal(ontb_irq_move_wait(ontb_host_irqs(trio.hosts[0]), cell->virq, PAIR_DEADLINE_NS), 0);
	}
	pair_free(&trio.middle[0], 0);
	assert_int_equal(ontb_ntb_irq_trigger(trio.peers[0].irqs, 0, 0), -ENOENT);
	end_flood(&flooder);
	pair_exchange(&trio.peers[0], &trio.middle[0], 1, NR_IRQS - 1);
	close_trio(&trio);
}

static void peer_that_floods_costs_only_itself_on_bare_vectors(void **state)
{
	(void)state;
	check_flood(BARE);
}

static void peer_that_floods_costs_only_itself_with_remapping(void **state)
{
	(void)state;
	check_flood(REMAPPED);
}

/* Lines that say that something is kept for ever. */
static _Atomic unsigned int nr_kept;

static void look_at_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	if (strstr(line, "not freed") || strstr(line, "not used again") || strstr(line, "they leak") ||
	    strstr(line, "never given back"))
		atomic_fetch_add(&nr_kept, 1);
}

/* The function does not come back, and nobody can close the windows that it had: with it they are gone. */
static void host_whose_function_is_gone_for_good_can_be_shut_down(void **state)
{
	struct ontb_ntb_transport_config config = { .nr_qps = 2, .ring_size = 4096 };
	struct ontb_ntb_transport *transport;
	struct trio trio;

	(void)state;
	open_trio(&trio, BARE);
	pair_alloc_range(&trio.peers[0], 0, NR_IRQS);
	config.ntb = trio.peers[0].ntb;
	assert_int_equal(ontb_ntb_transport_new(&config, &transport), 0);
	atomic_store(&nr_kept, 0);
	assert_int_equal(ontb_fabric_unplug(trio.fabric, 0, 1), 0);
	pair_wait(is_lost, &trio.middle[0]);
	ontb_ntb_transport_free(transport);
	pair_free_irqs(&trio.peers[0]);
	ontb_host_shutdown(trio.hosts[1]);
	trio.hosts[1] = NULL;
	assert_int_equal(atomic_load(&nr_kept), 0);
	pair_exchange(&trio.peers[1], &trio.middle[1], 0, NR_IRQS);
	close_trio(&trio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_come_from_both_peers_on_bare_vectors),
		cmocka_unit_test(interrupts_come_from_both_peers_with_remapping),
		cmocka_unit_test(peer_that_dies_costs_the_other_nothing_on_bare_vectors),
		cmocka_unit_test(peer_that_dies_costs_the_other_nothing_with_remapping),
		cmocka_unit_test(peer_that_floods_costs_only_itself_on_bare_vectors),
		cmocka_unit_test(peer_that_floods_costs_only_itself_with_remapping),
		cmocka_unit_test(host_whose_function_is_gone_for_good_can_be_shut_down),
	};

	ontb_log_set_sink(look_at_line, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
