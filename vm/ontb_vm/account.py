# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Loads on ntb_irq_test of linux/ntb-msi: what one guest does to its interrupts while the other sends.

The client in the sending guest waits for the right handler after every message, so each
is accounted for: lost if it did not run, misdirected if one ran that no message was for.
"""

import dataclasses
import re

from . import process
from .cache import KitError

MODULE = "ntb_irq_test"
DEBUGFS = "/sys/kernel/debug"
QUARANTINE = "/sys/module/ntb_msi/parameters/quarantine_ms"
# Commands to a guest of a busy machine take seconds.
LATE_MS = 15000


@dataclasses.dataclass
class Result:
    """Messages of one guest to the other."""

    sent: int
    handled: int
    lost: int
    misdirected: int
    changed: int

    @property
    def is_clean(self):
        """Whether every message ran its handler, and no other one."""
        return not self.lost and not self.misdirected

    def text(self):
        """For people."""
        return (f"{self.sent} sent, {self.lost} lost, {self.misdirected} misdirected, "
                f"messages changed {self.changed} times")


class Client:
    """The client in one guest."""

    module = MODULE

    def __init__(self, one):
        self.one = one
        base = f"{DEBUGFS}/{self.module}"
        self.folder = f"{base}/{one.sh(f'ls {base}').split()[0]}"

    def do(self, command, seconds=60):
        """Give a command and wait for its end."""
        self.one.sh(f"echo {command} >{self.folder}/control", seconds)

    def start(self, milliseconds, first, count):
        """Begin to send; finish() waits for the end."""
        return self.one.agents[1].start(
            f"echo run {milliseconds} {first} {count} >{self.folder}/control")

    def finish(self, number, seconds):
        """Wait until what start() began has ended."""
        status, text = self.one.agents[1].finish(number, "sending", seconds)
        if status:
            raise KitError(f"{self.one.name}: sending: exit {status}: {text}")

    def irqs(self):
        """[(number, runs of the handler)] by index; number 0 for one that is freed."""
        lines = self.one.sh(f"cat {self.folder}/irqs").splitlines()
        return [tuple(int(word) for word in line.split()[1:3]) for line in lines]

    def targets(self):
        """How many interrupts of the peer are known."""
        return int(re.search(r"targets (\d+)", self.one.sh(f"cat {self.folder}/result")).group(1))


class GrantClient(Client):
    """The client of the interface with confirmations, ntb_grant_test."""

    module = "ntb_grant_test"

    def session(self):
        """{word: number} of its session."""
        text = self.one.sh(f"cat {self.folder}/state")
        return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", text)}

    def targets(self):
        """How many interrupts of the peer are held."""
        return self.session()["held"]

    def states(self):
        """What each own interrupt is: granted, returned, freeing, none."""
        return [line.split()[3] for line in self.one.sh(f"cat {self.folder}/irqs").splitlines()]

    def set_late(self, milliseconds):
        """Confirm what the peer says so much later."""
        self.one.sh(f"echo {milliseconds} >/sys/module/{self.module}/parameters/late_ms\n"
                    f"echo look >{self.folder}/control")


def load(guests, number=8, options="", client=Client):
    """Load the client everywhere and wait until each guest knows its peer's interrupts."""
    for one in guests:
        one.sh(f"modprobe switchtec && modprobe ntb_hw_switchtec && "
               f"modprobe {client.module} nr_irqs={number} {options}", 120)
    found = [client(one) for one in guests]
    for each in found:
        process.wait_until(f"{each.one.name}: the peer's interrupts",
                           lambda each=each: each.targets() == number, 60)
    return found


def result(sender, receiver):
    """What has become of the messages since the last "reset"."""
    text = sender.one.sh(f"cat {sender.folder}/result")
    facts = {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", text)}
    return Result(facts["sent"], facts["handled"], facts["lost"], facts["misdirected"],
                  int(receiver.one.sh(f"cat {receiver.folder}/changed")))


def under_load(sender, receiver, seconds, script):
    """Send for so long while @script runs over and over in the receiving guest."""
    sender.do("reset")
    before = int(receiver.one.sh(f"cat {receiver.folder}/changed"))
    number = sender.start(seconds * 1000, 0, len(receiver.irqs()))
    text = receiver.one.sh(
        f"end=$(($(cut -d. -f1 /proc/uptime) + {seconds}))\nturns=0\n"
        f"while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do\n{script}\n"
        "turns=$((turns + 1))\ndone\necho turns $turns", seconds + 120)
    sender.finish(number, seconds + 120)
    found = result(sender, receiver)
    found.changed -= before
    return found, int(text.split()[-1])


def storm(sender, receiver, seconds, pause="0.02"):
    """Every interrupt of the receiver goes from CPU to CPU, all the time."""
    numbers = " ".join(str(irq) for irq, _ in receiver.irqs())
    return under_load(sender, receiver, seconds,
                      "mask=$((1 << turns % $(nproc)))\n"
                      f"for irq in {numbers}; do printf %x $mask >/proc/irq/$irq/smp_affinity; done\n"
                      f"sleep {pause}")


def offline(sender, receiver, seconds):
    """The receiver's interrupts go to CPU 1, and that goes off line; then it comes back."""
    numbers = " ".join(str(irq) for irq, _ in receiver.irqs())
    return under_load(sender, receiver, seconds,
                      f"for irq in {numbers}; do echo 2 >/proc/irq/$irq/smp_affinity; done\n"
                      "sleep 1.5\n"
                      "echo 0 >/sys/devices/system/cpu/cpu1/online || exit 1\n"
                      "sleep 0.2\n"
                      "echo 1 >/sys/devices/system/cpu/cpu1/online || exit 1")


def reuse(sender, receiver, times=5):
    """An interrupt is freed and the next one requested; then the old message comes once more.

    The peer is late by some seconds, so where there is a quarantine, it has to be that long.
    Return how many of @times ran a handler that it was not for.
    """
    irqs = receiver.irqs()
    before = receiver.one.sh(f"cat {QUARANTINE} 2>/dev/null || true").strip()
    if before:
        receiver.one.sh(f"echo {LATE_MS} >{QUARANTINE}")
    last = len(irqs) - 1
    receiver.do(f"free {last}")
    sender.do("reset")
    sender.do("keep")
    receiver.do("free 0")
    receiver.do(f"request {last}")
    sender.do(f"kept 0 {times}", 120)
    found = result(sender, receiver)
    receiver.do("request 0")
    if before:
        receiver.one.sh(f"echo {before} >{QUARANTINE}")
    return found.misdirected, times
