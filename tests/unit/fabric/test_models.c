// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Functions of all kinds in a machine: a model may be in another process, so it may say anything, and it may take its time.
 */
#include "rig.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "base/annotate.h"
#include "base/bytes.h"

#define RID ONTB_RID(0, 2, 0)

/**
 * struct model - a function that is its configuration space and a piece of memory
 * @func:     What the carrier sees.
 * @info:     What it says.
 * @space:    Configuration space; all of it can be written.
 * @size:     Of the configuration space.
 * @bar:      Bytes of all BARs.
 * @lock:     Access.
 * @ops:      Host operations.
 * @host:     For @ops.
 * @nr_resets: Resets.
 * @is_slow:  Reads of BARs complete when somebody does it.
 * @read:     Such a read.
 * @came:     Posted when it is there.
 */
struct model {
	struct ontb_func func;
	struct ontb_func_info info;
	uint8_t space[4096];
	size_t size;
	uint8_t bar[8192];
	struct ontb_lock lock;
	const struct ontb_host_ops *ops;
	void *host;
	unsigned int nr_resets;
	bool is_slow;
	struct ontb_read *read;
	sem_t came;
};

static struct rig rig;
static struct model model;

static struct model *to_model(struct ontb_func *func)
{
	return ontb_container_of(func, struct model, func);
}

static void describe(struct ontb_func *func, struct ontb_func_info *info)
{
	*info = to_model(func)->info;
}

static void enter(struct ontb_func *func) ONTB_NO_LOCK_ANALYSIS
{
	ontb_lock(&to_model(func)->lock);
}

static void leave(struct ontb_func *func) ONTB_NO_LOCK_ANALYSIS
{
	ontb_unlock(&to_model(func)->lock);
}

static void exclusive(struct ontb_func *func, void (*fn)(void *arg), void *arg)
{
	enter(func);
	fn(arg);
	leave(func);
}

static int attach(struct ontb_func *func, const struct ontb_host_ops *ops, void *host)
{
	to_model(func)->ops = ops;
	to_model(func)->host = host;
	return 0;
}

static void detach(struct ontb_func *func)
{
	to_model(func)->ops = NULL;
}

static void reset(struct ontb_func *func)
{
	to_model(func)->nr_resets++;
}

static int config_read(struct ontb_func *func, uint64_t offset, void *buf, size_t len)
{
	if (!ontb_range_fits(offset, len, to_model(func)->size))
		return -ERANGE;
	memcpy(buf, to_model(func)->space + offset, len);
	return 0;
}

static int config_write(struct ontb_func *func, uint64_t offset, const void *buf, size_t len)
{
	if (!ontb_range_fits(offset, len, to_model(func)->size))
		return -ERANGE;
	memcpy(to_model(func)->space + offset, buf, len);
	return 0;
}

static int bar_read(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read)
{
	struct model *m = to_model(func);

	if (!ontb_range_fits(offset, read->len, m->info.bars[bar].size))
		return -ERANGE;
	if (m->is_slow) {
		m->read = read;
		(void)sem_post(&m->came);
		return -EINPROGRESS;
	}
	memcpy(read->buf, m->bar + offset, read->len);
	return 0;
}

static int bar_write(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	if (!ontb_range_fits(offset, len, to_model(func)->info.bars[bar].size))
		return -ERANGE;
	memcpy(to_model(func)->bar + offset, buf, len);
	return 0;
}

static const struct ontb_func_ops model_ops = {
	describe, enter, leave, exclusive, attach, detach, reset, config_read, config_write, bar_read, bar_write,
};

/* A function with a BAR of 4 KiB, a capability list that is empty, and one vector. */
static void start(void)
{
	memset(&model, 0, sizeof(model));
	model.func.ops = &model_ops;
	model.info = (struct ontb_func_info){ .bars = { { .size = 4096 } }, .config_size = 4096, .nr_vectors = 8 };
	model.size = sizeof(model.space);
	model.space[6] = 0x10;
	ontb_lock_init(&model.lock);
	(void)sem_init(&model.came, 0, 0);
	rig_open(&rig, "host a cpus=2", false, 1);
}

static void add(void)
{
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, &model.func, NULL), 0);
}

static void finish(void)
{
	rig_close(&rig);
	(void)sem_destroy(&model.came);
	ontb_lock_fini(&model.lock);
}

static void put_cap(unsigned int at, uint8_t id, uint8_t next)
{
	model.space[at] = id;
	model.space[at + 1] = next;
}

static void put_msix(unsigned int at, unsigned int nr, uint32_t table, uint32_t pba)
{
	put_cap(at, 0x11, 0);
	ontb_put_le16(model.space + at + 2, (uint16_t)(nr - 1));
	ontb_put_le32(model.space + at + 4, table);
	ontb_put_le32(model.space + at + 8, pba);
}

