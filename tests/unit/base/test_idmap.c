// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Index map, against an array that does the same in the obvious way, and under readers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/idmap.h"
#include "base/rcu.h"

#define MODEL_SIZE 5000U /* more than 64 * 64: three levels */
#define NR_STEPS   40000

static const uint64_t edges[] = { 0,
				  1,
				  63,
				  64,
				  4095,
				  4096,
				  262143,
				  262144,
				  1ULL << 32,
				  UINT64_MAX >> 4,
				  (UINT64_MAX >> 4) + 1,
				  UINT64_MAX - 64,
				  UINT64_MAX - 1,
				  UINT64_MAX };

static uint64_t values[MODEL_SIZE];

static uint64_t random_below(uint64_t limit)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % limit;
}

static void numbers_far_apart_are_found_in_order_and_removed(void **state)
{
	const unsigned int nr = sizeof(edges) / sizeof(edges[0]);
	struct ontb_idmap map = { 0 };
	uint64_t id = 0;

	(void)state;
	for (unsigned int i = nr; i-- > 0;) {
		assert_null(ontb_idmap_find(&map, edges[i]));
		assert_int_equal(ontb_idmap_insert(&map, edges[i], &values[i]), 0);
		assert_int_equal(ontb_idmap_insert(&map, edges[i], &values[0]), -EEXIST);
	}
	assert_int_equal(map.count, nr);
	for (unsigned int i = 0; i < nr; i++) {
		assert_ptr_equal(ontb_idmap_find(&map, edges[i]), &values[i]);
		assert_ptr_equal(ontb_idmap_next(&map, &id), &values[i]);
		assert_int_equal(id, edges[i]);
		id++;
	}
	for (unsigned int i = 0; i < nr; i++) {
		id = 1ULL << 63;
		assert_non_null(ontb_idmap_next(&map, &id));
		assert_ptr_equal(ontb_idmap_remove(&map, edges[i]), &values[i]);
		assert_null(ontb_idmap_remove(&map, edges[i]));
		assert_null(ontb_idmap_find(&map, edges[i]));
	}
	assert_int_equal(map.count, 0);
	assert_null(map.root);
	id = 7;
	assert_null(ontb_idmap_next(&map, &id));
	assert_int_equal(id, 7);
	ontb_rcu_barrier();
}

static void replacing_gives_the_old_pointer_and_needs_one(void **state)
{
	struct ontb_idmap map = { 0 };

	(void)state;
	assert_null(ontb_idmap_replace(&map, 5, &values[0]));
	assert_int_equal(ontb_idmap_insert(&map, 5, &values[0]), 0);
	assert_null(ontb_idmap_replace(&map, 6, &values[1]));
	assert_null(ontb_idmap_replace(&map, 5000, &values[1]));
	assert_ptr_equal(ontb_idmap_replace(&map, 5, &values[1]), &values[0]);
	assert_ptr_equal(ontb_idmap_find(&map, 5), &values[1]);
	assert_int_equal(map.count, 1);
	ontb_idmap_fini(&map);
	assert_null(map.root);
	assert_int_equal(map.count, 0);
}

/* The obvious map: an array. */
static void *model[MODEL_SIZE];

static uint64_t model_next(uint64_t id)
{
	while (id < MODEL_SIZE && !model[id])
		id++;
	return id;
}

static int model_gap(uint64_t first, uint64_t end, uint64_t nr, uint64_t *start)
{
	for (uint64_t at = first; at < end && nr <= end - at; at++) {
		if (model_next(at) - at >= nr || model_next(at) == MODEL_SIZE) {
			*start = at;
			return 0;
		}
	}
	return -ENOSPC;
}

static void compare_with_model(const struct ontb_idmap *map)
{
	uint64_t id = random_below(MODEL_SIZE), want = model_next(id), nr = 1 + random_below(70);
	uint64_t end = id + random_below(MODEL_SIZE), start = 0, want_start = 0;
	int ret = model_gap(id, end, nr, &want_start);

	assert_ptr_equal(ontb_idmap_find(map, id), model[id]);
	assert_int_equal(ontb_idmap_find_gap(map, id, end, nr, &start), ret);
	assert_int_equal(start, want_start);
	if (want == MODEL_SIZE) {
		assert_null(ontb_idmap_next(map, &id));
	} else {
		assert_ptr_equal(ontb_idmap_next(map, &id), model[want]);
		assert_int_equal(id, want);
	}
}

