#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""One malformed thing per test: the exact error or the loss of that connection alone, one log line, nobody else notices.

Most tests are rows of a table: a command with a body that is wrong in one way, the error that must come back, and what
the log must say. Each runs against a server of its own, whose second port must answer afterwards.
"""

import errno
import os
import re
import resource
import socket
import struct
import sys

import wirelib
from wirelib import (BAR0, BAR2, CONFIG, DEVICE_FEATURE, DEVICE_RESET, DIRTY_PAGES, DMA_MAP, DMA_READ, DMA_UNMAP,
                     DMA_WRITE, F_ERROR, F_NO_REPLY, F_REPLY, GET_INFO, GET_IRQ_INFO, GET_REGION_INFO,
                     GET_REGION_IO_FDS, IRQ_BOOL, IRQ_EVENTFD, IRQ_MASK, IRQ_NONE, IRQ_TRIGGER, IRQ_UNMASK, MAP_R,
                     MAP_RW, MIG_DATA_READ, MIG_DATA_WRITE, PAGE, REG_REFUSE, REG_WRITES, REGION_READ, REGION_WRITE,
                     SET_IRQS, VERSION, WRITE_MULTI, check, equal, irq_body, map_body, message, multi_body, read_body,
                     unmap_body, write_body)

TOP = (1 << 64) - 1
EINVAL, EOPNOTSUPP = errno.EINVAL, errno.EOPNOTSUPP


def four(*values):
    """A body of 32-bit numbers."""
    return struct.pack(f"<{len(values)}I", *values)


def caps(text):
    """A VERSION body with this text as capabilities."""
    return struct.pack("<HH", 0, 0) + text + b"\0"


def cap(text):
    """A VERSION body with one capability."""
    return caps(b'{"capabilities":{' + text + b"}}")


# name, command, body, error, text in the log
ROWS = [
    ("command_0", 0, b"", EOPNOTSUPP, "no such command"),
    ("command_19", 19, b"", EOPNOTSUPP, "no such command"),
    ("command_65535", 65535, b"", EOPNOTSUPP, "no such command"),
    ("dirty_pages", DIRTY_PAGES, four(8, 1), EOPNOTSUPP, "not offered"),
    ("migration_read", MIG_DATA_READ, four(8, 0), EOPNOTSUPP, "not offered"),
    ("migration_write", MIG_DATA_WRITE, four(8, 0), EOPNOTSUPP, "not offered"),
    ("dma_read_from_the_client", DMA_READ, struct.pack("<QQ", 0, 4), EINVAL, "only a server sends"),
    ("dma_write_from_the_client", DMA_WRITE, struct.pack("<QQ", 0, 4) + b"abcd", EINVAL, "only a server sends"),
    ("version_twice", VERSION, caps(b"{}"), EINVAL, "agreed upon already"),

    ("map_without_body", DMA_MAP, b"", EINVAL, "body is not 32 bytes"),
    ("map_one_byte_short", DMA_MAP, map_body(0, PAGE)[:-1], EINVAL, "body is not 32 bytes"),
    ("map_one_byte_long", DMA_MAP, map_body(0, PAGE) + b"\0", EINVAL, "body is not 32 bytes"),
    ("map_argsz_0", DMA_MAP, map_body(0, PAGE, argsz=0), EINVAL, "argsz below 32"),
    ("map_argsz_31", DMA_MAP, map_body(0, PAGE, argsz=31), EINVAL, "argsz below 32"),
    ("map_neither_read_nor_write", DMA_MAP, map_body(0, PAGE, flags=0), EINVAL, "neither readable nor writable"),
    ("map_by_file_io", DMA_MAP, map_body(0, PAGE, flags=3 | 8), EOPNOTSUPP, "unknown flags"),
    ("map_flag_31", DMA_MAP, map_body(0, PAGE, flags=3 | 1 << 31), EOPNOTSUPP, "unknown flags"),
    ("map_nothing", DMA_MAP, map_body(0x1000, 0), EINVAL, "size is 0"),
    ("map_over_the_top", DMA_MAP, map_body(TOP, 2), EINVAL, "address plus size overflows"),
    ("map_from_page_1_to_beyond_the_top", DMA_MAP, map_body(PAGE, TOP), EINVAL, "plus size overflows"),
    ("map_offset_over_the_top", DMA_MAP, map_body(0, 2 * PAGE, TOP - PAGE), EINVAL, "offset plus size overflows"),
    ("map_offset_without_descriptor", DMA_MAP, map_body(0, PAGE, PAGE), EINVAL, "offset without a descriptor"),

    ("unmap_without_body", DMA_UNMAP, b"", EINVAL, "body shorter than 24"),
    ("unmap_one_byte_short", DMA_UNMAP, unmap_body(0, PAGE)[:-1], EINVAL, "body shorter than 24"),
    ("unmap_one_byte_long", DMA_UNMAP, unmap_body(0, PAGE) + b"\0", EINVAL, "body longer than 24"),
    ("unmap_argsz_23", DMA_UNMAP, unmap_body(0, PAGE, argsz=23), EINVAL, "argsz below 24"),
    ("unmap_unknown_flag", DMA_UNMAP, unmap_body(0, PAGE, 4), EINVAL, "unknown flags"),
    ("unmap_with_bitmap", DMA_UNMAP, unmap_body(0, PAGE, 1) + bytes(16), EOPNOTSUPP, "dirty bitmaps"),
    ("unmap_nothing", DMA_UNMAP, unmap_body(0, 0), EINVAL, "size is 0"),
    ("unmap_over_the_top", DMA_UNMAP, unmap_body(TOP, 2), EINVAL, "address plus size overflows"),
    ("unmap_all_with_address", DMA_UNMAP, unmap_body(PAGE, 0, 2), EINVAL, "together with the flag for all"),
    ("unmap_all_with_size", DMA_UNMAP, unmap_body(0, PAGE, 2), EINVAL, "together with the flag for all"),

    ("info_without_body", GET_INFO, b"", EINVAL, "body is not 16 bytes"),
    ("info_one_byte_short", GET_INFO, four(16, 0, 0, 0)[:-1], EINVAL, "body is not 16 bytes"),
    ("info_one_byte_long", GET_INFO, four(16, 0, 0, 0) + b"\0", EINVAL, "body is not 16 bytes"),
    ("info_argsz_15", GET_INFO, four(15, 0, 0, 0), EINVAL, "argsz below 16"),

    ("region_info_without_body", GET_REGION_INFO, b"", EINVAL, "body is not 32 bytes"),
    ("region_info_short", GET_REGION_INFO, four(32, 0, 0, 0, 0, 0, 0), EINVAL, "body is not 32 bytes"),
    ("region_info_long", GET_REGION_INFO, four(32, 0, 0, 0, 0, 0, 0, 0, 0), EINVAL, "body is not 32 bytes"),
    ("region_info_argsz_31", GET_REGION_INFO, four(31, 0, 0, 0, 0, 0, 0, 0), EINVAL, "argsz below 32"),
    ("region_info_of_region_9", GET_REGION_INFO, four(32, 0, 9, 0, 0, 0, 0, 0), EINVAL, "no such region"),
    ("region_info_of_region_minus_1", GET_REGION_INFO, four(32, 0, 0xffffffff, 0, 0, 0, 0, 0), EINVAL, "no such region"),

    ("region_fds_short", GET_REGION_IO_FDS, four(16, 0, 0), EINVAL, "body is not 16 bytes"),
    ("region_fds_argsz_15", GET_REGION_IO_FDS, four(15, 0, 0, 0), EINVAL, "argsz below 16"),
    ("region_fds_with_flags", GET_REGION_IO_FDS, four(16, 1, 0, 0), EINVAL, "unknown flags"),
    ("region_fds_of_region_9", GET_REGION_IO_FDS, four(16, 0, 9, 0), EINVAL, "no such region"),
    ("region_fds_with_count", GET_REGION_IO_FDS, four(16, 0, 0, 1), EINVAL, "count is not 0"),

    ("irq_info_without_body", GET_IRQ_INFO, b"", EINVAL, "body is not 16 bytes"),
    ("irq_info_short", GET_IRQ_INFO, four(16, 0, 2), EINVAL, "body is not 16 bytes"),
    ("irq_info_long", GET_IRQ_INFO, four(16, 0, 2, 0, 0), EINVAL, "body is not 16 bytes"),
    ("irq_info_argsz_15", GET_IRQ_INFO, four(15, 0, 2, 0), EINVAL, "argsz below 16"),
    ("irq_info_of_kind_5", GET_IRQ_INFO, four(16, 0, 5, 0), EINVAL, "no such kind"),
    ("irq_info_of_kind_minus_1", GET_IRQ_INFO, four(16, 0, 0xffffffff, 0), EINVAL, "no such kind"),

    ("irqs_without_body", SET_IRQS, b"", EINVAL, "body shorter than 20"),
    ("irqs_one_byte_short", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER)[:-1], EINVAL, "body shorter than 20"),
    ("irqs_argsz_19", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, argsz=19), EINVAL, "argsz below 20"),
    ("irqs_flags_0", SET_IRQS, irq_body(0), EINVAL, "not exactly one kind of data"),
    ("irqs_two_kinds_of_data", SET_IRQS, irq_body(IRQ_NONE | IRQ_EVENTFD | IRQ_TRIGGER), EINVAL, "one kind of data"),
    ("irqs_no_action", SET_IRQS, irq_body(IRQ_NONE), EINVAL, "not exactly one action"),
    ("irqs_two_actions", SET_IRQS, irq_body(IRQ_NONE | IRQ_MASK | IRQ_TRIGGER), EINVAL, "not exactly one action"),
    ("irqs_unknown_flag", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER | 0x40), EINVAL, "unknown flags"),
    ("irqs_of_kind_5", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, index=5), EINVAL, "no such kind"),
    ("irqs_start_plus_count_overflows", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 0xffffffff, 2), EINVAL, "overflows"),
    ("irqs_start_behind_the_last", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 8, 1), EINVAL, "beyond the last one"),
    ("irqs_one_too_many", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 7, 2), EINVAL, "beyond the last one"),
    ("irqs_far_too_many", SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 0x7fffffff), EINVAL, "beyond the last one"),
    ("irqs_disable_all_from_1", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 1, 0), EINVAL, "count is 0"),
    ("irqs_mask_nothing", SET_IRQS, irq_body(IRQ_NONE | IRQ_MASK, 0, 0), EINVAL, "count is 0"),
    ("irqs_eventfds_of_nothing", SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 0), EINVAL, "count is 0"),
    ("irqs_unmask_by_eventfd", SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_UNMASK, 0, 1), EINVAL, "eventfds only trigger"),
    ("irqs_bools_one_short", SET_IRQS, irq_body(IRQ_BOOL | IRQ_TRIGGER, 0, 4, bytes(3), argsz=24), EINVAL, "fit count"),
    ("irqs_bools_one_long", SET_IRQS, irq_body(IRQ_BOOL | IRQ_TRIGGER, 0, 4, bytes(5)), EINVAL, "fit count"),
    ("irqs_bools_argsz_short", SET_IRQS, irq_body(IRQ_BOOL | IRQ_TRIGGER, 0, 4, bytes(4), argsz=23), EINVAL, "no room"),
    ("irqs_bools_of_2_to_the_32", SET_IRQS, irq_body(IRQ_BOOL | IRQ_TRIGGER, 0, 0xffffffff), EINVAL, "no room"),
    ("irqs_data_where_none_belongs", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 0, 1, b"x"), EINVAL, "fit count"),
    ("irqs_trigger_intx", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 0, 1, index=0), EINVAL, "no interrupts of this"),
    ("irqs_trigger_msi", SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 0, 1, index=1), EINVAL, "no interrupts of this"),
    ("irqs_mask_err", SET_IRQS, irq_body(IRQ_NONE | IRQ_MASK, 0, 1, index=3), EINVAL, "no interrupts of this"),

    ("read_without_body", REGION_READ, b"", EINVAL, "body shorter than offset"),
    ("read_one_byte_short", REGION_READ, read_body(BAR0, 0, 4)[:-1], EINVAL, "body shorter than offset"),
    ("read_with_data", REGION_READ, read_body(BAR0, 0, 4) + b"abcd", EINVAL, "data behind a read"),
    ("read_nothing", REGION_READ, read_body(BAR0, 0, 0), EINVAL, "count is 0"),
    ("read_region_9", REGION_READ, read_body(9, 0, 4), EINVAL, "no such region"),
    ("read_region_minus_1", REGION_READ, read_body(0xffffffff, 0, 4), EINVAL, "no such region"),
    ("read_rom", REGION_READ, read_body(6, 0, 4), EINVAL, "beyond the end of the region"),
    ("read_vga", REGION_READ, read_body(8, 0, 4), EINVAL, "beyond the end of the region"),
    ("read_absent_bar", REGION_READ, read_body(1, 0, 4), EINVAL, "beyond the end of the region"),
    ("read_upper_half_of_a_bar", REGION_READ, read_body(3, 0, 4), EINVAL, "beyond the end of the region"),
    ("read_one_past_the_end", REGION_READ, read_body(BAR0, 0xffff, 2), EINVAL, "beyond the end of the region"),
    ("read_behind_the_end", REGION_READ, read_body(BAR0, 0x10000, 1), EINVAL, "beyond the end of the region"),
    ("read_offset_overflows", REGION_READ, read_body(BAR0, TOP, 4), EINVAL, "beyond the end of the region"),
    ("read_config_past_the_end", REGION_READ, read_body(CONFIG, 4095, 2), EINVAL, "beyond the end of the region"),
    ("read_more_than_agreed_upon", REGION_READ, read_body(BAR2, 0, (1 << 20) + 1), EINVAL, "more data than was agreed"),
    ("read_4_gib", REGION_READ, read_body(BAR2, 0, 0xffffffff), EINVAL, "more data than was agreed upon"),
    ("read_that_the_function_refuses", REGION_READ, read_body(BAR0, REG_REFUSE, 8), EINVAL, "function refuses"),

    ("write_without_body", REGION_WRITE, b"", EINVAL, "body shorter than offset"),
    ("write_without_count", REGION_WRITE, read_body(BAR0, 0, 4)[:12], EINVAL, "body shorter than offset"),
    ("write_without_data", REGION_WRITE, read_body(BAR0, 0, 4), EINVAL, "less data than count"),
    ("write_one_byte_short", REGION_WRITE, write_body(BAR0, 0, b"abc", 4), EINVAL, "less data than count"),
    ("write_one_byte_long", REGION_WRITE, write_body(BAR0, 0, b"abcde", 4), EINVAL, "more data than count"),
    ("write_nothing", REGION_WRITE, write_body(BAR0, 0, b""), EINVAL, "count is 0"),
    ("write_count_of_4_gib", REGION_WRITE, write_body(BAR0, 0, b"abcd", 0xffffffff), EINVAL, "less data than count"),
    ("write_region_9", REGION_WRITE, write_body(9, 0, b"abcd"), EINVAL, "no such region"),
    ("write_absent_bar", REGION_WRITE, write_body(5, 0, b"abcd"), EINVAL, "beyond the end of the region"),
    ("write_one_past_the_end", REGION_WRITE, write_body(BAR0, 0xfffd, b"abcd"), EINVAL, "beyond the end"),
    ("write_offset_overflows", REGION_WRITE, write_body(BAR0, TOP - 1, b"abcd"), EINVAL, "beyond the end"),
    ("write_config_past_the_end", REGION_WRITE, write_body(CONFIG, 4096, b"a"), EINVAL, "beyond the end"),
    ("write_that_the_function_refuses", REGION_WRITE, write_body(BAR0, REG_REFUSE, bytes(8)), EINVAL, "refuses"),

    ("multi_without_body", WRITE_MULTI, b"", EINVAL, "body shorter than the number"),
    ("multi_without_whole_number", WRITE_MULTI, bytes(7), EINVAL, "body shorter than the number"),
    ("multi_of_nothing", WRITE_MULTI, multi_body([]), EINVAL, "no writes"),
    ("multi_one_fewer_than_said", WRITE_MULTI, multi_body([(0, 0, b"a")], 2), EINVAL, "does not fit the number"),
    ("multi_one_more_than_said", WRITE_MULTI, multi_body([(0, 0, b"a")] * 2, 1), EINVAL, "does not fit the number"),
    ("multi_cut", WRITE_MULTI, multi_body([(0, 0, b"a")] * 2)[:-1], EINVAL, "does not fit the number"),
    ("multi_number_that_wraps", WRITE_MULTI, multi_body([(0, 0, b"a")] * 8, 8 + (1 << 61)), EINVAL, "fit the number"),
    ("multi_number_of_2_to_the_64", WRITE_MULTI, multi_body([(0, 0, b"a")], TOP), EINVAL, "does not fit the number"),
    ("multi_region_9", WRITE_MULTI, multi_body([(0, 0, b"a"), (9, 0, b"b")]), EINVAL, "no such region"),
    ("multi_count_0", WRITE_MULTI, multi_body([(0, 0, b"a"), (0, 0, b"b", 0)]), EINVAL, "count is not 1 to 8"),
    ("multi_count_9", WRITE_MULTI, multi_body([(0, 0, b"a"), (0, 0, b"b", 9)]), EINVAL, "count is not 1 to 8"),
    ("multi_past_the_end", WRITE_MULTI, multi_body([(0, 0, b"a"), (0, 0xffff, b"bc")]), EINVAL, "beyond the end"),

    ("reset_with_body", DEVICE_RESET, b"\0", EINVAL, "a body where none belongs"),
    ("feature_without_body", DEVICE_FEATURE, b"", EINVAL, "body shorter than 8"),
    ("feature_short", DEVICE_FEATURE, bytes(7), EINVAL, "body shorter than 8"),
    ("feature_argsz_7", DEVICE_FEATURE, four(7, 1 << 16), EINVAL, "argsz below 8"),
    ("feature_unknown", DEVICE_FEATURE, four(8, 1 << 16 | 0xffff), errno.ENOTTY, "no such feature"),
]

# name, body, text in the log: a VERSION that must not be agreed to
VERSIONS = [
    ("empty", b"", "body shorter than two numbers"),
    ("half_a_number", b"\0", "body shorter than two numbers"),
    ("without_minor", b"\0\0\0", "body shorter than two numbers"),
    ("major_1", struct.pack("<HH", 1, 0) + b"{}\0", "major version is not 0"),
    ("major_65535", struct.pack("<HH", 65535, 0), "major version is not 0"),
    ("without_nul", struct.pack("<HH", 0, 0) + b"{}", "do not end with a NUL"),
    ("nul_inside", caps(b"{}\0{}"), "a NUL inside"),
    ("text_of_nothing", caps(b""), "not JSON"),
    ("unfinished_object", caps(b'{"capabilities":{'), "not JSON"),
    ("no_json", caps(b"hello"), "not JSON"),
    ("trailing_comma", caps(b'{"capabilities":{},}'), "not JSON"),
    ("key_without_quotes", caps(b'{capabilities:{}}'), "not JSON"),
    ("trailing_garbage", caps(b"{} x"), "(not JSON|follows the JSON)"),
    ("two_objects", caps(b"{}{}"), "(not JSON|follows the JSON)"),
    ("bad_utf8", caps(b'{"a":"\xff\xfe"}'), "not JSON"),
    ("deep_nesting", caps(b'{"a":' * 50 + b"1" + b"}" * 50), "not JSON"),
    ("very_deep_nesting", caps(b"[" * 16000), "not JSON"),
    ("a_mebibyte_of_capabilities", caps(b"[" * 1000000), "longer than 16384"),
    ("array", caps(b"[]"), "not an object"),
    ("number", caps(b"5"), "not an object"),
    ("null", caps(b"null"), "(not an object|not JSON)"),
    ("capabilities_array", caps(b'{"capabilities":[]}'), "capabilities is not an object"),
    ("capabilities_null", caps(b'{"capabilities":null}'), "capabilities is not an object"),
    ("fds_text", cap(b'"max_msg_fds":"8"'), "not a number"),
    ("fds_negative", cap(b'"max_msg_fds":-1'), "too small"),
    ("fds_fraction", cap(b'"max_msg_fds":1.5'), "not a number"),
    ("transfer_0", cap(b'"max_data_xfer_size":0'), "too small"),
    ("transfer_15", cap(b'"max_data_xfer_size":15'), "too small"),
    ("transfer_true", cap(b'"max_data_xfer_size":true'), "not a number"),
    ("maps_null", cap(b'"max_dma_maps":null'), "not a number"),
    ("pgsizes_0", cap(b'"pgsizes":0'), "too small"),
    ("multiple_number", cap(b'"write_multiple":1'), "not true or false"),
]

# Headers behind which nobody can know where the next message starts: name, size, flags
FRAMES = [
    ("size_0", 0, 0), ("size_1", 1, 0), ("size_15", 15, 0), ("size_one_above_the_largest", (1 << 20) + 4097, 0),
    ("size_2_to_the_31", 1 << 31, 0), ("size_2_to_the_32_less_1", 0xffffffff, 0), ("type_2", 16, 2), ("type_3", 16, 3),
    ("type_15", 16, 15), ("type_2_with_a_reply_flag", 16, 0x12),
]

# Commands that need a version first.
EARLY = {
    "map": (DMA_MAP, map_body(0, PAGE)), "unmap": (DMA_UNMAP, unmap_body(0, PAGE)),
    "info": (GET_INFO, four(16, 0, 0, 0)), "region_info": (GET_REGION_INFO, four(32, 0, 0, 0, 0, 0, 0, 0)),
    "region_fds": (GET_REGION_IO_FDS, four(16, 0, 0, 0)), "irq_info": (GET_IRQ_INFO, four(16, 0, 2, 0)),
    "irqs": (SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER)), "read": (REGION_READ, read_body(BAR0, 0, 4)),
    "write": (REGION_WRITE, write_body(BAR0, 0, b"abcd")), "reset": (DEVICE_RESET, b""),
    "multi": (WRITE_MULTI, multi_body([(0, 0, b"a")])), "feature": (DEVICE_FEATURE, four(8, 1 << 16)),
}


def log_line(case, text, port=0):
    """One log line names the port, the client's process, and the reason."""
    pattern = rf"port {port}: client {os.getpid()}: .*{text}"
    case.server.wait_log(pattern)
    lines = [line for line in case.server.log().splitlines() if not re.search(r"client \d+: (connected|left)$", line)]
    equal(len(lines), 1, f"log lines: {lines}")


