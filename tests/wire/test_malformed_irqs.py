#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""DEVICE_SET_IRQS and DEVICE_GET_IRQ_INFO gone wrong.

Before each row vector 0 has an eventfd, and after it vector 0 and no other has.
"""

import os
import signal
import socket
import ctypes
from errno import EINVAL

import malformed
from base import check, equal
from client import (ARM, DATA_BOOL, DATA_EVENTFD, DATA_NONE, GET_IRQ_INFO, MASK, SET_IRQS, TRIGGER, UNMASK, irq_info,
                    irq_set)
from malformed import refused, silent

NR_VECTORS = 4
UNKNOWN, DATA, ACTION, KIND, LAST = ("unknown flags", "not exactly one kind of data", "not exactly one action",
                                     "no such kind of interrupt", "vectors beyond the last one")
NOT_EVENTFD, NUMBER_OF_FDS, NO_SUCH = ("is not an eventfd", "number of descriptors differs from count",
                                       "no interrupts of this kind")


def event(case):
    """An eventfd."""
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    case.stack.callback(os.close, fd)
    return fd


def events(count):
    """A function that makes eventfds."""
    return lambda case: [event(case) for _ in range(count)]


def arm_vector_0(case, client):
    """Give vector 0 an eventfd."""
    fd = event(case)
    client.arm([fd])
    return fd


def only_vector_0(client, fd, status):
    """Vector 0 is armed, the others are not."""
    equal(status["client"]["armed_vectors"], 1, "vectors with an eventfd")
    equal(client.call(SET_IRQS, irq_set(DATA_NONE | TRIGGER, 0, 1)), b"")
    equal(os.eventfd_read(fd), 1, "signals at vector 0")


def bad(name, body, reason, fds=None):
    """A SET_IRQS that is refused."""
    return refused(f"set_{name}", SET_IRQS, body, EINVAL, reason, fds=fds, prepare=arm_vector_0, after=only_vector_0)


def other_fd(name, make, good=0):
    """A SET_IRQS for vectors from 1 on: @good eventfds, then one that is none."""
    return bad(f"{name}_as_an_eventfd", irq_set(ARM, 1, good + 1), NOT_EVENTFD,
               fds=lambda case: [event(case) for _ in range(good)] + [make(case)])


def opened(path, flags):
    """A function that opens a file."""
    def give(case):
        fd = os.open(path, flags)
        case.stack.callback(os.close, fd)
        return fd

    return give


def memory_file(case):
    """A file with memory."""
    fd = os.memfd_create("ontb-malformed")
    case.stack.callback(os.close, fd)
    return fd


def pipe(case):
    """The writing end of a pipe, full so that a write would block."""
    fds = os.pipe()
    for fd in fds:
        case.stack.callback(os.close, fd)
    os.set_blocking(fds[1], False)
    try:
        while os.write(fds[1], bytes(65536)):
            pass
    except BlockingIOError:
        os.set_blocking(fds[1], True)
    return fds[1]


def unix_socket(case):
    """A socket."""
    return case.stack.enter_context(socket.socket(socket.AF_UNIX)).fileno()


def signal_fd(case):
    """A signalfd: an anonymous inode too."""
    mask = (ctypes.c_ulong * 16)(1 << signal.SIGUSR1 - 1)
    fd = ctypes.CDLL(None).signalfd(-1, mask, 0)
    check(fd >= 0, "signalfd")
    case.stack.callback(os.close, fd)
    return fd


ROWS = [
    bad("with_empty_body", b"", "shorter than 20 bytes"),
    bad("with_body_of_19_bytes", irq_set(DATA_NONE | TRIGGER)[:19], "shorter than 20 bytes"),
    bad("with_argsz_0", irq_set(DATA_NONE | TRIGGER, argsz=0), "argsz below 20"),
    bad("with_argsz_19", irq_set(DATA_NONE | TRIGGER, argsz=19), "argsz below 20"),
    bad("with_no_flags", irq_set(0), DATA),
    bad("with_unknown_flag_6", irq_set(DATA_NONE | TRIGGER | 0x40), UNKNOWN),
    bad("with_unknown_flag_31", irq_set(DATA_NONE | TRIGGER | 0x80000000), UNKNOWN),
    bad("with_all_ones", b"\xff" * 20, UNKNOWN),
    bad("with_action_and_no_data", irq_set(TRIGGER, 0, 1), DATA),
    bad("with_two_kinds_of_data", irq_set(DATA_NONE | DATA_BOOL | TRIGGER, 0, 1, data=b"\1"), DATA),
    bad("with_three_kinds_of_data", irq_set(DATA_NONE | DATA_BOOL | DATA_EVENTFD | TRIGGER, 0, 1, data=b"\1"), DATA),
    bad("with_data_and_no_action", irq_set(DATA_NONE, 0, 1), ACTION),
    bad("with_two_actions", irq_set(DATA_NONE | TRIGGER | MASK, 0, 1), ACTION),
    bad("with_mask_and_unmask", irq_set(DATA_NONE | MASK | UNMASK, 0, 1), ACTION),
    bad("of_kind_5", irq_set(DATA_NONE | TRIGGER, 0, 1, 5), KIND),
    bad("of_kind_all_ones", irq_set(DATA_NONE | TRIGGER, 0, 1, 0xffffffff), KIND),
    bad("whose_start_plus_count_wraps_around", irq_set(DATA_NONE | TRIGGER, 0xffffffff, 2),
        "start plus count overflows"),
    bad("of_one_vector_too_many", irq_set(DATA_NONE | TRIGGER, 0, NR_VECTORS + 1), LAST),
    bad("of_the_vector_behind_the_last", irq_set(DATA_NONE | TRIGGER, NR_VECTORS, 1), LAST),
    bad("of_vector_all_ones", irq_set(DATA_NONE | TRIGGER, 0xfffffffe, 1), LAST),
    bad("of_all_ones_vectors", irq_set(DATA_NONE | TRIGGER, 0, 0xffffffff), LAST),
    bad("that_masks_no_vector", irq_set(DATA_NONE | MASK, 0, 0), "count is 0"),
    bad("that_unmasks_no_vector", irq_set(DATA_NONE | UNMASK, 0, 0), "count is 0"),
    bad("that_triggers_no_vector_from_1_on", irq_set(DATA_NONE | TRIGGER, 1, 0), "count is 0"),
    bad("of_no_booleans", irq_set(DATA_BOOL | TRIGGER, 0, 0), "count is 0"),
    bad("of_no_eventfds", irq_set(ARM, 0, 0), "count is 0"),
    bad("without_booleans", irq_set(DATA_BOOL | TRIGGER, 0, 2, argsz=22), "does not fit count"),
    bad("with_one_of_two_booleans", irq_set(DATA_BOOL | TRIGGER, 0, 2, data=b"\1", argsz=22), "does not fit count"),
    bad("with_three_of_two_booleans", irq_set(DATA_BOOL | TRIGGER, 0, 2, data=b"\1\1\1"), "does not fit count"),
    bad("with_argsz_too_small_for_its_booleans", irq_set(DATA_BOOL | TRIGGER, 0, 2, data=b"\1\1", argsz=21),
        "no room for the data"),
    bad("of_2_to_31_booleans", irq_set(DATA_BOOL | TRIGGER, 0, 1 << 31, argsz=0xffffffff), "does not fit count"),
    bad("with_data_behind_none", irq_set(DATA_NONE | TRIGGER, 0, 1, data=b"\1"), "does not fit count"),
    bad("with_data_behind_eventfd", irq_set(ARM, 1, 1, data=bytes(4)), "does not fit count", events(1)),
    bad("that_masks_with_an_eventfd", irq_set(DATA_EVENTFD | MASK, 1, 1), "eventfds only trigger", events(1)),
    bad("that_unmasks_with_an_eventfd", irq_set(DATA_EVENTFD | UNMASK, 1, 1), "eventfds only trigger", events(1)),
    bad("with_1_of_2_eventfds", irq_set(ARM, 1, 2), NUMBER_OF_FDS, events(1)),
    bad("with_3_of_2_eventfds", irq_set(ARM, 1, 2), NUMBER_OF_FDS, events(3)),
    bad("with_17_eventfds", irq_set(ARM, 1, 17), "more descriptors than were agreed upon", events(17)),
    bad("with_eventfds_beyond_the_last_vector", irq_set(ARM, 1, NR_VECTORS), LAST, events(NR_VECTORS)),
    bad("of_none_with_an_eventfd", irq_set(DATA_NONE | TRIGGER, 1, 1), "not as the data", events(1)),
    bad("of_booleans_with_an_eventfd", irq_set(DATA_BOOL | TRIGGER, 1, 1, data=b"\1"), "not as the data", events(1)),
    bad("that_disables_all_with_an_eventfd", irq_set(DATA_NONE | TRIGGER), "not as the data", events(1)),
    bad("of_intx_with_an_eventfd", irq_set(ARM, 0, 1, 0), NO_SUCH, events(1)),
    bad("of_msi_with_an_eventfd", irq_set(ARM, 0, 1, 1), NO_SUCH, events(1)),
    bad("of_err_with_an_eventfd", irq_set(ARM, 0, 1, 3), NO_SUCH, events(1)),
    bad("of_req_with_an_eventfd", irq_set(ARM, 0, 1, 4), NO_SUCH, events(1)),
    bad("that_triggers_intx", irq_set(DATA_NONE | TRIGGER, 0, 1, 0), NO_SUCH),
    bad("that_unmasks_intx", irq_set(DATA_NONE | UNMASK, 0, 1, 0), NO_SUCH),
    other_fd("pipe_that_is_full", pipe),
    other_fd("socket", unix_socket),
    other_fd("memory", memory_file),
    other_fd("dev_null", opened("/dev/null", os.O_WRONLY)),
    other_fd("folder", opened("/", os.O_RDONLY)),
    other_fd("signalfd", signal_fd),
    other_fd("pipe_behind_two_eventfds", pipe, 2),
    silent("set_of_a_vector_behind_the_last_without_reply", SET_IRQS, irq_set(ARM, NR_VECTORS, 1), LAST, fds=events(1),
           prepare=arm_vector_0, after=only_vector_0),
    refused("info_with_empty_body", GET_IRQ_INFO, b"", EINVAL, "body is not 16 bytes"),
    refused("info_with_body_of_15_bytes", GET_IRQ_INFO, irq_info(2)[:15], EINVAL, "body is not 16 bytes"),
    refused("info_with_body_of_17_bytes", GET_IRQ_INFO, irq_info(2) + b"\0", EINVAL, "body is not 16 bytes"),
    refused("info_with_argsz_0", GET_IRQ_INFO, irq_info(2, 0), EINVAL, "argsz below 16"),
    refused("info_with_argsz_15", GET_IRQ_INFO, irq_info(2, 15), EINVAL, "argsz below 16"),
    refused("info_of_kind_5", GET_IRQ_INFO, irq_info(5), EINVAL, KIND),
    refused("info_of_kind_all_ones", GET_IRQ_INFO, irq_info(0xffffffff), EINVAL, KIND),
    refused("info_with_an_eventfd", GET_IRQ_INFO, irq_info(2), EINVAL, "descriptors where none belong", fds=events(1)),
]

if __name__ == "__main__":
    malformed.main(ROWS)
