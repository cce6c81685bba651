// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The vector domain.
 *
 * Allocation only reserves a vector, whichever CPU has it; activation chooses CPU and vector. So a driver may allocate more
 * interrupts than it ever requests, and the choice is made when it is known who shares the CPU.
 */
#include "platform/x86/vector.h"

#include <errno.h>
#include <stdlib.h>

#include <openntb/machine.h>

#include "base/clock.h"
#include "platform/x86/cpu.h"
#include "platform/x86/x86.h"

/* A clean-up takes microseconds; a CPU that does not come to it in this time is stuck in a handler. */
#define WAIT_CLEANED_NS (100 * ONTB_NS_PER_MS)

static uint64_t wait_ns_of(const struct ontb_x86 *x86)
{
	/* Nobody steps a machine while this thread waits. */
	return x86->machine->is_stepped ? 0 : WAIT_CLEANED_NS;
}

static struct ontb_x86 *x86_of(const struct ontb_irq_data *data)
{
	return ontb_irq_domain_data(data->domain);
}

static void apic_ack(struct ontb_irq_data *data)
{
	ontb_x86_eoi(x86_of(data), ontb_irq_this_cpu());
}

static bool apic_retrigger(struct ontb_irq_data *data)
{
	const struct ontb_slot_owner *owner = data->chip_data;
	struct ontb_x86 *x86 = x86_of(data);
	unsigned int cpu, vector;

	if (ontb_slots_target(&x86->slots, owner, &cpu, &vector))
		return false;
	ontb_x86_ipi(x86, cpu, vector);
	return true;
}

static int apic_set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct ontb_slot_owner *owner = data->chip_data;
	struct ontb_x86 *x86 = x86_of(data);
	struct ontb_cpumask online = ontb_irq_cpu_online(x86->irqs);
	struct ontb_cpumask allowed = ontb_cpumask_and(mask, &online);
	unsigned int cpu;
	int ret;

	if (ontb_slots_is_within(&x86->slots, owner, &allowed))
		return ONTB_IRQ_SET_UNCHANGED;
	ret = ontb_slots_take(&x86->slots, owner, &allowed, wait_ns_of(x86), &cpu);
	if (ret)
		return ret;
	ontb_irq_set_effective(data, cpu);
	return ONTB_IRQ_SET_MOVED;
}

static void apic_move_done(struct ontb_irq_data *data)
{
	struct ontb_slot_owner *owner = data->chip_data;
	struct ontb_x86 *x86 = x86_of(data);
	unsigned int cpu = ontb_slots_retire_old(&x86->slots, owner);

	if (cpu != ONTB_MAX_CPUS)
		ontb_x86_ipi(x86, cpu, ONTB_VECTOR_CLEANUP);
}

static int apic_compose_msg(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	const struct ontb_slot_owner *owner = data->chip_data;
	unsigned int cpu, vector;
	int ret = ontb_slots_target(&x86_of(data)->slots, owner, &cpu, &vector);

	if (ret)
		return ret;
	/* Compatibility format, physical destination, fixed delivery, edge: Intel SDM volume 3, "Message Address Register Format". */
	*msg = (struct ontb_msi_msg){ .addr = ONTB_X86_MSI_BASE | (uint64_t)cpu << 12, .data = vector };
	return 0;
}

static void apic_pending_cpus(struct ontb_irq_data *data, struct ontb_irq_drain *drain)
{
	ontb_slots_pending_cpus(&x86_of(data)->slots, data->chip_data, drain);
}

static const struct ontb_irq_chip apic_chip = {
	.name = "APIC",
	.ack = apic_ack,
	.retrigger = apic_retrigger,
	.set_affinity = apic_set_affinity,
	.move_done = apic_move_done,
	.pending_cpus = apic_pending_cpus,
	.compose_msg = apic_compose_msg,
};

static void free_irqs(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		free(ontb_irq_data_of(domain, virq + i)->chip_data);
}

static int alloc_irq(struct ontb_irq_domain *domain, unsigned int virq)
{
	struct ontb_slot_owner *owner = calloc(1, sizeof(*owner));
	int ret;

	if (!owner)
		return -ENOMEM;
	ret = ontb_irq_domain_set_info(domain, virq, virq, &apic_chip, owner);
	if (ret) {
		free(owner);
		return ret;
	}
	ontb_irq_domain_set_flow(domain, virq, ONTB_IRQ_EDGE);
	return 0;
}

static void log_full(struct ontb_x86 *x86, unsigned int nr)
{
	struct ontb_x86_status status;

	ontb_x86_status(x86, &status);
	ontb_log_limited(&x86->limit_reserve, ONTB_LOG_WARNING,
			 "%s: cannot reserve %u more vectors: %u CPUs have %u, of which %u are reserved",
			 x86->machine->name, nr, status.nr_online, status.nr_capacity, status.nr_reserved);
}

