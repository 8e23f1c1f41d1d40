"""One line of any of the tools: by its first word it goes to ``tc``, ``ethtool``, ``ip``, ``sysctl`` or the shell's.

What a user's script or configuration file holds: one command a line, ``#`` begins a comment, ``sudo`` is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ringwire.netdev.device import NetDevice
from ringwire.tools.ethtool import Ethtool
from ringwire.tools.ip import Ip
from ringwire.tools.shell import Shell
from ringwire.tools.sysctl import SysctlCommand
from ringwire.tools.tc import Tc
from ringwire.tools.words import CommandError, Words


class ScriptError(CommandError):
    """A line of a script that can't be carried out; ``cause`` is the tool's error, ``number`` the line, from 1."""

    def __init__(self, number: int, cause: CommandError) -> None:
        super().__init__(f"line {number}, {cause}")
        self.number = number
        self.cause = cause


class Line(NamedTuple):
    """A command of a script, its place and its text without comment."""

    number: int
    text: str


def commands(script: str) -> Iterator[Line]:
    """The lines that say something."""
    for number, line in enumerate(script.splitlines(), start=1):
        text = without_comment(line)
        if text.strip():
            yield Line(number, text)


def without_comment(line: str) -> str:
    """A line up to a ``#`` that begins a word; columns stay what they are."""
    return re.sub(r"(^|\s)#.*", "", line)


class Commands:
    """All tools on one set of devices."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        known = list(devices)
        shell = Shell(known).run
        self._tools: dict[str, Callable[[str], str]] = {
            "tc": Tc(known).run,
            "ethtool": Ethtool(known).run,
            "ip": Ip(known).run,
            "sysctl": SysctlCommand(known).run,
            "cat": shell,
            "echo": shell,
        }

    def run(self, line: str) -> str:
        """Carry out one line; what it prints, "" for a change, a comment or an empty line. Raises CommandError."""
        text = re.sub(r"^(\s*)sudo(?=\s)", r"\1    ", without_comment(line))
        words = Words(text)
        if not words:
            return ""
        tool = words.here
        # a tool may be named with its folder
        name = tool.text.rpartition("/")[2]
        if name not in self._tools:
            raise tool.error(f"no such tool; there are {', '.join(self._tools)}")
        begin = tool.column - 1
        end = begin + len(tool.text)
        return self._tools[name](text[:begin] + name.rjust(end - begin) + text[end:])

    def run_script(self, script: str) -> str:
        """Carry out all lines; what they print. ScriptError at the first that fails: those before it are done."""
        printed = []
        for number, text in commands(script):
            try:
                printed.append(self.run(text))
            except CommandError as error:
                raise ScriptError(number, error) from None
        return "".join(printed)
