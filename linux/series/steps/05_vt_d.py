# SPDX-License-Identifier: GPL-2.0-only
"""iommu/vt-d: Mark the messages of remapped interrupts as immutable

A remappable message holds the index of an entry in the remapping table.
When the affinity changes, the entry is directed at the new CPU and
vector and the message stays the same for as long as the interrupt is
allocated. That is what IRQ_DOMAIN_FLAG_MSI_IMMUTABLE is for, so set it.

It tells code which hands a message to somebody else, like NTB, that
there is no need to restrict the affinity of the interrupt.
"""


def edit(tree):
    """The changes of this commit."""
    tree.semantic("drivers/iommu/intel/irq_remapping.c", "immutable", 1)
