// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Doorbells and messages.
 *
 * The part has 64 doorbells for both directions: the lower partition receives bits 0 to 27, the other one 32 to 59, and clients
 * see bits 0 to 27 either way. Of the four message registers the first is the link's.
 */
#include <errno.h>

#include "ntb/hw/switchtec.h"

#define LINK_REG     0U
#define NR_LINK_REGS 1U

static uint32_t own_block(const struct ontb_swtec *sw)
{
	return ONTB_SWTEC_DBMSG(sw->self);
}

static unsigned int in_shift(const struct ontb_swtec *sw)
{
	return sw->self < sw->peer ? 0 : ONTB_SWTEC_DB_SHIFT;
}

static unsigned int out_shift(const struct ontb_swtec *sw)
{
	return ONTB_SWTEC_DB_SHIFT - in_shift(sw);
}

/* The upper four bits are the message registers': their interrupts have masks of their own. */
static void write_enabled(struct ontb_swtec *sw, uint64_t enabled) ONTB_MUST_HOLD(&sw->db_lock)
{
	sw->db_enabled = enabled;
	ontb_swtec_write64(sw, own_block(sw) + ONTB_SWTEC_IDB_MASK, enabled << in_shift(sw) | ~ONTB_SWTEC_DB_ALL);
}

void ontb_swtec_init_dbmsg(struct ontb_swtec *sw)
{
	uint32_t base = own_block(sw), routes = 0;

	ontb_lock(&sw->db_lock);
	write_enabled(sw, 0);
	ontb_unlock(&sw->db_lock);
	ontb_swtec_write64(sw, base + ONTB_SWTEC_ODB_MASK, ONTB_SWTEC_DB_VALID << out_shift(sw));
	/* What rang for a driver before this one. */
	ontb_swtec_write64(sw, base + ONTB_SWTEC_IDB, ONTB_SWTEC_DB_ALL);
	for (unsigned int i = 0; i < ONTB_SWTEC_NR_MSGS; i++)
		routes |= (i | sw->peer << 2) << (8 * i);
	for (unsigned int i = 0; i < ONTB_SWTEC_NR_VECS; i++)
		ontb_pci_bar_write8(sw->dev, 0, base + ONTB_SWTEC_VEC_MAP(i),
				    (uint8_t)sw->entries[i < ONTB_SWTEC_FIRST_MSG ? ONTB_SWTEC_IRQ_DOORBELL
										  : ONTB_SWTEC_IRQ_MESSAGE]);
	ontb_swtec_write32(sw, base + ONTB_SWTEC_MSG_MAP, routes);
	for (unsigned int i = 0; i < ONTB_SWTEC_NR_MSGS; i++)
		ontb_swtec_write64(sw, base + ONTB_SWTEC_IMSG(i), ONTB_SWTEC_IMSG_STATUS | ONTB_SWTEC_IMSG_ENABLE);
}

void ontb_swtec_quiet_dbmsg(struct ontb_swtec *sw)
{
	ontb_lock(&sw->db_lock);
	write_enabled(sw, 0);
	ontb_unlock(&sw->db_lock);
	for (unsigned int i = 0; i < ONTB_SWTEC_NR_MSGS; i++)
		ontb_swtec_write64(sw, own_block(sw) + ONTB_SWTEC_IMSG(i), ONTB_SWTEC_IMSG_STATUS);
}

uint64_t ontb_swtec_db_valid(struct ontb_ntb *ntb)
{
	(void)ntb;
	return ONTB_SWTEC_DB_VALID;
}

uint64_t ontb_swtec_db_read(struct ontb_ntb *ntb)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);

	return ontb_swtec_read64(sw, own_block(sw) + ONTB_SWTEC_IDB) >> in_shift(sw) & ONTB_SWTEC_DB_VALID;
}

void ontb_swtec_db_clear(struct ontb_ntb *ntb, uint64_t bits)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);

	ontb_swtec_write64(sw, own_block(sw) + ONTB_SWTEC_IDB, bits << in_shift(sw));
}

