# SPDX-License-Identifier: GPL-2.0-only
"""genirq/msi: Give a device its second MSI domain slot back

A device can have a single MSI domain. That was different for some
releases, when PCI/IMS used a second slot; it went together with
PCI/IMS, for lack of users.

There is hardware which needs it. Behind the memory window of a
non-transparent bridge there are interrupts which a peer triggers. They
come from the same PCI function as its MSI-X interrupts, in the eyes of
an IOMMU, and otherwise share nothing with them: they have no entry in
the MSI-X table, and they cannot be masked in the device.

Provide the second slot again. The code that goes through all slots
sizes its arrays by the number of slots, so nothing else changes.
"""

API = "include/linux/msi_api.h"


def edit(tree):
    """The changes of this commit."""
    tree.after(API, "MSI_DEFAULT_DOMAIN,", "\tMSI_SECONDARY_DOMAIN,\n", "enum msi_domain_ids")
