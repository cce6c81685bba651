#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Vectors: armed, silenced, masked, latched."""

import os
import sys

import wirelib
from wirelib import (BAR0, DEVICE_RESET, IRQ_BOOL, IRQ_EVENTFD, IRQ_MASK, IRQ_NONE, IRQ_TRIGGER, IRQ_UNMASK,
                     REG_CLEAR, REG_PENDING, REG_RAISE, REG_RESETS, SET_IRQS, equal, eventfd_count, irq_body)


def test_an_eventfd_is_signalled(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(4)]
    client.arm(0, fds)
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 2)
    equal([eventfd_count(fd) for fd in fds], [0, 0, 1, 0], "signals")
    equal(case.server.status()[0]["armed_vectors"], 4, "armed vectors")


def test_a_signal_while_not_armed_is_latched(case):
    client = case.client()
    fd = case.eventfd()
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 1)
    client.write64(REG_RAISE, 1)
    equal(client.read64(REG_PENDING), 2, "pending")
    client.arm(1, [fd])
    equal(eventfd_count(fd), 1, "signals after arming")
    equal(client.read64(REG_PENDING), 0, "pending")


def test_disabling_all_vectors_latches_what_comes_then(case):
    client = case.client()
    fd = case.eventfd()
    client.write64(wirelib.REG_TARGET, 0)
    client.arm(0, [fd])
    client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER))
    equal(case.server.status()[0]["armed_vectors"], 0, "armed vectors")
    client.write64(REG_RAISE, 0)
    equal(eventfd_count(fd), 0, "signals while disabled")
    client.arm(0, [fd])
    equal(eventfd_count(fd), 1, "signals after arming")


def test_disabling_one_vector_silences_it_alone(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(3)]
    client.write64(wirelib.REG_TARGET, 0)
    client.arm(0, fds)
    client.call(SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, 1, 1))
    for vector in range(3):
        client.write64(REG_RAISE, vector)
    equal([eventfd_count(fd) for fd in fds], [1, 0, 1], "signals")
    equal(client.read64(REG_PENDING), 2, "pending")


def test_masking_holds_a_vector_back(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(2)]
    client.write64(wirelib.REG_TARGET, 0)
    client.arm(0, fds)
    client.call(SET_IRQS, irq_body(IRQ_BOOL | IRQ_MASK, 0, 2, b"\0\1"))
    client.write64(REG_RAISE, 0)
    client.write64(REG_RAISE, 1)
    equal([eventfd_count(fd) for fd in fds], [1, 0], "signals")
    client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_UNMASK, 0, 2))
    equal([eventfd_count(fd) for fd in fds], [0, 1], "signals after unmasking")


def test_a_client_can_trigger_its_own_vectors(case):
    client = case.client()
    fds = [case.eventfd() for _ in range(3)]
    client.arm(0, fds)
    client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, 1, 2))
    equal([eventfd_count(fd) for fd in fds], [0, 1, 1], "signals")
    client.call(SET_IRQS, irq_body(IRQ_BOOL | IRQ_TRIGGER, 0, 3, b"\1\0\1"))
    equal([eventfd_count(fd) for fd in fds], [1, 0, 1], "signals")


def test_disabling_kinds_of_interrupts_that_are_not_there_succeeds(case):
    client = case.client()
    for index in range(5):
        client.call(SET_IRQS, irq_body(IRQ_NONE | IRQ_TRIGGER, index=index))


def test_a_peer_raises_a_vector_of_another_host(case):
    a, b = case.client(0), case.client(1)
    fd = case.eventfd()
    b.arm(3, [fd])
    a.write64(REG_RAISE, 3)
    equal(eventfd_count(fd), 1, "signals")


def test_reset_clears_latched_vectors(case):
    client = case.client()
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 1)
    client.call(DEVICE_RESET)
    equal((client.read64(REG_PENDING), client.read64(REG_RESETS)), (0, 1), "pending, resets")


def test_clear_forgets_latched_vectors(case):
    client = case.client()
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 5)
    client.write64(REG_CLEAR, 0)
    equal(client.read64(REG_PENDING), 0, "pending")


def test_a_full_eventfd_does_not_block(case):
    client = case.client()
    fd = os.eventfd(0, os.EFD_CLOEXEC)
    case.stack.callback(os.close, fd)
    os.eventfd_write(fd, 0xfffffffffffffffe)
    client.arm(0, [fd])
    client.write64(wirelib.REG_TARGET, 0)
    client.write64(REG_RAISE, 0)
    client.read(BAR0, 0, 4)


if __name__ == "__main__":
    wirelib.run(sys.modules[__name__])
