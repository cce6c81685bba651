// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Vectors of all CPUs.
 */
#include "platform/x86/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/rcu.h"

static char retired;

struct ontb_irq_desc *const ontb_slot_retired = (struct ontb_irq_desc *)(void *)&retired;

static void init_cpu(struct ontb_slot_cpu *pc, unsigned int cpu)
{
	for (unsigned int v = 0; v < 256; v++) {
		pc->slots[v].cpu = (uint16_t)cpu;
		pc->slots[v].vector = (uint8_t)v;
	}
	pc->last = ONTB_VECTOR_LAST;
}

int ontb_slots_init(struct ontb_slots *slots, unsigned int nr_cpus)
{
	struct ontb_slot_cpu *cpus = calloc(nr_cpus, sizeof(*cpus));
	pthread_condattr_t attr;

	if (!cpus)
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		init_cpu(&cpus[cpu], cpu);
	*slots = (struct ontb_slots){ .nr_cpus = nr_cpus, .cpus = cpus };
	ontb_lock_init(&slots->lock);
	/* These cannot fail with a clock that exists, and need no memory. */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&slots->cleaned, &attr);
	(void)pthread_condattr_destroy(&attr);
	return 0;
}

void ontb_slots_fini(struct ontb_slots *slots)
{
	(void)pthread_cond_destroy(&slots->cleaned);
	ontb_lock_fini(&slots->lock);
	free(slots->cpus);
}

int ontb_slots_reserve(struct ontb_slots *slots, unsigned int nr)
{
	int ret = -ENOSPC;

	ontb_lock(&slots->lock);
	if (nr <= slots->nr_open * ONTB_X86_NR_VECTORS - slots->nr_reserved) {
		slots->nr_reserved += nr;
		ret = 0;
	}
	ontb_unlock(&slots->lock);
	return ret;
}

void ontb_slots_unreserve(struct ontb_slots *slots, unsigned int nr)
{
	ontb_lock(&slots->lock);
	slots->nr_reserved -= nr;
	ontb_unlock(&slots->lock);
}

void ontb_slots_open(struct ontb_slots *slots, unsigned int cpu)
{
	ontb_lock(&slots->lock);
	slots->nr_open++;
	slots->cpus[cpu].is_open = true;
	ontb_unlock(&slots->lock);
}

int ontb_slots_close(struct ontb_slots *slots, unsigned int cpu)
{
	int ret = -ENOSPC;

	ontb_lock(&slots->lock);
	if (slots->nr_reserved <= (slots->nr_open - 1) * ONTB_X86_NR_VECTORS) {
		slots->nr_open--;
		slots->cpus[cpu].is_open = false;
		ret = 0;
	}
	ontb_unlock(&slots->lock);
	return ret;
}

/* The open CPU of a set with the fewest slots taken. Return: nr_cpus if none is open. */
static unsigned int least_loaded_locked(const struct ontb_slots *slots, const struct ontb_cpumask *allowed)
	ONTB_MUST_HOLD(slots->lock)
{
	unsigned int best = slots->nr_cpus;

	for (unsigned int cpu = ontb_cpumask_next(allowed, 0); cpu < slots->nr_cpus;
	     cpu = ontb_cpumask_next(allowed, cpu + 1)) {
		if (!slots->cpus[cpu].is_open)
			continue;
		if (best == slots->nr_cpus || slots->cpus[cpu].nr_used < slots->cpus[best].nr_used)
			best = cpu;
	}
	return best;
}

static bool is_any_waiting_locked(const struct ontb_slots *slots, const struct ontb_cpumask *allowed)
	ONTB_MUST_HOLD(slots->lock)
{
	for (unsigned int cpu = 0; cpu < slots->nr_cpus; cpu++) {
		if (ontb_cpumask_test(allowed, cpu) && slots->cpus[cpu].is_open && slots->cpus[cpu].nr_waiting)
			return true;
	}
	return false;
}

