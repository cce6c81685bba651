// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI: one message in configuration space, whose low data bits say which vector. PCIe 5.0, 7.7.1 "MSI Capability Structures".
 *
 * A message is several registers. With mask bits it is changed while all vectors are masked. Without them, a change of more
 * than one register switches MSI off meanwhile, so that no mixture of old and new is sent; an event that falls into this gap
 * would be lost, so the interrupts are raised once by hand after it.
 *
 * Stores to configuration space are answered, and the answer pushes what the function sent before it.
 */
#include "pci/pci.h"

#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "base/log.h"

#define CONTROL		2U
#define ADDR		4U
#define ADDR_HI		8U
#define DATA_32		8U /* with addresses of 32 bits */
#define DATA_64		12U
#define MASK_32		12U
#define MASK_64		16U
#define PENDING_32	16U
#define PENDING_64	20U
#define CONTROL_ON	0x0001U
#define CONTROL_MAX	0x000eU
#define CONTROL_MAX_POS 1
#define CONTROL_NR	0x0070U
#define CONTROL_NR_POS	4
#define CONTROL_64	0x0080U
#define CONTROL_MASKS	0x0100U
#define LOG2_MAX	5U

static unsigned int reg(const struct ontb_pci_dev *dev, unsigned int offset)
{
	return (unsigned int)dev->msi.cap + offset;
}

static unsigned int cap_len(const struct ontb_pci_msi *msi)
{
	if (msi->has_mask)
		return (msi->is_64 ? PENDING_64 : PENDING_32) + 4;
	return (msi->is_64 ? DATA_64 : DATA_32) + 2;
}

void ontb_pci_msi_init(struct ontb_pci_dev *dev)
{
	int cap = ontb_pci_find_cap(dev, PCI_CAP_ID_MSI, 0);
	struct ontb_pci_msi *msi = &dev->msi;
	const char *wrong = NULL;
	uint32_t control, log2;

	if (cap == -ENOENT)
		return;
	msi->cap = cap;
	if (cap < 0) {
		wrong = "is in a broken list";
	} else {
		control = ontb_pci_config_read(dev, reg(dev, CONTROL), 2);
		log2 = (control & CONTROL_MAX) >> CONTROL_MAX_POS;
		msi->is_64 = control & CONTROL_64;
		msi->has_mask = control & CONTROL_MASKS;
		msi->max = 1U << log2;
		if (log2 > LOG2_MAX)
			wrong = "wants a number of vectors that does not exist";
		else if ((unsigned int)cap + cap_len(msi) > PCI_END_CAPS)
			wrong = "ends behind the capabilities";
	}
	if (!wrong)
		return;
	ontb_log(ONTB_LOG_WARNING, "%s: MSI not usable: it %s", dev->name, wrong);
	msi->cap = -EPROTO;
	msi->max = 0;
}

/* Bits of all vectors in use. */
static uint32_t all_vectors(const struct ontb_pci_msi *msi)
{
	return UINT32_MAX >> (32 - msi->nr);
}

static void write_control(struct ontb_pci_dev *dev, bool is_on)
{
	uint32_t value = ontb_pci_config_read(dev, reg(dev, CONTROL), 2) & ~(CONTROL_ON | CONTROL_NR);
	unsigned int log2 = dev->msi.nr ? (unsigned int)__builtin_ctz(dev->msi.nr) : 0;

	ontb_pci_config_write(dev, reg(dev, CONTROL), 2, value | log2 << CONTROL_NR_POS | (is_on ? CONTROL_ON : 0));
	dev->msi.is_on = is_on;
}

static void write_mask(struct ontb_pci_dev *dev, uint32_t bits)
{
	if (dev->msi.has_mask)
		ontb_pci_config_write(dev, reg(dev, dev->msi.is_64 ? MASK_64 : MASK_32), 4, bits);
}

/* Masked is what is to be masked, and what has no message; not the vectors that are not in use, which are not ours. */
static void update_mask(struct ontb_pci_dev *dev)
{
	write_mask(dev, (dev->msi.is_masked | ~dev->msi.is_active) & all_vectors(&dev->msi));
}

static void write_regs(struct ontb_pci_dev *dev, const struct ontb_msi_msg *msg)
{
	ontb_pci_config_write(dev, reg(dev, ADDR), 4, (uint32_t)msg->addr);
	if (dev->msi.is_64)
		ontb_pci_config_write(dev, reg(dev, ADDR_HI), 4, (uint32_t)(msg->addr >> 32));
	ontb_pci_config_write(dev, reg(dev, dev->msi.is_64 ? DATA_64 : DATA_32), 2, msg->data);
	dev->msi.msg = *msg;
}

void ontb_pci_msi_start(struct ontb_pci_dev *dev, unsigned int nr)
{
	ontb_lock(&dev->vec_lock);
	dev->msi.nr = nr;
	dev->msi.is_masked = UINT32_MAX;
	dev->msi.is_active = 0;
	write_control(dev, false);
	update_mask(dev);
	ontb_unlock(&dev->vec_lock);
}

void ontb_pci_msi_stop(struct ontb_pci_dev *dev)
{
	ontb_lock(&dev->vec_lock);
	dev->msi.nr = 0;
	write_control(dev, false);
	ontb_unlock(&dev->vec_lock);
}

