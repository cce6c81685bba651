// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What users call to allocate, free, walk and list: checks and the descriptor lock; number.c and desc.c do the work.
 *
 * Each function that takes the lock is the _locked one between enter and leave.
 */
#include "msi/msi.h"

#include <errno.h>
#include <stdio.h>

/* The domain for a _locked function, after the check that the lock is held. */
static int check_in(const struct ontb_msi_dev *dev, unsigned int slot, const char *what, struct ontb_msi_domain **out)
{
	int ret = ontb_msi_lock_check(dev, what);

	if (ret)
		return ret;
	*out = ontb_msi_domain_in(dev, slot);
	return *out ? 0 : -ERANGE;
}

static bool is_inside(const struct ontb_msi_domain *md, unsigned int first, unsigned int count)
{
	return first <= md->template.nr_indices && count <= md->template.nr_indices - first;
}

/* Allocating */

int ontb_msi_alloc_at_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index,
			     const struct ontb_cpumask *affinity, void *cookie, struct ontb_msi_map *map)
{
	struct ontb_msi_domain *md;
	unsigned int nr_done;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret)
		return ret;
	ontb_msi_assume_locked(md);
	if (index == ONTB_MSI_ANY_INDEX)
		ret = ontb_msi_find_free(md, &index);
	else if (!is_inside(md, index, 1))
		ret = -ERANGE;
	if (!ret)
		ret = ontb_msi_number_range(md, index, 1, false, affinity, cookie, &nr_done);
	if (ret)
		return ret;
	map->index = index;
	map->virq = ontb_msi_desc_virq(ontb_msi_desc_find(md, index));
	return 0;
}

int ontb_msi_alloc_at(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index,
		      const struct ontb_cpumask *affinity, void *cookie, struct ontb_msi_map *map)
{
	int ret;

	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	ret = ontb_msi_alloc_at_locked(dev, slot, index, affinity, cookie, map);
	ontb_msi_lock_leave(dev);
	return ret;
}

int ontb_msi_alloc_range_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count,
				unsigned int *nr_done)
{
	struct ontb_msi_domain *md;
	unsigned int nr = 0;
	int ret = check_in(dev, slot, __func__, &md);

	if (!ret && !is_inside(md, first, count))
		ret = -ERANGE;
	if (!ret) {
		ontb_msi_assume_locked(md);
		ret = ontb_msi_number_range(md, first, count, false, NULL, NULL, &nr);
	}
	if (nr_done)
		*nr_done = nr;
	return ret;
}

int ontb_msi_alloc_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count,
			 unsigned int *nr_done)
{
	int ret;

	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	ret = ontb_msi_alloc_range_locked(dev, slot, first, count, nr_done);
	ontb_msi_lock_leave(dev);
	return ret;
}

int ontb_msi_alloc_contiguous_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int count)
{
	struct ontb_msi_domain *md;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret)
		return ret;
	if (!count || count & (count - 1))
		return -EINVAL;
	if (!(md->template.features & ONTB_MSI_FEATURE_CONTIGUOUS))
		return -EOPNOTSUPP;
	if (!is_inside(md, 0, count))
		return -ERANGE;
	ontb_msi_assume_locked(md);
	return ontb_msi_number_group(md, count);
}

int ontb_msi_alloc_contiguous(struct ontb_msi_dev *dev, unsigned int slot, unsigned int count)
{
	int ret;

	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	ret = ontb_msi_alloc_contiguous_locked(dev, slot, count);
	ontb_msi_lock_leave(dev);
	return ret;
}

int ontb_msi_alloc_all_locked(struct ontb_msi_dev *dev, unsigned int slot)
{
	struct ontb_msi_domain *md;
	unsigned int nr_done;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret)
		return ret;
	ontb_msi_assume_locked(md);
	return ontb_msi_number_range(md, 0, md->template.nr_indices, true, NULL, NULL, &nr_done);
}

int ontb_msi_alloc_all(struct ontb_msi_dev *dev, unsigned int slot)
{
	int ret;

	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	ret = ontb_msi_alloc_all_locked(dev, slot);
	ontb_msi_lock_leave(dev);
	return ret;
}

/* Freeing */

int ontb_msi_free_range_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count)
{
	struct ontb_msi_domain *md;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret || first >= md->template.nr_indices)
		return ret;
	if (count > md->template.nr_indices - first)
		count = md->template.nr_indices - first;
	ontb_msi_assume_locked(md);
	return ontb_msi_unnumber_range(md, first, first + count);
}

