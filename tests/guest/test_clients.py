#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Upstream's NTB clients, each by itself, between two guests."""

import re
import sys

import clients
from harness import Setup, expect, main, process, test

PAIR = Setup(cpus=1, vectors=4, serve=("--hold-doorbells-after-message", "5000"))
PAIR_2 = Setup(cpus=2, serve=("--hold-doorbells-after-message", "5000"))
ADDRESS = ("10.78.0.1", "10.78.0.2")
BYTES = 256 << 20
# With a load of 17 on two cores 0.3 MiB/s were seen.
TCP_SECONDS = 1500


@test(PAIR)
def msi_test_counts_real_and_virtual_vectors_once(lab):
    """ntb_msi_test, with vectors inside and outside the MSI-X table."""
    lines = clients.trade_interrupts(lab)
    one, device = lab.ends()[0]
    size = clients.table_size(one, device)
    for side in lines:
        numbers = [int(re.search(r"(\d+)-edge", line).group(1)) for line in side]
        real = [number for number in numbers if number < size]
        expect(real and len(real) < len(numbers),
               f"table of {size}, vectors {numbers}: not both kinds")
        print(f"# table of {size} entries; interrupts of vectors {numbers} arrived once each")


@test(PAIR)
def tool_moves_doorbells_scratchpads_and_windows(lab):
    """ntb_tool: what one side sets, the other side reads."""
    clients.load_tool(lab)
    ends = lab.ends()
    for (one, device), (peer, peer_device) in (ends, ends[::-1]):
        here, there = clients.tool(device), clients.tool(peer_device)
        valid = int(peer.sh(f"cat {there}/db_valid_mask"), 16)
        expect(valid != 0, "no doorbells")
        peer.sh(f"echo 'c {valid:#x}' >{there}/db")
        one.sh(f"echo 's {valid & 0x5:#x}' >{here}/peer_db")
        process.wait_until("doorbell bits", lambda peer=peer, there=there, valid=valid:
                           int(peer.sh(f"cat {there}/db"), 16) == valid & 0x5, 20)
        one.sh(f"echo 0x1234abcd >{here}/peer0/spad3")
        seen = int(peer.sh(f"cat {there}/spad3"), 16)
        expect(seen == 0x1234abcd, f"scratchpad 3 holds {seen:#x}")
        peer.sh(f"echo 'c {valid:#x}' >{there}/db")
        clients.open_window(peer, peer_device, one, device)
        peer.sh(f"dd if=/dev/urandom of={there}/peer0/mw0 bs=65536 count=1 2>/dev/null")
        want = peer.sh(f"md5sum <{there}/peer0/mw0")
        got = one.sh(f"dd if={here}/peer0/peer_mw0 bs=65536 count=1 2>/dev/null | md5sum")
        expect(want == got, "64 KiB read through the window differ")
        one.sh(f"dd if=/dev/urandom of=/tmp/block bs=4096 count=1 2>/dev/null\n"
               f"dd if=/tmp/block of={here}/peer0/peer_mw0 bs=4096 count=1 2>/dev/null")
        want = one.sh("md5sum </tmp/block")
        process.wait_until(
            "4 KiB written through the window",
            lambda peer=peer, there=there, want=want: peer.sh(
                f"dd if={there}/peer0/mw0 bs=4096 count=1 2>/dev/null | md5sum") == want, 20)
        clients.close_window(peer, peer_device, one, device)


@test(PAIR)
def pingpong_goes_back_and_forth(lab):
    """ntb_pingpong: both counters grow."""
    clients.load_pingpong(lab.guests)
    clients.wait_pingpong(lab, 20)


@test(PAIR)
def perf_measures_both_directions(lab):
    """ntb_perf: a run from each side ends and tells a speed."""
    lab.load("ntb_perf", "total_order=22 max_mw_size=65536")
    for one, device in lab.ends():
        path = f"{clients.DEBUGFS}/ntb_perf/{device}/run"
        one.sh(f"echo 0 >{path}", 120)
        text = one.sh(f"cat {path}")
        speed = re.search(r"(\d+) MBytes/s", text)
        expect(speed, f"no speed in {text!r}")
        print(f"# {one.name}: {text.strip().splitlines()[-1].strip()}")


