#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Modules of others for the guests of vm/: which files are refused, why, and that nothing is fetched or booted before."""

import gzip
import lzma
import os
import pathlib
import random
import struct
import subprocess
import sys

import tap
from tap import check, equal

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "vm"))

# pylint: disable=wrong-import-position
from ontb_vm import debian, initramfs, kernel, modfile, ownmodule  # noqa: E402
from ontb_vm.cache import KitError  # noqa: E402

RELEASE = "6.12.99-test"
VERMAGIC = f"{RELEASE} SMP mod_unload modversions "
ELF64, ELF32 = 2, 1
X86_64, ARM64 = 62, 183
OBJECT, LIBRARY = 1, 3


def elf(sections, kind=OBJECT, machine=X86_64, bits=ELF64):
    """An ELF object with these sections: {name: contents}."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*sections, ".shstrtab"])
    bodies = [*sections.values(), names]
    heads = bytes(64)
    at = 64
    for name, body in zip([*sections, ".shstrtab"], bodies):
        heads += struct.pack("<IIQQQQIIQQ", names.index(b"\0" + name.encode() + b"\0") + 1, 1, 0, 0, at, len(body), 0, 0, 1, 0)
        at += len(body)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF" + bytes([bits, 1, 1]), kind, machine, 1, 0, 0, at, 0, 64, 0, 0, 64,
                       len(bodies) + 1, len(bodies))
    return head + b"".join(bodies) + heads


def module(name, depends="", vermagic=VERMAGIC, **options):
    """The file of a module."""
    info = f"license=GPL\0depends={depends}\0name={name}\0vermagic={vermagic}\0".encode()
    return elf({".text": b"\xc3", ".modinfo": info}, **options)


def refused(what, *words):
    """Call @what, which has to raise a KitError with all @words in its text."""
    try:
        what()
    except KitError as error:
        for word in words:
            check(word in str(error), f"{word!r} is not in: {error}")
        return
    raise AssertionError(f"not refused: {words}")


def kernel_folder(case, modules=("ntb", "ntb_hw_switchtec:ntb", "ntb_perf:ntb")):
    """A lib/modules/RELEASE with modules.dep."""
    folder = pathlib.Path(case.path(RELEASE))
    (folder / "updates").mkdir(parents=True)
    lines = []
    for one in modules:
        name, _, depends = one.partition(":")
        data = module(name, depends)
        (folder / f"updates/{name}.ko.xz").write_bytes(lzma.compress(data))
        lines.append(f"updates/{name}.ko.xz:" + "".join(f" updates/{other}.ko.xz" for other in depends.split(",") if other))
    (folder / "modules.dep").write_text("\n".join(lines) + "\n", encoding="ascii")
    return folder


def bz_image(case, release):
    """As much of a bzImage as says which kernel it is."""
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20e:0x210] = struct.pack("<H", 0x100)
    return case.write_file("bzImage", bytes(head[:0x300]) + f"{release} (me@here) #1 SMP\0".encode() + bytes(100))


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


def test_a_module_says_its_name_its_kernel_and_what_it_needs(case):
    """However the file is packed."""
    data = module("ntb-mine", "ntb,switchtec-core")
    for name, packed in (("a.ko", data), ("a.ko.xz", lzma.compress(data)), ("a.ko.gz", gzip.compress(data))):
        found = modfile.read(case.write_file(name, packed))
        equal((found.name, found.release, found.depends, found.data), ("ntb_mine", RELEASE, ("ntb", "switchtec_core"), data), name)


def test_a_file_that_is_no_module_is_refused_with_the_reason(case):
    """One file per reason."""
    good = module("ntb_mine")
    for name, data, reason in (
            ("empty.ko", b"", "it is no ELF file"),
            ("text.ko", b"#!/bin/sh\n", "it is no ELF file"),
            ("short.ko", good[:40], "it ends before its header"),
            ("half.ko", good[:200], "it ends before its section headers"),
            ("arm.ko", module("x", machine=ARM64), "guests are x86-64"),
            ("small.ko", module("x", bits=ELF32), "guests are x86-64"),
            ("lib.so", module("x", kind=LIBRARY), "no object"),
            ("plain.o", elf({".text": b"\xc3"}), "no section .modinfo"),
            ("part.o", elf({".modinfo": b"license=GPL\0"}), "it has no name, so it is a part of one"),
            ("nomagic.ko", module("x", vermagic=""), "it has no vermagic"),
            ("path.ko", module("../../etc/x"), "'../../etc/x' as the name of a module"),
            ("words.ko", module("x", "ntb,a b"), "'a b' as the name of a module"),
            ("zst.ko.zst", b"\x28\xb5\x2f\xfd" + good, "unzstd"),
            ("bad.ko.xz", lzma.compress(good)[:-20], "cannot be unpacked"),
            ("bad.ko.gz", gzip.compress(good)[:-20], "cannot be unpacked")):
        path = case.write_file(name, data)
        refused(lambda path=path: modfile.read(path), path, reason)
    refused(lambda: modfile.read(case.path("none.ko")), "none.ko", "No such file")
    refused(lambda: modfile.read(case.folder), case.folder, "cannot be read: Is a directory")


def test_a_damaged_module_is_read_or_refused_and_nothing_else(case):
    """Every length, and bytes changed at random."""
    good = module("ntb_mine", "ntb")
    chance = random.Random(1)
    damaged = [good[:length] for length in range(len(good))]
    for _ in range(1000):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
        damaged.append(bytes(data))
    nr_refused = 0
    for data in damaged:
        try:
            modfile.read(case.write_file("x.ko", data))
        except KitError:
            nr_refused += 1
    check(nr_refused >= len(good), f"only {nr_refused} refused")


def test_a_module_for_another_kernel_is_refused(case):
    """By the whole of vermagic, with both kernels named; by the folder's name where no module can be read."""
    folder = kernel_folder(case)
    for vermagic in (VERMAGIC.replace(RELEASE, "6.12.98-test"), VERMAGIC.replace("SMP", "SMP preempt")):
        path = case.write_file("m.ko", module("ntb_mine", vermagic=vermagic))
        refused(lambda path=path: initramfs.check_own([path], folder), path, vermagic.strip(), VERMAGIC.strip())
    equal([one.name for one in initramfs.check_own([case.write_file("m.ko", module("ntb_mine"))], folder)], ["ntb_mine"])
    (folder / "modules.dep").write_text("", encoding="ascii")
    path = case.write_file("m.ko", module("ntb_mine", vermagic="6.12.98-test SMP"))
    refused(lambda: initramfs.check_own([path], folder), "6.12.98-test", RELEASE)


