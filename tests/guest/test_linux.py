#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""linux/ntb-msi: NTB interrupts in a domain of their own, below unmodified drivers and clients."""

import dataclasses
import re
import sys

import clients
import loads
import test_clients
from harness import Setup, expect, main, test
from loads import TRUST
from test_interrupts import msix_table

from ontb_vm import account

# The smallest table that switchtec and ntb_hw_switchtec can do with.
TABLE = 4
BARE = Setup(cpus=2, vectors=TABLE, module_set="domain", append="iomem=relaxed")
BARE_7_3 = dataclasses.replace(BARE, series="7.3")
# The harness gives the driver small windows only where there are several.
ONE_CPU = dataclasses.replace(BARE, cpus=1)
FOUR_CPUS = dataclasses.replace(BARE_7_3, cpus=4)
REMAPPED = dataclasses.replace(BARE, iommu=True, intremap=True)
REMAPPED_7_3 = dataclasses.replace(REMAPPED, series="7.3")
# Clients get a window of up to 2 MiB that has to be aligned to its size, instead of 64 KiB.
DIRECT = dataclasses.replace(BARE, append="ntb_hw_switchtec.use_lut_mws=0")
# All interrupts are on both CPUs by themselves, so either may have some.
OFF_AND_ON = "\n".join(f"echo {value} >/sys/devices/system/cpu/cpu1/online || exit 1; sleep 1"
                       for value in (0, 1))
# Interrupts go to CPUs 1 and 2, and both go off line at once, and come back at once.
TWO_OFF_AND_ON = """
for irq in {numbers}; do echo 6 >/proc/irq/$irq/smp_affinity; done
sleep 1.5
for value in 0 1; do
	echo $value >/sys/devices/system/cpu/cpu1/online & first=$!
	echo $value >/sys/devices/system/cpu/cpu2/online & second=$!
	wait $first && wait $second || exit 1
	sleep 0.2
done
"""
STATE = f"{clients.DEBUGFS}/ntb_msi"
# ntb_msi_test tells two words for each interrupt and one more, in 128 scratchpads.
MSI_TEST_IRQS = 63
# ntb_irq_test has a word for each of so many.
ALL_IRQS = 64


def state(one, device):
    """What the module says of a device: {word: number} and the lines."""
    text = one.sh(f"cat {STATE}/{device}")
    return {name: int(value, 0) for name, value in
            re.findall(r"(?:^|\s)([a-z]+) (0x[0-9a-f]+|\d+)\b", text)}, text.splitlines()


def check_domain(one, device, name, number, prefix):
    """@number interrupts of a client are in the device's NTB domain and in no other; its table has not changed."""
    found = loads.interrupts(one, name)
    expect(len(found) == number, f"{one.name}: {len(found)} interrupts of {name} instead of {number}")
    for _, _, text in found:
        expect(text.startswith(f"{prefix}NTB-MSI-{device} "), f"{one.name}: not in the NTB domain: {text}")
    indexes = [int(re.search(r"(\d+)-edge", text).group(1)) for _, _, text in found]
    expect(len(set(indexes)) == number, f"{one.name}: indexes {indexes}")
    _, lines = state(one, device)
    expect(lines[0].startswith(f"domain {prefix}NTB-MSI-{device} "), lines[0])


def msi_test_in_domain(lab, prefix=""):
    """Upstream's ntb_msi_test on the NTB domain: everything arrives, the MSI-X table stays as it is."""
    tables = [msix_table(one, device) for one, device in lab.ends()]
    ends = lab.ends()
    lab.load("ntb_msi_test", f"num_irqs={MSI_TEST_IRQS}")
    clients.demo.load(lab.guests)
    for one, device in ends:
        check_domain(one, device, "ntb_msi_test", MSI_TEST_IRQS, prefix)
    for _ in range(2):
        loads.each_once(lab, MSI_TEST_IRQS)
    for (one, device), words in zip(ends, tables):
        expect(msix_table(one, device) == words, f"{one.name}: the MSI-X table has changed")
        expect(clients.table_size(one, device) == TABLE, "another table size")
        nirqs = one.sh("cat /sys/module/switchtec/parameters/nirqs").strip()
        facts, lines = state(one, device)
        expect(facts["late"] == 0, f"{one.name}: {lines}")
        print(f"# {one.name}: {MSI_TEST_IRQS} of {MSI_TEST_IRQS} interrupts twice each, table of "
              f"{TABLE} unchanged, nirqs={nirqs}, {lines[0]}, {lines[2]}")
    reload_module(lab, prefix)


