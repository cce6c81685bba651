/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Inside of src/msi: devices, device domains and descriptors. Nobody outside this folder includes it.
 */
#ifndef ONTB_MSI_MSI_H
#define ONTB_MSI_MSI_H

#include <openntb/msi.h>

#include "base/annotate.h"
#include "base/idmap.h"
#include "base/rcu.h"

/**
 * struct ontb_msi_desc - an index of a domain that is in use
 * @rcu:    Frees it when nobody can look at it any more.
 * @cookie: The caller's. Under the descriptor lock; constant while there is a number.
 * @virq:   Interrupt number, 0 if there is none. Written under the descriptor lock; atomic, read without it.
 * @index:  Index. Constant.
 * @is_new: Made by the allocation that is running, which has to undo it if it fails. Under the descriptor lock.
 * @is_newly_numbered: Likewise, for its number.
 *
 * There may be a million: what all of a domain have in common is in struct ontb_msi_domain, which is found by the chip.
 */
struct ontb_msi_desc {
	struct ontb_rcu_head rcu;
	void *cookie;
	uint32_t virq;
	uint16_t index;
	bool is_new;
	bool is_newly_numbered;
};

/**
 * struct ontb_msi_domain - what is in a slot
 * @dev:      Device. Constant.
 * @slot:     Slot. Constant.
 * @irq:      The domain. Constant.
 * @template: The caller's, completed by the parent; its chip is that of every interrupt here. Constant.
 * @descs:    struct ontb_msi_desc by index. Changed under the descriptor lock, read under it or RCU.
 * @nr_group: Indices 0..nr_group - 1 are a contiguous group; 0 if there is none. Under the descriptor lock.
 */
struct ontb_msi_domain {
	struct ontb_msi_dev *dev;
	unsigned int slot;
	struct ontb_irq_domain *irq;
	struct ontb_msi_template template;
	struct ontb_idmap descs;
	unsigned int nr_group;
};

/**
 * struct ontb_msi_dev - a device
 * @name:        Constant.
 * @rids:        Constant.
 * @nr_rids:     Constant.
 * @parent:      MSI parent. Constant.
 * @lock:        Descriptor lock: what is in the slots, and all descriptors.
 * @owner:       Identity of the thread that holds it, 0 if none. Written by that thread; atomic.
 * @nr_nested:   How often the holder took it once more. Under @lock.
 * @slots:       Domains. Changed under @lock, read under it or RCU.
 * @parent_data: The parent's, per slot. Written under @lock while the slot has no interrupts.
 */
struct ontb_msi_dev {
	char *name;
	uint16_t rids[ONTB_MSI_MAX_RIDS];
	unsigned int nr_rids;
	struct ontb_irq_domain *parent;
	struct ontb_lock lock;
	uintptr_t owner;
	unsigned int nr_nested;
	struct ontb_msi_domain *slots[ONTB_MSI_NR_SLOTS];
	void *parent_data[ONTB_MSI_NR_SLOTS];
};

/* What the public header says in words, for the lock checker, whose marks a public header cannot have. */
/* NOLINTBEGIN(readability-redundant-declaration) */
void ontb_msi_lock(struct ontb_msi_dev *dev) ONTB_ACQUIRES(dev->lock);
void ontb_msi_unlock(struct ontb_msi_dev *dev) ONTB_RELEASES(dev->lock);
int ontb_msi_alloc_at_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index,
			     const struct ontb_cpumask *affinity, void *cookie, struct ontb_msi_map *map)
	ONTB_MUST_HOLD(dev->lock);
int ontb_msi_alloc_range_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count,
				unsigned int *nr_done) ONTB_MUST_HOLD(dev->lock);
int ontb_msi_alloc_contiguous_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int count)
	ONTB_MUST_HOLD(dev->lock);
int ontb_msi_alloc_all_locked(struct ontb_msi_dev *dev, unsigned int slot) ONTB_MUST_HOLD(dev->lock);
int ontb_msi_free_range_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count)
	ONTB_MUST_HOLD(dev->lock);