def others_are_well(case, other):
    """The host of the second port does not notice, and a new client of the first port is served."""
    other.write(BAR0, 0, b"well")
    equal(other.read(BAR0, 0, 4), b"well", "the other port")
    check(case.server.proc.poll() is None, "the server is gone")


def lost_alone(case, client, other, text):
    """That connection is lost, for this reason, and nothing else is."""
    client.expect_closed()
    log_line(case, text)
    others_are_well(case, other)
    wirelib.wait_for("the client to be gone", lambda: not case.server.status()[0]["connected"])
    case.client(0).read(BAR0, 0, 4)


def row_test(cmd, body, error, text):
    """A command fails and leaves no trace; the connection lives on."""
    def test(case):
        client, other = case.client(0), case.client(1)
        client.expect_error(client.request(cmd, body), error)
        log_line(case, text)
        equal(client.read64(REG_WRITES), 1 if "refuse" in text and cmd == REGION_WRITE else 0, "writes carried out")
        status = case.server.status()[0]
        equal((status["errors"], status["nr_mappings"], status["armed_vectors"]), (1, 0, 0), "errors, mappings, vectors")
        others_are_well(case, other)
    return test


def row_test_posted(cmd, body, text):
    """The same without a reply: only the log tells."""
    def test(case):
        client, other = case.client(0), case.client(1)
        client.start(cmd, body, F_NO_REPLY)
        client.read(BAR0, 0, 4)
        log_line(case, text)
        others_are_well(case, other)
    return test


