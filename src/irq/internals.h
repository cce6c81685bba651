/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Inside the interrupt layer; other layers use openntb/irq.h.
 *
 * The one idea: an interrupt has at most one owner at a time, the thread that set IRQ_RUNNING in its state word. Only the
 * owner runs handlers and masks or unmasks the chip. Whoever wants something done changes the state word; if there is an
 * owner, it sees the change before it lets go, because it lets go by a compare and exchange of the whole word; if there is
 * none, who made the change becomes the owner. See docs/irq.md for the table of transitions.
 */
#ifndef ONTB_IRQ_INTERNALS_H
#define ONTB_IRQ_INTERNALS_H

#include <pthread.h>
#include <stdatomic.h>

#include <openntb/irq.h>
#include <openntb/worker.h>

#include "base/annotate.h"
#include "base/idmap.h"
#include "base/rcu.h"

#define IRQ_NR_STRIPES	 64U
#define IRQ_MAX_IRQS	 (16U << 20)
#define IRQ_MAX_HANDLERS 1024U
#define IRQ_NO_CPU	 ONTB_MAX_CPUS
#define IRQ_CHECK_WINDOW 100000U /* runs after which is looked whether anybody wants them ... */
#define IRQ_MIN_WANTED	 101U	 /* ... and how many of these somebody has to want */

/* struct ontb_irq_desc.window: runs left, and runs wanted as far as they matter. */
#define IRQ_WINDOW_LEFT	      0xffffffU
#define IRQ_WINDOW_ONE_WANTED (1U << 24)

/* The state word of an interrupt. */
#define IRQ_RUNNING	 (1ULL << 0)  /* it has an owner */
#define IRQ_PENDING	 (1ULL << 1)  /* an event came that no handler has seen */
#define IRQ_MASKED	 (1ULL << 2)  /* the chip is masked */
#define IRQ_STOPPED	 (1ULL << 3)  /* it has no handler, or nobody wanted it for too long */
#define IRQ_ONESHOT	 (1ULL << 4)  /* stays masked while thread functions are to run */
#define IRQ_CHAINED	 (1ULL << 5)  /* its only action takes it apart */
#define IRQ_WAITERS	 (1ULL << 6)  /* somebody sleeps until the owner lets go, threads end, or a resend is done */
#define IRQ_RESEND	 (1ULL << 7)  /* it is in the list of the resend worker */
#define IRQ_LIVE	 (1ULL << 8)  /* allocated completely and not being released */
#define IRQ_WANTED	 (1ULL << 9)  /* a thread function has found work since the last run that was counted */
#define IRQ_DEPTH_ONE	 (1ULL << 16) /* how often it was disabled: 16 bits */
#define IRQ_DEPTH_MASK	 (0xffffULL << 16)
#define IRQ_THREAD_ONE	 (1ULL << 32) /* thread functions woken that have not ended: 16 bits */
#define IRQ_THREADS_MASK (0xffffULL << 32)
#define IRQ_CPU_SHIFT	 48 /* CPU that it goes to, or IRQ_NO_CPU: 9 bits */
#define IRQ_CPU_MASK	 (0x1ffULL << IRQ_CPU_SHIFT)

/* struct ontb_irq_desc.slow */
#define IRQ_SLOW_ACTIVE	     0x01U /* activated */
#define IRQ_SLOW_MOVING	     0x02U /* holders have not confirmed the last message */
#define IRQ_SLOW_WISH	     0x04U /* a move was asked for meanwhile */
#define IRQ_SLOW_WITHDRAWING 0x08U /* holders have not confirmed that there is no message; deactivation waits */
#define IRQ_SLOW_UNWRITTEN   0x10U /* the target changed, but the message could not be stored: the old target is kept */
#define IRQ_SLOW_BUSY	     0x20U /* handlers are being removed; others wait */

/* struct ontb_irq_desc.config */
#define IRQ_CONFIG_LEVELS  0x0fU /* domains in the hierarchy */
#define IRQ_CONFIG_TRIGGER 0x30U /* enum ontb_irq_trigger */
#define IRQ_TRIGGER_SHIFT  4

