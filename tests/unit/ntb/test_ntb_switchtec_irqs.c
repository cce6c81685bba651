// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts that a peer raises, over the Switchtec driver and everything below it: with remapping, with bare vectors, and with
 * bare vectors behind the guard; over every channel that the part has.
 */
#include "switchtec_rig.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include <openntb/ntb_irq.h>

#include "base/annotate.h"
#include "base/clock.h"

#define NR_IRQS	  40U
#define NR_ROUNDS 3U

/* With remapping the messages of 40 interrupts fit into one entry of the table, without they name CPUs. */
static const struct {
	const char *topology;
	bool trust_peers;
	bool use_guard;
} setups[] = {
	{ "host a ram=8M remap=on; host b ram=8M remap=on; bridge switchtec a b vectors=4", false, false },
	{ SW_TWO, true, false },
	{ SW_TWO, false, true },
	{ "host a ram=8M remap=on; host b ram=8M; bridge switchtec a b vectors=4", false, true },
};

static const enum ontb_ntb_channel channels[] = { ONTB_NTB_CHANNEL_AUTO, ONTB_NTB_CHANNEL_PAGE, ONTB_NTB_CHANNEL_SPADS,
						  ONTB_NTB_CHANNEL_MSGS };

/**
 * struct end - a host with interrupts
 * @irqs:       Its interrupts.
 * @maps:       Own ones.
 * @nr_handled: Of each, how often it ran.
 */
struct end {
	struct ontb_ntb_irqs *irqs;
	struct ontb_msi_map maps[NR_IRQS];
	_Atomic unsigned int nr_handled[NR_IRQS];
};

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	atomic_fetch_add((_Atomic unsigned int *)dev, 1);
	return ONTB_IRQ_HANDLED;
}

static void make_irqs(struct sw_rig *rig, unsigned int h, struct end *end)
{
	for (unsigned int i = 0; i < NR_IRQS; i++) {
		const struct ontb_irq_request request = { .handler = handle,
							  .dev = &end->nr_handled[i],
							  .name = "peer" };

		assert_int_equal(ontb_ntb_irq_alloc(end->irqs, i, NULL, &end->maps[i]), 0);
		assert_int_equal(ontb_irq_request(rig->hosts[h].irqs, end->maps[i].virq, &request), 0);
	}
}

static void free_irqs(struct sw_rig *rig, unsigned int h, struct end *end)
{
	for (unsigned int i = 0; i < NR_IRQS; i++) {
		assert_int_equal(ontb_irq_free(rig->hosts[h].irqs, end->maps[i].virq, &end->nr_handled[i]), 0);
		assert_int_equal(ontb_ntb_irq_free(end->irqs, i), 0);
	}
}

static void run(unsigned int setup, enum ontb_ntb_channel channel, int window)
{
	struct ontb_ntb_irqs_config config;
	struct end ends[2] = { 0 };
	struct sw_rig rig;

	sw_open(&rig, setups[setup].topology, true);
	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = NR_IRQS;
	config.channel = channel;
	config.window = window;
	config.trust_peers = setups[setup].trust_peers;
	config.use_guard = setups[setup].use_guard;
	config.ack_timeout_ns = 0;
	for (unsigned int h = 0; h < 2; h++) {
		assert_int_equal(ontb_ntb_set_client(rig.hosts[h].ntb, NULL, NULL), 0);
		assert_int_equal(ontb_ntb_irqs_new(rig.hosts[h].ntb, &config, &ends[h].irqs), 0);
		make_irqs(&rig, h, &ends[h]);
	}
	sw_settle(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		for (unsigned int i = 0; i < NR_IRQS; i++)
			assert_int_equal(ontb_ntb_irq_grant(ends[h].irqs, i, 0), 0);
	}
	sw_settle(&rig);
	for (unsigned int round = 1; round <= NR_ROUNDS; round++) {
		for (unsigned int h = 0; h < 2; h++) {
			for (unsigned int i = 0; i < NR_IRQS; i++) {
				assert_int_equal(ontb_ntb_irq_trigger(ends[h ^ 1].irqs, 0, i), 0);
				sw_settle(&rig);
				assert_int_equal(ends[h].nr_handled[i], round);
			}
		}
		/* Each goes to the other CPU, and the peer follows. */
		for (unsigned int i = 0; i < NR_IRQS; i++) {
			const struct ontb_cpumask mask = ontb_cpumask_of(round % 2);

			assert_int_equal(ontb_irq_set_affinity(rig.hosts[0].irqs, ends[0].maps[i].virq, &mask), 0);
		}
		sw_settle(&rig);
	}
	for (unsigned int h = 0; h < 2; h++)
		free_irqs(&rig, h, &ends[h]);
	sw_settle(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		assert_int_equal(ontb_ntb_irq_trigger(ends[h].irqs, 0, 0), -ENOENT);
		ontb_ntb_irqs_free(ends[h].irqs);
	}
	sw_close(&rig);
}

