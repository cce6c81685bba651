# SPDX-License-Identifier: GPL-2.0-only
"""NTB: switchtec: Initialize the lock of the doorbell mask

Nothing initializes db_mask_lock. Zeroes happen to be an unlocked lock as
long as locks are not debugged; with lockdep, the first client that clears
its doorbell mask gets

  INFO: trying to register non-static key.
  The code is fine but needs lockdep annotation, or maybe
  you didn't initialize this object before use?
  turning off the locking correctness validator.

and nothing is checked from there on.
"""

SOURCE = "drivers/ntb/hw/mscc/ntb_hw_switchtec.c"


def edit(tree):
    """The changes of this commit."""
    tree.before(SOURCE, r"sndev->db_mask = ", "\tspin_lock_init(&sndev->db_mask_lock);\n",
                inside="switchtec_ntb_init_db")
