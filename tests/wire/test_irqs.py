#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""MSI-X vectors of a host: armed, triggered by doorbells of the peer, silenced, re-armed as QEMU does it."""

import os
import struct

import base
from base import check, equal
from client import (CONFIG, DATA_BOOL, DATA_NONE, GET_IRQ_INFO, MASK, MSIX, SET_IRQS, TRIGGER, UNMASK, irq_info,
                    irq_set, message)
from host import BUS_MASTER, MEMORY_ENABLE, PBA, Eventfds, Host
from server import serve

NR_VECTORS = 4
MSIX_CAP = 0x80


def ring_setup(case, server=None):
    """(listener, ringer, eventfds): doorbell n of the ringer interrupts the listener on vector n."""
    server = server or serve(case)
    listener, ringer = Host(server, 0), Host(server, 1)
    case.stack.callback(listener.close)
    case.stack.callback(ringer.close)
    events = Eventfds(case, NR_VECTORS)
    listener.arm(events.fds)
    listener.listen(0, 1, 2, 3)
    ringer.may_ring()
    return listener, ringer, events


def ring(ringer, listener, number):
    """Ring a doorbell and clear it at the listener, so that it can ring again; all effects are there on return."""
    ringer.ring(number)
    equal(listener.ack(), listener.bit(number), "pending doorbells")


def pending(host):
    """Pending bits of a host's vectors."""
    return host.reg(host.dbmsg(PBA), 8)


def test_a_doorbell_signals_its_vector_and_no_other(case):
    listener, ringer, events = ring_setup(case)
    for number in (0, 3, 1, 2, 2):
        ring(ringer, listener, number)
        equal([events.take(vector) for vector in range(NR_VECTORS)], [int(v == number) for v in range(NR_VECTORS)])
    equal(listener.server.counters(0)["interrupts"], 5)
    equal(listener.server.counters(0)["doorbells"], 5)


def test_each_ring_is_one_signal(case):
    listener, ringer, events = ring_setup(case)
    for _ in range(100):
        ring(ringer, listener, 1)
    equal(events.take(1), 100)


def test_both_directions_at_once(case):
    server = serve(case)
    a, b, events_a = ring_setup(case, server)
    events_b = Eventfds(case, NR_VECTORS)
    b.arm(events_b.fds)
    b.listen(0, 1, 2, 3)
    a.may_ring()
    for number in range(NR_VECTORS):
        ring(a, b, number)
        ring(b, a, number)
    for events in (events_a, events_b):
        equal([events.take(vector) for vector in range(NR_VECTORS)], [1] * NR_VECTORS)


def test_pairs_do_not_hear_each_other(case):
    server = serve(case, "--ports", "8")
    pairs = []
    for first in range(0, 8, 2):
        low, high = Host(server, first), Host(server, first + 1)
        case.stack.callback(low.close)
        case.stack.callback(high.close)
        events = Eventfds(case, NR_VECTORS)
        low.arm(events.fds)
        low.listen(0, 1, 2, 3)
        high.may_ring()
        pairs.append((low, high, events))
    pairs[2][1].ring(1)
    equal([pair[2].take(1) for pair in pairs], [0, 0, 1, 0])


def test_info_tells_the_number_of_vectors(case):
    host = Host(serve(case, "--vectors", "33"), 0)
    case.stack.callback(host.close)
    for kind in range(5):
        _, flags, index, count = struct.unpack("<IIII", host.call(GET_IRQ_INFO, irq_info(kind)))
        equal((index, count, bool(flags & 1)), (kind, 33 if kind == MSIX else 0, kind == MSIX))


def test_disabling_one_vector_silences_it_while_the_others_fire(case):
    listener, ringer, events = ring_setup(case)
    listener.disarm(1, 1)
    equal(listener.server.port(0)["client"]["armed_vectors"], 3)
    for number in range(NR_VECTORS):
        ring(ringer, listener, number)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [1, 0, 1, 1])
    equal(pending(listener), 1 << 1, "pending bits")


def test_disabling_all_silences_all(case):
    listener, ringer, events = ring_setup(case)
    nr_fds = listener.server.nr_fds()
    listener.disarm()
    equal(listener.server.port(0)["client"]["armed_vectors"], 0)
    equal(listener.server.nr_fds(), nr_fds - NR_VECTORS, "descriptors the server has open")
    for number in range(NR_VECTORS):
        ring(ringer, listener, number)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [0] * NR_VECTORS)
    equal(pending(listener), 0xf, "pending bits")


