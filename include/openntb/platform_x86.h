/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The root of an x86 host's interrupts: CPU vectors and, if the machine has a VT-d unit, interrupt remapping.
 *
 *      VECTOR  <-  IR-0  <-  device domains      with remapping: the message of an interrupt never changes
 *      VECTOR            <-  device domains      without: it names CPU and vector, and changes with affinity
 *
 * Allocating an interrupt reserves a vector somewhere; activating it picks CPU and vector. A vector that an interrupt has
 * left, by moving or by deactivation, is given to another one only after its CPU has taken everything that was pending.
 */
#ifndef OPENNTB_PLATFORM_X86_H
#define OPENNTB_PLATFORM_X86_H

#include <openntb/irq.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ontb_machine;
struct ontb_pages;
struct ontb_x86;

/* Vectors of each CPU that devices can have; the others are for exceptions and for the platform itself. */
#define ONTB_X86_NR_VECTORS 200U

/* Entries of the largest remapping table. */
#define ONTB_X86_MAX_ENTRIES 65536U

/**
 * struct ontb_x86_config - a host's root
 * @machine:       Machine, all CPUs stopped. Borrowed, outlives the object.
 * @irqs:          Interrupt system with as many CPUs as @machine, all on line. Borrowed, outlives the object.
 * @pages:         Memory of @machine, for tables that its units read. Borrowed, outlives the object.
 * @workers:       Where faults of the IOMMU are looked at, NULL for the CPU that takes its interrupt. Borrowed, outlives
 *                 the object.
 * @use_remapping: Use interrupt remapping if @machine has a VT-d unit.
 * @nr_entries:    Entries of the remapping table, a power of two from 2 to ONTB_X86_MAX_ENTRIES; 0 for the largest.
 */
struct ontb_x86_config {
	struct ontb_machine *machine;
	struct ontb_irq_system *irqs;
	struct ontb_pages *pages;
	struct ontb_worker_pool *workers;
	bool use_remapping;
	unsigned int nr_entries;
};

/**
 * ontb_x86_new() - make the root domains and start all CPUs
 * @config: What; copied.
 * @out:    OUT.
 *
 * Context: Any thread, not a handler.
 * Return: 0, or
 *         -EINVAL      something is missing, @nr_entries is none of those, or the numbers of CPUs differ.
 *         -EOPNOTSUPP  the VT-d unit lacks remapping or queued invalidation; logged.
 *         -ETIMEDOUT   the VT-d unit does not do what it was told; logged.
 *         -ENOMEM      no memory, of this process or of the machine.
 *         other        what starting a CPU said.
 */
int ontb_x86_new(const struct ontb_x86_config *config, struct ontb_x86 **out);

/**
 * ontb_x86_free() - stop all CPUs and take the root domains away
 * @x86: Root or NULL. No other domain is below its domains. If one is, that is logged, and @x86 stays, with its CPUs stopped;
 *       it can be freed again later.
 *
 * Context: Not a handler. Waits for RCU.
 */
void ontb_x86_free(struct ontb_x86 *x86);

/**
 * ontb_x86_msi_parent() - the domain below which devices make theirs
 * @x86: Root.
 *
 * Return: The remapping domain if there is one, else the vector domain.
 */
struct ontb_irq_domain *ontb_x86_msi_parent(const struct ontb_x86 *x86);

/**
 * ontb_x86_vector_domain() - the root domain
 * @x86: Root.
 *
 * Return: Domain, an MSI parent too: below it messages are not remapped, and only machines without remapping deliver them.
 */
struct ontb_irq_domain *ontb_x86_vector_domain(const struct ontb_x86 *x86);

/**
 * ontb_x86_cpu_online() - start a CPU and let interrupts go to it
 * @x86: Root.
 * @cpu: CPU that is off line.
 *
 * Context: Not a handler. Takes the lock of CPU changes.
 * Return: 0, or
 *         -ERANGE  no such CPU.
 *         -EBUSY   it is on line.
 *         other    what starting it said.
 */
int ontb_x86_cpu_online(struct ontb_x86 *x86, unsigned int cpu);

