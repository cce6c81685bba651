#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What the wire does with clients that keep the rules."""

import contextlib
import os
import struct
import sys

import wirelib
from wirelib import (BAR0, BAR2, CONFIG, DEVICE_FEATURE, DEVICE_RESET, DMA_MAP, DMA_READ, DMA_WRITE, F_NO_REPLY, F_REPLY,
                     GET_INFO, GET_IRQ_INFO, GET_REGION_INFO, GET_REGION_IO_FDS, INTERRUPT, IRQ_BOOL, IRQ_EVENTFD,
                     IRQ_MASK, IRQ_NONE, IRQ_TRIGGER, IRQ_UNMASK, MAP_R, MAP_RW, PAGE, REG_ATTACHED, REG_CLEAR, REG_ERROR,
                     REG_ERRORS, REG_PENDING, REG_RAISE, REG_RESETS, REG_WRITES, REGION_READ, REGION_WRITE, SET_IRQS,
                     VERSION, WRITE_MULTI, check, equal, eventfd_count, irq_body, map_body, message, multi_body,
                     read_body, wait_for, write_body)


def test_version_is_answered_with_what_the_server_can_do(case):
    caps = case.client(negotiate=False).negotiate()
    equal(caps, {"max_msg_fds": 16, "max_data_xfer_size": 1 << 20, "max_dma_maps": 4096, "pgsizes": 4096,
                 "write_multiple": True}, "capabilities")


def test_version_without_capabilities_is_enough(case):
    case.client(negotiate=False).negotiate(b"")


def test_version_with_a_higher_minor_is_answered_with_ours(case):
    case.client(negotiate=False).negotiate(minor=7)


def test_unknown_capabilities_are_ignored(case):
    case.client(negotiate=False).negotiate(b'{"capabilities":{"x":[1,{}],"migration":{"pgsize":4096}},"more":1}\0')


def test_write_multiple_can_be_switched_off(case):
    case.serve(write_multiple=0)
    check(not case.client(negotiate=False).negotiate()["write_multiple"], "write_multiple is offered")


def test_device_info(case):
    reply = case.client().call(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))
    equal(struct.unpack("<IIII", reply.body), (16, 3, 9, 5), "device info")


def test_region_info(case):
    client = case.client()
    sizes = {0: 0x10000, 2: 1 << 24, 7: 4096}
    for region in range(9):
        reply = client.call(GET_REGION_INFO, struct.pack("<IIIIQQ", 4096, 0, region, 0, 0, 0))
        size = sizes.get(region, 0)
        equal(struct.unpack("<IIIIQQ", reply.body), (32, 3 if size else 0, region, 0, size, 0), "region info")


def test_region_io_fds_are_none(case):
    reply = case.client().call(GET_REGION_IO_FDS, struct.pack("<IIII", 16, 0, 0, 0))
    equal(struct.unpack("<IIII", reply.body), (16, 0, 0, 0), "region fds")


def test_irq_info(case):
    client = case.client()
    for index in range(5):
        reply = client.call(GET_IRQ_INFO, struct.pack("<IIII", 16, 0, index, 0))
        equal(struct.unpack("<IIII", reply.body), (16, 3 if index == 2 else 0, index, 8 if index == 2 else 0), "irq")


def test_config_space_reads_what_was_written(case):
    client = case.client()
    client.write(CONFIG, 0x40, b"abcd")
    equal(client.read(CONFIG, 0x3f, 6), b"\0abcd\0", "config")


def test_bar_reads_what_was_written(case):
    client = case.client()
    client.write(BAR0, 0x7ffe, b"ab")
    equal(client.read(BAR0, 0x7ffe, 2), b"ab", "bar")


def test_read_of_the_largest_size(case):
    client = case.client()
    mem = case.memory(1 << 20)
    mem.view[:] = os.urandom(1 << 20)
    client.map(0, 1 << 20, mem.fd)
    client.window(0, 0)
    equal(client.read(BAR2, 0, 1 << 20), mem.view[:], "1 MiB through the window")


def test_write_of_the_largest_size(case):
    client = case.client()
    mem = case.memory(1 << 20)
    client.map(0, 1 << 20, mem.fd)
    client.window(0, 0)
    data = os.urandom(1 << 20)
    client.write(BAR2, 0, data)
    equal(mem.view[:], data, "1 MiB through the window")


def test_posted_writes_get_no_reply(case):
    client = case.client()
    client.post(BAR0, 0, b"1234")
    equal(client.read(BAR0, 0, 4), b"1234", "posted")


def test_no_reply_holds_for_reads_too(case):
    client = case.client()
    client.start(REGION_READ, read_body(BAR0, 0, 4), F_NO_REPLY)
    client.start(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0), F_NO_REPLY)
    client.read(BAR0, 0, 4)


