#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A guest and a host of our own on one bridge: Linux's driver and ours against the same device.

Linux's ntb_msi_test runs in the guest, unmodified. `openntb host --peer linux` is its peer, in a
process of its own, with a port of the server as its bridge.
"""

import contextlib
import json
import re
import socket
import subprocess
import sys

from harness import Setup, expect, main, process, test
from ontb_vm import bridge

NR_IRQS = 4


class OurHost:
    """A running `openntb host`."""

    def __init__(self, lab, *words):
        self.folder = lab.pair.folder / "host"
        self.log = lab.pair.folder / "host.log"
        with open(self.log, "ab") as log:
            # pylint: disable-next=consider-using-with
            self.proc = subprocess.Popen(
                [bridge.find_openntb(lab.pair.plan.openntb), "host", "--socket", lab.bridge.socket(1), "--peer",
                 "linux", "--irqs", str(NR_IRQS), "--socket-dir", self.folder, *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.proc.stdout.readline()
        expect(line.startswith("ready: "), f"{line!r}: {self.log.read_text(encoding='utf-8')}")

    def ask(self, **request):
        """Ask its control socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(str(self.folder / "control.sock"))
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile(encoding="utf-8") as reply:
                return json.loads(reply.readline())

    def counts(self):
        """How often each NTB interrupt was handled."""
        irqs = [one for one in self.ask(request="irqs")["hosts"][0]["irqs"] if "NTB" in one["domain"]]
        return [one["count"] for one in sorted(irqs, key=lambda one: one["index"])]

    def stop(self):
        """End it; its exit status."""
        self.proc.terminate()
        try:
            return self.proc.wait(30)
        finally:
            self.proc.kill()
            self.proc.stdout.close()


@contextlib.contextmanager
def our_host(lab, *words):
    """A host of ours, ended in any case."""
    host = OurHost(lab, *words)
    try:
        yield host
    finally:
        status = host.stop()
    expect(status == 0, f"our host ended with {status}: {host.log.read_text(encoding='utf-8')}")


def guest_counts(guest):
    """Counts of ntb_msi_test's interrupts in /proc/interrupts, by line."""
    lines = guest.sh("grep ntb_msi_test /proc/interrupts").splitlines()
    return [sum(int(word) for word in re.match(r"\s*\d+:((?:\s+\d+)+)\s", line).group(1).split()) for line in lines]


def trade(lab, host):
    """Interrupts in both directions, each seen before the next one."""
    guest = lab.guests[0]
    lab.load("ntb_msi_test")
    test_folder = guest.sh("echo /sys/kernel/debug/ntb_msi_test/*").strip()
    process.wait_until("the guest knows our interrupts", lambda: guest.sh(
        f"cat {test_folder}/peer0/count").strip() == str(NR_IRQS), 60)
    process.wait_until("we know the guest's interrupts", lambda: host.ask(request="peer")["held"] == NR_IRQS, 60)
    # The kernel goes on counting an interrupt that an earlier ntb_msi_test had.
    before = guest_counts(guest)
    for index in range(NR_IRQS):
        for turn in range(1, 3 + index):
            want = [n + (i == index) for i, n in enumerate(host.counts())]
            guest.sh(f"echo {index} >{test_folder}/peer0/trigger")
            process.wait_until(f"guest to us, {index}, {turn}", lambda want=want: host.counts() == want, 30, 0.02)
            want = [n + (i == index) for i, n in enumerate(guest_counts(guest))]
            reply = host.ask(request="trigger", index=index)
            expect(reply["ok"], str(reply))
            process.wait_until(f"us to the guest, {index}, {turn}",
                               lambda want=want: guest_counts(guest) == want, 30, 0.05)
    expect(host.counts() == [2, 3, 4, 5], f"our counts: {host.counts()}")
    seen = [now - then for now, then in zip(guest_counts(guest), before)]
    expect(seen == [2, 3, 4, 5], f"the guest's counts: {seen}")
    text = guest.sh(f"cat {test_folder}/irq*_occurrences").split()
    expect([int(word) for word in text] == [2, 3, 4, 5], f"ntb_msi_test counted {text}")
    # Two threads of Linux's driver would set up windows at the same time, and one of them fail.
    expect("reinitialize shared memory window" not in guest.sh("dmesg"), "the guest was told to forget a link that it did not have")
    print(f"# both ways {host.counts()} interrupts, between ntb_hw_switchtec and our driver")


@test(Setup(single=True, cpus=2))
def guest_and_our_host_interrupt_each_other(lab):
    """Linux's driver and ours, bare vectors, windows of the look-up table."""
    with our_host(lab) as host:
        trade(lab, host)
        lab.unload()


@test(Setup(single=True, cpus=2))
def guest_and_our_host_with_remapping_interrupt_each_other(lab):
    """The same, our messages remapped: what the guest sends is looked up by our VT-d unit."""
    with our_host(lab, "--remap") as host:
        trade(lab, host)
        domains = {one["token"] for one in host.ask(request="domains")["hosts"][0]["domains"]}
        expect({"VECTOR", "REMAP", "NTB", "PCI-MSIX"} <= domains, str(domains))
        lab.unload()


@test(Setup(single=True, cpus=1))
def guest_and_our_host_use_the_direct_window(lab):
    """One processor: the guest's last window is the direct one in BAR4."""
    with our_host(lab, "--window", "1") as host:
        trade(lab, host)
        lab.unload()


if __name__ == "__main__":
    sys.exit(main(__doc__))
