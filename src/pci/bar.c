// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * BARs: what they are, and where they go. PCIe 5.0, 7.5.1.2.1 "Base Address Registers".
 */
#include "pci/pci.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"

#define FOUR_GIB (1ULL << 32)

/* Write all ones, see which bits stay, and put the old value back. */
static uint32_t probe(struct ontb_pci_dev *dev, unsigned int idx)
{
	uint32_t old = ontb_pci_config_read(dev, PCI_BAR(idx), 4), bits;

	ontb_pci_config_write(dev, PCI_BAR(idx), 4, UINT32_MAX);
	bits = ontb_pci_config_read(dev, PCI_BAR(idx), 4);
	ontb_pci_config_write(dev, PCI_BAR(idx), 4, old);
	return bits;
}

/* The size that address bits say, 0 if they are not all those above some bit. */
static uint64_t size_of(uint64_t bits)
{
	uint64_t size = bits & -bits;

	return size && ~bits == size - 1 ? size : 0;
}

static void complain(const struct ontb_pci_dev *dev, unsigned int idx, uint32_t bits)
{
	ontb_log(ONTB_LOG_WARNING, "%s: BAR %u ignored: 0x%08" PRIx32 " is no BAR", dev->name, idx, bits);
}

/* Size one BAR; returns how many registers it takes. */
static unsigned int size_bar(struct ontb_pci_dev *dev, unsigned int idx)
{
	struct ontb_pci_bar *bar = &dev->bars[idx];
	uint32_t bits = probe(dev, idx), type = bits & PCI_BAR_TYPE_MASK;
	uint64_t mask = UINT32_MAX;
	unsigned int nr = 1;

	if (!bits)
		return 1;
	if (bits & PCI_BAR_IS_IO) {
		/* Its upper half may be hardwired to zero. */
		bar->flags = ONTB_PCI_BAR_IO;
		mask = bits >> 16 ? UINT32_MAX : 0xffffU;
		bar->size = (bits & ~3U) ? size_of((bits & ~3ULL) | ~mask) : 0;
	} else if (type == PCI_BAR_TYPE_64 && idx + 1 < ONTB_PCI_NR_BARS) {
		nr = 2;
		bar->flags = ONTB_PCI_BAR_64;
		bar->size = size_of((uint64_t)probe(dev, idx + 1) << 32 | (bits & ~0xfU));
	} else if (!type) {
		bar->size = (bits & ~0xfU) ? size_of((bits & ~0xfULL) | ~mask) : 0;
	}
	if (!(bits & PCI_BAR_IS_IO) && bits & PCI_BAR_IS_PREFETCHABLE)
		bar->flags |= ONTB_PCI_BAR_PREFETCH;
	if (!bar->size) {
		complain(dev, idx, bits);
		bar->flags = 0;
	}
	return nr;
}

void ontb_pci_size_bars(struct ontb_pci_dev *dev)
{
	for (unsigned int idx = 0; idx < ONTB_PCI_NR_BARS;)
		idx += size_bar(dev, idx);
}

/* A BAR that needs a place. */
struct want {
	struct ontb_pci_dev *dev;
	unsigned int idx;
};

static struct ontb_pci_bar *bar_of(const struct want *want)
{
	return &want->dev->bars[want->idx];
}

/* Those that can only be below 4 GiB first, then the largest: so alignment wastes nothing. */
static int compare(const void *a, const void *b)
{
	const struct want *wants[] = { a, b };
	const struct ontb_pci_bar *left = bar_of(wants[0]), *right = bar_of(wants[1]);
	unsigned int left_64 = left->flags & ONTB_PCI_BAR_64, right_64 = right->flags & ONTB_PCI_BAR_64;

	if (left_64 != right_64)
		return left_64 ? 1 : -1;
	if (left->size != right->size)
		return left->size < right->size ? 1 : -1;
	if (wants[0]->dev->rid != wants[1]->dev->rid)
		return wants[0]->dev->rid < wants[1]->dev->rid ? -1 : 1;
	return wants[0]->idx < wants[1]->idx ? -1 : 1;
}

