/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A fabric under test, and the few things that its software does: place BARs, arm vectors, count interrupts.
 */
#ifndef TESTS_UNIT_FABRIC_RIG_H
#define TESTS_UNIT_FABRIC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include <openntb/exerciser.h>
#include <openntb/fabric.h>

#define RIG_HOSTS 4
#define ALL_ONES  UINT64_MAX

/* What an entry callback saw, in order. */
struct rig_taken {
	unsigned int host;
	unsigned int cpu;
	unsigned int vector;
};

#define RIG_MAX_TAKEN 4096

struct rig;

/**
 * struct rig_host - software of a host
 * @rig:     Rig.
 * @idx:     Host.
 * @m:       Machine.
 * @counts:  Interrupts by vector.
 * @next_bar: Where the next BAR goes.
 */
struct rig_host {
	struct rig *rig;
	unsigned int idx;
	struct ontb_machine *m;
	_Atomic unsigned int counts[256];
	uint64_t next_bar;
};

struct rig {
	struct ontb_fabric *fabric;
	unsigned int nr_hosts;
	struct rig_host hosts[RIG_HOSTS];
	_Atomic unsigned int nr_taken;
	struct rig_taken taken[RIG_MAX_TAKEN];
};

/* Builds it and starts all CPUs with their APICs enabled. */
void rig_open(struct rig *rig, const char *topology, bool is_stepped, uint64_t seed);
void rig_close(struct rig *rig);

uint32_t rig_cfg(struct rig *rig, unsigned int host, uint16_t rid, unsigned int offset, unsigned int len);
void rig_set_cfg(struct rig *rig, unsigned int host, uint16_t rid, unsigned int offset, uint32_t value,
		 unsigned int len);
/* Offset of a capability, 0 if there is none. */
unsigned int rig_cap(struct rig *rig, unsigned int host, uint16_t rid, uint8_t id);
/* Sizes a BAR of 64 bits, places it, and returns its address; 0 if it does not exist. */
uint64_t rig_place_bar(struct rig *rig, unsigned int host, uint16_t rid, unsigned int bar);
/* Memory decoding and bus mastering. */
void rig_enable(struct rig *rig, unsigned int host, uint16_t rid);

uint64_t rig_read(struct rig *rig, unsigned int host, uint64_t addr, unsigned int len);
void rig_write(struct rig *rig, unsigned int host, uint64_t addr, uint64_t value, unsigned int len);

/* Pointer to a host's memory at an offset. */
uint8_t *rig_ram(struct rig *rig, unsigned int host, uint64_t offset);
uint64_t rig_addr(struct rig *rig, unsigned int host, uint64_t offset);

/* Message for a CPU. */
uint64_t rig_msi_addr(unsigned int cpu);

/* Wait until a vector has come that often; fails after ten seconds. */
void rig_wait(struct rig *rig, unsigned int host, unsigned int vector, unsigned int count);
unsigned int rig_count(struct rig *rig, unsigned int host, unsigned int vector);
/* Step until nothing is to do. */
void rig_run(struct rig *rig);

struct ontb_fabric_host_status rig_status(struct rig *rig, unsigned int host);

/* A Switchtec function between two machines: port @port of bridge 0 is function @rid of host @host. */
struct rig_switch {
	struct rig *rig;
	unsigned int host;
	unsigned int port;
	uint16_t rid;
	uint64_t bar0;
	uint64_t bar2;
	uint64_t bar4;
};

void rig_open_switch(struct rig *rig, struct rig_switch *sw, unsigned int host, unsigned int port, uint16_t rid);
/* Lets the peer see @addr of this host through look-up table window @lut of its BAR2. */
void rig_open_lut(struct rig_switch *sw, unsigned int lut, uint64_t addr);
void rig_arm_msix(struct rig *rig, unsigned int host, uint16_t rid, uint64_t bar0, uint64_t table, unsigned int entry,
		  uint64_t addr, uint32_t data);
/* Doorbells to vector 1. */
void rig_setup_doorbell(struct rig_switch *sw);
void rig_ring(struct rig_switch *sw, uint64_t bits);

#endif