void ontb_swtec_db_mask(struct ontb_ntb *ntb, uint64_t bits)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);

	ontb_lock(&sw->db_lock);
	write_enabled(sw, sw->db_enabled & ~bits);
	ontb_unlock(&sw->db_lock);
}

/* The part interrupts for what is pending. */
void ontb_swtec_db_unmask(struct ontb_ntb *ntb, uint64_t bits)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);

	ontb_lock(&sw->db_lock);
	write_enabled(sw, sw->db_enabled | bits);
	ontb_unlock(&sw->db_lock);
}

void ontb_swtec_peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits)
{
	const struct ontb_swtec *sw = ontb_swtec_of(ntb);

	(void)peer;
	ontb_swtec_write64(sw, own_block(sw) + ONTB_SWTEC_ODB, bits << out_shift(sw));
}

void ontb_swtec_send(struct ontb_swtec *sw, unsigned int reg, uint32_t value)
{
	ontb_swtec_write32(sw, own_block(sw) + ONTB_SWTEC_OMSG(reg), value);
}

/*
 * A message that arrives between the look and the clearing must not be lost, nor be taken twice: so look once more. If there
 * is a new one after the clearing, it waits for the next call; if not, the register has the last one that came.
 */
bool ontb_swtec_take(struct ontb_swtec *sw, unsigned int reg, uint32_t *value)
{
	uint32_t imsg = own_block(sw) + ONTB_SWTEC_IMSG(reg);
	uint64_t before, after;

	ontb_lock(&sw->msg_lock);
	before = ontb_swtec_read64(sw, imsg);
	/* All ones: the function is gone. */
	if (!(before & ONTB_SWTEC_IMSG_STATUS) || before == UINT64_MAX) {
		ontb_unlock(&sw->msg_lock);
		return false;
	}
	ontb_pci_bar_write8(sw->dev, 0, imsg + ONTB_SWTEC_IMSG_CLEAR, 1);
	after = ontb_swtec_read64(sw, imsg);
	ontb_unlock(&sw->msg_lock);
	*value = (uint32_t)(after & ONTB_SWTEC_IMSG_STATUS ? before : after);
	return true;
}

bool ontb_swtec_has_message(const struct ontb_swtec *sw)
{
	for (unsigned int i = NR_LINK_REGS; i < ONTB_SWTEC_NR_MSGS; i++) {
		if (ontb_swtec_read64(sw, own_block(sw) + ONTB_SWTEC_IMSG(i)) & ONTB_SWTEC_IMSG_STATUS)
			return true;
	}
	return false;
}

unsigned int ontb_swtec_msg_count(struct ontb_ntb *ntb)
{
	(void)ntb;
	return ONTB_SWTEC_NR_MSGS - NR_LINK_REGS;
}

int ontb_swtec_msg_read(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value)
{
	if (!ontb_swtec_take(ontb_swtec_of(ntb), NR_LINK_REGS + idx, value))
		return -EAGAIN;
	*peer = 0;
	return 0;
}

/*
 * Whether the last one was taken shows in the peer's register. UNSURE: that a real part lets a partition read its partner's
 * block is not known; Linux never does it. One that answers all zero or all ones overwrites, as Linux does.
 */
int ontb_swtec_peer_msg_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	unsigned int reg = NR_LINK_REGS + idx;
	uint64_t state;

	(void)peer;
	ontb_lock(&sw->msg_lock);
	state = ontb_swtec_read64(sw, ONTB_SWTEC_DBMSG(sw->peer) + ONTB_SWTEC_IMSG(reg));
	if (state & ONTB_SWTEC_IMSG_STATUS && state != UINT64_MAX) {
		ontb_unlock(&sw->msg_lock);
		return -EAGAIN;
	}
	ontb_swtec_send(sw, reg, value);
	ontb_unlock(&sw->msg_lock);
	return 0;
}
