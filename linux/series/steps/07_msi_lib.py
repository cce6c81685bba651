# SPDX-License-Identifier: GPL-2.0-only
"""irqchip/msi-lib: Accept per device domains for NTB interrupts

A parent domain which has MSI_FLAG_PCI_NTB in its supported flags can be
the parent of a domain for the interrupts which peers of an NTB trigger.
All the library has to do for that is the same as for PCI/MSI, including
masking in the parent, as there is nothing to be masked in the device.

Other parents refuse such a domain. There is no warning, since the
driver goes on without these interrupts.
"""

LIB = "drivers/irqchip/irq-msi-lib.c"


def edit(tree):
    """The changes of this commit."""
    tree.before(LIB, "case DOMAIN_BUS_PCI_DEVICE_MSI:",
                "\tcase DOMAIN_BUS_PCI_DEVICE_NTB:\n"
                "\t\t/* The parent has to know that there is no MSI-X entry */\n"
                "\t\tif (!(pops->supported_flags & MSI_FLAG_PCI_NTB))\n"
                "\t\t\treturn false;\n"
                "\t\tfallthrough;\n",
                "msi_lib_init_dev_msi_info")