int ontb_msi_free_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count)
{
	int ret;

	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	ret = ontb_msi_free_range_locked(dev, slot, first, count);
	ontb_msi_lock_leave(dev);
	return ret;
}

int ontb_msi_free_all_locked(struct ontb_msi_dev *dev, unsigned int slot)
{
	struct ontb_msi_domain *md;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret)
		return ret;
	ontb_msi_assume_locked(md);
	return ontb_msi_unnumber_range(md, 0, md->template.nr_indices);
}

int ontb_msi_free_all(struct ontb_msi_dev *dev, unsigned int slot)
{
	int ret;

	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	ret = ontb_msi_free_all_locked(dev, slot);
	ontb_msi_lock_leave(dev);
	return ret;
}

/* Descriptors of the caller, and walking */

int ontb_msi_insert_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index, void *cookie)
{
	struct ontb_msi_domain *md;
	struct ontb_msi_desc *desc;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret)
		return ret;
	if (!is_inside(md, index, 1))
		return -ERANGE;
	ontb_msi_assume_locked(md);
	return ontb_msi_desc_insert(md, index, cookie, &desc);
}

int ontb_msi_remove_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index)
{
	struct ontb_msi_domain *md;
	struct ontb_msi_desc *desc;
	int ret = check_in(dev, slot, __func__, &md);

	if (ret)
		return ret;
	if (!is_inside(md, index, 1))
		return -ERANGE;
	desc = ontb_msi_desc_find(md, index);
	if (!desc)
		return -ENOENT;
	if (ontb_msi_desc_virq(desc))
		return -EBUSY;
	ontb_msi_assume_locked(md);
	ontb_msi_desc_remove(md, desc);
	return 0;
}

bool ontb_msi_next_locked(struct ontb_msi_dev *dev, unsigned int slot, enum ontb_msi_filter filter, unsigned int index,
			  struct ontb_msi_map *map)
{
	const struct ontb_msi_desc *desc;
	struct ontb_msi_domain *md;

	if (check_in(dev, slot, __func__, &md))
		return false;
	ontb_msi_assume_locked(md);
	desc = ontb_msi_desc_next(md, filter, index, md->template.nr_indices);
	if (!desc)
		return false;
	map->index = desc->index;
	map->virq = ontb_msi_desc_virq(desc);
	return true;
}

unsigned int ontb_msi_virq(const struct ontb_msi_dev *dev, unsigned int slot, unsigned int index)
{
	const struct ontb_msi_domain *md;
	const struct ontb_msi_desc *desc;
	unsigned int virq = 0;

	ontb_rcu_read_lock();
	md = ontb_msi_domain_in(dev, slot);
	desc = md ? ontb_msi_desc_find(md, index) : NULL;
	if (desc)
		virq = ontb_msi_desc_virq(desc);
	ontb_rcu_read_unlock();
	return virq;
}

/* All of a device or of a slot */

void ontb_msi_rewrite_all(struct ontb_msi_dev *dev, unsigned int slot)
{
	struct ontb_msi_map map = { 0 };

	if (ontb_msi_lock_enter(dev, __func__))
		return;
	for (; ontb_msi_next_locked(dev, slot, ONTB_MSI_ASSOCIATED, map.index, &map); map.index++)
		(void)ontb_irq_rewrite(ontb_msi_dev_system(dev), map.virq);
	ontb_msi_lock_leave(dev);
}

unsigned int ontb_msi_list(struct ontb_msi_dev *dev, struct ontb_msi_entry *entries, unsigned int max)
{
	unsigned int nr = 0;

	if (ontb_msi_lock_enter(dev, __func__))
		return 0;
	for (unsigned int slot = 0; slot < ONTB_MSI_NR_SLOTS; slot++) {
		struct ontb_msi_map map = { 0 };

		for (; ontb_msi_next_locked(dev, slot, ONTB_MSI_ASSOCIATED, map.index, &map); map.index++, nr++) {
			if (nr >= max)
				continue;
			entries[nr].slot = slot;
			entries[nr].index = map.index;
			entries[nr].virq = map.virq;
			(void)snprintf(entries[nr].domain, sizeof(entries[nr].domain), "%s",
				       ontb_irq_domain_name(ontb_msi_domain(dev, slot)));
		}
	}
	ontb_msi_lock_leave(dev);
	return nr;
}
