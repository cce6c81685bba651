// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A machine made of arrays. See fake.h.
 */
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include <openntb/log.h>

#include "base/annotate.h"
#include "base/bytes.h"

#define COMMAND_MEMORY 0x2U
#define COMMAND_MASTER 0x4U

static struct fake_machine *fake_of(struct ontb_machine *machine)
{
	return ontb_container_of(machine, struct fake_machine, machine);
}

void fake_set8(struct fake_func *func, unsigned int offset, uint8_t value)
{
	func->config[offset] = value;
}

void fake_set16(struct fake_func *func, unsigned int offset, uint16_t value)
{
	ontb_put_le16(&func->config[offset], value);
}

void fake_set32(struct fake_func *func, unsigned int offset, uint32_t value)
{
	ontb_put_le32(&func->config[offset], value);
}

uint32_t fake_get32(const struct fake_func *func, unsigned int offset)
{
	return ontb_get_le32(&func->config[offset]);
}

static uint16_t get16(const struct fake_func *func, unsigned int offset)
{
	return ontb_get_le16(&func->config[offset]);
}

/* Sending */

static void send(struct fake_machine *fake, uint64_t addr, uint32_t data)
{
	for (unsigned int i = 0; fake->is_merging && i < fake->nr_messages; i++) {
		if (fake->messages[i].addr == addr && fake->messages[i].data == data)
			return;
	}
	assert_true(fake->nr_messages < FAKE_MAX_MESSAGES);
	fake->messages[fake->nr_messages++] = (struct ontb_msi_msg){ addr, data };
}

static bool is_master(const struct fake_func *func)
{
	return get16(func, 4) & COMMAND_MASTER && !func->is_gone;
}

static unsigned int msi_data_reg(const struct fake_func *func)
{
	return FAKE_CAP_MSI + (func->kind.is_64 ? 12 : 8);
}

static uint32_t msi_mask(const struct fake_func *func)
{
	return func->kind.has_mask ? fake_get32(func, msi_data_reg(func) + 4) : 0;
}

static void fire_msi(struct fake_machine *fake, struct fake_func *func, unsigned int vector)
{
	uint16_t control = get16(func, FAKE_CAP_MSI + 2), data = get16(func, msi_data_reg(func));
	unsigned int nr = 1U << (control >> 4 & 7);
	uint64_t addr = fake_get32(func, FAKE_CAP_MSI + 4);

	if (func->kind.is_64)
		addr |= (uint64_t)fake_get32(func, FAKE_CAP_MSI + 8) << 32;
	if (!(control & 1) || !is_master(func) || vector >= nr) {
		func->nr_lost++;
	} else if (msi_mask(func) >> vector & 1) {
		func->pending |= 1U << vector;
	} else {
		send(fake, addr, (data & ~(nr - 1)) | vector);
	}
	if (func->kind.has_mask)
		fake_set32(func, msi_data_reg(func) + 8, func->pending);
}

static uint8_t *entry_of(struct fake_func *func, unsigned int vector)
{
	return &func->bar[FAKE_TABLE + 16 * vector];
}

static void fire_msix(struct fake_machine *fake, struct fake_func *func, unsigned int vector)
{
	uint16_t control = get16(func, FAKE_CAP_MSIX + 2);
	const uint8_t *entry = entry_of(func, vector);

	if (!(control & 0x8000) || !is_master(func) || vector >= func->kind.nr_msix)
		func->nr_lost++;
	else if (control & 0x4000 || entry[12] & 1)
		func->bar[FAKE_PBA + vector / 8] |= (uint8_t)(1U << vector % 8);
	else
		send(fake, ontb_get_le64(entry), ontb_get_le32(entry + 8));
}

static void fire(struct fake_machine *fake, struct fake_func *func, unsigned int vector)
{
	if (func->kind.nr_msix && get16(func, FAKE_CAP_MSIX + 2) & 0x8000)
		fire_msix(fake, func, vector);
	else
		fire_msi(fake, func, vector);
}

