/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A machine of src/hw/x86 alone (local APICs, CPUs, VT-d unit, memory), the software of src/platform/x86 on it, and devices
 * that send messages.
 */
#ifndef ONTB_TESTS_X86_RIG_H
#define ONTB_TESTS_X86_RIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/machine.h>
#include <openntb/msi.h>
#include <openntb/pages.h>
#include <openntb/platform_x86.h>
#include <openntb/worker.h>

#include "hw/x86/cpu.h"
#include "hw/x86/lapic.h"
#include "hw/x86/vtd.h"

#define RIG_RAM_BASE   0x100000ULL
#define RIG_RAM_SIZE   (4ULL << 20)
#define RIG_IOMMU_BASE 0xfed90000ULL

/* Registers of the unit. */
#define RIG_GCMD 0x18
#define RIG_IQT	 0x88
#define RIG_IRTA 0xb8

/**
 * struct rig_config - what to build
 * @nr_cpus:    CPUs.
 * @is_stepped: rig_step() runs them.
 * @seed:       Of the order of steps.
 * @has_vtd:    Whether the machine has a VT-d unit, which is then used.
 * @nr_entries: Of its table, 0 for the largest.
 */
struct rig_config {
	unsigned int nr_cpus;
	bool is_stepped;
	uint64_t seed;
	bool has_vtd;
	unsigned int nr_entries;
};

/**
 * struct rig - a machine with its software
 * @machine: Machine.
 * @bus:     Local APICs.
 * @cpus:    CPUs.
 * @vtd:     VT-d unit or NULL.
 * @mute:    Stores to this register of the unit are lost; 0 for none. Atomic.
 * @pages:   Memory.
 * @workers: Workers of the software.
 * @irqs:    Interrupts.
 * @x86:     Their root.
 * @random:  State of the order of steps.
 */
struct rig {
	struct ontb_machine machine;
	struct ontb_apic_bus bus;
	struct ontb_cpu *cpus;
	struct ontb_vtd *vtd;
	_Atomic uint64_t mute;
	struct ontb_pages *pages;
	struct ontb_worker_pool *workers;
	struct ontb_irq_system *irqs;
	struct ontb_x86 *x86;
	uint64_t random;
};

/* Build the hardware only; then the software on it; take away; each fails the test if it cannot. */
struct rig *rig_new_machine(const struct rig_config *config);
void rig_free_machine(struct rig *rig);
struct rig *rig_new(const struct rig_config *config);
void rig_free(struct rig *rig);

/* What the software says of itself. */
struct ontb_x86_status rig_status(struct rig *rig);

/* A device stores a message. */
void rig_send(struct rig *rig, uint16_t rid, const struct ontb_msi_msg *msg);

/* Stepped: let a CPU take an interrupt, or a worker run, whichever comes by chance. Return: false if nobody has anything. */
bool rig_step(struct rig *rig);
void rig_run(struct rig *rig);

/* Wait (or step) until a count has a value; fails the test after some seconds. */
void rig_wait(struct rig *rig, const _Atomic uint64_t *count, uint64_t value);

/* Line of the log that was written last; rig_log_start() collects lines from now on. */
void rig_log_start(void);
bool rig_log_has(const char *text);
void rig_log_end(void);

struct rig_dev;

/**
 * struct rig_irq - an interrupt of a device
 * @dev:     Device.
 * @index:   Index.
 * @virq:    Number.
 * @msg:     Message that the device has, as of its last write. Under @dev's lock.
 * @nr_msgs: How often a message was written. Under @dev's lock.
 * @count:   How often its handler ran. Atomic.
 * @cpu:     CPU on which it ran last. Atomic.
 */
struct rig_irq {
	struct rig_dev *dev;
	unsigned int index;
	unsigned int virq;
	struct ontb_msi_msg msg;
	unsigned int nr_msgs;
	_Atomic uint64_t count;
	_Atomic unsigned int cpu;
};

/**
 * struct rig_dev - a device with messages in one slot
 * @rig:      Its machine.
 * @rid:      Requester id that its messages carry.
 * @msi:      Its MSI data.
 * @is_lazy:  Messages have holders: a change of one is confirmed by rig_irq_confirm().
 * @lock:     Protects messages.
 * @nr:       Interrupts.
 * @irqs:     Interrupts by index.
 */
struct rig_dev {
	struct rig *rig;
	uint16_t rid;
	struct ontb_msi_dev *msi;
	bool is_lazy;
	pthread_mutex_t lock;
	unsigned int nr;
	struct rig_irq *irqs;
};

/**
 * struct rig_dev_config - a device
 * @rids:     Requester ids; messages carry the first one.
 * @nr_rids:  How many.
 * @nr:       Indices.
 * @token:    Kind.
 * @features: What it cannot do without.
 * @is_lazy:  See struct rig_dev.
 */
struct rig_dev_config {
	const uint16_t *rids;
	unsigned int nr_rids;
	unsigned int nr;
	enum ontb_bus_token token;
	unsigned int features;
	bool is_lazy;
};

/* Make a device without interrupts. Return: what making its domain said; @out then NULL. */
int rig_dev_try(struct rig *rig, const struct rig_dev_config *config, struct rig_dev **out);
struct rig_dev *rig_dev_new(struct rig *rig, uint16_t rid, unsigned int nr);
struct rig_dev *rig_dev_lazy(struct rig *rig, uint16_t rid, unsigned int nr);
void rig_dev_free(struct rig_dev *dev);

/* Free the handlers of a device, and the device. */
void rig_dev_stop(struct rig_dev *dev);

/* Allocate the interrupts [first, first + count), or the first @count with messages in a row; request one; both for some. */
int rig_dev_alloc(struct rig_dev *dev, unsigned int first, unsigned int count);
int rig_dev_contiguous(struct rig_dev *dev, unsigned int count);
int rig_irq_request(struct rig_irq *irq);
void rig_irq_free(struct rig_irq *irq);
void rig_dev_start(struct rig_dev *dev, unsigned int first, unsigned int count);

/* The message that the device has now; send it; move the interrupt; confirm the last message. */
struct ontb_msi_msg rig_irq_msg(struct rig_irq *irq);
void rig_irq_fire(struct rig_irq *irq);
int rig_irq_move(struct rig_irq *irq, unsigned int cpu);
void rig_irq_confirm(struct rig_irq *irq);

/* Its handler ran @count times. */
void rig_assert_count(const struct rig_irq *irq, uint64_t count);

#endif
