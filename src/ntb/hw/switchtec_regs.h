/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Registers of the part as the driver uses them, and what two drivers share in memory: docs/ntb.md says where it is from.
 */
#ifndef ONTB_NTB_HW_SWITCHTEC_REGS_H
#define ONTB_NTB_HW_SWITCHTEC_REGS_H

#include <stdint.h>

#define ONTB_SWTEC_VENDOR 0x11f8
#define ONTB_SWTEC_CLASS  0x068000U

/* Blocks in BAR0, partition p, function p. */
#define ONTB_SWTEC_SYSINFO    0x2000U
#define ONTB_SWTEC_PARTCFG(p) (0x4000U + 0x400U * (p))
#define ONTB_SWTEC_NTBINFO    0x10000U
#define ONTB_SWTEC_CTRL(p)    (0x14000U + 0x2000U * (p))
#define ONTB_SWTEC_DBMSG(p)   (0x74000U + 0x4000U * (p))
#define ONTB_SWTEC_PFF(i)     (0x134000U + 0x1000U * (i))
#define ONTB_SWTEC_MAX_PARTS  48U
#define ONTB_SWTEC_MAX_PFFS   255U
#define ONTB_SWTEC_MIN_BAR0   0x234000U

#define ONTB_SWTEC_PARTCFG_VEP_PFF    0x14U
#define ONTB_SWTEC_PARTCFG_VEP_VECTOR 0x100U

#define ONTB_SWTEC_NTBINFO_COUNT     0x00U
#define ONTB_SWTEC_NTBINFO_ID	     0x01U
#define ONTB_SWTEC_NTBINFO_MAP	     0x04U
#define ONTB_SWTEC_NTBINFO_RID	     0x0cU
#define ONTB_SWTEC_NTBINFO_XLINK(p)  (0x20U + 16U * (p))
#define ONTB_SWTEC_NTBINFO_TARGET(p) (0x24U + 16U * (p))

/* Control block */
#define ONTB_SWTEC_CTRL_STATUS	     0x00U
#define ONTB_SWTEC_CTRL_OP	     0x04U
#define ONTB_SWTEC_CTRL_BAR_ERROR    0x10U
#define ONTB_SWTEC_CTRL_NR_LUTS	     0x14U
#define ONTB_SWTEC_CTRL_LUT_ERROR    0x18U
#define ONTB_SWTEC_CTRL_NR_REQ_IDS   0x1cU
#define ONTB_SWTEC_CTRL_REQ_ID_ERROR 0x20U
#define ONTB_SWTEC_CTRL_BAR_CTL(b)   (0x40U + 16U * (b))
#define ONTB_SWTEC_CTRL_BAR_SIZE(b)  (0x44U + 16U * (b))
#define ONTB_SWTEC_CTRL_BAR_XLATE(b) (0x48U + 16U * (b))
#define ONTB_SWTEC_CTRL_BAR_EXT(b)   (0xa0U + 16U * (b))
#define ONTB_SWTEC_CTRL_REQ_ID(i)    (0x400U + 4U * (i))
#define ONTB_SWTEC_CTRL_LUT(i)	     (0x1000U + 8U * (i))

#define ONTB_SWTEC_OP_LOCK	1U
#define ONTB_SWTEC_OP_CONFIGURE 2U
#define ONTB_SWTEC_OP_RESET	3U

#define ONTB_SWTEC_STATUS_NORMAL      1U
#define ONTB_SWTEC_STATUS_LOCKED      2U
#define ONTB_SWTEC_STATUS_LOCKING     3U
#define ONTB_SWTEC_STATUS_CONFIGURING 4U

#define ONTB_SWTEC_CTL_VALID	   0x1U
#define ONTB_SWTEC_CTL_DIRECT	   0x10U
#define ONTB_SWTEC_CTL_LUT	   0x20U
#define ONTB_SWTEC_CTL_LUT_SHIFT   8
#define ONTB_SWTEC_CTL_COUNT_SHIFT 14
#define ONTB_SWTEC_SIZE_MASK	   0xfffff000U
#define ONTB_SWTEC_LUT_ENABLED	   1U
#define ONTB_SWTEC_LUT_ERROR	   0x80000000U
#define ONTB_SWTEC_MAX_LUTS	   512U
#define ONTB_SWTEC_MAX_REQ_IDS	   512U
#define ONTB_SWTEC_REQ_ID_ENABLED  1U
#define ONTB_SWTEC_LUT_SHIFT	   16U
#define ONTB_SWTEC_LUT_SIZE	   (1ULL << ONTB_SWTEC_LUT_SHIFT)
#define ONTB_SWTEC_MIN_WINDOW	   0x1000ULL
#define ONTB_SWTEC_MAX_WINDOW	   (1ULL << 46)

