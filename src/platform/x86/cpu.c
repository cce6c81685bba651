// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CPUs.
 *
 * Taking an interrupt is a look into a table and a call: no lock, no system call. Everything rare is in other_vector().
 */
#include "platform/x86/cpu.h"

#include <errno.h>

#include "base/rcu.h"
#include "platform/x86/x86.h"

#define SVR_ENABLE     (1U << 8)  /* Intel SDM volume 3, "Spurious-Interrupt Vector Register" */
#define ICR_ASSERT     (1U << 14) /* Intel SDM volume 3, "Interrupt Command Register" */
#define ICR_DEST_SHIFT 32

void ontb_x86_eoi(struct ontb_x86 *x86, unsigned int cpu)
{
	x86->machine->ops->apic_write(x86->machine, cpu, ONTB_APIC_EOI, 0);
}

void ontb_x86_ipi(struct ontb_x86 *x86, unsigned int cpu, unsigned int vector)
{
	/* In the name of the CPU that gets it: it runs, and any other may not. */
	x86->machine->ops->apic_write(x86->machine, cpu, ONTB_APIC_ICR,
				      (uint64_t)cpu << ICR_DEST_SHIFT | ICR_ASSERT | vector);
}

static bool has_bit(struct ontb_x86 *x86, unsigned int cpu, enum ontb_apic_reg reg, unsigned int vector)
{
	return x86->machine->ops->apic_read(x86->machine, cpu, reg + vector / 32) >> vector % 32 & 1;
}

static bool is_pending(struct ontb_x86 *x86, unsigned int cpu, unsigned int vector)
{
	return has_bit(x86, cpu, ONTB_APIC_IRR, vector);
}

/* Whether anything for devices is pending. */
static bool is_idle(struct ontb_x86 *x86, unsigned int cpu)
{
	for (unsigned int v = ONTB_VECTOR_FIRST & ~31U; v <= ONTB_VECTOR_LAST; v += 32) {
		uint64_t bits = x86->machine->ops->apic_read(x86->machine, cpu, ONTB_APIC_IRR + v / 32);

		if (v < ONTB_VECTOR_FIRST) /* the clean-up vector and its neighbours */
			bits &= ~((1ULL << (ONTB_VECTOR_FIRST - v)) - 1);
		if (bits)
			return false;
	}
	return true;
}

void ontb_x86_drain(struct ontb_x86 *x86, struct ontb_irq_drain *drain)
{
	unsigned int cpu = ontb_slots_drain(&x86->slots, drain);

	if (cpu != ONTB_MAX_CPUS)
		ontb_x86_ipi(x86, cpu, ONTB_VECTOR_CLEANUP);
	else
		drain->done(drain);
}

void ontb_x86_drain_cancel(struct ontb_x86 *x86, struct ontb_irq_drain *drain)
{
	int ret;

	/* Who goes on with a drain, or calls done(), is in a read-side section of RCU. */
	do {
		ret = ontb_slots_drain_cancel(&x86->slots, drain);
		if (ret)
			ontb_rcu_synchronize();
	} while (ret == -EAGAIN);
}

/* Go on with the drains for which this CPU has done enough. */
static void go_on_draining(struct ontb_x86 *x86, unsigned int cpu, bool *again)
{
	struct ontb_irq_drain *drain, *next;

	ontb_lock(&x86->slots.lock);
	drain = ontb_slots_drained_locked(&x86->slots, cpu, is_idle(x86, cpu), again);
	ontb_unlock(&x86->slots.lock);
	for (; drain; drain = next) {
		next = drain->next;
		ontb_x86_drain(x86, drain);
	}
}

/*
 * Free the vectors that interrupts have left. What was pending when they left has been taken already, because it has a
 * higher priority; but another vector may have been left, and a last message for it come, after this CPU went for this
 * interrupt. Such a message is seen in the APIC: one more round, which again comes after it.
 */
