/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Hosts joined by bridges made of memory, for tests of interrupts that peers raise.
 *
 * Each host has the real src/irq and src/msi on a made-up root, which hands vectors out again as early as it may: the
 * lowest free one first. A message that arrives and finds no vector, or another interrupt's, is what must never happen; the
 * root counts what it can see itself, and handlers count the rest.
 */
#ifndef TESTS_UNIT_NTB_MOCK_NTB_H
#define TESTS_UNIT_NTB_MOCK_NTB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <openntb/irq.h>
#include <openntb/msi.h>
#include <openntb/ntb.h>
#include <openntb/ntb_irq.h>
#include <openntb/worker.h>

#include "base/annotate.h"

#define MOCK_MAX_HOSTS	 4U
#define MOCK_NR_CPUS	 4U
#define MOCK_NR_VECTORS	 8192U
#define MOCK_NR_WINDOWS	 2U
#define MOCK_WINDOW_SIZE 0x200000ULL
#define MOCK_NR_SPADS	 16U
#define MOCK_NR_MSGS	 4U
#define MOCK_PAGE	 4096U
#define MOCK_NR_GUARDS	 256U
#define MOCK_MSI_FIRST	 0xfee00000ULL
#define MOCK_MSI_SIZE	 0x100000ULL

/* What a bridge has. */
#define MOCK_PAGES     (1U << 0)
#define MOCK_SPADS     (1U << 1)
#define MOCK_MSGS      (1U << 2)
#define MOCK_DOORBELLS (1U << 3)
#define MOCK_GUARD     (1U << 4)
#define MOCK_FIXED     (1U << 5) /* messages do not move */
#define MOCK_ISOLATED  (1U << 6)
#define MOCK_STEPPED   (1U << 7) /* one pool for all hosts, stepped */
#define MOCK_OVERWRITE (1U << 8) /* a full message register is overwritten */
#define MOCK_BUSY      (1U << 9) /* CPUs are in handlers for so long that a drain ends only when it is cancelled */

/**
 * struct mock_vector - a message that the root takes
 * @virq: Interrupt, 0 if free.
 * @nr:   How often it arrived.
 */
struct mock_vector {
	unsigned int virq;
	unsigned int nr;
};

/**
 * struct mock_irq - the root's data of an interrupt
 * @cpu:     Target.
 * @vector:  Vector there.
 * @old_cpu: Target before a move that is not done, MOCK_NR_CPUS if there is none.
 * @old_vector: Likewise.
 */
struct mock_irq {
	unsigned int cpu;
	unsigned int vector;
	unsigned int old_cpu;
	unsigned int old_vector;
};

/**
 * struct mock_side - what a host has for one peer
 * @page:    Written by the peer.
 * @is_up:   Link.
 * @windows: Inbound windows; size 0 if closed.
 * @nr_opens: How often the last one was opened.
 */
struct mock_side {
	_Alignas(8) uint8_t page[MOCK_PAGE];
	bool is_up;
	struct {
		uint64_t addr;
		uint64_t size;
	} windows[MOCK_NR_WINDOWS];
	unsigned int nr_opens;
};

/**
 * struct mock_host - a host and its bridge
 * @net:     Net. Constant.
 * @idx:     Which. Constant.
 * @pool:    Workers.
 * @drain:   The drain under way, NULL if there is none; the net's lock.
 * @nr_drains: Drains started. Atomic.
 * @nr_ended:  Drains that ended in their cancellation. Atomic.
 * @sys:     Interrupts.
 * @root:    Root domain.
 * @parent:  What the root says of itself.
 * @vectors: By CPU and vector. The net's lock.
 * @nr_vectors: Vectors per CPU that are handed out.
 * @lowest:  By CPU, no vector below it is free.
 * @msi:     MSI device.
 * @ntb:     Bridge.
 * @is_enabled: Link enabled.
 * @sides:   By peer.
 * @db_pending: Doorbells.
 * @db_mask:    Likewise.
 * @spads:   Written by the peer.
 * @msgs:    Message registers.
 * @guards:  Guard.
 * @is_guarded: It is on.
 * @on_shut_out: Called when a slot of the guard has been closed; NULL for nothing.
 * @is_deaf:    Nothing that peers write into its pages arrives, nor does what it writes into theirs. Atomic.
 * @drop_doorbells: How many rings get lost. Atomic.
 * @fail_close: How many times window_close() fails. Atomic.
 * @fail_guard: How many times guard_set() fails. Atomic.
 * @window_align: Alignment that windows must have, 0 for their size.
 * @window_max: Bytes of a window at most.
 * @nr_stale: Messages that found no vector. Atomic.
 * @nr_closed: Messages that found the window closed. Atomic.
 * @nr_filtered: Messages that the guard kept out. Atomic.
 * @nr_arrived: Messages that were taken. Atomic.
 */
