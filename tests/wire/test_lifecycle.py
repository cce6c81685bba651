#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Hosts that come, leave, are killed, take memory away or reset, and a server that ends."""

import os
import signal
import struct
import subprocess
import sys

import base
from base import check, equal
from client import (CONFIG, DATA_NONE, NO_REPLY, REGION_READ, REGION_WRITE, RESET, SET_IRQS, TRIGGER, Client, Closed,
                    access, irq_set, message, post)
from host import (BAR_DIRECT, BUS_MASTER, DEVICE_ID_REG, INTERRUPTS, LOCK, LOCKED, MEMORY_ENABLE, OMSG, PAGE, PART_OP,
                  PART_STATUS, Eventfds, Host, Ram, pair)
from server import Server, serve

MIB = 1 << 20
PFF, PFF_STRIDE, EV_LINK_STATE = 0x134000, 0x1000, 0xd30
OCCURRED, IRQ_ENABLE = 1, 8
LINK_UP_MESSAGE = 1


def new_host(case, server, port):
    """A host with memory."""
    host = Host(server, port)
    case.stack.callback(host.close)
    host.ram = Ram(case, 4 * MIB, f"again{port}")
    host.map(0, 4 * MIB, host.ram.fd)
    return host


def check_works(a, b):
    """Memory and interrupt messages work between two hosts."""
    a.show(0, MIB)
    b.write(BAR_DIRECT, 0, b"works")
    equal(a.ram[0:5], b"works")
    a.show(INTERRUPTS, MIB)
    b.post(BAR_DIRECT, 0, b"irq.")
    equal(a.wait_write(), (INTERRUPTS, b"irq."))
    a.hide()


def test_leaving_in_the_middle_of_a_message_closes_windows(case):
    server = serve(case)
    a, b = pair(case, server)
    for cut in (1, 15, 16, 17, 40):
        a.show(0, MIB)
        b.write(BAR_DIRECT, 0, b"before")
        a.raw(message(REGION_WRITE, access(0, 0x3f0, 100, bytes(100)))[:cut])
        a.close()
        server.wait_free(0)
        equal(b.read(BAR_DIRECT, 0, 4), b"\xff" * 4)
        a = new_host(case, server, 0)
    check_works(a, b)


def test_leaving_with_replies_on_their_way(case):
    server = serve(case)
    for _ in range(20):
        client = Host(server, 0)
        client.raw(message(REGION_READ, access(0, DEVICE_ID_REG, 64)) * 2000)
        client.close()
        server.wait_free(0)
    check_works(*pair(case, server))


def test_what_was_posted_before_leaving_is_done(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, 2 * MIB)
    b.raw(b"".join(post(BAR_DIRECT, 4 * idx, struct.pack("<I", idx)) for idx in range(50000)))
    b.close()
    server.wait_free(1)
    equal(a.ram[0:200000], struct.pack("<50000I", *range(50000)))


def test_a_new_host_finds_a_fresh_function(case):
    server = serve(case)
    a, b = pair(case, server)
    check_works(a, b)
    a.write(CONFIG, 0x10, struct.pack("<I", 0xe0000000))
    a.write(CONFIG, 0x3c, b"\x0b")
    a.set_reg(0, 0x12345678)
    a.may_ring()
    a.listen(3)
    a.arm(Eventfds(case, 4).fds)
    a.close()
    again = Host(server, 0, enable=False)
    case.stack.callback(again.close)
    equal(again.read(CONFIG, 4, 2), b"\0\0", "command register")
    equal(again.read(CONFIG, 0x10, 4), b"\4\0\0\0", "BAR0")
    equal(again.read(CONFIG, 0x3c, 1), b"\0", "interrupt line")
    equal(again.read(0, DEVICE_ID_REG, 4), b"\xff" * 4, "registers while memory decoding is off")
    again.set_command(MEMORY_ENABLE | BUS_MASTER)
    equal(again.reg(0), 0, "mailbox")
    equal(again.reg(again.dbmsg(0x1018), 8) & 0x0fffffff, 0, "doorbells that may interrupt")
    status = server.port(0)["client"]
    equal((status["mappings"], status["armed_vectors"], status["connections"]), (0, 0, 2))


