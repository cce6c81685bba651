#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Every public header can be the only one that a program includes, in C and in C++."""

import pathlib
import re
import subprocess

import tap
from tap import check

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
STRICT = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{INCLUDE}"]


def headers():
    """The public headers."""
    found = sorted((INCLUDE / "openntb").glob("*.h"))
    check(len(found) > 20, f"only {len(found)} headers")
    return found


def compile_each(compiler, language, standard):
    """Compile each header alone; fail with what the compiler says."""
    wrong = []
    for path in headers():
        done = subprocess.run([compiler, f"-std={standard}", "-x", language, *STRICT, "-"], check=False, text=True,
                              input=f"#include <openntb/{path.name}>\n", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            wrong.append(f"{path.name}: {done.stdout}")
    check(not wrong, "\n".join(wrong))


def test_each_header_compiles_alone_as_c11(_):
    compile_each("gcc", "c", "c11")


def test_each_header_compiles_alone_as_cpp11(_):
    compile_each("g++", "c++", "c++11")


def test_a_cpp_program_finds_the_functions_under_their_c_names(_):
    for path in headers():
        text = path.read_text(encoding="utf-8")
        opened = text.index('extern "C" {')
        for found in re.finditer(r"^\w.*\bontb_\w+\(", text, re.M):
            check(found.start() > opened, f"{path.name}: {found.group()} is outside extern \"C\"")


def test_the_compilers_notice_a_header_that_is_wrong(case):
    case.write_file("wrong.h", "struct wrong { size_t nr; };\n")
    for compiler, language in (("gcc", "c"), ("g++", "c++")):
        done = subprocess.run([compiler, "-x", language, *STRICT, "-I", case.folder, "-"], check=False, text=True,
                              input="#include <wrong.h>\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.returncode, f"{compiler} takes it")


if __name__ == "__main__":
    tap.main(dict(globals()))
