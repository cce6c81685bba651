# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Unit tests inside a kernel that checks its locks and memory accesses: of the series, and of linux/ntb-msi."""

import dataclasses

import ktap
from harness import Setup, expect, test

OURS = Setup(cpus=2, memory=1024, series="7.3-ntb-debug", single=True, boot_seconds=600)
MODULE = dataclasses.replace(OURS, module_set="domain")
# What the tests provoke, and what a busy machine does.
KNOWN = (r"is outside of the window", r"no interrupt with a message in the window", r"Test should be marked slow")


def run(lab, suite, module):
    """Load the module of a suite; every case of its source has run and passed."""
    (one,) = lab.guests
    one.sh(f"modprobe {module}", 300)
    text = one.sh(f"cat /sys/kernel/debug/kunit/{suite}/results")
    wrong = ktap.complaints(suite, text)
    expect(not wrong, "\n".join([*wrong, text]))
    skipped = [f"{name}: {what}" for name, what in ktap.results(text) if what != "ok"]
    expect(not skipped, f"skipped: {skipped}")
    print(f"# {suite}: {len(ktap.results(text))} cases")
    one.sh(f"modprobe -r {module}", 60)


@test(OURS, known=KNOWN)
def kunit_of_the_series(lab):
    """drivers/ntb/msi.c with a made-up bridge and MSI parent."""
    run(lab, "ntb_msi", "ntb_msi_kunit")


@test(MODULE, known=KNOWN)
def kunit_of_the_module(lab):
    """Window, handlers, moves and grants of linux/ntb-msi."""
    run(lab, "ntb_msi_module", "ntb_msi_module_kunit")
    run(lab, "ntb_grant", "ntb_grant_kunit")
