// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Register table, lookup and dispatch.
 *
 * Sources, spelled out in README.md: "H" the structures of Linux 6.12 include/linux/switchtec.h, "N" what
 * ntb_hw_switchtec.c does with a register, "S" what switchtec.c does with it, "U" the switchtec-user library, "O" our own.
 */
#include "hw/switchtec/regs.h"

#include <pthread.h>
#include <string.h>

#include "base/bytes.h"
#include "hw/switchtec/handlers.h"
#include "hw/switchtec/switchtec.h"

#define GEN3	    (1U << 3)
#define GEN4_5	    (1U << 4 | 1U << 5)
#define UNSUPPORTED 0x80000000U

/* A row is: name, offset, width, count, stride, and what differs from a plain read-only register. */
#define REG(blk, nm, off, w, n, st, src, ...)                                                                          \
	{                                                                                                              \
		.name = (nm), .block = ONTB_SW_BLOCK_##blk, .offset = (off), .width = (w), .count = (n),               \
		.stride = (st), .source = (src), __VA_ARGS__                                                           \
	}
#define ACTS(handler) .kind = ONTB_SW_ACTS, .write = (handler)
/* An event that this switch never has says so, and has no data. */
#define NO_EVENT(blk, nm, off)                                                                                         \
	REG(blk, nm "_hdr", off, 4, 1, 4, "H", .reset = UNSUPPORTED),                                                  \
		REG(blk, nm "_data[#]", (off) + 4, 4, 5, 4, "H", .kind = ONTB_SW_RO)
#define EVENT(blk, nm, off)                                                                                            \
	REG(blk, nm "_hdr", off, 4, 1, 4, "H S", ACTS(ontb_sw_write_event)),                                           \
		REG(blk, nm "_data[#]", (off) + 4, 4, 5, 4, "H", .kind = ONTB_SW_RO)

