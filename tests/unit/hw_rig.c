// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Hosts made of memory.
 */
#include "hw_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hw/switchtec/regs.h"

static int host_mem_write(void *arg, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	struct rig_host *host = arg;
	int ret = 0;

	ontb_lock(&host->lock);
	host->nr_writes++;
	if (host->write_err) {
		ret = host->write_err;
	} else if (addr >= RIG_RAM_BASE && ontb_range_fits(addr - RIG_RAM_BASE, len, RIG_RAM_SIZE)) {
		memcpy(host->ram + (addr - RIG_RAM_BASE), buf, len);
	} else if (addr >= RIG_IRQ_BASE && ontb_range_fits(addr - RIG_IRQ_BASE, len, RIG_IRQ_SIZE)) {
		if (host->nr_msis < RIG_MAX_LOG)
			host->msis[host->nr_msis] = (struct rig_msi){ source, addr, len == 4 ? ontb_get_le32(buf) : 0 };
		host->nr_msis++;
	} else {
		ret = -EFAULT;
	}
	ontb_unlock(&host->lock);
	return ret;
}

static bool copy_out(struct rig_host *host, uint64_t addr, struct ontb_read *read)
{
	if (addr < RIG_RAM_BASE || !ontb_range_fits(addr - RIG_RAM_BASE, read->len, RIG_RAM_SIZE))
		return false;
	memcpy(read->buf, host->ram + (addr - RIG_RAM_BASE), read->len);
	return true;
}

static int host_mem_read(void *arg, uint64_t addr, struct ontb_read *read)
{
	struct rig_host *host = arg;
	int ret = 0;

	ontb_lock(&host->lock);
	host->nr_reads++;
	if (host->read_err) {
		ret = host->read_err;
	} else if (!copy_out(host, addr, read)) {
		ret = -EFAULT;
	} else if (host->defer && host->nr_deferred < RIG_MAX_LOG) {
		host->deferred[host->nr_deferred++] = read;
		ret = -EINPROGRESS;
	}
	ontb_unlock(&host->lock);
	return ret;
}

static void host_raise_vector(void *arg, unsigned int vector)
{
	struct rig_host *host = arg;

	ontb_lock(&host->lock);
	host->vectors[vector]++;
	host->nr_vectors++;
	ontb_unlock(&host->lock);
}

static void host_clear_vectors(void *arg)
{
	struct rig_host *host = arg;

	ontb_lock(&host->lock);
	host->nr_clears++;
	host->held = 0;
	ontb_unlock(&host->lock);
}

static bool host_vector_pending(void *arg, unsigned int vector)
{
	struct rig_host *host = arg;
	bool is_held;

	ontb_lock(&host->lock);
	is_held = host->held >> vector & 1;
	ontb_unlock(&host->lock);
	return is_held;
}

const struct ontb_host_ops rig_host_ops = {
	.mem_write = host_mem_write,
	.mem_read = host_mem_read,
	.raise_vector = host_raise_vector,
	.clear_vectors = host_clear_vectors,
	.vector_pending = host_vector_pending,
};

void rig_complete(struct rig_host *host, int status)
{
	for (unsigned int i = 0; i < host->nr_deferred; i++) {
		if (status)
			memset(host->deferred[i]->buf, 0x5a, host->deferred[i]->len);
		host->deferred[i]->done(host->deferred[i], status);
	}
	host->nr_deferred = 0;
}

void rig_adopt(struct rig *rig, struct ontb_bridge *bridge)
{
	memset(rig, 0, sizeof(*rig));
	rig->bridge = bridge;
	rig->nr_ports = ontb_bridge_nr_ports(bridge);
	for (unsigned int p = 0; p < rig->nr_ports; p++) {
		ontb_lock_init(&rig->hosts[p].lock);
		rig->hosts[p].ram = calloc(1, RIG_RAM_SIZE);
		assert_non_null(rig->hosts[p].ram);
		for (size_t i = 0; i < RIG_RAM_SIZE; i += 8)
			ontb_put_le64(rig->hosts[p].ram + i, (uint64_t)p << 56 | i);
	}
}