def reload_module(lab, prefix):
    """Client and module out and in again; nothing stays behind, and it works as before."""
    lab.unload()
    for one, device in lab.ends():
        expect("NTB-MSI" not in one.sh("cat /proc/interrupts"), f"{one.name}: interrupts left")
        one.sh("modprobe -r ntb_msi")
        expect(one.run("grep -w ^ntb_msi /proc/modules")[0] != 0, "ntb_msi is loaded")
        one.sh(f"[ ! -e {STATE} ]")
    for lines in clients.trade_interrupts(lab, 2):
        for line in lines:
            expect(f" {prefix}NTB-MSI-" in line, f"not in the NTB domain: {line}")


@test(BARE, known=[TRUST])
def linux_domain_carries_msi_test_on_6_12(lab):
    """ntb_msi_test with 63 interrupts on bare vectors, module reloaded."""
    msi_test_in_domain(lab)


@test(BARE_7_3, known=[TRUST])
def linux_domain_carries_msi_test_on_7_3(lab):
    """The same on Linux 7.3."""
    msi_test_in_domain(lab)


@test(REMAPPED)
def linux_domain_carries_msi_test_with_remapping_on_6_12(lab):
    """The same below Intel interrupt remapping."""
    msi_test_in_domain(lab, "IR-")


@test(REMAPPED_7_3)
def linux_domain_carries_msi_test_with_remapping_on_7_3(lab):
    """The same below Intel interrupt remapping, on Linux 7.3."""
    msi_test_in_domain(lab, "IR-")


def all_at_once(lab, prefix):
    """64 interrupts, switchtec's nirqs at its default: each sent to, each handled; the MSI-X table as before."""
    tables = [msix_table(one, device) for one, device in lab.ends()]
    sender, receiver = account.load(lab.guests, ALL_IRQS)
    for one, device in lab.ends():
        check_domain(one, device, "ntb_irq_test", ALL_IRQS, prefix)
    loads.all_handled(sender, receiver, ALL_IRQS, 5000)
    for (one, device), words in zip(lab.ends(), tables):
        expect(msix_table(one, device) == words, f"{one.name}: the MSI-X table has changed")
    lab.unload()


def nothing_lost(lab, prefix="", seconds=8):
    """Storm, CPU off line, reuse: every message of a peer that hears late is accounted for."""
    all_at_once(lab, prefix)
    sender, receiver = account.load(lab.guests, options="learn_ms=20")
    _, device = lab.ends()[1]
    for load in (account.storm, account.offline):
        found = loads.nothing_lost(load, sender, receiver, seconds)
        # Below remapping a move changes nothing that a peer knows.
        expect((found.changed == 0) == bool(prefix), f"{load.__name__}: {found.text()}")
    facts, lines = state(receiver.one, device)
    expect(facts["swept"] == 0 and facts["refused"] == 0, f"{lines}")

    late = facts["late"]
    wrong, times = account.reuse(sender, receiver)
    facts, lines = state(receiver.one, device)
    expect(wrong == 0, f"{wrong} of {times} messages to a freed interrupt ran another's handler")
    expect(facts["late"] - late == times, f"{facts['late'] - late} of {times} came late: {lines}")
    print(f"# a freed interrupt's message: {wrong} of {times} misdirected, {times} counted as late")


@test(BARE, known=[TRUST])
def linux_domain_loses_nothing_on_bare_vectors_on_6_12(lab):
    """64 interrupts; affinity storm, CPU off line, reuse with a late peer: 0 lost, 0 misdirected."""
    nothing_lost(lab)


