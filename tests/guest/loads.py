# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What is done to NTB interrupts whoever implements them: linux/ntb-msi or a kernel of linux/series."""

import re

from clients import demo
from harness import expect, process

from ontb_vm import account

# What linux/ntb-msi says on purpose.
TRUST = r"no interrupt remapping: peers can raise any interrupt of this host"


def interrupts(one, name):
    """[(number, count, the rest of the line)] of the lines of /proc/interrupts with this handler."""
    found = []
    for line in one.sh("cat /proc/interrupts").splitlines():
        match = re.match(r"\s*(\d+):((?:\s+\d+)+)\s+(\S.*?)\s+(\S+)\s*$", line)
        if match and match.group(4) == name:
            found.append((int(match.group(1)), sum(map(int, match.group(2).split())), match.group(3)))
    return found


def occurrences(one):
    """How often each handler of ntb_msi_test ran, by its own account."""
    return [int(word) for word in one.sh(f"cat {demo.BASE}/*/irq*_occurrences").split()]


def trigger_all(sender, receiver, number=None, seconds=30):
    """ntb_msi_test: raise each interrupt of the peer once; all counters go up by one, the client's own too."""
    place = f"{demo.BASE}/{demo.device(sender)}/peer0"
    told = int(sender.sh(f"cat {place}/count"))
    before, ran = demo.counts(receiver), occurrences(receiver)
    expect(told == len(before) == (number or told) > 0,
           f"{receiver.name} has {len(before)} interrupts, {sender.name} was told of {told}, wanted {number}")
    sender.sh(f"i=0; while [ $i -lt {told} ]; do echo $i >{place}/trigger; i=$((i + 1)); done")

    def arrived():
        now = demo.counts(receiver)
        return all(now[irq][0] > before[irq][0] for irq in before) and now
    after = process.wait_until(f"{receiver.name}: {told} interrupts", arrived, seconds)
    wrong = [line for irq, (count, line) in after.items() if count != before[irq][0] + 1]
    expect(not wrong, f"{receiver.name}: not once each: {wrong}")
    expect(occurrences(receiver) == [count + 1 for count in ran],
           f"{receiver.name}: the client counted {ran}, then {occurrences(receiver)}")


def each_once(lab, number=None, seconds=30):
    """ntb_msi_test: trigger_all() both ways."""
    for sender, receiver in (lab.guests, lab.guests[::-1]):
        trigger_all(sender, receiver, number, seconds)


def nothing_lost(load, sender, receiver, seconds, least=100):
    """Put a load of account on the receiver; every message is accounted for. Return what was seen."""
    found, turns = load(sender, receiver, seconds)
    print(f"# {load.__name__}: {found.text()} in {turns} turns")
    expect(found.is_clean, f"{load.__name__}: {found.text()}")
    expect(found.sent > least and turns > 1, f"{load.__name__}: {found.sent} sent in {turns} turns")
    return found


def all_handled(sender, receiver, number, milliseconds):
    """Send to @number interrupts in turn: each is sent to, and every message runs its handler, once."""
    before = receiver.irqs()
    sender.do("reset")
    sender.do(f"run {milliseconds} 0 {number}", milliseconds // 1000 + 60)
    found = account.result(sender, receiver)
    runs = [after - first for (_, after), (_, first) in zip(receiver.irqs(), before)]
    expect(found.is_clean, found.text())
    expect(len(runs) == number and min(runs) > 0, f"some were not sent to: {runs}")
    expect(sum(runs) == found.sent, f"{found.text()}, handlers ran {sum(runs)} times")
    print(f"# {number} interrupts: {found.text()}")


def settle(sender, receiver, least=50):
    """Wait until the sender reaches the receiver again; then everything has to be accounted for."""
    def works():
        sender.do("reset")
        sender.do("run 500 0 8")
        found = account.result(sender, receiver)
        return found.sent and found.is_clean
    process.wait_until("messages that arrive", works, 90)
    sender.do("reset")
    sender.do("run 3000 0 8")
    found = account.result(sender, receiver)
    expect(found.sent > least and found.is_clean, found.text())
    print(f"# afterwards: {found.text()}")


def reload(lab, unload, times=3, least=50, options=""):
    """Modules are unloaded by @unload and loaded under fire: nothing is said, and it works as before."""
    sender, receiver = account.load(lab.guests, options=options)
    number = sender.start(4000 * times, 0, 8)
    for _ in range(times):
        receiver.one.sh(unload, 120)
        left = receiver.one.sh("cat /proc/interrupts")
        expect("NTB-MSI" not in left, f"interrupts are left:\n{left}")
        lab.load_hardware(receiver.one)
        receiver.one.sh(f"modprobe {account.MODULE} nr_irqs=8 {options}", 60)
        process.wait_until("interrupts", lambda: len(interrupts(receiver.one, account.MODULE)) == 8, 60)
    sender.finish(number, 120 + 4 * times)
    settle(sender, receiver, least)


def deaths(lab, least=50, options=""):
    """kill -9 of the receiver under fire, then of the sender; each comes back to a peer that never stopped."""
    sender, receiver = account.load(lab.guests, options=options)
    for dies, stays in ((receiver, sender), (sender, receiver)):
        before = sum(runs for _, runs in receiver.irqs())
        number = sender.start(15000, 0, 8)
        process.wait_until("traffic", lambda before=before: sum(
            runs for _, runs in receiver.irqs()) > before + 20, 15)
        dies.one.kill()
        lab.say_link(stays.one, "down")
        if stays is sender:
            sender.finish(number, 60)
        dies.one.start()
        dies.one.wait_ready(lab.setup.boot_seconds)
        lab.load_hardware(dies.one)
        account.load([dies.one], options=options)
        settle(sender, receiver, least)
