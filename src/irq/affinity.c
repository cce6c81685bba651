// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Where interrupts go, and how they move: make before break. The old target stays valid until every holder of the old
 * message has confirmed the new one; a wish that comes meanwhile is kept and done after that.
 *
 * Of a million interrupts nearly all may go anywhere or to one CPU, so a set is stored as one word: 0 for all CPUs, an odd
 * number for one, else a pointer to a copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "irq/internals.h"

static int encode(const struct ontb_irq_system *sys, const struct ontb_cpumask *mask, uintptr_t *out)
{
	const struct ontb_cpumask all = ontb_cpumask_all(sys->nr_cpus);
	const struct ontb_cpumask here = mask ? ontb_cpumask_and(mask, &all) : all;
	struct ontb_cpumask *copy;

	if (!memcmp(&here, &all, sizeof(all))) {
		*out = 0;
	} else if (ontb_cpumask_count(&here) == 1) {
		*out = (uintptr_t)ontb_cpumask_next(&here, 0) << 1 | 1;
	} else {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = here;
		*out = (uintptr_t)copy;
	}
	return 0;
}

static struct ontb_cpumask decode(const struct ontb_irq_system *sys, uintptr_t word)
{
	if (!word)
		return ontb_cpumask_all(sys->nr_cpus);
	if (word & 1)
		return ontb_cpumask_of((unsigned int)(word >> 1));
	return *(const struct ontb_cpumask *)word;
}

static void forget(uintptr_t word)
{
	if (!(word & 1))
		free((struct ontb_cpumask *)word);
}

int ontb_irq_affinity_init(struct ontb_irq_desc *desc, const struct ontb_cpumask *mask)
{
	return encode(sys_of(desc), mask, &desc->affinity);
}

void ontb_irq_affinity_fini(struct ontb_irq_desc *desc)
{
	forget(desc->affinity);
	desc->affinity = 0;
}

struct ontb_cpumask ontb_irq_affinity(const struct ontb_irq_data *data)
{
	const struct ontb_irq_desc *desc = desc_of(data);

	return decode(sys_of(desc), desc->affinity);
}

void ontb_irq_set_cpu(struct ontb_irq_desc *desc, unsigned int cpu)
{
	uint64_t state = desc_state(desc);

	while (!atomic_compare_exchange_weak(&desc->state, &state,
					     (state & ~IRQ_CPU_MASK) | (uint64_t)cpu << IRQ_CPU_SHIFT))
		;
}

void ontb_irq_set_effective(struct ontb_irq_data *data, unsigned int cpu)
{
	struct ontb_irq_desc *desc = desc_of(data);

	if (cpu < sys_of(desc)->nr_cpus)
		ontb_irq_set_cpu(desc, cpu);
}

/* The new message is where it has to be: nobody uses the old one any more. */
static void end_move(struct ontb_irq_desc *desc)
{
	desc->slow &= (uint8_t)~IRQ_SLOW_MOVING;
	CHIP_CALL(&desc->data[0], move_done);
}

/* Let the holders of the message have the present one. Return: 0 or a chip's error; then the old target is kept. */
static int publish(struct ontb_irq_desc *desc)
{
	int ret = ontb_irq_write_msg(desc);

	desc->slow &= (uint8_t)~IRQ_SLOW_UNWRITTEN;
	if (ret == -EINPROGRESS) {
		desc->slow |= IRQ_SLOW_MOVING;
		return 0;
	}
	if (ret) {
		desc->slow |= IRQ_SLOW_UNWRITTEN;
		ontb_log(ONTB_LOG_ERROR, "%s: interrupt %u of %s: storing the message of its new CPU: %s",
			 sys_of(desc)->name, desc->data[0].virq, desc->data[0].domain->name, strerrordesc_np(-ret));
		return ret;
	}
	end_move(desc);
	return 0;
}

