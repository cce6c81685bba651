// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Domains: a name space of hardware numbers each, with a map from them back to interrupts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irq/internals.h"

static bool config_is_valid(const struct ontb_irq_system *sys, const struct ontb_irq_domain_config *config)
{
	const struct ontb_irq_domain *parent = config->parent;

	return config->name && config->ops && config->ops->alloc && config->ops->free && config->size <= IRQ_MAX_IRQS &&
	       (!parent || (parent->sys == sys && parent->depth < ONTB_IRQ_MAX_DEPTH));
}

int ontb_irq_domain_new(struct ontb_irq_system *sys, const struct ontb_irq_domain_config *config,
			struct ontb_irq_domain **out)
{
	struct ontb_irq_domain *domain;

	if (!config_is_valid(sys, config))
		return -EINVAL;
	domain = calloc(1, sizeof(*domain) + config->size * sizeof(void *));
	if (!domain)
		return -ENOMEM;
	domain->sys = sys;
	domain->ops = config->ops;
	domain->data = config->data;
	domain->parent = config->parent;
	domain->msi_parent = config->msi_parent;
	domain->flags = config->flags;
	domain->token = config->token;
	domain->depth = config->parent ? config->parent->depth + 1 : 1;
	domain->size = config->size;
	(void)snprintf(domain->name, sizeof(domain->name), "%s", config->name);

	ontb_lock(&sys->alloc_lock);
	if (domain->parent)
		domain->parent->nr_children++;
	*sys->last_domain = domain;
	sys->last_domain = &domain->next;
	ontb_unlock(&sys->alloc_lock);
	*out = domain;
	return 0;
}

int ontb_irq_domain_free(struct ontb_irq_domain *domain)
{
	struct ontb_irq_system *sys;
	struct ontb_irq_domain **link;

	if (!domain)
		return 0;
	sys = domain->sys;
	ontb_lock(&sys->alloc_lock);
	if (domain->nr_irqs || domain->nr_children) {
		ontb_unlock(&sys->alloc_lock);
		return -EBUSY;
	}
	for (link = &sys->domains; *link != domain; link = &(*link)->next)
		;
	*link = domain->next;
	if (sys->last_domain == &domain->next)
		sys->last_domain = link;
	if (domain->parent)
		domain->parent->nr_children--;
	ontb_unlock(&sys->alloc_lock);

	ontb_rcu_synchronize(); /* who looked an interrupt up in the map, or got at the domain through a descriptor */
	ontb_idmap_fini(&domain->sparse);
	free(domain);
	return 0;
}

void *ontb_irq_domain_data(const struct ontb_irq_domain *domain)
{
	return domain->data;
}

const char *ontb_irq_domain_name(const struct ontb_irq_domain *domain)
{
	return domain->name;
}

enum ontb_bus_token ontb_irq_domain_token(const struct ontb_irq_domain *domain)
{
	return domain->token;
}

struct ontb_irq_domain *ontb_irq_domain_parent(const struct ontb_irq_domain *domain)
{
	return domain->parent;
}

struct ontb_irq_system *ontb_irq_domain_system(const struct ontb_irq_domain *domain)
{
	return domain->sys;
}

const struct ontb_msi_parent *ontb_irq_domain_msi_parent(const struct ontb_irq_domain *domain)
{
	return domain->msi_parent;
}

/* The level behind a hardware number. Under RCU or the allocation lock. */
static struct ontb_irq_data *look_up(const struct ontb_irq_domain *domain, uint64_t hwirq)
{
	if (domain->size)
		return hwirq < domain->size ? ontb_rcu_read(domain->linear[hwirq]) : NULL;
	return ontb_idmap_find(&domain->sparse, hwirq);
}

int ontb_irq_domain_map(struct ontb_irq_data *data)
{
	struct ontb_irq_domain *domain = data->domain;

	if (!domain->size)
		return ontb_idmap_insert(&domain->sparse, data->hwirq, data);
	if (data->hwirq >= domain->size)
		return -ERANGE;
	if (domain->linear[data->hwirq])
		return -EEXIST;
	ontb_rcu_publish(domain->linear[data->hwirq], data);
	return 0;
}

bool ontb_irq_domain_is_mapped(const struct ontb_irq_data *data)
{
	return look_up(data->domain, data->hwirq) == data;
}

void ontb_irq_domain_unmap(struct ontb_irq_data *data)
{
	struct ontb_irq_domain *domain = data->domain;

	if (!ontb_irq_domain_is_mapped(data))
		return;
	if (domain->size)
		ontb_rcu_publish(domain->linear[data->hwirq], NULL);
	else
		(void)ontb_idmap_remove(&domain->sparse, data->hwirq);
}

