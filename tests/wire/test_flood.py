#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Hosts that send without end, hosts that do not read, and what the others notice of it: nothing."""

import os
import struct
import time

import base
from base import check, equal
from client import (CONFIG, DMA_MAP, GET_INFO, MAX_XFER, NO_REPLY, REGION_READ, RESET, SET_IRQS, Client, Closed, access,
                    device_info, dma_map, irq_set, message, post)
from host import BAR_DIRECT, BAR_LUT, DEVICE_ID, DEVICE_ID_REG, INTERRUPTS, PAGE, Eventfds, Host, Ram, pair
from server import serve

MIB = 1 << 20
# What a host that does not read may cost: queued replies, and a queue of writes for each of the others.
MEMORY_LIMIT = 24 * MIB


class Bystanders:
    """Two hosts on another pair of ports that mind their own business."""

    def __init__(self, case, server, first=2):
        self.listener, self.ringer = pair(case, server, first)
        self.events = Eventfds(case, 1)
        self.listener.arm(self.events.fds)
        self.listener.listen(0)
        self.ringer.may_ring()
        self.listener.show(0, MIB)
        self.turn = 0

    def check_live(self):
        """Registers, memory, messages and interrupts work."""
        self.turn += 1
        data = struct.pack("<Q", self.turn)
        self.ringer.write(BAR_DIRECT, 8 * self.turn, data)
        equal(self.listener.ram[8 * self.turn:8 * self.turn + 8], data, "memory of a bystander")
        equal(self.ringer.read(BAR_DIRECT, 8 * self.turn, 8), data)
        self.ringer.ring()
        equal((self.events.take(0), self.listener.ack()), (1, self.listener.bit()), "interrupt of a bystander")
        self.listener.check_lives()


def interrupts(count, start=0):
    """Posted interrupt messages, all different."""
    return b"".join(post(BAR_DIRECT, 4 * (idx % 1024), struct.pack("<I", start + idx)) for idx in range(count))


def scene(case):
    """A server with a victim on port 0, a flooder on port 1 and two bystanders."""
    server = serve(case, "--ports", "4")
    victim, flooder = pair(case, server)
    victim.show(INTERRUPTS, MIB)
    return server, victim, flooder, Bystanders(case, server)


