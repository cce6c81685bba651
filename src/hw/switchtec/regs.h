/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The register table of BAR0 ("GAS", the switch's global address space) and how an access finds its way through it.
 *
 * One table says for each register where it is, how wide, who may change it and how it starts. Most registers are just
 * storage in one image; the few that act have a handler. An access of any width and alignment is cut at register borders,
 * in ascending order; space that no register has reads as zero and ignores writes.
 */
#ifndef ONTB_HW_SWITCHTEC_REGS_H
#define ONTB_HW_SWITCHTEC_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ontb_port;
struct ontb_switchtec;

/* Where the blocks start, and the size of one copy. */
#define ONTB_SW_MRPC		0x0
#define ONTB_SW_MRPC_SIZE	0x1000
#define ONTB_SW_SWEV		0x1800
#define ONTB_SW_SWEV_SIZE	0x800
#define ONTB_SW_SYSINFO		0x2000
#define ONTB_SW_SYSINFO_SIZE	0x2000
#define ONTB_SW_PARTCFG		0x4000
#define ONTB_SW_PARTCFG_SIZE	0x400
#define ONTB_SW_NTBINFO		0x10000
#define ONTB_SW_NTBINFO_SIZE	0x4000
#define ONTB_SW_CTRL		0x14000
#define ONTB_SW_CTRL_SIZE	0x2000
#define ONTB_SW_DBMSG		0x74000
#define ONTB_SW_DBMSG_SIZE	0x4000
#define ONTB_SW_PFF		0x134000
#define ONTB_SW_PFF_SIZE	0x1000
#define ONTB_SW_MAX_PFFS	255
#define ONTB_SW_GUARD		0x300000
#define ONTB_SW_GUARD_PAGE	0x1000
#define ONTB_SW_GUARD_SLOT	0x301000
#define ONTB_SW_GUARD_SLOT_SIZE 0x10
#define ONTB_SW_BAR0_SIZE	0x400000
#define ONTB_SW_MSIX_TABLE	0x2000
#define ONTB_SW_MSIX_PBA	0x3000
#define ONTB_SW_MAX_LUTS	512
#define ONTB_SW_MAX_REQ_IDS	512
#define ONTB_SW_PFFS_PER_PORT	2

/* Offsets inside a block that code besides the table needs. */
#define ONTB_SW_SYSINFO_DEVICE_ID 0x00
#define ONTB_SW_PARTCFG_USP_PFF	  0x10
#define ONTB_SW_PARTCFG_VEP_PFF	  0x14
#define ONTB_SW_PARTCFG_EV_RESET  0x124
#define ONTB_SW_PARTCFG_EV_MRPC	  0x13c
#define ONTB_SW_NTBINFO_COUNT	  0x00
#define ONTB_SW_NTBINFO_EP_MAP	  0x04
#define ONTB_SW_NTBINFO_PART(p)	  (0x20 + 16 * (p))
#define ONTB_SW_CTRL_BAR_ERROR	  0x10
#define ONTB_SW_CTRL_LUT_ENTRIES  0x14
#define ONTB_SW_CTRL_LUT_ERROR	  0x18
#define ONTB_SW_CTRL_REQ_ID_SIZE  0x1c
#define ONTB_SW_CTRL_BAR_CTL(b)	  (0x40 + 16 * (b))
#define ONTB_SW_CTRL_BAR_SIZE(b)  (0x44 + 16 * (b))
#define ONTB_SW_CTRL_BAR_XLATE(b) (0x48 + 16 * (b))
#define ONTB_SW_CTRL_BAR_EXT(b)	  (0xa0 + 16 * (b))
#define ONTB_SW_CTRL_REQ_ID(i)	  (0x400 + 4 * (i))
#define ONTB_SW_CTRL_LUT(i)	  (0x1000 + 8 * (i))
#define ONTB_SW_DBMSG_ODB_MASK	  0x1008
#define ONTB_SW_DBMSG_MSG_MAP	  0x1060
#define ONTB_SW_PFF_LINK_STATUS	  0x74
#define ONTB_SW_PFF_EV_LINK_STATE 0xd30
#define ONTB_SW_MRPC_INPUT	  0x000
#define ONTB_SW_MRPC_OUTPUT	  0x400
#define ONTB_SW_MRPC_CMD	  0x800
#define ONTB_SW_MRPC_STATUS	  0x804
#define ONTB_SW_MRPC_RET_VALUE	  0x808
#define ONTB_SW_GUARD_MAGIC	  0x00
#define ONTB_SW_GUARD_VERSION	  0x04
#define ONTB_SW_GUARD_NR_SLOTS	  0x08
#define ONTB_SW_GUARD_CONTROL	  0x0c
#define ONTB_SW_GUARD_RANGE_FIRST 0x10
#define ONTB_SW_GUARD_RANGE_SIZE  0x18
#define ONTB_SW_GUARD_BLOCKED	  0x20
#define ONTB_SW_GUARD_SLOT_ADDR	  0x00
#define ONTB_SW_GUARD_SLOT_DATA	  0x08
#define ONTB_SW_GUARD_SLOT_CTRL	  0x0c

/* "oGrd", and what this layout is called. */
#define ONTB_SW_GUARD_MAGIC_VALUE   0x6472476fU
#define ONTB_SW_GUARD_VERSION_VALUE 1U

enum ontb_sw_block {
	ONTB_SW_BLOCK_MRPC,
	ONTB_SW_BLOCK_SWEV,
	ONTB_SW_BLOCK_SYSINFO,
	ONTB_SW_BLOCK_PARTCFG,
	ONTB_SW_BLOCK_NTBINFO,
	ONTB_SW_BLOCK_CTRL,
	ONTB_SW_BLOCK_DBMSG,
	ONTB_SW_BLOCK_PFF,
	ONTB_SW_BLOCK_GUARD,
	ONTB_SW_BLOCK_GUARD_SLOT,
	ONTB_SW_NR_BLOCKS,
};

/* Who may write into a copy of a block. Everybody may read. */
enum ontb_sw_writers {
	ONTB_SW_WRITERS_ANY,  /* any host */
	ONTB_SW_WRITERS_PAIR, /* the hosts of the pair that the copy belongs to */
	ONTB_SW_WRITERS_OWN,  /* the host of the partition that the copy belongs to */
};

enum ontb_sw_access_kind {
	ONTB_SW_RO,   /* storage that only the switch changes */
	ONTB_SW_RW,   /* storage */
	ONTB_SW_ACTS, /* the write handler decides */
};

/**
 * struct ontb_sw_access - an access to one register
 * @sw:     Switch.
 * @port:   Port whose host accesses it.
 * @reg:    Register.
 * @copy:   Which copy of the block: a partition, a PFF, or a slot of the guard.
 * @idx:    Which of the registers of that name.
 * @offset: Offset of the register in BAR0.
 */
struct ontb_sw_access {
	struct ontb_switchtec *sw;
	struct ontb_port *port;
	const struct ontb_sw_reg *reg;
	unsigned int copy;
	unsigned int idx;
	uint32_t offset;
};

/**
 * struct ontb_sw_reg - a row of the register table
 * @name:   Name; "#" stands for the index.
 * @block:  Block.
 * @offset: Offset of the first one in the block.
 * @width:  Bytes: 1, 2, 4 or 8.
 * @count:  How many of that name.
 * @stride: Bytes from one to the next.
 * @gens:   Bit mask of the generations that have it, bit 3 for Gen3; 0 for all.
 * @kind:   What a write does.
 * @reset:  Value after a reset.
 * @read:   Handler, or NULL to read the storage.
 * @write:  Handler of ONTB_SW_ACTS; only the bits of mask are written.
 * @source: Where the facts come from: see the README beside this file.
 */
struct ontb_sw_reg {
	const char *name;
	enum ontb_sw_block block;
	uint16_t offset;
	uint8_t width;
	uint16_t count;
	uint16_t stride;
	uint8_t gens;
	enum ontb_sw_access_kind kind;
	uint64_t reset;
	uint64_t (*read)(const struct ontb_sw_access *access);
	void (*write)(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
	const char *source;
};

/**
 * struct ontb_sw_block_info - a block
 * @name:       Name.
 * @base:       Offset of the first copy in BAR0.
 * @size:       Bytes of a copy.
 * @max_copies: Copies there is room for.
 * @writers:    Who may write.
 * @is_private: Each host sees storage of its own.
 * @is_quiet:   A write by somebody who may not is normal and not worth a log line.
 */
struct ontb_sw_block_info {
	const char *name;
	uint32_t base;
	uint32_t size;
	unsigned int max_copies;
	enum ontb_sw_writers writers;
	bool is_private;
	bool is_quiet;
};

extern const struct ontb_sw_reg ontb_sw_regs[];
extern const size_t ontb_sw_nr_regs;
extern const struct ontb_sw_block_info ontb_sw_blocks[ONTB_SW_NR_BLOCKS];

/**
 * ontb_sw_find_register() - which register has a byte of BAR0
 * @offset: Byte.
 * @access: OUT: @reg, @copy, @idx and @offset are filled, the rest is left alone.
 *
 * Context: Any. Constant time.
 * Return: True if there is one in a switch of the largest size.
 */
bool ontb_sw_find_register(uint64_t offset, struct ontb_sw_access *access);

/**
 * ontb_sw_read() - read registers for a host
 * @port:   Port of the host.
 * @offset: First byte in BAR0.
 * @buf:    OUT.
 * @len:    Bytes.
 */
void ontb_sw_read(struct ontb_port *port, uint64_t offset, void *buf, size_t len);

/**
 * ontb_sw_write() - write registers for a host
 * @port:   Port of the host.
 * @offset: First byte in BAR0.
 * @buf:    Bytes.
 * @len:    How many.
 */
void ontb_sw_write(struct ontb_port *port, uint64_t offset, const void *buf, size_t len);

/**
 * ontb_sw_get() - storage of a register
 * @access: Access.
 *
 * Return: Its value.
 */
uint64_t ontb_sw_get(const struct ontb_sw_access *access);

/**
 * ontb_sw_put() - change the storage of a register
 * @access: Access.
 * @value:  New value.
 * @mask:   Bits that change. Other bits may be changed by others at the same time.
 */
void ontb_sw_put(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);

/**
 * ontb_sw_get32() - a word of the common storage
 * @sw:     Switch.
 * @offset: Offset in BAR0, a multiple of 4, in a block that is not private.
 *
 * Return: Its value.
 */
uint32_t ontb_sw_get32(const struct ontb_switchtec *sw, uint32_t offset);

/**
 * ontb_sw_put32() - change a word of the common storage
 * @sw:     Switch.
 * @offset: As above.
 * @value:  New value.
 */
void ontb_sw_put32(struct ontb_switchtec *sw, uint32_t offset, uint32_t value);

/**
 * ontb_sw_get64() - two words of the common storage
 * @sw:     Switch.
 * @offset: As above.
 *
 * Return: Their value, the first word in the lower half.
 */
uint64_t ontb_sw_get64(const struct ontb_switchtec *sw, uint32_t offset);

/**
 * ontb_sw_put64() - change two words of the common storage
 * @sw:     Switch.
 * @offset: As above.
 * @value:  New value.
 */
void ontb_sw_put64(struct ontb_switchtec *sw, uint32_t offset, uint64_t value);

/**
 * ontb_sw_reset_block() - put the reset values of the table into a copy of a block
 * @sw:    Switch.
 * @block: Block that is not private.
 * @copy:  Copy.
 */
void ontb_sw_reset_block(struct ontb_switchtec *sw, enum ontb_sw_block block, unsigned int copy);

static inline uint32_t ontb_sw_partcfg(unsigned int part)
{
	return ONTB_SW_PARTCFG + part * ONTB_SW_PARTCFG_SIZE;
}

static inline uint32_t ontb_sw_ctrl(unsigned int part)
{
	return ONTB_SW_CTRL + part * ONTB_SW_CTRL_SIZE;
}

static inline uint32_t ontb_sw_dbmsg(unsigned int part)
{
	return ONTB_SW_DBMSG + part * ONTB_SW_DBMSG_SIZE;
}

static inline uint32_t ontb_sw_guard_slot(unsigned int slot)
{
	return ONTB_SW_GUARD_SLOT + slot * ONTB_SW_GUARD_SLOT_SIZE;
}

static inline uint32_t ontb_sw_pff(unsigned int pff)
{
	return ONTB_SW_PFF + pff * ONTB_SW_PFF_SIZE;
}

/* A partition has two PFFs ("PCI function frameworks"): its upstream port, then its NT endpoint. */
static inline unsigned int ontb_sw_usp_pff(unsigned int part)
{
	return ONTB_SW_PFFS_PER_PORT * part;
}

static inline unsigned int ontb_sw_vep_pff(unsigned int part)
{
	return ONTB_SW_PFFS_PER_PORT * part + 1;
}

#endif
