# SPDX-License-Identifier: GPL-2.0-only
"""x86/apic/msi: Accept per device domains for NTB interrupts

Let the vector domain and the interrupt remapping domains above it be
the parent of a domain for the interrupts which peers of an NTB trigger.

For the parents such an interrupt is one more message of the PCI
function, so the allocation type is that of MSI-X, which makes the
remapping code use the function's requester ID.

The careful dance of msi_set_affinity() is for messages that are stored
in the device, where the update of address and data is not atomic. The
message of an NTB interrupt is nowhere in the device: the peer has it,
and gets the new one at some later time. Neither the intermediate
message nor the restriction to the CPU which the interrupt arrived at is
of use there, so leave both out.
"""

MSI = "arch/x86/kernel/apic/msi.c"
HEADER = "arch/x86/include/asm/msi.h"


def edit(tree):
    """The changes of this commit."""
    case = "\tcase DOMAIN_BUS_PCI_DEVICE_NTB:\n"
    msix = "case DOMAIN_BUS_PCI_DEVICE_MSIX:"
    tree.after(MSI, msix, case, "x86_msi_prepare")
    tree.after(MSI, msix, case, "x86_init_dev_msi_info")
    tree.before(MSI, r"info->chip->irq_set_affinity = msi_set_affinity;",
                "\t\t/* The peer has the message, the device cannot send a torn one */\n"
                "\t\tif (info->bus_token == DOMAIN_BUS_PCI_DEVICE_NTB)\n"
                "\t\t\tbreak;\n",
                "x86_init_dev_msi_info")
    tree.replace(HEADER, r"(MSI_GENERIC_FLAGS_MASK \| MSI_FLAG_PCI_MSIX \| MSI_FLAG_PCI_MSIX_ALLOC_DYN)\)$",
                 r"\1 |\t\\\n\t MSI_FLAG_PCI_NTB)")
