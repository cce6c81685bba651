/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Capabilities of the exerciser that a bridge does not have.
 */
#ifndef ONTB_HW_EXERCISER_CAPS_H
#define ONTB_HW_EXERCISER_CAPS_H

#include <stdint.h>

#include "hw/bridge/config.h"

#define ONTB_CAP_ID_MSI	 0x05
#define ONTB_CAP_ID_EXP	 0x10
#define ONTB_CAP_ID_MSIX 0x11

/**
 * ontb_exerciser_cap_remove() - take a capability out of the list
 * @space: Configuration space; call ontb_config_reset() when all is done.
 * @id:    Capability id.
 */
void ontb_exerciser_cap_remove(struct ontb_config *space, uint8_t id);

/**
 * ontb_exerciser_cap_add_msi() - put an MSI capability at the end of the list
 * @space:       Configuration space, likewise.
 * @nr_messages: 1..32, a power of two; each can be masked.
 */
void ontb_exerciser_cap_add_msi(struct ontb_config *space, unsigned int nr_messages);

/**
 * ontb_exerciser_cap_add_flr() - say in the PCI Express capability that the function can be reset
 * @space: Configuration space, likewise.
 */
void ontb_exerciser_cap_add_flr(struct ontb_config *space);

#endif