void rig_open_config(struct rig *rig, const struct ontb_switchtec_config *config)
{
	struct ontb_bridge *bridge;

	assert_int_equal(ontb_switchtec_new(config, &bridge), 0);
	rig_adopt(rig, bridge);
	for (unsigned int p = 0; p < rig->nr_ports; p++) {
		rig_attach(rig, p);
		rig_enable(rig, p);
	}
}

void rig_open(struct rig *rig, unsigned int nr_ports)
{
	struct ontb_switchtec_config config;

	ontb_switchtec_config_init(&config);
	config.nr_ports = nr_ports;
	rig_open_config(rig, &config);
}

void rig_close(struct rig *rig)
{
	for (unsigned int p = 0; p < rig->nr_ports; p++)
		rig_detach(rig, p);
	ontb_bridge_free(rig->bridge);
	for (unsigned int p = 0; p < rig->nr_ports; p++) {
		free(rig->hosts[p].ram);
		ontb_lock_fini(&rig->hosts[p].lock);
	}
}

struct ontb_func *rig_func(struct rig *rig, unsigned int port)
{
	return ontb_bridge_func(rig->bridge, port);
}

void rig_attach(struct rig *rig, unsigned int port)
{
	struct ontb_func *func = rig_func(rig, port);

	assert_int_equal(func->ops->attach(func, &rig_host_ops, &rig->hosts[port]), 0);
}

void rig_detach(struct rig *rig, unsigned int port)
{
	struct ontb_func *func = rig_func(rig, port);

	func->ops->detach(func);
}

void rig_reset(struct rig *rig, unsigned int port)
{
	struct ontb_func *func = rig_func(rig, port);

	func->ops->reset(func);
}

void rig_set_command(struct rig *rig, unsigned int port, uint16_t command)
{
	rig_config_write(rig, port, 4, command, 2);
}

void rig_enable(struct rig *rig, unsigned int port)
{
	rig_set_command(rig, port, 6);
}

uint64_t rig_read(struct rig *rig, unsigned int port, unsigned int bar, uint64_t offset, size_t len)
{
	struct ontb_func *func = rig_func(rig, port);
	uint8_t bytes[8] = { 0 };
	struct ontb_read read = { .buf = bytes, .len = len, .source = port };
	int ret;

	func->ops->enter(func);
	ret = func->ops->bar_read(func, bar, offset, &read);
	func->ops->leave(func);
	assert_int_equal(ret, 0);
	return ontb_get_le64(bytes);
}

void rig_write(struct rig *rig, unsigned int port, unsigned int bar, uint64_t offset, uint64_t value, size_t len)
{
	struct ontb_func *func = rig_func(rig, port);
	uint8_t bytes[8];
	int ret;

	ontb_put_le64(bytes, value);
	func->ops->enter(func);
	ret = func->ops->bar_write(func, bar, offset, bytes, len);
	func->ops->leave(func);
	assert_int_equal(ret, 0);
}

uint64_t rig_config_read(struct rig *rig, unsigned int port, uint64_t offset, size_t len)
{
	struct ontb_func *func = rig_func(rig, port);
	uint8_t bytes[8] = { 0 };
	int ret;

	func->ops->enter(func);
	ret = func->ops->config_read(func, offset, bytes, len);
	func->ops->leave(func);
	assert_int_equal(ret, 0);
	return ontb_get_le64(bytes);
}

void rig_config_write(struct rig *rig, unsigned int port, uint64_t offset, uint64_t value, size_t len)
{
	struct ontb_func *func = rig_func(rig, port);
	uint8_t bytes[8];
	int ret;

	ontb_put_le64(bytes, value);
	func->ops->enter(func);
	ret = func->ops->config_write(func, offset, bytes, len);
	func->ops->leave(func);
	assert_int_equal(ret, 0);
}

struct ontb_port_status rig_status(struct rig *rig, unsigned int port)
{
	struct ontb_port_status status;

	assert_int_equal(ontb_bridge_port_status(rig->bridge, port, &status), 0);
	return status;
}

static uint32_t ctrl_op(struct rig *rig, unsigned int port, unsigned int part, uint32_t op)
{
	w32(rig, port, ontb_sw_ctrl(part) + 4, op);
	return r32(rig, port, ontb_sw_ctrl(part)) & 0xffff;
}

