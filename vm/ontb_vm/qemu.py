# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Find or prepare a QEMU that has vfio-user-pci, and see whether KVM runs guests.

QEMU has this device since 10.1; Debian 12 and 13 ship older ones, so without a newer
one on the host the package of Debian's backports is unpacked into the cache.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from . import cache, debian
from .cache import KitError, say

PROGRAM = "qemu-system-x86_64"
KIND = "qemu"

WRAPPER = '''#!/bin/sh
# Runs QEMU of this folder with the libraries of this folder.
top=$(dirname "$(readlink -f "$0")")/root
lib=$top/usr/lib/x86_64-linux-gnu
QEMU_MODULE_DIR=$lib/qemu
export QEMU_MODULE_DIR
exec "$top/lib64/ld-linux-x86-64.so.2" --library-path "$lib" \\
\t"$top/usr/bin/qemu-system-x86_64" -L "$top/usr/share/seabios" \\
\t-L "$top/usr/share/qemu" "$@"
'''


def has_device(program):
    """Whether this QEMU program knows vfio-user-pci."""
    try:
        done = subprocess.run([program, "-device", "help"], check=False, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and '"vfio-user-pci"' in done.stdout


def _build(kind):
    apt = debian.prepare_lists()
    version = apt.version("qemu-system-x86", debian.BACKPORTS)
    name = f"qemu-{version.replace(':', '_')}"
    say(f"preparing QEMU {version} from {debian.BACKPORTS}")
    with cache.building(name, {"version": version}) as top:
        debs = top / ".debs"
        root = top / "root"
        debian.new_root(root)
        for deb in apt.download(["qemu-system-x86"], debs, suite=debian.BACKPORTS):
            debian.unpack(deb, root)
        shutil.rmtree(debs)
        for name_unused in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / name_unused, ignore_errors=True)
        wrapper = top / PROGRAM
        wrapper.write_text(WRAPPER, encoding="ascii")
        wrapper.chmod(0o755)
        if not has_device(str(wrapper)):
            raise KitError(f"QEMU {version} was unpacked but {wrapper} does not list vfio-user-pci")
    cache.remember(kind, name)


def prepare(full=False):
    """The path of a QEMU program that has vfio-user-pci."""
    chosen = os.environ.get("OPENNTB_QEMU")
    if chosen:
        if not has_device(chosen):
            raise KitError(f"OPENNTB_QEMU={chosen} does not run or has no vfio-user-pci")
        return chosen
    system = shutil.which(PROGRAM)
    if system and has_device(system):
        return system
    with cache.locked(KIND):
        top = cache.recall(KIND, full)
        if top is None:
            _build(KIND)
            top = cache.recall(KIND)
    return str(top / PROGRAM)


def _probe_image():
    """A firmware image that writes 0x21 to port 0x501 and halts.

    QEMU's isa-debug-exit turns that into exit status (0x21 << 1) | 1, which can only
    be seen when the processor really ran the code at the reset vector.
    """
    code = bytes([0xBA, 0x01, 0x05, 0xB0, 0x21, 0xEE, 0xF4, 0xEB, 0xFD])
    return bytes(0xFFF0) + code.ljust(16, b"\xf4")


def kvm_works(program):
    """Run a few instructions under KVM; return (works, reason)."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False, "/dev/kvm is not accessible"
    with tempfile.TemporaryDirectory(prefix="openntb-kvm-") as folder:
        image = pathlib.Path(folder) / "probe.bin"
        image.write_bytes(_probe_image())
        argv = [program, "-accel", "kvm", "-cpu", "host", "-M", "q35", "-m", "16", "-nodefaults",
                "-display", "none", "-no-reboot", "-bios", str(image),
                "-device", "isa-debug-exit,iobase=0x501,iosize=2"]
        try:
            done = subprocess.run(argv, check=False, timeout=20, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            return False, "a guest of nine instructions did not finish in 20 s"
    if done.returncode == 0x43:
        return True, "a probe guest ran"
    lines = done.stdout.strip().splitlines()
    return False, f"probe guest: exit {done.returncode}" + (f" ({lines[-1]})" if lines else "")


def choose_accel(program, wanted="auto"):
    """The accelerator to use: @wanted, or KVM when it runs guests and TCG otherwise."""
    if wanted != "auto":
        return wanted, "asked for"
    works, why = kvm_works(program)
    return ("kvm" if works else "tcg"), why