static void clean_up(struct ontb_x86 *x86, unsigned int cpu)
{
	uint64_t vectors[4];
	bool again = false;

	ontb_slots_waiting(&x86->slots, cpu, vectors);
	for (unsigned int v = ONTB_VECTOR_FIRST; v <= ONTB_VECTOR_LAST; v++) {
		if (vectors[v / 64] >> v % 64 & 1 && is_pending(x86, cpu, v)) {
			vectors[v / 64] &= ~(1ULL << v % 64);
			again = true;
		}
	}
	ontb_slots_clean(&x86->slots, cpu, vectors);
	go_on_draining(x86, cpu, &again);
	if (again)
		ontb_x86_ipi(x86, cpu, ONTB_VECTOR_CLEANUP);
}

static void spurious(struct ontb_x86 *x86, unsigned int cpu, unsigned int vector)
{
	ontb_irq_count_spurious(x86->irqs);
	ontb_log_limited(&x86->limit_spurious, ONTB_LOG_WARNING, "%s: CPU %u: nobody has vector 0x%02x",
			 x86->machine->name, cpu, vector);
}

static void other_vector(struct ontb_x86 *x86, unsigned int cpu, unsigned int vector, const struct ontb_irq_desc *desc)
{
	/*
	 * If the APIC had something and has it no more, this vector is not in service and has no end. But a peer can send a
	 * message with it too, and then it is, and would block the CPU for ever.
	 */
	if (vector == ONTB_VECTOR_SPURIOUS && !has_bit(x86, cpu, ONTB_APIC_ISR, vector)) {
		ontb_irq_count_spurious(x86->irqs);
		return;
	}
	ontb_x86_eoi(x86, cpu);
	if (vector == ONTB_VECTOR_CLEANUP)
		clean_up(x86, cpu);
	else if (desc == ontb_slot_retired)
		atomic_fetch_add_explicit(&x86->slots.cpus[cpu].nr_late, 1, memory_order_relaxed);
	else
		spurious(x86, cpu, vector);
}

static void entry(void *arg, unsigned int cpu, unsigned int vector)
{
	struct ontb_x86 *x86 = arg;
	struct ontb_irq_desc *desc;

	ontb_irq_cpu_enter(x86->irqs, cpu);
	desc = ontb_rcu_read(x86->slots.cpus[cpu].descs[vector]);
	if (ontb_likely(desc && desc != ontb_slot_retired))
		ontb_irq_desc_handle(desc);
	else
		other_vector(x86, cpu, vector, desc);
	ontb_irq_cpu_leave(x86->irqs);
}

static int start_cpu(struct ontb_x86 *x86, unsigned int cpu)
{
	struct ontb_machine *machine = x86->machine;
	int ret = machine->ops->cpu_start(machine, cpu);

	if (ret)
		return ret;
	machine->ops->apic_write(machine, cpu, ONTB_APIC_SVR, SVR_ENABLE | ONTB_VECTOR_SPURIOUS);
	ontb_slots_started(&x86->slots, cpu);
	ontb_slots_open(&x86->slots, cpu);
	return 0;
}

/*
 * Raise again, where its interrupt is now, what a stopped CPU has not taken. With the vector lock held: what is pending at a
 * target before an interrupt leaves it is taken before the target is freed.
 */
static void resend_locked(struct ontb_x86 *x86, unsigned int cpu) ONTB_MUST_HOLD(x86->slots.lock)
{
	const struct ontb_slot *to;

	for (unsigned int v = ONTB_VECTOR_FIRST; v <= ONTB_VECTOR_LAST; v++) {
		if (!is_pending(x86, cpu, v))
			continue;
		to = ontb_slots_forward_locked(&x86->slots, cpu, v);
		if (to) {
			ontb_x86_ipi(x86, to->cpu, to->vector);
			atomic_fetch_add_explicit(&x86->nr_resent, 1, memory_order_relaxed);
		} else {
			atomic_fetch_add_explicit(&x86->slots.cpus[cpu].nr_late, 1, memory_order_relaxed);
		}
	}
}

