// SPDX-License-Identifier: GPL-2.0-only
/*
 * The domain: child of the device's MSI parent, next to the PCI/MSI or PCI/MSI-X domain of the same function,
 * which it neither reads nor writes.
 *
 * The functions that make such a domain for a driver are not exported, the parent's own operations are reachable
 * through its structure: it fills in chip, flow and allocation as for a PCI/MSI-X domain. The bus token says so
 * too, for want of one for NTBs that parents accept. Nothing of it ends up in a table of the function.
 */
#include <linux/pci.h>

#include "ntb_msi.h"

/* irq_chip_compose_msi_msg() is not exported. Some parents put their function into the child's chip: begin there. */
static int compose(struct irq_data *data, struct msi_msg *msg)
{
	for (; data; data = data->parent_data) {
		if (data->chip && data->chip->irq_compose_msi_msg) {
			data->chip->irq_compose_msi_msg(data, msg);
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

static void store(struct ntb_msi_line *line, const struct msi_msg *msg)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&line->lock, flags);
	if (line->exposed && memcmp(&line->msg, msg, sizeof(*msg)))
		line->changed = true;
	line->msg = *msg;
	raw_spin_unlock_irqrestore(&line->lock, flags);
}

/* The receiver of a message has nothing to mask; a move in interrupt context wants the functions nevertheless. */
static void chip_mask(struct irq_data *data)
{
}

static void chip_unmask(struct irq_data *data)
{
}

/* Some parents write the message themselves through this. */
static void chip_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	store(irq_data_get_irq_chip_data(data), msg);
}

/*
 * Runs under desc->lock. Either the parent may move the interrupt in place, then its message is looked at again;
 * or peers have the message, then the move is made elsewhere, in process context, and this only notes what is
 * wanted.
 */
static int chip_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct ntb_msi_line *line = irq_data_get_irq_chip_data(data);
	struct irq_data *up = data->parent_data;
	struct msi_msg msg[2] = {};
	int ret;

	if (ntb_msi_wants_move(line, mask))
		return IRQ_SET_MASK_OK;
	if (!up->chip->irq_set_affinity)
		return -EOPNOTSUPP;
	ret = up->chip->irq_set_affinity(up, mask, force);
	if (ret < 0)
		return ret;
	if (!compose(data, msg))
		store(line, msg);
	if (READ_ONCE(line->changed))
		ntb_msi_kick(line->msi);
	return ret;
}

static const struct irq_chip chip_template = {
	.irq_mask = chip_mask,
	.irq_unmask = chip_unmask,
	.irq_write_msi_msg = chip_write_msg,
	.flags = IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

static int domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct msi_domain_info *info = domain->host_data;
	msi_alloc_info_t *alloc = arg;
	struct ntb_msi_line *line = container_of(alloc->desc, struct ntb_msi_line, desc);
	int ret;

	ret = irq_domain_alloc_irqs_parent(domain, virq, nr, alloc);
	if (ret < 0)
		return ret;
	if (info->handler)
		irq_domain_set_info(domain, virq, line->hwirq, info->chip, line, info->handler, NULL,
				    info->handler_name);
	else /* the parent has set one */
		irq_domain_set_hwirq_and_chip(domain, virq, line->hwirq, info->chip, line);
	/* irq_set_msi_desc() is not exported; an IOMMU that translates the address looks here for the device. */
	irq_get_irq_data(virq)->common->msi_desc = &line->desc;
	compat_irq_moves_at_once(virq);
	return 0;
}

static void domain_free(struct irq_domain *domain, unsigned int virq, unsigned int nr)
{
	irq_get_irq_data(virq)->common->msi_desc = NULL;
	irq_domain_free_irqs_common(domain, virq, nr);
}

/* Bare vectors have a message only from here on, and it is another one after each activation. */
static int domain_activate(struct irq_domain *domain, struct irq_data *data, bool reserve)
{
	struct msi_msg msg[2] = {};
	int ret;

	ret = compose(data, msg);
	if (ret)
		return ret;
	store(irq_data_get_irq_chip_data(data), msg);
	return 0;
}

