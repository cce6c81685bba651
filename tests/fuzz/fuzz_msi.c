// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts of a device allocated, freed, requested and fired in any order, against arrays that say what must be there.
 *
 * The input is a list of steps. After each one the model says what each index is, and every way to look at it must agree.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/msi/msi_rig.h"
#include "base/rcu.h"
#include "input.h"

/* The fuzzer is to watch the layer, not the model. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define NR_SLOTS    3U
#define MAX_INDICES 200U
#define NR_IDS	    48U
#define MAX_STEPS   200U
#define NO_ID	    (~0U)
#define FIRST_HWIRQ (1U << 18)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct kind - what the domain in a slot is like
 */
struct kind {
	enum ontb_bus_token token;
	unsigned int nr;
	unsigned int features;
	bool is_manual;
};

static const struct kind kinds[NR_SLOTS] = {
	{ ONTB_BUS_PCI_MSI, 16, ONTB_MSI_FEATURE_CONTIGUOUS, false },
	{ ONTB_BUS_NTB, MAX_INDICES, 0, false },
	{ ONTB_BUS_PCI_MSIX, 70, 0, true },
};

/**
 * struct entry - an index, as the model has it
 * @has_desc: There is a descriptor.
 * @id:       The parent's number, NO_ID if it has no interrupt.
 * @virq:     As the layer said.
 * @is_used:  It has a handler.
 * @nr_fired: How often that must have run.
 * @nr_seen:  How often it has.
 */
struct entry {
	bool has_desc;
	unsigned int id;
	unsigned int virq;
	bool is_used;
	unsigned int nr_fired;
	unsigned int nr_seen;
};

/**
 * struct slot - a slot, as the model has it
 */
struct slot {
	bool exists;
	unsigned int nr_group;
	struct entry entries[MAX_INDICES];
};

static struct msi_rig rig;
static struct rig_table tables[NR_SLOTS];
static struct ontb_msi_dev *dev;
static struct slot slots[NR_SLOTS];
static bool ids[NR_IDS];

/* In place of src/base/rcu.c: there is one thread, and what is freed at once shows a wrong access. */
void ontb_rcu_call(struct ontb_rcu_head *head, void (*fn)(struct ontb_rcu_head *head))
{
	fn(head);
}

void ontb_rcu_barrier(void)
{
}

/* The model */

static int take_ids(unsigned int nr, unsigned int step, unsigned int *first)
{
	for (*first = 0; *first + nr <= NR_IDS; *first += step) {
		unsigned int i;

		for (i = 0; i < nr && !ids[*first + i]; i++)
			;
		if (i < nr)
			continue;
		memset(&ids[*first], true, nr);
		return 0;
	}
	return -ENOSPC;
}

static void drop_number(struct entry *entry)
{
	if (entry->id == NO_ID)
		return;
	ids[entry->id] = false;
	entry->id = NO_ID;
}

static int model_one(unsigned int s, unsigned int index, bool is_lax)
{
	struct entry *entry = &slots[s].entries[index];

	if (entry->id != NO_ID)
		return is_lax ? 0 : -EBUSY;
	if (!entry->has_desc && kinds[s].is_manual)
		return is_lax ? 0 : -ENOENT;
	if (take_ids(1, 1, &entry->id)) {
		entry->id = NO_ID;
		return -ENOSPC;
	}
	entry->has_desc = true;
	return 0;
}

static bool is_inside(unsigned int s, unsigned int first, unsigned int count)
{
	return (uint64_t)first + count <= kinds[s].nr;
}

static int model_range(unsigned int s, unsigned int first, unsigned int count, bool is_lax, unsigned int *nr_done)
{
	static struct slot before;
	static bool ids_before[NR_IDS];

	*nr_done = 0;
	if (!slots[s].exists || !is_inside(s, first, count))
		return -ERANGE;
	before = slots[s];
	memcpy(ids_before, ids, sizeof(ids));
	for (; *nr_done < count; ++*nr_done) {
		int ret = model_one(s, first + *nr_done, is_lax);

		if (ret) {
			slots[s] = before;
			memcpy(ids, ids_before, sizeof(ids));
			return ret;
		}
	}
	return 0;
}

