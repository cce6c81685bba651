// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A function's own interrupts: which kind, how many, and their domain in slot 0 of its MSI device.
 */
#include "pci/pci.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"

int ontb_pci_add_rid_alias(struct ontb_pci_dev *dev, uint16_t rid)
{
	int ret = 0;

	ontb_lock(&dev->lock);
	for (unsigned int i = 0; i < dev->nr_rids; i++) {
		if (dev->rids[i] == rid)
			goto unlock;
	}
	if (dev->msi_dev)
		ret = -EBUSY;
	else if (dev->nr_rids == ONTB_MSI_MAX_RIDS)
		ret = -ENOSPC;
	else
		dev->rids[dev->nr_rids++] = rid;
unlock:
	ontb_unlock(&dev->lock);
	return ret;
}

static int make_msi_dev(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock)
{
	const struct ontb_msi_dev_config config = {
		.name = dev->name,
		.rids = dev->rids,
		.nr_rids = dev->nr_rids,
		.parent = dev->msi_parent,
	};
	struct ontb_msi_dev *made;
	int ret;

	if (dev->msi_dev)
		return 0;
	if (!config.parent)
		return -EOPNOTSUPP;
	ret = ontb_msi_dev_new(&config, &made);
	if (!ret)
		__atomic_store_n(&dev->msi_dev, made, __ATOMIC_RELEASE);
	return ret;
}

int ontb_pci_msi_dev(struct ontb_pci_dev *dev, struct ontb_msi_dev **out)
{
	int ret;

	ontb_lock(&dev->lock);
	ret = make_msi_dev(dev);
	if (!ret)
		*out = dev->msi_dev;
	ontb_unlock(&dev->lock);
	return ret;
}

/* The function's INTx pin is silent while it has messages. */
static void set_mode(struct ontb_pci_dev *dev, enum ontb_pci_mode mode) ONTB_MUST_HOLD(dev->lock)
{
	dev->mode = mode;
	if (mode == ONTB_PCI_NO_IRQS)
		dev->command &= ~PCI_COMMAND_NO_INTX;
	else
		dev->command |= PCI_COMMAND_NO_INTX;
	ontb_pci_write_command(dev);
}

/* MSI-X */

static int open_msix(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock)
{
	struct ontb_msi_template template = {
		.prefix = "PCI-MSIX-",
		.token = ONTB_BUS_PCI_MSIX,
		.nr_indices = dev->msix.size,
		.flow = ONTB_IRQ_EDGE,
		.data = dev,
	};
	int ret;

	if (dev->msix.cap <= 0)
		return dev->msix.cap ? dev->msix.cap : -EOPNOTSUPP;
	ontb_pci_msix_chip(&template.chip);
	ret = ontb_pci_msix_start(dev);
	if (ret)
		return ret;
	ret = ontb_msi_domain_new(dev->msi_dev, ONTB_PCI_MSI_SLOT, &template);
	if (ret)
		ontb_pci_msix_stop(dev);
	return ret;
}

static void run_msix(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock)
{
	set_mode(dev, ONTB_PCI_MSIX);
	ontb_pci_msix_run(dev);
}

/* The slot's domain goes; nobody can have requested an interrupt of it. */
static void drop_domain(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock)
{
	int ret = ontb_msi_domain_free(dev->msi_dev, ONTB_PCI_MSI_SLOT);

	if (ret)
		ontb_log(ONTB_LOG_ERROR, "%s: interrupts not freed: somebody uses one that was never handed out",
			 dev->name);
}

/* As many as there are, from index 0 on, if the parent runs out. */
static int alloc_msix(struct ontb_pci_dev *dev, unsigned int min, unsigned int max) ONTB_MUST_HOLD(dev->lock)
{
	unsigned int nr = max < dev->msix.size ? max : dev->msix.size, nr_done = 0;
	int ret;

	if (dev->msix.cap > 0 && nr < min)
		return -ENOSPC;
	ret = open_msix(dev);
	if (ret)
		return ret;
	for (;;) {
		ret = ontb_msi_alloc_range(dev->msi_dev, ONTB_PCI_MSI_SLOT, 0, nr, &nr_done);
		if (ret != -ENOSPC || nr_done < min || nr_done >= nr)
			break;
		nr = nr_done;
	}
	if (ret) {
		drop_domain(dev);
		ontb_pci_msix_stop(dev);
		return ret;
	}
	run_msix(dev);
	return (int)nr;
}

