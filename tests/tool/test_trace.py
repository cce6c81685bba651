#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""`openntb serve --trace` and `openntb trace`."""

import json
import os
import re
import resource
import signal
import struct
import subprocess

import tap
from tap import check, equal

CATEGORIES = {"wire", "config", "register", "window", "dma", "doorbell", "message", "interrupt", "link", "lock"}
LINE = re.compile(r"^ *(\d+\.\d{9})  port (\d+) +(\w+) +(\S+)(.*)$")

# Files that are no trace -> what is said about them. Complete events in front of the fault are printed.
WRONG = {
    "empty file": (b"", "empty"),
    "text": (b"hello", "list"),
    "an object": (b'{"traceEvents":[]}', "list"),
    "a number in the list": (b"[1]", "no object"),
    "a list in the list": (b"[[]]", "no object"),
    "no JSON in the second event": (b'[{"name":"a"},\n{"name":nonsense}]', "line 2"),
    "something behind the list": (b"[]\nx", "line 2"),
    "too deep": (b'[{"a":' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"}]", "too deep"),
    "binary": (bytes(range(256)), "list"),
}


def load(path):
    """The events of a trace; it must be complete JSON."""
    with open(path, encoding="utf-8") as handle:
        return json.load(handle)


def make_events(case, server):
    """Traffic of several kinds on both ports."""
    guests = [tap.Guest(case, server.path(f"port{port}.sock")) for port in (0, 1)]
    for guest in guests:
        guest.enable()
        guest.read(0, 0x2000, 4)
    # Doorbell: partition 0 may send bit 32 to partition 1.
    guests[0].write(0, 0x74000 + 0x1008, struct.pack("<Q", 0x0fffffff00000000))
    guests[0].write(0, 0x74000 + 0x1000, struct.pack("<Q", 1 << 32))
    # A reply to a read means that all of it was done.
    for guest in guests:
        guest.read(0, 0x2000, 4)
    return guests


def traced(case, name="trace.json"):
    """A trace of a server that ended well."""
    path = case.path(name)
    server = case.serve("--trace", path)
    make_events(case, server)
    equal(server.stop(), 0)
    return path


def test_trace_is_what_viewers_expect(case):
    events = load(traced(case))
    rows = [event for event in events if event["ph"] == "M"]
    equal([row["args"]["name"] for row in rows], ["openntb", "port 0", "port 1"])
    real = [event for event in events if event["ph"] != "M"]
    check(len(real) > 10, f"only {len(real)} events")
    for event in real:
        check(event["ph"] in ("X", "i"), event)
        check(event["cat"] in CATEGORIES, event)
        check(event["tid"] in (0, 1) and event["pid"] == 1, event)
        check(isinstance(event["ts"], (int, float)) and event["ts"] >= 0, event)
        check(event["ph"] == "i" or event["dur"] >= 0, event)
        check(isinstance(event["args"], dict) and event["name"], event)
    kinds = {event["cat"] for event in real}
    check({"config", "register", "doorbell"} <= kinds, kinds)


def test_text_has_one_line_per_event(case):
    path = traced(case)
    done = case.run("trace", path)
    equal((done.returncode, done.stderr), (0, ""))
    lines = done.stdout.splitlines()
    real = [event for event in load(path) if event["ph"] != "M"]
    equal(len(lines), len(real))
    for line, event in zip(lines, real):
        found = LINE.match(line)
        check(found, f"unexpected line {line!r}")
        equal((int(found.group(2)), found.group(3)), (event["tid"], event["cat"]))
        equal(round(float(found.group(1)) * 1e6, 3), event["ts"])
        check(event["name"] in line, line)
        for key, value in event["args"].items():
            check(f"  {key}={value}" in line, f"{key} is not in {line!r}")


def test_text_names_registers(case):
    lines = case.run("trace", "--category", "register", traced(case)).stdout.splitlines()
    check(lines, "no register events")
    # Letters and perhaps indexes, not a bare offset.
    for line in lines:
        check(re.match(r"[a-z_]+[\[.\w]", LINE.match(line).group(4)), line)


def test_filters_choose_events(case):
    path = traced(case)
    real = [event for event in load(path) if event["ph"] != "M"]
    for words, truth in (
            (("--port", "1"), lambda e: e["tid"] == 1),
            (("--port", "0", "--port", "1"), lambda e: True),
            (("--category", "config"), lambda e: e["cat"] == "config"),
            (("--category", "config", "--category", "doorbell", "--port", "0"),
             lambda e: e["cat"] in ("config", "doorbell") and e["tid"] == 0),
            (("--port", "47"), lambda e: False)):
        done = case.run("trace", *words, path)
        equal(done.returncode, 0)
        equal(len(done.stdout.splitlines()), len([event for event in real if truth(event)]), str(words))


def test_standard_input_will_do(case):
    path = traced(case)
    with open(path, "rb") as handle:
        done = case.run("trace", "-", stdin=handle)
    equal((done.returncode, done.stdout), (0, case.run("trace", path).stdout))


