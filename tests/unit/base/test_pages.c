// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Page allocator: runs lie inside the memory, are aligned, zero, and never shared.
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

#include <openntb/log.h>
#include <openntb/pages.h>

#define NR_PAGES 200U
#define BASE	 0x100003000ULL /* only 4 KiB aligned */
#define SIZE	 (NR_PAGES * ONTB_PAGE_SIZE)

static uint8_t ram[SIZE];
static unsigned int nr_log_lines;

static void count_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
	nr_log_lines++;
}

static struct ontb_pages *new_pages(void)
{
	struct ontb_pages *pages;

	memset(ram, 0xa5, sizeof(ram));
	assert_int_equal(ontb_pages_new(ram, BASE, SIZE, &pages), 0);
	return pages;
}

static void check_run(const struct ontb_page_run *run, uint64_t size, uint64_t align)
{
	assert_int_equal(run->size, size);
	assert_int_equal(run->addr % align, 0);
	assert_true(run->addr >= BASE && run->addr - BASE <= SIZE - run->size);
	assert_ptr_equal(run->ptr, ram + (run->addr - BASE));
	for (uint64_t i = 0; i < run->size; i++)
		assert_int_equal(((const uint8_t *)run->ptr)[i], 0);
}

static void memory_that_cannot_be_managed_is_refused(void **state)
{
	struct ontb_pages *const untouched = (struct ontb_pages *)0x1;
	struct ontb_pages *pages = untouched;

	(void)state;
	assert_int_equal(ontb_pages_new(NULL, BASE, SIZE, &pages), -EINVAL);
	assert_int_equal(ontb_pages_new(ram, BASE, 0, &pages), -EINVAL);
	assert_int_equal(ontb_pages_new(ram, BASE, SIZE - 1, &pages), -EINVAL);
	assert_int_equal(ontb_pages_new(ram, BASE + 1, SIZE, &pages), -EINVAL);
	assert_int_equal(ontb_pages_new(ram, -SIZE + ONTB_PAGE_SIZE, SIZE, &pages), -EINVAL);
	assert_ptr_equal(pages, untouched);
	assert_int_equal(ontb_pages_new(ram, -SIZE, SIZE, &pages), 0);
	assert_int_equal(ontb_pages_free(pages), 0);
	assert_int_equal(ontb_pages_free(NULL), 0);
}

static void sizes_are_rounded_up_and_bad_requests_change_nothing(void **state)
{
	struct ontb_pages *pages = new_pages();
	struct ontb_page_run run = { 0 };

	(void)state;
	assert_int_equal(ontb_pages_alloc(pages, 0, ONTB_PAGE_SIZE, &run), -EINVAL);
	assert_int_equal(ontb_pages_alloc(pages, 1, 0, &run), -EINVAL);
	assert_int_equal(ontb_pages_alloc(pages, 1, ONTB_PAGE_SIZE / 2, &run), -EINVAL);
	assert_int_equal(ontb_pages_alloc(pages, 1, ONTB_PAGE_SIZE * 3, &run), -EINVAL);
	assert_int_equal(ontb_pages_alloc(pages, UINT64_MAX, ONTB_PAGE_SIZE, &run), -ENOMEM);
	assert_int_equal(ontb_pages_alloc(pages, SIZE + 1, ONTB_PAGE_SIZE, &run), -ENOMEM);
	assert_int_equal(ontb_pages_alloc(pages, 1, 1ULL << 63, &run), -ENOMEM);
	assert_null(run.ptr);
	assert_int_equal(ontb_pages_alloc(pages, 1, ONTB_PAGE_SIZE, &run), 0);
	check_run(&run, ONTB_PAGE_SIZE, ONTB_PAGE_SIZE);
	ontb_pages_release(pages, &run);
	assert_int_equal(ontb_pages_alloc(pages, ONTB_PAGE_SIZE + 1, ONTB_PAGE_SIZE, &run), 0);
	check_run(&run, 2 * ONTB_PAGE_SIZE, ONTB_PAGE_SIZE);
	assert_int_equal(ontb_pages_free(pages), 2 * ONTB_PAGE_SIZE);
}

static void the_whole_memory_can_be_taken_and_given_back(void **state)
{
	struct ontb_pages *pages = new_pages();
	struct ontb_page_run all, one;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(ontb_pages_alloc(pages, SIZE, ONTB_PAGE_SIZE, &all), 0);
		check_run(&all, SIZE, ONTB_PAGE_SIZE);
		assert_int_equal(ontb_pages_alloc(pages, 1, ONTB_PAGE_SIZE, &one), -ENOMEM);
		memset(ram, 0xa5, sizeof(ram));
		ontb_pages_release(pages, &all);
	}
	assert_int_equal(ontb_pages_free(pages), 0);
}