static int vector_alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct ontb_x86 *x86 = ontb_irq_domain_data(domain);
	int ret = ontb_slots_reserve(&x86->slots, nr);
	unsigned int i;

	(void)arg;
	if (ret) {
		log_full(x86, nr);
		return ret;
	}
	for (i = 0; i < nr; i++) {
		ret = alloc_irq(domain, virq + i);
		if (ret)
			goto free_irqs;
	}
	return 0;

free_irqs:
	free_irqs(domain, virq, i);
	ontb_slots_unreserve(&x86->slots, nr);
	return ret;
}

static void vector_free(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	struct ontb_x86 *x86 = ontb_irq_domain_data(domain);

	free_irqs(domain, virq, nr);
	ontb_slots_unreserve(&x86->slots, nr);
}

static int vector_activate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct ontb_x86 *x86 = ontb_irq_domain_data(domain);
	struct ontb_slot_owner *owner = data->chip_data;
	struct ontb_cpumask online = ontb_irq_cpu_online(x86->irqs);
	struct ontb_cpumask wanted = ontb_irq_affinity(data);
	struct ontb_cpumask allowed = ontb_cpumask_and(&wanted, &online);
	unsigned int cpu;
	int ret;

	owner->desc = ontb_irq_data_desc(data);
	ret = ontb_slots_take(&x86->slots, owner, &allowed, wait_ns_of(x86), &cpu);
	if (ret == -EINVAL) /* none of its CPUs is on line: any other serves it better than none */
		ret = ontb_slots_take(&x86->slots, owner, &online, wait_ns_of(x86), &cpu);
	if (ret) {
		ontb_log_limited(&x86->limit_reserve, ONTB_LOG_WARNING,
				 "%s: interrupt %u: no vector is free on the CPUs it may go to", x86->machine->name,
				 data->virq);
		return ret;
	}
	ontb_irq_set_effective(data, cpu);
	return 0;
}

static void vector_deactivate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct ontb_x86 *x86 = ontb_irq_domain_data(domain);
	struct ontb_slot_owner *owner = data->chip_data;
	struct ontb_cpumask cpus = ontb_slots_retire_all(&x86->slots, owner);

	for (unsigned int cpu = ontb_cpumask_next(&cpus, 0); cpu < ONTB_MAX_CPUS;
	     cpu = ontb_cpumask_next(&cpus, cpu + 1))
		ontb_x86_ipi(x86, cpu, ONTB_VECTOR_CLEANUP);
}

static void vector_drain(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain)
{
	ontb_x86_drain(ontb_irq_domain_data(domain), drain);
}

static void vector_drain_cancel(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain)
{
	ontb_x86_drain_cancel(ontb_irq_domain_data(domain), drain);
}

static const struct ontb_irq_domain_ops vector_ops = {
	.alloc = vector_alloc,
	.free = vector_free,
	.activate = vector_activate,
	.deactivate = vector_deactivate,
	.drain = vector_drain,
	.drain_cancel = vector_drain_cancel,
};

int ontb_vector_target(const struct ontb_irq_data *data, unsigned int *cpu, unsigned int *vector)
{
	const struct ontb_slot_owner *owner = data->chip_data;

	return ontb_slots_target(&x86_of(data)->slots, owner, cpu, vector);
}

void ontb_vector_lose(const struct ontb_irq_data *data)
{
	ontb_slots_lose(&x86_of(data)->slots, data->chip_data);
}

static int msi_init_domain(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, struct ontb_msi_template *copy)
{
	(void)parent;
	(void)dev;
	copy->flow = ONTB_IRQ_EDGE; /* whatever the device is: a message is an edge */
	return 0;
}

static void msi_message_range(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot,
			      uint64_t *first, uint64_t *size)
{
	const struct ontb_x86 *x86 = ontb_irq_domain_data(parent);

	(void)dev;
	(void)slot;
	*first = ONTB_X86_MSI_BASE;
	*size = (uint64_t)x86->slots.nr_cpus << 12;
}

static const struct ontb_msi_parent vector_msi_parent = {
	.message = ONTB_MSI_MOVES,
	.is_isolated = false,
	.scope = ONTB_MSI_SCOPE_CPU,
	.features = 0,
	.tokens = 1U << ONTB_BUS_PCI_MSI | 1U << ONTB_BUS_PCI_MSIX | 1U << ONTB_BUS_NTB | 1U << ONTB_BUS_DEVICE,
	.prefix = "",
	.init_domain = msi_init_domain,
	.message_range = msi_message_range,
};

int ontb_vector_domain_new(struct ontb_x86 *x86, struct ontb_irq_domain **out)
{
	const struct ontb_irq_domain_config config = {
		.name = "VECTOR",
		.token = ONTB_BUS_VECTOR,
		.ops = &vector_ops,
		.data = x86,
		.msi_parent = &vector_msi_parent,
	};

	return ontb_irq_domain_new(x86->irqs, &config, out);
}
