#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Clients that come and go, lose their memory, flood, or do not read."""

import contextlib
import errno
import json
import os
import socket
import struct
import sys

import wirelib
from fuse import StuckFile
from wirelib import (BAR0, BAR2, DEVICE_RESET, DMA_MAP, F_NO_REPLY, F_REPLY, GET_INFO, INTERRUPT, IRQ_NONE,
                     IRQ_TRIGGER, PAGE, REG_ATTACHED, REG_ERROR, REG_ERRORS, REG_RAISE, REGION_READ, REGION_WRITE,
                     SET_IRQS, check, equal, irq_body, map_body, message, read_body, wait_for, write_body)


def test_a_second_client_is_refused_and_the_first_goes_on(case):
    first = case.client()
    second = case.client(negotiate=False)
    second.expect_closed()
    case.server.wait_log(r"port 0: client \d+: refused: client \d+ is connected")
    first.read(BAR0, 0, 4)


def test_a_client_that_comes_right_after_another_is_served(case):
    for i in range(50):
        client = case.client()
        client.write(BAR0, 0, struct.pack("<I", i))
        client.close()
    equal(case.server.status()[0]["connections"], 50, "connections")


def test_detaching_on_disconnect(case):
    a, b = case.client(0), case.client(1)
    equal(a.read64(REG_ATTACHED), 3, "attached")
    b.close()
    wait_for("the host to be detached", lambda: a.read64(REG_ATTACHED) == 1)
    a.window(INTERRUPT)
    a.write(BAR2, 0, b"abcd")
    equal(a.read64(REG_ERROR), 67, "error of a write to nobody")


def test_memory_that_is_taken_away_costs_only_its_owner(case):
    a, b = case.client(0), case.client(1)
    mem = case.memory(4 * PAGE)
    b.map(0, 4 * PAGE, mem.fd)
    a.window(0)
    a.write(BAR2, PAGE, b"good")
    mem.view.close()
    os.ftruncate(mem.fd, 0)
    a.write(BAR2, PAGE, b"gone")
    equal(a.read64(REG_ERROR) != 0, True, "error of the write")
    equal(a.read(BAR2, 0, 4), b"\xff" * 4, "read")
    b.expect_closed()
    case.server.wait_log(r"port 1: client \d+: disconnected: it took away memory that it had mapped at 0x0")
    equal(len([line for line in case.server.log().splitlines() if "took away" in line]), 1, "log lines")
    a.write(BAR0, 0, b"live")
    case.client(1).read(BAR0, 0, 4)


def test_memory_that_is_taken_away_is_noticed_by_reads(case):
    a, b = case.client(0), case.client(1)
    mem = case.memory(4 * PAGE)
    b.map(0, 4 * PAGE, mem.fd)
    a.window(0)
    mem.view.close()
    os.ftruncate(mem.fd, PAGE)
    equal(a.read(BAR2, 0, 4), b"\0" * 4, "what is still there")
    equal(a.read(BAR2, PAGE - 4, 8), b"\xff" * 8, "across the new end")
    b.expect_closed()


def test_huge_pages_that_are_taken_away_cost_only_their_owner(case):
    a, b = case.client(0), case.client(1)
    size = 2 << 20
    fd = os.memfd_create("wire-test-huge", os.MFD_CLOEXEC | os.MFD_HUGETLB | os.MFD_HUGE_2MB)
    case.stack.callback(os.close, fd)
    os.ftruncate(fd, 2 * size)
    reply = b.request(DMA_MAP, map_body(0, 2 * size), [fd])
    if reply.error == 12:
        raise wirelib.Skip("no huge pages: write 2 to /proc/sys/vm/nr_hugepages")
    equal(reply.flags, F_REPLY, "reply")
    a.window(0)
    a.write(BAR2, size + 12345, b"good")
    equal(a.read(BAR2, size + 12345, 4), b"good", "memory")
    os.ftruncate(fd, size)
    a.write(BAR2, size + 12345, b"gone")
    check(a.read64(REG_ERROR), "the write worked")
    b.expect_closed()
    a.read(BAR0, 0, 4)


def test_a_host_that_does_not_read_is_flooded_without_harm(case):
    case.serve(3, write_quota=64)
    a, b, c = case.client(0), case.client(1), case.client(2)
    a.window(INTERRUPT)
    nr = 20000
    stream = b"".join(message(REGION_WRITE, write_body(BAR2, 0, struct.pack("<I", i)), F_NO_REPLY) for i in range(nr))
    a.send(stream)
    dropped = a.read64(REG_ERRORS)
    check(dropped > 0, "nothing was dropped")
    status = case.server.status()[1]
    equal(status["writes_dropped"], dropped, "drops counted")
    check(status["tx_queued"] <= 64 * 36, f"queue of {status['tx_queued']} bytes")
    case.server.wait_log(r"port 1: client \d+: does not take writes as fast as port 0 sends them")
    c.window(INTERRUPT, 1)
    c.write(BAR2, 4, b"mine")
    equal(c.read64(REG_ERROR), 0, "another source has its own quota")
    got = [struct.unpack_from("<QQI", b.receive_request().body) for _ in range(nr - dropped + 1)]
    numbers = [data for addr, _, data in got if addr == INTERRUPT]
    equal(numbers, sorted(numbers), "order")
    check((INTERRUPT + 4, 4, struct.unpack("<I", b"mine")[0]) in got, "the other source's write")
    b.read(BAR0, 0, 4)


