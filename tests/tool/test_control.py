#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Control socket and `openntb status`."""

import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess

import tap
from tap import check, equal

STATUS = b'{"request":"status"}\n'
MAX_REQUEST = 4096

# Members of the status, as docs/control.md has them.
SCHEMA = {
    "ok": bool, "schema": int, "version": str, "model": str, "pid": int, "uptime_ms": int, "socket_dir": str,
    "ports": [{
        "port": int, "socket": str, "peer": int, "link": str, "attached": bool, "bus_master": bool,
        "memory_enabled": bool,
        "client": {"connected": bool, "pid": int, "connections": int, "armed_vectors": int, "mappings": int,
                   "mapped_bytes": int, "queued_bytes": int},
        "doorbell": {"pending": "hex", "enabled": "hex"},
        "counters": {name: int for name in (
            "register_reads", "register_writes", "window_reads", "window_writes", "window_bytes", "doorbells",
            "messages", "interrupts", "unsupported", "gated", "blocked", "dropped", "rx_messages", "rx_bytes", "rx_calls",
            "tx_messages", "tx_bytes", "dma_writes", "dma_reads", "wire_errors")},
        "windows": [{"bar": int, "offset": "hex", "size": int, "kind": str, "target": int, "address": "hex"}],
        "last_errors": {"bridge": str, "wire": str},
    }],
}

WRONG = {
    "no JSON": b"hello\n",
    "empty line": b"\n",
    "half an object": b'{"request":\n',
    "something behind the object": b'{"request":"status"} x\n',
    "an array": b'["status"]\n',
    "a number": b"1\n",
    "null": b"null\n",
    "no member request": b"{}\n",
    "a number as request": b'{"request":1}\n',
    "an unknown request": b'{"request":"reboot"}\n',
    "a NUL byte": b'{"request":"status"\0}\n',
    "bytes that are no UTF-8": b'{"request":"\xff\xfe"}\n',
    "too deep": b"[" * 100 + b"]" * 100 + b"\n",
    "a lone quote": b'"\n',
    "a number that is too long": b"1" * 4000 + b"\n",
}


class Control:
    """A connection to the control socket."""

    def __init__(self, case, server):
        self.sock = case.connect(server.path("control.sock"))
        self.data = b""

    def line(self):
        """One reply; None at the end of the connection."""
        while b"\n" not in self.data:
            more = self.sock.recv(1 << 20)
            if not more:
                equal(self.data, b"", "part of a reply")
                return None
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def ask(self, request):
        """Send bytes and return the reply."""
        self.sock.sendall(request)
        return self.line()


def matches(value, schema, where="status"):
    """Compare a value with its description."""
    if isinstance(schema, dict):
        check(isinstance(value, dict), f"{where} is no object")
        equal(set(value), set(schema), f"members of {where}")
        for key, inner in schema.items():
            matches(value[key], inner, f"{where}.{key}")
    elif isinstance(schema, list):
        check(isinstance(value, list), f"{where} is no array")
        for number, inner in enumerate(value):
            matches(inner, schema[0], f"{where}[{number}]")
    elif schema == "hex":
        check(isinstance(value, str) and re.fullmatch(r"0x[0-9a-f]+", value), f"{where}: {value!r}")
    else:
        check(isinstance(value, schema) and (schema is bool or not isinstance(value, bool)), f"{where}: {value!r}")


def json_status(case, server):
    """`openntb status --json`."""
    done = case.run("status", "--json", "--socket-dir", server.folder)
    equal((done.returncode, done.stderr), (0, ""))
    equal(done.stdout.count("\n"), 1, "lines")
    return json.loads(done.stdout)


def make_traffic(case, server):
    """A guest on port 0 that opened a window into port 1's guest, and was refused something."""
    guest = tap.Guest(case, server.path("port0.sock"))
    guest.enable()
    for _ in range(5):
        guest.read(0, 0x2000, 4)
    # The other side's control block (partition 1): lock, BAR2's LUT on with 32 entries, LUT entry 0 to partition 0, commit.
    block = 0x14000 + 0x2000
    guest.write(0, block + 4, struct.pack("<I", 1))
    guest.write(0, block + 0x40 + 2 * 16, struct.pack("<I", 0x7d021))
    guest.write(0, block + 0x1000, struct.pack("<Q", 0x12340000 | (0 << 1) | 1))
    guest.write(0, block + 4, struct.pack("<I", 2))
    return guest