struct mock_host {
	struct mock_net *net;
	unsigned int idx;
	struct ontb_worker_pool *pool;
	struct ontb_irq_drain *drain;
	atomic_uint nr_drains;
	atomic_uint nr_ended;
	struct ontb_irq_system *sys;
	struct ontb_irq_domain *root;
	struct ontb_msi_parent parent;
	struct mock_vector vectors[MOCK_NR_CPUS][MOCK_NR_VECTORS];
	unsigned int nr_vectors;
	unsigned int lowest[MOCK_NR_CPUS];
	struct ontb_msi_dev *msi;
	struct ontb_ntb *ntb;
	bool is_enabled;
	struct mock_side sides[MOCK_MAX_HOSTS];
	uint64_t db_pending;
	uint64_t db_mask;
	uint32_t spads[MOCK_NR_SPADS];
	struct {
		bool is_full;
		uint32_t value;
		unsigned int from;
	} msgs[MOCK_NR_MSGS];
	struct {
		bool is_open;
		struct ontb_msi_msg msg;
	} guards[MOCK_NR_GUARDS];
	bool is_guarded;
	void (*on_shut_out)(struct mock_host *host);
	atomic_bool is_deaf;
	atomic_uint drop_doorbells;
	atomic_uint fail_close;
	atomic_uint fail_guard;
	uint64_t window_align;
	uint64_t window_max;
	atomic_uint nr_stale;
	atomic_uint nr_closed;
	atomic_uint nr_filtered;
	atomic_uint nr_arrived;
};

/**
 * struct mock_net - hosts, each joined to each other
 * @nr_hosts: How many.
 * @flags:    MOCK_*.
 * @ops:      What the bridges do.
 * @lock:     Protects what is marked so, and everything that crosses a bridge.
 * @hosts:    Hosts.
 */
struct mock_net {
	unsigned int nr_hosts;
	unsigned int flags;
	struct ontb_ntb_ops ops;
	struct ontb_lock lock;
	struct mock_host hosts[MOCK_MAX_HOSTS];
};

/**
 * mock_net_new() - make hosts; all links are down until both sides enable them
 * @nr_hosts: 2..MOCK_MAX_HOSTS.
 * @flags:    MOCK_*.
 *
 * Return: The net; a failure fails the test.
 */
struct mock_net *mock_net_new(unsigned int nr_hosts, unsigned int flags);

/**
 * mock_net_free() - undo mock_net_new(); what is left over fails the test
 * @net: Net.
 */
void mock_net_free(struct mock_net *net);

/**
 * mock_peer_of() - the number under which a host knows another one
 * @host:  Index of the host.
 * @other: Index of the other one.
 *
 * Return: Peer.
 */
static inline unsigned int mock_peer_of(unsigned int host, unsigned int other)
{
	return other < host ? other : other - 1;
}

/**
 * mock_set_link() - plug or unplug the cable between two hosts
 * @net:  Net.
 * @a:    Host.
 * @b:    Host.
 * @is_up: Whether it is plugged; it is at first.
 */
void mock_set_link(struct mock_net *net, unsigned int a, unsigned int b, bool is_up);

/**
 * mock_run() - step a stepped net until nothing is left to do
 * @net: Net.
 *
 * Return: Steps; a number above a million fails the test.
 */
unsigned int mock_run(struct mock_net *net);

/**
 * mock_store() - a store that a peer makes by itself, without asking anybody
 * @net:    Net.
 * @from:   Host that stores.
 * @to:     Host that has the window.
 * @offset: In its last window.
 * @data:   Value.
 */
void mock_store(struct mock_net *net, unsigned int from, unsigned int to, uint64_t offset, uint32_t data);

/**
 * mock_vectors_used() - vectors that a host has in use
 * @host: Host.
 *
 * Return: How many, all CPUs.
 */
unsigned int mock_vectors_used(struct mock_host *host);

#endif