static int model_any(unsigned int s, unsigned int *index)
{
	unsigned int nr_done;

	if (!slots[s].exists)
		return -ERANGE;
	for (*index = 0; *index < kinds[s].nr; ++*index) {
		const struct entry *entry = &slots[s].entries[*index];

		if (kinds[s].is_manual ? entry->has_desc && entry->id == NO_ID : !entry->has_desc)
			return model_range(s, *index, 1, false, &nr_done);
	}
	return -ENOSPC;
}

static int model_group(unsigned int s, unsigned int count)
{
	unsigned int first;

	if (!slots[s].exists)
		return -ERANGE;
	if (!count || count & (count - 1))
		return -EINVAL;
	if (!(kinds[s].features & ONTB_MSI_FEATURE_CONTIGUOUS))
		return -EOPNOTSUPP;
	if (!is_inside(s, 0, count))
		return -ERANGE;
	for (unsigned int i = 0; i < count; i++) {
		if (slots[s].entries[i].id != NO_ID)
			return -EBUSY;
	}
	if (take_ids(count, count, &first))
		return -ENOSPC;
	for (unsigned int i = 0; i < count; i++) {
		slots[s].entries[i].has_desc = true;
		slots[s].entries[i].id = first + i;
	}
	slots[s].nr_group = count;
	return 0;
}

static int model_free(unsigned int s, unsigned int first, unsigned int count)
{
	struct slot *slot = &slots[s];
	unsigned int end;

	if (!slot->exists)
		return -ERANGE;
	if (first >= kinds[s].nr || !count)
		return 0;
	end = count < kinds[s].nr - first ? first + count : kinds[s].nr;
	if (first < slot->nr_group && (first || end < slot->nr_group))
		return -EBUSY;
	for (unsigned int i = first; i < end; i++) {
		if (slot->entries[i].is_used)
			return -EBUSY;
	}
	for (unsigned int i = first; i < end; i++) {
		drop_number(&slot->entries[i]);
		slot->entries[i].has_desc &= kinds[s].is_manual;
	}
	if (!first && end >= slot->nr_group)
		slot->nr_group = 0;
	return 0;
}

/* Steps; those that the layer has twice run with or without the lock held before. */

static void learn_virqs(unsigned int s)
{
	for (unsigned int i = 0; i < kinds[s].nr; i++) {
		struct entry *entry = &slots[s].entries[i];

		if (entry->id == NO_ID)
			entry->virq = 0;
		else if (!entry->virq)
			entry->virq = ontb_msi_virq(dev, s, i);
	}
}

static void alloc_one(unsigned int s, unsigned int index, bool is_any, bool is_locked)
{
	unsigned int nr_done;
	int want = is_any ? model_any(s, &index) : model_range(s, index, 1, false, &nr_done), got;
	unsigned int asked = is_any ? ONTB_MSI_ANY_INDEX : index;
	struct ontb_msi_map map;

	if (is_locked) {
		ontb_msi_lock(dev);
		got = ontb_msi_alloc_at_locked(dev, s, asked, NULL, NULL, &map);
		ontb_msi_unlock(dev);
	} else {
		got = ontb_msi_alloc_at(dev, s, asked, NULL, NULL, &map);
	}
	CHECK(got == want);
	CHECK(got || map.index == index);
	CHECK(got || map.virq == ontb_msi_virq(dev, s, index));
}

static void alloc_range(unsigned int s, unsigned int first, unsigned int count, bool is_locked)
{
	unsigned int want_done, got_done;
	int want = model_range(s, first, count, false, &want_done), got;

	if (is_locked) {
		ontb_msi_lock(dev);
		got = ontb_msi_alloc_range_locked(dev, s, first, count, &got_done);
		ontb_msi_unlock(dev);
	} else {
		got = ontb_msi_alloc_range(dev, s, first, count, &got_done);
	}
	CHECK(got == want);
	CHECK(got_done == want_done);
}

static void alloc_all(unsigned int s)
{
	unsigned int nr_done;

	CHECK(ontb_msi_alloc_all(dev, s) == model_range(s, 0, kinds[s].nr, true, &nr_done));
}

