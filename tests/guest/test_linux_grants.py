#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""linux/ntb-msi/ntb_grant.h: interrupts whose holders confirm, with a holder far later than any quarantine."""

import dataclasses
import sys

import loads
import test_host
import test_linux
from harness import expect, main, process, test
from loads import TRUST

from ontb_vm import account

# So late is the holder, and so short what <linux/ntb.h> would wait for it.
LATE_MS = 3000
NOT_YET_MS = 600000
QUARANTINE_MS = 100
# A CPU that goes off line waits for several confirmations; guests of a busy machine are slow.
CONFIRM_MS = 60000
# One more than the loads use.
SPARE = 8
MSI = "/sys/module/ntb_msi/parameters"
SINGLE = dataclasses.replace(test_linux.BARE, single=True)


def load(lab, options=""):
    """The client on both sides, the quarantine too short to be of use: (sender, receiver)."""
    for one in lab.guests:
        one.sh(f"modprobe ntb_msi && echo {QUARANTINE_MS} >{MSI}/quarantine_ms && "
               f"echo {CONFIRM_MS} >{MSI}/confirm_ms")
    # QEMU lets a confirmation, a store into memory, overtake an interrupt message.
    return account.load(lab.guests, SPARE + 1, f"await_handler=1 {options}", account.GrantClient)


def refused(client, command):
    """The error that a command ends with, as text."""
    status, text = client.one.run(f"echo {command} >{client.folder}/control")
    expect(status != 0, f"{command} was not refused")
    return text


def wait_state(client, index, state, seconds=60):
    """Wait until an own interrupt is granted, returned, or gone."""
    process.wait_until(f"interrupt {index} is {state}", lambda: client.states()[index] == state, seconds)


def facts(client):
    """What ntb_msi.ko says of a client's device: {word: number} and lines."""
    return test_linux.state(client.one, client.folder.rsplit("/", 1)[1])


def message_of(client, index):
    """(offset, data) of an interrupt."""
    irq = client.irqs()[index][0]
    line = next(line for line in facts(client)[1] if line.startswith(f"grant irq {irq} "))
    words = line.split()
    return words[words.index("offset") + 1], words[words.index("data") + 1]


def phases(client, name="ntb_grant_test"):
    """Where interrupts of this name are in their moves."""
    return {line.split()[2] for line in facts(client)[1] if line.startswith(f"handle {name} ")}


def moves(sender, receiver, prefix, seconds):
    """Affinity storm and CPU off line, on the messages that the holder goes on using."""
    for run in (account.storm, account.offline):
        # A move that ends later asks for a CPU that is about to go, and is refused.
        process.wait_until("earlier moves have ended", lambda: phases(receiver) == {"steady"}, 60)
        found, turns = run(sender, receiver, seconds)
        print(f"# {run.__name__}: {found.text()} in {turns} turns, each word confirmed {LATE_MS} ms late")
        expect(found.is_clean, f"{run.__name__}: {found.text()}")
        expect(found.sent > 100 and turns > 0, f"{run.__name__}: {found.sent} sent in {turns} turns")
        expect((found.changed == 0) == bool(prefix), f"{run.__name__}: {found.text()}")
    numbers, lines = facts(receiver)
    expect(numbers["refused"] == 0 and numbers["swept"] == 0 and numbers["late"] == 0, f"{lines}")


