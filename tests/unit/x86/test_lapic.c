// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Local APICs and their bus: priorities, registers, messages, commands, and what is dropped and why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hw/x86/lapic.h"

#define NR_CPUS 4
#define FEE	0xfee00000ULL
#define ENABLED (ONTB_APIC_SVR_ENABLE | 0xff)

static struct ontb_apic_bus bus;
static char last_line[512];
static unsigned int nr_lines;

static void keep_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	nr_lines++;
	strncpy(last_line, line, sizeof(last_line) - 1);
}

static int set_up(void **state)
{
	(void)state;
	nr_lines = 0;
	last_line[0] = 0;
	ontb_log_set_sink(keep_line, NULL);
	if (ontb_apic_bus_init(&bus, "host", NR_CPUS))
		return -1;
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		ontb_lapic_set_online(&bus.lapics[i], true);
		ontb_lapic_write(&bus.lapics[i], ONTB_APIC_SVR, ENABLED);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ontb_apic_bus_fini(&bus);
	ontb_log_set_sink(NULL, NULL);
	return 0;
}

static void assert_line(const char *part)
{
	if (!strstr(last_line, part))
		fail_msg("log line \"%s\" lacks \"%s\"", last_line, part);
}

static bool is_set(struct ontb_lapic *lapic, unsigned int base, unsigned int vector)
{
	return ontb_lapic_read(lapic, base + vector / 32) >> (vector % 32) & 1;
}

static unsigned int nr_pending(struct ontb_lapic *lapic)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 8; i++)
		nr += (unsigned int)__builtin_popcountll(ontb_lapic_read(lapic, ONTB_APIC_IRR + i));
	return nr;
}

static void assert_takes(struct ontb_lapic *lapic, unsigned int expected)
{
	unsigned int vector = 0;

	assert_true(ontb_lapic_take(lapic, &vector));
	assert_int_equal(vector, expected);
}

static void assert_takes_nothing(struct ontb_lapic *lapic)
{
	unsigned int vector = 12345;

	assert_false(ontb_lapic_take(lapic, &vector));
	assert_int_equal(vector, 12345);
}

static void reset_state_is_disabled_and_empty(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[1];

	(void)state;
	ontb_lapic_deliver(lapic, 0x40, true);
	ontb_lapic_reset(lapic);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_ID), 1);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_SVR), 0xff);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_TPR), 0);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_PPR), 0);
	assert_int_equal(nr_pending(lapic), 0);
	assert_false(is_set(lapic, ONTB_APIC_TMR, 0x40));
	assert_int_equal(ontb_lapic_deliver(lapic, 0x40, false), ONTB_LAPIC_OFF);
	assert_int_equal(nr_pending(lapic), 0);
	assert_int_equal(lapic->nr_off, 1);
}

static void offline_cpu_drops_what_comes(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[2];

	(void)state;
	ontb_lapic_set_online(lapic, false);
	assert_int_equal(ontb_apic_bus_message(&bus, ONTB_RID(3, 0, 0), FEE | 2 << 12, 0x41), 0);
	assert_int_equal(lapic->nr_off, 1);
	assert_line("host: interrupt of 03:00.0, vector 65 for CPU 2, dropped: its local APIC is off");
	assert_int_equal(nr_pending(lapic), 0);
	ontb_lapic_set_online(lapic, true);
	assert_takes_nothing(lapic);
	assert_int_equal(ontb_apic_bus_message(&bus, ONTB_RID(3, 0, 0), FEE | 2 << 12, 0x41), 1);
	assert_takes(lapic, 0x41);
}

static void every_vector_from_16_on_is_delivered_and_ended(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];

	(void)state;
	for (unsigned int v = 16; v < 256; v++) {
		assert_int_equal(ontb_lapic_deliver(lapic, (uint8_t)v, false), ONTB_LAPIC_ACCEPTED);
		assert_true(is_set(lapic, ONTB_APIC_IRR, v));
		assert_false(is_set(lapic, ONTB_APIC_ISR, v));
		assert_takes(lapic, v);
		assert_false(is_set(lapic, ONTB_APIC_IRR, v));
		assert_true(is_set(lapic, ONTB_APIC_ISR, v));
		ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
		assert_false(is_set(lapic, ONTB_APIC_ISR, v));
	}
	assert_int_equal(lapic->nr_taken, 240);
	assert_int_equal(lapic->nr_eois, 240);
	assert_int_equal(nr_lines, 0);
}

