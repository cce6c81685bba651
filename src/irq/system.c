// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The interrupts of a host as a whole: its numbers, its CPUs, its locks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "irq/internals.h"

static void init_stripes(struct ontb_irq_system *sys)
{
	pthread_condattr_t attr;

	/* None of these can fail with a default lock and a clock that Linux has. */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < IRQ_NR_STRIPES; i++) {
		ontb_lock_init(&sys->stripes[i].lock);
		ontb_lock_init(&sys->stripes[i].waits);
		(void)pthread_cond_init(&sys->stripes[i].moved, &attr);
		(void)pthread_cond_init(&sys->stripes[i].idle, &attr);
	}
	(void)pthread_condattr_destroy(&attr);
}

static void fini_stripes(struct ontb_irq_system *sys)
{
	for (unsigned int i = 0; i < IRQ_NR_STRIPES; i++) {
		(void)pthread_cond_destroy(&sys->stripes[i].idle);
		(void)pthread_cond_destroy(&sys->stripes[i].moved);
		ontb_lock_fini(&sys->stripes[i].waits);
		ontb_lock_fini(&sys->stripes[i].lock);
	}
}

int ontb_irq_system_new(const struct ontb_irq_system_config *config, struct ontb_irq_system **out)
{
	struct ontb_cpumask all = ontb_cpumask_all(config->nr_cpus);
	struct ontb_irq_system *sys;
	int ret;

	if (!config->name || config->nr_cpus < 1 || config->nr_cpus > ONTB_MAX_CPUS || config->max_irqs < 1 ||
	    config->max_irqs > IRQ_MAX_IRQS)
		return -EINVAL;
	sys = calloc(1, sizeof(*sys));
	if (!sys)
		return -ENOMEM;
	(void)snprintf(sys->name, sizeof(sys->name), "%s", config->name);
	sys->nr_cpus = config->nr_cpus;
	sys->max_irqs = config->max_irqs;
	sys->workers = config->workers;
	sys->last_domain = &sys->domains;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(sys->online); i++)
		atomic_init(&sys->online[i], all.bits[i]);
	if (sys->workers) {
		ret = ontb_worker_new(sys->workers, "irq/resend", ontb_irq_resend_run, sys, &sys->resender);
		if (ret)
			goto free_sys;
	}
	ontb_lock_init(&sys->alloc_lock);
	init_stripes(sys);
	*out = sys;
	return 0;
free_sys:
	free(sys);
	return ret;
}

void ontb_irq_system_free(struct ontb_irq_system *sys)
{
	if (!sys)
		return;
	if (sys->domains) {
		ontb_log(ONTB_LOG_ERROR, "%s: interrupts are not freed: domain %s still exists", sys->name,
			 sys->domains->name);
		return;
	}
	ontb_worker_free(sys->resender);
	ontb_rcu_barrier(); /* descriptors that were released lately */
	ontb_idmap_fini(&sys->irqs);
	fini_stripes(sys);
	ontb_lock_fini(&sys->alloc_lock);
	free(sys);
}

unsigned int ontb_irq_system_nr_cpus(const struct ontb_irq_system *sys)
{
	return sys->nr_cpus;
}

struct ontb_cpumask ontb_irq_cpu_online(const struct ontb_irq_system *sys)
{
	struct ontb_cpumask mask;

	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(sys->online); i++)
		mask.bits[i] = atomic_load(&sys->online[i]);
	return mask;
}

int ontb_irq_cpu_set_online(struct ontb_irq_system *sys, unsigned int cpu, bool online)
{
	struct ontb_cpumask mask;
	int ret = 0;

	if (cpu >= sys->nr_cpus)
		return -ERANGE;
	ontb_lock(&sys->alloc_lock);
	mask = ontb_irq_cpu_online(sys);
	if (online)
		ontb_cpumask_set(&mask, cpu);
	else
		ontb_cpumask_clear(&mask, cpu);
	if (ontb_cpumask_is_empty(&mask))
		ret = -EBUSY;
	else
		atomic_store(&sys->online[cpu / 64], mask.bits[cpu / 64]);
	ontb_unlock(&sys->alloc_lock);
	return ret;
}

struct ontb_irq_desc *ontb_irq_find_desc(const struct ontb_irq_system *sys, unsigned int virq)
{
	return ontb_idmap_find(&sys->irqs, virq);
}

struct ontb_irq_desc *ontb_irq_find_live(const struct ontb_irq_system *sys, unsigned int virq)
{
	struct ontb_irq_desc *desc;

	ontb_rcu_read_lock();
	desc = ontb_irq_find_desc(sys, virq);
	if (desc && !(desc_state(desc) & IRQ_LIVE))
		desc = NULL;
	ontb_rcu_read_unlock();
	return desc;
}

struct ontb_irq_desc *ontb_irq_find_idle(const struct ontb_irq_system *sys, struct ontb_irq_stripe *stripe,
					 unsigned int virq)
{
	struct ontb_irq_desc *desc;

	for (;;) {
		desc = ontb_irq_find_live(sys, virq);
		if (!desc || !(desc->slow & IRQ_SLOW_BUSY))
			return desc;
		(void)ontb_irq_wait_moved(stripe, UINT64_MAX);
	}
}

struct ontb_irq_desc *ontb_irq_desc_get(struct ontb_irq_system *sys, unsigned int virq)
{
	return ontb_irq_find_live(sys, virq); /* the caller keeps it, see its context */
}

struct ontb_irq_desc *ontb_irq_data_desc(const struct ontb_irq_data *data)
{
	return desc_of(data);
}