def version_test(body, text):
    """No version is agreed upon; the client may try again."""
    def test(case):
        other, client = case.client(1), case.client(0, negotiate=False)
        client.expect_error(client.request(VERSION, body), EINVAL)
        log_line(case, text)
        equal(other.read64(wirelib.REG_ATTACHED), 2, "attached ports")
        client.negotiate()
        client.read(BAR0, 0, 4)
        others_are_well(case, other)
    return test


def frame_test(size, flags):
    """The connection is lost."""
    def test(case):
        client, other = case.client(0), case.client(1)
        client.send(message(REGION_READ, b"", flags, size=size))
        lost_alone(case, client, other, "impossible size or unknown type")
    return test


def early_test(cmd, body):
    """An error, and a version can still be agreed upon."""
    def test(case):
        other, client = case.client(1), case.client(0, negotiate=False)
        client.expect_error(client.request(cmd, body), EINVAL)
        log_line(case, "no version has been agreed upon")
        client.negotiate()
        equal(case.server.status()[0]["nr_mappings"], 0, "mappings")
        others_are_well(case, other)
    return test


def define_tests():
    """Make functions of the tables."""
    table = globals()
    for name, cmd, body, error, text in ROWS:
        table[f"test_{name}"] = row_test(cmd, body, error, text)
        if cmd in (REGION_WRITE, WRITE_MULTI):
            table[f"test_{name}_posted"] = row_test_posted(cmd, body, text)
    for name, body, text in VERSIONS:
        table[f"test_version_{name}"] = version_test(body, text)
    for name, size, flags in FRAMES:
        table[f"test_frame_{name}"] = frame_test(size, flags)
    for name, (cmd, body) in EARLY.items():
        table[f"test_{name}_before_version"] = early_test(cmd, body)


