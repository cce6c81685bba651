# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A small kernel built from Debian's source package with the series of linux/series.

One idea: unpacking and a first build take minutes, so source and objects stay in the
cache, and the series is applied again whenever a file of it changes; make then compiles
what differs.  The finished kernel is kept apart, named after all it was made of.
"""

import contextlib
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess

from . import cache, debian
from .cache import KitError, say

# What a Setup names as its series, and the configuration fragments of that kernel.
KINDS = {"7.3-ntb": ("guest.config",),
         "7.3-ntb-debug": ("guest.config", "debug.config")}
PACKAGE = "linux-source-7.3"
SUITE = debian.BACKPORTS
BRANCH = "ntb-msi-domain"
BASE = "refs/openntb/base"
# In a folder of objects, once they are complete: the name of the kernel.
BUILT = "openntb-kernel"
FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "linux/series"
MODULES = ("switchtec", "ntb", "ntb_hw_switchtec", "ntb_transport", "ntb_netdev", "ntb_tool",
           "ntb_perf", "ntb_pingpong", "ntb_msi_test")


def jobs():
    """How many compilers run at a time."""
    return os.environ.get("OPENNTB_KERNEL_JOBS", str(os.cpu_count() or 1))


def tree():
    """The folder with "linux", Debian's source unpacked, and room for objects beside it."""
    with cache.locked("linux-source"):
        mark = cache.cache_dir() / "linux-source.current"
        if mark.exists():
            top = cache.cache_dir() / mark.read_text(encoding="ascii").strip()
            if (top / "linux/Makefile").exists():
                return top
        apt = debian.prepare_lists()
        version = apt.version(PACKAGE, SUITE)
        name = f"linux-source-{version.replace(':', '_')}"
        top = cache.cache_dir() / name
        say(f"unpacking {PACKAGE} {version} from {SUITE}")
        temp = cache.cache_dir() / f".tmp-{name}"
        shutil.rmtree(temp, ignore_errors=True)
        (temp / "linux").mkdir(parents=True)
        (deb,) = apt.download([PACKAGE], temp / "deb", SUITE, resolve=False)
        debian.unpack_nested(deb, f"./usr/src/{PACKAGE}.tar.xz", temp / "linux",
                             [f"{PACKAGE}/*"], 1)
        shutil.rmtree(temp / "deb")
        shutil.rmtree(top, ignore_errors=True)
        temp.rename(top)
        cache.remember("linux-source", name)
        return top


def series_files():
    """Every file that says what is in the source."""
    places = [FOLDER / "apply", FOLDER / "edit.py"]
    places += [path for name in ("steps", "cocci", "files") for path in (FOLDER / name).rglob("*")]
    return sorted(path for path in places if path.is_file() and "__pycache__" not in path.parts)


def digest(top, fragments=()):
    """What source @top with the series, or a kernel of it with these fragments, is known by."""
    total = hashlib.sha256(top.name.encode())
    for path in [*series_files(), *(FOLDER / name for name in fragments)]:
        total.update(f"{path.relative_to(FOLDER)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:12]


def git(top, *words):
    """Run git in the source; return what it printed."""
    return debian.run(["git", *words], cwd=top / "linux").strip()


@contextlib.contextmanager
def kept_times(top):
    """Files of the series that are the same afterwards get their old times back.

    Most of the kernel includes one of them, and make goes by the time.
    """
    before = {}
    if (top / "linux/.git").exists() and git(top, "branch", "--list", BRANCH):
        for name in git(top, "diff", "--name-only", BASE, BRANCH).split():
            path = top / "linux" / name
            if path.exists():
                before[path] = (path.read_bytes(), path.stat().st_mtime_ns)
    yield
    for path, (data, time) in before.items():
        if path.exists() and path.read_bytes() == data:
            os.utime(path, ns=(time, time))


def with_identity(top):
    """The environment, in which git can commit: where nobody has told it who commits, the kit does."""
    env = dict(os.environ)
    if subprocess.run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=top, check=False, capture_output=True).returncode:
        for role in ("AUTHOR", "COMMITTER"):
            env[f"GIT_{role}_NAME"] = "openntb"
            env[f"GIT_{role}_EMAIL"] = "openntb@localhost"
    return env