/* Find a free slot of a CPU; after the one taken last, so that a vector is reused as late as possible. */
static struct ontb_slot *find_free_locked(struct ontb_slots *slots, unsigned int cpu) ONTB_MUST_HOLD(slots->lock)
{
	struct ontb_slot_cpu *pc = &slots->cpus[cpu];
	unsigned int vector = pc->last;

	for (unsigned int i = 0; i < ONTB_X86_NR_VECTORS; i++) {
		vector = vector == ONTB_VECTOR_LAST ? ONTB_VECTOR_FIRST : vector + 1;
		if (pc->slots[vector].state == ONTB_SLOT_FREE) {
			pc->last = vector;
			return &pc->slots[vector];
		}
	}
	return NULL;
}

static void wait_cleaned_locked(struct ontb_slots *slots, uint64_t deadline_ns) ONTB_MUST_HOLD(slots->lock)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / ONTB_NS_PER_S),
		.tv_nsec = (long)(deadline_ns % ONTB_NS_PER_S),
	};

	(void)pthread_cond_timedwait(&slots->cleaned, &slots->lock.mutex, &ts);
}

static int choose_locked(struct ontb_slots *slots, const struct ontb_cpumask *allowed, uint64_t wait_ns,
			 struct ontb_slot **out) ONTB_MUST_HOLD(slots->lock)
{
	uint64_t deadline_ns = wait_ns ? ontb_clock_ns() + wait_ns : 0;

	for (;;) {
		unsigned int cpu = least_loaded_locked(slots, allowed);

		if (cpu == slots->nr_cpus)
			return -EINVAL;
		*out = find_free_locked(slots, cpu);
		if (*out)
			return 0;
		if (!wait_ns || !is_any_waiting_locked(slots, allowed) || ontb_clock_ns() >= deadline_ns)
			return -ENOSPC;
		wait_cleaned_locked(slots, deadline_ns);
	}
}

int ontb_slots_take(struct ontb_slots *slots, struct ontb_slot_owner *owner, const struct ontb_cpumask *allowed,
		    uint64_t wait_ns, unsigned int *cpu)
{
	struct ontb_slot *slot = NULL;
	int ret = -EBUSY;

	ontb_lock(&slots->lock);
	if (!owner->old)
		ret = choose_locked(slots, allowed, wait_ns, &slot);
	if (!ret) {
		owner->old = owner->live;
		owner->live = slot;
		slot->owner = owner;
		slot->state = ONTB_SLOT_TAKEN;
		slots->cpus[slot->cpu].nr_used++;
		ontb_rcu_publish(slots->cpus[slot->cpu].descs[slot->vector], owner->desc);
		*cpu = slot->cpu;
	}
	ontb_unlock(&slots->lock);
	return ret;
}

bool ontb_slots_is_within(struct ontb_slots *slots, const struct ontb_slot_owner *owner,
			  const struct ontb_cpumask *allowed)
{
	bool within;

	ontb_lock(&slots->lock);
	within = owner->live && ontb_cpumask_test(allowed, owner->live->cpu) && slots->cpus[owner->live->cpu].is_open;
	ontb_unlock(&slots->lock);
	return within;
}

static void free_slot_locked(struct ontb_slots *slots, struct ontb_slot *slot) ONTB_MUST_HOLD(slots->lock)
{
	struct ontb_slot_cpu *pc = &slots->cpus[slot->cpu];

	if (slot->owner) {
		struct ontb_slot **link = &slot->owner->waiting;

		while (*link != slot)
			link = &(*link)->next;
		*link = slot->next;
	}
	slot->owner = NULL;
	slot->next = NULL;
	slot->state = ONTB_SLOT_FREE;
	pc->waiting[slot->vector / 64] &= ~(1ULL << slot->vector % 64);
	pc->nr_waiting--;
	pc->nr_used--;
	slots->nr_cleaned++;
	ontb_rcu_publish(pc->descs[slot->vector], NULL);
}

