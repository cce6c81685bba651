// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * CPUs with threads, and CPUs that are stepped.
 *
 * Stopping is the only thing that waits: for the thread's end, or for the one who steps. Everything else is a flag.
 */
#include "hw/x86/cpu.h"

#include <errno.h>

static _Thread_local struct ontb_cpu *current;

struct ontb_cpu *ontb_cpu_current(void)
{
	return current;
}

void ontb_cpu_init(struct ontb_cpu *cpu, struct ontb_lapic *lapic, bool is_stepped, unsigned int nr_spins)
{
	*cpu = (struct ontb_cpu){ .lapic = lapic, .is_stepped = is_stepped, .nr_spins = nr_spins };
	ontb_lock_init(&cpu->lock);
	(void)pthread_cond_init(&cpu->changed, NULL);
}

void ontb_cpu_fini(struct ontb_cpu *cpu)
{
	(void)pthread_cond_destroy(&cpu->changed);
	ontb_lock_fini(&cpu->lock);
}

void ontb_cpu_set_entry(struct ontb_cpu *cpu, ontb_machine_entry *entry, void *arg)
{
	cpu->entry = entry;
	cpu->arg = arg;
}

static bool take_one(struct ontb_cpu *cpu)
{
	unsigned int vector;

	if (!ontb_lapic_take(cpu->lapic, &vector))
		return false;
	current = cpu;
	cpu->entry(cpu->arg, cpu->lapic->id, vector);
	current = NULL;
	return true;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Whether something came up while looking again and again. */
static bool spin(struct ontb_cpu *cpu)
{
	for (unsigned int i = 0; i < cpu->nr_spins; i++) {
		if (ontb_lapic_has_request(cpu->lapic) || atomic_load_explicit(&cpu->should_stop, memory_order_relaxed))
			return true;
		relax();
	}
	return false;
}

static void *run(void *arg)
{
	struct ontb_cpu *cpu = arg;

	while (!atomic_load(&cpu->should_stop)) {
		if (!take_one(cpu) && !spin(cpu))
			ontb_lapic_wait(cpu->lapic, &cpu->should_stop);
	}
	return NULL;
}

static int start_locked(struct ontb_cpu *cpu) ONTB_MUST_HOLD(cpu->lock)
{
	int ret = 0;

	if (cpu->state != ONTB_CPU_STOPPED)
		return -EBUSY;
	if (!cpu->entry)
		return -EINVAL;
	atomic_store(&cpu->should_stop, false);
	ontb_lapic_reset(cpu->lapic);
	ontb_lapic_set_online(cpu->lapic, true);
	if (!cpu->is_stepped)
		ret = -pthread_create(&cpu->thread, NULL, run, cpu);
	if (ret) {
		ontb_lapic_set_online(cpu->lapic, false);
		return ret;
	}
	cpu->state = ONTB_CPU_RUNNING;
	if (cpu->is_stepped)
		atomic_store(&cpu->gate, ONTB_CPU_OPEN);
	return 0;
}

int ontb_cpu_start(struct ontb_cpu *cpu)
{
	int ret;

	ontb_lock(&cpu->lock);
	ret = start_locked(cpu);
	ontb_unlock(&cpu->lock);
	return ret;
}

static void set_state(struct ontb_cpu *cpu, enum ontb_cpu_state state)
{
	ontb_lock(&cpu->lock);
	cpu->state = state;
	(void)pthread_cond_broadcast(&cpu->changed);
	ontb_unlock(&cpu->lock);
}

/* Let nobody step it any more. Return: whether nobody does. */
static bool close_gate_locked(struct ontb_cpu *cpu) ONTB_MUST_HOLD(cpu->lock)
{
	uint32_t gate = atomic_load(&cpu->gate);

	while (!atomic_compare_exchange_weak(&cpu->gate, &gate,
					     gate >= ONTB_CPU_INSIDE ? ONTB_CPU_AWAITED : ONTB_CPU_CLOSED))
		;
	return gate < ONTB_CPU_INSIDE;
}

/* Whether the caller is the one who stops it; otherwise it is stopped, by somebody else or all along. */
static bool begin_stop(struct ontb_cpu *cpu)
{
	bool is_mine;

	ontb_lock(&cpu->lock);
	while (cpu->state == ONTB_CPU_STOPPING)
		(void)pthread_cond_wait(&cpu->changed, &cpu->lock.mutex);
	is_mine = cpu->state == ONTB_CPU_RUNNING;
	if (is_mine)
		cpu->state = ONTB_CPU_STOPPING;
	while (is_mine && !close_gate_locked(cpu))
		(void)pthread_cond_wait(&cpu->changed, &cpu->lock.mutex);
	ontb_unlock(&cpu->lock);
	return is_mine;
}

int ontb_cpu_stop(struct ontb_cpu *cpu)
{
	if (current == cpu) {
		ontb_log(ONTB_LOG_ERROR, "%s: CPU %u: not stopped: it cannot stop itself in its own handler",
			 cpu->lapic->bus->name, cpu->lapic->id);
		return -EDEADLK;
	}
	if (!begin_stop(cpu))
		return 0;
	ontb_lapic_set_online(cpu->lapic, false);
	if (!cpu->is_stepped) {
		atomic_store(&cpu->should_stop, true);
		ontb_lapic_kick(cpu->lapic);
		(void)pthread_join(cpu->thread, NULL);
	}
	set_state(cpu, ONTB_CPU_STOPPED);
	return 0;
}

static int enter(struct ontb_cpu *cpu)
{
	uint32_t gate = ONTB_CPU_OPEN;

	if (ontb_likely(atomic_compare_exchange_strong_explicit(&cpu->gate, &gate, ONTB_CPU_INSIDE,
								memory_order_acquire, memory_order_relaxed)))
		return 1;
	return gate == ONTB_CPU_INSIDE ? -EBUSY : 0;
}

static void leave(struct ontb_cpu *cpu)
{
	uint32_t gate = ONTB_CPU_INSIDE;

	if (ontb_likely(atomic_compare_exchange_strong_explicit(&cpu->gate, &gate, ONTB_CPU_OPEN, memory_order_release,
								memory_order_relaxed)))
		return;
	/* Somebody waits, and looks with the lock held. */
	ontb_lock(&cpu->lock);
	atomic_store(&cpu->gate, ONTB_CPU_CLOSED);
	(void)pthread_cond_broadcast(&cpu->changed);
	ontb_unlock(&cpu->lock);
}

int ontb_cpu_step(struct ontb_cpu *cpu)
{
	int ret;

	if (!cpu->is_stepped)
		return -EINVAL;
	if (current)
		return -EDEADLK;
	ret = enter(cpu);
	if (ret <= 0)
		return ret;
	ret = take_one(cpu);
	leave(cpu);
	return ret;
}

bool ontb_cpu_has_work(const struct ontb_cpu *cpu)
{
	return atomic_load(&cpu->lapic->is_online) && ontb_lapic_has_request(cpu->lapic);
}