static int alloc_entries(struct ontb_pci_dev *dev, const unsigned int *entries, unsigned int nr)
	ONTB_MUST_HOLD(dev->lock)
{
	int ret = open_msix(dev);

	if (ret)
		return ret;
	for (unsigned int i = 0; !ret && i < nr; i++) {
		struct ontb_msi_map map;

		if (entries[i] == ONTB_MSI_ANY_INDEX)
			ret = -ERANGE;
		else
			ret = ontb_msi_alloc_at(dev->msi_dev, ONTB_PCI_MSI_SLOT, entries[i], NULL, NULL, &map);
	}
	if (ret) {
		drop_domain(dev);
		ontb_pci_msix_stop(dev);
		return ret == -EBUSY ? -EINVAL : ret;
	}
	run_msix(dev);
	return 0;
}

/* MSI */

static bool has_contiguous(const struct ontb_pci_dev *dev)
{
	return ontb_irq_domain_msi_parent(ontb_msi_dev_parent(dev->msi_dev))->features & ONTB_MSI_FEATURE_CONTIGUOUS;
}

static int open_msi(struct ontb_pci_dev *dev, unsigned int nr) ONTB_MUST_HOLD(dev->lock)
{
	struct ontb_msi_template template = {
		.prefix = "PCI-MSI-",
		.token = ONTB_BUS_PCI_MSI,
		.nr_indices = nr,
		.features = nr > 1 ? ONTB_MSI_FEATURE_CONTIGUOUS : 0,
		.flow = ONTB_IRQ_EDGE,
		.data = dev,
	};
	struct ontb_msi_map map;
	int ret;

	ontb_pci_msi_chip(dev, &template.chip);
	ontb_pci_msi_start(dev, nr);
	ret = ontb_msi_domain_new(dev->msi_dev, ONTB_PCI_MSI_SLOT, &template);
	if (ret)
		goto stop;
	if (nr > 1)
		ret = ontb_msi_alloc_contiguous(dev->msi_dev, ONTB_PCI_MSI_SLOT, nr);
	else
		ret = ontb_msi_alloc_at(dev->msi_dev, ONTB_PCI_MSI_SLOT, 0, NULL, NULL, &map);
	if (ret)
		goto drop;
	set_mode(dev, ONTB_PCI_MSI);
	return 0;
drop:
	drop_domain(dev);
stop:
	ontb_pci_msi_stop(dev);
	return ret;
}

/* Powers of two are all there is: rather fewer than wanted than more, unless that would be less than needed. */
static int alloc_msi(struct ontb_pci_dev *dev, unsigned int min, unsigned int max) ONTB_MUST_HOLD(dev->lock)
{
	unsigned int limit = max < dev->msi.max ? max : dev->msi.max, nr;
	int ret = -ENOSPC;

	if (dev->msi.cap <= 0)
		return dev->msi.cap ? dev->msi.cap : -EOPNOTSUPP;
	if (!has_contiguous(dev))
		limit = 1;
	if (limit < min)
		return -ENOSPC;
	nr = 1U << ontb_log2(limit);
	if (nr < min) {
		ret = open_msi(dev, 2 * nr);
		return ret ? ret : (int)limit;
	}
	for (; nr >= min; nr /= 2) {
		ret = open_msi(dev, nr);
		if (ret != -ENOSPC)
			break;
	}
	return ret ? ret : (int)nr;
}

/* Whether interrupts can be allocated now; then there is an MSI device. */
static int prepare(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock)
{
	if (dev->mode != ONTB_PCI_NO_IRQS)
		return -EBUSY;
	if (!(dev->command & PCI_COMMAND_MEMORY))
		return -EINVAL;
	if (ontb_pci_is_gone(dev))
		return -EFAULT;
	return make_msi_dev(dev);
}

static int alloc_any(struct ontb_pci_dev *dev, unsigned int min, unsigned int max, unsigned int flags)
	ONTB_MUST_HOLD(dev->lock)
{
	int ret = -EOPNOTSUPP, err;

	if (flags & ONTB_PCI_IRQ_MSIX)
		ret = alloc_msix(dev, min, max);
	if (ret >= 0 || !(flags & ONTB_PCI_IRQ_MSI))
		return ret;
	err = alloc_msi(dev, min, max);
	return err == -EOPNOTSUPP ? ret : err;
}

int ontb_pci_alloc_irqs(struct ontb_pci_dev *dev, unsigned int min, unsigned int max, unsigned int flags)
{
	int ret;

	if (!min || max < min || !flags || flags & ~ONTB_PCI_IRQ_ANY)
		return -EINVAL;
	ontb_lock(&dev->lock);
	ret = prepare(dev);
	if (!ret)
		ret = alloc_any(dev, min, max, flags);
	ontb_unlock(&dev->lock);
	return ret;
}