def test_multiple_writes_in_one_message(case):
    client = case.client()
    writes = [(BAR0, 8 * i, bytes([i + 1] * (i % 8 + 1))) for i in range(200)]
    client.start(WRITE_MULTI, multi_body(writes), F_NO_REPLY)
    for region, offset, data in writes:
        equal(client.read(region, offset, len(data)), data, "written")
    equal(client.call(WRITE_MULTI, multi_body([(CONFIG, 0x10, b"xy")])).body, struct.pack("<Q", 1), "reply")
    equal(client.read(CONFIG, 0x10, 2), b"xy", "config")


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


def test_window_reaches_the_other_hosts_memory(case):
    a, b = case.client(0), case.client(1)
    mem = case.memory(4 * PAGE)
    b.map(0x100000, 4 * PAGE, mem.fd)
    a.window(0x100000)
    a.write(BAR2, PAGE, b"across")
    equal(mem.view[PAGE:PAGE + 6], b"across", "written")
    mem.view[8:12] = b"back"
    equal(a.read(BAR2, 8, 4), b"back", "read")


def test_offset_of_a_mapping_need_not_be_a_page(case):
    client = case.client()
    mem = case.memory(4 * PAGE)
    client.map(0x5000, 0x700, mem.fd, 0x1234)
    client.window(0x5000, 0)
    client.write(BAR2, 0x6fc, b"last")
    equal(mem.view[0x1234 + 0x6fc:0x1234 + 0x700], b"last", "written")
    client.write(BAR2, 0x700, b"over")
    check(client.read64(REG_ERROR), "a write behind the mapping worked")


def test_access_across_two_mappings(case):
    client = case.client()
    one, two = case.memory(PAGE), case.memory(PAGE)
    client.map(0, PAGE, one.fd)
    client.map(PAGE, PAGE, two.fd)
    client.window(0, 0)
    client.write(BAR2, PAGE - 2, b"abcd")
    equal((one.view[-2:], two.view[:2]), (b"ab", b"cd"), "written")
    equal(client.read(BAR2, PAGE - 3, 6), b"\0abcd\0", "read")


def test_nothing_mapped_reads_as_ones_and_drops_writes(case):
    client = case.client()
    client.window(0, 0)
    equal(client.read(BAR2, 0, 8), b"\xff" * 8, "read")
    client.write(BAR2, 0, b"abcd")
    equal(client.read64(REG_ERROR), 14, "error of the write")


def test_read_only_mapping_drops_writes(case):
    client = case.client()
    mem = case.memory(PAGE)
    client.map(0, PAGE, mem.fd, 0, MAP_R)
    client.window(0, 0)
    client.write(BAR2, 0, b"abcd")
    equal(client.read64(REG_ERROR), 14, "error of the write")
    equal(client.read(BAR2, 0, 4), b"\0\0\0\0", "memory")


def test_unmap_closes_the_window_at_once(case):
    client = case.client()
    mem = case.memory(4 * PAGE)
    for i in range(4):
        client.map(i * PAGE, PAGE, mem.fd, i * PAGE)
    client.window(0, 0)
    equal(client.unmap(PAGE, 2 * PAGE), 2 * PAGE, "bytes unmapped")
    equal(client.read(BAR2, PAGE, 4), b"\xff" * 4, "unmapped")
    equal(client.read(BAR2, 0, 4), b"\0" * 4, "still mapped")
    equal(client.unmap(PAGE, 2 * PAGE), 0, "bytes unmapped when nothing is there")
    equal(client.unmap(0, 0, 2), 2 * PAGE, "bytes unmapped by the flag for all")
    equal(client.read(BAR2, 0, 4), b"\xff" * 4, "unmapped")
    equal(case.server.status()[0]["nr_mappings"], 0, "mappings left")


def test_a_range_can_be_mapped_again(case):
    client = case.client()
    client.window(0, 0)
    for i in range(50):
        mem = case.memory(PAGE)
        mem.view[0] = i
        client.map(0, PAGE, mem.fd)
        equal(client.read(BAR2, 0, 1), bytes([i]), "memory")
        client.unmap(0, PAGE)


def test_mapping_at_the_top_of_the_address_space(case):
    client = case.client()
    mem = case.memory(PAGE)
    top = (1 << 64) - PAGE
    client.map(top, PAGE, mem.fd)
    client.window(top, 0)
    client.write(BAR2, PAGE - 4, b"last")
    equal(mem.view[-4:], b"last", "written")
    client.write(BAR2, PAGE, b"wrap")
    check(client.read64(REG_ERROR), "the write behind the end worked")


