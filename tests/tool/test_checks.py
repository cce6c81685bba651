#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""The checkers in scripts/ and the runner's TAP reader find what they are there for: each gets a small tree with one fault."""

import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess

import tap
from tap import check, equal

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SPDX_C = "/* SPDX-License-" "Identifier: BSD-3-Clause OR GPL-2.0-only */\n"

GOOD = SPDX_C + """#include <stdint.h>

#include <openntb/access.h>

/**
 * struct ontb_thing - a thing
 * @first:  First.
 * @second: Second.
 */
struct ontb_thing {
	int first;
	uint64_t second[4];
};

/**
 * ontb_thing_get() - get a thing
 * @thing: Thing.
 * @out:   OUT.
 *
 * Return: 0.
 */
int ontb_thing_get(const struct ontb_thing *thing, int (*out)(void *arg, int x));

/**
 * ontb_thing_free() - free a thing
 * @thing: Thing.
 */
void ontb_thing_free(struct ontb_thing *thing);
"""

# What replaces what in the good public header -> what check-kdoc must say.
KDOC = {
    "parameter_without_text": (" * @out:   OUT.\n", "", "parameter out is not described"),
    "text_without_parameter": (" * @out:   OUT.\n", " * @out:   OUT.\n * @old: Gone.\n", "@old is described but"),
    "parameter_described_twice": (" * @out:   OUT.\n", " * @out: OUT.\n * @out: OUT.\n", "described twice"),
    "no_return": (" *\n * Return: 0.\n", "", "no 'Return:'"),
    "return_of_nothing": (" * ontb_thing_free() - free a thing\n * @thing: Thing.\n",
                          " * ontb_thing_free() - free a thing\n * @thing: Thing.\n *\n * Return: 0.\n", "returns nothing"),
    "another_name": (" * ontb_thing_free() -", " * ontb_thing_put() -", "not that function"),
    "no_comment": ("/**\n * ontb_thing_free() - free a thing\n * @thing: Thing.\n */\n", "", "has no kernel-doc"),
    "no_title": (" * ontb_thing_free() - free a thing\n", " * ontb_thing_free() frees\n", "comment has no"),
    "member_without_text": (" * @first:  First.\n", "", "member first is not described"),
    "text_without_member": (" * @first:  First.\n", " * @first:  First.\n * @third: Third.\n", "@third"),
    "array_member_without_text": (" * @second: Second.\n", "", "member second is not described"),
    "stale_name_in_text": ("get a thing\n", "get a thing as ontb_thing_put() does\n", "ontb_thing_put() does not exist"),
}

# File, line that it includes, whether that is right.
LAYERS = {
    "hardware_may_use_base": ("src/hw/bridge/x.c", '#include "base/y.h"', True),
    "hardware_may_not_use_the_wire": ("src/hw/bridge/x.c", '#include "vfio_user/y.h"', False),
    "the_wire_may_not_use_hardware": ("src/vfio_user/x.c", '#include "hw/bridge/y.h"', False),
    "the_wire_may_not_use_hardware_by_a_path": ("src/vfio_user/x.c", '#include "../hw/bridge/y.h"', False),
    "base_may_not_use_hardware": ("src/base/x.h", '#include "hw/bridge/y.h"', False),
    "a_model_may_use_the_bridge": ("src/hw/switchtec/x.c", '#include "hw/bridge/y.h"', True),
    "the_bridge_may_not_use_a_model": ("src/hw/bridge/x.c", '#include "hw/switchtec/y.h"', False),
    "a_model_may_not_use_another": ("src/hw/intel/x.c", '#include "hw/switchtec/y.h"', False),
    "anything_may_use_public_headers": ("src/base/x.c", "#include <openntb/error.h>", True),
    "public_headers_may_not_use_internal_ones": ("include/openntb/x.h", '#include "base/y.h"', False),
    "the_command_may_use_all": ("tool/x.c", '#include "hw/switchtec/y.h"', True),
    "a_header_that_is_not_there": ("tool/x.c", '#include "hw/switchtec/z.h"', False),
    "system_headers_are_free": ("src/base/x.c", "#include <stdio.h>", True),
    "host_software_may_not_use_hardware": ("src/ntb/x.c", '#include "hw/switchtec/y.h"', False),
    "hardware_may_not_use_host_software": ("src/hw/bridge/x.c", '#include "irq/y.h"', False),
    "msi_may_use_irq": ("src/msi/x.c", '#include "irq/y.h"', True),
    "irq_may_not_use_msi": ("src/irq/x.c", '#include "msi/y.h"', False),
    "pci_may_not_know_ntb": ("src/pci/x.c", "/* an NTB */", False),
    "pci_may_know_ontb": ("src/pci/x.c", "int ontb_pci_x;", True),
    "the_ntb_domain_may_not_know_msi_x": ("src/ntb/irq/x.c", "/* the MSI-X table */", False),
    "a_driver_may_know_msi_x": ("src/ntb/hw/x.c", "/* the MSI-X table */", True),
    "nothing_is_virtual": ("src/msi/x.c", "bool is_virtual;", False),
}

