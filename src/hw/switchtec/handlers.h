/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Handlers of the registers that act, for the table in regs.c. Each is called inside an access of access->port.
 */
#ifndef ONTB_HW_SWITCHTEC_HANDLERS_H
#define ONTB_HW_SWITCHTEC_HANDLERS_H

#include <stdint.h>

struct ontb_sw_access;

/* info.c */
uint64_t ontb_sw_read_partition_id(const struct ontb_sw_access *access);
uint64_t ontb_sw_read_requester_id(const struct ontb_sw_access *access);
uint64_t ontb_sw_read_link_status(const struct ontb_sw_access *access);

/* control.c */
uint64_t ontb_sw_read_part_status(const struct ontb_sw_access *access);
void ontb_sw_write_part_op(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_setup(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_bar_entry(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_lut(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_req_id(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);

/* dbmsg.c */
void ontb_sw_write_odb(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_idb(const struct ontb_sw_access *access);
void ontb_sw_write_idb(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_idb_mask(const struct ontb_sw_access *access);
void ontb_sw_write_idb_mask(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_vec_map(const struct ontb_sw_access *access);
void ontb_sw_write_vec_map(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_omsg(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_imsg(const struct ontb_sw_access *access);
void ontb_sw_write_imsg(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_pba(const struct ontb_sw_access *access);

/* event.c */
void ontb_sw_write_event(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_part_bitmap(const struct ontb_sw_access *access);
uint64_t ontb_sw_read_part_summary(const struct ontb_sw_access *access);
uint64_t ontb_sw_read_pff_summary(const struct ontb_sw_access *access);

/* guard.c */
uint64_t ontb_sw_read_guard(const struct ontb_sw_access *access);
void ontb_sw_write_guard_range(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_guard_control(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
uint64_t ontb_sw_read_guard_slot(const struct ontb_sw_access *access);
void ontb_sw_write_guard_slot(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);
void ontb_sw_write_guard_slot_control(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);

/* mrpc.c */
void ontb_sw_write_mrpc_cmd(const struct ontb_sw_access *access, uint64_t value, uint64_t mask);

#endif
