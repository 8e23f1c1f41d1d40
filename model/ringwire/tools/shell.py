"""What users paste of a shell: ``cat FILE ...``, ``echo VALUE > FILE`` and ``echo VALUE | sudo tee FILE ...``.

Files are those of sysfs (:mod:`ringwire.tools.sysfs`), of ``/proc/sys`` (:mod:`ringwire.tools.sysctl`) and
``/dev/null``; their names may be patterns. Errors are in the words of bash and coreutils.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import ERRNO_TEXT, DeviceError
from ringwire.tools import sysctl, sysfs
from ringwire.tools.refusal import Refused, by_name
from ringwire.tools.words import CommandError, Word, Words

NULL = "/dev/null"
PATTERN = re.compile(r"[*?\[]")


class Files:
    """Those of a set of devices of one host, by their whole paths."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        self._devices = by_name(devices)

    def read(self, path: str) -> str:
        """What the file holds. DeviceError: ENOENT, EISDIR, or what the file itself says."""
        if path == NULL:
            return ""
        if path.startswith(sysctl.ROOT):
            return sysctl.read(self._all(), path)
        return sysfs.read(*self._place(path))

    def write(self, path: str, text: str) -> None:
        """DeviceError: what the file refuses."""
        if path.startswith(sysctl.ROOT):
            sysctl.write(self._all(), path, text)
        elif path != NULL:
            sysfs.write(*self._place(path), text)

    def open(self, path: str) -> None:
        """See whether the file can be written at all. DeviceError if not, as open(2) with O_CREAT says it."""
        if path.startswith(sysctl.ROOT):
            sysctl.find(path)
        elif path != NULL:
            try:
                file, _ = sysfs.find(*self._place(path))
            except DeviceError as error:
                # a folder of sysfs takes no new files, not even root's
                if error.errno == "ENOENT" and self._is_folder(path.rpartition("/")[0]):
                    raise DeviceError("EACCES", path, error.allowed) from None
                raise
            if file.store is None:
                raise DeviceError("EACCES", path, sysfs.READ_ONLY)

    def matching(self, pattern: str) -> list[str]:
        """Files and folders whose paths match, in order; a pattern is for one name each between two slashes."""
        wanted = pattern.split("/")
        found = {
            "/".join(parts[: len(wanted)])
            for parts in (path.split("/") for path in self._paths())
            if len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
        }
        return sorted(found)

    def _paths(self) -> Iterator[str]:
        for name, dev in self._devices.items():
            yield from (f"{sysfs.ROOT}/{name}/{path}" for path in sysfs.paths(dev))
        yield from sysctl.paths()

    def _all(self) -> list[NetDevice]:
        return list(self._devices.values())

    def _place(self, path: str) -> tuple[NetDevice, str]:
        """Device and path below its folder. DeviceError (ENOENT) outside of what there is."""
        name, _, rest = path.removeprefix(sysfs.ROOT + "/").partition("/")
        if not path.startswith(sysfs.ROOT + "/") or name not in self._devices:
            raise DeviceError("ENOENT", path, ", ".join(f"{sysfs.ROOT}/{known}" for known in self._devices))
        return self._devices[name], rest

    def _is_folder(self, path: str) -> bool:
        try:
            sysfs.find(*self._place(path))
        except DeviceError as error:
            return error.errno == "EISDIR"
        return False


class _Path(NamedTuple):
    """A file that a line names, and the word that does."""

    text: str
    word: Word


class _Value(NamedTuple):
    """What an echo says."""

    text: str
    words: list[Word]


