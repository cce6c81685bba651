// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Messages from several threads while software changes entries, the table and the switches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <openntb/machine.h>

#include "base/clock.h"
#include "vtd_rig.h"

#define NR_SENDERS  3
#define NR_MOVES    1500
#define MIN_MOVES   20
#define RUN_NS	    ONTB_NS_PER_S
#define DEADLINE_NS (100 * ONTB_NS_PER_S)
#define SIZE	    7
#define HANDLE	    42
#define RID_A	    ONTB_RID(3, 0, 0)
#define RID_B	    ONTB_RID(9, 7, 1)

static _Atomic bool is_over;
static _Atomic uint64_t nr_sent;
static uint64_t deadline_ns, end_ns;

#define WAIT_FOR(condition)                                                                                            \
	do {                                                                                                           \
		while (!(condition)) {                                                                                 \
			assert_true(ontb_clock_ns() < deadline_ns);                                                    \
			(void)sched_yield();                                                                           \
		}                                                                                                      \
	} while (0)

static void *send_always(void *arg)
{
	uint64_t nr_blocked = 0;

	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		if (!ontb_vtd_message(rig_vtd, *(const uint16_t *)arg, RIG_ADDR_S(HANDLE), 0))
			nr_blocked++;
		atomic_fetch_add_explicit(&nr_sent, 1, memory_order_relaxed);
	}
	return (void *)(uintptr_t)nr_blocked;
}

static pthread_t senders[NR_SENDERS];

static void start_senders(const uint16_t *rid)
{
	/* Messages are blocked on purpose here: their log lines say nothing. */
	ontb_log_set_level(ONTB_LOG_ERROR);
	deadline_ns = ontb_clock_ns() + DEADLINE_NS;
	end_ns = ontb_clock_ns() + RUN_NS;
	atomic_store(&is_over, false);
	atomic_store(&nr_sent, 0);
	for (unsigned int i = 0; i < NR_SENDERS; i++)
		assert_int_equal(pthread_create(&senders[i], NULL, send_always, (void *)(uintptr_t)rid), 0);
}

static uint64_t stop_senders(void)
{
	uint64_t nr_blocked = 0;
	void *result;

	atomic_store(&is_over, true);
	for (unsigned int i = 0; i < NR_SENDERS; i++) {
		assert_int_equal(pthread_join(senders[i], &result), 0);
		nr_blocked += (uintptr_t)result;
	}
	ontb_log_set_level(ONTB_LOG_NOTICE);
	return nr_blocked;
}

/* A test is over after so many rounds, or after some time on a machine that is busy otherwise. */
static bool goes_on(unsigned int round)
{
	return round <= NR_MOVES && (round <= MIN_MOVES || ontb_clock_ns() < end_ns);
}

/* What a CPU does with a pending vector: whether it was pending. */
static bool take(unsigned int cpu, unsigned int vector)
{
	uint64_t bit = 1ULL << (vector % 64);

	return atomic_fetch_and(&rig_bus.lapics[cpu].irr[vector / 64], ~bit) & bit;
}

/*
 * The proof obligation of a move under remapping: after the wait descriptor, one look at the old CPU finds everything that
 * will ever come there, and no message is lost or goes anywhere else meanwhile.
 */
static void nothing_comes_to_the_old_cpu_after_the_wait(void **state)
{
	static const uint16_t rid = RID_A;
	unsigned int now = 0;

	(void)state;
	rig_enable(SIZE, true);
	rig_set_entry(HANDLE, RIG_LOW_X(0, 0x40), RIG_SVT(1, 0, RID_A));
	start_senders(&rid);
	for (unsigned int i = 1; goes_on(i); i++) {
		unsigned int old = now;

		now = i % RIG_CPUS;
		WAIT_FOR(rig_is_pending(old, 0x40 + old));
		/* One store of 8 bytes, as software does it: vector and CPU change together. */
		rig_store(RIG_TABLE + 16 * HANDLE, RIG_LOW_X(now, 0x40 + now));
		rig_flush();
		(void)take(old, 0x40 + old);
		/* Messages go on; none of them comes there. */
		WAIT_FOR(rig_is_pending(now, 0x40 + now));
		for (unsigned int cpu = 0; cpu < RIG_CPUS; cpu++)
			assert_int_equal(rig_pending(cpu), cpu == now);
	}
	assert_int_equal(stop_senders(), 0);
	assert_true(atomic_load(&nr_sent) >= MIN_MOVES);
}

/* Both halves of an entry belong together, also in the cache: otherwise A could fire what belongs to B. */
static void halves_of_two_entries_are_never_mixed(void **state)
{
	static const uint16_t rid = RID_A;

	(void)state;
	rig_enable(SIZE, true);
	start_senders(&rid);
	for (unsigned int i = 1; goes_on(i); i++) {
		rig_set_entry(HANDLE, RIG_LOW_X(1, 0x50), RIG_SVT(1, 0, RID_A));
		rig_flush();
		WAIT_FOR(rig_is_pending(1, 0x50));
		rig_set_entry(HANDLE, RIG_LOW_X(2, 0x60), RIG_SVT(1, 0, RID_B));
		rig_flush();
		(void)take(1, 0x50);
		assert_int_equal(ontb_vtd_message(rig_vtd, RID_B, RIG_ADDR(HANDLE), 0), 1);
		assert_true(take(2, 0x60));
	}
	assert_true(stop_senders() > 0);
	assert_int_equal(rig_pending(1) + rig_pending(2), 0);
}

