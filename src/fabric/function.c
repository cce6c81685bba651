// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Life of a function, what its model does to the host, and what the host does to its BARs.
 */
#include "fabric/function.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/trace.h"
#include "fabric/space.h"

/* PCIe 5.0, 7.7.2.2 "Message Control Register for MSI-X". */
#define MAX_VECTORS 2048

static void trace_dma(const struct ontb_function *function, const char *name, unsigned int source, uint64_t addr,
		      const void *buf, size_t len)
{
	struct ontb_trace_event event = {
		.category = "dma",
		.name = name,
		.port_idx = function->config.source,
		.args = { { .key = "addr", .num = addr, .hex = true },
			  { .key = "bytes", .num = len },
			  { .key = "source", .num = source } },
	};

	ontb_trace_set_value(&event.args[3], buf, len);
	ontb_trace_emit(function->config.trace, &event);
}

static void trace_vector(const struct ontb_function *function, unsigned int vector)
{
	ontb_trace_emit(function->config.trace, &(struct ontb_trace_event){
							.category = "interrupt",
							.name = "vector",
							.port_idx = function->config.source,
							.args = { { .key = "vector", .num = vector } },
						});
}

static int host_mem_write(void *host, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	struct ontb_function *function = host;

	if (ontb_unlikely(function->config.trace))
		trace_dma(function, "write", source, addr, buf, len);
	return ontb_way_write(&function->way, addr, buf, len);
}

static int host_mem_read(void *host, uint64_t addr, struct ontb_read *read)
{
	struct ontb_function *function = host;

	if (ontb_unlikely(function->config.trace))
		trace_dma(function, "read", read->source, addr, NULL, read->len);
	if (function->way.is_down)
		return -EFAULT;
	ontb_way_push(&function->way);
	return ontb_root_read(function->config.root, addr, read->buf, read->len);
}

static void host_raise_vector(void *host, unsigned int vector)
{
	struct ontb_function *function = host;

	if (ontb_unlikely(function->config.trace))
		trace_vector(function, vector);
	ontb_vectors_raise(&function->vectors, vector);
}

static void host_clear_vectors(void *host)
{
	struct ontb_function *function = host;

	ontb_vectors_clear(&function->vectors);
}

static bool host_vector_pending(void *host, unsigned int vector)
{
	struct ontb_function *function = host;

	return ontb_vectors_is_held(&function->vectors, vector);
}

static const struct ontb_host_ops function_host_ops = {
	.mem_write = host_mem_write,
	.mem_read = host_mem_read,
	.raise_vector = host_raise_vector,
	.clear_vectors = host_clear_vectors,
	.vector_pending = host_vector_pending,
};

static void plug_exclusive(void *arg)
{
	struct ontb_function *function = arg;

	function->is_there = true;
}

static void unplug_exclusive(void *arg)
{
	struct ontb_function *function = arg;

	function->is_there = false;
	ontb_way_drop(&function->way);
	ontb_space_reset(function);
}

int ontb_function_unplug(struct ontb_function *function)
{
	struct ontb_func *func = function->config.func;

	if (!function->is_there)
		return -ENOLINK;
	/* First the host loses the function, then the model its host: in between there is nobody who could notice. */
	func->ops->exclusive(func, unplug_exclusive, function);
	func->ops->detach(func);
	/* What accesses of other ports sent until then. */
	ontb_way_drop(&function->way);
	ontb_vectors_clear(&function->vectors);
	return 0;
}

int ontb_function_replug(struct ontb_function *function)
{
	struct ontb_func *func = function->config.func;
	int ret;

	if (function->is_there)
		return -EBUSY;
	ret = func->ops->attach(func, &function_host_ops, function);
	if (ret)
		return ret;
	func->ops->exclusive(func, plug_exclusive, function);
	return 0;
}

/* A model may be in another process, so what it says is looked at. */
static bool is_info_valid(const struct ontb_func_info *info)
{
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		uint64_t size = info->bars[b].size;
		bool fits = info->bars[b].is_64bit ? b + 1 < ONTB_NR_BARS && !info->bars[b + 1].size : size <= 1U << 31;

		if (size && (size < 16 || !ontb_is_power_of_two(size) || !fits))
			return false;
	}
	return info->nr_vectors <= MAX_VECTORS;
}

