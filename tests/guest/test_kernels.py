#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The other stock kernel."""

import sys

import clients
from harness import Setup, expect, main, test


@test(Setup(cpus=2, series="7.3"))
def stock_7_3_guests_trade_interrupts(lab):
    """ntb_msi_test with the kernel of Debian's backports."""
    for one in lab.guests:
        release = one.sh("uname -r").strip()
        expect(release.startswith("7.3."), f"{one.name} runs {release}")
    clients.trade_interrupts(lab)


if __name__ == "__main__":
    sys.exit(main(__doc__))
