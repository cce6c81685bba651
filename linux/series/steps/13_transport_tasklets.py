# SPDX-License-Identifier: GPL-2.0-only
"""NTB: transport: Kill the tasklets after the last interrupt

ntb_transport_free_queue() kills the tasklet of a queue while a MSI of
the peer may still schedule it again, and a queue that no client ever
asked for is not even looked at. Then ntb_transport_free() frees the
memory in which the tasklets are.

When ntb_clear_ctx() has returned, neither doorbells nor interrupts come
anymore. Kill all tasklets there.
"""

SOURCE = "drivers/ntb/ntb_transport.c"


def edit(tree):
    """The changes of this commit."""
    tree.after(SOURCE, r"ntb_clear_ctx\(ndev\);",
               "\tfor (i = 0; i < nt->qp_count; i++)\n"
               "\t\ttasklet_kill(&nt->qp_vec[i].rxc_db_work);\n",
               "ntb_transport_free")
