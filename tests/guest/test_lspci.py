#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""An outside judge of the configuration space: pciutils' lspci in the guest."""

import re
import sys

from harness import Setup, expect, main, test
from test_clients import PAIR

COMPLAINTS = re.compile(r"unknown|!!!|<chain broken>|<chain looped>|invalid|<unreadable>|"
                        r"\?\?|reserved|<pci_read_\w+ failed>|error reading", re.I)


def judge(one, device):
    """Decode a function in every detail and look for complaints."""
    text = one.sh(f"lspci -vvv -nn -s {device}")
    for line in text.splitlines():
        expect(not COMPLAINTS.search(line), f"lspci says {line.strip()!r} in:\n{text}")
    for want in ("[0680]", "[11f8:", "MSI-X: Enable+", "Express", "Region 0:", "Region 2:",
                 "Region 4:", "Kernel driver in use: switchtec"):
        expect(want in text, f"lspci does not say {want!r}:\n{text}")
    raw = one.sh(f"lspci -xxxx -s {device}")
    expect(len(re.findall(r"^[0-9a-f]+: ", raw, re.M)) in (16, 256), f"odd dump:\n{raw}")
    return text


@test(PAIR)
def lspci_decodes_the_function_without_complaint(lab):
    """On the root bus, where it shows itself as an integrated endpoint."""
    for one, device in lab.ends():
        judge(one, device)


@test(Setup(cpus=1, root_port=True))
def lspci_decodes_the_function_behind_a_root_port(lab):
    """Behind a root port."""
    for one, device in lab.ends():
        judge(one, device)


if __name__ == "__main__":
    sys.exit(main(__doc__))