def counted(case, server, number, guest):
    """A port of the status when all messages of its guest are counted: that may be a moment after their replies are there."""
    def is_counted():
        counters = json_status(case, server)["ports"][number]["counters"]
        return counters["rx_messages"] == counters["tx_messages"] == guest.nr_messages

    tap.wait_until(is_counted, f"{guest.nr_messages} messages are counted")
    return json_status(case, server)["ports"][number]


def test_status_has_the_documented_members(case):
    server = case.serve("--ports", "4")
    status = json_status(case, server)
    matches(status, SCHEMA)
    equal([port["port"] for port in status["ports"]], [0, 1, 2, 3])
    equal([port["peer"] for port in status["ports"]], [1, 0, 3, 2])
    equal((status["model"], status["pid"], status["socket_dir"]), ("switchtec", server.proc.pid, server.folder))
    equal(status["ports"][2]["socket"], server.path("port2.sock"))


def test_status_shows_a_client_and_that_it_left(case):
    server = case.serve()
    guest = tap.Guest(case, server.path("port1.sock"))
    guest.enable()
    port = counted(case, server, 1, guest)
    equal((port["client"]["connected"], port["client"]["pid"], port["attached"]), (True, os.getpid(), True))
    equal((port["bus_master"], port["memory_enabled"]), (True, True))
    equal(json_status(case, server)["ports"][0]["client"]["connected"], False)
    guest.sock.close()
    tap.wait_until(lambda: not json_status(case, server)["ports"][1]["client"]["connected"], "the client left")
    equal(json_status(case, server)["ports"][1]["client"]["connections"], 1)


def test_status_counts_what_a_guest_does(case):
    server = case.serve()
    guest = tap.Guest(case, server.path("port0.sock"))
    guest.enable()
    before = counted(case, server, 0, guest)["counters"]
    for _ in range(7):
        guest.read(0, 0x2000, 4)
    after = counted(case, server, 0, guest)["counters"]
    equal(after["register_reads"] - before["register_reads"], 7)
    equal(after["rx_messages"] - before["rx_messages"], 7)
    equal(after["tx_messages"] - before["tx_messages"], 7)


def test_status_tells_the_last_error(case):
    server = case.serve()
    guest = tap.Guest(case, server.path("port0.sock"))
    guest.send(9, struct.pack("<QII", 0, 99, 4))
    number, _, size, flags, error = struct.unpack("<HHIII", guest.receive(16))
    guest.receive(size - 16)
    check(flags & 0x20 and error, f"reply {number} is no error")
    port = json_status(case, server)["ports"][0]
    equal(port["counters"]["wire_errors"], 1)
    check(port["last_errors"]["wire"], "no text")
    done = case.run("status", "--socket-dir", server.folder)
    check(f"port 0, wire: {port['last_errors']['wire']}" in done.stdout, done.stdout)


def cells(text, title):
    """Rows of a table as dicts; no cell holds a blank."""
    lines = text.split(f"\n{title}\n", 1)[1].split("\n\n")[0].strip("\n").split("\n")
    heads = lines[0].split()
    rows = [line.split() for line in lines[1:]]
    for row in rows:
        equal(len(row), len(heads), f"cells of {row} for {heads}")
    return [dict(zip(heads, row)) for row in rows]


