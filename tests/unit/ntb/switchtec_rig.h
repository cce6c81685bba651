/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Hosts with all of their software up to the Switchtec driver, on one emulated switch.
 */
#ifndef TESTS_UNIT_NTB_SWITCHTEC_RIG_H
#define TESTS_UNIT_NTB_SWITCHTEC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openntb/fabric.h>
#include <openntb/ntb_switchtec.h>
#include <openntb/pages.h>
#include <openntb/platform_x86.h>

#include "base/annotate.h"

#define SW_HOSTS 4U
#define SW_TWO	 "host a ram=8M; host b ram=8M; bridge switchtec a b vectors=4"

/**
 * struct sw_host - a host
 * @idx:      Number; also the port of the bridge.
 * @nr_downs: Link events with the link down; so on for the next ones.
 */
struct sw_host {
	unsigned int idx;
	struct ontb_machine *machine;
	struct ontb_worker_pool *workers;
	struct ontb_pages *pages;
	struct ontb_irq_system *irqs;
	struct ontb_x86 *x86;
	struct ontb_pci_bus *bus;
	struct ontb_pci_dev *dev;
	struct ontb_ntb *ntb;
	_Atomic unsigned int nr_downs;
	_Atomic unsigned int nr_ups;
	_Atomic unsigned int nr_doorbells;
	_Atomic unsigned int nr_messages;
};

/**
 * struct sw_rig - hosts on a switch
 * @is_stepped: Nothing runs but in sw_settle().
 */
struct sw_rig {
	struct ontb_fabric *fabric;
	bool is_stepped;
	unsigned int nr_hosts;
	struct sw_host hosts[SW_HOSTS];
};

/* Only the machines and the switch; then boot hosts one by one. */
void sw_build(struct sw_rig *rig, const char *topology, bool is_stepped);
/* All hosts boot, with a client that counts events; links are not enabled. */
void sw_open(struct sw_rig *rig, const char *topology, bool is_stepped);
/* Fails the test if a host has not given all memory back. */
void sw_close(struct sw_rig *rig);

/* A host's software without the driver, and the driver with a client. */
void sw_boot(struct sw_rig *rig, unsigned int host);
void sw_shutdown(struct sw_rig *rig, unsigned int host);
void sw_probe(struct sw_rig *rig, unsigned int host);
void sw_remove(struct sw_rig *rig, unsigned int host);

/* Until nothing happens any more (stepped rigs only). */
void sw_settle(struct sw_rig *rig);
/* Both hosts of the first pair enable the link, and it comes up. */
void sw_link(struct sw_rig *rig);
/* Wait for a number of a host that others change, in rigs with threads too; fails the test after a while. */
void sw_wait_for(struct sw_rig *rig, const _Atomic unsigned int *number, unsigned int least);
bool sw_is_up(struct sw_rig *rig, unsigned int host);
void sw_wait_link(struct sw_rig *rig, unsigned int host, bool is_up);

/* Memory of a host for a window, aligned to its size; its address and the software's pointer. */
struct ontb_page_run sw_memory(struct sw_rig *rig, unsigned int host, uint64_t size);
void sw_release(struct sw_rig *rig, unsigned int host, const struct ontb_page_run *run);

/* Registers of the switch as a host sees them. */
uint32_t sw_r32(struct sw_rig *rig, unsigned int host, uint64_t offset);
uint64_t sw_r64(struct sw_rig *rig, unsigned int host, uint64_t offset);
void sw_w32(struct sw_rig *rig, unsigned int host, uint64_t offset, uint32_t value);

/* A host's shared page from its start, as its own software sees it. */
uint32_t *sw_page(struct sw_rig *rig, unsigned int host);

/* Lines logged since sw_log_start(); the last of them that has a text. */
void sw_log_start(void);
bool sw_log_has(const char *text);
void sw_log_stop(void);

#endif
