// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Index map: a radix tree with 64 slots per node.
 *
 * The idea that makes readers safe without a lock: a pointer never moves to another node while it is in the map, and nodes are
 * only linked when they are complete and only unlinked when they are empty (or, at the top, when all they do is lead on to slot
 * 0; an unlinked top node goes on leading there). So a reader that is somewhere in the tree finds what was there all the time,
 * whatever grows, shrinks or goes meanwhile.
 */
#include "base/idmap.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/rcu.h"

#define SLOT_BITS  6U
#define NR_SLOTS   (1U << SLOT_BITS)
#define TOP_SHIFT  60U /* numbers have 64 bits: a node with this shift uses 16 of its slots and covers them all */
#define MAX_LEVELS (TOP_SHIFT / SLOT_BITS + 1)
#define ALL_SLOTS  UINT64_MAX

/*
 * @used:  Slots with a pointer. Changed by writers; readers take it for a hint and look into the slot.
 * @full:  Slots below which every number is taken. Writers only.
 * @shift: Slot i covers the numbers whose bits from @shift up are i. Constant; 0 in a leaf, whose slots are the user's pointers.
 * @rcu:   For freeing it.
 */
struct ontb_idmap_node {
	uint64_t used;
	uint64_t full;
	unsigned int shift;
	struct ontb_rcu_head rcu;
	void *slots[NR_SLOTS];
};

/* The way to a number: nodes[0] is the top, nodes[nr - 1] the lowest that exists. */
struct path {
	struct ontb_idmap_node *nodes[MAX_LEVELS];
	unsigned int nr;
};

static unsigned int slot_of(const struct ontb_idmap_node *node, uint64_t id)
{
	return (unsigned int)(id >> node->shift) & (NR_SLOTS - 1);
}

/* Only for the top node: those below cover numbers whose upper bits are not zero. */
static bool covers(const struct ontb_idmap_node *node, uint64_t id)
{
	return id >> node->shift >> SLOT_BITS == 0;
}

/* The first number above the 2^@bits numbers that @id is one of; 0 if there is none. */
static uint64_t skip(uint64_t id, unsigned int bits)
{
	return bits >= 64 ? 0 : ((id >> bits) + 1) << bits;
}

/* Go on to the first number of a slot, unless @id is in it already. Returns the slot. */
static unsigned int enter_slot(const struct ontb_idmap_node *node, unsigned int slot, uint64_t *id)
{
	if (slot != slot_of(node, *id))
		*id = ((*id >> node->shift & ~(uint64_t)(NR_SLOTS - 1)) | slot) << node->shift;
	return slot;
}

static bool is_full(const struct ontb_idmap_node *node)
{
	return (node->shift ? node->full : node->used) == ALL_SLOTS;
}

static void set_slot(struct ontb_idmap_node *node, unsigned int slot, void *ptr)
{
	ontb_rcu_publish(node->slots[slot], ptr);
	ontb_rcu_publish(node->used, node->used | 1ULL << slot);
}

static void clear_slot(struct ontb_idmap_node *node, unsigned int slot)
{
	ontb_rcu_publish(node->used, node->used & ~(1ULL << slot));
	ontb_rcu_publish(node->slots[slot], NULL);
}

static struct ontb_idmap_node *new_node(unsigned int shift)
{
	struct ontb_idmap_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->shift = shift;
	node->full = shift == TOP_SHIFT ? ~0xffffULL : 0;
	return node;
}

static void free_node(struct ontb_rcu_head *head)
{
	free(ontb_container_of(head, struct ontb_idmap_node, rcu));
}

static unsigned int shift_for(uint64_t id)
{
	unsigned int shift = 0;

	while (id >> shift >> SLOT_BITS)
		shift += SLOT_BITS;
	return shift;
}

/* The way down to a number that the top node covers, as far as there are nodes. */
static void find_path(const struct ontb_idmap *map, uint64_t id, struct path *path)
{
	struct ontb_idmap_node *node = map->root;

	path->nr = 0;
	while (node) {
		path->nodes[path->nr++] = node;
		node = node->shift ? node->slots[slot_of(node, id)] : NULL;
	}
}

/* Tell the nodes above that the lowest one of a path is full. */
static void propagate_full(const struct path *path, uint64_t id)
{
	for (unsigned int i = path->nr - 1; i > 0 && is_full(path->nodes[i]); i--)
		path->nodes[i - 1]->full |= 1ULL << slot_of(path->nodes[i - 1], id);
}

