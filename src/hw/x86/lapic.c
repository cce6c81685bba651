// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A local APIC: requests, priorities, service, registers, and the sleep of its CPU.
 *
 * Rules are those of Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller (APIC)"; section titles are
 * cited from memory, see README.md.
 */
#include "hw/x86/lapic.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"

#define CLASS(vector) ((vector) >> 4)
#define SVR_RESET     0xffU
#define SVR_BITS      (ONTB_APIC_SVR_ENABLE | 0xffU)

static void add_one(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* For counters that only the CPU's own thread changes. */
static void add_own(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static void wake_futex(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_futex(_Atomic uint32_t *word, uint32_t value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void ontb_lapic_kick(struct ontb_lapic *lapic)
{
	if (!atomic_load(&lapic->is_sleeping) || !atomic_exchange(&lapic->is_sleeping, 0))
		return;
	add_one(&lapic->nr_wakes);
	wake_futex(&lapic->is_sleeping);
}

void ontb_lapic_wait(struct ontb_lapic *lapic, const _Atomic bool *stop)
{
	atomic_store(&lapic->is_sleeping, 1);
	if (!ontb_lapic_has_request(lapic) && !atomic_load(stop)) {
		add_own(&lapic->nr_sleeps);
		wait_futex(&lapic->is_sleeping, 1);
	}
	atomic_store(&lapic->is_sleeping, 0);
}

static void set_trigger(struct ontb_lapic *lapic, uint8_t vector, bool is_level)
{
	_Atomic uint64_t *word = &lapic->tmr[vector / 64];
	uint64_t bit = 1ULL << (vector % 64);

	if (!!(atomic_load_explicit(word, memory_order_relaxed) & bit) == is_level)
		return;
	if (is_level)
		atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
}

static bool is_accepting(const struct ontb_lapic *lapic)
{
	return atomic_load_explicit(&lapic->is_online, memory_order_acquire) &&
	       atomic_load_explicit(&lapic->svr, memory_order_acquire) & ONTB_APIC_SVR_ENABLE;
}

enum ontb_lapic_result ontb_lapic_deliver(struct ontb_lapic *lapic, uint8_t vector, bool is_level)
{
	uint64_t bit = 1ULL << (vector % 64), old;

	if (ontb_unlikely(!is_accepting(lapic))) {
		add_one(&lapic->nr_off);
		return ONTB_LAPIC_OFF;
	}
	if (ontb_unlikely(vector < ONTB_APIC_FIRST_VECTOR)) {
		atomic_fetch_or(&lapic->esr_new, ONTB_APIC_ESR_RECEIVE_ILLEGAL);
		add_one(&lapic->nr_illegal);
		return ONTB_LAPIC_ILLEGAL;
	}
	set_trigger(lapic, vector, is_level);
	/* Sequentially consistent, as is the load of is_sleeping: see the top of lapic.h. */
	old = atomic_fetch_or(&lapic->irr[vector / 64], bit);
	ontb_lapic_kick(lapic);
	if (!(old & bit))
		return ONTB_LAPIC_ACCEPTED;
	add_one(&lapic->nr_merged);
	return ONTB_LAPIC_MERGED;
}

/* Highest vector of 256 bits, -1 if none. */
static int highest(const _Atomic uint64_t words[4])
{
	for (int i = 3; i >= 0; i--) {
		uint64_t word = atomic_load(&words[i]);

		if (word)
			return i * 64 + (int)ontb_log2(word);
	}
	return -1;
}

/* "Task and Processor Priorities": the higher of the task's priority and of what is in service. */
static uint32_t processor_priority(const struct ontb_lapic *lapic)
{
	uint32_t tpr = atomic_load(&lapic->tpr);
	int in_service = highest(lapic->isr);

	if (in_service < 0 || CLASS(tpr) >= CLASS((uint32_t)in_service))
		return tpr;
	return (uint32_t)in_service & 0xf0;
}

/* The vector that the CPU would get, -1 if none. */
static int next_vector(const struct ontb_lapic *lapic)
{
	int vector = highest(lapic->irr);

	if (vector < 0 || CLASS((uint32_t)vector) <= CLASS(processor_priority(lapic)))
		return -1;
	return vector;
}

bool ontb_lapic_has_request(const struct ontb_lapic *lapic)
{
	return next_vector(lapic) >= 0;
}

/* Bits in service are the CPU's own: others only look, so loads and stores will do. */
static void set_in_service(struct ontb_lapic *lapic, unsigned int vector, bool is_in_service)
{
	_Atomic uint64_t *word = &lapic->isr[vector / 64];
	uint64_t bit = 1ULL << (vector % 64), bits = atomic_load_explicit(word, memory_order_relaxed);

	atomic_store_explicit(word, is_in_service ? bits | bit : bits & ~bit, memory_order_release);
}

static void take_vector(struct ontb_lapic *lapic, unsigned int vector)
{
	set_in_service(lapic, vector, true);
	/* A message that comes from here on is a new interrupt. */
	atomic_fetch_and(&lapic->irr[vector / 64], ~(1ULL << (vector % 64)));
	add_own(&lapic->nr_taken);
}

unsigned int ontb_lapic_acknowledge(struct ontb_lapic *lapic)
{
	int vector = next_vector(lapic);

	if (vector < 0) {
		/* "Spurious Interrupt": no bit in service, so no end of interrupt either. */
		add_own(&lapic->nr_spurious);
		return atomic_load(&lapic->svr) & 0xff;
	}
	take_vector(lapic, (unsigned int)vector);
	return (unsigned int)vector;
}

bool ontb_lapic_take(struct ontb_lapic *lapic, unsigned int *vector)
{
	int next = next_vector(lapic);

	if (next < 0)
		return false;
	take_vector(lapic, (unsigned int)next);
	*vector = (unsigned int)next;
	return true;
}

static void end_interrupt(struct ontb_lapic *lapic)
{
	int vector = highest(lapic->isr);

	if (vector < 0)
		return;
	set_in_service(lapic, (unsigned int)vector, false);
	add_own(&lapic->nr_eois);
}

static void complain(struct ontb_lapic *lapic, const char *what, unsigned int reg, uint64_t value, const char *why)
{
	add_one(&lapic->nr_bad);
	ontb_log_limited(&lapic->bus->limit, ONTB_LOG_WARNING,
			 "%s: CPU %u: %s of local APIC register 0x%02x, value 0x%llx, dropped: %s", lapic->bus->name,
			 lapic->id, what, reg, (unsigned long long)value, why);
}

/* A 32 bit register of the eight that 256 bits have. */
static uint32_t word_of(const _Atomic uint64_t words[4], unsigned int idx)
{
	return (uint32_t)(atomic_load(&words[idx / 2]) >> (idx % 2 * 32));
}

uint64_t ontb_lapic_read(struct ontb_lapic *lapic, unsigned int reg)
{
	switch (reg) {
	case ONTB_APIC_ID:
		return lapic->id;
	case ONTB_APIC_TPR:
		return atomic_load(&lapic->tpr);
	case ONTB_APIC_PPR:
		return processor_priority(lapic);
	case ONTB_APIC_SVR:
		return atomic_load(&lapic->svr);
	case ONTB_APIC_ISR ... ONTB_APIC_ISR + 7:
		return word_of(lapic->isr, reg - ONTB_APIC_ISR);
	case ONTB_APIC_TMR ... ONTB_APIC_TMR + 7:
		return word_of(lapic->tmr, reg - ONTB_APIC_TMR);
	case ONTB_APIC_IRR ... ONTB_APIC_IRR + 7:
		return word_of(lapic->irr, reg - ONTB_APIC_IRR);
	case ONTB_APIC_ESR:
		return atomic_load(&lapic->esr);
	case ONTB_APIC_ICR:
		return atomic_load(&lapic->icr);
	default:
		complain(lapic, "load", reg, 0, "there is none that can be read");
		return 0;
	}
}

static void send_self(struct ontb_lapic *lapic, uint64_t value)
{
	if (value < ONTB_APIC_FIRST_VECTOR)
		atomic_fetch_or(&lapic->esr_new, ONTB_APIC_ESR_SEND_ILLEGAL);
	else
		(void)ontb_lapic_deliver(lapic, (uint8_t)value, false);
}

static void write_valid(struct ontb_lapic *lapic, unsigned int reg, uint64_t value)
{
	switch (reg) {
	case ONTB_APIC_TPR:
		atomic_store(&lapic->tpr, (uint32_t)value);
		break;
	case ONTB_APIC_SVR:
		atomic_store(&lapic->svr, (uint32_t)value);
		break;
	case ONTB_APIC_ESR:
		/* "Error Handling": a write makes what happened since the last one readable. */
		atomic_store(&lapic->esr, atomic_exchange(&lapic->esr_new, 0));
		break;
	case ONTB_APIC_ICR:
		atomic_store(&lapic->icr, value);
		(void)ontb_apic_bus_command(lapic->bus, lapic->id, value);
		break;
	default:
		send_self(lapic, value);
		break;
	}
}

/* Bits that software may set in a register; "x2APIC Register Address Space" says which writes fault. */
static bool writable_bits(unsigned int reg, uint64_t *bits)
{
	switch (reg) {
	case ONTB_APIC_TPR:
	case ONTB_APIC_SELF_IPI:
		*bits = 0xff;
		return true;
	case ONTB_APIC_EOI:
	case ONTB_APIC_ESR:
		*bits = 0;
		return true;
	case ONTB_APIC_SVR:
		*bits = SVR_BITS;
		return true;
	case ONTB_APIC_ICR:
		*bits = UINT64_MAX;
		return true;
	default:
		return false;
	}
}

void ontb_lapic_write(struct ontb_lapic *lapic, unsigned int reg, uint64_t value)
{
	uint64_t bits;

	/* The CPU does this itself, and looks for the next request after it. */
	if (ontb_likely(reg == ONTB_APIC_EOI && !value)) {
		end_interrupt(lapic);
		return;
	}
	if (!writable_bits(reg, &bits)) {
		complain(lapic, "store", reg, value, "there is none that can be written");
		return;
	}
	if (value & ~bits) {
		complain(lapic, "store", reg, value, "reserved bits are set");
		return;
	}
	write_valid(lapic, reg, value);
	/* A lower priority may have made a request deliverable, and another thread may have done this for a sleeping CPU. */
	if (reg == ONTB_APIC_TPR)
		ontb_lapic_kick(lapic);
}

void ontb_lapic_set_online(struct ontb_lapic *lapic, bool is_online)
{
	atomic_store(&lapic->is_online, is_online);
}

void ontb_lapic_reset(struct ontb_lapic *lapic)
{
	atomic_store(&lapic->svr, SVR_RESET);
	atomic_store(&lapic->tpr, 0);
	atomic_store(&lapic->esr, 0);
	atomic_store(&lapic->esr_new, 0);
	atomic_store(&lapic->icr, 0);
	for (unsigned int i = 0; i < 4; i++) {
		atomic_store(&lapic->isr[i], 0);
		atomic_store(&lapic->irr[i], 0);
		atomic_store(&lapic->tmr[i], 0);
	}
}
