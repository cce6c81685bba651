// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
#include "vtd_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

struct ontb_apic_bus rig_bus;
struct ontb_vtd *rig_vtd;
char rig_line[512];
enum ontb_log_level rig_level;

static uint64_t ram[RIG_RAM_SIZE / 8];
static uint32_t tail;

static bool in_ram(uint64_t addr, size_t len)
{
	return addr >= RIG_RAM_BASE && ontb_range_fits(addr - RIG_RAM_BASE, len, RIG_RAM_SIZE);
}

static int ram_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	(void)arg;
	if (!in_ram(addr, len))
		return -EFAULT;
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = rig_load(addr + i);

		memcpy((uint8_t *)buf + i, &word, 8);
	}
	return 0;
}

static int ram_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	uint32_t value;

	(void)arg;
	if (!in_ram(addr, len))
		return -EFAULT;
	assert_int_equal(len, 4);
	memcpy(&value, buf, 4);
	__atomic_store_n((uint32_t *)ram + (addr - RIG_RAM_BASE) / 4, value, __ATOMIC_RELEASE);
	return 0;
}

static const struct ontb_vtd_memory memory = { ram_read, ram_write };

static void keep_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	rig_level = level;
	strncpy(rig_line, line, sizeof(rig_line) - 1);
}

int rig_set_up(void **state)
{
	struct ontb_vtd_config config = { .name = "host", .bus = &rig_bus, .memory = &memory };

	(void)state;
	memset(ram, 0, sizeof(ram));
	memset(rig_line, 0, sizeof(rig_line));
	tail = 0;
	ontb_log_set_sink(keep_line, NULL);
	ontb_log_set_level(ONTB_LOG_INFO);
	if (ontb_apic_bus_init(&rig_bus, "host", RIG_CPUS))
		return -1;
	for (unsigned int cpu = 0; cpu < RIG_CPUS; cpu++) {
		ontb_lapic_set_online(&rig_bus.lapics[cpu], true);
		ontb_lapic_write(&rig_bus.lapics[cpu], ONTB_APIC_SVR, ONTB_APIC_SVR_ENABLE | 0xff);
	}
	return ontb_vtd_new(&config, &rig_vtd);
}

int rig_tear_down(void **state)
{
	(void)state;
	ontb_vtd_free(rig_vtd);
	ontb_apic_bus_fini(&rig_bus);
	ontb_log_set_level(ONTB_LOG_NOTICE);
	ontb_log_set_sink(NULL, NULL);
	return 0;
}

uint64_t rig_load(uint64_t addr)
{
	return __atomic_load_n(&ram[(addr - RIG_RAM_BASE) / 8], __ATOMIC_ACQUIRE);
}

void rig_store(uint64_t addr, uint64_t value)
{
	__atomic_store_n(&ram[(addr - RIG_RAM_BASE) / 8], value, __ATOMIC_RELEASE);
}

void rig_set_entry(uint32_t index, uint64_t low, uint64_t high)
{
	uint64_t addr = RIG_TABLE + 16ULL * index;

	rig_store(addr, 0);
	rig_store(addr + 8, high);
	rig_store(addr, low);
}

uint32_t rig_read32(uint32_t offset)
{
	return (uint32_t)ontb_vtd_read(rig_vtd, offset, 4);
}

void rig_write32(uint32_t offset, uint32_t value)
{
	ontb_vtd_write(rig_vtd, offset, value, 4);
}

void rig_enable(unsigned int size, bool has_extended_ids)
{
	ontb_vtd_write(rig_vtd, VTD_IQT, 0, 8);
	ontb_vtd_write(rig_vtd, VTD_IQA, RIG_QUEUE, 8);
	rig_write32(VTD_GCMD, VTD_QI);
	ontb_vtd_write(rig_vtd, VTD_IRTA, RIG_TABLE | (has_extended_ids ? VTD_IRTA_EIME : 0) | size, 8);
	rig_write32(VTD_GCMD, VTD_QI | VTD_IRTP);
	tail = 0;
	rig_flush();
	rig_write32(VTD_GCMD, VTD_QI | VTD_IR);
	assert_int_equal(rig_read32(VTD_GSTS), VTD_QI | VTD_IRTP | VTD_IR);
}

void rig_put(uint64_t low, uint64_t high)
{
	rig_store(RIG_QUEUE + tail, low);
	rig_store(RIG_QUEUE + tail + 8, high);
	tail = (tail + 16) % 4096;
}

bool rig_kick(void)
{
	ontb_vtd_write(rig_vtd, VTD_IQT, tail, 8);
	return ontb_vtd_read(rig_vtd, VTD_IQH, 8) == tail;
}

void rig_flush(void)
{
	static uint32_t number;

	rig_put(RIG_FLUSH_ALL, 0);
	rig_put(RIG_WAIT(++number), RIG_STATUS);
	assert_true(rig_kick());
	assert_int_equal((uint32_t)rig_load(RIG_STATUS), number);
}

unsigned int rig_pending(unsigned int cpu)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 4; i++)
		nr += (unsigned int)__builtin_popcountll(atomic_load(&rig_bus.lapics[cpu].irr[i]));
	return nr;
}

bool rig_is_pending(unsigned int cpu, unsigned int vector)
{
	return atomic_load(&rig_bus.lapics[cpu].irr[vector / 64]) >> (vector % 64) & 1;
}

void rig_forget_pending(void)
{
	for (unsigned int cpu = 0; cpu < RIG_CPUS; cpu++) {
		for (unsigned int i = 0; i < 4; i++)
			atomic_store(&rig_bus.lapics[cpu].irr[i], 0);
	}
}
