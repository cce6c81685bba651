# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Sets of NTB modules for a kernel: the kernel's own NTB interrupts, or those of linux/ntb-msi.

For a stock kernel both are built by linux/ntb-msi's Makefile from the same unmodified
drivers, so that they differ in one thing; both have the client that accounts for every
interrupt.  A kernel with the series of linux/series has its own modules already, so
"stock" adds the client alone.  A set is known by what it was made of: another word in
linux/ntb-msi makes another set.
"""

import hashlib
import pathlib
import shlex
import shutil

from . import cache, debian, kbuild, kernel, source
from .cache import KitError, say

PACKAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "linux/ntb-msi"
SETS = {"stock": "NTB_MSI=kernel", "domain": "NTB_MSI=domain"}
NEEDED = {"stock": (*kernel.NTB, "ntb_irq_test"),
          "domain": (*kernel.NTB, "ntb_irq_test", "ntb_msi", "ntb_grant_test")}

BUILD = """
cd /set
make -C ntb-msi -j"$(nproc)" {words} modules
make -C ntb-msi {words} INSTALL_MOD_PATH=/set/out INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
"""

# For a kernel with the series. CONFIG_NTB_MSI is empty for make, see Kbuild.tree, whatever the kernel has.
INSTALL = """
make -s -C {build} M={work}/set INSTALL_MOD_PATH={work}/out INSTALL_MOD_DIR=updates INSTALL_MOD_STRIP=1 \\
\tDEPMOD=true modules_install
"""
BESIDE = {"stock": """
cp -r {package}/irq-test {work}/set
make -s -C {build} M={work}/set -j{jobs} modules
""" + INSTALL, "domain": """
mkdir {work}/source {work}/set
git -C {tree} archive {base} drivers/ntb drivers/net/ntb_netdev.c | tar -x -C {work}/source
git -C {tree} archive {branch} drivers/pci/switch drivers/ntb/hw/mscc | tar -x -C {work}/source
make -s -C {package} KDIR={build} LINUX_SOURCE={work}/source OUT={work}/set {set} CONFIG_NTB_MSI= -j{jobs} modules
""" + INSTALL}


def _sources():
    """Files of the package, without what a build left beside them."""
    return sorted(path for path in PACKAGE.rglob("*")
                  if path.is_file() and "build" not in path.relative_to(PACKAGE).parts)


def _digest(name, kernel_name):
    total = hashlib.sha256(repr((SETS[name], BUILD, BESIDE, kernel.SYMVERS, kernel_name, kbuild.RECIPE)).encode())
    for path in _sources():
        total.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:12]


def _take(folder, top, name, text):
    """Copy the modules below @folder to @top/updates; none that the set needs may be missing."""
    if "warning:" in text:
        raise KitError(f"building the {name} modules gave warnings:\n{text[-3000:]}")
    (top / "updates").mkdir()
    for path in sorted(folder.rglob("*.ko*")):
        shutil.copy(path, top / "updates" / path.name)
    have = {path.name.partition(".")[0] for path in top.rglob("*.ko*")}
    missing = set(NEEDED[name]) - have
    if missing:
        raise KitError(f"the build left no {', '.join(sorted(missing))}; {text[-2000:]}")


def _compile(builder, name, release, top, symvers):
    """Build the set in the builder's root and copy its modules below @top/updates, and its symbols to @symvers."""
    root = builder / "root"
    with kbuild.folders(root / "set") as (place,):
        shutil.copytree(PACKAGE, place / "ntb-msi", ignore=shutil.ignore_patterns("build"))
        words = (f"KDIR=/lib/modules/{release}/build LINUX_SOURCE=/{kbuild.SOURCE} "
                 f"OUT=/set/build {SETS[name]}")
        text = debian.run_inside(root, BUILD.format(words=words))
        _take(place / f"out/lib/modules/{release}", top, name, text)
        shutil.copy(place / "build" / kernel.SYMVERS, symvers)


def _compile_beside(series, name, release, top, work):
    """The same for a kernel with the series, in the empty folder @work, by this machine's compiler.

    linux/ntb-msi takes the place of the NTB library as it is without the series; the drivers
    of the switch are the kernel's own: what one asked for is gone, and a lock of the other
    was not initialized.
    """
    with source.built(series) as (tree, build):
        words = dict(tree=tree / "linux", build=build, work=work, package=PACKAGE, base=source.BASE,
                     branch=source.BRANCH, jobs=source.jobs(), set=SETS[name])
        script = BESIDE[name].format(**{key: shlex.quote(str(value)) for key, value in words.items()})
        text = debian.run(["bash", "-ec", script])
    _take(work / f"out/lib/modules/{release}", top, name, text)


def _build(series, name, stock, folder):
    (modules,) = (stock / "modules").iterdir()
    release = modules.name
    say(f"building the {name} set of NTB modules for kernel {release}")
    with cache.building(folder, {"release": release}) as top:
        place = top / "modules" / release
        shutil.copytree(modules, place, symlinks=True, ignore=shutil.ignore_patterns("updates"))
        if series in source.KINDS:
            with kbuild.folders(top / "work") as (work,):
                _compile_beside(series, name, release, place, work)
                index = work / "lib/modules" / release
                index.parent.mkdir(parents=True)
                place.rename(index)
                debian.run(["/sbin/depmod", "-b", str(work), release])
                index.rename(place)
        else:
            builder = kbuild.prepare(series, release, kernel.KERNELS[series])
            with cache.locked(f"kbuild-{series}"):
                _compile(builder, name, release, place, top / kernel.SYMVERS)
                kbuild.index(builder, top / "modules", release)
    cache.remember(f"modules-{name}-{series}", folder)


def prepare(series, name, full=False):
    """The folder modules/RELEASE of a set; for a stock kernel its Module.symvers is two levels above."""
    if name not in SETS:
        raise KitError(f"no set of modules {name}: choose {' or '.join(SETS)}")
    stock = kernel.prepare(series, full)
    (modules,) = (stock / "modules").iterdir()
    kind = f"modules-{name}-{series}"
    folder = f"{kind}-{modules.name}-{_digest(name, stock.name)}"
    with cache.locked(kind):
        top = cache.recall(kind, full)
        if top is None or top.name != folder:
            old = top
            _build(series, name, stock, folder)
            top = cache.recall(kind)
            if old is not None and old != top:
                shutil.rmtree(old, ignore_errors=True)
    return top / "modules" / modules.name
