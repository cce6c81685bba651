// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Configuration space.
 *
 * Offsets and bits are those of the PCI Express Base Specification: 7.5.1 "PCI-Compatible Configuration Registers", 7.5.3
 * "PCI Express Capability Structure" and 7.7.2 "MSI-X Capability and Table Structure" (revision 5.0).
 */
#include "hw/bridge/config.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define CFG_VENDOR	     0x00
#define CFG_DEVICE	     0x02
#define CFG_COMMAND	     0x04
#define CFG_STATUS	     0x06
#define CFG_REVISION	     0x08
#define CFG_CLASS	     0x09
#define CFG_CACHE_LINE	     0x0c
#define CFG_BAR0	     0x10
#define CFG_SUBSYSTEM_VENDOR 0x2c
#define CFG_SUBSYSTEM	     0x2e
#define CFG_CAP_PTR	     0x34
#define CFG_INTERRUPT_LINE   0x3c

#define COMMAND_MEMORY	     0x0002
#define COMMAND_MASTER	     0x0004
#define COMMAND_PARITY	     0x0040
#define COMMAND_SERR	     0x0100
#define COMMAND_INTX_DISABLE 0x0400
#define STATUS_CAP_LIST	     0x0010

#define BAR_64BIT    0x4
#define BAR_PREFETCH 0x8

/* The PCI Express capability, 60 bytes, and MSI-X behind it. */
#define EXP_CAP		0x40
#define EXP_FLAGS	(EXP_CAP + 0x02)
#define EXP_DEVCAP	(EXP_CAP + 0x04)
#define EXP_DEVCTL	(EXP_CAP + 0x08)
#define EXP_LNKCAP	(EXP_CAP + 0x0c)
#define EXP_LNKCTL	(EXP_CAP + 0x10)
#define EXP_LNKSTA	(EXP_CAP + 0x12)
#define EXP_DEVCTL2	(EXP_CAP + 0x28)
#define EXP_LNKCAP2	(EXP_CAP + 0x2c)
#define EXP_LNKCTL2	(EXP_CAP + 0x30)
#define MSIX_CAP	0x80
#define MSIX_CONTROL	(MSIX_CAP + 0x02)
#define MSIX_TABLE	(MSIX_CAP + 0x04)
#define MSIX_PBA	(MSIX_CAP + 0x08)
#define CAP_ID_EXP	0x10
#define CAP_ID_MSIX	0x11
#define EXP_VERSION_2	0x0002
#define DEVCAP_RBE	0x00008000
#define DEVCTL_DEFAULT	0x2810
#define DEVCTL_WRITABLE 0x78ff
#define LNKCTL_WRITABLE 0x00c8
#define LNKSTA_WIDTH	4
#define MSIX_WRITABLE	0xc000

static void set16(struct ontb_config *config, unsigned int offset, uint16_t value, uint16_t mask)
{
	ontb_put_le16(config->reset + offset, value);
	ontb_put_le16(config->masks + offset, mask);
}

static void set32(struct ontb_config *config, unsigned int offset, uint32_t value, uint32_t mask)
{
	ontb_put_le32(config->reset + offset, value);
	ontb_put_le32(config->masks + offset, mask);
}

static void set_header(struct ontb_config *config, const struct ontb_config_ids *ids)
{
	set16(config, CFG_VENDOR, ids->vendor, 0);
	set16(config, CFG_DEVICE, ids->device, 0);
	set16(config, CFG_COMMAND, 0,
	      COMMAND_MEMORY | COMMAND_MASTER | COMMAND_PARITY | COMMAND_SERR | COMMAND_INTX_DISABLE);
	set16(config, CFG_STATUS, STATUS_CAP_LIST, 0);
	set32(config, CFG_REVISION, (ids->class_code << 8) | ids->revision, 0);
	config->masks[CFG_CACHE_LINE] = 0xff;
	set16(config, CFG_SUBSYSTEM_VENDOR, ids->vendor, 0);
	set16(config, CFG_SUBSYSTEM, ids->device, 0);
	config->reset[CFG_CAP_PTR] = EXP_CAP;
	config->masks[CFG_INTERRUPT_LINE] = 0xff;
}