/* At most MAX_LEVELS deep. */
static void free_tree(struct ontb_idmap_node *node)
{
	for (unsigned int slot = 0; node->shift && slot < NR_SLOTS; slot++) {
		if (node->slots[slot])
			free_tree(node->slots[slot]);
	}
	free(node);
}

/* A chain of nodes down to the leaf of @id, for a slot of a node whose shift is @above; no nodes if that is the leaf. */
static int build_chain(unsigned int above, uint64_t id, void *ptr, void **out)
{
	struct ontb_idmap_node *chain = NULL;

	for (unsigned int shift = 0; shift < above; shift += SLOT_BITS) {
		struct ontb_idmap_node *node = new_node(shift);

		if (!node) {
			if (chain)
				free_tree(chain);
			return -ENOMEM;
		}
		set_slot(node, slot_of(node, id), chain ? chain : ptr);
		chain = node;
	}
	*out = chain ? chain : ptr;
	return 0;
}

/* Free what build_tops() made. */
static void free_tops(struct ontb_idmap_node *top, const struct ontb_idmap_node *old)
{
	while (top != old) {
		struct ontb_idmap_node *below = top->slots[0];

		free(top);
		top = below;
	}
}

/* Nodes on top of the root, up to one with @shift; one node if there is no root. */
static int build_tops(const struct ontb_idmap *map, unsigned int shift, struct ontb_idmap_node **out)
{
	struct ontb_idmap_node *top = map->root;

	for (unsigned int s = top ? top->shift + SLOT_BITS : shift; s <= shift; s += SLOT_BITS) {
		struct ontb_idmap_node *node = new_node(s);

		if (!node) {
			free_tops(top, map->root);
			return -ENOMEM;
		}
		if (top) {
			set_slot(node, 0, top);
			node->full |= is_full(top);
		}
		top = node;
	}
	*out = top;
	return 0;
}

/* Put nodes on top of the root until they cover @id, the topmost with the chain down to @id, and publish all that at once. */
static int insert_above(struct ontb_idmap *map, uint64_t id, void *ptr)
{
	struct ontb_idmap_node *top;
	void *chain;
	int ret;

	ret = build_tops(map, shift_for(id), &top);
	if (ret)
		return ret;
	ret = build_chain(top->shift, id, ptr, &chain);
	if (ret) {
		free_tops(top, map->root);
		return ret;
	}
	set_slot(top, slot_of(top, id), chain);
	ontb_rcu_publish(map->root, top);
	return 0;
}

static int insert_below(struct ontb_idmap *map, uint64_t id, void *ptr)
{
	struct ontb_idmap_node *lowest;
	struct path path;
	void *chain;
	int ret;

	find_path(map, id, &path);
	lowest = path.nodes[path.nr - 1];
	if (!lowest->shift && lowest->slots[slot_of(lowest, id)])
		return -EEXIST;
	ret = build_chain(lowest->shift, id, ptr, &chain);
	if (ret)
		return ret;
	set_slot(lowest, slot_of(lowest, id), chain);
	propagate_full(&path, id);
	return 0;
}

int ontb_idmap_insert(struct ontb_idmap *map, uint64_t id, void *ptr)
{
	int ret;

	if (map->root && covers(map->root, id))
		ret = insert_below(map, id, ptr);
	else
		ret = insert_above(map, id, ptr);
	if (!ret)
		map->count++;
	return ret;
}

/* The leaf that holds a number, or NULL. */
static struct ontb_idmap_node *find_leaf(const struct ontb_idmap *map, uint64_t id)
{
	struct ontb_idmap_node *node = ontb_rcu_read(map->root);

	if (!node || !covers(node, id))
		return NULL;
	while (node && node->shift)
		node = ontb_rcu_read(node->slots[slot_of(node, id)]);
	return node;
}

void *ontb_idmap_find(const struct ontb_idmap *map, uint64_t id)
{
	struct ontb_idmap_node *leaf = find_leaf(map, id);

	return leaf ? ontb_rcu_read(leaf->slots[slot_of(leaf, id)]) : NULL;
}

void *ontb_idmap_replace(struct ontb_idmap *map, uint64_t id, void *ptr)
{
	struct ontb_idmap_node *leaf = find_leaf(map, id);
	void *old = leaf ? leaf->slots[slot_of(leaf, id)] : NULL;

	if (old)
		ontb_rcu_publish(leaf->slots[slot_of(leaf, id)], ptr);
	return old;
}