static uint64_t open_bar32(void)
{
	rig_set_cfg(&rig, 0, RID, 0x10, 0xe0000000, 4);
	rig_enable(&rig, 0, RID);
	return 0xe0000000;
}

static void bar_of_32_bits_takes_one_register(void **state)
{
	uint64_t bar;

	(void)state;
	start();
	model.info.bars[1] = (struct ontb_bar_info){ .size = 16, .prefetchable = true };
	add();
	rig_set_cfg(&rig, 0, RID, 0x10, 0xffffffff, 4);
	rig_set_cfg(&rig, 0, RID, 0x14, 0xffffffff, 4);
	rig_set_cfg(&rig, 0, RID, 0x18, 0xffffffff, 4);
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x10, 4), 0xfffff000);
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x14, 4), 0xfffffff8);
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x18, 4), 0);
	bar = open_bar32();
	rig_set_cfg(&rig, 0, RID, 0x14, 0xe0001010, 4);
	rig_write(&rig, 0, bar + 4088, 0x1122334455667788, 8);
	assert_true(ontb_get_le64(model.bar + 4088) == 0x1122334455667788);
	rig_write(&rig, 0, 0xe0001018, 0x77, 1);
	assert_int_equal(model.bar[8], 0x77);
	assert_true(rig_read(&rig, 0, 0xe0001020, 1) == 0xff);
	finish();
}

static void list_of_capabilities_may_be_a_circle(void **state)
{
	(void)state;
	start();
	model.space[0x34] = 0x40;
	put_cap(0x40, 0x09, 0x50);
	put_cap(0x50, 0x09, 0x40);
	add();
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x51, 1), 0x40);
	finish();
}

static void capability_that_does_not_fit_is_left_alone(void **state)
{
	static const uint8_t ids[] = { 0x05, 0x10, 0x11 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		start();
		model.space[0x34] = 0xfc;
		put_cap(0xfc, ids[i], 0x10);
		add();
		rig_set_cfg(&rig, 0, RID, 0xfc, 0xffffffff, 4);
		assert_int_equal(rig_cfg(&rig, 0, RID, 0xfc, 4), 0xffffffff);
		finish();
	}
}

static void msix_outside_the_bars_is_the_models_own(void **state)
{
	static const struct {
		unsigned int nr;
		uint32_t table;
		uint32_t pba;
	} bad[] = { { 1, 0x1000, 0 }, { 257, 0, 0x800 }, { 1, 1, 0 }, { 1, 7, 0 }, { 1, 0, 0x1000 }, { 1, 0, 6 } };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		uint64_t bar;

		start();
		model.space[0x34] = 0x40;
		put_msix(0x40, bad[i].nr, bad[i].table, bad[i].pba);
		add();
		bar = open_bar32();
		rig_write(&rig, 0, bar, 0x12345678, 4);
		assert_int_equal(ontb_get_le32(model.bar), 0x12345678);
		finish();
	}
}

static void msix_that_fits_is_not(void **state)
{
	uint64_t bar;

	(void)state;
	start();
	model.space[0x34] = 0x40;
	put_msix(0x40, 100, 0x800, 0x7f0);
	add();
	bar = open_bar32();
	rig_write(&rig, 0, bar + 0x800, rig_msi_addr(0), 8);
	assert_int_equal(ontb_get_le32(model.bar + 0x800), 0);
	rig_write(&rig, 0, bar + 0x800 + 1600, 0x77, 4);
	assert_int_equal(model.bar[0x800 + 1600], 0x77);
	/* Pending bits are those of the model, too. */
	model.bar[0x7f0] = 0x40;
	enter(&model.func);
	model.ops->raise_vector(model.host, 1);
	model.ops->raise_vector(model.host, 8);
	assert_true(model.ops->vector_pending(model.host, 1));
	assert_false(model.ops->vector_pending(model.host, 8));
	assert_false(model.ops->vector_pending(model.host, UINT32_MAX));
	leave(&model.func);
	assert_int_equal(rig_read(&rig, 0, bar + 0x7f0, 8), 0x42);
	enter(&model.func);
	model.ops->clear_vectors(model.host);
	leave(&model.func);
	assert_int_equal(rig_read(&rig, 0, bar + 0x7f0, 8), 0x40);
	finish();
}

