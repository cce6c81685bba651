// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Looking for functions.
 */
#include "pci/pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define MAX_BUSES   256U
#define DEVS_GROWTH 16U

static uint32_t read_config(struct ontb_machine *machine, uint16_t rid, unsigned int offset, unsigned int len)
{
	return machine->ops->config_read(machine, rid, offset, len);
}

static void init_dev(struct ontb_pci_dev *dev, struct ontb_pci_bus *bus, uint16_t rid)
{
	uint32_t class;

	dev->machine = bus->config.machine;
	dev->rid = rid;
	dev->rids[0] = rid;
	dev->nr_rids = 1;
	ontb_lock_init(&dev->lock);
	ontb_lock_init(&dev->vec_lock);
	(void)snprintf(dev->name, sizeof(dev->name), "0000:%02x:%02x.%x", rid >> 8 & 0xffU, rid >> 3 & 0x1fU, rid & 7U);
	dev->vendor = (uint16_t)ontb_pci_config_read(dev, PCI_VENDOR, 2);
	dev->device = (uint16_t)ontb_pci_config_read(dev, PCI_DEVICE, 2);
	class = ontb_pci_config_read(dev, PCI_REVISION, 4);
	dev->class = class >> 8;
	dev->revision = (uint8_t) class;
	dev->layout = (uint8_t)(ontb_pci_config_read(dev, PCI_HEADER_TYPE, 1) & PCI_HEADER_LAYOUT);
	dev->command = ontb_pci_config_read(dev, PCI_COMMAND, 2) & PCI_COMMAND_OURS;
	if (bus->config.msi_parent)
		dev->msi_parent = bus->config.msi_parent(bus->config.arg, rid);
}

static void free_dev(struct ontb_pci_dev *dev)
{
	ontb_lock_fini(&dev->lock);
	ontb_lock_fini(&dev->vec_lock);
	free(dev);
}

/* Switch off what firmware, or the software before us, may have left on. A bridge stays on for those behind it. */
static void quiesce(struct ontb_pci_dev *dev)
{
	ontb_lock(&dev->lock);
	dev->command = 0;
	ontb_pci_write_command(dev);
	ontb_unlock(&dev->lock);
}

static int add_dev(struct ontb_pci_bus *bus, uint16_t rid)
{
	struct ontb_pci_dev *dev;

	if (bus->nr_devs % DEVS_GROWTH == 0) {
		struct ontb_pci_dev **devs =
			realloc(bus->devs, (bus->nr_devs + DEVS_GROWTH) * sizeof(struct ontb_pci_dev *));

		if (!devs)
			return -ENOMEM;
		bus->devs = devs;
	}
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	init_dev(dev, bus, rid);
	bus->devs[bus->nr_devs++] = dev;
	if (!dev->layout) {
		quiesce(dev);
		ontb_pci_size_bars(dev);
	}
	ontb_pci_msi_init(dev);
	ontb_pci_msix_init(dev);
	return 0;
}

/* The functions of one device; function 0 must be there, and says whether there are more. */
static int scan_device(struct ontb_pci_bus *bus, unsigned int bus_nr, unsigned int dev_nr)
{
	struct ontb_machine *machine = bus->config.machine;
	unsigned int nr = 1;

	for (unsigned int fn = 0; fn < nr; fn++) {
		uint16_t rid = ONTB_RID(bus_nr, dev_nr, fn);
		int ret;

		if ((read_config(machine, rid, PCI_VENDOR, 2) & 0xffff) == PCI_NO_VENDOR)
			continue;
		if (!fn && read_config(machine, rid, PCI_HEADER_TYPE, 1) & PCI_HEADER_MULTI)
			nr = 8;
		ret = add_dev(bus, rid);
		if (ret)
			return ret;
	}
	return 0;
}

static int scan_all(struct ontb_pci_bus *bus)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < bus->config.nr_buses * 32; i++)
		ret = scan_device(bus, i / 32, i % 32);
	return ret;
}

static void free_devs(struct ontb_pci_bus *bus)
{
	for (unsigned int i = 0; i < bus->nr_devs; i++)
		free_dev(bus->devs[i]);
	free(bus->devs);
}

int ontb_pci_scan(const struct ontb_pci_config *config, struct ontb_pci_bus **out)
{
	struct ontb_pci_bus *bus;
	int ret;

	if (!config->machine || !config->nr_buses || config->nr_buses > MAX_BUSES)
		return -EINVAL;
	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	bus->config = *config;
	ret = scan_all(bus);
	if (!ret)
		ret = ontb_pci_place_bars(bus);
	if (ret) {
		free_devs(bus);
		free(bus);
		return ret;
	}
	*out = bus;
	return 0;
}

int ontb_pci_bus_free(struct ontb_pci_bus *bus)
{
	if (!bus)
		return 0;
	for (unsigned int i = 0; i < bus->nr_devs; i++) {
		int ret = ontb_pci_free_irqs(bus->devs[i]);

		if (ret)
			return ret;
	}
	for (unsigned int i = 0; i < bus->nr_devs; i++) {
		ontb_msi_dev_free(bus->devs[i]->msi_dev);
		if (!bus->devs[i]->layout)
			quiesce(bus->devs[i]);
	}
	free_devs(bus);
	free(bus);
	return 0;
}

unsigned int ontb_pci_nr_devs(const struct ontb_pci_bus *bus)
{
	return bus->nr_devs;
}

struct ontb_pci_dev *ontb_pci_dev_at(struct ontb_pci_bus *bus, unsigned int idx)
{
	return idx < bus->nr_devs ? bus->devs[idx] : NULL;
}

struct ontb_pci_dev *ontb_pci_find(struct ontb_pci_bus *bus, uint16_t rid)
{
	for (unsigned int i = 0; i < bus->nr_devs; i++) {
		if (bus->devs[i]->rid == rid)
			return bus->devs[i];
	}
	return NULL;
}