static void illegal_vectors_show_in_the_error_status(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];

	(void)state;
	for (unsigned int v = 0; v < 16; v++)
		assert_int_equal(ontb_lapic_deliver(lapic, (uint8_t)v, false), ONTB_LAPIC_ILLEGAL);
	assert_int_equal(nr_pending(lapic), 0);
	assert_int_equal(lapic->nr_illegal, 16);
	/* Readable after a write only, and the next write clears it. */
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_ESR), 0);
	ontb_lapic_write(lapic, ONTB_APIC_ESR, 0);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_ESR), ONTB_APIC_ESR_RECEIVE_ILLEGAL);
	ontb_lapic_write(lapic, ONTB_APIC_ESR, 0);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_ESR), 0);
	ontb_lapic_write(lapic, ONTB_APIC_SELF_IPI, 15);
	ontb_lapic_write(lapic, ONTB_APIC_ESR, 0);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_ESR), ONTB_APIC_ESR_SEND_ILLEGAL);
}

static void higher_vectors_come_first_and_a_class_blocks_itself(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];
	static const uint8_t vectors[] = { 0x31, 0xef, 0x45, 0x4e, 0x20 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(vectors); i++)
		ontb_lapic_deliver(lapic, vectors[i], false);
	assert_takes(lapic, 0xef);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_PPR), 0xe0);
	assert_takes_nothing(lapic);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes(lapic, 0x4e);
	assert_takes_nothing(lapic);
	/* A higher class would get through. */
	ontb_lapic_deliver(lapic, 0x50, false);
	assert_takes(lapic, 0x50);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_true(is_set(lapic, ONTB_APIC_ISR, 0x4e));
	assert_takes_nothing(lapic);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes(lapic, 0x45);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes(lapic, 0x31);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes(lapic, 0x20);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes_nothing(lapic);
	/* One end too many ends nothing. */
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_int_equal(lapic->nr_eois, 6);
}

static void task_priority_masks_classes_up_to_its_own(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];

	(void)state;
	ontb_lapic_deliver(lapic, 0x5f, false);
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0x50);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_PPR), 0x50);
	assert_false(ontb_lapic_has_request(lapic));
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0x4f);
	assert_true(ontb_lapic_has_request(lapic));
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0xff);
	assert_takes_nothing(lapic);
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0);
	assert_takes(lapic, 0x5f);
	/* Of equal classes, the task's priority shows with its low bits. */
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0x53);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_PPR), 0x53);
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0x43);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_PPR), 0x50);
}

static void request_masked_before_the_acknowledge_is_spurious(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];

	(void)state;
	ontb_lapic_write(lapic, ONTB_APIC_SVR, ONTB_APIC_SVR_ENABLE | 0xef);
	ontb_lapic_deliver(lapic, 0x50, false);
	assert_true(ontb_lapic_has_request(lapic));
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0x50);
	assert_int_equal(ontb_lapic_acknowledge(lapic), 0xef);
	assert_int_equal(lapic->nr_spurious, 1);
	assert_int_equal(lapic->nr_taken, 0);
	assert_false(is_set(lapic, ONTB_APIC_ISR, 0xef));
	assert_true(is_set(lapic, ONTB_APIC_IRR, 0x50));
	ontb_lapic_write(lapic, ONTB_APIC_TPR, 0);
	assert_takes(lapic, 0x50);
}

static void second_message_before_the_first_is_taken_is_merged(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];

	(void)state;
	assert_int_equal(ontb_lapic_deliver(lapic, 0x50, false), ONTB_LAPIC_ACCEPTED);
	assert_int_equal(ontb_lapic_deliver(lapic, 0x50, false), ONTB_LAPIC_MERGED);
	assert_takes(lapic, 0x50);
	/* In service is not requested: this one is a new interrupt, after the end of the first. */
	assert_int_equal(ontb_lapic_deliver(lapic, 0x50, false), ONTB_LAPIC_ACCEPTED);
	assert_takes_nothing(lapic);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes(lapic, 0x50);
	ontb_lapic_write(lapic, ONTB_APIC_EOI, 0);
	assert_takes_nothing(lapic);
	assert_int_equal(lapic->nr_merged, 1);
}

