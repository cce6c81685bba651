# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What the kernel's KUnit prints about its cases."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# Suites by name: where their cases are listed.
SUITES = {"ntb_msi": TOP / "linux/series/files/drivers/ntb/test/ntb_msi_kunit.c",
          "ntb_msi_module": TOP / "linux/ntb-msi/kunit.c",
          "ntb_grant": TOP / "linux/ntb-msi/grant_kunit.c"}


def results(text):
    """[(name, "ok", "not ok" or the reason of a skip)] of the cases of a suite, without their parameters."""
    found = []
    for good, name, why in re.findall(r"^ {4}(ok|not ok) \d+ (\S+)(?: # SKIP ?(.*))?$", text, re.M):
        found.append((name, why if why and good == "ok" else good))
    return found


def complaints(suite, text):
    """What is wrong with the results of a suite: cases that failed, and those of its source that did not run."""
    found = results(text)
    names = re.findall(r"\bKUNIT_CASE\w*\((\w+)", SUITES[suite].read_text(encoding="utf-8"))
    wrong = [f"{name} failed" for name, what in found if what == "not ok"]
    return wrong + [f"{name} did not run" for name in names if name not in dict(found)]
