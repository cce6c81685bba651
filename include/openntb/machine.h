/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The line between a host's software and the machine it runs on.
 *
 *      host software                                        machine
 *   (src/platform, src/pci,     struct ontb_machine_ops    (memory, CPUs with local APICs, an IOMMU,
 *    src/ntb, src/host)       ------------------------->    a root complex with PCI functions;
 *                               loads, stores, APIC         emulated by src/hw/x86 and src/fabric)
 *                             <-------------------------
 *                               entry(): a CPU takes
 *                               an interrupt
 *
 * Neither side includes a header of the other. What software does here is what it does on real hardware: uncached loads
 * and stores, configuration space by requester id, local APIC registers of the CPU itself, and plain pointers into RAM.
 */
#ifndef OPENNTB_MACHINE_H
#define OPENNTB_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_machine;

/* Requester id of a PCI function: bus, device, function as PCIe puts them into a packet. */
#define ONTB_RID(bus, dev, fn) ((uint16_t)((bus) << 8 | (dev) << 3 | (fn)))

/* Addresses at which x86 takes interrupt messages: Intel SDM volume 3, "Message Signalled Interrupts". */
#define ONTB_X86_MSI_BASE 0xfee00000ULL
#define ONTB_X86_MSI_SIZE 0x100000ULL

/**
 * enum ontb_apic_reg - local APIC registers, as x2APIC MSR numbers minus 0x800
 * @ONTB_APIC_ID:   Id of the CPU. Read only.
 * @ONTB_APIC_TPR:  Task priority.
 * @ONTB_APIC_PPR:  Processor priority. Read only.
 * @ONTB_APIC_EOI:  End of interrupt. Write only.
 * @ONTB_APIC_SVR:  Spurious vector (bits 7:0) and software enable (bit 8).
 * @ONTB_APIC_ISR:  In service, eight registers of 32 bits. Read only.
 * @ONTB_APIC_TMR:  Trigger mode, likewise.
 * @ONTB_APIC_IRR:  Requested, likewise.
 * @ONTB_APIC_ESR:  Errors.
 * @ONTB_APIC_ICR:  Interrupt command, 64 bits: destination in the upper half, vector and mode in the lower.
 * @ONTB_APIC_SELF_IPI: Vector for this CPU itself. Write only.
 *
 * Intel SDM volume 3, "Local APIC Register Address Map" and "x2APIC Register Address Space".
 */
enum ontb_apic_reg {
	ONTB_APIC_ID = 0x02,
	ONTB_APIC_TPR = 0x08,
	ONTB_APIC_PPR = 0x0a,
	ONTB_APIC_EOI = 0x0b,
	ONTB_APIC_SVR = 0x0f,
	ONTB_APIC_ISR = 0x10,
	ONTB_APIC_TMR = 0x18,
	ONTB_APIC_IRR = 0x20,
	ONTB_APIC_ESR = 0x28,
	ONTB_APIC_ICR = 0x30,
	ONTB_APIC_SELF_IPI = 0x3f,
};

/**
 * typedef ontb_machine_entry - where a CPU goes when it takes an interrupt
 * @arg:    As given to set_entry().
 * @cpu:    CPU. Its interrupts are off until this returns, so it does not nest.
 * @vector: Vector, 16..255. It is in service: the software writes ONTB_APIC_EOI, except for the spurious vector.
 */
typedef void ontb_machine_entry(void *arg, unsigned int cpu, unsigned int vector);

/**
 * struct ontb_machine_ops - what a machine does for its software
 *
 * Any thread, unless said otherwise; none may be called from inside a device model.
 */
struct ontb_machine_ops {
	/** @mmio_read: Load of 1, 2, 4 or 8 bytes outside RAM. Waits for the answer. What nothing answers is all ones. */
	uint64_t (*mmio_read)(struct ontb_machine *machine, uint64_t addr, unsigned int len);
	/** @mmio_write: Store of 1, 2, 4 or 8 bytes outside RAM; posted. What nothing takes is dropped. */
	void (*mmio_write)(struct ontb_machine *machine, uint64_t addr, uint64_t value, unsigned int len);
	/** @mmio_copy_to: Store many bytes outside RAM, in ascending order, as write combining does. */
	void (*mmio_copy_to)(struct ontb_machine *machine, uint64_t addr, const void *buf, size_t len);
	/** @mmio_copy_from: Load many bytes outside RAM. */
	void (*mmio_copy_from)(struct ontb_machine *machine, void *buf, uint64_t addr, size_t len);
	/** @config_read: Load of 1, 2 or 4 aligned bytes of a function's configuration space; all ones if there is none. */
	uint32_t (*config_read)(struct ontb_machine *machine, uint16_t rid, unsigned int offset, unsigned int len);
	/** @config_write: Store, likewise. Not posted. */
	void (*config_write)(struct ontb_machine *machine, uint16_t rid, unsigned int offset, uint32_t value,
			     unsigned int len);
	/** @apic_read: Load of a register of a CPU's own local APIC (enum ontb_apic_reg + word). On that CPU, or while it is stopped. */
	uint64_t (*apic_read)(struct ontb_machine *machine, unsigned int cpu, unsigned int reg);
	/**
	 * @apic_write: Store, likewise. From any thread: ONTB_APIC_ICR, in the name of @cpu; and ONTB_APIC_SVR after
	 * cpu_start(), because a CPU whose APIC is not enabled yet has nothing to run.
	 */
	void (*apic_write)(struct ontb_machine *machine, unsigned int cpu, unsigned int reg, uint64_t value);
	/** @set_entry: Say where CPUs go with their interrupts. While all CPUs are stopped. */
	void (*set_entry)(struct ontb_machine *machine, ontb_machine_entry *entry, void *arg);
	/**
	 * @cpu_start: Let a CPU take interrupts; its local APIC is in its reset state.
	 * Return: 0, -EBUSY (runs already), or what starting a thread said.
	 */
	int (*cpu_start)(struct ontb_machine *machine, unsigned int cpu);
	/**
	 * @cpu_stop: Stop a CPU; on return it is in no handler. What comes later is lost. What its APIC had requested and not
	 * delivered can be read until the CPU starts again: whoever took it off line sends it somewhere else.
	 */
	void (*cpu_stop)(struct ontb_machine *machine, unsigned int cpu);
};

/**
 * struct ontb_machine - a machine as its software sees it; embedded in the emulation's own structure
 * @ops:         Operations. Constant.
 * @name:        Shown. Constant.
 * @nr_cpus:     CPUs, 1..256; the APIC id of CPU n is n. Constant.
 * @is_stepped:  CPUs have no threads of their own: somebody steps them. Constant.
 * @ram:         Memory as the software's pointer. Constant pointer; devices write to it at any time.
 * @ram_base:    Address of its first byte. Constant.
 * @ram_size:    Bytes. Constant.
 * @iommu_base:  Address of a VT-d unit's registers, 0 if there is none. Constant.
 * @bar_base:    Where BARs may be placed: first address. Constant.
 * @bar_size:    Bytes from there. Constant.
 */
struct ontb_machine {
	const struct ontb_machine_ops *ops;
	const char *name;
	unsigned int nr_cpus;
	bool is_stepped;
	void *ram;
	uint64_t ram_base;
	uint64_t ram_size;
	uint64_t iommu_base;
	uint64_t bar_base;
	uint64_t bar_size;
};

#ifdef __cplusplus
}
#endif

#endif
