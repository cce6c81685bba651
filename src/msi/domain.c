// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Device domains: made from a template that the parent completes, and what they do as interrupt domains.
 *
 * The template lives in struct ontb_msi_domain, so the chip of an interrupt leads to its device domain without a pointer in
 * each descriptor.
 */
#include "msi/msi.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* A linear reverse map up to this many indices: that many pointers are cheaper than a tree. */
#define MAX_LINEAR 64U

/**
 * struct request - what ops.alloc() gets
 * @alloc:  For the parents.
 * @domain: Whom it is for.
 */
struct request {
	struct ontb_msi_alloc alloc;
	const struct ontb_msi_domain *domain;
};

/* The request that this thread is making: nobody else may allocate in a device domain, for it would have no descriptor. */
static _Thread_local struct request *current;

struct ontb_msi_domain *ontb_msi_domain_in(const struct ontb_msi_dev *dev, unsigned int slot)
{
	return slot < ONTB_MSI_NR_SLOTS ? ontb_rcu_read(dev->slots[slot]) : NULL;
}

const struct ontb_msi_domain *ontb_msi_domain_of(const struct ontb_irq_data *data)
{
	const char *chip = (const char *)data->chip;

	return (const struct ontb_msi_domain *)(const void *)(chip - offsetof(struct ontb_msi_domain, template.chip));
}

/* Operations of the interrupt domain */

static int set_infos(const struct request *req, unsigned int virq)
{
	const struct ontb_msi_domain *md = req->domain;

	for (unsigned int i = 0; i < req->alloc.nr; i++) {
		unsigned int index = req->alloc.index + i;
		int ret = ontb_irq_domain_set_info(md->irq, virq + i, index, &md->template.chip,
						   ontb_msi_desc_find(md, index));

		if (ret)
			return ret;
		ontb_irq_domain_set_flow(md->irq, virq + i, md->template.flow);
	}
	return 0;
}

static int alloc_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	int ret;

	if (!current || arg != current || current->domain->irq != domain || nr != current->alloc.nr) {
		ontb_log(ONTB_LOG_ERROR,
			 "%s: alloc: a device domain's interrupts come from ontb_msi_alloc_at() and its kin",
			 ontb_irq_domain_name(domain));
		return -EINVAL;
	}
	ret = ontb_irq_domain_alloc_parent(domain, virq, nr, &current->alloc);
	if (ret)
		return ret;
	ret = set_infos(current, virq);
	if (ret)
		ontb_irq_domain_free_parent(domain, virq, nr);
	return ret;
}

/* Before the number can be given to somebody else, no reader finds it here any more. */
static void free_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct ontb_irq_data *data = ontb_irq_data_of(domain, virq + i);

		if (data && data->chip_data)
			ontb_msi_desc_set_virq(data->chip_data, 0);
	}
	ontb_irq_domain_free_parent(domain, virq, nr);
}

static int activate_irq(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	const struct ontb_msi_domain *md = ontb_msi_domain_of(data);

	(void)domain;
	return md->template.activate ? md->template.activate(data) : 0;
}

static void deactivate_irq(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	const struct ontb_msi_domain *md = ontb_msi_domain_of(data);

	(void)domain;
	if (md->template.deactivate)
		md->template.deactivate(data);
}

static const struct ontb_irq_domain_ops device_domain_ops = {
	.alloc = alloc_irqs,
	.free = free_irqs,
	.activate = activate_irq,
	.deactivate = deactivate_irq,
};

int ontb_msi_domain_alloc(struct ontb_msi_domain *md, unsigned int index, unsigned int nr, bool is_contiguous,
			  const struct ontb_cpumask *affinity)
{
	struct request req = {
		.alloc = {
			.dev = md->dev,
			.slot = md->slot,
			.index = index,
			.nr = nr,
			.is_contiguous = is_contiguous,
			.cookie = ontb_msi_desc_find(md, index)->cookie,
		},
		.domain = md,
	};
	struct request *outer = current;
	int ret;

	current = &req;
	ret = ontb_irq_domain_alloc(md->irq, nr, affinity, &req);
	current = outer;
	return ret;
}

/* Making one */