@test(BARE_7_3, known=[TRUST])
def linux_domain_loses_nothing_on_bare_vectors_on_7_3(lab):
    """The same on Linux 7.3."""
    nothing_lost(lab)


@test(REMAPPED)
def linux_domain_loses_nothing_with_remapping_on_6_12(lab):
    """The same below Intel interrupt remapping."""
    nothing_lost(lab, "IR-")


@test(BARE, known=[TRUST, r"isolation is required", r"Unable to initialize MSI library",
                   r"probe with driver ntb_msi_test failed"])
def linux_domain_refuses_what_it_is_told_to(lab):
    """refuse_moves: user space cannot move, CPU off line loses nothing; require_isolation: no interrupts."""
    one, other = lab.guests
    for guest in lab.guests:
        guest.sh("modprobe -r ntb_msi; modprobe ntb_msi refuse_moves=1")
    sender, receiver = account.load(lab.guests)
    # Interrupts that there are not, by a sum that wraps; the client has to come to no harm.
    for words in ("4294967295 1", "1 4294967295", "8 1", "0 9", "0 0"):
        status, text = one.run(f"echo run 1000 {words} >{sender.folder}/control")
        expect(status != 0, f"run 1000 {words}: {text}")
    for irq, _ in receiver.irqs():
        status, text = other.run(f"echo 1 >/proc/irq/{irq}/smp_affinity")
        expect(status != 0, f"interrupt {irq} was moved: {text}")
    found, turns = account.under_load(sender, receiver, 6, OFF_AND_ON)
    print(f"# {found.text()} in {turns} turns")
    expect(found.lost == 0 and found.misdirected == 0 and found.sent > 50, found.text())
    lab.unload()
    for guest in lab.guests:
        guest.sh("modprobe -r ntb_msi; modprobe ntb_msi require_isolation=1; modprobe ntb_msi_test")
    for guest in lab.guests:
        expect("NTB-MSI" not in guest.sh("cat /proc/interrupts"), f"{guest.name} has NTB interrupts")
        expect("isolation is required" in guest.sh("dmesg"), f"{guest.name} does not say why")
    lab.unload()
    for guest in (one, other):
        guest.sh("modprobe -r ntb_msi")


@test(BARE, known=[TRUST])
def linux_domain_goes_and_comes_while_the_peer_sends(lab):
    """Client and module are unloaded and loaded under fire: nothing is said, and it works as before."""
    loads.reload(lab, f"modprobe -r {account.MODULE} && modprobe -r ntb_msi")


def open_windows(lab):
    """Windows of the bridge that show interrupt messages of some guest."""
    return [window for port in lab.bridge.status()["ports"] for window in port["windows"]
            if int(window["address"], 16) >= 0xfee00000]


@test(BARE, known=[TRUST])
def linux_domain_closes_its_window_whatever_signal_is_pending(lab):
    """The task that unbinds the client under fire has a signal: the window is closed nevertheless, and it works as before."""
    sender, receiver = account.load(lab.guests)
    device = lab.ends()[1][1]
    driver = f"/sys/bus/ntb/drivers/{account.MODULE}"
    expect(len(open_windows(lab)) == 2, f"{open_windows(lab)}")
    number = sender.start(8000, 0, 8)
    # The client waits for the end of its own command, and the signal comes before that.
    text = receiver.one.sh(f"echo run 4000 0 8 >{receiver.folder}/control & sleep 1\n"
                           f"timeout -s TERM 1 sh -c 'echo {device} >{driver}/unbind'; status=$?\nwait; echo status $status", 60)
    expect(text.split()[-1] in ("124", "143"), f"no signal: {text}")
    expect("NTB-MSI" not in receiver.one.sh("cat /proc/interrupts"), "interrupts are left")
    expect(len(open_windows(lab)) == 1, f"open after the client went: {open_windows(lab)}")
    sender.finish(number, 60)
    receiver.one.sh(f"echo {device} >{driver}/bind", 60)
    loads.settle(sender, receiver)


@test(BARE, known=[TRUST], dirty=True)
def linux_domain_survives_the_death_of_either_guest(lab):
    """kill -9 of the receiver under fire, then of the sender; each comes back to a peer that never stopped."""
    loads.deaths(lab)


