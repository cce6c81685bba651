// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Accesses of four hosts in any order, against a slow and obvious model of what the switch must do.
 *
 * The input is a list of steps. After each step the model says what the hosts must have seen: bytes read through windows,
 * bytes written into their memory, interrupts, the state of each lock, doorbell and message. The model knows no register
 * table, no apertures and no brlock: it keeps the bytes of the control blocks and decides byte by byte.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/switchtec.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hw/bridge/port.h"
#include "input.h"

/* The fuzzer is to watch the switch, not the model. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define NR_PORTS   4
#define NR_LUTS	   4
#define NR_REQ_IDS 2
#define NR_VECTORS 4
#define NR_GUARDS  4
#define BAR2_SIZE  0x80000
#define BAR4_SIZE  0x10000
#define RAM_BASE   0x40000000ULL
#define RAM_SIZE   0x4000
#define CTRL	   0x14000
#define CTRL_SIZE  0x2000
#define DBMSG	   0x74000
#define DBMSG_SIZE 0x4000
#define GUARD	   0x300000
#define GUARD_SLOT 0x301000
#define MAX_STEPS  400

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct host - a host and what the model expects of it
 * @ram:       Its memory as the switch changes it.
 * @want_ram:  Its memory as the model changes it.
 * @vectors:   Interrupts seen.
 * @want:      Interrupts expected.
 * @latched:   Interrupts that wait for bus mastering.
 * @attached:  It is there.
 * @command:   Its function's command register.
 * @pending:   Doorbells, and so on.
 * @imsg:      Inbound messages: value, status, mask, source.
 * @omsg:      Outbound message registers.
 * @guard:     Its guard: what the registers hold, and what counts.
 * @blocked:   Writes into it that the guard must have blocked.
 */
struct host {
	uint8_t ram[RAM_SIZE];
	uint8_t want_ram[RAM_SIZE];
	unsigned int vectors[NR_VECTORS];
	unsigned int want[NR_VECTORS];
	uint64_t latched;
	bool attached;
	uint16_t command;
	uint64_t pending;
	uint64_t enabled;
	uint64_t odb_mask;
	uint8_t vec_map[64];
	uint32_t msg_map;
	struct {
		uint32_t msg;
		uint8_t status;
		uint8_t mask;
		uint8_t src;
	} imsg[4];
	uint32_t omsg[4];
	struct {
		uint64_t first, size;
		bool is_on;
		uint64_t active_first, active_size;
		struct {
			uint64_t addr, active_addr;
			uint32_t data, active_data;
			bool is_open;
		} slots[NR_GUARDS];
	} guard;
	uint64_t blocked;
};

/**
 * struct block - a control block
 * @bytes:   What its registers hold.
 * @writers: For each word, who wrote it since somebody last wrote all of it.
 * @active:  Both as they were at the last commit, which is what the windows obey.
 * @owner:   Who has the lock, or -1.
 * @queue:   Who waits.
 */
struct block {
	uint8_t bytes[CTRL_SIZE];
	uint8_t writers[CTRL_SIZE / 4];
	uint8_t active[CTRL_SIZE];
	uint8_t active_writers[CTRL_SIZE / 4];
	int owner;
	int queue[NR_PORTS];
	unsigned int nr_queue;
	bool refused[NR_PORTS];
};

static struct host hosts[NR_PORTS];
static struct block blocks[NR_PORTS];
static struct ontb_bridge *bridge;

/* Hosts */

static bool in_ram(uint64_t addr, size_t len)
{
	return addr >= RAM_BASE && ontb_range_fits(addr - RAM_BASE, len, RAM_SIZE);
}

static int mem_write(void *arg, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	struct host *host = arg;

	CHECK(source < NR_PORTS && host->attached);
	if (!in_ram(addr, len))
		return -EFAULT;
	memcpy(host->ram + (addr - RAM_BASE), buf, len);
	return 0;
}

static int mem_read(void *arg, uint64_t addr, struct ontb_read *read)
{
	struct host *host = arg;

	CHECK(host->attached);
	if (!in_ram(addr, read->len))
		return -EFAULT;
	memcpy(read->buf, host->ram + (addr - RAM_BASE), read->len);
	return 0;
}

static void raise_vector(void *arg, unsigned int vector)
{
	struct host *host = arg;

	CHECK(host->attached && vector < NR_VECTORS);
	host->vectors[vector]++;
}

static void clear_vectors(void *arg)
{
	CHECK(((struct host *)arg)->attached);
}

static bool vector_pending(void *arg, unsigned int vector)
{
	CHECK(((struct host *)arg)->attached && vector < NR_VECTORS);
	return false;
}

static const struct ontb_host_ops host_ops = { mem_write, mem_read, raise_vector, clear_vectors, vector_pending };

/* The model: interrupts */

static void expect_vector(unsigned int port, unsigned int vector)
{
	struct host *host = &hosts[port];

	if (!host->attached || vector >= NR_VECTORS)
		return;
	if (host->command & 4)
		host->want[vector]++;
	else
		host->latched |= 1ULL << vector;
}

static void expect_doorbells(unsigned int port, uint64_t bits)
{
	bool seen[256] = { false };

	for (unsigned int b = 0; b < 64; b++) {
		uint8_t vector = hosts[port].vec_map[b];

		if (!(bits >> b & 1) || seen[vector])
			continue;
		seen[vector] = true;
		expect_vector(port, vector);
	}
}

/* The model: control blocks */

