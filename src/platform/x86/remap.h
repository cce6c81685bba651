/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The remapping domain: messages name an entry of a table, and the table names CPU and vector. So a message stays what it
 * is when its interrupt moves, and the unit knows who may send it.
 */
#ifndef ONTB_PLATFORM_X86_REMAP_H
#define ONTB_PLATFORM_X86_REMAP_H

#include <openntb/irq.h>

#include "base/annotate.h"

struct ontb_remap;
struct ontb_iommu;
struct ontb_x86;

/**
 * ontb_remap_new() - make the remapping domain
 * @x86: Root with its vector domain and unit.
 * @out: OUT.
 *
 * Context: Any thread. Takes the allocation lock.
 * Return: 0 or -ENOMEM.
 */
int ontb_remap_new(struct ontb_x86 *x86, struct ontb_remap **out) ONTB_MUST_CHECK;

/**
 * ontb_remap_free() - remove it
 * @remap: Remapping or NULL.
 *
 * Context: Not a handler. Waits for RCU.
 * Return: 0, or -EBUSY (it has interrupts or child domains; nothing changed).
 */
int ontb_remap_free(struct ontb_remap *remap);

/**
 * ontb_remap_domain() - the domain
 * @remap: Remapping.
 *
 * Return: Domain.
 */
struct ontb_irq_domain *ontb_remap_domain(const struct ontb_remap *remap);

/**
 * ontb_remap_nr_reserved() - entries reserved for devices
 * @remap: Remapping.
 *
 * Context: Any thread. Takes the block lock.
 * Return: How many.
 */
unsigned int ontb_remap_nr_reserved(struct ontb_remap *remap);

#endif
