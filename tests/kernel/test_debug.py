# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A kernel that checks itself has nothing to say, with the series' domain and with the module linux/ntb-msi.

The harness reads each kernel's log after every test, and asks whether lockdep is still at
work. The loads are those of the other tests, with fewer messages: everything takes several times as long.
"""

import dataclasses

import loads
import test_linux_grants
from harness import Setup, expect, test
from loads import TRUST
from test_loads import OFFLINE, UNLOAD
from test_series import MANY, PLAIN, lines_of, load_many

from ontb_vm import account

# identify_cpu() clears the features of the first CPU for a moment, with interrupts on. One that comes then sees no LA57, and
# KASAN takes the direct map of five levels for a wild address. Linux 7.3 as it is; seen once in sixteen boots.
FOUR_LEVELS = "no5lvl"
# The series' domain; kmemleak looks for leaks in the setups on bare vectors only, as it makes the kernel slower still.
VECTOR = Setup(cpus=2, memory=1024, series="7.3-ntb-debug", module_set="stock", vectors=4, append=f"{PLAIN} {FOUR_LEVELS}",
               boot_seconds=600)
REMAPPED = dataclasses.replace(VECTOR, iommu=True, intremap=True, append=f"{PLAIN} {FOUR_LEVELS} kmemleak=off")
# The module, with the NTB drivers as they are without the series.
MODULE = dataclasses.replace(VECTOR, module_set="domain", append=FOUR_LEVELS)
MODULE_REMAPPED = dataclasses.replace(REMAPPED, module_set="domain", append=f"{FOUR_LEVELS} kmemleak=off")
MODULE_UNLOAD = UNLOAD.replace("modprobe -r ntb_hw", "modprobe -r ntb_msi && modprobe -r ntb_hw")
KMEMLEAK = "/sys/kernel/debug/kmemleak"
# The handler may be late, and still be the right one.
PATIENT = "timeout_ms=3000"
SECONDS = 8
LEAST = 10


def checks_itself(lab):
    """Whether the kernel is the one that it should be."""
    for one in lab.guests:
        expect("debug_locks: 1" in " ".join(one.sh("cat /proc/lockdep_stats").split()), f"{one.name}: no lockdep")
        expect("KernelAddressSanitizer initialized" in one.sh("dmesg"), f"{one.name}: no KASAN")
        expect("max_chain" in one.sh("cat /sys/kernel/debug/debug_objects/stats"), f"{one.name}: no DEBUG_OBJECTS")


def many(lab, prefix):
    """ntb_msi_test with more interrupts than the table has entries, in the domain."""
    checks_itself(lab)
    load_many(lab)
    for one, device in lab.ends():
        found = lines_of(one, f"{prefix}NTB-MSI-{device}")
        expect(len(found) == MANY, f"{one.name}: {len(found)} interrupts in the NTB domain")
    loads.each_once(lab, MANY)


def storm_and_offline(lab):
    """Affinity storm, CPU off line and on, for a peer that hears late: 0 lost, 0 misdirected."""
    sender, receiver = account.load(lab.guests, options=f"{PATIENT} learn_ms=20")
    for load in (account.storm, account.offline):
        loads.nothing_lost(load, sender, receiver, SECONDS, LEAST)


def no_leaks(lab):
    """kmemleak finds nothing, once everything is unloaded. It sees a leak that is some seconds old, at the second look."""
    lab.unload()
    for one in lab.guests:
        one.sh("modprobe -r ntb_hw_switchtec && modprobe -r switchtec", 120)
    for one in lab.guests:
        left = one.sh(f"sleep 6; echo scan >{KMEMLEAK}; echo scan >{KMEMLEAK}; cat {KMEMLEAK}", 300)
        expect(not left.strip(), f"{one.name}: {left}")
    for one in lab.guests:
        lab.load_hardware(one)


@test(VECTOR)
def debug_series_many_interrupts_on_bare_vectors(lab):
    """The series' domain: ntb_msi_test with 24 interrupts."""
    many(lab, "")


