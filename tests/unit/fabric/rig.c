// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Software of hosts, as little as does.
 */
#include "rig.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "hw/switchtec/regs.h"

static void entry(void *arg, unsigned int cpu, unsigned int vector)
{
	struct rig_host *host = arg;
	unsigned int n = atomic_fetch_add(&host->rig->nr_taken, 1);

	if (n < RIG_MAX_TAKEN)
		host->rig->taken[n] = (struct rig_taken){ host->idx, cpu, vector };
	host->m->ops->apic_write(host->m, cpu, ONTB_APIC_EOI, 0);
	atomic_fetch_add_explicit(&host->counts[vector], 1, memory_order_release);
}

void rig_open(struct rig *rig, const char *topology, bool is_stepped, uint64_t seed)
{
	const struct ontb_fabric_config config = { .topology = topology, .is_stepped = is_stepped, .seed = seed };
	char why[200];

	memset(rig, 0, sizeof(*rig));
	if (ontb_fabric_new(&config, why, sizeof(why), &rig->fabric))
		fail_msg("%s", why);
	rig->nr_hosts = ontb_fabric_nr_hosts(rig->fabric);
	assert_in_range(rig->nr_hosts, 1, RIG_HOSTS);
	for (unsigned int h = 0; h < rig->nr_hosts; h++) {
		struct rig_host *host = &rig->hosts[h];

		host->rig = rig;
		host->idx = h;
		host->m = ontb_fabric_machine(rig->fabric, h);
		host->next_bar = host->m->bar_base;
		host->m->ops->set_entry(host->m, entry, host);
		for (unsigned int c = 0; c < host->m->nr_cpus; c++) {
			assert_int_equal(host->m->ops->cpu_start(host->m, c), 0);
			host->m->ops->apic_write(host->m, c, ONTB_APIC_SVR, 0x1ff);
		}
	}
}

void rig_close(struct rig *rig)
{
	for (unsigned int h = 0; h < rig->nr_hosts; h++) {
		struct ontb_machine *m = rig->hosts[h].m;

		for (unsigned int c = 0; c < m->nr_cpus; c++)
			m->ops->cpu_stop(m, c);
	}
	ontb_fabric_free(rig->fabric);
}

uint32_t rig_cfg(struct rig *rig, unsigned int host, uint16_t rid, unsigned int offset, unsigned int len)
{
	struct ontb_machine *m = rig->hosts[host].m;

	return m->ops->config_read(m, rid, offset, len);
}

void rig_set_cfg(struct rig *rig, unsigned int host, uint16_t rid, unsigned int offset, uint32_t value,
		 unsigned int len)
{
	struct ontb_machine *m = rig->hosts[host].m;

	m->ops->config_write(m, rid, offset, value, len);
}

unsigned int rig_cap(struct rig *rig, unsigned int host, uint16_t rid, uint8_t id)
{
	unsigned int cap = rig_cfg(rig, host, rid, 0x34, 1);

	while (cap && rig_cfg(rig, host, rid, cap, 1) != id)
		cap = rig_cfg(rig, host, rid, cap + 1, 1);
	return cap;
}

uint64_t rig_place_bar(struct rig *rig, unsigned int host, uint16_t rid, unsigned int bar)
{
	unsigned int reg = 0x10 + 4 * bar;
	uint64_t size, addr;

	rig_set_cfg(rig, host, rid, reg, 0xffffffff, 4);
	rig_set_cfg(rig, host, rid, reg + 4, 0xffffffff, 4);
	size = (uint64_t)rig_cfg(rig, host, rid, reg + 4, 4) << 32 | (rig_cfg(rig, host, rid, reg, 4) & ~0xfU);
	if (!size)
		return 0;
	size = ~size + 1;
	addr = (rig->hosts[host].next_bar + size - 1) & ~(size - 1);
	rig->hosts[host].next_bar = addr + size;
	rig_set_cfg(rig, host, rid, reg, (uint32_t)addr, 4);
	rig_set_cfg(rig, host, rid, reg + 4, (uint32_t)(addr >> 32), 4);
	return addr;
}

void rig_enable(struct rig *rig, unsigned int host, uint16_t rid)
{
	rig_set_cfg(rig, host, rid, 4, 6, 2);
}

uint64_t rig_read(struct rig *rig, unsigned int host, uint64_t addr, unsigned int len)
{
	struct ontb_machine *m = rig->hosts[host].m;

	return m->ops->mmio_read(m, addr, len);
}

void rig_write(struct rig *rig, unsigned int host, uint64_t addr, uint64_t value, unsigned int len)
{
	struct ontb_machine *m = rig->hosts[host].m;

	m->ops->mmio_write(m, addr, value, len);
}

uint8_t *rig_ram(struct rig *rig, unsigned int host, uint64_t offset)
{
	return (uint8_t *)rig->hosts[host].m->ram + offset;
}

