# SPDX-License-Identifier: GPL-2.0-only
"""irqchip: Accept NTB interrupts in GICv2m, MBI and IMSIC

These parents do not look at the PCI specific part of a MSI descriptor,
so an interrupt which a peer of an NTB triggers is like any other to
them. Set MSI_FLAG_PCI_NTB, and name the new bus token where there is a
switch on it.

IMSIC needs no deferred move for it: that is for messages stored in a
device.

A GIC ITS is left out. It looks an interrupt up in the table of the
requester which the write has, and what comes through a bridge has the
requester ID of a proxy. There would have to be tables for these, and
room in them for a second domain; the table of the function, where
virtual MSI-X vectors had their place, is not asked.
"""

V2M = "drivers/irqchip/irq-gic-v2m.c"
MBI = "drivers/irqchip/irq-gic-v3-mbi.c"
IMSIC = "drivers/irqchip/irq-riscv-imsic-platform.c"

CASE = "\tcase DOMAIN_BUS_PCI_DEVICE_NTB:\n"
MSIX = "case DOMAIN_BUS_PCI_DEVICE_MSIX:"


def edit(tree):
    """The changes of this commit."""
    for name, prefix in ((V2M, "GICV2M"), (MBI, "MBI")):
        tree.replace(name, rf"^(#define {prefix}_MSI_FLAGS_SUPPORTED \(.*\n)([ \t]*)(MSI_FLAG_PCI_MSIX)([ \t]*\|[ \t]*\\\n)",
                     r"\1\2\3\4\2MSI_FLAG_PCI_NTB \4")
    tree.replace(IMSIC, r"^(\t\.supported_flags.*\n)([ \t]*)(MSI_FLAG_PCI_MSIX),\n",
                 r"\1\2\3 |\n\2MSI_FLAG_PCI_NTB,\n")
    tree.after(MBI, MSIX, CASE, "mbi_init_dev_msi_info")
