// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Descriptors of a device domain: one per index in use, in an index map.
 */
#include "msi/msi.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct ontb_msi_desc *ontb_msi_desc_find(const struct ontb_msi_domain *md, unsigned int index)
{
	return ontb_idmap_find(&md->descs, index);
}

static bool passes(const struct ontb_msi_desc *desc, enum ontb_msi_filter filter)
{
	if (filter == ONTB_MSI_ALL)
		return true;
	return (filter == ONTB_MSI_ASSOCIATED) == (ontb_msi_desc_virq(desc) != 0);
}

struct ontb_msi_desc *ontb_msi_desc_next(const struct ontb_msi_domain *md, enum ontb_msi_filter filter,
					 unsigned int index, unsigned int end)
{
	uint64_t id = index;
	struct ontb_msi_desc *desc;

	/* Bounded: among many that do not pass, a look for the next one that does would go through all of them each time. */
	while ((desc = ontb_idmap_next(&md->descs, &id)) && id < end && !passes(desc, filter))
		id++;
	return desc && id < end ? desc : NULL;
}

int ontb_msi_desc_insert(struct ontb_msi_domain *md, unsigned int index, void *cookie, struct ontb_msi_desc **out)
{
	struct ontb_msi_desc *desc = calloc(1, sizeof(*desc));
	int ret;

	if (!desc)
		return -ENOMEM;
	desc->cookie = cookie;
	desc->index = (uint16_t)index;
	ret = ontb_idmap_insert(&md->descs, index, desc);
	if (ret) {
		free(desc);
		return ret == -EEXIST ? -EBUSY : ret;
	}
	*out = desc;
	return 0;
}

static void free_desc(struct ontb_rcu_head *head)
{
	free(ontb_container_of(head, struct ontb_msi_desc, rcu));
}

void ontb_msi_desc_remove(struct ontb_msi_domain *md, struct ontb_msi_desc *desc)
{
	(void)ontb_idmap_remove(&md->descs, desc->index);
	ontb_rcu_call(&desc->rcu, free_desc);
}

void *ontb_msi_cookie(const struct ontb_irq_data *data)
{
	const struct ontb_msi_desc *desc = data->chip_data;

	return desc->cookie;
}

struct ontb_msi_dev *ontb_msi_dev_of(const struct ontb_irq_data *data)
{
	return ontb_msi_domain_of(data)->dev;
}
