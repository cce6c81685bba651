// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A VT-d unit against a slow and obvious model: register accesses, contents of memory and messages in any order.
 *
 * The model keeps whole registers and a list of cached entries, looks at one field after the other, and knows no locks, no
 * sections and no halves of registers. After each step all that software and CPUs can see has to be the same: registers, memory, and
 * which vectors are requested where.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hw/x86/lapic.h"
#include "hw/x86/vtd.h"
#include "input.h"

/* The fuzzer is to watch the unit, not the model. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define NR_CPUS	   4
#define NR_RECORDS 8
#define RAM_BASE   0x100000ULL
#define RAM_SIZE   0x8000ULL
#define TABLE	   RAM_BASE
#define QUEUE	   (RAM_BASE + 0x4000)
#define STATUS	   (RAM_BASE + 0x7ff8)
#define MAX_STEPS  300

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory: the unit's, and what the model thinks of it. */
static uint8_t ram[RAM_SIZE], want_ram[RAM_SIZE];
static struct ontb_apic_bus bus;
static struct ontb_vtd *vtd;

/**
 * struct event - what the model knows of an interrupt of the unit itself
 * @is_masked:  Interrupt mask.
 * @is_pending: It waits for the mask.
 * @data:       Registers.
 * @addr:       Likewise.
 * @uaddr:      Likewise.
 */
struct event {
	bool is_masked, is_pending;
	uint32_t data, addr, uaddr;
};

/**
 * struct record - a fault record of the model
 * @is_set: F.
 * @reason: FR.
 * @rid:    SID.
 * @index:  Upper 16 bits of FI.
 */
struct record {
	bool is_set;
	unsigned int reason, rid, index;
};

/**
 * struct cached - an entry that the unit remembers
 * @index: Which.
 * @low:   Its halves.
 * @high:  Likewise.
 */
struct cached {
	uint32_t index;
	uint64_t low, high;
};

static struct {
	bool queue_on, remap_on, table_set, pass_compatible;
	bool overflow, queue_error, is_complete;
	uint64_t irta, live_irta, iqa;
	uint64_t head, tail;
	struct record records[NR_RECORDS];
	unsigned int next_record, first_record;
	struct event fault_event, done_event;
	struct cached cache[2 * MAX_STEPS + 2];
	unsigned int nr_cached;
	bool requested[NR_CPUS][256];
} want;

/* Memory */

static bool in_ram(uint64_t addr, size_t len)
{
	return addr >= RAM_BASE && ontb_range_fits(addr - RAM_BASE, len, RAM_SIZE);
}

static int ram_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	(void)arg;
	CHECK(addr % 8 == 0 && len == 16);
	if (!in_ram(addr, len))
		return -EFAULT;
	memcpy(buf, ram + (addr - RAM_BASE), len);
	return 0;
}

static int ram_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	(void)arg;
	CHECK(addr % 4 == 0 && len == 4);
	if (!in_ram(addr, len))
		return -EFAULT;
	memcpy(ram + (addr - RAM_BASE), buf, len);
	return 0;
}

static const struct ontb_vtd_memory memory = { ram_read, ram_write };

static void store(uint64_t addr, uint64_t value)
{
	CHECK(in_ram(addr, 8));
	ontb_put_le64(ram + (addr - RAM_BASE), value);
	ontb_put_le64(want_ram + (addr - RAM_BASE), value);
}

static bool model_load(uint64_t addr, uint64_t *low, uint64_t *high)
{
	if (!in_ram(addr, 16))
		return false;
	*low = ontb_get_le64(want_ram + (addr - RAM_BASE));
	*high = ontb_get_le64(want_ram + (addr - RAM_BASE) + 8);
	return true;
}

/* The model: APICs */

static unsigned int model_one(unsigned int cpu, unsigned int vector)
{
	if (vector < 16)
		return 0;
	want.requested[cpu][vector] = true;
	return 1;
}