@test(PAIR)
def link_goes_down_and_up_again(lab):
    """Link disabled and enabled from either side, with interrupts before and after."""
    clients.load_tool(lab)
    ends = lab.ends()
    for (one, device), (peer, peer_device) in (ends, ends[::-1]):
        here, there = clients.tool(device), clients.tool(peer_device)
        one.sh(f"echo N >{here}/link")
        peer.sh(f"echo N >{there}/peer0/link_event", 60)
        expect(peer.sh(f"cat {there}/peer0/link").strip() == "N", "peer's link is not down")
        one.sh(f"echo Y >{here}/link")
        peer.sh(f"echo Y >{there}/peer0/link_event", 60)
        one.sh(f"echo Y >{here}/peer0/link_event", 60)
    lab.unload()
    clients.trade_interrupts(lab, 2)


# Both threads of ntb_transport that clear windows, its removal and the work that handles the
# peer's, take the partition lock of the same host at the same time, so one of them reads the
# other's state.  The device cannot tell them apart.
TWO_THREADS = r"Hardware reported an error configuring mw \d+: 00000000"
# The receive buffer that Linux starts with holds one packet of this device's 64 KiB.
BUFFERS = "echo 4096 8388608 16777216 >/proc/sys/net/ipv4/tcp_rmem"


@test(PAIR_2, seconds=TCP_SECONDS + 120, known=[TWO_THREADS], dirty=True)
def netdev_carries_256_mib_of_tcp_by_msi(lab):
    """ntb_transport with use_msi and ntb_netdev; the checksum must be the same."""
    # A peer ignores an interrupt address offset of 0, which is APIC 0: new interrupts
    # have to go to processor 1 for this driver to use MSI at all.
    for one in lab.guests:
        one.sh("echo 2 >/proc/irq/default_smp_affinity")
    carry_by_msi(lab)


def netdev_up(lab, options):
    """Load ntb_transport and ntb_netdev, and wait for an answer over the bridge."""
    lab.load("ntb_transport", options)
    lab.load("ntb_netdev")
    for number, one in enumerate(lab.guests):
        name = one.sh("ls /sys/class/net | grep -v -e lo -e eth0").strip()
        one.sh(f"ip address add {ADDRESS[number]}/24 dev {name}; ip link set {name} up")
    here, _ = lab.guests
    process.wait_until("ping over the bridge",
                       lambda: here.run(f"ping -c 1 -W 2 {ADDRESS[1]}")[0] == 0, 60)


def carry_by_msi(lab):
    """Send 256 MiB over ntb_netdev with use_msi, and some back."""
    for one in lab.guests:
        one.sh(BUFFERS)
    netdev_up(lab, "use_msi=1")
    here, there = lab.guests
    before = msi_count(there)
    for receiver, sender, target in ((there, here, ADDRESS[1]), (here, there, ADDRESS[0])):
        transfer(sender, receiver, target, BYTES if receiver is there else BYTES // 16)
    got = msi_count(there) - before
    expect(got > 100, f"only {got} MSI interrupts: the transport uses doorbells")
    print(f"# {got} NTB MSI interrupts in {there.name}")


def msi_count(one):
    """Sum of the interrupts of ntb_transport's queues."""
    total = 0
    for line in one.sh("grep ntb_transport /proc/interrupts").splitlines():
        total += sum(int(word) for word in line.split(":")[1].split()[:2])
    return total


def transfer(sender, receiver, address, size):
    """Send random bytes by TCP and compare the checksums."""
    number = receiver.agents[1].start(
        "socat -u -b 65536 TCP-LISTEN:5000,reuseaddr STDOUT | md5sum")
    process.wait_until("listening socket", lambda: receiver.run(
        "netstat -ltn | grep -q :5000")[0] == 0, 30)
    text = sender.sh(
        f"start=$(cut -d' ' -f1 /proc/uptime); head -c {size} /dev/urandom | tee "
        f">(md5sum >/tmp/sent) | socat -u -b 65536 STDIN TCP:{address}:5000 || exit 1\n"
        "echo took $start $(cut -d' ' -f1 /proc/uptime)", TCP_SECONDS)
    status, got = receiver.agents[1].finish(number, "md5sum of what arrived", 60)
    sent = process.wait_until("checksum of what was sent",
                              lambda: sender.run("cat /tmp/sent")[1].strip(), 30)
    expect(status == 0 and got.split() == sent.split(), f"sent {sent!r}, arrived {got!r}")
    begin, end = (float(word) for word in text.split()[-2:])
    print(f"# {sender.name} -> {receiver.name}: {size >> 20} MiB, "
          f"{size / (1 << 20) / (end - begin):.1f} MiB/s, md5 {got.split()[0]}")


if __name__ == "__main__":
    sys.exit(main(__doc__))
