// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The remapping domain.
 *
 * A device domain gets a block of entries when it is made, one for each of its indices, so that all its messages lie in
 * one range of addresses: whoever opens a window for them opens it no wider than that.
 */
#include "platform/x86/remap.h"

#include <errno.h>
#include <stdlib.h>

#include <openntb/msi.h>

#include "base/bytes.h"
#include "platform/x86/blocks.h"
#include "platform/x86/irte.h"
#include "platform/x86/vector.h"
#include "platform/x86/iommu.h"
#include "platform/x86/x86.h"

/**
 * struct ontb_remap - the remapping domain
 * @x86:    Root. Constant.
 * @domain: Domain. Constant.
 * @lock:   The block lock. A leaf.
 * @blocks: Entries that are taken. Under @lock.
 * @limit:  Of log lines about entries that have run out.
 */
struct ontb_remap {
	struct ontb_x86 *x86;
	struct ontb_irq_domain *domain;
	struct ontb_lock lock;
	struct ontb_blocks blocks;
	struct ontb_ratelimit limit;
};

/**
 * struct block - entries of a device's slot; constant
 * @first: First entry.
 * @size:  Entries.
 * @high:  Who may use them, see ontb_irte_high().
 */
struct block {
	unsigned int first;
	unsigned int size;
	uint64_t high;
};

/**
 * struct remap_irq - an interrupt in this domain; constant
 * @index:    Its entry.
 * @group:    First entry of its group, or its own.
 * @is_group: Its message has the address of a group.
 * @high:     Who may use it.
 */
struct remap_irq {
	unsigned int index;
	unsigned int group;
	bool is_group;
	uint64_t high;
};

static struct ontb_remap *remap_of(const struct ontb_irq_data *data)
{
	return ontb_irq_domain_data(data->domain);
}

static int remap_set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	const struct remap_irq *irq = data->chip_data;
	unsigned int old_cpu, cpu, vector;
	int ret = ontb_vector_target(data->parent, &old_cpu, &vector);

	if (ret)
		return ret;
	ret = ontb_irq_chip_set_affinity_parent(data, mask);
	if (ret != ONTB_IRQ_SET_MOVED)
		return ret;
	ret = ontb_vector_target(data->parent, &cpu, &vector);
	if (!ret)
		ret = ontb_iommu_retarget(remap_of(data)->x86->iommu, irq->index, cpu, vector);
	if (ret) {
		/* A unit that has failed may go on using the old target: both stay, and the move is never done. */
		ontb_irq_set_effective(data, old_cpu);
		return ret;
	}
	ontb_irq_chip_move_done_parent(data);
	return ONTB_IRQ_SET_OK;
}

static int remap_compose_msg(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	const struct remap_irq *irq = data->chip_data;

	*msg = ontb_irte_message(irq->group, irq->is_group, irq->index - irq->group);
	return 0;
}

static const struct ontb_irq_chip remap_chip = {
	.name = "IR-APIC",
	.set_affinity = remap_set_affinity,
	.compose_msg = remap_compose_msg,
};

static void free_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		free(ontb_irq_data_of(domain, virq + i)->chip_data);
}

static int check_arg(const struct ontb_msi_alloc *arg, unsigned int nr, const struct block **out)
{
	const struct block *block = arg ? ontb_msi_dev_parent_data(arg->dev, arg->slot) : NULL;

	if (!block)
		return -EINVAL;
	if (nr > block->size || arg->index > block->size - nr)
		return -ERANGE;
	/* The unit adds the low bits of the data to the entry that the address names, and the device puts them in. */
	if (arg->is_contiguous && (nr & (nr - 1) || arg->index & (nr - 1)))
		return -EINVAL;
	*out = block;
	return 0;
}

static int alloc_irq(struct ontb_irq_domain *domain, unsigned int virq, const struct block *block,
		     const struct ontb_msi_alloc *arg, unsigned int i)
{
	struct remap_irq *irq = calloc(1, sizeof(*irq));
	int ret;

	if (!irq)
		return -ENOMEM;
	irq->index = block->first + arg->index + i;
	irq->group = arg->is_contiguous ? block->first + arg->index : irq->index;
	irq->is_group = arg->is_contiguous;
	irq->high = block->high;
	ret = ontb_irq_domain_set_info(domain, virq + i, irq->index, &remap_chip, irq);
	if (ret)
		free(irq);
	return ret;
}

static int remap_alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	const struct block *block = NULL;
	unsigned int i;
	int ret = check_arg(arg, nr, &block);

	if (ret)
		return ret;
	ret = ontb_irq_domain_alloc_parent(domain, virq, nr, arg);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		ret = alloc_irq(domain, virq, block, arg, i);
		if (ret)
			goto free_irqs;
	}
	return 0;

free_irqs:
	free_irqs(domain, virq, i);
	ontb_irq_domain_free_parent(domain, virq, nr);
	return ret;
}

static void remap_free(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	free_irqs(domain, virq, nr);
	ontb_irq_domain_free_parent(domain, virq, nr);
}

static int remap_activate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	const struct ontb_remap *remap = ontb_irq_domain_data(domain);
	const struct remap_irq *irq = data->chip_data;
	unsigned int cpu, vector;
	int ret = ontb_vector_target(data->parent, &cpu, &vector);

	if (ret)
		return ret;
	return ontb_iommu_enter(remap->x86->iommu, irq->index, cpu, vector, irq->high);
}

