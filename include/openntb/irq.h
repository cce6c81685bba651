/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Interrupts of one host: numbers, chips, hierarchical domains, handlers.
 *
 * An interrupt has a number ("virq") that drivers use, and in each domain of its hierarchy a hardware number ("hwirq") and a
 * chip that knows how to operate it there:
 *
 *      virq 37  --  NTB-0000:00:10.0 (hwirq 5)  ->  IR-0 (hwirq 69)  ->  VECTOR (hwirq ...)
 *                   outermost domain                                     root domain
 *
 * Life in two phases: allocating reserves numbers and touches no hardware, so it can be undone; activating makes the
 * hardware able to deliver, and may fail, and the error reaches who asked.
 *
 * Dispatch (ontb_irq_dispatch(), ontb_irq_desc_handle()) takes no lock: numbers are looked up under RCU, and an interrupt's
 * state is one atomic word.
 */
#ifndef OPENNTB_IRQ_H
#define OPENNTB_IRQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/cpumask.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longest name of a domain, chip or handler that is kept, with its NUL. */
#define ONTB_IRQ_NAME 48

struct ontb_irq_system;
struct ontb_irq_domain;
struct ontb_irq_desc;
struct ontb_msi_parent;
struct ontb_worker_pool;

/**
 * struct ontb_msi_msg - what a device writes to raise an interrupt
 * @addr: Address.
 * @data: Value.
 */
struct ontb_msi_msg {
	uint64_t addr;
	uint32_t data;
};

/**
 * enum ontb_bus_token - which kind of interrupts a domain is for
 * @ONTB_BUS_ANY:      Nothing said.
 * @ONTB_BUS_VECTOR:   CPU vectors, the root of a host.
 * @ONTB_BUS_REMAP:    Interrupt remapping of an IOMMU.
 * @ONTB_BUS_PCI_MSI:  A function's MSI capability.
 * @ONTB_BUS_PCI_MSIX: A function's MSI-X table.
 * @ONTB_BUS_NTB:      Interrupts that a peer raises through a bridge's window.
 * @ONTB_BUS_DEVICE:   Any device that stores messages in its own way.
 * @ONTB_BUS_CASCADE:  Behind a handler of another interrupt.
 */
enum ontb_bus_token {
	ONTB_BUS_ANY,
	ONTB_BUS_VECTOR,
	ONTB_BUS_REMAP,
	ONTB_BUS_PCI_MSI,
	ONTB_BUS_PCI_MSIX,
	ONTB_BUS_NTB,
	ONTB_BUS_DEVICE,
	ONTB_BUS_CASCADE,
};

/**
 * enum ontb_irq_flow - in which order a chip's operations and the handlers run
 * @ONTB_IRQ_SIMPLE:  Handlers only.
 * @ONTB_IRQ_EDGE:    Acknowledge, then handlers; an edge that comes meanwhile runs them again.
 * @ONTB_IRQ_LEVEL:   Mask and acknowledge, handlers, unmask.
 * @ONTB_IRQ_FASTEOI: Handlers, then end of interrupt.
 * @ONTB_IRQ_NESTED:  Called from the thread of another interrupt's handler; only thread functions run.
 */
enum ontb_irq_flow {
	ONTB_IRQ_SIMPLE,
	ONTB_IRQ_EDGE,
	ONTB_IRQ_LEVEL,
	ONTB_IRQ_FASTEOI,
	ONTB_IRQ_NESTED,
};

/**
 * enum ontb_irq_trigger - what signals the interrupt
 * @ONTB_IRQ_TRIGGER_NONE:  Nothing said; keeps what is set.
 * @ONTB_IRQ_TRIGGER_EDGE:  An edge or a message.
 * @ONTB_IRQ_TRIGGER_LEVEL: A level.
 */
enum ontb_irq_trigger {
	ONTB_IRQ_TRIGGER_NONE,
	ONTB_IRQ_TRIGGER_EDGE,
	ONTB_IRQ_TRIGGER_LEVEL,
};

/**
 * struct ontb_irq_data - an interrupt as one domain of its hierarchy sees it
 * @virq:      Number. Constant.
 * @level:     How many domains lie outside of @domain: 0 in the outermost. Constant.
 * @hwirq:     Number in @domain. Constant after allocation.
 * @chip:      Chip, may be NULL in a domain that only translates. Constant after allocation.
 * @domain:    Domain. Constant.
 * @parent:    The same interrupt in the parent domain, NULL at the root. Constant.
 * @chip_data: The domain's own. Constant after allocation.
 *
 * See ontb_irq_data_desc() for the whole interrupt.
 */
struct ontb_irq_data {
	unsigned int virq;
	unsigned int level;
	uint64_t hwirq;
	const struct ontb_irq_chip *chip;
	struct ontb_irq_domain *domain;
	struct ontb_irq_data *parent;
	void *chip_data;
};

/* What struct ontb_irq_chip.set_affinity returns besides errors. */
#define ONTB_IRQ_SET_OK	       0 /* the target changed, messages stay valid: nobody has to be told */
#define ONTB_IRQ_SET_MOVED     1 /* the message changed: the outermost chip has to write or publish the new one */
#define ONTB_IRQ_SET_UNCHANGED 2 /* the present target is in the mask already */

