# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Guests on a bridge: one run, in a folder of its own, that leaves nothing behind."""

import dataclasses
import os
import pathlib
import shutil
import tempfile

from . import accel, bridge, guest, initramfs, kernel, modfile, modules, qemu
from .cache import KitError, say


def run_folder(given=None):
    """A private folder for sockets and logs; socket paths are short by nature."""
    if given:
        path = pathlib.Path(os.path.abspath(given))
        try:
            path.mkdir(mode=0o700, parents=True)
        except FileExistsError as error:
            raise KitError(f"{path} exists already; a run needs a new folder") from error
        return path
    base = os.environ.get("XDG_RUNTIME_DIR")
    if not base or not os.access(base, os.W_OK):
        base = tempfile.gettempdir()
    return pathlib.Path(tempfile.mkdtemp(prefix="openntb-", dir=base))


def stock_settings(series="6.12", module_set="", own=(), **changes):
    """Settings of a guest with one of Debian's stock kernels, prepared when needed.

    @module_set: NTB modules of a set of linux/ntb-msi instead of upstream's alone.
    @own: files of further modules, see initramfs.check_own().
    """
    for path in own:
        modfile.read(path)
    top = kernel.prepare(series)
    if module_set:
        folder = modules.prepare(series, module_set)
    else:
        (folder,) = (top / "modules").iterdir()
    own = initramfs.check_own(own, folder, lambda: kernel.all_modules(series))
    image = initramfs.prepare(folder, top / "ntb_test.sh", own)
    return guest.Settings(qemu=qemu.prepare(), kernel=str(top / "vmlinuz"),
                          initramfs=str(image), **changes)


def own_settings(image, folder=None, archive=None, own=(), **changes):
    """Settings of a guest with the user's kernel, and his modules or his initramfs.

    @own: files of further modules, see initramfs.check_own().
    """
    for path in (image, folder, archive):
        if path and not os.path.exists(path):
            raise KitError(f"{path}: no such file or folder")
    if archive is None:
        if folder is None:
            raise KitError("a kernel of your own needs --modules or --initramfs")
        folder = pathlib.Path(os.path.abspath(folder))
        release = kernel.release_of(image)
        if release and folder.name != release:
            raise KitError(f"{folder}: its name is not that of the kernel: {image} is {release}, and finds its modules "
                           f"in lib/modules/{release} only")
        own = initramfs.check_own(own, folder)
        test = kernel.prepare("6.12") / "ntb_test.sh"
        archive = initramfs.prepare(folder, test, own)
    return guest.Settings(qemu=qemu.prepare(), kernel=str(image), initramfs=str(archive),
                          **changes)


@dataclasses.dataclass
class Plan:
    """How many guests, on which sockets, with which server.

    @loopback: one guest with both endpoints.
    @single: one guest on port 0; the other port is left to somebody else, see Pair.spare_socket().
    """

    loopback: bool = False
    single: bool = False
    openntb: str = None
    server_options: tuple = ()
    sockets: tuple = ()
    urgent: bool = False


class Pair:
    """Two guests on a bridge, or one guest with both its endpoints."""

    def __init__(self, settings, plan, folder=None, keep=False):
        self.folder = run_folder(folder)
        self.keep = keep
        self.plan = plan
        self.bridge = None
        sockets = list(plan.sockets)
        if not sockets:
            self.bridge = bridge.Bridge(bridge.find_openntb(plan.openntb),
                                        self.folder / "bridge", 2, plan.server_options,
                                        urgent=plan.urgent)
            sockets = [self.bridge.socket(port) for port in range(2)]
        both = [settings, settings] if isinstance(settings, guest.Settings) else list(settings)
        if plan.loopback:
            self.guests = [guest.Guest(both[0], self.folder, 0, sockets)]
        elif plan.single:
            self.guests = [guest.Guest(both[0], self.folder, 0, sockets[:1])]
        else:
            net = [self.folder / f"net{number}" for number in range(2)]
            self.guests = [guest.Guest(both[number], self.folder, number, [sockets[number]],
                                       (net[number], net[1 - number])) for number in range(2)]
        for one in self.guests:
            one.urgent = plan.urgent

    def spare_socket(self):
        """The socket of port 1 when no guest has it, else None."""
        return self.bridge.socket(1) if self.plan.single and self.bridge else None

    def start(self, seconds=180, wait=True):
        """Start the server and the guests; with @wait until all run commands."""
        if self.bridge:
            self.bridge.start()
        for one in self.guests:
            one.start()
        for one in self.guests if wait else ():
            one.wait_ready(seconds)

    def recover(self, seconds=180):
        """After the server died: start it again and give the guests new endpoints.

        A guest whose QEMU ended too, or that has no spare port left, is booted again.
        Return the guests that were booted again.
        """
        self.bridge.reap()
        self.bridge.start()
        again = []
        for one in self.guests:
            try:
                one.replace_endpoints()
            except KitError as error:
                say(f"{one.name} is booted again: {str(error).splitlines()[0]}")
                one.stop()
                one.start()
                again.append(one)
        for one in again:
            one.wait_ready(seconds)
        for one in self.guests:
            if one not in again:
                one.join_clients()
        return again

    def stop(self):
        """Stop everything; return a list of what did not go by itself or stayed behind."""
        faults = []
        for one in self.guests:
            if not one.stop():
                faults.append(f"{one.name} had to be killed")
        if self.bridge and not self.bridge.stop():
            faults.append("the server had to be killed or left sockets")
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return faults

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for fault in self.stop():
            say(fault)


def choose_accel(settings, wanted):
    """@settings with the accelerator filled in, and the reason for it."""
    chosen, why = accel.choose(settings, wanted)
    model = "host" if chosen == "kvm" and settings.cpu == "max" else settings.cpu
    return dataclasses.replace(settings, accel=chosen, cpu=model), why
