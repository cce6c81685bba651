// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Handing a chip's operation on towards the root: to the next chip that has it.
 */
#include <errno.h>

#include "irq/internals.h"

void ontb_irq_chip_ack_parent(struct ontb_irq_data *data)
{
	CHIP_CALL(data->parent, ack);
}

void ontb_irq_chip_eoi_parent(struct ontb_irq_data *data)
{
	CHIP_CALL(data->parent, eoi);
}

void ontb_irq_chip_mask_parent(struct ontb_irq_data *data)
{
	CHIP_CALL(data->parent, mask);
}

void ontb_irq_chip_unmask_parent(struct ontb_irq_data *data)
{
	CHIP_CALL(data->parent, unmask);
}

void ontb_irq_chip_move_done_parent(struct ontb_irq_data *data)
{
	CHIP_CALL(data->parent, move_done);
}

bool ontb_irq_chip_retrigger_parent(struct ontb_irq_data *data)
{
	struct ontb_irq_data *level = CHIP_FIND(data->parent, retrigger);

	return level && level->chip->retrigger(level);
}

int ontb_irq_chip_set_affinity_parent(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct ontb_irq_data *level = CHIP_FIND(data->parent, set_affinity);

	return level ? level->chip->set_affinity(level, mask) : -EOPNOTSUPP;
}

int ontb_irq_compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	struct ontb_irq_data *level = CHIP_FIND(data, compose_msg);

	return level ? level->chip->compose_msg(level, msg) : -EOPNOTSUPP;
}
