# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Two guests trade NTB MSI interrupts; the kernels' own counters say what arrived."""

import re
import time

from . import process
from .cache import KitError

MODULE = "ntb_msi_test"
BASE = f"/sys/kernel/debug/{MODULE}"


def device(one):
    """The PCI address of a guest's endpoint, as its debugfs names it."""
    return one.sh(f"ls {BASE}").split()[0]


def counts(one):
    """{interrupt number: (count, line)} of the test's lines of /proc/interrupts."""
    found = {}
    for line in one.sh("cat /proc/interrupts").splitlines():
        match = re.match(r"\s*(\d+):((?:\s+\d+)+)\s", line)
        if match and line.rstrip().endswith(MODULE):
            found[int(match.group(1))] = (sum(map(int, match.group(2).split())), line.rstrip())
    return found


def load(guests, seconds=60):
    """Load the modules and wait until each guest knows its peer's interrupts."""
    for one in guests:
        one.sh(f"modprobe switchtec && modprobe ntb_hw_switchtec && modprobe {MODULE}", seconds)
    for one in guests:
        process.wait_until(f"{one.name}: NTB device",
                           lambda one=one: one.run(f"ls {BASE}/*")[0] == 0, seconds)
    for one in guests:
        # Reading or writing "ready" sleeps in the kernel until the peer has told its
        # addresses; the deadline is ours.
        one.sh(f"echo 1 > {BASE}/{device(one)}/peer0/ready", seconds)


def trigger(sender, receiver, times):
    """Let @sender raise each interrupt of its peer a different number of times.

    Interrupt i is raised @times + i times, and not again before it was counted: an edge
    that comes while the last one is pending in the interrupt controller merges with it,
    on real hardware too.  Return (wanted, seen, lines before, lines after), the first
    two as lists in the order of interrupt numbers.
    """
    place = f"{BASE}/{device(sender)}/peer0"
    number = int(sender.sh(f"cat {place}/count"))
    before = after = counts(receiver)
    if number == 0 or len(before) != number:
        raise KitError(f"{receiver.name} has {len(before)} interrupts, {sender.name} "
                       f"knows {number}")
    irqs = sorted(before)
    wanted = [0] * number

    def seen():
        return [after[irq][0] - before[irq][0] for irq in irqs]

    for turn in range(times + number - 1):
        chosen = [index for index in range(number) if turn < times + index]
        sender.sh("".join(f"echo {index} > {place}/trigger\n" for index in chosen))
        for index in chosen:
            wanted[index] += 1
        end = time.monotonic() + 10
        while seen() != wanted and time.monotonic() < end:
            after = counts(receiver)
        if seen() != wanted:
            break
    return wanted, seen(), before, after


def run(guests, times=5):
    """The demonstration; return whether every interrupt arrived exactly once."""
    for one in guests:
        release = one.sh("uname -r").strip()
        pci = one.sh("lspci -d 11f8: ").strip()
        print(f"{one.name}: Linux {release}, {pci}", flush=True)
    load(guests)
    good = True
    for sender, receiver in ((guests[0], guests[1]), (guests[1], guests[0])):
        wanted, seen, before, after = trigger(sender, receiver, times)
        print(f"\n{sender.name} -> {receiver.name}: {sum(wanted)} interrupts by writes "
              "through the window")
        print(f"  /proc/interrupts of {receiver.name} before:")
        for irq in sorted(before):
            print(f"    {before[irq][1]}")
        print("  and after:")
        for irq in sorted(after):
            print(f"    {after[irq][1]}")
        same = wanted == seen
        print(f"  sent {wanted}, arrived {seen}: {'all arrived' if same else 'NOT THE SAME'}",
              flush=True)
        good = good and same
    return good
