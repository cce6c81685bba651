# SPDX-License-Identifier: GPL-2.0-only
"""irqdomain: Show IRQ_DOMAIN_FLAG_MSI_IMMUTABLE in debugfs and fix its comment

The comment says the opposite of what the flag means: a domain has it if
the message stays as it is when the affinity changes. Debugfs does not
know the flag at all. Correct the former and add it to the latter.
"""

HEADER = "include/linux/irqdomain.h"
SOURCE = "kernel/irq/irqdomain.c"


def edit(tree):
    """The changes of this commit."""
    tree.replace(HEADER, r"^\t/\* Address and data pair is mutable .*\*/\n(?=\tIRQ_DOMAIN_FLAG_MSI_IMMUTABLE)",
                 "\t/* The MSI address/data pair survives a change of affinity */\n")
    tree.after(SOURCE, r"BIT_MASK_DESCR\(IRQ_DOMAIN_FLAG_MSI_DEVICE\),",
               "\tBIT_MASK_DESCR(IRQ_DOMAIN_FLAG_MSI_IMMUTABLE),\n")
