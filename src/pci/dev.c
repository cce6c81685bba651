// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A function: what it is, its configuration space, its BARs, what it is allowed to do.
 */
#include "pci/pci.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

const char *ontb_pci_name(const struct ontb_pci_dev *dev)
{
	return dev->name;
}

uint16_t ontb_pci_rid(const struct ontb_pci_dev *dev)
{
	return dev->rid;
}

uint16_t ontb_pci_vendor(const struct ontb_pci_dev *dev)
{
	return dev->vendor;
}

uint16_t ontb_pci_device(const struct ontb_pci_dev *dev)
{
	return dev->device;
}

uint32_t ontb_pci_class(const struct ontb_pci_dev *dev)
{
	return dev->class;
}

uint8_t ontb_pci_revision(const struct ontb_pci_dev *dev)
{
	return dev->revision;
}

int ontb_pci_bar(const struct ontb_pci_dev *dev, unsigned int idx, struct ontb_pci_bar *bar)
{
	if (idx >= ONTB_PCI_NR_BARS)
		return -ERANGE;
	if (!dev->bars[idx].size)
		return -EFAULT;
	*bar = dev->bars[idx];
	return 0;
}

static bool is_config_access(unsigned int offset, unsigned int len)
{
	return (len == 1 || len == 2 || len == 4) && !(offset % len) && offset < ONTB_PCI_CONFIG_SIZE;
}

uint32_t ontb_pci_config_read(const struct ontb_pci_dev *dev, unsigned int offset, unsigned int len)
{
	uint32_t mask = len < 4 ? (1U << 8 * len) - 1 : UINT32_MAX;

	if (!is_config_access(offset, len))
		return UINT32_MAX;
	return dev->machine->ops->config_read(dev->machine, dev->rid, offset, len) & mask;
}

void ontb_pci_config_write(struct ontb_pci_dev *dev, unsigned int offset, unsigned int len, uint32_t value)
{
	if (is_config_access(offset, len))
		dev->machine->ops->config_write(dev->machine, dev->rid, offset, value, len);
}

bool ontb_pci_is_gone(const struct ontb_pci_dev *dev)
{
	return ontb_pci_config_read(dev, PCI_VENDOR, 2) != dev->vendor ||
	       ontb_pci_config_read(dev, PCI_DEVICE, 2) != dev->device;
}

void ontb_pci_write_command(struct ontb_pci_dev *dev)
{
	uint32_t value = ontb_pci_config_read(dev, PCI_COMMAND, 2);

	ontb_pci_config_write(dev, PCI_COMMAND, 2, (value & ~PCI_COMMAND_OURS) | dev->command);
}

static bool has_place(const struct ontb_pci_dev *dev)
{
	for (unsigned int i = 0; i < ONTB_PCI_NR_BARS; i++) {
		const struct ontb_pci_bar *bar = &dev->bars[i];

		if (bar->size && !(bar->flags & (ONTB_PCI_BAR_PLACED | ONTB_PCI_BAR_IO)))
			return false;
	}
	return true;
}

int ontb_pci_enable(struct ontb_pci_dev *dev)
{
	int ret = 0;

	if (!has_place(dev))
		return -ENOSPC;
	ontb_lock(&dev->lock);
	if (ontb_pci_is_gone(dev)) {
		ret = -EFAULT;
	} else {
		dev->command |= PCI_COMMAND_MEMORY;
		ontb_pci_write_command(dev);
	}
	ontb_unlock(&dev->lock);
	return ret;
}

int ontb_pci_disable(struct ontb_pci_dev *dev)
{
	int ret = 0;

	ontb_lock(&dev->lock);
	if (dev->mode != ONTB_PCI_NO_IRQS) {
		ret = -EBUSY;
	} else {
		dev->command &= ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		ontb_pci_write_command(dev);
	}
	ontb_unlock(&dev->lock);
	return ret;
}

void ontb_pci_set_master(struct ontb_pci_dev *dev, bool on)
{
	ontb_lock(&dev->lock);
	dev->command = on ? dev->command | PCI_COMMAND_MASTER : dev->command & ~PCI_COMMAND_MASTER;
	ontb_pci_write_command(dev);
	ontb_unlock(&dev->lock);
}

/* Where an access to a BAR goes; false if not all of it lies in a BAR that has an address. */
static bool locate(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint64_t len, uint64_t *addr)
{
	if (bar >= ONTB_PCI_NR_BARS || !(dev->bars[bar].flags & ONTB_PCI_BAR_PLACED) ||
	    !ontb_range_fits(offset, len, dev->bars[bar].size))
		return false;
	*addr = dev->bars[bar].addr + offset;
	return true;
}

static uint64_t bar_read(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, unsigned int len)
{
	uint64_t addr;

	if (!locate(dev, bar, offset, len, &addr))
		return UINT64_MAX;
	return dev->machine->ops->mmio_read(dev->machine, addr, len);
}

static void bar_write(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint64_t value, unsigned int len)
{
	uint64_t addr;

	if (locate(dev, bar, offset, len, &addr))
		dev->machine->ops->mmio_write(dev->machine, addr, value, len);
}

uint8_t ontb_pci_bar_read8(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset)
{
	return (uint8_t)bar_read(dev, bar, offset, 1);
}

uint16_t ontb_pci_bar_read16(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset)
{
	return (uint16_t)bar_read(dev, bar, offset, 2);
}

uint32_t ontb_pci_bar_read32(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset)
{
	return (uint32_t)bar_read(dev, bar, offset, 4);
}

uint64_t ontb_pci_bar_read64(const struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset)
{
	return bar_read(dev, bar, offset, 8);
}

void ontb_pci_bar_write8(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint8_t value)
{
	bar_write(dev, bar, offset, value, 1);
}

void ontb_pci_bar_write16(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	bar_write(dev, bar, offset, value, 2);
}

void ontb_pci_bar_write32(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint32_t value)
{
	bar_write(dev, bar, offset, value, 4);
}

void ontb_pci_bar_write64(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, uint64_t value)
{
	bar_write(dev, bar, offset, value, 8);
}

void ontb_pci_bar_copy_to(struct ontb_pci_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	uint64_t addr;

	if (locate(dev, bar, offset, len, &addr))
		dev->machine->ops->mmio_copy_to(dev->machine, addr, buf, len);
}

void ontb_pci_bar_copy_from(const struct ontb_pci_dev *dev, unsigned int bar, void *buf, uint64_t offset, size_t len)
{
	uint64_t addr;

	if (locate(dev, bar, offset, len, &addr))
		dev->machine->ops->mmio_copy_from(dev->machine, buf, addr, len);
	else
		memset(buf, 0xff, len);
}
