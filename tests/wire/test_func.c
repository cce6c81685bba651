// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A small PCI function for tests of the wire. See test_func.h.
 */
#include "test_func.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/*
 * A function. @memory and @config belong to the thread of its host; what several threads touch is atomic or changes
 * only while nobody accesses.
 */
struct test_func {
	struct ontb_func func;
	struct test_bridge *bridge;
	unsigned int idx;
	const struct ontb_host_ops *ops; /* exclusive */
	void *host;			 /* exclusive */
	uint64_t addr;
	uint64_t target;
	uint64_t error;
	uint64_t nr_errors;
	uint64_t nr_writes;
	uint64_t nr_resets;
	uint8_t memory[TEST_BAR0_MEMORY];
	uint8_t config[TEST_CONFIG_SIZE];
};

struct test_bridge {
	struct ontb_brlock lock;
	unsigned int nr_funcs;
	unsigned int nr_vectors;
	struct test_func funcs[TEST_MAX_FUNCS];
};

static struct test_func *to_test(struct ontb_func *func)
{
	return ontb_container_of(func, struct test_func, func);
}

static void test_describe(struct ontb_func *func, struct ontb_func_info *info)
{
	memset(info, 0, sizeof(*info));
	info->bars[0].size = TEST_BAR0_SIZE;
	info->bars[2].size = TEST_BAR2_SIZE;
	info->bars[2].is_64bit = true;
	info->config_size = TEST_CONFIG_SIZE;
	info->nr_vectors = to_test(func)->bridge->nr_vectors;
}

static void test_enter(struct ontb_func *func)
{
	ontb_brlock_read_lock(&to_test(func)->bridge->lock, to_test(func)->idx);
}

static void test_leave(struct ontb_func *func)
{
	ontb_brlock_read_unlock(&to_test(func)->bridge->lock, to_test(func)->idx);
}

static void test_exclusive(struct ontb_func *func, void (*fn)(void *arg), void *arg) ONTB_NO_LOCK_ANALYSIS
{
	ontb_brlock_write_lock(&to_test(func)->bridge->lock);
	fn(arg);
	ontb_brlock_write_unlock(&to_test(func)->bridge->lock);
}

static int test_attach(struct ontb_func *func, const struct ontb_host_ops *ops, void *host) ONTB_NO_LOCK_ANALYSIS
{
	struct test_func *f = to_test(func);
	int ret = -EBUSY;

	ontb_brlock_write_lock(&f->bridge->lock);
	if (!f->ops) {
		f->ops = ops;
		f->host = host;
		ret = 0;
	}
	ontb_brlock_write_unlock(&f->bridge->lock);
	return ret;
}

static void test_detach(struct ontb_func *func) ONTB_NO_LOCK_ANALYSIS
{
	struct test_func *f = to_test(func);

	ontb_brlock_write_lock(&f->bridge->lock);
	f->ops = NULL;
	f->host = NULL;
	ontb_brlock_write_unlock(&f->bridge->lock);
}

static void test_reset(struct ontb_func *func) ONTB_NO_LOCK_ANALYSIS
{
	struct test_func *f = to_test(func);

	ontb_brlock_write_lock(&f->bridge->lock);
	f->nr_resets++;
	f->ops->clear_vectors(f->host);
	ontb_brlock_write_unlock(&f->bridge->lock);
}

static int test_config_read(struct ontb_func *func, uint64_t offset, void *buf, size_t len)
{
	if (!ontb_range_fits(offset, len, TEST_CONFIG_SIZE))
		return -ERANGE;
	memcpy(buf, to_test(func)->config + offset, len);
	return 0;
}

static int test_config_write(struct ontb_func *func, uint64_t offset, const void *buf, size_t len)
{
	if (!ontb_range_fits(offset, len, TEST_CONFIG_SIZE))
		return -ERANGE;
	memcpy(to_test(func)->config + offset, buf, len);
	return 0;
}

static struct test_func *target_of(struct test_func *f)
{
	struct test_func *target;

	if (f->target >= f->bridge->nr_funcs)
		return NULL;
	target = &f->bridge->funcs[f->target];
	return target->ops ? target : NULL;
}

static uint64_t pending_bits(struct test_func *f)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < f->bridge->nr_vectors && i < 64; i++)
		bits |= (uint64_t)f->ops->vector_pending(f->host, i) << i;
	return bits;
}

static uint64_t attached_bits(const struct test_bridge *bridge)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < bridge->nr_funcs && i < TEST_MAX_FUNCS; i++)
		bits |= (uint64_t)(bridge->funcs[i].ops != NULL) << i;
	return bits;
}

