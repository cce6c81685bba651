#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""openntb host: hosts in processes of their own, joined by openntb serve."""

import json
import os
import pathlib
import re
import select
import signal
import subprocess

import tap
from tap import check, equal


class Host:
    """A running `openntb host`."""

    def __init__(self, case, server, port, *words):
        self.case = case
        self.folder = case.path(f"host{port}")
        self.err = open(case.path(f"host{port}.err"), "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        case.stack.callback(self.err.close)
        # pylint: disable-next=consider-using-with
        self.proc = subprocess.Popen([case.program, "host", "--socket", server.path(f"port{port}.sock"), "--name",
                                      f"h{port}", "--socket-dir", self.folder, *words], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=self.err, text=True)
        case.stack.callback(case.end, self.proc)
        line = self.proc.stdout.readline()
        check(line.startswith("ready: "), f"{line!r} {self.errors()}")

    def errors(self):
        """What it wrote to standard error."""
        self.err.seek(0)
        return self.err.read()

    def ask(self, **request):
        """Ask its control socket."""
        sock = self.case.connect(f"{self.folder}/control.sock")
        sock.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            more = sock.recv(1 << 16)
            check(more, "the connection broke")
            data += more
        return json.loads(data)

    def trigger(self, index, times=1):
        """Raise an interrupt of the peer."""
        reply = self.ask(request="trigger", index=index, times=times)
        check(reply["ok"], str(reply))

    def count(self, index):
        """How often an own NTB interrupt was handled."""
        irqs = self.ask(request="irqs")["hosts"][0]["irqs"]
        return [one["count"] for one in irqs if "NTB" in one["domain"] and one["index"] == index][0]

    def wait_held(self, nr):
        """Wait until it may raise that many of the peer's."""
        tap.wait_until(lambda: self.ask(request="peer")["held"] == nr, f"{nr} interrupts held: {self.ask(request='peer')}")


def pair(case, *words, peers=((), ())):
    """A server and two hosts that may raise each other's interrupts."""
    server = case.serve()
    hosts = [Host(case, server, port, *words, *peers[port]) for port in (0, 1)]
    return server, hosts


def shoot(source, target, index, times):
    """Raise an interrupt some times, each after the last one was seen: edges that meet are one."""
    before = target.count(index)
    for n in range(1, times + 1):
        source.trigger(index)
        tap.wait_until(lambda n=n: target.count(index) == before + n, f"interrupt {index}, {n} of {times}")


def test_two_processes_interrupt_each_other(case):
    _, hosts = pair(case, "--irqs", "8", peers=(("--remap",), ()))
    for host in hosts:
        host.wait_held(8)
    for index in range(8):
        shoot(hosts[0], hosts[1], index, 2)
        shoot(hosts[1], hosts[0], index, 3)
    for host, times in zip(hosts, (3, 2)):
        equal([host.count(index) for index in range(8)], [times] * 8)


def test_two_hosts_in_the_way_of_linux(case):
    _, hosts = pair(case, "--peer", "linux")
    for host in hosts:
        host.wait_held(4)
    for index in range(4):
        shoot(hosts[0], hosts[1], index, 2)
        shoot(hosts[1], hosts[0], index, 2)


def test_peer_that_is_killed_and_comes_back(case):
    server, hosts = pair(case)
    for host in hosts:
        host.wait_held(4)
    hosts[1].proc.send_signal(signal.SIGKILL)
    hosts[1].proc.wait(tap.DEADLINE_S)
    hosts[0].wait_held(0)
    equal(hosts[0].ask(request="trigger", index=0)["ok"], False)
    case.run("status", "--socket-dir", server.folder)
    again = Host(case, server, 1, "--socket-dir", case.path("again"))
    again.folder = case.path("again")
    again.wait_held(4)
    hosts[0].wait_held(4)
    shoot(hosts[0], again, 2, 2)
    shoot(again, hosts[0], 1, 2)


def test_request_that_makes_no_sense(case):
    _, hosts = pair(case)
    for request in ({"request": "trigger"}, {"request": "trigger", "index": -1}, {"request": "trigger", "index": "0"},
                    {"request": "trigger", "index": 0, "times": 0}, {"request": "trigger", "index": 0, "times": 1000001},
                    {"request": "trigger", "index": 0, "times": "2"}, {"request": "trigger", "index": 4}, {"request": "fly"}, {}):
        reply = hosts[0].ask(**request)
        equal(reply["ok"], False, str(request))
        check(reply["error"], str(request))


def start_a_million(host):
    """Have an interrupt raised a million times; the connection, at which the reply will arrive."""
    sock = host.case.connect(f"{host.folder}/control.sock")
    sock.sendall(b'{"request":"trigger","index":0,"times":1000000}\n')
    return sock


def test_long_request_does_not_hold_up_other_clients(case):
    _, hosts = pair(case)
    hosts[0].wait_held(4)
    busy = start_a_million(hosts[0])
    for _ in range(10):
        equal(hosts[0].ask(request="peer")["held"], 4)
    check(not select.select([busy], [], [], 0)[0], "a million stores took less time than ten small requests")
    equal(json.loads(busy.makefile().readline()), {"ok": True, "raised": 1000000})


def test_long_request_does_not_hold_up_the_end(case):
    _, hosts = pair(case)
    hosts[0].wait_held(4)
    busy = start_a_million(hosts[0])
    # It has begun.
    equal(hosts[0].ask(request="peer")["ok"], True)
    hosts[0].proc.terminate()
    equal(hosts[0].proc.wait(tap.DEADLINE_S), 0, hosts[0].errors())
    equal(busy.recv(1000), b"", "the reply to a request that was not carried out")


def test_requests_on_one_connection_are_answered_in_their_order(case):
    _, hosts = pair(case)
    hosts[0].wait_held(4)
    # Who leaves takes the request along.
    start_a_million(hosts[0]).close()
    sock = case.connect(f"{hosts[0].folder}/control.sock")
    sock.sendall(b'{"request":"trigger","index":1,"times":2500}\n{"request":"peer"}\n{"request":"trigger","index":9}\n')
    lines = sock.makefile()
    equal(json.loads(lines.readline()), {"ok": True, "raised": 2500})
    equal(json.loads(lines.readline())["held"], 4)
    equal(json.loads(lines.readline())["ok"], False)


def test_server_that_leaves_is_noticed(case):
    server, hosts = pair(case)
    hosts[0].wait_held(4)
    equal(server.stop(), 0)
    tap.wait_until(lambda: not hosts[0].ask(request="peer")["server"], "the connection is lost")
    check("connection lost" in hosts[0].errors(), hosts[0].errors())
    hosts[0].proc.terminate()
    equal(hosts[0].proc.wait(tap.DEADLINE_S), 0, hosts[0].errors())


def test_nobody_listens_at_the_socket(case):
    done = case.run("host", "--socket", case.path("nothing.sock"))
    equal(done.returncode, 1)
    check("nothing.sock" in done.stderr and "No such file" in done.stderr, done.stderr)


def test_as_much_as_there_can_be(case):
    server = case.serve()
    for words in (("--ram", "2048"), ("--peer", "linux", "--irqs", "63"), ("--peer", "linux-grants", "--irqs", "64")):
        host = Host(case, server, 0, *words)
        host.proc.terminate()
        equal(host.proc.wait(tap.DEADLINE_S), 0, host.errors())


def test_window_that_the_bridge_does_not_have(case):
    server = case.serve()
    for peer in ("openntb", "linux", "linux-grants"):
        done = case.run("host", "--socket", server.path("port0.sock"), "--peer", peer, "--window", "500")
        equal(done.returncode, 1, peer)
        check(re.search(r"--window 500: give a number from 0 to [0-9]+", done.stderr), f"{peer}: {done.stderr}")


def test_more_interrupts_than_cpus_have_vectors(case):
    server = case.serve()
    done = case.run("host", "--socket", server.path("port0.sock"), "--irqs", "1000")
    equal(done.returncode, 1)
    check("--irqs 1000" in done.stderr and "--cpus" in done.stderr, done.stderr)


# As much of socat as the documentation needs.
SOCAT = """#!/usr/bin/env python3
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2].split(":")[1])
sock.sendall(sys.stdin.buffer.read())
sys.stdout.write(sock.makefile().readline())
"""


def test_lines_of_the_documentation_work_when_pasted(case):
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/tool.md").read_text(encoding="utf-8")
    lines = re.search(r"(?:^    .*\n)+", page.split("## openntb host\n")[1], re.M).group(0)
    check("openntb serve" in lines and "trigger" in lines, lines)
    os.chmod(case.write_file("socat", SOCAT), 0o755)
    path = f"{case.folder}:{os.path.dirname(case.program)}:{os.environ['PATH']}"
    done = subprocess.run(["timeout", "-k", "5", str(tap.DEADLINE_S), "bash"], check=False, text=True,
                          input=lines.replace("/tmp/", f"{case.folder}/"), env=dict(os.environ, PATH=path),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    equal(done.returncode, 0, done.stderr)
    check('{"ok":true,"raised":1}' in done.stdout.replace(" ", ""), done.stdout)
    check(re.search(r"NTB-\S+ +2 NTB ", done.stdout), done.stdout)
    equal([name for name in ("ntb", "a", "b") if os.path.exists(case.path(name))], [], "folders left behind")


if __name__ == "__main__":
    tap.main(dict(globals()))