static void reset_model_block(struct block *block)
{
	memset(block->bytes, 0, sizeof(block->bytes));
	memset(block->writers, 0, sizeof(block->writers));
	block->bytes[0x40 + 2 * 16] = 1;
	block->bytes[0x40 + 4 * 16] = 1;
}

static void activate(struct block *block)
{
	memcpy(block->active, block->bytes, sizeof(block->bytes));
	memcpy(block->active_writers, block->writers, sizeof(block->writers));
}

static bool is_queued(const struct block *block, unsigned int port)
{
	for (unsigned int i = 0; i < block->nr_queue; i++) {
		if (block->queue[i] == (int)port)
			return true;
	}
	return false;
}

static void model_unlock(struct block *block, unsigned int port)
{
	unsigned int n = 0;

	block->refused[port] = false;
	for (unsigned int i = 0; i < block->nr_queue; i++) {
		if (block->queue[i] != (int)port)
			block->queue[n++] = block->queue[i];
	}
	block->nr_queue = n;
	if (block->owner != (int)port)
		return;
	block->owner = block->nr_queue ? block->queue[0] : -1;
	if (block->nr_queue) {
		block->nr_queue--;
		memmove(block->queue, block->queue + 1, block->nr_queue * sizeof(block->queue[0]));
	}
}

static unsigned int model_status(const struct block *block, unsigned int port)
{
	if (block->refused[port])
		return 0;
	if (block->owner == (int)port)
		return 2;
	return is_queued(block, port) ? 3 : 1;
}

static void model_op(struct block *block, unsigned int port, uint32_t op)
{
	bool may = block->owner < 0 || block->owner == (int)port;

	if (op == 1) {
		block->refused[port] = false;
		if (block->owner < 0)
			block->owner = (int)port;
		else if (block->owner != (int)port && !is_queued(block, port))
			block->queue[block->nr_queue++] = (int)port;
	} else if ((op == 2 || op == 3) && may) {
		if (op == 3)
			reset_model_block(block);
		activate(block);
		model_unlock(block, port);
	} else if (op == 3 && is_queued(block, port) && !block->refused[port]) {
		model_unlock(block, port);
	} else if (op == 2 || op == 3) {
		block->refused[port] = true;
	}
}

/* Which bits of a word of the block a host can change, and which are forced to 1. */
static uint32_t writable_bits(uint32_t offset, uint32_t *forced)
{
	*forced = 0;
	if (offset == 0x08 || offset == 0x0c)
		return UINT32_MAX;
	if (offset >= 0x40 && offset < 0x100) {
		unsigned int bar = (offset - 0x40) / 16 % 6;

		if (bar != 2 && bar != 4)
			return 0;
		if (offset < 0xa0 && offset % 16 == 0) {
			*forced = 1;
			return UINT32_MAX;
		}
		return offset < 0xa0 || (offset - 0xa0) % 16 == 0 ? UINT32_MAX : 0;
	}
	if (offset >= 0x400 && offset < 0x400 + 4 * NR_REQ_IDS)
		return UINT32_MAX;
	if (offset >= 0x1000 && offset < 0x1000 + 8 * NR_LUTS)
		return UINT32_MAX;
	return 0;
}

static void model_write_word(struct block *block, unsigned int port, uint32_t offset, uint32_t value, uint32_t mask)
{
	uint32_t forced, bits = writable_bits(offset, &forced), old = ontb_get_le32(block->bytes + offset);

	if (!bits)
		return;
	if (block->owner >= 0 && block->owner != (int)port) {
		block->refused[port] = true;
		return;
	}
	if (offset >= 0x400 && offset < 0x1000)
		value = (value & 0xffff0001) | ((offset - 0x400) / 4) << 1;
	ontb_put_le32(block->bytes + offset, (old & ~mask) | ((value | forced) & mask));
	block->writers[offset / 4] = (uint8_t)((mask == UINT32_MAX ? 0 : block->writers[offset / 4]) | 1U << port);
}

/* The model: windows, byte by byte */

static bool is_pure(const struct block *block, uint32_t offset, unsigned int len, unsigned int port)
{
	for (unsigned int i = 0; i < len; i += 4) {
		if (block->active_writers[(offset + i) / 4] != 1U << port)
			return false;
	}
	return true;
}

static bool find_lut_byte(unsigned int port, unsigned int bar, uint64_t offset, unsigned int shift,
			  unsigned int *target, uint64_t *addr)
{
	const struct block *block = &blocks[port];
	uint64_t entry = ontb_get_le64(block->active + 0x1000 + 8 * (offset >> shift));

	*target = entry >> 1 & 0x3f;
	*addr = (entry >> shift << shift) + (offset & ((1ULL << shift) - 1));
	return entry & 1 && *target < NR_PORTS && *target != port && hosts[*target].attached &&
	       is_pure(block, (uint32_t)(0x1000 + 8 * (offset >> shift)), 8, *target) &&
	       is_pure(block, 0x40 + 16 * bar, 4, *target) &&
	       *addr - (offset & ((1ULL << shift) - 1)) <= UINT64_MAX - ((1ULL << shift) - 1);
}

