# SPDX-License-Identifier: GPL-2.0-only
"""irqchip/gic: Mark the messages of GICv2m and MBI as immutable

A message of these is the number of an SPI, written to a register of the
distributor or of the frame. The affinity of the SPI is a matter of the
distributor, so the message stays as it is when that changes. That is
what IRQ_DOMAIN_FLAG_MSI_IMMUTABLE is for, so set it.

NTB restricts the affinity of interrupts without it. PCI endpoint
functions ask for the flag too, and can use these parents from here on.
"""

FLAG = "\t\t.domain_flags\t= IRQ_DOMAIN_FLAG_MSI_IMMUTABLE,\n"


def edit(tree):
    """The changes of this commit."""
    tree.before("drivers/irqchip/irq-gic-v2m.c", r"\.ops\t", FLAG, "gicv2m_allocate_domains")
    tree.before("drivers/irqchip/irq-gic-v3-mbi.c", r"\.ops\t", FLAG, "mbi_allocate_domain")