def test_pipelined_maps_with_and_without_descriptors(case):
    """As QEMU sends them: each message by itself, no waiting in between. Every descriptor finds its own message."""
    client = case.client()
    mems = {}
    for i in range(60):
        if i % 3 == 2:
            client.send(message(DMA_MAP, map_body(i * PAGE, PAGE), 0, i))
            continue
        mems[i] = case.memory(PAGE)
        mems[i].view[0] = i
        client.send(message(DMA_MAP, map_body(i * PAGE, PAGE), 0, i), [mems[i].fd])
    for i in range(60):
        equal(client.receive_reply(i).flags, F_REPLY, f"reply {i}")
    client.window(0, 0)
    for i, mem in mems.items():
        equal(client.read(BAR2, i * PAGE, 1), bytes([i]), f"memory {i}")
    equal(case.server.status()[0]["mapped_bytes"], len(mems) * PAGE, "bytes mapped with descriptors")


def test_descriptors_with_several_messages_in_one_send(case):
    """The last message that starts in the send is a read and cannot take the descriptor; the map before it can."""
    client = case.client()
    mem = case.memory(PAGE)
    client.send(message(REGION_READ, read_body(BAR0, 0, 4), 0, 1) + message(DMA_MAP, map_body(0, PAGE), 0, 2) +
                message(REGION_READ, read_body(BAR0, 0, 4), 0, 3), [mem.fd])
    for i in (1, 2, 3):
        equal(client.receive_reply(i).flags, F_REPLY, f"reply {i}")
    equal(case.server.status()[0]["mapped_bytes"], PAGE, "bytes mapped")


def test_memory_without_descriptor_is_written_by_messages(case):
    client = case.client()
    client.map(0x1000, PAGE)
    client.window(0x1000, 0)
    client.write(BAR2, 4, b"data")
    msg = client.receive_request()
    equal((msg.cmd, msg.flags), (DMA_WRITE, F_NO_REPLY), "request")
    equal(msg.body, struct.pack("<QQ", 0x1004, 4) + b"data", "body")


def test_large_writes_by_message_are_cut_to_what_the_client_takes(case):
    client = case.client(negotiate=False)
    client.negotiate(b'{"capabilities":{"max_data_xfer_size":4096}}\0')
    client.map(0, 1 << 20)
    client.window(0, 0)
    data = os.urandom(10000)
    client.write(BAR2, 100, data)
    got, at = b"", 100
    for size in (4096, 4096, 1808):
        msg = client.receive_request()
        equal(struct.unpack_from("<QQ", msg.body), (at, size), "address and count")
        got += msg.body[16:]
        at += size
    equal(got, data, "data")


def test_interrupt_addresses_are_written_by_messages(case):
    a, b = case.client(0), case.client(1)
    a.window(INTERRUPT)
    a.post(BAR2, 0x1000, struct.pack("<I", 0x4021))
    msg = b.receive_request()
    equal((msg.cmd, msg.flags, msg.body), (DMA_WRITE, F_NO_REPLY, struct.pack("<QQI", INTERRUPT + 0x1000, 4, 0x4021)),
          "request")
    a.window(INTERRUPT + 0xffffc)
    a.write(BAR2, 4, b"\0\0\0\0")
    equal(a.read64(REG_ERROR), 14, "a write behind the interrupt range")
    equal(a.read(BAR2, 0, 4), b"\xff" * 4, "a read of the interrupt range")


def test_data_is_visible_before_the_interrupt(case):
    a, b = case.client(0), case.client(1)
    mem = case.memory(PAGE)
    b.map(0, PAGE, mem.fd)
    for i in range(1, 500):
        a.send(message(REGION_WRITE, write_body(BAR0, 0x8000, struct.pack("<Q", 0)), F_NO_REPLY) +
               message(REGION_WRITE, write_body(BAR2, 0, struct.pack("<I", i)), F_NO_REPLY) +
               message(REGION_WRITE, write_body(BAR0, 0x8000, struct.pack("<Q", INTERRUPT)), F_NO_REPLY) +
               message(REGION_WRITE, write_body(BAR2, 0, struct.pack("<I", i)), F_NO_REPLY))
        msg = b.receive_request()
        equal(struct.unpack_from("<I", msg.body, 16)[0], i, "interrupt")
        equal(struct.unpack_from("<I", mem.view)[0], i, "data")


def test_error_reply_to_a_write_without_reply_is_tolerated(case):
    a, b = case.client(0), case.client(1)
    a.window(INTERRUPT)
    a.write(BAR2, 0, b"abcd")
    b.answer(b.receive_request(), error=14)
    case.server.wait_log(r"port 1: client \d+: DMA_WRITE .*the client could not write")
    b.read(BAR0, 0, 4)


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


def test_an_eventfd_is_signalled(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(4)]
    client.arm(0, fds)
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 2)
    equal([eventfd_count(fd) for fd in fds], [0, 0, 1, 0], "signals")
    equal(case.server.status()[0]["armed_vectors"], 4, "armed vectors")


