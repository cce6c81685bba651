// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Allocating interrupts and giving them back: numbers, descriptors, and the domains of a hierarchy one after the other.
 *
 * A descriptor can be found by its number before and after it is live, because the callbacks of domains need that; the flag
 * IRQ_LIVE keeps everybody else away.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "irq/internals.h"

static void free_desc(struct ontb_irq_desc *desc)
{
	free(desc->counts);
	free(desc);
}

static void free_desc_later(struct ontb_rcu_head *head)
{
	free_desc(ontb_container_of(head, struct ontb_irq_desc, rcu));
}

static int new_desc(struct ontb_irq_domain *domain, unsigned int virq, const struct ontb_cpumask *affinity,
		    struct ontb_irq_desc **out)
{
	struct ontb_irq_desc *desc = calloc(1, sizeof(*desc) + domain->depth * sizeof(desc->data[0]));
	unsigned int level = 0;
	int ret;

	if (!desc)
		return -ENOMEM;
	for (; domain; domain = domain->parent, level++) {
		desc->data[level].virq = virq;
		desc->data[level].level = level;
		desc->data[level].domain = domain;
		desc->data[level].parent = domain->parent ? &desc->data[level + 1] : NULL;
	}
	desc->config = (uint8_t)level;
	desc->window = IRQ_CHECK_WINDOW;
	atomic_init(&desc->state, IRQ_STOPPED | IRQ_MASKED | (uint64_t)IRQ_NO_CPU << IRQ_CPU_SHIFT);
	ret = ontb_irq_affinity_init(desc, affinity);
	if (ret) {
		free(desc);
		return ret;
	}
	*out = desc;
	return 0;
}

/* Make it impossible to find an interrupt, and free it when nobody does any more. Allocation lock held. */
static void remove_desc(struct ontb_irq_desc *desc)
{
	struct ontb_irq_system *sys = sys_of(desc);

	for (unsigned int level = 0; level < desc_levels(desc); level++)
		ontb_irq_domain_unmap(&desc->data[level]);
	(void)ontb_idmap_remove(&sys->irqs, desc->data[0].virq);
	ontb_irq_affinity_fini(desc);
	ontb_rcu_call(&desc->rcu, free_desc_later);
}

static void remove_descs(struct ontb_irq_system *sys, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		remove_desc(ontb_irq_find_desc(sys, virq + i));
}

/* Choose numbers and make descriptors for them. Allocation lock held. */
static int add_descs(struct ontb_irq_domain *domain, unsigned int nr, const struct ontb_cpumask *affinity,
		     unsigned int *first)
{
	struct ontb_irq_system *sys = domain->sys;
	struct ontb_irq_desc *desc;
	uint64_t start;
	unsigned int i;
	int ret;

	ret = ontb_idmap_find_gap(&sys->irqs, 1, (uint64_t)sys->max_irqs + 1, nr, &start);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		ret = new_desc(domain, (unsigned int)start + i, affinity, &desc);
		if (ret)
			goto remove;
		ret = ontb_idmap_insert(&sys->irqs, start + i, desc);
		if (ret) {
			ontb_irq_affinity_fini(desc);
			free(desc);
			goto remove;
		}
	}
	*first = (unsigned int)start;
	return 0;
remove:
	remove_descs(sys, (unsigned int)start, i);
	return ret;
}

/* Whether the domains' alloc() have said what the interrupts are. Allocation lock held. */
static bool are_complete(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct ontb_irq_desc *desc = ontb_irq_find_desc(domain->sys, virq + i);

		for (unsigned int level = 0; level < desc_levels(desc); level++) {
			if (ontb_irq_domain_is_mapped(&desc->data[level]))
				continue;
			ontb_log(ONTB_LOG_ERROR, "%s: interrupts of %s: alloc() of %s did not say what number %u is",
				 domain->sys->name, domain->name, desc->data[level].domain->name, virq + i);
			return false;
		}
	}
	return true;
}

static void count_irqs(struct ontb_irq_domain *domain, unsigned int nr)
{
	for (; domain; domain = domain->parent)
		domain->nr_irqs += nr;
}

/* Let everybody see new interrupts. Allocation lock held. */
static void publish(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	count_irqs(domain, nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct ontb_irq_desc *desc = ontb_irq_find_desc(domain->sys, virq + i);

		desc->resend_next = 0; /* held the level that chose the flow */
		(void)atomic_fetch_or(&desc->state, IRQ_LIVE);
	}
}