/* Unlink the empty nodes at the lower end of a path. */
static void prune(struct ontb_idmap *map, const struct path *path, uint64_t id)
{
	for (unsigned int i = path->nr; i-- > 0 && !path->nodes[i]->used;) {
		if (i)
			clear_slot(path->nodes[i - 1], slot_of(path->nodes[i - 1], id));
		else
			ontb_rcu_publish(map->root, NULL);
		ontb_rcu_call(&path->nodes[i]->rcu, free_node);
	}
}

/* Unlink top nodes that only lead on to slot 0. */
static void shrink(struct ontb_idmap *map)
{
	while (map->root && map->root->shift && map->root->used == 1) {
		struct ontb_idmap_node *top = map->root;

		ontb_rcu_publish(map->root, (struct ontb_idmap_node *)top->slots[0]);
		ontb_rcu_call(&top->rcu, free_node);
	}
}

void *ontb_idmap_remove(struct ontb_idmap *map, uint64_t id)
{
	struct ontb_idmap_node *leaf;
	struct path path;
	void *ptr;

	if (!map->root || !covers(map->root, id))
		return NULL;
	find_path(map, id, &path);
	leaf = path.nodes[path.nr - 1];
	ptr = leaf->shift ? NULL : leaf->slots[slot_of(leaf, id)];
	if (!ptr)
		return NULL;
	clear_slot(leaf, slot_of(leaf, id));
	for (unsigned int i = path.nr - 1; i-- > 0;)
		path.nodes[i]->full &= ~(1ULL << slot_of(path.nodes[i], id));
	prune(map, &path, id);
	shrink(map);
	map->count--;
	return ptr;
}

/*
 * One way down from the top: to the first used number at or after *@id, or as far as it goes, and then *@id is the number at
 * which to start again, 0 for none left. A reader may find a slot empty that was used when it looked at @used.
 */
static void *walk_down(const struct ontb_idmap *map, uint64_t *id)
{
	struct ontb_idmap_node *node = ontb_rcu_read(map->root);

	if (!node || !covers(node, *id)) {
		*id = 0;
		return NULL;
	}
	for (;;) {
		unsigned int slot = slot_of(node, *id);
		uint64_t used = ontb_rcu_read(node->used) & ALL_SLOTS << slot;
		void *ptr;

		if (!used) {
			*id = skip(*id, node->shift + SLOT_BITS);
			return NULL;
		}
		slot = enter_slot(node, (unsigned int)__builtin_ctzll(used), id);
		ptr = ontb_rcu_read(node->slots[slot]);
		if (!ptr) {
			*id = skip(*id, node->shift);
			return NULL;
		}
		if (!node->shift)
			return ptr;
		node = ptr;
	}
}

void *ontb_idmap_next(const struct ontb_idmap *map, uint64_t *id)
{
	uint64_t at = *id;

	do {
		void *ptr = walk_down(map, &at);

		if (ptr) {
			*id = at;
			return ptr;
		}
	} while (at);
	return NULL;
}

/* As walk_down(), for the first free number: true if *@id is free, false if *@id is where to start again, 0 for none left. */
static bool walk_down_free(const struct ontb_idmap *map, uint64_t *id)
{
	struct ontb_idmap_node *node = map->root;

	if (!node || !covers(node, *id))
		return true;
	for (;;) {
		unsigned int slot = slot_of(node, *id);
		uint64_t open = ~(node->shift ? node->full : node->used) & ALL_SLOTS << slot;

		if (!open) {
			*id = skip(*id, node->shift + SLOT_BITS);
			return false;
		}
		slot = enter_slot(node, (unsigned int)__builtin_ctzll(open), id);
		if (!node->shift || !node->slots[slot])
			return true;
		node = node->slots[slot];
	}
}

/* Go on to the first free number at or after *@id. Writers' lock held. Returns false if there is none. */
static bool next_free(const struct ontb_idmap *map, uint64_t *id)
{
	while (!walk_down_free(map, id)) {
		if (!*id)
			return false;
	}
	return true;
}

int ontb_idmap_find_gap(const struct ontb_idmap *map, uint64_t first, uint64_t end, uint64_t nr, uint64_t *start)
{
	uint64_t at = first;

	while (nr && next_free(map, &at) && at < end && nr <= end - at) {
		uint64_t used = at;

		if (nr == 1 || !ontb_idmap_next(map, &used) || used - at >= nr) {
			*start = at;
			return 0;
		}
		at = used;
	}
	return -ENOSPC;
}

void ontb_idmap_fini(struct ontb_idmap *map)
{
	if (map->root)
		free_tree(map->root);
	map->root = NULL;
	map->count = 0;
}
