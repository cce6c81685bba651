// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CPUs as threads: every message reaches its handler while interrupts move, CPUs come and go, and others are made and freed.
 *
 * A peer has an interrupt for itself, sends one message, and waits for its handler before it sends the next: so each message
 * is accounted for, and one that is lost stops the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "x86_rig.h"

#define RID	   ONTB_RID(0, 2, 0)
#define NR_CPUS	   4
#define NR_PEERS   3
#define RUN_NS	   (400 * ONTB_NS_PER_MS)
#define MIN_ROUNDS 50
#define TIMEOUT_NS (20 * ONTB_NS_PER_S)

/**
 * struct peer - a thread that holds a message and sends it
 * @irq:     Interrupt.
 * @stop:    Ends all threads. Atomic.
 * @msg:     Its copy of the message.
 * @nr_msgs: Which write of the message that was.
 * @nr_sent: Messages sent.
 * @nr_adopted: Changes confirmed.
 * @nr_lost: Messages whose handler did not run in time.
 * @thread:  Thread.
 */
struct peer {
	struct rig_irq *irq;
	_Atomic bool *stop;
	struct ontb_msi_msg msg;
	unsigned int nr_msgs;
	uint64_t nr_sent;
	uint64_t nr_adopted;
	uint64_t nr_lost;
	pthread_t thread;
};

static struct rig *threaded(bool has_vtd)
{
	const struct rig_config config = { .nr_cpus = NR_CPUS, .has_vtd = has_vtd };

	return rig_new(&config);
}

static struct rig_dev *new_dev(struct rig *rig, bool is_lazy, unsigned int nr)
{
	const uint16_t rid = RID;
	const struct rig_dev_config config = {
		.rids = &rid, .nr_rids = 1, .nr = nr, .token = ONTB_BUS_NTB, .is_lazy = is_lazy
	};
	struct rig_dev *dev = NULL;

	assert_int_equal(rig_dev_try(rig, &config, &dev), 0);
	rig_dev_start(dev, 0, nr);
	return dev;
}

/* Take a new message over, and confirm it: from then on the old one is never sent. */
static void adopt(struct peer *peer)
{
	struct rig_dev *dev = peer->irq->dev;
	bool is_new;

	(void)pthread_mutex_lock(&dev->lock);
	is_new = peer->nr_msgs != peer->irq->nr_msgs;
	peer->msg = peer->irq->msg;
	peer->nr_msgs = peer->irq->nr_msgs;
	(void)pthread_mutex_unlock(&dev->lock);
	if (is_new && dev->is_lazy) {
		rig_irq_confirm(peer->irq);
		peer->nr_adopted++;
	}
}

static void send_one(struct peer *peer)
{
	struct rig_dev *dev = peer->irq->dev;
	uint64_t before = atomic_load(&peer->irq->count), deadline_ns = ontb_clock_ns() + TIMEOUT_NS;

	rig_send(dev->rig, dev->rid, &peer->msg);
	peer->nr_sent++;
	while (atomic_load(&peer->irq->count) == before) {
		if (ontb_clock_ns() > deadline_ns) {
			peer->nr_lost++;
			return;
		}
		(void)sched_yield();
	}
}

static void *run_peer(void *arg)
{
	struct peer *peer = arg;

	while (!atomic_load(peer->stop) && !peer->nr_lost) {
		/* Late, so that old and new message are both in use for a while. */
		if (peer->nr_sent % 8 == 7)
			adopt(peer);
		send_one(peer);
	}
	/* Whoever waits for a move must not wait for ever. */
	adopt(peer);
	return NULL;
}

static void start_peers(struct rig_dev *dev, _Atomic bool *stop, struct peer *peers)
{
	for (unsigned int i = 0; i < NR_PEERS; i++) {
		peers[i] = (struct peer){ .irq = &dev->irqs[i], .stop = stop };
		peers[i].msg = rig_irq_msg(&dev->irqs[i]);
		peers[i].nr_msgs = 1;
		assert_int_equal(pthread_create(&peers[i].thread, NULL, run_peer, &peers[i]), 0);
	}
}

