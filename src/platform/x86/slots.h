/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Vectors of all CPUs: who has which, and when one may be given to somebody else.
 *
 *      FREE --take--> TAKEN --retire--> WAITING --clean--> FREE
 *
 * A slot is a vector of one CPU. One that is TAKEN is an interrupt's live target, or its old one, which messages may still
 * name; WAITING is one that no message names any more, but whose last message may lie in the CPU's local APIC: the CPU itself
 * frees it, in a clean-up interrupt that has a lower priority than all devices'. A CPU finds the interrupt of a vector in a
 * table that it reads without a lock.
 */
#ifndef ONTB_PLATFORM_X86_SLOTS_H
#define ONTB_PLATFORM_X86_SLOTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/platform_x86.h>

#include "base/annotate.h"

/*
 * Vectors. Priority grows with the number (Intel SDM volume 3, "Task and Processor Priorities"); 0..31 are exceptions.
 */
#define ONTB_VECTOR_CLEANUP  0x20U /* below all devices: what is pending for them is taken first */
#define ONTB_VECTOR_FIRST    0x30U
#define ONTB_VECTOR_LAST     (ONTB_VECTOR_FIRST + ONTB_X86_NR_VECTORS - 1)
#define ONTB_VECTOR_SPURIOUS 0xffU

enum ontb_slot_state {
	ONTB_SLOT_FREE,
	ONTB_SLOT_TAKEN,
	ONTB_SLOT_WAITING,
	ONTB_SLOT_LOST, /* hardware that has failed may raise it at any time: nobody gets it any more */
};

/**
 * struct ontb_slot - a vector of a CPU
 * @owner:  Interrupt, NULL if it is free or its interrupt was deactivated. Under the vector lock.
 * @next:   Next in the owner's list of slots that wait for clean-up. Under the vector lock.
 * @cpu:    CPU. Constant.
 * @vector: Vector. Constant.
 * @state:  State. Under the vector lock.
 */
struct ontb_slot {
	struct ontb_slot_owner *owner;
	struct ontb_slot *next;
	uint16_t cpu;
	uint8_t vector;
	uint8_t state;
};

/**
 * struct ontb_slot_owner - an interrupt that has slots
 * @desc:    Interrupt. Constant while it has slots.
 * @live:    Target, NULL while the interrupt is inactive. Under the vector lock.
 * @old:     Former target, NULL if no move is under way. Under the vector lock.
 * @waiting: Slots that wait for clean-up. Under the vector lock.
 */
struct ontb_slot_owner {
	struct ontb_irq_desc *desc;
	struct ontb_slot *live;
	struct ontb_slot *old;
	struct ontb_slot *waiting;
};

/**
 * struct ontb_slot_cpu - vectors of one CPU
 * @descs:      Interrupts by vector, NULL where there is none; read under RCU, written under the vector lock.
 * @slots:      Their slots.
 * @waiting:    Bit n % 64 of word n / 64: vector n waits for clean-up. Under the vector lock.
 * @nr_used:    Slots that are not free. Under the vector lock.
 * @nr_waiting: Slots that wait for clean-up. Under the vector lock.
 * @last:       Vector taken last. Under the vector lock.
 * @is_open:    Slots may be taken. Under the vector lock.
 * @is_running: The CPU takes interrupts. Under the vector lock.
 * @drains:     Drains that wait for the CPU. Under the vector lock.
 * @nr_late:    Messages for deactivated interrupts. Atomic, written by the CPU.
 */
struct ontb_slot_cpu {
	struct ontb_irq_desc *descs[256];
	struct ontb_slot slots[256];
	uint64_t waiting[4];
	unsigned int nr_used;
	unsigned int nr_waiting;
	unsigned int last;
	bool is_open;
	bool is_running;
	struct ontb_irq_drain *drains;
	_Atomic uint64_t nr_late;
};

/**
 * struct ontb_slots - vectors of all CPUs
 * @lock:        The vector lock. A leaf.
 * @cleaned:     Signalled when slots become free.
 * @nr_cpus:     CPUs. Constant.
 * @nr_open:     CPUs that are open. Under the vector lock.
 * @nr_reserved: Slots reserved. Under the vector lock.
 * @nr_cleaned:  Slots cleaned up so far. Under the vector lock.
 * @nr_stops:    CPUs stopped so far. Under the vector lock.
 * @cpus:        CPUs. Constant.
 */
struct ontb_slots {
	struct ontb_lock lock;
	pthread_cond_t cleaned;
	unsigned int nr_cpus;
	unsigned int nr_open;
	unsigned int nr_reserved;
	uint64_t nr_cleaned;
	uint64_t nr_stops;
	struct ontb_slot_cpu *cpus;
};

