# SPDX-License-Identifier: GPL-2.0-only
"""iommu/amd: Mark the messages of remapped interrupts as immutable

The message of a remapped interrupt holds an index into the remapping
table of the device. A change of affinity modifies the table's entry and
not the message, so the domain deserves IRQ_DOMAIN_FLAG_MSI_IMMUTABLE.

It tells code which hands a message to somebody else, like NTB, that
there is no need to restrict the affinity of the interrupt.
"""


def edit(tree):
    """The changes of this commit."""
    tree.semantic("drivers/iommu/amd/iommu.c", "immutable", 1)