static uint64_t stop_peers(struct peer *peers, _Atomic bool *stop)
{
	uint64_t nr_sent = 0;

	atomic_store(stop, true);
	for (unsigned int i = 0; i < NR_PEERS; i++) {
		assert_int_equal(pthread_join(peers[i].thread, NULL), 0);
		assert_int_equal(peers[i].nr_lost, 0);
		assert_int_equal(atomic_load(&peers[i].irq->count), peers[i].nr_sent);
		nr_sent += peers[i].nr_sent;
	}
	return nr_sent;
}

/* Move the interrupts of all peers around as fast as it goes. */
static void move_for_a_while(struct rig_dev *dev)
{
	uint64_t end_ns = ontb_clock_ns() + RUN_NS, nr_moves = 0;

	while (ontb_clock_ns() < end_ns || nr_moves < MIN_ROUNDS) {
		for (unsigned int i = 0; i < NR_PEERS; i++) {
			int ret = rig_irq_move(&dev->irqs[i], (unsigned int)((nr_moves + i) % NR_CPUS));

			assert_int_equal(ret, 0);
		}
		nr_moves++;
		(void)sched_yield();
	}
}

static void check_moves(bool has_vtd)
{
	struct rig *rig = threaded(has_vtd);
	struct rig_dev *dev = new_dev(rig, !has_vtd, NR_PEERS);
	struct peer peers[NR_PEERS];
	struct ontb_x86_status status;
	_Atomic bool stop = false;
	uint64_t nr_sent, nr_adopted = 0;

	start_peers(dev, &stop, peers);
	move_for_a_while(dev);
	nr_sent = stop_peers(peers, &stop);
	for (unsigned int i = 0; i < NR_PEERS; i++)
		nr_adopted += peers[i].nr_adopted;
	ontb_x86_status(rig->x86, &status);
	print_message("# %llu messages, %llu vectors cleaned up, %llu new messages adopted\n",
		      (unsigned long long)nr_sent, (unsigned long long)status.nr_cleaned,
		      (unsigned long long)nr_adopted);
	assert_true(status.nr_cleaned > 0);
	assert_int_equal(status.nr_spurious, 0);
	assert_int_equal(status.nr_late, 0);
	assert_int_equal(status.nr_faults, 0);
	if (has_vtd)
		assert_int_equal(nr_adopted, 0);
	else
		assert_true(nr_adopted > 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void no_message_is_lost_while_bare_vectors_move_make_before_break(void **state)
{
	(void)state;
	check_moves(false);
}

static void no_message_is_lost_while_remapped_interrupts_move(void **state)
{
	(void)state;
	check_moves(true);
}

/**
 * struct mover - a thread that moves interrupts to CPUs that may just be going
 * @dev:  Device.
 * @stop: Ends it. Atomic.
 */
struct mover {
	struct rig_dev *dev;
	_Atomic bool *stop;
};

static void *run_mover(void *arg)
{
	const struct mover *mover = arg;

	for (unsigned int i = 0; !atomic_load(mover->stop); i++) {
		int ret = rig_irq_move(&mover->dev->irqs[i % NR_PEERS], i % NR_CPUS);

		assert_true(!ret || ret == -EINVAL);
		(void)sched_yield();
	}
	return NULL;
}

static void check_hotplug(bool has_vtd)
{
	struct rig *rig = threaded(has_vtd);
	struct rig_dev *dev = new_dev(rig, !has_vtd, NR_PEERS);
	struct peer peers[NR_PEERS];
	struct ontb_x86_status status;
	_Atomic bool stop = false;
	struct mover mover = { .dev = dev, .stop = &stop };
	uint64_t end_ns = ontb_clock_ns() + RUN_NS, nr_rounds = 0, nr_sent;
	pthread_t thread;

	start_peers(dev, &stop, peers);
	assert_int_equal(pthread_create(&thread, NULL, run_mover, &mover), 0);
	while (ontb_clock_ns() < end_ns || nr_rounds < 2 * NR_CPUS) {
		unsigned int cpu = (unsigned int)(nr_rounds++ % NR_CPUS);

		assert_int_equal(ontb_x86_cpu_offline(rig->x86, cpu, TIMEOUT_NS), 0);
		assert_int_equal(ontb_x86_cpu_nr_used(rig->x86, cpu), 0);
		assert_int_equal(ontb_x86_cpu_online(rig->x86, cpu), 0);
	}
	nr_sent = stop_peers(peers, &stop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	ontb_x86_status(rig->x86, &status);
	print_message("# %llu messages while CPUs went and came %llu times, %llu of them raised again\n",
		      (unsigned long long)nr_sent, (unsigned long long)nr_rounds, (unsigned long long)status.nr_resent);
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void no_message_is_lost_while_cpus_come_and_go_under_bare_vectors(void **state)
{
	(void)state;
	check_hotplug(false);
}

static void no_message_is_lost_while_cpus_come_and_go_under_remapping(void **state)
{
	(void)state;
	check_hotplug(true);
}

static void *churn(void *arg)
{
	struct rig_dev *dev = arg;
	uint64_t end_ns = ontb_clock_ns() + RUN_NS, nr_rounds = 0;

	/* More than a CPU has, so vectors that wait for clean-up are needed again soon. */
	while (ontb_clock_ns() < end_ns || nr_rounds < MIN_ROUNDS) {
		unsigned int i = (unsigned int)(nr_rounds++ % dev->nr);

		assert_int_equal(rig_dev_alloc(dev, i, 1), 0);
		assert_int_equal(rig_irq_request(&dev->irqs[i]), 0);
		rig_irq_fire(&dev->irqs[i]);
		rig_irq_free(&dev->irqs[i]);
		assert_int_equal(ontb_msi_free_range(dev->msi, 0, i, 1), 0);
		dev->irqs[i].virq = 0;
	}
	return NULL;
}

static void check_churn(bool has_vtd)
{
	struct rig *rig = threaded(has_vtd);
	struct rig_dev *dev = new_dev(rig, !has_vtd, NR_PEERS), *other = rig_dev_new(rig, ONTB_RID(0, 3, 0), 16);
	struct ontb_x86_status status;
	struct peer peers[NR_PEERS];
	_Atomic bool stop = false;
	pthread_t thread;

	start_peers(dev, &stop, peers);
	assert_int_equal(pthread_create(&thread, NULL, churn, other), 0);
	move_for_a_while(dev);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)stop_peers(peers, &stop);
	ontb_x86_status(rig->x86, &status);
	/* What was fired at an interrupt that was freed at once came in time, or late, but never to somebody else. */
	assert_int_equal(status.nr_spurious, 0);
	assert_int_equal(status.nr_reserved, NR_PEERS + has_vtd);
	rig_dev_stop(other);
	rig_dev_stop(dev);
	rig_free(rig);
}

static void interrupts_that_come_and_go_do_not_disturb_those_that_move(void **state)
{
	(void)state;
	check_churn(false);
	check_churn(true);
}

static void activation_waits_for_vectors_that_are_being_cleaned_up(void **state)
{
	struct rig *rig = threaded(false);
	struct rig_dev *dev = rig_dev_new(rig, RID, ONTB_X86_NR_VECTORS * NR_CPUS);

	(void)state;
	rig_dev_start(dev, 0, dev->nr);
	for (unsigned int round = 0; round < 200; round++) {
		struct rig_irq *irq = &dev->irqs[round * 37 % dev->nr];
		uint64_t before = atomic_load(&irq->count);

		rig_irq_free(irq);
		assert_int_equal(rig_irq_request(irq), 0);
		rig_irq_fire(irq);
		rig_wait(rig, &irq->count, before + 1);
	}
	assert_int_equal(ontb_irq_spurious(rig->irqs), 0);
	rig_dev_stop(dev);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_message_is_lost_while_bare_vectors_move_make_before_break),
		cmocka_unit_test(no_message_is_lost_while_remapped_interrupts_move),
		cmocka_unit_test(no_message_is_lost_while_cpus_come_and_go_under_bare_vectors),
		cmocka_unit_test(no_message_is_lost_while_cpus_come_and_go_under_remapping),
		cmocka_unit_test(interrupts_that_come_and_go_do_not_disturb_those_that_move),
		cmocka_unit_test(activation_waits_for_vectors_that_are_being_cleaned_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
