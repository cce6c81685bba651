/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * CPUs, as far as interrupts go: a thread that takes what its local APIC has and sleeps when there is nothing, or nothing but
 * a function that somebody calls to take one interrupt (stepped).
 *
 * Interrupts do not nest: the next one is taken when the entry function has returned.
 */
#ifndef ONTB_HW_X86_CPU_H
#define ONTB_HW_X86_CPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openntb/machine.h>

#include "base/annotate.h"
#include "hw/x86/lapic.h"

/**
 * enum ontb_cpu_state - life of a CPU
 * @ONTB_CPU_STOPPED:  Takes nothing.
 * @ONTB_CPU_RUNNING:  Takes interrupts.
 * @ONTB_CPU_STOPPING: Somebody waits until it has left its handler.
 */
enum ontb_cpu_state {
	ONTB_CPU_STOPPED,
	ONTB_CPU_RUNNING,
	ONTB_CPU_STOPPING,
};

/**
 * enum ontb_cpu_gate - who may step a CPU
 * @ONTB_CPU_CLOSED: Nobody: it does not run, or has a thread.
 * @ONTB_CPU_OPEN:   Whoever comes first.
 * @ONTB_CPU_INSIDE: Somebody steps it just now.
 * @ONTB_CPU_AWAITED: Likewise, and closes it when he leaves, because somebody waits to stop it.
 */
enum ontb_cpu_gate {
	ONTB_CPU_CLOSED,
	ONTB_CPU_OPEN,
	ONTB_CPU_INSIDE,
	ONTB_CPU_AWAITED,
};

/**
 * struct ontb_cpu - a CPU
 * @lapic:       Its local APIC. Constant.
 * @is_stepped:  It has no thread. Constant.
 * @nr_spins:    How often its thread looks again before it sleeps. Constant.
 * @entry:       Where it goes with an interrupt. Changes while it is stopped.
 * @arg:         For @entry, likewise.
 * @thread:      Its thread, while it is not stopped and not stepped. Written by start.
 * @should_stop: Its thread takes nothing more.
 * @lock:        Leaf lock of @state and @thread.
 * @changed:     Signalled when @state changes, or @gate is closed by who left.
 * @state:       enum ontb_cpu_state.
 * @gate:        enum ontb_cpu_gate. Opened and awaited under @lock; entered and left without it. Atomic.
 */
struct ontb_cpu {
	struct ontb_lapic *lapic;
	bool is_stepped;
	unsigned int nr_spins;
	ontb_machine_entry *entry;
	void *arg;
	pthread_t thread;
	_Atomic bool should_stop;
	struct ontb_lock lock;
	pthread_cond_t changed;
	enum ontb_cpu_state state;
	_Atomic uint32_t gate;
};

/**
 * ontb_cpu_init() - make a CPU, stopped, without an entry
 * @cpu:        Memory of the caller; it does not move.
 * @lapic:      Its local APIC; lives longer.
 * @is_stepped: It gets no thread: ontb_cpu_step() runs it.
 * @nr_spins:   How often its thread looks again for an interrupt before it sleeps; 0 to sleep at once.
 */
void ontb_cpu_init(struct ontb_cpu *cpu, struct ontb_lapic *lapic, bool is_stepped, unsigned int nr_spins);

/**
 * ontb_cpu_fini() - undo ontb_cpu_init()
 * @cpu: CPU, stopped.
 */
void ontb_cpu_fini(struct ontb_cpu *cpu);

/**
 * ontb_cpu_set_entry() - say where it goes with its interrupts
 * @cpu:   CPU, stopped.
 * @entry: Called with no lock held.
 * @arg:   For @entry.
 */
void ontb_cpu_set_entry(struct ontb_cpu *cpu, ontb_machine_entry *entry, void *arg);

/**
 * ontb_cpu_start() - let it take interrupts
 * @cpu: CPU. Its local APIC is reset first, so its software enables it after this.
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EBUSY   it runs or is just being stopped,
 *         -EINVAL  it has no entry,
 *         what making a thread returned; it is stopped as before.
 */
int ontb_cpu_start(struct ontb_cpu *cpu) ONTB_MUST_CHECK;

/**
 * ontb_cpu_stop() - stop it; on return it is in no handler
 * @cpu: CPU; one that is stopped stays so.
 *
 * What comes until it is started again is lost. What its local APIC had requested can be read until then.
 *
 * Context: Any thread but this CPU's own: waits for its handler to end. Two CPUs that stop each other from their handlers
 *          wait for ever.
 * Return: 0, or
 *         -EDEADLK  called from its own handler; it goes on running, and a log line says so.
 */
int ontb_cpu_stop(struct ontb_cpu *cpu);

/**
 * ontb_cpu_step() - take one interrupt in the caller's thread
 * @cpu: Stepped CPU.
 *
 * Context: Any thread that is not in a handler. The handler runs inside the call, with no lock held.
 * Return: 1 if it took one, 0 if there was none (or it is stopped), or
 *         -EINVAL   it has a thread of its own,
 *         -EBUSY    somebody else steps it just now,
 *         -EDEADLK  called from a handler.
 */
int ontb_cpu_step(struct ontb_cpu *cpu);

/**
 * ontb_cpu_has_work() - whether ontb_cpu_step() would take an interrupt
 * @cpu: CPU.
 *
 * Context: Any thread; a snapshot.
 * Return: Whether it runs and has one.
 */
bool ontb_cpu_has_work(const struct ontb_cpu *cpu);

/**
 * ontb_cpu_current() - the CPU in whose handler the calling thread is
 *
 * Return: CPU, or NULL outside of handlers.
 */
struct ontb_cpu *ontb_cpu_current(void);

#endif