def test_a_flood_of_interrupts_to_a_host_that_does_not_read(case):
    server, victim, flooder, bystanders = scene(case)
    before = server.memory()
    count = 60000
    start = server.mark()
    for part in range(0, count, 2000):
        flooder.raw(interrupts(2000, part))
        if part % 10000 == 0:
            bystanders.check_live()
    flooder.sync()
    dropped = server.counters(1)["dropped"]
    check(dropped > count // 2, f"only {dropped} were dropped")
    check(server.memory() - before < MEMORY_LIMIT, f"memory grew by {server.memory() - before}")
    check(server.port(0)["client"]["connected"] and server.port(0)["client"]["queued_bytes"], "the victim's queue")
    equal(server.port(1)["client"]["queued_bytes"], 0, "the flooder's queue")
    lines = server.lines_of(0, start) + server.lines_of(1, start)
    check(lines and len(lines) < 200, f"{len(lines)} log lines")
    check(any("dropped" in line or "too much under way" in line for line in lines), f"no line says so: {lines[:3]}")
    # Now the victim reads: all that was not dropped, whole and in order.
    number = victim.send(GET_INFO, device_info())
    seen = []
    while number not in victim.replies:
        victim.pump()
    while victim.commands:
        addr, data = victim.wait_write()
        value = struct.unpack("<I", data)[0]
        equal(addr, INTERRUPTS + 4 * (value % 2000 % 1024), "address of a message")
        seen.append(value)
    equal(seen, sorted(set(seen)), "order of the messages")
    equal(len(seen) + dropped, count, "messages read and dropped")
    equal(server.wait_port(0, lambda status: not status["client"]["queued_bytes"],
                           "the queue is empty")["client"]["connected"], True)
    flooder.write(BAR_DIRECT, 0, b"last")
    equal(victim.wait_write(), (INTERRUPTS, b"last"), "after the flood")
    bystanders.check_live()


def test_the_same_interrupt_again_and_again_is_not_lost(case):
    server, victim, flooder, _ = scene(case)
    victim.show_lut(0, 0)
    same = post(BAR_DIRECT, 0, b"same") * 1000
    for _ in range(30):
        flooder.raw(same)
    # After all of them, the data that the last interrupt tells of, and that interrupt.
    flooder.raw(post(BAR_LUT, 0, b"data") + post(BAR_DIRECT, 0, b"same"))
    flooder.sync()
    equal(victim.ram[0:4], b"data")
    equal(server.counters(1)["dropped"], 0, "dropped interrupts")
    victim.sync()
    check(victim.commands, "no interrupt")
    while victim.commands:
        equal(victim.wait_write(), (INTERRUPTS, b"same"))


def pair_and_bystanders(case, *options):
    """A server, a host that shows 2 MiB which it keeps to itself, its peer, and two others."""
    server = serve(case, "--ports", "4", *options)
    victim, flooder = Host(server, 0), Host(server, 1)
    case.stack.callback(victim.close)
    case.stack.callback(flooder.close)
    victim.map(0, 4 * MIB)
    victim.show(0, 2 * MIB)
    return server, victim, flooder, Bystanders(case, server)


def test_a_flood_of_data_to_a_host_that_does_not_read(case):
    server, victim, flooder, bystanders = pair_and_bystanders(case)
    before = server.memory()
    for idx in range(100):
        flooder.post(BAR_DIRECT, idx, bytes([idx]) * MIB)
    flooder.sync()
    bystanders.check_live()
    check(server.memory() - before < MEMORY_LIMIT, f"memory grew by {server.memory() - before}")
    dropped = server.counters(1)["dropped"]
    check(0 < dropped <= 100, f"{dropped} dropped")
    number = victim.send(GET_INFO, device_info())
    while number not in victim.replies:
        victim.pump()
    got = {}
    while victim.commands:
        addr, data = victim.wait_write()
        check(len(set(data)) == 1, "data of two writes in one message")
        equal(addr - data[0], got.get(data[0], 0), f"where a part of write {data[0]} goes")
        got[data[0]] = got.get(data[0], 0) + len(data)
    equal(sorted(set(got.values())), [MIB], "bytes of each write that came")
    equal(len(got) + dropped, 100, "writes that came and that were dropped")


def test_other_hosts_reach_a_victim_that_one_host_floods(case):
    """Not to be seen over one pair; so the victim floods itself with replies, and its peer still gets through."""
    server, victim, flooder, bystanders = scene(case)
    request = message(REGION_READ, access(0, DEVICE_ID_REG, 4)) * 1000
    check(victim.send_until_blocked(request, 256 * MIB) < 256 * MIB, "it takes requests without end")
    server.wait_port(0, lambda status: status["client"]["queued_bytes"], "replies are queued")
    flooder.write(BAR_DIRECT, 0, b"irq.")
    bystanders.check_live()
    replies = 0
    while not victim.commands:
        msg = victim.receive()
        if msg.flags & 1:
            replies += 1
        else:
            victim.commands.append(msg)
    check(replies, "no replies came before")
    equal(victim.wait_write(), (INTERRUPTS, b"irq."))


def read_replies(host, taken, one, expect):
    """Read the replies to as many whole requests as @taken bytes hold; return how many."""
    count = taken // one
    for idx in range(count):
        reply = host.receive()
        equal((reply.flags, reply.body[:16]), (1, expect), f"reply {idx}")
    return count


def test_a_host_that_asks_and_does_not_read_the_answers(case):
    server = serve(case, "--ports", "4")
    asker, other = pair(case, server)
    bystanders = Bystanders(case, server)
    before = server.memory()
    request = message(REGION_READ, access(0, DEVICE_ID_REG, 4))
    # Far more than sockets and queues hold; the server must stop to read.
    taken = asker.send_until_blocked(request * 1000, 256 * MIB)
    check(taken < 256 * MIB, "it takes requests without end")
    check(server.memory() - before < MEMORY_LIMIT, f"memory grew by {server.memory() - before}")
    other.check_lives()
    bystanders.check_live()
    equal(server.port(0)["client"]["connected"], True)
    count = read_replies(asker, taken, len(request), access(0, DEVICE_ID_REG, 4))
    check(count > 1000, f"{count} replies")
    # The last request was perhaps cut: complete it.
    asker.raw(request[taken % len(request):])
    asker.receive()
    asker.check_lives()


def test_a_host_that_asks_for_much_and_does_not_read_the_answers(case):
    server = serve(case, "--ports", "4")
    asker, other = pair(case, server)
    bystanders = Bystanders(case, server)
    before = server.memory()
    request = message(REGION_READ, access(0, 0, MAX_XFER))
    count = 150
    # All in one send: 5 KiB that ask for 150 MiB.
    asker.raw(request * count)
    other.check_lives()
    bystanders.check_live()
    server.wait_port(0, lambda status: status["client"]["queued_bytes"], "replies are queued")
    for _ in range(20):
        bystanders.check_live()
        grown = server.memory() - before
        check(grown < MEMORY_LIMIT, f"memory grew by {grown} bytes")
    for idx in range(count):
        reply = asker.receive()
        equal((len(reply.body), reply.body[16 + DEVICE_ID_REG:18 + DEVICE_ID_REG]),
              (16 + MAX_XFER, struct.pack("<H", DEVICE_ID)), f"reply {idx}")
    asker.check_lives()


def test_large_reads_that_wait_for_a_host_that_does_not_answer(case):
    server, victim, flooder, bystanders = pair_and_bystanders(case, "--completion-timeout", "300")
    before = server.memory()
    count = 200
    flooder.raw(message(REGION_READ, access(BAR_DIRECT, 0, MAX_XFER)) * count)
    victim.wait_read()
    # Their time is over, and nobody takes the answers.
    server.wait_port(1, lambda status: status["client"]["queued_bytes"] > 3 * MIB, "replies are queued")
    for _ in range(20):
        bystanders.check_live()
        grown = server.memory() - before
        check(grown < MEMORY_LIMIT, f"memory grew by {grown} bytes")
    for idx in range(count):
        equal(flooder.receive().body[16:], b"\xff" * MAX_XFER, f"reply {idx}")
    flooder.check_lives()
    victim.check_lives()


def test_a_host_that_reads_much_does_not_hold_up_changes_of_others(case):
    """A map waits until no access is under way anywhere, so no access may take long, however much is asked for."""
    server = serve(case, "--ports", "4")
    asker, _ = pair(case, server)
    other, _ = pair(case, server, 2)
    request = message(REGION_READ, access(0, 0, MAX_XFER))
    start = time.monotonic()
    asker.raw(request)
    asker.receive()
    one_read = time.monotonic() - start
    # Long enough to be noticed, whatever a sanitizer makes of one read.
    count = min(100, max(20, int(3 / one_read)))
    for flags in (0, NO_REPLY):
        asker.raw(message(REGION_READ, access(0, 0, MAX_XFER), 1, flags) * count)
        start = time.monotonic()
        other.map(1 << 40, PAGE)
        other.unmap(1 << 40, PAGE)
        took = time.monotonic() - start
        check(took < 0.2 + 5 * one_read,
              f"a map and an unmap took {took:.3f} s, one read of the other host {one_read:.3f} s")
        for _ in range(0 if flags else count):
            asker.receive()
    asker.sync()


def test_a_flood_of_malformed_messages(case):
    server, victim, flooder, bystanders = scene(case)
    before = server.memory()
    start, errors = server.mark(), server.counters(1)["wire_errors"]
    bad = message(GET_INFO, b"", 1, 0x10) * 2000
    for _ in range(20):
        flooder.raw(bad)
        bystanders.check_live()
    flooder.sync()
    equal(server.counters(1)["wire_errors"] - errors, 40000, "errors counted")
    lines = server.lines_of(1, start)
    check(1 <= len(lines) < 200, f"{len(lines)} log lines")
    check(server.memory() - before < MEMORY_LIMIT, f"memory grew by {server.memory() - before}")
    victim.check_lives()


def test_a_flood_of_clients_that_send_garbage(case):
    server, victim, _, bystanders = scene(case)
    start = server.mark()
    nr_fds = server.nr_fds()
    port = server.path(3)
    bystanders.ringer.close()
    server.wait_free(3)
    for _ in range(300):
        client = Client(port, handshake=False)
        try:
            client.raw(b"\xff" * 64)
            client.wait_closed()
        except (BrokenPipeError, ConnectionResetError, Closed):
            pass
        client.close()
    server.wait_free(3)
    check(server.nr_fds() <= nr_fds, "descriptors stay open")
    lines = server.lines_of(3, start)
    check(1 <= len(lines) <= 150, f"{len(lines)} log lines about 300 clients")
    victim.check_lives()


def test_clients_that_knock_at_a_busy_port(case):
    server, victim, flooder, bystanders = scene(case)
    start = server.mark()
    nr_fds = server.nr_fds()
    for _ in range(300):
        client = Client(server.path(0), handshake=False)
        equal(client.wait_closed(), [], "messages to a client that is refused")
        client.close()
    equal(server.nr_fds(), nr_fds, "descriptors the server has open")
    lines = server.lines_of(0, start)
    check(1 <= len(lines) <= 100 and "refused" in lines[0], f"{len(lines)} log lines, {lines[:1]}")
    flooder.write(BAR_DIRECT, 0, b"irq.")
    equal(victim.wait_write(), (INTERRUPTS, b"irq."))
    bystanders.check_live()


def test_a_flood_of_maps_and_resets(case):
    """Each of them stops all accesses of the bridge for a moment; the others must still get through."""
    server, _, flooder, bystanders = scene(case)
    ram = Ram(case, PAGE)
    for _ in range(20):
        data = b"".join(message(DMA_MAP, dma_map((1 << 40) + PAGE * idx, PAGE), 1, 0x10) for idx in range(100))
        data += message(3, struct.pack("<IIQQ", 24, 0, 1 << 40, 1 << 30), 1, 0x10) + message(RESET, b"", 1, 0x10)
        flooder.raw(data)
        flooder.raw(message(DMA_MAP, dma_map(1 << 50, PAGE), 1, 0x10), [ram.fd])
        flooder.raw(message(3, struct.pack("<IIQQ", 24, 0, 1 << 50, PAGE), 1, 0x10))
        bystanders.check_live()
    flooder.sync()
    equal(server.port(1)["client"]["mappings"], 1, "mappings")


def test_descriptors_without_end_on_one_message(case):
    server, victim, flooder, bystanders = scene(case)
    nr_fds = server.nr_fds()
    fds = [os.dup(flooder.ram.fd) for _ in range(250)]
    for fd in fds:
        case.stack.callback(os.close, fd)
    data = message(SET_IRQS, irq_set(0x24, 0, 4), 99)
    for idx in range(len(data) - 1):
        flooder.raw(data[idx:idx + 1], fds)
        check(server.nr_fds() - nr_fds <= 600, f"{server.nr_fds() - nr_fds} descriptors are kept")
    flooder.raw(data[-1:], fds)
    reply = flooder.wait_reply(99)
    check(reply.flags & 0x20 and reply.error, "it was accepted")
    equal(server.nr_fds(), nr_fds, "descriptors the server has open")
    bystanders.check_live()
    victim.check_lives()
    flooder.check_lives()


def test_clients_that_hoard_descriptors_do_not_keep_others_out(case):
    """With the limit of 1024 descriptors that most systems give a service at first."""
    server = serve(case, "--ports", "48", nr_files=1024)
    fds = [os.dup(0) for _ in range(250)]
    for fd in fds:
        case.stack.callback(os.close, fd)
    start = server.mark()
    for port in range(0, 40):
        client = Client(server.path(port))
        case.stack.callback(client.close)
        data = message(SET_IRQS, irq_set(0x24, 0, 4), 99)
        for idx in range(4):
            client.raw(data[idx:idx + 1], fds)
    # Each new client needs a descriptor, and an eventfd for a vector.
    host = Host(server, 44)
    case.stack.callback(host.close)
    host.arm(Eventfds(case, 4).fds)
    host.map(0, PAGE, Ram(case, PAGE).fd)
    host.check_lives()
    equal(host.read(CONFIG, 0, 2), b"\xf8\x11")
    check(len(server.read_log()) - start < 100, f"{len(server.log) - start} log lines")


def test_accesses_while_nobody_listens_to_doorbells(case):
    """Doorbells and messages to a host that never looks: nothing piles up."""
    server, _, flooder, bystanders = scene(case)
    before = server.memory()
    flooder.may_ring()
    data = post(0, flooder.dbmsg(0x1000), b"\xff" * 8) + post(0, flooder.dbmsg(0x1068), b"\1\2\3\4")
    for _ in range(20):
        flooder.raw(data * 1000)
        bystanders.check_live()
    flooder.sync()
    check(server.memory() - before < MEMORY_LIMIT, f"memory grew by {server.memory() - before}")


if __name__ == "__main__":
    base.main(dict(globals()))
