// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Activation: from the root outwards make the hardware able to deliver, then store the message; and back.
 *
 * Deactivation may have to wait in the middle: as long as somebody may hold the message, what it leads to must not be given
 * to anybody else.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "irq/internals.h"

int ontb_irq_write_msg(struct ontb_irq_desc *desc)
{
	struct ontb_irq_data *writer = CHIP_FIND(&desc->data[0], write_msg);
	struct ontb_irq_data *composer = CHIP_FIND(&desc->data[0], compose_msg);
	struct ontb_msi_msg msg;
	int ret;

	if (!writer || !composer)
		return 0;
	ret = composer->chip->compose_msg(composer, &msg);
	return ret ? ret : writer->chip->write_msg(writer, &msg);
}

/* Deactivate levels from @first on towards the root. */
static void deactivate_levels(struct ontb_irq_desc *desc, unsigned int first)
{
	for (unsigned int level = first; level < desc_levels(desc); level++) {
		struct ontb_irq_data *data = &desc->data[level];

		if (data->domain->ops->deactivate)
			data->domain->ops->deactivate(data->domain, data);
	}
	ontb_irq_set_cpu(desc, IRQ_NO_CPU);
}

int ontb_irq_activate_locked(struct ontb_irq_desc *desc)
{
	unsigned int level;
	int ret;

	if (desc->slow & IRQ_SLOW_ACTIVE)
		return 0;
	if (desc->slow & IRQ_SLOW_WITHDRAWING)
		return -EBUSY;
	if (!desc->actions) /* there is no message yet: what came was forged or late, and not for whom comes now */
		(void)atomic_fetch_and(&desc->state, ~IRQ_PENDING);
	for (level = desc_levels(desc); level > 0; level--) {
		struct ontb_irq_data *data = &desc->data[level - 1];

		ret = data->domain->ops->activate ? data->domain->ops->activate(data->domain, data) : 0;
		if (ret)
			goto deactivate;
	}
	ret = ontb_irq_write_msg(desc);
	if (ret && ret != -EINPROGRESS)
		goto deactivate;
	desc->slow |= IRQ_SLOW_ACTIVE;
	if (ret == -EINPROGRESS) /* holders still have to confirm that they got it: a move waits for that */
		desc->slow |= IRQ_SLOW_MOVING;
	return 0;
deactivate:
	deactivate_levels(desc, level);
	return ret;
}

void ontb_irq_deactivate_finish(struct ontb_irq_desc *desc)
{
	desc->slow &= (uint8_t)~IRQ_SLOW_WITHDRAWING;
	deactivate_levels(desc, 0);
	if (!desc->actions) /* what came late was nobody's, and is not the next handler's either */
		(void)atomic_fetch_and(&desc->state, ~IRQ_PENDING);
	(void)pthread_cond_broadcast(&stripe_of(sys_of(desc), desc->data[0].virq)->moved);
}

void ontb_irq_deactivate_locked(struct ontb_irq_desc *desc)
{
	struct ontb_irq_data *writer = CHIP_FIND(&desc->data[0], write_msg);
	int ret = 0;

	if (!(desc->slow & IRQ_SLOW_ACTIVE))
		return;
	desc->slow &= (uint8_t) ~(IRQ_SLOW_ACTIVE | IRQ_SLOW_MOVING | IRQ_SLOW_WISH | IRQ_SLOW_UNWRITTEN);
	if (writer && CHIP_FIND(&desc->data[0], compose_msg))
		ret = writer->chip->write_msg(writer, NULL);
	if (ret == -EINPROGRESS) {
		desc->slow |= IRQ_SLOW_WITHDRAWING;
		return;
	}
	if (ret)
		ontb_log(ONTB_LOG_ERROR, "%s: interrupt %u of %s: withdrawing its message: %s", sys_of(desc)->name,
			 desc->data[0].virq, desc->data[0].domain->name, strerrordesc_np(-ret));
	ontb_irq_deactivate_finish(desc);
}

int ontb_irq_activate(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;
	int ret;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_idle(sys, stripe, virq);
	ret = desc ? ontb_irq_activate_locked(desc) : -ENOENT;
	ontb_unlock(&stripe->lock);
	return ret;
}

int ontb_irq_deactivate(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;
	int ret = 0;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_idle(sys, stripe, virq);
	if (!desc)
		ret = -ENOENT;
	else if (desc->actions)
		ret = -EBUSY;
	else
		ontb_irq_deactivate_locked(desc);
	ontb_unlock(&stripe->lock);
	return ret;
}

int ontb_irq_rewrite(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_data *writer;
	struct ontb_irq_desc *desc;
	struct ontb_msi_msg msg;
	int ret;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_live(sys, virq);
	ret = desc ? 0 : -ENOENT;
	if (ret || !(desc->slow & IRQ_SLOW_ACTIVE))
		goto unlock;
	writer = CHIP_FIND(&desc->data[0], write_msg);
	ret = ontb_irq_compose(&desc->data[0], &msg);
	if (!ret && writer)
		(void)writer->chip->write_msg(writer, &msg);
unlock:
	ontb_unlock(&stripe->lock);
	return ret;
}