static void selective_invalidation_is_enough(void **state)
{
	static const uint16_t rid = RID_A;

	(void)state;
	rig_enable(SIZE, true);
	rig_set_entry(HANDLE, RIG_LOW_X(0, 0x40), RIG_SVT(1, 0, RID_A));
	start_senders(&rid);
	for (unsigned int i = 1; goes_on(i); i++) {
		unsigned int now = i % 2;

		WAIT_FOR(rig_is_pending(!now, 0x40));
		rig_store(RIG_TABLE + 16 * HANDLE, RIG_LOW_X(now, 0x40));
		rig_put(RIG_FLUSH(HANDLE, i % 4), 0);
		rig_put(RIG_WAIT(i), RIG_STATUS + 8);
		assert_true(rig_kick());
		assert_int_equal((uint32_t)rig_load(RIG_STATUS + 8), i);
		(void)take(!now, 0x40);
		WAIT_FOR(rig_is_pending(now, 0x40));
		assert_false(rig_is_pending(!now, 0x40));
	}
	assert_int_equal(stop_senders(), 0);
}

static void *handle_faults(void *arg)
{
	uint64_t nr_records = 0;

	(void)arg;
	while (!atomic_load(&is_over)) {
		for (uint32_t i = 0; i < VTD_NR_FRCD; i++) {
			uint32_t top = rig_read32(VTD_FRCD + 16 * i + 12);

			if (!(top >> 31))
				continue;
			if (top != (1U << 31 | 0x22) || rig_read32(VTD_FRCD + 16 * i + 8) != RID_A ||
			    ontb_vtd_read(rig_vtd, VTD_FRCD + 16 * i, 8) != (uint64_t)HANDLE << 48)
				return (void *)(uintptr_t)UINT64_MAX;
			nr_records++;
			rig_write32(VTD_FRCD + 16 * i + 12, 1U << 31);
		}
		rig_write32(VTD_FSTS, VTD_FSTS_PFO);
	}
	return (void *)(uintptr_t)nr_records;
}

static void every_fault_is_recorded_or_counted(void **state)
{
	static const uint16_t rid = RID_A;
	struct ontb_vtd_counts counts;
	uint64_t nr_left = 0;
	pthread_t handler;
	void *nr_records;

	(void)state;
	rig_enable(SIZE, true);
	start_senders(&rid);
	assert_int_equal(pthread_create(&handler, NULL, handle_faults, NULL), 0);
	WAIT_FOR(atomic_load(&nr_sent) > 20000);
	assert_true(stop_senders() > 20000);
	assert_int_equal(pthread_join(handler, &nr_records), 0);
	for (uint32_t i = 0; i < VTD_NR_FRCD; i++)
		nr_left += rig_read32(VTD_FRCD + 16 * i + 12) >> 31;
	ontb_vtd_counts(rig_vtd, &counts);
	assert_int_equal(counts.nr_faults, atomic_load(&nr_sent));
	assert_int_equal(counts.nr_faults - counts.nr_unrecorded, (uintptr_t)nr_records + nr_left);
}

static void switches_are_thrown_while_messages_come(void **state)
{
	static const uint16_t rid = RID_A;

	(void)state;
	rig_enable(SIZE, true);
	rig_set_entry(HANDLE, RIG_LOW_X(1, 0x50), RIG_SVT(1, 0, RID_A));
	start_senders(&rid);
	for (unsigned int i = 1; goes_on(i); i++) {
		WAIT_FOR(rig_is_pending(1, 0x50));
		rig_write32(VTD_GCMD, VTD_QI);
		/* Off means off: messages in remappable format are none. */
		(void)take(1, 0x50);
		(void)sched_yield();
		assert_false(rig_is_pending(1, 0x50));
		ontb_vtd_write(rig_vtd, VTD_IRTA, RIG_TABLE | VTD_IRTA_EIME | (i % 2 ? SIZE : 5), 8);
		rig_write32(VTD_GCMD, VTD_QI | VTD_IRTP);
		rig_flush();
		rig_write32(VTD_GCMD, VTD_QI | VTD_IR);
	}
	(void)stop_senders();
	ontb_vtd_reset(rig_vtd);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(nothing_comes_to_the_old_cpu_after_the_wait),
		WITH_RIG(halves_of_two_entries_are_never_mixed),
		WITH_RIG(selective_invalidation_is_enough),
		WITH_RIG(every_fault_is_recorded_or_counted),
		WITH_RIG(switches_are_thrown_while_messages_come),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