/* Runs of numbers come and go; @nr_max is the longest. */
static void random_steps(unsigned int nr_max, unsigned int nr_steps)
{
	struct ontb_idmap map = { 0 };
	uint64_t count = 0;

	memset(model, 0, sizeof(model));
	for (unsigned int step = 0; step < nr_steps; step++) {
		uint64_t first = random_below(MODEL_SIZE), nr = 1 + random_below(nr_max);
		bool is_removal = random_below(100) < 48;

		for (uint64_t id = first; id < first + nr && id < MODEL_SIZE; id++) {
			if (is_removal) {
				assert_ptr_equal(ontb_idmap_remove(&map, id), model[id]);
				count -= model[id] != NULL;
				model[id] = NULL;
			} else {
				assert_int_equal(ontb_idmap_insert(&map, id, &values[id]), model[id] ? -EEXIST : 0);
				count += !model[id];
				model[id] = &values[id];
			}
		}
		assert_int_equal(map.count, count);
		compare_with_model(&map);
	}
	for (uint64_t id = 0; id < MODEL_SIZE; id++)
		assert_ptr_equal(ontb_idmap_remove(&map, id), model[id]);
	assert_null(map.root);
	ontb_rcu_barrier();
}

static void single_numbers_behave_like_the_array(void **state)
{
	(void)state;
	random_steps(1, NR_STEPS);
}

static void runs_of_numbers_behave_like_the_array(void **state)
{
	(void)state;
	random_steps(400, NR_STEPS / 20);
}