def test_tables_and_json_agree(case):
    server = case.serve()
    guests = [make_traffic(case, server), tap.Guest(case, server.path("port1.sock"))]
    check(guests, "guests")
    status = json_status(case, server)
    done = case.run("status", "--socket-dir", server.folder)
    equal((done.returncode, done.stderr), (0, ""))
    for title in ("Ports", "Traffic", "Wire"):
        check(len(cells(done.stdout, title)) == len(status["ports"]), title)
    for row, port in zip(cells(done.stdout, "Ports"), status["ports"]):
        equal(row, {"PORT": str(port["port"]), "PEER": str(port["peer"]), "LINK": port["link"],
                    "ATTACHED": "yes" if port["attached"] else "no", "PID": str(port["client"]["pid"]),
                    "BUSMASTER": "yes" if port["bus_master"] else "no",
                    "MEMORY": "yes" if port["memory_enabled"] else "no",
                    "VECTORS": str(port["client"]["armed_vectors"]), "MAPPED": str(port["client"]["mapped_bytes"]),
                    "DB-PENDING": port["doorbell"]["pending"], "DB-ENABLED": port["doorbell"]["enabled"],
                    "SOCKET": port["socket"]})
    for row, port in zip(cells(done.stdout, "Traffic"), status["ports"]):
        count = port["counters"]
        equal(list(row.values())[1:], [str(count[name]) for name in (
            "register_reads", "register_writes", "window_reads", "window_writes", "window_bytes", "doorbells", "messages",
            "interrupts", "unsupported", "gated", "blocked", "dropped")])
    for row, port in zip(cells(done.stdout, "Wire"), status["ports"]):
        count, client = port["counters"], port["client"]
        equal(list(row.values())[1:], [str(value) for value in (
            client["connections"], count["rx_messages"], count["rx_bytes"], count["rx_calls"], count["tx_messages"],
            count["tx_bytes"], client["queued_bytes"], count["dma_writes"], count["dma_reads"], count["wire_errors"])])


def test_an_open_window_is_listed_in_both_forms(case):
    server = case.serve()
    guests = [make_traffic(case, server), tap.Guest(case, server.path("port1.sock"))]
    guests[1].enable()
    windows = json_status(case, server)["ports"][1]["windows"]
    equal([(w["bar"], w["offset"], w["size"], w["kind"], w["target"], w["address"]) for w in windows],
          [(2, "0x0", 65536, "lut", 0, "0x12340000")])
    rows = cells(case.run("status", "--socket-dir", server.folder).stdout, "Open windows")
    equal(rows, [{"PORT": "1", "BAR": "2", "OFFSET": "0x0", "SIZE": "65536", "KIND": "lut", "TARGET": "0",
                  "ADDRESS": "0x12340000"}])


def test_status_without_a_server_says_so(case):
    done = case.run("status", "--socket-dir", case.folder)
    equal((done.returncode, done.stdout), (1, ""))
    check(case.path("control.sock") in done.stderr and "running" in done.stderr, done.stderr)
    server = case.serve()
    server.stop(signal.SIGKILL)
    done = case.run("status", "--socket-dir", server.folder)
    equal((done.returncode, done.stdout), (1, ""))
    check("refused" in done.stderr, done.stderr)


def test_status_that_cannot_be_written_is_a_failure(case):
    server = case.serve()
    for words in ((), ("--json",)):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = case.run("status", "--socket-dir", server.folder, *words, stdout=full)
        equal(done.returncode, 1)
        check("standard output" in done.stderr, done.stderr)


