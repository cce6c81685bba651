#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Modules of others for the guests of vm/: what is refused, why, and that nothing is fetched before."""

import os
import pathlib
import subprocess
import sys

import tap
from tap import check, equal

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "vm"))

# pylint: disable=wrong-import-position
from ontb_vm import ownmodule  # noqa: E402
from ontb_vm.cache import KitError  # noqa: E402

RELEASE = "6.12.99-test"


def refused(what, *words):
    """Call @what, which has to raise a KitError with all @words in its text."""
    try:
        what()
    except KitError as error:
        for word in words:
            check(word in str(error), f"{word!r} is not in: {error}")
        return
    raise AssertionError(f"not refused: {words}")


def vm(case, name, *words):
    """Run a command of vm/ in a world without cache, network or QEMU."""
    qemu = case.write_file("qemu", "#!/bin/sh\necho 'name \"vfio-user-pci\"'\n")
    os.chmod(qemu, 0o755)
    env = dict(os.environ, OPENNTB_CACHE=case.path("cache"), OPENNTB_MIRROR="http://127.0.0.1:1/debian", OPENNTB_QEMU=qemu,
               OPENNTB=case.program)
    return subprocess.run([sys.executable, str(TOP / "vm" / name), *map(str, words)], check=False, text=True, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=tap.DEADLINE_S)


def expect_no(case, done, *words, status=1):
    """It was refused in one line with these words, and nothing was prepared."""
    equal(done.returncode, status, done.stderr)
    for word in words:
        check(word in done.stderr, f"{word!r} is not in: {done.stderr}")
    check("Traceback" not in done.stderr, done.stderr)
    left = [path.name for path in pathlib.Path(case.path("cache")).rglob("*") if path.suffix != ".lock"]
    equal(left, [], "left in the cache")


def test_module_refuses_a_folder_that_cannot_be_built(case):
    """With folder and reason, before anything is fetched."""
    made = pathlib.Path(case.path("made"))
    made.mkdir()
    (made / "Kbuild").write_text("obj-m := x.o\n", encoding="ascii")
    blank = pathlib.Path(case.path("with blank"))
    made.rename(blank)
    expect_no(case, vm(case, "module", blank), str(blank), "path with blanks")
    blank.rename(made)
    expect_no(case, vm(case, "module", case.path("none")), f"vm/module: {case.path('none')}: no such folder")
    expect_no(case, vm(case, "module", made / "Kbuild"), "Kbuild: a file; the folder")
    for word in ("M=/tmp", "CFLAGS_MODULE=-O1", "KBUILD_EXTRA_SYMBOLS=x", "O=/tmp"):
        expect_no(case, vm(case, "module", made, word), word, "is set by vm/module")
    (made / "Kbuild").unlink()
    expect_no(case, vm(case, "module", made), str(made), "neither a Kbuild nor a Makefile")


def test_make_gets_the_symbols_and_the_define_of_the_guests_modules(case):
    """The command is Kbuild's own, so that it can be given by hand."""
    argv = ownmodule.make_command("/home/me/mine", RELEASE, "/cache/Module.symvers", ["V=1"])
    equal([word for word in argv if not word.startswith("-j")],
          ["make", "-C", f"/lib/modules/{RELEASE}/build", "M=/home/me/mine", "KBUILD_EXTRA_SYMBOLS=/cache/Module.symvers",
           "CFLAGS_MODULE=-DCONFIG_NTB_MSI=1", "V=1", "modules"])
    equal(ownmodule.make_command("/m", RELEASE, "/s", ["clean"])[-1], "clean")
    folder = pathlib.Path(case.folder)
    refused(lambda: ownmodule.made(folder), str(folder), "obj-m is empty")
    (folder / "modules.order").write_text("sub/x.o\n", encoding="ascii")
    refused(lambda: ownmodule.made(folder), "sub/x.ko", "has not left it")


if __name__ == "__main__":
    tap.main(globals())
