/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Message signalled interrupts of devices.
 *
 * A device has slots, and in each slot at most one domain of its own: its MSI-X table in one, messages that a peer sends for
 * it in another. All are children of the host's MSI parent (CPU vectors, or interrupt remapping), and none knows of the others:
 *
 *      VECTOR  <-  IR-0  <-  PCI-MSIX-00:02.0   slot 0
 *                        <-  NTB-00:02.0        slot 1
 *
 * A device domain is made from a template: the caller gives what only the device knows (how a message is stored), the
 * parent adds the rest or refuses. Descriptors stay inside; drivers get {index, interrupt number}.
 */
#ifndef OPENNTB_MSI_H
#define OPENNTB_MSI_H

#include <openntb/irq.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONTB_MSI_NR_SLOTS  4U
#define ONTB_MSI_MAX_INDEX 65535U /* indices are 0..ONTB_MSI_MAX_INDEX in each slot */
#define ONTB_MSI_ANY_INDEX (~0U)  /* "any index that is free" */
#define ONTB_MSI_MAX_RIDS  16U	  /* requester ids that a device may use */

struct ontb_msi_dev;

/**
 * struct ontb_msi_map - an interrupt as its driver sees it
 * @index: Index in the slot.
 * @virq:  Interrupt number.
 */
struct ontb_msi_map {
	unsigned int index;
	unsigned int virq;
};

/**
 * enum ontb_msi_message - what becomes of an interrupt's message
 * @ONTB_MSI_FIXED: It stays as it is from activation to deactivation; affinity changes elsewhere (remapping, ITS).
 * @ONTB_MSI_MOVES: An affinity change changes it (bare vectors, IMSIC).
 */
enum ontb_msi_message {
	ONTB_MSI_FIXED,
	ONTB_MSI_MOVES,
};

/**
 * enum ontb_msi_scope - over what a parent's own numbers are unique
 * @ONTB_MSI_SCOPE_GLOBAL: Over all devices below it (a VT-d table).
 * @ONTB_MSI_SCOPE_DEVICE: Over one device, all its slots together (AMD's tables, ITS).
 * @ONTB_MSI_SCOPE_CPU:    Over one CPU (vectors).
 */
enum ontb_msi_scope {
	ONTB_MSI_SCOPE_GLOBAL,
	ONTB_MSI_SCOPE_DEVICE,
	ONTB_MSI_SCOPE_CPU,
};

/* Features that a template may want and a parent may have. */
#define ONTB_MSI_FEATURE_CONTIGUOUS (1U << 0) /* several messages that differ in the low bits of their data (PCI MSI) */
#define ONTB_MSI_FEATURE_FIXED	    (1U << 1) /* messages that are ONTB_MSI_FIXED */
#define ONTB_MSI_FEATURE_ISOLATED   (1U << 2) /* messages of other requester ids are blocked */

/**
 * struct ontb_msi_alloc - what a parent's alloc() gets as its argument
 * @dev:           Device.
 * @slot:          Slot.
 * @index:         First index.
 * @nr:            How many, consecutive.
 * @is_contiguous: They must share address and upper data bits: see ONTB_MSI_FEATURE_CONTIGUOUS; then @nr is a power of two.
 * @cookie:        The caller's, see ontb_msi_cookie().
 */
struct ontb_msi_alloc {
	struct ontb_msi_dev *dev;
	unsigned int slot;
	unsigned int index;
	unsigned int nr;
	bool is_contiguous;
	void *cookie;
};

/**
 * struct ontb_msi_template - a device domain to be
 * @prefix:     Its name is this and the device's.
 * @token:      Kind.
 * @nr_indices: Hardware entries: indices are below it; 1..65536.
 * @features:   ONTB_MSI_FEATURE_* that it cannot do without.
 * @flow:       Flow; the parent may change it.
 * @flags:      ONTB_IRQ_DOMAIN_*.
 * @is_manual:  Descriptors are the caller's business: allocation gives numbers only to those that
 *              ontb_msi_insert_locked() made, and freeing leaves them, without a number, to
 *              ontb_msi_remove_locked(). False: they come and go with their numbers.
 * @chip:       Chip: @name and @write_msg must be given, @mask and @unmask if the device can. After the parent has
 *              completed it, @ack, @eoi, @set_affinity, @move_done and @retrigger that are still NULL hand on to the
 *              parent's chip; @mask and @unmask stay NULL if neither gives them.
 * @activate:   Before the first message is written; may be NULL.
 * @deactivate: After the message was withdrawn; may be NULL.
 * @data:       See ontb_irq_domain_data().
 */
