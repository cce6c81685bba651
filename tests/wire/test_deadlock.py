#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Hosts that read each other's memory by messages at the same time.

A QEMU whose virtual CPU waits for a read can answer nobody, so whoever would close a circle of waiting hosts gets
all ones at once.  Each test plays such hosts: it answers for a host only when that host does not wait.  The completion
timeout is longer than a test may take, so an answer in time is not a timeout.
"""

import itertools
import selectors

import base
from base import check, equal
from client import REGION_READ, access, connect_by_child, post
from host import Host
from server import serve

MIB = 1 << 20
ONES = b"\xff" * 8
PATIENT = ("--completion-timeout", "60000")


def make(case, server, port, **options):
    """A host whose memory has no descriptor, and that shows it to its peer."""
    host = Host(server, port, **options)
    case.stack.callback(host.close)
    host.map(0, 16 * MIB)
    return host


class SameProcess:
    """Hosts on several ports that are one process for the server: a child connects for all of them."""

    def __init__(self, case, server, ports):
        socks = connect_by_child([server.path(port) for port in ports])
        self.hosts = {port: make(case, server, port, sock=sock) for port, sock in zip(ports, socks)}


def make_pair(case, server, first=0, **options):
    """Two of them, with windows into each other."""
    pair = [make(case, server, first, **options), make(case, server, first + 1, **options)]
    for host in pair:
        host.show(host.port * MIB, MIB)
    return pair


def start_read(host, offset=0):
    """Begin to read through the window."""
    return host.send(REGION_READ, access(4, offset, 8))


def wait_any(hosts):
    """Wait until one of the sockets has data."""
    with selectors.DefaultSelector() as selector:
        for host in hosts:
            selector.register(host.sock, selectors.EVENT_READ)
        check(selector.select(base.DEADLINE_S), "all hosts wait: a deadlock")


def test_two_hosts_read_each_other_at_the_same_time(case):
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    for _ in range(50):
        # Both requests are on their way before either is looked at.
        of_a, of_b = start_read(a), start_read(b)
        # One of the two is refused at once; which one is a race.
        while of_a not in a.replies and of_b not in b.replies and not (a.commands and b.commands):
            for host in (a, b):
                host.pump(0.01)
        check(not (a.commands and b.commands), "both wait for each other")
        loser, winner, lost, won = (a, b, of_a, of_b) if of_a in a.replies else (b, a, of_b, of_a)
        equal(loser.finish(lost)[16:], ONES, "the read that would have closed the circle")
        # Its processor goes on, so it can answer.
        msg, _, _ = loser.wait_read()
        loser.answer(msg, b"fine ...")
        equal(winner.finish(won)[16:], b"fine ...")
    refused = [server.counters(port)["unsupported"] for port in (0, 1)]
    equal(sum(refused), 50, f"refused reads are counted: {refused}")
    check(any("circle" in line for line in server.read_log()), "no log line says why")


def test_the_first_reader_wins_and_the_second_is_told_at_once(case):
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    number = start_read(a)
    msg, _, _ = b.wait_read()
    equal(b.read(4, 0, 8), ONES)
    b.answer(msg, b"answered")
    equal(a.finish(number)[16:], b"answered")
    number = start_read(b)
    msg, _, _ = a.wait_read()
    a.answer(msg, b"and back")
    equal(b.finish(number)[16:], b"and back", "with nobody waiting the other way round works")


def test_a_read_of_registers_and_mapped_memory_is_never_refused(case):
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    number = start_read(a)
    msg, _, _ = b.wait_read()
    for host in (a, b):
        host.check_lives()
        equal(host.read(7, 0, 2), b"\xf8\x11")
    b.write(4, 0x20, b"goes on")
    equal(a.wait_write(), (0x20, b"goes on"))
    b.answer(msg, b"answered")
    equal(a.finish(number)[16:], b"answered")


def test_several_reads_of_one_host_are_no_circle(case):
    a, b = make_pair(case, serve(case, *PATIENT))
    numbers = [start_read(a, 8 * idx) for idx in range(20)]
    for idx in range(20):
        msg, addr, _ = b.wait_read()
        equal(addr, MIB + 8 * idx)
        b.answer(msg, b"%08d" % idx)
    for idx, number in enumerate(numbers):
        equal(a.finish(number)[16:], b"%08d" % idx)


def test_pairs_do_not_wait_for_each_other(case):
    server = serve(case, "--ports", "8", *PATIENT)
    pairs = [make_pair(case, server, first) for first in range(0, 8, 2)]
    numbers = [start_read(a) for a, _ in pairs]
    asked = [b.wait_read() for _, b in pairs]
    for (_, b), (msg, _, _) in reversed(list(zip(pairs, asked))):
        b.answer(msg, b"answered")
    for (a, _), number in zip(pairs, numbers):
        equal(a.finish(number)[16:], b"answered")


def test_two_ports_of_one_process_never_wait_for_each_other(case):
    """One QEMU with two endpoints: its processor that waits holds the lock that both answers need."""
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server, as_other_process=False)
    equal(a.read(4, 0, 8), ONES)
    equal(b.read(4, 0, 8), ONES)
    equal((list(a.commands), list(b.commands)), ([], []), "messages")
    a.write(4, 0, b"writes are")
    equal(b.wait_write(), (MIB, b"writes are"))


def test_a_circle_over_processes_with_two_ports_is_refused(case):
    """Three processes, each with the upper port of one pair and the lower of the next: a chain that bites its tail."""
    server = serve(case, "--ports", "8", *PATIENT)
    rings = {}
    # Process n owns ports 2n + 1 and 2n + 2 (the last one ports 5 and 0).
    for number in range(3):
        rings[number] = SameProcess(case, server, (2 * number + 1, (2 * number + 2) % 6))
    for process in rings.values():
        for host in process.hosts.values():
            host.show(host.port * MIB, MIB)
    hosts = {port: host for process in rings.values() for port, host in process.hosts.items()}
    # Each process reads from the next: 1 -> 0 is in process 2's hands, 3 -> 2 in process 0's, 5 -> 4 in process 1's.
    numbers = {}
    for reader in (1, 3):
        numbers[reader] = start_read(hosts[reader])
        hosts[reader - 1].pump()
    equal(hosts[5].read(4, 0, 8), ONES, "the third read would close the circle")
    for reader in (3, 1):
        msg, _, _ = hosts[reader - 1].wait_read()
        hosts[reader - 1].answer(msg, b"answered")
        equal(hosts[reader].finish(numbers[reader])[16:], b"answered")
    number = start_read(hosts[5])
    msg, _, _ = hosts[4].wait_read()
    hosts[4].answer(msg, b"answered")
    equal(hosts[5].finish(number)[16:], b"answered", "when nobody waits any more it works")


def test_a_chain_of_three_without_circle_is_served(case):
    server = serve(case, "--ports", "8", *PATIENT)
    first, second = SameProcess(case, server, (1, 2)), SameProcess(case, server, (3, 4))
    ends = make(case, server, 0), make(case, server, 5)
    hosts = {0: ends[0], 5: ends[1], **first.hosts, **second.hosts}
    for host in hosts.values():
        host.show(host.port * MIB, MIB)
    # 0 reads from 1 (process 1-2), 2 reads from 3 (process 3-4), 4 reads from 5.
    numbers, asked = {}, {}
    for reader in (0, 2, 4):
        numbers[reader] = start_read(hosts[reader])
        asked[reader] = hosts[reader + 1].wait_read()[0]
    # The last one can answer, then the one before it, and so on.
    for reader in (4, 2, 0):
        hosts[reader + 1].answer(asked[reader], b"chain %02d" % reader)
        equal(hosts[reader].finish(numbers[reader])[16:], b"chain %02d" % reader)


def test_no_order_of_many_reads_hangs_a_host(case):
    """Eight hosts in four processes, every pair of steps in another order: each read ends, by an answer or all ones."""
    server = serve(case, "--ports", "8", *PATIENT)
    processes = [SameProcess(case, server, (port, (port + 3) % 8)) for port in (0, 2, 4, 6)]
    hosts = {port: host for process in processes for port, host in process.hosts.items()}
    for host in hosts.values():
        host.show(host.port * MIB, MIB)
    process_of = {port: process for process in processes for port in process.hosts}
    for order in itertools.islice(itertools.permutations(range(8)), 0, 40320, 1009):
        waiting = {port: start_read(hosts[port]) for port in order}
        # A process answers only while none of its own reads waits; if that never gets anywhere, it is a deadlock.
        while waiting:
            for host in hosts.values():
                while host.pump(0):
                    pass
            done = [port for port, number in waiting.items() if number in hosts[port].replies]
            for port in done:
                data = hosts[port].finish(waiting.pop(port))[16:]
                check(data in (ONES, b"answered"), data)
            free = [host for port, host in hosts.items()
                    if not any(other in waiting for other in process_of[port].hosts)]
            answered = 0
            for host in free:
                while host.commands:
                    msg = host.commands.popleft()
                    host.answer(msg, b"answered")
                    answered += 1
            if not done and not answered:
                # Wait for whatever comes next; if nothing comes the test fails by its deadline.
                wait_any(hosts.values())


def test_a_waiting_read_ends_when_the_host_it_waits_for_leaves(case):
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    number = start_read(a)
    b.wait_read()
    b.close()
    equal(a.finish(number)[16:], ONES)
    a.check_lives()


def test_a_reader_may_leave_while_its_read_waits(case):
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    start_read(a)
    msg, _, _ = b.wait_read()
    a.close()
    server.wait_free(0)
    b.answer(msg, b"too late")
    b.check_lives()
    again = make(case, server, 0)
    b.show(MIB, MIB)
    number = start_read(again)
    msg, _, _ = b.wait_read()
    b.answer(msg, b"in time.")
    equal(again.finish(number)[16:], b"in time.", "a new host on the same port")


def test_too_many_waiting_reads_are_refused_not_queued_without_end(case):
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    numbers = [start_read(a, 8 * idx) for idx in range(1000)]
    a.sync()
    refused = [number for number in numbers if number in a.replies]
    check(0 < len(refused) < 1000, f"{len(refused)} of 1000 were refused")
    for number in refused:
        equal(a.finish(number)[16:], ONES)
    for number in numbers:
        if number not in refused:
            msg, _, _ = b.wait_read()
            b.answer(msg, b"answered")
            equal(a.finish(number)[16:], b"answered")


def test_writes_pass_a_waiting_read_of_the_peer(case):
    """PCIe: posted writes may pass reads, so a host that waits still gets data and interrupts."""
    server = serve(case, *PATIENT)
    a, b = make_pair(case, server)
    number = start_read(a)
    msg, _, _ = b.wait_read()
    for idx in range(1000):
        b.raw(post(4, 0, b"%08d" % idx))
        equal(a.wait_write(), (0, b"%08d" % idx))
    b.answer(msg, b"answered")
    equal(a.finish(number)[16:], b"answered")


if __name__ == "__main__":
    base.main(dict(globals()))