/**
 * struct ontb_irq_drain - wait until what has arrived is in the hands of handlers; memory of who waits
 * @next:         The root domain's while it is under way.
 * @done:         Called once, perhaps in a handler; must not block.
 * @cpus:         CPUs where messages may be pending; filled by ontb_irq_drain_add(), emptied on the way.
 * @nr_stops:     The root domain's: CPUs that had stopped when it looked at @cpus last.
 * @is_seen:      The root domain's: a CPU has begun to take what is pending.
 * @is_under_way: The root domain's: done() is to be called.
 *
 * All zero at first.
 */
struct ontb_irq_drain {
	struct ontb_irq_drain *next;
	void (*done)(struct ontb_irq_drain *drain);
	struct ontb_cpumask cpus;
	uint64_t nr_stops;
	bool is_seen;
	bool is_under_way;
};

/**
 * struct ontb_irq_chip - operations of an interrupt controller
 *
 * An operation that is NULL is left to the next chip on the way to the root that has it, except @write_msg: the first
 * chip that has it is the one that stores messages. ontb_irq_chip_*_parent() are for operations that do something
 * themselves and then hand on.
 *
 * @ack, @eoi, @mask and @unmask are called without a lock: from dispatch, on the CPU that ontb_irq_this_cpu() gives; @mask
 * and @unmask also from who enables, requests or frees, in any thread. @mask and @unmask of one interrupt never run at the
 * same time, and alternate; an interrupt is masked when it is allocated. The others are called in any thread with the
 * interrupt's slow lock held, and must not call functions of this header that take it (those that change an interrupt).
 */
struct ontb_irq_chip {
	/** @name: Shown in listings. */
	const char *name;
	/** @ack: The message or edge is taken; further ones must be noticed from now on. */
	void (*ack)(struct ontb_irq_data *data);
	/** @eoi: The handlers have run. */
	void (*eoi)(struct ontb_irq_data *data);
	/** @mask: Deliver nothing until @unmask; what comes may be remembered or lost, as the hardware has it. */
	void (*mask)(struct ontb_irq_data *data);
	/** @unmask: Deliver again. */
	void (*unmask)(struct ontb_irq_data *data);
	/** @retrigger: Raise the interrupt as if the device had, on a CPU, not in this call. Return: true if that was done. */
	bool (*retrigger)(struct ontb_irq_data *data);
	/** @set_type: Choose the trigger. Return: 0, or -EINVAL if it cannot. */
	int (*set_type)(struct ontb_irq_data *data, enum ontb_irq_trigger trigger);
	/**
	 * @set_affinity: Deliver to a CPU of @mask, which has one that is online. What was the target before must go on
	 * working until move_done().
	 * Return: ONTB_IRQ_SET_*, or -ENOSPC (no vector there), -EBUSY (the last move is not done), -EINVAL.
	 */
	int (*set_affinity)(struct ontb_irq_data *data, const struct ontb_cpumask *mask);
	/** @move_done: No message composed before the last set_affinity() can arrive any more: the old target may go. */
	void (*move_done)(struct ontb_irq_data *data);
	/** @compose_msg: The message that raises this interrupt; only after activation. Return: 0 or -errno. */
	int (*compose_msg)(struct ontb_irq_data *data, struct ontb_msi_msg *msg);
	/** @pending_cpus: Add to @drain->cpus where a message of this interrupt that has arrived may be pending. */
	void (*pending_cpus)(struct ontb_irq_data *data, struct ontb_irq_drain *drain);
	/**
	 * @write_msg: Put a message where the device finds it. @msg is NULL on deactivation: there is none any more.
	 * Return: 0 if none of the earlier messages can arrive any more when it returns; -EINPROGRESS if holders have to
	 * be told first, and then ontb_irq_move_complete() is called once, when they all have confirmed the last message
	 * (or its absence: then deactivation goes on only after that); another error if the message could not be stored.
	 */
	int (*write_msg)(struct ontb_irq_data *data, const struct ontb_msi_msg *msg);
};

/**
 * struct ontb_irq_domain_ops - what a domain does
 *
 * Called with the system's allocation lock held (@alloc, @free) or the interrupt's slow lock (@activate, @deactivate).
 */
struct ontb_irq_domain_ops {
	/**
	 * @alloc: Reserve hardware numbers for @nr interrupts from @virq on: call ontb_irq_domain_alloc_parent() if there is
	 * a parent, then ontb_irq_domain_set_info() for each. On an error undo everything.
	 */
	int (*alloc)(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg);
	/**
	 * @free: Undo @alloc, with ontb_irq_domain_free_parent() if there is a parent. A dispatch that looked an interrupt
	 * up before may still call @ack, @mask or @eoi of its chip: what these follow from chip_data has to live until a
	 * grace period of RCU is over, or as long as the domain.
	 */
	void (*free)(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr);
	/** @activate: Make the hardware able to deliver. The parent has been activated already. May be NULL. */
	int (*activate)(struct ontb_irq_domain *domain, struct ontb_irq_data *data);
	/** @deactivate: Undo @activate, and a move that is not done; the parent follows. May be NULL. */
	void (*deactivate)(struct ontb_irq_domain *domain, struct ontb_irq_data *data);
	/**
	 * @drain: Root domains: call @drain->done when every CPU of @drain->cpus has taken what was pending there now. No lock
	 * held. NULL if nothing can be pending between a controller and a CPU.
	 */
	void (*drain)(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain);
	/** @drain_cancel: Forget a drain; on return done() does not run and will not. NULL if @drain is. */
	void (*drain_cancel)(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain);
};

