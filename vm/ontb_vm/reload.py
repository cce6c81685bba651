# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""A new build of a module into guests that run, in place of the old one.

vm/pair leaves one agent's line of each guest to others once the guests are up; the file
goes over that line, packed, and modprobe loads it.
"""

import base64
import contextlib
import gzip
import os
import pathlib
import re
import shlex
import tempfile

from . import console, debian, guest, initramfs, modfile
from .cache import KitError

SECONDS = 300

# A file of the same name elsewhere would be found first. A new file has to be known to modprobe.
SCRIPT = """
name={name}
release={release}
[ "$(uname -r)" = "$release" ] || {{ echo "it is for kernel $release, the guest has $(uname -r)"; exit 1; }}
top=/lib/modules/$release
path=$top/{folder}/$name.ko
if grep -q "^$name " /proc/modules; then
	rmmod "$name" 2>&1 || exit 1
fi
mkdir -p "$top/{folder}"
known=
while read -r other; do
	file=${{other##*/}}
	file=${{file%%.ko*}}
	[ "${{file//-/_}}" = "$name" ] || continue
	[ "$other" = "$path" ] && known=1 || rm "$other"
done < <(find "$top" -name "*.ko*")
base64 -d <<'END' | gzip -d >"$path" || exit 1
{data}
END
[ -n "$known" ] || depmod -a || exit 1
lines=$(dmesg | wc -l)
for needed in {depends}; do
	modprobe "$needed" || exit 1
done
insmod "$path" {options}
status=$?
dmesg | tail -n "+$((lines + 1))"
exit $status
"""

# What stays when the module is loaded; the kernel's own tables of symbols are not the file's.
SECTIONS = """
cd /sys/module/{name}/sections || exit 1
for section in .*; do
	case $section in . | .. | .init* | .symtab | .strtab) continue ;; esac
	echo "$section=$(cat "$section")"
done
"""


def stripped(data):
    """A module's object without what only a debugger wants, where this machine has a strip that can."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(KitError):
            debian.run(["strip", "--strip-debug", file.name])
        return pathlib.Path(file.name).read_bytes()


def agents(folder, numbers):
    """Agents of the guests of the run in @folder, all or those of @numbers."""
    folder = pathlib.Path(os.path.abspath(folder))
    suffix = f"agent{guest.OTHERS_AGENT}"
    found = {int(path.name[5:].split(".")[0]): path for path in folder.glob(f"guest[0-9].{suffix}")}
    if not found:
        raise KitError(f"{folder}: no running guest there; vm/pair prints the folder of its run")
    missing = [number for number in numbers if number not in found]
    if missing:
        raise KitError(f"{folder}: no guest {missing[0]} there, only {', '.join(map(str, sorted(found)))}")
    return [console.Agent(path, f"guest{number}") for number, path in sorted(found.items())
            if number in (numbers or found)]


def write_symbols(agent, module, target):
    """Write the module to @target with its sections at the addresses that they have in a guest, for gdb.

    gdb's add-symbol-file takes such addresses too, but gdb 13 then gives functions of .exit.text,
    which is at 0 in the file like .text, the addresses of others.
    """
    words = [word for line in agent.sh(SECTIONS.format(name=module.name)).splitlines()
             for word in ("--change-section-address", line)]
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(module.data)
        file.flush()
        debian.run(["objcopy", *words, file.name, target])


def run(folder, path, options=(), numbers=(), symbols=None):
    """Load the module in file @path in guests of a run; yield (name, whether it worked, output).

    @symbols: file for gdb, see write_symbols(); for one guest.
    """
    module = modfile.read(path)
    for word in options:
        if not re.match(r"\w+(=|$)", word):
            raise KitError(f"{word}: no parameter of a module, which is NAME=VALUE")
    packed = base64.encodebytes(gzip.compress(stripped(module.data), 9)).decode()
    script = SCRIPT.format(name=module.name, release=shlex.quote(module.release), folder=initramfs.OWN_PLACE,
                           data=packed.strip(), options=shlex.join(options), depends=" ".join(module.depends))
    for agent in agents(folder, numbers):
        try:
            status, text = agent.run(script, SECONDS)
            if symbols and status == 0:
                write_symbols(agent, module, symbols)
            yield agent.name, status == 0, text.strip()
        finally:
            agent.close()
