// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Functions that say anything about themselves, against a slow and obvious model of capability lists, BARs and MSI-X tables.
 *
 * The input is a list of records of ten bytes: where in the configuration spaces of two functions (12 bits and one), which
 * four bytes are there, and which of their bits software can change. Afterwards all registers behave as memory with
 * read-only bits. Stores to BARs are not expected at all.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/log.h>
#include <openntb/pci.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer is to watch the code, not the model. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define NR_FUNCS   2U
#define RECORD_LEN 10U
#define BAR_BASE   0xf0001000ULL
#define BAR_SIZE   0x20000000ULL

struct func {
	uint8_t config[ONTB_PCI_CONFIG_SIZE];
	uint8_t writable[ONTB_PCI_CONFIG_SIZE];
};

static struct func funcs[NR_FUNCS];

static void require(bool is_right)
{
	if (!is_right)
		abort();
}

/* Functions 0 of devices 0 and 1. */
static struct func *func_of(uint16_t rid)
{
	return rid % 8 || rid / 8 >= NR_FUNCS ? NULL : &funcs[rid / 8];
}

static uint32_t config_read(struct ontb_machine *machine, uint16_t rid, unsigned int offset, unsigned int len)
{
	const struct func *func = func_of(rid);
	uint32_t value = 0;

	(void)machine;
	require(offset + len <= ONTB_PCI_CONFIG_SIZE);
	if (!func)
		return UINT32_MAX;
	memcpy(&value, &func->config[offset], len);
	return le32toh(value);
}

static void config_write(struct ontb_machine *machine, uint16_t rid, unsigned int offset, uint32_t value,
			 unsigned int len)
{
	struct func *func = func_of(rid);

	(void)machine;
	require(func && offset + len <= ONTB_PCI_CONFIG_SIZE);
	for (unsigned int i = 0; i < len; i++) {
		uint8_t *byte = &func->config[offset + i], writable = func->writable[offset + i];

		*byte = (uint8_t)((*byte & ~writable) | (value >> 8 * i & writable));
	}
}

static const struct ontb_machine_ops ops = { .config_read = config_read, .config_write = config_write };

static uint32_t get(const struct ontb_pci_dev *dev, unsigned int offset, unsigned int len)
{
	return config_read(NULL, ontb_pci_rid(dev), offset, len);
}

/* Walk along a list, first to see whether it is good up to what is wanted. */
static int model_find(const struct ontb_pci_dev *dev, bool is_ext, unsigned int id, unsigned int after)
{
	static unsigned int seen[2 * ONTB_PCI_CONFIG_SIZE];
	unsigned int nr = 0, pos = is_ext ? 0x100 : get(dev, 0x34, 1) & 0xfc;
	bool counts = !after;

	if (!is_ext && !(get(dev, 6, 2) & 0x10))
		return -ENOENT;
	if (is_ext && (!get(dev, 0x100, 4) || get(dev, 0x100, 4) == UINT32_MAX))
		return -ENOENT;
	while (pos) {
		uint32_t header = get(dev, pos, 4);

		for (unsigned int i = 0; i < nr; i++) {
			if (seen[i] == pos)
				return -EPROTO;
		}
		if (pos < (is_ext ? 0x100 : 0x40))
			return -EPROTO;
		seen[nr++] = pos;
		if (counts && (header & (is_ext ? 0xffff : 0xff)) == id)
			return (int)pos;
		counts |= pos == after;
		pos = is_ext ? header >> 20 & 0xffc : header >> 8 & 0xfc;
	}
	return -ENOENT;
}

static int find(const struct ontb_pci_dev *dev, bool is_ext, unsigned int id, unsigned int after)
{
	return is_ext ? ontb_pci_find_ext_cap(dev, (uint16_t)id, after) : ontb_pci_find_cap(dev, (uint8_t)id, after);
}

/* Every capability of every id that occurs, one after the other, and some that do not. */
static void check_caps(const struct ontb_pci_dev *dev, bool is_ext)
{
	for (unsigned int id = 0; id < 0x20; id++) {
		int pos = 0;

		do {
			int want = model_find(dev, is_ext, id, (unsigned int)pos);

			pos = find(dev, is_ext, id, (unsigned int)pos);
			require(pos == want);
		} while (pos > 0);
	}
	require(find(dev, is_ext, 5, 0x44) == model_find(dev, is_ext, 5, 0x44));
}

static bool are_apart(const struct ontb_pci_bar *a, const struct ontb_pci_bar *b)
{
	return a == b || !(a->flags & b->flags & ONTB_PCI_BAR_PLACED) || a->addr + a->size <= b->addr ||
	       b->addr + b->size <= a->addr;
}