define_tests()


def fails(case, cmd, body, fds, error, text):
    """A command with descriptors fails; none of them stays in the server."""
    client, other = case.client(0), case.client(1)
    fd_dir = f"/proc/{case.server.proc.pid}/fd"
    before = len(os.listdir(fd_dir))
    client.expect_error(client.request(cmd, body, fds), error)
    log_line(case, text)
    equal(len(os.listdir(fd_dir)), before, "descriptors in the server")
    others_are_well(case, other)
    return client


def test_flags_error_in_a_command(case):
    client = case.client()
    client.expect_error(client.receive_reply(client.start(REGION_READ, read_body(BAR0, 0, 4), F_ERROR)), EINVAL)
    log_line(case, "flags that a command cannot have")


def test_flags_reserved_bits(case):
    client = case.client()
    for bit in range(6, 32):
        client.expect_error(client.receive_reply(client.start(REGION_READ, read_body(BAR0, 0, 4), 1 << bit)), EINVAL)


def test_client_leaves_inside_a_header(case):
    client, other = case.client(0), case.client(1)
    client.send(message(REGION_READ)[:7])
    client.close()
    log_line(case, "left in the middle of a message")
    others_are_well(case, other)


def test_client_leaves_inside_a_body(case):
    client, other = case.client(0), case.client(1)
    client.send(message(REGION_WRITE, write_body(BAR0, 0, b"abcd"))[:-1])
    client.close()
    log_line(case, "left in the middle of a message")
    others_are_well(case, other)