static void trigger_mode_follows_the_last_message(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[3];

	(void)state;
	assert_int_equal(ontb_apic_bus_message(&bus, 0, FEE | 3 << 12, 0xc0ff), 1);
	assert_true(is_set(lapic, ONTB_APIC_TMR, 0xff));
	assert_int_equal(ontb_apic_bus_message(&bus, 0, FEE | 3 << 12, 0xff), 1);
	assert_false(is_set(lapic, ONTB_APIC_TMR, 0xff));
	assert_int_equal(ontb_apic_bus_message(&bus, 0, FEE | 3 << 12, 0x40ff), 1);
	assert_false(is_set(lapic, ONTB_APIC_TMR, 0xff));
}

static void disabled_apic_keeps_what_it_has(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];

	(void)state;
	ontb_lapic_deliver(lapic, 0x50, false);
	ontb_lapic_write(lapic, ONTB_APIC_SVR, 0xff);
	assert_int_equal(ontb_lapic_deliver(lapic, 0x60, false), ONTB_LAPIC_OFF);
	assert_takes(lapic, 0x50);
	assert_takes_nothing(lapic);
}

static void wrong_register_accesses_change_nothing_and_say_so(void **state)
{
	struct ontb_lapic *lapic = &bus.lapics[0];
	static const struct {
		unsigned int reg;
		uint64_t value;
	} writes[] = {
		{ ONTB_APIC_ID, 0 },
		{ ONTB_APIC_PPR, 0 },
		{ ONTB_APIC_ISR, 0 },
		{ ONTB_APIC_IRR + 7, 0 },
		{ ONTB_APIC_TPR, 0x100 },
		{ ONTB_APIC_EOI, 1 },
		{ ONTB_APIC_SVR, 0x200 },
		{ ONTB_APIC_ESR, 1 },
		{ ONTB_APIC_SELF_IPI, 0x100 },
		{ ONTB_APIC_TPR, 1ULL << 32 },
		{ 0, 0 },
		{ UINT32_MAX, 0 },
	};

	(void)state;
	ontb_lapic_deliver(lapic, 0x50, false);
	assert_takes(lapic, 0x50);
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(writes); i++)
		ontb_lapic_write(lapic, writes[i].reg, writes[i].value);
	assert_int_equal(lapic->nr_bad, ONTB_ARRAY_SIZE(writes));
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_SVR), ENABLED);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_TPR), 0);
	assert_true(is_set(lapic, ONTB_APIC_ISR, 0x50));
	assert_int_equal(nr_pending(lapic), 0);
	assert_true(nr_lines >= 10);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_EOI), 0);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_SELF_IPI), 0);
	assert_int_equal(ontb_lapic_read(lapic, ONTB_APIC_ICR + 1), 0);
	assert_int_equal(lapic->nr_bad, ONTB_ARRAY_SIZE(writes) + 3);
}

static void messages_reach_the_cpu_they_name(void **state)
{
	(void)state;
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(ontb_apic_bus_message(&bus, 0x100, FEE | cpu << 12, 0x30 + cpu), 1);
	/* A redirection hint with one physical destination changes nothing, and lowest priority has one candidate. */
	assert_int_equal(ontb_apic_bus_message(&bus, 0x100, FEE | 1 << 12 | 0x8, 0x70), 1);
	assert_int_equal(ontb_apic_bus_message(&bus, 0x100, FEE | 2 << 12, 0x171), 1);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		for (unsigned int other = 0; other < NR_CPUS; other++)
			assert_int_equal(is_set(&bus.lapics[cpu], ONTB_APIC_IRR, 0x30 + other), cpu == other);
		assert_int_equal(is_set(&bus.lapics[cpu], ONTB_APIC_IRR, 0x70), cpu == 1);
		assert_int_equal(is_set(&bus.lapics[cpu], ONTB_APIC_IRR, 0x71), cpu == 2);
	}
}

static void broadcast_reaches_all_and_lowest_priority_the_first_that_takes_it(void **state)
{
	(void)state;
	assert_int_equal(ontb_apic_bus_message(&bus, 0, FEE | 0xff << 12, 0x80), NR_CPUS);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		assert_takes(&bus.lapics[cpu], 0x80);
		ontb_lapic_write(&bus.lapics[cpu], ONTB_APIC_EOI, 0);
	}
	ontb_lapic_set_online(&bus.lapics[0], false);
	assert_int_equal(ontb_apic_bus_message(&bus, 0, FEE | 0xff << 12, 0x181), 1);
	assert_takes(&bus.lapics[1], 0x81);
	assert_takes_nothing(&bus.lapics[2]);
	assert_int_equal(ontb_apic_bus_message(&bus, 0, FEE | 0xff << 12, 0x82), NR_CPUS - 1);
}