static unsigned int model_send(uint32_t dest, bool is_all, unsigned int mode, bool is_logical, unsigned int vector)
{
	unsigned int nr = 0;

	if (mode > 1 || is_logical)
		return 0;
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		if (is_all || cpu == dest)
			nr += model_one(cpu, vector);
		if (nr && mode == 1)
			break;
	}
	return nr;
}

static unsigned int model_compatible(uint64_t addr, uint32_t data)
{
	uint32_t dest = addr >> 12 & 0xff;
	bool hint = addr & 8, logical = addr & 4;

	if (addr >> 20 != 0xfee || addr & 0xff0)
		return 0;
	if (data >> 16 || data >> 11 & 7 || (data & 0x8000 && !(data & 0x4000)))
		return 0;
	if (hint && !logical && dest == 0xff)
		return 0;
	return model_send(dest, dest == 0xff, data >> 8 & 7, logical, data & 0xff);
}

/* The model: faults */

static bool any_record(void)
{
	for (unsigned int i = 0; i < NR_RECORDS; i++) {
		if (want.records[i].is_set)
			return true;
	}
	return false;
}

static bool any_fault(void)
{
	return want.overflow || want.queue_error || any_record();
}

static void model_event(struct event *event)
{
	bool extended = want.live_irta & 0x800;

	if (event->is_masked) {
		event->is_pending = true;
	} else if (extended && event->addr >> 20 == 0xfee) {
		uint32_t dest = (event->uaddr & 0xffffff00) | (event->addr >> 12 & 0xff);

		(void)model_send(dest, dest == UINT32_MAX, event->data >> 8 & 7, event->addr & 4, event->data & 0xff);
	} else {
		(void)model_compatible((uint64_t)event->uaddr << 32 | event->addr, event->data);
	}
}

static void model_fault(unsigned int reason, uint16_t rid, uint32_t index, bool is_silent)
{
	struct record *record = &want.records[want.next_record];
	bool is_first = !any_fault();

	if (is_silent || want.overflow)
		return;
	if (record->is_set) {
		want.overflow = true;
		return;
	}
	if (!any_record())
		want.first_record = want.next_record;
	*record = (struct record){ true, reason, rid, index & 0xffff };
	want.next_record = (want.next_record + 1) % NR_RECORDS;
	if (is_first)
		model_event(&want.fault_event);
}

/* The model: messages */

static struct cached *model_find(uint32_t index)
{
	for (unsigned int i = 0; i < want.nr_cached; i++) {
		if (want.cache[i].index == index)
			return &want.cache[i];
	}
	return NULL;
}

static void model_forget(uint32_t first, uint32_t count)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < want.nr_cached; i++) {
		if (want.cache[i].index < first || want.cache[i].index - first >= count)
			want.cache[n++] = want.cache[i];
	}
	want.nr_cached = n;
}

static bool model_is_good(uint64_t low, uint64_t high)
{
	unsigned int mode = low >> 5 & 7;

	if (low >> 12 & 0xf || low >> 24 & 0xff || high >> 20 || mode == 3 || mode == 6 || (high >> 18 & 3) == 3)
		return false;
	return want.live_irta & 0x800 || (!(low >> 32 & 0xff) && !(low >> 48));
}

static bool model_may_use(uint64_t high, uint16_t rid)
{
	unsigned int sid = high & 0xffff, svt = high >> 18 & 3, sq = high >> 16 & 3;

	for (unsigned int bit = 0; svt == 1 && bit < 16; bit++) {
		bool counts = !((bit == 2 && sq >= 1) || (bit == 1 && sq >= 2) || (bit == 0 && sq == 3));

		if (counts && (sid >> bit & 1) != (rid >> bit & 1U))
			return false;
	}
	return svt != 2 || (rid >> 8 >= (int)(sid >> 8) && rid >> 8 <= (int)(sid & 0xff));
}