def apply(top):
    """Put the series on top of the source, as a branch; return what the command printed."""
    with kept_times(top):
        text = debian.run([str(FOLDER / "apply"), "--again", "--patches", str(top / "patches"),
                           str(top / "linux")], env=with_identity(top))
    (top / "applied").write_text(digest(top) + "\n", encoding="ascii")
    return text


def ensure_applied(top):
    """Apply the series unless the branch has it as it is now."""
    mark = top / "applied"
    if not mark.exists() or mark.read_text(encoding="ascii").strip() != digest(top):
        apply(top)


def make(top, build, *words):
    """Run make in the source for the objects in @build; return what it printed."""
    env = dict(os.environ, LC_ALL="C", KBUILD_BUILD_USER="openntb", KBUILD_BUILD_HOST="openntb")
    return debian.run(["make", "-s", f"O={build}", f"-j{jobs()}", *words], cwd=top / "linux",
                      env=env)


def configure(top, build, fragments):
    """Make the configuration, and check that it has every line of the fragments."""
    build.mkdir(exist_ok=True)
    config = build / ".config"
    old = config.read_bytes() if config.exists() else None
    times = (config.stat().st_atime_ns, config.stat().st_mtime_ns) if old else None
    paths = [FOLDER / name for name in fragments]
    make(top, build, "tinyconfig")
    merge = shlex.join(["scripts/kconfig/merge_config.sh", "-m", "-O", str(build),
                        str(config), *map(str, paths)])
    debian.run(["sh", "-c", merge], cwd=top / "linux")
    make(top, build, "olddefconfig")
    have = config.read_text(encoding="utf-8").splitlines()
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            wanted = line.startswith("CONFIG_") and not line.endswith("=n")
            if wanted and line not in have:
                raise KitError(f"{path.name}: {line}: the configuration does not take it")
    # An unchanged configuration keeps its time, so that make need not look at it again.
    if old is not None and old == config.read_bytes():
        os.utime(config, ns=times)


def _build(series, name):
    top = tree()
    with cache.locked("linux-build"):
        ensure_applied(top)
        build = top / f"build-{series}"
        mark = build / BUILT
        mark.unlink(missing_ok=True)
        configure(top, build, KINDS[series])
        say(f"building {name}: minutes, the first time")
        text = make(top, build, "bzImage", "modules")
        if "warning:" in text:
            raise KitError(f"the compiler warned:\n{text[-3000:]}")
        mark.write_text(name + "\n", encoding="ascii")
        with cache.building(name, {"series": series}) as temp:
            shutil.copy(build / "arch/x86/boot/bzImage", temp / "vmlinuz")
            make(top, build, f"INSTALL_MOD_PATH={temp / 'out'}", "INSTALL_MOD_STRIP=1",
                 "modules_install")
            (found,) = (temp / "out/lib/modules").iterdir()
            for link in ("build", "source"):
                (found / link).unlink(missing_ok=True)
            missing = {one for one in MODULES if not list(found.rglob(f"{one}.ko"))}
            if missing:
                raise KitError(f"the build left no {', '.join(sorted(missing))}")
            (temp / "modules").mkdir()
            found.rename(temp / "modules" / found.name)
            shutil.rmtree(temp / "out")
            shutil.copy(top / "linux/tools/testing/selftests/ntb/ntb_test.sh",
                        temp / "ntb_test.sh")
    cache.remember(f"kernel-{series}", name)


def _name(series):
    return f"kernel-{series}-{digest(tree(), KINDS[series])}"


def prepare(series, full=False):
    """The folder of a kernel with the series: vmlinuz, modules/RELEASE, ntb_test.sh."""
    with cache.locked(f"kernel-{series}"):
        name = _name(series)
        top = cache.recall(f"kernel-{series}", full)
        if top is None or top.name != name:
            old = top
            _build(series, name)
            top = cache.recall(f"kernel-{series}")
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
    return top


@contextlib.contextmanager
def built(series):
    """The source and the folder with the objects of a kernel, as prepare() has it, to build modules for it."""
    top = tree()
    build = top / f"build-{series}"
    mark = build / BUILT
    with cache.locked(f"kernel-{series}"):
        if not mark.exists() or mark.read_text(encoding="ascii").strip() != _name(series):
            _build(series, _name(series))
    with cache.locked("linux-build"):
        ensure_applied(top)
        yield top, build