static void set_bars(struct ontb_config *config, const struct ontb_bar_info bars[ONTB_NR_BARS])
{
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		uint64_t mask = ~(bars[b].size - 1);
		uint32_t flags = (bars[b].is_64bit ? BAR_64BIT : 0) | (bars[b].prefetchable ? BAR_PREFETCH : 0);

		if (!bars[b].size)
			continue;
		set32(config, CFG_BAR0 + 4 * b, flags, (uint32_t)mask);
		if (bars[b].is_64bit)
			set32(config, CFG_BAR0 + 4 * (b + 1), 0, (uint32_t)(mask >> 32));
	}
}

static void set_express(struct ontb_config *config, const struct ontb_config_ids *ids)
{
	uint16_t link = (uint16_t)(ids->link_width << LNKSTA_WIDTH | ids->link_speed);

	set16(config, EXP_CAP, MSIX_CAP << 8 | CAP_ID_EXP, 0);
	set16(config, EXP_FLAGS, EXP_VERSION_2, 0);
	set32(config, EXP_DEVCAP, DEVCAP_RBE, 0);
	set16(config, EXP_DEVCTL, DEVCTL_DEFAULT, DEVCTL_WRITABLE);
	set32(config, EXP_LNKCAP, link, 0);
	set16(config, EXP_LNKCTL, 0, LNKCTL_WRITABLE);
	set16(config, EXP_LNKSTA, link, 0);
	set16(config, EXP_DEVCTL2, 0, 0x001f);
	/* Supported speeds: a bit for each from 2.5 GT/s up to the link's. */
	set32(config, EXP_LNKCAP2, ((1U << ids->link_speed) - 1) << 1, 0);
	set16(config, EXP_LNKCTL2, ids->link_speed, 0x000f);
}

static void set_msix(struct ontb_config *config, const struct ontb_config_msix *msix)
{
	set16(config, MSIX_CAP, CAP_ID_MSIX, 0);
	set16(config, MSIX_CONTROL, (uint16_t)(msix->nr_vectors - 1), MSIX_WRITABLE);
	set32(config, MSIX_TABLE, msix->table | msix->bar, 0);
	set32(config, MSIX_PBA, msix->pba | msix->bar, 0);
}

void ontb_config_init(struct ontb_config *config, const struct ontb_config_ids *ids,
		      const struct ontb_bar_info bars[ONTB_NR_BARS], const struct ontb_config_msix *msix)
{
	memset(config, 0, sizeof(*config));
	set_header(config, ids);
	set_bars(config, bars);
	set_express(config, ids);
	set_msix(config, msix);
	ontb_config_reset(config);
}

void ontb_config_reset(struct ontb_config *config)
{
	memcpy(config->bytes, config->reset, sizeof(config->bytes));
}

int ontb_config_read(const struct ontb_config *config, uint64_t offset, void *buf, size_t len)
{
	size_t n;

	if (!ontb_range_fits(offset, len, ONTB_CONFIG_SIZE))
		return -ERANGE;
	/* The extended space holds no capability and reads as zero: PCIe 5.0, 7.6 "PCI Express Extended Capabilities". */
	n = offset < ONTB_CONFIG_HEADER_SIZE ? ONTB_CONFIG_HEADER_SIZE - (size_t)offset : 0;
	if (n > len)
		n = len;
	if (n)
		memcpy(buf, config->bytes + offset, n);
	memset((uint8_t *)buf + n, 0, len - n);
	return 0;
}

int ontb_config_write(struct ontb_config *config, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *src = buf;

	if (!ontb_range_fits(offset, len, ONTB_CONFIG_SIZE))
		return -ERANGE;
	for (size_t i = 0; i < len && offset + i < ONTB_CONFIG_HEADER_SIZE; i++) {
		uint8_t mask = config->masks[offset + i];

		config->bytes[offset + i] = (uint8_t)((config->bytes[offset + i] & ~mask) | (src[i] & mask));
	}
	return 0;
}

bool ontb_config_bus_master(const struct ontb_config *config)
{
	return ontb_get_le16(config->bytes + CFG_COMMAND) & COMMAND_MASTER;
}

bool ontb_config_memory_enabled(const struct ontb_config *config)
{
	return ontb_get_le16(config->bytes + CFG_COMMAND) & COMMAND_MEMORY;
}
