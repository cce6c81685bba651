#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""NTB MSI under Intel's interrupt remapping, and what its source-id check blocks.

QEMU 11.1 delivers a message that the server sends as DMA with unspecified attributes
(pci_dma_write), and its VT-d model checks the source id of a message only when there is
one.  Messages of a function's own MSI-X vectors do carry it.  So the blocking is shown
with a vector of the emulated function that holds another function's message; a message
through the window is remapped, but QEMU does not check who sent it.
"""

import re
import sys

import clients
from harness import Setup, expect, main, process, test

REMAPPED = Setup(cpus=2, iommu=True, intremap=True)
TRANSLATED = Setup(cpus=2, iommu=True, intremap=False)
# Each function on a bus of its own: the quirk gives a Switchtec function the aliases of its
# proxy ids, and for a function with several ids Linux lets the IOMMU verify the bus only.
TWO_BUSES = Setup(loopback=True, cpus=1, iommu=True, intremap=True, root_port=True,
                  append="iomem=relaxed")
BLOCKED = r"DMAR: .*(fault|INTR-REMAP)"


@test(REMAPPED)
def msi_test_works_with_interrupt_remapping(lab):
    """Remappable messages: the receiving guest's IOMMU looks them up."""
    for one in lab.guests:
        text = one.sh("dmesg")
        expect("Enabled IRQ remapping" in text, f"{one.name}: interrupt remapping is off")
    for lines in clients.trade_interrupts(lab):
        for line in lines:
            expect("IR-PCI-MSI" in line, f"not remapped: {line}")


@test(TRANSLATED)
def msi_test_works_with_iommu_without_remapping(lab):
    """Compatibility-format messages, memory through an IOMMU."""
    for one in lab.guests:
        text = one.sh("dmesg")
        expect("DMAR: IOMMU enabled" in text, f"{one.name}: no IOMMU")
        expect("Enabled IRQ remapping" not in text, f"{one.name}: interrupt remapping is on")
    for lines in clients.trade_interrupts(lab):
        for line in lines:
            expect("IR-" not in line, f"remapped: {line}")


class Vector:
    """One entry of a function's MSI-X table, through /dev/mem."""

    def __init__(self, one, device, index):
        self.one = one
        text = one.sh(f"lspci -vv -s {device}")
        offset = re.search(r"Vector table: BAR=0 offset=([0-9a-f]+)", text)
        bar = one.sh(f"head -n 1 /sys/bus/pci/devices/{device}/resource").split()[0]
        self.address = int(bar, 16) + int(offset.group(1), 16) + 16 * index

    def read(self):
        """(address low, address high, data)"""
        return tuple(int(self.one.sh(f"devmem {self.address + 4 * word:#x} 32"), 16)
                     for word in range(3))

    def write(self, message):
        """Change the message."""
        for word, value in enumerate(message):
            self.one.sh(f"devmem {self.address + 4 * word:#x} 32 {value:#x}")


def msix_table(one, device):
    """All words of a function's MSI-X table."""
    address = Vector(one, device, 0).address
    return one.sh("".join(f"devmem {address + 4 * word:#x} 32\n"
                          for word in range(4 * clients.table_size(one, device)))).split()


def doorbell_interrupts(one):
    """[(number in /proc/interrupts, MSI-X index, device, count)] of the doorbell vectors."""
    found = []
    for line in one.sh("grep switchtec_ntb_doorbell /proc/interrupts").splitlines():
        match = re.search(r"(\d+):\s+(\d+) .*PCI-MSIX?-(\S+)\s+(\d+)-edge", line)
        found.append((int(match.group(1)), int(match.group(4)), match.group(3),
                      int(match.group(2))))
    return found


@test(TWO_BUSES, known=[BLOCKED], dirty=True)
def message_with_wrong_requester_id_is_blocked(lab):
    """A function that sends another function's message gets a VT-d fault instead."""
    (one,) = lab.guests
    clients.load_tool(lab)
    first, second = lab.devices(one)
    lines = {device: (index, count) for _, index, device, count in doorbell_interrupts(one)}
    expect(set(lines) == {first, second}, f"doorbell vectors of {sorted(lines)}")
    good = Vector(one, first, lines[first][0])
    wrong = Vector(one, second, lines[second][0])
    foreign, own = good.read(), wrong.read()
    expect(foreign[0] & 0x10 and own[0] & 0x10, "messages are not in the remappable format")
    expect(foreign != own, "both functions have the same message")

    def total():
        return sum(count for _, _, _, count in doorbell_interrupts(one))

    def ring(bit):
        valid = int(one.sh(f"cat {clients.tool(second)}/db_valid_mask"), 16)
        one.sh(f"echo 'c {valid:#x}' >{clients.tool(second)}/db\n"
               f"echo 'c {valid:#x}' >{clients.tool(second)}/db_mask\n"
               f"echo 's {1 << bit:#x}' >{clients.tool(first)}/peer_db\n"
               # reading the device comes after the doorbell
               f"cat {clients.tool(second)}/db >/dev/null")

    before = total()
    ring(0)
    process.wait_until("doorbell interrupt", lambda: total() > before, 20)
    one.sh("dmesg -c >/dev/null")

    before = total()
    wrong.write(foreign)
    ring(1)
    requester = second.removeprefix("0000:")
    fault = process.wait_until(
        "fault report", lambda: re.findall(rf"\[INTR-REMAP\].*\[{requester}\].*", one.sh("dmesg")),
        20)
    expect(total() == before, "an interrupt arrived although the IOMMU reported a fault")
    expect("0x26" in fault[0], f"another fault than source-id verification: {fault[0]}")
    print(f"# blocked: {fault[0].strip()}")

    wrong.write(own)
    ring(2)
    process.wait_until("doorbell interrupt with the own message", lambda: total() > before, 20)


if __name__ == "__main__":
    sys.exit(main(__doc__))
