/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Faults: messages that the VT-d unit blocked, and the interrupt by which it says so.
 */
#ifndef ONTB_PLATFORM_X86_FAULT_H
#define ONTB_PLATFORM_X86_FAULT_H

#include <openntb/platform_x86.h>

#include "base/annotate.h"

struct ontb_iommu_faults;

/**
 * ontb_iommu_faults_new() - look at faults from now on
 * @x86:     Root with its vector domain and unit; CPUs need not run yet.
 * @workers: Where to look at them, NULL for the CPU that takes the interrupt.
 * @out:     OUT.
 *
 * Context: Any thread, not a handler.
 * Return: 0, or -ENOMEM, or what starting a thread said.
 */
int ontb_iommu_faults_new(struct ontb_x86 *x86, struct ontb_worker_pool *workers, struct ontb_iommu_faults **out)
	ONTB_MUST_CHECK;

/**
 * ontb_iommu_faults_free() - look no more
 * @faults: Faults or NULL.
 *
 * Context: Not a handler.
 */
void ontb_iommu_faults_free(struct ontb_iommu_faults *faults);

/**
 * ontb_iommu_faults_poll() - take the faults that are recorded
 * @faults: Faults.
 *
 * Context: Any thread. Takes the fault lock.
 * Return: How many.
 */
unsigned int ontb_iommu_faults_poll(struct ontb_iommu_faults *faults);

/**
 * ontb_iommu_faults_status() - numbers of faults
 * @faults: Faults.
 * @status: Members of faults are set.
 *
 * Context: Any thread. Takes the fault lock.
 */
void ontb_iommu_faults_status(struct ontb_iommu_faults *faults, struct ontb_x86_status *status);

#endif
