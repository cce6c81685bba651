#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Headers no client should send, and messages that do not end."""

import os
from errno import EINVAL, EOPNOTSUPP

import malformed
from client import (CONFIG, ERROR, GET_INFO, MAX_XFER, NO_REPLY, REGION_READ, REGION_WRITE, RESET, access, device_info,
                    message, post, region_info)
from malformed import LEFT, lost, refused, silent

FRAME = "impossible size or unknown type"
FLAGS = "flags that a command cannot have"


def sized(size, flags=0):
    """A header of DEVICE_GET_INFO with that size."""
    return message(GET_INFO, b"", malformed.NUMBER, flags, size)


ROWS = [
    lost("size_0", sized(0), FRAME),
    lost("size_1", sized(1), FRAME),
    lost("size_15_is_less_than_a_header", sized(15), FRAME),
    lost("size_one_above_the_largest_message", sized(MAX_XFER + 4096 + 1), FRAME),
    lost("size_2_to_31", sized(1 << 31), FRAME),
    lost("size_all_ones", sized(0xffffffff), FRAME),
    lost("type_2", sized(16, 2), FRAME),
    lost("type_15", sized(16, 15), FRAME),
    lost("type_reply_and_more", sized(16, 3), FRAME),
    lost("all_ones", b"\xff" * 64, FRAME),
    lost("all_zero", b"\0" * 64, FRAME),
    lost("http_request", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", FRAME),
    lost("good_message_then_garbage_in_one_send", post(CONFIG, 0x3c, b"\x0b") + b"\x80" * 4096, FRAME),
    refused("error_flag_in_a_command", GET_INFO, device_info(), EINVAL, FLAGS, flags=ERROR),
    refused("unknown_flag_6", GET_INFO, device_info(), EINVAL, FLAGS, flags=0x40),
    refused("unknown_flag_31", GET_INFO, device_info(), EINVAL, FLAGS, flags=0x80000000),
    refused("unknown_flag_in_a_region_write", REGION_WRITE, access(0, 0x400, 4, b"abcd"), EINVAL, FLAGS, flags=0x100),
    silent("unknown_flag_and_no_reply", GET_INFO, device_info(), FLAGS, flags=NO_REPLY | 0x40),
    refused("command_0", 0, b"", EOPNOTSUPP, "no such command"),
    refused("command_19", 19, b"", EOPNOTSUPP, "no such command"),
    refused("command_256", 256, b"", EOPNOTSUPP, "no such command"),
    refused("command_65535", 0xffff, b"", EOPNOTSUPP, "no such command"),
    refused("unknown_command_with_a_body_of_100_kib", 77, b"\xff" * 100 * 1024, EOPNOTSUPP, "no such command"),
    refused("unknown_command_of_the_largest_size", 77, bytes(MAX_XFER + 4096 - 16), EOPNOTSUPP, "no such command"),
    silent("unknown_command_without_reply", 77, b"12345", "no such command"),
    refused("reset_with_a_body", RESET, b"\0", EINVAL, "body where none belongs"),
    silent("reset_with_a_body_and_no_reply", RESET, b"\0" * 16, "body where none belongs"),
    lost("leaving_after_one_byte", sized(16)[:1], LEFT),
    lost("leaving_inside_a_header", sized(16)[:15], LEFT),
    lost("leaving_before_the_body", message(REGION_READ, access(0, 0, 4))[:16], LEFT),
    lost("leaving_inside_a_body", message(REGION_READ, access(0, 0, 4))[:-1], LEFT),
    lost("leaving_inside_a_large_body",
         message(REGION_WRITE, access(0, 0x400, MAX_XFER, bytes(1000)), size=MAX_XFER + 32), LEFT),
]


def stray_fd(case):
    """A descriptor."""
    fd = os.memfd_create("ontb-stray")
    case.stack.callback(os.close, fd)
    return [fd]


def with_fd(name, cmd, body):
    """A row for a command that takes no descriptor and gets one."""
    return refused(name, cmd, body, EINVAL, "descriptors where none belong", fds=stray_fd)


ROWS += [
    with_fd("descriptor_with_reset", RESET, b""),
    with_fd("descriptor_with_device_info", GET_INFO, device_info()),
    with_fd("descriptor_with_region_info", 5, region_info(0)),
    with_fd("descriptor_with_region_read", REGION_READ, access(0, 0x2000, 4)),
    with_fd("descriptor_with_region_write", REGION_WRITE, access(0, 0x400, 4, b"abcd")),
    refused("descriptor_with_an_unknown_command", 77, b"", EOPNOTSUPP, "no such command", fds=stray_fd),
]

if __name__ == "__main__":
    malformed.main(ROWS)