/* Doorbell and message block */
#define ONTB_SWTEC_ODB	       0x1000U
#define ONTB_SWTEC_ODB_MASK    0x1008U
#define ONTB_SWTEC_IDB	       0x1010U
#define ONTB_SWTEC_IDB_MASK    0x1018U
#define ONTB_SWTEC_VEC_MAP(i)  (0x1020U + (i))
#define ONTB_SWTEC_MSG_MAP     0x1060U
#define ONTB_SWTEC_OMSG(i)     (0x1068U + 8U * (i))
#define ONTB_SWTEC_IMSG(i)     (0x1088U + 8U * (i))
#define ONTB_SWTEC_NR_MSGS     4U
#define ONTB_SWTEC_NR_VECS     64U
#define ONTB_SWTEC_FIRST_MSG   60U
#define ONTB_SWTEC_DB_VALID    0x0fffffffULL
#define ONTB_SWTEC_DB_SHIFT    32U
#define ONTB_SWTEC_DB_ALL      0x0fffffffffffffffULL
#define ONTB_SWTEC_IMSG_STATUS (1ULL << 32)
#define ONTB_SWTEC_IMSG_ENABLE (1ULL << 40)
#define ONTB_SWTEC_IMSG_CLEAR  4U /* offset of the byte that clears it */

/* Events */
#define ONTB_SWTEC_PFF_LINK_STATE 0xd30U
#define ONTB_SWTEC_EV_CLEAR	  0x1U
#define ONTB_SWTEC_EV_IRQ	  0x8U
#define ONTB_SWTEC_EV_COUNT(hdr)  ((hdr) >> 5 & 0xffU)

/* Messages in register 0: what drivers say about the link. */
#define ONTB_SWTEC_MSG_UP	  1U
#define ONTB_SWTEC_MSG_DOWN	  2U
#define ONTB_SWTEC_MSG_CHECK	  3U
#define ONTB_SWTEC_MSG_FORCE_DOWN 4U

/* The page that each driver shows to the other one, layout of Linux 6.12. */
#define ONTB_SWTEC_PAGE_SIZE	 ONTB_SWTEC_LUT_SIZE
#define ONTB_SWTEC_PAGE_MAGIC	 0x00U
#define ONTB_SWTEC_PAGE_LINK	 0x04U
#define ONTB_SWTEC_PAGE_PART	 0x08U
#define ONTB_SWTEC_PAGE_SIZES(i) (0x10U + 8U * (i))
#define ONTB_SWTEC_PAGE_SPAD(i)	 (0x410U + 4U * (i))
#define ONTB_SWTEC_MAX_WINDOWS	 128U
#define ONTB_SWTEC_NR_SPADS	 128U
#define ONTB_SWTEC_MAGIC	 0x45cc0001U
/* Linux leaves this zero. We count sessions of the link here, so that the other one notices a short interruption. */
#define ONTB_SWTEC_PAGE_SESSION 0xff0U
/* From here on the page is the clients'. */
#define ONTB_SWTEC_PAGE_CLIENT 0x1000U

/* Guard: an extension of the emulated part, found by its magic. */
#define ONTB_SWTEC_GUARD	   0x300000U
#define ONTB_SWTEC_GUARD_VERSION   0x04U
#define ONTB_SWTEC_GUARD_NR_SLOTS  0x08U
#define ONTB_SWTEC_GUARD_CONTROL   0x0cU
#define ONTB_SWTEC_GUARD_SLOT(i)   (0x301000U + 0x10U * (i))
#define ONTB_SWTEC_GUARD_SLOT_DATA 0x08U
#define ONTB_SWTEC_GUARD_SLOT_CTRL 0x0cU
#define ONTB_SWTEC_GUARD_ON	   1U
#define ONTB_SWTEC_GUARD_RESET	   2U
#define ONTB_SWTEC_GUARD_MAGIC	   0x6472476fU
#define ONTB_SWTEC_GUARD_MAX_SLOTS 16384U

#endif
