# SPDX-License-Identifier: GPL-2.0-only
"""genirq/msi: Remove the message callback from struct msi_desc

PCI/MSI calls it when a message changes. Its only user was NTB, which
has an interrupt chip now, whose irq_write_msi_msg() is what this
callback stood for.
"""

HEADER = "include/linux/msi.h"


def edit(tree):
    """The changes of this commit."""
    tree.semantic("drivers/pci/msi/msi.c", "no-message-callback", 1)
    tree.drop(HEADER, r"^ \*\n \* @write_msi_msg:\tCallback that[\s\S]*?(?=^ \*\n)")
    tree.drop(HEADER, r"^\n\tvoid \(\*write_msi_msg\)\(.*\n\tvoid \*write_msi_msg_data;\n",
              "struct msi_desc")
