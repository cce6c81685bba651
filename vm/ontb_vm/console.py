# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Talking to guests: commands through the agent's serial line, QMP, a person's console."""

import base64
import json
import os
import random
import re
import select
import socket
import sys
import termios
import time
import tty

from . import process
from .cache import KitError


class GuestGone(KitError):
    """The guest rebooted or its QEMU ended while a command was running."""


class CommandFailed(KitError):
    """A command in the guest ended with a status other than 0."""


def connect(path, seconds=10):
    """Connect to a UNIX socket that may not exist yet."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def attempt():
        try:
            line.connect(str(path))
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    try:
        process.wait_until(f"socket {path}", attempt, seconds)
    except KitError:
        line.close()
        raise
    return line


class Agent:
    """One serial line on which the guest's agent runs commands, one at a time."""

    MARK = re.compile(rb"\n#(READY|BEGIN|END) ([^\r\n]*)\n")

    def __init__(self, path, name, log=None):
        self.name = name
        self.line = connect(path)
        self.line.setblocking(False)
        self.buffer = b""
        self.boot = None
        # Not from 0 on: the line may still bring the end of what an earlier user of it has started.
        self.number = random.randrange(1 << 32)
        self.log = open(log, "ab") if log else None  # pylint: disable=consider-using-with

    def close(self):
        """Close the line."""
        self.line.close()
        if self.log:
            self.log.close()

    def _fill(self, end, what):
        """Read more bytes, at the latest until @end."""
        left = end - time.monotonic()
        if left <= 0:
            raise process.Timeout(f"{self.name}: {what}: no end in time; last output:\n"
                                  + self.buffer[-1500:].decode(errors="replace"))
        ready, _, _ = select.select([self.line], [], [], min(left, 1.0))
        if not ready:
            return
        try:
            data = self.line.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise GuestGone(f"{self.name}: QEMU closed the line during: {what}")
        if self.log:
            self.log.write(data)
            self.log.flush()
        self.buffer += data

    def _next_mark(self, end, what):
        """(text before, kind, words) of the next mark."""
        while True:
            found = self.MARK.search(self.buffer)
            if found:
                before = self.buffer[:found.start()]
                self.buffer = self.buffer[found.end():]
                return before, found.group(1), found.group(2).split()
            self._fill(end, what)

    def wait_ready(self, seconds):
        """Wait until the guest's agent says that it is there; return the boot's id."""
        end = time.monotonic() + seconds
        while True:
            _, kind, words = self._next_mark(end, "boot")
            if kind == b"READY":
                self.boot = words[0].decode()
                return self.boot

    def start(self, script):
        """Send a script without waiting for it; return its number."""
        self.number += 1
        body = base64.b64encode(script.encode()).decode()
        # The first newline ends what an earlier user of the line may have sent by half.
        data = f"\nRUN {self.number} {body}\n".encode()
        end = time.monotonic() + 60
        while data:
            if time.monotonic() > end:
                raise process.Timeout(f"{self.name}: the guest does not take a command")
            _, ready, _ = select.select([], [self.line], [], 1.0)
            if ready:
                try:
                    data = data[self.line.send(data):]
                except (BrokenPipeError, ConnectionResetError) as error:
                    raise GuestGone(f"{self.name}: QEMU closed the line") from error
        return self.number

    def finish(self, number, what, seconds):
        """Wait for the end of a script; return (status, output)."""
        end = time.monotonic() + seconds
        want = str(number).encode()
        began = False
        while True:
            before, kind, words = self._next_mark(end, what)
            if kind == b"READY":
                self.boot = words[0].decode()
                raise GuestGone(f"{self.name}: rebooted during: {what}")
            if words and words[0] == want:
                if kind == b"BEGIN":
                    began = True
                elif began:
                    return int(words[1]), before.decode(errors="replace")

    def run(self, script, seconds=60):
        """Run a script; return (status, output)."""
        what = script.strip().splitlines()[0][:120]
        return self.finish(self.start(script), what, seconds)

    def sh(self, script, seconds=60):
        """Run a script that has to succeed; return its output."""
        status, text = self.run(script, seconds)
        if status != 0:
            raise CommandFailed(f"{self.name}: exit {status} of:\n{script.strip()}\n"
                                f"it printed:\n{text.strip()}")
        return text


class Qmp:
    """QEMU's control protocol, as far as it is needed here."""

    def __init__(self, path):
        self.line = connect(path)
        self.file = self.line.makefile("rwb")
        self.events = []
        self._read()
        self.call("qmp_capabilities")

    def _read(self, seconds=30):
        self.line.settimeout(seconds)
        try:
            text = self.file.readline()
        except TimeoutError as error:
            raise process.Timeout("QMP: no answer") from error
        if not text:
            raise GuestGone("QMP: QEMU closed the connection")
        return json.loads(text)

    def call(self, command, **arguments):
        """Execute a command and return its result."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self.file.write(json.dumps(request).encode() + b"\n")
        self.file.flush()
        while True:
            answer = self._read()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise KitError(f"QMP {command}: {answer['error'].get('desc')}")
            else:
                return answer.get("return")

    def wait_event(self, name, seconds, **data):
        """Wait for an event with the given data."""
        end = time.monotonic() + seconds
        while True:
            for event in self.events:
                if event["event"] == name and all(
                        event.get("data", {}).get(key) == value for key, value in data.items()):
                    self.events.remove(event)
                    return event
            left = end - time.monotonic()
            if left <= 0:
                raise process.Timeout(f"QMP event {name}: not seen within {seconds:g} s")
            answer = self._read(left)
            if "event" in answer:
                self.events.append(answer)

    def close(self):
        """Close the connection."""
        self.file.close()
        self.line.close()


def attach(path, leave=b"\x1d"):
    """Join the terminal with a console socket until @leave (Ctrl-]) is typed."""
    line = connect(path)
    print("attached; Ctrl-] leaves, the guest goes on", file=sys.stderr)
    saved = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        if saved:
            tty.setraw(0)
        line.sendall(b"\n")
        while True:
            ready, _, _ = select.select([0, line], [], [])
            if line in ready:
                data = line.recv(4096)
                if not data:
                    return
                os.write(1, data)
            if 0 in ready:
                data = os.read(0, 1024)
                if not data or leave in data:
                    return
                line.sendall(data)
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
            print()
        line.close()
