#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Reads that wait for another host."""

import os
import select
import struct
import sys

import wirelib
from wirelib import BAR0, BAR2, DMA_READ, PAGE, REGION_READ, check, equal, read_body, wait_for


def test_read_of_memory_without_descriptor_waits_for_the_reply(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0x1000, PAGE)
    a.window(0x1000)
    pending = a.start(REGION_READ, read_body(BAR2, 8, 4))
    msg = b.receive_request()
    equal((msg.cmd, msg.flags, msg.body), (DMA_READ, 0, struct.pack("<QQ", 0x1008, 4)), "request")
    b.answer(msg, msg.body + b"late")
    equal(a.receive_reply(pending).body, read_body(BAR2, 8, 4) + b"late", "reply")


def test_accesses_go_on_while_a_read_waits(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0x1000, PAGE)
    a.window(0x1000)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 4))
    msg = b.receive_request()
    for i in range(100):
        a.write(BAR0, 0, struct.pack("<I", i))
        equal(a.read(BAR0, 0, 4), struct.pack("<I", i), "own access")
        b.write(BAR0, 0, struct.pack("<I", i))
    b.answer(msg, msg.body + b"done")
    equal(a.receive_reply(pending).body[16:], b"done", "reply")


def test_many_reads_wait_at_once_and_are_answered_in_any_order(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    ids = {a.start(REGION_READ, read_body(BAR2, 4 * i, 4)): i for i in range(64)}
    asked = [b.receive_request() for _ in range(64)]
    for msg in reversed(asked):
        b.answer(msg, msg.body + struct.pack("<I", struct.unpack_from("<Q", msg.body)[0]))
    for _ in range(64):
        reply = a.receive_any()
        equal(struct.unpack_from("<I", reply.body, 16)[0], 4 * ids.pop(reply.id), "data")


def test_a_read_over_mapped_and_unmapped_memory_is_put_together(case):
    a, b = case.client(0), case.client(1, other=True)
    mem = case.memory(PAGE)
    mem.view[:] = b"m" * PAGE
    b.map(0, PAGE, mem.fd)
    b.map(PAGE, PAGE)
    b.map(2 * PAGE, PAGE, mem.fd)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, PAGE - 8, PAGE + 16))
    msg = b.receive_request()
    equal(struct.unpack("<QQ", msg.body), (PAGE, PAGE), "asked for")
    b.answer(msg, msg.body + b"u" * PAGE)
    equal(a.receive_reply(pending).body[16:], b"m" * 8 + b"u" * PAGE + b"m" * 8, "data")


def test_a_large_read_by_message_is_cut_to_what_the_client_takes(case):
    a = case.client(0)
    b = case.client(1, other=True, negotiate=False)
    b.negotiate(b'{"capabilities":{"max_data_xfer_size":4096}}\0')
    b.map(0, 1 << 20)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 10000))
    data = os.urandom(10000)
    for start, size in ((0, 4096), (4096, 4096), (8192, 1808)):
        msg = b.receive_request()
        equal(struct.unpack("<QQ", msg.body), (start, size), "asked for")
        b.answer(msg, msg.body + data[start:start + size])
    equal(a.receive_reply(pending).body[16:], data, "data")


def test_error_reply_to_a_read_gives_ones(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 4))
    b.answer(b.receive_request(), error=14)
    equal(a.receive_reply(pending).body[16:], b"\xff" * 4, "reply")


def test_a_read_that_is_not_answered_times_out(case):
    case.serve(timeout_ns=50000000)
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 4))
    late = b.receive_request()
    equal(a.receive_reply(pending).body[16:], b"\xff" * 4, "reply")
    b.answer(late, late.body + b"late")
    case.server.wait_log(r"port 1: client \d+: DMA_READ .*timed out")
    pending = a.start(REGION_READ, read_body(BAR2, 4, 4))
    msg = b.receive_request()
    check(msg.id != late.id, "the id of a read that timed out is used again at once")
    b.answer(msg, msg.body + b"good")
    equal(a.receive_reply(pending).body[16:], b"good", "reply")


