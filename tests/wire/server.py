# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A running `openntb serve` and what can be seen of it from outside: its log, its status, its descriptors, its end."""

import fcntl
import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import base
from base import check, equal

PIPE_SIZE = 1 << 20
SANITIZER = re.compile(r"(ERROR|WARNING): \w*Sanitizer|runtime error:")


def next_line(buffer):
    """Split the first line off a buffer: (line or None, rest)."""
    end = buffer.find(b"\n")
    if end < 0:
        return None, buffer
    return buffer[:end].decode(errors="replace"), buffer[end + 1:]


class Server:
    """A server of its own in a folder of its own."""

    def __init__(self, program, *options, nr_files=None):
        self.top = tempfile.mkdtemp(prefix="ontb-wire-")
        self.folder = os.path.join(self.top, "sockets")
        self.log = []
        self.log_rest = b""
        self.log_ended = False
        self.control = None
        self.control_data = b""
        # AddressSanitizer keeps freed memory back; a little of that is enough, or nothing could be said about memory.
        env = dict(os.environ)
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        # pylint: disable-next=consider-using-with
        self.proc = subprocess.Popen([program, "serve", "--socket-dir", self.folder, *options],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        if nr_files:
            _, most = resource.prlimit(self.proc.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self.proc.pid, resource.RLIMIT_NOFILE, (nr_files, most))
        fcntl.fcntl(self.proc.stderr, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        os.set_blocking(self.proc.stderr.fileno(), False)
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def wait_ready(self):
        """Wait for the line that says that clients may connect."""
        data, line = b"", None
        with selectors.DefaultSelector() as selector:
            selector.register(self.proc.stdout, selectors.EVENT_READ)
            while line is None:
                check(selector.select(base.DEADLINE_S), f"no ready line in time: {self.read_log()}")
                more = os.read(self.proc.stdout.fileno(), 4096)
                check(more, f"the server ended at once: {self.read_log()}")
                line, data = next_line(data + more)
        check(line.startswith("ready: "), f"unexpected line {line!r}")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(base.DEADLINE_S)
        self.control.connect(os.path.join(self.folder, "control.sock"))
        check(self.status()["ok"], "status")

    def path(self, port):
        """Socket of a port."""
        return os.path.join(self.folder, f"port{port}.sock")

    def read_log(self):
        """All log lines that have been written so far."""
        while True:
            try:
                data = os.read(self.proc.stderr.fileno(), 1 << 16)
            except BlockingIOError:
                return self.log
            if not data:
                self.log_ended = True
                return self.log
            self.log_rest += data
            line, self.log_rest = next_line(self.log_rest)
            while line is not None:
                self.log.append(line)
                line, self.log_rest = next_line(self.log_rest)

    def mark(self):
        """Where the log ends now."""
        return len(self.read_log())

    def wait_log(self, pattern, start=0):
        """Wait for a line that has @pattern, from @start on; return it."""
        end = time.monotonic() + base.DEADLINE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.proc.stderr, selectors.EVENT_READ)
            while True:
                for line in self.read_log()[start:]:
                    if re.search(pattern, line):
                        return line
                left = end - time.monotonic()
                check(left > 0 and selector.select(left), f"no log line {pattern!r} in time: {self.log[start:]}")
                check(self.proc.poll() is None, f"the server ended: {self.read_log()[start:]}")

    def lines_of(self, port, start=0):
        """Log lines about a port."""
        return [line for line in self.read_log()[start:] if f"port {port}:" in line]

    def status(self):
        """What `openntb status --json` shows."""
        self.control.sendall(b'{"request":"status"}\n')
        line = None
        while line is None:
            more = self.control.recv(1 << 18)
            check(more, "the control socket was closed")
            line, self.control_data = next_line(self.control_data + more)
        return json.loads(line)

    def port(self, port):
        """Status of a port."""
        return self.status()["ports"][port]

    def counters(self, port):
        """Counters of a port."""
        return self.port(port)["counters"]

    def wait_port(self, port, truth, text):
        """Wait until @truth(status of the port) holds; return that status."""
        end = time.monotonic() + base.DEADLINE_S
        while True:
            status = self.port(port)
            if truth(status):
                return status
            check(time.monotonic() < end, f"port {port}: not in time: {text}: {status}")

    def wait_free(self, port):
        """Wait until the last client of a port is gone altogether."""
        self.wait_port(port, lambda status: not status["client"]["connected"], "the client is gone")

    def nr_fds(self):
        """Descriptors that it has open."""
        return len(os.listdir(f"/proc/{self.proc.pid}/fd"))

    def nr_maps(self, name):
        """Mappings of a file whose path has @name."""
        with open(f"/proc/{self.proc.pid}/maps", encoding="ascii") as maps:
            return sum(name in line for line in maps)

    def memory(self):
        """Bytes of memory that are its own."""
        with open(f"/proc/{self.proc.pid}/status", encoding="ascii") as status:
            return 1024 * int(re.search(r"RssAnon:\s*(\d+) kB", status.read()).group(1))

    def check_alive(self):
        """It runs and answers."""
        equal(self.proc.poll(), None, "the server's exit status")
        check(self.status()["ok"], "status")

    def kill(self):
        """End it whatever state it is in, and clean up after it."""
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait(base.DEADLINE_S)
        if self.control:
            self.control.close()
            self.control = None
        self.proc.stdout.close()
        self.proc.stderr.close()
        shutil.rmtree(self.top, ignore_errors=True)

    def finish(self):
        """End it as a user does, and check that it ends well and leaves nothing behind."""
        if self.proc.stdout.closed:
            return
        try:
            equal(self.proc.poll(), None, f"the server's exit status before its end; log: {self.read_log()}")
            self.proc.send_signal(signal.SIGTERM)
            # What it writes at its end must not fill the pipe, so read until it closes it.
            end = time.monotonic() + base.DEADLINE_S
            with selectors.DefaultSelector() as selector:
                selector.register(self.proc.stderr, selectors.EVENT_READ)
                while not self.log_ended and selector.select(max(0, end - time.monotonic())):
                    self.read_log()
            status = self.proc.wait(max(1, end - time.monotonic()))
            reports = [line for line in self.read_log() if SANITIZER.search(line)]
            equal((status, reports), (0, []), f"end of the server; log: {self.log[-20:]}")
            equal(os.listdir(self.top), [], "what the server left behind")
        finally:
            self.kill()


def serve(case, *options, **limits):
    """A server for one test, ended and checked after it."""
    server = Server(case.program, *options, **limits)
    case.stack.callback(server.finish)
    return server
