#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Life of `openntb serve`: sockets, their permissions, other servers, signals, readiness."""

import os
import re
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import time

import tap
from tap import check, equal

SOCKETS = ("port0.sock", "port1.sock", "control.sock")


def mode_of(path):
    """Permission bits."""
    return stat.S_IMODE(os.stat(path).st_mode)


def test_ready_line_names_the_sockets(case):
    server = case.serve()
    for name in SOCKETS:
        check(name in server.ready, f"{name} is not in {server.ready!r}")
        check(stat.S_ISSOCK(os.stat(server.path(name)).st_mode), name)
    equal(sorted(os.listdir(server.folder)), sorted(SOCKETS))
    equal(server.errors(), "")


def test_every_port_gets_a_socket(case):
    server = case.serve("--ports", "48")
    equal(len(os.listdir(server.folder)), 49)
    tap.Guest(case, server.path("port47.sock"))


def test_sockets_are_the_owners_only_whatever_the_umask(case):
    for number, umask in enumerate((0, 0o777)):
        server = case.serve(folder=case.path(f"umask{number}"), umask=umask)
        equal(mode_of(server.folder), 0o700, "folder")
        for name in SOCKETS:
            equal(mode_of(server.path(name)), 0o600, name)


def test_socket_mode_opens_sockets_and_folder(case):
    for mode, folder in (("0660", 0o750), ("666", 0o755)):
        server = case.serve("--socket-mode", mode, folder=case.path(mode), umask=0o077)
        equal(mode_of(server.folder), folder)
        for name in SOCKETS:
            equal(mode_of(server.path(name)), int(mode, 8), name)


def test_existing_folder_keeps_its_mode_and_stays(case):
    os.mkdir(case.path("sockets"), 0o711)
    server = case.serve()
    equal(mode_of(server.folder), 0o711)
    equal(server.stop(), 0)
    equal(os.listdir(server.folder), [])


def test_signals_end_it_cleanly(case):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        server = case.serve()
        guest = tap.Guest(case, server.path("port0.sock"))
        equal(server.stop(number), 0, number.name)
        check(not os.path.exists(server.folder), "the folder is still there")
        equal(guest.sock.recv(1), b"", "the guest's connection")
        check(f"signal {number.name[3:]}" in server.errors(), server.errors())


def test_sockets_of_a_killed_server_are_replaced(case):
    server = case.serve()
    equal(server.stop(signal.SIGKILL), -signal.SIGKILL)
    equal(sorted(os.listdir(server.folder)), sorted(SOCKETS))
    again = case.serve()
    tap.Guest(case, again.path("port0.sock"))
    equal(case.run("status", "--socket-dir", again.folder).returncode, 0)


def test_a_live_server_is_not_replaced(case):
    server = case.serve()
    second = case.start()
    equal(second.wait(), 1)
    check(server.folder in second.errors() and "has it" in second.errors(), second.errors())
    tap.Guest(case, server.path("port0.sock"))
    equal(case.run("status", "--socket-dir", server.folder).returncode, 0)
    equal(sorted(os.listdir(server.folder)), sorted(SOCKETS))


def test_a_foreign_live_socket_is_not_replaced(case):
    os.mkdir(case.path("sockets"))
    for name in SOCKETS:
        path = os.path.join(case.path("sockets"), name)
        with socket.socket(socket.AF_UNIX) as foreign:
            foreign.bind(path)
            foreign.listen(1)
            second = case.start()
            equal(second.wait(), 1, name)
            check(path in second.errors() and "live server" in second.errors(), second.errors())
            equal(os.listdir(case.path("sockets")), [name], "what is left")
        os.unlink(path)


def test_a_file_in_the_way_is_left_alone(case):
    os.mkdir(case.path("sockets"))
    for name in SOCKETS:
        path = os.path.join(case.path("sockets"), name)
        with open(path, "w", encoding="ascii") as handle:
            handle.write("precious")
        second = case.start()
        equal(second.wait(), 1, name)
        check(path in second.errors() and "no socket" in second.errors(), second.errors())
        with open(path, encoding="ascii") as handle:
            equal(handle.read(), "precious")
        equal(os.listdir(case.path("sockets")), [name], "what is left")
        os.unlink(path)


def test_a_folder_open_to_everybody_is_refused(case):
    os.mkdir(case.path("sockets"))
    os.chmod(case.path("sockets"), 0o777)
    server = case.start()
    equal(server.wait(), 1)
    check("everybody may write" in server.errors(), server.errors())
    os.chmod(case.path("sockets"), 0o1777)
    case.serve()


def test_a_folder_that_cannot_be_made_is_named(case):
    for folder, cause in ((case.path("no/such"), "No such file"), (case.write_file("file", ""), "Not a directory")):
        server = case.start(folder=folder)
        equal(server.wait(), 1)
        check(folder in server.errors() and cause in server.errors(), server.errors())