static void free_range(unsigned int s, unsigned int first, unsigned int count, bool is_locked)
{
	int want = model_free(s, first, count), got;

	if (is_locked) {
		ontb_msi_lock(dev);
		got = ontb_msi_free_range_locked(dev, s, first, count);
		ontb_msi_unlock(dev);
	} else {
		got = ontb_msi_free_range(dev, s, first, count);
	}
	CHECK(got == want);
}

static void insert_or_remove(unsigned int s, unsigned int index, bool is_insert)
{
	struct entry *entry = index < kinds[s].nr && slots[s].exists ? &slots[s].entries[index] : NULL;
	int want = entry ? 0 : -ERANGE;

	ontb_msi_lock(dev);
	if (is_insert) {
		if (entry && entry->has_desc)
			want = -EBUSY;
		CHECK(ontb_msi_insert_locked(dev, s, index, NULL) == want);
	} else {
		if (entry && !entry->has_desc)
			want = -ENOENT;
		else if (entry && entry->id != NO_ID)
			want = -EBUSY;
		CHECK(ontb_msi_remove_locked(dev, s, index) == want);
	}
	ontb_msi_unlock(dev);
	if (!want)
		entry->has_desc = is_insert;
}

static void make_or_remove(unsigned int s)
{
	struct ontb_msi_template t = msi_rig_template("D-", kinds[s].token, kinds[s].nr, &tables[s]);
	int want;

	t.features = kinds[s].features;
	t.is_manual = kinds[s].is_manual;
	if (!slots[s].exists) {
		CHECK(!ontb_msi_domain_new(dev, s, &t));
		slots[s].exists = true;
		return;
	}
	CHECK(ontb_msi_domain_new(dev, s, &t) == -EEXIST);
	want = model_free(s, 0, kinds[s].nr);
	CHECK(ontb_msi_domain_free(dev, s) == want);
	if (want)
		return;
	slots[s].exists = false;
	for (unsigned int i = 0; i < kinds[s].nr; i++)
		slots[s].entries[i].has_desc = false;
}

static enum ontb_irq_return handle(unsigned int virq, void *arg)
{
	struct entry *entry = arg;

	CHECK(entry->is_used && entry->virq == virq);
	entry->nr_seen++;
	return ONTB_IRQ_HANDLED;
}

static void use_or_leave(unsigned int s, unsigned int index)
{
	struct entry *entry = &slots[s].entries[index % kinds[s].nr];
	const struct ontb_irq_request req = { .handler = handle, .dev = entry, .name = "fuzz" };

	if (entry->id == NO_ID)
		return;
	if (entry->is_used)
		CHECK(!ontb_irq_free(rig.sys, entry->virq, entry));
	else
		CHECK(!ontb_irq_request(rig.sys, entry->virq, &req));
	entry->is_used = !entry->is_used;
	CHECK(!entry->is_used || tables[s].msgs[index % kinds[s].nr].data == (FIRST_HWIRQ | entry->id));
}

/* A message of any number that the parent has: it reaches who has it now, and nobody else. */
static void fire(unsigned int id)
{
	const struct ontb_msi_msg msg = { .addr = RIG_ADDR, .data = FIRST_HWIRQ | id };

	CHECK(msi_rig_fire(&rig, &msg) == (ids[id] ? 0 : -ENOENT));
	for (unsigned int s = 0; s < NR_SLOTS; s++) {
		for (unsigned int i = 0; i < kinds[s].nr; i++) {
			struct entry *entry = &slots[s].entries[i];

			entry->nr_fired += entry->id == id && entry->is_used;
			CHECK(entry->nr_seen == entry->nr_fired);
		}
	}
}

/* Comparing */

static void compare_walk(unsigned int s, enum ontb_msi_filter filter)
{
	struct ontb_msi_map map = { 0 };

	ontb_msi_lock(dev);
	for (unsigned int i = 0; i < kinds[s].nr; i++) {
		const struct entry *entry = &slots[s].entries[i];
		bool has_number = entry->id != NO_ID;

		if (!entry->has_desc || (filter == ONTB_MSI_ASSOCIATED && !has_number) ||
		    (filter == ONTB_MSI_NOT_ASSOCIATED && has_number))
			continue;
		CHECK(ontb_msi_next_locked(dev, s, filter, map.index, &map));
		CHECK(map.index == i && map.virq == entry->virq);
		map.index++;
	}
	CHECK(!ontb_msi_next_locked(dev, s, filter, map.index, &map));
	ontb_msi_unlock(dev);
}

