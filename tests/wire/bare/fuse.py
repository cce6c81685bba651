# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A file on a filesystem in user space, whose close() waits until the test lets it go.

The filesystem is mounted nowhere: it is reached by a descriptor of its root, and goes with the last descriptor of it.
"""

import contextlib
import ctypes
import os
import struct
import threading

from wirelib import DEADLINE_S, Skip, check

SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT = 430, 431, 432
FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 1, 6
LOOKUP, FORGET, GETATTR, OPEN, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 18, 25, 26, 36, 42
ENOSYS = 38
FILE_INO, FILE_SIZE = 2, 4096


def system_call(number, *args):
    """A system call that Python has no function for."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return result


def attributes(ino):
    """A struct fuse_attr: the root, or the file."""
    mode = 0o100666 if ino == FILE_INO else 0o40777
    return struct.pack("<6Q10I", ino, FILE_SIZE, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class StuckFile:
    """A file; @fd is open."""

    def __init__(self, case):
        self.is_closing = threading.Event()
        self.may_close = threading.Event()
        try:
            self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
            case.stack.callback(os.close, self.device)
            context = system_call(SYS_FSOPEN, b"fuse", 1)
            case.stack.callback(os.close, context)
            for key, value in ((b"fd", self.device), (b"rootmode", "40000"), (b"user_id", 0), (b"group_id", 0)):
                system_call(SYS_FSCONFIG, context, FSCONFIG_SET_STRING, key, str(value).encode(), 0)
            system_call(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)
            root = system_call(SYS_FSMOUNT, context, 1, 0)
        except OSError as error:
            raise Skip(f"no filesystem in user space here: {error}") from None
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        self.fd = os.open("file", os.O_RDWR | os.O_CLOEXEC, dir_fd=root)
        case.stack.callback(thread.join, DEADLINE_S)
        case.stack.callback(os.close, root)
        case.stack.callback(os.close, self.fd)
        case.stack.callback(self.may_close.set)

    def answer(self, opcode):
        """The body of the reply to a request, or None for an error."""
        if opcode == INIT:
            return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0, *(0,) * 8)
        if opcode == LOOKUP:
            return struct.pack("<4Q2I", FILE_INO, 0, 3600, 3600, 0, 0) + attributes(FILE_INO)
        if opcode == OPEN:
            return bytes(16)
        if opcode == FLUSH:
            self.is_closing.set()
            self.may_close.wait(10 * DEADLINE_S)
        return b"" if opcode in (FLUSH, RELEASE) else None

    def serve(self):
        """Be the filesystem, until the kernel has no more use for it."""
        with contextlib.suppress(OSError):
            while True:
                request = os.read(self.device, 1 << 17)
                _, opcode, unique, ino = struct.unpack_from("<IIQQ", request)
                if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
                    continue
                body = self.answer(opcode)
                if opcode == GETATTR:
                    body = struct.pack("<Q2I", 3600, 0, 0) + attributes(ino)
                head = struct.pack("<IiQ", 16 + len(body or b""), 0 if body is not None else -ENOSYS, unique)
                os.write(self.device, head + (body or b""))

    def wait_until_closing(self):
        """Somebody is in close()."""
        check(self.is_closing.wait(DEADLINE_S), "nobody closes the file")

    def let_go(self):
        """End all close() that wait, and wait for new ones."""
        self.is_closing.clear()
        self.may_close.set()