/* Let a slot that belongs to nobody's live or old target wait for clean-up. Return: whether its CPU has to do it. */
static bool retire_locked(struct ontb_slots *slots, struct ontb_slot *slot) ONTB_MUST_HOLD(slots->lock)
{
	struct ontb_slot_cpu *pc = &slots->cpus[slot->cpu];

	slot->state = ONTB_SLOT_WAITING;
	slot->next = slot->owner->waiting;
	slot->owner->waiting = slot;
	pc->waiting[slot->vector / 64] |= 1ULL << slot->vector % 64;
	pc->nr_waiting++;
	if (pc->is_running)
		return true;
	free_slot_locked(slots, slot);
	return false;
}

unsigned int ontb_slots_retire_old(struct ontb_slots *slots, struct ontb_slot_owner *owner)
{
	unsigned int cpu = ONTB_MAX_CPUS;

	ontb_lock(&slots->lock);
	if (owner->old) {
		struct ontb_slot *slot = owner->old;

		owner->old = NULL;
		if (retire_locked(slots, slot))
			cpu = slot->cpu;
	}
	ontb_unlock(&slots->lock);
	return cpu;
}

struct ontb_cpumask ontb_slots_retire_all(struct ontb_slots *slots, struct ontb_slot_owner *owner)
{
	struct ontb_cpumask cpus = { { 0 } };

	ontb_lock(&slots->lock);
	if (owner->live && retire_locked(slots, owner->live))
		ontb_cpumask_set(&cpus, owner->live->cpu);
	if (owner->old && retire_locked(slots, owner->old))
		ontb_cpumask_set(&cpus, owner->old->cpu);
	owner->live = NULL;
	owner->old = NULL;
	/* The interrupt may be gone before the CPUs have cleaned up, so nothing may lead to it any more. */
	while (owner->waiting) {
		struct ontb_slot *slot = owner->waiting;

		owner->waiting = slot->next;
		slot->next = NULL;
		slot->owner = NULL;
		ontb_rcu_publish(slots->cpus[slot->cpu].descs[slot->vector], ontb_slot_retired);
	}
	ontb_unlock(&slots->lock);
	return cpus;
}

static void lose_locked(struct ontb_slots *slots, struct ontb_slot *slot) ONTB_MUST_HOLD(slots->lock)
{
	slot->owner = NULL;
	slot->state = ONTB_SLOT_LOST;
	ontb_rcu_publish(slots->cpus[slot->cpu].descs[slot->vector], ontb_slot_retired);
}

void ontb_slots_lose(struct ontb_slots *slots, struct ontb_slot_owner *owner)
{
	ontb_lock(&slots->lock);
	if (owner->live)
		lose_locked(slots, owner->live);
	if (owner->old)
		lose_locked(slots, owner->old);
	owner->live = NULL;
	owner->old = NULL;
	ontb_unlock(&slots->lock);
}

int ontb_slots_target(struct ontb_slots *slots, const struct ontb_slot_owner *owner, unsigned int *cpu,
		      unsigned int *vector)
{
	int ret = -EINVAL;

	ontb_lock(&slots->lock);
	if (owner->live) {
		*cpu = owner->live->cpu;
		*vector = owner->live->vector;
		ret = 0;
	}
	ontb_unlock(&slots->lock);
	return ret;
}

void ontb_slots_waiting(struct ontb_slots *slots, unsigned int cpu, uint64_t vectors[4])
{
	ontb_lock(&slots->lock);
	for (unsigned int i = 0; i < 4; i++)
		vectors[i] = slots->cpus[cpu].waiting[i];
	ontb_unlock(&slots->lock);
}

void ontb_slots_clean(struct ontb_slots *slots, unsigned int cpu, const uint64_t vectors[4])
{
	struct ontb_slot_cpu *pc = &slots->cpus[cpu];

	ontb_lock(&slots->lock);
	for (unsigned int v = ONTB_VECTOR_FIRST; v <= ONTB_VECTOR_LAST; v++) {
		if (vectors[v / 64] >> v % 64 & 1 && pc->slots[v].state == ONTB_SLOT_WAITING)
			free_slot_locked(slots, &pc->slots[v]);
	}
	(void)pthread_cond_broadcast(&slots->cleaned);
	ontb_unlock(&slots->lock);
}

void ontb_slots_started(struct ontb_slots *slots, unsigned int cpu)
{
	ontb_lock(&slots->lock);
	slots->cpus[cpu].is_running = true;
	ontb_unlock(&slots->lock);
}