static void compare(void)
{
	static struct ontb_msi_entry list[NR_IDS];
	unsigned int nr = ontb_msi_list(dev, list, NR_IDS), at = 0;

	for (unsigned int s = 0; s < NR_SLOTS; s++) {
		CHECK(slots[s].exists == (ontb_msi_domain(dev, s) != NULL));
		for (unsigned int i = 0; i < kinds[s].nr; i++) {
			const struct entry *entry = &slots[s].entries[i];

			CHECK(entry->virq == ontb_msi_virq(dev, s, i));
			CHECK((entry->id != NO_ID) == (entry->virq != 0));
			if (entry->id == NO_ID)
				continue;
			CHECK(at < nr && list[at].slot == s && list[at].index == i && list[at].virq == entry->virq);
			CHECK(ontb_irq_find(rig.parent, FIRST_HWIRQ | entry->id) == entry->virq);
			at++;
		}
	}
	CHECK(at == nr);
	CHECK(msi_rig_used(&rig, NULL) == nr);
}

static void run_step(struct input *in)
{
	unsigned int op = take(in), s = op >> 4 & 3, index = take(in), count;
	bool is_locked = op & 0x80;

	s %= NR_SLOTS;
	switch (op & 15) {
	case 0:
	case 1:
		alloc_one(s, index, op & 1, is_locked);
		break;
	case 2:
	case 3:
		count = take(in);
		alloc_range(s, op & 1 ? index % 8 : index, op & 1 ? count % 8 : count, is_locked);
		break;
	case 4:
		alloc_all(s);
		break;
	case 5:
		CHECK(ontb_msi_alloc_contiguous(dev, s, index) == model_group(s, index));
		break;
	case 6:
		count = 1U << index % 6;
		CHECK(ontb_msi_alloc_contiguous(dev, s, count) == model_group(s, count));
		break;
	case 7:
	case 8:
		count = take(in);
		free_range(s, index, op & 1 ? 1 : count, is_locked);
		break;
	case 9:
		CHECK(ontb_msi_free_all(dev, s) == model_free(s, 0, kinds[s].nr));
		break;
	case 10:
	case 11:
		insert_or_remove(s, index, op & 1);
		break;
	case 12:
		make_or_remove(s);
		break;
	case 13:
	case 14:
		use_or_leave(s, index);
		break;
	default:
		fire(index % NR_IDS);
		break;
	}
}

static void finish(void)
{
	for (unsigned int s = 0; s < NR_SLOTS; s++) {
		for (unsigned int i = 0; i < kinds[s].nr; i++) {
			struct entry *entry = &slots[s].entries[i];

			if (entry->is_used)
				CHECK(!ontb_irq_free(rig.sys, entry->virq, entry));
		}
	}
	ontb_msi_dev_free(dev);
	CHECK(!msi_rig_fini(&rig));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct rig_log log;

	(void)argc;
	(void)argv;
	msi_rig_log_start(&log);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int present = take(&in);

	memset(ids, 0, sizeof(ids));
	memset(slots, 0, sizeof(slots));
	CHECK(!msi_rig_init(&rig, ONTB_MSI_FIXED, ONTB_MSI_SCOPE_GLOBAL, NR_IDS));
	CHECK(!msi_rig_dev(&rig, "00:02.0", &dev));
	for (unsigned int s = 0; s < NR_SLOTS; s++) {
		for (unsigned int i = 0; i < MAX_INDICES; i++)
			slots[s].entries[i].id = NO_ID;
		if (present >> s & 1)
			make_or_remove(s);
	}
	for (unsigned int i = 0; i < MAX_STEPS && in.left; i++) {
		run_step(&in);
		for (unsigned int s = 0; s < NR_SLOTS; s++)
			learn_virqs(s);
		compare();
		compare_walk(i % NR_SLOTS, (enum ontb_msi_filter)(i / NR_SLOTS % 3));
	}
	finish();
	return 0;
}

#pragma clang attribute pop