static bool find_direct_byte(unsigned int port, unsigned int bar, uint64_t offset, uint64_t room, unsigned int *target,
			     uint64_t *addr)
{
	const struct block *block = &blocks[port];
	uint32_t low = ontb_get_le32(block->active + 0x44 + 16 * bar);
	uint64_t size = (uint64_t)ontb_get_le32(block->active + 0xa0 + 16 * bar) << 32 | (low & 0xfffff000);
	uint64_t xlate = ontb_get_le64(block->active + 0x48 + 16 * bar), base = xlate & ~0xfffULL;
	unsigned int log2 = 0;

	while (size >> log2 > 1)
		log2++;
	*target = (unsigned int)(xlate & 0xfff);
	*addr = base + offset;
	if (!size || size > room || (low & 0xfff) != log2 || offset >= size || base > UINT64_MAX - (size - 1))
		return false;
	if (*target >= NR_PORTS || *target == port || !hosts[*target].attached)
		return false;
	return is_pure(block, 0x40 + 16 * bar, 8, *target) && is_pure(block, 0x48 + 16 * bar, 8, *target) &&
	       (is_pure(block, 0xa0 + 16 * bar, 4, *target) || !block->active_writers[(0xa0 + 16 * bar) / 4]);
}

static bool find_window(unsigned int port, unsigned int bar, uint64_t offset, unsigned int *target, uint64_t *addr)
{
	uint32_t ctl = ontb_get_le32(blocks[port].active + 0x40 + 16 * bar);
	uint64_t size = bar == 2 ? BAR2_SIZE : BAR4_SIZE, lut_area = 0;

	if (ctl & 0x20) {
		unsigned int shift = ctl >> 8 & 0x3f, count = (ctl >> 14 & 0x1ff) + 1;

		if (shift < 12 || shift > 40 || count > NR_LUTS || (uint64_t)count << shift > size)
			return false;
		lut_area = (uint64_t)count << shift;
		if (offset < lut_area)
			return find_lut_byte(port, bar, offset, shift, target, addr);
	}
	return ctl & 0x10 && find_direct_byte(port, bar, offset - lut_area, size - lut_area, target, addr);
}

/* What a byte of a window BAR is: the expected memory, or NULL if nothing answers. */
static uint8_t *find_byte(unsigned int port, unsigned int bar, uint64_t offset)
{
	unsigned int target;
	uint64_t addr;

	if (!(hosts[port].command & 2) || !find_window(port, bar, offset, &target, &addr))
		return NULL;
	if (!(hosts[target].command & 4) || !in_ram(addr, 1))
		return NULL;
	return hosts[target].want_ram + (addr - RAM_BASE);
}

/* A host refuses as a whole what lies only partly in its memory; such accesses are left out. */
static bool is_cut_by_ram(unsigned int port, unsigned int bar, uint64_t offset, size_t len)
{
	unsigned int nr_in = 0, nr_out = 0, target;
	uint64_t addr;

	for (size_t i = 0; i < len; i++) {
		if (!find_window(port, bar, offset + i, &target, &addr))
			continue;
		if (in_ram(addr, 1))
			nr_in++;
		else
			nr_out++;
	}
	return nr_in && nr_out;
}

static bool touches(uint64_t offset, const uint8_t *buf, size_t len, uint64_t reg, unsigned int width, uint64_t *value,
		    uint64_t *mask)
{
	*value = *mask = 0;
	for (size_t i = 0; i < len; i++) {
		uint64_t at = offset + i;

		if (at < reg || at >= reg + width)
			continue;
		*value |= (uint64_t)buf[i] << (8 * (at - reg));
		*mask |= 0xffULL << (8 * (at - reg));
	}
	return *mask;
}

/* The model: guard */

static void reset_model_guard(struct host *host)
{
	memset(&host->guard, 0, sizeof(host->guard));
	host->guard.first = host->guard.active_first = 0xfee00000;
	host->guard.size = host->guard.active_size = 0x100000;
}

static void model_write_guard(unsigned int port, uint64_t offset, const uint8_t *buf, size_t len)
{
	struct host *host = &hosts[port];
	uint64_t value, mask;

	if (touches(offset, buf, len, GUARD + 0x0c, 4, &value, &mask) && mask & 1) {
		if (value & 2) {
			reset_model_guard(host);
		} else {
			host->guard.is_on = value & 1;
			host->guard.active_first = host->guard.first;
			host->guard.active_size = host->guard.size;
		}
	}
	if (touches(offset, buf, len, GUARD + 0x10, 8, &value, &mask))
		host->guard.first = (host->guard.first & ~mask) | value;
	if (touches(offset, buf, len, GUARD + 0x18, 8, &value, &mask))
		host->guard.size = (host->guard.size & ~mask) | value;
	for (unsigned int i = 0; i < NR_GUARDS; i++) {
		uint64_t base = GUARD_SLOT + 16 * i;

		if (touches(offset, buf, len, base, 8, &value, &mask))
			host->guard.slots[i].addr = (host->guard.slots[i].addr & ~mask) | value;
		if (touches(offset, buf, len, base + 8, 4, &value, &mask))
			host->guard.slots[i].data = (host->guard.slots[i].data & ~(uint32_t)mask) | (uint32_t)value;
		if (!touches(offset, buf, len, base + 12, 4, &value, &mask) || !(mask & 1))
			continue;
		host->guard.slots[i].is_open = value & 1 && !(host->guard.slots[i].addr & 3);
		host->guard.slots[i].active_addr = host->guard.slots[i].addr;
		host->guard.slots[i].active_data = host->guard.slots[i].data;
	}
}

