# SPDX-License-Identifier: GPL-2.0-only
"""PCI/MSI: Remove PCI_IRQ_VIRTUAL

Its only user is gone: interrupts which peers of an NTB trigger are in a
domain of their own. Remove the flag, the attribute of MSI descriptors
and all the places that had to keep away from entries which are not in
the table.

The domain of a function has the size of the MSI-X table in all cases
again, which also keeps dynamic allocations inside of it.

An entry behind the end of the table that a driver asks for by number
was kept away from the registers by the attribute. Refuse it before they
are touched, with the error that inserting the descriptor gives.
"""

MSI = "drivers/pci/msi/msi.c"


def edit(tree):
    """The changes of this commit."""
    tree.semantic(MSI, "no-virtual", 7)
    # Blank lines, comments and a declaration, which are beyond a semantic patch.
    tree.replace(MSI, r"(PCI_MSIX_ENTRY_CTRL_MASKBIT\);\n)(?=\t/\*)", r"\1\n", inside="pci_write_msg_msix")
    tree.replace(MSI, r"^ \* are set\. When called [\s\S]*? as well\.$", " * are set.")
    for name, hunks in (("drivers/pci/msi/api.c", 2), ("drivers/pci/msi/msi.h", 1)):
        tree.semantic(name, "no-range-flags", hunks)
    tree.drop("include/linux/pci.h", r"^/\*\n \* Virtual interrupts [\s\S]*?#define PCI_IRQ_VIRTUAL.*\n\n")
    tree.drop("include/linux/msi.h", r"^\t\tu8\tis_virtual.*\n", "struct pci_msi_desc")
