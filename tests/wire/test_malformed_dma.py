#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""DMA_MAP and DMA_UNMAP that must not be done, and descriptors that are not what they should be.

Before each row the client has one good mapping, and after it that mapping and no other is there.
"""

import fcntl
import os
import socket
import struct
from errno import EACCES, EBADF, EEXIST, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM

import malformed
from base import Skip, equal
from client import DMA_MAP, DMA_UNMAP, dma_map, dma_unmap
from malformed import refused, silent

MIB = 1 << 20
TIB = 1 << 40
TOP = 1 << 64
# The good mapping, in the middle of nowhere.
ADDR, SIZE = 16 * MIB, 4 * MIB
F_ADD_SEALS, F_SEAL_WRITE = 1033, 8


def memory_file(case, size=SIZE, flags=os.MFD_CLOEXEC):
    """A file with memory."""
    fd = os.memfd_create("ontb-malformed", flags)
    case.stack.callback(os.close, fd)
    os.ftruncate(fd, size)
    return fd


def prepare(case, client):
    """Make the good mapping."""
    client.map(ADDR, SIZE, memory_file(case))
    return 1, SIZE


def look(client, state, status):
    """The good mapping is there, and no other."""
    del client
    equal((status["client"]["mappings"], status["client"]["mapped_bytes"]), state, "mappings and bytes mapped")


def row(make, *args, **options):
    """A row with the good mapping."""
    return make(*args, prepare=options.pop("prepare", prepare), after=look, **options)


def bad_map(name, body, number, reason, **options):
    """A DMA_MAP that is refused."""
    return row(refused, f"map_{name}", DMA_MAP, body, number, reason, **options)


def bad_unmap(name, body, number, reason, **options):
    """A DMA_UNMAP that is refused."""
    return row(refused, f"unmap_{name}", DMA_UNMAP, body, number, reason, **options)


def bad_fd(name, fds, number, reason, body=None):
    """A DMA_MAP with descriptors that will not do."""
    return bad_map(f"with_{name}", dma_map(0, MIB) if body is None else body, number, reason, fds=fds)


def opened(path, flags):
    """A function that opens a file."""
    def give(case):
        fd = os.open(path, flags)
        case.stack.callback(os.close, fd)
        return [fd]

    return give


def files(count, size=SIZE):
    """A function that makes files with memory."""
    return lambda case: [memory_file(case, size) for _ in range(count)]


def reopened(flags):
    """A function that makes a file with memory that is open in another way."""
    return lambda case: opened(f"/proc/self/fd/{memory_file(case)}", flags)(case)


def pipe(case):
    """The reading end of a pipe."""
    fds = os.pipe()
    for fd in fds:
        case.stack.callback(os.close, fd)
    return fds[:1]


def unix_socket(case):
    """A socket."""
    return [case.stack.enter_context(socket.socket(socket.AF_UNIX)).fileno()]


def event(case):
    """An eventfd."""
    fd = os.eventfd(0)
    case.stack.callback(os.close, fd)
    return [fd]


def sealed(case):
    """A file with memory that nobody may write any more."""
    fd = memory_file(case, flags=os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)
    return [fd]


def map_a_tebibyte(case, client):
    """Map nearly all that a client may, behind the good mapping."""
    with open(case.program, "rb") as program:
        if b"__tsan_init" in program.read():
            raise Skip("ThreadSanitizer leaves no room for a mapping of that size")
    state = prepare(case, client)
    size = TIB - SIZE
    client.map(TIB, size, memory_file(case, size))
    return state[0] + 1, state[1] + size


def map_all_slots(case, client):
    """Make as many mappings as a client may."""
    state = prepare(case, client)
    count = 4096 - 1
    numbers = []
    for idx in range(count):
        numbers.append(client.send(DMA_MAP, dma_map(TIB + idx * 8192, 4096)))
    for number in numbers:
        client.finish(number)
    return state[0] + count, state[1]


SHORT, NOT_REGULAR = "body is not 32 bytes", "not a regular file"

ROWS = [
    bad_map("with_empty_body", b"", EINVAL, SHORT),
    bad_map("with_body_of_31_bytes", dma_map(0, MIB)[:31], EINVAL, SHORT),
    bad_map("with_body_of_33_bytes", dma_map(0, MIB) + b"\0", EINVAL, SHORT),
    bad_map("with_argsz_0", dma_map(0, MIB, argsz=0), EINVAL, "argsz below 32"),
    bad_map("with_argsz_31", dma_map(0, MIB, argsz=31), EINVAL, "argsz below 32"),
    bad_map("with_no_flags", dma_map(0, MIB, flags=0), EINVAL, "neither readable nor writable"),
    bad_map("with_unknown_flag_3", dma_map(0, MIB, flags=0xb), EOPNOTSUPP, "unknown flags"),
    bad_map("with_unknown_flag_31", dma_map(0, MIB, flags=0x80000003), EOPNOTSUPP, "unknown flags"),
    bad_map("of_0_bytes", dma_map(0, 0), EINVAL, "size is 0"),
    bad_map("of_0_bytes_with_descriptor", dma_map(0, 0), EINVAL, "size is 0", fds=files(1)),
    bad_map("beyond_the_address_space", dma_map(TOP - 4096, 4097), EINVAL, "address plus size overflows"),
    bad_map("of_the_whole_address_space_but_a_byte", dma_map(1, TOP - 1), EEXIST, "overlaps"),
    bad_map("that_wraps_to_its_own_start", dma_map(1, TOP - 1)[:16] + struct.pack("<QQ", 2, TOP - 1), EINVAL,
            "address plus size overflows"),
    bad_map("with_all_ones", b"\xff" * 32, EOPNOTSUPP, "unknown flags"),
    bad_map("whose_file_offset_overflows", dma_map(0, MIB, TOP - 4096), EINVAL, "offset plus size overflows",
            fds=files(1)),
    bad_map("of_the_same_range_again", dma_map(ADDR, SIZE), EEXIST, "overlaps"),
    bad_map("over_the_first_byte_of_another", dma_map(ADDR - MIB, MIB + 1), EEXIST, "overlaps"),
    bad_map("over_the_last_byte_of_another", dma_map(ADDR + SIZE - 1, MIB), EEXIST, "overlaps"),
    bad_map("inside_another", dma_map(ADDR + MIB, 4096), EEXIST, "overlaps"),
    bad_map("around_another", dma_map(ADDR - MIB, SIZE + 2 * MIB), EEXIST, "overlaps"),
    bad_map("around_another_with_descriptor", dma_map(ADDR - MIB, SIZE + 2 * MIB), EEXIST, "overlaps",
            fds=files(1, 8 * MIB)),
    bad_map("of_a_file_offset_without_file", dma_map(0, MIB, 4096), EINVAL, "offset without a descriptor"),
    bad_fd("two_descriptors", files(2), EINVAL, "more than one descriptor"),
    bad_fd("253_descriptors", lambda case: files(1)(case) * 253, EINVAL, "more than one descriptor"),
    bad_fd("pipe", pipe, EINVAL, NOT_REGULAR),
    bad_fd("socket", unix_socket, EINVAL, NOT_REGULAR),
    bad_fd("eventfd", event, EINVAL, NOT_REGULAR),
    bad_fd("folder", opened("/", os.O_RDONLY), EINVAL, NOT_REGULAR),
    bad_fd("dev_null", opened("/dev/null", os.O_RDWR), EINVAL, NOT_REGULAR),
    bad_fd("dev_zero", opened("/dev/zero", os.O_RDWR), EINVAL, NOT_REGULAR),
    bad_fd("descriptor_of_a_path_only", reopened(os.O_PATH), EBADF, "cannot be mapped"),
    bad_fd("descriptor_for_reading_only", reopened(os.O_RDONLY), EACCES, "cannot be mapped"),
    bad_fd("descriptor_for_writing_only", reopened(os.O_WRONLY), EACCES, "cannot be mapped"),
    bad_fd("file_sealed_against_writing", sealed, EPERM, "cannot be mapped"),
    bad_fd("empty_file", files(1, 0), EINVAL, "beyond the end of the file"),
    bad_fd("file_one_byte_too_short", files(1, MIB - 1), EINVAL, "beyond the end of the file"),
    bad_fd("file_that_ends_before_offset_plus_size", files(1, MIB), EINVAL, "beyond the end of the file",
           dma_map(0, MIB, 1)),
    bad_fd("offset_behind_the_file", files(1), EINVAL, "beyond the end of the file", dma_map(0, MIB, SIZE)),
    bad_fd("offset_2_to_63", files(1), EINVAL, "beyond the end of the file", dma_map(0, MIB, 1 << 63)),
    bad_fd("size_of_the_address_space", files(1), ENOMEM, "larger than one client may map",
           dma_map(64 * MIB, TOP - 64 * MIB)),
    bad_fd("more_than_a_tebibyte", files(1, 2 * TIB), ENOMEM, "larger than one client may map", dma_map(TIB, TIB + 1)),
    bad_map("that_makes_it_more_than_a_tebibyte", dma_map(8 * TIB, 4096), ENOSPC, "more memory than one client may map",
            fds=files(1), prepare=map_a_tebibyte),
    bad_map("number_4097", dma_map(0, 4096), ENOSPC, "too many mappings", prepare=map_all_slots),
    row(silent, "map_without_reply", DMA_MAP, dma_map(0, 0), "size is 0"),
    row(silent, "map_with_descriptor_without_reply", DMA_MAP, dma_map(ADDR, 4096), "overlaps", fds=files(1)),
    bad_unmap("with_empty_body", b"", EINVAL, "shorter than 24 bytes"),
    bad_unmap("with_body_of_23_bytes", dma_unmap(ADDR, SIZE)[:23], EINVAL, "shorter than 24 bytes"),
    bad_unmap("with_body_of_25_bytes", dma_unmap(ADDR, SIZE) + b"\0", EINVAL, "longer than 24 bytes"),
    bad_unmap("with_argsz_0", dma_unmap(ADDR, SIZE, argsz=0), EINVAL, "argsz below 24"),
    bad_unmap("with_argsz_23", dma_unmap(ADDR, SIZE, argsz=23), EINVAL, "argsz below 24"),
    bad_unmap("with_unknown_flag_2", dma_unmap(ADDR, SIZE, 4), EINVAL, "unknown flags"),
    bad_unmap("with_unknown_flag_31", dma_unmap(ADDR, SIZE, 1 << 31), EINVAL, "unknown flags"),
    bad_unmap("with_dirty_bitmap", dma_unmap(ADDR, SIZE, 1, 40) + struct.pack("<QQ", 4096, 128), EOPNOTSUPP,
              "dirty bitmaps are not kept"),
    bad_unmap("of_0_bytes", dma_unmap(ADDR, 0), EINVAL, "size is 0"),
    bad_unmap("beyond_the_address_space", dma_unmap(TOP - 4096, 4097), EINVAL, "address plus size overflows"),
    bad_unmap("of_all_with_an_address", dma_unmap(ADDR, 0, 2), EINVAL, "together with the flag for all"),
    bad_unmap("of_all_with_a_size", dma_unmap(0, SIZE, 2), EINVAL, "together with the flag for all"),
    bad_unmap("of_all_but_the_last_byte", dma_unmap(ADDR, SIZE - 1), EINVAL, "cut a mapping in two"),
    bad_unmap("of_all_but_the_first_byte", dma_unmap(ADDR + 1, SIZE - 1), EINVAL, "cut a mapping in two"),
    bad_unmap("of_the_middle", dma_unmap(ADDR + MIB, MIB), EINVAL, "cut a mapping in two"),
    bad_unmap("across_the_start", dma_unmap(0, ADDR + 1), EINVAL, "cut a mapping in two"),
    bad_unmap("across_the_end", dma_unmap(ADDR + SIZE - 1, TIB), EINVAL, "cut a mapping in two"),
    bad_unmap("with_descriptor", dma_unmap(ADDR, SIZE), EINVAL, "descriptors where none belong", fds=files(1)),
    row(silent, "unmap_of_the_middle_without_reply", DMA_UNMAP, dma_unmap(ADDR + MIB, MIB), "cut a mapping in two"),
]

if __name__ == "__main__":
    malformed.main(ROWS)