/* Whether a write of bytes that are all the same must not arrive. */
static bool is_guarded(const struct host *host, uint64_t addr, size_t len, uint8_t fill)
{
	bool is_inside = false;

	for (size_t i = 0; i < len; i++)
		is_inside |= addr + i - host->guard.active_first < host->guard.active_size;
	if (!host->guard.is_on || !is_inside)
		return false;
	for (unsigned int i = 0; i < NR_GUARDS && len == 4; i++) {
		if (host->guard.slots[i].is_open && host->guard.slots[i].active_addr == addr &&
		    host->guard.slots[i].active_data == fill * 0x01010101U)
			return false;
	}
	return true;
}

/* The model: doorbell and message block */

static void model_ring(unsigned int port, uint64_t bits)
{
	struct host *peer = &hosts[port ^ 1];
	uint64_t fresh;

	bits &= hosts[port].odb_mask & 0x0fffffffffffffff;
	fresh = bits & ~peer->pending;
	peer->pending |= bits;
	expect_doorbells(port ^ 1, fresh & peer->enabled);
}

static void model_send(unsigned int port, unsigned int idx)
{
	struct host *peer = &hosts[port ^ 1];

	if (!peer->attached)
		return;
	for (unsigned int j = 0; j < 4; j++) {
		if ((peer->msg_map >> (8 * j) & 0xff) != (port << 2 | idx))
			continue;
		peer->imsg[j].msg = hosts[port].omsg[idx];
		peer->imsg[j].status = 1;
		peer->imsg[j].src = (uint8_t)port;
		if (peer->imsg[j].mask)
			expect_vector(port ^ 1, peer->vec_map[60 + j]);
	}
}

static void model_imsg(unsigned int port, unsigned int j, uint64_t value, uint64_t mask)
{
	struct host *host = &hosts[port];
	bool is_news = false;

	if (value & mask & 1ULL << 32)
		host->imsg[j].status = 0;
	if (mask >> 40 & 1) {
		uint8_t enable = value >> 40 & 1;

		is_news = enable && !host->imsg[j].mask && host->imsg[j].status;
		host->imsg[j].mask = enable;
	}
	if (is_news)
		expect_vector(port, host->vec_map[60 + j]);
}

static void model_write_dbmsg(unsigned int port, uint64_t offset, const uint8_t *buf, size_t len)
{
	uint64_t base = DBMSG + (uint64_t)port * DBMSG_SIZE, value, mask, fresh;
	struct host *host = &hosts[port];

	if (touches(offset, buf, len, base + 0x1000, 8, &value, &mask))
		model_ring(port, value);
	if (touches(offset, buf, len, base + 0x1008, 8, &value, &mask))
		host->odb_mask = (host->odb_mask & ~mask) | value;
	if (touches(offset, buf, len, base + 0x1010, 8, &value, &mask))
		host->pending &= ~value;
	if (touches(offset, buf, len, base + 0x1018, 8, &value, &mask)) {
		value |= host->enabled & ~mask;
		fresh = value & ~host->enabled & host->pending;
		host->enabled = value;
		expect_doorbells(port, fresh);
	}
	for (unsigned int b = 0; b < 64; b++) {
		if (touches(offset, buf, len, base + 0x1020 + b, 1, &value, &mask))
			host->vec_map[b] = (uint8_t)value;
	}
	if (touches(offset, buf, len, base + 0x1060, 4, &value, &mask))
		host->msg_map = (host->msg_map & ~(uint32_t)mask) | (uint32_t)value;
	for (unsigned int i = 0; i < 4; i++) {
		if (!touches(offset, buf, len, base + 0x1068 + 8 * i, 4, &value, &mask))
			continue;
		host->omsg[i] = (host->omsg[i] & ~(uint32_t)mask) | (uint32_t)value;
		model_send(port, i);
	}
	for (unsigned int j = 0; j < 4; j++) {
		if (touches(offset, buf, len, base + 0x1088 + 8 * j, 8, &value, &mask))
			model_imsg(port, j, value, mask);
	}
}

static void model_write(unsigned int port, uint64_t offset, const uint8_t *buf, size_t len)
{
	if (!(hosts[port].command & 2))
		return;
	for (uint64_t word = offset & ~3ULL; word < offset + len; word += 4) {
		unsigned int part = word < CTRL ? NR_PORTS : (unsigned int)((word - CTRL) / CTRL_SIZE);
		uint32_t at = (uint32_t)(word - CTRL) % CTRL_SIZE;
		uint64_t value, mask;

		if (part != port && part != (port ^ 1))
			continue;
		(void)touches(offset, buf, len, word, 4, &value, &mask);
		if (at == 4 && mask & 0xff)
			model_op(&blocks[part], port, (uint32_t)value);
		else if (at != 4)
			model_write_word(&blocks[part], port, at, (uint32_t)value, (uint32_t)mask);
	}
	model_write_dbmsg(port, offset, buf, len);
	model_write_guard(port, offset, buf, len);
}

/* The model: life */

static void model_lost(unsigned int port)
{
	struct host *host = &hosts[port];

	for (unsigned int part = port & ~1U; part <= (port | 1); part++) {
		struct block *block = &blocks[part];

		for (uint32_t w = 0; w < CTRL_SIZE / 4; w++) {
			/* Its peer's windows end in this host: they close at once, not at the next commit. */
			if (part != port && block->active_writers[w] & 1U << port)
				block->active_writers[w] = 0;
			if (!(block->writers[w] & 1U << port))
				continue;
			block->writers[w] = 0;
			ontb_put_le32(block->bytes + 4 * w, w == (0x40 + 32) / 4 || w == (0x40 + 64) / 4);
		}
		model_unlock(block, port);
	}
	host->command = 0;
	host->latched = 0;
	host->pending = host->enabled = host->odb_mask = 0;
	memset(host->vec_map, 0, sizeof(host->vec_map));
	memset(host->imsg, 0, sizeof(host->imsg));
	memset(host->omsg, 0, sizeof(host->omsg));
	host->msg_map = UINT32_MAX;
	reset_model_guard(host);
}