struct ontb_msi_template {
	const char *prefix;
	enum ontb_bus_token token;
	unsigned int nr_indices;
	unsigned int features;
	enum ontb_irq_flow flow;
	unsigned int flags;
	bool is_manual;
	struct ontb_irq_chip chip;
	int (*activate)(struct ontb_irq_data *data);
	void (*deactivate)(struct ontb_irq_data *data);
	void *data;
};

/**
 * struct ontb_msi_parent - what a domain below which device domains can be made says of itself
 *
 * @init_domain, @prepare and @unprepare are called with the device's descriptor lock held: they must not call functions of
 * this header that take it.
 */
struct ontb_msi_parent {
	/** @message: Fixed or moving. */
	enum ontb_msi_message message;
	/** @is_isolated: Messages of requester ids other than the device's are blocked. */
	bool is_isolated;
	/** @scope: Of its own numbers. */
	enum ontb_msi_scope scope;
	/** @features: ONTB_MSI_FEATURE_* it has besides those that @message and @is_isolated say. */
	unsigned int features;
	/** @tokens: Kinds it accepts, bit 1 << token. */
	unsigned int tokens;
	/** @prefix: Put before the device domain's name, such as "IR-"; "" for none. */
	const char *prefix;
	/**
	 * @init_domain: Complete a copy of the template (chip, flow), or refuse. May be NULL: nothing to complete.
	 * Return: 0 or -EOPNOTSUPP, with a log line that says why.
	 */
	int (*init_domain)(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, struct ontb_msi_template *copy);
	/**
	 * @prepare: A domain of @nr indices is about to exist in a slot: reserve what must lie together. May be NULL.
	 * Return: 0, -ENOSPC, -ENOMEM.
	 */
	int (*prepare)(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot, unsigned int nr);
	/** @unprepare: Undo @prepare; the domain has no interrupts any more. May be NULL if @prepare is. */
	void (*unprepare)(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot);
	/**
	 * @message_range: Where all messages of a slot lie, over their whole life: half open [first, first + size). May be
	 * NULL: nobody knows.
	 */
	void (*message_range)(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot,
			      uint64_t *first, uint64_t *size);
};

/**
 * struct ontb_msi_dev_config - a device
 * @name:    Shown; copied. For PCI functions as in "0000:00:02.0".
 * @rids:    Requester ids that its messages may carry: its own first, then aliases (bridges, proxy ids of an NTB).
 * @nr_rids: How many, 1..ONTB_MSI_MAX_RIDS.
 * @parent:  MSI parent; outlives the device.
 */
struct ontb_msi_dev_config {
	const char *name;
	const uint16_t *rids;
	unsigned int nr_rids;
	struct ontb_irq_domain *parent;
};

/**
 * ontb_msi_dev_new() - give a device the ability to have message signalled interrupts
 * @config: Device; copied.
 * @out:    OUT.
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EINVAL  no name, no requester id or too many, or @config->parent is no MSI parent.
 *         -ENOMEM  no memory.
 */
int ontb_msi_dev_new(const struct ontb_msi_dev_config *config, struct ontb_msi_dev **out);

/**
 * ontb_msi_dev_free() - free a device, with all its interrupts and domains
 * @dev: Device or NULL. No interrupt of it has a handler, and nobody holds a message; where that is not so it is logged, and
 *       the interrupt leaks with its domain and @dev.
 *
 * Context: Not a handler.
 */
void ontb_msi_dev_free(struct ontb_msi_dev *dev);

/**
 * ontb_msi_dev_name() - name of a device
 * @dev: Device.
 *
 * Return: Text that lives as long as the device.
 */
const char *ontb_msi_dev_name(const struct ontb_msi_dev *dev);

/**
 * ontb_msi_dev_rids() - requester ids that a device's messages may carry
 * @dev:  Device.
 * @rids: OUT, room for ONTB_MSI_MAX_RIDS.
 *
 * Return: How many.
 */
unsigned int ontb_msi_dev_rids(const struct ontb_msi_dev *dev, uint16_t *rids);

/**
 * ontb_msi_dev_system() - interrupt system of a device
 * @dev: Device.
 *
 * Return: System of its parent domain.
 */
struct ontb_irq_system *ontb_msi_dev_system(const struct ontb_msi_dev *dev);

/**
 * ontb_msi_dev_parent() - MSI parent of a device
 * @dev: Device.
 *
 * Return: Domain.
 */
