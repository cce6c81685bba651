// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The memory map of a client, compared with a slow obvious model, and memory that is taken away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio_user/dma.h"
#include "vfio_user/guard.h"
#include "vfio_user/wire.h"

#define RW	 (ONTB_WIRE_MAP_F_READ | ONTB_WIRE_MAP_F_WRITE)
#define PAGE	 4096U
#define NR_UNITS 64U

static const char *why;

static int map(struct ontb_dma *dma, uint64_t addr, uint64_t size, int fd)
{
	struct ontb_dma_range *range;
	int ret;

	ret = ontb_dma_range_new(RW, addr, size, fd, 0, &why, &range);
	if (!ret)
		ret = ontb_dma_reserve(dma, &why);
	if (ret)
		return ret;
	ret = ontb_dma_add(dma, range, &why);
	if (ret)
		ontb_dma_range_free(range);
	return ret;
}

static int unmap(struct ontb_dma *dma, uint64_t addr, uint64_t size)
{
	struct ontb_dma_range *removed[NR_UNITS];
	int nr = ontb_dma_remove(dma, addr, size, removed, &why);

	for (int i = 0; i < nr; i++)
		ontb_dma_range_free(removed[i]);
	return nr;
}

/*
 * The model: owner[i] says which mapping covers unit i, 0 for none. A map must find all its units free; an unmap must not
 * cover a mapping in part.
 */
struct model {
	unsigned int owner[NR_UNITS];
	unsigned int next;
};

static int model_map(struct model *model, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++) {
		if (model->owner[i])
			return -EEXIST;
	}
	model->next++;
	for (unsigned int i = first; i < first + nr; i++)
		model->owner[i] = model->next;
	return 0;
}

static int model_unmap(struct model *model, unsigned int first, unsigned int nr)
{
	unsigned int last = first + nr - 1, count = 0, seen = 0;

	if (model->owner[first] && first && model->owner[first - 1] == model->owner[first])
		return -EINVAL;
	if (model->owner[last] && last + 1 < NR_UNITS && model->owner[last + 1] == model->owner[last])
		return -EINVAL;
	for (unsigned int i = first; i <= last; i++) {
		count += model->owner[i] && model->owner[i] != seen;
		seen = model->owner[i];
		model->owner[i] = 0;
	}
	return (int)count;
}

static void check_lookups(struct ontb_dma *dma, const struct model *model, uint64_t base)
{
	for (unsigned int i = 0; i < NR_UNITS; i++) {
		const struct ontb_dma_range *range = ontb_dma_find(dma, i % ONTB_DMA_NR_HINTS, base + i * PAGE + i);

		assert_int_equal(range != NULL, model->owner[i] != 0);
		if (range)
			assert_true(base + i * PAGE - range->addr < range->size);
	}
}

static void behaves_like_the_model(void **state)
{
	static const uint64_t bases[] = { 0, 0x123456000, (uint64_t)0 - NR_UNITS * PAGE };
	unsigned int seed = 1;

	(void)state;
	for (size_t b = 0; b < ONTB_ARRAY_SIZE(bases); b++) {
		struct model model = { 0 };
		struct ontb_dma dma;

		ontb_dma_init(&dma, NR_UNITS);
		for (unsigned int step = 0; step < 20000; step++) {
			unsigned int first = (unsigned int)rand_r(&seed) % NR_UNITS;
			unsigned int nr = 1 + (unsigned int)rand_r(&seed) % 8;
			uint64_t addr = bases[b] + first * PAGE;

			if (nr > NR_UNITS - first)
				nr = NR_UNITS - first;
			if (rand_r(&seed) % 2)
				assert_int_equal(map(&dma, addr, nr * PAGE, -1), model_map(&model, first, nr));
			else
				assert_int_equal(unmap(&dma, addr, nr * PAGE), model_unmap(&model, first, nr));
			if (step % 16 == 0)
				check_lookups(&dma, &model, bases[b]);
		}
		ontb_dma_fini(&dma);
	}
}