const struct ontb_sw_reg ontb_sw_regs[] = {
	/* clang-format off */
	REG(MRPC, "input[#]", 0x000, 4, 256, 4, "H S", .kind = ONTB_SW_RW),
	REG(MRPC, "output[#]", 0x400, 4, 256, 4, "H S", .kind = ONTB_SW_RO),
	REG(MRPC, "cmd", 0x800, 4, 1, 4, "H S", ACTS(ontb_sw_write_mrpc_cmd)),
	REG(MRPC, "status", 0x804, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(MRPC, "ret_value", 0x808, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	/* No version of DMA replies: then Linux never enables them. */
	REG(MRPC, "dma_en", 0x80c, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(MRPC, "dma_addr", 0x810, 8, 1, 8, "H S", .kind = ONTB_SW_RO),
	REG(MRPC, "dma_vector", 0x818, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(MRPC, "dma_ver", 0x81c, 4, 1, 4, "H S", .kind = ONTB_SW_RO),

	REG(SWEV, "event_report_ctrl", 0x00, 8, 1, 8, "H", .kind = ONTB_SW_RO),
	REG(SWEV, "part_event_bitmap", 0x10, 8, 1, 8, "H S", .read = ontb_sw_read_part_bitmap),
	REG(SWEV, "global_summary", 0x20, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	NO_EVENT(SWEV, "stack_error", 0x30),
	NO_EVENT(SWEV, "ppu_error", 0x48),
	NO_EVENT(SWEV, "isp_error", 0x60),
	NO_EVENT(SWEV, "sys_reset", 0x78),
	NO_EVENT(SWEV, "fw_exception", 0x90),
	NO_EVENT(SWEV, "fw_nmi", 0xa8),
	NO_EVENT(SWEV, "fw_non_fatal", 0xc0),
	NO_EVENT(SWEV, "fw_fatal", 0xd8),
	NO_EVENT(SWEV, "twi_mrpc_comp", 0xf0),
	NO_EVENT(SWEV, "twi_mrpc_comp_async", 0x108),
	NO_EVENT(SWEV, "cli_mrpc_comp", 0x120),
	NO_EVENT(SWEV, "cli_mrpc_comp_async", 0x138),
	NO_EVENT(SWEV, "gpio_interrupt", 0x150),
	NO_EVENT(SWEV, "gfms_event", 0x168),

	REG(SYSINFO, "device_id", 0x00, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(SYSINFO, "device_version", 0x04, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(SYSINFO, "firmware_version", 0x08, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(SYSINFO, "partition_id", 0x18, 4, 1, 4, "H S", .gens = GEN3, .read = ontb_sw_read_partition_id),
	REG(SYSINFO, "cfg_running", 0x20, 2, 1, 2, "H S", .gens = GEN3),
	REG(SYSINFO, "img_running", 0x22, 2, 1, 2, "H S", .gens = GEN3),
	REG(SYSINFO, "partition_id", 0x48, 4, 1, 4, "H S", .gens = GEN4_5, .read = ontb_sw_read_partition_id),
	REG(SYSINFO, "vendor_id[#]", 0x108, 1, 8, 1, "H S", .gens = GEN3),
	REG(SYSINFO, "product_id[#]", 0x110, 1, 16, 1, "H S", .gens = GEN3),
	REG(SYSINFO, "product_revision[#]", 0x120, 1, 4, 1, "H S", .gens = GEN3),
	REG(SYSINFO, "component_vendor[#]", 0x124, 1, 8, 1, "H S", .gens = GEN3),
	REG(SYSINFO, "component_id", 0x12c, 2, 1, 2, "H S", .gens = GEN3),
	REG(SYSINFO, "component_revision", 0x12e, 1, 1, 1, "H S", .gens = GEN3),
	REG(SYSINFO, "vendor_id[#]", 0x13c, 1, 8, 1, "H S", .gens = GEN4_5),
	REG(SYSINFO, "product_id[#]", 0x144, 1, 24, 1, "H S", .gens = GEN4_5),
	REG(SYSINFO, "product_revision[#]", 0x15c, 1, 2, 1, "H S", .gens = GEN4_5),

	REG(PARTCFG, "status", 0x00, 4, 1, 4, "H", .kind = ONTB_SW_RO),
	REG(PARTCFG, "state", 0x04, 4, 1, 4, "H", .kind = ONTB_SW_RO),
	REG(PARTCFG, "port_cnt", 0x08, 4, 1, 4, "H", .kind = ONTB_SW_RO),
	REG(PARTCFG, "usp_port_mode", 0x0c, 4, 1, 4, "H", .kind = ONTB_SW_RO),
	REG(PARTCFG, "usp_pff_inst_id", 0x10, 4, 1, 4, "H S", .kind = ONTB_SW_RO),
	REG(PARTCFG, "vep_pff_inst_id", 0x14, 4, 1, 4, "H S N", .kind = ONTB_SW_RO),
	REG(PARTCFG, "dsp_pff_inst_id[#]", 0x18, 4, 47, 4, "H S", .reset = 0xffffffff),
	/* Linux's two drivers read the first with different widths, so the second must be 0. */
	REG(PARTCFG, "vep_vector_number", 0x100, 2, 1, 2, "H S N", .reset = ONTB_SW_EVENT_VECTOR),
	REG(PARTCFG, "usp_vector_number", 0x102, 2, 1, 2, "H N", .reset = 0),
	REG(PARTCFG, "port_event_bitmap", 0x104, 4, 1, 4, "H", .kind = ONTB_SW_RO),
	REG(PARTCFG, "part_event_summary", 0x114, 4, 1, 4, "H S U", .read = ontb_sw_read_part_summary),
	EVENT(PARTCFG, "part_reset", 0x124),
	EVENT(PARTCFG, "mrpc_comp", 0x13c),
	NO_EVENT(PARTCFG, "mrpc_comp_async", 0x154),
	NO_EVENT(PARTCFG, "dyn_binding", 0x16c),
	NO_EVENT(PARTCFG, "intercomm_notify", 0x184),

	REG(NTBINFO, "partition_count", 0x00, 1, 1, 1, "H S N", .kind = ONTB_SW_RO),
	REG(NTBINFO, "partition_id", 0x01, 1, 1, 1, "H", .read = ontb_sw_read_partition_id),
	REG(NTBINFO, "ep_map", 0x04, 8, 1, 8, "H N", .kind = ONTB_SW_RO),
	REG(NTBINFO, "requester_id", 0x0c, 2, 1, 2, "H N", .read = ontb_sw_read_requester_id),
	REG(NTBINFO, "ntp_info[#].xlink_enabled", 0x20, 4, 48, 16, "H N", .kind = ONTB_SW_RO),
	REG(NTBINFO, "ntp_info[#].target_part_low", 0x24, 4, 48, 16, "H N", .kind = ONTB_SW_RO),
	REG(NTBINFO, "ntp_info[#].target_part_high", 0x28, 4, 48, 16, "H N", .kind = ONTB_SW_RO),

	REG(CTRL, "partition_status", 0x00, 4, 1, 4, "H N", .read = ontb_sw_read_part_status),
	REG(CTRL, "partition_op", 0x04, 4, 1, 4, "H N", ACTS(ontb_sw_write_part_op)),
	REG(CTRL, "partition_ctrl", 0x08, 4, 1, 4, "H", ACTS(ontb_sw_write_setup)),
	REG(CTRL, "bar_setup", 0x0c, 4, 1, 4, "H", ACTS(ontb_sw_write_setup)),
	REG(CTRL, "bar_error", 0x10, 4, 1, 4, "H N", .kind = ONTB_SW_RO),
	REG(CTRL, "lut_table_entries", 0x14, 2, 1, 2, "H N", .kind = ONTB_SW_RO),
	REG(CTRL, "lut_table_offset", 0x16, 2, 1, 2, "H", .reset = 0x1000),
	REG(CTRL, "lut_error", 0x18, 4, 1, 4, "H N", .kind = ONTB_SW_RO),
	REG(CTRL, "req_id_table_size", 0x1c, 2, 1, 2, "H N", .kind = ONTB_SW_RO),
	REG(CTRL, "req_id_table_offset", 0x1e, 2, 1, 2, "H", .reset = 0x400),
	REG(CTRL, "req_id_error", 0x20, 4, 1, 4, "H N", .kind = ONTB_SW_RO),
	REG(CTRL, "bar[#].ctl", 0x40, 4, 6, 16, "H N", ACTS(ontb_sw_write_bar_entry)),
	REG(CTRL, "bar[#].win_size", 0x44, 4, 6, 16, "H N", ACTS(ontb_sw_write_bar_entry)),
	REG(CTRL, "bar[#].xlate", 0x48, 8, 6, 16, "H N", ACTS(ontb_sw_write_bar_entry)),
	REG(CTRL, "bar_ext[#].win_size", 0xa0, 4, 6, 16, "H N", ACTS(ontb_sw_write_bar_entry)),
	REG(CTRL, "req_id[#]", 0x400, 4, 512, 4, "H N", ACTS(ontb_sw_write_req_id)),
	REG(CTRL, "lut[#]", 0x1000, 8, 512, 8, "H N", ACTS(ontb_sw_write_lut)),

	REG(DBMSG, "odb", 0x1000, 8, 1, 8, "H N", ACTS(ontb_sw_write_odb)),
	REG(DBMSG, "odb_mask", 0x1008, 8, 1, 8, "H N", .kind = ONTB_SW_RW),
	REG(DBMSG, "idb", 0x1010, 8, 1, 8, "H N", ACTS(ontb_sw_write_idb), .read = ontb_sw_read_idb),
	REG(DBMSG, "idb_mask", 0x1018, 8, 1, 8, "H N", ACTS(ontb_sw_write_idb_mask), .read = ontb_sw_read_idb_mask),
	REG(DBMSG, "idb_vec_map[#]", 0x1020, 1, 64, 1, "H N", ACTS(ontb_sw_write_vec_map), .read = ontb_sw_read_vec_map),
	/* All ones is no message of any partition; zero would route partition 0's first message everywhere. */
	REG(DBMSG, "msg_map", 0x1060, 4, 1, 4, "H N", .kind = ONTB_SW_RW, .reset = 0xffffffff),
	REG(DBMSG, "omsg[#].msg", 0x1068, 4, 4, 8, "H N", ACTS(ontb_sw_write_omsg)),
	REG(DBMSG, "omsg[#].status", 0x106c, 4, 4, 8, "H", .kind = ONTB_SW_RO),
	REG(DBMSG, "imsg[#]", 0x1088, 8, 4, 8, "H N", ACTS(ontb_sw_write_imsg), .read = ontb_sw_read_imsg),
	REG(DBMSG, "msix_table[#].addr", 0x2000, 8, 64, 16, "H", .kind = ONTB_SW_RW),
	REG(DBMSG, "msix_table[#].data", 0x2008, 4, 64, 16, "H", .kind = ONTB_SW_RW),
	REG(DBMSG, "msix_table[#].ctrl", 0x200c, 4, 64, 16, "H", .kind = ONTB_SW_RW, .reset = 1),
	REG(DBMSG, "pba[#]", 0x3000, 8, 3, 8, "H", .read = ontb_sw_read_pba),

	REG(PFF, "vendor_id", 0x00, 2, 1, 2, "H S", .kind = ONTB_SW_RO),
	REG(PFF, "device_id", 0x02, 2, 1, 2, "H", .kind = ONTB_SW_RO),
	REG(PFF, "pcicmd", 0x04, 2, 1, 2, "H N", .kind = ONTB_SW_RW),
	REG(PFF, "pcists", 0x06, 2, 1, 2, "H", .kind = ONTB_SW_RO),
	REG(PFF, "pci_class", 0x08, 4, 1, 4, "H", .kind = ONTB_SW_RO),
	REG(PFF, "pci_bar64[#]", 0x10, 8, 3, 8, "H N", .kind = ONTB_SW_RO),
	REG(PFF, "link_status", 0x74, 4, 1, 4, "N", .kind = ONTB_SW_RO, .read = ontb_sw_read_link_status),
	REG(PFF, "pff_event_summary", 0xc00, 4, 1, 4, "H S U", .read = ontb_sw_read_pff_summary),
	NO_EVENT(PFF, "aer_in_p2p", 0xc10),
	NO_EVENT(PFF, "aer_in_vep", 0xc28),
	NO_EVENT(PFF, "dpc", 0xc40),
	NO_EVENT(PFF, "cts", 0xc58),
	NO_EVENT(PFF, "uec", 0xc70),
	NO_EVENT(PFF, "hotplug", 0xc88),
	NO_EVENT(PFF, "ier", 0xca0),
	NO_EVENT(PFF, "threshold", 0xcb8),
	NO_EVENT(PFF, "power_mgmt", 0xcd0),
	NO_EVENT(PFF, "tlp_throttling", 0xce8),
	NO_EVENT(PFF, "force_speed", 0xd00),
	NO_EVENT(PFF, "credit_timeout", 0xd18),
	EVENT(PFF, "link_state", 0xd30),

	REG(GUARD, "magic", ONTB_SW_GUARD_MAGIC, 4, 1, 4, "O", .read = ontb_sw_read_guard),
	REG(GUARD, "version", ONTB_SW_GUARD_VERSION, 4, 1, 4, "O", .read = ontb_sw_read_guard),
	REG(GUARD, "nr_slots", ONTB_SW_GUARD_NR_SLOTS, 4, 1, 4, "O", .read = ontb_sw_read_guard),
	REG(GUARD, "control", ONTB_SW_GUARD_CONTROL, 4, 1, 4, "O", ACTS(ontb_sw_write_guard_control),
	    .read = ontb_sw_read_guard),
	REG(GUARD, "first", ONTB_SW_GUARD_RANGE_FIRST, 8, 1, 8, "O", ACTS(ontb_sw_write_guard_range),
	    .read = ontb_sw_read_guard),
	REG(GUARD, "size", ONTB_SW_GUARD_RANGE_SIZE, 8, 1, 8, "O", ACTS(ontb_sw_write_guard_range),
	    .read = ontb_sw_read_guard),
	REG(GUARD, "blocked", ONTB_SW_GUARD_BLOCKED, 8, 1, 8, "O", .read = ontb_sw_read_guard),
	REG(GUARD_SLOT, "addr", ONTB_SW_GUARD_SLOT_ADDR, 8, 1, 8, "O", ACTS(ontb_sw_write_guard_slot),
	    .read = ontb_sw_read_guard_slot),
	REG(GUARD_SLOT, "data", ONTB_SW_GUARD_SLOT_DATA, 4, 1, 4, "O", ACTS(ontb_sw_write_guard_slot),
	    .read = ontb_sw_read_guard_slot),
	REG(GUARD_SLOT, "control", ONTB_SW_GUARD_SLOT_CTRL, 4, 1, 4, "O", ACTS(ontb_sw_write_guard_slot_control),
	    .read = ontb_sw_read_guard_slot),
	/* clang-format on */
};

const size_t ontb_sw_nr_regs = ONTB_ARRAY_SIZE(ontb_sw_regs);

const struct ontb_sw_block_info ontb_sw_blocks[ONTB_SW_NR_BLOCKS] = {
	[ONTB_SW_BLOCK_MRPC] = { "mrpc", ONTB_SW_MRPC, ONTB_SW_MRPC_SIZE, 1, ONTB_SW_WRITERS_ANY, true, false },
	[ONTB_SW_BLOCK_SWEV] = { "sw_event", ONTB_SW_SWEV, ONTB_SW_SWEV_SIZE, 1, ONTB_SW_WRITERS_ANY, false, false },
	[ONTB_SW_BLOCK_SYSINFO] = { "sys_info", ONTB_SW_SYSINFO, ONTB_SW_SYSINFO_SIZE, 1, ONTB_SW_WRITERS_ANY, false,
				    false },
	/* The event interrupt handler of any host masks events of all partitions: only its own count. */
	[ONTB_SW_BLOCK_PARTCFG] = { "part_cfg", ONTB_SW_PARTCFG, ONTB_SW_PARTCFG_SIZE, ONTB_MAX_PORTS,
				    ONTB_SW_WRITERS_OWN, false, true },
	[ONTB_SW_BLOCK_NTBINFO] = { "ntb_info", ONTB_SW_NTBINFO, ONTB_SW_NTBINFO_SIZE, 1, ONTB_SW_WRITERS_ANY, false,
				    false },
	[ONTB_SW_BLOCK_CTRL] = { "ctrl", ONTB_SW_CTRL, ONTB_SW_CTRL_SIZE, ONTB_MAX_PORTS, ONTB_SW_WRITERS_PAIR, false,
				 false },
	[ONTB_SW_BLOCK_DBMSG] = { "dbmsg", ONTB_SW_DBMSG, ONTB_SW_DBMSG_SIZE, ONTB_MAX_PORTS, ONTB_SW_WRITERS_OWN,
				  false, false },
	/* The probe of any host enables the link events of all PFFs: those of its pair count. */
	[ONTB_SW_BLOCK_PFF] = { "pff", ONTB_SW_PFF, ONTB_SW_PFF_SIZE, ONTB_SW_MAX_PFFS, ONTB_SW_WRITERS_PAIR, false,
				true },
	/* An extension of ours; the host that accesses it sees its own. */
	[ONTB_SW_BLOCK_GUARD] = { "guard", ONTB_SW_GUARD, ONTB_SW_GUARD_PAGE, 1, ONTB_SW_WRITERS_ANY, true, false },
	[ONTB_SW_BLOCK_GUARD_SLOT] = { "guard_slot", ONTB_SW_GUARD_SLOT, ONTB_SW_GUARD_SLOT_SIZE, ONTB_GUARD_MAX_SLOTS,
				       ONTB_SW_WRITERS_ANY, true, false },
};

#define MAP_SIZE                                                                                                       \
	(ONTB_SW_MRPC_SIZE + ONTB_SW_SWEV_SIZE + ONTB_SW_SYSINFO_SIZE + ONTB_SW_PARTCFG_SIZE + ONTB_SW_NTBINFO_SIZE +  \
	 ONTB_SW_CTRL_SIZE + ONTB_SW_DBMSG_SIZE + ONTB_SW_PFF_SIZE + ONTB_SW_GUARD_PAGE + ONTB_SW_GUARD_SLOT_SIZE)

_Static_assert(ONTB_ARRAY_SIZE(ontb_sw_regs) < UINT8_MAX, "a register number plus one fits into a byte of the map");

/* For each byte of a block: number of its register plus one, or 0. Written once. */
static uint8_t map[MAP_SIZE];
static uint32_t map_start[ONTB_SW_NR_BLOCKS];
static pthread_once_t map_once = PTHREAD_ONCE_INIT;

static void build_map(void)
{
	uint32_t start = 0;

	for (unsigned int b = 0; b < ONTB_SW_NR_BLOCKS; b++) {
		map_start[b] = start;
		start += ontb_sw_blocks[b].size;
	}
	for (size_t r = 0; r < ontb_sw_nr_regs; r++) {
		const struct ontb_sw_reg *reg = &ontb_sw_regs[r];

		for (unsigned int i = 0; i < reg->count; i++)
			memset(map + map_start[reg->block] + reg->offset + (size_t)i * reg->stride, (int)r + 1,
			       reg->width);
	}
}

/* Divides once, and in 32 bits, because every register access comes through here. */
static bool find_block(uint64_t offset, enum ontb_sw_block *block, uint32_t *copy, uint32_t *in_block)
{
	const struct ontb_sw_block_info *info;
	enum ontb_sw_block b;
	uint32_t rel;

	if (offset > UINT32_MAX)
		return false;

	if (offset < ONTB_SW_CTRL) {
		b = offset < ONTB_SW_SWEV      ? ONTB_SW_BLOCK_MRPC
		    : offset < ONTB_SW_SYSINFO ? ONTB_SW_BLOCK_SWEV
		    : offset < ONTB_SW_PARTCFG ? ONTB_SW_BLOCK_SYSINFO
		    : offset < ONTB_SW_NTBINFO ? ONTB_SW_BLOCK_PARTCFG
					       : ONTB_SW_BLOCK_NTBINFO;
	} else {
		b = offset < ONTB_SW_DBMSG	  ? ONTB_SW_BLOCK_CTRL
		    : offset < ONTB_SW_PFF	  ? ONTB_SW_BLOCK_DBMSG
		    : offset < ONTB_SW_GUARD	  ? ONTB_SW_BLOCK_PFF
		    : offset < ONTB_SW_GUARD_SLOT ? ONTB_SW_BLOCK_GUARD
						  : ONTB_SW_BLOCK_GUARD_SLOT;
	}
	info = &ontb_sw_blocks[b];
	rel = (uint32_t)offset - info->base;
	*block = b;
	*copy = rel / info->size;
	*in_block = rel - *copy * info->size;
	return *copy < info->max_copies;
}

bool ontb_sw_find_register(uint64_t offset, struct ontb_sw_access *access)
{
	const struct ontb_sw_reg *reg;
	enum ontb_sw_block block;
	uint32_t in_block, copy;
	uint8_t nr;

	(void)pthread_once(&map_once, build_map);
	if (!find_block(offset, &block, &copy, &in_block))
		return false;
	nr = map[map_start[block] + in_block];
	if (!nr)
		return false;
	reg = &ontb_sw_regs[nr - 1];
	access->reg = reg;
	access->copy = copy;
	access->idx = (in_block - reg->offset) / reg->stride;
	access->offset = (uint32_t)offset - (in_block - reg->offset) % reg->stride;
	return true;
}

/* Which partition a copy of a block belongs to; beyond the last one there is nothing. */
static bool find_part(const struct ontb_port *port, const struct ontb_sw_access *access, unsigned int *part)
{
	switch (access->reg->block) {
	case ONTB_SW_BLOCK_GUARD:
	case ONTB_SW_BLOCK_GUARD_SLOT:
		*part = port->idx;
		return access->copy < port->guard.nr_slots;
	case ONTB_SW_BLOCK_PFF:
		*part = access->copy / ONTB_SW_PFFS_PER_PORT;
		break;
	default:
		*part = access->copy;
		break;
	}
	return *part < port->bridge->nr_ports;
}

static bool find_here(struct ontb_port *port, uint64_t offset, struct ontb_sw_access *access, unsigned int *part)
{
	struct ontb_switchtec *sw = ontb_sw_of(port);

	if (!ontb_sw_find_register(offset, access) || !find_part(port, access, part))
		return false;
	access->sw = sw;
	access->port = port;
	return !access->reg->gens || access->reg->gens & 1U << sw->gen;
}

static _Atomic uint32_t *word_of(const struct ontb_sw_access *access, uint32_t offset)
{
	if (ontb_sw_blocks[access->reg->block].is_private)
		return &access->sw->parts[access->port->idx].mrpc[offset / 4];
	return &access->sw->image[offset / 4];
}

static void update_word(_Atomic uint32_t *word, uint32_t value, uint32_t mask)
{
	uint32_t old;

	if (mask == UINT32_MAX) {
		atomic_store_explicit(word, value, memory_order_relaxed);
		return;
	}
	old = atomic_load_explicit(word, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(word, &old, (old & ~mask) | (value & mask), memory_order_relaxed,
						      memory_order_relaxed))
		;
}

uint64_t ontb_sw_get(const struct ontb_sw_access *access)
{
	const _Atomic uint32_t *word = word_of(access, access->offset);
	unsigned int shift = 8 * (access->offset % 4);
	uint64_t value = atomic_load_explicit(word, memory_order_relaxed) >> shift;

	if (access->reg->width == 8)
		return value | (uint64_t)atomic_load_explicit(word + 1, memory_order_relaxed) << 32;
	return value & (UINT64_MAX >> (64 - 8 * access->reg->width));
}

/* @word is the one that has the register's first byte, @shift the bits below it in there. */
static void update(_Atomic uint32_t *word, unsigned int shift, uint64_t value, uint64_t mask)
{
	if ((uint32_t)mask)
		update_word(word, (uint32_t)value << shift, (uint32_t)mask << shift);
	if (mask >> 32)
		update_word(word + 1, (uint32_t)(value >> 32), (uint32_t)(mask >> 32));
}

void ontb_sw_put(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	update(word_of(access, access->offset), 8 * (access->offset % 4), value, mask);
}

uint32_t ontb_sw_get32(const struct ontb_switchtec *sw, uint32_t offset)
{
	return atomic_load_explicit(&sw->image[offset / 4], memory_order_relaxed);
}

void ontb_sw_put32(struct ontb_switchtec *sw, uint32_t offset, uint32_t value)
{
	atomic_store_explicit(&sw->image[offset / 4], value, memory_order_relaxed);
}

uint64_t ontb_sw_get64(const struct ontb_switchtec *sw, uint32_t offset)
{
	return ontb_sw_get32(sw, offset) | (uint64_t)ontb_sw_get32(sw, offset + 4) << 32;
}

void ontb_sw_put64(struct ontb_switchtec *sw, uint32_t offset, uint64_t value)
{
	ontb_sw_put32(sw, offset, (uint32_t)value);
	ontb_sw_put32(sw, offset + 4, (uint32_t)(value >> 32));
}

void ontb_sw_reset_block(struct ontb_switchtec *sw, enum ontb_sw_block block, unsigned int copy)
{
	uint32_t base = ontb_sw_blocks[block].base + copy * ontb_sw_blocks[block].size;

	for (size_t r = 0; r < ontb_sw_nr_regs; r++) {
		const struct ontb_sw_reg *reg = &ontb_sw_regs[r];

		if (reg->block != block)
			continue;
		for (unsigned int i = 0; i < reg->count; i++) {
			uint32_t offset = base + reg->offset + i * reg->stride;

			update(&sw->image[offset / 4], 8 * (offset % 4), reg->reset,
			       UINT64_MAX >> (64 - 8 * reg->width));
		}
	}
}

void ontb_sw_read(struct ontb_port *port, uint64_t offset, void *buf, size_t len)
{
	uint8_t *dst = buf;

	while (len) {
		struct ontb_sw_access access;
		uint8_t bytes[8] = { 0 };
		unsigned int part;
		size_t skip = 0, n = 1;

		if (find_here(port, offset, &access, &part)) {
			ontb_put_le64(bytes, access.reg->read ? access.reg->read(&access) : ontb_sw_get(&access));
			skip = offset - access.offset;
			n = access.reg->width - skip;
		}
		if (n > len)
			n = len;
		memcpy(dst, bytes + skip, n);
		offset += n;
		dst += n;
		len -= n;
	}
}

static bool may_write(const struct ontb_sw_access *access, unsigned int part)
{
	switch (ontb_sw_blocks[access->reg->block].writers) {
	case ONTB_SW_WRITERS_OWN:
		return part == access->port->idx;
	case ONTB_SW_WRITERS_PAIR:
		return part == access->port->idx || part == access->port->peer_idx;
	case ONTB_SW_WRITERS_ANY:
		break;
	}
	return true;
}

static void write_register(const struct ontb_sw_access *access, unsigned int part, uint64_t value, uint64_t mask)
{
	const struct ontb_sw_block_info *block = &ontb_sw_blocks[access->reg->block];

	if (access->reg->kind == ONTB_SW_RO)
		return;
	if (!may_write(access, part)) {
		if (block->is_quiet)
			return;
		ontb_count(&access->port->counters.unsupported, 1);
		ontb_port_fault(access->port, "write of 0x%llx to offset 0x%x: %s[%u] belongs to another host",
				(unsigned long long)value, access->offset, block->name, part);
		return;
	}
	if (access->reg->kind == ONTB_SW_RW)
		ontb_sw_put(access, value, mask);
	else
		access->reg->write(access, value, mask);
}

void ontb_sw_write(struct ontb_port *port, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *src = buf;

	while (len) {
		uint8_t bytes[8] = { 0 }, masks[8] = { 0 };
		struct ontb_sw_access access;
		size_t skip, n = 1;
		unsigned int part;

		if (find_here(port, offset, &access, &part)) {
			skip = offset - access.offset;
			n = access.reg->width - skip;
			if (n > len)
				n = len;
			memcpy(bytes + skip, src, n);
			memset(masks + skip, 0xff, n);
			write_register(&access, part, ontb_get_le64(bytes), ontb_get_le64(masks));
		}
		offset += n;
		src += n;
		len -= n;
	}
}