/* What was pending and is not masked any more is sent. */
static void send_pending(struct fake_machine *fake, struct fake_func *func)
{
	uint32_t ready = func->pending & ~msi_mask(func);

	for (unsigned int i = 0; ready && i < 32; i++) {
		if (ready >> i & 1) {
			func->pending &= ~(1U << i);
			fire_msi(fake, func, i);
		}
	}
	for (unsigned int i = 0; i < func->kind.nr_msix; i++) {
		uint8_t *bits = &func->bar[FAKE_PBA + i / 8], bit = (uint8_t)(1U << i % 8);

		if (*bits & bit && !(get16(func, FAKE_CAP_MSIX + 2) & 0x4000) && !(entry_of(func, i)[12] & 1)) {
			*bits &= (uint8_t)~bit;
			fire_msix(fake, func, i);
		}
	}
}

static void after_store(struct fake_machine *fake, struct fake_func *func)
{
	send_pending(fake, func);
	if (func->is_eager && !(func->is_eager_while_off && get16(func, FAKE_CAP_MSI + 2) & 1))
		fire(fake, func, func->eager);
}

/* Accesses */

/* The function and offset in BAR 0 of an address; NULL if nothing answers there. */
static struct fake_func *decode(struct fake_machine *fake, uint64_t addr, uint64_t len, uint64_t *offset)
{
	for (unsigned int i = 0; i < fake->nr_funcs; i++) {
		struct fake_func *func = &fake->funcs[i];
		uint64_t base = (fake_get32(func, 0x10) & ~0xfULL) | (uint64_t)fake_get32(func, 0x14) << 32;

		if (!func->is_gone && get16(func, 4) & COMMAND_MEMORY && addr >= base &&
		    ontb_range_fits(addr - base, len, FAKE_BAR_MEMORY)) {
			*offset = addr - base;
			return func;
		}
	}
	return NULL;
}

/* Whether an offset is in a table that takes no stores now. */
static bool is_closed(const struct fake_func *func, uint64_t offset)
{
	return func->kind.nr_msix && offset >= FAKE_TABLE && offset < FAKE_TABLE + 16 * func->kind.nr_msix &&
	       !(get16(func, FAKE_CAP_MSIX + 2) & 0x8000);
}

static void settle_locked(struct fake_machine *fake)
{
	for (unsigned int i = 0; i < fake->nr_posted; i++) {
		const struct fake_store *store = &fake->posted[i];
		uint64_t offset, value = htole64(store->value);
		struct fake_func *func = decode(fake, store->addr, store->len, &offset);

		if (!func)
			continue;
		if (is_closed(func, offset))
			continue;
		memcpy(&func->bar[offset], &value, store->len);
		func->nr_writes++;
		after_store(fake, func);
	}
	fake->nr_posted = 0;
}

static uint64_t mmio_read(struct ontb_machine *machine, uint64_t addr, unsigned int len)
{
	struct fake_machine *fake = fake_of(machine);
	uint64_t offset, value = UINT64_MAX;
	struct fake_func *func;

	(void)pthread_mutex_lock(&fake->lock);
	settle_locked(fake);
	func = decode(fake, addr, len, &offset);
	if (func) {
		value = 0;
		memcpy(&value, &func->bar[offset], len);
	}
	(void)pthread_mutex_unlock(&fake->lock);
	return le64toh(value);
}

static void mmio_write(struct ontb_machine *machine, uint64_t addr, uint64_t value, unsigned int len)
{
	struct fake_machine *fake = fake_of(machine);

	(void)pthread_mutex_lock(&fake->lock);
	if (fake->nr_posted == FAKE_MAX_POSTED)
		settle_locked(fake);
	fake->posted[fake->nr_posted++] = (struct fake_store){ addr, value, len };
	(void)pthread_mutex_unlock(&fake->lock);
}

static void mmio_copy_to(struct ontb_machine *machine, uint64_t addr, const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		mmio_write(machine, addr + i, ((const uint8_t *)buf)[i], 1);
}