struct ontb_irq_data *ontb_irq_data_of(struct ontb_irq_domain *domain, unsigned int virq)
{
	struct ontb_irq_data *data = NULL;
	struct ontb_irq_desc *desc;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_desc(domain->sys, virq);
	if (desc)
		data = &desc->data[0];
	while (data && data->domain != domain)
		data = data->parent;
	ontb_rcu_read_unlock();
	return data;
}

int ontb_irq_domain_set_info(struct ontb_irq_domain *domain, unsigned int virq, uint64_t hwirq,
			     const struct ontb_irq_chip *chip, void *chip_data)
{
	struct ontb_irq_data *data = ontb_irq_data_of(domain, virq);

	if (!data || ontb_irq_domain_is_mapped(data))
		return -EEXIST;
	/* Before it can be found: dispatch of a stray hardware number may come at once. */
	data->hwirq = hwirq;
	data->chip = chip;
	data->chip_data = chip_data;
	return ontb_irq_domain_map(data);
}

void ontb_irq_domain_set_flow(struct ontb_irq_domain *domain, unsigned int virq, enum ontb_irq_flow flow)
{
	struct ontb_irq_data *data = ontb_irq_data_of(domain, virq);
	struct ontb_irq_desc *desc = data ? desc_of(data) : NULL;

	if (!desc || desc_state(desc) & IRQ_LIVE || (desc->resend_next && desc->resend_next - 1 < data->level))
		return;
	desc->resend_next = data->level + 1;
	desc->flow = (uint8_t)flow;
}

unsigned int ontb_irq_find(const struct ontb_irq_domain *domain, uint64_t hwirq)
{
	struct ontb_irq_data *data;
	unsigned int virq;

	ontb_rcu_read_lock();
	data = look_up(domain, hwirq);
	virq = data && desc_state(desc_of(data)) & IRQ_LIVE ? data->virq : 0;
	ontb_rcu_read_unlock();
	return virq;
}

int ontb_irq_dispatch(struct ontb_irq_domain *domain, uint64_t hwirq)
{
	struct ontb_irq_data *data;

	ontb_rcu_read_lock();
	data = look_up(domain, hwirq);
	if (data && !(desc_state(desc_of(data)) & IRQ_LIVE))
		data = NULL; /* half allocated, or on its way out: nobody's */
	if (data && desc_of(data)->flow == ONTB_IRQ_NESTED) {
		bool owns = ontb_irq_own_nested(desc_of(data));

		ontb_rcu_read_unlock();
		if (owns)
			ontb_irq_run_nested(desc_of(data));
		return 0;
	}
	if (data)
		ontb_irq_desc_handle(desc_of(data));
	else
		ontb_irq_count_spurious(domain->sys);
	ontb_rcu_read_unlock();
	return data ? 0 : -ENOENT;
}

const char *ontb_bus_token_name(enum ontb_bus_token token)
{
	static const char *const names[] = {
		[ONTB_BUS_ANY] = "ANY",		[ONTB_BUS_VECTOR] = "VECTOR",	  [ONTB_BUS_REMAP] = "REMAP",
		[ONTB_BUS_PCI_MSI] = "PCI-MSI", [ONTB_BUS_PCI_MSIX] = "PCI-MSIX", [ONTB_BUS_NTB] = "NTB",
		[ONTB_BUS_DEVICE] = "DEVICE",	[ONTB_BUS_CASCADE] = "CASCADE",
	};

	return (unsigned int)token < ONTB_ARRAY_SIZE(names) ? names[token] : "?";
}

/* One domain, as listed. Allocation lock held. */
static void fill_status(const struct ontb_irq_domain *domain, struct ontb_irq_domain_status *status)
{
	*status = (struct ontb_irq_domain_status){
		.token = domain->token,
		.nr_irqs = domain->nr_irqs,
		.size = domain->size,
	};
	memcpy(status->name, domain->name, sizeof(status->name));
	if (domain->parent)
		memcpy(status->parent, domain->parent->name, sizeof(status->parent));
}

unsigned int ontb_irq_domains(struct ontb_irq_system *sys, struct ontb_irq_domain_status *domains, unsigned int max)
{
	unsigned int nr = 0;

	/* A parent is made before its children, so the order of the list is good. */
	ontb_lock(&sys->alloc_lock);
	for (const struct ontb_irq_domain *domain = sys->domains; domain; domain = domain->next, nr++)
		if (nr < max)
			fill_status(domain, &domains[nr]);
	ontb_unlock(&sys->alloc_lock);
	return nr;
}
