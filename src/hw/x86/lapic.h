/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Local APICs, and the bus that brings messages to them.
 *
 * A local APIC is 256 bits "requested" that any thread sets, and 256 bits "in service" that only its CPU changes. Setting a
 * bit that is set already is a merge: two messages, one interrupt. That is what hardware does, so it is counted, not cured.
 *
 * All state is atomic and there is no lock. The one thing that needs an order is sleep: a CPU says that it sleeps and then
 * looks for requests; a sender sets its request and then looks whether the CPU sleeps. One of them sees the other.
 */
#ifndef ONTB_HW_X86_LAPIC_H
#define ONTB_HW_X86_LAPIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/machine.h>

#include "base/annotate.h"
#include "base/log.h"

struct ontb_apic_bus;

#define ONTB_APIC_MAX_CPUS 256

/* Vectors below are exceptions of the CPU: Intel SDM volume 3, "Valid Interrupt Vectors". */
#define ONTB_APIC_FIRST_VECTOR 16

/* Destination that means all CPUs: Intel SDM volume 3, "Physical Destination Mode". */
#define ONTB_APIC_ALL	   UINT32_MAX
#define ONTB_APIC_ALL_8BIT 0xff

/* Spurious vector register: software enable. Error status: Intel SDM volume 3, "Error Handling". */
#define ONTB_APIC_SVR_ENABLE	      0x100U
#define ONTB_APIC_ESR_SEND_ILLEGAL    0x20U
#define ONTB_APIC_ESR_RECEIVE_ILLEGAL 0x40U

/* Who sent a message, for log lines: a requester id, or one of these. */
#define ONTB_APIC_FROM_CPU(n) (0x10000U | (n))
#define ONTB_APIC_FROM_UNIT   0x20000U

/**
 * enum ontb_apic_mode - delivery modes, as in messages, in the interrupt command register and in remapping entries
 * @ONTB_APIC_FIXED:  To the named CPUs.
 * @ONTB_APIC_LOWEST: To one of the named CPUs; here the one with the lowest number.
 * @ONTB_APIC_SMI:    Not supported, like the following ones.
 * @ONTB_APIC_NMI:    Not maskable.
 * @ONTB_APIC_INIT:   Reset of a CPU.
 * @ONTB_APIC_SIPI:   Start of a CPU.
 * @ONTB_APIC_EXTINT: Vector from an 8259.
 */
enum ontb_apic_mode {
	ONTB_APIC_FIXED = 0,
	ONTB_APIC_LOWEST = 1,
	ONTB_APIC_SMI = 2,
	ONTB_APIC_NMI = 4,
	ONTB_APIC_INIT = 5,
	ONTB_APIC_SIPI = 6,
	ONTB_APIC_EXTINT = 7,
};

/**
 * enum ontb_lapic_result - what became of an interrupt at a local APIC
 * @ONTB_LAPIC_ACCEPTED: It is pending now.
 * @ONTB_LAPIC_MERGED:   It was pending already: one interrupt for both.
 * @ONTB_LAPIC_OFF:      The CPU is stopped, or its software has not enabled the APIC.
 * @ONTB_LAPIC_ILLEGAL:  The vector is below 16; the error status says so.
 */
enum ontb_lapic_result {
	ONTB_LAPIC_ACCEPTED,
	ONTB_LAPIC_MERGED,
	ONTB_LAPIC_OFF,
	ONTB_LAPIC_ILLEGAL,
};

/**
 * struct ontb_lapic - the local APIC of a CPU
 * @irr:           Requested, a bit per vector. Set by anybody, cleared by the CPU.
 * @tmr:           Whether the last request of a vector was level triggered.
 * @is_sleeping:   The CPU sleeps on this word, or is about to.
 * @is_online:     The CPU runs; otherwise whatever comes is dropped.
 * @svr:           Spurious vector and software enable.
 * @isr:           In service. Changed by the CPU only, like what follows.
 * @tpr:           Task priority.
 * @esr:           Errors, as last latched by a write of the register.
 * @esr_new:       Errors since then.
 * @icr:           Last interrupt command.
 * @nr_taken:      Interrupts that the CPU took, without spurious ones.
 * @nr_spurious:   Spurious ones.
 * @nr_eois:       Ends of interrupt that ended one.
 * @nr_sleeps:     How often the CPU went to sleep.
 * @nr_merged:     Messages that found their vector pending.
 * @nr_off:        Messages dropped because the CPU is stopped or the APIC disabled.
 * @nr_illegal:    Messages with a vector below 16.
 * @nr_wakes:      System calls made to wake the CPU.
 * @nr_bad:        Register accesses that hardware answers with a general protection fault.
 * @bus:           Where it is attached. Constant.
 * @id:            Number of the CPU and its APIC id. Constant.
 *
 * Everything that changes is atomic; there is no lock.
 */
