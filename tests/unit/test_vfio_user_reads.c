// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Reads under way: circles are refused, each read is completed exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/access.h>

#include "base/clock.h"
#include "vfio_user/reads.h"

#define TIMEOUT_NS ONTB_NS_PER_S

struct probe {
	struct ontb_read read;
	unsigned int nr_done;
	int status;
};

static void note_done(struct ontb_read *read, int status)
{
	struct probe *probe = (struct probe *)(void *)read;

	probe->nr_done++;
	probe->status = status;
}

static struct probe make_probe(unsigned int source)
{
	static uint8_t byte;

	return (struct probe){ .read = { .buf = &byte, .len = 1, .source = source, .done = note_done } };
}

static int begin(struct ontb_reads *reads, unsigned int target, struct probe *probe, uint16_t *id)
{
	return ontb_reads_begin(reads, target, &probe->read, 0x1000, 0, 1, id);
}

static int setup(void **state)
{
	struct ontb_reads *reads = calloc(1, sizeof(*reads));

	*state = reads;
	return reads ? ontb_reads_init(reads, TIMEOUT_NS) : -1;
}

static int teardown(void **state)
{
	ontb_reads_fini(*state);
	free(*state);
	return 0;
}

static void a_reply_ends_its_read(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe probe = make_probe(0);
	struct ontb_reads_slot slot;
	uint16_t id;

	assert_int_equal(begin(reads, 1, &probe, &id), 0);
	assert_int_equal(ontb_reads_claim(reads, 2, id, &slot), -ENOENT);
	assert_int_equal(ontb_reads_claim(reads, 1, (uint16_t)(id + 1), &slot), -ENOENT);
	assert_int_equal(ontb_reads_claim(reads, 1, id, &slot), 0);
	assert_ptr_equal(slot.read, &probe.read);
	assert_int_equal(ontb_reads_claim(reads, 1, id, &slot), -ENOENT);
	ontb_reads_end(reads, 1, id);
	assert_int_equal(ontb_reads_claim(reads, 1, id, &slot), -ENOENT);
	assert_int_equal(reads->nr_waiting, 0);
	assert_int_equal(probe.nr_done, 0);
}

static void ids_are_not_used_again_at_once(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe probe = make_probe(0);
	uint16_t first, second;

	assert_int_equal(begin(reads, 1, &probe, &first), 0);
	assert_true(ontb_reads_abort(reads, 1, first));
	assert_int_equal(begin(reads, 1, &probe, &second), 0);
	assert_int_not_equal(first, second);
	assert_false(ontb_reads_abort(reads, 1, first));
	assert_true(ontb_reads_abort(reads, 1, second));
}

/*
 * Random reads among some hosts: after each step the graph of those under way, computed here in the obvious way, has no
 * circle, and a refusal is right exactly if there would have been one.
 */
static bool reaches(bool edges[8][8], const int *pids, unsigned int from, unsigned int to, unsigned int depth)
{
	if (from == to || (pids[from] && pids[from] == pids[to]))
		return true;
	for (unsigned int i = 0; depth && i < 8; i++) {
		for (unsigned int j = 0; j < 8; j++) {
			if ((j == from || (pids[j] && pids[j] == pids[from])) && edges[j][i] &&
			    reaches(edges, pids, i, to, depth - 1))
				return true;
		}
	}
	return false;
}

static void no_circle_is_ever_closed(void **state)
{
	static const int pids[8] = { 10, 11, 12, 13, 14, 14, 0, 0 };
	struct ontb_reads *reads = *state;
	struct probe probes[12];
	unsigned int target_of[12], seed = 3;
	uint16_t ids[12];
	bool is_used[12] = { false };

	for (unsigned int i = 0; i < 8; i++)
		ontb_reads_set_client(reads, i, pids[i]);
	for (unsigned int step = 0; step < 3000; step++) {
		unsigned int i = (unsigned int)rand_r(&seed) % 12;
		unsigned int source = (unsigned int)rand_r(&seed) % 8, target = (unsigned int)rand_r(&seed) % 8;
		bool edges[8][8] = { { false } };
		struct ontb_reads_slot slot;

		if (is_used[i]) {
			assert_int_equal(ontb_reads_claim(reads, target_of[i], ids[i], &slot), 0);
			ontb_reads_end(reads, target_of[i], ids[i]);
			is_used[i] = false;
			continue;
		}
		for (unsigned int j = 0; j < 12; j++) {
			if (is_used[j])
				edges[probes[j].read.source][target_of[j]] = true;
		}
		probes[i] = make_probe(source);
		target_of[i] = target;
		is_used[i] = !reaches(edges, pids, target, source, 8);
		assert_int_equal(begin(reads, target, &probes[i], &ids[i]), is_used[i] ? 0 : -EDEADLK);
	}
}

