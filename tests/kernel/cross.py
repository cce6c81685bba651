# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Other architectures: parents of the series build there, and so does linux/ntb-msi for the kernel as it is.

Nothing of them is booted.  The kernel itself is not built for the module, so whether it exports what the
module uses is looked up in its source.
"""

import os
import pathlib
import re
import shutil
import subprocess

from ontb_vm import cache, debian, source
from ontb_vm.cache import KitError

MODULE = pathlib.Path(__file__).resolve().parent.parent.parent / "linux/ntb-msi"

# The prefix of each compiler, and what the series changes in drivers/irqchip there.
ARCHS = {
    "arm64": ("aarch64-linux-gnu-", ("irq-gic-v2m", "irq-gic-v3-mbi", "irq-msi-lib")),
    "riscv": ("riscv64-linux-gnu-", ("irq-riscv-imsic-platform", "irq-msi-lib")),
}
CONFIG = """
CONFIG_EXPERT=y
CONFIG_WERROR=y
CONFIG_PCI_SW_SWITCHTEC=m
CONFIG_NTB=m
CONFIG_NTB_MSI=y
CONFIG_NTB_SWITCHTEC=m
CONFIG_NTB_TRANSPORT=m
CONFIG_NTB_MSI_TEST=m
"""
# modpost knows no symbol of a kernel that was not built.
UNKNOWN = re.compile(r"modpost: .*(undefined!|suppressed \d+ unresolved)|/Module\.symvers is missing")
# Macros by which a file exports a symbol, and what they put before its name.
EXPORTS = {"EXPORT_[A-Z_]+": "", "define_dev_printk_level": "", "STANDARD_PARAM_DEF": "param_ops_"}


def run(points, top):
    """All architectures; the source has the branch of the series checked out."""
    for arch in ARCHS:
        prefix, names = ARCHS[arch]
        if not shutil.which(f"{prefix}gcc"):
            points.skip(f"{arch}: drivers/irqchip", f"{prefix}gcc is not installed")
            continue
        words = (f"ARCH={arch}", f"CROSS_COMPILE={prefix}")
        build = top / f"build-{arch}"
        with cache.locked("linux-build"), source.kept_times(top):
            try:
                source.git(top, "checkout", "-q", source.BASE)
                configure(top, build, words)
                if points.builds(f"{arch}: modules_prepare", top, build, *words, "modules_prepare"):
                    build_module(points, arch, top, build, words)
                source.git(top, "checkout", "-q", source.BRANCH)
                points.builds(f"{arch}: with the series", top, build, *words, "kernel/irq/", "drivers/pci/msi/",
                              "drivers/pci/switch/", "drivers/ntb/", *(f"drivers/irqchip/{name}.o" for name in names))
            finally:
                source.git(top, "checkout", "-q", source.BRANCH)


def configure(top, build, words):
    """The architecture's own configuration, with NTB."""
    build.mkdir(exist_ok=True)
    source.make(top, build, *words, "defconfig")
    with open(build / ".config", "a", encoding="ascii") as handle:
        handle.write(CONFIG)
    source.make(top, build, *words, "olddefconfig")
    have = (build / ".config").read_text(encoding="utf-8").splitlines()
    missing = set(CONFIG.split()) - set(have)
    if missing:
        raise KitError(f"{words[0]}: the configuration does not take {' '.join(sorted(missing))}")


def build_module(points, arch, top, build, words):
    """linux/ntb-msi and the drivers around it."""
    out = build / "ntb-msi"
    shutil.rmtree(out, ignore_errors=True)
    env = dict(os.environ, LC_ALL="C", KBUILD_MODPOST_WARN="1")
    done = subprocess.run(["make", "-s", "-C", str(MODULE), f"KDIR={build}", f"LINUX_SOURCE={top / 'linux'}", f"OUT={out}",
                           f"-j{source.jobs()}", *words, "modules"], check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=env)
    said = "\n".join(line for line in done.stdout.splitlines() if not UNKNOWN.search(line))
    made = out / "ntb-msi/ntb_msi.ko"
    good = done.returncode == 0 and "warning:" not in said.lower() and made.exists()
    points.check(f"{arch}: linux/ntb-msi", good, said)
    if good:
        symbols = debian.run([f"{ARCHS[arch][0]}nm", "-u", str(made)]).split()[1::2]
        missing = not_exported(top, symbols)
        points.check(f"{arch}: the kernel exports the {len(symbols)} symbols that ntb_msi.ko needs", symbols and not missing,
                     " ".join(missing))


def not_exported(top, symbols):
    """Those of @symbols that no file of the kernel as it is exports."""
    exported = set()
    for macro, prefix in EXPORTS.items():
        text = source.git(top, "grep", "-hoE", rf"\b{macro}\(\w+", source.BASE, "--", "*.[chS]")
        exported.update(prefix + name for name in re.findall(r"\((\w+)", text))
    return sorted(name for name in symbols if name not in exported)