/* What a template lacks, or NULL. */
static const char *lack_of(const struct ontb_msi_template *template)
{
	if (!template->prefix)
		return "no prefix";
	if (!template->nr_indices || template->nr_indices > ONTB_MSI_MAX_INDEX + 1)
		return "the number of indices is not in 1..65536";
	if (!template->chip.name || !template->chip.write_msg)
		return "its chip needs a name and write_msg";
	if ((unsigned int)template->token >= 32 || (unsigned int)template->flow > ONTB_IRQ_NESTED)
		return "no such token or flow";
	return NULL;
}

static unsigned int features_of(const struct ontb_msi_parent *parent)
{
	unsigned int features = parent->features & ~(ONTB_MSI_FEATURE_FIXED | ONTB_MSI_FEATURE_ISOLATED);

	if (parent->message == ONTB_MSI_FIXED)
		features |= ONTB_MSI_FEATURE_FIXED;
	if (parent->is_isolated)
		features |= ONTB_MSI_FEATURE_ISOLATED;
	return features;
}

/* The first feature that is wanted and not there, for a log line. */
static const char *feature_name(unsigned int missing)
{
	if (missing & ONTB_MSI_FEATURE_CONTIGUOUS)
		return "contiguous messages";
	if (missing & ONTB_MSI_FEATURE_FIXED)
		return "messages that stay fixed";
	if (missing & ONTB_MSI_FEATURE_ISOLATED)
		return "isolation by requester id";
	return "an unknown feature";
}

static int check_parent(const struct ontb_msi_domain *md)
{
	const struct ontb_msi_parent *parent = ontb_irq_domain_msi_parent(md->dev->parent);
	unsigned int missing = md->template.features & ~features_of(parent);
	const char *who = md->dev->name, *name = ontb_irq_domain_name(md->dev->parent);

	if (!(parent->tokens & 1U << md->template.token)) {
		ontb_log(ONTB_LOG_ERROR, "%s: slot %u: %s takes no %s interrupts", who, md->slot, name,
			 ontb_bus_token_name(md->template.token));
		return -EOPNOTSUPP;
	}
	if (missing) {
		ontb_log(ONTB_LOG_ERROR, "%s: slot %u: %s has no such thing as %s", who, md->slot, name,
			 feature_name(missing));
		return -EOPNOTSUPP;
	}
	return 0;
}

static void complete_chip(struct ontb_irq_chip *chip)
{
	if (!chip->ack)
		chip->ack = ontb_irq_chip_ack_parent;
	if (!chip->eoi)
		chip->eoi = ontb_irq_chip_eoi_parent;
	if (!chip->retrigger)
		chip->retrigger = ontb_irq_chip_retrigger_parent;
	if (!chip->set_affinity)
		chip->set_affinity = ontb_irq_chip_set_affinity_parent;
	if (!chip->move_done)
		chip->move_done = ontb_irq_chip_move_done_parent;
}

static int complete_template(struct ontb_msi_domain *md)
{
	const struct ontb_msi_parent *parent = ontb_irq_domain_msi_parent(md->dev->parent);
	const char *lack;
	int ret = check_parent(md);

	if (!ret && parent->init_domain)
		ret = parent->init_domain(md->dev->parent, md->dev, &md->template);
	if (ret)
		return ret;
	lack = lack_of(&md->template);
	if (lack) {
		ontb_log(ONTB_LOG_ERROR, "%s: slot %u: %s left a template that cannot be used: %s", md->dev->name,
			 md->slot, ontb_irq_domain_name(md->dev->parent), lack);
		return -EINVAL;
	}
	complete_chip(&md->template.chip);
	return 0;
}

static int new_irq_domain(struct ontb_msi_domain *md)
{
	struct ontb_irq_domain *parent = md->dev->parent;
	const struct ontb_msi_parent *ops = ontb_irq_domain_msi_parent(parent);
	char name[ONTB_IRQ_NAME];
	const struct ontb_irq_domain_config config = {
		.name = name,
		.token = md->template.token,
		.parent = parent,
		.size = md->template.nr_indices <= MAX_LINEAR ? md->template.nr_indices : 0,
		.flags = md->template.flags,
		.ops = &device_domain_ops,
		.data = md->template.data,
	};

	(void)snprintf(name, sizeof(name), "%s%s%s", ops->prefix ? ops->prefix : "", md->template.prefix,
		       md->dev->name);
	return ontb_irq_domain_new(ontb_irq_domain_system(parent), &config, &md->irq);
}