uint64_t rig_addr(struct rig *rig, unsigned int host, uint64_t offset)
{
	return rig->hosts[host].m->ram_base + offset;
}

uint64_t rig_msi_addr(unsigned int cpu)
{
	return 0xfee00000ULL | cpu << 12;
}

unsigned int rig_count(struct rig *rig, unsigned int host, unsigned int vector)
{
	return atomic_load_explicit(&rig->hosts[host].counts[vector], memory_order_acquire);
}

void rig_wait(struct rig *rig, unsigned int host, unsigned int vector, unsigned int count)
{
	uint64_t deadline = ontb_clock_ns() + 10 * ONTB_NS_PER_S;

	while (rig_count(rig, host, vector) < count) {
		if (ontb_clock_ns() > deadline)
			fail_msg("host %u: vector %u came %u times, not %u", host, vector, rig_count(rig, host, vector),
				 count);
		sched_yield();
	}
	assert_int_equal(rig_count(rig, host, vector), count);
}

void rig_run(struct rig *rig)
{
	unsigned int nr = 0;

	while (ontb_fabric_step(rig->fabric))
		assert_in_range(++nr, 1, 1000000);
}

struct ontb_fabric_host_status rig_status(struct rig *rig, unsigned int host)
{
	struct ontb_fabric_host_status status;

	assert_int_equal(ontb_fabric_host_status(rig->fabric, host, &status), 0);
	return status;
}

void rig_open_switch(struct rig *rig, struct rig_switch *sw, unsigned int host, unsigned int port, uint16_t rid)
{
	*sw = (struct rig_switch){ .rig = rig, .host = host, .port = port, .rid = rid };
	sw->bar0 = rig_place_bar(rig, host, rid, 0);
	sw->bar2 = rig_place_bar(rig, host, rid, 2);
	sw->bar4 = rig_place_bar(rig, host, rid, 4);
	rig_enable(rig, host, rid);
}

static uint32_t r32(struct rig_switch *sw, uint64_t offset)
{
	return (uint32_t)rig_read(sw->rig, sw->host, sw->bar0 + offset, 4);
}

static void w32(struct rig_switch *sw, uint64_t offset, uint32_t value)
{
	rig_write(sw->rig, sw->host, sw->bar0 + offset, value, 4);
}

static void w64(struct rig_switch *sw, uint64_t offset, uint64_t value)
{
	rig_write(sw->rig, sw->host, sw->bar0 + offset, value, 8);
}

static uint32_t ctrl_op(struct rig_switch *sw, uint32_t op)
{
	uint64_t ctrl = ontb_sw_ctrl(sw->port ^ 1);

	w32(sw, ctrl + 4, op);
	return r32(sw, ctrl) & 0xffff;
}

void rig_open_lut(struct rig_switch *sw, unsigned int lut, uint64_t addr)
{
	uint64_t ctrl = ontb_sw_ctrl(sw->port ^ 1);
	uint32_t luts = r32(sw, ctrl + ONTB_SW_CTRL_LUT_ENTRIES) & 0xffff;
	uint32_t ctl = r32(sw, ctrl + ONTB_SW_CTRL_BAR_CTL(2)) & 0xff;

	assert_int_equal(ctrl_op(sw, 1), 2);
	w32(sw, ctrl + ONTB_SW_CTRL_BAR_CTL(2), ctl | 0x20 | 16 << 8 | (luts - 1) << 14);
	w64(sw, ctrl + ONTB_SW_CTRL_LUT(lut), addr | sw->port << 1 | 1);
	(void)ctrl_op(sw, 2);
}

void rig_arm_msix(struct rig *rig, unsigned int host, uint16_t rid, uint64_t bar0, uint64_t table,
		  unsigned int entry_idx, uint64_t addr, uint32_t data)
{
	unsigned int cap = rig_cap(rig, host, rid, 0x11);
	uint64_t at = bar0 + table + 16 * entry_idx;

	assert_int_not_equal(cap, 0);
	assert_int_equal(rig_cfg(rig, host, rid, cap + 4, 4), table);
	rig_set_cfg(rig, host, rid, cap + 2, 0x8000, 2);
	rig_write(rig, host, at, addr, 8);
	rig_write(rig, host, at + 8, data, 4);
	rig_write(rig, host, at + 12, 0, 4);
}

void rig_setup_doorbell(struct rig_switch *sw)
{
	uint64_t dbmsg = ontb_sw_dbmsg(sw->port);

	w64(sw, dbmsg + 0x1008, sw->port % 2 ? 0x000000000fffffff : 0x0fffffff00000000);
	for (unsigned int i = 0; i < 64; i++)
		rig_write(sw->rig, sw->host, sw->bar0 + dbmsg + 0x1020 + i, 1, 1);
	w64(sw, dbmsg + 0x1018, UINT64_MAX);
}

void rig_ring(struct rig_switch *sw, uint64_t bits)
{
	w64(sw, ontb_sw_dbmsg(sw->port) + 0x1000, bits);
}