static unsigned int model_remap(uint16_t rid, uint64_t addr, uint32_t data)
{
	uint32_t index = (uint32_t)((addr >> 5 & 0x7fff) + (addr & 4 ? 0x8000 : 0));
	uint64_t low, high;
	struct cached *cached;

	if (addr & 8 && data >> 16) {
		model_fault(0x20, rid, index, false);
		return 0;
	}
	if (addr & 8)
		index += data;
	if (index >= 1U << ((want.live_irta & 0xf) + 1)) {
		model_fault(0x21, rid, index, false);
		return 0;
	}
	cached = model_find(index);
	if (cached) {
		low = cached->low;
		high = cached->high;
	} else {
		if (!model_load((want.live_irta & 0x000ffffffffff000) + 16ULL * index, &low, &high)) {
			model_fault(0x23, rid, index, false);
			return 0;
		}
		if (!(low & 1) || !model_is_good(low, high)) {
			model_fault(low & 1 ? 0x24 : 0x22, rid, index, low & 2);
			return 0;
		}
		want.cache[want.nr_cached++] = (struct cached){ index, low, high };
	}
	if (!model_may_use(high, rid)) {
		model_fault(0x26, rid, index, low & 2);
		return 0;
	}
	if (want.live_irta & 0x800)
		return model_send((uint32_t)(low >> 32), low >> 32 == 0xffffffff, low >> 5 & 7, low & 4,
				  low >> 16 & 0xff);
	return model_send(low >> 40 & 0xff, (low >> 40 & 0xff) == 0xff, low >> 5 & 7, low & 4, low >> 16 & 0xff);
}

static unsigned int model_message(uint16_t rid, uint64_t addr, uint32_t data)
{
	if (!want.remap_on || addr >> 20 != 0xfee)
		return model_compatible(addr, data);
	if (addr & 0x10)
		return model_remap(rid, addr, data);
	if (want.pass_compatible && !(want.live_irta & 0x800))
		return model_compatible(addr, data);
	model_fault(0x25, rid, 0, false);
	return 0;
}

/* The model: queue */

static bool model_wait(uint64_t low, uint64_t high)
{
	if (low >> 7 & 0x1ffffff || high & 3)
		return false;
	if (low & 0x20) {
		if (!in_ram(high, 4))
			return false;
		ontb_put_le32(want_ram + (high - RAM_BASE), (uint32_t)(low >> 32));
	}
	if (low & 0x10 && !want.is_complete) {
		want.is_complete = true;
		model_event(&want.done_event);
	}
	return true;
}

static bool model_descriptor(uint64_t low, uint64_t high)
{
	unsigned int type = low & 0xf, mask = low >> 27 & 0x1f;
	uint32_t index = low >> 32 & 0xffff;

	if (low >> 9 & 7)
		return false;
	if (type == 5)
		return model_wait(low, high);
	if (type != 4)
		return type == 1 || type == 2;
	if (low >> 5 & 0x3fffff || low >> 48 || high)
		return false;
	if (!(low & 0x10)) {
		model_forget(0, 65536);
		return true;
	}
	if (mask > 15)
		return false;
	model_forget(index >> mask << mask, 1U << mask);
	return true;
}

static void model_queue(void)
{
	uint64_t size = 4096ULL << (want.iqa & 7), low, high;
	bool is_first;

	while (want.queue_on && !want.queue_error && want.head != want.tail) {
		if (want.tail < size && model_load((want.iqa & ~0xfffULL) + want.head, &low, &high) &&
		    model_descriptor(low, high)) {
			want.head += 16;
			if (want.head == size)
				want.head = 0;
			continue;
		}
		is_first = !any_fault();
		want.queue_error = true;
		if (is_first)
			model_event(&want.fault_event);
	}
}

/* The model: registers of 32 bits */

static void model_command(uint32_t value)
{
	bool queue_on = value & 1U << 26, remap_on = value & 1U << 25;

	if (queue_on != want.queue_on) {
		want.queue_on = queue_on;
		want.head = 0;
		model_queue();
	}
	if (value & 1U << 24) {
		want.table_set = true;
		want.live_irta = want.irta;
	}
	want.remap_on = remap_on && want.table_set;
	want.pass_compatible = value & 1U << 23;
}