def test_what_a_module_needs_comes_with_it(case):
    """From the given ones, from the kernel's, and else from all of the kernel's; what is nowhere is named."""
    folder = kernel_folder(case)
    first = case.write_file("first.ko", module("first", "ntb,second,uio"))
    second = case.write_file("second.ko", module("second"))
    more = {"uio": case.write_file("uio.ko", module("uio", "deeper")), "deeper": case.write_file("deeper.ko", module("deeper"))}
    names = [one.name for one in initramfs.check_own([first, second], folder, lambda: more)]
    equal(names, ["first", "second", "uio", "deeper"])
    refused(lambda: initramfs.check_own([first], folder, lambda: more), first, "needs module second", "--module")
    del more["deeper"]
    refused(lambda: initramfs.check_own([first, second], folder, lambda: more), "uio.ko", "needs module deeper")
    refused(lambda: initramfs.check_own([second, second], folder), second, "is module second, and so is")


def test_a_module_takes_the_place_of_the_kernels_own(case):
    """There is one of each name, and what it needs is still there."""
    folder = kernel_folder(case)
    own = initramfs.check_own([case.write_file("mine.ko", module("ntb_perf", "ntb"))], folder)
    equal(sorted(initramfs.module_files(folder)), ["updates/ntb.ko.xz", "updates/ntb_hw_switchtec.ko.xz", "updates/ntb_perf.ko.xz"])
    equal(sorted(initramfs.module_files(folder, own)), ["updates/ntb.ko.xz", "updates/ntb_hw_switchtec.ko.xz"])


