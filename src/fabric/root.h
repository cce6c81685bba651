/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A machine's root complex: where requests of PCI functions arrive. An address is memory, or it is an interrupt message, or
 * it is nothing.
 */
#ifndef ONTB_FABRIC_ROOT_H
#define ONTB_FABRIC_ROOT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/x86/lapic.h"
#include "hw/x86/vtd.h"

/**
 * struct ontb_root - a root complex
 * @ram:            Memory. Constant pointer; the bytes are written by anybody, with atomic stores here.
 * @ram_base:       Address of its first byte. Constant.
 * @ram_size:       Bytes. Constant.
 * @bus:            Local APICs. Constant.
 * @vtd:            Remapping unit, or NULL. Constant.
 * @nr_messages:    Interrupt messages that reached a local APIC.
 * @nr_lost:        Interrupt messages that reached none, also those that the unit blocked.
 * @nr_dma_writes:  Writes into memory.
 * @nr_dma_faults:  Accesses to nothing.
 */
struct ontb_root {
	uint8_t *ram;
	uint64_t ram_base;
	uint64_t ram_size;
	struct ontb_apic_bus *bus;
	struct ontb_vtd *vtd;
	_Alignas(64) _Atomic uint64_t nr_messages;
	_Atomic uint64_t nr_lost;
	_Atomic uint64_t nr_dma_writes;
	_Atomic uint64_t nr_dma_faults;
};

/**
 * ontb_root_write() - a function writes
 * @root: Root.
 * @rid:  Requester id of the function.
 * @addr: Address.
 * @buf:  Bytes.
 * @len:  How many.
 *
 * Memory is written in ascending order, aligned words of 8 bytes whole, each after what came before it. An interrupt
 * message is delivered after all that.
 *
 * Context: Any thread. Does not wait.
 * Return: 0, or -EFAULT: nothing is there, or what is there takes no such write.
 */
int ontb_root_write(struct ontb_root *root, uint16_t rid, uint64_t addr, const void *buf, size_t len);

/**
 * ontb_root_read() - a function reads
 * @root: Root.
 * @addr: Address.
 * @buf:  OUT.
 * @len:  How many bytes.
 *
 * Context: Any thread. Does not wait.
 * Return: 0, or -EFAULT: not memory, nothing read.
 */
int ontb_root_read(struct ontb_root *root, uint64_t addr, void *buf, size_t len);

/* How the remapping unit of a machine reaches its memory; the argument is the root. */
extern const struct ontb_vtd_memory ontb_root_vtd_memory;

#endif