static void mmio_copy_from(struct ontb_machine *machine, void *buf, uint64_t addr, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)mmio_read(machine, addr + i, 1);
}

static struct fake_func *find_func(struct fake_machine *fake, uint16_t rid)
{
	for (unsigned int i = 0; i < fake->nr_funcs; i++) {
		if (fake->funcs[i].rid == rid && !fake->funcs[i].is_gone)
			return &fake->funcs[i];
	}
	return NULL;
}

static uint32_t config_read(struct ontb_machine *machine, uint16_t rid, unsigned int offset, unsigned int len)
{
	struct fake_machine *fake = fake_of(machine);
	uint32_t value = UINT32_MAX;
	struct fake_func *func;

	(void)pthread_mutex_lock(&fake->lock);
	settle_locked(fake);
	func = find_func(fake, rid);
	if (func) {
		value = 0;
		memcpy(&value, &func->config[offset], len);
	}
	(void)pthread_mutex_unlock(&fake->lock);
	return le32toh(value);
}

static void config_write(struct ontb_machine *machine, uint16_t rid, unsigned int offset, uint32_t value,
			 unsigned int len)
{
	struct fake_machine *fake = fake_of(machine);
	struct fake_func *func;

	(void)pthread_mutex_lock(&fake->lock);
	settle_locked(fake);
	func = find_func(fake, rid);
	for (unsigned int i = 0; func && i < len; i++) {
		uint8_t *byte = &func->config[offset + i], writable = func->writable[offset + i];

		*byte = (uint8_t)((*byte & ~writable) | (value >> 8 * i & writable));
	}
	if (func) {
		func->nr_data_writes += func->kind.nr_msi && offset == msi_data_reg(func);
		func->nr_control_writes += offset == FAKE_CAP_MSIX + 2;
		after_store(fake, func);
	}
	(void)pthread_mutex_unlock(&fake->lock);
}

static const struct ontb_machine_ops ops = {
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.mmio_copy_to = mmio_copy_to,
	.mmio_copy_from = mmio_copy_from,
	.config_read = config_read,
	.config_write = config_write,
};

/* Making it */

void fake_init(struct fake_machine *fake)
{
	memset(fake, 0, sizeof(*fake));
	(void)pthread_mutex_init(&fake->lock, NULL);
	fake->machine.ops = &ops;
	fake->machine.name = "fake";
	fake->machine.nr_cpus = 1;
	fake->machine.bar_base = FAKE_BAR_BASE;
	fake->machine.bar_size = 0x10000000;
}

void fake_set_bar(struct fake_func *func, unsigned int idx, uint64_t size, uint32_t type)
{
	uint64_t bits = -size;

	fake_set32(func, 0x10 + 4 * idx, type);
	ontb_put_le32(&func->writable[0x10 + 4 * idx], (uint32_t)bits & ~0xfU);
	if (type & 4)
		ontb_put_le32(&func->writable[0x14 + 4 * idx], (uint32_t)(bits >> 32));
}

static void add_msi(struct fake_func *func)
{
	unsigned int data = msi_data_reg(func), nr = func->kind.nr_msi;
	unsigned int control = (unsigned int)__builtin_ctz(nr) << 1;

	control |= func->kind.is_64 ? 0x80 : 0;
	control |= func->kind.has_mask ? 0x100 : 0;
	fake_set16(func, FAKE_CAP_MSI + 2, (uint16_t)control);
	ontb_put_le16(&func->writable[FAKE_CAP_MSI + 2], 0x71);
	ontb_put_le32(&func->writable[FAKE_CAP_MSI + 4], 0xfffffffc);
	if (func->kind.is_64)
		ontb_put_le32(&func->writable[FAKE_CAP_MSI + 8], 0xffffffff);
	ontb_put_le16(&func->writable[data], 0xffff);
	if (func->kind.has_mask)
		ontb_put_le32(&func->writable[data + 4], UINT32_MAX >> (32 - nr));
}