struct ontb_irq_domain *ontb_msi_dev_parent(const struct ontb_msi_dev *dev);

/**
 * ontb_msi_dev_set_parent_data() - let the parent keep something with a device
 * @dev:  Device.
 * @slot: Slot.
 * @data: The parent's.
 *
 * Context: From ontb_msi_parent.prepare() and unprepare().
 */
void ontb_msi_dev_set_parent_data(struct ontb_msi_dev *dev, unsigned int slot, void *data);

/**
 * ontb_msi_dev_parent_data() - what the parent kept
 * @dev:  Device.
 * @slot: Slot.
 *
 * Return: As set; NULL at first, and for a slot that does not exist.
 */
void *ontb_msi_dev_parent_data(const struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_domain_new() - make a device domain
 * @dev:      Device.
 * @slot:     Slot, free.
 * @tmpl:     What it is; copied.
 *
 * Context: Not a handler. Takes the device's descriptor lock.
 * Return: 0, or
 *         -ERANGE      no such slot.
 *         -EEXIST      the slot has a domain.
 *         -EINVAL      the template lacks something.
 *         -EOPNOTSUPP  the parent refuses the kind or lacks a feature; logged.
 *         -ENOSPC      the parent cannot reserve that many.
 *         -ENOMEM      no memory.
 */
int ontb_msi_domain_new(struct ontb_msi_dev *dev, unsigned int slot, const struct ontb_msi_template *tmpl);

/**
 * ontb_msi_domain_free() - remove a device domain and all its interrupts
 * @dev:  Device.
 * @slot: Slot; one without a domain is fine.
 *
 * Context: Not a handler. Takes the device's descriptor lock.
 * Return: 0, or
 *         -EBUSY   as ontb_msi_free_range(), or another domain stands on this one; the slot keeps its domain.
 *         -ERANGE  no such slot.
 *         -EINVAL  this thread holds the descriptor lock already; logged.
 */
int ontb_msi_domain_free(struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_domain() - the domain in a slot
 * @dev:  Device.
 * @slot: Slot.
 *
 * Interrupts of it come and go by the functions of this header only; ontb_irq_domain_alloc() is refused.
 *
 * Context: Any thread that keeps the domain from being freed; takes no lock.
 * Return: Domain, or NULL.
 */
struct ontb_irq_domain *ontb_msi_domain(const struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_message_range() - where all messages of a slot lie over their life
 * @dev:   Device.
 * @slot:  Slot with a domain.
 * @first: OUT, lowest address.
 * @size:  OUT, bytes.
 *
 * Return: 0, -ERANGE (no such slot or no domain), or -EOPNOTSUPP (the parent does not say).
 */
int ontb_msi_message_range(struct ontb_msi_dev *dev, unsigned int slot, uint64_t *first, uint64_t *size);

/**
 * ontb_msi_lock() - take a device's descriptor lock
 * @dev: Device.
 *
 * Between it and ontb_msi_unlock() the functions that end in _locked can be called; one that is called without the lock logs
 * an error and changes nothing, and so does one that wants to take the lock when this thread has it.
 *
 * Context: Not a handler. Not nested: that is logged, and then as many unlocks have to follow.
 */
void ontb_msi_lock(struct ontb_msi_dev *dev);

/**
 * ontb_msi_unlock() - release it
 * @dev: Device. If this thread does not hold the lock, that is logged and nothing happens.
 */
void ontb_msi_unlock(struct ontb_msi_dev *dev);

/**
 * ontb_msi_alloc_at() - allocate one interrupt
 * @dev:      Device.
 * @slot:     Slot with a domain.
 * @index:    Index, or ONTB_MSI_ANY_INDEX.
 * @affinity: Where it may go, NULL for anywhere.
 * @cookie:   For the chip, see ontb_msi_cookie().
 * @map:      OUT.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: 0, or
 *         -ERANGE  no such slot, no domain in it, or the index is outside it.
 *         -EBUSY   the index has an interrupt.
 *         -ENOENT  the domain is manual and the index has no descriptor.
 *         -ENOSPC  no index is free, or the parent has none left.
 *         -ENOMEM  no memory.
 *         -EINVAL  this thread holds the descriptor lock already; logged.
 *         other    what the parent said.
 */
int ontb_msi_alloc_at(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index,
		      const struct ontb_cpumask *affinity, void *cookie, struct ontb_msi_map *map);

/**
 * ontb_msi_alloc_at_locked() - ontb_msi_alloc_at() inside a section of the caller
 * @dev:      Device.
 * @slot:     Slot with a domain.
 * @index:    Index, or ONTB_MSI_ANY_INDEX.
 * @affinity: Where it may go, NULL for anywhere.
 * @cookie:   For the chip; NULL leaves that of a descriptor that is there already.
 * @map:      OUT.
 *
 * Context: Descriptor lock held. Not a handler.
 * Return: As ontb_msi_alloc_at(), or
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_alloc_at_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index,
			     const struct ontb_cpumask *affinity, void *cookie, struct ontb_msi_map *map);

/**
 * ontb_msi_alloc_range() - allocate all of a range
 * @dev:     Device.
 * @slot:    Slot with a domain.
 * @first:   First index.
 * @count:   How many; 0 does nothing.
 * @nr_done: OUT, how many were allocated before one failed, which are freed again; @count on success. NULL if nobody wants
 *           to know.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: 0, or as ontb_msi_alloc_at(); then everything is as it was before.
 */
int ontb_msi_alloc_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count,
			 unsigned int *nr_done);

/**
 * ontb_msi_alloc_range_locked() - ontb_msi_alloc_range() inside a section of the caller
 * @dev:     Device.
 * @slot:    Slot with a domain.
 * @first:   First index.
 * @count:   How many.
 * @nr_done: OUT or NULL.
 *
 * Context: Descriptor lock held. Not a handler.
 * Return: As ontb_msi_alloc_range(), or
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_alloc_range_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count,
				unsigned int *nr_done);

/**
 * ontb_msi_alloc_contiguous() - allocate messages that differ only in the low bits of their data
 * @dev:   Device.
 * @slot:  Slot whose template wants ONTB_MSI_FEATURE_CONTIGUOUS.
 * @count: Power of two; indices 0..count-1.
 *
 * They get consecutive interrupt numbers, and are freed only together.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: 0, or as ontb_msi_alloc_at(), or
 *         -EINVAL      @count is no power of two.
 *         -EOPNOTSUPP  the template did not ask for the feature.
 */
int ontb_msi_alloc_contiguous(struct ontb_msi_dev *dev, unsigned int slot, unsigned int count);

/**
 * ontb_msi_alloc_contiguous_locked() - ontb_msi_alloc_contiguous() inside a section of the caller
 * @dev:   Device.
 * @slot:  Slot whose template wants ONTB_MSI_FEATURE_CONTIGUOUS.
 * @count: Power of two.
 *
 * Context: Descriptor lock held. Not a handler.
 * Return: As ontb_msi_alloc_contiguous(), or
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_alloc_contiguous_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int count);

/**
 * ontb_msi_alloc_all() - allocate every index of a slot that is not allocated yet
 * @dev:  Device.
 * @slot: Slot with a domain; of a manual one, every descriptor without a number.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: 0, or as ontb_msi_alloc_at(); then only those that were there before are allocated.
 */
int ontb_msi_alloc_all(struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_alloc_all_locked() - ontb_msi_alloc_all() inside a section of the caller
 * @dev:  Device.
 * @slot: Slot with a domain.
 *
 * Context: Descriptor lock held. Not a handler.
 * Return: As ontb_msi_alloc_all(), or
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_alloc_all_locked(struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_free_range() - free those of a range that are allocated
 * @dev:   Device.
 * @slot:  Slot.
 * @first: First index.
 * @count: How many; clipped to the slot.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: 0, or
 *         -EBUSY   one has a handler, or a contiguous group would be torn; nothing changed, as long as nobody requests
 *                  interrupts of the range meanwhile. Or holders of a message have not confirmed that it is gone: such
 *                  interrupts are inactive and stay, the others are freed; try again after ontb_irq_move_wait().
 *         -ERANGE  no such slot, or no domain in it.
 *         -EINVAL  this thread holds the descriptor lock already; logged.
 */
int ontb_msi_free_range(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count);

/**
 * ontb_msi_free_range_locked() - ontb_msi_free_range() inside a section of the caller
 * @dev:   Device.
 * @slot:  Slot.
 * @first: First index.
 * @count: How many.
 *
 * Context: Descriptor lock held. Not a handler.
 * Return: As ontb_msi_free_range(), or
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_free_range_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int first, unsigned int count);

/**
 * ontb_msi_free_all() - free every interrupt of a slot
 * @dev:  Device.
 * @slot: Slot.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: As ontb_msi_free_range().
 */
int ontb_msi_free_all(struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_free_all_locked() - ontb_msi_free_all() inside a section of the caller
 * @dev:  Device.
 * @slot: Slot.
 *
 * Context: Descriptor lock held. Not a handler.
 * Return: As ontb_msi_free_range(), or
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_free_all_locked(struct ontb_msi_dev *dev, unsigned int slot);

/**
 * ontb_msi_virq() - interrupt number of an index
 * @dev:   Device.
 * @slot:  Slot.
 * @index: Index.
 *
 * Context: Any thread; takes no lock.
 * Return: Number, or 0.
 */
unsigned int ontb_msi_virq(const struct ontb_msi_dev *dev, unsigned int slot, unsigned int index);

/**
 * enum ontb_msi_filter - which descriptors to walk over
 * @ONTB_MSI_ALL:            All.
 * @ONTB_MSI_NOT_ASSOCIATED: Those without an interrupt number.
 * @ONTB_MSI_ASSOCIATED:     Those with one.
 */
enum ontb_msi_filter {
	ONTB_MSI_ALL,
	ONTB_MSI_NOT_ASSOCIATED,
	ONTB_MSI_ASSOCIATED,
};

/**
 * ontb_msi_insert_locked() - make a descriptor without an interrupt number yet
 * @dev:    Device.
 * @slot:   Slot with a domain.
 * @index:  Index.
 * @cookie: See ontb_msi_cookie().
 *
 * The functions that allocate then give it one.
 *
 * Context: Descriptor lock held.
 * Return: 0, or
 *         -ERANGE  no such slot, no domain in it, or the index is outside it.
 *         -EBUSY   the index has a descriptor.
 *         -ENOMEM  no memory.
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_insert_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index, void *cookie);

/**
 * ontb_msi_remove_locked() - undo ontb_msi_insert_locked()
 * @dev:   Device.
 * @slot:  Slot.
 * @index: Index.
 *
 * Context: Descriptor lock held.
 * Return: 0, or
 *         -ERANGE  no such slot, no domain in it, or the index is outside it.
 *         -ENOENT  the index has no descriptor.
 *         -EBUSY   it has an interrupt number.
 *         -EINVAL  this thread does not hold the lock; logged.
 */
int ontb_msi_remove_locked(struct ontb_msi_dev *dev, unsigned int slot, unsigned int index);

/**
 * ontb_msi_next_locked() - walk over descriptors in the order of their indices
 * @dev:    Device.
 * @slot:   Slot.
 * @filter: Which.
 * @index:  Where to start.
 * @map:    OUT, the first one at or after @index; virq is 0 if it has none.
 *
 * There is no hidden state: freeing the current entry, or nesting walks, is fine.
 *
 * Context: Descriptor lock held.
 * Return: True if there is one. False too if this thread does not hold the lock; logged.
 */
bool ontb_msi_next_locked(struct ontb_msi_dev *dev, unsigned int slot, enum ontb_msi_filter filter, unsigned int index,
			  struct ontb_msi_map *map);

/**
 * ontb_msi_cookie() - for chips: what came with the allocation
 * @data: Data of the interrupt in the device domain.
 *
 * Context: A callback for the interrupt.
 * Return: The cookie.
 */
void *ontb_msi_cookie(const struct ontb_irq_data *data);

/**
 * ontb_msi_dev_of() - for chips: the device of an interrupt
 * @data: Data of the interrupt in the device domain.
 *
 * Return: Device.
 */
struct ontb_msi_dev *ontb_msi_dev_of(const struct ontb_irq_data *data);

/**
 * ontb_msi_rewrite_all() - write every message again, after the device lost them in a reset
 * @dev:  Device.
 * @slot: Slot.
 *
 * Context: Not a handler. Takes the descriptor lock.
 */
void ontb_msi_rewrite_all(struct ontb_msi_dev *dev, unsigned int slot);

/**
 * struct ontb_msi_entry - a line of a device's listing
 * @slot:   Slot.
 * @index:  Index.
 * @virq:   Interrupt number.
 * @domain: Name of the domain.
 */
struct ontb_msi_entry {
	unsigned int slot;
	unsigned int index;
	unsigned int virq;
	char domain[ONTB_IRQ_NAME];
};

/**
 * ontb_msi_list() - all interrupts that a device has now
 * @dev:     Device.
 * @entries: OUT, room for @max, by slot and index; may be NULL if @max is 0.
 * @max:     Entries.
 *
 * Context: Not a handler. Takes the descriptor lock.
 * Return: How many there are (may exceed @max).
 */
unsigned int ontb_msi_list(struct ontb_msi_dev *dev, struct ontb_msi_entry *entries, unsigned int max);

#ifdef __cplusplus
}
#endif

#endif