static void model_write_event(struct event *event, uint32_t which, uint32_t value)
{
	if (which == 4)
		event->data = value;
	if (which == 8)
		event->addr = value & ~3U;
	if (which == 12)
		event->uaddr = value;
	if (which)
		return;
	event->is_masked = value >> 31;
	if (event->is_pending && !event->is_masked) {
		event->is_pending = false;
		model_event(event);
	}
}

static void set_half(uint64_t *reg, uint32_t offset, uint32_t value, uint64_t bits)
{
	if (offset % 8)
		*reg = (*reg & 0xffffffff) | (uint64_t)value << 32;
	else
		*reg = (*reg & 0xffffffff00000000) | value;
	*reg &= bits;
}

static void model_write32(uint32_t offset, uint32_t value)
{
	switch (offset) {
	case 0x18:
		model_command(value);
		break;
	case 0x34:
		want.overflow = want.overflow && !(value & 1);
		want.queue_error = want.queue_error && !(value & 16);
		break;
	case 0x38 ... 0x44:
		model_write_event(&want.fault_event, offset - 0x38, value);
		break;
	case 0x88:
		want.tail = value & 0x7fff0;
		break;
	case 0x90:
	case 0x94:
		if (!want.queue_on)
			set_half(&want.iqa, offset, value, 0x000ffffffffff007);
		break;
	case 0x9c:
		want.is_complete = want.is_complete && !(value & 1);
		break;
	case 0xa0 ... 0xac:
		model_write_event(&want.done_event, offset - 0xa0, value);
		break;
	case 0xb8:
	case 0xbc:
		set_half(&want.irta, offset, value, 0x000ffffffffff80f);
		break;
	case 0x200 ... 0x27c:
		if (offset % 16 == 12 && value >> 31)
			want.records[(offset - 0x200) / 16].is_set = false;
		break;
	default:
		break;
	}
	/* What is not there any more need not interrupt. */
	want.fault_event.is_pending = want.fault_event.is_pending && any_fault();
	want.done_event.is_pending = want.done_event.is_pending && want.is_complete;
	if (offset == 0x34 || offset == 0x88)
		model_queue();
}

static uint32_t model_read_event(const struct event *event, uint32_t which)
{
	if (!which)
		return (uint32_t)event->is_masked << 31 | (uint32_t)event->is_pending << 30;
	return which == 4 ? event->data : which == 8 ? event->addr : event->uaddr;
}

static uint32_t model_read_record(uint32_t offset)
{
	const struct record *record = &want.records[offset / 16];

	switch (offset % 16) {
	case 4:
		return record->index << 16;
	case 8:
		return record->rid;
	case 12:
		return (uint32_t)record->is_set << 31 | record->reason;
	default:
		return 0;
	}
}

static uint32_t model_read32(uint32_t offset)
{
	switch (offset) {
	case 0x00:
		return 0x10;
	case 0x08:
		return 0x202f0000;
	case 0x0c:
		return 0x700;
	case 0x10:
		return 0xf0001b;
	case 0x1c:
		return (uint32_t)want.queue_on << 26 | (uint32_t)want.remap_on << 25 | (uint32_t)want.table_set << 24 |
		       (uint32_t)want.pass_compatible << 23;
	case 0x34:
		return (uint32_t)want.overflow | (uint32_t)want.queue_error << 4 |
		       (any_record() ? 2 | want.first_record << 8 : 0);
	case 0x38 ... 0x44:
		return model_read_event(&want.fault_event, offset - 0x38);
	case 0x80:
		return (uint32_t)want.head;
	case 0x88:
		return (uint32_t)want.tail;
	case 0x90:
		return (uint32_t)want.iqa;
	case 0x94:
		return (uint32_t)(want.iqa >> 32);
	case 0x9c:
		return want.is_complete;
	case 0xa0 ... 0xac:
		return model_read_event(&want.done_event, offset - 0xa0);
	case 0xb8:
		return (uint32_t)want.irta;
	case 0xbc:
		return (uint32_t)(want.irta >> 32);
	case 0x200 ... 0x27c:
		return model_read_record(offset - 0x200);
	default:
		return 0;
	}
}

