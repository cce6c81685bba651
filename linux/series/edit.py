# SPDX-License-Identifier: GPL-2.0-only
"""Edits of a kernel source that say what they expect, and fail when it is not there.

One idea: a diff carries the kernel's lines around a change only to find the place.  An
edit here names the place (a function, an enumeration, a line that occurs once) and what
changes there, so nothing of the kernel is kept in this repository.  Every edit counts
what it found; another number than expected ends it, with the file and the expectation.
"""

import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


class EditError(Exception):
    """A file does not look as an edit expects; the text names both."""


class Tree:
    """A kernel source; remembers which files were edited since the last take()."""

    def __init__(self, top):
        self.top = pathlib.Path(top)
        self.touched = []

    def take(self):
        """The files that were edited since the last call."""
        touched, self.touched = sorted(set(self.touched)), []
        return touched

    def read(self, name):
        """The text of a file."""
        try:
            return (self.top / name).read_text(encoding="utf-8")
        except OSError as error:
            raise EditError(f"{name}: {error.strerror}") from error

    def _write(self, name, text):
        (self.top / name).write_text(text, encoding="utf-8")
        self.touched.append(name)

    def replace(self, name, pattern, text, count=1, inside=None):
        """Replace what a regular expression matches, exactly @count times.

        @pattern is used with MULTILINE; @text may refer to groups.  @inside limits the
        search to a function, structure or enumeration, see span().
        """
        whole = self.read(name)
        start, end = span(name, whole, inside) if inside else (0, len(whole))
        part, number = re.subn(pattern, text, whole[start:end], flags=re.M)
        if number != count:
            where = f"{name}, in {inside}" if inside else name
            raise EditError(f"{where}: expected {count} match(es) of {pattern!r}, found {number}")
        self._write(name, whole[:start] + part + whole[end:])

    def after(self, name, line, text, inside=None):
        """Insert @text after the only line that matches @line from its first non-blank on."""
        self._insert(name, line, text, inside, after=True)

    def before(self, name, line, text, inside=None):
        """Insert @text before the only line that matches @line."""
        self._insert(name, line, text, inside, after=False)

    def _insert(self, name, line, text, inside, after):
        text = text.replace("\\", "\\\\")
        self.replace(name, rf"^([ \t]*{line}.*\n)", rf"\1{text}" if after else rf"{text}\1",
                     inside=inside)

    def drop(self, name, pattern, inside=None, count=1):
        """Remove what a regular expression matches, exactly @count times."""
        self.replace(name, pattern, "", count, inside)

    def semantic(self, name, patch, hunks):
        """Apply a semantic patch of the folder cocci; it has to change @hunks places."""
        argv = ["spatch", "--very-quiet", "--no-includes", "--sp-file",
                str(HERE / "cocci" / f"{patch}.cocci"), name]
        try:
            done = subprocess.run(argv, cwd=self.top, check=False, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise EditError(f"cannot run spatch: {error.strerror} (package coccinelle)") from error
        if done.returncode != 0:
            raise EditError(f"{name}: {patch}.cocci: {done.stderr.strip()[-500:]}")
        found = len(re.findall(r"^@@ ", done.stdout, re.M))
        if found != hunks:
            raise EditError(f"{name}: expected {patch}.cocci to change {hunks} place(s), it changes "
                            f"{found}\n{done.stdout}")
        done = subprocess.run(["patch", "--quiet", "-p0", "--no-backup-if-mismatch", "-F0", name],
                              cwd=self.top, input=done.stdout, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise EditError(f"{name}: {patch}.cocci: {done.stdout}")
        self.touched.append(name)

    def install(self, name):
        """Replace a file with ours from the folder files, under the licence of the replaced one.

        Ours is GPL-2.0-only here; its authors let it go out under what the rest of its module has.
        """
        licence = re.compile(r"^// SPDX-" r"License-Identifier: .*\n")
        old = licence.match(self.read(name))
        if not old:
            raise EditError(f"{name}: expected a licence in the first line, found none")
        text = (HERE / "files" / name).read_text(encoding="utf-8")
        self._write(name, licence.sub(lambda _: old.group(0), text, count=1))

    def create(self, name):
        """Add a file of ours from the folder files, which is not there yet."""
        if (self.top / name).exists():
            raise EditError(f"{name}: expected no such file, found one")
        self._write(name, (HERE / "files" / name).read_text(encoding="utf-8"))

    def append(self, name, text):
        """Add @text at the end of a file."""
        self._write(name, self.read(name) + text)

    def expect(self, name, pattern, found):
        """Check that all first groups of @pattern in a file, sorted, are @found."""
        have = sorted(re.findall(pattern, self.read(name), re.M))
        if have != sorted(found):
            raise EditError(f"{name}: expected {sorted(found)} for {pattern!r}, found {have}")


def span(name, text, what):
    """The half-open range of a definition in C text, or of an option in that of Kconfig.

    @what is "enum NAME", "struct NAME" or the name of a function; "enum after PATTERN" is
    the anonymous enumeration that follows a comment.  In a Kconfig file it is "config NAME".
    """
    if what.startswith("config "):
        option = re.search(rf"^{what}\n(?:[ \t].*\n|\n)*", text, re.M)
        if not option:
            raise EditError(f"{name}: expected an option {what[7:]}, found none")
        return option.start(), option.end()
    if what.startswith("enum after "):
        begin = re.search(re.escape(what[11:]) + r"[\s\S]*?^enum \{$", text, re.M)
    elif what.split()[0] in ("enum", "struct"):
        begin = re.search(rf"^{what} \{{$", text, re.M)
    else:
        begin = re.search(rf"^(?:\w.*[ *]|){what}\([^;{{]*\)\n\{{$", text, re.M)
    end = re.compile(r"^\}", re.M).search(text, begin.end()) if begin else None
    if not end:
        raise EditError(f"{name}: expected a definition of {what}, found none")
    return begin.start(), end.start()
