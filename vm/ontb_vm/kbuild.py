# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Compiler, headers and NTB sources of a stock kernel, in a root folder that is kept.

What is built with them changes more often than they do, so they are fetched once per
kernel.  A build happens in a folder of its own inside the root and is taken out of it.
"""

import contextlib
import re
import shutil

from . import cache, debian
from .cache import say

SOURCES = ("drivers/ntb/*", "drivers/pci/switch/*", "drivers/net/ntb_netdev.c",
           "tools/testing/selftests/ntb/*")
TOOLS = ("make", "bash", "dash", "coreutils", "sed", "grep", "mawk", "findutils", "gawk",
         "xz-utils", "kmod", "gcc-14", "binutils", "libelf1t64", "libssl3t64", "pahole")
# Inside the root: the unpacked part of the kernel's source.
SOURCE = "usr/src/ntb-source"
RECIPE = cache.hashlib.sha256(repr((SOURCES, TOOLS)).encode()).hexdigest()[:8]


def _get_source(apt, series, suite, root, debs):
    """Unpack the NTB drivers and their self-test out of Debian's source package."""
    package = f"linux-source-{series}"
    (deb,) = apt.download([package], debs, suite, resolve=False)
    tree = root / SOURCE
    tree.mkdir(parents=True)
    debian.unpack_nested(deb, f"./usr/src/{package}.tar.xz", tree,
                         [f"{package}/{name}" for name in SOURCES], 1)


def _get_compiler(apt, release, suite, root, debs):
    """Unpack compiler, make and the kernel's headers."""
    depends = apt.depends(f"linux-headers-{release}",
                          apt.version(f"linux-headers-{release}", suite))
    names = [f"linux-headers-{release}"] + [
        name for name in depends if re.match(r"linux-(headers|kbuild)-", name)]
    for deb in apt.download(names, debs / "headers", suite, resolve=False):
        debian.unpack(deb, root)
    for deb in apt.download(TOOLS, debs / "tools", suite):
        debian.unpack(deb, root)
    if not (root / "usr/bin/awk").exists():
        (root / "usr/bin/awk").symlink_to("mawk")


def prepare(series, release, suite, full=False):
    """The folder whose "root" builds modules for kernel @release."""
    kind = f"kbuild-{series}"
    name = f"kbuild-{release}-{RECIPE}"
    with cache.locked(kind):
        top = cache.recall(kind, full)
        if top is None or top.name != name:
            apt = debian.prepare_lists()
            say(f"preparing compiler and headers of kernel {release}")
            with cache.building(name, {"release": release}) as temp:
                root = temp / "root"
                debs = temp / ".debs"
                debian.new_root(root)
                _get_compiler(apt, release, suite, root, debs)
                _get_source(apt, series, suite, root, debs / "source")
                shutil.rmtree(debs)
            cache.remember(kind, name)
            top = cache.recall(kind)
    return top


@contextlib.contextmanager
def folders(*places):
    """Empty folders inside a root that are removed afterwards; the caller holds the kind's lock."""
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    try:
        yield places
    finally:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)


def index(top, modules, release):
    """Run depmod of the root, which reads every compression, over @modules/RELEASE."""
    root = top / "root"
    with folders(root / "index") as (place,):
        folder = place / "lib/modules" / release
        shutil.copytree(modules / release, folder, symlinks=True)
        debian.run_inside(root, f"depmod -b /index {release}")
        shutil.rmtree(modules / release)
        shutil.copytree(folder, modules / release, symlinks=True)