def freed_and_used_again(sender, receiver):
    """An interrupt is freed; as long as the holder sends, its message and its name belong to nobody."""
    last = SPARE - 1
    receiver.do(f"free {SPARE}")
    wait_state(receiver, SPARE, "none")
    old = message_of(receiver, last)
    late = facts(receiver)[0]["late"]
    sender.set_late(NOT_YET_MS)
    sender.do("reset")
    number = sender.start(LATE_MS, last, 1)
    process.wait_until("traffic", lambda: receiver.irqs()[last][1] > 20, 30, 0.1)
    receiver.do(f"free {last}")
    runs = receiver.irqs()[last][1]
    receiver.do(f"request {SPARE}")
    expect("already in progress" in refused(receiver, f"free {last}"), "a second free")
    expect("busy" in refused(receiver, f"request {last}"), "requested before it was returned")
    new = message_of(receiver, SPARE)
    numbers, lines = facts(receiver)
    expect(receiver.states()[last] == "freeing" and numbers["returning"] == 1, f"returned too early: {lines}")
    expect(new != old, f"{new} has been used again before it was returned")
    sender.finish(number, 60)
    expect(receiver.states()[last] == "freeing", "returned before the holder said so")
    sender.set_late(0)
    wait_state(receiver, last, "none")
    found = account.result(sender, receiver)
    numbers, lines = facts(receiver)
    expect(numbers["returning"] == 0, f"{lines}")
    late = numbers["late"] - late
    expect(late > 0 and late == found.lost, f"{found.text()}, {late} of them came late")
    expect(found.misdirected == 0 and receiver.irqs()[last][1] == runs, f"{found.text()}")
    print(f"# freed: {found.sent} sent, {late} until the holder had returned it, 0 misdirected")
    receiver.do(f"request {last}")
    wait_state(receiver, last, "granted")
    process.wait_until("it is held again", lambda: sender.targets() == SPARE + 1, 60)


def revoked_loses_nothing(sender, receiver):
    """Revoked under load, freed when it was returned, and requested again: every message is handled."""
    sender.do("reset")
    number = sender.start(3 * LATE_MS, 0, SPARE + 1)
    for index in (0, 5):
        receiver.do(f"revoke {index}")
    for index in (0, 5):
        wait_state(receiver, index, "returned")
        receiver.do(f"free {index}")
        wait_state(receiver, index, "none")
        receiver.do(f"request {index}")
    sender.finish(number, 60)
    found = account.result(sender, receiver)
    expect(found.is_clean and found.sent > 100, found.text())
    print(f"# revoked, freed and requested again: {found.text()}")


def very_late_peer(lab, prefix="", seconds=8):
    """All loads with a holder that acts on every word seconds after it has heard it."""
    sender, receiver = load(lab)
    test_linux.check_domain(lab.guests[1], lab.ends()[1][1], "ntb_grant_test", SPARE + 1, prefix)
    sender.set_late(LATE_MS)
    moves(sender, receiver, prefix, seconds)
    freed_and_used_again(sender, receiver)
    revoked_loses_nothing(sender, receiver)
    for client in (sender, receiver):
        session = client.session()
        expect(session["bad"] == 0 and session["epochs"] == 1, f"{client.one.name}: {session}")


@test(test_linux.BARE, known=[TRUST])
def linux_grants_wait_for_a_very_late_peer_on_6_12(lab):
    """A holder 3 s late, quarantine 100 ms: storm, CPU off line, reuse: 0 lost, 0 misdirected."""
    very_late_peer(lab)


@test(test_linux.BARE_7_3, known=[TRUST])
def linux_grants_wait_for_a_very_late_peer_on_7_3(lab):
    """The same on Linux 7.3."""
    very_late_peer(lab)


@test(test_linux.REMAPPED)
def linux_grants_wait_for_a_very_late_peer_with_remapping(lab):
    """The same below Intel interrupt remapping: moves are free, frees wait."""
    very_late_peer(lab, "IR-", 5)


