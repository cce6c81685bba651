/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * An owner and a holder on bridges made of memory, for more interrupts than the CPU vectors of a host.
 *
 * The owner's root hands out as many numbers as wanted; all above it is the real thing: domains, descriptors, the NTB domain, the
 * protocol on both sides. A bridge has 65,536 interrupts, so a million take 16. Everything runs in the calling thread.
 */
#ifndef ONTB_BENCH_IRQ_LOOP_H
#define ONTB_BENCH_IRQ_LOOP_H

#include <openntb/ntb_irq.h>

#define LOOP_PER_BRIDGE 65536U

struct loop;

/**
 * loop_open() - make owner, holder and bridges
 * @nr:  Interrupts that there is room for.
 * @nr_bridges: Bridges at least.
 * @out: OUT.
 *
 * Return: 0 or a negative errno value.
 */
int loop_open(unsigned int nr, unsigned int nr_bridges, struct loop **out);

/**
 * loop_close() - undo it
 * @loop: Or NULL.
 */
void loop_close(struct loop *loop);

/**
 * loop_alloc() - allocate and activate interrupts
 * @loop:  Loop.
 * @first: First one.
 * @nr:    How many.
 *
 * Return: 0 or a negative errno value.
 */
int loop_alloc(struct loop *loop, unsigned int first, unsigned int nr);

/**
 * loop_grant() - grant interrupts, and let the holder confirm
 * @loop:  Loop.
 * @first: First one.
 * @nr:    How many.
 *
 * Return: 0 or a negative errno value.
 */
int loop_grant(struct loop *loop, unsigned int first, unsigned int nr);

/**
 * loop_free() - free interrupts, and let the holder confirm if it has them
 * @loop:  Loop.
 * @first: First one.
 * @nr:    How many.
 *
 * Return: 0 or a negative errno value.
 */
int loop_free(struct loop *loop, unsigned int first, unsigned int nr);

/**
 * loop_request() - install a handler
 * @loop:    Loop.
 * @nth:     Interrupt, allocated.
 * @handler: Handler.
 * @dev:     For it.
 *
 * Return: 0 or a negative errno value.
 */
int loop_request(struct loop *loop, unsigned int nth, ontb_irq_handler *handler, void *dev);

/**
 * loop_release() - undo loop_request()
 * @loop: Loop.
 * @nth:  Interrupt.
 * @dev:  As given.
 */
void loop_release(struct loop *loop, unsigned int nth, void *dev);

/**
 * loop_hwirq() - number of an interrupt at the owner's root
 * @loop: Loop.
 * @nth:  Interrupt, allocated.
 *
 * Return: Number.
 */
uint64_t loop_hwirq(struct loop *loop, unsigned int nth);

/**
 * loop_root() - the owner's root
 * @loop: Loop.
 *
 * Return: Domain.
 */
struct ontb_irq_domain *loop_root(struct loop *loop);

/**
 * loop_trigger() - let the holder raise an interrupt; its handler has run on return
 * @loop: Loop.
 * @nth:  Interrupt, granted.
 *
 * Return: As ontb_ntb_irq_trigger().
 */
int loop_trigger(struct loop *loop, unsigned int nth);

/**
 * loop_held_bytes() - what the holder's tables take
 * @nr: Interrupts.
 *
 * Return: Bytes.
 */
size_t loop_held_bytes(unsigned int nr);

#endif
