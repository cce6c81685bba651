#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Command line of openntb: help, wrong use, and that everything documents the same options."""

import os
import pathlib
import re
import subprocess

import tap
from tap import check, equal

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
VERBS = ("serve", "status", "trace", "demo", "soak", "host", "domains", "irqs", "graph", "version", "help")
WITH_OPTIONS = VERBS[:-2]

# Words after the verb -> what the error line must hold.
WRONG = {
    ("serve", "--ports", "3"): "--ports 3: must be 2 to 48, even",
    ("serve", "--ports", "0"): "--ports",
    ("serve", "--ports", "50"): "--ports",
    ("serve", "--ports", "two"): "--ports 'two': not a number",
    ("serve", "--ports", "-2"): "--ports",
    ("serve", "--ports", "2 "): "--ports",
    ("serve", "--ports", ""): "--ports",
    ("serve", "--ports", "99999999999999999999999"): "--ports",
    ("serve", "--vectors", "2"): "--vectors",
    ("serve", "--vectors", "65"): "--vectors",
    ("serve", "--luts", "3"): "a power of two",
    ("serve", "--luts", "1024"): "--luts",
    ("serve", "--requester-ids", "1"): "--requester-ids",
    ("serve", "--bar2-size", "3M"): "a power of two",
    ("serve", "--bar2-size", "1M"): "--bar2-size",
    ("serve", "--luts", "512"): "--bar2-size",
    ("serve", "--bar2-size", "16777216T"): "--bar2-size",
    ("serve", "--bar4-size", "32K"): "--bar4-size",
    ("serve", "--bar4-size", "0x"): "--bar4-size",
    ("serve", "--bar4-size", "18446744073709551615G"): "--bar4-size",
    ("serve", "--device-id", "0x10000"): "--device-id",
    ("serve", "--device-id", "0xzz"): "--device-id",
    ("serve", "--model", "intel"): "--model 'intel'",
    ("serve", "--interrupt-range", "0xfee00000"): "--interrupt-range",
    ("serve", "--interrupt-range", "x+1"): "--interrupt-range",
    ("serve", "--interrupt-range", "0x1000+0"): "--interrupt-range",
    ("serve", "--interrupt-range", "0xffffffffffffffff+2"): "--interrupt-range",
    ("serve", "--interrupt-range", "+"): "--interrupt-range",
    ("serve", "--socket-mode", "0800"): "--socket-mode",
    ("serve", "--socket-mode", "0066"): "--socket-mode",
    ("serve", "--socket-mode", "01600"): "--socket-mode",
    ("serve", "--socket-mode", ""): "--socket-mode",
    ("serve", "--completion-timeout", "0"): "--completion-timeout",
    ("serve", "--hold-doorbells-after-message", "-1"): "--hold-doorbells-after-message",
    ("serve", "--log-level", "loud"): "--log-level 'loud'",
    ("serve", "--socket-dir", ""): "--socket-dir",
    ("serve", "--socket-dir", "/" + "x" * 200): "--socket-dir",
    ("serve", "--ports"): "needs a value",
    ("serve", "--nonsense"): "--nonsense",
    ("serve", "word"): "'word'",
    ("status", "--nonsense"): "--nonsense",
    ("status", "--socket-dir"): "needs a value",
    ("status", "--watch=0"): "--watch=0",
    ("status", "--watch=x"): "--watch=x",
    ("status", "word"): "'word'",
    ("trace",): "one file",
    ("trace", "a", "b"): "one file",
    ("trace", "--port", "48", "f"): "--port '48'",
    ("trace", "--port", "x", "f"): "--port 'x'",
    ("trace", "--category", "weather", "f"): "--category 'weather'",
    ("trace", "--nonsense", "f"): "--nonsense",
    ("demo", "--cpus", "0"): "--cpus 0: give a number from 1 to 256",
    ("demo", "--cpus", "257"): "--cpus",
    ("demo", "--irqs", "0"): "--irqs",
    ("demo", "--irqs", "65001"): "--irqs",
    ("demo", "--vectors", "2"): "--vectors",
    ("demo", "--rounds", "x"): "--rounds",
    ("demo", "--parent", "gic"): "give remap, vector or mixed",
    ("demo", "--seed", "-"): "--seed",
    ("demo", "--socket-dir", "/tmp/x"): "--hold",
    ("demo", "--file"): "needs a value",
    ("demo", "--nonsense"): "--nonsense",
    ("soak", "--seconds", "0"): "--seconds 0: give a number from 1 to 604800",
    ("soak", "--hosts", "1"): "--hosts",
    ("soak", "--hosts", "9"): "--hosts 9: give a number from 2 to 8",
    ("soak", "--cpus", "1"): "--cpus",
    ("soak", "--cpus", "17"): "--cpus",
    ("soak", "--irqs", "0"): "--irqs",
    ("soak", "--irqs", "1000"): "have not vectors enough",
    ("soak", "--late-ms", "1001"): "--late-ms",
    ("soak", "--parent", "gic"): "give vector, remap or mixed",
    ("soak", "--scheme", "bsd"): "give ours or linux",
    ("soak", "--seed", "x"): "--seed",
    ("soak", "--steps", "10"): "--stepped",
    ("soak", "--stepped", "--seconds", "1"): "--steps",
    ("soak", "--nonsense"): "--nonsense",
    ("soak", "word"): "'word'",
    ("demo", "word"): "'word'",
    ("host",): "--socket",
    ("host", "--socket"): "needs a value",
    ("host", "--socket", "s", "--peer", "bsd"): "give openntb, linux or linux-grants",
    ("host", "--socket", "s", "--cpus", "257"): "--cpus",
    ("host", "--socket", "s", "--ram", "15"): "--ram",
    ("host", "--socket", "s", "--ram", "2049"): "--ram 2049: give a number from 16 to 2048",
    ("host", "--socket", "s", "--irqs", "0"): "--irqs",
    ("host", "--socket", "s", "--peer", "linux", "--irqs", "64"): "--irqs 64: give a number from 1 to 63 with --peer linux",
    ("host", "--irqs", "65", "--socket", "s", "--peer", "linux-grants"): "--irqs 65: give a number from 1 to 64",
    ("host", "--socket", "s", "--window", "1024"): "--window",
    ("host", "--nonsense"): "--nonsense",
    ("host", "word"): "'word'",
    ("domains", "--nonsense"): "--nonsense",
    ("domains", "--socket-dir"): "needs a value",
    ("irqs", "word"): "'word'",
    ("irqs", "--host"): "needs a value",
    ("graph", "--json"): "--json",
    ("version", "word"): "'word'",
    ("help", "nonsense"): "'nonsense'",
    ("help", "serve", "status"): "one verb",
    ("nonsense",): "'nonsense'",
}