def test_client_leaves_inside_a_message_with_a_descriptor(case):
    client, other = case.client(0), case.client(1)
    mem = case.memory(PAGE)
    client.send(message(DMA_MAP, map_body(0, PAGE))[:20], [mem.fd])
    client.close()
    log_line(case, "left in the middle of a message")
    others_are_well(case, other)


def test_client_says_nothing(case):
    client, other = case.client(0, negotiate=False), case.client(1)
    client.close()
    others_are_well(case, other)
    case.client(0).read(BAR0, 0, 4)


def test_client_sends_noise(case):
    client, other = case.client(0), case.client(1)
    try:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    except OSError:
        pass
    lost_alone(case, client, other, "impossible size or unknown type")


def test_valid_messages_before_a_broken_one_are_carried_out(case):
    client, other = case.client(0), case.client(1)
    client.send(message(REGION_READ, read_body(BAR0, 0, 4), 0, 5) + message(REGION_READ, size=3))
    equal(client.receive_reply(5).flags, F_REPLY, "reply")
    lost_alone(case, client, other, "impossible size or unknown type")


def test_map_beyond_the_end_of_the_file(case):
    mem = case.memory(PAGE)
    fails(case, DMA_MAP, map_body(0, PAGE + 1), [mem.fd], EINVAL, "beyond the end of the file")


