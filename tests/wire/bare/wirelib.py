# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A vfio-user client for tests, a server to test, and a runner that prints TAP.

One idea: every wait has a deadline. A test that would hang fails instead, and says what it waited for.
"""

import array
import collections
import contextlib
import json
import mmap
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

DEADLINE_S = 30

VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, GET_REGION_INFO, GET_REGION_IO_FDS, GET_IRQ_INFO, SET_IRQS = range(1, 9)
REGION_READ, REGION_WRITE, DMA_READ, DMA_WRITE, DEVICE_RESET, DIRTY_PAGES, WRITE_MULTI, DEVICE_FEATURE = range(9, 17)
MIG_DATA_READ, MIG_DATA_WRITE = 17, 18

F_REPLY, F_NO_REPLY, F_ERROR = 0x1, 0x10, 0x20
BAR0, BAR2, CONFIG = 0, 2, 7
MSIX = 2
IRQ_NONE, IRQ_BOOL, IRQ_EVENTFD, IRQ_MASK, IRQ_UNMASK, IRQ_TRIGGER = 1, 2, 4, 8, 16, 32
MAP_R, MAP_W, MAP_RW = 1, 2, 3

# Registers of the function in test_func.h.
REG_ADDR, REG_TARGET, REG_RAISE, REG_CLEAR, REG_PENDING = 0x8000, 0x8008, 0x8010, 0x8018, 0x8020
REG_ERROR, REG_ERRORS, REG_WRITES, REG_ATTACHED, REG_RESETS, REG_REFUSE = 0x8028, 0x8030, 0x8038, 0x8040, 0x8048, 0x8050

INTERRUPT = 0xfee00000
PAGE = 4096
CAPS = b'{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"write_multiple":true}}\0'

Message = collections.namedtuple("Message", "id cmd size flags error body fds")


def check(truth, text):
    """Fail the test with @text unless @truth holds."""
    if not truth:
        raise AssertionError(text)


def equal(left, right, text=""):
    """Fail the test unless two values are the same."""
    check(left == right, f"{text}: {left!r:.200} is not {right!r:.200}")


def wait_for(what, predicate, deadline_s=DEADLINE_S):
    """Ask again and again until it is so; the answer is the last value."""
    end = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if value:
            return value
        check(time.monotonic() < end, f"waited {deadline_s} s for: {what}")
        time.sleep(0.002)


def message(cmd, body=b"", flags=0, msg_id=1, size=None, error=0):
    """A message as bytes; @size lies about its length if given."""
    return struct.pack("<HHIII", msg_id, cmd, 16 + len(body) if size is None else size, flags, error) + body


def read_body(region, offset, count):
    """Body of REGION_READ."""
    return struct.pack("<QII", offset, region, count)


def write_body(region, offset, data, count=None):
    """Body of REGION_WRITE."""
    return struct.pack("<QII", offset, region, len(data) if count is None else count) + data


def map_body(addr, size, offset=0, flags=MAP_RW, argsz=32):
    """Body of DMA_MAP."""
    return struct.pack("<IIQQQ", argsz, flags, offset, addr, size)


def unmap_body(addr, size, flags=0, argsz=24):
    """Body of DMA_UNMAP."""
    return struct.pack("<IIQQ", argsz, flags, addr, size)


def irq_body(flags, start=0, count=0, data=b"", index=MSIX, argsz=None):
    """Body of SET_IRQS."""
    return struct.pack("<IIIII", 20 + len(data) if argsz is None else argsz, flags, index, start, count) + data


def multi_body(writes, count=None):
    """Body of REGION_WRITE_MULTI."""
    body = struct.pack("<Q", len(writes) if count is None else count)
    for region, offset, data, *lie in writes:
        body += struct.pack("<QII", offset, region, lie[0] if lie else len(data)) + data.ljust(8, b"\0")
    return body


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Closed(Exception):
    """The server closed the connection."""


class Client:
    """One connection, used by one thread."""

    def __init__(self, sock, negotiate=True):
        self.sock = sock
        self.sock.settimeout(DEADLINE_S)
        self.next_id = 1
        self.requests = collections.deque()
        self.keeper = None
        if negotiate:
            self.negotiate()

    def negotiate(self, caps=CAPS, major=0, minor=0):
        """Agree on a version; return the server's capabilities."""
        reply = self.call(VERSION, struct.pack("<HH", major, minor) + caps)
        equal(struct.unpack_from("<HH", reply.body), (0, 0), "version")
        check(reply.body.endswith(b"\0"), "no NUL behind the capabilities")
        return json.loads(reply.body[4:-1])["capabilities"]

    def send(self, data, fds=()):
        """Send bytes, with descriptors in front if any."""
        if fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            data = data[self.sock.sendmsg([data], ancillary):]
        self.sock.sendall(data)

    def receive(self, count):
        """Exactly that many bytes."""
        data = bytearray()
        while len(data) < count:
            try:
                more = self.sock.recv(count - len(data))
            except TimeoutError:
                raise AssertionError(f"waited for {count} bytes, {len(data)} came") from None
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed
            data += more
        return bytes(data)

    def receive_any(self):
        """The next message, whatever it is. Reads the header alone first, as QEMU does."""
        head = self.receive(16)
        msg_id, cmd, size, flags, error = struct.unpack("<HHIII", head)
        check(16 <= size <= 2 << 20, f"size {size} in a message from the server")
        return Message(msg_id, cmd, size, flags, error, self.receive(size - 16), ())

    def receive_reply(self, msg_id):
        """The reply with that id; requests of the server that come before it are kept in @requests."""
        while True:
            msg = self.receive_any()
            if msg.flags & 0xf == 0:
                self.requests.append(msg)
                continue
            equal(msg.id, msg_id, "reply's id")
            return msg

    def receive_request(self):
        """The next request of the server."""
        if self.requests:
            return self.requests.popleft()
        msg = self.receive_any()
        equal(msg.flags & 0xf, 0, "type of a message that should be a request")
        return msg

    def start(self, cmd, body=b"", flags=0, fds=()):
        """Send a command; return its id."""
        msg_id = self.next_id
        self.next_id = self.next_id % 0xffff + 1
        self.send(message(cmd, body, flags, msg_id), fds)
        return msg_id

    def request(self, cmd, body=b"", fds=()):
        """Send a command; return the reply, error or not."""
        return self.receive_reply(self.start(cmd, body, 0, fds))

    def call(self, cmd, body=b"", fds=()):
        """Send a command that must succeed; return the reply."""
        reply = self.request(cmd, body, fds)
        equal(reply.cmd, cmd, "reply's command")
        check(reply.flags == F_REPLY, f"command {cmd}: error {reply.error} {os.strerror(reply.error)}")
        return reply

    def answer(self, request, body=b"", error=0):
        """Reply to a request of the server."""
        flags = F_REPLY | (F_ERROR if error else 0)
        self.send(message(request.cmd, body, flags, request.id, error=error))

    def read(self, region, offset, count):
        """Read from a region."""
        body = self.call(REGION_READ, read_body(region, offset, count)).body
        equal(body[:16], read_body(region, offset, count), "head of a read's reply")
        return body[16:]

    def read64(self, offset):
        """Read a register of the test function."""
        return struct.unpack("<Q", self.read(BAR0, offset, 8))[0]

    def write(self, region, offset, data):
        """Write to a region and wait for the reply."""
        equal(self.call(REGION_WRITE, write_body(region, offset, data)).body, read_body(region, offset, len(data)),
              "body of a write's reply")

    def write64(self, offset, value):
        """Write a register of the test function."""
        self.write(BAR0, offset, struct.pack("<Q", value))

    def post(self, region, offset, data):
        """Write to a region without a reply."""
        self.start(REGION_WRITE, write_body(region, offset, data), F_NO_REPLY)

    def map(self, addr, size, fd=None, offset=0, flags=MAP_RW):
        """Map memory."""
        self.call(DMA_MAP, map_body(addr, size, offset, flags), [] if fd is None else [fd])

    def unmap(self, addr, size, flags=0):
        """Unmap memory; return how many bytes were mapped."""
        body = self.call(DMA_UNMAP, unmap_body(addr, size, flags)).body
        equal(len(body), 24, "length of an unmap's reply")
        return struct.unpack_from("<Q", body, 16)[0]

    def window(self, addr, target=None):
        """Point the window of BAR2 at an address of the target host."""
        if target is not None:
            self.write64(REG_TARGET, target)
        self.write64(REG_ADDR, addr)

    def arm(self, start, fds):
        """Give vectors their eventfds."""
        self.call(SET_IRQS, irq_body(IRQ_EVENTFD | IRQ_TRIGGER, start, len(fds)), fds)

    def expect_error(self, reply, errno_value):
        """Check that a reply is this error and nothing else."""
        equal(reply.flags, F_REPLY | F_ERROR, "flags of an error reply")
        equal(os.strerror(reply.error), os.strerror(errno_value), "error")
        equal(reply.size, 16, "size of an error reply")

    def expect_closed(self):
        """Check that the server closes the connection."""
        try:
            data = self.receive(1)
        except Closed:
            return
        raise AssertionError(f"the connection still lives: {data!r}")

    def close(self):
        """Leave."""
        self.sock.close()
        if self.keeper:
            os.close(self.keeper[0])
            os.waitpid(self.keeper[1], 0)
            self.keeper = None


