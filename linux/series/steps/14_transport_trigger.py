# SPDX-License-Identifier: GPL-2.0-only
"""NTB: transport: Ring the doorbell if a message cannot be sent

The offset of a message comes from the peer, and ntb_msi_peer_trigger()
refuses one that is not in the window. The peer was not told anything of
the data then. The doorbell of the queue is there for both hosts in any
case, so use that.
"""

SOURCE = "drivers/ntb/ntb_transport.c"


def edit(tree):
    """The changes of this commit."""
    tree.replace(SOURCE, r"^\tif \(qp->use_msi\)\n\t\t(ntb_msi_peer_trigger\(.*\));\n\telse\n",
                 r"\tif (!qp->use_msi || \1)\n", inside="ntb_tx_copy_callback")