@test(test_linux.BARE, known=[TRUST, r"CPU 1 stays: its interrupts cannot go elsewhere, or peers have not"])
def linux_grants_keep_a_cpu_that_a_peer_sends_to(lab):
    """No confirmation within confirm_ms: the CPU stays, nothing is lost; with it the CPU goes."""
    sender, receiver = load(lab)
    sender.set_late(NOT_YET_MS)
    receiver.one.sh(f"echo 1500 >{MSI}/confirm_ms")
    numbers = " ".join(str(irq) for irq, _ in receiver.irqs())
    online = "/sys/devices/system/cpu/cpu1/online"
    receiver.one.sh(f"for irq in {numbers}; do echo 2 >/proc/irq/$irq/smp_affinity; done")
    sender.do("reset")
    number = sender.start(8000, 0, SPARE)
    status, text = receiver.one.run(f"echo 0 >{online}")
    expect(status != 0 and "busy" in text, f"CPU 1 went off line: {text}")
    expect(receiver.one.sh(f"cat {online}").strip() == "1", "CPU 1 is off line")
    sender.finish(number, 60)
    sender.set_late(0)
    receiver.one.sh(f"echo {CONFIRM_MS} >{MSI}/confirm_ms\necho 0 >{online}", 90)
    sender.do(f"run 2000 0 {SPARE}")
    found = account.result(sender, receiver)
    receiver.one.sh(f"echo 1 >{online}")
    expect(found.is_clean and found.sent > 50, found.text())
    print(f"# refused, and later not: {found.text()}")


@test(test_linux.BARE, known=[TRUST])
def linux_grants_end_with_their_client(lab):
    """Unloaded under fire: returned in time, or shut out; then both modules come back and work."""
    sender, receiver = load(lab)
    for late, leave, said in ((500, 30000, False), (NOT_YET_MS, 1000, True)):
        sender.set_late(late)
        receiver.one.sh(f"echo {leave} >/sys/module/ntb_grant_test/parameters/leave_ms")
        number = sender.start(6000, 0, SPARE)
        process.wait_until("traffic", lambda: receiver.irqs()[0][1] > 5, 30, 0.1)
        receiver.one.sh("modprobe -r ntb_grant_test && modprobe -r ntb_msi", 60)
        shut_out = "has not returned" in receiver.one.sh("dmesg")
        expect(shut_out == said, f"{late} ms late: shut out: {shut_out}")
        expect("NTB-MSI" not in receiver.one.sh("cat /proc/interrupts"), "interrupts left")
        sender.finish(number, 60)
        sender.set_late(0)
        receiver.one.sh(f"modprobe ntb_grant_test nr_irqs={SPARE + 1} await_handler=1", 60)
        for client in (sender, receiver):
            process.wait_until("interrupts", lambda client=client: client.targets() == SPARE + 1, 60)
        sender.do("reset")
        sender.do(f"run 1500 0 {SPARE}")
        found = account.result(sender, receiver)
        expect(found.is_clean and found.sent > 20, found.text())
        print(f"# {late} ms late, {leave} ms to return: came back, {found.text()}")


@test(test_linux.BARE, known=[TRUST])
def linux_grants_are_beside_the_old_interface(lab):
    """Two interrupts of <linux/ntb.h> on the same device: all move, each kind ends a move in its own way."""
    sender, receiver = load(lab, "nr_beside=2")
    sender.set_late(NOT_YET_MS)

    def beside():
        lines = receiver.one.sh(f"cat {receiver.folder}/beside").splitlines()
        return [tuple(int(word) for word in line.split()[1:]) for line in lines]

    old = beside()
    expect(len(old) == 2 and all(irq for irq, _ in old), f"{old}")
    for turn in range(1, 5):
        for irq, _ in [*receiver.irqs(), *old]:
            receiver.one.sh(f"echo {1 + turn % 2} >/proc/irq/{irq}/smp_affinity")
        process.wait_until("moves of the old interface end by time",
                           lambda: phases(receiver, "ntb_grant_beside") == {"steady"}, 30, 0.2)
        for index in range(2):
            sender.do(f"beside {index}")
        process.wait_until("they arrive", lambda turn=turn: [runs for _, runs in beside()] == [turn] * 2, 30, 0.1)
    expect(phases(receiver) == {"away"}, f"{phases(receiver)} without a confirmation")
    sender.do("reset")
    sender.do(f"run 1000 0 {SPARE + 1}")
    sender.set_late(0)
    process.wait_until("moves end by confirmation", lambda: phases(receiver) == {"steady"}, 60, 0.2)
    sender.do(f"run 1000 0 {SPARE + 1}")
    found = account.result(sender, receiver)
    expect(found.is_clean and found.sent > 50, found.text())
    print(f"# {[runs for _, runs in beside()]} by the old interface, granted: {found.text()}")


