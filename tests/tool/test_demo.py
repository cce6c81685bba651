#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""openntb demo, and the verbs that look into a process with hosts."""

import hashlib
import json
import os
import re
import shutil
import subprocess

import tap
from tap import check, equal

# Enough to see everything, few enough for a sanitizer on a busy machine.
SMALL = ("demo", "--cpus", "3", "--irqs", "64", "--rounds", "5")


def demo(case, *words):
    """Run a demo; its JSON."""
    done = case.run(*SMALL, *words, "--json")
    equal(done.returncode, 0, done.stderr)
    equal(done.stdout.count("\n"), 1, "lines")
    return json.loads(done.stdout)


def domains_of(host):
    """Domains of a host by kind."""
    return {one["token"]: one for one in host["domains"]}


def test_every_message_arrives_at_the_right_handler(case):
    for parent in ("remap", "vector", "mixed"):
        report = demo(case, "--parent", parent)
        totals = report["totals"]
        equal((totals["lost"], totals["misdirected"]), (0, 0), parent)
        equal(totals["fired"], totals["handled"], parent)
        alone, others = report["latency_alone_ns"], report["latency_ns"]
        equal(others["samples"], 2 * 64 * 5, parent)
        equal(alone["samples"] + others["samples"], totals["fired"], parent)
        check(alone["samples"] > 0, str(alone))
        for one in (alone, others):
            check(0 < one["min"] <= one["p50"] <= one["p99"] <= one["max"], str(one))
        check(report["ok"], parent)


def test_interrupts_add_up_to_the_messages(case):
    report = demo(case)
    for host in report["hosts"]:
        of_ntb = [one for one in host["interrupts"] if one["domain"].startswith(domains_of(host)["NTB"]["name"])]
        equal(len(of_ntb), 64, "interrupts of the NTB domain")
        equal(sorted(one["index"] for one in of_ntb), list(range(64)))
        for one in of_ntb:
            equal(sum(one["counts"]), one["count"])
            equal(len(one["counts"]), 3)
            check(one["handlers"] == "demo" and one["active"], str(one))
        numbers = [one["number"] for one in host["interrupts"]]
        equal(len(numbers), len(set(numbers)), "numbers are unique")


def test_device_has_two_domains_below_the_parent(case):
    report = demo(case, "--parent", "mixed", "--vectors", "4")
    for host, parent in zip(report["hosts"], ("REMAP", "VECTOR")):
        domains = domains_of(host)
        equal(domains["NTB"]["parent"], domains[parent]["name"])
        equal(domains["PCI-MSIX"]["parent"], domains[parent]["name"])
        check(domains["PCI-MSIX"]["interrupts"] <= 4, str(domains))
        equal(host["remapping"], parent == "REMAP")


def test_things_change_while_messages_are_sent(case):
    # Few messages may be over before much has changed; these are not.
    done = case.run("demo", "--cpus", "3", "--irqs", "64", "--rounds", "400", "--json")
    equal(done.returncode, 0, done.stderr)
    for host in json.loads(done.stdout)["hosts"]:
        check(host["moves"] > 0, str(host["moves"]))
        check(host["revokes"] + host["reuses"] > 0, str(host))
        equal(host["errors"], 0)


def test_file_arrives_intact(case):
    data = os.urandom(3 * 1024 * 1024 + 17)
    path = case.write_file("data", data)
    report = demo(case, "--file", path)["file"]
    want = hashlib.sha256(data).hexdigest()
    equal((report["bytes"], report["sent_sha256"], report["received_sha256"]), (len(data), want, want))
    check(report["intact"] and report["interrupts"] > 0, str(report))


def test_empty_file_arrives(case):
    report = demo(case, "--file", case.write_file("empty", b""))["file"]
    equal((report["bytes"], report["received_sha256"]), (0, hashlib.sha256().hexdigest()))


def test_file_that_is_not_there(case):
    done = case.run(*SMALL, "--file", case.path("nothing"))
    equal(done.returncode, 1)
    check("nothing" in done.stderr and "No such file" in done.stderr, done.stderr)