static const struct irq_domain_ops domain_ops = {
	.alloc = domain_alloc,
	.free = domain_free,
	.activate = domain_activate,
};

/* What the parent makes of the chip, and what of that is not for us. */
static int prepare_info(struct ntb_msi *msi)
{
	const struct msi_parent_ops *pops = msi->parent->msi_parent_ops;
	struct device *dev = &msi->ntb->pdev->dev;

	if (!pops || !pops->init_dev_msi_info)
		return -EOPNOTSUPP;
	snprintf(msi->chip_name, sizeof(msi->chip_name), "%sNTB-MSI-%s", pops->prefix ?: "", dev_name(dev));
	msi->chip = chip_template;
	msi->chip.name = msi->chip_name;
	msi->info.bus_token = DOMAIN_BUS_PCI_DEVICE_MSIX;
	msi->info.hwsize = NTB_MSI_MAX_LINES;
	msi->info.ops = &msi->ops;
	msi->info.chip = &msi->chip;
	compat_info_set_dev(&msi->info, dev);
	if (!pops->init_dev_msi_info(dev, msi->parent, msi->parent, &msi->info))
		return -EOPNOTSUPP;
	/* That of bare vectors publishes an intermediate message: old CPU, new vector. */
	msi->chip.irq_set_affinity = chip_set_affinity;
	compat_move_at_once(&msi->chip);
	return 0;
}

/**
 * ntb_msi_domain_create() - make the domain
 * @msi: Device with ->ntb set.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -ENODEV      the device has no MSI parent
 *         -EOPNOTSUPP  the parent is none that domains of devices can be made below
 *         -ENOMEM      no memory
 */
int ntb_msi_domain_create(struct ntb_msi *msi)
{
	struct device *dev = &msi->ntb->pdev->dev;
	int ret;

	msi->parent = dev_get_msi_domain(dev);
	if (!msi->parent)
		return -ENODEV;
	if (!irq_domain_is_msi_parent(msi->parent))
		return -EOPNOTSUPP;
	ret = prepare_info(msi);
	if (ret)
		return ret;
	/*
	 * Remapping keeps the message and changes its table. Where this turns out to be wrong, store() sees it,
	 * peers are told, and the handler runs for what may have been lost.
	 */
	msi->fixed = msi_device_has_isolated_msi(dev) || compat_parent_says_immutable(msi->parent);

	msi->fwnode = irq_domain_alloc_named_fwnode(msi->chip_name);
	if (!msi->fwnode)
		return -ENOMEM;
	msi->domain = irq_domain_create_hierarchy(msi->parent, 0, 0, msi->fwnode, &domain_ops, &msi->info);
	if (!msi->domain) {
		ret = -ENOMEM;
		goto free_fwnode;
	}
	if (msi->ops.msi_prepare) {
		ret = msi->ops.msi_prepare(msi->domain, dev, NTB_MSI_MAX_LINES, &msi->alloc);
		if (ret)
			goto remove_domain;
	}
	return 0;

remove_domain:
	irq_domain_remove(msi->domain);
free_fwnode:
	irq_domain_free_fwnode(msi->fwnode);
	return ret;
}

/**
 * ntb_msi_domain_remove() - free all lines, and the domain
 * @msi: Device; no line is requested.
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_domain_remove(struct ntb_msi *msi)
{
	while (msi->nr_lines)
		ntb_msi_line_drop(msi->lines[msi->nr_lines - 1]);
	compat_msi_teardown(&msi->ops, msi->domain, &msi->alloc);
	irq_domain_remove(msi->domain);
	irq_domain_free_fwnode(msi->fwnode);
}

/**
 * ntb_msi_line_new() - allocate an interrupt in the domain
 * @msi: Device.
 * @out: OUT: the line, neither free nor requested.
 *
 * Context: Process context, may sleep; ->lock is held, or nobody else knows @msi yet.
 * Return: 0, or
 *         -ENOSPC  the device has as many as it may, or the parent has none left
 *         -ENOMEM  no memory
 */