/* Move an active interrupt that is not moving to a CPU of a set, which has one on line. Stripe held. */
static int start_move(struct ontb_irq_desc *desc, const struct ontb_cpumask *mask)
{
	struct ontb_irq_data *level = CHIP_FIND(&desc->data[0], set_affinity);
	int ret;

	if (!level)
		return -EOPNOTSUPP;
	if (desc->slow & IRQ_SLOW_UNWRITTEN) {
		ret = publish(desc);
		if (ret)
			return ret;
		if (desc->slow & IRQ_SLOW_MOVING) {
			desc->slow |= IRQ_SLOW_WISH;
			return 0;
		}
	}
	ret = level->chip->set_affinity(level, mask);
	if (ret == ONTB_IRQ_SET_MOVED)
		return publish(desc);
	return ret < 0 ? ret : 0;
}

/* The CPUs of a set that are on line. */
static struct ontb_cpumask online_of(const struct ontb_irq_system *sys, const struct ontb_cpumask *mask)
{
	const struct ontb_cpumask online = ontb_irq_cpu_online(sys);

	return ontb_cpumask_and(mask, &online);
}

static int set_affinity_locked(struct ontb_irq_desc *desc, const struct ontb_cpumask *mask)
{
	const struct ontb_cpumask online = online_of(sys_of(desc), mask);
	uintptr_t word;
	int ret = 0;

	if (ontb_cpumask_is_empty(&online))
		return -EINVAL;
	if (!CHIP_FIND(&desc->data[0], set_affinity))
		return -EOPNOTSUPP;
	ret = encode(sys_of(desc), mask, &word);
	if (ret)
		return ret;
	if (desc->slow & IRQ_SLOW_MOVING)
		desc->slow |= IRQ_SLOW_WISH;
	else if (desc->slow & IRQ_SLOW_ACTIVE)
		ret = start_move(desc, &online);
	if (ret) {
		forget(word);
		return ret;
	}
	forget(desc->affinity);
	desc->affinity = word;
	return 0;
}

int ontb_irq_set_affinity(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_cpumask *mask)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;
	int ret;

	ontb_lock(&stripe->lock);
	desc = ontb_irq_find_live(sys, virq);
	ret = desc ? set_affinity_locked(desc, mask) : -ENOENT;
	ontb_unlock(&stripe->lock);
	return ret;
}

/* Do what was wished while a move was under way; who wished it was told that it would be. */
static void start_wish(struct ontb_irq_desc *desc)
{
	struct ontb_irq_system *sys = sys_of(desc);
	struct ontb_cpumask mask = decode(sys, desc->affinity);
	int ret;

	desc->slow &= (uint8_t)~IRQ_SLOW_WISH;
	mask = online_of(sys, &mask);
	if (ontb_cpumask_is_empty(&mask))
		mask = ontb_irq_cpu_online(sys);
	ret = start_move(desc, &mask);
	if (ret)
		ontb_log(ONTB_LOG_WARNING,
			 "%s: interrupt %u of %s: a move that had to wait failed, it stays on CPU %u: %s", sys->name,
			 desc->data[0].virq, desc->data[0].domain->name, state_cpu(desc_state(desc)),
			 strerrordesc_np(-ret));
}

void ontb_irq_move_complete(struct ontb_irq_data *data)
{
	struct ontb_irq_desc *desc = desc_of(data);
	struct ontb_irq_stripe *stripe = stripe_of(sys_of(desc), data->virq);

	ontb_lock(&stripe->lock);
	if (desc->slow & IRQ_SLOW_WITHDRAWING) {
		ontb_irq_deactivate_finish(desc);
	} else if (desc->slow & IRQ_SLOW_MOVING) {
		end_move(desc);
		if (desc->slow & IRQ_SLOW_WISH)
			start_wish(desc);
		(void)pthread_cond_broadcast(&stripe->moved);
	}
	ontb_unlock(&stripe->lock);
}