SPDX = {
    "no_line": ("src/base/x.c", "int x;\n", "lack"),
    "another_licence": ("src/base/x.c", SPDX_C.replace("BSD-3-Clause OR ", ""), "lack"),
    "line_too_far_down": ("src/base/x.c", "\n\n\n\n" + SPDX_C, "lack"),
    "two_lines": ("src/base/x.c", SPDX_C * 2, "2 SPDX"),
    "licence_text": ("src/base/x.c", SPDX_C + "/* Permission is " "hereby granted */\n", "licence text"),
    "binary_outside_a_corpus": ("tests/x.c", b"\xff\xfe\x00", "not text"),
}

# What a page that names functions and tests says -> what check-docs must say, None for nothing.
NAMES = {
    "right_names": ("`thing_do()` in `src/base/x.c`, `a_thing_is_done`, `another_thing_is_done`, `struct thing` in `src/base/x.c`", None),
    "a_function_that_is_not_there": ("`thing_undo()`", "no function thing_undo"),
    "a_function_that_is_only_called": ("`thing_call()`", "no function thing_call"),
    "a_function_that_is_only_declared": ("`thing_say()`", "no function thing_say"),
    "a_function_in_another_file": ("`thing_do()` in `src/base/y.h`", "src/base/y.h has no function thing_do"),
    "the_second_function_in_another_file": ("`thing_do()` and `thing_go()` in `src/base/x.c`", "no function thing_go"),
    "a_structure_that_is_not_there": ("`struct other`", "no structure other"),
    "a_test_that_is_not_there": ("`a_thing_is_undone`", "no test a_thing_is_undone"),
    "a_path_that_is_not_there": ("`src/base/z.c`", "src/base/z.c is not there"),
    "names_of_linux": ("## In Linux\n\n`thing_undo()`, `a_thing_is_undone`\n\n## Here\n", None),
    "names_after_those_of_linux": ("## In Linux\n\n`x()`\n\n## Here\n\n`thing_undo()`\n", "no function thing_undo"),
}
NAMED_C = SPDX_C + """struct thing {
	int x;
};

void thing_say(void);

int thing_do(struct thing *thing,
	     int x)
{
	return thing_call(x);
}
"""
NAMED_TESTS = {
    "tests/x.c": SPDX_C + "static void a_thing_is_done(void **state)\n{\n}\n",
    "tests/x.py": "def test_another_thing_is_done(case):\n    pass\n",
}

# What a program with a defect prints -> what the runner of defects must say, None for nothing.
DEFECTS = {
    "its_test_fails": ("not ok 1 - a_b\n# why\nok 2 - c_d\n", None),
    "its_test_passes": ("ok 1 - a_b\nok 2 - c_d\n", "failed: none"),
    "another_test_fails_too": ("not ok 1 - a_b\n# why\nnot ok 2 - c_d\n", "a_b alone"),
    "it_fails_for_another_reason": ("not ok 1 - a_b\n# other\nok 2 - c_d\n", "another reason"),
    "it_breaks_off": ("not ok 1 - a_b\n# why\n", "a_b alone"),
}
DEFECT = """text

Fails: a_b
Says: why

--- a/src/base/x.c
+++ b/src/base/x.c
@@ -1,3 +1,3 @@
 one
-two
+deux
 three
"""