def test_a_signal_while_not_armed_is_latched(case):
    client = case.client()
    fd = case.eventfd()
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 1)
    client.write64(REG_RAISE, 1)
    equal(client.read64(REG_PENDING), 2, "pending")
    client.arm(1, [fd])
    equal(eventfd_count(fd), 1, "signals after arming")
    equal(client.read64(REG_PENDING), 0, "pending")


def test_disabling_all_vectors_latches_what_comes_then(case):
    client = case.client()
    fd = case.eventfd()
    client.write64(wirelib.REG_TARGET, 0)
    client.arm(0, [fd])
    client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER))
    equal(case.server.status()[0]["armed_vectors"], 0, "armed vectors")
    client.write64(REG_RAISE, 0)
    equal(eventfd_count(fd), 0, "signals while disabled")
    client.arm(0, [fd])
    equal(eventfd_count(fd), 1, "signals after arming")


def test_disabling_one_vector_silences_it_alone(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(3)]
    client.write64(wirelib.REG_TARGET, 0)
    client.arm(0, fds)
    client.call(SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 1, 1))
    for vector in range(3):
        client.write64(REG_RAISE, vector)
    equal([eventfd_count(fd) for fd in fds], [1, 0, 1], "signals")
    equal(client.read64(REG_PENDING), 2, "pending")


def test_masking_holds_a_vector_back(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(2)]
    client.write64(wirelib.REG_TARGET, 0)
    client.arm(0, fds)
    client.call(SET_IRQS, irq_body(IRQ_BOOL | IRQ_MASK, 0, 2, b"\0\1"))
    client.write64(REG_RAISE, 0)
    client.write64(REG_RAISE, 1)
    equal([eventfd_count(fd) for fd in fds], [1, 0], "signals")
    client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_UNMASK, 0, 2))
    equal([eventfd_count(fd) for fd in fds], [0, 1], "signals after unmasking")


def test_a_client_can_trigger_its_own_vectors(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(3)]
    client.arm(0, fds)
    client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 1, 2))
    equal([eventfd_count(fd) for fd in fds], [0, 1, 1], "signals")
    client.call(SET_IRQS, irq_body(IRQ_BOOL | IRQ_TRIGGER, 0, 3, b"\1\0\1"))
    equal([eventfd_count(fd) for fd in fds], [1, 0, 1], "signals")


def test_disabling_kinds_of_interrupts_that_are_not_there_succeeds(case):
    client = case.client()
    for index in range(5):
        client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, index=index))


def test_a_peer_raises_a_vector_of_another_host(case):
    a, b = case.client(0), case.client(1)
    fd = case.eventfd()
    b.arm(3, [fd])
    a.write64(REG_RAISE, 3)
    equal(eventfd_count(fd), 1, "signals")


def test_reset_clears_latched_vectors(case):
    client = case.client()
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 1)
    client.call(DEVICE_RESET)
    equal((client.read64(REG_PENDING), client.read64(REG_RESETS)), (0, 1), "pending, resets")


def test_clear_forgets_latched_vectors(case):
    client = case.client()
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 5)
    client.write64(REG_CLEAR, 0)
    equal(client.read64(REG_PENDING), 0, "pending")


def test_a_full_eventfd_does_not_block(case):
    client = case.client()
    fd = os.eventfd(0, os.EFD_CLOEXEC)
    case.stack.callback(os.close, fd)
    os.eventfd_write(fd, 0xfffffffffffffffe)
    client.arm(0, [fd])
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 0)
    client.read(BAR0, 0, 4)


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


def test_a_stuck_host_does_not_stall_the_server(case):
    case.serve(3)
    a, b, c = case.client(0), case.client(1), case.client(2)
    a.window(INTERRUPT)
    a.send(message(REGION_WRITE, write_body(BAR2, 0, b"abcd"), F_NO_REPLY) * 30000)
    for i in range(100):
        c.write(BAR0, 0, struct.pack("<I", i))
        a.write(BAR0, 0, struct.pack("<I", i))
    del b


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


def test_the_version_reply_comes_before_anything_else(case):
    case.serve()
    client = case.client(negotiate=False)
    client.send(message(VERSION, struct.pack("<HH", 0, 0) + wirelib.CAPS, 0, 5) +
                message(DMA_MAP, map_body(0, PAGE, 0, MAP_RW), 0, 6))
    equal([client.receive_any().id, client.receive_any().id], [5, 6], "ids")


def test_features_are_not_offered(case):
    client = case.client()
    for feature in range(12):
        for action in (1 << 16, 1 << 17, 1 << 18 | 1 << 16):
            client.expect_error(client.request(DEVICE_FEATURE, struct.pack("<II", 8, feature | action)), 25)


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