static bool model_is_access(uint64_t offset, size_t len)
{
	return (len == 4 || len == 8) && offset % len == 0 && offset + len <= 4096;
}

/* Steps: the unit and the model do the same */

static void write_register(uint64_t offset, uint64_t value, size_t len)
{
	ontb_vtd_write(vtd, offset, value, len);
	if (!model_is_access(offset, len))
		return;
	model_write32((uint32_t)offset, (uint32_t)value);
	if (len == 8)
		model_write32((uint32_t)offset + 4, (uint32_t)(value >> 32));
}

static void read_register(uint64_t offset, size_t len)
{
	uint64_t value = ontb_vtd_read(vtd, offset, len), expected = UINT64_MAX;

	if (model_is_access(offset, len)) {
		expected = model_read32((uint32_t)offset);
		if (len == 8)
			expected |= (uint64_t)model_read32((uint32_t)offset + 4) << 32;
	}
	CHECK(value == expected);
}

static void send(uint16_t rid, uint64_t addr, uint32_t data)
{
	CHECK(ontb_vtd_message(vtd, rid, addr, data) == model_message(rid, addr, data));
}

static const uint16_t registers[] = { 0x00, 0x08,  0x0c,  0x10,	 0x14,	0x18,  0x1c,  0x34,  0x38,  0x3c, 0x40, 0x44,
				      0x80, 0x84,  0x88,  0x8c,	 0x90,	0x94,  0x9c,  0xa0,  0xa4,  0xa8, 0xac, 0xb8,
				      0xbc, 0x20c, 0x21c, 0x22c, 0x23c, 0x24c, 0x25c, 0x26c, 0x27c, 0x208 };

static uint16_t pick_register(struct input *in)
{
	return registers[take(in) % ONTB_ARRAY_SIZE(registers)];
}

static void write_some_register(struct input *in)
{
	uint16_t offset = pick_register(in);
	uint8_t shape = take(in);
	uint64_t value = shape & 0x80 ? UINT64_MAX : take_value(in, shape & 0x40 ? 8 : 4);

	write_register(offset & (shape & 1 ? ~7U : ~3U), value, shape & 1 ? 8 : 4);
}

static void access_anything(struct input *in)
{
	uint64_t offset = take_value(in, 2) % 4200;
	size_t len = take(in) % 10;

	if (take(in) & 1)
		write_register(offset, take_value(in, 8), len);
	else
		read_register(offset, len);
}

/* What a driver does once. */
static void enable(uint8_t how)
{
	uint32_t commands = 1U << 26 | (how & 0x10 ? 1U << 23 : 0);

	write_register(0x18, 0, 4);
	write_register(0x88, 0, 8);
	write_register(0x90, QUEUE | (how & 0x80 ? 1 : 0), 8);
	write_register(0x34, 0x11, 4);
	write_register(0x18, commands, 4);
	write_register(0xb8, TABLE | (how & 0x20 ? 0x800 : 0) | (how & 0xf), 8);
	write_register(0x18, commands | 1U << 24, 4);
	write_register(0x18, commands | 1U << 25, 4);
}

static void set_up_event(struct input *in)
{
	uint8_t how = take(in);
	uint32_t base = how & 0x80 ? 0x38 : 0xa0;

	write_register(base + 4, 0x40 + (how & 3), 4);
	write_register(base + 8, 0xfee00000 | (uint32_t)(how >> 2 & 7) << 12, 4);
	write_register(base + 12, how & 0x20 ? 0x100 : 0, 4);
	write_register(base, how & 0x40 ? 0x80000000 : 0, 4);
}

static uint16_t pick_rid(struct input *in)
{
	uint8_t which = take(in);

	if (which >= 0xf0)
		return (uint16_t)take_value(in, 2);
	/* Functions of one device, mostly; otherwise of such a device on buses 3 to 10. */
	return (uint16_t)((which & 0x80 ? 3 + (which >> 3 & 7) : 3) << 8 | 0x20 | (which & 7));
}

