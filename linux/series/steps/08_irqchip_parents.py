# SPDX-License-Identifier: GPL-2.0-only
"""irqchip: Accept NTB interrupts in GICv2m, MBI, GIC ITS and IMSIC

These parents do not look at the PCI specific part of a MSI descriptor,
so an interrupt which a peer of an NTB triggers is like any other to
them. Set MSI_FLAG_PCI_NTB, and name the new bus token where there is a
switch on it.

IMSIC needs no deferred move for it: that is for messages stored in a
device.

On an ITS all domains of a device share the interrupt translation table,
which has the size that the first of them asks for. A driver that
creates the PCI domain first gets as many NTB interrupts as that domain
leaves over, and -ENOSPC for more. Making the table grow is left for
later.
"""

V2M = "drivers/irqchip/irq-gic-v2m.c"
MBI = "drivers/irqchip/irq-gic-v3-mbi.c"
ITS = "drivers/irqchip/irq-gic-its-msi-parent.c"
IMSIC = "drivers/irqchip/irq-riscv-imsic-platform.c"

CASE = "\tcase DOMAIN_BUS_PCI_DEVICE_NTB:\n"
MSIX = "case DOMAIN_BUS_PCI_DEVICE_MSIX:"


def edit(tree):
    """The changes of this commit."""
    for name, prefix in ((V2M, "GICV2M"), (MBI, "MBI"), (ITS, "ITS")):
        tree.replace(name, rf"^(#define {prefix}_MSI_FLAGS_SUPPORTED \(.*\n)([ \t]*)(MSI_FLAG_PCI_MSIX)([ \t]*\|[ \t]*\\\n)",
                     r"\1\2\3\4\2MSI_FLAG_PCI_NTB \4")
    tree.replace(IMSIC, r"^(\t\.supported_flags.*\n)([ \t]*)(MSI_FLAG_PCI_MSIX),\n",
                 r"\1\2\3 |\n\2MSI_FLAG_PCI_NTB,\n")
    tree.after(MBI, MSIX, CASE, "mbi_init_dev_msi_info")
    tree.after(ITS, MSIX, CASE, "its_init_dev_msi_info")
    tree.after(ITS, MSIX, CASE, "its_v5_init_dev_msi_info")
