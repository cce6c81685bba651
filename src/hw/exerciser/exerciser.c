// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The exerciser. All its state is behind one lock, which is also what an access holds: it has one host, and nobody reaches
 * it through another port.
 */
#include <openntb/exerciser.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "base/bytes.h"
#include "base/log.h"
#include "hw/bridge/config.h"
#include "hw/exerciser/caps.h"

#define MAX_MSI	    32
#define MAX_MSIX    2048
#define NR_REGS	    12
#define LATCH_WORDS (MAX_MSIX / 64)
#define CLASS_OTHER 0xff0000

/**
 * struct ontb_exerciser - an exerciser
 * @func:       What its carrier sees. Constant.
 * @config:     What it has. Constant.
 * @nr_vectors: The larger of its two numbers of vectors. Constant.
 * @lock:       Held during each access and each exclusive section; protects all below.
 * @host_ops:   Host operations, or NULL.
 * @host:       For @host_ops.
 * @space:      Configuration space.
 * @scratch:    Register; so are the next ones.
 * @nr_fired:   .
 * @status:     .
 * @dma_addr:   .
 * @dma_data:   .
 * @latched:    Vectors that wait for bus mastering.
 */
struct ontb_exerciser {
	struct ontb_func func;
	struct ontb_exerciser_config config;
	unsigned int nr_vectors;
	struct ontb_lock lock;
	const struct ontb_host_ops *host_ops;
	void *host;
	struct ontb_config space;
	uint32_t scratch;
	uint32_t nr_fired;
	uint32_t status;
	uint64_t dma_addr;
	uint64_t dma_data;
	uint64_t latched[LATCH_WORDS];
};

static struct ontb_exerciser *to_exerciser(struct ontb_func *func)
{
	return ontb_container_of(func, struct ontb_exerciser, func);
}

static void describe(struct ontb_func *func, struct ontb_func_info *info)
{
	const struct ontb_exerciser *ex = to_exerciser(func);

	*info = (struct ontb_func_info){
		.bars = { [0] = { .size = ONTB_EXERCISER_BAR0_SIZE, .is_64bit = true } },
		.config_size = ONTB_CONFIG_SIZE,
		.nr_vectors = ex->nr_vectors,
	};
}

static void enter(struct ontb_func *func) ONTB_NO_LOCK_ANALYSIS
{
	ontb_lock(&to_exerciser(func)->lock);
}

static void leave(struct ontb_func *func) ONTB_NO_LOCK_ANALYSIS
{
	ontb_unlock(&to_exerciser(func)->lock);
}

static void exclusive(struct ontb_func *func, void (*fn)(void *arg), void *arg)
{
	enter(func);
	fn(arg);
	leave(func);
}

static void fire(struct ontb_exerciser *ex, uint32_t vector)
{
	if (vector >= ex->nr_vectors)
		return;
	ex->nr_fired++;
	if (!ontb_config_bus_master(&ex->space))
		ex->latched[vector / 64] |= 1ULL << vector % 64;
	else if (ex->host_ops)
		ex->host_ops->raise_vector(ex->host, vector);
}

/* Without bus mastering a function cannot send the message of an interrupt: PCIe 5.0, 7.5.1.1.3 "Command Register". */
static void fire_latched(struct ontb_exerciser *ex)
{
	if (!ontb_config_bus_master(&ex->space))
		return;
	for (unsigned int w = 0; w < LATCH_WORDS; w++) {
		uint64_t bits = ex->latched[w];

		ex->latched[w] = 0;
		for (; bits && ex->host_ops; bits &= bits - 1)
			ex->host_ops->raise_vector(ex->host, w * 64 + (unsigned int)__builtin_ctzll(bits));
	}
}

static uint32_t dma_write(struct ontb_exerciser *ex, uint32_t len)
{
	uint8_t bytes[8];

	if (!len || len > sizeof(bytes))
		return ONTB_EXERCISER_BAD_LEN;
	if (!ontb_config_bus_master(&ex->space))
		return ONTB_EXERCISER_NO_MASTER;
	ontb_put_le64(bytes, ex->dma_data);
	if (!ex->host_ops || ex->host_ops->mem_write(ex->host, 0, ex->dma_addr, bytes, len))
		return ONTB_EXERCISER_FAULT;
	return ONTB_EXERCISER_DONE;
}

static void set_half(uint64_t *reg, bool is_high, uint32_t value)
{
	unsigned int shift = is_high ? 32 : 0;

	*reg = (*reg & ~(0xffffffffULL << shift)) | (uint64_t)value << shift;
}

