# SPDX-License-Identifier: GPL-2.0-only
"""genirq/msi: Add a bus token and a feature flag for NTB interrupts

Interrupts which a peer triggers through the memory window of a
non-transparent bridge are going to have a per device domain. Such a
domain needs a bus token, by which an MSI parent domain sees what is
asked for.

Not every parent can have it. Some of them look into the PCI specific
part of an MSI descriptor, which descriptors without an MSI-X entry do
not have. So a parent has to say that it can, with a bit in its
supported flags.
"""

TOKENS = "include/linux/irqdomain_defs.h"
MSI = "include/linux/msi.h"


def edit(tree):
    """The changes of this commit."""
    tree.after(TOKENS, "DOMAIN_BUS_WIRED_TO_MSI,", "\tDOMAIN_BUS_PCI_DEVICE_NTB,\n",
               "enum irq_domain_bus_token")
    tree.after(MSI, r"MSI_FLAG_NO_MASK\b",
               "\t/* Support interrupts which peers of a PCI NTB trigger */\n"
               "\tMSI_FLAG_PCI_NTB\t\t= (1 << 23),\n",
               "enum after Flags for msi_domain_info")
