/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * NTB interrupts on each host of a mock net, with handlers that count.
 */
#ifndef TESTS_UNIT_NTB_GRANT_RIG_H
#define TESTS_UNIT_NTB_GRANT_RIG_H

#include "mock_ntb.h"

/**
 * struct grant_irq - an own interrupt with a handler
 * @map:        As allocated.
 * @has_handler: A handler is installed.
 * @nr_handled: How often it ran. Atomic.
 * @last_cpu:   Where it ran last. Atomic.
 */
struct grant_irq {
	struct ontb_msi_map map;
	bool has_handler;
	atomic_uint nr_handled;
	atomic_uint last_cpu;
};

/**
 * struct grant_end - NTB interrupts of a host
 * @irqs:       Interrupts, NULL if there are none now.
 * @config:     How they were made.
 * @irq:        Own interrupts, by index.
 * @nr_granted: Events. Atomic.
 * @nr_revoked: Events. Atomic.
 * @nr_freed:   Events. Atomic.
 * @nr_up:      Events. Atomic.
 * @nr_down:    Events. Atomic.
 */
struct grant_end {
	struct ontb_ntb_irqs *irqs;
	struct ontb_ntb_irqs_config config;
	struct grant_irq *irq;
	atomic_uint nr_granted;
	atomic_uint nr_revoked;
	atomic_uint nr_freed;
	atomic_uint nr_up;
	atomic_uint nr_down;
};

/**
 * struct grant_rig - all of it
 * @net:  Hosts.
 * @ends: By host.
 */
struct grant_rig {
	struct mock_net *net;
	struct grant_end ends[MOCK_MAX_HOSTS];
};

/**
 * grant_rig_new() - make hosts with NTB interrupts that trust each other, and wait for all links
 * @nr_hosts: Hosts.
 * @flags:    MOCK_*.
 * @nr_irqs:  Own interrupts of each.
 *
 * Return: The rig.
 */
struct grant_rig *grant_rig_new(unsigned int nr_hosts, unsigned int flags, unsigned int nr_irqs);

/**
 * grant_rig_new_bare() - the same without interrupts on any host
 * @nr_hosts: Hosts.
 * @flags:    MOCK_*.
 * @nr_irqs:  Own interrupts of each, later.
 *
 * Return: The rig.
 */
struct grant_rig *grant_rig_new_bare(unsigned int nr_hosts, unsigned int flags, unsigned int nr_irqs);

/**
 * grant_rig_start() - make the interrupts of a host
 * @rig:  Rig.
 * @host: Host.
 *
 * Return: As ontb_ntb_irqs_new().
 */
int grant_rig_start(struct grant_rig *rig, unsigned int host);

/**
 * grant_rig_stop() - free the interrupts of a host, handlers first
 * @rig:  Rig.
 * @host: Host.
 */
void grant_rig_stop(struct grant_rig *rig, unsigned int host);

/**
 * grant_rig_again() - make the interrupts of all hosts anew, with all links up; a message that went astray fails the test
 * @rig: Rig.
 */
void grant_rig_again(struct grant_rig *rig);

/**
 * grant_rig_free() - free all; a message that went astray fails the test
 * @rig: Rig.
 */
void grant_rig_free(struct grant_rig *rig);

/**
 * grant_rig_irq() - allocate an interrupt on CPU 0 and install its handler
 * @rig:   Rig.
 * @host:  Host.
 * @index: Index.
 *
 * Return: The interrupt.
 */
struct grant_irq *grant_rig_irq(struct grant_rig *rig, unsigned int host, unsigned int index);

/**
 * grant_rig_remove_handler() - remove the handler of an interrupt
 * @rig:   Rig.
 * @host:  Host.
 * @index: Index.
 */
void grant_rig_remove_handler(struct grant_rig *rig, unsigned int host, unsigned int index);

/**
 * grant_rig_wait() - wait until a counter has at least some value, stepping if the net is stepped
 * @rig:     Rig.
 * @counter: Counter.
 * @value:   Value.
 */
void grant_rig_wait(struct grant_rig *rig, atomic_uint *counter, unsigned int value);

/**
 * grant_rig_nr_stray() - messages that found no interrupt, on all hosts
 * @rig: Rig.
 *
 * Return: How many.
 */
unsigned int grant_rig_nr_stray(const struct grant_rig *rig);

#endif
