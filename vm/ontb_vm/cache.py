# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A folder of finished things, kept outside the source tree.

One idea: a thing is built in a temporary folder and renamed into place when it is
complete, so whatever carries its final name is whole.  A manifest with the size and
SHA-256 of every file is written last; it is compared before the thing is used again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

MANIFEST = ".manifest.json"


class KitError(Exception):
    """Something could not be prepared; the text says what was tried and why it failed."""


def say(text):
    """Progress for people, on stderr so that stdout stays the program's own."""
    print(f"kit: {text}", file=sys.stderr, flush=True)


def cache_dir():
    """The cache folder: OPENNTB_CACHE, or openntb below the user's cache folder."""
    path = os.environ.get("OPENNTB_CACHE")
    if not path:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        path = os.path.join(base, "openntb")
    cache = pathlib.Path(os.path.abspath(path))
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    return cache


@contextlib.contextmanager
def locked(name, quiet=False):
    """Hold the lock of one kind of thing; a second preparer waits here."""
    path = cache_dir() / f"{name}.lock"
    with open(path, "w", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not quiet:
                say(f"waiting for another run that prepares {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest(path):
    """SHA-256 of a file, as hex."""
    total = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _files(top):
    for base, dirs, names in os.walk(top):
        dirs.sort()
        for name in sorted(names):
            path = os.path.join(base, name)
            if name != MANIFEST and not os.path.islink(path):
                yield os.path.relpath(path, top), path


def write_manifest(top, facts):
    """Record every file below @top, and @facts about it."""
    files = {name: [os.path.getsize(path), digest(path)] for name, path in _files(top)}
    with open(os.path.join(top, MANIFEST), "w", encoding="utf-8") as handle:
        json.dump({"facts": facts, "files": files}, handle, indent=0)
        handle.flush()
        os.fsync(handle.fileno())


def read_facts(top):
    """The facts stored with a finished thing, or None when there is no manifest."""
    try:
        with open(os.path.join(top, MANIFEST), encoding="utf-8") as handle:
            return json.load(handle)["facts"]
    except (OSError, ValueError, KeyError):
        return None


def check(top, full=False):
    """Compare a finished thing with its manifest; return the first difference or None.

    Sizes are always compared, contents with @full only.
    """
    try:
        with open(os.path.join(top, MANIFEST), encoding="utf-8") as handle:
            files = json.load(handle)["files"]
    except (OSError, ValueError, KeyError) as error:
        return f"no usable manifest ({error})"
    for name, (size, want) in files.items():
        path = os.path.join(top, name)
        try:
            if os.path.getsize(path) != size:
                return f"{name}: size differs"
            if full and digest(path) != want:
                return f"{name}: contents differ"
        except OSError as error:
            return f"{name}: {error.strerror}"
    return None


@contextlib.contextmanager
def building(name, facts):
    """Give a temporary folder; when the block ends well it becomes cache/@name.

    An interrupted run leaves only a folder named .tmp-*, which the next one removes.
    The caller holds the lock of this kind of thing.
    """
    cache = cache_dir()
    prefix = f".tmp-{name}-"
    for old in cache.glob(f"{prefix}*"):
        shutil.rmtree(old, ignore_errors=True)
    temp = tempfile.mkdtemp(prefix=prefix, dir=cache)
    try:
        yield pathlib.Path(temp)
        os.chmod(temp, 0o755)
        write_manifest(temp, facts)
        final = cache / name
        if final.exists():
            shutil.rmtree(final)
        os.rename(temp, final)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def remember(kind, name):
    """Let cache/@kind.current point to a finished thing, in one step."""
    cache = cache_dir()
    temp = cache / f".tmp-{kind}.current-{os.getpid()}"
    temp.write_text(name + "\n", encoding="ascii")
    os.rename(temp, cache / f"{kind}.current")


def recall(kind, full=False):
    """The finished thing of a kind, checked, or None when it has to be built."""
    cache = cache_dir()
    try:
        name = (cache / f"{kind}.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    why = check(cache / name, full)
    if why:
        say(f"{cache / name} is damaged ({why}); it is built again")
        return None
    return cache / name
