# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Runs the functions named test_* of a module and prints TAP.

One idea: a test is a function whose name is a sentence; it gets a fresh Case, which cleans up whatever the test started.
"""

import contextlib
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

DEADLINE_S = int(os.environ.get("ONTB_TEST_DEADLINE", "30"))


class Skip(Exception):
    """The test cannot run here; the text says why."""


def check(truth, text):
    """Fail the test with @text unless @truth holds."""
    if not truth:
        raise AssertionError(text)


def equal(left, right, text=""):
    """Fail the test unless two values are the same."""
    check(left == right, f"{text}: {left!r} is not {right!r}")


class Server:
    """A running `openntb serve`."""

    def __init__(self, case, proc, folder, err):
        self.case = case
        self.proc = proc
        self.folder = folder
        self.err = err
        self.ready = None

    def wait_ready(self):
        """Wait for the ready line."""
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.proc.stdout, selectors.EVENT_READ)
            end = time.monotonic() + DEADLINE_S
            while not line.endswith(b"\n"):
                check(selector.select(max(0, end - time.monotonic())), f"no ready line in time; {self.errors()}")
                data = os.read(self.proc.stdout.fileno(), 4096)
                check(data, f"the server ended without a ready line; {self.errors()}")
                line += data
        self.ready = line.decode()
        check(self.ready.startswith("ready: "), f"unexpected line {self.ready!r}")
        return self

    def errors(self):
        """What it wrote to standard error so far."""
        return pathlib.Path(self.err).read_text(encoding="utf-8", errors="replace")

    def wait(self):
        """Exit status."""
        return self.proc.wait(DEADLINE_S)

    def stop(self, number=signal.SIGTERM):
        """End it with a signal; return its exit status."""
        self.proc.send_signal(number)
        return self.wait()

    def path(self, name):
        """Path of one of its sockets."""
        return os.path.join(self.folder, name)


class Guest:
    """As much of a vfio-user client as is needed to make traffic."""

    CONFIG = 7

    def __init__(self, case, path):
        self.case = case
        self.sock = case.connect(path)
        self.nr_messages = 0
        reply = self.call(1, struct.pack("<HH", 0, 0) + b'{"capabilities":{"max_msg_fds":8}}\0')
        check(len(reply) >= 4, "short version reply")

    def send(self, command, body, flags=0):
        """Send a message; return its number."""
        self.nr_messages += 1
        number = self.nr_messages & 0xffff
        self.sock.sendall(struct.pack("<HHIII", number, command, 16 + len(body), flags, 0) + body)
        return number

    def receive(self, count):
        """Receive that many bytes."""
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            check(more, "the server closed the connection")
            data += more
        return data

    def call(self, command, body):
        """Send a message and return the body of its reply."""
        number = self.send(command, body)
        got, _, size, flags, error = struct.unpack("<HHIII", self.receive(16))
        reply = self.receive(size - 16)
        equal(got, number, "reply's number")
        check(flags & 1, "no reply")
        equal(error, 0, f"command {command}: error")
        return reply

    def read(self, region, offset, count):
        """Read from a region."""
        return self.call(9, struct.pack("<QII", offset, region, count))[16:]

    def write(self, region, offset, data):
        """Write to a region and wait for the reply."""
        self.call(10, struct.pack("<QII", offset, region, len(data)) + data)

    def arm(self, vector):
        """Give the server an eventfd for an MSI-X vector; return the descriptor."""
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.case.stack.callback(os.close, fd)
        body = struct.pack("<IIIII", 20, 0x24, 2, vector, 1)
        self.nr_messages += 1
        socket.send_fds(self.sock, [struct.pack("<HHIII", self.nr_messages, 8, 36, 0, 0) + body], [fd])
        _, _, size, flags, error = struct.unpack("<HHIII", self.receive(16))
        self.receive(size - 16)
        equal((flags, error), (1, 0), "reply to SET_IRQS")
        return fd

    def enable(self):
        """Switch on memory decoding and bus mastering."""
        self.write(self.CONFIG, 4, struct.pack("<H", 6))


class Case:
    """What one test has: a folder, and helpers that are cleaned up after it."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.folder = tempfile.mkdtemp(prefix="ontb-")
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        """A path in the test's own folder."""
        return os.path.join(self.folder, name)

    def write_file(self, name, data):
        """Make a file; return its path."""
        path = self.path(name)
        with open(path, "wb") as handle:
            handle.write(data if isinstance(data, bytes) else data.encode())
        return path

    def run(self, *args, **options):
        """Run openntb to its end."""
        options.setdefault("stdout", subprocess.PIPE)
        env = dict(os.environ, **options.pop("env", {}))
        return subprocess.run([self.program, *args], check=False, stdin=options.pop("stdin", subprocess.DEVNULL),
                              stderr=subprocess.PIPE, timeout=DEADLINE_S, text=True, env=env, **options)

    def start(self, *args, folder=None, env=None, **options):
        """Start `openntb serve` without waiting for it."""
        folder = folder or self.path("sockets")
        err = self.path(f"stderr-{time.monotonic_ns()}")
        with open(err, "wb") as out:
            # pylint: disable-next=consider-using-with
            proc = subprocess.Popen([self.program, "serve", "--socket-dir", folder, *args], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=out, env=dict(os.environ, **(env or {})), **options)
        self.stack.callback(self.end, proc)
        return Server(self, proc, folder, err)

    def serve(self, *args, **options):
        """Start `openntb serve` and wait until it is ready."""
        return self.start(*args, **options).wait_ready()

    @staticmethod
    def end(proc):
        """End a process that a test left behind."""
        if proc.poll() is None:
            proc.kill()
        proc.wait(DEADLINE_S)
        if proc.stdout:
            proc.stdout.close()

    def connect(self, path):
        """Connect to a UNIX socket."""
        sock = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        # A connect that may wait for room in the queue of connections must be a blocking one.
        sock.connect(path)
        sock.settimeout(DEADLINE_S)
        return sock


def wait_until(truth, text):
    """Wait until a condition holds that nothing announces."""
    end = time.monotonic() + DEADLINE_S
    while not truth():
        check(time.monotonic() < end, f"not in time: {text}")
        time.sleep(0.01)


def main(namespace):
    """Run the module's tests with the program named by the first argument."""
    program = sys.argv[1]
    wanted = sys.argv[2:]
    tests = [(name[5:], what) for name, what in namespace.items() if name.startswith("test_") and callable(what)]
    tests = [(name, what) for name, what in tests if not wanted or any(re.search(w, name) for w in wanted)]
    print(f"1..{len(tests)}", flush=True)
    nr_failed = 0
    for number, (name, what) in enumerate(tests, 1):
        case = Case(program)
        try:
            with case.stack:
                what(case)
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:  # pylint: disable=broad-exception-caught
            nr_failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {name}", flush=True)
    sys.exit(1 if nr_failed else 0)