# Output of a program, exit status -> passed, failed, skipped.
TAPS = {
    "all_well": ("1..2\nok 1 - a\nok 2 - b\n", 0, (2, 0, 0)),
    "plan_at_the_end": ("ok 1 - a\n1..1\n", 0, (1, 0, 0)),
    "one_fails": ("1..2\nok 1 - a\nnot ok 2 - b\n", 1, (1, 1, 0)),
    "one_is_skipped": ("1..2\nok 1 - a\nok 2 - b # SKIP why\n", 0, (1, 0, 1)),
    "cmocka_skips_with_not_ok": ("1..1\nnot ok 1 # SKIP b\n", 0, (0, 0, 1)),
    "all_are_skipped": ("1..0 # SKIP why\n", 0, (0, 0, 1)),
    "exit_77": ("", 77, (0, 0, 1)),
    "exit_status_without_a_failure": ("1..1\nok 1 - a\n", 3, (1, 1, 0)),
    "breaks_off": ("1..3\nok 1 - a\n", 0, (1, 1, 0)),
    "crashes": ("1..2\nok 1 - a\n", -11, (1, 1, 0)),
    "says_nothing": ("", 0, (0, 1, 0)),
    "no_plan": ("ok 1 - a\n", 0, (1, 1, 0)),
    "more_than_planned": ("1..1\nok 1 - a\nok 2 - b\n", 0, (2, 1, 0)),
    "bails_out": ("1..1\nok 1 - a\nBail out! no\n", 0, (1, 1, 0)),
    "two_groups": ("1..1\nok 1 - a\n1..1\nok 1 - b\n", 0, (2, 0, 0)),
    "other_output_between": ("1..1\n# note\nokay then\nok 1 - a\n", 0, (1, 0, 0)),
}


def tree(case, files):
    """A small tree with a checker in it."""
    top = pathlib.Path(case.path("tree"))
    shutil.copytree(TOP / "scripts", top / "scripts")
    (top / "docs").mkdir()
    for name in ("LICENSES/BSD-3-Clause.txt", "LICENSES/GPL-2.0-only.txt", "include/openntb/access.h",
                 "include/openntb/error.h"):
        files.setdefault(name, SPDX_C)
    for name in ("src/base/y.h", "src/hw/bridge/y.h", "src/hw/switchtec/y.h", "src/vfio_user/y.h", "src/irq/y.h",
                 "src/msi/y.h"):
        files.setdefault(name, SPDX_C)
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return top


def run_checker(top, name):
    """Run a checker of the tree."""
    # The tree is no git repository, whatever is above it.
    env = dict(os.environ, GIT_CEILING_DIRECTORIES=str(top.parent))
    return subprocess.run([str(top / "scripts" / name)], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=env)


def test_check_kdoc_accepts_a_good_header(case):
    done = run_checker(tree(case, {"include/openntb/thing.h": GOOD}), "check-kdoc")
    equal(done.returncode, 0, done.stdout)


def test_check_spdx_accepts_a_good_tree(case):
    done = run_checker(tree(case, {"tests/fuzz/corpus/x": b"\xff"}), "check-spdx")
    equal(done.returncode, 0, done.stdout)


def test_check_layers_accepts_the_real_tree(_case):
    equal(run_checker(TOP, "check-layers").returncode, 0)


