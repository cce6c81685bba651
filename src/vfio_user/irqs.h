/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * MSI-X vectors of one client: the eventfds through which they are signalled.
 *
 * A vector is armed when it has an eventfd and is not masked. A signal for a vector that is not armed is latched and
 * delivered when it is armed again, because QEMU disables all vectors for a moment whenever the guest enables one more.
 * Several latched signals are one, as the pending bit of the MSI-X table is (PCIe 5.0, 6.1.4.5 "Per-vector Masking and
 * Function Masking").
 */
#ifndef ONTB_VFIO_USER_IRQS_H
#define ONTB_VFIO_USER_IRQS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/annotate.h"
#include "vfio_user/wire.h"

/**
 * struct ontb_irq_vector - one vector; under the lock of the table
 * @fd:         eventfd or -1.
 * @is_masked:  .
 * @is_latched: A signal is held back.
 */
struct ontb_irq_vector {
	int fd;
	bool is_masked;
	bool is_latched;
};

/**
 * struct ontb_irqs - the table
 * @lock:       Leaf lock.
 * @nr_vectors: Constant.
 * @vectors:    Constant pointer.
 * @nr_armed:   Vectors with an eventfd; written under the lock.
 */
struct ontb_irqs {
	struct ontb_lock lock;
	uint32_t nr_vectors;
	struct ontb_irq_vector *vectors;
	_Atomic unsigned int nr_armed;
};

/**
 * ontb_irqs_init() - a table without eventfds
 * @irqs:       Memory of the caller.
 * @nr_vectors: 1..2048.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_irqs_init(struct ontb_irqs *irqs, uint32_t nr_vectors) ONTB_MUST_CHECK;

/**
 * ontb_irqs_fini() - close all eventfds and free the table
 * @irqs: Table, or all zero.
 */
void ontb_irqs_fini(struct ontb_irqs *irqs);

/**
 * ontb_irqs_set() - do what a SET_IRQS request says
 * @irqs:   Table.
 * @set:    Decoded request.
 * @fds:    Its descriptors; those kept are replaced by -1.
 * @nr_fds: How many.
 * @why:    OUT, constant text, written on failure.
 *
 * Rules of Linux 6.12's vfio_pci_intrs.c and of QEMU 11.1's hw/vfio-user/device.c:
 * TRIGGER with no data and count 0 takes all eventfds away; TRIGGER with eventfds sets as many as there are descriptors,
 * or, if there are none, takes them away from the range; TRIGGER with no data or with bytes signals; MASK and UNMASK with
 * no data or with bytes. Only MSI-X has vectors; for the other kinds only taking away succeeds.
 *
 * Context: Any thread. Takes the lock.
 * Return: 0, or -EINVAL; then nothing changed.
 */
int ontb_irqs_set(struct ontb_irqs *irqs, const struct ontb_wire_irq_set *set, int *fds, unsigned int nr_fds,
		  const char **why) ONTB_MUST_CHECK;

/**
 * ontb_irqs_raise() - signal a vector
 * @irqs:   Table.
 * @vector: Vector; nothing happens if there is no such.
 *
 * Context: Any thread. Takes the lock. Never blocks: eventfds are made non-blocking when they are taken.
 */
void ontb_irqs_raise(struct ontb_irqs *irqs, unsigned int vector);

/**
 * ontb_irqs_clear() - forget latched signals
 * @irqs: Table.
 *
 * Context: Any thread. Takes the lock.
 */
void ontb_irqs_clear(struct ontb_irqs *irqs);

/**
 * ontb_irqs_is_pending() - whether a signal is held back
 * @irqs:   Table.
 * @vector: Vector.
 *
 * Context: Any thread. Takes the lock.
 * Return: True if so; false if there is no such vector.
 */
bool ontb_irqs_is_pending(struct ontb_irqs *irqs, unsigned int vector);

#endif
