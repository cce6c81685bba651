#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Region accesses that do not fit: their bodies, their regions, their ranges. None of them may change a register."""

from errno import EINVAL

import malformed
from base import equal
from client import CONFIG, MAX_XFER, NO_REPLY, REGION_READ, REGION_WRITE, WRITE_MULTI, access, message, multi
from malformed import refused, silent

MIB = 1 << 20
BAR0_SIZE, BAR2_SIZE, BAR4_SIZE, CONFIG_SIZE = 4 * MIB, 4 * MIB, 2 * MIB, 4096
# A register that is plain storage and starts at 0: the last word of the mailbox's input.
SCRATCH = 0x3fc
FIXED_PART, NO_REGION, COUNT_0, END = ("shorter than offset, region and count", "no such region", "count is 0",
                                       "beyond the end of the region")
LARGE = "more data than was agreed upon"


def enable(case, client):
    """Switch memory decoding on, so that a write that came through would be seen."""
    del case
    client.write(CONFIG, 4, b"\6\0")


def nothing_changed(client, state, status):
    """No register was written."""
    del state, status
    equal(client.read(0, SCRATCH, 4), bytes(4), "register")
    equal(client.read(CONFIG, 0, 6), b"\xf8\x11\x32\x85\6\0", "configuration space")


def row(make, *args, **options):
    """A row whose effect is looked for."""
    return make(*args, prepare=enable, after=nothing_changed, **options)


def read(name, body, reason):
    """A REGION_READ that is refused."""
    return row(refused, f"read_{name}", REGION_READ, body, EINVAL, reason)


def write(name, body, reason):
    """A REGION_WRITE that is refused."""
    return row(refused, f"write_{name}", REGION_WRITE, body, EINVAL, reason)


def posted(name, body, reason, cmd=REGION_WRITE):
    """A write that is refused and wants no reply."""
    return row(silent, f"posted_write_{name}", cmd, body, reason)


def many(name, body, reason):
    """A REGION_WRITE_MULTI that is refused."""
    return row(refused, f"write_multi_{name}", WRITE_MULTI, body, EINVAL, reason)


GOOD = (0, SCRATCH, b"\x11\x22\x33\x44")

