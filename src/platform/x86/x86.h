/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The root of an x86 host, inside.
 */
#ifndef ONTB_PLATFORM_X86_X86_H
#define ONTB_PLATFORM_X86_X86_H

#include <openntb/machine.h>
#include <openntb/platform_x86.h>

#include "base/annotate.h"
#include "base/log.h"
#include "platform/x86/slots.h"

struct ontb_iommu;
struct ontb_remap;
struct ontb_iommu_faults;

/**
 * struct ontb_x86 - the root of a host
 * @machine:         Machine. Constant.
 * @irqs:            Interrupt system. Constant.
 * @slots:           Vectors of all CPUs.
 * @vectors:         Vector domain. Constant.
 * @iommu:           VT-d unit, NULL without remapping. Constant.
 * @remap:           Remapping domain, NULL without. Constant.
 * @faults:          Faults of the unit, NULL without. Constant.
 * @cpus_lock:       The lock of CPU changes. Outermost.
 * @nr_resent:       Interrupts raised again. Atomic.
 * @limit_spurious:  Of log lines about vectors that nobody has.
 * @limit_reserve:   Of log lines about vectors that have run out.
 */
struct ontb_x86 {
	struct ontb_machine *machine;
	struct ontb_irq_system *irqs;
	struct ontb_slots slots;
	struct ontb_irq_domain *vectors;
	struct ontb_iommu *iommu;
	struct ontb_remap *remap;
	struct ontb_iommu_faults *faults;
	struct ontb_lock cpus_lock;
	_Atomic uint64_t nr_resent;
	struct ontb_ratelimit limit_spurious;
	struct ontb_ratelimit limit_reserve;
};

#endif