def test_map_of_an_empty_file(case):
    mem = case.memory(PAGE)
    mem.view.close()
    os.ftruncate(mem.fd, 0)
    fails(case, DMA_MAP, map_body(0, PAGE), [mem.fd], EINVAL, "beyond the end of the file")


def test_map_offset_at_the_end_of_the_file(case):
    mem = case.memory(PAGE)
    fails(case, DMA_MAP, map_body(0, PAGE, PAGE), [mem.fd], EINVAL, "beyond the end of the file")


def test_map_offset_that_is_negative_for_the_kernel(case):
    mem = case.memory(PAGE)
    fails(case, DMA_MAP, map_body(0, PAGE, 1 << 63), [mem.fd], EINVAL, "beyond the end of the file")


def test_map_larger_than_one_client_may(case):
    mem = case.memory(PAGE)
    os.ftruncate(mem.fd, 2 << 40)
    fails(case, DMA_MAP, map_body(0, 2 << 40), [mem.fd], errno.ENOMEM, "larger than one client may map")


def test_map_of_a_directory(case):
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    case.stack.callback(os.close, fd)
    fails(case, DMA_MAP, map_body(0, PAGE), [fd], EINVAL, "not a regular file")


def test_map_of_a_socket(case):
    a, b = socket.socketpair()
    case.stack.callback(a.close)
    case.stack.callback(b.close)
    fails(case, DMA_MAP, map_body(0, PAGE), [a.fileno()], EINVAL, "not a regular file")


def test_map_of_a_pipe(case):
    a, b = os.pipe()
    case.stack.callback(os.close, a)
    case.stack.callback(os.close, b)
    fails(case, DMA_MAP, map_body(0, PAGE), [a], EINVAL, "not a regular file")


def test_map_of_a_device(case):
    fd = os.open("/dev/zero", os.O_RDWR)
    case.stack.callback(os.close, fd)
    fails(case, DMA_MAP, map_body(0, PAGE), [fd], EINVAL, "not a regular file")


def test_map_of_an_eventfd(case):
    fails(case, DMA_MAP, map_body(0, PAGE), [case.eventfd()], EINVAL, "not a regular file")


def test_map_writable_of_a_file_open_for_reading(case):
    path = f"/proc/self/fd/{case.memory(PAGE).fd}"
    fd = os.open(path, os.O_RDONLY)
    case.stack.callback(os.close, fd)
    fails(case, DMA_MAP, map_body(0, PAGE, 0, MAP_RW), [fd], errno.EACCES, "cannot be mapped")


def test_map_readable_of_a_file_open_for_writing(case):
    path = f"/proc/self/fd/{case.memory(PAGE).fd}"
    fd = os.open(path, os.O_WRONLY)
    case.stack.callback(os.close, fd)
    fails(case, DMA_MAP, map_body(0, PAGE, 0, MAP_R), [fd], errno.EACCES, "cannot be mapped")


def test_map_with_two_descriptors(case):
    mem = case.memory(PAGE)
    fails(case, DMA_MAP, map_body(0, PAGE), [mem.fd, mem.fd], EINVAL, "more than one descriptor")


def test_map_with_253_descriptors(case):
    mem = case.memory(PAGE)
    fails(case, DMA_MAP, map_body(0, PAGE), [mem.fd] * 253, EINVAL, "more than one descriptor")


def overlap(case, addr, size):
    """A mapping over one at 4 to 8 pages is refused, and the one that is there stays."""
    client, other = case.client(0), case.client(1)
    mem = case.memory(16 * PAGE)
    client.map(4 * PAGE, 4 * PAGE, mem.fd)
    client.expect_error(client.request(DMA_MAP, map_body(addr, size), [mem.fd]), errno.EEXIST)
    log_line(case, "overlaps a mapping that is there")
    client.window(4 * PAGE, 0)
    client.write(BAR2, 0, b"stay")
    equal(mem.view[:4], b"stay", "memory")
    others_are_well(case, other)