void ontb_pci_msi_forget(struct ontb_pci_dev *dev)
{
	ontb_lock(&dev->vec_lock);
	dev->msi.is_active = 0;
	write_control(dev, false);
	update_mask(dev);
	ontb_unlock(&dev->vec_lock);
}

int ontb_pci_msi_pending(struct ontb_pci_dev *dev, unsigned int idx)
{
	if (!dev->msi.has_mask)
		return -EOPNOTSUPP;
	return (int)(ontb_pci_config_read(dev, reg(dev, dev->msi.is_64 ? PENDING_64 : PENDING_32), 4) >> idx & 1);
}

static struct ontb_pci_dev *dev_of(const struct ontb_irq_data *data)
{
	return ontb_irq_domain_data(data->domain);
}

static void set_masked(struct ontb_irq_data *data, bool is_masked)
{
	struct ontb_pci_dev *dev = dev_of(data);
	uint32_t bit = 1U << data->hwirq;

	ontb_lock(&dev->vec_lock);
	dev->msi.is_masked = is_masked ? dev->msi.is_masked | bit : dev->msi.is_masked & ~bit;
	update_mask(dev);
	ontb_unlock(&dev->vec_lock);
}

static void mask(struct ontb_irq_data *data)
{
	set_masked(data, true);
}

static void unmask(struct ontb_irq_data *data)
{
	set_masked(data, false);
}

/* Why a message cannot be stored for a vector, or NULL. */
static const char *check(const struct ontb_pci_msi *msi, unsigned int idx, const struct ontb_msi_msg *msg)
{
	if (!msi->is_64 && msg->addr >> 32)
		return "the function has addresses of 32 bits only";
	if (msg->data >> 16)
		return "the function has data of 16 bits only";
	if (msi->nr > 1 && (msg->data & (msi->nr - 1)) != idx)
		return "the vectors' messages do not follow each other";
	return NULL;
}

/* Whether a message can be replaced by one store to a register. */
static bool differs_in_one_register(const struct ontb_msi_msg *old, const struct ontb_msi_msg *msg)
{
	return ((uint32_t)old->addr != (uint32_t)msg->addr) + (old->addr >> 32 != msg->addr >> 32) +
		       (old->data != msg->data) <=
	       1;
}

/* Put the message of vector 0 into the registers. Returns whether events may have been missed. */
static bool store_locked(struct ontb_pci_dev *dev, const struct ontb_msi_msg *msg) ONTB_MUST_HOLD(dev->vec_lock)
{
	struct ontb_pci_msi *msi = &dev->msi;
	bool has_gap = false;

	if (msi->is_on && msi->msg.addr == msg->addr && msi->msg.data == msg->data)
		return false;
	if (msi->has_mask)
		write_mask(dev, all_vectors(msi));
	else if (msi->is_on && !differs_in_one_register(&msi->msg, msg))
		has_gap = true;
	if (has_gap)
		write_control(dev, false);
	write_regs(dev, msg);
	if (!msi->is_on)
		write_control(dev, true);
	return has_gap;
}

/* Vectors have consecutive numbers. */
static void raise_vectors(struct ontb_irq_data *data, uint32_t vectors)
{
	unsigned int first = data->virq - (unsigned int)data->hwirq;

	for (; vectors; vectors &= vectors - 1) {
		struct ontb_irq_data *other =
			ontb_irq_data_of(data->domain, first + (unsigned int)__builtin_ctz(vectors));

		if (other)
			(void)ontb_irq_chip_retrigger_parent(other);
	}
}

static int withdraw(struct ontb_pci_dev *dev, uint32_t bit)
{
	ontb_lock(&dev->vec_lock);
	dev->msi.is_active &= ~bit;
	if (!dev->msi.is_active && dev->msi.is_on)
		write_control(dev, false);
	update_mask(dev);
	ontb_unlock(&dev->vec_lock);
	return 0;
}

static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct ontb_pci_dev *dev = dev_of(data);
	unsigned int idx = (unsigned int)data->hwirq;
	const char *wrong = msg ? check(&dev->msi, idx, msg) : NULL;
	struct ontb_msi_msg first;
	uint32_t missed = 0;

	if (!msg)
		return withdraw(dev, 1U << idx);
	if (wrong) {
		ontb_log(ONTB_LOG_ERROR, "%s: MSI %u: message 0x%" PRIx64 ", 0x%" PRIx32 " refused: %s", dev->name, idx,
			 msg->addr, msg->data, wrong);
		return -EOPNOTSUPP;
	}
	first = (struct ontb_msi_msg){ msg->addr, msg->data & ~(dev->msi.nr - 1) };
	ontb_lock(&dev->vec_lock);
	if (store_locked(dev, &first))
		missed = dev->msi.is_active;
	dev->msi.is_active |= 1U << idx;
	update_mask(dev);
	ontb_unlock(&dev->vec_lock);
	raise_vectors(data, missed);
	return 0;
}

void ontb_pci_msi_chip(const struct ontb_pci_dev *dev, struct ontb_irq_chip *chip)
{
	*chip = (struct ontb_irq_chip){
		.name = "PCI-MSI",
		.mask = dev->msi.has_mask ? mask : NULL,
		.unmask = dev->msi.has_mask ? unmask : NULL,
		.write_msg = write_msg,
	};
}