def test_disabling_what_is_not_there_is_no_error(case):
    listener, _, _ = ring_setup(case)
    listener.disarm()
    listener.disarm()
    for kind in range(5):
        equal(listener.call(SET_IRQS, irq_set(DATA_NONE | TRIGGER, index=kind)), b"")


def test_a_signal_while_qemu_re_arms_is_latched_not_lost(case):
    """QEMU disables all and sends the eventfds again when the guest uses a higher vector for the first time."""
    listener, ringer, events = ring_setup(case)
    for _ in range(20):
        listener.disarm()
        ring(ringer, listener, 2)
        equal(events.take(2), 0, "signals while disarmed")
        listener.arm(events.fds)
        equal([events.take(vector) for vector in range(NR_VECTORS)], [0, 0, 1, 0], "after arming again")
        equal(pending(listener), 0, "pending bits")


def test_re_arming_in_a_race_with_doorbells_loses_none(case):
    listener, ringer, events = ring_setup(case)
    count = 300
    for number in range(count):
        # Disarm, ring and arm again are on their way to different threads at the same time.
        off = listener.send(SET_IRQS, irq_set(DATA_NONE | TRIGGER))
        ringer.post(0, ringer.dbmsg(0x1000), struct.pack("<Q", listener.bit(1)))
        on = listener.send(SET_IRQS, irq_set(0x24, 0, NR_VECTORS), events.fds)
        ringer.sync()
        equal((listener.finish(off), listener.finish(on)), (b"", b""))
        equal(events.take(1), 1, f"signals of ring {number}")
        listener.ack()


def test_several_signals_while_disarmed_become_one(case):
    listener, ringer, events = ring_setup(case)
    listener.disarm()
    for _ in range(5):
        ring(ringer, listener, 0)
    listener.arm(events.fds)
    equal(events.take(0), 1)


def test_arming_again_replaces_the_eventfd(case):
    listener, ringer, events = ring_setup(case)
    nr_fds = listener.server.nr_fds()
    others = Eventfds(case, 2)
    listener.arm(others.fds, 1)
    for number in range(NR_VECTORS):
        ring(ringer, listener, number)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [1, 0, 0, 1])
    equal([others.take(0), others.take(1)], [1, 1])
    equal(listener.server.nr_fds(), nr_fds, "descriptors the server has open")


def test_one_eventfd_for_all_vectors(case):
    listener, ringer, events = ring_setup(case)
    listener.arm(events.fds[:1] * NR_VECTORS)
    for number in range(NR_VECTORS):
        ring(ringer, listener, number)
    equal(events.take(0), NR_VECTORS)


def test_masking_holds_back_and_unmasking_delivers(case):
    listener, ringer, events = ring_setup(case)
    listener.call(SET_IRQS, irq_set(DATA_NONE | MASK, 1, 2))
    for number in range(NR_VECTORS):
        ring(ringer, listener, number)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [1, 0, 0, 1])
    equal(pending(listener), 0b110)
    listener.call(SET_IRQS, irq_set(DATA_BOOL | UNMASK, 1, 2, data=b"\0\1"))
    equal([events.take(1), events.take(2)], [0, 1], "the second of them unmasked")
    listener.call(SET_IRQS, irq_set(DATA_NONE | UNMASK, 1, 1))
    equal([events.take(1), events.take(2)], [1, 0], "the first of them unmasked")
    equal(pending(listener), 0)
    listener.call(SET_IRQS, irq_set(DATA_NONE | UNMASK, 1, 1))
    equal(events.take(1), 0, "unmasking what is not masked")


