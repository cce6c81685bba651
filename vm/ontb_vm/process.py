# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Child processes that never outlive this one, and waiting with a deadline."""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

from .cache import KitError

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Timeout(KitError):
    """A deadline passed; the text says what was awaited."""


def _die_with_parent():
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _hurry():
    """Run before all usual processes, where that is allowed."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def hurry_threads(pid, wanted):
    """Let the threads of a process whose name pleases @wanted run before all usual ones, where that is allowed."""
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if wanted((thread / "comm").read_text(encoding="utf-8").strip()):
                os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))


def start(argv, log, urgent=False):
    """Start a child whose output goes to the file @log; it dies with this process."""
    def prepare():
        _die_with_parent()
        if urgent:
            _hurry()

    with open(log, "ab") as out:
        try:
            # pylint: disable=subprocess-popen-preexec-fn
            return subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out, start_new_session=True,
                                    preexec_fn=prepare)
        except OSError as error:
            raise KitError(f"cannot start {argv[0]}: {error.strerror}") from error


def stop(proc, patience=5.0):
    """End a child: SIGTERM, and SIGKILL when it does not go in time.

    Return whether SIGTERM was enough.
    """
    if proc is None or proc.poll() is not None:
        return True
    proc.terminate()
    try:
        proc.wait(patience)
        return True
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()
        return False


def wait_until(what, question, seconds, interval=0.05):
    """Ask @question until it returns something true; return that.

    Raises Timeout, naming @what, after @seconds.
    """
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Timeout(f"{what}: not seen within {seconds:g} s")
        time.sleep(interval)