static uint32_t pending_word(const struct ontb_exerciser *ex, uint64_t offset)
{
	unsigned int first = (unsigned int)(offset - ONTB_EXERCISER_REG_MSIX_PBA) * 8;
	uint32_t word = 0;

	for (unsigned int v = first; v < first + 32 && v < ex->config.nr_msix; v++) {
		if (ex->latched[v / 64] >> v % 64 & 1 || (ex->host_ops && ex->host_ops->vector_pending(ex->host, v)))
			word |= 1U << v % 32;
	}
	return word;
}

static uint32_t reg_read(const struct ontb_exerciser *ex, uint64_t offset)
{
	switch (offset) {
	case ONTB_EXERCISER_REG_ID:
		return ONTB_EXERCISER_ID;
	case ONTB_EXERCISER_REG_VECTORS:
		return ex->config.nr_msi | ex->config.nr_msix << 16;
	case ONTB_EXERCISER_REG_SCRATCH:
		return ex->scratch;
	case ONTB_EXERCISER_REG_NR_FIRED:
		return ex->nr_fired;
	case ONTB_EXERCISER_REG_DMA_ADDR:
		return (uint32_t)ex->dma_addr;
	case ONTB_EXERCISER_REG_DMA_ADDR + 4:
		return (uint32_t)(ex->dma_addr >> 32);
	case ONTB_EXERCISER_REG_DMA_DATA:
		return (uint32_t)ex->dma_data;
	case ONTB_EXERCISER_REG_DMA_DATA + 4:
		return (uint32_t)(ex->dma_data >> 32);
	case ONTB_EXERCISER_REG_STATUS:
		return ex->status;
	default:
		if (offset >= ONTB_EXERCISER_REG_MSIX_PBA && offset < ONTB_EXERCISER_REG_MSIX_PBA + MAX_MSIX / 8)
			return pending_word(ex, offset);
		return 0;
	}
}

static void reg_write(struct ontb_exerciser *ex, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case ONTB_EXERCISER_REG_SCRATCH:
		ex->scratch = value;
		break;
	case ONTB_EXERCISER_REG_FIRE:
		fire(ex, value);
		break;
	case ONTB_EXERCISER_REG_DMA_ADDR:
	case ONTB_EXERCISER_REG_DMA_ADDR + 4:
		set_half(&ex->dma_addr, offset != ONTB_EXERCISER_REG_DMA_ADDR, value);
		break;
	case ONTB_EXERCISER_REG_DMA_DATA:
	case ONTB_EXERCISER_REG_DMA_DATA + 4:
		set_half(&ex->dma_data, offset != ONTB_EXERCISER_REG_DMA_DATA, value);
		break;
	case ONTB_EXERCISER_REG_DMA_GO:
		ex->status = dma_write(ex, value);
		break;
	default:
		break;
	}
}

static bool in_bar(unsigned int bar, uint64_t offset, size_t len)
{
	return !bar && ontb_range_fits(offset, len, ONTB_EXERCISER_BAR0_SIZE);
}

static bool is_whole(uint64_t offset, size_t len)
{
	return (len == 4 || len == 8) && offset % len == 0;
}

static int bar_read(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read)
{
	const struct ontb_exerciser *ex = to_exerciser(func);

	if (!in_bar(bar, offset, read->len))
		return -ERANGE;
	memset(read->buf, ontb_config_memory_enabled(&ex->space) ? 0 : 0xff, read->len);
	if (!ontb_config_memory_enabled(&ex->space) || !is_whole(offset, read->len))
		return 0;
	for (size_t i = 0; i < read->len; i += 4)
		ontb_put_le32((uint8_t *)read->buf + i, reg_read(ex, offset + i));
	return 0;
}

static int bar_write(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_exerciser *ex = to_exerciser(func);

	if (!in_bar(bar, offset, len))
		return -ERANGE;
	if (!ontb_config_memory_enabled(&ex->space) || !is_whole(offset, len))
		return 0;
	for (size_t i = 0; i < len; i += 4)
		reg_write(ex, offset + i, ontb_get_le32((const uint8_t *)buf + i));
	return 0;
}

static int config_read(struct ontb_func *func, uint64_t offset, void *buf, size_t len)
{
	return ontb_config_read(&to_exerciser(func)->space, offset, buf, len);
}

static int config_write(struct ontb_func *func, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_exerciser *ex = to_exerciser(func);
	int ret = ontb_config_write(&ex->space, offset, buf, len);

	if (!ret)
		fire_latched(ex);
	return ret;
}

