# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What the file of a kernel module says about itself: section .modinfo of an ELF object.

The file comes from anywhere, so nothing in it is believed before it was checked.
"""

import dataclasses
import gzip
import lzma
import os
import pathlib
import re
import struct
import zlib

from .cache import KitError

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
IDENT = b"\x7fELF\x02\x01\x01"
RELOCATABLE = 1
X86_64 = 62
NO_BITS = 8


@dataclasses.dataclass(frozen=True)
class Module:
    """A module's file, unpacked: @depends are names of modules, @data the ELF object."""

    path: pathlib.Path
    name: str
    vermagic: str
    depends: tuple
    data: bytes

    @property
    def release(self):
        """The kernel that it was built for."""
        return self.vermagic.split()[0]


def stem(path):
    """The name of the module that a file holds, by the name of the file."""
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def _unpacked(path):
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise KitError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        if data.startswith(b"\xfd7zXZ\0"):
            return lzma.decompress(data)
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
    except (lzma.LZMAError, OSError, EOFError, zlib.error) as error:
        raise KitError(f"{path}: cannot be unpacked: {error}") from error
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        raise KitError(f"{path}: is packed by zstd, which is not read here; unpack it: unzstd {path}")
    return data


def _part(data, start, count, what):
    """@count bytes from @start on, all of which have to be there."""
    if start + count > len(data):
        raise ValueError(f"it ends before its {what}")
    return data[start:start + count]


def _sections(data):
    """{name: contents} of an ELF object for x86-64; ValueError says why it is none."""
    if not data.startswith(IDENT[:4]):
        raise ValueError("it is no ELF file")
    fields = HEADER.unpack(_part(data, 0, HEADER.size, "header"))
    kind, machine, table, size, count, names = fields[1], fields[2], fields[6], *fields[11:14]
    if not data.startswith(IDENT) or machine != X86_64:
        raise ValueError("it is for another machine, guests are x86-64")
    if kind != RELOCATABLE:
        raise ValueError("it is an ELF file, but a program or a library and no object")
    if size != SECTION.size or names >= count:
        raise ValueError("its section headers make no sense")
    heads = list(SECTION.iter_unpack(_part(data, table, size * count, "section headers")))
    text = _contents(data, heads[names])
    return {text[head[0]:].split(b"\0", 1)[0]: _contents(data, head) for head in heads}


def _contents(data, head):
    return b"" if head[1] == NO_BITS else _part(data, head[4], head[5], "sections")


def read(path):
    """The module in file @path; KitError says what else it is."""
    data = _unpacked(path)
    try:
        info = _sections(data).get(b".modinfo")
        if info is None:
            raise ValueError("it has no section .modinfo")
    except ValueError as error:
        raise KitError(f"{path}: no kernel module: {error}") from error
    found = {}
    for line in info.split(b"\0"):
        key, _, value = line.decode(errors="replace").partition("=")
        found.setdefault(key, value)
    for key in ("name", "vermagic"):
        if not found.get(key, "").strip():
            raise KitError(f"{path}: no kernel module: it has no {key}, so it is a part of one; the module ends in .ko")
    depends = tuple(word.replace("-", "_") for word in found.get("depends", "").split(",") if word)
    for name in (found["name"], *depends):
        if not re.fullmatch(r"[\w-]+", name):
            raise KitError(f"{path}: no kernel module: it has {name!r} as the name of a module")
    return Module(pathlib.Path(path), found["name"].replace("-", "_"), found["vermagic"].strip(), depends, data)
