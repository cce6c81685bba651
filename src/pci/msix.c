// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI-X: a table of messages in a BAR. PCIe 5.0, 7.7.2 "MSI-X Capability and Table Structure".
 *
 * An entry is written only while it is masked, so the function never sends half of an old and half of a new message. What it
 * sent before travels in front of the answer to a later load (PCIe 5.0, 2.4.1 "Transaction Ordering Rules": a completion does
 * not pass posted writes), so after the load at the end of a change no old message can arrive any more.
 */
#include "pci/pci.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"

#define CAP_LEN	      12U
#define CAP_CONTROL   2U
#define CAP_TABLE     4U
#define CAP_PBA	      8U
#define CONTROL_SIZE  0x07ffU
#define CONTROL_MASK  0x4000U
#define CONTROL_ON    0x8000U
#define BIR_MASK      7U
#define ENTRY_LEN     16U
#define ENTRY_ADDR    0U
#define ENTRY_ADDR_HI 4U
#define ENTRY_DATA    8U
#define ENTRY_CONTROL 12U
#define ENTRY_MASKED  1U

/* Where a table or the pending bits are; NULL, or what is wrong with that. */
static const char *find_table(const struct ontb_pci_dev *dev, uint32_t where, uint64_t len, unsigned int *bar,
			      uint64_t *offset)
{
	*bar = where & BIR_MASK;
	*offset = where & ~BIR_MASK;
	if (*bar >= ONTB_PCI_NR_BARS || !dev->bars[*bar].size)
		return "names no BAR";
	if (dev->bars[*bar].flags & ONTB_PCI_BAR_IO)
		return "is in I/O space";
	if (!ontb_range_fits(*offset, len, dev->bars[*bar].size))
		return "ends behind its BAR";
	return NULL;
}

/* Read the capability; NULL, or what is wrong with it. */
static const char *parse(struct ontb_pci_dev *dev, unsigned int cap)
{
	struct ontb_pci_msix *msix = &dev->msix;
	uint64_t table_len, pba_len;
	const char *wrong;

	if (cap + CAP_LEN > PCI_END_CAPS)
		return "ends behind the capabilities";
	msix->size = (ontb_pci_config_read(dev, cap + CAP_CONTROL, 2) & CONTROL_SIZE) + 1;
	table_len = (uint64_t)msix->size * ENTRY_LEN;
	pba_len = (msix->size + 63) / 64 * 8ULL;
	wrong = find_table(dev, ontb_pci_config_read(dev, cap + CAP_TABLE, 4), table_len, &msix->table_bar,
			   &msix->table_offset);
	if (!wrong)
		wrong = find_table(dev, ontb_pci_config_read(dev, cap + CAP_PBA, 4), pba_len, &msix->pba_bar,
				   &msix->pba_offset);
	if (!wrong && msix->table_bar == msix->pba_bar &&
	    ontb_ranges_overlap(msix->table_offset, table_len, msix->pba_offset, pba_len))
		wrong = "overlaps its pending bits";
	return wrong;
}

void ontb_pci_msix_init(struct ontb_pci_dev *dev)
{
	int cap = ontb_pci_find_cap(dev, PCI_CAP_ID_MSIX, 0);
	const char *wrong = cap == -EPROTO ? "is in a broken list" : NULL;

	if (cap == -ENOENT)
		return;
	if (cap > 0)
		wrong = parse(dev, (unsigned int)cap);
	dev->msix.cap = cap;
	if (!wrong)
		return;
	ontb_log(ONTB_LOG_WARNING, "%s: MSI-X not usable: it %s", dev->name, wrong);
	dev->msix.cap = -EPROTO;
	dev->msix.size = 0;
}

static void write_control(struct ontb_pci_dev *dev, uint32_t bits)
{
	unsigned int offset = (unsigned int)dev->msix.cap + CAP_CONTROL;
	uint32_t value = ontb_pci_config_read(dev, offset, 2) & ~(CONTROL_MASK | CONTROL_ON);

	ontb_pci_config_write(dev, offset, 2, value | bits);
}

static void write_entry(struct ontb_pci_dev *dev, unsigned int idx, unsigned int reg, uint32_t value)
{
	ontb_pci_bar_write32(dev, dev->msix.table_bar, dev->msix.table_offset + (uint64_t)idx * ENTRY_LEN + reg, value);
}

