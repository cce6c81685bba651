// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Which CPU a thread is just now.
 *
 * A thread that steps several hosts may take an interrupt of one inside a handler of another: so there is a small stack.
 */
#include "base/log.h"
#include "irq/internals.h"

#define MAX_FRAMES 8U

/* A CPU that this thread is, and how often it entered it. */
struct frame {
	const struct ontb_irq_system *sys;
	unsigned int cpu;
	unsigned int nr_entered;
};

static _Thread_local struct frame frames[MAX_FRAMES] __attribute__((tls_model("initial-exec")));
static _Thread_local unsigned int nr_frames __attribute__((tls_model("initial-exec")));

void ontb_irq_cpu_enter(struct ontb_irq_system *sys, unsigned int cpu)
{
	struct frame *top = nr_frames ? &frames[nr_frames - 1] : NULL;

	ontb_rcu_read_lock();
	if (top && ((top->sys == sys && top->cpu == cpu) || nr_frames == MAX_FRAMES)) {
		top->nr_entered++; /* deeper than any sane nesting of hosts: goes on as the CPU it is */
		return;
	}
	frames[nr_frames++] = (struct frame){ .sys = sys, .cpu = cpu < sys->nr_cpus ? cpu : 0, .nr_entered = 1 };
}

void ontb_irq_cpu_leave(struct ontb_irq_system *sys)
{
	(void)sys;
	if (nr_frames && !--frames[nr_frames - 1].nr_entered)
		nr_frames--;
	ontb_rcu_read_unlock();
}

unsigned int ontb_irq_this_cpu(void)
{
	return nr_frames ? frames[nr_frames - 1].cpu : 0;
}

void ontb_irq_count_spurious(struct ontb_irq_system *sys)
{
	(void)atomic_fetch_add_explicit(&sys->nr_spurious, 1, memory_order_relaxed);
}

uint64_t ontb_irq_spurious(const struct ontb_irq_system *sys)
{
	return atomic_load_explicit(&sys->nr_spurious, memory_order_relaxed);
}
