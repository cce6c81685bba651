// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What the switch says about itself: system, partitions, NTB, and the functions (PFFs) behind its ports.
 */
#include "hw/switchtec/switchtec.h"

#include <string.h>

#include "base/bytes.h"
#include "hw/bridge/port.h"
#include "hw/switchtec/handlers.h"

#define DEVICE_VERSION	 0x1
#define FIRMWARE_VERSION 0x03100000 /* 3.10 build 000 */
#define CFG0_RUNNING	 0x04
#define IMG0_RUNNING	 0x03

#define SYSINFO_RUNNING	     0x20
#define SYSINFO_GEN3_STRINGS 0x108
#define SYSINFO_GEN3_COMP    0x12c
#define SYSINFO_GEN4_STRINGS 0x13c

#define PFF_CLASS	 0x08
#define CLASS_PCI_BRIDGE 0x06040000U
#define LINK_SPEED_SHIFT 16
#define LINK_WIDTH_SHIFT 20
#define LINK_ACTIVE	 (1U << 29)
#define LINK_WIDTH	 16

uint64_t ontb_sw_read_partition_id(const struct ontb_sw_access *access)
{
	return access->port->idx;
}

/* Which requester id a host's accesses carry is known to nobody on this side of the wire; 0 is the root complex's own. */
uint64_t ontb_sw_read_requester_id(const struct ontb_sw_access *access)
{
	(void)access;
	return 0;
}

static void put_text(struct ontb_switchtec *sw, uint32_t offset, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 4) {
		char word[4] = { 0 };

		memcpy(word, text + i, len - i < 4 ? len - i : 4);
		ontb_sw_put32(sw, ONTB_SW_SYSINFO + offset + (uint32_t)i, ontb_get_le32(word));
	}
}

static void init_sysinfo(struct ontb_switchtec *sw)
{
	uint32_t base = ONTB_SW_SYSINFO;

	ontb_sw_put32(sw, base + ONTB_SW_SYSINFO_DEVICE_ID, sw->config.device_id);
	ontb_sw_put32(sw, base + 0x04, DEVICE_VERSION);
	ontb_sw_put32(sw, base + 0x08, FIRMWARE_VERSION);
	if (sw->gen == 3) {
		ontb_sw_put32(sw, base + SYSINFO_RUNNING, IMG0_RUNNING << 16 | CFG0_RUNNING);
		put_text(sw, SYSINFO_GEN3_STRINGS,
			 "MICROSEM"
			 "OPENNTB         "
			 "0001"
			 "MICROSEM");
		ontb_sw_put32(sw, base + SYSINFO_GEN3_COMP, 1U << 16 | sw->config.device_id);
	} else {
		put_text(sw, SYSINFO_GEN4_STRINGS,
			 "MICROSEM"
			 "OPENNTB                 "
			 "01");
	}
}

static void init_ntb(struct ontb_switchtec *sw)
{
	unsigned int nr_ports = sw->bridge.nr_ports;

	ontb_sw_put32(sw, ONTB_SW_NTBINFO + ONTB_SW_NTBINFO_COUNT, nr_ports);
	ontb_sw_put64(sw, ONTB_SW_NTBINFO + ONTB_SW_NTBINFO_EP_MAP, UINT64_MAX >> (64 - nr_ports));
	/*
	 * With two partitions the target is the other one and need not be named. Leaving it out keeps a kernel bug quiet:
	 * the boot quirk takes target_part_low of partition 0 for the upper half of ep_map (Linux 6.12 quirks.c,
	 * quirk_switchtec_ntb_dma_alias()) and would ask for a partition 33.
	 */
	if (nr_ports == 2)
		return;
	for (unsigned int p = 0; p < nr_ports; p++) {
		uint64_t target = 1ULL << sw->bridge.ports[p].peer_idx;

		ontb_sw_put64(sw, ONTB_SW_NTBINFO + ONTB_SW_NTBINFO_PART(p) + 4, target);
	}
}

static void init_pff(struct ontb_switchtec *sw, unsigned int pff, uint32_t class_rev)
{
	uint32_t base = ontb_sw_pff(pff);

	ontb_sw_reset_block(sw, ONTB_SW_BLOCK_PFF, pff);
	ontb_sw_put32(sw, base, (uint32_t)sw->config.device_id << 16 | ONTB_SW_VENDOR);
	ontb_sw_put32(sw, base + PFF_CLASS, class_rev);
	ontb_sw_put32(sw, base + ONTB_SW_PFF_LINK_STATUS, LINK_WIDTH << LINK_WIDTH_SHIFT | sw->gen << LINK_SPEED_SHIFT);
}

static void init_partition(struct ontb_switchtec *sw, unsigned int part)
{
	uint32_t base = ontb_sw_partcfg(part);

	ontb_sw_reset_block(sw, ONTB_SW_BLOCK_PARTCFG, part);
	ontb_sw_put32(sw, base + ONTB_SW_PARTCFG_USP_PFF, ontb_sw_usp_pff(part));
	ontb_sw_put32(sw, base + ONTB_SW_PARTCFG_VEP_PFF, ontb_sw_vep_pff(part));
	init_pff(sw, ontb_sw_usp_pff(part), CLASS_PCI_BRIDGE);
	init_pff(sw, ontb_sw_vep_pff(part), (uint32_t)ONTB_SW_CLASS << 8);
}

void ontb_sw_info_init(struct ontb_switchtec *sw)
{
	ontb_sw_reset_block(sw, ONTB_SW_BLOCK_SWEV, 0);
	init_sysinfo(sw);
	init_ntb(sw);
	for (unsigned int p = 0; p < sw->bridge.nr_ports; p++)
		init_partition(sw, p);
}

/*
 * After a message Linux's driver (6.12, 7.3: link_status_update() of ntb_hw_switchtec) looks whether its peer is ready, notes that
 * the link is up, and then reads the speed of the link here. What follows a note that it is down is of no matter: then it listens
 * to no doorbell.
 */
uint64_t ontb_sw_read_link_status(const struct ontb_sw_access *access)
{
	ontb_bridge_message_done(access->port);
	return ontb_sw_get(access);
}

void ontb_sw_info_link_changed(struct ontb_port *port)
{
	struct ontb_switchtec *sw = ontb_sw_of(port);
	uint32_t active = ontb_port_is_attached(port) ? LINK_ACTIVE : 0;

	for (unsigned int i = 0; i < ONTB_SW_PFFS_PER_PORT; i++) {
		uint32_t offset = ontb_sw_pff(ontb_sw_usp_pff(port->idx) + i) + ONTB_SW_PFF_LINK_STATUS;

		ontb_sw_put32(sw, offset, (ontb_sw_get32(sw, offset) & ~LINK_ACTIVE) | active);
	}
}
