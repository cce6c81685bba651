// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The root of an x86 host: putting it together.
 */
#include "platform/x86/x86.h"

#include <errno.h>
#include <stdlib.h>

#include "platform/x86/cpu.h"
#include "platform/x86/fault.h"
#include "platform/x86/remap.h"
#include "platform/x86/vector.h"
#include "platform/x86/iommu.h"

static bool is_table_size(unsigned int nr)
{
	return nr >= 2 && nr <= ONTB_X86_MAX_ENTRIES && !(nr & (nr - 1));
}

static int check_config(const struct ontb_x86_config *config)
{
	struct ontb_cpumask online;

	if (!config || !config->machine || !config->irqs || !config->pages)
		return -EINVAL;
	if (config->nr_entries && !is_table_size(config->nr_entries))
		return -EINVAL;
	if (config->machine->nr_cpus != ontb_irq_system_nr_cpus(config->irqs))
		return -EINVAL;
	online = ontb_irq_cpu_online(config->irqs);
	return ontb_cpumask_count(&online) == config->machine->nr_cpus ? 0 : -EINVAL;
}

static int add_remapping(struct ontb_x86 *x86, const struct ontb_x86_config *config)
{
	int ret = ontb_iommu_new(x86->machine, config->pages,
				 config->nr_entries ? config->nr_entries : ONTB_X86_MAX_ENTRIES, &x86->iommu);

	if (ret)
		return ret;
	ret = ontb_remap_new(x86, &x86->remap);
	if (ret)
		goto free_iommu;
	ret = ontb_iommu_faults_new(x86, config->workers, &x86->faults);
	if (ret)
		goto free_remap;
	return 0;

free_remap:
	(void)ontb_remap_free(x86->remap); /* nobody has used it */
free_iommu:
	ontb_iommu_free(x86->iommu);
	return ret;
}

static int make_domains(struct ontb_x86 *x86, const struct ontb_x86_config *config)
{
	int ret = ontb_vector_domain_new(x86, &x86->vectors);

	if (ret)
		return ret;
	if (config->use_remapping && x86->machine->iommu_base)
		ret = add_remapping(x86, config);
	if (ret)
		(void)ontb_irq_domain_free(x86->vectors); /* nobody has used it */
	return ret;
}

int ontb_x86_new(const struct ontb_x86_config *config, struct ontb_x86 **out)
{
	struct ontb_x86 *x86;
	int ret = check_config(config);

	if (ret)
		return ret;
	x86 = calloc(1, sizeof(*x86));
	if (!x86)
		return -ENOMEM;
	x86->machine = config->machine;
	x86->irqs = config->irqs;
	ontb_lock_init(&x86->cpus_lock);
	ret = ontb_slots_init(&x86->slots, x86->machine->nr_cpus);
	if (ret)
		goto free_x86;
	ret = ontb_x86_start_cpus(x86);
	if (ret)
		goto free_slots;
	ret = make_domains(x86, config);
	if (ret)
		goto stop_cpus;
	*out = x86;
	return 0;

stop_cpus:
	ontb_x86_stop_cpus(x86);
free_slots:
	ontb_slots_fini(&x86->slots);
free_x86:
	ontb_lock_fini(&x86->cpus_lock);
	free(x86);
	return ret;
}

static int free_domains(struct ontb_x86 *x86)
{
	int ret = ontb_remap_free(x86->remap);

	if (ret)
		return ret;
	ontb_iommu_faults_free(x86->faults);
	ontb_iommu_free(x86->iommu);
	x86->remap = NULL;
	x86->faults = NULL;
	x86->iommu = NULL;
	return ontb_irq_domain_free(x86->vectors);
}

void ontb_x86_free(struct ontb_x86 *x86)
{
	int ret;

	if (!x86)
		return;
	ret = free_domains(x86);
	ontb_x86_stop_cpus(x86);
	if (ret) {
		ontb_log(ONTB_LOG_ERROR, "%s: root domains not freed: devices still have domains below them",
			 x86->machine->name);
		return;
	}
	ontb_slots_fini(&x86->slots);
	ontb_lock_fini(&x86->cpus_lock);
	free(x86);
}

struct ontb_irq_domain *ontb_x86_msi_parent(const struct ontb_x86 *x86)
{
	return x86->remap ? ontb_remap_domain(x86->remap) : x86->vectors;
}

struct ontb_irq_domain *ontb_x86_vector_domain(const struct ontb_x86 *x86)
{
	return x86->vectors;
}

unsigned int ontb_x86_poll_faults(struct ontb_x86 *x86)
{
	return x86->faults ? ontb_iommu_faults_poll(x86->faults) : 0;
}

static void slots_status(struct ontb_x86 *x86, struct ontb_x86_status *status)
{
	struct ontb_slots *slots = &x86->slots;

	ontb_lock(&slots->lock);
	status->nr_online = slots->nr_open;
	status->nr_reserved = slots->nr_reserved;
	status->nr_capacity = slots->nr_open * ONTB_X86_NR_VECTORS;
	status->nr_cleaned = slots->nr_cleaned;
	for (unsigned int cpu = 0; cpu < slots->nr_cpus; cpu++) {
		status->nr_used += slots->cpus[cpu].nr_used;
		status->nr_waiting += slots->cpus[cpu].nr_waiting;
		status->nr_late += atomic_load_explicit(&slots->cpus[cpu].nr_late, memory_order_relaxed);
	}
	ontb_unlock(&slots->lock);
}

void ontb_x86_status(struct ontb_x86 *x86, struct ontb_x86_status *status)
{
	*status = (struct ontb_x86_status){
		.nr_spurious = ontb_irq_spurious(x86->irqs),
		.nr_resent = atomic_load_explicit(&x86->nr_resent, memory_order_relaxed),
	};
	slots_status(x86, status);
	if (!x86->remap)
		return;
	status->has_remapping = true;
	status->nr_entries = x86->iommu->nr_entries;
	status->nr_entries_reserved = ontb_remap_nr_reserved(x86->remap);
	status->nr_invalidations = atomic_load_explicit(&x86->iommu->nr_invalidations, memory_order_relaxed);
	ontb_iommu_faults_status(x86->faults, status);
}

unsigned int ontb_x86_cpu_nr_used(struct ontb_x86 *x86, unsigned int cpu)
{
	unsigned int nr;

	if (cpu >= x86->slots.nr_cpus)
		return 0;
	ontb_lock(&x86->slots.lock);
	nr = x86->slots.cpus[cpu].nr_used;
	ontb_unlock(&x86->slots.lock);
	return nr;
}