/**
 * ontb_x86_cpu_offline() - move all interrupts away from a CPU and stop it
 * @x86:        Root.
 * @cpu:        CPU that is on line.
 * @timeout_ns: How long to wait for moves that holders of messages have to confirm. In a stepped machine workers are
 *              stepped meanwhile; if none has anything to do, that is a time-out: step the CPUs, and call again.
 *
 * What was pending on the CPU when it stopped is raised again where its interrupt is now: nothing is lost. On an error the
 * CPU is on line as before; interrupts that have moved stay where they are.
 *
 * Context: Not a handler. Takes the lock of CPU changes. Blocks.
 * Return: 0, or
 *         -ERANGE     no such CPU.
 *         -EINVAL     it is off line.
 *         -EBUSY      it is the last one.
 *         -ENOSPC     the other CPUs have not enough vectors for what is reserved, or for an interrupt's move.
 *         -ETIMEDOUT  a move was not confirmed in time.
 *         -EIO        the VT-d unit has failed.
 */
int ontb_x86_cpu_offline(struct ontb_x86 *x86, unsigned int cpu, uint64_t timeout_ns);

/**
 * ontb_x86_poll_faults() - look at what the VT-d unit has blocked
 * @x86: Root.
 *
 * Happens by itself too, when the unit raises its fault interrupt.
 *
 * Context: Any thread. Takes the fault lock.
 * Return: Faults found now.
 */
unsigned int ontb_x86_poll_faults(struct ontb_x86 *x86);

/**
 * struct ontb_x86_status - numbers of a host's root
 * @nr_online:     CPUs that interrupts may go to.
 * @nr_reserved:   Vectors reserved by interrupts.
 * @nr_capacity:   Vectors that can be reserved.
 * @nr_used:       Vectors that are taken: by active interrupts, old targets of moves, and those that wait for clean-up.
 * @nr_waiting:    Of these, those that wait for clean-up.
 * @nr_cleaned:    Vectors that were cleaned up so far.
 * @nr_spurious:   Vectors raised that nobody has.
 * @nr_late:       Messages for an interrupt that had been deactivated; they were dropped.
 * @nr_resent:     Interrupts pending on a CPU that was stopped, raised again elsewhere.
 * @has_remapping: Interrupt remapping is on; what follows is 0 otherwise.
 * @nr_entries:    Entries of the remapping table.
 * @nr_entries_reserved: Of these, reserved for devices.
 * @nr_invalidations: Commands given to the invalidation queue and carried out.
 * @nr_faults:     Messages blocked, as far as the unit recorded them.
 * @nr_overflows:  How often it had no room to record one.
 * @fault_rid:     Requester id of the last fault.
 * @fault_index:   Table index of the last fault.
 * @fault_reason:  Reason of the last fault, as VT-d numbers them; 0 before the first.
 */
struct ontb_x86_status {
	unsigned int nr_online;
	unsigned int nr_reserved;
	unsigned int nr_capacity;
	unsigned int nr_used;
	unsigned int nr_waiting;
	uint64_t nr_cleaned;
	uint64_t nr_spurious;
	uint64_t nr_late;
	uint64_t nr_resent;
	bool has_remapping;
	unsigned int nr_entries;
	unsigned int nr_entries_reserved;
	uint64_t nr_invalidations;
	uint64_t nr_faults;
	uint64_t nr_overflows;
	uint16_t fault_rid;
	uint16_t fault_index;
	uint8_t fault_reason;
};

/**
 * ontb_x86_status() - look at a host's root
 * @x86:    Root.
 * @status: OUT.
 *
 * Context: Any thread. Takes the vector lock, then others, one after the other: no common moment.
 */
void ontb_x86_status(struct ontb_x86 *x86, struct ontb_x86_status *status);

/**
 * ontb_x86_cpu_nr_used() - vectors taken on a CPU
 * @x86: Root.
 * @cpu: CPU.
 *
 * Context: Any thread. Takes the vector lock.
 * Return: How many; 0 if there is no such CPU.
 */
unsigned int ontb_x86_cpu_nr_used(struct ontb_x86 *x86, unsigned int cpu);

/**
 * ontb_x86_fault_text() - a VT-d fault reason in words
 * @reason: As in struct ontb_x86_status.
 *
 * Return: Constant text.
 */
const char *ontb_x86_fault_text(uint8_t reason);

#ifdef __cplusplus
}
#endif

#endif