static void model_command(unsigned int port, uint16_t command)
{
	struct host *host = &hosts[port];

	host->command = command & 0x0546;
	if (!(host->command & 4))
		return;
	for (unsigned int v = 0; v < NR_VECTORS; v++)
		host->want[v] += host->latched >> v & 1;
	host->latched = 0;
}

/* Steps: the switch and the model do the same */

static void bar_write(unsigned int port, unsigned int bar, uint64_t offset, const uint8_t *buf, size_t len)
{
	struct ontb_func *func = ontb_bridge_func(bridge, port);

	func->ops->enter(func);
	(void)func->ops->bar_write(func, bar, offset, buf, len);
	func->ops->leave(func);
}

static bool bar_read(unsigned int port, unsigned int bar, uint64_t offset, uint8_t *buf, size_t len)
{
	struct ontb_func *func = ontb_bridge_func(bridge, port);
	struct ontb_read read = { .buf = buf, .len = len, .source = port };
	int ret;

	func->ops->enter(func);
	ret = func->ops->bar_read(func, bar, offset, &read);
	func->ops->leave(func);
	return !ret;
}

static void write_register(unsigned int port, uint64_t offset, uint64_t value, size_t len)
{
	uint8_t buf[8];

	ontb_put_le64(buf, value);
	bar_write(port, 0, offset, buf, len);
	model_write(port, offset, buf, len);
}

/* Mostly around the places where windows begin and end. */
static uint64_t pick_offset(struct input *in)
{
	static const uint32_t places[] = { 0,	    0x1000,  0x2000,  0x3000,  0x4000,	0x8000,	 0x10000, 0x20000,
					   0x30000, 0x40000, 0x41000, 0x43000, 0x44000, 0x48000, 0x50000 };
	uint8_t place = take(in);

	if (place == 0xff)
		return take_value(in, 3);
	return (uint64_t)places[place % ONTB_ARRAY_SIZE(places)] + BAR2_SIZE + (uint64_t)(int8_t)take(in) / 4;
}

/* Which window a byte of a BAR belongs to: a write is cut where this changes. */
static uint64_t window_of(unsigned int port, unsigned int bar, uint64_t offset)
{
	uint32_t ctl = ontb_get_le32(blocks[port].active + 0x40 + 16 * bar);
	unsigned int shift = ctl >> 8 & 0x3f;
	uint64_t count = (ctl >> 14 & 0x1ff) + 1;

	return ctl & 0x20 && offset >> shift < count ? offset >> shift : UINT64_MAX;
}

static void expect_write(unsigned int port, unsigned int bar, uint64_t offset, size_t len, uint8_t fill)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		unsigned int target = 0, other;
		uint64_t addr = 0, other_addr;
		bool is_open = find_window(port, bar, offset + i, &target, &addr);

		for (n = 1; is_open && i + n < len; n++) {
			if (window_of(port, bar, offset + i + n) != window_of(port, bar, offset + i) ||
			    !find_window(port, bar, offset + i + n, &other, &other_addr))
				break;
		}
		if (!is_open || !(hosts[port].command & 2) || !(hosts[target].command & 4))
			continue;
		if (is_guarded(&hosts[target], addr, n, fill)) {
			hosts[target].blocked++;
			continue;
		}
		for (size_t k = 0; k < n; k++) {
			uint8_t *byte = find_byte(port, bar, offset + i + k);

			if (byte)
				*byte = fill;
		}
	}
}

static void use_window(struct input *in, unsigned int port, bool is_write)
{
	static const uint8_t lens[] = { 1, 2, 4, 8, 3, 7, 64, 200 };
	unsigned int bar = take(in) & 1 ? 4 : 2;
	uint64_t offset = pick_offset(in) % (bar == 2 ? BAR2_SIZE : BAR4_SIZE);
	size_t len = lens[take(in) % sizeof(lens)];
	uint8_t buf[200], fill = take(in);

	memset(buf, fill, sizeof(buf));
	if (!ontb_range_fits(offset, len, bar == 2 ? BAR2_SIZE : BAR4_SIZE) || is_cut_by_ram(port, bar, offset, len))
		len = 1;
	if (is_write) {
		bar_write(port, bar, offset, buf, len);
		expect_write(port, bar, offset, len, fill);
		return;
	}
	CHECK(bar_read(port, bar, offset, buf, len));
	for (size_t i = 0; i < len; i++) {
		uint8_t *byte = find_byte(port, bar, offset + i);

		CHECK(buf[i] == (byte ? *byte : 0xff));
	}
}

static uint64_t pick_value(struct input *in, unsigned int port)
{
	uint8_t kind = take(in);
	uint64_t addr = RAM_BASE + (uint64_t)(take(in) & 0x7) * 0x1000;
	unsigned int who = kind & 0x40 ? port ^ 1 : port;

	switch (kind % 8) {
	case 0:
		return addr | (uint64_t)who << 1 | 1;
	case 1:
		return addr | who;
	case 2:
		return 0x21 | 16 << 8 | (NR_LUTS - 1) << 14 | (kind & 0x80 ? 0x10 : 0);
	case 3:
		return 0x11;
	case 4:
		return 0x10010;
	case 5:
		return 0x1000c;
	default:
		return take_value(in, 8);
	}
}