/**
 * struct ontb_irq_action - a handler that was installed
 * @next:       Next one, for the owner without a lock. Written under the stripe.
 * @handler:    In dispatch. Constant.
 * @thread:     In a thread, or NULL. Constant.
 * @dev:        For both. Constant.
 * @worker:     Runs @thread; NULL if there is none, or the interrupt is nested. Constant.
 * @desc:       Interrupt. Constant.
 * @flags:      ONTB_IRQ_SHARED and so on. Constant.
 * @is_woken:   @thread is to run and has not started; counted in the state word until it has ended.
 * @name:       Shown. Constant.
 *
 * Read by the owner of the interrupt or with its stripe held; freed when it was unlinked and then no owner was seen.
 */
struct ontb_irq_action {
	struct ontb_irq_action *next;
	ontb_irq_handler *handler;
	ontb_irq_handler *thread;
	void *dev;
	struct ontb_worker *worker;
	struct ontb_irq_desc *desc;
	unsigned int flags;
	_Atomic bool is_woken;
	char name[];
};

/**
 * struct ontb_irq_desc - an interrupt; one allocation with all its levels
 * @state:        See above.
 * @count:        Runs on @count_cpu. Written by the owner.
 * @counts:       Runs on the other CPUs; NULL until there is one. Written by the owner.
 * @flow:         enum ontb_irq_flow. Constant after allocation.
 * @config:       Levels, constant after allocation; trigger, under the stripe.
 * @count_cpu:    CPU of the first run. Written by the owner.
 * @slow:         IRQ_SLOW_*. Under the stripe.
 * @resend_next:  Number of the next one in the resend list, while IRQ_RESEND is set. While the interrupt is allocated: one
 *                more than the level that chose the flow.
 * @actions:      Handlers, for the owner without a lock. Written under the stripe.
 * @affinity:     Where it may go, see affinity.c. Under the stripe.
 * @window:       Runs until it is looked whether anybody wants them, and how many somebody wanted. Owner.
 * @nr_unhandled: Runs that nobody wanted, modulo 2^32.
 * @rcu:          Frees it, when nobody can find it any more; who still handles it then finds it stopped, and looks at none
 *                of the fields that lie here.
 * @data:         Levels, outermost first.
 */
struct ontb_irq_desc {
	_Atomic uint64_t state;
	_Atomic uint64_t count;
	_Atomic uint64_t *counts;
	_Atomic uint8_t flow;
	uint8_t config;
	_Atomic uint8_t count_cpu;
	uint8_t slow;
	uint32_t resend_next;
	union {
		struct {
			struct ontb_irq_action *actions;
			uintptr_t affinity;
			uint32_t window;
			_Atomic uint32_t nr_unhandled;
		};
		struct ontb_rcu_head rcu;
	};
	struct ontb_irq_data data[];
};

/**
 * struct ontb_irq_stripe - locks that some of the interrupts share
 * @lock:   The slow lock.
 * @moved:  With @lock: IRQ_SLOW_MOVING, IRQ_SLOW_WITHDRAWING or IRQ_SLOW_BUSY went away.
 * @waits:  Leaf lock, under which who sets IRQ_WAITERS goes to sleep.
 * @idle:   With @waits: IRQ_WAITERS was cleared.
 */
struct ontb_irq_stripe {
	struct ontb_lock lock;
	pthread_cond_t moved;
	struct ontb_lock waits;
	pthread_cond_t idle;
};

/**
 * struct ontb_irq_domain - a domain
 * @sys:         System. Constant.
 * @ops:         Operations. Constant.
 * @data:        The owner's. Constant.
 * @parent:      Parent or NULL. Constant.
 * @msi_parent:  As configured. Constant.
 * @next:        Next domain of the system. Under the allocation lock.
 * @nr_children: Domains with this as their parent. Under the allocation lock.
 * @nr_irqs:     Interrupts that pass through it. Under the allocation lock.
 * @flags:       ONTB_IRQ_DOMAIN_*. Constant.
 * @token:       Kind. Constant.
 * @depth:       Domains from here to the root. Constant.
 * @size:        Of @linear, 0 if sparse. Constant.
 * @sparse:      Reverse map without a size. Written under the allocation lock, read under RCU.
 * @name:        Name. Constant.
 * @linear:      Reverse map. Written under the allocation lock, read under RCU.
 */