static uint32_t read_entry(struct ontb_pci_dev *dev, unsigned int idx, unsigned int reg)
{
	return ontb_pci_bar_read32(dev, dev->msix.table_bar, dev->msix.table_offset + (uint64_t)idx * ENTRY_LEN + reg);
}

static void write_vec_control(struct ontb_pci_dev *dev, unsigned int idx)
{
	const struct ontb_pci_vec *vec = &dev->msix.vecs[idx];

	write_entry(dev, idx, ENTRY_CONTROL, vec->keep | (vec->is_masked || !vec->has_msg ? ENTRY_MASKED : 0));
}

/* Mask all entries: nothing says that they are, if other software ran before. */
static void mask_all(struct ontb_pci_dev *dev)
{
	ontb_lock(&dev->vec_lock);
	for (unsigned int i = 0; i < dev->msix.size; i++) {
		dev->msix.vecs[i].has_msg = false;
		write_vec_control(dev, i);
	}
	ontb_unlock(&dev->vec_lock);
}

int ontb_pci_msix_start(struct ontb_pci_dev *dev)
{
	struct ontb_pci_vec *vecs = calloc(dev->msix.size, sizeof(*vecs));

	if (!vecs)
		return -ENOMEM;
	/* Without the first bit the table need not work (Linux 6.12, msix_capability_init() says so too). */
	write_control(dev, CONTROL_ON | CONTROL_MASK);
	dev->msix.vecs = vecs;
	for (unsigned int i = 0; i < dev->msix.size; i++) {
		vecs[i].keep = read_entry(dev, i, ENTRY_CONTROL) & ~ENTRY_MASKED;
		vecs[i].is_masked = true;
	}
	mask_all(dev);
	return 0;
}

void ontb_pci_msix_run(struct ontb_pci_dev *dev)
{
	write_control(dev, CONTROL_ON);
}

void ontb_pci_msix_stop(struct ontb_pci_dev *dev)
{
	write_control(dev, 0);
	free(dev->msix.vecs);
	dev->msix.vecs = NULL;
}

void ontb_pci_msix_forget(struct ontb_pci_dev *dev)
{
	write_control(dev, CONTROL_ON | CONTROL_MASK);
	mask_all(dev);
}

int ontb_pci_msix_pending(struct ontb_pci_dev *dev, unsigned int idx)
{
	uint64_t offset = dev->msix.pba_offset + (uint64_t)idx / 32 * 4;

	return (int)(ontb_pci_bar_read32(dev, dev->msix.pba_bar, offset) >> idx % 32 & 1);
}

static struct ontb_pci_dev *dev_of(const struct ontb_irq_data *data)
{
	return ontb_irq_domain_data(data->domain);
}

static void set_masked(struct ontb_irq_data *data, bool is_masked)
{
	struct ontb_pci_dev *dev = dev_of(data);
	unsigned int idx = (unsigned int)data->hwirq;

	ontb_lock(&dev->vec_lock);
	dev->msix.vecs[idx].is_masked = is_masked;
	write_vec_control(dev, idx);
	/* A mask that is still on its way masks nothing. */
	if (is_masked)
		(void)read_entry(dev, idx, ENTRY_CONTROL);
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

static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct ontb_pci_dev *dev = dev_of(data);
	unsigned int idx = (unsigned int)data->hwirq;
	struct ontb_pci_vec *vec = &dev->msix.vecs[idx];

	ontb_lock(&dev->vec_lock);
	vec->has_msg = false;
	write_vec_control(dev, idx);
	write_entry(dev, idx, ENTRY_ADDR, msg ? (uint32_t)msg->addr : 0);
	write_entry(dev, idx, ENTRY_ADDR_HI, msg ? (uint32_t)(msg->addr >> 32) : 0);
	write_entry(dev, idx, ENTRY_DATA, msg ? msg->data : 0);
	vec->has_msg = msg != NULL;
	write_vec_control(dev, idx);
	(void)read_entry(dev, idx, ENTRY_CONTROL);
	ontb_unlock(&dev->vec_lock);
	return 0;
}

void ontb_pci_msix_chip(struct ontb_irq_chip *chip)
{
	*chip = (struct ontb_irq_chip){
		.name = "PCI-MSIX",
		.mask = mask,
		.unmask = unmask,
		.write_msg = write_msg,
	};
}
