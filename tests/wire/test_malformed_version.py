#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Version negotiation gone wrong. After each of these the same connection can still agree on a version."""

import json
import os
from errno import EINVAL

import malformed
from base import check, equal
from client import (CONFIG, DATA_NONE, DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE, FEATURE, GET_INFO, GET_IRQ_INFO,
                    GET_REGION_INFO, GET_REGION_IO_FDS, REGION_READ, REGION_WRITE, RESET, SET_IRQS, TRIGGER, VERSION,
                    WRITE_MULTI, Client, access, device_info, dma_access, dma_map, dma_unmap, feature, io_fds, irq_info,
                    irq_set, message, multi, region_info, version)
from malformed import refused, silent

NOT_JSON = "capabilities are not JSON"
NOT_NUMBER = "a capability is not a number"
TOO_SMALL = "a capability is too small"
BEFORE = "no version has been agreed upon"


def wrong(name, body, reason):
    """A VERSION that is refused."""
    return refused(name, VERSION, body, EINVAL, reason, handshake=False)


def text(name, data, reason):
    """A VERSION with such a text, ended as it must be."""
    return wrong(name, version(data + b"\0"), reason)


def capability(name, key, value, reason):
    """A VERSION with one capability."""
    return text(name, b'{"capabilities":{"%s":%s}}' % (key, value), reason)


def early(name, cmd, body, reason=BEFORE, **options):
    """A command that comes before VERSION."""
    return refused(f"{name}_before_a_version", cmd, body, EINVAL, reason, handshake=False, **options)


def memory_file(case):
    """A file that could be mapped."""
    fd = os.memfd_create("ontb-early")
    case.stack.callback(os.close, fd)
    os.ftruncate(fd, 1 << 20)
    return [fd]


ROWS = [
    wrong("empty_body", b"", "shorter than two numbers"),
    wrong("body_of_3_bytes", b"\0\0\0", "shorter than two numbers"),
    wrong("major_1", version(major=1), "major version is not 0"),
    wrong("major_65535", version(major=0xffff), "major version is not 0"),
    wrong("text_without_nul", version(b'{"capabilities":{}}'), "do not end with a NUL"),
    wrong("text_of_one_letter_without_nul", version(b"{"), "do not end with a NUL"),
    wrong("nul_inside_the_text", version(b'{"capabilities":\0{}}\0'), "NUL inside"),
    wrong("two_nuls_at_the_end", version(b'{"capabilities":{}}\0\0'), "NUL inside"),
    wrong("only_a_nul", version(b"\0"), NOT_JSON),
    text("word_that_is_no_json", b"capabilities", NOT_JSON),
    text("text_that_stops_early", b'{"capabilities":{', NOT_JSON),
    text("text_that_stops_in_a_string", b'{"capabilities', NOT_JSON),
    text("something_behind_the_object", b'{"capabilities":{}} {}', "something follows|not JSON"),
    text("single_quotes", b"{\"capabilities\":{\"x\":'y'}}", NOT_JSON),
    text("trailing_comma", b'{"capabilities":{},}', NOT_JSON),
    text("not_utf8", b'{"\xff\xfe":1}', NOT_JSON),
    text("nested_100_deep", b'{"a":' * 100 + b"1" + b"}" * 100, NOT_JSON),
    text("nested_100000_deep", b"[" * 100000, "capabilities longer than 16384 bytes"),
    text("array", b"[]", "not an object"),
    text("number", b"12", "not an object"),
    text("string", b'"capabilities"', "not an object"),
    text("capabilities_as_array", b'{"capabilities":[]}', "capabilities is not an object"),
    text("capabilities_as_number", b'{"capabilities":1}', "capabilities is not an object"),
    text("capabilities_as_string", b'{"capabilities":"{}"}', "capabilities is not an object"),
    capability("max_msg_fds_as_text", b"max_msg_fds", b'"8"', NOT_NUMBER),
    capability("max_msg_fds_negative", b"max_msg_fds", b"-1", TOO_SMALL),
    capability("max_msg_fds_fraction", b"max_msg_fds", b"1.5", NOT_NUMBER),
    capability("max_msg_fds_true", b"max_msg_fds", b"true", NOT_NUMBER),
    capability("max_data_xfer_size_0", b"max_data_xfer_size", b"0", TOO_SMALL),
    capability("max_data_xfer_size_1", b"max_data_xfer_size", b"1", TOO_SMALL),
    capability("max_data_xfer_size_negative", b"max_data_xfer_size", b"-9223372036854775808", TOO_SMALL),
    capability("max_data_xfer_size_as_text", b"max_data_xfer_size", b'"1048576"', NOT_NUMBER),
    capability("max_data_xfer_size_as_object", b"max_data_xfer_size", b"{}", NOT_NUMBER),
    capability("max_dma_maps_negative", b"max_dma_maps", b"-1", TOO_SMALL),
    capability("pgsizes_0", b"pgsizes", b"0", TOO_SMALL),
    capability("write_multiple_as_number", b"write_multiple", b"1", "not true or false"),
    capability("write_multiple_as_text", b"write_multiple", b'"true"', "not true or false"),
    refused("descriptor_with_version", VERSION, version(), EINVAL, "descriptors where none belong", fds=memory_file,
            handshake=False),
    refused("second_version", VERSION, version(), EINVAL, "agreed upon already"),
    refused("second_version_that_is_wrong", VERSION, b"", EINVAL, "agreed upon already"),
    silent("wrong_version_without_reply", VERSION, b"", "shorter than two numbers", handshake=False),
    early("device_info", GET_INFO, device_info()),
    early("region_info", GET_REGION_INFO, region_info(0)),
    early("region_fds", GET_REGION_IO_FDS, io_fds(0)),
    early("irq_info", GET_IRQ_INFO, irq_info(2)),
    early("set_irqs", SET_IRQS, irq_set(DATA_NONE | TRIGGER)),
    early("region_read", REGION_READ, access(CONFIG, 0, 4)),
    early("region_write", REGION_WRITE, access(CONFIG, 4, 2, b"\6\0")),
    early("write_multi", WRITE_MULTI, multi((CONFIG, 4, b"\6\0"))),
    early("dma_map", DMA_MAP, dma_map(0, 1 << 20), fds=memory_file),
    early("dma_unmap", DMA_UNMAP, dma_unmap(0, 1 << 20)),
    early("dma_read", DMA_READ, dma_access(0, 4)),
    early("dma_write", DMA_WRITE, dma_access(0, 4, b"abcd")),
    early("reset", RESET, b""),
    early("feature", FEATURE, feature(0)),
    silent("posted_write_before_a_version", REGION_WRITE, access(0, 0x400, 4, b"abcd"), BEFORE, handshake=False),
    malformed.Row("reply_before_a_version", message(REGION_READ, b"", 1, 1), malformed.SILENT,
                  "reply before a version", handshake=False),
]


