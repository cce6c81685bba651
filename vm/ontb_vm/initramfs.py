# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The guests' root folder, packed as an initramfs.

Programs come from Debian packages, modules from a kernel folder, and the few scripts
that make a guest of them from vm/guest.  The archive is written here (cpio "newc",
Linux Documentation/driver-api/early-userspace/buffer-format.rst), so neither cpio nor
root's rights are needed for the device node.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess

from . import cache, debian, modfile
from .cache import KitError, say

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "guest"

PACKAGES = ("busybox-static", "bash", "kmod", "diffutils", "dropbear-bin", "openssh-client",
            "pciutils", "pci.ids", "socat", "liblzma5", "libzstd1")
PROGRAMS = {
    "usr/bin/busybox": "bin/busybox", "usr/bin/bash": "bin/bash", "usr/bin/kmod": "bin/kmod",
    "usr/bin/cmp": "bin/cmp", "usr/sbin/dropbear": "sbin/dropbear", "usr/bin/ssh": "bin/ssh",
    "usr/bin/lspci": "bin/lspci", "usr/bin/setpci": "bin/setpci", "usr/bin/socat": "bin/socat",
}
# Loaded by kmod when a module is packed so; its program does not name them.
LIBRARIES = ("liblzma.so.5", "libzstd.so.1")
KMOD = ("modprobe", "insmod", "rmmod", "lsmod", "depmod", "modinfo")
DATA = {"usr/share/misc/pci.ids": "usr/share/misc/pci.ids"}
SCRIPT_FILES = {"init": ("init", 0o755), "inittab": ("etc/inittab", 0o644),
                "agent": ("sbin/agent", 0o755), "profile": ("etc/profile", 0o644),
                "ssh_config": ("etc/ssh/ssh_config", 0o644)}
KIND = "guest-tools"
RECIPE = hashlib.sha256(repr((PACKAGES, PROGRAMS, DATA, KMOD, LIBRARIES)).encode()).hexdigest()[:8]

MODULES = ("virtio_net", "virtio_pci", "switchtec", "ntb_hw_switchtec", "ntb_transport",
           "ntb_netdev", "ntb_tool", "ntb_perf", "ntb_pingpong", "ntb_msi_test", "ntb_irq_test",
           "ntb_grant_test", "ntb_grant_kunit", "ntb_msi_kunit", "ntb_msi_module_kunit")


def _libraries(root, program):
    """The shared objects a program of @root needs, as paths below @root."""
    argv = debian.loader_command(root, program)
    argv.insert(1, "--list")
    done = subprocess.run(argv, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if "not a dynamic executable" in done.stdout or "statically linked" in done.stdout:
        return []
    if done.returncode != 0 or "not found" in done.stdout:
        raise KitError(f"{program}: cannot resolve its libraries\n{done.stdout}")
    return [pathlib.Path(path) for path in re.findall(r"=> (/\S+)", done.stdout)]


def _copy_programs(root, top):
    for source, target in PROGRAMS.items():
        path = top / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / source, path)
        if source.endswith("busybox"):
            continue
        for library in _libraries(root, source):
            place = top / "lib/x86_64-linux-gnu" / library.name
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                shutil.copy(library, place)
    for name in LIBRARIES:
        shutil.copy(root / "usr/lib/x86_64-linux-gnu" / name, top / "lib/x86_64-linux-gnu" / name)
    (top / "lib64").mkdir()
    shutil.copy(root / debian.LOADER, top / debian.LOADER)
    for name in DATA:
        path = top / DATA[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, path)


def _link_applets(top):
    """Link every busybox command whose name is not taken by a real program."""
    names = debian.run([str(top / "bin/busybox"), "--list-full"]).split()
    taken = {path.name for place in ("bin", "sbin") for path in (top / place).iterdir()}
    taken |= set(KMOD)
    for name in names:
        base = os.path.basename(name)
        if base not in taken:
            place = "sbin" if "sbin" in name else "bin"
            (top / place / base).symlink_to("/bin/busybox")
    for name in KMOD:
        (top / "sbin" / name).symlink_to("/bin/kmod")