def test_msix_table_and_enable_bits_are_kept_and_decide_nothing(case):
    listener, ringer, events = ring_setup(case)
    cap = struct.unpack("<II", listener.read(CONFIG, MSIX_CAP, 8))
    equal((cap[0] >> 30, cap[1] & 7), (0, 0), "MSI-X is off, and its table in BAR0")
    table = cap[1]
    for vector in range(NR_VECTORS):
        row = struct.pack("<QII", 0xfee00000 + (vector << 12), 0x40 + vector, vector % 2)
        listener.write(0, table + 16 * vector, row)
        equal(listener.read(0, table + 16 * vector, 16), row, f"row {vector}")
    for control in (0, 0x8000, 0xc000):
        listener.write(CONFIG, MSIX_CAP + 2, struct.pack("<H", control))
        for vector in range(NR_VECTORS):
            ring(ringer, listener, vector)
            equal([events.take(n) for n in range(NR_VECTORS)], [n == vector for n in range(NR_VECTORS)], f"{control:#x}")
    equal(pending(listener), 0)


def test_a_client_can_trigger_its_own_vectors(case):
    listener, _, events = ring_setup(case)
    listener.call(SET_IRQS, irq_set(DATA_NONE | TRIGGER, 1, 2))
    listener.call(SET_IRQS, irq_set(DATA_BOOL | TRIGGER, 0, 4, data=b"\1\0\1\0"))
    equal([events.take(vector) for vector in range(NR_VECTORS)], [1, 1, 2, 0])


def test_unmasking_a_pending_doorbell_signals(case):
    listener, ringer, events = ring_setup(case)
    mask = listener.dbmsg(0x1018)
    listener.set_reg(mask, 0, 8)
    ringer.ring(1)
    equal((events.take(1), listener.reg(listener.dbmsg(0x1010), 8)), (0, listener.bit(1)))
    listener.set_reg(mask, listener.bit(1), 8)
    equal(events.take(1), 1)


def test_a_doorbell_that_is_pending_already_signals_no_second_time(case):
    listener, ringer, events = ring_setup(case)
    ringer.ring(1)
    ringer.ring(1)
    equal(events.take(1), 1)
    equal(listener.ack(), listener.bit(1))
    ringer.ring(1)
    equal(events.take(1), 1)


def test_bus_mastering_gates_interrupts_and_loses_none(case):
    listener, ringer, events = ring_setup(case)
    listener.set_command(MEMORY_ENABLE)
    ringer.ring(2)
    equal((events.take(2), pending(listener)), (0, 1 << 2))
    listener.set_command(MEMORY_ENABLE | BUS_MASTER)
    equal((events.take(2), pending(listener)), (1, 0))


def test_a_vector_that_the_function_has_not_is_refused(case):
    server = serve(case)
    listener, ringer, events = ring_setup(case, server)
    listener.listen(200)
    start = server.mark()
    ringer.ring(0)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [0] * NR_VECTORS)
    lines = server.lines_of(0, start)
    check(len(lines) == 1 and "vector 200" in lines[0], f"log lines {lines}")
    listener.check_lives()


def test_an_eventfd_that_nobody_reads_stalls_nobody(case):
    listener, ringer, events = ring_setup(case)
    os.eventfd_write(events.fds[1], 0xfffffffffffffffe)
    for number in (1, 2, 1):
        ring(ringer, listener, number)
    equal(events.take(2), 1)
    equal(events.take(1), 0xfffffffffffffffe, "the full counter")
    equal(pending(listener), 0)
    ring(ringer, listener, 1)
    equal(events.take(1), 1)


def test_eventfds_with_other_messages_in_one_burst(case):
    listener, ringer, events = ring_setup(case)
    listener.raw(message(SET_IRQS, irq_set(DATA_NONE | TRIGGER), 11))
    for idx, fd in enumerate(events.fds):
        listener.raw(message(SET_IRQS, irq_set(0x24, idx, 1), 20 + idx), [fd])
    for number in (11, 20, 21, 22, 23):
        equal(listener.finish(number), b"")
    for number in range(NR_VECTORS):
        ring(ringer, listener, number)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [1] * NR_VECTORS)


def test_vectors_are_forgotten_when_their_host_leaves(case):
    server = serve(case)
    listener, ringer, events = ring_setup(case, server)
    listener.close()
    server.wait_free(0)
    ringer.ring(1)
    equal(events.take(1), 0)
    again = Host(server, 0)
    case.stack.callback(again.close)
    equal(server.port(0)["client"]["armed_vectors"], 0)
    again.arm(events.fds)
    equal([events.take(vector) for vector in range(NR_VECTORS)], [0] * NR_VECTORS)


if __name__ == "__main__":
    base.main(dict(globals()))
