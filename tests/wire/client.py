# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A vfio-user client that can also say things no client should.

One idea: encoders take every field as an argument, so that a test can make exactly one of them wrong, and sending is
raw: the test decides where one send ends, and which one carries descriptors.  Written from the protocol specification
0.9.2, the structures of <linux/vfio.h>, and what QEMU 11.1 sends; it shares nothing with the server.
"""

import array
import collections
import errno
import os
import selectors
import socket
import struct
import time

import base
from base import check, equal

(VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION_INFO, GET_REGION_IO_FDS, GET_IRQ_INFO, SET_IRQS, REGION_READ,
 REGION_WRITE, DMA_READ, DMA_WRITE, RESET, DIRTY_PAGES, WRITE_MULTI, FEATURE, MIG_READ, MIG_WRITE) = range(1, 19)

REPLY, NO_REPLY, ERROR = 0x1, 0x10, 0x20
CONFIG = 7
MSIX = 2
DATA_NONE, DATA_BOOL, DATA_EVENTFD, MASK, UNMASK, TRIGGER = 1, 2, 4, 8, 16, 32
ARM = DATA_EVENTFD | TRIGGER
HEADER = struct.Struct("<HHIII")
MAX_XFER = 1 << 20
# A socket that has been full for so long is not read.
STILL_S = 0.3

Message = collections.namedtuple("Message", "id cmd flags error body")


class Closed(Exception):
    """The server closed the connection."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, number):
        super().__init__(errno.errorcode.get(number, number))
        self.number = number


def message(cmd, body=b"", number=1, flags=0, size=None, error=0):
    """A whole message."""
    return HEADER.pack(number, cmd, 16 + len(body) if size is None else size, flags, error) + body


def version(text=b'{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576}}\0', major=0, minor=0):
    """Body of VERSION."""
    return struct.pack("<HH", major, minor) + text


def dma_map(addr, size, offset=0, flags=3, argsz=32):
    """Body of DMA_MAP."""
    return struct.pack("<IIQQQ", argsz, flags, offset, addr, size)


def dma_unmap(addr, size, flags=0, argsz=24):
    """Body of DMA_UNMAP."""
    return struct.pack("<IIQQ", argsz, flags, addr, size)


def device_info(argsz=16):
    """Body of DEVICE_GET_INFO."""
    return struct.pack("<IIII", argsz, 0, 0, 0)


def region_info(index, argsz=32):
    """Body of DEVICE_GET_REGION_INFO."""
    return struct.pack("<IIIIQQ", argsz, 0, index, 0, 0, 0)


def io_fds(index, argsz=16, flags=0, count=0):
    """Body of DEVICE_GET_REGION_IO_FDS."""
    return struct.pack("<IIII", argsz, flags, index, count)


def irq_info(index, argsz=16):
    """Body of DEVICE_GET_IRQ_INFO."""
    return struct.pack("<IIII", argsz, 0, index, 0)


def irq_set(flags, start=0, count=0, index=MSIX, data=b"", argsz=None):
    """Body of DEVICE_SET_IRQS."""
    return struct.pack("<IIIII", 20 + len(data) if argsz is None else argsz, flags, index, start, count) + data


def access(region, offset, count, data=b""):
    """Body of REGION_READ and REGION_WRITE."""
    return struct.pack("<QII", offset, region, count) + data


def multi(*writes, count=None):
    """Body of REGION_WRITE_MULTI; a write is (region, offset, data) or (region, offset, data, count)."""
    body = struct.pack("<Q", len(writes) if count is None else count)
    for region, offset, data, *size in writes:
        body += struct.pack("<QII8s", offset, region, size[0] if size else len(data), data)
    return body


def feature(flags, argsz=8, data=b""):
    """Body of DEVICE_FEATURE."""
    return struct.pack("<II", argsz, flags) + data


def dma_access(addr, count, data=b""):
    """Body of DMA_READ and DMA_WRITE and of their replies."""
    return struct.pack("<QQ", addr, count) + data


def post(region, offset, data, number=0):
    """A whole posted write."""
    return message(REGION_WRITE, access(region, offset, len(data), data), number, NO_REPLY)


