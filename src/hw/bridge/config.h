/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Configuration space of a port's function: a type 0 header, a PCI Express capability and an MSI-X capability.
 *
 * A byte has a value and a mask of the bits that a write changes; that is the whole behaviour, BAR sizing included
 * (PCIe 5.0, 7.5.1.2.1 "Base Address Registers": bits below the size read as zero). The owner looks at the few bits that
 * act, bus master and memory enable, after each write.
 */
#ifndef ONTB_HW_BRIDGE_CONFIG_H
#define ONTB_HW_BRIDGE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/access.h>

#define ONTB_CONFIG_SIZE	4096
#define ONTB_CONFIG_HEADER_SIZE 256

/**
 * struct ontb_config_ids - what the function says it is
 * @vendor:     Vendor id, also of the subsystem.
 * @device:     Device id, also of the subsystem.
 * @class_code: Class, subclass and programming interface, 24 bits.
 * @revision:   Revision id.
 * @link_speed: PCI Express link speed, 1 = 2.5 GT/s, 3 = 8 GT/s and so on.
 * @link_width: Lanes.
 */
struct ontb_config_ids {
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	uint8_t revision;
	uint8_t link_speed;
	uint8_t link_width;
};

/**
 * struct ontb_config_msix - where the MSI-X structures are
 * @nr_vectors: Vectors.
 * @bar:        BAR that holds both.
 * @table:      Offset of the table, a multiple of 8.
 * @pba:        Offset of the pending bits, a multiple of 8.
 */
struct ontb_config_msix {
	unsigned int nr_vectors;
	unsigned int bar;
	uint32_t table;
	uint32_t pba;
};

/**
 * struct ontb_config - configuration space of one function
 * @bytes: Values. Changed inside accesses of the port, and inside exclusive sections.
 * @masks: Bits of the first 256 bytes that a write changes; the rest is read-only. Constant.
 * @reset: Values after a reset. Constant.
 */
struct ontb_config {
	uint8_t bytes[ONTB_CONFIG_HEADER_SIZE];
	uint8_t masks[ONTB_CONFIG_HEADER_SIZE];
	uint8_t reset[ONTB_CONFIG_HEADER_SIZE];
};

/**
 * ontb_config_init() - build the space and reset it
 * @config: Memory of the caller.
 * @ids:    Identity.
 * @bars:   BARs.
 * @msix:   MSI-X.
 */
void ontb_config_init(struct ontb_config *config, const struct ontb_config_ids *ids,
		      const struct ontb_bar_info bars[ONTB_NR_BARS], const struct ontb_config_msix *msix);

/**
 * ontb_config_reset() - put the reset values back
 * @config: Configuration space.
 */
void ontb_config_reset(struct ontb_config *config);

/**
 * ontb_config_read() - read bytes, any width and alignment
 * @config: Configuration space.
 * @offset: First byte.
 * @buf:    OUT.
 * @len:    How many.
 *
 * Return: 0, or -ERANGE beyond the end, nothing read.
 */
int ontb_config_read(const struct ontb_config *config, uint64_t offset, void *buf, size_t len);

/**
 * ontb_config_write() - write bytes, any width and alignment
 * @config: Configuration space.
 * @offset: First byte.
 * @buf:    Bytes.
 * @len:    How many.
 *
 * Return: 0, or -ERANGE beyond the end, nothing written.
 */
int ontb_config_write(struct ontb_config *config, uint64_t offset, const void *buf, size_t len);

/**
 * ontb_config_bus_master() - whether the function may send requests
 * @config: Configuration space.
 */
bool ontb_config_bus_master(const struct ontb_config *config);

/**
 * ontb_config_memory_enabled() - whether the function answers accesses to its BARs
 * @config: Configuration space.
 */
bool ontb_config_memory_enabled(const struct ontb_config *config);

#endif