static uint64_t deadline_after(uint64_t timeout_ns)
{
	uint64_t now = ontb_clock_ns();

	return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

/* Sleep until some move has ended, or let work that may end one run. Stripe held, dropped meanwhile. */
static int wait_for_move(struct ontb_irq_system *sys, struct ontb_irq_stripe *stripe, uint64_t deadline_ns)
	ONTB_MUST_HOLD(stripe->lock)
{
	bool has_run;

	if (!sys->workers || !ontb_worker_pool_is_stepped(sys->workers))
		return ontb_irq_wait_moved(stripe, deadline_ns);
	ontb_unlock(&stripe->lock);
	has_run = ontb_worker_pool_step(sys->workers);
	ontb_lock(&stripe->lock);
	return has_run ? 0 : -ETIMEDOUT;
}

int ontb_irq_move_wait(struct ontb_irq_system *sys, unsigned int virq, uint64_t timeout_ns)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	const uint64_t deadline_ns = deadline_after(timeout_ns);
	struct ontb_irq_desc *desc;
	int ret = 0;

	ontb_lock(&stripe->lock);
	for (;;) {
		desc = ontb_irq_find_live(sys, virq);
		if (!desc)
			ret = -ENOENT;
		if (ret || !(desc->slow & (IRQ_SLOW_MOVING | IRQ_SLOW_WITHDRAWING)))
			break;
		ret = timeout_ns ? wait_for_move(sys, stripe, deadline_ns) : -ETIMEDOUT;
	}
	ontb_unlock(&stripe->lock);
	return ret;
}

/*
 * Let an interrupt leave a CPU. With @deadline_ns 0 only start that.
 *
 * Return: 0 (it is not there, or on its way), -ETIMEDOUT, or why it stays.
 */
static int evacuate_one(struct ontb_irq_system *sys, unsigned int virq, unsigned int cpu, uint64_t deadline_ns)
{
	struct ontb_irq_stripe *stripe = stripe_of(sys, virq);
	struct ontb_irq_desc *desc;
	int ret = 0;

	ontb_lock(&stripe->lock);
	while (!ret && (desc = ontb_irq_find_live(sys, virq)) != NULL) {
		struct ontb_cpumask mask = decode(sys, desc->affinity);

		if (desc->slow & (IRQ_SLOW_MOVING | IRQ_SLOW_WITHDRAWING)) {
			if (!deadline_ns)
				break;
			ret = wait_for_move(sys, stripe, deadline_ns); /* it may come from there */
			continue;
		}
		if (!(desc->slow & IRQ_SLOW_ACTIVE) ||
		    (state_cpu(desc_state(desc)) != cpu && !(desc->slow & IRQ_SLOW_UNWRITTEN)))
			break;
		mask = online_of(sys, &mask);
		if (ontb_cpumask_is_empty(&mask))
			mask = ontb_irq_cpu_online(sys);
		ret = start_move(desc, &mask);
		if (!ret && !(desc->slow & IRQ_SLOW_MOVING) && state_cpu(desc_state(desc)) == cpu)
			ret = -ENOSPC; /* its chip thinks that it may stay */
	}
	ontb_unlock(&stripe->lock);
	return ret;
}

int ontb_irq_cpu_evacuate(struct ontb_irq_system *sys, unsigned int cpu, uint64_t timeout_ns)
{
	const uint64_t deadline_ns = deadline_after(timeout_ns);
	unsigned int virq;
	int ret = 0, err;

	/* All moves are started before the first one is waited for. */
	for (virq = 0; (virq = ontb_irq_next(sys, virq + 1)) != 0;)
		(void)evacuate_one(sys, virq, cpu, 0);
	for (virq = 0; (virq = ontb_irq_next(sys, virq + 1)) != 0;) {
		err = evacuate_one(sys, virq, cpu, deadline_ns);
		if (err && !ret)
			ret = err;
		if (err && err != -ETIMEDOUT)
			ontb_log(ONTB_LOG_WARNING, "%s: interrupt %u: cannot leave CPU %u: %s", sys->name, virq, cpu,
				 strerrordesc_np(-err));
	}
	return ret;
}
