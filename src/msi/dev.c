// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A device with message signalled interrupts: who it is, whose child it is, and what its parent keeps with it. Its domains
 * are in its slots, see domain.c.
 */
#include "msi/msi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static bool is_valid(const struct ontb_msi_dev_config *config)
{
	return config && config->name && config->name[0] && config->rids && config->nr_rids &&
	       config->nr_rids <= ONTB_MSI_MAX_RIDS && config->parent && ontb_irq_domain_msi_parent(config->parent);
}

int ontb_msi_dev_new(const struct ontb_msi_dev_config *config, struct ontb_msi_dev **out)
{
	struct ontb_msi_dev *dev;
	size_t len;

	if (!is_valid(config))
		return -EINVAL;
	len = strlen(config->name) + 1;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->name = malloc(len);
	if (!dev->name)
		goto free_dev;
	memcpy(dev->name, config->name, len);
	memcpy(dev->rids, config->rids, config->nr_rids * sizeof(dev->rids[0]));
	dev->nr_rids = config->nr_rids;
	dev->parent = config->parent;
	ontb_lock_init(&dev->lock);
	*out = dev;
	return 0;

free_dev:
	free(dev);
	return -ENOMEM;
}

/* Whether all of a slot went. */
static bool empty_slot(struct ontb_msi_dev *dev, unsigned int slot)
{
	struct ontb_msi_domain *md;
	unsigned int nr_left = 0;

	ontb_msi_lock(dev);
	md = ontb_msi_domain_in(dev, slot);
	if (md) {
		ontb_msi_assume_locked(md);
		nr_left = ontb_msi_unnumber_rest(md);
	}
	ontb_msi_unlock(dev);
	if (!nr_left && !ontb_msi_domain_free(dev, slot))
		return true;
	ontb_log(ONTB_LOG_ERROR,
		 "%s: free: the domain in slot %u stays: %u interrupts have handlers, or messages that "
		 "somebody may hold",
		 dev->name, slot, nr_left);
	return false;
}

void ontb_msi_dev_free(struct ontb_msi_dev *dev)
{
	bool is_empty = true;

	if (!dev)
		return;
	for (unsigned int slot = ONTB_MSI_NR_SLOTS; slot--;)
		is_empty &= empty_slot(dev, slot);
	/* A handler that is still there may lead to a chip that asks for its device. */
	if (!is_empty)
		return;
	ontb_lock_fini(&dev->lock);
	free(dev->name);
	free(dev);
}

const char *ontb_msi_dev_name(const struct ontb_msi_dev *dev)
{
	return dev->name;
}

unsigned int ontb_msi_dev_rids(const struct ontb_msi_dev *dev, uint16_t *rids)
{
	memcpy(rids, dev->rids, dev->nr_rids * sizeof(dev->rids[0]));
	return dev->nr_rids;
}

struct ontb_irq_system *ontb_msi_dev_system(const struct ontb_msi_dev *dev)
{
	return ontb_irq_domain_system(dev->parent);
}

struct ontb_irq_domain *ontb_msi_dev_parent(const struct ontb_msi_dev *dev)
{
	return dev->parent;
}

void ontb_msi_dev_set_parent_data(struct ontb_msi_dev *dev, unsigned int slot, void *data)
{
	if (slot < ONTB_MSI_NR_SLOTS)
		dev->parent_data[slot] = data;
}

void *ontb_msi_dev_parent_data(const struct ontb_msi_dev *dev, unsigned int slot)
{
	return slot < ONTB_MSI_NR_SLOTS ? dev->parent_data[slot] : NULL;
}