int ontb_msi_free_all_locked(struct ontb_msi_dev *dev, unsigned int slot) ONTB_MUST_HOLD(dev->lock);
int ontb_msi_insert_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index, void *cookie)
	ONTB_MUST_HOLD(dev->lock);
int ontb_msi_remove_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index) ONTB_MUST_HOLD(dev->lock);
bool ontb_msi_next_locked(struct ontb_msi_dev *dev, unsigned int slot, enum ontb_msi_filter filter, unsigned int index,
			  struct ontb_msi_map *map) ONTB_MUST_HOLD(dev->lock);
/* NOLINTEND(readability-redundant-declaration) */

/* lock.c */

/**
 * ontb_msi_lock_holds() - whether this thread has the descriptor lock
 * @dev: Device.
 */
bool ontb_msi_lock_holds(const struct ontb_msi_dev *dev);

/**
 * ontb_msi_lock_enter() - take the descriptor lock for a public function
 * @dev:  Device.
 * @what: Name of the function.
 *
 * Return: 0, or
 *         -EINVAL  this thread has it already; logged.
 */
int ontb_msi_lock_enter(struct ontb_msi_dev *dev, const char *what) ONTB_TSA(try_acquire_capability(0, dev->lock))
	ONTB_MUST_CHECK;

/**
 * ontb_msi_lock_leave() - undo ontb_msi_lock_enter()
 * @dev: Device.
 */
void ontb_msi_lock_leave(struct ontb_msi_dev *dev) ONTB_RELEASES(dev->lock);

/**
 * ontb_msi_lock_check() - insist that the caller of a _locked function has the lock
 * @dev:  Device.
 * @what: Name of the function.
 *
 * Return: 0, or
 *         -EINVAL  it does not; logged.
 */
int ontb_msi_lock_check(const struct ontb_msi_dev *dev, const char *what) ONTB_MUST_CHECK;

/* domain.c */

/**
 * ontb_msi_domain_in() - the domain in a slot
 * @dev:  Device.
 * @slot: Slot, any number.
 *
 * Context: Descriptor lock held, or RCU read-side section.
 * Return: Domain, or NULL.
 */
