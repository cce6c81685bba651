#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""docs/probes.md lists the probes that the program has, with their number of arguments."""

import pathlib
import re
import subprocess

import tap
from tap import check, equal

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def probes_of(program):
    """Name -> number of arguments, as the program's notes say."""
    text = subprocess.run(["readelf", "-n", program], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout
    probes = {}
    for name, args in re.findall(r"Provider: openntb\n\s+Name: (\w+)\n.*\n\s+Arguments:(.*)", text):
        probes.setdefault(name, set()).add(len(args.split()))
    return probes


def documented():
    """Name -> number of arguments, as the documentation says."""
    text = (TOP / "docs/probes.md").read_text(encoding="utf-8")
    return {name: {len(args.split(","))} for name, args in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.M)}


def test_documentation_and_program_have_the_same_probes(case):
    check(documented(), "no probe is documented")
    equal(probes_of(case.program), documented())


def test_examples_use_probes_that_exist(_case):
    text = (TOP / "docs/probes.md").read_text(encoding="utf-8")
    used = set(re.findall(r"openntb:(\w+)", text))
    check(used, "no example")
    equal(used - set(documented()), set())
    for name, body in re.findall(r"openntb:(\w+) \{([^\n]*)\}", text):
        most = max(int(number) for number in re.findall(r"arg(\d)", body))
        check(most < max(documented()[name]), f"{name} has no arg{most}")


if __name__ == "__main__":
    tap.main(dict(globals()))
