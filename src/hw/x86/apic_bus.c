// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Where messages and interrupt commands find their CPUs.
 *
 * A message is decoded once into struct ontb_apic_message, whoever sent it; remapping makes the same structure from a
 * table entry. What cannot be delivered is dropped as hardware does, but not silently.
 */
#include "hw/x86/lapic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Intel SDM volume 3, "Message Address Register Format". Bit 4 is reserved there; VT-d calls it the interrupt format. */
#define ADDR_DEST(addr) ((uint32_t)((addr) >> 12 & 0xff))
#define ADDR_RESERVED	0xfe0ULL
#define ADDR_REMAPPABLE 0x10ULL
#define ADDR_REDIRECT	0x8ULL
#define ADDR_LOGICAL	0x4ULL
/* "Message Data Register Format". */
#define DATA_VECTOR(data) ((uint8_t)(data))
#define DATA_MODE(data)	  ((uint8_t)((data) >> 8 & 7))
#define DATA_ASSERT	  0x4000U
#define DATA_LEVEL	  0x8000U
#define DATA_RESERVED	  0xffff3800U
/* "Interrupt Command Register (ICR)", in its x2APIC format. */
#define ICR_LOGICAL	    0x800U
#define ICR_SHORTHAND(icr)  ((unsigned int)((icr) >> 18 & 3))
#define ICR_DEST(icr)	    ((uint32_t)((icr) >> 32))
#define SHORTHAND_NONE	    0
#define SHORTHAND_SELF	    1
#define SHORTHAND_ALL	    2
#define SHORTHAND_ALL_OTHER 3

int ontb_apic_bus_init(struct ontb_apic_bus *bus, const char *name, unsigned int nr_lapics)
{
	struct ontb_lapic *lapics;

	if (!nr_lapics || nr_lapics > ONTB_APIC_MAX_CPUS)
		return -EINVAL;
	lapics = aligned_alloc(_Alignof(struct ontb_lapic), nr_lapics * sizeof(*lapics));
	if (!lapics)
		return -ENOMEM;
	memset(lapics, 0, nr_lapics * sizeof(*lapics));
	memset(bus, 0, sizeof(*bus));
	bus->name = name;
	bus->nr_lapics = nr_lapics;
	bus->lapics = lapics;
	for (unsigned int i = 0; i < nr_lapics; i++) {
		lapics[i].bus = bus;
		lapics[i].id = i;
		ontb_lapic_reset(&lapics[i]);
	}
	return 0;
}

void ontb_apic_bus_fini(struct ontb_apic_bus *bus)
{
	free(bus->lapics);
	bus->lapics = NULL;
}

static const char *source_name(uint32_t source, char buf[32])
{
	if (source & ONTB_APIC_FROM_UNIT)
		(void)snprintf(buf, 32, "the remapping unit");
	else if (source & ONTB_APIC_FROM_CPU(0))
		(void)snprintf(buf, 32, "CPU %u", source & 0xffff);
	else
		(void)snprintf(buf, 32, "%02x:%02x.%x", source >> 8 & 0xff, source >> 3 & 0x1f, source & 7);
	return buf;
}

static const char *mode_name(unsigned int mode)
{
	static const char *const names[] = { "fixed", "lowest priority", "SMI", "reserved mode", "NMI", "INIT",
					     "SIPI",  "ExtINT" };

	return names[mode & 7];
}

static void drop_message(struct ontb_apic_bus *bus, _Atomic uint64_t *counter, uint32_t source,
			 const struct ontb_apic_message *msg, const char *why)
{
	char name[32];

	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	ontb_log_limited(&bus->limit, ONTB_LOG_WARNING,
			 "%s: interrupt of %s, %s, vector %u for APIC id 0x%x, dropped: %s", bus->name,
			 source_name(source, name), mode_name(msg->mode), msg->vector, msg->dest, why);
}

/* To one CPU; whether it is pending there now. */
static bool send_one(struct ontb_apic_bus *bus, uint32_t source, const struct ontb_apic_message *msg, unsigned int cpu)
{
	char name[32];
	const char *why;

	switch (ontb_lapic_deliver(&bus->lapics[cpu], msg->vector, msg->is_level)) {
	case ONTB_LAPIC_OFF:
		why = "its local APIC is off";
		break;
	case ONTB_LAPIC_ILLEGAL:
		why = "vectors below 16 are not for interrupts";
		break;
	default:
		return true;
	}
	ontb_log_limited(&bus->limit, ONTB_LOG_WARNING, "%s: interrupt of %s, vector %u for CPU %u, dropped: %s",
			 bus->name, source_name(source, name), msg->vector, cpu, why);
	return false;
}

/* To all, or to the first that takes it; @except is nobody if it is not a CPU. */
static unsigned int send_many(struct ontb_apic_bus *bus, uint32_t source, const struct ontb_apic_message *msg,
			      uint32_t except)
{
	unsigned int nr = 0;

	for (unsigned int cpu = 0; cpu < bus->nr_lapics; cpu++) {
		if (cpu == except)
			continue;
		nr += send_one(bus, source, msg, cpu);
		if (nr && msg->mode == ONTB_APIC_LOWEST)
			break;
	}
	return nr;
}

