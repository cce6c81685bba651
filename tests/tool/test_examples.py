#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The example programs do what they say, and are as small and as public as they claim."""

import pathlib
import re
import subprocess

import tap
from tap import DEADLINE_S, check, equal

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def run(case, name):
    """Run an example of this build; return its lines."""
    program = pathlib.Path(case.program).parents[1] / "examples" / name
    done = subprocess.run([str(program)], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=DEADLINE_S, text=True)
    equal((done.returncode, done.stderr), (0, ""), f"{name}: {done.stdout}")
    return done.stdout.splitlines()


def test_chip_and_domain_handles_both_edges(case):
    lines = run(case, "chip_and_domain")
    equal(lines, ["interrupt 1, CPU 0", "disabled: 1 handled", "interrupt 1, CPU 0",
                  "LINES: interrupt 1 given back (1)"])


def test_msix_counts_each_vector(case):
    lines = run(case, "msix")
    equal(len(lines), 4)
    for vector, line in enumerate(lines):
        check(re.fullmatch(rf"PCI-MSIX-0000:00:02\.0: vector {vector}, CPU [01]: handled {vector + 1} times", line), line)


def test_bridge_raises_what_was_granted(case):
    lines = run(case, "bridge")
    equal(len([line for line in lines if re.fullmatch(r"a: interrupt \d+", line)]), 5, str(lines))
    granted = lines.index("b: may raise interrupt 0 of peer 0")
    check(lines.index("a: peer 0 is there") < granted, "granted before the link was there")
    check(all(lines.index(line) > granted for line in lines if line.startswith("a: interrupt")), str(lines))


def test_own_machine_delivers_both_kinds_of_interrupts(case):
    counts = {}
    for line in run(case, "own_machine"):
        domain, index, handler, count = re.fullmatch(r"(\S+) +(\d+) (\S+) +(\d+)", line).groups()
        counts[domain, int(index), handler] = int(count)
    equal(counts.pop(("NTB-0000:00:02.0", 0, "example")), 5)
    for dev in (2, 3):
        for index, name in enumerate(("event", "doorbell", "message")):
            count = counts.pop((f"PCI-MSIX-0000:00:0{dev}.0", index, f"switchtec-{name}"))
            check(count or name == "event", f"function {dev}, {name}: {count}")
    equal(counts, {})


# As many lines as each may have. A machine is more than a program on one.
LINES = {"bridge": 100, "chip_and_domain": 100, "msix": 100, "own_machine": 450}


def test_examples_are_short_and_use_public_headers_only(_):
    paths = sorted(SOURCES.glob("*.c"))
    equal([path.stem for path in paths], sorted(LINES))
    for path in paths:
        text = path.read_text(encoding="utf-8")
        check(text.count("\n") < LINES[path.stem], f"{path.name} has {text.count(chr(10))} lines")
        check(not re.search(r'#\s*include\s*"', text), f"{path.name} includes a header of the tree")


if __name__ == "__main__":
    tap.main(dict(globals()))