def test_help_lists_every_verb(case):
    for words in (("help",), ("--help",), ("-h",)):
        done = case.run(*words)
        equal(done.returncode, 0, str(words))
        for verb in VERBS:
            check(re.search(rf"^  {verb} ", done.stdout, re.M), f"{verb} is missing in {done.stdout}")
        equal(done.stderr, "")


def test_every_verb_explains_itself(case):
    for verb in VERBS:
        done = case.run(verb, "--help")
        equal((done.returncode, done.stderr), (0, ""), verb)
        check(done.stdout.startswith("usage: openntb"), done.stdout)
        equal(case.run("help", verb).stdout, done.stdout, f"help {verb}")


def test_no_verb_is_wrong_use(case):
    done = case.run()
    equal((done.returncode, done.stdout), (2, ""))
    check("usage" in done.stderr, done.stderr)


def test_version_is_the_one_of_the_build(case):
    want = re.search(r"version: '([\d.]+)'", (TOP / "meson.build").read_text(encoding="utf-8")).group(1)
    for words in (("version",), ("--version",)):
        done = case.run(*words)
        equal((done.returncode, done.stdout), (0, f"openntb {want}\n"))


def test_help_that_cannot_be_written_is_a_failure(case):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = case.run("help", stdout=full)
    equal(done.returncode, 1)
    check("standard output" in done.stderr and "No space left" in done.stderr, done.stderr)


def test_default_folder_needs_a_runtime_folder(case):
    # Root's folder is fixed, so this is somebody else's question.
    who = {"user": 65534} if os.geteuid() == 0 else {}
    for verb in ("serve", "status", "domains", "irqs", "graph"):
        try:
            done = case.run(verb, env={"XDG_RUNTIME_DIR": ""}, cwd="/", **who)
        except PermissionError as error:
            raise tap.Skip(f"{case.program} is in a folder that only root may enter") from error
        equal(done.returncode, 2)
        check("--socket-dir" in done.stderr, done.stderr)


def options_of_help(case, verb):
    """Options in a verb's help."""
    return set(re.findall(r"^  (--[a-z0-9-]+)", case.run(verb, "--help").stdout, re.M)) - {"--help"}


def test_man_page_has_the_options_of_the_help(case):
    page = (TOP / "tool/openntb.1").read_text(encoding="utf-8")
    for verb in WITH_OPTIONS:
        part = page.split(f".Ss openntb {verb}\n")[1].split("\n.S")[0]
        in_page = {"-" + name for name in re.findall(r"^\.It Fl (-[a-z0-9-]+)", part, re.M)}
        equal(in_page, options_of_help(case, verb), verb)