/* What a table has where an interrupt was deactivated and the slot waits for clean-up. */
extern struct ontb_irq_desc *const ontb_slot_retired;

/**
 * ontb_slots_init() - all CPUs closed and stopped, all slots free
 * @slots:   OUT, unchanged on failure.
 * @nr_cpus: CPUs.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_slots_init(struct ontb_slots *slots, unsigned int nr_cpus) ONTB_MUST_CHECK;

/**
 * ontb_slots_fini() - free
 * @slots: Vectors that no CPU uses.
 */
void ontb_slots_fini(struct ontb_slots *slots);

/**
 * ontb_slots_reserve() - make sure that as many slots exist
 * @slots: Vectors.
 * @nr:    How many more.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: 0, or -ENOSPC.
 */
int ontb_slots_reserve(struct ontb_slots *slots, unsigned int nr) ONTB_MUST_CHECK;

/**
 * ontb_slots_unreserve() - undo ontb_slots_reserve()
 * @slots: Vectors.
 * @nr:    How many.
 *
 * Context: Any thread. Takes the vector lock.
 */
void ontb_slots_unreserve(struct ontb_slots *slots, unsigned int nr);

/**
 * ontb_slots_open() - let slots of a CPU be taken
 * @slots: Vectors.
 * @cpu:   CPU that is closed.
 *
 * Context: Any thread. Takes the vector lock.
 */
void ontb_slots_open(struct ontb_slots *slots, unsigned int cpu);

/**
 * ontb_slots_close() - let no more slots of a CPU be taken
 * @slots: Vectors.
 * @cpu:   CPU that is open.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: 0, or
 *         -ENOSPC  the others have not enough for what is reserved; it stays open.
 */
int ontb_slots_close(struct ontb_slots *slots, unsigned int cpu) ONTB_MUST_CHECK;

/**
 * ontb_slots_take() - choose a target for an interrupt and enter it in the table
 * @slots:   Vectors.
 * @owner:   Interrupt; its live target, if any, becomes the old one.
 * @allowed: CPUs; the one with the fewest slots taken is chosen, the first of several.
 * @wait_ns: How long to wait for a clean-up if that would make room.
 * @cpu:     OUT, chosen CPU.
 *
 * Context: Any thread. Takes the vector lock; may block for @wait_ns.
 * Return: 0, or
 *         -EINVAL  no CPU of @allowed is open.
 *         -EBUSY   it has an old target already.
 *         -ENOSPC  all slots there are taken.
 */
int ontb_slots_take(struct ontb_slots *slots, struct ontb_slot_owner *owner, const struct ontb_cpumask *allowed,
		    uint64_t wait_ns, unsigned int *cpu) ONTB_MUST_CHECK;

/**
 * ontb_slots_is_within() - whether an interrupt's target is in a set of CPUs, and open
 * @slots:   Vectors.
 * @owner:   Interrupt with a live target.
 * @allowed: CPUs.
 *
 * Context: Any thread. Takes the vector lock.
 */
bool ontb_slots_is_within(struct ontb_slots *slots, const struct ontb_slot_owner *owner,
			  const struct ontb_cpumask *allowed);

/**
 * ontb_slots_retire_old() - no message names an interrupt's old target any more
 * @slots: Vectors.
 * @owner: Interrupt.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: CPU that has to clean up, or ONTB_MAX_CPUS if there is none.
 */
unsigned int ontb_slots_retire_old(struct ontb_slots *slots, struct ontb_slot_owner *owner) ONTB_MUST_CHECK;

/**
 * ontb_slots_retire_all() - an interrupt was deactivated
 * @slots: Vectors.
 * @owner: Interrupt; has no slots afterwards.
 *
 * Context: Any thread. Takes the vector lock. The descriptor may still be in use inside ontb_irq_cpu_enter().
 * Return: CPUs that have to clean up.
 */
struct ontb_cpumask ontb_slots_retire_all(struct ontb_slots *slots, struct ontb_slot_owner *owner) ONTB_MUST_CHECK;

/**
 * ontb_slots_lose() - give an interrupt's targets to nobody, ever
 * @slots: Vectors.
 * @owner: Interrupt; has no live and no old target afterwards.
 *
 * Context: Any thread. Takes the vector lock.
 */
void ontb_slots_lose(struct ontb_slots *slots, struct ontb_slot_owner *owner);

