#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Put each defect back, and see that its own test fails, with its own sentence, and no other one.

One idea: a patch changes one or two source files.  Only those are compiled again, in copies outside the source tree, with the very
commands of the build, and linked in front of the libraries that the test program was made of.  A patch that does not apply any more,
or changes nothing that the program has in it, is a failure: a defect that cannot be put back is not tested for.

Usage: run.py BUILD PROGRAM [WORD...], with the program's path inside the build folder; words select patches by name.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PATCHES = sorted(pathlib.Path(__file__).resolve().parent.glob("*.patch"))
POINT = re.compile(r"^(not )?ok \d+ - (\w+)", re.M)
FIELD = re.compile(r"^(Fails|Says): (.+)$", re.M)
CHANGED = re.compile(r"^\+\+\+ b/(\S+)", re.M)
TIMEOUT_S = 120

Result = collections.namedtuple("Result", "passed failed text")


class Wrong(Exception):
    """What is wrong with a patch; the text says it."""


def run(argv, cwd, what):
    """Run a command that must succeed."""
    done = subprocess.run(argv, cwd=cwd, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise Wrong(f"{what}:\n{done.stdout}")
    return done.stdout


class Commands:
    """How ninja makes the program: a command for each source file, and the last step."""

    def __init__(self, build, program):
        self.build = build
        self.program = program
        self.compiles = {}
        self.link = None
        text = run(["ninja", "-C", str(build), "-t", "commands", program], build, "ninja does not know the program")
        for line in text.splitlines():
            argv = shlex.split(line)
            if "-c" in argv:
                self.compiles[self.place(argv[argv.index("-c") + 1])] = argv
            elif program in argv:
                self.link = argv
        if not self.link:
            raise Wrong(f"no command makes {program}")

    def place(self, name):
        """A source file's path in the tree, as a patch has it."""
        return os.path.relpath(os.path.realpath(self.build / name), TOP)

    def compile(self, name, source, out):
        """Compile another version of a source file."""
        argv = list(self.compiles[name])
        argv[argv.index("-c") + 1] = str(source)
        argv[argv.index("-o") + 1] = str(out)
        for option in ("-MQ", "-MF"):
            if option in argv:
                del argv[argv.index(option):argv.index(option) + 2]
        # A defect may leave a function or a variable without use.
        argv = [word for word in argv if word != "-MD"] + ["-Wno-error"]
        run(argv, self.build, f"{name} does not compile with the defect")

    def link_with(self, objects, out):
        """Link the program; what objects define is not taken from libraries."""
        argv = list(self.link)
        at = argv.index("-o")
        argv[at + 1] = str(out)
        argv[at + 2:at + 2] = [str(path) for path in objects]
        run(argv, self.build, "the program with the defect does not link")


def run_tests(program):
    """Run a test program to its end; whatever it exits with, its points count."""
    try:
        done = subprocess.run([str(program)], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise Wrong(f"it ran longer than {TIMEOUT_S} s") from error
    if done.returncode < 0:
        raise Wrong(f"killed by signal {-done.returncode}, instead of a test that fails:\n{done.stdout}")
    passed, failed = set(), set()
    for bad, name in POINT.findall(done.stdout):
        (failed if bad else passed).add(name)
    return Result(passed, failed, done.stdout)


def apply(text, patch, folder):
    """Copy what a patch changes, and patch the copies; return their names."""
    names = CHANGED.findall(text)
    for name in names:
        if not name.endswith(".c") or not (TOP / name).is_file():
            raise Wrong(f"{name}: not a .c file of this tree")
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((TOP / name).read_bytes())
    if not names:
        raise Wrong("it changes nothing")
    run(["patch", "-p1", "--no-backup-if-mismatch", "-i", str(patch)], folder, "the patch does not apply any more")
    return names


def put_back(commands, patch, tests):
    """Build the program with a defect and judge how it ends."""
    text = patch.read_text(encoding="utf-8")
    fields = dict(FIELD.findall(text))
    if set(fields) != {"Fails", "Says"} or fields["Fails"] not in tests:
        raise Wrong("the patch does not say which test fails, and with which sentence")
    with tempfile.TemporaryDirectory(prefix="ontb-defect-") as name:
        folder = pathlib.Path(name)
        objects = []
        for number, source in enumerate(apply(text, patch, folder)):
            if source not in commands.compiles:
                raise Wrong(f"{source} is not in the program")
            objects.append(folder / f"{number}.o")
            commands.compile(source, folder / source, objects[-1])
        commands.link_with(objects, folder / "program")
        result = run_tests(folder / "program")
    if result.failed != {fields["Fails"]} or result.passed | result.failed != tests:
        raise Wrong(f"failed: {' '.join(sorted(result.failed)) or 'none'}; that should be {fields['Fails']} alone\n{result.text}")
    if fields["Says"] not in result.text:
        raise Wrong(f"it fails for another reason than \"{fields['Says']}\":\n{result.text}")


def judge(commands, patch, tests):
    """What is wrong with a patch, or None."""
    try:
        put_back(commands, patch, tests)
    except Wrong as why:
        return str(why)
    return None


def main():
    """Run everything and print TAP; return the exit status."""
    build, program = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    chosen = [p for p in PATCHES if not sys.argv[3:] or any(word in p.stem for word in sys.argv[3:])]
    print(f"1..{len(chosen) + 2}", flush=True)
    commands = Commands(build, program)
    result = run_tests(build / program)
    tests = result.passed | result.failed
    points = [("nothing fails without a defect", None if tests and not result.failed else result.text)]
    covered = {dict(FIELD.findall(p.read_text(encoding="utf-8"))).get("Fails") for p in PATCHES}
    missing = tests - covered
    points.append(("every test has a defect that is put back", " ".join(sorted(missing)) or None))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        found = pool.map(lambda p: judge(commands, p, tests), chosen)
        points += [(f"{patch.stem}: its test fails", why) for patch, why in zip(chosen, found)]
    nr_failed = 0
    for number, (name, why) in enumerate(points, 1):
        for line in (why or "").splitlines():
            print(f"# {line}")
        print(f"{'not ok' if why else 'ok'} {number} - {name}", flush=True)
        nr_failed += bool(why)
    return 1 if nr_failed else 0


if __name__ == "__main__":
    sys.exit(main())
