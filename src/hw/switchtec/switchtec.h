/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The switch: one register image shared by all hosts, and what each partition keeps beside it.
 *
 * Port number and partition number are the same.
 */
#ifndef ONTB_HW_SWITCHTEC_SWITCHTEC_H
#define ONTB_HW_SWITCHTEC_SWITCHTEC_H

#include <stdatomic.h>
#include <stdint.h>

#include <openntb/switchtec.h>

#include "base/annotate.h"
#include "hw/bridge/bridge.h"
#include "hw/switchtec/partlock.h"
#include "hw/switchtec/regs.h"

#define ONTB_SW_VENDOR	  0x11f8
#define ONTB_SW_CLASS	  0x068000
#define ONTB_SW_NR_MSGS	  4
#define ONTB_SW_NR_DBELLS 60
#define ONTB_SW_LUT_SHIFT 16

/* BARs that hold windows, and the apertures of such a BAR. */
#define ONTB_SW_BAR_LUT	   2
#define ONTB_SW_BAR_DIRECT 4
#define ONTB_SW_AP_LUT	   0
#define ONTB_SW_AP_DIRECT  1

/* MSI-X vector of events: vep_vector_number of the partition configuration. */
#define ONTB_SW_EVENT_VECTOR 0

#define ONTB_SW_MRPC_WORDS (0x820 / 4)

/**
 * struct ontb_sw_imsg - an inbound message register
 * @msg:    Message.
 * @status: A message is there.
 * @mask:   It may interrupt.
 * @src:    Partition it came from.
 */
struct ontb_sw_imsg {
	uint32_t msg;
	uint8_t status;
	uint8_t mask;
	uint8_t src;
};

/**
 * struct ontb_sw_guard_msg - message registers of a slot of the guard, as written
 * @addr: Address.
 * @data: Value.
 */
struct ontb_sw_guard_msg {
	uint64_t addr;
	uint32_t data;
};

/**
 * struct ontb_sw_guard_regs - what a host wrote for its guard and what does not count yet
 * @msgs:    One per slot, NULL if there are none. Constant pointer.
 * @nr_used: All from here on are zero.
 * @first:   First guarded address.
 * @size:    Guarded bytes.
 *
 * Accessed in accesses of the partition's own port, and in exclusive sections.
 */
struct ontb_sw_guard_regs {
	struct ontb_sw_guard_msg *msgs;
	unsigned int nr_used;
	uint64_t first;
	uint64_t size;
};

/**
 * struct ontb_sw_part - a partition
 * @ctrl_lock: Leaf lock of @partlock, of @openers and of writes to the window registers of the control block.
 * @partlock:  Who configures the block.
 * @openers:   Who wrote each 32-bit word of the control block last: see control.c.
 * @msg_lock:  Leaf lock of @imsgs.
 * @imsgs:     Inbound messages.
 * @guard:     What its host wrote for its guard.
 * @mrpc:      The mailbox that the partition's host sees.
 */
struct ontb_sw_part {
	struct ontb_lock ctrl_lock;
	struct ontb_partlock partlock;
	uint8_t openers[ONTB_SW_CTRL_SIZE / 4];
	struct ontb_lock msg_lock;
	struct ontb_sw_imsg imsgs[ONTB_SW_NR_MSGS];
	struct ontb_sw_guard_regs guard;
	_Atomic uint32_t mrpc[ONTB_SW_MRPC_WORDS];
};

/**
 * struct ontb_switchtec - a switch
 * @bridge: What any bridge has.
 * @config: Geometry. Constant.
 * @gen:    Generation: 3, 4 or 5. Constant.
 * @image:  Storage of all registers that are not private.
 * @parts:  Partitions, as many as ports.
 */
struct ontb_switchtec {
	struct ontb_bridge bridge;
	struct ontb_switchtec_config config;
	unsigned int gen;
	_Atomic uint32_t *image;
	struct ontb_sw_part *parts;
};

static inline struct ontb_switchtec *ontb_sw_of(const struct ontb_port *port)
{
	return ontb_container_of(port->bridge, struct ontb_switchtec, bridge);
}

/* Bytes of the image: up to the last PFF and one page more, whose vendor id ends the scan of a driver. */
static inline uint32_t ontb_sw_image_size(unsigned int nr_ports)
{
	return ontb_sw_pff(ONTB_SW_PFFS_PER_PORT * nr_ports + 1);
}

/**
 * ontb_sw_info_init() - fill in what the switch says about itself
 * @sw: Switch.
 */
void ontb_sw_info_init(struct ontb_switchtec *sw);

/**
 * ontb_sw_info_link_changed() - show in the PFFs of a port whether its link is active
 * @port: Port.
 *
 * Context: Exclusive section.
 */
void ontb_sw_info_link_changed(struct ontb_port *port);

/**
 * ontb_sw_control_init() - make the control block of a partition
 * @sw:   Switch.
 * @part: Partition.
 */
void ontb_sw_control_init(struct ontb_switchtec *sw, unsigned int part);

/**
 * ontb_sw_control_host_lost() - undo all that a host wrote into any control block, and drop its locks
 * @port: Port of the host.
 *
 * Context: Exclusive section.
 */
void ontb_sw_control_host_lost(struct ontb_port *port);

/**
 * ontb_sw_dbmsg_reset() - put a partition's doorbell and message block into its reset state
 * @sw:   Switch.
 * @part: Partition.
 *
 * Context: Construction or exclusive section.
 */
void ontb_sw_dbmsg_reset(struct ontb_switchtec *sw, unsigned int part);

/**
 * ontb_sw_mrpc_reset() - empty the mailbox of a partition's host
 * @sw:   Switch.
 * @part: Partition.
 *
 * Context: Construction or exclusive section.
 */
void ontb_sw_mrpc_reset(struct ontb_switchtec *sw, unsigned int part);

/**
 * ontb_sw_guard_init() - make the guard of a partition's port
 * @sw:   Switch.
 * @part: Partition.
 *
 * Return: 0, or -ENOMEM.
 */
int ontb_sw_guard_init(struct ontb_switchtec *sw, unsigned int part) ONTB_MUST_CHECK;

/**
 * ontb_sw_guard_fini() - undo ontb_sw_guard_init(), but for the part that belongs to the port
 * @sw:   Switch.
 * @part: Partition; one without is fine.
 */
void ontb_sw_guard_fini(struct ontb_switchtec *sw, unsigned int part);

/**
 * ontb_sw_guard_reset() - forget what a host wrote for its guard
 * @sw:   Switch.
 * @part: Partition.
 *
 * Context: Construction or exclusive section.
 */
void ontb_sw_guard_reset(struct ontb_switchtec *sw, unsigned int part);

/**
 * ontb_sw_event_raise() - an event happened
 * @sw:     Switch.
 * @header: Offset in BAR0 of its header.
 * @port:   Port to interrupt if the header says so.
 *
 * Context: Access of any port or exclusive section.
 */
void ontb_sw_event_raise(struct ontb_switchtec *sw, uint32_t header, struct ontb_port *port);

/**
 * ontb_sw_events_reset() - switch the events of a partition off; counters stay
 * @sw:   Switch.
 * @part: Partition.
 *
 * Context: Exclusive section.
 */
void ontb_sw_events_reset(struct ontb_switchtec *sw, unsigned int part);

#endif
