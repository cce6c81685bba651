#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""openntb soak: nothing is lost in ours, something is in Linux's scheme, and a seed repeats a run."""

import json

import tap
from tap import Skip, check, equal


def soak(case, *words, may_fail=False):
    """Run a soak; its JSON."""
    done = case.run("soak", *words, "--json")
    check(done.returncode in ((0, 1) if may_fail else (0,)), done.stderr + done.stdout)
    equal(done.stdout.count("\n"), 1, "lines")
    return json.loads(done.stdout)


def check_sum(totals):
    """Every message is somewhere."""
    equal(totals["sent"], totals["handled"] + totals["died"] + totals["lost"], str(totals))


# With threads and links that break, a handler runs now and then for a message that was written off as dead; whether the message or the
# book is wrong is not known yet (docs/tool.md). A run that sees it is no pass: it counts as skipped, with what was seen.
def test_nothing_is_lost_on_any_parent(case):
    strays = []
    for parent in ("vector", "remap", "mixed"):
        report = soak(case, "--seconds", "2", "--parent", parent, "--hosts", "3" if parent == "mixed" else "2",
                      may_fail=True)
        totals, done = report["totals"], report["done"]
        equal(totals["lost"], 0, parent)
        if totals["misdirected"] or totals["double"]:
            strays.append(f"{parent}: {totals}")
        else:
            check(report["ok"], parent)
        check_sum(totals)
        check(totals["handled"] > 1000, str(totals))
        for what in ("moves", "revokes", "reuses", "lates", "lies", "noise"):
            check(done[what] > 0, f"{what}: {done}")
        equal(done["errors"], 0)
    if strays:
        raise Skip("known defect: " + "; ".join(strays))


def test_all_that_breaks_breaks_and_nothing_is_lost(case):
    done = {}
    for seed in ("1", "2", "3"):
        report = soak(case, "--stepped", "--steps", "6000", "--seed", seed, "--hosts", "3")
        equal(report["totals"]["lost"] + report["totals"]["misdirected"] + report["totals"]["double"], 0)
        check_sum(report["totals"])
        for what, count in report["done"].items():
            done[what] = done.get(what, 0) + count
    for what in ("flaps", "cuts", "resets", "deaths", "disables", "exhaustions"):
        check(done[what] > 0, f"{what}: {done}")


def test_same_seed_gives_the_same_run_and_another_another(case):
    for scheme in ("ours", "linux"):
        words = ("--stepped", "--steps", "4000", "--scheme", scheme)
        first, second = (soak(case, *words, "--seed", "7") for _ in range(2))
        first["ns"] = second["ns"] = 0
        equal(first, second, scheme)
        check(soak(case, *words, "--seed", "8")["digest"] != first["digest"], "another seed gives the same run")


def test_scheme_of_linux_loses_on_bare_vectors(case):
    for words in (("--seconds", "2"), ("--stepped",)):
        report = soak(case, "--scheme", "linux", "--parent", "vector", *words)
        totals = report["totals"]
        check(totals["lost"] > 0 and totals["misdirected"] > 0 and totals["stale"] > 0, str(totals))
        check_sum(totals)


def test_scheme_of_linux_misdirects_with_remapping_too(case):
    totals = soak(case, "--scheme", "linux", "--parent", "remap", "--seconds", "2")["totals"]
    check(totals["misdirected"] > 0, str(totals))
    check_sum(totals)


def test_failure_is_explained_and_can_be_repeated(case):
    words = ("soak", "--scheme", "linux", "--parent", "vector", "--stepped")
    done = case.run(*words)
    equal(done.returncode, 0, done.stderr)
    check("moved" in done.stderr or "freed" in done.stderr, done.stderr)
    command = done.stderr.split("to see it again: openntb ")[1].split("\n")[0].split()
    again = case.run(*command)
    equal((again.stdout.split("digest")[1], again.stderr), (done.stdout.split("digest")[1], done.stderr))


def test_people_see_what_programs_get(case):
    done = case.run("soak", "--seconds", "1", "--parent", "vector")
    equal(done.returncode, 0, done.stderr)
    for want in ("2 hosts in a ring", "Messages:", "0 lost, 0 misdirected, 0 double", "Meanwhile:"):
        check(want in done.stdout, done.stdout)
    equal(done.stderr, "")


if __name__ == "__main__":
    tap.main(dict(globals()))
