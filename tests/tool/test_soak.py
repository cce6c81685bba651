#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""openntb soak: nothing is lost in ours, something is in Linux's scheme, and a seed repeats a run."""

import json

import tap
from tap import check, equal


def soak(case, *words):
    """Run a soak; its JSON."""
    done = case.run("soak", *words, "--json")
    equal(done.returncode, 0, done.stderr + done.stdout)
    equal(done.stdout.count("\n"), 1, "lines")
    return json.loads(done.stdout)


def check_sum(totals):
    """Every message is somewhere."""
    equal(totals["sent"], totals["handled"] + totals["died"] + totals["lost"], str(totals))


def test_nothing_is_lost_on_any_parent(case):
    for parent in ("vector", "remap", "mixed"):
        report = soak(case, "--seconds", "2", "--parent", parent, "--hosts", "3" if parent == "mixed" else "2")
        totals, done = report["totals"], report["done"]
        equal((totals["lost"], totals["misdirected"], totals["double"]), (0, 0, 0), parent)
        check_sum(totals)
        check(totals["handled"] > 1000, str(totals))
        check(done["moves"] > 0, str(done))
        equal(done["errors"], 0)
        check(report["ok"], parent)


# What a run of a time does depends on the machine; a stepped one does the same everywhere.
def test_all_that_breaks_breaks_and_nothing_is_lost(case):
    done = {}
    for seed in ("1", "2", "3"):
        report = soak(case, "--stepped", "--steps", "6000", "--seed", seed, "--hosts", "3")
        equal(report["totals"]["lost"] + report["totals"]["misdirected"] + report["totals"]["double"], 0)
        check_sum(report["totals"])
        for what, count in report["done"].items():
            done[what] = done.get(what, 0) + count
    for what in ("moves", "revokes", "reuses", "disables", "lates", "lies", "noise", "flaps", "cuts", "resets", "deaths",
                 "exhaustions"):
        check(done[what] > 0, f"{what}: {done}")


# A host dies while its bridges' interrupts settle, and its guard tries again for ever to let nobody in through a function that is gone.
def test_host_that_is_gone_with_its_guard_starts_again(case):
    report = soak(case, "--stepped", "--steps", "8000", "--seed", "14", "--irqs", "8", "--parent", "remap")
    check(report["done"]["deaths"] > 0, str(report["done"]))
    check_sum(report["totals"])
    check(report["ok"], "it failed")


# The runs in which the soak took a message for dead that its enabled interrupt was about to handle: few interrupts, so that one is
# enabled between the end of its link and the look at its message.
def test_message_that_waits_for_its_enabled_interrupt_is_not_dead(case):
    for seed, irqs in (("2", "2"), ("38", "2"), ("46", "4"), ("53", "4"), ("67", "2")):
        for parent in ("vector", "remap"):
            report = soak(case, "--stepped", "--steps", "20000", "--seed", seed, "--irqs", irqs, "--parent", parent)
            check(report["done"]["disables"] > 0 and report["done"]["flaps"] > 0, str(report["done"]))
            check_sum(report["totals"])
            check(report["ok"], f"{parent}, seed {seed}, {irqs} interrupts")


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
