#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The grant protocol's model has no error, each seeded fault is found, and docs/grant-model.md says where each step is."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/tool"))
# pylint: disable-next=wrong-import-position
import tap  # noqa: E402
from tap import check, equal  # noqa: E402

MODEL = TOP / "docs/model/grant.pml"
PAGE = TOP / "docs/grant-model.md"
LIMIT_S = 500
MEMORY_MB = 3500

# How much of everything: macros of the model. The names are those of the table in docs/grant-model.md.
SIZES = {
    "moves": "NH=1 MOVES=2 REVOKES=1 FREES=1",
    "late_holder": "NH=2 MOVES=1 REVOKES=0 FREES=1 OTHERS=0 STORES=1",
    "revokes": "NH=2 MOVES=0 REVOKES=1 FREES=1 OTHERS=0 STORES=1",
    "two_interrupts": "NH=1 NI=2 MOVES=0 REVOKES=0 FREES=2 OTHERS=0",
    "death": "NH=1 MOVES=1 REVOKES=0 FREES=1 DEATHS=1 OTHERS=0",
    "late_holder_dies": "NH=2 MOVES=0 REVOKES=0 FREES=1 DEATHS=1 RETURNS=0 OTHERS=0 STORES=1",
    "late_holder_dies_in_move": "NH=2 MOVES=1 REVOKES=0 FREES=0 DEATHS=1 RETURNS=0 OTHERS=0 STORES=1",
    "settles": "CLAIM NH=1 MOVES=1 REVOKES=1 FREES=1 OTHERS=0 STORES=1",
    "settles_after_death": "CLAIM NH=1 MOVES=0 REVOKES=0 FREES=1 DEATHS=1 OTHERS=0 STORES=1",
}

# Seeded fault -> the size in which it shows, and what the checker must say.
LOST_OR_MISDIRECTED = r"assertion violated .*(vown|tok|pend)"
FAULTS = {
    "SKIP_ACK": ("moves", LOST_OR_MISDIRECTED),
    "REUSE_EARLY": ("moves", LOST_OR_MISDIRECTED),
    "TEAR": ("moves", r"assertion violated .*m1==m2"),
    "ACK_BEFORE_GRACE": ("moves", LOST_OR_MISDIRECTED),
    "CLOSE_LATE": ("death", LOST_OR_MISDIRECTED),
    "NO_DRAIN": ("moves", LOST_OR_MISDIRECTED),
    "FREE_PENDING": ("moves", LOST_OR_MISDIRECTED),
    "ANY_GEN": ("moves", LOST_OR_MISDIRECTED),
    "OPEN_EARLY": ("death", r"assertion violated .*wep"),
    "NO_AGAIN": ("late_holder", LOST_OR_MISDIRECTED),
    "NO_CUT_OFF": ("settles_after_death", r"acceptance cycle"),
}

# Test -> its result, made by a pool before the tests ask for it.
RUNS = {}


class Result:
    """What the checker says of one size of the model."""

    def __init__(self, text, seconds):
        self.text = text
        self.seconds = seconds
        errors = re.search(r"errors: (\d+)", text)
        states = re.search(r"^\s*([\d.e+]+) states, stored", text, re.M)
        self.nr_errors = int(errors.group(1)) if errors else None
        self.nr_states = int(float(states.group(1))) if states else 0
        found = re.search(r"^pan:\d+: (.*)", text, re.M)
        self.error = found.group(1) if found else ""


def call(argv, folder):
    """Run a program in a folder; its output, or an exception."""
    done = subprocess.run(argv, check=False, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S)
    return done.returncode, done.stdout


def explore(size, fault=None):
    """Make the checker for a size of the model and run it to its end or to the first error."""
    start = time.monotonic()
    words = SIZES[size].split() + ([fault] if fault else [])
    has_claim = "CLAIM" in words
    with tempfile.TemporaryDirectory(prefix="ontb-model-") as folder:
        status, text = call(["spin", *[f"-D{word}" for word in words], "-a", str(MODEL)], folder)
        check(status == 0, f"spin: {text}")
        flags = ["-DNFAIR=4"] if has_claim else ["-DSAFETY", "-DNOFAIR"]
        status, text = call(["gcc", "-w", "-O1", "-DNOREDUCE", f"-DMEMLIM={MEMORY_MB}", *flags, "-o", "pan", "pan.c"],
                            folder)
        check(status == 0, f"the checker does not compile: {text}")
        _, text = call(["nice", "-n", "5", "./pan", "-m100000", *(["-a", "-f"] if has_claim else [])], folder)
    return Result(text, time.monotonic() - start)


