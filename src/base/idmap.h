/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * An index map: pointers by number, sparse, ordered, read without a lock.
 *
 * A radix tree of nodes with 64 slots. Writers exclude each other with a lock of their own; readers run at any time inside an
 * RCU read-side section. Nodes that become empty are freed after a grace period.
 */
#ifndef ONTB_BASE_IDMAP_H
#define ONTB_BASE_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/annotate.h"

struct ontb_idmap_node;

/**
 * struct ontb_idmap - the map; all zero is an empty one
 * @root:  Top node, whose height covers every number stored.
 * @count: Pointers stored. Under the writers' lock.
 */
struct ontb_idmap {
	struct ontb_idmap_node *root;
	uint64_t count;
};

/**
 * ontb_idmap_insert() - store a pointer
 * @map: Map.
 * @id:  Number, any.
 * @ptr: Not NULL.
 *
 * Context: Writers' lock held.
 * Return: 0, -EEXIST (the number has one), or -ENOMEM (nothing changed).
 */
int ontb_idmap_insert(struct ontb_idmap *map, uint64_t id, void *ptr) ONTB_MUST_CHECK;

/**
 * ontb_idmap_replace() - put another pointer where there is one
 * @map: Map.
 * @id:  Number.
 * @ptr: Not NULL.
 *
 * Context: Writers' lock held.
 * Return: The old pointer, or NULL (none was there, nothing changed).
 */
void *ontb_idmap_replace(struct ontb_idmap *map, uint64_t id, void *ptr);

/**
 * ontb_idmap_remove() - take a pointer out
 * @map: Map.
 * @id:  Number.
 *
 * Context: Writers' lock held. Allocates nothing and cannot fail.
 * Return: The pointer, or NULL.
 */
void *ontb_idmap_remove(struct ontb_idmap *map, uint64_t id);

/**
 * ontb_idmap_find() - look a number up
 * @map: Map.
 * @id:  Number.
 *
 * Context: RCU read-side section, or writers' lock held.
 * Return: The pointer, or NULL.
 */
void *ontb_idmap_find(const struct ontb_idmap *map, uint64_t id);

/**
 * ontb_idmap_next() - the first pointer at or after a number
 * @map: Map.
 * @id:  IN: where to start. OUT: its number, unchanged if there is none.
 *
 * Context: As ontb_idmap_find().
 * Return: The pointer, or NULL.
 */
void *ontb_idmap_next(const struct ontb_idmap *map, uint64_t *id);

/**
 * ontb_idmap_find_gap() - the lowest start of @nr consecutive numbers that are free
 * @map:   Map.
 * @first: Lowest number allowed.
 * @end:   First number not allowed any more.
 * @nr:    How many, 1 or more.
 * @start: OUT.
 *
 * Context: Writers' lock held. Whole nodes are skipped, so a dense map of a million numbers is fast.
 * Return: 0, or -ENOSPC.
 */
int ontb_idmap_find_gap(const struct ontb_idmap *map, uint64_t first, uint64_t end, uint64_t nr, uint64_t *start);

/**
 * ontb_idmap_fini() - free the nodes; the pointers are the caller's
 * @map: Map that nobody reads any more.
 */
void ontb_idmap_fini(struct ontb_idmap *map);

#endif