def test_man_page_has_every_verb_in_its_synopsis(case):
    page = (TOP / "tool/openntb.1").read_text(encoding="utf-8")
    synopsis = page.split(".Sh SYNOPSIS\n")[1].split("\n.Sh")[0]
    verbs = tuple(re.findall(r"^\.Nm\n\.Cm ([a-z]+)$", synopsis, re.M))
    equal(verbs, VERBS, "verbs of the synopsis, in the order of the help")
    for verb in WITH_OPTIONS:
        part = synopsis.split(f".Cm {verb}\n")[1].split("\n.Nm")[0]
        shown = {"-" + name for name in re.findall(r"Fl (-[a-z0-9-]+)", part)}
        if ".Op Ar option ..." in part:
            check(shown <= options_of_help(case, verb), f"{verb}: {shown}")
        else:
            equal(shown, options_of_help(case, verb), verb)


def test_parser_has_the_options_of_the_help(case):
    in_help = set()
    for verb in WITH_OPTIONS:
        for option in options_of_help(case, verb):
            # One of the two words is the option's value or wrong by itself, so nothing is ever run.
            done = case.run(verb, option, "--nonsense", "--nonsense")
            equal(done.returncode, 2, f"{verb} {option}")
            check(f"option '{option}'" not in done.stderr, f"{verb}: {done.stderr}")
            in_help.add(option)
    text = "".join(path.read_text(encoding="utf-8") for path in (TOP / "tool").glob("*.c"))
    in_parser = {"--" + name for name in re.findall(r'\{ "([a-z0-9-]+)", (?:no|required|optional)_argument', text)}
    equal(in_parser - {"--help", "--version"}, in_help)


def test_documentation_has_the_options_of_the_help(case):
    page = (TOP / "docs/tool.md").read_text(encoding="utf-8")
    for verb in WITH_OPTIONS:
        part = page.split(f"## openntb {verb}\n")[1].split("\n## ")[0]
        missing = [name for name in options_of_help(case, verb) if f"`{name}" not in part]
        equal(missing, [], verb)
        known = set(re.findall(r"`(--[a-z0-9-]+)", part)) - options_of_help(case, verb) - {"--help"}
        equal(known, set(), f"{verb}: options that do not exist")


def complete(case, *words):
    """What bash offers for a command line that ends in the last word."""
    script = (f"source {TOP}/tool/openntb.bash-completion; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _openntb; "
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", script, "bash", case.program, *words], check=True, stdout=subprocess.PIPE,
                          text=True)
    return set(done.stdout.split())


def test_completion_offers_verbs_and_options(case):
    equal(complete(case, ""), set(VERBS))
    equal(complete(case, "st"), {"status"})
    for verb in WITH_OPTIONS:
        equal(complete(case, verb, "--") - {"--help"}, options_of_help(case, verb), verb)
    equal(complete(case, "serve", "--log-level", "w"), {"warning"})
    equal(complete(case, "help", ""), set(VERBS) - {"help"})


def test_completion_offers_the_values_that_the_parser_takes(case):
    for verb, option in (("serve", "--model"), ("serve", "--log-level"), ("demo", "--parent"), ("soak", "--parent"),
                         ("soak", "--scheme"), ("host", "--peer")):
        error = case.run(verb, option, "nonsense").stderr
        values = re.search(r"(?:give|there is only) (.+)", error).group(1)
        equal(complete(case, verb, option, ""), set(re.split(r", | or ", values)), f"{verb} {option}")
    shown = re.search(r"--category NAME[^:]*:(.*?)  --follow", case.run("trace", "--help").stdout, re.S).group(1)
    equal(complete(case, "trace", "--category", ""), set(re.split(r",\s+", shown.strip())), "trace --category")
    for category in complete(case, "trace", "--category", ""):
        done = case.run("trace", "--category", category, case.path("nothing.json"))
        equal(done.returncode, 1, f"{category}: {done.stderr}")


def add_wrong_use_tests():
    """One test for each wrong command line."""
    for words, text in WRONG.items():
        def one(case, words=words, text=text):
            done = case.run(*words)
            equal((done.returncode, done.stdout), (2, ""), done.stderr)
            check(text in done.stderr, f"{text!r} is not in {done.stderr!r}")
            equal(done.stderr.count("\n"), 1, "lines")

        shown = " ".join(word if len(word) < 40 else "LONG" for word in words)
        globals()[f"test_wrong_use: openntb {shown!r}"] = one


add_wrong_use_tests()
if __name__ == "__main__":
    tap.main(dict(globals()))
