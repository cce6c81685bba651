#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Requests of one client that keeps the rules: version, device, regions, configuration space, BARs."""

import os
import struct
import sys

import wirelib
from wirelib import (BAR0, BAR2, CONFIG, DEVICE_FEATURE, DMA_MAP, F_NO_REPLY, GET_INFO, GET_IRQ_INFO, GET_REGION_INFO,
                     GET_REGION_IO_FDS, MAP_RW, PAGE, REGION_READ, VERSION, WRITE_MULTI, check, equal, map_body,
                     message, multi_body, read_body)


def test_version_is_answered_with_what_the_server_can_do(case):
    caps = case.client(negotiate=False).negotiate()
    equal(caps, {"max_msg_fds": 16, "max_data_xfer_size": 1 << 20, "max_dma_maps": 4096, "pgsizes": 4096,
                 "write_multiple": True}, "capabilities")


def test_version_without_capabilities_is_enough(case):
    case.client(negotiate=False).negotiate(b"")


def test_version_with_a_higher_minor_is_answered_with_ours(case):
    case.client(negotiate=False).negotiate(minor=7)


def test_unknown_capabilities_are_ignored(case):
    case.client(negotiate=False).negotiate(b'{"capabilities":{"x":[1,{}],"migration":{"pgsize":4096}},"more":1}\0')


def test_write_multiple_can_be_switched_off(case):
    case.serve(write_multiple=0)
    check(not case.client(negotiate=False).negotiate()["write_multiple"], "write_multiple is offered")


def test_device_info(case):
    reply = case.client().call(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0))
    equal(struct.unpack("<IIII", reply.body), (16, 3, 9, 5), "device info")


def test_region_info(case):
    client = case.client()
    sizes = {0: 0x10000, 2: 1 << 24, 7: 4096}
    for region in range(9):
        reply = client.call(GET_REGION_INFO, struct.pack("<IIIIQQ", 4096, 0, region, 0, 0, 0))
        size = sizes.get(region, 0)
        equal(struct.unpack("<IIIIQQ", reply.body), (32, 3 if size else 0, region, 0, size, 0), "region info")


def test_region_io_fds_are_none(case):
    reply = case.client().call(GET_REGION_IO_FDS, struct.pack("<IIII", 16, 0, 0, 0))
    equal(struct.unpack("<IIII", reply.body), (16, 0, 0, 0), "region fds")


def test_irq_info(case):
    client = case.client()
    for index in range(5):
        reply = client.call(GET_IRQ_INFO, struct.pack("<IIII", 16, 0, index, 0))
        equal(struct.unpack("<IIII", reply.body), (16, 3 if index == 2 else 0, index, 8 if index == 2 else 0), "irq")


def test_config_space_reads_what_was_written(case):
    client = case.client()
    client.write(CONFIG, 0x40, b"abcd")
    equal(client.read(CONFIG, 0x3f, 6), b"\0abcd\0", "config")


def test_bar_reads_what_was_written(case):
    client = case.client()
    client.write(BAR0, 0x7ffe, b"ab")
    equal(client.read(BAR0, 0x7ffe, 2), b"ab", "bar")


def test_read_of_the_largest_size(case):
    client = case.client()
    mem = case.memory(1 << 20)
    mem.view[:] = os.urandom(1 << 20)
    client.map(0, 1 << 20, mem.fd)
    client.window(0, 0)
    equal(client.read(BAR2, 0, 1 << 20), mem.view[:], "1 MiB through the window")


def test_write_of_the_largest_size(case):
    client = case.client()
    mem = case.memory(1 << 20)
    client.map(0, 1 << 20, mem.fd)
    client.window(0, 0)
    data = os.urandom(1 << 20)
    client.write(BAR2, 0, data)
    equal(mem.view[:], data, "1 MiB through the window")


def test_posted_writes_get_no_reply(case):
    client = case.client()
    client.post(BAR0, 0, b"1234")
    equal(client.read(BAR0, 0, 4), b"1234", "posted")


def test_no_reply_holds_for_reads_too(case):
    client = case.client()
    client.start(REGION_READ, read_body(BAR0, 0, 4), F_NO_REPLY)
    client.start(GET_INFO, struct.pack("<IIII", 16, 0, 0, 0), F_NO_REPLY)
    client.read(BAR0, 0, 4)


def test_multiple_writes_in_one_message(case):
    client = case.client()
    writes = [(BAR0, 8 * i, bytes([i + 1] * (i % 8 + 1))) for i in range(200)]
    client.start(WRITE_MULTI, multi_body(writes), F_NO_REPLY)
    for region, offset, data in writes:
        equal(client.read(region, offset, len(data)), data, "written")
    equal(client.call(WRITE_MULTI, multi_body([(CONFIG, 0x10, b"xy")])).body, struct.pack("<Q", 1), "reply")
    equal(client.read(CONFIG, 0x10, 2), b"xy", "config")


def test_the_version_reply_comes_before_anything_else(case):
    case.serve()
    client = case.client(negotiate=False)
    client.send(message(VERSION, struct.pack("<HH", 0, 0) + wirelib.CAPS, 0, 5) +
                message(DMA_MAP, map_body(0, PAGE, 0, MAP_RW), 0, 6))
    equal([client.receive_any().id, client.receive_any().id], [5, 6], "ids")


def test_features_are_not_offered(case):
    client = case.client()
    for feature in range(12):
        for action in (1 << 16, 1 << 17, 1 << 18 | 1 << 16):
            client.expect_error(client.request(DEVICE_FEATURE, struct.pack("<II", 8, feature | action)), 25)


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
