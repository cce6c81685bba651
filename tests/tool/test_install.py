#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What `make install` leaves: a command that runs, and a library that a program of somebody else links with."""

import os
import pathlib
import re
import shutil
import stat
import subprocess

import tap
from tap import check, equal

PROGRAM = r"""
#include <openntb/switchtec.h>
#include <openntb/vfio_user.h>
#include <openntb/error.h>
#include <stdio.h>

int main(void)
{
	struct ontb_switchtec_config config;
	struct ontb_bridge *bridge;
	int ret;

	ontb_switchtec_config_init(&config);
	ret = ontb_switchtec_new(&config, &bridge);
	printf("%s: %u ports\n", ontb_strerror(ret), ret ? 0 : ontb_bridge_nr_ports(bridge));
	if (!ret)
		ontb_bridge_free(bridge);
	return ret != 0;
}
"""


def install(case):
    """Install into the test's folder; return where the files are, and the prefix."""
    build = pathlib.Path(case.program).parents[1]
    text = subprocess.run(["meson", "introspect", "--buildoptions", str(build)], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    prefix = re.search(r'"name": "prefix", "value": "([^"]*)"', text).group(1)
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--destdir", case.path("root")], check=True,
                   stdout=subprocess.DEVNULL)
    return pathlib.Path(case.path("root") + prefix), prefix


def test_all_files_are_there_and_readable(case):
    root, prefix = install(case)
    names = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    for pattern in (r"bin/openntb", r"include/openntb/bridge\.h", r"lib/.*libopenntb\.so\.0\.1\.0", r"lib/.*libopenntb\.so",
                    r"lib/.*libopenntb\.a", r"lib/.*pkgconfig/openntb\.pc", r"share/man/man1/openntb\.1",
                    r"share/man/man3/openntb_irq\.3", r"share/man/man3/ontb_irq_request\.3", r"share/man/man7/openntb\.7",
                    r"share/doc/openntb/examples/bridge\.c", r"share/doc/openntb/examples/chip_and_domain\.c",
                    r"share/doc/openntb/examples/msix\.c", r"share/doc/openntb/examples/own_machine\.c",
                    r"share/bash-completion/completions/openntb", r"lib/systemd/system/openntb\.service"):
        check(any(re.fullmatch(pattern, name) for name in names), f"{pattern} is not in {sorted(names)}")
    for name in names:
        check((root / name).stat().st_mode & stat.S_IROTH, f"{name} is not readable")
    unit = (root / "lib/systemd/system/openntb.service").read_text(encoding="utf-8")
    check(f"ExecStart={prefix}/bin/openntb serve" in unit, unit)
    check("@" not in re.sub(r"@system-service", "", unit), "a placeholder is left in the unit")


def test_settings_of_the_unit_that_are_shown_are_valid(case):
    if not shutil.which("systemd-analyze"):
        raise tap.Skip("there is no systemd-analyze")
    root, prefix = install(case)
    unit = (root / "lib/systemd/system/openntb.service").read_text(encoding="utf-8")
    unit = unit.replace(f"{prefix}/bin/openntb", case.program)
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/tool.md").read_text(encoding="utf-8")
    settings = re.findall(r"^    ((?:Environment|Group)=.*)$", page, re.M)
    equal(settings, re.findall(r"^#   ((?:Environment|Group)=.*)$", unit, re.M), "the unit's and the documentation's")
    equal(len(settings), 2)
    path = case.write_file("openntb.service", unit + "\n[Service]\n" + "\n".join(settings) + "\n")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=tap.DEADLINE_S)
    check("openntb.service:" not in done.stdout, done.stdout)


def test_the_installed_command_runs(case):
    root, _ = install(case)
    done = subprocess.run([str(root / "bin/openntb"), "version"], check=True, stdout=subprocess.PIPE, text=True)
    check(done.stdout.startswith("openntb "), done.stdout)


def pkg_config(case, root, *words):
    """What pkg-config says about the installed library."""
    env = dict(os.environ, PKG_CONFIG_PATH=str(next(root.rglob("openntb.pc")).parent),
               PKG_CONFIG_SYSROOT_DIR=case.path("root"))
    return subprocess.run(["pkg-config", *words, "openntb"], check=True, env=env, stdout=subprocess.PIPE,
                          text=True).stdout.split()


def test_the_examples_build_with_pkg_config_alone_and_run(case):
    root, _ = install(case)
    flags = pkg_config(case, root, "--cflags", "--libs")
    libdir = next(root.rglob("openntb.pc")).parents[1]
    sources = sorted((root / "share/doc/openntb/examples").glob("*.c"))
    equal(len(sources), 4)
    for source in sources:
        program = case.path(source.stem)
        subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, str(source), *flags], check=True,
                       cwd=case.folder)
        done = subprocess.run([program], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=tap.DEADLINE_S, env=dict(os.environ, LD_LIBRARY_PATH=str(libdir)))
        check(not done.returncode and done.stdout, f"{source.stem}: {done.returncode}, {done.stdout}")


def test_the_examples_link_with_no_shared_library_at_all(case):
    root, _ = install(case)
    flags = pkg_config(case, root, "--static", "--cflags", "--libs")
    for source in sorted((root / "share/doc/openntb/examples").glob("*.c")):
        program = case.path(source.stem)
        subprocess.run(["gcc", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, str(source), *flags], check=True)
        done = subprocess.run([program], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=tap.DEADLINE_S)
        check(not done.returncode and done.stdout, f"{source.stem}: {done.returncode}, {done.stdout}")


def test_a_program_links_with_either_library(case):
    root, _ = install(case)
    source = case.write_file("program.c", PROGRAM)
    libdir = next(root.rglob("openntb.pc")).parents[1]
    for kind, words in (("shared", []), ("static", ["--static"])):
        flags = pkg_config(case, root, "--cflags", "--libs", *words)
        if kind == "static":
            flags = [str(libdir / "libopenntb.a") if flag == "-lopenntb" else flag for flag in flags]
        subprocess.run(["gcc", "-Wall", "-Werror", "-o", case.path(kind), source, *flags], check=True)
        done = subprocess.run([case.path(kind)], check=True, stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, LD_LIBRARY_PATH=str(libdir)))
        equal(done.stdout, "success: 2 ports\n", kind)
        needed = subprocess.run(["readelf", "-d", case.path(kind)], check=True, stdout=subprocess.PIPE, text=True).stdout
        equal("libopenntb.so.0.1" in needed, kind == "shared", f"{kind} needs the shared library")


if __name__ == "__main__":
    tap.main(dict(globals()))
