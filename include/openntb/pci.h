/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A host's view of PCI: functions, their configuration space and BARs, and their own interrupts (MSI and MSI-X).
 *
 *      struct ontb_pci_bus  --  struct ontb_pci_dev  --  struct ontb_msi_dev
 *       what a scan found        a function               slot 0: its MSI capability or MSI-X table
 *                                                         other slots: whoever drives the function
 *
 * What a function says of itself is not trusted: BARs, capability lists and tables that make no sense are refused.
 */
#ifndef OPENNTB_PCI_H
#define OPENNTB_PCI_H

#include <openntb/irq.h>
#include <openntb/machine.h>
#include <openntb/msi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONTB_PCI_NR_BARS     6U
#define ONTB_PCI_CONFIG_SIZE 4096U
#define ONTB_PCI_MSI_SLOT    0U /* slot of a function's MSI device that this layer uses */

struct ontb_pci_bus;
struct ontb_pci_dev;

/**
 * struct ontb_pci_config - where to look for functions
 * @machine:    Machine; outlives the bus.
 * @nr_buses:   Bus numbers 0..@nr_buses-1 are looked at, 1..256. Bridges are left as they are.
 * @msi_parent: Which domain takes the messages of a function, NULL if none; may be NULL itself. Called during the scan. The
 *              domain outlives the bus.
 * @arg:        For @msi_parent.
 */
struct ontb_pci_config {
	struct ontb_machine *machine;
	unsigned int nr_buses;
	struct ontb_irq_domain *(*msi_parent)(void *arg, uint16_t rid);
	void *arg;
};

/* struct ontb_pci_bar.flags */
#define ONTB_PCI_BAR_IO	      (1U << 0) /* in I/O space; never placed */
#define ONTB_PCI_BAR_64	      (1U << 1) /* takes the next BAR too */
#define ONTB_PCI_BAR_PREFETCH (1U << 2)
#define ONTB_PCI_BAR_PLACED   (1U << 3) /* has an address */

/**
 * struct ontb_pci_bar - a range of addresses that a function answers
 * @addr:  First address, 0 if it was not placed.
 * @size:  Bytes, a power of two.
 * @flags: ONTB_PCI_BAR_*.
 */
struct ontb_pci_bar {
	uint64_t addr;
	uint64_t size;
	unsigned int flags;
};

/**
 * ontb_pci_scan() - find all functions, size their BARs and give them addresses
 * @config: Where; copied.
 * @out:    OUT.
 *
 * Memory and I/O decoding and bus mastering of all functions are off afterwards, except those of bridges. A BAR for which there is no place is
 * logged, and only its function cannot be enabled.
 *
 * Context: Any thread; nobody else accesses the functions.
 * Return: 0 (also if there are no functions), or
 *         -EINVAL  no machine, or a number of buses out of range.
 *         -ENOMEM  no memory.
 */
int ontb_pci_scan(const struct ontb_pci_config *config, struct ontb_pci_bus **out);

/**
 * ontb_pci_bus_free() - let go of all functions and their MSI devices
 * @bus: Bus or NULL.
 *
 * Decoding and bus mastering are switched off.
 *
 * Context: Not a handler; nobody uses a function any more.
 * Return: 0, or
 *         -EBUSY  an interrupt of a function has a handler; some functions may have no interrupts any more, all others stay.
 */
int ontb_pci_bus_free(struct ontb_pci_bus *bus);

/**
 * ontb_pci_nr_devs() - functions found
 * @bus: Bus.
 *
 * Return: How many.
 */
unsigned int ontb_pci_nr_devs(const struct ontb_pci_bus *bus);

/**
 * ontb_pci_dev_at() - a function by its place in the list
 * @bus: Bus.
 * @idx: 0..nr_devs-1, in the order of requester ids.
 *
 * Return: Function, or NULL.
 */
struct ontb_pci_dev *ontb_pci_dev_at(struct ontb_pci_bus *bus, unsigned int idx);

/**
 * ontb_pci_find() - a function by its requester id
 * @bus: Bus.
 * @rid: Requester id.
 *
 * Return: Function, or NULL.
 */
struct ontb_pci_dev *ontb_pci_find(struct ontb_pci_bus *bus, uint16_t rid);

