#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Messages in pieces and in batches of every size."""

import os
import struct
import sys

import wirelib
from wirelib import (BAR0, BAR2, DMA_MAP, F_NO_REPLY, F_REPLY, PAGE, REG_WRITES, REGION_READ, REGION_WRITE, equal,
                     map_body, message, read_body, wait_for, write_body)


def test_bytes_one_at_a_time(case):
    client = case.client()
    for byte in message(REGION_WRITE, write_body(BAR0, 0, b"slow"), 0, 77):
        client.send(bytes([byte]))
    equal(client.receive_reply(77).body, read_body(BAR0, 0, 4), "reply")
    equal(client.read(BAR0, 0, 4), b"slow", "written")


def test_bytes_one_at_a_time_with_a_descriptor(case):
    client = case.client()
    mem = case.memory(PAGE)
    data = message(DMA_MAP, map_body(0, PAGE), 0, 78)
    client.send(data[:1], [mem.fd])
    for byte in data[1:]:
        client.send(bytes([byte]))
    equal(client.receive_reply(78).flags, F_REPLY, "reply")
    client.window(0, 0)
    client.write(BAR2, 0, b"here")
    equal(mem.view[:4], b"here", "mapped")


def test_a_mebibyte_of_posted_writes_in_one_send(case):
    client = case.client()
    one = message(REGION_WRITE, write_body(BAR0, 0, b"\1\2\3\4"), F_NO_REPLY)
    nr = (1 << 20) // len(one)
    client.send(one * nr)
    equal(client.read64(REG_WRITES), nr, "writes carried out")


def test_messages_straddle_sends_anywhere(case):
    client = case.client()
    stream = b"".join(message(REGION_WRITE, write_body(BAR0, 4 * i, struct.pack("<I", i)), F_NO_REPLY)
                      for i in range(64))
    for step in (5, 7, 15, 16, 17, 35, 37):
        for start in range(0, len(stream), step):
            client.send(stream[start:start + step])
    equal(client.read(BAR0, 0, 256), struct.pack("<64I", *range(64)), "written")


def test_many_reads_in_one_send_are_answered_in_order(case):
    client = case.client()
    client.send(b"".join(message(REGION_READ, read_body(BAR0, 0, 8), 0, i) for i in range(4000)))
    for i in range(4000):
        equal(client.receive_any().id, i, "order")


def test_a_synchronous_read_costs_one_receive_and_one_send(case):
    client = case.client()
    for _ in range(100):
        client.read(BAR0, 0, 4)
    wait_for("101 messages sent", lambda: case.server.status()[0]["tx_messages"] == 101)
    equal(case.server.status()[0]["rx_calls"], 101, "receive calls")


def test_large_and_small_messages_mix(case):
    client = case.client()
    mem = case.memory(1 << 20)
    client.map(0, 1 << 20, mem.fd)
    client.window(0, 0)
    big = os.urandom(300000)
    for i in range(5):
        client.send(message(REGION_WRITE, write_body(BAR0, 0, bytes([i] * 4)), F_NO_REPLY) +
                    message(REGION_WRITE, write_body(BAR2, i, big), F_NO_REPLY) +
                    message(REGION_READ, read_body(BAR0, 0, 4), 0, 500 + i))
        equal(client.receive_reply(500 + i).body[16:], bytes([i] * 4), "small")
        equal(mem.view[i:i + len(big)], big, "big")


def test_replies_never_split_a_header_between_sends(case):
    """Every receive of at most 16 bytes at a message's start gives a whole header, also when much is in flight."""
    client = case.client()
    nr = 3000
    for i in range(nr):
        client.start(REGION_READ, read_body(BAR0, 0, 1 + i % 200))
    wait_for("replies that wait in the server", lambda: case.server.status()[0]["tx_queued"] > 0)
    for _ in range(nr):
        head = client.sock.recv(16)
        equal(len(head), 16, "bytes of a header read at once")
        client.receive(struct.unpack_from("<I", head, 4)[0] - 16)


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
