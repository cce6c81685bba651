# SPDX-License-Identifier: GPL-2.0-only
"""NTB: Give the interrupts of peers their own interrupt domain

The NTB MSI code takes any interrupt of the PCI function that nobody has
requested, be it one behind the end of the MSI-X table (PCI_IRQ_VIRTUAL)
or one in the table which a driver wants to request later. It shares the
chip of real MSI-X interrupts, and the PCI core calls it back when a
message changes. As Thomas Gleixner put it, these interrupts have
nothing to do with PCI/MSI-X as defined by the specification, they are
in separate interrupt domains at the conceptual level:

  https://lore.kernel.org/all/87ilwacwp8.ffs@tglx/

Make it so. The interrupts are in the secondary MSI domain of the
function, with a chip whose way of writing a message is to tell the
client about it. They are allocated one by one when requested, up to 64
of them, whatever the size of the MSI-X table is.

The interface for clients stays as it is. What is different behind it:

 - A client hears about changed messages from a work item instead of in
   hard interrupt context with the lock of the interrupt descriptor
   held. The callbacks of both clients may sleep.

 - ntb_clear_ctx() returns when no such callback and no interrupt
   handler runs anymore. Before, devres freed the interrupts after the
   client had freed what its handlers use.

 - Where a message changes with the affinity, a peer may use the old one
   for a while and the interrupt is lost. So the affinity is not for
   user space to change then (IRQF_NOBALANCING). When a CPU goes offline
   the interrupt moves and the peer gets the new message. With interrupt
   remapping the message is immutable and there is no restriction.

 - The memory window is aligned to its size and covers the range of
   messages if the hardware allows: 1 MiB, or a page for a GIC, which has
   the registers of its command queue not far away. Before, it started
   with the first message, and was as large as it can be. With several
   CPUs another message was easily out of reach, or the base was not
   aligned to what Switchtec hardware wants.

 - If a window cannot be set up, all are cleared. Before, that loop
   cleared a wrong one. They are also cleared before the interrupts go
   back to where others get them: when the client gives up its context.

 - If an interrupt is out of reach, others are tried.

 - An offset received from a peer is checked against the window.

 - Any NTB driver can have these interrupts, if its IOMMU accepts the
   requester ID of what comes through the bridge. Before, the driver had
   to leave vectors to the library, which switchtec alone does.

 - Without an interrupt domain ntb_msi_init() succeeds as before, and
   setting up the window fails, so that two hosts of which one cannot
   have such interrupts agree on the windows they use otherwise.

The new interrupts do not appear in the msi_irqs directory in sysfs,
which tells MSI from MSI-X, neither of which they are.
"""

OLD = "drivers/ntb/msi.c"
CORE = "drivers/ntb/core.c"
HEADER = "include/linux/ntb.h"
EXPORTS = ("ntb_msi_init", "ntb_msi_setup_mws", "ntb_msi_clear_mws",
           "ntbm_msi_request_threaded_irq", "ntb_msi_peer_trigger")


def edit(tree):
    """The changes of this commit."""
    # Another interface, or other users of it, would ask for another replacement.
    tree.expect(OLD, r"^EXPORT_SYMBOL\w*\((\w+)\);", EXPORTS)
    tree.expect(HEADER, r"^\w+ (ntbm?_msi_\w+)\(", EXPORTS)
    tree.install(OLD)
    tree.create("drivers/ntb/msi.h")
    tree.semantic(CORE, "clear-ctx", 1)
    tree.after(CORE, "#include <linux/pci.h>", '\n#include "msi.h"\n')
    tree.replace(HEADER, r"^( \* ntb_clear_ctx\(\) [\s\S]*?^ \* device\.\n)",
                 r"\1 *\n * Waits for what the MSI library has under way: the callback of ntb_msi_init()\n"
                 r" * and interrupt handlers, so none of these may call this.\n")
    tree.replace("drivers/ntb/Kconfig", r"(requires an extra memory window and) [\s\S]*?\.$",
                 r"\1 an\n\t interrupt controller that knows of such interrupts.",
                 inside="config NTB_MSI")