static int alloc_locked(struct ontb_irq_domain *domain, unsigned int nr, const struct ontb_cpumask *affinity, void *arg)
{
	unsigned int virq;
	int ret;

	ret = add_descs(domain, nr, affinity, &virq);
	if (ret)
		return ret;
	ret = domain->ops->alloc(domain, virq, nr, arg);
	if (ret)
		goto remove;
	if (!are_complete(domain, virq, nr)) {
		ret = -EINVAL;
		goto free_irqs;
	}
	publish(domain, virq, nr);
	return (int)virq;
free_irqs:
	domain->ops->free(domain, virq, nr);
remove:
	remove_descs(domain->sys, virq, nr);
	return ret;
}

int ontb_irq_domain_alloc(struct ontb_irq_domain *domain, unsigned int nr, const struct ontb_cpumask *affinity,
			  void *arg)
{
	struct ontb_irq_system *sys = domain->sys;
	int ret;

	if (!nr || (affinity && ontb_cpumask_next(affinity, 0) >= sys->nr_cpus))
		return -EINVAL;
	if (nr > sys->max_irqs)
		return -ENOSPC;
	ontb_lock(&sys->alloc_lock);
	ret = alloc_locked(domain, nr, affinity, arg);
	ontb_unlock(&sys->alloc_lock);
	return ret;
}

int ontb_irq_domain_alloc_parent(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct ontb_irq_domain *parent = domain->parent;

	return parent->ops->alloc(parent, virq, nr, arg);
}

void ontb_irq_domain_free_parent(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	struct ontb_irq_domain *parent = domain->parent;

	/* The number may be given away again as soon as the parent has it back. */
	for (unsigned int i = 0; i < nr; i++)
		ontb_irq_domain_unmap(ontb_irq_data_of(parent, virq + i));
	parent->ops->free(parent, virq, nr);
}

/* Close an interrupt to everybody but its release, if it is without handlers. */
static int close_irq(struct ontb_irq_domain *domain, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(domain->sys, virq);
	struct ontb_irq_desc *desc;
	int ret = 0;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_idle(domain->sys, stripe, virq);
	if (!desc || desc->data[0].domain != domain)
		ret = -ENOENT;
	else if (desc->actions)
		ret = -EBUSY;
	else
		(void)atomic_fetch_and(&desc->state, ~IRQ_LIVE);
	ontb_unlock(&stripe->lock);
	return ret;
}

/* Take it back. The descriptor stays, because only who closed it removes it. */
static void reopen_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct ontb_irq_desc *desc;

		ontb_rcu_read_lock();
		desc = ontb_irq_find_desc(domain->sys, virq + i);
		(void)atomic_fetch_or(&desc->state, IRQ_LIVE);
		ontb_rcu_read_unlock();
	}
}

/* Deactivate a closed interrupt. Return: whether its message is gone. */
static bool withdraw(struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;
	bool is_gone;

	ontb_lock(&stripe->lock);
	ontb_rcu_read_lock();
	desc = ontb_irq_find_desc(sys, virq);
	ontb_rcu_read_unlock();
	ontb_irq_deactivate_locked(desc);
	is_gone = !(desc->slow & IRQ_SLOW_WITHDRAWING);
	ontb_unlock(&stripe->lock);
	return is_gone;
}

int ontb_irq_domain_release(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	struct ontb_irq_system *sys = domain->sys;
	unsigned int nr_closed, nr_here = 0;
	int ret = 0;

	for (nr_closed = 0; nr_closed < nr && !ret; nr_closed += !ret)
		ret = close_irq(domain, virq + nr_closed);
	if (ret)
		goto reopen;
	for (unsigned int i = 0; i < nr; i++)
		nr_here += !withdraw(sys, virq + i);
	if (nr_here) {
		ret = -EBUSY;
		goto reopen;
	}
	for (unsigned int i = 0; i < nr; i++)
		ontb_irq_wait(sys, virq + i, IRQ_RUNNING | IRQ_RESEND);

	ontb_lock(&sys->alloc_lock);
	for (unsigned int i = 0; i < nr; i++)
		for (struct ontb_irq_data *data = ontb_irq_data_of(domain, virq + i); data; data = data->parent)
			ontb_irq_domain_unmap(data);
	domain->ops->free(domain, virq, nr);
	count_irqs(domain, 0U - nr);
	remove_descs(sys, virq, nr);
	ontb_unlock(&sys->alloc_lock);
	return 0;
reopen:
	reopen_irqs(domain, virq, nr_closed);
	return ret;
}