void ontb_slots_stopped_locked(struct ontb_slots *slots, unsigned int cpu)
{
	slots->cpus[cpu].is_running = false;
	slots->nr_stops++;
}

const struct ontb_slot *ontb_slots_forward_locked(const struct ontb_slots *slots, unsigned int cpu, unsigned int vector)
{
	const struct ontb_slot_owner *owner = slots->cpus[cpu].slots[vector].owner;
	const struct ontb_slot *live = owner ? owner->live : NULL;

	return live && slots->cpus[live->cpu].is_running ? live : NULL;
}

void ontb_slots_pending_cpus(struct ontb_slots *slots, const struct ontb_slot_owner *owner,
			     struct ontb_irq_drain *drain)
{
	ontb_lock(&slots->lock);
	if (ontb_cpumask_is_empty(&drain->cpus))
		drain->nr_stops = slots->nr_stops;
	if (owner->live)
		ontb_cpumask_set(&drain->cpus, owner->live->cpu);
	if (owner->old)
		ontb_cpumask_set(&drain->cpus, owner->old->cpu);
	for (const struct ontb_slot *slot = owner->waiting; slot; slot = slot->next)
		ontb_cpumask_set(&drain->cpus, slot->cpu);
	ontb_unlock(&slots->lock);
}

static struct ontb_cpumask running_locked(const struct ontb_slots *slots) ONTB_MUST_HOLD(slots->lock)
{
	struct ontb_cpumask running = { { 0 } };

	for (unsigned int cpu = 0; cpu < slots->nr_cpus; cpu++) {
		if (slots->cpus[cpu].is_running)
			ontb_cpumask_set(&running, cpu);
	}
	return running;
}

unsigned int ontb_slots_drain(struct ontb_slots *slots, struct ontb_irq_drain *drain)
{
	unsigned int cpu;

	ontb_lock(&slots->lock);
	/* What was pending on a CPU that stopped may be anywhere now, also where this drain has been. */
	if (drain->nr_stops != slots->nr_stops)
		drain->cpus = running_locked(slots);
	drain->nr_stops = slots->nr_stops;
	drain->is_seen = false;
	cpu = ontb_cpumask_next(&drain->cpus, 0);
	drain->is_under_way = cpu != ONTB_MAX_CPUS;
	if (drain->is_under_way) {
		drain->next = slots->cpus[cpu].drains;
		slots->cpus[cpu].drains = drain;
	}
	ontb_unlock(&slots->lock);
	return cpu;
}

struct ontb_irq_drain *ontb_slots_drained_locked(struct ontb_slots *slots, unsigned int cpu, bool is_idle, bool *again)
{
	struct ontb_irq_drain **link = &slots->cpus[cpu].drains, *drained = NULL, *drain;

	while ((drain = *link)) {
		if (!is_idle && !drain->is_seen) {
			drain->is_seen = true;
			*again = true;
			link = &drain->next;
			continue;
		}
		*link = drain->next;
		drain->next = drained;
		drained = drain;
		ontb_cpumask_clear(&drain->cpus, cpu);
	}
	return drained;
}

static bool remove_drain_locked(struct ontb_slot_cpu *pc, const struct ontb_irq_drain *drain)
{
	struct ontb_irq_drain **link = &pc->drains;

	while (*link && *link != drain)
		link = &(*link)->next;
	if (!*link)
		return false;
	*link = drain->next;
	return true;
}

int ontb_slots_drain_cancel(struct ontb_slots *slots, struct ontb_irq_drain *drain)
{
	bool is_removed = false;
	int ret;

	ontb_lock(&slots->lock);
	for (unsigned int cpu = 0; cpu < slots->nr_cpus && !is_removed; cpu++)
		is_removed = remove_drain_locked(&slots->cpus[cpu], drain);
	ret = is_removed ? 0 : drain->is_under_way ? -EAGAIN : -ENOENT;
	if (is_removed)
		drain->is_under_way = false;
	ontb_unlock(&slots->lock);
	return ret;
}