/**
 * struct ontb_irq_system_config - what a host is like
 * @name:    For log lines; copied.
 * @nr_cpus: CPUs, 1..ONTB_MAX_CPUS; all are online at first.
 * @max_irqs: Highest number, 1..16 Mi; numbers start at 1, 0 is no interrupt.
 * @workers: Where threaded handlers run, see ontb_worker_pool_new(), and what an interrupt missed while it was disabled if
 *           its chips cannot raise it again. Borrowed, outlives the system. NULL: no threads can be requested, and what was
 *           missed is handled in the thread that enables.
 */
struct ontb_irq_system_config {
	const char *name;
	unsigned int nr_cpus;
	unsigned int max_irqs;
	struct ontb_worker_pool *workers;
};

/* struct ontb_irq_domain_config.flags */
#define ONTB_IRQ_DOMAIN_STAY_ACTIVE (1U << 0) /* activated by its owner, not by request and free */

/**
 * struct ontb_irq_domain_config - a domain
 * @name:       Shown; copied.
 * @token:      Kind.
 * @parent:     Parent domain, NULL for a root; outlives the domain.
 * @size:       Hardware numbers 0..size-1 have a linear reverse map; 0 makes a sparse one.
 * @flags:      ONTB_IRQ_DOMAIN_*.
 * @ops:        Operations; constant over the life of the domain.
 * @data:       For the owner, see ontb_irq_domain_data().
 * @msi_parent: If device domains may be made below it, see openntb/msi.h; NULL otherwise.
 */
struct ontb_irq_domain_config {
	const char *name;
	enum ontb_bus_token token;
	struct ontb_irq_domain *parent;
	unsigned int size;
	unsigned int flags;
	const struct ontb_irq_domain_ops *ops;
	void *data;
	const struct ontb_msi_parent *msi_parent;
};

/**
 * ontb_irq_system_new() - start with no interrupts
 * @config: What the host is like; copied.
 * @out:    OUT.
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EINVAL  a value is outside its range.
 *         -ENOMEM  no memory.
 *         other    starting the thread of a worker failed.
 */
int ontb_irq_system_new(const struct ontb_irq_system_config *config, struct ontb_irq_system **out);

/**
 * ontb_irq_system_free() - free a system without domains
 * @sys: System or NULL. A domain that still exists is a fault of the caller: it is logged and leaks.
 *
 * Context: Nobody dispatches any more. Waits for RCU.
 */
void ontb_irq_system_free(struct ontb_irq_system *sys);

/**
 * ontb_irq_system_nr_cpus() - CPUs of the host
 * @sys: System.
 *
 * Return: As configured.
 */
unsigned int ontb_irq_system_nr_cpus(const struct ontb_irq_system *sys);

/**
 * ontb_irq_cpu_online() - CPUs that interrupts may go to
 * @sys: System.
 *
 * Context: Any thread; no common moment with other calls.
 * Return: The set.
 */
struct ontb_cpumask ontb_irq_cpu_online(const struct ontb_irq_system *sys);

/**
 * ontb_irq_cpu_set_online() - let interrupts go to a CPU, or not
 * @sys:    System.
 * @cpu:    CPU.
 * @online: Whether set_affinity() and allocation may choose it.
 *
 * Taking one off moves nothing; see ontb_irq_cpu_evacuate().
 *
 * Context: Any thread. Takes the allocation lock.
 * Return: 0, or
 *         -ERANGE  no such CPU.
 *         -EBUSY   it is the last one.
 */
int ontb_irq_cpu_set_online(struct ontb_irq_system *sys, unsigned int cpu, bool online);

/**
 * ontb_irq_cpu_evacuate() - move every interrupt away from a CPU that is off line
 * @sys:        System.
 * @cpu:        CPU, see ontb_irq_cpu_set_online(). It must go on taking interrupts until this returns 0.
 * @timeout_ns: How long to wait for moves that holders of messages have to confirm.
 *
 * An interrupt whose affinity has no other CPU on line goes to any; its affinity stays as it was set.
 *
 * Context: Not a handler. Blocks.
 * Return: 0 (nothing is delivered there any more), or
 *         -ETIMEDOUT  a move was not confirmed in time.
 *         -ENOSPC     an interrupt found no place elsewhere; it stays where it is.
 *         other       a chip refused; likewise.
 */
int ontb_irq_cpu_evacuate(struct ontb_irq_system *sys, unsigned int cpu, uint64_t timeout_ns);

/**
 * ontb_irq_domain_new() - add a domain
 * @sys:    System.
 * @config: What it is; copied.
 * @out:    OUT.
 *
 * Context: Any thread. Takes the allocation lock.
 * Return: 0, or
 *         -EINVAL  no ops or one of alloc and free missing, no name, a parent of another system, more than ONTB_IRQ_MAX_DEPTH
 *                  domains up to the root, or a size above 16 Mi.
 *         -ENOMEM  no memory.
 */