def test_a_read_in_pieces_has_one_time_out(case):
    case.serve(timeout_ns=50000000)
    a, b = case.client(0), case.client(1, other=True)
    for i in range(8):
        b.map(i, 1)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 8))
    nr_asked = 0
    while not select.select([a.sock], [], [], 0.04)[0] and nr_asked < 8:
        msg = b.receive_request()
        nr_asked += 1
        b.answer(msg, msg.body + b"x")
    equal(a.receive_reply(pending).body[16:], b"\xff" * 8, "reply")
    check(nr_asked < 8, "each piece got a time-out of its own")


def test_hosts_that_read_each_other_do_not_wait_for_each_other(case):
    a, b = case.client(0, other=True), case.client(1, other=True)
    a.map(0, PAGE)
    b.map(0, PAGE)
    a.window(0)
    b.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 4))
    msg = b.receive_request()
    equal(b.read(BAR2, 0, 4), b"\xff" * 4, "the read that would close the circle")
    b.answer(msg, msg.body + b"fine")
    equal(a.receive_reply(pending).body[16:], b"fine", "the read that was first")
    pending = b.start(REGION_READ, read_body(BAR2, 0, 4))
    msg = a.receive_request()
    a.answer(msg, msg.body + b"now!")
    equal(b.receive_reply(pending).body[16:], b"now!", "the same read when nobody waits")


def test_a_circle_of_three_hosts_is_refused(case):
    case.serve(3)
    hosts = [case.client(i, other=True) for i in range(3)]
    for i, host in enumerate(hosts):
        host.map(0, PAGE)
        host.window(0, (i + 1) % 3)
    first = hosts[0].start(REGION_READ, read_body(BAR2, 0, 4))
    second = hosts[1].start(REGION_READ, read_body(BAR2, 0, 4))
    asked = [hosts[1].receive_request(), hosts[2].receive_request()]
    equal(hosts[2].read(BAR2, 0, 4), b"\xff" * 4, "the read that would close the circle")
    hosts[2].answer(asked[1], asked[1].body + b"two.")
    hosts[1].answer(asked[0], asked[0].body + b"one.")
    equal(hosts[0].receive_reply(first).body[16:], b"one.", "first")
    equal(hosts[1].receive_reply(second).body[16:], b"two.", "second")


def test_two_ports_of_one_process_never_wait_for_each_other(case):
    a, b = case.client(0), case.client(1)
    b.map(0, PAGE)
    a.window(0)
    equal(a.read(BAR2, 0, 4), b"\xff" * 4, "read")
    equal(case.server.status()[1]["dma_reads"], 0, "requests sent")


def test_a_read_ends_when_its_target_leaves(case):
    case.serve(timeout_ns=60000000000)
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 0, 4))
    b.receive_request()
    b.close()
    equal(a.receive_reply(pending).body[16:], b"\xff" * 4, "reply")


def test_a_reader_may_leave_while_its_read_waits(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    a.start(REGION_READ, read_body(BAR2, 0, 4))
    msg = b.receive_request()
    a.close()
    wait_for("the reader to be gone", lambda: not case.server.status()[0]["connected"])
    b.answer(msg, msg.body + b"void")
    b.read(BAR0, 0, 4)


def test_too_many_waiting_reads_give_ones(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    for _ in range(300):
        a.start(REGION_READ, read_body(BAR2, 0, 4))
    for _ in range(300 - 256):
        equal(a.receive_any().body[16:], b"\xff" * 4, "a read too many")
    for _ in range(256):
        msg = b.receive_request()
        b.answer(msg, msg.body + b"ok..")
    for _ in range(256):
        equal(a.receive_any().body[16:], b"ok..", "reply")


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
