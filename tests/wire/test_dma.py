#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A host's memory: mapped with and without a descriptor, reached through a window, unmapped again."""

import errno
import struct

import base
from base import check, equal
from client import DMA_MAP, MAX_XFER, REGION_READ, access, dma_map, post
from host import INTERRUPTS, PAGE, Host, Ram, pair
from server import serve

MIB = 1 << 20
READ, WRITE = 1, 2


def hosts_without_descriptor(case, server, text=None):
    """Two hosts; the memory of the first is reachable only by messages."""
    owner = Host(server, 0, text=text)
    user = Host(server, 1)
    case.stack.callback(owner.close)
    case.stack.callback(user.close)
    owner.map(0, 4 * MIB)
    owner.show(MIB, 2 * MIB)
    return owner, user


def start_read(host, offset, count):
    """Begin to read from the direct window."""
    return host.send(REGION_READ, access(4, offset, count))


def test_a_window_reaches_memory_through_its_descriptor(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(MIB, MIB)
    b.write(4, 0x100, b"hello")
    equal(a.ram[MIB + 0xff:MIB + 0x106], b"\0hello\0")
    a.ram[MIB + 0x200:MIB + 0x208] = b"goodbye!"
    equal(b.read(4, 0x200, 8), b"goodbye!")
    counters = server.counters(1)
    equal((counters["window_writes"], counters["window_reads"], counters["window_bytes"]), (1, 1, 13))
    equal((server.counters(0)["dma_writes"], server.counters(0)["dma_reads"]), (0, 0), "messages")


def test_accesses_of_any_size_and_alignment(case):
    a, b = pair(case, serve(case))
    a.show(0, MIB)
    for size in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 64, 4095, 4097):
        for offset in range(9):
            data = bytes((size + offset + idx) & 0xff for idx in range(size))
            a.ram[0:size + 32] = b"\xee" * (size + 32)
            b.write(4, 8 + offset, data)
            equal(a.ram[0:size + 32], b"\xee" * (8 + offset) + data + b"\xee" * (24 - offset), "memory")
            equal(b.read(4, 8 + offset, size), data, "read back")


def test_file_offset_that_is_no_multiple_of_a_page(case):
    server = serve(case)
    a, b = Host(server, 0), Host(server, 1)
    case.stack.callback(a.close)
    case.stack.callback(b.close)
    ram = Ram(case, 4 * PAGE)
    a.map(0x10000, 2 * PAGE, ram.fd, 0x345)
    a.show(0x10000, 2 * PAGE)
    b.write(4, 0, b"first")
    b.write(4, 2 * PAGE - 4, b"last")
    equal(ram[0x345:0x34a], b"first")
    equal(ram[0x345 + 2 * PAGE - 4:0x345 + 2 * PAGE + 1], b"last\0")


def test_the_last_byte_of_a_file_that_is_no_multiple_of_a_page(case):
    server = serve(case)
    a, b = Host(server, 0), Host(server, 1)
    case.stack.callback(a.close)
    case.stack.callback(b.close)
    ram = Ram(case, PAGE + 5)
    a.map(0, PAGE + 5, ram.fd)
    a.show(0, 2 * PAGE)
    b.write(4, PAGE + 4, b"x")
    equal(ram[PAGE + 4:PAGE + 5], b"x")
    equal(b.read(4, PAGE + 4, 2), b"\xff\xff", "across the end: nothing of a read that reaches beyond is given")


def test_one_file_mapped_at_two_addresses(case):
    server = serve(case)
    a, b = Host(server, 0), Host(server, 1)
    case.stack.callback(a.close)
    case.stack.callback(b.close)
    ram = Ram(case, MIB)
    a.map(0, MIB, ram.fd)
    a.map(1 << 40, MIB, ram.fd)
    a.show(1 << 40, MIB)
    b.write(4, 4, b"high")
    a.show(0, MIB)
    equal(b.read(4, 4, 4), b"high")


def test_an_access_over_two_mappings_that_touch(case):
    server = serve(case)
    a, b = Host(server, 0), Host(server, 1)
    case.stack.callback(a.close)
    case.stack.callback(b.close)
    low, high = Ram(case, MIB), Ram(case, MIB)
    a.map(0, MIB, low.fd)
    a.map(MIB, MIB, high.fd)
    a.show(0, 2 * MIB)
    b.write(4, MIB - 3, b"abcdef")
    equal((low[MIB - 3:MIB], high[0:4]), (b"abc", b"def\0"))
    equal(b.read(4, MIB - 3, 6), b"abcdef")


