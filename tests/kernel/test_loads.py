# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The kernel of linux/series under load: every message of a peer is accounted for by ntb_irq_test."""

import clients
import loads
import test_clients
from harness import expect, test
from test_series import MANY, REMAPPED, VECTOR, VECTOR_1, VECTOR_4, lines_of, load_many, works

from ontb_vm import account

# A domain has no more.
ALL_IRQS = 64
# The whole stack, not just the client.
UNLOAD = (f"modprobe -r {account.MODULE} && modprobe -r ntb_hw_switchtec && modprobe -r switchtec && "
          "modprobe -r ntb")
# How many interrupts the next CPU has, then that CPU goes off line, and comes back.
OFFLINE = """
cpu=$((turns % ($(nproc) - 1) + 1))
for irq in {numbers}; do
	[ $(cat /proc/irq/$irq/effective_affinity_list) = $cpu ] && moved=$((${{moved:-0}} + 1))
done
echo 0 >/sys/devices/system/cpu/cpu$cpu/online || exit 1
sleep 1
echo 1 >/sys/devices/system/cpu/cpu$cpu/online || exit 1
sleep 0.2
echo ${{moved:-0}} >/tmp/moved
"""


def all_arrive(lab, prefix=""):
    """ntb_msi_test with a few interrupts and with many, ntb_irq_test with as many as there are."""
    works(lab, prefix)
    lab.unload()
    load_many(lab)
    loads.each_once(lab, MANY)
    lab.unload()
    sender, receiver = account.load(lab.guests, ALL_IRQS)
    for one, device in lab.ends():
        found = lines_of(one, f"{prefix}NTB-MSI-{device}")
        expect(len(found) == ALL_IRQS, f"{one.name}: {len(found)} interrupts in the NTB domain")
    loads.all_handled(sender, receiver, ALL_IRQS, 4000)


@test(VECTOR_1)
def all_interrupts_arrive_on_one_processor(lab):
    """One CPU, bare vectors: ntb_msi_test, and 64 interrupts that are accounted for."""
    all_arrive(lab)


@test(VECTOR_4)
def all_interrupts_arrive_on_four_processors(lab):
    """Four CPUs, bare vectors: the same."""
    all_arrive(lab)


@test(VECTOR_4)
def one_message_at_most_is_lost_when_a_processor_goes(lab):
    """CPUs go off line in turn on bare vectors: per interrupt and move one message may come too early for the peer's news."""
    sender, receiver = account.load(lab.guests)
    numbers = " ".join(str(irq) for irq, _ in receiver.irqs())
    sender.one.sh(f"echo 1000 >/sys/module/{account.MODULE}/parameters/timeout_ms")
    found, turns = account.under_load(sender, receiver, 15, OFFLINE.format(numbers=numbers))
    moved = int(receiver.one.sh("cat /tmp/moved"))
    print(f"# {found.text()}, {moved} moved in {turns} turns")
    expect(moved > 0 and found.changed > 0 and found.sent > 100, f"nothing moved: {found.text()}")
    expect(found.misdirected == 0 and found.lost <= moved, f"{moved} moved: {found.text()}")
    loads.settle(sender, receiver)


@test(REMAPPED)
def nothing_is_lost_with_remapping(lab):
    """Four CPUs: affinity storm, CPU off line and on, with a peer that hears late: 0 lost, 0 misdirected, no news."""
    sender, receiver = account.load(lab.guests, options="learn_ms=20")
    for load in (account.storm, account.offline):
        found = loads.nothing_lost(load, sender, receiver, 8)
        expect(found.changed == 0, f"a message changed: {found.text()}")


@test(VECTOR)
def modules_go_and_come_while_the_peer_sends(lab):
    """The client, then everything down to ntb.ko, is unloaded and loaded under fire."""
    loads.reload(lab, f"modprobe -r {account.MODULE}", 2)
    lab.unload()
    loads.reload(lab, UNLOAD, 2)


@test(VECTOR, dirty=True)
def either_guest_may_die_while_the_peer_sends(lab):
    """kill -9 of the receiver under fire, then of the sender; each comes back to a peer that never stopped."""
    loads.deaths(lab)


@test(VECTOR, seconds=test_clients.TCP_SECONDS + 120, known=[test_clients.TWO_THREADS])
def netdev_carries_256_mib_by_interrupts_of_the_domain(lab):
    """ntb_netdev over ntb_transport use_msi=1: checksums, counts, and everything can be unloaded."""
    test_clients.carry_by_msi(lab)
    for one, device in lab.ends():
        found = loads.interrupts(one, "ntb_transport")
        expect(found and all(text.startswith(f"NTB-MSI-{device} ") for _, _, text in found), f"{one.name}: {found}")
    lab.unload()
    clients.trade_interrupts(lab, 2)
