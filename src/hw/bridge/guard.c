// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Guard.
 */
#include "hw/bridge/guard.h"

#include <errno.h>
#include <stdlib.h>

static unsigned int count_buckets(const struct ontb_guard *guard)
{
	return 1U << (64 - guard->shift);
}

/* Messages differ in a few low bits of address and data; the multiplications spread them over the upper bits. */
static uint32_t *bucket_of(const struct ontb_guard *guard, uint64_t addr, uint32_t data)
{
	uint64_t hash = (addr >> 2) * 0x9e3779b97f4a7c15ULL ^ data;

	return &guard->buckets[hash * 0xff51afd7ed558ccdULL >> guard->shift];
}

int ontb_guard_init(struct ontb_guard *guard, unsigned int nr_slots)
{
	struct ontb_guard made = { .nr_slots = nr_slots, .shift = 63 };

	if (nr_slots) {
		while (count_buckets(&made) < nr_slots)
			made.shift--;
		made.slots = calloc(nr_slots, sizeof(*made.slots));
		if (!made.slots)
			return -ENOMEM;
		made.buckets = calloc(count_buckets(&made), sizeof(*made.buckets));
		if (!made.buckets)
			goto free_slots;
	}
	*guard = made;
	ontb_guard_reset(guard);
	return 0;

free_slots:
	free(made.slots);
	return -ENOMEM;
}

void ontb_guard_fini(struct ontb_guard *guard)
{
	free(guard->slots);
	free(guard->buckets);
	guard->slots = NULL;
	guard->buckets = NULL;
}

/* Memory that nobody has used yet stays untouched. */
void ontb_guard_reset(struct ontb_guard *guard)
{
	if (guard->nr_used) {
		memset(guard->slots, 0, guard->nr_used * sizeof(*guard->slots));
		memset(guard->buckets, 0, count_buckets(guard) * sizeof(*guard->buckets));
	}
	guard->nr_used = 0;
	guard->is_on = false;
	guard->first = ONTB_GUARD_FIRST;
	guard->size = ONTB_GUARD_SIZE;
}

void ontb_guard_close(struct ontb_guard *guard, unsigned int slot_idx)
{
	struct ontb_guard_slot *slot;
	uint32_t *link;

	if (slot_idx >= guard->nr_slots || !guard->slots[slot_idx].is_open)
		return;
	slot = &guard->slots[slot_idx];
	link = bucket_of(guard, slot->addr, slot->data);
	while (*link != slot_idx + 1)
		link = &guard->slots[*link - 1].next;
	*link = slot->next;
	*slot = (struct ontb_guard_slot){ 0 };
}

int ontb_guard_open(struct ontb_guard *guard, unsigned int slot_idx, uint64_t addr, uint32_t data, const char **why)
{
	uint32_t *bucket;

	if (slot_idx >= guard->nr_slots) {
		*why = "there is no such slot";
		return -ERANGE;
	}
	ontb_guard_close(guard, slot_idx);
	if (addr % 4) {
		*why = "the address is not a multiple of 4";
		return -EINVAL;
	}
	bucket = bucket_of(guard, addr, data);
	guard->slots[slot_idx] =
		(struct ontb_guard_slot){ .addr = addr, .data = data, .next = *bucket, .is_open = true };
	*bucket = slot_idx + 1;
	if (guard->nr_used <= slot_idx)
		guard->nr_used = slot_idx + 1;
	return 0;
}

void ontb_guard_switch(struct ontb_guard *guard, bool is_on, uint64_t first, uint64_t size)
{
	guard->is_on = is_on && guard->nr_slots;
	guard->first = first;
	guard->size = size;
}

bool ontb_guard_is_open(const struct ontb_guard *guard, unsigned int slot)
{
	return slot < guard->nr_slots && guard->slots[slot].is_open;
}

bool ontb_guard_has(const struct ontb_guard *guard, uint64_t addr, uint32_t data)
{
	uint32_t next = *bucket_of(guard, addr, data);

	while (next) {
		const struct ontb_guard_slot *slot = &guard->slots[next - 1];

		if (slot->addr == addr && slot->data == data)
			return true;
		next = slot->next;
	}
	return false;
}