struct ontb_lapic {
	_Alignas(64) _Atomic uint64_t irr[4];
	_Atomic uint64_t tmr[4];
	_Alignas(64) _Atomic uint32_t is_sleeping;
	_Atomic bool is_online;
	_Atomic uint32_t svr;
	struct ontb_apic_bus *bus;
	uint32_t id;
	_Alignas(64) _Atomic uint64_t isr[4];
	_Atomic uint32_t tpr;
	_Atomic uint32_t esr;
	_Atomic uint32_t esr_new;
	_Atomic uint64_t icr;
	_Alignas(64) _Atomic uint64_t nr_taken;
	_Atomic uint64_t nr_spurious;
	_Atomic uint64_t nr_eois;
	_Atomic uint64_t nr_sleeps;
	_Alignas(64) _Atomic uint64_t nr_merged;
	_Atomic uint64_t nr_off;
	_Atomic uint64_t nr_illegal;
	_Atomic uint64_t nr_wakes;
	_Atomic uint64_t nr_bad;
};

/**
 * ontb_lapic_deliver() - request an interrupt of a CPU
 * @lapic:    Local APIC.
 * @vector:   Vector.
 * @is_level: Level triggered: for the trigger mode register only.
 *
 * Wakes the CPU if it sleeps; there is no system call if it does not.
 *
 * Context: Any thread. Does not wait.
 * Return: What became of it.
 */
enum ontb_lapic_result ontb_lapic_deliver(struct ontb_lapic *lapic, uint8_t vector, bool is_level);

/**
 * ontb_lapic_has_request() - whether an interrupt is pending whose priority is above that of the CPU
 * @lapic: Local APIC.
 *
 * Context: Any thread; for others than the CPU itself it is a snapshot.
 * Return: Whether there is one.
 */
bool ontb_lapic_has_request(const struct ontb_lapic *lapic);

/**
 * ontb_lapic_acknowledge() - what the CPU does when it saw a request: take the vector
 * @lapic: Local APIC.
 *
 * The highest vector goes from requested to in service. If none is above the priority any more (the task priority was
 * raised in between), the answer is the spurious vector, and nothing goes into service.
 *
 * Context: The CPU's thread.
 * Return: Vector.
 */
unsigned int ontb_lapic_acknowledge(struct ontb_lapic *lapic);

/**
 * ontb_lapic_take() - acknowledge an interrupt if there is one
 * @lapic:  Local APIC.
 * @vector: OUT: vector, if there is one.
 *
 * Context: The CPU's thread.
 * Return: Whether there is one.
 */
bool ontb_lapic_take(struct ontb_lapic *lapic, unsigned int *vector);

/**
 * ontb_lapic_read() - load of a register
 * @lapic: Local APIC.
 * @reg:   enum ontb_apic_reg, plus 0..7 for the registers that there are eight of.
 *
 * Context: The CPU's thread, or while it is stopped; from elsewhere it is a snapshot.
 * Return: Value; 0 and a log line for what cannot be read.
 */
uint64_t ontb_lapic_read(struct ontb_lapic *lapic, unsigned int reg);

/**
 * ontb_lapic_write() - store to a register
 * @lapic: Local APIC.
 * @reg:   enum ontb_apic_reg.
 * @value: Value; one with reserved bits is dropped with a log line, as hardware faults.
 *
 * Context: The CPU's thread, or while it is stopped; ONTB_APIC_ICR from any thread.
 */
void ontb_lapic_write(struct ontb_lapic *lapic, unsigned int reg, uint64_t value);

/**
 * ontb_lapic_set_online() - let messages in, or drop them from now on
 * @lapic:     Local APIC.
 * @is_online: Whether the CPU runs.
 *
 * Context: While no thread is this CPU.
 */
void ontb_lapic_set_online(struct ontb_lapic *lapic, bool is_online);

/**
 * ontb_lapic_reset() - state after reset: nothing requested or in service, disabled
 * @lapic: Local APIC, offline; counters stay.
 *
 * Context: While no thread is this CPU.
 */
