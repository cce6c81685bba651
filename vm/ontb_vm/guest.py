# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""One guest: the words of its QEMU command line, the process, and how it is reached."""

import dataclasses
import json
import pathlib
import re
import time

from . import console, process
from .cache import KitError

# Slots on the root bus that no default device of q35 or pc takes.
FIRST_SLOT = 0x10
FIRST_SPARE = 0x18
# Address space that firmware keeps free behind a spare port for an endpoint's BARs.
RESERVE = "mem-reserve=16M,pref64-reserve=32M"
AGENTS = 2
# The agent that is left to other processes, see leave_line().
OTHERS_AGENT = 1
SOCKETS = ("console", "qmp", "gdb", *[f"agent{agent}" for agent in range(AGENTS)])
SIDE_NET = "10.77.0"


@dataclasses.dataclass
class Settings:
    """What a guest is made of; the same for both guests of a pair unless changed."""

    qemu: str
    kernel: str
    initramfs: str
    accel: str = "tcg"
    machine: str = "q35"
    cpu: str = "max"
    cpus: int = 1
    memory: int = 512
    iommu: bool = False
    intremap: bool = False
    root_port: bool = False
    spares: int = 0
    append: str = ""
    load: str = ""
    gdb: bool = False
    extra: tuple = ()


def kernel_command_line(settings, name, address, peer):
    """The kernel's command line."""
    words = ["console=ttyS0", "loglevel=5", f"openntb.name={name}"]
    if address:
        words += [f"openntb.ip={address}/24", f"openntb.peer={peer[0]}:{peer[1]}"]
    if settings.load:
        words.append(f"openntb.load={settings.load}")
    if settings.iommu:
        words.append("intel_iommu=on")
    if settings.cpus > 1:
        # With several processors the first message may target APIC 1, whose address is
        # not aligned to a direct window; the driver's own remedy is a LUT window.
        words.append("ntb_hw_switchtec.use_lut_mws=1")
    if settings.gdb:
        # gdb has the addresses of the kernel's file.
        words.append("nokaslr")
    if settings.append:
        words.append(settings.append)
    return " ".join(words)


def endpoint(path, number):
    """QEMU's description of the endpoint behind one socket."""
    return {"driver": "vfio-user-pci", "id": f"ntb{number}",
            "socket": {"type": "unix", "path": str(path)}}


def device_words(path, number, root_port=False):
    """The -device words of the endpoint behind one socket."""
    device = endpoint(path, number)
    if root_port:
        port = f"pcie-root-port,id=rp{number},chassis={number + 1},addr={FIRST_SLOT + number:#x}"
        device["bus"] = f"rp{number}"
        return ["-device", port, "-device", json.dumps(device)]
    device["addr"] = f"{FIRST_SLOT + number:#x}"
    return ["-device", json.dumps(device)]


# Every function of the bridge's vendor and class is removed, as after a surprise unplug.
# Clients that are loaded must not take the new device at once: a host that gets "force
# down" and "link up" in one go handles only the first (ntb_hw_switchtec, check_link_status).
FORGET_ENDPOINTS = """
[ -e /sys/bus/ntb ] && echo 0 >/sys/bus/ntb/drivers_autoprobe
for dev in /sys/bus/pci/devices/*; do
	[ "$(cat $dev/vendor) $(cat $dev/class)" = "0x11f8 0x068000" ] && echo 1 >$dev/remove
done
true
"""
NR_DEVICES = "ls /sys/bus/ntb/devices 2>/dev/null | wc -l"
JOIN_CLIENTS = """
[ -e /sys/bus/ntb ] || exit 0
echo 1 >/sys/bus/ntb/drivers_autoprobe
for dev in /sys/bus/ntb/devices/*; do
	[ -e $dev ] && basename $dev >/sys/bus/ntb/drivers_probe
done
true
"""