struct ontb_irq_domain {
	struct ontb_irq_system *sys;
	const struct ontb_irq_domain_ops *ops;
	void *data;
	struct ontb_irq_domain *parent;
	const struct ontb_msi_parent *msi_parent;
	struct ontb_irq_domain *next;
	unsigned int nr_children;
	unsigned int nr_irqs;
	unsigned int flags;
	enum ontb_bus_token token;
	unsigned int depth;
	unsigned int size;
	struct ontb_idmap sparse;
	char name[ONTB_IRQ_NAME];
	struct ontb_irq_data *linear[];
};

/**
 * struct ontb_irq_system - interrupts of a host
 * @name:        For log lines. Constant.
 * @nr_cpus:     CPUs. Constant.
 * @max_irqs:    Highest number. Constant.
 * @workers:     Pool or NULL. Constant.
 * @resender:    Handles what was missed, NULL without @workers. Constant.
 * @alloc_lock:  The allocation lock.
 * @irqs:        Descriptors by number. Written under the allocation lock, read under RCU.
 * @domains:     In the order of their making. Under the allocation lock.
 * @last_domain: Where the next one goes. Under the allocation lock.
 * @online:      CPUs on line; written under the allocation lock, read without.
 * @nr_spurious: Vectors that nobody has.
 * @resend_head: Number of the first interrupt in the resend list, 0 if it is empty.
 * @stripes:     Slow locks.
 */
struct ontb_irq_system {
	char name[ONTB_IRQ_NAME];
	unsigned int nr_cpus;
	unsigned int max_irqs;
	struct ontb_worker_pool *workers;
	struct ontb_worker *resender;
	struct ontb_lock alloc_lock;
	struct ontb_idmap irqs;
	struct ontb_irq_domain *domains;
	struct ontb_irq_domain **last_domain;
	_Atomic uint64_t online[ONTB_MAX_CPUS / 64];
	_Atomic uint64_t nr_spurious;
	_Atomic uint32_t resend_head;
	struct ontb_irq_stripe stripes[IRQ_NR_STRIPES];
};

/* Small things about a descriptor. */

static inline struct ontb_irq_desc *desc_of(const struct ontb_irq_data *data)
{
	/* Through a number: who only looks at a level may change the interrupt behind it. */
	return (struct ontb_irq_desc *)((uintptr_t)(data - data->level) - offsetof(struct ontb_irq_desc, data));
}

static inline struct ontb_irq_system *sys_of(const struct ontb_irq_desc *desc)
{
	return desc->data[0].domain->sys;
}

static inline unsigned int desc_levels(const struct ontb_irq_desc *desc)
{
	return desc->config & IRQ_CONFIG_LEVELS;
}

static inline struct ontb_irq_stripe *stripe_of(struct ontb_irq_system *sys, unsigned int virq)
{
	return &sys->stripes[virq % IRQ_NR_STRIPES];
}

static inline uint64_t desc_state(const struct ontb_irq_desc *desc)
{
	return atomic_load_explicit(&desc->state, memory_order_acquire);
}

static inline unsigned int state_cpu(uint64_t state)
{
	return (unsigned int)((state & IRQ_CPU_MASK) >> IRQ_CPU_SHIFT);
}

/* Handlers may not run: disabled, without handlers, or thread functions of a oneshot interrupt are to end first. */
static inline bool state_is_blocked(uint64_t state)
{
	return state & (IRQ_DEPTH_MASK | IRQ_STOPPED) || (state & IRQ_ONESHOT && state & IRQ_THREADS_MASK);
}

/**
 * CHIP_FIND() - the first level from @data towards the root whose chip has an operation, or NULL
 * @data: Where to start; may be NULL.
 * @op:   Member of struct ontb_irq_chip.
 */
#define CHIP_FIND(data, op)                                                                                            \
	__extension__({                                                                                                \
		struct ontb_irq_data *found_ = (data);                                                                 \
		while (found_ && (!found_->chip || !found_->chip->op))                                                 \
			found_ = found_->parent;                                                                       \
		found_;                                                                                                \
	})

