# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Tests in guests: a test names the setup it needs, the runner shares boots and speaks TAP.

One idea: booting is what takes time, so tests with the same setup run one after another
in the same guests, as long as they pass.  After every test all clients of the bridge are
unloaded and the kernel's log is read: a warning that is not on the short list of the
kernel's own fails the test, whatever it said itself.
"""

import argparse
import contextlib
import dataclasses
import inspect
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "vm"))

# pylint: disable=wrong-import-position
from ontb_vm import console, pair, process  # noqa: E402
from ontb_vm.cache import KitError  # noqa: E402

CLIENTS = ("ntb_netdev", "ntb_transport", "ntb_msi_test", "ntb_perf", "ntb_pingpong", "ntb_tool",
           "ntb_irq_test", "ntb_grant_test")
LINES_ON_FAILURE = 40

# Lines at level "warning" or worse that the kernel prints by itself, with the reason.
# They were seen with this kernel and QEMU whatever the endpoint does; those about processor bugs,
# an unstable TSC and throttling come with other processors and with more load.
KERNELS_OWN = {
    r"ACPI: IRQ \d+ override to edge": "QEMU's table describes serial ports by MADT override",
    r"amd_pstate: the _CPC object is not present": "no frequency control in QEMU",
    r"rcu:\s+RCU lockdep checking is enabled": "a kernel with lockdep says so when it boots",
    r"loading out-of-tree module taints kernel": "Debian leaves NTB out; it was built apart",
    r"mtrr: your CPUs had inconsistent": "QEMU's processors start with different MTRRs",
    r"tsc: Unable to calibrate against PIT": "slow emulated processor",
    r"tsc: PIT calibration deviates from HPET": "slow emulated processor",
    r"Unstable clock detected|keep using the local clock|trace_clock=local|on the kernel command line$":
        "what tracing says when the TSC is not good, in four lines",
    r"clocksource: ": "timekeeping watchdog on a busy host",
    r"tsc: Marking TSC unstable|TSC found unstable|TSC warp": "what that watchdog then says",
    r"\.\.MP-BIOS bug: 8254 timer not connected to IO-APIC": "timer test on a busy host",
    r"APIC calibration not consistent with PM-Timer": "busy host",
    r"hpet: ": "emulated timer on a busy host",
    r"hrtimer: interrupt took": "busy host",
    r"sched: (RT|DL) .*throttling activated": "busy host",
    r"ntb_perf .* outbuf reduced to": "ntb_perf says that it obeys max_mw_size",
    r"x86/cpu: .*vulnerab|mitigation|Spectre|MDS CPU bug|RETBleed": "emulated processor",
}
SEVERE = re.compile(r"\bBUG\b|WARNING:|Oops|lockdep|possible circular|inconsistent lock state|"
                    r"general protection fault|Call Trace:|Kernel panic|soft lockup|hung_task|"
                    r"blocked for more than|refcount_t|list_(add|del) corruption|KASAN|UBSAN|ODEBUG|"
                    r"Invalid wait context|suspicious RCU usage|sleeping function called|"
                    r"MAX_\w+ too low|turning off the locking correctness validator|kmemleak: \d+ new")
# Where there is lockdep, whether it is still at work. It ends with its first report, and when it is short of memory.
LOCKDEP = "grep debug_locks: /proc/lockdep_stats 2>/dev/null || true"


class Skip(Exception):
    """The test cannot run here; the text says why."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """Guests and bridge that a test needs."""

    loopback: bool = False
    single: bool = False
    cpus: int = 1
    memory: int = 512
    iommu: bool = False
    intremap: bool = False
    spares: int = 0
    root_port: bool = False
    series: str = "6.12"
    module_set: str = ""
    append: str = ""
    vectors: int = 0
    serve: tuple = ()
    urgent: bool = False
    boot_seconds: int = 180

    def label(self):
        """Short text for logs."""
        words = ["loopback" if self.loopback else "single" if self.single else "pair", f"{self.cpus}cpu"]
        words += ["iommu"] if self.iommu else []
        words += ["intremap"] if self.intremap else []
        words += [self.series] if self.series != "6.12" else []
        words += [self.module_set] if self.module_set else []
        return "-".join(words)


TESTS = []


def test(setup, seconds=300, dirty=False, repeat=False, known=()):
    """Register a test; its first argument will be the Lab, or None if @setup is None: it brings its own guests.

    @dirty: guests cannot be used by another test afterwards.
    @repeat: one of the self-test runs that check-repeat repeats.
    @known: more kernel log lines (patterns) that this test provokes on purpose.
    """
    def register(function):
        function.setup = setup
        function.seconds = seconds
        function.dirty = dirty
        function.repeat = repeat
        function.known = known
        TESTS.append(function)
        return function
    return register


class Lab:
    """Running guests with helpers for tests."""

    def __init__(self, setup, options):
        self.setup = setup
        self.seen = {}
        settings = pair.stock_settings(
            setup.series, setup.module_set, cpus=setup.cpus, memory=setup.memory, iommu=setup.iommu,
            intremap=setup.intremap, spares=setup.spares, root_port=setup.root_port,
            append=setup.append)
        self.settings, self.why = pair.choose_accel(settings, options.accel)
        serve = list(setup.serve)
        if setup.vectors:
            serve += ["--vectors", str(setup.vectors)]
        plan = pair.Plan(loopback=setup.loopback, single=setup.single, openntb=options.openntb,
                         server_options=tuple(serve), urgent=setup.urgent)
        self.pair = pair.Pair(self.settings, plan, keep=True)
        self.guests = self.pair.guests
        self.bridge = self.pair.bridge

    def start(self):
        """Boot, and load the hardware driver everywhere."""
        self.pair.start(self.setup.boot_seconds)
        for one in self.guests:
            self.load_hardware(one)

    def load_hardware(self, one):
        """Load the hardware driver and wait for the NTB devices."""
        want = 2 if self.setup.loopback else 1
        one.sh("modprobe switchtec && modprobe ntb_hw_switchtec", 120)
        process.wait_until(f"{one.name}: {want} NTB device(s)",
                           lambda: len(self.devices(one)) == want, 60)

    @staticmethod
    def devices(one):
        """PCI addresses of the NTB devices of a guest."""
        return one.sh("ls /sys/bus/ntb/devices").split()

    def ends(self):
        """[(guest, PCI address)] of both ends of the bridge."""
        if self.setup.loopback:
            return [(self.guests[0], dev) for dev in self.devices(self.guests[0])]
        return [(one, self.devices(one)[0]) for one in self.guests]

    def load(self, module, options="", guests=None):
        """Load a client module."""
        for one in guests or self.guests:
            one.sh(f"modprobe {module} {options}", 120)

    def say_link(self, one, state, seconds=60):
        """Wait until the driver of a guest has said that the link is "up" or "down".

        The kernel log is searched from the last call on.
        """
        path = f"/tmp/link-{state}"
        script = (f"dmesg | grep -c 'ntb link {state}' >{path}; "
                  f"[ $(cat {path}) -gt $(cat {path}.old 2>/dev/null || echo 0) ] && "
                  f"mv {path} {path}.old")
        process.wait_until(f"{one.name}: ntb link {state}",
                           lambda: one.run(script)[0] == 0, seconds, 0.2)

    def unload(self):
        """Unload every client."""
        played = any(one.run("grep -q ^ntb_pingpong /proc/modules")[0] == 0 for one in self.guests)
        for one in self.guests:
            one.sh("".join(f"modprobe -r {name} 2>/dev/null || true\n" for name in CLIENTS), 120)
            left = one.sh("cut -d' ' -f1 /proc/modules").split()
            still = [name for name in CLIENTS if name in left]
            if still:
                raise KitError(f"{one.name}: cannot unload {', '.join(still)}")
        if played:
            self.clear_doorbells()

    def clear_doorbells(self):
        """Take back what ntb_pingpong has left.

        Who unloads it first may get one more ball, while the doorbell is masked.  A doorbell
        that is set rings no more, and ntb_msi_test, which unmasks it before it listens, would
        wait for its peer for ever.
        """
        for one in self.guests:
            devices = self.devices(one)
            one.sh("modprobe ntb_tool\n" + "".join(
                f"echo 'c 0xffffffff' >/sys/kernel/debug/ntb_tool/{device}/db\n" for device in devices)
                + "modprobe -r ntb_tool", 60)

    def kernel_faults(self, known):
        """Read each kernel's log since the last call; return the lines that are not fine."""
        faults = []
        for one in self.guests:
            text = one.sh("dmesg -r -c", 60)
            with open(one.path("dmesg.log"), "a", encoding="utf-8") as log:
                log.write(text)
            faults += [f"{one.name}: {line}" for line in bad_lines(text, known)]
            locks = one.sh(LOCKDEP).split()
            faults += [f"{one.name}: lockdep has turned itself off"] if locks[1:] not in ([], ["1"]) else []
            # The console also has what a killed or rebooted kernel said.
            start = self.seen.get(one.name, 0)
            said = one.console_log()
            self.seen[one.name] = len(said)
            faults += [f"{one.name} console: {line.strip()}" for line in said[start:].splitlines()
                       if SEVERE.search(line) and not is_known(line, known)]
        return faults

    def stop(self, logs):
        """End everything; move the logs; return complaints about the end."""
        faults = self.pair.stop()
        logs.mkdir(parents=True, exist_ok=True)
        for path in self.pair.folder.iterdir():
            if path.is_file():
                shutil.move(path, logs / path.name)
        shutil.rmtree(self.pair.folder, ignore_errors=True)
        return faults


