/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels this is built for. All of it is here, so that no other file asks for a version.
 */
#ifndef NTB_MSI_COMPAT_H
#define NTB_MSI_COMPAT_H

#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/ntb.h>
#include <linux/version.h>

/* Linux 7.x has dropped these two from its header for want of a caller in the tree; clients outside may have them. */
void ntbm_msi_free_irq(struct ntb_dev *ntb, unsigned int irq, void *dev_id);
int ntb_msi_peer_addr(struct ntb_dev *ntb, int peer, struct ntb_msi_desc *desc, phys_addr_t *msi_addr);

/*
 * An interrupt of bare x86 vectors is moved by the next interrupt, in interrupt context, unless it is said that it
 * can be moved at once. In 6.12 a flag of the interrupt says so; now a flag of the chip says that it cannot.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
static inline void compat_move_at_once(struct irq_chip *chip)
{
	chip->flags &= ~IRQCHIP_MOVE_DEFERRED;
}

static inline void compat_irq_moves_at_once(unsigned int virq)
{
}
#else
static inline void compat_move_at_once(struct irq_chip *chip)
{
}

static inline void compat_irq_moves_at_once(unsigned int virq)
{
	irq_set_status_flags(virq, IRQ_MOVE_PCNTXT);
}
#endif

/* Newer parents' msi_prepare() reads the device from here, and there is a counterpart. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
static inline void compat_info_set_dev(struct msi_domain_info *info, struct device *dev)
{
	info->dev = dev;
}

static inline void compat_msi_teardown(struct msi_domain_ops *ops, struct irq_domain *domain, msi_alloc_info_t *alloc)
{
	if (ops->msi_teardown)
		ops->msi_teardown(domain, alloc);
}
#else
static inline void compat_info_set_dev(struct msi_domain_info *info, struct device *dev)
{
}

static inline void compat_msi_teardown(struct msi_domain_ops *ops, struct irq_domain *domain, msi_alloc_info_t *alloc)
{
}
#endif

/* "The message never changes" has got a flag of its own; only Arm's ITS has it in 7.3. */
static inline bool compat_parent_says_immutable(struct irq_domain *parent)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	return irq_domain_is_msi_immutable(parent);
#else
	return false;
#endif
}

#endif