@test(test_linux.BARE, known=[TRUST], dirty=True)
def linux_grants_of_a_dead_holder_are_free(lab):
    """kill -9 of a holder that would not have confirmed: all moves and frees end; it comes back and works."""
    sender, receiver = load(lab)
    sender.set_late(NOT_YET_MS)
    for irq, _ in receiver.irqs():
        receiver.one.sh(f"echo 1 >/proc/irq/{irq}/smp_affinity; echo 2 >/proc/irq/{irq}/smp_affinity")
    for index in range(4):
        receiver.do(f"free {index}")
    numbers, lines = facts(receiver)
    expect(numbers["returning"] == 4 and receiver.states()[:5] == ["freeing"] * 4 + ["granted"], f"{lines}")
    sender.one.kill()
    lab.say_link(receiver.one, "down")
    for index in range(4):
        wait_state(receiver, index, "none")

    def settled():
        numbers, lines = facts(receiver)
        handles = [line.split()[2] for line in lines if line.startswith("handle ")]
        return numbers["returning"] == 0 and numbers["grants"] == 5 and set(handles) == {"steady"}
    process.wait_until("everything is free", settled, 30)
    for index in range(4):
        receiver.do(f"request {index}")
    sender.one.start()
    sender.one.wait_ready(180)
    lab.load_hardware(sender.one)
    account.load([sender.one], SPARE + 1, "await_handler=1", account.GrantClient)
    loads.settle(sender, receiver, 20)
    expect(receiver.session()["epochs"] == 2, f"{receiver.session()}")


def trade_grants(lab, host):
    """A guest and a host of ours grant each other interrupts; both move, and every message is handled."""
    guest = lab.guests[0]
    number = test_host.NR_IRQS
    (client,) = account.load([guest], number, "timeout_ms=20", account.GrantClient)
    process.wait_until("we hold the guest's", lambda: host.ask(request="peer")["held"] == number, 60)
    want, runs = [0] * number, [count for _, count in client.irqs()]
    for turn in range(3 * number):
        index = turn % number
        client.do("reset")
        client.do(f"run 100 {index} 1")
        # The counters of this client are not in our host, so it does not know what was handled.
        sent = int(guest.sh(f"cat {client.folder}/result").split()[1])
        expect(sent > 0, "the guest sent nothing")
        want[index] += sent
        process.wait_until(f"{sent} from the guest to our {index}", lambda: host.counts() == want, 30, 0.05)
        runs[index] += 1
        reply = host.ask(request="trigger", index=index)
        expect(reply["ok"], str(reply))
        process.wait_until(f"from us to the guest's {index}",
                           lambda: [count for _, count in client.irqs()] == runs, 30, 0.1)
        for irq, _ in client.irqs():
            guest.sh(f"echo {1 + turn % 2} >/proc/irq/{irq}/smp_affinity")
    session = client.session()
    numbers, lines = facts(client)
    expect(session["bad"] == 0 and session["damaged"] == 0 and session["grants"] > 2 * number, f"{session}")
    expect(numbers["late"] == 0 and numbers["refused"] == 0, f"{lines}")
    print(f"# {host.counts()} from the guest, {session['grants']} words to our host, which confirmed them")


@test(SINGLE, known=[TRUST])
def linux_grants_and_our_host_grant_each_other(lab):
    """ntb_grant_test and `openntb host`: two implementations of the grant protocol, over scratchpads."""
    with test_host.our_host(lab, "--peer", "linux-grants") as host:
        trade_grants(lab, host)
        lab.unload()


if __name__ == "__main__":
    sys.exit(main(__doc__))