def test_trace_of_a_running_server_is_current_within_seconds(case):
    path = case.path("trace.json")
    server = case.serve("--trace", path)
    make_events(case, server)
    tap.wait_until(lambda: "doorbell" in case.run("trace", path).stdout, "the doorbell is in the trace")


def test_trace_of_a_killed_server_is_printed(case):
    path = case.path("trace.json")
    server = case.serve("--trace", path)
    make_events(case, server)
    tap.wait_until(lambda: "doorbell" in case.run("trace", path).stdout, "the trace is on disk")
    server.stop(signal.SIGKILL)
    done = case.run("trace", path)
    equal((done.returncode, done.stderr), (0, ""))
    check("doorbell" in done.stdout, "events are missing")


def test_trace_cut_anywhere_is_printed_up_to_there(case):
    with open(traced(case), "rb") as handle:
        data = handle.read()
    whole = case.run("trace", case.path("trace.json")).stdout
    middle = len(data) // 2
    for length in list(range(middle, middle + 120)) + [1, 2, len(data) - 1, len(data) - 3]:
        done = case.run("trace", case.write_file("cut", data[:length]))
        equal((done.returncode, done.stderr), (0, ""), f"{length} bytes")
        check(whole.startswith(done.stdout), f"{length} bytes")
        events = data[:length].count(b"}}") - data[:length].count(b'"ph":"M"')
        check(len(done.stdout.splitlines()) >= events - 1, f"{length} bytes: events are missing")


def test_follow_prints_what_is_added(case):
    path = case.write_file("trace.json", b'[{"name":"first","ph":"i","cat":"link","tid":0,"ts":1,"args":{}}')
    proc = subprocess.Popen([case.program, "trace", "--follow", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    case.stack.callback(case.end, proc)
    check(b"first" in proc.stdout.readline(), "the first event")
    with open(path, "ab", buffering=0) as handle:
        handle.write(b',\n{"name":"sec')
        handle.write(b'ond","ph":"i","cat":"link","tid":1,"ts":2,"args":{}}')
        check(b"second" in proc.stdout.readline(), "the second event")
        handle.write(b"\n]\n")
    equal(proc.wait(tap.DEADLINE_S), 0)


def test_a_trace_file_that_cannot_be_written_stops_the_start(case):
    for path, cause in (("/dev/full", "No space left"), (case.path("no/such"), "No such file"),
                        (case.folder, "directory")):
        server = case.start("--trace", path)
        equal(server.wait(), 1)
        check(path in server.errors() and cause.lower() in server.errors().lower(), server.errors())
        check(not os.path.exists(server.folder), "the socket folder is still there")


def test_a_full_disk_costs_events_and_nothing_else(case):
    path = case.path("trace.json")
    server = case.serve("--trace", path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    guest = tap.Guest(case, server.path("port0.sock"))
    guest.enable()
    tap.wait_until(lambda: [guest.read(0, 0x2000, 4) for _ in range(100)] and "events are lost" in server.errors(),
                   "a log line")
    equal(guest.read(0, 0x2000, 4), guest.read(0, 0x2000, 4))
    equal(case.run("status", "--socket-dir", server.folder).returncode, 0)
    equal(server.errors().count("events are lost"), 1)
    equal(server.stop(), 0)
    done = case.run("trace", path)
    check(done.stdout.count("\n") > 10, done.stdout)


def test_control_characters_do_not_reach_the_terminal(case):
    event = {"name": "\x1b[31mred\x07", "ph": "i", "cat": "link\n", "tid": 0, "ts": 1, "args": {"k\r": "\x1b]0;x\x07"}}
    done = case.run("trace", case.write_file("evil", json.dumps([event])))
    equal(done.returncode, 0)
    check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout), repr(done.stdout))
    equal(done.stdout.count("\n"), 1)


def test_events_without_the_usual_members_are_printed(case):
    events = [{}, {"name": None}, {"ts": "x", "tid": "y", "args": 7, "dur": None}, {"args": {"a": None, "b": [1]}}]
    done = case.run("trace", case.write_file("odd", json.dumps(events)))
    equal((done.returncode, done.stderr, done.stdout.count("\n")), (0, "", 4))


def test_output_that_cannot_be_written_is_a_failure(case):
    path = traced(case)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = case.run("trace", path, stdout=full)
    equal(done.returncode, 1)
    check("standard output" in done.stderr, done.stderr)


def test_a_missing_file_is_named(case):
    for path in (case.path("missing"), case.folder):
        done = case.run("trace", path)
        equal((done.returncode, done.stdout), (1, ""))
        check(path in done.stderr, done.stderr)


def add_wrong_files():
    """One test for each file that is no trace."""
    for name, (data, text) in WRONG.items():
        def one(case, data=data, text=text):
            path = case.write_file("wrong", data)
            done = case.run("trace", path)
            equal(done.returncode, 1, done.stderr)
            check(path in done.stderr and text in done.stderr, done.stderr)

        globals()[f"test_file is refused: {name}"] = one


add_wrong_files()
if __name__ == "__main__":
    tap.main(dict(globals()))