ROWS = [
    read("with_empty_body", b"", FIXED_PART),
    read("with_body_of_15_bytes", access(0, 0x2000, 4)[:15], FIXED_PART),
    read("with_data", access(0, 0x2000, 4, b"\0"), "data behind a read request"),
    read("of_0_bytes", access(0, 0x2000, 0), COUNT_0),
    read("of_region_9", access(9, 0, 4), NO_REGION),
    read("of_region_all_ones", access(0xffffffff, 0, 4), NO_REGION),
    read("of_one_byte_more_than_was_agreed", access(0, 0, MAX_XFER + 1), LARGE),
    read("of_all_ones_bytes", access(0, 0, 0xffffffff), LARGE),
    read("of_upper_half_of_bar0", access(1, 0, 4), END),
    read("of_upper_half_of_bar4", access(5, 0, 4), END),
    read("of_rom", access(6, 0, 4), END),
    read("of_vga", access(8, 0, 4), END),
    read("behind_bar0", access(0, BAR0_SIZE, 1), END),
    read("across_the_end_of_bar0", access(0, BAR0_SIZE - 3, 4), END),
    read("behind_bar2", access(2, BAR2_SIZE, 4), END),
    read("across_the_end_of_bar4", access(4, BAR4_SIZE - 4, 8), END),
    read("behind_config", access(CONFIG, CONFIG_SIZE, 1), END),
    read("across_the_end_of_config", access(CONFIG, CONFIG_SIZE - 1, 2), END),
    read("at_offset_all_ones", access(0, (1 << 64) - 1, 1), END),
    read("whose_end_wraps_around", access(0, (1 << 64) - 2, 4), END),
    read("at_offset_2_to_32", access(0, 1 << 32, 4), END),
    write("with_empty_body", b"", FIXED_PART),
    write("with_body_of_15_bytes", access(0, SCRATCH, 4, b"abcd")[:15], FIXED_PART),
    write("without_data", access(0, SCRATCH, 4), "less data than count"),
    write("with_3_of_4_bytes", access(0, SCRATCH, 4, b"abc"), "less data than count"),
    write("with_5_of_4_bytes", access(0, SCRATCH, 4, b"abcde"), "more data than count"),
    write("of_0_bytes", access(0, SCRATCH, 0), COUNT_0),
    write("of_0_bytes_with_data", access(0, SCRATCH, 0, b"abcd"), COUNT_0),
    write("of_all_ones_bytes", access(0, SCRATCH, 0xffffffff, b"abcd"), "less data than count"),
    write("of_one_byte_more_than_was_agreed", access(2, 0, MAX_XFER + 1, bytes(MAX_XFER + 1)), LARGE),
    write("of_region_9", access(9, SCRATCH, 4, b"abcd"), NO_REGION),
    write("of_region_all_ones", access(0xffffffff, SCRATCH, 4, b"abcd"), NO_REGION),
    write("of_upper_half_of_bar0", access(1, SCRATCH, 4, b"abcd"), END),
    write("of_rom", access(6, SCRATCH, 4, b"abcd"), END),
    write("of_vga", access(8, SCRATCH, 4, b"abcd"), END),
    write("behind_bar0", access(0, BAR0_SIZE + SCRATCH, 4, b"abcd"), END),
    write("across_the_end_of_bar0", access(0, BAR0_SIZE - 1, 2, b"ab"), END),
    write("across_the_end_of_bar2", access(2, BAR2_SIZE - 4, 8, b"abcdefgh"), END),
    write("behind_config", access(CONFIG, CONFIG_SIZE, 2, b"\0\0"), END),
    write("across_the_end_of_config", access(CONFIG, CONFIG_SIZE - 4, 8, bytes(8)), END),
    write("whose_end_wraps_around_into_bar0", access(0, (1 << 64) - 4, SCRATCH + 8, b"\xff" * (SCRATCH + 8)), END),
    posted("without_data", access(0, SCRATCH, 4), "less data than count"),
    posted("with_5_of_4_bytes", access(0, SCRATCH, 4, b"abcde"), "more data than count"),
    posted("of_0_bytes", access(0, SCRATCH, 0), COUNT_0),
    posted("of_region_9", access(9, SCRATCH, 4, b"abcd"), NO_REGION),
    posted("behind_bar0", access(0, BAR0_SIZE, 4, b"abcd"), END),
    posted("behind_bar2", access(2, BAR2_SIZE, 4, b"abcd"), END),
    posted("behind_config", access(CONFIG, CONFIG_SIZE, 4, b"abcd"), END),
    many("with_empty_body", b"", "shorter than the number of writes"),
    many("with_body_of_7_bytes", bytes(7), "shorter than the number of writes"),
    many("with_no_writes", multi(), "no writes"),
    many("with_count_0_and_a_write", multi(GOOD, count=0), "no writes"),
    many("with_one_write_less_than_count", multi(GOOD, count=2), "does not fit the number of writes"),
    many("with_one_write_more_than_count", multi(GOOD, GOOD, count=1), "does not fit the number of writes"),
    many("with_half_a_write", multi(GOOD, GOOD)[:-12], "does not fit the number of writes"),
    many("with_count_all_ones", multi(GOOD, count=(1 << 64) - 1), "does not fit the number of writes"),
    # 24 times this is 24 when cut to 64 bits.
    many("with_count_whose_size_wraps_around", multi(GOOD, count=1 + (1 << 61)), "does not fit the number of writes"),
    many("of_region_9", multi(GOOD, (9, 0, b"abcd")), NO_REGION),
    many("of_0_bytes", multi(GOOD, (0, SCRATCH, b"", 0)), "count is not 1 to 8"),
    many("of_9_bytes", multi(GOOD, (0, SCRATCH, b"abcdefgh", 9)), "count is not 1 to 8"),
    many("behind_bar0", multi(GOOD, (0, BAR0_SIZE, b"abcd")), END),
    many("across_the_end_of_config", multi(GOOD, (CONFIG, CONFIG_SIZE - 2, b"abcd")), END),
    many("of_rom", multi(GOOD, (6, 0, b"abcd")), END),
    posted("multi_of_region_9", multi(GOOD, (9, 0, b"abcd")), NO_REGION, WRITE_MULTI),
    posted("multi_with_no_writes", multi(), "no writes", WRITE_MULTI),
    malformed.Row("read_without_reply_behind_bar0",
                  message(REGION_READ, access(0, BAR0_SIZE, 4), malformed.NUMBER, NO_REPLY), malformed.SILENT, END),
]

if __name__ == "__main__":
    malformed.main(ROWS)
