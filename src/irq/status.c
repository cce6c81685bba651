// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Looking at interrupts: snapshots for listings, counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "irq/internals.h"

unsigned int ontb_irq_next(const struct ontb_irq_system *sys, unsigned int virq)
{
	const struct ontb_irq_desc *desc;
	uint64_t id = virq;

	ontb_rcu_read_lock();
	while ((desc = ontb_idmap_next(&sys->irqs, &id)) != NULL && !(desc_state(desc) & IRQ_LIVE))
		id++;
	ontb_rcu_read_unlock();
	return desc ? (unsigned int)id : 0;
}

static uint64_t count_on(const struct ontb_irq_system *sys, const struct ontb_irq_desc *desc, unsigned int cpu)
{
	const _Atomic uint64_t *counts = ontb_rcu_read(desc->counts);
	uint64_t count = 0;

	if (cpu >= sys->nr_cpus)
		return 0;
	if (atomic_load_explicit(&desc->count_cpu, memory_order_relaxed) == cpu)
		count = atomic_load_explicit(&desc->count, memory_order_relaxed);
	if (counts)
		count += atomic_load_explicit(&counts[cpu], memory_order_relaxed);
	return count;
}

uint64_t ontb_irq_count(const struct ontb_irq_system *sys, unsigned int virq, unsigned int cpu)
{
	const struct ontb_irq_desc *desc;
	uint64_t count = 0;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_live(sys, virq);
	if (desc)
		count = count_on(sys, desc, cpu);
	ontb_rcu_read_unlock();
	return count;
}

bool ontb_irq_is_requested(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;
	bool is_requested;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_live(sys, virq);
	is_requested = desc && desc->actions;
	ontb_unlock(&stripe->lock);
	return is_requested;
}

/* Names of the handlers, as many as there is room for. Stripe held. */
static void list_handlers(const struct ontb_irq_desc *desc, char *buf, size_t size)
{
	size_t len = 0;

	for (const struct ontb_irq_action *action = desc->actions; action && len < size; action = action->next) {
		int ret = snprintf(buf + len, size - len, "%s%s", len ? ", " : "", action->name);

		len += ret > 0 ? (size_t)ret : 0;
	}
}

static void list_levels(const struct ontb_irq_desc *desc, struct ontb_irq_status *status)
{
	status->depth = desc_levels(desc);
	for (unsigned int level = 0; level < status->depth; level++) {
		const struct ontb_irq_data *data = &desc->data[level];

		memcpy(status->domains[level], data->domain->name, ONTB_IRQ_NAME);
		if (data->chip && data->chip->name)
			(void)snprintf(status->chips[level], ONTB_IRQ_NAME, "%s", data->chip->name);
		status->hwirqs[level] = data->hwirq;
	}
}

/* Stripe held. */
static void fill_status(const struct ontb_irq_system *sys, struct ontb_irq_desc *desc, struct ontb_irq_status *status)
{
	const uint64_t state = desc_state(desc);

	*status = (struct ontb_irq_status){
		.virq = desc->data[0].virq,
		.token = desc->data[0].domain->token,
		.flow = (enum ontb_irq_flow)desc->flow,
		.affinity = ontb_irq_affinity(&desc->data[0]),
		.effective = state_cpu(state),
		.is_active = desc->slow & IRQ_SLOW_ACTIVE,
		.is_enabled = !(state & (IRQ_DEPTH_MASK | IRQ_STOPPED)),
		.is_moving = desc->slow & (IRQ_SLOW_MOVING | IRQ_SLOW_WITHDRAWING),
		.unhandled = atomic_load_explicit(&desc->nr_unhandled, memory_order_relaxed),
	};
	list_levels(desc, status);
	list_handlers(desc, status->handlers, sizeof(status->handlers));
	status->has_msg = status->is_active && !ontb_irq_compose(&desc->data[0], &status->msg);
	if (!status->has_msg)
		status->msg = (struct ontb_msi_msg){ 0 };
	for (unsigned int cpu = 0; cpu < sys->nr_cpus; cpu++)
		status->count += count_on(sys, desc, cpu);
}

int ontb_irq_status(struct ontb_irq_system *sys, unsigned int virq, struct ontb_irq_status *status)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_live(sys, virq);
	if (desc)
		fill_status(sys, desc, status);
	ontb_unlock(&stripe->lock);
	return desc ? 0 : -ENOENT;
}
