# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The kernel of linux/series: NTB interrupts have a domain of their own, and reach their handlers."""

import dataclasses
import re

import clients
import loads
from clients import demo
from harness import KitError, Setup, expect, process, test
from test_interrupts import msix_table

# Without the driver's own remedy for windows that are not aligned, use_lut_mws=1, which the
# harness gives with several processors: the series does without.
PLAIN = "ntb_hw_switchtec.use_lut_mws=0"
# The kernel's own modules, and ntb_irq_test.
VECTOR = Setup(cpus=2, series="7.3-ntb", module_set="stock", vectors=4, append=PLAIN)
VECTOR_1 = dataclasses.replace(VECTOR, cpus=1)
VECTOR_4 = dataclasses.replace(VECTOR, cpus=4)
REMAPPED = dataclasses.replace(VECTOR, cpus=4, iommu=True, intremap=True)
DOMAINS = "/sys/kernel/debug/irq/domains"
MANY = 24


def lines_of(one, chip):
    """[(Linux interrupt, index, line)] of /proc/interrupts whose chip is @chip."""
    found = []
    for line in one.sh("cat /proc/interrupts").splitlines():
        match = re.match(rf"\s*(\d+):.*\s{re.escape(chip)}\s+(\d+)-edge", line)
        if match:
            found.append((int(match.group(1)), int(match.group(2)), line.strip()))
    return found


def message(one, irq):
    """(address low, data) of an interrupt, as debugfs shows it."""
    text = one.sh(f"cat /sys/kernel/debug/irq/irqs/{irq}")
    return tuple(re.search(rf"{word}:\s+(0x[0-9a-f]+)", text).group(1) for word in ("address_lo", "msg_data"))


def load_many(lab):
    """ntb_msi_test with more interrupts than the table has entries, both peers ready."""
    lab.load("ntb_msi_test", f"num_irqs={MANY}")
    demo.load(lab.guests)


def parent_of(one, prefix):
    """(name of the only domain that begins with @prefix, names of its parents)."""
    names = [name for name in one.sh(f"ls {DOMAINS}").split() if name.startswith(prefix)]
    expect(len(names) == 1, f"{one.name}: domains {prefix}*: {names}")
    text = one.sh(f"cat {DOMAINS}/{names[0]}")
    return names[0], re.findall(r"^\s+parent:\s*(\S+)", text, re.M)


def check_domains(lab, prefix):
    """Both kinds of interrupts of each bridge function, in sibling domains."""
    for one, device in lab.ends():
        table = clients.table_size(one, device)
        real = lines_of(one, f"{prefix}PCI-MSIX-{device}")
        peers = lines_of(one, f"{prefix}NTB-MSI-{device}")
        expect(real and all(index < table for _, index, _ in real),
               f"{one.name}: table of {table} entries, PCI-MSIX interrupts {real}")
        expect(peers and all(line.endswith("ntb_msi_test") for _, _, line in peers),
               f"{one.name}: NTB-MSI interrupts {peers}")
        expect(not [line for _, _, line in real if "ntb_msi_test" in line],
               f"{one.name}: ntb_msi_test has a vector of the table: {real}")
        (_, above), (_, beside) = (parent_of(one, f"{prefix}{kind}-{device}") for kind in ("NTB-MSI", "PCI-MSIX"))
        expect(above and above == beside, f"{one.name}: parents {above} and {beside}")
        print(f"# {one.name}: {peers[0][2]}")
        print(f"# {one.name}: {len(peers)} NTB-MSI and {len(real)} PCI-MSIX interrupts, table of {table}, "
              f"both below {above[0]}")


def works(lab, prefix):
    """ntb_msi_test with the domain's chip."""
    for lines in clients.trade_interrupts(lab):
        for line in lines:
            expect(f" {prefix}NTB-MSI-" in line, f"another chip: {line}")
    check_domains(lab, prefix)


@test(VECTOR)
def msi_test_works_on_bare_vectors_in_a_sibling_domain(lab):
    """ntb_msi_test; chips and domains of both kinds of interrupts."""
    for one in lab.guests:
        release = one.sh("uname -r").strip()
        expect(release.startswith("7.3."), f"{one.name} runs {release}")
    works(lab, "")


