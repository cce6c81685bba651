// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A host for tests of PCI interrupts. See rig.h.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define CPU_POS 10

static struct rig *rig_of(const struct ontb_irq_data *data)
{
	return ontb_irq_domain_data(data->domain);
}

static struct ontb_msi_msg message(const struct rig *rig, unsigned int hwirq)
{
	unsigned int cpu = atomic_load(&rig->cpu[hwirq]);

	return (struct ontb_msi_msg){ rig->addr | cpu << 12, cpu << CPU_POS | hwirq };
}

static int compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	*msg = message(rig_of(data), (unsigned int)data->hwirq);
	return 0;
}

static int set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct rig *rig = rig_of(data);
	unsigned int cpu = ontb_cpumask_next(mask, 0);

	if (cpu == atomic_load(&rig->cpu[data->hwirq]))
		return ONTB_IRQ_SET_UNCHANGED;
	atomic_store(&rig->cpu[data->hwirq], cpu);
	ontb_irq_set_effective(data, cpu);
	return ONTB_IRQ_SET_MOVED;
}

static bool retrigger(struct ontb_irq_data *data)
{
	struct rig *rig = rig_of(data);

	(void)pthread_mutex_lock(&rig->fake.lock);
	rig->fake.messages[rig->fake.nr_messages++] = message(rig, (unsigned int)data->hwirq);
	(void)pthread_mutex_unlock(&rig->fake.lock);
	return true;
}

static const struct ontb_irq_chip chip = {
	.name = "RIG",
	.compose_msg = compose,
	.set_affinity = set_affinity,
	.retrigger = retrigger,
};

static bool is_free(const struct rig *rig, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++) {
		if (i >= rig->limit || rig->is_used[i])
			return false;
	}
	return true;
}

static void free_numbers(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	struct rig *rig = ontb_irq_domain_data(domain);

	for (unsigned int i = 0; i < nr; i++) {
		const struct ontb_irq_data *data = ontb_irq_data_of(domain, virq + i);

		if (data)
			rig->is_used[data->hwirq] = false;
	}
}

static int alloc_numbers(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct rig *rig = ontb_irq_domain_data(domain);
	const struct ontb_msi_alloc *alloc = arg;
	unsigned int step = alloc->is_contiguous ? nr : 1, first = 0;

	while (first < rig->limit && !is_free(rig, first, nr))
		first += step;
	if (first >= rig->limit)
		return -ENOSPC;
	for (unsigned int i = 0; i < nr; i++) {
		int ret = ontb_irq_domain_set_info(domain, virq + i, first + i, &chip, NULL);

		if (ret) {
			while (i-- > 0)
				rig->is_used[first + i] = false;
			return ret;
		}
		rig->is_used[first + i] = true;
		atomic_store(&rig->cpu[first + i], 0);
	}
	return 0;
}

static int activate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct rig *rig = ontb_irq_domain_data(domain);
	struct ontb_cpumask affinity = ontb_irq_affinity(data);
	unsigned int cpu = ontb_cpumask_next(&affinity, 0);

	atomic_store(&rig->cpu[data->hwirq], cpu);
	ontb_irq_set_effective(data, cpu);
	return 0;
}

static const struct ontb_irq_domain_ops ops = {
	.alloc = alloc_numbers,
	.free = free_numbers,
	.activate = activate,
};

void rig_init(struct rig *rig, bool is_contiguous)
{
	const struct ontb_irq_system_config sys = { .name = "rig", .nr_cpus = RIG_NR_CPUS, .max_irqs = 5000 };
	struct ontb_irq_domain_config domain = { .name = "RIG", .token = ONTB_BUS_VECTOR, .ops = &ops };

	memset(rig, 0, sizeof(*rig));
	fake_init(&rig->fake);
	rig->limit = RIG_NR_HWIRQS;
	rig->addr = ONTB_X86_MSI_BASE;
	rig->parent.message = ONTB_MSI_MOVES;
	rig->parent.scope = ONTB_MSI_SCOPE_GLOBAL;
	rig->parent.features = is_contiguous ? ONTB_MSI_FEATURE_CONTIGUOUS : 0;
	rig->parent.tokens = 1U << ONTB_BUS_PCI_MSI | 1U << ONTB_BUS_PCI_MSIX | 1U << ONTB_BUS_DEVICE;
	domain.data = rig;
	domain.msi_parent = &rig->parent;
	assert_int_equal(ontb_irq_system_new(&sys, &rig->sys), 0);
	assert_int_equal(ontb_irq_domain_new(rig->sys, &domain, &rig->root), 0);
}

void rig_fini(struct rig *rig)
{
	assert_int_equal(ontb_pci_bus_free(rig->bus), 0);
	assert_int_equal(rig_nr_used(rig), 0);
	assert_int_equal(ontb_irq_domain_free(rig->root), 0);
	ontb_irq_system_free(rig->sys);
	assert_int_equal(pthread_mutex_destroy(&rig->fake.lock), 0);
}

static struct ontb_irq_domain *parent_of(void *arg, uint16_t rid)
{
	struct rig *rig = arg;

	/* Bus 1 has none. */
	return rid < ONTB_RID(1, 0, 0) ? rig->root : NULL;
}

struct ontb_pci_dev *rig_scan(struct rig *rig, unsigned int idx)
{
	const struct ontb_pci_config config = {
		.machine = &rig->fake.machine,
		.nr_buses = 2,
		.msi_parent = parent_of,
		.arg = rig,
	};
	struct ontb_pci_dev *dev;

	assert_int_equal(ontb_pci_scan(&config, &rig->bus), 0);
	dev = ontb_pci_dev_at(rig->bus, idx);
	assert_non_null(dev);
	assert_int_equal(ontb_pci_enable(dev), 0);
	ontb_pci_set_master(dev, true);
	return dev;
}

unsigned int rig_pump(struct rig *rig)
{
	struct ontb_msi_msg msg;
	unsigned int nr = 0;

	fake_settle(&rig->fake);
	for (; fake_take(&rig->fake, &msg); nr++) {
		unsigned int cpu = msg.addr >> 12 & 0xff;

		if (msg.data >> CPU_POS != cpu || (msg.addr & ~0xff000ULL) != rig->addr) {
			rig->nr_torn++;
			continue;
		}
		ontb_irq_cpu_enter(rig->sys, cpu);
		rig->nr_unknown += ontb_irq_dispatch(rig->root, msg.data & ((1U << CPU_POS) - 1)) != 0;
		ontb_irq_cpu_leave(rig->sys);
	}
	return nr;
}

unsigned int rig_nr_used(const struct rig *rig)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < RIG_NR_HWIRQS; i++)
		nr += rig->is_used[i];
	return nr;
}

static enum ontb_irq_return count_one(unsigned int virq, void *dev)
{
	(void)virq;
	atomic_fetch_add((_Atomic unsigned int *)dev, 1);
	return ONTB_IRQ_HANDLED;
}

int rig_request(struct rig *rig, unsigned int virq, _Atomic unsigned int *count)
{
	const struct ontb_irq_request request = { .handler = count_one, .dev = count, .name = "count" };

	return ontb_irq_request(rig->sys, virq, &request);
}

void rig_request_all(struct rig *rig, struct ontb_pci_dev *dev, _Atomic unsigned int *counts, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(rig_request(rig, ontb_pci_irq(dev, i), &counts[i]), 0);
}

void rig_free_all(struct rig *rig, struct ontb_pci_dev *dev, _Atomic unsigned int *counts, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(ontb_irq_free(rig->sys, ontb_pci_irq(dev, i), &counts[i]), 0);
}
