/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A VT-d unit as software sees it: a table of interrupts in memory, a queue of commands in memory, and a few registers.
 */
#ifndef ONTB_PLATFORM_X86_IOMMU_H
#define ONTB_PLATFORM_X86_IOMMU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/pages.h>

#include "base/annotate.h"

struct ontb_machine;

/**
 * struct ontb_irte - an entry of the table; the unit reads it at any time
 * @low:  Target, and whether it is present; written last, or first when it goes away.
 * @high: Who may use it.
 */
struct ontb_irte {
	uint64_t low;
	uint64_t high;
};

/**
 * struct ontb_iommu - a unit with remapping on
 * @machine:        Machine. Constant.
 * @pages:          Where the memory came from. Constant.
 * @table:          Table. Constant run.
 * @queue:          Command queue, and behind it the word that waits write. Constant run.
 * @nr_entries:     Entries of the table. Constant.
 * @cap:            Capabilities. Constant.
 * @is_extended:    Destinations have 32 bits. Constant.
 * @queue_lock:     The queue lock. A leaf.
 * @tail:           Next free command. Under the queue lock.
 * @ticket:         Value that the last wait wrote. Under the queue lock.
 * @is_broken:      It stopped doing what it is told. Atomic.
 * @nr_invalidations: Commands carried out. Atomic.
 */
struct ontb_iommu {
	struct ontb_machine *machine;
	struct ontb_pages *pages;
	struct ontb_page_run table;
	struct ontb_page_run queue;
	unsigned int nr_entries;
	uint64_t cap;
	bool is_extended;
	struct ontb_lock queue_lock;
	unsigned int tail;
	uint32_t ticket;
	_Atomic bool is_broken;
	_Atomic uint64_t nr_invalidations;
};

/**
 * ontb_iommu_new() - switch remapping on, with a table in which nothing is present
 * @machine:    Machine with a unit.
 * @pages:      Its memory.
 * @nr_entries: Entries, a power of two from 2 on.
 * @out:        OUT.
 *
 * Messages in compatibility format are blocked from then on.
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EOPNOTSUPP  the unit lacks something; logged.
 *         -ETIMEDOUT   it does not do what it was told; logged.
 *         -ENOMEM      no memory.
 */
int ontb_iommu_new(struct ontb_machine *machine, struct ontb_pages *pages, unsigned int nr_entries,
		   struct ontb_iommu **out) ONTB_MUST_CHECK;

/**
 * ontb_iommu_free() - switch remapping off
 * @iommu: Unit or NULL.
 */
void ontb_iommu_free(struct ontb_iommu *iommu);

/**
 * ontb_iommu_read() - load of a register
 * @iommu:  Unit.
 * @offset: Offset.
 * @len:    4 or 8 bytes.
 *
 * Context: Any thread.
 * Return: Value.
 */
uint64_t ontb_iommu_read(const struct ontb_iommu *iommu, unsigned int offset, unsigned int len);

/**
 * ontb_iommu_write() - store to a register
 * @iommu:  Unit.
 * @offset: Offset.
 * @value:  Value.
 * @len:    4 or 8 bytes.
 *
 * Context: Any thread.
 */
void ontb_iommu_write(const struct ontb_iommu *iommu, unsigned int offset, uint64_t value, unsigned int len);

/**
 * ontb_iommu_enter() - make an entry present
 * @iommu:  Unit.
 * @index:  Entry that is not present and not in the unit's cache as present.
 * @cpu:    Target.
 * @vector: Target.
 * @high:   Who may use it, see ontb_irte_high().
 *
 * Context: One thread at a time per entry. Takes the queue lock if the unit caches absent entries.
 * Return: 0, or -EIO (the unit has failed; the entry is not present).
 */
int ontb_iommu_enter(struct ontb_iommu *iommu, unsigned int index, unsigned int cpu, unsigned int vector, uint64_t high)
	ONTB_MUST_CHECK;

/**
 * ontb_iommu_retarget() - change where an entry goes
 * @iommu:  Unit.
 * @index:  Entry that is present.
 * @cpu:    New target.
 * @vector: New target.
 *
 * Context: One thread at a time per entry. Takes the queue lock.
 * Return: 0 (every message from now on goes to the new target, and those before have arrived at the old one), or
 *         -EIO  the unit has failed; either target may be used.
 */
int ontb_iommu_retarget(struct ontb_iommu *iommu, unsigned int index, unsigned int cpu, unsigned int vector)
	ONTB_MUST_CHECK;

/**
 * ontb_iommu_remove() - make an entry absent
 * @iommu: Unit.
 * @index: Entry.
 *
 * Context: One thread at a time per entry. Takes the queue lock.
 * Return: 0 (no message reaches its target any more), or
 *         -EIO  the unit has failed and may go on using the entry.
 */
int ontb_iommu_remove(struct ontb_iommu *iommu, unsigned int index) ONTB_MUST_CHECK;

#endif
