// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Drains: from "no message comes any more" to "no handler is still to run for one". Only the root of a host knows where a message
 * can be pending, so it does the work.
 */
#include "irq/internals.h"

static struct ontb_irq_domain *root_of(struct ontb_irq_domain *domain)
{
	while (domain->parent)
		domain = domain->parent;
	return domain;
}

void ontb_irq_drain_add(struct ontb_irq_drain *drain, struct ontb_irq_data *data)
{
	struct ontb_irq_system *sys = data->domain->sys;
	struct ontb_irq_data *level = CHIP_FIND(data, pending_cpus);

	/* What enabling left to the worker is raised again now, so that it is pending at a CPU. */
	if (sys->resender)
		ontb_worker_flush(sys->resender);
	if (level)
		level->chip->pending_cpus(level, drain);
}

void ontb_irq_drain_start(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain,
			  void (*done)(struct ontb_irq_drain *drain))
{
	struct ontb_irq_domain *root = root_of(domain);

	drain->done = done;
	if (root->ops->drain && !ontb_cpumask_is_empty(&drain->cpus))
		root->ops->drain(root, drain);
	else
		done(drain);
}

void ontb_irq_drain_cancel(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain)
{
	struct ontb_irq_domain *root = root_of(domain);

	if (root->ops->drain_cancel)
		root->ops->drain_cancel(root, drain);
}