static void gaps_are_looked_for_inside_their_limits(void **state)
{
	struct ontb_idmap map = { 0 };
	uint64_t start = 99;

	(void)state;
	assert_int_equal(ontb_idmap_find_gap(&map, 3, 3, 1, &start), -ENOSPC);
	assert_int_equal(ontb_idmap_find_gap(&map, 3, 4, 2, &start), -ENOSPC);
	assert_int_equal(ontb_idmap_find_gap(&map, 3, 4, 0, &start), -ENOSPC);
	assert_int_equal(start, 99);
	assert_int_equal(ontb_idmap_find_gap(&map, 3, 4, 1, &start), 0);
	assert_int_equal(start, 3);
	assert_int_equal(ontb_idmap_find_gap(&map, 0, UINT64_MAX, UINT64_MAX, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(ontb_idmap_insert(&map, 10, &values[0]), 0);
	assert_int_equal(ontb_idmap_find_gap(&map, 0, 20, 10, &start), 0);
	assert_int_equal(start, 0);
	assert_int_equal(ontb_idmap_find_gap(&map, 1, 21, 10, &start), 0);
	assert_int_equal(start, 11);
	assert_int_equal(ontb_idmap_find_gap(&map, 1, 20, 10, &start), -ENOSPC);
	assert_int_equal(ontb_idmap_insert(&map, UINT64_MAX, &values[0]), 0);
	assert_int_equal(ontb_idmap_find_gap(&map, UINT64_MAX - 1, UINT64_MAX, 1, &start), 0);
	assert_int_equal(start, UINT64_MAX - 1);
	ontb_idmap_fini(&map);
}

static void a_gap_behind_a_million_numbers_is_found_at_once(void **state)
{
	const uint64_t nr = 1U << 20;
	struct ontb_idmap map = { 0 };
	uint64_t start = 0, begin;

	(void)state;
	for (uint64_t id = 0; id < nr; id++)
		assert_int_equal(ontb_idmap_insert(&map, id, &values[0]), 0);
	begin = ontb_clock_ns();
	for (unsigned int i = 0; i < 10000; i++)
		assert_int_equal(ontb_idmap_find_gap(&map, 0, 1U << 24, 3, &start), 0);
	assert_int_equal(start, nr);
	/* Looking at every number would take minutes. */
	assert_true(ontb_clock_ns() - begin < 5 * ONTB_NS_PER_S);
	assert_ptr_equal(ontb_idmap_remove(&map, 777777), &values[0]);
	assert_int_equal(ontb_idmap_find_gap(&map, 0, 1U << 24, 1, &start), 0);
	assert_int_equal(start, 777777);
	assert_int_equal(ontb_idmap_find_gap(&map, 777777, 1U << 24, 2, &start), 0);
	assert_int_equal(start, nr);
	ontb_idmap_fini(&map);
}

/* What readers check: an entry says under which number it was stored and whether it is still valid. */
struct entry {
	struct ontb_rcu_head rcu;
	uint64_t id;
	unsigned int check;
};

#define NR_READERS 3
#define ALIVE	   0x600dU

static struct ontb_idmap tree;
static _Atomic bool stop;
static struct entry fixed[2] = { { .id = 130, .check = ALIVE }, { .id = 70, .check = ALIVE } };
static const uint64_t wandering[] = { 1, 2, 65, 131, 5000, 1ULL << 20, 1ULL << 40, UINT64_MAX };

static void free_entry(struct ontb_rcu_head *head)
{
	struct entry *entry = ontb_container_of(head, struct entry, rcu);

	entry->check = 0;
	free(entry);
}

static unsigned long read_once(void)
{
	unsigned long nr_wrong = 0;
	unsigned int nr_fixed = 0;

	for (uint64_t id = 0;; id++) {
		const struct entry *entry = ontb_idmap_next(&tree, &id);

		if (!entry)
			break;
		nr_wrong += entry->id != id || entry->check != ALIVE;
		nr_fixed += entry == &fixed[0] || entry == &fixed[1];
		if (id == UINT64_MAX)
			break;
	}
	/* Two are there all the time, whatever happens around them. */
	nr_wrong += nr_fixed != 2;
	nr_wrong += ontb_idmap_find(&tree, 130) != &fixed[0];
	for (unsigned int i = 0; i < sizeof(wandering) / sizeof(wandering[0]); i++) {
		const struct entry *entry = ontb_idmap_find(&tree, wandering[i]);

		nr_wrong += entry && (entry->id != wandering[i] || entry->check != ALIVE);
	}
	return nr_wrong;
}

static void *read_until_stopped(void *arg)
{
	unsigned long nr_wrong = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		ontb_rcu_read_lock();
		nr_wrong += read_once();
		ontb_rcu_read_unlock();
	}
	return (void *)nr_wrong;
}

static struct entry *new_entry(uint64_t id)
{
	struct entry *entry = malloc(sizeof(*entry));

	assert_non_null(entry);
	entry->id = id;
	entry->check = ALIVE;
	return entry;
}

/* Each number comes, is replaced, or goes: the tree grows to its full height and shrinks again and again. */
static void change(uint64_t id)
{
	struct entry *entry = ontb_idmap_find(&tree, id);

	if (!entry) {
		assert_int_equal(ontb_idmap_insert(&tree, id, new_entry(id)), 0);
		return;
	}
	if (random_below(3))
		assert_ptr_equal(ontb_idmap_remove(&tree, id), entry);
	else
		assert_ptr_equal(ontb_idmap_replace(&tree, id, new_entry(id)), entry);
	ontb_rcu_call(&entry->rcu, free_entry);
}

static void readers_see_what_is_there_while_the_tree_changes(void **state)
{
	pthread_t readers[NR_READERS];
	struct entry *entry;

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(ontb_idmap_insert(&tree, fixed[i].id, &fixed[i]), 0);
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < NR_READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_until_stopped, NULL), 0);
	for (unsigned int i = 0; i < NR_STEPS; i++)
		change(wandering[random_below(sizeof(wandering) / sizeof(wandering[0]))]);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		void *nr_wrong;

		assert_int_equal(pthread_join(readers[i], &nr_wrong), 0);
		assert_null(nr_wrong);
	}
	for (unsigned int i = 0; i < sizeof(wandering) / sizeof(wandering[0]); i++) {
		entry = ontb_idmap_remove(&tree, wandering[i]);
		free(entry);
	}
	for (unsigned int i = 0; i < 2; i++)
		assert_ptr_equal(ontb_idmap_remove(&tree, fixed[i].id), &fixed[i]);
	assert_null(tree.root);
	ontb_rcu_barrier();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_far_apart_are_found_in_order_and_removed),
		cmocka_unit_test(replacing_gives_the_old_pointer_and_needs_one),
		cmocka_unit_test(single_numbers_behave_like_the_array),
		cmocka_unit_test(runs_of_numbers_behave_like_the_array),
		cmocka_unit_test(gaps_are_looked_for_inside_their_limits),
		cmocka_unit_test(a_gap_behind_a_million_numbers_is_found_at_once),
		cmocka_unit_test(readers_see_what_is_there_while_the_tree_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