static void everything_is_unmapped_by_the_whole_address_space(void **state)
{
	struct ontb_dma dma;

	(void)state;
	ontb_dma_init(&dma, 8);
	assert_int_equal(map(&dma, 0, PAGE, -1), 0);
	assert_int_equal(map(&dma, (uint64_t)0 - PAGE, PAGE, -1), 0);
	assert_int_equal(ontb_dma_count_inside(&dma, 0, 0), 2);
	assert_int_equal(unmap(&dma, 0, 0), 2);
	assert_int_equal(dma.nr_ranges, 0);
	ontb_dma_fini(&dma);
}

static void number_of_mappings_is_limited(void **state)
{
	struct ontb_dma_range *range;
	struct ontb_dma dma;

	(void)state;
	ontb_dma_init(&dma, 20);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(map(&dma, i * PAGE, PAGE, -1), 0);
	assert_int_equal(ontb_dma_reserve(&dma, &why), -ENOSPC);
	assert_int_equal(ontb_dma_range_new(RW, 0, PAGE, -1, PAGE, &why, &range), -EINVAL);
	ontb_dma_fini(&dma);
}

static int memory_file(size_t size)
{
	int fd = memfd_create("dma", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void copies_of_every_alignment_and_length(void **state)
{
	uint8_t expected[256], buf[64], back[64];
	struct ontb_dma_range *range;
	int fd = memory_file(PAGE);
	uint8_t *view;

	(void)state;
	assert_int_equal(ontb_dma_range_new(RW, 0, PAGE, fd, 0, &why, &range), 0);
	view = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(view != MAP_FAILED);
	for (size_t offset = 0; offset < 17; offset++) {
		for (size_t len = 1; len <= sizeof(buf); len++) {
			memset(view, 0xee, sizeof(expected));
			memset(expected, 0xee, sizeof(expected));
			for (size_t i = 0; i < len; i++)
				buf[i] = (uint8_t)(offset * 31 + len * 7 + i);
			memcpy(expected + offset, buf, len);
			assert_int_equal(ontb_dma_copy_in(range, offset, buf, len), 0);
			assert_memory_equal(view, expected, sizeof(expected));
			assert_int_equal(ontb_dma_copy_out(range, offset, back, len), 0);
			assert_memory_equal(back, buf, len);
		}
	}
	munmap(view, PAGE);
	close(fd);
	ontb_dma_range_free(range);
}

static void memory_that_is_taken_away_is_an_error_and_no_crash(void **state)
{
	struct ontb_dma_range *range, *other;
	int fd = memory_file(4 * PAGE), other_fd = memory_file(PAGE);
	uint8_t buf[2 * PAGE] = { 1 };

	(void)state;
	assert_int_equal(ontb_guard_install(), 0);
	assert_int_equal(ontb_dma_range_new(RW, 0, 4 * PAGE, fd, 0, &why, &range), 0);
	assert_int_equal(ontb_dma_range_new(RW, 0, PAGE, other_fd, 0, &why, &other), 0);
	assert_int_equal(ontb_dma_copy_in(range, 3 * PAGE, buf, PAGE), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(ontb_dma_copy_in(range, 0, buf, PAGE), 0);
	/* Two pages, of which the second is gone. */
	assert_int_equal(ontb_dma_copy_in(range, 0, buf, 2 * PAGE), -EFAULT);
	assert_int_equal(ontb_dma_copy_in(range, 0, buf, 1), -EFAULT);
	assert_int_equal(ontb_dma_copy_out(range, 0, buf, 1), -EFAULT);
	assert_int_equal(ontb_dma_copy_out(other, 0, buf, PAGE), 0);
	assert_null(ontb_guard_current);
	ontb_dma_range_free(range);
	ontb_dma_range_free(other);
	close(fd);
	close(other_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_the_model),
		cmocka_unit_test(everything_is_unmapped_by_the_whole_address_space),
		cmocka_unit_test(number_of_mappings_is_limited),
		cmocka_unit_test(copies_of_every_alignment_and_length),
		cmocka_unit_test(memory_that_is_taken_away_is_an_error_and_no_crash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dma_map", tests, NULL, NULL);
}