@test(VECTOR)
def many_interrupts_do_not_touch_the_table(lab):
    """More NTB interrupts than the table has entries, all delivered, the table as it was."""
    before = {one.name: msix_table(one, device) for one, device in lab.ends()}
    load_many(lab)
    loads.each_once(lab)
    for one, device in lab.ends():
        expect(before[one.name] == msix_table(one, device), f"{one.name}: the table has changed")
        real = lines_of(one, f"PCI-MSIX-{device}")
        expect(len(real) <= clients.table_size(one, device), f"{one.name}: {real}")


@test(VECTOR)
def affinity_is_refused_where_the_message_would_change(lab):
    """User space cannot move the interrupt, so nothing in flight is lost."""
    demo.load(lab.guests)
    loads.each_once(lab)
    for one, device in lab.ends():
        for irq, _, _ in lines_of(one, f"NTB-MSI-{device}"):
            status, text = one.run(f"echo 1 >/proc/irq/{irq}/smp_affinity")
            expect(status != 0, f"{one.name}: interrupt {irq} was moved: {text}")


@test(VECTOR)
def peer_hears_of_a_message_that_moves_with_a_processor(lab):
    """A CPU goes offline: its interrupts move, the peer gets the new messages, all of them arrive."""
    load_many(lab)
    loads.each_once(lab)
    moved = 0
    for one, device in lab.ends():
        before = {irq: message(one, irq) for irq, _, _ in lines_of(one, f"NTB-MSI-{device}")}
        one.sh("echo 0 >/sys/devices/system/cpu/cpu1/online")
        after = {irq: message(one, irq) for irq in before}
        moved += len([irq for irq in before if before[irq] != after[irq]])
        expect(all(int(address, 16) & 0xff000 == 0 for address, _ in after.values()),
               f"{one.name}: messages after CPU 1 went: {after}")
    expect(moved > 0, "no interrupt was on the CPU that went offline")
    process.wait_until("the peers use it", lambda: arrives(lab), 30)
    loads.each_once(lab)
    for one in lab.guests:
        one.sh("echo 1 >/sys/devices/system/cpu/cpu1/online")
    loads.each_once(lab)
    print(f"# {moved} of {2 * MANY} interrupts moved")


def arrives(lab):
    """Whether every interrupt arrives."""
    try:
        loads.each_once(lab, seconds=5)
        return True
    except (AssertionError, KitError):
        return False


@test(VECTOR)
def everything_can_be_unloaded_and_loaded_again(lab):
    """Domains go with the client and come back with it."""
    works(lab, "")
    lab.unload()
    for one in lab.guests:
        left = one.sh(f"ls {DOMAINS} | grep NTB || true").split()
        expect(not left and "NTB-MSI" not in one.sh("cat /proc/interrupts"), f"{one.name}: {left} left")
        one.sh("modprobe -r ntb_hw_switchtec && modprobe -r switchtec && modprobe -r ntb", 120)
    for one in lab.guests:
        lab.load_hardware(one)
    works(lab, "")


@test(REMAPPED)
def msi_test_works_with_interrupt_remapping_in_a_sibling_domain(lab):
    """The same with remappable messages."""
    for one in lab.guests:
        expect("Enabled IRQ remapping" in one.sh("dmesg"), f"{one.name}: interrupt remapping is off")
    works(lab, "IR-")


@test(REMAPPED)
def affinity_is_free_where_the_message_stays(lab):
    """Remapped interrupts move between CPUs at will while the peer keeps its message."""
    demo.load(lab.guests)
    for mask in (1, 2, 1, 3):
        for one, device in lab.ends():
            for irq, _, _ in lines_of(one, f"IR-NTB-MSI-{device}"):
                before = message(one, irq)
                one.sh(f"echo {mask} >/proc/irq/{irq}/smp_affinity")
                expect(before == message(one, irq), f"{one.name}: the message of interrupt {irq} changed")
        loads.each_once(lab)
    (name, _) = parent_of(lab.guests[0], f"IR-NTB-MSI-{lab.ends()[0][1]}")
    text = lab.guests[0].sh(f"cat {DOMAINS}/{name}")
    expect("IRQ_DOMAIN_FLAG_MSI_IMMUTABLE" in text, f"the remapping domain is not immutable:\n{text}")
