#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Every function of the library has a manual page that says what its header says."""

import pathlib
import re
import shutil
import subprocess

import tap
from tap import check, equal

TOP = pathlib.Path(__file__).resolve().parents[2]


def manual(case):
    """Write all pages into a folder as they are installed; return it."""
    folder = pathlib.Path(case.path("man"))
    for section, source in ((1, "tool/openntb.1"), (7, "docs/openntb.7")):
        (folder / f"man{section}").mkdir(parents=True)
        shutil.copy(TOP / source, folder / f"man{section}")
    (folder / "man3").mkdir()
    subprocess.run([str(TOP / "scripts/man-pages"), str(folder / "man3")], check=True)
    return folder


def render(folder, page):
    """A page as text."""
    done = subprocess.run(["mandoc", "-T", "ascii", page], cwd=folder, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    equal(done.returncode, 0, f"{page}: {done.stdout}")
    return re.sub(r".\x08", "", done.stdout)


def functions():
    """Public functions, also those that are defined in a header."""
    listed = subprocess.run([str(TOP / "scripts/list-public")], check=True, stdout=subprocess.PIPE, text=True)
    inline = [name for path in (TOP / "include/openntb").glob("*.h")
              for name in re.findall(r"^static inline .*\b(ontb_\w+)\(", path.read_text(encoding="utf-8"), re.M)]
    check(len(inline) > 5, "no function is defined in a header")
    return listed.stdout.split() + inline


def test_every_function_has_a_page_with_its_prototype_and_description(case):
    folder = manual(case)
    pages = {}
    for name in functions():
        alias = (folder / f"man3/{name}.3").read_text(encoding="utf-8")
        target = re.fullmatch(r"\.so (man3/openntb_\w+\.3)\n", alias).group(1)
        if target not in pages:
            pages[target] = render(folder, target)
        text = pages[target]
        check(re.search(rf"^     {name}\(", text, re.M), f"{target} has no prototype of {name}")
        check(re.search(rf"^   {name}\n     \S", text, re.M), f"{target} does not describe {name}")


def test_an_alias_shows_the_page(case):
    text = render(manual(case), "man3/ontb_ntb_irq_grant.3")
    check("OPENNTB_NTB_IRQ(3)" in text and "-EALREADY" in text, text)


def test_pages_have_no_fault_and_lead_only_to_pages_that_are_there(case):
    folder = manual(case)
    paths = sorted(folder.glob("man*/openntb*"))
    done = subprocess.run(["mandoc", "-T", "lint", *[str(path) for path in paths if path.suffix != ".1"]], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wrong = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    check(not wrong, "\n".join(wrong))
    for path in paths:
        for name, section in re.findall(r"^\.Xr (openntb\w*) (\d)", path.read_text(encoding="utf-8"), re.M):
            check((folder / f"man{section}/{name}.{section}").exists(), f"{path.name}: there is no {name}({section})")


def test_the_overview_lists_every_header(_):
    text = (TOP / "docs/openntb.7").read_text(encoding="utf-8")
    named = re.findall(r"^\.It In openntb/(\w+)\.h\n\.Xr openntb_(\w+) 3 :", text, re.M)
    equal(sorted(header for header, _ in named), sorted(path.stem for path in (TOP / "include/openntb").glob("*.h")))
    check(all(header == page for header, page in named), str(named))


def test_the_same_tree_gives_the_same_pages(case):
    once, again = case.path("once"), case.path("again")
    for folder in (once, again):
        pathlib.Path(folder).mkdir()
        subprocess.run([str(TOP / "scripts/man-pages"), folder], check=True)
    subprocess.run(["diff", "-r", once, again], check=True)


if __name__ == "__main__":
    tap.main(dict(globals()))