def test_many_hosts_one_after_another(case):
    server = serve(case)
    b = new_host(case, server, 1)
    nr_fds, memory = server.nr_fds(), server.memory()
    for number in range(100):
        a = Host(server, 0)
        ram = Ram(case, MIB, "series")
        a.map(0, MIB, ram.fd)
        a.arm(Eventfds(case, 4).fds)
        a.show(0, MIB)
        b.write(BAR_DIRECT, 0, struct.pack("<I", number))
        equal(ram[0:4], struct.pack("<I", number))
        a.close()
    server.wait_free(0)
    equal((server.nr_fds(), server.nr_maps("ontb-series")), (nr_fds, 0), "descriptors and mappings of the server")
    check(server.memory() - memory < 8 * MIB, f"memory grew by {server.memory() - memory}")
    equal(server.port(0)["client"]["connections"], 100)


def test_a_second_client_is_refused_and_the_first_goes_on(case):
    server = serve(case)
    a, b = pair(case, server)
    start = server.mark()
    second = Client(server.path(0), handshake=False)
    equal(second.wait_closed(), [])
    second.close()
    line = server.wait_log(r"port 0: client \d+: refused", start)
    check(f"client {os.getpid()}:" in line, line)
    equal(len(server.lines_of(0, start)), 1)
    check_works(a, b)


def test_a_second_client_that_talks_first_is_refused_too(case):
    server = serve(case)
    a, b = pair(case, server)
    for _ in range(10):
        second = Client(server.path(0), handshake=False)
        try:
            second.raw(post(0, 0, b"over") * 100)
            equal(second.wait_closed(), [])
        except (BrokenPipeError, ConnectionResetError, Closed):
            pass
        second.close()
    equal(a.reg(0), 0, "a register that the second client wrote")
    check_works(a, b)


def test_a_host_that_is_started_again_at_once_is_served(case):
    """The one before it has left, but what it sent is still being worked on."""
    server = serve(case)
    b = new_host(case, server, 1)
    for _ in range(5):
        a = Host(server, 0)
        # More than one receive buffer, of what takes longest.
        a.raw(message(RESET, b"", 1, NO_REPLY) * 14000)
        a.close()
        # No waiting here: that is the point.
        again = Host(server, 0, as_other_process=False)
        again.check_lives()
        again.close()
        server.wait_free(0)
    b.check_lives()


def test_a_client_that_never_agrees_on_a_version_can_leave(case):
    server = serve(case)
    client = Client(server.path(0), handshake=False)
    server.wait_port(0, lambda status: status["client"]["connected"], "it is connected")
    equal(server.port(0)["attached"], False)
    client.close()
    server.wait_free(0)
    check_works(*pair(case, server))


VICTIM = """
import sys
sys.path.insert(0, sys.argv[2])
from client import post
from host import Host, Ram
import contextlib

class Case:
    stack = contextlib.ExitStack()

class Server:
    def path(self, port):
        return sys.argv[1]

host = Host(Server(), 0, as_other_process=False)
host.ram = Ram(Case, 4 << 20, "victim")
host.map(0, 4 << 20, host.ram.fd)
host.show(0, 2 << 20)
print("ready", flush=True)
while True:
    host.raw(b"".join(post(4, 4 * idx, b"traf") for idx in range(1000)))
"""


def test_kill_of_a_client_process_during_traffic(case):
    server = serve(case)
    b = new_host(case, server, 1)
    folder = os.path.dirname(os.path.abspath(__file__))
    for _ in range(5):
        b.show(0, MIB)
        with subprocess.Popen([sys.executable, "-c", VICTIM, server.path(0), folder], stdout=subprocess.PIPE) as victim:
            equal(victim.stdout.readline(), b"ready\n")
            equal(server.port(0)["client"]["pid"], victim.pid, "process of the client")
            b.write(BAR_DIRECT, 0, b"data")
            equal(b.read(BAR_DIRECT, 0, 4), b"data")
            victim.send_signal(signal.SIGKILL)
            victim.wait(base.DEADLINE_S)
        server.wait_free(0)
        equal(b.read(BAR_DIRECT, 0, 4), b"\xff" * 4, "a window into a host that was killed")
        equal(server.nr_maps("ontb-victim"), 0, "its memory in the server")
        b.check_lives()
    check_works(new_host(case, server, 0), b)