int ontb_irq_domain_new(struct ontb_irq_system *sys, const struct ontb_irq_domain_config *config,
			struct ontb_irq_domain **out);

/**
 * ontb_irq_domain_free() - remove a domain
 * @domain: Domain or NULL.
 *
 * Context: Not a handler. Waits for RCU.
 * Return: 0, or
 *         -EBUSY  it still has interrupts or child domains; nothing changed.
 */
int ontb_irq_domain_free(struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_data() - the owner's pointer
 * @domain: Domain.
 *
 * Return: As configured.
 */
void *ontb_irq_domain_data(const struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_name() - name of a domain
 * @domain: Domain.
 *
 * Return: Text that lives as long as the domain.
 */
const char *ontb_irq_domain_name(const struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_token() - kind of a domain
 * @domain: Domain.
 *
 * Return: Kind.
 */
enum ontb_bus_token ontb_irq_domain_token(const struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_parent() - parent of a domain
 * @domain: Domain.
 *
 * Return: Parent, NULL at the root.
 */
struct ontb_irq_domain *ontb_irq_domain_parent(const struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_system() - the system that a domain belongs to
 * @domain: Domain.
 *
 * Return: System.
 */
struct ontb_irq_system *ontb_irq_domain_system(const struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_msi_parent() - what an MSI parent says of itself
 * @domain: Domain.
 *
 * Return: As configured; NULL if no device domain can be made below it.
 */
const struct ontb_msi_parent *ontb_irq_domain_msi_parent(const struct ontb_irq_domain *domain);

/**
 * ontb_irq_domain_alloc() - reserve interrupts
 * @domain: Outermost domain.
 * @nr:     How many, with consecutive numbers.
 * @affinity: Where they may go, NULL for anywhere. Copied.
 * @arg:    Handed to ontb_irq_domain_ops.alloc of @domain and, by ontb_irq_domain_alloc_parent(), to its parents.
 *
 * Context: Any thread, not a handler. Takes the allocation lock.
 * Return: First number (> 0), or
 *         -EINVAL  @nr is 0, no CPU of @affinity exists, or a domain's alloc() left out ontb_irq_domain_set_info().
 *         -ENOSPC  no numbers left, here or in a parent.
 *         -ENOMEM  no memory.
 *         other    what a domain's alloc() said; everything is undone.
 */
int ontb_irq_domain_alloc(struct ontb_irq_domain *domain, unsigned int nr, const struct ontb_cpumask *affinity,
			  void *arg);

/**
 * ontb_irq_domain_release() - give interrupts back
 * @domain: Outermost domain.
 * @virq:   First number.
 * @nr:     How many.
 *
 * Deactivates those that are active. Their memory lives until every dispatch that may have looked them up has ended.
 *
 * Context: Any thread, not a handler, nor a thread function of an ONTB_IRQ_NESTED interrupt. Takes the allocation lock. Waits for handlers that run.
 * Return: 0, or
 *         -ENOENT  one of them is not an interrupt of @domain; nothing changed.
 *         -EBUSY   one of them still has a handler, and nothing changed; or the holders of a message have not confirmed yet
 *                  that it is withdrawn (see ontb_irq_chip.write_msg): all are inactive or about to be, and it can be
 *                  tried again after ontb_irq_move_wait().
 */
int ontb_irq_domain_release(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr);

/**
 * ontb_irq_domain_alloc_parent() - for ontb_irq_domain_ops.alloc: reserve in the parent
 * @domain: Domain whose alloc() runs.
 * @virq:   First number.
 * @nr:     How many.
 * @arg:    For the parent's alloc().
 *
 * Return: 0, or what the parent said.
 */
int ontb_irq_domain_alloc_parent(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg);

/**
 * ontb_irq_domain_free_parent() - for ontb_irq_domain_ops.free: give back in the parent
 * @domain: Domain whose free() runs.
 * @virq:   First number.
 * @nr:     How many.
 */
void ontb_irq_domain_free_parent(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr);

/**
 * ontb_irq_domain_set_info() - for ontb_irq_domain_ops.alloc: say what an interrupt is in this domain
 * @domain:    Domain whose alloc() runs.
 * @virq:      Number.
 * @hwirq:     Hardware number, not used in this domain yet; below the size of a linear map.
 * @chip:      Chip or NULL.
 * @chip_data: For the chip.
 *
 * Return: 0, or
 *         -EEXIST  the hardware number is taken.
 *         -ERANGE  it is outside a linear map.
 *         -ENOMEM  no memory for the reverse map.
 */
int ontb_irq_domain_set_info(struct ontb_irq_domain *domain, unsigned int virq, uint64_t hwirq,
			     const struct ontb_irq_chip *chip, void *chip_data);

/**
 * ontb_irq_domain_set_flow() - for ontb_irq_domain_ops.alloc: how the interrupt is handled
 * @domain: Domain whose alloc() runs; the outermost one that says something decides.
 * @virq:   Number.
 * @flow:   Flow; ONTB_IRQ_SIMPLE unless said.
 */
void ontb_irq_domain_set_flow(struct ontb_irq_domain *domain, unsigned int virq, enum ontb_irq_flow flow);

/**
 * ontb_irq_data_of() - an interrupt as a domain sees it
 * @domain: A domain of its hierarchy.
 * @virq:   Number.
 *
 * Context: Whoever keeps the interrupt from being released: its owner, or a callback for it.
 * Return: The data, or NULL if the interrupt does not pass through @domain.
 */
struct ontb_irq_data *ontb_irq_data_of(struct ontb_irq_domain *domain, unsigned int virq);

/**
 * ontb_irq_data_desc() - the whole interrupt
 * @data: Any data of it.
 *
 * Context: Any.
 * Return: The descriptor.
 */
struct ontb_irq_desc *ontb_irq_data_desc(const struct ontb_irq_data *data);

/**
 * ontb_irq_find() - number of a hardware number
 * @domain: Domain.
 * @hwirq:  Hardware number.
 *
 * Context: Any thread; takes no lock.
 * Return: Number, or 0 if there is none.
 */
unsigned int ontb_irq_find(const struct ontb_irq_domain *domain, uint64_t hwirq);

/**
 * ontb_irq_activate() - make the hardware able to deliver
 * @sys:  System.
 * @virq: Number. Active already is fine.
 *
 * From the root outwards; if one domain fails, those before it are undone. Then the message is written.
 *
 * Context: Any thread, not a handler. Takes the interrupt's slow lock.
 * Return: 0, or
 *         -ENOENT  no such interrupt.
 *         -EBUSY   holders of its last message have not confirmed yet that it is withdrawn.
 *         other    what a domain said, -ENOSPC for instance when CPU vectors have run out, or its chip about the message.
 */
int ontb_irq_activate(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_deactivate() - undo ontb_irq_activate()
 * @sys:  System.
 * @virq: Number without a handler. Inactive already is fine.
 *
 * Context: As ontb_irq_activate().
 * Return: 0 (done, or under way until holders of its message have confirmed: see ontb_irq_move_wait()), -ENOENT, or
 *         -EBUSY  it has a handler.
 */
int ontb_irq_deactivate(struct ontb_irq_system *sys, unsigned int virq);

/**
 * enum ontb_irq_return - what a handler says
 * @ONTB_IRQ_NONE:    It was not this device.
 * @ONTB_IRQ_HANDLED: Done.
 * @ONTB_IRQ_WAKE:    Run the thread function.
 */
enum ontb_irq_return {
	ONTB_IRQ_NONE,
	ONTB_IRQ_HANDLED,
	ONTB_IRQ_WAKE,
};

/**
 * typedef ontb_irq_handler - a handler or thread function
 * @virq: Number.
 * @dev:  As in the request.
 *
 * Return: What it found.
 */
typedef enum ontb_irq_return ontb_irq_handler(unsigned int virq, void *dev);

/* struct ontb_irq_request.flags */
#define ONTB_IRQ_SHARED	   (1U << 0) /* others may request it too, all with this flag and the same trigger */
#define ONTB_IRQ_NO_ENABLE (1U << 1) /* stays disabled until ontb_irq_enable() */
#define ONTB_IRQ_ONESHOT   (1U << 2) /* masked until the thread function is done */

/**
 * struct ontb_irq_request - a handler
 * @handler: Runs in dispatch, no lock held, never twice at the same time for one interrupt; NULL with @thread: wakes it.
 * @thread:  Runs in a thread of its own, may block; NULL if there is none.
 * @dev:     For both, and the name of this handler when it is freed; not NULL if shared.
 * @name:    Shown; copied.
 * @flags:   ONTB_IRQ_*.
 * @trigger: Wanted trigger.
 */
struct ontb_irq_request {
	ontb_irq_handler *handler;
	ontb_irq_handler *thread;
	void *dev;
	const char *name;
	unsigned int flags;
	enum ontb_irq_trigger trigger;
};

/**
 * ontb_irq_request() - install a handler, activate and enable the interrupt
 * @sys:     System.
 * @virq:    Number.
 * @request: Handler; copied.
 *
 * Context: Any thread, not a handler. Takes the interrupt's slow lock.
 * Return: 0, or
 *         -ENOENT  no such interrupt.
 *         -EINVAL  neither handler nor thread, no name, shared without @dev, a trigger that the chip refuses, a thread without
 *                  workers, oneshot without a thread, or none for ONTB_IRQ_NESTED.
 *         -EBUSY   it has a handler and not all say shared, with the same trigger and the same word on oneshot; it is chained;
 *                  or this @dev has one.
 *         -ENOSPC  more than 1024 handlers.
 *         -ENOMEM  no memory.
 *         other    activation failed, or starting the thread; nothing changed.
 */
int ontb_irq_request(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_irq_request *request);

/**
 * ontb_irq_free() - remove a handler
 * @sys:  System.
 * @virq: Number.
 * @dev:  As in the request.
 *
 * On return neither handler nor thread runs or will run. The last one masks and deactivates (unless the outermost
 * domain says stay active).
 *
 * Context: Not a handler or thread function of this interrupt. Waits for those that run.
 * Return: 0, or
 *         -ENOENT  no such interrupt, or no handler of @dev.
 */
int ontb_irq_free(struct ontb_irq_system *sys, unsigned int virq, void *dev);

/**
 * ontb_irq_is_requested() - whether an interrupt has a handler or is chained
 * @sys:  System.
 * @virq: Number.
 *
 * Context: Any thread, not a handler; no common moment with other calls.
 * Return: False too if there is no such interrupt.
 */
bool ontb_irq_is_requested(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_set_chained() - let a function take an interrupt apart (a cascade)
 * @sys:     System.
 * @virq:    Number without a handler.
 * @handler: Called in dispatch instead of a flow handler, between the chip's ack() and eoi(); calls
 *           ontb_irq_dispatch() for the interrupts behind it. NULL removes it and waits for one that runs.
 * @dev:     For @handler.
 *
 * Context: Not a handler. Takes the interrupt's slow lock.
 * Return: 0, -ENOENT (also if none is to be removed), -EBUSY (has handlers), -EINVAL (ONTB_IRQ_NESTED), -ENOMEM, or what
 * activation said.
 */
int ontb_irq_set_chained(struct ontb_irq_system *sys, unsigned int virq, ontb_irq_handler *handler, void *dev);

/**
 * ontb_irq_disable() - let handlers not run, and wait for those that do
 * @sys:  System.
 * @virq: Number. Nests: as many enables follow.
 *
 * An edge that arrives meanwhile is kept and delivered by the last ontb_irq_enable().
 *
 * Context: Not a handler or thread function of this interrupt (ontb_irq_disable_nosync() may be called there).
 * Return: As ontb_irq_disable_nosync().
 */
int ontb_irq_disable(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_disable_nosync() - ontb_irq_disable() without waiting
 * @sys:  System.
 * @virq: Number.
 *
 * Context: Any, also a handler. Takes no lock.
 * Return: 0, -ENOENT, or
 *         -EOVERFLOW  disabled 65,535 times already.
 */
int ontb_irq_disable_nosync(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_enable() - undo one disable
 * @sys:  System.
 * @virq: Number.
 *
 * Context: Any, also a handler. Takes no lock. In a system without workers it may run the handlers of this interrupt.
 * Return: 0, -ENOENT, or
 *         -EINVAL  it is not disabled.
 */
int ontb_irq_enable(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_synchronize() - wait until neither handler nor thread function of an interrupt runs
 * @sys:  System.
 * @virq: Number.
 *
 * Context: Not a handler or thread function of this interrupt.
 * Return: 0 or -ENOENT.
 */
int ontb_irq_synchronize(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_set_affinity() - choose where an interrupt goes
 * @sys:  System.
 * @virq: Number.
 * @mask: CPUs, at least one of them on line. Kept, also for later activations.
 *
 * While an earlier move is not confirmed by all holders of the message (see ontb_irq_chip.write_msg), the new wish is
 * kept and done after it.
 *
 * Context: Any thread, not a handler. Takes the interrupt's slow lock.
 * Return: 0 (done, or under way: see ontb_irq_move_wait()), or
 *         -ENOENT  no such interrupt.
 *         -EINVAL  no CPU of @mask is on line.
 *         -ENOSPC  no vector free on them; the interrupt stays where it is.
 *         -ENOMEM  no memory to keep @mask.
 *         -EOPNOTSUPP  no chip of the hierarchy can.
 *         other    what a chip said. If its write_msg() failed, both old and new target are valid, and a later call
 *                  writes the message again first.
 */
int ontb_irq_set_affinity(struct ontb_irq_system *sys, unsigned int virq, const struct ontb_cpumask *mask);

/**
 * ontb_irq_set_effective() - for chips: say where an interrupt goes now
 * @data: Any data of the interrupt.
 * @cpu:  CPU.
 *
 * Context: From activate() or set_affinity() of its domains and chips.
 */
void ontb_irq_set_effective(struct ontb_irq_data *data, unsigned int cpu);

/**
 * ontb_irq_affinity() - for domains and chips: where an interrupt may go
 * @data: Any data of the interrupt.
 *
 * Context: From alloc(), activate() or set_affinity().
 * Return: The set as asked for, not reduced to CPUs on line.
 */
struct ontb_cpumask ontb_irq_affinity(const struct ontb_irq_data *data);

/**
 * ontb_irq_move_complete() - every holder of the old message has confirmed
 * @data: Any data of the interrupt, whose write_msg() returned -EINPROGRESS.
 *
 * Hands move_done() down the hierarchy and starts a move that was asked for meanwhile; or goes on with deactivation, if it
 * was the absence of a message that they confirmed. Does nothing if nothing waits for it.
 *
 * Context: Any thread, not a handler, not inside a chip operation. Takes the interrupt's slow lock.
 */
void ontb_irq_move_complete(struct ontb_irq_data *data);

/**
 * ontb_irq_move_wait() - wait until no move is under way
 * @sys:        System.
 * @virq:       Number.
 * @timeout_ns: How long; 0 only looks.
 *
 * Context: Not a handler. Blocks.
 * Return: 0, -ENOENT or -ETIMEDOUT.
 */
int ontb_irq_move_wait(struct ontb_irq_system *sys, unsigned int virq, uint64_t timeout_ns);

/**
 * ontb_irq_drain_add() - have a drain wait for what has arrived for an interrupt
 * @drain: Drain that is not under way.
 * @data:  Outermost data of the interrupt.
 *
 * Also for what was kept while it was disabled, if it is not any more.
 *
 * Context: Any thread, not a handler, no chip operation, no lock that a handler takes. Waits for the worker that raises such again.
 */
void ontb_irq_drain_add(struct ontb_irq_drain *drain, struct ontb_irq_data *data);

/**
 * ontb_irq_drain_start() - wait until handlers have been run for all that has arrived
 * @domain: A domain of the interrupts that were added.
 * @drain:  Drain; its memory stays until done() or ontb_irq_drain_cancel().
 * @done:   Called once: in this call if there is nothing to wait for, otherwise perhaps in a handler.
 *
 * Between a controller that has taken a message and the CPU that runs its handler lies time. Who knows that no more messages come
 * uses this to know that none is on its way inside either.
 *
 * Context: Any thread, not a handler. Does not wait.
 */
void ontb_irq_drain_start(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain,
			  void (*done)(struct ontb_irq_drain *drain));

/**
 * ontb_irq_drain_cancel() - wait no more
 * @domain: As for ontb_irq_drain_start().
 * @drain:  Drain; one that is done is fine.
 *
 * Context: Not a handler. On return done() does not run and will not.
 */
void ontb_irq_drain_cancel(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain);

/**
 * ontb_irq_compose() - the message that raises an interrupt now
 * @data: Outermost data of an active interrupt; the first chip on the way to the root that can compose does.
 * @msg:  OUT.
 *
 * Context: Its owner, or a callback for it.
 * Return: 0, -EOPNOTSUPP (no chip composes), or what the chip said.
 */
int ontb_irq_compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg);

/**
 * ontb_irq_rewrite() - write the present message again, for a device that has lost it
 * @sys:  System.
 * @virq: Number. Inactive is fine: it has no message.
 *
 * What write_msg() returns is not looked at: the message is no new one. A move that is under way goes on.
 *
 * Context: Any thread, not a handler. Takes the interrupt's slow lock.
 * Return: 0, -ENOENT, or what composing the message said.
 */
int ontb_irq_rewrite(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_dispatch() - a hardware number of a domain was raised
 * @domain: Domain.
 * @hwirq:  Hardware number.
 *
 * Context: A CPU, between ontb_irq_cpu_enter() and ontb_irq_cpu_leave(), or a chained handler. Takes no lock.
 * Return: 0, or
 *         -ENOENT  no interrupt has this number; counted as spurious.
 */
int ontb_irq_dispatch(struct ontb_irq_domain *domain, uint64_t hwirq);

/**
 * ontb_irq_desc_get() - the object behind a number, to keep in a vector table
 * @sys:  System.
 * @virq: Number.
 *
 * Context: Its owner, or inside ontb_irq_cpu_enter(). Valid until the interrupt is released and, for who read it in a
 * table inside cpu_enter(), until the matching cpu_leave().
 * Return: The descriptor, or NULL.
 */
struct ontb_irq_desc *ontb_irq_desc_get(struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_desc_handle() - run an interrupt
 * @desc: Descriptor.
 *
 * Context: As ontb_irq_dispatch().
 */
void ontb_irq_desc_handle(struct ontb_irq_desc *desc);

/**
 * ontb_irq_cpu_enter() - this thread is a CPU that takes interrupts now
 * @sys: System.
 * @cpu: CPU, below nr_cpus; one thread at a time.
 *
 * Also an RCU read-side section. Nests on the same CPU.
 *
 * Context: Any thread that does not hold a lock of this library.
 */
void ontb_irq_cpu_enter(struct ontb_irq_system *sys, unsigned int cpu);

/**
 * ontb_irq_cpu_leave() - undo ontb_irq_cpu_enter()
 * @sys: System.
 */
void ontb_irq_cpu_leave(struct ontb_irq_system *sys);

/**
 * ontb_irq_this_cpu() - which CPU runs this handler
 *
 * Context: Inside ontb_irq_cpu_enter().
 * Return: CPU number.
 */
unsigned int ontb_irq_this_cpu(void);

/**
 * ontb_irq_count_spurious() - for root domains: a vector that nobody has was raised
 * @sys: System.
 *
 * Context: Inside ontb_irq_cpu_enter().
 */
void ontb_irq_count_spurious(struct ontb_irq_system *sys);

/**
 * ontb_irq_chip_ack_parent() - hand ack() on to the next chip towards the root that has it
 * @data: As the chip got it.
 *
 * Context: From ack().
 */
void ontb_irq_chip_ack_parent(struct ontb_irq_data *data);

/**
 * ontb_irq_chip_eoi_parent() - hand eoi() on
 * @data: As the chip got it.
 *
 * Context: From eoi().
 */
void ontb_irq_chip_eoi_parent(struct ontb_irq_data *data);

/**
 * ontb_irq_chip_mask_parent() - hand mask() on
 * @data: As the chip got it.
 *
 * Context: From mask().
 */
void ontb_irq_chip_mask_parent(struct ontb_irq_data *data);

/**
 * ontb_irq_chip_unmask_parent() - hand unmask() on
 * @data: As the chip got it.
 *
 * Context: From unmask().
 */
void ontb_irq_chip_unmask_parent(struct ontb_irq_data *data);

/**
 * ontb_irq_chip_retrigger_parent() - hand retrigger() on
 * @data: As the chip got it.
 *
 * Context: From retrigger().
 * Return: What that chip said; false if there is none.
 */
bool ontb_irq_chip_retrigger_parent(struct ontb_irq_data *data);

/**
 * ontb_irq_chip_set_affinity_parent() - hand set_affinity() on
 * @data: As the chip got it.
 * @mask: CPUs.
 *
 * Context: From set_affinity().
 * Return: What that chip said; -EOPNOTSUPP if there is none.
 */
int ontb_irq_chip_set_affinity_parent(struct ontb_irq_data *data, const struct ontb_cpumask *mask);

/**
 * ontb_irq_chip_move_done_parent() - hand move_done() on
 * @data: As the chip got it.
 *
 * Context: From move_done(), or from set_affinity() of a chip whose own message does not change.
 */
void ontb_irq_chip_move_done_parent(struct ontb_irq_data *data);

#define ONTB_IRQ_MAX_DEPTH 8

/**
 * struct ontb_irq_status - snapshot of an interrupt
 * @virq:       Number.
 * @depth:      Domains in its hierarchy; entries of the following arrays, outermost first.
 * @domains:    Names of the domains.
 * @chips:      Names of the chips, "" where there is none.
 * @hwirqs:     Hardware numbers.
 * @token:      Kind of the outermost domain.
 * @flow:       Flow.
 * @handlers:   Names of the handlers, separated by ", ".
 * @affinity:   Where it may go.
 * @effective:  CPU it goes to, or ONTB_MAX_CPUS while it is inactive.
 * @is_active:  Activated.
 * @is_enabled: Not disabled.
 * @is_moving:  A move is not confirmed yet.
 * @has_msg:    @msg is valid.
 * @msg:        Present message.
 * @count:      How often it was handled, all CPUs.
 * @unhandled:  How often no handler wanted it, modulo 2^32.
 */
struct ontb_irq_status {
	unsigned int virq;
	unsigned int depth;
	char domains[ONTB_IRQ_MAX_DEPTH][ONTB_IRQ_NAME];
	char chips[ONTB_IRQ_MAX_DEPTH][ONTB_IRQ_NAME];
	uint64_t hwirqs[ONTB_IRQ_MAX_DEPTH];
	enum ontb_bus_token token;
	enum ontb_irq_flow flow;
	char handlers[2 * ONTB_IRQ_NAME];
	struct ontb_cpumask affinity;
	unsigned int effective;
	bool is_active;
	bool is_enabled;
	bool is_moving;
	bool has_msg;
	struct ontb_msi_msg msg;
	uint64_t count;
	uint64_t unhandled;
};

/**
 * ontb_irq_next() - walk over all interrupts
 * @sys:  System.
 * @virq: Number to start at.
 *
 * Context: Any thread.
 * Return: The first number >= @virq that is an interrupt, or 0.
 */
unsigned int ontb_irq_next(const struct ontb_irq_system *sys, unsigned int virq);

/**
 * ontb_irq_status() - look at an interrupt
 * @sys:    System.
 * @virq:   Number.
 * @status: OUT.
 *
 * Context: Any thread, not a handler. Takes the interrupt's slow lock.
 * Return: 0 or -ENOENT.
 */
int ontb_irq_status(struct ontb_irq_system *sys, unsigned int virq, struct ontb_irq_status *status);

/**
 * ontb_irq_count() - how often a CPU handled an interrupt
 * @sys:  System.
 * @virq: Number.
 * @cpu:  CPU.
 *
 * Context: Any thread; takes no lock.
 * Return: The count; 0 if there is no such interrupt or CPU.
 */
uint64_t ontb_irq_count(const struct ontb_irq_system *sys, unsigned int virq, unsigned int cpu);

/**
 * ontb_irq_spurious() - vectors raised that nobody has
 * @sys: System.
 *
 * Context: Any thread.
 * Return: How many, all CPUs.
 */
uint64_t ontb_irq_spurious(const struct ontb_irq_system *sys);

/**
 * struct ontb_irq_domain_status - snapshot of a domain
 * @name:    Name.
 * @parent:  Name of its parent, "" at the root.
 * @token:   Kind.
 * @nr_irqs: Interrupts that pass through it.
 * @size:    Of its linear map, 0 if sparse.
 */
struct ontb_irq_domain_status {
	char name[ONTB_IRQ_NAME];
	char parent[ONTB_IRQ_NAME];
	enum ontb_bus_token token;
	unsigned int nr_irqs;
	unsigned int size;
};

/**
 * ontb_irq_domains() - list all domains, parents before children
 * @sys:     System.
 * @domains: OUT, room for @max; may be NULL if @max is 0.
 * @max:     Entries.
 *
 * Context: Any thread, not a handler. Takes the allocation lock.
 * Return: How many there are (may exceed @max).
 */
unsigned int ontb_irq_domains(struct ontb_irq_system *sys, struct ontb_irq_domain_status *domains, unsigned int max);

/**
 * ontb_bus_token_name() - a kind as text
 * @token: Kind.
 *
 * Return: Constant text such as "PCI-MSIX".
 */
const char *ontb_bus_token_name(enum ontb_bus_token token);

#ifdef __cplusplus
}
#endif

#endif