def test_map_the_same_twice(case):
    overlap(case, 4 * PAGE, 4 * PAGE)


def test_map_over_the_start_of_another(case):
    overlap(case, 0, 4 * PAGE + 1)


def test_map_over_the_end_of_another(case):
    overlap(case, 8 * PAGE - 1, PAGE)


def test_map_inside_another(case):
    overlap(case, 5 * PAGE, PAGE)


def test_map_around_another(case):
    overlap(case, 0, 16 * PAGE)


def test_map_one_too_many(case):
    case.serve(max_mappings=3)
    client = case.client()
    for i in range(3):
        client.map(i * PAGE, PAGE)
    client.expect_error(client.request(DMA_MAP, map_body(3 * PAGE, PAGE)), errno.ENOSPC)
    log_line(case, "too many mappings")
    client.unmap(0, PAGE)
    client.map(3 * PAGE, PAGE)


def cut(case, addr, size):
    """Unmapping a part of a mapping at 4 to 8 pages is refused, and all of it stays."""
    client, other = case.client(0), case.client(1)
    mem = case.memory(4 * PAGE)
    client.map(4 * PAGE, 4 * PAGE, mem.fd)
    client.map(8 * PAGE, PAGE)
    client.expect_error(client.request(DMA_UNMAP, unmap_body(addr, size)), EINVAL)
    log_line(case, "would cut a mapping in two")
    equal(case.server.status()[0]["nr_mappings"], 2, "mappings")
    others_are_well(case, other)


def test_unmap_the_start_of_a_mapping(case):
    cut(case, 4 * PAGE, PAGE)


def test_unmap_the_end_of_a_mapping(case):
    cut(case, 7 * PAGE, 2 * PAGE)


def test_unmap_the_middle_of_a_mapping(case):
    cut(case, 5 * PAGE, PAGE)


def test_unmap_one_byte_less_than_the_mappings(case):
    cut(case, 4 * PAGE, 5 * PAGE - 1)


def test_descriptors_with_a_read(case):
    fails(case, REGION_READ, read_body(BAR0, 0, 4), [case.eventfd()], EINVAL, "descriptors where none belong")


def test_descriptors_with_a_reset(case):
    fails(case, DEVICE_RESET, b"", [case.eventfd()] * 3, EINVAL, "descriptors where none belong")


def test_descriptors_with_an_unmap(case):
    fails(case, DMA_UNMAP, unmap_body(0, PAGE), [case.eventfd()], EINVAL, "descriptors where none belong")


def test_descriptors_with_a_posted_write(case):
    client, other = case.client(0), case.client(1)
    client.start(REGION_WRITE, write_body(BAR0, 0, b"abcd"), F_NO_REPLY, [case.eventfd()])
    equal(client.read(BAR0, 0, 4), bytes(4), "written")
    log_line(case, "descriptors where none belong")
    others_are_well(case, other)


def test_descriptors_with_version(case):
    client = case.client(negotiate=False)
    client.expect_error(client.request(VERSION, caps(b"{}"), [case.eventfd()]), EINVAL)
    log_line(case, "descriptors where none belong")
    client.negotiate()


def test_descriptors_in_the_middle_of_a_message(case):
    client, other = case.client(0), case.client(1)
    data = message(REGION_WRITE, write_body(BAR0, 0, b"abcd"), 0, 9)
    client.send(data[:20])
    client.send(data[20:], [case.eventfd()])
    client.expect_error(client.receive_reply(9), EINVAL)
    log_line(case, "descriptors where none belong")
    others_are_well(case, other)


def test_descriptors_that_the_server_has_no_room_for(case):
    client, other = case.client(0), case.client(1)
    limit = len(os.listdir(f"/proc/{case.server.proc.pid}/fd")) + 4
    resource.prlimit(case.server.proc.pid, resource.RLIMIT_NOFILE, (limit, limit))
    fds = [case.eventfd() for _ in range(8)]
    client.expect_error(client.request(SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 8), fds), errno.EMFILE)
    log_line(case, "not all of its descriptors")
    client.arm(0, fds[:2])
    others_are_well(case, other)


def test_client_when_the_server_has_no_descriptors_left(case):
    client, other = case.client(0), case.client(1)
    client.close()
    wirelib.wait_for("the client to be gone", lambda: not case.server.status()[0]["connected"])
    used = set(map(int, os.listdir(f"/proc/{case.server.proc.pid}/fd")))
    lowest_free = min(set(range(100)) - used)
    _, limit = resource.prlimit(case.server.proc.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(case.server.proc.pid, resource.RLIMIT_NOFILE, (lowest_free, limit))
    late = case.client(0, negotiate=False)
    late.expect_closed()
    log_line(case, "refused: no descriptors left")
    others_are_well(case, other)
    resource.prlimit(case.server.proc.pid, resource.RLIMIT_NOFILE, (limit, limit))
    case.client(0).read(BAR0, 0, 4)


def test_irqs_with_fewer_descriptors_than_count(case):
    fails(case, SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 3), [case.eventfd()] * 2, EINVAL, "differs from count")


def test_irqs_with_more_descriptors_than_count(case):
    fails(case, SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 1), [case.eventfd()] * 2, EINVAL, "differs from count")


def test_irqs_with_more_descriptors_than_agreed_upon(case):
    case.serve(vectors=64)
    fails(case, SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 17), [case.eventfd()] * 17, EINVAL, "than were agreed")


