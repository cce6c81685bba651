// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Capabilities: changes to the list that src/hw/bridge/config.c makes. Layouts are those of PCIe 5.0, 7.7.1 "MSI Capability
 * Structures" and 7.5.3.3 "Device Capabilities Register".
 */
#include "hw/exerciser/caps.h"

#include "base/bytes.h"

#define CFG_CAP_PTR 0x34
/* Behind all that config.c uses. */
#define MSI_CAP		0xa0
#define MSI_CONTROL	(MSI_CAP + 0x02)
#define MSI_ADDR	(MSI_CAP + 0x04)
#define MSI_ADDR_HIGH	(MSI_CAP + 0x08)
#define MSI_DATA	(MSI_CAP + 0x0c)
#define MSI_MASK	(MSI_CAP + 0x10)
#define CONTROL_ENABLE	0x0001
#define CONTROL_MULTI	1
#define CONTROL_GRANTED 0x0070
#define CONTROL_64BIT	0x0080
#define CONTROL_MASKS	0x0100
#define EXP_DEVCAP	0x04
#define DEVCAP_FLR	0x10000000

/* Where the list says which capability comes next: the offset of that byte. The list is ours and has no circle. */
static unsigned int find_link(const struct ontb_config *space, uint8_t id)
{
	unsigned int link = CFG_CAP_PTR;

	while (space->reset[link] && space->reset[space->reset[link]] != id)
		link = space->reset[link] + 1U;
	return link;
}

void ontb_exerciser_cap_remove(struct ontb_config *space, uint8_t id)
{
	unsigned int link = find_link(space, id), cap = space->reset[link];

	if (cap)
		space->reset[link] = space->reset[cap + 1];
}

void ontb_exerciser_cap_add_msi(struct ontb_config *space, unsigned int nr_messages)
{
	unsigned int log = (unsigned int)__builtin_ctz(nr_messages);
	uint32_t masks = nr_messages == 32 ? UINT32_MAX : (1U << nr_messages) - 1;

	space->reset[find_link(space, 0)] = MSI_CAP;
	ontb_put_le16(space->reset + MSI_CAP, ONTB_CAP_ID_MSI);
	ontb_put_le16(space->reset + MSI_CONTROL, (uint16_t)(CONTROL_64BIT | CONTROL_MASKS | log << CONTROL_MULTI));
	ontb_put_le16(space->masks + MSI_CONTROL, CONTROL_ENABLE | CONTROL_GRANTED);
	ontb_put_le32(space->masks + MSI_ADDR, 0xfffffffc);
	ontb_put_le32(space->masks + MSI_ADDR_HIGH, 0xffffffff);
	ontb_put_le16(space->masks + MSI_DATA, 0xffff);
	ontb_put_le32(space->masks + MSI_MASK, masks);
}

void ontb_exerciser_cap_add_flr(struct ontb_config *space)
{
	unsigned int cap = space->reset[find_link(space, ONTB_CAP_ID_EXP)];

	ontb_put_le32(space->reset + cap + EXP_DEVCAP, ontb_get_le32(space->reset + cap + EXP_DEVCAP) | DEVCAP_FLR);
}
