# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Find or prepare a QEMU that has vfio-user-pci.

QEMU has this device since 10.1; Debian 12 and 13 ship older ones, so without a newer
one on the host the package of Debian's backports is unpacked into the cache.
"""

import os
import shutil
import subprocess

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