def connect(path):
    """A connected socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(base.DEADLINE_S)
    sock.connect(path)
    return sock


def connect_by_child(paths):
    """Connected sockets, one for each path, all from one other process.

    The kernel tells the server which process called connect(), and the server treats clients of one process as one.
    So a test that plays several hosts lets a child process connect and hand over the sockets.
    """
    mine, childs = socket.socketpair()
    with mine, childs:
        pid = os.fork()
        if not pid:
            try:
                socks = [connect(path) for path in paths]
                socket.send_fds(childs, [b"x"], [sock.fileno() for sock in socks])
            finally:
                os._exit(0)  # pylint: disable=protected-access
        childs.close()
        mine.settimeout(base.DEADLINE_S)
        _, fds, _, _ = socket.recv_fds(mine, 1, len(paths))
        os.waitpid(pid, 0)
    equal(len(fds), len(paths), "sockets that the child could connect")
    socks = [socket.socket(fileno=fd) for fd in fds]
    for sock in socks:
        sock.settimeout(base.DEADLINE_S)
    return socks


class Client:
    """A connection to a port."""

    def __init__(self, path, handshake=True, as_other_process=False, text=None, sock=None):
        self.sock = sock or (connect_by_child([path])[0] if as_other_process else connect(path))
        self.data = bytearray()
        self.start = 0
        self.commands = collections.deque()
        self.replies = {}
        self.last_number = 0
        self.greeting = None
        if handshake:
            self.greeting = self.call(VERSION, version() if text is None else version(text))

    def close(self):
        """Leave."""
        self.sock.close()

    def number(self):
        """A fresh message id."""
        self.last_number = self.last_number % 0xfffe + 1
        return self.last_number

    def raw(self, data, fds=()):
        """Send bytes; descriptors go with the first of them."""
        data = memoryview(data)
        if fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            data = data[self.sock.sendmsg([data], rights):]
        if data:
            self.sock.sendall(data)

    def send(self, cmd, body=b"", fds=(), flags=0):
        """Send a command; return its id."""
        number = self.number()
        self.raw(message(cmd, body, number, flags), fds)
        return number

    def post(self, region, offset, data):
        """A posted write."""
        self.raw(post(region, offset, data))

    def fill(self, timeout=None):
        """Receive more bytes; False if none came in time."""
        self.sock.settimeout(base.DEADLINE_S if timeout is None else timeout)
        try:
            more = self.sock.recv(1 << 18)
        except (BlockingIOError, TimeoutError):
            check(timeout is not None, "no message in time")
            return False
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed from error
        finally:
            self.sock.settimeout(base.DEADLINE_S)
        if not more:
            raise Closed
        if self.start:
            del self.data[:self.start]
            self.start = 0
        self.data += more
        return True

    def receive(self, timeout=None):
        """The next message from the socket; None if none came in @timeout seconds."""
        while True:
            have = len(self.data) - self.start
            if have >= 16:
                number, cmd, size, flags, error = HEADER.unpack_from(self.data, self.start)
                check(16 <= size <= MAX_XFER + 4096, f"the server sent a message of {size} bytes")
                check(flags & 0xf <= REPLY, f"the server sent flags {flags:#x}")
                if have >= size:
                    body = bytes(self.data[self.start + 16:self.start + size])
                    self.start += size
                    return Message(number, cmd, flags, error, body)
            if not self.fill(timeout):
                return None

    def pump(self, timeout=None):
        """Take the next message and put it where it belongs; False if none came."""
        msg = self.receive(timeout)
        if not msg:
            return False
        if msg.flags & 0xf == REPLY:
            check(msg.id not in self.replies, f"two replies to {msg.id}")
            self.replies[msg.id] = msg
        else:
            self.commands.append(msg)
        return True

    def wait_reply(self, number):
        """The reply to a command, also an error reply; what comes before it is kept."""
        while number not in self.replies:
            self.pump()
        return self.replies.pop(number)

    def finish(self, number):
        """The body of the reply to a command."""
        reply = self.wait_reply(number)
        if reply.flags & ERROR:
            raise Refused(reply.error)
        return reply.body

    def call(self, cmd, body=b"", fds=(), flags=0):
        """Send a command and return the body of its reply."""
        return self.finish(self.send(cmd, body, fds, flags))

    def refuse(self, number, cmd, body=b"", fds=()):
        """Send a command that must be answered with error @number."""
        reply = self.wait_reply(self.send(cmd, body, fds))
        equal(errno.errorcode.get(reply.error, 0), errno.errorcode[number], "error")
        equal((reply.flags, reply.body), (REPLY | ERROR, b""), "error reply")

    def wait_command(self, cmd):
        """The next command of the server, which must be @cmd."""
        while not self.commands:
            self.pump()
        msg = self.commands.popleft()
        equal(msg.cmd, cmd, "command from the server")
        return msg

    def wait_write(self):
        """The next DMA_WRITE, as (address, data)."""
        msg = self.wait_command(DMA_WRITE)
        addr, count = struct.unpack_from("<QQ", msg.body)
        equal(count, len(msg.body) - 16, "count of a DMA_WRITE")
        equal(msg.flags, NO_REPLY, "flags of a DMA_WRITE")
        return addr, msg.body[16:]

    def wait_read(self):
        """The next DMA_READ, as (message, address, count)."""
        msg = self.wait_command(DMA_READ)
        equal(len(msg.body), 16, "body of a DMA_READ")
        equal(msg.flags, 0, "flags of a DMA_READ")
        return (msg, *struct.unpack("<QQ", msg.body))

    def answer(self, msg, data):
        """Answer a DMA_READ."""
        addr, count = struct.unpack("<QQ", msg.body)
        self.raw(message(DMA_READ, dma_access(addr, count, data), msg.id, REPLY))

    def sync(self):
        """A round trip: everything sent before has been handled."""
        equal(len(self.call(GET_INFO, device_info())), 16, "device info")

    def wait_closed(self):
        """Wait for the end of the connection; return the messages that came before."""
        messages = []
        try:
            while True:
                messages.append(self.receive())
        except Closed:
            return messages

    def send_until_blocked(self, data, limit):
        """Send @data again and again until the server takes no more; return the bytes taken, at most @limit."""
        taken = 0
        self.sock.setblocking(False)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.sock, selectors.EVENT_WRITE)
                while taken < limit and selector.select(STILL_S):
                    try:
                        taken += self.sock.send(memoryview(data)[taken % len(data):])
                    except BlockingIOError:
                        continue
        finally:
            self.sock.settimeout(base.DEADLINE_S)
        return taken

    def read(self, region, offset, count):
        """Read from a region."""
        body = self.call(REGION_READ, access(region, offset, count))
        equal(body[:16], access(region, offset, count), "head of a read's reply")
        equal(len(body) - 16, count, "data of a read's reply")
        return body[16:]

    def write(self, region, offset, data):
        """Write to a region and wait for the reply."""
        body = self.call(REGION_WRITE, access(region, offset, len(data), data))
        equal(body, access(region, offset, len(data)), "reply to a write")

    def map(self, addr, size, fd=None, offset=0, flags=3):
        """Map memory."""
        equal(self.call(DMA_MAP, dma_map(addr, size, offset, flags), [] if fd is None else [fd]), b"")

    def unmap(self, addr, size, flags=0):
        """Unmap memory; return how many bytes were."""
        body = self.call(DMA_UNMAP, dma_unmap(addr, size, flags))
        argsz, got_flags, got_addr, unmapped = struct.unpack("<IIQQ", body)
        equal((argsz, got_flags, got_addr), (24, flags, addr), "reply to an unmap")
        return unmapped

    def arm(self, fds, start=0):
        """Give vectors eventfds."""
        equal(self.call(SET_IRQS, irq_set(ARM, start, len(fds)), fds), b"")

    def disarm(self, start=0, count=0):
        """Take eventfds away: of @count vectors, or of all."""
        flags = ARM if count else DATA_NONE | TRIGGER
        equal(self.call(SET_IRQS, irq_set(flags, start, count)), b"")


def wait_until(truth, text):
    """Ask again and again until the answer is true; each question is a round trip to the server."""
    end = time.monotonic() + base.DEADLINE_S
    while not truth():
        check(time.monotonic() < end, f"not in time: {text}")
