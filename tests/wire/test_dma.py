#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A host's memory: mapped with and without a descriptor, reached through a window, unmapped again."""

import struct

import base
from base import check, equal
from client import Refused
from host import INTERRUPTS, PAGE, Host, pair
from server import serve

MIB = 1 << 20


def test_a_window_reaches_memory_through_its_descriptor(case):
    server = serve(case)
    a, b = pair(case, server)
    a.show(MIB, MIB)
    b.write(4, 0x100, b"hello")
    equal(a.ram[MIB + 0x100:MIB + 0x106], b"hello\0")
    a.ram[MIB + 0x200:MIB + 0x208] = b"goodbye!"
    equal(b.read(4, 0x200, 8), b"goodbye!")


if __name__ == "__main__":
    base.main(dict(globals()))
