# SPDX-License-Identifier: GPL-2.0-only
"""NTB: transport: Accept an interrupt at the start of the window

A peer without an interrupt for a queue sends offset 0 and data 0. An
offset of 0 alone is a place like any other: on x86 without interrupt
remapping it is what an interrupt directed at the first CPU has, and the
queue went on with doorbells then, without a word. Look at both.
"""

SOURCE = "drivers/ntb/ntb_transport.c"


def edit(tree):
    """The changes of this commit."""
    tree.replace(SOURCE, r"^\tif \(qp->peer_msi_desc\.addr_offset\) \{$",
                 "\tif (qp->peer_msi_desc.addr_offset || qp->peer_msi_desc.data) {",
                 inside="ntb_transport_setup_qp_peer_msi")