def test_irqs_with_memory_instead_of_an_eventfd(case):
    mem = case.memory(PAGE)
    fails(case, SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 1), [mem.fd], EINVAL, "not an eventfd")


def test_irqs_with_a_pipe_instead_of_an_eventfd(case):
    a, b = os.pipe()
    case.stack.callback(os.close, a)
    case.stack.callback(os.close, b)
    fails(case, SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 2), [case.eventfd(), b], EINVAL, "not an eventfd")


def test_irqs_with_descriptors_but_no_data(case):
    fails(case, SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 0, 1), [case.eventfd()], EINVAL, "but not as the data")


def test_irqs_eventfd_for_intx(case):
    fails(case, SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 1, index=0), [case.eventfd()], EINVAL, "no interrupts of")


def test_a_bad_request_for_vectors_changes_none(case):
    client = case.client()
    good = case.eventfd()
    client.arm(0, [good])
    client.expect_error(client.request(SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 0, 2),
                                       [case.eventfd(), case.memory(PAGE).fd]), EINVAL)
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(wirelib.REG_RAISE, 0)
    equal(wirelib.eventfd_count(good), 1, "signals of the eventfd that was there")


def unasked(case, cmd, body=b"", flags=F_REPLY, fds=()):
    """A reply to nothing is logged and forgotten."""
    client, other = case.client(0), case.client(1)
    client.send(message(cmd, body, flags, 0x4242), fds)
    client.read(BAR0, 0, 4)
    log_line(case, "reply that nobody asked for")
    others_are_well(case, other)


def test_reply_to_a_dma_read_that_was_not_sent(case):
    unasked(case, DMA_READ, struct.pack("<QQ", 0, 4) + b"abcd")


def test_reply_to_a_dma_write(case):
    unasked(case, DMA_WRITE)


def test_reply_to_version(case):
    unasked(case, VERSION)


def test_reply_of_an_unknown_command(case):
    unasked(case, 999)


def test_reply_with_descriptors(case):
    unasked(case, DMA_WRITE, fds=[case.eventfd()])


def test_reply_before_version(case):
    client = case.client(negotiate=False)
    client.send(message(DMA_READ, b"", F_REPLY))
    client.negotiate()
    log_line(case, "reply before a version")


def bad_reply(case, change, text):
    """A client answers a DMA_READ wrongly: the reader gets ones, and everybody lives."""
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 8, 4))
    msg = b.receive_request()
    b.send(change(msg))
    equal(a.receive_reply(pending).body[16:], b"\xff" * 4, "reply")
    case.server.wait_log(rf"port 1: client \d+: .*{text}")
    b.read(BAR0, 0, 4)


def reply_to(msg, body, cmd=DMA_READ, flags=F_REPLY, error=0):
    """A reply with the right id."""
    return message(cmd, body, flags, msg.id, error=error)


def test_dma_reply_without_body(case):
    bad_reply(case, lambda m: reply_to(m, b""), "body shorter than 16")


def test_dma_reply_without_data(case):
    bad_reply(case, lambda m: reply_to(m, m.body), "data does not fit count")


def test_dma_reply_one_byte_short(case):
    bad_reply(case, lambda m: reply_to(m, m.body + b"abc"), "data does not fit count")


def test_dma_reply_one_byte_long(case):
    bad_reply(case, lambda m: reply_to(m, m.body + b"abcde"), "data does not fit count")


def test_dma_reply_with_another_address(case):
    bad_reply(case, lambda m: reply_to(m, struct.pack("<QQ", 0, 4) + b"abcd"), "differ from the request")


def test_dma_reply_with_another_count(case):
    bad_reply(case, lambda m: reply_to(m, struct.pack("<QQ", 8, 2) + b"ab"), "differ from the request")


def test_dma_reply_with_an_error(case):
    bad_reply(case, lambda m: reply_to(m, b"", flags=F_REPLY | F_ERROR, error=5), "the client reports an error")


def test_dma_reply_with_a_descriptor(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 8, 4))
    msg = b.receive_request()
    b.send(reply_to(msg, msg.body + b"data"), [case.eventfd()])
    equal(a.receive_reply(pending).body[16:], b"data", "reply")
    case.server.wait_log(r"port 1: client \d+: .*descriptors with a reply")


def test_dma_reply_twice(case):
    a, b = case.client(0), case.client(1, other=True)
    b.map(0, PAGE)
    a.window(0)
    pending = a.start(REGION_READ, read_body(BAR2, 8, 4))
    msg = b.receive_request()
    b.send(reply_to(msg, msg.body + b"once") + reply_to(msg, msg.body + b"more"))
    equal(a.receive_reply(pending).body[16:], b"once", "reply")
    case.server.wait_log(r"port 1: client \d+: .*reply that nobody asked for")


def test_a_flood_of_errors_is_logged_within_bounds(case):
    client = case.client()
    bad = message(REGION_READ, read_body(9, 0, 4))
    client.send(bad * 2000)
    for _ in range(2000):
        client.expect_error(client.receive_any(), EINVAL)
    equal(case.server.status()[0]["errors"], 2000, "errors counted")
    check(len(case.server.log().splitlines()) < 200, "too many log lines")


def test_window_of_a_host_into_itself_does_not_loop(case):
    client = case.client()
    client.map(0, PAGE)
    client.window(0, 0)
    equal(client.read(BAR2, 0, 4), b"\xff" * 4, "read")
    client.write(BAR2, 0, b"abcd")
    equal(client.receive_request().cmd, DMA_WRITE, "request")


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