def msi_test_once(lab):
    """ntb_msi_test on bare vectors: all its interrupts are in the NTB domain, and each arrives."""
    lab.load("ntb_msi_test", f"num_irqs={MSI_TEST_IRQS}")
    clients.demo.load(lab.guests)
    for one, device in lab.ends():
        check_domain(one, device, "ntb_msi_test", MSI_TEST_IRQS, "")
    loads.each_once(lab, MSI_TEST_IRQS)
    lab.unload()


@test(ONE_CPU, known=[TRUST])
def linux_domain_works_on_one_processor(lab):
    """Every message is at offset 0: ntb_msi_test with 63 interrupts, all accounted for; ntb_transport keeps its doorbells."""
    msi_test_once(lab)
    all_at_once(lab, "")
    test_clients.netdev_up(lab, "use_msi=1")
    lab.guests[0].sh(f"ping -c 20 -i 0.2 -W 5 {test_clients.ADDRESS[1]} | grep -q ' 0% packet loss'", 60)
    for one, device in lab.ends():
        found = loads.interrupts(one, "ntb_transport")
        expect(found and all(text.startswith(f"NTB-MSI-{device} ") for _, _, text in found), f"{one.name}: {found}")
        expect(not any(count for _, count, _ in found), f"{one.name}: {found}")


@test(FOUR_CPUS, known=[TRUST])
def linux_domain_loses_nothing_on_four_processors(lab):
    """ntb_msi_test with 63 interrupts; affinity storm; two CPUs go off line at once and come back: 0 lost, 0 misdirected."""
    msi_test_once(lab)
    sender, receiver = account.load(lab.guests, options="learn_ms=20")
    loads.nothing_lost(account.storm, sender, receiver, 8)
    numbers = " ".join(str(irq) for irq, _ in receiver.irqs())

    def two_off_and_on(sender, receiver, seconds):
        return account.under_load(sender, receiver, seconds, TWO_OFF_AND_ON.format(numbers=numbers))
    found = loads.nothing_lost(two_off_and_on, sender, receiver, 15)
    facts, lines = state(receiver.one, lab.ends()[1][1])
    expect(found.changed > 0 and facts["swept"] == 0, f"{found.text()}, {lines}")


@test(DIRECT, known=[TRUST])
def linux_domain_opens_no_more_window_than_it_needs(lab):
    """Interrupts on both of two CPUs, whose messages are 4 KiB apart: 8 KiB of 2 MiB are open to the peer."""
    for one in lab.guests:
        one.sh("echo 2 >/proc/irq/default_smp_affinity")
    for lines in clients.trade_interrupts(lab, 2):
        for line in lines:
            expect(" NTB-MSI-" in line, f"not in the NTB domain: {line}")
    for one, device in lab.ends():
        facts, lines = state(one, device)
        window = [int(word, 16) for word in lines[2].split()[1:]]
        expect(window == [0xfee00000, 0x2000], f"{one.name}: {lines[2]}")
        used = re.findall(r"message (0x[0-9a-f]+)/", "\n".join(lines))
        expect(set(used) == {"0xfee01000"}, f"{one.name}: messages to {used}")
        expect(facts["refused"] == 0, f"{one.name}: {lines}")
    expect([window["size"] for window in open_windows(lab)] == [0x2000, 0x2000], f"the bridge has {open_windows(lab)}")
    for one in lab.guests:
        one.sh("echo 3 >/proc/irq/default_smp_affinity")


@test(BARE, seconds=test_clients.TCP_SECONDS + 120, known=[TRUST, test_clients.TWO_THREADS], dirty=True)
def linux_domain_carries_256_mib_of_netdev(lab):
    """ntb_transport with use_msi and ntb_netdev on it; no CPU has to be chosen for the first message."""
    test_clients.carry_by_msi(lab)
    for one, device in lab.ends():
        for _, _, text in loads.interrupts(one, "ntb_transport"):
            expect(text.startswith(f"NTB-MSI-{device} "), f"{one.name}: {text}")


if __name__ == "__main__":
    sys.exit(main(__doc__))