static void remap_deactivate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct ontb_remap *remap = ontb_irq_domain_data(domain);
	const struct remap_irq *irq = data->chip_data;

	/* Before the vector domain lets go of the target. */
	if (ontb_iommu_remove(remap->x86->iommu, irq->index)) {
		ontb_log_limited(&remap->limit, ONTB_LOG_ERROR,
				 "%s: interrupt %u: its vector is lost: the VT-d unit may still raise it",
				 remap->x86->machine->name, data->virq);
		ontb_vector_lose(data->parent);
	}
}

static const struct ontb_irq_domain_ops remap_ops = {
	.alloc = remap_alloc,
	.free = remap_free,
	.activate = remap_activate,
	.deactivate = remap_deactivate,
};

static int msi_init_domain(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, struct ontb_msi_template *copy)
{
	(void)parent;
	(void)dev;
	copy->flow = ONTB_IRQ_EDGE; /* whatever the device is: a message is an edge */
	return 0;
}

static int take_block(struct ontb_remap *remap, struct ontb_msi_dev *dev, unsigned int slot, struct block *block)
{
	unsigned int nr_used;
	int ret;

	ontb_lock(&remap->lock);
	ret = ontb_blocks_take(&remap->blocks, block->size, &block->first);
	nr_used = remap->blocks.nr_used;
	ontb_unlock(&remap->lock);
	if (ret)
		ontb_log_limited(
			&remap->limit, ONTB_LOG_WARNING,
			"%s: %s, slot %u: no %u remapping entries in a row are free: the table has %u, of which %u are "
			"taken",
			remap->x86->machine->name, ontb_msi_dev_name(dev), slot, block->size, remap->blocks.nr,
			nr_used);
	return ret;
}

static int msi_prepare(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot, unsigned int nr)
{
	struct ontb_remap *remap = ontb_irq_domain_data(parent);
	struct block *block = calloc(1, sizeof(*block));
	uint16_t rids[ONTB_MSI_MAX_RIDS];
	int ret;

	if (!block)
		return -ENOMEM;
	block->size = (unsigned int)ontb_round_up_to_power(nr);
	block->high = ontb_irte_high(rids, ontb_msi_dev_rids(dev, rids));
	ret = take_block(remap, dev, slot, block);
	if (ret) {
		free(block);
		return ret;
	}
	ontb_msi_dev_set_parent_data(dev, slot, block);
	return 0;
}

static void msi_unprepare(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot)
{
	struct ontb_remap *remap = ontb_irq_domain_data(parent);
	struct block *block = ontb_msi_dev_parent_data(dev, slot);

	/* Its entries are absent, in the table and in the unit's cache, since their interrupts were deactivated. */
	ontb_lock(&remap->lock);
	ontb_blocks_give(&remap->blocks, block->size, block->first);
	ontb_unlock(&remap->lock);
	ontb_msi_dev_set_parent_data(dev, slot, NULL);
	free(block);
}

static void msi_message_range(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot,
			      uint64_t *first, uint64_t *size)
{
	const struct block *block = ontb_msi_dev_parent_data(dev, slot);

	(void)parent;
	/* Bit 15 of an index is not above the other bits in an address: the two halves of the table share their addresses. */
	*first = ontb_irte_message(block->first, false, 0).addr & ~0x1fULL;
	*size = block->size < ONTB_X86_MAX_ENTRIES ? block->size * 32ULL : ONTB_X86_MSI_SIZE;
}

static const struct ontb_msi_parent remap_msi_parent = {
	.message = ONTB_MSI_FIXED,
	.is_isolated = true,
	.scope = ONTB_MSI_SCOPE_GLOBAL,
	.features = ONTB_MSI_FEATURE_CONTIGUOUS | ONTB_MSI_FEATURE_FIXED | ONTB_MSI_FEATURE_ISOLATED,
	.tokens = 1U << ONTB_BUS_PCI_MSI | 1U << ONTB_BUS_PCI_MSIX | 1U << ONTB_BUS_NTB | 1U << ONTB_BUS_DEVICE,
	.prefix = "IR-",
	.init_domain = msi_init_domain,
	.prepare = msi_prepare,
	.unprepare = msi_unprepare,
	.message_range = msi_message_range,
};

int ontb_remap_new(struct ontb_x86 *x86, struct ontb_remap **out)
{
	struct ontb_remap *remap = calloc(1, sizeof(*remap));
	const struct ontb_irq_domain_config config = {
		.name = "IR-0",
		.token = ONTB_BUS_REMAP,
		.parent = x86->vectors,
		.size = x86->iommu->nr_entries,
		.ops = &remap_ops,
		.data = remap,
		.msi_parent = &remap_msi_parent,
	};
	int ret;

	if (!remap)
		return -ENOMEM;
	remap->x86 = x86;
	remap->blocks.nr = x86->iommu->nr_entries;
	ontb_lock_init(&remap->lock);
	ret = ontb_irq_domain_new(x86->irqs, &config, &remap->domain);
	if (ret)
		goto free_remap;
	*out = remap;
	return 0;

free_remap:
	ontb_lock_fini(&remap->lock);
	free(remap);
	return ret;
}

int ontb_remap_free(struct ontb_remap *remap)
{
	int ret;

	if (!remap)
		return 0;
	ret = ontb_irq_domain_free(remap->domain);
	if (ret)
		return ret;
	ontb_lock_fini(&remap->lock);
	free(remap);
	return 0;
}

struct ontb_irq_domain *ontb_remap_domain(const struct ontb_remap *remap)
{
	return remap->domain;
}

unsigned int ontb_remap_nr_reserved(struct ontb_remap *remap)
{
	unsigned int nr;

	ontb_lock(&remap->lock);
	nr = remap->blocks.nr_used;
	ontb_unlock(&remap->lock);
	return nr;
}
