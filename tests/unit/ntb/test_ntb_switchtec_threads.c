// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The Switchtec driver with threads: CPUs, workers and clients of both hosts at once.
 */
#include "switchtec_rig.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"

#define DEADLINE (60 * ONTB_NS_PER_S)

/**
 * struct job - what a thread does
 * @host:   For which host.
 * @lane:   Its window, message register, or word.
 * @rounds: How often.
 * @nr_bad: OUT, how often it was not as it should be.
 */
struct job {
	struct sw_rig *rig;
	unsigned int host;
	unsigned int lane;
	unsigned int rounds;
	unsigned int nr_bad;
	pthread_t thread;
};

static void start(struct job *job, void *(*fn)(void *))
{
	assert_int_equal(pthread_create(&job->thread, NULL, fn, job), 0);
}

static void finish(struct job *job)
{
	assert_int_equal(pthread_join(job->thread, NULL), 0);
	assert_int_equal(job->nr_bad, 0);
}

/* Each opens a window of its own, sees that the peer reaches it, closes it, and sees that it does not. */
static void *change_windows(void *arg)
{
	struct job *job = arg;
	struct ontb_ntb *mine = job->rig->hosts[job->host].ntb, *theirs = job->rig->hosts[job->host ^ 1].ntb;
	struct ontb_page_run run;

	if (ontb_pages_alloc(job->rig->hosts[job->host].pages, 0x10000, 0x10000, &run)) {
		job->nr_bad++;
		return NULL;
	}
	for (unsigned int i = 1; i <= job->rounds; i++) {
		uint32_t seen = 0;

		job->nr_bad += ontb_ntb_window_open(mine, 0, job->lane, run.addr, 0x10000) != 0;
		job->nr_bad += ontb_ntb_peer_write32(theirs, 0, job->lane, 8, i) != 0;
		job->nr_bad += ontb_ntb_peer_read(theirs, 0, job->lane, 8, &seen, 4) != 0 || seen != i;
		job->nr_bad += ontb_ntb_window_close(mine, 0, job->lane) != 0;
		job->nr_bad += ontb_ntb_peer_read(theirs, 0, job->lane, 8, &seen, 4) != 0 || seen != UINT32_MAX;
	}
	ontb_pages_release(job->rig->hosts[job->host].pages, &run);
	return NULL;
}

static void all_threads_of_both_hosts_change_windows(void **state)
{
	struct job jobs[8] = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, false);
	sw_link(&rig);
	/* What was closed is read on purpose, and that is logged. */
	sw_log_start();
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct job){ .rig = &rig, .host = i % 2, .lane = 1 + i / 2 % 4, .rounds = 50 };
		start(&jobs[i], change_windows);
	}
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(jobs); i++)
		finish(&jobs[i]);
	sw_log_stop();
	assert_true(sw_is_up(&rig, 0));
	sw_close(&rig);
}

static void *send_messages(void *arg)
{
	struct job *job = arg;
	struct ontb_ntb *ntb = job->rig->hosts[job->host].ntb;
	uint64_t end = ontb_clock_ns() + DEADLINE;

	for (uint32_t i = 0; i < job->rounds;) {
		int ret = ontb_ntb_peer_msg_write(ntb, 0, job->lane, i);

		if (!ret) {
			i++;
		} else if (ret != -EAGAIN || ontb_clock_ns() > end) {
			job->nr_bad++;
			break;
		} else {
			(void)sched_yield();
		}
	}
	return NULL;
}

static void *take_messages(void *arg)
{
	struct job *job = arg;
	struct ontb_ntb *ntb = job->rig->hosts[job->host].ntb;
	uint64_t end = ontb_clock_ns() + DEADLINE;

	for (uint32_t i = 0; i < job->rounds;) {
		unsigned int peer;
		uint32_t value;
		int ret = ontb_ntb_msg_read(ntb, job->lane, &peer, &value);

		if (!ret && value == i) {
			i++;
		} else if (!ret || ret != -EAGAIN || ontb_clock_ns() > end) {
			job->nr_bad++;
			break;
		} else {
			(void)sched_yield();
		}
	}
	return NULL;
}

static void no_message_is_lost_or_taken_twice(void **state)
{
	struct job jobs[12] = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, false);
	sw_link(&rig);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct job){ .rig = &rig, .host = i % 2, .lane = i / 2 % 3, .rounds = 500 };
		start(&jobs[i], i < 6 ? send_messages : take_messages);
	}
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(jobs); i++)
		finish(&jobs[i]);
	/* Who looks all the time may have taken each before its interrupt came; one that nobody takes is told of. */
	for (unsigned int h = 0; h < 2; h++) {
		unsigned int heard = atomic_load(&rig.hosts[h].nr_messages);

		assert_int_equal(ontb_ntb_peer_msg_write(rig.hosts[h ^ 1].ntb, 0, 0, 1), 0);
		sw_wait_for(&rig, &rig.hosts[h].nr_messages, heard + 1);
	}
	sw_close(&rig);
}

