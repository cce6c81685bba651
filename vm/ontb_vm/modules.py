# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Sets of NTB modules for a stock kernel: the kernel's own NTB interrupts, or those of linux/ntb-msi.

Both are built by linux/ntb-msi's Makefile from the same unmodified drivers, so that they
differ in one thing; both have the client that accounts for every interrupt.  A set is
known by what it was made of: another word in linux/ntb-msi makes another set.
"""

import hashlib
import pathlib
import shutil

from . import cache, debian, kbuild, kernel
from .cache import KitError, say

PACKAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "linux/ntb-msi"
SETS = {"stock": "NTB_MSI=kernel", "domain": "NTB_MSI=domain"}
NEEDED = {"stock": (*kernel.NTB, "ntb_irq_test"),
          "domain": (*kernel.NTB, "ntb_irq_test", "ntb_msi")}

BUILD = """
cd /set
make -C ntb-msi -j"$(nproc)" {words} modules
make -C ntb-msi {words} INSTALL_MOD_PATH=/set/out INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
"""


def _sources():
    """Files of the package, without what a build left beside them."""
    return sorted(path for path in PACKAGE.rglob("*")
                  if path.is_file() and "build" not in path.relative_to(PACKAGE).parts)


def _digest(name, release):
    total = hashlib.sha256(repr((SETS[name], BUILD, release, kbuild.RECIPE)).encode())
    for path in _sources():
        total.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:12]


def _compile(builder, name, release, top):
    """Build the set in the builder's root and copy its modules below @top/updates."""
    root = builder / "root"
    with kbuild.folders(root / "set") as (place,):
        shutil.copytree(PACKAGE, place / "ntb-msi", ignore=shutil.ignore_patterns("build"))
        words = (f"KDIR=/lib/modules/{release}/build LINUX_SOURCE=/{kbuild.SOURCE} "
                 f"OUT=/set/build {SETS[name]}")
        text = debian.run_inside(root, BUILD.format(words=words))
        if "warning:" in text:
            raise KitError(f"building the {name} modules gave warnings:\n{text[-3000:]}")
        (top / "updates").mkdir()
        for path in sorted((place / f"out/lib/modules/{release}").rglob("*.ko*")):
            shutil.copy(path, top / "updates" / path.name)
    missing = {one for one in NEEDED[name] if not list((top / "updates").glob(f"{one}.ko*"))}
    if missing:
        raise KitError(f"the build left no {', '.join(sorted(missing))}; {text[-2000:]}")


def _build(series, name, stock, release, full):
    builder = kbuild.prepare(series, release, kernel.KERNELS[series], full)
    say(f"building the {name} set of NTB modules for kernel {release}")
    folder = f"modules-{name}-{release}-{_digest(name, release)}"
    with cache.locked(f"kbuild-{series}"), cache.building(folder, {"release": release}) as top:
        place = top / "modules" / release
        shutil.copytree(stock / "modules" / release, place, symlinks=True,
                        ignore=shutil.ignore_patterns("updates"))
        _compile(builder, name, release, place)
        kbuild.index(builder, top / "modules", release)
    cache.remember(f"modules-{name}-{series}", folder)


def prepare(series, name, full=False):
    """The folder modules/RELEASE of a set."""
    if name not in SETS:
        raise KitError(f"no set of modules {name}: choose {' or '.join(SETS)}")
    stock = kernel.prepare(series, full)
    (modules,) = (stock / "modules").iterdir()
    kind = f"modules-{name}-{series}"
    with cache.locked(kind):
        top = cache.recall(kind, full)
        if top is None or not top.name.endswith(f"{modules.name}-{_digest(name, modules.name)}"):
            old = top
            _build(series, name, stock, modules.name, full)
            top = cache.recall(kind)
            if old is not None and old != top:
                shutil.rmtree(old, ignore_errors=True)
    return top / "modules" / modules.name