int ontb_function_new(const struct ontb_function_config *config, struct ontb_function **out)
{
	struct ontb_func *func = config->func;
	struct ontb_function *function;
	int ret;

	function = aligned_alloc(_Alignof(struct ontb_function), sizeof(*function));
	if (!function)
		return -ENOMEM;
	memset(function, 0, sizeof(*function));
	function->config = *config;
	func->ops->describe(func, &function->info);
	if (!is_info_valid(&function->info)) {
		ret = -EINVAL;
		goto free_function;
	}
	ontb_space_init(function);
	ontb_way_init(&function->way, config->root, config->rid, config->steps, config->seed);
	ret = ontb_vectors_init(&function->vectors, &function->way, function->info.nr_vectors,
				ontb_space_nr_msix(function));
	if (ret)
		goto fini_way;
	ret = ontb_function_replug(function);
	if (ret)
		goto fini_vectors;
	*out = function;
	return 0;

fini_vectors:
	ontb_vectors_fini(&function->vectors);
fini_way:
	ontb_way_fini(&function->way);
	ontb_space_fini(function);
free_function:
	free(function);
	return ret;
}

void ontb_function_free(struct ontb_function *function)
{
	if (!function)
		return;
	if (function->is_there)
		(void)ontb_function_unplug(function);
	ontb_way_fini(&function->way);
	ontb_vectors_fini(&function->vectors);
	ontb_space_fini(function);
	free(function);
}

/**
 * struct way_args - what set_way_exclusive() needs
 * @function: Function.
 * @way:      New way.
 */
struct way_args {
	struct ontb_function *function;
	const struct ontb_fabric_way *way;
};

static void set_way_exclusive(void *arg)
{
	struct way_args *args = arg;

	ontb_way_set(&args->function->way, args->way);
}

int ontb_function_set_way(struct ontb_function *function, const struct ontb_fabric_way *way)
{
	struct way_args args = { .function = function, .way = way };
	struct ontb_func *func = function->config.func;
	int ret = ontb_way_prepare(&function->way, way);

	if (!ret)
		func->ops->exclusive(func, set_way_exclusive, &args);
	return ret;
}

static bool can_reach(const struct ontb_function *function)
{
	return ontb_likely(function->is_there && !function->way.is_down);
}

static void enter(struct ontb_function *function)
{
	function->config.func->ops->enter(function->config.func);
}

static void leave(struct ontb_function *function)
{
	function->config.func->ops->leave(function->config.func);
}

/**
 * struct waiter - a read that a CPU waits for
 * @read:   What the model gets.
 * @status: How it ended.
 * @done:   Posted then.
 */
struct waiter {
	struct ontb_read read;
	int status;
	sem_t done;
};

static void waiter_done(struct ontb_read *read, int status)
{
	struct waiter *waiter = ontb_container_of(read, struct waiter, read);

	waiter->status = status;
	(void)sem_post(&waiter->done);
}

/* Inside an access, which is left while there is nothing to do but wait. */
static int read_model(struct ontb_function *function, unsigned int bar, uint64_t offset, void *buf, size_t len)
{
	struct ontb_func *func = function->config.func;
	struct waiter waiter = {
		.read = { .buf = buf, .len = len, .source = function->config.source, .done = waiter_done },
	};
	int ret;

	(void)sem_init(&waiter.done, 0, 0);
	ret = func->ops->bar_read(func, bar, offset, &waiter.read);
	if (ret == -EINPROGRESS) {
		leave(function);
		while (sem_wait(&waiter.done) && errno == EINTR)
			;
		ret = waiter.status;
		enter(function);
	}
	(void)sem_destroy(&waiter.done);
	return ret;
}

/**
 * enum place - what answers at an offset of a BAR
 * @PLACE_MODEL: The model.
 * @PLACE_TABLE: The MSI-X table.
 * @PLACE_PBA:   The MSI-X pending bits: the model, and what is held back here.
 */
enum place {
	PLACE_MODEL,
	PLACE_TABLE,
	PLACE_PBA
};