def test_memory_that_is_taken_away_costs_only_its_owner(case):
    server = serve(case, "--ports", "4")
    c, d = pair(case, server, 2)
    for access_it in (lambda host: host.write(BAR_DIRECT, 3 * PAGE, b"data"),
                      lambda host: host.read(BAR_DIRECT, 3 * PAGE, 4),
                      lambda host: host.write(BAR_DIRECT, 2 * PAGE - 2, b"x" * 3 * PAGE),
                      lambda host: host.read(BAR_DIRECT, 0, 8 * PAGE)):
        a, b = pair(case, server)
        a.show(0, MIB)
        b.write(BAR_DIRECT, 0, b"data" * PAGE)
        os.ftruncate(a.ram.fd, 2 * PAGE)
        start = server.mark()
        access_it(b)
        equal([msg.cmd for msg in a.wait_closed()], [], "messages before the end")
        server.wait_log("port 0: .*took away memory", start)
        server.wait_free(0)
        equal(len([line for line in server.lines_of(0, start) if "took away" in line]), 1, "log lines")
        equal(b.read(BAR_DIRECT, 0, 4), b"\xff" * 4)
        for host in (b, c, d):
            host.check_lives()
        check_works(c, d)
        a.close()
        b.close()
        server.wait_free(1)


def test_memory_that_is_taken_away_and_given_back_while_it_is_used(case):
    server = serve(case)
    for _ in range(20):
        a, b = pair(case, server)
        a.show(0, 2 * MIB)
        number = b.send(REGION_READ, access(BAR_DIRECT, 0, MIB))
        os.ftruncate(a.ram.fd, 0)
        os.ftruncate(a.ram.fd, 4 * MIB)
        data = b.finish(number)[16:]
        equal(len(data), MIB)
        check(set(data) <= {0, 0xff}, "the read brought something else than zeros and ones")
        a.close()
        b.close()
        server.wait_free(0)
        server.wait_free(1)
        server.check_alive()


def test_memory_that_nobody_touches_may_shrink(case):
    server = serve(case)
    a, b = pair(case, server)
    os.ftruncate(a.ram.fd, MIB)
    a.show(0, MIB)
    b.write(BAR_DIRECT, MIB - 4, b"data")
    equal(a.ram[MIB - 4:MIB], b"data")
    a.check_lives()


def test_reset_makes_the_function_fresh_and_keeps_memory_and_vectors(case):
    server = serve(case)
    a, b = pair(case, server)
    events = Eventfds(case, 4)
    a.arm(events.fds)
    a.listen(1)
    b.may_ring()
    a.lock(0)
    a.write(CONFIG, 0x3c, b"\x0b")
    b.ring()
    equal(events.take(1), 1)
    equal(a.call(RESET), b"")
    equal((a.read(CONFIG, 4, 2), a.read(CONFIG, 0x3c, 1)), (b"\0\0", b"\0"), "configuration space")
    b.ring()
    equal(events.take(1), 0, "a doorbell after the reset")
    b.set_reg(b.ctrl(0, PART_OP), LOCK)
    equal(b.reg(b.ctrl(0, PART_STATUS)), LOCKED, "a lock that the other one held before its reset")
    b.commit(0)
    a.set_command(MEMORY_ENABLE | BUS_MASTER)
    status = server.port(0)["client"]
    equal((status["mappings"], status["armed_vectors"]), (1, 4))
    a.ack()
    a.listen(2)
    b.ring()
    equal(events.take(2), 1, "a doorbell when all is set up again")
    check_works(a, b)


