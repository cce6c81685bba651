// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Management mailbox ("MRPC"): a command, its data and the answer.
 *
 * Each host has a mailbox of its own, so hosts do not see or disturb each other's commands. Commands are done when the
 * write returns. The emulated switch has no firmware to manage: it echoes, and answers all else as unknown. The answer
 * of an error must not be 0, because Linux takes "error, 0" for success (6.12 switchtec.c, mrpc_complete_cmd()).
 */
#include "hw/switchtec/switchtec.h"

#include <string.h>

#include "hw/bridge/port.h"
#include "hw/switchtec/handlers.h"

/* From the switchtec-user library: mrpc.h, errors.h. */
#define CMD_ECHO	65
#define ERR_CMD_INVALID 0x64005

#define STATUS_DONE  2
#define STATUS_ERROR 0xff

static void put_word(struct ontb_sw_part *part, uint32_t offset, uint32_t value)
{
	atomic_store_explicit(&part->mrpc[offset / 4], value, memory_order_relaxed);
}

static uint32_t get_word(const struct ontb_sw_part *part, uint32_t offset)
{
	return atomic_load_explicit(&part->mrpc[offset / 4], memory_order_relaxed);
}

void ontb_sw_mrpc_reset(struct ontb_switchtec *sw, unsigned int part)
{
	for (uint32_t w = 0; w < ONTB_SW_MRPC_WORDS; w++)
		put_word(&sw->parts[part], 4 * w, 0);
}

static void run_command(struct ontb_sw_part *part, uint32_t cmd)
{
	bool is_echo = cmd == CMD_ECHO;

	for (uint32_t i = 0; i < (ONTB_SW_MRPC_CMD - ONTB_SW_MRPC_OUTPUT) / 4; i++)
		put_word(part, ONTB_SW_MRPC_OUTPUT + 4 * i, 0);
	if (is_echo)
		put_word(part, ONTB_SW_MRPC_OUTPUT, ~get_word(part, ONTB_SW_MRPC_INPUT));
	put_word(part, ONTB_SW_MRPC_RET_VALUE, is_echo ? 0 : ERR_CMD_INVALID);
	put_word(part, ONTB_SW_MRPC_STATUS, is_echo ? STATUS_DONE : STATUS_ERROR);
}

void ontb_sw_write_mrpc_cmd(const struct ontb_sw_access *access, uint64_t value, uint64_t mask)
{
	unsigned int idx = access->port->idx;

	ontb_sw_put(access, value, mask);
	run_command(&access->sw->parts[idx], (uint32_t)ontb_sw_get(access));
	ontb_sw_event_raise(access->sw, ontb_sw_partcfg(idx) + ONTB_SW_PARTCFG_EV_MRPC, access->port);
}
