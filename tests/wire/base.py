# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What all wire tests use: the TAP printer that the tool's tests have, and the program under test.

The program is the first argument, or else the environment variable OPENNTB.
"""

import os
import pathlib
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parent.parent / "tool"))

import tap  # noqa: E402  pylint: disable=wrong-import-position

DEADLINE_S = tap.DEADLINE_S
Skip = tap.Skip
check = tap.check
equal = tap.equal


def main(namespace):
    """Run the tests of a module."""
    if "OPENNTB" in os.environ and (len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK)):
        sys.argv.insert(1, os.environ["OPENNTB"])
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} PROGRAM [NAME...]")
    tap.main(namespace)