static void every_interrupt_reaches_its_handler_over_every_channel(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < ONTB_ARRAY_SIZE(setups); s++) {
		for (unsigned int c = 0; c < ONTB_ARRAY_SIZE(channels); c++)
			run(s, channels[c], 1);
	}
}

static void windows_of_the_table_will_do_too(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < ONTB_ARRAY_SIZE(setups); s++)
		run(s, ONTB_NTB_CHANNEL_AUTO, -1);
}

/* 64 KiB are the messages of 2048 entries of a remapping table, or those of 16 CPUs: with more the last window will not do. */
static void a_window_that_is_large_enough_is_found(void **state)
{
	static const struct {
		const char *topology;
		unsigned int nr_irqs;
		uint64_t window_size;
	} cases[] = {
		{ "host a ram=8M remap=on; host b ram=8M remap=on; bridge switchtec a b", 2048, 0x10000 },
		{ "host a ram=8M remap=on; host b ram=8M remap=on; bridge switchtec a b", 4096, 0x20000 },
		{ "host a ram=8M cpus=16; host b ram=8M cpus=16; bridge switchtec a b", 10, 0x10000 },
		{ "host a ram=8M cpus=24; host b ram=8M cpus=24; bridge switchtec a b", 10, 0x20000 },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(cases); i++) {
		struct ontb_ntb_irqs_config config;
		struct ontb_ntb_irqs_status status;
		struct ontb_ntb_irqs *irqs[2];
		struct sw_rig rig;

		sw_open(&rig, cases[i].topology, true);
		ontb_ntb_irqs_config_init(&config);
		config.nr_irqs = cases[i].nr_irqs;
		config.trust_peers = true;
		config.ack_timeout_ns = 0;
		for (unsigned int h = 0; h < 2; h++) {
			assert_int_equal(ontb_ntb_set_client(rig.hosts[h].ntb, NULL, NULL), 0);
			assert_int_equal(ontb_ntb_irqs_new(rig.hosts[h].ntb, &config, &irqs[h]), 0);
		}
		sw_settle(&rig);
		for (unsigned int h = 0; h < 2; h++) {
			ontb_ntb_irqs_status(irqs[h], &status);
			assert_int_equal(status.window_size, cases[i].window_size);
			ontb_ntb_irqs_free(irqs[h]);
		}
		sw_close(&rig);
	}
}

static void the_guard_stops_what_was_not_granted(void **state)
{
	struct ontb_ntb_irqs_config config;
	struct ontb_fabric_host_status before, after;
	struct ontb_port_status port;
	struct end ends[2] = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, true);
	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = NR_IRQS;
	config.window = 1;
	config.use_guard = true;
	config.ack_timeout_ns = 0;
	for (unsigned int h = 0; h < 2; h++) {
		assert_int_equal(ontb_ntb_set_client(rig.hosts[h].ntb, NULL, NULL), 0);
		assert_int_equal(ontb_ntb_irqs_new(rig.hosts[h].ntb, &config, &ends[h].irqs), 0);
	}
	make_irqs(&rig, 0, &ends[0]);
	sw_settle(&rig);
	for (unsigned int i = 0; i < NR_IRQS; i++)
		assert_int_equal(ontb_ntb_irq_grant(ends[0].irqs, i, 0), 0);
	sw_settle(&rig);
	assert_int_equal(ontb_fabric_host_status(rig.fabric, 0, &before), 0);
	/* The peer goes through all vectors of both CPUs. */
	sw_log_start();
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		for (uint32_t vector = 0; vector < 256; vector++)
			ontb_ntb_ops(rig.hosts[1].ntb)->peer_write32(rig.hosts[1].ntb, 0, 1, cpu << 12, vector);
	}
	sw_settle(&rig);
	sw_log_stop();
	assert_int_equal(ontb_fabric_host_status(rig.fabric, 0, &after), 0);
	assert_int_equal(after.messages - before.messages, NR_IRQS);
	for (unsigned int i = 0; i < NR_IRQS; i++)
		assert_int_equal(ends[0].nr_handled[i], 1);
	assert_int_equal(ontb_bridge_port_status(ontb_fabric_bridge(rig.fabric, 0), 0, &port), 0);
	assert_int_equal(port.blocked, 2 * 256 - NR_IRQS);
	free_irqs(&rig, 0, &ends[0]);
	sw_settle(&rig);
	for (unsigned int h = 0; h < 2; h++)
		ontb_ntb_irqs_free(ends[h].irqs);
	sw_close(&rig);
}

