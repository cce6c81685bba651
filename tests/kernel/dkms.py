# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""linux/ntb-msi through DKMS itself, in a root folder with Debian's packages.

One idea: the root is what a Debian user has, headers, compiler, dkms, the kernel's own
modules and its source in /usr/src, so that dkms.conf is read by who it is for.  Two
guests then boot the kernel with the folder of modules that DKMS has left.
"""

import os
import pathlib
import re
import shutil
import tempfile

from ontb_vm import cache, debian, demo, kbuild, kernel, pair
from ontb_vm.cache import KitError

PACKAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "linux/ntb-msi"
TOOLS = ("dkms", "patch", "diffutils", "tar", "openssl")
RECIPE = cache.hashlib.sha256(repr(TOOLS).encode()).hexdigest()[:8]
CHECKOUT = "home/user/openntb/linux/ntb-msi"


def tools():
    """The folder with DKMS and what the compiler's root lacks, unpacked; from the cache."""
    with cache.locked("dkms"):
        name = f"dkms-{debian.RELEASE}-{RECIPE}"
        top = cache.recall("dkms")
        if top is None or top.name != name:
            apt = debian.prepare_lists()
            with cache.building(name, {}) as temp:
                for deb in apt.download(TOOLS, temp / ".debs", resolve=False):
                    debian.unpack(deb, temp)
                shutil.rmtree(temp / ".debs")
            cache.remember("dkms", name)
            top = cache.recall("dkms")
    return top


def facts():
    """(name, version) in dkms.conf."""
    text = (PACKAGE / "dkms.conf").read_text(encoding="utf-8")
    return tuple(re.search(rf'^PACKAGE_{word}="(.*)"$', text, re.M).group(1) for word in ("NAME", "VERSION"))


class Root:
    """A Debian with one kernel, its headers and its source, and DKMS."""

    def __init__(self, series, top):
        self.series = series
        self.top = top
        stock = kernel.prepare(series)
        (modules,) = (stock / "modules").iterdir()
        self.release = modules.name
        self.image = stock / "vmlinuz"
        self.modules = top / "usr/lib/modules" / self.release
        builder = kbuild.prepare(series, self.release, kernel.KERNELS[series])
        with cache.locked(f"kbuild-{series}"):
            shutil.copytree(builder / "root", top, symlinks=True, dirs_exist_ok=True)
        shutil.copytree(tools(), top, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(cache.MANIFEST))
        shutil.copytree(modules, self.modules, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("updates"))
        self._pack_source()

    def _pack_source(self):
        """Of the kernel's source, what the kit keeps of it, where and as Debian's package has it."""
        name = f"linux-source-{self.series}"
        (self.top / kbuild.SOURCE).rename(self.top / "usr/src" / name)
        debian.run(["tar", "-C", str(self.top / "usr/src"), "-cJf", str(self.top / f"usr/src/{name}.tar.xz"), name])
        shutil.rmtree(self.top / "usr/src" / name)

    def dkms(self, words):
        """Run dkms; return what it said."""
        name, version = facts()
        try:
            return debian.run_inside(self.top, f"dkms {words}")
        except KitError as error:
            logs = (self.top / f"var/lib/dkms/{name}/{version}").rglob("make.log")
            raise KitError("\n".join([str(error), *(path.read_text(encoding="utf-8") for path in logs)])) from error

    def installed(self):
        """Names of the modules that DKMS has installed."""
        return {path.name.split(".")[0] for path in (self.modules / "updates").rglob("*.ko*")}


def checkout(root):
    """Put a checkout into the root, with a build for another kernel left in it."""
    place = root.top / CHECKOUT
    shutil.copytree(PACKAGE, place, ignore=shutil.ignore_patterns("build"))
    for folder in ("build", "dkms"):
        (place / folder / "drivers/ntb").mkdir(parents=True)
        (place / folder / "drivers/ntb/core.c").write_text("#error of another kernel\n", encoding="ascii")
    return f"/{CHECKOUT}"


def in_usr_src(root):
    """Put the source where DKMS looks for it by name."""
    name, version = facts()
    shutil.copytree(PACKAGE, root.top / f"usr/src/{name}-{version}", ignore=shutil.ignore_patterns("build"))
    return f"{name}/{version}"


