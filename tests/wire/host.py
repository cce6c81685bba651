# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A host on a Switchtec NTB port: a client that programs the bridge as Linux 6.12's ntb_hw_switchtec.c does.

One idea: each host opens windows into its own memory, by programming the *peer's* control block; the peer then sees
that memory in its BARs.
"""

import mmap
import os
import selectors
import struct

import base
from base import check, equal
from client import CONFIG, Client, wait_until

BAR_LUT, BAR_DIRECT = 2, 4
LUT_SIZE = 64 << 10
INTERRUPTS = 0xfee00000
PAGE = 4096

COMMAND = 4
MEMORY_ENABLE, BUS_MASTER = 2, 4

CTRL, CTRL_STRIDE = 0x14000, 0x2000
PART_STATUS, PART_OP, BAR_ERROR, LUT_ERROR = 0x00, 0x04, 0x10, 0x18
LOCK, CONFIGURE, RESET_BLOCK = 1, 2, 3
NORMAL, LOCKED = 1, 2
CTL_VALID, CTL_DIRECT, CTL_LUT = 0x1, 0x10, 0x20

DBMSG, DBMSG_STRIDE = 0x74000, 0x4000
ODB, ODB_MASK, IDB, IDB_MASK, VEC_MAP, MSG_MAP, OMSG, IMSG, PBA = (
    0x1000, 0x1008, 0x1010, 0x1018, 0x1020, 0x1060, 0x1068, 0x1088, 0x3000)

DEVICE_ID_REG, DEVICE_ID = 0x2000, 0x8532
FORMATS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}


class Ram:
    """Memory of a host, in a file of its own."""

    def __init__(self, case, size, name="ram"):
        self.size = size
        self.fd = os.memfd_create(f"ontb-{name}")
        case.stack.callback(os.close, self.fd)
        os.ftruncate(self.fd, size)
        self.view = mmap.mmap(self.fd, size)
        case.stack.callback(self.view.close)

    def __getitem__(self, where):
        return self.view[where]

    def __setitem__(self, where, data):
        self.view[where] = data

    def fill(self, byte):
        """Make all bytes the same."""
        self.view[:] = bytes([byte]) * self.size


class Host(Client):
    """A host on a port. Each is a process of its own as far as the server can tell."""

    def __init__(self, server, port, as_other_process=True, enable=True, **options):
        super().__init__(server.path(port), as_other_process=as_other_process, **options)
        self.server = server
        self.port = port
        self.peer = port ^ 1
        if enable:
            self.set_command(MEMORY_ENABLE | BUS_MASTER)

    def set_command(self, bits):
        """Write the PCI command register."""
        self.write(CONFIG, COMMAND, struct.pack("<H", bits))

    def reg(self, offset, width=4):
        """Read a register."""
        return struct.unpack(FORMATS[width], self.read(0, offset, width))[0]

    def set_reg(self, offset, value, width=4):
        """Write a register and wait until it is written."""
        self.write(0, offset, struct.pack(FORMATS[width], value))

    def check_lives(self):
        """The port answers a register read as it should."""
        equal(self.reg(DEVICE_ID_REG, 2), DEVICE_ID, f"device id register seen at port {self.port}")

    def ctrl(self, part, offset):
        """Register of a control block."""
        return CTRL + part * CTRL_STRIDE + offset

    def dbmsg(self, offset):
        """Register of this host's own doorbell and message block."""
        return DBMSG + self.port * DBMSG_STRIDE + offset

    def lock(self, part):
        """Lock a control block."""
        self.set_reg(self.ctrl(part, PART_OP), LOCK)
        wait_until(lambda: self.reg(self.ctrl(part, PART_STATUS)) == LOCKED, f"lock of control block {part}")

    def commit(self, part):
        """Make what was written to a control block real, and unlock it; return the error registers."""
        self.set_reg(self.ctrl(part, PART_OP), CONFIGURE)
        equal(self.reg(self.ctrl(part, PART_STATUS)), NORMAL, "partition_status after a commit")
        return self.reg(self.ctrl(part, BAR_ERROR)), self.reg(self.ctrl(part, LUT_ERROR))

    def write_direct(self, part, bar, addr, size, target):
        """Registers of a direct window, without lock and commit."""
        entry = self.ctrl(part, 0x40 + 16 * bar)
        low = size & 0xfffff000 | size.bit_length() - 1 if size else 0
        self.set_reg(entry + 4, low)
        self.set_reg(self.ctrl(part, 0xa0 + 16 * bar), size >> 32)
        self.set_reg(entry + 8, addr | target, 8)
        ctl = self.reg(entry)
        self.set_reg(entry, ctl | CTL_DIRECT if size else ctl & ~CTL_DIRECT)

    def write_lut(self, part, idx, addr, target, count=32, enable=1):
        """Registers of a look-up table entry, without lock and commit."""
        entry = self.ctrl(part, 0x40 + 16 * BAR_LUT)
        ctl = self.reg(entry) & (CTL_VALID | CTL_DIRECT)
        self.set_reg(entry, ctl | CTL_LUT | 16 << 8 | (count - 1) << 14)
        self.set_reg(self.ctrl(part, 0x1000 + 8 * idx), addr | target << 1 | enable, 8)

    def show(self, addr, size, bar=BAR_DIRECT):
        """Open a direct window of the peer into this host's memory."""
        self.lock(self.peer)
        self.write_direct(self.peer, bar, addr, size, self.port)
        equal(self.commit(self.peer), (0, 0), "errors of a commit")

    def hide(self, bar=BAR_DIRECT):
        """Close a direct window of the peer."""
        self.show(0, 0, bar)

    def show_lut(self, idx, addr):
        """Open a look-up table window of the peer into this host's memory."""
        self.lock(self.peer)
        self.write_lut(self.peer, idx, addr, self.port)
        equal(self.commit(self.peer), (0, 0), "errors of a commit")

    def bit(self, number=0, of_peer=False):
        """A doorbell bit that rings at this host, or at its peer: the lower port of a pair owns 0 to 27."""
        is_low = (self.port % 2 == 0) != of_peer
        return 1 << number + (0 if is_low else 32)

    def listen(self, *vectors):
        """Let doorbell number n interrupt with vectors[n]."""
        bits = 0
        for number, vector in enumerate(vectors):
            bits |= self.bit(number)
            self.set_reg(self.dbmsg(VEC_MAP) + self.bit(number).bit_length() - 1, vector, 1)
        self.set_reg(self.dbmsg(IDB_MASK), bits, 8)

    def may_ring(self):
        """Allow all doorbells towards the peer."""
        self.set_reg(self.dbmsg(ODB_MASK), 0x0fffffff << (0 if self.port % 2 else 32), 8)

    def ring(self, number=0):
        """Ring a doorbell of the peer."""
        self.set_reg(self.dbmsg(ODB), self.bit(number, of_peer=True), 8)

    def ack(self):
        """Clear all doorbells; return which were pending."""
        pending = self.reg(self.dbmsg(IDB), 8)
        self.set_reg(self.dbmsg(IDB), pending, 8)
        return pending


class Eventfds:
    """Eventfds of a host's vectors."""

    def __init__(self, case, count):
        self.fds = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(count)]
        for fd in self.fds:
            case.stack.callback(os.close, fd)

    def take(self, vector):
        """Signals since the last call."""
        try:
            return os.eventfd_read(self.fds[vector])
        except BlockingIOError:
            return 0

    def wait(self, vector):
        """Wait for a signal; return how many there were."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.fds[vector], selectors.EVENT_READ)
            check(selector.select(base.DEADLINE_S), f"vector {vector} was silent")
        return self.take(vector)


def pair(case, server, first=0, ram_size=4 << 20, base_addr=0):
    """Two hosts with memory in files at @base_addr, both with open gates."""
    hosts = []
    for port in (first, first + 1):
        host = Host(server, port)
        case.stack.callback(host.close)
        host.ram = Ram(case, ram_size, f"port{port}")
        host.map(base_addr, ram_size, host.ram.fd)
        hosts.append(host)
    return hosts