/* Let the drains that wait for a stopped CPU go on to the others. */
static void move_drains(struct ontb_x86 *x86, unsigned int cpu)
{
	bool again = false;
	struct ontb_irq_drain *drain, *next;

	ontb_rcu_read_lock();
	ontb_lock(&x86->slots.lock);
	drain = ontb_slots_drained_locked(&x86->slots, cpu, true, &again);
	ontb_unlock(&x86->slots.lock);
	for (; drain; drain = next) {
		next = drain->next;
		ontb_x86_drain(x86, drain);
	}
	ontb_rcu_read_unlock();
}

static void stop_cpu(struct ontb_x86 *x86, unsigned int cpu)
{
	x86->machine->ops->cpu_stop(x86->machine, cpu);
	ontb_lock(&x86->slots.lock);
	ontb_slots_stopped_locked(&x86->slots, cpu);
	resend_locked(x86, cpu);
	ontb_unlock(&x86->slots.lock);
}

/* Free what waits for a CPU that does not run any more. */
static void clean_up_for(struct ontb_x86 *x86, unsigned int cpu)
{
	uint64_t vectors[4];

	ontb_slots_waiting(&x86->slots, cpu, vectors);
	ontb_slots_clean(&x86->slots, cpu, vectors);
	move_drains(x86, cpu);
}

int ontb_x86_start_cpus(struct ontb_x86 *x86)
{
	struct ontb_machine *machine = x86->machine;
	unsigned int cpu;
	int ret = 0;

	machine->ops->set_entry(machine, entry, x86);
	for (cpu = 0; cpu < machine->nr_cpus && !ret; cpu++)
		ret = start_cpu(x86, cpu);
	if (!ret)
		return 0;
	/* The one that failed is cpu - 1. */
	while (--cpu > 0)
		machine->ops->cpu_stop(machine, cpu - 1);
	return ret;
}

void ontb_x86_stop_cpus(struct ontb_x86 *x86)
{
	for (unsigned int cpu = 0; cpu < x86->machine->nr_cpus; cpu++) {
		if (!x86->slots.cpus[cpu].is_running)
			continue;
		stop_cpu(x86, cpu);
		clean_up_for(x86, cpu);
	}
}

int ontb_x86_cpu_online(struct ontb_x86 *x86, unsigned int cpu)
{
	int ret = -EBUSY;

	if (cpu >= x86->machine->nr_cpus)
		return -ERANGE;
	ontb_lock(&x86->cpus_lock);
	if (!x86->slots.cpus[cpu].is_running)
		ret = start_cpu(x86, cpu);
	if (!ret)
		ret = ontb_irq_cpu_set_online(x86->irqs, cpu, true);
	ontb_unlock(&x86->cpus_lock);
	return ret;
}

static int offline_locked(struct ontb_x86 *x86, unsigned int cpu, uint64_t timeout_ns) ONTB_MUST_HOLD(x86->cpus_lock)
{
	int ret;

	if (!x86->slots.cpus[cpu].is_running)
		return -EINVAL;
	ret = ontb_irq_cpu_set_online(x86->irqs, cpu, false);
	if (ret)
		return ret;
	ret = ontb_slots_close(&x86->slots, cpu);
	if (ret)
		goto set_online;
	ret = ontb_irq_cpu_evacuate(x86->irqs, cpu, timeout_ns);
	if (ret)
		goto open;
	stop_cpu(x86, cpu);
	clean_up_for(x86, cpu);
	return 0;

open:
	ontb_slots_open(&x86->slots, cpu);
set_online:
	(void)ontb_irq_cpu_set_online(x86->irqs, cpu, true); /* putting one on line cannot fail */
	return ret;
}

int ontb_x86_cpu_offline(struct ontb_x86 *x86, unsigned int cpu, uint64_t timeout_ns)
{
	int ret;

	if (cpu >= x86->machine->nr_cpus)
		return -ERANGE;
	ontb_lock(&x86->cpus_lock);
	ret = offline_locked(x86, cpu, timeout_ns);
	ontb_unlock(&x86->cpus_lock);
	return ret;
}