uint32_t rig_lock(struct rig *rig, unsigned int port, unsigned int part)
{
	return ctrl_op(rig, port, part, 1);
}

uint32_t rig_commit(struct rig *rig, unsigned int port, unsigned int part)
{
	return ctrl_op(rig, port, part, 2);
}

uint32_t rig_open_lut(struct rig *rig, unsigned int port, unsigned int lut, uint64_t addr)
{
	unsigned int peer = port ^ 1;
	uint64_t ctrl = ontb_sw_ctrl(peer);
	uint32_t ctl, luts = r32(rig, port, ctrl + ONTB_SW_CTRL_LUT_ENTRIES) & 0xffff;

	assert_int_equal(rig_lock(rig, port, peer), 2);
	ctl = r32(rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(2)) & 0xff;
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(2), ctl | 0x20 | 16 << 8 | (luts - 1) << 14);
	w64(rig, port, ctrl + ONTB_SW_CTRL_LUT(lut), addr | port << 1 | 1);
	return rig_commit(rig, port, peer);
}

uint32_t rig_open_direct(struct rig *rig, unsigned int port, unsigned int bar, uint64_t addr, uint64_t size)
{
	unsigned int peer = port ^ 1;
	uint64_t ctrl = ontb_sw_ctrl(peer);
	uint32_t ctl;

	assert_int_equal(rig_lock(rig, port, peer), 2);
	ctl = r32(rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(bar));
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(bar), ctl | 0x10);
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_SIZE(bar),
	    (uint32_t)(63 - __builtin_clzll(size)) | ((uint32_t)size & 0xfffff000));
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_EXT(bar), (uint32_t)(size >> 32));
	w64(rig, port, ctrl + ONTB_SW_CTRL_BAR_XLATE(bar), addr | port);
	return rig_commit(rig, port, peer);
}

uint32_t rig_close_direct(struct rig *rig, unsigned int port, unsigned int bar)
{
	unsigned int peer = port ^ 1;
	uint64_t ctrl = ontb_sw_ctrl(peer);
	uint32_t ctl;

	assert_int_equal(rig_lock(rig, port, peer), 2);
	ctl = r32(rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(bar));
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_CTL(bar), ctl & ~0x10U);
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_SIZE(bar), 0);
	w32(rig, port, ctrl + ONTB_SW_CTRL_BAR_EXT(bar), 0);
	w64(rig, port, ctrl + ONTB_SW_CTRL_BAR_XLATE(bar), port);
	return rig_commit(rig, port, peer);
}

void rig_setup_dbmsg(struct rig *rig, unsigned int port)
{
	unsigned int peer = port ^ 1;
	uint64_t dbmsg = ontb_sw_dbmsg(port);
	uint32_t map = 0;

	w64(rig, port, dbmsg + 0x1018, 0xf000000000000000);
	w64(rig, port, dbmsg + 0x1008, port < peer ? 0x0fffffff00000000 : 0x000000000fffffff);
	for (unsigned int i = 0; i < 4; i++)
		map |= (i | peer << 2) << (8 * i);
	w32(rig, port, dbmsg + 0x1060, map);
	for (unsigned int i = 0; i < 4; i++)
		w64(rig, port, dbmsg + 0x1088 + 8 * i, 1ULL << 40 | 1ULL << 32);
	for (unsigned int i = 0; i < 64; i++)
		w8(rig, port, dbmsg + 0x1020 + i, i < 60 ? 1 : 2);
}

static struct ontb_lock log_lock = { PTHREAD_MUTEX_INITIALIZER };
static unsigned int log_count;
static char log_last[512];

static void log_sink(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	ontb_lock(&log_lock);
	log_count++;
	(void)snprintf(log_last, sizeof(log_last), "%s", line);
	ontb_unlock(&log_lock);
}

void rig_log_start(void)
{
	log_count = 0;
	log_last[0] = 0;
	ontb_log_set_sink(log_sink, NULL);
}

unsigned int rig_log_count(void)
{
	return log_count;
}

const char *rig_log_last(void)
{
	return log_last;
}

void rig_log_stop(void)
{
	ontb_log_set_sink(NULL, NULL);
}
