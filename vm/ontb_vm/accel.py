# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Whether KVM really runs the guests of this kit.

One idea: /dev/kvm that opens proves nothing, and neither does a guest of a few
instructions: nested and software-only hypervisors exist that run those and then cannot
emulate an instruction of the kernel's decompressor.  So the kernel itself is booted,
once per boot of the host, and the answer is remembered.
"""

import dataclasses
import json
import os
import pathlib
import tempfile

from . import cache, guest
from .cache import KitError, say

PATIENCE = 40


def _host_boot():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _trial(settings):
    """Boot a guest under KVM; return (works, why)."""
    trial = dataclasses.replace(settings, accel="kvm", cpu="host", cpus=1, memory=512,
                                iommu=False, load="", extra=())
    with tempfile.TemporaryDirectory(prefix="openntb-kvm-") as folder:
        probe = guest.Guest(trial, folder, 0, [])
        try:
            probe.start()
            probe.wait_ready(PATIENCE)
            return True, "a trial guest came up"
        except KitError as error:
            return False, f"/dev/kvm is there, but: {str(error).splitlines()[0]:.90}"
        finally:
            probe.stop()


def choose(settings, wanted="auto"):
    """(accelerator, reason): @wanted, or KVM when it boots these guests, TCG otherwise."""
    if wanted != "auto":
        return wanted, "asked for"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "/dev/kvm is not accessible"
    boot = _host_boot()
    key = f"{settings.qemu} {os.stat(settings.qemu).st_mtime_ns} {settings.kernel}"
    path = cache.cache_dir() / "kvm.json"
    with cache.locked("kvm"):
        known = _read(path, boot)
        if key not in known:
            say("/dev/kvm is there; booting a trial guest with it")
            works, why = _trial(settings)
            known[key] = ["kvm" if works else "tcg", why]
            temp = cache.cache_dir() / f".tmp-kvm-{os.getpid()}"
            temp.write_text(json.dumps({"boot": boot, "known": known}), encoding="utf-8")
            os.rename(temp, path)
    return tuple(known[key])


def _read(path, boot):
    """What was found out since the host's @boot: {key: [accelerator, reason]}."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return stored["known"] if stored["boot"] == boot else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
