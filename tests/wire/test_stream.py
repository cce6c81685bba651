#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Where a send ends says nothing: messages and descriptors arrive in any pieces and in batches of any size."""

import struct

import base
from base import check, equal
from client import (CONFIG, DMA_MAP, GET_INFO, MAX_XFER, NO_REPLY, REGION_READ, REGION_WRITE, VERSION, WRITE_MULTI,
                    Client, access, device_info, dma_map, message, multi, post, version)
from host import DEVICE_ID, DEVICE_ID_REG, PAGE, Host, Ram, pair
from server import serve

MIB = 1 << 20
# Storage registers: the input of the mailbox.
SCRATCH, SCRATCH_SIZE = 0, 1024


def scratch(idx):
    """Offset of a storage register."""
    return SCRATCH + idx % (SCRATCH_SIZE // 4) * 4


def host(case, server, port=0):
    """A host that is closed after the test."""
    it = Host(server, port)
    case.stack.callback(it.close)
    return it


def test_a_whole_conversation_byte_by_byte(case):
    server = serve(case)
    client = Client(server.path(0), handshake=False)
    case.stack.callback(client.close)
    parts = (message(VERSION, version(), 1) + message(REGION_WRITE, access(CONFIG, 4, 2, b"\6\0"), 2)
             + post(0, scratch(3), b"abcd", 3) + message(REGION_READ, access(0, scratch(3), 4), 4)
             + message(WRITE_MULTI, multi((0, scratch(4), b"efgh"), (0, scratch(5), b"ij")), 5)
             + message(REGION_READ, access(0, scratch(4), 8), 6))
    for idx in range(len(parts)):
        client.raw(parts[idx:idx + 1])
    check(client.finish(1), "version")
    equal(client.finish(2), access(CONFIG, 4, 2))
    equal(client.finish(4)[16:], b"abcd")
    equal(client.finish(5), struct.pack("<Q", 2))
    equal(client.finish(6)[16:], b"efghij\0\0")
    equal(client.replies, {}, "replies to what wanted none")


def test_messages_cut_in_two_anywhere(case):
    it = host(case, serve(case))
    for cut in range(1, 37):
        value = struct.pack("<I", cut)
        data = message(REGION_WRITE, access(0, scratch(cut), 4, value), 7)
        data += message(REGION_READ, access(0, scratch(cut), 4), 8)
        it.raw(data[:cut])
        # A round trip to another port, so that the server has had its time to look at the first part.
        equal(len(it.server.status()["ports"]), 2)
        it.raw(data[cut:])
        equal(it.finish(7), access(0, scratch(cut), 4))
        equal(it.finish(8)[16:], value)


def test_batches_that_straddle_the_receive_buffer_anywhere(case):
    it = host(case, serve(case))
    # Each batch is larger than a usual buffer, and its messages lie across all multiples of a page at another offset.
    for shift in range(0, 37, 3):
        it.post(0, scratch(0), b"x" * (shift + 1))
        writes = b"".join(post(0, scratch(idx), struct.pack("<I", idx + shift)) for idx in range(4000))
        it.raw(writes)
        last = 4000 - SCRATCH_SIZE // 4
        words = struct.unpack("<256I", it.read(0, SCRATCH, SCRATCH_SIZE))
        equal(sorted(words), list(range(last + shift, 4000 + shift)), "words")


def test_a_mebibyte_of_posted_writes_in_one_send(case):
    it = host(case, serve(case))
    one = len(post(0, 0, b"1234"))
    count = MIB // one + 1
    before = it.server.counters(0)["register_writes"]
    it.raw(b"".join(post(0, scratch(idx), struct.pack("<I", idx)) for idx in range(count)))
    words = struct.unpack("<256I", it.read(0, SCRATCH, SCRATCH_SIZE))
    equal(sorted(words), list(range(count - 256, count)), "the last value of each register")
    equal(it.server.counters(0)["register_writes"] - before, count, "writes counted")


def test_posted_writes_through_a_window_stay_in_order(case):
    a, b = pair(case, serve(case))
    a.show(0, MIB)
    count = 20000
    # Each writes its number into one common word and into a place of its own, so a late one would be seen.
    b.raw(b"".join(post(4, 0, struct.pack("<I", idx)) + post(4, 8 + idx * 4, struct.pack("<I", idx))
                   for idx in range(count)))
    equal(b.read(4, 0, 4), struct.pack("<I", count - 1), "the common word")
    equal(a.ram[8:8 + 4 * count], struct.pack(f"<{count}I", *range(count)), "the places")


def test_many_reads_in_one_send_are_answered_in_order(case):
    it = host(case, serve(case))
    count = 5000
    it.raw(b"".join(message(REGION_READ, access(0, DEVICE_ID_REG, 4), idx & 0xffff) for idx in range(count)))
    for idx in range(count):
        reply = it.receive()
        equal((reply.id, reply.flags), (idx, 1), "id and flags")
        equal(reply.body[16:18], struct.pack("<H", DEVICE_ID))


def test_a_read_sees_all_writes_before_it(case):
    it = host(case, serve(case))
    data = b""
    for idx in range(2000):
        data += post(0, scratch(0), struct.pack("<I", idx)) + message(REGION_READ, access(0, scratch(0), 4), idx)
    it.raw(data)
    for idx in range(2000):
        equal(it.wait_reply(idx).body[16:], struct.pack("<I", idx))


def test_message_ids_are_the_clients_business(case):
    it = host(case, serve(case))
    # The same id in flight several times; only the order tells them apart.
    it.raw(message(REGION_READ, access(CONFIG, 0, 2), 0xffff) + message(REGION_READ, access(CONFIG, 2, 2), 0xffff)
           + message(GET_INFO, device_info(), 0))
    equal([it.receive().id for _ in range(3)], [0xffff, 0xffff, 0])


def test_largest_write_and_read(case):
    a, b = pair(case, serve(case))
    a.show(0, 2 * MIB)
    data = bytes(range(256)) * (MAX_XFER // 256)
    b.write(4, 12345, data)
    equal(a.ram[12345:12345 + MAX_XFER], data)
    equal(b.read(4, 12345, MAX_XFER), data)
    b.post(4, 1, data)
    equal(b.read(4, 1, MAX_XFER), data)


def test_large_and_small_messages_mix(case):
    a, b = pair(case, serve(case))
    a.show(0, 2 * MIB)
    data = b""
    sizes = [1, 70000, 4, 65536, 8, MAX_XFER, 3, 65520, 2, 131072]
    for idx, size in enumerate(sizes):
        data += post(4, idx, bytes([idx + 1]) * size)
    b.raw(data)
    expected = bytearray(2 * MIB)
    for idx, size in enumerate(sizes):
        expected[idx:idx + size] = bytes([idx + 1]) * size
    b.sync()
    check(a.ram[0:2 * MIB] == bytes(expected), "memory differs")


def test_descriptors_in_a_burst_go_to_their_own_messages(case):
    """What QEMU sends at start: maps with and without memory behind them, each in its own send, nobody waits."""
    server = serve(case)
    a, b = host(case, server), host(case, server, 1)
    rams = [Ram(case, MIB, f"burst{idx}") for idx in range(8)]
    numbers = []
    for idx in range(16):
        numbers.append(a.send(DMA_MAP, dma_map(idx * MIB, MIB), [rams[idx // 2].fd] if idx % 2 else []))
        a.post(0, scratch(idx), struct.pack("<I", idx))
    for number in numbers:
        equal(a.finish(number), b"")
    equal(a.read(0, SCRATCH, 64), struct.pack("<16I", *range(16)), "writes between the maps")
    for idx, ram in enumerate(rams):
        a.show((2 * idx + 1) * MIB, MIB)
        b.write(4, 16, struct.pack("<I", 0x1000 + idx))
        equal(ram[16:20], struct.pack("<I", 0x1000 + idx), f"memory {idx}")
    status = server.port(0)["client"]
    equal((status["mappings"], status["mapped_bytes"]), (16, 8 * MIB), "mappings and their bytes")


def test_descriptor_of_a_map_between_others_in_one_send(case):
    server = serve(case)
    a, b = host(case, server), host(case, server, 1)
    ram = Ram(case, MIB)
    a.raw(post(0, scratch(0), b"abcd") + message(DMA_MAP, dma_map(0, MIB), 1) + post(0, scratch(1), b"efgh")
          + message(REGION_READ, access(0, SCRATCH, 8), 2), [ram.fd])
    equal(a.finish(1), b"")
    equal(a.finish(2)[16:], b"abcdefgh")
    a.show(0, MIB)
    b.write(4, 0, b"here")
    equal(ram[0:4], b"here")


def test_descriptor_comes_with_the_first_byte_of_a_map_sent_in_pieces(case):
    server = serve(case)
    a, b = host(case, server), host(case, server, 1)
    for idx, cut in enumerate((1, 8, 15, 16, 17, 31, 47)):
        ram = Ram(case, PAGE)
        data = message(DMA_MAP, dma_map(idx * PAGE, PAGE), 1)
        a.raw(post(0, scratch(0), b"abcd"))
        a.raw(data[:cut], [ram.fd])
        equal(len(server.status()["ports"]), 2)
        a.raw(data[cut:] + post(0, scratch(1), b"efgh"))
        equal(a.finish(1), b"", f"cut at {cut}")
        a.show(idx * PAGE, PAGE)
        b.write(4, 8, struct.pack("<I", cut))
        equal(ram[8:12], struct.pack("<I", cut), f"cut at {cut}")


def test_descriptor_comes_with_the_last_bytes_of_a_map_sent_in_pieces(case):
    server = serve(case)
    a, b = host(case, server), host(case, server, 1)
    for idx, cut in enumerate((1, 8, 16, 17, 47)):
        ram = Ram(case, PAGE)
        data = message(DMA_MAP, dma_map(idx * PAGE, PAGE), 1)
        a.raw(data[:cut])
        equal(len(server.status()["ports"]), 2)
        a.raw(data[cut:], [ram.fd])
        equal(a.finish(1), b"", f"cut at {cut}")
        a.show(idx * PAGE, PAGE)
        b.write(4, 8, struct.pack("<I", cut))
        equal(ram[8:12], struct.pack("<I", cut), f"cut at {cut}")


def test_map_with_descriptor_sent_byte_by_byte(case):
    server = serve(case)
    a, b = host(case, server), host(case, server, 1)
    ram = Ram(case, PAGE)
    data = message(DMA_MAP, dma_map(0, PAGE), 1)
    for idx in range(len(data)):
        a.raw(data[idx:idx + 1], [ram.fd] if not idx else [])
    equal(a.finish(1), b"")
    a.show(0, PAGE)
    b.write(4, 0, b"here")
    equal(ram[0:4], b"here")


def test_write_multi_is_done_in_order(case):
    it = host(case, serve(case))
    writes = [(0, scratch(0), struct.pack("<Q", idx)) for idx in range(1000)]
    equal(it.call(WRITE_MULTI, multi(*writes, (0, scratch(2), b"z"))), struct.pack("<Q", 1001))
    equal(it.read(0, SCRATCH, 12), struct.pack("<Q", 999) + b"z\0\0\0")
    it.send(WRITE_MULTI, multi((0, scratch(0), b"quiet")), flags=NO_REPLY)
    equal(it.read(0, SCRATCH, 5), b"quiet")
    equal(it.replies, {}, "replies to what wanted none")


if __name__ == "__main__":
    base.main(dict(globals()))