def greet(case, shared, data):
    """Agree on a version with this body."""
    server = shared.start(case.program)
    port, _ = shared.next_port()
    client = Client(server.path(port), handshake=False)
    case.stack.callback(client.close)
    start = server.mark()
    reply = client.call(VERSION, data)
    client.sync()
    equal(server.lines_of(port, start), [], "log lines")
    client.close()
    server.wait_free(port)
    return reply


def test_good_versions_are_accepted(case, shared):
    """What a client may leave out, add or offer."""
    for data in (
            version(b""), version(b"{}\0"), version(b'{"capabilities":{}}\0'),
            version(b' \n{ "capabilities" : { } } \0'), version(minor=1), version(minor=0xffff),
            version(b'{"capabilities":{"max_msg_fds":0,"twin_socket":{"supported":true},"x":[1,{"y":null}]},"z":-1}\0'),
            version(b'{"capabilities":{"max_data_xfer_size":99999999999999999999999,"max_dma_maps":65535}}\0'),
            version(b'{"capabilities":{"migration":{"pgsize":4096,"max_bitmap_size":268435456}}}\0'),
            version(b'{"capabilities":{"write_multiple":false,"pgsizes":4096}}\0')):
        reply = greet(case, shared, data)
        equal(reply[:4], b"\0\0\0\0", "version")


def test_reply_is_what_qemu_accepts(case, shared):
    """Version 0.0, and numbers in the ranges that QEMU 11.1 checks."""
    reply = greet(case, shared, version())
    equal((reply[:4], reply[-1:], reply.count(b"\0", 4)), (b"\0\0\0\0", b"\0", 1), "version and end of the text")
    caps = json.loads(reply[4:-1])["capabilities"]
    check(1 <= caps["max_msg_fds"] <= 16, f"max_msg_fds {caps['max_msg_fds']}")
    check(4096 <= caps["max_data_xfer_size"] <= 1 << 20, f"max_data_xfer_size {caps['max_data_xfer_size']}")
    check(1 <= caps["max_dma_maps"] <= 65535, f"max_dma_maps {caps['max_dma_maps']}")
    equal(caps["pgsizes"] & 4096, 4096, "pgsizes")
    equal(caps["write_multiple"], True, "write_multiple")


if __name__ == "__main__":
    malformed.main(ROWS, [test_good_versions_are_accepted, test_reply_is_what_qemu_accepts])