def is_known(line, known):
    """Whether a kernel log line is one of those that do not count."""
    return any(re.search(pattern, line) for pattern in [*KERNELS_OWN, *known])


def bad_lines(text, known):
    """The lines of `dmesg -r` at level warning or worse that are not known."""
    found = []
    for line in text.splitlines():
        match = re.match(r"<(\d+)>(.*)", line)
        if not match:
            continue
        level = int(match.group(1)) & 7
        if (level <= 4 or SEVERE.search(line)) and not is_known(line, known):
            found.append(match.group(2).strip())
    return found


def expect(good, text):
    """Fail the test with @text unless @good."""
    if not good:
        raise AssertionError(text)


class Runner:
    """Runs tests in order of setups and prints TAP."""

    def __init__(self, options):
        self.options = options
        self.logs = pathlib.Path(options.logs)
        self.number = 0
        self.failed = 0
        self.lab = None
        self.labs = 0
        self.complaints = []

    def _close(self, keep_logs):
        """Stop the present guests; complaints about that are for the last point."""
        if self.lab is None:
            return
        lab, self.lab = self.lab, None
        self.labs += 1
        folder = self.logs / f"{self.labs:02d}-{lab.setup.label()}"
        self.complaints += [f"{folder.name}: {fault}" for fault in lab.stop(folder)]
        if keep_logs:
            print(f"# logs: {folder}", flush=True)

    def _open(self, setup):
        """Guests with this setup, running."""
        if setup is not None and self.lab is not None and self.lab.setup == setup:
            return self.lab
        self._close(False)
        if setup is None:
            return None
        self.lab = Lab(setup, self.options)
        begin = time.monotonic()
        self.lab.start()
        print(f"# booted {setup.label()} in {time.monotonic() - begin:.0f} s", flush=True)
        if self.labs == 0:
            print(f"# accelerator: {self.lab.settings.accel} ({self.lab.why})", flush=True)
        return self.lab

    def _diagnose(self, text):
        for line in text.strip().splitlines()[-LINES_ON_FAILURE:]:
            print(f"#   {line}")
        if self.lab is None:
            return
        for one in self.lab.guests:
            for what, said in (("console", one.console_log()), ("QEMU", one.qemu_log())):
                for line in said.splitlines()[-12:]:
                    print(f"#   {one.name} {what}: {line[:200]}")
        with contextlib.suppress(OSError):
            for line in self.lab.bridge.log_text().splitlines()[-12:]:
                print(f"#   server: {line[:200]}")
        sys.stdout.flush()

    def _point(self, good, name, begin, note=""):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}{note}", flush=True)
        if "SKIP" not in note:
            print(f"# {name}: {time.monotonic() - begin:.0f} s", flush=True)

    @staticmethod
    def _after(lab, function):
        """What is wrong with the guests after a test, or None."""
        if not function.dirty:
            lab.unload()
        faults = lab.kernel_faults(function.known)
        if faults:
            return "the kernel's log has:\n" + "\n".join(faults)
        return "the server ended during the test" if lab.bridge.died() else None

    def run_one(self, function, name, fresh=False):
        """Run a test and print its point."""
        begin = time.monotonic()
        bad = None
        try:
            if fresh:
                self._close(False)
            lab = self._open(function.setup)
            function(lab)
            bad = self._after(lab, function) if lab is not None else None
        except Skip as reason:
            self._point(True, name, begin, f" # SKIP {reason}")
            return True
        except (KitError, AssertionError) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            bad = f"{error}\n({pathlib.Path(where.filename).name}:{where.lineno})"
        except Exception:  # pylint: disable=broad-exception-caught
            bad = traceback.format_exc()
        self._point(bad is None, name, begin)
        if bad is not None:
            self._diagnose(bad)
        if bad is not None or function.dirty:
            self._close(bad is not None)
        return bad is None

    def finish(self):
        """Close the last guests; complaints about a clean end are a point of their own."""
        begin = time.monotonic()
        self._close(False)
        self._point(not self.complaints, "everything_ends_by_itself", begin)
        for fault in self.complaints:
            print(f"#   {fault}")