/**
 * ontb_pci_name() - "0000:00:02.0"
 * @dev: Function.
 *
 * Return: Text that lives as long as the function.
 */
const char *ontb_pci_name(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_rid() - requester id
 * @dev: Function.
 *
 * Return: Id, see ONTB_RID().
 */
uint16_t ontb_pci_rid(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_vendor() - vendor id
 * @dev: Function.
 *
 * Return: As found by the scan.
 */
uint16_t ontb_pci_vendor(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_device() - device id
 * @dev: Function.
 *
 * Return: As found by the scan.
 */
uint16_t ontb_pci_device(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_class() - class, subclass and programming interface
 * @dev: Function.
 *
 * Return: 24 bits, as found by the scan.
 */
uint32_t ontb_pci_class(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_revision() - revision id
 * @dev: Function.
 *
 * Return: As found by the scan.
 */
uint8_t ontb_pci_revision(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_bar() - look at a BAR
 * @dev: Function.
 * @idx: 0..5.
 * @bar: OUT.
 *
 * Return: 0, or
 *         -ERANGE  no such index.
 *         -EFAULT  the function has no BAR there, or the upper half of one.
 */
int ontb_pci_bar(const struct ontb_pci_dev *dev, unsigned int idx, struct ontb_pci_bar *bar);

/**
 * ontb_pci_config_read() - load from a function's configuration space
 * @dev:    Function.
 * @offset: Multiple of @len below ONTB_PCI_CONFIG_SIZE.
 * @len:    1, 2 or 4 bytes.
 *
 * Context: Any thread.
 * Return: The value; all ones if the function is gone or the arguments are wrong.
 */
uint32_t ontb_pci_config_read(const struct ontb_pci_dev *dev, unsigned int offset, unsigned int len);

/**
 * ontb_pci_config_write() - store to a function's configuration space
 * @dev:    Function.
 * @offset: Multiple of @len below ONTB_PCI_CONFIG_SIZE; wrong ones are dropped.
 * @len:    1, 2 or 4 bytes.
 * @value:  Value.
 *
 * For what the driver of the function owns. Command register, BARs, and MSI and MSI-X capabilities belong to this layer.
 *
 * Context: Any thread. Not posted: it has happened on return.
 */
void ontb_pci_config_write(struct ontb_pci_dev *dev, unsigned int offset, unsigned int len, uint32_t value);

/**
 * ontb_pci_find_cap() - find a capability
 * @dev:   Function.
 * @id:    Capability id.
 * @after: Offset of one to go on after, 0 to start.
 *
 * Context: Any thread.
 * Return: Its offset (> 0), or
 *         -ENOENT  there is none.
 *         -EPROTO  the list is broken: it runs in a circle or to where no capability can be.
 */
int ontb_pci_find_cap(const struct ontb_pci_dev *dev, uint8_t id, unsigned int after);

/**
 * ontb_pci_find_ext_cap() - find an extended capability
 * @dev:   Function.
 * @id:    Capability id.
 * @after: Offset of one to go on after, 0 to start.
 *
 * Context: Any thread.
 * Return: As ontb_pci_find_cap().
 */
int ontb_pci_find_ext_cap(const struct ontb_pci_dev *dev, uint16_t id, unsigned int after);

/**
 * ontb_pci_enable() - let a function answer at its memory BARs
 * @dev: Function.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0, or
 *         -ENOSPC  a BAR has no address because there was no place.
 *         -EFAULT  the function is gone.
 */
int ontb_pci_enable(struct ontb_pci_dev *dev);

/**
 * ontb_pci_disable() - let it answer no more, and send nothing
 * @dev: Function without interrupts.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0, or
 *         -EBUSY  it has interrupts, see ontb_pci_free_irqs().
 */
int ontb_pci_disable(struct ontb_pci_dev *dev);

/**
 * ontb_pci_set_master() - let a function write to memory and send messages, or not
 * @dev: Function.
 * @on:  Whether it may.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 */
void ontb_pci_set_master(struct ontb_pci_dev *dev, bool on);

/**
 * ontb_pci_bar_read8() - load a byte from a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start.
 *
 * Context: Any thread. Waits for the answer.
 * Return: The value; all ones if nothing answers there.
 */
uint8_t ontb_pci_bar_read8(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset);

/**
 * ontb_pci_bar_read16() - load two bytes from a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start.
 *
 * Context: As ontb_pci_bar_read8().
 * Return: Likewise.
 */
uint16_t ontb_pci_bar_read16(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset);

/**
 * ontb_pci_bar_read32() - load four bytes from a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start.
 *
 * Context: As ontb_pci_bar_read8().
 * Return: Likewise.
 */
uint32_t ontb_pci_bar_read32(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset);

/**
 * ontb_pci_bar_read64() - load eight bytes from a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start.
 *
 * Context: As ontb_pci_bar_read8().
 * Return: Likewise.
 */
uint64_t ontb_pci_bar_read64(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset);

/**
 * ontb_pci_bar_write8() - store a byte to a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start; a store outside is dropped.
 * @value:  Value.
 *
 * Context: Any thread. Posted: a later load from the function waits for it.
 */
void ontb_pci_bar_write8(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint8_t value);

/**
 * ontb_pci_bar_write16() - store two bytes to a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start; a store outside is dropped.
 * @value:  Value.
 *
 * Context: As ontb_pci_bar_write8().
 */
void ontb_pci_bar_write16(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint16_t value);

/**
 * ontb_pci_bar_write32() - store four bytes to a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start; a store outside is dropped.
 * @value:  Value.
 *
 * Context: As ontb_pci_bar_write8().
 */
void ontb_pci_bar_write32(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint32_t value);

/**
 * ontb_pci_bar_write64() - store eight bytes to a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start; a store outside is dropped.
 * @value:  Value.
 *
 * Context: As ontb_pci_bar_write8().
 */
void ontb_pci_bar_write64(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint64_t value);

/**
 * ontb_pci_bar_copy_to() - store many bytes to a BAR, in ascending order
 * @dev:    Function.
 * @bar:    BAR.
 * @offset: Bytes from its start; a range that is not all inside is dropped.
 * @buf:    From here.
 * @len:    Bytes.
 *
 * Context: As ontb_pci_bar_write8().
 */
void ontb_pci_bar_copy_to(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len);

/**
 * ontb_pci_bar_copy_from() - load many bytes from a BAR
 * @dev:    Function.
 * @bar:    BAR.
 * @buf:    OUT; all ones for a range that is not all inside.
 * @offset: Bytes from its start.
 * @len:    Bytes.
 *
 * Context: As ontb_pci_bar_read8().
 */
void ontb_pci_bar_copy_from(const struct ontb_pci_dev *dev, unsigned int bar, void *buf, uint64_t offset, size_t len);

/**
 * ontb_pci_add_rid_alias() - say that messages of a function may carry another requester id
 * @dev: Function.
 * @rid: Alias: of a bridge on the way, or one that the function uses for others.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0 (also if it was known), or
 *         -EBUSY   its MSI device exists already.
 *         -ENOSPC  it has ONTB_MSI_MAX_RIDS.
 */
int ontb_pci_add_rid_alias(struct ontb_pci_dev *dev, uint16_t rid);

/**
 * ontb_pci_msi_dev() - the MSI device of a function, made at first use
 * @dev: Function.
 * @out: OUT, owned by the function. Slot ONTB_PCI_MSI_SLOT is this layer's, the others are free.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0, or
 *         -EOPNOTSUPP  the host has no MSI parent for the function.
 *         -ENOMEM      no memory.
 */
int ontb_pci_msi_dev(struct ontb_pci_dev *dev, struct ontb_msi_dev **out);

/* Kinds of interrupts for ontb_pci_alloc_irqs(). */
#define ONTB_PCI_IRQ_MSI  (1U << 0)
#define ONTB_PCI_IRQ_MSIX (1U << 1)
#define ONTB_PCI_IRQ_ANY  (ONTB_PCI_IRQ_MSI | ONTB_PCI_IRQ_MSIX)

/**
 * ontb_pci_alloc_irqs() - give a function its own interrupts
 * @dev:   Enabled function without interrupts of its own.
 * @min:   How many it needs, 1 or more.
 * @max:   How many it can use, at least @min.
 * @flags: ONTB_PCI_IRQ_*, which kinds it can use.
 *
 * MSI-X is tried first, then MSI. As many as there are, up to @max, with indices from 0 on. More than one MSI needs an MSI
 * parent with ONTB_MSI_FEATURE_CONTIGUOUS.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: How many (@min..@max), or
 *         -EINVAL      @min, @max or @flags make no sense, or the function is not enabled.
 *         -EBUSY       it has interrupts already.
 *         -EOPNOTSUPP  it has none of these kinds, or the host has no MSI parent for it.
 *         -EPROTO      its capability or table makes no sense; logged.
 *         -ENOSPC      there are less than @min.
 *         -EFAULT      the function is gone.
 *         -ENOMEM      no memory.
 *         other        what the MSI parent said.
 */
int ontb_pci_alloc_irqs(struct ontb_pci_dev *dev, unsigned int min, unsigned int max, unsigned int flags);

/**
 * ontb_pci_alloc_msix() - give a function chosen entries of its MSI-X table
 * @dev:     Enabled function without interrupts of its own.
 * @entries: Indices, in any order, each once.
 * @nr:      How many, 1 or more.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0 (all of them), or as ontb_pci_alloc_irqs(), or
 *         -ERANGE  an index outside the table.
 *         -EINVAL  an index twice.
 */
int ontb_pci_alloc_msix(struct ontb_pci_dev *dev, const unsigned int *entries, unsigned int nr);

/**
 * ontb_pci_free_irqs() - free all interrupts of a function's own
 * @dev: Function; one without is fine.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0, or
 *         -EBUSY  one has a handler; nothing changed.
 */
int ontb_pci_free_irqs(struct ontb_pci_dev *dev);

/**
 * ontb_pci_irq() - interrupt number
 * @dev: Function.
 * @idx: Index: entry of the MSI-X table, or which MSI.
 *
 * Context: Any thread; takes no lock.
 * Return: Number, or 0.
 */
unsigned int ontb_pci_irq(const struct ontb_pci_dev *dev, unsigned int idx);

/**
 * ontb_pci_msix_size() - entries of the MSI-X table
 * @dev: Function.
 *
 * Context: Any thread.
 * Return: How many, 0 if it has no table.
 */
unsigned int ontb_pci_msix_size(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_msix_alloc_at() - allocate one more entry while MSI-X is in use
 * @dev:      Function that has MSI-X interrupts.
 * @idx:      Entry, or ONTB_MSI_ANY_INDEX.
 * @affinity: Where it may go, NULL for anywhere.
 * @map:      OUT.
 *
 * Other entries go on delivering: MSI-X is not switched off and the function not masked.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0, or
 *         -EINVAL  MSI-X is not in use.
 *         other    as ontb_msi_alloc_at().
 */
int ontb_pci_msix_alloc_at(struct ontb_pci_dev *dev, unsigned int idx, const struct ontb_cpumask *affinity,
			   struct ontb_msi_map *map);

/**
 * ontb_pci_msix_free_at() - free one entry while MSI-X is in use
 * @dev: Function that has MSI-X interrupts.
 * @idx: Entry.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 0, or
 *         -EINVAL  MSI-X is not in use.
 *         -ENOENT  the entry has no interrupt.
 *         -EBUSY   it has a handler.
 */
int ontb_pci_msix_free_at(struct ontb_pci_dev *dev, unsigned int idx);

/**
 * ontb_pci_irq_pending() - whether an interrupt waits because it is masked in the function
 * @dev: Function.
 * @idx: Index.
 *
 * Context: Any thread, not a handler. Takes the function's lock.
 * Return: 1 (pending), 0 (not), or
 *         -ENOENT      no such interrupt.
 *         -EOPNOTSUPP  the function cannot tell (MSI without masks).
 */
int ontb_pci_irq_pending(struct ontb_pci_dev *dev, unsigned int idx);

/**
 * ontb_pci_reset_restore() - make a function work again after it was reset
 * @dev: Function.
 *
 * Its BARs, what it is allowed to do, and every message and mask are written as they were before.
 *
 * Context: Any thread, not a handler. Takes the function's lock. Nobody else accesses the function.
 * Return: 0, or
 *         -EFAULT  the function is gone, or another one is in its place; nothing was written.
 */
int ontb_pci_reset_restore(struct ontb_pci_dev *dev);

#ifdef __cplusplus
}
#endif

#endif
