/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Formats of VT-d interrupt remapping: table entries, messages, commands, registers. Facts only.
 *
 * Intel Virtualization Technology for Directed I/O, Architecture Specification; section titles are cited below.
 */
#ifndef ONTB_PLATFORM_X86_IRTE_H
#define ONTB_PLATFORM_X86_IRTE_H

#include <stdbool.h>
#include <stdint.h>

#include <openntb/machine.h>
#include <openntb/msi.h>

/* "Register Descriptions": offsets. */
#define ONTB_IOMMU_CAP	   0x08
#define ONTB_IOMMU_ECAP	   0x10
#define ONTB_IOMMU_GCMD	   0x18
#define ONTB_IOMMU_GSTS	   0x1c
#define ONTB_IOMMU_FSTS	   0x34
#define ONTB_IOMMU_FECTL   0x38
#define ONTB_IOMMU_FEDATA  0x3c
#define ONTB_IOMMU_FEADDR  0x40
#define ONTB_IOMMU_FEUADDR 0x44
#define ONTB_IOMMU_IQT	   0x88
#define ONTB_IOMMU_IQA	   0x90
#define ONTB_IOMMU_IRTA	   0xb8

/* "Capability Register", "Extended Capability Register". */
#define ONTB_IOMMU_CAP_CACHES_ABSENT(cap)                                                                              \
	((cap) >> 7 & 1) /* caching mode: entries that are not present are cached too */
#define ONTB_IOMMU_CAP_FAULT_OFFSET(cap) ((unsigned int)((cap) >> 24 & 0x3ff) * 16)
#define ONTB_IOMMU_CAP_NR_FAULTS(cap)	 ((unsigned int)((cap) >> 40 & 0xff) + 1)
#define ONTB_IOMMU_ECAP_QUEUE		 (1ULL << 1)
#define ONTB_IOMMU_ECAP_REMAPPING	 (1ULL << 3)
#define ONTB_IOMMU_ECAP_EXTENDED	 (1ULL << 4) /* APIC ids of 32 bits */

/* "Global Command Register", "Global Status Register": the bits mean the same in both. */
#define ONTB_IOMMU_G_COMPATIBILITY (1U << 23) /* messages in compatibility format pass */
#define ONTB_IOMMU_G_TABLE	   (1U << 24) /* set the table pointer; one shot */
#define ONTB_IOMMU_G_REMAPPING	   (1U << 25)
#define ONTB_IOMMU_G_QUEUE	   (1U << 26)
#define ONTB_IOMMU_G_ONE_SHOT	   (1U << 30 | 1U << 29 | 1U << 27 | ONTB_IOMMU_G_TABLE)

/* "Interrupt Remapping Table Address Register", "Invalidation Queue Address Register". */
#define ONTB_IOMMU_IRTA_EXTENDED (1ULL << 11)

/* "Fault Status Register", "Fault Event Control Register", "Fault Recording Registers". */
#define ONTB_IOMMU_FSTS_OVERFLOW      (1U << 0)
#define ONTB_IOMMU_FSTS_PENDING	      (1U << 1)
#define ONTB_IOMMU_FSTS_QUEUE_ERROR   (1U << 4 | 1U << 5 | 1U << 6)
#define ONTB_IOMMU_FSTS_FIRST(fsts)   ((fsts) >> 8 & 0xff)
#define ONTB_IOMMU_FECTL_MASK	      (1U << 31)
#define ONTB_IOMMU_FAULT_SIZE	      16U
#define ONTB_IOMMU_FAULT_VALID	      (1ULL << 63) /* of the upper half */
#define ONTB_IOMMU_FAULT_RID(high)    ((uint16_t)(high))
#define ONTB_IOMMU_FAULT_REASON(high) ((uint8_t)((high) >> 32))
#define ONTB_IOMMU_FAULT_INDEX(low)   ((uint16_t)((low) >> 48))

/* "Interrupt Entry Cache Invalidate Descriptor", "Invalidation Wait Descriptor": lower halves. */
#define ONTB_IOMMU_IEC_ALL		  0x4ULL
#define ONTB_IOMMU_IEC_SOME(first, order) (0x14ULL | (uint64_t)(order) << 27 | (uint64_t)(first) << 32)
#define ONTB_IOMMU_WAIT(value)		  (0x5ULL | 1ULL << 5 | (uint64_t)(value) << 32)

/* "Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts": lower half. */
#define ONTB_IRTE_PRESENT 1ULL

/**
 * ontb_irte_low() - where an entry sends its interrupt: fixed delivery, edge, physical destination
 * @cpu:         CPU, that is its APIC id.
 * @vector:      Vector.
 * @is_extended: Destinations have 32 bits.
 *
 * Return: Lower half of the entry, present.
 */
static inline uint64_t ontb_irte_low(unsigned int cpu, unsigned int vector, bool is_extended)
{
	return ONTB_IRTE_PRESENT | (uint64_t)vector << 16 | (uint64_t)cpu << (is_extended ? 32 : 40);
}

/**
 * ontb_irte_high() - who may use an entry
 * @rids: Requester ids.
 * @nr:   How many, 1 or more.
 *
 * What an entry can say is "exactly this one", "this one whatever some bits of its function number are", and "any on
 * these buses", so several ids may let in neighbours that nobody named.
 *
 * Return: Upper half of the entry: SID, SQ and SVT.
 */
uint64_t ontb_irte_high(const uint16_t *rids, unsigned int nr);

/**
 * ontb_irte_message() - the message that selects an entry
 * @index:    Entry, or the first of a group.
 * @is_group: The data of the message says which of the group.
 * @member:   Which; 0 if there is no group.
 *
 * "Interrupt Requests in Remappable Format".
 *
 * Return: Message.
 */
static inline struct ontb_msi_msg ontb_irte_message(unsigned int index, bool is_group, unsigned int member)
{
	return (struct ontb_msi_msg){
		.addr = ONTB_X86_MSI_BASE | (uint64_t)(index & 0x7fff) << 5 | 1U << 4 | (uint64_t)is_group << 3 |
			(uint64_t)(index >> 15 & 1) << 2,
		.data = member,
	};
}

#endif
