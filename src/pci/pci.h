/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What the files of this layer share.
 *
 * Order of locks: a function's @lock, then those of MSI and interrupts, then its @vec_lock, which is a leaf.
 */
#ifndef ONTB_PCI_PCI_H
#define ONTB_PCI_PCI_H

#include <openntb/pci.h>

#include "base/annotate.h"

/* Configuration space: PCIe 5.0, 7.5.1 "PCI-Compatible Configuration Registers". */
#define PCI_VENDOR	0x00
#define PCI_DEVICE	0x02
#define PCI_COMMAND	0x04
#define PCI_STATUS	0x06
#define PCI_REVISION	0x08 /* and class in the upper three bytes */
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR(n)	(0x10 + 4 * (n))
#define PCI_CAPS	0x34

#define PCI_COMMAND_IO		0x0001U
#define PCI_COMMAND_MEMORY	0x0002U
#define PCI_COMMAND_MASTER	0x0004U
#define PCI_COMMAND_NO_INTX	0x0400U
#define PCI_COMMAND_OURS	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX)
#define PCI_STATUS_CAPS		0x0010U
#define PCI_HEADER_MULTI	0x80U
#define PCI_HEADER_LAYOUT	0x7fU
#define PCI_FIRST_CAP		0x40U
#define PCI_END_CAPS		0x100U
#define PCI_CAP_ID_MSI		0x05
#define PCI_CAP_ID_MSIX		0x11
#define PCI_NO_VENDOR		0xffffU
#define PCI_BAR_IS_IO		0x1U
#define PCI_BAR_TYPE_64		0x4U
#define PCI_BAR_TYPE_MASK	0x6U
#define PCI_BAR_IS_PREFETCHABLE 0x8U

/**
 * enum ontb_pci_mode - which interrupts of its own a function uses
 * @ONTB_PCI_NO_IRQS: None.
 * @ONTB_PCI_MSI:     Its MSI capability.
 * @ONTB_PCI_MSIX:    Its MSI-X table.
 */
enum ontb_pci_mode {
	ONTB_PCI_NO_IRQS,
	ONTB_PCI_MSI,
	ONTB_PCI_MSIX,
};

/**
 * struct ontb_pci_msi - MSI of a function
 * @cap:       Offset of the capability, 0 for none, or -EPROTO. Constant.
 * @is_64:     Addresses have 64 bits. Constant.
 * @has_mask:  Mask and pending bits per vector. Constant.
 * @max:       Vectors it can have. Constant.
 * @nr:        Vectors in use, a power of two. Constant while the domain exists.
 * @is_masked: Vectors that are to be masked. The function's vec_lock.
 * @is_active: Vectors with a message. The function's vec_lock.
 * @is_on:     @msg is in the registers and MSI is enabled. The function's vec_lock.
 * @msg:       Message of vector 0. The function's vec_lock.
 */
struct ontb_pci_msi {
	int cap;
	bool is_64;
	bool has_mask;
	unsigned int max;
	unsigned int nr;
	uint32_t is_masked;
	uint32_t is_active;
	bool is_on;
	struct ontb_msi_msg msg;
};

/**
 * struct ontb_pci_vec - an entry of an MSI-X table
 * @keep:      Bits of its control word that are not ours.
 * @has_msg:   There is a message in it.
 * @is_masked: It is to be masked; without a message it is in any case.
 */
struct ontb_pci_vec {
	uint32_t keep;
	bool has_msg;
	bool is_masked;
};

/**
 * struct ontb_pci_msix - MSI-X of a function
 * @cap:          Offset of the capability, 0 for none, or -EPROTO. Constant.
 * @size:         Entries. Constant.
 * @table_bar:    BAR of the table. Constant.
 * @table_offset: Where in it. Constant.
 * @pba_bar:      BAR of the pending bits. Constant.
 * @pba_offset:   Where in it. Constant.
 * @vecs:         The entries while MSI-X is in use. The pointer: the function's lock; what it points to: its vec_lock.
 */
struct ontb_pci_msix {
	int cap;
	unsigned int size;
	unsigned int table_bar;
	uint64_t table_offset;
	unsigned int pba_bar;
	uint64_t pba_offset;
	struct ontb_pci_vec *vecs;
};

/**
 * struct ontb_pci_dev - a function
 * @machine:     Machine. Constant.
 * @rid:         Requester id. Constant.
 * @vendor:      Constant.
 * @device:      Constant.
 * @class:       Constant.
 * @revision:    Constant.
 * @layout:      Header type without the multi-function bit. Constant.
 * @name:        Constant.
 * @bars:        Constant after the scan; size 0 for none.
 * @msi_parent:  Who takes its messages, or NULL. Constant.
 * @lock:        Protects what follows, and the mode of interrupts.
 * @command:     Bits of the command register that are ours.
 * @rids:        Requester ids.
 * @nr_rids:     How many.
 * @msi_dev:     MSI device or NULL; read without the lock too.
 * @mode:        Interrupts in use.
 * @vec_lock:    Protects registers of interrupts and their shadows. A leaf, taken by chips.
 * @msi:         MSI.
 * @msix:        MSI-X.
 */
