// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The index map in any sequence of steps, against a sorted array.
 *
 * A step is a byte that says what to do and, for most, a byte that chooses a number near one of those at which the tree
 * changes its shape. Nodes are freed at once here, so that a wrong access shows.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "base/idmap.h"
#include "base/rcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer is to watch the map, not the model. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define MAX_IDS 2048U

struct model_entry {
	uint64_t id;
	void *ptr;
};

static struct model_entry model[MAX_IDS];
static unsigned int nr_model;
static char targets[256];

/* In place of src/base/rcu.c: there are no readers. */
void ontb_rcu_call(struct ontb_rcu_head *head, void (*fn)(struct ontb_rcu_head *head))
{
	fn(head);
}

static void require(bool is_right)
{
	if (!is_right)
		abort();
}

/* Where a number is in the model, or where it would be. */
static unsigned int model_find(uint64_t id)
{
	unsigned int i = 0;

	while (i < nr_model && model[i].id < id)
		i++;
	return i;
}

static bool model_has(uint64_t id)
{
	unsigned int i = model_find(id);

	return i < nr_model && model[i].id == id;
}

static void step_insert(struct ontb_idmap *map, uint64_t id, void *ptr)
{
	unsigned int i = model_find(id);
	int ret;

	if (nr_model == MAX_IDS)
		return;
	ret = ontb_idmap_insert(map, id, ptr);
	require(ret == (model_has(id) ? -EEXIST : 0));
	if (ret)
		return;
	memmove(&model[i + 1], &model[i], (nr_model - i) * sizeof(model[0]));
	model[i].id = id;
	model[i].ptr = ptr;
	nr_model++;
}

static void step_remove(struct ontb_idmap *map, uint64_t id)
{
	unsigned int i = model_find(id);
	void *ptr = ontb_idmap_remove(map, id);

	if (!model_has(id)) {
		require(!ptr);
		return;
	}
	require(ptr == model[i].ptr);
	nr_model--;
	memmove(&model[i], &model[i + 1], (nr_model - i) * sizeof(model[0]));
}

static void step_replace(struct ontb_idmap *map, uint64_t id, void *ptr)
{
	void *old = ontb_idmap_replace(map, id, ptr);

	require(old == (model_has(id) ? model[model_find(id)].ptr : NULL));
	if (old)
		model[model_find(id)].ptr = ptr;
}

static void step_look(const struct ontb_idmap *map, uint64_t id)
{
	unsigned int i = model_find(id);
	uint64_t next = id;
	void *ptr = ontb_idmap_next(map, &next);

	require(ontb_idmap_find(map, id) == (model_has(id) ? model[i].ptr : NULL));
	require(ptr == (i < nr_model ? model[i].ptr : NULL));
	require(next == (i < nr_model ? model[i].id : id));
}

static int model_gap(uint64_t first, uint64_t end, uint64_t nr, uint64_t *start)
{
	uint64_t at = first;

	for (unsigned int i = model_find(first); nr && at < end && nr <= end - at; i++) {
		if (i == nr_model || model[i].id - at >= nr) {
			*start = at;
			return 0;
		}
		if (model[i].id == UINT64_MAX)
			break;
		at = model[i].id + 1;
	}
	return -ENOSPC;
}

static void step_gap(const struct ontb_idmap *map, uint64_t first, uint64_t end, uint64_t nr)
{
	uint64_t start = 7, want = 7;
	int ret = ontb_idmap_find_gap(map, first, end, nr, &start);

	require(ret == model_gap(first, end, nr, &want));
	require(start == want);
}

/* Six bits choose a distance from one of four numbers. */
static uint64_t id_of(uint8_t byte)
{
	static const uint64_t bases[] = { 0, 4096 - 32, 1ULL << 36, UINT64_MAX - 63 };

	return bases[byte >> 6] + (byte & 63);
}

static void step(struct ontb_idmap *map, uint8_t what, uint8_t a, uint8_t b)
{
	uint64_t id = id_of(a);
	unsigned int run = (what >> 3) * 4;

	switch (what & 7) {
	case 0:
		step_insert(map, id, &targets[b]);
		break;
	case 1:
		step_remove(map, id);
		break;
	case 2:
		step_replace(map, id, &targets[b]);
		break;
	case 3:
		step_look(map, id);
		break;
	case 4:
		step_gap(map, id, id_of(b), run / 4);
		break;
	case 5:
		step_gap(map, id, id + b, run);
		break;
	case 6:
		for (unsigned int i = 0; i < run && id + i >= id; i++)
			step_insert(map, id + i, &targets[b]);
		break;
	default:
		for (unsigned int i = 0; i < run && id + i >= id; i++)
			step_remove(map, id + i);
		break;
	}
	require(map->count == nr_model);
	step_look(map, id_of(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ontb_idmap map = { 0 };

	nr_model = 0;
	for (size_t i = 0; i + 3 <= size && i < 3000; i += 3)
		step(&map, data[i], data[i + 1], data[i + 2]);
	if (size % 2) {
		ontb_idmap_fini(&map);
		return 0;
	}
	while (nr_model)
		step_remove(&map, model[nr_model / 2].id);
	require(!map.root);
	return 0;
}

#pragma clang attribute pop
