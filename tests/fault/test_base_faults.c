// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Index map, pages and workers fail at their first, second, third ... allocation or thread: nothing leaks, nothing changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/pages.h>
#include <openntb/worker.h>

#include "base/idmap.h"
#include "base/rcu.h"
#include "inject.h"

static int values[2];

/* Insert @id while the n-th allocation fails, for every n. Returns how many allocations it takes. */
static unsigned int insert_with_failures(struct ontb_idmap *map, uint64_t id)
{
	const struct ontb_idmap before = *map;

	for (unsigned int nth = 0;; nth++) {
		uint64_t first = 0, start = 99;
		int ret;

		inject_arm(nth);
		ret = ontb_idmap_insert(map, id, &values[1]);
		if (!inject_disarm()) {
			assert_int_equal(ret, 0);
			return nth;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_ptr_equal(map->root, before.root);
		assert_int_equal(map->count, before.count);
		assert_null(ontb_idmap_find(map, id));
		assert_int_equal(ontb_idmap_next(map, &first) != NULL, before.count != 0);
		assert_int_equal(ontb_idmap_find_gap(map, id, id + 1, 1, &start), 0);
		assert_int_equal(start, id);
	}
}

static void index_map_stays_as_it_was_without_memory(void **state)
{
	struct ontb_idmap map = { 0 };

	(void)state;
	assert_int_equal(insert_with_failures(&map, 5), 1);
	/* A top node, and a leaf beside the old one. */
	assert_int_equal(insert_with_failures(&map, 64), 2);
	/* Nine nodes on top, ten down to the leaf. */
	assert_int_equal(insert_with_failures(&map, UINT64_MAX - 1), 9 + 10);
	/* Down from the node of two levels. */
	assert_int_equal(insert_with_failures(&map, 128), 1);
	assert_int_equal(insert_with_failures(&map, 129), 0);
	assert_int_equal(map.count, 5);
	ontb_idmap_fini(&map);
}

static void index_map_removes_without_memory(void **state)
{
	struct ontb_idmap map = { 0 };

	(void)state;
	assert_int_equal(ontb_idmap_insert(&map, 1, &values[0]), 0);
	assert_int_equal(ontb_idmap_insert(&map, UINT64_MAX, &values[1]), 0);
	inject_arm(0);
	assert_ptr_equal(ontb_idmap_replace(&map, 1, &values[1]), &values[0]);
	assert_ptr_equal(ontb_idmap_remove(&map, UINT64_MAX), &values[1]);
	assert_ptr_equal(ontb_idmap_remove(&map, 1), &values[1]);
	assert_false(inject_disarm());
	ontb_rcu_barrier();
}

static void page_allocator_undoes_what_it_made(void **state)
{
	static uint8_t ram[4 * ONTB_PAGE_SIZE];
	struct ontb_pages *const untouched = (struct ontb_pages *)0x1;
	struct ontb_pages *pages = untouched;
	struct ontb_page_run run;

	(void)state;
	inject_arm(0);
	assert_int_equal(ontb_pages_new(ram, 0, sizeof(ram), &pages), -ENOMEM);
	assert_true(inject_disarm());
	assert_ptr_equal(pages, untouched);
	assert_int_equal(ontb_pages_new(ram, 0, sizeof(ram), &pages), 0);
	/* Handing out and taking back needs no memory of its own. */
	inject_arm(0);
	assert_int_equal(ontb_pages_alloc(pages, sizeof(ram), ONTB_PAGE_SIZE, &run), 0);
	ontb_pages_release(pages, &run);
	assert_false(inject_disarm());
	assert_int_equal(ontb_pages_free(pages), 0);
}

static void set_flag(void *arg)
{
	*(int *)arg = 1;
}

static void worker_undoes_what_it_made(void **state)
{
	struct ontb_worker_pool *const no_pool = (struct ontb_worker_pool *)0x1;
	struct ontb_worker *const no_worker = (struct ontb_worker *)0x1;

	(void)state;
	for (unsigned int is_stepped = 0; is_stepped < 2; is_stepped++) {
		struct ontb_worker_pool *pool = no_pool;
		struct ontb_worker *worker = no_worker;
		int flag = 0;

		inject_arm(0);
		assert_int_equal(ontb_worker_pool_new("fault", is_stepped, 1, &pool), -ENOMEM);
		assert_true(inject_disarm());
		assert_ptr_equal(pool, no_pool);
		assert_int_equal(ontb_worker_pool_new("fault", is_stepped, 1, &pool), 0);
		inject_arm(0);
		assert_int_equal(ontb_worker_new(pool, "w", set_flag, &flag, &worker), -ENOMEM);
		assert_true(inject_disarm());
		inject_arm(1);
		if (!is_stepped)
			assert_int_equal(ontb_worker_new(pool, "w", set_flag, &flag, &worker), -EAGAIN);
		assert_int_equal(inject_disarm(), !is_stepped);
		assert_ptr_equal(worker, no_worker);
		/* The pool has no trace of what failed. */
		assert_int_equal(ontb_worker_new(pool, "w", set_flag, &flag, &worker), 0);
		inject_arm(0);
		ontb_worker_kick(worker);
		ontb_worker_kick_at(worker, UINT64_MAX - 1);
		ontb_worker_flush(worker);
		assert_false(inject_disarm());
		assert_int_equal(flag, 1);
		ontb_worker_free(worker);
		ontb_worker_pool_free(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_map_stays_as_it_was_without_memory),
		cmocka_unit_test(index_map_removes_without_memory),
		cmocka_unit_test(page_allocator_undoes_what_it_made),
		cmocka_unit_test(worker_undoes_what_it_made),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