static bool check_mode(struct ontb_apic_bus *bus, uint32_t source, const struct ontb_apic_message *msg)
{
	if (ontb_unlikely(msg->mode > ONTB_APIC_LOWEST)) {
		drop_message(bus, &bus->nr_unsupported, source, msg, "this delivery mode is not supported");
		return false;
	}
	if (ontb_unlikely(msg->is_logical)) {
		drop_message(bus, &bus->nr_unsupported, source, msg, "logical destinations are not supported");
		return false;
	}
	return true;
}

unsigned int ontb_apic_bus_send(struct ontb_apic_bus *bus, uint32_t source, const struct ontb_apic_message *msg)
{
	if (!check_mode(bus, source, msg))
		return 0;
	if (ontb_likely(msg->dest < bus->nr_lapics))
		return send_one(bus, source, msg, msg->dest);
	if (msg->dest == ONTB_APIC_ALL)
		return send_many(bus, source, msg, ONTB_APIC_ALL);
	drop_message(bus, &bus->nr_no_cpu, source, msg, "there is no such CPU");
	return 0;
}

/* Why an address or data is no message, or NULL. */
static const char *check_format(uint64_t addr, uint32_t data)
{
	if (addr < ONTB_X86_MSI_BASE || addr >= ONTB_X86_MSI_BASE + ONTB_X86_MSI_SIZE)
		return "the address is not in the interrupt range";
	if (addr & ADDR_REMAPPABLE)
		return "it is in remappable format, but nothing remaps it";
	if (addr & ADDR_RESERVED)
		return "reserved bits of the address are set";
	if (data & DATA_RESERVED)
		return "reserved bits of the data are set";
	if ((data & DATA_LEVEL) && !(data & DATA_ASSERT))
		return "it takes a level back, which messages cannot";
	/* "Message Address Register Format": with redirection, 0xff is forbidden in physical mode. */
	if ((addr & ADDR_REDIRECT) && !(addr & ADDR_LOGICAL) && ADDR_DEST(addr) == ONTB_APIC_ALL_8BIT)
		return "redirection among all CPUs needs a logical destination";
	return NULL;
}

unsigned int ontb_apic_bus_message(struct ontb_apic_bus *bus, uint32_t source, uint64_t addr, uint32_t data)
{
	const char *why = check_format(addr, data);
	struct ontb_apic_message msg;
	char name[32];

	if (ontb_unlikely(why)) {
		atomic_fetch_add_explicit(&bus->nr_malformed, 1, memory_order_relaxed);
		ontb_log_limited(&bus->limit, ONTB_LOG_WARNING, "%s: message of %s, 0x%llx/0x%x, dropped: %s",
				 bus->name, source_name(source, name), (unsigned long long)addr, data, why);
		return 0;
	}
	/*
	 * The SDM lets hardware ignore the destination mode without the redirection hint; chipsets obey it, and so a
	 * logical id never reaches a CPU that happens to have it as its number.
	 */
	msg = (struct ontb_apic_message){
		.dest = ADDR_DEST(addr) == ONTB_APIC_ALL_8BIT ? ONTB_APIC_ALL : ADDR_DEST(addr),
		.vector = DATA_VECTOR(data),
		.mode = DATA_MODE(data),
		.is_level = data & DATA_LEVEL,
		.is_logical = addr & ADDR_LOGICAL,
	};
	return ontb_apic_bus_send(bus, source, &msg);
}

unsigned int ontb_apic_bus_command(struct ontb_apic_bus *bus, unsigned int cpu, uint64_t icr)
{
	uint32_t source = ONTB_APIC_FROM_CPU(cpu);
	unsigned int shorthand = ICR_SHORTHAND(icr);
	/* The trigger mode is for INIT only: all other commands are edges. */
	struct ontb_apic_message msg = {
		.dest = shorthand == SHORTHAND_SELF ? cpu : ICR_DEST(icr),
		.vector = DATA_VECTOR(icr),
		.mode = DATA_MODE(icr),
		.is_logical = shorthand == SHORTHAND_NONE && icr & ICR_LOGICAL,
	};

	if (!check_mode(bus, source, &msg))
		return 0;
	if (msg.vector < ONTB_APIC_FIRST_VECTOR) {
		atomic_fetch_or(&bus->lapics[cpu].esr_new, ONTB_APIC_ESR_SEND_ILLEGAL);
		drop_message(bus, &bus->nr_malformed, source, &msg, "vectors below 16 are not for interrupts");
		return 0;
	}
	if (shorthand == SHORTHAND_ALL)
		return send_many(bus, source, &msg, ONTB_APIC_ALL);
	if (shorthand == SHORTHAND_ALL_OTHER)
		return send_many(bus, source, &msg, cpu);
	return ontb_apic_bus_send(bus, source, &msg);
}
