// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Doorbell and message block of a partition.
 *
 * A host writes its own block; what it sends arrives in its partner's. All pairs use the same bit positions, so delivery
 * follows the pair and nothing else.
 */
#include "hw/switchtec/switchtec.h"

#include <string.h>

#include "base/bytes.h"
#include "base/trace.h"
#include "hw/bridge/link.h"
#include "hw/bridge/port.h"
#include "hw/switchtec/handlers.h"

#define DOORBELL_BITS (UINT64_MAX >> (64 - ONTB_SW_NR_DBELLS))

/* Layout of an inbound message register. */
#define IMSG_STATUS_SHIFT 32
#define IMSG_MASK_SHIFT	  40
#define IMSG_SRC_SHIFT	  48
#define IMSG_BYTE	  0xffULL

/* What Linux's driver says in its first message register: ntb_hw_switchtec.c, enum switchtec_msg. */
#define LINK_MESSAGE	0
#define MSG_LINK_UP	1
#define MSG_LINK_DOWN	2
#define MSG_FORCE_DOWN	4
#define LAST_REQUEST(m) ((m) == MSG_LINK_UP || (m) == MSG_LINK_DOWN || (m) == MSG_FORCE_DOWN)

void ontb_sw_dbmsg_reset(struct ontb_switchtec *sw, unsigned int part)
{
	ontb_sw_reset_block(sw, ONTB_SW_BLOCK_DBMSG, part);
	ontb_lock(&sw->parts[part].msg_lock);
	memset(sw->parts[part].imsgs, 0, sizeof(sw->parts[part].imsgs));
	ontb_unlock(&sw->parts[part].msg_lock);
}

static struct ontb_port *partner_of(const struct ontb_sw_access *access)
{
	return &access->sw->bridge.ports[access->port->peer_idx];
}

void ontb_sw_write_odb(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	uint64_t may_send = ontb_sw_get64(access->sw, ontb_sw_dbmsg(access->copy) + ONTB_SW_DBMSG_ODB_MASK);

	value &= mask & may_send & DOORBELL_BITS;
	if (value)
		ontb_doorbell_ring(partner_of(access), value);
}

uint64_t ontb_sw_read_idb(const struct ontb_sw_access *access)
{
	uint64_t pending;

	ontb_doorbell_snapshot(&access->sw->bridge.ports[access->copy], &pending, NULL, NULL);
	return pending;
}

void ontb_sw_write_idb(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	ontb_doorbell_clear(access->port, value & mask);
}

uint64_t ontb_sw_read_idb_mask(const struct ontb_sw_access *access)
{
	uint64_t enabled;

	ontb_doorbell_snapshot(&access->sw->bridge.ports[access->copy], NULL, &enabled, NULL);
	return enabled;
}

void ontb_sw_write_idb_mask(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	ontb_doorbell_enable(access->port, value, mask);
}

uint64_t ontb_sw_read_vec_map(const struct ontb_sw_access *access)
{
	return ontb_doorbell_vector(&access->sw->bridge.ports[access->copy], access->idx);
}

void ontb_sw_write_vec_map(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	(void)mask;
	ontb_doorbell_set_vector(access->port, access->idx, (uint8_t)value);
}

static void trace_message(const struct ontb_port *from, const struct ontb_port *to, unsigned int reg_idx, uint32_t msg,
			  bool is_overwrite)
{
	ontb_trace_emit(from->bridge->trace, &(struct ontb_trace_event){
						     .category = "message",
						     .name = is_overwrite ? "message overwrites" : "message",
						     .port_idx = from->idx,
						     .args = { { .key = "to", .num = to->idx },
							       { .key = "imsg", .num = reg_idx },
							       { .key = "value", .num = msg, .hex = true } },
					     });
}

/* A message that finds one before it overwrites it: senders do not look at a status. */
static void receive(struct ontb_port *from, struct ontb_port *to, unsigned int reg_idx, uint32_t msg)
{
	struct ontb_switchtec *sw = ontb_sw_of(to);
	struct ontb_sw_part *part = &sw->parts[to->idx];
	struct ontb_sw_imsg *imsg = &part->imsgs[reg_idx];
	bool is_overwrite, is_enabled;

	ontb_lock(&part->msg_lock);
	is_overwrite = imsg->status;
	is_enabled = imsg->mask;
	imsg->msg = msg;
	imsg->status = 1;
	imsg->src = (uint8_t)from->idx;
	ontb_unlock(&part->msg_lock);
	ontb_bridge_message_came(to);
	if (ontb_unlikely(sw->bridge.trace))
		trace_message(from, to, reg_idx, msg, is_overwrite);
	if (is_enabled)
		ontb_port_raise_vector(to, ontb_doorbell_vector(to, ONTB_SW_NR_DBELLS + reg_idx));
}

void ontb_sw_write_omsg(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	struct ontb_port *from = access->port, *to = partner_of(access);
	uint32_t routes, msg;

	ontb_sw_put(access, value, mask);
	msg = (uint32_t)ontb_sw_get(access);
	if (access->idx == LINK_MESSAGE && LAST_REQUEST(msg))
		ontb_link_set_ready(from, msg == MSG_LINK_UP);
	if (!ontb_port_is_attached(to))
		return;
	routes = ontb_sw_get32(access->sw, ontb_sw_dbmsg(to->idx) + ONTB_SW_DBMSG_MSG_MAP);
	for (unsigned int i = 0; i < ONTB_SW_NR_MSGS; i++) {
		if ((routes >> (8 * i) & 0xff) == (from->idx << 2 | access->idx))
			receive(from, to, i, msg);
	}
}

uint64_t ontb_sw_read_imsg(const struct ontb_sw_access *access)
{
	struct ontb_sw_part *part = &access->sw->parts[access->copy];
	struct ontb_sw_imsg imsg;

	ontb_lock(&part->msg_lock);
	imsg = part->imsgs[access->idx];
	ontb_unlock(&part->msg_lock);
	return imsg.msg | (uint64_t)imsg.status << IMSG_STATUS_SHIFT | (uint64_t)imsg.mask << IMSG_MASK_SHIFT |
	       (uint64_t)imsg.src << IMSG_SRC_SHIFT;
}

/* Status is cleared by writing 1, mask is storage (1 = may interrupt), the rest is read-only. */
void ontb_sw_write_imsg(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	struct ontb_sw_part *part = &access->sw->parts[access->copy];
	struct ontb_sw_imsg *imsg = &part->imsgs[access->idx];
	bool is_unmasked = false;

	ontb_lock(&part->msg_lock);
	if (value & mask & 1ULL << IMSG_STATUS_SHIFT)
		imsg->status = 0;
	if (mask & IMSG_BYTE << IMSG_MASK_SHIFT) {
		uint8_t enable = value >> IMSG_MASK_SHIFT & 1;

		is_unmasked = enable && !imsg->mask && imsg->status;
		imsg->mask = enable;
	}
	ontb_unlock(&part->msg_lock);
	if (is_unmasked)
		ontb_port_raise_vector(access->port,
				       ontb_doorbell_vector(access->port, ONTB_SW_NR_DBELLS + access->idx));
}

/* Only the partition's own host can have held-back interrupts that it may ask for. */
uint64_t ontb_sw_read_pba(const struct ontb_sw_access *access)
{
	uint64_t bits = 0;

	if (access->copy != access->port->idx)
		return 0;
	for (unsigned int v = 0; v < 64; v++) {
		if (ontb_port_vector_pending(access->port, access->idx * 64 + v))
			bits |= 1ULL << v;
	}
	return bits;
}
