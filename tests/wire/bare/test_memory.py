#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Memory of a client, with and without a descriptor, as another host reaches it."""

import errno
import os
import struct
import subprocess
import sys
import tempfile

import wirelib
from wirelib import (BAR0, BAR2, DMA_MAP, DMA_WRITE, F_NO_REPLY, F_REPLY, INTERRUPT, MAP_R, PAGE, REG_ERROR,
                     REGION_READ, REGION_WRITE, check, equal, map_body, message, read_body, write_body, Skip)


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


def file_on_disk(case):
    """A file on a filesystem that is not memory."""
    for folder in (os.path.dirname(os.path.abspath(case.program)), "/var/tmp", "/tmp"):
        kind = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, capture_output=True, text=True).stdout
        if kind.strip() in ("tmpfs", "hugetlbfs"):
            continue
        handle = case.stack.enter_context(tempfile.TemporaryFile(dir=folder))
        handle.truncate(PAGE)
        return handle.fileno()
    raise Skip("all folders are in memory")


def test_a_file_on_disk_is_no_memory(case):
    client = case.client()
    client.expect_error(client.request(DMA_MAP, map_body(0, PAGE), [file_on_disk(case)]), errno.EINVAL)
    case.server.wait_log(r"DMA_MAP .*: the descriptor is not a regular file in memory")
    client.window(0, 0)
    equal(client.read(BAR2, 0, 8), b"\xff" * 8, "read")


def test_a_file_on_disk_is_memory_if_wanted(case):
    case.serve(memory_on_disk=1)
    client = case.client()
    fd = file_on_disk(case)
    client.map(0, PAGE, fd)
    client.window(0, 0)
    client.write(BAR2, 8, b"disk")
    equal(os.pread(fd, 4, 8), b"disk", "written")


def test_memory_on_tmpfs_need_not_be_a_memfd(case):
    try:
        handle = case.stack.enter_context(tempfile.TemporaryFile(dir="/dev/shm"))
    except OSError as error:
        raise Skip(f"no /dev/shm: {error}") from None
    handle.truncate(PAGE)
    client = case.client()
    client.map(0, PAGE, handle.fileno())
    client.window(0, 0)
    client.write(BAR2, 8, b"tmp.")
    equal(os.pread(handle.fileno(), 4, 8), b"tmp.", "written")


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


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