class Shell:
    """``cat``, ``echo`` and ``tee`` on the files of a set of devices."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        self._files = Files(devices)

    def run(self, line: str) -> str:
        """Carry out a line; what it prints, "" for a write. Raises CommandError, Refused with the shell's words."""
        before, pipe, behind = line.partition("|")
        words = Words(before)
        command = words.take("cat or echo")
        if command.text == "cat":
            if pipe:
                raise Word("|", len(before) + 1).error("nothing was expected here")
            return self._cat(words)
        if command.text != "echo":
            raise Refused(command, f"bash: {command.text}: command not found", allowed="cat and echo", status=127)
        value = _value(words, before)
        if pipe:
            if words:
                raise words.here.error("nothing was expected here")
            if not behind.strip():
                raise CommandError(f"column {len(line) + 1}: tee and a file expected at the end of the line")
            return self._tee(Words(" " * (len(before) + 1) + behind), value)
        self._redirect(words, value)
        return ""

    def _cat(self, words: Words) -> str:
        found: list[str] = []
        failures: list[tuple[_Path, DeviceError]] = []
        for path in self._paths(words):
            try:
                found.append(self._files.read(path.text))
            except DeviceError as error:
                failures.append((path, error))
        if failures:
            raise _refused("cat", failures, "".join(found))
        return "".join(found)

    def _redirect(self, words: Words, value: _Value) -> None:
        """``> FILE`` and ``>> FILE``, the end of the line."""
        if not words:
            words.take("> and a file")
        sign = re.match(r">>?", words.peek())
        assert sign is not None
        word = words.take("> and a file")
        file = Word(word.text[sign.end() :], word.column + sign.end())
        if not file.text:
            file = words.take("a file")
        if words:
            raise words.here.error("nothing was expected here")
        paths = self._expanded(file)
        if len(paths) > 1:
            raise Refused(file, f"bash: {file.text}: ambiguous redirect", allowed=", ".join(paths))
        try:
            self._files.open(paths[0])
        except DeviceError as error:
            raise Refused(file, f"bash: {paths[0]}: {ERRNO_TEXT[error.errno]}", allowed=error.allowed) from None
        try:
            self._files.write(paths[0], value.text)
        except DeviceError as error:
            blamed = value.words[0] if value.words else file
            printed = f"bash: echo: write error: {ERRNO_TEXT[error.errno]}"
            raise Refused(blamed, printed, allowed=error.allowed) from None

    def _tee(self, words: Words, value: _Value) -> str:
        """``[sudo] tee [-a] FILE ... [> /dev/null]``: what can be written is, and the rest is named."""
        words.skip("sudo")
        command = words.take("tee and a file")
        if command.text.rpartition("/")[2] != "tee":
            raise Refused(command, f"bash: {command.text}: command not found", allowed="tee", status=127)
        while words.peek().startswith("-"):
            option = words.take("an option")
            if option.text not in ("-a", "--append"):
                long = option.text.startswith("--")
                what = f"unrecognized option '{option.text}'" if long else f"invalid option -- '{option.text[1:2]}'"
                raise Refused(option, f"tee: {what}\nTry 'tee --help' for more information.", allowed="-a")
        shown, failures, opened = value.text, list[tuple[_Path, DeviceError]](), list[_Path]()
        for path in self._paths(words) if words and not words.peek().startswith(">") else ():
            try:
                self._files.open(path.text)
                opened.append(path)
            except DeviceError as error:
                failures.append((path, error))
        if words:
            self._redirect(words, value)
            shown = ""
        for path in opened:
            try:
                self._files.write(path.text, value.text)
            except DeviceError as error:
                failures.append((_Path(path.text, value.words[0] if value.words else path.word), error))
        if failures:
            raise _refused("tee", failures, shown)
        return shown

    def _paths(self, words: Words) -> list[_Path]:
        """All names up to a redirection; at least one."""
        named = [words.take("a file")]
        while words and not words.peek().startswith(">"):
            named.append(words.take("a file"))
        return [_Path(path, word) for word in named for path in self._expanded(word)]

    def _expanded(self, word: Word) -> list[str]:
        """What a name stands for: a pattern that nothing matches stands for itself."""
        return (self._files.matching(word.text) if PATTERN.search(word.text) else []) or [word.text]


def _value(words: Words, line: str) -> _Value:
    """The words of an echo up to a redirection, and what is written of them. ``>`` may touch the last one."""
    newline = "" if words.skip("-n") else "\n"
    said: list[Word] = []
    while words and not words.peek().startswith(">"):
        word = words.take("a value")
        if ">" in word.text:
            words.split(word.text.index(">"))
            word = words.last
        said.append(word)
    text = line[said[0].column - 1 : said[-1].column - 1 + len(said[-1].text)] if said else ""
    return _Value(_unquoted(text) + newline, said)


def _refused(tool: str, failures: list[tuple[_Path, DeviceError]], output: str) -> Refused:
    said = "\n".join(f"{tool}: {_quoted(path.text)}: {ERRNO_TEXT[error.errno]}" for path, error in failures)
    blamed, reason = failures[0]
    return Refused(blamed.word, said, allowed=reason.allowed, output=output)


def _quoted(path: str) -> str:
    """As coreutils print a name."""
    return f"'{path}'" if PATTERN.search(path) else path


def _unquoted(text: str) -> str:
    """Words of an echo: single spaces between them, a pair of quotes around all of it keeps what is in it."""
    quoted = re.fullmatch(r"""(["'])(.*)\1""", text)
    return quoted[2] if quoted else " ".join(text.split())