def _make_keys(root, top):
    """Keys for ssh between the guests; they never leave this cache and its guests."""
    (top / "etc/dropbear").mkdir(parents=True)
    (top / "root/.ssh").mkdir(parents=True)
    keytool = debian.loader_command(root, "usr/bin/dropbearkey")
    host = top / "etc/dropbear/host_key"
    debian.run([*keytool, "-t", "ed25519", "-f", str(host)])
    key = top / "root/.ssh/id"
    keygen = debian.loader_command(root, "usr/bin/ssh-keygen")
    debian.run([*keygen, "-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f", str(key)])
    shutil.copy(top / "root/.ssh/id.pub", top / "root/.ssh/authorized_keys")


def _build_tools():
    apt = debian.prepare_lists()
    say("preparing the guests' programs")
    name = f"{KIND}-{debian.RELEASE}-{RECIPE}"
    with cache.building(name, {"packages": PACKAGES}) as temp:
        root = temp / ".root"
        debs = temp / ".debs"
        debian.new_root(root)
        for deb in apt.download(PACKAGES, debs):
            debian.unpack(deb, root)
        top = temp / "tree"
        for place in ("bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "run", "root", "usr"):
            (top / place).mkdir(parents=True)
        _copy_programs(root, top)
        _link_applets(top)
        _make_keys(root, top)
        for place in ("bin", "sbin"):
            (top / "usr" / place).symlink_to(f"../{place}")
        (top / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n", encoding="ascii")
        (top / "etc/group").write_text("root:x:0:\n", encoding="ascii")
        (top / "etc/shells").write_text("/bin/bash\n/bin/sh\n", encoding="ascii")
        shutil.rmtree(root)
        shutil.rmtree(debs)
    cache.remember(KIND, name)


def prepare_tools(full=False):
    """The folder of the guests' programs."""
    with cache.locked(KIND):
        top = cache.recall(KIND, full)
        if top is None or not top.name.endswith(RECIPE):
            _build_tools()
            top = cache.recall(KIND)
    return top / "tree"


class Cpio:
    """Writer of a "newc" archive with root as owner of everything."""

    def __init__(self, out):
        self.out = out
        self.ino = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        """Append one entry; @data is the contents or the target of a link."""
        self.ino += 1
        raw = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self.out.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    def add_tree(self, top, prefix=""):
        """Append everything below a folder."""
        for base, dirs, names in os.walk(top):
            dirs.sort()
            for name in sorted(dirs + names):
                path = os.path.join(base, name)
                inner = os.path.join(prefix, os.path.relpath(path, top))
                info = os.lstat(path)
                if stat.S_ISLNK(info.st_mode):
                    self.add(inner, 0o120777, os.readlink(path).encode())
                elif stat.S_ISDIR(info.st_mode):
                    mode = 0o700 if name in ("root", ".ssh") else 0o755
                    self.add(inner, 0o040000 | mode)
                else:
                    with open(path, "rb") as handle:
                        self.add(inner, 0o100000 | (info.st_mode & 0o777), handle.read())

    def close(self):
        """Append the trailer."""
        self.ino = -1
        self.add("TRAILER!!!", 0)


# Where modules of others are in a guest, below lib/modules/RELEASE.
OWN_PLACE = "extra"
# What depmod makes of the modules; without them the guest runs it, see vm/guest/init.
DEPMOD = ("modules.dep", "modules.alias", "modules.symbols", "modules.softdep", "modules.devname", "modules.weakdep",
          "modules.builtin.bin", "modules.builtin.alias")


def _needs(folder):
    """{module: [its file, files that it needs]} of a lib/modules/RELEASE, by its modules.dep."""
    try:
        lines = (folder / "modules.dep").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KitError(f"{folder}: no modules.dep there ({error.strerror}); run depmod") from error
    needs = {}
    for line in lines:
        name, _, deps = line.partition(":")
        needs[modfile.stem(name)] = [name, *deps.split()]
    return needs


def _vermagic(folder, needs):
    """What modules of the kernel say that they are built for, or None where none can be read."""
    for files in needs.values():
        with contextlib.suppress(KitError):
            return modfile.read(folder / files[0]).vermagic
    return None


def _read_fitting(path, vermagic, release):
    """The module in a file, if it is for the guests' kernel."""
    module = modfile.read(path)
    if module.vermagic != vermagic and (vermagic or module.release != release):
        raise KitError(f"{path}: is for kernel '{module.vermagic}', the guests have '{vermagic or release}'; "
                       "build it for that one (vm/module, for a stock kernel)")
    return module


def check_own(own, folder, more=dict):
    """The modules in the files @own and what they need, for a guest with the modules of @folder, a lib/modules/RELEASE.

    KitError says what is no module, what is for another kernel, and which module is missing that
    one of them needs.  @more: gives {name: file} of modules that are not in @folder.
    """
    if not own:
        return []
    needs = _needs(folder)
    vermagic = _vermagic(folder, needs)
    found = {}
    for path in own:
        module = _read_fitting(path, vermagic, folder.name)
        if module.name in found:
            raise KitError(f"{path}: is module {module.name}, and so is {found[module.name].path}")
        found[module.name] = module
    others = None
    for module in (todo := list(found.values())):
        for name in module.depends:
            if name in found or name in needs:
                continue
            others = more() if others is None else others
            if name not in others:
                raise KitError(f"{module.path}: needs module {name}, which the guests do not have; give it with --module too")
            found[name] = _read_fitting(others[name], vermagic, folder.name)
            todo.append(found[name])
    return list(found.values())


def module_files(folder, own=()):
    """Names below @folder (a lib/modules/RELEASE) that the guests need, in any order.

    @own: modules that are added to them, or take the place of one of the same name.
    """
    needs = _needs(folder)
    wanted = {name for name in MODULES if name in needs}
    wanted |= {name for module in own for name in module.depends if name in needs}
    replaced = {module.name for module in own}
    return {path for name in wanted for path in needs[name] if modfile.stem(path) not in replaced}


def _add_modules(cpio, folder, own):
    place = f"lib/modules/{folder.name}"
    made = {"lib", ""}
    stale = [f"{name}{end}" for name in DEPMOD for end in ("", ".bin")] if own else []
    names = sorted(module_files(folder, own)) + [name for name in os.listdir(folder)
                                                 if name.startswith("modules.") and name not in stale]
    files = {name: (folder / name).read_bytes() for name in names}
    files |= {f"{OWN_PLACE}/{module.name}.ko": module.data for module in own}
    for name, data in files.items():
        path = f"{place}/{name}"
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            parent = "/".join(parts[:depth])
            if parent not in made:
                made.add(parent)
                cpio.add(parent, 0o040755)
        cpio.add(path, 0o100644, data)


def _fingerprint(tools, modules, extra, own):
    total = hashlib.sha256(str(tools).encode())
    for path in [*sorted(SCRIPTS.iterdir()), *sorted(module_files(modules, own)), *extra]:
        path = modules / path
        info = os.stat(path)
        total.update(f"{path} {info.st_size} {info.st_mtime_ns}\n".encode())
    for module in own:
        total.update(f"{module.name} {hashlib.sha256(module.data).hexdigest()}\n".encode())
    return total.hexdigest()[:12]


def prepare(modules, test_script=None, own=()):
    """An initramfs with the modules of @modules, a lib/modules/RELEASE folder.

    @test_script is upstream's ntb_test.sh of that kernel, or None.
    @own: modules of others, from check_own().
    """
    modules = pathlib.Path(os.path.abspath(modules))
    tools = prepare_tools()
    extra = [pathlib.Path(test_script)] if test_script else []
    name = f"initramfs-{_fingerprint(tools, modules, extra, own)}"
    with cache.locked("initramfs"):
        done = cache.cache_dir() / name
        if not done.exists() or cache.check(done):
            with cache.building(name, {"modules": str(modules)}) as top, \
                    open(top / "initramfs.cpio", "wb") as out:
                cpio = Cpio(out)
                cpio.add_tree(tools)
                cpio.add("dev/console", 0o020600, device=(5, 1))
                for place in ("etc", "etc/ssh"):
                    if not (tools / place).exists():
                        cpio.add(place, 0o040755)
                for source, (target, mode) in SCRIPT_FILES.items():
                    cpio.add(target, 0o100000 | mode, (SCRIPTS / source).read_bytes())
                for path in extra:
                    cpio.add("bin/ntb_test.sh", 0o100755, path.read_bytes())
                _add_modules(cpio, modules, own)
                cpio.close()
                out.flush()
        os.utime(done)
        _forget_old(name)
    return done / "initramfs.cpio"


def _forget_old(keep, most=6):
    """Keep the few initramfs folders used last; they are cheap to make again."""
    found = sorted(cache.cache_dir().glob("initramfs-*/"), key=lambda path: path.stat().st_mtime)
    for path in found[:-most]:
        if path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