static void msi_with_32_bits_and_without_masks_is_shorter(void **state)
{
	(void)state;
	start();
	model.space[0x34] = 0x40;
	put_cap(0x40, 0x05, 0);
	ontb_put_le16(model.space + 0x42, 2 << 1);
	memset(model.space + 0x4a, 0x33, 16);
	add();
	open_bar32();
	rig_set_cfg(&rig, 0, RID, 0x44, (uint32_t)rig_msi_addr(1), 4);
	rig_set_cfg(&rig, 0, RID, 0x48, 0x60, 2);
	rig_set_cfg(&rig, 0, RID, 0x42, 2 << 4 | 1, 2);
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x48, 2), 0x60);
	/* What is behind it is the model's. */
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x4c, 4), 0x33333333);
	enter(&model.func);
	model.ops->raise_vector(model.host, 3);
	leave(&model.func);
	rig_wait(&rig, 0, 0x63, 1);
	assert_int_equal(rig.taken[0].cpu, 1);
	finish();
}

static void function_without_configuration_space_does_no_harm(void **state)
{
	(void)state;
	start();
	model.size = 16;
	add();
	assert_int_equal(rig_cfg(&rig, 0, RID, 0x40, 4), 0xffffffff);
	assert_int_equal(rig_cfg(&rig, 0, RID, 0, 4), 0);
	rig_set_cfg(&rig, 0, RID, 0x40, 0, 4);
	finish();
}

static void bars_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		unsigned int bar;
		struct ontb_bar_info info;
	} bad[] = {
		{ 1, { .size = 8 } },
		{ 1, { .size = 48 } },
		{ 1, { .size = 1ULL << 32 } },
		{ 5, { .size = 4096, .is_64bit = true } },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		start();
		model.info.bars[bad[i].bar] = bad[i].info;
		assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, &model.func, NULL), -EINVAL);
		finish();
	}
	start();
	model.info.bars[0].is_64bit = true;
	model.info.bars[1].size = 16;
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, &model.func, NULL), -EINVAL);
	model.info.bars[1].size = 0;
	model.info.nr_vectors = 2049;
	assert_int_equal(ontb_fabric_add_func(rig.fabric, 0, &model.func, NULL), -EINVAL);
	finish();
}

static void reset_is_asked_for_by_one_bit(void **state)
{
	(void)state;
	start();
	model.space[0x34] = 0x40;
	put_cap(0x40, 0x10, 0);
	ontb_put_le32(model.space + 0x44, 0x10000000);
	add();
	rig_set_cfg(&rig, 0, RID, 0x48, 0x7fff, 2);
	rig_set_cfg(&rig, 0, RID, 0x4a, 0x8000, 2);
	assert_int_equal(model.nr_resets, 0);
	rig_set_cfg(&rig, 0, RID, 0x49, 0x80, 1);
	assert_int_equal(model.nr_resets, 1);
	rig_set_cfg(&rig, 0, RID, 0x48, 0x8000, 4);
	assert_int_equal(model.nr_resets, 2);
	finish();
	/* A function that cannot be reset ignores it. */
	start();
	model.space[0x34] = 0x40;
	put_cap(0x40, 0x10, 0);
	add();
	rig_set_cfg(&rig, 0, RID, 0x48, 0x8000, 2);
	assert_int_equal(model.nr_resets, 0);
	finish();
}

static void *load(void *arg)
{
	uint64_t *value = arg;

	*value = rig_read(&rig, 0, 0xe0000010, 8);
	return NULL;
}

static void read_that_takes_its_time_stops_nobody_else(void **state)
{
	uint64_t value = 0;
	pthread_t thread;

	(void)state;
	start();
	add();
	open_bar32();
	model.is_slow = true;
	for (unsigned int fails = 0; fails < 2; fails++) {
		assert_int_equal(pthread_create(&thread, NULL, load, &value), 0);
		while (sem_wait(&model.came))
			;
		/* The other CPU goes on with the same function. */
		rig_write(&rig, 0, 0xe0000020, 0x99, 4);
		assert_int_equal(model.bar[0x20], 0x99);
		assert_int_equal(model.read->len, 8);
		ontb_put_le64(model.read->buf, 0x0123456789abcdef);
		model.read->done(model.read, fails ? -ETIMEDOUT : 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_true(value == (fails ? ALL_ONES : 0x0123456789abcdef));
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bar_of_32_bits_takes_one_register),
		cmocka_unit_test(list_of_capabilities_may_be_a_circle),
		cmocka_unit_test(capability_that_does_not_fit_is_left_alone),
		cmocka_unit_test(msix_outside_the_bars_is_the_models_own),
		cmocka_unit_test(msix_that_fits_is_not),
		cmocka_unit_test(msi_with_32_bits_and_without_masks_is_shorter),
		cmocka_unit_test(function_without_configuration_space_does_no_harm),
		cmocka_unit_test(bars_that_make_no_sense_are_refused),
		cmocka_unit_test(reset_is_asked_for_by_one_bit),
		cmocka_unit_test(read_that_takes_its_time_stops_nobody_else),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