int ontb_pci_alloc_msix(struct ontb_pci_dev *dev, const unsigned int *entries, unsigned int nr)
{
	int ret;

	if (!nr)
		return -EINVAL;
	ontb_lock(&dev->lock);
	ret = prepare(dev);
	if (!ret)
		ret = alloc_entries(dev, entries, nr);
	ontb_unlock(&dev->lock);
	return ret;
}

int ontb_pci_free_irqs(struct ontb_pci_dev *dev)
{
	int ret = 0;

	ontb_lock(&dev->lock);
	if (dev->mode == ONTB_PCI_NO_IRQS)
		goto unlock;
	ret = ontb_msi_domain_free(dev->msi_dev, ONTB_PCI_MSI_SLOT);
	if (ret)
		goto unlock;
	if (dev->mode == ONTB_PCI_MSIX)
		ontb_pci_msix_stop(dev);
	else
		ontb_pci_msi_stop(dev);
	set_mode(dev, ONTB_PCI_NO_IRQS);
unlock:
	ontb_unlock(&dev->lock);
	return ret;
}

unsigned int ontb_pci_irq(const struct ontb_pci_dev *dev, unsigned int idx)
{
	const struct ontb_msi_dev *msi = __atomic_load_n(&dev->msi_dev, __ATOMIC_ACQUIRE);

	return msi ? ontb_msi_virq(msi, ONTB_PCI_MSI_SLOT, idx) : 0;
}

unsigned int ontb_pci_msix_size(const struct ontb_pci_dev *dev)
{
	return dev->msix.size;
}

int ontb_pci_msix_alloc_at(struct ontb_pci_dev *dev, unsigned int idx, const struct ontb_cpumask *affinity,
			   struct ontb_msi_map *map)
{
	int ret = -EINVAL;

	ontb_lock(&dev->lock);
	if (dev->mode == ONTB_PCI_MSIX)
		ret = ontb_msi_alloc_at(dev->msi_dev, ONTB_PCI_MSI_SLOT, idx, affinity, NULL, map);
	ontb_unlock(&dev->lock);
	return ret;
}

int ontb_pci_msix_free_at(struct ontb_pci_dev *dev, unsigned int idx)
{
	int ret = -EINVAL;

	ontb_lock(&dev->lock);
	if (dev->mode == ONTB_PCI_MSIX)
		ret = ontb_pci_irq(dev, idx) ? ontb_msi_free_range(dev->msi_dev, ONTB_PCI_MSI_SLOT, idx, 1) : -ENOENT;
	ontb_unlock(&dev->lock);
	return ret;
}

int ontb_pci_irq_pending(struct ontb_pci_dev *dev, unsigned int idx)
{
	int ret = -ENOENT;

	ontb_lock(&dev->lock);
	if (dev->mode != ONTB_PCI_NO_IRQS && ontb_pci_irq(dev, idx))
		ret = dev->mode == ONTB_PCI_MSIX ? ontb_pci_msix_pending(dev, idx) : ontb_pci_msi_pending(dev, idx);
	ontb_unlock(&dev->lock);
	return ret;
}

/* Messages are written before the function may send any. */
static void restore_locked(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock)
{
	uint32_t command = dev->command;

	dev->command = 0;
	ontb_pci_write_command(dev);
	ontb_pci_write_bars(dev);
	dev->command = command & ~PCI_COMMAND_MASTER;
	ontb_pci_write_command(dev);
	if (dev->mode == ONTB_PCI_MSIX)
		ontb_pci_msix_forget(dev);
	else if (dev->mode == ONTB_PCI_MSI)
		ontb_pci_msi_forget(dev);
	if (dev->mode != ONTB_PCI_NO_IRQS)
		ontb_msi_rewrite_all(dev->msi_dev, ONTB_PCI_MSI_SLOT);
	if (dev->mode == ONTB_PCI_MSIX)
		ontb_pci_msix_run(dev);
	dev->command = command;
	ontb_pci_write_command(dev);
}

int ontb_pci_reset_restore(struct ontb_pci_dev *dev)
{
	int ret = 0;

	ontb_lock(&dev->lock);
	if (ontb_pci_is_gone(dev))
		ret = -EFAULT;
	else
		restore_locked(dev);
	ontb_unlock(&dev->lock);
	return ret;
}
