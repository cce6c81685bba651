# SPDX-License-Identifier: GPL-2.0-only
"""NTB: transport: Publish changed messages one at a time

ntb_transport_msi_desc_changed() and the link work both write the
messages of all queues to the scratchpads and request the interrupts
that are missing. If they do so at the same time, two interrupts can end
up with one descriptor.

The former is called in process context now, so both can take the mutex
of the link's events.
"""

SOURCE = "drivers/ntb/ntb_transport.c"


def edit(tree):
    """The changes of this commit."""
    tree.before(SOURCE, r'dev_dbg\(&nt->ndev->pdev->dev, "MSI descriptors changed"',
                "\tguard(mutex)(&nt->link_event_lock);\n\n",
                "ntb_transport_msi_desc_changed")