/* Threads */

struct mover {
	struct sw_rig *rig;
	struct end *end;
	_Atomic bool stop;
};

/* Moves all interrupts of host a from one CPU to the other and back. */
static void *move_all_the_time(void *arg)
{
	struct mover *mover = arg;

	for (unsigned int i = 0; !atomic_load(&mover->stop); i++) {
		const struct ontb_cpumask mask = ontb_cpumask_of(i / NR_IRQS % 2);

		(void)ontb_irq_set_affinity(mover->rig->hosts[0].irqs, mover->end->maps[i % NR_IRQS].virq, &mask);
		if (i % NR_IRQS == 0)
			(void)sched_yield();
	}
	return NULL;
}

static bool comes_within(const _Atomic unsigned int *number, unsigned int least)
{
	uint64_t end = ontb_clock_ns() + 20 * ONTB_NS_PER_S;

	while (atomic_load(number) < least) {
		if (ontb_clock_ns() > end)
			return false;
		(void)sched_yield();
	}
	return true;
}

static void fire(struct ontb_ntb_irqs *irqs, struct end *owner, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds * NR_IRQS; i++) {
		_Atomic unsigned int *count = &owner->nr_handled[i % NR_IRQS];
		unsigned int before = atomic_load(count);

		assert_int_equal(ontb_ntb_irq_trigger(irqs, 0, i % NR_IRQS), 0);
		if (!comes_within(count, before + 1))
			fail_msg("interrupt %u was lost in round %u", i % NR_IRQS, i / NR_IRQS);
	}
}

static void none_is_lost_while_all_move(void **state)
{
	struct ontb_ntb_irqs_config config;

	(void)state;
	for (unsigned int s = 0; s < ONTB_ARRAY_SIZE(setups); s++) {
		struct end ends[2] = { 0 };
		struct mover mover = { .end = &ends[0] };
		pthread_t thread;
		struct sw_rig rig;

		sw_open(&rig, setups[s].topology, false);
		ontb_ntb_irqs_config_init(&config);
		config.nr_irqs = NR_IRQS;
		config.window = 1;
		config.trust_peers = setups[s].trust_peers;
		config.use_guard = setups[s].use_guard;
		for (unsigned int h = 0; h < 2; h++) {
			assert_int_equal(ontb_ntb_set_client(rig.hosts[h].ntb, NULL, NULL), 0);
			assert_int_equal(ontb_ntb_irqs_new(rig.hosts[h].ntb, &config, &ends[h].irqs), 0);
		}
		make_irqs(&rig, 0, &ends[0]);
		for (unsigned int i = 0; i < NR_IRQS; i++) {
			uint64_t end = ontb_clock_ns() + 20 * ONTB_NS_PER_S;
			int ret;

			while ((ret = ontb_ntb_irq_grant(ends[0].irqs, i, 0)) == -ENOLINK && ontb_clock_ns() < end)
				(void)sched_yield();
			assert_int_equal(ret, 0);
		}
		assert_int_equal(ontb_ntb_irq_settle(ends[0].irqs, ONTB_MSI_ANY_INDEX, 20 * ONTB_NS_PER_S), 0);
		mover.rig = &rig;
		assert_int_equal(pthread_create(&thread, NULL, move_all_the_time, &mover), 0);
		fire(ends[1].irqs, &ends[0], 20);
		atomic_store(&mover.stop, true);
		assert_int_equal(pthread_join(thread, NULL), 0);
		free_irqs(&rig, 0, &ends[0]);
		for (unsigned int h = 0; h < 2; h++)
			ontb_ntb_irqs_free(ends[h].irqs);
		sw_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interrupt_reaches_its_handler_over_every_channel),
		cmocka_unit_test(windows_of_the_table_will_do_too),
		cmocka_unit_test(a_window_that_is_large_enough_is_found),
		cmocka_unit_test(the_guard_stops_what_was_not_granted),
		cmocka_unit_test(none_is_lost_while_all_move),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