def load(name, path):
    """Load a program as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(TOP / path))
    loader.path_stats = lambda path: (_ for _ in ()).throw(OSError())  # no compiled file beside it
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class FakeCommands:
    """Makes "programs" that print a text; the source has to be the patched one."""

    compiles = ("src/base/x.c",)

    def __init__(self, text):
        self.text = text

    @staticmethod
    def compile(_name, source, out):
        """Look at the source."""
        equal(source.read_text(encoding="utf-8"), "one\ndeux\nthree\n", "patched source")
        out.touch()

    def link_with(self, _objects, out):
        """Make the program."""
        out.write_text(f"#!/bin/sh\nprintf '%s' '{self.text}'\n", encoding="utf-8")
        out.chmod(0o755)


def judge_defect(case, text, source, patch):
    """What the runner of defects says of a patch to a tree with one source file."""
    runner = load("ontb_defects", "tests/defects/run.py")
    runner.TOP = pathlib.Path(case.path("tree"))
    (runner.TOP / "src/base").mkdir(parents=True)
    (runner.TOP / "src/base/x.c").write_text(source, encoding="utf-8")
    return runner.judge(FakeCommands(text), pathlib.Path(case.write_file("x.patch", patch)), {"a_b", "c_d"})


def test_defects_runner_finds_a_patch_that_does_not_apply_any_more(case):
    why = judge_defect(case, "", "one\nzwei\nthree\n", DEFECT)
    check("does not apply any more" in str(why), why)


def test_defects_runner_finds_a_patch_that_says_nothing_of_its_test(case):
    why = judge_defect(case, "", "one\ntwo\nthree\n", DEFECT.replace("Fails: a_b", "Fails: e_f"))
    check("does not say which test" in str(why), why)


def test_defects_runner_finds_a_patch_to_a_file_that_the_program_lacks(case):
    FakeCommands.compiles, compiles = (), FakeCommands.compiles
    try:
        why = judge_defect(case, "", "one\ntwo\nthree\n", DEFECT)
    finally:
        FakeCommands.compiles = compiles
    check("is not in the program" in str(why), why)


def add(name, function):
    """Add a generated test."""
    globals()[f"test_{name}"] = function


def add_tests():
    """One test per row of the tables above."""
    for name, (old, new, text) in KDOC.items():
        def kdoc(case, old=old, new=new, text=text):
            check(old in GOOD, "the row fits no line")
            done = run_checker(tree(case, {"include/openntb/thing.h": GOOD.replace(old, new, 1)}), "check-kdoc")
            equal(done.returncode, 1, done.stdout)
            check(text in done.stdout, done.stdout)
        add(f"check_kdoc_finds_{name}", kdoc)
    for name, (path, line, is_right) in LAYERS.items():
        def layers(case, path=path, line=line, is_right=is_right):
            done = run_checker(tree(case, {path: SPDX_C + line + "\n"}), "check-layers")
            equal(done.returncode, 0 if is_right else 1, done.stdout)
            equal(path in done.stdout, not is_right, done.stdout)
        add(f"check_layers: {name}", layers)
    for name, (path, text, word) in SPDX.items():
        def spdx(case, path=path, text=text, word=word):
            done = run_checker(tree(case, {path: text}), "check-spdx")
            equal(done.returncode, 1, done.stdout)
            check(path in done.stdout and word in done.stdout, done.stdout)
        add(f"check_spdx_finds_{name}", spdx)
    for name, (text, word) in NAMES.items():
        def names(case, text=text, word=word):
            files = {"src/base/x.c": NAMED_C, "docs/README.md": "[a](defects.md)", "docs/defects.md": text, "Makefile": "",
                     **NAMED_TESTS}
            done = run_checker(tree(case, files), "check-docs")
            equal(done.returncode, 1 if word else 0, done.stdout)
            check(not word or word in done.stdout, done.stdout)
        add(f"check_docs: {name}", names)
    for name, (text, word) in DEFECTS.items():
        def defects(case, text=text, word=word):
            why = judge_defect(case, text, "one\ntwo\nthree\n", DEFECT)
            check(word in why if word else why is None, why)
        add(f"defects runner: {name}", defects)
    runner = load("ontb_run", "tests/run")
    for name, (text, status, want) in TAPS.items():
        def taps(_case, text=text, status=status, want=want):
            got = runner.Tap()
            for line in text.splitlines(True):
                got.feed(line)
            got.finish(status)
            equal((got.passed, got.failed, len(got.skipped)), want, str(got.failures))
            equal(len(got.failures), got.failed)
        add(f"runner: {name}", taps)


add_tests()
if __name__ == "__main__":
    tap.main(dict(globals()))
