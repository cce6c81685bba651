/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The vector domain: interrupts that go to a vector of a CPU.
 */
#ifndef ONTB_PLATFORM_X86_VECTOR_H
#define ONTB_PLATFORM_X86_VECTOR_H

#include <openntb/msi.h>

#include "base/annotate.h"

struct ontb_x86;

/**
 * ontb_vector_domain_new() - make the vector domain
 * @x86: Root; its vectors are there.
 * @out: OUT.
 *
 * Context: Any thread. Takes the allocation lock.
 * Return: 0 or -ENOMEM.
 */
int ontb_vector_domain_new(struct ontb_x86 *x86, struct ontb_irq_domain **out) ONTB_MUST_CHECK;

/**
 * ontb_vector_target() - for the remapping domain: where an interrupt goes
 * @data:   Data of an active interrupt in the vector domain.
 * @cpu:    OUT.
 * @vector: OUT.
 *
 * Context: From a callback for the interrupt. Takes the vector lock.
 * Return: 0, or -EINVAL (it is inactive).
 */
int ontb_vector_target(const struct ontb_irq_data *data, unsigned int *cpu, unsigned int *vector) ONTB_MUST_CHECK;

/**
 * ontb_vector_lose() - for the remapping domain: a unit that has failed may raise an interrupt's vectors at any time
 * @data: Data of an active interrupt in the vector domain, which is about to be deactivated.
 *
 * Context: From a callback for the interrupt. Takes the vector lock.
 */
void ontb_vector_lose(const struct ontb_irq_data *data);

#endif
