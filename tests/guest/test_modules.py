#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A module from outside of this tree: built, brought into a pair of guests, and replaced there, by the commands of vm/.

The module is tests/guest/ntb_bell, which rings the peer's doorbell. These tests start vm/pair as its users do.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from harness import TOP, bad_lines, console, expect, main, process, test
from ontb_vm import kernel, modfile

SOURCE = TOP / "tests/guest/ntb_bell"
BOOT_SECONDS = 400
ACCEL = os.environ.get("OPENNTB_ACCEL", "auto")


def vm(name, *words, seconds=300):
    """Run a command of vm/; return (status, standard output, standard error)."""
    done = subprocess.run([TOP / "vm" / name, *words], check=False, text=True, timeout=seconds, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def build(folder, *words):
    """Build the modules of a folder; return the only one."""
    status, text, said = vm("module", folder, *words)
    expect(status == 0, f"vm/module: exit {status}: {said}")
    (path,) = text.splitlines()
    expect(f"M={folder} KBUILD_EXTRA_SYMBOLS=" in said, f"the command of make is not shown: {said}")
    return path


class RunningPair:
    """A vm/pair that waits, with what it has printed."""

    def __init__(self, folder, *words):
        self.folder = folder
        self.said = ""
        # pylint: disable-next=consider-using-with
        self.proc = subprocess.Popen([TOP / "vm/pair", "--folder", folder, "--accel", ACCEL, *words], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def wait_told(self):
        """Wait until it has said how everything is reached."""
        end = time.monotonic() + BOOT_SECONDS
        while "Ctrl-C ends the run" not in self.said:
            ready, _, _ = select.select([self.proc.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.proc.stdout.fileno(), 4096) if ready else b""
            expect(data, f"vm/pair {'ended' if ready else 'is not ready in time'}; it said:\n{self.said}")
            self.said += data.decode()

    def told(self, what):
        """The words of the line that begins with @what."""
        found = re.search(rf"^{re.escape(what)}: (.*)$", self.said, re.M)
        expect(found, f"no line {what!r} in:\n{self.said}")
        return shlex.split(found.group(1))

    def agent(self, number):
        """The agent of a guest that is free for others."""
        return console.Agent(self.folder / f"guest{number}.agent1", f"guest{number}")

    def stop(self):
        """End it as a user does; return its exit status."""
        self.proc.send_signal(signal.SIGTERM)
        try:
            return self.proc.wait(60)
        finally:
            self.proc.kill()
            self.proc.stdout.close()


@contextlib.contextmanager
def running_pair(folder, *words, known=()):
    """A pair, ended in any case, whose guests' kernels have had nothing to complain about but what is @known."""
    pair = RunningPair(folder, *words)
    try:
        pair.wait_told()
        yield pair
        for path in sorted(folder.glob("guest?.agent1")):
            with contextlib.closing(console.Agent(path, path.name)) as agent:
                faults = bad_lines(agent.sh("dmesg -r"), known)
                expect(not faults, f"{path.name}: the kernel's log has:\n" + "\n".join(faults))
    except BaseException:
        pair.stop()
        raise
    status = pair.stop()
    expect(status == 143, f"vm/pair ended with {status}:\n{pair.said}")
    left = [path.name for path in folder.rglob("*") if path.is_socket()]
    expect(not left, f"vm/pair left sockets: {left}")


@contextlib.contextmanager
def work_folder():
    """A folder outside of this tree with a copy of the module's source in "ntb_bell"."""
    with tempfile.TemporaryDirectory(prefix="openntb-") as name:
        folder = pathlib.Path(name)
        shutil.copytree(SOURCE, folder / "ntb_bell")
        yield folder


def rung(agent):
    """How often the guest says that its doorbell was rung, by doorbell bits."""
    return re.findall(r"bell: doorbell (0x[0-9a-f]+)", agent.sh("dmesg"))


@test(None)
def a_module_of_ones_own_is_built_loaded_and_replaced(_):
    """vm/module, vm/pair --module, modprobe, an interrupt each way, vm/reload."""
    with work_folder() as work:
        path = build(work / "ntb_bell")
        expect(path == str(work / "ntb_bell/ntb_bell.ko"), f"the module is {path}")
        with running_pair(work / "run", "--module", path, known=("unknown parameter 'nonsense' ignored",)) as pair:
            agents = [pair.agent(number) for number in range(2)]
            for agent in agents:
                agent.sh("modprobe ntb_bell")
            process.wait_until("both guests hear their doorbell",
                               lambda: all("0x1" in rung(agent) for agent in agents), 60, 0.2)
            for sender, receiver in (agents, agents[::-1]):
                before = rung(receiver).count("0x20")
                sender.sh("echo 5 >/sys/module/ntb_bell/parameters/ring")
                process.wait_until(f"{receiver.name}: bit 5", lambda receiver=receiver, before=before:
                                   rung(receiver).count("0x20") == before + 1, 30, 0.2)
            for agent in agents:
                agent.close()
            state = subprocess.run([*pair.told("bridge"), "--json"], check=True, stdout=subprocess.PIPE, timeout=30).stdout
            expect(all(port["link"] == "up" for port in json.loads(state)["ports"]), f"the bridge says {state}")

            build(work / "ntb_bell", "KCFLAGS=-DBELL_BUILD=2")
            folder = pair.told("a new build of a module")[1]
            status, text, said = vm("reload", folder, path)
            expect(status == 0, f"vm/reload: exit {status}: {text}{said}")
            for number in range(2):
                expect(f"guest{number}: loaded" in text, text)
            expect(text.count("bell: build 2") == 2, f"the new build is not there: {text}")

            symbols = work / "at.ko"
            status, text, said = vm("reload", folder, path, "--guest", "1", "--symbols", symbols, "nonsense=1")
            expect(status == 0 and "nonsense" in text and "guest0" not in text, f"exit {status}: {text}{said}")
            with contextlib.closing(pair.agent(1)) as agent:
                there = dict(line.split()[2::-2] for line in agent.sh("grep ntb_bell /proc/kallsyms").splitlines())
            here = subprocess.run(["nm", symbols], check=True, text=True, stdout=subprocess.PIPE).stdout
            found = {name: address for address, _, name in map(str.split, re.findall(r"^[0-9a-f]+ \w .*$", here, re.M))}
            for name in ("ring_set", "bell_probe", "bell_client_exit", "bells"):
                expect(found[name] == there[name], f"{name}: {found[name]} in {symbols}, {there[name]} in the guest")


def expect_not_loaded(folder, path, *words):
    """vm/reload says that a module was not loaded, and why."""
    status, text, said = vm("reload", folder, path)
    expect(status == 1 and "guest0: NOT loaded" in text, f"exit {status}: {text}{said}")
    for word in words:
        expect(word in text, f"{word!r} is not in: {text}")


@test(None)
def a_single_guest_leaves_the_other_port_and_says_why_a_module_fails(_):
    """vm/pair --single with our host on port 1; vm/reload of a module whose init function fails."""
    with work_folder() as work:
        with running_pair(work / "run", "--single") as pair:
            words = pair.told("port 1")
            with open(work / "host.log", "ab") as log, subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True) as host:
                line = host.stdout.readline()
                host.terminate()
            expect(line.startswith("ready: "), f"{shlex.join(words)}: {line!r} {(work / 'host.log').read_text(encoding='utf-8')}")
            source = work / "ntb_bell/ntb_bell.c"
            text = source.read_text(encoding="utf-8")
            source.write_text(text.replace("module_ntb_client(bell_client);", "static int __init no(void)\n{\n"
                                           "\treturn -ENXIO;\n}\nmodule_init(no);"), encoding="utf-8")
            path = pathlib.Path(build(work / "ntb_bell", "KCFLAGS=-Wno-unused"))
            # What a vm/reload leaves that is ended in the middle.
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(work / "run/guest0.agent1"))
                line.sendall(b"RUN 5 ZWNobyBo")
            expect_not_loaded(work / "run", path, "No such device or address")
            release = modfile.read(path).release
            other = work / "other.ko"
            other.write_bytes(path.read_bytes().replace(release.encode(), b"9" * len(release)))
            expect_not_loaded(work / "run", other, f"it is for kernel {'9' * len(release)}, the guest has {release}")
            (used,) = kernel.prepare("6.12").glob("modules/*/updates/ntb.ko*")
            expect_not_loaded(work / "run", used, "ntb is in use by: ntb_hw_switchtec")


if __name__ == "__main__":
    sys.exit(main(__doc__))