static void the_lowest_place_that_fits_is_used_again(void **state)
{
	struct ontb_pages *pages = new_pages();
	struct ontb_page_run run[NR_PAGES], big;

	(void)state;
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		assert_int_equal(ontb_pages_alloc(pages, 1, ONTB_PAGE_SIZE, &run[i]), 0);
		assert_int_equal(run[i].addr, BASE + i * ONTB_PAGE_SIZE);
	}
	ontb_pages_release(pages, &run[10]);
	for (unsigned int i = 100; i < 170; i++)
		ontb_pages_release(pages, &run[i]);
	assert_int_equal(ontb_pages_alloc(pages, 71 * ONTB_PAGE_SIZE, ONTB_PAGE_SIZE, &big), -ENOMEM);
	assert_int_equal(ontb_pages_alloc(pages, 70 * ONTB_PAGE_SIZE, ONTB_PAGE_SIZE, &big), 0);
	assert_int_equal(big.addr, BASE + 100 * ONTB_PAGE_SIZE);
	assert_int_equal(ontb_pages_alloc(pages, 1, ONTB_PAGE_SIZE, &run[0]), 0);
	assert_int_equal(run[0].addr, BASE + 10 * ONTB_PAGE_SIZE);
	assert_int_equal(ontb_pages_free(pages), SIZE);
}

static void what_is_not_handed_out_cannot_be_given_back(void **state)
{
	struct ontb_pages *pages = new_pages();
	struct ontb_page_run run, bad, none = { 0 };

	(void)state;
	assert_int_equal(ontb_pages_alloc(pages, 2 * ONTB_PAGE_SIZE, ONTB_PAGE_SIZE, &run), 0);
	nr_log_lines = 0;
	ontb_log_set_sink(count_line, NULL);
	ontb_pages_release(pages, &none);
	assert_int_equal(nr_log_lines, 0);
	bad = run;
	bad.size = 3 * ONTB_PAGE_SIZE;
	ontb_pages_release(pages, &bad);
	bad.size = -ONTB_PAGE_SIZE;
	ontb_pages_release(pages, &bad);
	bad.size = ONTB_PAGE_SIZE;
	bad.addr = BASE - ONTB_PAGE_SIZE;
	ontb_pages_release(pages, &bad);
	bad.addr = BASE + SIZE;
	ontb_pages_release(pages, &bad);
	assert_int_equal(nr_log_lines, 4);
	ontb_pages_release(pages, &run);
	assert_int_equal(nr_log_lines, 4);
	ontb_pages_release(pages, &run);
	assert_int_equal(nr_log_lines, 5);
	ontb_log_set_sink(NULL, NULL);
	assert_int_equal(ontb_pages_free(pages), 0);
}

#define NR_RUNS 12

/* Each run is filled with a mark of its own; a shared page or a run that is not zero shows. */
static void *take_and_give(void *arg)
{
	struct ontb_pages *pages = arg;
	static _Atomic unsigned int nr_threads;
	unsigned int seed = atomic_fetch_add(&nr_threads, 1) + 1;
	struct ontb_page_run runs[NR_RUNS] = { { 0 } };
	uint8_t mark = (uint8_t)(seed * NR_RUNS);
	uintptr_t nr_wrong = 0;

	for (unsigned int step = 0; step < 4000; step++) {
		unsigned int i = (unsigned int)rand_r(&seed) % NR_RUNS;
		struct ontb_page_run *run = &runs[i];
		uint64_t align = ONTB_PAGE_SIZE << rand_r(&seed) % 5;

		for (uint64_t at = 0; at < run->size; at += 512)
			nr_wrong += ((uint8_t *)run->ptr)[at] != mark + i;
		ontb_pages_release(pages, run);
		memset(run, 0, sizeof(*run));
		if (ontb_pages_alloc(pages, 1 + (unsigned int)rand_r(&seed) % (8 * ONTB_PAGE_SIZE), align, run))
			continue;
		nr_wrong += run->addr % align != 0;
		for (uint64_t at = 0; at < run->size; at += 512)
			nr_wrong += ((uint8_t *)run->ptr)[at] != 0;
		memset(run->ptr, mark + (int)i, run->size);
	}
	for (unsigned int i = 0; i < NR_RUNS; i++)
		ontb_pages_release(pages, &runs[i]);
	return (void *)nr_wrong;
}

static void threads_never_share_a_page(void **state)
{
	struct ontb_pages *pages = new_pages();
	pthread_t threads[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, pages), 0);
	for (unsigned int i = 0; i < 4; i++) {
		void *nr_wrong;

		assert_int_equal(pthread_join(threads[i], &nr_wrong), 0);
		assert_null(nr_wrong);
	}
	assert_int_equal(ontb_pages_free(pages), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_cannot_be_managed_is_refused),
		cmocka_unit_test(sizes_are_rounded_up_and_bad_requests_change_nothing),
		cmocka_unit_test(the_whole_memory_can_be_taken_and_given_back),
		cmocka_unit_test(the_lowest_place_that_fits_is_used_again),
		cmocka_unit_test(what_is_not_handed_out_cannot_be_given_back),
		cmocka_unit_test(threads_never_share_a_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