def test_pair_refuses_a_wrong_module_before_it_fetches_or_boots(case):
    """With a stock kernel and with one of the user's."""
    text = case.write_file("notes.txt", "no module\n")
    expect_no(case, vm(case, "pair", "--module", text), f"vm/pair: {text}: no kernel module: it is no ELF file")
    folder = kernel_folder(case)
    image = bz_image(case, RELEASE)
    other = case.write_file("other.ko", module("ntb_mine", vermagic="5.10.1 SMP"))
    expect_no(case, vm(case, "pair", "--kernel", image, "--modules", folder, "--module", other), other, "5.10.1 SMP", RELEASE)


def test_pair_refuses_modules_in_a_folder_of_another_name(case):
    """The kernel looks for them by its own name."""
    folder = kernel_folder(case)
    image = bz_image(case, "6.13.0")
    equal(kernel.release_of(image), "6.13.0")
    expect_no(case, vm(case, "pair", "--kernel", image, "--modules", folder), str(folder), "is 6.13.0", "lib/modules/6.13.0 only")
    equal(kernel.release_of(case.write_file("vmlinux", b"\x7fELF")), None)


def test_pair_says_which_options_do_not_go_together(case):
    """As wrong use."""
    for words, reason in ((["--single", "--loopback"], "choose"), (["--single", "--demo"], "two guests"),
                          (["--single", "--attach", "1"], "--single has guest 0 only"),
                          (["--single", "--socket", "a", "--socket", "b"], "once"), (["--socket", "a"], "twice"),
                          (["--kernel", "x", "--initramfs", "y", "--module", "z"], "put the module into it")):
        expect_no(case, vm(case, "pair", *words), reason, status=2)


def test_single_pair_leaves_port_1_and_gdb_has_a_socket(case):
    """By the command lines of QEMU."""
    image = case.write_file("vmlinux", b"\x7fELF")
    words = ["--kernel", image, "--initramfs", image, "--accel", "tcg", "--print-command"]
    done = vm(case, "pair", *words, "--single", "--gdb")
    equal(done.returncode, 0, done.stderr)
    equal((len(done.stdout.splitlines()), done.stdout.count("port0.sock"), done.stdout.count("port1.sock")), (1, 1, 0))
    check("guest0.gdb,server=on,wait=off -gdb chardev:gdb" in done.stdout and " nokaslr" in done.stdout, done.stdout)
    both = vm(case, "pair", *words)
    equal((len(both.stdout.splitlines()), both.stdout.count("port1.sock"), both.stdout.count("gdb"), both.stdout.count("nokaslr")), (2, 1, 0, 0))


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


def test_a_root_without_mounts_has_what_compilers_look_for(case):
    """Where root may not mount, a chroot has no /proc: objtool of Linux 7.x ends without its own limits."""
    top = pathlib.Path(case.folder) / "root"
    debian.new_root(top)
    if os.geteuid():
        raise tap.Skip("only root can make a device")
    equal(debian.plain_chroot(top)[-1], str(top))
    check("Max stack size" in (top / "proc/self/limits").read_text(encoding="ascii"), "no limits")
    check((top / "dev/null").is_char_device(), "no null device")
    debian.plain_chroot(top)


def test_reload_refuses_what_it_cannot_load(case):
    """No run, no module, no parameter."""
    good = case.write_file("mine.ko", module("mine"))
    expect_no(case, vm(case, "reload", case.folder, good), f"vm/reload: {case.folder}: no running guest there")
    text = case.write_file("notes.txt", "no module\n")
    expect_no(case, vm(case, "reload", case.folder, text), text, "no kernel module")
    expect_no(case, vm(case, "reload", case.folder, good, ";reboot"), ";reboot: no parameter")
    expect_no(case, vm(case, "reload", case.folder, good, "--symbols", "x"), "--symbols needs --guest", status=2)


if __name__ == "__main__":
    tap.main(globals())