static void add_msix(struct fake_func *func)
{
	fake_set16(func, FAKE_CAP_MSIX + 2, (uint16_t)(func->kind.nr_msix - 1));
	ontb_put_le16(&func->writable[FAKE_CAP_MSIX + 2], 0xc000);
	fake_set32(func, FAKE_CAP_MSIX + 4, FAKE_TABLE);
	fake_set32(func, FAKE_CAP_MSIX + 8, FAKE_PBA);
}

/* Vendor capabilities between those that there are: 0x68, MSI, MSI-X, 0x80. */
static void add_caps(struct fake_func *func)
{
	uint8_t next = FAKE_CAP_VENDOR_2;

	fake_set8(func, FAKE_CAP_VENDOR_2, 0x09);
	fake_set8(func, FAKE_CAP_VENDOR, 0x09);
	if (func->kind.nr_msix) {
		add_msix(func);
		fake_set16(func, FAKE_CAP_MSIX, (uint16_t)(0x11 | next << 8));
		next = FAKE_CAP_MSIX;
	}
	if (func->kind.nr_msi) {
		add_msi(func);
		fake_set16(func, FAKE_CAP_MSI, (uint16_t)(0x05 | next << 8));
		next = FAKE_CAP_MSI;
	}
	fake_set8(func, FAKE_CAP_VENDOR + 1, next);
	fake_set8(func, 0x34, FAKE_CAP_VENDOR);
	fake_set16(func, 6, 0x10);
}

static void reset_table(struct fake_func *func)
{
	memset(func->bar, 0, sizeof(func->bar));
	for (unsigned int i = 0; i < func->kind.nr_msix; i++)
		ontb_put_le32(entry_of(func, i) + 12, 0xabcd0001); /* masked, and bits that are not ours */
}

struct fake_func *fake_add(struct fake_machine *fake, uint16_t rid, const struct fake_kind *kind)
{
	struct fake_func *func = &fake->funcs[fake->nr_funcs++];

	assert_true(fake->nr_funcs <= FAKE_MAX_FUNCS);
	memset(func, 0, sizeof(*func));
	func->rid = rid;
	func->kind = *kind;
	fake_set16(func, 0, 0x1af4);
	fake_set16(func, 2, (uint16_t)(0x1000 + rid));
	fake_set32(func, 8, 0x06800007);
	ontb_put_le16(&func->writable[4], 0x0547);
	fake_set_bar(func, 0, FAKE_BAR_MEMORY, 0xc);
	add_caps(func);
	reset_table(func);
	return func;
}

void fake_reset(struct fake_func *func)
{
	for (unsigned int i = 0; i < sizeof(func->config); i++)
		func->config[i] &= (uint8_t)~func->writable[i];
	func->pending = 0;
	reset_table(func);
}

void fake_fire(struct fake_machine *fake, struct fake_func *func, unsigned int vector)
{
	(void)pthread_mutex_lock(&fake->lock);
	fire(fake, func, vector);
	(void)pthread_mutex_unlock(&fake->lock);
}

void fake_settle(struct fake_machine *fake)
{
	(void)pthread_mutex_lock(&fake->lock);
	settle_locked(fake);
	(void)pthread_mutex_unlock(&fake->lock);
}

bool fake_take(struct fake_machine *fake, struct ontb_msi_msg *msg)
{
	bool is_there;

	(void)pthread_mutex_lock(&fake->lock);
	is_there = fake->nr_messages;
	if (is_there) {
		*msg = fake->messages[0];
		fake->nr_messages--;
		memmove(fake->messages, fake->messages + 1, fake->nr_messages * sizeof(fake->messages[0]));
	}
	(void)pthread_mutex_unlock(&fake->lock);
	return is_there;
}

/* Log */

char fake_line[256];

static void keep_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)strncpy(fake_line, line, sizeof(fake_line) - 1);
}

void fake_log_start(void)
{
	fake_line[0] = 0;
	ontb_log_set_sink(keep_line, NULL);
}

void fake_log_end(void)
{
	ontb_log_set_sink(NULL, NULL);
}