static void malformed_messages_are_dropped_with_a_reason(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t data;
		const char *why;
	} bad[] = {
		{ FEE - 1, 0x40, "not in the interrupt range" },
		{ FEE + 0x100000, 0x40, "not in the interrupt range" },
		{ FEE | 1ULL << 32, 0x40, "not in the interrupt range" },
		{ FEE | 0x10, 0x40, "remappable format" },
		{ FEE | 0x20, 0x40, "reserved bits of the address" },
		{ FEE | 0x800, 0x40, "reserved bits of the address" },
		{ FEE, 0x10040, "reserved bits of the data" },
		{ FEE, 0x80000040, "reserved bits of the data" },
		{ FEE, 0x840, "reserved bits of the data" },
		{ FEE, 0x8040, "takes a level back" },
		{ FEE | 0xff008, 0x40, "needs a logical destination" },
	};

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(bad); i++) {
		/* A fresh limit per case, so that each line is seen. */
		memset(&bus.limit, 0, sizeof(bus.limit));
		assert_int_equal(ontb_apic_bus_message(&bus, ONTB_RID(0xab, 0x1f, 7), bad[i].addr, bad[i].data), 0);
		assert_line("host: message of ab:1f.7");
		assert_line(bad[i].why);
	}
	assert_int_equal(bus.nr_malformed, ONTB_ARRAY_SIZE(bad));
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(nr_pending(&bus.lapics[cpu]), 0);
}

static void what_is_not_modelled_is_dropped_with_a_reason(void **state)
{
	static const unsigned int modes[] = { 2, 3, 4, 5, 6, 7 };

	(void)state;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(modes); i++)
		assert_int_equal(ontb_apic_bus_message(&bus, 1, FEE, modes[i] << 8 | 0x40), 0);
	assert_line("delivery mode is not supported");
	memset(&bus.limit, 0, sizeof(bus.limit));
	assert_int_equal(ontb_apic_bus_message(&bus, 1, FEE | 0x4, 0x40), 0);
	assert_int_equal(ontb_apic_bus_message(&bus, 1, FEE | 0xc, 0x40), 0);
	assert_line("logical destinations are not supported");
	assert_int_equal(bus.nr_unsupported, 8);
	assert_int_equal(ontb_apic_bus_message(&bus, 1, FEE | NR_CPUS << 12, 0x40), 0);
	assert_line("for APIC id 0x4, dropped: there is no such CPU");
	assert_int_equal(ontb_apic_bus_message(&bus, 1, FEE | 0xfe << 12, 0x40), 0);
	assert_int_equal(bus.nr_no_cpu, 2);
	assert_int_equal(ontb_apic_bus_message(&bus, 1, FEE, 0x0f), 0);
	assert_line("vectors below 16");
	assert_int_equal(nr_pending(&bus.lapics[0]), 0);
}

static void flood_of_bad_messages_does_not_flood_the_log(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 10000; i++)
		(void)ontb_apic_bus_message(&bus, 1, FEE | 0x20, 0);
	assert_int_equal(bus.nr_malformed, 10000);
	assert_in_range(nr_lines, 1, 100);
}

static void commands_know_self_all_and_all_others(void **state)
{
	struct ontb_lapic *sender = &bus.lapics[2];

	(void)state;
	ontb_lapic_write(sender, ONTB_APIC_ICR, 1 << 18 | 0x91);
	assert_int_equal(ontb_lapic_read(sender, ONTB_APIC_ICR), 1 << 18 | 0x91);
	ontb_lapic_write(sender, ONTB_APIC_ICR, 2 << 18 | 0xa2);
	ontb_lapic_write(sender, ONTB_APIC_ICR, 3 << 18 | 0xb3);
	ontb_lapic_write(sender, ONTB_APIC_ICR, 1ULL << 32 | 0xc4);
	ontb_lapic_write(sender, ONTB_APIC_ICR, 0xffffffffULL << 32 | 0xd5);
	ontb_lapic_write(sender, ONTB_APIC_SELF_IPI, 0xe6);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		struct ontb_lapic *lapic = &bus.lapics[cpu];

		assert_int_equal(is_set(lapic, ONTB_APIC_IRR, 0x91), cpu == 2);
		assert_true(is_set(lapic, ONTB_APIC_IRR, 0xa2));
		assert_int_equal(is_set(lapic, ONTB_APIC_IRR, 0xb3), cpu != 2);
		assert_int_equal(is_set(lapic, ONTB_APIC_IRR, 0xc4), cpu == 1);
		assert_true(is_set(lapic, ONTB_APIC_IRR, 0xd5));
		assert_int_equal(is_set(lapic, ONTB_APIC_IRR, 0xe6), cpu == 2);
	}
	assert_int_equal(nr_lines, 0);
}

