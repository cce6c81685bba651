// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Register names for traces and error messages.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openntb/switchtec.h>

#include "hw/switchtec/regs.h"

static void format_block(const struct ontb_sw_access *access, char *buf, size_t len)
{
	const struct ontb_sw_block_info *block = &ontb_sw_blocks[access->reg->block];

	if (block->max_copies > 1)
		(void)snprintf(buf, len, "%s[%u]", block->name, access->copy);
	else
		(void)snprintf(buf, len, "%s", block->name);
}

static void format_register(const struct ontb_sw_access *access, char *buf, size_t len)
{
	const char *name = access->reg->name, *hash = strchr(name, '#');

	if (hash)
		(void)snprintf(buf, len, "%.*s%u%s", (int)(hash - name), name, access->idx, hash + 1);
	else
		(void)snprintf(buf, len, "%s", name);
}

bool ontb_switchtec_register_name(uint64_t offset, char *buf, size_t len)
{
	struct ontb_sw_access access = { 0 };
	char block[24], reg[40];

	if (!ontb_sw_find_register(offset, &access)) {
		(void)snprintf(buf, len, "0x%" PRIx64, offset);
		return false;
	}
	format_block(&access, block, sizeof(block));
	format_register(&access, reg, sizeof(reg));
	if (offset == access.offset)
		(void)snprintf(buf, len, "%s.%s", block, reg);
	else
		(void)snprintf(buf, len, "%s.%s+%u", block, reg, (unsigned int)(offset - access.offset));
	return true;
}
