/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A host for tests of PCI interrupts: the machine made of arrays, an interrupt system, and an MSI parent whose messages say
 * twice where they go, so that half an old and half a new one shows.
 *
 *      address 0xfee00000 | cpu << 12      data cpu << 10 | hwirq
 */
#ifndef ONTB_TESTS_UNIT_PCI_RIG_H
#define ONTB_TESTS_UNIT_PCI_RIG_H

#include <stdatomic.h>

#include <openntb/pci.h>

#include "fake.h"

#define RIG_NR_CPUS   4U
#define RIG_NR_HWIRQS 1024U

/**
 * struct rig - the host
 * @fake:       Machine.
 * @sys:        Interrupts.
 * @root:       MSI parent.
 * @parent:     What it says of itself.
 * @bus:        After rig_scan().
 * @limit:      Hardware numbers it has.
 * @addr:       Where messages lie, ONTB_X86_MSI_BASE at first.
 * @is_used:    Numbers handed out.
 * @cpu:        Where they go.
 * @nr_torn:    Messages that were half one and half another.
 * @nr_unknown: Messages that belong to no interrupt.
 */
struct rig {
	struct fake_machine fake;
	struct ontb_irq_system *sys;
	struct ontb_irq_domain *root;
	struct ontb_msi_parent parent;
	struct ontb_pci_bus *bus;
	unsigned int limit;
	uint64_t addr;
	bool is_used[RIG_NR_HWIRQS];
	_Atomic unsigned int cpu[RIG_NR_HWIRQS];
	unsigned int nr_torn;
	unsigned int nr_unknown;
};

void rig_init(struct rig *rig, bool is_contiguous);
void rig_fini(struct rig *rig);

/* Scan, and enable the function at place @idx with bus mastering. */
struct ontb_pci_dev *rig_scan(struct rig *rig, unsigned int idx);

/* Let all stores arrive and handle all messages; returns how many there were. */
unsigned int rig_pump(struct rig *rig);

/* Hardware numbers handed out. */
unsigned int rig_nr_used(const struct rig *rig);

/* Install a handler that counts into @count. */
int rig_request(struct rig *rig, unsigned int virq, _Atomic unsigned int *count);

/* Install one for each of the first @nr interrupts of a function, counting into @counts; take them away; or fail the test. */
void rig_request_all(struct rig *rig, struct ontb_pci_dev *dev, _Atomic unsigned int *counts, unsigned int nr);
void rig_free_all(struct rig *rig, struct ontb_pci_dev *dev, _Atomic unsigned int *counts, unsigned int nr);

#endif