static void wrong_commands_are_dropped_with_a_reason(void **state)
{
	struct ontb_lapic *sender = &bus.lapics[1];

	(void)state;
	ontb_lapic_write(sender, ONTB_APIC_ICR, 4ULL << 32 | 0x40);
	assert_line("host: interrupt of CPU 1, fixed, vector 64 for APIC id 0x4, dropped: there is no such CPU");
	ontb_lapic_write(sender, ONTB_APIC_ICR, 0x440);
	assert_line("of CPU 1, NMI");
	ontb_lapic_write(sender, ONTB_APIC_ICR, 0x540);
	assert_line("of CPU 1, INIT");
	ontb_lapic_write(sender, ONTB_APIC_ICR, 0x640);
	assert_line("of CPU 1, SIPI");
	ontb_lapic_write(sender, ONTB_APIC_ICR, 0x840);
	assert_line("logical destinations");
	ontb_lapic_write(sender, ONTB_APIC_ICR, 0x0f);
	assert_line("vectors below 16");
	ontb_lapic_write(sender, ONTB_APIC_ESR, 0);
	assert_int_equal(ontb_lapic_read(sender, ONTB_APIC_ESR), ONTB_APIC_ESR_SEND_ILLEGAL);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
		assert_int_equal(nr_pending(&bus.lapics[cpu]), 0);
}

static void machines_have_1_to_256_cpus(void **state)
{
	struct ontb_apic_bus other, before;

	(void)state;
	memset(&other, 0x5a, sizeof(other));
	before = other;
	assert_int_equal(ontb_apic_bus_init(&other, "x", 0), -EINVAL);
	assert_int_equal(ontb_apic_bus_init(&other, "x", 257), -EINVAL);
	assert_memory_equal(&other, &before, sizeof(other));
	assert_int_equal(ontb_apic_bus_init(&other, "x", 1), 0);
	ontb_apic_bus_fini(&other);
	assert_int_equal(ontb_apic_bus_init(&other, "x", 256), 0);
	for (unsigned int cpu = 0; cpu < 256; cpu++) {
		ontb_lapic_set_online(&other.lapics[cpu], true);
		ontb_lapic_write(&other.lapics[cpu], ONTB_APIC_SVR, ENABLED);
	}
	/* The last one has the number that means all in the short format: only the long one reaches it alone. */
	assert_int_equal(ontb_apic_bus_message(&other, 0, FEE | 0xff << 12, 0x40), 256);
	assert_int_equal(ontb_apic_bus_command(&other, 0, 255ULL << 32 | 0x41), 1);
	assert_true(is_set(&other.lapics[255], ONTB_APIC_IRR, 0x41));
	assert_false(is_set(&other.lapics[254], ONTB_APIC_IRR, 0x41));
	ontb_apic_bus_fini(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reset_state_is_disabled_and_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(offline_cpu_drops_what_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_vector_from_16_on_is_delivered_and_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(illegal_vectors_show_in_the_error_status, set_up, tear_down),
		cmocka_unit_test_setup_teardown(higher_vectors_come_first_and_a_class_blocks_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(task_priority_masks_classes_up_to_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(request_masked_before_the_acknowledge_is_spurious, set_up, tear_down),
		cmocka_unit_test_setup_teardown(second_message_before_the_first_is_taken_is_merged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(trigger_mode_follows_the_last_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(disabled_apic_keeps_what_it_has, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_register_accesses_change_nothing_and_say_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(messages_reach_the_cpu_they_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(broadcast_reaches_all_and_lowest_priority_the_first_that_takes_it,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(malformed_messages_are_dropped_with_a_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_modelled_is_dropped_with_a_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flood_of_bad_messages_does_not_flood_the_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commands_know_self_all_and_all_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_commands_are_dropped_with_a_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(machines_have_1_to_256_cpus, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