static void reset_locked(struct ontb_exerciser *ex)
{
	ontb_config_reset(&ex->space);
	ex->scratch = ex->nr_fired = ex->status = 0;
	ex->dma_addr = ex->dma_data = 0;
	memset(ex->latched, 0, sizeof(ex->latched));
	if (ex->host_ops)
		ex->host_ops->clear_vectors(ex->host);
}

static int attach(struct ontb_func *func, const struct ontb_host_ops *ops, void *host)
{
	struct ontb_exerciser *ex = to_exerciser(func);
	int ret = 0;

	enter(func);
	if (ex->host_ops) {
		ret = -EBUSY;
	} else {
		ex->host_ops = ops;
		ex->host = host;
	}
	leave(func);
	return ret;
}

static void detach(struct ontb_func *func)
{
	struct ontb_exerciser *ex = to_exerciser(func);

	enter(func);
	reset_locked(ex);
	ex->host_ops = NULL;
	ex->host = NULL;
	leave(func);
}

static void reset(struct ontb_func *func)
{
	enter(func);
	reset_locked(to_exerciser(func));
	leave(func);
}

static const struct ontb_func_ops exerciser_ops = {
	.describe = describe,
	.enter = enter,
	.leave = leave,
	.exclusive = exclusive,
	.attach = attach,
	.detach = detach,
	.reset = reset,
	.config_read = config_read,
	.config_write = config_write,
	.bar_read = bar_read,
	.bar_write = bar_write,
};

static bool is_config_valid(const struct ontb_exerciser_config *config)
{
	if (config->nr_msi > MAX_MSI || (config->nr_msi && !ontb_is_power_of_two(config->nr_msi))) {
		ontb_log(ONTB_LOG_ERROR,
			 "exerciser: number of MSI messages is %u, must be 0 or a power of two up to %d",
			 config->nr_msi, MAX_MSI);
		return false;
	}
	if (config->nr_msix > MAX_MSIX) {
		ontb_log(ONTB_LOG_ERROR, "exerciser: number of MSI-X vectors is %u, must be 0 to %d", config->nr_msix,
			 MAX_MSIX);
		return false;
	}
	if (!config->nr_msi && !config->nr_msix) {
		ontb_log(ONTB_LOG_ERROR, "exerciser: neither MSI nor MSI-X, one must be there");
		return false;
	}
	return true;
}

static void init_space(struct ontb_exerciser *ex)
{
	const struct ontb_config_ids ids = {
		.vendor = ONTB_EXERCISER_VENDOR,
		.device = ONTB_EXERCISER_DEVICE,
		.class_code = CLASS_OTHER,
		.link_speed = 3,
		.link_width = 1,
	};
	const struct ontb_config_msix msix = {
		.nr_vectors = ex->config.nr_msix,
		.bar = 0,
		.table = ONTB_EXERCISER_REG_MSIX_TABLE,
		.pba = ONTB_EXERCISER_REG_MSIX_PBA,
	};
	struct ontb_func_info info;

	describe(&ex->func, &info);
	ontb_config_init(&ex->space, &ids, info.bars, &msix);
	if (!ex->config.nr_msix)
		ontb_exerciser_cap_remove(&ex->space, ONTB_CAP_ID_MSIX);
	if (ex->config.nr_msi)
		ontb_exerciser_cap_add_msi(&ex->space, ex->config.nr_msi);
	ontb_exerciser_cap_add_flr(&ex->space);
	ontb_config_reset(&ex->space);
}

int ontb_exerciser_new(const struct ontb_exerciser_config *config, struct ontb_exerciser **out)
{
	struct ontb_exerciser *ex;

	if (!is_config_valid(config))
		return -EINVAL;
	ex = calloc(1, sizeof(*ex));
	if (!ex)
		return -ENOMEM;
	ex->func.ops = &exerciser_ops;
	ex->config = *config;
	ex->nr_vectors = config->nr_msi > config->nr_msix ? config->nr_msi : config->nr_msix;
	ontb_lock_init(&ex->lock);
	init_space(ex);
	*out = ex;
	return 0;
}

void ontb_exerciser_free(struct ontb_exerciser *exerciser)
{
	if (!exerciser)
		return;
	ontb_lock_fini(&exerciser->lock);
	free(exerciser);
}

struct ontb_func *ontb_exerciser_func(struct ontb_exerciser *exerciser)
{
	return &exerciser->func;
}
