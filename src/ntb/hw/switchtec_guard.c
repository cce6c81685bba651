// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The guard: an extension of the emulated part that passes granted interrupt messages only. No real part has it.
 */
#include <errno.h>

#include "ntb/hw/switchtec.h"
#include "pci/pci.h"

unsigned int ontb_swtec_find_guard(const struct ontb_swtec *sw)
{
	struct ontb_pci_bar bar;
	unsigned int nr;

	if (ontb_pci_bar(sw->dev, 0, &bar) || bar.size < ONTB_SWTEC_GUARD_SLOT(0))
		return 0;
	if (ontb_swtec_read32(sw, ONTB_SWTEC_GUARD) != ONTB_SWTEC_GUARD_MAGIC ||
	    ontb_swtec_read32(sw, ONTB_SWTEC_GUARD + ONTB_SWTEC_GUARD_VERSION) != 1)
		return 0;
	nr = ontb_swtec_read32(sw, ONTB_SWTEC_GUARD + ONTB_SWTEC_GUARD_NR_SLOTS);
	if (nr <= ONTB_SWTEC_GUARD_MAX_SLOTS && ONTB_SWTEC_GUARD_SLOT(nr) <= bar.size)
		return nr;
	ontb_log(ONTB_LOG_WARNING, "%s: switchtec: a guard with %u slots: that cannot be, so it is not used",
		 ontb_pci_name(sw->dev), nr);
	return 0;
}

/* What a driver before this one let pass must not pass for this one. */
void ontb_swtec_reset_guard(struct ontb_swtec *sw)
{
	if (sw->nr_guards)
		ontb_swtec_write32(sw, ONTB_SWTEC_GUARD + ONTB_SWTEC_GUARD_CONTROL, ONTB_SWTEC_GUARD_RESET);
}

unsigned int ontb_swtec_guard_size(struct ontb_ntb *ntb)
{
	return ontb_swtec_of(ntb)->nr_guards;
}

/* The read waits until the write has been done, and with it every access that the old message let in. */
static int write_control(const struct ontb_swtec *sw, uint32_t offset, uint32_t value)
{
	ontb_swtec_write32(sw, offset, value);
	return ontb_swtec_read32(sw, offset) == value ? 0 : -EIO;
}

int ontb_swtec_guard_set(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	uint32_t base = ONTB_SWTEC_GUARD_SLOT(slot);
	int ret;

	ontb_lock(&sw->guard_lock);
	if (msg) {
		ontb_swtec_write64(sw, base, msg->addr);
		ontb_swtec_write32(sw, base + ONTB_SWTEC_GUARD_SLOT_DATA, msg->data);
	}
	ret = write_control(sw, base + ONTB_SWTEC_GUARD_SLOT_CTRL, msg ? 1 : 0);
	ontb_unlock(&sw->guard_lock);
	if (ret)
		ontb_log_limited(&sw->link_limit, ONTB_LOG_ERROR, "%s: switchtec: slot %u of the guard was refused",
				 ontb_pci_name(sw->dev), slot);
	return ret && ontb_pci_is_gone(sw->dev) ? -EFAULT : ret;
}

int ontb_swtec_guard_enable(struct ontb_ntb *ntb, bool on)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	int ret;

	ontb_lock(&sw->guard_lock);
	ret = write_control(sw, ONTB_SWTEC_GUARD + ONTB_SWTEC_GUARD_CONTROL, on ? ONTB_SWTEC_GUARD_ON : 0);
	ontb_unlock(&sw->guard_lock);
	if (ret)
		ontb_log(ONTB_LOG_ERROR, "%s: switchtec: the guard was not switched %s", ontb_pci_name(sw->dev),
			 on ? "on" : "off");
	return ret;
}