/**
 * ontb_slots_target() - where an interrupt goes
 * @slots:  Vectors.
 * @owner:  Interrupt.
 * @cpu:    OUT.
 * @vector: OUT.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: 0, or -EINVAL (it is inactive).
 */
int ontb_slots_target(struct ontb_slots *slots, const struct ontb_slot_owner *owner, unsigned int *cpu,
		      unsigned int *vector) ONTB_MUST_CHECK;

/**
 * ontb_slots_pending_cpus() - where messages of an interrupt may be pending
 * @slots: Vectors.
 * @owner: Interrupt.
 * @drain: CPUs of its targets, present and former, are added.
 *
 * Context: Any thread. Takes the vector lock.
 */
void ontb_slots_pending_cpus(struct ontb_slots *slots, const struct ontb_slot_owner *owner,
			     struct ontb_irq_drain *drain);

/**
 * ontb_slots_drain() - let a drain wait for the next of its CPUs
 * @slots: Vectors.
 * @drain: Drain that is in no list; if a CPU has stopped meanwhile, it waits for all that run.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: CPU that has to clean up, or ONTB_MAX_CPUS if there is none left: then it is done.
 */
unsigned int ontb_slots_drain(struct ontb_slots *slots, struct ontb_irq_drain *drain) ONTB_MUST_CHECK;

/**
 * ontb_slots_drained_locked() - take the drains for which a CPU has done enough
 * @slots: Vectors.
 * @cpu:   CPU.
 * @is_idle: Nothing is pending there for devices; looked up with the lock held, so after the drains that are here came.
 * @again: OUT, true if some have to wait for another round; unchanged otherwise.
 *
 * A drain that came after the CPU had gone for this clean-up interrupt may wait for a message that the CPU has not taken yet. So
 * unless nothing is pending, a drain is taken in the second round that sees it: between the two, all that was pending in the
 * first one is taken, because it has a higher priority.
 *
 * Context: On @cpu, or while it is stopped.
 * Return: List of drains, linked by their next, NULL if there is none.
 */
struct ontb_irq_drain *ontb_slots_drained_locked(struct ontb_slots *slots, unsigned int cpu, bool is_idle, bool *again)
	ONTB_MUST_HOLD(slots->lock) ONTB_MUST_CHECK;

/**
 * ontb_slots_drain_cancel() - take a drain out of the list it is in
 * @slots: Vectors.
 * @drain: Drain.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: 0 (it was in a list), -ENOENT (it is done, or about to call done()), or -EAGAIN (a CPU is about to go on with it).
 */
int ontb_slots_drain_cancel(struct ontb_slots *slots, struct ontb_irq_drain *drain) ONTB_MUST_CHECK;

/**
 * ontb_slots_waiting() - which vectors of a CPU wait for clean-up
 * @slots:   Vectors.
 * @cpu:     CPU.
 * @vectors: OUT, bit n % 64 of word n / 64 is vector n.
 *
 * Context: Any thread. Takes the vector lock.
 */
void ontb_slots_waiting(struct ontb_slots *slots, unsigned int cpu, uint64_t vectors[4]);

/**
 * ontb_slots_clean() - free slots
 * @slots:   Vectors.
 * @cpu:     CPU.
 * @vectors: Vectors that wait for clean-up and are not pending in the CPU's local APIC.
 *
 * Context: On @cpu, or while it is stopped. Takes the vector lock.
 */
void ontb_slots_clean(struct ontb_slots *slots, unsigned int cpu, const uint64_t vectors[4]);

/**
 * ontb_slots_started() - a CPU takes interrupts now
 * @slots: Vectors.
 * @cpu:   CPU.
 *
 * Context: Any thread. Takes the vector lock.
 */
void ontb_slots_started(struct ontb_slots *slots, unsigned int cpu);

/**
 * ontb_slots_stopped_locked() - a CPU takes no interrupts any more; its slots need no clean-up by it
 * @slots: Vectors.
 * @cpu:   CPU.
 *
 * What was pending there is raised elsewhere before the lock is released.
 */
void ontb_slots_stopped_locked(struct ontb_slots *slots, unsigned int cpu) ONTB_MUST_HOLD(slots->lock);

/**
 * ontb_slots_forward_locked() - where what is pending for a vector of a stopped CPU has to go
 * @slots:  Vectors.
 * @cpu:    Stopped CPU.
 * @vector: Vector.
 *
 * Return: Live target of its interrupt, or NULL if it has none on a CPU that runs.
 */
const struct ontb_slot *ontb_slots_forward_locked(const struct ontb_slots *slots, unsigned int cpu, unsigned int vector)
	ONTB_MUST_HOLD(slots->lock);

#endif