int ntb_msi_line_new(struct ntb_msi *msi, struct ntb_msi_line **out)
{
	struct device *dev = &msi->ntb->pdev->dev;
	msi_alloc_info_t alloc = msi->alloc;
	struct ntb_msi_line *line;
	int virq;

	if (msi->nr_lines == NTB_MSI_MAX_LINES)
		return -ENOSPC;
	line = kzalloc(sizeof(*line), GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	if (!zalloc_cpumask_var(&line->deflt, GFP_KERNEL)) {
		virq = -ENOMEM;
		goto free_line;
	}
	line->msi = msi;
	line->hwirq = msi->nr_lines;
	raw_spin_lock_init(&line->lock);
	atomic_set(&line->nr_late, 0);
	INIT_LIST_HEAD(&line->node);
	line->desc.dev = dev;
	line->desc.nvec_used = 1;
	line->desc.msi_index = line->hwirq;
	alloc.desc = &line->desc;
	alloc.hwirq = line->hwirq;
	/* One by one: x86 remapping takes blocks for MSI without X only. */
	virq = irq_domain_alloc_irqs(msi->domain, 1, dev_to_node(dev), &alloc);
	if (virq < 0)
		goto free_mask;
	line->virq = virq;
	line->desc.irq = virq;
	cpumask_copy(line->deflt, irq_data_get_affinity_mask(irq_get_irq_data(virq)));
	msi->lines[msi->nr_lines++] = line;
	*out = line;
	return 0;

free_mask:
	free_cpumask_var(line->deflt);
free_line:
	kfree(line);
	return virq;
}

/**
 * ntb_msi_line_drop() - free the line that was made last
 * @line: A line in no list that is not requested; no other was made after it.
 *
 * Context: Process context, may sleep; ->lock is held, or nobody else knows the device.
 */
void ntb_msi_line_drop(struct ntb_msi_line *line)
{
	line->msi->nr_lines--;
	/* irq_domain_free_irqs() is not exported everywhere; for a hierarchy this does the same. */
	irq_dispose_mapping(line->virq);
	free_cpumask_var(line->deflt);
	kfree(line);
}

/**
 * ntb_msi_line_compose() - learn a line's message
 * @line: A line; on bare vectors only one that is requested has a message.
 *
 * Not while its parent moves it in place: that ends with the new message. Nothing counts as changed afterwards.
 *
 * Context: Process context; takes desc->lock.
 * Return: 0, or -EOPNOTSUPP if no domain above can compose one.
 */
int ntb_msi_line_compose(struct ntb_msi_line *line)
{
	struct irq_data *data = irq_get_irq_data(line->virq);
	raw_spinlock_t *lock = &irq_data_to_desc(data)->lock;
	struct msi_msg msg[2] = {};
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(lock, flags);
	ret = compose(data, msg);
	if (!ret)
		store(line, msg);
	WRITE_ONCE(line->changed, false);
	raw_spin_unlock_irqrestore(lock, flags);
	return ret;
}

/**
 * ntb_msi_line_message() - a line's message
 * @line: A line.
 * @data: OUT: the data, unless NULL.
 *
 * Context: Any.
 * Return: The address.
 */
u64 ntb_msi_line_message(struct ntb_msi_line *line, u32 *data)
{
	unsigned long flags;
	u64 addr;

	raw_spin_lock_irqsave(&line->lock, flags);
	addr = (u64)line->msg.address_hi << 32 | line->msg.address_lo;
	if (data)
		*data = line->msg.data;
	raw_spin_unlock_irqrestore(&line->lock, flags);
	return addr;
}

/**
 * ntb_msi_line_cpu() - the CPU that a line interrupts
 * @line: A line that is requested.
 *
 * Context: Any.
 * Return: Number of the CPU; nr_cpu_ids or above if there is none.
 */
int ntb_msi_line_cpu(struct ntb_msi_line *line)
{
	return cpumask_first(irq_data_get_effective_affinity_mask(irq_get_irq_data(line->virq)));
}