/* Call an operation without a result at the first level that has it. */
#define CHIP_CALL(data, op)                                                                                            \
	do {                                                                                                           \
		struct ontb_irq_data *level_ = CHIP_FIND(data, op);                                                    \
		if (level_)                                                                                            \
			level_->chip->op(level_);                                                                      \
	} while (0)

/* system.c */

/**
 * ontb_irq_find_desc() - look a number up
 * @sys:  System.
 * @virq: Number.
 *
 * Context: RCU read-side section, or the allocation lock held.
 * Return: The descriptor, also one that is not live, or NULL.
 */
struct ontb_irq_desc *ontb_irq_find_desc(const struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_find_live() - look a number up with its stripe held
 * @sys:  System.
 * @virq: Number.
 *
 * Context: The stripe of @virq held, and until it is dropped the result stays.
 * Return: The descriptor, or NULL.
 */
struct ontb_irq_desc *ontb_irq_find_live(const struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_find_idle() - the same, after waiting for a free() of a handler that is under way
 * @sys:    System.
 * @stripe: Of @virq.
 * @virq:   Number.
 *
 * Context: @stripe held; it may be dropped meanwhile.
 * Return: The descriptor without IRQ_SLOW_BUSY, or NULL.
 */
struct ontb_irq_desc *ontb_irq_find_idle(const struct ontb_irq_system *sys, struct ontb_irq_stripe *stripe,
					 unsigned int virq) ONTB_MUST_HOLD(stripe->lock);

/* domain.c */

/**
 * ontb_irq_domain_map() - put a level into the reverse map of its domain
 * @data: Level; its domain and hardware number are set.
 *
 * Context: Allocation lock held.
 * Return: 0, -EEXIST, -ERANGE or -ENOMEM.
 */
int ontb_irq_domain_map(struct ontb_irq_data *data) ONTB_MUST_CHECK;

/**
 * ontb_irq_domain_unmap() - take a level out, if it is in
 * @data: Level.
 *
 * Context: Allocation lock held.
 */
void ontb_irq_domain_unmap(struct ontb_irq_data *data);

/**
 * ontb_irq_domain_is_mapped() - whether a level is in the reverse map of its domain
 * @data: Level.
 *
 * Context: Allocation lock held.
 * Return: Whether it is.
 */
bool ontb_irq_domain_is_mapped(const struct ontb_irq_data *data);

/* affinity.c */

/**
 * ontb_irq_affinity_init() - remember where a new interrupt may go
 * @desc: Interrupt nobody else knows yet.
 * @mask: CPUs, NULL for all.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_irq_affinity_init(struct ontb_irq_desc *desc, const struct ontb_cpumask *mask) ONTB_MUST_CHECK;

/**
 * ontb_irq_affinity_fini() - forget it
 * @desc: Interrupt that nobody changes any more.
 */
void ontb_irq_affinity_fini(struct ontb_irq_desc *desc);

/**
 * ontb_irq_set_cpu() - store the effective CPU in the state word
 * @desc: Interrupt.
 * @cpu:  CPU, or IRQ_NO_CPU.
 *
 * Context: Stripe held.
 */
void ontb_irq_set_cpu(struct ontb_irq_desc *desc, unsigned int cpu);

/* activate.c */

/**
 * ontb_irq_activate_locked() - see ontb_irq_activate()
 * @desc: Interrupt.
 *
 * Context: Stripe held.
 * Return: 0, -EBUSY, or what a domain or chip said.
 */
int ontb_irq_activate_locked(struct ontb_irq_desc *desc) ONTB_MUST_CHECK;

/**
 * ontb_irq_deactivate_locked() - withdraw the message and deactivate, now or when its holders have confirmed
 * @desc: Interrupt; inactive is fine.
 *
 * Context: Stripe held.
 */
void ontb_irq_deactivate_locked(struct ontb_irq_desc *desc);

/**
 * ontb_irq_deactivate_finish() - deactivate all domains: the message is gone
 * @desc: Interrupt.
 *
 * Context: Stripe held.
 */
void ontb_irq_deactivate_finish(struct ontb_irq_desc *desc);

/**
 * ontb_irq_write_msg() - compose the present message and give it to who stores it
 * @desc: Active interrupt.
 *
 * Context: Stripe held.
 * Return: 0 (also if there is nothing to write), or what compose_msg() or write_msg() said, -EINPROGRESS among it.
 */
int ontb_irq_write_msg(struct ontb_irq_desc *desc);

/* flow.c */

/**
 * ontb_irq_settle() - become the owner if a change of the state word left something to do
 * @desc: Interrupt, kept by RCU, its stripe, or an action.
 *
 * Return: True if ontb_irq_serve_settled() has to be called, after locks were dropped; until then @desc stays.
 */
bool ontb_irq_settle(struct ontb_irq_desc *desc);

/**
 * ontb_irq_serve_settled() - do what was left to do, and let go
 * @desc: Interrupt that the caller owns.
 *
 * Masks or unmasks, and has what was missed handled: by the resend worker, or here if there is none.
 *
 * Context: No lock held.
 */
void ontb_irq_serve_settled(struct ontb_irq_desc *desc);

/**
 * ontb_irq_own() - become the owner without an event
 * @desc: Interrupt, kept by RCU or its stripe.
 *
 * Return: Whether nobody else was.
 */
bool ontb_irq_own(struct ontb_irq_desc *desc);

/**
 * ontb_irq_run_missed() - run the handlers of an interrupt without its chip, if something is pending
 * @desc: Interrupt that the caller owns. On return it does not.
 *
 * Context: No lock held. Enters the CPU that the interrupt goes to.
 */
void ontb_irq_run_missed(struct ontb_irq_desc *desc);

/**
 * ontb_irq_own_nested() - an event of an ONTB_IRQ_NESTED interrupt
 * @desc: Interrupt, kept by RCU.
 *
 * Return: True if the caller owns it now, so it stays, and has to call ontb_irq_run_nested(); false if somebody else will.
 */
bool ontb_irq_own_nested(struct ontb_irq_desc *desc);

/**
 * ontb_irq_run_nested() - run the thread functions of an ONTB_IRQ_NESTED interrupt here
 * @desc: Interrupt that the caller owns. On return it does not.
 *
 * Context: A thread; the functions may block, so preferably outside RCU.
 */
void ontb_irq_run_nested(struct ontb_irq_desc *desc);

/* resend.c */

/**
 * ontb_irq_resend_run() - what the resend worker does
 * @arg: System.
 */
void ontb_irq_resend_run(void *arg);

/**
 * ontb_irq_resend_push() - have a missed interrupt handled soon
 * @desc: Interrupt in whose state the caller has set IRQ_RESEND.
 *
 * Context: Any.
 */
void ontb_irq_resend_push(struct ontb_irq_desc *desc);

/* wait.c */

/**
 * ontb_irq_wake() - wake who waits for an interrupt
 * @sys:  System.
 * @virq: Interrupt whose IRQ_WAITERS the caller has cleared.
 *
 * Context: Any. Takes a leaf lock.
 */
void ontb_irq_wake(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_wait() - wait until bits of the state word are clear
 * @sys:  System.
 * @virq: Number.
 * @bits: Of IRQ_RUNNING, IRQ_RESEND, IRQ_THREADS_MASK. For IRQ_RUNNING alone it is enough that an owner let go meanwhile.
 *
 * Context: Not the owner, no lock held that a handler takes.
 */
void ontb_irq_wait(struct ontb_irq_system *sys, unsigned int virq, uint64_t bits);

/**
 * ontb_irq_wait_moved() - wait until a slow operation or move has ended
 * @stripe:      Stripe, held; dropped while waiting.
 * @deadline_ns: ontb_clock_ns(), or UINT64_MAX.
 *
 * Return: 0 (look again), or -ETIMEDOUT.
 */
int ontb_irq_wait_moved(struct ontb_irq_stripe *stripe, uint64_t deadline_ns) ONTB_MUST_HOLD(stripe->lock);

/* manage.c */

/**
 * ontb_irq_thread_done() - a thread function that was counted in the state word has ended, or never will run
 * @desc:      Interrupt.
 * @is_wanted: It has found work.
 *
 * Context: No lock held.
 */
void ontb_irq_thread_done(struct ontb_irq_desc *desc, bool is_wanted);

#endif