static uint32_t pick_index(struct input *in)
{
	uint8_t which = take(in);

	return which >= 0xf0 ? (uint32_t)take_value(in, 2) : which & 7;
}

/* Mostly an entry that is fine but for one bit perhaps. */
static void write_entry(struct input *in)
{
	static const uint32_t dests[] = { 0, 1, 2, 3, 0, 1, NR_CPUS, 0xff };
	uint32_t index = pick_index(in) % (RAM_SIZE / 16);
	uint8_t how = take(in), where = take(in), flip = take(in);
	uint64_t low = 1 | (uint64_t)(where >> 7) << 5 | (uint64_t)(0x20 + (how & 7)) << 16;
	uint64_t high = (uint64_t)(how >> 6) << 18 | (how >> 4 & 3U) << 16;

	if (!(where & 0x40))
		low |= (uint64_t)dests[where & 7] << (how & 8 ? 32 : 40);
	else if (how & 8)
		low |= 0xffffffffULL << 32;
	else
		low |= 0xffULL << 40;
	/* A range of buses, or a function. */
	high |= how >> 6 == 2 ? 0x0300U + (where >> 3 & 7U) + 2 : pick_rid(in);
	if (flip < 64)
		low ^= 1ULL << flip;
	else if (flip < 128)
		high ^= 1ULL << (flip - 64);
	store(TABLE + 16ULL * index, low);
	store(TABLE + 16ULL * index + 8, high);
}

static void queue_descriptor(struct input *in)
{
	static const uint64_t kinds[] = { 4, 0x14, 0x25, 0x15, 5, 1, 2, 0x75 };
	uint8_t how = take(in), flip = take(in);
	uint64_t low = kinds[how & 7], high = 0, size = 4096ULL << (want.iqa & 7);

	if (low == 0x14)
		low |= (uint64_t)pick_index(in) << 32 | (uint64_t)(how >> 3 & (flip < 192 ? 3 : 0x1f)) << 27;
	if ((low & 0x25) == 0x25) {
		low |= take_value(in, 4) << 32;
		high = STATUS + (how & 0x40 ? 4 : 0) + (how & 0x80 ? 8 : 0);
	}
	if (flip < 64)
		low ^= 1ULL << flip;
	else if (flip < 128)
		high ^= 1ULL << (flip - 64);
	if (want.tail < size && in_ram(QUEUE + want.tail, 16)) {
		store(QUEUE + want.tail, low);
		store(QUEUE + want.tail + 8, high);
	}
	write_register(0x88, (want.tail + 16) % size, 4);
}

static void send_something(struct input *in)
{
	uint8_t how = take(in);
	uint16_t rid = pick_rid(in);
	uint32_t index = pick_index(in);
	uint64_t addr = 0xfee00010 | (uint64_t)(index & 0x7fff) << 5 | (index & 0x8000 ? 4 : 0) | (how & 8);
	uint32_t data = how & 7;

	if (how >= 0xc0)
		addr = 0xfee00000 | (uint64_t)(how & 7) << 12;
	if (how >= 0xc0)
		data = 0x20 + (how & 0x38);
	if (how >= 0xf0)
		addr ^= 1ULL << (take(in) & 63);
	if ((how & 0xf8) == 0xb8)
		data = (uint32_t)take_value(in, 4);
	send(rid, addr, data);
}

static uint64_t low_for(unsigned int cpu)
{
	return 1 | 0x30 << 16 | (uint64_t)cpu << (want.live_irta & 0x800 ? 32 : 40);
}