static void write_somewhere_useful(struct input *in, unsigned int port)
{
	static const uint16_t ctrl[] = { 0x04, 0x60,  0x64,  0x68,   0x6c,   0x80,   0x84,   0x88,   0xc0,
					 0xe0, 0x400, 0x404, 0x1000, 0x1004, 0x1008, 0x1010, 0x1018, 0x1020 };
	static const uint16_t dbmsg[] = { 0x1000, 0x1008, 0x1010, 0x1018, 0x1020, 0x1038, 0x105c,
					  0x1060, 0x1068, 0x1070, 0x1088, 0x1090, 0x1098, 0x10a0 };
	uint8_t where = take(in), shape = take(in);
	unsigned int part = where & 0x40 ? port ^ 1 : where & 0x20 ? take(in) % NR_PORTS : port;
	uint64_t offset = where & 0x80
				  ? DBMSG + (uint64_t)part * DBMSG_SIZE + dbmsg[(where & 0x1f) % ONTB_ARRAY_SIZE(dbmsg)]
				  : CTRL + (uint64_t)part * CTRL_SIZE + ctrl[(where & 0x1f) % ONTB_ARRAY_SIZE(ctrl)];
	size_t len = shape & 0x8 ? 1 + (shape & 7) : shape & 1 ? 8 : 4;

	if (shape & 0x80)
		offset += shape >> 4 & 7;
	write_register(port, offset, pick_value(in, port), len);
}

/* What drivers do, so that windows open often enough to be used; or the same for memory that is not the host's own. */
static void open_properly(struct input *in, unsigned int port)
{
	uint64_t addr = RAM_BASE - 0x10000 + (uint64_t)(take(in) & 7) * 0x4000;
	uint8_t how = take(in);
	unsigned int owner = how & 0x40 ? port ^ 1 : port;
	uint64_t ctrl = CTRL + (uint64_t)(owner ^ 1) * CTRL_SIZE;

	write_register(port, ctrl + 4, 1, 4);
	if (how & 1) {
		write_register(port, ctrl + 0x60, 0x21 | 16 << 8 | (NR_LUTS - 1) << 14, 4);
		write_register(port, ctrl + 0x1000 + 8 * (how >> 4 & 3), addr | (uint64_t)owner << 1 | 1, 8);
	}
	if (how & 2) {
		unsigned int bar = how & 4 ? 2 : 4;

		write_register(port, ctrl + 0x40 + 16 * bar, bar == 2 ? 0x31 | 16 << 8 | (NR_LUTS - 1) << 14 : 0x11, 4);
		write_register(port, ctrl + 0x44 + 16 * bar, how & 8 ? 0x300d : 0x10010, 4);
		write_register(port, ctrl + 0xa0 + 16 * bar, 0, 4);
		write_register(port, ctrl + 0x48 + 16 * bar, addr | owner, 8);
	}
	write_register(port, ctrl + 4, how & 0x80 ? 3 : 2, 4);
}

static void operate(struct input *in, unsigned int port)
{
	uint8_t how = take(in);
	uint64_t part = how & 0x80 ? port : port ^ 1;

	write_register(port, CTRL + part * CTRL_SIZE + 4, how % 5, 4);
}

/* What drivers do once for their doorbells and messages. */
static void setup_properly(unsigned int port)
{
	uint64_t dbmsg = DBMSG + (uint64_t)port * DBMSG_SIZE;

	write_register(port, dbmsg + 0x1008, UINT64_MAX, 8);
	write_register(port, dbmsg + 0x1060, 0x03020100 + 0x04040404 * (port ^ 1), 4);
	for (unsigned int i = 0; i < 64; i += 8)
		write_register(port, dbmsg + 0x1020 + i, i < 56 ? 0x0201020102010201 : 0x0303030302010201, 8);
}

/* And what they do with them later. */
static void signal_properly(struct input *in, unsigned int port)
{
	uint64_t dbmsg = DBMSG + (uint64_t)port * DBMSG_SIZE;
	uint8_t how = take(in);
	uint64_t bits = 1ULL << (how & 3);

	switch (how >> 4 & 7) {
	case 0:
		setup_properly(port);
		break;
	case 1:
		write_register(port, dbmsg + 0x1018, bits, 8);
		break;
	case 2:
		write_register(port, dbmsg + 0x1018, 0, 8);
		break;
	case 3:
		write_register(port, dbmsg + 0x1010, bits, 8);
		break;
	case 4:
		write_register(port, dbmsg + 0x1020 + (how & 0x80 ? 60 : 0) + (how & 3), 1 + (how >> 2 & 3), 1);
		break;
	case 5:
		write_register(port, dbmsg + 0x1088 + 8 * (how & 3), how & 0x80 ? 1ULL << 32 : 1ULL << 40, 8);
		break;
	case 6:
		write_register(port, dbmsg + 0x1068 + 8 * (how & 3), how, 4);
		break;
	default:
		write_register(port, dbmsg + 0x1000, bits, 8);
		break;
	}
}