struct ontb_msi_domain *ontb_msi_domain_in(const struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_domain_of() - the device domain of an interrupt
 * @data: Data of the interrupt in a device domain.
 *
 * Return: Domain.
 */
const struct ontb_msi_domain *ontb_msi_domain_of(const struct ontb_irq_data *data);

/**
 * ontb_msi_domain_alloc() - get interrupt numbers for descriptors
 * @md:            Domain.
 * @index:         First index; all have descriptors without a number.
 * @nr:            How many.
 * @is_contiguous: See struct ontb_msi_alloc.
 * @affinity:      Or NULL.
 *
 * Context: Descriptor lock held.
 * Return: First number, or what ontb_irq_domain_alloc() said.
 */
int ontb_msi_domain_alloc(struct ontb_msi_domain *md, unsigned int index, unsigned int nr, bool is_contiguous,
			  const struct ontb_cpumask *affinity) ONTB_MUST_HOLD(md->dev->lock) ONTB_MUST_CHECK;

/**
 * ontb_msi_assume_locked() - tell the lock checker what an executable check has found
 * @md: Domain of a device whose descriptor lock is held.
 */
static inline void ontb_msi_assume_locked(const struct ontb_msi_domain *md) ONTB_TSA(assert_capability(md->dev->lock))
{
	(void)md;
}

/* desc.c */

/**
 * ontb_msi_desc_find() - a descriptor
 * @md:    Domain.
 * @index: Index, any number.
 *
 * Context: Descriptor lock held, or RCU read-side section.
 * Return: Descriptor, or NULL.
 */
struct ontb_msi_desc *ontb_msi_desc_find(const struct ontb_msi_domain *md, unsigned int index);

/**
 * ontb_msi_desc_next() - the first descriptor of a range that passes a filter
 * @md:     Domain.
 * @filter: Which.
 * @index:  Where to start.
 * @end:    Where to stop looking: first index after the range.
 *
 * Context: Descriptor lock held.
 * Return: Descriptor, or NULL.
 */
struct ontb_msi_desc *ontb_msi_desc_next(const struct ontb_msi_domain *md, enum ontb_msi_filter filter,
					 unsigned int index, unsigned int end) ONTB_MUST_HOLD(md->dev->lock);

/**
 * ontb_msi_desc_insert() - make a descriptor
 * @md:     Domain.
 * @index:  Index inside the domain.
 * @cookie: The caller's.
 * @out:    OUT.
 *
 * Context: Descriptor lock held.
 * Return: 0, or
 *         -EBUSY   there is one.
 *         -ENOMEM  no memory.
 */
int ontb_msi_desc_insert(struct ontb_msi_domain *md, unsigned int index, void *cookie, struct ontb_msi_desc **out)
	ONTB_MUST_HOLD(md->dev->lock) ONTB_MUST_CHECK;

/**
 * ontb_msi_desc_remove() - free a descriptor without a number
 * @md:   Domain.
 * @desc: Descriptor; goes after a grace period.
 *
 * Context: Descriptor lock held.
 */
void ontb_msi_desc_remove(struct ontb_msi_domain *md, struct ontb_msi_desc *desc) ONTB_MUST_HOLD(md->dev->lock);

static inline unsigned int ontb_msi_desc_virq(const struct ontb_msi_desc *desc)
{
	return __atomic_load_n(&desc->virq, __ATOMIC_ACQUIRE);
}

static inline void ontb_msi_desc_set_virq(struct ontb_msi_desc *desc, unsigned int virq)
{
	__atomic_store_n(&desc->virq, virq, __ATOMIC_RELEASE);
}

/* number.c */

/**
 * ontb_msi_number_range() - give numbers to a range
 * @md:       Domain.
 * @first:    First index.
 * @count:    How many; the range lies inside the domain.
 * @is_lax:   Pass over indices that have a number and, in a manual domain, those without a descriptor.
 * @affinity: Or NULL.
 * @cookie:   For new descriptors; if not NULL, for old ones too.
 * @nr_done:  OUT, how many succeeded before one failed.
 *
 * Context: Descriptor lock held.
 * Return: 0, or an error after which everything is as before: see ontb_msi_alloc_at().
 */
int ontb_msi_number_range(struct ontb_msi_domain *md, unsigned int first, unsigned int count, bool is_lax,
			  const struct ontb_cpumask *affinity, void *cookie, unsigned int *nr_done)
	ONTB_MUST_HOLD(md->dev->lock) ONTB_MUST_CHECK;

/**
 * ontb_msi_number_group() - give numbers to a contiguous group
 * @md:    Domain.
 * @count: Power of two.
 *
 * Context: Descriptor lock held.
 * Return: As ontb_msi_number_range().
 */
int ontb_msi_number_group(struct ontb_msi_domain *md, unsigned int count) ONTB_MUST_HOLD(md->dev->lock) ONTB_MUST_CHECK;

/**
 * ontb_msi_find_free() - the lowest index that an allocation can take
 * @md:    Domain.
 * @index: OUT.
 *
 * Context: Descriptor lock held.
 * Return: 0 or -ENOSPC.
 */
int ontb_msi_find_free(const struct ontb_msi_domain *md, unsigned int *index) ONTB_MUST_HOLD(md->dev->lock)
	ONTB_MUST_CHECK;

/**
 * ontb_msi_unnumber_range() - take the numbers of a range away
 * @md:    Domain.
 * @first: First index.
 * @end:   First index after it.
 *
 * Context: Descriptor lock held.
 * Return: 0, or
 *         -EBUSY  a handler, or a torn group; nothing changed.
 */
int ontb_msi_unnumber_range(struct ontb_msi_domain *md, unsigned int first, unsigned int end)
	ONTB_MUST_HOLD(md->dev->lock) ONTB_MUST_CHECK;

/**
 * ontb_msi_unnumber_rest() - free what can be freed, before a device goes
 * @md: Domain.
 *
 * Context: Descriptor lock held.
 * Return: How many interrupts have a handler, are logged, and stay.
 */
unsigned int ontb_msi_unnumber_rest(struct ontb_msi_domain *md) ONTB_MUST_HOLD(md->dev->lock);

#endif