class Guest:
    """A QEMU process with a console, agents and QMP in @folder."""

    def __init__(self, settings, folder, number, sockets, network=None):
        self.settings = settings
        self.folder = pathlib.Path(folder)
        self.number = number
        self.name = f"guest{number}"
        self.sockets = list(sockets)
        self.network = network
        self.urgent = False
        self.proc = None
        self.agents = []
        self.qmp = None
        self.plugged = 0

    def path(self, suffix):
        """A file of this guest in the run's folder."""
        return self.folder / f"{self.name}.{suffix}"

    def _machine_words(self):
        conf = self.settings
        machine = f"{conf.machine},memory-backend=ram0"
        words = []
        if conf.iommu:
            if conf.accel == "kvm":
                machine += ",kernel-irqchip=split"
            remap = "on" if conf.intremap else "off"
            words = ["-device", f"intel-iommu,caching-mode=on,intremap={remap}"]
        return ["-accel", conf.accel, "-cpu", conf.cpu, "-smp", str(conf.cpus),
                "-m", f"{conf.memory}M", "-M", machine, "-object",
                f"memory-backend-memfd,id=ram0,size={conf.memory}M,share=on", *words]

    def _line_words(self):
        words = ["-chardev", f"socket,id=console,path={self.path('console')},server=on,wait=off,"
                 f"logfile={self.path('console.log')},logappend=on",
                 "-serial", "chardev:console"]
        for agent in range(AGENTS):
            words += ["-chardev", f"socket,id=agent{agent},path={self.path(f'agent{agent}')},"
                      "server=on,wait=off", "-serial", f"chardev:agent{agent}"]
        if self.settings.gdb:
            words += ["-chardev", f"socket,id=gdb,path={self.path('gdb')},server=on,wait=off", "-gdb", "chardev:gdb"]
        return [*words, "-qmp", f"unix:{self.path('qmp')},server=on,wait=off"]

    def _network_words(self):
        if self.network is None:
            return []
        here, there = self.network
        return ["-netdev", json.dumps({
            "type": "dgram", "id": "side", "local": {"type": "unix", "path": str(here)},
            "remote": {"type": "unix", "path": str(there)}}),
            "-device", f"virtio-net-pci,netdev=side,romfile=,mac=52:54:00:6e:74:{self.number:02x}"]

    def command(self):
        """The whole QEMU command line."""
        conf = self.settings
        address = peer = None
        if self.network is not None:
            other = 1 - self.number
            address = f"{SIDE_NET}.{self.number + 1}"
            peer = (f"guest{other}", f"{SIDE_NET}.{other + 1}")
        words = [conf.qemu, "-name", self.name, "-nodefaults", "-no-user-config", "-display",
                 "none", *self._machine_words(), *self._line_words(), *self._network_words()]
        for number, path in enumerate(self.sockets):
            words += device_words(path, number, conf.root_port)
        for number in range(conf.spares):
            words += ["-device", f"pcie-root-port,id=spare{number},chassis={number + 16},"
                      f"addr={FIRST_SPARE + number:#x},{RESERVE}"]
        return [*words, "-kernel", str(conf.kernel), "-initrd", str(conf.initramfs), "-append",
                kernel_command_line(conf, self.name, address, peer), *conf.extra]

    def replace_endpoints(self):
        """Let a running guest go on with new endpoints after the server died.

        QEMU does not connect again, and unplugging a vfio-user-pci device ends QEMU 11.1
        (memory_region_del_subregion asserts), so the guest lets go of the dead functions
        and new ones are plugged into spare root ports.  When all guests have theirs,
        join_clients() is next.
        """
        if self.plugged + len(self.sockets) > self.settings.spares:
            raise KitError(f"{self.name}: no spare root port is left")
        self.sh(FORGET_ENDPOINTS, 120)
        for path in self.sockets:
            device = endpoint(path, 8 + self.plugged)
            self.qmp.call("device_add", bus=f"spare{self.plugged}", **device)
            self.plugged += 1

    def join_clients(self, seconds=60):
        """Let the clients have the new NTB devices as soon as these are there."""
        if self.run("[ -e /sys/module/ntb_hw_switchtec ]")[0] == 0:
            process.wait_until(f"{self.name}: new NTB devices",
                               lambda: int(self.sh(NR_DEVICES)) == len(self.sockets), seconds)
        self.sh(JOIN_CLIENTS, seconds)

    def start(self):
        """Start QEMU and connect to its lines; the guest is still booting then."""
        for suffix in SOCKETS:
            self.path(suffix).unlink(missing_ok=True)
        if self.network is not None:
            pathlib.Path(self.network[0]).unlink(missing_ok=True)
        self.plugged = 0
        argv = self.command()
        self.path("command").write_text(json.dumps(argv, indent=1) + "\n", encoding="utf-8")
        self.proc = process.start(argv, self.path("qemu.log"))
        try:
            self.agents = [console.Agent(self.path(f"agent{agent}"), self.name,
                                         self.path(f"agent{agent}.log"))
                           for agent in range(AGENTS)]
            self.qmp = console.Qmp(self.path("qmp"))
        except KitError as error:
            raise KitError(f"{self.name}: QEMU did not come up: {error}\n"
                           + self.qemu_log()[-2000:]) from error

    def wait_ready(self, seconds=120):
        """Wait until the guest runs commands."""
        end = time.monotonic() + seconds
        while True:
            try:
                for agent in self.agents:
                    if agent.boot is None:
                        agent.wait_ready(min(0.5, max(0.01, end - time.monotonic())))
                if self.urgent:
                    # Its processors compete as always; what moves messages does not.
                    process.hurry_threads(self.proc.pid, lambda name: not name.startswith("CPU "))
                return
            except process.Timeout as error:
                self.check_alive()
                if time.monotonic() > end:
                    raise process.Timeout(f"{self.name}: not up within {seconds:g} s; console:\n"
                                          + self.console_log()[-2000:]) from error

    def leave_line(self):
        """Let another process have an agent's line from here on, see reload.py; start() takes it back."""
        while len(self.agents) > OTHERS_AGENT:
            self.agents.pop().close()

    def wait_reboot(self, seconds=120):
        """Wait until the guest has come up once more."""
        for agent in self.agents:
            agent.boot = None
        self.wait_ready(seconds)

    def check_alive(self):
        """Raise when QEMU has ended, stopped or the kernel has given up."""
        if self.proc.poll() is not None:
            raise console.GuestGone(f"{self.name}: QEMU ended with status {self.proc.returncode}\n"
                                    + self.qemu_log()[-2000:])
        if "KVM internal error" in self.qemu_log():
            raise KitError("KVM cannot run this guest: " + " ".join(self.qemu_log().split())[:200])
        text = self.console_log()
        panic = re.search(r"Kernel panic - not syncing.*", text)
        if panic:
            raise KitError(f"{self.name}: {panic.group(0)}")

    def run(self, script, seconds=60, agent=0):
        """Run a script in the guest; return (status, output)."""
        return self.agents[agent].run(script, seconds)

    def sh(self, script, seconds=60, agent=0):
        """Run a script that has to succeed; return its output."""
        return self.agents[agent].sh(script, seconds)

    def qemu_log(self):
        """What QEMU printed."""
        return self._text("qemu.log")

    def console_log(self):
        """What the serial console has shown since the first start."""
        return self._text("console.log")

    def _text(self, suffix):
        try:
            return self.path(suffix).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _close_lines(self):
        for line in [*self.agents, self.qmp]:
            if line is not None:
                line.close()
        self.agents = []
        self.qmp = None

    def kill(self):
        """kill -9, for tests."""
        self.proc.kill()
        self.proc.wait()
        self._close_lines()

    def stop(self):
        """End QEMU and remove its sockets; return whether it went by itself."""
        clean = process.stop(self.proc)
        self._close_lines()
        for suffix in SOCKETS:
            self.path(suffix).unlink(missing_ok=True)
        if self.network is not None:
            pathlib.Path(self.network[0]).unlink(missing_ok=True)
        return clean