static void unprepare(const struct ontb_msi_domain *md)
{
	const struct ontb_msi_parent *ops = ontb_irq_domain_msi_parent(md->dev->parent);

	if (ops->unprepare)
		ops->unprepare(md->dev->parent, md->dev, md->slot);
}

static int make_domain(struct ontb_msi_dev *dev, unsigned int slot, const struct ontb_msi_template *template)
{
	const struct ontb_msi_parent *ops = ontb_irq_domain_msi_parent(dev->parent);
	struct ontb_msi_domain *md = calloc(1, sizeof(*md));
	int ret;

	if (!md)
		return -ENOMEM;
	md->dev = dev;
	md->slot = slot;
	md->template = *template;
	ret = complete_template(md);
	if (ret)
		goto free_md;
	if (ops->prepare)
		ret = ops->prepare(dev->parent, dev, slot, md->template.nr_indices);
	if (ret)
		goto free_md;
	ret = new_irq_domain(md);
	if (ret)
		goto unprepare;
	ontb_rcu_publish(dev->slots[slot], md);
	return 0;

unprepare:
	unprepare(md);
free_md:
	free(md);
	return ret;
}

int ontb_msi_domain_new(struct ontb_msi_dev *dev, unsigned int slot, const struct ontb_msi_template *template)
{
	const char *lack = lack_of(template);
	int ret = -EEXIST;

	if (slot >= ONTB_MSI_NR_SLOTS)
		return -ERANGE;
	if (lack) {
		ontb_log(ONTB_LOG_ERROR, "%s: slot %u: the template cannot be used: %s", dev->name, slot, lack);
		return -EINVAL;
	}
	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	if (!dev->slots[slot])
		ret = make_domain(dev, slot, template);
	ontb_msi_lock_leave(dev);
	return ret;
}

/* Removing it */

static int remove_domain(struct ontb_msi_domain *md) ONTB_MUST_HOLD(md->dev->lock)
{
	struct ontb_msi_desc *desc;
	int ret = ontb_msi_unnumber_range(md, 0, md->template.nr_indices);

	if (ret)
		return ret;
	ontb_rcu_publish(md->dev->slots[md->slot], NULL);
	/* Waits for RCU: whoever has read the slot, or still runs through the chip, is done then. */
	ret = ontb_irq_domain_free(md->irq);
	if (ret) {
		ontb_rcu_publish(md->dev->slots[md->slot], md);
		return ret;
	}
	while ((desc = ontb_msi_desc_next(md, ONTB_MSI_ALL, 0, md->template.nr_indices)))
		ontb_msi_desc_remove(md, desc);
	ontb_idmap_fini(&md->descs);
	unprepare(md);
	free(md);
	return 0;
}

int ontb_msi_domain_free(struct ontb_msi_dev *dev, unsigned int slot)
{
	struct ontb_msi_domain *md;
	int ret = 0;

	if (slot >= ONTB_MSI_NR_SLOTS)
		return -ERANGE;
	if (ontb_msi_lock_enter(dev, __func__))
		return -EINVAL;
	md = dev->slots[slot];
	if (md) {
		ontb_msi_assume_locked(md);
		ret = remove_domain(md);
	}
	ontb_msi_lock_leave(dev);
	return ret;
}

struct ontb_irq_domain *ontb_msi_domain(const struct ontb_msi_dev *dev, unsigned int slot)
{
	const struct ontb_msi_domain *md;
	struct ontb_irq_domain *irq;

	ontb_rcu_read_lock();
	md = ontb_msi_domain_in(dev, slot);
	irq = md ? md->irq : NULL;
	ontb_rcu_read_unlock();
	return irq;
}

int ontb_msi_message_range(struct ontb_msi_dev *dev, unsigned int slot, uint64_t *first, uint64_t *size)
{
	const struct ontb_msi_parent *ops = ontb_irq_domain_msi_parent(dev->parent);

	if (!ontb_msi_domain(dev, slot))
		return -ERANGE;
	if (!ops->message_range)
		return -EOPNOTSUPP;
	ops->message_range(dev->parent, dev, slot, first, size);
	return 0;
}
