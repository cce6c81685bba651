# SPDX-License-Identifier: GPL-2.0-only
"""NTB: ntb_hw_switchtec: Finish an operation in spite of a signal

switchtec_ntb_part_op() gives up with -EINTR when its caller has a signal
pending, and that may be whoever unloads a module. A window that was to
be closed stays open then, and its memory is freed nevertheless.

The hardware answers in less than the 50 ms between two looks, and after
50 seconds there is a timeout, so do not listen to signals.
"""

SOURCE = "drivers/ntb/hw/mscc/ntb_hw_switchtec.c"


def edit(tree):
    """The changes of this commit."""
    tree.semantic(SOURCE, "no-signals", 1)
