# SPDX-License-Identifier: GPL-2.0-only
"""PCI: switchtec: Do not ask for virtual interrupt vectors

The driver allocates more vectors than the MSI-X table has entries, so
that the NTB code finds some for interrupts which a peer triggers. These
are in a domain of their own now, so ask for what the hardware has.

The parameter nirqs stays, as the upper limit that it has been for
vectors of the hardware. What it says about NTB is not true anymore.
"""

SOURCE = "drivers/pci/switch/switchtec.c"


def edit(tree):
    """The changes of this commit."""
    tree.semantic(SOURCE, "switchtec-vectors", 1)
    tree.replace(SOURCE, r'^(MODULE_PARM_DESC\(nirqs, ").*("\);)$',
                 r"\1maximum number of interrupt vectors to allocate\2")