/* The lowest aligned address from @addr on; false if there is none. */
static bool align_up(uint64_t *addr, uint64_t align)
{
	if (*addr > UINT64_MAX - (align - 1))
		return false;
	*addr = (*addr + align - 1) & ~(align - 1);
	return true;
}

/* Find a place for the last of @nr wants that none of those before it uses. */
static bool find_place(const struct ontb_machine *machine, const struct want *wants, unsigned int nr, uint64_t *out)
{
	const struct ontb_pci_bar *bar = bar_of(&wants[nr - 1]);
	uint64_t addr = machine->bar_base, end = machine->bar_base + machine->bar_size;

	if (!(bar->flags & ONTB_PCI_BAR_64) && end > FOUR_GIB)
		end = FOUR_GIB;
	for (;;) {
		unsigned int i = 0;

		if (!align_up(&addr, bar->size) || addr > end || bar->size > end - addr)
			return false;
		while (i < nr - 1 &&
		       !(bar_of(&wants[i])->flags & ONTB_PCI_BAR_PLACED &&
			 ontb_ranges_overlap(addr, bar->size, bar_of(&wants[i])->addr, bar_of(&wants[i])->size)))
			i++;
		if (i == nr - 1) {
			*out = addr;
			return true;
		}
		addr = bar_of(&wants[i])->addr + bar_of(&wants[i])->size;
	}
}

static void place(const struct ontb_machine *machine, const struct want *wants, unsigned int nr)
{
	struct ontb_pci_bar *bar = bar_of(&wants[nr - 1]);

	if (find_place(machine, wants, nr, &bar->addr)) {
		bar->flags |= ONTB_PCI_BAR_PLACED;
		return;
	}
	ontb_log(ONTB_LOG_ERROR,
		 "%s: BAR %u not placed: no room for 0x%" PRIx64 " bytes in 0x%" PRIx64 "..0x%" PRIx64 "%s",
		 wants[nr - 1].dev->name, wants[nr - 1].idx, bar->size, machine->bar_base,
		 machine->bar_base + machine->bar_size, bar->flags & ONTB_PCI_BAR_64 ? "" : " below 4 GiB");
}

int ontb_pci_place_bars(struct ontb_pci_bus *bus)
{
	struct want *wants;
	unsigned int nr = 0;

	if (!bus->nr_devs)
		return 0;
	wants = calloc((size_t)bus->nr_devs * ONTB_PCI_NR_BARS, sizeof(*wants));
	if (!wants)
		return -ENOMEM;
	for (unsigned int i = 0; i < bus->nr_devs; i++) {
		for (unsigned int idx = 0; idx < ONTB_PCI_NR_BARS; idx++) {
			const struct ontb_pci_bar *bar = &bus->devs[i]->bars[idx];

			if (bar->size && !(bar->flags & ONTB_PCI_BAR_IO))
				wants[nr++] = (struct want){ bus->devs[i], idx };
		}
	}
	qsort(wants, nr, sizeof(*wants), compare);
	for (unsigned int i = 0; i < nr; i++)
		place(bus->config.machine, wants, i + 1);
	free(wants);
	for (unsigned int i = 0; i < bus->nr_devs; i++)
		ontb_pci_write_bars(bus->devs[i]);
	return 0;
}

void ontb_pci_write_bars(struct ontb_pci_dev *dev)
{
	for (unsigned int idx = 0; idx < ONTB_PCI_NR_BARS; idx++) {
		const struct ontb_pci_bar *bar = &dev->bars[idx];

		if (!(bar->flags & ONTB_PCI_BAR_PLACED))
			continue;
		ontb_pci_config_write(dev, PCI_BAR(idx), 4, (uint32_t)bar->addr);
		if (bar->flags & ONTB_PCI_BAR_64)
			ontb_pci_config_write(dev, PCI_BAR(idx + 1), 4, (uint32_t)(bar->addr >> 32));
	}
}