def test_a_path_that_no_socket_can_have_is_refused(case):
    # Long enough that port0.sock would fit, port47.sock and control.sock not.
    folder = case.folder + "/" + "d" * (108 - len(case.folder) - len("//port0.sock") - 1)
    server = case.start(folder=folder)
    equal(server.wait(), 1)
    check("too long" in server.errors(), server.errors())
    check(not os.path.exists(folder), "the folder was made")


def test_a_service_manager_is_told(case):
    for address in (case.path("notify"), "\0ontb-test-" + os.path.basename(case.folder)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(tap.DEADLINE_S)
            server = case.serve(env={"NOTIFY_SOCKET": address.replace("\0", "@")})
            state = manager.recv(4096).decode()
            check("READY=1\n" in state and "STATUS=" in state, state)
            equal(server.stop(), 0)
            check("STOPPING=1" in manager.recv(4096).decode(), "no STOPPING=1")


def test_a_wrong_notify_socket_is_only_a_warning(case):
    for address in (case.path("nobody"), "/" + "x" * 200):
        server = case.serve(env={"NOTIFY_SOCKET": address})
        equal(server.stop(), 0)
        check("service manager" in server.errors(), server.errors())


def test_log_lines_carry_a_priority_for_the_journal(case):
    err = case.path("journal")
    with open(err, "wb") as out:
        info = os.fstat(out.fileno())
        proc = subprocess.Popen([case.program, "serve", "--socket-dir", case.path("sockets")], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=out,
                                env=dict(os.environ, JOURNAL_STREAM=f"{info.st_dev}:{info.st_ino}"))
    case.stack.callback(case.end, proc)
    server = tap.Server(case, proc, case.path("sockets"), err).wait_ready()
    equal(server.stop(), 0)
    check(re.search(r"^<5>serve: ending", server.errors(), re.M), server.errors())


def test_a_ready_line_that_cannot_be_written_is_a_failure(case):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = case.run("serve", "--socket-dir", case.path("sockets"), stdout=full)
    equal(done.returncode, 1)
    check("standard output" in done.stderr, done.stderr)
    check(not os.path.exists(case.path("sockets")), "the folder is still there")


def test_geometry_of_the_options_is_what_the_guest_sees(case):
    server = case.serve("--device-id", "0x8536", "--vectors", "8", "--bar2-size", "8M", "--bar4-size", "1M")
    guest = tap.Guest(case, server.path("port0.sock"))
    equal(guest.read(guest.CONFIG, 0, 4), b"\xf8\x11\x36\x85", "vendor and device id")
    for bar, size in ((2, 8 << 20), (4, 1 << 20)):
        guest.write(guest.CONFIG, 0x10 + 4 * bar, b"\xff\xff\xff\xff")
        low = int.from_bytes(guest.read(guest.CONFIG, 0x10 + 4 * bar, 4), "little") & ~0xf
        equal(low, -size & 0xffffffff, f"BAR{bar}")


def test_the_limit_of_open_files_is_raised(case):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    server = case.serve(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
    equal(resource.prlimit(server.proc.pid, resource.RLIMIT_NOFILE), (hard, hard))


def interrupt_delay(case, *options):
    """Seconds from a message and a doorbell, sent by port 0, to port 1's doorbell interrupt."""
    server = case.serve(*options, folder=case.path("-".join(options) or "plain"))
    sender, receiver = (tap.Guest(case, server.path(f"port{port}.sock")) for port in (0, 1))
    for guest in (sender, receiver):
        guest.enable()
    # Linux 6.12 ntb_hw_switchtec.c: doorbells of the other partition are bits 32 up, and so is its enable mask.
    mine, theirs = 0x74000, 0x78000
    receiver.write(0, theirs + 0x1060, struct.pack("<I", 0xffffff00))
    receiver.write(0, theirs + 0x1020 + 32, b"\1")
    receiver.write(0, theirs + 0x1018, struct.pack("<Q", 1 << 32))
    # The capability that QEMU enables when the guest uses MSI-X.
    where = receiver.read(receiver.CONFIG, 0x34, 1)[0]
    while receiver.read(receiver.CONFIG, where, 1) != b"\x11":
        where = receiver.read(receiver.CONFIG, where + 1, 1)[0]
        check(where, "no MSI-X capability")
    receiver.write(receiver.CONFIG, where + 2, struct.pack("<H", 0x8000))
    fd = receiver.arm(1)
    sender.write(0, mine + 0x1008, struct.pack("<Q", 1 << 32))
    sender.write(0, mine + 0x1068, struct.pack("<I", 1))
    start = time.monotonic()
    sender.write(0, mine + 0x1000, struct.pack("<Q", 1 << 32))
    check(select.select([fd], [], [], tap.DEADLINE_S)[0], "no interrupt")
    equal(os.eventfd_read(fd), 1)
    return time.monotonic() - start


def test_doorbells_are_held_only_if_asked(case):
    held = interrupt_delay(case, "--hold-doorbells-after-message", "1500")
    check(1.2 < held, f"held for {held} s only")
    check(interrupt_delay(case) < 1.2, "held although nobody asked")


if __name__ == "__main__":
    tap.main(dict(globals()))