struct ontb_pci_dev {
	struct ontb_machine *machine;
	uint16_t rid;
	uint16_t vendor;
	uint16_t device;
	uint32_t class;
	uint8_t revision;
	uint8_t layout;
	char name[16];
	struct ontb_pci_bar bars[ONTB_PCI_NR_BARS];
	struct ontb_irq_domain *msi_parent;
	struct ontb_lock lock;
	uint32_t command;
	uint16_t rids[ONTB_MSI_MAX_RIDS];
	unsigned int nr_rids;
	struct ontb_msi_dev *msi_dev;
	enum ontb_pci_mode mode;
	struct ontb_lock vec_lock;
	struct ontb_pci_msi msi;
	struct ontb_pci_msix msix;
};

/**
 * struct ontb_pci_bus - what a scan found
 * @config:  As given. Constant.
 * @devs:    Functions by requester id. Constant after the scan.
 * @nr_devs: How many. Constant after the scan.
 */
struct ontb_pci_bus {
	struct ontb_pci_config config;
	struct ontb_pci_dev **devs;
	unsigned int nr_devs;
};

/**
 * ontb_pci_write_command() - bring the command register in line with @command
 * @dev: Function.
 */
void ontb_pci_write_command(struct ontb_pci_dev *dev) ONTB_MUST_HOLD(dev->lock);

/**
 * ontb_pci_is_gone() - whether the function does not answer any more, or is another one
 * @dev: Function.
 */
bool ontb_pci_is_gone(const struct ontb_pci_dev *dev);

/**
 * ontb_pci_size_bars() - find out what a function's BARs are
 * @dev: Function that does not decode.
 */
void ontb_pci_size_bars(struct ontb_pci_dev *dev);

/**
 * ontb_pci_place_bars() - give all memory BARs of a bus addresses
 * @bus: Bus, nothing placed yet.
 *
 * Return: 0 (also if there was no place for some, which is logged), or -ENOMEM.
 */
int ontb_pci_place_bars(struct ontb_pci_bus *bus) ONTB_MUST_CHECK;

/**
 * ontb_pci_write_bars() - write the addresses of a function's BARs
 * @dev: Function that does not decode.
 */
void ontb_pci_write_bars(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msi_init() - read a function's MSI capability
 * @dev: Function.
 */
void ontb_pci_msi_init(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msi_start() - get a function ready for MSI: nothing can be sent yet
 * @dev: Function.
 * @nr:  Vectors, a power of two.
 */
void ontb_pci_msi_start(struct ontb_pci_dev *dev, unsigned int nr);

/**
 * ontb_pci_msi_stop() - switch MSI off
 * @dev: Function without MSI interrupts.
 */
void ontb_pci_msi_stop(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msi_forget() - the registers were reset: nothing that was written is in them
 * @dev: Function with MSI interrupts.
 */
void ontb_pci_msi_forget(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msi_pending() - pending bit of a vector
 * @dev: Function.
 * @idx: Vector.
 *
 * Return: 1, 0 or -EOPNOTSUPP.
 */
int ontb_pci_msi_pending(struct ontb_pci_dev *dev, unsigned int idx);

/**
 * ontb_pci_msi_chip() - the chip for the present number of vectors
 * @dev:  Function.
 * @chip: OUT.
 */
void ontb_pci_msi_chip(const struct ontb_pci_dev *dev, struct ontb_irq_chip *chip);

/**
 * ontb_pci_msix_init() - read a function's MSI-X capability
 * @dev: Function whose BARs have been sized.
 */
void ontb_pci_msix_init(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msix_start() - switch MSI-X on, with the function and all entries masked
 * @dev: Function.
 *
 * Return: 0 or -ENOMEM.
 */
int ontb_pci_msix_start(struct ontb_pci_dev *dev) ONTB_MUST_CHECK;

/**
 * ontb_pci_msix_run() - take the mask of the whole function away
 * @dev: Function with MSI-X switched on.
 */
void ontb_pci_msix_run(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msix_stop() - switch MSI-X off
 * @dev: Function without MSI-X interrupts.
 */
void ontb_pci_msix_stop(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msix_forget() - the table was reset: switch on again, all masked, no messages
 * @dev: Function with MSI-X interrupts.
 */
void ontb_pci_msix_forget(struct ontb_pci_dev *dev);

/**
 * ontb_pci_msix_pending() - pending bit of an entry
 * @dev: Function with MSI-X switched on.
 * @idx: Entry.
 *
 * Return: 1 or 0.
 */
int ontb_pci_msix_pending(struct ontb_pci_dev *dev, unsigned int idx);

/**
 * ontb_pci_msix_chip() - the chip of MSI-X
 * @chip: OUT.
 */
void ontb_pci_msix_chip(struct ontb_irq_chip *chip);

#endif