static int read_register(struct test_func *f, uint64_t offset, uint64_t *value)
{
	switch (offset) {
	case TEST_REG_ADDR:
		*value = f->addr;
		return 0;
	case TEST_REG_TARGET:
		*value = f->target;
		return 0;
	case TEST_REG_PENDING:
		*value = pending_bits(f);
		return 0;
	case TEST_REG_ERROR:
		*value = f->error;
		return 0;
	case TEST_REG_ERRORS:
		*value = f->nr_errors;
		return 0;
	case TEST_REG_WRITES:
		*value = f->nr_writes;
		return 0;
	case TEST_REG_ATTACHED:
		*value = attached_bits(f->bridge);
		return 0;
	case TEST_REG_RESETS:
		*value = f->nr_resets;
		return 0;
	case TEST_REG_REFUSE:
		return -ERANGE;
	default:
		*value = UINT64_MAX;
		return 0;
	}
}

static int write_register(struct test_func *f, uint64_t offset, uint64_t value)
{
	struct test_func *target = target_of(f);

	switch (offset) {
	case TEST_REG_ADDR:
		f->addr = value;
		return 0;
	case TEST_REG_TARGET:
		f->target = value;
		return 0;
	case TEST_REG_RAISE:
		if (target)
			target->ops->raise_vector(target->host, (unsigned int)value);
		return 0;
	case TEST_REG_CLEAR:
		if (target)
			target->ops->clear_vectors(target->host);
		return 0;
	case TEST_REG_REFUSE:
		return -ERANGE;
	default:
		return 0;
	}
}

static int test_bar_read(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read)
{
	struct test_func *f = to_test(func), *target;
	uint64_t value = UINT64_MAX;
	int ret;

	memset(read->buf, 0xff, read->len);
	if (bar == 2) {
		target = target_of(f);
		ret = target ? target->ops->mem_read(target->host, f->addr + offset, read) : 0;
		if (ret && ret != -EINPROGRESS)
			memset(read->buf, 0xff, read->len);
		return ret == -EINPROGRESS ? ret : 0;
	}
	if (ontb_range_fits(offset, read->len, TEST_BAR0_MEMORY)) {
		memcpy(read->buf, f->memory + offset, read->len);
		return 0;
	}
	ret = read_register(f, offset & ~7ULL, &value);
	if (!ret && (offset & 7) + read->len <= 8)
		memcpy(read->buf, (uint8_t *)&value + (offset & 7), read->len);
	return ret;
}

static int test_bar_write(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct test_func *f = to_test(func), *target;
	int ret;

	f->nr_writes++;
	if (bar == 2) {
		target = target_of(f);
		ret = target ? target->ops->mem_write(target->host, f->idx, f->addr + offset, buf, len) : -ENOLINK;
		f->error = (uint64_t)-ret;
		f->nr_errors += ret != 0;
		return 0;
	}
	if (ontb_range_fits(offset, len, TEST_BAR0_MEMORY)) {
		memcpy(f->memory + offset, buf, len);
		return 0;
	}
	return write_register(f, offset, len == 8 ? ontb_get_le64(buf) : len == 4 ? ontb_get_le32(buf) : 0);
}

static const struct ontb_func_ops test_ops = {
	.describe = test_describe,
	.enter = test_enter,
	.leave = test_leave,
	.exclusive = test_exclusive,
	.attach = test_attach,
	.detach = test_detach,
	.reset = test_reset,
	.config_read = test_config_read,
	.config_write = test_config_write,
	.bar_read = test_bar_read,
	.bar_write = test_bar_write,
};

int test_bridge_new(unsigned int nr_funcs, unsigned int nr_vectors, struct test_bridge **out)
{
	struct test_bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge)
		return -ENOMEM;
	if (ontb_brlock_init(&bridge->lock, nr_funcs)) {
		free(bridge);
		return -ENOMEM;
	}
	bridge->nr_funcs = nr_funcs;
	bridge->nr_vectors = nr_vectors;
	for (unsigned int i = 0; i < nr_funcs; i++) {
		bridge->funcs[i].func.ops = &test_ops;
		bridge->funcs[i].bridge = bridge;
		bridge->funcs[i].idx = i;
		bridge->funcs[i].target = i ^ 1;
	}
	*out = bridge;
	return 0;
}

struct ontb_func *test_bridge_func(struct test_bridge *bridge, unsigned int idx)
{
	return &bridge->funcs[idx].func;
}

void test_bridge_free(struct test_bridge *bridge)
{
	if (!bridge)
		return;
	ontb_brlock_fini(&bridge->lock);
	free(bridge);
}
