# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The bridge as a process: `openntb serve`, started, asked and stopped from here."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

from . import process
from .cache import KitError

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def find_openntb(given=None):
    """The openntb program: @given, OPENNTB, the build folder's, or the one in PATH."""
    chosen = given or os.environ.get("OPENNTB")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise KitError(f"{chosen}: not a program (see --openntb and OPENNTB)")
        return chosen
    built = TOP / "build/tool/openntb"
    if os.access(built, os.X_OK):
        return str(built)
    found = shutil.which("openntb")
    if not found:
        raise KitError(f"no openntb: neither {built} nor in PATH; run make, or use --openntb")
    return found


def server_command(program, folder, options):
    """The words that start a server with its sockets in @folder."""
    return [program, "serve", "--socket-dir", str(folder), *options]


class Bridge:
    """One server process with its sockets in a folder of its own."""

    def __init__(self, program, folder, ports=2, options=(), log=None, urgent=False):
        self.program = program
        self.folder = pathlib.Path(folder)
        self.ports = ports
        self.options = ["--ports", str(ports), *options]
        self.log = log or self.folder.parent / "server.log"
        self.urgent = urgent
        self.proc = None

    def socket(self, port):
        """Path of the socket of one port."""
        return self.folder / f"port{port}.sock"

    def start(self, seconds=20):
        """Start the server and wait for all its sockets."""
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = server_command(self.program, self.folder, self.options)
        self.proc = process.start(argv, self.log, self.urgent)
        wanted = [self.socket(port) for port in range(self.ports)]

        def ready():
            if self.proc.poll() is not None:
                raise KitError(f"the server ended with status {self.proc.returncode}:\n"
                               + self.log_text()[-2000:])
            return all(path.is_socket() for path in wanted)

        process.wait_until("sockets of the server", ready, seconds)

    def log_text(self):
        """What the server has printed so far."""
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    def status(self):
        """The answer of `openntb status --json`."""
        done = subprocess.run([self.program, "status", "--socket-dir", str(self.folder),
                               "--json"], check=False, text=True, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise KitError(f"openntb status: exit {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def died(self):
        """Whether a started server has ended by itself."""
        return self.proc is not None and self.proc.poll() is not None

    def reap(self):
        """Forget a server that has ended; what it left behind is the next one's affair."""
        if self.proc is not None:
            process.stop(self.proc)
            self.proc = None

    def kill(self):
        """kill -9, for tests."""
        os.kill(self.proc.pid, signal.SIGKILL)
        self.proc.wait()

    def stop(self):
        """End the server; return whether it went by itself and left no socket."""
        clean = process.stop(self.proc)
        left = [path.name for path in self.folder.glob("*.sock")] if self.folder.exists() else []
        return clean and not left