def test_identical_interrupts_that_wait_are_merged(case):
    case.serve(write_quota=64)
    a, b = case.client(0), case.client(1)
    a.window(INTERRUPT)
    one = message(REGION_WRITE, write_body(BAR2, 0x10, struct.pack("<I", 0x4022)), F_NO_REPLY)
    a.send(one * 20000)
    equal(a.read64(REG_ERRORS), 0, "writes dropped")
    status = case.server.status()[1]
    check(status["writes_merged"] > 10000, f"{status['writes_merged']} writes merged")
    for _ in range(20000 - status["writes_merged"]):
        equal(b.receive_request().body, struct.pack("<QQI", INTERRUPT + 0x10, 4, 0x4022), "interrupt")
    b.read(BAR0, 0, 4)


def test_data_by_message_is_not_overtaken_by_a_merged_interrupt(case):
    case.serve(write_quota=64)
    a, b = case.client(0), case.client(1)
    b.map(0, PAGE)
    a.window(INTERRUPT)
    interrupt = message(REGION_WRITE, write_body(BAR2, 0, struct.pack("<I", 1)), F_NO_REPLY)
    a.send(interrupt * 20000)
    a.window(0)
    a.write(BAR2, 0, b"data")
    a.window(INTERRUPT)
    a.write(BAR2, 0, struct.pack("<I", 1))
    merged = case.server.status()[1]["writes_merged"]
    got = [struct.unpack_from("<Q", b.receive_request().body)[0] for _ in range(20000 - merged + 2)]
    equal(got[-2:], [0, INTERRUPT], "order of the data and the interrupt behind it")


