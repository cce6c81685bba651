# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Packages of a Debian release other than the host's, without touching the host.

One idea: apt runs with a state of its own, so it resolves and verifies (signatures and
hashes) as always, but it downloads only; packages are then unpacked into a folder.
Programs in that folder run either through its own dynamic loader or in a chroot.
"""

import contextlib
import fnmatch
import os
import pathlib
import shlex
import shutil
import subprocess
import tarfile

from .cache import KitError, cache_dir, locked

RELEASE = "trixie"
BACKPORTS = "trixie-backports"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LOADER = "lib64/ld-linux-x86-64.so.2"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib")

# Needed only to install, configure or boot a real system; here packages are unpacked.
NOT_NEEDED = (
    "adduser", "debconf", "debconf-2.0", "base-passwd", "passwd", "login.defs", "udev",
    "systemd", "linux-initramfs-tool", "initramfs-tools", "linux-base", "perl",
    "openssl-provider-legacy", "ipxe-qemu", "libpam-modules", "init-system-helpers",
    "linux-base-7.3", "dracut",
)


def mirror():
    """The archive to download from."""
    return os.environ.get("OPENNTB_MIRROR", "http://deb.debian.org/debian")


def run(argv, **options):
    """Run a command; a failure becomes a KitError with the command and its output."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.STDOUT)
    try:
        done = subprocess.run(argv, text=True, check=False, **options)
    except OSError as error:
        raise KitError(f"cannot run {argv[0]}: {error.strerror}") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout or "").splitlines()[-25:])
        raise KitError(f"{shlex.join(map(str, argv))}: exit {done.returncode}\n{tail}")
    return done.stdout or ""


def _fake_status():
    lines = []
    for name in NOT_NEEDED:
        lines.append(f"Package: {name}\nStatus: install ok installed\nMaintainer: none\n"
                     "Architecture: all\nMulti-Arch: foreign\nVersion: 1:99\n"
                     "Description: left out\n")
    return "\n".join(lines)


class Apt:
    """apt with a private state below the cache folder."""

    def __init__(self):
        self.top = cache_dir() / "apt"
        self.env = dict(os.environ, APT_CONFIG=str(self.top / "apt.conf"), LC_ALL="C",
                        DEBIAN_FRONTEND="noninteractive")

    def refresh(self):
        """Write the configuration and fetch the package lists."""
        if not os.path.exists(KEYRING):
            raise KitError(f"{KEYRING} is missing: install debian-archive-keyring")
        for name in ("lists/partial", "archives/partial", "etc"):
            (self.top / name).mkdir(parents=True, exist_ok=True)
        (self.top / "status").write_text(_fake_status(), encoding="ascii")
        (self.top / "sources.list").write_text("".join(
            f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n"
            for suite in (RELEASE, BACKPORTS)), encoding="utf-8")
        top = self.top
        # The host's configuration must not add commands to run or other sources; of it
        # only the proxies are kept.
        (top / "apt.conf").write_text(_proxies() + f'''
Dir "{top}/etc";
Dir::State "{top}";
Dir::State::status "{top}/status";
Dir::State::lists "{top}/lists";
Dir::Cache "{top}";
Dir::Cache::archives "{top}/archives";
Dir::Etc "{top}/etc";
Dir::Etc::main "{top}/etc/none";
Dir::Etc::parts "{top}/etc";
Dir::Etc::sourcelist "{top}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Log "{top}";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
''', encoding="utf-8")
        run(["apt-get", "update", "-qq"], env=self.env)

    def version(self, package, suite):
        """The version of a package in a suite."""
        text = run(["apt-cache", "madison", package], env=self.env)
        for line in text.splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) == 3 and f" {suite}/" in f" {fields[2]}":
                return fields[1]
        raise KitError(f"{mirror()} has no {package} in {suite}")

    def depends(self, package, version):
        """The names in the Depends field of one version of a package."""
        text = run(["apt-cache", "show", f"{package}={version}"], env=self.env)
        for line in text.splitlines():
            if line.startswith("Depends:"):
                return [part.split()[0] for part in line[8:].replace("|", ",").split(",")]
        return []

    def download(self, packages, target, suite=RELEASE, resolve=True):
        """Download packages into @target, with all they depend on if @resolve.

        Return the list of .deb files.
        """
        target = pathlib.Path(target)
        (target / "partial").mkdir(parents=True, exist_ok=True)
        if resolve:
            run(["apt-get", "install", "-qq", "-y", "--download-only", "-t", suite,
                 "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={target}",
                 *packages], env=self.env)
        else:
            run(["apt-get", "download", "-qq", *[f"{name}/{suite}" for name in packages]],
                env=self.env, cwd=target)
        return sorted(target.glob("*.deb"))


def _proxies():
    lines = []
    for name in ("Acquire::http::Proxy", "Acquire::https::Proxy"):
        value = run(["apt-config", "shell", "V", name], env=dict(os.environ, LC_ALL="C"))
        words = shlex.split(value)
        if words:
            lines.append(f'{name} "{words[0][2:]}";\n')
    return "".join(lines)


