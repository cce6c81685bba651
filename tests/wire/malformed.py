# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""One malformed message per test.

One idea: a row says which message, and what must come of it: an error reply with one errno value, silence (when no
reply was wanted), or the loss of that connection.  Everything else is the same for all and checked here: one log line
that names the port, the client and the reason; one error counted; the connection goes on unless it had to go; the
neighbour on the paired port answers; no descriptor stays behind in the server.

All rows of a file share a server.  Each row has a port of its own turn, because log lines are rate-limited by port.
"""

import collections
import errno
import os
import re

import base
from base import check, equal
from client import ERROR, NO_REPLY, REPLY, VERSION, Client, message, version
from host import Host
from server import Server

NR_PORTS = 48
LOST, SILENT = "lost", "silent"

Row = collections.namedtuple("Row", "name data outcome reason fds prepare after handshake", defaults=[None] * 4)
NUMBER = 0x4d4d
# Instead of a reason: the client leaves after the bytes.
LEFT = object()
LEFT_REASON = "left in the middle of a message"


class Shared:
    """The server that all rows of a file share, started with the first."""

    def __init__(self):
        self.server = None
        self.turn = 0
        self.neighbours = {}

    def start(self, program):
        """The server."""
        if not self.server:
            self.server = Server(program, "--ports", str(NR_PORTS))
        return self.server

    def next_port(self):
        """An even port and a living host on the odd one beside it."""
        port = self.turn % NR_PORTS
        self.turn += 2
        if port not in self.neighbours:
            self.neighbours[port] = Host(self.server, port + 1)
        return port, self.neighbours[port]

    def finish(self, case):
        """The last test: whatever the rows did, the server is as good as new."""
        server = self.start(case.program)
        for neighbour in self.neighbours.values():
            neighbour.check_lives()
            neighbour.close()
        for port in range(NR_PORTS):
            server.wait_free(port)
            client = Host(server, port)
            client.check_lives()
            client.close()
        server.finish()


def refused(name, cmd, body, number, reason, flags=0, **options):
    """A row for a command that gets an error reply."""
    return Row(name, message(cmd, body, NUMBER, flags), number, reason, **options)


def silent(name, cmd, body, reason, flags=NO_REPLY, **options):
    """A row for a command that wants no reply and gets none."""
    return Row(name, message(cmd, body, NUMBER, flags), SILENT, reason, **options)


def lost(name, data, reason, **options):
    """A row for bytes after which the connection cannot go on."""
    return Row(name, data, LOST, reason, **options)


def check_outcome(row, client):
    """What the client sees."""
    if row.outcome == LOST:
        equal(client.wait_closed(), [], "messages before the end")
        return
    if row.outcome != SILENT:
        reply = client.wait_reply(NUMBER)
        equal(errno.errorcode.get(reply.error, reply.error), errno.errorcode[row.outcome], "error in the reply")
        equal(reply.flags, REPLY | ERROR, "flags of the reply")
        equal(reply.cmd, int.from_bytes(row.data[2:4], "little"), "command of the reply")
        equal(reply.body, b"", "body of the reply")
    if row.handshake is False:
        check(client.call(VERSION, version()), "version")
    client.sync()
    equal(client.replies, {}, "replies that were not wanted")
    equal(list(client.commands), [], "commands of the server")


def run(case, shared, row):
    """Run one row."""
    server = shared.start(case.program)
    port, neighbour = shared.next_port()
    server.wait_free(port)
    nr_fds = server.nr_fds()
    client = Client(server.path(port), handshake=row.handshake is not False)
    case.stack.callback(client.close)
    state = row.prepare(case, client) if row.prepare else None
    fds = row.fds(case) if row.fds else ()
    start = server.mark()
    nr_errors = server.counters(port)["wire_errors"]
    client.raw(row.data, fds)
    if row.reason is LEFT:
        client.close()
    else:
        check_outcome(row, client)
    neighbour.check_lives()
    if row.after:
        row.after(client, state, server.port(port))
    client.close()
    server.wait_free(port)
    reason = LEFT_REASON if row.reason is LEFT else row.reason
    lines = server.lines_of(port, start)
    equal(len(lines), 1, f"log lines about the port: {lines}")
    check(re.search(rf"port {port}: client {os.getpid()}: .*{reason}", lines[0]), f"{lines[0]!r} has not {reason!r}")
    equal(server.counters(port)["wire_errors"], nr_errors + 1, "errors counted")
    equal(server.nr_fds(), nr_fds, "descriptors the server has open")
    equal(server.proc.poll(), None, "the server's exit status")


def main(rows, tests=()):
    """Run rows, then functions that get the case and the shared server, as tests."""
    shared = Shared()
    names = [row.name for row in rows]
    equal(len(set(names)), len(names), f"names are not unique: {[n for n in names if names.count(n) > 1]}")
    namespace = {f"test_{row.name}": lambda case, row=row: run(case, shared, row) for row in rows}
    for test in tests:
        namespace[test.__name__] = lambda case, test=test: test(case, shared)
    namespace["test_server_is_as_good_as_new_after_all_this"] = shared.finish
    try:
        base.main(namespace)
    finally:
        if shared.server:
            shared.server.kill()
