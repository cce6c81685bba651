/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The lock of a partition's control block.
 *
 * Two hosts configure the same block and each polls one status register for the outcome of its own request. So the lock has
 * an owner and a queue, and the register shows each host its own view: with one value for all, two hosts that boot
 * together take each other's state for their own and give up (Linux 6.12 ntb_hw_switchtec.c, switchtec_ntb_part_op()).
 */
#ifndef ONTB_HW_SWITCHTEC_PARTLOCK_H
#define ONTB_HW_SWITCHTEC_PARTLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <openntb/bridge.h>

/* Values of partition_status. */
enum ontb_part_status {
	ONTB_PART_REFUSED = 0, /* not a value of the real part: "anything else" is an error to the driver */
	ONTB_PART_NORMAL = 1,
	ONTB_PART_LOCKED = 2,
	ONTB_PART_LOCKING = 3,
};

#define ONTB_PARTLOCK_FREE 0xff

/**
 * struct ontb_partlock - a lock
 * @owner:      Port that holds it, or ONTB_PARTLOCK_FREE.
 * @nr_waiting: Ports in @waiting.
 * @waiting:    Ports that wait, first come first.
 * @refused:    Bit per port: its last request was refused.
 */
struct ontb_partlock {
	uint8_t owner;
	uint8_t nr_waiting;
	uint8_t waiting[ONTB_MAX_PORTS];
	uint64_t refused;
};

/**
 * ontb_partlock_init() - make a free lock
 * @lock: Memory of the caller.
 */
void ontb_partlock_init(struct ontb_partlock *lock);

/**
 * ontb_partlock_request() - a port wants the lock
 * @lock: Lock.
 * @port: Port. One that has it or waits already changes nothing.
 *
 * Return: True if the port has it now.
 */
bool ontb_partlock_request(struct ontb_partlock *lock, unsigned int port);

/**
 * ontb_partlock_drop() - a port gives the lock back, or its place in the queue
 * @lock: Lock.
 * @port: Port.
 */
void ontb_partlock_drop(struct ontb_partlock *lock, unsigned int port);

/**
 * ontb_partlock_refuse() - a port did something that it may not; its view says so until its next request
 * @lock: Lock.
 * @port: Port.
 */
void ontb_partlock_refuse(struct ontb_partlock *lock, unsigned int port);

/**
 * ontb_partlock_allows() - whether a port may change the block: it has the lock, or nobody has
 * @lock: Lock.
 * @port: Port.
 */
bool ontb_partlock_allows(const struct ontb_partlock *lock, unsigned int port);

/**
 * ontb_partlock_view() - the status register as a port sees it
 * @lock: Lock.
 * @port: Port.
 *
 * Return: Low 16 bits of partition_status.
 */
enum ontb_part_status ontb_partlock_view(const struct ontb_partlock *lock, unsigned int port);

#endif