def test_a_client_that_does_not_read_replies_is_not_read_either(case):
    a, b = case.client(0), case.client(1)
    a.sock.setblocking(False)
    one = message(REGION_READ, read_body(BAR0, 0, 4096)) * 8
    sent = 0
    try:
        while sent < 64 << 20:
            sent += a.sock.send(one)
    except BlockingIOError:
        pass
    check(sent < 64 << 20, "the server takes requests without end")
    check(case.server.status()[0]["tx_queued"] < 8 << 20, "the queue of replies has no bound")
    for i in range(100):
        b.write(BAR0, 0, struct.pack("<I", i))
    a.sock.settimeout(wirelib.DEADLINE_S)
    for _ in range(sent // 32):
        reply = a.receive_any()
        equal(reply.size, 16 + 16 + 4096, "size of a reply")


def test_a_client_that_asks_one_by_one_and_does_not_read_is_not_read_either(case):
    a, b = case.client(0), case.client(1)
    sent = 0
    # One more than taken: the server has stopped when it does not take it for as long as it never needs.
    with contextlib.suppress(AssertionError):
        while sent < 1000:
            a.send(message(REGION_READ, read_body(BAR0, 0, 4096)))
            sent += 1
            wait_for("the request to be taken",
                     lambda: case.server.status()[0]["rx_messages"] > sent, 1)  # pylint: disable=cell-var-from-loop
    check(sent < 1000, "the server takes requests without end")
    b.read(BAR0, 0, 4)
    for _ in range(sent):
        equal(a.receive_any().size, 16 + 16 + 4096, "size of a reply")


def test_a_client_that_does_not_read_replies_and_sends_no_more_is_let_go(case):
    first = case.client(0)
    # 2 MiB of replies, some of which the sockets hold.
    first.send(message(REGION_READ, read_body(BAR0, 0, 4096)) * 512)
    wait_for("replies to be queued", lambda: case.server.status()[0]["tx_queued"] > 1 << 20)
    first.sock.shutdown(socket.SHUT_WR)
    second = case.client(0)
    second.write(BAR0, 0, b"next")
    case.server.wait_log(r"port 0: client \d+: disconnected: it does not read the replies to what it asked for")


def test_a_stuck_host_does_not_stall_the_server(case):
    case.serve(3)
    a, b, c = case.client(0), case.client(1), case.client(2)
    a.window(INTERRUPT)
    a.send(message(REGION_WRITE, write_body(BAR2, 0, b"abcd"), F_NO_REPLY) * 30000)
    for i in range(100):
        c.write(BAR0, 0, struct.pack("<I", i))
        a.write(BAR0, 0, struct.pack("<I", i))
    del b


def test_a_descriptor_that_takes_long_to_close_holds_up_nobody_else(case):
    a, b = case.client(0), case.client(1)
    file = StuckFile(case)
    number = a.start(GET_INFO, bytes(16), 0, [file.fd])
    file.wait_until_closing()
    b.map(0, PAGE)
    b.unmap(0, PAGE)
    check(case.server.status()[0]["connected"], "the client of the descriptor is gone")
    file.let_go()
    a.expect_error(a.receive_reply(number), errno.EINVAL)


def test_a_descriptor_that_is_left_behind_holds_up_nobody_else(case):
    a, b = case.client(0), case.client(1)
    file = StuckFile(case)
    nr_received = case.server.status()[0]["rx_calls"]
    a.send(message(SET_IRQS, bytes(20))[:20], [file.fd])
    wait_for("the descriptor to arrive", lambda: case.server.status()[0]["rx_calls"] > nr_received)
    a.close()
    file.wait_until_closing()
    b.map(0, PAGE)
    check(case.server.status()[1]["connected"], "the other client is gone")
    file.let_go()
    case.client(0).read(BAR0, 0, 4)


def test_trace_is_written(case):
    path = f"/tmp/ontb-wire-trace-{os.getpid()}"
    case.stack.callback(os.unlink, path)
    case.serve(trace=path)
    a, b = case.client(0), case.client(1)
    a.window(INTERRUPT)
    a.write(BAR2, 0, b"abcd")
    b.receive_request()
    a.write64(REG_RAISE, 1)
    case.server.stop()
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    for word in ("REGION_WRITE", "DMA_WRITE", '"vector"', '"wire"', '"dma"', '"interrupt"'):
        check(word in text, f"{word} is missing in the trace")
    (message,) = [event for event in json.loads(text) if event["name"] == "DMA_WRITE"]
    equal(message["args"], {"addr": f"{INTERRUPT:#x}", "bytes": 4, "source": 0, "value": "0x64636261"}, "DMA_WRITE")


def load_host(path, port, nr_ports, rounds):
    """A host under load, in a process of its own: everything at once, and leaving now and then."""
    memory = wirelib.Memory(4 * PAGE)
    last = 0
    for visit in range(3):
        client = wirelib.Client(wirelib.connect_socket(path), True)
        fds = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(4)]
        client.map(0, 4 * PAGE, memory.fd)
        client.window(0, (port + 1) % nr_ports)
        for i in range(rounds):
            number = (visit * rounds + i) * 64
            client.send(b"".join(message(REGION_WRITE, write_body(BAR2, 0, struct.pack("<Q", number + k)), F_NO_REPLY)
                                 for k in range(64)))
            client.read(BAR2, 0, 8)
            seen = struct.unpack_from("<Q", memory.view)[0]
            check(seen >= last, f"the neighbour's number went back from {last} to {seen}")
            last = seen
            client.arm(0, fds)
            client.post(BAR0, REG_RAISE, struct.pack("<Q", i % 4))
            client.window(INTERRUPT)
            client.post(BAR2, 0x1000 * port, struct.pack("<I", i))
            client.window(0)
            client.map(0x100000, PAGE, memory.fd if i % 2 else None)
            client.read(BAR2, 0x100000, 4)
            client.unmap(0x100000, PAGE)
            client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER))
            if i % 10 == 9:
                client.call(DEVICE_RESET)
        for fd in fds:
            os.close(fd)
        client.close()


def test_eight_hosts_under_load(case):
    case.serve(8)
    pids = []
    for port in range(8):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                load_host(case.server.path(port), port, 8, 40)
                status = 0
            except BaseException as error:  # pylint: disable=broad-except
                print(f"# port {port}: {error!r}", file=sys.stderr, flush=True)
            os._exit(status)
        pids.append(pid)
    results = [os.waitpid(pid, 0)[1] for pid in pids]
    equal(results, [0] * 8, "how the hosts ended")
    equal([port["connections"] for port in case.server.status()], [3] * 8, "connections")


def test_hosts_that_are_killed_under_load(case):
    case.serve(4)
    survivor = case.client(0)
    for _ in range(10):
        pids = []
        before = case.server.status()[0]["dma_writes"]
        for port in range(1, 4):
            pid = os.fork()
            if not pid:
                try:
                    load_host(case.server.path(port), port, 4, 1000)
                finally:
                    os._exit(0)
            pids.append(pid)
        wait_for("traffic", lambda enough=before + 20: case.server.status()[0]["dma_writes"] > enough)
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        survivor.read(BAR0, 0, 4)
        wait_for("the dead to be gone", lambda: survivor.read64(REG_ATTACHED) == 1)


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