def test_status_copes_with_a_server_that_talks_nonsense(case):
    path = case.path("control.sock")
    for reply in (b"", b"half", b"\n", b"[]\n", b"{}\n", b'{"ok":false}\n', b'{"ok":true}\n',
                  b'{"ok":true,"ports":7}\n', b'{"ok":true,"ports":[7]}\n',
                  b'{"ok":true,"ports":[7],"more":"' + b"x" * (40 << 20) + b'"}\n', b"x" * (129 << 20)):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            with subprocess.Popen([case.program, "status", "--socket-dir", case.folder], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as proc:
                with listener.accept()[0] as sock:
                    request = sock.recv(4096)
                    check(request.endswith(b"\n"), f"the request comes in pieces: {request!r}")
                    try:
                        sock.sendall(reply)
                    except OSError:
                        pass
                err = proc.communicate(timeout=tap.DEADLINE_S)[1].decode()
        os.unlink(path)
        if reply.startswith(b'{"ok":true,"ports":[7]'):
            equal(proc.returncode, 0, f"a port that is no object, {len(reply)} bytes: {err}")
            continue
        equal(proc.returncode, 1, repr(reply[:30]))
        check(err.startswith("openntb: ") and path in err, err)
        check(("longer than 128 MiB" in err) == (len(reply) > 128 << 20), err)


def test_watch_repeats_until_the_server_ends(case):
    server = case.serve()
    proc = subprocess.Popen([case.program, "status", "--json", "--watch", "--socket-dir", server.folder],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.stack.callback(case.end, proc)
    first, second = (json.loads(proc.stdout.readline()) for _ in range(2))
    check(second["uptime_ms"] > first["uptime_ms"], "time stands still")
    server.stop()
    equal(proc.wait(tap.DEADLINE_S), 1)
    proc.stderr.close()


def test_requests_may_come_in_pieces_and_in_bunches(case):
    control = Control(case, case.serve())
    for byte in STATUS[:-1]:
        control.sock.sendall(bytes([byte]))
    check(control.ask(b"\n")["ok"], "in pieces")
    control.sock.sendall(STATUS * 50 + b"{}\n" + STATUS)
    for number in range(52):
        equal(control.line()["ok"], number != 50, f"reply {number}")


def test_the_longest_request_is_answered_and_one_byte_more_is_not(case):
    server = case.serve()
    request = b'{"request":"status"}'
    control = Control(case, server)
    check(control.ask(request + b" " * (MAX_REQUEST - len(request) - 1) + b"\n")["ok"], "longest")
    reply = control.ask(request + b" " * (MAX_REQUEST - len(request)) + b"\n")
    equal(reply["ok"], False)
    check("too long" in reply["error"], reply["error"])
    # What had not been read when the server closed turns the end into a reset.
    try:
        equal(control.line(), None)
    except ConnectionResetError:
        pass
    check("longer than" in server.errors(), server.errors())
    check(Control(case, server).ask(STATUS)["ok"], "another client")


def test_a_client_that_does_not_read_stops_nobody(case):
    server = case.serve("--ports", "48")
    lazy = Control(case, server)
    lazy.sock.setblocking(False)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += lazy.sock.send(STATUS * 100)
    except BlockingIOError:
        pass
    check(sent < 64 << 20, "the server buffers without limit")
    for _ in range(3):
        check(Control(case, server).ask(STATUS)["ok"], "another client")
    equal(server.stop(), 0)


def test_a_slow_client_gets_all_its_replies_in_the_end(case):
    server = case.serve("--ports", "48")
    control = Control(case, server)
    control.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    control.sock.sendall(STATUS * 100)
    check(Control(case, server).ask(STATUS)["ok"], "another client")
    for number in range(100):
        check(control.line()["ok"], f"reply {number}")


def test_silent_clients_do_not_lock_others_out(case):
    server = case.serve()
    silent = [Control(case, server) for _ in range(60)]
    check(Control(case, server).ask(STATUS)["ok"], "a client after 60 silent ones")
    check(silent, "silent")


def test_clients_that_vanish_leave_nothing(case):
    server = case.serve()
    Control(case, server).ask(STATUS)
    before = len(os.listdir(f"/proc/{server.proc.pid}/fd"))
    for request in (b"", b"{", STATUS, STATUS * 30):
        for _ in range(20):
            control = Control(case, server)
            control.sock.sendall(request)
            control.sock.close()
    # A client that asks after them is served after them.
    check(Control(case, server).ask(STATUS)["ok"], "a last client")
    tap.wait_until(lambda: len(os.listdir(f"/proc/{server.proc.pid}/fd")) <= before + 2, "descriptors are closed")


def test_without_descriptors_clients_are_refused_and_the_server_lives(case):
    server = case.serve()
    pid = server.proc.pid
    used = len(os.listdir(f"/proc/{pid}/fd"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, hard))
    some = []
    for _ in range(10):
        some.append(Control(case, server))
    tap.wait_until(lambda: "too many open files" in server.errors(), "a log line")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, hard))
    for control in some:
        control.sock.close()
    tap.wait_until(lambda: case.run("status", "--socket-dir", server.folder).returncode == 0, "served again")
    equal(server.stop(), 0)


def add_wrong_requests():
    """One test for each malformed request."""
    for name, request in WRONG.items():
        def one(case, request=request):
            server = case.serve()
            control = Control(case, server)
            reply = control.ask(request)
            equal(set(reply), {"ok", "error"}, str(reply))
            equal(reply["ok"], False)
            check(reply["error"], "no text")
            check(control.ask(STATUS)["ok"], "the same client's next request")
            equal(server.stop(), 0)

        globals()[f"test_request is refused: {name}"] = one


add_wrong_requests()
if __name__ == "__main__":
    tap.main(dict(globals()))