def in_order(tests):
    """Tests sorted so that equal setups follow each other, dirty ones last."""
    first = {}
    for number, function in enumerate(tests):
        first.setdefault(function.setup, number)
    return sorted(tests, key=lambda function: (first[function.setup], function.dirty))


def arguments(description):
    """Parse the command line of a test file or of the runner."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", help="tests to run (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--repeat", type=int, metavar="N",
                        help="run N times, with new guests each time; without names: the four "
                        "ways of running upstream's self-test")
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"),
                        default=os.environ.get("OPENNTB_ACCEL", "auto"))
    parser.add_argument("--openntb", default=os.environ.get("OPENNTB"), metavar="FILE")
    parser.add_argument("--logs", metavar="DIR", help="where logs go (default build/guest-logs)")
    options = parser.parse_args()
    if not options.logs:
        build = TOP / "build"
        options.logs = str(build / "guest-logs") if build.is_dir() else tempfile.mkdtemp(
            prefix="openntb-guest-logs-")
    return options


def main(description, tests=None):
    """Run the registered tests; return the exit status."""
    options = arguments(description)
    tests = list(TESTS) if tests is None else tests
    known = {function.__name__: function for function in tests}
    if options.names:
        wrong = [name for name in options.names if name not in known]
        if wrong:
            print(f"no such test: {', '.join(wrong)} (see --list)", file=sys.stderr)
            return 2
        chosen = [known[name] for name in options.names]
    else:
        chosen = [function for function in tests if function.repeat or not options.repeat]
    if options.list:
        for function in chosen:
            print(f"{function.__name__:48} {(inspect.getdoc(function) or '').splitlines()[0]}")
        return 0
    shutil.rmtree(options.logs, ignore_errors=True)
    runner = Runner(options)
    rounds = options.repeat or 1
    print(f"TAP version 13\n1..{len(chosen) * rounds + 1}", flush=True)
    tally = dict.fromkeys((function.__name__ for function in chosen), 0)
    for function in in_order(chosen):
        for turn in range(rounds):
            name = function.__name__ + (f" {turn + 1} of {rounds}" if options.repeat else "")
            tally[function.__name__] += runner.run_one(function, name, bool(options.repeat))
    runner.finish()
    if options.repeat:
        for name, count in tally.items():
            print(f"# {name}: {count} of {rounds}")
    return 1 if runner.failed else 0


__all__ = ["KitError", "Lab", "Setup", "Skip", "TOP", "bad_lines", "console", "expect", "main", "process", "test"]
