#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The other commands: device and region info, reset, features, what is not offered, commands that only a server sends,
and replies: to nothing at all, or not fitting the question."""

import os
import re
from errno import EINVAL, EIO, ENOTTY, EOPNOTSUPP

import malformed
from base import check, equal
from client import (DIRTY_PAGES, DMA_READ, DMA_WRITE, ERROR, FEATURE, GET_INFO, GET_REGION_INFO, GET_REGION_IO_FDS,
                    MAX_XFER, MIG_READ, MIG_WRITE, NO_REPLY, REGION_READ, REGION_WRITE, REPLY, SET_IRQS, VERSION,
                    access, device_info, dma_access, feature, io_fds, message, region_info, version)
from host import Host
from malformed import NUMBER, SILENT, Row, refused, silent

NOT_OFFERED, WRONG_WAY, UNASKED = "not offered", "only a server sends", "nobody asked for"


def memory_file(case):
    """A file."""
    fd = os.memfd_create("ontb-malformed")
    case.stack.callback(os.close, fd)
    return [fd]


def reply(name, cmd, body=b"", flags=REPLY, reason=UNASKED, error=0, **options):
    """A reply to nothing."""
    return Row(f"reply_to_{name}", message(cmd, body, NUMBER, flags, error=error), SILENT, reason, **options)


ROWS = [
    refused("device_info_with_empty_body", GET_INFO, b"", EINVAL, "body is not 16 bytes"),
    refused("device_info_with_body_of_15_bytes", GET_INFO, device_info()[:15], EINVAL, "body is not 16 bytes"),
    refused("device_info_with_body_of_17_bytes", GET_INFO, device_info() + b"\0", EINVAL, "body is not 16 bytes"),
    refused("device_info_with_argsz_0", GET_INFO, device_info(0), EINVAL, "argsz below 16"),
    refused("device_info_with_argsz_15", GET_INFO, device_info(15), EINVAL, "argsz below 16"),
    silent("device_info_with_argsz_0_without_reply", GET_INFO, device_info(0), "argsz below 16"),
    refused("region_info_with_empty_body", GET_REGION_INFO, b"", EINVAL, "body is not 32 bytes"),
    refused("region_info_with_body_of_31_bytes", GET_REGION_INFO, region_info(0)[:31], EINVAL, "body is not 32 bytes"),
    refused("region_info_with_body_of_33_bytes", GET_REGION_INFO, region_info(0) + b"\0", EINVAL,
            "body is not 32 bytes"),
    refused("region_info_with_argsz_0", GET_REGION_INFO, region_info(0, 0), EINVAL, "argsz below 32"),
    refused("region_info_with_argsz_31", GET_REGION_INFO, region_info(0, 31), EINVAL, "argsz below 32"),
    refused("region_info_of_region_9", GET_REGION_INFO, region_info(9), EINVAL, "no such region"),
    refused("region_info_of_region_all_ones", GET_REGION_INFO, region_info(0xffffffff), EINVAL, "no such region"),
    refused("region_fds_with_empty_body", GET_REGION_IO_FDS, b"", EINVAL, "body is not 16 bytes"),
    refused("region_fds_with_body_of_17_bytes", GET_REGION_IO_FDS, io_fds(0) + b"\0", EINVAL, "body is not 16 bytes"),
    refused("region_fds_with_argsz_15", GET_REGION_IO_FDS, io_fds(0, 15), EINVAL, "argsz below 16"),
    refused("region_fds_with_flags", GET_REGION_IO_FDS, io_fds(0, flags=1), EINVAL, "unknown flags"),
    refused("region_fds_of_region_9", GET_REGION_IO_FDS, io_fds(9), EINVAL, "no such region"),
    refused("region_fds_with_a_count", GET_REGION_IO_FDS, io_fds(0, count=1), EINVAL, "count is not 0"),
    refused("feature_with_empty_body", FEATURE, b"", EINVAL, "shorter than 8 bytes"),
    refused("feature_with_body_of_7_bytes", FEATURE, feature(0)[:7], EINVAL, "shorter than 8 bytes"),
    refused("feature_with_argsz_7", FEATURE, feature(0, 7), EINVAL, "argsz below 8"),
    refused("feature_probe_of_migration", FEATURE, feature(1 << 18 | 1), ENOTTY, "no such feature"),
    refused("feature_get_of_65535", FEATURE, feature(1 << 16 | 0xffff), ENOTTY, "no such feature"),
    refused("feature_set_with_data", FEATURE, feature(1 << 17 | 2, 24, bytes(16)), ENOTTY, "no such feature"),
    refused("feature_with_descriptor", FEATURE, feature(0), EINVAL, "descriptors where none belong", fds=memory_file),
    refused("dirty_pages", DIRTY_PAGES, bytes(8), EOPNOTSUPP, NOT_OFFERED),
    refused("dirty_pages_with_empty_body", DIRTY_PAGES, b"", EOPNOTSUPP, NOT_OFFERED),
    refused("migration_data_read", MIG_READ, bytes(8), EOPNOTSUPP, NOT_OFFERED),
    refused("migration_data_write", MIG_WRITE, bytes(4096), EOPNOTSUPP, NOT_OFFERED),
    refused("dma_read_by_a_client", DMA_READ, dma_access(0, 4), EINVAL, WRONG_WAY),
    refused("dma_write_by_a_client", DMA_WRITE, dma_access(0, 4, b"abcd"), EINVAL, WRONG_WAY),
    refused("dma_read_by_a_client_with_empty_body", DMA_READ, b"", EINVAL, WRONG_WAY),
    silent("posted_dma_write_by_a_client", DMA_WRITE, dma_access(0, 4, b"abcd"), WRONG_WAY),
    reply("dma_read_that_nobody_sent", DMA_READ, dma_access(0, 4, b"abcd")),
    reply("dma_read_with_empty_body", DMA_READ),
    reply("dma_read_with_error", DMA_READ, flags=REPLY | ERROR, error=EIO),
    reply("dma_read_that_wants_no_reply", DMA_READ, dma_access(0, 4, b"abcd"), flags=REPLY | NO_REPLY),
    reply("dma_read_with_unknown_flags", DMA_READ, dma_access(0, 4, b"abcd"), flags=REPLY | 0x40),
    reply("dma_read_with_1_mib", DMA_READ, dma_access(0, MAX_XFER, bytes(MAX_XFER))),
    reply("dma_read_with_a_descriptor", DMA_READ, dma_access(0, 4, b"abcd"), fds=memory_file,
          reason="descriptors with a reply|nobody asked for"),
    reply("dma_write", DMA_WRITE, dma_access(0, 4)),
    reply("version", VERSION, version()),
    reply("region_read", REGION_READ, access(0, 0x2000, 4, b"abcd")),
    reply("region_write", REGION_WRITE, access(0, 0x3fc, 4)),
    reply("set_irqs_with_a_descriptor", SET_IRQS, fds=memory_file, reason="descriptors with a reply|nobody asked for"),
    reply("unknown_command", 77),
    reply("command_0", 0),
]

WINDOW = 1 << 20


def wrong_answer(make, reason):
    """A test: a host whose memory has no descriptor answers a DMA_READ of its peer wrongly."""
    def test(case, shared):
        server = shared.start(case.program)
        port, reader = shared.next_port()
        server.wait_free(port)
        owner = Host(server, port)
        case.stack.callback(owner.close)
        owner.map(0, 4 * WINDOW)
        owner.show(WINDOW, WINDOW)
        start = server.mark()
        number = reader.send(REGION_READ, access(4, 0x40, 8))
        msg, addr, count = owner.wait_read()
        equal((addr, count), (WINDOW + 0x40, 8), "what is asked for")
        owner.raw(make(msg))
        equal(reader.finish(number)[16:], b"\xff" * 8, "what the reader gets")
        owner.sync()
        lines = server.lines_of(port, start)
        equal(len(lines), 1, f"log lines about the port: {lines}")
        check(re.search(rf"port {port}: client \d+: .*{reason}", lines[0]), f"{lines[0]!r} has not {reason!r}")
        # The next one, answered well, gets through.
        number = reader.send(REGION_READ, access(4, 0x40, 8))
        msg, _, _ = owner.wait_read()
        owner.answer(msg, b"12345678")
        equal(reader.finish(number)[16:], b"12345678", "what the reader gets")
        owner.close()
        server.wait_free(port)

    return test


def answer(msg, body, flags=REPLY, cmd=DMA_READ, error=0):
    """A reply to a DMA_READ."""
    return message(cmd, body, msg.id, flags, error=error)


DIFFER, DATA = "address or count differ", "data does not fit count"
WRONG_ANSWERS = {
    "with_empty_body": (lambda msg: answer(msg, b""), "shorter than 16 bytes"),
    "with_15_bytes": (lambda msg: answer(msg, msg.body[:15]), "shorter than 16 bytes"),
    "without_data": (lambda msg: answer(msg, msg.body), DATA),
    "with_7_of_8_bytes": (lambda msg: answer(msg, msg.body + b"1234567"), DATA),
    "with_9_of_8_bytes": (lambda msg: answer(msg, msg.body + b"123456789"), DATA),
    "with_another_address": (lambda msg: answer(msg, dma_access(WINDOW, 8, b"12345678")), DIFFER),
    "with_a_smaller_count": (lambda msg: answer(msg, dma_access(WINDOW + 0x40, 4, b"1234")), DIFFER),
    "with_count_all_ones": (lambda msg: answer(msg, dma_access(WINDOW + 0x40, (1 << 64) - 1, b"12345678")), DIFFER),
    "with_1_mib": (lambda msg: answer(msg, dma_access(WINDOW + 0x40, MAX_XFER, bytes(MAX_XFER))), DIFFER),
    "with_another_command": (lambda msg: answer(msg, msg.body + b"12345678", cmd=REGION_READ), "names another command|"
                                                                                               + UNASKED),
    "with_an_error": (lambda msg: answer(msg, b"", REPLY | ERROR, error=EIO), "reports an error"),
    "with_error_0": (lambda msg: answer(msg, b"", REPLY | ERROR), "reports an error"),
}


def named_tests():
    """Tests of wrong answers."""
    for name, (make, reason) in WRONG_ANSWERS.items():
        test = wrong_answer(make, reason)
        test.__name__ = f"test_answer_to_a_dma_read_{name}"
        yield test


if __name__ == "__main__":
    malformed.main(ROWS, list(named_tests()))
