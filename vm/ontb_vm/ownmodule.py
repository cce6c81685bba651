# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Modules of others, built for a guest's kernel: what Kbuild needs to know, and nothing more.

The NTB library is no part of the stock kernels, so what its modules export is in a
Module.symvers of ours; and CONFIG_NTB_MSI is no part of their configuration, so it is
defined as for the modules of the kit (see kernel.py).
"""

import contextlib
import os
import pathlib
import shlex
import subprocess

from . import debian, kbuild, kernel, modules, source
from .cache import KitError

# What vm/module sets itself; another value would make a module that does not fit, or none.
RESERVED = ("M", "KBUILD_EXTRA_SYMBOLS", "CFLAGS_MODULE", "O", "KBUILD_OUTPUT", "MO", "KBUILD_EXTMOD")
DEFINE = "CFLAGS_MODULE=-DCONFIG_NTB_MSI=1"


def check_folder(folder):
    """The real path of a folder that Kbuild can build; KitError says what is wrong with it."""
    path = pathlib.Path(os.path.realpath(folder))
    if not path.is_dir():
        raise KitError(f"{folder}: no such folder" if not path.exists() else
                       f"{folder}: a file; the folder with its Kbuild or Makefile is wanted")
    if not any((path / name).is_file() for name in ("Kbuild", "Makefile")):
        raise KitError(f"{folder}: neither a Kbuild nor a Makefile there, which names the module: obj-m := NAME.o")
    if any(sign.isspace() or sign in ":#$%'\"\\" for sign in str(path)):
        raise KitError(f"{path}: make does not take a path with blanks, quotes or any of : # $ % \\")
    if not os.access(path, os.W_OK):
        raise KitError(f"{path}: may not be written to; Kbuild leaves objects and modules beside their sources")
    return path


def check_words(words):
    """Refuse words for make that would undo what a module for the guests needs."""
    for word in words:
        name = word.partition("=")[0].rstrip("?:+!")
        if "=" in word and name in RESERVED:
            raise KitError(f"{word}: {name} is set by vm/module; flags for the compiler go into KCFLAGS or ccflags-y")
        if word.startswith("-"):
            raise KitError(f"{word}: only targets and NAME=VALUE go to make")


def make_command(folder, release, symvers, words):
    """The words of make; @words are targets and NAME=VALUE of the author's."""
    targets = [] if any("=" not in word for word in words) else ["modules"]
    return ["make", "-C", f"/lib/modules/{release}/build", f"M={folder}",
            f"KBUILD_EXTRA_SYMBOLS={symvers}", DEFINE, f"-j{source.jobs()}", *words, *targets]


def needed(series, module_set=""):
    """(root of the compiler, release, Module.symvers) for a stock kernel, prepared when missing."""
    if series not in kernel.KERNELS:
        raise KitError(f"no stock kernel {series}: choose {' or '.join(kernel.KERNELS)}")
    top = kernel.prepare(series)
    (found,) = (top / "modules").iterdir()
    release = found.name
    if module_set:
        top = modules.prepare(series, module_set).parent.parent
    builder = kbuild.prepare(series, release, kernel.KERNELS[series])
    return builder / "root", release, top / kernel.SYMVERS


@contextlib.contextmanager
def command(folder, words, series="6.12", module_set=""):
    """(words of make, words that run it where the compiler is, environment); see debian.inside()."""
    root, release, symvers = needed(series, module_set)
    argv = make_command(folder, release, symvers, words)
    with debian.inside(root, argv, (folder, symvers.parent)) as (outer, env):
        yield argv, outer, env


def made(folder):
    """The modules that the last build left in a folder, by Kbuild's list of them."""
    try:
        lines = (folder / "modules.order").read_text(encoding="utf-8").split()
    except OSError:
        lines = []
    found = [folder / f"{line.removesuffix('.o').removesuffix('.ko')}.ko" for line in lines]
    if not found:
        raise KitError(f"{folder}: its Kbuild or Makefile names no module: obj-m is empty")
    for path in found:
        if not path.is_file():
            raise KitError(f"{path}: make has not left it")
    return found


def build(folder, words=(), series="6.12", module_set="", out=None):
    """Build the modules of a folder; return their files, or [] if @words has other targets.

    @out: file for what make says, default where this process's errors go.
    """
    folder = check_folder(folder)
    check_words(words)
    with command(folder, list(words), series, module_set) as (argv, outer, env):
        print(shlex.join(argv), file=out, flush=True)
        done = subprocess.run(outer, env=env, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if done.returncode != 0:
        raise KitError(f"{folder}: make ended with status {done.returncode}; it says above why")
    return made(folder) if argv[-1] == "modules" else []
