/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What turns a function's vector into a message: its MSI-X table, or the addresses of its MSI capability.
 *
 * A vector that cannot be sent now (masked, or neither MSI-X nor MSI is enabled) is held back, once, and sent when it can be:
 * PCIe 5.0, 6.1.4.5 "Per-vector Masking and Function Masking".
 */
#ifndef ONTB_FABRIC_VECTORS_H
#define ONTB_FABRIC_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annotate.h"
#include "fabric/way.h"

#define ONTB_MSIX_ENTRY_SIZE 16

/**
 * struct ontb_msix_entry - an entry of the MSI-X table
 * @addr:      Address.
 * @data:      Data.
 * @is_masked: Vector Control.
 */
struct ontb_msix_entry {
	uint64_t addr;
	uint32_t data;
	bool is_masked;
};

/**
 * struct ontb_msi_state - what an MSI capability holds
 * @is_enabled:  MSI is on.
 * @nr_messages: How many software has granted, a power of two.
 * @addr:        Address.
 * @data:        Data; its low bits are replaced by the number of the message.
 * @mask:        A bit per message.
 */
struct ontb_msi_state {
	bool is_enabled;
	unsigned int nr_messages;
	uint64_t addr;
	uint32_t data;
	uint32_t mask;
};

/**
 * struct ontb_vectors - the vectors of a function
 * @way:         Where messages go. Constant.
 * @nr_vectors:  Vectors that the function may raise. Constant.
 * @nr_msix:     Entries of the MSI-X table, 0 if there is none. Constant.
 * @lock:        Of all below. Taken inside accesses; held while a message is sent, so that no message leaves after the
 *               access that masked it.
 * @entries:     MSI-X table.
 * @held:        Vectors held back, a bit each.
 * @is_msix:     MSI-X is on.
 * @is_all_masked: MSI-X function mask.
 * @msi:         MSI.
 */
struct ontb_vectors {
	struct ontb_way *way;
	unsigned int nr_vectors;
	unsigned int nr_msix;
	struct ontb_lock lock;
	struct ontb_msix_entry *entries;
	uint64_t *held;
	bool is_msix;
	bool is_all_masked;
	struct ontb_msi_state msi;
};

/**
 * ontb_vectors_init() - make vectors in their reset state
 * @vectors:    Memory of the caller.
 * @way:        Where messages go.
 * @nr_vectors: Vectors that the function may raise.
 * @nr_msix:    Entries of its MSI-X table.
 *
 * Return: 0, or -ENOMEM and @vectors is untouched.
 */
int ontb_vectors_init(struct ontb_vectors *vectors, struct ontb_way *way, unsigned int nr_vectors, unsigned int nr_msix)
	ONTB_MUST_CHECK;

/**
 * ontb_vectors_fini() - undo ontb_vectors_init()
 * @vectors: Vectors.
 */
void ontb_vectors_fini(struct ontb_vectors *vectors);

/**
 * ontb_vectors_reset() - reset state: all entries masked and empty, all off, nothing held back
 * @vectors: Vectors.
 */
void ontb_vectors_reset(struct ontb_vectors *vectors);

/**
 * ontb_vectors_raise() - signal a vector
 * @vectors: Vectors.
 * @vector:  Vector; one that does not exist is ignored.
 *
 * Context: Inside an access or an exclusive section of the function.
 */
void ontb_vectors_raise(struct ontb_vectors *vectors, unsigned int vector);

/**
 * ontb_vectors_clear() - forget what is held back
 * @vectors: Vectors.
 */
void ontb_vectors_clear(struct ontb_vectors *vectors);

/**
 * ontb_vectors_is_held() - whether a vector is held back
 * @vectors: Vectors.
 * @vector:  Vector.
 *
 * Return: Whether it is; false if it does not exist.
 */
bool ontb_vectors_is_held(struct ontb_vectors *vectors, unsigned int vector);

/**
 * ontb_vectors_set_msix() - the MSI-X capability was written
 * @vectors:       Vectors.
 * @is_msix:       MSI-X Enable.
 * @is_all_masked: Function Mask.
 *
 * Context: Inside an access of the function; so are the following ones.
 */
void ontb_vectors_set_msix(struct ontb_vectors *vectors, bool is_msix, bool is_all_masked);

/**
 * ontb_vectors_set_msi() - the MSI capability was written
 * @vectors: Vectors.
 * @msi:     What it holds; copied.
 */
void ontb_vectors_set_msi(struct ontb_vectors *vectors, const struct ontb_msi_state *msi);

/**
 * ontb_vectors_msi_pending() - pending bits of the MSI capability
 * @vectors: Vectors.
 *
 * Return: A bit per message.
 */
uint32_t ontb_vectors_msi_pending(struct ontb_vectors *vectors);

/**
 * ontb_vectors_table_read() - read the MSI-X table
 * @vectors: Vectors.
 * @offset:  Offset in the table; the range lies inside.
 * @buf:     OUT.
 * @len:     Bytes.
 */
void ontb_vectors_table_read(struct ontb_vectors *vectors, uint64_t offset, void *buf, size_t len);

/**
 * ontb_vectors_table_write() - write the MSI-X table
 * @vectors: Vectors.
 * @offset:  Offset in the table; the range lies inside.
 * @buf:     Bytes; only aligned doublewords and pairs of them change anything, others are undefined by the standard.
 * @len:     How many.
 */
void ontb_vectors_table_write(struct ontb_vectors *vectors, uint64_t offset, const void *buf, size_t len);

/**
 * ontb_vectors_pba_add() - add what is held back to pending bits that were read from the function
 * @vectors: Vectors.
 * @offset:  Offset in the pending bit array.
 * @buf:     IN and OUT.
 * @len:     Bytes.
 */
void ontb_vectors_pba_add(struct ontb_vectors *vectors, uint64_t offset, uint8_t *buf, size_t len);

#endif
