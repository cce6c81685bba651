#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A window reaches exactly the bytes that their owner opened, for exactly as long as it wants that."""

import contextlib
import struct
import threading

import base
from base import check, equal
from client import RESET, Closed, post
from host import (BAR_DIRECT, BAR_LUT, BUS_MASTER, CONFIGURE, CTL_DIRECT, CTL_LUT, INTERRUPTS, LOCK, LOCKED, LUT_SIZE,
                  MEMORY_ENABLE, NORMAL, PAGE, PART_OP, PART_STATUS, RESET_BLOCK, Host, Ram, pair)
from server import serve

MIB = 1 << 20
NR_LUTS = 32
LUT_AREA = NR_LUTS * LUT_SIZE
BAR2_SIZE, BAR4_SIZE = 4 * MIB, 2 * MIB
PATTERN = b"\xa5"


def check_closed(host, bar, offset, count=4):
    """Nothing answers there, and it is counted."""
    before = host.server.counters(host.port)["unsupported"]
    equal(host.read(bar, offset, count), b"\xff" * count, f"BAR{bar} offset {offset:#x}")
    host.write(bar, offset, b"\x5a" * count)
    equal(host.server.counters(host.port)["unsupported"] - before, 2, "accesses counted")


def check_edges(viewer, ram, bar, offset, addr, size):
    """The window shows [addr, addr + size) of the memory at an offset of a BAR, and not a byte more."""
    ram.fill(PATTERN[0])
    expected = bytearray(PATTERN * ram.size)
    for where, data in ((0, b"F"), (1, b"g"), (size // 2, b"middle"), (size - 2, b"k"), (size - 1, b"L")):
        viewer.write(bar, offset + where, data)
        equal(viewer.read(bar, offset + where, len(data)), data, f"at {where:#x}")
        expected[addr + where:addr + where + len(data)] = data
    bar_size = {BAR_LUT: BAR2_SIZE, BAR_DIRECT: BAR4_SIZE}[bar]
    if offset + size < bar_size:
        equal(viewer.read(bar, offset + size, 1), b"\xff", "one byte behind")
        viewer.write(bar, offset + size, b"X")
        equal(viewer.read(bar, offset + size - 1, 4), b"L\xff\xff\xff", "read across the end")
        viewer.write(bar, offset + size - 1, b"MXXX")
        expected[addr + size - 1] = ord("M")
    check(ram[:] == bytes(expected), "memory differs from what was written")


def test_direct_windows_of_all_sizes_have_sharp_ends(case):
    server = serve(case)
    a, b = pair(case, server)
    for size in (PAGE, 2 * PAGE, 3 * PAGE, LUT_SIZE, MIB - PAGE, MIB, 2 * MIB):
        for addr in (0, MIB, 4 * MIB - size):
            a.show(addr, size)
            check_edges(b, a.ram, BAR_DIRECT, 0, addr, size)


def test_direct_window_behind_the_look_up_table(case):
    a, b = pair(case, serve(case))
    a.show_lut(0, 0)
    a.show(MIB, MIB, BAR_LUT)
    check_edges(b, a.ram, BAR_LUT, LUT_AREA, MIB, MIB)
    check_edges(b, a.ram, BAR_LUT, 0, 0, LUT_SIZE)


def test_each_look_up_table_window_shows_its_own_bytes(case):
    a, b = pair(case, serve(case))
    for idx in (0, 1, 2, 15, NR_LUTS - 1):
        a.show_lut(idx, (NR_LUTS - idx) * LUT_SIZE)
    for idx in (0, 1, 2, 15, NR_LUTS - 1):
        b.write(BAR_LUT, idx * LUT_SIZE + 4, struct.pack("<I", idx))
        b.write(BAR_LUT, (idx + 1) * LUT_SIZE - 4, struct.pack("<I", ~idx & 0xffffffff))
        addr = (NR_LUTS - idx) * LUT_SIZE
        equal(a.ram[addr + 4:addr + 8], struct.pack("<I", idx))
        equal(a.ram[addr + LUT_SIZE - 4:addr + LUT_SIZE], struct.pack("<I", ~idx & 0xffffffff))
    for idx in (3, 14, 16, NR_LUTS - 2):
        check_closed(b, BAR_LUT, idx * LUT_SIZE)
        check_closed(b, BAR_LUT, (idx + 1) * LUT_SIZE - 4)


def test_an_access_over_two_windows_is_split_where_they_meet(case):
    a, b = pair(case, serve(case))
    a.show_lut(0, 2 * MIB)
    a.show_lut(1, MIB)
    b.write(BAR_LUT, LUT_SIZE - 3, b"abcdefgh")
    equal((a.ram[2 * MIB + LUT_SIZE - 3:2 * MIB + LUT_SIZE + 1], a.ram[MIB:MIB + 6]), (b"abc\0", b"defgh\0"))
    equal(b.read(BAR_LUT, LUT_SIZE - 3, 8), b"abcdefgh")
    b.write(BAR_LUT, 2 * LUT_SIZE - 2, b"yz--")
    equal(a.ram[MIB + LUT_SIZE - 2:MIB + LUT_SIZE + 2], b"yz\0\0")
    equal(b.read(BAR_LUT, 2 * LUT_SIZE - 2, 4), b"yz\xff\xff", "window and closed window")


def test_all_of_a_bar_is_closed_at_first(case):
    _, b = pair(case, serve(case))
    for bar, size in ((BAR_LUT, BAR2_SIZE), (BAR_DIRECT, BAR4_SIZE)):
        for offset in (0, LUT_SIZE, size // 2, size - 4):
            check_closed(b, bar, offset)
    equal(b.read(BAR_DIRECT, 0, MIB), b"\xff" * MIB)


def test_closing_closes(case):
    a, b = pair(case, serve(case))
    a.show(0, MIB)
    a.show_lut(3, 0)
    b.write(BAR_DIRECT, 0, b"data")
    a.hide()
    check_closed(b, BAR_DIRECT, 0)
    equal(b.read(BAR_LUT, 3 * LUT_SIZE, 4), b"data")
    a.lock(b.port)
    a.write_lut(b.port, 3, 0, a.port, enable=0)
    equal(a.commit(b.port), (0, 0))
    check_closed(b, BAR_LUT, 3 * LUT_SIZE)
    equal(a.ram[0:8], b"data" + bytes(4))


def test_a_window_moves_only_with_the_commit(case):
    a, b = pair(case, serve(case))
    a.ram[0:4], a.ram[MIB:MIB + 4] = b"old.", b"new."
    a.show(0, MIB)
    a.lock(b.port)
    a.write_direct(b.port, BAR_DIRECT, MIB, MIB, a.port)
    equal(b.read(BAR_DIRECT, 0, 4), b"old.", "before the commit")
    a.commit(b.port)
    equal(b.read(BAR_DIRECT, 0, 4), b"new.", "after the commit")


def refused_window(a, b, write, bar=BAR_DIRECT):
    """Write a window that must stay closed."""
    server = a.server
    start = server.mark()
    a.lock(b.port)
    write()
    bar_error, lut_error = a.commit(b.port)
    check(bar_error or lut_error, "the error registers are clear")
    lines = server.lines_of(a.port, start)
    check(len(lines) == 1 and "stays closed" in lines[0], f"log lines {lines}")
    equal(server.port(b.port)["windows"], [], "open windows")
    check_closed(b, bar, 0)


def test_windows_at_what_is_not_there_stay_closed(case):
    a, b = pair(case, serve(case))
    for target in (1, 2, 47, 63, 0xfff):
        refused_window(a, b, lambda target=target: a.write_direct(b.port, BAR_DIRECT, 0, MIB, target))
    a.lock(b.port)
    a.write_direct(b.port, BAR_DIRECT, 0, 0, 0)
    a.commit(b.port)
    for target in (1, 2, 47, 63):
        refused_window(a, b, lambda target=target: a.write_lut(b.port, 0, 0, target), BAR_LUT)


def test_a_host_cannot_show_itself_its_own_memory(case):
    server = serve(case)
    a, b = pair(case, server)
    start = server.mark()
    b.lock(b.port)
    b.write_direct(b.port, BAR_DIRECT, 0, MIB, b.port)
    bar_error, _ = b.commit(b.port)
    equal(bar_error, 1 << BAR_DIRECT)
    equal(len(server.lines_of(b.port, start)), 1)
    check_closed(b, BAR_DIRECT, 0)
    a.check_lives()


def test_nobody_can_open_memory_that_is_not_his(case):
    """The viewer programs its own windows at its peer's memory."""
    server = serve(case)
    a, b = pair(case, server)
    a.ram[0:6] = b"secret"
    for write, bar in ((lambda: b.write_direct(b.port, BAR_DIRECT, 0, MIB, a.port), BAR_DIRECT),
                       (lambda: b.write_lut(b.port, 0, 0, a.port), BAR_LUT)):
        b.lock(b.port)
        write()
        check(any(b.commit(b.port)), "the error registers are clear")
        check_closed(b, bar, 0)
    equal(a.ram[0:6], b"secret")


def test_the_viewer_can_close_but_neither_move_nor_widen_a_window(case):
    server = serve(case)
    a, b = pair(case, server)
    a.ram[MIB:MIB + 4] = b"mine"
    entry = b.ctrl(b.port, 0x40 + 16 * BAR_DIRECT)
    for offset, value, width in ((8, 2 * MIB | a.port, 8), (4, MIB | 20, 4), (0xa0 - 0x40 - 16 * BAR_DIRECT + 64, 1, 4),
                                 (8, 0xff, 1), (9, 0xff, 1), (12, 1, 4)):
        a.show(0, 64 << 10)
        b.lock(b.port)
        b.set_reg(entry + offset, value, width)
        b.commit(b.port)
        check_closed(b, BAR_DIRECT, 0)
        check_closed(b, BAR_DIRECT, MIB)
    a.show(0, PAGE)
    check_edges(b, a.ram, BAR_DIRECT, 0, 0, PAGE)


def test_another_pair_cannot_touch_windows(case):
    server = serve(case, "--ports", "4")
    a, b = pair(case, server)
    c, d = pair(case, server, 2)
    a.show(0, PAGE)
    a.ram[0:4] = b"keep"
    for stranger in (c, d):
        stranger.set_reg(stranger.ctrl(b.port, PART_OP), LOCK)
        check(stranger.reg(stranger.ctrl(b.port, PART_STATUS)) != LOCKED, "a stranger has the lock")
        stranger.write_direct(b.port, BAR_DIRECT, 0, 2 * MIB, stranger.port)
        stranger.write_lut(b.port, 0, 0, stranger.port)
        stranger.set_reg(stranger.ctrl(b.port, PART_OP), CONFIGURE)
        stranger.set_reg(stranger.ctrl(b.port, PART_OP), RESET_BLOCK)
    equal(b.read(BAR_DIRECT, 0, 4), b"keep")
    check_closed(b, BAR_DIRECT, PAGE)
    check_closed(b, BAR_LUT, 0)
    # Their own block can be pointed only at each other.
    c.lock(d.port)
    c.write_direct(d.port, BAR_DIRECT, 0, MIB, a.port)
    check(any(c.commit(d.port)), "the error registers are clear")
    check_closed(d, BAR_DIRECT, 0)
    equal(a.ram[0:4], b"keep")


def test_a_window_at_another_window_leads_nowhere(case):
    """Addresses of the host's own BARs are no memory: both hosts' windows show where the other's BAR could be."""
    server = serve(case)
    a, b = pair(case, server)
    for host in (a, b):
        for bar, addr in ((0, 0xe0000000), (2, 0xe1000000), (4, 0xe2000000)):
            host.write(7, 0x10 + 4 * bar, struct.pack("<Q", addr))
        host.show(0xe2000000, BAR4_SIZE)
        host.show_lut(0, 0xe1000000)
    for host in (a, b):
        check_closed(host, BAR_DIRECT, 0, 8)
        check_closed(host, BAR_LUT, 0, 8)
        host.check_lives()
    equal([server.port(port)["counters"]["window_writes"] for port in (0, 1)], [0, 0])


def test_sizes_that_make_no_sense_stay_closed(case):
    a, b = pair(case, serve(case))
    entry = a.ctrl(b.port, 0x40 + 16 * BAR_DIRECT)

    def write(low, high=0):
        a.set_reg(entry + 4, low)
        a.set_reg(a.ctrl(b.port, 0xa0 + 16 * BAR_DIRECT), high)
        a.set_reg(entry + 8, a.port, 8)
        a.set_reg(entry, 1 | CTL_DIRECT)

    for low, high in ((0, 0), (MIB | 19, 0), (MIB | 21, 0), (MIB, 0), (0xfff, 0), (4 * MIB | 22, 0), (32, 1),
                      (0xfffff000 | 63, 0xffffffff), (0xffffffff, 0xffffffff)):
        refused_window(a, b, lambda low=low, high=high: write(low, high))


def test_look_up_tables_that_make_no_sense_stay_closed(case):
    a, b = pair(case, serve(case))
    ctl = a.ctrl(b.port, 0x40 + 16 * BAR_LUT)
    for shift, count in ((0, 1), (11, 2), (63, 1), (16, 512), (17, 512), (22, 2), (63, 512)):
        a.lock(b.port)
        a.set_reg(a.ctrl(b.port, 0x1000), a.port << 1 | 1, 8)
        a.set_reg(ctl, 1 | CTL_LUT | shift << 8 | count - 1 << 14)
        check(any(a.commit(b.port)), f"no error for {count} windows of 2^{shift} bytes")
        for offset in (0, LUT_SIZE, BAR2_SIZE - 4):
            check_closed(b, BAR_LUT, offset)
        b.check_lives()


def test_a_window_whose_end_wraps_around_the_address_space_stays_closed(case):
    a, b = pair(case, serve(case))
    refused_window(a, b, lambda: a.write_direct(b.port, BAR_DIRECT, (1 << 64) - MIB, 2 * MIB, a.port))


def test_bus_mastering_of_the_owner_gates_its_memory(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, MIB)
    a.show_lut(0, INTERRUPTS)
    b.write(BAR_DIRECT, 0, b"before")
    a.set_command(MEMORY_ENABLE)
    before = server.counters(0)["gated"]
    equal(b.read(BAR_DIRECT, 0, 6), b"\xff" * 6)
    b.write(BAR_DIRECT, 0, b"behind")
    b.write(BAR_LUT, 0, b"irq.")
    a.sync()
    equal((a.ram[0:6], list(a.commands)), (b"before", []), "memory and messages")
    equal(server.counters(0)["gated"] - before, 3, "accesses counted")
    a.set_command(MEMORY_ENABLE | BUS_MASTER)
    equal(b.read(BAR_DIRECT, 0, 6), b"before")
    b.write(BAR_LUT, 0, b"irq.")
    equal(a.wait_write(), (INTERRUPTS, b"irq."))


def test_bus_mastering_of_the_viewer_does_not_matter(case):
    a, b = pair(case, serve(case))
    a.show(0, MIB)
    b.set_command(MEMORY_ENABLE)
    b.write(BAR_DIRECT, 0, b"data")
    equal(a.ram[0:4], b"data")


def test_without_memory_decoding_no_bar_answers(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, MIB)
    a.ram[0:4] = b"data"
    b.set_command(BUS_MASTER)
    for bar, offset in ((0, 0x2000), (BAR_LUT, 0), (BAR_DIRECT, 0)):
        check_closed(b, bar, offset)
    equal(a.ram[0:4], b"data")
    equal(b.read(7, 0, 2), b"\xf8\x11", "configuration space")
    b.set_command(MEMORY_ENABLE | BUS_MASTER)
    equal(b.read(BAR_DIRECT, 0, 4), b"data")


def test_windows_die_at_the_moment_their_owner_leaves(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, MIB)
    a.show_lut(5, 0)
    b.write(BAR_DIRECT, 0, b"before")
    a.close()
    server.wait_free(0)
    equal(server.port(1)["windows"], [])
    equal(server.nr_maps("ontb-port0"), 0, "mappings of its memory in the server")
    check_closed(b, BAR_DIRECT, 0)
    check_closed(b, BAR_LUT, 5 * LUT_SIZE)
    equal(a.ram[0:6], b"before")
    # The next host on that port has the same memory at the same address, and did not open it.
    again = Host(server, 0)
    case.stack.callback(again.close)
    again.map(0, 4 * MIB, a.ram.fd)
    check_closed(b, BAR_DIRECT, 0)
    check_closed(b, BAR_LUT, 5 * LUT_SIZE)
    again.show(0, MIB)
    equal(b.read(BAR_DIRECT, 0, 6), b"before")


def test_windows_die_with_a_reset_of_their_owner(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, MIB)
    b.write(BAR_DIRECT, 0, b"before")
    equal(a.call(RESET), b"")
    check_closed(b, BAR_DIRECT, 0)
    a.set_command(MEMORY_ENABLE | BUS_MASTER)
    check_closed(b, BAR_DIRECT, 0)
    equal(a.ram[0:6], b"before")
    a.show(0, MIB)
    equal(b.read(BAR_DIRECT, 0, 6), b"before", "memory is still mapped after a reset")


def test_a_lock_is_released_when_its_owner_leaves(case):
    server = serve(case)
    a, b = pair(case, server)
    a.lock(1)
    b.set_reg(b.ctrl(1, PART_OP), LOCK)
    check(b.reg(b.ctrl(1, PART_STATUS)) != LOCKED, "two hosts have the lock")
    a.close()
    server.wait_free(0)
    equal(b.reg(b.ctrl(1, PART_STATUS)), LOCKED, "the one that waited has it")
    b.commit(1)
    equal(b.reg(b.ctrl(1, PART_STATUS)), NORMAL)


@contextlib.contextmanager
def hammering(host):
    """Let a thread write and read through a window all the time; what goes wrong there is in the list."""
    stop = threading.Event()
    errors = []

    def hammer():
        data = b"".join(post(BAR_DIRECT, 8 * idx, b"\x77" * 8) for idx in range(500))
        try:
            while not stop.is_set():
                host.raw(data)
                # The main thread clears the memory now and then.
                seen = host.read(BAR_DIRECT, 0, 8)
                check(seen in (b"\x77" * 8, b"\xff" * 8, bytes(8)), f"unexpected data {seen}")
        except (AssertionError, OSError, Closed) as error:
            errors.append(error)

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        yield errors
    finally:
        stop.set()
        thread.join()


def test_unmapping_in_a_race_with_accesses_never_reaches_what_comes_after(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(0, MIB)
    with hammering(b) as errors:
        for _ in range(300):
            a.unmap(0, 4 * MIB)
            a.ram[0:PAGE] = bytes(PAGE)
            a.sync()
            equal(a.ram[0:PAGE], bytes(PAGE), "memory after it was unmapped")
            a.map(0, 4 * MIB, a.ram.fd)
    equal(errors, [])


def test_an_owner_that_comes_and_goes_in_a_race_with_accesses(case):
    server = serve(case)
    b = Host(server, 1)
    case.stack.callback(b.close)
    ram = Ram(case, MIB, "come-and-go")
    with hammering(b) as errors:
        for _ in range(40):
            a = Host(server, 0)
            a.map(0, MIB, ram.fd)
            a.show(0, MIB)
            a.close()
            server.wait_free(0)
            ram[0:PAGE] = bytes(PAGE)
            server.check_alive()
            equal(ram[0:PAGE], bytes(PAGE), "memory after its owner left")
    equal(errors, [])


def test_the_status_shows_what_is_open(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(MIB, 64 << 10)
    a.show_lut(2, 2 * MIB)
    windows = sorted(server.port(b.port)["windows"], key=lambda window: window["bar"])
    equal(windows, [
        {"bar": 2, "offset": hex(2 * LUT_SIZE), "size": LUT_SIZE, "kind": "lut", "target": 0, "address": hex(2 * MIB)},
        {"bar": 4, "offset": "0x0", "size": 64 << 10, "kind": "direct", "target": 0, "address": hex(MIB)}])
    equal(server.port(a.port)["windows"], [])


if __name__ == "__main__":
    base.main(dict(globals()))