/* The host at the other end of a window lets one message through, and that one or a similar one is sent. */
static void send_guarded(struct input *in, unsigned int port)
{
	unsigned int bar = take(in) & 1 ? 4 : 2, target;
	uint64_t offset = pick_offset(in) % (bar == 2 ? BAR2_SIZE : BAR4_SIZE) & ~3ULL, addr, slot;
	uint8_t how = take(in), buf[4];

	if (!find_window(port, bar, offset, &target, &addr) || is_cut_by_ram(port, bar, offset, sizeof(buf)))
		return;
	slot = GUARD_SLOT + 16 * (how & 3);
	write_register(target, GUARD + 0x10, addr & ~0xfffULL, 8);
	write_register(target, GUARD + 0x18, 0x1000, 8);
	write_register(target, GUARD + 0x0c, 1, 4);
	write_register(target, slot, addr ^ (how & 0x10 ? 4 : 0), 8);
	write_register(target, slot + 8, (how >> 5) * 0x01010101U | 1ULL << 32, 8);
	memset(buf, (how >> 5) ^ (how >> 2 & 1), sizeof(buf));
	bar_write(port, bar, offset, buf, sizeof(buf));
	expect_write(port, bar, offset, sizeof(buf), buf[0]);
	if (how & 8)
		write_register(target, slot + 12, 0, 4);
}

/* What a driver does with its guard, here over memory, where one sees what arrives. */
static void guard_properly(struct input *in, unsigned int port)
{
	uint8_t how = take(in), place = take(in);
	uint64_t slot = GUARD_SLOT + 16 * (how & 3);
	/* As often as not what windows are mostly opened onto, at the offsets that are mostly written. */
	uint64_t addr = RAM_BASE + (uint64_t)(place & 7) * 0x1000 + (uint64_t)(int8_t)(place & 0xf8) / 2;

	switch (how >> 2 & 7) {
	case 5:
	case 6:
		send_guarded(in, port);
		break;
	case 0:
		write_register(port, GUARD + 0x10, addr & ~0xfffULL, 8);
		write_register(port, GUARD + 0x18, (how & 0x80 ? 0x100ULL : 0x4000ULL), 8);
		write_register(port, GUARD + 0x0c, 1, 4);
		break;
	case 1:
		write_register(port, GUARD + 0x0c, (how >> 7) | (place & 2), how & 0x40 ? 1 : 4);
		break;
	case 2:
		write_register(port, slot + 12, how >> 7, 4);
		break;
	case 3:
		write_register(port, GUARD + (place & 0x3f), take_value(in, 8), 1 + (how >> 5));
		break;
	case 4:
		write_register(port, GUARD_SLOT + (place & 0x7f), take_value(in, 8), 1 + (how >> 5));
		break;
	default:
		write_register(port, slot, addr, 8);
		write_register(port, slot + 8, (uint64_t)take(in) * 0x01010101 | (how & 0x80 ? 1ULL << 32 : 0), 8);
		break;
	}
}

static void set_command(unsigned int port, uint16_t command)
{
	struct ontb_func *func = ontb_bridge_func(bridge, port);
	uint8_t buf[2];

	ontb_put_le16(buf, command);
	func->ops->enter(func);
	CHECK(!func->ops->config_write(func, 4, buf, sizeof(buf)));
	func->ops->leave(func);
	model_command(port, command);
}

static void come_or_go(unsigned int port)
{
	struct ontb_func *func = ontb_bridge_func(bridge, port);

	if (hosts[port].attached) {
		func->ops->detach(func);
		model_lost(port);
		hosts[port].attached = false;
		return;
	}
	hosts[port].attached = true;
	CHECK(!func->ops->attach(func, &host_ops, &hosts[port]));
	CHECK(func->ops->attach(func, &host_ops, &hosts[port]) == -EBUSY);
	set_command(port, 6);
}

static void reset_function(unsigned int port)
{
	struct ontb_func *func = ontb_bridge_func(bridge, port);

	func->ops->reset(func);
	model_lost(port);
}

static void write_anywhere(struct input *in, unsigned int port)
{
	uint64_t offset = take_value(in, 3) & 0x3fffff;
	size_t len = 1 + take(in) % 8;

	if (ontb_range_fits(offset, len, 0x400000))
		write_register(port, offset, take_value(in, 8), len);
}

static void read_anywhere(struct input *in, unsigned int port)
{
	uint8_t whole[40], byte;
	uint64_t offset = take_value(in, 3) & 0x3fffff;
	size_t len = 1 + take(in) % sizeof(whole);

	if (!ontb_range_fits(offset, len, 0x400000)) {
		CHECK(!bar_read(port, 0, offset, whole, len));
		return;
	}
	CHECK(bar_read(port, 0, offset, whole, len));
	for (size_t i = 0; i < len; i++) {
		CHECK(bar_read(port, 0, offset + i, &byte, 1));
		CHECK(byte == whole[i]);
	}
}

static uint64_t read_register(unsigned int port, uint64_t offset)
{
	uint8_t buf[8];

	CHECK(bar_read(port, 0, offset, buf, sizeof(buf)));
	return ontb_get_le64(buf);
}

static void compare_state(unsigned int port)
{
	const struct host *host = &hosts[port];
	struct ontb_port_status status;

	CHECK(!ontb_bridge_port_status(bridge, port, &status));
	CHECK(status.attached == host->attached);
	CHECK(status.bus_master == !!(host->command & 4));
	CHECK(status.memory_enabled == !!(host->command & 2));
	CHECK(status.doorbell_pending == host->pending);
	CHECK(status.doorbell_enabled == host->enabled);
	CHECK(status.blocked == host->blocked);
	/* Vector 0 also has events, which the model leaves out. */
	for (unsigned int v = 1; v < NR_VECTORS; v++)
		CHECK(host->vectors[v] == host->want[v]);
}