def result_of(name):
    """Wait for a test's result."""
    if not shutil.which("spin"):
        raise tap.Skip("spin is not installed")
    return RUNS[name].result()


def test_every_fault_of_the_model_is_seeded(_case):
    text = MODEL.read_text(encoding="utf-8")
    words = set(re.findall(r"^#ifn?def (\w+)", text, re.M)) - {"CLAIM"}
    sizes = set(re.findall(r"^#ifndef (\w+)\n#define \1 ", text, re.M))
    equal(words - sizes, set(FAULTS), "faults")


def steps_of(text):
    """Names of all steps of the model: processes, inlines, and macros that hold options of a loop."""
    names = set(re.findall(r"^(?:proctype|inline) (\w+)\(", text, re.M))
    for name, body in re.findall(r"^#define (\w+)\([^)]*\)[ \t]*\\\n((?:.*\\\n)*.*\n)", text, re.M):
        if "::" in body:
            names.add(name)
    return names


def rows_of(text):
    """Rows of the table of steps: names in the model, functions, file."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and re.match(r"`\w+`", cells[0]):
            yield re.findall(r"`(\w+)`", cells[0]), re.findall(r"`(\w+)\(\)`", cells[2]), cells[3].strip("`")


def test_the_table_has_every_step_of_the_model_and_no_other(_case):
    steps = steps_of(MODEL.read_text(encoding="utf-8"))
    named = {name for names, _, _ in rows_of(PAGE.read_text(encoding="utf-8")) for name in names}
    equal(steps - named, set(), "steps without a row")
    equal(named - steps, set(), "rows without a step")


def test_the_table_names_functions_that_exist(_case):
    nr_functions = 0
    for names, functions, path in rows_of(PAGE.read_text(encoding="utf-8")):
        if path == "-":
            equal(functions, [], f"functions of {names} without a file")
            continue
        text = (TOP / path).read_text(encoding="utf-8")
        check(functions, f"{names}: no function")
        for function in functions:
            found = re.search(rf"^[a-z][\w *]*\b{function}\([^;{{]*\{{", text, re.M)
            check(found, f"{names}: {path} has no function {function}()")
            nr_functions += 1
    check(nr_functions > 30, f"only {nr_functions} functions")


def plan():
    """Everything that has to be explored, by test: the longest first."""
    jobs = {f"{size}_has_no_error": (size, None) for size in SIZES}
    jobs.update({f"{fault}_is_found": (FAULTS[fault][0], fault) for fault in FAULTS})
    return dict(sorted(jobs.items(), key=lambda job: job[0] != "late_holder_has_no_error"))


def add_tests():
    """One test per size, one per fault."""
    for name, (size, fault) in plan().items():
        def right(_case, name=name):
            got = result_of(name)
            print(f"# {name}: {got.nr_states} states, {got.seconds:.1f} s")
            equal(got.nr_errors, 0, got.text[-2000:])
            check("Search not completed" not in got.text and "too small" not in got.text, got.text[-2000:])
            check(got.nr_states > 50000, f"only {got.nr_states} states: is anything allowed?")

        def wrong(_case, name=name, want=FAULTS[fault][1] if fault else ""):
            got = result_of(name)
            print(f"# {name}: {got.error}")
            equal(got.nr_errors, 1, got.text[-2000:])
            check(re.search(want, got.error), f"{got.error} is not {want}")

        globals()[f"test_{name}"] = wrong if fault else right


def main():
    """Explore in the background, as many at a time as there are cores, and report in order."""
    wanted = sys.argv[2:]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        if shutil.which("spin"):
            for name, job in plan().items():
                if not wanted or any(re.search(word, name) for word in wanted):
                    RUNS[name] = pool.submit(explore, *job)
        tap.main(dict(globals()))


add_tests()
if __name__ == "__main__":
    main()