def test_what_nobody_mapped_reads_all_ones_and_takes_no_writes(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(64 * MIB, MIB)
    before = server.counters(1)["unsupported"]
    start = server.mark()
    equal(b.read(4, 0x40, 8), b"\xff" * 8)
    b.write(4, 0x40, b"nowhere!")
    b.post(4, 0x40, b"nowhere!")
    b.sync()
    equal(server.counters(1)["unsupported"] - before, 3, "accesses counted")
    lines = server.lines_of(1, start)
    equal(len(lines), 3, f"log lines {lines}")
    for line in lines:
        check("0x4000040" in line and "no memory of that host there" in line, line)
    check("no memory of that host there" in server.port(1)["last_errors"]["bridge"], "last error")
    equal(bytes(a.ram[:]), bytes(a.ram.size), "the owner's memory")


def test_log_lines_of_a_host_that_errs_without_end_are_few_and_say_how_many_more(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(64 * MIB, MIB)
    start, before = server.mark(), server.counters(1)["unsupported"]
    for _ in range(10):
        for idx in range(1000):
            b.post(4, idx * 4, b"1234")
        b.sync()
    equal(server.counters(1)["unsupported"] - before, 10000, "accesses counted")
    lines = server.lines_of(1, start)
    # Ten a second; this machine may be slow, but not that slow.
    check(10 <= len(lines) <= 200, f"{len(lines)} lines")
    end = server.mark()
    # The line that opens the next second tells of those before.
    while not any("more like this" in line for line in server.lines_of(1, end)):
        b.write(4, 0, b"1234")
    line = server.wait_log("more like this were left out", end)
    check("port 1:" in line, line)


def test_unmapping_closes_at_once(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, MIB)
    b.write(4, 0, b"before")
    equal(a.unmap(0, 4 * MIB), 4 * MIB, "bytes unmapped")
    equal(b.read(4, 0, 6), b"\xff" * 6)
    b.write(4, 0, b"after!")
    equal(a.ram[0:6], b"before")
    equal(server.nr_maps("ontb-port0"), 0, "mappings of the file in the server")
    a.map(0, 4 * MIB, a.ram.fd)
    equal(b.read(4, 0, 6), b"before", "mapped again")


def test_unmapping_takes_all_mappings_inside_and_only_those(case):
    server = serve(case)
    a, _ = pair(case, server)
    for addr in (16, 17, 19, 32):
        a.map(addr * MIB, MIB)
    equal(a.unmap(16 * MIB, 8 * MIB), 3 * MIB, "bytes unmapped")
    equal(server.port(0)["client"]["mappings"], 2)
    equal(a.unmap(16 * MIB, 8 * MIB), 0, "nothing is left there")
    equal(a.unmap(0, 0, 2), 5 * MIB, "all")
    equal(server.port(0)["client"]["mappings"], 0)
    equal(a.unmap(0, 0, 2), 0, "all of nothing")


def test_no_descriptor_of_a_mapping_stays_open(case):
    server = serve(case)
    a, _ = pair(case, server)
    nr_fds = server.nr_fds()
    for _ in range(50):
        ram = Ram(case, PAGE, "churn")
        a.map(64 * MIB, PAGE, ram.fd)
        a.unmap(64 * MIB, PAGE)
    equal((server.nr_fds(), server.nr_maps("ontb-churn")), (nr_fds, 0), "descriptors and mappings")


def test_memory_that_may_only_be_read(case):
    server = serve(case)
    a, b = pair(case, server)
    a.unmap(0, 4 * MIB)
    a.map(0, 4 * MIB, a.ram.fd, flags=READ)
    a.ram[0:4] = b"data"
    a.show(0, MIB)
    equal(b.read(4, 0, 4), b"data")
    before = server.counters(1)["unsupported"]
    b.write(4, 0, b"over")
    equal((a.ram[0:4], server.counters(1)["unsupported"] - before), (b"data", 1))


def test_memory_that_may_only_be_written(case):
    server = serve(case)
    a, b = pair(case, server)
    a.unmap(0, 4 * MIB)
    a.map(0, 4 * MIB, a.ram.fd, flags=WRITE)
    a.show(0, MIB)
    b.write(4, 0, b"data")
    equal(a.ram[0:4], b"data")
    equal(b.read(4, 0, 4), b"\xff" * 4)


def test_memory_at_the_end_of_the_address_space(case):
    a, b = pair(case, serve(case))
    ram = Ram(case, MIB)
    a.map((1 << 64) - MIB, MIB, ram.fd)
    a.show((1 << 64) - MIB, MIB)
    b.write(4, MIB - 4, b"last")
    equal(ram[MIB - 4:MIB], b"last")
    equal(a.unmap((1 << 64) - MIB, MIB), MIB)


def test_writes_to_memory_without_descriptor_become_messages_in_order(case):
    server = serve(case)
    owner, user = hosts_without_descriptor(case, server)
    for idx in range(100):
        user.post(4, idx * 8, struct.pack("<Q", idx))
    for idx in range(100):
        equal(owner.wait_write(), (MIB + idx * 8, struct.pack("<Q", idx)))
    equal(server.counters(0)["dma_writes"], 100)


def test_reads_of_memory_without_descriptor_become_messages(case):
    server = serve(case)
    owner, user = hosts_without_descriptor(case, server)
    number = start_read(user, 0x123, 5)
    msg, addr, count = owner.wait_read()
    equal((addr, count), (MIB + 0x123, 5))
    owner.answer(msg, b"hello")
    equal(user.finish(number), access(4, 0x123, 5) + b"hello")
    equal(server.counters(0)["dma_reads"], 1)


def test_a_read_pushes_the_writes_before_it(case):
    owner, user = hosts_without_descriptor(case, serve(case))
    user.post(4, 0, b"first")
    number = start_read(user, 0, 5)
    equal(owner.wait_write(), (MIB, b"first"))
    msg, _, _ = owner.wait_read()
    owner.answer(msg, b"first")
    equal(user.finish(number)[16:], b"first")


def test_other_accesses_go_on_while_a_read_waits(case):
    owner, user = hosts_without_descriptor(case, serve(case))
    number = start_read(user, 0, 4)
    msg, _, _ = owner.wait_read()
    user.check_lives()
    user.post(4, 64, b"posted")
    user.sync()
    equal(owner.wait_write(), (MIB + 64, b"posted"))
    owner.check_lives()
    check(number not in user.replies, "the read is answered already")
    owner.answer(msg, b"late")
    equal(user.finish(number)[16:], b"late")


def test_reads_may_be_answered_in_any_order(case):
    owner, user = hosts_without_descriptor(case, serve(case))
    numbers = [start_read(user, idx * 8, 8) for idx in range(64)]
    asked = [owner.wait_read() for _ in numbers]
    for msg, addr, _ in reversed(asked):
        owner.answer(msg, struct.pack("<Q", addr))
    for idx, number in enumerate(numbers):
        equal(user.finish(number)[16:], struct.pack("<Q", MIB + idx * 8))


def test_messages_are_no_larger_than_the_client_takes(case):
    owner, user = hosts_without_descriptor(case, serve(case), b'{"capabilities":{"max_data_xfer_size":4096}}\0')
    data = bytes(range(250)) * 40
    user.post(4, 10, data)
    got = {}
    while sum(map(len, got.values())) < len(data):
        addr, part = owner.wait_write()
        check(len(part) <= 4096, f"{len(part)} bytes")
        got[addr] = part
    equal(b"".join(got[addr] for addr in sorted(got)), data, "written")
    equal(min(got), MIB + 10)
    number = start_read(user, 10, len(data))
    left = len(data)
    while left:
        msg, addr, count = owner.wait_read()
        check(count <= 4096, f"{count} bytes")
        owner.answer(msg, data[addr - MIB - 10:addr - MIB - 10 + count])
        left -= count
    equal(user.finish(number)[16:], data, "read")


def test_a_large_read_of_memory_without_descriptor(case):
    owner, user = hosts_without_descriptor(case, serve(case))
    data = bytes(range(256)) * (MAX_XFER // 256)
    number = start_read(user, 0, MAX_XFER)
    left = MAX_XFER
    while left:
        msg, addr, count = owner.wait_read()
        owner.answer(msg, data[addr - MIB:addr - MIB + count])
        left -= count
    check(user.finish(number)[16:] == data, "data differs")


def test_a_read_over_memory_with_and_without_descriptor(case):
    server = serve(case)
    owner, user = Host(server, 0), Host(server, 1)
    case.stack.callback(owner.close)
    case.stack.callback(user.close)
    ram = Ram(case, PAGE)
    owner.map(0, PAGE, ram.fd)
    owner.map(PAGE, PAGE)
    owner.map(2 * PAGE, PAGE, ram.fd)
    ram[PAGE - 2:PAGE] = b"ab"
    ram[0:2] = b"yz"
    owner.show(0, 4 * PAGE)
    number = start_read(user, PAGE - 2, PAGE + 4)
    msg, addr, count = owner.wait_read()
    equal((addr, count), (PAGE, PAGE))
    owner.answer(msg, b"m" * PAGE)
    equal(user.finish(number)[16:], b"ab" + b"m" * PAGE + b"yz")
    user.post(4, PAGE - 2, b"AB" + b"M" * PAGE + b"YZ")
    equal(owner.wait_write(), (PAGE, b"M" * PAGE))
    user.sync()
    equal((ram[PAGE - 2:PAGE], ram[0:2]), (b"AB", b"YZ"))


def test_a_file_on_any_filesystem_is_memory_if_that_is_asked_for(case):
    with open("/proc/self/exe", "rb") as program:
        owner, _ = pair(case, serve(case))
        owner.refuse(errno.EINVAL, DMA_MAP, dma_map(1 << 40, PAGE, flags=READ), [program.fileno()])
        owner, user = pair(case, serve(case, "--memory-on-disk"))
        owner.map(1 << 40, PAGE, program.fileno(), flags=READ)
        owner.show(1 << 40, MIB)
        equal(user.read(4, 0, 4), b"\x7fELF")


def test_a_read_that_nobody_answers_ends_with_all_ones(case):
    server = serve(case, "--completion-timeout", "100")
    owner, user = hosts_without_descriptor(case, server)
    number = start_read(user, 0, 4)
    msg, _, _ = owner.wait_read()
    equal(user.finish(number)[16:], b"\xff" * 4)
    start = server.mark()
    owner.answer(msg, b"late")
    owner.sync()
    lines = server.lines_of(0, start)
    check(len(lines) == 1 and "timed out" in lines[0], f"log lines {lines}")
    number = start_read(user, 0, 4)
    msg, _, _ = owner.wait_read()
    owner.answer(msg, b"well")
    equal(user.finish(number)[16:], b"well", "the next read")


def test_an_interrupt_message_is_a_message_although_nothing_is_mapped_there(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(INTERRUPTS, 2 * MIB)
    b.post(4, 0x1238, struct.pack("<I", 0x4041))
    equal(a.wait_write(), (INTERRUPTS + 0x1238, struct.pack("<I", 0x4041)))
    b.post(4, MIB - 4, b"last")
    equal(a.wait_write(), (INTERRUPTS + MIB - 4, b"last"))
    before = server.counters(1)["unsupported"]
    b.write(4, MIB, b"none")
    equal(b.read(4, 0x1238, 4), b"\xff" * 4, "interrupt addresses cannot be read")
    equal(server.counters(1)["unsupported"] - before, 2, "accesses counted")
    a.sync()
    equal(list(a.commands), [], "messages")


def test_the_interrupt_range_can_be_moved_and_switched_off(case):
    server = serve(case, "--interrupt-range", "0x8000000+0x1000")
    a, b = pair(case, server)
    a.show(0x8000000, MIB)
    b.post(4, 0xffc, b"here")
    equal(a.wait_write(), (0x8000ffc, b"here"))
    a.show(INTERRUPTS, MIB)
    b.write(4, 0, b"not ")
    a.sync()
    equal(list(a.commands), [], "messages")
    server = serve(case, "--interrupt-range", "none")
    a, b = pair(case, server)
    a.show(INTERRUPTS, MIB)
    b.write(4, 0, b"not ")
    a.sync()
    equal(list(a.commands), [], "messages")


def test_data_is_there_before_the_interrupt_message_that_tells_of_it(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(INTERRUPTS, 2 * MIB)
    a.show_lut(0, 0)
    for idx in range(500):
        # Data and interrupt in one burst, as a driver does it; the receiver looks as soon as the message is there.
        b.raw(b"".join(post(2, 64 * part, struct.pack("<Q", idx + part)) for part in range(64))
              + post(4, 0, struct.pack("<I", idx)))
        equal(a.wait_write(), (INTERRUPTS, struct.pack("<I", idx)))
        for part in (0, 31, 63):
            equal(a.ram[64 * part:64 * part + 8], struct.pack("<Q", idx + part), "data behind the interrupt")


def test_data_by_message_comes_before_the_interrupt_message(case):
    server = serve(case)
    owner, user = hosts_without_descriptor(case, server)
    owner.show_lut(0, INTERRUPTS)
    for idx in range(50):
        user.raw(post(4, 0, struct.pack("<I", idx)) + post(2, 0, b"irq!"))
        equal(owner.wait_write(), (MIB, struct.pack("<I", idx)))
        equal(owner.wait_write(), (INTERRUPTS, b"irq!"))


def test_an_error_reply_to_a_write_is_one_log_line(case):
    """QEMU says so when its guest has bus mastering off, although no reply was wanted."""
    server = serve(case)
    a, b = pair(case, server)
    a.show(INTERRUPTS, MIB)
    b.post(4, 0, b"1234")
    a.wait_write()
    start = server.mark()
    a.raw(struct.pack("<HHIII", 0, 12, 16, 0x21, 22))
    a.sync()
    lines = server.lines_of(0, start)
    check(len(lines) == 1 and "could not write" in lines[0], f"log lines {lines}")


if __name__ == "__main__":
    base.main(dict(globals()))
