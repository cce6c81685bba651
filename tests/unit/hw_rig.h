/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A switch with hosts that are made of memory: each host has some RAM at an address, records what its function does to
 * it, and can be told to misbehave. For the tests of src/hw.
 */
#ifndef TESTS_UNIT_HW_RIG_H
#define TESTS_UNIT_HW_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openntb/bridge.h>
#include <openntb/switchtec.h>

#include "base/annotate.h"
#include "hw/bridge/bridge.h"

#define RIG_RAM_BASE 0x40000000ULL
#define RIG_RAM_SIZE (4U << 20)
#define RIG_IRQ_BASE 0xfee00000ULL
#define RIG_IRQ_SIZE 0x100000ULL
#define RIG_MAX_LOG  64

struct rig_msi {
	unsigned int source;
	uint64_t addr;
	uint32_t data;
};

/**
 * struct rig_host - a host
 * @lock:       Lock of all below but @ram, for tests with threads.
 * @ram:        Memory at RIG_RAM_BASE.
 * @vectors:    How often each vector was raised.
 * @nr_vectors: How often any was.
 * @held:       Bits that vector_pending() reports.
 * @msis:       Writes to the interrupt addresses.
 * @nr_msis:    How many, also beyond RIG_MAX_LOG.
 * @nr_writes:  Calls of mem_write().
 * @nr_reads:   Calls of mem_read().
 * @nr_clears:  Calls of clear_vectors().
 * @defer:      mem_read() returns -EINPROGRESS and keeps the read in @deferred.
 * @deferred:   Reads to complete with rig_complete().
 * @nr_deferred: How many.
 * @write_err:  What mem_write() returns, unless 0.
 * @read_err:   What mem_read() returns, unless 0.
 */
struct rig_host {
	struct ontb_lock lock;
	uint8_t *ram;
	unsigned int vectors[64];
	unsigned int nr_vectors;
	uint64_t held;
	struct rig_msi msis[RIG_MAX_LOG];
	unsigned int nr_msis;
	unsigned int nr_writes;
	unsigned int nr_reads;
	unsigned int nr_clears;
	bool defer;
	struct ontb_read *deferred[RIG_MAX_LOG];
	unsigned int nr_deferred;
	int write_err;
	int read_err;
};

struct rig {
	struct ontb_bridge *bridge;
	unsigned int nr_ports;
	struct rig_host hosts[ONTB_MAX_PORTS];
};

extern const struct ontb_host_ops rig_host_ops;

/* A switch of the default geometry, with @nr_ports hosts attached, decoding memory and mastering the bus. */
void rig_open(struct rig *rig, unsigned int nr_ports);
/* The same with a geometry; hosts are attached as above. */
void rig_open_config(struct rig *rig, const struct ontb_switchtec_config *config);
/* Take over a bridge that is there already. */
void rig_adopt(struct rig *rig, struct ontb_bridge *bridge);
void rig_close(struct rig *rig);

struct ontb_func *rig_func(struct rig *rig, unsigned int port);
void rig_attach(struct rig *rig, unsigned int port);
void rig_detach(struct rig *rig, unsigned int port);
void rig_reset(struct rig *rig, unsigned int port);
void rig_set_command(struct rig *rig, unsigned int port, uint16_t command);
/* Memory decoding and bus mastering, as a driver switches them on. */
void rig_enable(struct rig *rig, unsigned int port);

uint64_t rig_read(struct rig *rig, unsigned int port, unsigned int bar, uint64_t offset, size_t len);
void rig_write(struct rig *rig, unsigned int port, unsigned int bar, uint64_t offset, uint64_t value, size_t len);
uint64_t rig_config_read(struct rig *rig, unsigned int port, uint64_t offset, size_t len);
void rig_config_write(struct rig *rig, unsigned int port, uint64_t offset, uint64_t value, size_t len);

/* Registers in BAR0. */
static inline uint32_t r32(struct rig *rig, unsigned int port, uint64_t offset)
{
	return (uint32_t)rig_read(rig, port, 0, offset, 4);
}

static inline uint64_t r64(struct rig *rig, unsigned int port, uint64_t offset)
{
	return rig_read(rig, port, 0, offset, 8);
}

static inline void w8(struct rig *rig, unsigned int port, uint64_t offset, uint8_t value)
{
	rig_write(rig, port, 0, offset, value, 1);
}

static inline void w32(struct rig *rig, unsigned int port, uint64_t offset, uint32_t value)
{
	rig_write(rig, port, 0, offset, value, 4);
}

static inline void w64(struct rig *rig, unsigned int port, uint64_t offset, uint64_t value)
{
	rig_write(rig, port, 0, offset, value, 8);
}

/* Complete the deferred reads of a host: with its memory, or with an error. */
void rig_complete(struct rig_host *host, int status);

struct ontb_port_status rig_status(struct rig *rig, unsigned int port);

/* What Linux's driver does to lock and commit a partition's control block; returns the status that it polls. */
uint32_t rig_lock(struct rig *rig, unsigned int port, unsigned int part);
uint32_t rig_commit(struct rig *rig, unsigned int port, unsigned int part);

/* What it does to open a window: @port lets its peer see its own memory. Returns the final status. */
uint32_t rig_open_lut(struct rig *rig, unsigned int port, unsigned int lut, uint64_t addr);
uint32_t rig_open_direct(struct rig *rig, unsigned int port, unsigned int bar, uint64_t addr, uint64_t size);
uint32_t rig_close_direct(struct rig *rig, unsigned int port, unsigned int bar);

/* Doorbells and messages as its probe sets them up: vector 1 for doorbells, 2 for messages. */
void rig_setup_dbmsg(struct rig *rig, unsigned int port);

/* Lines logged since the last rig_log_start(). */
void rig_log_start(void);
unsigned int rig_log_count(void);
const char *rig_log_last(void);
void rig_log_stop(void);

#endif