static void *flap(void *arg)
{
	struct job *job = arg;
	struct ontb_ntb *ntb = job->rig->hosts[job->host].ntb;

	for (unsigned int i = 0; i < job->rounds; i++) {
		ontb_ntb_link_disable(ntb);
		if (i % 3 == 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
		job->nr_bad += ontb_ntb_link_enable(ntb) != 0;
		if (i % 5 == 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
	}
	return NULL;
}

static void a_link_that_flaps_ends_up_up_on_both_sides(void **state)
{
	struct job jobs[2] = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, false);
	sw_link(&rig);
	sw_log_start();
	for (unsigned int h = 0; h < 2; h++) {
		jobs[h] = (struct job){ .rig = &rig, .host = h, .rounds = 100 };
		start(&jobs[h], flap);
	}
	for (unsigned int h = 0; h < 2; h++)
		finish(&jobs[h]);
	for (unsigned int h = 0; h < 2; h++)
		sw_wait_link(&rig, h, true);
	sw_log_stop();
	sw_close(&rig);
}

static void *ring(void *arg)
{
	struct job *job = arg;
	struct sw_host *from = &job->rig->hosts[job->host], *to = &job->rig->hosts[job->host ^ 1];
	uint64_t end = ontb_clock_ns() + DEADLINE;

	for (unsigned int i = 0; i < job->rounds && !job->nr_bad; i++) {
		unsigned int heard = atomic_load(&to->nr_doorbells);

		job->nr_bad += ontb_ntb_peer_db_set(from->ntb, 0, 1) != 0;
		while (atomic_load(&to->nr_doorbells) == heard && !job->nr_bad) {
			job->nr_bad += ontb_clock_ns() > end;
			(void)sched_yield();
		}
		job->nr_bad += ontb_ntb_db_clear(to->ntb, 1) != 0;
	}
	return NULL;
}

static void every_ring_is_heard(void **state)
{
	struct job jobs[2] = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, false);
	sw_link(&rig);
	for (unsigned int h = 0; h < 2; h++) {
		assert_int_equal(ontb_ntb_db_unmask(rig.hosts[h].ntb, 1), 0);
		jobs[h] = (struct job){ .rig = &rig, .host = h, .rounds = 500 };
		start(&jobs[h], ring);
	}
	for (unsigned int h = 0; h < 2; h++)
		finish(&jobs[h]);
	sw_close(&rig);
}

static _Atomic bool stop;

static void *use_everything(void *arg)
{
	struct job *job = arg;
	struct ontb_ntb *ntb = job->rig->hosts[job->host].ntb;
	struct ontb_ntb_window limits;
	uint32_t value;

	while (!atomic_load(&stop)) {
		(void)ontb_ntb_peer_write32(ntb, 0, 1, 0, 1);
		(void)ontb_ntb_peer_spad_read(ntb, 0, 1, &value);
		(void)ontb_ntb_peer_spad_write(ntb, 0, 1, 2);
		(void)ontb_ntb_peer_db_set(ntb, 0, 2);
		(void)ontb_ntb_peer_msg_write(ntb, 0, 0, 3);
		(void)ontb_ntb_window_limits(ntb, 0, 1, &limits);
		(void)ontb_ntb_window_open(ntb, 0, 1, job->rig->hosts[0].machine->ram_base, 0x1000);
		(void)ontb_ntb_window_close(ntb, 0, 1);
		(void)ontb_ntb_peer_page_write(ntb, 0, 0, &value, 4);
	}
	return NULL;
}

static void a_peer_that_comes_and_goes_blocks_nobody(void **state)
{
	struct job job = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, false);
	sw_link(&rig);
	sw_log_start();
	atomic_store(&stop, false);
	job = (struct job){ .rig = &rig, .host = 0 };
	start(&job, use_everything);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(ontb_fabric_unplug(rig.fabric, 0, 1), 0);
		sw_wait_link(&rig, 0, false);
		sw_remove(&rig, 1);
		sw_shutdown(&rig, 1);
		assert_int_equal(ontb_fabric_replug(rig.fabric, 0, 1), 0);
		sw_boot(&rig, 1);
		sw_probe(&rig, 1);
		assert_int_equal(ontb_ntb_link_enable(rig.hosts[1].ntb), 0);
		sw_wait_link(&rig, 0, true);
		sw_wait_link(&rig, 1, true);
	}
	atomic_store(&stop, true);
	finish(&job);
	sw_log_stop();
	assert_true(rig.hosts[0].nr_downs >= 10);
	sw_close(&rig);
}

/* Each change is a message to the peer, which hears it in the middle of whatever it does. */
static void *flap_until_stopped(void *arg)
{
	struct job *job = arg;
	struct ontb_ntb *ntb = job->rig->hosts[job->host].ntb;

	while (!atomic_load(&stop)) {
		job->nr_bad += ontb_ntb_link_enable(ntb) != 0;
		ontb_ntb_link_disable(ntb);
	}
	return NULL;
}

static void a_driver_starts_while_its_peer_sends(void **state)
{
	struct job job = { 0 };
	struct sw_rig rig;

	(void)state;
	sw_open(&rig, SW_TWO, false);
	sw_log_start();
	atomic_store(&stop, false);
	job = (struct job){ .rig = &rig, .host = 0 };
	start(&job, flap_until_stopped);
	for (unsigned int i = 0; i < 300; i++) {
		sw_remove(&rig, 1);
		sw_probe(&rig, 1);
	}
	atomic_store(&stop, true);
	finish(&job);
	sw_link(&rig);
	sw_log_stop();
	sw_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_of_both_hosts_change_windows),
		cmocka_unit_test(no_message_is_lost_or_taken_twice),
		cmocka_unit_test(a_link_that_flaps_ends_up_up_on_both_sides),
		cmocka_unit_test(every_ring_is_heard),
		cmocka_unit_test(a_peer_that_comes_and_goes_blocks_nobody),
		cmocka_unit_test(a_driver_starts_while_its_peer_sends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
