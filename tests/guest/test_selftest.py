#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Upstream's tools/testing/selftests/ntb/ntb_test.sh, unmodified, in its four ways."""

import re
import sys

from harness import Setup, expect, main, test
from loads import TRUST

# ntb_perf sends 2^order bytes; 19 is the least that its chunk size allows.
OPTIONS = "-p 19 -w 65536"
SECONDS = 900
# ntb_perf of Linux 6.12 loses a doorbell that comes before its link work has run, and
# then hangs; the server's option of this name is the remedy.
HOLD = ("--hold-doorbells-after-message", "5000")
# The script writes a scratchpad through a window and reads it on the other side a few
# milliseconds later, from memory; and it looks for an interrupt as soon after it was sent. QEMU
# posts the write, so it has arrived when the server has run, and the interrupt when the other
# QEMU has. On a busy machine that may take longer; hence "urgent" for server and QEMU, which
# has an effect where the user may have real-time priority.
# With two processors windows of the look-up table are tested too, which is what takes the time:
# 8 entries are enough for what is repeated; all 32 are tested once.
FEW = (*HOLD, "--luts", "8")


def passed(text):
    """Number of tests that the script says have passed."""
    return len(re.findall(r"^\s*Passed$", text, re.M))


def run(lab, agent_guest, words):
    """Run the script and check what it printed."""
    status, text = agent_guest.run(f"ntb_test.sh {OPTIONS} {words}", SECONDS)
    agent_guest.path("ntb_test.txt").write_text(text, encoding="utf-8")
    expect(status == 0, f"ntb_test.sh ended with {status}:\n{text[-3000:]}")
    expect("did not match" not in text, f"a window did not match:\n{text[-3000:]}")
    windows = text.count("Running mw")
    expect(windows >= 4, f"only {windows} window tests ran")
    # 6 ntb_tool points apart from windows (port, 2 link, 2 doorbell, 2 scratchpad),
    # ping pong, 3 MSI, 2 perf
    expect(passed(text) == windows + 13, f"{passed(text)} passed, {windows} windows:\n{text}")
    print(f"# {lab.setup.label()}: {passed(text)} passed, {windows} of them windows")


def loopback(lab):
    """The script with both endpoints in one guest."""
    run(lab, lab.guests[0], " ".join(lab.devices(lab.guests[0])))


def between(lab):
    """The script in guest 0, with guest 1 as its remote host."""
    here, there = (lab.devices(one)[0] for one in lab.guests)
    run(lab, lab.guests[0], f"-r guest1 {here} {there}")


@test(Setup(loopback=True, cpus=1, serve=HOLD, urgent=True), seconds=SECONDS, repeat=True)
def ntb_test_passes_in_loopback_with_1_cpu(lab):
    """One guest with both endpoints."""
    loopback(lab)


@test(Setup(loopback=True, cpus=2, serve=FEW, urgent=True), seconds=SECONDS, repeat=True)
def ntb_test_passes_in_loopback_with_2_cpus(lab):
    """One guest with both endpoints, two processors, LUT windows for clients."""
    loopback(lab)


@test(Setup(loopback=True, cpus=2, serve=HOLD, urgent=True), seconds=SECONDS)
def ntb_test_passes_in_loopback_with_2_cpus_and_all_windows(lab):
    """The same with all 32 windows of the look-up table."""
    loopback(lab)


@test(Setup(cpus=1, serve=HOLD, urgent=True), seconds=SECONDS, repeat=True)
def ntb_test_passes_between_guests_with_1_cpu(lab):
    """Two guests; the script reaches the other one by ssh."""
    between(lab)


@test(Setup(cpus=2, serve=FEW, urgent=True), seconds=SECONDS, repeat=True)
def ntb_test_passes_between_guests_with_2_cpus(lab):
    """Two guests with two processors each."""
    between(lab)


@test(Setup(loopback=True, cpus=1, serve=HOLD, urgent=True, module_set="domain"), seconds=SECONDS, known=[TRUST])
def ntb_test_passes_in_loopback_with_linux_ntb_msi(lab):
    """The script on linux/ntb-msi, whose interrupts are in a domain of their own."""
    loopback(lab)


@test(Setup(cpus=2, serve=FEW, urgent=True, module_set="domain"), seconds=SECONDS, known=[TRUST])
def ntb_test_passes_between_guests_with_linux_ntb_msi(lab):
    """The same between two guests with two processors each."""
    between(lab)


if __name__ == "__main__":
    sys.exit(main(__doc__))