/* What software does to move an interrupt, but it may invalidate something else. */
static void move_entry(struct input *in)
{
	uint8_t what = take(in), how = take(in);
	uint64_t entry = TABLE + 16ULL * (what & 7), addr = 0xfee00010 | (uint64_t)(what & 7) << 5;
	uint64_t size = 4096ULL << (want.iqa & 7);

	store(entry + 8, 0);
	store(entry, low_for(what >> 3 & 1));
	send(0x0320, addr, 0);
	store(entry, low_for(2 + (what >> 4 & 1)));
	if (want.tail < size && in_ram(QUEUE + want.tail, 16)) {
		store(QUEUE + want.tail, 0x14 | (uint64_t)(how & 7) << 32 | (uint64_t)(how >> 3 & 3) << 27);
		store(QUEUE + want.tail + 8, 0);
	}
	write_register(0x88, (want.tail + 16) % size, 4);
	send(0x0320, addr, 0);
}

static void store_anything(struct input *in)
{
	uint64_t addr = RAM_BASE + take_value(in, 2) % (RAM_SIZE / 8) * 8;

	store(addr, take_value(in, 8));
}

static void forget_requests(void)
{
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		for (unsigned int i = 0; i < 4; i++)
			atomic_store(&bus.lapics[cpu].irr[i], 0);
	}
	memset(want.requested, 0, sizeof(want.requested));
}

static void reset_model(void)
{
	memset(&want, 0, sizeof(want));
	want.fault_event.is_masked = true;
	want.done_event.is_masked = true;
}

static void reset(void)
{
	bool requested[NR_CPUS][256];

	ontb_vtd_reset(vtd);
	/* The APICs are not part of it. */
	memcpy(requested, want.requested, sizeof(requested));
	reset_model();
	memcpy(want.requested, requested, sizeof(requested));
}

static void clear_faults(void)
{
	for (uint32_t offset = 0x20c; offset < 0x280; offset += 16)
		write_register(offset, 1U << 31, 4);
	write_register(0x34, 1, 4);
}

static void compare(void)
{
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(registers); i++)
		read_register(registers[i], 4);
	for (uint32_t offset = 0x200; offset < 0x280; offset += 8)
		read_register(offset, 8);
	CHECK(!memcmp(ram, want_ram, sizeof(ram)));
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		for (unsigned int v = 0; v < 256; v++)
			CHECK((atomic_load(&bus.lapics[cpu].irr[v / 64]) >> (v % 64) & 1) == want.requested[cpu][v]);
	}
}

static void run_step(struct input *in)
{
	uint8_t step = take(in);

	switch (step % 32) {
	case 0:
		enable(take(in));
		break;
	case 1:
		write_some_register(in);
		break;
	case 2:
		access_anything(in);
		break;
	case 3:
		store_anything(in);
		break;
	case 4:
		forget_requests();
		break;
	case 5:
		clear_faults();
		break;
	case 6:
		set_up_event(in);
		break;
	case 7:
		write_register(0x34, 0x10, 4);
		break;
	case 8:
		if (step == 8)
			reset();
		break;
	case 9 ... 14:
		write_entry(in);
		break;
	case 15 ... 18:
		queue_descriptor(in);
		break;
	case 19:
	case 20:
		move_entry(in);
		break;
	default:
		send_something(in);
		break;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	ontb_log_set_level(ONTB_LOG_ERROR);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ontb_vtd_config config = { .name = "fuzz", .bus = &bus, .memory = &memory };
	struct input in = { data, size };
	uint8_t how;

	memset(ram, 0, sizeof(ram));
	memset(want_ram, 0, sizeof(want_ram));
	reset_model();
	CHECK(!ontb_apic_bus_init(&bus, "fuzz", NR_CPUS));
	CHECK(!ontb_vtd_new(&config, &vtd));
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		ontb_lapic_set_online(&bus.lapics[cpu], true);
		ontb_lapic_write(&bus.lapics[cpu], ONTB_APIC_SVR, ONTB_APIC_SVR_ENABLE);
	}
	compare();
	how = take(&in);
	if (how < 0xc0)
		enable(how);
	for (unsigned int i = 0; i < MAX_STEPS && in.left; i++) {
		run_step(&in);
		if (!(i % 8))
			compare();
	}
	compare();
	ontb_vtd_free(vtd);
	ontb_apic_bus_fini(&bus);
	return 0;
}

#pragma clang attribute pop