def connect_socket(path):
    """A connected socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    sock.connect(path)
    return sock


def connect_as_other(path):
    """A socket that a child process has connected, so that it counts as another client process."""
    mine, theirs = socket.socketpair()
    wait, keep = os.pipe()
    pid = os.fork()
    if not pid:
        sock = connect_socket(path)
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd not in (0, 1, 2, wait, theirs.fileno(), sock.fileno()):
                with contextlib.suppress(OSError):
                    os.close(fd)
        socket.send_fds(theirs, [b"x"], [sock.fileno()])
        sock.close()
        os.read(wait, 1)
        os._exit(0)
    os.close(wait)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(mine, 1, 1)
    mine.close()
    return socket.socket(fileno=fds[0]), (keep, pid)


class Memory:
    """A file in memory, for mapping."""

    def __init__(self, size):
        self.fd = os.memfd_create("wire-test", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        self.view = mmap.mmap(self.fd, size)

    def close(self):
        """Free it."""
        self.view.close()
        os.close(self.fd)


class Server:
    """A wire_server process."""

    def __init__(self, program, folder, nr_ports, options):
        self.folder = folder
        self.log_path = os.path.join(folder, "log")
        args = [program, folder, str(nr_ports)] + [f"{k}={v}" for k, v in options.items()]
        with open(self.log_path, "wb") as log:
            self.proc = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        equal(self.read_line(), b"ready\n", "first line of the server; " + self.log())

    def read_line(self):
        """A line of its standard output."""
        ready, _, _ = select.select([self.proc.stdout], [], [], DEADLINE_S)
        check(ready, "no line from the server in time; " + self.log())
        return self.proc.stdout.readline()

    def status(self):
        """Status of all ports."""
        self.proc.stdin.write(b"s\n")
        self.proc.stdin.flush()
        return json.loads(self.read_line())

    def path(self, port):
        """Socket of a port."""
        return os.path.join(self.folder, f"{port}.sock")

    def log(self):
        """What it has written to standard error."""
        with open(self.log_path, encoding="utf-8", errors="replace") as handle:
            return handle.read()

    def wait_log(self, pattern):
        """Wait for a line that matches."""
        return wait_for(f"a log line like {pattern!r}; the log is: {self.log()}",
                        lambda: re.search(pattern, self.log(), re.M))

    def stop(self):
        """End it; it must end cleanly and leave no sockets behind."""
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        status = self.proc.wait(DEADLINE_S)
        self.proc.stdin.close()
        self.proc.stdout.close()
        check(status == 0, f"the server ended with {status}; {self.log()}")
        left = [name for name in os.listdir(self.folder) if name.endswith(".sock")]
        equal(left, [], "sockets left behind")


class Case:
    """What a test gets: servers, clients and memory that are cleaned up after it."""

    def __init__(self, program):
        self.program = program
        self.stack = contextlib.ExitStack()
        self.server = None

    def serve(self, nr_ports=2, **options):
        """Start a server."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="ontb-wire-"))
        self.server = Server(self.program, folder, nr_ports, options)
        self.stack.callback(self.server.stop)
        return self.server

    def client(self, port=0, negotiate=True, other=False):
        """Connect to a port of the server, as another process if wanted."""
        if not self.server:
            self.serve()
        if other:
            sock, keeper = connect_as_other(self.server.path(port))
        else:
            sock, keeper = connect_socket(self.server.path(port)), None
        client = Client(sock, False)
        client.keeper = keeper
        self.stack.callback(client.close)
        if negotiate:
            client.negotiate()
        return client

    def memory(self, size):
        """Memory for mapping."""
        memory = Memory(size)
        self.stack.callback(memory.close)
        return memory

    def eventfd(self, initial=0):
        """An eventfd, as QEMU makes it."""
        fd = os.eventfd(initial, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.stack.callback(os.close, fd)
        return fd


def eventfd_count(fd):
    """What has been signalled since the last call."""
    try:
        return os.eventfd_read(fd)
    except BlockingIOError:
        return 0


def run(module):
    """Run a module's tests: argv[1] is the server, further arguments choose tests by part of their names."""
    program, wanted = sys.argv[1], sys.argv[2:]
    tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    tests = [(n, f) for n, f in tests if not wanted or any(w in n for w in wanted)]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, (name, function) in enumerate(tests, 1):
        case = Case(program)
        error, skip = None, ""
        for step in (lambda: function(case), case.stack.close):
            try:
                step()
            except Skip as reason:
                skip = f" # SKIP {reason}"
            except Exception:  # pylint: disable=broad-except
                error = error or traceback.format_exc()
        failed += error is not None
        if error:
            print("".join(f"# {line}\n" for line in error.splitlines()), end="")
        print(f"{'not ok' if error else 'ok'} {number} - {name}{skip}", flush=True)
    sys.exit(1 if failed else 0)