static void compare_registers(unsigned int port)
{
	const struct host *host = &hosts[port];
	uint64_t dbmsg = DBMSG + (uint64_t)port * DBMSG_SIZE;

	if (!(host->command & 2))
		return;
	for (unsigned int part = port & ~1U; part <= (port | 1); part++) {
		uint64_t ctrl = CTRL + (uint64_t)part * CTRL_SIZE;

		CHECK((uint32_t)read_register(port, ctrl) == model_status(&blocks[part], port));
		for (unsigned int b = 0; b < 6; b++) {
			CHECK(read_register(port, ctrl + 0x40 + 16 * b) ==
			      ontb_get_le64(blocks[part].bytes + 0x40 + 16 * b));
			CHECK(read_register(port, ctrl + 0x48 + 16 * b) ==
			      ontb_get_le64(blocks[part].bytes + 0x48 + 16 * b));
		}
		for (unsigned int i = 0; i < NR_LUTS + 1; i++)
			CHECK(read_register(port, ctrl + 0x1000 + 8 * i) ==
			      ontb_get_le64(blocks[part].bytes + 0x1000 + 8 * i));
	}
	CHECK(read_register(port, GUARD + 0x08) == (NR_GUARDS | (uint64_t)host->guard.is_on << 32));
	CHECK(read_register(port, GUARD + 0x10) == host->guard.first);
	CHECK(read_register(port, GUARD + 0x18) == host->guard.size);
	CHECK(read_register(port, GUARD + 0x20) == host->blocked);
	for (unsigned int i = 0; i < NR_GUARDS; i++) {
		CHECK(read_register(port, GUARD_SLOT + 16 * i) == host->guard.slots[i].addr);
		CHECK(read_register(port, GUARD_SLOT + 16 * i + 8) ==
		      (host->guard.slots[i].data | (uint64_t)host->guard.slots[i].is_open << 32));
	}
	for (unsigned int j = 0; j < 4; j++) {
		uint64_t imsg = host->imsg[j].msg | (uint64_t)host->imsg[j].status << 32 |
				(uint64_t)host->imsg[j].mask << 40 | (uint64_t)host->imsg[j].src << 48;

		CHECK(read_register(port, dbmsg + 0x1088 + 8 * j) == imsg);
	}
}

/* A host that is away or switched off does nothing worth a step. */
static void revive(unsigned int port)
{
	if (!hosts[port].attached)
		come_or_go(port);
	if ((hosts[port].command & 6) != 6)
		set_command(port, 6);
	if (hosts[port].msg_map == UINT32_MAX)
		setup_properly(port);
}

static void run_step(struct input *in)
{
	uint8_t step = take(in);
	unsigned int port = step >> 6;

	if (step & 0x20)
		revive(port);

	switch (step & 0x1f) {
	case 0:
		come_or_go(port);
		break;
	case 1:
		reset_function(port);
		break;
	case 2:
		if (hosts[port].attached)
			set_command(port, take(in));
		break;
	case 3:
		write_anywhere(in, port);
		break;
	case 4:
		read_anywhere(in, port);
		break;
	case 5 ... 8:
		operate(in, port);
		break;
	case 9 ... 13:
		open_properly(in, port);
		break;
	case 14 ... 18:
		signal_properly(in, port);
		break;
	case 19 ... 23:
		write_somewhere_useful(in, port);
		break;
	case 24 ... 26:
		use_window(in, port, true);
		break;
	case 27:
		guard_properly(in, port);
		break;
	default:
		use_window(in, port, false);
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

static void start(void)
{
	struct ontb_switchtec_config config;

	ontb_switchtec_config_init(&config);
	config.nr_ports = NR_PORTS;
	config.nr_luts = NR_LUTS;
	config.nr_req_ids = NR_REQ_IDS;
	config.nr_guard_slots = NR_GUARDS;
	config.bar2_size = BAR2_SIZE;
	config.bar4_size = BAR4_SIZE;
	CHECK(!ontb_switchtec_new(&config, &bridge));
	for (unsigned int p = 0; p < NR_PORTS; p++) {
		struct host *host = &hosts[p];

		memset(host, 0, sizeof(*host));
		memset(host->ram, 0x10 + (int)p, sizeof(host->ram));
		memset(host->want_ram, 0x10 + (int)p, sizeof(host->want_ram));
		host->msg_map = UINT32_MAX;
		reset_model_guard(host);
		memset(&blocks[p], 0, sizeof(blocks[p]));
		blocks[p].owner = -1;
		reset_model_block(&blocks[p]);
		activate(&blocks[p]);
		come_or_go(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool is_set_up = take(&in) & 1;

	start();
	for (unsigned int p = 0; p < NR_PORTS && is_set_up; p++)
		setup_properly(p);
	for (unsigned int i = 0; i < MAX_STEPS && in.left; i++) {
		run_step(&in);
		compare_state(i % NR_PORTS);
		if (!(i % 16))
			compare_registers(i / 16 % NR_PORTS);
	}
	for (unsigned int p = 0; p < NR_PORTS; p++) {
		compare_state(p);
		compare_registers(p);
		CHECK(!memcmp(hosts[p].ram, hosts[p].want_ram, RAM_SIZE));
	}
	for (unsigned int p = 0; p < NR_PORTS; p++) {
		if (hosts[p].attached)
			come_or_go(p);
	}
	ontb_bridge_free(bridge);
	return 0;
}

#pragma clang attribute pop