def test_reset_forgets_signals_that_were_held_back(case):
    server = serve(case)
    a, b = pair(case, server)
    events = Eventfds(case, 4)
    a.listen(1)
    b.may_ring()
    b.ring()
    a.call(SET_IRQS, irq_set(DATA_NONE | TRIGGER, 2, 1))
    equal(a.reg(a.dbmsg(0x3000), 8), 0b110, "pending bits")
    a.call(RESET)
    a.arm(events.fds)
    equal([events.take(vector) for vector in range(4)], [0] * 4)


def test_reset_in_the_middle_of_a_batch(case):
    server = serve(case)
    a, b = pair(case, server)
    for _ in range(50):
        a.raw(message(REGION_WRITE, access(CONFIG, 4, 2, b"\6\0"), 1) + post(0, 0, b"past") + message(RESET, b"", 2)
              + message(REGION_READ, access(CONFIG, 4, 2), 3) + message(REGION_WRITE, access(CONFIG, 4, 2, b"\6\0"), 4)
              + message(REGION_READ, access(0, 0, 4), 5))
        equal([a.finish(number)[16:] for number in range(1, 6)], [b"", b"", b"\0\0", b"", bytes(4)])
    check_works(a, b)


def link_state(port):
    """Offset of the link state event of a port's endpoint."""
    return PFF + PFF_STRIDE * (2 * port + 1) + EV_LINK_STATE


def test_the_peer_sees_the_link_go_down_whatever_the_reason(case):
    server = serve(case)
    b = new_host(case, server, 1)
    events = Eventfds(case, 4)
    b.arm(events.fds)

    def leave(host):
        host.close()

    def reset(host):
        host.call(RESET)

    def garbage(host):
        host.raw(b"\xff" * 64)
        host.wait_closed()

    def lose_memory(host):
        host.show(0, MIB)
        os.ftruncate(host.ram.fd, 0)
        b.read(BAR_DIRECT, 0, 4)

    for reason in (leave, reset, garbage, lose_memory):
        a = new_host(case, server, 0)
        for host in (a, b):
            host.set_reg(host.dbmsg(OMSG), LINK_UP_MESSAGE)
        equal(server.port(1)["link"], "up")
        for port in (0, 1):
            b.set_reg(link_state(port), OCCURRED | IRQ_ENABLE)
        for vector in range(4):
            events.take(vector)
        reason(a)
        server.wait_port(1, lambda status: status["link"] == "down", f"link down after {reason.__name__}")
        events.wait(0)
        check(any(b.reg(link_state(port)) & OCCURRED for port in (0, 1)), "no link state event")
        a.close()
        server.wait_free(0)


def test_the_server_ends_cleanly_whatever_its_clients_do(case):
    server = Server(case.program, "--ports", "8")
    case.stack.callback(server.kill)
    clients = []
    # One that reads nothing, one in the middle of a message, one without version, one that waits for a read.
    deaf, flooder = pair(case, server)
    deaf.show(INTERRUPTS, MIB)
    for _ in range(10):
        flooder.raw(b"".join(post(BAR_DIRECT, 4 * idx, b"irq.") for idx in range(1000)))
    half = Host(server, 2)
    half.raw(message(REGION_READ, access(0, 0, 4))[:20])
    clients.append(half)
    clients.append(Client(server.path(3), handshake=False))
    owner, waiter = Host(server, 4), Host(server, 5)
    owner.map(0, MIB)
    owner.show(0, MIB)
    waiter.send(REGION_READ, access(BAR_DIRECT, 0, 4))
    owner.wait_read()
    greedy = Host(server, 6)
    greedy.send_until_blocked(message(REGION_READ, access(0, DEVICE_ID_REG, 4)) * 1000, 64 * MIB)
    clients += [owner, waiter, greedy]
    for client in clients:
        case.stack.callback(client.close)
    server.finish()
    equal([msg.cmd for msg in half.wait_closed()], [], "messages to a client")


if __name__ == "__main__":
    base.main(dict(globals()))