static void a_target_answers_a_bounded_number(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe probe = make_probe(0);
	uint16_t id;

	for (unsigned int i = 0; i < ONTB_READS_PER_TARGET; i++)
		assert_int_equal(begin(reads, 1, &probe, &id), 0);
	assert_int_equal(begin(reads, 1, &probe, &id), -ENOBUFS);
	assert_int_equal(begin(reads, 2, &probe, &id), 0);
	ontb_reads_leave(reads, 0);
	assert_int_equal(probe.nr_done, ONTB_READS_PER_TARGET + 1);
	assert_int_equal(probe.status, -ENOLINK);
	assert_int_equal(reads->nr_waiting, 0);
}

static void what_a_source_reads_at_a_time_is_bounded(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe large = make_probe(0), small = make_probe(0), other = make_probe(2);
	uint16_t ids[3], id;

	/* One read of any size. */
	large.read.len = ONTB_READS_SOURCE_BYTES + 1;
	assert_int_equal(begin(reads, 1, &large, &ids[0]), 0);
	assert_int_equal(begin(reads, 1, &small, &id), -ENOBUFS);
	assert_int_equal(begin(reads, 3, &small, &id), -ENOBUFS);
	assert_int_equal(begin(reads, 1, &other, &ids[1]), 0);
	assert_true(ontb_reads_abort(reads, 1, ids[0]));
	/* Several, up to the limit. */
	large.read.len = ONTB_READS_SOURCE_BYTES - 1;
	assert_int_equal(begin(reads, 1, &large, &ids[0]), 0);
	assert_int_equal(begin(reads, 3, &small, &ids[2]), 0);
	assert_int_equal(begin(reads, 3, &small, &id), -ENOBUFS);
	ontb_reads_expire(reads, UINT64_MAX);
	assert_int_equal(large.nr_done + small.nr_done, 2);
	assert_int_equal(begin(reads, 3, &large, &id), 0);
	assert_int_equal(begin(reads, 3, &small, &id), 0);
	ontb_reads_leave(reads, 0);
	assert_int_equal(reads->nr_bytes[0], 0);
}

static void a_late_answer_is_known_for_what_it_is(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe probe = make_probe(0);
	struct ontb_reads_slot slot;
	uint16_t id;

	assert_int_equal(begin(reads, 1, &probe, &id), 0);
	ontb_reads_expire(reads, ontb_clock_ns());
	assert_int_equal(probe.nr_done, 0);
	ontb_reads_expire(reads, ontb_clock_ns() + TIMEOUT_NS + 1);
	assert_int_equal(probe.nr_done, 1);
	assert_int_equal(probe.status, -ETIMEDOUT);
	assert_int_equal(ontb_reads_claim(reads, 1, id, &slot), -ETIMEDOUT);
	assert_int_equal(ontb_reads_claim(reads, 1, id, &slot), -ENOENT);
}

static void leaving_ends_reads_in_both_directions(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe by = make_probe(1), of = make_probe(0), other = make_probe(2);
	struct ontb_reads_slot slot;
	uint16_t ids[3];

	assert_int_equal(begin(reads, 2, &by, &ids[0]), 0);
	assert_int_equal(begin(reads, 1, &of, &ids[1]), 0);
	assert_int_equal(begin(reads, 3, &other, &ids[2]), 0);
	ontb_reads_leave(reads, 1);
	assert_true(by.nr_done == 1 && of.nr_done == 1 && !other.nr_done);
	assert_true(by.status == -ENOLINK && of.status == -ENOLINK);
	/* The answer to the read of the one that left may still come; the one to it cannot. */
	assert_int_equal(ontb_reads_claim(reads, 2, ids[0], &slot), -ETIMEDOUT);
	assert_int_equal(ontb_reads_claim(reads, 1, ids[1], &slot), -ENOENT);
	assert_int_equal(ontb_reads_claim(reads, 3, ids[2], &slot), 0);
	ontb_reads_end(reads, 3, ids[2]);
}

static void a_claimed_read_is_not_completed_by_others(void **state)
{
	struct ontb_reads *reads = *state;
	struct probe probe = make_probe(0);
	struct ontb_reads_slot slot;
	uint16_t id, next;

	assert_int_equal(begin(reads, 1, &probe, &id), 0);
	assert_int_equal(ontb_reads_claim(reads, 1, id, &slot), 0);
	ontb_reads_expire(reads, UINT64_MAX);
	assert_int_equal(probe.nr_done, 0);
	next = ontb_reads_again(reads, 1, id, 1, 1);
	assert_int_not_equal(next, id);
	ontb_reads_expire(reads, UINT64_MAX);
	assert_int_equal(probe.nr_done, 1);
}

static void a_source_that_is_no_port_is_refused(void **state)
{
	struct probe probe = make_probe(ONTB_MAX_PORTS);
	uint16_t id;

	assert_int_equal(begin(*state, 1, &probe, &id), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reply_ends_its_read, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_are_not_used_again_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(no_circle_is_ever_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_target_answers_a_bounded_number, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_source_reads_at_a_time_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_late_answer_is_known_for_what_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(leaving_ends_reads_in_both_directions, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claimed_read_is_not_completed_by_others, setup, teardown),
		cmocka_unit_test_setup_teardown(a_source_that_is_no_port_is_refused, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vfio_user_reads", tests, NULL, NULL);
}