def new_root(top):
    """Make an empty folder ready for packages: merged /usr, device for the compiler."""
    for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "tmp", "etc"):
        (top / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (top / name).is_symlink():
            (top / name).symlink_to(f"usr/{name}")


def unpack(deb, top):
    """Unpack a package into @top."""
    _pipe(["dpkg-deb", "--fsys-tarfile", str(deb)],
          ["tar", "-x", "-C", str(top), "--keep-directory-symlink", "--no-same-owner",
           "--delay-directory-restore", "--warning=no-timestamp"])


def unpack_some(deb, top, patterns):
    """Copy the regular files of a package whose name matches a pattern below @top."""
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)],
                              stdout=subprocess.PIPE)
    with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
        for member in archive:
            name = os.path.normpath(member.name)
            if not member.isfile() or name.startswith(("/", "..")):
                continue
            if any(fnmatch.fnmatch(os.path.basename(name), want) for want in patterns):
                path = top / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "wb") as out:
                    shutil.copyfileobj(archive.extractfile(member), out)
    reader.stdout.read()
    if reader.wait() != 0:
        raise KitError(f"dpkg-deb --fsys-tarfile {deb}: exit {reader.returncode}")


def unpack_nested(deb, member, top, members, strip):
    """Unpack members of a tar archive that is itself a member of a package."""
    _pipe(["dpkg-deb", "--fsys-tarfile", str(deb)], ["tar", "-xO", member],
          ["tar", "-xJ", "-C", str(top), f"--strip-components={strip}", "--wildcards",
           *members])


def _pipe(*commands):
    """Run commands as one pipe line and fail when one of them does."""
    procs = []
    before = subprocess.DEVNULL
    for argv in commands:
        last = argv is commands[-1]
        procs.append(subprocess.Popen(
            argv, stdin=before, stdout=subprocess.DEVNULL if last else subprocess.PIPE,
            stderr=subprocess.PIPE, text=False))
        if before is not subprocess.DEVNULL:
            before.close()
        before = procs[-1].stdout
    errors = [proc.stderr.read().decode(errors="replace") for proc in reversed(procs)][::-1]
    for argv, proc, text in zip(commands, procs, errors):
        if proc.wait() != 0:
            raise KitError(f"{shlex.join(argv)}: exit {proc.returncode}\n{text.strip()}")


def loader_command(top, program):
    """The words that run a program of an unpacked root on the host, without chroot."""
    paths = ":".join(str(top / name) for name in LIBRARIES)
    return [str(top / LOADER), "--library-path", paths, str(top / program)]


HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Arguments: the root, folders to show in it at their own path, "--", and a command.
CHROOT = r'''
set -e
root=$1
shift
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
while [ "$1" != -- ]; do
	mkdir -p "$root$1"
	mount --rbind "$1" "$root$1"
	shift
done
shift
exec chroot "$root" "$@"
'''


def _namespace():
    """(the words that give a mount namespace, whether one may mount in it)."""
    space = ["unshare", "--mount"]
    if os.geteuid() != 0:
        space += ["--user", "--map-root-user"]
    tried = subprocess.run([*space, "mount", "--bind", "/", "/"], check=False, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if tried.returncode != 0 and os.geteuid() != 0:
        raise KitError("building modules needs root or user namespaces "
                       f"(unshare says: {tried.stdout.strip()})")
    return space, tried.returncode == 0


def plain_chroot(top):
    """The words of a chroot where root may not mount.

    Programs find a null device all the same, and the file by which objtool of Linux 7.x learns how large its stack may be.
    """
    null = top / "dev/null"
    if not null.exists():
        os.mknod(null, 0o666 | 0o020000, os.makedev(1, 3))
        os.chmod(null, 0o666)
    limits = top / "proc/self/limits"
    limits.parent.mkdir(exist_ok=True)
    limits.write_text(pathlib.Path("/proc/self/limits").read_text(encoding="ascii"), encoding="ascii")
    return [shutil.which("chroot") or "/usr/sbin/chroot", str(top)]


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C", "HOME": "/", "TMPDIR": "/tmp"}


@contextlib.contextmanager
def inside(top, argv, shown=()):
    """(words, environment) to run @argv with @top as its root folder, in which @shown have their own paths.

    Mounts are made in a mount namespace of their own, so nothing is left behind but empty folders
    below @top, where @shown were.  Without root's rights a user namespace is used.  Where root may
    not mount (some containers), it is a plain chroot; @shown are copied into it, and what is new or
    different there afterwards is copied back.
    """
    space, may_mount = _namespace()
    if may_mount:
        words = [*space, "sh", "-c", CHROOT, "sh", str(top), *map(str, shown), "--", *argv]
        yield words, dict(ENVIRONMENT, PATH=HOST_PATH)
        return
    pairs = [(pathlib.Path(path), top / str(path).lstrip("/")) for path in shown]
    try:
        for here, there in pairs:
            shutil.rmtree(there, ignore_errors=True)
            shutil.copytree(here, there, symlinks=True, dirs_exist_ok=True)
        yield [*plain_chroot(top), *argv], ENVIRONMENT
        for here, there in pairs:
            _copy_back(there, here)
    except OSError as error:
        raise KitError(f"{', '.join(map(str, shown))}: cannot be copied to where the compiler is: {error}") from error
    finally:
        for _, there in pairs:
            shutil.rmtree(there, ignore_errors=True)


def _copy_back(there, here):
    """Copy files that are new or newer below @there."""
    for path in there.rglob("*"):
        target = here / path.relative_to(there)
        if path.is_symlink() or not path.is_file():
            continue
        if not target.exists() or target.stat().st_mtime_ns != path.stat().st_mtime_ns:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def run_inside(top, script):
    """Run a shell script with @top as its root folder, see inside(); return what it printed."""
    with inside(top, ["/bin/sh", "-ec", script]) as (words, env):
        return run(words, env=env)


def prepare_lists():
    """Fetch the package lists (once per process) and return the private apt."""
    global _APT
    with locked("apt", quiet=True):
        if _APT is None:
            apt = Apt()
            apt.refresh()
            _APT = apt
    return _APT


_APT = None