@test(VECTOR)
def debug_series_processor_goes_on_bare_vectors(lab):
    """A CPU goes off line and comes back; at most one message lost per interrupt and move."""
    sender, receiver = account.load(lab.guests, options=PATIENT)
    numbers = " ".join(str(irq) for irq, _ in receiver.irqs())
    found, turns = account.under_load(sender, receiver, SECONDS, OFFLINE.format(numbers=numbers))
    moved = int(receiver.one.sh("cat /tmp/moved"))
    print(f"# {found.text()}, {moved} moved in {turns} turns")
    expect(moved > 0 and found.sent > LEAST, f"nothing moved: {found.text()}")
    expect(found.misdirected == 0 and found.lost <= moved, f"{moved} moved: {found.text()}")


@test(VECTOR)
def debug_series_unloaded_under_fire(lab):
    """Everything down to ntb.ko goes and comes while the peer sends, and leaks nothing."""
    loads.reload(lab, UNLOAD, 2, LEAST, PATIENT)
    no_leaks(lab)


@test(REMAPPED)
def debug_series_many_interrupts_with_remapping(lab):
    """The same below interrupt remapping."""
    many(lab, "IR-")


@test(REMAPPED)
def debug_series_storm_and_offline_with_remapping(lab):
    """Affinity storm, CPU off line and on, late peer: 0 lost, 0 misdirected."""
    storm_and_offline(lab)


@test(REMAPPED)
def debug_series_unloaded_under_fire_with_remapping(lab):
    """Everything down to ntb.ko goes and comes while the peer sends."""
    loads.reload(lab, UNLOAD, 1, LEAST, PATIENT)


@test(MODULE, known=[TRUST])
def debug_module_many_interrupts_on_bare_vectors(lab):
    """linux/ntb-msi: ntb_msi_test with 24 interrupts."""
    many(lab, "")


@test(MODULE, known=[TRUST])
def debug_module_storm_and_offline_on_bare_vectors(lab):
    """Affinity storm, CPU off line and on, late peer: 0 lost, 0 misdirected."""
    storm_and_offline(lab)


@test(MODULE, known=[TRUST])
def debug_module_unloaded_under_fire(lab):
    """Everything down to ntb.ko goes and comes while the peer sends, and leaks nothing."""
    loads.reload(lab, MODULE_UNLOAD, 2, LEAST, PATIENT)
    no_leaks(lab)


@test(MODULE, known=[TRUST])
def debug_module_ends_grants_with_their_client(lab):
    """Granted interrupts: their client is unloaded under fire, while the peer answers, and while it does not."""
    test_linux_grants.linux_grants_end_with_their_client(lab)


@test(MODULE_REMAPPED)
def debug_module_many_interrupts_with_remapping(lab):
    """The same below interrupt remapping."""
    many(lab, "IR-")


@test(MODULE_REMAPPED)
def debug_module_storm_and_offline_with_remapping(lab):
    """Affinity storm, CPU off line and on, late peer: 0 lost, 0 misdirected."""
    storm_and_offline(lab)


@test(MODULE_REMAPPED)
def debug_module_unloaded_under_fire_with_remapping(lab):
    """Everything down to ntb.ko goes and comes while the peer sends."""
    loads.reload(lab, MODULE_UNLOAD, 1, LEAST, PATIENT)


@test(VECTOR, dirty=True)
def debug_series_death_of_either_guest(lab):
    """kill -9 of the receiver under fire, then of the sender."""
    loads.deaths(lab, LEAST, PATIENT)


@test(MODULE, known=[TRUST])
def debug_module_interrupts_that_are_granted(lab):
    """ntb_grant.h under an affinity storm and a CPU off line: 0 lost, 0 misdirected."""
    sender, receiver = account.load(lab.guests, 8, f"await_handler=1 {PATIENT}", account.GrantClient)
    for load in (account.storm, account.offline):
        loads.nothing_lost(load, sender, receiver, SECONDS, LEAST)


@test(MODULE, known=[TRUST], dirty=True)
def debug_module_death_of_either_guest(lab):
    """kill -9 of the receiver under fire, then of the sender."""
    loads.deaths(lab, LEAST, PATIENT)