def one_life(points, root, place, put):
    """add, build, install, and status after each; what is installed is whole."""
    name, version = facts()
    what = f"{name}/{version}"
    where = f"{root.series}, {place}"

    def state():
        return root.dkms("status").strip()

    root.dkms(f"add {put(root)}")
    points.check(f"dkms: {where}: added", state() == f"{what}: added", state())
    root.dkms(f"build {what} -k {root.release}")
    points.check(f"dkms: {where}: built", state() == f"{what}, {root.release}, x86_64: built", state())
    root.dkms(f"install {what} -k {root.release}")
    points.check(f"dkms: {where}: installed", state() == f"{what}, {root.release}, x86_64: installed", state())


def made(root):
    """Names of all modules that were built, of which DKMS has not necessarily been told."""
    name, version = facts()
    log = root.top / f"var/lib/dkms/{name}/{version}/{root.release}/x86_64/log/make.log"
    return {pathlib.Path(one).stem for one in re.findall(r"^\s*LD \[M\]\s+(\S+\.ko)$", log.read_text(encoding="utf-8"), re.M)}


def check_installed(points, root):
    """Everything that can be built is installed, for this kernel, and modprobe would find it."""
    have, want = root.installed(), made(root)
    points.check(f"dkms: {root.series}: all {len(want)} modules are installed", have == want and "ntb_msi" in want,
                 f"built {sorted(want)}, installed {sorted(have)}")
    text = debian.run_inside(root.top, f"for name in {' '.join(sorted(have))}; do modinfo -k {root.release} -F vermagic $name; done\n")
    points.check(f"dkms: {root.series}: they are for this kernel",
                 {line.split()[0] for line in text.splitlines()} == {root.release}, text)
    depends = (root.modules / "modules.dep").read_text(encoding="utf-8")
    line = next((line for line in depends.splitlines() if "/ntb_msi_test.ko" in line.split(":")[0]), "")
    points.check(f"dkms: {root.series}: modprobe takes ntb_msi for what ntb_msi_test needs",
                 re.search(r"updates/\S*/ntb_msi\.ko", line) and re.search(r"updates/\S*/ntb\.ko", line), depends)


def boot(points, root):
    """Guests boot the kernel with this folder of modules and trade interrupts of the domain."""
    settings = pair.own_settings(str(root.image), str(root.modules), cpus=2, append="ntb_hw_switchtec.use_lut_mws=1")
    settings, _ = pair.choose_accel(settings, os.environ.get("OPENNTB_ACCEL", "auto"))
    with pair.Pair(settings, pair.Plan(openntb=os.environ.get("OPENNTB"))) as guests:
        guests.start()
        demo.load(guests.guests)
        for sender, receiver in (guests.guests, guests.guests[::-1]):
            wanted, seen, _, after = demo.trigger(sender, receiver, 3)
            lines = "\n".join(line for _, line in after.values())
            points.check(f"dkms: {root.series}: {sender.name}'s interrupts arrive", wanted == seen and "NTB-MSI-" in lines,
                         f"sent {wanted}, arrived {seen}\n{lines}")


def remove(points, root):
    """uninstall and remove: nothing stays behind."""
    name, version = facts()
    what = f"{name}/{version}"
    root.dkms(f"uninstall {what} -k {root.release}")
    state = root.dkms("status").strip()
    points.check(f"dkms: {root.series}: uninstalled", state == f"{what}, {root.release}, x86_64: built" and not root.installed(),
                 f"{state}\n{sorted(root.installed())}")
    root.dkms(f"remove {what} --all")
    depends = (root.modules / "modules.dep").read_text(encoding="utf-8")
    state = root.dkms("status").strip()
    points.check(f"dkms: {root.series}: removed", not state and not (root.top / f"var/lib/dkms/{name}").exists() and "ntb" not in depends,
                 f"{state}\n{depends}")


def run(points):
    """Both kernels, from a checkout and from /usr/src."""
    for series in kernel.KERNELS:
        with tempfile.TemporaryDirectory(prefix=".tmp-dkms-", dir=cache.cache_dir()) as folder:
            root = Root(series, pathlib.Path(folder) / "root")
            one_life(points, root, "a checkout", checkout)
            check_installed(points, root)
            boot(points, root)
            remove(points, root)
            name, version = facts()
            shutil.rmtree(root.top / f"usr/src/{name}-{version}", ignore_errors=True)
            one_life(points, root, "/usr/src", in_usr_src)
            remove(points, root)
