/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * CPUs: where they go with an interrupt, and how they come and go.
 */
#ifndef ONTB_PLATFORM_X86_CPU_H
#define ONTB_PLATFORM_X86_CPU_H

#include "base/annotate.h"

struct ontb_irq_drain;
struct ontb_x86;

/**
 * ontb_x86_eoi() - end of interrupt
 * @x86: Root.
 * @cpu: CPU.
 *
 * Context: On @cpu.
 */
void ontb_x86_eoi(struct ontb_x86 *x86, unsigned int cpu);

/**
 * ontb_x86_ipi() - raise a vector
 * @x86:    Root.
 * @cpu:    CPU that gets it.
 * @vector: Vector.
 *
 * Context: Any thread.
 */
void ontb_x86_ipi(struct ontb_x86 *x86, unsigned int cpu, unsigned int vector);

/**
 * ontb_x86_start_cpus() - start all CPUs
 * @x86: Root; all CPUs are stopped.
 *
 * Context: Any thread.
 * Return: 0, or what starting a CPU said; then all are stopped.
 */
int ontb_x86_start_cpus(struct ontb_x86 *x86) ONTB_MUST_CHECK;

/**
 * ontb_x86_stop_cpus() - stop all CPUs
 * @x86: Root without active interrupts.
 *
 * Context: Not a handler.
 */
void ontb_x86_stop_cpus(struct ontb_x86 *x86);

/**
 * ontb_x86_drain() - struct ontb_irq_domain_ops.drain of the vector domain
 * @x86:   Root.
 * @drain: Drain that is in no list.
 *
 * Context: Any thread, no lock held; also a clean-up interrupt.
 */
void ontb_x86_drain(struct ontb_x86 *x86, struct ontb_irq_drain *drain);

/**
 * ontb_x86_drain_cancel() - struct ontb_irq_domain_ops.drain_cancel of the vector domain
 * @x86:   Root.
 * @drain: Drain.
 *
 * Context: Not a handler. Waits for handlers that run.
 */
void ontb_x86_drain_cancel(struct ontb_x86 *x86, struct ontb_irq_drain *drain);

#endif