/* Whether @offset is in a range; in any case *end becomes the end of what is there, if that is nearer. */
static bool is_in(uint64_t offset, uint64_t start, uint64_t size, uint64_t *end)
{
	bool is_inside = offset >= start && offset - start < size;
	uint64_t limit = is_inside ? start + size : start;

	if (limit > offset && limit < *end)
		*end = limit;
	return is_inside;
}

static uint64_t pba_size(const struct ontb_function *function)
{
	return (function->vectors.nr_msix + 63ULL) / 64 * 8;
}

/* @end is IN the end of the access and OUT the end of what the place answers of it. */
static enum place find_place(const struct ontb_function *function, unsigned int bar, uint64_t offset, uint64_t *end)
{
	if (bar == function->msix_bar &&
	    is_in(offset, function->msix_table, (uint64_t)function->vectors.nr_msix * ONTB_MSIX_ENTRY_SIZE, end))
		return PLACE_TABLE;
	if (bar == function->pba_bar && is_in(offset, function->pba, pba_size(function), end))
		return PLACE_PBA;
	return PLACE_MODEL;
}

static bool is_plain(const struct ontb_function *function, unsigned int bar)
{
	return !function->msix_cap || (bar != function->msix_bar && bar != function->pba_bar);
}

static int read_place(struct ontb_function *function, enum place place, unsigned int bar, uint64_t offset, void *buf,
		      size_t len)
{
	int ret;

	if (place == PLACE_TABLE) {
		ontb_vectors_table_read(&function->vectors, offset - function->msix_table, buf, len);
		return 0;
	}
	ret = read_model(function, bar, offset, buf, len);
	if (!ret && place == PLACE_PBA)
		ontb_vectors_pba_add(&function->vectors, offset - function->pba, buf, len);
	return ret;
}

void ontb_function_read(struct ontb_function *function, unsigned int bar, uint64_t offset, void *buf, size_t len)
{
	uint8_t *dst = buf;

	enter(function);
	while (len) {
		uint64_t end = offset + len;
		enum place place = PLACE_MODEL;
		size_t n;

		if (!is_plain(function, bar))
			place = find_place(function, bar, offset, &end);
		n = (size_t)(end - offset);
		if (!can_reach(function) || read_place(function, place, bar, offset, dst, n))
			memset(dst, 0xff, n);
		dst += n;
		offset += n;
		len -= n;
	}
	if (can_reach(function))
		ontb_way_push(&function->way);
	leave(function);
}

static void write_place(struct ontb_function *function, unsigned int bar, uint64_t offset, const uint8_t *src,
			size_t len)
{
	struct ontb_func *func = function->config.func;

	while (len) {
		uint64_t end = offset + len;
		enum place place = find_place(function, bar, offset, &end);
		size_t n = (size_t)(end - offset);

		/* Writing pending bits is undefined, so nothing happens: PCIe 5.0, 7.7.2.9 "Pending Bits Register". */
		if (place == PLACE_TABLE)
			ontb_vectors_table_write(&function->vectors, offset - function->msix_table, src, n);
		else if (place == PLACE_MODEL)
			(void)func->ops->bar_write(func, bar, offset, src, n);
		src += n;
		offset += n;
		len -= n;
	}
}

void ontb_function_write(struct ontb_function *function, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_func *func = function->config.func;

	enter(function);
	if (!can_reach(function))
		atomic_fetch_add_explicit(&function->way.nr_dropped, 1, memory_order_relaxed);
	else if (ontb_likely(is_plain(function, bar)))
		(void)func->ops->bar_write(func, bar, offset, buf, len);
	else
		write_place(function, bar, offset, buf, len);
	leave(function);
}

void ontb_function_config_read(struct ontb_function *function, unsigned int offset, void *buf, size_t len)
{
	enter(function);
	if (!can_reach(function) || ontb_space_read(function, offset, buf, len))
		memset(buf, 0xff, len);
	else
		ontb_way_push(&function->way);
	leave(function);
}

void ontb_function_config_write(struct ontb_function *function, unsigned int offset, const void *buf, size_t len)
{
	struct ontb_func *func = function->config.func;
	bool wants_reset = false;

	enter(function);
	if (can_reach(function))
		wants_reset = ontb_space_write(function, offset, buf, len);
	leave(function);
	if (!wants_reset)
		return;
	func->ops->reset(func);
	enter(function);
	ontb_space_reset(function);
	leave(function);
}