void ontb_lapic_reset(struct ontb_lapic *lapic);

/**
 * ontb_lapic_wait() - sleep until there may be a request
 * @lapic: Local APIC.
 * @stop:  Do not sleep if this is true; whoever sets it calls ontb_lapic_kick() next.
 *
 * Context: The CPU's thread. May return for no reason.
 */
void ontb_lapic_wait(struct ontb_lapic *lapic, const _Atomic bool *stop);

/**
 * ontb_lapic_kick() - wake the CPU if it sleeps
 * @lapic: Local APIC.
 *
 * Context: Any thread.
 */
void ontb_lapic_kick(struct ontb_lapic *lapic);

/**
 * struct ontb_apic_message - an interrupt on its way to CPUs
 * @dest:       APIC id, or ONTB_APIC_ALL.
 * @vector:     Vector.
 * @mode:       enum ontb_apic_mode; any three bits.
 * @is_level:   Level triggered.
 * @is_logical: @dest is a set of logical ids: not supported.
 */
struct ontb_apic_message {
	uint32_t dest;
	uint8_t vector;
	uint8_t mode;
	bool is_level;
	bool is_logical;
};

/**
 * struct ontb_apic_bus - the local APICs of a machine
 * @name:           Of the machine, for log lines. Constant; the caller's.
 * @nr_lapics:      How many. Constant.
 * @lapics:         Them, by number of CPU. Constant pointer.
 * @nr_malformed:   Messages dropped because they make no sense.
 * @nr_no_cpu:      Messages for a CPU that does not exist.
 * @nr_unsupported: Messages with a mode or kind of destination that is not modelled.
 * @limit:          Of the log lines about all these.
 */
struct ontb_apic_bus {
	const char *name;
	unsigned int nr_lapics;
	struct ontb_lapic *lapics;
	_Atomic uint64_t nr_malformed;
	_Atomic uint64_t nr_no_cpu;
	_Atomic uint64_t nr_unsupported;
	struct ontb_ratelimit limit;
};

/**
 * ontb_apic_bus_init() - make a bus and its local APICs, all offline and in reset state
 * @bus:       Memory of the caller; it does not move while the bus lives.
 * @name:      Of the machine; lives as long as the bus.
 * @nr_lapics: CPUs, 1..256.
 *
 * Return: 0, or
 *         -EINVAL  @nr_lapics is out of range; @bus is untouched, as with
 *         -ENOMEM  no memory.
 */
int ontb_apic_bus_init(struct ontb_apic_bus *bus, const char *name, unsigned int nr_lapics) ONTB_MUST_CHECK;

/**
 * ontb_apic_bus_fini() - undo ontb_apic_bus_init()
 * @bus: Bus; nobody sends any more.
 */
void ontb_apic_bus_fini(struct ontb_apic_bus *bus);

/**
 * ontb_apic_bus_message() - a store of a device to the interrupt address range, not remapped
 * @bus:    Bus.
 * @source: Requester id, for log lines.
 * @addr:   Address.
 * @data:   Data.
 *
 * What makes no sense or names no CPU is dropped and counted, and a log line says who, what and why.
 *
 * Context: Any thread. Does not wait.
 * Return: How many CPUs have it pending now.
 */
unsigned int ontb_apic_bus_message(struct ontb_apic_bus *bus, uint32_t source, uint64_t addr, uint32_t data);

/**
 * ontb_apic_bus_send() - bring a decoded message to its CPUs
 * @bus:    Bus.
 * @source: Requester id, ONTB_APIC_FROM_CPU() or ONTB_APIC_FROM_UNIT, for log lines.
 * @msg:    Message.
 *
 * Context: Any thread. Does not wait.
 * Return: How many CPUs have it pending now.
 */
unsigned int ontb_apic_bus_send(struct ontb_apic_bus *bus, uint32_t source, const struct ontb_apic_message *msg);

/**
 * ontb_apic_bus_command() - an interrupt command of a CPU
 * @bus: Bus.
 * @cpu: CPU that sends, below nr_lapics.
 * @icr: Interrupt command register, x2APIC format.
 *
 * Context: Any thread. Does not wait.
 * Return: How many CPUs have it pending now.
 */
unsigned int ontb_apic_bus_command(struct ontb_apic_bus *bus, unsigned int cpu, uint64_t icr);

#endif