def test_more_interrupts_than_vectors_is_a_clear_error(case):
    done = case.run("demo", "--cpus", "1", "--irqs", "500", "--parent", "vector")
    equal(done.returncode, 1)
    check("no CPU vector left" in done.stderr, done.stderr)


def test_people_see_what_programs_get(case):
    done = case.run(*SMALL)
    equal(done.returncode, 0, done.stderr)
    for want in ("Host a: 3 CPUs, interrupt remapping", "Host b: 3 CPUs, bare CPU vectors", "VECTOR", "0 lost, 0 misdirected",
                 "intact", "PCI-MSIX-", "NTB-"):
        check(want in done.stdout, f"{want!r} is missing in {done.stdout}")
    check(re.search(r"^Messages: (\d+) fired, \1 handled", done.stdout, re.M), done.stdout)


def test_trace_can_be_printed(case):
    path = case.path("trace.json")
    demo(case, "--trace", path)
    done = case.run("trace", path)
    equal(done.returncode, 0, done.stderr)
    check("dma" in done.stdout, done.stdout[:500])


def hold(case, *words):
    """A demo that stays; its socket folder."""
    folder = case.path("demo")
    # pylint: disable-next=consider-using-with
    proc = subprocess.Popen([case.program, *SMALL, "--hold", "--socket-dir", folder, *words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    case.stack.callback(proc.stderr.close)
    case.stack.callback(case.end, proc)
    for line in proc.stdout:
        if line.startswith("ready: "):
            return folder, proc
    check(False, f"no ready line: {proc.stderr.read()}")
    return None


def test_running_process_shows_its_domains_and_interrupts(case):
    folder, proc = hold(case)
    where = ("--socket-dir", folder)
    for verb, member in (("domains", "domains"), ("irqs", "irqs")):
        hosts = json.loads(case.run(verb, *where, "--json").stdout)["hosts"]
        equal([host["name"] for host in hosts], ["a", "b"])
        check(all(host[member] for host in hosts), str(hosts))
        one = json.loads(case.run(verb, *where, "--json", "--host", "b").stdout)["hosts"]
        equal([host["name"] for host in one], ["b"])
    tree = case.run("domains", *where).stdout
    check("Host a" in tree and re.search(r"VECTOR.*\n.*IR", tree) and "NTB-" in tree, tree)
    table = case.run("irqs", *where).stdout
    check(re.search(r"IRQ +CPU0 +CPU1 +CPU2 +DOMAIN", table) and table.count("demo") == 128, table)
    proc.terminate()
    equal(proc.wait(tap.DEADLINE_S), 0)
    check(not os.path.exists(folder), "the folder is removed")


def test_host_that_is_not_there(case):
    folder, _ = hold(case)
    done = case.run("irqs", "--socket-dir", folder, "--host", "zed")
    equal(done.returncode, 1)
    check("'zed'" in done.stderr, done.stderr)


def test_graph_is_one_that_graphviz_takes(case):
    folder, _ = hold(case)
    graph = case.run("graph", "--socket-dir", folder).stdout
    check(graph.startswith("digraph openntb {") and graph.rstrip().endswith("}"), graph)
    equal(graph.count("subgraph"), 2)
    # VECTOR -> IR, IR -> PCI-MSIX, IR -> NTB, VECTOR -> the unit's own; VECTOR -> PCI-MSIX, VECTOR -> NTB
    equal(graph.count(" -> "), 6, graph)
    if not shutil.which("dot"):
        raise tap.Skip("no Graphviz here")
    done = subprocess.run(["dot", "-Tsvg"], input=graph, check=False, stdout=subprocess.PIPE, text=True)
    equal(done.returncode, 0)


def test_nobody_listens(case):
    for verb in ("domains", "irqs", "graph"):
        done = case.run(verb, "--socket-dir", case.path("nowhere"))
        equal(done.returncode, 1)
        check("nowhere" in done.stderr, done.stderr)


if __name__ == "__main__":
    tap.main(dict(globals()))
