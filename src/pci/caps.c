// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Capability lists. A function may say anything: a list is followed only where capabilities can be, and no place twice.
 *
 * A search that goes on after a capability starts at the beginning too, because only so a circle shows.
 */
#include "pci/pci.h"

#include <errno.h>

#define EXT_FIRST 0x100U

/**
 * struct walk - how far a walk along a list has come
 * @seen:     Places, a bit per dword of configuration space.
 * @after:    Only what comes after this counts; 0 once it was passed.
 */
struct walk {
	uint64_t seen[ONTB_PCI_CONFIG_SIZE / 4 / 64];
	unsigned int after;
};

/* Whether a walk may go to a place that it has not seen yet. */
static bool may_visit(struct walk *walk, unsigned int pos, unsigned int first)
{
	uint64_t bit = 1ULL << pos / 4 % 64, *word = &walk->seen[pos / 4 / 64];

	if (pos < first || *word & bit)
		return false;
	*word |= bit;
	return true;
}

/* Whether a capability is one that is looked for. */
static bool is_wanted(struct walk *walk, unsigned int pos, bool has_id)
{
	if (walk->after == pos) {
		walk->after = 0;
		return false;
	}
	return has_id && !walk->after;
}

int ontb_pci_find_cap(const struct ontb_pci_dev *dev, uint8_t id, unsigned int after)
{
	struct walk walk = { .after = after };
	unsigned int pos;

	if (ontb_pci_is_gone(dev) || !(ontb_pci_config_read(dev, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return -ENOENT;
	pos = ontb_pci_config_read(dev, PCI_CAPS, 1) & ~3U;
	while (pos) {
		unsigned int header;

		if (!may_visit(&walk, pos, PCI_FIRST_CAP))
			return -EPROTO;
		header = ontb_pci_config_read(dev, pos, 2);
		if (is_wanted(&walk, pos, (header & 0xff) == id))
			return (int)pos;
		pos = header >> 8 & ~3U;
	}
	return -ENOENT;
}

int ontb_pci_find_ext_cap(const struct ontb_pci_dev *dev, uint16_t id, unsigned int after)
{
	struct walk walk = { .after = after };
	unsigned int pos = EXT_FIRST;

	while (pos) {
		uint32_t header;

		if (!may_visit(&walk, pos, EXT_FIRST))
			return -EPROTO;
		header = ontb_pci_config_read(dev, pos, 4);
		/* PCIe 5.0, 7.6 "PCI Express Extended Capabilities": all zero is an empty list; all ones is none at all. */
		if (pos == EXT_FIRST && (!header || header == UINT32_MAX))
			return -ENOENT;
		if (is_wanted(&walk, pos, (header & 0xffff) == id))
			return (int)pos;
		pos = header >> 20 & ~3U;
	}
	return -ENOENT;
}
