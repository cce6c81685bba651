#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Header, export map and libraries name the same functions.

Usage: test_linkage.py LIBRARY PROGRAM-SHARED PROGRAM-STATIC; the programs call scripts/list-public's list.
"""

import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def output(*argv):
    """What a command prints."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    """Compare; print TAP."""
    library, shared, static = sys.argv[1:]
    public = set(output(str(TOP / "scripts/list-public")).split())
    exported = {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", library).splitlines()
                if line.split()[-2] != "A"}
    mapped = set(re.findall(r"^\t\t(\w+);", (TOP / "src/openntb.map").read_text(encoding="utf-8"), re.M))
    unversioned = {line.split()[-1] for line in output("nm", "-D", "--defined-only", library).splitlines()
                   if line.split()[-2] != "A" and not re.search(r"@@OPENNTB_\d+\.\d+$", line)}
    soname = re.findall(r"SONAME.*\[(.*)\]", output("readelf", "-d", library))
    version = re.search(r"version: '(\d+\.\d+)", (TOP / "meson.build").read_text(encoding="utf-8")).group(1)
    documented = {path.name for path in (TOP / "include/openntb").glob("*.h")}
    installed = set(re.findall(r"include/openntb/([\w]+\.h)", (TOP / "meson.build").read_text(encoding="utf-8")))
    points = (
        ("the library exports what the headers declare", exported, public),
        ("the export map names what the headers declare", mapped, public),
        ("every public header is installed", installed, documented),
    )
    print(f"1..{len(points) + 4}")
    print(f"{'not ok' if unversioned else 'ok'} 1 - every exported function has a version")
    for name in sorted(unversioned):
        print(f"# without: {name}")
    print(f"{'ok' if soname == [f'libopenntb.so.{version}'] else 'not ok'} 2 - the library's name has its version")
    print(f"# {soname}")
    number = 2
    for name, left, right in points:
        number += 1
        print(f"{'ok' if left == right and right else 'not ok'} {number} - {name}")
        for extra in sorted(left ^ right):
            print(f"# only on one side: {extra}")
    for kind, program in (("shared", shared), ("static", static)):
        number += 1
        done = subprocess.run([program], check=False, stdout=subprocess.PIPE, text=True)
        good = done.returncode == 0 and done.stdout.startswith(f"{len(public)} functions, 0 missing")
        print(f"{'ok' if good else 'not ok'} {number} - a program links every public function of the {kind} library")
        print(f"# {done.stdout.strip()}")


if __name__ == "__main__":
    main()
