/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The exerciser: a PCI endpoint that interrupts and writes to memory when it is told to. It has no other purpose, so that
 * what a host's PCI layer can do is shown on a device that has nothing to do with bridges.
 *
 * Registers are in BAR0, 32 bits each, to be accessed with 4 or 8 aligned bytes; what is not there reads as zero.
 */
#ifndef OPENNTB_EXERCISER_H
#define OPENNTB_EXERCISER_H

#include <openntb/access.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers that no vendor has; not to be met outside this library. */
#define ONTB_EXERCISER_VENDOR 0x6e74
#define ONTB_EXERCISER_DEVICE 0x6578

/* What ONTB_EXERCISER_REG_ID reads. */
#define ONTB_EXERCISER_ID 0x52455845U

#define ONTB_EXERCISER_BAR0_SIZE 0x10000

/**
 * enum ontb_exerciser_reg - registers in BAR0
 * @ONTB_EXERCISER_REG_ID:       ONTB_EXERCISER_ID. Read only.
 * @ONTB_EXERCISER_REG_VECTORS:  MSI messages in bits 15:0, MSI-X vectors in bits 31:16. Read only.
 * @ONTB_EXERCISER_REG_SCRATCH:  Storage.
 * @ONTB_EXERCISER_REG_FIRE:     Interrupts on the vector written; one that does not exist does nothing. Reads as zero.
 * @ONTB_EXERCISER_REG_NR_FIRED: How many interrupts were asked for since the last reset. Read only.
 * @ONTB_EXERCISER_REG_DMA_ADDR: Address, 64 bits.
 * @ONTB_EXERCISER_REG_DMA_DATA: Value, 64 bits, little endian in memory.
 * @ONTB_EXERCISER_REG_DMA_GO:   Writes that many bytes (1 to 8) of the value to the address. Reads as zero.
 * @ONTB_EXERCISER_REG_STATUS:   Of the last such write, enum ontb_exerciser_status. Read only.
 * @ONTB_EXERCISER_REG_MSIX_PBA: Pending bits of MSI-X.
 * @ONTB_EXERCISER_REG_MSIX_TABLE: Table of MSI-X.
 */
enum ontb_exerciser_reg {
	ONTB_EXERCISER_REG_ID = 0x00,
	ONTB_EXERCISER_REG_VECTORS = 0x04,
	ONTB_EXERCISER_REG_SCRATCH = 0x08,
	ONTB_EXERCISER_REG_FIRE = 0x0c,
	ONTB_EXERCISER_REG_NR_FIRED = 0x10,
	ONTB_EXERCISER_REG_DMA_ADDR = 0x18,
	ONTB_EXERCISER_REG_DMA_DATA = 0x20,
	ONTB_EXERCISER_REG_DMA_GO = 0x28,
	ONTB_EXERCISER_REG_STATUS = 0x2c,
	ONTB_EXERCISER_REG_MSIX_PBA = 0x4000,
	ONTB_EXERCISER_REG_MSIX_TABLE = 0x8000,
};

/**
 * enum ontb_exerciser_status - how a write to memory ended
 * @ONTB_EXERCISER_DONE:      It was sent.
 * @ONTB_EXERCISER_FAULT:     Nothing is at the address.
 * @ONTB_EXERCISER_NO_MASTER: Bus mastering is off.
 * @ONTB_EXERCISER_BAD_LEN:   No such length.
 */
enum ontb_exerciser_status {
	ONTB_EXERCISER_DONE = 0,
	ONTB_EXERCISER_FAULT = 1,
	ONTB_EXERCISER_NO_MASTER = 2,
	ONTB_EXERCISER_BAD_LEN = 3,
};

struct ontb_exerciser;

/**
 * struct ontb_exerciser_config - what it has
 * @nr_msi:  Messages of its MSI capability, a power of two up to 32; 0 for no such capability.
 * @nr_msix: Vectors of its MSI-X capability, up to 2048; 0 for no such capability. One of the two is not 0.
 */
struct ontb_exerciser_config {
	unsigned int nr_msi;
	unsigned int nr_msix;
};

/**
 * ontb_exerciser_new() - make one, without a host
 * @config: What it has; copied.
 * @out:    OUT; free with ontb_exerciser_free().
 *
 * Context: Any thread.
 * Return: 0, or
 *         -EINVAL  a number of @config is outside its range; the log says which.
 *         -ENOMEM  no memory.
 */
int ontb_exerciser_new(const struct ontb_exerciser_config *config, struct ontb_exerciser **out);

/**
 * ontb_exerciser_free() - take it apart
 * @exerciser: Exerciser without a host, or NULL.
 *
 * Context: Any thread, outside accesses.
 */
void ontb_exerciser_free(struct ontb_exerciser *exerciser);

/**
 * ontb_exerciser_func() - its PCI function
 * @exerciser: Exerciser.
 *
 * Context: Any thread.
 * Return: Function, owned by the exerciser.
 */
struct ontb_func *ontb_exerciser_func(struct ontb_exerciser *exerciser);

#ifdef __cplusplus
}
#endif

#endif