static void check_bars(struct ontb_pci_bus *bus)
{
	struct ontb_pci_bar bars[NR_FUNCS * ONTB_PCI_NR_BARS];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < ontb_pci_nr_devs(bus); i++) {
		struct ontb_pci_dev *dev = ontb_pci_dev_at(bus, i);
		bool is_placed = true;

		for (unsigned int idx = 0; idx < ONTB_PCI_NR_BARS; idx++) {
			struct ontb_pci_bar *bar = &bars[nr];

			if (ontb_pci_bar(dev, idx, bar))
				continue;
			nr++;
			require(ontb_is_power_of_two(bar->size));
			if (bar->flags & ONTB_PCI_BAR_IO)
				continue;
			is_placed &= (bar->flags & ONTB_PCI_BAR_PLACED) != 0;
			if (!(bar->flags & ONTB_PCI_BAR_PLACED))
				continue;
			require(!(bar->addr % bar->size));
			require(bar->addr >= BAR_BASE && ontb_range_fits(bar->addr - BAR_BASE, bar->size, BAR_SIZE));
			require(bar->flags & ONTB_PCI_BAR_64 || bar->addr + bar->size <= 1ULL << 32);
		}
		require(ontb_pci_enable(dev) == (is_placed ? 0 : -ENOSPC));
	}
	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int j = 0; j < nr; j++)
			require(are_apart(&bars[i], &bars[j]));
	}
}

/* A table that is taken for good lies in memory. */
static void check_msix(const struct ontb_pci_dev *dev)
{
	int cap = ontb_pci_find_cap(dev, 0x11, 0);
	unsigned int nr = ontb_pci_msix_size(dev), where[2];

	if (!nr)
		return;
	require(cap > 0 && cap <= 0xf4 && nr == (get(dev, (unsigned int)cap + 2, 2) & 0x7ff) + 1);
	for (unsigned int i = 0; i < 2; i++) {
		struct ontb_pci_bar bar;

		where[i] = get(dev, (unsigned int)cap + 4 + 4 * i, 4);
		require(!ontb_pci_bar(dev, where[i] & 7, &bar) && !(bar.flags & ONTB_PCI_BAR_IO));
		require((where[i] & ~7U) + (i ? (nr + 63) / 64 * 8ULL : nr * 16ULL) <= bar.size);
	}
}

static void drop_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* Something to start from: two functions with a list of four capabilities and a BAR. */
static void init_func(struct func *func, unsigned int nr)
{
	static const uint8_t header[] = { 0xf4, 0x1a, 0, 0x10, 0, 0, 0x10, 0 };

	memset(func, 0, sizeof(*func));
	memcpy(func->config, header, sizeof(header));
	func->config[2] = (uint8_t)nr;
	ontb_put_le16(&func->writable[4], 0x547);
	ontb_put_le32(&func->writable[0x10], 0xffff0000);
	func->config[0x34] = 0x40;
	ontb_put_le16(&func->config[0x40], 0x5009);
	ontb_put_le16(&func->config[0x50], 0x7005);
	ontb_put_le32(&func->config[0x70], 0x00078011);
	ontb_put_le32(&func->config[0x78], 0x1000);
	ontb_put_le16(&func->config[0x80], 0x0009);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ontb_machine machine = { .ops = &ops, .name = "fuzz", .bar_base = BAR_BASE, .bar_size = BAR_SIZE };
	const struct ontb_pci_config config = { .machine = &machine, .nr_buses = 1 };
	struct ontb_pci_bus *bus;

	ontb_log_set_sink(drop_line, NULL);
	for (unsigned int i = 0; i < NR_FUNCS; i++)
		init_func(&funcs[i], i);
	for (; size >= RECORD_LEN; data += RECORD_LEN, size -= RECORD_LEN) {
		unsigned int offset = ontb_get_le16(data) & 0xffc;
		struct func *func = &funcs[data[1] >> 7];

		memcpy(&func->config[offset], data + 2, 4);
		memcpy(&func->writable[offset], data + 6, 4);
	}
	/* A function that changes its own identity is another one at every look. */
	for (unsigned int i = 0; i < NR_FUNCS; i++)
		memset(funcs[i].writable, 0, 4);
	require(!ontb_pci_scan(&config, &bus));
	for (unsigned int i = 0; i < ontb_pci_nr_devs(bus); i++) {
		check_caps(ontb_pci_dev_at(bus, i), false);
		check_caps(ontb_pci_dev_at(bus, i), true);
		check_msix(ontb_pci_dev_at(bus, i));
		require(ontb_pci_alloc_irqs(ontb_pci_dev_at(bus, i), 1, 1, ONTB_PCI_IRQ_ANY) < 0);
	}
	check_bars(bus);
	require(!ontb_pci_bus_free(bus));
	return 0;
}

#pragma clang attribute pop
